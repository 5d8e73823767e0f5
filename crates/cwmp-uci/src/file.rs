//! A file of a package under its lock, as libuci takes it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read, Seek, SeekFrom},
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};

use crate::{UciError, handover, limits};

/// A file that is open and locked. The lock ends with it.
pub(crate) struct Locked {
    file: Flock<File>,
    /// What had the name a moment ago, and may be waited for by somebody who has opened it then: locked as well.
    replaced: Vec<Flock<File>>,
    /// The name by which it is known.
    known: PathBuf,
    /// Where it is: the end of the links.
    real: PathBuf,
}

impl Locked {
    /// For reading, together with other readers.
    pub(crate) fn shared(known: &Path, patience: Duration) -> Result<Self, UciError> {
        let begun = Instant::now();
        loop {
            let options = OpenOptions::new().read(true).clone();
            if let Some(locked) = Self::attempt(known, &options, FlockArg::LockSharedNonblock, &[], || false)?
            {
                return Ok(locked);
            }
            wait(known, begun, patience)?;
        }
    }

    /// For replacing it: nobody else reads or writes meanwhile, nor has a commit under way. `replaced` are the files that had
    /// the name a moment ago.
    pub(crate) fn exclusive(
        known: &Path,
        package: &str,
        replaced: &[File],
        patience: Duration,
    ) -> Result<Self, UciError> {
        let begun = Instant::now();
        loop {
            let options = OpenOptions::new().read(true).write(true).clone();
            let how = FlockArg::LockExclusiveNonblock;
            let folder = known.parent().unwrap_or(Path::new("/"));
            let others = || handover::is_under_way(folder, package);
            if let Some(locked) = Self::attempt(known, &options, how, replaced, others)? {
                return Ok(locked);
            }
            wait(known, begun, patience)?;
        }
    }

    /// One attempt; `None` when it is worth another. `others` says whether somebody is about to replace the file.
    fn attempt(
        known: &Path,
        options: &OpenOptions,
        how: FlockArg,
        replaced: &[File],
        others: impl Fn() -> bool,
    ) -> Result<Option<Self>, UciError> {
        let mut old = Vec::new();
        for file in replaced {
            let file = file.try_clone().map_err(|error| UciError::io(known, "lock it", error))?;
            let Some(file) = lock(known, file, how)? else { return Ok(None) };
            old.push(file);
        }
        let real = fs::canonicalize(known).map_err(|error| absent(known, "find it", error))?;
        let file = options.open(&real).map_err(|error| absent(known, "open it", error))?;
        let data = file.metadata().map_err(|error| UciError::io(known, "read its metadata", error))?;
        if !data.is_file() {
            return Err(UciError::Missing { file: known.to_owned() });
        }
        let Some(file) = lock(known, file, how)? else { return Ok(None) };
        if others() {
            return Ok(None);
        }
        // Whoever had the lock has often replaced the file, and this one is no longer it. Looked at last: `others` may have
        // come to an end just before it was asked.
        let still = fs::metadata(&real).is_ok_and(|now| (now.dev(), now.ino()) == (data.dev(), data.ino()));
        Ok(still.then(|| Self { file, replaced: old, known: known.to_owned(), real }))
    }

    /// The whole content.
    pub(crate) fn read(&mut self) -> Result<Vec<u8>, UciError> {
        let mut content = Vec::new();
        let mut file: &File = &self.file;
        // One byte more than allowed tells a full file from one that is too large.
        let read = file
            .seek(SeekFrom::Start(0))
            .and_then(|_| file.take(limits::FILE_BYTES as u64 + 1).read_to_end(&mut content));
        read.map_err(|error| UciError::io(&self.known, "read it", error))?;
        if content.len() > limits::FILE_BYTES {
            return Err(UciError::TooLarge { file: self.known.clone(), limit: limits::FILE_BYTES });
        }
        Ok(content)
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    pub(crate) fn known(&self) -> &Path {
        &self.known
    }

    pub(crate) fn real(&self) -> &Path {
        &self.real
    }

    /// Gives those the new content who have opened what had the name before and wait for its lock: libuci reads that and
    /// not what has the name by then. Returns the file that was replaced, unlocked.
    pub(crate) fn hand_over(self, content: &[u8]) -> Option<File> {
        for file in self.replaced.iter().chain([&self.file]) {
            // One that has a name elsewhere is somebody's copy.
            if file.metadata().is_ok_and(|data| data.nlink() == 0) {
                // Nobody may be waiting, and nobody was promised anything: what fails here fails alone.
                let _ = overwrite(file, content);
            }
        }
        self.file.unlock().ok()
    }
}

/// Puts another content into a file. Until that is whole, and when it fails on the way, libuci refuses the file.
fn overwrite(file: &File, content: &[u8]) -> io::Result<()> {
    // No command begins with a quote.
    file.write_all_at(b"'", 0)?;
    let (first, rest) = content.split_at_checked(1).unwrap_or_default();
    file.write_all_at(rest, 1)?;
    file.set_len(content.len() as u64)?;
    file.write_all_at(first, 0)
}

fn wait(known: &Path, begun: Instant, patience: Duration) -> Result<(), UciError> {
    if begun.elapsed() >= patience {
        return Err(UciError::Busy { file: known.to_owned(), waited: patience });
    }
    std::thread::sleep(limits::LOCK_POLL);
    Ok(())
}

/// The lock, or `None` when somebody else has it.
fn lock(known: &Path, file: File, how: FlockArg) -> Result<Option<Flock<File>>, UciError> {
    match Flock::lock(file, how) {
        Ok(locked) => Ok(Some(locked)),
        Err((_, Errno::EWOULDBLOCK | Errno::EINTR)) => Ok(None),
        Err((_, errno)) => Err(UciError::io(known, "lock it", errno)),
    }
}

/// Makes a package without sections.
pub(crate) fn make_empty(file: &Path) -> Result<(), UciError> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(file) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(UciError::io(file, "make it", error)),
        _ => Ok(()),
    }
}

fn absent(known: &Path, operation: &'static str, error: io::Error) -> UciError {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => UciError::Missing { file: known.to_owned() },
        _ => UciError::io(known, operation, error),
    }
}

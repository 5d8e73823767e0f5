//! A file of a package under its lock, as libuci takes it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read, Seek, SeekFrom},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Instant,
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};

use crate::{UciError, limits};

/// A file that is open and locked. The lock ends with it.
pub(crate) struct Locked {
    file: Flock<File>,
    /// The name by which it is known.
    known: PathBuf,
    /// Where it is: the end of the links.
    real: PathBuf,
}

impl Locked {
    /// For reading, together with other readers.
    pub(crate) fn shared(known: &Path) -> Result<Self, UciError> {
        Self::open(known, OpenOptions::new().read(true), FlockArg::LockSharedNonblock)
    }

    /// For replacing it: nobody else reads or writes meanwhile.
    pub(crate) fn exclusive(known: &Path) -> Result<Self, UciError> {
        Self::open(known, OpenOptions::new().read(true).write(true), FlockArg::LockExclusiveNonblock)
    }

    fn open(known: &Path, options: &OpenOptions, how: FlockArg) -> Result<Self, UciError> {
        let begun = Instant::now();
        loop {
            let real = fs::canonicalize(known).map_err(|error| absent(known, "find it", error))?;
            let file = options.open(&real).map_err(|error| absent(known, "open it", error))?;
            let data = file.metadata().map_err(|error| UciError::io(known, "read its metadata", error))?;
            if !data.is_file() {
                return Err(UciError::Missing { file: known.to_owned() });
            }
            // Whoever had the lock has often replaced the file, and this one is no longer it.
            let still = || fs::metadata(&real).is_ok_and(|now| same(&now, &data));
            if let Some(file) = lock(known, file, how)?.filter(|_| still()) {
                return Ok(Self { file, known: known.to_owned(), real });
            }
            if begun.elapsed() >= limits::LOCK_WAIT {
                return Err(UciError::Busy { file: known.to_owned(), waited: limits::LOCK_WAIT });
            }
            std::thread::sleep(limits::LOCK_POLL);
        }
    }

    /// The whole content.
    pub(crate) fn read(&mut self) -> Result<Vec<u8>, UciError> {
        let mut content = Vec::new();
        let file = &mut *self.file;
        // One byte more than allowed tells a full file from one that is too large.
        let read = file.seek(SeekFrom::Start(0)).and_then(|_| {
            let file: &File = file;
            file.take(limits::FILE_BYTES as u64 + 1).read_to_end(&mut content)
        });
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
}

/// The lock, or `None` when somebody else has it.
fn lock(known: &Path, file: File, how: FlockArg) -> Result<Option<Flock<File>>, UciError> {
    match Flock::lock(file, how) {
        Ok(locked) => Ok(Some(locked)),
        Err((_, Errno::EWOULDBLOCK | Errno::EINTR)) => Ok(None),
        Err((_, errno)) => Err(UciError::io(known, "lock it", errno)),
    }
}

fn same(a: &fs::Metadata, b: &fs::Metadata) -> bool {
    (a.dev(), a.ino()) == (b.dev(), b.ino())
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

//! File operations whose order decides what a power cut leaves behind.
//!
//! Everything that the store does to files goes through [`Files`], so that a file system that loses power can stand in
//! for the real one.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::StoreError;

/// The operations, each as small as a power cut can tell apart.
pub trait Files: Send + Sync {
    /// The whole content.
    ///
    /// # Errors
    /// The system's; `InvalidData` when there is more than `limit` bytes.
    fn read(&self, file: &Path, limit: usize) -> io::Result<Vec<u8>>;

    /// Names of the files and folders in a folder, in no order; what is no UTF-8 is left out.
    ///
    /// # Errors
    /// The system's; `InvalidData` when there are more than `limit`.
    fn list(&self, dir: &Path, limit: usize) -> io::Result<Vec<String>>;

    /// Creates a file, which must not exist, readable and writable by its owner alone, and writes to it. Not durable yet.
    ///
    /// # Errors
    /// The system's; a part of the content may have been written.
    fn write_new(&self, file: &Path, content: &[u8]) -> io::Result<()>;

    /// Adds to the end of a file, which must exist: what is too large for one piece of memory is written in several. Not
    /// durable yet.
    ///
    /// # Errors
    /// The system's; a part of the content may have been written.
    fn append(&self, file: &Path, content: &[u8]) -> io::Result<()>;

    /// Makes the content of a file durable. Its name needs [`Files::fsync_dir`].
    ///
    /// # Errors
    /// The system's.
    fn fsync(&self, file: &Path) -> io::Result<()>;

    /// Gives a file another name in the same folder, in place of what has that name. Atomic; not durable yet.
    ///
    /// # Errors
    /// The system's.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable.
    ///
    /// # Errors
    /// The system's.
    fn fsync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Removes a file. Not durable yet.
    ///
    /// # Errors
    /// The system's; `NotFound` where there is none.
    fn remove(&self, file: &Path) -> io::Result<()>;

    /// Makes a folder, and those above it, durably, open to its owner alone. One that exists is left as it is.
    ///
    /// # Errors
    /// The system's.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;
}

/// The file system of the box.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealFiles;

impl RealFiles {
    /// As the store takes it.
    #[must_use]
    pub fn shared() -> Arc<dyn Files> {
        Arc::new(RealFiles)
    }
}

impl Files for RealFiles {
    fn read(&self, file: &Path, limit: usize) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        // One byte more than allowed tells a full file from one that is too large, whatever its length claims.
        File::open(file)?.take(limit as u64 + 1).read_to_end(&mut content)?;
        if content.len() > limit {
            return Err(io::Error::new(ErrorKind::InvalidData, format!("larger than {limit} bytes")));
        }
        Ok(content)
    }

    fn list(&self, dir: &Path, limit: usize) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for (number, entry) in std::fs::read_dir(dir)?.enumerate() {
            if number >= limit {
                let text = format!("more than {limit} files");
                return Err(io::Error::new(ErrorKind::InvalidData, text));
            }
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }

    fn write_new(&self, file: &Path, content: &[u8]) -> io::Result<()> {
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?.write_all(content)
    }

    fn append(&self, file: &Path, content: &[u8]) -> io::Result<()> {
        OpenOptions::new().append(true).open(file)?.write_all(content)
    }

    fn fsync(&self, file: &Path) -> io::Result<()> {
        File::open(file)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn fsync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        std::fs::remove_file(file)
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        if dir.is_dir() {
            return Ok(());
        }
        let above = folder(dir);
        if above != Path::new(".") {
            self.create_dir(above)?;
        }
        DirBuilder::new().mode(0o700).create(dir)?;
        // A file can be fsynced in a folder whose own name is lost in a cut.
        self.fsync_dir(above)
    }
}

/// Suffix of the last good copy: `state.json.1`.
const COPY: &str = "1";
/// Suffixes of everything that lies beside a file, in the order in which it is deleted: the newest content goes last.
const SIBLINGS: [&str; 4] = ["damaged", "1.damaged", "new", COPY];

/// Where the content of a file is kept, the newest first, with what serves when that is damaged; `without` is said of
/// the last one.
pub(crate) fn candidates(file: &Path, without: &'static str) -> [(PathBuf, &'static str); 2] {
    [(file.to_owned(), "the copy before it serves, if there is one"), (copy_of(file), without)]
}

/// The last good copy of a file.
#[must_use]
pub fn copy_of(file: &Path) -> PathBuf {
    sibling(file, COPY)
}

/// `user.ini` and `new` give `user.ini.new`.
#[must_use]
pub fn sibling(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

/// The folder of a file.
pub(crate) fn folder(file: &Path) -> &Path {
    match file.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}

/// A write that failed.
#[derive(Debug)]
pub struct ReplaceError {
    /// What went wrong.
    pub error: StoreError,
    /// The new content has taken the place of the old one, which could not be put back, but may be lost in a cut: whoever
    /// calls must not take either for granted and has to write again.
    pub in_place: bool,
}

impl From<StoreError> for ReplaceError {
    fn from(error: StoreError) -> Self {
        Self { error, in_place: false }
    }
}

/// Replaces the content of `file`, or makes the file: after a cut at any moment the old or the new content is there. The
/// old content stays as the last good copy, and may be there alone after a cut.
///
/// The new content is durable under a name of its own before it takes the place of the old one.
///
/// # Errors
/// [`ReplaceError`].
pub fn replace(files: &dyn Files, file: &Path, content: &[u8]) -> Result<(), ReplaceError> {
    let new = sibling(file, "new");
    // Left behind by a cut in an earlier attempt.
    remove_if_there(files, &new)?;
    let written = files
        .write_new(&new, content)
        .map_err(|error| StoreError::io(file, "write the new content", error))
        .and_then(|()| {
            files.fsync(&new).map_err(|error| StoreError::io(file, "make the new content durable", error))
        });
    if let Err(error) = written {
        // On a full disk the remains would keep it full. That they cannot be removed is no news beside the first error.
        let _ = files.remove(&new);
        return Err(error.into());
    }
    let copy = copy_of(file);
    let had_old = match files.rename(file, &copy) {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::NotFound => false,
        Err(error) => return Err(StoreError::io(&copy, "keep the old content", error).into()),
    };
    let put = files
        .rename(&new, file)
        .map_err(|error| StoreError::io(file, "put the new content in place", error))
        .and_then(|()| sync_folder(files, file));
    put.map_err(|error| {
        // Whoever called says now that it failed: the next start must not find the new content.
        let back = if had_old { files.rename(&copy, file) } else { files.remove(file) };
        let undone = back.is_ok() && sync_folder(files, file).is_ok();
        ReplaceError { error, in_place: !undone }
    })
}

/// Deletes a file durably, with its copy and what is left of damaged or half-written ones, for these hold secrets as well:
/// after a cut the newest content is there, or none.
///
/// # Errors
/// [`StoreError::Io`].
pub fn delete(files: &dyn Files, file: &Path) -> Result<(), StoreError> {
    for suffix in SIBLINGS {
        if remove_if_there(files, &sibling(file, suffix))? {
            sync_folder(files, file)?;
        }
    }
    remove_if_there(files, file)?;
    sync_folder(files, file)
}

/// Makes durable what was read from `file`, and that nothing newer is there: a program that was killed may have left it in
/// the memory of the kernel alone, and what is told to others by it must not be gone after a power cut. Writes nothing.
pub(crate) fn confirm(files: &dyn Files, file: &Path) {
    let synced = match files.fsync(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(StoreError::io(file, "make what is there durable", error))
        }
        _ => sync_folder(files, file),
    };
    if let Err(error) = synced {
        // It is as safe as it was; a disk that can be read only has nothing to lose.
        tracing::warn!("{error}");
    }
}

/// Makes the names beside `file` durable.
///
/// # Errors
/// [`StoreError::Io`].
pub fn sync_folder(files: &dyn Files, file: &Path) -> Result<(), StoreError> {
    let dir = folder(file);
    files.fsync_dir(dir).map_err(|error| StoreError::io(dir, "make the change of names durable", error))
}

/// Removes a file, not durably yet; that there is none is fine. Returns whether there was one.
///
/// # Errors
/// [`StoreError::Io`].
pub fn remove_if_there(files: &dyn Files, file: &Path) -> Result<bool, StoreError> {
    match files.remove(file) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StoreError::io(file, "remove it", error)),
    }
}

/// Moves a damaged file out of the way, to `<name>.damaged`, for somebody to look at. Returns the words for the report.
pub fn set_aside(files: &dyn Files, file: &Path) -> String {
    let aside = sibling(file, "damaged");
    match files.rename(file, &aside) {
        Ok(()) => format!("kept as {}", aside.display()),
        Err(error) => format!("it could not be moved to {}: {error}", aside.display()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_real_file_system_appends_lists_and_makes_folders() {
        let dir = tempfile::tempdir().unwrap();
        let (below, files) = (dir.path().join("a/b"), RealFiles);
        files.create_dir(&below).unwrap();
        files.create_dir(&below).unwrap();
        assert_eq!(below.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        let file = below.join("f");
        assert_eq!(files.append(&file, b"x").unwrap_err().kind(), ErrorKind::NotFound);
        files.write_new(&file, b"12").unwrap();
        files.append(&file, b"34").unwrap();
        assert_eq!(files.read(&file, 4).unwrap(), b"1234");
        assert_eq!(files.read(&file, 3).unwrap_err().kind(), ErrorKind::InvalidData);
        assert_eq!(files.list(&dir.path().join("a"), 1).unwrap(), ["b"]);
        assert_eq!(files.list(&below, 0).unwrap_err().kind(), ErrorKind::InvalidData);
    }
}

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

#[cfg(test)]
pub(crate) mod sim;

/// The operations, each as small as a power cut can tell apart.
pub trait Files: Send + Sync {
    /// The whole content.
    ///
    /// # Errors
    /// The system's; `InvalidData` when there is more than `limit` bytes.
    fn read(&self, file: &Path, limit: usize) -> io::Result<Vec<u8>>;

    /// Creates a file, which must not exist, readable and writable by its owner alone, and writes to it. Not durable yet.
    ///
    /// # Errors
    /// The system's; a part of the content may have been written.
    fn write_new(&self, file: &Path, content: &[u8]) -> io::Result<()>;

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

    /// Makes a folder, and those above it, open to its owner alone. One that exists is left as it is.
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

    fn write_new(&self, file: &Path, content: &[u8]) -> io::Result<()> {
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?.write_all(content)
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
        DirBuilder::new().recursive(true).mode(0o700).create(dir)
    }
}

/// `user.ini` and `new` give `user.ini.new`.
pub(crate) fn sibling(file: &Path, suffix: &str) -> PathBuf {
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
pub(crate) struct ReplaceError {
    pub(crate) error: StoreError,
    /// The new content has taken the place of the old one, but may be lost in a cut: whoever calls must not take either
    /// for granted and has to write again.
    pub(crate) in_place: bool,
}

impl From<StoreError> for ReplaceError {
    fn from(error: StoreError) -> Self {
        Self { error, in_place: false }
    }
}

/// Replaces the content of `file`, or makes the file: after a cut at any moment the old or the new content is there.
/// With `keep`, the old content stays under that name, and may be there alone after a cut.
///
/// The new content is durable under a name of its own before it takes the place of the old one.
///
/// # Errors
/// [`ReplaceError`].
pub(crate) fn replace(
    files: &dyn Files,
    file: &Path,
    content: &[u8],
    keep: Option<&Path>,
) -> Result<(), ReplaceError> {
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
    if let Some(keep) = keep {
        match files.rename(file, keep) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(StoreError::io(keep, "keep the old content", error).into()),
        }
    }
    files.rename(&new, file).map_err(|error| StoreError::io(file, "put the new content in place", error))?;
    sync_folder(files, file).map_err(|error| ReplaceError { error, in_place: true })
}

/// Deletes a file durably, its siblings with these suffixes before it: after a cut the file is there or nothing is.
pub(crate) fn delete(files: &dyn Files, file: &Path, suffixes: &[&str]) -> Result<(), StoreError> {
    for suffix in suffixes {
        if remove_if_there(files, &sibling(file, suffix))? {
            sync_folder(files, file)?;
        }
    }
    remove_if_there(files, file)?;
    sync_folder(files, file)
}

/// Makes the names beside `file` durable.
fn sync_folder(files: &dyn Files, file: &Path) -> Result<(), StoreError> {
    let dir = folder(file);
    files.fsync_dir(dir).map_err(|error| StoreError::io(dir, "make the change of names durable", error))
}

/// Removes a file; that there is none is fine. Returns whether there was one.
fn remove_if_there(files: &dyn Files, file: &Path) -> Result<bool, StoreError> {
    match files.remove(file) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StoreError::io(file, "remove it", error)),
    }
}

/// Moves a damaged file out of the way, to `<name>.damaged`, for somebody to look at. Returns the words for the report.
pub(crate) fn set_aside(files: &dyn Files, file: &Path) -> String {
    let aside = sibling(file, "damaged");
    match files.rename(file, &aside) {
        Ok(()) => format!("kept as {}", aside.display()),
        Err(error) => format!("it could not be moved to {}: {error}", aside.display()),
    }
}

//! Replacing a file so that a power cut at any moment leaves the old or the new content, and never a mixture.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, fchown},
    path::Path,
};

use crate::{UciError, file::Locked};

/// The operations of the disk, each as small as a power cut can tell apart.
pub(crate) trait Disk: Send + Sync {
    /// Makes a file with this content, and with the owner and the rights of `like`. Not durable yet.
    fn write_new(&self, file: &Path, content: &[u8], like: &File) -> io::Result<()>;
    /// Makes the content of a file durable.
    fn sync(&self, file: &Path) -> io::Result<()>;
    /// Gives a file the name of another, in its place. Not durable yet.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, file: &Path) -> io::Result<()>;
}

pub(crate) struct RealDisk;

impl Disk for RealDisk {
    fn write_new(&self, file: &Path, content: &[u8], like: &File) -> io::Result<()> {
        let mut new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
        let like = like.metadata()?;
        // Before the mode: a change of the owner takes rights away. Only root may; others keep what is theirs.
        match fchown(&new, Some(like.uid()), Some(like.gid())) {
            Err(error) if error.kind() != ErrorKind::PermissionDenied => return Err(error),
            _ => {}
        }
        new.set_permissions(like.permissions())?;
        new.write_all(content)
    }

    fn sync(&self, file: &Path) -> io::Result<()> {
        File::open(file)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        fs::remove_file(file)
    }
}

/// Replaces the content of a locked file. When it returns the new content is durable; when it fails the old one is in place,
/// unless the error says otherwise.
pub(crate) fn replace(
    disk: &dyn Disk,
    locked: &mut Locked,
    package: &str,
    before: &[u8],
    after: &[u8],
) -> Result<(), UciError> {
    let folder = locked.real().parent().unwrap_or(Path::new("/"));
    // The dot keeps it out of the list of packages.
    let new = folder.join(format!(".{package}.cwmpd-new"));
    put(disk, locked, &new, after)?;
    let synced = disk.sync_folder(folder);
    synced.map_err(|error| {
        // Whoever asked is told that it failed: nobody is to find the new content.
        let back = put(disk, locked, &new, before).and_then(|()| {
            disk.sync_folder(folder).map_err(|error| UciError::io(locked.known(), "put it back", error))
        });
        let operation = if back.is_ok() {
            "make the change of names durable"
        } else {
            "make the change of names durable, nor put the old content back"
        };
        UciError::io(locked.known(), operation, error)
    })
}

fn put(disk: &dyn Disk, locked: &Locked, new: &Path, content: &[u8]) -> Result<(), UciError> {
    let failed = |operation| move |error| UciError::io(locked.known(), operation, error);
    // Left behind by a cut.
    match disk.remove(new) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(failed("remove what an earlier attempt has left")(error));
        }
        _ => {}
    }
    let written = disk
        .write_new(new, content, locked.file())
        .map_err(failed("write the new content"))
        .and_then(|()| disk.sync(new).map_err(failed("make the new content durable")))
        .and_then(|()| disk.rename(new, locked.real()).map_err(failed("put the new content in place")));
    if written.is_err() {
        // On a full disk the remains would keep it full. That they cannot be removed is no news beside the first error.
        let _ = disk.remove(new);
    }
    written
}

//! Replacing a file so that a power cut at any moment leaves the old or the new content, and never a mixture.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, fchown},
    path::Path,
};

use crate::{UciError, file::Locked};

/// The operations of the disk, each as small as a power cut can tell apart.
#[cfg_attr(not(feature = "sim"), expect(unreachable_pub, reason = "tests of others play one"))]
pub trait Disk: Send + Sync {
    /// Makes a file with this content, and with the owner and the rights of `like`. Not durable yet.
    ///
    /// # Errors
    /// The system's.
    fn write_new(&self, file: &Path, content: &[u8], like: &File) -> io::Result<()>;
    /// Makes the content of a file durable.
    ///
    /// # Errors
    /// The system's.
    fn sync(&self, file: &Path) -> io::Result<()>;
    /// Gives a file the name of another, in its place. Not durable yet.
    ///
    /// # Errors
    /// The system's.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable.
    ///
    /// # Errors
    /// The system's.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    /// Removes a file.
    ///
    /// # Errors
    /// The system's.
    fn remove(&self, file: &Path) -> io::Result<()>;
}

/// The disk of this machine.
#[cfg_attr(not(feature = "sim"), expect(unreachable_pub, reason = "tests of others play on top of it"))]
pub struct RealDisk;

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
/// unless the error is [`UciError::Unsure`]. `ready` is told of each file that is about to take the place.
pub(crate) fn replace(
    disk: &dyn Disk,
    locked: &Locked,
    package: &str,
    before: &[u8],
    after: &[u8],
    ready: impl Fn(&Path),
) -> Result<(), UciError> {
    let folder = locked.real().parent().unwrap_or(Path::new("/"));
    // The dot keeps it out of the list of packages.
    let new = folder.join(format!(".{package}.cwmpd-new"));
    put(disk, locked, &new, after, &ready)?;
    let synced = disk.sync_folder(folder);
    synced.map_err(|error| {
        // Whoever asked is told that it failed: nobody is to find the new content.
        let back = put(disk, locked, &new, before, &ready).and_then(|()| {
            disk.sync_folder(folder).map_err(|error| UciError::io(locked.known(), "put it back", error))
        });
        match back {
            Ok(()) => UciError::io(locked.known(), "make the change of names durable", error),
            Err(_) => UciError::Unsure { file: locked.known().to_owned(), source: error },
        }
    })
}

/// Makes durable what is there: a program that was killed, or libuci, which does not care for the name, may have left it in
/// the memory of the kernel alone. Writes nothing.
pub(crate) fn confirm(disk: &dyn Disk, locked: &Locked) -> Result<(), UciError> {
    let folder = locked.real().parent().unwrap_or(Path::new("/"));
    let synced = disk.sync(locked.real()).and_then(|()| disk.sync_folder(folder));
    synced.map_err(|error| UciError::io(locked.known(), "make what is there durable", error))
}

fn put(
    disk: &dyn Disk,
    locked: &Locked,
    new: &Path,
    content: &[u8],
    ready: &impl Fn(&Path),
) -> Result<(), UciError> {
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
        .and_then(|()| {
            ready(new);
            disk.rename(new, locked.real()).map_err(failed("put the new content in place"))
        });
    if written.is_err() {
        // On a full disk the remains would keep it full. That they cannot be removed is no news beside the first error.
        let _ = disk.remove(new);
    }
    written
}

#[cfg(test)]
pub(crate) mod tests {
    use std::{path::PathBuf, sync::Mutex};

    use super::*;

    /// The real disk, whose operations are written down, and of which one fails.
    pub(crate) struct Recorded {
        pub(crate) done: Mutex<Vec<String>>,
        fails: Option<usize>,
    }

    impl Recorded {
        pub(crate) fn new(fails: Option<usize>) -> Self {
            Self { done: Mutex::default(), fails }
        }

        fn step(&self, what: &str, files: &[&Path]) -> io::Result<()> {
            let names = files.iter().map(|file| file.file_name().unwrap().to_str().unwrap());
            let mut done = self.done.lock().unwrap();
            done.push(format!("{what} {}", names.collect::<Vec<_>>().join(" ")));
            if self.fails == Some(done.len()) { Err(io::Error::from(ErrorKind::StorageFull)) } else { Ok(()) }
        }
    }

    impl Disk for Recorded {
        fn write_new(&self, file: &Path, content: &[u8], like: &File) -> io::Result<()> {
            self.step("write", &[file])?;
            RealDisk.write_new(file, content, like)
        }

        fn sync(&self, file: &Path) -> io::Result<()> {
            self.step("sync", &[file])?;
            RealDisk.sync(file)
        }

        fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
            self.step("rename", &[from, to])?;
            RealDisk.rename(from, to)
        }

        fn sync_folder(&self, folder: &Path) -> io::Result<()> {
            self.step("sync folder", &[folder])?;
            RealDisk.sync_folder(folder)
        }

        fn remove(&self, file: &Path) -> io::Result<()> {
            // Nothing depends on when a left-over goes.
            RealDisk.remove(file)
        }
    }

    struct Kept {
        dir: tempfile::TempDir,
        file: PathBuf,
    }

    impl Kept {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let folder = dir.path().join("config");
            fs::create_dir(&folder).unwrap();
            let file = folder.join("network");
            fs::write(&file, "old").unwrap();
            Self { dir, file }
        }

        fn replace(&self, disk: &dyn Disk) -> Result<(), UciError> {
            let locked = Locked::exclusive(&self.file, "network", &[], crate::limits::LOCK_WAIT)?;
            replace(disk, &locked, "network", b"old", b"new", |_| {})
        }

        fn content(&self) -> String {
            fs::read_to_string(&self.file).unwrap()
        }

        fn names(&self) -> usize {
            fs::read_dir(self.dir.path().join("config")).unwrap().count()
        }
    }

    /// In this order every power cut leaves the old or the new content: the new one has its name only once it is durable,
    /// and is promised only once the name is.
    #[test]
    fn the_content_is_durable_before_its_name_and_the_name_before_the_promise() {
        let (kept, disk) = (Kept::new(), Recorded::new(None));
        fs::write(kept.file.with_file_name(".network.cwmpd-new"), "left by a cut").unwrap();
        kept.replace(&disk).unwrap();
        let (new, done) = (".network.cwmpd-new", disk.done.into_inner().unwrap());
        let expected = [
            format!("write {new}"),
            format!("sync {new}"),
            format!("rename {new} network"),
            "sync folder config".to_owned(),
        ];
        assert_eq!((done, kept.content(), kept.names()), (expected.to_vec(), "new".to_owned(), 1));
    }

    #[test]
    fn what_is_there_already_is_made_durable_and_not_written() {
        let (kept, disk) = (Kept::new(), Recorded::new(None));
        let locked = Locked::exclusive(&kept.file, "network", &[], crate::limits::LOCK_WAIT).unwrap();
        confirm(&disk, &locked).unwrap();
        assert_eq!(disk.done.into_inner().unwrap(), ["sync network", "sync folder config"]);
    }

    #[test]
    fn an_operation_that_fails_leaves_the_old_content_and_nothing_beside_it() {
        for at in 1..=4 {
            let (kept, disk) = (Kept::new(), Recorded::new(Some(at)));
            let error = kept.replace(&disk).unwrap_err();
            assert!(error.is_full() && error.to_string().contains("network: cannot "), "{error}");
            assert_eq!((kept.content().as_str(), kept.names()), ("old", 1), "operation {at}");
        }
    }

    #[test]
    fn the_new_file_has_the_rights_of_the_old_one() {
        use std::os::unix::fs::PermissionsExt;
        let kept = Kept::new();
        fs::set_permissions(&kept.file, fs::Permissions::from_mode(0o640)).unwrap();
        kept.replace(&RealDisk).unwrap();
        assert_eq!(fs::metadata(&kept.file).unwrap().permissions().mode() & 0o7777, 0o640);
    }
}

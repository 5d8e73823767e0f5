//! Bounded reads below a root, and files replaced in one step.

use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use nix::{
    fcntl::{FcntlArg, fcntl},
    libc,
};

/// Most bytes read of a text file of the system; what follows is not looked at.
pub const TEXT_BYTES: u64 = 64 * 1024;
/// What most files of the system fit into.
const READ_BYTES: usize = 1024;
/// Most entries looked at in one folder.
pub const FOLDER_ENTRIES: usize = 32 * 1024;

/// The folder that stands for `/`.
#[derive(Clone, Debug)]
pub struct Root(PathBuf);

impl Root {
    /// This folder.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Whether this is the real one.
    pub fn is_real(&self) -> bool {
        self.0 == Path::new("/")
    }

    /// A path below; a leading slash makes no difference.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.0.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The first [`TEXT_BYTES`] of a file.
    pub fn bytes(&self, path: &str) -> io::Result<Vec<u8>> {
        read_start(&self.path(path), TEXT_BYTES)
    }

    /// The same as text; `None` where it can't be read. Bytes that are no UTF-8 become U+FFFD.
    pub fn text(&self, path: &str) -> Option<String> {
        let bytes = self.bytes(path).ok()?;
        Some(
            String::from_utf8(bytes)
                .unwrap_or_else(|odd| String::from_utf8_lossy(odd.as_bytes()).into_owned()),
        )
    }

    /// Names in a folder, in no order; none where it can't be read.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).into_iter().flatten().take(FOLDER_ENTRIES);
        entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }
}

/// At most `limit` bytes from the start of a file.
pub fn read_start(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    // Room from the start: a vector that grows from nothing takes a file of 300 bytes in six calls of the kernel.
    let room = usize::try_from(limit).map_or(READ_BYTES, |limit| limit.min(READ_BYTES));
    let mut bytes = Vec::with_capacity(room);
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// All of a regular file, or why not; a device or a pipe is not even opened.
pub fn read_regular(path: &Path, limit: u64) -> Result<Vec<u8>, String> {
    let error = |e: io::Error| format!("cannot read {}: {e}", path.display());
    if !fs::metadata(path).map_err(error)?.is_file() {
        return Err(format!("{} is not a regular file", path.display()));
    }
    let bytes = read_start(path, limit.saturating_add(1)).map_err(error)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
        return Err(format!("{} is larger than {limit} bytes", path.display()));
    }
    Ok(bytes)
}

/// At most `limit` bytes from the end of a regular file, or why not.
pub fn read_end(path: &Path, limit: u64) -> Result<Vec<u8>, String> {
    let error = |e: io::Error| format!("cannot read {}: {e}", path.display());
    let length = fs::metadata(path).map_err(error)?;
    if !length.is_file() {
        return Err(format!("{} is not a regular file", path.display()));
    }
    let mut file = File::open(path).map_err(error)?;
    file.seek(SeekFrom::Start(length.len().saturating_sub(limit))).map_err(error)?;
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes).map_err(error)?;
    Ok(bytes)
}

/// Puts what `fill` writes in the place of `target`, durably: after a power cut there is the former file or the new one.
/// Only the owner may read it, since a configuration holds passwords.
pub fn replace(target: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), String> {
    let mut name = target.file_name().unwrap_or(OsStr::new("file")).to_owned();
    name.push(".new");
    let candidate = target.with_file_name(name);
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let written = (|| {
        // A link that somebody put here is removed, not followed.
        let _ = fs::remove_file(&candidate);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&candidate)?;
        fill(&mut file)?;
        file.sync_all()?;
        fs::rename(&candidate, target)?;
        File::open(folder)?.sync_all()
    })();
    written.map_err(|e| {
        let _ = fs::remove_file(&candidate);
        format!("cannot write {}: {e}", target.display())
    })
}

/// Whether another program holds a lock (`lockf`) on a file; `false` where there is none.
pub fn is_locked(path: &Path) -> bool {
    let Ok(file) = OpenOptions::new().read(true).write(true).open(path) else { return false };
    let mut lock = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    fcntl(&file, FcntlArg::F_GETLK(&mut lock)).is_ok() && lock.l_type != libc::F_UNLCK as libc::c_short
}

/// A text fit for a string parameter: one line without control characters, at most `limit` characters.
pub fn clean(text: &str, limit: usize) -> String {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c.is_control());
    let fit = |c: char| if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') { ' ' } else { c };
    text.chars().take(limit).map(fit).collect::<String>().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn odd_text_becomes_one_clean_line() {
        assert_eq!(clean("  ACME Router\0", 64), "ACME Router");
        assert_eq!(clean("a\u{1}b\nc", 64), "a b c");
        assert_eq!(clean("äöü", 2), "äö");
    }

    #[test]
    fn reads_stop_at_their_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long");
        fs::write(&path, vec![b'x'; 100]).unwrap();
        assert_eq!(read_start(&path, 10).unwrap().len(), 10);
        assert_eq!((read_end(&path, 10).unwrap().len(), read_end(&path, 200).unwrap().len()), (10, 100));
        assert!(read_end(folder.path(), 10).unwrap_err().ends_with("is not a regular file"));
        assert_eq!(read_regular(&path, 100).unwrap().len(), 100);
        assert!(read_regular(&path, 99).unwrap_err().ends_with("is larger than 99 bytes"));
        assert!(read_regular(folder.path(), 99).unwrap_err().ends_with("is not a regular file"));
    }

    #[test]
    fn a_lock_of_somebody_else_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("opkg.lock");
        assert!(!is_locked(&path), "there is none");
        fs::write(&path, "").unwrap();
        assert!(!is_locked(&path));
        // A lock of this kind belongs to the open file, and is somebody else's to every other one.
        let holder = OpenOptions::new().write(true).open(&path).unwrap();
        let lock = libc::flock {
            l_type: libc::F_WRLCK as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: 0,
            l_len: 0,
            l_pid: 0,
        };
        fcntl(&holder, FcntlArg::F_OFD_SETLK(&lock)).unwrap();
        assert!(is_locked(&path));
        drop(holder);
        assert!(!is_locked(&path));
    }

    #[test]
    fn a_replacement_follows_no_link_and_is_private() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (path, victim) = (folder.path().join("file"), folder.path().join("victim"));
        fs::write(&victim, "precious").unwrap();
        symlink(&victim, folder.path().join("file.new")).unwrap();
        replace(&path, |file| file.write_all(b"one")).unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(fs::symlink_metadata(&path).unwrap().permissions().mode(), 0o100_600);
    }

    #[test]
    fn a_failed_replacement_leaves_the_former_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        replace(&path, |file| file.write_all(b"one")).unwrap();
        let error = replace(&path, |file| {
            file.write_all(b"tw")?;
            Err(io::Error::other("no room"))
        });
        assert!(error.unwrap_err().ends_with("no room"));
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

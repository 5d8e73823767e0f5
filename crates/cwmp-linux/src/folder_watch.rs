//! Hears of changes of files in a folder, through inotify.

use std::{
    ffi::OsString,
    io,
    os::fd::{AsFd, AsRawFd, RawFd},
    path::Path,
};

use async_trait::async_trait;
use cwmp_platform::Changes;
use nix::{
    errno::Errno,
    sys::inotify::{AddWatchFlags, InitFlags, Inotify},
};
use tokio::io::unix::AsyncFd;

/// Hears that files of a folder have been written, replaced or removed; what they say now, the next look shows.
pub struct FolderWatch {
    notices: AsyncFd<Notices>,
    /// The only file of interest, where not all of them are.
    file: Option<OsString>,
}

/// An inotify, as tokio takes it.
struct Notices(Inotify);

impl AsRawFd for Notices {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl FolderWatch {
    /// Watches all files of a folder from now on.
    ///
    /// # Errors
    /// The folder is not there, or the system gives no more watches.
    pub fn folder(folder: &Path) -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        let wanted = AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_ONLYDIR;
        inotify.add_watch(folder, wanted)?;
        // `register` is unsafe because a foreign type may swap its descriptor; this one owns it for good.
        #[allow(deprecated, reason = "the replacement is an unsafe function")]
        let notices = AsyncFd::new(Notices(inotify))?;
        Ok(Self { notices, file: None })
    }

    /// Watches one file, which need not exist; its folder must.
    ///
    /// # Errors
    /// Those of [`FolderWatch::folder`].
    pub fn file(path: &Path) -> io::Result<Self> {
        let watch = Self::folder(path.parent().unwrap_or(path))?;
        Ok(Self { file: path.file_name().map(OsString::from), ..watch })
    }

    /// Waits for notices; whether one of them is of interest.
    async fn noticed(&self) -> io::Result<bool> {
        let mut ready = self.notices.readable().await?;
        match ready.try_io(|notices| notices.get_ref().0.read_events().map_err(io::Error::from)) {
            Ok(events) => Ok(events?.iter().any(|event| {
                // More came than the kernel keeps: that notice has no name.
                event.name.is_none() || self.file.is_none() || event.name == self.file
            })),
            Err(_would_block) => Ok(false),
        }
    }
}

#[async_trait(?Send)]
impl Changes for FolderWatch {
    async fn changed(&mut self) {
        loop {
            match self.noticed().await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) if error.raw_os_error() == Some(Errno::EINTR as i32) => {}
                Err(error) => {
                    tracing::error!("changes of files are no longer noticed at once: {error}");
                    return std::future::pending().await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, time::Duration};

    use tokio::time::timeout;

    use super::*;

    async fn is_told(watch: &mut FolderWatch) -> bool {
        timeout(Duration::from_secs(20), watch.changed()).await.is_ok()
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_file_that_is_written_replaced_or_removed_is_noticed_and_others_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("status");
        let mut watch = FolderWatch::file(&path).unwrap();
        fs::write(folder.path().join("other"), "x").unwrap();
        assert!(!watch.noticed().await.unwrap());
        fs::write(&path, "one").unwrap();
        assert!(is_told(&mut watch).await);
        fs::rename(folder.path().join("other"), &path).unwrap();
        assert!(is_told(&mut watch).await);
        fs::remove_file(&path).unwrap();
        assert!(is_told(&mut watch).await);
        assert!(FolderWatch::folder(&path).is_err());
    }
}

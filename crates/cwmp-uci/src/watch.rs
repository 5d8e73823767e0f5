//! Changes that others make: inotify says that something has happened in the folders, the files say what.

use std::{
    collections::BTreeMap,
    io,
    os::fd::{AsFd, AsRawFd, RawFd},
    path::Path,
};

use nix::{
    errno::Errno,
    sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor},
};
use tokio::io::unix::AsyncFd;

use crate::{Uci, UciError, uci::FileId};

/// Notices when somebody else changes packages: a commit, an editor, a restored backup.
pub struct Watch {
    uci: Uci,
    notices: AsyncFd<Notices>,
    /// The watch of the folder that holds the folder of overrides, which need not exist.
    above: Option<WatchDescriptor>,
    seen: BTreeMap<String, FileId>,
}

/// An inotify, as tokio takes it.
struct Notices(Inotify);

impl AsRawFd for Notices {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl Uci {
    /// Begins to watch. What is there now is known.
    ///
    /// # Errors
    /// [`UciError::Io`]: the folder of the configuration is not there, or the system gives no more watches.
    ///
    /// # Panics
    /// Outside a runtime of tokio whose I/O is enabled.
    pub fn watch(&self) -> Result<Watch, UciError> {
        let config = &self.options().config;
        let failed = |errno: Errno| UciError::io(config, "watch it for changes", errno);
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).map_err(failed)?;
        inotify.add_watch(config, changes()).map_err(failed)?;
        let above = self.options().overrides.as_deref().and_then(Path::parent);
        let made = AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_ONLYDIR;
        let above = above.and_then(|above| inotify.add_watch(above, made).ok());
        // `register` is unsafe because a foreign type may swap its descriptor; this one owns it for good.
        #[allow(deprecated, reason = "the replacement is an unsafe function")]
        let notices = AsyncFd::new(Notices(inotify));
        let notices = notices.map_err(|error| UciError::io(config, "watch it for changes", error))?;
        let mut watch = Watch { uci: self.clone(), notices, above, seen: BTreeMap::new() };
        watch.watch_overrides();
        watch.differences();
        Ok(watch)
    }
}

impl Watch {
    /// Waits until somebody else has changed, made or removed packages, and returns their names, sorted. The commits of this
    /// [`Uci`] and its clones do not count. A burst of changes may come in several parts. Nothing is lost when the wait is
    /// given up.
    ///
    /// # Errors
    /// [`UciError::Io`], after which it is of no more use.
    pub async fn changed(&mut self) -> Result<Vec<String>, UciError> {
        loop {
            if self
                .noticed()
                .await
                .map_err(|error| UciError::io(&self.uci.options().config, "watch it for changes", error))?
            {
                self.watch_overrides();
                let changed = self.differences();
                if !changed.is_empty() {
                    return Ok(changed);
                }
            }
        }
    }

    /// Waits for notices; whether one of them is worth a look.
    async fn noticed(&self) -> io::Result<bool> {
        let mut ready = self.notices.readable().await?;
        match ready.try_io(|notices| notices.get_ref().0.read_events().map_err(io::Error::from)) {
            Ok(events) => Ok(events?.iter().any(|event| self.concerns(event))),
            Err(_would_block) => Ok(false),
        }
    }

    /// In the folder above much may happen that is of no interest.
    fn concerns(&self, event: &InotifyEvent) -> bool {
        let folder = self.uci.options().overrides.as_deref().and_then(Path::file_name);
        self.above != Some(event.wd) || event.name.as_deref() == folder
    }

    /// Watches the folder of overrides when there is one. The system gives the same watch for the same folder.
    fn watch_overrides(&self) {
        if let Some(overrides) = &self.uci.options().overrides {
            // That there is none is the rule; it is tried again when one is made.
            let _ = self.notices.get_ref().0.add_watch(overrides, changes());
        }
    }

    /// The packages that are not what they were at the last look, but for what this program has made of them.
    fn differences(&mut self) -> Vec<String> {
        let now = self.uci.ids();
        let was = std::mem::take(&mut self.seen);
        let gone = was.keys().filter(|package| !now.contains_key(*package));
        let other = now.iter().filter(|(package, (id, ours))| !ours && was.get(*package) != Some(id));
        let mut changed: Vec<_> = gone.chain(other.map(|(package, _)| package)).cloned().collect();
        changed.sort_unstable();
        self.seen = now.into_iter().map(|(package, (id, _))| (package, id)).collect();
        changed
    }
}

fn changes() -> AddWatchFlags {
    AddWatchFlags::IN_CLOSE_WRITE
        | AddWatchFlags::IN_MOVED_TO
        | AddWatchFlags::IN_MOVED_FROM
        | AddWatchFlags::IN_DELETE
        | AddWatchFlags::IN_ONLYDIR
}

#[cfg(test)]
mod tests {
    use std::{fs, time::Duration};

    use tokio::time::timeout;

    use super::*;
    use crate::{Edit, UciOptions};

    const LAN: &str = "config interface 'lan'\n\toption mtu '1500'\n";

    struct Box {
        dir: tempfile::TempDir,
        uci: Uci,
    }

    impl Box {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir(dir.path().join("config")).unwrap();
            let overrides = Some(dir.path().join("run/uci"));
            fs::create_dir(dir.path().join("run")).unwrap();
            let uci = Uci::new(UciOptions { config: dir.path().join("config"), overrides });
            let new = Self { dir, uci };
            new.write("config/network", LAN);
            new
        }

        fn write(&self, file: &str, text: &str) {
            fs::write(self.dir.path().join(file), text).unwrap();
        }

        fn mtu(&self, value: &str) {
            let (section, option) = ("lan".to_owned(), "mtu".to_owned());
            self.uci.commit("network", &[Edit::Set { section, option, value: value.to_owned() }]).unwrap();
        }
    }

    async fn next(watch: &mut Watch) -> Vec<String> {
        timeout(Duration::from_secs(20), watch.changed()).await.expect("a change is noticed").unwrap()
    }

    #[tokio::test]
    async fn what_others_change_is_noticed_and_what_this_program_commits_is_not() {
        let home = Box::new();
        let mut watch = home.uci.watch().unwrap();
        home.mtu("1400");
        home.write("config/dhcp", "config dnsmasq\n");
        assert_eq!(next(&mut watch).await, ["dhcp"]);
        home.mtu("1300");
        home.write("config/.network.uci-a1b2c3", LAN);
        fs::rename(
            home.dir.path().join("config/.network.uci-a1b2c3"),
            home.dir.path().join("config/network"),
        )
        .unwrap();
        assert_eq!(next(&mut watch).await, ["network"]);
        fs::remove_file(home.dir.path().join("config/dhcp")).unwrap();
        assert_eq!(next(&mut watch).await, ["dhcp"]);
    }

    #[tokio::test]
    async fn a_folder_of_overrides_is_noticed_when_it_is_made() {
        let home = Box::new();
        let mut watch = home.uci.watch().unwrap();
        home.write("run/other.pid", "1");
        fs::create_dir(home.dir.path().join("run/uci")).unwrap();
        home.write("run/uci/network", LAN);
        assert_eq!(next(&mut watch).await, ["network"]);
        home.write("run/uci/wireless", "config wifi-device 'radio0'\n");
        assert_eq!(next(&mut watch).await, ["wireless"]);
    }

    #[tokio::test]
    async fn a_folder_that_is_not_there_cannot_be_watched() {
        let uci = Uci::new(UciOptions { config: "/nowhere/at/all".into(), overrides: None });
        let error = uci.watch().err().unwrap().to_string();
        assert!(error.starts_with("/nowhere/at/all: cannot watch it for changes"), "{error}");
    }
}

//! Sharing a file with libuci's commit, whose locking has two gaps. It locks the file, reads it through the same
//! descriptor, writes a new one, lets go of the lock, and only then puts the new one in place. So
//!
//! * who gets the lock in that moment reads what is about to be replaced: a commit under way shows by the file that it
//!   writes, and is waited for;
//! * who had opened the file before somebody else replaced it gets the lock of the replaced one, and reads that: so for a
//!   while the replaced one is kept open, gets each new content as well, and is locked with the one in place.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::Path,
    time::{Duration, Instant, SystemTime},
};

use nix::fcntl::{Flock, FlockArg};

use crate::limits;

/// The files that had a package's name a moment ago, by package.
#[derive(Default)]
pub(crate) struct Replaced(BTreeMap<String, Vec<(Instant, File)>>);

impl Replaced {
    /// Those of a package, the oldest first.
    pub(crate) fn of(&mut self, package: &str) -> Vec<File> {
        // Also those of others: an open file keeps its place on the flash.
        for files in self.0.values_mut() {
            files.retain(|(since, _)| since.elapsed() < limits::HANDOVER);
        }
        self.0.retain(|_, files| !files.is_empty());
        let files = self.0.get(package).into_iter().flatten();
        files.filter_map(|(_, file)| file.try_clone().ok()).collect()
    }

    pub(crate) fn add(&mut self, package: &str, file: File) {
        let files = self.0.entry(package.to_owned()).or_default();
        if files.len() >= limits::HANDOVERS {
            files.remove(0);
        }
        files.push((Instant::now(), file));
    }
}

/// Whether a commit of libuci is between its lock and its end. One that has died there leaves its file behind: an old file
/// that nobody has locked does not count.
pub(crate) fn is_under_way(folder: &Path, package: &str) -> bool {
    let begins = format!(".{package}.uci-");
    let entries = fs::read_dir(folder).into_iter().flatten().take(limits::FOLDER_ENTRIES);
    let theirs =
        entries.flatten().filter(|entry| entry.file_name().as_encoded_bytes().starts_with(begins.as_bytes()));
    theirs.filter_map(|entry| File::open(entry.path()).ok()).any(is_alive)
}

fn is_alive(file: File) -> bool {
    let written = file.metadata().and_then(|data| data.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    let now = SystemTime::now();
    // The clock may have been set meanwhile.
    let age = now.duration_since(written).or_else(|_| written.duration_since(now)).unwrap_or(Duration::MAX);
    age < limits::UNFINISHED || Flock::lock(file, FlockArg::LockSharedNonblock).is_err()
}

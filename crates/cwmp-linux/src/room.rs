//! Whether there is room for what is to be fetched: storage where it will lie, and memory for the program that writes it.

use std::path::Path;

use cwmp_platform::PlatformError;
use nix::sys::{
    statfs::{TMPFS_MAGIC, statfs},
    statvfs::statvfs,
};

use crate::files::Root;

/// What is left free on storage beyond the file, in bytes: the agent's own state must still fit.
const STORAGE_RESERVE: u64 = 256 * 1024;

/// A number of /proc/meminfo in KiB.
pub fn meminfo(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    value.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// What could be given to a program without swapping, in KiB; `None` where the kernel does not tell.
pub fn available_memory(root: &Root) -> Option<u64> {
    meminfo(&root.text("proc/meminfo")?, "MemAvailable")
}

/// Gives caches back that a kernel may hold longer than it should. What it cannot do for want of rights is not done.
pub fn drop_caches(root: &Root) {
    if root.is_real() {
        nix::unistd::sync();
    }
    if let Err(e) = std::fs::write(root.path("proc/sys/vm/drop_caches"), "3\n") {
        tracing::debug!("caches are not dropped: {e}");
    }
}

/// Where fetched files lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In memory (tmpfs).
    Memory,
    /// On storage with so many free bytes.
    Storage(u64),
    /// Not known.
    Unknown,
}

impl Place {
    /// Of this folder, or of the nearest above it that exists. Asks the file system, which may block.
    pub fn of(folder: Option<&Path>) -> Self {
        let Some(folder) = folder.and_then(|folder| folder.ancestors().find(|above| above.exists())) else {
            return Self::Unknown;
        };
        match (statfs(folder), statvfs(folder)) {
            (Ok(facts), _) if facts.filesystem_type() == TMPFS_MAGIC => Self::Memory,
            (_, Ok(facts)) => {
                let free =
                    i128::from(facts.blocks_available()).saturating_mul(i128::from(facts.fragment_size()));
                Self::Storage(u64::try_from(free).unwrap_or(u64::MAX))
            }
            _ => Self::Unknown,
        }
    }
}

/// Whether there is room for `bytes` at this place and for `reserve` KiB of memory besides. What is not known is no
/// obstacle.
///
/// # Errors
/// [`PlatformError::NoRoom`] with what is needed and what is there.
pub fn check(bytes: u64, place: Place, memory: Option<u64>, reserve: u64) -> Result<(), PlatformError> {
    let in_memory = if place == Place::Memory { bytes.div_ceil(1024) } else { 0 };
    let needed = in_memory.saturating_add(reserve);
    if let Some(available) = memory.filter(|available| *available < needed) {
        return Err(PlatformError::NoRoom(format!(
            "{needed} KiB of memory are needed and {available} KiB available"
        )));
    }
    match place {
        Place::Storage(free) if bytes > 0 && free < bytes.saturating_add(STORAGE_RESERVE) => {
            let needed = bytes.saturating_add(STORAGE_RESERVE);
            Err(PlatformError::NoRoom(format!("{needed} bytes of storage are needed and {free} free")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_in_memory_needs_memory_and_one_on_storage_needs_storage() {
        let text = |result: Result<(), PlatformError>| result.unwrap_err().to_string();
        let mib = 1024 * 1024;
        assert!(check(10 * mib, Place::Memory, Some(20_000), 8192).is_ok());
        assert_eq!(
            text(check(10 * mib, Place::Memory, Some(18_000), 8192)),
            "no room: 18432 KiB of memory are needed and 18000 KiB available"
        );
        assert!(check(10 * mib, Place::Storage(11 * mib), Some(8192), 8192).is_ok());
        assert_eq!(
            text(check(10 * mib, Place::Storage(10 * mib), Some(8192), 8192)),
            "no room: 10747904 bytes of storage are needed and 10485760 free"
        );
        assert!(check(10 * mib, Place::Storage(11 * mib), Some(8191), 8192).is_err());
        assert!(check(0, Place::Storage(0), None, 8192).is_ok(), "a size that nobody knows is no obstacle");
        assert!(check(u64::MAX, Place::Memory, Some(1), u64::MAX).is_err());
        assert!(check(10 * mib, Place::Unknown, None, 8192).is_ok());
    }

    #[test]
    fn the_place_is_that_of_the_folder_or_the_one_above() {
        let folder = tempfile::tempdir().unwrap();
        let (of, below) = (Place::of(Some(folder.path())), Place::of(Some(&folder.path().join("not/yet"))));
        assert_eq!(std::mem::discriminant(&of), std::mem::discriminant(&below));
        assert_ne!(of, Place::Unknown);
        assert_eq!(Place::of(None), Place::Unknown);
    }
}

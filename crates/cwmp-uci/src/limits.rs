//! Every bound of this crate. libuci has none of them: each is far above what a router's configuration has.

use std::time::Duration;

/// Bytes of one file.
pub const FILE_BYTES: usize = 1024 * 1024;

/// Sections of one package.
pub const SECTIONS: usize = 4096;

/// Options of one section.
pub const OPTIONS: usize = 1024;

/// Values of one package, those of lists counted one by one.
pub const VALUES: usize = 65_536;

/// Bytes of the name of a package, section or option, and of a section's type.
pub const NAME_BYTES: usize = 255;

/// Edits of one commit.
pub const EDITS: usize = 4096;

/// Files that are looked at in the configuration folder.
pub const FOLDER_ENTRIES: usize = 4096;

/// How long a lock that somebody else holds is waited for. `uci` holds one for milliseconds.
pub const LOCK_WAIT: Duration = Duration::from_secs(5);

/// How often the lock is tried meanwhile.
pub const LOCK_POLL: Duration = Duration::from_millis(5);

/// How long after it was written the new file of somebody's commit counts as one that is about to take its place.
pub const UNFINISHED: Duration = Duration::from_secs(2);

/// How long a file that a commit has replaced is shared with those who had opened it before.
pub const HANDOVER: Duration = Duration::from_secs(2);

/// How many of them, for each package.
pub const HANDOVERS: usize = 8;

//! The bounds of what is read of packages.

use std::time::Duration;

/// Most bytes of the list of installed packages.
pub(super) const STATUS_BYTES: u64 = 16 * 1024 * 1024;
/// Most bytes of the list of a package's files.
pub(super) const LIST_BYTES: u64 = 1024 * 1024;
/// Most bytes that a package may unpack to before its description is found.
pub(super) const UNPACKED_BYTES: u64 = 256 * 1024 * 1024;
/// Most bytes of the tar of a package's description, its scripts included, up to the control file.
pub(super) const SCRIPT_BYTES: u64 = 1024 * 1024;
/// Most bytes of a package's control file that are looked at.
pub(super) const CONTROL_BYTES: u64 = 64 * 1024;
/// Most members of a tar that are looked at.
pub(super) const MEMBERS: usize = 64;
/// Most bytes of the values of an `.apk`.
pub(super) const ADB_BYTES: u64 = 8 * 1024 * 1024;
/// Longest name or version of a package, in bytes.
pub(super) const WORD_BYTES: usize = 128;
/// Most bytes of what is remembered of packages.
pub(super) const MEMORY_BYTES: u64 = 1024 * 1024;
/// Most execution units of a package.
pub(super) const SCRIPTS: usize = 16;
/// Longest run of opkg or apk: it may fetch what a package needs.
pub(super) const TOOL_RUN: Duration = Duration::from_secs(900);

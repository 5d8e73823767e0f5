//! The bounds of this backend.

use std::time::Duration;

/// Most different calls of the bus for one call of the ACS.
pub(crate) const ANSWERS: usize = 512;
/// Most keys of a table that are remembered, those that are gone included.
pub(crate) const REMEMBERED: usize = 1024;
/// Most rows of a table that are shown; those that come last are left out.
pub(crate) const ROWS: usize = 256;
/// Most addresses, or prefixes, of one logical interface.
pub(crate) const ADDRESSES: usize = 64;
/// Longest run of a program that tells something or orders a restart.
pub(crate) const SHORT_RUN: Duration = Duration::from_secs(60);
/// Longest check of an image: all of it is read.
pub(crate) const CHECK_RUN: Duration = Duration::from_secs(300);
/// Longest wait for sysupgrade, or for the program of a factory reset, to end with an error. Both end the box otherwise.
pub(crate) const UPGRADE_RUN: Duration = Duration::from_secs(1800);
/// Most bytes of the log that are uploaded: the last ones.
pub(crate) const LOG_BYTES: usize = 1024 * 1024;
/// Most bytes of the list of files that sysupgrade keeps.
pub(crate) const LIST_BYTES: usize = 256 * 1024;
/// Most files of a configuration that is loaded.
pub(crate) const CONFIG_FILES: usize = 4096;
/// Most bytes of all of them together.
pub(crate) const CONFIG_BYTES: u64 = 16 * 1024 * 1024;

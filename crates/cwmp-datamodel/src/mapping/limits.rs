//! Bounds of mapping files.

use std::time::Duration;

/// Most bytes of one mapping file.
pub const FILE_BYTES: usize = 64 * 1024;
/// Most mapping files of vendors.
pub const FILES: usize = 64;
/// Most parameters of all mapping files together.
pub const PARAMETERS: usize = 4096;
/// Most conversions of one parameter.
pub const CONVERSIONS: usize = 8;
/// Most arguments of one source, conversion or program.
pub const ARGUMENTS: usize = 32;
/// Most rows of one table; those beyond it are left out.
pub const ROWS: usize = 1024;
/// Longest key of a row, in bytes; a row with a longer one is left out.
pub const KEY_BYTES: usize = 256;
/// Most programs that run for one call of the ACS; what would need more is left out.
pub const COMMANDS: usize = 64;
/// Longest run of a program that reads.
pub const READ_COMMAND: Duration = Duration::from_secs(5);
/// Longest time in which programs run for one call of the ACS; what is not read by then is left out, since the call as a
/// whole has a deadline too.
pub const READ_COMMANDS: Duration = Duration::from_secs(10);
/// Longest run of a program that sets or reloads.
pub const SET_COMMAND: Duration = Duration::from_secs(15);

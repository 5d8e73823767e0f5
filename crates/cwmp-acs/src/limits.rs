//! Every bound of the development ACS by name.

use std::time::Duration;

/// Largest request body that is read on the CWMP side, in bytes: whole trees of large boxes fit.
pub const BODY_BYTES: usize = 64 * 1024 * 1024;
/// Largest uploaded file, in bytes, unless the options say otherwise.
pub const FILE_BYTES: u64 = 256 * 1024 * 1024;
/// Most connections at a time; further ones wait in the listener's backlog.
pub const CONNECTIONS: usize = 8_192;
/// Most bytes of one request head that are kept for inspection.
pub const HEAD_BYTES: usize = 64 * 1024;
/// How long a request body may take to arrive.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a connection may be silent before it is closed, unless the options say otherwise.
pub const SESSION_TIMEOUT: Duration = Duration::from_secs(60);
/// Most CPEs that are remembered; the one that has been silent longest gives way.
pub const CPES: usize = 65_536;
/// Most parameters remembered for one CPE.
pub const CACHED_PARAMETERS: usize = 100_000;
/// Sessions remembered for each CPE, unless the options say otherwise.
pub const HISTORY: usize = 16;
/// Most messages recorded in one session report; further ones are only counted.
pub const REPORTED_MESSAGES: usize = 4_096;
/// Most session reports and Informs that wait for somebody who asks for them; the oldest give way.
pub const UNCLAIMED: usize = 1_024;
/// Most violations that are kept; further ones are only counted.
pub const VIOLATIONS: usize = 1_024;
/// Most calls queued at a time.
pub const QUEUED_CALLS: usize = 65_536;
/// Most nonces remembered; the oldest give way.
pub const NONCES: usize = 16_384;
/// How long a connection request may take in all.
pub const CONNECTION_REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// Copies of a connection request over UDP that are sent: datagrams get lost.
pub const UDP_REQUEST_COPIES: usize = 3;
/// Longest line on the control socket and at the prompt, in bytes.
pub const CONTROL_LINE: usize = 1024 * 1024;
/// How long `raw` and other files given at the prompt may be, in bytes.
pub const RAW_BYTES: u64 = 16 * 1024 * 1024;
/// Most scripts loaded at a time.
pub const SCRIPTS: usize = 1_024;

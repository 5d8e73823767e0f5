//! Every bound of this crate by name. Those of the protocol are in [`cwmp_core::limits`].

/// Least time between two echo requests of a run, in milliseconds: a diagnostic floods nobody.
pub const PACE_MS: u64 = 200;
/// Longest time that a run may take when nothing answers, in milliseconds: one hour. NumberOfRepetitions and Timeout that
/// come to more are refused when the test is requested.
pub const RUN_MS: u64 = 3_600_000;
/// Longest wait for the name server, in milliseconds.
pub const RESOLVE_MS: u64 = 30_000;
/// Most addresses of one name that are looked at for one that there is a route to.
pub const ADDRESSES: usize = 8;
/// Bytes of a received packet that are looked at: the longest IPv4 header and the one of ICMP. The rest is dropped.
pub const RECEIVED_BYTES: usize = 68;

/// The sequence numbers of a run are all different, so that a late reply counts for no other request.
const _: () = assert!(RUN_MS / PACE_MS < u16::MAX as u64);

//! The bounds of the border.

use std::time::Duration;

/// Longest message to the box, in bytes: a SetParameterValues of the largest envelope, and room for its frame.
pub(crate) const UP_BYTES: usize = cwmp_core::limits::ENVELOPE_BYTES + 512 * 1024;
/// Longest message to the protocol process, in bytes: the largest file of authorities that is read, and room.
pub(crate) const DOWN_BYTES: usize = 16 * 1024 * 1024;
/// Messages of the protocol process that wait in the box.
pub(crate) const WAITING_MESSAGES: usize = 16;
/// Effects and calls that the box works on at once; at the limit it hears no more of them until one has ended.
pub(crate) const OPERATIONS: usize = 64;
/// Longest wait for the other process to take a message. One that does not is taken for dead.
pub(crate) const WRITE_PATIENCE: Duration = Duration::from_secs(30);
/// How long an Inform may be held up so that it says the truth of where connection requests are taken.
pub(crate) const SETTLE: Duration = Duration::from_secs(3);
/// Longest texts of one piece of news, in bytes; a longer one is not passed on.
pub(crate) const NEWS_BYTES: usize = 16 * 1024;
/// Snapshots that are kept for answers; one more and the oldest goes.
pub(crate) const SNAPSHOTS: usize = 4;
/// Things that are read at once.
pub(crate) const READERS: usize = 8;
/// Bytes of the trace in one message.
pub(crate) const TRACE_BYTES: usize = 64 * 1024;

//! Every bound of this crate by name.

use std::time::Duration;

/// Largest blob of a message in either direction, in bytes: ubusd drops whoever sends more (`UBUS_MAX_MSGLEN`).
pub const FRAME_BYTES: usize = 1024 * 1024;
/// Deepest nesting of tables and arrays in a message.
pub const DEPTH: usize = 32;
/// Most values in one message, nested ones included.
pub const VALUES: usize = 65_536;
/// Longest name of a value, in bytes: its length is sent in 16 bits.
pub const NAME_BYTES: usize = 65_535;

/// Longest wait for the answer to a call where the caller names none: that of the ubus command line.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Calls that are under way at once; further ones wait for their turn, which counts as part of their time.
pub const CALLS: usize = 64;
/// Most DATA messages in the answer to one request.
pub const REPLIES: usize = 16_384;
/// Bytes of all DATA messages in the answer to one request.
pub const REPLY_BYTES: usize = 4 * 1024 * 1024;
/// Numbers of given-up requests that are not used again before their answer has come; at the limit the oldest is let go.
pub const ZOMBIES: usize = 1024;
/// Ids of objects that are remembered; at the limit all are looked up again.
pub const IDS: usize = 1024;
/// Bytes that wait to be sent; beyond them requests are refused.
pub const OUTGOING_BYTES: usize = 4 * 1024 * 1024;
/// Events or notifications that wait in one queue; at the limit the oldest gives way.
pub const EVENTS: usize = 256;
/// Calls of others that wait for one object of ours; at the limit further ones are refused.
pub const OWN_CALLS: usize = 32;

/// Longest wait for the greeting of the bus after connecting.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(5);
/// First wait before connecting again; it doubles with each attempt.
pub const RECONNECT_FIRST: Duration = Duration::from_millis(100);
/// Longest wait before connecting again. A connection that has lasted longer starts anew with the first wait.
pub const RECONNECT_LONGEST: Duration = Duration::from_secs(10);
/// Wait before something is registered again that the bus has refused.
pub const REGISTER_AGAIN: Duration = Duration::from_secs(30);

//! What goes wrong: on the bus, and with its bytes.

use thiserror::Error;

/// Status codes of the bus (`ubusmsg.h`).
pub mod status {
    /// Done.
    pub const OK: u32 = 0;
    /// A message that is none.
    pub const INVALID_COMMAND: u32 = 1;
    /// Arguments that the method does not take; for an object, a path that is taken.
    pub const INVALID_ARGUMENT: u32 = 2;
    /// The object has no such method.
    pub const METHOD_NOT_FOUND: u32 = 3;
    /// No such object, or what the service calls "not found".
    pub const NOT_FOUND: u32 = 4;
    /// The service has nothing to say.
    pub const NO_DATA: u32 = 5;
    /// An access list forbids it.
    pub const PERMISSION_DENIED: u32 = 6;
    /// The service gave up waiting.
    pub const TIMEOUT: u32 = 7;
    /// The service cannot do that.
    pub const NOT_SUPPORTED: u32 = 8;
    /// It failed, for whatever reason.
    pub const UNKNOWN_ERROR: u32 = 9;
    /// The connection is gone.
    pub const CONNECTION_FAILED: u32 = 10;
    /// Out of memory.
    pub const NO_MEMORY: u32 = 11;
    /// The service could not read what it was to read.
    pub const PARSE_ERROR: u32 = 12;
    /// A system call of the service failed.
    pub const SYSTEM_ERROR: u32 = 13;

    /// The code in words.
    #[must_use]
    pub fn text(code: u32) -> &'static str {
        match code {
            OK => "done",
            INVALID_COMMAND => "invalid command",
            INVALID_ARGUMENT => "invalid argument",
            METHOD_NOT_FOUND => "method not found",
            NOT_FOUND => "not found",
            NO_DATA => "no data",
            PERMISSION_DENIED => "permission denied",
            TIMEOUT => "timed out in the service",
            NOT_SUPPORTED => "not supported",
            UNKNOWN_ERROR => "failed",
            CONNECTION_FAILED => "connection failed",
            NO_MEMORY => "out of memory",
            PARSE_ERROR => "parse error",
            SYSTEM_ERROR => "system error",
            _ => "unknown status",
        }
    }
}

/// Why something on the bus failed. The text in each says what: object and method, without arguments.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BusError {
    /// The bus or the service answered with a [`status`] other than 0.
    #[error("ubus: {1}: {text} (status {0})", text = status::text(*.0))]
    Status(u32, String),
    /// No answer in time.
    #[error("ubus: {0}: no answer in time")]
    Timeout(String),
    /// There is no connection to the bus, or it broke before the answer.
    #[error("ubus: {0}: no connection to the bus")]
    Disconnected(String),
    /// The object went away before it answered.
    #[error("ubus: {0}: the object went away before it answered")]
    Gone(String),
    /// The answer cannot be read.
    #[error("ubus: {0}: malformed answer: {1}")]
    Malformed(String, DecodeError),
    /// The answer is larger than [`REPLIES`](crate::limits::REPLIES) or [`REPLY_BYTES`](crate::limits::REPLY_BYTES).
    #[error("ubus: {0}: the answer is too large")]
    TooLarge(String),
    /// What is to be said cannot be sent.
    #[error("ubus: {0}: cannot be sent: {1}")]
    Unsendable(String, EncodeError),
    /// Too much waits to be sent already.
    #[error("ubus: {0}: the bus does not take what is sent")]
    Busy(String),
}

impl BusError {
    /// The status that the bus or the service answered with.
    #[must_use]
    pub fn status(&self) -> Option<u32> {
        match self {
            BusError::Status(code, _) => Some(*code),
            _ => None,
        }
    }
}

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// A message of a version other than 0.
    #[error("message version {0}")]
    Version(u8),
    /// A length below 4, the size of the length itself.
    #[error("an attribute's length is too small")]
    Short,
    /// An attribute, or its name, is longer than what holds it.
    #[error("an attribute reaches beyond what holds it")]
    Beyond,
    /// More than [`FRAME_BYTES`](crate::limits::FRAME_BYTES).
    #[error("the message is too large")]
    TooLarge,
    /// Deeper than [`DEPTH`](crate::limits::DEPTH).
    #[error("the message is nested too deeply")]
    TooDeep,
    /// More than [`VALUES`](crate::limits::VALUES).
    #[error("the message has too many values")]
    TooMany,
    /// A value that has no room for a name.
    #[error("a value has no name field")]
    NoName,
    /// Text or a name without the NUL at its end.
    #[error("text does not end with NUL")]
    NoNul,
    /// A number or boolean of another size than its type has.
    #[error("a value of type {0} has the wrong size")]
    Size(u8),
    /// A type that blobmsg does not have.
    #[error("unknown type {0}")]
    Type(u8),
    /// An attribute of a message that has not the form it must have.
    #[error("attribute {0} of the message is malformed")]
    Field(u8),
}

/// Why something cannot be put into a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// More than [`FRAME_BYTES`](crate::limits::FRAME_BYTES).
    #[error("it is larger than a message may be")]
    TooLarge,
    /// Deeper than [`DEPTH`](crate::limits::DEPTH).
    #[error("it is nested too deeply")]
    TooDeep,
    /// More than [`VALUES`](crate::limits::VALUES).
    #[error("it has too many values")]
    TooMany,
    /// A name longer than [`NAME_BYTES`](crate::limits::NAME_BYTES).
    #[error("a name is too long")]
    LongName,
    /// NUL ends text on the bus: what follows would be lost.
    #[error("text or a name holds NUL")]
    Nul,
}

//! What is told of messages, sessions and violations.

use std::{fmt, time::SystemTime};

use bytes::Bytes;
use cwmp_core::{
    event::{EventCode, EventStruct},
    rpc::Fault,
};

use crate::cpe::CpeKey;

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the CPE to the ACS.
    FromCpe,
    /// From the ACS to the CPE.
    ToCpe,
}

/// One HTTP message of a session, as an observer and a [`SessionReport`] see it.
#[derive(Clone, Debug)]
pub struct Message {
    /// Which way it went.
    pub direction: Direction,
    /// When.
    pub time: SystemTime,
    /// The CPE, once its Inform has told who it is.
    pub cpe: Option<CpeKey>,
    /// Numbers the TCP connections of this ACS from 1.
    pub connection: u64,
    /// Element in the SOAP body: `Inform`, `GetParameterValuesResponse`, `Fault`; empty for an empty message, `?` for one
    /// that could not be read, `file` for a transfer (told to observers alone, as are challenges for credentials).
    pub method: String,
    /// What it says, in one line for people.
    pub essence: String,
    /// HTTP status, of replies.
    pub status: Option<u16>,
    /// `METHOD target HTTP/1.1` and the header fields of a request as they came over the wire; empty for replies.
    pub head: Bytes,
    /// The body. Empty where [`crate::AcsOptions::keep_bodies`] is off and this stands in a [`SessionReport`].
    pub body: Bytes,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The CPE had said with an empty POST that it has no request, and the ACS answered its last POST with 204.
    Clean,
    /// Anything else: the connection broke, or the CPE began anew.
    Interrupted,
}

/// One session from the first Inform to its end.
#[derive(Clone, Debug)]
pub struct SessionReport {
    /// Which CPE.
    pub cpe: CpeKey,
    /// Events of its Inform.
    pub events: Vec<EventStruct>,
    /// RetryCount of its Inform.
    pub retry_count: u32,
    /// All messages in order, both ways; at most [`crate::limits::REPORTED_MESSAGES`].
    pub messages: Vec<Message>,
    /// Messages beyond that number.
    pub unreported: u64,
    /// How it ended.
    pub ending: Ending,
}

impl SessionReport {
    /// Whether this event stood in the Inform.
    #[must_use]
    pub fn has_event(&self, code: &EventCode) -> bool {
        self.events.iter().any(|event| event.code == *code)
    }

    /// Whether it ended cleanly.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.ending == Ending::Clean
    }

    /// Methods of the messages in one direction, in order; an empty message is an empty text.
    #[must_use]
    pub fn methods(&self, direction: Direction) -> Vec<&str> {
        let these = self.messages.iter().filter(|message| message.direction == direction);
        these.map(|message| message.method.as_str()).collect()
    }
}

/// A rule that a CPE can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// Everything to the ACS is a POST (TR-069a6 3.4).
    PostOnly,
    /// The Host header names the authority that was asked for.
    Host,
    /// One request outstanding on a connection (3.4.6).
    NoPipelining,
    /// An envelope comes with Content-Type `text/xml` (3.4.1).
    ContentType,
    /// SOAPAction is present and empty with an envelope (3.4.1).
    SoapAction,
    /// An empty POST has neither SOAPAction nor Content-Type (3.4.1).
    EmptyPostHeaders,
    /// The session cookie is returned in every request of the session (3.4.2).
    Cookie,
    /// A connection ends with its session (3.7.1.4).
    ConnectionEnds,
    /// One session at a time (3.7.1).
    OneSession,
    /// The body is a well-formed envelope of CWMP (3.5).
    Envelope,
    /// Inform comes first, and nothing else until it is accepted (3.7.1.1).
    InformFirst,
    /// Inform comes once a session.
    InformOnce,
    /// What an Inform holds (A.3.3.1).
    InformContent,
    /// A request of the ACS is answered in the very next POST (3.7.1.2).
    AnswerAtOnce,
    /// A response or fault answers a request.
    ResponseToNothing,
    /// A response carries the ID of its request, a request one of its own (3.5).
    Id,
    /// A response is that of the method that was called.
    ResponseMethod,
    /// The CPE keeps to the version agreed (3.7.4).
    Version,
    /// No requests of the CPE under HoldRequests (3.7.1.3).
    HoldRequests,
    /// No further request of the CPE after its empty POST (3.7.1.3).
    NoMoreRequests,
    /// The form of faults (3.5, A.5.1).
    FaultForm,
    /// What a response holds agrees with what was asked (A.3.2).
    ResponseContent,
    /// Digest: `nc` grows, `uri` is the target (RFC 7616).
    Digest,
    /// After 401 the request is repeated on the same connection (TR-069a6 3.4.2).
    SameConnection,
    /// A script expected something else.
    Script,
}

/// A rule broken by a CPE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which CPE, where known.
    pub cpe: Option<CpeKey>,
    /// TCP connection, as in [`Message::connection`].
    pub connection: u64,
    /// Which rule.
    pub rule: Rule,
    /// What happened.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.detail)?;
        match &self.cpe {
            Some(cpe) => write!(f, " ({cpe}, connection {})", self.connection),
            None => write!(f, " (connection {})", self.connection),
        }
    }
}

/// Why a call has no response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The CPE refused it.
    #[error("{}", fault_text(.0))]
    Fault(Fault),
    /// The session broke before the answer was in: the CPE may or may not have executed the call.
    #[error("the session broke before the answer came")]
    Interrupted,
    /// The CPE went on without an answer, or answered something else.
    #[error("the CPE did not answer: {0}")]
    NoAnswer(String),
    /// Too many calls wait already.
    #[error("{} calls are queued already", crate::limits::QUEUED_CALLS)]
    QueueFull,
    /// The ACS was stopped.
    #[error("the ACS was stopped")]
    Stopped,
    /// The connection request that should have brought the CPE failed; the call was withdrawn.
    #[error("connection request: {0}")]
    ConnectionRequest(String),
}

impl CallError {
    /// The CWMP fault code, where it is a fault with one.
    #[must_use]
    pub fn fault_code(&self) -> Option<u32> {
        match self {
            CallError::Fault(Fault { cwmp: Some(fault), .. }) => Some(fault.code.0),
            _ => None,
        }
    }
}

/// A fault in one line: code, text and the parameters at fault.
#[must_use]
pub fn fault_text(fault: &Fault) -> String {
    let Some(cwmp) = &fault.cwmp else {
        return format!("SOAP fault {}: {}", fault.faultcode, fault.faultstring);
    };
    let mut text = format!("fault {}: {}", cwmp.code, cwmp.text);
    for parameter in &cwmp.parameters {
        text.push_str(&format!("; {} {}: {}", parameter.name, parameter.code, parameter.text));
    }
    text
}

/// Nothing that fits came in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nothing that fits came within {0:?}")]
pub struct WaitError(pub std::time::Duration);

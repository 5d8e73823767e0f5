//! What goes into a session and what comes out of it.

use cwmp_core::{
    rpc::{AcsRequest, CpeRequest, CpeResponse, CwmpVersion, Envelope, Inform, ToAcs, ToCpe},
    soap,
};

use crate::report::{CallError, Rule};

/// Names a call until it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallId(pub u64);

/// What is called.
#[derive(Clone, Debug)]
pub enum Payload {
    /// A method of CWMP.
    Request(CpeRequest),
    /// An envelope as it is, however wrong.
    Raw(Vec<u8>),
}

/// A call that waits for its turn.
#[derive(Clone, Debug)]
pub struct Call {
    /// Names it.
    pub id: CallId,
    /// What to send.
    pub payload: Payload,
}

/// What a POST carried.
#[derive(Clone, Debug)]
pub enum Content {
    /// Nothing.
    Empty,
    /// An envelope.
    Envelope(Box<Envelope<ToAcs>>),
    /// An envelope with a header that must be understood and is not.
    MustUnderstand {
        /// Local name of the header.
        header: String,
        /// ID of the request.
        id: Option<String>,
        /// Version of the envelope.
        version: CwmpVersion,
    },
    /// Something else; the text says why it is none.
    Broken(String),
}

impl Content {
    /// Reads a body.
    #[must_use]
    pub fn read(body: &[u8]) -> Self {
        if body.is_empty() {
            return Self::Empty;
        }
        match soap::decode_to_acs(body) {
            Ok(envelope) => Self::Envelope(Box::new(envelope)),
            Err(soap::EnvelopeError::MustUnderstand { header, id, version }) => {
                Self::MustUnderstand { header, id, version }
            }
            Err(error) => Self::Broken(error.to_string()),
        }
    }

    /// The Inform, if it is one.
    #[must_use]
    pub fn inform(&self) -> Option<&Inform> {
        match self {
            Self::Envelope(envelope) => match &envelope.message {
                ToAcs::Request(AcsRequest::Inform(inform)) => Some(inform),
                _ => None,
            },
            _ => None,
        }
    }
}

/// One POST of the CPE.
#[derive(Clone, Debug)]
pub struct Post {
    /// Content-Type header.
    pub content_type: Option<String>,
    /// SOAPAction header.
    pub soap_action: Option<String>,
    /// The body.
    pub content: Content,
}

/// What a POST is answered with.
#[derive(Clone, Debug)]
pub enum Reply {
    /// 200 with this envelope.
    Envelope(Box<Envelope<ToCpe>>),
    /// 200 with these bytes.
    Raw(Vec<u8>),
    /// 204: nothing to say.
    Empty,
    /// 400: the session is out of step.
    Refuse(&'static str),
}

/// What comes of a POST.
#[derive(Debug)]
pub struct Outcome {
    /// What to reply.
    pub reply: Reply,
    /// Rules that the CPE broke.
    pub findings: Vec<(Rule, String)>,
    /// A call that this POST ends.
    pub answered: Option<(CallId, Result<CpeResponse, CallError>)>,
}

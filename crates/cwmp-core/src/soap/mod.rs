//! How messages look on the wire: SOAP 1.1 envelopes in the CWMP namespaces (TR-069a6 3.5).
//!
//! Reading goes by namespace, never by prefix, and forgives what real peers do: a missing Header, missing or undeclared
//! types, wrong array counts, arguments in another order. It is strict where bounds and meaning are concerned: sizes and
//! counts have limits ([`crate::limits`]), document types are refused, and of entities only the predefined ones exist.
//! A call that is sound XML but has wrong arguments is delivered as `Unusable` with its header, so that it can be answered.
//!
//! Writing is plain concatenation into a [`Sink`]; the prefixes are always `soap-env`, `soap-enc`, `xsd`, `xsi`, `cwmp`.
//!
//! References between elements (`href`, `id`) are not followed: no CWMP message has a use for them (TR-069a6 3.5).

mod device;
mod fault;
mod header;
mod inform;
pub mod listing;
mod message;
mod parameter;
mod reader;
mod software;
mod transfer;
mod wire;
mod writer;

pub use fault::{must_understand_fault, version_mismatch_fault};
pub(crate) use writer::leaf;
pub use writer::{Count, Sink};

use crate::{
    fault::{CwmpFault, FaultCode},
    limits,
    rpc::{CwmpVersion, Envelope, Fault, Header, ToAcs, ToCpe},
};

use message::Messages;
use reader::{Bounds, Reader, Space, Trouble};

/// Why bytes are no usable envelope. None of these can be answered with a CWMP fault; the session fails.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Not UTF-8.
    #[error("the envelope is not UTF-8 (byte {offset})")]
    Encoding {
        /// First byte that is wrong.
        offset: usize,
    },
    /// Not well-formed XML, or cut short.
    #[error("the envelope is not well-formed XML (byte {offset}): {why}")]
    Malformed {
        /// Where reading stopped, in bytes.
        offset: u64,
        /// The rule that is broken.
        why: String,
    },
    /// A document type declaration, which SOAP forbids and which is a means of attack.
    #[error("the envelope has a document type declaration, which SOAP forbids")]
    DocumentType,
    /// Beyond a bound of [`crate::limits`].
    #[error("the envelope has more than {limit} {what}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// The bound.
        limit: usize,
    },
    /// XML, but no SOAP envelope.
    #[error("`{found}` is no SOAP envelope")]
    NotSoap {
        /// Local name of the root element.
        found: String,
    },
    /// An Envelope of another version of SOAP; may be answered with [`version_mismatch_fault`].
    #[error("the envelope is not one of SOAP 1.1")]
    SoapVersion,
    /// No Body, or nothing in it.
    #[error("the envelope has no message in its Body")]
    NoMessage,
    /// More than one message, which MaxEnvelopes 1 and the schema exclude.
    #[error("the Body has a second message `{found}`")]
    SecondMessage {
        /// Its local name.
        found: String,
    },
    /// The message belongs to no version of CWMP that we know.
    #[error("`{found}` is in no known CWMP namespace")]
    NoCwmpNamespace {
        /// Local name of the message.
        found: String,
    },
    /// A header with mustUnderstand that we do not know; to be answered with [`must_understand_fault`].
    #[error("the header `{header}` must be understood and is not")]
    MustUnderstand {
        /// Its local name.
        header: String,
        /// The ID header, to be echoed.
        id: Option<String>,
        /// The version of the envelope, as far as it can be told.
        version: CwmpVersion,
    },
    /// An answer with wrong content, or to a method that does not exist. An answer is never answered with a fault.
    #[error("the answer `{method}Response` cannot be used: {why}")]
    Response {
        /// Name of the method.
        method: String,
        /// Which part breaks which rule.
        why: String,
    },
}

impl EnvelopeError {
    fn malformed(offset: u64, why: &str) -> Self {
        Self::Malformed { offset, why: short(why, 200) }
    }
}

/// The first characters of a text from outside.
fn short(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// Writes an envelope that a CPE sends.
#[must_use]
pub fn encode_to_acs(envelope: &Envelope<ToAcs>) -> Vec<u8> {
    encode(envelope)
}

/// Writes an envelope that an ACS sends.
#[must_use]
pub fn encode_to_cpe(envelope: &Envelope<ToCpe>) -> Vec<u8> {
    encode(envelope)
}

/// Reads an envelope that a CPE receives, within the limits of [`crate::limits`].
///
/// # Errors
/// [`EnvelopeError`] where there is nothing that could be answered. A call that cannot be taken is none:
/// it is delivered as [`ToCpe::Unusable`].
pub fn decode_to_cpe(bytes: &[u8]) -> Result<Envelope<ToCpe>, EnvelopeError> {
    decode(bytes)
}

/// Reads an envelope that an ACS receives. Its bounds are wider: it may be the answer for a whole tree.
///
/// # Errors
/// [`EnvelopeError`] where there is nothing that could be answered. A call that cannot be taken is none:
/// it is delivered as [`ToAcs::Unusable`].
pub fn decode_to_acs(bytes: &[u8]) -> Result<Envelope<ToAcs>, EnvelopeError> {
    decode(bytes)
}

/// What differs between the two directions.
trait Direction: Sized {
    type Request: Messages;
    type Response: Messages;
    const BOUNDS: Bounds;
    const UNKNOWN_METHOD: FaultCode;
    const WRONG_ARGUMENTS: FaultCode;
    const TOO_MUCH: FaultCode;

    fn request(request: Self::Request) -> Self;
    fn response(response: Self::Response) -> Self;
    fn fault(fault: Fault) -> Self;
    fn unusable(method: String, fault: CwmpFault) -> Self;
    fn write(&self, out: &mut dyn Sink);
}

macro_rules! direction {
    ($kind:ident $request:ident $response:ident { $($name:ident: $type:ty = $value:expr;)* }) => {
        impl Direction for $kind {
            type Request = crate::rpc::$request;
            type Response = crate::rpc::$response;
            $(const $name: $type = $value;)*

            fn request(request: crate::rpc::$request) -> Self {
                Self::Request(request)
            }

            fn response(response: crate::rpc::$response) -> Self {
                Self::Response(response)
            }

            fn fault(fault: Fault) -> Self {
                Self::Fault(fault)
            }

            fn unusable(method: String, fault: CwmpFault) -> Self {
                Self::Unusable { method, fault }
            }

            fn write(&self, out: &mut dyn Sink) {
                match self {
                    Self::Request(request) => request.write(out),
                    Self::Response(response) => response.write(out),
                    Self::Fault(fault) => fault::write_fault(fault, out),
                    // Nobody sends such a message; what it stands for on the wire is its fault.
                    Self::Unusable { fault, .. } => fault::write_fault(&fault.clone().into(), out),
                }
            }
        }
    };
}

direction! { ToCpe CpeRequest AcsResponse {
    BOUNDS: Bounds = Bounds {
        bytes: limits::ENVELOPE_BYTES,
        elements: limits::ENVELOPE_ELEMENTS,
        array_entries: limits::ARRAY_ENTRIES,
    };
    UNKNOWN_METHOD: FaultCode = FaultCode::METHOD_NOT_SUPPORTED;
    WRONG_ARGUMENTS: FaultCode = FaultCode::INVALID_ARGUMENTS;
    TOO_MUCH: FaultCode = FaultCode::RESOURCES_EXCEEDED;
} }

direction! { ToAcs AcsRequest CpeResponse {
    BOUNDS: Bounds = Bounds {
        bytes: limits::ACS_ENVELOPE_BYTES,
        elements: limits::ACS_ENVELOPE_ELEMENTS,
        array_entries: limits::ACS_ENVELOPE_ELEMENTS,
    };
    UNKNOWN_METHOD: FaultCode = FaultCode::ACS_METHOD_NOT_SUPPORTED;
    WRONG_ARGUMENTS: FaultCode = FaultCode::ACS_INVALID_ARGUMENTS;
    TOO_MUCH: FaultCode = FaultCode::ACS_RESOURCES_EXCEEDED;
} }

fn encode<Message: Direction>(envelope: &Envelope<Message>) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    writer::envelope_head(envelope.version, &envelope.header, &mut out);
    envelope.message.write(&mut out);
    writer::envelope_tail(&mut out);
    out
}

fn decode<Message: Direction>(bytes: &[u8]) -> Result<Envelope<Message>, EnvelopeError> {
    read_envelope(bytes).map_err(|trouble| match trouble {
        Trouble::Envelope(error) => *error,
        // Arguments are dealt with where a message is read; elsewhere there are none.
        Trouble::Argument(bad) => EnvelopeError::malformed(0, &bad.why),
    })
}

fn read_envelope<Message: Direction>(bytes: &[u8]) -> Result<Envelope<Message>, Trouble> {
    let mut reader = Reader::new(bytes, Message::BOUNDS)?;
    let opened = open_message(&mut reader)?;
    let message = match (opened.space, opened.name.as_str(), opened.name.strip_suffix("Response")) {
        (Space::Soap, ..) => Message::fault(fault::read_fault(&mut reader)?),
        (_, "Fault", _) => Message::fault(fault::read_bare_fault(&mut reader)?),
        (_, _, Some(method)) => Message::response(read_response(method, &mut reader)?),
        (_, name, None) => read_request(name, &mut reader)?,
    };
    close_message(&mut reader)?;
    Ok(Envelope { version: opened.version, header: opened.header, message })
}

fn read_response<Response: Messages>(method: &str, reader: &mut Reader<'_>) -> Result<Response, Trouble> {
    let why = match Response::read(method, reader) {
        Ok(Some(response)) => return Ok(response),
        Ok(None) => "there is no such method".to_owned(),
        Err(Trouble::Argument(bad)) => format!("{} {}", bad.path, bad.why),
        Err(error) => return Err(error),
    };
    // An envelope that is broken further down is reported as such.
    reader.finish()?;
    Err(EnvelopeError::Response { method: short(method, 64), why }.into())
}

fn read_request<Message: Direction>(name: &str, reader: &mut Reader<'_>) -> Result<Message, Trouble> {
    let depth = reader.depth();
    reader.strict_depth = Some(depth);
    let fault = match Message::Request::read(name, reader) {
        Ok(Some(request)) => return Ok(Message::request(request)),
        Ok(None) => {
            CwmpFault::new(Message::UNKNOWN_METHOD, format!("there is no method {}", short(name, 64)))
        }
        Err(Trouble::Argument(bad)) => {
            let code = if bad.too_much { Message::TOO_MUCH } else { Message::WRONG_ARGUMENTS };
            CwmpFault::new(code, format!("{} {}", bad.path, bad.why))
        }
        Err(error) => return Err(error),
    };
    reader.leave(depth)?;
    Ok(Message::unusable(short(name, 64), fault))
}

/// An envelope whose message has just been opened.
struct Opened {
    version: CwmpVersion,
    header: Header,
    /// Local name of the message.
    name: String,
    /// Its namespace: CWMP, or SOAP for a fault.
    space: Space,
}

/// Reads up to and including the start of the message.
fn open_message(reader: &mut Reader<'_>) -> Result<Opened, Trouble> {
    let root = reader.root()?;
    match (root.name(), &root.space) {
        ("Envelope", Space::Soap) => {}
        ("Envelope", _) => return Err(EnvelopeError::SoapVersion.into()),
        (other, _) => return Err(EnvelopeError::NotSoap { found: short(other, 64) }.into()),
    }
    let (mut header, mut not_understood, mut header_version) = (Header::default(), None, None);
    loop {
        let Some(tag) = reader.child()? else { return Err(EnvelopeError::NoMessage.into()) };
        match (tag.name(), &tag.space) {
            ("Header", Space::Soap) => {
                (header, not_understood, header_version) = header::read_header(reader)?
            }
            ("Body", Space::Soap) => break,
            _ => reader.skip()?,
        }
    }
    let Some(tag) = reader.child()? else { return Err(EnvelopeError::NoMessage.into()) };
    let elsewhere = header_version.or(reader.declared);
    let name = short(tag.name(), 256);
    let version = match tag.space {
        Space::Cwmp(version) => Some(version),
        // A SOAP fault need not hold anything of CWMP.
        Space::Soap if name == "Fault" => Some(elsewhere.unwrap_or(CwmpVersion::V1_0)),
        _ => None,
    };
    if let Some(unknown) = not_understood {
        let version = version.or(elsewhere).unwrap_or(CwmpVersion::V1_0);
        return Err(EnvelopeError::MustUnderstand { header: unknown, id: header.id, version }.into());
    }
    match version {
        Some(version) => Ok(Opened { version, header, name, space: tag.space }),
        None => Err(EnvelopeError::NoCwmpNamespace { found: short(&name, 64) }.into()),
    }
}

/// Reads what follows the message: no second one, and nothing that is not well-formed.
fn close_message(reader: &mut Reader<'_>) -> Result<(), Trouble> {
    if let Some(tag) = reader.child()? {
        return Err(EnvelopeError::SecondMessage { found: short(tag.name(), 64) }.into());
    }
    reader.finish()
}

//! Reading: pulls elements out of an envelope, within bounds, without building a tree.

use quick_xml::{
    events::{BytesStart, Event},
    name::{Namespace, ResolveResult},
    reader::NsReader,
};

use crate::{limits, rpc::CwmpVersion, value::ValueType};

use super::EnvelopeError;

const SOAP_ENVELOPE: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const ACTOR_NEXT: &str = "http://schemas.xmlsoap.org/soap/actor/next";
const XML_SCHEMA_INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// Why reading stops.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The envelope as a whole is unusable.
    Envelope(Box<EnvelopeError>),
    /// The envelope is sound, an argument is not.
    Argument(Box<BadArgument>),
}

/// What is wrong with an argument. Never holds the value, which may be a secret.
#[derive(Debug)]
pub(super) struct BadArgument {
    /// Where: `ParameterList[3].Name`.
    pub path: String,
    /// What rule it breaks.
    pub why: String,
    /// Whether it is sound but more than we hold.
    pub too_much: bool,
}

impl From<EnvelopeError> for Trouble {
    fn from(error: EnvelopeError) -> Self {
        Trouble::Envelope(Box::new(error))
    }
}

impl Trouble {
    /// An argument breaks a rule.
    #[cold]
    pub(super) fn argument(why: impl Into<String>) -> Self {
        Trouble::Argument(Box::new(BadArgument { path: String::new(), why: why.into(), too_much: false }))
    }

    /// An argument has more entries than we hold.
    pub(super) fn too_much(limit: usize) -> Self {
        let why = format!("more than {limit} entries");
        Trouble::Argument(Box::new(BadArgument { path: String::new(), why, too_much: true }))
    }

    /// Says where it happened, from the inside out.
    #[cold]
    pub(super) fn within(mut self, part: &str) -> Self {
        if let Trouble::Argument(bad) = &mut self {
            let dot = if bad.path.is_empty() || bad.path.starts_with('[') { "" } else { "." };
            bad.path = format!("{part}{dot}{}", bad.path);
        }
        self
    }
}

/// What an element belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Space {
    /// No namespace.
    None,
    /// The SOAP 1.1 envelope.
    Soap,
    /// CWMP.
    Cwmp(CwmpVersion),
    /// Anything else, an undeclared prefix included.
    Foreign,
}

/// The start of an element.
#[derive(Debug)]
pub(super) struct Tag<'i> {
    start: BytesStart<'i>,
    /// Namespace.
    pub space: Space,
}

impl Tag<'_> {
    /// Local name.
    pub(super) fn name(&self) -> &str {
        self.start.local_name().into_inner()
    }
}

/// What one envelope may hold at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Bytes in all.
    pub bytes: usize,
    /// Elements in all.
    pub elements: usize,
    /// Entries of one array.
    pub array_entries: usize,
}

/// What the attributes of the element opened last say.
#[derive(Debug, Default)]
struct Attributes {
    xsi_type: Option<String>,
    must_understand: bool,
    for_others: bool,
}

/// Pulls elements. "The current element" is the innermost one that is open.
pub(super) struct Reader<'i> {
    xml: NsReader<&'i [u8]>,
    depth: usize,
    elements: usize,
    attributes: Attributes,
    /// CWMP namespace declared on the root element, the last where there are several.
    pub declared: Option<CwmpVersion>,
    pub bounds: Bounds,
    /// Depth of the element whose children must all be known: that of a method whose arguments are counted.
    pub strict_depth: Option<usize>,
}

impl<'i> Reader<'i> {
    /// A reader of one envelope.
    pub(super) fn new(bytes: &'i [u8], bounds: Bounds) -> Result<Self, Trouble> {
        if bytes.len() > bounds.bytes {
            return Err(too_large("bytes", bounds.bytes));
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|error| Trouble::from(EnvelopeError::Encoding { offset: error.valid_up_to() }))?;
        let forbidden = |b: u8| b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r');
        if let Some(at) = bytes.iter().position(|b| forbidden(*b)) {
            return Err(EnvelopeError::malformed(at as u64, "a control character").into());
        }
        let mut xml = NsReader::from_str(text.strip_prefix('\u{FEFF}').unwrap_or(text));
        let config = xml.config_mut();
        config.expand_empty_elements = true;
        config.check_end_names = true;
        Ok(Self {
            xml,
            depth: 0,
            elements: 0,
            attributes: Attributes::default(),
            declared: None,
            bounds,
            strict_depth: None,
        })
    }

    /// Number of open elements.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// Local name in the `xsi:type` of the element opened last.
    pub(super) fn xsi_type(&self) -> Option<&str> {
        self.attributes.xsi_type.as_deref()
    }

    /// Value type in the `xsi:type` of the element opened last; the prefix does not matter, as some peers give one that
    /// they never declare.
    pub(super) fn value_type(&self) -> Option<ValueType> {
        self.xsi_type().and_then(ValueType::from_xsd_name)
    }

    /// Whether the sender insists that we understand the header opened last.
    pub(super) fn must_understand(&self) -> bool {
        self.attributes.must_understand && !self.attributes.for_others
    }

    /// Opens the next child of the current element; `None` closes the current element.
    #[inline(never)]
    pub(super) fn child(&mut self) -> Result<Option<Tag<'i>>, Trouble> {
        loop {
            match self.next()? {
                Event::Start(start) => return self.open(start).map(Some),
                Event::End(_) => {
                    self.depth = self.depth.saturating_sub(1);
                    return Ok(None);
                }
                Event::Eof => return Err(self.error("the document ends too early")),
                // Text between elements means nothing. References there are none the less checked.
                Event::GeneralRef(reference) => {
                    self.resolve(&reference)?;
                }
                _ => {}
            }
        }
    }

    /// The root element.
    pub(super) fn root(&mut self) -> Result<Tag<'i>, Trouble> {
        loop {
            match self.next()? {
                Event::Start(start) => return self.open(start),
                Event::Eof => return Err(self.error("there is no element")),
                other => self.outside(&other)?,
            }
        }
    }

    /// Skips what is left of the current element, its end included.
    pub(super) fn skip(&mut self) -> Result<(), Trouble> {
        self.leave(self.depth)
    }

    /// Skips all up to the end of the open element that lies at `depth`.
    pub(super) fn leave(&mut self, depth: usize) -> Result<(), Trouble> {
        while self.depth >= depth.max(1) {
            self.child()?;
        }
        Ok(())
    }

    /// Reads up to the end of the document, which must be well-formed.
    pub(super) fn finish(&mut self) -> Result<(), Trouble> {
        self.leave(1)?;
        loop {
            match self.next()? {
                Event::Eof => return Ok(()),
                other => self.outside(&other)?,
            }
        }
    }

    /// The text of the current element, verbatim, its end consumed. Elements inside it make it a bad argument.
    #[inline(never)]
    pub(super) fn text(&mut self) -> Result<String, Trouble> {
        let mut text = String::new();
        let mut nested = false;
        loop {
            match self.next()? {
                Event::Text(piece) => text.push_str(&piece.xml10_content()),
                Event::CData(piece) => text.push_str(&piece.xml10_content()),
                Event::GeneralRef(reference) => text.push(self.resolve(&reference)?),
                Event::Start(start) => {
                    self.open(start)?;
                    self.skip()?;
                    nested = true;
                }
                Event::End(_) => {
                    self.depth = self.depth.saturating_sub(1);
                    break;
                }
                Event::Eof => return Err(self.error("the document ends too early")),
                _ => {}
            }
            if text.len() > limits::ELEMENT_TEXT {
                return Err(too_large("bytes in one element", limits::ELEMENT_TEXT));
            }
        }
        if nested { Err(Trouble::argument("holds elements in place of a value")) } else { Ok(text) }
    }

    fn next(&mut self) -> Result<Event<'i>, Trouble> {
        match self.xml.read_event() {
            Ok(Event::DocType(_)) => Err(EnvelopeError::DocumentType.into()),
            Ok(event) => Ok(event),
            Err(error) => Err(self.error(&error.to_string())),
        }
    }

    fn open(&mut self, start: BytesStart<'i>) -> Result<Tag<'i>, Trouble> {
        self.depth += 1;
        if self.depth > limits::ENVELOPE_DEPTH {
            return Err(too_large("levels of elements", limits::ENVELOPE_DEPTH));
        }
        self.elements += 1;
        if self.elements > self.bounds.elements {
            return Err(too_large("elements", self.bounds.elements));
        }
        let name = start.name().into_inner();
        if name.matches(':').count() > 1 || name.starts_with(':') || name.ends_with(':') {
            return Err(self.error("an element name with misplaced colons"));
        }
        self.attributes = self.read_attributes(&start)?;
        let space = match self.xml.resolver().resolve_element(start.name()).0 {
            ResolveResult::Unbound => Space::None,
            ResolveResult::Bound(Namespace(SOAP_ENVELOPE)) => Space::Soap,
            ResolveResult::Bound(Namespace(uri)) => {
                CwmpVersion::from_namespace(uri).map_or(Space::Foreign, Space::Cwmp)
            }
            ResolveResult::Unknown(_) => Space::Foreign,
        };
        Ok(Tag { start, space })
    }

    fn read_attributes(&mut self, start: &BytesStart<'i>) -> Result<Attributes, Trouble> {
        let mut found = Attributes::default();
        for (count, attribute) in start.attributes().enumerate() {
            let attribute = attribute.map_err(|error| self.error(&error.to_string()))?;
            if count >= limits::ELEMENT_ATTRIBUTES {
                return Err(too_large("attributes", limits::ELEMENT_ATTRIBUTES));
            }
            if attribute.value.contains('<') {
                return Err(self.error("`<` in an attribute"));
            }
            if attribute.key.as_namespace_binding().is_some() {
                if self.depth == 1 {
                    self.declared = CwmpVersion::from_namespace(&attribute.value).or(self.declared);
                }
                continue;
            }
            let (space, name) = self.xml.resolver().resolve_attribute(attribute.key);
            let name = name.into_inner();
            let value = || {
                attribute
                    .normalized_value(quick_xml::XmlVersion::Implicit1_0)
                    .map_err(|error| self.error(&error.to_string()))
            };
            match space {
                ResolveResult::Bound(Namespace(SOAP_ENVELOPE)) if name == "mustUnderstand" => {
                    found.must_understand = boolean(value()?.trim()) == Some(true);
                }
                ResolveResult::Bound(Namespace(SOAP_ENVELOPE)) if name == "actor" => {
                    found.for_others = !matches!(value()?.trim(), "" | ACTOR_NEXT);
                }
                ResolveResult::Bound(Namespace(XML_SCHEMA_INSTANCE)) if name == "type" => {
                    found.xsi_type = Some(local(&value()?));
                }
                // Some write `xsi:type` and forget to declare `xsi`.
                ResolveResult::Unknown(prefix) if prefix == "xsi" && name == "type" => {
                    found.xsi_type = Some(local(&value()?));
                }
                _ => {
                    value()?;
                }
            }
        }
        Ok(found)
    }

    /// One of the five predefined entities, or a character that XML allows.
    fn resolve(&self, reference: &quick_xml::events::BytesRef<'_>) -> Result<char, Trouble> {
        let character = match &**reference {
            "lt" => Some('<'),
            "gt" => Some('>'),
            "amp" => Some('&'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            _ => reference.resolve_char_ref().ok().flatten(),
        };
        let allowed = |c: &char| !matches!(c, '\0'..='\x08' | '\x0B' | '\x0C' | '\x0E'..='\x1F' | '\u{FFFE}' | '\u{FFFF}');
        character.filter(allowed).ok_or_else(|| self.error("an entity that XML does not define"))
    }

    /// What may stand before and after the root element.
    fn outside(&self, event: &Event<'i>) -> Result<(), Trouble> {
        match event {
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => Ok(()),
            Event::Text(text) if text.trim().is_empty() => Ok(()),
            _ => Err(self.error("content outside the root element")),
        }
    }

    #[cold]
    fn error(&self, why: &str) -> Trouble {
        EnvelopeError::malformed(self.xml.buffer_position(), why).into()
    }
}

/// Beyond a bound.
#[cold]
pub(super) fn too_large(what: &'static str, limit: usize) -> Trouble {
    EnvelopeError::TooLarge { what, limit }.into()
}

/// `xsd:string` -> `string`.
fn local(qualified: &str) -> String {
    let name = qualified.trim();
    name.rsplit_once(':').map_or(name, |(_, local)| local).to_owned()
}

/// An `xsd:boolean`, blanks removed.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "0" | "false" => Some(false),
        "1" | "true" => Some(true),
        _ => None,
    }
}

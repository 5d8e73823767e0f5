//! A stanza as a small tree, in the namespaces that its stream declares.

use quick_xml::{
    XmlVersion,
    events::{BytesStart, Event},
    name::{Namespace, ResolveResult},
    reader::NsReader,
};

use crate::limits::XMPP_DEPTH;

/// An element. Its size is that of a stanza at most.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    /// Empty for none.
    pub(crate) namespace: String,
    pub(crate) name: String,
    attributes: Vec<(String, String)>,
    /// All text in it, not that of its children.
    pub(crate) text: String,
    pub(crate) children: Vec<Element>,
}

impl Element {
    /// Reads a stanza of the stream with this opening tag.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(crate) fn read(header: &str, stanza: &str) -> Result<Self, String> {
        let text = format!("{header}{stanza}");
        let mut xml = NsReader::from_str(&text);
        let mut open: Vec<Element> = Vec::new();
        let mut stream = false;
        loop {
            let (namespace, event) = xml.read_resolved_event().map_err(|error| error.to_string())?;
            let done = match event {
                // The stream's own tag.
                Event::Start(_) if !stream => {
                    stream = true;
                    None
                }
                Event::Start(start) if open.len() < XMPP_DEPTH => {
                    open.push(begin(namespace, &start)?);
                    None
                }
                Event::Empty(start) if stream => Some(begin(namespace, &start)?),
                Event::End(_) => Some(open.pop().ok_or("the stream ends in a stanza")?),
                Event::Text(text) => {
                    if let Some(element) = open.last_mut() {
                        element.text.push_str(&text.xml10_content());
                    }
                    None
                }
                Event::GeneralRef(reference) => {
                    let character = match predefined(&reference) {
                        Some(character) => Some(character),
                        None => reference.resolve_char_ref().ok().flatten(),
                    };
                    let character = character.ok_or("an entity that XMPP does not have")?;
                    if let Some(element) = open.last_mut() {
                        element.text.push(character);
                    }
                    None
                }
                _ => return Err("the stanza is no stanza".to_owned()),
            };
            let Some(done) = done else { continue };
            match open.last_mut() {
                Some(parent) => parent.children.push(done),
                None => return Ok(done),
            }
        }
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn is(&self, namespace: &str, name: &str) -> bool {
        self.namespace == namespace && self.name == name
    }

    pub(crate) fn child(&self, namespace: &str, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.is(namespace, name))
    }

    /// The name of the first child in a namespace other than this one: what an error is.
    pub(crate) fn condition(&self, namespace: &str) -> Option<&str> {
        self.children.iter().find(|child| child.namespace == namespace).map(|child| child.name.as_str())
    }
}

fn begin(namespace: ResolveResult<'_>, start: &BytesStart<'_>) -> Result<Element, String> {
    let namespace = match namespace {
        ResolveResult::Bound(Namespace(name)) => name.to_owned(),
        ResolveResult::Unbound => String::new(),
        ResolveResult::Unknown(_) => return Err("a prefix that nobody has declared".to_owned()),
    };
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| error.to_string())?;
        attributes.push((attribute.key.into_inner().to_owned(), value.into_owned()));
    }
    let name = start.local_name().into_inner().to_owned();
    Ok(Element { namespace, name, attributes, ..Element::default() })
}

fn predefined(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => return None,
    })
}

/// Text as it stands in XML, between tags or in an attribute.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            // XML has no such characters; nothing that we send may have them.
            control if control < ' ' && !matches!(control, '\t' | '\n' | '\r') => {}
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "<s:stream xmlns='jabber:client' xmlns:s='http://etherx.jabber.org/streams'>";

    #[test]
    fn namespaces_are_those_of_the_stream_and_text_is_unescaped() {
        let stanza = "<iq id='a&amp;b' type=\"get\"><q xmlns='x:y'>1 &lt;&#50;<s:z/>3</q></iq>";
        let iq = Element::read(HEADER, stanza).unwrap();
        assert!(iq.is("jabber:client", "iq"));
        assert_eq!(
            (iq.attribute("id"), iq.attribute("type"), iq.attribute("to")),
            (Some("a&b"), Some("get"), None)
        );
        let q = iq.child("x:y", "q").unwrap();
        assert_eq!(q.text, "1 <23");
        assert!(q.child("http://etherx.jabber.org/streams", "z").is_some());
        assert_eq!(iq.condition("x:y"), Some("q"));
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        for stanza in [
            "<iq",
            "<iq>",
            "<iq></qi>",
            "<p:iq/>",
            "<iq>&bomb;</iq>",
            "<iq a=b/>",
            "<iq a='1' a='2'/>",
            "x",
            "",
        ] {
            assert!(Element::read(HEADER, stanza).is_err(), "{stanza}");
        }
    }

    #[test]
    fn what_is_escaped_reads_back() {
        let text = "a<b>&\"c' \u{e9}";
        let read = Element::read(HEADER, &format!("<a b='{0}'>{0}</a>", escape(text))).unwrap();
        assert_eq!((read.attribute("b"), &*read.text), (Some(text), text));
        assert_eq!(escape("a\u{0}b"), "ab");
    }
}

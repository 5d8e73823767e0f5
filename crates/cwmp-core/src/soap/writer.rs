//! Writing: sinks, escaping, and the frame of an envelope.

use crate::rpc::{CwmpVersion, Header};

use super::header::write_header;

/// Where encoded text goes. The same encoders fill a buffer, count bytes, or feed a stream in chunks.
pub trait Sink {
    /// Takes the next piece of the message.
    fn push(&mut self, text: &str);
}

impl Sink for Vec<u8> {
    fn push(&mut self, text: &str) {
        self.extend_from_slice(text.as_bytes());
    }
}

/// A [`Sink`] that keeps nothing but the number of bytes, for Content-Length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count(pub u64);

impl Sink for Count {
    fn push(&mut self, text: &str) {
        self.0 = self.0.saturating_add(text.len() as u64);
    }
}

/// Bytes that cannot go out as they are. 0xEF may begin U+FFFE or U+FFFF, which XML 1.0 forbids.
#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler, which checks it")]
const SPECIAL: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = byte != 0x09 && byte != 0x0A;
        byte += 1;
    }
    table[b'&' as usize] = true;
    table[b'<' as usize] = true;
    table[b'>' as usize] = true;
    table[b'"' as usize] = true;
    table[b'\'' as usize] = true;
    table[0xEF] = true;
    table
};

/// Writes character data: `& < > " '` become entities and CR a character reference, so that values survive the line end
/// rules of XML. Characters that XML 1.0 forbids in any form (most of the control characters, U+FFFE, U+FFFF) become
/// U+FFFD: one odd byte in a value must not make the whole message unreadable for the ACS.
#[inline(never)]
pub(super) fn escape(text: &str, out: &mut dyn Sink) {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(is_special) {
        let (plain, tail) = rest.split_at_checked(at).unwrap_or((rest, ""));
        if !plain.is_empty() {
            out.push(plain);
        }
        let mut chars = tail.chars();
        let Some(c) = chars.next() else { return };
        rest = chars.as_str();
        match c {
            '&' => out.push("&amp;"),
            '<' => out.push("&lt;"),
            '>' => out.push("&gt;"),
            '"' => out.push("&quot;"),
            '\'' => out.push("&apos;"),
            '\r' => out.push("&#13;"),
            '\0'..='\x1F' | '\u{FFFE}' | '\u{FFFF}' => out.push("\u{FFFD}"),
            other => out.push(other.encode_utf8(&mut [0; 4])),
        }
    }
    if !rest.is_empty() {
        out.push(rest);
    }
}

fn is_special(byte: u8) -> bool {
    SPECIAL.get(usize::from(byte)).copied().unwrap_or(true)
}

/// `<name>`. Not inlined, as its neighbours: there are hundreds of calls.
#[inline(never)]
pub(super) fn open(name: &str, out: &mut dyn Sink) {
    out.push("<");
    out.push(name);
    out.push(">");
}

/// `</name>`
#[inline(never)]
pub(super) fn close(name: &str, out: &mut dyn Sink) {
    out.push("</");
    out.push(name);
    out.push(">");
}

/// `<name>text</name>`
#[inline(never)]
pub(crate) fn leaf(name: &str, text: &str, out: &mut dyn Sink) {
    open(name, out);
    escape(text, out);
    close(name, out);
}

/// `<name soap-enc:arrayType="item[count]">`
#[inline(never)]
pub(super) fn open_array(name: &str, item_type: &str, count: usize, out: &mut dyn Sink) {
    out.push("<");
    out.push(name);
    out.push(" soap-enc:arrayType=\"");
    out.push(item_type);
    out.push("[");
    out.push(&count.to_string());
    out.push("]\">");
}

/// Everything before the message.
pub(super) fn envelope_head(version: CwmpVersion, header: &Header, out: &mut dyn Sink) {
    out.push(concat!(
        r#"<?xml version="1.0" encoding="UTF-8"?>"#,
        "\n",
        r#"<soap-env:Envelope xmlns:soap-env="http://schemas.xmlsoap.org/soap/envelope/""#,
        r#" xmlns:soap-enc="http://schemas.xmlsoap.org/soap/encoding/""#,
        r#" xmlns:xsd="http://www.w3.org/2001/XMLSchema""#,
        r#" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:cwmp=""#,
    ));
    out.push(version.namespace());
    out.push("\">");
    write_header(version, header, out);
    out.push("<soap-env:Body>");
}

/// Everything after the message.
pub(super) fn envelope_tail(out: &mut dyn Sink) {
    out.push("</soap-env:Body></soap-env:Envelope>");
}

//! Where a stream is cut: the opening tag of the stream, whole stanzas, the end (RFC 6120 4).
//!
//! Bounded: a stanza that grows beyond [`XMPP_STANZA_BYTES`], or is nested too deeply, ends the stream. What XMPP does not
//! have (RFC 6120 11.1: comments, processing instructions, document types and so on) ends it as well.

use crate::limits::{XMPP_DEPTH, XMPP_STANZA_BYTES};

/// A piece of the stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// The opening tag of the stream, as it came.
    Header(String),
    /// A whole element below it, as it came.
    Stanza(String),
    /// The closing tag of the stream.
    End,
}

/// Cuts what comes, however it is divided.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    bytes: Vec<u8>,
    /// How much of them was looked at.
    seen: usize,
    state: State,
    /// Open elements, that of the stream included.
    depth: usize,
    /// Where the tag begins that is being read.
    tag: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    Tag,
    Quoted(u8),
}

impl Frames {
    /// Takes what has come.
    ///
    /// # Errors
    /// It is more than a stanza may have.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), String> {
        if self.bytes.len() + bytes.len() > 2 * XMPP_STANZA_BYTES {
            return Err("the server sends more than is read".to_owned());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// Whether anything has come that is no part of a frame yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The next frame, once it is there.
    ///
    /// # Errors
    /// What has come is no stream of XMPP, or goes beyond a limit.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, String> {
        while let Some(byte) = self.bytes.get(self.seen).copied() {
            self.seen += 1;
            match (self.state, byte) {
                (State::Text, b'<') => {
                    self.tag = self.seen - 1;
                    self.state = State::Tag;
                }
                (State::Text, _) if self.depth <= 1 => {
                    if !byte.is_ascii_whitespace() {
                        return Err("the server sends text between stanzas".to_owned());
                    }
                    // Whitespace keeps connections alive; it is no part of anything.
                    self.forget(self.seen);
                }
                (State::Tag, b'"' | b'\'') => self.state = State::Quoted(byte),
                (State::Quoted(quote), byte) if byte == quote => self.state = State::Tag,
                (State::Tag, b'!') if self.seen == self.tag + 2 => {
                    return Err("the server sends what XMPP does not have".to_owned());
                }
                (State::Tag, b'<') => return Err("the server sends a tag inside a tag".to_owned()),
                (State::Tag, b'>') => {
                    self.state = State::Text;
                    if let Some(frame) = self.tag_ends()? {
                        return Ok(Some(frame));
                    }
                }
                _ => {}
            }
            if self.seen > XMPP_STANZA_BYTES {
                return Err(format!("the server sends a stanza of more than {XMPP_STANZA_BYTES} bytes"));
            }
        }
        Ok(None)
    }

    /// A tag has come whole.
    fn tag_ends(&mut self) -> Result<Option<Frame>, String> {
        let tag = self.bytes.get(self.tag..self.seen).unwrap_or_default();
        let closes = tag.starts_with(b"</");
        let is_empty = tag.ends_with(b"/>");
        let declares = tag.starts_with(b"<?");
        match tag.get(1) {
            Some(b'?') if self.depth > 0 || !tag.starts_with(b"<?xml ") => {
                return Err("the server sends a processing instruction".to_owned());
            }
            _ => {}
        }
        if declares {
            self.forget(self.seen);
            return Ok(None);
        }
        if closes {
            self.depth = self.depth.checked_sub(1).ok_or("the server closes what is not open")?;
            return Ok(match self.depth {
                0 => {
                    self.forget(self.seen);
                    Some(Frame::End)
                }
                1 => Some(Frame::Stanza(self.cut()?)),
                _ => None,
            });
        }
        if self.depth == 0 {
            if is_empty {
                return Err("the server ends the stream at once".to_owned());
            }
            self.depth = 1;
            return Ok(Some(Frame::Header(self.cut()?)));
        }
        if is_empty {
            return Ok(if self.depth == 1 { Some(Frame::Stanza(self.cut()?)) } else { None });
        }
        self.depth += 1;
        if self.depth > XMPP_DEPTH {
            return Err("the server nests elements too deeply".to_owned());
        }
        Ok(None)
    }

    /// Takes out what was looked at.
    fn cut(&mut self) -> Result<String, String> {
        let rest = self.bytes.split_off(self.seen);
        let frame = std::mem::replace(&mut self.bytes, rest);
        self.seen = 0;
        String::from_utf8(frame).map_err(|_| "the server sends something other than UTF-8".to_owned())
    }

    fn forget(&mut self, bytes: usize) {
        self.bytes.drain(..bytes);
        self.seen = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
        xmlns:stream='http://etherx.jabber.org/streams' id='a>b'>\n <iq type='get' id='/>'><a><b/></a></iq> \
        <message/><presence>x &lt; y</presence></stream:stream>";

    fn all(frames: &mut Frames) -> Result<Vec<Frame>, String> {
        let mut found = Vec::new();
        while let Some(frame) = frames.next()? {
            found.push(frame);
        }
        Ok(found)
    }

    #[test]
    fn a_stream_is_cut_the_same_however_it_is_divided() {
        let mut frames = Frames::default();
        frames.push(STREAM.as_bytes()).unwrap();
        let whole = all(&mut frames).unwrap();
        assert_eq!(whole.len(), 5, "{whole:?}");
        assert!(matches!(&whole[0], Frame::Header(text) if text.ends_with("id='a>b'>")), "{whole:?}");
        assert_eq!(whole[1], Frame::Stanza("<iq type='get' id='/>'><a><b/></a></iq>".into()));
        assert_eq!(whole[2], Frame::Stanza("<message/>".into()));
        assert_eq!(whole[4], Frame::End);
        assert!(frames.is_empty());
        let mut frames = Frames::default();
        let mut found = Vec::new();
        for byte in STREAM.bytes() {
            frames.push(&[byte]).unwrap();
            found.extend(all(&mut frames).unwrap());
        }
        assert_eq!(found, whole);
    }

    #[test]
    fn what_is_no_stream_of_xmpp_ends_it() {
        let header = "<s:s xmlns:s='x'>";
        let deep = "<a>".repeat(XMPP_DEPTH);
        let long = format!("<a>{}", "x".repeat(XMPP_STANZA_BYTES));
        let cases = [
            ("</s:s>", "closes what is not open"),
            ("<s/>", "ends the stream at once"),
            ("HTTP/1.1 400 Bad Request", "text between stanzas"),
            (&*format!("{header}x"), "text between stanzas"),
            (&*format!("{header}<!DOCTYPE a [<!ENTITY b 'c'>]>"), "what XMPP does not have"),
            (&*format!("{header}<!-- a -->"), "what XMPP does not have"),
            (&*format!("{header}<a><![CDATA[b]]></a>"), "what XMPP does not have"),
            (&*format!("{header}<?a b?>"), "a processing instruction"),
            (&*format!("{header}<a<b>"), "a tag inside a tag"),
            (&*format!("{header}{deep}"), "too deeply"),
            (&*format!("{header}{long}"), "more than"),
        ];
        for (text, reason) in cases {
            let mut frames = Frames::default();
            let error = frames.push(text.as_bytes()).and_then(|()| all(&mut frames)).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
        let mut frames = Frames::default();
        assert!(frames.push(&vec![b' '; 2 * XMPP_STANZA_BYTES + 1]).is_err());
    }
}

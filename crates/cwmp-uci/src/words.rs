//! The text of a file, line by line and word by word, with libuci's rules of quoting:
//!
//! * `'…'` is literal and may go over several lines;
//! * `"…"` likewise, but a backslash drops itself and keeps what follows, or joins the lines when that is the line's end;
//! * without quotes a backslash does the same, a blank ends the word, and `#` the line;
//! * pieces that touch are one word;
//! * `;` ends a word and a command. Where it touches a word without quotes, libuci loses the rest of the line; so it is
//!   lost here.

/// What is wrong, as a text for a person.
pub(crate) type Reason = &'static str;

/// The reader of a file's words.
pub(crate) struct Words<'a> {
    /// Lines that have not been read.
    rest: &'a [u8],
    /// The line at hand, with those that a quote or a backslash has joined to it.
    line: Vec<u8>,
    at: usize,
    number: usize,
}

impl<'a> Words<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self { rest: text, line: Vec::new(), at: 0, number: 0 }
    }

    /// The number of the line that was read last, from 1.
    pub(crate) fn number(&self) -> usize {
        self.number.max(1)
    }

    /// Goes to the next line. `false` at the end of the file.
    pub(crate) fn next_line(&mut self) -> bool {
        self.at = 0;
        let more = self.join();
        self.skip_blanks();
        more
    }

    /// The next command of the line: what is before a blank, with nothing of the above. `None` where there is none or a
    /// comment.
    pub(crate) fn command(&mut self) -> Result<Option<Vec<u8>>, Reason> {
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
        let ahead = self.line.get(self.at..).unwrap_or_default();
        let start = ahead.iter().take_while(|byte| blank(byte)).count();
        let word: Vec<u8> = ahead.iter().skip(start).take_while(|byte| !blank(byte)).copied().collect();
        if word.is_empty() || word.starts_with(b"#") {
            return Ok(None);
        }
        self.at += start + word.len();
        if self.peek().is_none() {
            // A line break is no blank here: it belongs to the word, and no command has one.
            let bare = word.trim_ascii_end();
            let known =
                [&b"config"[..], b"option", b"list", b"package", b"c", b"o", b"l", b"p"].contains(&bare);
            return Err(if known { "something is missing after the command" } else { UNKNOWN });
        }
        self.at += 1;
        Ok(Some(word))
    }

    /// The next word of the command; empty at its end.
    pub(crate) fn word(&mut self) -> Result<Vec<u8>, Reason> {
        self.skip_blanks();
        if self.peek() == Some(b';') {
            self.at += 1;
            return Ok(Vec::new());
        }
        let (mut word, mut bare) = (Vec::new(), true);
        while let Some(byte) = self.peek() {
            bare &= !matches!(byte, b'\'' | b'"' | b'\\');
            match byte {
                b'\'' => self.single(&mut word)?,
                b'"' => self.double(&mut word)?,
                b'\\' => self.escaped(&mut word),
                b'#' => self.cut(),
                b';' => {
                    if bare {
                        self.cut();
                    }
                    return Ok(word);
                }
                _ => self.take(&mut word),
            }
            if self.peek().is_some_and(is_blank) {
                self.at += 1;
                break;
            }
        }
        Ok(word)
    }

    fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    fn take(&mut self, word: &mut Vec<u8>) {
        word.extend(self.peek());
        self.at += 1;
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(is_blank) {
            self.at += 1;
        }
    }

    /// The rest of the line does not count.
    fn cut(&mut self) {
        self.line.truncate(self.at);
    }

    /// Puts the next line in the place of what is left of this one. `false` at the end of the file.
    fn join(&mut self) -> bool {
        self.cut();
        let end = self.rest.iter().position(|byte| *byte == b'\n').map_or(self.rest.len(), |at| at + 1);
        let (line, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, &[]));
        self.line.extend_from_slice(line);
        self.rest = rest;
        self.number += usize::from(end > 0);
        end > 0
    }

    fn single(&mut self, word: &mut Vec<u8>) -> Result<(), Reason> {
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'\'') => break,
                Some(_) => self.take(word),
                None if self.join() => {}
                None => return Err("the file ends within '…'"),
            }
        }
        self.at += 1;
        Ok(())
    }

    fn double(&mut self, word: &mut Vec<u8>) -> Result<(), Reason> {
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.escaped(word),
                Some(_) => self.take(word),
                None if self.join() => {}
                None => return Err("the file ends within \"…\""),
            }
        }
        self.at += 1;
        Ok(())
    }

    /// A backslash and what follows it.
    fn escaped(&mut self, word: &mut Vec<u8>) {
        self.at += 1;
        match self.line.get(self.at..).unwrap_or_default() {
            b"" | b"\n" | b"\r\n" => {
                self.join();
            }
            // A line break that is not the end of what has been read does not occur: lines are joined at their end.
            _ => self.take(word),
        }
    }
}

/// The command is none that libuci knows.
pub(crate) const UNKNOWN: Reason = "neither package, config, option nor list";

/// Blanks as C's isspace has them.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

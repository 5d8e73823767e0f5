//! Scheme names and parameters of authentication headers (RFC 9110 11.2), read leniently.

use std::{iter::Peekable, str::Chars};

use super::{CHALLENGES, HEADER_BYTES, PARAMETERS};

/// A scheme and its parameters.
pub(super) struct Fields {
    /// As written.
    pub(super) scheme: String,
    parameters: Vec<(String, String)>,
}

impl Fields {
    /// The first parameter of that name, in any case.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        Some(value)
    }
}

/// Splits a header value: a word with `=` behind it is a parameter, any other word begins a scheme. Parameters may be
/// separated by commas, blanks or both. A token68 (as in `Negotiate`) ends up as a scheme or parameter that nobody knows.
pub(super) fn parse(header_value: &str) -> Vec<Fields> {
    let mut all: Vec<Fields> = Vec::new();
    if header_value.len() > HEADER_BYTES {
        return all;
    }
    let mut chars = header_value.chars().peekable();
    loop {
        skip(&mut chars, |c| is_blank(c) || c == ',');
        if chars.peek().is_none() {
            return all;
        }
        let word = take(&mut chars, |c| !is_blank(c) && !matches!(c, ',' | '=' | '"'));
        skip(&mut chars, is_blank);
        let has_value = chars.next_if_eq(&'=').is_some();
        if word.is_empty() {
            // A value without a name, or a stray quotation mark: read over it.
            value(&mut chars);
        } else if has_value {
            skip(&mut chars, is_blank);
            let value = value(&mut chars);
            if let Some(fields) = all.last_mut().filter(|fields| fields.parameters.len() < PARAMETERS) {
                fields.parameters.push((word, value));
            }
        } else if ["auth", "auth-int"].iter().any(|option| word.eq_ignore_ascii_case(option)) {
            // `qop=auth-int,auth` without quotation marks.
            let open = all.last_mut().and_then(|fields| fields.parameters.last_mut());
            if let Some((_, options)) = open.filter(|(name, _)| name.eq_ignore_ascii_case("qop")) {
                options.push(',');
                options.push_str(&word);
            }
        } else if all.len() < CHALLENGES {
            all.push(Fields { scheme: word, parameters: Vec::new() });
        } else {
            return all;
        }
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn skip(chars: &mut Peekable<Chars<'_>>, wanted: impl Fn(char) -> bool) {
    while chars.next_if(|c| wanted(*c)).is_some() {}
}

fn take(chars: &mut Peekable<Chars<'_>>, wanted: impl Fn(char) -> bool) -> String {
    let mut text = String::new();
    while let Some(c) = chars.next_if(|c| wanted(*c)) {
        text.push(c);
    }
    text
}

/// A quoted-string without its marks and escapes (up to the end where the last mark is missing), or a bare value.
fn value(chars: &mut Peekable<Chars<'_>>) -> String {
    if chars.next_if_eq(&'"').is_none() {
        return take(chars, |c| !is_blank(c) && c != ',');
    }
    let mut text = String::new();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => text.extend(chars.next()),
            _ => text.push(c),
        }
    }
    text
}

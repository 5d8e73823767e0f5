//! The text of a package's file, as libuci writes it: so that a later commit of somebody else changes what it means to change.

use crate::package::{Package, Section, Value};

impl Package {
    /// The text of the file, byte for byte that of libuci's commit: an empty line, and one after each section. Comments
    /// are not kept; libuci keeps none.
    #[must_use]
    pub fn export(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for section in &self.sections {
            export(section, &mut out);
        }
        out.push(b'\n');
        out
    }
}

fn export(section: &Section, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\nconfig ");
    // libuci writes types bare and then misreads those with characters that mean something.
    if section.kind.bytes().any(|byte| matches!(byte, b'\'' | b'"' | b'\\' | b'#' | b';')) {
        quoted(section.kind.as_bytes(), out);
    } else {
        out.extend_from_slice(section.kind.as_bytes());
    }
    if !section.anonymous {
        out.push(b' ');
        quoted(section.name.as_bytes(), out);
    }
    out.push(b'\n');
    for option in &section.options {
        let command = match option.value {
            Value::One(_) => "\toption ",
            Value::List(_) => "\tlist ",
        };
        for text in option.texts() {
            out.extend_from_slice(command.as_bytes());
            out.extend_from_slice(option.name.as_bytes());
            out.push(b' ');
            quoted(text.bytes(), out);
            out.push(b'\n');
        }
    }
}

/// `'…'`, in which nothing but the quote itself means anything.
fn quoted(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'\'');
    for byte in text {
        match byte {
            b'\'' => out.extend_from_slice(br"'\''"),
            _ => out.push(*byte),
        }
    }
    out.push(b'\'');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_that_of_libuci() {
        let text = "config interface lan\n option proto static\n list dns '1.1.1.1'\n list dns \"it's\"\n\nconfig rule\n";
        let written = "\nconfig interface 'lan'\n\toption proto 'static'\n\tlist dns '1.1.1.1'\n\
                       \tlist dns 'it'\\''s'\n\nconfig rule\n\n";
        let package = Package::parse("network", text.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(package.export()).unwrap(), written);
        assert_eq!(Package::new("empty").export(), b"\n");
    }

    #[test]
    fn a_type_that_needs_quotes_has_them() {
        let text = "\nconfig 'a#b;\"c' 'x'\n\n".as_bytes();
        let package = Package::parse("network", text).unwrap();
        assert_eq!(package.section("x").unwrap().kind(), "a#b;\"c");
        assert_eq!(package.export(), text);
    }
}

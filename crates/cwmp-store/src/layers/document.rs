//! One INI file in memory: how it is read and written.

use ini::{EscapePolicy, Ini, WriteOption};

use super::{limits, user::Sections};

/// First line of what the agent writes.
const HEADER: &str =
    "; Written by cwmpd, which drops comments. Values in double quotes may hold \\\" \\\\ and \\xHHHH.\n";

/// Reads a file. Returns the keys that occur twice as well: the last of them counts.
///
/// # Errors
/// Says what is wrong; never quotes the file, for it holds passwords.
pub(super) fn parse(bytes: &[u8]) -> Result<(Sections, Vec<(String, String)>), String> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes.iter().take(error.valid_up_to()).filter(|byte| **byte == b'\n').count() + 1;
        format!("line {line} is not UTF-8")
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let ini = Ini::load_from_str(text).map_err(|error| parse_error(text, error.line))?;
    let mut document = Sections::new();
    let mut repeated = Vec::new();
    for (name, properties) in &ini {
        let name = name.unwrap_or_default();
        if !name.is_empty() {
            check_name(name).map_err(|reason| format!("a section name {reason}"))?;
        }
        // A file without anything before the first header has no general section.
        if name.is_empty() && properties.is_empty() {
            continue;
        }
        let section = document.entry(name.to_owned()).or_default();
        for (key, value) in properties.iter() {
            // A line without `=` runs into the next one and makes a key with a line break.
            check_name(key)
                .map_err(|reason| format!("in section [{name}] a key {reason}; is a `=` missing?"))?;
            if section.insert(key.to_owned(), value.to_owned()).is_some() {
                repeated.push((name.to_owned(), key.to_owned()));
            }
        }
    }
    Ok((document, repeated))
}

/// The file's content, from which [`parse`] makes the same sections.
pub(super) fn write(sections: &Sections) -> Vec<u8> {
    let mut ini = Ini::new();
    for (name, section) in sections {
        let name = (!name.is_empty()).then(|| escape_name(name));
        let properties = ini.entry(name).or_insert(ini::Properties::new());
        for (key, value) in section {
            properties.insert(escape_name(key), quote(value));
        }
    }
    let mut content = HEADER.as_bytes().to_vec();
    // rust-ini's own policies write sequences that its parser reads as something else (\f, \v, \x1f431), and none of
    // them saves quotes or blanks at the ends. So everything is escaped here and the writer adds nothing.
    let options = WriteOption { escape_policy: EscapePolicy::Nothing, ..WriteOption::default() };
    // Writing to a Vec does not fail.
    let _ = ini.write_to_opt(&mut content, options);
    content
}

/// The parser's own text may quote the file, so only its line is used.
fn parse_error(text: &str, line: usize) -> String {
    let last = text.lines().count().max(1);
    if line >= last {
        format!("line {last}: a `=`, a `]` or a closing quote is missing here or above")
    } else {
        format!("line {line}: no section header, no comment and no `key = value`")
    }
}

/// What may name a section or a key.
///
/// # Errors
/// The rule that it breaks, to follow "a key".
pub(super) fn check_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("is empty");
    }
    if name.chars().count() > limits::NAME_CHARS {
        return Err("is longer than 256 characters");
    }
    if name.chars().any(|c| c.is_control() || c == '\u{feff}') {
        return Err("has a control character or a line break");
    }
    if name.trim() != name {
        return Err("begins or ends with a blank");
    }
    Ok(())
}

fn escape_name(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        if "\\[]=:;#\"'".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// The value as it is where nobody could misread it, else in double quotes.
fn quote(value: &str) -> String {
    if value.bytes().all(|b| b.is_ascii_graphic() && !b"\"'\\;#=".contains(&b)) {
        return value.to_owned();
    }
    let mut out = String::with_capacity(value.len() + 2);
    out.push('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            // All control characters lie below U+00A0, so four digits are enough.
            c if c.is_control() => {
                out.push_str("\\x00");
                for digit in [u32::from(c) >> 4, u32::from(c) & 15] {
                    out.extend(char::from_digit(digit, 16));
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::{super::user::Section, *};
    use proptest::{collection::btree_map, prelude::*};

    fn written(document: &Sections) -> String {
        String::from_utf8(write(document)).unwrap()
    }

    fn one(value: &str) -> Sections {
        let section = Section::from([("Key".to_owned(), value.to_owned())]);
        Sections::from([("S".to_owned(), section)])
    }

    #[test]
    fn plain_values_stay_readable() {
        assert!(
            written(&one("http://acs.example:7547/a?b")).ends_with("[S]\nKey=http://acs.example:7547/a?b\n")
        );
        assert!(written(&one("2 PERIODIC")).ends_with("[S]\nKey=\"2 PERIODIC\"\n"));
        assert!(written(&one("")).ends_with("[S]\nKey=\n"));
    }

    #[test]
    fn values_that_ini_files_usually_break_survive() {
        let nasty = [
            " leading",
            "trailing ",
            "\ttab\t",
            "\"quoted\"",
            "'single'",
            "back\\slash",
            "ends in \\",
            "a;b#c=d:e",
            "line\nbreak",
            "\r\n",
            "\n",
            "\u{0}\u{b}\u{c}\u{1b}\u{7f}\u{85}",
            "\\x0041",
            "\u{a0}",
            "é漢🐱",
            "]",
            "[x]",
            "\u{feff}",
            "\\",
            "\"",
            " ",
            ";",
            "#",
        ];
        for value in nasty {
            let document = one(value);
            assert_eq!(parse(&write(&document)).unwrap().0, document, "{value:?}");
        }
    }

    #[test]
    fn what_people_write_by_hand_is_read() {
        let text = "\u{feff}# comment\r\nlog = x\r\n\r\n; more\r\n[ManagementServer]\r\nURL: http://h/?a=b;c#d\r\n  Username = \"a \\\"b\\\"\" \r\nEmpty=\r\n[A]\n[ManagementServer]\nURL=second";
        let (document, repeated) = parse(text.as_bytes()).unwrap();
        let get = |section: &str, key: &str| document[section][key].as_str();
        assert_eq!(get("", "log"), "x");
        assert_eq!(get("ManagementServer", "Username"), "a \"b\"");
        assert_eq!(get("ManagementServer", "Empty"), "");
        assert_eq!(get("ManagementServer", "URL"), "second");
        assert_eq!(repeated, [("ManagementServer".to_owned(), "URL".to_owned())]);
        assert!(document["A"].is_empty());
    }

    #[test]
    fn damage_is_noticed_and_not_quoted() {
        let damaged: [&[u8]; 8] = [
            b"[S]\nPassword secret\nKey=1\n",
            b"[S]\nPassword secret",
            b"[S]\n=secret\n",
            b"[S]\nKey=\"secret",
            b"[S",
            b"\0\0\0\0secret",
            b"[S]\nKey=\"\\xzzzzsecret\"",
            b"[S]\nKey=\xff\xfesecret",
        ];
        for text in damaged {
            let error = parse(text).unwrap_err();
            assert!(!error.contains("secret"), "{error}");
        }
        assert_eq!(parse(b"[S]\nKey=1\nOther=\xff").unwrap_err(), "line 3 is not UTF-8");
    }

    fn name() -> impl Strategy<Value = String> {
        let nasty = "[a-zA-Z0-9.\\[\\]=:;#\"'\\\\ \u{e9}\u{1f431}_-]{1,12}";
        nasty.prop_filter_map("blank", |name| {
            let name = name.trim();
            (!name.is_empty()).then(|| name.to_owned())
        })
    }

    fn value() -> impl Strategy<Value = String> {
        let nasty = prop::sample::select(vec![
            '"', '\\', '\'', ';', '#', '=', '\n', '\r', '\t', ' ', '\u{0}', 'x', '0', '\u{a0}', '\u{2028}',
        ]);
        prop_oneof![any::<String>(), prop::collection::vec(nasty, 0..12).prop_map(String::from_iter)]
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(sections in btree_map(name(), btree_map(name(), value(), 0..5), 0..5)) {
            let (read, repeated) = parse(&write(&sections)).unwrap();
            prop_assert_eq!(read, sections);
            prop_assert!(repeated.is_empty());
        }

        #[test]
        fn any_file_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[\\[\\]=:;#\"'\\\\ \n\rax0-]{0,60}") {
            if let Ok((document, _)) = parse(text.as_bytes()) {
                prop_assert_eq!(parse(&write(&document)).unwrap().0, document);
            }
        }
    }
}

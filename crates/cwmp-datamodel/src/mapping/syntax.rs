//! The form of a mapping file: sections, lines and calls, without a thought for what they mean.

use super::{MappingError, limits};

/// `[Device.X.{i}.]  rows = ...  key = ...`, and the lines below it.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) line: u32,
    /// Path with a dot at its end.
    pub(super) path: String,
    pub(super) rows: Option<Call>,
    pub(super) key: Option<Call>,
    pub(super) lines: Vec<Line>,
}

/// `Name: type = source | conversion  set = ...  reload = ...`.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) line: u32,
    /// The line as it is written, in one piece.
    pub(super) text: String,
    pub(super) name: String,
    pub(super) value_type: Option<String>,
    pub(super) source: Call,
    pub(super) conversions: Vec<Call>,
    pub(super) set: Option<Call>,
    pub(super) reload: Option<Call>,
}

/// `name(argument, argument)`, or `name` alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) name: String,
    pub(super) arguments: Vec<String>,
}

impl Call {
    /// The arguments, if there are exactly so many.
    pub(super) fn exactly<const N: usize>(&self) -> Result<&[String; N], String> {
        let found = self.arguments.as_slice().try_into();
        found.map_err(|_| format!("`{}` takes {N} arguments, not {}", self.name, self.arguments.len()))
    }
}

/// Reads a file.
///
/// # Errors
/// Every line that has not the right form.
pub(super) fn parse(file: &str, text: &str) -> Result<Vec<Section>, Vec<MappingError>> {
    let error = |line, text: String| MappingError { file: file.to_owned(), line, text };
    if text.len() > limits::FILE_BYTES {
        return Err(vec![error(0, format!("the file has more than {} bytes", limits::FILE_BYTES))]);
    }
    let (mut sections, mut errors) = (Vec::<Section>::new(), Vec::new());
    for (line, text) in logical_lines(text) {
        let parsed = if text.starts_with('[') {
            section(line, &text).map(|section| sections.push(section))
        } else {
            parameter(line, &text).and_then(|parameter| {
                let section = sections.last_mut().ok_or("a line comes before any [section]")?;
                section.lines.push(parameter);
                Ok(())
            })
        };
        if let Err(text) = parsed {
            errors.push(error(line, text));
        }
    }
    if errors.is_empty() { Ok(sections) } else { Err(errors) }
}

/// Lines without comments and empty ones; a line that begins with a blank continues the one before it.
fn logical_lines(text: &str) -> Vec<(u32, String)> {
    let mut lines = Vec::<(u32, String)>::new();
    for (number, line) in (1..).zip(text.lines()) {
        let content = line.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        match lines.last_mut().filter(|_| line.starts_with([' ', '\t'])) {
            Some((_, before)) => {
                before.push(' ');
                before.push_str(content);
            }
            None => lines.push((number, content.to_owned())),
        }
    }
    lines
}

fn section(line: u32, text: &str) -> Result<Section, String> {
    let mut read = Reader(text);
    read.take('[')?;
    let path = read.until(']')?.trim().to_owned();
    if !path.ends_with('.') {
        return Err(format!("[{path}] is no object: the dot at the end is missing"));
    }
    let mut section = Section { line, path, rows: None, key: None, lines: Vec::new() };
    while let Some((word, call)) = read.setting()? {
        let place = match word {
            "rows" => &mut section.rows,
            "key" => &mut section.key,
            other => return Err(format!("`{other}` says nothing of a section: `rows` and `key` do")),
        };
        if place.replace(call).is_some() {
            return Err(format!("`{word}` is there twice"));
        }
    }
    Ok(section)
}

fn parameter(line: u32, text: &str) -> Result<Line, String> {
    let mut read = Reader(text);
    let name = read.word("the name of a parameter")?.to_owned();
    let value_type = match read.takes(':') {
        true => Some(read.word("a type after `:`")?.to_owned()),
        false => None,
    };
    read.take('=')?;
    let source = read.call()?;
    let mut conversions = Vec::new();
    while read.takes('|') {
        conversions.push(read.call()?);
    }
    if conversions.len() > limits::CONVERSIONS {
        return Err(format!("more than {} conversions", limits::CONVERSIONS));
    }
    let mut parsed =
        Line { line, text: text.to_owned(), name, value_type, source, conversions, set: None, reload: None };
    while let Some((word, call)) = read.setting()? {
        let place = match word {
            "set" => &mut parsed.set,
            "reload" => &mut parsed.reload,
            other => return Err(format!("`{other}` says nothing of a parameter: `set` and `reload` do")),
        };
        if place.replace(call).is_some() {
            return Err(format!("`{word}` is there twice"));
        }
    }
    Ok(parsed)
}

/// What is left of a line.
struct Reader<'a>(&'a str);

impl<'a> Reader<'a> {
    fn skip(&mut self) {
        self.0 = self.0.trim_start();
    }

    fn takes(&mut self, wanted: char) -> bool {
        self.skip();
        let rest = self.0.strip_prefix(wanted);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn take(&mut self, wanted: char) -> Result<(), String> {
        if self.takes(wanted) { Ok(()) } else { Err(format!("`{wanted}` is missing before `{}`", self.0)) }
    }

    fn until(&mut self, end: char) -> Result<&'a str, String> {
        let (text, rest) = self.0.split_once(end).ok_or_else(|| format!("`{end}` is missing"))?;
        self.0 = rest;
        Ok(text)
    }

    fn word(&mut self, what: &str) -> Result<&'a str, String> {
        self.skip();
        let is_part = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        let end = self.0.find(|c| !is_part(c)).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at_checked(end).unwrap_or((self.0, ""));
        self.0 = rest;
        if word.is_empty() { Err(format!("{what} is missing before `{rest}`")) } else { Ok(word) }
    }

    /// `word = call`, or the end of the line.
    fn setting(&mut self) -> Result<Option<(&'a str, Call)>, String> {
        self.skip();
        if self.0.is_empty() {
            return Ok(None);
        }
        let word = self.word("a word")?;
        self.take('=')?;
        Ok(Some((word, self.call()?)))
    }

    fn call(&mut self) -> Result<Call, String> {
        let name = self.word("a name")?.to_owned();
        let mut arguments = Vec::new();
        if self.0.starts_with('(') {
            self.take('(')?;
            while !self.takes(')') {
                if !arguments.is_empty() {
                    self.take(',')?;
                }
                arguments.push(self.argument()?);
            }
        }
        if arguments.len() > limits::ARGUMENTS {
            return Err(format!("`{name}` has more than {} arguments", limits::ARGUMENTS));
        }
        Ok(Call { name, arguments })
    }

    /// Up to the next comma or parenthesis; between quotes anything, with `\"` and `\\`.
    fn argument(&mut self) -> Result<String, String> {
        if !self.takes('"') {
            let end = self.0.find([',', ')']).ok_or("`)` is missing")?;
            let (argument, rest) = self.0.split_at_checked(end).unwrap_or((self.0, ""));
            self.0 = rest;
            return Ok(argument.trim_end().to_owned());
        }
        let (mut argument, mut chars) = (String::new(), self.0.chars());
        loop {
            match chars.next() {
                Some('"') => break,
                Some('\\') => argument.push(
                    chars
                        .next()
                        .filter(|c| ['"', '\\'].contains(c))
                        .ok_or("`\\` stands before `\"` and `\\`")?,
                ),
                Some(c) => argument.push(c),
                None => return Err("a quote is not closed".to_owned()),
            }
        }
        self.0 = chars.as_str();
        Ok(argument)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, arguments: &[&str]) -> Call {
        Call { name: name.into(), arguments: arguments.iter().map(ToString::to_string).collect() }
    }

    #[test]
    fn a_file_in_all_its_forms() {
        let text = "# a comment\n\n[Device.Ethernet.Interface.{i}.]  rows = netdev(kind=ethernet)  key = name\n\
                    MACAddress      = sysfs(address) | mac\n\
                    X_ACME_Note: string = file( /etc/note )\n\
                    \t| trim\n  # in between\n    set = command(/bin/note, \"a, \\\"b\\\" \\\\\", {value})  reload = command(/bin/r)\n";
        let sections = parse("f", text).unwrap();
        let [section] = &sections[..] else { panic!("{sections:?}") };
        assert_eq!((section.line, section.path.as_str()), (3, "Device.Ethernet.Interface.{i}."));
        assert_eq!(section.rows, Some(call("netdev", &["kind=ethernet"])));
        assert_eq!(section.key, Some(call("name", &[])));
        let [mac, note] = &section.lines[..] else { panic!("{section:?}") };
        assert_eq!(
            (mac.line, &mac.source, &mac.conversions[..]),
            (4, &call("sysfs", &["address"]), &[call("mac", &[])][..])
        );
        assert_eq!((note.line, note.value_type.as_deref()), (5, Some("string")));
        assert_eq!(note.source, call("file", &["/etc/note"]));
        assert_eq!(note.set, Some(call("command", &["/bin/note", "a, \"b\" \\", "{value}"])));
        assert_eq!(note.reload, Some(call("command", &["/bin/r"])));
    }

    #[test]
    fn errors_name_the_line() {
        for (text, wanted) in [
            ("A = b", "1: a line comes before any [section]"),
            ("[Device.A]", "1: [Device.A] is no object: the dot at the end is missing"),
            ("[Device.A.", "1: `]` is missing"),
            ("[Device.A.] rows", "1: `=` is missing before ``"),
            ("[Device.A.] rows = a rows = b", "1: `rows` is there twice"),
            ("[Device.A.] set = a", "1: `set` says nothing of a section: `rows` and `key` do"),
            ("[Device.A.]\n\nB", "3: `=` is missing before ``"),
            ("[Device.A.]\nB = ", "2: a name is missing before ``"),
            ("[Device.A.]\nB = c(d", "2: `)` is missing"),
            ("[Device.A.]\nB = c(\"d)", "2: a quote is not closed"),
            ("[Device.A.]\nB = c(\"\\d\")", "2: `\\` stands before `\"` and `\\`"),
            ("[Device.A.]\nB = c(\"d\" e)", "2: `,` is missing before `e)`"),
            ("[Device.A.]\nB: = c", "2: a type after `:` is missing before `= c`"),
            ("[Device.A.]\nB = c | ", "2: a name is missing before ``"),
            ("[Device.A.]\nB = c; rm", "2: a word is missing before `; rm`"),
            ("[Device.A.]\nB = c rows = d", "2: `rows` says nothing of a parameter: `set` and `reload` do"),
        ] {
            let errors = parse("f", text).unwrap_err();
            assert_eq!(
                errors.iter().map(ToString::to_string).collect::<Vec<_>>(),
                [format!("f:{wanted}")],
                "{text}"
            );
        }
        let both = parse("f", "A = b\n[Device.A.]\nC").unwrap_err();
        assert_eq!(both.len(), 2);
    }

    #[test]
    fn limits_hold() {
        let line = |tail: &str| parse("f", &format!("[Device.A.]\nB = c{tail}"));
        assert!(line(&"| d".repeat(limits::CONVERSIONS)).is_ok());
        assert!(line(&"| d".repeat(limits::CONVERSIONS + 1)).is_err());
        assert!(line(&format!("({})", vec!["d"; limits::ARGUMENTS].join(","))).is_ok());
        assert!(line(&format!("({})", vec!["d"; limits::ARGUMENTS + 1].join(","))).is_err());
        let long = parse("f", &"#".repeat(limits::FILE_BYTES + 1)).unwrap_err();
        assert_eq!(long[0].to_string(), "f: the file has more than 65536 bytes");
    }
}

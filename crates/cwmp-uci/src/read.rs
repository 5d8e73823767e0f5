//! A package from the text of its file, by the rules of libuci in its strict mode: what that refuses is refused.

use std::collections::BTreeMap;

use crate::{
    name,
    package::{Full, Package, Text},
    words::{Reason, UNKNOWN, Words},
};

/// What is wrong with a file, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// From 1.
    pub line: usize,
    /// For a person; quotes nothing of the file, whose values may be secret.
    pub reason: &'static str,
}

impl Package {
    /// Reads the text of a file. `name` is the package's; a `package` line in the text is checked and changes nothing.
    ///
    /// # Errors
    /// [`SyntaxError`] for what libuci refuses, and for what is more than [`crate::limits`] allow. The length of the text
    /// is the caller's to bound.
    pub fn parse(name: &str, text: &[u8]) -> Result<Self, SyntaxError> {
        let mut reader = Reader {
            words: Words::new(text),
            package: Package::new(name),
            section: None,
            names: BTreeMap::new(),
        };
        if let Some(at) = text.iter().position(|byte| *byte == 0) {
            let line = text.iter().take(at).filter(|byte| **byte == b'\n').count() + 1;
            return Err(SyntaxError { line, reason: "a NUL byte" });
        }
        while reader.words.next_line() {
            reader.line().map_err(|reason| SyntaxError { line: reader.words.number(), reason })?;
        }
        Ok(reader.package)
    }
}

struct Reader<'a> {
    words: Words<'a>,
    package: Package,
    /// Where the section is that options go to.
    section: Option<usize>,
    /// The first section with each name; ids are names here.
    names: BTreeMap<String, usize>,
}

impl Reader<'_> {
    /// The commands of a line.
    fn line(&mut self) -> Result<(), Reason> {
        while let Some(command) = self.words.command()? {
            match command.as_slice() {
                b"package" | b"p" => self.package()?,
                b"config" | b"c" => self.config()?,
                b"option" | b"o" => self.option(false)?,
                b"list" | b"l" => self.option(true)?,
                _ => return Err(UNKNOWN),
            }
        }
        Ok(())
    }

    fn package(&mut self) -> Result<(), Reason> {
        let name = self.words.word()?;
        if !name::is_package(&name) {
            return Err("a package's name is letters, digits, _ and -");
        }
        self.end()
    }

    fn config(&mut self) -> Result<(), Reason> {
        let kind = self.words.word()?;
        if !name::is_kind(&kind) {
            return Err("a section's type is 1 to 255 visible ASCII characters");
        }
        let name = self.words.word()?;
        if !name.is_empty() && !name::is_name(&name) {
            return Err("a section's name is letters, digits and _");
        }
        self.end()?;
        let (kind, name) = (String::from_utf8_lossy(&kind), String::from_utf8_lossy(&name));
        let there = self.names.get(&*name).and_then(|at| Some((*at, self.package.sections.get(*at)?)));
        let at = match there {
            Some((_, section)) if section.kind != kind => {
                return Err("a section with this name is there already, with another type");
            }
            Some((at, _)) => at,
            None => {
                let at = self.package.add(&kind, (!name.is_empty()).then_some(&*name)).map_err(full)?;
                if let Some(section) = self.package.sections.get(at) {
                    self.names.entry(section.name.clone()).or_insert(at);
                }
                at
            }
        };
        self.section = Some(at);
        Ok(())
    }

    fn option(&mut self, list: bool) -> Result<(), Reason> {
        let section = self.section.ok_or("an option before the first section")?;
        let name = self.words.word()?;
        if !name::is_name(&name) {
            return Err("an option's name is letters, digits and _");
        }
        let text = Text::from(self.words.word()?);
        self.end()?;
        self.package.count_value().map_err(full)?;
        let section = self.package.sections.get_mut(section).ok_or("an option before the first section")?;
        let name = String::from_utf8_lossy(&name);
        if list { section.push(&name, text) } else { section.set(&name, text) }.map_err(full)
    }

    /// The command must end here.
    fn end(&mut self) -> Result<(), Reason> {
        self.words
            .word()?
            .is_empty()
            .then_some(())
            .ok_or("more words than the command takes: is a quote missing?")
    }
}

fn full(Full(reason): Full) -> Reason {
    reason
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(text: &str) -> Package {
        Package::parse("network", text.as_bytes()).unwrap()
    }

    fn value(line: &str) -> Option<String> {
        package(&format!("config x 'a'\n{line}")).section("a").unwrap().get("v").map(str::to_owned)
    }

    fn error(text: &str) -> (usize, &'static str) {
        let error = Package::parse("network", text.as_bytes()).unwrap_err();
        (error.line, error.reason)
    }

    #[test]
    fn sections_and_options_keep_the_order_of_the_file() {
        let package = package(
            "# made by hand\npackage whatever\n\nconfig interface 'lan' # comment\n\toption proto 'static'\n\
             \tlist dns '1.1.1.1'\n\tlist dns '9.9.9.9'\r\n\nc route\no target 10.0.0.0/8\n",
        );
        assert_eq!(package.name(), "network");
        let seen: Vec<_> =
            package.sections().iter().map(|s| (s.kind(), s.name(), s.is_anonymous())).collect();
        assert_eq!(seen, [("interface", "lan", false), ("route", "cfg02c8b4", true)]);
        let lan = package.section("lan").unwrap();
        assert_eq!(
            (lan.get("proto"), lan.get("dns"), lan.get("none")),
            (Some("static"), Some("9.9.9.9"), None)
        );
        assert_eq!(lan.list("dns"), ["1.1.1.1", "9.9.9.9"]);
        assert_eq!(package.section("@route[0]").unwrap().get("target"), Some("10.0.0.0/8"));
    }

    #[test]
    fn words_are_quoted_as_the_shell_of_libuci_has_it() {
        for (line, expected) in [
            ("option v bare", "bare"),
            ("option v 'it'\\''s'", "it's"),
            ("option v \"say \\\"\\n\\\"\"", "say \"n\""),
            ("option v 'x'y\"z\"", "xyz"),
            ("option v a\\ b\\#c", "a b#c"),
            ("option v abc#def", "abc"),
            ("option v 'two\nlines'", "two\nlines"),
            ("option v 'CR\r\nLF'", "CR\r\nLF"),
            ("option v \"joi\\\nned\"", "joined"),
            ("option v joi\\\nned", "joined"),
            ("option v 'a' ; option w b", "a"),
            ("option v a\nlist v b\noption v c", "c"),
            ("option v last\\", "last"),
        ] {
            assert_eq!(value(line).as_deref(), Some(expected), "{line}");
        }
        for line in ["option v", "option v ''", "list v ''", "option w 'v'", "option w w;option v v"] {
            assert_eq!(value(line), None, "{line}");
        }
    }

    #[test]
    fn a_section_that_comes_again_goes_on() {
        let package =
            package("config x 'a'\n\toption v 1\nconfig y\nconfig x 'a'\n\tlist v 2\n\toption w 3\n");
        assert_eq!(package.sections().len(), 2);
        let a = package.section("a").unwrap();
        assert_eq!((a.list("v"), a.get("w")), (vec!["1", "2"], Some("3")));
    }

    #[test]
    fn what_libuci_refuses_is_refused_with_its_line() {
        for (text, line) in [
            ("option v 1\n", 1),
            ("config x 'a'\n\n\toption ba-d 1\n", 3),
            ("config x 'a'\n\toption v 1 2\n", 2),
            ("config x a-b\n", 1),
            ("config x 'a'\nconfig y 'a'\n", 2),
            ("config 'x y'\n", 1),
            ("config\n", 1),
            ("config x\n\toption v 'open\n\n", 3),
            ("config x\noption v \"open", 2),
            ("unknown x\n", 1),
            ("package a.b\n", 1),
            ("config x\n\toption v a\0b\n", 2),
            ("config 'x';option v 1\n", 1),
        ] {
            assert_eq!(error(text).0, line, "{text:?}: {}", error(text).1);
        }
    }

    #[test]
    fn bytes_that_are_no_utf8_are_shown_as_such_and_kept() {
        let text = b"\nconfig x\n\toption v 'caf\xe9'\n\n";
        let package = Package::parse("x", text).unwrap();
        assert_eq!(package.nth(None, -1).unwrap().get("v"), Some("caf\u{fffd}"));
        assert_eq!(package.export(), text);
    }

    #[test]
    fn limits_are_named_where_they_are_passed() {
        let many = "config x\n".repeat(crate::limits::SECTIONS + 1);
        assert_eq!(error(&many), (crate::limits::SECTIONS + 1, "more sections than a package may have"));
        let options: String = (0..=crate::limits::OPTIONS).map(|n| format!("option o{n} 1\n")).collect();
        assert_eq!(error(&format!("config x\n{options}")).1, "more options than a section may have");
        let values = "list v 1\n".repeat(crate::limits::VALUES + 1);
        assert_eq!(error(&format!("config x\n{values}")).1, "more values than a package may have");
    }

    #[test]
    fn nothing_shows_a_value() {
        let text = format!("{:?}", package("config x\n\toption key 'secret'\n\tlist keys 'secret'\n"));
        assert!(text.contains("key") && !text.contains("secret"), "{text}");
    }
}

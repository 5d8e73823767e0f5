//! As much of UCI as the services of this router read. It is deliberately not the project's own parser: what the agent
//! writes is read here by somebody else.

use std::{collections::BTreeMap, fs, path::Path};

/// A section of a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) kind: String,
    /// Its name, or for an anonymous one the id that libuci gives it.
    pub(crate) name: String,
    options: BTreeMap<String, Vec<String>>,
}

impl Section {
    /// The value of an option; the last one of a list.
    pub(crate) fn get(&self, option: &str) -> Option<&str> {
        self.list(option).last().map(String::as_str)
    }

    /// The values of a list or of an option.
    pub(crate) fn list(&self, option: &str) -> &[String] {
        self.options.get(option).map(Vec::as_slice).unwrap_or_default()
    }

    /// The words of a list or of an option, as shell scripts see them.
    pub(crate) fn words(&self, option: &str) -> Vec<&str> {
        self.list(option).iter().flat_map(|value| value.split_whitespace()).collect()
    }

    pub(crate) fn on(&self, option: &str) -> bool {
        matches!(self.get(option), Some("1" | "on" | "true" | "yes" | "enabled"))
    }

    pub(crate) fn off(&self, option: &str) -> bool {
        matches!(self.get(option), Some("0" | "off" | "false" | "no" | "disabled"))
    }

    pub(crate) fn options(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.options.iter().map(|(name, values)| (name.as_str(), values.as_slice()))
    }
}

/// Reads a package; a missing one is empty.
pub(crate) fn read(root: &Path, package: &str) -> Vec<Section> {
    let text = fs::read_to_string(root.join("etc/config").join(package)).unwrap_or_default();
    parse(&text)
}

fn parse(text: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for line in lines(text) {
        let words: Vec<&str> = line.iter().map(String::as_str).collect();
        match (words.as_slice(), sections.last_mut()) {
            (["config", kind], _) => {
                let name = format!("cfg{:02x}{:04x}", sections.len() + 1, hash(kind));
                sections.push(Section { kind: (*kind).to_owned(), name, options: BTreeMap::new() });
            }
            (["config", kind, name], _) => sections.push(Section {
                kind: (*kind).to_owned(),
                name: (*name).to_owned(),
                options: BTreeMap::new(),
            }),
            (["option", name, value], Some(section)) => {
                section.options.insert((*name).to_owned(), vec![(*value).to_owned()]);
            }
            (["list", name, value], Some(section)) => {
                section.options.entry((*name).to_owned()).or_default().push((*value).to_owned());
            }
            _ => {}
        }
    }
    sections
}

/// The words of each line; quotes may hold line ends.
fn lines(text: &str) -> Vec<Vec<String>> {
    let (mut lines, mut words, mut word) = (Vec::new(), Vec::new(), None::<String>);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' => word.get_or_insert_default().extend(chars.by_ref().take_while(|c| *c != '\'')),
            '"' => word.get_or_insert_default().extend(chars.by_ref().take_while(|c| *c != '"')),
            '\\' => word.get_or_insert_default().extend(chars.next()),
            '#' if word.is_none() => {
                let _ = chars.by_ref().find(|c| *c == '\n');
                lines.push(std::mem::take(&mut words));
            }
            '\n' => {
                words.extend(word.take());
                lines.push(std::mem::take(&mut words));
            }
            c if c.is_whitespace() => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    lines.push(words);
    lines
}

/// libuci's hash of a type, in the ids of anonymous sections.
fn hash(kind: &str) -> u16 {
    let hash = kind.bytes().fold(5381_u32, |hash, byte| hash.wrapping_mul(33).wrapping_add(byte.into()));
    (hash & 0xffff) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_lists_and_anonymous_sections_are_read() {
        let text = "# a comment\nconfig dnsmasq\n\toption a 'it'\\''s'\n\tlist b 'x y'\n\tlist b z\n\nconfig host 'h'\n";
        let sections = parse(text);
        assert_eq!(sections[0].name, "cfg01411c", "the id of the first dnsmasq section of every OpenWrt");
        assert_eq!((sections[0].get("a"), sections[0].words("b")), (Some("it's"), vec!["x", "y", "z"]));
        assert_eq!((sections[1].kind.as_str(), sections[1].name.as_str()), ("host", "h"));
    }
}

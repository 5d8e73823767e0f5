//! Reads a section of the layers, key by key, and collects what is wrong with it.

use std::ops::RangeInclusive;

use cwmp_store::{Layers, Problem};

/// Reads one section.
pub(crate) struct Reader<'a> {
    layers: &'a Layers,
    section: &'static str,
    asked: Vec<&'static str>,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(layers: &'a Layers, section: &'static str) -> Self {
        Self { layers, section, asked: Vec::new(), problems: Vec::new() }
    }

    /// The topmost value that `parse` takes; those above it are problems. `right` says what would be right, to follow
    /// "must be". The value itself is not shown: it may be a secret.
    pub(crate) fn read<T>(
        &mut self,
        key: &'static str,
        right: &str,
        parse: impl Fn(&'a str) -> Option<T>,
    ) -> Option<T> {
        self.asked.push(key);
        for found in self.layers.find(self.section, key) {
            let value = parse(found.value);
            if value.is_some() {
                return value;
            }
            let file = self.layers.file(found.layer);
            self.problems.push(Problem::key(&file, self.section, key, format!("must be {right}")));
        }
        None
    }

    pub(crate) fn boolean(&mut self, key: &'static str) -> Option<bool> {
        self.read(key, "true or false", boolean)
    }

    pub(crate) fn unsigned(&mut self, key: &'static str, range: RangeInclusive<u32>) -> Option<u32> {
        let right = format!("a number from {} to {}", range.start(), range.end());
        self.read(key, &right, |text| unsigned(text, &range))
    }

    /// The keys that nobody asked for, as problems.
    pub(crate) fn unknown(&self) -> Vec<Problem> {
        let keys = self.layers.keys(self.section).into_iter().filter(|(key, _)| !self.asked.contains(key));
        keys.map(|(key, layer)| {
            Problem::key(&self.layers.file(layer), self.section, key, "unknown key, ignored")
        })
        .collect()
    }

    pub(crate) fn problems(self) -> Vec<Problem> {
        self.problems
    }
}

/// An xsd:boolean.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// Digits and nothing else.
pub(crate) fn unsigned(text: &str, range: &RangeInclusive<u32>) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok())?.filter(|number| range.contains(number))
}

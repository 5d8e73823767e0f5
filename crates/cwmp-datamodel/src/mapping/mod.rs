//! Mapping files: parameters that map one to one, a line each (`docs/mapping.md`).
//!
//! ```text
//! [Device.DeviceInfo.MemoryStatus.]
//! Total = file(/proc/meminfo) | key(MemTotal) | kib
//! ```
//!
//! * `syntax`: the form of a file; `compile`: what it means, checked against the facts of the model;
//! * `conversion`: the named conversions; `ini`: one key of an INI file;
//! * [`MappedSource`]: executes what was compiled: `round` reads everything that one call needs, each file, program and
//!   provider once; `write` sets;
//! * [`build`]: for build scripts of backends, whose build fails with a wrong mapping file.
//!
//! There are no expressions and no conditions: what needs one is no one-to-one mapping and belongs into a source of its
//! own. For the same reason a table inside a table is not mapped: which rows belong to which is a question that a line
//! cannot ask.

pub mod build;
mod compile;
mod conversion;
mod ini;
pub mod limits;
mod round;
mod source;
mod syntax;
mod write;

#[cfg(test)]
mod tests;

pub use compile::Compiled;
pub use source::MappedSource;

use std::fmt;

/// What is wrong in a mapping file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappingError {
    /// The file.
    pub file: String,
    /// The line; 0 where the file as a whole is meant.
    pub line: u32,
    /// What is wrong there, and what would be right.
    pub text: String,
}

impl fmt::Display for MappingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.text),
            line => write!(f, "{}:{line}: {}", self.file, self.text),
        }
    }
}

impl std::error::Error for MappingError {}

/// What stands for the key of the row in paths and arguments.
const KEY: &str = "{key}";
/// What stands for the value in the arguments of a program that sets.
const VALUE: &str = "{value}";

/// The text with key and value in their places, in one pass: a value that looks like a place stays as it is.
fn fill(text: &str, key: &str, value: &str) -> String {
    let (mut filled, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find('{') {
        let (before, place) = rest.split_at_checked(at).unwrap_or((rest, ""));
        filled.push_str(before);
        rest = match (place.strip_prefix(KEY), place.strip_prefix(VALUE)) {
            (Some(after), _) => {
                filled.push_str(key);
                after
            }
            (_, Some(after)) => {
                filled.push_str(value);
                after
            }
            _ => {
                filled.push('{');
                place.strip_prefix('{').unwrap_or("")
            }
        };
    }
    filled.push_str(rest);
    filled
}

/// A path with the key of the row in its place; `None` where the key would lead somewhere else.
fn path(text: &str, key: &str) -> Option<String> {
    let leads_away = key.contains(['/', '\0']) || key == "." || key == "..";
    (!leads_away || !text.contains(KEY)).then(|| fill(text, key, ""))
}

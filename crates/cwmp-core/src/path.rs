//! Names of parameters and objects (TR-069a6 A.2.2).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits;

/// A well-formed name below one root: a full parameter name (`Device.Time.Enable`), a partial path or object
/// (`Device.Time.`), or empty, which means the whole tree.
///
/// Well-formed is not yet known: whether such a name exists is for the data model to say.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ParameterPath(String);

/// Why a text is no parameter path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Longer than 256 characters.
    #[error("the name is longer than {} characters", limits::PARAMETER_NAME)]
    TooLong,
    /// An empty part, as in `Device..Time`.
    #[error("the name has an empty part")]
    EmptyPart,
    /// A part that is neither a name nor an instance number, alias or wildcard.
    #[error("`{0}` is no name, instance number or alias")]
    BadPart(String),
}

impl ParameterPath {
    /// Checks the form of a name.
    ///
    /// # Errors
    /// [`PathError`] says which rule it breaks.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if text.chars().count() > limits::PARAMETER_NAME {
            return Err(PathError::TooLong);
        }
        let body = text.strip_suffix('.').unwrap_or(text);
        if !text.is_empty() {
            for part in body.split('.') {
                if part.is_empty() {
                    return Err(PathError::EmptyPart);
                }
                if !is_part(part) {
                    return Err(PathError::BadPart(part.chars().take(64).collect()));
                }
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this names everything below it rather than one parameter: empty, or with a trailing dot.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.0.is_empty() || self.0.ends_with('.')
    }
}

/// A letter, digit, `_`, `-` or any non-ASCII letter in names; digits alone for instances (no leading zero); `[alias]`;
/// `*` for all instances.
fn is_part(part: &str) -> bool {
    if part == "*" {
        return true;
    }
    if let Some(alias) = part.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return !alias.is_empty() && !alias.contains(['[', ']']);
    }
    if part.bytes().all(|b| b.is_ascii_digit()) {
        return !part.starts_with('0') && part.parse::<u32>().is_ok();
    }
    let mut chars = part.chars();
    chars.next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && chars.all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

impl TryFrom<String> for ParameterPath {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, PathError> {
        Self::parse(&text)
    }
}

impl From<ParameterPath> for String {
    fn from(path: ParameterPath) -> String {
        path.0
    }
}

impl fmt::Display for ParameterPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_names() {
        for good in [
            "",
            "Device.",
            "Device.Time.Enable",
            "Device.X_CWMPD_A-b.1.",
            "Device.A.[cpe-1].B",
            "Device.A.*.B",
        ] {
            assert_eq!(ParameterPath::parse(good).map(String::from).as_deref(), Ok(good));
        }
        for bad in [
            ".",
            "Device..Time",
            "Device.A.0.",
            "Device.A.01.",
            "Device.4294967296.",
            "Device.A b",
            "A.[]",
            "A.$(x)",
        ] {
            assert!(ParameterPath::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(ParameterPath::parse(&"a".repeat(257)), Err(PathError::TooLong));
    }

    #[test]
    fn a_dot_at_the_end_makes_it_partial() {
        assert!(ParameterPath::parse("Device.").unwrap().is_partial());
        assert!(ParameterPath::parse("").unwrap().is_partial());
        assert!(!ParameterPath::parse("Device.Time.Enable").unwrap().is_partial());
    }
}

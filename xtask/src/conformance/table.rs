//! The table of requirements, `tests/conformance/requirements.tsv`.

use crate::sh::Res;

/// One requirement of TR-069 Amendment 6 or its data models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Requirement {
    /// `2.23`: group and place in it.
    pub(super) number: String,
    /// `MUST`, `SHOULD` or `MAY`.
    pub(super) level: String,
    pub(super) text: String,
    /// Why it does not apply to what the program offers; empty where it does.
    pub(super) not_applicable: String,
}

pub(super) const FILE: &str = "tests/conformance/requirements.tsv";
const LONGEST: usize = 90;

pub(super) fn read(text: &str) -> Res<Vec<Requirement>> {
    let mut requirements: Vec<Requirement> = Vec::new();
    for (at, line) in (1..).zip(text.lines()).skip(1) {
        let wrong = |what: &str| format!("{FILE}:{at}: {what}");
        let fields: Vec<&str> = line.split('\t').collect();
        let [number, level, weight, text, not_applicable] = fields.as_slice() else {
            return Err(wrong("a line has five columns, separated by tabs").into());
        };
        if !["MUST", "SHOULD", "MAY"].contains(level) || !["core", "edge"].contains(weight) {
            return Err(wrong("the level is MUST, SHOULD or MAY, the weight core or edge").into());
        }
        if text.is_empty() || text.chars().count() > LONGEST {
            return Err(wrong(&format!("the requirement has 1 to {LONGEST} characters")).into());
        }
        if requirements.iter().any(|other| other.number == *number) {
            return Err(wrong(&format!("{number} is there twice")).into());
        }
        let owned = |text: &str| text.to_owned();
        requirements.push(Requirement {
            number: owned(number),
            level: owned(level),
            text: owned(text),
            not_applicable: owned(not_applicable),
        });
    }
    Ok(requirements)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "number\tlevel\tweight\trequirement\tnot_applicable\n";

    #[test]
    fn a_line_is_a_requirement() {
        let read = read(&format!("{HEAD}1.01\tMUST\tcore\tPOST only\t\n")).unwrap();
        assert_eq!((read[0].number.as_str(), read[0].level.as_str()), ("1.01", "MUST"));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (line, what) in [
            ("1.01\tMUST\tcore\tPOST only", "2: a line has five columns"),
            ("1.01\tWILL\tcore\tPOST only\t", "2: the level is"),
            ("1.01\tMUST\tcore\t\t", "2: the requirement has"),
            ("1.01\tMUST\tcore\ta\t\n1.01\tMUST\tcore\ta\t", "3: 1.01 is there twice"),
        ] {
            let error = read(&format!("{HEAD}{line}")).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{FILE}:{what}")), "{error}");
        }
    }
}

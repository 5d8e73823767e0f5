//! Which of two firmware versions is the older one.

use std::cmp::Ordering;

/// Words that say that a version comes before the one without them.
const BEFORE_RELEASE: [&str; 7] = ["alpha", "beta", "dev", "pre", "preview", "rc", "snapshot"];

/// Compares versions. A version is cut into numbers and words; all that is neither letter nor digit divides, and a `v` in
/// front of a number does not count. From the left, the first difference decides:
///
/// * numbers compare as numbers (`1.10` is newer than `1.9`), words by their letters, small like capital;
/// * a number is newer than a word (`1.0.1` is newer than `1.0-r3`);
/// * a version that goes on is newer than one that has ended (`1.0-r3` is newer than `1.0`), except where it goes on with
///   one of alpha, beta, dev, pre, preview, rc and snapshot (`1.0-rc1` is older than `1.0`).
#[must_use]
pub fn compare_versions(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (Parts::of(a), Parts::of(b));
    loop {
        let (a, b) = (a.next(), b.next());
        match a.cmp(&b) {
            Ordering::Equal if a == Part::End => return Ordering::Equal,
            Ordering::Equal => {}
            different => return different,
        }
    }
}

/// In ascending order.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    BeforeRelease(String),
    End,
    Word(String),
    /// Count of digits without leading zeros, then the digits: no number is too large.
    Number(usize, String),
}

struct Parts<'a>(&'a str);

impl<'a> Parts<'a> {
    fn of(version: &'a str) -> Self {
        let without = version.strip_prefix(['v', 'V']);
        Self(without.filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit())).unwrap_or(version))
    }

    fn next(&mut self) -> Part {
        let rest = self.0.trim_start_matches(|c: char| !c.is_alphanumeric());
        let is_digit = |c: char| c.is_ascii_digit();
        let Some(first) = rest.chars().next() else { return Part::End };
        let (part, number) = if is_digit(first) {
            (rest.split(|c| !is_digit(c)).next().unwrap_or_default(), true)
        } else {
            (rest.split(|c: char| is_digit(c) || !c.is_alphanumeric()).next().unwrap_or_default(), false)
        };
        self.0 = rest.strip_prefix(part).unwrap_or_default();
        if number {
            let digits = part.trim_start_matches('0');
            return Part::Number(digits.len(), digits.to_owned());
        }
        let word = part.to_lowercase();
        if BEFORE_RELEASE.contains(&word.as_str()) { Part::BeforeRelease(word) } else { Part::Word(word) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_in_ascending_order() {
        let ascending = [
            "",
            "1.0-alpha2",
            "1.0-beta",
            "1.0-rc1",
            "1.0-rc2",
            "1.0",
            "1.0-r3",
            "1.0.1",
            "1.9",
            "1.10",
            "2",
            "22.03.5",
            "23.05-SNAPSHOT",
            "23.05",
            "23.05.2",
            "20261101",
            "99999999999999999999999999",
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(compare_versions(a, b), i.cmp(&j), "{a} and {b}");
            }
        }
        for (a, b) in [("v1.2", "1.2"), ("1.02", "1.2"), ("1_2", "1.2."), ("1.2-RC1", "1.2rc1")] {
            assert_eq!(compare_versions(a, b), Ordering::Equal, "{a} and {b}");
        }
    }
}

//! Patterns of the data model: the part of XML Schema's regular expressions that TR-181 uses.
//!
//! Alternatives, groups, classes with ranges, `\d`, escaped characters, `.`, and the quantifiers `?`, `*`, `+`, `{n}`,
//! `{n,}` and `{n,m}`. A `?` behind a quantifier (one pattern has it) changes nothing for a match of the whole. The
//! matcher carries the set of all places that can be reached, so its time is bounded by pattern times text and there is
//! no backtracking. A pattern beyond this subset matches nothing.

/// Deepest nesting of groups.
const DEPTH: usize = 8;
/// Most repetitions that a quantifier asks for.
const REPEATS: usize = 1024;

/// Whether the whole of `text` matches.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let mut start = vec![false; text.len() + 1];
    start.iter_mut().take(1).for_each(|place| *place = true);
    let end = alternatives(&pattern, &text, &start, 0);
    end.and_then(|places| places.last().copied()).unwrap_or(false)
}

/// Places in the text, from before its first character to behind its last one.
type Places = Vec<bool>;

/// Where a match of `a|b|...` can end that starts at one of `from`; `None` for a pattern beyond the subset.
fn alternatives(pattern: &[char], text: &[char], from: &Places, depth: usize) -> Option<Places> {
    if depth > DEPTH {
        return None;
    }
    let mut ends = vec![false; from.len()];
    let mut rest = pattern;
    loop {
        let length = top_level(rest, '|')?;
        let (branch, behind) = rest.split_at_checked(length)?;
        merge(&mut ends, &sequence(branch, text, from, depth)?);
        match behind.split_first() {
            Some((_, next)) => rest = next,
            None => return Some(ends),
        }
    }
}

fn sequence(mut pattern: &[char], text: &[char], from: &Places, depth: usize) -> Option<Places> {
    let mut places = from.clone();
    while !pattern.is_empty() {
        let (atom, behind) = pattern.split_at_checked(atom_length(pattern)?)?;
        let (least, most, behind) = quantifier(behind)?;
        pattern = behind;
        places = repeat(atom, (least, most), text, places, depth)?;
    }
    Some(places)
}

fn repeat(
    atom: &[char],
    (least, most): (usize, Option<usize>),
    text: &[char],
    mut places: Places,
    depth: usize,
) -> Option<Places> {
    for _ in 0..least {
        places = once(atom, text, &places, depth)?;
    }
    let mut reached = places.clone();
    // More than one round for each character reaches nothing new.
    for _ in least..most.unwrap_or(usize::MAX).min(least.saturating_add(text.len())) {
        places = once(atom, text, &places, depth)?;
        if !merge(&mut reached, &places) {
            break;
        }
    }
    Some(reached)
}

/// One group, class or character.
fn once(atom: &[char], text: &[char], from: &Places, depth: usize) -> Option<Places> {
    if let ['(', inner @ .., ')'] = atom {
        return alternatives(inner, text, from, depth + 1);
    }
    let mut ends = vec![false];
    for (start, c) in from.iter().zip(text) {
        ends.push(*start && character(atom, *c)?);
    }
    Some(ends)
}

fn character(atom: &[char], c: char) -> Option<bool> {
    match atom {
        ['.'] => Some(c != '\n' && c != '\r'),
        ['\\', 'd'] => Some(c.is_ascii_digit()),
        ['\\', escaped] if !escaped.is_alphanumeric() => Some(*escaped == c),
        ['[', class @ .., ']'] => in_class(class, c),
        [plain] => Some(*plain == c),
        _ => None,
    }
}

fn in_class(mut class: &[char], c: char) -> Option<bool> {
    if matches!(class, [] | ['^', ..]) {
        return None;
    }
    let mut found = false;
    while !class.is_empty() {
        let (hit, behind) = match class {
            ['\\', 'd', behind @ ..] => (c.is_ascii_digit(), behind),
            ['\\', escaped, behind @ ..] if !escaped.is_alphanumeric() => (*escaped == c, behind),
            ['\\' | '[', ..] => return None,
            [low, '-', high, behind @ ..] => ((*low..=*high).contains(&c), behind),
            [plain, behind @ ..] => (*plain == c, behind),
            [] => return Some(found),
        };
        found |= hit;
        class = behind;
    }
    Some(found)
}

/// Length of the atom at the start.
fn atom_length(pattern: &[char]) -> Option<usize> {
    match pattern {
        ['(', inner @ ..] => Some(top_level(inner, ')')? + 2).filter(|length| *length <= pattern.len()),
        ['[', ..] => {
            let mut escaped = false;
            let end = pattern.iter().position(|c| {
                let closes = *c == ']' && !escaped;
                escaped = *c == '\\' && !escaped;
                closes
            });
            end.map(|end| end + 1)
        }
        ['\\', _, ..] => Some(2),
        ['?' | '*' | '+' | '{' | '}' | ')' | ']' | '|' | '\\', ..] | [] => None,
        _ => Some(1),
    }
}

/// Where `wanted` stands outside of groups, classes and escapes; the length where it does not.
fn top_level(pattern: &[char], wanted: char) -> Option<usize> {
    let (mut depth, mut in_class, mut escaped) = (0_usize, false, false);
    for (at, c) in pattern.iter().enumerate() {
        if escaped {
            escaped = false;
            continue;
        }
        if *c == wanted && depth == 0 && !in_class {
            return Some(at);
        }
        match c {
            '\\' => escaped = true,
            '[' => in_class = true,
            ']' => in_class = false,
            '(' if !in_class => depth += 1,
            ')' if !in_class => depth = depth.checked_sub(1)?,
            _ => {}
        }
    }
    (depth == 0).then_some(pattern.len())
}

/// Least and most repetitions, and what follows.
fn quantifier(pattern: &[char]) -> Option<(usize, Option<usize>, &[char])> {
    let (least, most, behind) = match pattern {
        ['?', behind @ ..] => (0, Some(1), behind),
        ['*', behind @ ..] => (0, None, behind),
        ['+', behind @ ..] => (1, None, behind),
        ['{', inner @ ..] => {
            let (bounds, behind) = inner.split_at_checked(inner.iter().position(|c| *c == '}')?)?;
            let bounds: String = bounds.iter().collect();
            let (least, most) = match bounds.split_once(',') {
                None => (bounds.parse().ok()?, Some(bounds.parse().ok()?)),
                Some((least, "")) => (least.parse().ok()?, None),
                Some((least, most)) => (least.parse().ok()?, Some(most.parse().ok()?)),
            };
            (least, most, behind.get(1..)?)
        }
        _ => return Some((1, Some(1), pattern)),
    };
    let behind = behind.strip_prefix(&['?']).unwrap_or(behind);
    (least <= REPEATS && most.is_none_or(|most| (least..=REPEATS).contains(&most)))
        .then_some((least, most, behind))
}

/// Adds places; whether any was new.
fn merge(into: &mut Places, from: &Places) -> bool {
    let mut grown = false;
    for (a, b) in into.iter_mut().zip(from) {
        grown |= *b && !*a;
        *a |= *b;
    }
    grown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::facts::{Facet, Facts};

    /// Conformance: 9.10
    #[test]
    fn patterns_of_the_model() {
        let mac = "|([0-9A-Fa-f][0-9A-Fa-f]:){5}([0-9A-Fa-f][0-9A-Fa-f])";
        let ipv4 = r"|((25[0-5]|2[0-4][0-9]|[01]?[0-9]?[0-9])\.){3}(25[0-5]|2[0-4][0-9]|[01]?[0-9]?[0-9])";
        let prefix = r"|/(3[0-2]|[012]?[0-9])|((25[0-5]|2[0-4][0-9]|[01]?[0-9]?[0-9])\.){3}(25[0-5]|2[0-4][0-9]|[01]?[0-9]?[0-9])/(3[0-2]|[012]?[0-9])";
        let file = "1 Firmware Upgrade Image|2 Web Content|X [0-9A-F]{6} .*";
        let codepoint = "Null|Drop|[0-9]|[1-5][0-9]|6[0-3]|:[0-7]|([0-9]|[1-5][0-9]|6[0-3]):[0-7]";
        for (pattern, good, bad) in [
            (
                mac,
                &["", "00:1a:2B:3c:4d:5e"][..],
                &["00:1a:2B:3c:4d", "00:1a:2B:3c:4d:5g", "001a2b3c4d5e", " "][..],
            ),
            (
                ipv4,
                &["", "0.0.0.0", "192.168.100.254", "255.255.255.255"],
                &["256.1.1.1", "1.2.3", "1.2.3.4.", "1.2.3.1000"],
            ),
            (prefix, &["", "/24", "10.0.0.0/8", "10.0.0.0/32"], &["10.0.0.0", "10.0.0.0/33", "/"]),
            (r"2\.\d+", &["2.17"], &["2", "2.", "2x17", "12.17", "2.17a"]),
            (r"\d+(\.\d+)*", &["1", "1.2.3"], &["", "1.", ".1", "1..2"]),
            (r"\d{4}|\d{8}", &["1234", "12345678"], &["123", "12345"]),
            ("[0-9]{14,15}", &["12345678901234", "123456789012345"], &["1234567890123", "1234567890123456"]),
            ("([0-9]{1,15}?[BKMGT])|", &["", "1B", "123456789012345T"], &["B", "1", "1234567890123456K"]),
            ("[A-Z][A-Z][ OI]", &["DE ", "DEI"], &["DE", "DEX", "de "]),
            (
                "([0-7],){15}[0-7]",
                &["0,1,2,3,4,5,6,7,0,1,2,3,4,5,6,7"],
                &["0,1", "0,1,2,3,4,5,6,7,0,1,2,3,4,5,6,8"],
            ),
            (
                file,
                &["2 Web Content", "X 00D09E ", "X 00D09E anything at all"],
                &["2", "X 00d09e x", "3 Web Content"],
            ),
            (codepoint, &["Null", "63", ":7", "63:0"], &["", "64", ":8", "Nulll"]),
        ] {
            for text in good {
                assert!(matches(pattern, text), "{pattern} should match `{text}`");
            }
            for text in bad {
                assert!(!matches(pattern, text), "{pattern} should not match `{text}`");
            }
        }
    }

    /// Without this a new revision of the model could bring a pattern that refuses every value.
    #[test]
    fn every_pattern_of_the_model_is_within_the_subset() {
        let parameters = Facts::tr181().objects().flat_map(|object| object.parameters());
        let patterns = parameters.flat_map(|parameter| parameter.rule().facets());
        let mut seen = 0;
        for facet in patterns {
            let Facet::Pattern(pattern) = facet else { continue };
            let pattern: Vec<char> = pattern.chars().collect();
            assert!(alternatives(&pattern, &['0'; 40], &vec![true; 41], 0).is_some(), "{pattern:?}");
            seen += 1;
        }
        assert_eq!(seen, 222);
    }

    #[test]
    fn what_is_beyond_the_subset_matches_nothing() {
        for pattern in [
            "(",
            ")",
            "a)",
            "[",
            "[^a]",
            "[]",
            "*",
            "a{2",
            "a{b}",
            "a{3,2}",
            r"\w",
            r"\",
            "a{999999}",
            "((((((((((a))))))))))",
        ] {
            assert!(!matches(pattern, "a"), "{pattern}");
        }
    }

    #[test]
    fn nested_repetition_takes_no_exponential_time() {
        assert!(!matches("((a*)*)*b", &"a".repeat(300)));
    }

    proptest! {
        #[test]
        fn any_pattern_and_text_give_an_answer(pattern in "[a-c\\[\\](){}|?*+.,0-9\\\\^-]{0,20}", text in "[a-c0-9]{0,12}") {
            let _ = matches(&pattern, &text);
        }
    }
}

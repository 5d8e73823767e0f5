//! One key of an INI file that belongs to somebody else.
//!
//! Lines are looked up and replaced in place. A library that reads the file into a structure and writes that out again
//! would lose the comments and change how values are quoted, which the owner of the file may not understand.
//! Values are what stands behind `=`, without the blanks around it; there are no escapes.

use std::ops::Range;

/// The value of a key; `section` is empty for the keys before the first one.
pub(super) fn get<'a>(text: &'a str, section: &str, key: &str) -> Option<&'a str> {
    text.get(find(text, section, key)?.value?)
}

/// The text with another value for a key, which is added at the end of its section where it is missing.
pub(super) fn with(text: &str, section: &str, key: &str, value: &str) -> String {
    let found = find(text, section, key);
    let (before, after, line) = match &found {
        Some(Place { value: Some(value_at), .. }) => {
            (text.get(..value_at.start), text.get(value_at.end..), value.to_owned())
        }
        Some(Place { end, .. }) => (text.get(..*end), text.get(*end..), format!("{key}={value}\n")),
        None => (Some(text), Some(""), format!("[{section}]\n{key}={value}\n")),
    };
    let before = before.unwrap_or(text);
    let is_new_line = found.is_none_or(|place| place.value.is_none());
    let break_before = if is_new_line && !before.is_empty() && !before.ends_with('\n') { "\n" } else { "" };
    [before, break_before, &line, after.unwrap_or("")].concat()
}

/// Where a section is.
struct Place {
    /// Where the value is; `None` where the section has no such key.
    value: Option<Range<usize>>,
    /// Behind the last line of the section that holds something.
    end: usize,
}

fn find(text: &str, section: &str, key: &str) -> Option<Place> {
    let mut place = section.is_empty().then_some(Place { value: None, end: 0 });
    let (mut inside, mut at) = (section.is_empty(), 0);
    for line in text.split_inclusive('\n') {
        let (start, content) = (at, line.trim());
        at += line.len();
        if let Some(name) = content.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            inside = name.0.trim() == section;
            if inside && place.is_none() {
                place = Some(Place { value: None, end: at });
            }
            continue;
        }
        let Some(place) = place.as_mut().filter(|_| inside && !content.is_empty()) else { continue };
        place.end = at;
        if content.starts_with(['#', ';']) {
            continue;
        }
        let Some((name, value)) = line.split_once('=').filter(|(name, _)| name.trim() == key) else {
            continue;
        };
        let from = start + name.len() + 1 + (value.len() - value.trim_start_matches([' ', '\t']).len());
        let length = value.trim().len();
        place.value = Some(from..from + length);
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "; ours\ntop = 1\n[Time]\n# NTP=commented\nNTP = a b  \nRoot=\n\n[Other]\nNTP=c";

    #[test]
    fn values_are_found_in_their_section() {
        assert_eq!(get(FILE, "Time", "NTP"), Some("a b"));
        assert_eq!(get(FILE, "Time", "Root"), Some(""));
        assert_eq!(get(FILE, "Other", "NTP"), Some("c"));
        assert_eq!(get(FILE, "", "top"), Some("1"));
        assert_eq!(get(FILE, "", "NTP"), None);
        assert_eq!(get(FILE, "Time", "top"), None);
        assert_eq!(get(FILE, "Nowhere", "NTP"), None);
    }

    #[test]
    fn only_the_value_changes() {
        assert_eq!(with(FILE, "Time", "NTP", "x"), FILE.replace("a b", "x"));
        assert_eq!(with(FILE, "Time", "Root", "x"), FILE.replace("Root=", "Root=x"));
        assert_eq!(with(FILE, "Time", "New", "x"), FILE.replace("Root=\n", "Root=\nNew=x\n"));
        assert_eq!(with(FILE, "Other", "New", "x"), format!("{FILE}\nNew=x\n"));
        assert_eq!(with(FILE, "More", "k", "x"), format!("{FILE}\n[More]\nk=x\n"));
        assert_eq!(with("", "", "k", "x"), "k=x\n");
        assert_eq!(with("", "S", "k", "x"), "[S]\nk=x\n");
        for (section, key) in [("Time", "NTP"), ("Time", "New"), ("", "new"), ("More", "k"), ("Other", "NTP")]
        {
            assert_eq!(get(&with(FILE, section, key, "v"), section, key), Some("v"), "{section} {key}");
        }
    }
}

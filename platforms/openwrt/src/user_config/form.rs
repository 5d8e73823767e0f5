//! How a section of the configuration looks in UCI:
//!
//! ```text
//! config cwmpd 'cwmpd'
//!         option log_level 'info'
//!
//! config object 'ManagementServer_InformParameter_1'
//!         option path 'ManagementServer.InformParameter.1'
//!         option Enable 'true'
//!         list entry 'X-Vendor-Key=what a key needs that UCI has no name for'
//! ```
//!
//! `[cwmpd]` has a type of its own; any other section is an `object`, called by its name, or by `path` where UCI cannot have
//! that as a name. Values stand as they are. What UCI cannot have so (a key with other characters than letters, digits and `_`,
//! `path` and `entry` themselves, an empty value, control characters) is an `entry`, `key=value`, in which a backslash
//! takes the character after it as it is, and `\x1b` stands for a control character.

use std::collections::BTreeMap;

use cwmp_uci::{Package, Section, is_name, is_value};

use super::{Odd, Sections};

/// Type and name of the section for `[cwmpd]`.
pub(super) const OWN: &str = "cwmpd";
/// Type of all other sections.
pub(super) const OBJECT: &str = "object";
/// The option with the name of the section.
pub(super) const PATH: &str = "path";
/// The list of what UCI has no option for.
pub(super) const ENTRY: &str = "entry";

/// The section of the configuration that a section of the file stands for; `None` for one that is not the agent's, or that says
/// nowhere what it is.
pub(super) fn path(section: &Section) -> Option<&str> {
    match section.kind() {
        OWN => Some(OWN),
        OBJECT => section.get(PATH).or((!section.is_anonymous()).then(|| section.name())),
        _ => None,
    }
}

/// Whether a section of the file is the agent's.
pub(super) fn is_ours(section: &Section) -> bool {
    [OWN, OBJECT].contains(&section.kind())
}

/// Whether a key can be an option of its own with this value.
pub(super) fn is_plain(key: &str, value: &str) -> bool {
    is_name(key.as_bytes()) && ![PATH, ENTRY].contains(&key) && !value.is_empty() && is_value(value)
}

/// The agent's sections in a package, and what of them cannot be used.
pub(super) fn read(package: &Package) -> (Sections, Vec<Odd>) {
    let (mut sections, mut odd) = (Sections::new(), Vec::new());
    for section in package.sections().iter().filter(|section| is_ours(section)) {
        let Some(path) = path(section) else {
            let reason = "it has neither a name nor a path; it is not used";
            odd.push(Odd { section: section.name().to_owned(), key: String::new(), reason });
            continue;
        };
        let keys: &mut BTreeMap<String, String> = sections.entry(path.to_owned()).or_default();
        let mut add = |key: String, value: String| {
            if keys.insert(key.clone(), value).is_some() {
                let reason = "given more than once; the last one counts";
                odd.push(Odd { section: path.to_owned(), key, reason });
            }
        };
        let mut malformed = 0;
        for option in section.options() {
            match option.name() {
                PATH if section.kind() == OBJECT => {}
                ENTRY => {
                    for text in option.values() {
                        match decode(text) {
                            Some((key, value)) => add(key, value),
                            None => malformed += 1,
                        }
                    }
                }
                // The settings that are lists have commas between their items.
                name => add(name.to_owned(), option.values().collect::<Vec<_>>().join(",")),
            }
        }
        if malformed > 0 {
            let reason = "it must be KEY=VALUE, with \\\\ for a backslash; it is not used";
            odd.push(Odd { section: path.to_owned(), key: ENTRY.to_owned(), reason });
        }
    }
    (sections, odd)
}

/// `key=value` for the list of entries.
pub(super) fn encode(key: &str, value: &str) -> String {
    let mut out = String::with_capacity(key.len() + value.len() + 1);
    for c in key.chars() {
        match c {
            '=' => out.push_str("\\="),
            c => escape(c, &mut out),
        }
    }
    out.push('=');
    value.chars().for_each(|c| escape(c, &mut out));
    out
}

fn escape(c: char, out: &mut String) {
    match c {
        '\\' => out.push_str("\\\\"),
        c if is_value(c.encode_utf8(&mut [0; 4])) => out.push(c),
        // What libuci refuses lies below U+0020.
        c => {
            out.push_str("\\x");
            for digit in [u32::from(c) >> 4, u32::from(c) & 15] {
                out.extend(char::from_digit(digit, 16));
            }
        }
    }
}

/// The key and the value of an entry.
pub(super) fn decode(entry: &str) -> Option<(String, String)> {
    let (mut key, mut value) = (String::new(), None);
    let mut chars = entry.chars();
    while let Some(c) = chars.next() {
        let c = match c {
            '=' if value.is_none() => {
                value = Some(String::new());
                continue;
            }
            '\\' => match chars.next()? {
                'x' => {
                    let (high, low) = (chars.next()?.to_digit(16)?, chars.next()?.to_digit(16)?);
                    char::from_u32(high * 16 + low)?
                }
                c => c,
            },
            c => c,
        };
        value.as_mut().unwrap_or(&mut key).push(c);
    }
    value.map(|value| (key, value))
}

//! What names, types and values may hold: the rules of libuci.

use crate::{UciError, limits};

/// Checks the name of a package: letters, digits, `_` and `-`. It is the name of a file, and can be no path.
pub(crate) fn package(name: &str) -> Result<(), UciError> {
    let good = word(name.as_bytes(), |byte| byte == b'-');
    good.then_some(()).ok_or_else(|| {
        UciError::refused(name.escape_default().to_string(), "a package's name is letters, digits, _ and -")
    })
}

/// Whether this can be the name of a section or an option: letters, digits and `_`.
#[must_use]
pub fn is_name(name: &[u8]) -> bool {
    word(name, |_| false)
}

/// Whether this can be the name of a package.
pub(crate) fn is_package(name: &[u8]) -> bool {
    word(name, |byte| byte == b'-')
}

/// Whether this can be the type of a section: any visible ASCII character.
pub(crate) fn is_kind(kind: &[u8]) -> bool {
    word(kind, |byte| byte.is_ascii_graphic())
}

/// Whether a program may set this value: libuci refuses control characters but for line breaks and tabs.
#[must_use]
pub fn is_value(value: &str) -> bool {
    value.bytes().all(|byte| byte >= b' ' || matches!(byte, b'\t' | b'\n' | b'\r'))
}

fn word(text: &[u8], also: impl Fn(u8) -> bool) -> bool {
    let good = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || also(*byte);
    (1..=limits::NAME_BYTES).contains(&text.len()) && text.iter().all(good)
}

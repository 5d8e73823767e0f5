//! Lexical forms of the types (XML Schema part 2, as TR-106 uses it): what is a value, and its canonical form.

use std::borrow::Cow;

use cwmp_core::{datetime::DateTime, value::ValueType};

/// The canonical form of a value of a type: integers without `+` and leading zeros, booleans as `true` and `false`,
/// dateTime in UTC, hexBinary in upper case. Blanks around anything but a string do not count.
///
/// # Errors
/// What the text would have to be.
pub fn canonical(value_type: ValueType, text: &str) -> Result<Cow<'_, str>, &'static str> {
    let trimmed = text.trim_matches(is_blank);
    match value_type {
        ValueType::String if text.chars().all(is_xml) => Ok(Cow::Borrowed(text)),
        ValueType::String => Err("no control characters"),
        ValueType::Int => {
            integer(trimmed, i32::MIN.into(), i32::MAX.into(), "an int from -2147483648 to 2147483647")
        }
        ValueType::UnsignedInt => integer(trimmed, 0, u32::MAX.into(), "an unsignedInt from 0 to 4294967295"),
        ValueType::Long => integer(trimmed, i64::MIN.into(), i64::MAX.into(), "a long of 64 bits"),
        ValueType::UnsignedLong => integer(trimmed, 0, u64::MAX.into(), "an unsignedLong of 64 bits"),
        ValueType::Boolean => match trimmed {
            "0" | "false" => Ok(Cow::Borrowed("false")),
            "1" | "true" => Ok(Cow::Borrowed("true")),
            _ => Err("0, 1, false or true"),
        },
        ValueType::DateTime => date_time(trimmed),
        ValueType::Base64 => {
            let compact: String = trimmed.chars().filter(|c| !is_blank(*c)).collect();
            base64_length(&compact).map(|_| Cow::Owned(compact)).ok_or("base64 with its padding")
        }
        ValueType::HexBinary => {
            let is_hex = trimmed.len().is_multiple_of(2) && trimmed.bytes().all(|b| b.is_ascii_hexdigit());
            if is_hex {
                Ok(Cow::Owned(trimmed.to_ascii_uppercase()))
            } else {
                Err("an even number of hexadecimal digits")
            }
        }
        ValueType::Decimal => decimal(trimmed),
    }
}

/// Length of a canonical value as the model counts it: characters of a string, bytes of what is binary.
#[must_use]
pub fn length(value_type: ValueType, canonical: &str) -> Option<u64> {
    let length = match value_type {
        ValueType::String => canonical.chars().count(),
        ValueType::Base64 => base64_length(canonical)?,
        ValueType::HexBinary => canonical.len() / 2,
        _ => return None,
    };
    u64::try_from(length).ok()
}

/// The blanks of XML.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// Whether XML 1.0 can carry the character.
fn is_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

fn integer<'a>(
    text: &'a str,
    least: i128,
    most: i128,
    what: &'static str,
) -> Result<Cow<'a, str>, &'static str> {
    let number: i128 = text.parse().map_err(|_| what)?;
    let is_canonical = !text.starts_with(['+', '0']) && !text.starts_with("-0") || text == "0";
    match (least..=most).contains(&number) {
        true if is_canonical => Ok(Cow::Borrowed(text)),
        true => Ok(Cow::Owned(number.to_string())),
        false => Err(what),
    }
}

/// Year 1 without a zone counts time since boot (TR-106 "Date and Time Rules") and stays as it is.
fn date_time(text: &str) -> Result<Cow<'_, str>, &'static str> {
    let parsed = DateTime::parse(text).map_err(|_| "a dateTime such as 2026-01-31T12:00:00Z")?;
    let since_boot = text
        .strip_prefix("0001-")
        .is_some_and(|rest| !rest.contains(['Z', '+']) && rest.matches('-').count() == 1);
    if since_boot { Ok(Cow::Borrowed(text)) } else { Ok(Cow::Owned(parsed.to_string())) }
}

fn decimal(text: &str) -> Result<Cow<'_, str>, &'static str> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !is_digits(whole) || !is_digits(fraction) {
        return Err("a decimal number such as 1.5");
    }
    let whole = Some(whole.trim_start_matches('0')).filter(|whole| !whole.is_empty()).unwrap_or("0");
    let fraction = fraction.trim_end_matches('0');
    let sign = if whole == "0" && fraction.is_empty() { "" } else { sign };
    let point = if fraction.is_empty() { "" } else { "." };
    Ok(Cow::Owned([sign, whole, point, fraction].concat()))
}

/// Number of bytes that base64 without blanks stands for.
fn base64_length(text: &str) -> Option<usize> {
    let body = text.trim_end_matches('=');
    let padding = text.len() - body.len();
    let is_body = body.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/');
    (text.len().is_multiple_of(4) && padding <= 2 && is_body).then(|| text.len() / 4 * 3 - padding)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Conformance: 9.02, 9.03, 9.04, 9.05, 9.07
    #[test]
    fn forms_of_each_type() {
        use ValueType::*;
        for (value_type, text, wanted) in [
            (Int, "+5", Some("5")),
            (Int, " 5 ", Some("5")),
            (Int, "\n-007\t", Some("-7")),
            (Int, "-0", Some("0")),
            (Int, "2147483648", None),
            (Int, "5.0", None),
            (Int, "", None),
            (Int, "5 5", None),
            (Int, "--5", None),
            (UnsignedInt, "4294967295", Some("4294967295")),
            (UnsignedInt, "4294967296", None),
            (UnsignedInt, "-1", None),
            (UnsignedInt, "-0", Some("0")),
            (UnsignedInt, "000", Some("0")),
            (Long, "9223372036854775808", None),
            (Long, "-9223372036854775808", Some("-9223372036854775808")),
            (UnsignedLong, "18446744073709551615", Some("18446744073709551615")),
            (UnsignedLong, "18446744073709551616", None),
            (UnsignedLong, "999999999999999999999999999999999999999999999", None),
            (Boolean, "1", Some("true")),
            (Boolean, " false ", Some("false")),
            (Boolean, "TRUE", None),
            (Boolean, "True", None),
            (Boolean, "yes", None),
            (Boolean, "2", None),
            (Boolean, "", None),
            (DateTime, "2024-02-29T12:00:00Z", Some("2024-02-29T12:00:00Z")),
            (DateTime, "2024-02-29T14:00:00+02:00", Some("2024-02-29T12:00:00Z")),
            (DateTime, "0001-01-01T00:00:00Z", Some("0001-01-01T00:00:00Z")),
            (DateTime, "9999-12-31T23:59:59Z", Some("9999-12-31T23:59:59Z")),
            (DateTime, "0001-01-02T03:04:05", Some("0001-01-02T03:04:05")),
            (DateTime, "2023-02-30T00:00:00Z", None),
            (DateTime, "", None),
            (Base64, "", Some("")),
            (Base64, "QUJD", Some("QUJD")),
            (Base64, " QU\nJD ", Some("QUJD")),
            (Base64, "QUI=", Some("QUI=")),
            (Base64, "QUI", None),
            (Base64, "Q===", None),
            (Base64, "QU=I", None),
            (Base64, "QU-_", None),
            (HexBinary, "0aFF", Some("0AFF")),
            (HexBinary, "0aF", None),
            (HexBinary, "0g", None),
            (HexBinary, "", Some("")),
            (Decimal, "+01.50", Some("1.5")),
            (Decimal, "-.5", Some("-0.5")),
            (Decimal, "5.", Some("5")),
            (Decimal, "-0.0", Some("0")),
            (Decimal, ".", None),
            (Decimal, "1e5", None),
            (Decimal, "", None),
            (String, "  a\u{e9} ", Some("  a\u{e9} ")),
            (String, "a\u{0}b", None),
            (String, "a\u{1b}b", None),
        ] {
            let is = canonical(value_type, text).ok();
            assert_eq!(is.as_deref(), wanted, "{value_type:?} `{text}`");
        }
    }

    #[test]
    fn lengths_count_characters_or_bytes() {
        assert_eq!(length(ValueType::String, "\u{e9}\u{4e2d}"), Some(2));
        assert_eq!(length(ValueType::Base64, "QUI="), Some(2));
        assert_eq!(length(ValueType::HexBinary, "0AFF"), Some(2));
        assert_eq!(length(ValueType::Int, "5"), None);
    }

    proptest! {
        #[test]
        fn a_canonical_form_is_its_own_canonical_form(number in 0..10_usize, text in "[-+]?[0-9A-Fa-f. ]{0,9}|true|\\PC{0,9}") {
            let value_type = ValueType::ALL[number];
            if let Ok(once) = canonical(value_type, &text) {
                prop_assert_eq!(canonical(value_type, &once), Ok(Cow::Borrowed(once.as_ref())));
            }
        }
    }
}

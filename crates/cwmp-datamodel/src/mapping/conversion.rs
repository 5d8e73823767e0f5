//! The named conversions of mapping files: from the text of a source to the value of a parameter, and back.
//!
//! A text that a conversion can make nothing of has no value: the parameter is left out.

use std::{borrow::Cow, net::IpAddr};

use cwmp_core::{datetime::DateTime, time::Wall, value::ValueType};

use super::syntax::Call;

/// One conversion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Conversion {
    Trim,
    Unquote,
    Line(usize),
    Key(String),
    Column { line: Option<String>, number: usize },
    Upper,
    Lower,
    Mac,
    Ip,
    List,
    Bool { yes: String, no: String },
    AnyBool,
    Enum(Vec<(String, String)>),
    Number,
    Milli,
    Hex,
    Kib,
    Seconds,
    DateTime,
}

/// What a conversion gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Yields {
    /// A piece of the text, of which nothing more is known.
    Text,
    /// A text with a form of its own.
    String,
    List,
    Integer,
    Boolean,
    DateTime,
}

impl Conversion {
    /// The conversion that a call names.
    ///
    /// # Errors
    /// What the call would have to be.
    pub(super) fn of(call: &Call) -> Result<Self, String> {
        let plain = match call.name.as_str() {
            "trim" => Self::Trim,
            "unquote" => Self::Unquote,
            "upper" => Self::Upper,
            "lower" => Self::Lower,
            "mac" => Self::Mac,
            "ip" => Self::Ip,
            "list" => Self::List,
            "number" => Self::Number,
            "milli" => Self::Milli,
            "hex" => Self::Hex,
            "kib" => Self::Kib,
            "seconds" => Self::Seconds,
            "datetime" => Self::DateTime,
            "bool" if call.arguments.is_empty() => Self::AnyBool,
            _ => return Self::with_arguments(call),
        };
        call.exactly::<0>().map(|_| plain)
    }

    fn with_arguments(call: &Call) -> Result<Self, String> {
        let place = |text: &String| {
            text.parse()
                .ok()
                .filter(|number: &usize| *number > 0)
                .ok_or(format!("`{text}` is no number from 1 on"))
        };
        match (call.name.as_str(), call.arguments.as_slice()) {
            ("line", [number]) => Ok(Self::Line(place(number)?)),
            ("key", [key]) => Ok(Self::Key(key.clone())),
            ("column", [number]) => Ok(Self::Column { line: None, number: place(number)? }),
            ("column", [line, number]) => {
                Ok(Self::Column { line: Some(line.clone()), number: place(number)? })
            }
            ("bool", [yes, no]) => Ok(Self::Bool { yes: yes.clone(), no: no.clone() }),
            ("enum", pairs @ [_, ..]) => pairs.iter().map(pair).collect::<Result<_, _>>().map(Self::Enum),
            ("line" | "key", _) => call.exactly::<1>().map(|_| Self::Trim),
            ("bool", _) => call.exactly::<2>().map(|_| Self::Trim),
            ("column", _) => {
                Err("`column` takes a number, or the first word of a line and a number".to_owned())
            }
            ("enum", _) => Err("`enum` takes pairs such as up=Up".to_owned()),
            (other, _) => Err(format!("there is no conversion `{other}`")),
        }
    }

    /// What comes out of it.
    pub(super) fn yields(&self) -> Yields {
        match self {
            Self::Trim
            | Self::Unquote
            | Self::Line(_)
            | Self::Key(_)
            | Self::Column { .. }
            | Self::Enum(_) => Yields::Text,
            Self::Upper | Self::Lower | Self::Mac | Self::Ip => Yields::String,
            Self::List => Yields::List,
            Self::Number | Self::Milli | Self::Hex | Self::Kib | Self::Seconds => Yields::Integer,
            Self::Bool { .. } | Self::AnyBool => Yields::Boolean,
            Self::DateTime => Yields::DateTime,
        }
    }

    /// The value that a text stands for.
    pub(super) fn read<'t>(&self, text: Cow<'t, str>) -> Option<Cow<'t, str>> {
        let trimmed = text.trim();
        let made: String = match self {
            Self::Trim => trimmed.to_owned(),
            Self::Unquote => unquoted(trimmed).to_owned(),
            Self::Line(number) => text.lines().nth(number - 1)?.trim().to_owned(),
            Self::Key(key) => text.lines().find_map(|line| after_key(line, key))?.to_owned(),
            Self::Column { line, number } => {
                let mut lines = text.lines();
                let line = match line {
                    None => lines.next()?,
                    Some(first) => lines.find(|line| begins_with(line, first))?,
                };
                line.split_whitespace().nth(number - 1)?.to_owned()
            }
            Self::Upper => trimmed.to_ascii_uppercase(),
            Self::Lower => trimmed.to_ascii_lowercase(),
            Self::Mac => mac(trimmed)?,
            Self::Ip => {
                let address = trimmed.split(['/', '%']).next()?;
                address.parse::<IpAddr>().ok()?.to_string()
            }
            Self::List => {
                let words =
                    text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty());
                words.collect::<Vec<_>>().join(",")
            }
            Self::Bool { yes, no } => match trimmed {
                _ if trimmed == yes => "true".to_owned(),
                _ if trimmed == no => "false".to_owned(),
                _ => return None,
            },
            Self::AnyBool => boolean(trimmed)?.to_string(),
            Self::Enum(pairs) => {
                pairs.iter().find(|(theirs, _)| theirs == trimmed || theirs == "*")?.1.clone()
            }
            Self::Number => number(trimmed)?.0.to_string(),
            Self::Milli => (number(trimmed)?.0 / 1000).to_string(),
            Self::Hex => {
                let digits = trimmed.strip_prefix("0x").or(trimmed.strip_prefix("0X")).unwrap_or(trimmed);
                u64::from_str_radix(digits, 16).ok()?.to_string()
            }
            Self::Kib => kib(trimmed)?.to_string(),
            Self::Seconds => seconds(trimmed)?.to_string(),
            Self::DateTime => match i64::try_from(number(trimmed)?.0).ok()? {
                seconds if seconds > 0 => DateTime::At(Wall::from_seconds(seconds)).to_string(),
                _ => DateTime::Unknown.to_string(),
            },
        };
        Some(Cow::Owned(made))
    }

    /// Whether [`Conversion::write`] can undo it.
    pub(super) fn is_reversible(&self) -> bool {
        !matches!(self, Self::Milli | Self::Hex | Self::Kib | Self::Seconds | Self::DateTime)
    }

    /// The text for a value that the ACS sets. What only picks a piece of the text has nothing to undo.
    pub(super) fn write(&self, value: String) -> Option<String> {
        Some(match self {
            Self::Bool { yes, no } => if value == "true" { yes } else { no }.clone(),
            Self::AnyBool => if value == "true" { "1" } else { "0" }.to_owned(),
            Self::List => value.replace(',', " "),
            Self::Enum(pairs) => {
                pairs.iter().find(|(theirs, ours)| *ours == value && theirs != "*")?.0.clone()
            }
            _ if self.is_reversible() => value,
            _ => return None,
        })
    }
}

/// Whether the result of a conversion can be a value of this type.
pub(super) fn fits(yields: Yields, value_type: ValueType, is_list: bool) -> bool {
    use ValueType::{Decimal, Int, Long, UnsignedInt, UnsignedLong};
    match yields {
        Yields::Text => true,
        Yields::String => value_type == ValueType::String,
        Yields::List => value_type == ValueType::String && is_list,
        Yields::Integer => [Int, UnsignedInt, Long, UnsignedLong, Decimal].contains(&value_type),
        Yields::Boolean => value_type == ValueType::Boolean,
        Yields::DateTime => value_type == ValueType::DateTime,
    }
}

fn pair(text: &String) -> Result<(String, String), String> {
    let (theirs, ours) = text.split_once('=').ok_or_else(|| format!("`{text}` is no pair such as up=Up"))?;
    Ok((theirs.trim().to_owned(), ours.trim().to_owned()))
}

fn unquoted(text: &str) -> &str {
    let inner = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    inner('"').or_else(|| inner('\'')).unwrap_or(text)
}

/// `MemTotal:  5 kB`, `ID=debian`.
fn after_key<'l>(line: &'l str, key: &str) -> Option<&'l str> {
    let rest = line.trim_start().strip_prefix(key)?.trim_start();
    rest.strip_prefix([':', '=']).map(str::trim)
}

/// Whether the first word of a line is this one, a colon at its end left aside.
fn begins_with(line: &str, word: &str) -> bool {
    line.split_whitespace().next().is_some_and(|first| first.trim_end_matches(':') == word)
}

fn mac(text: &str) -> Option<String> {
    let digits: Vec<char> = text.chars().filter(|c| !":-.".contains(*c)).collect();
    if digits.len() != 12 || !digits.iter().all(char::is_ascii_hexdigit) {
        return None;
    }
    let pairs: Vec<String> =
        digits.chunks(2).map(|pair| pair.iter().collect::<String>().to_ascii_uppercase()).collect();
    Some(pairs.join(":"))
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" | "enabled" | "up" => Some(true),
        "0" | "false" | "no" | "off" | "disabled" | "down" | "" => Some(false),
        _ => None,
    }
}

/// The integer that a text begins with, without its fraction, and what follows it.
fn number(text: &str) -> Option<(i128, &str)> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let end = unsigned.find(|c: char| !c.is_ascii_digit()).unwrap_or(unsigned.len());
    let (digits, rest) = unsigned.split_at_checked(end)?;
    let magnitude: i128 = digits.parse().ok()?;
    let rest = match rest.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => rest,
    };
    Some((if text.starts_with('-') { -magnitude } else { magnitude }, rest.trim()))
}

/// A size in KiB: of bytes, or with a unit whose steps are 1024, as the kernel has them.
fn kib(text: &str) -> Option<i128> {
    let (size, unit) = number(text)?;
    let unit = unit.trim_end_matches(['B', 'b']).trim_end_matches('i');
    match unit {
        "" => Some(size / 1024),
        "k" | "K" => Some(size),
        "M" => size.checked_mul(1024),
        "G" => size.checked_mul(1024 * 1024),
        "T" => size.checked_mul(1024 * 1024 * 1024),
        _ => None,
    }
}

/// A stretch of time in seconds: without a unit, or in one of `ms`, `s`, `m`, `h` and `d`.
fn seconds(text: &str) -> Option<i128> {
    let (length, unit) = number(text)?;
    match unit {
        "" | "s" => Some(length),
        "ms" => Some(length / 1000),
        "m" | "min" => length.checked_mul(60),
        "h" => length.checked_mul(3600),
        "d" => length.checked_mul(86_400),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversion(name: &str, arguments: &[&str]) -> Result<Conversion, String> {
        let arguments = arguments.iter().map(ToString::to_string).collect();
        Conversion::of(&Call { name: name.to_owned(), arguments })
    }

    #[test]
    fn what_each_makes_of_a_text() {
        let meminfo = "MemTotal:   4030124 kB\nMemFree: 5 kB\n";
        for (name, arguments, text, wanted) in [
            ("trim", &[][..], " a b\n", Some("a b")),
            ("unquote", &[], "\"Router OS\"\n", Some("Router OS")),
            ("unquote", &[], "'a\"", Some("'a\"")),
            ("line", &["2"], "a\n b \nc", Some("b")),
            ("line", &["4"], "a\nb\nc", None),
            ("key", &["MemFree"], meminfo, Some("5 kB")),
            ("key", &["Mem"], meminfo, None),
            ("key", &["ID"], "VERSION_ID=1\nID=debian\n", Some("debian")),
            ("column", &["2"], "1.5 2.5 3\nx y", Some("2.5")),
            ("column", &["3"], "1.5 2.5", None),
            ("column", &["eth0", "3"], "lo: 1 2\n eth0: 3 4", Some("4")),
            ("upper", &[], "aB", Some("AB")),
            ("lower", &[], "aB", Some("ab")),
            ("mac", &[], "00:1a:2b:3c:4d:5e\n", Some("00:1A:2B:3C:4D:5E")),
            ("mac", &[], "001a-2b3c.4d5e", Some("00:1A:2B:3C:4D:5E")),
            ("mac", &[], "00:1a:2b:3c:4d", None),
            ("mac", &[], "00:1a:2b:3c:4d:5\u{e9}", None),
            ("ip", &[], "10.0.0.1/24", Some("10.0.0.1")),
            ("ip", &[], "FE80:0::1%eth0", Some("fe80::1")),
            ("ip", &[], "10.0.0", None),
            ("list", &[], "a b,\n c", Some("a,b,c")),
            ("list", &[], "\n", Some("")),
            ("bool", &[], "Yes", Some("true")),
            ("bool", &[], "0\n", Some("false")),
            ("bool", &[], "maybe", None),
            ("bool", &["Y", "N"], "N", Some("false")),
            ("bool", &["Y", "N"], "1", None),
            ("enum", &["up = Up", "down=Down"], "down\n", Some("Down")),
            ("enum", &["up=Up", "*=Unknown"], "odd", Some("Unknown")),
            ("enum", &["up=Up"], "odd", None),
            ("number", &[], "-12.7 V", Some("-12")),
            ("number", &[], "many", None),
            ("number", &[], "99999999999999999999999999999999999999999", None),
            ("milli", &[], "45500", Some("45")),
            ("hex", &[], "0x1F", Some("31")),
            ("hex", &[], "xyz", None),
            ("kib", &[], "4030124 kB", Some("4030124")),
            ("kib", &[], "2 GiB", Some("2097152")),
            ("kib", &[], "4096", Some("4")),
            ("kib", &[], "4 furlongs", None),
            ("seconds", &[], "93784.25 180000.00", None),
            ("seconds", &[], "93784.25", Some("93784")),
            ("seconds", &[], "2h", Some("7200")),
            ("seconds", &[], "1500 ms", Some("1")),
            ("datetime", &[], "1782907200", Some("2026-07-01T12:00:00Z")),
            ("datetime", &[], "0", Some("0001-01-01T00:00:00Z")),
        ] {
            let read = conversion(name, arguments).unwrap().read(Cow::Borrowed(text));
            assert_eq!(read.as_deref(), wanted, "{name}{arguments:?} of `{text}`");
        }
    }

    #[test]
    fn what_goes_back() {
        for (name, arguments, value, wanted) in [
            ("trim", &[][..], "a", Some("a")),
            ("key", &["K"], "a", Some("a")),
            ("bool", &[], "true", Some("1")),
            ("bool", &["Y", "N"], "false", Some("N")),
            ("enum", &["up=Up", "*=Unknown"], "Up", Some("up")),
            ("enum", &["up=Up", "*=Unknown"], "Unknown", None),
            ("list", &[], "a,b", Some("a b")),
            ("kib", &[], "4", None),
        ] {
            let conversion = conversion(name, arguments).unwrap();
            assert_eq!(
                conversion.write(value.to_owned()).as_deref(),
                wanted,
                "{name}{arguments:?} of `{value}`"
            );
        }
    }

    #[test]
    fn calls_that_are_wrong() {
        for (name, arguments, wanted) in [
            ("dance", &[][..], "there is no conversion `dance`"),
            ("trim", &["x"], "`trim` takes 0 arguments, not 1"),
            ("key", &[], "`key` takes 1 arguments, not 0"),
            ("line", &["0"], "`0` is no number from 1 on"),
            ("column", &["a", "b", "c"], "`column` takes a number, or the first word of a line and a number"),
            ("bool", &["a"], "`bool` takes 2 arguments, not 1"),
            ("enum", &[], "`enum` takes pairs such as up=Up"),
            ("enum", &["up"], "`up` is no pair such as up=Up"),
        ] {
            assert_eq!(conversion(name, arguments).unwrap_err(), wanted);
        }
    }
}

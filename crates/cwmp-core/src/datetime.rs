//! dateTime values (TR-106 "Date and Time Rules"): UTC, Unknown Time, infinite time, time since boot.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::time::Wall;

/// A dateTime of CWMP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DateTime {
    /// `0001-01-01T00:00:00Z`: not known, or not applicable.
    Unknown,
    /// `9999-12-31T23:59:59Z`: never ends.
    Infinite,
    /// A moment in UTC.
    At(Wall),
}

/// Why a text is no dateTime.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no dateTime such as 2026-01-31T12:00:00Z")]
pub struct DateTimeError(pub String);

const UNKNOWN: &str = "0001-01-01T00:00:00Z";
const INFINITE: &str = "9999-12-31T23:59:59Z";
const MS_PER_DAY: i64 = 86_400_000;

impl DateTime {
    /// Parses the XML Schema form. A missing zone is read as UTC; offsets are converted.
    ///
    /// # Errors
    /// [`DateTimeError`] with the text where it is no such form or no such day.
    pub fn parse(text: &str) -> Result<Self, DateTimeError> {
        let text = text.trim();
        let error = || DateTimeError(text.chars().take(40).collect());
        // By the moment, for zones and fractions give it other spellings.
        match parse_fields(text).ok_or_else(error)? {
            ms if ms == at(1, 1, 1, 0) => Ok(Self::Unknown),
            ms if ms == at(9999, 12, 31, MS_PER_DAY - 1000) => Ok(Self::Infinite),
            // A zone can carry a date out of the years that are written.
            ms if (at(1, 1, 1, 0)..at(1_000_000, 1, 1, 0)).contains(&ms) => Ok(Self::At(Wall(ms))),
            _ => Err(error()),
        }
    }
}

/// A day and milliseconds of it as milliseconds since 1970.
fn at(year: i64, month: i64, day: i64, ms: i64) -> i64 {
    days_from_civil(year, month, day) * MS_PER_DAY + ms
}

fn parse_fields(text: &str) -> Option<i64> {
    let (date, rest) = text.split_once('T')?;
    let mut parts = date.splitn(3, '-');
    let (year, month, day) =
        (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let zone_at = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at_checked(zone_at)?;
    let (clock, fraction) = clock.split_once('.').map_or((clock, None), |(c, f)| (c, Some(f)));
    let mut parts = clock.splitn(3, ':');
    let (hour, minute, second) =
        (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    if year == 0 || !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) {
        return None;
    }
    let end_of_day = hour == 24 && minute == 0 && second == 0;
    if (hour > 23 && !end_of_day) || minute > 59 || second > 59 {
        return None;
    }
    let ms = match fraction {
        None => 0,
        Some(f) if !f.is_empty() && f.bytes().all(|b| b.is_ascii_digit()) => {
            f.bytes().chain([b'0'; 3]).take(3).fold(0, |n, b| n * 10 + i64::from(b - b'0'))
        }
        Some(_) => return None,
    };
    let offset_minutes = match zone {
        "" | "Z" => 0,
        _ => {
            let (sign, span) = match zone.split_at_checked(1)? {
                ("+", span) => (1, span),
                (_, span) => (-1, span),
            };
            let (h, m) = span.split_once(':')?;
            let (h, m) = (digits(h, 2)?, digits(m, 2)?);
            if h > 14 || m > 59 {
                return None;
            }
            sign * (h * 60 + m)
        }
    };
    let seconds = hour * 3600 + (minute - offset_minutes) * 60 + second;
    Some(at(year, month, day, seconds * 1000 + ms))
}

/// Exactly `width` digits; years may have more where the first is not zero.
fn digits(text: &str, width: usize) -> Option<i64> {
    let long_year = width == 4 && (5..=6).contains(&text.len()) && !text.starts_with('0');
    let fits = text.len() == width || long_year;
    (fits && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a day of the Gregorian calendar (year, month 1 to 12, day from 1), counted in eras of 400
/// years that begin in March.
#[must_use]
pub fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Year, month and day of a day counted from 1970-01-01.
#[must_use]
pub fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + z.div_euclid(146_097) * 400 + i64::from(month <= 2);
    (year, month, day)
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Wall(ms) = match self {
            Self::Unknown => return f.write_str(UNKNOWN),
            Self::Infinite => return f.write_str(INFINITE),
            Self::At(wall) => *wall,
        };
        let (year, month, day) = civil_from_days(ms.div_euclid(MS_PER_DAY));
        let of_day = ms.rem_euclid(MS_PER_DAY);
        let (seconds, ms) = (of_day / 1000, of_day % 1000);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if ms != 0 {
            write!(f, ".{ms:03}")?;
        }
        f.write_str("Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn forms_that_an_acs_sends() {
        let at = |text: &str| DateTime::parse(text).unwrap();
        assert_eq!(at("1970-01-01T00:00:00Z"), DateTime::At(Wall(0)));
        assert_eq!(at("2024-02-29T12:00:00Z"), DateTime::At(Wall(1_709_208_000_000)));
        assert_eq!(at("2024-02-29T14:00:00+02:00"), at("2024-02-29T12:00:00Z"));
        assert_eq!(at("2024-02-29T12:00:00.250Z"), DateTime::At(Wall(1_709_208_000_250)));
        assert_eq!(at("2024-02-29T12:00:00"), at("2024-02-29T12:00:00Z"));
        assert_eq!(at("2024-02-29T24:00:00Z"), at("2024-03-01T00:00:00Z"));
        assert_eq!(at(UNKNOWN), DateTime::Unknown);
        assert_eq!(at(INFINITE), DateTime::Infinite);
        assert_eq!(at("0001-01-01T00:00:00"), DateTime::Unknown);
        assert_eq!(at("0001-01-01T02:00:00+02:00"), DateTime::Unknown);
        assert_eq!(at("9999-12-31T22:59:59.000-01:00"), DateTime::Infinite);
    }

    #[test]
    fn no_dates() {
        let bad = [
            "",
            "now",
            "2023-02-29T00:00:00Z",
            "2023-13-01T00:00:00Z",
            "2023-01-01",
            "2023-01-01T25:00:00Z",
            "2023-01-01T00:00:00.Z",
            "2023-01-01T00:00:00+99:00",
            "99999999999999999999-01-01T00:00:00Z",
            // Found by fuzzing: years have no leading zeros, and no zone leads to a year that cannot be written.
            "09999-12-31T23:59:59Z",
            "0001-01-01T00:00:00+00:01",
            "999999-12-31T23:59:59-01:00",
        ];
        for text in bad {
            assert!(DateTime::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(ms in -62_000_000_000_000_i64..250_000_000_000_000) {
            let time = DateTime::At(Wall(ms));
            prop_assert_eq!(DateTime::parse(&time.to_string()), Ok(time));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*") {
            let _ = DateTime::parse(&text);
        }
    }
}

//! POSIX TZ strings (POSIX.1-2017 8.3, RFC 9636 3.3.1).

use cwmp_core::datetime::{civil_from_days, days_from_civil};

const DAY: i64 = 86_400;
/// Moments are clamped to this many seconds around 1970 (35 million years), far from any overflow.
const CALENDAR: i64 = 1 << 50;
/// What a TZ with summer time but without dates means: the rule of the United States, as the C libraries take it.
const USUAL_DATES: &str = ",M3.2.0,M11.1.0";

/// Standard time, and summer time where there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    /// Seconds east of Greenwich.
    standard: i32,
    summer: Option<Summer>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Summer {
    /// Seconds east of Greenwich.
    offset: i32,
    start: Turn,
    end: Turn,
}

/// A day of each year, and the local time in seconds after its midnight (-167 to 167 hours).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Turn {
    day: Day,
    time: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Day {
    /// `Jn`: 1 to 365, where 29 February is never counted.
    WithoutLeap(i64),
    /// `n`: 0 to 365.
    WithLeap(i64),
    /// `Mm.w.d`: weekday (0 is Sunday) of a week (5 is the last) of a month.
    Month { month: i64, week: i64, weekday: i64 },
}

impl Rule {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let rest = name(text)?;
        let (west, rest) = clock(rest, 24)?;
        let standard = i32::try_from(-west).ok()?;
        if rest.is_empty() {
            return Some(Self { standard, summer: None });
        }
        let rest = name(rest)?;
        let (offset, rest) = if rest.is_empty() || rest.starts_with(',') {
            (standard + 3600, rest)
        } else {
            let (west, rest) = clock(rest, 24)?;
            (i32::try_from(-west).ok()?, rest)
        };
        let dates = if rest.is_empty() { USUAL_DATES } else { rest };
        let (start, end) = dates.strip_prefix(',')?.split_once(',')?;
        Some(Self {
            standard,
            summer: Some(Summer { offset, start: Turn::parse(start)?, end: Turn::parse(end)? }),
        })
    }

    pub(super) fn offset_at(&self, unix: i64) -> i32 {
        let Some(summer) = &self.summer else { return self.standard };
        let unix = unix.clamp(-CALENDAR, CALENDAR);
        let (year, ..) = civil_from_days(unix.saturating_add(i64::from(self.standard)).div_euclid(DAY));
        // Each turn is told in the time that holds before it.
        let start = summer.start.in_year(year) - i64::from(self.standard);
        let end = summer.end.in_year(year) - i64::from(summer.offset);
        let is_summer =
            if start < end { (start..end).contains(&unix) } else { !(end..start).contains(&unix) };
        if is_summer { summer.offset } else { self.standard }
    }
}

impl Turn {
    fn parse(text: &str) -> Option<Self> {
        let (day, time) = match text.split_once('/') {
            Some((day, time)) => match clock(time, 167)? {
                (time, "") => (day, time),
                _ => return None,
            },
            None => (text, 2 * 3600),
        };
        let within =
            |text: &str, range: std::ops::RangeInclusive<i64>| number(text).filter(|n| range.contains(n));
        let day = if let Some(rule) = day.strip_prefix('M') {
            let (month, rule) = rule.split_once('.')?;
            let (week, weekday) = rule.split_once('.')?;
            Day::Month {
                month: within(month, 1..=12)?,
                week: within(week, 1..=5)?,
                weekday: within(weekday, 0..=6)?,
            }
        } else if let Some(number) = day.strip_prefix('J') {
            Day::WithoutLeap(within(number, 1..=365)?)
        } else {
            Day::WithLeap(within(day, 0..=365)?)
        };
        Some(Self { day, time })
    }

    /// The moment in a year, in seconds from 1970-01-01T00:00:00 of local time.
    fn in_year(&self, year: i64) -> i64 {
        let first = days_from_civil(year, 1, 1);
        let day = match self.day {
            Day::WithLeap(day) => first + day,
            Day::WithoutLeap(day) => {
                let leap = days_from_civil(year, 3, 1) - first == 60;
                first + day - 1 + i64::from(leap && day >= 60)
            }
            Day::Month { month, week, weekday } => {
                let first = days_from_civil(year, month, 1);
                let next = if month == 12 {
                    days_from_civil(year + 1, 1, 1)
                } else {
                    days_from_civil(year, month + 1, 1)
                };
                // 1970-01-01 was a Thursday.
                let day = first + (weekday - (first + 4)).rem_euclid(7) + (week - 1) * 7;
                if day < next { day } else { day - 7 }
            }
        };
        day * DAY + self.time
    }
}

/// A zone of one offset: `<+0530>-5:30`.
pub(super) fn fixed(offset: i32) -> String {
    let minutes = offset / 60;
    let (east, west) = if minutes < 0 { ('-', "") } else { ('+', "-") };
    let (hours, minutes) = (minutes.unsigned_abs() / 60, minutes.unsigned_abs() % 60);
    match minutes {
        0 => format!("<{east}{hours:02}>{west}{hours}"),
        _ => format!("<{east}{hours:02}{minutes:02}>{west}{hours}:{minutes:02}"),
    }
}

/// What follows the name of a zone: three letters or more, or anything of letters, digits and signs in `<>`.
fn name(text: &str) -> Option<&str> {
    let (name, rest) = match text.strip_prefix('<') {
        Some(quoted) => {
            let (name, rest) = quoted.split_once('>')?;
            (name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'-').then_some(name)?, rest)
        }
        None => text.split_at_checked(text.bytes().take_while(u8::is_ascii_alphabetic).count())?,
    };
    (name.len() >= 3).then_some(rest)
}

/// `[+-]hh[:mm[:ss]]` in seconds, and what follows.
fn clock(text: &str, most_hours: i64) -> Option<(i64, &str)> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => (-1, text),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (clock, rest) =
        text.split_at_checked(text.bytes().take_while(|b| b.is_ascii_digit() || *b == b':').count())?;
    let mut parts = clock.splitn(3, ':');
    let hours = number(parts.next()?).filter(|n| *n <= most_hours)?;
    let mut sixtieth = || parts.next().map_or(Some(0), |part| number(part).filter(|n| *n <= 59));
    let seconds = hours * 3600 + sixtieth()? * 60 + sixtieth()?;
    Some((sign * seconds, rest))
}

/// One to three digits.
fn number(text: &str) -> Option<i64> {
    ((1..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

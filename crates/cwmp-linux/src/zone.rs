//! Local time: TZif files (RFC 9636) and POSIX TZ strings.
//!
//! No crate does this: what is needed, one offset at one moment, is less than what any of them brings.

mod posix;

use cwmp_core::{datetime::DateTime, time::Wall};
use posix::Rule;

/// 0001-01-01T00:00:00Z in seconds since the epoch: where TR-106 lets time since the boot begin.
const YEAR_ONE: i64 = -62_135_596_800;
/// Longest TZ string, in bytes.
const TZ_BYTES: usize = 256;
/// Bytes of a TZif header.
const HEADER_BYTES: usize = 44;

/// The offsets of a time zone, past and future.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// From this moment on (Unix time) this offset (seconds east of Greenwich); ascending.
    transitions: Vec<(i64, i32)>,
    /// The offset before the first transition.
    first: i32,
    /// What holds after the last transition, with the text that it was made from.
    rule: Option<(Rule, String)>,
}

impl Zone {
    /// UTC.
    #[must_use]
    pub fn utc() -> Self {
        Self { transitions: Vec::new(), first: 0, rule: None }
    }

    /// A zone in the form of the variable TZ: `CET-1CEST,M3.5.0,M10.5.0/3`.
    pub fn from_posix(text: &str) -> Option<Self> {
        let rule = (text.len() <= TZ_BYTES).then(|| Rule::parse(text))??;
        Some(Self { transitions: Vec::new(), first: 0, rule: Some((rule, text.to_owned())) })
    }

    /// A file of the time zone database, version 2 or later: version 1, without the string at the end, has not been made
    /// since 2005.
    pub fn from_tzif(bytes: &[u8]) -> Option<Self> {
        let first = Header::parse(bytes)?;
        let second = bytes.get(HEADER_BYTES.checked_add(first.data_bytes(4)?)?..)?;
        let header = Header::parse(second)?;
        let (times, types) = (header.times, header.types);
        let data = second.get(HEADER_BYTES..)?;
        let (moments, rest) = data.split_at_checked(times.checked_mul(8)?)?;
        let (kinds, rest) = rest.split_at_checked(times)?;
        let (records, _) = rest.split_at_checked(types.checked_mul(6)?)?;
        let offset_of = |kind: usize| -> Option<i32> {
            let record = records.chunks_exact(6).nth(kind)?;
            let offset = i32::from_be_bytes(record.first_chunk().copied()?);
            // RFC 9636 3.2: between -25 and +26 hours.
            (-89_999..=93_599).contains(&offset).then_some(offset)
        };
        let mut transitions: Vec<(i64, i32)> = Vec::with_capacity(times);
        for (moment, kind) in moments.chunks_exact(8).zip(kinds) {
            let moment = i64::from_be_bytes(moment.first_chunk().copied()?);
            if transitions.last().is_some_and(|(before, _)| *before >= moment) {
                return None;
            }
            transitions.push((moment, offset_of(usize::from(*kind))?));
        }
        let footer = data.get(header.data_bytes(8)?..)?.strip_prefix(b"\n")?;
        let end = footer.iter().position(|b| *b == b'\n')?;
        let footer = std::str::from_utf8(footer.get(..end)?).ok()?;
        let rule = match footer {
            "" => None,
            text if text.len() <= TZ_BYTES => Some((Rule::parse(text)?, text.to_owned())),
            _ => return None,
        };
        Some(Self { transitions, first: offset_of(0)?, rule })
    }

    /// Seconds east of Greenwich at a moment.
    pub fn offset_at(&self, unix: i64) -> i32 {
        let past = self.transitions.partition_point(|(moment, _)| *moment <= unix);
        match (&self.rule, past.checked_sub(1).and_then(|last| self.transitions.get(last))) {
            (Some((rule, _)), _) if past == self.transitions.len() => rule.offset_at(unix),
            (_, Some((_, offset))) => *offset,
            (_, None) => self.first,
        }
    }

    /// As a POSIX TZ string; where the zone has no rule for the future, the offset of the present.
    pub fn posix(&self, unix: i64) -> String {
        match &self.rule {
            Some((_, text)) => text.clone(),
            None if self.transitions.is_empty() && self.first == 0 => "UTC0".to_owned(),
            None => posix::fixed(self.offset_at(unix)),
        }
    }
}

/// Counts in a TZif header.
struct Header {
    universal: usize,
    standard: usize,
    leaps: usize,
    times: usize,
    types: usize,
    chars: usize,
}

impl Header {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let header = bytes.get(..HEADER_BYTES)?.strip_prefix(b"TZif")?;
        if header.first().is_none_or(|version| *version < b'2') {
            return None;
        }
        let mut counts = header
            .get(16..)?
            .chunks_exact(4)
            .map(|count| usize::try_from(u32::from_be_bytes(count.first_chunk().copied()?)).ok());
        let mut count = || counts.next()?;
        Some(Self {
            universal: count()?,
            standard: count()?,
            leaps: count()?,
            times: count()?,
            types: count()?,
            chars: count()?,
        })
    }

    /// Bytes of the data block that follows, with times of this width.
    fn data_bytes(&self, width: usize) -> Option<usize> {
        let times = self.times.checked_mul(width.checked_add(1)?)?;
        let leaps = self.leaps.checked_mul(width.checked_add(4)?)?;
        let types = self.types.checked_mul(6)?;
        [types, self.chars, leaps, self.standard, self.universal]
            .into_iter()
            .try_fold(times, usize::checked_add)
    }
}

/// `2026-07-01T14:00:00+02:00`; `Z` where the offset is none. The offset is in seconds east of Greenwich.
#[must_use]
pub fn local_time(seconds: i64, offset: i32) -> String {
    // TR-106 has no seconds in an offset; the offsets of the 19th century had.
    let minutes = offset / 60;
    let local = without_zone(seconds.saturating_add(i64::from(minutes) * 60));
    if minutes == 0 {
        return format!("{local}Z");
    }
    let (sign, minutes) = (if minutes < 0 { '-' } else { '+' }, minutes.unsigned_abs());
    format!("{local}{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// Time since the boot in the form of a date without a zone (TR-106 "Date and Time Rules"), for a box that does not know the date.
#[must_use]
pub fn time_since_boot(uptime: u32) -> String {
    without_zone(YEAR_ONE + i64::from(uptime))
}

fn without_zone(seconds: i64) -> String {
    let mut text = DateTime::At(Wall::from_seconds(seconds)).to_string();
    text.truncate(text.trim_end_matches('Z').len());
    text
}

#[cfg(test)]
mod tests;

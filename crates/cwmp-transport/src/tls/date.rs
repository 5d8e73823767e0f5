//! The date that certificates are judged by.
//!
//! A box without a battery comes up in 1970, and the server that would tell it the time may be behind the ACS. TR-069a6 3.3
//! wants dates checked where they are known, and disregarded where not, rather than that the box is never managed. So,
//! while the clock is not set, a chain must be valid at *some* moment that is not before what is certain to have passed:
//! the build of this program and the last date that it has known. What had expired by then is refused; what begins later
//! is believed.

use std::{cell::Cell, rc::Rc, time::Duration};

use cwmp_core::time::Wall;
use rustls::{pki_types::UnixTime, time_provider::TimeProvider};

/// 2026-11-01T00:00:00Z, when nothing else is said at build time. A later one is better; moved with each release.
const RELEASED: i64 = 1_793_491_200;

/// Seconds since 1970 that have certainly passed: `SOURCE_DATE_EPOCH` of the build, so that it stays reproducible.
fn built() -> i64 {
    option_env!("SOURCE_DATE_EPOCH").and_then(|text| text.parse().ok()).unwrap_or(RELEASED).max(RELEASED)
}

/// Knows what has passed.
pub(super) struct Dates {
    read: Rc<dyn Fn() -> Option<Wall>>,
    /// The latest date that was known, in seconds.
    last: Cell<i64>,
}

/// A date to verify by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Date {
    /// Seconds since 1970.
    pub(super) seconds: i64,
    /// Whether the clock says so.
    pub(super) is_known: bool,
}

impl Dates {
    pub(super) fn new(read: Rc<dyn Fn() -> Option<Wall>>) -> Self {
        Self { read, last: Cell::new(built()) }
    }

    /// The date now, or the earliest possible one.
    pub(super) fn now(&self) -> Date {
        match (self.read)() {
            Some(Wall(milliseconds)) => {
                let seconds = milliseconds.div_euclid(1000);
                self.last.set(self.last.get().max(seconds));
                Date { seconds, is_known: true }
            }
            None => Date { seconds: self.last.get(), is_known: false },
        }
    }
}

/// Tells rustls one date.
#[derive(Debug)]
pub(super) struct Fixed(pub(super) Date);

impl TimeProvider for Fixed {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.seconds).unwrap_or(0);
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_clock_the_last_known_date_counts() {
        let clock = Rc::new(Cell::new(None));
        let seen = Rc::clone(&clock);
        let dates = Dates::new(Rc::new(move || seen.get().map(Wall::from_seconds)));
        assert_eq!(dates.now(), Date { seconds: built(), is_known: false });
        clock.set(Some(RELEASED + 500));
        assert_eq!(dates.now(), Date { seconds: RELEASED + 500, is_known: true });
        clock.set(None);
        assert_eq!(dates.now(), Date { seconds: (RELEASED + 500).max(built()), is_known: false });
        // A clock that is set counts, whatever it says.
        clock.set(Some(1000));
        assert_eq!(dates.now(), Date { seconds: 1000, is_known: true });
    }
}

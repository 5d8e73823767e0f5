//! Dates of what the kernel counts in seconds that are left.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cwmp_core::{datetime::DateTime, time::Wall};
use nix::time::{ClockId, clock_gettime};

/// What stands for ever (TR-106 "Date and Time Rules").
const NEVER: &str = "9999-12-31T23:59:59Z";
/// What stands for a date that is not known.
const UNKNOWN: &str = "0001-01-01T00:00:00Z";

/// The present, on both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Seconds since the epoch, in thousandths; `None` while the clock is not synchronised.
    wall: Option<i64>,
    /// Hundredths of a second since the boot, as the kernel counts them for addresses; it wraps.
    ticks: u32,
    /// Thousandths of a second since the boot, suspended time included.
    boot: i64,
}

impl Moment {
    /// The present; the wall clock counts only while it is synchronised.
    #[must_use]
    pub fn now(now: SystemTime, synchronised: bool) -> Self {
        let since = now.duration_since(UNIX_EPOCH).ok().filter(|_| synchronised);
        let wall = since.and_then(|since| i64::try_from(since.as_millis()).ok());
        let since_boot = |clock| clock_gettime(clock).map_or(0, |time| Duration::from(time).as_millis());
        // What does not fit wraps in the kernel too.
        let ticks = u32::try_from(since_boot(ClockId::CLOCK_MONOTONIC) / 10 % (1 << 32)).unwrap_or(0);
        let boot = i64::try_from(since_boot(ClockId::CLOCK_BOOTTIME)).unwrap_or(i64::MAX);
        Self { wall, ticks, boot }
    }

    /// Seconds since the epoch; `None` while the clock is not synchronised.
    pub fn seconds(self) -> Option<i64> {
        self.wall.map(|wall| wall.div_euclid(1000))
    }

    /// Seconds since the boot, suspended time included.
    pub fn uptime(self) -> i64 {
        self.boot.div_euclid(1000)
    }

    /// When a lifetime ends of which so many seconds are left. It was set at `set_at`, in hundredths of a second since the
    /// boot, to a whole number of seconds: so the date does not move by a second between two readings.
    pub fn end(self, left: u32, set_at: u32) -> String {
        let elapsed = self.ticks.wrapping_sub(set_at);
        // The kernel counts down in whole seconds since then.
        let since = i64::from(elapsed % 100) * 10;
        self.at(left, |wall| wall - since + i64::from(left) * 1000)
    }

    /// When something ends that has so many hundredths of a second left.
    pub fn end_of_ticks(self, left: Option<u32>) -> String {
        let Some(left) = left else { return NEVER.to_owned() };
        self.at(0, |wall| wall + i64::from(left) * 10)
    }

    /// When something was, in nanoseconds since the boot.
    pub fn since_boot(self, nanoseconds: u64) -> String {
        let at = i64::try_from(nanoseconds / 1_000_000).unwrap_or(i64::MAX);
        self.at(0, |wall| wall.saturating_sub(self.boot.saturating_sub(at)))
    }

    fn at(self, left: u32, end: impl Fn(i64) -> i64) -> String {
        match self.wall {
            _ if left == u32::MAX => NEVER.to_owned(),
            None => UNKNOWN.to_owned(),
            // To the nearest second.
            Some(wall) => {
                let seconds = (end(wall) + 500).div_euclid(1000);
                DateTime::At(Wall::from_seconds(seconds)).to_string()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_lifetime_does_not_move_while_it_is_counted_down() {
        // Set 7.30 s after the boot to 3600 s; the boot was at 1000.4 s of the epoch.
        let set_at = 730;
        let ends: std::collections::BTreeSet<String> = (0..1000)
            .map(|n: u32| {
                let ticks = set_at + n * 7;
                let left = 3600 - (ticks - set_at) / 100;
                Moment { wall: Some(1_000_400 + i64::from(ticks) * 10), ticks, boot: 0 }.end(left, set_at)
            })
            .collect();
        assert_eq!(ends.into_iter().collect::<Vec<_>>(), ["1970-01-01T01:16:48Z"]);
    }

    #[test]
    fn for_ever_and_unknown_have_dates_of_their_own() {
        let set = Moment { wall: Some(0), ticks: 5, boot: 0 };
        assert_eq!(set.end(u32::MAX, 0), NEVER);
        assert_eq!(set.end_of_ticks(None), NEVER);
        assert_eq!(set.end_of_ticks(Some(1040)), "1970-01-01T00:00:10Z");
        let unset = Moment { wall: None, ticks: 5, boot: 0 };
        assert_eq!(unset.end(60, 0), UNKNOWN);
        assert_eq!(unset.end(u32::MAX, 0), NEVER);
        // The counter wraps after 497 days.
        let wrapped = Moment { wall: Some(1000), ticks: 50, boot: 0 };
        assert_eq!(wrapped.end(60, u32::MAX - 49), "1970-01-01T00:01:01Z");
    }

    #[test]
    fn what_was_since_the_boot_has_a_date() {
        let moment = Moment { wall: Some(100_000), ticks: 0, boot: 60_000 };
        assert_eq!(moment.since_boot(20_000_000_000), "1970-01-01T00:01:00Z");
        assert_eq!(Moment { wall: None, ..moment }.since_boot(1), UNKNOWN);
        // More than the model has dates for is no panic.
        moment.since_boot(u64::MAX);
    }
}

//! When the next periodic Inform is due (TR-181 ManagementServer.PeriodicInformInterval and PeriodicInformTime).

use crate::{
    datetime::DateTime,
    settings::AgentSettings,
    time::{Mono, Now, Wall},
};

/// The periodic timer. It is a moment on the monotonic clock, reckoned anew whenever the wall clock is set, so that a jump
/// of years neither loses nor multiplies it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Periodic {
    rule: Option<Rule>,
    due: Option<Mono>,
}

/// The grid of a timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    interval_ms: u64,
    /// A moment that the grid passes through; `None` leaves the phase to us.
    reference: Option<Wall>,
}

impl Rule {
    /// Points every `seconds` (at least 1) before and after `reference`.
    #[must_use]
    pub(crate) fn new(seconds: u32, reference: DateTime) -> Self {
        Self {
            interval_ms: u64::from(seconds.max(1)) * 1000,
            reference: match reference {
                DateTime::At(wall) => Some(wall),
                DateTime::Unknown | DateTime::Infinite => None,
            },
        }
    }

    /// That of the periodic Inform; `None` while it is off.
    #[must_use]
    pub(crate) fn periodic_inform(settings: &AgentSettings) -> Option<Self> {
        settings
            .periodic_inform_enable
            .then(|| Self::new(settings.periodic_inform_interval, settings.periodic_inform_time))
    }

    /// That of passive lightweight notifications; `None` while they are off.
    #[must_use]
    pub(crate) fn lightweight(settings: &AgentSettings) -> Option<Self> {
        let wanted = &settings.lightweight;
        (wanted.udp && wanted.trigger_interval > 0)
            .then(|| Self::new(wanted.trigger_interval, wanted.trigger_time))
    }
}

impl Periodic {
    /// Takes the rule; when it differs from the one in force, the timer starts anew from `now`.
    pub(crate) fn configure(&mut self, rule: Option<Rule>, now: Now) {
        if rule != self.rule {
            self.rule = rule;
            self.due = None;
            self.reckon(now);
        }
    }

    /// When the next one is due.
    #[must_use]
    pub(crate) fn due(&self) -> Option<Mono> {
        self.due
    }

    /// Whether it is due; if so the timer is set to the one after. Periods that were missed count as one.
    pub(crate) fn fire(&mut self, now: Now) -> bool {
        let fires = self.due.is_some_and(|due| due <= now.mono);
        if fires {
            self.reckon(now);
        }
        fires
    }

    /// The wall clock has been set. A grid tied to dates moves with it; a free one stays where it is.
    pub(crate) fn clock_stepped(&mut self, now: Now) {
        if self.rule.is_some_and(|rule| rule.reference.is_some()) {
            self.reckon(now);
        }
    }

    fn reckon(&mut self, now: Now) {
        self.due = self.rule.map(|rule| {
            let wait = match (rule.reference, now.wall) {
                (Some(reference), Some(wall)) => until_next(reference, wall, rule.interval_ms),
                _ => match self.due {
                    // Keep the phase: the next point of the grid that the last due moment lies on.
                    Some(due) if due <= now.mono => rule.interval_ms - now.mono.since(due) % rule.interval_ms,
                    _ => rule.interval_ms,
                },
            };
            now.mono.after_ms(wait)
        });
    }
}

/// Milliseconds to the first point of `reference + n * interval` after `now`, n being any whole number.
fn until_next(reference: Wall, now: Wall, interval_ms: u64) -> u64 {
    let interval = i128::from(interval_ms);
    let passed = (i128::from(now.0) - i128::from(reference.0)).rem_euclid(interval);
    u64::try_from(interval - passed).unwrap_or(interval_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(mono_s: u64, wall_s: Option<i64>) -> Now {
        Now { mono: Mono(mono_s * 1000), wall: wall_s.map(Wall::from_seconds) }
    }

    fn settings(interval: u32, time: DateTime) -> AgentSettings {
        AgentSettings {
            periodic_inform_interval: interval,
            periodic_inform_time: time,
            ..AgentSettings::default()
        }
    }

    #[test]
    fn falls_on_the_grid_of_periodic_inform_time_past_or_future() {
        for reference in ["2030-01-01T00:00:07Z", "1999-01-01T00:00:07Z"] {
            let mut timer = Periodic::default();
            timer.configure(
                Rule::periodic_inform(&settings(60, DateTime::parse(reference).unwrap())),
                at(100, Some(1_700_000_000)),
            );
            // 1700000000 is 20 s past a full minute: 47 s remain to :07.
            assert_eq!(timer.due(), Some(Mono(147_000)), "{reference}");
            assert!(!timer.fire(at(146, Some(1_700_000_046))));
            assert!(timer.fire(at(147, Some(1_700_000_047))));
            assert_eq!(timer.due(), Some(Mono(207_000)));
        }
    }

    #[test]
    fn missed_periods_fire_once_and_keep_the_phase() {
        let mut timer = Periodic::default();
        timer.configure(Rule::periodic_inform(&settings(30, DateTime::Unknown)), at(0, None));
        assert!(timer.fire(at(155, None)));
        assert!(!timer.fire(at(155, None)));
        assert_eq!(timer.due(), Some(Mono(180_000)));
    }

    #[test]
    fn a_jump_of_years_moves_a_dated_grid_and_leaves_a_free_one() {
        let mut free = Periodic::default();
        free.configure(Rule::periodic_inform(&settings(3600, DateTime::Unknown)), at(0, None));
        free.clock_stepped(at(10, Some(1_700_000_000)));
        assert_eq!(free.due(), Some(Mono(3_600_000)));

        let mut dated = Periodic::default();
        dated.configure(Rule::periodic_inform(&settings(3600, DateTime::At(Wall(0)))), at(0, None));
        dated.clock_stepped(at(10, Some(1_700_000_000)));
        assert_eq!(dated.due(), Some(Mono(10_000 + 2_800_000)), "to the next full hour");
    }

    #[test]
    fn unchanged_settings_do_not_restart_it_and_disabling_stops_it() {
        let mut timer = Periodic::default();
        timer.configure(Rule::periodic_inform(&settings(60, DateTime::Unknown)), at(0, None));
        timer.configure(Rule::periodic_inform(&settings(60, DateTime::Unknown)), at(40, None));
        assert_eq!(timer.due(), Some(Mono(60_000)));
        timer.configure(Rule::periodic_inform(&settings(20, DateTime::Unknown)), at(40, None));
        assert_eq!(timer.due(), Some(Mono(60_000)), "20 s from now");
        let off = AgentSettings { periodic_inform_enable: false, ..AgentSettings::default() };
        timer.configure(Rule::periodic_inform(&off), at(41, None));
        assert_eq!(timer.due(), None);
    }
}

//! Timers that fire on a grid of dates: the periodic Inform (TR-181 ManagementServer.PeriodicInformInterval and
//! PeriodicInformTime) and the heartbeat (ManagementServer.HeartbeatPolicy).

use crate::{
    datetime::DateTime,
    settings::AgentSettings,
    time::{Mono, Now, Wall},
};

/// A timer that seems to come early by no more than this, in milliseconds, has only drifted: the two clocks run apart by
/// some tens of seconds a day while the wall clock is slewed.
const DRIFT_MS: u64 = 120_000;

/// A timer on a grid. It is a moment on the monotonic clock, reckoned anew whenever the wall clock is set, so that a jump
/// of years neither loses nor multiplies it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Periodic {
    rule: Option<Rule>,
    due: Option<Mono>,
    /// The point of the grid that `due` stands for, where the grid is tied to dates and the date is known.
    target: Option<Wall>,
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

    /// That of the heartbeat; `None` while it is off.
    #[must_use]
    pub(crate) fn heartbeat(settings: &AgentSettings) -> Option<Self> {
        let policy = settings.heartbeat_policy;
        policy.enable.then(|| Self::new(policy.reporting_interval, policy.initiation_time))
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
        if self.due.is_none_or(|due| due > now.mono) {
            return false;
        }
        let early = match (self.target, now.wall) {
            (Some(target), Some(wall)) => target.0.saturating_sub(wall.0),
            _ => 0,
        };
        let half = self.rule.map_or(0, |rule| rule.interval_ms / 2);
        if let Ok(early) = u64::try_from(early)
            && (1..=DRIFT_MS.min(half)).contains(&early)
        {
            // Firing now would fire twice for one point of the grid.
            self.due = Some(now.mono.after_ms(early));
            return false;
        }
        self.reckon(now);
        true
    }

    /// The wall clock has been set. A grid tied to dates moves with it; a free one stays where it is.
    pub(crate) fn clock_stepped(&mut self, now: Now) {
        if self.rule.is_some_and(|rule| rule.reference.is_some()) {
            self.reckon(now);
        }
    }

    fn reckon(&mut self, now: Now) {
        self.target = None;
        let Some(rule) = self.rule else {
            self.due = None;
            return;
        };
        let wait = match (rule.reference, now.wall, self.due) {
            (Some(reference), Some(wall), _) => {
                let wait = until_next(reference, wall, rule.interval_ms);
                self.target = i64::try_from(wait).ok().map(|wait| Wall(wall.0.saturating_add(wait)));
                wait
            }
            // Keep the phase: the next point of the grid that the last due moment lies on.
            (_, _, Some(due)) if due <= now.mono => rule.interval_ms - now.mono.since(due) % rule.interval_ms,
            _ => rule.interval_ms,
        };
        self.due = Some(now.mono.after_ms(wait));
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

    fn every(seconds: u32, reference: DateTime) -> Option<Rule> {
        Some(Rule::new(seconds, reference))
    }

    #[test]
    fn falls_on_the_grid_of_periodic_inform_time_past_or_future() {
        for reference in ["2030-01-01T00:00:07Z", "1999-01-01T00:00:07Z"] {
            let mut timer = Periodic::default();
            timer.configure(every(60, DateTime::parse(reference).unwrap()), at(100, Some(1_700_000_000)));
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
        timer.configure(every(30, DateTime::Unknown), at(0, None));
        assert!(timer.fire(at(155, None)));
        assert!(!timer.fire(at(155, None)));
        assert_eq!(timer.due(), Some(Mono(180_000)));
    }

    #[test]
    fn a_jump_of_years_moves_a_dated_grid_and_leaves_a_free_one() {
        let mut free = Periodic::default();
        free.configure(every(3600, DateTime::Unknown), at(0, None));
        free.clock_stepped(at(10, Some(1_700_000_000)));
        assert_eq!(free.due(), Some(Mono(3_600_000)));

        let mut dated = Periodic::default();
        dated.configure(every(3600, DateTime::At(Wall(0))), at(0, None));
        dated.clock_stepped(at(10, Some(1_700_000_000)));
        assert_eq!(dated.due(), Some(Mono(10_000 + 2_800_000)), "to the next full hour");
    }

    #[test]
    fn unchanged_settings_do_not_restart_it_and_disabling_stops_it() {
        let mut timer = Periodic::default();
        timer.configure(every(60, DateTime::Unknown), at(0, None));
        timer.configure(every(60, DateTime::Unknown), at(40, None));
        assert_eq!(timer.due(), Some(Mono(60_000)));
        timer.configure(every(20, DateTime::Unknown), at(40, None));
        assert_eq!(timer.due(), Some(Mono(60_000)), "20 s from now");
        timer.configure(None, at(41, None));
        assert_eq!(timer.due(), None);
    }
    #[test]
    fn a_clock_that_is_slewed_does_not_make_one_point_of_the_grid_two() {
        let mut timer = Periodic::default();
        timer.configure(every(86_400, DateTime::At(Wall(0))), at(100, Some(86_400 * 19_000)));
        // The monotonic clock has run 43 s ahead of the wall clock in a day.
        assert!(!timer.fire(at(86_500, Some(86_400 * 19_001 - 43))));
        assert_eq!(timer.due(), Some(Mono(86_543_000)));
        assert!(timer.fire(at(86_543, Some(86_400 * 19_001))));
        assert_eq!(timer.due(), Some(Mono(172_943_000)));
    }

    #[test]
    fn a_clock_set_back_by_hours_without_notice_does_not_silence_it() {
        let mut timer = Periodic::default();
        timer.configure(every(3600, DateTime::At(Wall(0))), at(0, Some(3600 * 1000)));
        assert!(timer.fire(at(3600, Some(3600 * 900 + 60))));
        assert_eq!(timer.due(), Some(Mono((3600 + 3540) * 1000)));
    }
}

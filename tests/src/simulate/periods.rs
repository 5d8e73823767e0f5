//! When `2 PERIODIC` must come: the grid of PeriodicInformInterval and PeriodicInformTime, reckoned by the checker.

use cwmp_core::{datetime::DateTime, settings::AgentSettings, time::Now};

#[derive(Clone, Debug, Default)]
pub(super) struct Periods {
    /// Interval in milliseconds and the moment that the grid passes through.
    rule: Option<(u64, Option<i64>)>,
    /// The next point of the grid on the monotonic clock.
    next: Option<u64>,
}

impl Periods {
    pub(super) fn configure(&mut self, settings: &AgentSettings, now: Now) {
        let reference = match settings.periodic_inform_time {
            DateTime::At(wall) => Some(wall.0),
            DateTime::Unknown | DateTime::Infinite => None,
        };
        let interval = u64::from(settings.periodic_inform_interval.max(1)) * 1000;
        let rule = settings.periodic_inform_enable.then_some((interval, reference));
        if rule != self.rule {
            self.rule = rule;
            self.next = rule.map(|(interval, _)| now.mono.0 + interval);
            self.reckon_anew(now);
        }
    }

    /// The wall clock was set, or the rule is new: a dated grid follows the clock, a free one stays.
    pub(super) fn reckon_anew(&mut self, now: Now) {
        if let (Some((interval, Some(reference))), Some(wall)) = (self.rule, now.wall) {
            let beyond = (wall.0 - reference).rem_euclid(i64::try_from(interval).unwrap_or(i64::MAX));
            self.next = Some(now.mono.0 + interval - u64::try_from(beyond).unwrap_or(0));
        } else if let (Some((interval, Some(_))), None) = (self.rule, now.wall) {
            self.next = Some(now.mono.0 + interval);
        }
    }

    /// Whether a point of the grid has been reached; all points that have passed count as one.
    pub(super) fn fire(&mut self, now: Now) -> bool {
        let (Some((interval, reference)), Some(next)) = (self.rule, self.next) else { return false };
        if next > now.mono.0 {
            return false;
        }
        let missed = (now.mono.0 - next) / interval + 1;
        self.next = Some(next + missed * interval);
        if reference.is_some() && now.wall.is_some() {
            self.reckon_anew(now);
        }
        true
    }
}

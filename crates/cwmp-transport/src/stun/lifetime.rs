//! How long a NAT keeps a silent binding, and how often it must therefore be used (TR-069a6 Annex G): a search between
//! what a binding has survived and what it has not.

use std::time::Duration;

use crate::limits;

/// What is known of the lifetime.
#[derive(Debug)]
pub(super) struct Lifetime {
    minimum: Duration,
    /// `None`: no maximum.
    maximum: Option<Duration>,
    /// The longest silence that a binding has survived.
    survived: Option<Duration>,
    /// The shortest that one has not.
    died: Option<Duration>,
}

const FIRST: Duration = Duration::from_secs(limits::STUN_FIRST_PERIOD_S);
const LEAST: Duration = Duration::from_secs(limits::STUN_LEAST_PERIOD_S);
const LONGEST: Duration = Duration::from_secs(limits::STUN_LONGEST_PERIOD_S);

impl Lifetime {
    /// Nothing is known. The bounds are STUNMinimumKeepAlivePeriod and STUNMaximumKeepAlivePeriod; where they contradict
    /// each other the maximum counts, for it keeps the box reachable.
    pub(super) fn new(minimum: Duration, maximum: Option<Duration>) -> Self {
        let maximum = maximum.map(|maximum| maximum.max(LEAST));
        let minimum = minimum.min(maximum.unwrap_or(LONGEST)).max(LEAST);
        Self { minimum, maximum, survived: None, died: None }
    }

    /// Seconds between two keep-alives, a tenth less than what was survived.
    pub(super) fn period(&self) -> Duration {
        let safe = match (self.survived, self.died) {
            (Some(survived), _) => survived - survived / 10,
            (None, Some(died)) => FIRST.min(died / 2),
            (None, None) => FIRST,
        };
        safe.clamp(self.minimum, self.longest())
    }

    fn longest(&self) -> Duration {
        self.maximum.unwrap_or(LONGEST).max(self.minimum)
    }

    /// The silence that is worth trying next; `None` once more knowledge would change little.
    pub(super) fn next_test(&self) -> Option<Duration> {
        let (from, to) = (self.minimum, self.longest());
        let enough = |low: Duration, high: Duration| {
            high.saturating_sub(low) <= LEAST.max(Duration::from_secs(low.as_secs() / 8))
        };
        let test = match (self.survived, self.died) {
            (None, None) => FIRST.clamp(from, to),
            (Some(survived), None) => (survived * 2).min(to),
            // Whatever it is below the minimum, nothing shorter is allowed.
            (_, Some(died)) if died <= from => return None,
            (None, Some(died)) => from + (died - from) / 2,
            (Some(survived), Some(died)) => survived + died.saturating_sub(survived) / 2,
        };
        let low = self.survived.unwrap_or(Duration::ZERO);
        let bounded = from < to && low < to && !self.died.is_some_and(|died| enough(low.max(from), died));
        bounded.then_some(test)
    }

    /// A binding was there after this silence.
    pub(super) fn survives(&mut self, silence: Duration) {
        self.survived = self.survived.max(Some(silence));
        // A NAT that has changed its mind.
        self.died = self.died.filter(|died| *died > silence);
    }

    /// A binding was gone after this silence.
    pub(super) fn dies(&mut self, silence: Duration) {
        self.died = Some(self.died.map_or(silence, |died| died.min(silence)));
        self.survived = self.survived.filter(|survived| *survived < silence);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Searches a NAT that forgets after so many seconds; returns the period at the end and the number of tests.
    fn search(lifetime: &mut Lifetime, forgets: u64) -> (u64, u32) {
        let mut tests = 0;
        while let Some(silence) = lifetime.next_test() {
            tests += 1;
            assert!(tests < 40, "{lifetime:?}");
            if silence < s(forgets) {
                lifetime.survives(silence)
            } else {
                lifetime.dies(silence)
            }
            assert!(lifetime.period() < s(forgets) || lifetime.survived.is_none(), "{lifetime:?}");
        }
        (lifetime.period().as_secs(), tests)
    }

    /// Conformance: 6.33
    #[test]
    fn the_period_comes_near_to_what_the_nat_allows() {
        for forgets in [12, 30, 45, 60, 120, 180, 300, 600, 1800] {
            let mut lifetime = Lifetime::new(s(5), None);
            let (period, tests) = search(&mut lifetime, forgets);
            assert!(period < forgets && period >= forgets * 6 / 10 - 3, "{forgets}: {period}");
            assert!(tests <= 12, "{forgets}: {tests} tests");
        }
    }

    /// Conformance: 6.33
    #[test]
    fn the_period_stays_between_minimum_and_maximum() {
        for (minimum, maximum) in [(20, Some(60)), (60, Some(60)), (100, Some(50)), (0, Some(0)), (90, None)]
        {
            let bounds = || Lifetime::new(s(minimum), maximum.map(s));
            let allowed = |period: Duration| {
                let most = maximum.map_or(LONGEST, |maximum| s(maximum).max(LEAST));
                (s(minimum).min(most)..=most).contains(&period)
            };
            assert!(allowed(bounds().period()), "{minimum} {maximum:?}");
            for forgets in [10, 45, 1000, 100_000] {
                let mut lifetime = bounds();
                while let Some(silence) = lifetime.next_test() {
                    assert!(allowed(silence), "{lifetime:?}");
                    if silence < s(forgets) {
                        lifetime.survives(silence)
                    } else {
                        lifetime.dies(silence)
                    }
                    assert!(allowed(lifetime.period()), "{lifetime:?}");
                }
            }
        }
        assert_eq!(Lifetime::new(s(60), Some(s(60))).next_test(), None, "there is nothing to find out");
        assert_eq!(search(&mut Lifetime::new(s(20), None), u64::MAX).0, LONGEST.as_secs() * 9 / 10);
    }

    #[test]
    fn a_binding_that_dies_unasked_shortens_the_period() {
        let mut lifetime = Lifetime::new(s(5), None);
        search(&mut lifetime, 300);
        let before = lifetime.period();
        lifetime.dies(before);
        assert!(lifetime.period() < before);
        let (period, _) = search(&mut lifetime, 60);
        assert!((30..60).contains(&period), "{period}");
    }
}

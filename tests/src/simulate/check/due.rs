//! A moment that outlives boots, as far as the box can know when it is.

use cwmp_core::time::Now;

/// A wait of the box. Moments are on the clock of the present uptime.
#[derive(Debug)]
pub(super) struct Due {
    delay_ms: u64,
    /// Not before.
    earliest: u64,
    /// From then on certainly.
    pub(super) latest: u64,
    /// The box knew the date when the wait began.
    dated: bool,
    /// The clock was set since, so that the date says nothing certain.
    stepped: bool,
    /// The box has started again since: nothing but the date tells how long it was off.
    pub(super) booted: bool,
}

impl Due {
    pub(super) fn new(delay_ms: u64, now: Now) -> Self {
        let due = now.mono.0 + delay_ms;
        let dated = now.wall.is_some();
        Self { delay_ms, earliest: due, latest: due, dated, stepped: false, booted: false }
    }

    pub(super) fn may_be_over(&self, now: u64) -> bool {
        (self.booted && self.stepped) || self.earliest <= now
    }

    pub(super) fn is_over(&self, now: u64) -> bool {
        self.latest <= now
    }

    /// The box has started again, and its clock begins anew: it now shows `passed` milliseconds less than the old one would.
    pub(super) fn clock_begins_anew(&mut self, passed: u64, now: Now) {
        self.earliest = self.earliest.saturating_sub(passed);
        self.latest = self.latest.saturating_sub(passed);
        self.booted = true;
        if !self.dated || self.stepped || now.wall.is_none() {
            // The whole delay once more, if the box knows no better: late rather than lost.
            self.latest = now.mono.0 + self.delay_ms;
        }
    }

    pub(super) fn clock_is_set(&mut self) {
        self.stepped = true;
    }
}

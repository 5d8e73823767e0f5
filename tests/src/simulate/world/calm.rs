//! The time after the trouble: everything works, and whatever is owed must be told.

use cwmp_core::{
    event::EventCode,
    io::{Input, Via},
};

use super::{Happening, World};
use crate::simulate::{check::LATE_MS, dice::Mood};

/// Steps within which the agent must have come to rest.
const CALM_STEPS: u32 = 20_000;
/// Virtual time for the same: the longest wait is a week, then come a Retry-After of a day and a period of a day.
const CALM_MS: u64 = 10 * 86_400_000;

impl World {
    /// Everything works again: whatever is owed must be told, and then nothing may be written any more.
    pub(super) fn calm(&mut self) {
        self.tell(|| "from now on everything works".to_owned());
        self.calm = true;
        self.mood = Mood::default();
        self.queue.retain(|_, happening| !matches!(happening, Happening::Stir));
        self.at(1, Happening::Stir);
        self.until_clean("what is owed", false);
        self.feed(Input::ConnectionRequest(Via::Http), None);
        let before = self.check.successes;
        self.until_clean("a connection request", true);
        if self.finding.is_none() && self.check.successes == before {
            self.found("no session follows a connection request".to_owned());
        }
        self.expect_nothing_left();
        if self.finding.is_none() && self.settings.periodic_inform_enable {
            self.periodic_sessions();
        }
    }

    fn until_clean(&mut self, what: &str, all: bool) {
        let deadline = self.now.mono.0 + CALM_MS;
        for _ in 0..CALM_STEPS {
            if self.finding.is_some() || (self.powered && self.is_clean(all)) {
                return;
            }
            if !self.step(deadline) {
                break;
            }
        }
        self.found(format!("{what} leads to no good session although everything works"));
    }

    /// Whether all that calls for a session by itself has been told; or `all`, including what only rides along.
    fn is_clean(&self, all: bool) -> bool {
        let busy = self.store.is_writing() || self.data.is_busy();
        !busy && self.check.is_clean() && !(all && self.data.unreported())
    }

    fn expect_nothing_left(&mut self) {
        if self.finding.is_some() {
            return;
        }
        let stored = &self.stored;
        let contacted = self.settings.url.as_ref().map(ToString::to_string);
        let nothing_owed = stored.reboots.is_empty() && stored.events.is_empty() && !stored.factory_reset;
        if !nothing_owed || stored.retry_count != 0 || stored.bootstrapped != contacted {
            let text = format!("after everything was told, this is stored: {stored:?}");
            self.found(text);
        } else if !self.snapshots.is_empty() {
            self.found(format!("snapshots {:?} are never released", self.snapshots));
        }
        let kept = |key: &&str| self.stored.schedules.iter().any(|call| call.command_key.as_str() == *key);
        let lost = self.check.waiting_schedules().find(|key| !kept(key)).map(str::to_owned);
        if let Some(lost) = lost {
            self.found(format!("ScheduleInform `{lost}` was promised and is not stored"));
        }
    }

    /// Two periodic sessions: on time, with that event alone, and without a write.
    fn periodic_sessions(&mut self) {
        let interval = u64::from(self.settings.periodic_inform_interval) * 1000;
        for _ in 0..2 {
            let (writes, successes) = (self.check.writes, self.check.successes);
            let deadline = self.now.mono.0 + interval + LATE_MS + 5_000;
            while self.finding.is_none() && !(self.check.successes > successes && self.is_clean(false)) {
                if !self.step(deadline) {
                    return self.found("no periodic session in its interval".to_owned());
                }
            }
            if self.finding.is_some() {
                return;
            }
            let events = self.check.last_inform().map(|inform| inform.events.clone()).unwrap_or_default();
            if !matches!(events.as_slice(), [one] if one.code == EventCode::Periodic) {
                return self.found(format!("a periodic session reports {events:?}"));
            }
            if self.check.writes != writes {
                return self.found("a periodic session that changes nothing writes".to_owned());
            }
        }
    }
}

//! ScheduleInform: what was promised, and when its report may and must come.

use cwmp_core::time::Now;

use super::{CallState, Check, due::Due, transfers::Transfer};
use crate::simulate::owed::{CallId, Need};

/// What is due later than this is not waited for, in milliseconds.
const FAR_MS: u64 = 86_400_000;

/// A ScheduleInform call of the ACS.
#[derive(Debug)]
pub(super) struct InformCall {
    pub(super) key: String,
    pub(super) state: CallState,
    due: Due,
    /// It may have been due when a bootstrap discarded all that was older.
    discarded: bool,
}

impl InformCall {
    pub(super) fn new(key: &str, delay_seconds: u32, now: Now) -> Self {
        let due = Due::new(u64::from(delay_seconds) * 1000, now);
        Self { key: key.to_owned(), state: CallState::Called, due, discarded: false }
    }

    /// Whether it belongs into an Inform whose events are gathered now.
    fn need(&self, now: u64) -> Need {
        match () {
            () if !self.due.may_be_over(now) => Need::No,
            () if self.due.is_over(now) && self.state == CallState::Promised && !self.discarded => Need::Must,
            () => Need::May,
        }
    }
}

impl Check {
    /// The box has started again, and its clock begins anew: it now shows `passed` milliseconds less than the old one would.
    pub(in crate::simulate) fn clock_begins_anew(&mut self, passed: u64, now: Now) {
        self.dues().for_each(|due| due.clock_begins_anew(passed, now));
    }

    pub(super) fn clock_is_set(&mut self) {
        self.dues().for_each(Due::clock_is_set);
    }

    fn dues(&mut self) -> impl Iterator<Item = &mut Due> {
        let transfers = self.transfers.iter_mut().flat_map(Transfer::dues);
        self.informs.iter_mut().map(|call| &mut call.due).chain(transfers)
    }

    /// The ACS is about to become another one, and what is due is not owed to it.
    pub(super) fn discard_what_is_due(&mut self) {
        let now = self.now.mono.0;
        for (id, _) in &self.present.events.scheduled {
            if let Some(call) = self.informs.get_mut(*id)
                && call.due.may_be_over(now)
            {
                call.discarded = true;
            }
        }
    }

    /// Decides for each call whether it belongs into the Inform that is begun now.
    pub(super) fn weigh_schedules(&mut self) {
        let now = self.now.mono.0;
        for (id, need) in &mut self.present.events.scheduled {
            *need = self.informs.get(*id).map_or(Need::No, |call| call.need(now));
        }
    }

    /// Whether one may have become due since the last session failed: that ends the wait for the retry.
    pub(super) fn due_since(&self, failed: u64) -> bool {
        let now = self.now.mono.0;
        self.scheduled().any(|(_, call)| {
            let over = call.state == CallState::Promised && call.due.latest < failed;
            call.due.may_be_over(now) && !over
        })
    }

    /// Whether something is going to be reported, or may be, within a day.
    pub(super) fn expects_schedules(&self, late_ms: u64) -> bool {
        let now = self.now.mono.0;
        self.scheduled().any(|(_, call)| match call.need(now) {
            Need::Must => true,
            _ => (now..now + FAR_MS).contains(&(call.due.latest + late_ms)),
        })
    }

    /// Keys of calls that were promised and are certainly not yet due.
    pub(in crate::simulate) fn waiting_schedules(&self) -> impl Iterator<Item = &str> {
        let now = self.now.mono.0;
        self.scheduled()
            .filter(move |(_, call)| call.state == CallState::Promised && call.need(now) == Need::No)
            .map(|(_, call)| call.key.as_str())
    }

    fn scheduled(&self) -> impl Iterator<Item = (CallId, &InformCall)> {
        self.present.events.scheduled.iter().filter_map(|(id, _)| Some((*id, self.informs.get(*id)?)))
    }
}

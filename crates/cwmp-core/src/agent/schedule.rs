//! ScheduleInform (TR-069a6 A.4.1.2): promised durably, kept over boots, reported as `3 SCHEDULED` and `M ScheduleInform`.

use super::{Agent, calls::Promise};
use crate::{
    event::{EventCode, EventStruct},
    fault::FaultCode,
    limits,
    rpc::ScheduleInform,
    stored::ScheduledInform,
    time::{Mono, Now},
    transfer::Transfer,
    wait::Wait,
};

impl Agent {
    /// Takes the call; the delay counts from here.
    pub(super) fn promise_inform(&mut self, call: ScheduleInform, now: Now) {
        if call.delay_seconds == 0 {
            return self
                .refuse(FaultCode::INVALID_ARGUMENTS, "DelaySeconds must be greater than 0".to_owned());
        }
        let undelivered = self.undelivered().filter(|event| event.code == EventCode::MScheduleInform).count();
        if self.state.schedules.len() + undelivered >= limits::SCHEDULED_INFORMS {
            let text = format!("{} calls of ScheduleInform are not yet reported", limits::SCHEDULED_INFORMS);
            return self.refuse(FaultCode::RESOURCES_EXCEEDED, text);
        }
        let wait = Wait::new(u64::from(call.delay_seconds) * 1000, now);
        let scheduled = ScheduledInform { command_key: call.command_key, wait };
        self.state.schedules.push(scheduled.clone());
        self.store_then_answer(Promise::ScheduleInform(scheduled));
    }

    /// Raises the events of what is due. A call that is still being stored may yet be refused, and one whose events have no
    /// room waits on.
    ///
    /// Nothing is written here: until the events are delivered, or stored for another reason, the stored schedule stands for
    /// them.
    pub(super) fn fire_schedules(&mut self, now: Now) {
        let mut due: Vec<ScheduledInform> =
            self.state.schedules.iter().filter(|call| call.wait.is_over(now)).cloned().collect();
        due.sort_by_key(|call| call.wait.due);
        for call in due {
            if self.is_being_stored(&call) || !self.events.has_room(2) {
                continue;
            }
            if let Some(at) = self.state.schedules.iter().position(|known| *known == call) {
                self.state.schedules.remove(at);
                self.event(EventCode::Scheduled);
                self.events.raise(EventStruct::with_key(EventCode::MScheduleInform, call.command_key));
            }
        }
    }

    /// When the next one is due that can fire.
    pub(super) fn next_schedule(&self) -> Option<Mono> {
        let can_fire = |call: &&ScheduledInform| !self.is_being_stored(call);
        let next = self.state.schedules.iter().filter(can_fire).map(|call| call.wait.due).min();
        next.filter(|_| self.events.has_room(2))
    }

    fn is_being_stored(&self, call: &ScheduledInform) -> bool {
        let promises = self.promises.iter();
        promises.into_iter().any(
            |(_, promise)| matches!(promise, Promise::ScheduleInform(known) if is_same_call(known, call)),
        )
    }

    /// What waits once more after a boot.
    pub(super) fn carry_waits_over_a_boot(&mut self, now: Now) {
        self.waits_await_clock = now.wall.is_none();
        self.waits().for_each(|wait| wait.boot(now));
    }

    /// The clock has been set, or knows the date for the first time.
    pub(super) fn waits_meet_the_clock(&mut self, now: Now) {
        if now.wall.is_none() {
            return;
        }
        let of_earlier_uptime = std::mem::take(&mut self.waits_await_clock);
        let changed = self.waits().filter_map(|wait| wait.meet_clock(of_earlier_uptime, now).then_some(()));
        if changed.count() > 0 {
            self.persist_changes();
        }
    }

    /// Before an orderly restart.
    pub(super) fn note_what_remains(&mut self, now: Now) {
        self.waits().for_each(|wait| wait.note_what_remains(now));
    }

    /// All waits that outlive a boot.
    fn waits(&mut self) -> impl Iterator<Item = &mut Wait> {
        let schedules = self.state.schedules.iter_mut().map(|call| &mut call.wait);
        let changes = self.state.du_changes.iter_mut().map(|change| &mut change.deadline);
        schedules.chain(self.state.transfers.iter_mut().flat_map(Transfer::waits)).chain(changes)
    }
}

/// Whether both stand for the same call of this uptime. The date is left out: it is written anew when the clock is set, also
/// while the call is being stored.
pub(super) fn is_same_call(one: &ScheduledInform, other: &ScheduledInform) -> bool {
    (&one.command_key, one.wait.due) == (&other.command_key, other.wait.due)
}

//! ScheduleInform (TR-069a6 A.4.1.2): promised durably, kept over boots, reported as `3 SCHEDULED` and `M ScheduleInform`.

use super::{Agent, calls::Promise};
use crate::{
    event::{EventCode, EventStruct},
    fault::FaultCode,
    limits,
    rpc::ScheduleInform,
    stored::ScheduledInform,
    time::{Mono, Now, Wall},
};

/// A date of a schedule is written anew when the clock has been set by more than this, in milliseconds.
const RENOTE_MS: u64 = 60_000;

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
        let remaining_ms = u64::from(call.delay_seconds) * 1000;
        let due = now.mono.after_ms(remaining_ms);
        let scheduled = ScheduledInform {
            command_key: call.command_key,
            due,
            due_wall: now.wall.map(|wall| date_of(due, now.mono, wall)),
            remaining_ms,
        };
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
            self.state.schedules.iter().filter(|call| call.due <= now.mono).cloned().collect();
        due.sort_by_key(|call| call.due);
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
        let next = self.state.schedules.iter().filter(can_fire).map(|call| call.due).min();
        next.filter(|_| self.events.has_room(2))
    }

    fn is_being_stored(&self, call: &ScheduledInform) -> bool {
        let promises = self.promises.iter();
        promises.into_iter().any(
            |(_, promise)| matches!(promise, Promise::ScheduleInform(known) if is_same_call(known, call)),
        )
    }

    /// The monotonic clock has begun anew: reckons what is due from the date, or from what remained.
    pub(super) fn carry_schedules_over_a_boot(&mut self, now: Now) {
        self.schedules_await_clock = now.wall.is_none();
        for call in &mut self.state.schedules {
            call.due = now.mono.after_ms(wait_after_boot(call, now));
        }
    }

    /// The clock has been set, or knows the date for the first time. The dates of calls of this uptime are written anew;
    /// those of an earlier one say how much of the wait has passed while the box was off.
    pub(super) fn schedules_meet_the_clock(&mut self, now: Now) {
        let Some(wall) = now.wall else { return };
        let of_earlier_uptime = std::mem::take(&mut self.schedules_await_clock);
        let mut changed = false;
        for call in &mut self.state.schedules {
            if of_earlier_uptime && call.due_wall.is_some() {
                call.due = call.due.min(now.mono.after_ms(wait_after_boot(call, now)));
            }
            let date = date_of(call.due, now.mono, wall);
            if call.due_wall.is_none_or(|noted| noted.0.abs_diff(date.0) > RENOTE_MS) {
                call.due_wall = Some(date);
                changed = true;
            }
        }
        if changed {
            self.persist_changes();
        }
    }

    /// Before an orderly restart: a box without a clock has nothing but this to go by.
    pub(super) fn note_what_remains(&mut self, now: Now) {
        for call in &mut self.state.schedules {
            call.remaining_ms = call.due.since(now.mono);
        }
    }
}

/// Whether both stand for the same call of this uptime. The date is left out: it is written anew when the clock is set, also
/// while the call is being stored.
pub(super) fn is_same_call(one: &ScheduledInform, other: &ScheduledInform) -> bool {
    (&one.command_key, one.due) == (&other.command_key, other.due)
}

/// Milliseconds that a call of an earlier uptime still waits.
fn wait_after_boot(call: &ScheduledInform, now: Now) -> u64 {
    match (call.due_wall, now.wall) {
        (Some(due), Some(wall)) => {
            u64::try_from(due.0.saturating_sub(wall.0)).unwrap_or(0).min(call.remaining_ms)
        }
        _ => call.remaining_ms,
    }
}

/// The date of a moment ahead.
fn date_of(due: Mono, now: Mono, wall: Wall) -> Wall {
    Wall(wall.0.saturating_add(i64::try_from(due.since(now)).unwrap_or(i64::MAX)))
}

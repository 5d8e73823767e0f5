//! Events that wait for delivery (TR-069a6 3.7.1.5).

use crate::{
    event::{Delivery, EventCode, EventStruct},
    limits,
    rpc::CommandKey,
};

/// The events that the ACS has not yet answered for, apart from those in the Inform of the present session.
#[derive(Clone, Debug, Default)]
pub(super) struct EventQueue {
    waiting: Vec<EventStruct>,
}

impl EventQueue {
    /// Adds an event; returns whether it is listed now. Single events are listed once; with `0 BOOTSTRAP` everything older
    /// goes. A full queue takes nothing new.
    pub(super) fn raise(&mut self, event: EventStruct) -> bool {
        let listed = self.lists(&event);
        if event.code == EventCode::Bootstrap && !listed {
            self.waiting.clear();
        }
        let room = self.has_room(1);
        if !listed && room {
            self.insert(event);
        }
        listed || room
    }

    fn lists(&self, event: &EventStruct) -> bool {
        !event.code.is_multiple() && self.waiting.iter().any(|waiting| waiting.code == event.code)
    }

    fn insert(&mut self, event: EventStruct) {
        self.waiting.push(event);
        self.waiting.sort_by_key(|event| event.code.rank());
    }

    /// Whether so many more events have room.
    pub(super) fn has_room(&self, events: usize) -> bool {
        self.waiting.len() + events <= limits::QUEUED_EVENTS
    }

    /// Takes out what the next Inform lists: at most so many.
    pub(super) fn take_for_inform(&mut self, room: usize) -> Vec<EventStruct> {
        let count = self.waiting.len().min(room);
        let taken = self.waiting.drain(..count).collect();
        self.pair_scheduled();
        taken
    }

    /// Puts back events that had no room in the Inform after all.
    pub(super) fn put_back_surplus(&mut self, surplus: Vec<EventStruct>) {
        self.put_before_newer(surplus.into_iter());
        self.pair_scheduled();
    }

    /// They had their place in the queue before, so they find room even if newer ones have filled it: at most one Inform's
    /// events beyond the limit. They are dropped when a `0 BOOTSTRAP` has been raised since.
    fn put_before_newer(&mut self, older: impl Iterator<Item = EventStruct>) {
        if self.waiting.iter().any(|event| event.code == EventCode::Bootstrap) {
            return;
        }
        let newer = std::mem::take(&mut self.waiting);
        for event in older.chain(newer) {
            if !self.lists(&event) {
                self.insert(event);
            }
        }
    }

    /// `M ScheduleInform` never goes without `3 SCHEDULED`, also where more are due than one Inform can list.
    fn pair_scheduled(&mut self) {
        if self.waiting.iter().any(|event| event.code == EventCode::MScheduleInform) {
            self.raise(EventStruct::new(EventCode::Scheduled));
        }
    }

    /// Puts back the events of an Inform that was not answered. Those that are not retried are dropped, and so are all
    /// when a `0 BOOTSTRAP` has been raised since.
    pub(super) fn put_back(&mut self, undelivered: Vec<EventStruct>) {
        self.put_before_newer(
            undelivered.into_iter().filter(|event| event.code.delivery() != Delivery::Once),
        );
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// All that wait, in the order of their codes.
    pub(super) fn waiting(&self) -> &[EventStruct] {
        &self.waiting
    }
}

impl EventStruct {
    /// An event that reports the call with this CommandKey.
    #[must_use]
    pub fn with_key(code: EventCode, command_key: CommandKey) -> Self {
        Self { code, command_key }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(code: EventCode) -> EventStruct {
        EventStruct::new(code)
    }

    fn reboot(key: &str) -> EventStruct {
        EventStruct::with_key(EventCode::MReboot, CommandKey::new(key).unwrap())
    }

    fn codes(queue: &EventQueue) -> Vec<&str> {
        queue.waiting().iter().map(|event| event.code.as_str()).collect()
    }

    /// Conformance: 3.03
    #[test]
    fn single_events_stand_once_and_multiple_ones_each() {
        let mut queue = EventQueue::default();
        for event in [
            reboot("a"),
            event(EventCode::Periodic),
            event(EventCode::Boot),
            event(EventCode::Periodic),
            reboot("b"),
        ] {
            queue.raise(event);
        }
        assert_eq!(codes(&queue), ["1 BOOT", "2 PERIODIC", "M Reboot", "M Reboot"]);
    }

    #[test]
    fn bootstrap_discards_what_is_older_also_when_it_arises_during_a_session() {
        let mut queue = EventQueue::default();
        queue.raise(reboot("a"));
        queue.raise(event(EventCode::Bootstrap));
        queue.raise(event(EventCode::Boot));
        assert_eq!(codes(&queue), ["0 BOOTSTRAP", "1 BOOT"]);

        let mut queue = EventQueue::default();
        queue.raise(event(EventCode::Periodic));
        let in_flight = queue.take_for_inform(limits::INFORM_EVENTS);
        queue.raise(event(EventCode::Bootstrap));
        queue.put_back(in_flight);
        assert_eq!(codes(&queue), ["0 BOOTSTRAP"]);
    }

    /// Conformance: 3.17
    #[test]
    fn a_connection_request_is_not_retried() {
        let mut queue = EventQueue::default();
        queue.raise(event(EventCode::ConnectionRequest));
        queue.raise(event(EventCode::Periodic));
        let in_flight = queue.take_for_inform(limits::INFORM_EVENTS);
        queue.raise(event(EventCode::Periodic));
        queue.put_back(in_flight);
        assert_eq!(codes(&queue), ["2 PERIODIC"]);
    }

    /// Conformance: 3.02
    #[test]
    fn an_inform_takes_64_and_the_rest_waits() {
        let mut queue = EventQueue::default();
        for n in 0..70 {
            queue.raise(reboot(&n.to_string()));
        }
        assert_eq!(queue.take_for_inform(limits::INFORM_EVENTS).len(), 64);
        assert_eq!(queue.waiting().len(), 6);
    }

    #[test]
    fn the_queue_is_bounded() {
        let mut queue = EventQueue::default();
        for n in 0..10_000 {
            queue.raise(reboot(&n.to_string()));
        }
        assert_eq!(queue.waiting().len(), limits::QUEUED_EVENTS);
        // Nothing that was listed is lost when the queue fills during a session that fails.
        let in_flight = queue.take_for_inform(limits::INFORM_EVENTS);
        for n in 0..10_000 {
            queue.raise(reboot(&format!("new {n}")));
        }
        queue.put_back(in_flight);
        assert_eq!(queue.waiting().len(), limits::QUEUED_EVENTS + limits::INFORM_EVENTS);
        assert_eq!(queue.waiting()[0], reboot("0"));
    }
}

//! The course of a session as the agent sees it: from the parameters of the Inform to the end, or to the wait before the
//! next try.

use super::{
    Agent, OpenSession, Stage,
    calls::Call,
    session::{Action, Failure, Session},
    transfers::{is_of_transfer, without_transfers},
};
use crate::{
    datetime::DateTime,
    event::{EventCode, EventStruct},
    io::{AcsTarget, Body, DataOp, Effect, Level, NetError, Reply},
    limits,
    retry::RetryPolicy,
    rpc::{Inform, ParameterValueStruct},
    time::Now,
};

impl Agent {
    pub(super) fn open_session(&mut self) {
        self.retry_at = None;
        let events = self.events_for_inform();
        let codes: Vec<EventCode> = events.iter().map(|event| event.code.clone()).collect();
        let op = self.data(DataOp::Inform { events: codes });
        self.stage = Stage::Gathering { op, events };
    }

    /// The parameters of the Inform are there: build it and connect.
    pub(super) fn gathered(
        &mut self,
        mut events: Vec<EventStruct>,
        parameters: Vec<ParameterValueStruct>,
        change: bool,
        now: Now,
    ) {
        let Some(url) = self.settings.url.clone() else {
            self.events.put_back(without_transfers(events));
            return;
        };
        events.retain(|event| event.code != EventCode::ValueChange);
        if change {
            self.notify_at = None;
            self.put_back_surplus(&mut events);
            events.push(EventStruct::new(EventCode::ValueChange));
            events.sort_by_key(|event| event.code.rank());
        } else if events.is_empty() && self.state.retry_count == 0 {
            return; // The watched value is back to what the ACS knows.
        }
        let names: Vec<&str> = events.iter().map(|event| event.code.as_str()).collect();
        let retry_count = self.state.retry_count;
        self.trace(
            Level::Info,
            format!("session with {url}: {} (RetryCount {retry_count})", names.join(", ")),
        );
        let current_time = now.wall.map_or(DateTime::Unknown, |wall| DateTime::At(wall.whole_seconds()));
        let device_id = self.device.clone();
        let inform = Inform { device_id, events, max_envelopes: 1, current_time, retry_count, parameters };
        self.stage = Stage::Connecting { inform: Box::new(inform) };
        self.effects.push_back(Effect::OpenSession(AcsTarget {
            url,
            username: self.settings.username.clone(),
            password: self.settings.password.clone(),
            compression: self.settings.http_compression,
            keep_cookies: self.interrupted,
        }));
    }

    /// Makes room for one more event. Those of transfers stay, for the session reports what the Inform lists.
    fn put_back_surplus(&mut self, events: &mut Vec<EventStruct>) {
        let mut surplus = Vec::new();
        while events.len() >= limits::INFORM_EVENTS
            && let Some(last) = events.iter().rposition(|event| !is_of_transfer(&event.code))
        {
            surplus.insert(0, events.remove(last));
        }
        self.events.put_back_surplus(surplus);
    }

    pub(super) fn connected(&mut self, now: Now) {
        self.reached();
        match std::mem::replace(&mut self.stage, Stage::Idle) {
            Stage::Connecting { inform } => {
                let events = inform.events.clone();
                let mut session = Session::begin(*inform, self.version.current());
                let reports = self.transfer_requests().into_iter().chain(self.du_requests());
                for request in reports.chain(self.requests.iter().cloned()) {
                    session.ask(request);
                }
                self.stage =
                    Stage::Open(Box::new(OpenSession { session, events, call: None, snapshot: None }));
                self.pump(now);
            }
            other => self.stage = other,
        }
    }

    pub(super) fn reply(&mut self, reply: &Reply, now: Now) {
        if let Stage::Open(open) = &mut self.stage {
            if let Some(snapshot) = open.snapshot.take() {
                self.effects.push_back(Effect::ReleaseSnapshot(snapshot));
            }
            open.session.reply(reply);
            self.pump(now);
        }
    }

    pub(super) fn session_lost(&mut self, error: &NetError, now: Now) {
        if matches!(self.stage, Stage::Connecting { .. }) {
            self.not_reached(error, now);
        }
        if matches!(self.stage, Stage::Connecting { .. } | Stage::Open(_)) {
            self.session_failed(Failure::new(error.to_string()));
        }
    }

    /// Does what the session wants, until it waits for the ACS, the data model or the store.
    pub(super) fn pump(&mut self, now: Now) {
        while let Stage::Open(open) = &mut self.stage {
            open.call.take_if(|call| matches!(call, Call::Delivering { ticket: None, op: None }));
            if let Some(Call::Delivering { .. }) = open.call {
                return;
            }
            let Some(action) = open.session.poll() else { return };
            match action {
                Action::Post(body) => {
                    if let Body::Listing(listing) = &body {
                        open.snapshot = Some(listing.snapshot);
                    }
                    self.effects.push_back(Effect::Post(body));
                }
                Action::Established => self.established(),
                Action::Execute(request) => self.execute(request, now),
                Action::Refuse { method, fault } => self.refuse_unusable(&method, fault),
                Action::Answered(request, answer) => self.acs_answered(&request, answer),
                Action::End => self.session_ended(now),
                Action::Fail(failure) => self.session_failed(failure),
            }
        }
    }

    /// The ACS has answered the Inform: its events are delivered. What comes next in the session shows the ACS that we
    /// know it, so that waits until no power cut can bring a `0 BOOTSTRAP` or `M Reboot` back, nor a changed value. It waits
    /// for the state that names this boot as well, without which a crash would bring a second `1 BOOT`.
    pub(super) fn established(&mut self) {
        if let Stage::Open(open) = &mut self.stage {
            open.events.clear();
        }
        self.state.bootstrapped = self.settings.url.as_ref().map(ToString::to_string);
        let op = Some(self.data(DataOp::InformDelivered));
        let ticket = self.persist_changes();
        if let Stage::Open(open) = &mut self.stage {
            open.call = Some(Call::Delivering { ticket, op });
        }
    }

    pub(super) fn session_ended(&mut self, now: Now) {
        self.trace(Level::Info, "session ended".to_owned());
        self.close();
        self.state.retry_count = 0;
        self.retries = 0;
        self.interrupted = false;
        self.last_success = Some(now.mono);
        self.persist_changes();
        if !std::mem::replace(&mut self.image_kept, true) {
            self.effects.push_back(Effect::KeepImage);
        }
    }

    pub(super) fn session_failed(&mut self, failure: Failure) {
        if failure.version_refused {
            self.version.older();
        }
        let undelivered = self.close();
        self.events.put_back(without_transfers(undelivered));
        self.interrupted = true;
        self.failed = Some(failure);
    }

    /// Sets the wait before the failed session is tried again, and keeps what must not be lost meanwhile.
    pub(super) fn schedule_retry(&mut self, failure: &Failure, now: Now) {
        self.state.retry_count = self.state.retry_count.saturating_add(1);
        self.retries = self.retries.saturating_add(1);
        let asked = u64::from(failure.retry_after.unwrap_or(0).min(limits::RETRY_AFTER_SECONDS)) * 1000;
        let wait = RetryPolicy::new(&self.settings).wait_ms(self.retries, &mut self.random).max(asked);
        self.retry_at = Some(now.mono.after_ms(wait));
        // A value that changed during the session is no reason to skip the wait: the next try carries it.
        self.notify_at = self.notify_at.filter(|at| *at > now.mono);
        self.persist_changes();
        self.trace(
            Level::Warning,
            format!("session failed: {}; next try in {} s", failure.reason, wait.div_ceil(1000)),
        );
    }

    /// Leaves the session; returns the events that the ACS has not answered for.
    pub(super) fn close(&mut self) -> Vec<EventStruct> {
        match std::mem::replace(&mut self.stage, Stage::Idle) {
            Stage::Open(open) => {
                self.effects.extend(open.snapshot.map(Effect::ReleaseSnapshot));
                self.effects.push_back(Effect::CloseSession);
                open.events
            }
            Stage::Connecting { inform } => {
                self.effects.push_back(Effect::CloseSession);
                inform.events
            }
            Stage::Gathering { events, .. } => events,
            other @ (Stage::Unborn | Stage::Idle | Stage::Restarting) => {
                self.stage = other;
                Vec::new()
            }
        }
    }
}

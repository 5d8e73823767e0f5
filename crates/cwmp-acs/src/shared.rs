//! The state behind the handle: sessions, CPEs, calls and what has been noticed. One lock, never held across a wait.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use bytes::Bytes;
use cwmp_core::rpc::Inform;
use tokio::sync::Notify;

use crate::{
    cpe::CpeKey,
    exchange::{Post, Reply},
    options::AcsOptions,
    report::{Direction, Ending, Message, Rule},
    script::{Plan, ScriptRequest},
    state::State,
};

/// Everything that the connections and the handle share.
pub(crate) struct Shared {
    pub(crate) options: AcsOptions,
    state: Mutex<State>,
    /// Somebody may have what they wait for.
    pub(crate) changed: Notify,
}

/// A POST as it arrives, for the record.
pub(crate) struct Arrival<'a> {
    pub(crate) connection: u64,
    /// The session cookie that came with it.
    pub(crate) cookie: Option<&'a str>,
    pub(crate) inform: Option<&'a Inform>,
    pub(crate) target: &'a str,
    pub(crate) method: String,
    pub(crate) essence: String,
    pub(crate) head: Bytes,
    pub(crate) body: Bytes,
}

/// What became known of an arrival.
pub(crate) struct Arrived {
    /// Cookie of its session.
    pub(crate) session: Option<String>,
    pub(crate) cpe: Option<CpeKey>,
    pub(crate) plan: Plan,
}

/// A reply as it leaves, for the record.
pub(crate) struct Departure {
    pub(crate) status: Option<u16>,
    pub(crate) method: String,
    pub(crate) essence: String,
    pub(crate) body: Bytes,
    /// It asks for the end of the connection.
    pub(crate) closes: bool,
}

impl Shared {
    pub(crate) fn new(options: AcsOptions) -> Self {
        let state = State::new(&options);
        Self { options, state: Mutex::new(state), changed: Notify::new() }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a POST and finds its session; an Inform opens one.
    pub(crate) fn arrive(&self, arrival: Arrival<'_>) -> Arrived {
        let mut guard = self.lock();
        let state = &mut *guard;
        let session = match arrival.inform {
            Some(inform) => Some(state.open(&arrival, inform, &self.options)),
            None => state.find(&arrival),
        };
        let cpe =
            session.as_ref().and_then(|cookie| state.slots.get(cookie)).map(|slot| slot.report.cpe.clone());
        let request = ScriptRequest { message: &arrival.method, target: arrival.target, body: &arrival.body };
        let is_meant = |wanted: &crate::CpeSelector| match &cpe {
            Some(key) => wanted.matches(key),
            None => *wanted == crate::CpeSelector::Any,
        };
        let plan = state.scripts.plan(is_meant, &request);
        for unmet in &plan.unmet {
            state.violate(cpe.clone(), arrival.connection, Rule::Script, unmet.clone());
        }
        let message = Message {
            direction: Direction::FromCpe,
            time: SystemTime::now(),
            cpe: cpe.clone(),
            connection: arrival.connection,
            method: arrival.method,
            essence: arrival.essence,
            status: None,
            head: arrival.head,
            body: arrival.body,
        };
        state.record(session.as_deref(), &message, self.options.keep_bodies);
        drop(guard);
        self.tell(&message);
        Arrived { session, cpe, plan }
    }

    /// Lets the session take in a POST. Without `calls`, no call is started.
    pub(crate) fn exchange(
        &self,
        session: Option<&str>,
        connection: u64,
        post: Post,
        hold: bool,
        calls: bool,
    ) -> Reply {
        let mut state = self.lock();
        let state = &mut *state;
        let Some(slot) = session.and_then(|cookie| state.slots.get_mut(cookie)) else {
            return Reply::Refuse("no session: Inform comes first, and its cookie comes with what follows");
        };
        let cpe = slot.report.cpe.clone();
        if slot.ended {
            let text = "a message after the end of its session".to_owned();
            state.violate(Some(cpe), connection, Rule::ConnectionEnds, text);
            return Reply::Refuse("the session has ended");
        }
        let queue = &mut state.calls;
        let outcome = slot.session.receive(post, hold, &mut || if calls { queue.next(&cpe) } else { None });
        let version = slot.session.version();
        if let Some(record) = state.cpes.get_mut(&cpe) {
            record.version = version;
            if let Some((_, Ok(response))) = &outcome.answered {
                record.answered(response);
            }
        }
        for (rule, detail) in outcome.findings {
            state.violate(Some(cpe.clone()), connection, rule, detail);
        }
        if let Some((id, answer)) = outcome.answered {
            state.calls.answer(id, answer);
        }
        outcome.reply
    }

    /// A script sends this status and body as the reply: what the session has to expect now.
    pub(crate) fn replaced_reply(&self, session: Option<&str>, status: u16, body: &[u8]) {
        let mut state = self.lock();
        if let Some(slot) = session.and_then(|cookie| state.slots.get_mut(cookie)) {
            slot.session.replaced_reply(status, body);
        }
    }

    /// Records a reply, and the end of the session where it is one.
    pub(crate) fn depart(
        &self,
        session: Option<&str>,
        connection: u64,
        cpe: Option<CpeKey>,
        departure: Departure,
    ) {
        let mut guard = self.lock();
        let state = &mut *guard;
        let message = Message {
            direction: Direction::ToCpe,
            time: SystemTime::now(),
            cpe,
            connection,
            method: departure.method,
            essence: departure.essence,
            status: departure.status,
            head: Bytes::new(),
            body: departure.body,
        };
        state.record(session, &message, self.options.keep_bodies);
        if let Some((cookie, slot)) = session.and_then(|cookie| Some((cookie, state.slots.get_mut(cookie)?)))
        {
            slot.may_move = departure.closes;
            if slot.session.is_over() {
                state.end(cookie, Ending::Clean, &self.options);
            }
        }
        drop(guard);
        self.tell(&message);
    }

    /// A connection is gone. The session that may go on in another one is returned: it is to be [`Shared::expire`]d.
    pub(crate) fn closed(&self, connection: u64) -> Option<String> {
        let mut state = self.lock();
        let cookie = state.by_connection.remove(&connection)?;
        let slot = state.slots.get_mut(&cookie)?;
        slot.connection_open = false;
        if slot.ended {
            state.slots.remove(&cookie);
            return None;
        }
        if slot.may_move {
            return Some(cookie);
        }
        state.end(&cookie, Ending::Interrupted, &self.options);
        state.slots.remove(&cookie);
        drop(state);
        self.changed.notify_waiters();
        None
    }

    /// A session whose connection is gone has not gone on in time.
    pub(crate) fn expire(&self, cookie: &str) {
        let mut state = self.lock();
        if state.slots.get(cookie).is_some_and(|slot| !slot.connection_open) {
            state.end(cookie, Ending::Interrupted, &self.options);
            state.slots.remove(cookie);
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// Tells the observer of a reply that belongs to no session: a challenge, a file.
    pub(crate) fn aside(&self, connection: u64, method: &str, status: Option<u16>, essence: String) {
        self.tell(&Message {
            direction: Direction::ToCpe,
            time: SystemTime::now(),
            cpe: None,
            connection,
            method: method.to_owned(),
            essence,
            status,
            head: Bytes::new(),
            body: Bytes::new(),
        });
    }

    /// Without the lock: an observer may ask the handle.
    fn tell(&self, message: &Message) {
        if let Some(observer) = &self.options.on_message {
            observer(message);
        }
        self.changed.notify_waiters();
    }
}

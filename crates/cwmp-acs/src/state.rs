//! What the handle, the connections and the sessions share: the part that the lock of [`crate::shared`] guards.

use std::{
    collections::{HashMap, VecDeque},
    time::SystemTime,
};

use bytes::Bytes;
use cwmp_core::rpc::Inform;

use crate::{
    auth::{Gate, random_hex},
    calls::Calls,
    cpe::{CpeKey, CpeRecord},
    limits,
    options::AcsOptions,
    report::{Ending, Message, Rule, SessionReport, Violation},
    script::Scripts,
    session::Session,
    shared::Arrival,
};

/// What the lock guards.
pub(crate) struct State {
    pub(crate) gate: Gate,
    pub(crate) file_gate: Option<Gate>,
    pub(crate) cpes: HashMap<CpeKey, CpeRecord>,
    pub(crate) calls: Calls,
    pub(crate) scripts: Scripts,
    pub(crate) file_scripts: Scripts,
    pub(crate) informs: VecDeque<Inform>,
    pub(crate) reports: VecDeque<SessionReport>,
    pub(crate) violations: Vec<Violation>,
    pub(crate) violation_count: u64,
    pub(crate) slots: HashMap<String, Slot>,
    /// Cookies of the sessions that the open connections carry, or carried last.
    pub(crate) by_connection: HashMap<u64, String>,
    /// Cookies of the sessions that have not ended.
    by_cpe: HashMap<CpeKey, String>,
}

/// A session with its place in the world.
pub(crate) struct Slot {
    pub(crate) session: Session,
    pub(crate) connection: u64,
    pub(crate) connection_open: bool,
    /// The last reply asked for the end of the connection: the session may go on in a new one.
    pub(crate) may_move: bool,
    /// Its end has been reported.
    pub(crate) ended: bool,
    pub(crate) report: SessionReport,
}

impl State {
    pub(crate) fn new(options: &AcsOptions) -> Self {
        Self {
            gate: Gate::new(options.authentication.clone(), "cwmp-acs"),
            file_gate: options
                .files
                .as_ref()
                .map(|files| Gate::new(files.authentication.clone(), "cwmp-acs files")),
            cpes: HashMap::new(),
            calls: Calls::default(),
            scripts: Scripts::default(),
            file_scripts: Scripts::default(),
            informs: VecDeque::new(),
            reports: VecDeque::new(),
            violations: Vec::new(),
            violation_count: 0,
            slots: HashMap::new(),
            by_connection: HashMap::new(),
            by_cpe: HashMap::new(),
        }
    }

    /// Notes a violation.
    pub(crate) fn violate(&mut self, cpe: Option<CpeKey>, connection: u64, rule: Rule, detail: String) {
        self.violation_count = self.violation_count.saturating_add(1);
        if self.violations.len() < limits::VIOLATIONS {
            self.violations.push(Violation { cpe, connection, rule, detail });
        }
    }

    pub(crate) fn record(&mut self, session: Option<&str>, message: &Message, keep_bodies: bool) {
        let Some(slot) = session.and_then(|cookie| self.slots.get_mut(cookie)).filter(|slot| !slot.ended)
        else {
            return;
        };
        if slot.report.messages.len() >= limits::REPORTED_MESSAGES {
            slot.report.unreported = slot.report.unreported.saturating_add(1);
            return;
        }
        let mut message = message.clone();
        if !keep_bodies {
            (message.head, message.body) = (Bytes::new(), Bytes::new());
        }
        slot.report.messages.push(message);
    }

    /// The session that an Inform belongs to: mostly a new one.
    pub(crate) fn open(&mut self, arrival: &Arrival<'_>, inform: &Inform, options: &AcsOptions) -> String {
        let connection = arrival.connection;
        let key = CpeKey::of(&inform.device_id);
        self.learn(&key, inform);
        let here = self.by_connection.get(&connection).cloned();
        if let Some(cookie) = here {
            match self.slots.get(&cookie) {
                Some(slot) if slot.ended => {
                    let text = "an Inform on the connection of a session that has ended".to_owned();
                    self.violate(Some(key.clone()), connection, Rule::ConnectionEnds, text);
                    self.slots.remove(&cookie);
                }
                Some(slot) if slot.report.cpe == key => return cookie,
                Some(_) => {
                    self.end(&cookie, Ending::Interrupted, options);
                    self.slots.remove(&cookie);
                }
                None => {}
            }
        }
        if let Some(other) = self.by_cpe.get(&key).cloned() {
            if self.slots.get(&other).is_some_and(|slot| slot.connection_open) {
                let text = "an Inform while another connection carries a session".to_owned();
                self.violate(Some(key.clone()), connection, Rule::OneSession, text);
            }
            self.end(&other, Ending::Interrupted, options);
            self.slots.remove(&other);
        }
        let report = SessionReport {
            cpe: key.clone(),
            events: inform.events.clone(),
            retry_count: inform.retry_count,
            messages: Vec::new(),
            unreported: 0,
            ending: Ending::Interrupted,
        };
        let session = Session::new(options.newest_version);
        let slot = Slot { session, connection, connection_open: true, may_move: false, ended: false, report };
        let cookie = random_hex();
        self.slots.insert(cookie.clone(), slot);
        self.by_connection.insert(connection, cookie.clone());
        self.by_cpe.insert(key, cookie.clone());
        cookie
    }

    /// The session that a POST other than Inform belongs to.
    pub(crate) fn find(&mut self, arrival: &Arrival<'_>) -> Option<String> {
        let connection = arrival.connection;
        let here = self.by_connection.get(&connection).cloned();
        let known = arrival.cookie.and_then(|cookie| self.slots.get_key_value(cookie));
        let Some((cookie, slot)) = known else {
            let cpe =
                here.as_ref().and_then(|cookie| self.slots.get(cookie)).map(|slot| slot.report.cpe.clone());
            let (rule, text) = match (arrival.cookie, &here) {
                (None, Some(_)) => (Rule::Cookie, "a message without the session cookie"),
                (None, None) => (Rule::InformFirst, "a message before any Inform"),
                (Some(_), _) => (Rule::Cookie, "a session cookie that is not, or no longer, known"),
            };
            self.violate(cpe, connection, rule, format!("{text}: `{}`", arrival.method));
            return here;
        };
        let cookie = cookie.clone();
        if slot.connection != connection {
            let (cpe, was_open) = (slot.report.cpe.clone(), slot.connection_open);
            if was_open {
                let text = "a session goes on in a second connection while its first is open".to_owned();
                self.violate(Some(cpe), connection, Rule::OneSession, text);
            }
            if let Some(slot) = self.slots.get_mut(&cookie) {
                self.by_connection.remove(&slot.connection);
                (slot.connection, slot.connection_open) = (connection, true);
            }
            self.by_connection.insert(connection, cookie.clone());
        }
        Some(cookie)
    }

    fn learn(&mut self, key: &CpeKey, inform: &Inform) {
        let now = SystemTime::now();
        match self.cpes.get_mut(key) {
            Some(record) => record.informed(inform.clone(), now),
            None => {
                if self.cpes.len() >= limits::CPES {
                    let oldest = self.cpes.iter().min_by_key(|(_, record)| record.last_seen);
                    if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                        self.cpes.remove(&oldest);
                    }
                }
                self.cpes.insert(key.clone(), CpeRecord::new(inform.clone(), now));
            }
        }
        push_bounded(&mut self.informs, inform.clone(), limits::UNCLAIMED);
    }

    /// Reports the end of a session, once.
    pub(crate) fn end(&mut self, cookie: &str, ending: Ending, options: &AcsOptions) {
        let Some(slot) = self.slots.get_mut(cookie).filter(|slot| !slot.ended) else { return };
        slot.ended = true;
        self.by_cpe.remove(&slot.report.cpe);
        slot.report.ending = ending;
        if let Some(call) = slot.session.give_up() {
            self.calls.answer(call, Err(crate::CallError::Interrupted));
        }
        let messages = std::mem::take(&mut slot.report.messages);
        let report = SessionReport { messages, ..slot.report.clone() };
        if let Some(record) = self.cpes.get_mut(&report.cpe) {
            record.session_count = record.session_count.saturating_add(1);
            if options.history > 0 {
                push_bounded(&mut record.sessions, report.clone(), options.history);
            }
        }
        push_bounded(&mut self.reports, report, limits::UNCLAIMED);
    }
}

fn push_bounded<T>(queue: &mut VecDeque<T>, item: T, most: usize) {
    if queue.len() >= most {
        queue.pop_front();
    }
    queue.push_back(item);
}

//! The checker: it sees every input and every effect, keeps its own book ([`Owed`]) and says what breaks a promise.
//!
//! Its first finding ends the simulation of a seed. It knows the standard and the border of the agent
//! (`cwmp_core::io`), and nothing of the agent's inside.

mod lives;
mod messages;
mod schedules;

use std::collections::BTreeMap;

use cwmp_core::{
    event::EventCode,
    io::{Effect, Input, LocalCommand, RebootCause, Ticket},
    limits,
    rpc::Inform,
    settings::AgentSettings,
    stored::Stored,
    time::Now,
};

use self::schedules::InformCall;
use super::{
    acs::{Asked, Meaning, Posted},
    owed::{CallId, Events, Need, Owed},
    periods::Periods,
};

/// Lateness that a wake-up may have in this world, in milliseconds.
pub(super) const LATE_MS: u64 = 2_000;
/// Most effects that one input may have.
const EFFECTS_OF_AN_INPUT: u32 = 400;

type Finding = Result<(), String>;

/// A Reboot call of the ACS.
#[derive(Debug)]
struct RebootCall {
    key: String,
    state: CallState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CallState {
    /// It has reached the box.
    Called,
    /// RebootResponse has left the box.
    Promised,
    /// A fault has left the box.
    Refused,
}

/// A call that the box is to answer.
#[derive(Debug)]
struct Call {
    id: Option<String>,
    asked: Asked,
    /// Where it is a Reboot that can be promised.
    reboot: Option<CallId>,
    /// Where it is a ScheduleInform.
    inform: Option<CallId>,
    /// Where it is a FactoryReset: one was owed before.
    owed_before: bool,
}

/// What must come next in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// The agent posts.
    Post,
    /// The agent closes: the session was good.
    End,
    /// The agent closes: the session has failed.
    Fail,
    /// It is the turn of the network.
    Wait,
}

#[derive(Debug)]
struct Session {
    connected: bool,
    next: Next,
    inform: Option<Inform>,
    established: bool,
    said_empty: bool,
    held: bool,
    /// The request last posted, its ID, and how often it was posted.
    request: Option<(String, Option<String>, u32)>,
    call: Option<Call>,
    opened: Now,
}

/// The last failure, and the wait that must follow it.
#[derive(Clone, Copy, Debug)]
struct Failed {
    at: u64,
    low: u64,
    high: u64,
    /// Something has happened since that calls for a session at once.
    cut_short: bool,
}

#[derive(Debug)]
pub(super) struct Check {
    calls: Vec<RebootCall>,
    informs: Vec<InformCall>,
    /// As an agent that forgets nothing would have it.
    present: Owed,
    /// Events of the present attempt, until the ACS has answered for them.
    in_flight: Option<Events>,
    gathering: bool,
    /// The data model has answered for the Inform.
    answered: bool,
    value_change: bool,
    session: Option<Session>,
    settings: AgentSettings,
    pending_settings: Option<AgentSettings>,
    periods: Periods,
    failures_since_boot: u32,
    failed: Option<Failed>,
    asked_retry_after: u32,
    /// What was handed to the store and not yet answered for.
    handed: BTreeMap<u32, Owed>,
    last_handed: Owed,
    last_state: Stored,
    /// A write has failed since the last one that was handed over.
    unwritten: bool,
    durable: Owed,
    /// Somebody on the box wants to know the methods of the ACS and has not been told.
    acs_methods_asked: bool,
    restarting: bool,
    local_restart: bool,
    effects: u32,
    now: Now,
    /// Sessions that ended well, and writes, since the world began.
    pub(super) successes: u32,
    pub(super) writes: u32,
    last_inform: Option<Inform>,
}

impl Check {
    pub(super) fn new(settings: &AgentSettings, now: Now) -> Self {
        Self {
            calls: Vec::new(),
            informs: Vec::new(),
            present: Owed::default(),
            in_flight: None,
            gathering: false,
            answered: false,
            value_change: false,
            session: None,
            settings: settings.clone(),
            pending_settings: None,
            periods: Periods::default(),
            failures_since_boot: 0,
            failed: None,
            asked_retry_after: 0,
            handed: BTreeMap::new(),
            last_handed: Owed::default(),
            last_state: Stored::default(),
            unwritten: false,
            durable: Owed::default(),
            acs_methods_asked: false,
            restarting: false,
            local_restart: false,
            effects: 0,
            now,
            successes: 0,
            writes: 0,
            last_inform: None,
        }
    }

    /// The box has been reset: it is as new.
    pub(super) fn factory_state(&mut self) {
        self.durable = Owed::default();
    }

    /// Whether the agent has nothing more to tell and to do.
    pub(super) fn is_clean(&self) -> bool {
        let owed = &self.present;
        self.session.is_none()
            && !self.gathering
            && !self.restarting
            && !owed.events.urgent()
            && !self.expects_schedules(LATE_MS)
            && self.failed.is_none()
            && owed.reboots.is_empty()
            && !owed.factory_reset
            && !self.acs_methods_asked
            && self.handed.is_empty()
            && self.pending_settings.is_none()
    }

    /// A state is on stable storage, whether or not the agent lives to be told.
    pub(super) fn written(&mut self, ticket: Ticket) {
        if let Some(owed) = self.handed.remove(&ticket.0) {
            self.durable = owed;
        }
    }

    pub(super) fn last_inform(&self) -> Option<&Inform> {
        self.last_inform.as_ref()
    }

    /// Whether no session is on and none begins.
    fn resting(&self) -> bool {
        self.session.is_none() && !self.gathering && !self.restarting
    }

    fn key(&self, code: &EventCode, id: CallId) -> String {
        let key = match code {
            EventCode::MScheduleInform => self.informs.get(id).map(|call| &call.key),
            _ => self.calls.get(id).map(|call| &call.key),
        };
        key.cloned().unwrap_or_default()
    }

    /// An input is about to reach the agent; `meaning` belongs to a reply.
    pub(super) fn input(&mut self, input: &Input, now: Now, answer: Option<&super::acs::Answer>) {
        self.now = now;
        self.effects = 0;
        match input {
            Input::Started(start) => self.started(start),
            Input::PersistFailed(ticket, _) => {
                self.handed.remove(&ticket.0);
                self.unwritten = true;
            }
            Input::Connected => {
                if let Some(session) = &mut self.session {
                    session.connected = true;
                    session.next = Next::Post;
                }
            }
            Input::Reply(reply) => {
                self.asked_retry_after = reply.retry_after.unwrap_or(0);
                if let Some(answer) = answer {
                    self.replied(answer);
                }
            }
            Input::SessionLost(_) => {
                self.asked_retry_after = 0;
                if let Some(session) = &mut self.session {
                    session.next = Next::Fail;
                }
            }
            Input::ConnectionRequest(_) => {
                self.present.events.connection_request = Need::Must;
                self.impulse();
            }
            // No world has a vendor's events, lightweight notifications or jobs.
            Input::JobDone(..)
            | Input::TransferUndone(_)
            | Input::DiagnosticRequested { .. }
            | Input::DiagnosticWithdrawn(_)
            | Input::BoxIdle(_)
            | Input::Command(
                LocalCommand::Transfer(_)
                | LocalCommand::ConfirmDownload(_)
                | LocalCommand::RequestDownload(_),
            )
            | Input::Persisted(_)
            | Input::DataDone(_, _)
            | Input::ClockStepped
            | Input::LightweightChanged
            | Input::VendorEvent(_) => {}
            Input::WatchedChanged => self.impulse(),
            Input::SettingsChanged(settings) => self.pending_settings = Some((**settings).clone()),
            Input::RestartFailed(_) => {
                self.restarting = false;
                if let Some(failed) = &mut self.failed {
                    // While the box was about to restart, no session could begin.
                    failed.high = failed.high.max(now.mono.0.saturating_sub(failed.at));
                }
                self.present.reboots.clear();
                self.present.factory_reset = false;
            }
            Input::Command(LocalCommand::Inform) => {
                self.present.events.periodic = Need::Must;
                self.impulse();
            }
            Input::Command(LocalCommand::AcsMethods) => {
                // The question rides in a session that is on, while the box may still ask something in it.
                let rides =
                    self.session.as_ref().is_some_and(|session| session.connected && !session.said_empty);
                if !rides && !self.acs_methods_asked {
                    self.present.events.periodic = Need::Must;
                }
                self.acs_methods_asked = true;
                self.impulse();
            }
            Input::Command(LocalCommand::Reboot) => self.local_restart = true,
            Input::Command(LocalCommand::FactoryReset) => {
                self.present.factory_reset = true;
                self.local_restart = true;
                if let Some(call) = self.session.as_mut().and_then(|session| session.call.as_mut()) {
                    call.owed_before = true;
                }
            }
        }
        if matches!(input, Input::ClockStepped) {
            self.periods.reckon_anew(now);
            self.clock_is_set();
        }
        self.time_passes(now);
        if self.resting() {
            self.adopt();
        }
    }

    /// The agent is about to be woken.
    pub(super) fn woken(&mut self, now: Now) {
        self.now = now;
        self.effects = 0;
        self.time_passes(now);
    }

    fn time_passes(&mut self, now: Now) {
        if !self.restarting && self.periods.fire(now) {
            self.present.events.periodic = Need::Must;
            self.impulse();
        }
    }

    fn impulse(&mut self) {
        if let Some(failed) = &mut self.failed {
            failed.cut_short = true;
        }
    }

    fn adopt(&mut self) {
        let Some(settings) = self.pending_settings.take() else { return };
        let other = settings.url != self.settings.url;
        self.settings = settings;
        self.periods.configure(&self.settings, self.now);
        if other {
            self.present.retry = 0;
            self.failures_since_boot = 0;
            self.failed = None;
            if self.present.events.bootstrap != Need::Must {
                self.discard_what_is_due();
            }
            self.present.other_acs();
            self.present.url_just_changed = true;
        }
    }

    /// The data model answers for the Inform.
    pub(super) fn gathered(&mut self, value_change: Option<bool>, now: Now) {
        self.now = now;
        if !self.gathering {
            return;
        }
        match value_change {
            Some(change) => (self.value_change, self.answered) = (change, true),
            None => {
                self.asked_retry_after = 0;
                self.gathering = false;
                self.session_failed();
            }
        }
    }

    fn replied(&mut self, answer: &super::acs::Answer) {
        let Some(session) = &mut self.session else { return };
        let request = session.request.clone();
        session.held = answer.held;
        session.next = match (&answer.meaning, &request) {
            (Meaning::Accepted, Some((method, ..))) if method == "Inform" => {
                session.established = true;
                session.request = None;
                self.in_flight = None;
                self.present.contacted = self.settings.url.as_ref().map(ToString::to_string);
                if self.present.events.periodic == Need::No {
                    self.present.periodic_failed = false;
                }
                Next::Post
            }
            (Meaning::Again, Some((_, _, times))) if *times <= limits::REPEATS_AFTER_8005 => Next::Post,
            (Meaning::Again | Meaning::Answered, Some((method, ..))) if method != "Inform" => {
                session.request = None;
                self.acs_methods_asked = false;
                Next::Post
            }
            (Meaning::Call(asked), None) => {
                let (mut reboot, mut inform) = (None, None);
                let owed_before = self.present.factory_reset;
                match asked {
                    Asked::Reboot(key) => {
                        if self.present.reboots.len() < limits::INFORM_EVENTS {
                            reboot = Some(self.calls.len());
                            self.present.reboots.push(self.calls.len());
                        }
                        self.calls.push(RebootCall { key: key.clone(), state: CallState::Called });
                    }
                    Asked::ScheduleInform(delay, key) => {
                        inform = Some(self.informs.len());
                        self.present.events.scheduled.push((self.informs.len(), Need::No));
                        self.informs.push(InformCall::new(key, *delay, self.now));
                    }
                    Asked::FactoryReset => self.present.factory_reset = true,
                    Asked::Other(_) | Asked::Faulty(_) => {}
                }
                session.call =
                    Some(Call { id: answer.id.clone(), asked: asked.clone(), reboot, inform, owed_before });
                Next::Post
            }
            (Meaning::Nothing, None) if session.said_empty => Next::End,
            (Meaning::Nothing, None) => Next::Post,
            _ => Next::Fail,
        };
    }

    /// An effect of the agent, before it is carried out. `stored` is what is on stable storage.
    pub(super) fn effect(&mut self, effect: &Effect, posted: Option<&Posted>, stored: &Stored) -> Finding {
        self.effects += 1;
        if self.effects > EFFECTS_OF_AN_INPUT {
            return Err(format!("more than {EFFECTS_OF_AN_INPUT} effects of one input"));
        }
        if self.restarting
            && !matches!(
                effect,
                Effect::Persist(..) | Effect::Trace(_) | Effect::ReleaseSnapshot(_) | Effect::Listen(_)
            )
        {
            return Err(format!("{effect:?} while the box restarts"));
        }
        match effect {
            Effect::Persist(ticket, state) => self.persist(*ticket, state),
            Effect::OpenSession(target) => self.open(target.url.to_string()),
            Effect::Post(_) => match posted {
                Some(posted) => self.post(posted, stored),
                None => Err("the box has posted what no ACS can read".to_owned()),
            },
            Effect::CloseSession => self.close(),
            Effect::Data(_, cwmp_core::io::DataOp::Inform { .. }) => self.attempt(),
            Effect::SendDatagram(_) => {
                Err("a lightweight notification, which nobody has switched on".to_owned())
            }
            Effect::Data(..)
            | Effect::ReleaseSnapshot(_)
            | Effect::Listen(_)
            | Effect::Trace(_)
            | Effect::KeepImage => Ok(()),
            Effect::StartJob(..) | Effect::CancelJob(_) | Effect::DiscardFile(_) => {
                Err("a job, which nobody has asked for".to_owned())
            }
            Effect::Reboot(cause) => {
                let asked = match cause {
                    RebootCause::Acs => !self.present.reboots.is_empty(),
                    RebootCause::Local => self.local_restart,
                    RebootCause::Transfer => false,
                };
                self.restart(asked)
            }
            Effect::FactoryReset => self.restart(self.present.factory_reset || self.local_restart),
        }
    }

    fn restart(&mut self, asked: bool) -> Finding {
        if self.resting() {
            self.adopt();
        }
        self.restarting = true;
        match () {
            () if self.session.is_some() || self.gathering => {
                Err("the box restarts during a session".to_owned())
            }
            () if !asked => Err("the box restarts, and nobody has asked for it".to_owned()),
            () => Ok(()),
        }
    }

    fn persist(&mut self, ticket: Ticket, state: &Stored) -> Finding {
        if self.resting() {
            self.adopt();
        }
        self.writes += 1;
        let promise = self.session.as_ref().is_some_and(|session| session.call.is_some());
        if *state == self.last_state && !self.unwritten && !promise {
            return Err("the state is written though nothing in it has changed".to_owned());
        }
        self.last_state.clone_from(state);
        self.unwritten = false;
        let mut owed = self.present.clone();
        if let Some(in_flight) = &self.in_flight {
            owed.events.put_back(in_flight);
        }
        self.last_handed = owed.clone();
        // A periodic event is worth a write only once its session has failed.
        let periodic = if owed.periodic_failed { Need::Must } else { Need::May };
        owed.events.periodic = owed.events.periodic.min(periodic);
        owed.events.connection_request = Need::No;
        // So is a boot, where only the program starts again.
        owed.events.boot = if owed.boot_failed() { Need::Must } else { Need::No };
        self.handed.insert(ticket.0, owed);
        Ok(())
    }

    /// The agent begins a session by asking for the parameters of its Inform.
    fn attempt(&mut self) -> Finding {
        if self.session.is_some() || self.gathering {
            return Err("a second session begins while one is on".to_owned());
        }
        self.adopt();
        if let Some(failed) = self.failed.take() {
            let waited = self.now.mono.0.saturating_sub(failed.at);
            if waited < failed.low && !failed.cut_short && !self.due_since(failed.at) {
                return Err(format!("tried again after {waited} ms instead of {} at least", failed.low));
            }
            if waited > failed.high + LATE_MS {
                return Err(format!("tried again after {waited} ms instead of {} at most", failed.high));
            }
        }
        self.gathering = true;
        self.answered = false;
        self.value_change = false;
        self.present.url_just_changed = false;
        self.weigh_schedules();
        self.in_flight = Some(std::mem::take(&mut self.present.events));
        Ok(())
    }

    fn open(&mut self, url: String) -> Finding {
        if self.session.is_some() || !self.gathering {
            return Err("OpenSession while a session is on, or before the parameters were there".to_owned());
        }
        self.gathering = false;
        if Some(&url) != self.settings.url.as_ref().map(ToString::to_string).as_ref() {
            return Err(format!("a session with {url}, which is not the ACS"));
        }
        self.session = Some(Session {
            connected: false,
            next: Next::Wait,
            inform: None,
            established: false,
            said_empty: false,
            held: false,
            request: None,
            call: None,
            opened: self.now,
        });
        Ok(())
    }

    fn close(&mut self) -> Finding {
        let Some(session) = self.session.take() else {
            return Err("CloseSession without a session".to_owned());
        };
        match session.next {
            Next::End => {
                self.successes += 1;
                self.present.retry = 0;
                self.failures_since_boot = 0;
                self.failed = None;
            }
            Next::Fail => self.session_failed(),
            next => return Err(format!("closed when {next:?} was due")),
        }
        Ok(())
    }

    /// The agent has nothing more to do until the next input.
    pub(super) fn quiet(&mut self) -> Finding {
        if self.gathering && self.answered {
            // No session was opened upon the answer.
            self.gathering = false;
            if let Some(taken) = self.in_flight.take() {
                if taken.urgent() || self.value_change || self.present.retry != 0 {
                    return Err("no session, though there is something to tell".to_owned());
                }
                self.present.events.put_back(&taken);
            }
        }
        if self.resting() {
            self.adopt();
            if self.present.reboots.iter().any(|id| self.is_promised(*id)) {
                return Err("a promised reboot does not happen".to_owned());
            }
        }
        let mut owed = self.present.clone();
        if let Some(in_flight) = &self.in_flight {
            owed.events.put_back(in_flight);
        }
        if !self.unwritten && owed.essence() != self.last_handed.essence() {
            return Err(format!(
                "what must survive is not handed to the store: {:?} instead of {:?}",
                self.last_handed.essence(),
                owed.essence()
            ));
        }
        match &self.session {
            Some(session) if matches!(session.next, Next::End | Next::Fail) => {
                Err("a session that is over is not closed".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn is_promised(&self, id: CallId) -> bool {
        self.calls.get(id).is_some_and(|call| call.state == CallState::Promised)
    }
}

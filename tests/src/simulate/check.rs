//! The checker: it sees every input and every effect, keeps its own book ([`Owed`]) and says what breaks a promise.
//!
//! Its first finding ends the simulation of a seed. It knows the standard and the border of the agent
//! (`cwmp_core::io`), and nothing of the agent's inside.

mod due;
mod effects;
mod inputs;
mod jobs;
mod lives;
mod messages;
mod reports;
mod schedules;
mod transfers;

use std::collections::BTreeMap;

use cwmp_core::{
    event::EventCode, io::Ticket, job::JobId, rpc::Inform, settings::AgentSettings, stored::Stored, time::Now,
};

use self::{
    jobs::Requested,
    schedules::InformCall,
    transfers::{Transfer, TransferNo},
};
use super::{
    acs::Asked,
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
    /// Where it is a CancelTransfer: it must be refused.
    too_late: bool,
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
    /// The transfer that it reports.
    reporting: Option<TransferNo>,
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
    transfers: Vec<Transfer>,
    /// Those that the present Inform lists.
    listed: Vec<TransferNo>,
    /// The firmware that runs.
    image: String,
    box_idle: bool,
    /// The transfer for which the box goes down by itself, and when it has failed to.
    going_down: Option<(TransferNo, u64)>,
    /// What was written is to take effect with a restart.
    transfer_restart: bool,
    diagnostic: Option<Requested>,
    /// The job of a diagnostic that was withdrawn: it must be stopped.
    stopped_diagnostic: Option<JobId>,
    /// Jobs that were stopped as for a restart.
    jobs_stopped: u32,
    /// Until then no session could begin, because of a transfer.
    busy_until: u64,
    failed_writes: u32,
    /// What the ACS has of [`super::acs::OPTIONAL`], where it was asked.
    methods: Option<[bool; 2]>,
    /// Somebody on the box wants a download of the ACS.
    wants_download: bool,
    /// A lightweight notification is owed.
    datagram: Need,
    /// What is wrong in an input.
    broken: Option<String>,
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
            transfers: Vec::new(),
            listed: Vec::new(),
            image: String::new(),
            box_idle: false,
            going_down: None,
            transfer_restart: false,
            diagnostic: None,
            stopped_diagnostic: None,
            jobs_stopped: 0,
            busy_until: 0,
            failed_writes: 0,
            methods: None,
            wants_download: false,
            datagram: Need::No,
            broken: None,
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
        self.transfers.iter_mut().for_each(|transfer| transfer.ended = true);
    }

    /// Whether the agent has nothing more to tell and to do.
    pub(super) fn is_clean(&self) -> bool {
        let owed = &self.present;
        self.session.is_none()
            && !self.gathering
            && !self.restarting
            && !owed.events.urgent()
            && self.transfers_are_over()
            && !self.box_is_taken()
            && self.diagnostic.is_none()
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
}

//! The agent: when sessions start, what follows them, and what must be on stable storage before it is said.
//!
//! [`Agent::handle`] takes an input and the present time, [`Agent::poll_effect`] hands out what is to be done, and
//! [`Agent::next_wakeup`] says when [`Agent::handle_time`] is to be called at the latest. Everything else is a
//! consequence.
//!
//! A local request for a session (`cwmpd inform`) is reported as `2 PERIODIC`: of the standard's events it is the one that
//! says no more than "here I am".

mod asking;
mod calls;
mod course;
mod diagnostics;
mod first_session;
mod lightweight;
mod queue;
mod reboot;
mod rediscovery;
mod schedule;
mod session;
mod software;
mod status;
mod timers;
mod transfers;

#[cfg(test)]
mod tests;

pub use status::{AgentStatus, SessionPhase, TransferStatus};
pub use transfers::LocalTransfer;

use std::collections::VecDeque;

use self::{
    first_session::Hold,
    lightweight::Lightweight,
    queue::EventQueue,
    reboot::ScheduledReboot,
    rediscovery::Rediscovery,
    session::{Failure, Session},
    software::Software,
    transfers::{Transfers, is_of_transfer},
};
use crate::{
    event::{Delivery, EventCode, EventStruct},
    io::{
        Abilities, BootCause, DataOp, Effect, Input, Level, LocalCommand, OpId, RebootCause, Record,
        SnapshotId, Start, Ticket,
    },
    job::{JobDone, JobError, JobId},
    periodic::Periodic,
    random::Random,
    rpc::{AcsRequest, CwmpVersion, DeviceId, Inform, RequestDownload},
    settings::{AgentSettings, ConnectionRequestSettings, UdpListening, XmppListening},
    stored::Stored,
    time::{Mono, Now},
};

/// Versions to open a session with: the newest, and older ones for an ACS that refuses it (TR-069a6 3.7.4).
const VERSIONS: [CwmpVersion; 3] = [CwmpVersion::V1_4, CwmpVersion::V1_1, CwmpVersion::V1_0];

/// The agent of one box.
pub struct Agent {
    device: DeviceId,
    abilities: Abilities,
    settings: AgentSettings,
    /// Settings that came during a session: they count from its end.
    new_settings: Option<Box<AgentSettings>>,
    /// What is to survive, as it stands now.
    state: Stored,
    /// What was last handed to the store.
    handed_over: Stored,
    /// What is on stable storage is older: the store has failed with it, or the box has just booted.
    store_failed: bool,
    events: EventQueue,
    /// Requests of ours that the ACS has not yet answered.
    requests: Vec<AcsRequest>,
    /// What the ACS says that it can do; `None` until asked.
    acs_methods: Option<Vec<String>>,
    stage: Stage,
    /// Retries since boot; chooses the row of the table of waits.
    retries: u32,
    /// A failed session is tried again at this moment.
    retry_at: Option<Mono>,
    /// A session has just failed: its retry is to be scheduled, not before the ACS's Retry-After in seconds.
    failed: Option<Failure>,
    /// An active notification opens a session at this moment.
    notify_at: Option<Mono>,
    /// End of the last successful session; active notifications keep their distance from it.
    last_success: Option<Mono>,
    /// The last session was interrupted: the next one sends its cookies.
    interrupted: bool,
    version: VersionChoice,
    periodic: Periodic,
    heartbeat: Periodic,
    /// ScheduleReboot.
    scheduled_reboot: ScheduledReboot,
    rediscovery: Rediscovery,
    /// The first session after a boot waits.
    hold: Option<Hold>,
    /// Whether the date was known when time last passed.
    clock_known: bool,
    /// The waits of an earlier uptime have not yet met a clock that knows the date.
    waits_await_clock: bool,
    /// The mark of the firmware that runs.
    image: String,
    /// That it has reached the ACS was told.
    image_kept: bool,
    transfers: Transfers,
    software: Software,
    diagnostics: Vec<diagnostics::Requested>,
    /// What is to be downloaded on demand, once it is known whether the ACS takes RequestDownload.
    wanted_downloads: Vec<RequestDownload>,
    next_job: u32,
    /// When it was last seen to what may start while no session is on.
    last_look: Mono,
    /// Promises to the ACS that the store is writing.
    promises: Vec<(Ticket, calls::Promise)>,
    lightweight: Lightweight,
    listening: Option<ConnectionRequestSettings>,
    listening_udp: Option<UdpListening>,
    listening_xmpp: Option<XmppListening>,
    random: Random,
    restart: Option<Restart>,
    next_ticket: u32,
    next_op: u32,
    effects: VecDeque<Effect>,
}

/// Where the agent is with its session.
enum Stage {
    /// Before [`Input::Started`].
    Unborn,
    /// No session.
    Idle,
    /// The data model collects the parameters of the Inform with these events.
    Gathering { op: OpId, events: Vec<EventStruct> },
    /// The transport connects; the Inform waits.
    Connecting { inform: Box<Inform> },
    /// A session is on.
    Open(Box<OpenSession>),
    /// The box is about to restart: nothing starts any more.
    Restarting,
}

struct OpenSession {
    session: Session,
    /// Events of its Inform, until the ACS has answered.
    events: Vec<EventStruct>,
    call: Option<calls::Call>,
    /// A snapshot that the last POST was made from.
    snapshot: Option<SnapshotId>,
}

/// What the box restarts for, once no session is on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Restart {
    Reboot(RebootCause),
    FactoryReset,
}

/// Which of [`VERSIONS`] the next session begins with.
#[derive(Default)]
struct VersionChoice {
    index: usize,
}

impl VersionChoice {
    fn current(&self) -> CwmpVersion {
        VERSIONS.get(self.index).copied().unwrap_or(CwmpVersion::V1_4)
    }

    fn older(&mut self) {
        self.index = (self.index + 1) % VERSIONS.len();
    }
}

impl Default for Agent {
    fn default() -> Self {
        Self::new()
    }
}

impl Agent {
    /// An agent that waits for [`Input::Started`].
    #[must_use]
    pub fn new() -> Self {
        Self {
            device: DeviceId::default(),
            abilities: Abilities::default(),
            settings: AgentSettings::default(),
            new_settings: None,
            state: Stored::default(),
            handed_over: Stored::default(),
            store_failed: false,
            events: EventQueue::default(),
            requests: Vec::new(),
            acs_methods: None,
            stage: Stage::Unborn,
            retries: 0,
            retry_at: None,
            failed: None,
            notify_at: None,
            last_success: None,
            interrupted: false,
            version: VersionChoice::default(),
            periodic: Periodic::default(),
            heartbeat: Periodic::default(),
            scheduled_reboot: ScheduledReboot::default(),
            rediscovery: Rediscovery::default(),
            hold: None,
            clock_known: false,
            waits_await_clock: false,
            image: String::new(),
            image_kept: false,
            transfers: Transfers::default(),
            software: Software::default(),
            diagnostics: Vec::new(),
            wanted_downloads: Vec::new(),
            next_job: 0,
            last_look: Mono(0),
            promises: Vec::new(),
            lightweight: Lightweight::default(),
            listening: None,
            listening_udp: None,
            listening_xmpp: None,
            random: Random::new(0),
            restart: None,
            next_ticket: 0,
            next_op: 0,
            effects: VecDeque::new(),
        }
    }

    /// Takes an input. Effects that follow from it are then to be fetched with [`Agent::poll_effect`].
    pub fn handle(&mut self, input: Input, now: Now) {
        match input {
            Input::Started(start) => self.start(*start, now),
            Input::Persisted(ticket) => self.persisted(ticket, true, now),
            Input::PersistFailed(ticket, reason) => {
                self.trace(Level::Error, format!("the state cannot be stored: {reason}"));
                self.persisted(ticket, false, now);
            }
            Input::Connected => self.connected(now),
            Input::Reply(reply) => self.reply(&reply, now),
            Input::SessionLost(error) => self.session_lost(&error, now),
            Input::ConnectionRequest(_) => self.connection_request(),
            Input::DataDone(op, result) => self.data_done(op, result, now),
            Input::WatchedChanged => self.watched_changed(now),
            Input::UnitsMayHaveChanged => self.units_may_have_changed(now),
            Input::SettingsChanged(settings) => self.settings_changed(settings, now),
            Input::ClockStepped => self.clock_stepped(now),
            Input::LightweightChanged => self.notify_lightly(now),
            Input::VendorEvent(event) => self.vendor_event(event),
            Input::RestartFailed(reason) => self.restart_failed(&reason),
            Input::Command(command) => self.command(command, now),
            Input::JobDone(job, result) => self.job_done(job, &result, now),
            Input::TransferUndone(transfer) => self.transfer_undone(transfer),
            Input::DiagnosticRequested { diagnostic, by_acs } => {
                self.diagnostic_requested(diagnostic, by_acs)
            }
            Input::DiagnosticWithdrawn(diagnostic) => self.diagnostic_withdrawn(diagnostic),
            Input::BoxIdle(idle) => self.box_is_idle(idle),
        }
        self.advance(now);
    }

    /// Lets time pass: to be called at [`Agent::next_wakeup`]; earlier or later does no harm.
    pub fn handle_time(&mut self, now: Now) {
        self.advance(now);
    }

    /// The next thing to be done, in order; `None` when there is nothing (more).
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When the agent must be called again even if nothing happens.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Mono> {
        match self.stage {
            Stage::Unborn | Stage::Restarting => None,
            Stage::Idle => self.timers().chain(self.idle_timers()).min(),
            // What fires meanwhile adds an event for the session after this one.
            _ => self.timers().min(),
        }
    }

    fn start(&mut self, start: Start, now: Now) {
        let Start { device, settings, mut state, cause, seed, abilities, image } = start;
        self.random = Random::new(seed);
        let owner = format!("{}-{}-{}", device.oui, device.product_class, device.serial_number);
        if !state.owner.is_empty() && state.owner != owner {
            self.trace(
                Level::Warning,
                format!("the stored state belongs to {}: it is not used", state.owner),
            );
            state = Stored { boot_id: state.boot_id, ..Stored::default() };
        }
        self.handed_over = state.clone();
        state.owner = owner;
        self.device = device;
        self.abilities = abilities;
        self.image = image;
        self.settings = settings;
        self.stage = Stage::Idle;
        for event in std::mem::take(&mut state.events) {
            self.events.raise(event);
        }
        self.state = state;
        self.begin_unordered();
        if self.state.factory_reset {
            self.restart = Some(Restart::FactoryReset);
        }
        // Once a boot the state is written in any case: it names the boot, and what it holds was reckoned anew.
        self.store_failed = cause == BootCause::Boot;
        match cause {
            BootCause::Boot => self.booted(now),
            BootCause::AgentRestart if !self.state.reboots.is_empty() => {
                self.restart.get_or_insert(Restart::Reboot(RebootCause::Acs));
            }
            BootCause::AgentRestart => {}
        }
        self.acs_may_be_new();
        self.resume_transfers(cause, now);
        self.start_timers(now);
        self.listen();
        self.discover();
        self.persist_changes();
    }

    fn booted(&mut self, now: Now) {
        self.hold = Hold::begin(&self.settings, &mut self.random, now);
        self.state.delayed_reboot = None;
        self.carry_waits_over_a_boot(now);
        self.events.raise(EventStruct::new(EventCode::Boot));
        for key in std::mem::take(&mut self.state.reboots) {
            self.events.raise(EventStruct::with_key(EventCode::MReboot, key));
        }
    }

    /// `0 BOOTSTRAP` is owed to an ACS that has never answered one (TR-069a6 3.7.1.5). With it goes everything older, but
    /// not the boot that has just happened.
    fn acs_may_be_new(&mut self) {
        let Some(url) = self.settings.url.as_ref().map(ToString::to_string) else { return };
        if self.state.bootstrapped.as_ref() == Some(&url) {
            return;
        }
        if !self.events.waiting().iter().any(|event| event.code == EventCode::Bootstrap) {
            self.forget_reports();
            self.forget_du_reports();
        }
        let booted = self.events.waiting().iter().any(|event| event.code == EventCode::Boot);
        self.state.bootstrapped = None;
        self.events.raise(EventStruct::new(EventCode::Bootstrap));
        if booted {
            self.events.raise(EventStruct::new(EventCode::Boot));
        }
    }

    fn command(&mut self, command: LocalCommand, now: Now) {
        match command {
            LocalCommand::Inform => {
                self.hold = None;
                self.event(EventCode::Periodic);
            }
            LocalCommand::AcsMethods => self.ask_acs(AcsRequest::GetRPCMethods),
            LocalCommand::Transfer(order) => self.local_transfer(*order, now),
            LocalCommand::ConfirmDownload(key) => self.confirm_downloads(&key, now),
            LocalCommand::RequestDownload(wanted) => self.request_download(*wanted),
            LocalCommand::Reboot => {
                self.restart.get_or_insert(Restart::Reboot(RebootCause::Local));
            }
            LocalCommand::FactoryReset => {
                self.state.factory_reset = true;
                self.restart = Some(Restart::FactoryReset);
                self.persist_changes();
            }
        }
    }

    fn job_done(&mut self, job: JobId, result: &Result<JobDone, JobError>, now: Now) {
        if !self.transfer_job_done(job, result, now) && !self.software_job_done(job, result, now) {
            self.diagnostic_done(job, result);
        }
    }

    fn connection_request(&mut self) {
        if self.settings.enable_cwmp {
            self.trace(Level::Info, "connection request".to_owned());
            self.hold = None;
            self.event(EventCode::ConnectionRequest);
        }
    }

    /// Something that calls for a session: a wait before a retry ends with it (TR-069a6 3.2.1.1).
    fn event(&mut self, code: EventCode) {
        self.events.raise(EventStruct::new(code));
        self.retry_at = None;
    }

    /// An actively watched parameter has changed: a session follows, at the distance from the last one that
    /// DefaultActiveNotificationThrottle asks for (TR-181).
    fn watched_changed(&mut self, now: Now) {
        let throttle_ms = u64::from(self.settings.default_active_notification_throttle) * 1000;
        let earliest = self.last_success.map_or(now.mono, |end| end.after_ms(throttle_ms));
        self.notify_at = Some(earliest.max(now.mono));
    }

    fn restart_failed(&mut self, reason: &str) {
        self.trace(Level::Error, format!("the box could not be restarted: {reason}"));
        if matches!(self.stage, Stage::Restarting) {
            self.stage = Stage::Idle;
            self.promises.clear();
            self.state.reboots.clear();
            self.state.factory_reset = false;
            self.transfer_restart_failed(reason);
            self.persist_changes();
        }
    }

    /// Does what time and the present state call for.
    fn advance(&mut self, now: Now) {
        if matches!(self.stage, Stage::Unborn | Stage::Restarting) {
            return;
        }
        self.fire_timers(now);
        if !matches!(self.stage, Stage::Idle) {
            return;
        }
        if let Some(failure) = self.failed.take() {
            self.schedule_retry(&failure, now);
        }
        if let Some(settings) = self.new_settings.take() {
            self.adopt(*settings, now);
        }
        if self.notify_at.is_some_and(|at| at <= now.mono) {
            self.notify_at = None;
            self.event(EventCode::ValueChange);
        }
        self.fire_delayed_reboot(now);
        let held = self.held(now);
        self.watch_the_box(now);
        match self.restart {
            Some(restart) if !self.transfer_has_the_box() && !self.software_has_the_box() => {
                self.stop_transfers();
                self.stop_software();
                self.stop_diagnostics();
                self.note_what_remains(now);
                self.carry_out(restart);
            }
            Some(_) => {}
            None => {
                self.run_transfers(now);
                self.run_software(now);
                self.run_diagnostics();
                let free = !self.transfer_has_the_box() && !self.outcome_is_being_stored();
                if free && self.may_start() && !held && self.session_is_due(now) {
                    self.open_session();
                }
            }
        }
    }

    fn adopt(&mut self, settings: AgentSettings, now: Now) {
        let other_acs = settings.url != self.settings.url;
        if settings.delay_reboot != self.settings.delay_reboot {
            self.delay_reboot(settings.delay_reboot.seconds, now);
        }
        self.settings = settings;
        self.configure_timers(now);
        self.listen();
        if other_acs {
            self.state.bootstrapped = None;
            self.state.retry_count = 0;
            self.retries = 0;
            self.retry_at = None;
            self.interrupted = false;
            self.version = VersionChoice::default();
            self.reached();
            self.discover();
            self.acs_may_be_new();
            self.ask_another_acs();
            self.persist_changes();
        }
    }

    fn carry_out(&mut self, restart: Restart) {
        self.restart = None;
        self.stage = Stage::Restarting;
        self.persist_changes();
        self.effects.push_back(match restart {
            Restart::Reboot(cause) => Effect::Reboot(cause),
            Restart::FactoryReset => Effect::FactoryReset,
        });
    }

    fn may_start(&self) -> bool {
        self.settings.enable_cwmp && self.settings.url.is_some()
    }

    fn session_is_due(&self, now: Now) -> bool {
        match self.retry_at {
            Some(at) => at <= now.mono,
            None => !self.events.is_empty() || self.has_reports() || self.has_du_reports(),
        }
    }

    /// Starts or stops listening for connection requests, where that has changed.
    fn listen(&mut self) {
        let wanted = &self.settings.connection_request;
        // Without a password everybody could ring.
        let may = self.settings.enable_cwmp && !wanted.password.0.is_empty();
        let udp = may.then(|| UdpListening {
            username: wanted.username.clone(),
            password: wanted.password.clone(),
            acs: self.settings.url.clone(),
            stun: self.settings.stun.clone(),
        });
        let xmpp = self.settings.xmpp.as_deref().filter(|_| may).map(|connection| XmppListening {
            username: wanted.username.clone(),
            password: wanted.password.clone(),
            connection: connection.clone(),
        });
        let wanted = (may && wanted.http_enable).then(|| wanted.clone());
        if wanted != self.listening {
            self.listening.clone_from(&wanted);
            self.effects.push_back(Effect::Listen(wanted));
        }
        if udp != self.listening_udp {
            self.listening_udp.clone_from(&udp);
            self.effects.push_back(Effect::ListenUdp(udp.map(Box::new)));
        }
        if xmpp != self.listening_xmpp {
            self.listening_xmpp.clone_from(&xmpp);
            self.effects.push_back(Effect::ListenXmpp(xmpp.map(Box::new)));
        }
    }

    fn data(&mut self, op: DataOp) -> OpId {
        self.next_op = self.next_op.wrapping_add(1);
        let id = OpId(self.next_op);
        self.effects.push_back(Effect::Data(id, op));
        id
    }

    /// Hands the state to the store where it differs from what was handed over last. Nobody calls this for a periodic event
    /// alone: it is worth a write only once its session has failed. A write that failed is tried again here, and not at
    /// once: the store will hardly have recovered.
    fn persist_changes(&mut self) -> Option<Ticket> {
        (self.store_failed || self.to_store() != self.handed_over).then(|| self.persist())
    }

    fn persist(&mut self) -> Ticket {
        self.handed_over = self.to_store();
        self.store_failed = false;
        self.next_ticket = self.next_ticket.wrapping_add(1);
        let ticket = Ticket(self.next_ticket);
        self.effects.push_back(Effect::Persist(ticket, Box::new(self.handed_over.clone())));
        ticket
    }

    /// The state with all undelivered events that outlive a reboot, and with `1 BOOT`, which a new boot brings anyway but
    /// which must outlive a crash of the program.
    fn to_store(&self) -> Stored {
        let keep =
            |event: &&EventStruct| event.code.delivery() == Delivery::Keep || event.code == EventCode::Boot;
        Stored { events: self.undelivered().filter(keep).cloned().collect(), ..self.state.clone() }
    }

    /// The events of an Inform that is not yet answered, then those that wait; without those of transfers, which are kept
    /// with the transfers.
    fn undelivered(&self) -> impl Iterator<Item = &EventStruct> {
        let in_flight = match &self.stage {
            Stage::Gathering { events, .. } => events.as_slice(),
            Stage::Connecting { inform } => &inform.events,
            Stage::Open(open) => &open.events,
            Stage::Unborn | Stage::Idle | Stage::Restarting => &[],
        };
        in_flight.iter().filter(|event| !is_of_transfer(&event.code)).chain(self.events.waiting())
    }

    fn trace(&mut self, level: Level, text: String) {
        self.effects.push_back(Effect::Trace(Record { level, text }));
    }
}

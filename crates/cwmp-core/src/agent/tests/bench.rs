//! A box and its ACS in virtual time: the test says what the ACS does and sees what the agent does.

use crate::{
    agent::Agent,
    event::EventCode,
    fault::{CwmpFault, FaultCode},
    io::{
        Abilities, AcsTarget, Body, BootCause, DataOp, DataReply, Datagram, Effect, Input, NetError,
        RebootCause, Reply, SnapshotId, Start, Ticket, Via,
    },
    job::{DownloadType, Job, JobId, TransferId, UploadType},
    rpc::{
        AcsRequest, AcsResponse, CpeRequest, CpeResponse, CwmpVersion, DeviceId, Envelope, Fault, Header,
        Inform, InformResponse, ParameterValueStruct, Status, ToAcs, ToCpe,
    },
    settings::{AgentSettings, Secret},
    soap,
    stored::Stored,
    time::{Mono, Now, Wall},
    url::HttpUrl,
};

/// What the agent has done that the test has not looked at yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Open(AcsTarget),
    Post(Body),
    Close,
    Datagram(Datagram),
    Restart(RebootCause),
    FactoryReset,
    RenewDhcp,
    Start(JobId, Job),
    Cancel(JobId),
    Discard(TransferId),
}

pub(super) struct Bench {
    pub(super) agent: Agent,
    pub(super) now: Now,
    pub(super) seen: Vec<Seen>,
    /// What is on stable storage, and how often it was written.
    pub(super) stored: Stored,
    pub(super) writes: u32,
    /// The store does not answer while false; tickets then wait here.
    pub(super) store_answers: bool,
    pub(super) waiting_tickets: Vec<Ticket>,
    unwritten: Option<Stored>,
    pub(super) reachable: bool,
    /// Whether the connection comes, or fails, at once; else the test brings it.
    pub(super) connects: bool,
    pub(super) value_change: bool,
    /// What the next lightweight notification is to carry.
    pub(super) lightweight: Vec<ParameterValueStruct>,
    pub(super) listening: Option<bool>,
    pub(super) listening_udp: Option<bool>,
    pub(super) listening_xmpp: Option<bool>,
    pub(super) snapshots: i32,
    /// How often the firmware that runs was said to be kept.
    pub(super) images_kept: u32,
    last_id: Option<String>,
}

pub(super) fn settings() -> AgentSettings {
    AgentSettings {
        url: Some(HttpUrl::parse("http://acs.example:7547/").unwrap()),
        ..AgentSettings::default()
    }
}

/// What the box can do, if nothing else is said: all but https.
pub(super) fn abilities() -> Abilities {
    Abilities {
        reboot: true,
        factory_reset: true,
        https: false,
        downloads: vec![DownloadType::Firmware, DownloadType::Configuration],
        uploads: vec![UploadType::Configuration(None), UploadType::Log(None)],
        software: true,
    }
}

pub(super) fn device() -> DeviceId {
    DeviceId {
        manufacturer: "Example".into(),
        oui: "00D09E".into(),
        product_class: "Box".into(),
        serial_number: "1".into(),
    }
}

impl Bench {
    /// A box that has booted with this state.
    pub(super) fn start(settings: AgentSettings, state: Stored, cause: BootCause) -> Self {
        let now = Now { mono: Mono(1_000_000), wall: Some(Wall::from_seconds(1_700_000_000)) };
        Self::start_at(now, settings, state, cause)
    }

    pub(super) fn start_at(now: Now, settings: AgentSettings, state: Stored, cause: BootCause) -> Self {
        Self::start_with(now, settings, state, cause, abilities(), "1.0", false)
    }

    fn start_with(
        now: Now,
        settings: AgentSettings,
        state: Stored,
        cause: BootCause,
        abilities: Abilities,
        image: &str,
        value_change: bool,
    ) -> Self {
        let mut bench = Self {
            agent: Agent::new(),
            now,
            seen: Vec::new(),
            stored: state.clone(),
            writes: 0,
            store_answers: true,
            waiting_tickets: Vec::new(),
            unwritten: None,
            reachable: true,
            connects: true,
            value_change,
            lightweight: Vec::new(),
            listening: None,
            listening_udp: None,
            listening_xmpp: None,
            snapshots: 0,
            images_kept: 0,
            last_id: None,
        };
        bench.input(Input::Started(Box::new(Start {
            device: device(),
            settings,
            state,
            cause,
            seed: 42,
            abilities,
            image: image.to_owned(),
        })));
        bench
    }

    /// A new box.
    pub(super) fn fresh() -> Self {
        Self::start(settings(), Stored::default(), BootCause::Boot)
    }

    /// A new box that can do this.
    pub(super) fn fresh_with(abilities: Abilities) -> Self {
        let now = Now { mono: Mono(1_000_000), wall: Some(Wall::from_seconds(1_700_000_000)) };
        Self::start_with(now, settings(), Stored::default(), BootCause::Boot, abilities, "1.0", false)
    }

    /// The same box when it boots again and this image runs.
    pub(super) fn boot_with(&self, image: &str, off_ms: i64) -> Self {
        self.boot_image(image, off_ms, false)
    }

    /// The same, with a watched value that has changed.
    pub(super) fn boot_with_change(&self, image: &str, off_ms: i64) -> Self {
        self.boot_image(image, off_ms, true)
    }

    fn boot_image(&self, image: &str, off_ms: i64, change: bool) -> Self {
        let now = Now { mono: Mono(20_000), wall: self.now.wall.map(|wall| Wall(wall.0 + off_ms)) };
        Self::start_with(now, settings(), self.stored.clone(), BootCause::Boot, abilities(), image, change)
    }

    /// A box that its ACS knows, some time after its boot session.
    pub(super) fn known() -> Self {
        let mut bench = Self::fresh();
        bench.whole_session();
        bench.writes = 0;
        bench
    }

    /// The same box after its next boot.
    pub(super) fn reboot(&self, settings: AgentSettings) -> Self {
        Self::start(settings, self.stored.clone(), BootCause::Boot)
    }

    /// The same box when it boots again after it has been off for so long: with what is on stable storage, an uptime that
    /// begins anew, and a clock that has gone on.
    pub(super) fn boot_after(&self, off_ms: i64, settings: AgentSettings) -> Self {
        let now = Now { mono: Mono(20_000), wall: self.now.wall.map(|wall| Wall(wall.0 + off_ms)) };
        Self::start_at(now, settings, self.stored.clone(), BootCause::Boot)
    }

    /// The same box when it boots and does not know the date.
    pub(super) fn boot_without_clock(&self, settings: AgentSettings) -> Self {
        let now = Now { mono: Mono(20_000), wall: None };
        Self::start_at(now, settings, self.stored.clone(), BootCause::Boot)
    }

    /// The program alone starts again.
    pub(super) fn program_restart(&self, settings: AgentSettings) -> Self {
        Self::start_at(self.now, settings, self.stored.clone(), BootCause::AgentRestart)
    }

    /// The wall clock is set to be so much later or earlier.
    pub(super) fn step_clock(&mut self, ms: i64) {
        self.now.wall = self.now.wall.map(|wall| Wall(wall.0 + ms));
        self.input(Input::ClockStepped);
    }

    pub(super) fn input(&mut self, input: Input) {
        self.agent.handle(input, self.now);
        self.run();
    }

    pub(super) fn advance(&mut self, ms: u64) {
        self.now.mono = self.now.mono.after_ms(ms);
        self.now.wall = self.now.wall.map(|wall| Wall(wall.0 + i64::try_from(ms).unwrap()));
        self.agent.handle_time(self.now);
        self.run();
    }

    /// To the agent's next wake-up; returns how long that was, in milliseconds.
    pub(super) fn sleep(&mut self) -> u64 {
        let ms = self.agent.next_wakeup().expect("something to wait for").since(self.now.mono);
        self.advance(ms);
        ms
    }

    fn run(&mut self) {
        while let Some(effect) = self.agent.poll_effect() {
            match effect {
                Effect::Persist(ticket, state) => {
                    self.waiting_tickets.push(ticket);
                    self.unwritten = Some(*state);
                    if self.store_answers {
                        self.answer_store(true);
                    }
                }
                Effect::OpenSession(target) => {
                    self.seen.push(Seen::Open(target));
                    if !self.connects {
                        continue;
                    }
                    let input = if self.reachable {
                        Input::Connected
                    } else {
                        Input::SessionLost(NetError::Connect("acs.example:7547".into()))
                    };
                    self.agent.handle(input, self.now);
                }
                Effect::Post(body) => self.seen.push(Seen::Post(body)),
                Effect::SendDatagram(datagram) => self.seen.push(Seen::Datagram(datagram)),
                Effect::CloseSession => self.seen.push(Seen::Close),
                Effect::Data(op, question) => {
                    let answer = self.data(question);
                    self.agent.handle(Input::DataDone(op, answer), self.now);
                }
                Effect::ReleaseSnapshot(_) => self.snapshots -= 1,
                Effect::Listen(settings) => self.listening = Some(settings.is_some()),
                Effect::ListenUdp(settings) => self.listening_udp = Some(settings.is_some()),
                Effect::ListenXmpp(settings) => self.listening_xmpp = Some(settings.is_some()),
                Effect::StartJob(id, job) => self.seen.push(Seen::Start(id, *job)),
                Effect::CancelJob(id) => self.seen.push(Seen::Cancel(id)),
                Effect::DiscardFile(transfer) => self.seen.push(Seen::Discard(transfer)),
                Effect::KeepImage => self.images_kept += 1,
                Effect::Reboot(cause) => self.seen.push(Seen::Restart(cause)),
                Effect::FactoryReset => self.seen.push(Seen::FactoryReset),
                Effect::RenewDhcp => self.seen.push(Seen::RenewDhcp),
                Effect::Trace(_) => {}
            }
        }
    }

    pub(super) fn answer_store(&mut self, well: bool) {
        if let Some(state) = self.unwritten.take().filter(|_| well) {
            self.writes += 1;
            self.stored = state;
        }
        for ticket in std::mem::take(&mut self.waiting_tickets) {
            let input = if well {
                Input::Persisted(ticket)
            } else {
                Input::PersistFailed(ticket, "state.json: disk full".into())
            };
            self.agent.handle(input, self.now);
        }
        self.run();
    }

    fn data(&mut self, question: DataOp) -> Result<DataReply, CwmpFault> {
        match question {
            DataOp::Inform { .. } => {
                Ok(DataReply::Inform { parameters: Vec::new(), value_change: self.value_change })
            }
            DataOp::Lightweight => {
                Ok(DataReply::Lightweight { parameters: std::mem::take(&mut self.lightweight) })
            }
            DataOp::InformDelivered => {
                self.value_change = false;
                Ok(DataReply::Done)
            }
            DataOp::Values { .. } | DataOp::Names { .. } | DataOp::Attributes { .. } => {
                self.snapshots += 1;
                Ok(DataReply::Listing { snapshot: SnapshotId(7), count: 3 })
            }
            DataOp::Set { .. } => Ok(DataReply::Status(Status::Applied)),
            _ => Err(CwmpFault::new(FaultCode::INVALID_PARAMETER_NAME, "no such object")),
        }
    }

    fn next(&mut self) -> Seen {
        assert!(!self.seen.is_empty(), "the agent does nothing");
        self.seen.remove(0)
    }

    pub(super) fn expect_nothing(&self) {
        assert_eq!(self.seen, []);
    }

    pub(super) fn expect_open(&mut self) -> AcsTarget {
        match self.next() {
            Seen::Open(target) => target,
            other => panic!("expected a connection, saw {other:?}"),
        }
    }

    pub(super) fn expect_message(&mut self) -> Envelope<ToAcs> {
        match self.next() {
            Seen::Post(Body::Bytes(bytes)) => {
                let envelope = soap::decode_to_acs(&bytes).expect("a valid envelope");
                self.last_id.clone_from(&envelope.header.id);
                envelope
            }
            other => panic!("expected an envelope, saw {other:?}"),
        }
    }

    pub(super) fn expect_inform(&mut self) -> Inform {
        match self.expect_message().message {
            ToAcs::Request(AcsRequest::Inform(inform)) => inform,
            other => panic!("expected Inform, saw {other:?}"),
        }
    }

    /// A new session begins; returns its Inform.
    pub(super) fn expect_session(&mut self) -> Inform {
        self.expect_open();
        self.expect_inform()
    }

    pub(super) fn expect_response(&mut self) -> CpeResponse {
        match self.expect_message().message {
            ToAcs::Response(response) => response,
            other => panic!("expected a response, saw {other:?}"),
        }
    }

    pub(super) fn expect_fault(&mut self) -> Fault {
        match self.expect_message().message {
            ToAcs::Fault(fault) => fault,
            other => panic!("expected a fault, saw {other:?}"),
        }
    }

    pub(super) fn expect_empty_post(&mut self) {
        assert_eq!(self.next(), Seen::Post(Body::Empty));
    }

    pub(super) fn expect_close(&mut self) {
        assert_eq!(self.next(), Seen::Close);
    }

    pub(super) fn reply_http(&mut self, status: u16, body: Vec<u8>) {
        self.input(Input::Reply(Reply { status, retry_after: None, body }));
    }

    pub(super) fn reply(&mut self, header: Header, message: ToCpe) {
        let envelope = Envelope { version: CwmpVersion::V1_2, header, message };
        self.reply_http(200, soap::encode_to_cpe(&envelope));
    }

    pub(super) fn reply_empty(&mut self) {
        self.reply_http(204, Vec::new());
    }

    /// The ACS's answer to the request last seen, with its ID.
    pub(super) fn respond(&mut self, response: AcsResponse) {
        let header = Header { id: self.last_id.clone(), ..Header::default() };
        self.reply(header, ToCpe::Response(response));
    }

    pub(super) fn refuse(&mut self, code: FaultCode) {
        let header = Header { id: self.last_id.clone(), ..Header::default() };
        self.reply(header, ToCpe::Fault(CwmpFault::new(code, "no").into()));
    }

    pub(super) fn inform_response(&mut self) {
        self.respond(AcsResponse::Inform(InformResponse { max_envelopes: 1 }));
    }

    pub(super) fn call(&mut self, request: CpeRequest) {
        self.reply(Header { id: Some("acs-1".into()), ..Header::default() }, ToCpe::Request(request));
    }

    /// The ACS takes the Inform and the agent says that it has nothing to say: the ACS has the word.
    pub(super) fn establish(&mut self) -> Inform {
        let inform = self.expect_session();
        self.inform_response();
        self.expect_empty_post();
        inform
    }

    /// A session in which the ACS wants nothing.
    pub(super) fn whole_session(&mut self) -> Inform {
        let inform = self.establish();
        self.reply_empty();
        self.expect_close();
        inform
    }

    pub(super) fn connection_request(&mut self) {
        self.input(Input::ConnectionRequest(Via::Http));
    }

    pub(super) fn connection_lost(&mut self) {
        self.input(Input::SessionLost(NetError::Broken("reset by peer".into())));
    }
}

/// The events of an Inform as `code` or `code key`.
pub(super) fn events(inform: &Inform) -> Vec<String> {
    let show = |code: &EventCode, key: &str| match key {
        "" => code.as_str().to_owned(),
        key => format!("{} {key}", code.as_str()),
    };
    inform.events.iter().map(|event| show(&event.code, event.command_key.as_str())).collect()
}

pub(super) fn with_password(mut settings: AgentSettings) -> AgentSettings {
    settings.connection_request.http_enable = true;
    settings.connection_request.password = Secret("secret".into());
    settings
}

//! The loop that owns the agent: it brings inputs to it and carries out its effects.
//!
//! Everything slow runs in a task of its own and comes back as an input: the connection to the ACS, the data model, the
//! store, a restart. The loop itself never waits for any of them.

use std::{cell::Cell, rc::Rc, time::Duration};

use cwmp_core::{
    agent::{Agent, SessionPhase},
    event::{EventCode, EventStruct},
    io::{Body, Effect, Input, Level, LocalCommand, Record, Start},
    rpc::{ArgStruct, CommandKey, RequestDownload},
    time::Now,
};
use cwmp_datamodel::DataModel;
use cwmp_diagnostics::Diagnostics;
use cwmp_platform::{Platform, PlatformError, instances::InstanceNumbers};
use cwmp_store::{Layers, durable::RealFiles};
use cwmp_transport::{
    AcsClient, ClientConfig, ManagementPath, PostBody, Tls, TlsConfig,
    files::{FileClient, FileConfig},
};
use tokio::sync::{Notify, mpsc};

use crate::{
    acs_task::{self, Note, Step},
    agent_source::AgentSource,
    changes::ChangeWatch,
    clock::{self, ClockWatch},
    config::{Config, SharedLayers, TlsFiles},
    control::{Answer, Asked, Request},
    data_task::{self, Question, Tree},
    datagram,
    discovery::{Announcement, Ear},
    jobs::{Jobs, Workshop},
    ledger::Ledger,
    listener::{Doors, Listener},
    news::News,
    restart::{self, Departure},
    snapshots::Snapshots,
    store_task::{self, Kept, Order},
    trace::Trace,
    udp_door::{self, UdpDoor},
};

/// The loop looks at the clock at least this often, in case a suspend has stopped its timers.
const LONGEST_SLEEP: Duration = Duration::from_secs(300);
/// How often parameters with active notification are compared with what the ACS knows.
const WATCH_EVERY: Duration = Duration::from_secs(30);
/// How long a reload waits, so that whoever has asked for it gets the answer.
const RELOAD_GRACE: Duration = Duration::from_millis(200);
/// How long the end of the program waits for the store to write what is under way.
const LAST_WRITES: Duration = Duration::from_secs(10);

/// What the loop works with.
pub(crate) struct Parts {
    pub(crate) config: Config,
    pub(crate) layers: Rc<SharedLayers>,
    pub(crate) platform: Rc<dyn Platform>,
    pub(crate) numbers: Rc<InstanceNumbers>,
    pub(crate) source: Rc<AgentSource>,
    pub(crate) ear: Rc<Ear>,
    pub(crate) data: DataModel,
    pub(crate) ledger: Rc<Ledger>,
    pub(crate) diagnostics: Rc<Diagnostics>,
    pub(crate) kept: Kept,
    /// What connection requests over UDP have been taken.
    pub(crate) udp_note: udp_door::Note,
    pub(crate) start: Box<Start>,
    /// Requests of the command line.
    pub(crate) asked: mpsc::Receiver<Asked>,
    /// Who is told of sessions and transfers.
    pub(crate) news: Option<News>,
}

/// Runs the agent until `stop` comes or it has to start again.
pub(crate) async fn run(parts: Parts, stop: impl Future<Output = ()>) -> Departure {
    let Parts {
        config,
        layers,
        platform,
        numbers,
        source,
        ear,
        data,
        ledger,
        diagnostics,
        kept,
        udp_note,
        start,
        mut asked,
        news,
    } = parts;
    let (inputs, mut incoming) = mpsc::unbounded_channel();
    let (notes, mut noted) = mpsc::unbounded_channel();
    let (departures, mut departing) = mpsc::unbounded_channel();
    let (steps, to_acs) = mpsc::unbounded_channel();
    let (orders, to_store) = mpsc::unbounded_channel();
    let (questions, to_data) = mpsc::unbounded_channel();

    let tls = tls(&config, &platform);
    let path = ManagementPath::new(config.path.clone());
    let client = AcsClient::new(ClientConfig {
        reply_timeout: config.acs_reply_timeout,
        basic_without_tls: config.basic_without_tls,
        tls: tls.clone(),
        path: path.clone(),
        ..ClientConfig::default()
    });
    let trace = config.trace_file.as_deref().and_then(|file| {
        let trace = Trace::begin(file, config.trace_bytes);
        trace.map_err(|error| tracing::error!("no trace in {}: {error}", file.display())).ok()
    });
    let snapshots = Snapshots::default();
    let network = Rc::new(Notify::new());
    let acs = acs_task::run(client, path.clone(), Rc::clone(&network), to_acs, inputs.clone(), notes.clone());
    let acs = tokio::task::spawn_local(acs);
    let store = tokio::task::spawn_local(store_task::run(kept, to_store, inputs.clone()));
    let mut settings = source.subscribe();
    let workshop_ledger = Rc::clone(&ledger);
    let tree = Tree {
        model: data,
        ledger,
        diagnostics: Rc::clone(&diagnostics),
        inputs: inputs.clone(),
        told_of_rollback: false,
    };
    let workshop = Workshop {
        platform: Rc::clone(&platform),
        files: FileClient::new(FileConfig {
            basic_without_tls: config.basic_without_tls,
            tls,
            path: path.clone(),
            ..FileConfig::default()
        }),
        folder: config.download_dir.clone(),
        diagnostics,
        ledger: workshop_ledger,
    };
    let bind = config.udp_address();
    let date = Rc::clone(&platform);
    let date = Rc::new(move || clock::now(date.clock_is_synchronised()).wall);
    let udp = UdpDoor::new(bind, path.clone(), udp_note, date, Rc::clone(&source), inputs.clone(), notes);
    let listener = Listener::new(config.connection_request, path.clone(), Rc::clone(&source), inputs.clone());
    let door = listener.door();
    let doors = Doors { http: Rc::clone(&door), udp: udp.settled() };
    let tree = data_task::run(tree, snapshots.clone(), doors, to_data);
    let tree = tokio::task::spawn_local(tree);
    let mut changes = ChangeWatch::new(platform.changes());
    let mut driver = Driver {
        agent: Agent::new(),
        platform,
        jobs: Jobs::new(workshop, inputs.clone()),
        layers,
        numbers,
        watch_asked: Rc::default(),
        steps,
        orders,
        questions,
        inputs,
        departures,
        snapshots,
        listener,
        source,
        ear,
        udp,
        path,
        had_date: false,
        boot_id: start.state.boot_id.clone(),
        trace,
        news,
    };

    let clock = ClockWatch::new();
    let mut watch = tokio::time::interval(WATCH_EVERY);
    watch.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    tokio::pin!(stop);
    driver.handle(Input::Started(start));
    let departure = loop {
        let sleep = driver.sleep();
        tokio::select! {
            Some(input) = incoming.recv() => driver.handle(input),
            Some(note) = noted.recv() => match note {
                Note::LocalAddress(address) => door.local_address(address),
                Note::Reachable => driver.ask_once(Question::Watch),
            },
            () = door.url_changed() => driver.ask_once(Question::Watch),
            Some(asked) = asked.recv() => driver.asked(asked),
            Ok(()) = settings.changed() => {
                let settings = settings.borrow_and_update().clone();
                driver.handle(Input::SettingsChanged(Box::new(settings)));
            }
            () = clock.stepped() => driver.handle(Input::ClockStepped),
            _ = watch.tick() => {
                driver.look_at_clock();
                driver.look_whether_idle();
                // Of a namespace of its own nobody tells.
                driver.listener.network_changed();
                driver.ask_once(Question::Watch);
            }
            () = changes.settled() => {
                network.notify_one();
                driver.udp.network_changed();
                driver.listener.network_changed();
                driver.ask_once(Question::Changed);
            }
            () = tokio::time::sleep(sleep) => driver.wake(),
            Some(departure) = departing.recv() => break departure,
            () = &mut stop => break Departure::Stop,
        }
    };
    // Without its senders the store writes what is left and ends.
    drop(driver);
    if tokio::time::timeout(LAST_WRITES, store).await.is_err() {
        tracing::error!("the state could not be written within {} s", LAST_WRITES.as_secs());
    }
    acs.abort();
    tree.abort();
    departure
}

/// What all https connections share.
fn tls(config: &Config, platform: &Rc<dyn Platform>) -> Tls {
    let platform = Rc::clone(platform);
    let date = move || clock::now(platform.clock_is_synchronised()).wall;
    let TlsFiles { ca_file, client, pins } = config.tls.clone();
    Tls::new(TlsConfig { ca_file, client, pins, date: Rc::new(date) })
}

struct Driver {
    agent: Agent,
    platform: Rc<dyn Platform>,
    jobs: Jobs,
    layers: Rc<SharedLayers>,
    numbers: Rc<InstanceNumbers>,
    /// Whether the data task has yet to answer the last question for watched parameters.
    watch_asked: Rc<Cell<bool>>,
    steps: mpsc::UnboundedSender<Step>,
    orders: mpsc::UnboundedSender<Order>,
    questions: mpsc::UnboundedSender<Question>,
    inputs: mpsc::UnboundedSender<Input>,
    departures: mpsc::UnboundedSender<Departure>,
    snapshots: Snapshots,
    listener: Listener,
    source: Rc<AgentSource>,
    ear: Rc<Ear>,
    udp: UdpDoor,
    path: ManagementPath,
    /// Whether the clock was synchronised when it was looked at last.
    had_date: bool,
    /// This boot, for the state that a factory reset leaves.
    boot_id: String,
    trace: Option<Trace>,
    news: Option<News>,
}

impl Driver {
    fn now(&self) -> Now {
        clock::now(self.platform.clock_is_synchronised())
    }

    fn sleep(&self) -> Duration {
        let now = self.now().mono;
        let left = self.agent.next_wakeup().map(|at| Duration::from_millis(at.since(now)));
        left.unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP)
    }

    /// Tells the agent when the date has become known, which may be some time after the clock was set.
    fn look_at_clock(&mut self) {
        let has_date = self.now().wall.is_some();
        if has_date != self.had_date {
            self.had_date = has_date;
            self.handle(Input::ClockStepped);
        }
    }

    /// Tells the agent whether the box has little to do, while a download waits for that.
    fn look_whether_idle(&mut self) {
        if self.agent.waits_for_idle(self.now()) {
            self.handle(Input::BoxIdle(self.platform.is_idle()));
        }
    }

    fn handle(&mut self, input: Input) {
        let now = self.now();
        let traced = self.trace.is_some().then(|| input.clone());
        self.agent.handle(input, now);
        self.perform_all(now, traced);
    }

    fn wake(&mut self) {
        let now = self.now();
        self.agent.handle_time(now);
        self.perform_all(now, None);
    }

    fn perform_all(&mut self, now: Now, input: Option<Input>) {
        let mut names = Vec::new();
        while let Some(effect) = self.agent.poll_effect() {
            if self.trace.is_some() {
                names.extend(cwmp_core::trace::name(&effect));
            }
            self.perform(effect);
        }
        if let Some(trace) = &mut self.trace
            && (input.is_some() || !names.is_empty())
        {
            trace.add(now, input.as_ref(), names);
        }
        if let Some(news) = &mut self.news {
            news.look(&self.agent.status(now));
        }
    }

    /// Starts what the agent wants; a task that is gone can only mean that the program is ending.
    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Persist(ticket, state) => {
                self.orders.send(Order::Write(ticket, state)).ok();
            }
            Effect::OpenSession(target) => self.step(Step::Open(target)),
            Effect::Post(body) => self.post(body),
            Effect::SendDatagram(datagram) => {
                tokio::task::spawn_local(datagram::send(self.path.clone(), datagram));
            }
            Effect::CloseSession => self.step(Step::Close),
            Effect::Data(id, op) => self.ask_data(Question::Agent(id, op)),
            Effect::ReleaseSnapshot(id) => self.snapshots.release(id),
            Effect::Listen(settings) => self.listener.listen(settings),
            Effect::ListenUdp(settings) => self.udp.listen(settings),
            Effect::Reboot(cause) => {
                let (platform, store) = (Rc::clone(&self.platform), self.orders.clone());
                let (inputs, departures) = (self.inputs.clone(), self.departures.clone());
                tokio::task::spawn_local(restart::reboot(platform, cause, store, inputs, departures));
            }
            Effect::FactoryReset => {
                let reset = restart::FactoryReset {
                    platform: Rc::clone(&self.platform),
                    layers: Rc::clone(&self.layers),
                    store: self.orders.clone(),
                    data: self.questions.clone(),
                    numbers: Rc::clone(&self.numbers),
                    boot_id: self.boot_id.clone(),
                };
                tokio::task::spawn_local(reset.run(self.inputs.clone(), self.departures.clone()));
            }
            Effect::RenewDhcp => {
                self.ear.hear_anybody();
                let platform = Rc::clone(&self.platform);
                tokio::task::spawn_local(async move {
                    match platform.renew_dhcp().await {
                        Ok(()) => {}
                        // The DHCP client asks again in its own time.
                        Err(PlatformError::Unsupported(what)) => tracing::info!("this box cannot {what}"),
                        Err(error) => tracing::warn!("DHCP could not be asked: {error}"),
                    }
                });
            }
            Effect::Trace(record) => trace(&record),
            Effect::StartJob(id, job) => self.jobs.start(id, *job),
            Effect::CancelJob(id) => self.jobs.cancel(id),
            Effect::DiscardFile(transfer) => self.jobs.discard(transfer),
            Effect::KeepImage => {
                let platform = Rc::clone(&self.platform);
                tokio::task::spawn_local(async move {
                    if let Err(error) = platform.confirm_image().await {
                        tracing::error!("the firmware that runs could not be confirmed: {error}");
                    }
                });
            }
        }
    }

    fn step(&self, step: Step) {
        self.steps.send(step).ok();
    }

    fn post(&self, body: Body) {
        let body = match body {
            Body::Empty => PostBody::Empty,
            Body::Bytes(bytes) => PostBody::Bytes(bytes.into()),
            Body::Listing(listing) => match self.snapshots.body(listing) {
                Some(body) => body,
                None => {
                    tracing::error!("the snapshot of an answer is gone");
                    let error = cwmp_core::io::NetError::Broken("the answer is gone".to_owned());
                    self.inputs.send(Input::SessionLost(error)).ok();
                    return;
                }
            },
        };
        self.step(Step::Post(body));
    }

    fn ask_data(&self, question: Question) {
        self.questions.send(question).ok();
    }

    /// One question at a time: a slow box is not asked faster than it answers.
    fn ask_once(&self, question: fn(Rc<Cell<bool>>) -> Question) {
        if !self.watch_asked.replace(true) {
            self.ask_data(question(Rc::clone(&self.watch_asked)));
        }
    }

    fn asked(&mut self, Asked { request, answer }: Asked) {
        let command = match request {
            Request::Get { paths } => return self.ask_data(Question::Get(paths, answer)),
            Request::Set { values } => return self.ask_data(Question::Set(values, answer)),
            Request::Add { path } => return self.ask_data(Question::Add(path, answer)),
            Request::Delete { path } => return self.ask_data(Question::Delete(path, answer)),
            Request::Look => {
                self.ask_once(Question::Watch);
                answer.send(Answer::Done).ok();
                return;
            }
            Request::Reload => {
                answer.send(self.reload().map_or_else(Answer::error, |()| Answer::Done)).ok();
                return;
            }
            Request::Status => {
                let status = Box::new(self.agent.status(self.now()));
                answer.send(Answer::Status { status }).ok();
                return;
            }
            Request::Dhcp(announcement) => {
                let heard = self.heard(&announcement);
                answer.send(heard.map_or_else(Answer::error, |()| Answer::Done)).ok();
                return;
            }
            Request::Event { code } => {
                answer.send(Answer::Done).ok();
                // The agent takes a vendor's codes alone.
                self.handle(Input::VendorEvent(EventStruct::new(EventCode::parse(&code))));
                return;
            }
            other => self.command(other),
        };
        match command {
            Ok(command) => {
                answer.send(Answer::Done).ok();
                self.handle(Input::Command(command));
            }
            Err(error) => {
                answer.send(Answer::error(error)).ok();
            }
        }
    }

    /// What DHCP has told is in force from here on, apart from what was set on this box.
    fn heard(&self, announcement: &Announcement) -> Result<(), String> {
        let heard = self.ear.hear(announcement);
        if let Err(error) = &heard {
            tracing::warn!("DHCP on {}: {error}", announcement.interface.escape_default());
        }
        if heard? {
            tracing::info!("DHCP on {} has told of the ACS or the gateway", announcement.interface);
            self.source.refresh();
            self.ask_once(Question::Watch);
        }
        Ok(())
    }

    /// Has the program start again with the configuration as it is now, unless that would interrupt something or the
    /// program could not start with it.
    fn reload(&self) -> Result<(), String> {
        let status = self.agent.status(self.now());
        if status.session != SessionPhase::Idle {
            return Err("a session is on: reload when it is over".to_owned());
        }
        if status.transfers.iter().any(|transfer| transfer.state == "running") {
            return Err("a transfer is under way: reload when it is over".to_owned());
        }
        let folder = self.layers.borrow().dir().to_owned();
        let read = Layers::load(RealFiles::shared(), &folder).map_err(|error| error.to_string())?;
        Config::load(&read.0).map_err(|problems| crate::run::all(problems).join("; "))?;
        let departures = self.departures.clone();
        tokio::task::spawn_local(async move {
            tokio::time::sleep(RELOAD_GRACE).await;
            departures.send(Departure::StartAgain).ok();
        });
        Ok(())
    }

    /// What the agent is to do, or why it won't.
    fn command(&self, request: Request) -> Result<LocalCommand, String> {
        Ok(match request {
            Request::Transfer { order } => {
                self.agent.judge_local_transfer(&order).map_err(|fault| fault.to_string())?;
                LocalCommand::Transfer(order)
            }
            Request::Confirm { command_key } => {
                let key = CommandKey::new(&command_key).map_err(|error| format!("{command_key}: {error}"))?;
                LocalCommand::ConfirmDownload(key)
            }
            Request::WantDownload { file_type, args } => {
                let args = args.into_iter().map(|(name, value)| ArgStruct { name, value }).collect();
                LocalCommand::RequestDownload(Box::new(RequestDownload { file_type, args }))
            }
            Request::Inform => LocalCommand::Inform,
            Request::AcsMethods => LocalCommand::AcsMethods,
            Request::Reboot => LocalCommand::Reboot,
            Request::FactoryReset => LocalCommand::FactoryReset,
            Request::Get { .. }
            | Request::Set { .. }
            | Request::Add { .. }
            | Request::Delete { .. }
            | Request::Look
            | Request::Reload
            | Request::Status
            | Request::Dhcp(_)
            | Request::Event { .. } => {
                return Err("this is no command for the agent".to_owned());
            }
        })
    }
}

fn trace(record: &Record) {
    match record.level {
        Level::Error => tracing::error!("{}", record.text),
        Level::Warning => tracing::warn!("{}", record.text),
        Level::Info => tracing::info!("{}", record.text),
        Level::Debug => tracing::debug!("{}", record.text),
    }
}

//! The loop of the box: it carries out what the agent wants of the box, and brings back what became of it.
//!
//! Everything slow runs in a task of its own and comes back as an input: the data model, the store, jobs, a restart. The loop
//! itself never waits for any of them.

use std::{cell::Cell, net::SocketAddr, path::PathBuf, rc::Rc, time::Duration};

#[cfg(feature = "xmpp")]
use cwmp_core::datetime::DateTime;
use cwmp_core::{
    io::{Effect, Input, Start},
    settings::XmppState,
};
use cwmp_datamodel::DataModel;
use cwmp_diagnostics::Diagnostics;
use cwmp_platform::{Platform, PlatformError, instances::InstanceNumbers};
use cwmp_store::Layer;
use cwmp_transport::tls::TlsFiles;
use tokio::{sync::mpsc, time::Instant};

use crate::{
    agent_source::AgentSource,
    border::{self, Begin, BoxEnd, Down, Order, Up, limits},
    changes::ChangeWatch,
    clock::ClockWatch,
    config::{Config, SharedLayers},
    control::Asked,
    data_task::{self, Question, Tree},
    desk::Desk,
    discovery::Ear,
    door::Door,
    jobs::{Jobs, Workshop},
    ledger::Ledger,
    news::News,
    notify::Notifier,
    others::{Others, Wish},
    protocol_side::ProtocolSide,
    restart::{self, Departure},
    snapshots::Snapshots,
    store_task::{self, Kept},
    trace::TraceFile,
    udp_note::UdpNote,
};

mod requests;
#[cfg(test)]
mod tests;

/// How often parameters with active notification are compared with what the ACS knows.
const WATCH_EVERY: Duration = Duration::from_secs(30);
/// How long the end of the program waits for the store to write what is under way.
const LAST_WRITES: Duration = Duration::from_secs(10);

/// Longest wait before a protocol side that has ended starts again.
const LONGEST_REVIVAL: Duration = Duration::from_secs(60);
/// A protocol side that lives so long has started well.
const STEADY: Duration = Duration::from_secs(300);
/// How long a start waits once more while a job changes the box.
const PUT_OFF: Duration = Duration::from_secs(1);

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
    pub(crate) udp_note: UdpNote,
    pub(crate) start: Box<Start>,
    /// Requests of the command line.
    pub(crate) asked: mpsc::Receiver<Asked>,
    /// Who is told of sessions and transfers.
    pub(crate) news: Option<News>,
    /// What others change in the user layer.
    pub(crate) others: Others,
}

impl Parts {
    /// Folders and files with secrets.
    fn secrets(&self) -> Vec<PathBuf> {
        let layers = self.layers.borrow();
        vec![layers.dir().to_owned(), self.config.state_dir.clone(), layers.file(Layer::User)]
    }

    /// What the protocol side is told before anything else.
    pub(crate) fn begin(&self) -> Begin {
        let Config { connection_request, path, acs_reply_timeout, basic_without_tls, tls, .. } =
            self.config.clone();
        Begin {
            start: self.start.clone(),
            synchronised: self.platform.clock_is_synchronised(),
            listen: connection_request,
            udp: self.config.udp_address(),
            accepted_until: self.udp_note.accepted_until(),
            path,
            acs_reply_timeout,
            basic_without_tls,
            pins: tls.pins,
            traced: self.config.trace_file.is_some(),
            news: self.news.is_some(),
            log_level: self.config.log_level.to_string(),
            private_folders: self.secrets(),
        }
    }
}

/// Serves the protocol side until `stop` comes or the program has to start again, which is also so once the protocol side has
/// ended; it had ended `deaths` times shortly before.
pub(crate) async fn run(parts: Parts, end: BoxEnd, deaths: u32, stop: impl Future<Output = ()>) -> Departure {
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
        mut others,
    } = parts;
    let BoxEnd { send: down, hear } = end;
    let mut from_protocol = Some(hear);
    let mut revival = Revival::new(deaths);
    let (inputs, mut incoming) = mpsc::unbounded_channel();
    let (departures, mut departing) = mpsc::unbounded_channel();
    let (orders, to_store) = mpsc::unbounded_channel();
    let (questions, to_data) = mpsc::unbounded_channel();

    let side = ProtocolSide::new(down);
    let snapshots = Snapshots::default();
    let tls = TlsFiles { ca_file: config.tls.ca_file.clone(), client: config.tls.client.clone() };
    let desk = Desk::new(Rc::clone(&platform), snapshots.clone(), tls, udp_note);
    let door = Rc::new(Door::new(config.connection_request.clone(), Rc::clone(&source), side.clone()));
    let store = tokio::task::spawn_local(store_task::run(kept, to_store, inputs.clone()));
    let mut settings = source.subscribe();
    let workshop = Workshop {
        platform: Rc::clone(&platform),
        side: side.clone(),
        desk: Rc::clone(&desk),
        folder: config.download_dir.clone(),
        diagnostics: Rc::clone(&diagnostics),
        ledger: Rc::clone(&ledger),
    };
    let tree = Tree { model: data, ledger, diagnostics, inputs: inputs.clone(), told_of_rollback: false };
    let tree = data_task::run(tree, snapshots.clone(), Rc::clone(&door), to_data);
    let tree = tokio::task::spawn_local(tree);
    let upkeep = platform.upkeep().map(tokio::task::spawn_local);
    let told = platform.changes();
    // Of a namespace of its own nobody tells.
    let untold = told.is_none() || config.path.namespace.is_some();
    let mut changes = ChangeWatch::new(told);
    let software = platform.software();
    let mut units = ChangeWatch::new(software.as_ref().and_then(|_| platform.unit_changes()));
    if software.is_some() {
        inputs.send(Input::UnitsMayHaveChanged).ok();
    }
    let (served, mut serving) = mpsc::unbounded_channel();
    let (wish, mut wished) = Wish::new();
    let shared = Rc::clone(&layers);
    let mut household = Household {
        jobs: Jobs::new(workshop, inputs.clone()),
        trace: TraceFile::of(&config),
        had_date: platform.clock_is_synchronised(),
        platform,
        layers,
        numbers,
        watch_asked: Rc::default(),
        orders,
        questions,
        inputs,
        departures,
        snapshots,
        side,
        desk,
        door,
        source,
        ear,
        news,
        boot_id: start.state.boot_id.clone(),
        under_way: 0,
        served,
        wish,
    };

    let notifier = Notifier::of_environment().map(Rc::new);
    let mut signs = Signs::new(notifier.clone());
    let clock = ClockWatch::new();
    let mut watch = tokio::time::interval(WATCH_EVERY);
    watch.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    tokio::pin!(stop);
    let departure = loop {
        tokio::select! {
            Some(input) = incoming.recv() => household.input(input),
            Some(asked) = asked.recv() => household.asked(asked),
            up = next(&mut from_protocol), if household.under_way < limits::OPERATIONS => {
                let heard = match up {
                    Some(up) => household.hear(up),
                    None => Err("it has ended".to_owned()),
                };
                if let Err(reason) = heard {
                    from_protocol = None;
                    household.side.gone();
                    let wait = revival.begin();
                    tracing::error!("the protocol side: {reason}; it starts again in {} s", wait.as_secs());
                }
            }
            () = signs.due() => signs.give(&household.side, revival.due.is_some()),
            () = revival.due() => {
                // Whatever writes to the box is not broken off.
                if household.jobs.is_applying() {
                    revival.put_off();
                } else {
                    break Departure::Revive { deaths: revival.deaths };
                }
            }
            Some(()) = serving.recv() => household.under_way = household.under_way.saturating_sub(1),
            Ok(()) = settings.changed() => {
                let settings = settings.borrow_and_update().clone();
                household.input(Input::SettingsChanged(Box::new(settings)));
            }
            () = clock.stepped() => household.input(Input::ClockStepped),
            _ = watch.tick() => {
                household.look_at_clock();
                if untold {
                    household.side.tell(Down::MaybeNetworkChanged);
                }
                household.ask_once(Question::Watch);
            }
            () = changes.settled() => {
                household.side.tell(Down::NetworkChanged);
                household.ask_once(Question::Changed);
            }
            sections = others.changed(&shared) => household.others_changed(&sections),
            Some(()) = wished.recv() => household.try_to_start_again(),
            () = units.settled() => {
                household.input(Input::UnitsMayHaveChanged);
                household.ask_once(Question::Changed);
            }
            Some(departure) = departing.recv() => break departure,
            () = &mut stop => break Departure::Stop,
        }
    };
    if let (Some(notifier), Departure::Stop) = (&notifier, departure) {
        notifier.say("STOPPING=1");
    }
    household.side.gone();
    // Without its senders the store writes what is left and ends.
    drop(household);
    if tokio::time::timeout(LAST_WRITES, store).await.is_err() {
        tracing::error!("the state could not be written within {} s", LAST_WRITES.as_secs());
    }
    tree.abort();
    if let Some(upkeep) = upkeep {
        upkeep.abort();
    }
    departure
}

/// The next message of the protocol side, as long as there is one.
async fn next(from_protocol: &mut Option<border::Ear<Up>>) -> Option<Up> {
    match from_protocol {
        Some(ear) => ear.hear().await,
        None => std::future::pending().await,
    }
}

/// Signs of life for an init system. Each goes through both loops: one that hangs is noticed.
struct Signs {
    notifier: Option<Rc<Notifier>>,
    due: Option<Instant>,
    /// Whether the last one is still on its way.
    asked: Rc<Cell<bool>>,
    what: &'static str,
}

impl Signs {
    /// The first one says that the program is ready.
    fn new(notifier: Option<Rc<Notifier>>) -> Self {
        let due = notifier.as_ref().map(|_| Instant::now());
        Self { notifier, due, asked: Rc::default(), what: "READY=1" }
    }

    async fn due(&self) {
        match self.due {
            Some(due) => tokio::time::sleep_until(due).await,
            None => std::future::pending().await,
        }
    }

    /// Gives one once the protocol side has answered; while that is known to be down, this loop answers alone.
    fn give(&mut self, side: &ProtocolSide, alone: bool) {
        let Some(notifier) = self.notifier.clone() else { return };
        self.due = notifier.every.map(|every| Instant::now() + every);
        if alone {
            notifier.say(self.what);
        } else if !self.asked.replace(true) {
            let (side, asked, what) = (side.clone(), Rc::clone(&self.asked), self.what);
            tokio::task::spawn_local(async move {
                if side.order(Order::Ping).await.is_some() {
                    notifier.say(what);
                }
                asked.set(false);
            });
        }
        self.what = "WATCHDOG=1";
    }
}

/// When the protocol side starts again after its end. The whole program does: a start on what is stored is what is known to
/// lose nothing.
struct Revival {
    /// Ends so far, without those before a long life.
    deaths: u32,
    began: Instant,
    due: Option<Instant>,
}

impl Revival {
    fn new(deaths: u32) -> Self {
        Self { deaths, began: Instant::now(), due: None }
    }

    /// The protocol side has ended; returns how long it will take.
    fn begin(&mut self) -> Duration {
        if self.began.elapsed() >= STEADY {
            self.deaths = 0;
        }
        // At once, then after 1, 2, 4 s and so on.
        let wait = match self.deaths {
            0 => Duration::ZERO,
            deaths => Duration::from_secs(1 << (deaths - 1).min(16)).min(LONGEST_REVIVAL),
        };
        self.deaths = self.deaths.saturating_add(1);
        self.due = Some(Instant::now() + wait);
        wait
    }

    async fn due(&self) {
        match self.due {
            Some(due) => tokio::time::sleep_until(due).await,
            None => std::future::pending().await,
        }
    }

    fn put_off(&mut self) {
        self.due = Some(Instant::now() + PUT_OFF);
    }
}

struct Household {
    platform: Rc<dyn Platform>,
    jobs: Jobs,
    layers: Rc<SharedLayers>,
    numbers: Rc<InstanceNumbers>,
    /// Whether the data task has yet to answer the last question for watched parameters.
    watch_asked: Rc<Cell<bool>>,
    orders: mpsc::UnboundedSender<store_task::Order>,
    questions: mpsc::UnboundedSender<Question>,
    inputs: mpsc::UnboundedSender<Input>,
    departures: mpsc::UnboundedSender<Departure>,
    snapshots: Snapshots,
    side: ProtocolSide,
    desk: Rc<Desk>,
    door: Rc<Door>,
    source: Rc<AgentSource>,
    ear: Rc<Ear>,
    news: Option<News>,
    /// Whether the protocol side believes that the clock is synchronised.
    had_date: bool,
    /// This boot, for the state that a factory reset leaves.
    boot_id: String,
    trace: Option<TraceFile>,
    /// Effects and calls that have yet to be answered.
    under_way: usize,
    /// Told when a call is served.
    served: mpsc::UnboundedSender<()>,
    /// A restart for what others have changed.
    wish: Wish,
}

impl Household {
    /// Tells the agent. It hears first whether the clock can be trusted, where that has changed.
    fn input(&mut self, input: Input) {
        if matches!(
            input,
            Input::Persisted(_) | Input::PersistFailed(..) | Input::DataDone(..) | Input::JobDone(..)
        ) {
            self.under_way = self.under_way.saturating_sub(1);
        }
        self.tell_of_clock();
        self.side.tell(Down::Input(input));
    }

    /// Returns whether there was something to tell.
    fn tell_of_clock(&mut self) -> bool {
        let has_date = self.platform.clock_is_synchronised();
        let changed = has_date != self.had_date;
        if changed {
            self.had_date = has_date;
            self.side.tell(Down::Clock(has_date));
        }
        changed
    }

    /// Tells the agent when the date has become known, which may be some time after the clock was set.
    fn look_at_clock(&mut self) {
        if self.tell_of_clock() {
            self.side.tell(Down::Input(Input::ClockStepped));
        }
    }

    /// Does what the protocol side says.
    ///
    /// # Errors
    /// It says what it never should.
    fn hear(&mut self, up: Up) -> Result<(), String> {
        match up {
            Up::Effect(effect) => return self.perform(effect),
            Up::Done(number, done) => self.side.done(number, done),
            Up::Call(number, call) => {
                let (desk, side) = (Rc::clone(&self.desk), self.side.clone());
                self.work(async move { side.tell(Down::Return(number, desk.serve(call).await)) });
            }
            Up::Close(reader) => self.desk.close(reader),
            Up::Door(state) => {
                if self.door.is_now(Some(state)) {
                    self.ask_once(Question::Watch);
                }
            }
            Up::UdpReached { address, nat } => self.udp_reached(address, nat),
            Up::Xmpp(state) => self.xmpp_is(state),
            Up::News(change) => {
                if let Some(news) = &self.news {
                    news.tell(change);
                }
            }
            Up::Trace(bytes) => {
                if let Some(trace) = &mut self.trace {
                    trace.add(&bytes);
                }
            }
        }
        Ok(())
    }

    /// Starts what the agent wants; a task that is gone can only mean that the program is ending.
    fn perform(&mut self, effect: Effect) -> Result<(), String> {
        match effect {
            Effect::Persist(ticket, state) => {
                self.under_way += 1;
                self.orders.send(store_task::Order::Write(ticket, state)).ok();
            }
            Effect::Data(id, op) => {
                self.under_way += 1;
                self.ask_data(Question::Agent(id, op));
            }
            Effect::ReleaseSnapshot(id) => self.snapshots.release(id),
            Effect::Reboot(cause) => {
                let (platform, store) = (Rc::clone(&self.platform), self.orders.clone());
                let (inputs, departures) = (self.inputs.clone(), self.departures.clone());
                self.work(restart::reboot(platform, cause, store, inputs, departures));
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
                self.work(reset.run(self.inputs.clone(), self.departures.clone()));
            }
            Effect::RenewDhcp => {
                self.ear.hear_anybody();
                let platform = Rc::clone(&self.platform);
                self.work(async move {
                    match platform.renew_dhcp().await {
                        Ok(()) => {}
                        // The DHCP client asks again in its own time.
                        Err(PlatformError::Unsupported(what)) => tracing::info!("this box cannot {what}"),
                        Err(error) => tracing::warn!("DHCP could not be asked: {error}"),
                    }
                });
            }
            Effect::StartJob(id, job) => {
                self.under_way += 1;
                self.jobs.start(id, *job);
            }
            Effect::CancelJob(id) => {
                if self.jobs.cancel(id) {
                    self.under_way = self.under_way.saturating_sub(1);
                }
            }
            Effect::DiscardFile(transfer) => {
                let discarded = self.jobs.discard(transfer);
                self.work(discarded);
            }
            Effect::KeepImage => {
                let platform = Rc::clone(&self.platform);
                self.work(async move {
                    if let Err(error) = platform.confirm_image().await {
                        tracing::error!("the firmware that runs could not be confirmed: {error}");
                    }
                });
            }
            Effect::OpenSession(_)
            | Effect::Post(_)
            | Effect::CloseSession
            | Effect::SendDatagram(_)
            | Effect::Listen(_)
            | Effect::ListenUdp(_)
            | Effect::ListenXmpp(_)
            | Effect::Trace(_) => return Err("it sends an effect that is its own matter".to_owned()),
        }
        Ok(())
    }

    #[cfg(feature = "stun")]
    fn udp_reached(&self, address: Option<SocketAddr>, nat: bool) {
        // Always with its port: it may be left out for 80 alone, and nobody misses that.
        let address = address.map_or_else(String::new, |address| address.to_string());
        if self.source.set_udp_connection_requests(address, nat) {
            self.ask_once(Question::Watch);
        }
    }

    /// There are no parameters that would say it.
    #[cfg(not(feature = "stun"))]
    #[allow(clippy::unused_self, reason = "with the feature it is used")]
    fn udp_reached(&self, _: Option<SocketAddr>, _: bool) {}

    #[cfg(feature = "xmpp")]
    fn xmpp_is(&self, state: XmppState) {
        let now = crate::clock::now(self.had_date).wall.map_or(DateTime::Unknown, DateTime::At);
        if self.source.set_xmpp(state, now) {
            self.ask_once(Question::Watch);
        }
    }

    /// There are no parameters that would say it.
    #[cfg(not(feature = "xmpp"))]
    #[allow(clippy::unused_self, reason = "with the feature it is used")]
    fn xmpp_is(&self, _: XmppState) {}

    /// Does this beside the loop; it counts as under way until it has ended.
    fn work(&mut self, work: impl Future<Output = ()> + 'static) {
        self.under_way += 1;
        let served = self.served.clone();
        tokio::task::spawn_local(async move {
            work.await;
            served.send(()).ok();
        });
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
}

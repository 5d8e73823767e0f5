//! The loop that owns the agent: it brings inputs to it and carries out its effects.
//!
//! Everything slow runs in a task of its own and comes back as an input: the connection to the ACS, the listener; what the
//! box is to do goes over the border. The loop itself never waits for any of them.

use std::{cell::Cell, rc::Rc, time::Duration};

use cwmp_core::{
    agent::Agent,
    event::{EventCode, EventStruct},
    io::{Effect, Input, Level, LocalCommand, Record},
    rpc::{ArgStruct, CommandKey, RequestDownload},
    time::Now,
};
use cwmp_transport::{
    AcsClient, ClientConfig, ManagementPath, Tls, TlsConfig,
    files::{FileClient, FileConfig},
};
use tokio::sync::{Notify, mpsc};

use super::{
    acs_task::{self, Note, Step},
    box_side::BoxSide,
    datagram,
    listener::Listener,
    transfers::Transfers,
    udp_door::UdpDoor,
    xmpp_door::XmppDoor,
};
use crate::{
    border::{Begin, Call, Done, Down, Order, ProtocolEnd, Return, Up, limits},
    clock,
    control::{Answer, Request},
    news, trace,
};

/// The loop looks at the clock at least this often, in case a suspend has stopped its timers.
const LONGEST_SLEEP: Duration = Duration::from_secs(300);
/// How often the box is asked whether it has little to do, while a download waits for that.
const IDLE_EVERY: Duration = Duration::from_secs(30);

/// Runs the agent until the box is gone.
pub(crate) async fn run(begin: Begin, end: ProtocolEnd) {
    let ProtocolEnd { send: up, hear: mut from_box } = end;
    let Begin {
        start,
        synchronised,
        listen,
        udp,
        accepted_until,
        path,
        acs_reply_timeout,
        basic_without_tls,
        pins,
        traced,
        news,
        ..
    } = begin;
    let (inputs, mut incoming) = mpsc::unbounded_channel();
    let (notes, mut noted) = mpsc::unbounded_channel();
    let (steps, to_acs) = mpsc::unbounded_channel();
    let side = BoxSide::new(up);

    let synchronised = Rc::new(Cell::new(synchronised));
    let known = Rc::clone(&synchronised);
    let date: Rc<dyn Fn() -> _> = Rc::new(move || clock::now(known.get()).wall);
    let config = TlsConfig { ca_file: None, client: None, pins, date: Rc::clone(&date) };
    let tls = Tls::with_files(config, Rc::new(side.clone()));
    let path = ManagementPath::new(path);
    let client = AcsClient::new(ClientConfig {
        reply_timeout: acs_reply_timeout,
        basic_without_tls,
        tls: tls.clone(),
        path: path.clone(),
        ..ClientConfig::default()
    });
    let files = FileClient::new(FileConfig {
        basic_without_tls,
        tls: tls.clone(),
        path: path.clone(),
        ..FileConfig::default()
    });
    let network = Rc::new(Notify::new());
    let acs =
        acs_task::run(client, side.clone(), path.clone(), Rc::clone(&network), to_acs, inputs.clone(), notes);
    let acs = tokio::task::spawn_local(acs);
    let mut driver = Driver {
        agent: Agent::new(),
        synchronised,
        transfers: Transfers::new(files, side.clone()),
        idle_asked: None,
        steps,
        listener: Listener::new(listen, path.clone(), side.clone(), inputs.clone()),
        xmpp: XmppDoor::new(path.clone(), tls.clone(), side.clone(), inputs.clone()),
        udp: UdpDoor::new(udp, accepted_until, path.clone(), date, side.clone(), inputs.clone()),
        side,
        inputs,
        network,
        path,
        trace: traced.then(trace::Recorder::default),
        news: news.then(news::Watcher::default),
    };
    driver.handle(Input::Started(start));
    loop {
        let sleep = driver.sleep();
        tokio::select! {
            Some(input) = incoming.recv() => driver.handle(input),
            Some(Note::LocalAddress(address)) = noted.recv() => {
                driver.listener.door().local_address(address);
            }
            down = from_box.hear() => match down {
                Some(down) => driver.hear(down),
                None => break,
            },
            () = tokio::time::sleep(sleep) => driver.wake(),
        }
    }
    acs.abort();
}

struct Driver {
    agent: Agent,
    /// Whether the clock can be trusted.
    synchronised: Rc<Cell<bool>>,
    transfers: Transfers,
    /// When the box was last asked whether it has little to do, while that matters.
    idle_asked: Option<tokio::time::Instant>,
    steps: mpsc::UnboundedSender<Step>,
    listener: Listener,
    udp: UdpDoor,
    xmpp: XmppDoor,
    side: BoxSide,
    inputs: mpsc::UnboundedSender<Input>,
    network: Rc<Notify>,
    path: ManagementPath,
    trace: Option<trace::Recorder>,
    news: Option<news::Watcher>,
}

impl Driver {
    fn now(&self) -> Now {
        clock::now(self.synchronised.get())
    }

    fn sleep(&self) -> Duration {
        let now = self.now().mono;
        let left = self.agent.next_wakeup().map(|at| Duration::from_millis(at.since(now)));
        let longest = if self.idle_asked.is_some() { IDLE_EVERY } else { LONGEST_SLEEP };
        left.unwrap_or(longest).min(longest)
    }

    fn hear(&mut self, down: Down) {
        match down {
            Down::Input(input) => self.handle(input),
            Down::Clock(synchronised) => self.synchronised.set(synchronised),
            Down::NetworkChanged => {
                self.udp.network_changed();
                self.xmpp.network_changed();
                self.look_at_network();
            }
            // What STUN has found out is too much to be found out anew on a mere chance.
            Down::MaybeNetworkChanged => self.look_at_network(),
            Down::Order(number, order) => self.order(number, order),
            Down::Cancel(number) => self.transfers.cancel(number),
            Down::Return(number, answer) => self.side.answered(number, answer),
        }
    }

    fn look_at_network(&self) {
        self.network.notify_one();
        self.listener.network_changed();
    }

    fn order(&mut self, number: u32, order: Order) {
        let done = |done| Up::Done(number, done);
        match order {
            Order::Ask(text) => {
                let (answer, input) = match serde_json::from_str(&text) {
                    Ok(request) => self.asked(request),
                    Err(error) => (Answer::error(error.to_string()), None),
                };
                // An answer of ours can always be written as JSON.
                let text = serde_json::to_string(&answer).unwrap_or_default();
                self.side.tell(done(Done::Answered(text)));
                if let Some(input) = input {
                    self.handle(input);
                }
            }
            Order::Settle(towards) => {
                let (door, udp, side) = (self.listener.door(), self.udp.settle(), self.side.clone());
                tokio::task::spawn_local(async move {
                    tokio::join!(door.settle(towards), udp);
                    side.tell(Up::Done(number, Done::Over));
                });
            }
            Order::Fetch { into, held, from, file_size } => {
                self.transfers.fetch(number, into, held, from, file_size);
            }
            Order::Send { from, length, to } => self.transfers.send(number, from, length, to),
            Order::Ping => self.side.tell(done(Done::Over)),
        }
    }

    fn handle(&mut self, input: Input) {
        let now = self.now();
        let traced = self.trace.is_some().then(|| input.clone());
        self.agent.handle(input, now);
        self.perform_all(now, traced);
        self.look_whether_idle();
    }

    fn wake(&mut self) {
        let now = self.now();
        self.agent.handle_time(now);
        self.perform_all(now, None);
        self.look_whether_idle();
    }

    /// Tells the agent whether the box has little to do, while a download waits for that.
    fn look_whether_idle(&mut self) {
        if !self.agent.waits_for_idle(self.now()) {
            self.idle_asked = None;
            return;
        }
        let now = tokio::time::Instant::now();
        if self.idle_asked.is_some_and(|asked| now.duration_since(asked) < IDLE_EVERY) {
            return;
        }
        self.idle_asked = Some(now);
        let (side, inputs) = (self.side.clone(), self.inputs.clone());
        tokio::task::spawn_local(async move {
            if let Ok(Return::Idle(idle)) = side.ask(Call::IsIdle).await {
                inputs.send(Input::BoxIdle(idle)).ok();
            }
        });
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
            let line = trace.line(now, input.as_ref(), names);
            for piece in line.chunks(limits::TRACE_BYTES) {
                self.side.tell(Up::Trace(bytes::Bytes::copy_from_slice(piece)));
            }
        }
        if let Some(news) = &mut self.news {
            for change in news.look(&self.agent.status(now)) {
                self.side.tell(Up::News(change));
            }
        }
    }

    /// Starts what the agent wants; a task that is gone can only mean that the program is ending.
    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::OpenSession(target) => self.step(Step::Open(target)),
            Effect::Post(body) => self.step(Step::Post(body)),
            Effect::CloseSession => self.step(Step::Close),
            Effect::SendDatagram(datagram) => {
                tokio::task::spawn_local(datagram::send(self.path.clone(), datagram));
            }
            Effect::Listen(settings) => self.listener.listen(settings),
            Effect::ListenUdp(settings) => self.udp.listen(settings),
            Effect::ListenXmpp(settings) => self.xmpp.listen(settings),
            Effect::Trace(record) => log(&record),
            of_the_box => self.side.tell(Up::Effect(of_the_box)),
        }
    }

    fn step(&self, step: Step) {
        self.steps.send(step).ok();
    }

    /// Answers a request of the command line, with what follows for the agent.
    fn asked(&self, request: Request) -> (Answer, Option<Input>) {
        match request {
            Request::Status => {
                let status = Box::new(self.agent.status(self.now()));
                (Answer::Status { status }, None)
            }
            Request::Event { code } => {
                // The agent takes a vendor's codes alone.
                let event = EventStruct::new(EventCode::parse(&code));
                (Answer::Done, Some(Input::VendorEvent(event)))
            }
            other => match self.command(other) {
                Ok(command) => (Answer::Done, Some(Input::Command(command))),
                Err(error) => (Answer::error(error), None),
            },
        }
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

fn log(record: &Record) {
    match record.level {
        Level::Error => tracing::error!("{}", record.text),
        Level::Warning => tracing::warn!("{}", record.text),
        Level::Info => tracing::info!("{}", record.text),
        Level::Debug => tracing::debug!("{}", record.text),
    }
}

//! The box in virtual time on a disk that loses power: the program's parts, the loop around them, and the ACS.

use std::{cell::RefCell, collections::VecDeque, path::Path, rc::Rc, sync::Arc};

use cwmp_core::{
    agent::Agent,
    io::{Body, BootCause, DataOp, DataReply, Effect, Input, OpId, Reply, Ticket, Via},
    job::{DuDone, Job, JobDone, JobId},
    stored::Stored,
    time::{Mono, Now, Wall},
};
use cwmp_datamodel::Origin;
use cwmp_platform::{FactoryReset, Platform};
use cwmp_store::sim::Sim;

use cwmpd::workbench::Workbench;

use super::{
    acs::Session,
    book::Book,
    device::{Device, Memory},
    expected::Expected,
    jobs,
    plan::{FACTORY_INTERVAL, FIRST_ACS, Pace, Plan},
};
use crate::simulate::dice::Dice;

const FOLDER: &str = "/etc/cwmpd";
/// The clock of every box at its first start: 2026-01-01T00:00:00Z.
const FIRST_DAY: i64 = 1_767_225_600;
/// How long a boot takes until the program runs.
const BOOT_MS: u64 = 20_000;
/// Most things that happen in one run.
const STEPS: u32 = 60_000;
/// Longest virtual time of one run, in milliseconds.
const RUN_MS: i64 = 3 * 86_400_000;
/// Starts of the program that may fail one after the other on a disk that fails once.
const STARTS: u32 = 2;

/// What a power cut does not touch.
#[derive(Clone)]
pub(super) struct Outside {
    pub(super) plan: Rc<Plan>,
    pub(super) book: Book,
    pub(super) dice: Dice,
    next_step: usize,
    wall: Wall,
    first: Wall,
    mono: Mono,
    steps: u32,
    story: Option<Story>,
}

/// What has happened, where somebody wants to read it.
pub(super) type Story = Rc<RefCell<Vec<String>>>;

/// How a run ends, where nothing is found.
pub(super) enum End {
    /// Everything was asked, everything owed was told, and a session that changes nothing wrote nothing.
    Done,
    /// The power is gone, or the program has died: then the memory is left.
    Cut(Box<Outside>, Memory),
}

/// What begins when the program starts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    Boot,
    /// The program alone starts again: the memory is as it was.
    Again,
}

impl Outside {
    pub(super) fn new(seed: u64, story: Option<&Story>) -> Self {
        let first = Wall::from_seconds(FIRST_DAY);
        Self {
            plan: Rc::new(Plan::new(seed)),
            book: Book::new(Expected::factory(FIRST_ACS, FACTORY_INTERVAL, "")),
            dice: Dice::new(seed),
            next_step: 0,
            wall: first,
            first,
            mono: Mono(BOOT_MS),
            steps: 0,
            story: story.map(Rc::clone),
        }
    }

    pub(super) fn tell(&mut self, line: impl FnOnce() -> String) {
        if let Some(story) = &self.story {
            let ms = self.wall.0 - self.first.0;
            story.borrow_mut().push(format!("{:>9}.{:03} s  {}", ms / 1000, ms % 1000, line()));
        }
    }
}

/// The disk of a new box.
pub(super) fn new_disk() -> Arc<Sim> {
    let factory = format!(
        "[cwmpd]\nconfirm_time = 0\n[ManagementServer]\nURL = {FIRST_ACS}\nPeriodicInformInterval = {FACTORY_INTERVAL}\n\
         PeriodicInformTime = 2026-01-01T00:00:00Z\n[ManagementServer.DUStateChangeComplPolicy]\nEnable = true\n\
         OperationTypeFilter = Install,Update,Uninstall\n"
    );
    Sim::with(&[("/etc/cwmpd/factory.ini", &factory)])
}

/// One life of the program.
pub(super) struct World {
    out: Box<Outside>,
    disk: Arc<Sim>,
    device: Rc<Device>,
    bench: Workbench,
    agent: Agent,
    connection: Option<Session>,
    reply: Option<Reply>,
    store: Vec<(Ticket, Box<Stored>)>,
    data: VecDeque<(OpId, DataOp)>,
    jobs: Vec<(Mono, JobId, Job)>,
    /// The updater takes the box down at this moment.
    goes_down: Option<Mono>,
    ending: Ending,
}

/// The last sessions of a run, in which the ACS says nothing by itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    NotYet,
    /// One in which the agent may still have something to write.
    First,
    /// One in which it may not: the operations of the disk before it.
    Second(usize),
}

/// How the world goes on after something has happened.
enum Next {
    On,
    Cut,
    Done,
    /// The box boots, or the program starts again.
    Start(Begin),
}

impl World {
    /// Runs until the end of the scenario or a power cut.
    ///
    /// # Errors
    /// The promise that was broken.
    pub(super) async fn run(
        mut out: Box<Outside>,
        disk: Arc<Sim>,
        begin: Begin,
        memory: Memory,
    ) -> Result<End, String> {
        let (mut begin, mut memory) = (begin, memory);
        loop {
            if begin == Begin::Boot {
                memory = Memory::default();
                out.mono = Mono(BOOT_MS);
                out.wall.0 += BOOT_MS.cast_signed();
                out.book.booted();
            } else {
                out.book.program_started_again();
            }
            let mut world = match World::start(out, &disk, &memory, begin).await? {
                Ok(world) => world,
                Err(out) => return Ok(End::Cut(out, memory)),
            };
            begin = loop {
                let next = world.happen().await?;
                if let Some(finding) = world.out.book.finding.take() {
                    return Err(finding);
                }
                match next {
                    Next::On => {}
                    Next::Cut => return Ok(End::Cut(world.out, Rc::clone(&world.device.memory))),
                    Next::Done => return Ok(End::Done),
                    Next::Start(begin) => break begin,
                }
            };
            (memory, out) = (Rc::clone(&world.device.memory), world.out);
        }
    }

    /// Starts the program; gives back what is outside where the power goes meanwhile.
    async fn start(
        mut out: Box<Outside>,
        disk: &Arc<Sim>,
        memory: &Memory,
        begin: Begin,
    ) -> Result<Result<Self, Box<Outside>>, String> {
        let mut error = String::new();
        for _ in 0..STARTS {
            let opened = open(&out, disk, memory).await;
            if disk.is_cut() {
                return Ok(Err(out));
            }
            if let Some(damaged) = disk.names().into_iter().find(|name| name.contains(".damaged")) {
                return Err(format!("after a power cut a file counts as damaged: {damaged}"));
            }
            match opened {
                Ok((device, bench)) => {
                    let boots = out.book.boots;
                    out.tell(|| format!("start {boots}: {:?}", bench.start.cause));
                    let cause = bench.start.cause;
                    if begin == Begin::Boot && cause != BootCause::Boot {
                        return Err(format!("the program takes a boot for {cause:?}"));
                    }
                    let start = bench.start.clone();
                    let mut world = Self {
                        out,
                        disk: Arc::clone(disk),
                        device,
                        bench,
                        agent: Agent::new(),
                        connection: None,
                        reply: None,
                        store: Vec::new(),
                        data: VecDeque::new(),
                        jobs: Vec::new(),
                        goes_down: None,
                        ending: Ending::NotYet,
                    };
                    world.input(Input::Started(start));
                    world.input(Input::UnitsMayHaveChanged);
                    return Ok(Ok(world));
                }
                Err(problem) => error = problem,
            }
        }
        Err(format!("the program does not start: {error}"))
    }

    fn now(&self) -> Now {
        Now { mono: self.out.mono, wall: Some(self.out.wall) }
    }

    fn input(&mut self, input: Input) {
        self.agent.handle(input, self.now());
    }

    /// The next thing happens.
    async fn happen(&mut self) -> Result<Next, String> {
        self.out.steps += 1;
        if self.out.steps > STEPS || self.out.wall.0 - self.out.first.0 > RUN_MS {
            let (debts, step) = (self.out.book.debts(), self.out.next_step);
            return Err(format!("the run does not end; at step {step}, owed is: {debts}"));
        }
        if let Some(effect) = self.agent.poll_effect() {
            return self.perform(effect).await;
        }
        if let Some(input) = self.bench.told() {
            self.input(input);
            return Ok(Next::On);
        }
        if let Some(settings) = self.bench.changed_settings() {
            self.input(Input::SettingsChanged(Box::new(settings)));
            return Ok(Next::On);
        }
        let (reply, store, data) = (self.reply.is_some(), !self.store.is_empty(), !self.data.is_empty());
        let order = match self.out.plan.pace {
            Pace::Eager => 0,
            Pace::Lazy => 2,
            Pace::Mixed => self.out.dice.below(3),
        };
        match (order, reply, store, data) {
            (_, false, false, false) => self.pass_time().await,
            (0, _, true, _) | (1, _, true, false) | (2, false, true, _) => Ok(self.write()),
            (1, _, _, true) | (0, _, false, true) | (2, false, false, true) => self.ask_data().await,
            _ => {
                if let Some(reply) = self.reply.take() {
                    self.input(Input::Reply(reply));
                }
                Ok(Next::On)
            }
        }
    }

    async fn perform(&mut self, effect: Effect) -> Result<Next, String> {
        match effect {
            Effect::Persist(ticket, state) => self.store.push((ticket, state)),
            Effect::OpenSession(target) => {
                let silent = self.ending != Ending::NotYet;
                self.connection = Some(Session::new(target.url.to_string(), silent));
                self.input(Input::Connected);
            }
            Effect::Post(body) => return self.post(body),
            Effect::CloseSession => {
                self.connection = None;
                self.reply = None;
            }
            Effect::Data(op, question) => self.data.push_back((op, question)),
            Effect::ReleaseSnapshot(id) => self.bench.release(id),
            Effect::StartJob(id, job) => {
                let after = self.out.dice.between(0, 20_000);
                self.jobs.push((self.out.mono.after_ms(after), id, *job));
            }
            Effect::CancelJob(id) => self.jobs.retain(|(_, known, _)| *known != id),
            Effect::DiscardFile(transfer) => {
                self.device.memory.borrow_mut().remove(&jobs::place(transfer));
            }
            Effect::Reboot(_) => {
                // The program has the store write what it was given before it lets the box restart.
                if let Next::Cut = self.write() {
                    return Ok(Next::Cut);
                }
                self.out.tell(|| "the box restarts".to_owned());
                return Ok(Next::Start(Begin::Boot));
            }
            Effect::FactoryReset => return self.factory_reset().await,
            Effect::Trace(record) => self.out.tell(|| format!("    {}", record.text)),
            Effect::SendDatagram(_)
            | Effect::Listen(_)
            | Effect::ListenUdp(_)
            | Effect::ListenXmpp(_)
            | Effect::KeepImage
            | Effect::RenewDhcp => {}
        }
        Ok(Next::On)
    }

    fn post(&mut self, body: Body) -> Result<Next, String> {
        let bytes = match body {
            Body::Empty => Vec::new(),
            Body::Bytes(bytes) => bytes,
            Body::Listing(listing) => {
                let written = self.bench.written(listing).ok_or("the snapshot of an answer is gone")?;
                written.chunks().flat_map(|chunk| chunk.to_vec()).collect()
            }
        };
        let Some(session) = &mut self.connection else {
            return Err("a message without a connection".to_owned());
        };
        let Outside { book, next_step, plan, .. } = &mut *self.out;
        let (line, reply) = session.answer(&bytes, book, next_step, plan, &self.device.truth());
        self.out.tell(|| line);
        self.reply = Some(reply);
        Ok(Next::On)
    }

    /// The store writes the newest state that it was given, and answers for all.
    fn write(&mut self) -> Next {
        let Some((_, newest)) = self.store.last() else { return Next::On };
        let written = self.bench.save(newest);
        if self.disk.is_cut() {
            return Next::Cut;
        }
        for (ticket, _) in std::mem::take(&mut self.store) {
            self.input(match &written {
                Ok(()) => Input::Persisted(ticket),
                Err(why) => Input::PersistFailed(ticket, why.clone()),
            });
        }
        Next::On
    }

    async fn ask_data(&mut self) -> Result<Next, String> {
        let Some((id, op)) = self.data.pop_front() else { return Ok(Next::On) };
        let answer = self.bench.execute(op, Origin::Acs).await;
        if self.disk.is_cut() {
            return Ok(Next::Cut);
        }
        if let Ok(DataReply::Listing { snapshot, .. }) = &answer {
            self.bench.keep(*snapshot);
        }
        self.input(Input::DataDone(id, answer));
        Ok(Next::On)
    }

    async fn factory_reset(&mut self) -> Result<Next, String> {
        self.out.tell(|| "factory reset".to_owned());
        let of_box = self.device.factory_reset().await;
        let pending = self.store.last().map(|(_, state)| state.clone());
        let forgotten = if self.disk.is_cut() { Ok(()) } else { self.bench.forget(pending.as_deref()).await };
        if self.disk.is_cut() {
            return Ok(Next::Cut);
        }
        if let Err(why) = forgotten {
            self.input(Input::RestartFailed(why));
            return Ok(Next::On);
        }
        let restarts = matches!(of_box, Ok(FactoryReset::Restarting));
        Ok(Next::Start(if restarts { Begin::Boot } else { Begin::Again }))
    }

    /// Nothing is left to do at this moment.
    async fn pass_time(&mut self) -> Result<Next, String> {
        if let Some(next) = self.end() {
            return Ok(next);
        }
        let jobs = self.jobs.iter().map(|(due, ..)| *due);
        let moments = self.agent.next_wakeup().into_iter().chain(jobs).chain(self.goes_down);
        let Some(next) = moments.min() else { return Err("nothing will ever happen again".to_owned()) };
        let passed = next.since(self.out.mono);
        self.out.mono = self.out.mono.after_ms(passed);
        self.out.wall.0 += passed.cast_signed();
        if self.goes_down.is_some_and(|at| at <= self.out.mono) {
            self.out.tell(|| "the updater restarts the box".to_owned());
            return Ok(Next::Start(Begin::Boot));
        }
        let Some(at) = self.jobs.iter().position(|(due, ..)| *due <= self.out.mono) else {
            let now = self.now();
            self.agent.handle_time(now);
            return Ok(Next::On);
        };
        let (_, id, job) = self.jobs.remove(at);
        let result = jobs::work(&job, &self.device, &mut self.out.book).await;
        if self.disk.is_cut() {
            return Ok(Next::Cut);
        }
        self.out.tell(|| format!("{} ends: {result:?}", job.name()));
        if let Ok(JobDone::Written { restarting: true }) = result {
            let after = self.out.dice.between(0, 30_000);
            self.goes_down = Some(self.out.mono.after_ms(after));
        }
        let changed = matches!(result, Ok(JobDone::Software(DuDone::Changed(_) | DuDone::Failed(..))));
        self.input(Input::JobDone(id, result));
        if changed {
            self.input(Input::UnitsMayHaveChanged);
        }
        Ok(Next::On)
    }

    /// Whether all is asked and told; then two more sessions follow, the second of which may write nothing.
    fn end(&mut self) -> Option<Next> {
        let Outside { book, next_step, plan, .. } = &*self.out;
        let busy = self.connection.is_some() || !self.jobs.is_empty() || self.goes_down.is_some();
        if busy || *next_step < plan.steps.len() || book.owes() || book.is_unsettled() {
            return None;
        }
        match self.ending {
            Ending::NotYet => self.ending = Ending::First,
            Ending::First => self.ending = Ending::Second(self.disk.operations()),
            Ending::Second(before) => {
                let after = self.disk.operations();
                if after > before {
                    let text = format!(
                        "a session that changes nothing makes {} changes of the disk",
                        after - before
                    );
                    self.out.book.found(text);
                }
                return Some(Next::Done);
            }
        }
        self.input(Input::ConnectionRequest(Via::Http));
        Some(Next::On)
    }
}

/// Opens the program's parts on a disk.
async fn open(out: &Outside, disk: &Arc<Sim>, memory: &Memory) -> Result<(Rc<Device>, Workbench), String> {
    let device = Rc::new(Device::boot(disk, &out.plan, out.book.boots, Rc::clone(memory))?);
    let platform = Rc::clone(&device);
    let bench = Workbench::open(Arc::clone(disk) as _, Path::new(FOLDER), |settings, numbers| {
        platform.connect(settings, numbers);
        platform as _
    });
    let mut bench = bench.await.map_err(|problems| problems.join("; "))?;
    bench.start.abilities.software = true;
    bench.start.seed = u64::from(out.book.boots).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    Ok((device, bench))
}

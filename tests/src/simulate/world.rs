//! A box in virtual time: its clock, its store, its data model, its power, and whatever happens to it.

mod calm;
mod jobs;
mod power;
mod stir;
mod storage;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use cwmp_core::{
    agent::Agent,
    datetime::DateTime,
    io::{Body, BootCause, Effect, Input},
    job::{Diagnostic, JobId},
    rpc::ParameterValueStruct,
    settings::{AgentSettings, TransferPolicy},
    stored::Stored,
    time::{Mono, Now, Wall},
    url::HttpUrl,
};

use self::{jobs::Jobs, storage::Store};
use super::{
    acs::{Acs, Answer, DIAGNOSTICS_STATE, Posted, transfers::Goods},
    check::{Check, LATE_MS},
    data::{self, Data},
    dice::{Dice, Mood},
    network, story,
};

/// Steps of a world in trouble.
const CHAOS_STEPS: u64 = 1_000;
/// What the clock of a box shows when its agent starts.
const BOOT_MS: u64 = 1_000;
/// Steps at one moment that show an agent which runs in circles.
const STEPS_AT_ONE_MOMENT: u32 = 2_000;
/// Lines of the story that are kept.
const STORY_LINES: usize = 60;

/// The URLs of this world's ACSes.
pub(super) fn url(n: u64) -> &'static str {
    match n {
        0 => "http://a.example:7547/",
        1 => "https://b.example/cwmp?x=1",
        _ => "http://c.example/",
    }
}

/// What is going to happen.
#[derive(Debug)]
pub(super) enum Happening {
    PowerUp(BootCause),
    Input(Input),
    /// Of the session with this number; nothing comes of it once the session is closed.
    Session(u32, Input, Option<Answer>),
    /// The store has finished its write.
    Written,
    /// This job has come to its end.
    JobEnds(JobId),
    /// The box goes down by itself.
    GoesDown,
    /// The data model has finished its oldest piece of work.
    Worked,
    /// Something happens on the box.
    Stir,
    /// The box has been set to its factory state and starts again.
    Reset,
}

/// The connection to the ACS.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) number: u32,
    pub(super) acs: Acs,
}

pub(super) struct World {
    pub(super) dice: Dice,
    pub(super) mood: Mood,
    /// The time of the world.
    pub(super) now: Now,
    /// When the clock of the box showed 0.
    uptime_from: u64,
    written_since_boot: bool,
    boots: u32,
    agent: Agent,
    powered: bool,
    queue: BTreeMap<(u64, u64), Happening>,
    order: u64,
    pub(super) connection: Option<Connection>,
    sessions: u32,
    settings: AgentSettings,
    stored: Stored,
    store: Store,
    data: Data,
    jobs: Jobs,
    snapshots: BTreeSet<u32>,
    calm: bool,
    check: Check,
    story: Option<VecDeque<String>>,
    finding: Option<String>,
}

/// What the ACS at this URL has of [`super::acs::OPTIONAL`].
fn offers(of: &str) -> [bool; 2] {
    [of != url(2), of == url(0)]
}

fn factory_settings() -> AgentSettings {
    let goods = [Goods::Firmware, Goods::Upload];
    AgentSettings {
        url: HttpUrl::parse(url(0)).ok(),
        periodic_inform_interval: 3600,
        autonomous_transfers: TransferPolicy {
            enable: true,
            downloads: None,
            successes: None,
            file_types: goods.map(|goods| goods.file_type().to_owned()).to_vec(),
        },
        ..AgentSettings::default()
    }
}

impl World {
    pub(super) fn new(seed: u64, tell: bool) -> Self {
        let mut dice = Dice::new(seed);
        let mood = Mood::roll(&mut dice);
        let wall = (dice.below(2) == 0).then_some(Wall(1_700_000_000_000));
        let now = Now { mono: Mono(dice.between(1_000, 100_000)), wall };
        let settings = factory_settings();
        let check = Check::new(&settings, now);
        let mut world = Self {
            dice,
            mood,
            now,
            uptime_from: 0,
            written_since_boot: false,
            boots: 0,
            agent: Agent::new(),
            powered: false,
            queue: BTreeMap::new(),
            order: 0,
            connection: None,
            sessions: 0,
            settings,
            stored: Stored::default(),
            store: Store::default(),
            data: Data::default(),
            jobs: Jobs::default(),
            snapshots: BTreeSet::new(),
            calm: false,
            check,
            story: tell.then(VecDeque::new),
            finding: None,
        };
        world.at(1, Happening::PowerUp(BootCause::Boot));
        world.at(1_000, Happening::Stir);
        world
    }

    /// Lets the world run its course; returns what was found, and the story that led to it.
    pub(super) fn run(mut self) -> Result<(), (String, Vec<String>)> {
        self.chaos();
        if self.finding.is_none() {
            self.calm();
        }
        match self.finding {
            Some(finding) => Err((finding, self.story.into_iter().flatten().collect())),
            None => Ok(()),
        }
    }

    fn chaos(&mut self) {
        let steps = self.dice.between(20, CHAOS_STEPS);
        let (mut moment, mut at_it) = (self.now.mono, 0);
        for _ in 0..steps {
            if self.finding.is_some() || !self.step(u64::MAX) {
                break;
            }
            at_it = if self.now.mono == moment { at_it + 1 } else { 0 };
            moment = self.now.mono;
            if at_it > STEPS_AT_ONE_MOMENT {
                self.found("the agent runs in circles".to_owned());
            }
        }
    }

    /// The next thing happens, if it does so before `deadline`.
    fn step(&mut self, deadline: u64) -> bool {
        let late = if self.dice.permille(20) { self.dice.below(LATE_MS) } else { 0 };
        let wake = self.agent.next_wakeup().filter(|_| self.powered).map(|at| at.0 + self.uptime_from + late);
        let first = self.queue.first_key_value().map(|(key, _)| key.0);
        let Some(next) = wake.into_iter().chain(first).min().filter(|next| *next <= deadline) else {
            return false;
        };
        let passed = next.saturating_sub(self.now.mono.0);
        self.now.mono = self.now.mono.after_ms(passed);
        self.now.wall = self.now.wall.map(|wall| Wall(wall.0 + i64::try_from(passed).unwrap_or(0)));
        match first {
            Some(at) if at <= next => {
                if let Some((_, happening)) = self.queue.pop_first() {
                    self.happen(happening);
                }
            }
            _ => self.wake(),
        }
        true
    }

    /// What the clocks of the box show.
    fn box_time(&self) -> Now {
        Now { mono: Mono(self.now.mono.0 - self.uptime_from), ..self.now }
    }

    fn wake(&mut self) {
        let now = self.box_time();
        self.check.woken(now);
        self.agent.handle_time(now);
        self.perform();
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::PowerUp(cause) => self.power_up(cause),
            Happening::Input(input) => self.feed(input, None),
            Happening::Session(number, input, answer) => {
                if self.connection.as_ref().is_some_and(|connection| connection.number == number) {
                    self.feed(input, answer);
                }
            }
            Happening::Written => self.written(),
            Happening::JobEnds(id) => self.job_ends(id),
            Happening::GoesDown => {
                if self.dice.below(2) == 0 {
                    self.finish_writes();
                }
                self.power_off("the box goes down by itself", BootCause::Boot);
            }
            Happening::Worked => self.worked(),
            Happening::Stir => self.stir(),
            Happening::Reset => {
                self.tell(|| "the box is in its factory state".to_owned());
                self.settings = factory_settings();
                self.stored = Stored::default();
                self.data = Data::default();
                self.check.factory_state();
                self.power_off("start again", BootCause::Boot);
            }
        }
    }

    /// Brings an input to the agent and carries out what follows.
    fn feed(&mut self, input: Input, answer: Option<Answer>) {
        if !self.powered || self.finding.is_some() {
            return;
        }
        self.tell(|| match &answer {
            Some(answer) => format!("<- {:?} (HTTP {})", answer.meaning, answer.reply.status),
            None => format!("<- {}", story::input(&input)),
        });
        let now = self.box_time();
        self.check.input(&input, now, answer.as_ref());
        self.agent.handle(input, now);
        self.perform();
    }

    fn perform(&mut self) {
        while let Some(effect) = self.agent.poll_effect() {
            if !self.calm && self.dice.below(100_000) < self.mood.cut {
                return self.cut();
            }
            let posted = match &effect {
                Effect::Post(body) => self.as_posted(body),
                _ => None,
            };
            self.tell(|| format!("  -> {}", story::effect(&effect, posted.as_ref())));
            if let Err(finding) = self.check.effect(&effect, posted.as_ref(), &self.stored) {
                return self.found(finding);
            }
            self.carry_out(effect, posted);
            if self.finding.is_some() {
                return;
            }
        }
        if !self.calm && self.dice.below(100_000) < self.mood.cut {
            return self.cut();
        }
        if let Err(finding) = self.check.quiet() {
            self.found(finding);
        }
    }

    fn as_posted(&self, body: &Body) -> Option<Posted> {
        network::as_posted(body, |snapshot| self.snapshots.contains(&snapshot))
    }

    fn carry_out(&mut self, effect: Effect, posted: Option<Posted>) {
        match effect {
            Effect::Persist(ticket, state) => self.persist(ticket, state),
            Effect::OpenSession(target) => {
                self.sessions += 1;
                let offers = offers(&target.url.to_string());
                let acs = match self.calm {
                    true => Acs::calm(offers),
                    false => Acs::new(offers, &mut self.dice, &self.mood),
                };
                self.connection = Some(Connection { number: self.sessions, acs });
                let (after, input) = network::connect(&mut self.dice, &self.mood);
                self.at(after, Happening::Session(self.sessions, input, None));
            }
            Effect::Post(_) => {
                if let (Some(connection), Some(posted)) = (&mut self.connection, posted) {
                    let (after, input, answer) =
                        network::post(&posted, &mut connection.acs, &mut self.dice, &self.mood);
                    let number = connection.number;
                    self.at(after, Happening::Session(number, input, answer));
                }
            }
            Effect::CloseSession => self.connection = None,
            Effect::Data(op, question) => {
                self.data.ask(op, question);
                self.data_works();
            }
            Effect::ReleaseSnapshot(id) => {
                if !self.snapshots.remove(&id.0) {
                    self.found(format!("snapshot {} is released twice", id.0));
                }
            }
            Effect::SendDatagram(_)
            | Effect::Listen(_)
            | Effect::ListenUdp(_)
            | Effect::ListenXmpp(_)
            | Effect::Trace(_)
            | Effect::DiscardFile(_)
            | Effect::KeepImage
            | Effect::RenewDhcp => {}
            Effect::StartJob(id, job) => self.start_job(id, *job),
            Effect::CancelJob(id) => self.cancel_job(id),
            Effect::Reboot(_) => {
                let after = self.dice.between(1, 5_000);
                if !self.calm && self.dice.permille(50) {
                    self.at(after, Happening::Input(Input::RestartFailed("no such command".to_owned())));
                } else {
                    // The program ends in good order: the store finishes what was handed to it.
                    self.finish_writes();
                    self.power_off("the box restarts", BootCause::Boot);
                }
            }
            Effect::FactoryReset => {
                let after = self.dice.between(1, 5_000);
                let next = match self.dice.below(20) {
                    0 if !self.calm => Happening::Input(Input::RestartFailed("flash is busy".to_owned())),
                    _ => Happening::Reset,
                };
                self.at(after, next);
            }
        }
    }

    fn data_works(&mut self) {
        if let Some(after) = self.data.begins(&mut self.dice, &self.mood) {
            self.at(after, Happening::Worked);
        }
    }

    fn worked(&mut self) {
        let Some(done) = self.data.finish(&mut self.dice, &self.mood) else { return };
        let data::Done { op, result, set, snapshot, gathered, lightweight } = done;
        self.snapshots.extend(snapshot);
        if let Some(gathered) = gathered {
            self.check.gathered(gathered, self.box_time());
        }
        if let Some(found) = lightweight {
            self.check.lightweight(found, self.box_time());
        }
        let mut settings = None;
        for parameter in set.iter().filter(|parameter| parameter.name == DIAGNOSTICS_STATE) {
            // The order of the two is open.
            let after = self.dice.below(2);
            let diagnostic = Diagnostic::IpPing;
            let input = match parameter.value.as_str() {
                "Requested" => Input::DiagnosticRequested { diagnostic, by_acs: true },
                _ => Input::DiagnosticWithdrawn(diagnostic),
            };
            match after {
                0 => self.feed(input, None),
                _ => self.at(1, Happening::Input(input)),
            }
        }
        for parameter in &set {
            settings = self.set(parameter).or(settings);
        }
        let input = Input::DataDone(op, result);
        match settings {
            // The settings and the answer come by two ways: either may be first.
            Some(settings) if self.dice.below(2) == 0 => {
                self.at(0, Happening::Input(input));
                self.feed(Input::SettingsChanged(settings), None);
            }
            Some(settings) => {
                self.at(0, Happening::Input(Input::SettingsChanged(settings)));
                self.feed(input, None);
            }
            None => self.feed(input, None),
        }
        self.data_works();
    }

    /// The data model has stored a parameter: the settings that follow from it, where it is one of the agent's.
    fn set(&mut self, parameter: &ParameterValueStruct) -> Option<Box<AgentSettings>> {
        let mut settings = self.settings.clone();
        let value = &parameter.value;
        match parameter.name.strip_prefix("Device.ManagementServer.")? {
            "URL" => settings.url = HttpUrl::parse(value).ok(),
            "PeriodicInformInterval" => settings.periodic_inform_interval = value.parse().ok()?,
            "PeriodicInformEnable" => settings.periodic_inform_enable = value == "1",
            "PeriodicInformTime" => settings.periodic_inform_time = DateTime::parse(value).ok()?,
            "CWMPRetryMinimumWaitInterval" => settings.retry_minimum_wait_interval = value.parse().ok()?,
            "CWMPRetryIntervalMultiplier" => settings.retry_interval_multiplier = value.parse().ok()?,
            "AutonomousTransferCompletePolicy.Enable" => settings.autonomous_transfers.enable = value == "1",
            "AutonomousTransferCompletePolicy.TransferTypeFilter" => {
                settings.autonomous_transfers.downloads = (value == "Upload").then_some(false);
            }
            "AutonomousTransferCompletePolicy.ResultTypeFilter" => {
                settings.autonomous_transfers.successes = (value == "Success").then_some(true);
            }
            "LightweightNotificationProtocolsUsed" => settings.lightweight.udp = value == "UDP",
            _ => return None,
        }
        self.settings = settings.clone();
        Some(Box::new(settings))
    }

    fn at(&mut self, after_ms: u64, happening: Happening) {
        self.order += 1;
        self.queue.insert((self.now.mono.0 + after_ms, self.order), happening);
    }

    fn found(&mut self, finding: String) {
        self.finding.get_or_insert(finding);
    }

    fn tell(&mut self, line: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            if story.len() >= STORY_LINES {
                story.pop_front();
            }
            let ms = self.now.mono.0;
            story.push_back(format!("{:>12}.{:03} s  {}", ms / 1000, ms % 1000, line()));
        }
    }
}

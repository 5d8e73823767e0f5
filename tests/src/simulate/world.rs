//! A box in virtual time: its clock, its store, its data model, its power, and whatever happens to it.

mod storage;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use cwmp_core::{
    agent::Agent,
    datetime::DateTime,
    event::EventCode,
    io::{Abilities, Body, BootCause, Effect, Input, LocalCommand, Start, Via},
    rpc::{DeviceId, ParameterValueStruct},
    settings::AgentSettings,
    stored::Stored,
    time::{Mono, Now, Wall},
    url::HttpUrl,
};

use self::storage::Store;
use super::{
    acs::{Acs, Answer, Posted},
    check::{Check, LATE_MS},
    data::{self, Data},
    dice::{Dice, Mood},
    network, story,
};

/// Steps of a world in trouble.
const CHAOS_STEPS: u64 = 1_000;
/// Steps within which the agent must have come to rest afterwards.
const CALM_STEPS: u32 = 20_000;
/// What the clock of a box shows when its agent starts.
const BOOT_MS: u64 = 1_000;
/// Virtual time for the same: the longest wait is a week, then come a Retry-After of a day and a period of a day.
const CALM_MS: u64 = 10 * 86_400_000;
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
    snapshots: BTreeSet<u32>,
    calm: bool,
    check: Check,
    story: Option<VecDeque<String>>,
    finding: Option<String>,
}

fn factory_settings() -> AgentSettings {
    AgentSettings {
        url: HttpUrl::parse(url(0)).ok(),
        periodic_inform_interval: 3600,
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

    /// Everything works again: whatever is owed must be told, and then nothing may be written any more.
    fn calm(&mut self) {
        self.tell(|| "from now on everything works".to_owned());
        self.calm = true;
        self.mood = Mood::default();
        self.queue.retain(|_, happening| !matches!(happening, Happening::Stir));
        self.at(1, Happening::Stir);
        self.until_clean("what is owed", false);
        self.feed(Input::ConnectionRequest(Via::Http), None);
        let before = self.check.successes;
        self.until_clean("a connection request", true);
        if self.finding.is_none() && self.check.successes == before {
            self.found("no session follows a connection request".to_owned());
        }
        self.expect_nothing_left();
        if self.finding.is_none() && self.settings.periodic_inform_enable {
            self.periodic_sessions();
        }
    }

    fn until_clean(&mut self, what: &str, all: bool) {
        let deadline = self.now.mono.0 + CALM_MS;
        for _ in 0..CALM_STEPS {
            if self.finding.is_some() || (self.powered && self.is_clean(all)) {
                return;
            }
            if !self.step(deadline) {
                break;
            }
        }
        self.found(format!("{what} leads to no good session although everything works"));
    }

    /// Whether all that calls for a session by itself has been told; or `all`, including what only rides along.
    fn is_clean(&self, all: bool) -> bool {
        let busy = self.store.is_writing() || self.data.is_busy();
        !busy && self.check.is_clean() && !(all && self.data.unreported())
    }

    fn expect_nothing_left(&mut self) {
        if self.finding.is_some() {
            return;
        }
        let stored = &self.stored;
        let contacted = self.settings.url.as_ref().map(ToString::to_string);
        let nothing_owed = stored.reboots.is_empty() && stored.events.is_empty() && !stored.factory_reset;
        if !nothing_owed || stored.retry_count != 0 || stored.bootstrapped != contacted {
            let text = format!("after everything was told, this is stored: {stored:?}");
            self.found(text);
        } else if !self.snapshots.is_empty() {
            self.found(format!("snapshots {:?} are never released", self.snapshots));
        }
        let kept = |key: &&str| self.stored.schedules.iter().any(|call| call.command_key.as_str() == *key);
        let lost = self.check.waiting_schedules().find(|key| !kept(key)).map(str::to_owned);
        if let Some(lost) = lost {
            self.found(format!("ScheduleInform `{lost}` was promised and is not stored"));
        }
    }

    /// Two periodic sessions: on time, with that event alone, and without a write.
    fn periodic_sessions(&mut self) {
        let interval = u64::from(self.settings.periodic_inform_interval) * 1000;
        for _ in 0..2 {
            let (writes, successes) = (self.check.writes, self.check.successes);
            let deadline = self.now.mono.0 + interval + LATE_MS + 5_000;
            while self.finding.is_none() && !(self.check.successes > successes && self.is_clean(false)) {
                if !self.step(deadline) {
                    return self.found("no periodic session in its interval".to_owned());
                }
            }
            if self.finding.is_some() {
                return;
            }
            let events = self.check.last_inform().map(|inform| inform.events.clone()).unwrap_or_default();
            if !matches!(events.as_slice(), [one] if one.code == EventCode::Periodic) {
                return self.found(format!("a periodic session reports {events:?}"));
            }
            if self.check.writes != writes {
                return self.found("a periodic session that changes nothing writes".to_owned());
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
            Effect::OpenSession(_) => {
                self.sessions += 1;
                let acs = if self.calm { Acs::calm() } else { Acs::new(&mut self.dice, &self.mood) };
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
            Effect::SendDatagram(_) | Effect::Listen(_) | Effect::Trace(_) => {}
            Effect::StartJob(..) | Effect::CancelJob(_) | Effect::DiscardFile(_) | Effect::KeepImage => {}
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
        let data::Done { op, result, set, snapshot, gathered } = done;
        self.snapshots.extend(snapshot);
        if let Some(gathered) = gathered {
            self.check.gathered(gathered, self.box_time());
        }
        let mut settings = None;
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
            _ => return None,
        }
        self.settings = settings.clone();
        Some(Box::new(settings))
    }

    /// The power goes, or the program crashes. A write that is under way may have been finished, and nobody has been told.
    fn cut(&mut self) {
        if self.dice.below(2) == 0 {
            self.finish_writes();
        }
        let crash = self.dice.below(3) == 0;
        // The state names the boot that it was written in: before the first write of a boot, a crash looks like another boot.
        let cause = if crash && self.written_since_boot { BootCause::AgentRestart } else { BootCause::Boot };
        let what = if crash { "the program crashes" } else { "POWER CUT" };
        self.power_off(what, cause);
    }

    fn power_off(&mut self, what: &str, next: BootCause) {
        self.tell(|| what.to_owned());
        self.powered = false;
        self.agent = Agent::new();
        self.queue.clear();
        self.connection = None;
        self.store = Store::default();
        self.data.forget_work();
        self.snapshots.clear();
        let after = self.dice.between(10, 60_000);
        self.at(after, Happening::PowerUp(next));
        self.at(after + 1_000, Happening::Stir);
    }

    fn power_up(&mut self, cause: BootCause) {
        if cause == BootCause::Boot && self.dice.below(3) == 0 {
            self.now.wall = None;
        }
        if cause == BootCause::Boot {
            self.written_since_boot = false;
            let before = std::mem::replace(&mut self.uptime_from, self.now.mono.0.saturating_sub(BOOT_MS));
            self.check.clock_begins_anew(self.uptime_from - before, self.box_time());
        }
        self.powered = true;
        self.tell(|| format!("start after {cause:?}"));
        let mut state = self.stored.clone();
        if cause == BootCause::Boot {
            // What the program does: the state is then that of this boot, as soon as it is written.
            self.boots += 1;
            state.boot_id = self.boots.to_string();
        }
        let start = Start {
            device: DeviceId {
                manufacturer: "Example".to_owned(),
                oui: "00D09E".to_owned(),
                product_class: "Box".to_owned(),
                serial_number: "1".to_owned(),
            },
            settings: self.settings.clone(),
            state,
            cause,
            seed: self.dice.next(),
            abilities: Abilities { reboot: true, factory_reset: true, ..Abilities::default() },
            image: String::new(),
        };
        self.feed(Input::Started(Box::new(start)), None);
    }

    /// Something happens on the box, or somebody does something to it.
    fn stir(&mut self) {
        if self.calm {
            // What nobody has promised may still come, or not: only time tells.
            self.at(300_000, Happening::Stir);
            return if self.powered {
                self.wake()
            };
        }
        let after = self.dice.between(self.mood.stir_ms / 4, self.mood.stir_ms);
        self.at(after, Happening::Stir);
        match self.dice.below(20) {
            0..5 => self.feed(Input::ConnectionRequest(Via::Http), None),
            5..9 => {
                self.data.change();
                self.feed(Input::WatchedChanged, None);
            }
            9 => self.data.change(),
            10 | 11 => self.feed(Input::Command(LocalCommand::Inform), None),
            12 | 13 => self.feed(Input::Command(LocalCommand::AcsMethods), None),
            14 | 15 => self.step_clock(),
            16 => {
                let value = url(self.dice.below(3)).to_owned();
                let name = "Device.ManagementServer.URL".to_owned();
                if let Some(settings) = self.set(&ParameterValueStruct { name, value_type: None, value }) {
                    self.feed(Input::SettingsChanged(settings), None);
                }
            }
            17 if self.dice.below(3) == 0 => self.feed(Input::Command(LocalCommand::Reboot), None),
            18 if self.dice.below(6) == 0 => self.feed(Input::Command(LocalCommand::FactoryReset), None),
            // A wake-up that nobody has asked for does no harm.
            _ if self.powered => self.wake(),
            _ => {}
        }
    }

    fn step_clock(&mut self) {
        let years = i64::try_from(self.dice.below(41)).unwrap_or(0) - 20;
        let odd = i64::try_from(self.dice.below(86_400_000)).unwrap_or(0);
        let from = self.now.wall.map_or(1_700_000_000_000, |wall| wall.0);
        self.now.wall = Some(Wall(from + years * 31_556_952_000 + odd));
        self.tell(|| "the clock is set".to_owned());
        self.feed(Input::ClockStepped, None);
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

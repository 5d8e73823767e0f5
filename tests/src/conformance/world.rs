//! A box in virtual time: the real agent, data model, store and Linux backend, on files in a temporary folder. Missing are the
//! connection, the listener and the loop of the program, whose places this takes.

use std::{collections::VecDeque, fmt::Write as _, fs, path::Path, rc::Rc, time::Duration};

use cwmp_core::{
    agent::Agent,
    io::{Body, BootCause, DataOp, DataReply, Effect, Input, LocalCommand, NetError, Via},
    rpc::{ParameterKey, ParameterValueStruct},
    time::{Mono, Now, Wall},
};
use cwmp_datamodel::Origin;
use cwmp_platform_generic_linux::{GenericLinux, Options};
use cwmp_store::durable::RealFiles;
use cwmpd::workbench::{Workbench, Written};
use tempfile::TempDir;

use super::{
    ini,
    jobs::{self, Jobs},
    stage::{Act, Post, Reply, Seen, Stage},
};

/// The clock of every box at its first start: 2026-01-01T00:00:00Z.
const FIRST_DAY: i64 = 1_767_225_600;
/// How long a boot takes until the program runs.
const BOOT_MS: u64 = 20_000;
/// Where connection requests are taken while they are.
const DOOR: &str = "http://192.0.2.1:7547/door";
/// Parameters that change by themselves.
const RESTLESS: [&str; 2] = ["Device.Time.CurrentLocalTime", "Device.DeviceInfo.UpTime"];
/// Most wake-ups of the agent in one wait.
const WAKEUPS: usize = 100_000;

/// A box, its ACS's side of the connection, and virtual time.
pub struct World {
    folder: TempDir,
    agent: Agent,
    bench: Workbench,
    now: Now,
    seen: VecDeque<Seen>,
    reachable: bool,
    listening: bool,
    boots: u64,
    jobs: Jobs,
    /// The firmware that runs.
    image: String,
}

impl World {
    /// A box with these settings that boots for the first time.
    ///
    /// # Errors
    /// What keeps the agent from starting.
    pub async fn new(factory: &[(String, String, String)]) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let usual = [
            ("ManagementServer", "URL", "http://acs.example:7547/"),
            ("ManagementServer", "ConnectionRequestUsername", "acs"),
            ("ManagementServer", "ConnectionRequestPassword", "secret"),
            // Periodic sessions are for the cases that are about them.
            ("ManagementServer", "PeriodicInformEnable", "false"),
            ("DeviceInfo", "Manufacturer", "Example"),
            ("DeviceInfo", "ManufacturerOUI", "00D09E"),
            ("DeviceInfo", "ProductClass", "Box"),
            ("DeviceInfo", "SerialNumber", "1"),
        ];
        let text =
            ini(usual.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned())).iter().chain(factory));
        write(folder.path(), "factory.ini", &text)?;
        for (path, content) in ROOT {
            write(&folder.path().join("root"), path, content)?;
        }
        let wall = Some(Wall::from_seconds(FIRST_DAY));
        let now = Now { mono: Mono(BOOT_MS), wall };
        new_boot_id(folder.path(), 1)?;
        let bench = open(folder.path()).await?;
        let mut world = Self {
            folder,
            agent: Agent::new(),
            bench,
            now,
            seen: VecDeque::new(),
            reachable: true,
            listening: false,
            boots: 1,
            jobs: Jobs::default(),
            image: "1.0".to_owned(),
        };
        world.start().await?;
        Ok(world)
    }

    async fn start(&mut self) -> Result<(), String> {
        // Waits differ from boot to boot and are the same in every run of the case.
        self.bench.start.seed = 0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(self.boots);
        jobs::enable(&mut self.bench.start.abilities);
        self.bench.start.image.clone_from(&self.image);
        self.jobs.forget();
        self.agent = Agent::new();
        self.listening = false;
        let start = self.bench.start.clone();
        self.input(Input::Started(start)).await
    }

    async fn reopen(&mut self, boot: bool) -> Result<(), String> {
        if boot {
            self.boots += 1;
            new_boot_id(self.folder.path(), self.boots)?;
            self.now = Now {
                mono: Mono(BOOT_MS),
                wall: self.now.wall.map(|wall| Wall(wall.0 + BOOT_MS.cast_signed())),
            };
        }
        self.bench = open(self.folder.path()).await?;
        let expected = if boot { BootCause::Boot } else { BootCause::AgentRestart };
        if self.bench.start.cause != expected {
            return Err(format!("the program took its start for {:?}", self.bench.start.cause));
        }
        self.start().await
    }

    async fn input(&mut self, input: Input) -> Result<(), String> {
        self.agent.handle(input, self.now);
        self.run().await
    }

    /// Carries out effects and their consequences until there are none.
    async fn run(&mut self) -> Result<(), String> {
        loop {
            if let Some(effect) = self.agent.poll_effect() {
                self.perform(effect).await?;
            } else if let Some(settings) = self.bench.changed_settings() {
                self.agent.handle(Input::SettingsChanged(Box::new(settings)), self.now);
            } else {
                return Ok(());
            }
        }
    }

    async fn perform(&mut self, effect: Effect) -> Result<(), String> {
        match effect {
            Effect::Persist(ticket, state) => {
                let input = match self.bench.save(&state) {
                    Ok(()) => Input::Persisted(ticket),
                    Err(why) => Input::PersistFailed(ticket, why),
                };
                self.agent.handle(input, self.now);
            }
            Effect::OpenSession(target) => {
                self.seen.push_back(Seen::Connect);
                let input = match self.reachable {
                    true => Input::Connected,
                    false => Input::SessionLost(NetError::Connect(target.url.to_string())),
                };
                self.agent.handle(input, self.now);
            }
            Effect::Post(body) => {
                let body = match body {
                    Body::Empty => Vec::new(),
                    Body::Bytes(bytes) => bytes,
                    Body::Listing(listing) => {
                        bytes(&self.bench.written(listing).ok_or("the snapshot of an answer is gone")?)?
                    }
                };
                self.seen.push_back(Seen::Post(Post { head: None, body }));
            }
            Effect::SendDatagram(datagram) => self.seen.push_back(Seen::Datagram(datagram)),
            Effect::CloseSession => self.seen.push_back(Seen::Close),
            Effect::Data(id, op) => {
                let answer = self.bench.execute(op, Origin::Acs).await;
                self.pass_on();
                if let Ok(DataReply::Listing { snapshot, .. }) = &answer {
                    self.bench.keep(*snapshot);
                }
                self.agent.handle(Input::DataDone(id, answer), self.now);
            }
            Effect::ReleaseSnapshot(id) => self.bench.release(id),
            Effect::Listen(settings) => {
                self.listening = settings.is_some();
                let door = if self.listening { DOOR } else { "" };
                self.bench.set_connection_request_url(door.to_owned());
                self.watch().await;
            }
            Effect::StartJob(id, job) => {
                self.seen.push_back(Seen::Job((*job).clone()));
                self.jobs.start(id, *job);
            }
            Effect::CancelJob(id) => {
                self.seen.push_back(Seen::JobStopped);
                self.jobs.cancel(id);
            }
            Effect::ListenUdp(_)
            | Effect::ListenXmpp(_)
            | Effect::DiscardFile(_)
            | Effect::KeepImage
            | Effect::RenewDhcp => {}
            Effect::Reboot(_) => self.seen.push_back(Seen::Restart),
            Effect::FactoryReset => self.seen.push_back(Seen::FactoryReset),
            Effect::Trace(_) => {}
        }
        Ok(())
    }

    /// Looks whether a watched parameter has changed, as the program does every now and then.
    async fn watch(&mut self) {
        if self.bench.data().check_watched().await {
            self.agent.handle(Input::WatchedChanged, self.now);
        }
        if self.bench.data().check_lightweight().await {
            self.agent.handle(Input::LightweightChanged, self.now);
        }
    }

    async fn wait(&mut self, least: Duration, most: Option<Duration>) -> Result<(), String> {
        let from = self.now.mono;
        let end = from.after_ms(millis(most.unwrap_or(least)));
        for _ in 0..WAKEUPS {
            let wake = self.agent.next_wakeup().filter(|at| *at <= end);
            self.to(wake.unwrap_or(end)).await?;
            let passed = Duration::from_millis(self.now.mono.since(from));
            if let Some(seen) = self.seen.front() {
                return match passed < least {
                    true => Err(format!("after {passed:?} already: {}", super::play::shown(seen))),
                    false => Ok(()),
                };
            }
            if self.now.mono >= end && self.agent.next_wakeup().is_none_or(|at| at > end) {
                return match most {
                    None => Ok(()),
                    Some(most) => Err(format!("the agent has done nothing within {most:?}")),
                };
            }
        }
        Err("the agent wakes up again and again and does nothing".to_owned())
    }

    /// Lets time pass up to this moment.
    async fn to(&mut self, moment: Mono) -> Result<(), String> {
        let ms = moment.since(self.now.mono);
        self.now.mono = self.now.mono.after_ms(ms);
        self.now.wall = self.now.wall.map(|wall| Wall(wall.0 + ms.cast_signed()));
        self.agent.handle_time(self.now);
        self.run().await
    }

    /// What the agent hears of an operation before its answer.
    fn pass_on(&mut self) {
        while let Some(input) = self.bench.told() {
            self.agent.handle(input, self.now);
        }
    }

    async fn listing(&mut self, op: DataOp) -> Result<Vec<String>, String> {
        let reply = self.bench.execute(op, Origin::Local).await.map_err(|fault| fault.to_string())?;
        let DataReply::Listing { snapshot: id, .. } = reply else { return Err("no listing".to_owned()) };
        let snapshot = self.bench.data().snapshot(id).ok_or("the snapshot is gone")?;
        self.bench.data().release(id);
        let line = |entry: cwmp_datamodel::snapshot::Entry<'_>| {
            let (value, mut line) = (entry.text, [entry.object, entry.name].concat());
            let _ = write!(line, "={value}\t{}{}{:?}", entry.writable, entry.notification, entry.access_list);
            line
        };
        Ok(snapshot.entries().map(line).collect())
    }
}

impl Stage for World {
    async fn next(&mut self) -> Result<Option<Seen>, String> {
        Ok(self.seen.pop_front())
    }

    fn waiting(&self) -> Option<&Seen> {
        self.seen.front()
    }

    async fn reply(&mut self, reply: Reply) -> Result<(), String> {
        let Reply { status, retry_after, body, .. } = reply;
        self.input(Input::Reply(cwmp_core::io::Reply { status, retry_after, body })).await
    }

    async fn act(&mut self, act: &Act) -> Result<bool, String> {
        match act {
            Act::Wait(least, most) => self.wait(*least, *most).await?,
            Act::Clock(wall) => {
                self.now.wall = wall.map(Wall);
                self.input(Input::ClockStepped).await?;
            }
            Act::ClockBy(ms) => {
                self.now.wall = self.now.wall.map(|wall| Wall(wall.0 + ms));
                self.input(Input::ClockStepped).await?;
            }
            Act::Reachable(reachable) => self.reachable = *reachable,
            Act::Drop => self.input(Input::SessionLost(NetError::Broken("reset by peer".to_owned()))).await?,
            Act::Silence => self.input(Input::SessionLost(NetError::Timeout(60))).await?,
            Act::Set(name, value) => {
                let one = ParameterValueStruct { name: name.clone(), value_type: None, value: value.clone() };
                let op = DataOp::Set { parameters: vec![one], parameter_key: ParameterKey::default() };
                let done = self.bench.execute(op, Origin::Local).await;
                let taken = done.is_ok();
                self.pass_on();
                self.watch().await;
                self.run().await?;
                return Ok(taken);
            }
            Act::File { path, content, running } => {
                write(&self.folder.path().join("root"), path, content)?;
                if *running {
                    self.watch().await;
                }
                self.run().await?;
            }
            Act::Image(image) => self.image.clone_from(image),
            Act::JobEnds(words) => {
                let (id, result) = self.jobs.end(words)?;
                self.input(Input::JobDone(id, result)).await?;
            }
            Act::Tell(input) => self.input((**input).clone()).await?,
            Act::PowerCut | Act::Boots => {
                self.seen.clear();
                self.reopen(true).await?;
            }
            Act::AgentRestarts => {
                self.seen.clear();
                self.reopen(false).await?;
            }
            Act::Resets => {
                self.bench.forget(None).await?;
                self.reopen(false).await?;
            }
            Act::Reboot => self.input(Input::Command(LocalCommand::Reboot)).await?,
            Act::FactoryReset => self.input(Input::Command(LocalCommand::FactoryReset)).await?,
            Act::Inform => self.input(Input::Command(LocalCommand::Inform)).await?,
            Act::AcsMethods => self.input(Input::Command(LocalCommand::AcsMethods)).await?,
            Act::ConnectionRequest => {
                if !self.listening {
                    return Ok(false);
                }
                self.input(Input::ConnectionRequest(Via::Http)).await?;
            }
        }
        Ok(true)
    }

    async fn values(&mut self, paths: &[String]) -> Result<Vec<(String, String)>, String> {
        let lines = self.listing(DataOp::Values { names: paths.to_vec() }).await?;
        let pair = |line: &String| {
            let (name, rest) = line.split_once('=').unwrap_or((line, ""));
            let value = rest.rsplit_once('\t').map_or(rest, |(value, _)| value);
            (name.to_owned(), value.to_owned())
        };
        Ok(lines.iter().map(pair).collect())
    }

    async fn picture(&mut self) -> Result<String, String> {
        let mut lines = self.listing(DataOp::Names { path: String::new(), next_level: false }).await?;
        lines.extend(self.listing(DataOp::Attributes { names: vec![String::new()] }).await?);
        lines.retain(|line| !RESTLESS.iter().any(|name| line.starts_with(name)));
        Ok(lines.join("\n"))
    }

    fn log(&self) -> Result<String, String> {
        Err("the log is looked at on the wire only".to_owned())
    }

    fn disk(&self) -> Result<String, String> {
        let mut lines = Vec::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).map_err(|error| error.to_string())? {
                let entry = entry.map_err(|error| error.to_string())?;
                let facts = entry.metadata().map_err(|error| error.to_string())?;
                if facts.is_dir() {
                    folders.push(entry.path());
                } else {
                    use std::os::unix::fs::MetadataExt;
                    let (seconds, nanoseconds) = (facts.mtime(), facts.mtime_nsec());
                    lines.push(format!("{} {} {seconds}.{nanoseconds}", entry.path().display(), facts.ino()));
                }
            }
        }
        lines.sort_unstable();
        Ok(lines.join("\n"))
    }
}

async fn open(folder: &Path) -> Result<Workbench, String> {
    let options = Options {
        root: folder.join("root"),
        // Never started: the world restarts the box itself.
        factory_reset_command: Some(vec!["/bin/true".to_owned()]),
        trust_clock: true,
        ..Options::default()
    };
    let bench = Workbench::open(RealFiles::shared(), folder, |settings, numbers| {
        Rc::new(GenericLinux::new(options, settings, numbers))
    });
    bench.await.map_err(|problems| problems.join("; "))
}

fn bytes(written: &Written) -> Result<Vec<u8>, String> {
    let bytes: Vec<u8> = written.chunks().flat_map(|chunk| chunk.to_vec()).collect();
    // What Content-Length says must be what is sent.
    match u64::try_from(bytes.len()) {
        Ok(length) if length == written.length() => Ok(bytes),
        _ => Err(format!(
            "the message has {} bytes instead of the announced {}",
            bytes.len(),
            written.length()
        )),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn new_boot_id(folder: &Path, boot: u64) -> Result<(), String> {
    let id = format!("00000000-0000-4000-8000-{boot:012}\n");
    write(&folder.join("root"), "proc/sys/kernel/random/boot_id", &id)
}

fn write(folder: &Path, path: &str, content: &str) -> Result<(), String> {
    let path = folder.join(path);
    let parent = path.parent().ok_or("a file needs a folder")?;
    fs::create_dir_all(parent).and_then(|()| fs::write(&path, content)).map_err(|error| error.to_string())
}

/// The system's files of the box.
const ROOT: [(&str, &str); 6] = [
    ("etc/os-release", "PRETTY_NAME=\"Router OS 12\"\nVERSION_ID=12\nIMAGE_VERSION=1.0\n"),
    ("etc/TZ", "CET-1CEST,M3.5.0,M10.5.0/3\n"),
    ("proc/uptime", "93784.25 180000.00\n"),
    ("proc/meminfo", "MemTotal: 262144 kB\nMemFree: 131072 kB\nMemAvailable: 200000 kB\n"),
    ("proc/sys/kernel/hostname", "router\n"),
    ("sys/devices/system/cpu/online", "0-1\n"),
];

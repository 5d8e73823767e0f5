//! The real program, killed at random moments: the second proof beside the simulated disk.
//!
//! A development ACS gives a box in a sandbox work in each of its lives: it compares the tree with its book, then makes some
//! calls of the kinds that the simulated scenarios have. Each life ends with SIGKILL after a random time, whatever is on. A
//! last life goes on until everything owed is told. What both sides have said is held against the same book; and in the end
//! all state files are whole and for their owner alone.
//!
//! The kernel stays, so nothing that was written is lost: this is about moments, the simulated disk is about storage.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    time::{Duration, Instant},
};

use cwmp_acs::{AcsOptions, Direction, FileOptions, PendingCall, SessionReport};
use cwmp_core::{
    rpc::{CpeRequest, ToAcs},
    soap,
};
use tempfile::TempDir;

use super::{
    book::{Book, Truth},
    calls,
    expected::{CODE, Expected, INTERVAL, USER},
    observer::Observer,
    plan::{File, Step},
};
use crate::{
    Scene,
    sandbox::known,
    scene::{PATIENCE, acs_options},
    simulate::dice::Dice,
};

/// Longest life but the last, in milliseconds.
const LIFE_MS: u64 = 400;
/// Most of that after the Inform, where the end is to fall into a session.
const SESSION_MS: u64 = 30;
/// How long the last life may take to tell what is owed.
const LAST_LIFE: Duration = Duration::from_secs(60);
/// Ends of the protocol process alone in one life of the box process.
const REVIVALS: usize = 2;
/// Rows of the table that the calls work on.
const ROWS: u32 = 20;
/// What an image of the sandbox begins with; the version follows.
const IMAGE: &str = "cwmpd-sandbox-firmware ";
/// Bytes behind the first line of an image, so that there is something to transfer.
const IMAGE_BYTES: usize = 300_000;
const SOFTWARE_VERSION: &str = "Device.DeviceInfo.SoftwareVersion";
/// PeriodicInformInterval of the sandbox, in seconds.
const PERIOD: &str = "1";

/// What came of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lives {
    /// Sessions that the ACS has seen.
    pub sessions: usize,
    /// Of those, the ones that ended in their midst.
    pub broken: usize,
    /// Calls that promise something and were answered.
    pub promises: usize,
    /// Ends of the protocol process alone.
    pub protocol_ends: usize,
}

/// Kills the program so many times. Where it is `two` processes, each end is that of one of them: of the box process, with
/// which the other ends, or of the protocol process, after which the box process starts it again.
///
/// # Errors
/// The promise that was broken, in which life, with the end of the log.
pub async fn run(seed: u64, kills: usize, two: bool) -> Result<Lives, String> {
    let mut stage = Stage::new(seed, two).await?;
    for life in 0..kills {
        stage.live().await.map_err(|finding| stage.told(life, &finding))?;
    }
    stage.last_life().await.map_err(|finding| stage.told(kills, &finding))?;
    stage.look_at_files().map_err(|finding| stage.told(kills, &finding))?;
    stage.lives.promises = stage.book.answered;
    Ok(stage.lives)
}

struct Stage {
    scene: Scene,
    files: TempDir,
    dice: Dice,
    book: Book,
    number: usize,
    /// Informs that the ACS has answered; each opens a session.
    informs: usize,
    lives: Lives,
    two: bool,
    /// The protocol process alone has been killed so many times without an end of the box process. Until the next life
    /// begins, that stands still.
    revivals: usize,
}

impl Stage {
    async fn new(seed: u64, two: bool) -> Result<Self, String> {
        let files = tempfile::tempdir().map_err(|error| error.to_string())?;
        let options = AcsOptions { files: Some(FileOptions::folder(files.path())), ..acs_options() };
        let period = |sandbox: crate::Sandbox| {
            let sandbox = if two { sandbox.in_two_processes() } else { sandbox };
            sandbox.with("ManagementServer", "PeriodicInformInterval", PERIOD).with(
                "cwmpd",
                "log_level",
                "info",
            )
        };
        let scene = Scene::new(options, period).await;
        let factory = Expected::factory(&scene.acs.url(), PERIOD, known::CR_USERNAME);
        let mut book = Book::new(factory);
        (book.disturbed, book.boots_unseen) = (true, true);
        let (dice, lives) = (Dice::new(seed), Lives::default());
        Ok(Self { scene, files, dice, book, number: 0, informs: 0, lives, two, revivals: 0 })
    }

    /// One life, from the start to SIGKILL.
    async fn live(&mut self) -> Result<(), String> {
        let calls = self.work();
        self.start()?;
        // Half of the lives end in a session or soon after it, the others at any time.
        let most = match self.dice.below(2) {
            0 => LIFE_MS,
            _ => {
                let informed = self.scene.acs.next_inform(known::CPE, PATIENCE).await;
                informed.map_err(|error| format!("the box does not come: {error}"))?;
                self.informs += 1;
                SESSION_MS
            }
        };
        tokio::time::sleep(Duration::from_millis(self.dice.below(most))).await;
        self.end()?;
        // What has not been called is withdrawn.
        drop(calls);
        self.all_sessions_ended().await?;
        self.take_down()
    }

    fn start(&mut self) -> Result<(), String> {
        match &self.scene.agent {
            Some(agent) => crate::Cwmpd::signal(agent.pid(), "CONT")?,
            None => self.scene.switch_on(),
        }
        self.book.booted();
        Ok(())
    }

    /// Kills one of the processes.
    fn end(&mut self) -> Result<(), String> {
        let agent = self.scene.agent();
        // Each start takes longer than the one before it, while the box process lives.
        let wanted = self.two && self.revivals < REVIVALS && self.dice.below(2) == 0;
        if wanted {
            // It may be about to start again by itself: stopped, it keeps the process that is to be killed, dead or alive. What it
            // makes of that belongs to the next life.
            agent.freeze(PATIENCE)?;
        }
        let Some(protocol) = agent.protocol_pid().filter(|_| wanted) else {
            self.scene.cut_power();
            self.revivals = 0;
            return Ok(());
        };
        crate::Cwmpd::signal(protocol, "KILL")?;
        self.revivals += 1;
        self.lives.protocol_ends += 1;
        Ok(())
    }

    /// What the ACS wants of the next life.
    fn work(&mut self) -> Vec<PendingCall> {
        let mut requests: Vec<CpeRequest> = calls::readings().into();
        for _ in 0..self.dice.between(0, 6) {
            let step = self.step();
            self.number += 1;
            let files = self.scene.acs.file_url("");
            requests.extend(calls::call(&step, self.number, self.book.tree(), &files));
            self.serve(&step);
            if step == Step::FactoryReset {
                break;
            }
        }
        requests.into_iter().map(|request| self.scene.acs.call(known::CPE, request)).collect()
    }

    fn step(&mut self) -> Step {
        let rows = self.book.tree().newest_row().unwrap_or(0);
        let number = self.number.to_string();
        match self.dice.below(28) {
            0..4 => Step::Set(vec![
                (INTERVAL, self.dice.between(1, 3).to_string()),
                (USER, number.clone()),
                (CODE, number),
            ]),
            4..7 => Step::Notify(USER, i32::try_from(self.dice.below(3)).unwrap_or(0)),
            7 | 8 => Step::Notify(INTERVAL, i32::try_from(self.dice.below(3)).unwrap_or(0)),
            9..12 if rows < ROWS => Step::AddRow,
            12 => Step::SetRow,
            13 => Step::DeleteRow,
            14..17 => Step::ScheduleInform(1),
            17 | 18 => Step::Reboot,
            19 | 20 => Step::Download(File::Configuration),
            21 | 22 => Step::Download(File::Firmware { boots: true }),
            23 => Step::Download(File::Firmware { boots: false }),
            24 => Step::Download(File::Missing),
            25 => Step::ScheduleDownload(1),
            26 => Step::FactoryReset,
            _ => Step::Upload,
        }
    }

    /// Puts the file of a step where the box fetches it.
    fn serve(&self, step: &Step) {
        let key = calls::key(self.number);
        let (file, content) = match step {
            Step::Download(File::Firmware { boots: true }) => {
                (File::Firmware { boots: true }, format!("{IMAGE}{key}\n{}", "x".repeat(IMAGE_BYTES)))
            }
            Step::Download(File::Firmware { boots: false }) => {
                (File::Firmware { boots: false }, "no image at all".to_owned())
            }
            Step::Download(File::Configuration) | Step::ScheduleDownload(_) => {
                (File::Configuration, format!("key={key}\n"))
            }
            _ => return,
        };
        // That it is missing would show as a fault of the transfer.
        let _ = fs::write(self.files.path().join(format!("{key}.{}", file.extension())), content);
    }

    /// Waits until the ACS has noticed the end of everything that the dead program had begun.
    async fn all_sessions_ended(&mut self) -> Result<(), String> {
        // The ACS takes connections in their order: once it has answered this one, it has taken all of those.
        let probe = cwmp_acs::connection_request::send(&self.scene.acs.file_url("none"), None).await;
        probe.map_err(|error| format!("the ACS does not answer: {error}"))?;
        loop {
            while self.scene.acs.next_inform(known::CPE, Duration::ZERO).await.is_ok() {
                self.informs += 1;
            }
            if self.informs <= self.lives.sessions {
                return Ok(());
            }
            let ended = self.scene.acs.wait_session(PATIENCE, |_| true).await;
            let report = ended.map_err(|error| format!("a session has no end: {error}"))?;
            self.hear(&report)?;
        }
    }

    /// What was found so far.
    fn take_down(&mut self) -> Result<(), String> {
        self.book.finding.take().map_or(Ok(()), Err)
    }

    /// Goes through what was said in a session.
    fn hear(&mut self, report: &SessionReport) -> Result<(), String> {
        self.lives.sessions += 1;
        self.lives.broken += usize::from(!report.is_clean());
        for (number, name) in self.uploaded() {
            if fs::metadata(self.files.path().join(name)).is_ok() {
                self.book.uploads.insert(number);
            }
        }
        let mut observer = Observer::new(self.scene.acs.url());
        for message in &report.messages {
            if message.direction == Direction::ToCpe {
                if let Ok(envelope) = soap::decode_to_cpe(&message.body) {
                    observer.acs_says(&envelope.message, &mut self.book);
                }
                continue;
            }
            let said: Option<ToAcs> = match soap::decode_to_acs(&message.body) {
                Ok(envelope) => Some(envelope.message),
                Err(_) if message.body.is_empty() => None,
                Err(error) => return Err(format!("the box sends nonsense: {error}")),
            };
            let truth = self.truth(said.as_ref(), &observer);
            observer.box_says(said.as_ref(), &mut self.book, &truth);
        }
        Ok(())
    }

    /// Uploads that were called, with the names of their files.
    fn uploaded(&self) -> Vec<(String, String)> {
        let keys = self.book.promises.iter().map(|promise| promise.key.clone());
        keys.map(|key| (key.clone(), format!("{key}.{}", File::Configuration.extension()))).collect()
    }

    /// What is true of the box when it says this: its Inform tells which firmware runs.
    fn truth(&self, said: Option<&ToAcs>, observer: &Observer) -> Truth {
        use cwmp_core::rpc::AcsRequest;
        let inform = match said {
            Some(ToAcs::Request(AcsRequest::Inform(inform))) => Some(inform),
            _ => observer.inform(),
        };
        let parameters = inform.into_iter().flat_map(|inform| &inform.parameters);
        let version = parameters.filter(|parameter| parameter.name == SOFTWARE_VERSION);
        let runs = version.map(|parameter| parameter.value.clone()).next().unwrap_or_default();
        let configuration = fs::read_to_string(self.scene.folder().join("box/platform.conf"));
        let in_force = configuration.ok().and_then(|text| Some(text.strip_prefix("key=")?.trim().to_owned()));
        // The file was looked at after the session: it may come from a later call of the same life.
        let called = |key: &String| self.book.promises.iter().any(|promise| promise.key == *key);
        let in_force = in_force.filter(called);
        Truth { runs, in_force, units: None }
    }

    /// Nothing kills it any more: all that is owed must be told, and the tree must be right.
    async fn last_life(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + LAST_LIFE;
        self.start()?;
        loop {
            let readings = calls::readings();
            let calls: Vec<_> =
                readings.into_iter().map(|request| self.scene.acs.call(known::CPE, request)).collect();
            for call in calls {
                let answer = tokio::time::timeout(PATIENCE, call).await;
                answer.map_err(|_| "the box does not come any more")?.ok();
            }
            let ended = self.scene.acs.wait_session(PATIENCE, |_| true).await;
            let report = ended.map_err(|error| format!("no session ends: {error}"))?;
            self.hear(&report)?;
            self.take_down()?;
            if !self.book.owes() && !self.book.is_unsettled() {
                break;
            }
            if Instant::now() > deadline {
                return Err(format!("what is owed is never told: {}", self.book.debts()));
            }
        }
        self.scene.cut_power();
        Ok(())
    }

    /// No file was damaged, and those with secrets are for their owner alone.
    fn look_at_files(&self) -> Result<(), String> {
        let folder = self.scene.folder();
        for dir in [folder.to_owned(), folder.join("state")] {
            for entry in fs::read_dir(&dir).map_err(|error| error.to_string())? {
                let path = entry.map_err(|error| error.to_string())?.path();
                look_at(&path)?;
            }
        }
        if self.scene.log().contains("panicked") {
            Err("the program has panicked".to_owned())
        } else {
            Ok(())
        }
    }

    fn told(&self, life: usize, finding: &str) -> String {
        let log = self.scene.log();
        let from = log.lines().count().saturating_sub(40);
        let end: Vec<&str> = log.lines().skip(from).collect();
        format!("life {life}: {finding}\n{}", end.join("\n"))
    }
}

fn look_at(path: &Path) -> Result<(), String> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if name.contains("damaged") {
        return Err(format!("{} counts as damaged", path.display()));
    }
    let secret = name.starts_with("user.ini") || path.parent().is_some_and(|dir| dir.ends_with("state"));
    let mode = fs::metadata(path).map_err(|error| error.to_string())?.permissions().mode() & 0o777;
    if secret && mode != 0o600 {
        return Err(format!("{} has the mode {mode:o}", path.display()));
    }
    Ok(())
}

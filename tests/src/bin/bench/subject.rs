//! One agent under measurement, with an ACS of its own.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, BufRead, BufReader, Write},
    os::unix::{fs::MetadataExt, net::UnixStream},
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant, SystemTime},
};

use cwmp_acs::{Acs, AcsOptions, Direction, Message, SessionReport};
use cwmp_core::rpc::{CpeRequest, CpeResponse, GetParameterValues};
use cwmpd_tests::{
    Cwmpd, Sandbox,
    sandbox::known,
    usage::{Memory, Usage, written_bytes},
};

const PATIENCE: Duration = Duration::from_secs(30);
/// Two readings of the processor time this far apart that agree: the agent has nothing left to do.
const QUIET: Duration = Duration::from_millis(2);
/// By then a thread that nobody needs has ended.
const IDLE_THREADS_END: Duration = Duration::from_secs(3);
/// The table whose rows make a box large.
pub(crate) const TABLE: &str = "Device.ManagementServer.InformParameter.";

/// A table that a vendor's mapping file fills, from a file for each row.
pub(crate) const MAPPED: &str = "Device.QoS.Classification.";
/// What each of its files says. With the Alias, which the tree adds, a row has twenty parameters.
const LINES: [(&str, &str, &str); 19] = [
    ("Enable", "bool", "1"),
    ("Status", "trim", "Enabled"),
    ("AllInterfaces", "bool", "0"),
    ("IPVersion", "number", "4"),
    ("DestIP", "ip", "203.0.113.17"),
    ("DestMask", "trim", "203.0.113.0/24"),
    ("DestIPExclude", "bool", "0"),
    ("SourceIP", "ip", "198.51.100.129"),
    ("SourceMask", "trim", "198.51.100.128/25"),
    ("SourceIPExclude", "bool", "0"),
    ("Protocol", "number", "6"),
    ("DestPort", "number", "8443"),
    ("DestPortRangeMax", "number", "8447"),
    ("SourcePort", "number", "1024"),
    ("SourcePortRangeMax", "number", "65535"),
    ("SourceMACAddress", "mac", "02:00:5e:10:00:01"),
    ("DestMACAddress", "mac", "02:00:5e:10:00:02"),
    ("SourceVendorClassID", "trim", "Example STB 4000"),
    ("DestVendorClassID", "trim", "Example Media Gateway"),
];

/// What makes a box large.
#[derive(Clone, Copy)]
pub(crate) enum Load {
    /// Nothing does.
    None,
    /// Rows of [`TABLE`], four parameters each.
    Inform(u32),
    /// Rows of [`MAPPED`], twenty parameters each.
    Mapped(u32),
}

/// A box with the program running on it.
pub(crate) struct Subject {
    acs: Acs,
    agent: Cwmpd,
    sandbox: Sandbox,
}

/// From the start of the program to the end of its first session.
pub(crate) struct Start {
    /// Until the ACS has answered the last POST.
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
    /// After it.
    pub(crate) idle: Memory,
    pub(crate) threads: u64,
}

/// One session.
pub(crate) struct Session {
    /// All that the agent has computed because of it, the order on the control socket included.
    pub(crate) cpu: Duration,
    /// From the order on the control socket to the ACS's last answer: the agent collects the Inform, connects and talks.
    pub(crate) since_order: Duration,
    /// From the arrival of the Inform to the ACS's last answer.
    pub(crate) since_inform: Duration,
}

/// What an answer to GetParameterValues was.
pub(crate) struct Answer {
    pub(crate) parameters: usize,
    /// From the request on its way to the answer complete.
    pub(crate) time: Duration,
    /// Of the whole envelope.
    pub(crate) bytes: usize,
    /// Of the values alone.
    pub(crate) value_bytes: usize,
}

impl Subject {
    /// A new box in this folder, with this load, through its first session.
    pub(crate) async fn start(program: &Path, folder: &Path, load: Load) -> Result<(Self, Start), String> {
        let text = |error: io::Error| format!("{}: {error}", folder.display());
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(text)?;
        }
        fs::create_dir_all(folder).map_err(text)?;
        let options = AcsOptions { session_timeout: PATIENCE, ..AcsOptions::default() };
        let acs = Acs::start(options).await.map_err(|error| format!("the ACS: {error}"))?;
        let mut sandbox = Sandbox::new(folder, &acs.url()).with("cwmpd", "log_level", "info").with(
            "ManagementServer",
            "PeriodicInformInterval",
            "86400",
        );
        if let Load::Mapped(rows) = load {
            map(folder, rows).map_err(text)?;
        }
        let rows = if let Load::Inform(rows) = load { rows } else { 0 };
        for row in 1..=rows {
            let section = format!("ManagementServer.InformParameter.{row}");
            sandbox = sandbox
                .with(&section, "Enable", "false")
                .with(&section, "ParameterName", "Device.DeviceInfo.MemoryStatus.Free")
                .with(&section, "EventList", "2 PERIODIC");
        }
        sandbox.write().map_err(text)?;
        let began = SystemTime::now();
        // The log goes nowhere: written into a file it would count as wear of the flash.
        let agent = Cwmpd::start_program(program, &sandbox, Stdio::null())?;
        let subject = Self { acs, agent, sandbox };
        let report = subject.ended().await?;
        let usage = subject.quiet().await?;
        let threads = subject.threads_at_rest().await?;
        let idle = Memory::of(subject.agent.pid()).map_err(gone)?;
        let wall = between(began, end(&report)?);
        Ok((subject, Start { wall, cpu: usage.cpu, idle, threads }))
    }

    /// A session in which the ACS wants nothing.
    pub(crate) async fn session(&self) -> Result<Session, String> {
        self.held().await.map(|(session, _)| session)
    }

    /// A session in which the ACS reads these parameters.
    pub(crate) async fn read(&self, names: &[&str]) -> Result<(Session, Answer), String> {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let request = CpeRequest::GetParameterValues(GetParameterValues { names });
        let pending = self.acs.call(known::CPE, request);
        let (session, report) = self.held().await?;
        let CpeResponse::GetParameterValues(values) = pending.await.map_err(|error| error.to_string())?
        else {
            return Err("another answer than that to GetParameterValues".to_owned());
        };
        let find = |direction, method: &str| {
            let fits = |message: &&Message| message.direction == direction && message.method == method;
            report.messages.iter().find(fits).ok_or_else(|| format!("no {method} in the session"))
        };
        let request = find(Direction::ToCpe, "GetParameterValues")?;
        let answer = find(Direction::FromCpe, "GetParameterValuesResponse")?;
        let answer = Answer {
            parameters: values.len(),
            time: between(request.time, answer.time),
            bytes: answer.body.len(),
            value_bytes: values.iter().map(|value| value.value.len()).sum(),
        };
        Ok((session, answer))
    }

    /// The same, with the memory that it took: what was resident before, and the peak, in KiB.
    pub(crate) async fn read_watched(&self, names: &[&str]) -> Result<(Session, Answer, [u64; 2]), String> {
        let before = self.quiet().await?;
        Usage::reset_peak(self.agent.pid()).map_err(gone)?;
        let (session, answer) = self.read(names).await?;
        let after = self.agent.usage().map_err(gone)?;
        Ok((session, answer, [before.rss_kib, after.peak_rss_kib]))
    }

    /// What is on the box's storage, so that a write of any kind shows: each file's and folder's inode, size and times,
    /// and the bytes that the kernel has seen the agent write to storage anywhere.
    pub(crate) fn storage(&self) -> Result<Storage, String> {
        let mut storage =
            Storage { written: written_bytes(self.agent.pid()).map_err(gone)?, ..Storage::default() };
        let folder = self.sandbox.folder();
        storage.add(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(storage)
    }

    pub(crate) fn stop(self) -> Result<(), String> {
        let violations = self.acs.violations();
        if !violations.is_empty() {
            return Err(format!("the agent broke rules: {violations:?}"));
        }
        self.agent.stop(PATIENCE).map(|_| ())
    }

    async fn held(&self) -> Result<(Session, SessionReport), String> {
        let before = self.quiet().await?;
        let ordered = SystemTime::now();
        let socket = self.sandbox.socket();
        let order = tokio::task::spawn_blocking(move || order_inform(&socket)).await;
        order.map_err(|error| error.to_string())??;
        let report = self.ended().await?;
        let after = self.quiet().await?;
        let end = end(&report)?;
        let inform = report.messages.first().map_or(end, |message| message.time);
        let session = Session {
            cpu: after.cpu.saturating_sub(before.cpu),
            since_order: between(ordered, end),
            since_inform: between(inform, end),
        };
        Ok((session, report))
    }

    /// The next session, which must have ended as the standard wants.
    async fn ended(&self) -> Result<SessionReport, String> {
        let report = self.acs.wait_session(PATIENCE, |_| true).await.map_err(|error| error.to_string())?;
        if report.is_clean() { Ok(report) } else { Err(format!("a session ended as {:?}", report.ending)) }
    }

    /// Threads that stay: the one for blocking calls ends when it has had nothing to do for a second.
    async fn threads_at_rest(&self) -> Result<u64, String> {
        let deadline = Instant::now() + IDLE_THREADS_END;
        loop {
            let threads = self.agent.usage().map_err(gone)?.threads;
            if threads <= 1 || Instant::now() > deadline {
                return Ok(threads);
            }
            tokio::time::sleep(QUIET).await;
        }
    }

    /// Waits until the agent has nothing left to do.
    async fn quiet(&self) -> Result<Usage, String> {
        let deadline = Instant::now() + PATIENCE;
        let mut last = self.agent.usage().map_err(gone)?;
        while Instant::now() < deadline {
            tokio::time::sleep(QUIET).await;
            let now = self.agent.usage().map_err(gone)?;
            if now.asleep && now.cpu == last.cpu {
                return Ok(now);
            }
            last = now;
        }
        Err("the agent never comes to rest".to_owned())
    }
}

/// See [`Subject::storage`].
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Storage {
    written: u64,
    files: BTreeMap<PathBuf, [i64; 6]>,
}

impl Storage {
    fn add(&mut self, path: &Path) -> io::Result<()> {
        let facts = fs::symlink_metadata(path)?;
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let seen = [
            number(facts.ino()),
            number(facts.size()),
            facts.mtime(),
            facts.mtime_nsec(),
            facts.ctime(),
            facts.ctime_nsec(),
        ];
        self.files.insert(path.to_owned(), seen);
        if facts.is_dir() {
            for entry in fs::read_dir(path)? {
                self.add(&entry?.path())?;
            }
        }
        Ok(())
    }

    /// Bytes that the kernel counted since then.
    pub(crate) fn written_since(&self, then: &Self) -> u64 {
        self.written.saturating_sub(then.written)
    }

    /// Files and folders that are new, gone or not as they were.
    pub(crate) fn touched_since(&self, then: &Self) -> Vec<String> {
        let all = self.files.keys().chain(then.files.keys());
        let touched = all.filter(|path| self.files.get(*path) != then.files.get(*path));
        touched
            .map(|path| path.display().to_string())
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect()
    }
}

/// Writes the mapping file and the files that its rows come from.
fn map(folder: &Path, rows: u32) -> io::Result<()> {
    let (files, maps) = (folder.join("rows"), folder.join("datamodel.d"));
    fs::create_dir_all(&files)?;
    fs::create_dir_all(&maps)?;
    let content: String = LINES.iter().map(|(name, _, value)| format!("{name}={value}\n")).collect();
    for row in 0..rows {
        fs::write(files.join(format!("{row:04}")), &content)?;
    }
    let files = files.display();
    let lines = LINES.iter().map(|(name, conversion, _)| {
        format!("{name} = file(\"{files}/{{key}}\") | key({name}) | {conversion}\n")
    });
    let map = format!("[{MAPPED}{{i}}.]  rows = entries(\"{files}\")\n{}", lines.collect::<String>());
    fs::write(maps.join("bench.map"), map)
}

/// Tells the agent on its control socket to hold a session.
fn order_inform(socket: &Path) -> Result<(), String> {
    let text = |error: io::Error| format!("{}: {error}", socket.display());
    let mut stream = UnixStream::connect(socket).map_err(text)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(text)?;
    stream.write_all(b"{\"request\":\"inform\"}\n").map_err(text)?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).map_err(text)?;
    if answer.contains("\"done\"") { Ok(()) } else { Err(format!("{}: {answer}", socket.display())) }
}

fn end(report: &SessionReport) -> Result<SystemTime, String> {
    report.messages.last().map(|message| message.time).ok_or_else(|| "an empty session".to_owned())
}

fn between(from: SystemTime, to: SystemTime) -> Duration {
    to.duration_since(from).unwrap_or_default()
}

fn gone(error: io::Error) -> String {
    format!("the agent: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_replaced_by_an_equal_one_is_touched() {
        let folder = tempfile::tempdir().unwrap();
        let (file, twin) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&file, "same").unwrap();
        let look = || {
            let mut storage = Storage::default();
            storage.add(folder.path()).unwrap();
            storage
        };
        let before = look();
        assert_eq!(look().touched_since(&before), Vec::<String>::new());
        fs::write(&twin, "same").unwrap();
        fs::rename(&twin, &file).unwrap();
        assert!(look().touched_since(&before).contains(&file.display().to_string()));
    }
}

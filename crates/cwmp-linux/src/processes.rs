//! Device.DeviceInfo.ProcessStatus: processor load and the table of processes.

use std::cell::Cell;

use async_trait::async_trait;
use cwmp_platform::source::{
    Access::ReadOnly, ObjectKind, ParameterSink, ParameterSource, SourceError, Wanted,
};
use nix::unistd::{SysconfVar, sysconf};

use crate::files::{Root, clean};

const PROCESS_STATUS: &str = "Device.DeviceInfo.ProcessStatus.";
const PROCESS: &str = "Device.DeviceInfo.ProcessStatus.Process.{i}.";
/// Most rows of the table; processes with higher numbers are left out.
const PROCESSES: usize = 1024;
/// Shortest stretch, in clock ticks of all processors together, over which a load is worth saying.
const LOAD_TICKS: u64 = 10;

/// Answers for the processes. An instance is numbered by its process id: stable while the process lives.
pub struct Processes {
    root: Root,
    sample: Cell<Sample>,
    load: Cell<u64>,
}

/// Clock ticks since the boot.
#[derive(Clone, Copy, Default)]
struct Sample {
    total: u64,
    idle: u64,
}

impl Processes {
    /// The load is counted from here on.
    #[must_use]
    pub fn new(root: Root) -> Self {
        let processes = Self { root, sample: Cell::default(), load: Cell::new(0) };
        processes.cpu_usage();
        processes
    }

    /// Percent of the time since the last reading in which the processors were not idle.
    fn cpu_usage(&self) -> u64 {
        let (before, now) = (self.sample.get(), sample(&self.root).unwrap_or_default());
        let total = now.total.saturating_sub(before.total);
        if total >= LOAD_TICKS {
            let busy = total.saturating_sub(now.idle.saturating_sub(before.idle));
            self.load.set((busy.saturating_mul(100) / total).min(100));
            self.sample.set(now);
        }
        self.load.get()
    }
}

/// The first line of /proc/stat: user nice system idle iowait irq softirq steal; guest time is part of user time.
fn sample(root: &Root) -> Option<Sample> {
    let text = root.text("proc/stat")?;
    let line = text.lines().next()?.strip_prefix("cpu ")?;
    let mut sample = Sample::default();
    for (place, ticks) in line.split_ascii_whitespace().take(8).enumerate() {
        let ticks = ticks.parse::<u64>().ok()?;
        sample.total = sample.total.saturating_add(ticks);
        if place == 3 || place == 4 {
            sample.idle = sample.idle.saturating_add(ticks);
        }
    }
    Some(sample)
}

#[async_trait(?Send)]
impl ParameterSource for Processes {
    fn name(&self) -> &'static str {
        "linux-processes"
    }

    fn objects(&self) -> &[&'static str] {
        &[PROCESS_STATUS, PROCESS]
    }

    async fn read(&self, wanted: &Wanted<'_>, out: &mut dyn ParameterSink) -> Result<(), SourceError> {
        if !wanted.touches(PROCESS_STATUS) {
            return Ok(());
        }
        out.object(PROCESS_STATUS, ObjectKind::Single);
        out.parameter("CPUUsage", &self.cpu_usage(), ReadOnly);
        if !wanted.touches(PROCESS) {
            return Ok(());
        }
        out.object("Device.DeviceInfo.ProcessStatus.Process.", ObjectKind::Table { addable: false });
        let root = &self.root;
        let mut pids = pids(root);
        if pids.len() > PROCESSES {
            tracing::debug!("{} processes: the first {PROCESSES} are reported", pids.len());
            pids.truncate(PROCESSES);
        }
        let units = Units::of_system();
        for pid in pids {
            let row = format!("Device.DeviceInfo.ProcessStatus.Process.{pid}.");
            if !wanted.touches(&row) {
                continue;
            }
            // A process may be gone by now.
            let Some(text) = root.text(&format!("proc/{pid}/stat")) else { continue };
            let Some(process) = Process::parse(&text, &units) else { continue };
            out.object(&row, ObjectKind::Instance { deletable: false });
            out.parameter("PID", &pid, ReadOnly);
            out.parameter("Command", &process.command, ReadOnly);
            out.parameter("Size", &process.size, ReadOnly);
            out.parameter("Priority", &process.priority, ReadOnly);
            out.parameter("CPUTime", &process.cpu_time, ReadOnly);
            out.parameter("State", &process.state, ReadOnly);
        }
        Ok(())
    }
}

/// The numbers of all processes, ascending.
#[must_use]
pub fn pids(root: &Root) -> Vec<u32> {
    let mut pids: Vec<u32> =
        root.names("proc").iter().filter_map(|name| name.parse().ok()).filter(|n| *n > 0).collect();
    pids.sort_unstable();
    pids
}

/// What the kernel counts in.
struct Units {
    ticks_per_second: u64,
    page_bytes: u64,
}

impl Units {
    fn of_system() -> Self {
        let value = |name, usual| match sysconf(name) {
            Ok(Some(value)) => u64::try_from(value).ok().filter(|value| *value > 0).unwrap_or(usual),
            _ => usual,
        };
        Self {
            ticks_per_second: value(SysconfVar::CLK_TCK, 100),
            page_bytes: value(SysconfVar::PAGE_SIZE, 4096),
        }
    }
}

/// A row of the table.
#[derive(Debug, PartialEq, Eq)]
struct Process {
    /// The name that the kernel knows. Not the arguments: they may hold passwords.
    command: String,
    /// Resident memory, in KiB.
    size: u32,
    /// 0 is highest. Linux counts ordinary processes from 0 to 39 and real-time ones below 0, which are all 0 here.
    priority: i64,
    /// Milliseconds in user and kernel mode.
    cpu_time: u32,
    state: &'static str,
}

impl Process {
    /// From /proc/PID/stat (proc_pid_stat(5)); the name in it may hold anything, parentheses and spaces included.
    fn parse(text: &str, units: &Units) -> Option<Self> {
        let (head, tail) = text.rsplit_once(')')?;
        let (_, command) = head.split_once('(')?;
        let fields: Vec<&str> = tail.split_ascii_whitespace().take(22).collect();
        // The state is field 3 of the manual page.
        let field = |number: usize| fields.get(number - 3).copied();
        let count = |number: usize| field(number)?.parse::<u64>().ok();
        let ticks = count(14)?.saturating_add(count(15)?);
        let size = count(24)?.saturating_mul(units.page_bytes) / 1024;
        let cpu_time = ticks.saturating_mul(1000) / units.ticks_per_second;
        Some(Self {
            command: clean(command, 256),
            size: u32::try_from(size).unwrap_or(u32::MAX),
            priority: field(18)?.parse::<i64>().ok()?.clamp(0, 99),
            cpu_time: u32::try_from(cpu_time).unwrap_or(u32::MAX),
            state: match field(3)? {
                "R" => "Running",
                "T" | "t" => "Stopped",
                "I" | "P" => "Idle",
                "D" | "W" => "Uninterruptible",
                "Z" | "X" | "x" => "Zombie",
                _ => "Sleeping",
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Collected, FakeRoot, assert_fits_the_model};

    const UNITS: Units = Units { ticks_per_second: 100, page_bytes: 4096 };

    fn stat(pid: u32, name: &str, state: &str, priority: i32) -> String {
        format!(
            "{pid} ({name}) {state} 1 1 1 0 -1 4194560 1 2 3 4 250 50 6 7 {priority} 0 1 0 31 15000000 300 1844 1 1"
        )
    }

    fn source(root: &FakeRoot) -> Processes {
        Processes::new(root.root())
    }

    #[test]
    fn a_process_is_read_from_its_stat_file() {
        let parse = |text: &str| Process::parse(text, &UNITS);
        let mut expected = Process {
            command: "dnsmasq".to_owned(),
            size: 1200,
            priority: 20,
            cpu_time: 3000,
            state: "Sleeping",
        };
        assert_eq!(parse(&stat(7, "dnsmasq", "S", 20)).as_ref(), Some(&expected));
        expected.command = "a) R (b".to_owned();
        expected.priority = 0;
        assert_eq!(parse(&stat(7, "a) R (b", "S", -100)), Some(expected));
        for odd in
            ["", "7", "7 (x", "7 (x)", "7 (x) S", "7 (x) S 1 2 3 4 5 6 7 8 9 10 a b c d e f g h i j", ") ("]
        {
            assert_eq!(parse(odd), None, "{odd}");
        }
    }

    #[test]
    fn every_state_of_the_kernel_has_a_name() {
        for (state, name) in [
            ("R", "Running"),
            ("S", "Sleeping"),
            ("T", "Stopped"),
            ("t", "Stopped"),
            ("I", "Idle"),
            ("D", "Uninterruptible"),
            ("Z", "Zombie"),
            ("?", "Sleeping"),
        ] {
            assert_eq!(Process::parse(&stat(1, "x", state, 20), &UNITS).unwrap().state, name);
        }
    }

    #[tokio::test]
    async fn the_table_lists_processes_by_their_number() {
        let root = FakeRoot::pc();
        root.file("proc/1/stat", stat(1, "init", "S", 20));
        root.file("proc/20/stat", stat(20, "kworker/0:1\u{1}", "I", 20));
        root.file("proc/3/status", "no stat file: gone");
        let source = source(&root);
        let collected = Collected::from(&source, &["Device.DeviceInfo."]).await;
        let objects: Vec<_> =
            collected.objects.iter().map(|(path, _)| path.strip_prefix(PROCESS_STATUS).unwrap()).collect();
        assert_eq!(objects, ["", "Process.", "Process.1.", "Process.20."]);
        assert_eq!(
            collected.value("Device.DeviceInfo.ProcessStatus.Process.20.Command"),
            Some("kworker/0:1")
        );
        assert_fits_the_model(&source).await;

        let one = Collected::from(&source, &["Device.DeviceInfo.ProcessStatus.Process.1.State"]).await;
        assert_eq!(one.objects.len(), 3);
        let load = Collected::from(&source, &["Device.DeviceInfo.ProcessStatus.CPUUsage"]).await;
        assert_eq!(load.objects.len(), 1);
    }

    #[tokio::test]
    async fn this_machine_fits_the_model() {
        assert_fits_the_model(&Processes::new(Root::new("/".into()))).await;
    }

    #[tokio::test]
    async fn a_crowd_of_processes_is_cut() {
        let root = FakeRoot::pc();
        for pid in 1..=1100 {
            root.file(&format!("proc/{pid}/stat"), stat(pid, "x", "S", 20));
        }
        let collected = Collected::from(&source(&root), &[PROCESS_STATUS]).await;
        assert_eq!(collected.objects.len(), PROCESSES + 2);
    }

    #[test]
    fn the_load_is_that_since_the_last_reading() {
        let root = FakeRoot::pc();
        let source = source(&root);
        // Since the boot: 200 of 1000 ticks, as nothing was read before.
        assert_eq!(source.cpu_usage(), 20);
        root.file("proc/stat", "cpu  150 0 100 720 130 0 0 0 0 0\n");
        assert_eq!(source.cpu_usage(), 50);
        assert_eq!(source.cpu_usage(), 50, "too short a time to say anything else");
        root.file("proc/stat", "cpu  149 x\n");
        assert_eq!(source.cpu_usage(), 50);
        root.file("proc/stat", "cpu  150 0 100 1720 130 0 0 0 0 0\n");
        assert_eq!(source.cpu_usage(), 0);
    }
}

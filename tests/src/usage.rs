//! What a process uses, as the kernel counts it.

use std::{fs, io, time::Duration};

/// Processor time and memory of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Processor time in user and kernel mode, from the scheduler's own account (nanoseconds).
    pub cpu: Duration,
    /// Resident memory now, in KiB.
    pub rss_kib: u64,
    /// Largest resident memory so far, in KiB.
    pub peak_rss_kib: u64,
    /// Private memory that was written to (RssAnon), in KiB.
    pub anonymous_kib: u64,
    /// Threads.
    pub threads: u64,
    /// Whether all of them wait for something to happen: none computes, wants to, or waits for the disk.
    pub asleep: bool,
}

/// Memory of one process page by page: slower to read than [`Usage`], and exact, while the kernel's running counts may lag
/// by some pages on each processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Resident, in KiB.
    pub rss_kib: u64,
    /// Resident, what several processes share counted in part, in KiB.
    pub pss_kib: u64,
    /// Private pages without a file behind them: heap and stacks, in KiB.
    pub anonymous_kib: u64,
}

impl Memory {
    /// Reads `/proc/PID/smaps_rollup`.
    ///
    /// # Errors
    /// When the process is gone or the kernel keeps no such account.
    pub fn of(pid: u32) -> io::Result<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        let get = |name| field(&text, name).ok_or_else(|| odd(pid, name));
        Ok(Self { rss_kib: get("Rss")?, pss_kib: get("Pss")?, anonymous_kib: get("Anonymous")? })
    }
}

/// Bytes that a process has dirtied or written on file systems with storage behind them (`write_bytes`); pages are counted
/// when they are first written to, before they reach the disk.
///
/// # Errors
/// When the process is gone or the kernel keeps no such account.
pub fn written_bytes(pid: u32) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/io"))?;
    field(&text, "write_bytes").ok_or_else(|| odd(pid, "write_bytes"))
}

/// The number in a line `name: number unit`.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.split(':').next() == Some(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn odd(pid: u32, what: &str) -> io::Error {
    io::Error::other(format!("/proc/{pid}: no {what}"))
}

impl Usage {
    /// Reads `/proc/PID/{schedstat,status}`.
    ///
    /// # Errors
    /// When the process is gone or the kernel keeps no such account.
    pub fn of(pid: u32) -> io::Result<Self> {
        let (mut nanoseconds, mut asleep) = (0, true);
        // schedstat of the process counts its main thread alone; blocking calls run in others.
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            let task = task?.path();
            let account = fs::read_to_string(task.join("schedstat"))?;
            let first = account.split_whitespace().next().and_then(|text| text.parse::<u64>().ok());
            nanoseconds += first.ok_or_else(|| odd(pid, "schedstat"))?;
            // The state follows the name, which is in parentheses and may hold some itself.
            let stat = fs::read_to_string(task.join("stat"))?;
            asleep &= stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('S'));
        }
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let get = |name| field(&status, name).ok_or_else(|| odd(pid, name));
        Ok(Self {
            cpu: Duration::from_nanos(nanoseconds),
            rss_kib: get("VmRSS")?,
            peak_rss_kib: get("VmHWM")?,
            anonymous_kib: get("RssAnon")?,
            threads: get("Threads")?,
            asleep,
        })
    }

    /// Lets the kernel forget the peak, so that the next reading is the peak since now.
    ///
    /// # Errors
    /// Where that is not allowed.
    pub fn reset_peak(pid: u32) -> io::Result<()> {
        fs::write(format!("/proc/{pid}/clear_refs"), "5")
    }
}

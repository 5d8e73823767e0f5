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
}

impl Usage {
    /// Reads `/proc/PID/{schedstat,status}`.
    ///
    /// # Errors
    /// When the process is gone or the kernel keeps no such account.
    pub fn of(pid: u32) -> io::Result<Self> {
        let odd = |what: &str| io::Error::other(format!("/proc/{pid}: no {what}"));
        let mut nanoseconds = 0;
        // schedstat of the process counts its main thread alone; blocking calls run in others.
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            let stat = fs::read_to_string(task?.path().join("schedstat"))?;
            let first = stat.split_whitespace().next().and_then(|text| text.parse::<u64>().ok());
            nanoseconds += first.ok_or_else(|| odd("schedstat"))?;
        }
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let field = |name: &str| {
            let line = status.lines().find(|line| line.split(':').next() == Some(name));
            line.and_then(|line| line.split_whitespace().nth(1))
                .and_then(|text| text.parse().ok())
                .ok_or_else(|| odd(name))
        };
        Ok(Self {
            cpu: Duration::from_nanos(nanoseconds),
            rss_kib: field("VmRSS")?,
            peak_rss_kib: field("VmHWM")?,
            anonymous_kib: field("RssAnon")?,
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

//! Whether the clock has been set since the boot, as far as files tell it.
//!
//! The kernel knows (adjtimex(2)), but shows it in no file, and the call needs unsafe code. So this looks at what the time
//! clients leave behind. A client that leaves nothing needs a script that touches [`Options::clock_marker`].

use std::{
    fs,
    time::{Duration, SystemTime},
};

use cwmp_linux::{processes::pids, system::uptime};

use crate::{files::Root, options::Options};

/// Touched by systemd-timesyncd in a folder that is empty after a boot.
const TIMESYNCD: &str = "run/systemd/timesync/synchronized";
/// Written about once an hour, and only while they are synchronised, by chrony, ntpd, ntpsec and OpenNTPD.
const DRIFT_FILES: [&str; 6] = [
    "var/lib/chrony/drift",
    "var/lib/chrony/chrony.drift",
    "var/lib/ntp/ntp.drift",
    "var/lib/ntp/drift",
    "var/lib/ntpsec/ntp.drift",
    "var/db/ntpd.drift",
];
/// A drift file counts when it was written this long after the boot or later. Without a battery, the clock starts at the
/// moment of the last shutdown, so a file from before the boot can look a few minutes newer than the boot.
const DRIFT_MARGIN: Duration = Duration::from_secs(600);
/// Names of time clients, as the kernel cuts them (15 bytes).
const CLIENTS: [&str; 5] = ["systemd-timesyn", "chronyd", "ntpd", "ntp-daemon", "connmand"];

/// Whether the date can be trusted.
pub(crate) fn is_synchronised(root: &Root, options: &Options, now: SystemTime) -> bool {
    options.trust_clock
        || options.sandbox.is_some()
        || root.path(TIMESYNCD).exists()
        || options.clock_marker.as_ref().is_some_and(|marker| root.path(marker).exists())
        || drift_file_is_fresh(root, now)
}

fn drift_file_is_fresh(root: &Root, now: SystemTime) -> bool {
    let Some(uptime) = uptime(root) else { return false };
    let Some(boot) = now.checked_sub(Duration::from_secs(u64::from(uptime))) else { return false };
    DRIFT_FILES.iter().any(|path| {
        let written = fs::metadata(root.path(path)).and_then(|facts| facts.modified());
        written.is_ok_and(|written| written <= now && boot + DRIFT_MARGIN <= written)
    })
}

/// Whether a time client that is known by name runs.
pub(crate) fn client_runs(root: &Root) -> bool {
    pids(root).into_iter().any(|pid| {
        root.text(&format!("proc/{pid}/comm")).is_some_and(|name| CLIENTS.contains(&name.trim_end()))
    })
}

#[cfg(test)]
mod tests {
    use std::{fs::File, path::PathBuf};

    use super::*;
    use crate::testing::FakeRoot;

    fn seconds(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn synchronised(root: &FakeRoot, options: &Options) -> bool {
        // The box of the tests has been up for 93784 seconds.
        is_synchronised(&root.root(), options, seconds(1_800_000_000))
    }

    #[test]
    fn a_clock_that_nobody_set_is_not_trusted() {
        let root = FakeRoot::pc();
        assert!(!synchronised(&root, &Options::default()));
        assert!(synchronised(&root, &Options { trust_clock: true, ..Options::default() }));
        assert!(synchronised(&root, &Options { sandbox: Some(PathBuf::from("/x")), ..Options::default() }));
    }

    #[test]
    fn timesyncd_and_a_marker_say_so() {
        let root = FakeRoot::pc();
        let options = Options { clock_marker: Some(PathBuf::from("/run/ntp-set")), ..Options::default() };
        assert!(!synchronised(&root, &options));
        root.file("run/ntp-set", "");
        assert!(synchronised(&root, &options));
        assert!(!synchronised(&root, &Options::default()));
        root.file("run/systemd/timesync/synchronized", "");
        assert!(synchronised(&root, &Options::default()));
    }

    #[test]
    fn a_drift_file_counts_when_it_is_of_this_boot() {
        let root = FakeRoot::pc();
        root.file("var/lib/chrony/drift", "1.0 0.1\n");
        let written = |at: u64| {
            let file = File::options().write(true).open(root.root().path("var/lib/chrony/drift")).unwrap();
            file.set_modified(seconds(at)).unwrap();
            synchronised(&root, &Options::default())
        };
        let boot = 1_800_000_000 - 93_784;
        assert!(!written(boot - 100));
        assert!(!written(boot + 599));
        assert!(written(boot + 600));
        assert!(written(1_800_000_000));
        assert!(!written(1_800_000_001), "written in the future: the clock is behind");
    }

    #[test]
    fn clients_are_known_by_the_name_of_their_process() {
        let root = FakeRoot::pc();
        root.file("proc/1/comm", "init\n");
        assert!(!client_runs(&root.root()));
        root.file("proc/77/comm", "systemd-timesyn\n");
        assert!(client_runs(&root.root()));
    }
}

//! Restarting the box: the first means that works.

use std::time::Duration;

use cwmp_platform::{PlatformError, Restart};

use crate::{
    command,
    files::Root,
    platform::{Shared, off_thread},
};

/// Longest run of the reboot command; it only orders the restart.
const REBOOT_LIMIT: Duration = Duration::from_secs(60);

/// Programs that order a restart in an orderly way: where one stands, what tells that it is the right one here, and what it
/// is told. systemd and elogind ask those who hold the restart up; `/sbin/reboot` is there with every init.
const PROGRAMS: [(&str, &str, &[&str]); 5] = [
    ("usr/bin/systemctl", "run/systemd/system", &["reboot"]),
    ("usr/bin/loginctl", "run/systemd/seats", &["reboot"]),
    ("bin/loginctl", "run/systemd/seats", &["reboot"]),
    ("sbin/reboot", "sbin/reboot", &[]),
    ("usr/sbin/reboot", "usr/sbin/reboot", &[]),
];

impl Shared {
    /// Restarts the box: with the configured command and nothing else, or with the first of the usual programs that
    /// succeeds, or by the kernel.
    pub(crate) async fn reboot(&self) -> Result<Restart, PlatformError> {
        if self.sandbox.is_some() {
            return Ok(Restart::Process);
        }
        if let Some(command) = &self.options.reboot_command {
            command::run(command, &[], REBOOT_LIMIT).await?;
            return Ok(Restart::Imminent);
        }
        let mut failures = Vec::new();
        for command in programs(&self.root) {
            match command::run(&command, &[], REBOOT_LIMIT).await {
                Ok(()) => return Ok(Restart::Imminent),
                Err(e) => failures.push(e.to_string()),
            }
        }
        if self.root.is_real() {
            for failure in &failures {
                tracing::warn!("{failure}");
            }
            reboot_by_kernel().await?;
            return Ok(Restart::Imminent);
        }
        if failures.is_empty() {
            failures.push(format!("{} is not there", self.root.path("sbin/reboot").display()));
        }
        Err(PlatformError::Failed(format!("{}: set reboot_command", failures.join("; "))))
    }
}

/// The usual programs that are here, as commands.
fn programs(root: &Root) -> Vec<Vec<String>> {
    let here =
        PROGRAMS.iter().filter(|(program, sign, _)| root.path(program).is_file() && root.path(sign).exists());
    here.map(|(program, _, arguments)| {
        let program = root.path(program).display().to_string();
        std::iter::once(program).chain(arguments.iter().map(|word| (*word).to_owned())).collect()
    })
    .collect()
}

/// The last resort: nothing is stopped in order, but everything written is on the disk.
async fn reboot_by_kernel() -> Result<(), PlatformError> {
    off_thread(|| {
        nix::unistd::sync();
        match nix::sys::reboot::reboot(nix::sys::reboot::RebootMode::RB_AUTOBOOT) {
            Ok(never) => match never {},
            Err(e) => Err(PlatformError::Failed(format!(
                "no program restarts the box, and the kernel refuses to: {e}; set reboot_command"
            ))),
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeRoot;

    #[test]
    fn systemd_is_asked_only_where_it_runs() {
        let root = FakeRoot::new();
        let names = |root: &FakeRoot| -> Vec<String> {
            let below = root.path().display().to_string();
            programs(&root.root()).iter().map(|words| words.join(" ").replace(&below, "")).collect()
        };
        for program in ["usr/bin/systemctl", "bin/loginctl", "sbin/reboot"] {
            root.file(program, "");
        }
        assert_eq!(names(&root), ["/sbin/reboot"]);
        root.file("run/systemd/seats/seat0", "");
        assert_eq!(names(&root), ["/bin/loginctl reboot", "/sbin/reboot"]);
        root.file("run/systemd/system/x", "");
        assert_eq!(names(&root), ["/usr/bin/systemctl reboot", "/bin/loginctl reboot", "/sbin/reboot"]);
    }
}

//! Reboot and factory reset, and how the program comes back.

use std::{os::unix::process::CommandExt, process::Command, rc::Rc, time::Duration};

use cwmp_core::{
    io::{BootCause, Input, RebootCause},
    rpc::CommandKey,
    stored::Stored,
};
use cwmp_platform::{FactoryReset as Reset, Platform, Restart, instances::InstanceNumbers};
use cwmp_store::prozone::{Prozone, ProzoneCopy};
use tokio::sync::{mpsc, oneshot};

use crate::{config::SharedLayers, data_task::Question, store_task::Order};

/// Why the loop ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Departure {
    /// Somebody stopped the program.
    Stop,
    /// The program is to start again: in place of the box (sandbox), or after a factory reset.
    StartAgain,
    /// The same because the protocol side has ended, which has now happened so many times.
    Revive {
        /// How many times.
        deaths: u32,
    },
}

/// Tells the next run of the program how many times the protocol side has ended.
const DEATHS: &str = "CWMPD_DEATHS";

/// How many times the protocol side has ended shortly before.
pub(crate) fn deaths() -> u32 {
    std::env::var(DEATHS).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// How long a restart waits for the store to write what is under way.
const LAST_WRITES: Duration = Duration::from_secs(10);

/// Restarts the box, once the store has written what it was given before. Where the box goes down, the program is stopped by the system and nothing is left to do here.
pub(crate) async fn reboot(
    platform: Rc<dyn Platform>,
    cause: RebootCause,
    store: mpsc::UnboundedSender<Order>,
    inputs: mpsc::UnboundedSender<Input>,
    departures: mpsc::UnboundedSender<Departure>,
) {
    let (done, settled) = oneshot::channel();
    store.send(Order::Settle(done)).ok();
    if tokio::time::timeout(LAST_WRITES, settled).await.is_err() {
        tracing::error!(
            "the box restarts although the store has not answered within {} s",
            LAST_WRITES.as_secs()
        );
    }
    drop(store);
    match platform.reboot(cause).await {
        Ok(Restart::Imminent) => tracing::info!("the box is going down"),
        Ok(Restart::Process) => {
            departures.send(Departure::StartAgain).ok();
        }
        Err(error) => {
            inputs.send(Input::RestartFailed(error.to_string())).ok();
        }
    }
}

/// The copy of the CommandKeys in memory that a warm reboot keeps. The state is the truth and is written first; what goes
/// wrong here is a warning.
pub(crate) struct Mirror {
    zone: Box<dyn Prozone>,
    /// This boot.
    boot_id: String,
    /// What the memory holds, where that is known.
    holds: Option<Vec<CommandKey>>,
}

impl Mirror {
    /// Reads the memory. At a boot, keys that the boot before has left there take the place of those in the state, which
    /// must still name that boot.
    pub(crate) fn start(zone: Box<dyn Prozone>, state: &mut Stored, cause: BootCause, boot_id: &str) -> Self {
        let copy = zone.take().unwrap_or_else(|error| {
            tracing::warn!("{error}; the stored state serves");
            None
        });
        if let (Some(copy), BootCause::Boot) = (&copy, cause) {
            prefer(copy, state, boot_id);
        }
        // What an earlier boot has left is not held for this one.
        let holds = copy.filter(|copy| copy.boot_id == boot_id).map(|copy| copy.keys);
        Self { zone, boot_id: boot_id.to_owned(), holds }
    }

    /// The state with these keys is on the disk.
    pub(crate) fn keep(&mut self, keys: &[CommandKey]) {
        if self.holds.as_deref() == Some(keys) {
            return;
        }
        let kept = if keys.is_empty() { self.zone.clear() } else { self.zone.store(keys, &self.boot_id) };
        // An attempt each time the keys change is enough: a prozone that is not there would be reported with every write.
        self.holds = Some(keys.to_vec());
        if let Err(error) = kept {
            tracing::warn!("{error}; the stored state serves");
        }
    }
}

fn prefer(copy: &ProzoneCopy, state: &mut Stored, boot_id: &str) {
    if copy.boot_id == boot_id {
        // Written since the boot: the state was lost, not the power.
        return;
    }
    if !state.boot_id.is_empty() && copy.boot_id != state.boot_id {
        tracing::warn!("the prozone holds keys of an older boot: the stored state serves");
        return;
    }
    tracing::info!("the boot was a warm one: the prozone has kept {} CommandKeys", copy.keys.len());
    state.reboots.clone_from(&copy.keys);
}

/// What a factory reset works on.
pub(crate) struct FactoryReset {
    pub(crate) platform: Rc<dyn Platform>,
    pub(crate) layers: Rc<SharedLayers>,
    pub(crate) store: mpsc::UnboundedSender<Order>,
    pub(crate) data: mpsc::UnboundedSender<Question>,
    pub(crate) numbers: Rc<InstanceNumbers>,
    pub(crate) boot_id: String,
}

impl FactoryReset {
    /// Resets the box, then what the agent keeps; see [`forget`].
    pub(crate) async fn run(
        self,
        inputs: mpsc::UnboundedSender<Input>,
        departures: mpsc::UnboundedSender<Departure>,
    ) {
        let of_box = self.platform.factory_reset().await;
        if let Err(error) = &of_box {
            tracing::error!("factory reset: the box itself could not be reset: {error}");
        }
        if let Err(error) = self.forget().await {
            inputs.send(Input::RestartFailed(format!("factory reset: {error}"))).ok();
            return;
        }
        match of_box {
            Ok(Reset::Restarting) => tracing::info!("factory reset: the box is going down"),
            Ok(Reset::Done) | Err(_) => {
                departures.send(Departure::StartAgain).ok();
            }
        }
    }

    async fn forget(&self) -> Result<(), String> {
        let mut attributes = async || {
            let (done, answer) = oneshot::channel();
            self.data.send(Question::Forget(done)).ok();
            answer.await.unwrap_or_else(|_| Err("the data model is gone".to_owned()))
        };
        let mut state = async || {
            let (done, answer) = oneshot::channel();
            // That the box has not booted since is no secret of its user.
            let rest = Stored { boot_id: self.boot_id.clone(), ..Stored::default() };
            self.store.send(Order::Forget(Box::new(rest), done)).ok();
            answer.await.unwrap_or_else(|_| Err("the store is gone".to_owned()))
        };
        forget(&self.layers, &mut attributes, &self.numbers, &mut state).await
    }
}

/// How often it is tried to delete what the agent keeps.
const ATTEMPTS: u32 = 3;

/// Deletes all that the agent keeps. The protocol state goes last, for it holds the order to reset: a power cut before that
/// makes the next start begin anew. The ACS was promised the reset, and half of one is worse than none: so what fails is
/// tried again, all of it, [`ATTEMPTS`] times in all.
pub(crate) async fn forget(
    layers: &SharedLayers,
    attributes: &mut impl AsyncFnMut() -> Result<(), String>,
    numbers: &InstanceNumbers,
    state: &mut impl AsyncFnMut() -> Result<(), String>,
) -> Result<(), String> {
    let mut attempt = async || {
        layers.delete_user().map_err(|error| error.to_string())?;
        attributes().await?;
        // They name the devices of whoever had the box.
        numbers.forget().await?;
        state().await
    };
    let mut done = attempt().await;
    for _ in 1..ATTEMPTS {
        let Err(error) = &done else { break };
        tracing::warn!("factory reset: {error}; it is tried again");
        done = attempt().await;
    }
    done
}

/// Replaces the program by a fresh one with the same arguments; returns only when that fails.
pub(crate) fn start_again(deaths: u32) -> String {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return format!("cannot start again: the program's own path is unknown: {error}"),
    };
    let mut command = Command::new(&program);
    command.args(std::env::args_os().skip(1)).env(DEATHS, deaths.to_string());
    let error = command.exec();
    format!("cannot start again: {}: {error}", program.display())
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, path::Path};

    use cwmp_store::{Layers, prozone::MemoryZone, sim::Sim};

    use super::*;

    fn keys(keys: &[&str]) -> Vec<CommandKey> {
        keys.iter().map(|key| CommandKey::new(*key).unwrap()).collect()
    }

    fn zone(folder: &tempfile::TempDir) -> Box<dyn Prozone> {
        Box::new(MemoryZone::new(folder.path().join("memory"), 0, 1024))
    }

    /// Memory of 1024 bytes.
    fn memory() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("memory"), [0; 1024]).unwrap();
        folder
    }

    /// State that a boot has left.
    fn left_by(boot_id: &str, reboots: &[&str]) -> Stored {
        Stored { boot_id: boot_id.to_owned(), reboots: keys(reboots), ..Stored::default() }
    }

    /// CommandKeys that a start on `b2` goes on with.
    fn started(folder: &tempfile::TempDir, mut state: Stored) -> Vec<CommandKey> {
        let cause = if state.boot_id == "b2" { BootCause::AgentRestart } else { BootCause::Boot };
        Mirror::start(zone(folder), &mut state, cause, "b2");
        state.reboots
    }

    #[test]
    fn after_a_warm_boot_the_keys_in_memory_are_preferred() {
        let folder = memory();
        zone(&folder).store(&keys(&["a", "b"]), "b1").unwrap();
        assert_eq!(started(&folder, left_by("b1", &["a"])), keys(&["a", "b"]));
        assert_eq!(started(&folder, left_by("", &[])), keys(&["a", "b"]), "the state was lost");
    }

    #[test]
    fn after_a_cold_boot_and_where_memory_is_damaged_or_absent_the_state_serves() {
        let folder = memory();
        assert_eq!(started(&folder, left_by("b1", &["a"])), keys(&["a"]));
        std::fs::write(folder.path().join("memory"), [0x5a; 1024]).unwrap();
        assert_eq!(started(&folder, left_by("b1", &["a"])), keys(&["a"]));
        std::fs::remove_file(folder.path().join("memory")).unwrap();
        assert_eq!(started(&folder, left_by("b1", &["a"])), keys(&["a"]));
    }

    #[test]
    fn keys_of_an_older_boot_or_of_this_one_are_not_taken() {
        let folder = memory();
        zone(&folder).store(&keys(&["x"]), "b0").unwrap();
        assert_eq!(started(&folder, left_by("b1", &["a"])), keys(&["a"]));
        zone(&folder).store(&keys(&["x"]), "b2").unwrap();
        assert_eq!(started(&folder, left_by("b2", &["a"])), keys(&["a"]), "the program alone was restarted");
        assert_eq!(
            started(&folder, left_by("", &[])),
            keys(&[]),
            "the state was lost and the box never restarted"
        );
    }

    #[test]
    fn memory_follows_the_state() {
        let folder = memory();
        let mut mirror = Mirror::start(zone(&folder), &mut left_by("b1", &[]), BootCause::Boot, "b2");
        mirror.keep(&keys(&["a"]));
        let copy = ProzoneCopy { boot_id: "b2".to_owned(), keys: keys(&["a"]) };
        assert_eq!(zone(&folder).take(), Ok(Some(copy)));
        // The same keys again touch nothing.
        std::fs::write(folder.path().join("memory"), [0; 1024]).unwrap();
        mirror.keep(&keys(&["a"]));
        assert_eq!(zone(&folder).take(), Ok(None));
        mirror.keep(&keys(&["a", "b"]));
        mirror.keep(&[]);
        assert_eq!(zone(&folder).take(), Ok(None));
    }

    #[test]
    fn what_was_reported_is_forgotten_with_the_first_state_of_the_next_boot() {
        let folder = memory();
        zone(&folder).store(&keys(&["a"]), "b1").unwrap();
        let mut state = left_by("b1", &["a"]);
        let mut mirror = Mirror::start(zone(&folder), &mut state, BootCause::Boot, "b2");
        assert!(zone(&folder).take().unwrap().is_some(), "not before the state is written");
        mirror.keep(&[]);
        assert_eq!(zone(&folder).take(), Ok(None));
    }

    /// A factory reset was promised: a disk that fails once does not leave half of one.
    #[tokio::test(flavor = "current_thread")]
    async fn what_cannot_be_deleted_is_tried_again_and_the_state_goes_last() {
        let sim = Sim::with(&[("/etc/factory.ini", ""), ("/etc/user.ini", "[A]\nB = C\n")]);
        let layers = SharedLayers::new(Layers::load(sim.clone(), Path::new("/etc")).unwrap().0);
        let (numbers, log) = (InstanceNumbers::in_memory(), RefCell::new(Vec::new()));
        let mut attributes = async || {
            log.borrow_mut().push("attributes");
            if log.borrow().len() > 1 { Ok(()) } else { Err("no space".to_owned()) }
        };
        let mut state = async || {
            log.borrow_mut().push("state");
            Ok(())
        };
        forget(&layers, &mut attributes, &numbers, &mut state).await.unwrap();
        assert_eq!(log.take(), ["attributes", "attributes", "state"]);
        assert_eq!(sim.text("/etc/user.ini"), None);

        let mut never = async || Err("no space".to_owned());
        let failed = forget(&layers, &mut never, &numbers, &mut state).await;
        assert_eq!((failed, log.take()), (Err("no space".to_owned()), vec![]));
    }
}

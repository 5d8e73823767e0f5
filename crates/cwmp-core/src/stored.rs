//! The protocol state that survives a power cut.

use serde::{Deserialize, Serialize};

use crate::{
    event::EventStruct,
    rpc::{AutonOpResultStruct, CommandKey},
    software::{DuChange, KnownUnit},
    time::{Mono, Wall},
    transfer::Transfer,
    wait::Wait,
};

/// What the agent asks to be kept. Small and written as a whole; the store makes each write atomic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stored {
    /// `OUI-ProductClass-SerialNumber` of the box that this state belongs to. State of another box (a backup restored
    /// elsewhere) is not used.
    pub owner: String,
    /// The boot that this state was written in, as the platform names it. Times on the monotonic clock count from it, so it
    /// is written together with them: with another boot's id the start is a boot, whatever has happened in between.
    pub boot_id: String,
    /// URL of the ACS that has answered a `0 BOOTSTRAP` Inform; `None` while one is owed.
    pub bootstrapped: Option<String>,
    /// Undelivered events that outlive a reboot.
    pub events: Vec<EventStruct>,
    /// Attempts so far for the session that is owed; 0 after a success.
    pub retry_count: u32,
    /// CommandKeys of Reboot calls that were answered and not yet carried out.
    pub reboots: Vec<CommandKey>,
    /// FactoryReset was answered and is not yet carried out.
    pub factory_reset: bool,
    /// ScheduleInform calls that are not yet due, in the order of their arrival.
    pub schedules: Vec<ScheduledInform>,
    /// DelayReboot: the box restarts at this moment of its present uptime. Void after a boot.
    pub delayed_reboot: Option<Mono>,
    /// The ScheduleReboot that was carried out last. It is not carried out again where the clock of the box comes up in
    /// the past.
    pub reboot_done: Option<Wall>,
    /// Transfers that were promised and are not yet reported, in the order of their arrival.
    pub transfers: Vec<Transfer>,
    /// Changes of deployment units that were promised and are not yet reported, in the order of their arrival.
    pub du_changes: Vec<DuChange>,
    /// The deployment units of the box at the last look, to know what has changed since; `None` before the first one.
    pub known_units: Option<Vec<KnownUnit>>,
    /// Changes of deployment units that the ACS has not ordered, and has not yet heard of, in the order of their arrival.
    pub du_unordered: Vec<AutonOpResultStruct>,
    /// Number of the next transfer or change of deployment units.
    pub next_transfer: u32,
}

/// A ScheduleInform call that waits (TR-069a6 A.4.1.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduledInform {
    /// CommandKey, reported with `M ScheduleInform`.
    pub command_key: CommandKey,
    /// When it is due.
    pub wait: Wait,
}

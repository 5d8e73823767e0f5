//! The protocol state that survives a power cut.

use serde::{Deserialize, Serialize};

use crate::{
    event::EventStruct,
    rpc::CommandKey,
    time::{Mono, Wall},
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
}

/// A ScheduleInform call that waits (TR-069a6 A.4.1.2).
///
/// While the box is up, `due` counts alone: no jump of the wall clock moves it. After a boot that clock is gone; then the date
/// counts where the box knows the date, but never makes the wait longer than `remaining_ms`. Without a clock, what was left at
/// the last orderly restart is waited for again, or all of it after a power cut: late rather than lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduledInform {
    /// CommandKey, reported with `M ScheduleInform`.
    pub command_key: CommandKey,
    /// When it is due, on the clock of the present uptime.
    pub due: Mono,
    /// When it is due as a date, where the clock was known.
    pub due_wall: Option<Wall>,
    /// Milliseconds that were left at the call or at the last orderly restart.
    pub remaining_ms: u64,
}

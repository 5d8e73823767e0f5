//! The protocol state that survives a power cut.

use serde::{Deserialize, Serialize};

use crate::{event::EventStruct, rpc::CommandKey};

/// What the agent asks to be kept. Small and written as a whole; the store makes each write atomic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stored {
    /// `OUI-ProductClass-SerialNumber` of the box that this state belongs to. State of another box (a backup restored
    /// elsewhere) is not used.
    pub owner: String,
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
}

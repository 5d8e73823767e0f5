//! Methods on the device as a whole: Reboot, ScheduleInform, vouchers and options, Kicked.

use serde::{Deserialize, Serialize};

use super::CommandKey;
use crate::datetime::DateTime;

/// Reboot (TR-069a6 A.3.2.9).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reboot {
    /// CommandKey, reported with `M Reboot`.
    pub command_key: CommandKey,
}

/// ScheduleInform (A.4.1.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleInform {
    /// DelaySeconds from receipt; 0 is refused by the executor.
    pub delay_seconds: u32,
    /// CommandKey, reported with `M ScheduleInform`.
    pub command_key: CommandKey,
}

/// SetVouchers (A.4.1.3), deprecated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetVouchers {
    /// VoucherList: base64 of signed vouchers, as sent.
    pub vouchers: Vec<String>,
}

/// GetOptions (A.4.1.4), deprecated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetOptions {
    /// OptionName; empty for all.
    pub option_name: String,
}

/// OptionStruct (A.4.1.4), deprecated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptionStruct {
    /// OptionName.
    pub option_name: String,
    /// VoucherSN.
    pub voucher_sn: u32,
    /// State: 0 disabled, not set up; 1 enabled, not set up; 2 disabled, set up; 3 enabled, set up.
    pub state: u32,
    /// Mode: 0 disabled, 1 enabled with expiration, 2 enabled without.
    pub mode: u32,
    /// StartDate.
    pub start_date: DateTime,
    /// ExpirationDate; absent where the option does not expire.
    pub expiration_date: Option<DateTime>,
    /// IsTransferable.
    pub is_transferable: bool,
}

/// Kicked (A.4.2.1), deprecated: arguments of the web identity mechanism.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kicked {
    /// Command.
    pub command: String,
    /// Referer.
    pub referer: String,
    /// Arg.
    pub arg: String,
    /// Next.
    pub next: String,
}

/// KickedResponse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KickedResponse {
    /// NextURL.
    pub next_url: String,
}

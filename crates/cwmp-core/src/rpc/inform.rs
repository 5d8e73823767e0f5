//! Inform (TR-069a6 A.3.3.1).

use serde::{Deserialize, Serialize};

use super::ParameterValueStruct;
use crate::{datetime::DateTime, event::EventStruct};

/// DeviceIdStruct: who the CPE is; never changes in its life.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceId {
    /// Manufacturer, for display only (64 characters).
    pub manufacturer: String,
    /// OUI: six upper-case hexadecimal digits.
    pub oui: String,
    /// ProductClass: what the serial number is unique within (64 characters, may be empty).
    pub product_class: String,
    /// SerialNumber (64 characters).
    pub serial_number: String,
}

/// Inform: opens every session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inform {
    /// DeviceId.
    pub device_id: DeviceId,
    /// Event: at most 64 entries.
    pub events: Vec<EventStruct>,
    /// MaxEnvelopes: always 1.
    pub max_envelopes: u32,
    /// CurrentTime; Unknown Time without a synchronised clock.
    pub current_time: DateTime,
    /// RetryCount: attempts before this one for the same session.
    pub retry_count: u32,
    /// ParameterList: forced, configured and changed parameters.
    pub parameters: Vec<ParameterValueStruct>,
}

/// InformResponse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InformResponse {
    /// MaxEnvelopes: 1; ignored by the CPE.
    pub max_envelopes: u32,
}

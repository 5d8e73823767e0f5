//! What is known of one CPE.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    time::SystemTime,
};

use cwmp_core::{
    rpc::{CpeResponse, CwmpVersion, DeviceId, Inform, ParameterValueStruct},
    value::ValueType,
};
use serde::{Deserialize, Serialize};

use crate::{limits, report::SessionReport};

/// `OUI-ProductClass-SerialNumber`, or `OUI-SerialNumber` where the product class is empty (TR-069a6 3.4.4).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CpeKey(String);

impl CpeKey {
    /// The key of a device.
    #[must_use]
    pub fn of(device: &DeviceId) -> Self {
        let DeviceId { oui, product_class, serial_number, .. } = device;
        if product_class.is_empty() {
            Self(format!("{oui}-{serial_number}"))
        } else {
            Self(format!("{oui}-{product_class}-{serial_number}"))
        }
    }

    /// A key as a person wrote it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CpeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which CPE is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CpeSelector {
    /// Whichever comes first: enough where there is only one.
    Any,
    /// This one.
    Key(CpeKey),
}

impl CpeSelector {
    /// Whether this CPE is meant.
    #[must_use]
    pub fn matches(&self, key: &CpeKey) -> bool {
        match self {
            CpeSelector::Any => true,
            CpeSelector::Key(wanted) => wanted == key,
        }
    }
}

impl From<&str> for CpeSelector {
    /// `*` or an empty text is any CPE, anything else a key.
    fn from(text: &str) -> Self {
        if text.is_empty() || text == "*" { Self::Any } else { Self::Key(CpeKey::new(text)) }
    }
}

impl From<&CpeKey> for CpeSelector {
    fn from(key: &CpeKey) -> Self {
        Self::Key(key.clone())
    }
}

impl From<CpeKey> for CpeSelector {
    fn from(key: CpeKey) -> Self {
        Self::Key(key)
    }
}

/// A parameter as it was last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedParameter {
    /// Announced type.
    pub value_type: Option<ValueType>,
    /// Value.
    pub value: String,
}

/// What is known of one CPE.
#[derive(Clone, Debug)]
pub struct CpeRecord {
    /// Identity.
    pub device: DeviceId,
    /// The last Inform.
    pub last_inform: Inform,
    /// Version agreed in the last session.
    pub version: Option<CwmpVersion>,
    /// When something last came from it.
    pub last_seen: SystemTime,
    /// ManagementServer.ConnectionRequestURL.
    pub connection_request_url: Option<String>,
    /// Parameters from Informs and GetParameterValues; at most [`limits::CACHED_PARAMETERS`].
    pub parameters: BTreeMap<String, CachedParameter>,
    /// The last sessions, oldest first.
    pub sessions: VecDeque<SessionReport>,
    /// Sessions in all.
    pub session_count: u64,
}

impl CpeRecord {
    /// The record of a CPE that has just sent its first Inform.
    #[must_use]
    pub fn new(inform: Inform, now: SystemTime) -> Self {
        let mut record = Self {
            device: inform.device_id.clone(),
            last_inform: inform.clone(),
            version: None,
            last_seen: now,
            connection_request_url: None,
            parameters: BTreeMap::new(),
            sessions: VecDeque::new(),
            session_count: 0,
        };
        record.informed(inform, now);
        record
    }

    /// Takes in an Inform.
    pub fn informed(&mut self, inform: Inform, now: SystemTime) {
        self.last_seen = now;
        self.learn(&inform.parameters);
        self.device = inform.device_id.clone();
        self.last_inform = inform;
    }

    /// Takes in what a response tells of parameters.
    pub fn answered(&mut self, response: &CpeResponse) {
        if let CpeResponse::GetParameterValues(list) = response {
            self.learn(list);
        }
    }

    /// UDPConnectionRequestAddress as it was told last; `None` where it was not, or is empty.
    #[must_use]
    pub fn udp_connection_request_address(&self) -> Option<&str> {
        let is_it = |name: &&String| name.ends_with(".ManagementServer.UDPConnectionRequestAddress");
        let name = self.parameters.keys().find(is_it)?;
        self.parameters
            .get(name)
            .map(|parameter| parameter.value.as_str())
            .filter(|address| !address.is_empty())
    }

    /// The type that a parameter was last announced with.
    #[must_use]
    pub fn type_of(&self, name: &str) -> Option<ValueType> {
        self.parameters.get(name)?.value_type
    }

    fn learn(&mut self, list: &[ParameterValueStruct]) {
        for ParameterValueStruct { name, value_type, value } in list {
            if name.ends_with(".ManagementServer.ConnectionRequestURL") {
                self.connection_request_url = Some(value.clone()).filter(|url| !url.is_empty());
            }
            let seen = CachedParameter { value_type: *value_type, value: value.clone() };
            if let Some(known) = self.parameters.get_mut(name) {
                *known = seen;
            } else if self.parameters.len() < limits::CACHED_PARAMETERS {
                self.parameters.insert(name.clone(), seen);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use cwmp_core::datetime::DateTime;

    use super::*;

    fn parameter(name: &str, value: &str) -> ParameterValueStruct {
        ParameterValueStruct { name: name.into(), value_type: Some(ValueType::String), value: value.into() }
    }

    #[test]
    fn the_key_leaves_out_an_empty_product_class() {
        let mut device = DeviceId { oui: "00D09E".into(), serial_number: "1".into(), ..DeviceId::default() };
        assert_eq!(CpeKey::of(&device).as_str(), "00D09E-1");
        device.product_class = "Box".into();
        assert_eq!(CpeKey::of(&device).as_str(), "00D09E-Box-1");
    }

    #[test]
    fn parameters_are_learnt_from_informs_and_answers() {
        let inform = Inform {
            device_id: DeviceId::default(),
            events: Vec::new(),
            max_envelopes: 1,
            current_time: DateTime::Unknown,
            retry_count: 0,
            parameters: vec![parameter("Device.ManagementServer.ConnectionRequestURL", "http://h:1/x")],
        };
        let mut record = CpeRecord::new(inform, SystemTime::UNIX_EPOCH);
        assert_eq!(record.connection_request_url.as_deref(), Some("http://h:1/x"));
        record.answered(&CpeResponse::GetParameterValues(vec![parameter("Device.A", "1")]));
        record.answered(&CpeResponse::GetParameterValues(vec![parameter("Device.A", "2")]));
        assert_eq!(record.parameters["Device.A"].value, "2");
        assert_eq!(record.type_of("Device.A"), Some(ValueType::String));
        assert_eq!(record.type_of("Device.B"), None);
    }
}

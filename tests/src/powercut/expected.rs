//! The parameter tree as the ACS must find it, as far as the calls of the scenario touch it.

use std::collections::BTreeMap;

pub(super) const URL: &str = "Device.ManagementServer.URL";
pub(super) const INTERVAL: &str = "Device.ManagementServer.PeriodicInformInterval";
pub(super) const USER: &str = "Device.ManagementServer.ConnectionRequestUsername";
pub(super) const KEY: &str = "Device.ManagementServer.ParameterKey";
pub(super) const CODE: &str = "Device.DeviceInfo.ProvisioningCode";
/// Hosts that come and go, which the box numbers.
pub(super) const HOST: &str = "Device.Hosts.Host.";
pub(super) const ROWS: &str = "Device.ManagementServer.InformParameter.";

/// What the ACS reads to compare.
pub(super) const READ: [&str; 6] = [URL, INTERVAL, USER, KEY, CODE, ROWS];
/// Parameters whose attributes it compares.
pub(super) const WATCHED: [&str; 2] = [USER, INTERVAL];

/// What a correct box has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    /// Everything that [`READ`] gives.
    pub(super) values: BTreeMap<String, String>,
    /// Notification of [`WATCHED`].
    pub(super) notifications: BTreeMap<String, i32>,
    next_row: u32,
}

impl Expected {
    /// After a factory reset, with these settings.
    pub(super) fn factory(url: &str, interval: &str, user: &str) -> Self {
        let values = [(URL, url), (INTERVAL, interval), (USER, user), (KEY, ""), (CODE, "")];
        Self {
            values: values.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            notifications: WATCHED.map(|name| (name.to_owned(), 0)).into(),
            next_row: 1,
        }
    }

    pub(super) fn url(&self) -> &str {
        self.values.get(URL).map_or("", String::as_str)
    }

    pub(super) fn set(&self, values: impl IntoIterator<Item = (String, String)>, key: &str) -> Self {
        let mut next = self.clone();
        next.values.extend(values);
        next.values.insert(KEY.to_owned(), key.to_owned());
        next
    }

    pub(super) fn notify(&self, name: &str, notification: i32) -> Self {
        let mut next = self.clone();
        next.notifications.insert(name.to_owned(), notification);
        next
    }

    /// The newest row.
    pub(super) fn newest_row(&self) -> Option<u32> {
        let number = |name: &String| name.strip_prefix(ROWS)?.split('.').next()?.parse().ok();
        self.values.keys().filter_map(number).max()
    }

    /// With one more row, and its number: never one that was there before.
    pub(super) fn add_row(&self, key: &str) -> (Self, u32) {
        let number = self.next_row;
        let alias = format!("cpe-{number}");
        let row = [("Enable", "false"), ("ParameterName", ""), ("EventList", ""), ("Alias", &alias)];
        let row = row.map(|(name, value)| (format!("{ROWS}{number}.{name}"), value.to_owned()));
        let mut next = self.set(row, key);
        next.next_row += 1;
        (next, number)
    }

    /// Without a row; it is named as `1.`.
    pub(super) fn delete_row(&self, row: &str, key: &str) -> Self {
        let mut next = self.set([], key);
        let row = format!("{ROWS}{row}");
        next.values.retain(|name, _| !name.starts_with(&row));
        next
    }

    /// What differs between this and what was read.
    pub(super) fn difference(&self, read: &BTreeMap<String, String>) -> String {
        let missing = self.values.iter().filter(|(name, value)| read.get(*name) != Some(value));
        let missing =
            missing.map(|(name, value)| format!("{name} is not `{value}` but {:?}", read.get(name)));
        let surplus = read.iter().filter(|(name, _)| !self.values.contains_key(*name));
        let surplus = surplus.map(|(name, value)| format!("{name} = `{value}` is new"));
        missing.chain(surplus).collect::<Vec<_>>().join(", ")
    }
}

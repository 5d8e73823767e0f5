//! Notification and AccessList of parameters (TR-069a6 A.3.2.4), and what the ACS knows of watched values.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    facts::Rule,
    limits,
    snapshot::{Marked, Snapshot},
};

/// Everything about attributes that outlives a restart: only what differs from the defaults of the model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attributes {
    /// What the ACS has set, by full parameter name.
    pub set: BTreeMap<String, Deviation>,
    /// Fingerprints of the values of watched parameters as the ACS last got to know them, by full parameter name.
    pub known: BTreeMap<String, u64>,
    /// Aliases that the ACS has given to instances, by the path of the instance (`Device.X.Y.1.`).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub aliases: BTreeMap<String, String>,
    /// The same of lightweight notifications: what was sent last.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub notified: BTreeMap<String, u64>,
}

/// Attributes of one parameter that differ from the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Deviation {
    /// Notification: 0 off, 1 passive, 2 active, 3 passive lightweight, 4 both passive ones, 5 active lightweight, 6
    /// passive and active lightweight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notification: Option<u8>,
    /// AccessList is empty: the ACS alone may write.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub acs_only: bool,
}

/// Attributes could not be written; the text names file and reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AttributeError(pub String);

/// Keeps [`Attributes`] across restarts.
#[async_trait(?Send)]
pub trait AttributeStore {
    /// What was saved last; the default where nothing was.
    fn load(&self) -> Attributes;

    /// Writes durably, all or nothing. Called only when something has changed.
    ///
    /// # Errors
    /// [`AttributeError`]; what was saved before still stands.
    async fn save(&self, attributes: &Attributes) -> Result<(), AttributeError>;
}

/// Notification 0, 1, 2 (TR-069a6 A.3.2.4).
pub(crate) const OFF: u8 = 0;
pub(crate) const ACTIVE: u8 = 2;
/// The highest value: 6.
pub(crate) const LAST: u8 = 6;

/// Whether an Inform reports changes.
pub(crate) fn is_in_inform(notification: u8) -> bool {
    matches!(notification, 1 | ACTIVE | 4 | 6)
}

/// Whether a session is owed at once.
pub(crate) fn is_active(notification: u8) -> bool {
    notification == ACTIVE
}

/// Whether a lightweight notification reports changes.
pub(crate) fn is_lightweight(notification: u8) -> bool {
    matches!(notification, 3..=6)
}

/// Whether a lightweight notification is owed at once.
pub(crate) fn is_active_lightweight(notification: u8) -> bool {
    matches!(notification, 5 | 6)
}

impl Attributes {
    /// Notification, and whether AccessList holds `Subscriber`.
    pub(crate) fn of(&self, name: &str, rule: Option<Rule>) -> Marked {
        let deviation = self.set.get(name).copied().unwrap_or_default();
        let default = default_notification(rule);
        let forced = rule.is_some_and(Rule::is_force_enabled);
        (if forced { default } else { deviation.notification.unwrap_or(default) }, !deviation.acs_only)
    }

    /// The same of a name in two parts, which are joined only where there is something to look for.
    pub(crate) fn of_parts(&self, object: &str, name: &str, rule: Option<Rule>) -> Marked {
        if self.set.is_empty() { self.of("", rule) } else { self.of(&[object, name].concat(), rule) }
    }

    /// Sets what is given; what is then as by default is not kept.
    pub(crate) fn change(
        &mut self,
        name: &str,
        rule: Option<Rule>,
        notification: Option<u8>,
        acs_only: Option<bool>,
    ) {
        let mut deviation = self.set.remove(name).unwrap_or_default();
        if let Some(notification) = notification {
            deviation.notification = Some(notification).filter(|value| *value != default_notification(rule));
        }
        deviation.acs_only = acs_only.unwrap_or(deviation.acs_only);
        if deviation != Deviation::default() {
            self.set.insert(name.to_owned(), deviation);
        }
    }

    /// The ACS knows this value of a watched parameter by itself; whether that is recorded anew.
    pub(crate) fn learn(&mut self, name: String, now: u64) -> bool {
        let set = self.set.get(&name).and_then(|deviation| deviation.notification);
        // Nothing but the defaults of the model watches without being set: those are active.
        let notification = set.unwrap_or(ACTIVE);
        let mut changed = false;
        if is_lightweight(notification) {
            changed |= self.notified.insert(name.clone(), now) != Some(now);
        }
        if is_in_inform(notification) {
            changed |= self.known.insert(name, now) != Some(now);
        }
        changed
    }

    /// Whether there is more than may be kept.
    pub(crate) fn is_full(&self) -> bool {
        self.set.len().max(self.known.len()).max(self.notified.len()) > limits::ATTRIBUTES
            || self.aliases.len() > limits::ALIASES
    }

    /// Forgets everything below an object; whether there was anything.
    pub(crate) fn forget_below(&mut self, object: &str) -> bool {
        let before = self.len();
        self.forget_where(&|name| name.starts_with(object));
        before != self.len()
    }

    /// Keeps only what belongs to something that is there: rows that went away by themselves have left theirs behind.
    pub(crate) fn keep_those_of(&mut self, tree: &Snapshot) {
        self.forget_where(&|name| match name.ends_with('.') {
            true => tree.object(name).is_none(),
            false => tree.parameter(name).is_none(),
        });
    }

    fn forget_where(&mut self, gone: &dyn Fn(&str) -> bool) {
        remove_where(&mut self.set, gone);
        remove_where(&mut self.known, gone);
        remove_where(&mut self.notified, gone);
        remove_where(&mut self.aliases, gone);
    }

    fn len(&self) -> usize {
        self.set.len() + self.known.len() + self.notified.len() + self.aliases.len()
    }
}

/// As `retain`, which takes some KB of code for each closure.
pub(crate) fn remove_where<V>(map: &mut BTreeMap<String, V>, gone: &dyn Fn(&str) -> bool) {
    let names: Vec<String> = map.keys().filter(|name| gone(name)).cloned().collect();
    for name in names {
        map.remove(&name);
    }
}

/// What a parameter starts with; `None` is a vendor's.
fn default_notification(rule: Option<Rule>) -> u8 {
    if rule.is_some_and(|rule| rule.is_force_enabled() || rule.is_force_default_enabled()) {
        ACTIVE
    } else {
        OFF
    }
}

/// FNV-1a of 64 bits. A fingerprint in place of the value keeps the stored state small and free of contents; it must stay
/// the same from release to release, or every watched parameter would be reported as changed.
pub(crate) fn fingerprint(value: &str) -> u64 {
    value
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_deviations_are_kept() {
        let mut attributes = Attributes::default();
        attributes.change("Device.X_A", None, Some(1), None);
        attributes.change("Device.X_A", None, None, Some(true));
        assert_eq!(attributes.of("Device.X_A", None), (1, false));
        attributes.change("Device.X_A", None, Some(0), Some(false));
        assert_eq!(attributes, Attributes::default());
    }

    #[test]
    fn fingerprints_never_change() {
        assert_eq!(fingerprint(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fingerprint("foobar"), 0x8594_4171_f739_67e8);
    }
}

//! SetParameterAttributes (TR-069a6 A.3.2.4): all or nothing, in the order of the list.

use cwmp_core::{
    fault::{CwmpFault, FaultCode},
    rpc::SetParameterAttributesStruct,
};

use crate::{
    attributes::{ACTIVE, Attributes, LAST, fingerprint, is_in_inform, is_lightweight},
    facts::Rule,
    limits,
    model::{DataModel, Reading, expand, unknown},
    snapshot::Snapshot,
};

impl DataModel {
    pub(crate) async fn set_attributes(
        &mut self,
        entries: &[SetParameterAttributesStruct],
    ) -> Result<(), CwmpFault> {
        let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
        let present = self.read(&names, Reading::Strict).await?;
        let mut attributes = self.attributes.clone();
        for entry in entries {
            for name in &expand(&present, &[&entry.name])? {
                enter(entry, name, &present, &mut attributes)?;
            }
        }
        if attributes.is_full() {
            attributes.keep_those_of(&self.read(&[""], Reading::Strict).await?);
        }
        if attributes.is_full() {
            let text = format!("more than {} parameters with attributes of their own", limits::ATTRIBUTES);
            return Err(CwmpFault::new(FaultCode::RESOURCES_EXCEEDED, text));
        }
        if attributes != self.attributes {
            let saved = self.store.save(&attributes).await;
            saved.map_err(|error| CwmpFault::new(FaultCode::INTERNAL_ERROR, error.to_string()))?;
            self.attributes = attributes;
        }
        Ok(())
    }
}

/// One entry, for one of the names that it stands for. A partial path leaves out what can't be switched off; a full name for it is refused.
fn enter(
    entry: &SetParameterAttributesStruct,
    name: &str,
    present: &Snapshot,
    attributes: &mut Attributes,
) -> Result<(), CwmpFault> {
    let notification = match u8::try_from(entry.notification) {
        _ if !entry.notification_change => None,
        Ok(notification) if notification <= LAST => Some(notification),
        _ => {
            let text = format!("Notification {} for {}: must be 0 to 6", entry.notification, entry.name);
            return Err(CwmpFault::new(FaultCode::INVALID_ARGUMENTS, text));
        }
    };
    if entry.access_list_change && entry.access_list.iter().any(|entity| entity != "Subscriber") {
        let text = format!("AccessList for {}: nobody but `Subscriber` is known", entry.name);
        return Err(CwmpFault::new(FaultCode::INVALID_ARGUMENTS, text));
    }
    let acs_only = entry.access_list_change.then_some(entry.access_list.is_empty());
    for found in present.parameters(name).map_err(unknown)? {
        let name = found.full_name();
        let forced = found.rule.is_some_and(Rule::is_force_enabled);
        if forced
            && notification.is_some_and(|value| value != ACTIVE)
            && !entry.name.is_empty()
            && !entry.name.ends_with('.')
        {
            let text = format!("{name} always has active notification");
            return Err(CwmpFault::new(FaultCode::NOTIFICATION_REJECTED, text));
        }
        attributes.change(&name, found.rule, notification.filter(|_| !forced), acs_only);
        let (notification, _) = attributes.of(&name, found.rule);
        // What it is now is no news, unless it was watched already and has changed since.
        for (watched, values) in [
            (is_in_inform(notification), &mut attributes.known),
            (is_lightweight(notification), &mut attributes.notified),
        ] {
            if watched {
                values.entry(name.clone()).or_insert_with(|| fingerprint(found.entry.text));
            } else {
                values.remove(&name);
            }
        }
    }
    Ok(())
}

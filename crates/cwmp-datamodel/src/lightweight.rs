//! The parameters of a lightweight notification (TR-069a6 A.3.2.4 and Annex M): those whose value differs from what was
//! notified last.

use cwmp_core::{io::DataReply, rpc::ParameterValueStruct};

use crate::{
    attributes::{fingerprint, is_active_lightweight, is_lightweight},
    limits,
    model::DataModel,
    snapshot::Snapshot,
};

/// A parameter whose value was not notified yet.
struct News {
    /// Its full name with instance numbers; `parameter` has the name that the ACS is to see.
    name: String,
    parameter: ParameterValueStruct,
    fingerprint: u64,
}

impl DataModel {
    /// Whether a parameter with active lightweight notification has changed. Sources that fail are passed over.
    pub async fn check_lightweight(&mut self) -> bool {
        let names = self.lightweight_names(is_active_lightweight);
        if names.is_empty() {
            return false;
        }
        let Some(snapshot) = self.read_or_log(&names).await else { return false };
        self.news(&snapshot, is_active_lightweight).next().is_some()
    }

    /// What has changed, active or passive. It counts as notified with this.
    pub(crate) async fn lightweight(&mut self) -> DataReply {
        let mut parameters = Vec::new();
        let names = self.lightweight_names(is_lightweight);
        if !names.is_empty()
            && let Some(snapshot) = self.read_to_tell(&names).await
        {
            let news: Vec<News> =
                self.news(&snapshot, is_lightweight).take(limits::LIGHTWEIGHT_PARAMETERS).collect();
            for News { name, parameter, fingerprint } in news {
                self.attributes.notified.insert(name, fingerprint);
                parameters.push(parameter);
            }
        }
        if !parameters.is_empty() {
            self.save_attributes().await;
        }
        DataReply::Lightweight { parameters }
    }

    /// The parameters that were set to such a notification. The model watches none by itself in this way.
    fn lightweight_names(&self, such: fn(u8) -> bool) -> Vec<&str> {
        let set = self.attributes.set.iter().filter(|(_, set)| set.notification.is_some_and(such));
        set.map(|(name, _)| name.as_str()).collect()
    }

    fn news<'a>(&'a self, snapshot: &'a Snapshot, such: fn(u8) -> bool) -> impl Iterator<Item = News> + 'a {
        let all = snapshot.parameters("").into_iter().flatten();
        all.filter_map(move |found| {
            let (notification, _) =
                self.attributes.of_parts(found.entry.object, found.entry.name, found.rule);
            if !such(notification) {
                return None;
            }
            let name = found.full_name();
            let fingerprint = fingerprint(found.entry.text);
            if self.attributes.notified.get(&name).is_none_or(|notified| *notified == fingerprint) {
                return None;
            }
            let parameter = ParameterValueStruct {
                name: snapshot.shown_name(&found.entry),
                value_type: Some(found.entry.value_type),
                value: found.entry.text.to_owned(),
            };
            Some(News { name, parameter, fingerprint })
        })
    }
}

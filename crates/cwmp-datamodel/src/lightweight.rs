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
    parameter: ParameterValueStruct,
    fingerprint: u64,
}

impl DataModel {
    /// Whether a parameter with active lightweight notification has changed. Sources that fail are passed over.
    pub async fn check_lightweight(&mut self) -> bool {
        let Some(snapshot) = self.read_lightweight(is_active_lightweight).await else { return false };
        self.news(&snapshot, is_active_lightweight).next().is_some()
    }

    /// What has changed, active or passive. It counts as notified with this.
    pub(crate) async fn lightweight(&mut self) -> DataReply {
        let mut parameters = Vec::new();
        if let Some(snapshot) = self.read_lightweight(is_lightweight).await {
            let news: Vec<News> =
                self.news(&snapshot, is_lightweight).take(limits::LIGHTWEIGHT_PARAMETERS).collect();
            for News { parameter, fingerprint } in news {
                self.attributes.notified.insert(parameter.name.clone(), fingerprint);
                parameters.push(parameter);
            }
        }
        if !parameters.is_empty() {
            self.save_attributes().await;
        }
        DataReply::Lightweight { parameters }
    }

    /// The parameters that were set to such a notification; `None` when there are none. The model watches none by itself
    /// in this way.
    async fn read_lightweight(&self, such: fn(u8) -> bool) -> Option<Snapshot> {
        let set = self.attributes.set.iter().filter(|(_, set)| set.notification.is_some_and(such));
        let names: Vec<&str> = set.map(|(name, _)| name.as_str()).collect();
        if names.is_empty() { None } else { self.read_or_log(&names).await }
    }

    fn news<'a>(&'a self, snapshot: &'a Snapshot, such: fn(u8) -> bool) -> impl Iterator<Item = News> + 'a {
        let all = snapshot.parameters("").into_iter().flatten();
        all.filter_map(move |found| {
            let name = found.full_name();
            let fingerprint = fingerprint(found.entry.text);
            let (notification, _) = self.attributes.of(&name, found.rule);
            let is_news =
                self.attributes.notified.get(&name).is_some_and(|notified| *notified != fingerprint);
            (such(notification) && is_news).then(|| {
                let (value_type, value) = (Some(found.entry.value_type), found.entry.text.to_owned());
                News { parameter: ParameterValueStruct { name, value_type, value }, fingerprint }
            })
        })
    }
}

//! The parameters of an Inform (TR-069a6 A.3.3.1): forced ones, those of InformParameter rows, and watched ones whose
//! value the ACS does not know yet.
//!
//! The ACS knows a value when it has answered an Inform that carried it, when it has set it itself, and when it has
//! switched notification on. A watched parameter of which nothing is recorded (first start, new instance) counts as
//! known as it is: it is recorded with the next answered Inform and causes no `4 VALUE CHANGE`. What is recorded is
//! saved with the attributes, so a change while the box was down is found again.
//!
//! An Inform must come through whatever the sources do: what cannot be read is left out.

use std::collections::HashSet;

use cwmp_core::{event::EventCode, io::DataReply, rpc::ParameterValueStruct};

use crate::{
    attributes::{fingerprint, is_active, is_in_inform},
    limits,
    model::{DataModel, Reading},
    snapshot::{Entry, Snapshot},
};

const INFORM_PARAMETER: &str = "Device.ManagementServer.InformParameter.";

/// ParameterList in the making: each parameter once.
#[derive(Default)]
struct Carried {
    names: HashSet<String>,
    parameters: Vec<ParameterValueStruct>,
}

impl Carried {
    /// `name` is the full name with instance numbers.
    fn add(&mut self, name: String, entry: &Entry<'_>, snapshot: &Snapshot) {
        if self.names.insert(name) {
            let name = snapshot.shown_name(entry);
            let (value_type, value) = (Some(entry.value_type), entry.text.to_owned());
            self.parameters.push(ParameterValueStruct { name, value_type, value });
        }
    }
}

/// A watched parameter.
struct Watched<'a> {
    name: String,
    entry: Entry<'a>,
    notification: u8,
    now: u64,
    /// What the ACS knows; `None` where nothing is recorded.
    known: Option<u64>,
}

impl Watched<'_> {
    fn is_news(&self) -> bool {
        self.known.is_some_and(|known| known != self.now)
    }
}

impl DataModel {
    pub(crate) async fn inform(&mut self, events: &[EventCode]) -> DataReply {
        let mut names: Vec<&str> = self.forced.iter().map(String::as_str).chain([INFORM_PARAMETER]).collect();
        names.extend(self.watched_names(is_in_inform));
        let mut carried = Carried::default();
        let Some(snapshot) = self.read_to_tell(&names).await else {
            return DataReply::Inform { parameters: Vec::new(), value_change: false };
        };
        for name in &self.forced {
            match snapshot.parameter(name) {
                Some(found) => carried.add(name.clone(), &found.entry, &snapshot),
                None => tracing::warn!("the Inform goes without {name}: no source delivered it"),
            }
        }
        let rows = configured(&snapshot, events);
        if !rows.is_empty() {
            self.add_configured(&rows, &mut carried).await;
        }
        let (mut value_change, mut reported) = (false, Vec::new());
        for watched in self.watched(&snapshot) {
            if watched.is_news() {
                if carried.parameters.len() >= limits::INFORM_PARAMETERS
                    && !carried.names.contains(&watched.name)
                {
                    continue;
                }
                value_change = true;
                carried.add(watched.name.clone(), &watched.entry, &snapshot);
            }
            if watched.known != Some(watched.now) {
                reported.push((watched.name, watched.now));
            }
        }
        self.reported = reported;
        DataReply::Inform { parameters: carried.parameters, value_change }
    }

    /// The ACS has answered the Inform.
    pub(crate) async fn inform_delivered(&mut self) {
        let reported = std::mem::take(&mut self.reported);
        let news = !reported.is_empty();
        if news {
            self.attributes.known.extend(reported.iter().cloned());
            if self.attributes.is_full() {
                // Rows watched by default have come and gone: what is dropped is recorded anew if it is still there.
                let set = &self.attributes.set;
                self.attributes.known.retain(|name, _| set.contains_key(name));
                self.attributes.known.extend(reported.into_iter().take(limits::ATTRIBUTES));
            }
        }
        if news || self.unsaved.get() {
            self.save_attributes().await;
        }
    }

    /// Whether a parameter with active notification differs from what the ACS knows, so that a session is owed. Sources
    /// that fail are passed over.
    pub async fn check_watched(&mut self) -> bool {
        let names: Vec<&str> = self.watched_names(is_active).collect();
        if names.is_empty() {
            return false;
        }
        let Some(snapshot) = self.read_or_log(&names).await else { return false };
        self.watched(&snapshot).any(|watched| is_active(watched.notification) && watched.is_news())
    }

    /// What a lenient reading gives.
    pub(crate) async fn read_or_log(&self, names: &[&str]) -> Option<Snapshot> {
        let read = self.read(names, Reading::Lenient).await;
        read.inspect_err(|fault| tracing::warn!("watched parameters could not be read: {fault}")).ok()
    }

    /// The same, with names as the ACS is to see them.
    pub(crate) async fn read_to_tell(&self, names: &[&str]) -> Option<Snapshot> {
        let mut snapshot = self.read_or_log(names).await?;
        if self.addressing.get().instance_alias
            && let Err(fault) = snapshot.show_aliases()
        {
            tracing::warn!("the ACS is told of instances by their numbers: {fault}");
        }
        Some(snapshot)
    }

    /// What to read for parameters with such a notification; those watched by default are active.
    fn watched_names(&self, such: fn(u8) -> bool) -> impl Iterator<Item = &str> {
        let set = self.attributes.set.iter().filter(move |(_, set)| set.notification.is_some_and(such));
        self.watched_by_default.iter().map(String::as_str).chain(set.map(|(name, _)| name.as_str()))
    }

    fn watched<'a>(&'a self, snapshot: &'a Snapshot) -> impl Iterator<Item = Watched<'a>> {
        let all = snapshot.parameters("").into_iter().flatten();
        all.filter_map(|found| {
            let (notification, _) =
                self.attributes.of_parts(found.entry.object, found.entry.name, found.rule);
            if !is_in_inform(notification) {
                return None;
            }
            let name = found.full_name();
            let known = self.attributes.known.get(&name).copied();
            let now = fingerprint(found.entry.text);
            Some(Watched { name, entry: found.entry, notification, now, known })
        })
    }

    /// Adds what InformParameter rows ask for. Targets that are not there are passed over (TR-181 InformParameter).
    async fn add_configured(&self, rows: &[String], carried: &mut Carried) {
        let names: Vec<&str> = rows.iter().map(String::as_str).collect();
        let Some(snapshot) = self.read_to_tell(&names).await else { return };
        let mut wanted = Vec::new();
        for row in names {
            snapshot.expand(row, &mut wanted);
        }
        for name in &wanted {
            for found in snapshot.parameters(name).into_iter().flatten() {
                if carried.parameters.len() >= limits::INFORM_PARAMETERS {
                    return;
                }
                carried.add(found.full_name(), &found.entry, &snapshot);
            }
        }
    }
}

/// ParameterNames of the enabled rows for one of these events; an empty EventList stands for every event.
fn configured(snapshot: &Snapshot, events: &[EventCode]) -> Vec<String> {
    let Ok(parameters) = snapshot.parameters(INFORM_PARAMETER) else { return Vec::new() };
    let all: Vec<_> = parameters.map(|found| found.entry).collect();
    let mut names = Vec::new();
    for row in all.chunk_by(|a, b| a.object == b.object) {
        let value = |name| row.iter().find(|entry| entry.name == name).map_or("", |entry| entry.text);
        let list = value("EventList");
        let applies = list.trim().is_empty()
            || list.split(',').any(|wanted| events.iter().any(|event| event.as_str() == wanted.trim()));
        let name = value("ParameterName");
        if ["true", "1"].contains(&value("Enable")) && applies && !name.is_empty() {
            names.push(name.to_owned());
        }
    }
    names
}

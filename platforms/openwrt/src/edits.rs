//! What a call of the ACS changes: edits of the configuration, gathered over all objects, committed together.
//!
//! An object asks for the package it writes ([`Edits::package`]) and says what it is to be. What is so already is no edit, so
//! a call that changes nothing writes nothing and reloads nothing. Reading from [`PackageEdits`] shows what the edits before
//! have made of the package.

use std::{collections::BTreeMap, rc::Rc};

use cwmp_core::rpc::Status;
use cwmp_platform::source::SourceError;
use cwmp_ubus::Table;
use cwmp_uci::{Committed, Edit, Package, Section};

use crate::{bus::config_change, ground::Ground, objects::FIREWALL, survey::Survey};

/// The order in which packages are committed and reloaded; others follow.
const ORDER: [&str; 5] = ["system", "network", "wireless", "dhcp", "firewall"];
/// Packages whose reload may restart what carries the session: netifd and the firewall.
const CARRIES_SESSION: [&str; 3] = ["network", "wireless", "firewall"];

/// Edits of one call.
pub(crate) struct Edits {
    survey: Rc<Survey>,
    packages: BTreeMap<String, PackageEdits>,
    calls: Vec<BusCall>,
}

/// A call of the bus that makes something happen once everything is committed and reloaded.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BusCall {
    pub(crate) object: String,
    pub(crate) method: String,
    pub(crate) arguments: Table,
}

/// Edits of one package.
pub(crate) struct PackageEdits {
    package: Rc<Package>,
    edits: Vec<Edit>,
    /// Values that edits have set, by section and option; none for an option that is gone.
    values: BTreeMap<(String, String), Vec<String>>,
    /// Sections that edits have added, with their types.
    added: Vec<(String, String)>,
    deleted: Vec<String>,
}

impl Edits {
    pub(crate) fn new(survey: Rc<Survey>) -> Self {
        Self { survey, packages: BTreeMap::new(), calls: Vec::new() }
    }

    pub(crate) fn survey(&self) -> &Rc<Survey> {
        &self.survey
    }

    /// The package as the edits so far make it.
    ///
    /// # Errors
    /// The package cannot be read.
    pub(crate) async fn package(&mut self, name: &str) -> Result<&mut PackageEdits, SourceError> {
        if !self.packages.contains_key(name) {
            let package = self.survey.uci(name).await?;
            self.packages.insert(name.to_owned(), PackageEdits::of(package));
        }
        self.packages.get_mut(name).ok_or_else(|| SourceError::new(format!("there is no package {name}")))
    }

    /// A call of the bus after everything else: what a command of the model does.
    pub(crate) fn call(&mut self, object: impl Into<String>, method: &str, arguments: Table) {
        self.calls.push(BusCall { object: object.into(), method: method.to_owned(), arguments });
    }

    /// Names of the packages that are changed, in the order of their commits.
    pub(crate) fn changed(&self) -> Vec<&str> {
        let is_changed = |name: &&str| self.packages.get(*name).is_some_and(|edits| !edits.edits.is_empty());
        let others = self.packages.keys().map(String::as_str).filter(|name| !ORDER.contains(name));
        ORDER.into_iter().chain(others).filter(is_changed).collect()
    }

    /// Commits everything, package by package, and has it reloaded. Where one package cannot be written, those before get
    /// their former content back.
    ///
    /// # Errors
    /// [`SourceError`]; then nothing is changed, unless the text says so.
    pub(crate) async fn commit(self) -> Result<Status, SourceError> {
        let ground = Rc::clone(self.survey.ground());
        let mut done: Vec<(String, Committed)> = Vec::new();
        for name in self.changed() {
            let Some(edits) = self.packages.get(name) else { continue };
            let (uci, package, list) = (ground.uci.clone(), name.to_owned(), edits.edits.clone());
            let committed = tokio::task::spawn_blocking(move || uci.commit(&package, &list)).await;
            match committed
                .map_err(|error| error.to_string())
                .and_then(|done| done.map_err(|e| e.to_string()))
            {
                Ok(committed) => done.push((name.to_owned(), committed)),
                Err(why) => return Err(SourceError::new(put_back(&ground, done, why).await)),
            }
        }
        let changed = done.into_iter().filter(|(_, committed)| committed.changed()).map(|(name, _)| name);
        let mut status = reload(&ground, changed).await;
        for BusCall { object, method, arguments } in &self.calls {
            let called = ground.bus.call(object, method, arguments).await;
            called.map_err(|error| SourceError::new(error.to_string()))?;
            status = status.and(Status::Committed);
        }
        Ok(status)
    }
}

/// Puts former contents back after a failure; says what became of it.
async fn put_back(ground: &Ground, done: Vec<(String, Committed)>, why: String) -> String {
    let mut text = why;
    for (name, committed) in done.into_iter().rev() {
        let (uci, package) = (ground.uci.clone(), name.clone());
        let restored =
            tokio::task::spawn_blocking(move || uci.restore(&package, &committed.before).map(|_| ())).await;
        match restored {
            Ok(Ok(())) => {}
            Ok(Err(error)) => text.push_str(&format!("; {name} stays changed: {error}")),
            Err(error) => text.push_str(&format!("; {name} stays changed: {error}")),
        }
    }
    text
}

/// Tells procd which packages have changed. It reloads what uses them, about a second later: the answer to the ACS is on its
/// way by then. A bus that does not answer leaves the change for the next start of the services.
pub(crate) async fn reload(ground: &Ground, packages: impl IntoIterator<Item = String>) -> Status {
    let mut status = Status::Applied;
    for package in packages {
        if package == FIREWALL {
            ground.firewall_changed.notify_one();
        }
        let told = ground.bus.call("service", "event", &config_change(&package)).await;
        let carries = CARRIES_SESSION.contains(&package.as_str());
        if let Err(error) = &told {
            tracing::error!("{package} is changed, but not reloaded: {error}");
        }
        if carries || told.is_err() {
            status = Status::Committed;
        }
    }
    status
}

impl PackageEdits {
    fn of(package: Rc<Package>) -> Self {
        let (edits, values, added, deleted) = Default::default();
        Self { package, edits, values, added, deleted }
    }

    /// Whether there is a section of this name.
    pub(crate) fn has(&self, section: &str) -> bool {
        self.is_added(section) || self.section(section).is_some()
    }

    /// A section as it is in the file, unless an edit has deleted it.
    pub(crate) fn section(&self, section: &str) -> Option<&Section> {
        let is_deleted = self.deleted.iter().any(|deleted| deleted == section);
        self.package.section(section).filter(|_| !is_deleted)
    }

    fn is_added(&self, section: &str) -> bool {
        self.added.iter().any(|(name, _)| name == section)
    }

    /// All values of an option; none where it is not set.
    pub(crate) fn list(&self, section: &str, option: &str) -> Vec<String> {
        if let Some(values) = self.values.get(&(section.to_owned(), option.to_owned())) {
            return values.clone();
        }
        let values = self.section(section).map(|section| section.list(option)).unwrap_or_default();
        values.into_iter().map(str::to_owned).collect()
    }

    /// The value of an option, of a list the last one.
    pub(crate) fn get(&self, section: &str, option: &str) -> Option<String> {
        match self.values.get(&(section.to_owned(), option.to_owned())) {
            Some(values) => values.last().cloned(),
            None => self.section(section)?.get(option).map(str::to_owned),
        }
    }

    /// Sets an option; an empty value removes it, for UCI knows no difference.
    pub(crate) fn set(&mut self, section: &str, option: &str, value: &str) {
        if value.is_empty() {
            return self.unset(section, option);
        }
        let is_list =
            self.section(section).and_then(|section| section.option(option)).is_some_and(|o| o.is_list());
        if !is_list && self.get(section, option).as_deref() == Some(value) {
            return;
        }
        self.remember(section, option, vec![value.to_owned()]);
        let (section, option) = (section.to_owned(), option.to_owned());
        self.edits.push(Edit::Set { section, option, value: value.to_owned() });
    }

    /// Sets a list; an empty one removes the option.
    pub(crate) fn set_list(&mut self, section: &str, option: &str, values: Vec<String>) {
        if self.list(section, option) == values {
            return;
        }
        if values.is_empty() {
            return self.unset(section, option);
        }
        self.remember(section, option, values.clone());
        let (section, option) = (section.to_owned(), option.to_owned());
        self.edits.push(Edit::SetList { section, option, values });
    }

    /// Removes an option.
    pub(crate) fn unset(&mut self, section: &str, option: &str) {
        if self.list(section, option).is_empty() {
            return;
        }
        self.remember(section, option, Vec::new());
        self.edits.push(Edit::Unset { section: section.to_owned(), option: option.to_owned() });
    }

    /// Sets a boolean option; where `usual` is what holds without it, the option goes.
    pub(crate) fn set_bool(&mut self, section: &str, option: &str, value: bool, usual: bool) {
        match value == usual {
            true => self.unset(section, option),
            false => self.set(section, option, if value { "1" } else { "0" }),
        }
    }

    /// Adds a section with a name; one that is there already stays as it is.
    pub(crate) fn add(&mut self, kind: &str, name: &str) {
        if self.has(name) {
            return;
        }
        self.added.push((name.to_owned(), kind.to_owned()));
        self.edits.push(Edit::AddSection { kind: kind.to_owned(), name: Some(name.to_owned()) });
    }

    /// Deletes a section.
    pub(crate) fn delete(&mut self, section: &str) {
        if !self.has(section) {
            return;
        }
        self.added.retain(|(name, _)| name != section);
        self.values.retain(|(of, _), _| of != section);
        self.deleted.push(section.to_owned());
        self.edits.push(Edit::DeleteSection { section: section.to_owned() });
    }

    fn remember(&mut self, section: &str, option: &str, values: Vec<String>) {
        self.values.insert((section.to_owned(), option.to_owned()), values);
    }
}

//! The book of the ACS: what it was promised, what it was told, and what it must find. It outlives every power cut of the
//! box, and whatever contradicts it is a finding.

use std::collections::{BTreeMap, BTreeSet};

use cwmp_core::{
    event::{EventCode, EventStruct},
    rpc::{Inform, TransferComplete},
};

use super::{
    calls::uuid,
    expected::{Expected, KEY},
    promise::{Kind, Owed, Promise, Told},
};

/// Whether an event that belongs to a state of the box, not to a call, is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// The next Inform must have it.
    Surely,
    /// It may have it: it was answered, or the call that leads to it was not.
    Perhaps,
    /// No Inform may have it.
    No,
}

/// What is true of the box, whatever it says.
pub(super) struct Truth {
    /// The firmware that runs.
    pub(super) runs: String,
    /// The configuration in force; `None` where nobody knows.
    pub(super) in_force: Option<String>,
    /// UUIDs of the deployment units that it has; `None` where nobody knows.
    pub(super) units: Option<Vec<String>>,
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Book {
    /// What the tree is after a factory reset.
    factory: Expected,
    /// What the tree must be.
    tree: Expected,
    /// Or this, while the ACS does not know whether its last call took effect.
    next: Option<Expected>,
    pub(super) promises: Vec<Promise>,
    /// Calls that promise something and were answered.
    pub(super) answered: usize,
    pub(super) bootstrap: Due,
    /// The newer tree comes with a `0 BOOTSTRAP`, and whether because of a factory reset.
    renewal: Option<Renewal>,
    boot: Due,
    pub(super) boots: u32,
    /// The box also boots by itself, and nobody takes that down.
    pub(super) boots_unseen: bool,
    /// Values that the ACS knows, of what a `4 VALUE CHANGE` may be about.
    known: BTreeMap<String, String>,
    /// Rows of the hosts by number.
    hosts: BTreeMap<u32, String>,
    /// Uploads that have arrived, by key.
    pub(super) uploads: BTreeSet<String>,
    /// The power was cut, or the disk was full.
    pub(super) disturbed: bool,
    /// The program has died alone. An image that it was writing counts as failed then, since nobody can tell how much of it
    /// was written; it may run after a later boot nevertheless.
    pub(super) crashed: bool,
    /// The disk was full once: what the ACS knows may not have been kept, so a changed value may be told twice.
    pub(super) full: bool,
    /// What the box has broken first.
    pub(super) finding: Option<String>,
}

/// What makes the box begin anew with its ACS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Renewal {
    Reset,
    NewAcs,
}

impl Book {
    /// Of a new box with these settings.
    pub(super) fn new(factory: Expected) -> Self {
        Self {
            tree: factory.clone(),
            factory,
            next: None,
            promises: Vec::new(),
            answered: 0,
            bootstrap: Due::Surely,
            renewal: None,
            boot: Due::No,
            boots: 0,
            boots_unseen: false,
            known: BTreeMap::new(),
            hosts: BTreeMap::new(),
            uploads: BTreeSet::new(),
            disturbed: false,
            crashed: false,
            full: false,
            finding: None,
        }
    }

    pub(super) fn found(&mut self, finding: impl Into<String>) {
        self.finding.get_or_insert(finding.into());
    }

    /// The box boots, for whatever reason.
    pub(super) fn booted(&mut self) {
        self.boots += 1;
        self.boot = Due::Surely;
    }

    /// The program starts again in the same boot, which it reports once. A reset in the midst of this forgets a boot that is not
    /// yet reported, or the name of one that is, which then is reported again.
    pub(super) fn program_started_again(&mut self) {
        if self.renewal == Some(Renewal::Reset) {
            self.boot = Due::Perhaps;
        }
    }

    /// The tree that the ACS takes for granted.
    pub(super) fn tree(&self) -> &Expected {
        &self.tree
    }

    /// The tree of the factory settings.
    pub(super) fn factory(&self) -> &Expected {
        &self.factory
    }

    fn trees(&self) -> impl Iterator<Item = &Expected> {
        self.next.iter().chain([&self.tree])
    }

    /// A call is sent that leads to this tree; `renewal` is what else comes of it.
    pub(super) fn calls(&mut self, next: Expected, renewal: Option<Renewal>) {
        self.next = Some(next);
        if renewal.is_some() {
            self.renewal = renewal;
            self.bootstrap = Due::Perhaps;
        }
    }

    /// The call was answered: it has taken effect, or it will before the next session.
    pub(super) fn took_effect(&mut self) {
        self.settle(true);
        if self.renewal.is_some() {
            self.bootstrap = Due::Surely;
            self.promises.iter_mut().for_each(|promise| promise.owed = promise.owed.at_most(Owed::Perhaps));
        }
    }

    /// The call was refused.
    pub(super) fn had_no_effect(&mut self) {
        self.settle(false);
        if self.renewal.take().is_some() {
            self.bootstrap = Due::No;
        }
    }

    /// It is known whether the last call took effect.
    fn settle(&mut self, took_effect: bool) {
        if let Some(next) = self.next.take().filter(|_| took_effect) {
            self.tree = next;
        }
    }

    pub(super) fn promise(&mut self, kind: Kind, key: String) {
        let boot = self.boots;
        self.promises.push(Promise { kind, key, owed: Owed::Perhaps, boot, told: Told::No, report: None });
    }

    /// The last call that promises something was answered.
    pub(super) fn promised(&mut self, owed: Owed) {
        if let Some(promise) = self.promises.last_mut() {
            promise.owed = owed;
            self.answered += usize::from(owed == Owed::Surely);
        }
    }

    /// A transfer is being cancelled, or was.
    pub(super) fn cancels(&mut self, key: &str, owed: Owed) {
        for promise in self.promises.iter_mut().filter(|promise| promise.key == key) {
            promise.owed = promise.owed.at_most(owed);
        }
    }

    /// Whether there is something that must still be told.
    pub(super) fn owes(&self) -> bool {
        self.promises.iter().any(|promise| promise.owed == Owed::Surely && promise.told == Told::No)
    }

    /// Whether the ACS does not know what has become of its last call.
    pub(super) fn is_unsettled(&self) -> bool {
        self.next.is_some() || self.renewal.is_some() || self.bootstrap == Due::Surely
    }

    /// What is still to be told.
    pub(super) fn debts(&self) -> String {
        let open =
            self.promises.iter().filter(|promise| promise.owed == Owed::Surely && promise.told == Told::No);
        open.map(|promise| format!("{} {}", promise.event().as_str(), promise.key))
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// An Inform has come, addressed to `url`.
    pub(super) fn informed(&mut self, inform: &Inform, url: &str) {
        let has = |code: &EventCode| inform.events.iter().any(|event| event.code == *code);
        self.bootstraps(has(&EventCode::Bootstrap));
        match (self.boot, has(&EventCode::Boot)) {
            (Due::Surely, false) => self.found("the box has booted and reports no 1 BOOT"),
            (Due::No, true) if !self.boots_unseen => {
                self.found("1 BOOT is reported and the box has not booted since the last one");
            }
            _ => {}
        }
        if self.trees().all(|tree| tree.url() != url) {
            let right = self.tree().url().to_owned();
            self.found(format!("the box calls {url} instead of {right}"));
        }
        let key = inform.parameters.iter().find(|parameter| parameter.name == KEY).map(|found| &found.value);
        if self.trees().all(|tree| tree.values.get(KEY) != key) {
            let right = self.tree().values.get(KEY).cloned();
            self.found(format!("the ParameterKey is {key:?} instead of {right:?}"));
        }
        self.look_at_events(inform);
        if has(&EventCode::ValueChange) && !self.full {
            let news = |(name, value): (&String, &String)| self.known.get(name) != Some(value);
            let watched = inform.parameters.iter().map(|parameter| (&parameter.name, &parameter.value));
            if !watched.into_iter().any(news) {
                self.found("4 VALUE CHANGE is reported and the ACS knows all values");
            }
        }
    }

    fn bootstraps(&mut self, has: bool) {
        match (self.bootstrap, has) {
            (Due::Surely, false) => self.found("0 BOOTSTRAP is missing"),
            (Due::No, true) => self.found("0 BOOTSTRAP is reported, which the ACS has answered before"),
            _ => {}
        }
        match (self.renewal.take(), has) {
            (Some(renewal), true) => {
                self.settle(true);
                for promise in &mut self.promises {
                    let forgotten = if renewal == Renewal::Reset { Owed::Never } else { Owed::Perhaps };
                    promise.owed = promise.owed.at_most(forgotten);
                }
                if renewal == Renewal::Reset {
                    self.hosts.clear();
                    self.known.clear();
                }
            }
            (Some(_), false) => {
                self.settle(false);
                self.bootstrap = Due::No;
            }
            // Answered before, and not repeated: the box has heard it.
            (None, false) => self.bootstrap = Due::No,
            (None, true) => {}
        }
    }

    fn look_at_events(&mut self, inform: &Inform) {
        let (mut scheduled, mut transferred, mut installed) = (false, false, false);
        let mut seen: Vec<&EventStruct> = Vec::new();
        for event in &inform.events {
            if seen.contains(&event) {
                self.found(format!("{} is listed twice", name(event)));
            }
            seen.push(event);
            if !event.code.is_multiple() {
                continue;
            }
            let (boots, unseen) = (self.boots, self.boots_unseen);
            let known = self
                .promises
                .iter()
                .find(|known| known.event() == event.code && known.key == event.command_key.as_str());
            let wrong = match known {
                None => Some("nobody has asked for it"),
                Some(known) if known.owed == Owed::Never => Some("it was refused, cancelled or reset"),
                Some(known) if known.told == Told::Done => Some("the ACS has been told before"),
                Some(known) if known.kind == Kind::Reboot && known.boot == boots && !unseen => {
                    Some("there was no boot")
                }
                Some(known) => {
                    scheduled |= known.kind == Kind::ScheduleInform;
                    transferred |= known.is_transfer();
                    installed |= known.kind == Kind::Install;
                    None
                }
            };
            if let Some(wrong) = wrong {
                self.found(format!("{} is reported: {wrong}", name(event)));
            }
        }
        let has = |code: EventCode| inform.events.iter().any(|event| event.code == code);
        if has(EventCode::Scheduled) != scheduled || has(EventCode::TransferComplete) != transferred {
            self.found("3 SCHEDULED or 7 TRANSFER COMPLETE stand alone, or are missing");
        }
        if has(EventCode::DuStateChangeComplete) != installed {
            self.found("11 DU STATE CHANGE COMPLETE stands alone, or is missing");
        }
        if has(EventCode::AutonomousDuStateChangeComplete) {
            self.found("a unit that the ACS has ordered is reported as one that it has not");
        }
    }

    /// The ACS has answered the Inform; `heard` once the box has gone on.
    pub(super) fn inform_answered(&mut self, inform: &Inform, heard: bool) {
        let told = if heard { Told::Done } else { Told::Answered };
        let due = if heard { Due::No } else { Due::Perhaps };
        for event in &inform.events {
            match event.code {
                EventCode::Bootstrap => self.bootstrap = due,
                EventCode::Boot => self.boot = due,
                EventCode::MReboot | EventCode::MScheduleInform => {
                    let known = self
                        .promises
                        .iter_mut()
                        .find(|known| known.event() == event.code && known.key == event.command_key.as_str());
                    if let Some(known) = known {
                        known.told = told;
                    }
                }
                _ => {}
            }
        }
        if heard {
            let values = inform.parameters.iter();
            self.known.extend(values.map(|parameter| (parameter.name.clone(), parameter.value.clone())));
        }
    }

    /// The ACS knows these values, by setting or reading them.
    pub(super) fn knows(&mut self, values: &BTreeMap<String, String>) {
        self.known.extend(values.iter().map(|(name, value)| (name.clone(), value.clone())));
    }

    /// A TransferComplete has come, or what a DUStateChangeComplete says of its unit, in a session with these events.
    pub(super) fn reported(&mut self, report: &TransferComplete, events: &[EventStruct], truth: &Truth) {
        let key = report.command_key.as_str();
        let Some(at) = self.promises.iter().position(|known| known.is_reported() && known.key == key) else {
            return self.found(format!("a report of {key}, which nobody has asked for"));
        };
        let Some(promise) = self.promises.get(at) else { return };
        let listed = |event: &EventStruct| event.code == promise.event() && event.command_key.as_str() == key;
        let success = report.fault.code.0 == 0;
        let wrong = if promise.owed == Owed::Never {
            Some("it was refused, cancelled or reset".to_owned())
        } else if promise.told == Told::Done {
            Some("the ACS has answered it before".to_owned())
        } else if promise.report.as_ref().is_some_and(|first| first != report) {
            Some(format!("it was another one before: {:?}", promise.report))
        } else if !events.iter().any(listed) {
            Some("its event is not in the Inform".to_owned())
        } else if !self.disturbed && success != promise.succeeds() {
            Some(format!("the outcome is wrong: {:?}", report.fault))
        } else {
            self.lie(at, success, truth)
        };
        if let Some(wrong) = wrong {
            return self.found(format!("the report of {key}: {wrong}"));
        }
        if let Some(promise) = self.promises.get_mut(at) {
            promise.report = Some(report.clone());
        }
    }

    /// Why the outcome is not what has happened to the box.
    fn lie(&self, at: usize, success: bool, truth: &Truth) -> Option<String> {
        let promise = self.promises.get(at)?;
        // What came later may have taken its place.
        let later =
            || self.promises.iter().filter(|other| other.key != promise.key && other.owed != Owed::Never);
        if let Some(image) = promise.image() {
            let runs = truth.runs.as_str();
            let replaced = later().filter_map(Promise::image).any(|other| other == runs);
            if success && (runs != image && !replaced || !promise.succeeds()) {
                return Some(format!("success, and the box runs {runs}"));
            }
            if !success && runs == image && !self.crashed {
                return Some(format!("failure, and the box runs {runs}"));
            }
        }
        if let (Some(configuration), Some(in_force)) = (promise.configuration(), truth.in_force.as_deref()) {
            let replaced = later().filter_map(Promise::configuration).any(|other| other == in_force);
            if success && in_force != configuration && !replaced {
                return Some(format!("success, and the configuration in force is {in_force}"));
            }
        }
        if let (Kind::Install, Some(units)) = (promise.kind, &truth.units) {
            let has = units.contains(&uuid(&promise.key));
            if has != success {
                return Some(format!("success is {success}, and the box has these units: {units:?}"));
            }
        }
        (promise.kind == Kind::Upload && success && !self.uploads.contains(&promise.key))
            .then(|| "success, and the server has no file".to_owned())
    }

    /// The ACS has answered such a report; `heard` once the box has gone on.
    pub(super) fn report_answered(&mut self, key: &str, heard: bool) {
        let transfers = self.promises.iter_mut().filter(|known| known.is_reported() && known.key == key);
        for promise in transfers {
            promise.told = if heard { Told::Done } else { Told::Answered };
        }
    }

    /// The ACS has read [`super::expected::READ`].
    pub(super) fn values_read(&mut self, read: &BTreeMap<String, String>) {
        if self.narrow(|tree| tree.values == *read) {
            self.knows(read);
        } else {
            let differences: Vec<_> = self.trees().map(|tree| tree.difference(read)).collect();
            self.found(format!("the parameters are wrong: {}", differences.join("; or ")));
        }
    }

    /// The ACS has read the attributes of [`super::expected::WATCHED`], and all else before.
    pub(super) fn attributes_read(&mut self, read: &BTreeMap<String, i32>) {
        if !self.narrow(|tree| tree.notifications == *read) {
            let right: Vec<_> = self.trees().map(|tree| &tree.notifications).collect();
            self.found(format!("the attributes are {read:?} instead of {right:?}"));
        }
        // Where both fit, nobody can tell them apart.
        self.settle(true);
    }

    /// Keeps the trees that fit what was read; gives whether there is one.
    fn narrow(&mut self, fits: impl Fn(&Expected) -> bool) -> bool {
        match (fits(&self.tree), self.next.as_ref().map(&fits)) {
            (true, Some(true)) => true,
            (true, _) => {
                self.next = None;
                true
            }
            (false, Some(true)) => {
                self.settle(true);
                true
            }
            (false, _) => false,
        }
    }

    /// The ACS has read the hosts: a number never stands for two of them, nor one for two numbers.
    pub(super) fn hosts_read(&mut self, read: &BTreeMap<u32, String>) {
        for (number, host) in read {
            let of_host = self.hosts.iter().find(|(_, known)| *known == host).map(|(number, _)| *number);
            let by_number = self.hosts.get(number).cloned();
            if of_host.is_some_and(|known| known != *number) || by_number.is_some_and(|known| known != *host)
            {
                let known = self.hosts.clone();
                self.found(format!("host {host} has number {number} now: {known:?}"));
            }
            self.hosts.insert(*number, host.clone());
        }
    }
}

impl Owed {
    fn at_most(self, bound: Owed) -> Owed {
        match (self, bound) {
            (Owed::Never, _) | (_, Owed::Never) => Owed::Never,
            (Owed::Perhaps, _) | (_, Owed::Perhaps) => Owed::Perhaps,
            (Owed::Surely, Owed::Surely) => Owed::Surely,
        }
    }
}

fn name(event: &EventStruct) -> String {
    format!("{} {}", event.code.as_str(), event.command_key.as_str())
}

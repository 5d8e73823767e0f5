//! The tree as the ACS sees it: sources, attributes and snapshots.

use std::{
    borrow::Cow,
    cell::Cell,
    collections::{BTreeMap, VecDeque},
    rc::Rc,
    time::Duration,
};

use cwmp_core::{
    fault::{CwmpFault, FaultCode},
    io::{DataOp, DataReply, SnapshotId},
    limits::DATA_TIMEOUT_MS,
};
use cwmp_platform::source::{Access, ObjectKind, ParameterSink, ParameterSource, SourceError, Wanted};
use tokio::time::{Instant, timeout_at};

use crate::{
    attributes::{AttributeError, AttributeStore, Attributes},
    facts::{Facet, Facts, Object, Place, VERSION, is_pattern, model_form},
    limits,
    snapshot::{Builder, Found, Snapshot, Unknown},
    transaction::{Call, NoLog, TransactionLog},
};

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The ACS: its changes carry the ParameterKey and are not reported back to it.
    Acs,
    /// Somebody on the box, the `Subscriber` of access lists: never changes the ParameterKey.
    Local,
}

/// What the ACS has chosen about aliases (TR-069a6 3.6.1); both are off from the factory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Addressing {
    /// InstanceMode is `InstanceAlias`: names in answers hold aliases in place of instance numbers.
    pub instance_alias: bool,
    /// AutoCreateInstances: SetParameterValues makes the instance of an unknown alias.
    pub auto_create: bool,
}

/// The parameter tree. One call runs at a time.
pub struct DataModel {
    pub(crate) facts: Facts,
    pub(crate) sources: Vec<Rc<dyn ParameterSource>>,
    pub(crate) store: Rc<dyn AttributeStore>,
    pub(crate) log: Rc<dyn TransactionLog>,
    pub(crate) call: Call,
    pub(crate) attributes: Attributes,
    /// Fingerprints that become known to the ACS when it has answered the last Inform.
    pub(crate) reported: Vec<(String, u64)>,
    /// Fingerprints that are known to the ACS once what it has set is durable.
    pub(crate) learnt: Vec<(String, u64)>,
    /// The attributes could not be saved.
    pub(crate) unsaved: Cell<bool>,
    /// What the model wants in every Inform and a source answers for.
    pub(crate) forced: Vec<String>,
    /// What the model watches from the start and a source answers for, with `*` for instances.
    pub(crate) watched_by_default: Vec<String>,
    /// Writable parameters whose values name rows and a source answers for, with `*` for instances.
    pub(crate) references: Vec<String>,
    /// Parameters that a source answers for in the object of another one, by full name.
    pub(crate) claimed: BTreeMap<&'static str, u8>,
    pub(crate) addressing: Rc<Cell<Addressing>>,
    snapshots: VecDeque<(SnapshotId, Rc<Snapshot>)>,
    last_snapshot: u32,
}

/// How a failing source counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// The call fails with 9002.
    Strict,
    /// As strict, and hidden values are kept: for putting values back. Never to be listed.
    BeforeImage,
    /// What it has is left out.
    Lenient,
}

pub(crate) const PARAMETER_KEY: &str = "Device.ManagementServer.ParameterKey";
/// How the name of every parameter ends that counts instances (TR-106).
pub(crate) const COUNT_SUFFIX: &str = "NumberOfEntries";
const ROOT: &str = "Device.";
const MANAGEMENT_SERVER: &str = "Device.ManagementServer.";
const TIMEOUT: Duration = Duration::from_millis(DATA_TIMEOUT_MS);

impl DataModel {
    /// A tree of these sources; attributes are loaded from the store.
    #[must_use]
    pub fn new(mut sources: Vec<Rc<dyn ParameterSource>>, store: Rc<dyn AttributeStore>) -> Self {
        if sources.len() > limits::SOURCES {
            tracing::error!(
                "{} parameter sources: those beyond {} are left out",
                sources.len(),
                limits::SOURCES
            );
            sources.truncate(limits::SOURCES);
        }
        let facts = Facts::tr181();
        let (mut forced, mut watched_by_default, mut references) = (Vec::new(), Vec::new(), Vec::new());
        if let Some(root) = facts.root() {
            walk(root, &format!("{}.", root.name()), &mut |object, path| {
                if path != ROOT && !sources.iter().any(|source| source.objects().contains(&path)) {
                    return;
                }
                for parameter in object.parameters() {
                    let rule = parameter.rule();
                    if rule.is_forced_inform() {
                        forced.push([path, parameter.name()].concat());
                    }
                    if rule.is_force_enabled() || rule.is_force_default_enabled() {
                        watched_by_default.push([path, parameter.name()].concat().replace("{i}", "*"));
                    }
                    if rule.is_writable() && rule.facets().any(|facet| matches!(facet, Facet::PathRef(_))) {
                        references.push([path, parameter.name()].concat().replace("{i}", "*"));
                    }
                }
            });
        }
        let claims = (0_u8..).zip(&sources);
        let claims =
            claims.flat_map(|(index, source)| source.parameters().iter().map(move |name| (*name, index)));
        let claimed = claims.collect();
        Self {
            facts,
            sources,
            attributes: store.load(),
            store,
            log: Rc::new(NoLog),
            call: Call::default(),
            reported: Vec::new(),
            learnt: Vec::new(),
            unsaved: Cell::new(false),
            forced,
            watched_by_default,
            references,
            claimed,
            addressing: Rc::default(),
            snapshots: VecDeque::new(),
            last_snapshot: 0,
        }
    }

    /// InstanceMode and AutoCreateInstances are looked up here with each call: they belong to the source of
    /// `Device.ManagementServer.`, and asking it as a source would cost a read with every call of the ACS.
    #[must_use]
    pub fn with_addressing(mut self, addressing: Rc<Cell<Addressing>>) -> Self {
        self.addressing = addressing;
        self
    }

    /// Does what the agent asks.
    ///
    /// # Errors
    /// The fault to answer; then nothing has changed.
    pub async fn execute(&mut self, op: DataOp, origin: Origin) -> Result<DataReply, CwmpFault> {
        let done = self.perform(op, origin).await;
        self.keep_learnt(done.is_ok()).await;
        self.forget_survey();
        done
    }

    async fn perform(&mut self, op: DataOp, origin: Origin) -> Result<DataReply, CwmpFault> {
        self.learnt.clear();
        match op {
            DataOp::Inform { events } => Ok(self.inform(&events).await),
            DataOp::InformDelivered => {
                self.inform_delivered().await;
                Ok(DataReply::Done)
            }
            DataOp::Lightweight => Ok(self.lightweight().await),
            DataOp::Names { path, next_level } => self.names(&path, next_level, origin).await,
            DataOp::Values { names } | DataOp::Attributes { names } => self.parameters(&names, origin).await,
            DataOp::SetAttributes { entries } => {
                self.set_attributes(&entries).await.map(|()| DataReply::Done)
            }
            DataOp::Set { .. } | DataOp::Add { .. } | DataOp::Delete { .. } => {
                self.begin_call();
                let done = self.change(op, origin).await;
                self.end_call(done).await
            }
        }
    }

    async fn change(&mut self, op: DataOp, origin: Origin) -> Result<DataReply, CwmpFault> {
        match op {
            DataOp::Set { parameters, parameter_key } => {
                self.set(&parameters, &parameter_key, origin).await.map(DataReply::Status)
            }
            DataOp::Add { object_name, parameter_key } => {
                self.add(&object_name, &parameter_key, origin).await.map(DataReply::Added)
            }
            DataOp::Delete { object_name, parameter_key } => {
                self.delete(&object_name, &parameter_key, origin).await.map(DataReply::Status)
            }
            _ => Ok(DataReply::Done),
        }
    }

    /// Records that the ACS knows what it has set, unless that was taken back (`made` is false). Only now is the change one
    /// that no start undoes: recorded before, a power cut in between would report the former values as news.
    async fn keep_learnt(&mut self, made: bool) {
        let mut changed = false;
        for (name, now) in std::mem::take(&mut self.learnt).into_iter().filter(|_| made) {
            changed |= self.attributes.learn(name, now);
        }
        if changed {
            self.save_attributes().await;
        }
    }

    /// A snapshot that a listing names, until it is released.
    #[must_use]
    pub fn snapshot(&self, id: SnapshotId) -> Option<Rc<Snapshot>> {
        self.snapshots.iter().find(|(known, _)| *known == id).map(|(_, snapshot)| Rc::clone(snapshot))
    }

    /// The listing has been sent for good.
    pub fn release(&mut self, id: SnapshotId) {
        self.snapshots.retain(|(known, _)| *known != id);
    }

    /// Puts all attributes back to the defaults of the model and forgets aliases (factory reset).
    ///
    /// # Errors
    /// [`AttributeError`] when that cannot be written; nothing is forgotten then.
    pub async fn forget_attributes(&mut self) -> Result<(), AttributeError> {
        self.store.save(&Attributes::default()).await?;
        self.attributes = Attributes::default();
        Ok(())
    }

    /// GetParameterNames (TR-069a6 A.3.2.3).
    async fn names(&mut self, path: &str, next_level: bool, origin: Origin) -> Result<DataReply, CwmpFault> {
        let mut snapshot = self.read(&[path], Reading::Strict).await?;
        let mut count = 0;
        for name in expand(&snapshot, &[path])? {
            count += snapshot.mark_names(&name, next_level).map_err(unknown)?;
        }
        if next_level && !path.is_empty() && !path.ends_with('.') {
            let text = format!("{path} is a parameter: NextLevel must be false for it");
            return Err(CwmpFault::new(FaultCode::INVALID_ARGUMENTS, text));
        }
        self.keep(snapshot, count, origin)
    }

    /// GetParameterValues and GetParameterAttributes (A.3.2.2, A.3.2.5): the same entries, seen from two sides.
    async fn parameters(&mut self, names: &[String], origin: Origin) -> Result<DataReply, CwmpFault> {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut snapshot = self.read(&names, Reading::Strict).await?;
        let names = expand(&snapshot, &names)?;
        let names = names.iter().map(AsRef::as_ref).collect();
        let attributes = &self.attributes;
        let count = snapshot
            .mark_parameters(names, &|entry, rule| attributes.of_parts(entry.object, entry.name, rule));
        let count = count.map_err(unknown)?;
        self.keep(snapshot, count, origin)
    }

    fn keep(&mut self, mut snapshot: Snapshot, count: u32, origin: Origin) -> Result<DataReply, CwmpFault> {
        if origin == Origin::Acs && self.addressing.get().instance_alias {
            snapshot.show_aliases()?;
        }
        self.last_snapshot = self.last_snapshot.wrapping_add(1);
        let id = SnapshotId(self.last_snapshot);
        if self.snapshots.len() >= limits::SNAPSHOTS {
            tracing::warn!("a snapshot was never released: the oldest one is dropped");
            self.snapshots.pop_front();
        }
        self.snapshots.push_back((id, Rc::new(snapshot)));
        Ok(DataReply::Listing { snapshot: id, count })
    }

    /// Has every source forget what it has looked up.
    fn forget_survey(&self) {
        self.sources.iter().for_each(|source| source.forget());
    }

    /// Asks every source that has to do with the names, once each. What they have looked up lasts until the next reading: so
    /// a change is judged by what it was read with.
    pub(crate) async fn read(&self, names: &[&str], how: Reading) -> Result<Snapshot, CwmpFault> {
        let counted: Vec<String> = names.iter().filter_map(|name| self.counted_by(name)).collect();
        let paths: Vec<&str> = names.iter().copied().chain(counted.iter().map(String::as_str)).collect();
        let wanted = Wanted::new(&paths);
        let mut builder = Builder::new(self.facts).with_aliases(&self.attributes.aliases);
        if how == Reading::BeforeImage {
            builder = builder.unmasked();
        }
        let deadline = Instant::now() + TIMEOUT;
        self.forget_survey();
        for (index, source) in (0_u8..).zip(&self.sources) {
            let mut names = source.objects().iter().chain(source.parameters());
            if !names.any(|name| wanted.touches(name)) {
                continue;
            }
            // One source that hangs must not take the time of those that an Inform can still have.
            let deadline = if how == Reading::Lenient { Instant::now() + TIMEOUT } else { deadline };
            let savepoint = builder.begin_source(index);
            let done = timeout_at(deadline, source.read(&wanted, &mut builder)).await;
            if let Err(error) = done.unwrap_or_else(|_| Err(timed_out())) {
                let text = format!("source {}: {error}", source.name());
                if how != Reading::Lenient {
                    return Err(CwmpFault::new(FaultCode::INTERNAL_ERROR, text));
                }
                tracing::warn!("{text}: its parameters are left out");
                builder.back_to(savepoint);
            }
        }
        if wanted.touches(ROOT) {
            // Which model this is, the tree knows itself. A source that has more to say of the root goes first.
            builder.begin_tree();
            builder.object(ROOT, ObjectKind::Single);
            builder.parameter("RootDataModelVersion", &VERSION, Access::ReadOnly);
        }
        builder.finish()
    }

    /// The table whose instances a NumberOfEntries parameter counts.
    fn counted_by(&self, name: &str) -> Option<String> {
        if !name.ends_with(COUNT_SUFFIX) {
            return None;
        }
        let Place::Parameter(object, parameter) = self.facts.find(&model_form(name))? else { return None };
        let table = object.children().find(|child| child.rule().count() == Some(parameter.name()))?;
        let (object, _) = name.rsplit_once('.')?;
        Some(format!("{object}.{}.", table.name()))
    }

    /// The source that keeps the ParameterKey.
    pub(crate) fn key_owner(&self) -> Result<u8, CwmpFault> {
        let owner =
            (0_u8..).zip(&self.sources).find(|(_, source)| source.objects().contains(&MANAGEMENT_SERVER));
        owner.map(|(index, _)| index).ok_or_else(|| {
            CwmpFault::new(FaultCode::INTERNAL_ERROR, format!("no source answers for {MANAGEMENT_SERVER}"))
        })
    }

    /// The source that applies changes of a parameter.
    pub(crate) fn owner(&self, name: &str, found: &Found<'_>) -> Option<u8> {
        self.claimed.get(name).copied().or(found.source)
    }

    /// A source by its index.
    pub(crate) fn source(&self, index: u8) -> Result<Rc<dyn ParameterSource>, CwmpFault> {
        let source = self.sources.get(usize::from(index)).map(Rc::clone);
        source.ok_or_else(|| CwmpFault::new(FaultCode::INTERNAL_ERROR, format!("there is no source {index}")))
    }

    /// Writes the attributes with the aliases, which an answer promises.
    pub(crate) async fn save_aliases(&mut self) -> Result<(), CwmpFault> {
        if self.attributes.is_full() {
            let tree = self.read(&[""], Reading::Strict).await?;
            self.attributes.keep_those_of(&tree);
        }
        if self.attributes.is_full() {
            let text = format!("more than {} aliases", limits::ALIASES);
            return Err(CwmpFault::new(FaultCode::RESOURCES_EXCEEDED, text));
        }
        let saved = self.store.save(&self.attributes).await;
        saved.map_err(|error| CwmpFault::new(FaultCode::INTERNAL_ERROR, error.to_string()))
    }

    /// Writes the attributes; what could not be written is tried again with the next change or session.
    pub(crate) async fn save_attributes(&self) {
        let saved = self.store.save(&self.attributes).await;
        self.unsaved.set(saved.is_err());
        if let Err(error) = saved {
            tracing::warn!("what the ACS knows of watched parameters could not be saved: {error}");
        }
    }
}

/// The same wait for everything that a source is asked.
pub(crate) async fn in_time<T>(work: impl Future<Output = T>) -> Result<T, SourceError> {
    tokio::time::timeout(TIMEOUT, work).await.map_err(|_| timed_out())
}

fn timed_out() -> SourceError {
    SourceError::new(format!("no answer within {} s", TIMEOUT.as_secs()))
}

pub(crate) fn unknown(Unknown(name): Unknown) -> CwmpFault {
    let shown: String = name.chars().take(cwmp_core::limits::PARAMETER_NAME).collect();
    CwmpFault::new(FaultCode::INVALID_PARAMETER_NAME, format!("there is no `{shown}`"))
}

/// Names with instance numbers in place of names with `*` and `[alias]`; other names as they are. That a name is unknown
/// may come out later, when it is used.
pub(crate) fn expand<'n>(snapshot: &Snapshot, names: &[&'n str]) -> Result<Vec<Cow<'n, str>>, CwmpFault> {
    let (mut all, mut expanded) = (Vec::with_capacity(names.len()), Vec::new());
    for name in names {
        if !is_pattern(name) {
            all.push(Cow::Borrowed(*name));
        } else if !snapshot.expand(name, &mut expanded) {
            return Err(unknown(Unknown((*name).to_owned())));
        }
        if all.len() + expanded.len() > limits::EXPANDED_NAMES.max(names.len()) {
            let text = format!("the wildcards stand for more than {} names", limits::EXPANDED_NAMES);
            return Err(CwmpFault::new(FaultCode::RESOURCES_EXCEEDED, text));
        }
        all.extend(expanded.drain(..).map(Cow::Owned));
    }
    Ok(all)
}

/// Visits objects with their paths as in the model.
fn walk(object: Object, path: &str, visit: &mut dyn FnMut(Object, &str)) {
    let below =
        if object.is_table() && !path.ends_with("{i}.") { format!("{path}{{i}}.") } else { path.to_owned() };
    visit(object, &below);
    for child in object.children() {
        walk(child, &format!("{below}{}.", child.name()), visit);
    }
}

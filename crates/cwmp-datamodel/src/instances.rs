//! AddObject and DeleteObject (TR-069a6 A.3.2.6, A.3.2.7).
//!
//! Where one place holds the table and the ParameterKey, both change in one durable step. Otherwise the call is written
//! down first (`transaction.rs`): a power cut in between leaves all or nothing of it. Before a row is deleted, references
//! to it and the key are set, and set back when its source refuses, since a deletion cannot be taken back.

use cwmp_core::{
    fault::{CwmpFault, FaultCode},
    rpc::{AddObjectResponse, ParameterKey, Status},
};
use cwmp_platform::source::{Change, ObjectKind, ParameterSource, Storage};

use crate::{
    attributes::{Attributes, fingerprint},
    facts::{Place, alias_in},
    model::{DataModel, Origin, PARAMETER_KEY, Reading, in_time},
    set::Part,
    snapshot::{Address, Snapshot},
    transaction::{Deletion, Transaction, image_of},
};

impl DataModel {
    pub(crate) async fn add(
        &mut self,
        name: &str,
        key: &ParameterKey,
        origin: Origin,
    ) -> Result<AddObjectResponse, CwmpFault> {
        let (table, alias) = split_alias(name);
        let before = self.read_object(table).await?;
        let table = numbered(&before, table)?;
        let writable = before.object_rule(&table).is_none_or(crate::facts::Rule::is_writable);
        let source = match before.object(&table) {
            Some((ObjectKind::Table { addable: true }, Some(source))) if writable => source,
            _ => return Err(no_such(name, "is no table that takes instances")),
        };
        if let Some(alias) = alias {
            self.creatable(&before, &table, alias)
                .map_err(|text| no_such(name, &format!("cannot be: {text}")))?;
            if before.aliases(&table).any(|(_, taken)| taken == alias) {
                return Err(no_such(name, "is there already"));
            }
        }
        let (extra, apart) = self.key_change(&before, source, key, origin)?;
        let owner = self.source(source)?;
        if owner.storage() == Storage::Own && !(apart.is_empty() && alias.is_none()) {
            let parts = self.recorded(&apart, &|_| false).await?;
            let tables = vec![self.rows_of(&before, source, &table)?];
            self.announce(Transaction { parts, tables, ..Transaction::default() }, origin).await?;
        }
        let early = self.apply(&apart).await?;
        match in_time(owner.add(&table, &extra)).await.unwrap_or_else(|error| Err(internal(error))) {
            Ok((instance_number, status)) if instance_number > 0 => {
                // A number that was used before must not bring the attributes of then.
                let row = format!("{table}{instance_number}.");
                self.forget(&row).await;
                let named = self.name_row(&row, alias).await;
                let done = match named {
                    Ok(()) => self.commit().await,
                    Err(fault) => Err(fault),
                };
                if let Err(fault) = done {
                    let undo = former_key(&before).into_iter().filter(|_| !extra.is_empty());
                    let undo: Vec<Change> = undo.collect();
                    self.unmake(&*owner, &row, &undo).await;
                    self.take_back(&apart).await;
                    return Err(fault);
                }
                self.know_count(&table, origin).await;
                Ok(AddObjectResponse { instance_number, status: status.and(early) })
            }
            Ok(_) => {
                self.take_back(&apart).await;
                Err(internal(format!("source {} made an instance without a number", owner.name())))
            }
            Err(fault) => {
                self.take_back(&apart).await;
                Err(fault)
            }
        }
    }

    /// Deletes a row again: the call has failed.
    async fn unmake(&mut self, owner: &dyn ParameterSource, row: &str, undo: &[Change]) {
        self.forget(row).await;
        if self.call.settings_undone && owner.storage() == Storage::Settings {
            return;
        }
        if !matches!(in_time(owner.delete(row, undo)).await, Ok(Ok(_))) {
            tracing::error!("{row} of a call that failed stays");
            self.call.unsettled = true;
        }
    }

    /// A new row gets the alias that the ACS has chosen.
    async fn name_row(&mut self, row: &str, alias: Option<&str>) -> Result<(), CwmpFault> {
        let Some(alias) = alias else { return Ok(()) };
        self.attributes.set_alias(row, alias);
        let saved = self.save_aliases().await;
        if saved.is_err() {
            self.attributes.forget_below(row);
        }
        saved
    }

    pub(crate) async fn delete(
        &mut self,
        name: &str,
        key: &ParameterKey,
        origin: Origin,
    ) -> Result<Status, CwmpFault> {
        let before = self.read_object(name).await?;
        let instance = numbered(&before, name)?;
        let source = match before.object(&instance) {
            Some((ObjectKind::Instance { deletable: true }, Some(source))) => source,
            _ => return Err(no_such(name, "is no instance that can be deleted")),
        };
        let (extra, apart) = self.key_change(&before, source, key, origin)?;
        // What is set before the row goes, and set back when it stays.
        let mut first = self.without_references(&instance).await;
        first.extend(apart);
        let owner = self.source(source)?;
        let pair = |change: &Change| (change.name.clone(), change.value.clone());
        let deletion = Deletion {
            source: owner.name().to_owned(),
            instance: instance.clone(),
            extra: extra.iter().map(pair).collect(),
            image: image_of(&*owner, &extra, Some(&instance)).await?,
            aliases: self.attributes.aliases_below(&instance),
        };
        let parts = self.recorded(&first, &|_| false).await?;
        let deletion = Some(deletion);
        self.announce(Transaction { parts, deletion, ..Transaction::default() }, origin).await?;
        let early = self.apply(&first).await?;
        let is_own = owner.storage() == Storage::Own;
        // What cannot be taken back comes last: in the settings that is the commit, elsewhere the deletion.
        if is_own && let Err(fault) = self.commit().await {
            self.take_back(&first).await;
            return Err(fault);
        }
        let deleted = match in_time(owner.delete(&instance, &extra)).await {
            Ok(Ok(status)) if !is_own => self.commit().await.map(|()| status),
            Ok(deleted) => deleted,
            Err(error) => Err(internal(error)),
        };
        match deleted {
            Ok(status) => {
                self.forget(&instance).await;
                if let Some((table, _)) = instance.strip_suffix('.').and_then(|path| path.rsplit_once('.')) {
                    self.know_count(&format!("{table}."), origin).await;
                }
                Ok(status.and(early))
            }
            Err(fault) => {
                self.take_back(&first).await;
                Err(fault)
            }
        }
    }

    async fn read_object(&self, path: &str) -> Result<Snapshot, CwmpFault> {
        if !path.ends_with('.') {
            return Err(no_such(path, "is no object: the dot at the end is missing"));
        }
        self.read(&[path, PARAMETER_KEY], Reading::BeforeImage).await
    }

    /// The change of the ParameterKey: for the source itself, or as a part of its own.
    #[allow(clippy::type_complexity, reason = "two lists of the same step")]
    fn key_change(
        &self,
        before: &Snapshot,
        source: u8,
        key: &ParameterKey,
        origin: Origin,
    ) -> Result<(Vec<Change>, Vec<(u8, Part)>), CwmpFault> {
        if origin == Origin::Local {
            return Ok((Vec::new(), Vec::new()));
        }
        let owner = self.key_owner()?;
        let change = |value: &str| Change { name: PARAMETER_KEY.to_owned(), value: value.to_owned() };
        let changes = vec![change(key.as_str())];
        if owner == source {
            return Ok((changes, Vec::new()));
        }
        let undo = former_key(before).into_iter().collect();
        Ok((Vec::new(), vec![(owner, Part { changes, undo })]))
    }

    /// The number of entries has changed by the ACS's own doing, which is no news to it.
    pub(crate) async fn know_count(&mut self, table: &str, origin: Origin) {
        let Some(Place::Table(object)) = self.facts.find(table) else { return };
        let parent =
            table.strip_suffix('.').and_then(|path| path.rsplit_once('.')).map_or("", |(parent, _)| parent);
        let Some(name) = object.rule().count().map(|count| format!("{parent}.{count}")) else { return };
        let Attributes { known, notified, .. } = &self.attributes;
        if origin == Origin::Local || !(known.contains_key(&name) || notified.contains_key(&name)) {
            return;
        }
        match self.read(&[&name], Reading::Strict).await {
            Ok(tree) => {
                let now = tree.parameter(&name).map(|found| (name.clone(), fingerprint(found.entry.text)));
                self.know(now);
            }
            Err(fault) => tracing::warn!("{name} could not be read: {fault}"),
        }
    }

    /// Forgets the attributes of an instance that is gone.
    pub(crate) async fn forget(&mut self, instance: &str) {
        if self.attributes.forget_below(instance) {
            self.save_attributes().await;
        }
    }
}

/// `Device.X.Y.` and `a` of `Device.X.Y.[a].`.
fn split_alias(name: &str) -> (&str, Option<&str>) {
    let split = name.strip_suffix('.').and_then(|path| path.rsplit_once('.'));
    match split.and_then(|(table, part)| Some((name.get(..=table.len())?, alias_in(part)?))) {
        Some((table, alias)) => (table, Some(alias)),
        None => (name, None),
    }
}

/// The path with instance numbers.
fn numbered(before: &Snapshot, path: &str) -> Result<String, CwmpFault> {
    match before.address(path) {
        Address::Numbered(path) => Ok(path),
        Address::Missing { .. } | Address::Nowhere => Err(no_such(path, "is not there")),
    }
}

fn former_key(before: &Snapshot) -> Option<Change> {
    let found = before.parameter(PARAMETER_KEY)?;
    Some(Change { name: PARAMETER_KEY.to_owned(), value: found.entry.text.to_owned() })
}

fn internal(error: impl ToString) -> CwmpFault {
    CwmpFault::new(FaultCode::INTERNAL_ERROR, error.to_string())
}

fn no_such(path: &str, what: &str) -> CwmpFault {
    let shown: String = path.chars().take(cwmp_core::limits::PARAMETER_NAME).collect();
    CwmpFault::new(FaultCode::INVALID_PARAMETER_NAME, format!("`{shown}` {what}"))
}

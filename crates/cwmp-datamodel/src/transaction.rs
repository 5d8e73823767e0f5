//! Changes that reach several places, so that a power cut leaves all of a call or nothing of it.
//!
//! Each source applies its part durably, but no two places are one step on the disk. A call that reaches more than one is
//! written down first, as a [`Transaction`], in whatever [`TransactionLog`] the program has; it is closed when all of it
//! is durable, before the ACS gets its answer. A start that finds one open makes it true as a whole:
//!
//! * [`DataModel::undo`] puts everything back. That is the rule: nobody was told that the change is made, and a change
//!   that brought the box down is not made a second time. Passwords are put back as well, where their source delivers
//!   them to the tree.
//! * [`DataModel::redo`] makes all of it, where something cannot be put back ([`Transaction::can_go_back`]): a row that
//!   was deleted, a hidden value that its source keeps to itself. A source that makes images of what is about to change
//!   ([`ParameterSource::image`]) can put both back.
//!
//! Sources that keep their values in the agent's settings ([`Storage::Settings`]) are one place: what they change is
//! gathered and written in one step, as the last of the call. A call that reaches that place alone is not written down.
//!
//! A command (a parameter that makes the box do something) is neither undone nor made again.
//!
//! Left out: a call that sets a password which its source keeps to itself, and makes rows in the settings as well. Cut off,
//! it cannot be made, since the rows are not there, nor put back as a whole: that password may stay as it was set.

use std::{collections::BTreeSet, fmt, rc::Rc};

use async_trait::async_trait;
use cwmp_core::{
    fault::{CwmpFault, FaultCode},
    io::DataReply,
};
use cwmp_platform::source::{Change, ParameterSource, Storage};
use serde::{Deserialize, Serialize};

use crate::{
    facts::{Place, model_form},
    model::{DataModel, Origin, Reading, in_time},
    set::Part,
    snapshot::Snapshot,
};

/// Name and value.
pub type NamedValue = (String, String);

/// What a call changes, and what was before. Holds passwords: `Debug` shows no values.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Transaction {
    /// The part of each source, in the order in which they are applied.
    pub parts: Vec<TransactionPart>,
    /// Tables in which rows are made.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<TableRows>,
    /// Aliases that the tree keeps itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<AliasChange>,
    /// A row that is deleted once the parts are applied.
    pub deletion: Option<Deletion>,
    /// Something that was before is not known, and so cannot be put back.
    pub lacks_former: bool,
}

/// What one source is to apply.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransactionPart {
    /// Name of the source.
    pub source: String,
    /// Former values.
    pub before: Vec<NamedValue>,
    /// New values, without commands.
    pub edits: Vec<NamedValue>,
    /// What puts everything back in place of the former values, where the source makes images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
}

/// The rows of a table before the call made others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableRows {
    /// Name of the source.
    pub source: String,
    /// Path of the table: `Device.X.Y.`.
    pub table: String,
    /// Paths of the rows that were there; all others are the call's.
    pub rows: Vec<String>,
}

/// A row that gets another alias.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasChange {
    /// Path of the row: `Device.X.Y.1.`.
    pub row: String,
    /// Its former alias.
    pub before: String,
    /// Its new alias.
    pub edit: String,
}

/// A row that goes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deletion {
    /// Name of the source.
    pub source: String,
    /// Path of the row.
    pub instance: String,
    /// What the source sets in the same step.
    pub extra: Vec<NamedValue>,
    /// What brings the row back, where the source makes images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Aliases of the row and of those below it, by path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<NamedValue>,
}

impl Transaction {
    /// Whether everything can be put back; else a start makes all of the change.
    #[must_use]
    pub fn can_go_back(&self) -> bool {
        self.deletion.as_ref().is_none_or(|deletion| deletion.image.is_some()) && !self.lacks_former
    }

    /// Both as one, this one first, where both can go back.
    #[must_use]
    pub fn followed_by(mut self, later: Transaction) -> Self {
        // A row that was deleted comes back with its image, like everything else that has one.
        if let Some(Deletion { source, instance, image, aliases, .. }) = self.deletion.take() {
            let edits = vec![(instance, String::new())];
            self.parts.push(TransactionPart { source, before: Vec::new(), edits, image });
            let renamed = aliases.into_iter();
            self.aliases.extend(renamed.map(|(row, before)| AliasChange {
                row,
                before,
                edit: String::new(),
            }));
        }
        self.parts.extend(later.parts);
        self.tables.extend(later.tables);
        self.aliases.extend(later.aliases);
        self.deletion = later.deletion;
        self.lacks_former |= later.lacks_former;
        self
    }

    /// Parameters that get another value, with that value, and the row that goes.
    pub(crate) fn changes(&self) -> impl Iterator<Item = (&str, &str)> {
        let edits =
            self.parts.iter().flat_map(|part| part.edits.iter().filter(|edit| !part.before.contains(edit)));
        let edits = edits.map(|(name, value)| (name.as_str(), value.as_str()));
        edits.chain(self.deletion.iter().map(|deletion| (deletion.instance.as_str(), "")))
    }

    /// Names of parameters that get another value, and of the row that goes.
    pub fn changed(&self) -> impl Iterator<Item = &str> {
        self.changes().map(|(name, _)| name)
    }
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |part: &TransactionPart| -> Vec<String> {
            part.edits.iter().map(|(name, _)| name.clone()).collect()
        };
        f.debug_struct("Transaction")
            .field("edits", &self.parts.iter().flat_map(names).collect::<Vec<_>>())
            .field("tables", &self.tables)
            .field("aliases", &self.aliases)
            .field("deletion", &self.deletion.as_ref().map(|deletion| &deletion.instance))
            .field("lacks_former", &self.lacks_former)
            .finish()
    }
}

/// The log or the settings could not be written; the text names file and reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct LogError {
    /// Which file, and why.
    pub text: String,
    /// There is no room: the ACS is told 9004 instead of 9002.
    pub full: bool,
}

impl From<LogError> for CwmpFault {
    fn from(LogError { text, full }: LogError) -> Self {
        CwmpFault::new(if full { FaultCode::RESOURCES_EXCEEDED } else { FaultCode::INTERNAL_ERROR }, text)
    }
}

/// Where a call is written down before it changes anything, and the agent's settings as one place.
#[async_trait(?Send)]
pub trait TransactionLog {
    /// From now on, until [`TransactionLog::settle`], what sources with [`Storage::Settings`] change stays in memory.
    fn gather(&self);

    /// Makes what was gathered durable in one step, or undoes it. Nothing is gathered any more then.
    ///
    /// # Errors
    /// [`LogError`]; all that was gathered is undone.
    async fn settle(&self, keep: bool) -> Result<(), LogError>;

    /// Writes a transaction down, durably, or more of the one that is open.
    ///
    /// # Errors
    /// [`LogError`]; nothing more may be changed then.
    async fn begin(&self, transaction: &Transaction) -> Result<(), LogError>;

    /// The open transaction is finished or undone, durably: no start finds it any more.
    ///
    /// # Errors
    /// [`LogError`]; a start may still find it.
    async fn close(&self) -> Result<(), LogError>;

    /// Whether changes that may cut the box off from the ACS are to be confirmed by the ACS: undone unless it is reached after
    /// them.
    fn confirms(&self) -> bool {
        false
    }

    /// The network device that the box reaches the ACS through; `None` where that is not known.
    fn uplink(&self) -> Option<String> {
        None
    }

    /// The open transaction is finished, durably, and waits for the confirmation of the ACS.
    ///
    /// # Errors
    /// [`LogError`]; a start may find it open.
    async fn hold(&self) -> Result<(), LogError> {
        self.close().await
    }

    /// The open transaction could not be put back: that is to be tried again, before the next change and at the next
    /// start.
    async fn keep_undoing(&self);
}

/// For a tree whose sources are one place, and for tests of something else.
pub(crate) struct NoLog;

#[async_trait(?Send)]
impl TransactionLog for NoLog {
    fn gather(&self) {}

    async fn settle(&self, _: bool) -> Result<(), LogError> {
        Ok(())
    }

    async fn begin(&self, _: &Transaction) -> Result<(), LogError> {
        Ok(())
    }

    async fn close(&self) -> Result<(), LogError> {
        Ok(())
    }

    async fn keep_undoing(&self) {}
}

/// How far the present call is.
#[derive(Debug, Default)]
pub(crate) struct Call {
    /// What was written down.
    pub(crate) announced: Option<Transaction>,
    /// What was gathered in the settings is gone: nothing is to be taken back there.
    pub(crate) settings_undone: bool,
    /// Something could not be taken back.
    pub(crate) unsettled: bool,
    /// It may cut the box off from the ACS.
    pub(crate) provisional: bool,
}

impl DataModel {
    /// Where changes of several places are written down.
    #[must_use]
    pub fn with_log(mut self, log: Rc<dyn TransactionLog>) -> Self {
        self.log = log;
        self
    }

    pub(crate) fn begin_call(&mut self) {
        self.call = Call::default();
        self.log.gather();
    }

    /// Makes durable what the call has set in the settings. As the last step, once nothing else can fail.
    pub(crate) async fn commit(&mut self) -> Result<(), CwmpFault> {
        let settled = self.log.settle(true).await;
        self.call.settings_undone = settled.is_err();
        Ok(settled?)
    }

    /// The end of a call: what was written down is closed before anybody is told of it.
    pub(crate) async fn end_call(
        &mut self,
        done: Result<DataReply, CwmpFault>,
    ) -> Result<DataReply, CwmpFault> {
        if done.is_err()
            && let Err(error) = self.log.settle(false).await
        {
            tracing::error!("{error}");
        }
        let Some(transaction) = self.call.announced.take() else { return done };
        if self.call.unsettled {
            tracing::error!("a change that failed is not put back as a whole: it is tried again later");
            self.log.keep_undoing().await;
            return done;
        }
        let closed = match (&done, self.call.provisional) {
            (Ok(_), true) => self.log.hold().await,
            _ => self.log.close().await,
        };
        match (closed, done) {
            (Ok(()), done) => done,
            (Err(error), Ok(_)) if transaction.can_go_back() => {
                // The next start would undo what the ACS was told is made.
                match self.undo(&transaction).await {
                    Ok(()) => self.log.close().await.unwrap_or_else(|error| tracing::error!("{error}")),
                    Err(error) => {
                        tracing::error!("{error}");
                        self.log.keep_undoing().await;
                    }
                }
                Err(error.into())
            }
            // What a start would do about it, it finds done.
            (Err(error), done) => {
                tracing::error!("{error}");
                done
            }
        }
    }

    /// Writes down what is about to be changed where it reaches more than one place, or is to be confirmed, or more of what
    /// was written down before.
    pub(crate) async fn announce(
        &mut self,
        transaction: Transaction,
        origin: Origin,
    ) -> Result<(), CwmpFault> {
        let may_wait = origin == Origin::Acs && transaction.can_go_back() && self.log.confirms();
        let provisional = may_wait && self.leads_to_acs(&transaction).await;
        if self.call.announced.is_none() && !provisional && !self.reaches_several(&transaction) {
            return Ok(());
        }
        self.call.provisional = provisional;
        self.log.begin(&transaction).await?;
        self.call.announced = Some(transaction);
        Ok(())
    }

    fn reaches_several(&self, transaction: &Transaction) -> bool {
        let mut places = BTreeSet::new();
        let parts = transaction.parts.iter().map(|part| &part.source);
        let deletions = transaction.deletion.iter().map(|deletion| &deletion.source);
        for source in parts.chain(deletions) {
            places.insert(Some(source).filter(|source| self.is_own(source)));
        }
        // A row and the values in it are two steps of its source.
        let makes_rows = transaction.tables.iter().any(|table| self.is_own(&table.source));
        // Who makes images writes several places.
        let has_image = transaction.parts.iter().any(|part| part.image.is_some())
            || transaction.deletion.iter().any(|deletion| deletion.image.is_some());
        has_image || places.len() > 1 || makes_rows || (!places.is_empty() && !transaction.aliases.is_empty())
    }

    fn is_own(&self, source: &str) -> bool {
        self.named(source).is_none_or(|source| source.storage() == Storage::Own)
    }

    fn named(&self, name: &str) -> Option<Rc<dyn ParameterSource>> {
        self.sources.iter().find(|source| source.name() == name).map(Rc::clone)
    }

    /// Parts as they are written down. What lies in rows that the call makes is not put back: the rows go.
    pub(crate) async fn recorded(
        &self,
        parts: &[(u8, Part)],
        is_new: &dyn Fn(&str) -> bool,
    ) -> Result<Vec<TransactionPart>, CwmpFault> {
        let pair = |change: &Change| (change.name.clone(), change.value.clone());
        let mut recorded = Vec::new();
        for (index, part) in parts {
            let source = self.source(*index)?;
            let before = part.undo.iter().filter(|change| !is_new(&change.name));
            let edits = part.changes.iter().filter(|change| !self.is_command(&change.name));
            recorded.push(TransactionPart {
                source: source.name().to_owned(),
                before: before.map(pair).collect(),
                edits: edits.map(pair).collect(),
                image: image_of(&*source, &part.changes, None).await?,
            });
        }
        Ok(recorded)
    }

    /// A table with the rows that it has.
    pub(crate) fn rows_of(&self, before: &Snapshot, source: u8, table: &str) -> Result<TableRows, CwmpFault> {
        let source = self.source(source)?.name().to_owned();
        let rows = before.row_paths(table).map(str::to_owned).collect();
        Ok(TableRows { source, table: table.to_owned(), rows })
    }

    fn is_command(&self, name: &str) -> bool {
        let place = self.facts.find(&model_form(name));
        matches!(place, Some(Place::Parameter(_, parameter)) if parameter.rule().is_command())
    }

    /// Puts everything back that a transaction may have changed. What is as it was is not changed, so that this can be
    /// done again after another cut.
    ///
    /// # Errors
    /// What could not be put back, and why; all the rest was.
    pub async fn undo(&mut self, transaction: &Transaction) -> Result<(), String> {
        let mut failures = Vec::new();
        self.log.gather();
        if let Some(Deletion { source, image: Some(image), aliases, .. }) = &transaction.deletion {
            failures.extend(self.restore(source, image).await.err());
            let aliases = aliases.iter().map(|(row, alias)| (row.as_str(), alias.as_str()));
            failures.extend(self.put_aliases(aliases).await.err());
        }
        for part in transaction.parts.iter().rev() {
            let undone = match &part.image {
                Some(image) => self.restore(&part.source, image).await,
                None => self.apply_part(&part.source, &part.before).await,
            };
            failures.extend(undone.err());
        }
        for table in transaction.tables.iter().rev() {
            failures.extend(self.remove_rows(table).await.err());
        }
        let former = transaction.aliases.iter().rev();
        let former = former.map(|change| (change.row.as_str(), change.before.as_str()));
        failures.extend(self.put_aliases(former).await.err());
        failures.extend(self.log.settle(true).await.err().map(|error| error.to_string()));
        if failures.is_empty() { Ok(()) } else { Err(failures.join("; ")) }
    }

    /// Makes all of a transaction. What is made already is not made again.
    ///
    /// # Errors
    /// What could not be made, and why: everything is to be put back then.
    pub async fn redo(&mut self, transaction: &Transaction) -> Result<(), String> {
        self.log.gather();
        let done = self.make(transaction).await;
        let settled = self.log.settle(done.is_ok()).await.map_err(|error| error.to_string());
        done.and(settled)
    }

    async fn make(&mut self, transaction: &Transaction) -> Result<(), String> {
        let new = transaction.aliases.iter().map(|change| (change.row.as_str(), change.edit.as_str()));
        self.put_aliases(new).await?;
        for part in &transaction.parts {
            self.apply_part(&part.source, &part.edits).await?;
        }
        let Some(Deletion { source, instance, extra, .. }) = &transaction.deletion else { return Ok(()) };
        let owner = self.named(source).ok_or_else(|| gone(source))?;
        match in_time(owner.delete(instance, &changes(extra))).await.map_err(|error| error.to_string())? {
            // It went before the cut, and what came with it.
            Err(fault) if fault.code == FaultCode::INVALID_PARAMETER_NAME => {}
            Err(fault) => return Err(format!("source {source}: {fault}")),
            Ok(_) => {}
        }
        self.forget(instance).await;
        Ok(())
    }

    async fn restore(&self, source: &str, image: &str) -> Result<(), String> {
        let owner = self.named(source).ok_or_else(|| gone(source))?;
        let restored = in_time(owner.restore(image)).await.unwrap_or_else(Err);
        restored.map_err(|error| format!("source {source}: {error}"))
    }

    async fn apply_part(&self, source: &str, values: &[NamedValue]) -> Result<(), String> {
        if values.is_empty() {
            return Ok(());
        }
        let owner = self.named(source).ok_or_else(|| gone(source))?;
        let applied = in_time(owner.apply(&changes(values))).await.unwrap_or_else(Err);
        applied.map(|_| ()).map_err(|error| format!("source {source}: {error}"))
    }

    /// Removes the rows that were not there before.
    async fn remove_rows(&mut self, before: &TableRows) -> Result<(), String> {
        let owner = self.named(&before.source).ok_or_else(|| gone(&before.source))?;
        let now =
            self.read(&[before.table.as_str()], Reading::Strict).await.map_err(|fault| fault.to_string())?;
        let mut made: Vec<String> = now.row_paths(&before.table).map(str::to_owned).collect();
        made.retain(|row| !before.rows.contains(row));
        for row in made.iter().rev() {
            self.forget(row).await;
            in_time(owner.delete(row, &[]))
                .await
                .map_err(|error| error.to_string())?
                .map_err(|fault| format!("{row} stays: {fault}"))?;
        }
        Ok(())
    }

    async fn put_aliases(&mut self, aliases: impl Iterator<Item = (&str, &str)>) -> Result<(), String> {
        let mut changed = false;
        for (row, alias) in aliases {
            changed |= self.attributes.set_alias(row, alias);
        }
        if changed { self.save_aliases().await.map_err(|fault| fault.to_string()) } else { Ok(()) }
    }
}

/// The image that a source makes of what is about to change.
pub(crate) async fn image_of(
    source: &dyn ParameterSource,
    changes: &[Change],
    deleted: Option<&str>,
) -> Result<Option<String>, CwmpFault> {
    let image = in_time(source.image(changes, deleted)).await.unwrap_or_else(Err);
    image.map_err(|error| {
        CwmpFault::new(FaultCode::INTERNAL_ERROR, format!("source {}: {error}", source.name()))
    })
}

fn changes(values: &[NamedValue]) -> Vec<Change> {
    values.iter().map(|(name, value)| Change { name: name.clone(), value: value.clone() }).collect()
}

fn gone(source: &str) -> String {
    format!("there is no source {source} any more")
}

//! SetParameterValues (TR-069a6 A.3.2.1): all or nothing.
//!
//! Everything is checked before anything is applied: names, access, values by the facts, then each source's own check.
//! Each source applies its part durably, all or none. What reaches several places is written down before
//! (`transaction.rs`), so that a power cut in between leaves all or nothing of it. Where a later source fails, those that
//! have applied get their former values back; a hidden value that its source does not tell (a password) stays as set
//! then. It is not atomic for somebody who watches the box in between. The source that keeps the ParameterKey comes last;
//! its settings, those of all who keep them in the same place, and the key are one step.

use std::collections::{BTreeMap, HashSet};

use cwmp_core::{
    fault::{CwmpFault, FaultCode, SetParameterValuesFault},
    rpc::{ParameterKey, ParameterValueStruct, Status},
};
use cwmp_platform::source::{Change, Storage};

use crate::{
    aliases,
    attributes::{OFF, fingerprint},
    create::Created,
    model::{DataModel, Origin, PARAMETER_KEY, Reading, in_time},
    references,
    snapshot::{Address, Found, Snapshot},
    transaction::{AliasChange, Transaction},
    unique,
    validate::{validate, validate_vendor},
};

/// What one source is to apply, and how to take it back.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub(crate) changes: Vec<Change>,
    pub(crate) undo: Vec<Change>,
}

/// What a call is to change.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// By source.
    pub(crate) parts: BTreeMap<u8, Part>,
    /// Aliases, which the tree keeps itself.
    pub(crate) renamed: Vec<Change>,
    /// The same as they are written down before.
    pub(crate) aliases: Vec<AliasChange>,
    /// Parameters whose former value nobody knows.
    pub(crate) lost: Vec<String>,
    /// Fingerprints of watched parameters, which the ACS knows by setting them.
    pub(crate) watched: Vec<(String, u64)>,
}

impl DataModel {
    pub(crate) async fn set(
        &mut self,
        parameters: &[ParameterValueStruct],
        key: &ParameterKey,
        origin: Origin,
    ) -> Result<Status, CwmpFault> {
        once(parameters.iter().map(|parameter| parameter.name.as_str()))?;
        let before = self.read_for(parameters, Reading::BeforeImage).await?;
        let (before, created) = self.with_missing_rows(before, parameters, origin).await?;
        match self.set_in(&before, parameters, key, origin, &created).await {
            Ok(status) => {
                let tables: HashSet<String> = created.rows.into_iter().map(|row| row.table).collect();
                for table in tables {
                    self.know_count(&table, origin).await;
                }
                Ok(created.status.map_or(status, |rows| status.and(rows)))
            }
            Err(fault) => {
                self.uncreate(created).await;
                Err(fault)
            }
        }
    }

    /// Reads what is to be changed and what that has to be judged by.
    pub(crate) async fn read_for(
        &self,
        parameters: &[ParameterValueStruct],
        how: Reading,
    ) -> Result<Snapshot, CwmpFault> {
        let own = || parameters.iter().map(|parameter| parameter.name.as_str());
        let referred = references::needs(self.facts, parameters);
        let mut names: Vec<&str> = own().chain([PARAMETER_KEY]).collect();
        names.extend(unique::tables(self.facts, own()));
        names.extend(aliases::tables(self.facts, own()));
        names.extend(referred.iter().map(String::as_str));
        self.read(&names, how).await
    }

    /// Checks everything and changes nothing: what each source is to apply.
    pub(crate) async fn plan(
        &self,
        before: &Snapshot,
        parameters: &[ParameterValueStruct],
        origin: Origin,
    ) -> Result<Plan, CwmpFault> {
        let named = |parameter: &ParameterValueStruct| match before.address(&parameter.name) {
            Address::Numbered(name) => name,
            Address::Missing { .. } | Address::Nowhere => parameter.name.clone(),
        };
        // With instance numbers, and as the ACS wrote them.
        let names: Vec<String> = parameters.iter().map(named).collect();
        once(names.iter().map(String::as_str))?;
        let as_written = |mut faults: Vec<SetParameterValuesFault>| {
            for fault in &mut faults {
                let at = names.iter().position(|name| *name == fault.name);
                if let Some(parameter) = at.and_then(|at| parameters.get(at)) {
                    fault.name.clone_from(&parameter.name);
                }
            }
            refuse(faults)
        };
        let (mut plan, mut faults) = (Plan::default(), Vec::new());
        for (parameter, name) in parameters.iter().zip(&names) {
            match self.judge(before, name, parameter, origin) {
                Ok((found, source, change)) => {
                    if self.attributes.of(&change.name, found.rule).0 != OFF {
                        plan.watched.push((
                            change.name.clone(),
                            fingerprint(if is_hidden(&found) { "" } else { &change.value }),
                        ));
                    }
                    let Some(source) = source else {
                        plan.aliases.push(AliasChange {
                            row: found.entry.object.to_owned(),
                            before: found.entry.text.to_owned(),
                            edit: change.value.clone(),
                        });
                        plan.renamed.push(change);
                        continue;
                    };
                    let repeats = !is_hidden(&found) && found.entry.text == change.value;
                    if repeats && self.source(source).is_ok_and(|source| !source.hears_repeats(name)) {
                        continue;
                    }
                    let part = plan.parts.entry(source).or_default();
                    let lost = self.is_lost(&found, source);
                    part.undo.extend(former(&found).filter(|_| !lost));
                    plan.lost.extend(lost.then(|| change.name.clone()));
                    part.changes.push(change);
                }
                Err(fault) => faults.push(fault),
            }
        }
        refuse(faults)?;
        let tables = unique::tables(self.facts, names.iter().map(String::as_str));
        as_written(unique::collisions(&tables, before, plan.parts.values().flat_map(|part| &part.changes)))?;
        as_written(aliases::collisions(self.facts, before, &plan.renamed))?;
        as_written(self.check(&plan.parts).await?)?;
        Ok(plan)
    }

    /// Sets what is there.
    async fn set_in(
        &mut self,
        before: &Snapshot,
        parameters: &[ParameterValueStruct],
        key: &ParameterKey,
        origin: Origin,
        created: &Created,
    ) -> Result<Status, CwmpFault> {
        let Plan { parts, renamed, aliases, lost, watched } = self.plan(before, parameters, origin).await?;
        let mut ordered: Vec<(u8, Part)> = parts.into_iter().collect();
        if origin == Origin::Acs {
            let owner = self.key_owner()?;
            let at = ordered.iter().position(|(source, _)| *source == owner);
            let (_, mut last) = at.map(|at| ordered.remove(at)).unwrap_or_default();
            last.changes.push(Change { name: PARAMETER_KEY.to_owned(), value: key.as_str().to_owned() });
            last.undo.extend(before.parameter(PARAMETER_KEY).as_ref().and_then(former));
            ordered.push((owner, last));
        }
        let parts = self.recorded(&ordered, &|name| created.made(name)).await?;
        let in_image = |name: &String| {
            parts
                .iter()
                .any(|part| part.image.is_some() && part.edits.iter().any(|(edited, _)| edited == name))
        };
        let lacks_former = lost.iter().any(|name| !created.made(name) && !in_image(name));
        let tables = created.tables.clone();
        self.announce(Transaction { parts, tables, aliases, deletion: None, lacks_former }, origin).await?;
        let former = self.rename(&renamed).await?;
        let applied = match self.apply(&ordered).await {
            Ok(status) => match self.commit().await {
                Ok(()) => Ok(status),
                Err(fault) => {
                    self.take_back(&ordered).await;
                    Err(fault)
                }
            },
            Err(fault) => Err(fault),
        };
        match applied {
            Ok(status) => {
                if origin == Origin::Acs {
                    self.know(watched);
                }
                Ok(status)
            }
            Err(fault) => {
                if let Some(former) = former {
                    self.attributes.aliases = former;
                    self.save_attributes().await;
                }
                Err(fault)
            }
        }
    }

    /// Gives instances other aliases, durably. Gives what was before, where that was something else.
    async fn rename(&mut self, changes: &[Change]) -> Result<Option<BTreeMap<String, String>>, CwmpFault> {
        if changes.is_empty() {
            return Ok(None);
        }
        let former = self.attributes.aliases.clone();
        for change in changes {
            let row = change.name.strip_suffix("Alias").unwrap_or(&change.name);
            self.attributes.set_alias(row, &change.value);
        }
        if self.attributes.aliases == former {
            return Ok(None);
        }
        if let Err(fault) = self.save_aliases().await {
            self.attributes.aliases = former;
            return Err(fault);
        }
        Ok(Some(former))
    }

    /// Whether a parameter may have this value, where `name` has instance numbers; gives the change and the source that
    /// applies it, `None` for the tree itself.
    pub(crate) fn judge<'s>(
        &self,
        before: &'s Snapshot,
        name: &str,
        parameter: &ParameterValueStruct,
        origin: Origin,
    ) -> Result<(Found<'s>, Option<u8>, Change), SetParameterValuesFault> {
        let fault = |code, text: String| SetParameterValuesFault { name: parameter.name.clone(), code, text };
        let found = (!name.ends_with('.')).then(|| before.parameter(name)).flatten();
        let found = found.ok_or_else(|| {
            fault(FaultCode::INVALID_PARAMETER_NAME, "there is no parameter of this name".to_owned())
        })?;
        let is_alias = found.rule.is_some_and(crate::facts::Rule::is_alias);
        let source = self.owner(name, &found).filter(|_| found.entry.writable && !is_alias);
        if source.is_none() && !is_alias {
            return Err(fault(FaultCode::NOT_WRITABLE, "the parameter is read-only".to_owned()));
        }
        if origin == Origin::Local && !self.attributes.of(name, found.rule).1 {
            return Err(fault(
                FaultCode::REQUEST_DENIED,
                "the ACS keeps this parameter to itself (AccessList)".to_owned(),
            ));
        }
        let value = match found.rule {
            Some(rule) => {
                validate(rule, parameter.value_type, &references::numbered(before, rule, &parameter.value))
            }
            None => validate_vendor(found.entry.value_type, parameter.value_type, &parameter.value),
        };
        let value = value.map_err(|invalid| fault(invalid.code, invalid.text))?;
        let wrong = |text: String| fault(FaultCode::INVALID_PARAMETER_VALUE, text);
        if is_alias {
            aliases::check(&value, found.entry.object).map_err(|text| wrong(text.to_owned()))?;
        }
        if let Some(rule) = found.rule {
            references::check(self.facts, before, name, rule, &value).map_err(wrong)?;
        }
        Ok((found, source, Change { name: name.to_owned(), value }))
    }

    /// Whether a former value is not known: a hidden one that its source keeps to itself. The agent's settings tell theirs; of
    /// another source, one that is told and empty looks the same.
    fn is_lost(&self, found: &Found<'_>, source: u8) -> bool {
        let own = self.source(source).is_ok_and(|source| source.storage() == Storage::Own);
        own && is_hidden(found) && found.entry.text.is_empty()
    }

    /// Every source judges its part before any applies one.
    async fn check(&self, parts: &BTreeMap<u8, Part>) -> Result<Vec<SetParameterValuesFault>, CwmpFault> {
        let mut faults = Vec::new();
        for (index, part) in parts {
            let source = self.source(*index)?;
            let found = in_time(source.check(&part.changes)).await.map_err(|error| {
                CwmpFault::new(FaultCode::INTERNAL_ERROR, format!("source {}: {error}", source.name()))
            })?;
            faults.extend(found);
        }
        Ok(faults)
    }

    /// Applies the parts in order; after a failure those before it, and one that hung, are taken back.
    pub(crate) async fn apply(&mut self, parts: &[(u8, Part)]) -> Result<Status, CwmpFault> {
        let mut status = Status::Applied;
        for (done, (index, part)) in parts.iter().enumerate() {
            let source = self.source(*index)?;
            let (applied, hung) = match in_time(source.apply(&part.changes)).await {
                Ok(applied) => (applied, false),
                Err(error) => (Err(error), true),
            };
            match applied {
                Ok(this) => status = status.and(this),
                Err(error) => {
                    let text = format!("source {}: {error}", source.name());
                    let touched = parts.get(..done + usize::from(hung)).unwrap_or(parts);
                    self.take_back(touched).await;
                    return Err(CwmpFault::new(FaultCode::INTERNAL_ERROR, text));
                }
            }
        }
        Ok(status)
    }

    pub(crate) async fn take_back(&mut self, parts: &[(u8, Part)]) {
        for (index, part) in parts.iter().rev() {
            let Ok(source) = self.source(*index) else { continue };
            if self.call.settings_undone && source.storage() == Storage::Settings {
                continue;
            }
            if part.undo.len() < part.changes.len() {
                tracing::warn!("source {}: hidden values stay as they were set", source.name());
            }
            if part.undo.is_empty() {
                continue;
            }
            if let Err(error) = in_time(source.apply(&part.undo)).await.unwrap_or_else(Err) {
                tracing::error!("source {}: the former values could not be put back: {error}", source.name());
                self.call.unsettled = true;
            }
        }
    }

    /// The ACS has set these values itself: they are no news to it, once they are durable.
    pub(crate) fn know(&mut self, watched: impl IntoIterator<Item = (String, u64)>) {
        self.learnt.extend(watched);
    }
}

fn is_hidden(found: &Found<'_>) -> bool {
    found.rule.is_some_and(crate::facts::Rule::is_hidden)
}

/// The change that puts a parameter back. A command is not acted upon a second time.
fn former(found: &Found<'_>) -> Option<Change> {
    let is_command = found.rule.is_some_and(crate::facts::Rule::is_command);
    (!is_command).then(|| Change { name: found.full_name(), value: found.entry.text.to_owned() })
}

/// A parameter twice refuses the call.
fn once<'n>(names: impl Iterator<Item = &'n str>) -> Result<(), CwmpFault> {
    let (mut seen, mut names) = (HashSet::new(), names);
    let Some(twice) = names.find(|name| !seen.insert(*name)) else { return Ok(()) };
    let shown: String = twice.chars().take(cwmp_core::limits::PARAMETER_NAME).collect();
    Err(CwmpFault::new(FaultCode::INVALID_ARGUMENTS, format!("`{shown}` is set twice in one call")))
}

/// One bad parameter refuses the call.
pub(crate) fn refuse(parameters: Vec<SetParameterValuesFault>) -> Result<(), CwmpFault> {
    if parameters.is_empty() {
        return Ok(());
    }
    let text = format!("{} of the parameters cannot be set", parameters.len());
    Err(CwmpFault { code: FaultCode::INVALID_ARGUMENTS, text, parameters })
}

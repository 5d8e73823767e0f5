//! Instances that SetParameterValues makes (TR-069a6 A.3.2.1, AutoCreateInstances): a name with an alias that no
//! instance of the table has makes one with this alias and the defaults of the model.
//!
//! All or nothing with the rest of the call. Everything that can be judged without the rows is judged first; where the
//! call fails nevertheless, or the power is cut in between (`transaction.rs`), the rows are deleted again. Their numbers
//! stay used.

use cwmp_core::{
    fault::{CwmpFault, FaultCode, SetParameterValuesFault},
    rpc::{ParameterValueStruct, Status},
};
use cwmp_platform::source::{ObjectKind, Storage};

use crate::{
    aliases,
    facts::{Place, model_form},
    limits,
    model::{DataModel, Origin, Reading, in_time},
    set::refuse,
    snapshot::{Address, Snapshot},
    transaction::{TableRows, Transaction},
    validate::validate,
};

/// Rows that a call has made so far.
#[derive(Debug, Default)]
pub(crate) struct Created {
    pub(crate) rows: Vec<Row>,
    /// The tables of the rows, as they were.
    pub(crate) tables: Vec<TableRows>,
    pub(crate) status: Option<Status>,
}

/// A row that a call has made.
#[derive(Debug)]
pub(crate) struct Row {
    source: u8,
    pub(crate) table: String,
    alias: String,
    path: String,
}

impl Created {
    /// Whether a parameter lies in one of the rows.
    pub(crate) fn made(&self, name: &str) -> bool {
        self.rows.iter().any(|row| name.starts_with(&row.path))
    }
}

impl DataModel {
    /// Makes the rows that the names call for and that are missing, table by table from above. Gives the tree with them.
    pub(crate) async fn with_missing_rows(
        &mut self,
        mut before: Snapshot,
        parameters: &[ParameterValueStruct],
        origin: Origin,
    ) -> Result<(Snapshot, Created), CwmpFault> {
        let mut created = Created::default();
        if !self.addressing.get().auto_create {
            return Ok((before, created));
        }
        for _ in 0..limits::CREATING_ROUNDS {
            let missing = missing_rows(&before, parameters);
            let was_made = |(table, alias): &(String, String)| {
                created.rows.iter().any(|row| row.table == *table && row.alias == *alias)
            };
            // A source that does not show what it has made is not asked again: the name stays unknown.
            if missing.is_empty() || missing.iter().any(was_made) {
                break;
            }
            if created.rows.is_empty() {
                self.judge_before_creating(&before, parameters, origin)?;
            }
            let made = self.create(&before, missing, &mut created).await;
            let after = match made {
                Ok(()) => self.read_for(parameters, Reading::BeforeImage).await,
                Err(fault) => Err(fault),
            };
            match after {
                Ok(after) => before = after,
                Err(fault) => {
                    self.uncreate(created).await;
                    return Err(fault);
                }
            }
        }
        Ok((before, created))
    }

    /// Whatever is wrong with the call and can be seen before there are rows.
    fn judge_before_creating(
        &self,
        before: &Snapshot,
        parameters: &[ParameterValueStruct],
        origin: Origin,
    ) -> Result<(), CwmpFault> {
        let judge = |parameter: &ParameterValueStruct| match before.address(&parameter.name) {
            Address::Missing { table, alias } => self.judge_missing(before, parameter, &table, &alias),
            Address::Numbered(_) if may_wait(parameter) => Ok(()),
            Address::Numbered(name) => self.judge(before, &name, parameter, origin).map(|_| ()),
            Address::Nowhere => self.judge(before, &parameter.name, parameter, origin).map(|_| ()),
        };
        refuse(parameters.iter().filter_map(|parameter| judge(parameter).err()).collect())
    }

    fn judge_missing(
        &self,
        before: &Snapshot,
        parameter: &ParameterValueStruct,
        table: &str,
        alias: &str,
    ) -> Result<(), SetParameterValuesFault> {
        let fault =
            |code, text: String| Err(SetParameterValuesFault { name: parameter.name.clone(), code, text });
        if let Err(text) = self.creatable(before, table, alias) {
            return fault(FaultCode::INVALID_PARAMETER_NAME, text);
        }
        match self.facts.find(&model_form(&parameter.name)) {
            Some(Place::Parameter(_, known)) if !known.rule().is_writable() => {
                fault(FaultCode::NOT_WRITABLE, "the parameter is read-only".to_owned())
            }
            Some(Place::Parameter(..)) if may_wait(parameter) => Ok(()),
            Some(Place::Parameter(_, known)) => {
                match validate(known.rule(), parameter.value_type, &parameter.value) {
                    Ok(_) => Ok(()),
                    Err(invalid) => fault(invalid.code, invalid.text),
                }
            }
            None if parameter.name.contains(".X_") => Ok(()),
            _ => fault(FaultCode::INVALID_PARAMETER_NAME, "there is no parameter of this name".to_owned()),
        }
    }

    /// The source that can make an instance with this alias.
    pub(crate) fn creatable(&self, before: &Snapshot, table: &str, alias: &str) -> Result<u8, String> {
        let writable = before.object_rule(table).is_none_or(crate::facts::Rule::is_writable);
        let has_alias =
            matches!(self.facts.find(table), Some(Place::Table(object)) if object.alias().is_some());
        match before.object(table) {
            Some((ObjectKind::Table { addable: true }, Some(source))) if writable && has_alias => {
                aliases::check(alias, "").map(|()| source).map_err(str::to_owned)
            }
            _ => Err(format!("{table} takes no instances with aliases from the ACS")),
        }
    }

    async fn create(
        &mut self,
        before: &Snapshot,
        missing: Vec<(String, String)>,
        created: &mut Created,
    ) -> Result<(), CwmpFault> {
        let refused = |text| CwmpFault::new(FaultCode::INVALID_PARAMETER_NAME, text);
        for (table, alias) in &missing {
            if !created.tables.iter().any(|known| known.table == *table) {
                let index = self.creatable(before, table, alias).map_err(refused)?;
                created.tables.push(self.rows_of(before, index, table)?);
            }
        }
        // The values of the rows follow, and are judged then: whether they may cut the box off.
        let rows = Transaction { tables: created.tables.clone(), ..Transaction::default() };
        self.announce(rows, Origin::Local).await?;
        for (table, alias) in missing {
            let index = self.creatable(before, &table, &alias).map_err(refused)?;
            let source = self.source(index)?;
            let added = in_time(source.add(&table, &[])).await;
            let (number, status) = added
                .unwrap_or_else(|error| Err(CwmpFault::new(FaultCode::INTERNAL_ERROR, error.to_string())))?;
            if number == 0 {
                let text = format!("source {} made an instance without a number", source.name());
                return Err(CwmpFault::new(FaultCode::INTERNAL_ERROR, text));
            }
            let path = format!("{table}{number}.");
            self.attributes.forget_below(&path);
            self.attributes.set_alias(&path, &alias);
            created.status = Some(created.status.map_or(status, |so_far| so_far.and(status)));
            created.rows.push(Row { source: index, table, alias, path });
        }
        self.save_aliases().await
    }

    /// Deletes the rows again: the call has failed.
    pub(crate) async fn uncreate(&mut self, created: Created) {
        if created.rows.is_empty() {
            return;
        }
        for Row { source, path, .. } in created.rows.iter().rev() {
            self.attributes.forget_below(path);
            let Ok(source) = self.source(*source) else { continue };
            if self.call.settings_undone && source.storage() == Storage::Settings {
                continue;
            }
            let text = match in_time(source.delete(path, &[])).await {
                Ok(Ok(_)) => continue,
                Ok(Err(fault)) => fault.to_string(),
                Err(error) => error.to_string(),
            };
            tracing::error!("{path} of a call that failed stays: {text}");
            self.call.unsettled = true;
        }
        self.save_attributes().await;
    }
}

/// Whether the value may hold an alias, which is looked up once all rows are there.
fn may_wait(parameter: &ParameterValueStruct) -> bool {
    parameter.value.contains('[')
}

/// Table and alias of each row that the names call for and that is not there, in the order of the call.
fn missing_rows(before: &Snapshot, parameters: &[ParameterValueStruct]) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    for parameter in parameters {
        if let Address::Missing { table, alias } = before.address(&parameter.name) {
            let row = (table, alias);
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
    }
    rows
}

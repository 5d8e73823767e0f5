//! What mapping files name beside files and programs: `ubus(OBJECT, METHOD, PATH...)` and `uci(PACKAGE, SECTION, OPTION)`.
//!
//! Both look into the survey of the present call, as the parts do: a parameter more costs no call of the bus more. In a row,
//! `{key}` in any argument becomes the key of the row.

use std::rc::Rc;

use async_trait::async_trait;
use cwmp_core::rpc::Status;
use cwmp_platform::{
    mapping::{FieldChange, FieldProvider, Question, Row, RowsOf},
    source::SourceError,
};
use cwmp_ubus::{Table, Value};
use cwmp_uci::{Package, Section};

use crate::{edits::Edits, ground::Ground, limits, survey::Survey};

/// Keys with their fields: what both providers find.
type Found = Vec<(String, Vec<Option<String>>)>;

/// Answers of the bus.
///
/// As a field: object, method, and the way through the answer: names of tables, numbers of array elements from 0. A field
/// without a method is one of the row that `rows = ubus(...)` has found: the way begins at the row.
///
/// As rows: object, method, and the way to an array or table; each of its tables is a row. Its key is the field that the
/// mapping file names, or its name in the table.
pub(crate) struct OfBus {
    pub(crate) ground: Rc<Ground>,
}

/// Options of the configuration.
///
/// As a field: package, section and option; the section is a name or `@type[n]`. A field with the option alone is one of
/// the row. As rows: package and type of sections; the key is the name of the section, or the value of the option that the
/// mapping file names.
pub(crate) struct OfUci {
    pub(crate) ground: Rc<Ground>,
}

fn arguments(field: &str) -> Vec<&str> {
    field.split(',').map(str::trim).collect()
}

fn filled(argument: &str, key: &str) -> String {
    argument.replace("{key}", key)
}

/// A scalar as mapping files see it; booleans as they do in UCI.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(yes) => Some(if *yes { "1" } else { "0" }.to_owned()),
        Value::Double(number) => Some(number.to_string()),
        Value::Array(values) => {
            let texts: Option<Vec<String>> = values.iter().map(text).collect();
            texts.map(|texts| texts.join(","))
        }
        Value::Unspec | Value::Table(_) => None,
        number => number.as_i64().map(|number| number.to_string()),
    }
}

/// Follows a way through tables and arrays.
fn follow<'v>(from: &'v Table, way: &[String]) -> Option<&'v Value> {
    let (first, rest) = way.split_first()?;
    let mut value = from.get(first)?;
    for step in rest {
        value = match value {
            Value::Table(table) => table.get(step)?,
            Value::Array(values) => values.get(step.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(value)
}

impl OfBus {
    async fn field(
        &self,
        survey: &Survey,
        field: &str,
        key: &str,
        row: Option<&Table>,
    ) -> Result<Option<String>, SourceError> {
        let arguments: Vec<String> =
            arguments(field).into_iter().map(|argument| filled(argument, key)).collect();
        if let (Some(row), true) = (row, arguments.len() == 1) {
            return Ok(follow(row, &arguments).and_then(text));
        }
        let [object, method, way @ ..] = arguments.as_slice() else {
            return Err(SourceError::new(format!(
                "ubus({field}) names an object, a method and a way through the answer"
            )));
        };
        let answer = survey.ubus(object, method).await?;
        Ok(answer.as_deref().and_then(|answer| follow(answer, way)).and_then(text))
    }

    async fn selected(
        &self,
        survey: &Survey,
        arguments: &[String],
        key: &str,
        fields: &[String],
    ) -> Result<Found, SourceError> {
        let [object, method, way @ ..] = arguments else {
            return Err(SourceError::new("rows of ubus(...) need an object and a method"));
        };
        let Some(answer) = survey.ubus(object, method).await? else { return Ok(Vec::new()) };
        let place = match way {
            [] => Some(Value::Table(answer.as_ref().clone())),
            way => follow(&answer, way).cloned(),
        };
        let rows: Vec<(String, Table)> = match place {
            Some(Value::Array(values)) => {
                values.into_iter().filter_map(table).map(|row| (String::new(), row)).collect()
            }
            Some(Value::Table(rows)) => {
                rows.into_iter().filter_map(|(name, value)| Some((name, table(value)?))).collect()
            }
            _ => Vec::new(),
        };
        let mut found = Vec::new();
        for (name, row) in rows.into_iter().take(limits::ROWS) {
            let key = if key.is_empty() { Some(name) } else { row.get(key).and_then(text) };
            let Some(key) = key.filter(|key| !key.is_empty()) else { continue };
            let mut values = Vec::new();
            for field in fields {
                values.push(self.field(survey, field, &key, Some(&row)).await?);
            }
            found.push((key, values));
        }
        Ok(found)
    }
}

fn table(value: Value) -> Option<Table> {
    match value {
        Value::Table(table) => Some(table),
        _ => None,
    }
}

#[async_trait(?Send)]
impl FieldProvider for OfBus {
    fn name(&self) -> &'static str {
        "ubus"
    }

    async fn read(&self, questions: &[Question]) -> Result<Vec<Vec<Row>>, SourceError> {
        let survey = self.ground.survey();
        let mut answers = Vec::new();
        for Question { rows, fields } in questions {
            let found = match rows {
                RowsOf::Selected { arguments, key } => self.selected(&survey, arguments, key, fields).await?,
                RowsOf::Single => vec![self.keyed(&survey, "", fields).await?],
                RowsOf::Keys(keys) => {
                    let mut found = Vec::new();
                    for key in keys {
                        found.push(self.keyed(&survey, key, fields).await?);
                    }
                    found
                }
            };
            answers.push(found.into_iter().map(|(key, values)| Row { key, values }).collect());
        }
        Ok(answers)
    }
}

impl OfBus {
    async fn keyed(
        &self,
        survey: &Survey,
        key: &str,
        fields: &[String],
    ) -> Result<(String, Vec<Option<String>>), SourceError> {
        let mut values = Vec::new();
        for field in fields {
            values.push(self.field(survey, field, key, None).await?);
        }
        Ok((key.to_owned(), values))
    }
}

/// A section by its name, or as `@type[n]`.
fn section_of<'p>(package: &'p Package, name: &str) -> Option<&'p Section> {
    package.section(name)
}

/// Values of an option: one, or those of a list with commas between them.
fn option(section: &Section, name: &str) -> Option<String> {
    let option = section.option(name)?;
    let values: Vec<&str> = option.values().collect();
    Some(values.join(","))
}

impl OfUci {
    async fn field(
        &self,
        survey: &Survey,
        field: &str,
        key: &str,
        row: Option<&Section>,
    ) -> Result<Option<String>, SourceError> {
        match (arguments(field).as_slice(), row) {
            ([name], Some(section)) => Ok(option(section, name)),
            ([package, section, name], _) => {
                let package = survey.uci(package).await?;
                Ok(section_of(&package, &filled(section, key)).and_then(|section| option(section, name)))
            }
            _ => Err(SourceError::new(format!("uci({field}) names a package, a section and an option"))),
        }
    }
}

#[async_trait(?Send)]
impl FieldProvider for OfUci {
    fn name(&self) -> &'static str {
        "uci"
    }

    async fn read(&self, questions: &[Question]) -> Result<Vec<Vec<Row>>, SourceError> {
        let survey = self.ground.survey();
        let mut answers = Vec::new();
        for Question { rows, fields } in questions {
            let mut found = Vec::new();
            match rows {
                RowsOf::Selected { arguments, key } => {
                    let [package, kind] = arguments.as_slice() else {
                        return Err(SourceError::new(
                            "rows of uci(...) need a package and a type of sections",
                        ));
                    };
                    let package = survey.uci(package).await?;
                    for section in package.of_type(kind).take(limits::ROWS) {
                        // A section without a name has an id that changes: another option must tell it apart.
                        let named = (!section.is_anonymous()).then(|| section.name().to_owned());
                        let key = if key.is_empty() { named } else { option(section, key) };
                        let Some(key) = key else { continue };
                        let mut values = Vec::new();
                        for field in fields {
                            values.push(self.field(&survey, field, &key, Some(section)).await?);
                        }
                        found.push(Row { key, values });
                    }
                }
                RowsOf::Single => found.push(self.keyed(&survey, "", fields).await?),
                RowsOf::Keys(keys) => {
                    for key in keys {
                        found.push(self.keyed(&survey, key, fields).await?);
                    }
                }
            }
            answers.push(found);
        }
        Ok(answers)
    }

    /// Sets options of sections that are there. The packages are reloaded as for any other change.
    async fn set(&self, changes: &[FieldChange]) -> Result<Status, SourceError> {
        let mut edits = Edits::new(self.ground.survey());
        for FieldChange { key, field, value } in changes {
            let arguments = arguments(field);
            let [package, section, name] = arguments.as_slice() else {
                return Err(SourceError::new(format!(
                    "uci({field}) can only be set with package, section and option"
                )));
            };
            let package = edits.package(package).await?;
            let section = filled(section, key);
            if !package.has(&section) {
                return Err(SourceError::new(format!("uci({field}): there is no section {section}")));
            }
            package.set(&section, name, value);
        }
        let done = edits.commit().await;
        self.ground.forget();
        done
    }
}

impl OfUci {
    async fn keyed(&self, survey: &Survey, key: &str, fields: &[String]) -> Result<Row, SourceError> {
        let mut values = Vec::new();
        for field in fields {
            values.push(self.field(survey, field, key, None).await?);
        }
        Ok(Row { key: key.to_owned(), values })
    }
}

#[cfg(test)]
mod tests;

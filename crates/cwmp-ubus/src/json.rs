//! Tables as JSON and back, as the `ubus` command line has it.

use crate::{
    limits,
    value::{Table, Value},
};
use serde_json::{Map, Number, Value as Json};
use thiserror::Error;

/// Why JSON is no table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum JsonError {
    /// The bus carries tables, in JSON objects.
    #[error("not a JSON object")]
    NoObject,
    /// Deeper than [`DEPTH`](crate::limits::DEPTH).
    #[error("nested too deeply")]
    TooDeep,
    /// An integer that needs more than 64 bits.
    #[error("an integer is out of range")]
    Range,
}

/// A table as a JSON object. Where a name is repeated the last value counts; a number that JSON cannot say is null.
#[must_use]
pub fn to_json(table: &Table) -> Json {
    Json::Object(
        table.iter().map(|(name, value)| (name.to_owned(), value_to_json(value))).collect::<Map<_, _>>(),
    )
}

fn value_to_json(value: &Value) -> Json {
    match value {
        Value::Unspec => Json::Null,
        Value::Array(values) => Json::Array(values.iter().map(value_to_json).collect()),
        Value::Table(table) => to_json(table),
        Value::String(text) => Json::String(text.clone()),
        Value::Int64(number) => (*number).into(),
        Value::Int32(number) => (*number).into(),
        Value::Int16(number) => (*number).into(),
        Value::Bool(yes) => Json::Bool(*yes),
        Value::Double(number) => Number::from_f64(*number).map_or(Json::Null, Json::Number),
    }
}

/// A JSON object as a table: integers that fit are INT32, others INT64, fractions DOUBLE, null is UNSPEC.
///
/// # Errors
/// No object, or something that the bus cannot carry.
pub fn from_json(json: &Json) -> Result<Table, JsonError> {
    object(json.as_object().ok_or(JsonError::NoObject)?, 0)
}

fn object(object: &Map<String, Json>, depth: usize) -> Result<Table, JsonError> {
    let mut table = Table::new();
    for (name, json) in object {
        table.push(name, value(json, depth)?);
    }
    Ok(table)
}

fn value(json: &Json, depth: usize) -> Result<Value, JsonError> {
    if depth > limits::DEPTH {
        return Err(JsonError::TooDeep);
    }
    Ok(match json {
        Json::Null => Value::Unspec,
        Json::Bool(yes) => Value::Bool(*yes),
        Json::String(text) => Value::String(text.clone()),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => integer.into(),
            (None, Some(fraction)) if number.is_f64() => Value::Double(fraction),
            _ => return Err(JsonError::Range),
        },
        Json::Array(values) => {
            Value::Array(values.iter().map(|json| value(json, depth + 1)).collect::<Result<_, _>>()?)
        }
        Json::Object(map) => Value::Table(object(map, depth + 1)?),
    })
}

//! The table `Device.ManagementServer.InformParameter.{i}.`: what an Inform carries beside the forced parameters.

use cwmp_core::{event::EventCode, path::ParameterPath};
use cwmp_store::{Layers, Problem, StoreError};

use crate::config::reader::boolean;

pub(super) const TABLE: &str = "ManagementServer.InformParameter";
/// Most rows. An Inform with more would be long, and each row is looked up for each Inform.
pub(super) const ROWS: usize = 64;
/// Parameters of a row.
pub(super) const KEYS: [&str; 3] = ["Enable", "ParameterName", "EventList"];
const NEXT: &str = "NextInstance";

/// A row as the layers have it.
pub(super) struct Row {
    pub(super) number: u32,
    pub(super) enable: bool,
    pub(super) parameter_name: String,
    pub(super) event_list: String,
}

/// All rows, ascending.
pub(super) fn rows(layers: &Layers) -> Vec<Row> {
    let row = |number: u32| {
        let section = section(number);
        let text = |key: &str| layers.get(&section, key).unwrap_or_default().to_owned();
        Row {
            number,
            enable: layers.get(&section, "Enable").and_then(boolean).unwrap_or(false),
            parameter_name: text("ParameterName"),
            event_list: text("EventList"),
        }
    };
    layers.rows(TABLE).into_iter().map(row).collect()
}

/// What is wrong with the rows in the files. Which of them an Inform follows is the data model's business.
pub(super) fn problems(layers: &Layers, forced: &dyn Fn(&str) -> bool) -> Vec<Problem> {
    let mut problems = Vec::new();
    for section in layers.rows(TABLE).into_iter().map(section) {
        for key in KEYS {
            let Some(found) = layers.find(&section, key).next() else { continue };
            if let Err(right) = check(key, found.value, forced) {
                let reason = format!("must be {right}");
                problems.push(Problem::key(&layers.file(found.layer), &section, key, reason));
            }
        }
    }
    problems
}

pub(super) fn exists(layers: &Layers, number: u32) -> bool {
    layers.rows(TABLE).contains(&number)
}

/// Makes a row with the defaults of the model, under the number that [`next_instance`] gave.
pub(super) fn add(layers: &mut Layers, number: u32) -> Result<(), StoreError> {
    use_up(layers, number)?;
    let section = section(number);
    for (key, value) in [("Enable", "false"), ("ParameterName", ""), ("EventList", "")] {
        layers.set(&section, key, value)?;
    }
    Ok(())
}

/// Deletes a row. Its number stays used, even where the row came from a file and the counter does not know it.
pub(super) fn delete(layers: &mut Layers, number: u32) -> Result<(), StoreError> {
    use_up(layers, layers.highest_row(TABLE))?;
    layers.delete_row(TABLE, number)
}

/// Moves the counter beyond a number.
fn use_up(layers: &mut Layers, number: u32) -> Result<(), StoreError> {
    let next = number.saturating_add(1).max(counter(layers));
    layers.set(TABLE, NEXT, &next.to_string())
}

fn section(number: u32) -> String {
    format!("{TABLE}.{number}")
}

/// The least number that no row can have had.
fn counter(layers: &Layers) -> u32 {
    layers.get(TABLE, NEXT).and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// A number that no row ever had, be it of the counter or written into the files by hand; `None` when all are used up.
pub(super) fn next_instance(layers: &Layers) -> Option<u32> {
    let next = layers.highest_row(TABLE).saturating_add(1).max(counter(layers));
    (next < u32::MAX).then_some(next)
}

/// Whether a parameter of a row takes the value; otherwise what would be right, to follow "must be". `forced` tells the
/// parameters that every Inform has.
pub(super) fn check(key: &str, value: &str, forced: &dyn Fn(&str) -> bool) -> Result<(), &'static str> {
    match key {
        "Enable" if boolean(value).is_none() => Err("true or false"),
        "ParameterName" if !value.is_empty() && !full_name(value) => {
            Err("the full name of a parameter, with instance numbers, aliases or *, or empty")
        }
        "ParameterName" if forced(value) => Err("a parameter that is not in every Inform anyway"),
        "EventList" if !is_event_list(value) => {
            Err("a list of event codes other than 4 VALUE CHANGE, or empty")
        }
        _ => Ok(()),
    }
}

/// A full parameter name below the root, with wildcards and aliases at most.
fn full_name(name: &str) -> bool {
    let path = ParameterPath::parse(name);
    name.starts_with("Device.") && path.is_ok_and(|path| !path.is_partial())
}

/// Whether an EventList names events of the standard or a vendor, apart from `4 VALUE CHANGE`; empty stands for all.
fn is_event_list(list: &str) -> bool {
    let fits = |text: &str| match EventCode::parse(text.trim()) {
        EventCode::ValueChange => false,
        EventCode::Other(code) => code.strip_prefix("X ").is_some_and(|rest| !rest.trim().is_empty()),
        _ => true,
    };
    list.is_empty() || list.split(',').all(fits)
}

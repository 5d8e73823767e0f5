//! The table `Device.ManagementServer.InformParameter.{i}.`: what an Inform carries beside the forced parameters.

use cwmp_core::{event::EventCode, path::ParameterPath};
use cwmp_store::{Layers, Problem};

use crate::config::{reader::boolean, rows};

pub(super) const TABLE: &str = "ManagementServer.InformParameter";
/// Most rows. An Inform with more would be long, and each row is looked up for each Inform.
pub(super) const ROWS: usize = 64;

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
        for (key, _) in DEFAULTS {
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

/// What a new row has: the defaults of the model.
pub(super) const DEFAULTS: [(&str, &str); 3] =
    [("Enable", "false"), ("ParameterName", ""), ("EventList", "")];

fn section(number: u32) -> String {
    rows::section(TABLE, number)
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

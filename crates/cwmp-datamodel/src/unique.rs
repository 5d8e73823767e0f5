//! Unique keys of tables (TR-106 "Tables"): no two rows in force have the same values of a key.
//!
//! A row counts once all parameters of the key have a value and, where the table has a parameter that puts rows into
//! force, that one is true. So rows that were just added do not collide with each other.

use std::collections::{BTreeMap, HashMap, HashSet};

use cwmp_core::fault::{FaultCode, SetParameterValuesFault};
use cwmp_platform::source::Change;

use crate::{
    facts::{Facet, Facts, Place, Rule, model_form},
    snapshot::Snapshot,
};

/// Tables of which the change of one of these parameters may break a key, as paths.
pub(crate) fn tables<'a>(facts: Facts, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let table = |name: &'a str| {
        let Some(Place::Parameter(object, parameter)) = facts.find(&model_form(name)) else { return None };
        let takes_part = |key: &Key| key.holds(parameter.name()) || key.enable == Some(parameter.name());
        let (row, _) = name.rsplit_once('.').filter(|_| keys(object.rule()).iter().any(takes_part))?;
        let (table, _) = row.rsplit_once('.')?;
        name.get(..=table.len())
    };
    let mut tables: Vec<&str> = names.filter_map(table).collect();
    tables.sort_unstable();
    tables.dedup();
    tables
}

/// Changes that would give a row the key of another one.
pub(crate) fn collisions<'a>(
    tables: &[&str],
    before: &Snapshot,
    changes: impl Iterator<Item = &'a Change>,
) -> Vec<SetParameterValuesFault> {
    let changes: BTreeMap<&str, &str> =
        changes.map(|change| (change.name.as_str(), change.value.as_str())).collect();
    let mut faults: Vec<SetParameterValuesFault> = Vec::new();
    for table in tables {
        let Some(rule) = before.object_rule(table) else { continue };
        let Ok(parameters) = before.parameters(table) else { continue };
        let mut rows: BTreeMap<&str, HashMap<&str, &str>> = BTreeMap::new();
        let mut touched: HashSet<String> = HashSet::new();
        for found in parameters {
            let (row, name) = (found.entry.object, found.entry.name);
            let full = found.full_name();
            let value = changes.get(full.as_str()).copied().unwrap_or(found.entry.text);
            if value != found.entry.text {
                touched.insert(full);
            }
            rows.entry(row).or_default().insert(name, value);
        }
        rows.retain(|row, _| row.strip_prefix(table).is_some_and(|number| number.matches('.').count() == 1));
        for key in keys(rule) {
            let mut taken: HashMap<Vec<&str>, &str> = HashMap::new();
            for (row, values) in &rows {
                let Some(value) = key.of(values) else { continue };
                let Some(other) = taken.insert(value, row) else { continue };
                // Of rows that collide as they are the ACS is not to blame, even if it writes back what it has read.
                let parts = || key.parts().chain(key.enable);
                let names =
                    [*row, other].into_iter().flat_map(|row| parts().map(move |part| [row, part].concat()));
                if let Some(name) = names.into_iter().find(|name| touched.contains(name)) {
                    let text = format!(
                        "{row} and {other} would have the same {}",
                        key.parameters.replace('+', ", ")
                    );
                    faults.push(SetParameterValuesFault {
                        name,
                        code: FaultCode::INVALID_PARAMETER_VALUE,
                        text,
                    });
                }
            }
        }
    }
    faults.sort_by(|a, b| a.name.cmp(&b.name));
    faults.dedup_by(|a, b| a.name == b.name);
    faults
}

/// One unique key of a table.
struct Key {
    /// Parameters, joined with `+`.
    parameters: &'static str,
    enable: Option<&'static str>,
}

impl Key {
    fn parts(&self) -> impl Iterator<Item = &'static str> {
        self.parameters.split('+')
    }

    fn holds(&self, name: &str) -> bool {
        self.parts().any(|part| part == name)
    }

    /// The values of a row that counts.
    fn of<'v>(&self, row: &HashMap<&str, &'v str>) -> Option<Vec<&'v str>> {
        let in_force = self.enable.is_none_or(|enable| row.get(enable).is_none_or(|value| *value == "true"));
        let values: Option<Vec<&str>> = self.parts().map(|part| row.get(part).copied()).collect();
        values.filter(|values| in_force && values.iter().all(|value| !value.is_empty()))
    }
}

fn keys(rule: Rule) -> Vec<Key> {
    let enable =
        rule.facets().find_map(|facet| if let Facet::Enable(name) = facet { Some(name) } else { None });
    let keys = rule.facets().find_map(|facet| if let Facet::Key(keys) = facet { Some(keys) } else { None });
    let keys = keys.into_iter().flat_map(|keys| keys.split('|'));
    // Aliases are unique whether their rows are in force or not: see `aliases`.
    keys.filter(|key| *key != "Alias").map(|parameters| Key { parameters, enable }).collect()
}

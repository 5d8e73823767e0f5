//! Aliases of instances (TR-069a6 3.6.1, Appendix II): names that the ACS can give to rows and address them by.
//!
//! The tree keeps them, not the sources: every instance of a table that has an Alias in the model has one from the
//! start, `cpe-` and its number, which needs no storage. What the ACS sets in its place is stored with the attributes
//! and goes with the instance. The model calls the parameter write-once; here the ACS may change it again, as Appendix
//! II lets it.
//!
//! An alias is a part of a path, so it holds none of `.`, `[`, `]` and `*`. `cpe-` and the number of another row, be it
//! there or not, is refused: that row would find its alias taken.

use std::collections::BTreeMap;

use cwmp_core::fault::{FaultCode, SetParameterValuesFault};
use cwmp_platform::source::Change;

use crate::{
    attributes::Attributes,
    facts::{Facts, Place, is_instance_number, model_form},
    snapshot::{Snapshot, made_alias},
};

/// Longest alias, in characters (TR-181 "Alias").
const LENGTH: usize = 64;

/// Whether an instance may have this alias, apart from what others are called; `row` is empty where its number is not
/// known yet.
///
/// # Errors
/// What the alias would have to be.
pub(crate) fn check(alias: &str, row: &str) -> Result<(), &'static str> {
    let starts_well = alias.starts_with(|c: char| c.is_ascii_alphabetic());
    let fits = alias.chars().nth(LENGTH).is_none();
    if !starts_well || !fits || alias.contains(|c: char| ".[]*".contains(c) || c.is_control()) {
        return Err("an alias must have 1 to 64 characters, a letter first, and none of . [ ] *");
    }
    let of_a_row =
        alias.strip_prefix("cpe-").is_some_and(|rest| !rest.is_empty() && is_instance_number(rest));
    if of_a_row && alias != made_alias(row) {
        return Err("`cpe-` and a number is the alias of the row with that number");
    }
    Ok(())
}

/// Tables in which one of these parameters is an alias, as paths.
pub(crate) fn tables<'a>(facts: Facts, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut tables: Vec<&str> = names.filter(|name| is_alias(facts, name)).filter_map(table_of).collect();
    tables.sort_unstable();
    tables.dedup();
    tables
}

fn is_alias(facts: Facts, name: &str) -> bool {
    let place = facts.find(&model_form(name));
    matches!(place, Some(Place::Parameter(_, parameter)) if parameter.rule().is_alias())
}

/// `Device.X.Y.` of `Device.X.Y.1.Alias`.
fn table_of(name: &str) -> Option<&str> {
    let (table, _) = name.rsplit_once('.')?.0.rsplit_once('.')?;
    name.get(..=table.len())
}

/// Changes that would give two rows of a table the same alias. The changes count as a whole: aliases can change places.
pub(crate) fn collisions(
    facts: Facts,
    before: &Snapshot,
    changes: &[Change],
) -> Vec<SetParameterValuesFault> {
    let changed: BTreeMap<&str, &str> =
        changes.iter().map(|change| (change.name.as_str(), change.value.as_str())).collect();
    let mut faults = Vec::new();
    for table in tables(facts, changed.keys().copied()) {
        let mut taken: BTreeMap<&str, &str> = BTreeMap::new();
        for (row, alias) in before.aliases(table) {
            let alias = changed.get([row, "Alias"].concat().as_str()).copied().unwrap_or(alias);
            let Some(other) = taken.insert(alias, row) else { continue };
            // What was as it is, is not to blame.
            let names = [row, other].map(|row| [row, "Alias"].concat());
            if let Some(name) = names.into_iter().find(|name| changed.contains_key(name.as_str())) {
                let text = format!("{row} and {other} would have the same alias");
                faults.push(SetParameterValuesFault { name, code: FaultCode::INVALID_PARAMETER_VALUE, text });
            }
        }
    }
    faults
}

impl Attributes {
    /// Aliases of a row and of those below it that are not the usual ones, by path.
    pub(crate) fn aliases_below(&self, row: &str) -> Vec<(String, String)> {
        let below = self.aliases.iter().filter(|(path, _)| path.starts_with(row));
        below.map(|(path, alias)| (path.clone(), alias.clone())).collect()
    }

    /// Gives an instance an alias that no other one has; whether it had another before.
    pub(crate) fn set_alias(&mut self, row: &str, alias: &str) -> bool {
        let before = self.aliases.get(row).cloned();
        if let Some(table) = row.strip_suffix('.').and_then(table_of_row) {
            // Who has it is gone, and must not come back with a name that is taken.
            let of_others = self.aliases.iter().filter(|(other, theirs)| *theirs == alias && *other != row);
            let gone = of_others.map(|(other, _)| other).find(|other| is_row_of(other, table)).cloned();
            if let Some(gone) = gone {
                self.aliases.remove(&gone);
            }
        }
        if alias == made_alias(row) {
            self.aliases.remove(row);
        } else {
            self.aliases.insert(row.to_owned(), alias.to_owned());
        }
        before.as_ref() != self.aliases.get(row)
    }
}

fn table_of_row(row: &str) -> Option<&str> {
    row.rsplit_once('.').and_then(|(table, _)| row.get(..=table.len()))
}

fn is_row_of(row: &str, table: &str) -> bool {
    row.strip_prefix(table).is_some_and(|number| number.matches('.').count() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Conformance: 4.57
    #[test]
    fn forms_of_aliases() {
        let longest = format!("a{}", "\u{e9}".repeat(63));
        for good in ["a", "WAN-1 (main)", "cpe-", "cpe-x", "cpe-01", "cpe-2x", &longest] {
            assert_eq!(check(good, "Device.X.1."), Ok(()), "{good}");
        }
        let too_long = format!("{longest}e");
        for bad in ["", "1a", "-a", "_a", "a.b", "[a]", "a]", "*", "a\n", "cpe-2", &too_long] {
            assert!(check(bad, "Device.X.1.").is_err(), "{bad}");
        }
        assert_eq!(check("cpe-1", "Device.X.1."), Ok(()));
        assert!(check("cpe-1", "").is_err());
    }

    #[test]
    fn an_alias_of_a_row_that_is_gone_does_not_come_back() {
        let mut attributes = Attributes::default();
        assert!(attributes.set_alias("Device.X.1.", "a"));
        assert!(attributes.set_alias("Device.X.1.Y.1.", "a"));
        assert!(attributes.set_alias("Device.X.2.", "a"));
        let kept: Vec<&str> = attributes.aliases.keys().map(String::as_str).collect();
        assert_eq!(kept, ["Device.X.1.Y.1.", "Device.X.2."]);
        assert!(attributes.set_alias("Device.X.2.", "cpe-2"));
        assert!(!attributes.set_alias("Device.X.2.", "cpe-2"));
        assert_eq!(attributes.aliases.len(), 1);
    }
}

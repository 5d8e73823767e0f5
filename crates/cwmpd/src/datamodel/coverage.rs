//! How much of the model this box has, and what it delivers that the model does not allow.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use cwmp_datamodel::{
    DataModel, Surveyed,
    facts::{Facts, Object, Place, VERSION},
    validate::{validate, validate_vendor},
};

use crate::run::one;

/// Parameters of one object of the model.
struct Covered {
    object: Object,
    /// As in the model, with a dot at its end.
    path: String,
    /// Names that are there in at least one row.
    names: BTreeSet<String>,
}

/// A line for each object that is there, the totals, the violations, and the sum.
///
/// # Errors
/// A source that fails.
pub(super) async fn report(model: &DataModel) -> Result<(String, bool), Vec<String>> {
    let facts = Facts::tr181();
    let mut covered = BTreeMap::new();
    let (mut parameters, mut objects, mut vendors) = (0_u32, 0_u32, 0_u32);
    let mut violations = Vec::new();
    let mut see = |seen: Surveyed<'_>| match seen {
        Surveyed::Object(path, _) => {
            objects += 1;
            if let Some(Place::Object(object) | Place::Table(object)) = facts.find(path) {
                let new = || Covered { object, path: model_path(path, object), names: BTreeSet::new() };
                covered.entry(object.id()).or_insert_with(new);
            }
        }
        Surveyed::Parameter { entry, rule, .. } => {
            parameters += 1;
            let checked = match rule {
                // What it reads as, says the model; not what it is.
                Some(rule) if rule.is_hidden() => Ok(String::new()),
                Some(rule) => validate(rule, None, entry.text),
                None => validate_vendor(entry.value_type, None, entry.text),
            };
            if let Err(invalid) = checked {
                let name = [entry.object, entry.name].concat();
                violations.push(format!("violation: {name} = `{}`: {}", entry.text, invalid.text));
            }
            match facts.find(entry.object) {
                Some(Place::Object(object)) if rule.is_some() => {
                    if let Some(covered) = covered.get_mut(&object.id()) {
                        covered.names.insert(entry.name.to_owned());
                    }
                }
                _ => vendors += 1,
            }
        }
    };
    model.survey("", &mut see).await.map_err(one)?;

    let (mut text, mut distinct) = (String::new(), 0);
    for Covered { object, path, names } in covered.values() {
        let _ = writeln!(text, "{path}\t{} of {}", names.len(), object.parameters().count());
        distinct += names.len();
    }
    let (all, known) = (facts.objects().count(), facts.objects().map(|object| object.parameters().count()));
    let _ = writeln!(
        text,
        "TR-181 {VERSION}: {distinct} of {} parameters, {} of {all} objects; {vendors} values of vendors' parameters",
        known.sum::<usize>(),
        covered.len(),
    );
    for violation in &violations {
        let _ = writeln!(text, "{violation}");
    }
    let _ = writeln!(
        text,
        "coverage: {parameters} parameters, {objects} objects, {} violations",
        violations.len()
    );
    Ok((text, violations.is_empty()))
}

/// `Device.X.{i}.` of `Device.X.` and `Device.X.1.`.
pub(super) fn model_path(path: &str, object: Object) -> String {
    let rest = if object.is_table() && !numberless(path).ends_with("{i}.") { "{i}." } else { "" };
    numberless(path) + rest
}

/// A path or a name with `{i}` in place of instance numbers.
pub(super) fn numberless(path: &str) -> String {
    let is_number = |part: &str| part.starts_with(|c: char| c.is_ascii_digit());
    let parts = path.split('.').map(|part| if is_number(part) { "{i}" } else { part });
    parts.collect::<Vec<_>>().join(".")
}

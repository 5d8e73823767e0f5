//! Values that refer to rows and parameters (TR-106 "Reference Data Types").
//!
//! The facts tell which rows a value may refer to, not whether a reference is strong or weak. All that the ACS can
//! write are taken as strong, as nearly all of them are: the value names a row that is there, or is empty, and becomes
//! empty when the row is deleted. A weak one could be set before its row is made; here the row comes first.
//!
//! Values hold instance numbers: an alias in a value that the ACS sets is replaced by the number.

use std::{borrow::Cow, collections::BTreeMap};

use cwmp_core::{path::ParameterPath, rpc::ParameterValueStruct};
use cwmp_platform::source::{Change, ObjectKind};

use crate::{
    facts::{DefaultOf, Facet, Facts, ObjectId, Place, Rule, alias_in, is_instance_number, model_form},
    model::{DataModel, Reading, in_time},
    set::Part,
    snapshot::{Address, Snapshot},
    validate::percent_decoded,
};

/// What must be read to judge these values.
pub(crate) fn needs(facts: Facts, parameters: &[ParameterValueStruct]) -> Vec<String> {
    let mut names = Vec::new();
    for parameter in parameters {
        let Some(Place::Parameter(_, known)) = facts.find(&model_form(&parameter.name)) else { continue };
        for facet in known.rule().facets() {
            match facet {
                Facet::EnumerationRef(path) => names.extend(absolute(path, &parameter.name)),
                Facet::PathRef(_) => {
                    let paths = parameter.value.split(',').map(|path| format!("{}.", path.trim()));
                    names
                        .extend(paths.filter(|path| {
                            path.starts_with("Device.") && ParameterPath::parse(path).is_ok()
                        }));
                }
                _ => {}
            }
        }
    }
    names
}

/// The value with instance numbers in place of aliases.
pub(crate) fn numbered<'v>(before: &Snapshot, rule: Rule, value: &'v str) -> Cow<'v, str> {
    if !value.contains('[') || !is_reference(rule) {
        return Cow::Borrowed(value);
    }
    let item = |path: &str| match before.address(&format!("{}.", path.trim())) {
        Address::Numbered(path) => path.strip_suffix('.').unwrap_or(&path).to_owned(),
        Address::Missing { .. } | Address::Nowhere => path.to_owned(),
    };
    Cow::Owned(value.split(',').map(item).collect::<Vec<_>>().join(","))
}

/// Whether what a canonical value refers to is there and is of the right kind.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check(
    facts: Facts,
    before: &Snapshot,
    name: &str,
    rule: Rule,
    value: &str,
) -> Result<(), String> {
    let items = || if rule.is_list() { value.split(',') } else { value.split(NEVER) };
    for facet in rule.facets() {
        match facet {
            Facet::PathRef(targets) => {
                for path in items().filter(|path| !path.is_empty()) {
                    refers(facts, before, name, targets, path)?;
                }
            }
            Facet::EnumerationRef(path) => {
                let listed = absolute(path, name).and_then(|path| Some((before.parameter(&path)?, path)));
                // What this box does not list, its source judges.
                let Some((listed, path)) = listed else { continue };
                let is_listed = |item: &str| {
                    listed.entry.text.split(',').any(|known| same(known.trim(), item))
                        || is_default(rule, item)
                };
                let is_none = rule.is_list() && value.is_empty();
                if !is_none && !items().all(is_listed) {
                    return Err(format!("the value must be among those of {path}"));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Separates nothing: no value of XML holds it.
const NEVER: char = '\0';

fn is_reference(rule: Rule) -> bool {
    rule.facets().any(|facet| matches!(facet, Facet::PathRef(_)))
}

fn same(known: &str, item: &str) -> bool {
    known == item || (percent_decoded(known).is_some() && percent_decoded(known) == percent_decoded(item))
}

/// The value of the factory stands for none where the list lacks it.
fn is_default(rule: Rule, item: &str) -> bool {
    rule.facets().any(|facet| {
        matches!(facet, Facet::Default(DefaultOf::Object | DefaultOf::Factory, value) if value == item)
    })
}

fn refers(facts: Facts, before: &Snapshot, name: &str, targets: &str, path: &str) -> Result<(), String> {
    let object = format!("{path}.");
    let kind = before.object(&object).map(|(kind, _)| kind);
    if kind.is_none() && before.parameter(path).is_none() {
        return Err(format!("there is no {path}"));
    }
    let tables: Vec<ObjectId> = targets.split_whitespace().filter_map(|t| table(facts, t, name)).collect();
    // Of what a vendor has added the model says nothing.
    let Some(own) = facts.find(&object).and_then(object_of) else { return Ok(()) };
    let is_table = matches!(kind, Some(ObjectKind::Table { .. }));
    if tables.is_empty() || (tables.contains(&own) && !is_table) {
        return Ok(());
    }
    Err(format!("{path} is no row of {targets}"))
}

fn table(facts: Facts, target: &str, name: &str) -> Option<ObjectId> {
    facts.find(&model_form(&absolute(target, name)?)).and_then(object_of)
}

fn object_of(place: Place) -> Option<ObjectId> {
    match place {
        Place::Object(object) | Place::Table(object) => Some(object.id()),
        Place::Parameter(..) => None,
    }
}

/// A path of the model as seen from the parameter with this name (TR-106 "Relative Path Names"): `.` is the root, each
/// `#` one level up, where a table and its instance are one level.
fn absolute(path: &str, name: &str) -> Option<String> {
    if path.starts_with("Device.") {
        return Some(path.to_owned());
    }
    if path.starts_with('.') {
        return Some(format!("Device{path}"));
    }
    let (mut base, _) = name.rsplit_once('.')?;
    let rest = path.trim_start_matches('#');
    for _ in rest.len()..path.len() {
        let (above, last) = base.rsplit_once('.')?;
        let is_row = last == "{i}" || last == "*" || is_instance_number(last) || alias_in(last).is_some();
        base = if is_row { above.rsplit_once('.')?.0 } else { above };
    }
    Some(format!("{base}.{}", rest.strip_prefix('.').unwrap_or(rest)))
}

impl DataModel {
    /// Changes that empty every reference to an instance or something below it, by source, as far as their sources take
    /// them.
    pub(crate) async fn without_references(&self, instance: &str) -> Vec<(u8, Part)> {
        let names: Vec<&str> = self.references.iter().map(String::as_str).collect();
        if names.is_empty() {
            return Vec::new();
        }
        let Ok(present) = self.read(&names, Reading::Lenient).await else { return Vec::new() };
        let mut parts = BTreeMap::<u8, Part>::new();
        for found in present.parameters("").into_iter().flatten() {
            let (value, is_own) = (found.entry.text, found.entry.object.starts_with(instance));
            let refers = |path: &str| format!("{path}.").starts_with(instance);
            if !found.rule.is_some_and(is_reference) || is_own || !value.split(',').any(refers) {
                continue;
            }
            let name = found.full_name();
            let Some(source) = self.owner(&name, &found).filter(|_| found.entry.writable) else { continue };
            let left: Vec<&str> = value.split(',').filter(|path| !refers(path)).collect();
            let part = parts.entry(source).or_default();
            part.undo.push(Change { name: name.clone(), value: value.to_owned() });
            part.changes.push(Change { name, value: left.join(",") });
        }
        for (index, part) in &mut parts {
            let Ok(source) = self.source(*index) else { continue };
            for fault in in_time(source.check(&part.changes)).await.unwrap_or_default() {
                tracing::warn!("{} goes on naming a row that is deleted: {}", fault.name, fault.text);
                part.changes.retain(|change| change.name != fault.name);
                part.undo.retain(|change| change.name != fault.name);
            }
        }
        parts.into_iter().filter(|(_, part)| !part.changes.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_to_the_object_of_the_parameter() {
        for (path, name, wanted) in [
            (".IP.Interface.", "Device.A.B", "Device.IP.Interface."),
            ("Device.WiFi.Radio.", "Device.A.B", "Device.WiFi.Radio."),
            ("Policer.", "Device.QoS.DefaultPolicer", "Device.QoS.Policer."),
            ("#.Policer.", "Device.QoS.Classification.3.Policer", "Device.QoS.Policer."),
            ("##.IP.Interface.", "Device.DHCPv4.Client.[a].Interface", "Device.IP.Interface."),
            ("##.Security.Modes", "Device.W.E.1.Profile.2.Security.Mode", "Device.W.E.1.Security.Modes"),
        ] {
            assert_eq!(absolute(path, name).as_deref(), Some(wanted), "{path} from {name}");
        }
        assert_eq!(absolute("####.A", "Device.B.C"), None);
    }

    /// The table of facts has paths of tables in which instances are implied: `##.IEEE1905Device.{i}.Interface.`.
    #[test]
    fn what_the_model_refers_to_is_in_the_model() {
        fn visit(facts: Facts, object: crate::facts::Object, path: &str, unknown: &mut Vec<String>) {
            let path = if object.is_table() { format!("{path}{{i}}.") } else { path.to_owned() };
            for parameter in object.parameters() {
                let name = format!("{path}{}", parameter.name());
                for facet in parameter.rule().facets() {
                    let known = match facet {
                        Facet::PathRef(targets) => {
                            targets.split_whitespace().all(|target| table(facts, target, &name).is_some())
                        }
                        Facet::EnumerationRef(path) => absolute(path, &name)
                            .is_some_and(|path| matches!(facts.find(&path), Some(Place::Parameter(..)))),
                        _ => true,
                    };
                    if !known {
                        unknown.push(format!("{name}: {facet:?}"));
                    }
                }
            }
            for child in object.children() {
                visit(facts, child, &format!("{path}{}.", child.name()), unknown);
            }
        }
        let mut unknown = Vec::new();
        let facts = Facts::tr181();
        visit(facts, facts.root().unwrap(), "Device.", &mut unknown);
        assert_eq!(unknown, [""; 0]);
    }
}

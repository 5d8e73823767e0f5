//! What of the model is there: objects and parameters in any of their rows.

use std::collections::{BTreeMap, BTreeSet};

use cwmp_datamodel::{
    Surveyed,
    facts::{Facts, Object, ObjectId, Place},
};
use cwmp_platform::source::ObjectKind;

/// The supported model, gathered from a survey of the whole tree.
#[derive(Default)]
pub(super) struct Supported {
    /// In the order of the model.
    pub(super) objects: BTreeMap<ObjectId, SupportedObject>,
    /// Vendors' parameters, as in a model.
    pub(super) vendors: BTreeSet<String>,
}

/// An object of the model.
pub(super) struct SupportedObject {
    pub(super) object: Object,
    /// As in the model, with a dot at its end.
    pub(super) path: String,
    /// Whether the ACS can add rows.
    pub(super) writable: bool,
    /// By place in the model: name, and whether the ACS can write it in any row.
    pub(super) parameters: BTreeMap<u8, (&'static str, bool)>,
}

impl Supported {
    /// Takes one object or parameter in.
    pub(super) fn see(&mut self, seen: Surveyed<'_>) {
        let facts = Facts::tr181();
        match seen {
            Surveyed::Object(path, kind) => {
                let Some(Place::Object(object) | Place::Table(object)) = facts.find(path) else { return };
                let known = self.objects.entry(object.id()).or_insert_with(|| SupportedObject {
                    object,
                    path: model_path(path, object),
                    writable: false,
                    parameters: BTreeMap::new(),
                });
                known.writable |= kind == ObjectKind::Table { addable: true };
            }
            Surveyed::Parameter { entry, .. } => {
                let place = facts.find(&[entry.object, entry.name].concat());
                let Some(Place::Parameter(object, parameter)) = place else {
                    self.vendors.insert(numberless(&[entry.object, entry.name].concat()));
                    return;
                };
                if let Some(known) = self.objects.get_mut(&object.id()) {
                    let known =
                        known.parameters.entry(parameter.ordinal()).or_insert((parameter.name(), false));
                    known.1 |= entry.writable;
                }
            }
        }
    }
}

/// `Device.X.{i}.` of `Device.X.` and `Device.X.1.`.
fn model_path(path: &str, object: Object) -> String {
    let path = numberless(path);
    let rest = if object.is_table() && !path.ends_with("{i}.") { "{i}." } else { "" };
    path + rest
}

/// A path or a name with `{i}` in place of instance numbers.
fn numberless(path: &str) -> String {
    let is_number = |part: &str| part.starts_with(|c: char| c.is_ascii_digit());
    let parts = path.split('.').map(|part| if is_number(part) { "{i}" } else { part });
    parts.collect::<Vec<_>>().join(".")
}

//! What the tree held at one moment, in one arena.
//!
//! Sources deliver into a [`Builder`]; [`Builder::finish`] puts the objects into document order, adds the parents that
//! nobody delivered and counts instances for NumberOfEntries parameters. A query then marks what it lists, and
//! [`Snapshot::entries`] yields that, as often as it has to be sent.
//!
//! An object's path is stored once, a parameter of the model as its place among the parameters of its object, and the
//! type of a value not at all: three bytes beside the value. A record in the arena is
//!
//! ```text
//! u8 ordinal (VENDOR for a parameter that the model does not know), u8 flags,
//! for VENDOR: u8 type, u8 length of the name, the name
//! varint length of the value, the value
//! ```

mod address;
mod build;
mod record;
mod select;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use cwmp_core::value::ValueType;
use cwmp_platform::source::ObjectKind;

pub(crate) use address::Address;
pub use build::Builder;
pub(crate) use build::made_alias;
pub(crate) use select::{Found, Marked, Unknown};

use crate::facts::{Facts, ObjectId, Parameter, Rule};
use record::Record;

/// Everything that the sources delivered for one call.
#[derive(Debug)]
pub struct Snapshot {
    facts: Facts,
    bytes: Vec<u8>,
    objects: Vec<ObjectRecord>,
    /// Paths with aliases in the arena, one for each object; empty where instances are shown by their numbers.
    shown: Vec<(u32, u16)>,
}

/// An object, or a part of one that was delivered in several parts.
#[derive(Clone, Copy, Debug)]
struct ObjectRecord {
    path: u32,
    path_length: u16,
    /// The deepest object of the model on the path: what the order goes by.
    nearest: ObjectId,
    /// Whether that is the object itself, and not one above a vendor's.
    known: bool,
    kind: ObjectKind,
    /// Index of the source that delivered it; [`NO_SOURCE`] for one that only its children imply.
    source: u8,
    listed: bool,
    /// Its records in the arena.
    from: u32,
    to: u32,
}

/// In place of the index of a source.
const NO_SOURCE: u8 = u8::MAX;

/// One object or parameter of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Path of the object, with a dot at its end.
    pub object: &'a str,
    /// Name of the parameter; empty for the object itself.
    pub name: &'a str,
    /// Type of the value; string for an object.
    pub value_type: ValueType,
    /// The value in lexical form; empty for an object, and for what the model hides.
    pub text: &'a str,
    /// Writable of GetParameterNames.
    pub writable: bool,
    /// Notification.
    pub notification: u8,
    /// AccessList.
    pub access_list: &'static [&'static str],
}

/// Where a walk through a listing stands, so that a chunk can be sent and the walk goes on later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    object: usize,
    at: Option<u32>,
}

impl ObjectRecord {
    /// The object of the model; `None` for a vendor's.
    fn node(&self) -> Option<ObjectId> {
        self.known.then_some(self.nearest)
    }
}

impl Snapshot {
    /// Objects and parameters that are marked, in document order.
    pub fn entries(&self) -> Entries<'_> {
        self.entries_from(Position::default())
    }

    /// The same from a place on that [`Entries::position`] gave.
    pub fn entries_from(&self, position: Position) -> Entries<'_> {
        Entries { snapshot: self, position }
    }

    /// Bytes that it takes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
            + self.objects.capacity() * size_of::<ObjectRecord>()
            + self.shown.capacity() * size_of::<(u32, u16)>()
    }

    fn path(&self, object: &ObjectRecord) -> &str {
        path_in(&self.bytes, object)
    }

    /// The object with this path: one or none.
    fn range(&self, path: &str) -> std::ops::Range<usize> {
        let wanted = (path, self.facts.nearest(path));
        let from = self.objects.partition_point(|object| {
            in_document_order((self.path(object), object.nearest), wanted) == Ordering::Less
        });
        let found = self.objects.get(from).is_some_and(|object| self.path(object) == path);
        from..from + usize::from(found)
    }

    /// The records of one object.
    fn records(&self, object: &ObjectRecord) -> impl Iterator<Item = Record<'_>> {
        let mut at = object.from;
        std::iter::from_fn(move || {
            let record = (at < object.to).then(|| Record::read(&self.bytes, at))??;
            at = record.next;
            Some(record)
        })
    }

    fn describe<'a>(&'a self, object: &ObjectRecord, record: &Record<'a>) -> Entry<'a> {
        self.describe_with_rule(object, record).0
    }

    /// The entry with the rule that it follows; `None` for a vendor's parameter.
    fn describe_with_rule<'a>(
        &'a self,
        object: &ObjectRecord,
        record: &Record<'a>,
    ) -> (Entry<'a>, Option<Rule>) {
        let parameter = self.parameter_of(object, record);
        let rule = parameter.map(Parameter::rule);
        let (name, value_type) = match record.vendor {
            Some((name, value_type)) => (name, value_type),
            None => (parameter.map_or("", Parameter::name), rule.map_or(ValueType::String, Rule::value_type)),
        };
        let entry = Entry {
            object: self.path(object),
            name,
            value_type,
            text: record.value,
            writable: record.flags.writable(),
            notification: record.flags.notification(),
            access_list: if record.flags.subscriber() { &["Subscriber"] } else { &[] },
        };
        (entry, rule)
    }

    /// The name alone.
    fn name_of<'a>(&self, object: &ObjectRecord, record: &Record<'a>) -> &'a str {
        match record.vendor {
            Some((name, _)) => name,
            None => self.parameter_of(object, record).map_or("", Parameter::name),
        }
    }

    /// The parameter of the model that a record holds; `None` for a vendor's.
    fn parameter_of(&self, object: &ObjectRecord, record: &Record<'_>) -> Option<Parameter> {
        if record.vendor.is_some() {
            return None;
        }
        self.facts.object(object.node()?)?.parameter_at(record.ordinal)
    }
}

/// Walks through what is marked.
#[derive(Debug)]
pub struct Entries<'a> {
    snapshot: &'a Snapshot,
    position: Position,
}

impl Entries<'_> {
    /// Where the next entry is looked for.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            let object = self.snapshot.objects.get(self.position.object)?;
            let Some(at) = self.position.at else {
                self.position.at = Some(object.from);
                if object.listed {
                    return Some(Entry {
                        object: self
                            .snapshot
                            .shown(self.position.object)
                            .unwrap_or_else(|| self.snapshot.path(object)),
                        name: "",
                        value_type: ValueType::String,
                        text: "",
                        writable: is_writable(object.kind),
                        notification: 0,
                        access_list: &[],
                    });
                }
                continue;
            };
            match Record::read(&self.snapshot.bytes, at).filter(|_| at < object.to) {
                None => self.position = Position { object: self.position.object + 1, at: None },
                Some(record) => {
                    self.position.at = Some(record.next);
                    if record.flags.marked() {
                        let entry = self.snapshot.describe(object, &record);
                        let shown = self.snapshot.shown(self.position.object);
                        return Some(Entry { object: shown.unwrap_or(entry.object), ..entry });
                    }
                }
            }
        }
    }
}

/// Writable of an object: a table that takes instances, an instance that can go.
fn is_writable(kind: ObjectKind) -> bool {
    matches!(kind, ObjectKind::Table { addable: true } | ObjectKind::Instance { deletable: true })
}

fn path_in<'a>(bytes: &'a [u8], object: &ObjectRecord) -> &'a str {
    let from = object.path as usize;
    let bytes = bytes.get(from..from + usize::from(object.path_length));
    bytes.and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or("")
}

/// The object of the model that a concrete path stands for.
fn node_of(facts: Facts, path: &str) -> Option<ObjectId> {
    match facts.find(path)? {
        crate::facts::Place::Object(object) | crate::facts::Place::Table(object) => Some(object.id()),
        crate::facts::Place::Parameter(..) => None,
    }
}

/// Parents before children, objects of the model in its order, instances by number, vendors' objects last.
fn in_document_order(a: (&str, ObjectId), b: (&str, ObjectId)) -> Ordering {
    let (mut ours, mut theirs) = (a.0.split_terminator('.'), b.0.split_terminator('.'));
    loop {
        let (x, y) = match (ours.next(), theirs.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(x), Some(y)) if x == y => continue,
            (Some(x), Some(y)) => (x, y),
        };
        if let (Ok(x), Ok(y)) = (x.parse::<u32>(), y.parse::<u32>()) {
            return x.cmp(&y);
        }
        // Below the same parent the order of the names is that of the numbers of whatever lies below them.
        let vendor = x.starts_with("X_").cmp(&y.starts_with("X_"));
        let known = if x.starts_with("X_") { Ordering::Equal } else { a.1.cmp(&b.1) };
        return vendor.then(known).then_with(|| x.cmp(y));
    }
}

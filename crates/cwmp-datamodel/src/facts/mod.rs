//! What TR-181 says of every object and parameter: a compact file, looked up in place, without heap and without being
//! parsed at start.
//!
//! `cargo xtask datamodel` makes the file from the table of the data model; its layout is described in `format.rs`. A
//! damaged file makes names unknown and facets absent; nothing panics.

use std::borrow::Cow;

#[allow(dead_code, reason = "the writer needs constants that the reader does not")]
mod format;
mod rule;
#[cfg(test)]
mod tests;

use std::sync::OnceLock;

pub use rule::{Access, DefaultOf, Facet, Facets, Kind, ModelStatus, Rule};

static TR_181: &[u8] = include_bytes!("../../data/tr-181-2-17.facts");

/// Version of the model that the file was made from: RootDataModelVersion.
pub const VERSION: &str = "2.17";

/// The facts about one root object and everything below it.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    text: &'static str,
    objects: &'static [u8],
    parameters: &'static [u8],
    rules: &'static [u8],
    records: &'static [u8],
}

/// Number of an object in the order of the model, in which parents come before children.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(pub(crate) u16);

impl Facts {
    /// `Device.` of TR-181 issue 2 amendment 17, for CWMP.
    #[must_use]
    pub fn tr181() -> Self {
        static FACTS: OnceLock<Facts> = OnceLock::new();
        *FACTS.get_or_init(|| Self::new(TR_181))
    }

    /// Reads a header; of a file that is none of ours nothing is known.
    pub(crate) fn new(file: &'static [u8]) -> Self {
        Self::sections(file).unwrap_or(Self {
            text: "",
            objects: &[],
            parameters: &[],
            rules: &[],
            records: &[],
        })
    }

    fn sections(file: &'static [u8]) -> Option<Self> {
        if file.get(..4)? != format::MAGIC {
            return None;
        }
        let offset = |i: usize| {
            file.get(4 + 4 * i..8 + 4 * i)?.try_into().ok().map(|b| u32::from_le_bytes(b) as usize)
        };
        let [a, b, c, d] = [offset(0)?, offset(1)?, offset(2)?, offset(3)?];
        Some(Self {
            // Checked once and not at each of the many looks at a name.
            text: std::str::from_utf8(file.get(format::HEADER..a)?).ok()?,
            objects: file.get(a..b)?,
            parameters: file.get(b..c)?,
            rules: file.get(c..d)?,
            records: file.get(d..)?,
        })
    }

    /// The object at the top.
    #[must_use]
    pub fn root(self) -> Option<Object> {
        self.object(ObjectId(0))
    }

    /// The object with this number.
    #[must_use]
    pub fn object(self, id: ObjectId) -> Option<Object> {
        let at = usize::from(id.0) * format::OBJECT;
        let &[a, b, c, d, e, f, g, h, count] = self.objects.get(at..at + format::OBJECT)? else {
            return None;
        };
        Some(Object {
            facts: self,
            id,
            entry: Entry(u32::from_le_bytes([a, b, c, d])),
            subtree: u16::from_le_bytes([e, f]),
            first: u16::from_le_bytes([g, h]),
            count,
        })
    }

    /// All objects, parents before children.
    pub fn objects(self) -> impl Iterator<Item = Object> {
        (0..=u16::MAX).map_while(move |id| self.object(ObjectId(id)))
    }

    /// Finds what a name means: with instance numbers (`Device.X.1.`) or with `{i}` as in the model. An object ends with a
    /// dot, a parameter does not.
    #[must_use]
    pub fn find(self, path: &str) -> Option<Place> {
        let (objects, parameter) = path.rsplit_once('.')?;
        let mut parts = objects.split('.');
        let mut object = self.root().filter(|root| Some(root.name()) == parts.next())?;
        let mut at_table = false;
        for part in parts {
            let instance = part == "{i}" || is_instance_number(part);
            if at_table != instance {
                return None;
            }
            if instance {
                at_table = false;
            } else {
                object = object.child(part)?;
                at_table = object.is_table();
            }
        }
        match parameter {
            "" if at_table => Some(Place::Table(object)),
            "" => Some(Place::Object(object)),
            _ if at_table => None,
            name => object.parameter(name).map(|parameter| Place::Parameter(object, parameter)),
        }
    }

    /// Whether every Inform carries the parameter with this full name.
    #[must_use]
    pub fn is_forced_inform(self, name: &str) -> bool {
        matches!(self.find(name), Some(Place::Parameter(_, parameter)) if parameter.rule().is_forced_inform())
    }

    /// The deepest object of the model that a path runs through; what a vendor added lies below it.
    pub(crate) fn nearest(self, path: &str) -> ObjectId {
        let mut parts = path.split_terminator('.');
        let Some(mut object) = self.root().filter(|root| Some(root.name()) == parts.next()) else {
            return ObjectId(0);
        };
        for part in parts.filter(|part| !is_instance_number(part)) {
            match object.child(part) {
                Some(child) => object = child,
                None => break,
            }
        }
        object.id()
    }

    fn text(self, at: usize, length: usize) -> &'static str {
        at.checked_add(length).and_then(|end| self.text.get(at..end)).unwrap_or("")
    }

    fn rule(self, number: usize) -> Rule {
        let offset = |i: usize| {
            let pair = self.rules.get(i * 2..i * 2 + 2)?.try_into().ok()?;
            Some(usize::from(u16::from_le_bytes(pair)))
        };
        let record = offset(number).zip(offset(number + 1)).and_then(|(from, to)| self.records.get(from..to));
        Rule::new(self, record.unwrap_or(&[]))
    }
}

const ALIAS: &str = "Alias";

/// A name with `{i}` in place of `*` and `[alias]`, so that [`Facts::find`] takes it.
pub(crate) fn model_form(name: &str) -> Cow<'_, str> {
    if !is_pattern(name) {
        return Cow::Borrowed(name);
    }
    let of_part = |part| if part == "*" || alias_in(part).is_some() { "{i}" } else { part };
    Cow::Owned(name.split('.').map(of_part).collect::<Vec<_>>().join("."))
}

/// Whether a name holds a wildcard or an alias.
pub(crate) fn is_pattern(name: &str) -> bool {
    name.contains(['*', '['])
}

/// The alias in a part of a path such as `[cpe-1]`.
pub(crate) fn alias_in(part: &str) -> Option<&str> {
    part.strip_prefix('[')?.strip_suffix(']')
}

/// Whether a part of a path is an instance number: 1 or more, without leading zeros.
pub(crate) fn is_instance_number(part: &str) -> bool {
    part.bytes().all(|b| b.is_ascii_digit()) && !part.starts_with('0') && part.parse::<u32>().is_ok()
}

/// What a name stands for.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// A single object, or an instance of a table.
    Object(Object),
    /// A table, named without an instance number.
    Table(Object),
    /// A parameter of an object.
    Parameter(Object, Parameter),
}

/// Name and rule, packed.
#[derive(Clone, Copy, Debug)]
struct Entry(u32);

impl Entry {
    fn name(self, facts: Facts) -> &'static str {
        let at = (self.0 & 0xffff) as usize;
        match (self.0 >> 16 & 0x1f) as usize {
            0 => facts.text.as_bytes().get(at).map_or("", |length| facts.text(at + 1, usize::from(*length))),
            length => facts.text(at, length),
        }
    }

    fn rule(self, facts: Facts) -> Rule {
        facts.rule((self.0 >> 21) as usize)
    }
}

/// A single object or a table. What is said of a table holds for the table and for each of its instances.
#[derive(Clone, Copy, Debug)]
pub struct Object {
    facts: Facts,
    id: ObjectId,
    entry: Entry,
    subtree: u16,
    first: u16,
    count: u8,
}

impl Object {
    /// Its number.
    #[must_use]
    pub fn id(self) -> ObjectId {
        self.id
    }

    /// Its own name, without those of its parents and without a dot.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.entry.name(self.facts)
    }

    /// What the model says of it.
    #[must_use]
    pub fn rule(self) -> Rule {
        self.entry.rule(self.facts)
    }

    /// Whether it has instances.
    #[must_use]
    pub fn is_table(self) -> bool {
        self.rule().kind() == Kind::Table
    }

    /// The parameter by which the ACS can name an instance of this table (TR-069a6 3.6.1).
    #[must_use]
    pub fn alias(self) -> Option<Parameter> {
        if !self.is_table() {
            return None;
        }
        self.parameter(ALIAS).filter(|parameter| parameter.rule().is_alias())
    }

    /// The objects directly below it, or below its instances.
    pub fn children(self) -> impl Iterator<Item = Object> {
        let end = self.id.0.saturating_add(self.subtree);
        let mut next = self.id.0.saturating_add(1);
        std::iter::from_fn(move || {
            let child = (next < end).then(|| self.facts.object(ObjectId(next)))??;
            next = next.saturating_add(child.subtree.max(1));
            Some(child)
        })
    }

    /// The child with this name.
    #[must_use]
    pub fn child(self, name: &str) -> Option<Object> {
        self.children().find(|child| child.name() == name)
    }

    /// Its parameters, in the order of the model.
    pub fn parameters(self) -> impl Iterator<Item = Parameter> {
        (0..self.count).map_while(move |ordinal| self.parameter_at(ordinal))
    }

    /// The parameter at a place in that order.
    #[must_use]
    pub fn parameter_at(self, ordinal: u8) -> Option<Parameter> {
        let at = (usize::from(self.first) + usize::from(ordinal)) * format::PARAMETER;
        let entry = self.facts.parameters.get(at..at + format::PARAMETER)?.try_into().ok()?;
        let entry = Entry(u32::from_le_bytes(entry));
        (ordinal < self.count).then_some(Parameter { facts: self.facts, entry, ordinal })
    }

    /// The parameter with this name.
    #[must_use]
    pub fn parameter(self, name: &str) -> Option<Parameter> {
        self.parameter_from(name, 0)
    }

    /// The parameter with this name, looked for from a place on: what comes in the order of the model is found at once.
    pub(crate) fn parameter_from(self, name: &str, start: u8) -> Option<Parameter> {
        let order = (start..self.count).chain(0..start.min(self.count));
        order.filter_map(|ordinal| self.parameter_at(ordinal)).find(|parameter| parameter.name() == name)
    }
}

/// A parameter of the model.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    facts: Facts,
    entry: Entry,
    ordinal: u8,
}

impl Parameter {
    /// Its own name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.entry.name(self.facts)
    }

    /// Its place among the parameters of its object.
    #[must_use]
    pub fn ordinal(self) -> u8 {
        self.ordinal
    }

    /// What the model says of it.
    #[must_use]
    pub fn rule(self) -> Rule {
        self.entry.rule(self.facts)
    }
}

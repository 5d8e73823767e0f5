//! How sources' deliveries become a snapshot.

use std::{collections::BTreeMap, fmt};

use cwmp_core::{
    fault::{CwmpFault, FaultCode},
    limits::PARAMETER_NAME,
    value::ValueType,
};
use cwmp_platform::source::{Access, ObjectKind, ParameterSink};

use super::{
    NO_SOURCE, ObjectRecord, Snapshot, in_document_order, node_of, path_in,
    record::{Flags, Record, VENDOR, write_head, write_value},
};
use crate::{
    facts::{Facts, Object, ObjectId, Parameter, is_instance_number},
    limits,
};

/// Takes what sources deliver.
///
/// A source's mistakes do not spoil the rest: objects and parameters that the model does not know are dropped with a
/// line in the log, and so is what comes before any object.
#[derive(Debug)]
pub struct Builder<'a> {
    facts: Facts,
    /// Aliases that the ACS has given, by path of the instance.
    aliases: Option<&'a BTreeMap<String, String>>,
    /// The table whose Alias was looked for last, and the place of that parameter.
    alias_of: Option<(ObjectId, Option<u8>)>,
    bytes: Vec<u8>,
    objects: Vec<ObjectRecord>,
    source: u8,
    /// The present object; `None` while what is delivered is dropped.
    present: Option<Present>,
    full: bool,
    unmasked: bool,
}

#[derive(Clone, Copy, Debug)]
struct Present {
    object: Option<Object>,
    /// Where the search for the next name starts.
    hint: u8,
    /// Whether the records came in the order of the model so far.
    sorted: bool,
    /// Place of the Alias, which is the tree's own, and whether it is still to be written.
    alias: Option<u8>,
    alias_is_due: bool,
}

const ROOT: &str = "Device.";

/// A place to go back to.
#[derive(Clone, Copy, Debug)]
pub struct Savepoint {
    bytes: usize,
    objects: usize,
}

impl<'a> Builder<'a> {
    /// Nothing yet.
    #[must_use]
    pub fn new(facts: Facts) -> Self {
        Self {
            facts,
            aliases: None,
            alias_of: None,
            bytes: Vec::new(),
            objects: Vec::new(),
            source: NO_SOURCE,
            present: None,
            full: false,
            unmasked: false,
        }
    }

    /// Instances have these aliases; the others have `cpe-` and their number.
    #[must_use]
    pub(crate) fn with_aliases(mut self, aliases: &'a BTreeMap<String, String>) -> Self {
        self.aliases = Some(aliases);
        self
    }

    /// Keeps hidden values too, for putting them back after a failure. Such a snapshot must never be listed.
    #[must_use]
    pub(crate) fn unmasked(mut self) -> Self {
        self.unmasked = true;
        self
    }

    /// What follows comes from this source.
    pub fn begin_source(&mut self, index: u8) -> Savepoint {
        self.close();
        self.source = index;
        Savepoint { bytes: self.bytes.len(), objects: self.objects.len() }
    }

    /// What follows is the tree's own.
    pub(crate) fn begin_tree(&mut self) {
        self.close();
        self.source = NO_SOURCE;
    }

    /// Forgets what came since: the source has failed half-way.
    pub fn back_to(&mut self, savepoint: Savepoint) {
        self.present = None;
        self.full = false;
        self.bytes.truncate(savepoint.bytes);
        self.objects.truncate(savepoint.objects);
    }

    /// Puts everything in order.
    ///
    /// # Errors
    /// 9004 where more was delivered than one snapshot may hold.
    pub fn finish(mut self) -> Result<Snapshot, CwmpFault> {
        self.close();
        self.sort();
        self.add_parents();
        self.sort();
        self.merge();
        self.add_counts();
        if self.full {
            return Err(CwmpFault::new(
                FaultCode::RESOURCES_EXCEEDED,
                format!(
                    "the answer needs more than {} bytes; ask for a part of the tree",
                    limits::SNAPSHOT_BYTES
                ),
            ));
        }
        self.bytes.shrink_to_fit();
        self.objects.shrink_to_fit();
        Ok(Snapshot { facts: self.facts, bytes: self.bytes, objects: self.objects, shown: Vec::new() })
    }

    fn push_object(&mut self, path: &str, node: Option<ObjectId>, kind: ObjectKind, source: u8) {
        let (Ok(at), Ok(path_length)) = (u32::try_from(self.bytes.len()), u16::try_from(path.len())) else {
            self.full = true;
            return;
        };
        self.bytes.extend(path.as_bytes());
        let from = u32::try_from(self.bytes.len()).unwrap_or(at);
        let nearest = node.unwrap_or_else(|| self.facts.nearest(path));
        self.objects.push(ObjectRecord {
            nearest,
            path: at,
            path_length,
            known: node.is_some(),
            kind,
            source,
            listed: false,
            from,
            to: from,
        });
    }

    /// Ends the present object: its records get into the order of the model.
    fn close(&mut self) {
        self.write_alias(VENDOR);
        let Some(present) = self.present.take() else { return };
        let Some(object) = self.objects.last_mut() else { return };
        object.to = u32::try_from(self.bytes.len()).unwrap_or(object.from);
        if !present.sorted {
            let range = (object.from, object.to);
            sort_records(&mut self.bytes, range);
        }
    }

    /// A parent that no source has delivered is implied by its children, which follow each other here: nothing else is
    /// needed to know which are there than the parents of the object before.
    fn add_parents(&mut self) {
        let mut missing: Vec<String> = Vec::new();
        let mut open: Vec<&str> = Vec::new();
        let paths = self.objects.iter().map(|object| path_in(&self.bytes, object));
        for path in paths.chain([ROOT]) {
            while open.last().is_some_and(|parent| !path.starts_with(parent)) {
                open.pop();
            }
            // Each part of the path is an object, from the outermost that is not open to the object itself.
            let known = open.last().map_or(0, |parent| parent.len());
            let ends = path.match_indices('.').map(|(at, _)| at + 1).filter(|end| *end > known);
            for part in ends.filter_map(|end| path.get(..end)) {
                open.push(part);
                if part != path || self.objects.is_empty() {
                    missing.push(part.to_owned());
                }
            }
        }
        for path in missing {
            let last = path.strip_suffix('.').and_then(|path| path.rsplit('.').next()).unwrap_or("");
            let node = node_of(self.facts, &path);
            let is_table = node.and_then(|node| self.facts.object(node)).is_some_and(Object::is_table);
            let kind = match () {
                () if is_instance_number(last) => ObjectKind::Instance { deletable: false },
                () if is_table => ObjectKind::Table { addable: false },
                () => ObjectKind::Single,
            };
            self.push_object(&path, node, kind, NO_SOURCE);
            let alias = self.alias_place(node, &path);
            self.present = Some(Present { object: None, hint: 0, sorted: true, alias, alias_is_due: true });
            self.close();
        }
    }

    /// Place of the Alias among the parameters of an object; `None` for what is no instance or has none.
    fn alias_place(&mut self, node: Option<ObjectId>, path: &str) -> Option<u8> {
        let node = node?;
        if !is_instance_number(number_of(path)) {
            return None;
        }
        match self.alias_of {
            Some((known, place)) if known == node => place,
            _ => {
                let place = self.facts.object(node)?.alias().map(Parameter::ordinal);
                self.alias_of = Some((node, place));
                place
            }
        }
    }

    /// Writes the Alias of the present instance where what follows has this place or a later one.
    fn write_alias(&mut self, next: u8) {
        let Some(present) = self.present.as_mut().filter(|_| !self.full) else { return };
        let due = present.alias.filter(|alias| present.alias_is_due && *alias <= next);
        let Some(ordinal) = due else { return };
        present.alias_is_due = false;
        present.sorted &= ordinal >= present.hint;
        present.hint = present.hint.max(ordinal.saturating_add(1));
        let path = self.objects.last().map_or("", |object| path_in(&self.bytes, object));
        match self.aliases.and_then(|aliases| aliases.get(path)) {
            Some(alias) => self.push_value(ordinal, None, alias, true),
            None => {
                let number = number_of(path).parse::<u32>().unwrap_or(0);
                self.push_value(ordinal, None, &format_args!("cpe-{number}"), true);
            }
        }
    }

    /// Puts the objects into document order; parts of one object stay in the order of their delivery.
    fn sort(&mut self) {
        // In place: a stable sort takes as much memory again.
        let bytes = &self.bytes;
        self.objects.sort_unstable_by(|a, b| {
            in_document_order((path_in(bytes, a), a.nearest), (path_in(bytes, b), b.nearest))
                .then(a.path.cmp(&b.path))
        });
    }

    /// Parts of one object become one; the first delivery of a parameter counts.
    fn merge(&mut self) {
        let bytes = &mut self.bytes;
        self.objects.dedup_by(|part, object| {
            if path_in(bytes, object) != path_in(bytes, part) {
                return false;
            }
            let records =
                [*object, *part].map(|o| bytes.get(o.from as usize..o.to as usize).unwrap_or(&[]).to_vec());
            object.from = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            bytes.extend(records.concat());
            object.to = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            sort_records(bytes, (object.from, object.to));
            object.to = without_repeats(bytes, (object.from, object.to));
            true
        });
        self.full |= self.bytes.len() > limits::SNAPSHOT_BYTES;
    }

    /// NumberOfEntries parameters that their source has left to the tree.
    fn add_counts(&mut self) {
        let mut counts: Vec<(usize, u8, u32)> = Vec::new();
        // Parents of the present object, innermost last, each with its instances so far where it is a table.
        let mut open: Vec<(usize, u32)> = Vec::new();
        for index in 0..=self.objects.len() {
            let object = self.objects.get(index);
            let path = object.map_or("", |object| path_in(&self.bytes, object));
            while let Some(&(above, instances)) = open.last() {
                let Some(parent) = self.objects.get(above) else { break };
                if object.is_some() && path.starts_with(path_in(&self.bytes, parent)) {
                    break;
                }
                open.pop();
                if let Some((&(holder, _), ordinal)) = open.last().zip(self.missing_count(parent, &open)) {
                    counts.push((holder, ordinal, instances));
                }
            }
            let Some(object) = object else { break };
            if matches!(object.kind, ObjectKind::Instance { .. }) {
                if let Some((_, instances)) = open.last_mut() {
                    *instances += 1;
                }
            }
            open.push((index, 0));
        }
        counts.sort_unstable();
        for group in counts.chunk_by(|a, b| a.0 == b.0) {
            let Some((object, (holder, ..))) =
                group.first().and_then(|first| Some((*self.objects.get(first.0)?, first)))
            else {
                continue;
            };
            let from = self.bytes.len();
            self.bytes.extend_from_within(object.from as usize..object.to as usize);
            for (_, ordinal, instances) in group {
                write_head(&mut self.bytes, *ordinal, Flags::new(false), None);
                self.full |= write_value(&mut self.bytes, instances).is_err();
            }
            let range = (
                u32::try_from(from).unwrap_or(u32::MAX),
                u32::try_from(self.bytes.len()).unwrap_or(u32::MAX),
            );
            sort_records(&mut self.bytes, range);
            if let Some(object) = self.objects.get_mut(*holder) {
                (object.from, object.to) = range;
            }
        }
    }

    /// Place of the parameter that counts a table's instances, where the object above it lacks it.
    fn missing_count(&self, table: &ObjectRecord, open: &[(usize, u32)]) -> Option<u8> {
        if !matches!(table.kind, ObjectKind::Table { .. }) {
            return None;
        }
        let name = self.facts.object(table.node()?)?.rule().count()?;
        let above = self.objects.get(open.last()?.0)?;
        let ordinal = self.facts.object(above.node()?)?.parameter(name)?.ordinal();
        let mut at = above.from;
        while let Some(record) = Record::read(&self.bytes, at).filter(|_| at < above.to) {
            if record.ordinal == ordinal {
                return None;
            }
            at = record.next;
        }
        Some(ordinal)
    }

    fn push_value(
        &mut self,
        ordinal: u8,
        vendor: Option<(&str, ValueType)>,
        value: &dyn fmt::Display,
        writable: bool,
    ) {
        let start = self.bytes.len();
        write_head(&mut self.bytes, ordinal, Flags::new(writable), vendor);
        if write_value(&mut self.bytes, value).is_err() || self.bytes.len() > limits::SNAPSHOT_BYTES {
            self.bytes.truncate(start);
            self.full = true;
        }
    }
}

impl ParameterSink for Builder<'_> {
    fn object(&mut self, path: &str, kind: ObjectKind) {
        self.close();
        let node = node_of(self.facts, path);
        let is_vendor = path.starts_with("Device.") && path.split('.').any(|part| part.starts_with("X_"));
        if self.full || (node.is_none() && !is_vendor) || !path.ends_with('.') || path.len() > PARAMETER_NAME
        {
            if !self.full {
                tracing::warn!("the model has no object {path}: it is left out");
            }
            return;
        }
        if self.objects.len() >= limits::SNAPSHOT_OBJECTS {
            self.full = true;
            return;
        }
        self.push_object(path, node, kind, self.source);
        let object = node.and_then(|node| self.facts.object(node));
        let alias = self.alias_place(node, path);
        self.present = Some(Present { object, hint: 0, sorted: true, alias, alias_is_due: true });
    }

    fn parameter(&mut self, name: &str, value: &dyn fmt::Display, access: Access) {
        let Some(present) = self.present.as_mut().filter(|_| !self.full) else { return };
        let Some(parameter) = present.object.and_then(|object| object.parameter_from(name, present.hint))
        else {
            let path = self.objects.last().map_or("", |object| path_in(&self.bytes, object));
            tracing::warn!("the model has no parameter {path}{name}: it is left out");
            return;
        };
        let rule = parameter.rule();
        if let Some(alias) = present.alias.filter(|alias| parameter.ordinal() >= *alias) {
            if present.alias_is_due {
                self.write_alias(alias);
            }
            if parameter.ordinal() == alias {
                // The tree keeps aliases itself.
                return;
            }
        }
        let Some(present) = self.present.as_mut() else { return };
        present.sorted &= parameter.ordinal() >= present.hint;
        present.hint = parameter.ordinal().saturating_add(1);
        let writable = access == Access::ReadWrite && rule.is_writable();
        // What the model says of reading holds whatever a source delivers.
        let value = match () {
            () if rule.is_hidden() && !self.unmasked => &"",
            () if rule.is_command() && rule.value_type() == ValueType::Boolean => &"false",
            () => value,
        };
        self.push_value(parameter.ordinal(), None, value, writable);
    }

    fn vendor_parameter(
        &mut self,
        name: &str,
        value_type: ValueType,
        value: &dyn fmt::Display,
        access: Access,
    ) {
        if name.len() >= PARAMETER_NAME || name.is_empty() || name.contains('.') {
            tracing::warn!("a vendor parameter has an impossible name: it is left out");
            return;
        }
        // They follow the parameters of the model.
        self.write_alias(VENDOR);
        let Some(present) = self.present.as_mut().filter(|_| !self.full) else { return };
        present.hint = VENDOR;
        self.push_value(VENDOR, Some((name, value_type)), value, access == Access::ReadWrite);
    }
}

/// The alias of an instance that the ACS has given none: `cpe-` and its number.
pub(crate) fn made_alias(instance: &str) -> String {
    format!("cpe-{}", number_of(instance))
}

/// The last part of an object's path.
fn number_of(instance: &str) -> &str {
    let path = instance.strip_suffix('.').unwrap_or(instance);
    path.rsplit_once('.').map_or(path, |(_, number)| number)
}

/// Puts records into the order of the model; those that do not differ in it stay as delivered.
fn sort_records(bytes: &mut [u8], (from, to): (u32, u32)) {
    let mut records: Vec<(u8, u32, u32)> = Vec::new();
    let mut at = from;
    while let Some(record) = Record::read(bytes, at).filter(|_| at < to) {
        records.push((record.ordinal, at, record.next));
        at = record.next;
    }
    records.sort_by_key(|(ordinal, ..)| *ordinal);
    let pieces = records.iter().filter_map(|(_, from, to)| bytes.get(*from as usize..*to as usize));
    let ordered = pieces.collect::<Vec<_>>().concat();
    if let Some(place) =
        bytes.get_mut(from as usize..to as usize).filter(|place| place.len() == ordered.len())
    {
        place.copy_from_slice(&ordered);
    }
}

/// Keeps the first of each parameter of the model; gives the new end.
fn without_repeats(bytes: &mut [u8], (from, to): (u32, u32)) -> u32 {
    let (mut at, mut end, mut last) = (from, from, None);
    while let Some(record) = Record::read(bytes, at).filter(|_| at < to) {
        let (ordinal, next) = (record.ordinal, record.next);
        let name = record.vendor.map(|(name, _)| name.to_owned());
        let this = Some((ordinal, name));
        if this != last {
            bytes.copy_within(at as usize..next as usize, end as usize);
            end += next - at;
        }
        last = this;
        at = next;
    }
    end
}

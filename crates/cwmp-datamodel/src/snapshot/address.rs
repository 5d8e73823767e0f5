//! Instances named otherwise than by their numbers: `*` for all of a table, `[alias]` for the one with this alias
//! (TR-069a6 3.6.1, A.2.2).

use cwmp_core::{
    fault::{CwmpFault, FaultCode},
    limits::PARAMETER_NAME,
};
use cwmp_platform::source::ObjectKind;

use super::{Entry, ObjectRecord, Snapshot};
use crate::{
    facts::{alias_in, is_instance_number, model_form},
    limits,
};

/// Room that is left for the name of a parameter behind a path with aliases, in characters.
const LONGEST_LEAF: usize = 64;

/// What the parts of a name without wildcards lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// The name with instance numbers. Whether there is such a parameter or object is not yet said.
    Numbered(String),
    /// A table that has no instance with this alias.
    Missing {
        /// Path of the table with instance numbers.
        table: String,
        /// The alias, without brackets.
        alias: String,
    },
    /// Nothing that there is.
    Nowhere,
}

impl Snapshot {
    /// All names that a name with `*` or `[alias]` stands for, with instance numbers, in document order: none where a
    /// table has no instances and the model knows what follows. Gives whether the name means something.
    pub(crate) fn expand(&self, name: &str, out: &mut Vec<String>) -> bool {
        self.walk(String::new(), name, out)
    }

    /// `path` is that of an object that is there, or empty; `rest` is what follows it.
    fn walk(&self, path: String, rest: &str, out: &mut Vec<String>) -> bool {
        if out.len() > limits::EXPANDED_NAMES {
            return true;
        }
        let Some((part, rest)) = rest.split_once('.') else {
            let name = path + rest;
            let is_there = rest.is_empty() || self.parameter(&name).is_some();
            if is_there {
                out.push(name);
            }
            return is_there;
        };
        if part != "*" {
            return self.step(&path, part).is_some_and(|next| self.walk(next, rest, out));
        }
        if !matches!(self.object(&path), Some((ObjectKind::Table { .. }, _))) {
            return false;
        }
        let mut rows = self.rows(&path).peekable();
        if rows.peek().is_none() {
            return rest.is_empty() || self.facts.find(&model_form(&format!("{path}{{i}}.{rest}"))).is_some();
        }
        let mut means_something = false;
        for row in rows {
            means_something |= self.walk(self.path(row).to_owned(), rest, out);
        }
        means_something
    }

    /// Replaces aliases by instance numbers.
    pub(crate) fn address(&self, name: &str) -> Address {
        if name.contains('*') {
            return Address::Nowhere;
        }
        let (mut path, mut rest) = (String::new(), name);
        // What lies behind the last alias needs no look.
        while rest.contains('[') {
            let Some((part, behind)) = rest.split_once('.') else { return Address::Nowhere };
            match (self.step(&path, part), alias_in(part)) {
                (Some(next), _) => path = next,
                (None, Some(alias)) if matches!(self.object(&path), Some((ObjectKind::Table { .. }, _))) => {
                    return Address::Missing { table: path, alias: alias.to_owned() };
                }
                _ => return Address::Nowhere,
            }
            rest = behind;
        }
        Address::Numbered(path + rest)
    }

    /// The object that a part of a name leads to.
    fn step(&self, path: &str, part: &str) -> Option<String> {
        match alias_in(part) {
            Some(alias) => self
                .rows(path)
                .find(|row| self.alias(row) == Some(alias))
                .map(|row| self.path(row).to_owned()),
            None => Some(format!("{path}{part}.")).filter(|next| self.object(next).is_some()),
        }
    }

    /// The instances of a table.
    fn rows(&self, table: &str) -> impl Iterator<Item = &ObjectRecord> {
        let below = self.objects.get(self.range(table).end..).unwrap_or(&[]).iter();
        let below = below.take_while(move |object| self.path(object).starts_with(table));
        below.filter(move |object| {
            let own = self.path(object).get(table.len()..).and_then(|rest| rest.strip_suffix('.'));
            own.is_some_and(is_instance_number)
        })
    }

    /// Paths of the instances of a table.
    pub(crate) fn row_paths(&self, table: &str) -> impl Iterator<Item = &str> {
        self.rows(table).map(|row| self.path(row))
    }

    /// Paths and aliases of the instances of a table.
    pub(crate) fn aliases(&self, table: &str) -> impl Iterator<Item = (&str, &str)> {
        self.rows(table).filter_map(|row| Some((self.path(row), self.alias(row)?)))
    }

    fn alias(&self, object: &ObjectRecord) -> Option<&str> {
        if !matches!(object.kind, ObjectKind::Instance { .. }) {
            return None;
        }
        let ordinal = self.facts.object(object.node()?)?.alias()?.ordinal();
        self.records(object).find(|record| record.ordinal == ordinal).map(|record| record.value)
    }

    /// From now on entries name instances by their aliases, where they have one and the name does not become too long.
    ///
    /// # Errors
    /// 9004 where the snapshot would become too large.
    pub(crate) fn show_aliases(&mut self) -> Result<(), CwmpFault> {
        let mut shown = Vec::with_capacity(self.objects.len());
        let mut bytes = Vec::new();
        // The present object's parents, innermost last: place, length of the path, and the path as it is shown.
        let mut open: Vec<(usize, usize, String)> = Vec::new();
        for (index, object) in self.objects.iter().enumerate() {
            let path = self.path(object);
            while open.last().is_some_and(|(parent, ..)| {
                !self.objects.get(*parent).is_some_and(|parent| path.starts_with(self.path(parent)))
            }) {
                open.pop();
            }
            let (length, above) = open.last().map_or((0, ""), |(_, length, shown)| (*length, shown.as_str()));
            let own = path.get(length..).unwrap_or("");
            let with_alias = self.alias(object).map(|alias| format!("{above}[{alias}]."));
            let fits = |text: &String| text.chars().count() + LONGEST_LEAF <= PARAMETER_NAME;
            let text = with_alias.filter(fits).unwrap_or_else(|| format!("{above}{own}"));
            if text == path {
                shown.push((object.path, object.path_length));
            } else {
                let at = u32::try_from(self.bytes.len() + bytes.len()).unwrap_or(u32::MAX);
                shown.push((at, u16::try_from(text.len()).unwrap_or(0)));
                bytes.extend(text.as_bytes());
            }
            open.push((index, path.len(), text));
        }
        if self.bytes.len() + bytes.len() > limits::SNAPSHOT_BYTES {
            return Err(CwmpFault::new(
                FaultCode::RESOURCES_EXCEEDED,
                "the answer with aliases is too large; ask for a part of the tree",
            ));
        }
        self.bytes.append(&mut bytes);
        self.shown = shown;
        Ok(())
    }

    /// Name of an entry as the ACS is to see it.
    pub(crate) fn shown_name(&self, entry: &Entry<'_>) -> String {
        [self.shown(self.range(entry.object).start).unwrap_or(entry.object), entry.name].concat()
    }

    /// Path of an object with aliases; `None` in a snapshot that shows numbers.
    pub(super) fn shown(&self, index: usize) -> Option<&str> {
        let (at, length) = *self.shown.get(index)?;
        let bytes = self.bytes.get(at as usize..at as usize + usize::from(length))?;
        std::str::from_utf8(bytes).ok()
    }
}

//! Marking what a call lists, and looking things up.

use cwmp_platform::source::ObjectKind;

use super::{Entry, NO_SOURCE, Snapshot, record::Flags};
use crate::facts::Rule;

/// A name that the snapshot does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unknown(pub(crate) String);

/// Attributes of a marked parameter: Notification, and whether AccessList holds `Subscriber`.
pub(crate) type Marked = (u8, bool);

/// A parameter with what its change needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found<'a> {
    pub(crate) entry: Entry<'a>,
    /// `None` for a vendor's parameter.
    pub(crate) rule: Option<Rule>,
    /// The source that delivered its object.
    pub(crate) source: Option<u8>,
}

impl Snapshot {
    /// Marks the parameters that names and partial paths stand for. Gives their number; one asked for twice counts once.
    pub(crate) fn mark_parameters(
        &mut self,
        mut names: Vec<&str>,
        attributes: &dyn Fn(&Entry<'_>, Option<Rule>) -> Marked,
    ) -> Result<u32, Unknown> {
        // Sorted, a partial path comes right before all that it covers: no part of the tree is walked twice.
        names.sort_unstable();
        let (mut count, mut covered) = (0, None);
        for name in names {
            let (range, leaf) = self.locate(name)?;
            if covered.is_some_and(|path| name.starts_with(path)) {
                continue;
            }
            if leaf.is_none() {
                covered = Some(name);
            }
            for index in range {
                count += self.mark_in(index, leaf, attributes);
            }
        }
        Ok(count)
    }

    /// Marks what GetParameterNames lists. Gives the number.
    pub(crate) fn mark_names(&mut self, path: &str, next_level: bool) -> Result<u32, Unknown> {
        let attributes: &dyn Fn(&Entry<'_>, Option<Rule>) -> Marked = &|_, _| (0, true);
        let (range, leaf) = self.locate(path)?;
        if leaf.is_some() {
            return Ok(range.map(|index| self.mark_in(index, leaf, attributes)).sum());
        }
        let depth = path.matches('.').count();
        let mut count = 0;
        for index in range {
            let below = self.objects.get(index).map_or(0, |object| self.path(object).matches('.').count());
            let parameters = !next_level || (below == depth && !path.is_empty());
            if let Some(object) = self.objects.get_mut(index).filter(|_| !next_level || below == depth + 1) {
                count += u32::from(!object.listed);
                object.listed = true;
            }
            if parameters {
                count += self.mark_in(index, None, attributes);
            }
        }
        Ok(count)
    }

    /// One parameter by its full name.
    pub(crate) fn parameter(&self, name: &str) -> Option<Found<'_>> {
        let (range, leaf) = self.locate(name).ok()?;
        let object = self.objects.get(range.start)?;
        let record =
            self.records(object).find(|record| self.name_of(object, record) == leaf.unwrap_or(""))?;
        let (entry, rule) = self.describe_with_rule(object, &record);
        Some(Found { entry, rule, source: Some(object.source).filter(|source| *source != NO_SOURCE) })
    }

    /// Every parameter below a partial path, or the one with a full name.
    pub(crate) fn parameters<'a>(
        &'a self,
        name: &'a str,
    ) -> Result<impl Iterator<Item = Found<'a>>, Unknown> {
        let (range, leaf) = self.locate(name)?;
        let objects = self.objects.get(range).unwrap_or(&[]);
        Ok(objects.iter().flat_map(move |object| {
            let found = self.records(object).map(move |record| {
                let (entry, rule) = self.describe_with_rule(object, &record);
                Found { entry, rule, source: Some(object.source).filter(|source| *source != NO_SOURCE) }
            });
            found.filter(move |found| leaf.is_none_or(|leaf| leaf == found.entry.name))
        }))
    }

    /// Every object below a partial path, itself included.
    pub(crate) fn objects<'a>(
        &'a self,
        path: &str,
    ) -> Result<impl Iterator<Item = (&'a str, ObjectKind)>, Unknown> {
        let (range, _) = self.locate(path)?;
        let objects = self.objects.get(range).unwrap_or(&[]);
        Ok(objects.iter().map(|object| (self.path(object), object.kind)))
    }

    /// What an object is, and the source that delivered it.
    pub(crate) fn object(&self, path: &str) -> Option<(ObjectKind, Option<u8>)> {
        let object = self.objects.get(self.range(path).next()?)?;
        Some((object.kind, Some(object.source).filter(|source| *source != NO_SOURCE)))
    }

    /// Rule of the object of the model; `None` for a vendor's.
    pub(crate) fn object_rule(&self, path: &str) -> Option<Rule> {
        let object = self.objects.get(self.range(path).next()?)?;
        Some(self.facts.object(object.node()?)?.rule())
    }

    /// The objects that a name is about, and for a full name the parameter in the only one of them.
    fn locate<'n>(&self, name: &'n str) -> Result<(std::ops::Range<usize>, Option<&'n str>), Unknown> {
        let unknown = || Unknown(name.to_owned());
        if name.is_empty() {
            return Ok((0..self.objects.len(), None));
        }
        let (path, leaf) = match name.rsplit_once('.') {
            Some((_, "")) => (name, None),
            Some((object, leaf)) => (name.get(..=object.len()).unwrap_or(""), Some(leaf)),
            None => return Err(unknown()),
        };
        let own = self.range(path);
        let object = self.objects.get(own.clone()).and_then(|found| found.first()).ok_or_else(unknown)?;
        if let Some(leaf) = leaf {
            let known = self.records(object).any(|record| self.name_of(object, &record) == leaf);
            return if known { Ok((own, Some(leaf))) } else { Err(unknown()) };
        }
        let rest = self.objects.get(own.start..).unwrap_or(&[]);
        let below = rest.partition_point(|object| self.path(object).starts_with(path));
        Ok((own.start..own.start + below, None))
    }

    /// Marks one parameter of an object or all of them. Gives how many were not marked before.
    fn mark_in(
        &mut self,
        index: usize,
        leaf: Option<&str>,
        attributes: &dyn Fn(&Entry<'_>, Option<Rule>) -> Marked,
    ) -> u32 {
        let Some(object) = self.objects.get(index).copied() else { return 0 };
        let (mut at, mut count) = (object.from, 0);
        while let Some(record) = super::Record::read(&self.bytes, at).filter(|_| at < object.to) {
            at = record.next;
            if record.flags.marked() || leaf.is_some_and(|leaf| leaf != self.name_of(&object, &record)) {
                continue;
            }
            let (entry, rule) = self.describe_with_rule(&object, &record);
            let (notification, subscriber) = attributes(&entry, rule);
            let (flags, flags_at) = (record.flags.mark(notification, subscriber), record.flags_at);
            if let Some(byte) = self.bytes.get_mut(flags_at) {
                let Flags(flags) = flags;
                *byte = flags;
                count += 1;
            }
        }
        count
    }
}

impl Found<'_> {
    /// Full parameter name.
    pub(crate) fn full_name(&self) -> String {
        [self.entry.object, self.entry.name].concat()
    }
}

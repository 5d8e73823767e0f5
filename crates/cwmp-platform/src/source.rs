//! Where parameters come from: a source answers for some objects of the tree, in bulk.

use std::fmt;

use async_trait::async_trait;
use cwmp_core::{
    fault::{CwmpFault, FaultCode, SetParameterValuesFault},
    rpc::Status,
    value::ValueType,
};

/// Answers for some objects of the tree.
///
/// A source is asked once for each call of the ACS, not once for each parameter; it delivers everything that it has
/// below the wanted paths. Types, ranges and access come from the schema facts, so a source says nothing about them; it
/// says whether *this box* can write a parameter.
#[async_trait(?Send)]
pub trait ParameterSource {
    /// Name for logs, for `cwmpd datamodel`, and for the record of a change that is under way. No two sources have the
    /// same one, and it stays the same from release to release.
    fn name(&self) -> &'static str;

    /// Where the source keeps what is set, which decides whether a call needs a record of what it changes.
    fn storage(&self) -> Storage {
        Storage::Own
    }

    /// The objects that it answers for, as schema paths: `Device.Time.`, `Device.ManagementServer.InformParameter.{i}.`.
    /// No two sources answer for the same one.
    fn objects(&self) -> &[&'static str];

    /// Single parameters that it answers for in objects of other sources, by full name: what a mapping file adds to an
    /// object. None by default.
    fn parameters(&self) -> &[&'static str] {
        &[]
    }

    /// Where a parameter, given with instance numbers, comes from, for somebody who looks for a mistake: file and line of
    /// a mapping. `None` where the name of the source says it all.
    fn origin(&self, name: &str) -> Option<String> {
        let _ = name;
        None
    }

    /// What was looked up before is not true any more: another call of the ACS begins, or the one before is over. A source
    /// that looks things up once for all of its objects, or together with other sources, forgets them here; until then the
    /// box may be taken to be as it was found.
    fn forget(&self) {}

    /// Delivers objects and parameters. It may deliver more than is wanted; the rest is dropped.
    ///
    /// A table is delivered even while it has no instances: the ACS sees it then, and can add to it. Objects that lie
    /// above the delivered ones, and NumberOfEntries parameters, may be left to the tree. All parameters that exist on
    /// this box are delivered, also those that are empty.
    ///
    /// # Errors
    /// [`SourceError`] fails the whole call of the ACS with 9002.
    async fn read(&self, wanted: &Wanted<'_>, out: &mut dyn ParameterSink) -> Result<(), SourceError>;

    /// Judges changes as a set, after the schema has been checked and before any source applies anything. Returns a fault
    /// for each change that this box can't take. The default takes all.
    async fn check(&self, changes: &[Change]) -> Vec<SetParameterValuesFault> {
        let _ = changes;
        Vec::new()
    }

    /// Applies changes, all or none, durably. The default refuses, for sources that only read.
    ///
    /// # Errors
    /// [`SourceError`]; then nothing is changed.
    async fn apply(&self, changes: &[Change]) -> Result<Status, SourceError> {
        let _ = changes;
        Err(SourceError::new(format!("{} is read-only", self.name())))
    }

    /// Whether a set to the value that the parameter shows already means something to the source. Where it does not, the source
    /// does not hear of it: what it shows may be the default of a setting that is not there, and it would be written down.
    /// By default it does; a hidden value always does.
    fn hears_repeats(&self, name: &str) -> bool {
        let _ = name;
        true
    }

    /// What it takes to put everything back, to the letter, that these changes and the deletion of this row will change here: an
    /// image, kept in the program's journal while the call is under way and until it is confirmed. Asked before the call
    /// changes anything. It may hold secrets.
    ///
    /// Without one, which is the default, former values are put back, and a deletion is final. A source that gives one writes
    /// several places, none of which is the agent's settings: each of its calls is written down before.
    ///
    /// # Errors
    /// [`SourceError`] fails the call with 9002; nothing is changed then.
    async fn image(&self, changes: &[Change], deleted: Option<&str>) -> Result<Option<String>, SourceError> {
        let _ = (changes, deleted);
        Ok(None)
    }

    /// Puts back what an image holds, durably; where that is in place already, nothing is done. The default refuses.
    ///
    /// # Errors
    /// [`SourceError`]; what could be put back is.
    async fn restore(&self, image: &str) -> Result<(), SourceError> {
        let _ = image;
        Err(SourceError::new(format!("{} makes no images", self.name())))
    }

    /// Makes an instance in a table (`Device.X.Y.`) with the defaults of the model, durably, and returns its number, which
    /// was never used before. The default refuses.
    ///
    /// # Errors
    /// The fault to answer: 9005 for no such table, 9004 for a full one.
    async fn add(&self, table: &str, extra: &[Change]) -> Result<(u32, Status), CwmpFault> {
        let _ = extra;
        Err(CwmpFault::new(
            FaultCode::INVALID_PARAMETER_NAME,
            format!("{table} takes no instances from the ACS"),
        ))
    }

    /// Deletes an instance (`Device.X.Y.1.`), durably. The default refuses.
    ///
    /// # Errors
    /// The fault to answer: 9005 for no such instance.
    async fn delete(&self, instance: &str, extra: &[Change]) -> Result<Status, CwmpFault> {
        let _ = extra;
        Err(CwmpFault::new(FaultCode::INVALID_PARAMETER_NAME, format!("{instance} cannot be deleted")))
    }
}

/// Where a source keeps what is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// In a place of its own: files, another program, the kernel. [`ParameterSource::apply`] makes it durable by itself.
    Own,
    /// In the agent's settings alone ([`crate::settings::Settings`]): all such sources together are one step on the disk,
    /// at the end of the call.
    Settings,
}

/// A parameter that is to have another value. The value has passed the schema facts and is in canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Full parameter name with instance numbers.
    pub name: String,
    /// New value, lexical form.
    pub value: String,
}

/// A source that could not answer; the text names what, where and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SourceError(pub String);

impl SourceError {
    /// With this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// The paths that a call of the ACS is about.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    paths: &'a [&'a str],
}

impl<'a> Wanted<'a> {
    /// Full names, and partial paths with a trailing dot; the empty path wants everything.
    #[must_use]
    pub fn new(paths: &'a [&'a str]) -> Self {
        Self { paths }
    }

    /// Whether anything of the object (concrete: `Device.X.1.`, or as in the schema: `Device.X.{i}.`) is wanted, be it all of
    /// it, one of its parameters, or something below it.
    #[must_use]
    pub fn touches(&self, object: &str) -> bool {
        self.paths.iter().any(|path| {
            let mut theirs = path.split('.').filter(|part| !part.is_empty());
            let mut ours = object.split('.').filter(|part| !part.is_empty());
            loop {
                match (theirs.next(), ours.next()) {
                    (Some(a), Some(b)) if a == b || a == "*" || b == "{i}" || a.starts_with('[') => {}
                    (Some(_), Some(_)) => return false,
                    (None, _) | (_, None) => return true,
                }
            }
        })
    }
}

/// What an object is, to GetParameterNames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectKind {
    /// One of its kind.
    Single,
    /// A table; `addable` when the ACS may add instances.
    Table {
        /// AddObject works.
        addable: bool,
    },
    /// A row; `deletable` when the ACS may delete it.
    Instance {
        /// DeleteObject works.
        deletable: bool,
    },
}

/// Whether this box can write a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It can't.
    ReadOnly,
    /// It can.
    ReadWrite,
}

/// Takes what a source delivers. Objects come before their parameters, and parents before their children.
pub trait ParameterSink {
    /// Begins an object: concrete path with trailing dot. Parameters that follow belong to it.
    fn object(&mut self, path: &str, kind: ObjectKind);

    /// A parameter of the schema in the present object, in canonical lexical form: booleans are `true` and `false`,
    /// dateTime is in UTC, items of lists have no blanks around them. Hidden ones (passwords) may be delivered as they
    /// are: the tree shows them as empty and needs them only to put them back after a failed change.
    fn parameter(&mut self, name: &str, value: &dyn fmt::Display, access: Access);

    /// A vendor parameter (`X_...`) in the present object; the schema does not know its type.
    fn vendor_parameter(
        &mut self,
        name: &str,
        value_type: ValueType,
        value: &dyn fmt::Display,
        access: Access,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted() {
        let touches = |path: &str, object: &str| Wanted::new(&[path]).touches(object);
        assert!(touches("", "Device.Time."));
        assert!(touches("Device.", "Device.Time."));
        assert!(touches("Device.Time.Enable", "Device.Time."));
        assert!(touches("Device.IP.Interface.1.", "Device.IP.Interface.{i}.IPv4Address.{i}."));
        assert!(touches("Device.IP.Interface.*.Name", "Device.IP.Interface.{i}."));
        assert!(!touches("Device.Time.", "Device.DeviceInfo."));
        assert!(!touches("Device.IP.Interface.2.", "Device.IP.Interface.1."));
    }
}

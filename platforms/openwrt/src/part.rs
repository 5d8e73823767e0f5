//! What an object of the tree is to this backend: one module below `objects/` implements [`Part`].

use std::{collections::BTreeMap, rc::Rc};

use async_trait::async_trait;
use cwmp_core::fault::{CwmpFault, FaultCode, SetParameterValuesFault};
use cwmp_platform::source::{Change, ParameterSink, SourceError, Wanted};

use cwmp_uci::Section;

use crate::{edits::Edits, survey::Survey};

/// Answers for one or several objects of the tree: reads them from the survey, and turns what is to be changed into edits of
/// the configuration. It never writes by itself: the edits of all parts are one commit.
#[async_trait(?Send)]
pub(crate) trait Part {
    /// The objects that it answers for, as schema paths. No two parts answer for the same one.
    fn objects(&self) -> &'static [&'static str];

    /// Delivers what it has of its objects; see [`cwmp_platform::source::ParameterSource::read`]. Called only where one of
    /// the objects is wanted.
    ///
    /// # Errors
    /// [`SourceError`] fails the whole call: only for a service or a file that should answer and does not.
    async fn read(
        &self,
        survey: &Survey,
        wanted: &Wanted<'_>,
        out: &mut dyn ParameterSink,
    ) -> Result<(), SourceError>;

    /// Turns all changes of a call that concern its objects into edits. Called once to judge them, with edits that are
    /// thrown away, and once to make them.
    ///
    /// Gives a fault for each change that this box can't take.
    ///
    /// # Errors
    /// [`SourceError`]: a service or a file does not answer.
    async fn edit(
        &self,
        changes: &[&Change],
        edits: &mut Edits,
    ) -> Result<Vec<SetParameterValuesFault>, SourceError> {
        let _ = edits;
        Ok(changes.iter().map(|change| not_writable(change)).collect())
    }

    /// Adds a row to a table and gives its number. The row's section is named by [`new_section`].
    ///
    /// # Errors
    /// The fault to answer: 9005 for a table that takes none, 9004 for a full one.
    async fn add(&self, table: &str, edits: &mut Edits) -> Result<u32, CwmpFault> {
        let _ = edits;
        Err(CwmpFault::new(
            FaultCode::INVALID_PARAMETER_NAME,
            format!("{table} takes no instances from the ACS"),
        ))
    }

    /// Deletes a row.
    ///
    /// # Errors
    /// The fault to answer: 9005 for no such instance.
    async fn delete(&self, instance: &str, edits: &mut Edits) -> Result<(), CwmpFault> {
        let _ = edits;
        Err(no_such(instance))
    }
}

/// A change of a parameter of a row: its name in the row, and the change itself.
pub(crate) type InRow<'c> = (&'c str, &'c Change);

/// The numbers in a full name or a path of an object (`Device.X.{i}.Y.{i}.`, as in the schema), and what follows it; `None`
/// where it lies elsewhere.
pub(crate) fn below<'n>(object: &str, name: &'n str) -> Option<(Vec<u32>, &'n str)> {
    let (mut numbers, mut rest) = (Vec::new(), name);
    for part in object.split_terminator('.') {
        let (first, after) = rest.split_once('.')?;
        match part {
            "{i}" => numbers.push(first.parse().ok()?),
            _ if part == first => {}
            _ => return None,
        }
        rest = after;
    }
    Some((numbers, rest))
}

/// The changes that concern parameters of an object itself, by the numbers of its rows.
pub(crate) fn by_row<'c>(object: &str, changes: &[&'c Change]) -> BTreeMap<Vec<u32>, Vec<InRow<'c>>> {
    let mut rows = BTreeMap::<Vec<u32>, Vec<InRow<'c>>>::new();
    for change in changes {
        if let Some((numbers, name)) = below(object, &change.name).filter(|(_, name)| !name.contains('.')) {
            rows.entry(numbers).or_default().push((name, change));
        }
    }
    rows
}

/// A fault for one change.
pub(crate) fn fault(change: &Change, code: FaultCode, text: impl Into<String>) -> SetParameterValuesFault {
    SetParameterValuesFault { name: change.name.clone(), code, text: text.into() }
}

/// 9008: this box cannot change it.
pub(crate) fn not_writable(change: &Change) -> SetParameterValuesFault {
    fault(change, FaultCode::NOT_WRITABLE, format!("{} cannot be changed on this device", change.name))
}

/// 9007: the value cannot be.
pub(crate) fn invalid(change: &Change, why: impl Into<String>) -> SetParameterValuesFault {
    fault(change, FaultCode::INVALID_PARAMETER_VALUE, why)
}

/// 9005.
pub(crate) fn no_such(instance: &str) -> CwmpFault {
    CwmpFault::new(FaultCode::INVALID_PARAMETER_NAME, format!("there is no {instance} that can be deleted"))
}

/// A value that may stand in the configuration, whose programs read lines: no control characters.
pub(crate) fn is_plain(value: &str) -> bool {
    !value.contains(char::is_control)
}

/// Names the section of a new row, `cwmp_<kind>_<number>`, and gives its number, which was never used before.
///
/// # Errors
/// 9004: the table can take no more.
pub(crate) fn new_section(survey: &Survey, table: &str, kind: &str) -> Result<(u32, String), CwmpFault> {
    let made = survey.ground().numbers.create(table, |number| format!("cwmp_{kind}_{number}"));
    made.ok_or_else(|| {
        CwmpFault::new(FaultCode::RESOURCES_EXCEEDED, format!("{table} has no room for a row"))
    })
}

/// Keys of sections, by which their rows keep their numbers: the name; without one, the values of these options, which tell
/// the section apart for as long as its owner leaves them alone, and a count where even they are the same.
pub(crate) fn section_keys<'s>(
    sections: impl IntoIterator<Item = &'s Section>,
    stable: &[&str],
) -> Vec<String> {
    let mut keys = Vec::<String>::new();
    for section in sections {
        let key = match section.is_anonymous() {
            false => section.name().to_owned(),
            true => {
                let values = stable.iter().map(|option| section.get(option).unwrap_or_default());
                // A name has no `~`.
                format!("~{}", values.collect::<Vec<_>>().join("~"))
            }
        };
        let mut unique = key.clone();
        let mut count = 1;
        while keys.contains(&unique) {
            count += 1;
            unique = format!("{key}#{count}");
        }
        keys.push(unique);
    }
    keys
}

/// 9002 of what could not be read.
#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
pub(crate) fn internal(error: SourceError) -> CwmpFault {
    CwmpFault::new(FaultCode::INTERNAL_ERROR, error.to_string())
}

/// Parts in the order in which they deliver.
pub(crate) type Parts = Vec<Rc<dyn Part>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_by_the_path_of_their_object() {
        let address = "Device.IP.Interface.{i}.IPv4Address.{i}.";
        assert_eq!(
            below(address, "Device.IP.Interface.3.IPv4Address.12.Enable"),
            Some((vec![3, 12], "Enable"))
        );
        assert_eq!(below("Device.Time.", "Device.Time.Enable"), Some((vec![], "Enable")));
        assert_eq!(below(address, "Device.IP.Interface.3.IPv6Address.12.Enable"), None);
        assert_eq!(below(address, "Device.IP.Interface.3"), None);
        let change = |name: &str| Change { name: name.to_owned(), value: String::new() };
        let changes = [
            change("Device.IP.Interface.2.Enable"),
            change("Device.IP.Interface.1.Name"),
            change("Device.IP.Interface.2.IPv4Address.1.Enable"),
        ];
        let changes: Vec<&Change> = changes.iter().collect();
        let rows = by_row("Device.IP.Interface.{i}.", &changes);
        assert_eq!(rows.keys().collect::<Vec<_>>(), [&[1], &[2]]);
        assert_eq!(rows[&vec![2]].len(), 1);
    }
}

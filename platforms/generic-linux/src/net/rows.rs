//! What the tables of devices have in common.

pub(super) use cwmp_linux::rows::{counters, status};

use cwmp_linux::rows;
use cwmp_platform::source::{Access::ReadOnly, ObjectKind, ParameterSink};

use super::layout::Row;
use crate::files::clean;

pub(super) const TABLE: ObjectKind = ObjectKind::Table { addable: false };
pub(super) const INSTANCE: ObjectKind = ObjectKind::Instance { deletable: false };

/// Begins the row: Enable, Status, Name and LowerLayers.
pub(super) fn begin(row: &Row<'_>, out: &mut dyn ParameterSink) {
    out.object(&format!("{}.", row.path), INSTANCE);
    out.parameter("Enable", &row.link.up, ReadOnly);
    out.parameter("Status", &status(row.link), ReadOnly);
    out.parameter("Name", &clean(&row.link.name, 64), ReadOnly);
    out.parameter("LowerLayers", &row.lower.join(","), ReadOnly);
}

/// `Stats.` of a row.
pub(super) fn stats(row: &Row<'_>, out: &mut dyn ParameterSink) {
    rows::stats(&row.path, row.link.stats.as_ref(), out);
}

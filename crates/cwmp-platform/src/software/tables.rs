//! `Device.SoftwareModules.` of TR-181. Units come, change and go with ChangeDUState; what can be set starts and stops them.

use async_trait::async_trait;

use cwmp_core::{fault::SetParameterValuesFault, rpc::Status};

use super::{Activity, Part, Row, Rows, SoftwareModules};
use crate::source::{
    Access::{ReadOnly, ReadWrite},
    Change, ObjectKind, ParameterSink, ParameterSource, SourceError, Wanted,
};

const MODULES: &str = "Device.SoftwareModules.";
/// Table of execution environments.
pub(super) const ENVIRONMENT: &str = "Device.SoftwareModules.ExecEnv.";
/// Table of deployment units.
pub(super) const UNIT: &str = "Device.SoftwareModules.DeploymentUnit.";
/// Table of execution units.
pub(super) const EXECUTION_UNIT: &str = "Device.SoftwareModules.ExecutionUnit.";
const TABLE: ObjectKind = ObjectKind::Table { addable: false };
const INSTANCE: ObjectKind = ObjectKind::Instance { deletable: false };

#[async_trait(?Send)]
impl ParameterSource for SoftwareModules {
    fn name(&self) -> &'static str {
        "software-modules"
    }

    fn objects(&self) -> &[&'static str] {
        &[
            MODULES,
            "Device.SoftwareModules.ExecEnv.{i}.",
            "Device.SoftwareModules.DeploymentUnit.{i}.",
            "Device.SoftwareModules.ExecutionUnit.{i}.",
        ]
    }

    async fn read(&self, wanted: &Wanted<'_>, out: &mut dyn ParameterSink) -> Result<(), SourceError> {
        if !wanted.touches(MODULES) {
            return Ok(());
        }
        let rows = self.rows().await.map_err(|error| SourceError::new(error.text))?;
        out.object(MODULES, ObjectKind::Single);
        environments(&rows, out);
        out.object(UNIT, TABLE);
        for row in &rows.units {
            unit(&rows, row, self.status(row), out);
        }
        out.object(EXECUTION_UNIT, TABLE);
        for row in &rows.units {
            for part in &row.parts {
                execution_unit(&rows, row, part, out);
            }
        }
        Ok(())
    }

    async fn check(&self, changes: &[Change]) -> Vec<SetParameterValuesFault> {
        self.judge(changes).await
    }

    async fn apply(&self, changes: &[Change]) -> Result<Status, SourceError> {
        self.set(changes).await
    }
}

fn environments(rows: &Rows, out: &mut dyn ParameterSink) {
    out.object(ENVIRONMENT, TABLE);
    for (number, environment) in (1..).zip(&rows.environments) {
        let number: u32 = number;
        out.object(&format!("{ENVIRONMENT}{number}."), INSTANCE);
        out.parameter("Enable", &environment.enabled, ReadWrite);
        out.parameter("Status", &if environment.enabled { "Up" } else { "Disabled" }, ReadOnly);
        out.parameter("Name", &environment.name, ReadOnly);
        out.parameter("Type", &environment.kind, ReadOnly);
    }
}

fn unit(rows: &Rows, row: &Row, status: &str, out: &mut dyn ParameterSink) {
    let (installed, package) = (&row.installed, &row.installed.package);
    out.object(&format!("{UNIT}{}.", row.number), INSTANCE);
    out.parameter("UUID", &package.uuid, ReadOnly);
    out.parameter("DUID", &row.number, ReadOnly);
    out.parameter("Name", &package.name, ReadOnly);
    out.parameter("Status", &status, ReadOnly);
    out.parameter("Resolved", &installed.resolved, ReadOnly);
    out.parameter("URL", &installed.url, ReadOnly);
    out.parameter("Vendor", &package.vendor, ReadOnly);
    out.parameter("Version", &package.version, ReadOnly);
    out.parameter("ExecutionUnitList", &row.unit().execution_units.join(","), ReadOnly);
    out.parameter("ExecutionEnvRef", &environment_of(rows, row), ReadOnly);
}

fn execution_unit(rows: &Rows, row: &Row, part: &Part, out: &mut dyn ParameterSink) {
    let package = &row.installed.package;
    out.object(&format!("{EXECUTION_UNIT}{}.", part.number), INSTANCE);
    out.parameter("EUID", &part.number, ReadOnly);
    out.parameter("Name", &part.unit.name, ReadOnly);
    let status = match part.unit.activity {
        Activity::Idle => "Idle",
        Activity::Starting => "Starting",
        Activity::Active => "Active",
        Activity::Stopping => "Stopping",
    };
    out.parameter("Status", &status, ReadOnly);
    let wanted = if part.unit.activity.is_wanted() { "Active" } else { "Idle" };
    out.parameter("RequestedState", &wanted, ReadWrite);
    let (code, text) = match &part.unit.fault {
        None => ("NoFault", ""),
        Some(fault) if fault.on_start => ("FailureOnStart", fault.text.as_str()),
        Some(fault) => ("FailureOnStop", fault.text.as_str()),
    };
    out.parameter("ExecutionFaultCode", &code, ReadOnly);
    out.parameter("ExecutionFaultMessage", &text, ReadOnly);
    out.parameter("AutoStart", &part.unit.auto_start, ReadWrite);
    out.parameter("Vendor", &package.vendor, ReadOnly);
    out.parameter("Version", &package.version, ReadOnly);
    out.parameter("ExecutionEnvRef", &environment_of(rows, row), ReadOnly);
}

fn environment_of(rows: &Rows, row: &Row) -> String {
    let at = rows.environments.iter().position(|known| known.name == row.installed.environment);
    at.map(|at| format!("{ENVIRONMENT}{}", at + 1)).unwrap_or_default()
}

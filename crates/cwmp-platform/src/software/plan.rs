//! What an operation means for the units of the box, and what of it is allowed (TR-069a6 A.4.1.10, cwmp-1-2.xsd).

use std::{cmp::Ordering, collections::BTreeSet};

use cwmp_core::{
    fault::FaultCode,
    job::JobError,
    rpc::DuOperation,
    software::{DuOrder, DuTarget},
};

use super::{Environment, Package, Row, Rows, tables::ENVIRONMENT};
use crate::policy::compare_versions;

type Outcome<T> = Result<T, JobError>;

fn refused<T>(code: FaultCode, text: impl Into<String>) -> Outcome<T> {
    Err(JobError::new(code, text))
}

/// The units that an operation concerns.
///
/// An update by UUID or URL concerns what has that; with neither, all that came from a URL and lie in an environment that is
/// enabled.
pub(super) fn plan(order: &DuOrder, rows: &Rows) -> Outcome<Vec<DuTarget>> {
    match order.operation {
        DuOperation::Install => install(order, rows).map(|target| vec![target]),
        DuOperation::Update => update(order, rows),
        DuOperation::Uninstall => uninstall(order, rows),
    }
}

fn install(order: &DuOrder, rows: &Rows) -> Outcome<DuTarget> {
    let environment = match order.execution_env_ref.as_str() {
        "" => match rows.environments.iter().find(|environment| environment.enabled) {
            Some(environment) => environment,
            None => return refused(DISABLED, "no execution environment is enabled"),
        },
        reference => enabled(referred(rows, reference)?)?,
    };
    not_there(rows, &order.uuid, &environment.name)?;
    Ok(DuTarget {
        operation: DuOperation::Install,
        before: None,
        uuid: order.uuid.clone(),
        version: String::new(),
        url: order.url.clone(),
        environment: environment.name.clone(),
    })
}

fn update(order: &DuOrder, rows: &Rows) -> Outcome<Vec<DuTarget>> {
    let all = order.uuid.is_empty() && order.url.is_empty();
    let meant = |row: &&Row| {
        let package = &row.installed.package;
        if !order.uuid.is_empty() {
            package.uuid.eq_ignore_ascii_case(&order.uuid)
        } else if !order.url.is_empty() {
            row.installed.url == order.url
        } else {
            !row.installed.url.is_empty() && is_enabled(rows, row)
        }
    };
    let mut units: Vec<&Row> = rows.units.iter().filter(meant).collect();
    let versions: BTreeSet<&str> = units.iter().map(|row| row.installed.package.version.as_str()).collect();
    if !all && order.version.is_empty() && versions.len() > 1 {
        return refused(
            FaultCode::VERSION_NOT_SPECIFIED,
            "several versions are installed: Version is needed",
        );
    }
    units.retain(|row| order.version.is_empty() || row.installed.package.version == order.version);
    if units.is_empty() {
        return refused(FaultCode::UNKNOWN_DEPLOYMENT_UNIT, "no such deployment unit is installed");
    }
    let target = |row: &&Row| {
        enabled(environment_of(rows, row)?)?;
        let url = if order.url.is_empty() { &row.installed.url } else { &order.url };
        if url.is_empty() {
            return refused(FaultCode::INVALID_ARGUMENTS, "URL is needed: this unit did not come from one");
        }
        Ok(DuTarget { url: url.clone(), ..target_of(DuOperation::Update, row) })
    };
    units.iter().map(target).collect()
}

fn uninstall(order: &DuOrder, rows: &Rows) -> Outcome<Vec<DuTarget>> {
    let environment = match order.execution_env_ref.as_str() {
        "" => None,
        reference => Some(referred(rows, reference)?),
    };
    let meant = |row: &&Row| {
        row.installed.package.uuid.eq_ignore_ascii_case(&order.uuid)
            && (order.version.is_empty() || row.installed.package.version == order.version)
            && environment.is_none_or(|environment| environment.name == row.installed.environment)
    };
    let units: Vec<&Row> = rows.units.iter().filter(meant).collect();
    if units.is_empty() {
        return refused(FaultCode::UNKNOWN_DEPLOYMENT_UNIT, "no such deployment unit is installed");
    }
    let target = |row: &&Row| {
        enabled(environment_of(rows, row)?)?;
        Ok(target_of(DuOperation::Uninstall, row))
    };
    units.iter().map(target).collect()
}

/// Whether a package may do what is asked for. Returns the target with what the unit will be.
pub(super) fn judge(target: &DuTarget, package: &Package, rows: &Rows) -> Outcome<DuTarget> {
    let environment = rows.environments.iter().find(|known| known.name == target.environment);
    let environment =
        environment.map_or_else(|| refused(UNKNOWN, "the execution environment is gone"), Ok)?;
    enabled(environment)?;
    if !package.environment_kind.is_empty() && package.environment_kind != environment.kind {
        let text = format!("it needs an execution environment of type {}", package.environment_kind);
        return refused(FaultCode::EXECUTION_ENVIRONMENT_MISMATCH, text);
    }
    let version = package.version.clone();
    if target.operation == DuOperation::Install {
        let uuid = if target.uuid.is_empty() { package.uuid.clone() } else { target.uuid.clone() };
        not_there(rows, &uuid, &target.environment)?;
        return Ok(DuTarget { uuid, version, ..target.clone() });
    }
    let Some(row) = rows.units.iter().find(|row| row.is(&target.uuid, &target.environment)) else {
        return refused(FaultCode::UNKNOWN_DEPLOYMENT_UNIT, "the deployment unit is gone");
    };
    let present = &row.installed.package;
    if (&present.vendor, &present.name) != (&package.vendor, &package.name) {
        let text = format!("the file is {} of {}, another deployment unit", package.name, package.vendor);
        return refused(FaultCode::REQUEST_DENIED, text);
    }
    match compare_versions(&version, &present.version) {
        Ordering::Less => {
            let text = format!("version {version} is older than {}", present.version);
            refused(FaultCode::DOWNGRADE_NOT_PERMITTED, text)
        }
        Ordering::Equal => refused(FaultCode::VERSION_EXISTS, format!("version {version} is installed")),
        Ordering::Greater => Ok(DuTarget { version, ..target.clone() }),
    }
}

const UNKNOWN: FaultCode = FaultCode::UNKNOWN_EXECUTION_ENVIRONMENT;
const DISABLED: FaultCode = FaultCode::DISABLED_EXECUTION_ENVIRONMENT;

fn target_of(operation: DuOperation, row: &Row) -> DuTarget {
    DuTarget {
        operation,
        before: Some(row.unit()),
        uuid: row.installed.package.uuid.clone(),
        version: String::new(),
        url: String::new(),
        environment: row.installed.environment.clone(),
    }
}

/// The environment that a reference names, with or without a last dot.
fn referred<'a>(rows: &'a Rows, reference: &str) -> Outcome<&'a Environment> {
    let number = reference.strip_prefix(ENVIRONMENT).map(|rest| rest.strip_suffix('.').unwrap_or(rest));
    let number: Option<usize> = number.and_then(|number| number.parse().ok());
    let at = number.and_then(|number| number.checked_sub(1));
    let known = at.and_then(|at| rows.environments.get(at));
    known.map_or_else(|| refused(UNKNOWN, "ExecutionEnvRef names no execution environment"), Ok)
}

fn environment_of<'a>(rows: &'a Rows, row: &Row) -> Outcome<&'a Environment> {
    let known = rows.environments.iter().find(|known| known.name == row.installed.environment);
    known.map_or_else(|| refused(UNKNOWN, "the execution environment is gone"), Ok)
}

fn is_enabled(rows: &Rows, row: &Row) -> bool {
    environment_of(rows, row).is_ok_and(|environment| environment.enabled)
}

fn enabled(environment: &Environment) -> Outcome<&Environment> {
    if environment.enabled {
        return Ok(environment);
    }
    refused(DISABLED, format!("the execution environment {} is disabled", environment.name))
}

fn not_there(rows: &Rows, uuid: &str, environment: &str) -> Outcome<()> {
    match rows.units.iter().find(|row| row.is(uuid, environment)) {
        Some(row) => {
            let text = format!("it is installed already, in version {}", row.installed.package.version);
            refused(FaultCode::DUPLICATE_DEPLOYMENT_UNIT, text)
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use cwmp_core::settings::Secret;

    use super::*;
    use crate::software::{Installed, unit_uuid};

    fn package(name: &str, version: &str) -> Package {
        Package {
            uuid: unit_uuid("acme", name),
            name: name.into(),
            vendor: "acme".into(),
            version: version.into(),
            environment_kind: "A".into(),
        }
    }

    fn row(name: &str, version: &str, environment: &str, number: u32) -> Row {
        let installed = Installed {
            package: package(name, version),
            url: format!("http://files/{name}"),
            environment: environment.into(),
            resolved: true,
            execution_units: Vec::new(),
        };
        Row { installed, number, parts: Vec::new() }
    }

    /// Two environments, and one that is disabled.
    fn rows() -> Rows {
        let environment =
            |name: &str, kind: &str, enabled| Environment { name: name.into(), kind: kind.into(), enabled };
        Rows {
            environments: vec![
                environment("one", "A", true),
                environment("two", "B", true),
                environment("off", "A", false),
            ],
            units: vec![
                row("x", "1.0", "one", 1),
                row("x", "2.0", "two", 2),
                row("y", "1.0", "one", 3),
                row("z", "1.0", "off", 4),
            ],
        }
    }

    fn order(operation: DuOperation, uuid: &str, version: &str, url: &str, env: &str) -> DuOrder {
        DuOrder {
            operation,
            uuid: if uuid.is_empty() { String::new() } else { unit_uuid("acme", uuid) },
            version: version.into(),
            url: url.into(),
            username: String::new(),
            password: Secret::default(),
            execution_env_ref: if env.is_empty() { String::new() } else { format!("{ENVIRONMENT}{env}") },
        }
    }

    /// The rows that an operation concerns, or its fault.
    fn planned(order: &DuOrder) -> Result<Vec<String>, u32> {
        let targets = plan(order, &rows()).map_err(|error| error.code.0)?;
        let reference = |target: DuTarget| target.before.map_or(target.environment, |unit| unit.reference);
        Ok(targets.into_iter().map(reference).collect())
    }

    fn units(numbers: &[u32]) -> Result<Vec<String>, u32> {
        Ok(numbers.iter().map(|n| format!("Device.SoftwareModules.DeploymentUnit.{n}")).collect())
    }

    /// Conformance: 11.04, 11.08
    #[test]
    fn an_install_goes_where_it_is_told_or_to_the_first_environment() {
        let install = |uuid: &str, env: &str| planned(&order(DuOperation::Install, uuid, "", "u", env));
        assert_eq!(install("", ""), Ok(vec!["one".into()]));
        assert_eq!(install("", "2."), Ok(vec!["two".into()]));
        assert_eq!(install("y", "2"), Ok(vec!["two".into()]), "there is none there");
        assert_eq!(install("", "4"), Err(9023));
        assert_eq!(install("", "0"), Err(9023));
        assert_eq!(install("", "3"), Err(9024));
        assert_eq!(install("y", ""), Err(9026));
    }

    /// Conformance: 11.05
    #[test]
    fn an_update_has_four_forms() {
        let update = |uuid: &str, version: &str, url: &str| {
            planned(&order(DuOperation::Update, uuid, version, url, ""))
        };
        assert_eq!(update("y", "", ""), units(&[3]));
        assert_eq!(update("y", "", "http://files/new"), units(&[3]));
        assert_eq!(update("", "", "http://files/y"), units(&[3]));
        assert_eq!(update("", "", ""), units(&[1, 2, 3]), "all but what lies in a disabled environment");
        assert_eq!(update("x", "", ""), Err(9031));
        assert_eq!(update("x", "2.0", ""), units(&[2]));
        assert_eq!(update("x", "3.0", ""), Err(9028));
        assert_eq!(update("", "", "http://files/other"), Err(9028));
        assert_eq!(update("z", "", ""), Err(9024));
    }

    /// Conformance: 11.06
    #[test]
    fn an_uninstall_concerns_all_versions_or_the_one_that_is_named() {
        let uninstall = |uuid: &str, version: &str, env: &str| {
            planned(&order(DuOperation::Uninstall, uuid, version, "", env))
        };
        assert_eq!(uninstall("x", "", ""), units(&[1, 2]));
        assert_eq!(uninstall("x", "1.0", ""), units(&[1]));
        assert_eq!(uninstall("x", "", "2"), units(&[2]));
        assert_eq!(uninstall("y", "", "2"), Err(9028));
        assert_eq!(uninstall("q", "", ""), Err(9028));
        assert_eq!(uninstall("x", "", "9"), Err(9023));
    }

    /// Conformance: 11.07, 11.08
    #[test]
    fn a_package_must_fit_what_is_asked_for() {
        let target = |operation, name: &str, environment: &str| {
            let order = order(operation, name, "", "u", environment);
            plan(&order, &rows()).unwrap().remove(0)
        };
        let judged = |target: &DuTarget, package: &Package| {
            judge(target, package, &rows()).map(|target| (target.uuid, target.version)).map_err(|e| e.code.0)
        };
        let install = target(DuOperation::Install, "", "");
        assert_eq!(judged(&install, &package("new", "3")), Ok((unit_uuid("acme", "new"), "3".into())));
        assert_eq!(judged(&install, &package("y", "3")), Err(9026));
        let given = target(DuOperation::Install, "given", "");
        assert_eq!(judged(&given, &package("new", "3")), Ok((unit_uuid("acme", "given"), "3".into())));
        let elsewhere = target(DuOperation::Install, "", "2");
        assert_eq!(judged(&elsewhere, &package("new", "3")), Err(9025));
        let update = target(DuOperation::Update, "y", "");
        assert_eq!(judged(&update, &package("y", "1.1")), Ok((unit_uuid("acme", "y"), "1.1".into())));
        assert_eq!(judged(&update, &package("y", "1.0")), Err(9032));
        assert_eq!(judged(&update, &package("y", "0.9")), Err(9030));
        assert_eq!(judged(&update, &package("x", "1.1")), Err(9001));
    }
}

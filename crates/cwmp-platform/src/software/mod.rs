//! Software modules: what a backend tells of packages ([`PackageStore`]), and what all backends make of that: which units an
//! operation concerns, what of it is allowed, and the tables of TR-181 `Device.SoftwareModules.` ([`SoftwareModules`]).

mod control;
mod plan;
mod tables;
mod under_way;
mod uuid;

pub use control::{Control, ExecutionKey};
pub use uuid::unit_uuid;

use std::{cell::RefCell, path::Path, rc::Rc};

use async_trait::async_trait;
use cwmp_core::{
    fault::FaultCode,
    job::{DuDone, JobError},
    rpc::DuOperation,
    software::{DuOrder, DuTarget, DuUnit},
};

use crate::instances::InstanceNumbers;
pub use under_way::ChangeGuard;
use under_way::UnderWay;

/// Most deployment units, shown and remembered.
pub const UNITS: usize = 256;
/// Most execution units, shown and remembered.
pub const EXECUTION_UNITS: usize = 1024;

/// An execution environment. Its row is its place in [`Inventory::environments`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// Name; no other one has it.
    pub name: String,
    /// Type, such as `Linux`.
    pub kind: String,
    /// Whether units can be installed and changed.
    pub enabled: bool,
}

/// A deployment unit as its package tells of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Package {
    /// UUID; [`unit_uuid`] where nobody has given it one.
    pub uuid: String,
    /// Name (64 characters).
    pub name: String,
    /// Vendor (128 characters).
    pub vendor: String,
    /// Version (32 characters).
    pub version: String,
    /// Type of the execution environment that it needs; empty where it fits any.
    pub environment_kind: String,
}

/// An execution unit of a deployment unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecutionUnit {
    /// Name (256 characters, no `/`); its deployment unit has no other one with it.
    pub name: String,
    /// Whether it runs.
    pub activity: Activity,
    /// Whether it starts with its environment.
    pub auto_start: bool,
    /// What went wrong when it was last started or stopped.
    pub fault: Option<ExecutionFault>,
}

/// Status of an execution unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activity {
    /// It does not run.
    #[default]
    Idle,
    /// It is being started.
    Starting,
    /// It runs.
    Active,
    /// It is being stopped.
    Stopping,
}

/// Why an execution unit is not in the state that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutionFault {
    /// Whether it was to start; else it was to stop.
    pub on_start: bool,
    /// What, and why (256 characters).
    pub text: String,
}

/// A deployment unit that is installed. A UUID is installed at most once in an environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Installed {
    /// What it is.
    pub package: Package,
    /// Where it came from; empty where that is not known.
    pub url: String,
    /// Name of its environment.
    pub environment: String,
    /// Whether nothing that it needs is missing.
    pub resolved: bool,
    /// Its execution units.
    pub execution_units: Vec<ExecutionUnit>,
}

/// What the box has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Execution environments; always the same ones in the same order.
    pub environments: Vec<Environment>,
    /// Deployment units, at most [`UNITS`].
    pub units: Vec<Installed>,
}

/// The packages of a box. Errors carry a code that an OpResultStruct may have (TR-069a6 A.4.2.3).
#[async_trait(?Send)]
pub trait PackageStore {
    /// What the box has now.
    ///
    /// # Errors
    /// 9001 where that cannot be told.
    async fn inventory(&self) -> Result<Inventory, JobError>;

    /// What a fetched file is. Nothing of the box is changed.
    ///
    /// # Errors
    /// 9018 for what is no package.
    async fn inspect(&self, file: &Path) -> Result<Package, JobError>;

    /// Installs, updates or removes a unit, durably. `file` is what was fetched and inspected; of no meaning for an uninstall.
    ///
    /// # Errors
    /// What has gone wrong. The unit is then as it was, or not there where it was to be installed, as far as that is in the
    /// power of the box; [`PackageStore::inventory`] says what it has.
    async fn apply(&self, target: &DuTarget, file: &Path) -> Result<(), JobError>;

    /// Whether somebody else changes packages just now, so that an inventory may be half the truth.
    async fn is_busy(&self) -> bool {
        false
    }

    /// Enables environments, and starts and stops execution units.
    ///
    /// # Errors
    /// What has gone wrong; then nothing is changed, as far as that is in the power of the box.
    async fn control(&self, order: &Control) -> Result<(), String>;
}

/// The packages of a box with the numbers of their rows. Answers for `Device.SoftwareModules.` as a source of parameters.
pub struct SoftwareModules {
    store: Rc<dyn PackageStore>,
    numbers: Rc<InstanceNumbers>,
    /// What is being done to a unit just now.
    under_way: RefCell<Option<UnderWay>>,
    /// What the file is that was looked at last.
    inspected: RefCell<Option<Package>>,
}

impl SoftwareModules {
    /// These packages; their rows get their numbers from `numbers`.
    #[must_use]
    pub fn new(store: Rc<dyn PackageStore>, numbers: Rc<InstanceNumbers>) -> Self {
        Self { store, numbers, under_way: RefCell::default(), inspected: RefCell::default() }
    }

    /// What an operation means for each unit that it concerns.
    ///
    /// # Errors
    /// The fault of the operation.
    pub async fn plan(&self, order: &DuOrder) -> Result<DuDone, JobError> {
        let rows = self.rows().await?;
        plan::plan(order, &rows).map(DuDone::Planned)
    }

    /// Whether a fetched file is what the target needs.
    ///
    /// # Errors
    /// The fault of the operation; nothing is changed.
    pub async fn check(&self, target: &DuTarget, file: &Path) -> Result<DuDone, JobError> {
        let package = self.store.inspect(file).await?;
        self.inspected.replace(Some(package.clone()));
        let rows = self.rows().await?;
        plan::judge(target, &package, &rows).map(DuDone::Fetched)
    }

    /// Carries it out. Where that fails, what the box then has of the unit is told with the reason.
    ///
    /// # Errors
    /// 9001 where it cannot be told what the box has.
    pub async fn apply(&self, target: &DuTarget, file: &Path) -> Result<DuDone, JobError> {
        let under_way = self.begin(target);
        let applied = self.store.apply(target, file).await;
        drop(under_way);
        let found = self.found(target).await?;
        if let Err(error) = applied {
            return Ok(DuDone::Failed(error, found));
        }
        let text = match (target.operation, &found, &target.before) {
            (DuOperation::Uninstall, None, Some(before)) => return Ok(DuDone::Changed(before.clone())),
            (DuOperation::Install | DuOperation::Update, Some(unit), _) if unit.version == target.version => {
                return Ok(DuDone::Changed(unit.clone()));
            }
            (DuOperation::Uninstall, ..) => "it is still installed afterwards",
            (DuOperation::Install | DuOperation::Update, ..) => "it is not installed afterwards",
        };
        Ok(DuDone::Failed(JobError::new(FaultCode::INVALID_DEPLOYMENT_UNIT_STATE, text), found))
    }

    /// What the box has of a target.
    ///
    /// # Errors
    /// 9001 where that cannot be told.
    pub async fn look(&self, target: &DuTarget) -> Result<DuDone, JobError> {
        self.found(target).await.map(DuDone::Found)
    }

    /// All units that the box has, for a comparison with those of before.
    ///
    /// # Errors
    /// 9001 where that cannot be told now.
    pub async fn survey(&self) -> Result<DuDone, JobError> {
        let busy =
            || Err(JobError::new(FaultCode::REQUEST_DENIED, "packages are being changed by somebody else"));
        if self.store.is_busy().await {
            return busy();
        }
        let rows = self.rows().await?;
        // Whoever has begun since then may have been read half way.
        if self.store.is_busy().await {
            return busy();
        }
        Ok(DuDone::Surveyed(rows.units.iter().map(Row::unit).collect()))
    }

    async fn found(&self, target: &DuTarget) -> Result<Option<DuUnit>, JobError> {
        let rows = self.rows().await?;
        let row = rows.units.iter().find(|row| row.is(&target.uuid, &target.environment));
        Ok(row.map(Row::unit))
    }

    /// The inventory with its numbers, which are kept before anybody hears of them.
    async fn rows(&self) -> Result<Rows, JobError> {
        let mut inventory = self.store.inventory().await?;
        self.add_arriving(&mut inventory.units);
        let key = |unit: &Installed| format!("{}/{}", unit.package.uuid, unit.environment);
        let keys: Vec<String> = inventory.units.iter().take(UNITS).map(key).collect();
        let numbers = self.numbers.assign(tables::UNIT, keys.iter().map(String::as_str), UNITS);
        let parts: Vec<(usize, String, ExecutionUnit)> =
            (0..).zip(inventory.units.iter().zip(&keys)).fold(Vec::new(), |mut parts, (at, (unit, key))| {
                let names = unit.execution_units.iter();
                parts.extend(names.map(|part| (at, format!("{key}/{}", part.name), part.clone())));
                parts
            });
        let parts: Vec<_> = parts.into_iter().take(EXECUTION_UNITS).collect();
        let of_parts = self.numbers.assign(
            tables::EXECUTION_UNIT,
            parts.iter().map(|(_, key, _)| key.as_str()),
            EXECUTION_UNITS,
        );
        let units = (0..).zip(inventory.units.into_iter().zip(numbers)).filter_map(|(at, (unit, number))| {
            let parts = parts.iter().zip(&of_parts).filter(|((of, ..), _)| *of == at);
            let parts = parts
                .filter_map(|((_, _, unit), number)| Some(Part { unit: unit.clone(), number: (*number)? }));
            Some(Row { parts: parts.collect(), installed: unit, number: number? })
        });
        let rows = Rows { environments: inventory.environments, units: units.collect() };
        // A row that is not kept might have another number after a restart, and a report would name the wrong one.
        self.numbers.keep().await.map_err(|error| JobError::new(FaultCode::REQUEST_DENIED, error))?;
        Ok(rows)
    }
}

/// Deployment units with the numbers of their rows.
struct Rows {
    environments: Vec<Environment>,
    units: Vec<Row>,
}

struct Row {
    installed: Installed,
    number: u32,
    parts: Vec<Part>,
}

/// An execution unit.
struct Part {
    unit: ExecutionUnit,
    number: u32,
}

impl Rows {
    /// The execution unit with this number, and its deployment unit.
    fn part(&self, number: u32) -> Option<(&Row, &Part)> {
        let mut parts = self.units.iter().flat_map(|row| row.parts.iter().map(move |part| (row, part)));
        parts.find(|(_, part)| part.number == number)
    }
}

impl Row {
    fn is(&self, uuid: &str, environment: &str) -> bool {
        self.installed.package.uuid.eq_ignore_ascii_case(uuid) && self.installed.environment == environment
    }

    /// As the protocol has it.
    fn unit(&self) -> DuUnit {
        let Package { uuid, version, .. } = self.installed.package.clone();
        let part = |part: &Part| format!("{}{}", tables::EXECUTION_UNIT, part.number);
        DuUnit {
            uuid,
            version,
            reference: format!("{}{}", tables::UNIT, self.number),
            resolved: self.installed.resolved,
            execution_units: self.parts.iter().map(part).collect(),
        }
    }
}

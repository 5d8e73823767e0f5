//! What the ACS can set below `Device.SoftwareModules.`: it enables environments, and starts and stops execution units.

use cwmp_core::{
    fault::{FaultCode, SetParameterValuesFault},
    rpc::Status,
};

use super::{
    Activity, Rows, SoftwareModules,
    tables::{ENVIRONMENT, EXECUTION_UNIT},
};
use crate::source::{Change, SourceError};

/// Something that is to be otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// An execution environment is to be enabled or disabled: with it its execution units stop, and those that start by
    /// themselves start again. Durable.
    Enable {
        /// Name of the environment.
        environment: String,
        /// Whether it is to be enabled.
        on: bool,
    },
    /// Whether an execution unit starts with its environment. Durable.
    AutoStart {
        /// Which one.
        unit: ExecutionKey,
        /// Whether it does.
        on: bool,
    },
    /// An execution unit is to start or to stop. It may take its time; [`super::ExecutionUnit::activity`] tells of it.
    Run {
        /// Which one.
        unit: ExecutionKey,
        /// Whether it is to run.
        active: bool,
    },
}

/// Names an execution unit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExecutionKey {
    /// UUID of its deployment unit.
    pub uuid: String,
    /// Name of its environment.
    pub environment: String,
    /// Its name.
    pub name: String,
}

impl Control {
    /// What a change asks for, and what would undo it; `None` for what is no such parameter.
    fn of(change: &Change, rows: &Rows) -> Option<(Self, Self)> {
        let on = change.value == "true";
        if let Some(rest) = change.name.strip_prefix(ENVIRONMENT) {
            let (number, "Enable") = rest.split_once('.')? else { return None };
            let at = number.parse::<usize>().ok()?.checked_sub(1)?;
            let known = rows.environments.get(at)?;
            let enable = |on| Self::Enable { environment: known.name.clone(), on };
            return Some((enable(on), enable(known.enabled)));
        }
        let (number, parameter) = change.name.strip_prefix(EXECUTION_UNIT)?.split_once('.')?;
        let number = number.parse::<u32>().ok()?;
        let (row, part) = rows.part(number)?;
        let unit = ExecutionKey {
            uuid: row.installed.package.uuid.clone(),
            environment: row.installed.environment.clone(),
            name: part.unit.name.clone(),
        };
        match parameter {
            "AutoStart" => {
                let set = |on| Self::AutoStart { unit: unit.clone(), on };
                Some((set(on), set(part.unit.auto_start)))
            }
            "RequestedState" => {
                let run = |active| Self::Run { unit: unit.clone(), active };
                Some((run(change.value == "Active"), run(part.unit.activity.is_wanted())))
            }
            _ => None,
        }
    }

    /// An environment comes first, then what starts with it, then what is to run now.
    fn rank(&self) -> u8 {
        match self {
            Self::Enable { .. } => 0,
            Self::AutoStart { .. } => 1,
            Self::Run { .. } => 2,
        }
    }
}

impl Activity {
    /// Whether the unit runs or is about to.
    pub(super) fn is_wanted(self) -> bool {
        matches!(self, Self::Starting | Self::Active)
    }
}

impl SoftwareModules {
    /// Judges changes: nothing is started in an environment that is disabled, and none is enabled or disabled while a
    /// deployment unit changes.
    pub(super) async fn judge(&self, changes: &[Change]) -> Vec<SetParameterValuesFault> {
        let Ok(rows) = self.rows().await else { return Vec::new() };
        let orders: Vec<Option<Control>> =
            changes.iter().map(|change| Control::of(change, &rows).map(|(order, _)| order)).collect();
        let enabled = |name: &str| {
            let set = orders.iter().flatten().find_map(|order| match order {
                Control::Enable { environment, on } if environment == name => Some(*on),
                _ => None,
            });
            let known = rows.environments.iter().find(|known| known.name == name);
            set.unwrap_or_else(|| known.is_some_and(|known| known.enabled))
        };
        let fault = |(change, order): (&Change, &Option<Control>)| {
            let (code, text) = match order {
                None => (FaultCode::NOT_WRITABLE, "this box cannot write it"),
                Some(Control::Run { unit, active: true }) if !enabled(&unit.environment) => {
                    (FaultCode::INVALID_PARAMETER_VALUE, "the execution environment is disabled")
                }
                Some(Control::Enable { .. }) if self.is_changing() => {
                    (FaultCode::REQUEST_DENIED, "a deployment unit is being changed")
                }
                Some(_) => return None,
            };
            Some(SetParameterValuesFault { name: change.name.clone(), code, text: text.to_owned() })
        };
        changes.iter().zip(&orders).filter_map(fault).collect()
    }

    /// Carries changes out, all or none.
    pub(super) async fn set(&self, changes: &[Change]) -> Result<Status, SourceError> {
        let rows = self.rows().await.map_err(|error| SourceError::new(error.text))?;
        let mut orders: Vec<(Control, Control)> =
            changes.iter().filter_map(|change| Control::of(change, &rows)).collect();
        if orders.len() != changes.len() {
            return Err(SourceError::new("a row of Device.SoftwareModules. is gone".to_owned()));
        }
        orders.sort_by_key(|(order, _)| order.rank());
        let mut undo = Vec::new();
        for (order, back) in orders {
            let Err(mut error) = self.store.control(&order).await else {
                undo.push(back);
                continue;
            };
            for back in undo.iter().rev() {
                if let Err(also) = self.store.control(back).await {
                    error.push_str("; ");
                    error.push_str(&also);
                }
            }
            return Err(SourceError::new(error));
        }
        Ok(Status::Applied)
    }
}

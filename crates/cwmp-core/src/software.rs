//! Changes of deployment units as the agent keeps them: what was asked for, and what has come of it (TR-069a6 A.4.1.10).

use serde::{Deserialize, Serialize};

use crate::{
    datetime::DateTime,
    fault::FaultCode,
    job::{JobError, TransferId},
    rpc::{
        AcsRequest, CommandKey, DUStateChangeComplete, DuOperation, DuState, FaultStruct, OpResultStruct,
        OperationStruct,
    },
    settings::Secret,
    wait::Wait,
};

/// A ChangeDUState from its promise to the answer of the ACS to its DUStateChangeComplete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DuChange {
    /// Its number.
    pub id: TransferId,
    /// Names the file of the first target. Another one for each target: the former file may still be being removed.
    pub file: TransferId,
    /// CommandKey.
    pub command_key: CommandKey,
    /// When all that is not done counts as failed: 24 hours after the call.
    pub deadline: Wait,
    /// Operations that are not over; the first may be under way.
    pub orders: Vec<DuOrder>,
    /// What is still to be done for the first of them, once the box has said what that is.
    pub targets: Vec<DuTarget>,
    /// The first target is being carried out, since then. Stored before it begins.
    pub applying: Option<DateTime>,
    /// What is over.
    pub results: Vec<OpResultStruct>,
}

/// One operation as the ACS has ordered it. Texts are empty where it has left them out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DuOrder {
    /// Which operation.
    pub operation: DuOperation,
    /// UUID.
    pub uuid: String,
    /// Version.
    pub version: String,
    /// URL.
    pub url: String,
    /// Username for the file server.
    pub username: String,
    /// Password for the file server.
    pub password: Secret,
    /// ExecutionEnvRef.
    pub execution_env_ref: String,
}

/// A deployment unit as the box has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DuUnit {
    /// UUID.
    pub uuid: String,
    /// Version.
    pub version: String,
    /// Its row, as `Device.SoftwareModules.DeploymentUnit.1`.
    pub reference: String,
    /// Resolved: nothing that it needs is missing.
    pub resolved: bool,
    /// Rows of its execution units.
    pub execution_units: Vec<String>,
}

/// What is remembered of a deployment unit, to notice that it has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KnownUnit {
    /// UUID.
    pub uuid: String,
    /// Version.
    pub version: String,
    /// Its row, which stays its own.
    pub reference: String,
}

impl From<&DuUnit> for KnownUnit {
    fn from(unit: &DuUnit) -> Self {
        let DuUnit { uuid, version, reference, .. } = unit.clone();
        Self { uuid, version, reference }
    }
}

/// What has happened between two looks at the box. A unit that is gone is told as it was known.
#[must_use]
pub fn noticed(before: &[KnownUnit], now: &[DuUnit]) -> Vec<(DuOperation, DuUnit)> {
    let gone = before.iter().filter(|known| !now.iter().any(|unit| unit.reference == known.reference));
    let gone = gone.map(|known| {
        let KnownUnit { uuid, version, reference } = known.clone();
        (DuOperation::Uninstall, DuUnit { uuid, version, reference, ..DuUnit::default() })
    });
    let other = now.iter().filter_map(|unit| {
        let operation = match before.iter().find(|known| known.reference == unit.reference) {
            None => DuOperation::Install,
            Some(known) if known.version != unit.version => DuOperation::Update,
            Some(_) => return None,
        };
        Some((operation, unit.clone()))
    });
    gone.chain(other).collect()
}

/// What an operation means for one deployment unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DuTarget {
    /// Which operation.
    pub operation: DuOperation,
    /// The unit as it is before; `None` where it is to be installed.
    pub before: Option<DuUnit>,
    /// UUID that it has afterwards; empty where only the file tells.
    pub uuid: String,
    /// Version that it has afterwards; empty where only the file tells, and for one that goes.
    pub version: String,
    /// Where its file comes from; empty for one that goes.
    pub url: String,
    /// The execution environment's name; empty for the platform's choice.
    pub environment: String,
}

impl From<OperationStruct> for DuOrder {
    fn from(operation: OperationStruct) -> Self {
        match operation {
            OperationStruct::Install { url, uuid, username, password, execution_env_ref } => Self {
                operation: DuOperation::Install,
                uuid,
                version: String::new(),
                url,
                username,
                password: Secret(password),
                execution_env_ref,
            },
            OperationStruct::Update { uuid, version, url, username, password } => Self {
                operation: DuOperation::Update,
                uuid,
                version,
                url,
                username,
                password: Secret(password),
                execution_env_ref: String::new(),
            },
            OperationStruct::Uninstall { uuid, version, execution_env_ref } => Self {
                operation: DuOperation::Uninstall,
                uuid,
                version,
                url: String::new(),
                username: String::new(),
                password: Secret::default(),
                execution_env_ref,
            },
        }
    }
}

impl DuChange {
    /// Whether nothing is left to be done.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.orders.is_empty()
    }

    /// The request that reports it, once it is over.
    #[must_use]
    pub fn report(&self) -> Option<AcsRequest> {
        let report =
            || DUStateChangeComplete { results: self.results.clone(), command_key: self.command_key.clone() };
        self.is_over().then(|| AcsRequest::DUStateChangeComplete(report()))
    }
}

impl DuOrder {
    /// The result of an operation that has failed before it was known which units it concerns.
    #[must_use]
    pub fn failed(&self, error: &JobError, start: DateTime) -> OpResultStruct {
        result(
            DuUnit { uuid: self.uuid.clone(), version: self.version.clone(), ..DuUnit::default() },
            DuState::Failed,
            fault(error),
            (start, DateTime::Unknown),
        )
    }
}

impl DuTarget {
    /// The result of a target that has failed; `now` is the unit as the box has it. One that was there and still is, is
    /// Installed, whatever was to become of it (TR-069a6 A.4.2.3, CurrentState).
    #[must_use]
    pub fn failed(&self, now: Option<&DuUnit>, error: &JobError, start: DateTime) -> OpResultStruct {
        let (unit, state) = match now {
            Some(unit) => (unit.clone(), DuState::Installed),
            None => {
                let (uuid, version) = (self.uuid.clone(), self.version.clone());
                (DuUnit { uuid, version, ..DuUnit::default() }, DuState::Failed)
            }
        };
        result(unit, state, fault(error), (start, DateTime::Unknown))
    }

    /// The result of a target that was reached. The row of a unit that is gone is named no more.
    #[must_use]
    pub fn reached(&self, unit: &DuUnit, start: DateTime, complete: DateTime) -> OpResultStruct {
        let (unit, state) = match self.operation {
            DuOperation::Uninstall => {
                let (uuid, version) = (unit.uuid.clone(), unit.version.clone());
                (DuUnit { uuid, version, ..DuUnit::default() }, DuState::Uninstalled)
            }
            DuOperation::Install | DuOperation::Update => (unit.clone(), DuState::Installed),
        };
        result(unit, state, FaultStruct::success(), (start, complete))
    }

    /// What became of it while nobody watched, by what the box has now; `unit` is that with its UUID.
    #[must_use]
    pub fn judge(&self, unit: Option<&DuUnit>, start: DateTime, complete: DateTime) -> OpResultStruct {
        match (self.operation, unit) {
            (DuOperation::Uninstall, None) => {
                self.reached(&self.before.clone().unwrap_or_default(), start, complete)
            }
            (DuOperation::Install | DuOperation::Update, Some(unit)) if unit.version == self.version => {
                self.reached(unit, start, complete)
            }
            (_, unit) => {
                let text = "it was interrupted by a restart, and has not taken effect";
                self.failed(unit, &JobError::new(FaultCode::REQUEST_DENIED, text), start)
            }
        }
    }
}

fn result(
    unit: DuUnit,
    current_state: DuState,
    fault: FaultStruct,
    (start_time, complete_time): (DateTime, DateTime),
) -> OpResultStruct {
    OpResultStruct {
        uuid: unit.uuid,
        deployment_unit_ref: unit.reference,
        version: unit.version,
        current_state,
        resolved: unit.resolved,
        execution_unit_ref_list: unit.execution_units.join(","),
        start_time,
        complete_time,
        fault,
    }
}

fn fault(error: &JobError) -> FaultStruct {
    FaultStruct { code: reportable(error.code), text: error.text.clone() }
}

/// The codes that an OpResultStruct may carry (TR-069a6 A.4.2.3); others say no more than that it failed.
fn reportable(code: FaultCode) -> FaultCode {
    match code.0 {
        9001 | 9003 | 9012 | 9013 | 9015..=9018 | 9022..=9032 | 9800..=9899 => code,
        9010 => FaultCode::DOWNLOAD_INCOMPLETE,
        9019 => FaultCode::FILE_CORRUPTED,
        _ => FaultCode::REQUEST_DENIED,
    }
}

/// Whether a text has the form of a UUID (RFC 4122): 32 hexadecimal digits in five groups.
#[must_use]
pub fn is_uuid(text: &str) -> bool {
    let lengths = [8, 4, 4, 4, 12];
    let groups: Vec<&str> = text.split('-').collect();
    groups.len() == lengths.len()
        && groups.iter().zip(lengths).all(|(group, length)| {
            group.len() == length && group.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Conformance: 11.07
    #[test]
    fn a_uuid_has_its_form() {
        assert!(is_uuid("00112233-4455-6677-8899-aabbccddeeff"));
        for wrong in [
            "",
            "00112233445566778899aabbccddeeff",
            "00112233-4455-6677-8899-aabbccddeefg",
            "00112233-4455-6677-8899-aabbccddeef",
            "00112233-4455-6677-8899-aabbccddeeff-",
        ] {
            assert!(!is_uuid(wrong), "{wrong}");
        }
    }

    /// Conformance: 11.08
    #[test]
    fn only_codes_of_the_standard_are_reported() {
        for (code, reported) in [(9028, 9028), (9010, 9017), (9019, 9018), (9002, 9001), (9020, 9001)] {
            assert_eq!(reportable(FaultCode(code)), FaultCode(reported));
        }
    }
}

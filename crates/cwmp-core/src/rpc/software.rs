//! Software modules (TR-069a6 A.4.1.10, A.4.2.3, A.4.2.4).

use serde::{Deserialize, Serialize};

use super::{CommandKey, FaultStruct};
use crate::datetime::DateTime;

/// ChangeDUState (A.4.1.10).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeDUState {
    /// Operations, independent of one another.
    pub operations: Vec<OperationStruct>,
    /// CommandKey.
    pub command_key: CommandKey,
}

/// One operation on deployment units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OperationStruct {
    /// InstallOpStruct.
    Install {
        /// URL (1024 characters).
        url: String,
        /// UUID; empty where the CPE is to make it.
        uuid: String,
        /// Username (256 characters).
        username: String,
        /// Password (256 characters).
        password: String,
        /// ExecutionEnvRef (256 characters).
        execution_env_ref: String,
    },
    /// UpdateOpStruct.
    Update {
        /// UUID; may be empty.
        uuid: String,
        /// Version (32 characters); may be empty.
        version: String,
        /// URL (1024 characters); may be empty.
        url: String,
        /// Username (256 characters).
        username: String,
        /// Password (256 characters).
        password: String,
    },
    /// UninstallOpStruct.
    Uninstall {
        /// UUID.
        uuid: String,
        /// Version (32 characters); empty for all.
        version: String,
        /// ExecutionEnvRef (256 characters); empty for all.
        execution_env_ref: String,
    },
}

/// CurrentState of a deployment unit after an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DuState {
    /// Installed.
    Installed,
    /// Uninstalled.
    Uninstalled,
    /// Failed.
    Failed,
}

/// OpResultStruct (A.4.2.3): what became of one deployment unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpResultStruct {
    /// UUID (36 characters).
    pub uuid: String,
    /// DeploymentUnitRef (256 characters).
    pub deployment_unit_ref: String,
    /// Version (32 characters).
    pub version: String,
    /// CurrentState.
    pub current_state: DuState,
    /// Resolved.
    pub resolved: bool,
    /// ExecutionUnitRefList, comma separated.
    pub execution_unit_ref_list: String,
    /// StartTime.
    pub start_time: DateTime,
    /// CompleteTime.
    pub complete_time: DateTime,
    /// Fault.
    pub fault: FaultStruct,
}

/// DUStateChangeComplete (A.4.2.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DUStateChangeComplete {
    /// Results.
    pub results: Vec<OpResultStruct>,
    /// CommandKey of the call.
    pub command_key: CommandKey,
}

/// Which operation was performed on its own account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DuOperation {
    /// Install.
    Install,
    /// Update.
    Update,
    /// Uninstall.
    Uninstall,
}

/// AutonOpResultStruct (A.4.2.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutonOpResultStruct {
    /// What became of the unit.
    pub result: OpResultStruct,
    /// OperationPerformed.
    pub operation_performed: DuOperation,
}

/// AutonomousDUStateChangeComplete (A.4.2.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutonomousDUStateChangeComplete {
    /// Results.
    pub results: Vec<AutonOpResultStruct>,
}

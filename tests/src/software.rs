//! Operations of ChangeDUState as the tests order them.

use cwmp_core::rpc::OperationStruct;

use crate::Scene;

/// An operation that installs a file of the ACS, for those who know its password.
#[must_use]
pub fn install(scene: &Scene, name: &str, uuid: &str) -> OperationStruct {
    OperationStruct::Install {
        url: scene.acs.file_url(name),
        uuid: uuid.into(),
        username: "user".into(),
        password: "pass".into(),
        execution_env_ref: String::new(),
    }
}

/// An operation that updates a unit from where it came from.
#[must_use]
pub fn update(uuid: &str) -> OperationStruct {
    OperationStruct::Update {
        uuid: uuid.into(),
        version: String::new(),
        url: String::new(),
        username: "user".into(),
        password: "pass".into(),
    }
}

/// An operation that removes a unit, whatever its version and place.
#[must_use]
pub fn uninstall(uuid: &str) -> OperationStruct {
    OperationStruct::Uninstall { uuid: uuid.into(), version: String::new(), execution_env_ref: String::new() }
}

//! Software modules (TR-069a6 A.4.1.10, A.4.2.3, A.4.2.4). Their lists are repeated elements, not SOAP arrays.

use crate::rpc::{
    AutonOpResultStruct, AutonomousDUStateChangeComplete, ChangeDUState, DUStateChangeComplete, DuOperation,
    DuState, OpResultStruct, OperationStruct,
};

use super::{
    reader::{Reader, Trouble},
    wire::{Field, Wire, choice, filled, read_fields, record},
    writer::{Sink, close, leaf, open},
};

choice!(DuState { Installed = "Installed", Uninstalled = "Uninstalled", Failed = "Failed" });
choice!(DuOperation { Install = "Install", Update = "Update", Uninstall = "Uninstall" });
record!(OpResultStruct {
    uuid: "UUID"[36],
    deployment_unit_ref: "DeploymentUnitRef"[256],
    version: "Version"[32],
    current_state: "CurrentState",
    resolved: "Resolved",
    execution_unit_ref_list: "ExecutionUnitRefList",
    start_time: "StartTime",
    complete_time: "CompleteTime",
    fault: "Fault",
});

impl Wire for ChangeDUState {
    fn read(reader: &mut Reader<'_>, _max: usize) -> Result<Self, Trouble> {
        let (mut operations, mut command_key) = (Vec::new(), None);
        let fields = &mut [
            Field::required("Operations", &mut operations),
            Field::optional("CommandKey", &mut command_key),
        ];
        read_fields(reader, fields)?;
        Ok(Self { operations, command_key: command_key.unwrap_or_default() })
    }

    fn write(&self, name: &str, out: &mut dyn Sink) {
        open(name, out);
        for operation in &self.operations {
            operation.write("Operations", out);
        }
        self.command_key.write("CommandKey", out);
        close(name, out);
    }
}

/// Which operation it is says the `xsi:type`. An optional argument that is empty is not written.
impl Wire for OperationStruct {
    fn read(reader: &mut Reader<'_>, _max: usize) -> Result<Self, Trouble> {
        let kind = match reader.xsi_type() {
            Some("InstallOpStruct") => DuOperation::Install,
            Some("UpdateOpStruct") => DuOperation::Update,
            Some("UninstallOpStruct") => DuOperation::Uninstall,
            _ => {
                let why = "has no xsi:type of InstallOpStruct, UpdateOpStruct or UninstallOpStruct";
                return Err(Trouble::argument(why));
            }
        };
        let (mut uuid, mut version, mut url) = (None, None, None);
        let (mut username, mut password, mut execution_env_ref) = (None, None, None);
        let text = |required, name, max, slot| Field { name, max, required, slot };
        let fields: &mut [Field<'_>] = &mut [
            text(kind == DuOperation::Install, "URL", 1024, &mut url),
            text(kind == DuOperation::Uninstall, "UUID", 36, &mut uuid),
            text(false, "Version", 32, &mut version),
            text(false, "Username", 256, &mut username),
            text(false, "Password", 256, &mut password),
            text(false, "ExecutionEnvRef", 256, &mut execution_env_ref),
        ];
        read_fields(reader, fields)?;
        let or_empty = Option::<String>::unwrap_or_default;
        let (uuid, version, url) = (or_empty(uuid), or_empty(version), or_empty(url));
        let (username, password) = (or_empty(username), or_empty(password));
        let execution_env_ref = or_empty(execution_env_ref);
        Ok(match kind {
            DuOperation::Install => Self::Install { url, uuid, username, password, execution_env_ref },
            DuOperation::Update => Self::Update { uuid, version, url, username, password },
            DuOperation::Uninstall => Self::Uninstall { uuid, version, execution_env_ref },
        })
    }

    fn write(&self, name: &str, out: &mut dyn Sink) {
        let (kind, arguments): (&str, [(&str, &str); 5]) = match self {
            Self::Install { url, uuid, username, password, execution_env_ref } => (
                "Install",
                [
                    ("URL", url),
                    ("UUID", uuid),
                    ("Username", username),
                    ("Password", password),
                    ("ExecutionEnvRef", execution_env_ref),
                ],
            ),
            Self::Update { uuid, version, url, username, password } => (
                "Update",
                [
                    ("UUID", uuid),
                    ("Version", version),
                    ("URL", url),
                    ("Username", username),
                    ("Password", password),
                ],
            ),
            Self::Uninstall { uuid, version, execution_env_ref } => (
                "Uninstall",
                [
                    ("UUID", uuid),
                    ("Version", version),
                    ("ExecutionEnvRef", execution_env_ref),
                    ("", ""),
                    ("", ""),
                ],
            ),
        };
        for piece in ["<", name, " xsi:type=\"cwmp:", kind, "OpStruct\">"] {
            out.push(piece);
        }
        for (argument, text) in arguments {
            if !text.is_empty() {
                leaf(argument, text, out);
            }
        }
        close(name, out);
    }
}

impl Wire for DUStateChangeComplete {
    fn read(reader: &mut Reader<'_>, _max: usize) -> Result<Self, Trouble> {
        let (mut results, mut command_key) = (Vec::new(), None);
        let fields =
            &mut [Field::required("Results", &mut results), Field::optional("CommandKey", &mut command_key)];
        read_fields(reader, fields)?;
        Ok(Self { results, command_key: command_key.unwrap_or_default() })
    }

    fn write(&self, name: &str, out: &mut dyn Sink) {
        open(name, out);
        for result in &self.results {
            result.write("Results", out);
        }
        self.command_key.write("CommandKey", out);
        close(name, out);
    }
}

impl Wire for AutonOpResultStruct {
    fn read(reader: &mut Reader<'_>, _max: usize) -> Result<Self, Trouble> {
        let mut operation = None;
        let result =
            OpResultStruct::read_record(reader, Some(Field::required("OperationPerformed", &mut operation)))?;
        Ok(Self { result, operation_performed: filled(operation)? })
    }

    fn write(&self, name: &str, out: &mut dyn Sink) {
        open(name, out);
        self.result.write_record(out);
        self.operation_performed.write("OperationPerformed", out);
        close(name, out);
    }
}

impl Wire for AutonomousDUStateChangeComplete {
    fn read(reader: &mut Reader<'_>, _max: usize) -> Result<Self, Trouble> {
        let mut results = Vec::new();
        read_fields(reader, &mut [Field::required("Results", &mut results)])?;
        Ok(Self { results })
    }

    fn write(&self, name: &str, out: &mut dyn Sink) {
        open(name, out);
        for result in &self.results {
            result.write("Results", out);
        }
        close(name, out);
    }
}

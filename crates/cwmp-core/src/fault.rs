//! Fault codes of both sides (TR-069a6 A.5).

use std::fmt;

use serde::{Deserialize, Serialize};

/// A CWMP fault code: 9000 to 9899 from a CPE, 8000 to 8899 from an ACS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FaultCode(pub u32);

impl FaultCode {
    /// Method not supported.
    pub const METHOD_NOT_SUPPORTED: Self = Self(9000);
    /// Request denied, no reason given.
    pub const REQUEST_DENIED: Self = Self(9001);
    /// Internal error.
    pub const INTERNAL_ERROR: Self = Self(9002);
    /// Invalid arguments.
    pub const INVALID_ARGUMENTS: Self = Self(9003);
    /// Resources exceeded.
    pub const RESOURCES_EXCEEDED: Self = Self(9004);
    /// Invalid parameter name.
    pub const INVALID_PARAMETER_NAME: Self = Self(9005);
    /// Invalid parameter type.
    pub const INVALID_PARAMETER_TYPE: Self = Self(9006);
    /// Invalid parameter value.
    pub const INVALID_PARAMETER_VALUE: Self = Self(9007);
    /// Attempt to set a non-writable parameter.
    pub const NOT_WRITABLE: Self = Self(9008);
    /// Notification request rejected.
    pub const NOTIFICATION_REJECTED: Self = Self(9009);
    /// Download failure: all that no other code names (TR-069a6 A.5.1, like the codes below).
    pub const DOWNLOAD_FAILURE: Self = Self(9010);
    /// Upload failure.
    pub const UPLOAD_FAILURE: Self = Self(9011);
    /// File transfer server authentication failure: credentials were asked for and refused, or there are none.
    pub const TRANSFER_AUTHENTICATION_FAILURE: Self = Self(9012);
    /// Unsupported protocol for file transfer. Only an answer to a call: TransferComplete has no such code.
    pub const UNSUPPORTED_TRANSFER_PROTOCOL: Self = Self(9013);
    /// Download failure: unable to join multicast group.
    pub const MULTICAST_GROUP: Self = Self(9014);
    /// File transfer failure: unable to contact the file server; its certificate counts as well.
    pub const FILE_SERVER_UNREACHABLE: Self = Self(9015);
    /// Download failure: unable to access the file.
    pub const FILE_INACCESSIBLE: Self = Self(9016);
    /// Download failure: unable to complete the download.
    pub const DOWNLOAD_INCOMPLETE: Self = Self(9017);
    /// Download failure: the file is corrupted.
    pub const FILE_CORRUPTED: Self = Self(9018);
    /// Download failure: the file's authentication (its signature) failed.
    pub const FILE_AUTHENTICATION_FAILURE: Self = Self(9019);
    /// Download failure: not complete within the time windows.
    pub const OUTSIDE_TIME_WINDOWS: Self = Self(9020);
    /// The transfer cannot be cancelled any more: it is being applied, or is over.
    pub const CANCELLATION_NOT_PERMITTED: Self = Self(9021);
    /// The UUID has not the form of one (TR-069a6 A.5.1, like the codes below).
    pub const INVALID_UUID_FORMAT: Self = Self(9022);
    /// Unknown execution environment.
    pub const UNKNOWN_EXECUTION_ENVIRONMENT: Self = Self(9023);
    /// The execution environment is disabled.
    pub const DISABLED_EXECUTION_ENVIRONMENT: Self = Self(9024);
    /// The deployment unit does not fit the execution environment.
    pub const EXECUTION_ENVIRONMENT_MISMATCH: Self = Self(9025);
    /// The deployment unit is already installed.
    pub const DUPLICATE_DEPLOYMENT_UNIT: Self = Self(9026);
    /// No room for the deployment unit.
    pub const SYSTEM_RESOURCES_EXCEEDED: Self = Self(9027);
    /// There is no such deployment unit.
    pub const UNKNOWN_DEPLOYMENT_UNIT: Self = Self(9028);
    /// The deployment unit's state does not allow it.
    pub const INVALID_DEPLOYMENT_UNIT_STATE: Self = Self(9029);
    /// An update may not lead to an older version.
    pub const DOWNGRADE_NOT_PERMITTED: Self = Self(9030);
    /// Several versions are installed, and none was named.
    pub const VERSION_NOT_SPECIFIED: Self = Self(9031);
    /// This version is already installed.
    pub const VERSION_EXISTS: Self = Self(9032);
    /// ACS: method not supported.
    pub const ACS_METHOD_NOT_SUPPORTED: Self = Self(8000);
    /// ACS: request denied.
    pub const ACS_REQUEST_DENIED: Self = Self(8001);
    /// ACS: internal error.
    pub const ACS_INTERNAL_ERROR: Self = Self(8002);
    /// ACS: invalid arguments.
    pub const ACS_INVALID_ARGUMENTS: Self = Self(8003);
    /// ACS: resources exceeded.
    pub const ACS_RESOURCES_EXCEEDED: Self = Self(8004);
    /// ACS: repeat the same request.
    pub const ACS_RETRY_REQUEST: Self = Self(8005);
    /// ACS: CWMP version incompatible.
    pub const ACS_VERSION_INCOMPATIBLE: Self = Self(8006);

    /// Whether the SOAP `faultcode` is `Client` (the requester is at fault) rather than `Server` (TR-069a6 A.5.1).
    #[must_use]
    pub fn blames_client(self) -> bool {
        matches!(self.0, 9003 | 9005..=9008 | 8003 | 8006)
    }
}

impl fmt::Display for FaultCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a call is refused: a code for the machine and a sentence for the operator.
///
/// The text must never hold a secret: it leaves the box and is logged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {text}")]
pub struct CwmpFault {
    /// FaultCode.
    pub code: FaultCode,
    /// FaultString: what and where.
    pub text: String,
    /// SetParameterValuesFault entries; only in answers to SetParameterValues.
    pub parameters: Vec<SetParameterValuesFault>,
}

impl CwmpFault {
    /// A fault without entries for single parameters.
    pub fn new(code: FaultCode, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), parameters: Vec::new() }
    }
}

/// One refused parameter of a SetParameterValues (TR-069a6 A.5.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetParameterValuesFault {
    /// ParameterName as the ACS wrote it.
    pub name: String,
    /// FaultCode of this parameter: 9001, 9002 or 9005 to 9008.
    pub code: FaultCode,
    /// FaultString.
    pub text: String,
}

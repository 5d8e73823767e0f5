//! The methods of CWMP 1.0 to 1.4 as types: what an ACS calls on a CPE and what a CPE calls on an ACS.
//!
//! Arguments are what the wire carries; lengths and number ranges that the schema gives are checked when a message is
//! decoded, meaning (does this parameter exist?) is checked by whoever executes the call. A method that both sides have
//! (GetRPCMethods) stands in both enums.

mod device;
mod inform;
mod key;
mod parameter;
mod software;
mod transfer;

pub use device::*;
pub use inform::*;
pub use key::*;
pub use parameter::*;
pub use software::*;
pub use transfer::*;

use serde::{Deserialize, Serialize};

use crate::fault::CwmpFault;

/// A version of CWMP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum CwmpVersion {
    /// 1.0, namespace cwmp-1-0.
    V1_0,
    /// 1.1, namespace cwmp-1-1.
    V1_1,
    /// 1.2, namespace cwmp-1-2.
    V1_2,
    /// 1.3, namespace cwmp-1-2.
    V1_3,
    /// 1.4, namespace cwmp-1-2.
    V1_4,
}

impl CwmpVersion {
    /// All versions, oldest first.
    pub const ALL: [Self; 5] = [Self::V1_0, Self::V1_1, Self::V1_2, Self::V1_3, Self::V1_4];

    /// As listed in SupportedCWMPVersions: `1.4`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1_0 => "1.0",
            Self::V1_1 => "1.1",
            Self::V1_2 => "1.2",
            Self::V1_3 => "1.3",
            Self::V1_4 => "1.4",
        }
    }

    /// Reads `1.4`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.as_str() == text.trim())
    }

    /// The namespace of its messages (TR-069a6 3.7.4: 1.3 and 1.4 stay in cwmp-1-2).
    #[must_use]
    pub fn namespace(self) -> &'static str {
        match self {
            Self::V1_0 => "urn:dslforum-org:cwmp-1-0",
            Self::V1_1 => "urn:dslforum-org:cwmp-1-1",
            Self::V1_2 | Self::V1_3 | Self::V1_4 => "urn:dslforum-org:cwmp-1-2",
        }
    }

    /// The version that a namespace alone stands for: the highest that it may mean.
    ///
    /// `cwmp-1-3` and `cwmp-1-4` are no namespaces of the standard, but some ACSes write them.
    #[must_use]
    pub fn from_namespace(uri: &str) -> Option<Self> {
        match uri.strip_prefix("urn:dslforum-org:cwmp-1-")? {
            "0" => Some(Self::V1_0),
            "1" => Some(Self::V1_1),
            "2" => Some(Self::V1_3),
            "3" => Some(Self::V1_3),
            "4" => Some(Self::V1_4),
            _ => None,
        }
    }
}

/// A method that an ACS calls on a CPE (TR-069a6 A.3.1, A.3.2, A.4.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each variant is the method of that name")]
pub enum CpeRequest {
    GetRPCMethods,
    SetParameterValues(SetParameterValues),
    GetParameterValues(GetParameterValues),
    GetParameterNames(GetParameterNames),
    SetParameterAttributes(SetParameterAttributes),
    GetParameterAttributes(GetParameterAttributes),
    AddObject(AddObject),
    DeleteObject(DeleteObject),
    Download(Download),
    Reboot(Reboot),
    GetQueuedTransfers,
    ScheduleInform(ScheduleInform),
    SetVouchers(SetVouchers),
    GetOptions(GetOptions),
    Upload(Upload),
    FactoryReset,
    GetAllQueuedTransfers,
    ScheduleDownload(ScheduleDownload),
    CancelTransfer(CancelTransfer),
    ChangeDUState(ChangeDUState),
}

/// What the CPE answers to a [`CpeRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each variant is the response of that name")]
pub enum CpeResponse {
    GetRPCMethods(Vec<String>),
    SetParameterValues(Status),
    GetParameterValues(Vec<ParameterValueStruct>),
    GetParameterNames(Vec<ParameterInfoStruct>),
    SetParameterAttributes,
    GetParameterAttributes(Vec<ParameterAttributeStruct>),
    AddObject(AddObjectResponse),
    DeleteObject(Status),
    Download(TransferResponse),
    Reboot,
    GetQueuedTransfers(Vec<QueuedTransferStruct>),
    ScheduleInform,
    SetVouchers,
    GetOptions(Vec<OptionStruct>),
    Upload(TransferResponse),
    FactoryReset,
    GetAllQueuedTransfers(Vec<AllQueuedTransferStruct>),
    ScheduleDownload,
    CancelTransfer,
    ChangeDUState,
}

/// A method that a CPE calls on an ACS (TR-069a6 A.3.1, A.3.3, A.4.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each variant is the method of that name")]
pub enum AcsRequest {
    GetRPCMethods,
    Inform(Inform),
    TransferComplete(TransferComplete),
    AutonomousTransferComplete(AutonomousTransferComplete),
    DUStateChangeComplete(DUStateChangeComplete),
    AutonomousDUStateChangeComplete(AutonomousDUStateChangeComplete),
    RequestDownload(RequestDownload),
    Kicked(Kicked),
}

/// What the ACS answers to an [`AcsRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each variant is the response of that name")]
pub enum AcsResponse {
    GetRPCMethods(Vec<String>),
    Inform(InformResponse),
    TransferComplete,
    AutonomousTransferComplete,
    DUStateChangeComplete,
    AutonomousDUStateChangeComplete,
    RequestDownload,
    Kicked(KickedResponse),
}

/// What travels from the ACS to the CPE in one envelope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToCpe {
    /// A call on the CPE.
    Request(CpeRequest),
    /// The answer to a call of the CPE.
    Response(AcsResponse),
    /// The refusal of a call of the CPE.
    Fault(Fault),
    /// A call that can't be taken: unknown method (9000) or wrong arguments (9003). To be answered with this fault.
    Unusable {
        /// Local name of the method.
        method: String,
        /// What to answer.
        fault: CwmpFault,
    },
}

/// What travels from the CPE to the ACS in one envelope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToAcs {
    /// A call on the ACS.
    Request(AcsRequest),
    /// The answer to a call of the ACS.
    Response(CpeResponse),
    /// The refusal of a call of the ACS.
    Fault(Fault),
    /// A call that can't be taken: unknown method (8000) or wrong arguments (8003).
    Unusable {
        /// Local name of the method.
        method: String,
        /// What to answer.
        fault: CwmpFault,
    },
}

/// A SOAP Fault (TR-069a6 3.5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The CWMP part; `None` for a SOAP fault without one (MustUnderstand, VersionMismatch, or a malformed peer).
    pub cwmp: Option<CwmpFault>,
    /// SOAP faultcode, local name: `Client`, `Server`, `MustUnderstand`, `VersionMismatch`.
    pub faultcode: String,
    /// SOAP faultstring: `CWMP fault` with a CWMP part.
    pub faultstring: String,
}

impl From<CwmpFault> for Fault {
    fn from(cwmp: CwmpFault) -> Self {
        let faultcode = if cwmp.code.blames_client() { "Client" } else { "Server" };
        Self { cwmp: Some(cwmp), faultcode: faultcode.to_owned(), faultstring: "CWMP fault".to_owned() }
    }
}

/// The SOAP headers of CWMP (TR-069a6 3.5).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// `ID`: pairs a response with its request; echoed verbatim.
    pub id: Option<String>,
    /// `HoldRequests`: the ACS asks the CPE to send no request of its own.
    pub hold_requests: bool,
    /// `NoMoreRequests`: long gone (CWMP 1.0); read so that it does no harm, never sent by the agent.
    pub no_more_requests: bool,
    /// `SessionTimeout` in seconds (at least 30), in Inform only.
    pub session_timeout: Option<u32>,
    /// `SupportedCWMPVersions`, in Inform only; empty when absent.
    pub supported_cwmp_versions: Vec<CwmpVersion>,
    /// `UseCWMPVersion`, in InformResponse only.
    pub use_cwmp_version: Option<CwmpVersion>,
}

/// One SOAP envelope of CWMP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope<Message> {
    /// Decoding: what the namespace stands for ([`CwmpVersion::from_namespace`]). Encoding: the version to write.
    pub version: CwmpVersion,
    /// SOAP headers.
    pub header: Header,
    /// The body.
    pub message: Message,
}

/// Status 0 or 1 of SetParameterValues, AddObject and DeleteObject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// 0: validated and applied.
    Applied,
    /// 1: validated and committed, applied later (end of session, reboot).
    Committed,
}

impl Status {
    /// The number on the wire.
    #[must_use]
    pub fn code(self) -> u32 {
        match self {
            Status::Applied => 0,
            Status::Committed => 1,
        }
    }

    /// The later of two: one part that is applied later makes the whole so.
    #[must_use]
    pub fn and(self, other: Status) -> Status {
        if self == Status::Committed { self } else { other }
    }
}

macro_rules! method_names {
    ($($kind:ident: $($variant:ident),+;)+) => {
        $(impl $kind {
            /// Name of the method, as in the standard (without `Response`).
            #[must_use]
            #[allow(clippy::match_same_arms, reason = "one line a method")]
            pub fn method(&self) -> &'static str {
                match self { $(Self::$variant { .. } => stringify!($variant),)+ }
            }
        })+
    };
}

method_names! {
    CpeRequest: GetRPCMethods, SetParameterValues, GetParameterValues, GetParameterNames, SetParameterAttributes,
        GetParameterAttributes, AddObject, DeleteObject, Download, Reboot, GetQueuedTransfers, ScheduleInform, SetVouchers,
        GetOptions, Upload, FactoryReset, GetAllQueuedTransfers, ScheduleDownload, CancelTransfer, ChangeDUState;
    CpeResponse: GetRPCMethods, SetParameterValues, GetParameterValues, GetParameterNames, SetParameterAttributes,
        GetParameterAttributes, AddObject, DeleteObject, Download, Reboot, GetQueuedTransfers, ScheduleInform, SetVouchers,
        GetOptions, Upload, FactoryReset, GetAllQueuedTransfers, ScheduleDownload, CancelTransfer, ChangeDUState;
    AcsRequest: GetRPCMethods, Inform, TransferComplete, AutonomousTransferComplete, DUStateChangeComplete,
        AutonomousDUStateChangeComplete, RequestDownload, Kicked;
    AcsResponse: GetRPCMethods, Inform, TransferComplete, AutonomousTransferComplete, DUStateChangeComplete,
        AutonomousDUStateChangeComplete, RequestDownload, Kicked;
}

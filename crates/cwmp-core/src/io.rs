//! Inputs and effects: everything that passes between the agent and the world.
//!
//! Both are serde types, so that a trace can be recorded and replayed, and the program can be split into processes.

use serde::{Deserialize, Serialize};

use crate::{
    agent::LocalTransfer,
    event::{EventCode, EventStruct},
    fault::CwmpFault,
    job::{Diagnostic, DownloadType, Job, JobDone, JobError, JobId, TransferId, UploadType},
    rpc::{
        AddObjectResponse, CommandKey, CwmpVersion, DeviceId, Header, ParameterKey, ParameterValueStruct,
        RequestDownload, SetParameterAttributesStruct, Status,
    },
    settings::{
        AgentSettings, ConnectionRequestSettings, HttpCompression, Secret, UdpListening, XmppListening,
    },
    stored::Stored,
    url::HttpUrl,
};

/// Names a [`Effect::Persist`] until it is answered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ticket(pub u32);

/// Names a [`Effect::Data`] until it is answered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OpId(pub u32);

/// Names a snapshot of the tree that the data model holds until [`Effect::ReleaseSnapshot`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SnapshotId(pub u32);

/// What happens to the agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Input {
    /// The program runs. Comes first, once.
    Started(Box<Start>),
    /// A [`Effect::Persist`] is on stable storage.
    Persisted(Ticket),
    /// A [`Effect::Persist`] could not be written; the text names file and reason.
    PersistFailed(Ticket, String),
    /// [`Effect::OpenSession`] has a connection.
    Connected,
    /// The ACS has answered the last [`Effect::Post`] completely.
    Reply(Reply),
    /// Connecting, sending or receiving has failed for good; the connection is gone.
    SessionLost(NetError),
    /// An authenticated connection request has been accepted.
    ConnectionRequest(Via),
    /// The outcome of a [`Effect::Data`].
    DataDone(OpId, Result<DataReply, CwmpFault>),
    /// Parameters with active notification were changed by somebody else than the ACS.
    WatchedChanged,
    /// Deployment units may have been installed, changed or removed by others than the ACS. Told at the start as well: it may
    /// have happened while the program did not run.
    UnitsMayHaveChanged,
    /// Parameters with active lightweight notification were changed by somebody else than the ACS.
    LightweightChanged,
    /// The agent's own settings are now these, whoever changed them.
    SettingsChanged(Box<AgentSettings>),
    /// How an [`Effect::StartJob`] ended. Nothing comes of a job that was cancelled.
    JobDone(JobId, Result<JobDone, JobError>),
    /// What a transfer has brought was undone by the box, because the ACS was not reached after it.
    TransferUndone(TransferId),
    /// DiagnosticsState was set to Requested, also while the diagnostic runs (it then begins anew), or `by_acs` is false
    /// and somebody on the box wants it.
    DiagnosticRequested {
        /// Which.
        diagnostic: Diagnostic,
        /// The ACS has set it: the end is reported as `8 DIAGNOSTICS COMPLETE`.
        by_acs: bool,
    },
    /// A diagnostic was cancelled, or its inputs were changed: it is neither started nor reported, and stopped where it runs.
    DiagnosticWithdrawn(Diagnostic),
    /// Whether the box has little to do, for downloads that are to run `3 When Idle`. Told again and again while
    /// [`crate::agent::Agent::waits_for_idle`].
    BoxIdle(bool),
    /// The wall clock has been set; timers that follow dates are to be reckoned anew.
    ClockStepped,
    /// [`Effect::Reboot`] or [`Effect::FactoryReset`] could not be carried out; the box goes on running.
    RestartFailed(String),
    /// The platform or a vendor's program reports an event of its own (`X ...` or `M X_...`); others are not taken.
    VendorEvent(EventStruct),
    /// Somebody on the box asks for something.
    Command(LocalCommand),
}

/// What the agent is told at its start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// Identity of the box.
    pub device: DeviceId,
    /// Settings in force.
    pub settings: AgentSettings,
    /// What was stored before; the default on a new box.
    pub state: Stored,
    /// Whether the box or only the program has started.
    pub cause: BootCause,
    /// From the system's random source: waits differ between boxes and boots.
    pub seed: u64,
    /// What the platform can do.
    pub abilities: Abilities,
    /// The mark of the firmware that runs: a text of the platform that differs after an upgrade (version, slot, build).
    /// Whether an upgrade has succeeded is decided by it.
    #[serde(default)]
    pub image: String,
}

/// Why the program starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BootCause {
    /// The box has booted: power-up, reset, or a reboot of whatever origin.
    Boot,
    /// The program alone was started again; the box has been up.
    AgentRestart,
}

/// What the platform can do; methods that it can't are refused with 9000 and not listed by GetRPCMethods.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abilities {
    /// Reboot.
    pub reboot: bool,
    /// FactoryReset.
    pub factory_reset: bool,
    /// Whether https URLs work; a build without TLS refuses them with 9013.
    #[serde(default)]
    pub https: bool,
    /// File types that Download takes; without any, the method is not offered.
    #[serde(default)]
    pub downloads: Vec<DownloadType>,
    /// File types that Upload takes, without their rows; without any, the method is not offered.
    #[serde(default)]
    pub uploads: Vec<UploadType>,
    /// ChangeDUState.
    #[serde(default)]
    pub software: bool,
}

/// An answer of the ACS, after redirects and authentication were dealt with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Retry-After in seconds, where given.
    pub retry_after: Option<u32>,
    /// The body, decoded from any transfer coding.
    #[serde(with = "readable")]
    pub body: Vec<u8>,
}

/// Bytes as text where they are text, so that a trace can be read by people.
mod readable {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Readable {
        Text(String),
        Bytes(Vec<u8>),
    }

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(bytes) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => bytes.serialize(serializer),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        Ok(match Readable::deserialize(deserializer)? {
            Readable::Text(text) => text.into_bytes(),
            Readable::Bytes(bytes) => bytes,
        })
    }
}

/// Why a session was lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum NetError {
    /// No address for the name.
    #[error("the name {0} cannot be resolved")]
    Resolve(String),
    /// No TCP connection to any address.
    #[error("no connection to {0}")]
    Connect(String),
    /// The connection broke, or what came was no HTTP.
    #[error("connection lost: {0}")]
    Broken(String),
    /// No complete reply in time.
    #[error("no reply within {0} s")]
    Timeout(u32),
    /// The reply was larger than [`crate::limits::ENVELOPE_BYTES`].
    #[error("the reply is larger than {0} bytes")]
    TooLarge(usize),
    /// The credentials were refused.
    #[error("the ACS refuses the credentials (ManagementServer.Username and Password)")]
    Unauthorized,
    /// More redirects than followed, or one that leads nowhere good.
    #[error("redirect refused: {0}")]
    Redirect(String),
}

/// How a connection request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Via {
    /// HTTP GET (TR-069a6 3.2.2.2).
    Http,
    /// One datagram over UDP (TR-069a6 Annex G).
    Udp,
    /// One stanza over XMPP (TR-069a6 Annex K).
    Xmpp,
}

/// What somebody on the box asks of the agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LocalCommand {
    /// Hold a session now (`cwmpd inform`), reported as `2 PERIODIC`.
    Inform,
    /// Hold a session now and ask the ACS for its methods.
    AcsMethods,
    /// Restart the box, without `M Reboot`.
    Reboot,
    /// Reset to factory state.
    FactoryReset,
    /// Transfer a file, as [`crate::agent::Agent::judge_local_transfer`] allows.
    Transfer(Box<LocalTransfer>),
    /// Agree to the scheduled downloads with this CommandKey that need it (WindowMode `4 Confirmation Needed`).
    ConfirmDownload(CommandKey),
    /// Ask the ACS for a download (RequestDownload), where it takes that.
    RequestDownload(Box<RequestDownload>),
}

/// What the agent wants done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Write this state durably, then [`Input::Persisted`]. A later one replaces an earlier one that is still waiting
    /// (both are then answered).
    Persist(Ticket, Box<Stored>),
    /// Connect to the ACS; then [`Input::Connected`] or [`Input::SessionLost`].
    OpenSession(AcsTarget),
    /// POST to the ACS on the session's connection; then [`Input::Reply`] or [`Input::SessionLost`].
    Post(Body),
    /// Close the connection; nothing more comes of this session.
    CloseSession,
    /// Ask the data model; then [`Input::DataDone`].
    Data(OpId, DataOp),
    /// The snapshot is no longer needed.
    ReleaseSnapshot(SnapshotId),
    /// Listen for connection requests as set, or stop listening (`None`).
    Listen(Option<ConnectionRequestSettings>),
    /// Listen for connection requests over UDP as set, or stop listening (`None`).
    ListenUdp(Option<Box<UdpListening>>),
    /// Take connection requests over XMPP as set, or end that (`None`).
    ListenXmpp(Option<Box<XmppListening>>),
    /// Do this; then [`Input::JobDone`].
    StartJob(JobId, Box<Job>),
    /// Stop this job; what it has fetched so far stays.
    CancelJob(JobId),
    /// Remove what was fetched for a transfer that is over.
    DiscardFile(TransferId),
    /// Send this over UDP. Nothing comes back of it: no reply is expected, and a failure is for the log alone.
    SendDatagram(Datagram),
    /// The firmware that runs has reached the ACS, for the first time since the start: keep it, where the boot loader would
    /// go back to the former one.
    KeepImage,
    /// Restart the box.
    Reboot(RebootCause),
    /// Reset the box to factory state and restart the agent.
    FactoryReset,
    /// Ask DHCP again, for the URL of the ACS. What comes of it are other settings, if anything.
    RenewDhcp,
    /// Something for the log.
    Trace(Record),
}

/// Where and how to connect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcsTarget {
    /// ManagementServer.URL.
    pub url: HttpUrl,
    /// Username.
    pub username: String,
    /// Password.
    pub password: Secret,
    /// HTTPCompression: how messages are compressed.
    #[serde(default)]
    pub compression: HttpCompression,
    /// The last session was interrupted: send its cookies again (TR-069a6 3.4.2). Otherwise start without any.
    pub keep_cookies: bool,
}

/// A message over UDP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Datagram {
    /// Host name or IP address, without brackets.
    pub host: String,
    /// UDP port.
    pub port: u16,
    /// The message.
    #[serde(with = "readable")]
    pub bytes: Vec<u8>,
}

/// What is posted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// The empty POST.
    Empty,
    /// An envelope.
    Bytes(Vec<u8>),
    /// An envelope that is written while it is sent, from a snapshot.
    Listing(Listing),
}

/// A response whose entries lie in a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// Version to write.
    pub version: CwmpVersion,
    /// Headers to write.
    pub header: Header,
    /// Which response.
    pub kind: ListingKind,
    /// Where the entries are.
    pub snapshot: SnapshotId,
    /// Number of entries.
    pub count: u32,
}

/// The responses that are streamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ListingKind {
    /// GetParameterValuesResponse.
    Values,
    /// GetParameterNamesResponse.
    Names,
    /// GetParameterAttributesResponse.
    Attributes,
}

/// What the data model is asked. Names are as the ACS wrote them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DataOp {
    /// The parameters of an Inform with these events: forced ones, those of InformParameter rows, and watched ones that
    /// have changed since they were last delivered.
    Inform {
        /// Events of the Inform, without `4 VALUE CHANGE`.
        events: Vec<EventCode>,
    },
    /// The ACS has answered the Inform: what it carried counts as known to the ACS.
    InformDelivered,
    /// The parameters of a lightweight notification: all watched in that way, actively or passively, that have changed
    /// since the last one. They count as notified, for nobody will say whether they arrive.
    Lightweight,
    /// GetParameterNames.
    Names {
        /// ParameterPath.
        path: String,
        /// NextLevel.
        next_level: bool,
    },
    /// GetParameterValues.
    Values {
        /// ParameterNames.
        names: Vec<String>,
    },
    /// GetParameterAttributes.
    Attributes {
        /// ParameterNames.
        names: Vec<String>,
    },
    /// SetParameterValues.
    Set {
        /// ParameterList.
        parameters: Vec<ParameterValueStruct>,
        /// ParameterKey.
        parameter_key: ParameterKey,
    },
    /// SetParameterAttributes.
    SetAttributes {
        /// The entries, in order.
        entries: Vec<SetParameterAttributesStruct>,
    },
    /// AddObject.
    Add {
        /// ObjectName.
        object_name: String,
        /// ParameterKey.
        parameter_key: ParameterKey,
    },
    /// DeleteObject.
    Delete {
        /// ObjectName.
        object_name: String,
        /// ParameterKey.
        parameter_key: ParameterKey,
    },
}

/// What the data model answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DataReply {
    /// To [`DataOp::Inform`].
    Inform {
        /// ParameterList of the Inform.
        parameters: Vec<ParameterValueStruct>,
        /// Whether it holds changed watched parameters, so that `4 VALUE CHANGE` belongs to the events.
        value_change: bool,
    },
    /// To [`DataOp::Lightweight`]; often empty.
    Lightweight {
        /// The changed parameters.
        parameters: Vec<ParameterValueStruct>,
    },
    /// To [`DataOp::Names`], [`DataOp::Values`] and [`DataOp::Attributes`].
    Listing {
        /// Holds the entries until released.
        snapshot: SnapshotId,
        /// Number of entries.
        count: u32,
    },
    /// To [`DataOp::Set`] and [`DataOp::Delete`]: durable.
    Status(Status),
    /// To [`DataOp::Add`]: durable.
    Added(AddObjectResponse),
    /// To [`DataOp::SetAttributes`] (durable) and [`DataOp::InformDelivered`].
    Done,
}

/// Why the box restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RebootCause {
    /// The ACS called Reboot.
    Acs,
    /// Anything else: somebody on the box asked, DelayReboot, ScheduleReboot. Not reported as `M Reboot`.
    Local,
    /// A transfer takes effect with it: new firmware, a new configuration. Not reported as `M Reboot`.
    Transfer,
}

/// A line for the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// How much it matters.
    pub level: Level,
    /// What happened, where, and what to do about it; without secrets.
    pub text: String,
}

/// Levels of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Level {
    /// Something failed that somebody must mend.
    Error,
    /// Something failed that the agent deals with.
    Warning,
    /// The course of sessions.
    Info,
    /// Every message.
    Debug,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fault::FaultCode, rpc::CommandKey};

    /// A trace can be recorded, and the program can be split into processes, only while both are plain data.
    #[test]
    fn inputs_and_effects_read_back_from_json() {
        let state = Stored { reboots: vec![CommandKey::new("k").unwrap()], ..Stored::default() };
        let settings =
            AgentSettings { url: HttpUrl::parse("http://acs:7547/x?y").ok(), ..AgentSettings::default() };
        let inputs = [
            Input::Started(Box::new(Start {
                device: DeviceId::default(),
                settings: settings.clone(),
                state: state.clone(),
                cause: BootCause::Boot,
                seed: u64::MAX,
                abilities: Abilities { reboot: true, ..Abilities::default() },
                image: "1.0".into(),
            })),
            Input::Reply(Reply { status: 200, retry_after: Some(3), body: vec![0, 255] }),
            Input::SessionLost(NetError::Timeout(60)),
            Input::DataDone(OpId(1), Err(CwmpFault::new(FaultCode::INVALID_ARGUMENTS, "why"))),
            Input::SettingsChanged(Box::new(settings)),
            Input::LightweightChanged,
            Input::DataDone(OpId(2), Ok(DataReply::Lightweight { parameters: Vec::new() })),
            Input::Command(LocalCommand::Inform),
        ];
        for input in inputs {
            let text = serde_json::to_string(&input).unwrap();
            assert_eq!(serde_json::from_str::<Input>(&text).unwrap(), input);
        }
        let listing = Listing {
            version: CwmpVersion::V1_4,
            header: Header::default(),
            kind: ListingKind::Names,
            snapshot: SnapshotId(3),
            count: 9,
        };
        let effects = [
            Effect::Persist(Ticket(1), Box::new(state)),
            Effect::Post(Body::Listing(listing)),
            Effect::Data(OpId(2), DataOp::Values { names: vec!["Device.".into()] }),
            Effect::Data(OpId(3), DataOp::Lightweight),
            Effect::SendDatagram(Datagram { host: "acs".into(), port: 7547, bytes: b"POST".to_vec() }),
            Effect::Listen(None),
            Effect::ListenUdp(None),
            Effect::ListenXmpp(None),
            Effect::Reboot(RebootCause::Local),
        ];
        for effect in effects {
            let text = serde_json::to_string(&effect).unwrap();
            assert_eq!(serde_json::from_str::<Effect>(&text).unwrap(), effect);
        }
    }
}

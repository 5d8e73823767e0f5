//! What the agent must know of its configuration: the part of `Device.ManagementServer.` that steers sessions.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{datetime::DateTime, fault::FaultCode, rpc::DuOperation, url::HttpUrl};

/// A password: shown as `***` wherever it might be printed.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "\"\"" } else { "***" })
    }
}

/// Settings of the agent (TR-181 `Device.ManagementServer.`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentSettings {
    /// EnableCWMP: while false there is no Inform and no connection request is taken.
    pub enable_cwmp: bool,
    /// URL of the ACS; `None` while none is known.
    pub url: Option<HttpUrl>,
    /// The URL is DHCP's to tell: it has come that way, or there is none.
    #[serde(default)]
    pub url_from_dhcp: bool,
    /// Username towards the ACS.
    pub username: String,
    /// Password towards the ACS.
    pub password: Secret,
    /// PeriodicInformEnable.
    pub periodic_inform_enable: bool,
    /// PeriodicInformInterval in seconds, at least 1.
    pub periodic_inform_interval: u32,
    /// PeriodicInformTime: the phase; with Unknown Time the agent chooses it.
    pub periodic_inform_time: DateTime,
    /// CWMPRetryMinimumWaitInterval in seconds, 1 to 65535.
    pub retry_minimum_wait_interval: u32,
    /// CWMPRetryIntervalMultiplier in thousandths, 1000 to 65535.
    pub retry_interval_multiplier: u32,
    /// DefaultActiveNotificationThrottle in seconds.
    pub default_active_notification_throttle: u32,
    /// DelayReboot.
    pub delay_reboot: DelayReboot,
    /// ScheduleReboot: the box restarts at this moment; Unknown Time is none, and so is a moment that has passed.
    pub schedule_reboot: DateTime,
    /// HeartbeatPolicy.
    pub heartbeat_policy: HeartbeatPolicy,
    /// The first session after a boot waits for a random time of at most so many seconds, so that boxes do not come in one
    /// crowd when the power is back in a whole town.
    pub boot_wait: u32,
    /// The first session after a boot waits for the clock, but not longer than so many seconds.
    pub clock_wait: u32,
    /// HTTPCompression.
    #[serde(default)]
    pub http_compression: HttpCompression,
    /// How connection requests reach the box.
    pub connection_request: ConnectionRequestSettings,
    /// How they reach it through a NAT.
    #[serde(default)]
    pub stun: StunSettings,
    /// How they reach it over XMPP; `None` while ConnReqXMPPConnection names no connection that is enabled.
    #[serde(default)]
    pub xmpp: Option<Box<XmppSettings>>,
    /// Lightweight notifications.
    #[serde(default)]
    pub lightweight: LightweightSettings,
    /// AutonomousTransferCompletePolicy.
    #[serde(default)]
    pub autonomous_transfers: TransferPolicy,
    /// DUStateChangeComplPolicy.
    #[serde(default)]
    pub autonomous_software: SoftwarePolicy,
    /// UpgradesManaged: the ACS alone upgrades the box.
    #[serde(default)]
    pub upgrades_managed: bool,
}

impl Default for AgentSettings {
    fn default() -> Self {
        Self {
            enable_cwmp: true,
            url: None,
            url_from_dhcp: false,
            username: String::new(),
            password: Secret::default(),
            periodic_inform_enable: true,
            periodic_inform_interval: 86_400,
            periodic_inform_time: DateTime::Unknown,
            retry_minimum_wait_interval: 5,
            retry_interval_multiplier: 2000,
            default_active_notification_throttle: 0,
            delay_reboot: DelayReboot::default(),
            schedule_reboot: DateTime::Unknown,
            heartbeat_policy: HeartbeatPolicy::default(),
            boot_wait: 0,
            clock_wait: 0,
            http_compression: HttpCompression::Disabled,
            connection_request: ConnectionRequestSettings::default(),
            stun: StunSettings::default(),
            xmpp: None,
            lightweight: LightweightSettings::default(),
            autonomous_transfers: TransferPolicy::default(),
            autonomous_software: SoftwarePolicy::default(),
            upgrades_managed: false,
        }
    }
}

/// DelayReboot as it was set last. It is no part of the configuration: the program does not keep it over its own end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DelayReboot {
    /// Seconds from the end of the session that sets it; `None` is -1.
    pub seconds: Option<u32>,
    /// Another number each time it is set, so that the same delay set again counts anew.
    pub order: u32,
}

/// When `14 HEARTBEAT` is reported (TR-181 `Device.ManagementServer.HeartbeatPolicy.`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeartbeatPolicy {
    /// Enable.
    pub enable: bool,
    /// ReportingInterval in seconds, at least 30.
    pub reporting_interval: u32,
    /// InitiationTime: the phase; with Unknown Time the agent chooses it.
    pub initiation_time: DateTime,
}

impl Default for HeartbeatPolicy {
    /// Off. TR-181 has no default for the interval; this one is that of the periodic Inform.
    fn default() -> Self {
        Self { enable: false, reporting_interval: 86_400, initiation_time: DateTime::Unknown }
    }
}

/// How messages to the ACS are compressed (TR-069a6 3.4.7, TR-181 `ManagementServer.HTTPCompression`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum HttpCompression {
    /// Not at all.
    #[default]
    Disabled,
    /// Content coding gzip.
    Gzip,
    /// Content coding deflate: the zlib format.
    Deflate,
}

impl HttpCompression {
    /// All choices.
    pub const ALL: [Self; 3] = [Self::Disabled, Self::Gzip, Self::Deflate];

    /// Value of the parameter.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disabled => "Disabled",
            Self::Gzip => "GZIP",
            Self::Deflate => "Deflate",
        }
    }

    /// The choice of this name; `None` where there is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.as_str() == text)
    }
}

/// Connection requests over HTTP (TR-069a6 3.2.2.2).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionRequestSettings {
    /// HTTPConnectionRequestEnable.
    pub http_enable: bool,
    /// ConnectionRequestUsername.
    pub username: String,
    /// ConnectionRequestPassword; while empty nothing listens.
    pub password: Secret,
}

/// How a NAT on the way to the ACS is found out about and kept open (TR-069a6 Annex G).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StunSettings {
    /// STUNEnable.
    pub enable: bool,
    /// STUNServerAddress; when empty, the host of the ACS.
    pub server_address: String,
    /// STUNServerPort.
    pub server_port: u16,
    /// STUNUsername, for servers that ask for one; empty for none.
    pub username: String,
    /// STUNPassword.
    pub password: Secret,
    /// STUNMaximumKeepAlivePeriod in seconds; `None` is -1: no maximum.
    pub maximum_keep_alive: Option<u32>,
    /// STUNMinimumKeepAlivePeriod in seconds.
    pub minimum_keep_alive: u32,
}

impl Default for StunSettings {
    /// Off. TR-181 has defaults for the port alone; a binding of less than the minimum here is rare.
    fn default() -> Self {
        Self {
            enable: false,
            server_address: String::new(),
            server_port: 3478,
            username: String::new(),
            password: Secret::default(),
            maximum_keep_alive: None,
            minimum_keep_alive: 20,
        }
    }
}

/// Where and from whom connection requests over UDP are taken (TR-069a6 Annex G).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UdpListening {
    /// ConnectionRequestUsername.
    pub username: String,
    /// ConnectionRequestPassword, which is not empty.
    pub password: Secret,
    /// The ACS: towards it the box has its address, and it is the STUN server where no other is set.
    pub acs: Option<HttpUrl>,
    /// How the NAT is dealt with.
    pub stun: StunSettings,
}

/// The XMPP connection that connection requests come over (TR-069a6 Annex K, TR-181 `Device.XMPP.Connection.{i}.`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct XmppSettings {
    /// Its number in the table.
    pub instance: u32,
    /// Username: the local part of the JID.
    pub username: String,
    /// Password.
    pub password: Secret,
    /// Domain, which is where the server is looked for as well.
    pub domain: String,
    /// Resource; when empty, the server chooses it.
    pub resource: String,
    /// ServerConnectAlgorithm, with the servers where they are named.
    pub servers: XmppServers,
    /// KeepAliveInterval in seconds: 0 for none, `None` is -1: as the agent sees fit.
    pub keep_alive: Option<u32>,
    /// How a lost connection is made again.
    pub retry: XmppRetry,
    /// UseTLS: no stream goes on in clear text.
    pub use_tls: bool,
    /// ConnReqAllowedJabberIDs: full JIDs as they are, bare ones with any resource; when empty, whoever has the credentials.
    pub allowed: Vec<String>,
}

/// How the server of an XMPP connection is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum XmppServers {
    /// `DNS-SRV`: by the SRV records of the domain, else as with `Dns`.
    Srv,
    /// `DNS`: the domain is the server's name, and its port is 5222.
    Dns,
    /// `ServerTable`: those rows of the table Server that are enabled.
    Table(Vec<XmppServer>),
}

/// A row of `Device.XMPP.Connection.{i}.Server.`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct XmppServer {
    /// Priority: the lowest is tried first.
    pub priority: u16,
    /// Weight among those of one priority; `None` is -1: as any.
    pub weight: Option<u16>,
    /// ServerAddress: a name or an address.
    pub address: String,
    /// Port.
    pub port: u16,
}

/// When an XMPP connection that was lost is made again (TR-181 `Device.XMPP.Connection.{i}.Server…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct XmppRetry {
    /// ServerConnectAttempts of each server before the next one.
    pub attempts: u32,
    /// ServerRetryInitialInterval in seconds, at least 1: the longest wait before the first retry.
    pub initial: u32,
    /// ServerRetryIntervalMultiplier in thousandths, at least 1000.
    pub multiplier: u32,
    /// ServerRetryMaxInterval in seconds, at least 1.
    pub maximum: u32,
}

impl Default for XmppRetry {
    /// TR-181's.
    fn default() -> Self {
        Self { attempts: 16, initial: 60, multiplier: 2000, maximum: 30_720 }
    }
}

/// Where and from whom connection requests over XMPP are taken (TR-069a6 Annex K).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct XmppListening {
    /// ConnectionRequestUsername.
    pub username: String,
    /// ConnectionRequestPassword, which is not empty.
    pub password: Secret,
    /// The connection.
    pub connection: XmppSettings,
}

/// How an XMPP connection is (TR-181 `Device.XMPP.Connection.{i}.`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct XmppState {
    /// Status.
    pub status: XmppStatus,
    /// JabberID that the server has bound the connection to; empty while there is none.
    pub jabber_id: String,
    /// TLSEstablished.
    pub tls: bool,
}

/// Status of an XMPP connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum XmppStatus {
    /// It is not wanted.
    #[default]
    Disabled,
    /// It is being made.
    Connecting,
    /// It is there.
    Enabled,
    /// No server answers; it is tried again.
    ServerNotPresent,
    /// A setting is missing or cannot be used.
    Misconfigured,
    /// The server refuses the credentials.
    AuthenticationFailure,
    /// Another error; it is tried again.
    Error,
}

impl XmppStatus {
    /// The value as TR-181 has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Disabled => "Disabled",
            Self::Connecting => "Connecting",
            Self::Enabled => "Enabled",
            Self::ServerNotPresent => "ServerNotPresent",
            Self::Misconfigured => "Error_Misconfigured",
            Self::AuthenticationFailure => "Error_AuthenticationFailure",
            Self::Error => "Error",
        }
    }
}

/// Lightweight notifications over UDP (TR-069a6 Annex M).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LightweightSettings {
    /// Whether LightweightNotificationProtocolsUsed has `UDP`; otherwise none are sent.
    pub udp: bool,
    /// LightweightNotificationTriggerInterval in seconds; 0: passive ones only ride along with active ones.
    pub trigger_interval: u32,
    /// LightweightNotificationTriggerTime: the phase of that; with Unknown Time the agent chooses it.
    pub trigger_time: DateTime,
    /// UDPLightweightNotificationHost; when empty, the host of the ACS.
    pub host: String,
    /// UDPLightweightNotificationPort.
    pub port: u16,
}

impl Default for LightweightSettings {
    fn default() -> Self {
        Self {
            udp: false,
            trigger_interval: 0,
            trigger_time: DateTime::Unknown,
            host: String::new(),
            port: 7547,
        }
    }
}

/// Which transfers that it has not asked for the ACS is told of (TR-181
/// `Device.ManagementServer.AutonomousTransferCompletePolicy.`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferPolicy {
    /// Enable.
    pub enable: bool,
    /// TransferTypeFilter: `Some(true)` for downloads alone, `Some(false)` for uploads alone, `None` for both.
    pub downloads: Option<bool>,
    /// ResultTypeFilter: `Some(true)` for successes alone, `Some(false)` for failures alone, `None` for both.
    pub successes: Option<bool>,
    /// FileTypeFilter: file types as on the wire; empty for none at all.
    pub file_types: Vec<String>,
}

impl TransferPolicy {
    /// Whether the ACS is to be told of such a transfer.
    #[must_use]
    pub fn wants(&self, download: bool, success: bool, file_type: &str) -> bool {
        self.enable
            && self.downloads.is_none_or(|wanted| wanted == download)
            && self.successes.is_none_or(|wanted| wanted == success)
            && self.file_types.iter().any(|wanted| wanted == file_type)
    }
}

/// Which changes of deployment units that it has not ordered the ACS is told of (TR-181
/// `Device.ManagementServer.DUStateChangeComplPolicy.`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoftwarePolicy {
    /// Enable.
    pub enable: bool,
    /// OperationTypeFilter: empty for none at all.
    pub operations: Vec<DuOperation>,
    /// ResultTypeFilter: `Some(true)` for successes alone, `Some(false)` for failures alone, `None` for both.
    pub successes: Option<bool>,
    /// FaultCodeFilter: which failures; empty for none.
    pub fault_codes: Vec<u32>,
}

impl SoftwarePolicy {
    /// Whether the ACS is to be told of such a change; `fault` is that of one that has failed.
    #[must_use]
    pub fn wants(&self, operation: DuOperation, fault: Option<FaultCode>) -> bool {
        self.enable
            && self.operations.contains(&operation)
            && self.successes.is_none_or(|wanted| wanted == fault.is_none())
            && fault.is_none_or(|code| self.fault_codes.contains(&code.0))
    }
}

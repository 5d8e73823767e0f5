//! The parameters of `Device.ManagementServer.` itself: what they take, and what the agent makes of them.

use cwmp_core::{
    datetime::DateTime,
    limits,
    rpc::{DeviceId, DuOperation},
    settings::{
        AgentSettings, ConnectionRequestSettings, DelayReboot, HeartbeatPolicy, HttpCompression,
        LightweightSettings, Secret, SoftwarePolicy, StunSettings, TransferPolicy,
    },
    url::HttpUrl,
};
use cwmp_datamodel::Addressing;
use cwmp_store::{Layer, Layers, Problem};

use crate::config::{
    self, Waits,
    reader::{Reader, boolean, unsigned},
};

pub(crate) const SECTION: &str = "ManagementServer";

/// What a parameter takes.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Boolean,
    /// From, to.
    Unsigned(u32, u32),
    /// Seconds, or -1 for none.
    Delay,
    Time,
    /// Most characters.
    Text(usize),
    /// Text that the ACS reads as empty.
    Password,
    /// An http or https URL, or empty for none.
    Url,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A host name or address without a port, or empty for none.
    Host,
}

const INSTANCE_NUMBER: &str = "InstanceNumber";
const INSTANCE_ALIAS: &str = "InstanceAlias";

/// A parameter that the layers keep, under its own name.
pub(super) struct Stored {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Whether the ACS can write it. ParameterKey comes with its other calls instead.
    pub(super) writable: bool,
    /// Its value in canonical form.
    pub(super) show: fn(&Loaded) -> String,
}

const fn writable(name: &'static str, kind: Kind, show: fn(&Loaded) -> String) -> Stored {
    Stored { name, kind, writable: true, show }
}

/// What is stored of the object.
pub(super) static STORED: &[Stored] = &[
    writable("EnableCWMP", Kind::Boolean, |now| now.settings.enable_cwmp.to_string()),
    writable("URL", Kind::Url, |now| now.url.clone()),
    writable("Username", Kind::Text(256), |now| now.settings.username.clone()),
    // The tree shows passwords as empty, and needs them to put them back.
    writable("Password", Kind::Password, |now| now.settings.password.0.clone()),
    writable("PeriodicInformEnable", Kind::Boolean, |now| now.settings.periodic_inform_enable.to_string()),
    writable("PeriodicInformInterval", Kind::Unsigned(1, u32::MAX), |now| {
        now.settings.periodic_inform_interval.to_string()
    }),
    writable("PeriodicInformTime", Kind::Time, |now| now.settings.periodic_inform_time.to_string()),
    Stored {
        name: "ParameterKey",
        kind: Kind::Text(limits::COMMAND_KEY),
        writable: false,
        show: |now| now.parameter_key.clone(),
    },
    writable("ConnectionRequestUsername", Kind::Text(256), |now| {
        now.settings.connection_request.username.clone()
    }),
    writable("ConnectionRequestPassword", Kind::Password, |now| {
        now.settings.connection_request.password.0.clone()
    }),
    writable("HTTPConnectionRequestEnable", Kind::Boolean, |now| {
        now.settings.connection_request.http_enable.to_string()
    }),
    writable("DefaultActiveNotificationThrottle", Kind::Unsigned(0, u32::MAX), |now| {
        now.settings.default_active_notification_throttle.to_string()
    }),
    #[cfg(feature = "compression")]
    writable("HTTPCompression", Kind::OneOf(&["Disabled", "GZIP", "Deflate"]), |now| {
        now.settings.http_compression.as_str().to_owned()
    }),
    writable("CWMPRetryMinimumWaitInterval", Kind::Unsigned(1, 65_535), |now| {
        now.settings.retry_minimum_wait_interval.to_string()
    }),
    writable("CWMPRetryIntervalMultiplier", Kind::Unsigned(1000, 65_535), |now| {
        now.settings.retry_interval_multiplier.to_string()
    }),
    writable("UpgradesManaged", Kind::Boolean, |now| now.settings.upgrades_managed.to_string()),
    writable("ScheduleReboot", Kind::Time, |now| now.settings.schedule_reboot.to_string()),
    writable("InstanceMode", Kind::OneOf(&[INSTANCE_NUMBER, INSTANCE_ALIAS]), |now| {
        if now.addressing.instance_alias { INSTANCE_ALIAS } else { INSTANCE_NUMBER }.to_owned()
    }),
    writable("AutoCreateInstances", Kind::Boolean, |now| now.addressing.auto_create.to_string()),
    writable("LightweightNotificationProtocolsUsed", Kind::OneOf(&["", "UDP"]), |now| {
        if now.settings.lightweight.udp { "UDP" } else { "" }.to_owned()
    }),
    writable("LightweightNotificationTriggerInterval", Kind::Unsigned(0, u32::MAX), |now| {
        now.settings.lightweight.trigger_interval.to_string()
    }),
    writable("LightweightNotificationTriggerTime", Kind::Time, |now| {
        now.settings.lightweight.trigger_time.to_string()
    }),
    writable("UDPLightweightNotificationHost", Kind::Host, |now| now.settings.lightweight.host.clone()),
    writable("UDPLightweightNotificationPort", Kind::Unsigned(1, 65_535), |now| {
        now.settings.lightweight.port.to_string()
    }),
    #[cfg(feature = "stun")]
    writable("STUNEnable", Kind::Boolean, |now| now.settings.stun.enable.to_string()),
    #[cfg(feature = "stun")]
    writable("STUNServerAddress", Kind::Host, |now| now.settings.stun.server_address.clone()),
    #[cfg(feature = "stun")]
    writable("STUNServerPort", Kind::Unsigned(1, 65_535), |now| now.settings.stun.server_port.to_string()),
    #[cfg(feature = "stun")]
    writable("STUNUsername", Kind::Text(256), |now| now.settings.stun.username.clone()),
    #[cfg(feature = "stun")]
    writable("STUNPassword", Kind::Password, |now| now.settings.stun.password.0.clone()),
    #[cfg(feature = "stun")]
    writable("STUNMaximumKeepAlivePeriod", Kind::Delay, |now| {
        or_minus_one(now.settings.stun.maximum_keep_alive)
    }),
    #[cfg(feature = "stun")]
    writable("STUNMinimumKeepAlivePeriod", Kind::Unsigned(0, u32::MAX), |now| {
        now.settings.stun.minimum_keep_alive.to_string()
    }),
    #[cfg(feature = "xmpp")]
    writable("ConnReqXMPPConnection", Kind::Text(256), |now| now.xmpp_connection.clone()),
    #[cfg(feature = "xmpp")]
    writable("ConnReqAllowedJabberIDs", Kind::Text(JABBER_IDS), |now| now.allowed_jabber_ids.clone()),
];

/// An object below with settings of its own.
pub(super) struct Policy {
    /// Its path.
    pub(super) object: &'static str,
    /// What is stored of it.
    pub(super) stored: &'static [Stored],
    /// Where in the layers.
    section: &'static str,
}

/// All of them. The last one is shown by boxes with software modules alone.
pub(super) const POLICIES: [Policy; 3] = [
    Policy {
        object: "Device.ManagementServer.HeartbeatPolicy.",
        stored: &HEARTBEAT,
        section: "ManagementServer.HeartbeatPolicy",
    },
    Policy {
        object: "Device.ManagementServer.AutonomousTransferCompletePolicy.",
        stored: &AUTONOMOUS_TRANSFERS,
        section: "ManagementServer.AutonomousTransferCompletePolicy",
    },
    Policy {
        object: "Device.ManagementServer.DUStateChangeComplPolicy.",
        stored: &AUTONOMOUS_SOFTWARE,
        section: "ManagementServer.DUStateChangeComplPolicy",
    },
];

/// What is stored in the section of such an object.
#[cfg(feature = "openwrt")]
pub(super) fn of_policy(section: &str) -> Option<&'static [Stored]> {
    POLICIES.iter().find(|policy| policy.section == section).map(|policy| policy.stored)
}

static HEARTBEAT: [Stored; 3] = [
    writable("Enable", Kind::Boolean, |now| now.settings.heartbeat_policy.enable.to_string()),
    writable("ReportingInterval", Kind::Unsigned(30, u32::MAX), |now| {
        now.settings.heartbeat_policy.reporting_interval.to_string()
    }),
    writable("InitiationTime", Kind::Time, |now| now.settings.heartbeat_policy.initiation_time.to_string()),
];

static AUTONOMOUS_TRANSFERS: [Stored; 4] = [
    writable("Enable", Kind::Boolean, |now| now.settings.autonomous_transfers.enable.to_string()),
    writable("TransferTypeFilter", Kind::OneOf(&["Upload", "Download", "Both"]), |now| {
        filter(now.settings.autonomous_transfers.downloads, "Download", "Upload")
    }),
    writable("ResultTypeFilter", Kind::OneOf(&["Success", "Failure", "Both"]), |now| {
        filter(now.settings.autonomous_transfers.successes, "Success", "Failure")
    }),
    // The forms of its items are checked with the facts of the model.
    writable("FileTypeFilter", Kind::Text(1024), |now| {
        now.settings.autonomous_transfers.file_types.join(",")
    }),
];

static AUTONOMOUS_SOFTWARE: [Stored; 4] = [
    writable("Enable", Kind::Boolean, |now| now.settings.autonomous_software.enable.to_string()),
    // The items of both lists are checked with the facts of the model.
    writable("OperationTypeFilter", Kind::Text(64), |now| {
        let operations = now.settings.autonomous_software.operations.iter();
        operations.map(|operation| operation_name(*operation)).collect::<Vec<_>>().join(",")
    }),
    writable("ResultTypeFilter", Kind::OneOf(&["Success", "Failure", "Both"]), |now| {
        filter(now.settings.autonomous_software.successes, "Success", "Failure")
    }),
    writable("FaultCodeFilter", Kind::Text(1024), |now| {
        let codes = now.settings.autonomous_software.fault_codes.iter();
        codes.map(u32::to_string).collect::<Vec<_>>().join(",")
    }),
];

fn operation_name(operation: DuOperation) -> &'static str {
    match operation {
        DuOperation::Install => "Install",
        DuOperation::Update => "Update",
        DuOperation::Uninstall => "Uninstall",
    }
}

fn operation_of(name: &str) -> Option<DuOperation> {
    let all = [DuOperation::Install, DuOperation::Update, DuOperation::Uninstall];
    all.into_iter().find(|operation| operation_name(*operation) == name)
}

/// A filter as a word.
fn filter(wanted: Option<bool>, yes: &str, no: &str) -> String {
    wanted.map_or("Both", |wanted| if wanted { yes } else { no }).to_owned()
}

/// It is not stored: with a reboot it returns to -1, which a program that starts anew begins with.
pub(super) static DELAY_REBOOT: Stored =
    writable("DelayReboot", Kind::Delay, |now| or_minus_one(now.settings.delay_reboot.seconds));

/// Seconds, or -1 for none.
fn or_minus_one(seconds: Option<u32>) -> String {
    seconds.map_or("-1".to_owned(), |seconds| seconds.to_string())
}

/// Longest ConnReqAllowedJabberIDs, in characters.
#[cfg(feature = "xmpp")]
const JABBER_IDS: usize = 2048;
/// Longest password, in characters.
const PASSWORD_CHARS: usize = 256;
/// Longest URL, in characters.
const URL_CHARS: usize = 2048;

impl Kind {
    pub(super) fn takes(self, text: &str) -> bool {
        let at_most = |most: usize| text.chars().count() <= most;
        match self {
            Kind::Boolean => boolean(text).is_some(),
            Kind::Unsigned(from, to) => unsigned(text, &(from..=to)).is_some(),
            Kind::Delay => delay(text).is_some(),
            Kind::Time => DateTime::parse(text).is_ok(),
            Kind::Text(most) => at_most(most),
            Kind::Password => at_most(PASSWORD_CHARS),
            Kind::OneOf(choices) => choices.contains(&text),
            Kind::Host => at_most(256) && config::host(text).is_some(),
            Kind::Url => text.is_empty() || (at_most(URL_CHARS) && HttpUrl::parse(text).is_ok()),
        }
    }

    /// What would be right, to follow "must be".
    pub(super) fn right(self) -> String {
        match self {
            Kind::Boolean => "true or false".into(),
            Kind::Unsigned(from, to) => format!("a number from {from} to {to}"),
            Kind::Delay => format!("a number from -1 to {}", i32::MAX),
            Kind::Time => "a dateTime such as 2026-01-31T12:00:00Z".into(),
            Kind::Text(most) => format!("at most {most} characters"),
            Kind::Password => format!("at most {PASSWORD_CHARS} characters"),
            Kind::OneOf(choices) => format!("one of `{}`", choices.join("`, `")),
            Kind::Host => "a host name or an IP address without a port, or empty".into(),
            Kind::Url => format!(
                "an http or https URL of at most {URL_CHARS} characters without user information, or empty"
            ),
        }
    }
}

/// The object as the layers have it.
pub(super) struct Loaded {
    pub(super) settings: AgentSettings,
    pub(super) addressing: Addressing,
    /// URL as it was written; the one in the settings is normalised.
    pub(super) url: String,
    pub(super) parameter_key: String,
    #[cfg(feature = "xmpp")]
    pub(super) xmpp_connection: String,
    #[cfg(feature = "xmpp")]
    pub(super) allowed_jabber_ids: String,
}

/// Reads the object. Of a value that is not right, that of the next layer serves, or the default.
///
/// `delay_reboot` is what the ACS has set of DelayReboot since the program runs.
pub(super) fn load(
    layers: &Layers,
    default_username: &str,
    delay_reboot: DelayReboot,
) -> (Loaded, Vec<Problem>) {
    let own = Values::read(layers, SECTION, STORED);
    let [policy, transfers, software] =
        POLICIES.map(|policy| Values::read(layers, policy.section, policy.stored));
    let text = |name: &str| own.text(name);
    let owned = |name: &str| text(name).unwrap_or_default().to_owned();
    let flag = |name: &str, default: bool| own.flag(name, default);
    let number = |name: &str, default: u32| own.number(name, default);
    let default = AgentSettings::default();
    let (url, url_from_dhcp) = acs_url(layers, text("URL"));
    let Waits { boot: boot_wait, clock: clock_wait } = config::waits(layers);
    let settings = AgentSettings {
        enable_cwmp: flag("EnableCWMP", default.enable_cwmp),
        url: HttpUrl::parse(url).ok(),
        url_from_dhcp,
        username: text("Username").unwrap_or(default_username).to_owned(),
        password: Secret(owned("Password")),
        periodic_inform_enable: flag("PeriodicInformEnable", default.periodic_inform_enable),
        periodic_inform_interval: number("PeriodicInformInterval", default.periodic_inform_interval),
        periodic_inform_time: own.time("PeriodicInformTime", default.periodic_inform_time),
        retry_minimum_wait_interval: number(
            "CWMPRetryMinimumWaitInterval",
            default.retry_minimum_wait_interval,
        ),
        retry_interval_multiplier: number("CWMPRetryIntervalMultiplier", default.retry_interval_multiplier),
        default_active_notification_throttle: number(
            "DefaultActiveNotificationThrottle",
            default.default_active_notification_throttle,
        ),
        http_compression: text("HTTPCompression").and_then(HttpCompression::parse).unwrap_or_default(),
        delay_reboot,
        schedule_reboot: own.time("ScheduleReboot", default.schedule_reboot),
        heartbeat_policy: HeartbeatPolicy {
            enable: policy.flag("Enable", default.heartbeat_policy.enable),
            reporting_interval: policy
                .number("ReportingInterval", default.heartbeat_policy.reporting_interval),
            initiation_time: policy.time("InitiationTime", default.heartbeat_policy.initiation_time),
        },
        boot_wait,
        clock_wait,
        connection_request: ConnectionRequestSettings {
            // The factory default of TR-181; without credentials nothing listens in any case.
            http_enable: flag("HTTPConnectionRequestEnable", true),
            username: owned("ConnectionRequestUsername"),
            password: Secret(owned("ConnectionRequestPassword")),
        },
        stun: StunSettings {
            enable: flag("STUNEnable", default.stun.enable),
            server_address: text("STUNServerAddress").and_then(config::host).flatten().unwrap_or_default(),
            server_port: text("STUNServerPort")
                .and_then(|text| text.parse().ok())
                .unwrap_or(default.stun.server_port),
            username: owned("STUNUsername"),
            password: Secret(owned("STUNPassword")),
            maximum_keep_alive: text("STUNMaximumKeepAlivePeriod")
                .and_then(delay)
                .unwrap_or(default.stun.maximum_keep_alive),
            minimum_keep_alive: number("STUNMinimumKeepAlivePeriod", default.stun.minimum_keep_alive),
        },
        #[cfg(feature = "xmpp")]
        xmpp: text("ConnReqXMPPConnection").and_then(|path| {
            super::xmpp::rows::settings(layers, path, own.list("ConnReqAllowedJabberIDs")).map(Box::new)
        }),
        #[cfg(not(feature = "xmpp"))]
        xmpp: None,
        lightweight: LightweightSettings {
            udp: text("LightweightNotificationProtocolsUsed") == Some("UDP"),
            trigger_interval: number("LightweightNotificationTriggerInterval", 0),
            trigger_time: own.time("LightweightNotificationTriggerTime", default.lightweight.trigger_time),
            host: text("UDPLightweightNotificationHost").and_then(config::host).flatten().unwrap_or_default(),
            port: text("UDPLightweightNotificationPort")
                .and_then(|text| text.parse().ok())
                .unwrap_or(default.lightweight.port),
        },
        autonomous_transfers: TransferPolicy {
            enable: transfers.flag("Enable", false),
            downloads: transfers.choice("TransferTypeFilter", "Download", "Upload"),
            successes: transfers.choice("ResultTypeFilter", "Success", "Failure"),
            file_types: transfers.list("FileTypeFilter"),
        },
        autonomous_software: SoftwarePolicy {
            enable: software.flag("Enable", false),
            operations: software
                .list("OperationTypeFilter")
                .iter()
                .filter_map(|it| operation_of(it))
                .collect(),
            successes: software.choice("ResultTypeFilter", "Success", "Failure"),
            fault_codes: software.list("FaultCodeFilter").iter().filter_map(|it| it.parse().ok()).collect(),
        },
        upgrades_managed: flag("UpgradesManaged", default.upgrades_managed),
    };
    let addressing = Addressing {
        instance_alias: text("InstanceMode") == Some(INSTANCE_ALIAS),
        auto_create: flag("AutoCreateInstances", false),
    };
    let loaded = Loaded {
        settings,
        addressing,
        url: url.to_owned(),
        parameter_key: owned("ParameterKey"),
        #[cfg(feature = "xmpp")]
        xmpp_connection: owned("ConnReqXMPPConnection"),
        #[cfg(feature = "xmpp")]
        allowed_jabber_ids: owned("ConnReqAllowedJabberIDs"),
    };
    (loaded, own.problems.into_iter().chain(policy.problems).chain(transfers.problems).collect())
}

/// The URL in force, and whether it is DHCP's to tell (TR-069a6 3.1). One that was set on this box goes before it; one that
/// was set to be empty has no value, and then DHCP may tell one, but what lies below is not in force.
fn acs_url<'a>(layers: &'a Layers, topmost: Option<&'a str>) -> (&'a str, bool) {
    let of = |layer| layers.of_layer(layer, SECTION, "URL").filter(|text| Kind::Url.takes(text));
    let learnt = of(Layer::Learnt).filter(|text| !text.is_empty());
    let is_set = of(Layer::User).is_some_and(|text| !text.is_empty());
    match (learnt, topmost) {
        (Some(learnt), _) if !is_set => (learnt, true),
        (_, Some(text)) if !text.is_empty() => (text, false),
        _ => ("", config::dhcp_discovery(layers)),
    }
}

/// The values of one object, each of the topmost layer that has a right one.
struct Values<'a> {
    values: Vec<(&'static str, Option<&'a str>)>,
    problems: Vec<Problem>,
}

impl<'a> Values<'a> {
    fn read(layers: &'a Layers, section: &'static str, parameters: &'static [Stored]) -> Self {
        let mut read = Reader::new(layers, section);
        let values = parameters.iter().map(|parameter| {
            let right = format!("{}; a lower layer or the default serves", parameter.kind.right());
            let value = read.read(parameter.name, &right, |text| parameter.kind.takes(text).then_some(text));
            (parameter.name, value)
        });
        Self { values: values.collect(), problems: read.problems() }
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        self.values.iter().find(|(known, _)| *known == name).and_then(|(_, value)| *value)
    }

    fn flag(&self, name: &str, default: bool) -> bool {
        self.text(name).and_then(boolean).unwrap_or(default)
    }

    fn number(&self, name: &str, default: u32) -> u32 {
        self.text(name).and_then(|text| text.parse().ok()).unwrap_or(default)
    }

    /// `Some(true)` for one word, `Some(false)` for the other, `None` for anything else.
    fn choice(&self, name: &str, yes: &str, no: &str) -> Option<bool> {
        let text = self.text(name)?;
        if text == yes { Some(true) } else { Some(false).filter(|_| text == no) }
    }

    fn list(&self, name: &str) -> Vec<String> {
        let items = self.text(name).unwrap_or_default().split(',').map(str::trim);
        items.filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }

    fn time(&self, name: &str, default: DateTime) -> DateTime {
        self.text(name).and_then(|text| DateTime::parse(text).ok()).unwrap_or(default)
    }
}

/// A value of [`Kind::Delay`]: `Some(None)` for -1.
pub(super) fn delay(text: &str) -> Option<Option<u32>> {
    match text.parse::<i32>().ok()? {
        -1 => Some(None),
        seconds => u32::try_from(seconds).ok().map(Some),
    }
}

/// `OUI-ProductClass-SerialNumber`, or `OUI-SerialNumber` where there is no ProductClass; unique in the world. Of the
/// UTF-8 of both, all but letters, digits and `_` is percent-encoded, so that the parts can be told apart
/// (TR-069a6 3.4.4).
pub(super) fn default_username(id: &DeviceId) -> String {
    let mut name = id.oui.clone();
    for part in [&id.product_class, &id.serial_number] {
        if part.is_empty() {
            continue;
        }
        name.push('-');
        for byte in part.bytes() {
            if byte.is_ascii_alphanumeric() || byte == b'_' {
                name.push(char::from(byte));
            } else {
                name.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    name
}

//! What the options of other agents mean here: easycwmp 1.8 and its elders, icwmp with its STUN client.

use std::path::PathBuf;

use cwmp_uci::{Package, Section};

use super::values::{
    Convert, authorities, compression, flag, level_name, level_number, oui, port, same, udp, url_path,
};

/// Another agent.
pub(super) struct Peer {
    pub(super) name: &'static str,
    /// Its sections; the package of the first is what it cannot be without.
    pub(super) sections: &'static [Known],
}

/// A section that is known, by its name or, where it has none, its type.
pub(super) struct Known {
    pub(super) package: &'static str,
    pub(super) section: &'static str,
    pub(super) options: &'static [Opt],
}

/// An option and what becomes of it.
pub(super) struct Opt {
    pub(super) option: &'static str,
    pub(super) to: To,
}

/// What becomes of an option.
pub(super) enum To {
    Keys(&'static [Key]),
    /// It is not taken; why.
    Not(&'static str),
}

/// One of our keys.
pub(super) struct Key {
    pub(super) section: &'static str,
    pub(super) key: &'static str,
    pub(super) convert: Convert,
    /// The value is not shown.
    pub(super) secret: bool,
}

/// Where the options are read from.
pub(super) struct Source {
    /// The box's root.
    pub(super) root: PathBuf,
    /// The folder of UCI, for messages.
    pub(super) config: PathBuf,
    pub(super) packages: Vec<Package>,
}

impl Peer {
    /// The package that it cannot be without.
    pub(super) fn package(&self) -> &'static str {
        self.sections.first().map_or("", |known| known.package)
    }

    /// All its packages, that one first.
    pub(super) fn packages(&self) -> Vec<&'static str> {
        let mut packages: Vec<_> = self.sections.iter().map(|known| known.package).collect();
        packages.dedup();
        packages
    }
}

impl Known {
    /// The section as the other agent finds it: that with the name, or the first of the type.
    pub(super) fn find<'a>(&self, package: &'a Package) -> Option<&'a Section> {
        if package.name() != self.package {
            return None;
        }
        let named = package
            .sections()
            .iter()
            .find(|section| !section.is_anonymous() && section.name() == self.section);
        named.or_else(|| package.of_type(self.section).next())
    }
}

const AGENT: &str = "cwmpd";
const SERVER: &str = "ManagementServer";
const HEARTBEAT: &str = "ManagementServer.HeartbeatPolicy";
const DEVICE: &str = "DeviceInfo";

const fn key(section: &'static str, key: &'static str, convert: Convert) -> Key {
    Key { section, key, convert, secret: false }
}

const fn secret(section: &'static str, key: &'static str) -> Key {
    Key { section, key, convert: same, secret: true }
}

const fn takes(option: &'static str, keys: &'static [Key]) -> Opt {
    Opt { option, to: To::Keys(keys) }
}

const fn leaves(option: &'static str, why: &'static str) -> Opt {
    Opt { option, to: To::Not(why) }
}

const SERVICE: &str = "whether the other agent runs; `enabled` in /etc/config/cwmpd says it of this one";
const BUS: &str = "the bus is found by itself; ubus_socket of [openwrt] names another one";
const VERIFIED: &str = "https is always verified";
const NO_EXPECT: &str = "cwmpd sends no Expect: 100-continue";
const LOG: &str = "the log goes to the system's";
const DHCP: &str = "DHCP tells it again";
const OF_ACS: &str = "the ACS sets it with its first change";
const IMAGE: &str = "the version is that of the image";
const WATCHED: &str = "changes are noticed by themselves";
const MINE: &str = "notifications and InformParameter are for the ACS to set";

/// The agents.
pub(super) static PEERS: [Peer; 2] = [
    Peer {
        name: "easycwmp",
        sections: &[
            Known { package: "easycwmp", section: "local", options: EASY_LOCAL },
            Known { package: "easycwmp", section: "acs", options: EASY_ACS },
            Known { package: "easycwmp", section: "device", options: EASY_DEVICE },
        ],
    },
    Peer {
        name: "icwmp",
        sections: &[
            Known { package: "cwmp", section: "acs", options: ICWMP_ACS },
            Known { package: "cwmp", section: "cpe", options: ICWMP_CPE },
            Known { package: "cwmp", section: "lwn", options: ICWMP_LWN },
            Known { package: "stunc", section: "stunc", options: STUNC },
        ],
    },
];

const EASY_LOCAL: &[Opt] = &[
    takes("interface", &[key(AGENT, "connection_request_interface", same)]),
    takes("port", &[key(AGENT, "connection_request_port", same)]),
    takes("username", &[key(SERVER, "ConnectionRequestUsername", same)]),
    takes("password", &[secret(SERVER, "ConnectionRequestPassword")]),
    takes("provisioning_code", &[key(DEVICE, "ProvisioningCode", same)]),
    takes("logging_level", &[key(AGENT, "log_level", level_number)]),
    leaves("enable", SERVICE),
    leaves("ubus_socket", BUS),
    leaves("date_format", "times have the one form of CWMP"),
    leaves("authentication", "connection requests are proved by Digest"),
    leaves("ip", "the address towards the ACS is found by itself; connection_request_host names another one"),
];

const EASY_ACS: &[Opt] = &[
    takes("url", &[key(SERVER, "URL", same)]),
    takes("username", &[key(SERVER, "Username", same)]),
    takes("password", &[secret(SERVER, "Password")]),
    takes("periodic_enable", &[key(SERVER, "PeriodicInformEnable", flag)]),
    takes("periodic_interval", &[key(SERVER, "PeriodicInformInterval", same)]),
    takes("periodic_time", &[key(SERVER, "PeriodicInformTime", same)]),
    takes("ssl_cacert", &[key(AGENT, "tls_ca_file", authorities)]),
    // One file holds certificate and key there.
    takes("ssl_cert", &[key(AGENT, "tls_client_certificate", same), key(AGENT, "tls_client_key", same)]),
    leaves("ssl_verify", VERIFIED),
    leaves("http100continue_disable", NO_EXPECT),
    leaves("parameter_key", OF_ACS),
    leaves("scheme", "a part of the URL"),
    leaves("hostname", "a part of the URL"),
    leaves("port", "a part of the URL"),
    leaves("path", "a part of the URL"),
];

const EASY_DEVICE: &[Opt] = &[
    takes("manufacturer", &[key(DEVICE, "Manufacturer", same)]),
    takes("oui", &[key(DEVICE, "ManufacturerOUI", oui)]),
    takes("product_class", &[key(DEVICE, "ProductClass", same)]),
    takes("serial_number", &[key(DEVICE, "SerialNumber", same)]),
    takes("hardware_version", &[key(DEVICE, "HardwareVersion", same)]),
    leaves("software_version", IMAGE),
];

const ICWMP_ACS: &[Opt] = &[
    takes("url", &[key(SERVER, "URL", same)]),
    takes("userid", &[key(SERVER, "Username", same)]),
    takes("passwd", &[secret(SERVER, "Password")]),
    takes("periodic_inform_enable", &[key(SERVER, "PeriodicInformEnable", flag)]),
    takes("periodic_inform_interval", &[key(SERVER, "PeriodicInformInterval", same)]),
    takes("periodic_inform_time", &[key(SERVER, "PeriodicInformTime", same)]),
    takes("dhcp_discovery", &[key(AGENT, "dhcp_discovery", flag)]),
    takes("compression", &[key(SERVER, "HTTPCompression", compression)]),
    takes("retry_min_wait_interval", &[key(SERVER, "CWMPRetryMinimumWaitInterval", same)]),
    takes("retry_interval_multiplier", &[key(SERVER, "CWMPRetryIntervalMultiplier", same)]),
    takes("heartbeat_enable", &[key(HEARTBEAT, "Enable", flag)]),
    takes("heartbeat_interval", &[key(HEARTBEAT, "ReportingInterval", same)]),
    takes("heartbeat_time", &[key(HEARTBEAT, "InitiationTime", same)]),
    leaves(
        "ssl_capath",
        "a folder of certificates; tls_ca_file of [cwmpd] names a file, the system's unless told otherwise",
    ),
    leaves("insecure_enable", VERIFIED),
    leaves("http_disable_100continue", NO_EXPECT),
    leaves("ip_version", "all addresses of the ACS are tried"),
    leaves("ipv6_enable", "all addresses of the ACS are tried"),
    leaves("get_rpc_methods", "the ACS is asked for its methods where they matter"),
    leaves("dhcp_url", DHCP),
    leaves("dhcp_retry_min_wait_interval", DHCP),
    leaves("dhcp_retry_interval_multiplier", DHCP),
    leaves("skip_dhcp_boot_options", "dhcp_interface and dhcp_requested_option say what is heard of DHCP"),
    leaves("ParameterKey", OF_ACS),
];

const ICWMP_CPE: &[Opt] = &[
    takes("userid", &[key(SERVER, "ConnectionRequestUsername", same)]),
    takes("passwd", &[secret(SERVER, "ConnectionRequestPassword")]),
    takes("port", &[key(AGENT, "connection_request_port", port)]),
    takes("path", &[key(AGENT, "connection_request_path", url_path)]),
    takes("interface", &[key(AGENT, "connection_request_interface", same)]),
    takes("log_severity", &[key(AGENT, "log_level", level_name)]),
    takes("provisioning_code", &[key(DEVICE, "ProvisioningCode", same)]),
    takes("instance_mode", &[key(SERVER, "InstanceMode", same)]),
    takes("manufacturer", &[key(DEVICE, "Manufacturer", same)]),
    takes("manufacturer_oui", &[key(DEVICE, "ManufacturerOUI", oui)]),
    takes("product_class", &[key(DEVICE, "ProductClass", same)]),
    takes("serial_number", &[key(DEVICE, "SerialNumber", same)]),
    takes("model_name", &[key(DEVICE, "ModelName", same)]),
    takes("description", &[key(DEVICE, "Description", same)]),
    leaves("enable", SERVICE),
    leaves("software_version", IMAGE),
    leaves(
        "default_wan_interface",
        "a network of UCI; management_interface names a device, where cwmpd must keep to one",
    ),
    leaves("default_lan_interface", "cwmpd has no use for it"),
    leaves("password", "a copy of passwd for the STUN client"),
    leaves("ubus_socket", BUS),
    leaves("log_to_console", LOG),
    leaves("log_to_file", LOG),
    leaves("log_to_syslog", LOG),
    leaves("log_file_name", LOG),
    leaves("log_max_size", LOG),
    leaves("amd_version", "cwmpd speaks the newest version that the ACS knows"),
    leaves("session_timeout", "that is the patience of the ACS; acs_reply_timeout is that of the box"),
    leaves("notification", WATCHED),
    leaves("periodic_notify_enable", WATCHED),
    leaves("periodic_notify_interval", WATCHED),
    leaves("custom_notify_json", MINE),
    leaves("forced_inform_json", MINE),
    leaves("boot_inform_json", MINE),
    leaves("exec_download", "downloads are always executed"),
    leaves("schedule_reboot", "a restart that another agent was told of is not repeated"),
    leaves("delay_reboot", "a restart that another agent was told of is not repeated"),
    leaves("dhcp_provisioning_code", DHCP),
    leaves("incoming_rule", "`firewall_zone` in /etc/config/cwmpd says who is let in"),
    leaves("firewall_restart", "`firewall_zone` in /etc/config/cwmpd says who is let in"),
];

const ICWMP_LWN: &[Opt] = &[
    takes("enable", &[key(SERVER, "LightweightNotificationProtocolsUsed", udp)]),
    takes("hostname", &[key(SERVER, "UDPLightweightNotificationHost", same)]),
    takes("port", &[key(SERVER, "UDPLightweightNotificationPort", same)]),
];

const STUNC: &[Opt] = &[
    takes("enabled", &[key(SERVER, "STUNEnable", flag)]),
    takes("server_address", &[key(SERVER, "STUNServerAddress", same)]),
    takes("server_port", &[key(SERVER, "STUNServerPort", same)]),
    takes("username", &[key(SERVER, "STUNUsername", same)]),
    takes("password", &[secret(SERVER, "STUNPassword")]),
    takes("min_keepalive", &[key(SERVER, "STUNMinimumKeepAlivePeriod", same)]),
    takes("max_keepalive", &[key(SERVER, "STUNMaximumKeepAlivePeriod", same)]),
    takes("client_port", &[key(AGENT, "udp_connection_request_port", same)]),
    leaves("log_level", "log_level of [cwmpd] counts for all"),
];

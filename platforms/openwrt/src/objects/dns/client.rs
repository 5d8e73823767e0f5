//! Device.DNS.Client.Server: the servers of the logical interfaces, those that are set (`dns`) and those that netifd was told.

use std::net::IpAddr;

use cwmp_ubus::Value;
use cwmp_uci::{Package, Section};

use super::{
    Origin, STATIC, Server,
    added::{self, Lists, Place, Table},
};
use crate::{limits, network::Network};

pub(super) const SERVER: &str = "Device.DNS.Client.Server.{i}.";
pub(super) const SERVERS: &str = "Device.DNS.Client.Server.";
const TABLE: Table = Table {
    object: SERVER,
    path: SERVERS,
    package: "network",
    kind: "cwmp_dns",
    short: "dns",
    option: "dns",
};

pub(super) struct ClientLists;

/// Key of a server that has no section of its own. A section's name has no `~`.
fn key(section: &str, address: IpAddr) -> String {
    format!("{section}~{address}")
}

impl Lists for ClientLists {
    fn table(&self) -> &Table {
        &TABLE
    }

    fn place(
        &self,
        server: IpAddr,
        interface: Option<&str>,
        package: &Package,
        _: &Network,
    ) -> Option<Place> {
        let section = package.section(interface?).filter(|section| section.kind() == "interface")?;
        Some((section.name().to_owned(), server.to_string()))
    }

    fn usual_interface(&self) -> bool {
        true
    }

    fn listed(&self, row: &str, package: &Package) -> Option<Place> {
        let mut all = package
            .of_type("interface")
            .flat_map(|section| section.words("dns").into_iter().map(move |entry| (section.name(), entry)));
        let is_it = |(section, entry): &(&str, &str)| {
            added::server_of(entry).is_some_and(|address| key(section, address) == row)
        };
        all.find(is_it).map(|(section, entry)| (section.to_owned(), entry.to_owned()))
    }
}

fn lists(section: &Section, address: IpAddr) -> bool {
    section.words("dns").into_iter().any(|entry| added::server_of(entry) == Some(address))
}

/// All servers: added ones, then those of the configuration, then those that were learned, each once an interface.
pub(super) fn servers(network: &Network) -> Vec<Server> {
    let package = &network.package;
    let is_used = |address: IpAddr, section: &Section| {
        let interface = section.get("interface").and_then(|name| package.section(name));
        interface.is_some_and(|interface| is_on(interface) && lists(interface, address))
    };
    let mut servers = added::rows(&TABLE, package, network, is_used);
    let add = |server: Server, servers: &mut Vec<Server>| {
        let is_same = |other: &Server| {
            // An added row that is off does not hide that the server is in use.
            let here = other.origin != Origin::Added || other.enabled;
            here && other.address == server.address && other.interface == server.interface
        };
        if servers.len() < limits::ROWS && !servers.iter().any(is_same) {
            servers.push(server);
        }
    };
    for section in package.of_type("interface") {
        let interface = network.interface(section.name());
        for address in section.words("dns").into_iter().filter_map(added::server_of) {
            let server = Server {
                key: key(section.name(), address),
                address: Some(address),
                interface: interface.map(|interface| interface.path.clone()).unwrap_or_default(),
                kind: Some(STATIC),
                enabled: is_on(section),
                used: is_on(section),
                origin: Origin::Listed,
            };
            add(server, &mut servers);
        }
    }
    for interface in network.interfaces() {
        for state in network.states(interface) {
            let told = state.array("dns-server").iter().filter_map(Value::as_str);
            for address in told.filter_map(|text| text.parse::<IpAddr>().ok()).take(limits::ADDRESSES) {
                let server = Server {
                    key: key(state.str("interface").unwrap_or(&interface.name), address),
                    address: Some(address),
                    interface: interface.path.clone(),
                    kind: kind(state.str("proto").unwrap_or_default(), address),
                    enabled: true,
                    used: true,
                    origin: Origin::Learned,
                };
                add(server, &mut servers);
            }
        }
    }
    servers
}

fn is_on(interface: &Section) -> bool {
    interface.get("disabled") != Some("1")
}

/// Who tells servers in a protocol of netifd.
fn kind(proto: &str, address: IpAddr) -> Option<&'static str> {
    match proto {
        "dhcp" => Some("DHCPv4"),
        "dhcpv6" => Some("DHCPv6"),
        "static" => Some(STATIC),
        "pppoe" | "ppp" | "pptp" | "pppoa" | "l2tp" if address.is_ipv4() => Some("IPCP"),
        _ => None,
    }
}

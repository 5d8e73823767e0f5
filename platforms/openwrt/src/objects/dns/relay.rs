//! Device.DNS.Relay: dnsmasq (`dhcp.@dnsmasq[0]`), and the servers that it asks: its own list, and those of the box unless
//! `noresolv` says otherwise.

use std::net::IpAddr;

use cwmp_core::fault::SetParameterValuesFault;
use cwmp_platform::source::SourceError;
use cwmp_uci::{Package, Section};

use super::{
    Origin, STATIC, Server,
    added::{self, Lists, Place, Table},
};
use crate::{
    edits::Edits,
    limits,
    network::Network,
    part::{InRow, not_writable},
};

pub(super) const FORWARDING: &str = "Device.DNS.Relay.Forwarding.{i}.";
pub(super) const FORWARDINGS: &str = "Device.DNS.Relay.Forwarding.";
pub(super) const DHCP: &str = "dhcp";
const TABLE: Table = Table {
    object: FORWARDING,
    path: FORWARDINGS,
    package: DHCP,
    kind: "cwmp_forward",
    short: "forward",
    option: "server",
};

pub(super) struct RelayLists;

impl Lists for RelayLists {
    fn table(&self) -> &Table {
        &TABLE
    }

    fn place(
        &self,
        server: IpAddr,
        interface: Option<&str>,
        package: &Package,
        network: &Network,
    ) -> Option<Place> {
        let entry = match interface {
            None => server.to_string(),
            Some(name) => format!("{server}@{}", network.interface(name)?.device.as_deref()?),
        };
        Some((dnsmasq(package)?.name().to_owned(), entry))
    }

    fn usual_interface(&self) -> bool {
        false
    }

    fn listed(&self, key: &str, package: &Package) -> Option<Place> {
        let section = dnsmasq(package)?;
        let entry =
            section.words("server").into_iter().find(|entry| self::key(entry).as_deref() == Some(key))?;
        Some((section.name().to_owned(), entry.to_owned()))
    }
}

/// Key of a server that stands in dnsmasq's list alone.
fn key(entry: &str) -> Option<String> {
    added::server_of(entry).map(|address| format!("~{address}"))
}

pub(super) fn dnsmasq(package: &Package) -> Option<&Section> {
    package.nth(Some("dnsmasq"), 0)
}

/// Port 0 is no DNS.
pub(super) fn is_enabled(package: &Package) -> bool {
    dnsmasq(package).is_some_and(|dnsmasq| dnsmasq.get("port") != Some("0"))
}

/// All servers that dnsmasq asks, and those that an ACS has added; `known` are those of the box.
pub(super) fn servers(package: &Package, network: &Network, known: Vec<Server>) -> Vec<Server> {
    let dnsmasq = dnsmasq(package);
    let entries = dnsmasq.map(|dnsmasq| dnsmasq.words(TABLE.option)).unwrap_or_default();
    let is_used = |address: IpAddr, _: &Section| {
        is_enabled(package) && entries.iter().any(|entry| added::server_of(entry) == Some(address))
    };
    let mut servers = added::rows(&TABLE, package, network, is_used);
    let of_rows: Vec<IpAddr> =
        servers.iter().filter(|server| server.enabled).filter_map(|server| server.address).collect();
    let mut seen = Vec::new();
    for entry in &entries {
        let Some((address, key)) = added::server_of(entry).zip(key(entry)) else { continue };
        if of_rows.contains(&address) || seen.contains(&address) {
            continue;
        }
        seen.push(address);
        let device = entry.split_once('@').map(|(_, device)| device);
        let interface = device.and_then(|device| network.on_device(device));
        servers.push(Server {
            key,
            address: Some(address),
            interface: interface.map(|interface| interface.path.clone()).unwrap_or_default(),
            kind: Some(STATIC),
            enabled: true,
            used: is_enabled(package),
            origin: Origin::Listed,
        });
    }
    if dnsmasq.is_some_and(|dnsmasq| dnsmasq.get("noresolv") != Some("1")) {
        let told = known.into_iter().filter(|server| server.used).map(|server| Server {
            // What the box asks is changed with the box's own servers.
            origin: Origin::Learned,
            used: is_enabled(package),
            key: format!("resolv~{}", server.key),
            ..server
        });
        servers.extend(told);
    }
    servers.truncate(limits::ROWS);
    servers
}

pub(super) async fn edit<'c>(
    changes: impl Iterator<Item = InRow<'c>>,
    edits: &mut Edits,
) -> Result<Vec<SetParameterValuesFault>, SourceError> {
    let mut faults = Vec::new();
    for (name, change) in changes {
        let package = edits.survey().uci(DHCP).await?;
        match (name, dnsmasq(&package)) {
            ("Enable", Some(dnsmasq)) => {
                let edits = edits.package(DHCP).await?;
                match change.value == "true" {
                    // Another port than DNS has stays.
                    true if is_enabled(&package) => {}
                    true => edits.unset(dnsmasq.name(), "port"),
                    false => edits.set(dnsmasq.name(), "port", "0"),
                }
            }
            _ => faults.push(not_writable(change)),
        }
    }
    Ok(faults)
}

//! Device.Hosts: who is on the LAN side, from the kernel's neighbours, the hosts behind the ports of bridges, the leases, the
//! addresses that are kept for hosts, and the devices that hostapd serves.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use async_trait::async_trait;
use cwmp_linux::{
    files::clean,
    kernel::{Link, Neighbour, Station},
    leases::Lease,
};
use cwmp_platform::source::{Access::ReadOnly, ObjectKind, ParameterSink, SourceError, Wanted};
use cwmp_uci::Section;

use super::{dhcpv4_hosts, wifi};
use crate::{
    layout::{Layout, Row},
    limits,
    network::Network,
    part::{Part, is_mac},
    survey::Survey,
};

const HOSTS: &str = "Device.Hosts.";
const HOST: &str = "Device.Hosts.Host.";
/// A host counts as present for so long after it was last heard of, in hundredths of a second: as long as a bridge remembers
/// where it is.
pub(super) const PRESENT: u32 = 300 * 100;

pub(crate) struct Hosts;

/// What the rows of hosts refer to.
struct Around<'v> {
    network: &'v Network,
    layout: &'v Layout,
    links: &'v [Link],
    stations: &'v [Station],
}

/// What is known of a host, by its hardware address.
#[derive(Default)]
struct Host<'v> {
    neighbours: Vec<&'v Neighbour>,
    leases: Vec<&'v Lease>,
    kept: Option<&'v Section>,
    /// Path of its row of AssociatedDevice, and of the network that it uses.
    wireless: Option<&'v wifi::Served>,
}

#[async_trait(?Send)]
impl Part for Hosts {
    fn objects(&self) -> &'static [&'static str] {
        &[
            HOSTS,
            "Device.Hosts.Host.{i}.",
            "Device.Hosts.Host.{i}.IPv4Address.{i}.",
            "Device.Hosts.Host.{i}.IPv6Address.{i}.",
        ]
    }

    async fn read(
        &self,
        survey: &Survey,
        _: &Wanted<'_>,
        out: &mut dyn ParameterSink,
    ) -> Result<(), SourceError> {
        let (network, package) = (survey.network().await?, survey.uci(dhcpv4_hosts::DHCP).await?);
        let (leases, neighbours, links) = (survey.leases(), survey.neighbours()?, survey.links()?);
        let (layout, stations) = (survey.layout().await?, survey.stations()?);
        let around = Around { network: &network, layout: &layout, links: &links, stations: &stations };
        let served = wifi::served(survey).await?;
        let clients = dhcpv4_hosts::client_paths(survey, &package).await?;
        let uplink = network.uplink(survey).await?.and_then(|uplink| uplink.device.as_deref());
        let mut hosts = BTreeMap::<String, Host<'_>>::new();
        let room = |hosts: &BTreeMap<String, Host<'_>>, mac: &str| {
            hosts.len() < limits::ROWS || hosts.contains_key(mac)
        };
        for lease in leases.iter() {
            if room(&hosts, &lease.mac) {
                hosts.entry(lease.mac.clone()).or_default().leases.push(lease);
            }
        }
        // What lies beyond the uplink is the provider's.
        let beyond = |one: &&Neighbour| device(&links, one.index).is_none_or(|device| Some(device) != uplink);
        for neighbour in neighbours.iter().filter(beyond) {
            if room(&hosts, &neighbour.mac) {
                hosts.entry(neighbour.mac.clone()).or_default().neighbours.push(neighbour);
            }
        }
        for one in &served {
            if room(&hosts, &one.mac) {
                hosts.entry(one.mac.clone()).or_default().wireless = Some(one);
            }
        }
        for section in package.of_type("host").take(limits::ROWS) {
            for mac in section.words("mac").into_iter().filter(|mac| is_mac(mac)) {
                // A host that was never seen is none; its entry lies with the pool.
                if let Some(host) = hosts.get_mut(&mac.to_ascii_lowercase()) {
                    host.kept = Some(section);
                }
            }
        }
        out.object(HOSTS, ObjectKind::Single);
        out.object(HOST, ObjectKind::Table { addable: false });
        let numbers = survey.numbers(HOST, hosts.keys().map(String::as_str));
        for ((mac, host), number) in hosts.iter().zip(numbers) {
            let Some(number) = number else { continue };
            let path = format!("{HOST}{number}.");
            out.object(&path, ObjectKind::Instance { deletable: false });
            let client = clients.get(mac).map(String::as_str);
            row(&around, mac, host, client, out);
            addresses(survey, &path, host, out);
        }
        Ok(())
    }
}

fn device(links: &[Link], index: u32) -> Option<&str> {
    links.iter().find(|link| link.index == index).map(|link| link.name.as_str())
}

impl Around<'_> {
    /// The port that a host without wireless is plugged into, seen from here: that of the bridge behind which it is, else the
    /// device on which it was heard of.
    fn port(&self, mac: &str, heard_on: Option<u32>) -> Option<&Row> {
        let behind = self.stations.iter().filter(|station| station.mac == mac).map(|station| station.index);
        let mut devices = behind.chain(heard_on).filter_map(|index| device(self.links, index));
        devices.find_map(|device| self.layout.ethernet.iter().find(|row| row.device == device))
    }
}

fn row(around: &Around<'_>, mac: &str, host: &Host<'_>, client: Option<&str>, out: &mut dyn ParameterSink) {
    // The address by which the host was heard of last; an IPv4 address says more to people.
    let recent = |one: &&&Neighbour| (!one.reachable, one.address.is_ipv6(), one.confirmed, one.address);
    let best = host.neighbours.iter().min_by_key(recent);
    let lease = host.leases.iter().map(|lease| lease.address).min_by_key(IpAddr::is_ipv6);
    let address = best.map(|best| best.address).or(lease);
    out.parameter("PhysAddress", &mac, ReadOnly);
    out.parameter("IPAddress", &address.map(|address| address.to_string()).unwrap_or_default(), ReadOnly);
    out.parameter("DHCPClient", &client.unwrap_or_default(), ReadOnly);
    let wireless = host.wireless;
    out.parameter("AssociatedDevice", &wireless.map_or("", |one| one.device.as_str()), ReadOnly);
    let (layer1, kind) = match (wireless, around.port(mac, best.map(|best| best.index))) {
        (Some(one), _) => (one.ssid.as_str(), Some("Wi-Fi")),
        (None, Some(port)) => (port.path.as_str(), Some("Ethernet")),
        (None, None) => ("", None),
    };
    out.parameter("Layer1Interface", &layer1, ReadOnly);
    let interface = best.and_then(|best| around.network.on_device(device(around.links, best.index)?));
    out.parameter("Layer3Interface", &interface.map_or("", |one| one.path.as_str()), ReadOnly);
    if let Some(kind) = kind {
        out.parameter("InterfaceType", &kind, ReadOnly);
    }
    let told = host.leases.iter().find_map(|lease| lease.host_name.as_deref());
    let name = told.or_else(|| host.kept.and_then(|kept| kept.get("name"))).unwrap_or_default();
    out.parameter("HostName", &clean(name, 64), ReadOnly);
    let heard = |one: &&Neighbour| one.reachable || one.confirmed < PRESENT;
    out.parameter("Active", &(wireless.is_some() || host.neighbours.iter().any(heard)), ReadOnly);
}

fn addresses(survey: &Survey, path: &str, host: &Host<'_>, out: &mut dyn ParameterSink) {
    let known = host.neighbours.iter().map(|one| one.address);
    let all: BTreeSet<IpAddr> = known.chain(host.leases.iter().map(|lease| lease.address)).collect();
    for (table, is_of) in
        [("IPv4Address.", IpAddr::is_ipv4 as fn(&IpAddr) -> bool), ("IPv6Address.", IpAddr::is_ipv6)]
    {
        let table = format!("{path}{table}");
        let of_family = all.iter().filter(|address| is_of(address)).take(limits::ADDRESSES);
        let keys: Vec<String> = of_family.map(ToString::to_string).collect();
        out.object(&table, ObjectKind::Table { addable: false });
        for (key, number) in keys.iter().zip(survey.numbers(&table, keys.iter().map(String::as_str))) {
            let Some(number) = number else { continue };
            out.object(&format!("{table}{number}."), ObjectKind::Instance { deletable: false });
            out.parameter("IPAddress", key, ReadOnly);
        }
    }
}

#[cfg(test)]
mod tests;

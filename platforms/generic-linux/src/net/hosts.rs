//! Device.Hosts: who is on the LAN side, from the kernel's neighbours, the bridges' hosts and the DHCP servers' leases.

use std::{collections::BTreeMap, net::IpAddr};

use cwmp_linux::leases::{self, Lease};
use cwmp_platform::source::{Access::ReadOnly, ObjectKind, ParameterSink, Wanted};

use super::{
    View,
    kernel::{Index, Neighbour, Station},
    rows::{INSTANCE, TABLE},
};

const HOSTS: &str = "Device.Hosts.";
pub(super) const HOST: &str = "Device.Hosts.Host.";
/// Most hosts, shown and remembered: a host that was gone for longest gives way, and gets a new number when it comes back.
pub(crate) const ROWS: usize = 256;
/// Most addresses of one family of a host.
const ADDRESSES: usize = 16;
/// A host counts as present for so long after it was last heard of, in hundredths of a second: as long as a bridge
/// remembers where it is.
const PRESENT: u32 = 300 * 100;

/// What is known of a host, by its MAC address.
#[derive(Default)]
struct Host<'v> {
    neighbours: Vec<&'v Neighbour>,
    leases: Vec<&'v Lease>,
}

pub(super) fn read(
    view: &View<'_>,
    neighbours: &[Neighbour],
    stations: &[Station],
    wanted: &Wanted<'_>,
    out: &mut dyn ParameterSink,
) {
    if !wanted.touches(HOST) {
        return;
    }
    let leases = leases::read(view.root);
    let hosts = hosts(view, neighbours, &leases);
    let numbers = view.numbers.assign(HOST, hosts.keys().copied(), ROWS);
    out.object(HOSTS, ObjectKind::Single);
    out.object(HOST, TABLE);
    for ((mac, host), number) in hosts.iter().zip(numbers) {
        let Some(number) = number else { continue };
        let path = format!("{HOST}{number}.");
        let port = stations.iter().find(|station| station.mac == **mac).map(|station| station.index);
        row(view, &path, mac, host, port, out);
        let mut addresses: Vec<IpAddr> = host.neighbours.iter().map(|neighbour| neighbour.address).collect();
        addresses.extend(host.leases.iter().map(|lease| lease.address));
        addresses.sort_unstable();
        addresses.dedup();
        for (family, of_family) in
            [("IPv4Address.", IpAddr::is_ipv4 as fn(&IpAddr) -> bool), ("IPv6Address.", IpAddr::is_ipv6)]
        {
            let table = format!("{path}{family}");
            let of_host: Vec<&IpAddr> =
                addresses.iter().filter(|address| of_family(address)).take(ADDRESSES).collect();
            let keys: Vec<String> = of_host.iter().map(ToString::to_string).collect();
            let numbers = view.numbers.assign(&table, keys.iter().map(String::as_str), 2 * ADDRESSES);
            out.object(&table, TABLE);
            for (key, number) in keys.iter().zip(numbers) {
                let Some(number) = number else { continue };
                out.object(&format!("{table}{number}."), INSTANCE);
                out.parameter("IPAddress", key, ReadOnly);
            }
        }
    }
}

/// Hosts of the LAN side, at most [`ROWS`]: what lies beyond the uplink is the provider's.
fn hosts<'v>(
    view: &View<'_>,
    neighbours: &'v [Neighbour],
    leases: &'v [Lease],
) -> BTreeMap<&'v str, Host<'v>> {
    let uplink = view.uplink().map(|uplink| uplink.index);
    let mut hosts: BTreeMap<&str, Host<'v>> = BTreeMap::new();
    let mut host = |mac: &'v str, add: &dyn Fn(&mut Host<'v>)| {
        if hosts.len() < ROWS || hosts.contains_key(mac) {
            add(hosts.entry(mac).or_default());
        }
    };
    for lease in leases {
        host(&lease.mac, &|host| host.leases.push(lease));
    }
    for neighbour in neighbours.iter().filter(|neighbour| Some(neighbour.index) != uplink) {
        host(&neighbour.mac, &|host| host.neighbours.push(neighbour));
    }
    hosts
}

fn row(
    view: &View<'_>,
    path: &str,
    mac: &str,
    host: &Host<'_>,
    port: Option<Index>,
    out: &mut dyn ParameterSink,
) {
    // The address by which the host was heard of last; an IPv4 address says more to people.
    let recent = |neighbour: &&&Neighbour| {
        (!neighbour.reachable, neighbour.address.is_ipv6(), neighbour.confirmed, neighbour.address)
    };
    let best = host.neighbours.iter().min_by_key(recent);
    let lease = match best {
        Some(best) => host.leases.iter().find(|lease| lease.address == best.address),
        None => host.leases.first(),
    };
    let address = best.map(|best| best.address).or(lease.map(|lease| lease.address));

    out.object(path, INSTANCE);
    out.parameter("PhysAddress", &mac, ReadOnly);
    out.parameter("IPAddress", &address.map(|address| address.to_string()).unwrap_or_default(), ReadOnly);
    if let Some(lease) = lease {
        // Of an address without a lease nobody knows where it is from.
        out.parameter("AddressSource", &"DHCP", ReadOnly);
        let left = match lease.expires {
            None => Some(-1),
            Some(end) => {
                view.moment.seconds().map(|now| end.saturating_sub(now).clamp(0, i64::from(i32::MAX)))
            }
        };
        if let Some(left) = left {
            out.parameter("LeaseTimeRemaining", &left, ReadOnly);
        }
    }
    let device = best.map(|best| best.index);
    let port = port.or(device).and_then(|index| view.layout.port_below(index));
    out.parameter("Layer1Interface", &port.unwrap_or_default(), ReadOnly);
    let interface = device.and_then(|index| view.layout.ip_interface(index));
    out.parameter("Layer3Interface", &interface.unwrap_or_default(), ReadOnly);
    if port.is_some() {
        out.parameter("InterfaceType", &"Ethernet", ReadOnly);
    }
    if let Some(id) = host.leases.iter().find_map(|lease| lease.client_id.as_deref()) {
        out.parameter("ClientID", &id, ReadOnly);
    }
    let name = host.leases.iter().find_map(|lease| lease.host_name.as_deref());
    out.parameter("HostName", &name.unwrap_or_default(), ReadOnly);
    let heard = |neighbour: &&Neighbour| neighbour.reachable || neighbour.confirmed < PRESENT;
    out.parameter("Active", &host.neighbours.iter().any(heard), ReadOnly);
}

//! Leases and neighbours: dnsmasq's file, odhcpd's `dhcp` object, /proc/net/arp.

use crate::{
    hosts::{Attached, Host},
    world::{World, now},
};
use serde_json::{Map, Value as Json, json};
use std::{fs, io};

/// Seconds that a lease is still good for: of each host its own.
fn remaining(host: &Host) -> u64 {
    if host.network == "guest" { 600 + u64::from(host.number) } else { 3_600 * u64::from(host.number) }
}

/// Whether the configuration gives this host a lease without an end.
fn endless(world: &World, host: &Host) -> bool {
    let of_host = |section: &&crate::uci::Section| {
        section.kind == "host" && section.words("mac").iter().any(|mac| mac.eq_ignore_ascii_case(&host.mac()))
    };
    world.dhcp.iter().find(of_host).is_some_and(|section| section.get("leasetime") == Some("infinite"))
}

/// Writes /tmp/dhcp.leases and /proc/net/arp.
pub(crate) fn write(world: &World) -> io::Result<()> {
    let now = now();
    let lease = |host: &Host| {
        let expires = if endless(world, host) { 0 } else { now + remaining(host) };
        let name = host.name.unwrap_or("*");
        format!("{expires} {mac} {ip} {name} 01:{mac}\n", mac = host.mac(), ip = host.ip)
    };
    let leases: String = world.hosts.iter().filter(|host| host.lease).map(lease).collect();
    fs::write(world.root.join("tmp/dhcp.leases"), leases)?;
    let head = "IP address       HW type     Flags       HW address            Mask     Device\n";
    let neighbour = |host: &Host| {
        let device = world.device_of(host.network).unwrap_or_default();
        format!("{:<16} 0x1         0x2         {}     *        {device}\n", host.ip, host.mac())
    };
    let neighbours: String = world.hosts.iter().filter(|host| host.active).map(neighbour).collect();
    fs::write(world.root.join("proc/net/arp"), format!("{head}{neighbours}"))
}

fn named(host: &Host) -> &'static str {
    host.name.unwrap_or_default()
}

/// Methods of `dhcp`, which odhcpd offers.
pub(crate) fn dhcp(world: &World, method: &str) -> Option<Json> {
    match method {
        // dnsmasq serves DHCPv4 here (maindhcp 0).
        "ipv4leases" => Some(json!({ "device": {} })),
        "ipv6leases" => {
            let lease = |host: &Host| {
                json!({
                    "duid": host.duid(), "iaid": 1000 + u32::from(host.number), "hostname": named(host),
                    "accept-reconf": true, "assigned": 0x100 + u32::from(host.number), "flags": ["bound"],
                    "ipv6-addr": [{ "address": host.ip6(), "preferred-lifetime": 1_500, "valid-lifetime": 3_300 }],
                    "valid": 3_300,
                })
            };
            let leases: Vec<Json> = world.hosts.iter().filter(|host| host.lease6).map(lease).collect();
            let device = world.device_of("lan").unwrap_or("br-lan");
            Some(json!({ "device": { (device): { "leases": leases } } }))
        }
        "ipv6ra" => Some(json!({ "device": {} })),
        _ => None,
    }
}

/// `luci-rpc getDHCPLeases`.
pub(crate) fn for_luci(world: &World) -> Json {
    let v4 = |host: &Host| {
        let mut lease = json!({
            "expires": if endless(world, host) { json!(false) } else { json!(remaining(host)) },
            "macaddr": host.mac().to_ascii_uppercase(), "ipaddr": host.ip,
        });
        if let (Some(name), Some(fields)) = (host.name, lease.as_object_mut()) {
            fields.insert("hostname".to_owned(), json!(name));
        }
        lease
    };
    let v6 = |host: &Host| {
        json!({
            "expires": 3_300, "hostname": named(host), "macaddr": host.mac().to_ascii_uppercase(),
            "duid": host.duid(), "ip6addr": host.ip6(), "ip6addrs": [format!("{}/128", host.ip6())],
        })
    };
    let dhcp: Vec<Json> = world.hosts.iter().filter(|host| host.lease).map(v4).collect();
    let dhcp6: Vec<Json> = world.hosts.iter().filter(|host| host.lease6).map(v6).collect();
    json!({ "dhcp_leases": dhcp, "dhcp6_leases": dhcp6 })
}

/// `luci-rpc getHostHints`.
pub(crate) fn hints(world: &World) -> Json {
    let hint = |host: &Host| {
        let addresses = if host.lease6 { vec![host.ip6()] } else { Vec::new() };
        let mut hint = json!({ "ipaddrs": [host.ip], "ip6addrs": addresses });
        if let (Some(name), Some(fields)) = (host.name, hint.as_object_mut()) {
            fields.insert("name".to_owned(), json!(format!("{name}.lan")));
        }
        (host.mac().to_ascii_uppercase(), hint)
    };
    Json::Object(world.hosts.iter().map(hint).collect::<Map<_, _>>())
}

/// The port that a host is plugged into, for the forwarding table.
#[must_use]
pub fn port(world: &World, host: &Host) -> Option<String> {
    match host.attached {
        Attached::Port(port) => Some(port.to_owned()),
        Attached::Radio(radio) => {
            let points = crate::wireless::access_points(world);
            let at = points.into_iter().find(|point| point.radio == radio && point.network == host.network);
            at.map(|point| point.ifname)
        }
    }
}

//! The logical interfaces: `network.interface` and `network.interface.NAME`.

use crate::{uci::Section, world::World};
use serde_json::{Map, Value as Json, json};
use std::net::{Ipv4Addr, Ipv6Addr};

/// What the provider delegates.
const DELEGATED: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2001, 0xdb8, 0x1200, 0, 0, 0, 0, 0), 56);
const UPTIME: u32 = 86_400;

/// `network.interface dump`.
pub(crate) fn dump(world: &World) -> Json {
    let all: Vec<Json> = world.interfaces().map(|section| named(world, section)).collect();
    json!({ "interface": all })
}

fn named(world: &World, section: &Section) -> Json {
    let mut shown = Map::from_iter([("interface".to_owned(), json!(section.name))]);
    if let Json::Object(status) = status(world, section) {
        shown.extend(status);
    }
    Json::Object(shown)
}

/// `network.interface.NAME status`.
pub(crate) fn status(world: &World, section: &Section) -> Json {
    let (up, proto) = (world.is_up(section), section.get("proto").unwrap_or("none"));
    let mut status = json!({
        "up": up, "pending": false, "available": true, "autostart": !section.off("auto") && up,
        "dynamic": false, "proto": proto,
        "data": {},
    });
    let Some(fields) = status.as_object_mut() else { return status };
    let mut set = |name: &str, value: Json| {
        fields.insert(name.to_owned(), value);
    };
    set("device", json!(lower(world, section)));
    if !up {
        return status;
    }
    let metric: u32 = section.get("metric").and_then(|metric| metric.parse().ok()).unwrap_or(0);
    set("uptime", json!(UPTIME));
    set("l3_device", json!(l3_device(world, section)));
    set("updated", json!(["addresses", "routes", "prefixes"]));
    set("metric", json!(metric));
    set("dns_metric", json!(0));
    set("delegation", json!(!section.off("delegate")));
    set(
        "inactive",
        json!({ "ipv4-address": [], "ipv6-address": [], "route": [], "dns-server": [], "dns-search": [] }),
    );
    for list in [
        "ipv4-address",
        "ipv6-address",
        "ipv6-prefix",
        "ipv6-prefix-assignment",
        "route",
        "dns-server",
        "dns-search",
        "neighbors",
    ] {
        set(list, json!([]));
    }
    set("dns-server", json!(section.words("dns")));
    match proto {
        "static" => {
            set("ipv4-address", Json::Array(static_addresses(section)));
            set("ipv6-prefix-assignment", Json::Array(assignments(world, section)));
            set("route", Json::Array(static_routes(world, &section.name)));
        }
        "pppoe" => {
            set(
                "ipv4-address",
                json!([{ "address": "203.0.113.45", "mask": 32, "ptpaddress": "203.0.113.1" }]),
            );
            set("ipv6-address", json!([{ "address": "fe80::200:ff:fe5e:5302", "mask": 128 }]));
            set(
                "route",
                json!([{
                    "target": "0.0.0.0", "mask": 0, "nexthop": "203.0.113.1", "metric": metric, "source": "0.0.0.0/0",
                }]),
            );
            set("dns-server", json!(["203.0.113.53", "203.0.113.54"]));
        }
        "dhcp" => {
            set("ipv4-address", json!([{ "address": "198.51.100.7", "mask": 24 }]));
            set(
                "route",
                json!([{
                    "target": "0.0.0.0", "mask": 0, "nexthop": "198.51.100.1", "metric": metric, "source": "198.51.100.7/32",
                }]),
            );
            set("dns-server", json!(["198.51.100.53"]));
            set("dns-search", json!(["isp.example"]));
            set(
                "data",
                json!({ "dhcpserver": "198.51.100.1", "hostname": world.hostname(), "leasetime": 3600 }),
            );
        }
        "dhcpv6" => {
            let (prefix, mask) = DELEGATED;
            set(
                "ipv6-address",
                json!([{
                    "address": "2001:db8:ff::4711", "mask": 64, "preferred": 1_500, "valid": 3_300,
                }]),
            );
            set(
                "ipv6-prefix",
                json!([{
                    "address": prefix.to_string(), "mask": mask, "preferred": 1_500, "valid": 3_300, "class": section.name,
                    "assigned": assigned(world),
                }]),
            );
            set(
                "route",
                json!([{
                    "target": "::", "mask": 0, "nexthop": "fe80::a", "metric": 512, "valid": 1_700,
                    "source": "2001:db8:1200::/56",
                }]),
            );
            set("dns-server", json!(["2001:db8:ff::53"]));
            set("data", json!({ "passthru": "0017001020010db800ff00000000000000000053" }));
        }
        _ => {}
    }
    status
}

/// The device below an interface; an alias has that of its interface.
fn lower(world: &World, section: &Section) -> Option<String> {
    let device = section.get("device")?;
    match device.strip_prefix('@').and_then(|name| world.interface(name)) {
        Some(other) => l3_device(world, other),
        None => Some(device.to_owned()),
    }
}

fn l3_device(world: &World, section: &Section) -> Option<String> {
    match section.get("proto") {
        Some("pppoe") => Some(format!("pppoe-{}", section.name)),
        _ => lower(world, section),
    }
}

fn static_addresses(section: &Section) -> Vec<Json> {
    let mask = section.get("netmask").and_then(|mask| mask.parse::<Ipv4Addr>().ok());
    let mask = mask.map_or(32, |mask| u32::from(mask).leading_ones());
    let address = |word: &str| {
        let (address, mask) = match word.split_once('/') {
            Some((address, bits)) => (address, bits.parse().ok()?),
            None => (word, mask),
        };
        Some(json!({ "address": address, "mask": mask }))
    };
    section.words("ipaddr").into_iter().filter_map(address).collect()
}

fn static_routes(world: &World, interface: &str) -> Vec<Json> {
    let here = |section: &&Section| section.get("interface") == Some(interface);
    let route = |section: &Section| {
        let gateway = section.get("gateway");
        let metric: Option<u32> = section.get("metric").and_then(|metric| metric.parse().ok());
        let (target, mask, any) = match section.kind.as_str() {
            "route" => {
                let target = section.get("target")?;
                let mask = section.get("netmask").and_then(|mask| mask.parse::<Ipv4Addr>().ok());
                match target.split_once('/') {
                    Some((target, bits)) => (target, bits.parse().ok()?, "0.0.0.0/0"),
                    None => (target, mask.map_or(32, |mask| u32::from(mask).leading_ones()), "0.0.0.0/0"),
                }
            }
            "route6" => {
                let (target, bits) = section.get("target")?.split_once('/')?;
                (target, bits.parse().ok()?, "::/0")
            }
            _ => return None,
        };
        let unspecified = if any == "::/0" { "::" } else { "0.0.0.0" };
        let mut route = json!({
            "target": target, "mask": mask, "nexthop": gateway.unwrap_or(unspecified), "source": any,
        });
        if let (Some(metric), Some(fields)) = (metric, route.as_object_mut()) {
            fields.insert("metric".to_owned(), json!(metric));
        }
        Some(route)
    };
    world.network.iter().filter(here).filter(|section| !section.on("disabled")).filter_map(route).collect()
}

/// Interfaces with a part of each prefix, by their `ip6assign`: the part's length, and its place in units of a /64.
fn parts(world: &World) -> Vec<(String, u8, u64)> {
    let mut wanted: Vec<(String, u8)> = world
        .interfaces()
        .filter(|section| world.is_up(section))
        .filter_map(|section| Some((section.name.clone(), section.get("ip6assign")?.parse().ok()?)))
        .filter(|(_, bits)| (DELEGATED.1..=64).contains(bits))
        .collect();
    // Large ones first, so that all fit.
    wanted.sort_by_key(|(_, bits)| *bits);
    let mut next = 0_u64;
    let place = |(name, bits): (String, u8)| {
        let size = 1_u64 << (64 - bits);
        let at = next.next_multiple_of(size);
        next = at + size;
        (name, bits, at)
    };
    wanted.into_iter().map(place).collect()
}

fn part(prefix: Ipv6Addr, at: u64, host: u128) -> Ipv6Addr {
    Ipv6Addr::from(u128::from(prefix) | u128::from(at) << 64 | host)
}

fn assigned(world: &World) -> Json {
    let of = |(name, bits, at): (String, u8, u64)| {
        (name, json!({ "address": part(DELEGATED.0, at, 0).to_string(), "mask": bits }))
    };
    Json::Object(parts(world).into_iter().map(of).collect())
}

/// The parts of the delegated prefix and of the local one that an interface has.
fn assignments(world: &World, section: &Section) -> Vec<Json> {
    let Some((_, bits, at)) = parts(world).into_iter().find(|(name, ..)| *name == section.name) else {
        return Vec::new();
    };
    let delegated = world
        .interfaces()
        .any(|other| other.get("proto") == Some("dhcpv6") && world.is_up(other))
        .then_some((DELEGATED.0, Some((1_500, 3_300))));
    let ula = world.network.iter().find(|section| section.kind == "globals");
    let ula = ula.and_then(|section| section.get("ula_prefix")?.split('/').next()?.parse().ok());
    let assignment = |(prefix, lifetimes): (Ipv6Addr, Option<(u32, u32)>)| {
        let mut shown = json!({
            "address": part(prefix, at, 0).to_string(), "mask": bits,
            "local-address": { "address": part(prefix, at, 1).to_string(), "mask": bits },
        });
        if let (Some((preferred, valid)), Some(fields)) = (lifetimes, shown.as_object_mut()) {
            fields.insert("preferred".to_owned(), json!(preferred));
            fields.insert("valid".to_owned(), json!(valid));
        }
        shown
    };
    delegated.into_iter().chain(ula.map(|ula| (ula, None))).map(assignment).collect()
}

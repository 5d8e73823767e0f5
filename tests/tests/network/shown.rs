//! Holds tables against what `ip -j` says.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, Ipv6Addr},
    time::{SystemTime, UNIX_EPOCH},
};

use cwmp_core::datetime::DateTime;
use serde_json::Value;

use crate::{
    ETHERNET, IP, IPV4_FORWARDING, LINK,
    namespace::{Namespace, Row, Tree, text},
};

const IPV6_FORWARDING: &str = "Device.Routing.Router.1.IPv6Forwarding.";

fn by_name(links: Vec<Value>) -> BTreeMap<String, Value> {
    links.into_iter().map(|link| (text(&link["ifname"]), link)).collect()
}

fn has(link: &Value, flag: &str) -> bool {
    link["flags"].as_array().unwrap().iter().any(|known| known == flag)
}

fn status(link: &Value) -> &'static str {
    match link["operstate"].as_str().unwrap() {
        "UP" => "Up",
        "DOWN" => "Down",
        "LOWERLAYERDOWN" => "LowerLayerDown",
        "DORMANT" => "Dormant",
        "NOTPRESENT" => "NotPresent",
        // `ip` has no word for IFF_RUNNING; LOWER_UP comes with it.
        "UNKNOWN" if !has(link, "UP") => "Down",
        "UNKNOWN" if has(link, "LOWER_UP") => "Up",
        other => panic!("operstate {other}"),
    }
}

/// Interfaces, links and IP interfaces: names, addresses, states, sizes and counters.
pub(crate) fn links(router: &Namespace) {
    let before = by_name(router.json("-s -d link show"));
    let tree = router.tree();
    let after = by_name(router.json("-s -d link show"));
    let kind = |link: &Value| text(&link["linkinfo"]["info_kind"]);

    let ethernet = tree.rows_by(ETHERNET, "Name");
    let expected = before.iter().filter(|(_, link)| kind(link) == "veth").map(|(name, _)| name);
    assert_eq!(ethernet.keys().collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    let l2 = tree.rows_by(LINK, "Name");
    let carries = |link: &&Value| link["master"].is_null();
    let expected = before.values().filter(carries).filter(|link| link["link_type"] == "ether");
    assert_eq!(
        l2.keys().cloned().collect::<Vec<_>>(),
        expected.map(|link| text(&link["ifname"])).collect::<Vec<_>>()
    );
    let ip = tree.rows_by(IP, "Name");
    let expected = before.values().filter(carries).map(|link| text(&link["ifname"]));
    assert_eq!(ip.keys().cloned().collect::<Vec<_>>(), expected.collect::<Vec<_>>());

    for (name, row) in ethernet.iter().chain(&l2).chain(&ip) {
        let link = &before[name];
        assert_eq!(row["Enable"], has(link, "UP").to_string(), "{name}");
        assert_eq!(row["Status"], status(link), "{name}");
        counters(name, row, &before[name], &after[name]);
    }
    for (name, row) in ethernet.iter().chain(&l2) {
        assert_eq!(row["MACAddress"], text(&before[name]["address"]), "{name}");
    }
    for (name, row) in &ip {
        let mtu = before[name]["mtu"].as_u64().unwrap();
        assert_eq!(row["MaxMTUSize"], mtu.min(65_535).to_string(), "{name}");
        assert_eq!(row["Loopback"], has(&before[name], "LOOPBACK").to_string(), "{name}");
    }
    let sent: u64 = ethernet["wan0"]["Stats.PacketsSent"].parse().unwrap();
    assert!(sent > 0, "nothing was counted");
}

/// Counters go on while they are read: each is between what was before and what came after.
fn counters(name: &str, row: &Row, before: &Value, after: &Value) {
    for (parameter, side, key) in [
        ("BytesSent", "tx", "bytes"),
        ("BytesReceived", "rx", "bytes"),
        ("PacketsSent", "tx", "packets"),
        ("PacketsReceived", "rx", "packets"),
        ("ErrorsSent", "tx", "errors"),
        ("ErrorsReceived", "rx", "errors"),
        ("DiscardPacketsSent", "tx", "dropped"),
        ("DiscardPacketsReceived", "rx", "dropped"),
        ("MulticastPacketsReceived", "rx", "multicast"),
    ] {
        let counter = |link: &Value| link["stats64"][side][key].as_u64().unwrap();
        let shown: u64 = row[&format!("Stats.{parameter}")].parse().unwrap();
        assert!((counter(before)..=counter(after)).contains(&shown), "{name} {parameter} = {shown}");
    }
}

/// Addresses with the length of their prefix, their state and their lifetimes.
pub(crate) fn addresses(router: &Namespace) {
    let tree = router.tree();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut compared = 0;
    for link in router.json("addr show").iter().filter(|link| link["master"].is_null()) {
        let path = tree.path(IP, link["ifname"].as_str().unwrap());
        for family in ["inet", "inet6"] {
            let infos = link["addr_info"].as_array().unwrap();
            let infos: Vec<&Value> = infos.iter().filter(|info| info["family"] == family).collect();
            let table = if family == "inet" { "IPv4Address" } else { "IPv6Address" };
            let rows = tree.rows_by(&format!("{path}.{table}."), "IPAddress");
            let shown = rows.keys().cloned().collect::<Vec<_>>();
            let mut expected: Vec<String> = infos.iter().map(|info| text(&info["local"])).collect();
            expected.sort_unstable();
            assert_eq!(shown, expected, "{path}");
            for info in infos {
                let row = &rows[info["local"].as_str().unwrap()];
                if family == "inet" {
                    ipv4(row, info)
                } else {
                    ipv6(&tree, row, info, now)
                }
                compared += 1;
            }
        }
    }
    assert!(compared >= 8, "{compared} addresses");
}

fn ipv4(row: &Row, info: &Value) {
    let mask: Ipv4Addr = row["SubnetMask"].parse().unwrap();
    assert_eq!(u64::from(u32::from(mask).leading_ones()), info["prefixlen"].as_u64().unwrap());
    assert_eq!((row["Enable"].as_str(), row["Status"].as_str()), ("true", "Enabled"));
}

fn ipv6(tree: &Tree, row: &Row, info: &Value, now: u64) {
    let is = |flag: &str| info[flag] == true;
    let status = match () {
        () if is("dadfailed") => "Duplicate",
        () if is("tentative") => "Tentative",
        () if is("deprecated") => "Deprecated",
        () => "Preferred",
    };
    assert_eq!(row["IPAddressStatus"], status, "{info}");
    let length = info["prefixlen"].as_u64().unwrap();
    if length < 128 {
        let host_bits = u32::try_from(128 - length).unwrap();
        let address: Ipv6Addr = row["IPAddress"].parse().unwrap();
        let network = Ipv6Addr::from(u128::from(address) >> host_bits << host_bits);
        assert_eq!(tree.values[&format!("{}.Prefix", row["Prefix"])], format!("{network}/{length}"));
    }
    for (parameter, key) in
        [("PreferredLifetime", "preferred_life_time"), ("ValidLifetime", "valid_life_time")]
    {
        lifetime(&row[parameter], info[key].as_u64().unwrap(), now);
    }
}

/// `ip` shows for ever as the largest number.
fn lifetime(date: &str, left: u64, now: u64) {
    if left == u64::from(u32::MAX) {
        assert_eq!(date, "9999-12-31T23:59:59Z");
        return;
    }
    let Ok(DateTime::At(end)) = DateTime::parse(date) else { panic!("{date}") };
    let end = u64::try_from(end.0 / 1000).unwrap();
    assert!(end.abs_diff(now + left) <= 2, "{date} is not {left} s after {now}");
}

/// Destination, gateway, device, metric and type of each way.
type Way = (String, String, String, u64, String);

/// Both forwarding tables.
pub(crate) fn routes(router: &Namespace) {
    let tree = router.tree();
    for (table, command) in
        [(IPV4_FORWARDING, "route show table main"), (IPV6_FORWARDING, "-6 route show table main")]
    {
        let mut expected: Vec<Way> =
            router.json(command).iter().flat_map(|route| ways(router, route)).collect();
        let mut shown: Vec<Way> = tree.rows(table).values().map(|row| way(&tree, row)).collect();
        expected.sort_unstable();
        shown.sort_unstable();
        assert_eq!(shown, expected, "{command}");
        assert!(shown.len() > 3);
    }
}

fn ways(router: &Namespace, route: &Value) -> Vec<Way> {
    let single = vec![route.clone()];
    let hops = route["nexthops"].as_array().unwrap_or(&single);
    let destination = match route["dst"].as_str().unwrap() {
        "default" => String::new(),
        // `ip` leaves the length of a host's prefix out.
        host if !host.contains('/') => format!("{host}/{}", if host.contains(':') { 128 } else { 32 }),
        network => network.to_owned(),
    };
    let kind = if route["type"].is_null() { "unicast".to_owned() } else { text(&route["type"]) };
    let metric = route["metric"].as_u64().unwrap_or(0).min(i32::MAX.unsigned_abs().into());
    // A port of a bridge is no IP interface.
    let device = |hop: &Value| {
        let name = text(&hop["dev"]);
        let links = router.json("link show");
        let is_port = links.iter().any(|link| link["ifname"] == *name && !link["master"].is_null());
        if is_port { String::new() } else { name }
    };
    let way = |hop: &Value| (destination.clone(), text(&hop["gateway"]), device(hop), metric, kind.clone());
    hops.iter().map(way).collect()
}

fn way(tree: &Tree, row: &Row) -> Way {
    let destination = match row.get("DestIPPrefix") {
        Some(prefix) => prefix.clone(),
        None if row["DestIPAddress"].is_empty() => String::new(),
        None => {
            let mask: Ipv4Addr = row["DestSubnetMask"].parse().unwrap();
            format!("{}/{}", row["DestIPAddress"], u32::from(mask).leading_ones())
        }
    };
    let gateway = row.get("GatewayIPAddress").unwrap_or_else(|| &row["NextHop"]).clone();
    let kind = match row["Type"].as_str() {
        "Normal" => "unicast".to_owned(),
        other => other.to_lowercase(),
    };
    let metric = row["ForwardingMetric"].parse().unwrap();
    (destination, gateway, tree.name_of(&row["Interface"]), metric, kind)
}

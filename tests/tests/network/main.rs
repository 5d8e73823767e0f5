//! The network objects of the generic Linux backend, in network namespaces that the tests make: the tree shows what
//! `ip -j` shows, value by value.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod confirmed;
mod coverage;
mod namespace;
mod notified;
mod path;
mod shown;

use std::collections::BTreeMap;

use namespace::{Namespace, text};

const IP: &str = "Device.IP.Interface.";
const ETHERNET: &str = "Device.Ethernet.Interface.";
const LINK: &str = "Device.Ethernet.Link.";
const VLAN: &str = "Device.Ethernet.VLANTermination.";
const BRIDGE: &str = "Device.Bridging.Bridge.";
const HOST: &str = "Device.Hosts.Host.";
const STACK: &str = "Device.InterfaceStack.";
const IPV4_FORWARDING: &str = "Device.Routing.Router.1.IPv4Forwarding.";

/// A router with an uplink and two LAN ports in a bridge, and the rest of the world.
struct Home {
    router: Namespace,
    world: Namespace,
}

impl Home {
    fn new() -> Option<Self> {
        let (router, world) = (Namespace::new()?, Namespace::new()?);
        for (ours, theirs) in [("wan0", "isp"), ("lan1", "laptop"), ("lan2", "printer")] {
            router.ip(&format!("link add {ours} type veth peer name {theirs} netns {}", world.name));
            router.ip(&format!("link set {ours} up"));
            world.ip(&format!("link set {theirs} up"));
        }
        router.ip("link add br-lan type bridge ageing_time 12300 priority 4096 stp_state 0");
        router.ip("link set br-lan up");
        router.ip("link set lan1 master br-lan");
        router.ip("link set lan2 master br-lan");
        router.ip("addr add 192.0.2.2/24 dev wan0 valid_lft 3600 preferred_lft 1800");
        router.ip("addr add 2001:db8:1::2/64 dev wan0 valid_lft 7200 preferred_lft 3600 nodad");
        router.ip("addr add 192.168.1.1/24 dev br-lan");
        router.ip("addr add fd00:1::1/64 dev br-lan nodad");
        router.ip("route add default via 192.0.2.1 metric 100");
        router.ip("-6 route add default via 2001:db8:1::1 metric 200");
        world.ip("addr add 192.0.2.1/24 dev isp");
        world.ip("addr add 192.168.1.50/24 dev laptop");
        Some(Self { router, world })
    }

    /// Packets in both directions.
    fn talk(&self) {
        for address in ["192.0.2.1", "192.168.1.50"] {
            // A datagram to a closed port is answered by the kernel of the other side.
            let script = format!("exec 3<>/dev/udp/{address}/9 && echo hello >&3");
            self.router.exec("bash").arg("-c").arg(script).status().unwrap();
        }
    }
}

#[test]
fn devices_are_shown_as_ip_shows_them() {
    let Some(home) = Home::new() else { return };
    home.talk();
    home.router.ip("link set lan2 down");
    home.router.ip("link set wan0 mtu 1492");
    home.router.ip("link set lan1 address 02:00:5e:10:00:01");
    shown::links(&home.router);
}

#[test]
fn addresses_are_shown_as_ip_shows_them() {
    let Some(home) = Home::new() else { return };
    let router = &home.router;
    router.ip("addr add 10.1.2.3 peer 10.9.9.9/32 dev wan0");
    router.ip("addr add 169.254.7.7/16 dev br-lan");
    router.ip("addr add 192.168.1.2/24 dev br-lan");
    router.ip("addr add 2001:db8:1::77/128 dev wan0 valid_lft 600 preferred_lft 0 nodad");
    shown::addresses(router);
    let tree = router.tree();
    let rows = tree.rows_by(&format!("{}.IPv4Address.", tree.path(IP, "br-lan")), "IPAddress");
    assert_eq!(rows["169.254.7.7"]["AddressingType"], "AutoIP");
    assert_eq!(rows["192.168.1.1"]["AddressingType"], "Static");
    let rows = tree.rows_by(&format!("{}.IPv4Address.", tree.path(IP, "wan0")), "IPAddress");
    assert_eq!(rows["192.0.2.2"]["AddressingType"], "DHCP");
    assert_eq!(rows["10.1.2.3"]["SubnetMask"], "255.255.255.255");
    let wan0 = tree.path(IP, "wan0");
    let rows = tree.rows_by(&format!("{wan0}.IPv6Address."), "IPAddress");
    assert_eq!(rows["2001:db8:1::77"]["Origin"], "DHCPv6");
    assert_eq!(rows["2001:db8:1::77"]["IPAddressStatus"], "Deprecated");
    assert_eq!(rows["2001:db8:1::77"]["Prefix"], "");
    let prefix = &rows["2001:db8:1::2"]["Prefix"];
    assert_eq!(tree.values[&format!("{prefix}.Prefix")], "2001:db8:1::/64");
}

#[test]
fn routes_are_shown_as_ip_shows_them() {
    let Some(home) = Home::new() else { return };
    let router = &home.router;
    router.ip("route add 198.51.100.0/24 via 192.168.1.50 metric 7");
    router.ip("route add 198.51.100.0/24 via 192.168.1.51 metric 8");
    router.ip("route add blackhole 203.0.113.0/25");
    router.ip("route add prohibit 203.0.113.128/25 metric 4000000000");
    router.ip("route add 10.7.0.0/16 nexthop via 192.168.1.50 weight 1 nexthop via 192.0.2.1 weight 2");
    router.ip("route add 10.8.0.0/16 via 192.0.2.1 proto dhcp");
    router.ip("route add 10.9.0.0/16 dev wan0 table 100");
    router.ip("-6 route add unreachable fd00::/8");
    router.ip("-6 route add 2001:db8:9::/48 via fe80::9 dev wan0 proto ra expires 900");
    router.ip("link set lan2 down");
    shown::routes(router);
    let tree = router.tree();
    let forwarding = tree.rows(IPV4_FORWARDING);
    assert!(forwarding.values().all(|row| row["DestIPAddress"] != "10.9.0.0"), "another table");
    let leased = forwarding.values().find(|row| row["DestIPAddress"] == "10.8.0.0").unwrap();
    assert_eq!((leased["Origin"].as_str(), leased["StaticRoute"].as_str()), ("DHCPv4", "false"));
    assert_eq!(forwarding.values().filter(|row| row["DestIPAddress"] == "10.7.0.0").count(), 2);
}

#[test]
fn hosts_of_the_lan_are_the_neighbours_behind_the_bridge() {
    let Some(home) = Home::new() else { return };
    home.talk();
    let router = &home.router;
    router.ip("neigh replace 192.168.1.50 lladdr 02:00:00:00:00:50 dev br-lan nud reachable");
    router.ip("neigh replace fd00:1::50 lladdr 02:00:00:00:00:50 dev br-lan nud reachable");
    router.ip("neigh replace 192.168.1.51 lladdr 02:00:00:00:00:51 dev br-lan nud permanent");
    router.ip("neigh replace 192.0.2.77 lladdr 02:00:00:00:00:77 dev wan0 nud permanent");
    router.try_ip("neigh replace 192.168.1.52 dev br-lan nud failed");
    // The bridge has seen the first host behind its second port.
    let output = router
        .exec("bridge")
        .args("fdb replace 02:00:00:00:00:50 dev lan2 master static".split(' '))
        .output();
    assert!(output.unwrap().status.success());

    let tree = router.tree();
    let rows = tree.rows_by(HOST, "PhysAddress");
    // As `ip neigh` has them, without those towards the provider.
    let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for neighbour in router.json("neigh show") {
        if neighbour["dev"] != "wan0" && !neighbour["lladdr"].is_null() {
            expected.entry(text(&neighbour["lladdr"])).or_default().push(text(&neighbour["dst"]));
        }
    }
    assert_eq!(rows.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (mac, addresses) in &mut expected {
        let row = &rows[mac];
        let of_table = |name: &str, value: &String| name.ends_with(".IPAddress").then(|| value.clone());
        let mut shown: Vec<String> = row.iter().filter_map(|(name, value)| of_table(name, value)).collect();
        addresses.sort_unstable();
        shown.sort_unstable();
        assert_eq!(shown, *addresses, "{mac}");
        assert_eq!(row["Active"], "true", "{mac}");
        assert_eq!(tree.name_of(&row["Layer3Interface"]), "br-lan");
    }
    let laptop = &rows["02:00:00:00:00:50"];
    assert_eq!(laptop["IPAddress"], "192.168.1.50");
    assert_eq!(laptop["IPv4AddressNumberOfEntries"], "1");
    assert_eq!(laptop["IPv6AddressNumberOfEntries"], "1");
    assert_eq!(tree.name_of(&laptop["Layer1Interface"]), "lan2");
    assert_eq!(laptop["InterfaceType"], "Ethernet");
    assert_eq!(rows["02:00:00:00:00:51"]["Layer1Interface"], "");
}

#[test]
fn what_lies_on_what_is_told_from_the_address_down_to_the_port() {
    let Some(home) = Home::new() else { return };
    let tree = home.router.tree();
    let below = |path: &str| tree.values[&format!("{path}.LowerLayers")].clone();
    let wan = tree.path(IP, "wan0");
    assert_eq!(below(&wan), tree.path(LINK, "wan0"));
    assert_eq!(below(&below(&wan)), tree.path(ETHERNET, "wan0"));
    let bridge = tree.path(BRIDGE, "br-lan");
    let ports = format!("{bridge}.Port.");
    let management = below(&below(&tree.path(IP, "br-lan")));
    assert_eq!(management, tree.path(&ports, "br-lan"));
    assert_eq!(tree.values[&format!("{management}.ManagementPort")], "true");
    assert_eq!(below(&management), [tree.path(&ports, "lan1"), tree.path(&ports, "lan2")].join(","));
    assert_eq!(below(&tree.path(&ports, "lan1")), tree.path(ETHERNET, "lan1"));
    assert!(tree.rows(IP).values().all(|row| row["Name"] != "lan1"), "a port has no addresses");

    // The stack holds exactly these pairs.
    let mut pairs = Vec::new();
    for (name, value) in &tree.values {
        if let Some(higher) = name.strip_suffix(".LowerLayers") {
            pairs.extend(
                value.split(',').filter(|l| !l.is_empty()).map(|l| (higher.to_owned(), l.to_owned())),
            );
        }
    }
    let stack = tree.rows(STACK).into_values();
    let mut shown: Vec<_> =
        stack.map(|row| (row["HigherLayer"].clone(), row["LowerLayer"].clone())).collect();
    pairs.sort_unstable();
    shown.sort_unstable();
    assert_eq!(shown, pairs);

    let upstream: Vec<_> =
        tree.rows(ETHERNET).into_values().map(|row| (row["Name"].clone(), row["Upstream"].clone())).collect();
    let upstream: BTreeMap<_, _> = upstream.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert_eq!(upstream, BTreeMap::from([("lan1", "false"), ("lan2", "false"), ("wan0", "true")]));
}

#[test]
fn a_bridge_is_shown_with_its_settings() {
    let Some(home) = Home::new() else { return };
    let tree = home.router.tree();
    let details = home.router.json("-d link show dev br-lan");
    let data = &details[0]["linkinfo"]["info_data"];
    let bridge = tree.rows_by(BRIDGE, "Name").remove("br-lan").unwrap();
    let hundredths = |key: &str| data[key].as_u64().unwrap();
    assert_eq!(bridge["AgingTime"], (hundredths("ageing_time") / 100).to_string());
    assert_eq!(bridge["AgingTime"], "123");
    assert_eq!(bridge["STP.BridgePriority"], text(&data["priority"]));
    assert_eq!(bridge["STP.HelloTime"], hundredths("hello_time").to_string());
    assert_eq!(bridge["STP.MaxAge"], hundredths("max_age").to_string());
    assert_eq!(bridge["STP.ForwardingDelay"], (hundredths("forward_delay") / 100).to_string());
    assert_eq!(bridge["STP.Enable"], "false");
    for port in ["lan1", "lan2"] {
        let details = home.router.json(&format!("-d link show dev {port}"));
        let data = &details[0]["linkinfo"]["info_slave_data"];
        let row =
            tree.rows_by(&format!("{}.Port.", tree.path(BRIDGE, "br-lan")), "Name").remove(port).unwrap();
        assert_eq!(row["PortState"].to_lowercase(), text(&data["state"]));
        assert_eq!(row["PathCost"], text(&data["cost"]));
        assert_eq!(row["Priority"], (data["priority"].as_u64().unwrap() * 4).to_string());
    }
}

#[test]
fn a_vlan_lies_on_the_link_of_its_device() {
    let Some(router) = Namespace::new() else { return };
    router.ip("link add wan0 type veth peer name isp");
    let output = router.try_ip("link add link wan0 name wan0.7 type vlan id 7");
    if !output.status.success() {
        eprintln!("skipped: this kernel has no VLANs ({})", String::from_utf8_lossy(&output.stderr).trim());
        return;
    }
    router.ip("link set wan0.7 up");
    router.ip("addr add 192.0.2.2/24 dev wan0.7");
    let tree = router.tree();
    let vlan = tree.path(VLAN, "wan0.7");
    assert_eq!(tree.values[&format!("{}.LowerLayers", tree.path(IP, "wan0.7"))], vlan);
    assert_eq!(tree.values[&format!("{vlan}.LowerLayers")], tree.path(LINK, "wan0"));
    assert_eq!(tree.values[&format!("{vlan}.VLANID")], "7");
    assert_eq!(tree.values[&format!("{vlan}.TPID")], "33024");
}

#[test]
fn a_row_that_comes_back_has_its_number_and_nothing_is_written_meanwhile() {
    let Some(router) = Namespace::new() else { return };
    let folder = tempfile::tempdir().unwrap();
    let numbers = folder.path().join("instances.json");
    router.ip("link add a0 type veth peer name b0");
    router.ip("addr add 192.0.2.2/24 dev a0");
    router.ip("addr add 192.0.2.3/24 dev a0");
    let first = router.tree_with(&numbers);
    // The rows of the network, and those of the users.
    assert_eq!(first.told["saves"], 2);
    // The same again, in another start of the program.
    let again = router.tree_with(&numbers);
    assert_eq!(again.told["saves"], 0);
    // Another device takes the place of the first, which comes back with another index.
    router.ip("link del a0");
    router.ip("link add c0 type veth peer name d0");
    router.ip("link add a0 type veth peer name b0");
    router.ip("addr add 192.0.2.3/24 dev a0");
    let second = router.tree_with(&numbers);
    assert_eq!(second.told["saves"], 1);
    assert_eq!(second.path(IP, "a0"), first.path(IP, "a0"));
    let table = format!("{}.IPv4Address.", first.path(IP, "a0"));
    let number = |tree: &namespace::Tree| {
        let rows = tree.rows(&table);
        rows.into_iter().find(|(_, row)| row["IPAddress"] == "192.0.2.3").unwrap().0
    };
    assert_eq!(number(&second), number(&first));
    let taken: Vec<u32> = first.rows(IP).into_keys().collect();
    for name in ["c0", "d0"] {
        let path = second.path(IP, name);
        assert!(taken.iter().all(|number| path != format!("{IP}{number}")), "{path} was another device's");
    }
}

#[test]
fn the_uplink_is_the_way_of_the_best_default_route() {
    let Some(home) = Home::new() else { return };
    let uplink = home.router.tree().told["uplink"].clone();
    let expected = serde_json::json!({"device": "wan0", "gateway": "192.0.2.1", "source": "192.0.2.2"});
    assert_eq!(uplink, expected);
    home.router.ip("route add default via 192.168.1.50 metric 50 src 192.168.1.1");
    let tree = home.router.tree();
    let expected =
        serde_json::json!({"device": "br-lan", "gateway": "192.168.1.50", "source": "192.168.1.1"});
    assert_eq!(tree.told["uplink"], expected);
    home.router.ip("route del default metric 50");
    home.router.ip("route del default metric 100");
    let uplink = home.router.tree().told["uplink"].clone();
    assert_eq!(uplink["gateway"], "2001:db8:1::1");
    home.router.ip("-6 route del default");
    assert!(home.router.tree().told["uplink"].is_null());

    let names = &tree.told["names"];
    assert_eq!(names[tree.path(IP, "wan0")], "wan0");
    assert_eq!(names[tree.path(ETHERNET, "lan1")], "lan1");
    assert!(names[tree.path(&format!("{}.Port.", tree.path(BRIDGE, "br-lan")), "lan1")].is_null());
}

#[test]
fn a_change_of_the_network_is_heard_of() {
    let Some(router) = Namespace::new() else { return };
    router.ip("link add a0 type veth peer name b0");
    for change in [
        "addr add 192.0.2.2/24 dev a0",
        "addr add 2001:db8::2/64 dev a0",
        "link set a0 up",
        "link set a0 mtu 1400",
        "route add blackhole 203.0.113.0/24",
        "-6 route add blackhole 2001:db8:7::/48",
        "addr del 192.0.2.2/24 dev a0",
    ] {
        let mut listener = router.listener();
        router.ip(change);
        assert_eq!(listener.line(), "changed", "{change}");
    }
}

#[test]
fn the_cost_of_a_parameter_does_not_grow_with_their_number() {
    let Some(router) = Namespace::new() else { return };
    router.ip("link add a0 type veth peer name b0");
    router.ip("addr add 192.0.2.2/16 dev a0");
    router.ip("link set a0 up");
    router.ip("link set b0 up");
    let cost = || {
        // The best of a few: others work on this machine too.
        let trees = (0..5).map(|_| router.tree());
        let costs = trees.map(|tree| {
            let forwarding = tree.values.keys().filter(|name| name.contains("IPv4Forwarding")).count();
            (tree.told["microseconds"].as_u64().unwrap(), forwarding)
        });
        costs.min().unwrap()
    };
    let (few, _) = cost();
    let mut batch =
        router.exec("ip").args(["-batch", "-"]).stdin(std::process::Stdio::piped()).spawn().unwrap();
    let routes: String =
        (0..1800).map(|n| format!("route add 10.{}.{}.0/24 via 192.0.2.1\n", n / 256, n % 256)).collect();
    std::io::Write::write_all(&mut batch.stdin.take().unwrap(), routes.as_bytes()).unwrap();
    assert!(batch.wait().unwrap().success());
    let (many, parameters) = cost();
    assert!(parameters > 20_000, "{parameters}");
    let each = many.saturating_sub(few) / u64::try_from(parameters).unwrap();
    eprintln!("{parameters} more parameters cost {} us more, {each} us each", many.saturating_sub(few));
    // A reading that asked the kernel, or looked through a list, for each row would take hundreds.
    assert!(each < 40, "{each} us a parameter");
}

//! Name servers, the firewall's rules and DHCPv6 on a router that is played.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod played;

use played::{add, changed, delete, file, on, refused, row, values};

#[test]
fn a_name_server_is_added_to_the_line_and_taken_away() {
    on(async |router, _, tree| {
        let original = file(router, "network");
        let told = row(tree, "Device.DNS.Client.Server.", "DNSServer", "203.0.113.53").await;
        assert_eq!(values(tree, &told).await[&format!("{told}Type")], "IPCP");
        let server = add(tree, "Device.DNS.Client.Server.").await;
        let changes = [("DNSServer", "192.0.2.53"), ("Enable", "true")];
        assert_eq!(
            changed(router, tree, "network", &server, &changes).await,
            "+ list dns '192.0.2.53'\n- option enabled '0'\n+ option enabled '1'\n\
             + option server '192.0.2.53'\n+ option interface 'wan'\n"
        );
        let read = values(tree, &server).await;
        assert_eq!(read[&format!("{server}Status")], "Enabled");
        let wan = row(tree, "Device.IP.Interface.", "Name", "pppoe-wan").await;
        assert_eq!(read[&format!("{server}Interface")], wan.trim_end_matches('.'));
        // dnsmasq asks whom the box asks.
        row(tree, "Device.DNS.Relay.Forwarding.", "DNSServer", "192.0.2.53").await;
        delete(tree, &server).await.unwrap();
        assert_eq!(file(router, "network"), original);
        assert!(delete(tree, &told).await.is_err());
    });
}

#[test]
fn a_rule_keeps_a_host_from_the_internet() {
    on(async |router, _, tree| {
        let original = file(router, "firewall");
        let path = |name: &'static str| row(tree, "Device.IP.Interface.", "Name", name);
        let (lan, wan) = (path("br-lan").await, path("pppoe-wan").await);
        let (lan, wan) = (lan.trim_end_matches('.'), wan.trim_end_matches('.'));
        let rule = add(tree, "Device.Firewall.Chain.1.Rule.").await;
        let changes = [
            ("SourceInterface", lan),
            ("DestInterface", wan),
            ("SourceMAC", "02:00:5e:10:00:06"),
            ("Target", "Reject"),
            ("Enable", "true"),
        ];
        assert_eq!(
            changed(router, tree, "firewall", &rule, &changes).await,
            "- option enabled '0'\n- option target 'DROP'\n+ option target 'REJECT'\n+ option src 'lan'\n\
             + option dest 'wan'\n+ option src_mac '02:00:5e:10:00:06'\n"
        );
        assert_eq!(values(tree, &rule).await[&format!("{rule}Status")], "Enabled");
        let port = format!("{rule}DestPortRangeMax");
        assert_eq!(refused(router, tree, "firewall", &port, "90").await, "9007");
        delete(tree, &rule).await.unwrap();
        assert_eq!(file(router, "firewall"), original);
    });
}

#[test]
fn those_with_a_lease_of_dhcpv6_are_clients_of_the_pool() {
    on(async |router, _, tree| {
        let pool = row(tree, "Device.DHCPv6.Server.Pool.", "Status", "Enabled").await;
        let leases = router.world(|world| world.hosts.iter().filter(|host| host.lease6).count());
        let clients = values(tree, &format!("{pool}Client.")).await;
        let is_address = |name: &&String| name.contains(".IPv6Address.") && name.ends_with(".IPAddress");
        assert!(leases > 0);
        assert_eq!(clients.keys().filter(is_address).count(), leases);
        assert_eq!(
            clients.iter().filter(|(name, value)| name.ends_with(".Active") && *value == "true").count(),
            leases
        );
        let client = row(tree, "Device.DHCPv6.Client.", "Status", "Enabled").await;
        let received = values(tree, &format!("{client}ReceivedOption.")).await;
        let servers = received.values().any(|value| value == "20010DB800FF00000000000000000053");
        assert!(servers, "{received:?}");
        assert_eq!(
            changed(router, tree, "dhcp", &pool, &[("Enable", "false")]).await,
            "- option dhcpv6 'server'\n+ option dhcpv6 'disabled'\n"
        );
        assert_eq!(values(tree, &pool).await[&format!("{pool}Status")], "Disabled");
    });
}

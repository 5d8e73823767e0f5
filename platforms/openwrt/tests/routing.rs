//! Device.Routing on a router that is played.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod played;

use cwmpd_test_router::difference;
use played::{add, changed, delete, file, on, refused, row, text, values};

const V4: &str = "Device.Routing.Router.1.IPv4Forwarding.";
const V6: &str = "Device.Routing.Router.1.IPv6Forwarding.";
const NETWORK: &str = "network";

#[test]
fn static_routes_come_first_then_those_of_the_kernel() {
    on(async |_, _, tree| {
        assert_eq!(text(tree, "Device.Routing.").await, include_str!("read/routing.txt"));
    });
}

#[test]
fn a_route_is_added_changed_and_deleted() {
    on(async |router, _, tree| {
        let lan = row(tree, "Device.IP.Interface.", "Name", "br-lan").await;
        let lan = lan.trim_end_matches('.');
        let original = file(router, NETWORK);
        let route = add(tree, V4).await;
        let fresh = values(tree, &route).await;
        let value = |name: &str| fresh[&format!("{route}{name}")].as_str();
        assert_eq!((value("Enable"), value("Status"), value("Type")), ("false", "Disabled", "Normal"));
        assert_eq!((value("DestIPAddress"), value("Interface"), value("ForwardingMetric")), ("", "", "-1"));
        for (changes, expected) in [
            (
                &[("DestIPAddress", "198.51.100.0"), ("DestSubnetMask", "255.255.255.0")][..],
                "+ option target '198.51.100.0'\n+ option netmask '255.255.255.0'\n",
            ),
            (
                &[("GatewayIPAddress", "192.168.1.9"), ("Interface", lan), ("ForwardingMetric", "7")],
                "+ option gateway '192.168.1.9'\n+ option interface 'lan'\n+ option metric '7'\n",
            ),
            (&[("Enable", "true")], "- option disabled '1'\n"),
            (&[("Type", "Blackhole")], "+ option type 'blackhole'\n"),
            (
                &[("Type", "Normal"), ("ForwardingMetric", "-1")],
                "- option metric '7'\n- option type 'blackhole'\n",
            ),
            (
                &[("GatewayIPAddress", ""), ("Interface", "")],
                "- option gateway '192.168.1.9'\n- option interface 'lan'\n",
            ),
        ] {
            assert_eq!(changed(router, tree, NETWORK, &route, changes).await, expected, "{changes:?}");
        }
        // It is configured, and the kernel has no such route.
        assert_eq!(values(tree, &route).await[&format!("{route}Status")], "Error");
        for (name, value, code) in [
            ("DestSubnetMask", "255.0.255.0", "9007"),
            ("DestIPAddress", "300.1.1.1", "9007"),
            ("Interface", "Device.IP.Interface.99", "9007"),
            ("Type", "Receive", "9007"),
            ("StaticRoute", "false", "9008"),
        ] {
            assert_eq!(
                refused(router, tree, NETWORK, &format!("{route}{name}"), value).await,
                code,
                "{name}"
            );
        }
        delete(tree, &route).await.unwrap();
        assert_eq!(difference(&original, &file(router, NETWORK)), "");
    });
}

#[test]
fn a_route_of_ipv6_is_added_changed_and_deleted() {
    on(async |router, _, tree| {
        let original = file(router, NETWORK);
        let route = add(tree, V6).await;
        assert_eq!(
            changed(
                router,
                tree,
                NETWORK,
                &route,
                &[("DestIPPrefix", "2001:db8:9::/48"), ("NextHop", "fe80::9"), ("Enable", "true")]
            )
            .await,
            "- option disabled '1'\n+ option target '2001:db8:9::/48'\n+ option gateway 'fe80::9'\n"
        );
        let name = format!("{route}DestIPPrefix");
        assert_eq!(values(tree, &route).await[&name], "2001:db8:9::/48");
        assert_eq!(refused(router, tree, NETWORK, &name, "2001:db8::/129").await, "9007");
        delete(tree, &route).await.unwrap();
        assert_eq!(difference(&original, &file(router, NETWORK)), "");
    });
}

#[test]
fn what_the_kernel_has_made_stays() {
    on(async |router, _, tree| {
        let route = row(tree, V4, "DestIPAddress", "192.168.3.0").await;
        assert_eq!(refused(router, tree, NETWORK, &format!("{route}Enable"), "false").await, "9008");
        assert!(delete(tree, &route).await.unwrap_err().contains("9005"));
        // A section without a name is known by its target, and keeps it.
        let anonymous = row(tree, V6, "DestIPPrefix", "2001:db8:77::/48").await;
        let name = format!("{anonymous}DestIPPrefix");
        assert_eq!(refused(router, tree, NETWORK, &name, "2001:db8:78::/48").await, "9008");
        assert_eq!(
            changed(router, tree, NETWORK, &anonymous, &[("ForwardingMetric", "9")]).await,
            "+ option metric '9'\n"
        );
    });
}

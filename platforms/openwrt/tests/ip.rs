//! What the ACS changes of Device.IP on a router that is played.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod played;

use cwmpd_test_router::difference;
use played::{add, changed, delete, file, on, refused, row, text, values};

const TABLE: &str = "Device.IP.Interface.";
const NETWORK: &str = "network";

#[test]
fn an_interface_is_changed() {
    on(async |router, _, tree| {
        let guest = row(tree, TABLE, "Name", "br-guest").await;
        for (changes, expected) in [
            (&[("Enable", "false")][..], "+ option disabled '1'\n"),
            (&[("IPv6Enable", "false")], "+ option ipv6 '0'\n"),
            (&[("IPv6Enable", "true"), ("Enable", "true")], "- option disabled '1'\n- option ipv6 '0'\n"),
            (&[("MaxMTUSize", "1400")], "+ option mtu '1400'\n"),
            (
                &[("LowerLayers", "Device.Ethernet.Link.1")],
                "- option device 'br-guest'\n+ option device 'eth0'\n",
            ),
        ] {
            assert_eq!(changed(router, tree, NETWORK, &guest, changes).await, expected, "{changes:?}");
        }
        let after = values(tree, &guest).await;
        assert_eq!(after[&format!("{guest}LowerLayers")], "Device.Ethernet.Link.1");
        let wan = row(tree, TABLE, "Name", "pppoe-wan").await;
        for (name, value, code) in [
            (format!("{guest}LowerLayers"), "Device.Ethernet.Link.99", "9007"),
            (format!("{guest}MaxMTUSize"), "63", "9007"),
            (format!("{guest}IPv4Enable"), "false", "9008"),
            (format!("{wan}LowerLayers"), "Device.Ethernet.Link.1", "9008"),
            (format!("{wan}IPv4Address.1.IPAddress"), "192.0.2.1", "9008"),
            ("Device.IP.IPv6Enable".to_owned(), "false", "9008"),
        ] {
            assert_eq!(refused(router, tree, NETWORK, &name, value).await, code, "{name}");
        }
    });
}

#[test]
fn the_address_of_the_lan_is_changed_and_keeps_its_row() {
    on(async |router, _, tree| {
        let lan = format!("{}IPv4Address.1.", row(tree, TABLE, "Name", "br-lan").await);
        assert_eq!(
            changed(router, tree, NETWORK, &lan, &[("IPAddress", "10.0.0.1"), ("SubnetMask", "255.255.0.0")])
                .await,
            "- option ipaddr '192.168.1.1'\n- option netmask '255.255.255.0'\n+ option ipaddr '10.0.0.1'\n\
             + option netmask '255.255.0.0'\n"
        );
        let after = values(tree, &lan).await;
        assert_eq!(after[&format!("{lan}IPAddress")], "10.0.0.1");
        assert_eq!(after[&format!("{lan}SubnetMask")], "255.255.0.0");
        // One that is written with its length.
        let guest = format!("{}IPv4Address.1.", row(tree, TABLE, "Name", "br-guest").await);
        assert_eq!(
            changed(
                router,
                tree,
                NETWORK,
                &guest,
                &[("IPAddress", "10.9.0.1"), ("SubnetMask", "255.255.0.0")]
            )
            .await,
            "- list ipaddr '192.168.3.1/24'\n+ list ipaddr '10.9.0.1/16'\n"
        );
        for (name, value, code) in [
            ("IPAddress", "224.0.0.1", "9007"),
            ("SubnetMask", "255.0.255.0", "9007"),
            ("AddressingType", "DHCP", "9008"),
            ("Enable", "false", "9008"),
        ] {
            assert_eq!(refused(router, tree, NETWORK, &format!("{lan}{name}"), value).await, code, "{name}");
        }
    });
}

#[test]
fn an_interface_is_added_and_deleted() {
    on(async |router, _, tree| {
        let original = file(router, NETWORK);
        let interface = add(tree, TABLE).await;
        let number = interface.strip_prefix(TABLE).unwrap().trim_end_matches('.').to_owned();
        assert_eq!(
            difference(&original, &file(router, NETWORK)),
            format!("+config interface 'cwmp_if_{number}'\n+ option proto 'static'\n+ option disabled '1'\n")
        );
        let added = text(tree, &interface).await;
        assert!(added.contains("Enable=false\n") && added.contains("LowerLayers=\n"), "{added}");
        let address = format!("{interface}IPv4Address.1.");
        assert_eq!(
            changed(
                router,
                tree,
                NETWORK,
                &address,
                &[("IPAddress", "10.8.0.1"), ("SubnetMask", "255.255.255.0")]
            )
            .await,
            "+ option ipaddr '10.8.0.1'\n+ option netmask '255.255.255.0'\n"
        );
        delete(tree, &interface).await.unwrap();
        assert_eq!(difference(&original, &file(router, NETWORK)), "");
        assert!(delete(tree, &interface).await.unwrap_err().contains("9005"));
        let lo = row(tree, TABLE, "Name", "lo").await;
        assert!(delete(tree, &lo).await.unwrap_err().contains("9005"));
    });
}

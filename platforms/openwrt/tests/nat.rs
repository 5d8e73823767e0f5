//! Device.NAT on a router that is played.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod played;

use cwmpd_test_router::difference;
use played::{add, changed, delete, file, on, refused, row, text, values};

const MAPPINGS: &str = "Device.NAT.PortMapping.";
const FIREWALL: &str = "firewall";

#[test]
fn masquerading_zones_and_redirects_are_shown() {
    on(async |_, _, tree| {
        assert_eq!(text(tree, "Device.NAT.").await, include_str!("read/nat.txt"));
    });
}

#[test]
fn the_uplink_masquerades_or_not() {
    on(async |router, _, tree| {
        let wan = "Device.NAT.InterfaceSetting.1.";
        assert_eq!(
            changed(router, tree, FIREWALL, wan, &[("Enable", "false")]).await,
            "- option masq '1'\n+ option masq '0'\n"
        );
        assert_eq!(values(tree, wan).await[&format!("{wan}Status")], "Disabled");
        assert_eq!(refused(router, tree, FIREWALL, &format!("{wan}Interface"), "").await, "9008");
    });
}

#[test]
fn a_mapping_is_added_changed_and_deleted() {
    on(async |router, _, tree| {
        let wan = row(tree, "Device.IP.Interface.", "Name", "pppoe-wan").await;
        let wan = wan.trim_end_matches('.');
        let original = file(router, FIREWALL);
        let mapping = add(tree, MAPPINGS).await;
        let fresh = values(tree, &mapping).await;
        assert_eq!(fresh[&format!("{mapping}Status")], "Disabled");
        for (changes, expected) in [
            (
                &[("Interface", wan), ("ExternalPort", "8000"), ("ExternalPortEndRange", "8010")][..],
                "+ option src 'wan'\n+ option src_dport '8000-8010'\n",
            ),
            (
                &[("InternalClient", "192.168.1.77"), ("InternalPort", "80")],
                "+ option dest_ip '192.168.1.77'\n+ option dest 'lan'\n+ option dest_port '80'\n",
            ),
            (&[("Protocol", "UDP")], "- option proto 'tcp'\n+ option proto 'udp'\n"),
            (
                &[("RemoteHost", "192.0.2.9"), ("Description", "camera")],
                "+ option src_ip '192.0.2.9'\n+ option name 'camera'\n",
            ),
            (
                &[("Enable", "true"), ("ExternalPortEndRange", "0")],
                "- option enabled '0'\n- option src_dport '8000-8010'\n+ option src_dport '8000'\n",
            ),
        ] {
            assert_eq!(changed(router, tree, FIREWALL, &mapping, changes).await, expected, "{changes:?}");
        }
        assert_eq!(values(tree, &mapping).await[&format!("{mapping}Status")], "Enabled");
        for (name, value, code) in [
            ("Interface", "Device.IP.Interface.99", "9007"),
            ("InternalClient", "203.0.113.200", "9007"),
            ("InternalClient", "camera.lan", "9007"),
            ("RemoteHost", "example.com", "9007"),
            ("Protocol", "SCTP", "9007"),
            ("AllInterfaces", "true", "9008"),
        ] {
            let name = format!("{mapping}{name}");
            assert_eq!(refused(router, tree, FIREWALL, &name, value).await, code, "{name}");
        }
        changed(router, tree, FIREWALL, &mapping, &[("LeaseDuration", "3600")]).await;
        let left: u32 = values(tree, &mapping).await[&format!("{mapping}LeaseDuration")].parse().unwrap();
        assert!((3500..=3600).contains(&left), "{left} seconds are left");
        delete(tree, &mapping).await.unwrap();
        assert_eq!(difference(&original, &file(router, FIREWALL)), "");
        assert!(delete(tree, &mapping).await.unwrap_err().contains("9005"));
    });
}

//! Device.Ethernet on a router that is played.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod played;

use cwmpd_test_router::difference;
use played::{add, changed, delete, file, on, refused, row, text, values};

const PORTS: &str = "Device.Ethernet.Interface.";
const LINKS: &str = "Device.Ethernet.Link.";
const VLANS: &str = "Device.Ethernet.VLANTermination.";
const NETWORK: &str = "network";

#[test]
fn ports_links_and_vlans_are_the_devices_of_the_box() {
    on(async |_, _, tree| {
        let all = text(tree, "Device.Ethernet.").await;
        let shown: String =
            all.lines().filter(|line| !line.contains(".Stats.")).map(|line| format!("{line}\n")).collect();
        assert_eq!(shown, include_str!("read/ethernet.txt"));
        let counted = text(tree, &format!("{PORTS}1.Stats.")).await;
        assert!(counted.contains("BytesReceived=96000246\n"), "{counted}");
    });
}

#[test]
fn a_port_is_switched_and_held_to_a_rate() {
    on(async |router, _, tree| {
        let port = row(tree, PORTS, "Name", "lan2").await;
        let changes = [("Enable", "false"), ("MaxBitRate", "100"), ("DuplexMode", "Full")];
        assert_eq!(
            changed(router, tree, NETWORK, &port, &changes).await,
            "+config device 'cwmp_dev_lan2'\n+ option name 'lan2'\n+ option enabled '0'\n+ option speed '100'\n\
             + option autoneg '0'\n+ option duplex '1'\n"
        );
        let after = values(tree, &port).await;
        let value = |name: &str| after[&format!("{port}{name}")].as_str();
        assert_eq!((value("Enable"), value("MaxBitRate"), value("DuplexMode")), ("false", "100", "Full"));
        let changes = [("Enable", "true"), ("MaxBitRate", "-1"), ("DuplexMode", "Auto")];
        assert_eq!(
            changed(router, tree, NETWORK, &port, &changes).await,
            "- option enabled '0'\n- option speed '100'\n- option autoneg '0'\n- option duplex '1'\n"
        );
        assert_eq!(
            changed(router, tree, NETWORK, &port, &[("DuplexMode", "Half")]).await,
            "+ option duplex '0'\n+ option autoneg '0'\n"
        );
        for (name, value, code) in
            [("MaxBitRate", "77", "9007"), ("LowerLayers", "Device.IP.Interface.1", "9008")]
        {
            assert_eq!(refused(router, tree, NETWORK, &format!("{port}{name}"), value).await, code, "{name}");
        }
    });
}

#[test]
fn a_link_takes_an_address() {
    on(async |router, _, tree| {
        let link = row(tree, LINKS, "Name", "wan").await;
        assert_eq!(
            changed(router, tree, NETWORK, &link, &[("MACAddress", "02:AB:00:00:00:01")]).await,
            "- option macaddr '00:00:5e:00:53:02'\n+ option macaddr '02:ab:00:00:00:01'\n"
        );
        assert_eq!(values(tree, &link).await[&format!("{link}MACAddress")], "02:ab:00:00:00:01");
        assert_eq!(
            changed(router, tree, NETWORK, &link, &[("MACAddress", "")]).await,
            "- option macaddr '02:ab:00:00:00:01'\n"
        );
        let name = format!("{link}MACAddress");
        assert_eq!(refused(router, tree, NETWORK, &name, "01:00:5e:00:00:01").await, "9007");
        assert_eq!(refused(router, tree, NETWORK, &format!("{link}Enable"), "false").await, "9008");
    });
}

#[test]
fn a_vlan_is_added_changed_and_deleted() {
    on(async |router, _, tree| {
        let original = file(router, NETWORK);
        let vlan = add(tree, VLANS).await;
        let number = vlan.strip_prefix(VLANS).unwrap().trim_end_matches('.').to_owned();
        assert_eq!(
            difference(&original, &file(router, NETWORK)),
            format!(
                "+config device 'cwmp_vlan_{number}'\n+ option type '8021q'\n+ option name 'cwmp_vlan_{number}'\n\
                 + option vid '1'\n+ option enabled '0'\n"
            )
        );
        assert_eq!(
            text(tree, &vlan).await,
            format!(
                "Alias=cpe-{number}\nEnable=false\nLowerLayers=\nName=cwmp_vlan_{number}\nStatus=Down\nTPID=33024\nVLANID=1\n"
            )
        );
        let link = row(tree, LINKS, "Name", "wan").await;
        let link = link.trim_end_matches('.');
        let changes = [("LowerLayers", link), ("VLANID", "35"), ("TPID", "34984"), ("Enable", "true")];
        assert_eq!(
            changed(router, tree, NETWORK, &vlan, &changes).await,
            "- option type '8021q'\n+ option type '8021ad'\n- option vid '1'\n- option enabled '0'\n\
             + option vid '35'\n+ option ifname 'wan'\n"
        );
        let after = values(tree, &vlan).await;
        let value = |name: &str| after[&format!("{vlan}{name}")].as_str();
        assert_eq!((value("LowerLayers"), value("VLANID"), value("TPID")), (link, "35", "34984"));
        for (name, value, code) in [
            ("TPID", "1", "9007"),
            ("VLANID", "4095", "9007"),
            ("LowerLayers", "Device.Ethernet.Link.99", "9007"),
            ("LowerLayers", vlan.trim_end_matches('.'), "9007"),
            ("Name", "x", "9008"),
        ] {
            assert_eq!(refused(router, tree, NETWORK, &format!("{vlan}{name}"), value).await, code, "{name}");
        }
        delete(tree, &vlan).await.unwrap();
        assert_eq!(difference(&original, &file(router, NETWORK)), "");
        assert!(delete(tree, &vlan).await.unwrap_err().contains("9005"));
    });
}

#[test]
fn references_to_a_deleted_vlan_become_empty() {
    on(async |router, _, tree| {
        let vlan = row(tree, VLANS, "Name", "wan.7").await;
        let before = file(router, NETWORK);
        delete(tree, &vlan).await.unwrap();
        assert_eq!(
            difference(&before, &file(router, NETWORK)),
            "-config device 'wan_vlan'\n- option type '8021q'\n- option ifname 'wan'\n- option vid '7'\n\
             - option name 'wan.7'\n- option device 'wan.7'\n"
        );
        // A name like `wan.8` is a device without a section.
        let named = row(tree, VLANS, "Name", "wan.8").await;
        assert!(delete(tree, &named).await.is_err());
    });
}

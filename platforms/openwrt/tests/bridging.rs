//! Device.Bridging and Device.InterfaceStack on a router that is played.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod played;

use cwmpd_test_router::difference;
use played::{add, changed, delete, file, on, refused, row, text, values};

const TABLE: &str = "Device.Bridging.Bridge.";
const NETWORK: &str = "network";

#[test]
fn bridges_are_shown_with_their_ports_and_vlans() {
    on(async |_, _, tree| {
        let all = text(tree, "Device.Bridging.").await;
        let shown: String =
            all.lines().filter(|line| !line.contains(".Stats.")).map(|line| format!("{line}\n")).collect();
        assert_eq!(shown, include_str!("read/bridging.txt"));
    });
}

#[test]
fn a_bridge_is_changed() {
    on(async |router, _, tree| {
        let bridge = row(tree, TABLE, "Name", "br-guest").await;
        for (changes, expected) in [
            (&[("Enable", "false")][..], "+ option enabled '0'\n"),
            (
                &[("Standard", "802.1Q-2011"), ("AgingTime", "120")],
                "+ option vlan_filtering '1'\n+ option ageing_time '120'\n",
            ),
            (&[("Standard", "802.1D-2004")], "- option vlan_filtering '1'\n"),
            (
                &[
                    ("STP.Enable", "true"),
                    ("STP.BridgePriority", "4096"),
                    ("STP.HelloTime", "300"),
                    ("STP.MaxAge", "1500"),
                    ("STP.ForwardingDelay", "10"),
                ],
                "+ option stp '1'\n+ option priority '4096'\n+ option hello_time '3'\n+ option max_age '15'\n\
                 + option forward_delay '10'\n",
            ),
        ] {
            assert_eq!(changed(router, tree, NETWORK, &bridge, changes).await, expected, "{changes:?}");
        }
        let after = values(tree, &bridge).await;
        let value = |name: &str| after[&format!("{bridge}{name}")].as_str();
        assert_eq!((value("STP.HelloTime"), value("STP.MaxAge"), value("AgingTime")), ("300", "1500", "120"));
        for (name, value, code) in [
            ("AgingTime", "9", "9007"),
            ("STP.HelloTime", "250", "9007"),
            ("STP.ForwardingDelay", "31", "9007"),
            ("STP.Protocol", "RSTP", "9008"),
            ("Name", "x", "9008"),
        ] {
            assert_eq!(
                refused(router, tree, NETWORK, &format!("{bridge}{name}"), value).await,
                code,
                "{name}"
            );
        }
    });
}

#[test]
fn a_bridge_is_added_and_deleted() {
    on(async |router, _, tree| {
        let original = file(router, NETWORK);
        let bridge = add(tree, TABLE).await;
        assert_eq!(
            difference(&original, &file(router, NETWORK)),
            "+config device 'cwmp_br_4'\n+ option type 'bridge'\n+ option name 'cwmp_br_4'\n+ option enabled '0'\n"
        );
        let added = values(tree, &bridge).await;
        let value = |name: &str| added[&format!("{bridge}{name}")].as_str();
        assert_eq!((value("Enable"), value("Status"), value("STP.Enable")), ("false", "Disabled", "false"));
        // It has a link, so that an interface can be laid upon it.
        row(tree, "Device.Ethernet.Link.", "Name", "cwmp_br_4").await;
        delete(tree, &bridge).await.unwrap();
        assert_eq!(difference(&original, &file(router, NETWORK)), "");
        assert!(delete(tree, &bridge).await.unwrap_err().contains("9005"));
    });
}

#[test]
fn ports_and_vlans_are_taken_out() {
    on(async |router, _, tree| {
        let before = file(router, NETWORK);
        let lan = row(tree, TABLE, "Name", "br-lan").await;
        let port = row(tree, &format!("{lan}Port."), "Name", "lan2").await;
        delete(tree, &port).await.unwrap();
        assert_eq!(difference(&before, &file(router, NETWORK)), "- list ports 'lan2'\n");
        // The port that stands for the bridge stays.
        assert!(delete(tree, &format!("{lan}Port.1.")).await.is_err());
        let iptv = row(tree, TABLE, "Name", "br-iptv").await;
        let ports = format!("{iptv}VLANPort.");
        let untagged = row(tree, &ports, "Untagged", "true").await;
        assert_eq!(
            changed(router, tree, NETWORK, &untagged, &[("Untagged", "false")]).await,
            "- list ports 'lan4:u*'\n+ list ports 'lan4:t*'\n"
        );
        assert_eq!(refused(router, tree, NETWORK, &format!("{untagged}Port"), "").await, "9008");
        let before = file(router, NETWORK);
        delete(tree, &untagged).await.unwrap();
        assert_eq!(difference(&before, &file(router, NETWORK)), "- list ports 'lan4:t*'\n");
        let before = file(router, NETWORK);
        delete(tree, &format!("{iptv}VLAN.1.")).await.unwrap();
        assert_eq!(
            difference(&before, &file(router, NETWORK)),
            "-config bridge-vlan\n- option device 'br-iptv'\n- option vlan '20'\n- list ports 'wan.8:t'\n"
        );
    });
}

#[test]
fn a_vlan_whose_section_has_a_name_takes_another_id() {
    on(async |router, _, tree| {
        let path = router.root().join("etc/config/network");
        let text = file(router, NETWORK).replace("config bridge-vlan\n", "config bridge-vlan 'iptv_vlan'\n")
            + "\nconfig bridge-vlan 'other'\n\toption device 'br-iptv'\n\toption vlan '30'\n\n";
        std::fs::write(path, text).unwrap();
        let vlan = row(tree, TABLE, "VLANID", "20").await;
        let name = format!("{vlan}VLANID");
        assert_eq!(
            changed(router, tree, NETWORK, &vlan, &[("VLANID", "21")]).await,
            "- option vlan '20'\n+ option vlan '21'\n"
        );
        assert_eq!(values(tree, &vlan).await[&name], "21");
        assert_eq!(refused(router, tree, NETWORK, &name, "30").await, "9007");
    });
}

#[test]
fn the_stack_leads_from_each_interface_down_to_its_ports() {
    on(async |_, _, tree| {
        let stack = values(tree, "Device.InterfaceStack.").await;
        let higher = stack.iter().filter_map(|(name, value)| {
            let row = name.strip_suffix("HigherLayer")?;
            Some((value.clone(), stack[&format!("{row}LowerLayer")].clone()))
        });
        let pairs: std::collections::BTreeSet<(String, String)> = higher.collect();
        let all = values(tree, "Device.").await;
        let mut expected = std::collections::BTreeSet::new();
        for (name, value) in &all {
            let Some(row) = name.strip_suffix(".LowerLayers") else { continue };
            for lower in value.split(',').filter(|lower| !lower.is_empty()) {
                assert!(all.contains_key(&format!("{lower}.Enable")), "{name} leads to {lower}");
                expected.insert((row.to_owned(), lower.to_owned()));
            }
        }
        assert_eq!(pairs, expected);
        let mut at =
            row(tree, "Device.IP.Interface.", "Name", "pppoe-wan").await.trim_end_matches('.').to_owned();
        let mut way = Vec::new();
        while let Some((_, lower)) = pairs.iter().find(|(higher, _)| *higher == at) {
            way.push(all[&format!("{lower}.Name")].clone());
            at = lower.clone();
        }
        assert_eq!(way, ["pppoe-wan", "wan.7", "wan", "wan"]);
    });
}

//! Device.PPP on a router that is played.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod played;

use cwmpd_test_router::difference;
use played::{add, changed, delete, file, on, refused, row, set, text, values};

const TABLE: &str = "Device.PPP.Interface.";
const NETWORK: &str = "network";

#[test]
fn a_line_is_read_without_its_password() {
    on(async |_, _, tree| {
        let all = text(tree, "Device.PPP.").await;
        let shown: String =
            all.lines().filter(|line| !line.contains(".Stats.")).map(|line| format!("{line}\n")).collect();
        assert_eq!(shown, include_str!("read/ppp.txt"));
        assert!(shown.contains("Password=\n"));
        let ip = row(tree, "Device.IP.Interface.", "LowerLayers", "Device.PPP.Interface.1").await;
        assert_eq!(values(tree, &ip).await[&format!("{ip}Name")], "pppoe-wan");
    });
}

#[test]
fn everything_of_a_line_is_changed() {
    on(async |router, _, tree| {
        let line = format!("{TABLE}1.");
        for (changes, expected) in [
            (&[("Enable", "false")][..], "+ option disabled '1'\n"),
            (
                &[("Username", "a b'c@isp.example"), ("Password", "new'secret")],
                "- option username 'customer-4711@isp.example'\n- option password 'pppoe-secret'\n\
                 + option username 'a b'\\''c@isp.example'\n+ option password 'new'\\''secret'\n",
            ),
            (&[("MaxMRUSize", "1480")], "+ option mtu '1480'\n"),
            (
                &[("LCPEcho", "30"), ("LCPEchoRetry", "3"), ("LCPEchoAdaptive", "false")],
                "- option keepalive '5 10'\n+ option keepalive '3 30'\n+ option keepalive_adaptive '0'\n",
            ),
            (&[("ConnectionTrigger", "OnDemand")], "+ option demand '300'\n"),
            (&[("IdleDisconnectTime", "60")], "- option demand '300'\n+ option demand '60'\n"),
            (&[("ConnectionTrigger", "Manual")], "- option demand '60'\n+ option auto '0'\n"),
            (&[("ConnectionTrigger", "AlwaysOn")], "- option auto '0'\n"),
            (&[("IPv6CPEnable", "false")], "- option ipv6 '1'\n+ option ipv6 '0'\n"),
            (&[("IPv6CPEnable", "true")], "- option ipv6 '0'\n+ option ipv6 'auto'\n"),
            (
                &[("PPPoE.ACName", "bras1"), ("PPPoE.ServiceName", "internet")],
                "+ option ac 'bras1'\n+ option service 'internet'\n",
            ),
            (
                &[("LowerLayers", "Device.Ethernet.Link.2")],
                "- option device 'wan.7'\n+ option device 'wan'\n",
            ),
            (&[("LowerLayers", "")], "- option device 'wan'\n"),
        ] {
            assert_eq!(changed(router, tree, NETWORK, &line, changes).await, expected, "{changes:?}");
        }
        let after = values(tree, &line).await;
        assert_eq!(after[&format!("{line}Username")], "a b'c@isp.example");
        assert_eq!(after[&format!("{line}Password")], "");
        for (name, value, code) in [
            ("LowerLayers", "Device.IP.Interface.1", "9007"),
            ("LowerLayers", "Device.Ethernet.Link.99", "9007"),
            ("MaxMRUSize", "63", "9007"),
            ("Username", "line\nbreak", "9007"),
            ("ConnectionTrigger", "Never", "9007"),
            ("IPCPEnable", "false", "9008"),
            ("IPCP.LocalIPAddress", "192.0.2.1", "9008"),
        ] {
            assert_eq!(refused(router, tree, NETWORK, &format!("{line}{name}"), value).await, code, "{name}");
        }
    });
}

#[test]
fn a_reset_takes_the_line_down_and_up() {
    on(async |router, _, tree| {
        let before = file(router, NETWORK);
        router.world(|world| world.forget_calls());
        set(tree, &[("Device.PPP.Interface.1.Reset", "true")]).await.unwrap();
        let calls: Vec<String> =
            router.world(|world| world.calls.keys().map(|key| format!("{key:?}")).collect());
        for method in ["down", "up"] {
            let called =
                calls.iter().any(|call| call.contains("network.interface.wan") && call.contains(method));
            assert!(called, "{method}: {calls:?}");
        }
        assert_eq!(file(router, NETWORK), before);
        assert_eq!(values(tree, TABLE).await["Device.PPP.Interface.1.Reset"], "false");
    });
}

#[test]
fn a_line_is_added_and_deleted_with_all_that_names_it() {
    on(async |router, _, tree| {
        let original = file(router, NETWORK);
        let line = add(tree, TABLE).await;
        assert_eq!(
            difference(&original, &file(router, NETWORK)),
            "+config interface 'cwmp_ppp_2'\n+ option proto 'pppoe'\n+ option pppname 'ppp-cwmp2'\n+ option disabled '1'\n"
        );
        let added = values(tree, &line).await;
        assert_eq!(added[&format!("{line}Enable")], "false");
        assert_eq!(added[&format!("{line}ConnectionStatus")], "Unconfigured");
        delete(tree, &line).await.unwrap();
        assert_eq!(difference(&original, &file(router, NETWORK)), "");
        let firewall = file(router, "firewall");
        delete(tree, &format!("{TABLE}1.")).await.unwrap();
        // With its alias.
        assert!(!file(router, NETWORK).contains("config interface 'wan"));
        assert_eq!(
            difference(&firewall, &file(router, "firewall")),
            "- list network 'wan'\n- list network 'wan6'\n"
        );
        assert!(delete(tree, &line).await.unwrap_err().contains("9005"));
    });
}

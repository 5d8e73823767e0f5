//! The backend on a home router that is played: real files, a real bus, the services' own shapes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use cwmp_core::{
    io::{DataOp, DataReply},
    rpc::Status,
};
use cwmp_datamodel::{Origin, Surveyed, validate::validate};
use cwmp_platform::Platform;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use std::collections::BTreeMap;

mod played;

use played::{on, set, values};

#[test]
fn the_whole_tree_fits_the_model() {
    on(async |_, _, tree| {
        let (mut wrong, mut count) = (Vec::new(), 0);
        let mut see = |seen: Surveyed<'_>| {
            if let Surveyed::Parameter { entry, rule: Some(rule), .. } = seen {
                count += 1;
                if let Err(invalid) = validate(rule, None, entry.text)
                    && !rule.is_hidden()
                {
                    wrong.push(format!("{}{} = {}: {}", entry.object, entry.name, entry.text, invalid.text));
                }
            }
        };
        tree.survey("", &mut see).await.unwrap();
        assert_eq!(wrong, [""; 0]);
        assert!(count > 250, "{count}");
    });
}

#[test]
fn one_call_for_the_whole_tree_asks_each_method_once() {
    on(async |router, _, tree| {
        router.world(|world| world.forget_calls());
        let reply = tree.execute(DataOp::Values { names: vec![String::new()] }, Origin::Acs).await.unwrap();
        assert!(matches!(reply, DataReply::Listing { count: 200.., .. }), "{reply:?}");
        let calls = router.world(|world| world.calls.clone());
        assert!(!calls.is_empty());
        let repeated: Vec<_> = calls.iter().filter(|(_, count)| **count > 1).collect();
        assert!(repeated.is_empty(), "{repeated:?}");
    });
}

#[test]
fn one_call_for_the_whole_tree_reads_each_file_of_the_configuration_once() {
    on(async |router, _, tree| {
        let opened = Inotify::init(InitFlags::IN_NONBLOCK).unwrap();
        opened.add_watch(&router.root().join("etc/config"), AddWatchFlags::IN_OPEN).unwrap();
        tree.execute(DataOp::Values { names: vec![String::new()] }, Origin::Acs).await.unwrap();
        let mut reads = BTreeMap::<String, u32>::new();
        while let Ok(events) = opened.read_events() {
            for file in events.into_iter().filter_map(|event| event.name) {
                *reads.entry(file.to_string_lossy().into_owned()).or_default() += 1;
            }
        }
        let used = ["dhcp", "firewall", "network", "system", "wireless"].map(|name| (name.to_owned(), 1));
        assert_eq!(reads, BTreeMap::from(used));
    });
}

#[test]
fn a_change_is_in_the_file_and_in_the_tree_and_its_service_is_told() {
    on(async |router, _, tree| {
        let pools = values(tree, "Device.DHCPv4.Server.Pool.").await;
        let enabled = pools.iter().find(|(name, value)| name.ends_with(".Status") && *value == "Enabled");
        let pool = enabled.unwrap().0.strip_suffix("Status").unwrap().to_owned();
        let lease = format!("{pool}LeaseTime");
        let reply =
            set(tree, &[(&lease, "7200"), ("Device.Time.NTPServer1", "ntp.example.com")]).await.unwrap();
        assert_eq!(reply, DataReply::Status(Status::Applied));
        let file = |name: &str| std::fs::read_to_string(router.root().join("etc/config").join(name)).unwrap();
        assert!(file("dhcp").contains("\toption leasetime '7200s'\n"));
        assert!(file("system").contains("'ntp.example.com'\n"));
        let events = router.world(|world| world.service_events.clone());
        let packages: Vec<&str> =
            events.iter().filter_map(|event| event["data"]["package"].as_str()).collect();
        assert_eq!(packages, ["system", "dhcp"]);
        assert_eq!(values(tree, &lease).await[&lease], "7200");
        let refused =
            set(tree, &[(&lease, "7200"), (&format!("{pool}MinAddress"), "1.2.3.4")]).await.unwrap_err();
        assert!(refused.contains("9007"), "{refused}");
    });
}

#[test]
fn the_box_is_what_its_files_say() {
    on(async |_, platform, _| {
        let facts = platform.device_facts().await.unwrap();
        assert_eq!(facts.id.oui.len(), 6);
        assert!(!facts.software_version.is_empty() && !facts.id.serial_number.is_empty());
        assert_eq!(platform.uplink().map(|uplink| uplink.device).as_deref(), Some("pppoe-wan"));
        let wan = (1..9).find(|n| {
            platform.interface_name(&format!("Device.IP.Interface.{n}")).as_deref() == Some("pppoe-wan")
        });
        assert!(wan.is_some());
        assert_eq!(platform.interface_name("Device.IP.Interface.77"), None);
    });
}

#[test]
fn the_home_is_seen_with_its_networks_and_its_devices() {
    on(async |router, _, tree| {
        let all = values(tree, "Device.").await;
        let ends = |path: &str, end: &str| {
            all.iter().filter(|(name, _)| name.starts_with(path) && name.ends_with(end)).count()
        };
        assert_eq!(ends("Device.WiFi.Radio.", ".Name"), 2);
        assert_eq!(ends("Device.WiFi.SSID.", ".SSID"), 4);
        let (here, at_radios, leases) = router.world(|world| {
            let here = world.hosts.iter().filter(|host| host.active).count();
            let at_radios = world
                .hosts
                .iter()
                .filter(|host| host.active && matches!(host.attached, cwmpd_test_router::Attached::Radio(_)));
            (here, at_radios.count(), world.hosts.iter().filter(|host| host.lease).count())
        });
        assert_eq!(ends("Device.WiFi.AccessPoint.", ".SignalStrength"), at_radios);
        assert_eq!(ends("Device.DHCPv4.Server.Pool.", ".LeaseTimeRemaining"), leases);
        assert_eq!(ends("Device.DHCPv4.Server.Pool.1.StaticAddress.", ".Yiaddr"), 4);
        let active = all.iter().filter(|(name, value)| {
            name.starts_with("Device.Hosts.Host.") && name.ends_with(".Active") && *value == "true"
        });
        assert_eq!(active.count(), here);
        assert_eq!(ends("Device.Hosts.Host.", ".PhysAddress"), 25);
        let by_cable = router.world(|world| {
            let plugged = |host: &&cwmpd_test_router::Host| {
                host.active && matches!(host.attached, cwmpd_test_router::Attached::Port(_))
            };
            world.hosts.iter().filter(plugged).count()
        });
        let on_ports = all.iter().filter(|(name, value)| {
            name.ends_with(".Layer1Interface") && value.starts_with("Device.Ethernet.Interface.")
        });
        assert_eq!(on_ports.count(), by_cable);
        for secret in ["correct horse battery", "welcome-visitors"] {
            assert!(all.values().all(|value| !value.contains(secret)));
        }
    });
}

#[test]
fn a_network_is_renamed_on_the_router() {
    on(async |router, _, tree| {
        let file = || std::fs::read_to_string(router.root().join("etc/config/wireless")).unwrap();
        let before = file();
        values(tree, "Device.WiFi.").await;
        let reply = set(
            tree,
            &[
                ("Device.WiFi.SSID.1.SSID", "Other Home"),
                ("Device.WiFi.AccessPoint.1.Security.KeyPassphrase", "staple battery"),
            ],
        )
        .await
        .unwrap();
        assert_eq!(reply, DataReply::Status(Status::Committed));
        let after = before.replacen("Example Home", "Other Home", 1).replacen(
            "correct horse battery",
            "staple battery",
            1,
        );
        assert_eq!(file(), after);
        let events = router.world(|world| world.service_events.clone());
        let packages: Vec<&str> =
            events.iter().filter_map(|event| event["data"]["package"].as_str()).collect();
        assert_eq!(packages, ["wireless"]);
        // hostapd serves it by its new name, and the row is the one of before.
        let row = values(tree, "Device.WiFi.SSID.1.").await;
        assert_eq!(row["Device.WiFi.SSID.1.SSID"], "Other Home");
        let refused =
            set(tree, &[("Device.WiFi.SSID.1.LowerLayers", "Device.WiFi.Radio.7")]).await.unwrap_err();
        assert!(refused.contains("9007"), "{refused}");
    });
}

//! The router as an agent sees it.

use super::*;
use cwmp_ubus::{Bus, BusError, BusOptions, Table, Value, json, status};
use std::time::Duration;
use tokio::task::LocalSet;

fn on(router: &Router, test: impl AsyncFnOnce(Bus)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let test = async {
        let test = test(Bus::connect(BusOptions::at(router.socket())));
        tokio::time::timeout(Duration::from_secs(60), test).await.expect("the test hangs");
    };
    LocalSet::new().block_on(&runtime, test);
}

async fn ask(bus: &Bus, object: &str, method: &str, arguments: Json) -> Json {
    let arguments = json::from_json(&arguments).unwrap();
    let answers = bus.call(object, method, &arguments).await.unwrap();
    answers.first().map(json::to_json).unwrap_or_default()
}

fn edit(router: &Router, package: &str, from: &str, to: &str) {
    let path = router.root().join("etc/config").join(package);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{package} has no {from}");
    fs::write(path, text.replace(from, to)).unwrap();
}

fn file(router: &Router, path: &str) -> String {
    fs::read_to_string(router.root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn a_home_router_is_on_the_bus() {
    let router = Router::start().unwrap();
    on(&router, async |bus| {
        let objects = bus.objects("*").await.unwrap();
        let mut paths: Vec<&str> = objects.iter().map(|object| object.path.as_str()).collect();
        paths.sort_unstable();
        assert_eq!(
            paths,
            [
                "dhcp",
                "dnsmasq",
                "file",
                "hostapd.phy0-ap0",
                "hostapd.phy0-ap1",
                "hostapd.phy1-ap0",
                "hostapd.phy1-ap1",
                "iwinfo",
                "log",
                "luci-rpc",
                "network",
                "network.device",
                "network.interface",
                "network.interface.guest",
                "network.interface.iptv",
                "network.interface.lan",
                "network.interface.loopback",
                "network.interface.wan",
                "network.interface.wan6",
                "network.wireless",
                "rpc-sys",
                "service",
                "system",
            ]
        );
        let none = Json::Object(Default::default());
        let dump = ask(&bus, "network.interface", "dump", none.clone()).await;
        let interface = |name: &str| {
            dump["interface"].as_array().unwrap().iter().find(|one| one["interface"] == name).unwrap()
        };
        let (wan, lan) = (interface("wan"), interface("lan"));
        assert_eq!(
            (&wan["proto"], &wan["l3_device"], &wan["device"]),
            (&"pppoe".into(), &"pppoe-wan".into(), &"wan.7".into())
        );
        assert_eq!(wan["route"][0]["target"], "0.0.0.0");
        assert_eq!(interface("wan6")["l3_device"], "pppoe-wan");
        assert_eq!(interface("wan6")["ipv6-prefix"][0]["assigned"]["lan"]["mask"], 60);
        assert_eq!(lan["ipv4-address"][0]["mask"], 24);
        assert_eq!(lan["ipv6-prefix-assignment"][0]["local-address"]["address"], "2001:db8:1200::1");
        assert_eq!(lan["route"].as_array().unwrap().len(), 2, "a static route of each family");

        let devices = ask(&bus, "network.device", "status", none.clone()).await;
        assert_eq!(
            devices["br-lan"]["bridge-members"],
            serde_json::json!(["lan1", "lan2", "lan3", "phy0-ap0", "phy1-ap0"])
        );
        assert_eq!(devices["lan3"]["speed"], "-1F");
        assert_eq!(file(&router, "sys/class/net/wan.7/uevent").lines().next(), Some("DEVTYPE=vlan"));
        let counted = devices["wan.7"]["statistics"]["rx_bytes"].to_string();
        assert_eq!(file(&router, "sys/class/net/wan.7/statistics/rx_bytes").trim(), counted);
        assert!(router.root().join("sys/class/net/br-iptv/brif/lan4").is_dir());

        let clients = ask(&bus, "hostapd.phy1-ap0", "get_clients", none.clone()).await;
        let stations = ask(&bus, "iwinfo", "assoclist", serde_json::json!({ "device": "phy1-ap0" })).await;
        let count = clients["clients"].as_object().unwrap().len();
        assert_eq!((count, stations["results"].as_array().unwrap().len()), (7, 7));
        assert_eq!(file(&router, "tmp/dhcp.leases").lines().count(), 24);
    });
}

#[test]
fn counters_and_sizes_have_64_bits_and_other_numbers_32() {
    let router = Router::start().unwrap();
    on(&router, async |bus| {
        let info = bus.call("system", "info", &Table::new()).await.unwrap();
        let memory = info[0].table("memory").unwrap();
        assert_eq!(memory.get("buffered"), Some(&Value::Int64(0)));
        assert_eq!(info[0].get("uptime"), Some(&Value::Int32(90_432)));
    });
}

#[test]
fn a_changed_setting_shows_once_its_package_is_reloaded() {
    let router = Router::start().unwrap();
    on(&router, async |bus| {
        let none = Json::Object(Default::default());
        edit(&router, "wireless", "'Example Guest'", "'Visitors'");
        edit(&router, "system", "'OpenWrt'", "'box'");
        edit(&router, "network", "'192.168.1.1'", "'10.0.0.1'");
        assert_eq!(ask(&bus, "hostapd.phy0-ap1", "get_status", none.clone()).await["ssid"], "Example Guest");
        for package in ["network", "system"] {
            let change = serde_json::json!({ "type": "config.change", "data": { "package": package } });
            ask(&bus, "service", "event", change).await;
        }
        assert_eq!(ask(&bus, "hostapd.phy0-ap1", "get_status", none.clone()).await["ssid"], "Visitors");
        assert_eq!(ask(&bus, "system", "board", none.clone()).await["hostname"], "box");
        let lan = ask(&bus, "network.interface.lan", "status", none.clone()).await;
        assert_eq!(lan["ipv4-address"][0]["address"], "10.0.0.1");
        router.world(|world| {
            assert_eq!(world.count("service", "event"), 2);
            assert_eq!(world.service_events[0]["data"]["package"], "network");
            assert_eq!(world.reloads["system"], 1);
            world.forget_calls();
            assert_eq!(world.count("service", "event"), 0);
        });
        // An interface that is gone takes its object with it, a radio that is off its access points.
        edit(&router, "network", "config interface 'iptv'", "config interface 'tv'");
        edit(&router, "wireless", "option band '2g'", "option band '2g'\n\toption disabled '1'");
        ask(&bus, "network", "reload", none.clone()).await;
        let gone = bus.call("network.interface.iptv", "status", &Table::new()).await;
        assert_eq!(gone.unwrap_err().status(), Some(status::NOT_FOUND));
        assert_eq!(ask(&bus, "network.interface.tv", "status", none.clone()).await["device"], "br-iptv.20");
        assert_eq!(bus.objects("hostapd.*").await.unwrap().len(), 2);
        assert!(!router.root().join("sys/class/net/phy0-ap0").exists());
        assert_eq!(
            ask(&bus, "network.wireless", "status", none).await["radio0"]["interfaces"],
            serde_json::json!([])
        );
    });
}

#[test]
fn interfaces_go_down_and_up_and_say_so() {
    let router = Router::start().unwrap();
    on(&router, async |bus| {
        let events = bus.events("network.interface");
        events.ready().await.unwrap();
        for (method, action, up) in [("down", "ifdown", false), ("up", "ifup", true)] {
            bus.call("network.interface.wan", method, &Table::new()).await.unwrap();
            let event = events.next().await;
            assert_eq!((event.data.str("action"), event.data.str("interface")), (Some(action), Some("wan")));
            for interface in ["wan", "wan6"] {
                let path = format!("network.interface.{interface}");
                let status = bus.call(&path, "status", &Table::new()).await.unwrap();
                assert_eq!(status[0].bool("up"), Some(up), "{interface}, which is on top of wan");
            }
        }
    });
}

#[test]
fn services_and_the_bus_itself_can_go_and_come() {
    let mut router = Router::start().unwrap();
    let socket = router.socket();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let bus = Bus::connect(BusOptions::at(socket));
        let none = Table::new();
        router.stop_service(Service::Odhcpd);
        let gone = async {
            while bus.call("dhcp", "ipv6leases", &none).await.is_ok() {
                tokio::task::yield_now().await;
            }
        };
        gone.await;
        router.start_service(Service::Odhcpd);
        assert!(bus.call("dhcp", "ipv6leases", &none).await.is_ok());
        router.silence("iwinfo");
        let patience = Duration::from_millis(50);
        let silent = bus.call_within(patience, "iwinfo", "devices", &none).await;
        assert_eq!(silent, Err(BusError::Timeout("iwinfo devices".to_owned())));
        router.stop_bus();
        while bus.call("system", "board", &none).await.is_ok() {
            tokio::task::yield_now().await;
        }
        router.start_bus().unwrap();
        while bus.call("system", "board", &none).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
}

#[test]
fn programs_are_played_on_the_files() {
    let router = Router::start().unwrap();
    let run = |program: &str, arguments: &[&str]| {
        let path = router.root().join(program);
        std::process::Command::new(path).args(arguments).output().unwrap()
    };
    let backup = router.root().join("tmp/backup.tar.gz").display().to_string();
    assert!(run("sbin/sysupgrade", &["-b", &backup]).status.success());
    edit(&router, "system", "'OpenWrt'", "'changed'");
    assert!(run("sbin/sysupgrade", &["-r", &backup]).status.success());
    assert!(file(&router, "etc/config/system").contains("'OpenWrt'"));
    assert!(!run("sbin/sysupgrade", &["-T", "/tmp/bad.bin"]).status.success());
    assert!(run("usr/bin/opkg", &["remove", "sqm-scripts"]).status.success());
    assert!(!run("usr/bin/opkg", &["install", "/tmp/none.ipk"]).status.success());
    let installed = run("usr/bin/opkg", &["list-installed"]).stdout;
    let installed = String::from_utf8(installed).unwrap();
    assert_eq!(installed.lines().count(), 5, "{installed}");
    assert!(installed.starts_with("base-files - 1660~29397011cc\n") && !installed.contains("sqm"));
    let commands = router.commands();
    assert_eq!((commands.len(), commands[3].as_str()), (6, "opkg remove sqm-scripts"));
}

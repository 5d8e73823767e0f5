//! The backend on a home router that is played: real files, a real bus, the services' own shapes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use async_trait::async_trait;
use cwmp_core::{
    io::{DataOp, DataReply},
    rpc::{ParameterKey, ParameterValueStruct, Status},
};
use cwmp_datamodel::{
    AttributeError, AttributeStore, Attributes, DataModel, Origin, Surveyed,
    mapping::{Compiled, MappedSource},
    validate::validate,
};
use cwmp_platform::{Platform, instances::InstanceNumbers, settings::Settings};
use cwmp_platform_openwrt::{OpenWrt, Options};
use cwmpd_test_router::Router;
use tokio::task::LocalSet;

/// Settings in memory.
#[derive(Default)]
struct Memory(RefCell<BTreeMap<String, String>>);

impl Settings for Memory {
    fn get(&self, section: &str, key: &str) -> Option<String> {
        self.0.borrow().get(&format!("{section}.{key}")).cloned()
    }

    fn set(&self, values: &[(&str, &str, &str)]) -> Result<(), String> {
        let named =
            values.iter().map(|(section, key, value)| (format!("{section}.{key}"), (*value).to_owned()));
        self.0.borrow_mut().extend(named);
        Ok(())
    }
}

struct NoAttributes;

#[async_trait(?Send)]
impl AttributeStore for NoAttributes {
    fn load(&self) -> Attributes {
        Attributes::default()
    }

    async fn save(&self, _: &Attributes) -> Result<(), AttributeError> {
        Ok(())
    }
}

/// The tree of a backend: its sources and its mapping files.
fn tree(platform: &OpenWrt, numbers: &Rc<InstanceNumbers>) -> DataModel {
    let mut sources = platform.sources();
    let mapping = platform.mapping().unwrap();
    let texts: Vec<(&str, &str)> = mapping.texts.iter().map(|text| (text.name, text.text)).collect();
    let (compiled, errors) = Compiled::of(&texts, &["ubus", "uci"]);
    assert_eq!(errors, []);
    let others: Vec<&str> = sources.iter().flat_map(|source| source.objects()).copied().collect();
    sources.push(Rc::new(MappedSource::new(compiled, &mapping, Rc::clone(numbers), &others)));
    DataModel::new(sources, Rc::new(NoAttributes))
}

/// Runs a test against a router, once its bus is reached.
fn on(test: impl AsyncFnOnce(&Router, &OpenWrt, &mut DataModel)) {
    let router = Router::start().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let options = Options {
            root: router.root(),
            ubus_sockets: vec![router.socket()],
            trust_clock: true,
            ..Options::default()
        };
        let numbers = Rc::new(InstanceNumbers::in_memory());
        let platform = OpenWrt::new(options, Rc::new(Memory::default()), Rc::clone(&numbers));
        let mut tree = tree(&platform, &numbers);
        let reached = async {
            while tree.survey("Device.IP.", &mut |_| {}).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), reached).await.expect("the bus is reached");
        tokio::time::timeout(Duration::from_secs(120), test(&router, &platform, &mut tree))
            .await
            .expect("in time");
    });
}

/// Names and values below a path.
async fn values(tree: &DataModel, path: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut see = |seen: Surveyed<'_>| {
        if let Surveyed::Parameter { entry, .. } = seen {
            found.insert([entry.object, entry.name].concat(), entry.text.to_owned());
        }
    };
    tree.survey(path, &mut see).await.unwrap();
    found
}

async fn set(tree: &mut DataModel, changes: &[(&str, &str)]) -> Result<DataReply, String> {
    let parameters = changes.iter().map(|(name, value)| ParameterValueStruct {
        name: (*name).to_owned(),
        value_type: None,
        value: (*value).to_owned(),
    });
    let op = DataOp::Set { parameters: parameters.collect(), parameter_key: ParameterKey::default() };
    tree.execute(op, Origin::Local).await.map_err(|fault| format!("{fault} {:?}", fault.parameters))
}

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

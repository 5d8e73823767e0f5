//! A box for the tests: files below a folder, a bus that answers what it was told, a kernel with made-up lists.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    os::unix::fs::PermissionsExt,
    rc::Rc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use cwmp_datamodel::{
    facts::{Facts, Place},
    validate::validate,
};
use cwmp_linux::{
    kernel::{Address, Kernel, Link, Neighbour, OperState, Route, Station, Wifi},
    testing::{Collected, FakeRoot, FakeSettings},
};
use cwmp_platform::{
    instances::InstanceNumbers,
    source::{Access, Change, ObjectKind, ParameterSource},
};
use cwmp_ubus::{
    BusError, Table,
    json::{from_json, to_json},
    status,
};

use crate::{
    bus::Ubus,
    ground::{Ground, Means},
    options::Options,
    part::Part,
    source::Router,
};

/// The files of a board that is not configured.
pub(crate) fn board() -> FakeRoot {
    let root = FakeRoot::new();
    root.file(
        "etc/board.json",
        r#"{"model":{"id":"glinet,gl-mt3000","name":"GL.iNet GL-MT3000"},
            "system":{"label_macaddr":"94:83:c4:11:22:33"},
            "network":{"lan":{"device":"eth1","protocol":"static"},"wan":{"device":"eth0","protocol":"dhcp"}}}"#,
    );
    root.file("tmp/sysinfo/model", "GL.iNet GL-MT3000\n");
    root.file("tmp/sysinfo/board_name", "glinet,gl-mt3000\n");
    root.file(
        "etc/openwrt_release",
        "DISTRIB_ID='OpenWrt'\nDISTRIB_RELEASE='24.10.0'\nDISTRIB_REVISION='r28427-6df0e3d02a'\n\
         DISTRIB_DESCRIPTION='OpenWrt 24.10.0 r28427-6df0e3d02a'\n",
    );
    root.file("etc/device_info", "DEVICE_MANUFACTURER='OpenWrt'\nDEVICE_REVISION='v0'\n");
    root.file("etc/os-release", "ID=\"openwrt\"\nOPENWRT_BUILD_DATE=\"1738624177\"\n");
    root.file("proc/cmdline", "console=ttyS0,115200n1 root=/dev/fit0 ubi.mtd=ubi0\n");
    root.file("proc/uptime", "93784.25 180000.00\n");
    root.file("proc/loadavg", "0.01 0.02 0.00 1/88 1234\n");
    root.file("proc/meminfo", "MemTotal: 480000 kB\nMemFree: 300000 kB\nMemAvailable: 350000 kB\n");
    root.file("proc/stat", "cpu  100 0 100 700 100 0 0 0 0 0\n");
    root.file("proc/sys/kernel/random/boot_id", "6d5a1c5e-0b8a-4c2b-9a55-2f6f0ad1f3b2\n");
    root.file("var/state/dnsmasqsec", "ntpd says time is valid\n");
    root
}

/// Answers what it was told and writes down what it was asked.
#[derive(Default)]
pub(crate) struct FakeBus {
    answers: RefCell<BTreeMap<String, Result<Table, BusError>>>,
    asked: RefCell<Vec<String>>,
}

impl FakeBus {
    /// Lets a method answer.
    pub(crate) fn answer(&self, object: &str, method: &str, json: serde_json::Value) {
        let table = from_json(&json).unwrap();
        self.answers.borrow_mut().insert(format!("{object} {method}"), Ok(table));
    }

    /// Lets a method fail.
    pub(crate) fn fail(&self, object: &str, method: &str, error: BusError) {
        self.answers.borrow_mut().insert(format!("{object} {method}"), Err(error));
    }

    /// What was asked since the last look, with arguments where there were any.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.take()
    }
}

#[async_trait(?Send)]
impl Ubus for FakeBus {
    async fn call(&self, object: &str, method: &str, arguments: &Table) -> Result<Vec<Table>, BusError> {
        let what = format!("{object} {method}");
        let shown = match arguments.is_empty() {
            true => what.clone(),
            false => format!("{what} {}", to_json(arguments)),
        };
        self.asked.borrow_mut().push(shown);
        match self.answers.borrow().get(&what) {
            Some(answer) => answer.clone().map(|table| vec![table]),
            None => Err(BusError::Status(status::NOT_FOUND, what)),
        }
    }
}

/// A kernel that the tests make up, shared with the box.
#[derive(Clone, Default)]
pub(crate) struct FakeKernel {
    pub(crate) links: Rc<RefCell<Vec<Link>>>,
    pub(crate) addresses: Rc<RefCell<Vec<Address>>>,
    pub(crate) routes: Rc<RefCell<Vec<Route>>>,
    pub(crate) neighbours: Rc<RefCell<Vec<Neighbour>>>,
    pub(crate) stations: Rc<RefCell<Vec<Station>>>,
    pub(crate) wifi: Rc<RefCell<Wifi>>,
}

impl FakeKernel {
    /// Adds a device that is up.
    pub(crate) fn device(&self, index: u32, name: &str) {
        self.links.borrow_mut().push(Link {
            index,
            name: name.to_owned(),
            is_ethernet: true,
            up: true,
            running: true,
            state: OperState::Up,
            mac: Some(format!("94:83:c4:00:00:{index:02x}")),
            mtu: 1500,
            stats: Some(cwmp_linux::kernel::Stats { rx_bytes: 1000, tx_bytes: 2000, ..Default::default() }),
            ..Link::default()
        });
    }
}

impl Kernel for FakeKernel {
    fn links(&self) -> Result<Vec<Link>, String> {
        Ok(self.links.borrow().clone())
    }

    fn addresses(&self) -> Result<Vec<Address>, String> {
        Ok(self.addresses.borrow().clone())
    }

    fn routes(&self) -> Result<Vec<Route>, String> {
        Ok(self.routes.borrow().clone())
    }

    fn neighbours(&self) -> Result<Vec<Neighbour>, String> {
        Ok(self.neighbours.borrow().clone())
    }

    fn stations(&self) -> Result<Vec<Station>, String> {
        Ok(self.stations.borrow().clone())
    }

    fn wifi(&self, _: bool) -> Result<Wifi, String> {
        Ok(self.wifi.borrow().clone())
    }
}

/// The box.
pub(crate) struct Fake {
    pub(crate) root: FakeRoot,
    pub(crate) bus: Rc<FakeBus>,
    pub(crate) kernel: FakeKernel,
    pub(crate) ground: Rc<Ground>,
}

impl Fake {
    pub(crate) fn new() -> Self {
        Self::with_options(|_| {})
    }

    pub(crate) fn with_options(set: impl FnOnce(&mut Options)) -> Self {
        let (root, bus, kernel) = (board(), Rc::new(FakeBus::default()), FakeKernel::default());
        bus.answer("service", "event", serde_json::json!({}));
        let mut options = Options { root: root.path().to_owned(), ..Options::default() };
        set(&mut options);
        let means = Means {
            bus: Rc::clone(&bus) as _,
            kernel: Box::new(kernel.clone()),
            numbers: Rc::new(InstanceNumbers::in_memory()),
            settings: Rc::new(FakeSettings::default()),
            // 2027-01-15T08:00:00Z
            now: || SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
        };
        let ground = Rc::new(Ground::new(options, means));
        Self { root, bus, kernel, ground }
    }

    /// The source of all parts.
    pub(crate) fn source(&self) -> Router {
        Router::new(Rc::clone(&self.ground), crate::objects::parts())
    }

    /// The source of one part.
    pub(crate) fn source_of(&self, part: impl Part + 'static) -> Router {
        Router::new(Rc::clone(&self.ground), vec![Rc::new(part)])
    }

    /// Puts a program there. Another process writes it: one that this process wrote might still be open in a child of another
    /// test, and could not be run then.
    pub(crate) fn program(&self, path: &str, script: &str) {
        let draft = format!("{path}.draft");
        self.root.file(&draft, script);
        let (draft, program) = (self.root.path().join(draft), self.root.path().join(path));
        std::fs::set_permissions(&draft, std::fs::Permissions::from_mode(0o755)).unwrap();
        let copied = std::process::Command::new("/bin/cp").arg("-p").arg(draft).arg(program).status();
        assert!(copied.unwrap().success());
    }

    /// A program of this machine in the box.
    pub(crate) fn borrow(&self, program: &str, path: &str) {
        self.root.file(path, "");
        let path = self.root.path().join(path);
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(program, path).unwrap();
    }

    /// Writes a package of the configuration.
    pub(crate) fn uci(&self, package: &str, text: &str) {
        self.root.file(&format!("etc/config/{package}"), text);
        self.ground.forget();
    }

    /// A package as it is now.
    pub(crate) fn file(&self, package: &str) -> String {
        std::fs::read_to_string(self.root.path().join("etc/config").join(package)).unwrap()
    }
}

/// A change.
pub(crate) fn change(name: &str, value: &str) -> Change {
    Change { name: name.to_owned(), value: value.to_owned() }
}

/// Everything that a source has below an object, one line a parameter: `Name=value`, sorted by name.
pub(crate) async fn values(source: &dyn ParameterSource, object: &str) -> String {
    let collected = Collected::from(source, &[object]).await;
    let below =
        collected.values.iter().filter_map(|(name, (value, _))| Some((name.strip_prefix(object)?, value)));
    below.map(|(name, value)| format!("{name}={value}\n")).collect()
}

/// A box with a LAN, and a PPPoE line on a VLAN with a delegated prefix.
pub(crate) fn lan_and_wan() -> Fake {
    let fake = Fake::new();
    fake.uci(
        "network",
        "
config interface 'loopback'
\toption device 'lo'
\toption proto 'static'
\toption ipaddr '127.0.0.1'
\toption netmask '255.0.0.0'

config globals 'globals'
\toption ula_prefix 'fd12:3456:789a::/48'

config interface 'lan'
\toption device 'br-lan'
\toption proto 'static'
\toption ipaddr '192.168.1.1'
\toption netmask '255.255.255.0'
\toption ip6assign '60'

config interface 'wan'
\toption device 'eth0.7'
\toption proto 'pppoe'
\toption username 'u@isp'
\toption password 'secret'

config interface 'wan6'
\toption device '@wan'
\toption proto 'dhcpv6'

",
    );
    fake.bus.answer(
        "network.interface",
        "dump",
        serde_json::json!({"interface": [
            {"interface": "loopback", "up": true, "pending": false, "available": true, "uptime": 9001, "proto": "static",
             "l3_device": "lo", "device": "lo", "ipv4-address": [{"address": "127.0.0.1", "mask": 8}]},
            {"interface": "lan", "up": true, "pending": false, "available": true, "uptime": 9000, "proto": "static",
             "l3_device": "br-lan", "device": "br-lan", "ipv4-address": [{"address": "192.168.1.1", "mask": 24}],
             "ipv6-prefix-assignment": [
                {"address": "2001:db8:aa00::", "mask": 60, "preferred": 7200, "valid": 7200,
                 "local-address": {"address": "2001:db8:aa00::1", "mask": 60}},
                {"address": "fd12:3456:789a::", "mask": 60,
                 "local-address": {"address": "fd12:3456:789a::1", "mask": 60}}]},
            {"interface": "wan", "up": true, "pending": false, "available": true, "uptime": 500, "proto": "pppoe",
             "l3_device": "pppoe-wan", "device": "eth0.7",
             "ipv4-address": [{"address": "198.51.100.7", "mask": 32, "ptpaddress": "198.51.100.1"}],
             "route": [{"target": "0.0.0.0", "mask": 0, "nexthop": "198.51.100.1", "source": "0.0.0.0/0"}]},
            {"interface": "wan6", "up": true, "pending": false, "available": true, "uptime": 490, "proto": "dhcpv6",
             "l3_device": "pppoe-wan", "device": "pppoe-wan",
             "ipv6-address": [{"address": "2001:db8:0:1::5", "mask": 64, "preferred": 3600, "valid": 3600}],
             "ipv6-prefix": [{"address": "2001:db8:aa00::", "mask": 56, "preferred": 7200, "valid": 7215,
                "class": "wan6", "assigned": {"lan": {"address": "2001:db8:aa00::", "mask": 60}}}]},
            {"interface": "wan_6", "up": true, "pending": false, "available": true, "dynamic": true, "uptime": 480,
             "proto": "dhcpv6", "l3_device": "pppoe-wan", "device": "pppoe-wan"},
        ]}),
    );
    fake.kernel.device(1, "lo");
    fake.kernel.device(2, "br-lan");
    fake.kernel.device(3, "pppoe-wan");
    fake.kernel.links.borrow_mut()[0].is_loopback = true;
    for device in ["all", "lo", "br-lan", "pppoe-wan"] {
        fake.root.file(&format!("proc/sys/net/ipv6/conf/{device}/disable_ipv6"), "0\n");
    }
    fake.root.file("proc/sys/net/ipv4/ip_forward", "1\n");
    fake
}

/// Holds everything that a source delivers against the model: names, access, types, ranges, and references that lead
/// somewhere within what it delivers or to another source.
pub(crate) async fn assert_valid(source: &dyn ParameterSource) {
    let collected = Collected::from(source, &[""]).await;
    assert!(!collected.values.is_empty());
    let schema = |path: &str| {
        let part = |part: &str| if part.parse::<u32>().is_ok() { "{i}".to_owned() } else { part.to_owned() };
        path.split('.').map(part).collect::<Vec<_>>().join(".")
    };
    for (path, kind) in &collected.objects {
        let object = schema(path) + if matches!(kind, ObjectKind::Table { .. }) { "{i}." } else { "" };
        assert!(source.objects().contains(&object.as_str()), "{object} is not announced");
    }
    for (name, (value, access)) in &collected.values {
        let Some(Place::Parameter(_, parameter)) = Facts::tr181().find(&schema(name)) else {
            panic!("{name} is not in the model")
        };
        assert!(*access == Access::ReadOnly || parameter.rule().is_writable(), "{name} cannot be written");
        let valid = validate(parameter.rule(), None, value);
        assert_eq!(valid.as_ref().map_err(|invalid| &invalid.text), Ok(value), "{name}");
    }
}

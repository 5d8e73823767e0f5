//! The network of a kernel that the tests make up: what this machine's own may lack, and what is counted.

use std::{cell::RefCell, collections::BTreeMap, net::IpAddr};

use super::{
    kernel::{AddressOrigin, Hop, LinkKind, Neighbour, OperState, RouteKind, Station},
    *,
};
use crate::{
    Options,
    testing::{Collected, FakeRoot, FakeSettings, assert_values_fit},
};

mod wifi;

pub(super) use wifi::access_point;

/// Answers what it was given, and counts what it is asked.
#[derive(Clone, Default)]
struct FakeKernel {
    links: Vec<Link>,
    addresses: Vec<Address>,
    routes: Vec<Route>,
    neighbours: Vec<Neighbour>,
    stations: Vec<Station>,
    wifi: Wifi,
    asked: Rc<RefCell<BTreeMap<&'static str, u32>>>,
}

impl FakeKernel {
    fn count(&self, what: &'static str) {
        *self.asked.borrow_mut().entry(what).or_default() += 1;
    }

    fn asked(&self) -> String {
        let asked = self.asked.take();
        asked.iter().map(|(what, times)| format!("{what} {times}")).collect::<Vec<_>>().join(", ")
    }

    /// Adds a device.
    fn device(mut self, index: u32, name: &str, kind: LinkKind, master: Option<u32>) -> Self {
        self.links.push(Link {
            index,
            name: name.to_owned(),
            is_ethernet: true,
            up: true,
            state: OperState::Up,
            mac: Some(format!("02:00:00:00:00:{index:02x}")),
            mtu: 1500,
            kind,
            master,
            enslaved: master.is_some(),
            port: master.map(|_| kernel::PortFacts::default()),
            ..Link::default()
        });
        self
    }

    fn address(mut self, index: u32, address: &str, prefix_length: u8) -> Self {
        self.addresses.push(Address {
            index,
            address: address.parse().unwrap(),
            prefix_length,
            scope: 0,
            tentative: false,
            duplicate: false,
            optimistic: false,
            deprecated: false,
            permanent: true,
            origin: AddressOrigin::Set,
            preferred: u32::MAX,
            valid: u32::MAX,
            set_at: 0,
        });
        self
    }

    fn default_route(mut self, index: u32, gateway: &str) -> Self {
        let gateway: IpAddr = gateway.parse().unwrap();
        let nowhere = if gateway.is_ipv4() { "0.0.0.0" } else { "::" };
        self.routes.push(Route {
            destination: nowhere.parse().unwrap(),
            prefix_length: 0,
            kind: RouteKind::Normal,
            protocol: 4,
            metric: None,
            source: None,
            expires: None,
            hops: vec![Hop { gateway: Some(gateway), index: Some(index), dead: false }],
        });
        self
    }

    fn neighbour(mut self, index: u32, address: &str, mac: &str, confirmed: u32) -> Self {
        let (address, mac) = (address.parse().unwrap(), mac.to_owned());
        self.neighbours.push(Neighbour { index, address, mac, reachable: false, confirmed });
        self
    }
}

impl Kernel for FakeKernel {
    fn links(&self) -> Result<Vec<Link>, String> {
        self.count("links");
        Ok(self.links.clone())
    }

    fn addresses(&self) -> Result<Vec<Address>, String> {
        self.count("addresses");
        Ok(self.addresses.clone())
    }

    fn routes(&self) -> Result<Vec<Route>, String> {
        self.count("routes");
        Ok(self.routes.clone())
    }

    fn neighbours(&self) -> Result<Vec<Neighbour>, String> {
        self.count("neighbours");
        Ok(self.neighbours.clone())
    }

    fn stations(&self) -> Result<Vec<Station>, String> {
        self.count("stations");
        Ok(self.stations.clone())
    }

    fn wifi(&self, detail: bool) -> Result<Wifi, String> {
        self.count(if detail { "wifi in detail" } else { "wifi" });
        Ok(self.wifi.clone())
    }
}

fn network(root: &FakeRoot, kernel: &FakeKernel) -> Network {
    let options = Options { root: root.path().to_owned(), trust_clock: true, ..Options::default() };
    let shared = Rc::new(Shared::new(options, Rc::new(FakeSettings::default())));
    let numbers = Rc::new(InstanceNumbers::in_memory());
    // 2026-07-01T12:00:00Z
    let now = || SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_782_907_200);
    Network { shared, numbers, kernel: Box::new(kernel.clone()), now }
}

fn vlan(on: u32, id: u16) -> LinkKind {
    LinkKind::Vlan { on: Some(on), id: Some(id), tpid: Some(0x8100) }
}

fn bridge() -> LinkKind {
    LinkKind::Bridge(kernel::BridgeFacts::default())
}

#[tokio::test]
async fn a_call_asks_the_kernel_once_for_each_list_that_it_needs() {
    let mut kernel = FakeKernel::default().device(1, "br0", bridge(), None).address(1, "10.0.0.1", 8);
    for n in 2..200 {
        kernel = kernel.device(n, &format!("eth{n}"), LinkKind::Port, None);
        kernel = kernel.address(n, &format!("10.1.0.{n}"), 24);
    }
    let network = network(&FakeRoot::new(), &kernel);
    let collected = Collected::from(&network, &[""]).await;
    assert!(collected.values.len() > 5_000, "{}", collected.values.len());
    assert_eq!(kernel.asked(), "addresses 1, links 1, neighbours 1, routes 1, stations 1");
    for (paths, expected) in [
        (vec!["Device.IP.Interface.1.Name", "Device.IP.Interface.2.Stats."], "addresses 1, links 1"),
        (vec!["Device.Ethernet.Link."], "links 1"),
        (vec!["Device.Routing."], "links 1, routes 1"),
        (vec!["Device.Hosts.Host.1.Active"], "links 1, neighbours 1, routes 1, stations 1"),
        (vec!["Device.DeviceInfo.", "Device.Time.Status"], ""),
    ] {
        Collected::from(&network, &paths).await;
        assert_eq!(kernel.asked(), expected, "{paths:?}");
    }
}

#[tokio::test]
async fn vlans_lie_on_links_and_under_bridges() {
    let kernel = FakeKernel::default()
        .device(2, "eth0", LinkKind::Port, None)
        .device(3, "eth0.7", vlan(2, 7), None)
        .device(4, "eth0.8", vlan(2, 8), Some(6))
        .device(5, "eth0.7.9", vlan(3, 9), None)
        .device(6, "br0", bridge(), None)
        .device(7, "mac0", LinkKind::MacVlan { on: Some(2) }, None)
        .device(8, "odd", vlan(99, 0), None);
    let network = network(&FakeRoot::new(), &kernel);
    let collected = Collected::from(&network, &["Device."]).await;
    let lower = |path: &str| collected.value(&format!("{path}.LowerLayers")).unwrap_or("?").to_owned();
    let named = |table: &str, name: &str| {
        let found = collected.values.iter().find(|(path, (value, _))| {
            path.strip_prefix(table)
                .is_some_and(|rest| rest.ends_with(".Name") && rest.matches('.').count() == 1)
                && value == name
        });
        found.unwrap().0.strip_suffix(".Name").unwrap().to_owned()
    };
    let vlan = |name: &str| named("Device.Ethernet.VLANTermination.", name);
    let link = |name: &str| named("Device.Ethernet.Link.", name);
    let ip = |name: &str| named("Device.IP.Interface.", name);
    let eth0 = named("Device.Ethernet.Interface.", "eth0");
    assert_eq!(lower(&ip("eth0.7")), vlan("eth0.7"));
    assert_eq!(lower(&vlan("eth0.7")), link("eth0"));
    assert_eq!(lower(&link("eth0")), eth0);
    assert_eq!(lower(&vlan("eth0.7.9")), vlan("eth0.7"));
    assert_eq!(lower(&link("mac0")), eth0);
    assert_eq!(lower(&link("br0")), "Device.Bridging.Bridge.1.Port.1");
    assert_eq!(lower("Device.Bridging.Bridge.1.Port.1"), "Device.Bridging.Bridge.1.Port.2");
    assert_eq!(lower("Device.Bridging.Bridge.1.Port.2"), vlan("eth0.8"));
    assert_eq!(lower(&vlan("odd")), "");
    assert_eq!(collected.value(&format!("{}.VLANID", vlan("eth0.7.9"))), Some("9"));
    assert_eq!(collected.value(&format!("{}.VLANID", vlan("odd"))), None);
    assert_eq!(collected.value("Device.Ethernet.VLANTermination.1.TPID"), Some("33024"));
}

#[tokio::test]
async fn wireless_devices_are_no_ethernet_interfaces() {
    let kernel = FakeKernel::default().device(2, "eth0", LinkKind::Port, None).device(
        3,
        "wlan0",
        LinkKind::Port,
        None,
    );
    let root = FakeRoot::new();
    root.file("sys/class/net/wlan0/phy80211/name", "phy0\n");
    root.file("sys/class/net/eth0/speed", "1000\n");
    let collected = Collected::from(&network(&root, &kernel), &["Device."]).await;
    assert_eq!(collected.value("Device.Ethernet.Interface.1.Name"), Some("eth0"));
    assert_eq!(collected.value("Device.Ethernet.Interface.1.CurrentBitRate"), Some("1000"));
    assert_eq!(collected.value("Device.Ethernet.Interface.2.Name"), None);
    assert_eq!(collected.value("Device.Ethernet.Link.2.LowerLayers"), Some(""));
    assert_eq!(collected.value("Device.IP.Interface.2.LowerLayers"), Some("Device.Ethernet.Link.2"));
    // Nothing leads to the Internet: nobody knows on which side a port is.
    assert_eq!(collected.value("Device.Ethernet.Interface.1.Upstream"), None);
}

#[tokio::test]
async fn a_host_is_put_together_from_leases_and_neighbours() {
    const LAPTOP: &str = "aa:bb:cc:00:00:01";
    let kernel = FakeKernel::default()
        .device(2, "wan", LinkKind::Port, None)
        .device(3, "br0", bridge(), None)
        .default_route(2, "192.0.2.1")
        .neighbour(2, "192.0.2.1", "02:11:11:11:11:11", 0)
        .neighbour(3, "192.168.1.10", LAPTOP, 100)
        .neighbour(3, "fe80::1", LAPTOP, 0)
        .neighbour(3, "192.168.1.40", "aa:bb:cc:00:00:04", 400 * 100);
    let root = FakeRoot::new();
    root.file(
        "var/lib/misc/dnsmasq.leases",
        "1782910800 aa:bb:cc:00:00:01 192.168.1.10 laptop 01:aa:bb:cc:00:00:01\n\
         0 aa:bb:cc:00:00:02 192.168.1.11 printer *\n\
         1782900000 aa:bb:cc:00:00:03 192.168.1.12 * *\n",
    );
    let network = network(&root, &kernel);
    let collected = Collected::from(&network, &["Device.Hosts."]).await;
    let row = |n: u32| {
        let prefix = format!("Device.Hosts.Host.{n}.");
        let of_row = collected
            .values
            .iter()
            .filter_map(|(path, (value, _))| Some(format!("{}={value}", path.strip_prefix(&prefix)?)));
        of_row.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        row(1),
        "Active=true AddressSource=DHCP ClientID=01AABBCC000001 HostName=laptop IPAddress=192.168.1.10 \
         IPv4Address.1.IPAddress=192.168.1.10 IPv6Address.1.IPAddress=fe80::1 Layer1Interface= \
         Layer3Interface=Device.IP.Interface.2 LeaseTimeRemaining=3600 PhysAddress=aa:bb:cc:00:00:01"
    );
    assert_eq!(
        row(2),
        "Active=false AddressSource=DHCP HostName=printer IPAddress=192.168.1.11 \
         IPv4Address.1.IPAddress=192.168.1.11 Layer1Interface= Layer3Interface= LeaseTimeRemaining=-1 \
         PhysAddress=aa:bb:cc:00:00:02"
    );
    assert!(row(3).contains("LeaseTimeRemaining=0"), "{}", row(3));
    // Silent for longer than a bridge remembers; and where its address is from, nobody knows.
    assert!(row(4).starts_with("Active=false HostName= IPAddress=192.168.1.40"), "{}", row(4));
    assert_eq!(row(5), "");
}

#[tokio::test]
async fn the_port_of_a_host_is_found_below_vlans_and_behind_bridges() {
    let mut kernel = FakeKernel::default()
        .device(2, "eth0", LinkKind::Port, None)
        .device(3, "eth0.7", vlan(2, 7), None)
        .device(4, "br0", bridge(), None)
        .device(5, "eth1", LinkKind::Port, Some(4))
        .device(6, "eth0.8", vlan(2, 8), Some(4))
        .neighbour(3, "10.7.0.2", "02:00:00:00:01:01", 0)
        .neighbour(4, "10.8.0.2", "02:00:00:00:01:02", 0)
        .neighbour(4, "10.8.0.3", "02:00:00:00:01:03", 0)
        .neighbour(4, "10.8.0.4", "02:00:00:00:01:04", 0);
    for (index, mac) in [(5, "02:00:00:00:01:02"), (6, "02:00:00:00:01:03")] {
        kernel.stations.push(Station { index, mac: mac.to_owned() });
    }
    let collected = Collected::from(&network(&FakeRoot::new(), &kernel), &["Device."]).await;
    let port = |n: u32| collected.value(&format!("Device.Hosts.Host.{n}.Layer1Interface")).unwrap();
    assert_eq!(collected.value("Device.Ethernet.Interface.1.Name"), Some("eth0"));
    assert_eq!(port(1), "Device.Ethernet.Interface.1");
    assert_eq!(port(2), "Device.Ethernet.Interface.2");
    assert_eq!(port(3), "Device.Ethernet.Interface.1");
    assert_eq!(port(4), "", "one of two ports");
}

#[tokio::test]
async fn everything_that_is_listed_has_an_end() {
    let mut kernel = FakeKernel::default();
    for n in 1..=400 {
        kernel = kernel.device(n, &format!("eth{n}"), LinkKind::Port, None);
        kernel = kernel.neighbour(
            2,
            &format!("10.0.{}.{}", n / 200, n % 200),
            &format!("02:00:00:00:{:02x}:{:02x}", n / 256, n % 256),
            0,
        );
        kernel = kernel.address(1, &format!("10.2.{}.{}", n / 200, n % 200), 16);
        kernel = kernel.address(1, &format!("2001:db8::{n:x}"), 64);
    }
    for n in 0..5000_u32 {
        kernel = kernel.default_route(1, &std::net::Ipv4Addr::from(n + 1).to_string());
    }
    let collected = Collected::from(&network(&FakeRoot::new(), &kernel), &[""]).await;
    let rows = |table: &str| {
        let row = |path: &str| path.strip_prefix(table).is_some_and(|rest| rest.matches('.').count() == 1);
        collected.objects.iter().filter(|(path, _)| row(path)).count()
    };
    assert_eq!(rows("Device.IP.Interface."), layout::DEVICES);
    assert_eq!(rows("Device.Hosts.Host."), hosts::ROWS);
    assert_eq!(rows("Device.IP.Interface.1.IPv4Address."), ip::ADDRESSES);
    assert_eq!(rows("Device.IP.Interface.1.IPv6Address."), ip::ADDRESSES);
    assert_eq!(rows("Device.Routing.Router.1.IPv4Forwarding."), routing::ROUTES);
}

#[tokio::test]
async fn a_kernel_that_does_not_answer_fails_the_call() {
    struct Silent;
    impl Kernel for Silent {
        fn links(&self) -> Result<Vec<Link>, String> {
            Err("the kernel does not list its network devices (netlink): no buffer space".to_owned())
        }
        fn addresses(&self) -> Result<Vec<Address>, String> {
            unreachable!()
        }
        fn routes(&self) -> Result<Vec<Route>, String> {
            unreachable!()
        }
        fn neighbours(&self) -> Result<Vec<Neighbour>, String> {
            unreachable!()
        }
        fn stations(&self) -> Result<Vec<Station>, String> {
            unreachable!()
        }
        fn wifi(&self, _: bool) -> Result<Wifi, String> {
            unreachable!()
        }
    }
    let network = Network { kernel: Box::new(Silent), ..network(&FakeRoot::new(), &FakeKernel::default()) };
    let mut collected = Collected::default();
    let error = network.read(&Wanted::new(&["Device.IP."]), &mut collected).await.unwrap_err();
    assert!(error.to_string().contains("network devices"), "{error}");
}

#[test]
fn a_path_names_a_device_while_it_is_there() {
    let kernel = FakeKernel::default().device(2, "eth0", LinkKind::Port, None);
    let mut network = network(&FakeRoot::new(), &kernel);
    network.numbers.assign(IP_INTERFACE, ["lo", "eth0"], 8);
    assert_eq!(network.interface_name("Device.IP.Interface.2").as_deref(), Some("eth0"));
    assert_eq!(network.interface_name("Device.IP.Interface.2.").as_deref(), Some("eth0"));
    for odd in
        ["", "Device.IP.Interface.", "Device.IP.Interface.1", "Device.IP.Interface.x", "Device.Time.2", "."]
    {
        assert_eq!(network.interface_name(odd), None, "{odd}");
    }
    network.kernel = Box::new(FakeKernel::default());
    assert_eq!(network.interface_name("Device.IP.Interface.2"), None);
}

#[test]
fn the_uplink_has_an_address_of_its_device() {
    let kernel = FakeKernel::default()
        .device(2, "eth0", LinkKind::Port, None)
        .device(3, "ppp0", LinkKind::Other, None)
        .address(2, "192.0.2.2", 24)
        .default_route(2, "2001:db8::1");
    let root = FakeRoot::new();
    let uplink = |kernel: &FakeKernel| network(&root, kernel).uplink();
    assert_eq!(uplink(&kernel).unwrap().source, None, "no IPv6 address");
    let kernel = kernel.default_route(2, "192.0.2.1");
    let found = uplink(&kernel).unwrap();
    assert_eq!((found.device.as_str(), found.gateway.unwrap().to_string()), ("eth0", "192.0.2.1".to_owned()));
    assert_eq!(found.source.unwrap().to_string(), "192.0.2.2");
    assert_eq!(uplink(&FakeKernel::default()), None);
}

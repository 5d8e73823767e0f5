//! Which changes of the ACS wait to be confirmed: those on the way that the box reaches it through.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use async_trait::async_trait;
use common::{KEY, Memory, Shelf, set};
use cwmp_datamodel::{DataModel, LogError, Origin, Transaction, TransactionLog};
use cwmp_platform::source::ObjectKind;

/// A log that tells whether the last call waits to be confirmed.
struct Confirming {
    uplink: RefCell<Option<String>>,
    confirms: Cell<bool>,
    held: Cell<bool>,
}

#[async_trait(?Send)]
impl TransactionLog for Confirming {
    fn gather(&self) {}

    async fn settle(&self, _: bool) -> Result<(), LogError> {
        Ok(())
    }

    async fn begin(&self, _: &Transaction) -> Result<(), LogError> {
        Ok(())
    }

    async fn close(&self) -> Result<(), LogError> {
        Ok(())
    }

    fn confirms(&self) -> bool {
        self.confirms.get()
    }

    fn uplink(&self) -> Option<String> {
        self.uplink.borrow().clone()
    }

    async fn hold(&self) -> Result<(), LogError> {
        self.held.set(true);
        Ok(())
    }

    async fn keep_undoing(&self) {}
}

struct Cpe {
    model: DataModel,
    log: Rc<Confirming>,
}

const ROW: ObjectKind = ObjectKind::Instance { deletable: true };

/// Objects, their rows, and parameters: all can be written that TR-181 lets write.
fn system() -> Memory {
    let objects = [
        "Device.IP.",
        "Device.IP.Diagnostics.IPPing.",
        "Device.IP.Interface.{i}.",
        "Device.IP.Interface.{i}.IPv4Address.{i}.",
        "Device.Ethernet.Interface.{i}.",
        "Device.Ethernet.Link.{i}.",
        "Device.Ethernet.VLANTermination.{i}.",
        "Device.Bridging.Bridge.{i}.",
        "Device.Bridging.Bridge.{i}.Port.{i}.",
        "Device.Bridging.Bridge.{i}.VLAN.{i}.",
        "Device.Cellular.Interface.{i}.",
        "Device.WiFi.Radio.{i}.",
        "Device.WiFi.SSID.{i}.",
        "Device.WiFi.EndPoint.{i}.",
        "Device.WiFi.EndPoint.{i}.Profile.{i}.",
        "Device.DHCPv4.Client.{i}.",
        "Device.DHCPv4.Server.Pool.{i}.",
        "Device.Routing.Router.{i}.IPv4Forwarding.{i}.",
        "Device.DNS.Client.Server.{i}.",
        "Device.DNS.Relay.",
        "Device.Firewall.",
        "Device.Time.",
    ];
    let mut memory = Memory::new("system", &objects);
    for row in [
        "IP.Interface.1",
        "IP.Interface.1.IPv4Address.1",
        "IP.Interface.2",
        "IP.Interface.2.IPv4Address.1",
        "IP.Interface.3",
        "IP.Interface.4",
        "IP.Interface.5",
        "Ethernet.Interface.1",
        "Ethernet.Interface.2",
        "Ethernet.Interface.12",
        "Ethernet.Link.1",
        "Ethernet.Link.2",
        "Ethernet.VLANTermination.1",
        "Bridging.Bridge.1",
        "Bridging.Bridge.1.Port.1",
        "Bridging.Bridge.1.Port.2",
        "Bridging.Bridge.1.VLAN.1",
        "Bridging.Bridge.10",
        "Cellular.Interface.1",
        "WiFi.Radio.1",
        "WiFi.SSID.1",
        "WiFi.EndPoint.1",
        "WiFi.EndPoint.1.Profile.1",
        "DHCPv4.Client.1",
        "DHCPv4.Client.2",
        "DHCPv4.Client.3",
        "DHCPv4.Server.Pool.1",
        "Routing.Router.1.IPv4Forwarding.1",
        "DNS.Client.Server.1",
    ] {
        memory = memory.object(&format!("Device.{row}."), ROW);
    }
    for (name, value) in [
        // The uplink: a VLAN on a link over a port of the box.
        ("IP.Interface.1.Name", "wan.7"),
        ("IP.Interface.1.LowerLayers", "Device.Ethernet.VLANTermination.1"),
        ("Ethernet.VLANTermination.1.LowerLayers", "Device.Ethernet.Link.1"),
        ("Ethernet.Link.1.LowerLayers", "Device.Ethernet.Interface.1"),
        ("DHCPv4.Client.1.Interface", "Device.IP.Interface.1"),
        // The LAN: a bridge over another port.
        ("IP.Interface.2.Name", "lan"),
        ("IP.Interface.2.LowerLayers", "Device.Ethernet.Link.2"),
        ("Ethernet.Link.2.LowerLayers", "Device.Bridging.Bridge.1.Port.1"),
        ("Bridging.Bridge.1.Port.1.LowerLayers", "Device.Bridging.Bridge.1.Port.2"),
        ("Bridging.Bridge.1.Port.2.LowerLayers", "Device.Ethernet.Interface.2"),
        ("DHCPv4.Client.2.Interface", "Device.IP.Interface.2"),
        ("DHCPv4.Client.3.Interface", ""),
        // By radio.
        ("IP.Interface.3.Name", "wlan"),
        ("IP.Interface.3.LowerLayers", "Device.WiFi.SSID.1"),
        ("WiFi.SSID.1.LowerLayers", "Device.WiFi.Radio.1"),
        ("WiFi.EndPoint.1.SSIDReference", "Device.WiFi.SSID.1"),
        // Two that lie on each other, which none should.
        ("IP.Interface.4.Name", "round"),
        ("IP.Interface.4.LowerLayers", "Device.IP.Interface.5"),
        ("IP.Interface.5.Name", "about"),
        ("IP.Interface.5.LowerLayers", "Device.IP.Interface.4"),
        // What may be set.
        ("IP.IPv4Enable", "true"),
        ("IP.Diagnostics.IPPing.Interface", "Device.IP.Interface.1"),
        ("IP.Diagnostics.IPPing.Host", ""),
        ("IP.Interface.1.Enable", "true"),
        ("IP.Interface.1.IPv4Address.1.IPAddress", "192.0.2.2"),
        ("IP.Interface.2.Enable", "true"),
        ("IP.Interface.2.IPv4Address.1.IPAddress", "192.168.1.1"),
        ("IP.Interface.5.Enable", "true"),
        ("Ethernet.VLANTermination.1.VLANID", "7"),
        ("Ethernet.Link.1.Enable", "true"),
        ("Ethernet.Interface.1.Enable", "true"),
        ("Ethernet.Interface.2.Enable", "true"),
        ("Ethernet.Interface.12.Enable", "true"),
        ("Bridging.Bridge.1.Enable", "true"),
        ("Bridging.Bridge.1.Port.2.Enable", "true"),
        ("Bridging.Bridge.1.VLAN.1.Enable", "true"),
        ("Bridging.Bridge.10.Enable", "true"),
        ("Cellular.Interface.1.Enable", "true"),
        ("WiFi.Radio.1.Channel", "1"),
        ("WiFi.EndPoint.1.Profile.1.SSID", "home"),
        ("DHCPv4.Client.1.Enable", "true"),
        ("DHCPv4.Client.2.Enable", "true"),
        ("DHCPv4.Server.Pool.1.Interface", "Device.IP.Interface.1"),
        ("DHCPv4.Server.Pool.1.Enable", "true"),
        ("Routing.Router.1.IPv4Forwarding.1.GatewayIPAddress", "192.0.2.1"),
        ("DNS.Client.Server.1.DNSServer", "192.0.2.53"),
        ("DNS.Relay.Enable", "false"),
        ("Firewall.Enable", "false"),
        ("Time.NTPServer1", "ntp.example"),
    ] {
        memory = memory.rw(&format!("Device.{name}"), value);
    }
    memory
}

impl Cpe {
    /// A box that reaches the ACS through this device.
    fn over(uplink: Option<&str>) -> Self {
        let mut own = Memory::new("own", &["Device.ManagementServer."])
            .object("Device.ManagementServer.", ObjectKind::Single)
            .ro(KEY, "");
        for (name, value) in [
            ("URL", "http://acs.example/"),
            ("Username", "box"),
            ("Password", "hush"),
            ("HTTPCompression", "Disabled"),
            ("PeriodicInformInterval", "3600"),
            ("ConnectionRequestPassword", "ring"),
        ] {
            own = own.rw(&format!("Device.ManagementServer.{name}"), value);
        }
        let log = Rc::new(Confirming {
            uplink: RefCell::new(uplink.map(str::to_owned)),
            confirms: Cell::new(true),
            held: Cell::new(false),
        });
        let model = DataModel::new(vec![Rc::new(own), Rc::new(system())], Rc::new(Shelf::default()))
            .with_log(log.clone());
        Self { model, log }
    }

    /// Sets one parameter; whether that waits.
    async fn waits(&mut self, name: &str, value: &str) -> bool {
        self.by(Origin::Acs, name, value).await
    }

    async fn by(&mut self, origin: Origin, name: &str, value: &str) -> bool {
        self.log.held.set(false);
        let call = set(&[(&format!("Device.{name}"), value)], "");
        let done = self.model.execute(call, origin).await;
        done.unwrap_or_else(|fault| panic!("{name} = {value}: {fault} {:?}", fault.parameters));
        self.log.held.get()
    }

    async fn all_wait(&mut self, changes: &[(&str, &str)]) {
        for (name, value) in changes {
            assert!(self.waits(name, value).await, "{name} = {value} is on the way");
        }
    }

    async fn none_waits(&mut self, changes: &[(&str, &str)]) {
        for (name, value) in changes {
            assert!(!self.waits(name, value).await, "{name} = {value} is not on the way");
        }
    }
}

#[tokio::test]
async fn the_ip_interface_over_the_uplink_is_on_the_way_with_all_below_it() {
    let mut cpe = Cpe::over(Some("wan.7"));
    cpe.all_wait(&[
        ("IP.Interface.1.IPv4Address.1.IPAddress", "192.0.2.3"),
        ("IP.Interface.1.Enable", "false"),
        ("Ethernet.VLANTermination.1.VLANID", "8"),
        ("Ethernet.Link.1.Enable", "false"),
        ("Ethernet.Interface.1.Enable", "false"),
        ("DHCPv4.Client.1.Enable", "false"),
        ("IP.IPv4Enable", "false"),
    ])
    .await;
    cpe.none_waits(&[
        ("IP.Interface.2.IPv4Address.1.IPAddress", "192.168.1.2"),
        ("IP.Interface.2.Enable", "false"),
        ("Ethernet.Interface.2.Enable", "false"),
        ("Ethernet.Interface.12.Enable", "false"),
        ("Bridging.Bridge.1.Enable", "false"),
        ("Cellular.Interface.1.Enable", "false"),
        ("DHCPv4.Client.2.Enable", "false"),
        ("WiFi.Radio.1.Channel", "6"),
    ])
    .await;
}

#[tokio::test]
async fn a_bridge_is_on_the_way_with_its_ports() {
    let mut cpe = Cpe::over(Some("lan"));
    cpe.all_wait(&[
        ("Ethernet.Interface.2.Enable", "false"),
        ("Bridging.Bridge.1.Port.2.Enable", "false"),
        ("Bridging.Bridge.1.VLAN.1.Enable", "false"),
        ("Bridging.Bridge.1.Enable", "false"),
    ])
    .await;
    cpe.none_waits(&[("Bridging.Bridge.10.Enable", "false"), ("Ethernet.Interface.1.Enable", "false")]).await;
}

#[tokio::test]
async fn a_radio_link_is_on_the_way_with_what_is_known_of_the_access_point() {
    let mut cpe = Cpe::over(Some("wlan"));
    cpe.all_wait(&[("WiFi.Radio.1.Channel", "6"), ("WiFi.EndPoint.1.Profile.1.SSID", "other")]).await;
    cpe.none_waits(&[("Ethernet.Interface.1.Enable", "false")]).await;
    let mut cpe = Cpe::over(Some("wan.7"));
    cpe.none_waits(&[("WiFi.EndPoint.1.Profile.1.SSID", "other")]).await;
}

#[tokio::test]
async fn what_is_put_in_relation_to_the_way_is_on_it() {
    let mut cpe = Cpe::over(Some("wan.7"));
    let both = "Device.Ethernet.Interface.2, Device.Ethernet.Interface.1";
    cpe.all_wait(&[("Bridging.Bridge.1.Port.2.LowerLayers", both)]).await;
    cpe.none_waits(&[
        ("Bridging.Bridge.1.Port.1.LowerLayers", ""),
        ("DHCPv4.Client.3.Interface", "Device.IP.Interface.3"),
    ])
    .await;
    let mut cpe = Cpe::over(Some("wlan"));
    cpe.all_wait(&[
        ("DHCPv4.Client.3.Interface", "Device.IP.Interface.3"),
        // It was on the way before.
        ("DHCPv4.Client.3.Interface", ""),
    ])
    .await;
}

#[tokio::test]
async fn routes_name_servers_and_filters_serve_every_way() {
    let mut cpe = Cpe::over(Some("wan.7"));
    cpe.all_wait(&[
        ("Routing.Router.1.IPv4Forwarding.1.GatewayIPAddress", "192.0.2.9"),
        ("DNS.Client.Server.1.DNSServer", "192.0.2.54"),
        ("DNS.Relay.Enable", "true"),
        ("Firewall.Enable", "true"),
    ])
    .await;
    cpe.none_waits(&[
        ("Time.NTPServer1", "ntp.new"),
        ("DHCPv4.Server.Pool.1.Enable", "false"),
        ("IP.Diagnostics.IPPing.Host", "192.0.2.1"),
    ])
    .await;
}

#[tokio::test]
async fn the_agents_own_settings_wait_where_the_acs_may_not_be_reached_with_them() {
    let mut cpe = Cpe::over(Some("wan.7"));
    cpe.all_wait(&[
        ("ManagementServer.URL", "http://new.example/"),
        ("ManagementServer.Username", "other"),
        ("ManagementServer.Password", "new secret"),
        ("ManagementServer.HTTPCompression", "GZIP"),
    ])
    .await;
    cpe.none_waits(&[
        ("ManagementServer.PeriodicInformInterval", "77"),
        ("ManagementServer.ConnectionRequestPassword", "new secret"),
        ("ManagementServer.URL", "http://new.example/"),
    ])
    .await;
}

#[tokio::test]
async fn every_change_of_the_network_waits_where_the_way_is_not_known() {
    // No default route, or a device that the tree does not show.
    for uplink in [None, Some("tun9")] {
        let mut cpe = Cpe::over(uplink);
        cpe.all_wait(&[
            ("IP.Interface.2.Enable", "false"),
            ("Ethernet.Interface.12.Enable", "false"),
            ("Cellular.Interface.1.Enable", "false"),
            ("WiFi.Radio.1.Channel", "6"),
        ])
        .await;
        cpe.none_waits(&[
            ("Time.NTPServer1", "ntp.new"),
            ("IP.Diagnostics.IPPing.Host", "192.0.2.1"),
            ("DHCPv4.Server.Pool.1.Enable", "false"),
        ])
        .await;
    }
}

#[tokio::test]
async fn a_way_that_leads_round_in_a_circle_ends() {
    let mut cpe = Cpe::over(Some("round"));
    cpe.all_wait(&[("IP.Interface.5.Enable", "false")]).await;
    cpe.none_waits(&[("IP.Interface.2.Enable", "false")]).await;
}

#[tokio::test]
async fn nothing_waits_that_somebody_on_the_box_sets_or_where_it_is_switched_off() {
    let mut cpe = Cpe::over(Some("wan.7"));
    assert!(!cpe.by(Origin::Local, "IP.Interface.1.Enable", "false").await);
    cpe.log.confirms.set(false);
    cpe.none_waits(&[("IP.Interface.1.Enable", "true")]).await;
}

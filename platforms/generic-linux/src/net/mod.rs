//! The network: what the kernel says through netlink, what `/sys`, `/proc` and `/etc` add to it, as objects of the tree.
//!
//! One source answers for all of these objects, since they refer to each other: each call of the ACS asks the kernel once
//! for each kind of list that it needs, whatever the number of parameters.
//!
//! Everything is read-only. Linux has no single place that keeps the configuration of a network; what a program like this
//! one sets would be undone by whichever one does.

use std::{rc::Rc, time::SystemTime};

use async_trait::async_trait;
use cwmp_platform::{
    Uplink,
    instances::InstanceNumbers,
    source::{ParameterSink, ParameterSource, SourceError, Wanted},
};

use crate::{clock, files::Root, platform::Shared};

mod bridging;
mod dns;
mod ethernet;
mod hosts;
mod ip;
mod layout;
mod leases;
mod routing;
mod rows;
mod stack;
mod wifi;

#[cfg(test)]
mod tests;

pub(crate) use cwmp_linux::NetworkChanges;

use cwmp_linux::{kernel, moment};

use kernel::{Address, DefaultWay, Kernel, Link, Netlink, Route, Wifi, default_way};
use layout::{ETHERNET_INTERFACE, ETHERNET_LINK, IP_INTERFACE, Layout, SSID, VLAN_TERMINATION};
use moment::Moment;

const OBJECTS: [&str; 38] = [
    "Device.Bridging.Bridge.{i}.",
    "Device.Bridging.Bridge.{i}.Port.{i}.",
    "Device.Bridging.Bridge.{i}.Port.{i}.Stats.",
    "Device.Bridging.Bridge.{i}.STP.",
    "Device.DNS.Client.",
    "Device.DNS.Client.Server.{i}.",
    "Device.Ethernet.Interface.{i}.",
    "Device.Ethernet.Interface.{i}.Stats.",
    "Device.Ethernet.Link.{i}.",
    "Device.Ethernet.Link.{i}.Stats.",
    "Device.Ethernet.VLANTermination.{i}.",
    "Device.Ethernet.VLANTermination.{i}.Stats.",
    "Device.Hosts.",
    "Device.Hosts.Host.{i}.",
    "Device.Hosts.Host.{i}.IPv4Address.{i}.",
    "Device.Hosts.Host.{i}.IPv6Address.{i}.",
    "Device.IP.",
    "Device.IP.Interface.{i}.",
    "Device.IP.Interface.{i}.IPv4Address.{i}.",
    "Device.IP.Interface.{i}.IPv6Address.{i}.",
    "Device.IP.Interface.{i}.IPv6Prefix.{i}.",
    "Device.IP.Interface.{i}.Stats.",
    "Device.InterfaceStack.{i}.",
    "Device.Routing.",
    "Device.Routing.Router.{i}.",
    "Device.Routing.Router.{i}.IPv4Forwarding.{i}.",
    "Device.Routing.Router.{i}.IPv6Forwarding.{i}.",
    "Device.WiFi.",
    "Device.WiFi.AccessPoint.{i}.",
    "Device.WiFi.AccessPoint.{i}.AssociatedDevice.{i}.",
    "Device.WiFi.AccessPoint.{i}.AssociatedDevice.{i}.Stats.",
    "Device.WiFi.EndPoint.{i}.",
    "Device.WiFi.EndPoint.{i}.Profile.{i}.",
    "Device.WiFi.EndPoint.{i}.Stats.",
    "Device.WiFi.Radio.{i}.",
    "Device.WiFi.Radio.{i}.Stats.",
    "Device.WiFi.SSID.{i}.",
    "Device.WiFi.SSID.{i}.Stats.",
];

/// Answers for the network.
pub(crate) struct Network {
    shared: Rc<Shared>,
    numbers: Rc<InstanceNumbers>,
    kernel: Box<dyn Kernel>,
    now: fn() -> SystemTime,
}

/// The network at one moment, as far as a call needs it.
pub(crate) struct View<'v> {
    root: &'v Root,
    numbers: &'v InstanceNumbers,
    links: &'v [Link],
    wifi: &'v Wifi,
    layout: Layout<'v>,
    addresses: Vec<Address>,
    routes: Vec<Route>,
    moment: Moment,
}

impl View<'_> {
    fn uplink(&self) -> Option<DefaultWay> {
        default_way(&self.routes)
    }
}

/// Most boxes have none, and then nothing is asked for.
fn has_radios(root: &Root) -> bool {
    !root.names("sys/class/ieee80211").is_empty()
}

impl Network {
    pub(crate) fn new(shared: Rc<Shared>, numbers: Rc<InstanceNumbers>) -> Self {
        Self { shared, numbers, kernel: Box::new(Netlink), now: SystemTime::now }
    }

    /// See [`cwmp_platform::Platform::interface_name`]. The last device of that number is meant, if it is there.
    pub(crate) fn interface_name(&self, path: &str) -> Option<String> {
        let path = path.strip_suffix('.').unwrap_or(path);
        let (table, number) = path.rsplit_once('.')?;
        let tables = [IP_INTERFACE, ETHERNET_INTERFACE, ETHERNET_LINK, VLAN_TERMINATION, SSID];
        let table = tables.into_iter().find(|known| known.strip_suffix('.') == Some(table))?;
        let name = self.numbers.key(table, number.parse().ok()?)?;
        let links = self.kernel.links().ok()?;
        links.iter().any(|link| link.name == name).then_some(name)
    }

    /// See [`cwmp_platform::Platform::uplink`].
    pub(crate) fn uplink(&self) -> Option<Uplink> {
        kernel::uplink(&*self.kernel)
    }
}

#[async_trait(?Send)]
impl ParameterSource for Network {
    fn name(&self) -> &'static str {
        "linux-network"
    }

    fn objects(&self) -> &[&'static str] {
        &OBJECTS
    }

    /// The kernel answers a dump as it does a read of `/proc`: at once, so it is asked on this thread.
    async fn read(&self, wanted: &Wanted<'_>, out: &mut dyn ParameterSink) -> Result<(), SourceError> {
        if !OBJECTS.iter().any(|object| wanted.touches(object)) {
            return Ok(());
        }
        let root = &self.shared.root;
        let now = (self.now)();
        let links = self.kernel.links().map_err(SourceError::new)?;
        let of_wifi = wanted.touches("Device.WiFi.");
        let wifi = match has_radios(root) {
            true => self.kernel.wifi(of_wifi).map_err(SourceError::new)?,
            false => Wifi::default(),
        };
        let mut view = View {
            root,
            numbers: &self.numbers,
            links: &links,
            wifi: &wifi,
            layout: Layout::new(&links, &wifi, &self.numbers, root),
            addresses: Vec::new(),
            routes: Vec::new(),
            moment: Moment::now(now, clock::is_synchronised(root, &self.shared.options, now)),
        };
        let hosts = wanted.touches(hosts::HOST);
        if wanted.touches(IP_INTERFACE) {
            view.addresses = self.kernel.addresses().map_err(SourceError::new)?;
        }
        // The side on which a port and a host are follows from the default route.
        if hosts || of_wifi || wanted.touches(routing::ROUTING) || wanted.touches(ETHERNET_INTERFACE) {
            view.routes = self.kernel.routes().map_err(SourceError::new)?;
        }
        let (mut neighbours, mut stations) = (Vec::new(), Vec::new());
        if hosts {
            neighbours = self.kernel.neighbours().map_err(SourceError::new)?;
            if !view.layout.bridges.is_empty() {
                stations = self.kernel.stations().map_err(SourceError::new)?;
            }
        }
        bridging::read(&view, wanted, out);
        dns::read(&view, wanted, out);
        ethernet::read(&view, wanted, out);
        hosts::read(&view, &neighbours, &stations, wanted, out);
        ip::read(&view, wanted, out);
        stack::read(&view, wanted, out);
        routing::read(&view, wanted, out);
        wifi::read(&view, wanted, out);
        // Before anybody sees them. A box whose disk is full answers all the same.
        if let Err(error) = self.numbers.keep().await {
            tracing::error!("new rows may have other numbers after a restart: {error}");
        }
        Ok(())
    }
}

//! Which rows of the tree stand for which network devices, and how they lie upon each other.
//!
//! ```text
//! IP.Interface -> Ethernet.VLANTermination -> Ethernet.Link -> Ethernet.Interface
//!                                             Ethernet.Link -> Bridging.Bridge.Port (management) -> Bridging.Bridge.Port
//!                                             Ethernet.Link -> WiFi.SSID -> WiFi.Radio
//! ```
//!
//! A device that carries addresses is an IP.Interface; one with Ethernet frames that is no VLAN is an Ethernet.Link below
//! it, and one that is a port an Ethernet.Interface below that. A port of a bridge has no IP.Interface. Where
//! Ethernet.Interface stands, a wireless device has a WiFi.SSID, if it serves or uses a network.

use std::collections::HashMap;

use cwmp_platform::instances::InstanceNumbers;

use super::kernel::{Index, Link, LinkKind, Radio, Role, Wifi};
use crate::files::Root;

/// Most devices that the tree shows; those that came last are left out.
pub(crate) const DEVICES: usize = 256;
/// Most keys of a table of devices that are remembered.
const REMEMBERED: usize = 2 * DEVICES;
/// Devices that the kernel makes for tunnels that nobody has set up: no interfaces while they are down.
const FALLBACK: [&str; 9] =
    ["tunl0", "gre0", "gretap0", "erspan0", "sit0", "ip6tnl0", "ip6gre0", "ip_vti0", "ip6_vti0"];

pub(crate) const ETHERNET_INTERFACE: &str = "Device.Ethernet.Interface.";
pub(crate) const ETHERNET_LINK: &str = "Device.Ethernet.Link.";
pub(crate) const VLAN_TERMINATION: &str = "Device.Ethernet.VLANTermination.";
pub(crate) const IP_INTERFACE: &str = "Device.IP.Interface.";
pub(crate) const RADIO: &str = "Device.WiFi.Radio.";
pub(crate) const SSID: &str = "Device.WiFi.SSID.";
pub(crate) const BRIDGE: &str = "Device.Bridging.Bridge.";

/// A row of a table and its device.
pub(crate) struct Row<'l> {
    /// Path of the row without the last dot, as references have it.
    pub(crate) path: String,
    pub(crate) link: &'l Link,
    /// Paths of what lies below.
    pub(crate) lower: Vec<String>,
}

/// A row of Device.WiFi.Radio; it is no network device.
pub(crate) struct RadioRow<'l> {
    pub(crate) path: String,
    pub(crate) radio: &'l Radio,
}

/// A bridge and its ports; the first one is the management port, which stands for the bridge itself.
pub(crate) struct BridgeRow<'l> {
    pub(crate) path: String,
    pub(crate) link: &'l Link,
    pub(crate) ports: Vec<Row<'l>>,
}

/// The rows of all tables of devices.
pub(crate) struct Layout<'l> {
    pub(crate) ethernet: Vec<Row<'l>>,
    pub(crate) links: Vec<Row<'l>>,
    pub(crate) vlans: Vec<Row<'l>>,
    pub(crate) ip: Vec<Row<'l>>,
    pub(crate) bridges: Vec<BridgeRow<'l>>,
    pub(crate) radios: Vec<RadioRow<'l>>,
    pub(crate) ssids: Vec<Row<'l>>,
}

impl<'l> Layout<'l> {
    pub(crate) fn new(links: &'l [Link], wifi: &'l Wifi, numbers: &InstanceNumbers, root: &Root) -> Self {
        let links = || links.iter().take(DEVICES);
        let is_vlan_base = |link: &Link| {
            links().any(|other| matches!(other.kind, LinkKind::Vlan { on, .. } if on == Some(link.index)))
        };
        let is_bridge = |link: &Link| matches!(link.kind, LinkKind::Bridge(_));
        let is_vlan = |link: &Link| matches!(link.kind, LinkKind::Vlan { .. });
        let is_fallback = |link: &Link| !link.up && FALLBACK.contains(&link.name.as_str());

        let rows = |table: &str, such: &dyn Fn(&Link) -> bool| -> Vec<Row<'l>> {
            numbered(numbers, table, links().filter(|link| such(link)).collect())
        };
        let ethernet = rows(ETHERNET_INTERFACE, &|link| {
            link.is_ethernet && link.kind == LinkKind::Port && !is_wireless(root, &link.name)
        });
        let serves = |link: &Link| {
            wifi.interfaces.iter().find(|one| one.index == link.index && one.role != Role::Helper)
        };
        let mut ssids = rows(SSID, &|link| serves(link).is_some());
        let mut vlans = rows(VLAN_TERMINATION, &is_vlan);
        let mut l2 = rows(ETHERNET_LINK, &|link| {
            link.is_ethernet && !is_vlan(link) && !is_fallback(link) && (!link.enslaved || is_vlan_base(link))
        });
        let mut ip = rows(IP_INTERFACE, &|link| !link.enslaved && !is_fallback(link));
        let bridges: Vec<BridgeRow<'l>> = rows(BRIDGE, &is_bridge)
            .into_iter()
            .map(|row| {
                let table = format!("{}.Port.", row.path);
                let of_bridge =
                    links().filter(|link| link.port.is_some() && link.master == Some(row.link.index));
                let ports = numbered(numbers, &table, std::iter::once(row.link).chain(of_bridge).collect());
                BridgeRow { path: row.path, link: row.link, ports }
            })
            .collect();

        let given = numbers.assign(RADIO, wifi.radios.iter().map(|radio| radio.name.as_str()), REMEMBERED);
        let radios = wifi.radios.iter().zip(given);
        let radios: Vec<RadioRow<'l>> = radios
            .filter_map(|(radio, number)| Some(RadioRow { path: format!("{RADIO}{}", number?), radio }))
            .collect();
        for row in &mut ssids {
            let radio = serves(row.link)
                .and_then(|interface| radios.iter().find(|row| row.radio.index == interface.radio));
            row.lower.extend(radio.map(|radio| radio.path.clone()));
        }

        let mut by_ethernet = index(&ethernet);
        by_ethernet.extend(index(&ssids));
        let by_vlan = index(&vlans);
        let by_link = index(&l2);
        let path = |by: &HashMap<Index, String>, of: Option<Index>| of.and_then(|of| by.get(&of)).cloned();
        let below_port =
            |link: &Link| path(&by_vlan, Some(link.index)).or(path(&by_ethernet, Some(link.index)));

        let bridges: Vec<BridgeRow<'l>> = bridges
            .into_iter()
            .map(|mut bridge| {
                let (own, others) = bridge.ports.split_at_mut(1);
                for port in &mut *others {
                    port.lower.extend(below_port(port.link));
                }
                for own in own {
                    own.lower = others.iter().map(|port| port.path.clone()).collect();
                }
                bridge
            })
            .collect();
        for row in &mut l2 {
            row.lower.extend(match &row.link.kind {
                LinkKind::Bridge(_) => bridges
                    .iter()
                    .find(|bridge| bridge.link.index == row.link.index)
                    .and_then(|bridge| bridge.ports.first())
                    .map(|port| port.path.clone()),
                LinkKind::MacVlan { on } => path(&by_ethernet, *on),
                _ => path(&by_ethernet, Some(row.link.index)),
            });
        }
        for row in &mut vlans {
            if let LinkKind::Vlan { on, .. } = row.link.kind {
                // A VLAN in a VLAN lies on the outer one.
                row.lower.extend(path(&by_link, on).or(path(&by_vlan, on)));
            }
        }
        for row in &mut ip {
            let index = Some(row.link.index);
            row.lower.extend(path(&by_vlan, index).or(path(&by_link, index)));
        }
        Self { ethernet, links: l2, vlans, ip, bridges, radios, ssids }
    }

    /// Path of the IP.Interface of a device.
    pub(crate) fn ip_interface(&self, index: Index) -> Option<&str> {
        self.ip.iter().find(|row| row.link.index == index).map(|row| row.path.as_str())
    }

    /// Everything that lies on something.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row<'l>> {
        let ports = self.bridges.iter().flat_map(|bridge| &bridge.ports);
        self.ip
            .iter()
            .chain(&self.vlans)
            .chain(&self.links)
            .chain(ports)
            .chain(&self.ethernet)
            .chain(&self.ssids)
    }

    /// Path of the one Ethernet.Interface or Radio through which all frames of a device go; `None` where there is none, or
    /// several.
    pub(crate) fn port_below(&self, index: Index) -> Option<&str> {
        let is_port = |path: &&str| [ETHERNET_INTERFACE, RADIO].iter().any(|table| path.starts_with(table));
        let mut ports = self.below(index).into_iter().filter(is_port);
        ports.next().filter(|_| ports.next().is_none())
    }

    /// Paths of everything that a device is or lies on.
    pub(crate) fn below(&self, index: Index) -> Vec<&str> {
        let own = self.rows().filter(|row| row.link.index == index);
        let mut found: Vec<&str> = own.map(|row| row.path.as_str()).collect();
        let mut at = 0;
        while let Some(path) = found.get(at).copied() {
            let lower = self.rows().filter(|row| row.path == path).flat_map(|row| &row.lower);
            for path in lower {
                if !found.contains(&path.as_str()) {
                    found.push(path);
                }
            }
            at += 1;
        }
        found
    }
}

fn numbered<'l>(numbers: &InstanceNumbers, table: &str, links: Vec<&'l Link>) -> Vec<Row<'l>> {
    let given = numbers.assign(table, links.iter().map(|link| link.name.as_str()), REMEMBERED);
    let numbered = links.into_iter().zip(given);
    let row = |(link, number): (&'l Link, Option<u32>)| {
        Some(Row { path: format!("{table}{}", number?), link, lower: Vec::new() })
    };
    numbered.filter_map(row).collect()
}

fn index(rows: &[Row<'_>]) -> HashMap<Index, String> {
    rows.iter().map(|row| (row.link.index, row.path.clone())).collect()
}

fn is_wireless(root: &Root, name: &str) -> bool {
    root.path(format!("sys/class/net/{name}/phy80211")).exists()
}

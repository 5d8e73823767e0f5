//! Which network device is which row of the tree, and what lies on what.
//!
//! ```text
//! IP.Interface -> PPP.Interface -> Ethernet.VLANTermination -> Ethernet.Link -> Ethernet.Interface
//!                                                              Ethernet.Link -> Bridging.Bridge.Port (management)
//! ```
//!
//! A device is known by its name: the kernel's, and that of its `config device` section, so that one which is switched off
//! keeps its row. What the configuration says of its kind goes before what the kernel says.

use std::collections::BTreeSet;

use cwmp_core::fault::SetParameterValuesFault;
use cwmp_linux::{
    kernel::{Link, LinkKind},
    rows,
};
use cwmp_platform::source::{Change, SourceError};
use cwmp_uci::{Package, Section};

use crate::{
    edits::PackageEdits,
    limits,
    network::{Interface, Network},
    part::invalid,
    survey::Survey,
};

/// Paths of the tables.
pub(crate) const ETHERNET_INTERFACE: &str = "Device.Ethernet.Interface.";
pub(crate) const ETHERNET_LINK: &str = "Device.Ethernet.Link.";
pub(crate) const VLAN_TERMINATION: &str = "Device.Ethernet.VLANTermination.";
pub(crate) const PPP_INTERFACE: &str = "Device.PPP.Interface.";
pub(crate) const BRIDGE: &str = "Device.Bridging.Bridge.";

/// Types of `config device` sections that are VLANs.
pub(crate) const VLAN_TYPES: [&str; 2] = ["8021q", "8021ad"];

/// A row that stands for a network device, or for a logical interface.
pub(crate) struct Row {
    /// Path without the last dot, as references have it.
    pub(crate) path: String,
    /// Name of the device; of a PPP interface that of its section.
    pub(crate) device: String,
    /// Name or id of its `config device` section.
    pub(crate) section: Option<String>,
    /// What the kernel says; `None` where it has no such device.
    pub(crate) link: Option<Link>,
    /// Paths of what lies below.
    pub(crate) lower: Vec<String>,
}

/// A bridge and its ports; the first one is the management port, which stands for the bridge itself.
pub(crate) struct BridgeRow {
    pub(crate) row: Row,
    pub(crate) ports: Vec<Row>,
}

/// All rows.
pub(crate) struct Layout {
    pub(crate) ethernet: Vec<Row>,
    pub(crate) links: Vec<Row>,
    pub(crate) vlans: Vec<Row>,
    pub(crate) bridges: Vec<BridgeRow>,
    pub(crate) ppp: Vec<Row>,
}

enum Kind {
    Port,
    Vlan { on: Option<String> },
    Bridge { ports: Vec<String> },
    Other,
}

struct Device {
    name: String,
    section: Option<String>,
    link: Option<Link>,
    kind: Kind,
}

impl Row {
    /// Whether it is switched on, by the configuration.
    pub(crate) fn is_enabled(&self, package: &Package) -> bool {
        let section = self.section.as_deref().and_then(|section| package.section(section));
        section.is_none_or(|section| section.get("enabled") != Some("0"))
    }

    /// Its Status.
    pub(crate) fn status(&self, enabled: bool) -> &'static str {
        match &self.link {
            Some(link) => rows::status(link),
            None if enabled => "NotPresent",
            None => "Down",
        }
    }
}

impl Layout {
    /// Reads the package and asks the kernel.
    pub(crate) async fn look(survey: &Survey) -> Result<Self, SourceError> {
        let network = survey.network().await?;
        let links = survey.links()?;
        let devices = devices(survey, &network.package, &links);
        let bases: BTreeSet<&str> = devices
            .iter()
            .filter_map(|device| match &device.kind {
                Kind::Vlan { on } => on.as_deref(),
                _ => None,
            })
            .collect();
        let members: BTreeSet<&str> = devices
            .iter()
            .flat_map(|device| match &device.kind {
                Kind::Bridge { ports } => ports.as_slice(),
                _ => &[],
            })
            .map(String::as_str)
            .collect();
        let rows = |table: &str, such: &dyn Fn(&Device) -> bool| {
            numbered(survey, table, devices.iter().filter(|device| such(device)))
        };
        let ethernet = rows(ETHERNET_INTERFACE, &|device| matches!(device.kind, Kind::Port));
        let mut vlans = rows(VLAN_TERMINATION, &|device| matches!(device.kind, Kind::Vlan { .. }));
        let mut l2 = rows(ETHERNET_LINK, &|device| match device.kind {
            Kind::Bridge { .. } => true,
            Kind::Port => bases.contains(device.name.as_str()) || !members.contains(device.name.as_str()),
            _ => false,
        });
        let bridges = rows(BRIDGE, &|device| matches!(device.kind, Kind::Bridge { .. }));
        let below_port = |device: &str| path_of(&vlans, device).or_else(|| path_of(&ethernet, device));
        let bridges: Vec<BridgeRow> = bridges
            .into_iter()
            .map(|row| {
                let names = devices.iter().find(|device| device.name == row.device);
                let names = match names.map(|device| &device.kind) {
                    Some(Kind::Bridge { ports }) => ports.as_slice(),
                    _ => &[],
                };
                let table = format!("{}.Port.", row.path);
                let ports = std::iter::once(&row.device).chain(names).map(|name| {
                    let device = devices.iter().find(|device| device.name == *name);
                    (name.as_str(), device)
                });
                let mut ports = numbered_names(survey, &table, ports.collect());
                let others: Vec<String> = ports.iter().skip(1).map(|port| port.path.clone()).collect();
                for (at, port) in ports.iter_mut().enumerate() {
                    match at {
                        0 => port.lower.clone_from(&others),
                        _ => port.lower.extend(below_port(&port.device)),
                    }
                }
                BridgeRow { row, ports }
            })
            .collect();
        for row in &mut l2 {
            let own = bridges.iter().find(|bridge| bridge.row.device == row.device);
            let management = own.and_then(|bridge| bridge.ports.first()).map(|port| port.path.clone());
            row.lower.extend(management.or_else(|| path_of(&ethernet, &row.device)));
        }
        let lower: Vec<Option<String>> = vlans
            .iter()
            .map(|row| {
                let device = devices.iter().find(|device| device.name == row.device)?;
                let Kind::Vlan { on: Some(on) } = &device.kind else { return None };
                // A VLAN in a VLAN lies on the outer one.
                path_of(&l2, on).or_else(|| path_of(&vlans, on))
            })
            .collect();
        for (row, lower) in vlans.iter_mut().zip(lower) {
            row.lower.extend(lower);
        }
        let ppp = ppp(survey, &network, &links, &vlans, &l2);
        Ok(Self { ethernet, links: l2, vlans, bridges, ppp })
    }

    /// Path of what a logical interface lies on.
    pub(crate) fn below_interface(&self, network: &Network, interface: &Interface) -> Option<String> {
        path_of(&self.ppp, &interface.name).or_else(|| {
            let section = network.section(interface)?;
            self.path_of_device(base_device(section)?)
        })
    }

    /// Path of the row on which the interfaces of a device lie.
    pub(crate) fn path_of_device(&self, device: &str) -> Option<String> {
        path_of(&self.vlans, device).or_else(|| path_of(&self.links, device))
    }

    /// The device on which something comes to lie that names this row, with or without a last dot, as its lower layer.
    pub(crate) fn device_at(&self, path: &str) -> Option<&str> {
        let path = path.strip_suffix('.').unwrap_or(path);
        let rows = self.vlans.iter().chain(&self.links);
        rows.filter(|row| row.path == path).map(|row| row.device.as_str()).next()
    }

    /// All rows that lie on something.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        let ports = self.bridges.iter().flat_map(|bridge| &bridge.ports);
        self.ppp.iter().chain(&self.vlans).chain(&self.links).chain(ports).chain(&self.ethernet)
    }

    /// Paths of a row and of everything that it lies on.
    pub(crate) fn below(&self, path: &str) -> Vec<String> {
        let mut found = vec![path.to_owned()];
        let mut at = 0;
        while let Some(path) = found.get(at).cloned() {
            let lower = self.rows().filter(|row| row.path == path).flat_map(|row| &row.lower);
            for path in lower {
                if !found.contains(path) {
                    found.push(path.clone());
                }
            }
            at += 1;
        }
        found
    }
}

/// The device that the section of an interface names.
pub(crate) fn base_device(section: &Section) -> Option<&str> {
    section.get("device").or_else(|| section.get("ifname"))
}

/// Lays a logical interface upon the link that a change names.
pub(crate) fn lay_upon(
    section: &str,
    change: &Change,
    layout: &Layout,
    network: &mut PackageEdits,
) -> Option<SetParameterValuesFault> {
    let value = change.value.as_str();
    let device = layout.device_at(value);
    if device.is_none() && !value.is_empty() {
        return Some(invalid(change, format!("{value} is no link of this device")));
    }
    // The name of the option in releases before 21.02.
    network.unset(section, "ifname");
    network.set(section, "device", device.unwrap_or_default());
    None
}

/// Protocols of logical interfaces that run PPP.
pub(crate) fn is_ppp(proto: &str) -> bool {
    matches!(proto, "ppp" | "pppoe" | "pppoa" | "pptp" | "l2tp")
}

/// The section of a device in which its options are set; one is added where there is none.
pub(crate) fn section_of_device(edits: &mut PackageEdits, row: &Row) -> String {
    if let Some(section) = &row.section {
        return section.clone();
    }
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let section = format!("cwmp_dev_{}", row.device.chars().map(plain).collect::<String>());
    edits.add("device", &section);
    edits.set(&section, "name", &row.device);
    section
}

/// Takes a device that is about to go out of the interfaces and bridges that name it: their references become empty.
pub(crate) fn unlink_device(package: &Package, edits: &mut PackageEdits, device: &str) {
    for section in package.of_type("interface").filter(|section| base_device(section) == Some(device)) {
        edits.unset(section.name(), "device");
        edits.unset(section.name(), "ifname");
    }
    for section in package.of_type("device") {
        let mut ports: Vec<String> = section.words("ports").into_iter().map(str::to_owned).collect();
        if ports.iter().any(|port| port == device) {
            ports.retain(|port| port != device);
            edits.set_list(section.name(), "ports", ports);
        }
        if section.get("ifname") == Some(device) {
            edits.unset(section.name(), "ifname");
        }
    }
}

/// The devices of the kernel, then those that only the configuration has.
fn devices(survey: &Survey, package: &Package, links: &[Link]) -> Vec<Device> {
    let named = |name: &str| package.of_type("device").find(|section| section.get("name") == Some(name));
    let mut devices: Vec<Device> = links
        .iter()
        .take(limits::ROWS)
        .map(|link| {
            let section = named(&link.name);
            let kind = section.and_then(|section| configured(section, Some(link), links));
            Device {
                name: link.name.clone(),
                section: section.map(|section| section.name().to_owned()),
                link: Some(link.clone()),
                kind: kind.unwrap_or_else(|| of_kernel(survey, link, links)),
            }
        })
        .collect();
    for section in package.of_type("device").take(limits::ROWS) {
        let Some(name) = section.get("name") else { continue };
        let Some(kind) = configured(section, None, links) else { continue };
        if !devices.iter().any(|device| device.name == name) {
            let (name, section) = (name.to_owned(), Some(section.name().to_owned()));
            devices.push(Device { name, section, link: None, kind });
        }
    }
    devices
}

/// What a section makes of a device; `None` where it only sets options of one that is there.
fn configured(section: &Section, link: Option<&Link>, links: &[Link]) -> Option<Kind> {
    match section.get("type")? {
        "bridge" => {
            let mut ports: Vec<String> = section.words("ports").into_iter().map(str::to_owned).collect();
            // Wireless ones join by themselves.
            for member in link.iter().flat_map(|link| members(link, links)) {
                if !ports.contains(&member) {
                    ports.push(member);
                }
            }
            ports.truncate(limits::ROWS);
            Some(Kind::Bridge { ports })
        }
        kind if VLAN_TYPES.contains(&kind) => {
            Some(Kind::Vlan { on: section.get("ifname").map(str::to_owned) })
        }
        _ => None,
    }
}

fn of_kernel(survey: &Survey, link: &Link, links: &[Link]) -> Kind {
    match &link.kind {
        LinkKind::Vlan { on, .. } => {
            let on = links.iter().find(|other| Some(other.index) == *on);
            Kind::Vlan { on: on.map(|on| on.name.clone()) }
        }
        LinkKind::Bridge(_) => Kind::Bridge { ports: members(link, links) },
        LinkKind::Port if link.is_ethernet && !is_wireless(survey, &link.name) => Kind::Port,
        _ => Kind::Other,
    }
}

fn members(bridge: &Link, links: &[Link]) -> Vec<String> {
    let ports = links.iter().filter(|link| link.master == Some(bridge.index));
    ports.map(|link| link.name.clone()).collect()
}

fn is_wireless(survey: &Survey, name: &str) -> bool {
    survey.root().path(format!("sys/class/net/{name}/phy80211")).exists()
}

/// Interfaces that run PPP: the section is both this row and that of IP above it.
fn ppp(survey: &Survey, network: &Network, links: &[Link], vlans: &[Row], l2: &[Row]) -> Vec<Row> {
    let such = network.interfaces().iter().filter(|interface| is_ppp(&interface.proto));
    let such: Vec<&Interface> = such.collect();
    let numbers = survey.numbers(PPP_INTERFACE, such.iter().map(|interface| interface.name.as_str()));
    let rows = such.into_iter().zip(numbers).filter_map(|(interface, number)| {
        let base = network.section(interface).and_then(base_device);
        let lower = base.and_then(|base| path_of(vlans, base).or_else(|| path_of(l2, base)));
        let link = links.iter().find(|link| {
            Some(link.name.as_str()) == interface.device.as_deref() && Some(link.name.as_str()) != base
        });
        Some(Row {
            path: format!("{PPP_INTERFACE}{}", number?),
            device: interface.name.clone(),
            section: None,
            link: link.cloned(),
            lower: lower.into_iter().collect(),
        })
    });
    rows.collect()
}

fn path_of(rows: &[Row], device: &str) -> Option<String> {
    rows.iter().find(|row| row.device == device).map(|row| row.path.clone())
}

fn numbered<'d>(survey: &Survey, table: &str, devices: impl Iterator<Item = &'d Device>) -> Vec<Row> {
    let devices = devices.take(limits::ROWS).map(|device| (device.name.as_str(), Some(device)));
    numbered_names(survey, table, devices.collect())
}

fn numbered_names(survey: &Survey, table: &str, devices: Vec<(&str, Option<&Device>)>) -> Vec<Row> {
    let numbers = survey.numbers(table, devices.iter().map(|(name, _)| *name));
    let row = |((name, device), number): ((&str, Option<&Device>), Option<u32>)| {
        Some(Row {
            path: format!("{table}{}", number?),
            device: name.to_owned(),
            section: device.and_then(|device| device.section.clone()),
            link: device.and_then(|device| device.link.clone()),
            lower: Vec::new(),
        })
    };
    devices.into_iter().zip(numbers).filter_map(row).collect()
}

//! What the ACS changes of Device.IP: sections of interfaces, and the first address of those that are static.
//!
//! Which zone of the firewall a new interface belongs to is the business of Device.Firewall; until then it is in none.

use std::{net::Ipv4Addr, rc::Rc};

use cwmp_core::fault::{CwmpFault, SetParameterValuesFault};
use cwmp_platform::source::{Change, SourceError};

use super::{INTERFACE, STATIC};
use crate::{
    edits::{Edits, PackageEdits},
    layout::{Layout, Row, base_device, is_ppp, lay_upon, section_of_device},
    network::{IP_INTERFACE, Interface, Network, delete_interface},
    part::{InRow, below, by_row, internal, invalid, new_section, no_such, not_writable},
};

const ADDRESS: &str = "Device.IP.Interface.{i}.IPv4Address.{i}.";
/// The package.
const NETWORK: &str = "network";

pub(super) async fn changes(
    changes: &[&Change],
    edits: &mut Edits,
) -> Result<Vec<SetParameterValuesFault>, SourceError> {
    let survey = Rc::clone(edits.survey());
    let (network, layout) = (survey.network().await?, survey.layout().await?);
    let package = edits.package(NETWORK).await?;
    let mut faults = Vec::new();
    let mut known = 0;
    for object in [INTERFACE, ADDRESS] {
        for (numbers, changes) in by_row(object, changes) {
            known += changes.len();
            let interface = numbers.first().and_then(|number| network.numbered(*number));
            let table = interface.map(|interface| format!("{}.IPv4Address.", interface.path));
            let key = table.zip(numbers.get(1)).and_then(|(table, number)| survey.key(&table, *number));
            for (name, change) in changes {
                faults.extend(match (interface, object) {
                    (Some(interface), INTERFACE) => {
                        edit_interface(interface, (name, change), &network, &layout, package)
                    }
                    (Some(interface), _) if interface.proto == "static" && key.as_deref() == Some(STATIC) => {
                        edit_address(&interface.name, (name, change), package)
                    }
                    _ => Some(not_writable(change)),
                });
            }
        }
    }
    if known < changes.len() {
        let others = changes
            .iter()
            .filter(|change| [INTERFACE, ADDRESS].iter().all(|object| by_row(object, &[change]).is_empty()));
        faults.extend(others.map(|change| not_writable(change)));
    }
    Ok(faults)
}

pub(super) async fn add(table: &str, edits: &mut Edits) -> Result<u32, CwmpFault> {
    if table != IP_INTERFACE {
        return Err(no_such(table));
    }
    let (number, section) = new_section(edits.survey(), IP_INTERFACE, "if")?;
    let network = edits.package(NETWORK).await.map_err(internal)?;
    network.add("interface", &section);
    network.set(&section, "proto", "static");
    network.set(&section, "disabled", "1");
    Ok(number)
}

pub(super) async fn delete(instance: &str, edits: &mut Edits) -> Result<(), CwmpFault> {
    let survey = Rc::clone(edits.survey());
    let network = survey.network().await.map_err(internal)?;
    let numbers = below(INTERFACE, instance).filter(|(_, rest)| rest.is_empty());
    let interface = numbers.and_then(|(numbers, _)| network.numbered(*numbers.first()?));
    // Programs of the box itself need it.
    let interface = interface.filter(|interface| interface.device.as_deref() != Some("lo"));
    let interface = interface.ok_or_else(|| no_such(instance))?;
    delete_interface(&interface.name, edits).await.map_err(internal)
}

/// The row of the device that an interface lies on.
pub(super) fn base_row<'l>(network: &Network, layout: &'l Layout, interface: &Interface) -> Option<&'l Row> {
    let device = network.section(interface).and_then(base_device)?;
    layout.vlans.iter().chain(&layout.links).find(|row| row.device == device)
}

fn edit_interface(
    interface: &Interface,
    (name, change): InRow<'_>,
    network: &Network,
    layout: &Layout,
    package: &mut PackageEdits,
) -> Option<SetParameterValuesFault> {
    let (value, section) = (change.value.as_str(), interface.name.as_str());
    match name {
        "Enable" => package.set_bool(section, "disabled", value == "false", false),
        "IPv6Enable" if value == "false" => package.set(section, "ipv6", "0"),
        // What was set to try, or to have, stays.
        "IPv6Enable" => {
            if package.get(section, "ipv6").as_deref() == Some("0") {
                package.unset(section, "ipv6");
            }
        }
        "LowerLayers" if !is_ppp(&interface.proto) => return lay_upon(section, change, layout, package),
        "MaxMTUSize" if !is_ppp(&interface.proto) => match base_row(network, layout, interface) {
            Some(row) => {
                let section = section_of_device(package, row);
                package.set(&section, "mtu", value);
            }
            None => return Some(not_writable(change)),
        },
        _ => return Some(not_writable(change)),
    }
    None
}

/// The first address: `192.168.1.1` with a mask of its own, or `192.168.1.1/24`, perhaps of a list.
fn edit_address(
    section: &str,
    (name, change): InRow<'_>,
    package: &mut PackageEdits,
) -> Option<SetParameterValuesFault> {
    let value = change.value.as_str();
    let parsed = value.parse::<Ipv4Addr>().ok();
    let mut list: Vec<String> = package.list(section, "ipaddr");
    let first = list.first().cloned().unwrap_or_default();
    let (old, length) = match first.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (first.as_str(), None),
    };
    let entry = match (name, parsed) {
        ("IPAddress", None) if list.len() <= 1 => String::new(),
        ("IPAddress", Some(address))
            if !address.is_unspecified() && !address.is_multicast() && !address.is_broadcast() =>
        {
            length.map_or_else(|| address.to_string(), |length| format!("{address}/{length}"))
        }
        ("IPAddress", _) => return Some(invalid(change, "no address of one host")),
        ("SubnetMask", None) if length.is_none() => {
            package.unset(section, "netmask");
            return None;
        }
        ("SubnetMask", Some(mask)) if u32::from(mask).leading_ones() == u32::from(mask).count_ones() => {
            if length.is_none() {
                package.set(section, "netmask", value);
                return None;
            }
            format!("{old}/{}", u32::from(mask).leading_ones())
        }
        ("SubnetMask", _) => return Some(invalid(change, "no mask of a subnet")),
        _ => return Some(not_writable(change)),
    };
    if list.len() > 1 || length.is_some() && !entry.is_empty() {
        if let Some(first) = list.first_mut() {
            *first = entry;
        }
        package.set_list(section, "ipaddr", list);
    } else {
        package.set(section, "ipaddr", &entry);
    }
    None
}

//! Device.Ethernet: ports, links and VLANs: `config device` sections of package `network`, and what the kernel says of them.

use std::rc::Rc;

use async_trait::async_trait;
use cwmp_core::fault::{CwmpFault, SetParameterValuesFault};
use cwmp_linux::{files::clean, kernel::LinkKind, rows};
use cwmp_platform::source::{
    Access::{self, ReadOnly, ReadWrite},
    Change, ObjectKind, ParameterSink, SourceError, Wanted,
};
use cwmp_uci::{Package, Section};

use crate::{
    edits::{Edits, PackageEdits},
    layout::{
        ETHERNET_INTERFACE, ETHERNET_LINK, Layout, Row, VLAN_TERMINATION, VLAN_TYPES, section_of_device,
        unlink_device,
    },
    part::{InRow, Part, below, by_row, internal, invalid, new_section, no_such, not_writable},
    survey::Survey,
};

const INTERFACE: &str = "Device.Ethernet.Interface.{i}.";
const LINK: &str = "Device.Ethernet.Link.{i}.";
const VLAN: &str = "Device.Ethernet.VLANTermination.{i}.";
/// The package.
const NETWORK: &str = "network";
/// Rates to which a port can be held, in Mbit/s.
const RATES: [i64; 6] = [10, 100, 1000, 2500, 5000, 10_000];
/// Ethernet types of tags, in the order of [`VLAN_TYPES`].
const TPIDS: [u16; 2] = [0x8100, 0x88a8];

pub(crate) struct Ethernet;

#[async_trait(?Send)]
impl Part for Ethernet {
    fn objects(&self) -> &'static [&'static str] {
        &[
            INTERFACE,
            "Device.Ethernet.Interface.{i}.Stats.",
            LINK,
            "Device.Ethernet.Link.{i}.Stats.",
            VLAN,
            "Device.Ethernet.VLANTermination.{i}.Stats.",
        ]
    }

    async fn read(
        &self,
        survey: &Survey,
        wanted: &Wanted<'_>,
        out: &mut dyn ParameterSink,
    ) -> Result<(), SourceError> {
        let (network, layout) = (survey.network().await?, survey.layout().await?);
        let package = &network.package;
        if wanted.touches(INTERFACE) {
            let uplink = network.uplink(survey).await?;
            let upstream = uplink.and_then(|uplink| layout.below_interface(&network, uplink));
            let upstream = upstream.map(|path| layout.below(&path));
            out.object(ETHERNET_INTERFACE, ObjectKind::Table { addable: false });
            for row in &layout.ethernet {
                interface(survey, package, row, out);
                if let Some(upstream) = &upstream {
                    out.parameter("Upstream", &upstream.contains(&row.path), ReadOnly);
                }
                stats(row, out);
            }
        }
        if wanted.touches(LINK) {
            out.object(ETHERNET_LINK, ObjectKind::Table { addable: false });
            for row in &layout.links {
                let deletable = ObjectKind::Instance { deletable: false };
                begin(row, package, deletable, ReadOnly, out);
                out.parameter("LowerLayers", &row.lower.join(","), ReadOnly);
                let mac = row.link.as_ref().and_then(|link| link.mac.as_deref());
                let mac = section(package, row).and_then(|section| section.get("macaddr")).or(mac);
                // One that is no address belongs to a driver of its own (`random`).
                let mac = mac.filter(|mac| is_mac(mac)).unwrap_or_default();
                out.parameter("MACAddress", &mac, ReadWrite);
                stats(row, out);
            }
        }
        if wanted.touches(VLAN) {
            out.object(VLAN_TERMINATION, ObjectKind::Table { addable: true });
            for row in &layout.vlans {
                vlan(package, row, out);
                stats(row, out);
            }
        }
        Ok(())
    }

    async fn edit(
        &self,
        changes: &[&Change],
        edits: &mut Edits,
    ) -> Result<Vec<SetParameterValuesFault>, SourceError> {
        let survey = Rc::clone(edits.survey());
        let layout = survey.layout().await?;
        let network = edits.package(NETWORK).await?;
        let mut faults = Vec::new();
        type EditRow = fn(&Row, &[InRow<'_>], &Layout, &mut PackageEdits) -> Vec<SetParameterValuesFault>;
        let tables: [(&str, &[Row], EditRow); 3] = [
            (INTERFACE, &layout.ethernet, edit_interface),
            (LINK, &layout.links, edit_link),
            (VLAN, &layout.vlans, edit_vlan),
        ];
        for (object, rows, edit) in tables {
            for (numbers, changes) in by_row(object, changes) {
                match row_of(object, rows, &numbers) {
                    Some(row) => faults.extend(edit(row, &changes, &layout, network)),
                    // A row that was added by the same call has no place in the layout yet.
                    None => faults.extend(changes.iter().map(|(_, change)| not_writable(change))),
                }
            }
        }
        Ok(faults)
    }

    async fn add(&self, table: &str, edits: &mut Edits) -> Result<u32, CwmpFault> {
        if table != VLAN_TERMINATION {
            return Err(no_such(table));
        }
        let (number, section) = new_section(edits.survey(), VLAN_TERMINATION, "vlan")?;
        let network = edits.package(NETWORK).await.map_err(internal)?;
        network.add("device", &section);
        network.set(&section, "type", "8021q");
        // The device has the name of its section; netifd leaves one alone that has no device below.
        network.set(&section, "name", &section);
        network.set(&section, "vid", "1");
        network.set(&section, "enabled", "0");
        Ok(number)
    }

    async fn delete(&self, instance: &str, edits: &mut Edits) -> Result<(), CwmpFault> {
        let survey = Rc::clone(edits.survey());
        let layout = survey.layout().await.map_err(internal)?;
        let numbers = below(VLAN, instance).filter(|(_, rest)| rest.is_empty()).map(|(numbers, _)| numbers);
        let row = numbers.and_then(|numbers| row_of(VLAN, &layout.vlans, &numbers));
        let (row, section) =
            row.and_then(|row| Some((row, row.section.as_deref()?))).ok_or_else(|| no_such(instance))?;
        let package = survey.uci(NETWORK).await.map_err(internal)?;
        let network = edits.package(NETWORK).await.map_err(internal)?;
        network.delete(section);
        unlink_device(&package, network, &row.device);
        Ok(())
    }
}

/// The row with this number.
fn row_of<'r>(object: &str, rows: &'r [Row], numbers: &[u32]) -> Option<&'r Row> {
    let path = format!("{}{}", object.strip_suffix("{i}.")?, numbers.first()?);
    rows.iter().find(|row| row.path == path)
}

fn section<'p>(package: &'p Package, row: &Row) -> Option<&'p Section> {
    package.section(row.section.as_deref()?)
}

fn begin(row: &Row, package: &Package, kind: ObjectKind, enable: Access, out: &mut dyn ParameterSink) {
    let enabled = row.is_enabled(package);
    out.object(&format!("{}.", row.path), kind);
    out.parameter("Enable", &enabled, enable);
    out.parameter("Status", &row.status(enabled), ReadOnly);
    out.parameter("Name", &clean(&row.device, 64), ReadOnly);
}

fn stats(row: &Row, out: &mut dyn ParameterSink) {
    rows::stats(&row.path, row.link.as_ref().and_then(|link| link.stats.as_ref()), out);
}

fn interface(survey: &Survey, package: &Package, row: &Row, out: &mut dyn ParameterSink) {
    begin(row, package, ObjectKind::Instance { deletable: false }, ReadWrite, out);
    out.parameter("LowerLayers", &"", ReadOnly);
    if let Some(mac) = row.link.as_ref().and_then(|link| link.mac.as_ref()) {
        out.parameter("MACAddress", mac, ReadOnly);
    }
    // -1 and errors stand for a port without a carrier.
    let speed = survey.text(&format!("sys/class/net/{}/speed", row.device));
    let speed = speed.and_then(|text| text.trim().parse::<u32>().ok());
    if let Some(megabits) = speed.filter(|megabits| *megabits != u32::MAX) {
        out.parameter("CurrentBitRate", &megabits, ReadOnly);
    }
    let option = |name: &str| section(package, row).and_then(|section| section.get(name));
    let held =
        option("speed").and_then(|speed| speed.parse::<i64>().ok()).filter(|rate| RATES.contains(rate));
    out.parameter("MaxBitRate", &held.unwrap_or(-1), ReadWrite);
    let duplex = match option("duplex") {
        Some("0") => "Half",
        Some("1") => "Full",
        _ => "Auto",
    };
    out.parameter("DuplexMode", &duplex, ReadWrite);
}

fn edit_interface(
    row: &Row,
    changes: &[InRow<'_>],
    _: &Layout,
    network: &mut PackageEdits,
) -> Vec<SetParameterValuesFault> {
    let mut faults = Vec::new();
    for (name, change) in changes {
        let value = change.value.as_str();
        match *name {
            "Enable" | "MaxBitRate" | "DuplexMode" => {}
            _ => {
                faults.push(not_writable(change));
                continue;
            }
        }
        let section = section_of_device(network, row);
        match (*name, value) {
            ("Enable", _) => network.set_bool(&section, "enabled", value == "true", true),
            ("MaxBitRate", "-1") => network.unset(&section, "speed"),
            ("MaxBitRate", _) if value.parse().is_ok_and(|rate: i64| RATES.contains(&rate)) => {
                network.set(&section, "speed", value);
            }
            ("MaxBitRate", _) => faults.push(invalid(change, "no rate of Ethernet, in Mbit/s, nor -1")),
            (_, "Half") => network.set(&section, "duplex", "0"),
            (_, "Full") => network.set(&section, "duplex", "1"),
            (_, _) => network.unset(&section, "duplex"),
        }
        if *name != "Enable" {
            // What is set holds only where the two ends do not negotiate.
            let held = ["speed", "duplex"].iter().any(|option| network.get(&section, option).is_some());
            network.set_bool(&section, "autoneg", !held, true);
        }
    }
    faults
}

fn edit_link(
    row: &Row,
    changes: &[InRow<'_>],
    _: &Layout,
    network: &mut PackageEdits,
) -> Vec<SetParameterValuesFault> {
    let mut faults = Vec::new();
    for (name, change) in changes {
        let value = change.value.as_str();
        match *name {
            // The driver's own address holds again.
            "MACAddress" if value.is_empty() => {
                if let Some(section) = &row.section {
                    network.unset(section, "macaddr");
                }
            }
            "MACAddress" if is_unicast(value) => {
                let section = section_of_device(network, row);
                network.set(&section, "macaddr", &value.to_ascii_lowercase());
            }
            "MACAddress" => faults.push(invalid(change, "no address of one station")),
            _ => faults.push(not_writable(change)),
        }
    }
    faults
}

fn is_mac(text: &str) -> bool {
    let octets: Vec<&str> = text.split(':').collect();
    octets.len() == 6 && octets.iter().all(|octet| octet.len() == 2 && u8::from_str_radix(octet, 16).is_ok())
}

/// Not that of a group, and not none at all.
fn is_unicast(text: &str) -> bool {
    let first = text.get(..2).and_then(|octet| u8::from_str_radix(octet, 16).ok());
    is_mac(text) && first.is_some_and(|first| first & 1 == 0) && text != "00:00:00:00:00:00"
}

fn vlan(package: &Package, row: &Row, out: &mut dyn ParameterSink) {
    let own = section(package, row).filter(|section| section.get("type").is_some());
    // One that is only a name (`eth0.7`) has no section to be changed.
    let access = if own.is_some() { ReadWrite } else { ReadOnly };
    begin(row, package, ObjectKind::Instance { deletable: own.is_some() }, access, out);
    out.parameter("LowerLayers", &row.lower.join(","), access);
    let (kernel_id, kernel_tpid) = match row.link.as_ref().map(|link| &link.kind) {
        Some(LinkKind::Vlan { id, tpid, .. }) => (*id, *tpid),
        _ => (None, None),
    };
    let id = own.and_then(|own| own.get("vid")?.parse::<u16>().ok()).or(kernel_id);
    if let Some(id) = id.filter(|id| (1..=4094).contains(id)) {
        out.parameter("VLANID", &id, access);
    }
    let kind = own.and_then(|own| own.get("type"));
    let kind = VLAN_TYPES.iter().zip(TPIDS).find(|(name, _)| Some(**name) == kind).map(|(_, tpid)| tpid);
    if let Some(tpid) = kind.or(kernel_tpid) {
        out.parameter("TPID", &tpid, access);
    }
}

fn edit_vlan(
    row: &Row,
    changes: &[InRow<'_>],
    layout: &Layout,
    network: &mut PackageEdits,
) -> Vec<SetParameterValuesFault> {
    let own = row.section.as_deref().filter(|section| network.get(section, "type").is_some());
    let Some(section) = own else {
        return changes.iter().map(|(_, change)| not_writable(change)).collect();
    };
    let mut faults = Vec::new();
    for (name, change) in changes {
        let value = change.value.as_str();
        match *name {
            "Enable" => network.set_bool(section, "enabled", value == "true", true),
            "VLANID" => network.set(section, "vid", value),
            "TPID" => match VLAN_TYPES.iter().zip(TPIDS).find(|(_, tpid)| tpid.to_string() == value) {
                Some((kind, _)) => network.set(section, "type", kind),
                None => faults.push(invalid(change, "tags are of the types 33024 and 34984")),
            },
            "LowerLayers" if value.is_empty() => network.unset(section, "ifname"),
            "LowerLayers" => match layout.device_at(value) {
                // In a circle there would be no device at all.
                Some(_) if layout.below(value.trim_end_matches('.')).contains(&row.path) => {
                    faults.push(invalid(change, format!("{value} lies on {}", row.path)));
                }
                Some(device) => network.set(section, "ifname", device),
                None => faults.push(invalid(change, format!("{value} is no link of this device"))),
            },
            _ => faults.push(not_writable(change)),
        }
    }
    faults
}

//! Device.Bridging: bridges are `config device` sections of type `bridge`, their VLANs `config bridge-vlan` sections of
//! package `network`.
//!
//! A port is known by the name of its device: it can be taken out, but has no row before its device is known, so the ACS
//! makes none. The first port of each bridge is the management port, which stands for the bridge itself.

use std::rc::Rc;

use async_trait::async_trait;
use cwmp_core::fault::{CwmpFault, SetParameterValuesFault};
use cwmp_linux::{
    files::clean,
    kernel::{BridgeFacts, LinkKind, PortFacts},
    rows,
};
use cwmp_platform::source::{
    Access::{ReadOnly, ReadWrite},
    Change, ObjectKind, ParameterSink, SourceError, Wanted,
};
use cwmp_uci::{Package, Section};

use crate::{
    edits::{Edits, PackageEdits},
    layout::{BRIDGE, BridgeRow, Layout, Row, section_of_device, unlink_device},
    limits,
    part::{InRow, Part, below, by_row, internal, invalid, new_section, no_such, not_writable, section_keys},
    survey::Survey,
};

const ROW: &str = "Device.Bridging.Bridge.{i}.";
const STP: &str = "Device.Bridging.Bridge.{i}.STP.";
const PORT: &str = "Device.Bridging.Bridge.{i}.Port.{i}.";
const VLAN: &str = "Device.Bridging.Bridge.{i}.VLAN.{i}.";
const VLAN_PORT: &str = "Device.Bridging.Bridge.{i}.VLANPort.{i}.";
/// The package.
const NETWORK: &str = "network";
/// Type of the sections of VLANs.
const BRIDGE_VLAN: &str = "bridge-vlan";
const DELETABLE: ObjectKind = ObjectKind::Instance { deletable: true };

/// Numbers of STP: the parameter, its option, the default of the model, how much of the parameter is one of the option.
const TIMES: [(&str, &str, u32, u32); 4] = [
    ("BridgePriority", "priority", 32_768, 1),
    ("HelloTime", "hello_time", 200, 100),
    ("MaxAge", "max_age", 2000, 100),
    ("ForwardingDelay", "forward_delay", 15, 1),
];
/// What the model takes of them.
const RANGES: [(u32, u32); 4] = [(0, 61_440), (100, 1000), (600, 4000), (4, 30)];

pub(crate) struct Bridging;

#[async_trait(?Send)]
impl Part for Bridging {
    fn objects(&self) -> &'static [&'static str] {
        &[ROW, STP, PORT, "Device.Bridging.Bridge.{i}.Port.{i}.Stats.", VLAN, VLAN_PORT]
    }

    async fn read(
        &self,
        survey: &Survey,
        _: &Wanted<'_>,
        out: &mut dyn ParameterSink,
    ) -> Result<(), SourceError> {
        let (network, layout) = (survey.network().await?, survey.layout().await?);
        let package = &network.package;
        out.object(BRIDGE, ObjectKind::Table { addable: true });
        for bridge in &layout.bridges {
            let vlans = Vlans::of(survey, package, bridge);
            bridge_row(package, bridge, out);
            out.object(&format!("{}.Port.", bridge.row.path), ObjectKind::Table { addable: false });
            for (at, port) in bridge.ports.iter().enumerate() {
                port_row(package, bridge, port, at == 0, &vlans, out);
            }
            vlans.read(bridge, out);
        }
        Ok(())
    }

    async fn edit(
        &self,
        changes: &[&Change],
        edits: &mut Edits,
    ) -> Result<Vec<SetParameterValuesFault>, SourceError> {
        let survey = Rc::clone(edits.survey());
        let (layout, package) = (survey.layout().await?, survey.uci(NETWORK).await?);
        let network = edits.package(NETWORK).await?;
        let mut faults = Vec::new();
        for object in [ROW, STP, PORT, VLAN, VLAN_PORT] {
            for (numbers, changes) in by_row(object, changes) {
                let Some(bridge) = bridge_at(&layout, &numbers) else {
                    faults.extend(changes.iter().map(|(_, change)| not_writable(change)));
                    continue;
                };
                let vlans = Vlans::of(&survey, &package, bridge);
                let number = numbers.get(1).copied();
                for (name, change) in changes {
                    let fault = match object {
                        ROW => edit_bridge(&bridge.row, (name, change), network),
                        STP => edit_stp(&bridge.row, (name, change), network),
                        VLAN => vlans.edit(number, (name, change), network),
                        VLAN_PORT => vlans.edit_port(number, (name, change), network),
                        _ => Some(not_writable(change)),
                    };
                    faults.extend(fault);
                }
            }
        }
        Ok(faults)
    }

    async fn add(&self, table: &str, edits: &mut Edits) -> Result<u32, CwmpFault> {
        if table != BRIDGE {
            return Err(no_such(table));
        }
        let (number, section) = new_section(edits.survey(), BRIDGE, "br")?;
        let network = edits.package(NETWORK).await.map_err(internal)?;
        network.add("device", &section);
        network.set(&section, "type", "bridge");
        network.set(&section, "name", &section);
        network.set(&section, "enabled", "0");
        Ok(number)
    }

    async fn delete(&self, instance: &str, edits: &mut Edits) -> Result<(), CwmpFault> {
        let survey = Rc::clone(edits.survey());
        let layout = survey.layout().await.map_err(internal)?;
        let package = survey.uci(NETWORK).await.map_err(internal)?;
        let network = edits.package(NETWORK).await.map_err(internal)?;
        let found = [ROW, PORT, VLAN, VLAN_PORT].into_iter().find_map(|object| {
            let (numbers, _) = below(object, instance).filter(|(_, rest)| rest.is_empty())?;
            let bridge = bridge_at(&layout, &numbers)?;
            let vlans = Vlans::of(&survey, &package, bridge);
            let number = numbers.get(1).copied();
            match object {
                ROW => delete_bridge(&package, bridge, &vlans, network),
                PORT => delete_port(bridge, number?, &vlans, network)?,
                VLAN => {
                    let row = vlans.rows.iter().find(|row| Some(row.number) == number)?;
                    network.delete(row.section.name());
                }
                _ => vlans.set_port(vlans.port(number?)?, None, network),
            }
            Some(())
        });
        found.ok_or_else(|| no_such(instance))
    }
}

fn bridge_at<'l>(layout: &'l Layout, numbers: &[u32]) -> Option<&'l BridgeRow> {
    let path = format!("{BRIDGE}{}", numbers.first()?);
    layout.bridges.iter().find(|bridge| bridge.row.path == path)
}

fn section<'p>(package: &'p Package, row: &Row) -> Option<&'p Section> {
    package.section(row.section.as_deref()?)
}

fn bridge_row(package: &Package, bridge: &BridgeRow, out: &mut dyn ParameterSink) {
    let row = &bridge.row;
    let option = |name: &str| section(package, row).and_then(|section| section.get(name));
    let number = |name: &str| option(name).and_then(|text| text.parse::<u32>().ok());
    let enabled = row.is_enabled(package);
    out.object(&format!("{}.", row.path), DELETABLE);
    out.parameter("Enable", &enabled, ReadWrite);
    let status = match (enabled, &row.link) {
        (false, _) => "Disabled",
        (true, Some(link)) if link.up => "Enabled",
        (true, _) => "Error",
    };
    out.parameter("Status", &status, ReadOnly);
    out.parameter("Name", &clean(&row.device, 64), ReadOnly);
    let filters = option("vlan_filtering") == Some("1");
    out.parameter("Standard", &if filters { "802.1Q-2011" } else { "802.1D-2004" }, ReadWrite);
    let facts = match row.link.as_ref().map(|link| &link.kind) {
        Some(LinkKind::Bridge(facts)) => facts,
        _ => &BridgeFacts::default(),
    };
    let ageing = number("ageing_time").or(facts.ageing_time.map(|time| time / 100)).unwrap_or(300);
    if (10..=1_000_000).contains(&ageing) {
        out.parameter("AgingTime", &ageing, ReadWrite);
    }
    let stp = option("stp") == Some("1");
    out.object(&format!("{}.STP.", row.path), ObjectKind::Single);
    out.parameter("Enable", &stp, ReadWrite);
    out.parameter("Status", &if stp { "Enabled" } else { "Disabled" }, ReadOnly);
    // The kernel's own.
    out.parameter("Protocol", &"STP", ReadOnly);
    let kernel = [
        facts.priority.map(u32::from),
        facts.hello_time,
        facts.max_age,
        facts.forward_delay.map(|time| time / 100),
    ];
    for (((name, uci, usual, unit), (least, most)), kernel) in TIMES.into_iter().zip(RANGES).zip(kernel) {
        let value = number(uci).and_then(|value| value.checked_mul(unit)).or(kernel).unwrap_or(usual);
        if (least..=most).contains(&value) {
            out.parameter(name, &value, ReadWrite);
        }
    }
}

fn edit_bridge(
    row: &Row,
    (name, change): InRow<'_>,
    network: &mut PackageEdits,
) -> Option<SetParameterValuesFault> {
    let value = change.value.as_str();
    let mut section = || section_of_device(network, row);
    match name {
        "Enable" => {
            let section = section();
            network.set_bool(&section, "enabled", value == "true", true);
        }
        "Standard" => {
            let section = section();
            network.set_bool(&section, "vlan_filtering", value != "802.1D-2004", false);
        }
        "AgingTime" => {
            let section = section();
            network.set(&section, "ageing_time", value);
        }
        _ => return Some(not_writable(change)),
    }
    None
}

fn edit_stp(
    row: &Row,
    (name, change): InRow<'_>,
    network: &mut PackageEdits,
) -> Option<SetParameterValuesFault> {
    let value = change.value.as_str();
    if name == "Enable" {
        let section = section_of_device(network, row);
        network.set_bool(&section, "stp", value == "true", false);
        return None;
    }
    let Some((_, option, _, unit)) = TIMES.into_iter().find(|(known, ..)| *known == name) else {
        return Some(not_writable(change));
    };
    match value.parse::<u32>() {
        Ok(number) if number % unit == 0 => {
            let section = section_of_device(network, row);
            network.set(&section, option, &(number / unit).to_string());
            None
        }
        _ => Some(invalid(change, "netifd takes whole seconds")),
    }
}

fn port_row(
    package: &Package,
    bridge: &BridgeRow,
    port: &Row,
    management: bool,
    vlans: &Vlans<'_>,
    out: &mut dyn ParameterSink,
) {
    let enabled = port.is_enabled(package);
    // One that has joined by itself is in no list.
    let configured = section(package, &bridge.row).map(|section| section.words("ports")).unwrap_or_default();
    let deletable = !management && configured.contains(&port.device.as_str());
    out.object(&format!("{}.", port.path), ObjectKind::Instance { deletable });
    out.parameter("Enable", &enabled, ReadOnly);
    out.parameter("Status", &port.status(enabled), ReadOnly);
    out.parameter("Name", &clean(&port.device, 64), ReadOnly);
    out.parameter("LowerLayers", &port.lower.join(","), ReadOnly);
    out.parameter("ManagementPort", &management, ReadOnly);
    if !management {
        if let Some(facts) = port.link.as_ref().and_then(|link| link.port.as_ref()) {
            of_port(facts, out);
        }
        if let Some(pvid) = vlans.pvid(&port.device) {
            out.parameter("PVID", &pvid, ReadOnly);
        }
    }
    rows::stats(&port.path, port.link.as_ref().and_then(|link| link.stats.as_ref()), out);
}

fn of_port(facts: &PortFacts, out: &mut dyn ParameterSink) {
    let states = ["Disabled", "Listening", "Learning", "Forwarding", "Blocking"];
    if let Some(state) = facts.state.and_then(|state| states.get(usize::from(state))) {
        out.parameter("PortState", state, ReadOnly);
    }
    if let Some(cost) = facts.cost.filter(|cost| *cost <= 65_535) {
        out.parameter("PathCost", &cost, ReadOnly);
    }
}

fn delete_bridge(package: &Package, bridge: &BridgeRow, vlans: &Vlans<'_>, network: &mut PackageEdits) {
    if let Some(section) = &bridge.row.section {
        network.delete(section);
    }
    vlans.rows.iter().for_each(|row| network.delete(row.section.name()));
    unlink_device(package, network, &bridge.row.device);
}

fn delete_port(bridge: &BridgeRow, number: u32, vlans: &Vlans<'_>, network: &mut PackageEdits) -> Option<()> {
    let path = format!("{}.Port.{number}", bridge.row.path);
    let port = bridge.ports.iter().skip(1).find(|port| port.path == path)?;
    let section = bridge.row.section.as_deref()?;
    let mut ports = network.list(section, "ports");
    let before = ports.len();
    ports.retain(|name| *name != port.device);
    (ports.len() < before).then(|| network.set_list(section, "ports", ports))?;
    for of_vlan in vlans.ports.iter().filter(|of_vlan| of_vlan.device == port.device) {
        vlans.set_port(of_vlan, None, network);
    }
    Some(())
}

/// A VLAN of a bridge.
struct VlanRow<'p> {
    number: u32,
    section: &'p Section,
    id: Option<u16>,
}

/// A port of a VLAN: `lan1:u*`.
struct VlanPort<'p> {
    number: u32,
    /// Path of the port.
    path: String,
    device: String,
    /// Number of the VLAN, and its section.
    vlan: u32,
    section: &'p Section,
    /// `u*`, `t`, or nothing.
    flags: String,
}

/// The VLANs of a bridge and their ports.
struct Vlans<'p> {
    rows: Vec<VlanRow<'p>>,
    ports: Vec<VlanPort<'p>>,
}

impl<'p> Vlans<'p> {
    fn of(survey: &Survey, package: &'p Package, bridge: &BridgeRow) -> Self {
        let of_bridge = |section: &&Section| section.get("device") == Some(bridge.row.device.as_str());
        let sections: Vec<&Section> =
            package.of_type(BRIDGE_VLAN).filter(of_bridge).take(limits::ROWS).collect();
        let keys = section_keys(sections.iter().copied(), &["vlan"]);
        let numbers = survey.numbers(&format!("{}.VLAN.", bridge.row.path), keys.iter().map(String::as_str));
        let (mut rows, mut found) = (Vec::new(), Vec::new());
        for ((section, key), number) in sections.into_iter().zip(&keys).zip(numbers) {
            let Some(number) = number else { continue };
            let id = section.get("vlan").and_then(|id| id.parse().ok());
            rows.push(VlanRow { number, section, id: id.filter(|id| (1..=4094).contains(id)) });
            for entry in section.words("ports") {
                let (device, flags) = entry.split_once(':').unwrap_or((entry, ""));
                let port = bridge.ports.iter().skip(1).find(|port| port.device == device);
                let Some(port) = port.filter(|_| found.len() < limits::ROWS) else { continue };
                found.push((
                    format!("{key} {device}"),
                    VlanPort {
                        number: 0,
                        path: port.path.clone(),
                        device: device.to_owned(),
                        vlan: number,
                        section,
                        flags: flags.to_owned(),
                    },
                ));
            }
        }
        let table = format!("{}.VLANPort.", bridge.row.path);
        let numbers = survey.numbers(&table, found.iter().map(|(key, _)| key.as_str()));
        let ports = found.into_iter().zip(numbers);
        let ports = ports.filter_map(|((_, port), number)| Some(VlanPort { number: number?, ..port }));
        Self { rows, ports: ports.collect() }
    }

    fn read(&self, bridge: &BridgeRow, out: &mut dyn ParameterSink) {
        let path = &bridge.row.path;
        out.object(&format!("{path}.VLAN."), ObjectKind::Table { addable: false });
        for row in &self.rows {
            out.object(&format!("{path}.VLAN.{}.", row.number), DELETABLE);
            // netifd has no switch for one.
            out.parameter("Enable", &true, ReadOnly);
            if let Some(id) = row.id {
                // A section without a name is known by it.
                let access = if row.section.is_anonymous() { ReadOnly } else { ReadWrite };
                out.parameter("VLANID", &id, access);
            }
        }
        out.object(&format!("{path}.VLANPort."), ObjectKind::Table { addable: false });
        for port in &self.ports {
            out.object(&format!("{path}.VLANPort.{}.", port.number), DELETABLE);
            out.parameter("Enable", &true, ReadOnly);
            out.parameter("VLAN", &format_args!("{path}.VLAN.{}", port.vlan), ReadOnly);
            out.parameter("Port", &port.path, ReadOnly);
            out.parameter("Untagged", &!port.flags.contains('t'), ReadWrite);
        }
    }

    /// The VLAN of frames without a tag.
    fn pvid(&self, device: &str) -> Option<u16> {
        let of = self.ports.iter().find(|port| port.device == device && port.flags.contains('*'))?;
        self.rows.iter().find(|row| row.number == of.vlan)?.id
    }

    fn port(&self, number: u32) -> Option<&VlanPort<'p>> {
        self.ports.iter().find(|port| port.number == number)
    }

    fn edit(
        &self,
        number: Option<u32>,
        (name, change): InRow<'_>,
        network: &mut PackageEdits,
    ) -> Option<SetParameterValuesFault> {
        let such = |row: &&VlanRow<'_>| Some(row.number) == number && !row.section.is_anonymous();
        let row = self.rows.iter().find(such).filter(|_| name == "VLANID");
        let Some(row) = row else { return Some(not_writable(change)) };
        let taken = self.rows.iter().any(|other| {
            other.number != row.number && other.id.is_some_and(|id| id.to_string() == change.value)
        });
        if taken {
            return Some(invalid(change, format!("the bridge has a VLAN {} already", change.value)));
        }
        network.set(row.section.name(), "vlan", &change.value);
        None
    }

    fn edit_port(
        &self,
        number: Option<u32>,
        (name, change): InRow<'_>,
        network: &mut PackageEdits,
    ) -> Option<SetParameterValuesFault> {
        let port = number.and_then(|number| self.port(number)).filter(|_| name == "Untagged");
        let Some(port) = port else { return Some(not_writable(change)) };
        let primary = if port.flags.contains('*') { "*" } else { "" };
        let tag = if change.value == "true" { "u" } else { "t" };
        self.set_port(port, Some(&format!("{}:{tag}{primary}", port.device)), network);
        None
    }

    /// Replaces a port in the list of its VLAN, or takes it out.
    fn set_port(&self, port: &VlanPort<'_>, by: Option<&str>, network: &mut PackageEdits) {
        let section = port.section.name();
        let is_it = |entry: &str| entry.split_once(':').map_or(entry, |(name, _)| name) == port.device;
        let entries = network.list(section, "ports").into_iter();
        let entries = entries.filter_map(|entry| match is_it(&entry) {
            true => by.map(str::to_owned),
            false => Some(entry),
        });
        let entries = entries.collect();
        network.set_list(section, "ports", entries);
    }
}

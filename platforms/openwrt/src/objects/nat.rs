//! Device.NAT: zones that masquerade, and `config redirect` sections of package `firewall`.

pub(crate) mod lease;

use std::{net::Ipv4Addr, rc::Rc};

use async_trait::async_trait;
use cwmp_core::fault::{CwmpFault, SetParameterValuesFault};
use cwmp_linux::files::clean;
use cwmp_platform::source::{
    Access::{ReadOnly, ReadWrite},
    Change, ObjectKind, ParameterSink, SourceError, Wanted,
};
use cwmp_uci::{Package, Section};

use self::lease::Present;
use crate::{
    edits::{Edits, PackageEdits},
    limits,
    network::{Interface, Network},
    part::{
        InRow, Part, below, by_row, internal, invalid, is_plain, new_section, no_such, not_writable,
        section_keys,
    },
    survey::Survey,
};

const NAT: &str = "Device.NAT.";
const SETTING: &str = "Device.NAT.InterfaceSetting.{i}.";
const SETTINGS: &str = "Device.NAT.InterfaceSetting.";
const MAPPING: &str = "Device.NAT.PortMapping.{i}.";
const MAPPINGS: &str = "Device.NAT.PortMapping.";
/// The package.
pub(crate) const FIREWALL: &str = "firewall";

pub(crate) struct Nat;

#[async_trait(?Send)]
impl Part for Nat {
    fn objects(&self) -> &'static [&'static str] {
        &[NAT, SETTING, MAPPING]
    }

    async fn read(
        &self,
        survey: &Survey,
        _: &Wanted<'_>,
        out: &mut dyn ParameterSink,
    ) -> Result<(), SourceError> {
        let (network, package) = (survey.network().await?, survey.uci(FIREWALL).await?);
        out.object(NAT, ObjectKind::Single);
        out.object(SETTINGS, ObjectKind::Table { addable: false });
        for (number, zone, interface) in settings(survey, &package, &network) {
            let enabled = zone.get("masq") == Some("1");
            out.object(&format!("{SETTINGS}{number}."), ObjectKind::Instance { deletable: false });
            out.parameter("Enable", &enabled, ReadWrite);
            out.parameter("Status", &if enabled { "Enabled" } else { "Disabled" }, ReadOnly);
            out.parameter("Interface", &interface.path, ReadOnly);
        }
        out.object(MAPPINGS, ObjectKind::Table { addable: true });
        let keys = keys(&package);
        let numbers = survey.numbers(MAPPINGS, keys.iter().map(String::as_str));
        let present = Present::of(survey.ground());
        for (section, number) in sections(&package).zip(numbers) {
            let Some(number) = number else { continue };
            out.object(&format!("{MAPPINGS}{number}."), ObjectKind::Instance { deletable: true });
            let left = lease::remaining(&package, section.name(), &present);
            mapping(section, left, &package, &network, out);
        }
        Ok(())
    }

    async fn edit(
        &self,
        changes: &[&Change],
        edits: &mut Edits,
    ) -> Result<Vec<SetParameterValuesFault>, SourceError> {
        let survey = Rc::clone(edits.survey());
        let (network, package) = (survey.network().await?, survey.uci(FIREWALL).await?);
        let edits = edits.package(FIREWALL).await?;
        let of_nat = by_row(NAT, changes).into_values().flatten();
        let mut faults: Vec<_> = of_nat.map(|(_, change)| not_writable(change)).collect();
        let known = settings(&survey, &package, &network);
        for (numbers, changes) in by_row(SETTING, changes) {
            let row = known.iter().find(|(number, ..)| numbers.first() == Some(number));
            for (name, change) in changes {
                let Some((_, zone, _)) = row.filter(|_| name == "Enable") else {
                    faults.push(not_writable(change));
                    continue;
                };
                let shared = known.iter().filter(|(_, other, _)| other.name() == zone.name()).count() > 1;
                if shared && (change.value == "true") != (zone.get("masq") == Some("1")) {
                    faults.push(invalid(change, "other interfaces of the firewall's zone would follow"));
                } else {
                    // Said in either case: so the zone keeps its rows.
                    edits.set(zone.name(), "masq", if change.value == "true" { "1" } else { "0" });
                }
            }
        }
        let present = Present::of(survey.ground());
        for (numbers, changes) in by_row(MAPPING, changes) {
            let section = section_of(&survey, &package, &numbers);
            for (name, change) in changes {
                faults.extend(match section {
                    Some(section) => {
                        edit_mapping(section, (name, change), (&package, &network, &present), edits)
                    }
                    None => Some(not_writable(change)),
                });
            }
        }
        Ok(faults)
    }

    async fn add(&self, table: &str, edits: &mut Edits) -> Result<u32, CwmpFault> {
        if table != MAPPINGS {
            return Err(no_such(table));
        }
        let (number, section) = new_section(edits.survey(), MAPPINGS, "pm")?;
        let firewall = edits.package(FIREWALL).await.map_err(internal)?;
        firewall.add("redirect", &section);
        firewall.set(&section, "target", "DNAT");
        firewall.set(&section, "proto", "tcp");
        firewall.set(&section, "enabled", "0");
        Ok(number)
    }

    async fn delete(&self, instance: &str, edits: &mut Edits) -> Result<(), CwmpFault> {
        let survey = Rc::clone(edits.survey());
        let package = survey.uci(FIREWALL).await.map_err(internal)?;
        let numbers = below(MAPPING, instance).filter(|(_, rest)| rest.is_empty());
        let section = numbers.and_then(|(numbers, _)| section_of(&survey, &package, &numbers));
        let section = section.ok_or_else(|| no_such(instance))?;
        let firewall = edits.package(FIREWALL).await.map_err(internal)?;
        firewall.delete(section.name());
        lease::forget(firewall, section.name());
        Ok(())
    }
}

/// Interfaces of zones that say whether they masquerade.
fn settings<'s>(
    survey: &Survey,
    package: &'s Package,
    network: &'s Network,
) -> Vec<(u32, &'s Section, &'s Interface)> {
    let mut found = Vec::<(&Section, &Interface)>::new();
    for zone in package.of_type("zone").filter(|zone| zone.get("masq").is_some()) {
        for interface in zone.words("network").into_iter().filter_map(|name| network.interface(name)) {
            if found.len() < limits::ROWS && !found.iter().any(|(_, known)| known.name == interface.name) {
                found.push((zone, interface));
            }
        }
    }
    let numbers = survey.numbers(SETTINGS, found.iter().map(|(_, interface)| interface.name.as_str()));
    let rows = found.into_iter().zip(numbers);
    rows.filter_map(|((zone, interface), number)| Some((number?, zone, interface))).collect()
}

/// Those that lead to a host; without a target they do.
fn sections(package: &Package) -> impl Iterator<Item = &Section> {
    let such = |section: &&Section| section.get("target").is_none_or(|target| target == "DNAT");
    package.of_type("redirect").filter(such).take(limits::ROWS)
}

fn keys(package: &Package) -> Vec<String> {
    section_keys(sections(package), &["name"])
}

fn section_of<'p>(survey: &Survey, package: &'p Package, numbers: &[u32]) -> Option<&'p Section> {
    let key = survey.key(MAPPINGS, *numbers.first()?)?;
    let at = keys(package).iter().position(|known| *known == key)?;
    sections(package).nth(at)
}

pub(super) fn zone(package: &Package, such: impl Fn(&&Section) -> bool) -> Option<&Section> {
    package.of_type("zone").find(such)
}

/// First and last of `80`, `80-90` and `80:90`.
pub(super) fn ports(text: Option<&str>) -> Option<(u16, Option<u16>)> {
    let text = text?;
    match text.split_once(['-', ':']) {
        Some((first, last)) => Some((first.parse().ok()?, Some(last.parse().ok()?))),
        None => Some((text.parse().ok()?, None)),
    }
}

fn mapping(section: &Section, left: u32, package: &Package, network: &Network, out: &mut dyn ParameterSink) {
    let text = |name: &str| section.get(name).unwrap_or_default();
    let address = |name: &str| section.get(name).and_then(|text| text.parse::<Ipv4Addr>().ok());
    let shown = |address: Option<Ipv4Addr>| address.map(|one| one.to_string()).unwrap_or_default();
    let enabled = section.get("enabled") != Some("0");
    let from = zone(package, |zone| zone.get("name") == section.get("src"));
    let interface =
        from.and_then(|zone| zone.words("network").into_iter().find_map(|name| network.interface(name)));
    let client = address("dest_ip");
    // A section without a name is known by its description, and nothing else can refer to it.
    let fixed = if section.is_anonymous() { ReadOnly } else { ReadWrite };
    out.parameter("Enable", &enabled, ReadWrite);
    let status = match (enabled, interface.is_some() && client.is_some()) {
        (false, _) => "Disabled",
        (true, true) => "Enabled",
        (true, false) => "Error_Misconfigured",
    };
    out.parameter("Status", &status, ReadOnly);
    out.parameter("Interface", &interface.map_or("", |interface| interface.path.as_str()), ReadWrite);
    out.parameter("AllInterfaces", &false, ReadOnly);
    out.parameter("LeaseDuration", &left, fixed);
    out.parameter("RemoteHost", &clean(text("src_ip"), 256), ReadWrite);
    let external = ports(section.get("src_dport")).unwrap_or((0, None));
    out.parameter("ExternalPort", &external.0, ReadWrite);
    out.parameter("ExternalPortEndRange", &external.1.unwrap_or(0), ReadWrite);
    let internal = ports(section.get("dest_port")).map_or(external.0, |(first, _)| first);
    out.parameter("InternalPort", &internal, ReadWrite);
    // A mapping of both protocols fits no value of the model.
    match section.words("proto").as_slice() {
        [one] if one.eq_ignore_ascii_case("tcp") => out.parameter("Protocol", &"TCP", ReadWrite),
        [one] if one.eq_ignore_ascii_case("udp") => out.parameter("Protocol", &"UDP", ReadWrite),
        _ => {}
    }
    out.parameter("InternalClient", &shown(client), ReadWrite);
    out.parameter("Description", &clean(text("name"), 256), fixed);
}

fn edit_mapping(
    section: &Section,
    (name, change): InRow<'_>,
    (package, network, present): (&Package, &Network, &Present),
    edits: &mut PackageEdits,
) -> Option<SetParameterValuesFault> {
    let (value, of) = (change.value.as_str(), section.name());
    let external = ports(edits.get(of, "src_dport").as_deref()).unwrap_or((0, None));
    match name {
        "Enable" => edits.set_bool(of, "enabled", value == "true", true),
        "Interface" if value.is_empty() => edits.unset(of, "src"),
        "Interface" => {
            let interface = network.at(value);
            let from = interface.and_then(|interface| zone_of(package, interface));
            match from.and_then(|zone| zone.get("name")) {
                Some(zone) => edits.set(of, "src", zone),
                None => {
                    return Some(invalid(
                        change,
                        format!("{value} is no IP interface in a zone of the firewall"),
                    ));
                }
            }
        }
        "RemoteHost" if value.is_empty() => edits.unset(of, "src_ip"),
        "RemoteHost" if value.parse::<Ipv4Addr>().is_ok() => edits.set(of, "src_ip", value),
        "RemoteHost" => return Some(invalid(change, "the firewall knows hosts by their IPv4 address")),
        "ExternalPort" | "ExternalPortEndRange" => {
            let (first, last) = match name {
                "ExternalPort" => (value, external.1.unwrap_or(0).to_string()),
                _ => (&*external.0.to_string(), value.to_owned()),
            };
            let range = match (first, last.as_str()) {
                // All ports.
                ("0", _) => String::new(),
                (_, "0") => first.to_owned(),
                _ => format!("{first}-{last}"),
            };
            edits.set(of, "src_dport", &range);
        }
        "LeaseDuration" if !section.is_anonymous() => match value.parse() {
            Ok(seconds) => lease::set(edits, of, seconds, present),
            Err(_) => return Some(invalid(change, "a number of seconds is wanted")),
        },
        "InternalPort" if value == "0" => edits.unset(of, "dest_port"),
        "InternalPort" => edits.set(of, "dest_port", value),
        "Protocol" => edits.set(of, "proto", &value.to_ascii_lowercase()),
        "InternalClient" if value.is_empty() => {
            edits.unset(of, "dest_ip");
            edits.unset(of, "dest");
        }
        "InternalClient" => {
            let Ok(client) = value.parse::<Ipv4Addr>() else {
                return Some(invalid(change, "the firewall knows hosts by their IPv4 address"));
            };
            let holding = network.interfaces().iter().find(|interface| {
                let subnet = network.subnet(interface);
                subnet.is_some_and(|subnet| (subnet.network()..=subnet.last()).contains(&u32::from(client)))
            });
            let to = holding.and_then(|interface| zone_of(package, interface)?.get("name"));
            let Some(to) = to else {
                return Some(invalid(change, format!("{value} is in no subnet of a zone of the firewall")));
            };
            edits.set(of, "dest_ip", value);
            edits.set(of, "dest", to);
        }
        "Description" if !section.is_anonymous() && is_plain(value) => edits.set(of, "name", value),
        "Description" if !section.is_anonymous() => {
            return Some(invalid(change, "control characters cannot be kept"));
        }
        _ => return Some(not_writable(change)),
    }
    None
}

/// The zone of an interface.
pub(super) fn zone_of<'p>(package: &'p Package, interface: &Interface) -> Option<&'p Section> {
    zone(package, |zone| zone.words("network").contains(&interface.name.as_str()))
}

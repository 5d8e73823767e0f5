//! A `rule` section as a row.

use std::net::IpAddr;

use cwmp_core::fault::SetParameterValuesFault;
use cwmp_linux::files::clean;
use cwmp_platform::source::{
    Access::{ReadOnly, ReadWrite},
    Change, ParameterSink,
};
use cwmp_uci::{Package, Section};

use super::{
    NO_END,
    fields::{Dscp, Excludable, Field, Mac, Net, Ports, fits},
    interface_of, status,
};
use crate::{
    edits::PackageEdits,
    network::Network,
    objects::nat::zone_of,
    part::{InRow, invalid, is_plain, not_writable},
};

/// Both ends of a packet: begin of the parameters' names, and of the options'.
const SOURCE: (&str, &str) = ("Source", "src");
const DEST: (&str, &str) = ("Dest", "dest");
/// Protocols that the firewall has other names for than numbers.
const PROTOCOLS: [(&str, i32); 14] = [
    ("all", -1),
    ("any", -1),
    ("*", -1),
    ("icmp", 1),
    ("igmp", 2),
    ("tcp", 6),
    ("udp", 17),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("icmpv6", 58),
    ("ipv6-icmp", 58),
    ("sctp", 132),
    ("udplite", 136),
];

/// `ACCEPT` as the model has it; `None` for what it does not have.
pub(super) fn target(text: &str) -> Option<&'static str> {
    ["Accept", "Drop", "Reject"].into_iter().find(|target| target.eq_ignore_ascii_case(text))
}

/// The other way.
pub(super) fn written_target(value: &str) -> Option<&'static str> {
    [("Accept", "ACCEPT"), ("Drop", "DROP"), ("Reject", "REJECT")]
        .into_iter()
        .find_map(|(model, text)| (model == value).then_some(text))
}

/// IPVersion of a `family`.
pub(super) fn version(family: Option<&str>) -> Option<i32> {
    match family.unwrap_or("any") {
        "any" | "*" => Some(-1),
        "ipv4" | "inet" => Some(4),
        "ipv6" | "inet6" => Some(6),
        _ => None,
    }
}

/// The one protocol of a rule. Without any the firewall takes TCP and UDP, which fits no value of the model.
fn protocol(section: &Section) -> Option<i32> {
    let words = section.words("proto");
    let [one] = words.as_slice() else { return None };
    let known = PROTOCOLS.iter().find(|(name, _)| name.eq_ignore_ascii_case(one));
    let number = match known {
        // By the family it is that of IPv6.
        Some(("icmp", _)) if version(section.get("family")) == Some(6) => 58,
        Some((_, number)) => *number,
        None => one.parse().ok().filter(|number| (0..256).contains(number))?,
    };
    Some(number)
}

pub(super) fn read(section: &Section, package: &Package, network: &Network, out: &mut dyn ParameterSink) {
    let enabled = section.get("enabled") != Some("0");
    out.parameter("Enable", &enabled, ReadWrite);
    let is_known = |zone: Option<&str>| {
        zone.is_none_or(|zone| zone == "*" || interface_of(Some(zone), package, network).is_some())
    };
    let complete = is_known(section.get("src")) && is_known(section.get("dest"));
    out.parameter("Status", &status(enabled, complete), ReadOnly);
    // A section without a name is known by this.
    let fixed = if section.is_anonymous() { ReadOnly } else { ReadWrite };
    out.parameter("Description", &clean(section.get("name").unwrap_or_default(), 256), fixed);
    if let Some(target) = section.get("target").and_then(target) {
        out.parameter("Target", &target, ReadWrite);
    }
    out.parameter("TargetChain", &"", ReadOnly);
    if section.get("stop_date").is_none() {
        out.parameter("ExpiryDate", &NO_END, ReadOnly);
    }
    if let Some(version) = version(section.get("family")) {
        out.parameter("IPVersion", &version, ReadWrite);
    }
    if let Some(protocol) = protocol(section) {
        out.parameter("Protocol", &protocol, ReadWrite);
    }
    for (side, option) in [SOURCE, DEST] {
        let zone = section.get(option);
        let interface = interface_of(zone, package, network).unwrap_or_default();
        out.parameter(&format!("{side}Interface"), &interface, ReadWrite);
        out.parameter(&format!("{side}AllInterfaces"), &(zone == Some("*")), ReadWrite);
        if let Some(net) = Excludable::<Net>::read(&section.words(&format!("{option}_ip"))) {
            let address = net.field.address.map(|address| address.to_string()).unwrap_or_default();
            out.parameter(&format!("{side}IP"), &address, ReadWrite);
            let mask = net.field.length.map(|length| format!("/{length}")).unwrap_or_default();
            out.parameter(&format!("{side}Mask"), &mask, ReadWrite);
            out.parameter(&format!("{side}IPExclude"), &net.excluded, ReadWrite);
        }
        if let Some(ports) = Excludable::<Ports>::read(&section.words(&format!("{option}_port"))) {
            let number = |port: Option<u16>| port.map_or(-1, i32::from);
            out.parameter(&format!("{side}Port"), &number(ports.field.first), ReadWrite);
            out.parameter(&format!("{side}PortRangeMax"), &number(ports.field.last), ReadWrite);
            out.parameter(&format!("{side}PortExclude"), &ports.excluded, ReadWrite);
        }
    }
    if let Some(dscp) = Excludable::<Dscp>::read(&section.words("dscp")) {
        out.parameter("DSCP", &dscp.field.0.map_or(-1, i32::from), ReadWrite);
        out.parameter("DSCPExclude", &dscp.excluded, ReadWrite);
    }
    if let Some(mac) = Excludable::<Mac>::read(&section.words("src_mac")) {
        out.parameter("SourceMAC", &mac.field.0, ReadWrite);
        out.parameter("SourceMACExclude", &mac.excluded, ReadWrite);
    }
}

/// Makes all changes of a row.
pub(super) fn edit(
    section: &Section,
    mut changes: Vec<InRow<'_>>,
    package: &Package,
    network: &Network,
    edits: &mut PackageEdits,
) -> Vec<SetParameterValuesFault> {
    // What stands alone goes before what adds to it.
    changes.sort_by_key(|(name, _)| {
        let adds = ["Mask", "RangeMax"].iter().any(|end| name.ends_with(end));
        u8::from(adds) + 2 * u8::from(name.ends_with("Exclude"))
    });
    let edit = |change| edit_one(section, change, package, network, edits);
    changes.into_iter().filter_map(edit).collect()
}

fn edit_one(
    section: &Section,
    (name, change): InRow<'_>,
    package: &Package,
    network: &Network,
    edits: &mut PackageEdits,
) -> Option<SetParameterValuesFault> {
    let (of, value) = (section.name(), change.value.as_str());
    if let Some((rest, (_, option))) = side(name) {
        return edit_side(of, (rest, option), change, package, network, edits);
    }
    match name {
        "Enable" => edits.set_bool(of, "enabled", value == "true", true),
        "Description" if section.is_anonymous() => return Some(not_writable(change)),
        "Description" if is_plain(value) => edits.set(of, "name", value),
        "Description" => return Some(invalid(change, "control characters cannot be kept")),
        "Target" => match written_target(value) {
            Some(target) => edits.set(of, "target", target),
            None => return Some(invalid(change, "a rule accepts, drops or rejects")),
        },
        "IPVersion" => match value {
            "-1" => edits.unset(of, "family"),
            "4" => edits.set(of, "family", "ipv4"),
            "6" => edits.set(of, "family", "ipv6"),
            _ => return Some(invalid(change, "the firewall knows versions 4 and 6")),
        },
        "Protocol" => {
            let known = PROTOCOLS.iter().find(|(_, number)| number.to_string() == value);
            edits.set(of, "proto", known.map_or(value, |(name, _)| name));
        }
        "DSCP" => {
            let set = |dscp: &mut Dscp| {
                dscp.0 = value.parse().ok();
                Ok(())
            };
            return change_field(of, "dscp", change, edits, set);
        }
        "DSCPExclude" => return exclude::<Dscp>(of, "dscp", change, edits),
        _ => return Some(not_writable(change)),
    }
    None
}

/// Which side a parameter is of, and its name without it.
fn side(name: &str) -> Option<(&str, (&'static str, &'static str))> {
    [SOURCE, DEST].into_iter().find_map(|side| Some((name.strip_prefix(side.0)?, side)))
}

fn edit_side(
    of: &str,
    (name, side): (&str, &str),
    change: &Change,
    package: &Package,
    network: &Network,
    edits: &mut PackageEdits,
) -> Option<SetParameterValuesFault> {
    let value = change.value.as_str();
    let (net, port) = (format!("{side}_ip"), format!("{side}_port"));
    let number = || value.parse::<u16>().ok();
    match name {
        // `*` is said by the other parameter.
        "Interface" if value.is_empty() && edits.get(of, side).as_deref() == Some("*") => None,
        "Interface" if value.is_empty() => {
            edits.unset(of, side);
            None
        }
        "Interface" => {
            let zone = network.at(value).and_then(|interface| zone_of(package, interface)?.get("name"));
            match zone {
                Some(zone) => {
                    edits.set(of, side, zone);
                    None
                }
                None => {
                    Some(invalid(change, format!("{value} is no IP interface in a zone of the firewall")))
                }
            }
        }
        "AllInterfaces" => {
            match (value == "true", edits.get(of, side).as_deref() == Some("*")) {
                (true, _) => edits.set(of, side, "*"),
                (false, true) => edits.unset(of, side),
                (false, false) => {}
            }
            None
        }
        "IP" => change_field(of, &net, change, edits, |net: &mut Net| {
            net.address = match value {
                "" => None,
                _ => Some(value.parse().map_err(|_| "not an address")?),
            };
            net.length = net.length.filter(|length| net.address.is_some_and(|one| fits(one, *length)));
            Ok(())
        }),
        "Mask" => change_field(of, &net, change, edits, |net: &mut Net| {
            let length = value.rsplit('/').next().filter(|length| !length.is_empty());
            net.length = length.map(str::parse).transpose().map_err(|_| "not a length of a prefix")?;
            match (net.address, net.length) {
                (_, None) => Ok(()),
                (None::<IpAddr>, Some(_)) => Err("a mask needs an address"),
                (Some(address), Some(length)) if fits(address, length) => Ok(()),
                _ => Err("the prefix is longer than the address"),
            }
        }),
        "IPExclude" => exclude::<Net>(of, &net, change, edits),
        "Port" => change_field(of, &port, change, edits, |ports: &mut Ports| {
            ports.first = number();
            ports.last = ports.last.filter(|_| ports.first.is_some());
            Ok(())
        }),
        "PortRangeMax" => change_field(of, &port, change, edits, |ports: &mut Ports| {
            ports.last = number();
            match (ports.first, ports.last) {
                (_, None) => Ok(()),
                (Some(first), Some(last)) if first <= last => Ok(()),
                _ => Err("a range needs a first port that is not above its last one"),
            }
        }),
        "PortExclude" => exclude::<Ports>(of, &port, change, edits),
        "MAC" if side == SOURCE.1 => change_field(of, "src_mac", change, edits, |mac: &mut Mac| {
            mac.0 = value.to_ascii_lowercase();
            Ok(())
        }),
        "MACExclude" if side == SOURCE.1 => exclude::<Mac>(of, "src_mac", change, edits),
        _ => Some(not_writable(change)),
    }
}

/// Changes a part of an option.
fn change_field<T: Field>(
    of: &str,
    option: &str,
    change: &Change,
    edits: &mut PackageEdits,
    set: impl FnOnce(&mut T) -> Result<(), &'static str>,
) -> Option<SetParameterValuesFault> {
    let mut field = match field::<T>(of, option, edits) {
        Some(field) => field,
        None => return Some(not_writable(change)),
    };
    if let Err(why) = set(&mut field.field) {
        return Some(invalid(change, why));
    }
    put(of, option, &field.write(), edits);
    None
}

/// Says whether all but an option is meant.
fn exclude<T: Field>(
    of: &str,
    option: &str,
    change: &Change,
    edits: &mut PackageEdits,
) -> Option<SetParameterValuesFault> {
    let Some(mut field) = field::<T>(of, option, edits) else { return Some(not_writable(change)) };
    let excluded = change.value == "true";
    if excluded && field.field.write().is_empty() {
        return Some(invalid(change, "there is nothing to exclude"));
    }
    field.excluded = excluded;
    put(of, option, &field.write(), edits);
    None
}

fn field<T: Field>(of: &str, option: &str, edits: &PackageEdits) -> Option<Excludable<T>> {
    let values = edits.list(of, option);
    let words: Vec<&str> = values.iter().flat_map(|value| value.split_ascii_whitespace()).collect();
    Excludable::read(&words)
}

/// A list of one stays a list.
fn put(of: &str, option: &str, value: &str, edits: &mut PackageEdits) {
    if edits.list(of, option) != [value] {
        edits.set(of, option, value);
    }
}

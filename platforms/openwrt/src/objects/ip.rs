//! Device.IP with its interfaces, their addresses and prefixes: what netifd says, and the kernel where netifd does not.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, Ipv6Addr},
};

use async_trait::async_trait;
use cwmp_core::fault::{CwmpFault, SetParameterValuesFault};
use cwmp_linux::{
    files::clean,
    kernel::{Address, Link},
    moment::Moment,
    rows,
};
use cwmp_platform::source::{
    Access::{ReadOnly, ReadWrite},
    Change, ObjectKind, ParameterSink, SourceError, Wanted,
};
use cwmp_ubus::Table;

use crate::{
    edits::Edits,
    layout::{Layout, is_ppp},
    limits,
    network::{IP_INTERFACE, Interface, Network, Subnet, configured_subnet, tables},
    part::Part,
    survey::Survey,
};

const IP: &str = "Device.IP.";
const INTERFACE: &str = "Device.IP.Interface.{i}.";
/// Key of the row of the first address that the section of an interface sets, which stays when the address is changed.
const STATIC: &str = "static";
const TABLE: ObjectKind = ObjectKind::Table { addable: false };
const ROW: ObjectKind = ObjectKind::Instance { deletable: false };
/// Scope of addresses of one link (rtnetlink(7)).
const LINK_SCOPE: u8 = 253;
/// Lifetimes that netifd counts down are shown to the minute: their end would move by a second with each reading.
const LIFETIME_STEP: i64 = 60;
/// Name of the package's section with what concerns all interfaces.
const GLOBALS: &str = "globals";

pub(crate) struct Ip;

#[async_trait(?Send)]
impl Part for Ip {
    fn objects(&self) -> &'static [&'static str] {
        &[
            IP,
            INTERFACE,
            "Device.IP.Interface.{i}.IPv4Address.{i}.",
            "Device.IP.Interface.{i}.IPv6Address.{i}.",
            "Device.IP.Interface.{i}.IPv6Prefix.{i}.",
            "Device.IP.Interface.{i}.Stats.",
        ]
    }

    async fn read(
        &self,
        survey: &Survey,
        wanted: &Wanted<'_>,
        out: &mut dyn ParameterSink,
    ) -> Result<(), SourceError> {
        let has = |family: &str| survey.root().path(format!("proc/sys/net/{family}")).exists();
        let (ipv4, ipv6) = (has("ipv4"), has("ipv6"));
        let ipv6_enabled = ipv6 && ipv6_on(survey, "all").unwrap_or(true);
        let network = survey.network().await?;
        out.object(IP, ObjectKind::Single);
        for (capable, name, enable, enabled, status) in [
            (ipv4, "IPv4Capable", "IPv4Enable", ipv4, "IPv4Status"),
            (ipv6, "IPv6Capable", "IPv6Enable", ipv6_enabled, "IPv6Status"),
        ] {
            out.parameter(name, &capable, ReadOnly);
            out.parameter(enable, &enabled, ReadOnly);
            out.parameter(status, &if enabled { "Enabled" } else { "Disabled" }, ReadOnly);
        }
        let globals = network.package.section(GLOBALS);
        let ula = globals.and_then(|globals| globals.get("ula_prefix")).and_then(prefix_text);
        out.parameter("ULAPrefix", &ula.unwrap_or_default(), ReadOnly);
        if !wanted.touches(INTERFACE) {
            return Ok(());
        }
        let (links, addresses) = (survey.links()?, survey.addresses()?);
        let layout = survey.layout().await?;
        let prefixes = Prefixes::of(survey, &network);
        out.object(IP_INTERFACE, ObjectKind::Table { addable: true });
        for interface in network.interfaces() {
            let device = interface.device.as_deref();
            let link = links.iter().find(|link| Some(link.name.as_str()) == device);
            let own: Vec<&Address> =
                addresses.iter().filter(|one| link.is_some_and(|link| one.index == link.index)).collect();
            row(survey, &network, interface, link, &layout, out);
            ipv4_addresses(survey, &network, interface, out);
            ipv6_addresses(survey, &network, interface, &own, &prefixes, out);
            prefixes.read(survey, interface, out);
            rows::stats(&interface.path, link.and_then(|link| link.stats.as_ref()), out);
        }
        Ok(())
    }

    async fn edit(
        &self,
        changes: &[&Change],
        edits: &mut Edits,
    ) -> Result<Vec<SetParameterValuesFault>, SourceError> {
        edit::changes(changes, edits).await
    }

    async fn add(&self, table: &str, edits: &mut Edits) -> Result<u32, CwmpFault> {
        edit::add(table, edits).await
    }

    async fn delete(&self, instance: &str, edits: &mut Edits) -> Result<(), CwmpFault> {
        edit::delete(instance, edits).await
    }
}

fn row(
    survey: &Survey,
    network: &Network,
    interface: &Interface,
    link: Option<&Link>,
    layout: &Layout,
    out: &mut dyn ParameterSink,
) {
    let (section, state) = (network.section(interface), network.state(interface));
    let enabled = section.is_some_and(|section| section.get("disabled") != Some("1"));
    let device = interface.device.as_deref().unwrap_or_default();
    let is_loopback = link.map_or(device == "lo", |link| link.is_loopback);
    out.object(&format!("{}.", interface.path), ObjectKind::Instance { deletable: !is_loopback });
    out.parameter("Enable", &enabled, ReadWrite);
    out.parameter("Status", &status(enabled, state), ReadOnly);
    out.parameter("Name", &clean(device, 64), ReadOnly);
    if let Some(since) = state.and_then(|state| state.i64("uptime")) {
        out.parameter("LastChange", &since.clamp(0, i64::from(u32::MAX)), ReadOnly);
    }
    // netifd has no switch for IPv4 on an interface.
    out.parameter("IPv4Enable", &true, ReadOnly);
    let ipv6 = section.is_none_or(|section| section.get("ipv6") != Some("0"));
    // Of a device that is not there the setting is all that is known.
    out.parameter("IPv6Enable", &(ipv6 && ipv6_on(survey, device).unwrap_or(true)), ReadWrite);
    // What lies below an interface with PPP is PPP, whose packets have a size of their own.
    let below = if is_ppp(&interface.proto) { ReadOnly } else { ReadWrite };
    let lower = layout.below_interface(network, interface);
    out.parameter("LowerLayers", &lower.unwrap_or_default(), below);
    let base = edit::base_row(network, layout, interface);
    let set = base.and_then(|row| network.package.section(row.section.as_deref()?)?.get("mtu")?.parse().ok());
    if let Some(mtu) = set.or(link.map(|link| link.mtu)) {
        let access = if base.is_some() { below } else { ReadOnly };
        out.parameter("MaxMTUSize", &mtu.clamp(64, 65_535), access);
    }
    out.parameter("Type", &if is_loopback { "Loopback" } else { "Normal" }, ReadOnly);
    out.parameter("Loopback", &is_loopback, ReadOnly);
}

/// Status of the row of an interface, as netifd has it.
pub(super) fn status(enabled: bool, state: Option<&Table>) -> &'static str {
    let is = |name: &str| state.and_then(|state| state.bool(name)).unwrap_or(false);
    match (enabled, is("up"), is("pending"), is("available")) {
        (_, true, ..) => "Up",
        (false, ..) => "Down",
        (true, _, true, _) => "Dormant",
        // Its device is not there, or has no carrier.
        (true, _, _, false) if state.is_some() => "LowerLayerDown",
        _ => "Down",
    }
}

/// Whether the kernel does IPv6 on a device; `None` where it has none there.
fn ipv6_on(survey: &Survey, device: &str) -> Option<bool> {
    if device.is_empty() || device.contains('/') || device.starts_with('.') {
        return None;
    }
    let text = survey.text(&format!("proc/sys/net/ipv6/conf/{device}/disable_ipv6"))?;
    Some(text.trim() == "0")
}

/// Paths of the rows of a table below an interface, without the last dot.
fn numbered<'k>(survey: &Survey, table: &str, keys: &'k [String]) -> Vec<Option<(String, &'k str)>> {
    let numbers = survey.numbers(table, keys.iter().map(String::as_str));
    let rows = keys.iter().zip(numbers);
    rows.map(|(key, number)| Some((format!("{table}{}", number?), key.as_str()))).collect()
}

fn ipv4_addresses(survey: &Survey, network: &Network, interface: &Interface, out: &mut dyn ParameterSink) {
    let table = format!("{}.IPv4Address.", interface.path);
    let found = network.states(interface).flat_map(|state| {
        let kind = match state.str("proto").unwrap_or_default() {
            "dhcp" => "DHCP",
            "ppp" | "pppoe" | "pppoa" | "pptp" | "l2tp" | "3g" | "qmi" | "ncm" | "wwan" => "IPCP",
            _ => "Static",
        };
        tables(state, "ipv4-address").filter_map(move |entry| {
            Some((Subnet::of(entry.str("address")?.parse().ok()?, entry.i64("mask")?)?, kind))
        })
    });
    let mut found: Vec<(Subnet, &str)> = found.take(limits::ADDRESSES).collect();
    out.object(&table, TABLE);
    let own = network.section(interface).filter(|_| interface.proto == "static");
    if let Some(section) = own {
        let set = configured_subnet(section);
        let held = set.is_some_and(|set| found.iter().any(|(one, _)| *one == set));
        found.retain(|(one, _)| Some(*one) != set);
        if let Some(Some(number)) = survey.numbers(&table, [STATIC]).first() {
            let text = |address: Option<Ipv4Addr>| address.map(|one| one.to_string()).unwrap_or_default();
            out.object(&format!("{table}{number}."), ROW);
            out.parameter("Enable", &set.is_some(), ReadOnly);
            out.parameter("Status", &if held { "Enabled" } else { "Disabled" }, ReadOnly);
            out.parameter("IPAddress", &text(set.map(|set| set.address)), ReadWrite);
            out.parameter("SubnetMask", &text(set.map(Subnet::mask)), ReadWrite);
            out.parameter("AddressingType", &"Static", ReadOnly);
        }
    }
    let keys: Vec<String> = found.iter().map(|(one, _)| format!("{}/{}", one.address, one.length)).collect();
    for ((subnet, kind), row) in found.iter().zip(numbered(survey, &table, &keys)) {
        let Some((path, _)) = row else { continue };
        out.object(&format!("{path}."), ROW);
        out.parameter("Enable", &true, ReadOnly);
        out.parameter("Status", &"Enabled", ReadOnly);
        out.parameter("IPAddress", &subnet.address, ReadOnly);
        out.parameter("SubnetMask", &subnet.mask(), ReadOnly);
        out.parameter("AddressingType", kind, ReadOnly);
    }
}

/// An IPv6 address of an interface.
struct Held {
    address: Ipv6Addr,
    origin: &'static str,
}

/// What netifd gave the interface, and what the kernel made for the link.
fn held(network: &Network, interface: &Interface, kernel: &[&Address]) -> Vec<Held> {
    let mut held = Vec::new();
    for state in network.states(interface) {
        let leased = state.str("proto") == Some("dhcpv6");
        for entry in tables(state, "ipv6-address") {
            let Some(address) = entry.str("address").and_then(|text| text.parse().ok()) else { continue };
            // odhcp6c sets what it was leased with a prefix of its own, and what it made of an advertisement with that
            // of the link.
            let origin = match (leased, entry.i64("mask")) {
                (true, Some(128)) => "DHCPv6",
                (true, _) => "AutoConfigured",
                (false, _) => "Static",
            };
            held.push(Held { address, origin });
        }
        for entry in tables(state, "ipv6-prefix-assignment") {
            let local = entry.table("local-address").and_then(|local| local.str("address")?.parse().ok());
            held.extend(local.map(|address| Held { address, origin: "AutoConfigured" }));
        }
    }
    for address in kernel.iter().filter(|address| address.scope == LINK_SCOPE) {
        if let std::net::IpAddr::V6(address) = address.address {
            held.push(Held { address, origin: "AutoConfigured" });
        }
    }
    let mut seen = Vec::new();
    held.retain(|one| {
        !seen.contains(&one.address) && {
            seen.push(one.address);
            true
        }
    });
    held.truncate(limits::ADDRESSES);
    held
}

fn ipv6_addresses(
    survey: &Survey,
    network: &Network,
    interface: &Interface,
    kernel: &[&Address],
    prefixes: &Prefixes,
    out: &mut dyn ParameterSink,
) {
    let table = format!("{}.IPv6Address.", interface.path);
    let held = held(network, interface, kernel);
    let keys: Vec<String> = held.iter().map(|one| one.address.to_string()).collect();
    let moment = survey.moment();
    out.object(&table, TABLE);
    for (one, row) in held.iter().zip(numbered(survey, &table, &keys)) {
        let Some((path, _)) = row else { continue };
        let set = kernel.iter().find(|known| known.address == std::net::IpAddr::V6(one.address));
        out.object(&format!("{path}."), ROW);
        out.parameter("Enable", &true, ReadOnly);
        let status = match set {
            Some(set) if set.duplicate => "Error",
            Some(_) => "Enabled",
            None => "Disabled",
        };
        out.parameter("Status", &status, ReadOnly);
        out.parameter("IPAddressStatus", &address_status(set.copied()), ReadOnly);
        out.parameter("IPAddress", &one.address, ReadOnly);
        out.parameter("Origin", &one.origin, ReadOnly);
        out.parameter("Prefix", &prefixes.path_of(interface, one.address).unwrap_or_default(), ReadOnly);
        if let Some(set) = set {
            out.parameter("PreferredLifetime", &moment.end(set.preferred, set.set_at), ReadOnly);
            out.parameter("ValidLifetime", &moment.end(set.valid, set.set_at), ReadOnly);
        }
    }
}

fn address_status(set: Option<&Address>) -> &'static str {
    match set {
        None => "Inaccessible",
        Some(set) if set.duplicate => "Duplicate",
        Some(set) if set.optimistic => "Optimistic",
        Some(set) if set.tentative => "Tentative",
        Some(set) if set.deprecated => "Deprecated",
        Some(_) => "Preferred",
    }
}

/// Paths of the prefixes that an interface offers to who is on it.
pub(super) fn offered_prefixes(survey: &Survey, network: &Network, interface: &Interface) -> Vec<String> {
    let prefixes = Prefixes::of(survey, network);
    let offered = |one: &&Prefix| matches!(one.origin, "Child" | "AutoConfigured" | "Static");
    prefixes.rows(interface).iter().filter(offered).map(|one| one.path.clone()).collect()
}

/// A prefix of an interface.
struct Prefix {
    network: Ipv6Addr,
    length: u8,
    origin: &'static str,
    /// Of one that somebody has delegated.
    preferred: Option<i64>,
    valid: Option<i64>,
    /// Path of its row without the last dot.
    path: String,
}

/// The prefixes of all interfaces, by path of the interface.
struct Prefixes(BTreeMap<String, Vec<Prefix>>);

impl Prefixes {
    fn of(survey: &Survey, network: &Network) -> Self {
        let mut all = BTreeMap::new();
        for interface in network.interfaces() {
            let table = format!("{}.IPv6Prefix.", interface.path);
            let mut found = found_prefixes(network, interface);
            let keys: Vec<String> =
                found.iter().map(|one| format!("{}/{}", one.network, one.length)).collect();
            for (one, row) in found.iter_mut().zip(numbered(survey, &table, &keys)) {
                one.path = row.map(|(path, _)| path).unwrap_or_default();
            }
            found.retain(|one| !one.path.is_empty());
            all.insert(interface.path.clone(), found);
        }
        Self(all)
    }

    fn rows(&self, interface: &Interface) -> &[Prefix] {
        self.0.get(&interface.path).map(Vec::as_slice).unwrap_or_default()
    }

    /// The narrowest prefix of the interface that holds an address.
    fn path_of(&self, interface: &Interface, address: Ipv6Addr) -> Option<String> {
        let holding = self.rows(interface).iter().filter(|one| one.holds(address, 128));
        holding.max_by_key(|one| one.length).map(|one| one.path.clone())
    }

    /// The delegated prefix, of whichever interface, that another one was cut from.
    fn parent_of(&self, child: &Prefix) -> Option<&Prefix> {
        let delegated = self.0.values().flatten().filter(|one| one.origin == "PrefixDelegation");
        delegated.filter(|one| one.holds(child.network, child.length)).max_by_key(|one| one.length)
    }

    fn read(&self, survey: &Survey, interface: &Interface, out: &mut dyn ParameterSink) {
        let moment = survey.moment();
        out.object(&format!("{}.IPv6Prefix.", interface.path), TABLE);
        for one in self.rows(interface) {
            let parent = if one.origin == "Child" { self.parent_of(one) } else { None };
            out.object(&format!("{}.", one.path), ROW);
            out.parameter("Enable", &true, ReadOnly);
            out.parameter("Status", &"Enabled", ReadOnly);
            let preferred = one.preferred.is_none_or(|left| left > 0);
            out.parameter("PrefixStatus", &if preferred { "Preferred" } else { "Deprecated" }, ReadOnly);
            out.parameter("Prefix", &format_args!("{}/{}", one.network, one.length), ReadOnly);
            out.parameter("Origin", &one.origin, ReadOnly);
            out.parameter(
                "StaticType",
                &if one.origin == "Static" { "Static" } else { "Inapplicable" },
                ReadOnly,
            );
            out.parameter("ParentPrefix", &parent.map_or("", |parent| parent.path.as_str()), ReadOnly);
            out.parameter("PreferredLifetime", &end(moment, one.preferred), ReadOnly);
            out.parameter("ValidLifetime", &end(moment, one.valid), ReadOnly);
        }
    }
}

impl Prefix {
    fn holds(&self, address: Ipv6Addr, length: u8) -> bool {
        length >= self.length && masked(address, self.length) == self.network
    }
}

fn found_prefixes(network: &Network, interface: &Interface) -> Vec<Prefix> {
    let mut found = Vec::<Prefix>::new();
    let mut add = |entry: &Table, length: Option<i64>, origin| {
        let address: Option<Ipv6Addr> = entry.str("address").and_then(|text| text.parse().ok());
        let length = length.and_then(|length| u8::try_from(length).ok()).filter(|length| *length <= 128);
        let (Some(address), Some(length)) = (address, length) else { return };
        let network = masked(address, length);
        if found.len() < limits::ADDRESSES
            && !found.iter().any(|one| (one.network, one.length) == (network, length))
        {
            let (preferred, valid) = (entry.i64("preferred"), entry.i64("valid"));
            found.push(Prefix { network, length, origin, preferred, valid, path: String::new() });
        }
    };
    let ula = network.package.section(GLOBALS).and_then(|globals| globals.get("ula_prefix")).and_then(prefix);
    for state in network.states(interface) {
        for entry in tables(state, "ipv6-prefix") {
            add(entry, entry.i64("mask"), "PrefixDelegation");
        }
        for entry in tables(state, "ipv6-prefix-assignment") {
            let address: Option<Ipv6Addr> = entry.str("address").and_then(|text| text.parse().ok());
            let of_ula = ula
                .zip(address)
                .is_some_and(|((network, length), address)| masked(address, length) == network);
            add(entry, entry.i64("mask"), if of_ula { "AutoConfigured" } else { "Child" });
        }
        let leased = state.str("proto") == Some("dhcpv6");
        for entry in tables(state, "ipv6-address").filter(|entry| entry.i64("mask") != Some(128)) {
            add(entry, entry.i64("mask"), if leased { "RouterAdvertisement" } else { "Static" });
        }
    }
    found
}

fn masked(address: Ipv6Addr, length: u8) -> Ipv6Addr {
    let mask = u128::MAX.checked_shl(128 - u32::from(length.min(128))).unwrap_or(0);
    Ipv6Addr::from(u128::from(address) & mask)
}

fn prefix(text: &str) -> Option<(Ipv6Addr, u8)> {
    let (address, length) = text.split_once('/')?;
    let length = length.parse().ok().filter(|length| *length <= 128)?;
    Some((masked(address.parse().ok()?, length), length))
}

fn prefix_text(text: &str) -> Option<String> {
    prefix(text).map(|(network, length)| format!("{network}/{length}"))
}

/// When something ends of which netifd says the seconds that are left; for ever where it says none.
pub(super) fn end(moment: Moment, left: Option<i64>) -> String {
    let steps = left.map(|left| {
        let now = moment.seconds().unwrap_or(0);
        let end = now.saturating_add(left).div_euclid(LIFETIME_STEP).saturating_mul(LIFETIME_STEP);
        u32::try_from(end.saturating_sub(now).max(0).saturating_mul(100)).unwrap_or(u32::MAX)
    });
    moment.end_of_ticks(steps)
}

mod edit;
#[cfg(test)]
mod tests;

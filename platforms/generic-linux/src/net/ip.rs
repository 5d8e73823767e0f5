//! Device.IP: interfaces with their addresses and prefixes.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use cwmp_platform::source::{Access::ReadOnly, ObjectKind, ParameterSink, Wanted};

use super::{
    View,
    kernel::{Address, AddressOrigin, Link},
    layout::{IP_INTERFACE, Row},
    routing::ROUTER,
    rows::{INSTANCE, TABLE, begin, stats},
};
use crate::files::Root;

const IP: &str = "Device.IP.";
/// Most addresses of one family on one interface; those that came last are left out.
pub(crate) const ADDRESSES: usize = 64;
/// Most keys of a table of addresses that are remembered: a host that changes its address each day uses one up a day.
const REMEMBERED: usize = 2 * ADDRESSES;

pub(super) fn read(view: &View<'_>, wanted: &Wanted<'_>, out: &mut dyn ParameterSink) {
    if !wanted.touches(IP) {
        return;
    }
    let has = |family: &str| view.root.path(format!("proc/sys/net/{family}")).exists();
    let (ipv4, ipv6) = (has("ipv4"), has("ipv6"));
    let ipv6_enabled = ipv6 && is_ipv6_enabled(view.root, "all").unwrap_or(true);
    out.object(IP, ObjectKind::Single);
    for (capable, name, enable, enabled, status) in [
        (ipv4, "IPv4Capable", "IPv4Enable", ipv4, "IPv4Status"),
        (ipv6, "IPv6Capable", "IPv6Enable", ipv6_enabled, "IPv6Status"),
    ] {
        out.parameter(name, &capable, ReadOnly);
        out.parameter(enable, &enabled, ReadOnly);
        out.parameter(status, &if enabled { "Enabled" } else { "Disabled" }, ReadOnly);
    }
    if !wanted.touches(IP_INTERFACE) {
        return;
    }
    out.object(IP_INTERFACE, TABLE);
    for row in &view.layout.ip {
        interface(view, row, ipv6, out);
        let of_row = || view.addresses.iter().filter(|address| address.index == row.link.index);
        ipv4_addresses(view, row, of_row().filter(|address| address.address.is_ipv4()), out);
        let ipv6: Vec<&Address> =
            of_row().filter(|address| address.address.is_ipv6()).take(ADDRESSES).collect();
        ipv6_addresses(view, row, &ipv6, out);
        stats(row, out);
    }
}

fn interface(view: &View<'_>, row: &Row<'_>, ipv6: bool, out: &mut dyn ParameterSink) {
    let link: &Link = row.link;
    begin(row, out);
    // Linux has no switch for IPv4 on an interface.
    out.parameter("IPv4Enable", &true, ReadOnly);
    let enabled = is_ipv6_enabled(view.root, &link.name).filter(|_| ipv6);
    out.parameter("IPv6Enable", &enabled.unwrap_or(false), ReadOnly);
    // What belongs to a VRF is not in the main table.
    let router = if link.master.is_none() { ROUTER } else { "" };
    out.parameter("Router", &router, ReadOnly);
    // The largest value of the model is smaller than the loopback interface's.
    out.parameter("MaxMTUSize", &link.mtu.clamp(64, 65_535), ReadOnly);
    out.parameter("Type", &if link.is_loopback { "Loopback" } else { "Normal" }, ReadOnly);
    out.parameter("Loopback", &link.is_loopback, ReadOnly);
}

/// `None` where the kernel has no IPv6 for it.
fn is_ipv6_enabled(root: &Root, device: &str) -> Option<bool> {
    let text = root.text(&format!("proc/sys/net/ipv6/conf/{device}/disable_ipv6"))?;
    Some(text.trim() == "0")
}

fn ipv4_addresses<'a>(
    view: &View<'_>,
    row: &Row<'_>,
    addresses: impl Iterator<Item = &'a Address>,
    out: &mut dyn ParameterSink,
) {
    let table = format!("{}.IPv4Address.", row.path);
    let addresses: Vec<&Address> = addresses.take(ADDRESSES).collect();
    out.object(&table, TABLE);
    for (path, address) in numbered(view, &table, &addresses) {
        out.object(&path, INSTANCE);
        out.parameter("Enable", &true, ReadOnly);
        out.parameter("Status", &if address.duplicate { "Error" } else { "Enabled" }, ReadOnly);
        out.parameter("IPAddress", &address.address, ReadOnly);
        out.parameter("SubnetMask", &mask(address.prefix_length), ReadOnly);
        // The kernel is not told who sets an address. Only what was leased has a lifetime.
        let kind = match address.address {
            IpAddr::V4(v4) if v4.is_link_local() => "AutoIP",
            _ if address.permanent => "Static",
            _ => "DHCP",
        };
        out.parameter("AddressingType", &kind, ReadOnly);
    }
}

/// Paths of the rows of addresses, by address and length of the prefix.
fn numbered<'a>(view: &View<'_>, table: &str, addresses: &[&'a Address]) -> Vec<(String, &'a Address)> {
    let key = |address: &&Address| format!("{}/{}", address.address, address.prefix_length);
    let keys: Vec<String> = addresses.iter().map(key).collect();
    let numbers = view.numbers.assign(table, keys.iter().map(String::as_str), REMEMBERED);
    let rows = addresses.iter().zip(numbers);
    rows.filter_map(|(address, number)| Some((format!("{table}{}.", number?), *address))).collect()
}

fn ipv6_addresses(view: &View<'_>, row: &Row<'_>, addresses: &[&Address], out: &mut dyn ParameterSink) {
    let prefixes = prefixes(addresses);
    let table = format!("{}.IPv6Prefix.", row.path);
    let keys: Vec<String> = prefixes.keys().map(|(prefix, length)| format!("{prefix}/{length}")).collect();
    let numbers = view.numbers.assign(&table, keys.iter().map(String::as_str), REMEMBERED);
    let path_of: BTreeMap<&str, String> = (keys.iter().map(String::as_str).zip(&numbers))
        .filter_map(|(key, number)| Some((key, format!("{table}{}", (*number)?))))
        .collect();

    let addresses_table = format!("{}.IPv6Address.", row.path);
    out.object(&addresses_table, TABLE);
    for (path, address) in numbered(view, &addresses_table, addresses) {
        let prefix = prefix_of(address)
            .and_then(|(prefix, length)| path_of.get(format!("{prefix}/{length}").as_str()));
        out.object(&path, INSTANCE);
        out.parameter("Enable", &true, ReadOnly);
        out.parameter("Status", &if address.duplicate { "Error" } else { "Enabled" }, ReadOnly);
        out.parameter("IPAddressStatus", &address_status(address), ReadOnly);
        out.parameter("IPAddress", &address.address, ReadOnly);
        out.parameter("Origin", &origin(address), ReadOnly);
        out.parameter("Prefix", &prefix.map_or("", String::as_str), ReadOnly);
        out.parameter("PreferredLifetime", &view.moment.end(address.preferred, address.set_at), ReadOnly);
        out.parameter("ValidLifetime", &view.moment.end(address.valid, address.set_at), ReadOnly);
    }

    out.object(&table, TABLE);
    for (key, address) in keys.iter().zip(prefixes.values()) {
        let Some(path) = path_of.get(key.as_str()) else { continue };
        out.object(&format!("{path}."), INSTANCE);
        out.parameter("Enable", &true, ReadOnly);
        out.parameter("Status", &"Enabled", ReadOnly);
        let status = if address.deprecated { "Deprecated" } else { "Preferred" };
        out.parameter("PrefixStatus", &status, ReadOnly);
        out.parameter("Prefix", key, ReadOnly);
        let origin = match (address.origin, address.scope) {
            (AddressOrigin::RouterAdvertisement, _) => "RouterAdvertisement",
            (AddressOrigin::Set, LINK) => "WellKnown",
            (AddressOrigin::Set, _) => "Static",
        };
        out.parameter("Origin", &origin, ReadOnly);
        out.parameter("PreferredLifetime", &view.moment.end(address.preferred, address.set_at), ReadOnly);
        out.parameter("ValidLifetime", &view.moment.end(address.valid, address.set_at), ReadOnly);
    }
}

/// Scope of the link.
const LINK: u8 = 253;
/// Scope of the host.
const HOST: u8 = 254;

/// The prefixes in which the interface has addresses, each with the address that lives longest.
fn prefixes<'a>(addresses: &[&'a Address]) -> BTreeMap<(Ipv6Addr, u8), &'a Address> {
    let mut prefixes: BTreeMap<(Ipv6Addr, u8), &Address> = BTreeMap::new();
    for address in addresses {
        let Some(prefix) = prefix_of(address) else { continue };
        let kept = prefixes.entry(prefix).or_insert(address);
        if (kept.valid, kept.preferred) < (address.valid, address.preferred) {
            *kept = address;
        }
    }
    prefixes
}

/// `None` for an address that stands for itself alone.
fn prefix_of(address: &Address) -> Option<(Ipv6Addr, u8)> {
    let IpAddr::V6(v6) = address.address else { return None };
    let length = address.prefix_length;
    let host_bits = 128_u32.checked_sub(u32::from(length)).filter(|bits| *bits > 0)?;
    let prefix = u128::from(v6) & u128::MAX.checked_shl(host_bits).unwrap_or(0);
    Some((Ipv6Addr::from(prefix), length))
}

fn address_status(address: &Address) -> &'static str {
    match () {
        () if address.duplicate => "Duplicate",
        () if address.optimistic => "Optimistic",
        () if address.tentative => "Tentative",
        () if address.deprecated => "Deprecated",
        () => "Preferred",
    }
}

/// The kernel is not told who sets an address. What was leased has a lifetime and stands for itself alone.
fn origin(address: &Address) -> &'static str {
    match (address.origin, address.scope) {
        (AddressOrigin::RouterAdvertisement, _) | (AddressOrigin::Set, LINK) => "AutoConfigured",
        (AddressOrigin::Set, HOST) => "WellKnown",
        (AddressOrigin::Set, _) if address.permanent => "Static",
        (AddressOrigin::Set, _) if address.prefix_length == 128 => "DHCPv6",
        (AddressOrigin::Set, _) => "AutoConfigured",
    }
}

/// `255.255.255.0`.
pub(super) fn mask(prefix_length: u8) -> Ipv4Addr {
    let host_bits = 32_u32.saturating_sub(u32::from(prefix_length));
    Ipv4Addr::from(u32::MAX.checked_shl(host_bits).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_have_all_lengths() {
        let masks: Vec<String> = [0, 1, 24, 31, 32, 200].map(|length| mask(length).to_string()).to_vec();
        assert_eq!(
            masks,
            [
                "0.0.0.0",
                "128.0.0.0",
                "255.255.255.0",
                "255.255.255.254",
                "255.255.255.255",
                "255.255.255.255"
            ]
        );
    }
}

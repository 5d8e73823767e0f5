//! Device.DHCPv4.Server with its pools: `config dhcp` sections of package `dhcp`, as dnsmasq serves them.

use std::{net::Ipv4Addr, rc::Rc};

use async_trait::async_trait;
use cwmp_core::fault::{CwmpFault, SetParameterValuesFault};
use cwmp_linux::files::clean;
use cwmp_platform::source::{
    Access::{ReadOnly, ReadWrite},
    Change, ObjectKind, ParameterSink, SourceError, Wanted,
};
use cwmp_uci::{Package, Section};

use crate::{
    edits::{Edits, PackageEdits},
    limits,
    network::{Interface, Network, Subnet},
    part::{
        InRow, Part, below, by_row, internal, invalid, is_plain, new_section, no_such, not_writable,
        section_keys,
    },
    survey::Survey,
};

const SERVER: &str = "Device.DHCPv4.Server.";
const POOL: &str = "Device.DHCPv4.Server.Pool.{i}.";
/// Path of the table.
pub(super) const POOLS: &str = "Device.DHCPv4.Server.Pool.";
/// The package, and the type of its sections.
pub(super) const DHCP: &str = "dhcp";
/// Offset of the first address in the subnet, where nothing is set: so dnsmasq's init script has it.
const START: u32 = 100;
/// How many addresses, likewise.
const LIMIT: u32 = 150;
/// Seconds, likewise.
const LEASE_TIME: i64 = 12 * 3600;
/// dnsmasq gives no shorter leases, in seconds.
const SHORTEST_LEASE: i64 = 120;
/// Options of DHCP by number and by dnsmasq's name.
const ROUTER: (&str, &str) = ("3", "option:router");
const DNS: (&str, &str) = ("6", "option:dns-server");
const DOMAIN: (&str, &str) = ("15", "option:domain-name");
/// Most addresses of a list.
const ADDRESSES: usize = 8;

pub(crate) struct Pool;

/// The pools with the paths of their rows, without the last dot, in the order of the file.
pub(super) fn pools<'p>(survey: &Survey, package: &'p Package) -> Vec<(String, &'p Section)> {
    served(survey, package, POOLS)
}

/// The `dhcp` sections as rows of a table: the pools, or what else is served to an interface.
pub(super) fn served<'p>(survey: &Survey, package: &'p Package, table: &str) -> Vec<(String, &'p Section)> {
    let keys = keys(package);
    let numbers = survey.numbers(table, keys.iter().map(String::as_str));
    let rows = sections(package).zip(numbers);
    rows.filter_map(|(section, number)| Some((format!("{table}{}", number?), section))).collect()
}

fn sections(package: &Package) -> impl Iterator<Item = &Section> {
    package.of_type(DHCP).take(limits::ROWS)
}

fn keys(package: &Package) -> Vec<String> {
    section_keys(sections(package), &["interface"])
}

/// The name of the section of a row.
fn section_of(survey: &Survey, package: &Package, number: u32) -> Option<String> {
    let key = survey.key(POOLS, number)?;
    let at = keys(package).iter().position(|known| *known == key)?;
    sections(package).nth(at).map(|section| section.name().to_owned())
}

#[async_trait(?Send)]
impl Part for Pool {
    fn objects(&self) -> &'static [&'static str] {
        &[SERVER, POOL]
    }

    async fn read(
        &self,
        survey: &Survey,
        _: &Wanted<'_>,
        out: &mut dyn ParameterSink,
    ) -> Result<(), SourceError> {
        let package = survey.uci(DHCP).await?;
        let network = survey.network().await?;
        let rows = pools(survey, &package);
        out.object(SERVER, ObjectKind::Single);
        out.parameter("Enable", &rows.iter().any(|(_, section)| is_enabled(section)), ReadOnly);
        out.object(POOLS, ObjectKind::Table { addable: true });
        let dnsmasq = package.nth(Some("dnsmasq"), 0);
        let domain = dnsmasq.and_then(|dnsmasq| dnsmasq.get("domain")).unwrap_or_default();
        for (order, (path, section)) in (1..).zip(&rows) {
            let order: u32 = order;
            out.object(&format!("{path}."), ObjectKind::Instance { deletable: true });
            out.parameter("Order", &order, ReadOnly);
            pool(section, &network, domain, out);
        }
        Ok(())
    }

    async fn edit(
        &self,
        changes: &[&Change],
        edits: &mut Edits,
    ) -> Result<Vec<SetParameterValuesFault>, SourceError> {
        let survey = Rc::clone(edits.survey());
        let (package, network) = (survey.uci(DHCP).await?, survey.network().await?);
        let of_server = by_row(SERVER, changes).into_values().flatten();
        let mut faults: Vec<_> = of_server.map(|(_, change)| not_writable(change)).collect();
        for (numbers, changes) in by_row(POOL, changes) {
            let section = numbers.first().and_then(|number| section_of(&survey, &package, *number));
            match section {
                Some(section) => {
                    let dhcp = edits.package(DHCP).await?;
                    faults.extend(edit_pool(&section, &changes, &network, dhcp));
                }
                None => faults.extend(changes.iter().map(|(_, change)| not_writable(change))),
            }
        }
        Ok(faults)
    }

    async fn add(&self, table: &str, edits: &mut Edits) -> Result<u32, CwmpFault> {
        if table != POOLS {
            return Err(no_such(table));
        }
        let (number, section) = new_section(edits.survey(), POOLS, "pool")?;
        let dhcp = edits.package(DHCP).await.map_err(internal)?;
        dhcp.add(DHCP, &section);
        // The default of the model: not enabled.
        dhcp.set(&section, "ignore", "1");
        Ok(number)
    }

    async fn delete(&self, instance: &str, edits: &mut Edits) -> Result<(), CwmpFault> {
        let numbers = below(POOL, instance).filter(|(_, rest)| rest.is_empty()).map(|(numbers, _)| numbers);
        let number = numbers.and_then(|numbers| numbers.first().copied());
        let survey = Rc::clone(edits.survey());
        let package = survey.uci(DHCP).await.map_err(internal)?;
        let section = number.and_then(|number| section_of(&survey, &package, number));
        let section = section.ok_or_else(|| no_such(instance))?;
        edits.package(DHCP).await.map_err(internal)?.delete(&section);
        Ok(())
    }
}

fn is_enabled(section: &Section) -> bool {
    section.get("ignore") != Some("1") && section.get("dhcpv4") != Some("disabled")
}

fn pool(section: &Section, network: &Network, domain: &str, out: &mut dyn ParameterSink) {
    let interface = section.get("interface").and_then(|name| network.interface(name));
    let subnet = interface.and_then(|interface| roomy(network, interface));
    let enabled = is_enabled(section);
    let status = match (enabled, subnet) {
        (false, _) => "Disabled",
        (true, Some(_)) => "Enabled",
        (true, None) => "Error_Misconfigured",
    };
    out.parameter("Enable", &enabled, ReadWrite);
    out.parameter("Status", &status, ReadOnly);
    out.parameter("Interface", &interface.map_or("", |interface| interface.path.as_str()), ReadWrite);
    // Without a subnet there are no addresses, until the interface is set, perhaps in the same call.
    let range = subnet.map(|subnet| range(section, subnet));
    let text = |address: Option<Ipv4Addr>| address.map(|address| address.to_string()).unwrap_or_default();
    out.parameter("MinAddress", &text(range.map(|(first, _)| first)), ReadWrite);
    out.parameter("MaxAddress", &text(range.map(|(_, last)| last)), ReadWrite);
    let mask = section.get("netmask").and_then(|mask| mask.parse().ok()).or(subnet.map(Subnet::mask));
    out.parameter("SubnetMask", &text(mask), ReadWrite);
    // dnsmasq offers itself where nothing else is set.
    let own = || text(subnet.map(|subnet| subnet.address));
    let options = section.list("dhcp_option");
    out.parameter("DNSServers", &addresses(&options, DNS).unwrap_or_else(own), ReadWrite);
    out.parameter("IPRouters", &addresses(&options, ROUTER).unwrap_or_else(own), ReadWrite);
    let domain = option(&options, DOMAIN).unwrap_or(domain);
    out.parameter("DomainName", &clean(domain, 64), ReadWrite);
    let lease = section.get("leasetime").and_then(seconds);
    out.parameter("LeaseTime", &lease.unwrap_or(LEASE_TIME), ReadWrite);
}

/// First and last address, within the subnet.
fn range(section: &Section, subnet: Subnet) -> (Ipv4Addr, Ipv4Addr) {
    let number = |name: &str| section.get(name).and_then(|text| text.parse().ok());
    let (first, last) = bounds(number("start"), number("limit"), subnet);
    (Ipv4Addr::from(first), Ipv4Addr::from(last))
}

fn bounds(start: Option<u32>, limit: Option<u32>, subnet: Subnet) -> (u32, u32) {
    let first = subnet.network().saturating_add(start.unwrap_or(START)).min(subnet.last());
    let last = first.saturating_add(limit.unwrap_or(LIMIT).max(1) - 1).min(subnet.last());
    (first, last)
}

/// The value of an option of DHCP: `6,192.0.2.1,192.0.2.2`. One for some hosts only (`tag:...`) is not the pool's.
fn option<'o>(options: &[&'o str], (number, name): (&str, &str)) -> Option<&'o str> {
    options.iter().find_map(|option| {
        let (kind, value) = option.split_once(',')?;
        (kind == number || kind == name).then_some(value)
    })
}

fn addresses(options: &[&str], which: (&str, &str)) -> Option<String> {
    let value = option(options, which)?;
    let addresses = value.split(',').filter_map(|text| text.trim().parse::<Ipv4Addr>().ok()).take(ADDRESSES);
    Some(addresses.map(|address| address.to_string()).collect::<Vec<_>>().join(","))
}

/// `12h`, `45m`, `3600`, `infinite` in seconds; -1 for ever.
fn seconds(text: &str) -> Option<i64> {
    if text == "infinite" {
        return Some(-1);
    }
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..)? {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    let seconds: i64 = digits.parse::<i64>().ok()?.checked_mul(unit)?;
    (0..=i64::from(i32::MAX)).contains(&seconds).then_some(seconds)
}

fn edit_pool(
    section: &str,
    changes: &[InRow<'_>],
    network: &Network,
    dhcp: &mut PackageEdits,
) -> Vec<SetParameterValuesFault> {
    let mut faults = Vec::new();
    // The interface first: addresses are judged by its subnet.
    let mut changes = changes.to_vec();
    changes.sort_by_key(|(name, _)| *name != "Interface");
    let (mut first, mut last) = (None, None);
    for (name, change) in changes {
        let value = change.value.as_str();
        match name {
            "Enable" if value == "true" => {
                dhcp.unset(section, "ignore");
                if dhcp.get(section, "dhcpv4").as_deref() == Some("disabled") {
                    dhcp.set(section, "dhcpv4", "server");
                }
            }
            "Enable" => dhcp.set(section, "ignore", "1"),
            "Interface" if value.is_empty() => dhcp.unset(section, "interface"),
            "Interface" => match network.at(value) {
                Some(interface) => dhcp.set(section, "interface", &interface.name),
                None => faults.push(invalid(change, format!("{value} is no IP interface of this device"))),
            },
            "MinAddress" => first = Some(change),
            "MaxAddress" => last = Some(change),
            "SubnetMask" => match value.parse::<Ipv4Addr>() {
                _ if value.is_empty() => dhcp.unset(section, "netmask"),
                Ok(mask) if u32::from(mask).leading_ones() == u32::from(mask).count_ones() => {
                    dhcp.set(section, "netmask", value);
                }
                _ => faults.push(invalid(change, "no mask of a subnet")),
            },
            "DNSServers" if value.split(',').count() <= ADDRESSES => set_option(dhcp, section, DNS, value),
            "IPRouters" if value.split(',').count() <= ADDRESSES => set_option(dhcp, section, ROUTER, value),
            "DNSServers" | "IPRouters" => {
                faults.push(invalid(change, format!("at most {ADDRESSES} addresses are taken")));
            }
            "DomainName" if is_plain(value) && !value.contains([',', ' ']) => {
                set_option(dhcp, section, DOMAIN, value);
            }
            "DomainName" => faults.push(invalid(change, "no name of a domain")),
            "LeaseTime" => match value.parse::<i64>() {
                Ok(-1) => dhcp.set(section, "leasetime", "infinite"),
                Ok(time) if time >= SHORTEST_LEASE => dhcp.set(section, "leasetime", &format!("{time}s")),
                _ => faults.push(invalid(change, format!("leases below {SHORTEST_LEASE} s are not given"))),
            },
            _ => faults.push(not_writable(change)),
        }
    }
    faults.extend(edit_range(section, first, last, network, dhcp));
    faults
}

/// Replaces an option of DHCP; none where the value is empty.
fn set_option(dhcp: &mut PackageEdits, section: &str, (number, name): (&str, &str), value: &str) {
    let mut options = dhcp.list(section, "dhcp_option");
    let other =
        |option: &String| option.split_once(',').is_none_or(|(kind, _)| kind != number && kind != name);
    options.retain(other);
    if !value.is_empty() {
        options.push(format!("{number},{value}"));
    }
    dhcp.set_list(section, "dhcp_option", options);
}

/// The subnet of an interface where it has room for clients: that of a line to the Internet is often a single address.
fn roomy(network: &Network, interface: &Interface) -> Option<Subnet> {
    network.subnet(interface).filter(|subnet| subnet.length < 31)
}

/// Both ends of the range together: a change of one keeps the other.
fn edit_range(
    section: &str,
    first: Option<&Change>,
    last: Option<&Change>,
    network: &Network,
    dhcp: &mut PackageEdits,
) -> Vec<SetParameterValuesFault> {
    let changes = || first.into_iter().chain(last);
    if changes().all(|change| change.value.is_empty()) {
        // The empty range that a pool without a subnet shows.
        return Vec::new();
    }
    let interface = dhcp.get(section, "interface").and_then(|name| network.interface(&name));
    let Some(subnet) = interface.and_then(|interface| roomy(network, interface)) else {
        return changes().map(|change| invalid(change, "the pool's interface has no subnet")).collect();
    };
    let number = |name: &str| dhcp.get(section, name).and_then(|text| text.parse().ok());
    let former = bounds(number("start"), number("limit"), subnet);
    let base = subnet.network();
    let within = |change: Option<&Change>, former: u32| match change {
        None => Ok(former),
        Some(change) => {
            let address = change.value.parse::<Ipv4Addr>().map(u32::from).ok();
            let inside = address.filter(|address| (base + 1..=subnet.last()).contains(address));
            let text = || format!("not an address of the subnet {}/{}", Ipv4Addr::from(base), subnet.length);
            inside.ok_or_else(|| invalid(change, text()))
        }
    };
    match (within(first, former.0), within(last, former.1)) {
        (Ok(low), Ok(high)) if low <= high => {
            dhcp.set(section, "start", &(low - base).to_string());
            dhcp.set(section, "limit", &(high - low + 1).to_string());
            Vec::new()
        }
        (Ok(_), Ok(_)) => {
            changes().map(|change| invalid(change, "MinAddress would be above MaxAddress")).collect()
        }
        (low, high) => low.err().into_iter().chain(high.err()).collect(),
    }
}

#[cfg(test)]
mod tests;

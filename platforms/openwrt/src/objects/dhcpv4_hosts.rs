//! Below the pools of Device.DHCPv4.Server: addresses that are kept for a host (`config host` of package `dhcp`), and leases.
//!
//! A `host` belongs to the first pool whose subnet holds its address; one without an address, which the ACS has just added, to
//! the pool in its name.

use std::{collections::BTreeMap, net::IpAddr, net::Ipv4Addr, rc::Rc};

use async_trait::async_trait;
use cwmp_core::{
    datetime::DateTime,
    fault::{CwmpFault, SetParameterValuesFault},
    time::Wall,
};
use cwmp_linux::{kernel::Neighbour, leases::Lease};
use cwmp_platform::source::{
    Access::{ReadOnly, ReadWrite},
    Change, ObjectKind, ParameterSink, SourceError, Wanted,
};
use cwmp_uci::{Package, Section};

pub(super) use super::dhcpv4_pool::DHCP;
use super::{
    dhcpv4_pool::{POOLS, pools},
    hosts::PRESENT,
};
use crate::{
    edits::{Edits, PackageEdits},
    limits,
    network::Subnet,
    part::{
        InRow, Part, below, by_row, internal, invalid, is_mac, new_section, no_such, not_writable,
        section_keys,
    },
    survey::Survey,
};

const STATIC: &str = "Device.DHCPv4.Server.Pool.{i}.StaticAddress.{i}.";
const CLIENT: &str = "Device.DHCPv4.Server.Pool.{i}.Client.{i}.";
/// Type of the sections, and what the names of new ones begin with; the number of the pool follows.
const HOST: &str = "host";
/// Tag of the option that names the client (RFC 2132, 9.14).
const CLIENT_ID: u32 = 61;

pub(crate) struct Hosts;

/// A pool with what belongs to it.
struct Pool<'v> {
    number: u32,
    /// Path of its row, without the last dot.
    path: String,
    subnet: Option<Subnet>,
    /// Sections with their keys.
    hosts: Vec<(String, &'v Section)>,
}

impl Pool<'_> {
    fn statics(&self) -> String {
        format!("{}.StaticAddress.", self.path)
    }

    fn holds(&self, address: Ipv4Addr) -> bool {
        self.subnet.is_some_and(|subnet| subnet.holds(address))
    }
}

async fn look<'v>(survey: &Survey, package: &'v Package) -> Result<Vec<Pool<'v>>, SourceError> {
    let network = survey.network().await?;
    let rows = pools(survey, package).into_iter();
    let mut all: Vec<Pool<'v>> = rows
        .filter_map(|(path, section)| {
            let interface = section.get("interface").and_then(|name| network.interface(name));
            let subnet = interface.and_then(|interface| network.subnet(interface));
            let number = path.strip_prefix(POOLS)?.parse().ok()?;
            Some(Pool { number, path, subnet, hosts: Vec::new() })
        })
        .collect();
    let sections: Vec<&Section> = package.of_type(HOST).take(limits::ROWS).collect();
    for (key, section) in keys(&sections).into_iter().zip(sections) {
        let pool = match address(section) {
            Some(address) => all.iter_mut().find(|pool| pool.holds(address)),
            None => all.iter_mut().find(|pool| section.name().starts_with(&prefix(pool.number))),
        };
        if let Some(pool) = pool {
            pool.hosts.push((key, section));
        }
    }
    Ok(all)
}

fn prefix(pool: u32) -> String {
    format!("cwmp_{HOST}{pool}_")
}

/// A host without a section name is known by its own, which the model does not write, or by its hardware address.
fn keys(sections: &[&Section]) -> Vec<String> {
    let by = |option: &str| section_keys(sections.iter().copied(), &[option]);
    let pairs = by("name").into_iter().zip(by("mac"));
    let choose = |(section, (name, mac)): (&&Section, (String, String))| {
        if knows_itself(section) { name } else { mac }
    };
    sections.iter().zip(pairs).map(choose).collect()
}

fn knows_itself(section: &Section) -> bool {
    !section.is_anonymous() || section.get("name").is_some()
}

fn address(section: &Section) -> Option<Ipv4Addr> {
    section.get("ip")?.parse().ok()
}

#[async_trait(?Send)]
impl Part for Hosts {
    fn objects(&self) -> &'static [&'static str] {
        &[
            STATIC,
            CLIENT,
            "Device.DHCPv4.Server.Pool.{i}.Client.{i}.IPv4Address.{i}.",
            "Device.DHCPv4.Server.Pool.{i}.Client.{i}.Option.{i}.",
        ]
    }

    async fn read(
        &self,
        survey: &Survey,
        _: &Wanted<'_>,
        out: &mut dyn ParameterSink,
    ) -> Result<(), SourceError> {
        let package = survey.uci(DHCP).await?;
        let pools = look(survey, &package).await?;
        let (leases, neighbours) = (survey.leases(), survey.neighbours()?);
        for pool in &pools {
            statics(survey, pool, out);
            clients(survey, pool, &leases, &neighbours, out);
        }
        Ok(())
    }

    async fn edit(
        &self,
        changes: &[&Change],
        edits: &mut Edits,
    ) -> Result<Vec<SetParameterValuesFault>, SourceError> {
        let survey = Rc::clone(edits.survey());
        let package = survey.uci(DHCP).await?;
        let pools = look(&survey, &package).await?;
        let mut faults = Vec::new();
        for (numbers, changes) in by_row(STATIC, changes) {
            match found(&survey, &pools, &numbers) {
                Some((pool, section)) => {
                    faults.extend(edit_static(pool, section, &changes, edits.package(DHCP).await?));
                }
                None => faults.extend(changes.iter().map(|(_, change)| not_writable(change))),
            }
        }
        faults
            .extend(by_row(CLIENT, changes).into_values().flatten().map(|(_, change)| not_writable(change)));
        Ok(faults)
    }

    async fn add(&self, table: &str, edits: &mut Edits) -> Result<u32, CwmpFault> {
        let survey = Rc::clone(edits.survey());
        let package = survey.uci(DHCP).await.map_err(internal)?;
        let pools = look(&survey, &package).await.map_err(internal)?;
        let pool = pools.iter().find(|pool| pool.statics() == table).ok_or_else(|| no_such(table))?;
        let (number, section) = new_section(&survey, table, &format!("{HOST}{}", pool.number))?;
        let dhcp = edits.package(DHCP).await.map_err(internal)?;
        dhcp.add(HOST, &section);
        // The default of the model: not enabled.
        dhcp.set(&section, "enable", "0");
        Ok(number)
    }

    async fn delete(&self, instance: &str, edits: &mut Edits) -> Result<(), CwmpFault> {
        let survey = Rc::clone(edits.survey());
        let package = survey.uci(DHCP).await.map_err(internal)?;
        let pools = look(&survey, &package).await.map_err(internal)?;
        let numbers = below(STATIC, instance).filter(|(_, rest)| rest.is_empty()).map(|(numbers, _)| numbers);
        let found = numbers.and_then(|numbers| found(&survey, &pools, &numbers));
        let (_, section) = found.ok_or_else(|| no_such(instance))?;
        edits.package(DHCP).await.map_err(internal)?.delete(section.name());
        Ok(())
    }
}

/// The pool and the section of a row of StaticAddress.
fn found<'p, 'v>(
    survey: &Survey,
    pools: &'p [Pool<'v>],
    numbers: &[u32],
) -> Option<(&'p Pool<'v>, &'v Section)> {
    let &[pool, row] = numbers else { return None };
    let pool = pools.iter().find(|known| known.number == pool)?;
    let key = survey.key(&pool.statics(), row)?;
    pool.hosts.iter().find(|(known, _)| *known == key).map(|(_, section)| (pool, *section))
}

fn statics(survey: &Survey, pool: &Pool<'_>, out: &mut dyn ParameterSink) {
    let table = pool.statics();
    out.object(&table, ObjectKind::Table { addable: true });
    let numbers = survey.numbers(&table, pool.hosts.iter().map(|(key, _)| key.as_str()));
    for ((_, section), number) in pool.hosts.iter().zip(numbers) {
        let Some(number) = number else { continue };
        out.object(&format!("{table}{number}."), ObjectKind::Instance { deletable: true });
        out.parameter("Enable", &(section.get("enable") != Some("0")), ReadWrite);
        let mac = section.words("mac").into_iter().find(|mac| is_mac(mac)).unwrap_or_default();
        out.parameter("Chaddr", &mac, if knows_itself(section) { ReadWrite } else { ReadOnly });
        let address = address(section).map(|address| address.to_string()).unwrap_or_default();
        out.parameter("Yiaddr", &address, ReadWrite);
    }
}

fn edit_static(
    pool: &Pool<'_>,
    section: &Section,
    changes: &[InRow<'_>],
    dhcp: &mut PackageEdits,
) -> Vec<SetParameterValuesFault> {
    let (mut faults, name) = (Vec::new(), section.name());
    for (parameter, change) in changes {
        let value = change.value.as_str();
        match *parameter {
            "Enable" => dhcp.set_bool(name, "enable", value == "true", true),
            "Chaddr" if !knows_itself(section) => faults.push(not_writable(change)),
            "Chaddr" => {
                let mut macs: Vec<String> = section.words("mac").into_iter().map(str::to_owned).collect();
                // The first one is shown; further ones stay.
                match macs.first_mut() {
                    Some(first) if !value.is_empty() => value.clone_into(first),
                    Some(_) => drop(macs.remove(0)),
                    None => macs.extend((!value.is_empty()).then(|| value.to_owned())),
                }
                dhcp.set_list(name, "mac", macs);
            }
            // A row that does not say its pool any more would be lost.
            "Yiaddr" if value.is_empty() && !name.starts_with(&prefix(pool.number)) => {
                faults.push(invalid(change, "this row is known by its address: delete it instead"));
            }
            "Yiaddr" if value.is_empty() => dhcp.unset(name, "ip"),
            "Yiaddr" => match value.parse::<Ipv4Addr>() {
                // dnsmasq does not start with an address that two hosts are to have.
                Ok(address) if is_taken(pool, name, address, dhcp) => {
                    faults.push(invalid(change, "another host has this address"));
                }
                Ok(address) if pool.holds(address) => dhcp.set(name, "ip", value),
                _ => faults.push(invalid(change, "not an address of the pool's subnet")),
            },
            _ => faults.push(not_writable(change)),
        }
    }
    faults
}

fn is_taken(pool: &Pool<'_>, own: &str, address: Ipv4Addr, dhcp: &PackageEdits) -> bool {
    let others = pool.hosts.iter().map(|(_, section)| section.name()).filter(|name| *name != own);
    let mut addresses = others.filter_map(|name| dhcp.get(name, "ip")?.parse::<Ipv4Addr>().ok());
    addresses.any(|other| other == address)
}

fn clients(
    survey: &Survey,
    pool: &Pool<'_>,
    leases: &[Lease],
    neighbours: &[Neighbour],
    out: &mut dyn ParameterSink,
) {
    let table = format!("{}.Client.", pool.path);
    out.object(&table, ObjectKind::Table { addable: false });
    let clients = clients_of(pool, leases);
    let numbers = survey.numbers(&table, clients.keys().copied());
    for ((mac, leases), number) in clients.iter().zip(numbers) {
        let Some(number) = number else { continue };
        let path = format!("{table}{number}.");
        out.object(&path, ObjectKind::Instance { deletable: false });
        out.parameter("Chaddr", mac, ReadOnly);
        let is_there = |one: &Neighbour| one.mac == *mac && (one.reachable || one.confirmed < PRESENT);
        out.parameter("Active", &neighbours.iter().any(is_there), ReadOnly);
        addresses(survey, &format!("{path}IPv4Address."), leases, out);
        let table = format!("{path}Option.");
        out.object(&table, ObjectKind::Table { addable: false });
        let id = leases.iter().find_map(|(_, lease)| lease.client_id.as_deref());
        let key = CLIENT_ID.to_string();
        let rows = survey.numbers(&table, id.map(|_| key.as_str()));
        if let (Some(id), Some(Some(number))) = (id, rows.first()) {
            out.object(&format!("{table}{number}."), ObjectKind::Instance { deletable: false });
            out.parameter("Tag", &CLIENT_ID, ReadOnly);
            out.parameter("Value", &id, ReadOnly);
        }
    }
}

/// The hosts with leases from a pool, by hardware address.
fn clients_of<'l>(pool: &Pool<'_>, leases: &'l [Lease]) -> BTreeMap<&'l str, Vec<(Ipv4Addr, &'l Lease)>> {
    let mut clients = BTreeMap::<&str, Vec<(Ipv4Addr, &Lease)>>::new();
    for lease in leases {
        let IpAddr::V4(address) = lease.address else { continue };
        if pool.holds(address) && (clients.len() < limits::ROWS || clients.contains_key(lease.mac.as_str())) {
            clients.entry(&lease.mac).or_default().push((address, lease));
        }
    }
    clients
}

/// The rows of Client of all pools, without their last dots, by hardware address; of several those of a host are a list.
pub(super) async fn client_paths(
    survey: &Survey,
    package: &Package,
) -> Result<BTreeMap<String, String>, SourceError> {
    let leases = survey.leases();
    let mut paths = BTreeMap::<String, String>::new();
    for pool in look(survey, package).await? {
        let (table, clients) = (format!("{}.Client.", pool.path), clients_of(&pool, &leases));
        let numbers = survey.numbers(&table, clients.keys().copied());
        for (mac, number) in clients.keys().zip(numbers) {
            let Some(number) = number else { continue };
            let list = paths.entry((*mac).to_owned()).or_default();
            list.push_str(if list.is_empty() { "" } else { "," });
            list.push_str(&format!("{table}{number}"));
        }
    }
    Ok(paths)
}

fn addresses(survey: &Survey, table: &str, leases: &[(Ipv4Addr, &Lease)], out: &mut dyn ParameterSink) {
    out.object(table, ObjectKind::Table { addable: false });
    let leases = leases.get(..leases.len().min(limits::ADDRESSES)).unwrap_or_default();
    let keys: Vec<String> = leases.iter().map(|(address, _)| address.to_string()).collect();
    let numbers = survey.numbers(table, keys.iter().map(String::as_str));
    for ((address, lease), number) in leases.iter().zip(numbers) {
        let Some(number) = number else { continue };
        out.object(&format!("{table}{number}."), ObjectKind::Instance { deletable: false });
        out.parameter("IPAddress", address, ReadOnly);
        let end = match lease.expires {
            Some(end) => DateTime::At(Wall::from_seconds(end)).to_string(),
            None => survey.moment().end_of_ticks(None),
        };
        out.parameter("LeaseTimeRemaining", &end, ReadOnly);
    }
}

#[cfg(test)]
mod tests;

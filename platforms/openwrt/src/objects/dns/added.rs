//! Rows that an ACS has added: sections with `enabled`, `server` and `interface`, and their servers in the lists of the services.

use std::{net::IpAddr, rc::Rc};

use cwmp_core::fault::{CwmpFault, SetParameterValuesFault};
use cwmp_platform::source::SourceError;
use cwmp_uci::{Package, Section};

use super::{Origin, STATIC, Server};
use crate::{
    edits::{Edits, PackageEdits},
    limits,
    network::Network,
    part::{InRow, internal, invalid, new_section, no_such, not_writable},
};

/// Which table, and what its rows are.
pub(super) struct Table {
    /// The rows as an object of the schema.
    pub(super) object: &'static str,
    pub(super) path: &'static str,
    pub(super) package: &'static str,
    /// Type of the sections.
    pub(super) kind: &'static str,
    /// Begin of their names, after `cwmp_`.
    pub(super) short: &'static str,
    /// Name of the lists.
    pub(super) option: &'static str,
}

/// A list that a server belongs to (its section), and the entry that stands for the server.
pub(super) type Place = (String, String);

/// The lists in which the servers of a table stand.
pub(super) trait Lists {
    fn table(&self) -> &Table;

    /// Where a server stands in a list, whose interface is this.
    fn place(
        &self,
        server: IpAddr,
        interface: Option<&str>,
        package: &Package,
        network: &Network,
    ) -> Option<Place>;

    /// The interface of a row that has none.
    fn usual_interface(&self) -> bool;

    /// Where the server of a row stands that is only in a list.
    fn listed(&self, key: &str, package: &Package) -> Option<Place>;
}

/// The server that an entry of a list names: `192.0.2.53`, or `192.0.2.53@eth1` of dnsmasq. Entries for single domains or with
/// a port have no row.
pub(super) fn server_of(entry: &str) -> Option<IpAddr> {
    entry.split('@').next()?.parse().ok()
}

pub(super) fn rows(
    table: &Table,
    package: &Package,
    network: &Network,
    is_used: impl Fn(IpAddr, &Section) -> bool,
) -> Vec<Server> {
    let sections = package.of_type(table.kind).take(limits::ROWS);
    let server = |section: &Section| {
        let address = section.get("server").and_then(|text| text.parse().ok());
        let interface = section.get("interface").and_then(|name| network.interface(name));
        let enabled = section.get("enabled") == Some("1");
        Server {
            key: section.name().to_owned(),
            address,
            interface: interface.map(|interface| interface.path.clone()).unwrap_or_default(),
            kind: Some(STATIC),
            enabled,
            used: enabled && address.is_some_and(|address| is_used(address, section)),
            origin: Origin::Added,
        }
    };
    sections.map(server).collect()
}

/// Makes a row that is not enabled and has no address.
pub(super) async fn add(table: &Table, edits: &mut Edits) -> Result<u32, CwmpFault> {
    let (number, section) = new_section(edits.survey(), table.path, table.short)?;
    let package = edits.package(table.package).await.map_err(internal)?;
    package.add(table.kind, &section);
    package.set(&section, "enabled", "0");
    Ok(number)
}

/// Changes a row, and its place in the lists with it.
pub(super) async fn edit(
    lists: &dyn Lists,
    numbers: &[u32],
    changes: &[InRow<'_>],
    edits: &mut Edits,
) -> Result<Vec<SetParameterValuesFault>, SourceError> {
    let (survey, table) = (Rc::clone(edits.survey()), lists.table());
    let (package, network) = (survey.uci(table.package).await?, survey.network().await?);
    let key = numbers.first().and_then(|number| survey.key(table.path, *number));
    let section = key.and_then(|key| package.section(&key)).filter(|section| section.kind() == table.kind);
    let Some(section) = section.map(Section::name) else {
        return Ok(changes.iter().map(|(_, change)| not_writable(change)).collect());
    };
    let uplink = network.uplink(&survey).await?.filter(|_| lists.usual_interface());
    let edits = edits.package(table.package).await?;
    let place = |edits: &PackageEdits| {
        let enabled = edits.get(section, "enabled").as_deref() == Some("1");
        let server = edits.get(section, "server")?.parse().ok().filter(|_| enabled)?;
        lists.place(server, edits.get(section, "interface").as_deref(), &package, &network)
    };
    let (former, mut faults) = (place(edits), Vec::new());
    for (name, change) in changes {
        let value = change.value.as_str();
        match *name {
            "Enable" => edits.set(section, "enabled", if value == "true" { "1" } else { "0" }),
            "DNSServer" => match value.parse::<IpAddr>() {
                Ok(server) => edits.set(section, "server", &server.to_string()),
                Err(_) if value.is_empty() => edits.unset(section, "server"),
                Err(_) => faults.push(invalid(change, "not an address")),
            },
            "Interface" => match network.at(value) {
                Some(interface) => edits.set(section, "interface", &interface.name),
                None if value.is_empty() => edits.unset(section, "interface"),
                None => faults.push(invalid(change, format!("there is no {value}"))),
            },
            _ => faults.push(not_writable(change)),
        }
    }
    if let Some(uplink) = uplink.filter(|_| edits.get(section, "interface").is_none()) {
        // netifd keeps servers with an interface.
        edits.set(section, "interface", &uplink.name);
    }
    let place = place(edits);
    if former != place {
        if let Some(former) = former {
            remove(table, &former, edits);
        }
        if let Some((of, entry)) = place {
            let mut entries = words(table, &of, edits);
            if !entries.contains(&entry) {
                entries.push(entry);
            }
            edits.set_list(&of, table.option, entries);
        }
    }
    Ok(faults)
}

/// Deletes a row with its server, or a server that is only in a list.
pub(super) async fn delete(
    lists: &dyn Lists,
    key: &str,
    instance: &str,
    edits: &mut Edits,
) -> Result<(), CwmpFault> {
    let (survey, table) = (Rc::clone(edits.survey()), lists.table());
    let package = survey.uci(table.package).await.map_err(internal)?;
    let network = survey.network().await.map_err(internal)?;
    let section = package.section(key).filter(|section| section.kind() == table.kind);
    let edits = edits.package(table.package).await.map_err(internal)?;
    if let Some(section) = section {
        let enabled = section.get("enabled") == Some("1");
        let server = section.get("server").and_then(|text| text.parse().ok()).filter(|_| enabled);
        let interface = section.get("interface");
        if let Some(place) = server.and_then(|server| lists.place(server, interface, &package, &network)) {
            remove(table, &place, edits);
        }
        edits.delete(section.name());
        return Ok(());
    }
    let place = lists.listed(key, &package).ok_or_else(|| no_such(instance))?;
    remove(table, &place, edits);
    Ok(())
}

fn words(table: &Table, section: &str, edits: &PackageEdits) -> Vec<String> {
    let entries = edits.list(section, table.option);
    entries.iter().flat_map(|entry| entry.split_ascii_whitespace()).map(str::to_owned).collect()
}

/// Takes a server out of a list, by its address: the device after it may have been another one when it came there.
fn remove(table: &Table, (section, entry): &Place, edits: &mut PackageEdits) {
    let mut entries = words(table, section, edits);
    let server = server_of(entry);
    entries.retain(|other| other != entry && (server.is_none() || server_of(other) != server));
    edits.set_list(section, table.option, entries);
}

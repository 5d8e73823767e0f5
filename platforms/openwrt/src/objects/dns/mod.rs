//! Device.DNS: whom the box asks for names (`client`), and whom dnsmasq asks for the home (`relay`).
//!
//! UCI has servers as bare lists, in which a row that is not enabled, or has no address yet, has no place. A row that the ACS
//! adds is therefore a section of a type of its own (`added`), which OpenWrt's services pass over; its server stands in the list
//! as long as the row is enabled.

mod added;
mod client;
mod relay;

use std::{net::IpAddr, rc::Rc};

use async_trait::async_trait;
use cwmp_core::fault::{CwmpFault, SetParameterValuesFault};
use cwmp_platform::source::{
    Access::{ReadOnly, ReadWrite},
    Change, ObjectKind, ParameterSink, SourceError, Wanted,
};

use added::Lists as _;

use crate::{
    edits::Edits,
    limits,
    part::{Part, below, by_row, no_such, not_writable},
    survey::Survey,
};

const DNS: &str = "Device.DNS.";
const CLIENT: &str = "Device.DNS.Client.";
const RELAY: &str = "Device.DNS.Relay.";
const STATIC: &str = "Static";

pub(crate) struct Dns;

/// A row of either table.
#[derive(Clone, Debug)]
struct Server {
    /// What its number goes by.
    key: String,
    /// `None` for a row whose address the ACS has not set yet.
    address: Option<IpAddr>,
    /// Path of the IP interface, empty for any.
    interface: String,
    /// Who told it, in the words of the model; `None` where the model has none for it.
    kind: Option<&'static str>,
    enabled: bool,
    /// Whether it is asked.
    used: bool,
    origin: Origin,
}

/// Where a server is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// A section that an ACS has added.
    Added,
    /// A list of the configuration.
    Listed,
    /// The provider.
    Learned,
}

#[async_trait(?Send)]
impl Part for Dns {
    fn objects(&self) -> &'static [&'static str] {
        &[DNS, CLIENT, client::SERVER, RELAY, relay::FORWARDING]
    }

    async fn read(
        &self,
        survey: &Survey,
        wanted: &Wanted<'_>,
        out: &mut dyn ParameterSink,
    ) -> Result<(), SourceError> {
        let network = survey.network().await?;
        let known = client::servers(&network);
        out.object(DNS, ObjectKind::Single);
        // dnsmasq passes on what it is asked; these the model has words for.
        out.parameter("SupportedRecordTypes", &"A,AAAA,SRV,PTR", ReadOnly);
        if wanted.touches(CLIENT) || wanted.touches(client::SERVER) {
            out.object(CLIENT, ObjectKind::Single);
            // The box always looks up names.
            out.parameter("Enable", &true, ReadOnly);
            let status = if known.iter().any(|server| server.used) { "Enabled" } else { "Error" };
            out.parameter("Status", &status, ReadOnly);
            rows(survey, client::SERVERS, &known, out);
        }
        if wanted.touches(RELAY) || wanted.touches(relay::FORWARDING) {
            let package = survey.uci(relay::DHCP).await?;
            let enabled = relay::is_enabled(&package);
            let access = if relay::dnsmasq(&package).is_some() { ReadWrite } else { ReadOnly };
            out.object(RELAY, ObjectKind::Single);
            out.parameter("Enable", &enabled, access);
            out.parameter("Status", &if enabled { "Enabled" } else { "Disabled" }, ReadOnly);
            rows(survey, relay::FORWARDINGS, &relay::servers(&package, &network, known), out);
        }
        Ok(())
    }

    async fn edit(
        &self,
        changes: &[&Change],
        edits: &mut Edits,
    ) -> Result<Vec<SetParameterValuesFault>, SourceError> {
        let mut faults = Vec::new();
        for object in [DNS, CLIENT] {
            let single = by_row(object, changes).into_values().flatten();
            faults.extend(single.map(|(_, change)| not_writable(change)));
        }
        faults.extend(relay::edit(by_row(RELAY, changes).into_values().flatten(), edits).await?);
        for lists in [&client::ClientLists as &dyn added::Lists, &relay::RelayLists] {
            for (numbers, changes) in by_row(lists.table().object, changes) {
                faults.extend(added::edit(lists, &numbers, &changes, edits).await?);
            }
        }
        Ok(faults)
    }

    async fn add(&self, table: &str, edits: &mut Edits) -> Result<u32, CwmpFault> {
        match table {
            client::SERVERS => added::add(client::ClientLists.table(), edits).await,
            relay::FORWARDINGS => added::add(relay::RelayLists.table(), edits).await,
            _ => Err(no_such(table)),
        }
    }

    async fn delete(&self, instance: &str, edits: &mut Edits) -> Result<(), CwmpFault> {
        let survey = Rc::clone(edits.survey());
        let key = |table: &added::Table| {
            let (numbers, _) = below(table.object, instance).filter(|(_, rest)| rest.is_empty())?;
            survey.key(table.path, *numbers.first()?)
        };
        let lists: &dyn added::Lists = match instance.starts_with(CLIENT) {
            true => &client::ClientLists,
            false => &relay::RelayLists,
        };
        let key = key(lists.table()).ok_or_else(|| no_such(instance))?;
        added::delete(lists, &key, instance, edits).await
    }
}

fn rows(survey: &Survey, table: &str, servers: &[Server], out: &mut dyn ParameterSink) {
    out.object(table, ObjectKind::Table { addable: true });
    let servers = || servers.iter().take(limits::ROWS);
    let numbers = survey.numbers(table, servers().map(|server| server.key.as_str()));
    for (server, number) in servers().zip(numbers) {
        let Some(number) = number else { continue };
        let deletable = server.origin != Origin::Learned;
        let access = if server.origin == Origin::Added { ReadWrite } else { ReadOnly };
        out.object(&format!("{table}{number}."), ObjectKind::Instance { deletable });
        out.parameter("Enable", &server.enabled, access);
        let status = match (server.enabled, server.used) {
            (false, _) => "Disabled",
            (true, true) => "Enabled",
            (true, false) => "Error",
        };
        out.parameter("Status", &status, ReadOnly);
        let address = server.address.map(|address| address.to_string()).unwrap_or_default();
        out.parameter("DNSServer", &address, access);
        out.parameter("Interface", &server.interface, access);
        if let Some(kind) = server.kind {
            out.parameter("Type", &kind, ReadOnly);
        }
    }
}

#[cfg(test)]
mod tests;

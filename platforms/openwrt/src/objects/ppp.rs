//! Device.PPP: interfaces of netifd that run pppd. One section is two rows: this one and the IP.Interface above it.

use std::{net::Ipv4Addr, rc::Rc};

use async_trait::async_trait;
use cwmp_core::fault::{CwmpFault, SetParameterValuesFault};
use cwmp_linux::{files::clean, rows};
use cwmp_platform::source::{
    Access::{ReadOnly, ReadWrite},
    Change, ObjectKind, ParameterSink, SourceError, Wanted,
};
use cwmp_ubus::Table;
use cwmp_uci::Section;

use super::ip::status;
use crate::{
    edits::{Edits, PackageEdits},
    layout::{Layout, PPP_INTERFACE, Row, lay_upon},
    network::{Interface, delete_interface, tables},
    part::{InRow, Part, below, by_row, internal, invalid, is_plain, new_section, no_such, not_writable},
    survey::Survey,
};

const PPP: &str = "Device.PPP.";
const INTERFACE: &str = "Device.PPP.Interface.{i}.";
/// The package.
const NETWORK: &str = "network";
/// Largest packets of PPPoE, where nothing is set, in bytes.
const MTU: u32 = 1492;
/// Answers that may be missing, and seconds between the questions, where nothing is set: so netifd's script has it.
const KEEPALIVE: (u32, u32) = (5, 1);
/// Seconds without traffic after which a connection on demand ends, where nothing else was set before.
const IDLE: &str = "300";

pub(crate) struct Ppp;

#[async_trait(?Send)]
impl Part for Ppp {
    fn objects(&self) -> &'static [&'static str] {
        &[
            PPP,
            INTERFACE,
            "Device.PPP.Interface.{i}.PPPoE.",
            "Device.PPP.Interface.{i}.IPCP.",
            "Device.PPP.Interface.{i}.Stats.",
        ]
    }

    async fn read(
        &self,
        survey: &Survey,
        _: &Wanted<'_>,
        out: &mut dyn ParameterSink,
    ) -> Result<(), SourceError> {
        let (network, layout) = (survey.network().await?, survey.layout().await?);
        out.object(PPP, ObjectKind::Single);
        out.parameter("SupportedNCPs", &"IPCP,IPv6CP", ReadOnly);
        out.object(PPP_INTERFACE, ObjectKind::Table { addable: true });
        for row in &layout.ppp {
            let Some(interface) = network.interface(&row.device) else { continue };
            let Some(section) = network.section(interface) else { continue };
            let state = network.state(interface);
            interface_row(row, interface, section, state, out);
            if section.get("proto") == Some("pppoe") {
                out.object(&format!("{}.PPPoE.", row.path), ObjectKind::Single);
                out.parameter("ACName", &clean(section.get("ac").unwrap_or_default(), 256), ReadWrite);
                let service = section.get("service").unwrap_or_default();
                out.parameter("ServiceName", &clean(service, 256), ReadWrite);
            }
            ipcp(row, state, out);
            rows::stats(&row.path, row.link.as_ref().and_then(|link| link.stats.as_ref()), out);
        }
        Ok(())
    }

    async fn edit(
        &self,
        changes: &[&Change],
        edits: &mut Edits,
    ) -> Result<Vec<SetParameterValuesFault>, SourceError> {
        let survey = Rc::clone(edits.survey());
        let (network, layout) = (survey.network().await?, survey.layout().await?);
        let mut faults: Vec<_> =
            by_row(PPP, changes).into_values().flatten().map(|(_, change)| not_writable(change)).collect();
        let pppoe = format!("{INTERFACE}PPPoE.");
        let ipcp = format!("{INTERFACE}IPCP.");
        for object in [INTERFACE, &pppoe, &ipcp] {
            for (numbers, changes) in by_row(object, changes) {
                let section = row_of(&layout, &numbers).and_then(|row| network.interface(&row.device));
                let Some(interface) = section else {
                    faults.extend(changes.iter().map(|(_, change)| not_writable(change)));
                    continue;
                };
                let package = edits.package(NETWORK).await?;
                faults.extend(edit_row(&interface.name, &changes, &layout, package));
                let enabled = package.get(&interface.name, "disabled").as_deref() != Some("1");
                let resets = changes.iter().any(|(name, change)| *name == "Reset" && change.value == "true");
                if resets && enabled {
                    let object = format!("network.interface.{}", interface.name);
                    edits.call(object.clone(), "down", Table::new());
                    edits.call(object, "up", Table::new());
                }
            }
        }
        Ok(faults)
    }

    async fn add(&self, table: &str, edits: &mut Edits) -> Result<u32, CwmpFault> {
        if table != PPP_INTERFACE {
            return Err(no_such(table));
        }
        let (number, section) = new_section(edits.survey(), PPP_INTERFACE, "ppp")?;
        let network = edits.package(NETWORK).await.map_err(internal)?;
        network.add("interface", &section);
        network.set(&section, "proto", "pppoe");
        // `pppoe-` and the section's name would be too long for a device.
        network.set(&section, "pppname", &format!("ppp-cwmp{number}"));
        network.set(&section, "disabled", "1");
        Ok(number)
    }

    async fn delete(&self, instance: &str, edits: &mut Edits) -> Result<(), CwmpFault> {
        let layout = edits.survey().layout().await.map_err(internal)?;
        let numbers = below(INTERFACE, instance).filter(|(_, rest)| rest.is_empty());
        let row = numbers.and_then(|(numbers, _)| row_of(&layout, &numbers));
        let row = row.ok_or_else(|| no_such(instance))?;
        delete_interface(&row.device, edits).await.map_err(internal)
    }
}

fn row_of<'r>(layout: &'r Layout, numbers: &[u32]) -> Option<&'r Row> {
    let path = format!("{PPP_INTERFACE}{}", numbers.first()?);
    layout.ppp.iter().find(|row| row.path == path)
}

fn interface_row(
    row: &Row,
    interface: &Interface,
    section: &Section,
    state: Option<&Table>,
    out: &mut dyn ParameterSink,
) {
    let text = |name: &str| section.get(name).unwrap_or_default();
    let number = |name: &str| section.get(name).and_then(|value| value.parse::<u32>().ok());
    let enabled = section.get("disabled") != Some("1");
    let up = state.and_then(|state| state.bool("up")).unwrap_or(false);
    let pending = state.and_then(|state| state.bool("pending")).unwrap_or(false);
    out.object(&format!("{}.", row.path), ObjectKind::Instance { deletable: true });
    out.parameter("Enable", &enabled, ReadWrite);
    out.parameter("Status", &status(enabled, state), ReadOnly);
    let device = row.link.as_ref().map(|link| link.name.as_str());
    out.parameter("Name", &clean(device.unwrap_or(&interface.name), 64), ReadOnly);
    if let Some(since) = state.and_then(|state| state.i64("uptime")) {
        out.parameter("LastChange", &since.clamp(0, i64::from(u32::MAX)), ReadOnly);
    }
    out.parameter("LowerLayers", &row.lower.join(","), ReadWrite);
    out.parameter("Reset", &false, ReadWrite);
    let connection = match (up, enabled && pending) {
        (true, _) => "Connected",
        (_, true) => "Connecting",
        _ if row.lower.is_empty() => "Unconfigured",
        _ => "Disconnected",
    };
    out.parameter("ConnectionStatus", &connection, ReadOnly);
    out.parameter("LastConnectionError", &last_error(state), ReadOnly);
    out.parameter("IdleDisconnectTime", &number("demand").unwrap_or(0), ReadWrite);
    out.parameter("Username", &clean(text("username"), 64), ReadWrite);
    // What takes a change back is the image of the package: nobody needs to read it.
    out.parameter("Password", &"", ReadWrite);
    out.parameter("MaxMRUSize", &number("mtu").unwrap_or(MTU).clamp(64, 65_535), ReadWrite);
    if let Some(link) = &row.link {
        out.parameter("CurrentMRUSize", &link.mtu.clamp(64, 65_535), ReadOnly);
    }
    let trigger = match (number("demand").unwrap_or(0), text("auto")) {
        (1.., _) => "OnDemand",
        (0, "0") => "Manual",
        (0, _) => "AlwaysOn",
    };
    out.parameter("ConnectionTrigger", &trigger, ReadWrite);
    let (failures, interval) = keepalive(section.get("keepalive"));
    out.parameter("LCPEcho", &interval, ReadWrite);
    out.parameter("LCPEchoRetry", &failures, ReadWrite);
    out.parameter("LCPEchoAdaptive", &(text("keepalive_adaptive") != "0"), ReadWrite);
    // netifd has no switch for it.
    out.parameter("IPCPEnable", &true, ReadOnly);
    out.parameter("IPv6CPEnable", &(text("ipv6") != "0"), ReadWrite);
}

/// netifd keeps what went wrong until the connection is there.
fn last_error(state: Option<&Table>) -> &'static str {
    let errors = state.into_iter().flat_map(|state| tables(state, "errors"));
    match errors.filter_map(|error| error.str("code")).last() {
        None => "ERROR_NONE",
        Some("AUTH_FAILED") => "ERROR_AUTHENTICATION_FAILURE",
        Some(_) => "ERROR_UNKNOWN",
    }
}

/// Failures and interval of `5 10` or `5,10`; a single number is the failures.
fn keepalive(text: Option<&str>) -> (u32, u32) {
    let Some(text) = text else { return KEEPALIVE };
    let mut numbers = text.split([' ', ',']).filter(|part| !part.is_empty()).map(str::parse::<u32>);
    match (numbers.next(), numbers.next_back()) {
        (Some(Ok(failures)), Some(Ok(interval))) => (failures, interval),
        (Some(Ok(failures)), None) => (failures, 5),
        _ => (0, 0),
    }
}

fn ipcp(row: &Row, state: Option<&Table>, out: &mut dyn ParameterSink) {
    let address = state.and_then(|state| tables(state, "ipv4-address").next());
    let text = |name: &str| {
        let parsed = address.and_then(|address| address.str(name)?.parse::<Ipv4Addr>().ok());
        parsed.map(|address| address.to_string()).unwrap_or_default()
    };
    let servers = state.into_iter().flat_map(|state| state.array("dns-server"));
    let servers = servers.filter_map(|server| server.as_str()?.parse::<Ipv4Addr>().ok()).take(8);
    let servers: Vec<String> = servers.map(|server| server.to_string()).collect();
    out.object(&format!("{}.IPCP.", row.path), ObjectKind::Single);
    out.parameter("LocalIPAddress", &text("address"), ReadOnly);
    out.parameter("RemoteIPAddress", &text("ptpaddress"), ReadOnly);
    out.parameter("DNSServers", &servers.join(","), ReadOnly);
}

fn edit_row(
    section: &str,
    changes: &[InRow<'_>],
    layout: &Layout,
    network: &mut PackageEdits,
) -> Vec<SetParameterValuesFault> {
    let mut faults = Vec::new();
    // The trigger first: a time that is set in the same call goes before its own.
    let mut changes = changes.to_vec();
    changes.sort_by_key(|(name, _)| *name != "ConnectionTrigger");
    for (name, change) in changes {
        let value = change.value.as_str();
        let (old_failures, old_interval) = keepalive(network.get(section, "keepalive").as_deref());
        match name {
            "Enable" => network.set_bool(section, "disabled", value == "false", false),
            "Reset" => {}
            "LowerLayers" => faults.extend(lay_upon(section, change, layout, network)),
            "Username" | "Password" | "ACName" | "ServiceName" if !is_plain(value) => {
                faults.push(invalid(change, "control characters cannot be kept"));
            }
            "Username" => network.set(section, "username", value),
            "Password" => network.set(section, "password", value),
            "ACName" => network.set(section, "ac", value),
            "ServiceName" => network.set(section, "service", value),
            "MaxMRUSize" => network.set(section, "mtu", value),
            "IdleDisconnectTime" if value == "0" => network.unset(section, "demand"),
            "IdleDisconnectTime" => network.set(section, "demand", value),
            "ConnectionTrigger" => {
                network.set_bool(section, "auto", value != "Manual", true);
                match value {
                    "OnDemand" if network.get(section, "demand").is_none_or(|time| time == "0") => {
                        network.set(section, "demand", IDLE);
                    }
                    "OnDemand" => {}
                    _ => network.unset(section, "demand"),
                }
            }
            "LCPEcho" => network.set(section, "keepalive", &format!("{old_failures} {value}")),
            "LCPEchoRetry" => network.set(section, "keepalive", &format!("{value} {old_interval}")),
            "LCPEchoAdaptive" => network.set_bool(section, "keepalive_adaptive", value == "true", true),
            "IPv6CPEnable" if value == "false" => network.set(section, "ipv6", "0"),
            // What was set to try, or to have, stays.
            "IPv6CPEnable" => {
                if network.get(section, "ipv6").as_deref() == Some("0") {
                    network.set(section, "ipv6", "auto");
                }
            }
            _ => faults.push(not_writable(change)),
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{assert_valid, lan_and_wan, values};

    #[test]
    fn keepalive_is_read_as_the_script_of_netifd_reads_it() {
        for (text, is) in [
            (None, (5, 1)),
            (Some("5 10"), (5, 10)),
            (Some("4,20"), (4, 20)),
            (Some("3"), (3, 5)),
            (Some("none"), (0, 0)),
        ] {
            assert_eq!(keepalive(text), is, "{text:?}");
        }
    }

    #[tokio::test]
    async fn a_login_that_is_refused_is_told() {
        let fake = lan_and_wan();
        let source = fake.source_of(Ppp);
        assert_valid(&source).await;
        fake.bus.answer(
            "network.interface",
            "dump",
            json!({"interface": [{"interface": "wan", "up": false, "pending": true, "available": true,
                "errors": [{"subsystem": "pppoe", "code": "AUTH_FAILED", "data": []}]}]}),
        );
        fake.ground.forget();
        let told = values(&source, "Device.PPP.Interface.1.").await;
        assert!(told.contains("LastConnectionError=ERROR_AUTHENTICATION_FAILURE\n"), "{told}");
        assert!(
            told.contains("ConnectionStatus=Connecting\n") && told.contains("Status=Dormant\n"),
            "{told}"
        );
        assert_valid(&source).await;
    }
}

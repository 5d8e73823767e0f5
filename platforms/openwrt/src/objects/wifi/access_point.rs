//! Device.WiFi.AccessPoint, and the devices that use it.

use std::rc::Rc;

use cwmp_core::fault::SetParameterValuesFault;
use cwmp_linux::wireless::{kilobits, standard};
use cwmp_platform::source::{
    Access::{ReadOnly, ReadWrite},
    ObjectKind, ParameterSink, SourceError,
};
use cwmp_ubus::Table;

use super::{ACCESS_POINTS, Network, SSIDS, Served, View, is_on, yes};
use crate::{
    edits::PackageEdits,
    limits,
    part::{InRow, invalid, is_mac, not_writable},
    survey::Survey,
};

/// Most stations of an access point (IEEE 802.11, association IDs).
const STATIONS: u32 = 2007;
/// Most addresses of a list.
const ADDRESSES: usize = 128;
/// Options: which kind the list of addresses is of, and the list.
const FILTER: &str = "macfilter";
const LIST: &str = "maclist";

pub(super) fn read(path: &str, network: &Network<'_>, out: &mut dyn ParameterSink) {
    let section = network.section;
    let enabled = is_on(section);
    let runs = network.status.as_ref().and_then(|status| status.str("status")) == Some("ENABLED");
    let status = match (enabled, runs) {
        (false, _) => "Disabled",
        (true, true) => "Enabled",
        (true, false) if section.get("device").is_none() || section.get("ssid").is_none() => {
            "Error_Misconfigured"
        }
        // Its radio is off, or still looks for a channel.
        (true, false) => "Disabled",
    };
    out.object(path, ObjectKind::Instance { deletable: false });
    out.parameter("Enable", &enabled, ReadWrite);
    out.parameter("Status", &status, ReadOnly);
    out.parameter("SSIDReference", &format_args!("{SSIDS}{}", network.ssid), ReadOnly);
    out.parameter("SSIDAdvertisementEnabled", &(section.get("hidden") != Some("1")), ReadWrite);
    out.parameter("WMMCapability", &true, ReadOnly);
    out.parameter("WMMEnable", &(section.get("wmm") != Some("0")), ReadWrite);
    out.parameter("IsolationEnable", &(section.get("isolate") == Some("1")), ReadWrite);
    let filter = section.get(FILTER);
    out.parameter("MACAddressControlEnabled", &(filter == Some("allow")), ReadWrite);
    // A list of those that are refused is no list of those that are allowed.
    let allowed = if filter == Some("deny") { Vec::new() } else { section.words(LIST) };
    let allowed: Vec<&str> = allowed.into_iter().filter(|mac| is_mac(mac)).take(ADDRESSES).collect();
    out.parameter("AllowedMACAddress", &allowed.join(","), ReadWrite);
    let most: u32 = section.get("maxassoc").and_then(|most| most.parse().ok()).unwrap_or(0);
    out.parameter("MaxAllowedAssociations", &most, ReadWrite);
}

pub(super) fn edit(
    section: &str,
    changes: &[InRow<'_>],
    wireless: &mut PackageEdits,
) -> Vec<SetParameterValuesFault> {
    let mut faults = Vec::new();
    let refuses = wireless.get(section, FILTER).as_deref() == Some("deny");
    for (name, change) in changes {
        let value = change.value.as_str();
        match *name {
            "SSIDAdvertisementEnabled" => wireless.set_bool(section, "hidden", !yes(value), false),
            "WMMEnable" => wireless.set_bool(section, "wmm", yes(value), true),
            "IsolationEnable" => wireless.set_bool(section, "isolate", yes(value), false),
            "MACAddressControlEnabled" | "AllowedMACAddress" if refuses => {
                let why = "the list of this access point names those that it refuses";
                faults.push(invalid(change, why));
            }
            "MACAddressControlEnabled" if yes(value) => wireless.set(section, FILTER, "allow"),
            "MACAddressControlEnabled" => wireless.unset(section, FILTER),
            "AllowedMACAddress" => {
                let macs: Vec<String> =
                    value.split(',').filter(|mac| !mac.is_empty()).map(str::to_owned).collect();
                match macs.len() <= ADDRESSES && macs.iter().all(|mac| is_mac(mac)) {
                    true => wireless.set_list(section, LIST, macs),
                    false => faults.push(invalid(change, format!("at most {ADDRESSES} addresses are taken"))),
                }
            }
            "MaxAllowedAssociations" => match value.parse::<u32>() {
                Ok(0) => wireless.unset(section, "maxassoc"),
                Ok(most) if most <= STATIONS => wireless.set(section, "maxassoc", value),
                _ => faults.push(invalid(change, format!("at most {STATIONS} devices can be served"))),
            },
            _ => faults.push(not_writable(change)),
        }
    }
    faults
}

/// The devices that hostapd serves, and what the kernel counts of them.
pub(super) async fn associated(
    survey: &Survey,
    view: &View,
    path: &str,
    network: &Network<'_>,
    out: &mut dyn ParameterSink,
) -> Result<(), SourceError> {
    let table = format!("{path}AssociatedDevice.");
    out.object(&table, ObjectKind::Table { addable: false });
    let Some(answer) = answer(survey, network).await? else { return Ok(()) };
    let clients = clients(&answer);
    let numbers = survey.numbers(&table, clients.iter().map(|(mac, _)| mac.as_str()));
    for ((mac, client), number) in clients.iter().zip(numbers) {
        if let Some(number) = number {
            station(survey, view, network, &format!("{table}{number}."), mac, client, out);
        }
    }
    Ok(())
}

async fn answer(survey: &Survey, network: &Network<'_>) -> Result<Option<Rc<Table>>, SourceError> {
    let Some(device) = network.device else { return Ok(None) };
    survey.ubus(&format!("hostapd.{device}"), "get_clients").await
}

/// The devices in an answer, by hardware address in lower case.
fn clients(answer: &Table) -> Vec<(String, &Table)> {
    let clients = answer.table("clients").into_iter().flat_map(Table::iter);
    let clients = clients.filter_map(|(mac, client)| Some((mac.to_ascii_lowercase(), client.as_table()?)));
    clients.filter(|(mac, _)| is_mac(mac)).take(limits::ROWS).collect()
}

/// The devices of an access point, as others refer to them.
pub(super) async fn served(survey: &Survey, network: &Network<'_>) -> Result<Vec<Served>, SourceError> {
    let (Some(answer), Some(number)) = (answer(survey, network).await?, network.access_point) else {
        return Ok(Vec::new());
    };
    let table = format!("{ACCESS_POINTS}{number}.AssociatedDevice.");
    let clients = clients(&answer);
    let numbers = survey.numbers(&table, clients.iter().map(|(mac, _)| mac.as_str()));
    let row = |((mac, _), number): ((String, _), Option<u32>)| {
        let ssid = format!("{SSIDS}{}", network.ssid);
        Some(Served { mac, device: format!("{table}{}", number?), ssid })
    };
    Ok(clients.into_iter().zip(numbers).filter_map(row).collect())
}

fn station(
    survey: &Survey,
    view: &View,
    network: &Network<'_>,
    path: &str,
    mac: &str,
    client: &Table,
    out: &mut dyn ParameterSink,
) {
    let interface = view.interface(network);
    let counted = interface.and_then(|one| one.clients.iter().find(|known| known.mac == mac));
    out.object(path, ObjectKind::Instance { deletable: false });
    out.parameter("MACAddress", &mac, ReadOnly);
    let by_rate = interface.zip(counted).and_then(|(interface, client)| standard(interface, client));
    let newest = [("eht", "be"), ("he", "ax"), ("vht", "ac"), ("ht", "n")];
    let told = newest.iter().find(|(flag, _)| client.bool(flag) == Some(true)).map(|(_, name)| *name);
    if let Some(standard) = told.or(by_rate) {
        out.parameter("OperatingStandard", &standard, ReadOnly);
    }
    out.parameter("AuthenticationState", &client.bool("authorized").unwrap_or(false), ReadOnly);
    // What the box sends is what comes down to the device. hostapd says kbit/s; the model knows nothing below 1 Mbit/s.
    let rate = |way: &str| client.table("rate").and_then(|rate| rate.i64(way)).filter(|rate| *rate >= 1000);
    let known = |rate: Option<u32>| kilobits(rate).map(i64::from);
    for (name, rate) in [
        ("LastDataDownlinkRate", rate("tx").or(known(counted.and_then(|one| one.sent.rate)))),
        ("LastDataUplinkRate", rate("rx").or(known(counted.and_then(|one| one.received.rate)))),
    ] {
        if let Some(rate) = rate.filter(|rate| u32::try_from(*rate).is_ok()) {
            out.parameter(name, &rate, ReadOnly);
        }
    }
    if let Some(at) = counted.and_then(|one| one.associated_at) {
        out.parameter("AssociationTime", &survey.moment().since_boot(at), ReadOnly);
    }
    let decibels = |value: Option<i64>| value.filter(|value| (-200..=0).contains(value));
    let signal = decibels(client.i64("signal")).or(counted.and_then(|one| one.signal).map(i64::from));
    if let Some(signal) = decibels(signal) {
        out.parameter("SignalStrength", &signal, ReadOnly);
    }
    if let Some(noise) = decibels(interface.and_then(|one| one.noise).map(i64::from)) {
        out.parameter("Noise", &noise, ReadOnly);
    }
    out.parameter("Active", &true, ReadOnly);
    out.object(&format!("{path}Stats."), ObjectKind::Single);
    let count = |what: &str, way: &str| client.table(what).and_then(|counts| counts.i64(way));
    for (name, count) in [
        ("BytesSent", count("bytes", "tx")),
        ("BytesReceived", count("bytes", "rx")),
        ("PacketsSent", count("packets", "tx")),
        ("PacketsReceived", count("packets", "rx")),
        ("RetransCount", counted.and_then(|one| one.retries).map(i64::from)),
        ("FailedRetransCount", counted.and_then(|one| one.failed).map(i64::from)),
    ] {
        if let Some(count) = count.filter(|count| *count >= 0) {
            out.parameter(name, &count, ReadOnly);
        }
    }
}

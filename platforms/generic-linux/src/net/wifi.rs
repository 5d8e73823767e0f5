//! Device.WiFi: radios, networks, access points and stations.
//!
//! What the kernel does not know (keys, security, WPS, how a channel was chosen) lies in the files of hostapd or
//! wpa_supplicant and is left out.

use std::fmt;

use cwmp_linux::wireless::{
    band_name, band_of, bandwidth, channel_number, kilobits, list, percentage, standard, standards, widths,
};
use cwmp_platform::source::{Access::ReadOnly, ObjectKind, ParameterSink, Wanted};

use super::{
    View,
    kernel::{Interface, Role, Stats},
    layout::{RADIO, RadioRow, Row, SSID},
    rows::{INSTANCE, TABLE, begin, counters, stats, status},
};
use crate::files::clean;

const ACCESS_POINT: &str = "Device.WiFi.AccessPoint.";
const END_POINT: &str = "Device.WiFi.EndPoint.";
/// The tables of one row for each network of a kind.
const REMEMBERED: usize = 512;
/// Most clients of an access point that are shown and remembered; one that was gone for longest gives way.
pub(super) const CLIENTS: usize = 256;

pub(super) fn read(view: &View<'_>, wanted: &Wanted<'_>, out: &mut dyn ParameterSink) {
    if !wanted.touches("Device.WiFi.") {
        return;
    }
    let uplink = view.uplink().map(|uplink| view.layout.below(uplink.index));
    let is_upstream = |path: &str| uplink.as_ref().map(|uplink| uplink.contains(&path));
    out.object(RADIO, TABLE);
    for row in &view.layout.radios {
        radio(view, row, is_upstream(&row.path), out);
    }
    out.object(SSID, TABLE);
    for row in &view.layout.ssids {
        if let Some(interface) = view.interface_of(row) {
            begin(row, out);
            maybe(out, "Upstream", is_upstream(&row.path));
            network(interface, out);
            stats(row, out);
        }
    }
    for (table, role) in [(ACCESS_POINT, Role::AccessPoint), (END_POINT, Role::Station)] {
        let of_role = view.layout.ssids.iter().filter_map(|row| {
            let interface = view.interface_of(row).filter(|interface| interface.role == role)?;
            Some((row, interface))
        });
        let of_role: Vec<(&Row<'_>, &Interface)> = of_role.collect();
        let names = of_role.iter().map(|(row, _)| row.link.name.as_str());
        let numbers = view.numbers.assign(table, names, REMEMBERED);
        out.object(table, TABLE);
        for ((row, interface), number) in of_role.into_iter().zip(numbers) {
            let Some(number) = number else { continue };
            let path = format!("{table}{number}.");
            out.object(&path, INSTANCE);
            out.parameter("Enable", &row.link.up, ReadOnly);
            let enabled = if status(row.link) == "Up" { "Enabled" } else { "Disabled" };
            out.parameter("Status", &enabled, ReadOnly);
            match role {
                Role::AccessPoint => access_point(view, &path, row, interface, out),
                _ => end_point(&path, row, interface, out),
            }
        }
    }
}

impl View<'_> {
    fn interface_of(&self, row: &Row<'_>) -> Option<&Interface> {
        self.wifi.interfaces.iter().find(|interface| interface.index == row.link.index)
    }

    /// What runs on a radio: its device and its network.
    fn on(&self, radio: &RadioRow<'_>) -> Vec<(&Row<'_>, &Interface)> {
        let rows = self.layout.ssids.iter().filter_map(|row| Some((row, self.interface_of(row)?)));
        rows.filter(|(_, interface)| interface.radio == radio.radio.index).collect()
    }
}

fn radio(view: &View<'_>, row: &RadioRow<'_>, upstream: Option<bool>, out: &mut dyn ParameterSink) {
    let on = view.on(row);
    let radio = row.radio;
    out.object(&format!("{}.", row.path), INSTANCE);
    out.parameter("Enable", &on.iter().any(|(row, _)| row.link.up), ReadOnly);
    let up = on.iter().any(|(row, _)| status(row.link) == "Up");
    out.parameter("Status", &if up { "Up" } else { "Down" }, ReadOnly);
    out.parameter("Name", &clean(&radio.name, 64), ReadOnly);
    out.parameter("LowerLayers", &"", ReadOnly);
    maybe(out, "Upstream", upstream);
    let usable = || radio.bands.iter().filter(|band| !band.channels.is_empty());
    out.parameter("SupportedFrequencyBands", &list(usable().map(|band| band_name(band.name))), ReadOnly);
    // Where several networks use the radio, they share its channel, but for hardware that has two receivers.
    let busy = on.iter().map(|(_, interface)| *interface).find(|interface| interface.frequency.is_some());
    let frequency = busy.and_then(|interface| interface.frequency);
    let band = frequency.and_then(band_of);
    maybe(out, "OperatingFrequencyBand", band.map(band_name));
    let standards = usable().flat_map(standards).map(|(_, name)| name);
    out.parameter("SupportedStandards", &list(standards), ReadOnly);
    let possible = usable().filter(|of| band.is_none_or(|band| band == of.name)).flat_map(|of| &of.channels);
    let possible = possible.filter_map(|channel| channel_number(channel.frequency));
    out.parameter("PossibleChannels", &list(possible), ReadOnly);
    let in_use = on.iter().filter_map(|(_, interface)| channel_number(interface.frequency?));
    out.parameter("ChannelsInUse", &list(in_use), ReadOnly);
    maybe(out, "Channel", frequency.and_then(channel_number));
    let widths = usable().flat_map(widths);
    out.parameter("SupportedOperatingChannelBandwidths", &list(widths), ReadOnly);
    maybe(out, "CurrentOperatingChannelBandwidth", busy.and_then(bandwidth));
    let channel = usable().flat_map(|band| &band.channels).find(|one| Some(one.frequency) == frequency);
    let power = busy.and_then(|interface| interface.power);
    maybe(out, "TransmitPower", channel.zip(power).and_then(|(channel, power)| percentage(channel, power)));
    // The third letter tells inside from outside, which the kernel does not.
    maybe(out, "RegulatoryDomain", view.wifi.country.as_ref().map(|country| format!("{country} ")));
    maybe(out, "RetryLimit", radio.retries.filter(|retries| *retries <= 7));
    maybe(out, "LongRetryLimit", radio.long_retries);
    maybe(out, "FragmentationThreshold", radio.fragmentation);
    maybe(out, "RTSThreshold", radio.rts);
    out.object(&format!("{}.Stats.", row.path), ObjectKind::Single);
    counters(&on.iter().filter_map(|(row, _)| row.link.stats).fold(Stats::default(), Stats::plus), out);
    maybe(out, "Noise", busy.and_then(|interface| interface.noise));
}

fn network(interface: &Interface, out: &mut dyn ParameterSink) {
    let bssid = match interface.role {
        Role::AccessPoint => interface.mac.clone(),
        Role::Station => interface.clients.first().map(|access_point| access_point.mac.clone()),
        Role::Peer | Role::Helper => None,
    };
    out.parameter("BSSID", &bssid.unwrap_or_default(), ReadOnly);
    maybe(out, "MACAddress", interface.mac.as_ref());
    // A name may be any bytes; the model wants text of 32 characters at most.
    let ssid = interface.ssid.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
    out.parameter("SSID", &clean(&ssid, 32), ReadOnly);
}

fn access_point(
    view: &View<'_>,
    path: &str,
    row: &Row<'_>,
    interface: &Interface,
    out: &mut dyn ParameterSink,
) {
    out.parameter("SSIDReference", &row.path, ReadOnly);
    let table = format!("{path}AssociatedDevice.");
    out.object(&table, TABLE);
    let clients = || interface.clients.iter().take(CLIENTS);
    let numbers = view.numbers.assign(&table, clients().map(|client| client.mac.as_str()), CLIENTS);
    for (client, number) in clients().zip(numbers) {
        let Some(number) = number else { continue };
        out.object(&format!("{table}{number}."), INSTANCE);
        out.parameter("MACAddress", &client.mac, ReadOnly);
        maybe(out, "OperatingStandard", standard(interface, client));
        maybe(out, "AuthenticationState", client.authorized);
        maybe(out, "LastDataDownlinkRate", kilobits(client.sent.rate));
        maybe(out, "LastDataUplinkRate", kilobits(client.received.rate));
        maybe(out, "AssociationTime", client.associated_at.map(|at| view.moment.since_boot(at)));
        maybe(out, "SignalStrength", client.signal.filter(|signal| *signal <= 0));
        maybe(out, "Noise", interface.noise.filter(|noise| *noise <= 0));
        out.parameter("Active", &true, ReadOnly);
        out.object(&format!("{table}{number}.Stats."), ObjectKind::Single);
        maybe(out, "BytesSent", client.bytes_sent);
        maybe(out, "BytesReceived", client.bytes_received);
        maybe(out, "PacketsSent", client.packets_sent);
        maybe(out, "PacketsReceived", client.packets_received);
        maybe(out, "RetransCount", client.retries);
        maybe(out, "FailedRetransCount", client.failed);
    }
}

fn end_point(path: &str, row: &Row<'_>, interface: &Interface, out: &mut dyn ParameterSink) {
    let access_point = interface.clients.first();
    out.parameter("ProfileReference", &"", ReadOnly);
    out.parameter("SSIDReference", &access_point.map_or("", |_| row.path.as_str()), ReadOnly);
    out.object(&format!("{path}Profile."), TABLE);
    let Some(access_point) = access_point else { return };
    out.object(&format!("{path}Stats."), ObjectKind::Single);
    // The model was written when 600 Mbit/s was much: what is faster does not fit.
    let rate = |rate| kilobits(rate).filter(|rate| *rate <= 600_000);
    maybe(out, "LastDataDownlinkRate", rate(access_point.received.rate));
    maybe(out, "LastDataUplinkRate", rate(access_point.sent.rate));
    maybe(out, "SignalStrength", access_point.signal.filter(|signal| *signal <= 0));
}

fn maybe(out: &mut dyn ParameterSink, name: &str, value: Option<impl fmt::Display>) {
    if let Some(value) = value {
        out.parameter(name, &value, ReadOnly);
    }
}

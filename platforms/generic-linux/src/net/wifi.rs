//! Device.WiFi: radios, networks, access points and stations.
//!
//! What the kernel does not know (keys, security, WPS, how a channel was chosen) lies in the files of hostapd or
//! wpa_supplicant and is left out.

use std::fmt;

use cwmp_platform::source::{Access::ReadOnly, ObjectKind, ParameterSink, Wanted};

use super::{
    View,
    kernel::{Band, BandName, Channel, Client, Interface, Role, Standard, Stats, Width},
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

/// Items in their order, each once.
fn list<T: fmt::Display>(items: impl Iterator<Item = T>) -> String {
    let mut texts: Vec<String> = Vec::new();
    for text in items.map(|item| item.to_string()) {
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts.join(",")
}

fn band_name(band: BandName) -> &'static str {
    match band {
        BandName::Band2 => "2.4GHz",
        BandName::Band5 => "5GHz",
        BandName::Band6 => "6GHz",
    }
}

fn band_of(frequency: u32) -> Option<BandName> {
    Some(match frequency {
        2400..2500 => BandName::Band2,
        4900..5925 => BandName::Band5,
        5925..7200 => BandName::Band6,
        _ => return None,
    })
}

/// Number of a channel in its band (IEEE 802.11, annex E).
fn channel_number(frequency: u32) -> Option<u32> {
    Some(match frequency {
        2484 => 14,
        2412..=2472 => (frequency - 2407) / 5,
        4910..=4980 => (frequency - 4000) / 5,
        5005..5925 => (frequency - 5000) / 5,
        5935 => 2,
        5955..=7115 => (frequency - 5950) / 5,
        _ => return None,
    })
}

/// Standards that a radio knows in a band, with the last of those that a rate tells.
fn standards(band: &Band) -> impl Iterator<Item = (Option<Standard>, &'static str)> {
    let slow = band.rates.iter().any(|rate| [10, 20, 55, 110].contains(rate));
    let fast = band.rates.iter().any(|rate| *rate >= 60 && *rate != 110);
    let in_2 = band.name == BandName::Band2;
    let known = [
        (band.name == BandName::Band5 && fast, None, "a"),
        (in_2 && slow, None, "b"),
        (in_2 && fast, None, "g"),
        (band.ht.is_some(), Some(Standard::N), "n"),
        (band.vht.is_some() && !in_2, Some(Standard::Ac), "ac"),
        (band.he.is_some(), Some(Standard::Ax), "ax"),
        (band.eht.is_some(), Some(Standard::Be), "be"),
    ];
    known.into_iter().filter(|(known, ..)| *known).map(|(_, standard, name)| (standard, name))
}

/// Widths that a radio knows in a band (IEEE 802.11, 9.4.2.55, 9.4.2.156, 9.4.2.248, 9.4.2.313).
fn widths(band: &Band) -> impl Iterator<Item = &'static str> {
    let he = |bit: u8| band.he.is_some_and(|he| he & bit != 0);
    let in_2 = band.name == BandName::Band2;
    let vht = if in_2 { None } else { band.vht };
    let vht_width = vht.map(|vht| vht >> 2 & 3);
    let known = [
        (true, "20MHz"),
        (band.ht.is_some_and(|ht| ht & 2 != 0) || he(if in_2 { 2 } else { 4 }), "40MHz"),
        (vht.is_some() || (!in_2 && he(4)), "80MHz"),
        (matches!(vht_width, Some(1 | 2)) || (!in_2 && he(8)), "160MHz"),
        (vht_width == Some(2) || (!in_2 && he(16)), "80+80MHz"),
        (band.name == BandName::Band6 && band.eht.is_some_and(|eht| eht & 2 != 0), "320MHz-1"),
        (band.name == BandName::Band6 && band.eht.is_some_and(|eht| eht & 2 != 0), "320MHz-2"),
    ];
    known.into_iter().filter(|(known, _)| *known).map(|(_, name)| name)
}

fn bandwidth(interface: &Interface) -> Option<&'static str> {
    Some(match interface.width? {
        Width::Mhz20 => "20MHz",
        Width::Mhz40 => "40MHz",
        Width::Mhz80 => "80MHz",
        Width::Mhz80And80 => "80+80MHz",
        Width::Mhz160 => "160MHz",
        // Two grids of channels, of which the second begins 160 MHz higher: middles at 31, 95, 159 and 63, 127, 191.
        Width::Mhz320 => match channel_number(interface.center?)? % 64 {
            31 => "320MHz-1",
            63 => "320MHz-2",
            _ => return None,
        },
    })
}

/// Power in percent of the most that the rules and the hardware allow; powers are in hundredths of a dBm.
fn percentage(channel: &Channel, power: u32) -> Option<u32> {
    let below = channel.max_power?.checked_sub(power)?;
    let share = 100.0 * 10_f64.powf(-f64::from(below) / 1000.0);
    // Nothing is sent with no power at all: it is one percent at least.
    (1..=100).find(|percent| f64::from(*percent) >= share.round())
}

/// The standard that both sides use, by the rates; where they tell none, it is an older one of the band.
fn standard(interface: &Interface, client: &Client) -> Option<&'static str> {
    let by_rate = client.sent.standard.max(client.received.standard);
    Some(match by_rate {
        Some(Standard::N) => "n",
        Some(Standard::Ac) => "ac",
        Some(Standard::Ax) => "ax",
        Some(Standard::Be) => "be",
        None => {
            let rate = client.sent.rate.or(client.received.rate)?;
            match band_of(interface.frequency?)? {
                BandName::Band2 if [10, 20, 55, 110].contains(&rate) => "b",
                BandName::Band2 => "g",
                BandName::Band5 => "a",
                BandName::Band6 => return None,
            }
        }
    })
}

/// From units of 100 kbit/s; the model knows nothing below 1 Mbit/s.
fn kilobits(rate: Option<u32>) -> Option<u32> {
    rate?.checked_mul(100).filter(|rate| *rate >= 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_have_the_numbers_of_their_band() {
        for (frequency, number) in [
            (2412, Some(1)),
            (2472, Some(13)),
            (2484, Some(14)),
            (5180, Some(36)),
            (5885, Some(177)),
            (4920, Some(184)),
            (5935, Some(2)),
            (5955, Some(1)),
            (7115, Some(233)),
            (58_320, None),
            (0, None),
            (u32::MAX, None),
        ] {
            assert_eq!(channel_number(frequency), number, "{frequency}");
        }
    }

    #[test]
    fn power_is_a_share_of_what_is_allowed() {
        let channel = Channel { frequency: 2412, max_power: Some(2000) };
        let shares = [2000, 1700, 1000, 0, 2001].map(|power| percentage(&channel, power));
        assert_eq!(shares, [Some(100), Some(50), Some(10), Some(1), None]);
        assert_eq!(percentage(&Channel { max_power: None, ..channel }, 10), None);
    }

    #[test]
    fn the_two_grids_of_320_mhz_differ() {
        let grid = |center: u32| {
            let interface =
                Interface { center: Some(center), ..super::super::tests::access_point(1, "w", 0) };
            bandwidth(&Interface { width: Some(Width::Mhz320), ..interface })
        };
        assert_eq!(grid(5950 + 31 * 5), Some("320MHz-1"));
        assert_eq!(grid(5950 + 63 * 5), Some("320MHz-2"));
        assert_eq!(grid(5950 + 95 * 5), Some("320MHz-1"));
        assert_eq!(grid(5950 + 33 * 5), None);
        assert_eq!(grid(0), None);
    }
}

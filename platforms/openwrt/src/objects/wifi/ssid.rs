//! Device.WiFi.SSID: the name of a network and the radio that carries it.

use cwmp_core::fault::SetParameterValuesFault;
use cwmp_linux::{
    files::clean,
    rows::{self, status},
};
use cwmp_platform::source::{
    Access::{ReadOnly, ReadWrite},
    ObjectKind, ParameterSink,
};

use super::{Network, Radio, SSIDS, View, carrier, is_on};
use crate::{
    edits::PackageEdits,
    part::{InRow, invalid, is_mac, is_plain, not_writable},
};

/// Longest name of a network, in bytes (IEEE 802.11, 9.4.2.2), and in characters (TR-181).
const NAME: usize = 32;

pub(super) fn read(view: &View, radios: &[Radio<'_>], network: &Network<'_>, out: &mut dyn ParameterSink) {
    let path = format!("{SSIDS}{}", network.ssid);
    let section = network.section;
    let radio = carrier(radios, section);
    let (enabled, link) = (is_on(section), view.link(network));
    out.object(&format!("{path}."), ObjectKind::Instance { deletable: true });
    out.parameter("Enable", &enabled, ReadWrite);
    let shown = match (enabled, link) {
        (false, _) => "Down",
        (true, Some(link)) => status(link),
        (true, None) if radio.is_none_or(|radio| !is_on(radio.section)) => "LowerLayerDown",
        (true, None) => "Down",
    };
    out.parameter("Status", &shown, ReadOnly);
    out.parameter("Name", &clean(section.name(), 64), ReadOnly);
    out.parameter("LowerLayers", &radio.map_or("", |radio| radio.path.as_str()), ReadWrite);
    let told = network.status.as_ref().and_then(|status| status.str("bssid")).filter(|text| is_mac(text));
    let mac = told.or_else(|| link.and_then(|link| link.mac.as_deref())).unwrap_or_default();
    out.parameter("BSSID", &mac, ReadOnly);
    out.parameter("MACAddress", &mac, ReadOnly);
    out.parameter("SSID", &clean(section.get("ssid").unwrap_or_default(), NAME), ReadWrite);
    out.parameter("Upstream", &false, ReadOnly);
    rows::stats(&path, link.and_then(|link| link.stats.as_ref()), out);
}

pub(super) fn edit(
    section: &str,
    radios: &[Radio<'_>],
    changes: &[InRow<'_>],
    wireless: &mut PackageEdits,
) -> Vec<SetParameterValuesFault> {
    let mut faults = Vec::new();
    for (name, change) in changes {
        let value = change.value.as_str();
        match *name {
            "SSID" if value.is_empty() || value.len() > NAME || !is_plain(value) => {
                faults.push(invalid(change, format!("a network has a name of 1 to {NAME} bytes")));
            }
            "SSID" => wireless.set(section, "ssid", value),
            "LowerLayers" if value.is_empty() => wireless.unset(section, "device"),
            "LowerLayers" => {
                let path = value.strip_suffix('.').unwrap_or(value);
                match radios.iter().find(|radio| radio.path == path) {
                    Some(radio) => wireless.set(section, "device", radio.section.name()),
                    None => faults.push(invalid(change, format!("{value} is no radio of this device"))),
                }
            }
            _ => faults.push(not_writable(change)),
        }
    }
    faults
}

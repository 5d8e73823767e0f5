//! Device.WiFi.AccessPoint.Security: `encryption` and the keys.

use cwmp_core::fault::SetParameterValuesFault;
use cwmp_platform::source::{
    Access::{ReadOnly, ReadWrite},
    ObjectKind, ParameterSink,
};
use cwmp_uci::Section;

use crate::{
    edits::PackageEdits,
    part::{InRow, invalid, is_plain, not_writable},
};

/// What a mode needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    Nothing,
    Key,
    Server,
}

/// Names of the model, the value of `encryption` that is written, and further ones that say the same.
const MODES: [(&str, &str, &[&str], Needs); 11] = [
    ("None", "none", &[], Needs::Nothing),
    ("OWE", "owe", &[], Needs::Nothing),
    ("WPA2-Personal", "psk2", &[], Needs::Key),
    ("WPA-WPA2-Personal", "psk-mixed", &["mixed-psk"], Needs::Key),
    ("WPA3-Personal", "sae", &["psk3"], Needs::Key),
    ("WPA3-Personal-Transition", "sae-mixed", &["psk3-mixed"], Needs::Key),
    ("WPA-Personal", "psk", &["psk1"], Needs::Key),
    ("WPA-Enterprise", "wpa", &["wpa1"], Needs::Server),
    ("WPA2-Enterprise", "wpa2", &[], Needs::Server),
    ("WPA-WPA2-Enterprise", "wpa-mixed", &["mixed-wpa"], Needs::Server),
    ("WPA3-Enterprise", "wpa3", &[], Needs::Server),
];
/// Modes that every build of hostapd for OpenWrt has; WPA alone is not offered any more, for it is broken.
const COMMON: usize = 6;
/// Values of `ieee80211w` and of MFPConfig, by number.
const MFP: [&str; 3] = ["Disabled", "Optional", "Required"];
/// Port of a RADIUS server without another (RFC 2865).
const RADIUS: u16 = 1812;
/// Longest secret of a RADIUS server, in bytes.
const SECRET: usize = 128;

/// The mode of the model; `None` for one that it has no name for.
fn mode(encryption: Option<&str>) -> Option<(&'static str, Needs)> {
    // A list of ciphers may follow.
    let name = encryption.unwrap_or("none").split('+').next().unwrap_or_default();
    let known = MODES.iter().find(|(_, written, others, _)| *written == name || others.contains(&name));
    known.map(|(mode, _, _, needs)| (*mode, *needs))
}

/// What hostapd does without `ieee80211w`, as netifd sets it up, by index of [`MFP`].
fn usual_mfp(mode: &str) -> usize {
    match mode {
        "WPA3-Personal" | "WPA3-Enterprise" | "OWE" => 2,
        "WPA3-Personal-Transition" => 1,
        _ => 0,
    }
}

/// Seconds after which hostapd changes the group key, where nothing is set: sooner with TKIP.
fn usual_rekeying(mode: &str) -> u32 {
    if mode.starts_with("WPA-") { 600 } else { 86_400 }
}

pub(super) fn read(path: &str, section: &Section, out: &mut dyn ParameterSink) {
    let now = mode(section.get("encryption"));
    let server = section.get("auth_server").unwrap_or_default();
    out.object(&format!("{path}Security."), ObjectKind::Single);
    let has_server = !server.is_empty();
    let offered = MODES.iter().enumerate().filter(|(at, (name, _, _, needs))| {
        // What needs a server needs a larger hostapd: it is offered where somebody has set a server.
        *at < COMMON || now.is_some_and(|(now, _)| now == *name) || (*needs == Needs::Server && has_server)
    });
    let offered: Vec<&str> = offered.map(|(_, (name, ..))| *name).collect();
    out.parameter("ModesSupported", &offered.join(","), ReadOnly);
    if let Some((now, _)) = now {
        out.parameter("ModeEnabled", &now, ReadWrite);
    }
    let name = now.map_or("None", |(now, _)| now);
    out.parameter("PreSharedKey", &"", ReadWrite);
    out.parameter("KeyPassphrase", &"", ReadWrite);
    out.parameter("SAEPassphrase", &"", ReadWrite);
    let rekeying = section.get("wpa_group_rekey").and_then(|seconds| seconds.parse::<u32>().ok());
    out.parameter("RekeyingInterval", &rekeying.unwrap_or_else(|| usual_rekeying(name)), ReadWrite);
    let mfp = section.get("ieee80211w").and_then(|number| number.parse::<usize>().ok());
    if let Some(mfp) = MFP.get(mfp.unwrap_or_else(|| usual_mfp(name))) {
        out.parameter("MFPConfig", mfp, ReadWrite);
    }
    let server = server.parse::<std::net::IpAddr>().map(|server| server.to_string()).unwrap_or_default();
    out.parameter("RadiusServerIPAddr", &server, ReadWrite);
    let port = section.get("auth_port").and_then(|port| port.parse::<u16>().ok()).unwrap_or(RADIUS);
    out.parameter("RadiusServerPort", &port, ReadWrite);
    out.parameter("RadiusSecret", &"", ReadWrite);
}

pub(super) fn edit(
    section: &str,
    changes: &[InRow<'_>],
    wireless: &mut PackageEdits,
) -> Vec<SetParameterValuesFault> {
    let mut faults = Vec::new();
    let mut key: Option<String> = None;
    // The mode last but one: what it needs may be set in the same call; protection of frames after it.
    let order = |name: &str| match name {
        "ModeEnabled" => 1,
        "MFPConfig" => 2,
        _ => 0,
    };
    let mut changes = changes.to_vec();
    changes.sort_by_key(|(name, _)| order(name));
    for (name, change) in changes {
        let value = change.value.as_str();
        let now = mode(wireless.get(section, "encryption").as_deref());
        match name {
            "ModeEnabled" => {
                let wanted = MODES.iter().find(|(mode, ..)| *mode == value);
                let needed = wanted.map(|(_, _, _, needs)| match needs {
                    Needs::Nothing => None,
                    Needs::Key => Some(("key", "it needs a KeyPassphrase, which is not set")),
                    Needs::Server => Some(("auth_server", "it needs a RadiusServerIPAddr, which is not set")),
                });
                match (wanted, needed) {
                    (Some((_, _, _, _)), Some(Some((option, why))))
                        if wireless.get(section, option).is_none() =>
                    {
                        faults.push(invalid(change, why));
                    }
                    // The ciphers that somebody has chosen stay with their mode.
                    (Some(_), _) if now.is_some_and(|(now, _)| now == value) => {}
                    (Some((mode, encryption, ..)), _) => {
                        wireless.set(section, "encryption", encryption);
                        // What was chosen for the former mode would keep devices out.
                        if usual_mfp(mode) == 2 {
                            wireless.unset(section, "ieee80211w");
                        }
                    }
                    (None, _) => faults.push(invalid(change, "not one of ModesSupported")),
                }
            }
            "KeyPassphrase" | "SAEPassphrase" | "PreSharedKey" => {
                let fits = match name {
                    // An empty one means that of KeyPassphrase, which is the same here.
                    "SAEPassphrase" if value.is_empty() => continue,
                    "PreSharedKey" => value.len() == 64,
                    _ => (8..=63).contains(&value.len()) && value.bytes().all(|b| (32..127).contains(&b)),
                };
                if !fits {
                    faults.push(invalid(change, "a key is 8 to 63 printable characters or 32 bytes"));
                } else if key.as_deref().is_some_and(|key| key != value) {
                    faults.push(invalid(change, "all passphrases of an access point are one here"));
                } else {
                    wireless.set(section, "key", value);
                    key = Some(value.to_owned());
                }
            }
            "RekeyingInterval" => wireless.set(section, "wpa_group_rekey", value),
            "MFPConfig" => match MFP.iter().position(|known| *known == value) {
                Some(mfp) if mfp < 2 && now.is_some_and(|(now, _)| usual_mfp(now) == 2) => {
                    faults.push(invalid(change, "ModeEnabled requires it"));
                }
                Some(mfp) => wireless.set(section, "ieee80211w", &mfp.to_string()),
                None => faults.push(not_writable(change)),
            },
            "RadiusServerIPAddr" => wireless.set(section, "auth_server", value),
            "RadiusServerPort" => match value.parse::<u16>() {
                Ok(RADIUS) => wireless.unset(section, "auth_port"),
                Ok(port) if port > 0 => wireless.set(section, "auth_port", value),
                _ => faults.push(invalid(change, "not a port")),
            },
            "RadiusSecret" if value.len() <= SECRET && is_plain(value) => {
                wireless.set(section, "auth_secret", value);
            }
            "RadiusSecret" => faults.push(invalid(change, format!("at most {SECRET} bytes are taken"))),
            _ => faults.push(not_writable(change)),
        }
    }
    faults
}

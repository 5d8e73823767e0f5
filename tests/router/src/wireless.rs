//! The radios: `network.wireless`, `hostapd.*` and `iwinfo`.

use crate::{
    hosts::{Attached, Host},
    uci::Section,
    world::World,
};
use serde_json::{Map, Value as Json, json};

/// An access point that is configured.
pub(crate) struct AccessPoint {
    pub(crate) section: String,
    pub(crate) radio: usize,
    pub(crate) ifname: String,
    pub(crate) bssid: String,
    pub(crate) ssid: String,
    pub(crate) network: String,
    pub(crate) encryption: String,
    pub(crate) channel: u32,
    pub(crate) up: bool,
}

fn radios(world: &World) -> impl Iterator<Item = &Section> {
    world.wireless.iter().filter(|section| section.kind == "wifi-device")
}

fn interfaces<'a>(world: &'a World, radio: &'a str) -> impl Iterator<Item = &'a Section> {
    let of_radio = |section: &&Section| section.kind == "wifi-iface" && section.get("device") == Some(radio);
    world.wireless.iter().filter(of_radio)
}

fn five(radio: &Section) -> bool {
    radio.get("band") == Some("5g")
}

/// The channel in use: of `auto`, the one that the driver has chosen.
fn channel(radio: &Section) -> u32 {
    let chosen = if five(radio) { 36 } else { 6 };
    radio.get("channel").and_then(|channel| channel.parse().ok()).unwrap_or(chosen)
}

fn frequency(channel: u32) -> u32 {
    if channel > 14 { 5000 + 5 * channel } else { 2407 + 5 * channel }
}

/// All access points, of radios that are off as well.
pub(crate) fn access_points(world: &World) -> Vec<AccessPoint> {
    let mut all = Vec::new();
    for (index, radio) in radios(world).enumerate() {
        let mut number = 0;
        for section in interfaces(world, &radio.name) {
            let up = !radio.on("disabled") && !section.on("disabled");
            all.push(AccessPoint {
                section: section.name.clone(),
                radio: index,
                ifname: format!("phy{index}-ap{number}"),
                bssid: format!("00:00:5e:00:53:{:02x}", 0x10 + 0x10 * index + number),
                ssid: section.get("ssid").unwrap_or_default().to_owned(),
                network: section.words("network").first().copied().unwrap_or_default().to_owned(),
                encryption: section.get("encryption").unwrap_or("none").to_owned(),
                channel: channel(radio),
                up,
            });
            // netifd gives names to those alone that are set up.
            number += usize::from(up);
        }
    }
    all
}

/// A section as netifd shows it: numbers and booleans as such where its schema has them so, lists as arrays.
fn config(section: &Section) -> Json {
    const LISTS: [&str; 2] = ["network", "maclist"];
    const FLAGS: [&str; 6] = ["disabled", "isolate", "hidden", "wmm", "legacy_rates", "noscan"];
    const NUMBERS: [&str; 4] = ["txpower", "maxassoc", "beacon_int", "cell_density"];
    let value = |name: &str, values: &[String]| match (name, values.last()) {
        _ if LISTS.contains(&name) => json!(section.words(name)),
        (_, Some(value)) if FLAGS.contains(&name) => json!(value == "1"),
        (_, Some(value)) if NUMBERS.contains(&name) => {
            value.parse::<i32>().map_or(json!(value), |value| json!(value))
        }
        (_, Some(value)) => json!(value),
        (_, None) => Json::Null,
    };
    let of = |(name, values): (&str, &[String])| (name.to_owned(), value(name, values));
    Json::Object(section.options().filter(|(name, _)| *name != "device").map(of).collect())
}

/// `network.wireless status`.
pub(crate) fn status(world: &World, device: Option<&str>) -> Json {
    let points = access_points(world);
    let mut all = Map::new();
    for radio in radios(world).filter(|radio| device.is_none_or(|device| device == radio.name)) {
        let up = !radio.on("disabled");
        let interface = |section: &Section| {
            let mut shown =
                json!({ "section": section.name, "config": config(section), "vlans": [], "stations": [] });
            let point = points.iter().find(|point| point.section == section.name && point.up);
            if let (Some(point), Some(fields)) = (point, shown.as_object_mut()) {
                fields.insert("ifname".to_owned(), json!(point.ifname));
            }
            shown
        };
        // Those that are disabled are not shown, nor any of a radio that is off.
        let shown = interfaces(world, &radio.name).filter(|section| up && !section.on("disabled"));
        let interfaces: Vec<Json> = shown.map(interface).collect();
        all.insert(
            radio.name.clone(),
            json!({
                "up": up, "pending": false, "autostart": true, "disabled": !up, "retry_setup_failed": false,
                "config": config(radio), "interfaces": interfaces,
            }),
        );
    }
    Json::Object(all)
}

fn point(world: &World, ifname: &str) -> Option<AccessPoint> {
    access_points(world).into_iter().find(|point| point.up && point.ifname == ifname)
}

fn clients<'a>(world: &'a World, point: &'a AccessPoint) -> impl Iterator<Item = &'a Host> {
    let at = |host: &&Host| {
        host.active && host.attached == Attached::Radio(point.radio) && host.network == point.network
    };
    world.hosts.iter().filter(at)
}

/// Methods of `hostapd.IFNAME`.
pub(crate) fn hostapd(world: &mut World, ifname: &str, method: &str, arguments: &Json) -> Option<Vec<Json>> {
    let point = point(world, ifname)?;
    let mhz = frequency(point.channel);
    Some(match method {
        "get_status" => vec![json!({
            "status": "ENABLED", "bssid": point.bssid, "ssid": point.ssid, "freq": mhz,
            "channel": point.channel, "op_class": if point.channel > 14 { 128 } else { 81 },
            "beacon_interval": 100, "phy": ifname,
            "rrm": { "neighbor_report_tx": 0 },
            "wnm": { "bss_transition_query_rx": 0, "bss_transition_request_tx": 0, "bss_transition_response_rx": 0 },
            "airtime": { "time": 90_432_000, "time_busy": 8_123_000, "utilization": 23 },
            "dfs": { "cac_seconds": 0, "cac_active": false, "cac_seconds_left": 0 },
        })],
        "get_clients" => {
            let client = |host: &Host| {
                let n = u64::from(host.number);
                let client = json!({
                    "auth": true, "assoc": true, "authorized": true, "preauth": false, "wds": false, "wmm": true,
                    "ht": true, "vht": point.channel > 14, "he": point.channel > 14, "wps": false,
                    "mfp": point.encryption.contains("sae"), "rrm": [0, 0, 0, 0, 0], "aid": host.number,
                    "signature": "", "bytes": { "rx": 1_234_567 * n, "tx": 9_876_543 * n },
                    "airtime": { "rx": 12_345 * n, "tx": 54_321 * n },
                    "packets": { "rx": 4_321 * n, "tx": 8_765 * n },
                    "rate": { "rx": 6_000 * n, "tx": 24_000 * n }, "signal": host.signal(), "capabilities": {},
                });
                (host.mac(), client)
            };
            let clients: Map<String, Json> = clients(world, &point).map(client).collect();
            vec![json!({ "freq": mhz, "clients": clients })]
        }
        "del_client" => {
            let gone = arguments["addr"].as_str().unwrap_or_default().to_ascii_lowercase();
            world.hosts.iter_mut().filter(|host| host.mac() == gone).for_each(|host| host.active = false);
            Vec::new()
        }
        "wps_status" => vec![json!({ "pbc_status": "Disabled", "last_wps_result": "None" })],
        _ => Vec::new(),
    })
}

/// Methods of `iwinfo`.
pub(crate) fn iwinfo(world: &World, method: &str, arguments: &Json) -> Option<Json> {
    if method == "devices" {
        let points = access_points(world);
        let up: Vec<&str> =
            points.iter().filter(|point| point.up).map(|point| point.ifname.as_str()).collect();
        return Some(json!({ "devices": up }));
    }
    if method == "phyname" {
        let section = arguments["section"].as_str()?;
        let index = radios(world).position(|radio| radio.name == section)?;
        return Some(json!({ "phyname": format!("phy{index}") }));
    }
    // Either an interface or a radio of the kernel.
    let name = arguments["device"].as_str()?;
    let points = access_points(world);
    let point = points.iter().find(|point| point.up && point.ifname == name);
    let radio_index = match point {
        Some(point) => point.radio,
        None => name.strip_prefix("phy")?.parse().ok()?,
    };
    let radio = radios(world).nth(radio_index)?;
    let (five, in_use) = (five(radio), channel(radio));
    let channels: Vec<u32> =
        if five { vec![36, 40, 44, 48, 52, 56, 60, 64, 100, 104, 108, 112] } else { (1..=13).collect() };
    Some(match method {
        "info" => info(radio, radio_index, point),
        "assoclist" => {
            let stations: Vec<Json> =
                point.map(|point| clients(world, point).map(station).collect()).unwrap_or_default();
            json!({ "results": stations })
        }
        "freqlist" => {
            let of = |channel: &u32| {
                json!({
                    "band": if five { 5 } else { 2 }, "channel": channel, "mhz": frequency(*channel),
                    "restricted": five && (52..=144).contains(channel), "active": *channel == in_use,
                    "flags": if five && *channel >= 52 { json!(["RADAR"]) } else { json!([]) },
                })
            };
            json!({ "results": channels.iter().map(of).collect::<Vec<_>>() })
        }
        "txpowerlist" => {
            let (most, set) = (if five { 23 } else { 20 }, txpower(radio));
            let of = |dbm: i32| json!({ "dbm": dbm, "mw": 10f64.powf(f64::from(dbm) / 10.0).round() as i64, "active": dbm == set });
            json!({ "results": (0..=most).map(of).collect::<Vec<_>>() })
        }
        "countrylist" => {
            let country = radio.get("country").unwrap_or("00");
            let of = |(iso3166, name): (&str, &str)| {
                json!({
                    "iso3166": iso3166, "country": name, "ccode": iso3166, "active": iso3166 == country,
                })
            };
            let countries = [
                ("00", "World"),
                ("AT", "Austria"),
                ("DE", "Germany"),
                ("FR", "France"),
                ("US", "United States"),
            ];
            json!({ "results": countries.map(of) })
        }
        "survey" => {
            let of = |channel: &u32| {
                json!({
                    "mhz": frequency(*channel), "noise": -92, "active_time": 90_000 + channel,
                    "busy_time": 8_000 + channel, "busy_time_ext": 0, "rx_time": 5_000 + channel, "tx_time": 2_000 + channel,
                })
            };
            json!({ "results": channels.iter().map(of).collect::<Vec<_>>() })
        }
        "scan" => json!({ "results": [
            { "ssid": "Neighbour", "bssid": "02:00:5E:20:00:01", "mode": "Master", "channel": 11, "band": 2, "signal": -71,
              "quality": 39, "quality_max": 70, "encryption": { "enabled": true, "wpa": [2], "authentication": ["psk"], "ciphers": ["ccmp"] } },
        ] }),
        _ => return None,
    })
}

fn txpower(radio: &Section) -> i32 {
    radio.get("txpower").and_then(|power| power.parse().ok()).unwrap_or(20)
}

fn info(radio: &Section, index: usize, point: Option<&AccessPoint>) -> Json {
    let (five, channel) = (five(radio), channel(radio));
    let htmodes = if five {
        json!(["HT20", "HT40", "VHT20", "VHT40", "VHT80", "HE20", "HE40", "HE80", "HE160"])
    } else {
        json!(["HT20", "HT40", "HE20", "HE40"])
    };
    let (hwmodes, text) =
        if five { (json!(["ac", "ax", "n"]), "ac/ax/n") } else { (json!(["b", "g", "n", "ax"]), "b/g/n/ax") };
    let mut info = json!({
        "phy": format!("phy{index}"), "country": radio.get("country").unwrap_or("00"), "mode": "Master",
        "channel": channel, "center_chan1": channel, "frequency": frequency(channel), "frequency_offset": 0,
        "txpower": txpower(radio), "txpower_offset": 0, "quality": 55, "quality_max": 70, "signal": -55, "noise": -92,
        "bitrate": if five { 1_200_900 } else { 286_800 },
        "htmodes": htmodes, "hwmodes": hwmodes, "hwmodes_text": text, "hwmode": "ax",
        "htmode": radio.get("htmode").unwrap_or("HE20"),
        "hardware": { "id": [5315, 31118, 5315, 31118], "name": "MediaTek MT7981" },
    });
    if let (Some(point), Some(fields)) = (point, info.as_object_mut()) {
        fields.insert("ssid".to_owned(), json!(point.ssid));
        fields.insert("bssid".to_owned(), json!(point.bssid.to_ascii_uppercase()));
        let (wpa, authentication) = match point.encryption.split('+').next().unwrap_or_default() {
            "sae" => (json!([3]), json!(["sae"])),
            "sae-mixed" => (json!([2, 3]), json!(["psk", "sae"])),
            "psk2" => (json!([2]), json!(["psk"])),
            _ => (json!([]), json!([])),
        };
        let enabled = point.encryption != "none";
        fields.insert(
            "encryption".to_owned(),
            json!({ "enabled": enabled, "wpa": wpa, "authentication": authentication, "ciphers": ["ccmp"] }),
        );
    }
    info
}

fn station(host: &Host) -> Json {
    let n = u64::from(host.number);
    json!({
        "mac": host.mac().to_ascii_uppercase(), "signal": host.signal(), "signal_avg": host.signal() - 1, "noise": -92,
        "inactive": 10 * n, "connected_time": 3_600 + n, "thr": 60_000 + n, "authorized": true, "authenticated": true,
        "preamble": "long", "wme": true, "mfp": false, "tdls": false,
        "rx": { "drop_misc": n, "packets": 4_321 * n, "bytes": 1_234_567 * n, "ht": false, "vht": false, "he": true,
                "mhz": 80, "rate": 6_000 * n, "nss": 2, "mcs": 7 },
        "tx": { "failed": n, "retries": 2 * n, "packets": 8_765 * n, "bytes": 9_876_543 * n, "ht": false, "vht": false,
                "he": true, "mhz": 80, "rate": 24_000 * n, "nss": 2, "mcs": 9 },
    })
}

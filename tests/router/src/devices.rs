//! The network devices: which there are by the configuration, `network.device`, and /sys/class/net.

use crate::{hosts::Host, leases, uci::Section, wireless, world::World};
use serde_json::{Map, Value as Json, json};
use std::{fs, io, os::unix::fs::symlink, path::Path};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Loopback,
    Ethernet,
    Vlan,
    Bridge,
    Ppp,
    Wlan,
}

#[derive(Clone, Debug)]
pub(crate) struct Device {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) mac: String,
    pub(crate) mtu: u32,
    pub(crate) up: bool,
    pub(crate) carrier: bool,
    /// Mbit/s, where a cable is in.
    pub(crate) speed: Option<u32>,
    /// Ports of a bridge.
    pub(crate) members: Vec<String>,
    /// Lower device and VLAN id of a VLAN.
    pub(crate) vlan: Option<(String, String)>,
    pub(crate) vlan_filtering: bool,
}

/// What is soldered in: name, last byte of the MAC address, Mbit/s.
const PORTS: [(&str, u8, Option<u32>); 6] = [
    ("eth0", 1, Some(2500)),
    ("lan1", 1, Some(1000)),
    ("lan2", 1, Some(100)),
    ("lan3", 1, None),
    ("lan4", 1, Some(1000)),
    ("wan", 2, Some(1000)),
];

fn mac(last: u8) -> String {
    format!("00:00:5e:00:53:{last:02x}")
}

fn device(name: &str, kind: Kind, mac: String) -> Device {
    Device {
        name: name.to_owned(),
        kind,
        mac,
        mtu: 1500,
        up: true,
        carrier: true,
        speed: None,
        members: Vec::new(),
        vlan: None,
        vlan_filtering: false,
    }
}

/// All devices in the order of their index.
pub(crate) fn all(world: &World) -> Vec<Device> {
    let mut devices =
        vec![Device { mtu: 65536, ..device("lo", Kind::Loopback, "00:00:00:00:00:00".to_owned()) }];
    for (name, last, speed) in PORTS {
        let carrier = speed.is_some();
        devices.push(Device { speed, carrier, ..device(name, Kind::Ethernet, mac(last)) });
    }
    let sections = || world.network.iter().filter(|section| section.kind == "device");
    let aps = wireless::access_points(world);
    for section in sections() {
        let Some(name) = section.get("name") else { continue };
        match section.get("type") {
            Some("bridge") => {
                let mut members: Vec<String> =
                    section.words("ports").into_iter().map(str::to_owned).collect();
                let joins = |ap: &&wireless::AccessPoint| ap.up && world.device_of(&ap.network) == Some(name);
                members.extend(aps.iter().filter(joins).map(|ap| ap.ifname.clone()));
                let last = if name == "br-lan" { 1 } else { 5 };
                let vlan_filtering = section.on("vlan_filtering");
                devices.push(Device { members, vlan_filtering, ..device(name, Kind::Bridge, mac(last)) });
            }
            Some("8021q" | "8021ad") => {
                let (Some(lower), Some(vid)) = (section.get("ifname"), section.get("vid")) else { continue };
                devices.push(vlan(name, lower, vid));
            }
            _ => {}
        }
    }
    // Devices that are written as LOWER.VID need no section.
    let ports = sections().flat_map(|section| section.words("ports"));
    let interfaces = world.network.iter().filter(|section| section.kind == "interface");
    for name in ports.chain(interfaces.filter_map(|section| section.get("device"))) {
        if let Some((lower, vid)) = name.split_once('.') {
            if !devices.iter().any(|device| device.name == name) {
                devices.push(vlan(name, lower, vid));
            }
        }
    }
    for section in world.interfaces().filter(|section| section.get("proto") == Some("pppoe")) {
        let up = world.is_up(section);
        let name = format!("pppoe-{}", section.name);
        devices.push(Device { mtu: 1492, up, carrier: up, ..device(&name, Kind::Ppp, String::new()) });
    }
    for ap in aps.iter().filter(|ap| ap.up) {
        devices.push(device(&ap.ifname, Kind::Wlan, ap.bssid.clone()));
    }
    devices.iter_mut().for_each(|device| configured(device, sections()));
    devices
}

fn vlan(name: &str, lower: &str, vid: &str) -> Device {
    let vlan = Some((lower.to_owned(), vid.to_owned()));
    Device { vlan, ..device(name, Kind::Vlan, mac(2)) }
}

/// What a `config device` section of this name says.
fn configured<'a>(device: &mut Device, mut sections: impl Iterator<Item = &'a Section>) {
    let Some(section) = sections.find(|section| section.get("name") == Some(&device.name)) else { return };
    if let Some(mac) = section.get("macaddr") {
        device.mac = mac.to_ascii_lowercase();
    }
    if let Some(mtu) = section.get("mtu").and_then(|mtu| mtu.parse().ok()) {
        device.mtu = mtu;
    }
    if let (Some(speed), Some(_)) = (section.get("speed").and_then(|speed| speed.parse().ok()), device.speed)
    {
        device.speed = Some(speed);
    }
    if section.off("enabled") {
        (device.up, device.carrier, device.speed) = (false, false, None);
    }
}

const STATISTICS: [(&str, u64); 12] = [
    ("rx_bytes", 48_000_123),
    ("tx_bytes", 7_300_456),
    ("rx_packets", 52_007),
    ("tx_packets", 31_009),
    ("rx_errors", 3),
    ("tx_errors", 2),
    ("rx_dropped", 5),
    ("tx_dropped", 4),
    ("multicast", 611),
    ("collisions", 0),
    ("rx_fifo_errors", 0),
    ("tx_carrier_errors", 0),
];

/// Counters of a device: of each its own.
pub(crate) fn statistics(index: usize) -> impl Iterator<Item = (&'static str, u64)> {
    STATISTICS.into_iter().map(move |(name, count)| (name, count * (index as u64 + 1)))
}

/// `network.device status`.
pub(crate) fn status(world: &World, name: Option<&str>) -> Option<Json> {
    let devices = all(world);
    let of = |(index, device): (usize, &Device)| (device.name.clone(), one(index, device));
    match name {
        None => Some(Json::Object(devices.iter().enumerate().map(of).collect())),
        Some(name) => {
            let found = devices.iter().enumerate().find(|(_, device)| device.name == name);
            found.map(|(index, device)| one(index, device))
        }
    }
}

fn one(index: usize, device: &Device) -> Json {
    let (kind, devtype) = match device.kind {
        Kind::Loopback => ("Network device", "loopback"),
        Kind::Ethernet if device.name == "eth0" => ("Network device", "ethernet"),
        Kind::Ethernet => ("Network device", "dsa"),
        Kind::Vlan => ("VLAN", "vlan"),
        Kind::Bridge => ("bridge", "bridge"),
        Kind::Ppp => ("Network device", "ppp"),
        Kind::Wlan => ("Network device", "wlan"),
    };
    let statistics: Map<String, Json> =
        statistics(index).map(|(name, count)| (name.to_owned(), count.into())).collect();
    let mut status = json!({
        "external": matches!(device.kind, Kind::Wlan | Kind::Ppp),
        "present": true,
        "type": kind,
        "up": device.up,
        "carrier": device.carrier,
        "auth_status": false,
        "devtype": devtype,
        "mtu": device.mtu,
        "mtu6": device.mtu,
        "macaddr": device.mac,
        "txqueuelen": 1000,
        "ipv6": true,
        "promisc": false,
        "multicast": true,
        "statistics": statistics,
    });
    let Some(fields) = status.as_object_mut() else { return status };
    if device.kind == Kind::Ethernet {
        let speed = device.speed.map_or("-1F".to_owned(), |speed| format!("{speed}F"));
        fields.insert("speed".to_owned(), speed.into());
        fields.insert("autoneg".to_owned(), true.into());
        fields.insert("link-supported".to_owned(), json!(["10baseT-F", "100baseT-F", "1000baseT-F"]));
    }
    if device.kind == Kind::Ppp {
        fields.remove("macaddr");
    }
    if device.kind == Kind::Bridge {
        fields.insert("bridge-members".to_owned(), json!(device.members));
        fields.insert(
            "bridge-attributes".to_owned(),
            json!({ "stp": false, "vlan_filtering": device.vlan_filtering }),
        );
    }
    status
}

/// Writes /sys/class/net; what has not changed is left alone.
pub(crate) fn write(world: &World) -> io::Result<()> {
    let (net, devices) = (world.root.join("sys/class/net"), all(world));
    fs::create_dir_all(&net)?;
    for old in fs::read_dir(&net)? {
        let old = old?;
        if !devices.iter().any(|device| *device.name == *old.file_name()) {
            fs::remove_dir_all(old.path())?;
        }
    }
    for (index, device) in devices.iter().enumerate() {
        write_one(&net.join(&device.name), index, device)?;
        for (number, member) in device.members.iter().enumerate() {
            folder(&net.join(&device.name).join("brif").join(member))?;
            folder(&net.join(member).join("brport"))?;
            file(&net.join(member).join("brport/port_no"), &format!("{:#x}\n", number + 1))?;
            link(&format!("../{}", device.name), &net.join(member).join("master"))?;
        }
        if device.kind == Kind::Bridge {
            fs::write(net.join(&device.name).join("brforward"), forwarding(world, &device.members))?;
        }
    }
    for bridge in devices.iter().filter(|device| device.kind == Kind::Bridge) {
        for member in fs::read_dir(net.join(&bridge.name).join("brif"))? {
            let member = member?;
            if !bridge.members.iter().any(|name| *name.as_str() == *member.file_name()) {
                fs::remove_dir_all(member.path())?;
                let port = net.join(member.file_name());
                if fs::read_link(port.join("master")).is_ok_and(|master| master.ends_with(&bridge.name)) {
                    fs::remove_file(port.join("master"))?;
                    fs::remove_dir_all(port.join("brport"))?;
                }
            }
        }
    }
    let vlans = devices.iter().filter_map(|device| Some((device, device.vlan.as_ref()?)));
    let rows: String =
        vlans.map(|(device, (lower, vid))| format!("{:<15}| {vid}  | {lower}\n", device.name)).collect();
    let head = "VLAN Dev name    | VLAN ID\nName-Type: VLAN_NAME_TYPE_RAW_PLUS_VID_NO_PAD\n";
    folder(&world.root.join("proc/net/vlan"))?;
    file(&world.root.join("proc/net/vlan/config"), &format!("{head}{rows}"))
}

fn write_one(path: &Path, index: usize, device: &Device) -> io::Result<()> {
    folder(&path.join("statistics"))?;
    for (name, count) in statistics(index) {
        file(&path.join("statistics").join(name), &format!("{count}\n"))?;
    }
    let kind = match device.kind {
        Kind::Loopback => 772,
        Kind::Ppp => 512,
        _ => 1,
    };
    let operstate = match (device.kind, device.up && device.carrier) {
        (Kind::Loopback | Kind::Ppp, true) => "unknown",
        (_, true) => "up",
        (_, false) if device.up => "lowerlayerdown",
        _ => "down",
    };
    let devtype = match device.kind {
        Kind::Bridge => "DEVTYPE=bridge\n",
        Kind::Vlan => "DEVTYPE=vlan\n",
        Kind::Wlan => "DEVTYPE=wlan\n",
        Kind::Ppp => "DEVTYPE=ppp\n",
        Kind::Ethernet if device.name != "eth0" => "DEVTYPE=dsa\n",
        _ => "",
    };
    let number = index + 1;
    let mut files = vec![
        ("address", device.mac.clone()),
        ("mtu", device.mtu.to_string()),
        ("ifindex", number.to_string()),
        ("type", kind.to_string()),
        ("operstate", operstate.to_owned()),
        ("flags", if device.up { "0x1003" } else { "0x1002" }.to_owned()),
        ("carrier", u8::from(device.carrier).to_string()),
        ("tx_queue_len", "1000".to_owned()),
        ("uevent", format!("{devtype}INTERFACE={}\nIFINDEX={number}", device.name)),
    ];
    if device.kind == Kind::Ethernet {
        files.push(("speed", device.speed.map_or("-1".to_owned(), |speed| speed.to_string())));
        files.push(("duplex", if device.speed.is_some() { "full" } else { "unknown" }.to_owned()));
        link("../../../devices/platform/soc/15100000.ethernet", &path.join("device"))?;
    }
    if device.kind == Kind::Wlan {
        folder(&path.join("phy80211"))?;
        let phy = device.name.split('-').next().unwrap_or_default();
        file(&path.join("phy80211/name"), &format!("{phy}\n"))?;
    }
    if device.kind == Kind::Bridge {
        folder(&path.join("brif"))?;
        folder(&path.join("bridge"))?;
        file(&path.join("bridge/stp_state"), "0\n")?;
        file(&path.join("bridge/vlan_filtering"), &format!("{}\n", u8::from(device.vlan_filtering)))?;
    }
    files.iter().try_for_each(|(name, value)| file(&path.join(name), &format!("{value}\n")))
}

/// The forwarding table of a bridge with these ports, as sysfs has it: 16 bytes a host.
fn forwarding(world: &World, members: &[String]) -> Vec<u8> {
    let entry = |host: &Host| {
        let port = leases::port(world, host)?;
        let number = members.iter().position(|member| *member == port)? + 1;
        let mac = host.mac();
        let mac = mac.split(':').filter_map(|byte| u8::from_str_radix(byte, 16).ok());
        let mut entry: Vec<u8> = mac.chain([u8::try_from(number).ok()?]).collect();
        entry.resize(16, 0);
        Some(entry)
    };
    world.hosts.iter().filter(|host| host.active).filter_map(entry).flatten().collect()
}

fn folder(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

fn file(path: &Path, text: &str) -> io::Result<()> {
    if fs::read(path).is_ok_and(|old| old == text.as_bytes()) { Ok(()) } else { fs::write(path, text) }
}

fn link(target: &str, path: &Path) -> io::Result<()> {
    if fs::read_link(path).is_ok_and(|old| old == Path::new(target)) {
        return Ok(());
    }
    let _ = fs::remove_file(path);
    symlink(target, path)
}

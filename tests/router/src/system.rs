//! What procd, logd and rpcd tell: `system`, `service`, `log`, `rpc-sys`, `file`, `luci-rpc`.

use crate::{
    devices, leases, wireless,
    world::{World, now},
};
use serde_json::{Map, Value as Json, json};
use std::fs;

/// `system board`.
pub(crate) fn board(world: &World) -> Json {
    json!({
        "kernel": "6.6.110", "hostname": world.hostname(), "system": "ARMv8 Processor rev 4",
        "model": "Example AX3000", "board_name": "example,ax3000", "rootfs_type": "squashfs",
        "release": {
            "distribution": "OpenWrt", "version": "24.10.4", "revision": "r28959-29397011cc",
            "target": "mediatek/filogic", "description": "OpenWrt 24.10.4 r28959-29397011cc", "builddate": "1760891865",
        },
    })
}

/// `system info`.
pub(crate) fn info() -> Json {
    let kib = 1024_u64;
    json!({
        "localtime": now(), "uptime": 90_432, "load": [5_344, 3_296, 832],
        "memory": { "total": 245_796 * kib, "free": 101_280 * kib, "shared": 1_584 * kib, "buffered": 0,
                    "available": 128_652 * kib, "cached": 31_568 * kib },
        "root": { "total": 83_516, "free": 79_244, "used": 4_272, "avail": 74_876 },
        "tmp": { "total": 122_896, "free": 121_312, "used": 1_584, "avail": 121_312 },
        "swap": { "total": 0, "free": 0 },
    })
}

/// `system validate_firmware_image`: an image is good unless its name says otherwise.
pub(crate) fn validate(arguments: &Json) -> Json {
    let path = arguments["path"].as_str().unwrap_or_default();
    let good = !path.contains("bad");
    json!({
        "tests": { "fwtool_signature": good, "fwtool_device_match": good },
        "valid": good, "forceable": good, "allow_backup": good,
    })
}

const SERVICES: [(&str, &str, u32, &[&str]); 7] = [
    ("dnsmasq", "cfg01411c", 1702, &["/usr/sbin/dnsmasq", "-C", "/var/etc/dnsmasq.conf.cfg01411c", "-k"]),
    ("dropbear", "main", 1840, &["/usr/sbin/dropbear", "-F", "-P", "/var/run/dropbear.main.pid"]),
    ("network", "instance1", 1204, &["/sbin/netifd"]),
    ("odhcpd", "instance1", 1511, &["/usr/sbin/odhcpd"]),
    ("rpcd", "instance1", 905, &["/sbin/rpcd", "-s", "/var/run/ubus/ubus.sock", "-t", "30"]),
    ("wpad", "hostapd", 1388, &["/usr/sbin/hostapd", "-s", "-g", "/var/run/hostapd/global"]),
    ("sysntpd", "instance1", 1903, &["/usr/sbin/ntpd", "-n", "-N", "-p", "0.openwrt.pool.ntp.org"]),
];

/// `service list`: those of the firmware, and what the init scripts of packages have started.
pub(crate) fn services(world: &World, name: Option<&str>) -> Json {
    let wanted = SERVICES.iter().filter(|(service, ..)| name.is_none_or(|name| name == *service));
    let of = |(service, instance, pid, command): &(&str, &str, u32, &[&str])| {
        let instance = json!({ (*instance): {
            "running": true, "pid": pid, "command": command, "term_timeout": 5,
            "respawn": { "threshold": 3600, "timeout": 5, "retry": 5 },
        } });
        ((*service).to_owned(), json!({ "instances": instance }))
    };
    let started = fs::read_dir(world.root.join("var/run/services")).into_iter().flatten().flatten();
    let started = started.filter_map(|entry| entry.file_name().into_string().ok());
    let started = started.filter(|service| name.is_none_or(|name| name == service));
    let instance = json!({ "instances": { "instance1": { "running": true, "pid": 4242 } } });
    Json::Object(wanted.map(of).chain(started.map(|service| (service, instance.clone()))).collect())
}

/// `log read`.
pub(crate) fn log() -> Json {
    let time = now() * 1000;
    json!({ "log": [
        { "msg": "kernel: [    0.000000] Linux version 6.6.110", "id": 1, "priority": 5, "source": 0, "time": time },
        { "msg": "netifd: Interface 'wan' is now up", "id": 2, "priority": 29, "source": 1, "time": time },
        { "msg": "dnsmasq-dhcp[1]: DHCPACK(br-lan) 192.168.1.52 desktop", "id": 3, "priority": 30, "source": 1, "time": time },
    ] })
}

/// `rpc-sys packagelist`: all packages, or those that somebody has installed.
pub(crate) fn packages(world: &World, all: bool) -> Json {
    let status = fs::read_to_string(world.root.join("usr/lib/opkg/status")).unwrap_or_default();
    let package = |block: &str| {
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let (name, version, state) = (field("Package")?, field("Version")?, field("Status")?);
        (all || state.contains("user")).then(|| (name.to_owned(), json!(version)))
    };
    let packages: Map<String, Json> = status.split("\n\n").filter_map(package).collect();
    json!({ "packages": packages })
}

/// Methods of `file`: within the folder that plays `/`.
pub(crate) fn file(world: &World, method: &str, arguments: &Json) -> Result<Json, u32> {
    use cwmp_ubus::status;
    let path = arguments["path"].as_str().ok_or(status::INVALID_ARGUMENT)?;
    if path.split('/').any(|part| part == "..") {
        return Err(status::PERMISSION_DENIED);
    }
    let path = world.root.join(path.trim_start_matches('/'));
    match method {
        "read" => {
            let data = fs::read(&path).map_err(|_| status::NOT_FOUND)?;
            Ok(json!({ "data": String::from_utf8_lossy(&data) }))
        }
        "stat" => {
            let data = fs::metadata(&path).map_err(|_| status::NOT_FOUND)?;
            let kind = if data.is_dir() { "directory" } else { "file" };
            Ok(json!({ "path": arguments["path"], "type": kind, "size": data.len() }))
        }
        "list" => {
            let entries = fs::read_dir(&path).map_err(|_| status::NOT_FOUND)?;
            let mut names: Vec<String> =
                entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
            names.sort();
            Ok(
                json!({ "entries": names.into_iter().map(|name| json!({ "name": name })).collect::<Vec<_>>() }),
            )
        }
        _ => Err(status::PERMISSION_DENIED),
    }
}

/// Methods of `luci-rpc`.
pub(crate) fn luci(world: &World, method: &str) -> Option<Json> {
    Some(match method {
        "getHostHints" => leases::hints(world),
        "getDHCPLeases" => leases::for_luci(world),
        "getBoardJSON" => {
            let text = fs::read_to_string(world.root.join("etc/board.json")).ok()?;
            serde_json::from_str(&text).ok()?
        }
        "getNetworkDevices" => devices::status(world, None)?,
        "getWirelessDevices" => wireless::status(world, None),
        _ => return None,
    })
}

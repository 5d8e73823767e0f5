//! Who offers which objects, and what they answer.

use crate::{devices, interfaces, leases, system, wireless, world::World};
use cwmp_ubus::{ArgumentType, MethodInfo, status};
use serde_json::{Value as Json, json};

/// The programs of the box that are on the bus. Each has a connection of its own, so that one can start again alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// `system`, `service`.
    Procd,
    /// `network`, `network.*`.
    Netifd,
    /// `hostapd.*`.
    Hostapd,
    /// `iwinfo`, `rpc-sys`, `file`, `luci-rpc`.
    Rpcd,
    /// `dhcp`.
    Odhcpd,
    /// `dnsmasq`.
    Dnsmasq,
    /// `log`.
    Logd,
}

impl Service {
    /// All of them.
    pub const ALL: [Service; 7] = [
        Service::Procd,
        Service::Netifd,
        Service::Hostapd,
        Service::Rpcd,
        Service::Odhcpd,
        Service::Dnsmasq,
        Service::Logd,
    ];

    /// The paths of the objects that it has now.
    pub(crate) fn objects(self, world: &World) -> Vec<String> {
        let fixed: &[&str] = match self {
            Service::Procd => &["system", "service"],
            Service::Netifd => &["network", "network.device", "network.interface", "network.wireless"],
            Service::Hostapd => &[],
            Service::Rpcd => &["iwinfo", "rpc-sys", "file", "luci-rpc"],
            Service::Odhcpd => &["dhcp"],
            Service::Dnsmasq => &["dnsmasq"],
            Service::Logd => &["log"],
        };
        let mut objects: Vec<String> = fixed.iter().map(|path| (*path).to_owned()).collect();
        match self {
            Service::Netifd => {
                objects
                    .extend(world.interfaces().map(|section| format!("network.interface.{}", section.name)));
            }
            Service::Hostapd => {
                let points = wireless::access_points(world);
                objects.extend(
                    points.iter().filter(|point| point.up).map(|point| format!("hostapd.{}", point.ifname)),
                );
            }
            _ => {}
        }
        objects
    }
}

/// The methods of an object.
pub(crate) fn methods(object: &str) -> Vec<MethodInfo> {
    let (string, table, number) = (ArgumentType::String, ArgumentType::Table, ArgumentType::Int32);
    let of = |methods: &[&str]| methods.iter().map(|name| MethodInfo::new(*name)).collect::<Vec<_>>();
    match object {
        "system" => {
            let mut methods = of(&["board", "info", "reboot"]);
            methods.push(MethodInfo::new("validate_firmware_image").with("path", string));
            methods
        }
        "service" => vec![
            MethodInfo::new("list").with("name", string).with("verbose", ArgumentType::Bool),
            MethodInfo::new("event").with("type", string).with("data", table),
            MethodInfo::new("get_data").with("name", string).with("type", string),
        ],
        "network" => of(&["restart", "reload"]),
        "network.device" => vec![MethodInfo::new("status").with("name", string)],
        "network.interface" => {
            let named = |name: &str| MethodInfo::new(name).with("interface", string);
            [of(&["dump"]), ["status", "up", "down", "renew"].map(named).to_vec()].concat()
        }
        "network.wireless" => vec![MethodInfo::new("status").with("device", string)],
        "iwinfo" => {
            let on = |name: &str| MethodInfo::new(name).with("device", string);
            let mut methods = of(&["devices"]);
            methods.extend(["info", "scan", "freqlist", "txpowerlist", "countrylist", "survey"].map(on));
            methods.push(on("assoclist").with("mac", string));
            methods.push(MethodInfo::new("phyname").with("section", string));
            methods
        }
        "rpc-sys" => vec![
            MethodInfo::new("packagelist").with("all", ArgumentType::Bool),
            MethodInfo::new("password_set").with("user", string).with("password", string),
        ],
        "file" => ["read", "stat", "list"].map(|name| MethodInfo::new(name).with("path", string)).to_vec(),
        "luci-rpc" => {
            of(&["getHostHints", "getDHCPLeases", "getBoardJSON", "getNetworkDevices", "getWirelessDevices"])
        }
        "dhcp" => of(&["ipv4leases", "ipv6leases", "ipv6ra"]),
        "dnsmasq" => of(&["metrics"]),
        "log" => vec![MethodInfo::new("read").with("lines", number).with("stream", ArgumentType::Bool)],
        path if path.starts_with("network.interface.") => of(&["status", "up", "down", "renew"]),
        path if path.starts_with("hostapd.") => {
            let mut methods = of(&["get_status", "get_clients", "wps_start", "wps_status", "wps_cancel"]);
            methods.push(
                MethodInfo::new("del_client")
                    .with("addr", string)
                    .with("reason", number)
                    .with("deauth", ArgumentType::Bool)
                    .with("ban_time", number),
            );
            methods
        }
        _ => Vec::new(),
    }
}

/// What is told after a call, beside its answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// An event for everybody.
    Event(&'static str, Json),
    /// A notification of the object `service`.
    Service(&'static str, Json),
    /// Objects may have come or gone.
    Objects,
}

type Answer = Result<Vec<Json>, u32>;

/// Answers a call.
pub(crate) fn answer(
    world: &mut World,
    object: &str,
    method: &str,
    arguments: &Json,
    told: &mut Vec<Told>,
) -> Answer {
    world.counted(object, method);
    let text = |name: &str| arguments[name].as_str();
    let found = |answer: Option<Json>| answer.map(|answer| vec![answer]).ok_or(status::NOT_FOUND);
    match (object, method) {
        ("system", "board") => Ok(vec![system::board(world)]),
        ("system", "info") => Ok(vec![system::info()]),
        ("system", "reboot") => {
            world.reboots += 1;
            Ok(Vec::new())
        }
        ("system", "validate_firmware_image") => Ok(vec![system::validate(arguments)]),
        ("service", "list") => Ok(vec![system::services(world, text("name"))]),
        ("service", "get_data") => Ok(vec![json!({})]),
        ("service", "event") => {
            world.service_events.push(arguments.clone());
            if text("type") == Some("config.change") {
                let package = arguments["data"]["package"].as_str().ok_or(status::INVALID_ARGUMENT)?;
                reload(world, package, told)?;
            }
            Ok(Vec::new())
        }
        ("network", "reload" | "restart") => reload(world, "network", told).map(|()| Vec::new()),
        ("network.device", "status") => found(devices::status(world, text("name"))),
        ("network.wireless", "status") => Ok(vec![wireless::status(world, text("device"))]),
        ("network.interface", "dump") => Ok(vec![interfaces::dump(world)]),
        ("network.interface", _) => {
            let name = text("interface").ok_or(status::INVALID_ARGUMENT)?.to_owned();
            interface(world, &name, method, told)
        }
        ("iwinfo", _) => found(wireless::iwinfo(world, method, arguments)),
        ("rpc-sys", "packagelist") => {
            Ok(vec![system::packages(world, arguments["all"].as_bool().unwrap_or(false))])
        }
        ("rpc-sys", _) => {
            let (user, password) = (text("user"), text("password"));
            let set = user.zip(password).ok_or(status::INVALID_ARGUMENT)?;
            world.passwords.push((set.0.to_owned(), set.1.to_owned()));
            Ok(Vec::new())
        }
        ("file", _) => system::file(world, method, arguments).map(|answer| vec![answer]),
        ("luci-rpc", _) => found(system::luci(world, method)),
        ("dhcp", _) => found(leases::dhcp(world, method)),
        ("dnsmasq", _) => Ok(vec![json!({ "dns_queries_forwarded": 4_711, "dhcp_leases_allocated_4": 24 })]),
        ("log", _) => Ok(vec![system::log()]),
        _ => match (object.strip_prefix("network.interface."), object.strip_prefix("hostapd.")) {
            (Some(name), _) => interface(world, name, method, told),
            (_, Some(ifname)) => wireless::hostapd(world, ifname, method, arguments).ok_or(status::NOT_FOUND),
            _ => Err(status::NOT_FOUND),
        },
    }
}

fn interface(world: &mut World, name: &str, method: &str, told: &mut Vec<Told>) -> Answer {
    let section = world.interface(name).ok_or(status::NOT_FOUND)?;
    let action = match method {
        "status" => return Ok(vec![interfaces::status(world, section)]),
        "up" => {
            world.down.remove(name);
            "ifup"
        }
        "down" => {
            world.down.insert(name.to_owned());
            "ifdown"
        }
        _ => "ifup",
    };
    devices::write(world).map_err(|_| status::SYSTEM_ERROR)?;
    told.push(Told::Event("network.interface", json!({ "action": action, "interface": name })));
    Ok(Vec::new())
}

/// A package has changed: the services that have it in their reload triggers read it, and tell what came of it.
pub(crate) fn reload(world: &mut World, package: &str, told: &mut Vec<Told>) -> Result<(), u32> {
    world.reload(package).map_err(|_| status::SYSTEM_ERROR)?;
    let restarted: &[&str] = match package {
        "dhcp" => &["dnsmasq", "odhcpd"],
        "system" => &["sysntpd"],
        _ => &[],
    };
    for service in restarted {
        for kind in ["service.stop", "service.start"] {
            told.push(Told::Service(kind, json!({ "service": service })));
        }
    }
    told.push(Told::Objects);
    Ok(())
}

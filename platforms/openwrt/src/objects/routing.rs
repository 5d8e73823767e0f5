//! Device.Routing: `config route` and `config route6` sections of package `network`, then what else the kernel's main table
//! has. There is one router.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    rc::Rc,
};

use async_trait::async_trait;
use cwmp_core::fault::{CwmpFault, SetParameterValuesFault};
use cwmp_linux::kernel::{Hop, Route, RouteKind};
use cwmp_platform::source::{
    Access::{ReadOnly, ReadWrite},
    Change, ObjectKind, ParameterSink, SourceError, Wanted,
};
use cwmp_uci::{Package, Section};

use crate::{
    edits::{Edits, PackageEdits},
    limits,
    network::Network,
    part::{InRow, Part, below, by_row, internal, invalid, new_section, no_such, not_writable, section_keys},
    survey::Survey,
};

const ROUTER: &str = "Device.Routing.Router.{i}.";
/// The package.
const NETWORK: &str = "network";
/// Kinds of routes: of the model, of netifd.
const KINDS: [(&str, &str); 4] = [
    ("Normal", "unicast"),
    ("Blackhole", "blackhole"),
    ("Unreachable", "unreachable"),
    ("Prohibit", "prohibit"),
];
// RTPROT_...: who made a route.
const BOOT: u8 = 3;
const STATIC: u8 = 4;
const RA: u8 = 9;
const DHCP: u8 = 16;

pub(crate) struct Routing;

/// One of the two tables.
#[derive(Clone, Copy)]
struct Family {
    object: &'static str,
    table: &'static str,
    /// Type of its sections.
    kind: &'static str,
    is_v4: bool,
}

const FAMILIES: [Family; 2] = [
    Family {
        object: "Device.Routing.Router.{i}.IPv4Forwarding.{i}.",
        table: "Device.Routing.Router.1.IPv4Forwarding.",
        kind: "route",
        is_v4: true,
    },
    Family {
        object: "Device.Routing.Router.{i}.IPv6Forwarding.{i}.",
        table: "Device.Routing.Router.1.IPv6Forwarding.",
        kind: "route6",
        is_v4: false,
    },
];

#[async_trait(?Send)]
impl Part for Routing {
    fn objects(&self) -> &'static [&'static str] {
        &["Device.Routing.", ROUTER, FAMILIES[0].object, FAMILIES[1].object]
    }

    async fn read(
        &self,
        survey: &Survey,
        _: &Wanted<'_>,
        out: &mut dyn ParameterSink,
    ) -> Result<(), SourceError> {
        let network = survey.network().await?;
        let routes = survey.routes()?;
        out.object("Device.Routing.", ObjectKind::Single);
        out.object("Device.Routing.Router.", ObjectKind::Table { addable: false });
        out.object("Device.Routing.Router.1.", ObjectKind::Instance { deletable: false });
        out.parameter("Enable", &true, ReadOnly);
        out.parameter("Status", &"Enabled", ReadOnly);
        for family in FAMILIES {
            family.read(survey, &network, &routes, out)?;
        }
        Ok(())
    }

    async fn edit(
        &self,
        changes: &[&Change],
        edits: &mut Edits,
    ) -> Result<Vec<SetParameterValuesFault>, SourceError> {
        let survey = Rc::clone(edits.survey());
        let (network, package) = (survey.network().await?, survey.uci(NETWORK).await?);
        let edits = edits.package(NETWORK).await?;
        let of_router = by_row(ROUTER, changes).into_values().flatten();
        let mut faults: Vec<_> = of_router.map(|(_, change)| not_writable(change)).collect();
        for family in FAMILIES {
            for (numbers, changes) in by_row(family.object, changes) {
                let section = family.section(&survey, &package, &numbers);
                for (name, change) in changes {
                    faults.extend(match section {
                        Some(section) => family.edit(section, (name, change), &network, edits),
                        None => Some(not_writable(change)),
                    });
                }
            }
        }
        Ok(faults)
    }

    async fn add(&self, table: &str, edits: &mut Edits) -> Result<u32, CwmpFault> {
        let family = FAMILIES.into_iter().find(|family| family.table == table);
        let family = family.ok_or_else(|| no_such(table))?;
        let (number, section) = new_section(edits.survey(), table, family.new_kind())?;
        let network = edits.package(NETWORK).await.map_err(internal)?;
        network.add(family.kind, &section);
        network.set(&section, "disabled", "1");
        Ok(number)
    }

    async fn delete(&self, instance: &str, edits: &mut Edits) -> Result<(), CwmpFault> {
        let survey = Rc::clone(edits.survey());
        let package = survey.uci(NETWORK).await.map_err(internal)?;
        let section = FAMILIES.into_iter().find_map(|family| {
            let (numbers, _) = below(family.object, instance).filter(|(_, rest)| rest.is_empty())?;
            family.section(&survey, &package, &numbers)
        });
        let section = section.ok_or_else(|| no_such(instance))?;
        edits.package(NETWORK).await.map_err(internal)?.delete(section.name());
        Ok(())
    }
}

/// Where a section leads.
struct Target {
    destination: Option<(IpAddr, u8)>,
    gateway: Option<IpAddr>,
}

impl Family {
    fn new_kind(self) -> &'static str {
        if self.is_v4 { "rt" } else { "rt6" }
    }

    fn sections(self, package: &Package) -> Vec<(String, &Section)> {
        let sections: Vec<&Section> = package.of_type(self.kind).take(limits::ROWS).collect();
        let keys = section_keys(sections.iter().copied(), &["target"]);
        keys.into_iter().zip(sections).collect()
    }

    fn section<'p>(self, survey: &Survey, package: &'p Package, numbers: &[u32]) -> Option<&'p Section> {
        let [1, number] = numbers else { return None };
        let key = survey.key(self.table, *number)?;
        self.sections(package).into_iter().find(|(known, _)| *known == key).map(|(_, section)| section)
    }

    fn target(self, section: &Section) -> Target {
        let gateway = section.get("gateway").and_then(|text| text.parse::<IpAddr>().ok());
        let gateway = gateway.filter(|gateway| gateway.is_ipv4() == self.is_v4);
        let destination = section.get("target").and_then(|target| {
            let (address, length) = match target.split_once('/') {
                Some((address, length)) => (address, length.parse().ok()?),
                None if self.is_v4 => {
                    let mask = section.get("netmask").unwrap_or("255.255.255.255");
                    (target, prefix_length(mask.parse().ok()?)?)
                }
                None => (target, 128),
            };
            let address: IpAddr = address.parse().ok()?;
            let most = if self.is_v4 { 32 } else { 128 };
            (address.is_ipv4() == self.is_v4 && length <= most).then_some((address, length))
        });
        Target { destination, gateway }
    }

    fn read(
        self,
        survey: &Survey,
        network: &Network,
        routes: &[Route],
        out: &mut dyn ParameterSink,
    ) -> Result<(), SourceError> {
        let links = survey.links()?;
        let device = |hop: &Hop| links.iter().find(|link| Some(link.index) == hop.index);
        let ways = routes.iter().filter(|route| route.destination.is_ipv4() == self.is_v4);
        let mut ways: Vec<(&Route, &Hop)> =
            ways.flat_map(|route| route.hops.iter().map(move |hop| (route, hop))).collect();
        let sections = self.sections(&network.package);
        let mut set = Vec::new();
        for (_, section) in &sections {
            let target = self.target(section);
            let at = ways.iter().position(|(route, hop)| {
                Some((route.destination, route.prefix_length)) == target.destination
                    && hop.gateway == target.gateway
            });
            set.push((target, at.map(|at| ways.remove(at))));
        }
        ways.truncate(limits::ROWS);
        let name = |hop: &Hop| device(hop).map(|link| link.name.as_str()).unwrap_or_default();
        // No key of a section has a slash.
        let of_kernel = ways.iter().map(|(route, hop)| {
            let gateway = hop.gateway.map(|gateway| gateway.to_string()).unwrap_or_default();
            let (to, length, metric) = (route.destination, route.prefix_length, route.metric.unwrap_or(0));
            format!("{to}/{length} {gateway} {} {metric}", name(hop))
        });
        let of_kernel: Vec<String> = of_kernel.collect();
        let keys = sections.iter().map(|(key, _)| key).chain(&of_kernel);
        let numbers = survey.numbers(self.table, keys.map(String::as_str));
        out.object(self.table, ObjectKind::Table { addable: true });
        let mut numbers = numbers.into_iter();
        for ((_, section), (target, way)) in sections.iter().zip(&set) {
            let Some(Some(number)) = numbers.next() else { continue };
            out.object(&format!("{}{number}.", self.table), ObjectKind::Instance { deletable: true });
            self.of_section(network, section, target, *way, out);
        }
        for (route, hop) in ways {
            let Some(Some(number)) = numbers.next() else { continue };
            out.object(&format!("{}{number}.", self.table), ObjectKind::Instance { deletable: false });
            let interface = device(hop).and_then(|link| network.on_device(&link.name));
            let interface = interface.map_or("", |interface| interface.path.as_str());
            self.of_kernel(survey, route, hop, interface, out);
        }
        Ok(())
    }

    fn of_section(
        self,
        network: &Network,
        section: &Section,
        target: &Target,
        way: Option<(&Route, &Hop)>,
        out: &mut dyn ParameterSink,
    ) {
        let enabled = section.get("disabled") != Some("1");
        let interface = section.get("interface").and_then(|name| network.interface(name));
        out.parameter("Enable", &enabled, ReadWrite);
        let status = match (enabled, target.destination, way) {
            (false, ..) => "Disabled",
            (true, None, _) => "Error_Misconfigured",
            (true, _, Some((_, hop))) if !hop.dead => "Enabled",
            _ => "Error",
        };
        out.parameter("Status", &status, ReadOnly);
        let kind = section.get("type").unwrap_or("unicast");
        if let Some((name, _)) = KINDS.into_iter().find(|(_, uci)| *uci == kind) {
            out.parameter("Type", &name, ReadWrite);
        }
        // A section without a name is known by its target.
        let fixed = if section.is_anonymous() { ReadOnly } else { ReadWrite };
        let destination = target.destination.filter(|(_, length)| *length > 0);
        match (self.is_v4, destination) {
            (true, Some((address, length))) => {
                out.parameter("StaticRoute", &true, ReadOnly);
                out.parameter("DestIPAddress", &address, fixed);
                out.parameter("DestSubnetMask", &mask(length), fixed);
            }
            (true, None) => {
                out.parameter("StaticRoute", &true, ReadOnly);
                out.parameter("DestIPAddress", &"", fixed);
                let mask = section.get("netmask").filter(|mask| mask.parse::<Ipv4Addr>().is_ok());
                let default = target.destination.is_some();
                out.parameter("DestSubnetMask", &mask.filter(|_| !default).unwrap_or_default(), fixed);
            }
            (false, Some((address, length))) => {
                out.parameter("DestIPPrefix", &format_args!("{address}/{length}"), fixed);
            }
            (false, None) => out.parameter("DestIPPrefix", &"", fixed),
        }
        let gateway = target.gateway.map(|gateway| gateway.to_string()).unwrap_or_default();
        out.parameter(self.gateway(), &gateway, ReadWrite);
        out.parameter("Interface", &interface.map_or("", |interface| interface.path.as_str()), ReadWrite);
        out.parameter("ForwardingPolicy", &-1, ReadOnly);
        let metric = section.get("metric").and_then(|metric| metric.parse::<i32>().ok());
        out.parameter("ForwardingMetric", &metric.filter(|metric| *metric >= 0).unwrap_or(-1), ReadWrite);
        out.parameter("Origin", &"Static", ReadOnly);
        if !self.is_v4 {
            out.parameter("ExpirationTime", &"9999-12-31T23:59:59Z", ReadOnly);
        }
    }

    fn gateway(self) -> &'static str {
        if self.is_v4 { "GatewayIPAddress" } else { "NextHop" }
    }

    fn of_kernel(
        self,
        survey: &Survey,
        route: &Route,
        hop: &Hop,
        interface: &str,
        out: &mut dyn ParameterSink,
    ) {
        out.parameter("Enable", &true, ReadOnly);
        // A way whose device is down is not taken.
        out.parameter("Status", &if hop.dead { "Error" } else { "Enabled" }, ReadOnly);
        let kind = match route.kind {
            RouteKind::Normal => "Normal",
            RouteKind::Blackhole => "Blackhole",
            RouteKind::Unreachable => "Unreachable",
            RouteKind::Prohibit => "Prohibit",
        };
        out.parameter("Type", &kind, ReadOnly);
        let is_default = route.prefix_length == 0;
        if self.is_v4 {
            out.parameter("StaticRoute", &matches!(route.protocol, BOOT | STATIC), ReadOnly);
            let shown = |text: String| if is_default { String::new() } else { text };
            out.parameter("DestIPAddress", &shown(route.destination.to_string()), ReadOnly);
            out.parameter("DestSubnetMask", &shown(mask(route.prefix_length).to_string()), ReadOnly);
        } else {
            let prefix = format!("{}/{}", route.destination, route.prefix_length);
            out.parameter("DestIPPrefix", &if is_default { String::new() } else { prefix }, ReadOnly);
            out.parameter("ExpirationTime", &survey.moment().end_of_ticks(route.expires), ReadOnly);
        }
        let gateway = hop.gateway.filter(|gateway| gateway.is_ipv4() == self.is_v4);
        let gateway = gateway.map(|gateway| gateway.to_string()).unwrap_or_default();
        out.parameter(self.gateway(), &gateway, ReadOnly);
        out.parameter("Interface", &interface, ReadOnly);
        out.parameter("ForwardingPolicy", &-1, ReadOnly);
        let metric = route.metric.unwrap_or(0).min(i32::MAX.unsigned_abs());
        out.parameter("ForwardingMetric", &metric, ReadOnly);
        // The model has no name for the kernel's own.
        let origin = match (route.protocol, self.is_v4) {
            (BOOT | STATIC, _) => Some("Static"),
            (DHCP, true) => Some("DHCPv4"),
            (DHCP, false) => Some("DHCPv6"),
            (RA, false) => Some("RA"),
            _ => None,
        };
        if let Some(origin) = origin {
            out.parameter("Origin", &origin, ReadOnly);
        }
    }

    fn edit(
        self,
        section: &Section,
        (name, change): InRow<'_>,
        network: &Network,
        edits: &mut PackageEdits,
    ) -> Option<SetParameterValuesFault> {
        let (value, of) = (change.value.as_str(), section.name());
        match name {
            "Enable" => edits.set_bool(of, "disabled", value == "false", false),
            "Type" => match KINDS.into_iter().find(|(kind, _)| *kind == value) {
                Some((_, "unicast")) => edits.unset(of, "type"),
                Some((_, uci)) => edits.set(of, "type", uci),
                None => return Some(invalid(change, "netifd has no such routes")),
            },
            "DestIPAddress" | "DestSubnetMask" if self.is_v4 && !section.is_anonymous() => {
                return self.edit_destination(of, (name, change), edits);
            }
            "DestIPPrefix" if !self.is_v4 && !section.is_anonymous() => match prefix(value) {
                _ if value.is_empty() => edits.set(of, "target", "::/0"),
                Some((address, length)) => edits.set(of, "target", &format!("{address}/{length}")),
                None => return Some(invalid(change, "no prefix of IPv6")),
            },
            "Interface" if value.is_empty() => edits.unset(of, "interface"),
            "Interface" => match network.at(value) {
                Some(interface) => edits.set(of, "interface", &interface.name),
                None => {
                    return Some(invalid(change, format!("{value} is no IP interface of this device")));
                }
            },
            "ForwardingMetric" if value == "-1" => edits.unset(of, "metric"),
            "ForwardingMetric" => edits.set(of, "metric", value),
            _ if name == self.gateway() => edits.set(of, "gateway", value),
            _ => return Some(not_writable(change)),
        }
        None
    }

    /// Address and mask apart, so that either can be set first. No address and no mask is the way to everywhere.
    fn edit_destination(
        self,
        of: &str,
        (name, change): InRow<'_>,
        edits: &mut PackageEdits,
    ) -> Option<SetParameterValuesFault> {
        let value = change.value.as_str();
        let old = edits.get(of, "target").unwrap_or_default();
        if let Some((address, length)) = old.split_once('/') {
            edits.set(of, "target", address);
            edits.set(of, "netmask", &mask(length.parse().unwrap_or(32)).to_string());
        }
        let everywhere = Ipv4Addr::UNSPECIFIED.to_string();
        let value = if value.is_empty() { everywhere.as_str() } else { value };
        if name == "DestIPAddress" {
            edits.set(of, "target", value);
        } else if value.parse().ok().and_then(prefix_length).is_some() {
            edits.set(of, "netmask", value);
        } else {
            return Some(invalid(change, "no mask of a subnet"));
        }
        None
    }
}

fn mask(length: u8) -> Ipv4Addr {
    Ipv4Addr::from(u32::MAX.checked_shl(32 - u32::from(length.min(32))).unwrap_or(0))
}

fn prefix_length(mask: Ipv4Addr) -> Option<u8> {
    let bits = u32::from(mask);
    let is_mask = bits.leading_ones() == bits.count_ones();
    u8::try_from(bits.leading_ones()).ok().filter(|_| is_mask)
}

fn prefix(text: &str) -> Option<(Ipv6Addr, u8)> {
    let (address, length) = text.split_once('/')?;
    Some((address.parse().ok()?, length.parse().ok().filter(|length| *length <= 128)?))
}

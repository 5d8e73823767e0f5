//! Device.Routing: the main table of the kernel as the one router.

use std::{fmt::Write, net::IpAddr};

use cwmp_platform::source::{Access::ReadOnly, ObjectKind, ParameterSink, Wanted};

use super::{
    View,
    ip::mask,
    kernel::{Hop, Route, RouteKind},
    rows::{INSTANCE, TABLE},
};

pub(super) const ROUTING: &str = "Device.Routing.";
/// The only one, as references have it.
pub(super) const ROUTER: &str = "Device.Routing.Router.1";
/// Most rows of a forwarding table; those that came last are left out.
pub(crate) const ROUTES: usize = 2048;

// RTPROT_...
const KERNEL: u8 = 2;
const BOOT: u8 = 3;
const STATIC: u8 = 4;
const RA: u8 = 9;
const DHCP: u8 = 16;
const OSPF: u8 = 188;
const RIP: u8 = 189;

pub(super) fn read(view: &View<'_>, wanted: &Wanted<'_>, out: &mut dyn ParameterSink) {
    if !wanted.touches(ROUTING) {
        return;
    }
    out.object(ROUTING, ObjectKind::Single);
    out.object("Device.Routing.Router.", TABLE);
    out.object(&format!("{ROUTER}."), INSTANCE);
    out.parameter("Enable", &true, ReadOnly);
    out.parameter("Status", &"Enabled", ReadOnly);
    table(view, &format!("{ROUTER}.IPv4Forwarding."), IpAddr::is_ipv4, ipv4, out);
    table(view, &format!("{ROUTER}.IPv6Forwarding."), IpAddr::is_ipv6, ipv6, out);
}

/// A row for each way of each route.
fn table(
    view: &View<'_>,
    table: &str,
    of_family: fn(&IpAddr) -> bool,
    row: fn(&View<'_>, &Route, &Hop, &mut dyn ParameterSink),
    out: &mut dyn ParameterSink,
) {
    let routes = view.routes.iter().filter(|route| of_family(&route.destination));
    let ways: Vec<(&Route, &Hop)> =
        routes.flat_map(|route| route.hops.iter().map(move |hop| (route, hop))).take(ROUTES).collect();
    let keys: Vec<String> = ways.iter().map(|(route, hop)| key(view, route, hop)).collect();
    let numbers = view.numbers.assign(table, keys.iter().map(String::as_str), ROUTES);
    out.object(table, TABLE);
    let mut path = String::new();
    for ((route, hop), number) in ways.into_iter().zip(numbers) {
        let Some(number) = number else { continue };
        path.clear();
        write!(path, "{table}{number}.").ok();
        out.object(&path, INSTANCE);
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
        // No rule of a policy leads to the main table alone.
        out.parameter("ForwardingPolicy", &-1, ReadOnly);
        row(view, route, hop, out);
        let interface = hop.index.and_then(|index| view.layout.ip_interface(index));
        out.parameter("Interface", &interface.unwrap_or_default(), ReadOnly);
        let metric = route.metric.unwrap_or(0).min(i32::MAX.unsigned_abs());
        out.parameter("ForwardingMetric", &metric, ReadOnly);
    }
}

/// What tells routes apart: with the name of the device, since its index changes with each boot.
fn key(view: &View<'_>, route: &Route, hop: &Hop) -> String {
    let mut key = format!("{}/{}", route.destination, route.prefix_length);
    if let Some(gateway) = hop.gateway {
        write!(key, " {gateway}").ok();
    }
    if let Some(link) = hop.index.and_then(|index| view.links.iter().find(|link| link.index == index)) {
        write!(key, " {}", link.name).ok();
    }
    if route.kind != RouteKind::Normal {
        write!(key, " {:?}", route.kind).ok();
    }
    if let Some(metric) = route.metric {
        write!(key, " {metric}").ok();
    }
    key
}

fn ipv4(_: &View<'_>, route: &Route, hop: &Hop, out: &mut dyn ParameterSink) {
    out.parameter("StaticRoute", &matches!(route.protocol, BOOT | STATIC), ReadOnly);
    if route.prefix_length == 0 {
        // Everything is no address and no mask.
        out.parameter("DestIPAddress", &"", ReadOnly);
        out.parameter("DestSubnetMask", &"", ReadOnly);
    } else {
        out.parameter("DestIPAddress", &route.destination, ReadOnly);
        out.parameter("DestSubnetMask", &mask(route.prefix_length), ReadOnly);
    }
    // A gateway that is reached over IPv6 has no place in this table.
    let gateway = hop.gateway.filter(IpAddr::is_ipv4).map(|gateway| gateway.to_string());
    out.parameter("GatewayIPAddress", &gateway.unwrap_or_default(), ReadOnly);
    let origin = match route.protocol {
        BOOT | STATIC => Some("Static"),
        DHCP => Some("DHCPv4"),
        OSPF => Some("OSPF"),
        RIP => Some("RIP"),
        // The model has no name for the kernel's own routes, nor for other protocols.
        _ => None,
    };
    if let Some(origin) = origin {
        out.parameter("Origin", &origin, ReadOnly);
    }
}

fn ipv6(view: &View<'_>, route: &Route, hop: &Hop, out: &mut dyn ParameterSink) {
    if route.prefix_length == 0 {
        out.parameter("DestIPPrefix", &"", ReadOnly);
    } else {
        let prefix = format_args!("{}/{}", route.destination, route.prefix_length);
        out.parameter("DestIPPrefix", &prefix, ReadOnly);
    }
    let gateway = hop.gateway.map(|gateway| gateway.to_string());
    out.parameter("NextHop", &gateway.unwrap_or_default(), ReadOnly);
    let origin = match route.protocol {
        BOOT | STATIC => Some("Static"),
        DHCP => Some("DHCPv6"),
        OSPF => Some("OSPF"),
        RIP => Some("RIPng"),
        RA => Some("RA"),
        // What the kernel learns from advertisements by itself expires.
        KERNEL if route.expires.is_some() => Some("RA"),
        _ => None,
    };
    if let Some(origin) = origin {
        out.parameter("Origin", &origin, ReadOnly);
    }
    out.parameter("ExpirationTime", &view.moment.end_of_ticks(route.expires), ReadOnly);
}

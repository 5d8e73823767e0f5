//! The way to the Internet.

use std::net::IpAddr;

use cwmp_platform::Uplink;

use super::{Address, Index, Kernel, Route};

/// The device of the default route, and the way it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultWay {
    /// The device.
    pub index: Index,
    /// The router; None on a point-to-point line.
    pub gateway: Option<IpAddr>,
    /// The address of the box on it, where the route says one.
    pub source: Option<IpAddr>,
    /// IPv4 and not IPv6.
    pub is_ipv4: bool,
}

/// Of the default routes the one that the kernel prefers; IPv4 before IPv6.
#[must_use]
pub fn default_way(routes: &[Route]) -> Option<DefaultWay> {
    let ways = routes.iter().filter(|route| route.is_default()).filter_map(|route| {
        let hop = route.hops.iter().find(|hop| !hop.dead && hop.index.is_some())?;
        let (is_ipv4, metric) = (route.destination.is_ipv4(), route.metric.unwrap_or(0));
        let way = DefaultWay { index: hop.index?, gateway: hop.gateway, source: route.source, is_ipv4 };
        Some(((!is_ipv4, metric), way))
    });
    ways.min_by_key(|(preference, _)| *preference).map(|(_, way)| way)
}

/// The way to the Internet as [`cwmp_platform::Platform::uplink`] has it: the default route, and the address of the box
/// on it.
pub fn uplink(kernel: &dyn Kernel) -> Option<Uplink> {
    let way = default_way(&kernel.routes().ok()?)?;
    let device = kernel.links().ok()?.into_iter().find(|link| link.index == way.index)?.name;
    let source = way.source.or_else(|| {
        let of_way = |address: &&Address| {
            address.index == way.index
                && address.scope == 0
                && address.address.is_ipv4() == way.is_ipv4
                && !address.tentative
                && !address.deprecated
        };
        let addresses = kernel.addresses().ok()?;
        addresses.iter().find(of_way).map(|address| address.address)
    });
    Some(Uplink { device, gateway: way.gateway, source })
}

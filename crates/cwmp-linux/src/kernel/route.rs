//! Routes (RTM_NEWROUTE).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{AF_INET, AF_INET6, Attributes, Index, i32_at, ip, u8_at, u16_at, u32_at};
use crate::netlink::aligned;

const MAIN_TABLE: u32 = 254;
/// A copy that the kernel keeps for itself.
const RTM_F_CLONED: u32 = 0x200;
const RTNH_F_DEAD: u32 = 0x1;
const RTNH_F_LINKDOWN: u32 = 0x10;
/// Most ways of one route.
const HOPS: usize = 64;

/// A route of the main table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The unspecified address for a default route.
    pub destination: IpAddr,
    /// Length of the prefix, in bits.
    pub prefix_length: u8,
    /// What sort it is.
    pub kind: RouteKind,
    /// RTPROT_...: who made it.
    pub protocol: u8,
    /// The lower, the better.
    pub metric: Option<u32>,
    /// The address of the box that is used on it.
    pub source: Option<IpAddr>,
    /// Hundredths of a second until it goes; `None` for never.
    pub expires: Option<u32>,
    /// One, unless the route has several ways or leads nowhere.
    pub hops: Vec<Hop>,
}

impl Route {
    /// Whether it is the way to everywhere.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.prefix_length == 0 && self.kind == RouteKind::Normal
    }
}

/// What happens to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteKind {
    /// It is sent on its way.
    Normal,
    /// It is dropped.
    Blackhole,
    /// It is refused: unreachable.
    Unreachable,
    /// It is refused: prohibited.
    Prohibit,
}

/// A way of a route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hop {
    /// The router; None on the link itself.
    pub gateway: Option<IpAddr>,
    /// Index of its device.
    pub index: Option<Index>,
    /// Its device is down.
    pub dead: bool,
}

pub(super) fn parse(message: &[u8]) -> Option<Route> {
    let nowhere = match u8_at(message, 0)? {
        AF_INET => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        AF_INET6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        _ => return None,
    };
    let flags = u32_at(message, 8)?;
    let kind = match u8_at(message, 7)? {
        1 => RouteKind::Normal,
        6 => RouteKind::Blackhole,
        7 => RouteKind::Unreachable,
        8 => RouteKind::Prohibit,
        _ => return None,
    };
    let mut table = u32::from(u8_at(message, 4)?);
    let mut route = Route {
        destination: nowhere,
        prefix_length: u8_at(message, 1)?,
        kind,
        protocol: u8_at(message, 5)?,
        metric: None,
        source: None,
        expires: None,
        hops: Vec::new(),
    };
    let mut hop = Hop { dead: is_dead(flags), ..Hop::default() };
    for (attribute, value) in Attributes::after(message, 12) {
        match attribute {
            1 => route.destination = ip(value)?,
            4 => hop.index = u32_at(value, 0),
            5 => hop.gateway = ip(value),
            6 => route.metric = u32_at(value, 0),
            7 => route.source = ip(value),
            9 => route.hops = hops(value),
            12 => {
                route.expires =
                    i32_at(value, 8).and_then(|left| u32::try_from(left).ok()).filter(|left| *left > 0)
            }
            15 => table = u32_at(value, 0)?,
            18 => hop.gateway = value.get(2..).and_then(ip),
            _ => {}
        }
    }
    if route.hops.is_empty() {
        route.hops.push(hop);
    }
    (table == MAIN_TABLE && flags & RTM_F_CLONED == 0).then_some(route)
}

fn is_dead(flags: u32) -> bool {
    flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN) != 0
}

/// RTA_MULTIPATH: a list of rtnexthop, each with attributes.
fn hops(mut list: &[u8]) -> Vec<Hop> {
    let mut hops = Vec::new();
    while let Some(length) = u16_at(list, 0).map(usize::from).filter(|_| hops.len() < HOPS) {
        let (Some(entry), Some(flags), Some(index)) = (list.get(..length), u8_at(list, 2), i32_at(list, 4))
        else {
            break;
        };
        let mut hop =
            Hop { gateway: None, index: u32::try_from(index).ok(), dead: is_dead(u32::from(flags)) };
        for (attribute, value) in Attributes::after(entry, 8) {
            match attribute {
                5 => hop.gateway = ip(value),
                18 => hop.gateway = value.get(2..).and_then(ip),
                _ => {}
            }
        }
        hops.push(hop);
        // A length of nothing would never end.
        list = list.get(aligned(length.max(8))..).unwrap_or_default();
    }
    hops
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::attribute;

    fn message(table: u8, attributes: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = vec![AF_INET, 24, 0, 0, table, 4, 0, 1, 0, 0, 0, 0];
        bytes.extend(attributes.concat());
        bytes
    }

    fn hop(length: u16, index: i32, gateway: [u8; 4]) -> Vec<u8> {
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend([0, 0]);
        bytes.extend(index.to_ne_bytes());
        bytes.extend(attribute(5, &gateway));
        bytes
    }

    #[test]
    fn a_route_may_have_several_ways() {
        let list = [hop(16, 2, [10, 0, 0, 1]), hop(16, 3, [10, 0, 1, 1])].concat();
        let bytes = message(254, &[attribute(1, &[10, 9, 8, 0]), attribute(9, &list)]);
        let route = parse(&bytes).unwrap();
        assert_eq!(route.destination.to_string(), "10.9.8.0");
        let ways: Vec<_> =
            route.hops.iter().map(|hop| (hop.index, hop.gateway.unwrap().to_string())).collect();
        assert_eq!(ways, [(Some(2), "10.0.0.1".to_owned()), (Some(3), "10.0.1.1".to_owned())]);
        for end in 0..bytes.len() {
            parse(&bytes[..end]);
        }
    }

    #[test]
    fn odd_lengths_of_ways_come_to_an_end() {
        for length in [0, 1, 7, 8, 15, 17, 4000] {
            let list = hop(length, 2, [10, 0, 0, 1]).repeat(200);
            assert!(hops(&list).len() <= HOPS, "{length}");
        }
    }

    #[test]
    fn only_the_main_table_counts() {
        assert_eq!(parse(&message(255, &[])), None);
        assert!(parse(&message(0, &[attribute(15, &254_u32.to_ne_bytes())])).is_some());
        assert_eq!(parse(&message(254, &[attribute(15, &1000_u32.to_ne_bytes())])), None);
    }
}

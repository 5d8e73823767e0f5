//! Hosts that the box has talked to, and those that a bridge has seen (RTM_NEWNEIGH).

use std::net::IpAddr;

use super::{AF_BRIDGE, Attributes, Index, i32_at, ip, mac, u8_at, u16_at, u32_at};

const REACHABLE: u16 = 0x02;
const DELAY: u16 = 0x08;
const PROBE: u16 = 0x10;
/// Addresses that need no resolution: multicast, loopback.
const NO_ARP: u16 = 0x40;
const PERMANENT: u16 = 0x80;

/// A host and the address that it answers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Index of its device.
    pub index: Index,
    /// The address.
    pub address: IpAddr,
    /// Hardware address.
    pub mac: String,
    /// It has answered just now, or somebody has entered it by hand.
    pub reachable: bool,
    /// Hundredths of a second since it was last known to be there.
    pub confirmed: u32,
}

/// A host behind a port of a bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Station {
    /// The port.
    pub index: Index,
    /// Hardware address.
    pub mac: String,
}

/// `None` for an address without a host.
pub(super) fn parse(message: &[u8]) -> Option<Neighbour> {
    let state = u16_at(message, 8)?;
    let (mut address, mut at, mut confirmed) = (None, None, 0);
    for (kind, value) in Attributes::after(message, 12) {
        match kind {
            1 => address = ip(value),
            2 => at = mac(value),
            3 => confirmed = u32_at(value, 0)?,
            _ => {}
        }
    }
    let neighbour = Neighbour {
        index: index(message)?,
        address: address?,
        mac: at?,
        reachable: state & (REACHABLE | DELAY | PROBE | PERMANENT) != 0,
        confirmed,
    };
    (state & NO_ARP == 0).then_some(neighbour)
}

/// `None` for the bridge's own addresses.
pub(super) fn parse_station(message: &[u8]) -> Option<Station> {
    if u8_at(message, 0)? != AF_BRIDGE || u16_at(message, 8)? & PERMANENT != 0 {
        return None;
    }
    let at = Attributes::after(message, 12).find(|(kind, _)| *kind == 2)?;
    Some(Station { index: index(message)?, mac: mac(at.1)? })
}

fn index(message: &[u8]) -> Option<Index> {
    u32::try_from(i32_at(message, 4)?).ok()
}

//! What the kernel knows about the network, as far as the tree shows it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::netlink::{Attributes, dump, i32_at, text, u8_at, u16_at, u32_at, u64_at};

mod address;
mod files;
mod link;
mod neighbour;
mod route;
mod uplink;
mod wifi;

pub use address::{Address, AddressOrigin};
pub use files::KernelFiles;
pub use link::{BridgeFacts, Link, LinkKind, OperState, PortFacts, Stats};
pub use neighbour::{Neighbour, Station};
pub use route::{Hop, Route, RouteKind};
pub use uplink::{DefaultWay, default_way, uplink};
pub use wifi::{
    Band, BandName, CLIENTS, Channel, Client, Interface, Radio, Rate, Role, Standard, Width, Wifi,
};

/// The index of a network device; it changes with each boot.
pub type Index = u32;

const AF_INET: u8 = 2;
const AF_BRIDGE: u8 = 7;
const AF_INET6: u8 = 10;

/// Answers with complete lists. There is one kernel; tests have their own.
pub trait Kernel {
    /// Network devices, in the order in which they came.
    fn links(&self) -> Result<Vec<Link>, String>;
    /// IPv4 and IPv6 addresses of the box.
    fn addresses(&self) -> Result<Vec<Address>, String>;
    /// Routes of the main table.
    fn routes(&self) -> Result<Vec<Route>, String>;
    /// Hosts that the box has talked to.
    fn neighbours(&self) -> Result<Vec<Neighbour>, String>;
    /// Behind which port of a bridge a host is.
    fn stations(&self) -> Result<Vec<Station>, String>;
    /// Radios and wireless interfaces, in `detail` with clients, noise and country.
    fn wifi(&self, detail: bool) -> Result<Wifi, String>;
}

/// The kernel that this program runs on, in the network namespace that it was started in.
pub struct Netlink;

impl Kernel for Netlink {
    fn links(&self) -> Result<Vec<Link>, String> {
        dump("network devices", 18, &[0; 16], link::parse)
    }

    fn addresses(&self) -> Result<Vec<Address>, String> {
        dump("addresses", 22, &[0; 8], address::parse)
    }

    fn routes(&self) -> Result<Vec<Route>, String> {
        dump("routes", 26, &[0; 12], route::parse)
    }

    fn neighbours(&self) -> Result<Vec<Neighbour>, String> {
        dump("neighbours", 30, &[0; 12], neighbour::parse)
    }

    fn stations(&self) -> Result<Vec<Station>, String> {
        let mut fixed = [0; 12];
        if let Some(family) = fixed.first_mut() {
            *family = AF_BRIDGE;
        }
        dump("bridges' hosts", 30, &fixed, neighbour::parse_station)
    }

    fn wifi(&self, detail: bool) -> Result<Wifi, String> {
        wifi::ask(detail)
    }
}

/// An address in network order.
fn ip(value: &[u8]) -> Option<IpAddr> {
    match value.len() {
        4 => value.first_chunk().map(|bytes: &[u8; 4]| IpAddr::V4(Ipv4Addr::from(*bytes))),
        16 => value.first_chunk().map(|bytes: &[u8; 16]| IpAddr::V6(Ipv6Addr::from(*bytes))),
        _ => None,
    }
}

/// `02:00:5e:10:00:01`; only addresses of Ethernet's length are wanted.
fn mac(value: &[u8]) -> Option<String> {
    let bytes: &[u8; 6] = value.first_chunk().filter(|_| value.len() == 6)?;
    Some(bytes.map(|byte| format!("{byte:02x}")).join(":"))
}

//! ICMP echo, of both families: what a run needs of the network, and the kernel's sockets that give it.

mod packet;
mod socket;

use std::{io, net::IpAddr, net::SocketAddr};

use async_trait::async_trait;

pub(crate) use socket::Icmp;

/// The two families.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IpVersion {
    V4,
    V6,
}

impl IpVersion {
    pub(crate) const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// As ProtocolVersion has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }

    pub(crate) fn of(address: &SocketAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    pub(crate) fn is_of(self, address: &SocketAddr) -> bool {
        Self::of(address) == self
    }
}

/// How echo requests are sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct EchoOptions {
    /// Network device that they leave by, whatever the routes of others say; `None` for the way that the routes lead.
    pub(crate) device: Option<String>,
    /// Bytes behind the ICMP header.
    pub(crate) data_block_size: u16,
    /// DSCP, 0 to 63.
    pub(crate) dscp: u8,
}

/// Why nothing can be sent to an address.
#[derive(Debug)]
pub(crate) enum OpenError {
    /// The box has no route to it.
    NoRoute(io::Error),
    /// The system refuses both kinds of socket, or the device.
    NotPermitted(io::Error),
    /// All else.
    Other(io::Error),
}

impl std::fmt::Display for OpenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoRoute(error) => write!(f, "no route ({error})"),
            Self::NotPermitted(error) => write!(
                f,
                "not permitted ({error}): run as root, or open net.ipv4.ping_group_range to the group of the program"
            ),
            Self::Other(error) => error.fmt(f),
        }
    }
}

/// The network, as echo requests see it.
#[async_trait(?Send)]
pub(crate) trait Network {
    /// The addresses of a host, given by name or address, the preferred one first. The ports mean nothing.
    async fn resolve(&self, host: &str) -> io::Result<Vec<SocketAddr>>;

    /// Whether requests of this family can be sent at all.
    fn supports(&self, version: IpVersion) -> bool;

    /// A socket for requests to one address.
    fn open(&self, to: SocketAddr, options: &EchoOptions) -> Result<Box<dyn EchoSocket>, OpenError>;
}

/// Sends requests to one address. Dropping it ends that.
#[async_trait(?Send)]
pub(crate) trait EchoSocket {
    /// The address that requests are sent from.
    fn local(&self) -> IpAddr;

    /// Sends a request.
    async fn send(&mut self, sequence: u16) -> io::Result<()>;

    /// Waits for the next reply to a request of this socket: its sequence number. What else arrives is dropped.
    async fn receive(&mut self) -> io::Result<u16>;
}

/// Whether an error of the system means that there is no way to the address.
pub(crate) fn is_no_route(error: &io::Error) -> bool {
    use io::ErrorKind::{AddrNotAvailable, HostUnreachable, NetworkUnreachable};
    matches!(error.kind(), AddrNotAvailable | HostUnreachable | NetworkUnreachable)
}

//! The kernel's sockets for ICMP echo: ping sockets, which need no privilege where `net.ipv4.ping_group_range` allows the
//! program's group, else raw sockets, which need CAP_NET_RAW.
//!
//! They are held as UDP sockets: the calls are the same (`sendto`, `recvfrom`), and the runtime knows how to wait for them.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use async_trait::async_trait;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::{UdpSocket, lookup_host};

use super::{EchoOptions, EchoSocket, IpVersion, Network, OpenError, is_no_route, packet};
use crate::limits;

/// Port of the discard service: any but 0 would do to look up a route.
const DISCARD: u16 = 9;

/// The box's own network.
pub(crate) struct Icmp;

#[async_trait(?Send)]
impl Network for Icmp {
    async fn resolve(&self, host: &str) -> io::Result<Vec<SocketAddr>> {
        let canonical = |address: SocketAddr| match address.ip().to_canonical() {
            IpAddr::V4(ip) => SocketAddr::new(ip.into(), 0),
            IpAddr::V6(_) => address,
        };
        Ok(lookup_host((host, 0)).await?.map(canonical).collect())
    }

    fn supports(&self, version: IpVersion) -> bool {
        socket(version).is_ok()
    }

    fn open(&self, to: SocketAddr, options: &EchoOptions) -> Result<Box<dyn EchoSocket>, OpenError> {
        Ok(Box::new(IcmpSocket::open(to, options)?))
    }
}

/// How a socket treats packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Handling {
    /// A ping socket: the kernel sets the identifier, and delivers replies to it alone.
    Ping,
    /// A raw socket: what is sent is sent as it is, and all of ICMP is delivered.
    Raw,
}

/// A socket towards one address.
struct IcmpSocket {
    socket: UdpSocket,
    handling: Handling,
    version: IpVersion,
    local: IpAddr,
    to: SocketAddr,
    identifier: u16,
    request: packet::Request,
}

impl IcmpSocket {
    fn open(to: SocketAddr, options: &EchoOptions) -> Result<Self, OpenError> {
        let version = IpVersion::of(&to);
        let (local, to) = route(to, options)?;
        let (socket, handling) = socket(version).map_err(OpenError::NotPermitted)?;
        prepare(&socket, version, options)?;
        socket.bind(&SockAddr::from(local)).map_err(OpenError::Other)?;
        socket.set_nonblocking(true).map_err(OpenError::Other)?;
        let socket = UdpSocket::from_std(socket.into()).map_err(OpenError::Other)?;
        let mut identifier = [0; 2];
        getrandom::fill(&mut identifier)
            .map_err(|error| OpenError::Other(io::Error::other(format!("no random numbers: {error}"))))?;
        let identifier = u16::from_ne_bytes(identifier);
        let request = packet::Request::new(version, identifier, options.data_block_size);
        Ok(Self { socket, handling, version, local: local.ip(), to, identifier, request })
    }

    /// The sequence number of a packet that is a reply to a request of this socket.
    fn sequence(&self, from: SocketAddr, received: &[u8]) -> Option<u16> {
        let raw_v4 = self.handling == Handling::Raw && self.version == IpVersion::V4;
        let icmp = if raw_v4 { packet::without_ipv4_header(received) } else { received };
        let (identifier, sequence) = packet::reply(self.version, icmp)?;
        let ours = self.handling == Handling::Ping || identifier == self.identifier;
        (ours && from.ip() == self.to.ip()).then_some(sequence)
    }
}

#[async_trait(?Send)]
impl EchoSocket for IcmpSocket {
    fn local(&self) -> IpAddr {
        self.local
    }

    async fn send(&mut self, sequence: u16) -> io::Result<()> {
        self.socket.send_to(self.request.with(sequence), self.to).await.map(drop)
    }

    async fn receive(&mut self) -> io::Result<u16> {
        let mut buffer = [0; limits::RECEIVED_BYTES];
        loop {
            let (length, from) = self.socket.recv_from(&mut buffer).await?;
            let received = buffer.get(..length).unwrap_or(&buffer);
            if let Some(sequence) = self.sequence(from, received) {
                return Ok(sequence);
            }
        }
    }
}

/// A ping socket, or a raw one where there is none to be had.
fn socket(version: IpVersion) -> io::Result<(Socket, Handling)> {
    let (domain, protocol) = match version {
        IpVersion::V4 => (Domain::IPV4, Protocol::ICMPV4),
        IpVersion::V6 => (Domain::IPV6, Protocol::ICMPV6),
    };
    match Socket::new(domain, Type::DGRAM, Some(protocol)) {
        Ok(socket) => Ok((socket, Handling::Ping)),
        Err(_) => Ok((Socket::new(domain, Type::RAW, Some(protocol))?, Handling::Raw)),
    }
}

/// Where requests are sent from, and to: the unspecified address, for one, means the box itself. Connecting a UDP socket
/// only looks up the route; nothing is sent.
fn route(to: SocketAddr, options: &EchoOptions) -> Result<(SocketAddr, SocketAddr), OpenError> {
    let version = IpVersion::of(&to);
    let domain = Domain::for_address(to);
    let probe = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP)).map_err(OpenError::NoRoute)?;
    prepare(&probe, version, options)?;
    let mut peer = to;
    peer.set_port(DISCARD);
    probe.connect(&SockAddr::from(peer)).map_err(|error| {
        if is_no_route(&error) { OpenError::NoRoute(error) } else { OpenError::Other(error) }
    })?;
    let end = |address: io::Result<SockAddr>| {
        let mut end = address.map_err(OpenError::Other)?.as_socket();
        end.iter_mut().for_each(|address| address.set_port(0));
        end.ok_or_else(|| OpenError::Other(io::Error::other("the route has no addresses")))
    };
    Ok((end(probe.local_addr())?, end(probe.peer_addr())?))
}

/// Sets device and DSCP, which routes may depend on as well.
fn prepare(socket: &Socket, version: IpVersion, options: &EchoOptions) -> Result<(), OpenError> {
    if let Some(device) = &options.device {
        let bound = socket.bind_device(Some(device.as_bytes()));
        bound.map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => OpenError::NotPermitted(error),
            _ => OpenError::Other(io::Error::other(format!("device {device}: {error}"))),
        })?;
    }
    // DSCP is the upper six bits of the field; the others are for ECN.
    let field = u32::from(options.dscp) << 2;
    match version {
        IpVersion::V4 => socket.set_tos_v4(field),
        IpVersion::V6 => socket.set_tclass_v6(field),
    }
    .map_err(OpenError::Other)
}

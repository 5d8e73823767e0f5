//! Which address of the box leads to the ACS.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use cwmp_core::url::HttpUrl;
use tokio::net::{UdpSocket, lookup_host};

use crate::limits;

/// The address that the kernel would send from to reach the URL's host: what ConnectionRequestURL names while no session
/// has a connection. Nothing is sent. `None` when there is no route or the name cannot be resolved.
pub async fn local_address_towards(url: &HttpUrl) -> Option<IpAddr> {
    let peers: Vec<SocketAddr> = match url.host.parse::<IpAddr>() {
        Ok(address) => vec![SocketAddr::new(address, url.port)],
        Err(_) => lookup_host((url.host.as_str(), url.port)).await.ok()?.take(limits::ADDRESSES).collect(),
    };
    for peer in peers {
        if let Some(local) = source_towards(peer).await {
            return Some(local);
        }
    }
    None
}

/// The address that the kernel would send from to reach this one.
pub(crate) async fn source_towards(peer: SocketAddr) -> Option<IpAddr> {
    let any = if peer.is_ipv4() { IpAddr::from([0, 0, 0, 0]) } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await.ok()?;
    // Connecting a UDP socket only looks up the route.
    socket.connect(peer).await.ok()?;
    let local = socket.local_addr().ok()?.ip();
    (!local.is_unspecified()).then_some(local)
}

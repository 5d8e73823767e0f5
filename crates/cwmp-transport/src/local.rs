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
        let any = if peer.is_ipv4() { IpAddr::from([0, 0, 0, 0]) } else { Ipv6Addr::UNSPECIFIED.into() };
        let Ok(socket) = UdpSocket::bind(SocketAddr::new(any, 0)).await else { continue };
        // Connecting a UDP socket only looks up the route.
        if socket.connect(peer).await.is_err() {
            continue;
        }
        match socket.local_addr() {
            Ok(local) if !local.ip().is_unspecified() => return Some(local.ip()),
            _ => {}
        }
    }
    None
}

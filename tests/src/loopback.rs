//! Ports for servers that cannot choose one themselves.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// Addresses on loopback with ports that nobody uses, yet: between this and its use another program may take one.
///
/// # Panics
/// When the machine has no free port.
#[must_use]
pub fn free_addresses<const N: usize>() -> [SocketAddr; N] {
    // All are bound before the first is let go, so that they differ.
    let listeners = [(); N].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    listeners.map(|listener| listener.local_addr().unwrap())
}

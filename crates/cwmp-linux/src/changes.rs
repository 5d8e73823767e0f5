//! Hears of changes from the kernel, through netlink's multicast groups.

use std::{io, os::fd::AsRawFd};

use async_trait::async_trait;
use cwmp_platform::Changes;
use nix::{
    errno::Errno,
    sys::socket::{MsgFlags, SockFlag, SockProtocol, recv},
};
use tokio::{io::Interest, net::UnixDatagram};

use super::netlink;

// RTMGRP_...: devices, addresses and routes. Neighbours come and go all the time and are not listened to.
const LINK: u32 = 0x1;
const IPV4_ADDRESS: u32 = 0x10;
const IPV4_ROUTE: u32 = 0x40;
const IPV6_ADDRESS: u32 = 0x100;
const IPV6_ROUTE: u32 = 0x400;

/// Hears that devices, addresses or routes have changed; which ones, the next look at the tree shows.
pub struct NetworkChanges {
    /// tokio waits for sockets that it knows the type of; of this one it only says when there is something to read.
    socket: UnixDatagram,
}

impl NetworkChanges {
    /// Listens from now on.
    pub fn new() -> io::Result<Self> {
        let groups = LINK | IPV4_ADDRESS | IPV4_ROUTE | IPV6_ADDRESS | IPV6_ROUTE;
        let socket = netlink::open(SockProtocol::NetlinkRoute, SockFlag::SOCK_NONBLOCK, groups)?;
        Ok(Self { socket: UnixDatagram::from_std(socket.into())? })
    }
}

#[async_trait(?Send)]
impl Changes for NetworkChanges {
    async fn changed(&mut self) {
        loop {
            if self.socket.readable().await.is_err() {
                // The runtime is ending.
                return std::future::pending().await;
            }
            match self.socket.try_io(Interest::READABLE, || drain(&self.socket)) {
                Ok(()) => return,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => {
                    tracing::error!("changes of the network are no longer noticed at once: {error}");
                    return std::future::pending().await;
                }
            }
        }
    }
}

/// Most messages taken in one go; the socket stays ready for the rest.
const AT_ONCE: usize = 256;

/// Takes what has come. Only that something has come counts, so the messages are not kept.
fn drain(socket: &UnixDatagram) -> io::Result<()> {
    let mut some = false;
    for _ in 0..AT_ONCE {
        match recv(socket.as_raw_fd(), &mut [0; 16], MsgFlags::MSG_DONTWAIT) {
            // More came than the kernel keeps: then something has changed all the more.
            Ok(_) | Err(Errno::ENOBUFS) => some = true,
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) if some => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

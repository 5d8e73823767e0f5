//! Sends messages over UDP that nobody answers.

use std::{
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use cwmp_core::io::Datagram;
use tokio::{
    net::{UdpSocket, lookup_host},
    time::timeout,
};

/// Longest wait for the name server and for room in the socket.
const WAIT: Duration = Duration::from_secs(30);

/// Sends it to the first address that it can be sent to. A failure is logged: the message is worth no repetition.
pub(crate) async fn send(datagram: Datagram) {
    let outcome = timeout(WAIT, try_to_send(&datagram)).await;
    let reason = match outcome {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("not sent within {} s", WAIT.as_secs()),
    };
    tracing::warn!("no lightweight notification to {} port {}: {reason}", datagram.host, datagram.port);
}

async fn try_to_send(datagram: &Datagram) -> io::Result<()> {
    let mut failure = io::Error::other("the name has no address");
    for to in lookup_host((datagram.host.as_str(), datagram.port)).await? {
        match send_to(to, &datagram.bytes).await {
            Ok(()) => return Ok(()),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

async fn send_to(to: SocketAddr, bytes: &[u8]) -> io::Result<()> {
    let any = if to.is_ipv4() { IpAddr::from([0, 0, 0, 0]) } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await?;
    let sent = socket.send_to(bytes, to).await?;
    if sent == bytes.len() { Ok(()) } else { Err(io::Error::other("only a part was sent")) }
}

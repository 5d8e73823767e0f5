//! Sends messages over UDP that nobody answers.

use std::{io, net::SocketAddr, time::Duration};

use cwmp_core::io::Datagram;
use cwmp_transport::ManagementPath;
use tokio::time::timeout;

/// Longest wait for the name server and for room in the socket.
const WAIT: Duration = Duration::from_secs(30);

/// Sends it to the first address that it can be sent to. A failure is logged: the message is worth no repetition.
pub(crate) async fn send(path: ManagementPath, datagram: Datagram) {
    let outcome = timeout(WAIT, try_to_send(&path, &datagram)).await;
    let reason = match outcome {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("not sent within {} s", WAIT.as_secs()),
    };
    tracing::warn!("no lightweight notification to {} port {}: {reason}", datagram.host, datagram.port);
}

async fn try_to_send(path: &ManagementPath, datagram: &Datagram) -> io::Result<()> {
    let mut failure = io::Error::other("the name has no address");
    for to in path.resolve(&datagram.host, datagram.port, WAIT).await.map_err(io::Error::other)? {
        match send_to(path, to, &datagram.bytes).await {
            Ok(()) => return Ok(()),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

async fn send_to(path: &ManagementPath, to: SocketAddr, bytes: &[u8]) -> io::Result<()> {
    let socket = path.udp(ManagementPath::any(to)).await?;
    let sent = socket.send_to(bytes, to).await?;
    if sent == bytes.len() { Ok(()) } else { Err(io::Error::other("only a part was sent")) }
}

//! From a URL to an open connection: name resolution, TCP to one of the addresses, TLS where the URL says https.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use cwmp_core::{
    io::NetError,
    url::{HttpUrl, Scheme},
};
use tokio::{
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use crate::{
    limits, random,
    stream::Stream,
    tls::{Failure, Tls},
};

/// Opens connections.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    /// Longest wait for a connection, over all addresses of the host; the handshake of TLS may take as long again.
    pub(crate) connect_timeout: Duration,
    pub(crate) tls: Tls,
}

impl Connector {
    /// Connects to one of the addresses of the URL's host: a random one first, then the others in turn. For https the
    /// server is authenticated before this returns.
    pub(crate) async fn connect(&self, url: &HttpUrl) -> Result<Stream, NetError> {
        let failed = |reason: String| NetError::Connect(format!("{} ({reason})", place(url)));
        if url.scheme == Scheme::Http {
            return Ok(Stream::Clear(self.tcp(url).await?));
        }
        let mut attempt = self.tls.begin().map_err(failed)?;
        for _ in 0..limits::DATE_ATTEMPTS {
            let tcp = self.tcp(url).await?;
            let handshake = timeout(self.connect_timeout, self.tls.secure(tcp, &url.host, attempt)).await;
            match handshake {
                Ok(Ok(stream)) => return Ok(Stream::Secure(stream)),
                Ok(Err(Failure::Later(next))) => attempt = next,
                Ok(Err(Failure::Refused(reason))) => return Err(failed(format!("TLS: {reason}"))),
                Err(_) => return Err(failed("TLS: the server does not answer".to_owned())),
            }
        }
        Err(failed("TLS: there is no date on which all certificates of the chain are valid".to_owned()))
    }

    async fn tcp(&self, url: &HttpUrl) -> Result<TcpStream, NetError> {
        let addresses = resolve(url, self.connect_timeout).await?;
        connect(addresses, self.connect_timeout)
            .await
            .map_err(|reason| NetError::Connect(format!("{} ({reason})", place(url))))
    }
}

/// Host and port, for messages.
pub(crate) fn place(url: &HttpUrl) -> String {
    let brackets = if url.host.contains(':') { ("[", "]") } else { ("", "") };
    format!("{}{}{}:{}", brackets.0, url.host, brackets.1, url.port)
}

async fn resolve(url: &HttpUrl, wait: Duration) -> Result<Vec<SocketAddr>, NetError> {
    if let Ok(address) = url.host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, url.port)]);
    }
    let failed = |reason: &str| NetError::Resolve(format!("{} ({reason})", place(url)));
    let found = match timeout(wait, tokio::net::lookup_host((url.host.as_str(), url.port))).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => return Err(failed(&error.to_string())),
        Err(_) => return Err(failed("the name server does not answer")),
    };
    let mut addresses: Vec<_> = found.take(limits::ADDRESSES).collect();
    if addresses.is_empty() {
        return Err(failed("the name has no address"));
    }
    // Without a random source any order will do.
    let [random] = random::bytes::<1>().unwrap_or_default();
    let start = usize::from(random) % addresses.len();
    addresses.rotate_left(start);
    Ok(addresses)
}

/// A connection to the first of the addresses that takes one, or why the last has not. The time is shared out, so that a
/// dead address does not use up that of the others.
async fn connect(addresses: Vec<SocketAddr>, wait: Duration) -> Result<TcpStream, String> {
    let share = wait / u32::try_from(addresses.len()).unwrap_or(1).max(1);
    let mut reason = String::from("the name has no address");
    for address in addresses {
        let attempt = async {
            let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            socket.set_send_buffer_size(limits::SEND_BUFFER_BYTES)?;
            // A request is written in one go; waiting for more would only delay it.
            socket.set_nodelay(true)?;
            socket.connect(address).await
        };
        match timeout(share, attempt).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => reason = format!("{}: {error}", address.ip()),
            Err(_) => reason = format!("{}: no answer within {} s", address.ip(), share.as_secs()),
        }
    }
    Err(reason)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_dead_address_does_not_block_the_others() {
        let alive = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let alive = (alive.local_addr().unwrap(), alive);
        let dead = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let wait = Duration::from_secs(30);
        let stream = connect(vec![dead, "[::1]:1".parse().unwrap(), alive.0], wait).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), alive.0);
        assert!(stream.nodelay().unwrap());
        let reason = connect(vec![dead], wait).await.unwrap_err();
        assert!(reason.starts_with("127.0.0.1: "), "{reason}");
    }

    #[test]
    fn places_name_host_and_port() {
        let place = |url| place(&HttpUrl::parse(url).unwrap());
        assert_eq!(place("http://acs.example/x"), "acs.example:80");
        assert_eq!(place("http://[2001:db8::1]:7547/"), "[2001:db8::1]:7547");
    }
}

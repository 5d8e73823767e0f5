//! From a URL to an open connection: the management path to its host, and TLS where the URL says https.

use std::time::Duration;

use cwmp_core::{
    io::NetError,
    url::{HttpUrl, Scheme},
};
use tokio::time::timeout;

use crate::{
    limits,
    path::ManagementPath,
    stream::Stream,
    tls::{Failure, Tls},
};

/// Opens connections.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    /// Longest wait for a connection, over all addresses of the host; the handshake of TLS may take as long again.
    pub(crate) connect_timeout: Duration,
    pub(crate) tls: Tls,
    pub(crate) path: ManagementPath,
}

impl Connector {
    /// Connects to the URL's host. For https the server is authenticated before this returns.
    pub(crate) async fn connect(&self, url: &HttpUrl) -> Result<Stream, NetError> {
        let failed = |reason: String| NetError::Connect(format!("{} ({reason})", place(url)));
        if url.scheme == Scheme::Http {
            return Ok(Stream::Clear(self.path.connect(url, self.connect_timeout).await?));
        }
        let mut attempt = self.tls.begin().map_err(failed)?;
        for _ in 0..limits::DATE_ATTEMPTS {
            let tcp = self.path.connect(url, self.connect_timeout).await?;
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
}

/// Host and port, for messages.
pub(crate) fn place(url: &HttpUrl) -> String {
    place_of(&url.host, url.port)
}

/// The same of a host, an IPv6 literal without brackets, and a port.
pub(crate) fn place_of(host: &str, port: u16) -> String {
    let brackets = if host.contains(':') { ("[", "]") } else { ("", "") };
    format!("{}{host}{}:{port}", brackets.0, brackets.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_name_host_and_port() {
        let place = |url| place(&HttpUrl::parse(url).unwrap());
        assert_eq!(place("http://acs.example/x"), "acs.example:80");
        assert_eq!(place("http://[2001:db8::1]:7547/"), "[2001:db8::1]:7547");
    }
}

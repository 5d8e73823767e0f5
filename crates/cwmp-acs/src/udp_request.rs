//! Connection requests over UDP: one signed datagram to where the CPE says that it can be reached, be it through a NAT
//! (TR-069a6 Annex G).

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::{SystemTime, UNIX_EPOCH},
};

use sha1::{Digest, Sha1};
use socket2::{Domain, Socket, Type};
use tokio::net::{UdpSocket, lookup_host};

use crate::{limits, options::Login};

/// Why no connection request was sent.
#[derive(Debug, thiserror::Error)]
pub enum UdpRequestError {
    /// The CPE is not known, or has told no UDPConnectionRequestAddress yet.
    #[error(
        "no UDPConnectionRequestAddress is known of this CPE; `get Device.ManagementServer.` asks for it"
    )]
    NoAddress,
    /// There is nothing to sign with.
    #[error("no credentials are set for connection requests")]
    NoCredentials,
    /// The address is malformed, or cannot be sent to.
    #[error("nothing can be sent to {0}: {1}")]
    Send(String, io::Error),
}

/// What is different in each request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UdpRequest {
    /// Seconds since 1970.
    pub ts: u64,
    /// Tells it from others; copies have the same. Letters and digits alone: it stands in the URL as it is.
    pub id: String,
    /// Makes the signature unpredictable.
    pub cn: String,
}

impl UdpRequest {
    /// A request of this moment.
    #[must_use]
    pub fn now() -> Self {
        let ts = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs());
        let mut random = [0; 12];
        // Without a random source the request is as good; only the clock makes it differ then.
        let _ = getrandom::fill(&mut random);
        let (id, cn) = random.split_at(4);
        let id = u32::from_be_bytes(id.try_into().unwrap_or_default()).to_string();
        Self { ts, id, cn: hex(cn) }
    }

    /// The datagram, to be sent to an address as in UDPConnectionRequestAddress.
    #[must_use]
    pub fn message(&self, address: &str, login: &Login) -> Vec<u8> {
        let Self { ts, id, cn } = self;
        let Login { username, password } = login;
        let sig = hex(&hmac_sha1(password.as_bytes(), format!("{ts}{id}{username}{cn}").as_bytes()));
        let un = escaped(username);
        format!(
            "GET http://{address}?ts={ts}&id={id}&un={un}&cn={cn}&sig={sig} HTTP/1.1\r\nHost: {address}\r\n\r\n"
        )
        .into_bytes()
    }
}

/// Sends [`limits::UDP_REQUEST_COPIES`] of a datagram. The address `from`, where one is wanted, may be that of another socket:
/// a NAT may let in nothing but what comes from where the STUN server is.
///
/// # Errors
/// [`UdpRequestError::Send`].
pub async fn send(address: &str, message: &[u8], from: Option<SocketAddr>) -> Result<(), UdpRequestError> {
    let outcome = try_to_send(address, message, from).await;
    outcome.map_err(|error| UdpRequestError::Send(address.to_owned(), error))
}

async fn try_to_send(address: &str, message: &[u8], from: Option<SocketAddr>) -> io::Result<()> {
    let has_port = address.parse::<SocketAddr>().is_ok()
        || address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let target = if has_port { address.to_owned() } else { format!("{address}:80") };
    let mut found = lookup_host(target).await?;
    let to = found.next().ok_or_else(|| io::Error::other("the name has no address"))?;
    let any: SocketAddr =
        if to.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let from = from.unwrap_or(any);
    let socket = Socket::new(Domain::for_address(from), Type::DGRAM, None)?;
    if from.port() != 0 {
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
    }
    socket.bind(&from.into())?;
    // From now on it gets nothing but what the CPE sends; the rest goes to the socket whose address it shares.
    socket.connect(&to.into())?;
    socket.set_nonblocking(true)?;
    let socket = UdpSocket::from_std(socket.into())?;
    for _ in 0..limits::UDP_REQUEST_COPIES {
        socket.send(message).await?;
    }
    Ok(())
}

/// HMAC (RFC 2104) with SHA-1: by its definition, so that it is not the code that it is checked with.
fn hmac_sha1(key: &[u8], text: &[u8]) -> [u8; 20] {
    let mut block = [0; 64];
    let digest;
    let key = if key.len() > block.len() {
        digest = Sha1::digest(key);
        digest.as_slice()
    } else {
        key
    };
    block.iter_mut().zip(key).for_each(|(place, byte)| *place = *byte);
    let inner = Sha1::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(text).finalize();
    Sha1::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A value in the query of a URL.
fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_samples_of_rfc_2202_hold() {
        let long = [0xaa; 80];
        let long_text = b"Test Using Larger Than Block-Size Key - Hash Key First";
        let samples: [(&[u8], &[u8], &str); 3] = [
            (&[0x0b; 20], b"Hi There", "b617318655057264e28bc0b6fb378c8ef146be00"),
            (b"Jefe", b"what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (&long, long_text, "aa4ae5e15272d00e95705637ce8a3b55ed402112"),
        ];
        for (key, text, expected) in samples {
            assert_eq!(hex(&hmac_sha1(key, text)), expected);
        }
    }

    #[test]
    fn a_request_is_one_get_with_a_signed_query() {
        let request = UdpRequest { ts: 1_120_673_700, id: "1234".into(), cn: "XTGRWIPC6D3IPXS3".into() };
        // The signature was made with `openssl dgst -sha1 -hmac`.
        let expected = "GET http://10.1.1.1:8080?ts=1120673700&id=1234&un=CPE57689&cn=XTGRWIPC6D3IPXS3\
                        &sig=fda44088e52a347ce49d6312521d5621eeb40037 HTTP/1.1\r\nHost: 10.1.1.1:8080\r\n\r\n";
        let message = request.message("10.1.1.1:8080", &Login::new("CPE57689", "secret"));
        assert_eq!(String::from_utf8(message).unwrap(), expected);
        let odd = request.message("h", &Login::new("a b&c", "secret"));
        assert!(String::from_utf8(odd).unwrap().contains("&un=a%20b%26c&"));
        let (one, other) = (UdpRequest::now(), UdpRequest::now());
        assert!(one.id != other.id && one.cn != other.cn && one.ts > 1_700_000_000);
    }

    #[tokio::test]
    async fn copies_are_sent_from_an_address_that_somebody_else_has() {
        let cpe = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        // A STUN server as others are: it lets its address be shared.
        let server = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
        server.set_reuse_address(true).unwrap();
        server.set_reuse_port(true).unwrap();
        server.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
        let from = server.local_addr().unwrap().as_socket().unwrap();
        let to = cpe.local_addr().unwrap().to_string();
        send(&to, b"hello", Some(from)).await.unwrap();
        for _ in 0..limits::UDP_REQUEST_COPIES {
            let mut buffer = [0; 16];
            let (length, sender) = cpe.recv_from(&mut buffer).await.unwrap();
            assert_eq!((&buffer[..length], sender), (&b"hello"[..], from));
        }
        let nowhere = send("nobody.invalid:1", b"x", None).await.unwrap_err();
        assert!(nowhere.to_string().starts_with("nothing can be sent to nobody.invalid:1: "), "{nowhere}");
    }
}

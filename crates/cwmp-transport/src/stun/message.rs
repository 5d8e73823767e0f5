//! STUN messages as bytes: Binding Requests of ours, and what servers answer (RFC 3489 11, RFC 5389 6 and 15,
//! TR-069a6 Annex G).
//!
//! A request begins with the cookie of RFC 5389, which an older server takes for a part of the transaction ID. So either
//! kind of server answers it, with MAPPED-ADDRESS, XOR-MAPPED-ADDRESS or both. Only what Annex G uses is here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use cwmp_core::digest::constant_time_eq;
use hmac::{Hmac, Mac};
use md5::{Digest, Md5};
use sha1::Sha1;

use crate::limits;

/// What tells one exchange from another; that the server knows it shows that the server has seen the request.
pub(crate) type TransactionId = [u8; 16];

/// The first bytes of a transaction ID since RFC 5389.
pub(super) const COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];

const HEADER: usize = 20;
const BINDING_REQUEST: u16 = 0x0001;
const BINDING_RESPONSE: u16 = 0x0101;
const BINDING_ERROR_RESPONSE: u16 = 0x0111;

const MAPPED_ADDRESS: u16 = 0x0001;
const RESPONSE_ADDRESS: u16 = 0x0002;
const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const ERROR_CODE: u16 = 0x0009;
const REALM: u16 = 0x0014;
const NONCE: u16 = 0x0015;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const RESPONSE_PORT: u16 = 0x0027;
/// The same before RFC 5389 was finished.
const OLD_XOR_MAPPED_ADDRESS: u16 = 0x8020;
const CONNECTION_REQUEST_BINDING: u16 = 0xC001;
const BINDING_CHANGE: u16 = 0xC002;

/// The value of CONNECTION-REQUEST-BINDING: this binding is the one that listens for connection requests.
const OF_CONNECTION_REQUESTS: &[u8; 20] = b"dslforum.org/TR-111 ";

const INTEGRITY: usize = 20;
const IPV4: u8 = 1;
const IPV6: u8 = 2;

/// How the box shows a server that it knows the password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Proof {
    /// RFC 3489 and Annex G: the name is filled up with blanks, the text under the hash with zeros to 64 bytes.
    Classic {
        /// STUNUsername.
        username: String,
        /// STUNPassword.
        password: String,
    },
    /// RFC 5389 10.1: nothing is filled up.
    ShortTerm {
        /// STUNUsername.
        username: String,
        /// STUNPassword.
        password: String,
    },
    /// RFC 5389 10.2: with realm and nonce of the server.
    LongTerm {
        /// STUNUsername.
        username: String,
        /// STUNPassword.
        password: String,
        /// REALM as the server has sent it.
        realm: Vec<u8>,
        /// NONCE as the server has sent it.
        nonce: Vec<u8>,
    },
}

impl Proof {
    fn key(&self) -> Vec<u8> {
        match self {
            Self::Classic { password, .. } | Self::ShortTerm { password, .. } => password.as_bytes().to_vec(),
            Self::LongTerm { username, password, realm, .. } => {
                let mut key = Md5::new();
                for part in [username.as_bytes(), b":", realm, b":", password.as_bytes()] {
                    key.update(part);
                }
                key.finalize().to_vec()
            }
        }
    }

    /// The hash over a message up to MESSAGE-INTEGRITY, whose length is already counted in its header.
    fn hash(&self, message: &[u8]) -> [u8; INTEGRITY] {
        let Ok(mut hash) = Hmac::<Sha1>::new_from_slice(&self.key()) else { return [0; INTEGRITY] };
        hash.update(message);
        if matches!(self, Self::Classic { .. }) {
            const BLOCK: usize = 64;
            let missing = message.len().next_multiple_of(BLOCK) - message.len();
            hash.update([0; BLOCK].get(..missing).unwrap_or_default());
        }
        hash.finalize().into_bytes().into()
    }
}

/// Where an answer is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Redirect {
    /// RESPONSE-ADDRESS of RFC 3489.
    Address(SocketAddr),
    /// RESPONSE-PORT of RFC 5780: to the same address, but this port.
    Port(u16),
}

/// A Binding Request.
#[derive(Default)]
pub(super) struct Request<'a> {
    /// It comes from where connection requests are taken.
    pub(super) connection_requests: bool,
    /// The mapping is new or another one.
    pub(super) binding_change: bool,
    /// Where the answer is to go, instead of back.
    pub(super) redirect: Option<Redirect>,
    /// Where the server asks for it.
    pub(super) proof: Option<&'a Proof>,
}

impl Request<'_> {
    /// The datagram.
    pub(super) fn encode(&self, id: &TransactionId) -> Vec<u8> {
        let mut out = Vec::with_capacity(128);
        out.extend(BINDING_REQUEST.to_be_bytes());
        out.extend([0, 0]);
        out.extend(id);
        match self.redirect {
            None => {}
            Some(Redirect::Address(address)) => {
                attribute(&mut out, RESPONSE_ADDRESS, &plain_address(address))
            }
            Some(Redirect::Port(port)) => {
                let [high, low] = port.to_be_bytes();
                attribute(&mut out, RESPONSE_PORT, &[high, low, 0, 0]);
            }
        }
        if self.connection_requests {
            attribute(&mut out, CONNECTION_REQUEST_BINDING, OF_CONNECTION_REQUESTS);
        }
        if self.binding_change {
            attribute(&mut out, BINDING_CHANGE, &[]);
        }
        match self.proof {
            None => {}
            Some(Proof::Classic { username, .. }) => {
                let mut value = username.clone().into_bytes();
                value.resize(value.len().next_multiple_of(4), b' ');
                attribute(&mut out, USERNAME, &value);
            }
            Some(Proof::ShortTerm { username, .. }) => attribute(&mut out, USERNAME, username.as_bytes()),
            Some(Proof::LongTerm { username, realm, nonce, .. }) => {
                attribute(&mut out, USERNAME, username.as_bytes());
                attribute(&mut out, NONCE, nonce);
                attribute(&mut out, REALM, realm);
            }
        }
        if let Some(proof) = self.proof {
            count(&mut out, 4 + INTEGRITY);
            let hash = proof.hash(&out);
            attribute(&mut out, MESSAGE_INTEGRITY, &hash);
        }
        count(&mut out, 0);
        out
    }
}

/// Writes the length of the message into its header, as if `more` bytes had come already.
fn count(out: &mut [u8], more: usize) {
    let length = u16::try_from(out.len() + more - HEADER).unwrap_or(u16::MAX);
    if let Some(field) = out.get_mut(2..4) {
        field.copy_from_slice(&length.to_be_bytes());
    }
}

/// Appends an attribute, filled up to four bytes.
fn attribute(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    out.extend(kind.to_be_bytes());
    out.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend(value);
    out.resize(out.len().next_multiple_of(4), 0);
}

fn plain_address(address: SocketAddr) -> Vec<u8> {
    let mut value = vec![0, if address.is_ipv4() { IPV4 } else { IPV6 }];
    value.extend(address.port().to_be_bytes());
    match address.ip() {
        IpAddr::V4(ip) => value.extend(ip.octets()),
        IpAddr::V6(ip) => value.extend(ip.octets()),
    }
    value
}

/// Whether a datagram may be STUN: nothing else that comes to the same socket begins with two zero bits.
pub(crate) fn is_stun(bytes: &[u8]) -> bool {
    bytes.len() >= HEADER && bytes.first().is_some_and(|first| first & 0xC0 == 0)
}

/// What a server answers to a Binding Request.
pub(crate) struct Response<'a> {
    pub(super) id: TransactionId,
    pub(crate) content: Content<'a>,
    /// The message up to MESSAGE-INTEGRITY, and its value.
    integrity: Option<(&'a [u8], &'a [u8])>,
}

pub(crate) enum Content<'a> {
    /// Where the request came from, as the server has seen it.
    Mapped(SocketAddr),
    /// It refuses.
    Refused {
        /// ERROR-CODE: 300 to 699.
        code: u16,
        /// REALM and NONCE, where it asks for long-term credentials.
        ask: Option<(&'a [u8], &'a [u8])>,
    },
}

impl<'a> Response<'a> {
    /// `None` for anything but a well-formed answer that says something.
    pub(crate) fn decode(bytes: &'a [u8]) -> Option<Self> {
        let kind = number(bytes, 0)?;
        let length = usize::from(number(bytes, 2)?);
        let id: TransactionId = bytes.get(4..HEADER)?.try_into().ok()?;
        if !matches!(kind, BINDING_RESPONSE | BINDING_ERROR_RESPONSE) || bytes.len() != HEADER + length {
            return None;
        }
        let (mut mapped, mut exact, mut code) = (None, None, None);
        let (mut realm, mut nonce, mut integrity) = (None, None, None);
        let mut at = HEADER;
        let mut count = 0;
        while at < bytes.len() && integrity.is_none() {
            count += 1;
            if count > limits::STUN_ATTRIBUTES {
                return None;
            }
            let (kind, length) = (number(bytes, at)?, usize::from(number(bytes, at + 2)?));
            let value = bytes.get(at + 4..at + 4 + length)?;
            match kind {
                MAPPED_ADDRESS => mapped = mapped.or(address(value, None)),
                XOR_MAPPED_ADDRESS | OLD_XOR_MAPPED_ADDRESS => exact = exact.or(address(value, Some(&id))),
                ERROR_CODE => code = code.or(error_code(value)),
                REALM if length <= limits::STUN_TEXT_BYTES => realm = realm.or(Some(value)),
                NONCE if length <= limits::STUN_TEXT_BYTES => nonce = nonce.or(Some(value)),
                // What comes after it is not covered by it.
                MESSAGE_INTEGRITY => integrity = Some((bytes.get(..at)?, value)),
                // Whatever else a server says changes nothing about the mapping.
                _ => {}
            }
            // The last attribute of some servers of RFC 3489 is not filled up.
            at = (at + 4 + length).next_multiple_of(4);
        }
        let content = match kind {
            BINDING_RESPONSE => Content::Mapped(exact.or(mapped)?),
            _ => Content::Refused { code: code?, ask: realm.zip(nonce) },
        };
        Some(Self { id, content, integrity })
    }

    /// Whether it was made by somebody who does not know the password. An answer without MESSAGE-INTEGRITY tells nothing.
    pub(crate) fn is_forged(&self, proof: &Proof) -> bool {
        let Some((covered, value)) = self.integrity else { return false };
        let mut covered = covered.to_vec();
        count(&mut covered, 4 + INTEGRITY);
        !constant_time_eq(&proof.hash(&covered), value)
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// An address that somebody can be reached at, hidden by the transaction ID or plain.
fn address(value: &[u8], hidden_by: Option<&TransactionId>) -> Option<SocketAddr> {
    let mask = hidden_by.copied().unwrap_or([0; 16]);
    let port = number(value, 2)? ^ number(&mask, 0)?;
    let (family, rest) = (*value.get(1)?, value.get(4..)?);
    let ip = match family {
        IPV4 => IpAddr::from(Ipv4Addr::from_bits(
            u32::from_be_bytes(rest.try_into().ok()?) ^ u32::from_be_bytes(mask.get(..4)?.try_into().ok()?),
        )),
        IPV6 => IpAddr::from(Ipv6Addr::from_bits(
            u128::from_be_bytes(rest.try_into().ok()?) ^ u128::from_be_bytes(mask),
        )),
        _ => return None,
    };
    let usable = port != 0 && !ip.is_unspecified() && !ip.is_multicast();
    usable.then_some(SocketAddr::new(ip, port))
}

fn error_code(value: &[u8]) -> Option<u16> {
    let &[_, _, class, rest] = value.first_chunk::<4>()?;
    let class = class & 7;
    ((3..=6).contains(&class) && rest < 100).then(|| u16::from(class) * 100 + u16::from(rest))
}

#[cfg(test)]
mod tests;

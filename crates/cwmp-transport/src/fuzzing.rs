//! Doors for the fuzz targets to what is private otherwise. Nothing else uses the feature `fuzzing`.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use cwmp_core::{
    io::NetError,
    settings::{Secret, XmppListening, XmppRetry, XmppServers, XmppSettings},
};
use domain::base::iana::Rtype;
use hyper::{
    HeaderMap,
    header::{CONTENT_ENCODING, HeaderValue},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use crate::{
    ListenerConfig,
    compression::decode,
    dns::answer::{Answer, Question},
    limits,
    listener::{Door, Waiting, gate::Gate, serve},
    stun::{
        is_stun,
        message::{Content, Proof, Response},
    },
    udp_listener::request::UdpRequest,
    xmpp::{
        element::Element,
        frames::{Frame, Frames},
        request::{Gate as XmppGate, Verdict},
    },
};

/// What the listener answers on a connection that sends `bytes` and closes its end.
pub async fn connection_request(config: ListenerConfig, bytes: &[u8]) -> Vec<u8> {
    let connection_timeout = config.connection_timeout;
    let Ok(gate) = Gate::new(config) else { return Vec::new() };
    let door = Arc::new(Door { gate, waiting: Mutex::new(Waiting::default()), connection_timeout });
    let (mut peer, stream) = duplex(limits::REQUEST_HEAD_BYTES);
    let (mut from, mut to) = tokio::io::split(&mut peer);
    let mut answer = Vec::new();
    let send = async {
        // The listener may close first; what it has said by then counts.
        let _ = to.write_all(bytes).await;
        let _ = to.shutdown().await;
    };
    let (.., read) =
        tokio::join!(serve(stream, Ipv4Addr::LOCALHOST.into(), 0, door), send, from.read_to_end(&mut answer));
    let _ = read;
    answer
}

/// A reply's body without its content coding.
///
/// # Errors
/// As the client of the ACS gets them.
pub fn inflate(content_encoding: &'static str, body: &[u8]) -> Result<Vec<u8>, NetError> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static(content_encoding));
    decode(&headers, body.to_vec())
}

/// The addresses that a message of DNS gives a name as the answer to the question with this number, and the seconds for
/// which they hold; `None` where it answers something else, or nothing.
#[must_use]
pub fn dns_answer(number: u16, name: &str, ipv6: bool, message: &[u8]) -> Option<(Vec<IpAddr>, u32)> {
    let kind = if ipv6 { Rtype::AAAA } else { Rtype::A };
    match (Question { id: number, name: name.parse().ok()?, kind }).read(message)? {
        Answer::Addresses { addresses, ttl } => Some((addresses, ttl)),
        Answer::Services(_)
        | Answer::Alias { .. }
        | Answer::Truncated
        | Answer::NoName
        | Answer::Failed(_) => None,
    }
}

/// What the box answers to a stream of an XMPP server, in pieces of this length; how often it is rung; `None` where the stream
/// is no stream. It is to be rung as `acs` with this password, by whom this list allows.
#[must_use]
pub fn xmpp(allowed: &[&str], password: &str, stream: &[u8], piece: usize) -> Option<(Vec<String>, usize)> {
    let listening = XmppListening {
        username: "acs".to_owned(),
        password: Secret(password.to_owned()),
        connection: XmppSettings {
            instance: 1,
            username: String::new(),
            password: Secret::default(),
            domain: String::new(),
            resource: String::new(),
            servers: XmppServers::Dns,
            keep_alive: None,
            retry: XmppRetry::default(),
            use_tls: true,
            allowed: allowed.iter().map(|jid| (*jid).to_owned()).collect(),
        },
    };
    let (mut gate, mut frames, mut opened) = (XmppGate::new(listening), Frames::default(), String::new());
    let (sink, _bell) = tokio::sync::mpsc::channel(1);
    let (mut answers, mut rings) = (Vec::new(), 0);
    for piece in stream.chunks(piece.max(1)) {
        frames.push(piece).ok()?;
        while let Some(frame) = frames.next().ok()? {
            match frame {
                Frame::Header(header) => opened = header,
                Frame::Stanza(stanza) => {
                    let stanza = Element::read(&opened, &stanza).ok()?;
                    match gate.judge(&stanza, &sink, 0) {
                        Verdict::Silence => {}
                        Verdict::Answer(text) => answers.push(text),
                        Verdict::Ring(text) => {
                            rings += 1;
                            answers.push(text);
                        }
                    }
                }
                Frame::End => return Some((answers, rings)),
            }
        }
    }
    Some((answers, rings))
}

/// Whether an answer is one element that reads back.
#[must_use]
pub fn is_stanza(text: &str) -> bool {
    Element::read("<s:s xmlns='jabber:client' xmlns:s='http://etherx.jabber.org/streams'>", text).is_ok()
}

/// What a datagram at the socket of connection requests says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Datagram {
    /// Nothing.
    Nothing,
    /// A STUN server: this is the address that it sees.
    Mapped(SocketAddr),
    /// A STUN server refuses with this code.
    Refused(u16),
    /// A connection request of somebody who knows the password.
    Ring,
}

/// Reads a datagram as the socket does. The password is that of STUN as well.
#[must_use]
pub fn datagram(username: &str, password: &str, bytes: &[u8]) -> Datagram {
    if !is_stun(bytes) {
        let ring = UdpRequest::parse(bytes)
            .is_some_and(|request| request.is_signed_by(username, &Secret(password.to_owned())));
        return if ring { Datagram::Ring } else { Datagram::Nothing };
    }
    let (username, password) = (username.to_owned(), password.to_owned());
    let proof = Proof::ShortTerm { username, password };
    match Response::decode(bytes) {
        None => Datagram::Nothing,
        Some(response) if response.is_forged(&proof) => Datagram::Nothing,
        Some(Response { content: Content::Mapped(address), .. }) => Datagram::Mapped(address),
        Some(Response { content: Content::Refused { code, .. }, .. }) => Datagram::Refused(code),
    }
}

//! Questions to name servers, one server after the other.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use domain::base::iana::Rtype;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

#[cfg(feature = "xmpp")]
use super::answer::Service;
use super::answer::{Answer, DnsName, Question};
use crate::{
    limits,
    path::{ManagementPath, Sockets},
    random,
};

/// What the servers know of a name in one family.
#[derive(Debug)]
pub(super) struct Found {
    /// Perhaps none.
    pub(super) addresses: Vec<IpAddr>,
    /// For how many seconds that holds.
    pub(super) ttl: u32,
}

/// Why nothing is known.
#[derive(Debug)]
pub(super) enum Miss {
    /// There is no such name.
    NoName,
    /// At least one server has answered, and none has said anything of use.
    Refused(String),
    /// None has answered.
    Unreachable(String),
}

/// Asks the servers for the addresses of a name, and of what it is an alias of.
pub(super) async fn find(
    sockets: &Sockets,
    servers: &[SocketAddr],
    mut name: DnsName,
    kind: Rtype,
) -> Result<Found, Miss> {
    let mut least = u32::MAX;
    for _ in 0..=limits::DNS_ALIASES {
        match ask_in_turn(sockets, servers, &name, kind).await? {
            Answer::Addresses { addresses, ttl } => return Ok(Found { addresses, ttl: ttl.min(least) }),
            Answer::Alias { of, ttl } => (name, least) = (*of, least.min(ttl)),
            Answer::NoName => return Err(Miss::NoName),
            Answer::Services(_) | Answer::Truncated | Answer::Failed(_) => break,
        }
    }
    Err(Miss::Refused("the name is an alias without end".to_owned()))
}

/// Asks the servers for the servers of a service.
#[cfg(feature = "xmpp")]
pub(super) async fn find_services(
    sockets: &Sockets,
    servers: &[SocketAddr],
    name: &DnsName,
) -> Result<Vec<Service>, String> {
    match ask_in_turn(sockets, servers, name, Rtype::SRV).await {
        Ok(Answer::Services(services)) => Ok(services),
        Ok(Answer::NoName) | Err(Miss::NoName) => Ok(Vec::new()),
        Ok(_) => Err("the answer is of no use".to_owned()),
        Err(Miss::Refused(reason) | Miss::Unreachable(reason)) => Err(reason),
    }
}

/// The first answer of use; the second round waits for longer.
async fn ask_in_turn(
    sockets: &Sockets,
    servers: &[SocketAddr],
    name: &DnsName,
    kind: Rtype,
) -> Result<Answer, Miss> {
    let mut reasons = Vec::new();
    let mut answered = false;
    for (round, wait_ms) in limits::DNS_WAITS_MS.into_iter().enumerate() {
        for server in servers {
            let asked = timeout(Duration::from_millis(wait_ms), ask(sockets, *server, name, kind)).await;
            let reason = match asked {
                Ok(Ok(Answer::Failed(code))) => {
                    answered = true;
                    format!("it answers {code}")
                }
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer".to_owned(),
            };
            if round == 0 {
                reasons.push(format!("name server {server}: {reason}"));
            }
        }
    }
    let reasons = reasons.join("; ");
    Err(if answered { Miss::Refused(reasons) } else { Miss::Unreachable(reasons) })
}

/// Asks one server, from a port of its own, with a number of its own: who does not see the question cannot answer it.
async fn ask(sockets: &Sockets, server: SocketAddr, name: &DnsName, kind: Rtype) -> io::Result<Answer> {
    let question = Question { id: u16::from_be_bytes(random::bytes()?), name: name.clone(), kind };
    let message = question.message().map_err(io::Error::other)?;
    let socket = sockets.udp(ManagementPath::any(server)).await?;
    // Connected, it takes datagrams from the server alone.
    socket.connect(server).await?;
    socket.send(&message).await?;
    let mut datagram = vec![0; limits::DNS_DATAGRAM_BYTES + 1];
    loop {
        let length = socket.recv(&mut datagram).await?;
        let datagram = datagram.get(..length).filter(|datagram| datagram.len() <= limits::DNS_DATAGRAM_BYTES);
        match datagram.and_then(|datagram| question.read(datagram)) {
            // Somebody else's: the right one may still come.
            None => {}
            Some(Answer::Truncated) => return ask_over_tcp(sockets, server, &question, &message).await,
            Some(answer) => return Ok(answer),
        }
    }
}

async fn ask_over_tcp(
    sockets: &Sockets,
    server: SocketAddr,
    question: &Question,
    message: &[u8],
) -> io::Result<Answer> {
    let mut stream = sockets.connect(server).await?;
    let length = u16::try_from(message.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes()[..], message].concat()).await?;
    // Any length of two bytes is a bounded one.
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    match question.read(&answer) {
        Some(Answer::Truncated) | None => Err(io::Error::other("what it sends over TCP is no answer")),
        Some(answer) => Ok(answer),
    }
}

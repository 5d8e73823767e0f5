//! One TCP connection and HTTP/1.1 on it.
//!
//! The connection is driven from inside the calls that use it instead of by a task of its own: nothing has to be spawned,
//! and nothing happens on it between two requests.

use std::{
    future::{Future, poll_fn},
    net::{IpAddr, SocketAddr},
    pin::{Pin, pin},
    rc::Rc,
    task::Poll,
    time::Duration,
};

use cwmp_core::{
    io::NetError,
    limits::ENVELOPE_BYTES,
    url::{HttpUrl, Scheme},
};
use http_body_util::BodyExt;
use hyper::{Request, Response, body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpSocket, TcpStream},
    time::{Instant, sleep_until, timeout},
};

use crate::{
    body::{Outgoing, Progress},
    client::ClientConfig,
    limits,
    patience::Patience,
    random,
};

type Driver = http1::Connection<TokioIo<TcpStream>, Outgoing>;

/// Where a connection leads: it serves all URLs that agree in these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    scheme: Scheme,
    host: String,
    port: u16,
}

impl Origin {
    pub(crate) fn of(url: &HttpUrl) -> Self {
        Self { scheme: url.scheme, host: url.host.clone(), port: url.port }
    }
}

/// An open connection.
pub(crate) struct Connection {
    pub(crate) origin: Origin,
    pub(crate) local: SocketAddr,
    sender: http1::SendRequest<Outgoing>,
    /// `None` once the connection has ended.
    driver: Option<Pin<Box<Driver>>>,
    /// Whether a request was sent on it.
    pub(crate) used: bool,
    /// What the bodies of its requests count in. One for all of them: a request that was answered early may still be on
    /// its way when the next one waits.
    pub(crate) progress: Rc<Progress>,
}

/// Why an exchange failed.
pub(crate) enum ExchangeError {
    /// The connection had ended before anything of the request was written: another one may carry it.
    NotSent,
    /// All else.
    Failed(NetError),
}

impl From<NetError> for ExchangeError {
    fn from(error: NetError) -> Self {
        Self::Failed(error)
    }
}

/// A reply with its body.
pub(crate) struct Received {
    pub(crate) head: hyper::http::response::Parts,
    pub(crate) body: Vec<u8>,
}

impl Connection {
    /// Connects to one of the addresses of the URL's host: a random one first, then the others in turn.
    pub(crate) async fn open(url: &HttpUrl, config: &ClientConfig) -> Result<Self, NetError> {
        let place = place(url);
        if url.scheme == Scheme::Https {
            return Err(NetError::Connect(format!(
                "{place}: the URL asks for https, and this build has no TLS; nothing was sent in clear text"
            )));
        }
        let addresses = resolve(url, config.connect_timeout).await?;
        match connect(addresses, config.connect_timeout).await {
            Ok(stream) => Self::start(stream, Origin::of(url), &place).await,
            Err(reason) => Err(NetError::Connect(format!("{place} ({reason})"))),
        }
    }

    async fn start(stream: TcpStream, origin: Origin, place: &str) -> Result<Self, NetError> {
        let failed = |error: &dyn std::fmt::Display| NetError::Connect(format!("{place} ({error})"));
        let local = stream.local_addr().map_err(|e| failed(&e))?;
        let mut builder = http1::Builder::new();
        builder.title_case_headers(true).max_buf_size(limits::REPLY_HEAD_BYTES);
        let (sender, driver) = builder.handshake(TokioIo::new(stream)).await.map_err(|e| failed(&e))?;
        Ok(Self {
            origin,
            local,
            sender,
            driver: Some(Box::pin(driver)),
            used: false,
            progress: Rc::default(),
        })
    }

    /// Whether the peer still holds the connection, as far as can be seen without sending.
    pub(crate) async fn is_open(&mut self) -> bool {
        // Lets the reactor see a FIN that has arrived since the last reply.
        tokio::task::yield_now().await;
        let driver = &mut self.driver;
        poll_fn(|cx| {
            if driver.as_mut().is_some_and(|driver| driver.as_mut().poll(cx).is_ready()) {
                *driver = None;
            }
            Poll::Ready(())
        })
        .await;
        self.driver.is_some() && !self.sender.is_closed()
    }

    /// Sends a request and receives the reply, body included.
    pub(crate) async fn exchange(
        &mut self,
        request: Request<Outgoing>,
        config: &ClientConfig,
    ) -> Result<Received, ExchangeError> {
        let Self { sender, driver, used, progress, .. } = self;
        *used = true;
        let talk = async {
            sender.ready().await.map_err(|_| ExchangeError::NotSent)?;
            let response = sender.send_request(request).await.map_err(|error| {
                if error.is_canceled() { ExchangeError::NotSent } else { broken(&error).into() }
            })?;
            Ok(receive(response, progress).await?)
        };
        let mut talk = pin!(with_driver(driver, talk));
        let counts = || (progress.sent.get(), progress.received.get());
        let mut patience = Patience::new(config.reply_timeout, config.reply_total, counts(), Instant::now());
        loop {
            tokio::select! {
                biased;
                outcome = &mut talk => return outcome,
                () = sleep_until(patience.next_look(Instant::now())) => {}
            }
            if patience.is_over(counts(), Instant::now()) {
                let seconds = config.reply_timeout.as_secs().max(1);
                return Err(NetError::Timeout(u32::try_from(seconds).unwrap_or(u32::MAX)).into());
            }
        }
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

/// Drives the connection while the future runs.
async fn with_driver<T>(driver: &mut Option<Pin<Box<Driver>>>, future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    poll_fn(|cx| {
        if driver.as_mut().is_some_and(|driver| driver.as_mut().poll(cx).is_ready()) {
            *driver = None;
        }
        future.as_mut().poll(cx)
    })
    .await
}

async fn receive(response: Response<Incoming>, progress: &Progress) -> Result<Received, NetError> {
    let (head, mut incoming) = response.into_parts();
    let too_large = NetError::TooLarge(ENVELOPE_BYTES);
    // An announced length is only compared, never allocated.
    if hyper::body::Body::size_hint(&incoming).lower() > ENVELOPE_BYTES as u64 {
        return Err(too_large);
    }
    let mut body = Vec::new();
    while let Some(frame) = incoming.frame().await {
        progress.received.set(progress.received.get().wrapping_add(1));
        let Ok(data) = frame.map_err(|error| broken(&error))?.into_data() else { continue };
        if body.len() + data.len() > ENVELOPE_BYTES {
            return Err(too_large);
        }
        body.extend_from_slice(&data);
    }
    Ok(Received { head, body })
}

/// The error with its causes. hyper's texts hold nothing of the messages.
fn broken(error: &hyper::Error) -> NetError {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    NetError::Broken(text)
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

//! The listener for connection requests over HTTP (TR-069a6 3.2.2.2): the one port of the box that the world can reach.
//!
//! It serves GET on one path, with Digest, and tells nothing about the box to those who do not know the password. Nothing
//! in a request can choose where the session leads; the request is a bell, no letter.

pub(crate) mod gate;
mod guesses;
mod nonce;
pub(crate) mod rate;

use std::{
    collections::VecDeque,
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use cwmp_core::{io::Via, settings::Secret};
use http_body_util::Empty;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::{AbortHandle, JoinSet, yield_now},
    time::{sleep, timeout},
};

use self::gate::Gate;
use crate::{
    limits,
    path::{Interface, ManagementPath},
    random,
};

/// Asks whether the agent can take a connection request now; while it says no the answer is 503.
pub type AcceptHook = Arc<dyn Fn() -> bool + Send + Sync>;

/// Settings of the listener.
#[derive(Clone)]
pub struct ListenerConfig {
    /// Addresses to listen on, both families. `[::]` serves IPv4 too unless the system says otherwise.
    pub bind: Vec<SocketAddr>,
    /// Where its sockets are made.
    pub way: ManagementPath,
    /// By which network device requests come.
    pub interface: Interface,
    /// The path of ConnectionRequestURL, beginning with `/`; see [`random_path`].
    pub path: String,
    /// ConnectionRequestUsername.
    pub username: String,
    /// ConnectionRequestPassword; must not be empty.
    pub password: Secret,
    /// Where accepted requests go. While it is full, further requests are accepted and add nothing (a session is due
    /// anyway); once it is closed the answer is 503.
    pub sink: mpsc::Sender<Via>,
    /// Whether the agent can take one.
    pub accept: AcceptHook,
    /// Longest life of a connection.
    pub connection_timeout: Duration,
}

impl ListenerConfig {
    /// A listener that always takes requests, with the limits of [`crate::limits`].
    #[must_use]
    pub fn new(
        bind: Vec<SocketAddr>,
        path: String,
        username: String,
        password: Secret,
        sink: mpsc::Sender<Via>,
    ) -> Self {
        let connection_timeout = Duration::from_millis(limits::REQUEST_CONNECTION_MS);
        Self {
            bind,
            way: ManagementPath::default(),
            interface: Interface::default(),
            path,
            username,
            password,
            sink,
            accept: Arc::new(|| true),
            connection_timeout,
        }
    }
}

/// Why nothing listens.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Without a password everybody could ring.
    #[error("no connection requests are taken while ConnectionRequestPassword is empty: set it")]
    NoPassword,
    /// The path cannot stand in a URL.
    #[error("the connection request path `{0}` does not begin with / or has characters that no path has")]
    Path(String),
    /// None of the addresses can be listened on.
    #[error("cannot listen for connection requests on {address}: {source}")]
    Bind {
        /// The address that failed last.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// No address is configured.
    #[error("no address to listen on for connection requests is configured")]
    NoAddress,
    /// The system has no random source for nonces.
    #[error("cannot make nonces: {0}")]
    Random(io::Error),
}

/// A path that nobody guesses (TR-069a6 3.2.2.2): `/` and 128 random bits.
///
/// # Errors
/// When the system has no random source.
pub fn random_path() -> io::Result<String> {
    Ok(format!("/{}", random::token()?))
}

/// Listens until it is dropped. Must be started and dropped inside a tokio runtime.
pub struct ConnectionRequestListener {
    local_addrs: Vec<SocketAddr>,
    sockets: Vec<Arc<TcpListener>>,
    door: Arc<Door>,
    /// One task an address; dropping the set ends them, their sockets and their connections.
    tasks: JoinSet<()>,
}

impl ConnectionRequestListener {
    /// Binds and listens. An address that cannot be bound is logged; it is an error when none can.
    ///
    /// # Errors
    /// [`ListenError`].
    pub async fn start(config: ListenerConfig) -> Result<Self, ListenError> {
        if config.password.0.is_empty() {
            return Err(ListenError::NoPassword);
        }
        let fits = |b: u8| (0x21..=0x7e).contains(&b) && !b"?#\"<>\\^`{|}".contains(&b);
        if !config.path.starts_with('/') || !config.path.bytes().all(fits) {
            return Err(ListenError::Path(config.path));
        }
        let sockets = bind(&config).await?;
        let connection_timeout = config.connection_timeout;
        let door = Arc::new(Door {
            gate: Gate::new(config).map_err(ListenError::Random)?,
            waiting: Mutex::new(Waiting::default()),
            connection_timeout,
        });
        let local_addrs = sockets.iter().map(|(_, address)| *address).collect();
        let sockets: Vec<_> = sockets.into_iter().map(|(socket, _)| Arc::new(socket)).collect();
        let mut tasks = JoinSet::new();
        for socket in &sockets {
            tasks.spawn(accept(Arc::clone(socket), Arc::clone(&door)));
        }
        Ok(Self { local_addrs, sockets, door, tasks })
    }

    /// The addresses that are listened on, with the ports that the system chose for port 0.
    #[must_use]
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.local_addrs
    }

    /// Whether the network device that it was bound to is still there. One that comes back under its old name is another
    /// one, by which nothing reaches these sockets.
    #[must_use]
    pub fn is_on_its_device(&self) -> bool {
        // Of a device that is gone the kernel has no name; in doubt it is there.
        let gone = |error: io::Error| error.raw_os_error() == Some(nix::libc::ENODEV);
        !self.sockets.iter().any(|socket| SockRef::from(&**socket).device().is_err_and(gone))
    }

    /// Asks for these credentials from now on. The port stays open: an ACS that has just set them may ring at once.
    ///
    /// # Errors
    /// [`ListenError::NoPassword`]; the old ones stay in force then.
    pub fn set_credentials(&self, username: String, password: Secret) -> Result<(), ListenError> {
        if password.0.is_empty() {
            return Err(ListenError::NoPassword);
        }
        self.door.gate.set_credentials(username, password);
        Ok(())
    }

    /// Stops, and waits until the sockets are closed, so that the same port can be bound again. Dropping closes them as
    /// well, but only when the runtime next runs.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
        self.sockets.clear();
    }
}

impl fmt::Debug for ConnectionRequestListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionRequestListener")
            .field("local_addrs", &self.local_addrs)
            .finish_non_exhaustive()
    }
}

async fn bind(config: &ListenerConfig) -> Result<Vec<(TcpListener, SocketAddr)>, ListenError> {
    let mut bound: Vec<(TcpListener, SocketAddr)> = Vec::new();
    let mut failed = ListenError::NoAddress;
    // IPv6 first: where `[::]` serves IPv4 too, 0.0.0.0 with the same port is in use then, and not needed.
    let (six, four): (Vec<_>, Vec<_>) = config.bind.iter().partition(|address| address.is_ipv6());
    for address in six.into_iter().chain(four) {
        let attempt = match config.way.listen(address, &config.interface).await {
            Ok(socket) => socket.local_addr().map(|local| (socket, local)),
            Err(error) => Err(error),
        };
        match attempt {
            Ok(pair) => bound.push(pair),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_served(address, &bound) => {}
            Err(source) => {
                tracing::warn!("cannot listen for connection requests on {address}: {source}");
                failed = ListenError::Bind { address, source };
            }
        }
    }
    if bound.is_empty() { Err(failed) } else { Ok(bound) }
}

fn is_served(address: SocketAddr, bound: &[(TcpListener, SocketAddr)]) -> bool {
    let any = |ip: IpAddr| ip.is_unspecified();
    any(address.ip()) && bound.iter().any(|(_, other)| any(other.ip()) && other.port() == address.port())
}

/// What all connections share.
pub(crate) struct Door {
    pub(crate) gate: Gate,
    pub(crate) waiting: Mutex<Waiting>,
    pub(crate) connection_timeout: Duration,
}

/// The connections that have not proved anything yet, oldest first.
#[derive(Default)]
pub(crate) struct Waiting {
    next: u64,
    connections: VecDeque<Unproven>,
}

struct Unproven {
    id: u64,
    from: IpAddr,
    task: AbortHandle,
}

impl Waiting {
    /// Cuts off the oldest connection of the source that has the most: a flood from one place pushes out itself.
    fn make_room(&mut self) {
        let mut most = (0, 0);
        for (at, one) in self.connections.iter().enumerate() {
            // The first of a source counts all of them.
            let count = self.connections.iter().skip(at).filter(|other| other.from == one.from).count();
            most = if count > most.0 { (count, at) } else { most };
        }
        if let Some(oldest) = self.connections.remove(most.1) {
            oldest.task.abort();
        }
    }
}

impl Door {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection has proved itself or has ended: it is not cut off for others any more.
    fn leave(&self, id: u64) {
        self.waiting().connections.retain(|other| other.id != id);
    }
}

async fn accept(socket: Arc<TcpListener>, door: Arc<Door>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = socket.accept() => match accepted {
                Ok((stream, from)) => {
                    admit(stream, from.ip(), &door, &mut connections);
                    // Those that were cut off end, and are let go of, before the next one takes memory.
                    yield_now().await;
                    while connections.try_join_next().is_some() {}
                }
                Err(error) => {
                    tracing::warn!("cannot accept a connection request: {error}");
                    // Out of file descriptors: trying again at once would only burn time.
                    sleep(Duration::from_millis(limits::ACCEPT_PAUSE_MS)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

fn admit(stream: TcpStream, from: IpAddr, door: &Arc<Door>, connections: &mut JoinSet<()>) {
    let mut waiting = door.waiting();
    while waiting.connections.len() >= limits::REQUEST_CONNECTIONS {
        waiting.make_room();
    }
    let id = waiting.next;
    waiting.next += 1;
    let task = connections.spawn(serve(stream, from, id, Arc::clone(door)));
    waiting.connections.push_back(Unproven { id, from, task });
}

/// Serves one connection to its end.
pub(crate) async fn serve<S>(stream: S, from: IpAddr, id: u64, door: Arc<Door>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let service = service_fn(|request: Request<Incoming>| {
        let response = respond(&door, from, id, &request);
        async move { Ok::<_, std::convert::Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .auto_date_header(false)
        .title_case_headers(true)
        .max_buf_size(limits::REQUEST_HEAD_BYTES)
        .max_headers(limits::REQUEST_HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    // Errors are the peer's business: what could be answered has been.
    let _ = timeout(door.connection_timeout, connection).await;
    door.leave(id);
}

fn respond(door: &Door, from: IpAddr, id: u64, request: &Request<Incoming>) -> Response<Empty<Bytes>> {
    let answer = door.gate.answer(from, request.method(), request.uri(), request.headers());
    if answer.accepted {
        door.leave(id);
    }
    let mut response = Response::new(Empty::new());
    *response.status_mut() = answer.status;
    if let Some((name, value)) = answer.header {
        response.headers_mut().insert(name, value);
    }
    response
}

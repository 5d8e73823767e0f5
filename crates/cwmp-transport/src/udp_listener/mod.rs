//! Where connection requests over UDP are taken, and STUN on the same socket (TR-069a6 Annex G).
//!
//! Nothing is ever answered here but by STUN's own course: whoever sends to this port without knowing
//! ConnectionRequestPassword learns nothing, not even that somebody listens.

mod guard;
pub(crate) mod request;

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    rc::Rc,
    time::Duration,
};

use cwmp_core::{
    io::Via,
    settings::UdpListening,
    time::{Mono, Wall},
};
use tokio::{
    net::UdpSocket,
    sync::{Notify, mpsc},
    time::{Instant, sleep, sleep_until},
};

pub use self::guard::{KeepNote, ReplayGuard};
use self::request::UdpRequest;
use crate::{
    limits,
    path::ManagementPath,
    random,
    stun::{Act, Binding, Line, Loss, is_stun},
};

/// What the listener works with.
pub struct UdpConfig {
    /// Who may ring, and how the NAT is dealt with.
    pub listening: UdpListening,
    /// The way to the STUN server.
    pub path: ManagementPath,
    /// Where accepted requests go. While it is full, further ones add nothing: a session is due anyway.
    pub sink: mpsc::Sender<Via>,
    /// The date, while the clock is synchronised.
    pub date: Rc<dyn Fn() -> Option<Wall>>,
    /// Notified when the network of the box has changed.
    pub network: Rc<Notify>,
    /// Told whenever it changes where the box can be reached, and when the first attempt to find that out is over.
    pub report: Box<dyn Fn(Reachable)>,
}

/// Where connection requests over UDP reach the box.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reachable {
    /// What UDPConnectionRequestAddress names; `None` while it is not known.
    pub address: Option<SocketAddr>,
    /// NATDetected.
    pub nat: bool,
}

/// An open socket.
#[derive(Debug)]
pub struct UdpListener {
    door: UdpSocket,
    address: SocketAddr,
}

impl UdpListener {
    /// Opens the socket. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// What the system says.
    pub async fn open(path: &ManagementPath, address: SocketAddr) -> io::Result<Self> {
        let door = path.udp(address).await?;
        let address = door.local_addr()?;
        Ok(Self { door, address })
    }

    /// The address with the port that the system chose for port 0.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Takes requests until it is dropped.
    pub async fn run(&self, config: &UdpConfig, guard: &mut ReplayGuard) {
        let mut course = Course::new(self.address, config);
        let (mut datagram, mut other) = ([0; BUFFER], [0; BUFFER]);
        loop {
            let wakeup = course.wakeup();
            tokio::select! {
                received = self.door.recv_from(&mut datagram) => match received {
                    Ok((length, from)) => {
                        let bytes = datagram.get(..length).unwrap_or_default();
                        if is_stun(bytes) {
                            course.receive(Line::Door, from, bytes);
                        } else {
                            take(bytes, from, config, guard).await;
                        }
                    }
                    Err(error) => pause_after(&error).await,
                },
                received = receive_test(&course.test, &mut other) => match received {
                    Ok((line, length, from)) => {
                        course.receive(line, from, other.get(..length).unwrap_or_default());
                    }
                    Err(error) => pause_after(&error).await,
                },
                found = found(&mut course.looking) => course.begin(found),
                () = config.network.notified() => course.look(),
                () = sleep_until(wakeup) => course.wake(),
            }
            course.act(&self.door).await;
        }
    }
}

/// One byte more than is read: a datagram that fills it is too long.
const BUFFER: usize = limits::UDP_REQUEST_BYTES + 1;

/// Rings, if it is a connection request of somebody who may.
async fn take(bytes: &[u8], from: SocketAddr, config: &UdpConfig, guard: &mut ReplayGuard) {
    let UdpListening { username, password, .. } = &config.listening;
    let Some(request) = UdpRequest::parse(bytes) else { return };
    if !request.is_signed_by(username, password) {
        tracing::debug!("a connection request over UDP from {from} is not signed as it must be");
        return;
    }
    let now = guard.now_ms();
    match guard.accept(&request, now, (config.date)()).await {
        // Full is as good: the agent has yet to take an earlier one.
        Ok(()) => drop(config.sink.try_send(Via::Udp)),
        Err(reason) => tracing::debug!("a connection request over UDP from {from} is ignored: {reason}"),
    }
}

/// Out of memory, for one: trying again at once would only burn time.
async fn pause_after(error: &io::Error) {
    tracing::debug!("nothing can be received over UDP: {error}");
    sleep(Duration::from_millis(limits::ACCEPT_PAUSE_MS)).await;
}

/// Where the server is (with STUN), and which address of the box leads there.
type Found = Result<(Option<SocketAddr>, IpAddr), String>;

/// The question for that, under way.
type Looking<'a> = Pin<Box<dyn Future<Output = Found> + 'a>>;

/// [`Line::Tested`] and [`Line::Asker`].
type Test = (UdpSocket, UdpSocket);

/// Waits for the answer, where there is a question.
async fn found(looking: &mut Option<Looking<'_>>) -> Found {
    match looking {
        Some(looking) => looking.await,
        None => std::future::pending().await,
    }
}

async fn receive_test(test: &Option<Test>, buffer: &mut [u8]) -> io::Result<(Line, usize, SocketAddr)> {
    let Some((tested, asker)) = test else { return std::future::pending().await };
    let (line, socket) = tokio::select! {
        ready = tested.readable() => ready.map(|()| (Line::Tested, tested))?,
        ready = asker.readable() => ready.map(|()| (Line::Asker, asker))?,
    };
    let (length, from) = socket.recv_from(buffer).await?;
    Ok((line, length, from))
}

/// The way from the settings to [`Reachable`].
struct Course<'a> {
    config: &'a UdpConfig,
    address: SocketAddr,
    start: Instant,
    looking: Option<Looking<'a>>,
    /// When to look again.
    again: Option<Instant>,
    server: Option<SocketAddr>,
    local: SocketAddr,
    binding: Option<Binding>,
    test: Option<Test>,
    reachable: Reachable,
    /// What was wrong last, so that it is said once.
    complaint: String,
}

impl<'a> Course<'a> {
    fn new(address: SocketAddr, config: &'a UdpConfig) -> Self {
        let mut course = Self {
            config,
            address,
            start: Instant::now(),
            looking: None,
            again: None,
            server: None,
            local: address,
            binding: None,
            test: None,
            reachable: Reachable::default(),
            complaint: String::new(),
        };
        course.look();
        course
    }

    fn now(&self) -> Mono {
        Mono(u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// When [`Course::wake`] is to be called at the latest.
    fn wakeup(&self) -> Instant {
        let far = self.start.elapsed() + Duration::from_secs(86_400);
        let binding = self.binding.as_ref().and_then(Binding::next_wakeup);
        let binding = binding.map_or(far, |at| Duration::from_millis(at.0).min(far));
        let at = self.start + binding;
        self.again.map_or(at, |again| again.min(at))
    }

    fn wake(&mut self) {
        if self.again.is_some_and(|again| again <= Instant::now()) {
            self.look();
        }
        let now = self.now();
        if let Some(binding) = &mut self.binding {
            binding.at(now);
        }
    }

    /// Asks anew where everything is.
    fn look(&mut self) {
        self.again = None;
        self.looking = Some(Box::pin(look(&self.config.path, self.address, &self.config.listening)));
    }

    fn begin(&mut self, found: Found) {
        self.looking = None;
        let (server, local) = match found {
            Ok(found) => found,
            Err(reason) => return self.fail(&reason),
        };
        self.server = server;
        self.local = SocketAddr::new(local, self.address.port());
        let Some(server) = server else {
            return self.reach(Reachable { address: Some(self.local), nat: false });
        };
        let (now, local) = (self.now(), self.local);
        let settings = &self.config.listening.stun;
        let binding = self.binding.get_or_insert_with(|| {
            let ids = Box::new(|| random::bytes().ok());
            Binding::new(settings.clone(), server, local, ids)
        });
        binding.begin(server, local, now);
    }

    fn receive(&mut self, line: Line, from: SocketAddr, bytes: &[u8]) {
        let now = self.now();
        if let Some(binding) = &mut self.binding {
            binding.receive(line, from, bytes, now);
        }
    }

    /// Does what the binding wants.
    async fn act(&mut self, door: &UdpSocket) {
        while let Some(act) = self.binding.as_mut().and_then(Binding::poll) {
            match act {
                Act::Send(line, bytes) => self.send(line, &bytes, door).await,
                Act::OpenTest => self.open_test().await,
                Act::CloseTest => self.test = None,
                Act::Mapped(address) => {
                    self.complaint.clear();
                    if self.reachable.address != Some(address) {
                        tracing::info!("connection requests over UDP reach the box at {address}");
                    }
                    self.reach(Reachable { address: Some(address), nat: address != self.local });
                }
                Act::Tested { silence, survived } => {
                    let outcome = if survived { "survives" } else { "does not survive" };
                    tracing::debug!("a binding of the NAT {outcome} {} s of silence", silence.as_secs());
                }
                Act::Lost(loss) => self.lose(loss),
            }
        }
    }

    async fn send(&self, line: Line, bytes: &[u8], door: &UdpSocket) {
        let (socket, Some(server)) = (self.socket(line, door), self.server) else { return };
        let Some(socket) = socket else { return };
        if let Err(error) = socket.send_to(bytes, server).await {
            // It is sent again soon, and gives up after a while.
            tracing::debug!("nothing can be sent to the STUN server {server}: {error}");
        }
    }

    fn socket<'s>(&'s self, line: Line, door: &'s UdpSocket) -> Option<&'s UdpSocket> {
        match (line, &self.test) {
            (Line::Door, _) => Some(door),
            (Line::Tested, Some((tested, _))) => Some(tested),
            (Line::Asker, Some((_, asker))) => Some(asker),
            (_, None) => None,
        }
    }

    async fn open_test(&mut self) {
        let any = SocketAddr::new(self.address.ip(), 0);
        let path = &self.config.path;
        self.test = match (path.udp(any).await, path.udp(any).await) {
            (Ok(tested), Ok(asker)) => Some((tested, asker)),
            _ => None,
        };
        let now = self.now();
        if let (None, Some(binding)) = (&self.test, &mut self.binding) {
            binding.test_later(now);
        }
    }

    fn lose(&mut self, loss: Loss) {
        let server = self.server.map_or_else(String::new, |server| server.to_string());
        self.fail(&format!("the STUN server {server}: {loss}"));
    }

    /// Says what is wrong, and tries again later. Where the box was reachable last, it may still be.
    fn fail(&mut self, reason: &str) {
        if self.complaint != reason {
            tracing::warn!("connection requests over UDP: {reason}");
            reason.clone_into(&mut self.complaint);
        }
        self.again = Some(Instant::now() + Duration::from_millis(limits::UDP_TRY_AGAIN_MS));
        self.reach(self.reachable);
    }

    fn reach(&mut self, reachable: Reachable) {
        self.reachable = reachable;
        (self.config.report)(reachable);
    }
}

/// Finds the server and the way to it.
async fn look(path: &ManagementPath, address: SocketAddr, listening: &UdpListening) -> Found {
    let own = Some(address.ip()).filter(|ip| !ip.is_unspecified());
    let UdpListening { acs, stun, .. } = listening;
    if let (false, Some(own)) = (stun.enable, own) {
        return Ok((None, own));
    }
    let acs = acs.as_ref().ok_or("no ACS is known, so neither is the address that leads to it");
    let (host, port) = match (stun.enable, stun.server_address.as_str()) {
        (true, "") => (acs?.host.as_str(), stun.server_port),
        (true, host) => (host, stun.server_port),
        (false, _) => (acs?.host.as_str(), acs?.port),
    };
    let wait = Duration::from_millis(limits::UDP_RESOLVE_MS);
    let found = path.resolve(host.trim_matches(['[', ']']), port, wait).await;
    // Of several addresses the first of the right family serves until it fails; name servers take turns.
    let mut found = found.map_err(|reason| format!("{host}: {reason}"))?.into_iter();
    let peer = found.find(|peer| peer.is_ipv4() == address.is_ipv4());
    let peer = peer.ok_or_else(|| format!("{host} has no address of the family of {}", address.ip()))?;
    let local = match own {
        Some(own) => own,
        None => {
            path.source_towards(peer).await.ok_or_else(|| format!("{host}: no way leads to {}", peer.ip()))?
        }
    };
    Ok((stun.enable.then_some(peer), local))
}

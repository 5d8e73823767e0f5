//! The management path: which way all traffic of the agent takes.
//!
//! Every socket of the agent is made here, so that a network device, a network namespace, name servers and a proxy that
//! the configuration names hold for all of it: sessions, file transfers, names, datagrams, connection requests. What the
//! path lacks at the moment is an error of that one attempt; the next one looks again.

mod eyeballs;
mod proxy;
mod sockets;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use cwmp_core::{io::NetError, url::HttpUrl};
use serde::{Deserialize, Serialize};
use tokio::{
    net::{TcpListener, TcpStream, UdpSocket, lookup_host},
    time::timeout,
};

pub use self::proxy::ProxyConfig;
pub(crate) use self::sockets::Sockets;
use crate::{connector::place_of, dns::Resolver, limits};

/// Which way the traffic takes; by default the one that the system chooses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathConfig {
    /// Network device that everything leaves and enters by, a VLAN for one (SO_BINDTODEVICE).
    pub interface: Option<String>,
    /// Network namespace, as a file to enter it by, such as `/run/netns/mgmt`. Entering one takes CAP_SYS_ADMIN.
    pub namespace: Option<PathBuf>,
    /// Name servers, instead of those in resolv.conf; at most [`limits::DNS_SERVERS`] are asked.
    pub resolvers: Vec<SocketAddr>,
    /// HTTP proxy in front of the ACS and file servers.
    pub proxy: Option<ProxyConfig>,
}

/// Makes sockets and connections, and finds addresses. Clones share what is known of names.
#[derive(Clone, Debug, Default)]
pub struct ManagementPath(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    sockets: Sockets,
    /// `None`: the system's own resolver, which knows of no path.
    resolver: Option<Resolver>,
    proxy: Option<ProxyConfig>,
}

impl ManagementPath {
    /// With this configuration. Whether device and namespace are there is seen when a socket is made.
    #[must_use]
    pub fn new(config: PathConfig) -> Self {
        let PathConfig { interface, namespace, resolvers, proxy } = config;
        let own = interface.is_some() || namespace.is_some() || !resolvers.is_empty();
        let resolver = own.then(|| Resolver::new(resolvers, namespace.as_deref()));
        Self(Arc::new(Inner { sockets: Sockets { interface, namespace }, resolver, proxy }))
    }

    /// A UDP socket that is bound to this address; [`ManagementPath::any`] gives one for a peer.
    ///
    /// # Errors
    /// Those of the system; device or namespace that are missing are named.
    pub async fn udp(&self, local: SocketAddr) -> io::Result<UdpSocket> {
        self.0.sockets.udp(local).await
    }

    /// What a socket towards this peer is bound to when the system may choose.
    #[must_use]
    pub fn any(peer: SocketAddr) -> SocketAddr {
        let ip =
            if peer.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) };
        SocketAddr::new(ip, 0)
    }

    /// Listens on this address of the path; `interface` takes the place of the path's own.
    ///
    /// # Errors
    /// As for [`ManagementPath::udp`].
    pub(crate) async fn listen(&self, local: SocketAddr, interface: &Interface) -> io::Result<TcpListener> {
        let interface = match interface {
            Interface::OfPath => self.0.sockets.interface.clone(),
            Interface::Any => None,
            Interface::Named(name) => Some(name.clone()),
        };
        Sockets { interface, ..self.0.sockets.clone() }.listen(local).await
    }

    /// Whether a socket of the path may have this address: whether the box has it, and the path its device and namespace.
    /// In doubt it may.
    pub async fn has_address(&self, address: IpAddr) -> bool {
        let gone = [io::ErrorKind::AddrNotAvailable, io::ErrorKind::NotFound];
        !self.udp(SocketAddr::new(address, 0)).await.is_err_and(|error| gone.contains(&error.kind()))
    }

    /// The addresses of a host, which may be a literal, with this port; at least one.
    ///
    /// # Errors
    /// Why there is none, as a text.
    pub async fn resolve(&self, host: &str, port: u16, wait: Duration) -> Result<Vec<SocketAddr>, String> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let work = async {
            match &self.0.resolver {
                Some(resolver) => {
                    let found = resolver.resolve(&self.0.sockets, host).await?;
                    Ok(found.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
                }
                None => match lookup_host((host, port)).await {
                    Ok(found) => Ok(found.take(limits::NAME_ADDRESSES).collect()),
                    Err(error) => Err(error.to_string()),
                },
            }
        };
        let found: Vec<_> = timeout(wait, work)
            .await
            .unwrap_or_else(|_| Err("the name server does not answer".to_owned()))?;
        if found.is_empty() { Err("the name has no address".to_owned()) } else { Ok(found) }
    }

    /// The address that the system would send from to reach the URL's host, or the proxy in front of it: what
    /// ConnectionRequestURL names while no session has a connection. Nothing is sent but questions for names. `None` when
    /// there is no route or the name cannot be resolved.
    pub async fn local_address_towards(&self, url: &HttpUrl) -> Option<IpAddr> {
        let (host, port) = match &self.0.proxy {
            Some(proxy) => (&proxy.host, proxy.port),
            None => (&url.host, url.port),
        };
        let wait = Duration::from_millis(cwmp_core::limits::CONNECT_TIMEOUT_MS);
        for peer in self.resolve(host, port, wait).await.ok()?.into_iter().take(limits::ADDRESSES) {
            if let Some(local) = self.source_towards(peer).await {
                return Some(local);
            }
        }
        None
    }

    /// The address that the system would send from to reach this one.
    pub(crate) async fn source_towards(&self, peer: SocketAddr) -> Option<IpAddr> {
        let socket = self.udp(Self::any(peer)).await.ok()?;
        // Connecting a UDP socket only looks up the route.
        socket.connect(peer).await.ok()?;
        let local = socket.local_addr().ok()?.ip();
        (!local.is_unspecified()).then_some(local)
    }

    /// A connection to the URL's host, through the proxy where there is one.
    pub(crate) async fn connect(&self, url: &HttpUrl, wait: Duration) -> Result<TcpStream, NetError> {
        match &self.0.proxy {
            Some(proxy) => proxy.tunnel(self, url, wait).await,
            None => self.connect_to(&url.host, url.port, wait).await,
        }
    }

    /// The servers of a service, by SRV records (RFC 2782); none where the name has no such records.
    ///
    /// # Errors
    /// Why that is not known, as a text.
    #[cfg(feature = "xmpp")]
    pub(crate) async fn services(&self, name: &str) -> Result<Vec<crate::dns::Service>, String> {
        match &self.0.resolver {
            Some(resolver) => resolver.services(&self.0.sockets, name).await,
            // The system's resolver has no such question.
            None => crate::dns::Resolver::new(Vec::new(), None).services(&self.0.sockets, name).await,
        }
    }

    /// A connection to the first of the host's addresses that takes one.
    pub(crate) async fn connect_to(
        &self,
        host: &str,
        port: u16,
        wait: Duration,
    ) -> Result<TcpStream, NetError> {
        let named = |reason: String| format!("{} ({reason})", place_of(host, port));
        let found =
            self.resolve(host, port, wait).await.map_err(|reason| NetError::Resolve(named(reason)))?;
        let connected =
            eyeballs::race(&eyeballs::order(found), wait, |peer| self.0.sockets.connect(peer)).await;
        connected.map_err(|reason| {
            // Perhaps it has moved: the name servers are asked before the next attempt.
            if let Some(resolver) = &self.0.resolver {
                resolver.doubt(host);
            }
            NetError::Connect(named(reason))
        })
    }
}

/// By which device connection requests come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Interface {
    /// That of the management path.
    #[default]
    OfPath,
    /// Any.
    Any,
    /// This one.
    Named(String),
}

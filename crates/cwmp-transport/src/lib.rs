//! What touches the network: the HTTP client that carries a session to the ACS, the one for files, and the listener
//! for connection requests.
//!
//! Where to look:
//! * [`client`]: [`AcsClient`], one session at a time over one connection: authentication, redirects, cookies;
//! * `line`: what every client of ours does: keeps a connection, answers challenges, follows redirects;
//! * `connector`, `connection`: from a URL to a connection, and HTTP on it;
//! * [`path`]: [`ManagementPath`], where every socket is made: network device, namespace, name servers, proxy;
//! * `dns`: names, where the path has servers of its own;
//! * [`body`]: what is posted, in one piece or produced while it is sent;
//! * `compression`: HTTP compression of both directions, behind the feature of that name;
//! * [`cookie`]: the cookies of a session;
//! * [`files`]: [`FileClient`], downloads and uploads;
//! * [`listener`]: [`ConnectionRequestListener`], the one open door of the box;
//! * [`udp_listener`]: connection requests over UDP; `stun`: how they get through a NAT; behind the feature `stun`;
//! * [`tls`], [`tls_config`]: https, behind the feature `tls`;
//! * [`limits`]: every bound of this crate, by name.
//!
//! There is deliberately no connection pool and no pipelining: TR-069 wants one connection a session and one request at
//! a time. Without the feature `tls` an https URL is refused, never spoken to in clear text.

mod auth;
pub mod body;
pub mod client;
#[cfg_attr(not(feature = "compression"), path = "uncompressed.rs")]
mod compression;
mod connection;
mod connector;
pub mod cookie;
mod dns;
pub mod files;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod headers;
pub mod limits;
mod line;
pub mod listener;
pub mod path;
mod patience;
mod random;
mod stream;
#[cfg(feature = "stun")]
mod stun;
#[cfg_attr(not(feature = "tls"), path = "without_tls.rs")]
pub mod tls;
pub mod tls_config;
#[cfg(feature = "stun")]
pub mod udp_listener;
#[cfg(feature = "xmpp")]
pub mod xmpp;

pub use body::PostBody;
pub use client::{AcsClient, ClientConfig};
pub use files::{FileClient, FileConfig};
pub use listener::{ConnectionRequestListener, ListenError, ListenerConfig};
pub use path::{ManagementPath, PathConfig, ProxyConfig};
pub use tls::Tls;
pub use tls_config::TlsConfig;
#[cfg(feature = "stun")]
pub use udp_listener::{Reachable, ReplayGuard, UdpConfig, UdpListener};
#[cfg(feature = "xmpp")]
pub use xmpp::XmppConfig;

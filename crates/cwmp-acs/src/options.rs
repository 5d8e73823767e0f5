//! How an [`crate::Acs`] is set up.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use cwmp_core::{digest::Algorithm, rpc::CwmpVersion};

use crate::{limits, report::Message};

/// A user name with its password. Its debug form hides the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// User name.
    pub username: String,
    /// Password.
    pub password: String,
}

impl Login {
    /// User name and password.
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self { username: username.into(), password: password.into() }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("username", &self.username).finish_non_exhaustive()
    }
}

/// How a CPE has to prove who it is (TR-069a6 3.4.4).
#[derive(Clone, Debug, Default)]
pub enum Authentication {
    /// Not at all.
    #[default]
    None,
    /// HTTP Basic.
    Basic(Login),
    /// HTTP Digest with qop `auth`.
    Digest {
        /// User name and password.
        login: Login,
        /// What the challenge asks for.
        algorithm: Algorithm,
        /// Requests after which a nonce is stale; `None` for never.
        nonce_uses: Option<u32>,
    },
}

impl Authentication {
    /// Digest with MD5, the common case.
    pub fn digest(username: impl Into<String>, password: impl Into<String>) -> Self {
        let login = Login::new(username, password);
        Self::Digest { login, algorithm: Algorithm::Md5, nonce_uses: None }
    }

    /// Basic.
    pub fn basic(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self::Basic(Login::new(username, password))
    }
}

/// The file server below `/files/`.
#[derive(Clone, Debug)]
pub struct FileOptions {
    /// Where the files lie, and where uploads go.
    pub folder: PathBuf,
    /// Who may come in.
    pub authentication: Authentication,
    /// Largest upload, in bytes.
    pub max_bytes: u64,
}

impl FileOptions {
    /// A folder without authentication.
    pub fn folder(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), authentication: Authentication::None, max_bytes: limits::FILE_BYTES }
    }
}

/// Sees every message as it happens. Called on the connection's task: it should not block.
pub type Observer = Arc<dyn Fn(&Message) + Send + Sync>;

/// How an [`crate::Acs`] is set up.
#[derive(Clone)]
pub struct AcsOptions {
    /// Address to listen at; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// How CPEs prove who they are.
    pub authentication: Authentication,
    /// Newest version spoken: a CPE that offers more is asked for this one.
    pub newest_version: CwmpVersion,
    /// Credentials for connection requests (ManagementServer.ConnectionRequestUsername and -Password).
    pub connection_request: Option<Login>,
    /// Where connection requests over UDP are sent from; `None`: from any port. A NAT may let in nothing but what comes
    /// from where the CPE's STUN server is. The address may be in use by that server.
    pub udp_requests_from: Option<SocketAddr>,
    /// File server, where wanted.
    pub files: Option<FileOptions>,
    /// Sees every message.
    pub on_message: Option<Observer>,
    /// A connection that is silent for so long is closed; a session that may move to a new connection waits so long.
    pub session_timeout: Duration,
    /// Sessions remembered for each CPE.
    pub history: usize,
    /// Whether session reports keep the bodies of messages. Off for simulations with many CPEs.
    pub keep_bodies: bool,
}

impl Default for AcsOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            authentication: Authentication::None,
            newest_version: CwmpVersion::V1_4,
            connection_request: None,
            udp_requests_from: None,
            files: None,
            on_message: None,
            session_timeout: limits::SESSION_TIMEOUT,
            history: limits::HISTORY,
            keep_bodies: true,
        }
    }
}

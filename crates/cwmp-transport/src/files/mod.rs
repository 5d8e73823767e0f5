//! Files over HTTP: what Download fetches and Upload sends (TR-069a6 A.3.2.8, A.4.1.5).
//!
//! A transfer has a connection of its own and does not disturb the session. Nothing is held in memory as a whole. A
//! download that was interrupted goes on where it stopped, also after a restart of the program, as long as the server says
//! that the file is still the same one. Host names, redirects, authentication and waits are the same as for sessions.
//!
//! Retry-After is not looked at: the waits within a job are short, and the ACS hears of the failure soon. Of several
//! ranges in one reply none is used; they were not asked for.

pub mod destination;
mod fault;
mod fetch;
mod partial;
mod range;
mod send;
pub(crate) mod upload;

use std::{
    io,
    path::{Path, PathBuf},
    rc::Rc,
    time::Duration,
};

use cwmp_core::{
    job::JobError,
    limits::{CONNECT_TIMEOUT_MS, REPLY_TIMEOUT_MS},
    settings::Secret,
    url::HttpUrl,
};
use hyper::{Method, body::Incoming};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use self::{destination::Destination, fault::Trouble};
pub use self::{partial::Partial, range::Validator, upload::FileChunks};
use crate::{
    auth::Authenticator,
    body::{ChunkSource, Progress},
    connector::Connector,
    limits,
    line::{Line, LineConfig},
    path::ManagementPath,
    patience::Waits,
    tls::Tls,
};

/// Settings of the client.
#[derive(Clone, Debug)]
pub struct FileConfig {
    /// Longest wait for a connection, over all addresses of the server.
    pub connect_timeout: Duration,
    /// Longest silence while something is sent or awaited.
    pub reply_timeout: Duration,
    /// Wait before the second attempt of a download; doubled before each further one.
    pub pause: Duration,
    /// Whether Basic is answered over plain http, where everybody on the way can read the password.
    pub basic_without_tls: bool,
    /// For https; to be shared by all clients of the program.
    pub tls: Tls,
    /// Which way connections take; to be shared as well.
    pub path: ManagementPath,
    /// Largest file that is fetched, in bytes.
    pub max_bytes: u64,
    /// Bytes that must stay free in the file system that a file is fetched to.
    pub reserve_bytes: u64,
}

impl Default for FileConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_millis(CONNECT_TIMEOUT_MS),
            reply_timeout: Duration::from_millis(REPLY_TIMEOUT_MS),
            pause: Duration::from_millis(limits::FETCH_PAUSE_MS),
            basic_without_tls: true,
            tls: Tls::default(),
            path: ManagementPath::default(),
            max_bytes: limits::FETCH_BYTES,
            reserve_bytes: limits::FETCH_RESERVE_BYTES,
        }
    }
}

/// A file on a server, and who asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteFile {
    /// URL.
    pub url: HttpUrl,
    /// Username; empty for none, and then no challenge is answered.
    pub username: String,
    /// Password.
    pub password: Secret,
}

/// A file that has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetched {
    /// Its size in bytes.
    pub bytes: u64,
    /// SHA-256 of its content.
    pub sha256: [u8; 32],
}

/// Fetches and sends files.
pub struct FileClient {
    config: FileConfig,
}

impl FileClient {
    /// A client. It holds no connection between two calls.
    #[must_use]
    pub fn new(config: FileConfig) -> Self {
        Self { config }
    }

    /// Fetches a file with GET into `into`, which appears only once it is whole and on stable storage; it can be read by
    /// its owner alone. Until then what has come lies beside it ([`discard`] removes all of it). When the future is
    /// dropped, or fails, that stays, and the next call with the same URL and `into` goes on from there.
    ///
    /// `file_size` is what the ACS believes, in bytes, 0 for unknown: it says how much room to look for, and nothing
    /// else. `progress` is told how many bytes are here. One call at a time for each `into`.
    ///
    /// # Errors
    /// After a bounded number of attempts: what TransferComplete reports (TR-069a6 A.5.1), never 9013.
    pub async fn fetch(
        &self,
        from: &RemoteFile,
        file_size: u64,
        into: &Path,
        progress: &dyn Fn(u64),
    ) -> Result<Fetched, JobError> {
        let reserve = self.config.reserve_bytes;
        let opened = Partial::open(into, &from.url, reserve).await;
        let mut partial = opened.map_err(|text| Trouble::Local(text).of_download(&from.url))?;
        self.fetch_to(from, file_size, &mut partial, progress).await
    }

    /// The same into any destination.
    ///
    /// # Errors
    /// Those of [`FileClient::fetch`].
    pub async fn fetch_to(
        &self,
        from: &RemoteFile,
        file_size: u64,
        into: &mut dyn Destination,
        progress: &dyn Fn(u64),
    ) -> Result<Fetched, JobError> {
        let fetch = fetch::run(self, from, file_size, into, progress);
        let limit = Duration::from_millis(limits::TRANSFER_MS);
        let outcome = timeout(limit, fetch).await.unwrap_or_else(|_| Err(Trouble::Cut(too_long())));
        outcome.map_err(|trouble| trouble.of_download(&from.url))
    }

    /// Sends the file with PUT. Where it is not known whether the server has taken it, it is not sent again.
    ///
    /// A file of more than [`limits::EXPECT_BYTES`] is announced first, so that it is not sent in vain to a server that
    /// wants to see credentials.
    ///
    /// # Errors
    /// What TransferComplete reports (TR-069a6 A.5.1): 9011, 9012 or 9015.
    pub async fn send(&self, to: &RemoteFile, from: &Path) -> Result<(), JobError> {
        let length = blocking(from.to_owned(), |from| Ok(std::fs::metadata(from)?.len())).await;
        let length = length.map_err(|text| Trouble::Local(text).of_upload(&to.url))?;
        let from = from.to_owned();
        let chunks: ChunkSource = Rc::new(move || Box::new(FileChunks::new(from.clone())));
        self.send_from(to, length, &chunks).await
    }

    /// The same with so many bytes from any source.
    ///
    /// # Errors
    /// Those of [`FileClient::send`].
    pub async fn send_from(&self, to: &RemoteFile, length: u64, from: &ChunkSource) -> Result<(), JobError> {
        let limit = Duration::from_millis(limits::TRANSFER_MS);
        let outcome = timeout(limit, send::run(self, to, length, from)).await;
        let outcome = outcome.unwrap_or_else(|_| Err(Trouble::Cut(too_long())));
        outcome.map_err(|trouble| trouble.of_upload(&to.url))
    }

    fn line(&self, method: Method, file: &RemoteFile) -> Line {
        let silence = self.config.reply_timeout;
        let config = LineConfig {
            connector: Connector {
                connect_timeout: self.config.connect_timeout,
                tls: self.config.tls.clone(),
                path: self.config.path.clone(),
            },
            waits: Waits { silence, total: Duration::from_millis(limits::TRANSFER_MS) },
            basic_without_tls: self.config.basic_without_tls,
        };
        let auth = Authenticator::new(&file.username, &file.password.0);
        Line::new(method, file.url.clone(), auth, config)
    }
}

fn too_long() -> String {
    format!("it took more than {} minutes", limits::TRANSFER_MS / 60_000)
}

/// Removes the file that was fetched into `into`, and what an interrupted fetch has left beside it. Blocks for a moment.
///
/// # Errors
/// When one of them is there and cannot be removed.
pub fn discard(into: &Path) -> io::Result<()> {
    let mut outcome = Ok(());
    for path in std::iter::once(into.to_owned()).chain(partial::beside(into)) {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                outcome = Err(io::Error::new(error.kind(), format!("{}: {error}", path.display())));
            }
            _ => {}
        }
    }
    outcome
}

/// Reads a reply that is no file to its end, so that the connection can serve again; `false` where that would be too much.
async fn drain(mut body: Incoming, progress: &Progress) -> Result<bool, Trouble> {
    let mut left = limits::DRAINED_BYTES;
    while let Some(data) = next(&mut body, progress).await? {
        match left.checked_sub(data.len()) {
            Some(rest) => left = rest,
            None => return Ok(false),
        }
    }
    Ok(true)
}

/// The next piece of a body, `None` at its end.
async fn next(body: &mut Incoming, progress: &Progress) -> Result<Option<bytes::Bytes>, Trouble> {
    loop {
        let Some(frame) = http_body_util::BodyExt::frame(body).await else { return Ok(None) };
        progress.received.set(progress.received.get().wrapping_add(1));
        if let Ok(data) = frame.map_err(|error| Trouble::of_body(&error))?.into_data() {
            return Ok(Some(data));
        }
    }
}

/// Runs what blocks where it may, and says which file an error is about.
async fn blocking<T: Send + 'static>(
    path: PathBuf,
    work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> Result<T, String> {
    let work = move || work(&path).map_err(|error| format!("{}: {error}", path.display()));
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(_) => Err("the program is ending".to_owned()),
    }
}

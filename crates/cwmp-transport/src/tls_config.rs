//! What https is configured with.

use std::{
    fmt,
    path::PathBuf,
    rc::Rc,
    time::{SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use cwmp_core::time::Wall;
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

/// Whom to trust, and who the box is. The files are read when the first connection needs them, and again when they change.
///
/// The chain, the name and the dates of a server's certificate are always verified; there is no switch for that.
#[derive(Clone)]
pub struct TlsConfig {
    /// File with the certificates (PEM) of the authorities that are trusted; `None` for those of the system.
    pub ca_file: Option<PathBuf>,
    /// What the box proves its own identity with, where a server asks for it.
    pub client: Option<ClientCertificate>,
    /// When not empty, one of these must be in a server's verified chain, besides everything else.
    pub pins: Vec<Pin>,
    /// The date; `None` while nothing has set the clock since the boot.
    pub date: Rc<dyn Fn() -> Option<Wall>>,
}

/// A certificate of the box, for servers that ask for one (TR-069a6 3.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// File with the certificate and those that lead to its authority (PEM), the box's own first.
    pub certificate: PathBuf,
    /// File with its private key (PEM), which nobody but its owner may read or write.
    pub key: PathBuf,
}

/// A file that https needs, as it was read.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PemFile {
    /// Its name, for messages.
    pub name: String,
    /// What is in it.
    pub text: Vec<u8>,
}

impl fmt::Debug for PemFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PemFile({})", self.name)
    }
}

/// Tells whether files are still those that were read: the time of the last change and the size of each.
pub type Stamp = Vec<Option<(SystemTime, u64)>>;

/// The files that https needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Material {
    /// Of which state of the files it is.
    pub stamp: Stamp,
    /// Certificates of the authorities that are trusted; `None` where there is no such file.
    pub authorities: Option<PemFile>,
    /// Whether each of them must be usable: true for a file of the box's own, false for that of the system.
    pub strict: bool,
    /// The box's certificate and its key.
    pub client: Option<(PemFile, PemFile)>,
}

/// Reads the files that https needs, where they cannot be read by whoever speaks https.
#[async_trait(?Send)]
pub trait MaterialSource {
    /// The files, unless they are still those with this stamp.
    ///
    /// # Errors
    /// Which file is missing, unreadable or open to others.
    async fn read(&self, known: Option<Stamp>) -> Result<Option<Material>, String>;
}

/// The SHA-256 of a SubjectPublicKeyInfo (as in RFC 7469 2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin(pub [u8; 32]);

impl Pin {
    /// Reads the Base64 form; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        BASE64.decode(text.as_bytes()).ok()?.try_into().ok().map(Self)
    }
}

impl Default for TlsConfig {
    /// The authorities of the system, no certificate, no pins, and the system's clock, taken to be right.
    fn default() -> Self {
        let date = || {
            let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
            i64::try_from(since_epoch.as_millis()).ok().map(Wall)
        };
        Self { ca_file: None, client: None, pins: Vec::new(), date: Rc::new(date) }
    }
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ca_file, client, pins, date: _ } = self;
        let mut shown = f.debug_struct("TlsConfig");
        shown.field("ca_file", ca_file).field("client", client).field("pins", pins).finish_non_exhaustive()
    }
}

//! What https is configured with.

use std::{
    fmt,
    path::PathBuf,
    rc::Rc,
    time::{SystemTime, UNIX_EPOCH},
};

use cwmp_core::time::Wall;
use data_encoding::BASE64;

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

/// The SHA-256 of a SubjectPublicKeyInfo (as in RFC 7469 2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

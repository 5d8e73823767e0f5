//! The settings of https.

use std::path::PathBuf;

use cwmp_transport::tls_config::{ClientCertificate, Pin};

use super::reader::Reader;

/// Most tls_pins.
const PINS: usize = 16;

/// The files and pins of https. They are read when the first connection needs them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    /// Trusted authorities; `None` for those of the system.
    pub(crate) ca_file: Option<PathBuf>,
    /// The box's own certificate and key.
    pub(crate) client: Option<ClientCertificate>,
    /// Keys of which one must be in a server's chain; empty for any.
    pub(crate) pins: Vec<Pin>,
}

pub(super) fn read(read: &mut Reader<'_>) -> TlsFiles {
    // The empty text takes back what a lower layer names.
    let file = |text: &str| match text {
        "" => Some(None),
        text => super::path(text).map(Some),
    };
    let right = "an absolute path, or empty";
    let ca_file = read.read("tls_ca_file", right, file).flatten();
    let certificate = read.read("tls_client_certificate", right, file).flatten();
    // Given alone, the key would be of no use, and a certificate without a key no proof.
    let key = |text: &str| file(text).filter(|key: &Option<PathBuf>| key.is_some() == certificate.is_some());
    let key = read.read(
        "tls_client_key",
        "an absolute path where tls_client_certificate is one, and empty or absent where that is",
        key,
    );
    let key = key.flatten();
    if certificate.is_some() && key.is_none() {
        read.read::<()>("tls_client_certificate", "accompanied by tls_client_key", |_| None);
    }
    let right = "1 to 16 SHA-256 hashes of public keys in Base64, separated by commas, or empty";
    TlsFiles {
        ca_file,
        client: certificate.zip(key).map(|(certificate, key)| ClientCertificate { certificate, key }),
        pins: read.read("tls_pins", right, pins).unwrap_or_default(),
    }
}

fn pins(text: &str) -> Option<Vec<Pin>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    let list: Option<Vec<Pin>> = text.split(',').map(|pin| Pin::parse(pin.trim())).collect();
    list.filter(|list| list.len() <= PINS)
}

//! Pins: public keys of which one must have a part in the verified chain.
//!
//! What a server presents is not the chain that was verified: it may add any certificate of somebody else. So the keys are
//! not looked for there alone. The chain is verified a second time, with nothing trusted but what is pinned.

use std::sync::Arc;

use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use sha2::{Digest, Sha256};
use webpki::{anchor_from_trusted_cert, spki_for_anchor};

use crate::tls_config::Pin;

/// Whether the chain leads over a pinned key: that of the server itself, of an authority between, or of a trusted one.
pub(super) fn hold(
    pins: &[Pin],
    presented: &[CertificateDer<'_>],
    roots: &RootCertStore,
    provider: &Arc<CryptoProvider>,
    name: &ServerName<'_>,
    now: UnixTime,
) -> bool {
    let Some((server, others)) = presented.split_first() else { return false };
    let is_pinned = |anchor: &rustls::pki_types::TrustAnchor<'_>| {
        let digest: [u8; 32] = Sha256::digest(&*spki_for_anchor(anchor)).into();
        pins.contains(&Pin(digest))
    };
    // The handshake has proven that the server has this key.
    if anchor_from_trusted_cert(server).is_ok_and(|anchor| is_pinned(&anchor)) {
        return true;
    }
    let between = others.iter().filter_map(|other| anchor_from_trusted_cert(other).ok());
    let between = between.filter(|anchor| is_pinned(anchor)).map(|anchor| anchor.to_owned());
    let trusted = roots.roots.iter().filter(|anchor| is_pinned(anchor)).cloned();
    let pinned: RootCertStore = between.chain(trusted).collect();
    if pinned.is_empty() {
        return false;
    }
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(pinned), Arc::clone(provider)).build();
    verifier.is_ok_and(|verifier| verifier.verify_server_cert(server, others, name, &[], now).is_ok())
}

//! A server with TLS on loopback, and a place for the files that the client needs.

#![allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing)]

pub(crate) mod certificates;

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, rc::Rc, sync::Arc};

use cwmp_core::{datetime::DateTime, time::Wall};
use cwmp_transport::{Tls, TlsConfig, tls_config::ClientCertificate};
use rustls::{
    RootCertStore, ServerConfig, SupportedProtocolVersion,
    pki_types::{CertificateDer, PrivateKeyDer},
    server::WebPkiClientVerifier,
};
use tempfile::TempDir;
use tokio_rustls::{LazyConfigAcceptor, server::TlsStream};

use self::certificates::{ALWAYS, Certificate, Says};
use crate::peer::{Peer, Server};

/// When the tests take place.
pub(crate) const TODAY: &str = "2026-12-01T00:00:00Z";

pub(crate) fn wall(text: &str) -> Wall {
    match DateTime::parse(text).unwrap() {
        DateTime::At(wall) => wall,
        other => unreachable!("{other:?}"),
    }
}

/// A root, an authority between, and a server that they speak for.
pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) root: Certificate,
    pub(crate) between: Certificate,
}

impl World {
    pub(crate) fn new() -> Self {
        let (folder, root) = (tempfile::tempdir().unwrap(), Certificate::root("root"));
        fs::write(folder.path().join("ca.pem"), root.pem()).unwrap();
        let between = Certificate::between("between", &root);
        Self { folder, root, between }
    }

    /// A certificate of the authority between.
    pub(crate) fn server(&self, names: &[&str], valid: (&str, &str)) -> Certificate {
        Certificate::of(&Says { common_name: "server", names, valid }, &self.between)
    }

    /// A file that only its owner can read.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// What a box that trusts the root is configured with.
    pub(crate) fn config(&self) -> TlsConfig {
        TlsConfig {
            ca_file: Some(self.folder.path().join("ca.pem")),
            date: Rc::new(|| Some(wall(TODAY))),
            ..TlsConfig::default()
        }
    }

    pub(crate) fn tls(&self) -> Tls {
        Tls::new(self.config())
    }

    /// A certificate for the box.
    pub(crate) fn client(&self) -> ClientCertificate {
        let says = Says { common_name: "00D09E-0001", names: &["box"], valid: ALWAYS };
        let certificate = Certificate::of(&says, &self.root);
        ClientCertificate {
            certificate: self.file("box.pem", &certificate.pem()),
            key: self.file("box.key", &certificate.key_pem()),
        }
    }
}

/// How a server shows itself.
pub(crate) struct Shows<'a> {
    /// Its own certificate, with the key that it uses.
    pub(crate) own: &'a Certificate,
    /// Those that it sends besides.
    pub(crate) others: &'a [&'a Certificate],
    /// Versions of TLS that it speaks.
    pub(crate) versions: &'a [&'static SupportedProtocolVersion],
    /// The authority whose certificates it asks clients for.
    pub(crate) asks: Option<&'a Certificate>,
}

pub(crate) const BOTH: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12, &rustls::version::TLS13];

impl Shows<'_> {
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_protocol_versions(self.versions).unwrap();
        let builder = match self.asks {
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(CertificateDer::from(authority.der.clone())).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
            None => builder.with_no_client_auth(),
        };
        let chain = std::iter::once(&self.own).chain(self.others);
        let chain = chain.map(|certificate| CertificateDer::from(certificate.der.clone())).collect();
        let key = PrivateKeyDer::try_from(self.own.key.clone()).unwrap();
        Arc::new(builder.with_single_cert(chain, key).unwrap())
    }
}

/// What a client says first.
pub(crate) struct Hello {
    pub(crate) server_name: Option<String>,
    pub(crate) suites: Vec<rustls::CipherSuite>,
}

/// Accepts one connection; an error is that of the handshake.
pub(crate) async fn accept(
    server: &Server,
    config: &Arc<ServerConfig>,
) -> std::io::Result<(Peer<TlsStream<tokio::net::TcpStream>>, Hello)> {
    let (tcp, _) = server.socket.accept().await.unwrap();
    let start = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), tcp).await?;
    let hello = start.client_hello();
    let hello =
        Hello { server_name: hello.server_name().map(str::to_owned), suites: hello.cipher_suites().to_vec() };
    Ok((Peer::new(start.into_stream(Arc::clone(config)).await?), hello))
}

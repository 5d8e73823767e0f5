//! Stands in for `tls` in a build without the feature: https URLs are refused, never spoken to in clear text.

use std::{
    io,
    path::PathBuf,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use async_trait::async_trait;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use crate::tls_config::{ClientCertificate, Material, MaterialSource, Stamp, TlsConfig};

/// Holds nothing.
#[derive(Clone, Debug, Default)]
pub struct Tls(());

/// Files that nobody reads.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// As in [`TlsConfig`].
    pub ca_file: Option<PathBuf>,
    /// As in [`TlsConfig`].
    pub client: Option<ClientCertificate>,
}

#[async_trait(?Send)]
impl MaterialSource for TlsFiles {
    async fn read(&self, _: Option<Stamp>) -> Result<Option<Material>, String> {
        Err("this build has no TLS".to_owned())
    }
}

/// There is none.
#[derive(Clone, Copy)]
pub(crate) enum Attempt {}

/// Why there is no secure connection; there is not even a try.
pub(crate) enum Failure {
    #[expect(dead_code, reason = "the same words as with TLS")]
    Later(Attempt),
    #[expect(dead_code, reason = "the same words as with TLS")]
    Refused(String),
}

impl Tls {
    /// The configuration is of no use.
    #[must_use]
    pub fn new(_: TlsConfig) -> Self {
        Self(())
    }

    /// Neither are the files.
    #[must_use]
    pub fn with_files(_: TlsConfig, _: Rc<dyn MaterialSource>) -> Self {
        Self(())
    }

    pub(crate) fn begin(&self) -> Result<Attempt, String> {
        Err("the URL asks for https, and this build has no TLS; nothing was sent in clear text".to_owned())
    }

    #[allow(clippy::unused_async)]
    pub(crate) async fn secure(
        &self,
        _: TcpStream,
        _: &str,
        attempt: Attempt,
    ) -> Result<SecureStream, Failure> {
        match attempt {}
    }
}

/// There is none.
pub(crate) enum SecureStream {}

impl SecureStream {
    pub(crate) fn tcp(&self) -> &TcpStream {
        match *self {}
    }
}

impl AsyncRead for SecureStream {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match *self {}
    }
}

impl AsyncWrite for SecureStream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        match *self {}
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match *self {}
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match *self {}
    }
}

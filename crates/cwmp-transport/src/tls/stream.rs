//! A connection with TLS on it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

/// Ends with a close_notify, as far as that can be sent without waiting.
pub(crate) struct SecureStream(Box<TlsStream<TcpStream>>);

impl SecureStream {
    pub(super) fn new(stream: TlsStream<TcpStream>) -> Self {
        Self(Box::new(stream))
    }

    /// What it runs over.
    pub(crate) fn tcp(&self) -> &TcpStream {
        self.0.get_ref().0
    }
}

impl Drop for SecureStream {
    fn drop(&mut self) {
        let (tcp, tls) = self.0.get_mut();
        // Behind something that could not be sent it would mean nothing.
        if !tls.wants_write() {
            tls.send_close_notify();
            let mut record = Vec::new();
            if tls.write_tls(&mut record).is_ok() {
                // Without room in the kernel the peer sees the end of the connection alone.
                let _ = tcp.try_write(&record);
            }
        }
    }
}

impl AsyncRead for SecureStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.get_mut().0).poll_read(cx, buf)
    }
}

impl AsyncWrite for SecureStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.get_mut().0).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.get_mut().0).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.get_mut().0).poll_shutdown(cx)
    }
}

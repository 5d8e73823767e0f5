//! An HTTP proxy for tests that gives tunnels to who knows its password.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use cwmp_core::digest::parse_basic;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// What the proxy asks for.
pub const USERNAME: &str = "box";
/// What the proxy asks for.
pub const PASSWORD: &str = "proxy-secret";

/// Largest head of a request, in bytes.
const HEAD_BYTES: usize = 8 * 1024;

/// Gives tunnels until it is dropped; those that are open last as long as their ends want.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    tunnels: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    /// A proxy at a port of its own, through which `host` leads to this server, and nothing else leads anywhere.
    ///
    /// # Errors
    /// The I/O error.
    pub async fn start(host: &str, to: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (address, tunnels) = (listener.local_addr()?, Arc::<AtomicUsize>::default());
        let (host, count) = (host.to_owned(), Arc::clone(&tunnels));
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (host, count) = (host.clone(), Arc::clone(&count));
                tokio::spawn(async move { serve(client, &host, to, &count).await });
            }
        });
        Ok(Self { address, tunnels, task })
    }

    /// The tunnels that it has given so far.
    #[must_use]
    pub fn tunnels(&self) -> usize {
        self.tunnels.load(Ordering::Relaxed)
    }
}

async fn serve(mut client: TcpStream, host: &str, to: SocketAddr, count: &AtomicUsize) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < HEAD_BYTES {
        head.push(client.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let login =
        head.lines().find_map(|line| line.strip_prefix("Proxy-Authorization: ")).and_then(parse_basic);
    let refusal = if login != Some((USERNAME.to_owned(), PASSWORD.to_owned())) {
        "407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"proxy\""
    } else if !head.starts_with(&format!("CONNECT {host} HTTP/1.1\r\n")) {
        "403 Forbidden"
    } else {
        let mut server = TcpStream::connect(to).await?;
        count.fetch_add(1, Ordering::Relaxed);
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
        copy_bidirectional(&mut client, &mut server).await?;
        return Ok(());
    };
    client.write_all(format!("HTTP/1.1 {refusal}\r\nContent-Length: 0\r\n\r\n").as_bytes()).await
}

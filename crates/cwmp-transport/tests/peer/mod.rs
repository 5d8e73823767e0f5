//! A peer on loopback that reads and writes exact bytes.

#![allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice)]

use std::net::SocketAddr;

use cwmp_core::{
    io::AcsTarget,
    settings::{HttpCompression, Secret},
    url::HttpUrl,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A listening server that does what the test's script says.
pub(crate) struct Server {
    pub(crate) socket: TcpListener,
    pub(crate) address: SocketAddr,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::on("127.0.0.1:0").await
    }

    pub(crate) async fn on(address: &str) -> Self {
        let socket = TcpListener::bind(address).await.unwrap();
        let address = socket.local_addr().unwrap();
        Self { socket, address }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn target(&self, path: &str) -> AcsTarget {
        target(&self.url(path))
    }

    /// Nobody is waiting to be accepted.
    pub(crate) fn assert_nobody_came(self) {
        let came = self.socket.into_std().unwrap().accept();
        assert_eq!(came.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    }

    pub(crate) async fn accept(&self) -> Peer {
        Peer::new(self.socket.accept().await.unwrap().0)
    }
}

pub(crate) fn target(url: &str) -> AcsTarget {
    AcsTarget {
        url: HttpUrl::parse(url).unwrap(),
        username: "cpe".into(),
        password: Secret("top secret".into()),
        compression: HttpCompression::Disabled,
        keep_cookies: false,
    }
}

/// A message as it came: head with its empty line, and body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Message {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn first_line(&self) -> &str {
        self.head.lines().next().unwrap()
    }
}

/// One connection.
pub(crate) struct Peer<S = TcpStream> {
    pub(crate) stream: S,
    buffer: Vec<u8>,
}

impl Peer {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::new(TcpStream::connect(address).await.unwrap())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    /// The next message by its Content-Length; panics where the connection ends before.
    pub(crate) async fn read(&mut self) -> Message {
        self.try_read().await.unwrap()
    }

    /// The next message, `None` at the end of the connection.
    pub(crate) async fn try_read(&mut self) -> Option<Message> {
        let mut message = self.try_head().await?;
        let length = message.header("content-length").map_or(0, |length| length.parse().unwrap());
        message.body = self.try_body(length).await?;
        Some(message)
    }

    /// The head of the next message alone.
    pub(crate) async fn head(&mut self) -> Message {
        self.try_head().await.unwrap()
    }

    /// So many bytes.
    pub(crate) async fn body(&mut self, length: usize) -> Vec<u8> {
        self.try_body(length).await.unwrap()
    }

    async fn try_head(&mut self) -> Option<Message> {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            self.more().await?;
        };
        let head = String::from_utf8(self.buffer.drain(..end).collect()).unwrap();
        Some(Message { head, body: Vec::new() })
    }

    async fn try_body(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < length {
            self.more().await?;
        }
        Some(self.buffer.drain(..length).collect())
    }

    /// Waits until a message has begun, without taking it.
    pub(crate) async fn first_bytes(&mut self) {
        while self.buffer.is_empty() {
            self.more().await.unwrap();
        }
    }

    /// What has come and was not taken; `None` at the end of the connection.
    pub(crate) async fn rest(&mut self) -> Option<Vec<u8>> {
        if self.buffer.is_empty() {
            self.more().await?;
        }
        Some(std::mem::take(&mut self.buffer))
    }

    async fn more(&mut self) -> Option<()> {
        let mut chunk = [0; 8192];
        let count = self.stream.read(&mut chunk).await.ok().filter(|count| *count > 0)?;
        self.buffer.extend_from_slice(&chunk[..count]);
        Some(())
    }

    /// Whether the other side has ended the connection without a further byte.
    pub(crate) async fn ended(&mut self) -> bool {
        self.buffer.is_empty() && self.more().await.is_none()
    }

    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Answers with 200 and this body.
    pub(crate) async fn ok(&mut self, body: &str) {
        self.reply("200 OK", "", body).await;
    }

    /// Answers; `headers` are whole lines.
    pub(crate) async fn reply(&mut self, status: &str, headers: &str, body: &str) {
        let length = body.len();
        self.write(format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n{body}")).await;
    }
}

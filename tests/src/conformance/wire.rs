//! The real program over loopback. The ACS is a bare HTTP server that says exactly what the case says.

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use cwmp_acs::{Login, connection_request};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use super::stage::{Act, Post, Reply, Seen, Stage};
use crate::{Cwmpd, Sandbox, sandbox::known};

/// How long the program may take for what a case expects of it.
const PATIENCE: Duration = Duration::from_secs(20);
/// Largest POST that is read.
const POST_BYTES: usize = 64 * 1024 * 1024;
const URL: &str = "Device.ManagementServer.ConnectionRequestURL";

/// The program in a sandbox, and the server that it talks to.
pub struct Wire {
    sandbox: Sandbox,
    /// Keeps the folder.
    _folder: TempDir,
    program: Option<Cwmpd>,
    address: SocketAddr,
    listener: Option<TcpListener>,
    connection: Option<Connection>,
    seen: VecDeque<Seen>,
}

struct Connection {
    stream: TcpStream,
    /// Read and not yet used.
    buffer: Vec<u8>,
}

impl Wire {
    /// A box with these settings that boots for the first time.
    ///
    /// # Errors
    /// What keeps it from starting.
    pub async fn new(factory: &[(String, String, String)]) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let mut sandbox = Sandbox::new(folder.path(), &format!("http://{address}/")).with(
            "ManagementServer",
            "PeriodicInformEnable",
            "false",
        );
        for (section, key, value) in factory {
            sandbox = sandbox.with(section, key, &value.replace("{acs}", &address.to_string()));
        }
        let program = Some(Cwmpd::start(&sandbox)?);
        let listener = Some(listener);
        Ok(Self {
            sandbox,
            _folder: folder,
            program,
            address,
            listener,
            connection: None,
            seen: VecDeque::new(),
        })
    }

    /// What the program has logged.
    #[must_use]
    pub fn logged(&self) -> String {
        self.program.as_ref().map(Cwmpd::log).unwrap_or_default()
    }

    /// Runs a command of the command line; `Err` for one that cannot be run, `None` for one that is refused.
    async fn ask(&self, words: Vec<String>) -> Result<Option<String>, String> {
        let program = self.program.as_ref().ok_or("the program does not run")?;
        // The command is answered by the program, which may want to talk to this thread first.
        let output = program.ask(&words)?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(output.status.success().then_some(said))
    }

    async fn ring(&self) -> Result<bool, String> {
        let values = self.read_values(&[URL.to_owned()]).await?;
        let url = values.first().map(|(_, url)| url.clone()).unwrap_or_default();
        if url.is_empty() {
            return Ok(false);
        }
        let login = Login::new(known::CR_USERNAME, known::CR_PASSWORD);
        let status = connection_request::send(&url, Some(&login)).await.map_err(|error| error.to_string())?;
        Ok(matches!(status, 200 | 204))
    }

    async fn read_values(&self, paths: &[String]) -> Result<Vec<(String, String)>, String> {
        let words = std::iter::once("get".to_owned()).chain(paths.iter().cloned()).collect();
        let said = self.ask(words).await?.ok_or_else(|| format!("{} cannot be read", paths.join(", ")))?;
        let pair =
            |line: &str| line.split_once('=').map(|(name, value)| (name.trim().into(), value.trim().into()));
        Ok(said.lines().filter_map(pair).collect())
    }

    /// The next request on the connection; `None` when the program has closed it.
    async fn request(connection: &mut Connection) -> Result<Option<Post>, String> {
        let mut chunk = vec![0; 64 * 1024];
        loop {
            if let Some((post, used)) = whole(&connection.buffer)? {
                connection.buffer.drain(..used);
                return Ok(Some(post));
            }
            // A reset is an end as well.
            let read = connection.stream.read(&mut chunk).await.unwrap_or(0);
            match (read, connection.buffer.is_empty()) {
                (0, true) => return Ok(None),
                (0, false) => return Err("the program closed the connection within a request".to_owned()),
                (read, _) => connection.buffer.extend_from_slice(chunk.get(..read).unwrap_or_default()),
            }
            if connection.buffer.len() > POST_BYTES {
                return Err(format!("a request of more than {POST_BYTES} bytes"));
            }
        }
    }
}

/// A whole request at the beginning of the bytes, and its length.
fn whole(bytes: &[u8]) -> Result<Option<(Post, usize)>, String> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned();
    let head: Vec<String> = head.split("\r\n").map(str::to_owned).collect();
    let length = head.iter().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok()).flatten()
    });
    let length = length.ok_or_else(|| format!("a request without Content-Length: {head:?}"))?;
    let body = bytes.get(end + 4..end + 4 + length).map(<[u8]>::to_vec);
    Ok(body.map(|body| (Post { head: Some(head), body }, end + 4 + length)))
}

/// The bytes of a reply.
fn encoded(reply: &Reply) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {} As The Case Wants\r\n", reply.status);
    if !reply.body.is_empty() {
        head.push_str("Content-Type: text/xml; charset=\"utf-8\"\r\n");
    }
    if let Some(seconds) = reply.retry_after {
        head.push_str(&format!("Retry-After: {seconds}\r\n"));
    }
    for header in &reply.headers {
        head.push_str(&format!("{header}\r\n"));
    }
    if reply.close {
        head.push_str("Connection: close\r\n");
    }
    let announced =
        reply.headers.iter().any(|header| header.to_ascii_lowercase().starts_with("content-length:"));
    let mut bytes = Vec::new();
    if reply.chunked {
        head.push_str("Transfer-Encoding: chunked\r\n\r\n");
        bytes.extend_from_slice(head.as_bytes());
        for byte in &reply.body {
            bytes.extend_from_slice(&[b'1', b'\r', b'\n', *byte, b'\r', b'\n']);
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        return bytes;
    }
    if reply.status != 204 && !announced {
        head.push_str(&format!("Content-Length: {}\r\n", reply.body.len()));
    }
    head.push_str("\r\n");
    bytes.extend_from_slice(head.as_bytes());
    bytes.extend_from_slice(&reply.body);
    bytes
}

impl Stage for Wire {
    async fn next(&mut self) -> Result<Option<Seen>, String> {
        if let Some(seen) = self.seen.pop_front() {
            return Ok(Some(seen));
        }
        let Some(connection) = &mut self.connection else {
            let listener = self.listener.as_ref().ok_or("the ACS is not reachable")?;
            let Ok(accepted) = timeout(PATIENCE, listener.accept()).await else { return Ok(None) };
            let (stream, _) = accepted.map_err(|error| error.to_string())?;
            self.connection = Some(Connection { stream, buffer: Vec::new() });
            return Ok(Some(Seen::Connect));
        };
        match timeout(PATIENCE, Self::request(connection)).await {
            Err(_) => Ok(None),
            Ok(Ok(Some(post))) => Ok(Some(Seen::Post(post))),
            Ok(Ok(None)) => {
                self.connection = None;
                Ok(Some(Seen::Close))
            }
            Ok(Err(error)) => Err(error),
        }
    }

    fn waiting(&self) -> Option<&Seen> {
        self.seen.front()
    }

    async fn reply(&mut self, reply: Reply) -> Result<(), String> {
        let connection = self.connection.as_mut().ok_or("there is no connection")?;
        let sent = connection.stream.write_all(&encoded(&reply)).await;
        sent.map_err(|error| format!("the reply cannot be sent: {error}"))?;
        if reply.close {
            self.connection = None;
        }
        Ok(())
    }

    async fn act(&mut self, act: &Act) -> Result<bool, String> {
        match act {
            Act::Set(name, value) => {
                return Ok(self.ask(vec!["set".into(), format!("{name}={value}")]).await?.is_some());
            }
            Act::Inform => return Ok(self.ask(vec!["inform".into()]).await?.is_some()),
            Act::AcsMethods => return Ok(self.ask(vec!["acs-methods".into()]).await?.is_some()),
            Act::ConnectionRequest => return self.ring().await,
            Act::Drop => {
                self.connection = None;
                self.seen.push_back(Seen::Close);
            }
            Act::PowerCut => {
                if let Some(program) = self.program.take() {
                    program.kill().map_err(|error| error.to_string())?;
                }
                self.connection = None;
                self.program = Some(Cwmpd::start(&self.sandbox)?);
            }
            Act::Reachable(false) => self.listener = None,
            Act::Reachable(true) => {
                let again = TcpListener::bind(self.address).await.map_err(|error| error.to_string())?;
                self.listener = Some(again);
            }
            other => return Err(format!("{other:?} cannot be played with the real program")),
        }
        Ok(true)
    }

    async fn values(&mut self, paths: &[String]) -> Result<Vec<(String, String)>, String> {
        self.read_values(paths).await
    }

    async fn picture(&mut self) -> Result<String, String> {
        let values = self.read_values(&["Device.ManagementServer.".to_owned()]).await?;
        Ok(values.into_iter().map(|(name, value)| format!("{name}={value}\n")).collect())
    }

    fn log(&self) -> Result<String, String> {
        Ok(self.logged())
    }

    fn disk(&self) -> Result<String, String> {
        Err("what lies on the disk is looked at in memory only".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_whole_when_its_body_is_there() {
        let bytes = b"POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\nabcPOST";
        assert_eq!(whole(&bytes[..40]).unwrap(), None);
        let (post, used) = whole(bytes).unwrap().unwrap();
        assert_eq!((post.body.as_slice(), used), (b"abc".as_slice(), bytes.len() - 4));
        assert!(whole(b"POST / HTTP/1.1\r\n\r\n").is_err());
    }

    #[test]
    fn a_chunked_reply_comes_byte_by_byte() {
        let reply = Reply { status: 200, chunked: true, body: b"ab".to_vec(), ..Reply::default() };
        assert!(encoded(&reply).ends_with(b"\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n"));
    }
}

//! The control socket: a Unix socket (mode 0600) on which `cwmpd get`, `set`, `status` and the rest talk to the running
//! agent. One JSON object a line each way.

use std::{
    fs,
    io::{self, BufRead, BufReader, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream as BlockingStream},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use cwmp_core::agent::{AgentStatus, LocalTransfer};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader as AsyncBufReader},
    net::{UnixListener, UnixStream},
    sync::{Semaphore, mpsc, oneshot},
};

use crate::discovery::{self, Announcement};

/// Longest request, in bytes.
const REQUEST_BYTES: u64 = 64 * 1024;
/// Longest wait for a client's request.
const CLIENT_PATIENCE: Duration = Duration::from_secs(10);
/// Longest wait of the command line for an answer.
const ANSWER_PATIENCE: Duration = Duration::from_secs(60);
/// Clients served at once; further ones wait.
const CLIENTS: usize = 4;

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub(crate) enum Request {
    /// Values of parameters and whole objects.
    Get { paths: Vec<String> },
    /// Set parameters, all or none, as somebody on the box.
    Set { values: Vec<(String, String)> },
    /// Add a row to this table, as somebody on the box.
    Add { path: String },
    /// Delete this row.
    Delete { path: String },
    /// Look whether a watched parameter has changed.
    Look,
    /// Read the configuration anew: the program starts again.
    Reload,
    /// What the agent does and waits for.
    Status,
    /// Hold a session now.
    Inform,
    /// Hold a session now and ask the ACS for its methods.
    AcsMethods,
    /// Report a vendor's event to the ACS.
    Event { code: String },
    /// Restart the box.
    Reboot,
    /// Factory reset.
    FactoryReset,
    /// Transfer a file.
    Transfer { order: Box<LocalTransfer> },
    /// Agree to the scheduled downloads with this CommandKey.
    Confirm { command_key: String },
    /// A DHCP client has got an answer.
    Dhcp(Announcement),
    /// Ask the ACS for a download.
    WantDownload { file_type: String, args: Vec<(String, String)> },
}

/// What a client is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub(crate) enum Answer {
    /// Names and values.
    Values { values: Vec<(String, String)> },
    /// The number of the row that was added.
    Added { instance: u32 },
    /// State of the agent.
    Status { status: Box<AgentStatus> },
    /// Done, or under way.
    Done,
    /// Refused or failed.
    Error { errors: Vec<String> },
}

impl Answer {
    pub(crate) fn error(text: impl Into<String>) -> Self {
        Answer::Error { errors: vec![text.into()] }
    }
}

/// A request on its way to the driver.
pub(crate) struct Asked {
    pub(crate) request: Request,
    pub(crate) answer: oneshot::Sender<Answer>,
}

/// The listening socket; its file is removed with it.
pub(crate) struct ControlSocket {
    path: PathBuf,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        self.task.abort();
        let _ = fs::remove_file(&self.path);
    }
}

impl ControlSocket {
    /// Opens the socket and serves it on the present runtime. A socket that a dead agent left behind is replaced; one that
    /// answers is not.
    ///
    /// # Errors
    /// The I/O error, or AddrInUse when another agent runs.
    pub(crate) fn open(path: &Path, requests: mpsc::Sender<Asked>) -> io::Result<Self> {
        if BlockingStream::connect(path).is_ok() {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "another cwmpd answers on it"));
        }
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // Bound under another name first: nobody can connect before the mode is right.
        let hidden = path.with_extension("new");
        let _ = fs::remove_file(&hidden);
        let listener = UnixListener::bind(&hidden)?;
        fs::set_permissions(&hidden, fs::Permissions::from_mode(0o600))?;
        fs::rename(&hidden, path)?;
        let task = tokio::task::spawn_local(accept(listener, requests));
        Ok(Self { path: path.to_owned(), task })
    }
}

async fn accept(listener: UnixListener, requests: mpsc::Sender<Asked>) {
    let places = Arc::new(Semaphore::new(CLIENTS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!("control socket: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let requests = requests.clone();
        tokio::task::spawn_local(async move {
            let _place = place;
            if let Err(error) = serve(stream, &requests).await {
                tracing::debug!("control socket: {error}");
            }
        });
    }
}

async fn serve(mut stream: UnixStream, requests: &mpsc::Sender<Asked>) -> io::Result<()> {
    let mut line = String::new();
    let mut reader = AsyncBufReader::new((&mut stream).take(REQUEST_BYTES));
    let reading = reader.read_line(&mut line);
    tokio::time::timeout(CLIENT_PATIENCE, reading).await.map_err(|_| io::ErrorKind::TimedOut)??;
    let answer = match serde_json::from_str(&line) {
        Err(error) => Answer::error(format!("not a request: {error}")),
        Ok(request) => {
            let (answer, answered) = oneshot::channel();
            let _ = requests.send(Asked { request, answer }).await;
            answered.await.unwrap_or_else(|_| Answer::error("the agent is stopping"))
        }
    };
    let mut text = serde_json::to_vec(&answer)?;
    text.push(b'\n');
    stream.write_all(&text).await
}

/// Asks a running agent.
///
/// # Errors
/// A sentence for the command line.
pub(crate) fn ask(socket: &Path, request: &Request) -> Result<Answer, String> {
    let failed = |error: io::Error| format!("{}: {error} (does cwmpd run?)", socket.display());
    let mut stream = match (BlockingStream::connect(socket), request) {
        (Ok(stream), _) => stream,
        // A network that is up before the agent: it hears of it when it starts.
        (Err(_), Request::Dhcp(announcement)) => {
            return discovery::leave(socket, announcement).map(|()| Answer::Done);
        }
        (Err(error), _) => return Err(failed(error)),
    };
    stream.set_read_timeout(Some(ANSWER_PATIENCE)).map_err(failed)?;
    let mut text = serde_json::to_vec(request).map_err(|error| error.to_string())?;
    text.push(b'\n');
    stream.write_all(&text).map_err(failed)?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).map_err(failed)?;
    serde_json::from_str(&line).map_err(|error| format!("{}: no answer: {error}", socket.display()))
}

/// Prints an answer for people; returns whether it was a good one.
pub(crate) fn print(answer: &Answer) -> bool {
    match answer {
        Answer::Values { values } => {
            for (name, value) in values {
                println!("{name}={value}");
            }
        }
        Answer::Added { instance } => println!("{instance}"),
        Answer::Status { status } => print_status(status),
        Answer::Done => {}
        Answer::Error { errors } => {
            for error in errors {
                eprintln!("cwmpd: {error}");
            }
        }
    }
    !matches!(answer, Answer::Error { .. })
}

fn print_status(status: &AgentStatus) {
    let seconds = |ms: Option<u64>| ms.map_or("-".to_owned(), |ms| format!("in {} s", ms.div_ceil(1000)));
    println!(
        "session:      {}",
        serde_json::to_value(status.session)
            .ok()
            .and_then(|v| v.as_str().map(str::to_owned))
            .unwrap_or_default()
    );
    println!("ACS:          {}", status.acs_url.as_deref().unwrap_or("none: set ManagementServer.URL"));
    println!("bootstrapped: {}", if status.bootstrapped { "yes" } else { "no" });
    println!("RetryCount:   {}", status.retry_count);
    println!("next retry:   {}", seconds(status.retry_in_ms));
    println!("periodic:     {}", seconds(status.periodic_in_ms));
    println!(
        "undelivered:  {}",
        if status.events.is_empty() { "-".to_owned() } else { status.events.join(", ") }
    );
    if let Some(methods) = &status.acs_methods {
        println!("ACS methods:  {}", methods.join(", "));
    }
    for transfer in &status.transfers {
        println!("transfer:     {} {}: {}", transfer.file_type, transfer.url, transfer.state);
        if let Some(message) = &transfer.asks {
            println!("              waits for `cwmpd confirm {}`: {message}", transfer.command_key);
        }
    }
}

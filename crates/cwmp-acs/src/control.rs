//! One-shot commands over a Unix socket: a line of JSON each way, mode 0600.
//!
//! The client sends `{"words": ["get", "Device.DeviceInfo."]}`; it gets any number of `{"note": "..."}` and then
//! `{"ok": true, "text": "..."}`.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::mpsc,
    task::{AbortHandle, JoinSet},
};

use crate::{
    acs::Acs,
    auth::random_hex,
    command::{self, Command},
    limits,
    serve::{Done, execute},
};

#[derive(Serialize, Deserialize)]
struct Ask {
    words: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Tell {
    Note { note: String },
    Done { ok: bool, text: String },
}

/// A control socket that is being served; dropping it removes the socket.
#[derive(Debug)]
pub struct Control {
    path: PathBuf,
    task: AbortHandle,
}

impl Drop for Control {
    fn drop(&mut self) {
        self.task.abort();
        // Somebody else has removed it already: as wanted.
        let _ = fs::remove_file(&self.path);
    }
}

/// Serves commands at a socket that only its owner can open. A socket that a dead program has left is replaced.
///
/// # Errors
/// Where the path is taken by something else or by a running program, or cannot be made.
pub fn listen(path: &Path, acs: Acs) -> io::Result<Control> {
    clear_way(path)?;
    let listener = bind_private(path)?;
    let task = tokio::spawn(async move {
        let mut clients = JoinSet::new();
        loop {
            tokio::select! {
                Ok((stream, _)) = listener.accept() => {
                    let acs = acs.clone();
                    // A client that goes away early loses its answer, nothing else.
                    clients.spawn(async move { drop(answer(stream, &acs).await) });
                }
                Some(_) = clients.join_next() => {}
                else => return,
            }
        }
    });
    Ok(Control { path: path.to_owned(), task: task.abort_handle() })
}

fn clear_way(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(meta) if !meta.file_type().is_socket() => Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            format!("{} exists and is no socket", path.display()),
        )),
        Ok(_) if std::os::unix::net::UnixStream::connect(path).is_ok() => Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            format!("another program serves {}", path.display()),
        )),
        Ok(_) => fs::remove_file(path),
    }
}

/// The socket comes to be in a folder that nobody else can enter, and moves to its place once its mode is set: there is
/// no moment at which another user could open it.
fn bind_private(path: &Path) -> io::Result<UnixListener> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let suffix: String = random_hex().chars().take(8).collect();
    let folder = parent.join(format!(".cwmp-acs-{suffix}"));
    fs::DirBuilder::new().mode(0o700).create(&folder)?;
    let socket = folder.join("s");
    let made = UnixListener::bind(&socket).and_then(|listener| {
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o600))?;
        fs::rename(&socket, path)?;
        Ok(listener)
    });
    if made.is_err() {
        // It may not have come to be.
        let _ = fs::remove_file(&socket);
    }
    fs::remove_dir(&folder)?;
    made
}

async fn answer(stream: UnixStream, acs: &Acs) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    BufReader::new(read.take(limits::CONTROL_LINE as u64)).read_line(&mut line).await?;
    let done = match serde_json::from_str::<Ask>(&line) {
        Err(error) => Done::failed(format!("not understood: {error}")),
        Ok(ask) => match command::parse(&ask.words) {
            Err(error) => Done::failed(error.to_string()),
            Ok(None) => Done::failed("no command"),
            Ok(Some(command)) => {
                let (notes, mut told) = mpsc::unbounded_channel();
                let mut work = std::pin::pin!(execute(acs, command, notes));
                loop {
                    tokio::select! {
                        biased;
                        Some(note) = told.recv() => send(&mut write, &Tell::Note { note }).await?,
                        done = &mut work => break done,
                    }
                }
            }
        },
    };
    send(&mut write, &Tell::Done { ok: done.ok, text: done.text }).await
}

async fn send(write: &mut (impl AsyncWriteExt + Unpin), tell: &Tell) -> io::Result<()> {
    let mut line = serde_json::to_vec(tell).map_err(io::Error::other)?;
    line.push(b'\n');
    write.write_all(&line).await
}

/// Has a running `cwmp-acs serve` do a command; `note` is told what is worth knowing meanwhile.
///
/// # Errors
/// Where nobody serves the socket, or goes away before the answer.
pub async fn ask(path: &Path, mut words: Vec<String>, note: impl Fn(&str)) -> io::Result<Done> {
    if let Ok(Some(Command::Raw(_, file))) = command::parse(&words) {
        // The ACS has a working folder of its own.
        let absolute = std::path::absolute(file)?.into_os_string().into_string();
        words.pop();
        words.push(absolute.map_err(|_| io::Error::other("the name of the file is not UTF-8"))?);
    }
    let stream = UnixStream::connect(path)
        .await
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
    let (read, mut write) = stream.into_split();
    let mut line = serde_json::to_vec(&Ask { words }).map_err(io::Error::other)?;
    line.push(b'\n');
    write.write_all(&line).await?;
    let mut lines = BufReader::new(read.take(limits::BODY_BYTES as u64)).lines();
    while let Some(line) = lines.next_line().await? {
        match serde_json::from_str(&line).map_err(io::Error::other)? {
            Tell::Note { note: text } => note(&text),
            Tell::Done { ok, text } => return Ok(Done { ok, text }),
        }
    }
    Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the ACS has gone away before its answer"))
}

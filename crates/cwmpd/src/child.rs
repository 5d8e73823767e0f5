//! Starts the protocol process, and ends it.

use std::{
    io,
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::ExitStatusExt},
    },
    process::{ExitStatus, Stdio},
    time::Duration,
};

use nix::unistd::User;
use tokio::{
    process::{Child, Command},
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::timeout,
};

use crate::border::{Begin, BoxEnd, Ear, End, frames, limits};

/// This program, also where its file has been replaced since the start.
const PROGRAM: &str = "/proc/self/exe";
/// The command that makes it the protocol process; for nobody to type.
pub(crate) const VERB: &str = "protocol";
/// How long the protocol process may take to end once its socket is closed.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The running protocol process.
pub(crate) struct ProtocolProcess {
    stop: oneshot::Sender<()>,
    keeper: JoinHandle<()>,
}

impl ProtocolProcess {
    /// Starts it, as this user where one is given, and returns the end of the border towards it.
    ///
    /// # Errors
    /// The I/O error.
    pub(crate) fn start(begin: &Begin, user: Option<&User>) -> io::Result<(BoxEnd, Self)> {
        let (ours, theirs) = UnixStream::pair()?;
        let first = frames::encode(begin, limits::DOWN_BYTES)?;
        let mut command = Command::new(PROGRAM);
        command.arg0("cwmpd").arg(VERB).env_clear().current_dir("/").kill_on_drop(true);
        command.stdin(OwnedFd::from(theirs)).stdout(Stdio::null()).stderr(Stdio::inherit());
        if let Some(user) = user {
            command.gid(user.gid.as_raw()).uid(user.uid.as_raw());
        }
        let child = command.spawn()?;
        // Its end of the socket must not stay open here: that it is closed tells of its end.
        drop(command);
        ours.set_nonblocking(true)?;
        let stream = tokio::net::UnixStream::from_std(ours)?;
        let (send, messages) = mpsc::unbounded_channel();
        let (heard, hear) = mpsc::channel(limits::WAITING_MESSAGES);
        let (stop, stopped) = oneshot::channel();
        let keeper = tokio::task::spawn_local(async move {
            let (mut reader, mut writer) = stream.into_split();
            let write = async {
                tokio::io::AsyncWriteExt::write_all(&mut writer, &first).await?;
                drop(first);
                frames::send_all(messages, writer, limits::DOWN_BYTES).await
            };
            let read = async {
                while let Some(message) = frames::read(&mut reader, limits::UP_BYTES).await? {
                    if heard.send(message).await.is_err() {
                        break;
                    }
                }
                Ok::<_, io::Error>(())
            };
            let mut stopped = stopped;
            let outcome = tokio::select! {
                read = read => read,
                Err(error) = write => Err(error),
                () = heard.closed() => Ok(()),
                _ = &mut stopped => return end(child, reader).await,
            };
            if let Err(error) = outcome {
                tracing::error!("the border to the protocol process: {error}");
            }
            end(child, reader).await;
        });
        Ok((End { send, hear: Ear::Outside(hear) }, Self { stop, keeper }))
    }

    /// Lets it end, and ends it where it does not.
    pub(crate) async fn stop(self) {
        self.stop.send(()).ok();
        self.keeper.await.ok();
    }
}

/// Closes the socket, which is the sign to end.
async fn end(mut child: Child, socket: impl Sized) {
    drop(socket);
    let ended = match timeout(LAST_WORDS, child.wait()).await {
        Ok(ended) => ended,
        Err(_) => match child.start_kill() {
            Ok(()) => child.wait().await,
            Err(error) => Err(error),
        },
    };
    match ended {
        Ok(status) if status.success() => {}
        Ok(status) => tracing::error!("the protocol process ended with {}", said(status)),
        Err(error) => tracing::error!("the protocol process: {error}"),
    }
}

fn said(status: ExitStatus) -> String {
    status.signal().map_or_else(|| status.to_string(), |signal| format!("signal {signal}"))
}

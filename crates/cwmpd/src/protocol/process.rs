//! The protocol process: gives up what it does not need, and then serves the agent until the box process is gone.

use std::{
    io::{self, Read},
    os::{fd::AsFd, unix::net::UnixStream},
};

use nix::sys::{
    prctl,
    signal::{SigSet, Signal},
};
use tokio::sync::mpsc;

use super::{confine, driver};
use crate::{
    border::{Begin, Ear, End, frames, limits},
    log,
    run::{one, runtime},
};

/// Runs until the box process closes the socket that is standard input.
///
/// # Errors
/// Why it cannot start, a sentence each. Later errors are logged.
pub(crate) fn run() -> Result<(), Vec<String>> {
    let (begin, stream) = begin()?;
    let runtime = runtime()?;
    tokio::task::LocalSet::new().block_on(&runtime, serve(begin, stream)).map_err(one)?;
    // Nothing here is worth waiting for: what must last is with the box.
    runtime.shutdown_background();
    Ok(())
}

/// Hears what the box says first, and gives up what is not needed.
///
/// # Errors
/// As for [`run`].
pub(crate) fn begin() -> Result<(Begin, UnixStream), Vec<String>> {
    let (begin, stream) = open().map_err(|error| {
        vec![format!("standard input is not the socket of a box process ({error}): start `cwmpd run`")]
    })?;
    log::start(begin.log_level.parse().unwrap_or(tracing::Level::INFO));
    follow_the_box().map_err(one)?;
    confine::confine(&begin.private_folders).map_err(one)?;
    Ok((begin, stream))
}

/// The socket, and what comes first on it.
fn open() -> io::Result<(Begin, UnixStream)> {
    let mut stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut head = [0; 4];
    stream.peer_addr()?;
    stream.read_exact(&mut head)?;
    let length = frames::length(head, limits::DOWN_BYTES)?;
    let mut bytes = Vec::new();
    Read::by_ref(&mut stream).take(length as u64).read_to_end(&mut bytes)?;
    Ok((frames::decode(&bytes)?, stream))
}

/// Ends with the box process and with nothing else.
fn follow_the_box() -> io::Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    // What an init system sends to all processes of a service is the box process's to obey.
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        signals.add(signal);
    }
    signals.thread_block()?;
    // No core file with passwords in it, and nobody of the same user looks into this memory.
    prctl::set_dumpable(false)?;
    Ok(())
}

async fn serve(begin: Begin, stream: UnixStream) -> io::Result<()> {
    stream.set_nonblocking(true)?;
    let (mut reader, writer) = tokio::net::UnixStream::from_std(stream)?.into_split();
    let (send, to_box) = mpsc::unbounded_channel();
    let (from_box, hear) = mpsc::channel(limits::WAITING_MESSAGES);
    let agent = driver::run(begin, End { send, hear: Ear::Outside(hear) });
    let read = async {
        while let Some(message) = frames::read(&mut reader, limits::DOWN_BYTES).await? {
            if from_box.send(message).await.is_err() {
                break;
            }
        }
        Ok(())
    };
    tokio::select! {
        () = agent => Ok(()),
        ended = read => ended,
        ended = frames::send_all(to_box, writer, limits::UP_BYTES) => ended,
    }
}

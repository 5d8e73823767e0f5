//! The content of a file on its way out, piece by piece.

use std::{
    fs::File,
    future::Future,
    io::{self, Read},
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::Notify,
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};

use crate::limits;

/// Holds a body back until the server asks for it, or has been silent for long enough.
#[derive(Clone)]
pub(crate) struct Gate(Arc<Notify>);

impl Gate {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Notify::new()))
    }

    pub(crate) fn open(&self) {
        self.0.notify_one();
    }

    async fn pass(self) {
        // A server that knows nothing of the announcement waits for the file.
        let _ = timeout(Duration::from_millis(limits::EXPECT_MS), self.0.notified()).await;
    }
}

/// Reads a file from its beginning.
pub(crate) struct FileChunks {
    /// What the first piece waits for.
    gate: Option<Pin<Box<dyn Future<Output = ()>>>>,
    state: State,
}

enum State {
    Closed(PathBuf),
    Open(File),
    Reading(JoinHandle<io::Result<(File, Bytes)>>),
    Ended,
}

impl FileChunks {
    pub(crate) fn new(path: PathBuf, gate: Option<&Gate>) -> Self {
        let gate = gate.map(|gate| Box::pin(gate.clone().pass()) as Pin<Box<dyn Future<Output = ()>>>);
        Self { gate, state: State::Closed(path) }
    }

    /// The next piece; empty at the end of the file.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        if let Some(gate) = &mut self.gate {
            ready!(gate.as_mut().poll(cx));
            self.gate = None;
        }
        loop {
            self.state = match std::mem::replace(&mut self.state, State::Ended) {
                State::Closed(path) => State::Reading(spawn_blocking(move || read(File::open(path)?))),
                State::Open(file) => State::Reading(spawn_blocking(move || read(file))),
                State::Reading(mut reading) => {
                    let Poll::Ready(outcome) = Pin::new(&mut reading).poll(cx) else {
                        self.state = State::Reading(reading);
                        return Poll::Pending;
                    };
                    let (file, piece) = outcome.map_err(io::Error::other)??;
                    if !piece.is_empty() {
                        self.state = State::Open(file);
                    }
                    return Poll::Ready(Ok(piece));
                }
                State::Ended => return Poll::Ready(Ok(Bytes::new())),
            };
        }
    }
}

fn read(mut file: File) -> io::Result<(File, Bytes)> {
    let mut piece = Vec::new();
    Read::by_ref(&mut file).take(limits::SEND_CHUNK_BYTES as u64).read_to_end(&mut piece)?;
    Ok((file, piece.into()))
}

//! The content of a file on its way out, piece by piece.

use std::{
    fs::File,
    io::{self, Read},
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::Notify,
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};

use crate::{body::Chunks, limits};

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

    pub(crate) async fn pass(self) {
        // A server that knows nothing of the announcement waits for the file.
        let _ = timeout(Duration::from_millis(limits::EXPECT_MS), self.0.notified()).await;
    }
}

/// Reads a file of this box from its beginning, as the body of an upload.
pub struct FileChunks {
    state: State,
}

enum State {
    Closed(PathBuf),
    Open(File),
    Reading(JoinHandle<io::Result<(File, Bytes)>>),
    Ended,
}

impl FileChunks {
    /// Opens nothing yet.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { state: State::Closed(path) }
    }
}

impl Chunks for FileChunks {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
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

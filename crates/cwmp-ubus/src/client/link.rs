//! The task that holds the connection: it connects, reads and writes, and connects again.

use super::shared::{Link, Shared};
use crate::{error::DecodeError, frame::Frames, limits, message::kind};
use std::{io, path::PathBuf, rc::Rc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixStream, unix::OwnedReadHalf, unix::OwnedWriteHalf},
    time::Instant,
};

/// Bytes that are read at once.
const READ_BYTES: usize = 16 * 1024;

/// How long to wait before the next attempt.
struct BackOff {
    next: Duration,
}

impl BackOff {
    fn new() -> Self {
        Self { next: limits::RECONNECT_FIRST }
    }

    /// The wait after a connection, or an attempt, of this length.
    fn after(&mut self, lasted: Duration) -> Duration {
        if lasted > limits::RECONNECT_LONGEST {
            self.next = limits::RECONNECT_FIRST;
        }
        let wait = self.next;
        self.next = (wait * 2).min(limits::RECONNECT_LONGEST);
        wait
    }
}

/// Keeps the connection for as long as the task runs.
pub(crate) async fn run(shared: Rc<Shared>, sockets: Vec<PathBuf>) {
    let mut back_off = BackOff::new();
    let mut complained = false;
    loop {
        shared.link.send_replace(Link::Connecting);
        let mut since = Instant::now();
        let error = match connect(&sockets).await {
            Ok(mut line) => {
                if std::mem::take(&mut complained) {
                    tracing::info!("ubus: connected");
                }
                since = Instant::now();
                shared.connected();
                line.serve(&shared).await
            }
            Err(error) => error,
        };
        shared.disconnected();
        let wait = back_off.after(since.elapsed());
        if !std::mem::replace(&mut complained, true) {
            tracing::warn!("ubus: no connection: {error}; tried again from now on");
        } else {
            tracing::debug!("ubus: no connection: {error}; next attempt in {} ms", wait.as_millis());
        }
        tokio::time::sleep(wait).await;
    }
}

/// A connection that the bus has greeted.
struct Line {
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    frames: Frames,
}

/// Connects to the first socket where somebody answers.
async fn connect(sockets: &[PathBuf]) -> io::Result<Line> {
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "no socket is named");
    for path in sockets {
        match UnixStream::connect(path).await {
            Ok(stream) => {
                let greeted = tokio::time::timeout(limits::HELLO_TIMEOUT, greeting(stream)).await;
                return greeted.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            }
            Err(error) => failed = io::Error::new(error.kind(), format!("{}: {error}", path.display())),
        }
    }
    Err(failed)
}

async fn greeting(stream: UnixStream) -> io::Result<Line> {
    let (reader, writer) = stream.into_split();
    let mut line = Line { reader, writer, frames: Frames::default() };
    loop {
        match line.frames.next().map_err(malformed)? {
            Some(frame) if frame.kind == kind::HELLO => return Ok(line),
            Some(frame) => {
                let what = format!("a message of kind {} in place of the greeting", frame.kind);
                return Err(io::Error::new(io::ErrorKind::InvalidData, what));
            }
            None => fill(&mut line.reader, &mut line.frames).await?,
        }
    }
}

impl Line {
    /// Reads and writes until the connection breaks; returns why.
    async fn serve(&mut self, shared: &Rc<Shared>) -> io::Error {
        let Self { reader, writer, frames } = self;
        let reading = async {
            loop {
                match frames.next() {
                    Ok(Some(frame)) => shared.receive(&frame, shared),
                    Ok(None) => {
                        if let Err(error) = fill(reader, frames).await {
                            return error;
                        }
                    }
                    Err(error) => return malformed(error),
                }
            }
        };
        let writing = async {
            loop {
                let bytes = shared.next_outgoing().await;
                if let Err(error) = writer.write_all(&bytes).await {
                    return error;
                }
            }
        };
        tokio::select! {
            error = reading => error,
            error = writing => error,
        }
    }
}

async fn fill(reader: &mut OwnedReadHalf, frames: &mut Frames) -> io::Result<()> {
    let mut chunk = [0; READ_BYTES];
    let read = reader.read(&mut chunk).await?;
    if read == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    frames.feed(chunk.get(..read).unwrap_or_default());
    Ok(())
}

fn malformed(error: DecodeError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("malformed message: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_begin_anew_after_a_connection_that_lasted() {
        let mut back_off = BackOff::new();
        let waits: Vec<_> = (0..9).map(|_| back_off.after(Duration::ZERO).as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        assert_eq!(back_off.after(limits::RECONNECT_LONGEST), limits::RECONNECT_LONGEST, "lasted too little");
        assert_eq!(back_off.after(Duration::from_secs(11)), limits::RECONNECT_FIRST);
    }
}

//! The bytes of one connection, with a hand in them: a copy of what comes in, and ways to send what no HTTP server would.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use crate::limits;

/// What is to be done to the bytes; shared by the [`Wire`] and whoever answers the requests on it.
#[derive(Clone, Default)]
pub(crate) struct WireControl(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// What came in since it was last taken, up to the bound.
    received: Vec<u8>,
    /// Number of all bytes that came in since then.
    count: usize,
    /// Whether a complete request is being answered.
    answering: bool,
    /// Bytes came in while a request was being answered.
    pipelined: bool,
    /// To be sent in place of the next reply.
    substitute: Option<Bytes>,
    /// What the HTTP server writes is thrown away until the next request.
    mute: bool,
    /// The connection ends after so many more bytes.
    cut_after: Option<usize>,
    /// The connection ends once the substitute is out.
    close_behind: bool,
    /// The connection is to end with RST.
    reset: bool,
}

impl WireControl {
    /// The head of the request that was just read, and whether more came before the reply to it or to the last one.
    /// `body` is the length of its body on the wire, where that is known.
    pub(crate) fn take_head(&self, body: Option<usize>) -> (Bytes, bool) {
        let mut state = self.lock();
        let mut received = std::mem::take(&mut state.received);
        let end =
            received.windows(4).position(|window| window == b"\r\n\r\n").map_or(received.len(), |at| at + 4);
        let whole = end.saturating_add(body.unwrap_or(usize::MAX));
        let surplus = state.count.saturating_sub(whole);
        state.received = received.get(whole..).unwrap_or_default().to_vec();
        state.count = surplus;
        received.truncate(end);
        state.answering = true;
        state.cut_after = None;
        (received.into(), std::mem::take(&mut state.pipelined) || surplus > 0)
    }

    /// Sends these bytes in place of the next reply.
    pub(crate) fn substitute(&self, bytes: Bytes, close: bool) {
        let mut state = self.lock();
        state.substitute = Some(bytes);
        state.close_behind = close;
    }

    /// Ends the connection after so many more bytes.
    pub(crate) fn cut_after(&self, count: usize) {
        self.lock().cut_after = Some(count);
    }

    /// Ends the connection with RST when it is closed.
    pub(crate) fn reset(&self) {
        self.lock().reset = true;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A TCP stream that obeys a [`WireControl`].
pub(crate) struct Wire {
    stream: TcpStream,
    control: WireControl,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> (Self, WireControl) {
        let control = WireControl::default();
        (Self { stream, control: control.clone() }, control)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.control.lock().reset {
            // Without it the connection ends with FIN, which is the next best.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let fresh = buf.filled().get(before..).unwrap_or_default();
        let mut state = self.control.lock();
        state.pipelined |= state.answering && !fresh.is_empty();
        state.count = state.count.saturating_add(fresh.len());
        let room = limits::HEAD_BYTES.saturating_sub(state.received.len());
        state.received.extend(fresh.iter().take(room));
        if !fresh.is_empty() {
            state.mute = false;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let mut state = this.control.lock();
        state.answering = false;
        while let Some(bytes) = state.substitute.take() {
            if bytes.is_empty() {
                state.mute = true;
                break;
            }
            match Pin::new(&mut this.stream).poll_write(cx, &bytes) {
                Poll::Pending => {
                    state.substitute = Some(bytes);
                    return Poll::Pending;
                }
                Poll::Ready(sent) => {
                    let sent = sent?;
                    if sent == 0 {
                        return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                    }
                    state.substitute = Some(bytes.slice(sent.min(bytes.len())..));
                }
            }
        }
        if state.mute {
            let closes = state.close_behind;
            return Poll::Ready(if closes { Err(cut()) } else { Ok(buf.len()) });
        }
        let allowed = match state.cut_after {
            Some(0) => return Poll::Ready(Err(cut())),
            Some(count) => buf.get(..count).unwrap_or(buf),
            None => buf,
        };
        let sent = ready!(Pin::new(&mut this.stream).poll_write(cx, allowed))?;
        state.cut_after = state.cut_after.map(|count| count.saturating_sub(sent));
        Poll::Ready(Ok(sent))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.control.lock().cut_after == Some(0) {
            return Poll::Ready(Err(cut()));
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "cut by a script")
}

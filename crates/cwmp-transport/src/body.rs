//! What is posted, and how it looks to hyper.

use std::{
    cell::Cell,
    fmt,
    future::Future,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// A body on its way out, piece by piece. Any iterator over pieces is one.
pub trait Chunks {
    /// The next piece, about 16 KB; an empty one is the end.
    ///
    /// # Errors
    /// Where the rest cannot be had: the message is broken off.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>>;
}

impl<I: Iterator<Item = Bytes>> Chunks for I {
    fn poll_next(&mut self, _: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        Poll::Ready(Ok(self.find(|chunk| !chunk.is_empty()).unwrap_or_default()))
    }
}

/// Makes the pieces of a streamed body, from the beginning, as often as asked.
pub type ChunkSource = Rc<dyn Fn() -> Box<dyn Chunks>>;

/// What is posted. It can be sent again: a 401, a redirect or fault 8005 ask for the same bytes.
#[derive(Clone)]
pub enum PostBody {
    /// The empty POST: no Content-Type, no SOAPAction.
    Empty,
    /// An envelope.
    Bytes(Bytes),
    /// An envelope that is produced while it is sent, so that it never lies in memory as a whole.
    Stream {
        /// Bytes in all pieces together; becomes Content-Length.
        length: u64,
        /// The pieces.
        make: ChunkSource,
    },
}

impl PostBody {
    /// Bytes in the body.
    #[must_use]
    pub fn length(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Stream { length, .. } => *length,
        }
    }

    /// The pieces, from the beginning.
    #[must_use]
    pub fn chunks(&self) -> Box<dyn Chunks> {
        match self {
            Self::Empty => Box::new(std::iter::empty()),
            Self::Bytes(bytes) => Box::new(std::iter::once(bytes.clone())),
            Self::Stream { make, .. } => make(),
        }
    }

    pub(crate) fn outgoing(&self, progress: &Rc<Progress>) -> Outgoing {
        Outgoing::new(self.chunks(), self.length(), progress)
    }
}

impl fmt::Debug for PostBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the content: an envelope may hold passwords.
        write!(f, "PostBody({} bytes)", self.length())
    }
}

/// How far one exchange has come; only the change of a count means something.
#[derive(Default)]
pub(crate) struct Progress {
    /// Goes up with every chunk of the request that the connection takes.
    pub(crate) sent: Cell<u64>,
    /// Goes up with every piece of the reply's body.
    pub(crate) received: Cell<u64>,
    /// Whether the connection has taken all of the last request.
    pub(crate) is_sent: Cell<bool>,
}

/// The body of one request on its way out.
pub(crate) struct Outgoing {
    /// What the first piece waits for.
    gate: Option<Pin<Box<dyn Future<Output = ()>>>>,
    source: Box<dyn Chunks>,
    left: u64,
    progress: Rc<Progress>,
}

impl Outgoing {
    pub(crate) fn new(source: Box<dyn Chunks>, left: u64, progress: &Rc<Progress>) -> Self {
        progress.is_sent.set(left == 0);
        Self { gate: None, source, left, progress: Rc::clone(progress) }
    }

    /// Holds all of it back until then.
    pub(crate) fn after(mut self, gate: impl Future<Output = ()> + 'static) -> Self {
        self.gate = Some(Box::pin(gate));
        self
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        if this.left == 0 {
            return Poll::Ready(None);
        }
        if let Some(gate) = &mut this.gate {
            ready!(gate.as_mut().poll(cx));
            this.gate = None;
        }
        let chunk = ready!(this.source.poll_next(cx))?;
        let rest = this.left.checked_sub(chunk.len() as u64).filter(|_| !chunk.is_empty());
        Poll::Ready(Some(match rest {
            Some(rest) => {
                this.left = rest;
                this.progress.sent.set(this.progress.sent.get().wrapping_add(1));
                this.progress.is_sent.set(rest == 0);
                Ok(Frame::data(chunk))
            }
            None => Err(io::Error::other("the message has another length than announced")),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

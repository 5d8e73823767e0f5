//! What is posted, and how it looks to hyper.

use std::{
    cell::Cell,
    fmt, io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// Makes the chunks of a streamed envelope, from the beginning, as often as asked.
pub type ChunkSource = Rc<dyn Fn() -> Box<dyn Iterator<Item = Bytes>>>;

/// What is posted. It can be sent again: a 401, a redirect or fault 8005 ask for the same bytes.
#[derive(Clone)]
pub enum PostBody {
    /// The empty POST: no Content-Type, no SOAPAction.
    Empty,
    /// An envelope.
    Bytes(Bytes),
    /// An envelope that is produced while it is sent, so that it never lies in memory as a whole.
    Stream {
        /// Bytes in all chunks together; becomes Content-Length.
        length: u64,
        /// The chunks, about 16 KB each.
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

    /// The chunks, from the beginning.
    pub(crate) fn chunks(&self) -> Box<dyn Iterator<Item = Bytes>> {
        match self {
            Self::Empty => Box::new(std::iter::empty()),
            Self::Bytes(bytes) => Box::new(std::iter::once(bytes.clone())),
            Self::Stream { make, .. } => make(),
        }
    }

    pub(crate) fn outgoing(&self, progress: &Rc<Progress>) -> Outgoing {
        Outgoing { chunks: self.chunks(), left: self.length(), progress: Rc::clone(progress) }
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
}

/// The body of one request on its way out.
pub(crate) struct Outgoing {
    chunks: Box<dyn Iterator<Item = Bytes>>,
    left: u64,
    progress: Rc<Progress>,
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        if this.left == 0 {
            return Poll::Ready(None);
        }
        let chunk = this.chunks.find(|chunk| !chunk.is_empty());
        let rest = chunk.as_ref().and_then(|chunk| this.left.checked_sub(chunk.len() as u64));
        Poll::Ready(Some(match (chunk, rest) {
            (Some(chunk), Some(rest)) => {
                this.left = rest;
                this.progress.sent.set(this.progress.sent.get().wrapping_add(1));
                Ok(Frame::data(chunk))
            }
            _ => Err(io::Error::other("the message has another length than announced")),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

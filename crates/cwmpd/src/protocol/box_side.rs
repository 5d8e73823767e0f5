//! The box as the protocol side sees it.

use std::{
    future::Future,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use async_trait::async_trait;
use bytes::Bytes;
use cwmp_core::io::Listing;
use cwmp_transport::{
    PostBody,
    body::Chunks,
    files::{
        Fetched, Validator,
        destination::{Destination, Held},
    },
    tls_config::{Material, MaterialSource, Stamp},
};
use tokio::sync::mpsc;

use crate::border::{Call, FileId, Had, Readable, Return, Up, Waiting};

/// Asks the box.
#[derive(Clone)]
pub(crate) struct BoxSide {
    up: mpsc::UnboundedSender<Up>,
    calls: Rc<Waiting<Return>>,
    readers: Rc<std::cell::Cell<u32>>,
}

impl BoxSide {
    pub(crate) fn new(up: mpsc::UnboundedSender<Up>) -> Self {
        Self { up, calls: Waiting::new(), readers: Rc::default() }
    }

    /// Sends this; a box that is gone can only mean that the program is ending.
    pub(crate) fn tell(&self, up: Up) {
        self.up.send(up).ok();
    }

    /// The answer to a call has come.
    pub(crate) fn answered(&self, number: u32, answer: Return) {
        self.calls.answer(number, answer);
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// What the box could not do, and why.
    pub(crate) async fn ask(&self, call: Call) -> Result<Return, String> {
        let mut ticket = self.calls.call();
        self.tell(Up::Call(ticket.number, call));
        match ticket.answer().await {
            Some(Return::Failed(error)) => Err(error),
            Some(answer) => Ok(answer),
            None => Err("the program is ending".to_owned()),
        }
    }

    /// Asks for something that has no answer but success.
    async fn order(&self, call: Call) -> Result<(), String> {
        match self.ask(call).await? {
            Return::Done => Ok(()),
            _ => Err(odd()),
        }
    }

    /// The envelope of a listing, pulled while it is sent.
    ///
    /// # Errors
    /// Its snapshot is gone.
    pub(crate) async fn envelope(&self, listing: Listing) -> Result<PostBody, String> {
        let of = Readable::Listing(listing.snapshot);
        let Return::Length(length) = self.ask(Call::Write(listing)).await? else { return Err(odd()) };
        Ok(PostBody::Stream { length, make: self.source(of) })
    }

    /// Reads this from its beginning, as often as asked.
    pub(crate) fn source(&self, of: Readable) -> cwmp_transport::body::ChunkSource {
        let side = self.clone();
        Rc::new(move || {
            let number = side.readers.get().wrapping_add(1);
            side.readers.set(number);
            Box::new(Pulled { side: side.clone(), number, of, opened: false, next: None })
        })
    }
}

fn odd() -> String {
    "the box answers something else".to_owned()
}

type Piece = Pin<Box<dyn Future<Output = Result<Bytes, String>>>>;

/// Pulls the pieces of something that the box holds.
struct Pulled {
    side: BoxSide,
    number: u32,
    of: Readable,
    opened: bool,
    next: Option<Piece>,
}

impl Chunks for Pulled {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        let opening = (!std::mem::replace(&mut self.opened, true)).then_some(self.of);
        let (side, number) = (self.side.clone(), self.number);
        let next = self.next.get_or_insert_with(|| {
            Box::pin(async move {
                if let Some(of) = opening {
                    side.order(Call::Open(number, of)).await?;
                }
                match side.ask(Call::Read(number)).await? {
                    Return::Piece(piece) => Ok(piece),
                    _ => Err(odd()),
                }
            })
        });
        let piece = std::task::ready!(next.as_mut().poll(cx));
        self.next = None;
        Poll::Ready(piece.map_err(io::Error::other))
    }
}

impl Drop for Pulled {
    fn drop(&mut self) {
        if self.opened {
            self.side.tell(Up::Close(self.number));
        }
    }
}

/// A file that the box holds while it is fetched.
pub(crate) struct HeldFile {
    side: BoxSide,
    file: FileId,
    held: Held,
}

impl HeldFile {
    pub(crate) fn new(side: BoxSide, file: FileId, had: Had) -> Self {
        Self { side, file, held: Held { bytes: had.bytes, validator: had.validator } }
    }
}

#[async_trait(?Send)]
impl Destination for HeldFile {
    fn held(&self) -> &Held {
        &self.held
    }

    async fn restart(&mut self, validator: Option<Validator>) -> Result<(), String> {
        self.held = Held::default();
        self.side.order(Call::Restart(self.file, validator.clone())).await?;
        self.held.validator = validator;
        Ok(())
    }

    async fn append(&mut self, data: Vec<u8>) -> Result<(), String> {
        let bytes = data.len() as u64;
        self.side.order(Call::Append(self.file, data.into())).await?;
        self.held.bytes += bytes;
        Ok(())
    }

    async fn keep(&mut self) -> Result<(), String> {
        self.side.order(Call::Keep(self.file)).await
    }

    async fn has_room(&mut self, bytes: u64) -> Result<(), String> {
        self.side.order(Call::HasRoom(self.file, bytes)).await
    }

    async fn sha256(&mut self) -> Result<[u8; 32], String> {
        match self.side.ask(Call::Sha256(self.file)).await? {
            Return::Sha256(hash) => Ok(hash),
            _ => Err(odd()),
        }
    }

    async fn finish(&mut self) -> Result<Fetched, String> {
        match self.side.ask(Call::Finish(self.file)).await? {
            Return::Fetched(fetched) => Ok(fetched),
            _ => Err(odd()),
        }
    }
}

#[async_trait(?Send)]
impl MaterialSource for BoxSide {
    async fn read(&self, known: Option<Stamp>) -> Result<Option<Material>, String> {
        match self.ask(Call::Material(known)).await? {
            Return::Material(material) => Ok(material),
            _ => Err(odd()),
        }
    }
}

//! Large answers: the snapshots that the data model made, and how an envelope is written from one while it is sent.

use std::{cell::RefCell, collections::VecDeque, rc::Rc};

use cwmp_core::{
    io::{Listing, ListingKind, SnapshotId},
    soap::{Count, Sink, listing},
};
use cwmp_datamodel::snapshot::{Entry, Position, Snapshot};

use crate::border::limits;

/// Size of the pieces in which an envelope is written, in bytes.
const CHUNK_BYTES: usize = 16 * 1024;

/// The snapshots that answers are sent from, shared by the loop and the data model's task.
#[derive(Clone, Default)]
pub(crate) struct Snapshots(Rc<RefCell<VecDeque<Kept>>>);

struct Kept {
    id: SnapshotId,
    snapshot: Rc<Snapshot>,
    /// The envelope that was asked for last.
    written: Option<Written>,
}

impl Snapshots {
    pub(crate) fn keep(&self, id: SnapshotId, snapshot: Rc<Snapshot>) {
        let mut kept = self.0.borrow_mut();
        if kept.len() >= limits::SNAPSHOTS {
            tracing::warn!("a snapshot was never released: the oldest one is dropped");
            kept.pop_front();
        }
        kept.push_back(Kept { id, snapshot, written: None });
    }

    pub(crate) fn release(&self, id: SnapshotId) {
        self.0.borrow_mut().retain(|kept| kept.id != id);
    }

    /// Gets ready to write the envelope of a listing and returns its bytes; `None` when its snapshot is gone.
    pub(crate) fn write(&self, listing: Listing) -> Option<u64> {
        let mut kept = self.0.borrow_mut();
        let kept = kept.iter_mut().find(|kept| kept.id == listing.snapshot)?;
        let snapshot = Rc::clone(&kept.snapshot);
        let mut count = Count(0);
        listing::head(&listing, &mut count);
        for entry in snapshot.entries() {
            write(listing.kind, &entry, &mut count);
        }
        listing::tail(&listing, &mut count);
        kept.written = Some(Written { listing: Rc::new(listing), snapshot, length: count.0 });
        Some(count.0)
    }

    /// The envelope that [`Snapshots::write`] has made ready last.
    pub(crate) fn written(&self, id: SnapshotId) -> Option<Written> {
        self.0.borrow().iter().find(|kept| kept.id == id)?.written.clone()
    }
}

/// The envelope of a listing, which is written piece by piece.
#[derive(Clone)]
pub struct Written {
    listing: Rc<Listing>,
    snapshot: Rc<Snapshot>,
    length: u64,
}

impl Written {
    /// Bytes of all pieces together.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The pieces, from the beginning.
    pub fn chunks(&self) -> impl Iterator<Item = bytes::Bytes> + use<> {
        let (listing, snapshot) = (Rc::clone(&self.listing), Rc::clone(&self.snapshot));
        Chunks { listing, snapshot, at: Place::Head }
    }
}

fn write(kind: ListingKind, entry: &Entry<'_>, out: &mut dyn Sink) {
    match kind {
        ListingKind::Values => listing::value(entry.object, entry.name, entry.value_type, entry.text, out),
        ListingKind::Names => listing::info(entry.object, entry.name, entry.writable, out),
        ListingKind::Attributes => {
            listing::attribute(entry.object, entry.name, entry.notification.into(), entry.access_list, out);
        }
    }
}

/// An envelope in pieces.
struct Chunks {
    listing: Rc<Listing>,
    snapshot: Rc<Snapshot>,
    at: Place,
}

enum Place {
    Head,
    Entries(Position),
    End,
}

impl Iterator for Chunks {
    type Item = bytes::Bytes;

    fn next(&mut self) -> Option<bytes::Bytes> {
        let mut chunk = Vec::with_capacity(CHUNK_BYTES + 1024);
        if let Place::Head = self.at {
            listing::head(&self.listing, &mut chunk);
            self.at = Place::Entries(Position::default());
        }
        if let Place::Entries(position) = self.at {
            let mut entries = self.snapshot.entries_from(position);
            while chunk.len() < CHUNK_BYTES {
                match entries.next() {
                    Some(entry) => write(self.listing.kind, &entry, &mut chunk),
                    None => {
                        listing::tail(&self.listing, &mut chunk);
                        self.at = Place::End;
                        return Some(chunk.into());
                    }
                }
            }
            self.at = Place::Entries(entries.position());
            return Some(chunk.into());
        }
        None
    }
}

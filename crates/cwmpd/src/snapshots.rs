//! Large answers: the snapshots that the data model made, and how an envelope is written from one while it is sent.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use cwmp_core::{
    io::{Listing, ListingKind, SnapshotId},
    soap::{Count, Sink, listing},
};
use cwmp_datamodel::snapshot::{Entry, Position, Snapshot};
use cwmp_transport::PostBody;

/// Size of the pieces in which an envelope is written, in bytes.
const CHUNK_BYTES: usize = 16 * 1024;

/// The snapshots that answers are sent from, shared by the loop and the data model's task.
#[derive(Clone, Default)]
pub(crate) struct Snapshots(Rc<RefCell<HashMap<SnapshotId, Rc<Snapshot>>>>);

impl Snapshots {
    pub(crate) fn keep(&self, id: SnapshotId, snapshot: Rc<Snapshot>) {
        self.0.borrow_mut().insert(id, snapshot);
    }

    pub(crate) fn release(&self, id: SnapshotId) {
        self.0.borrow_mut().remove(&id);
    }

    /// The envelope of a listing, to be written while it is sent; `None` when its snapshot is gone.
    pub(crate) fn body(&self, listing: Listing) -> Option<PostBody> {
        let snapshot = Rc::clone(self.0.borrow().get(&listing.snapshot)?);
        let mut count = Count(0);
        listing::head(&listing, &mut count);
        for entry in snapshot.entries() {
            write(listing.kind, &entry, &mut count);
        }
        listing::tail(&listing, &mut count);
        let listing = Rc::new(listing);
        let make = Rc::new(move || {
            let (listing, snapshot) = (Rc::clone(&listing), Rc::clone(&snapshot));
            Box::new(Chunks { listing, snapshot, at: Place::Head }) as Box<dyn Iterator<Item = _>>
        });
        Some(PostBody::Stream { length: count.0, make })
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

//! What the box does for the protocol side: it holds the files of transfers, writes the envelopes of large answers, and reads
//! the files that https needs. Each call is checked as one of somebody who must not be believed.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    future::poll_fn,
    path::PathBuf,
    rc::Rc,
};

use cwmp_platform::Platform;
use cwmp_transport::{
    body::Chunks,
    files::{FileChunks, Partial, destination::Destination},
    limits::FETCH_BYTES,
    tls::TlsFiles,
    tls_config::MaterialSource,
};

use crate::{
    border::{Call, FileId, Readable, Return, limits},
    clock,
    snapshots::Snapshots,
    udp_note::UdpNote,
};

#[cfg(test)]
mod tests;

/// Serves calls.
pub(crate) struct Desk {
    platform: Rc<dyn Platform>,
    snapshots: Snapshots,
    tls: TlsFiles,
    udp_note: RefCell<UdpNote>,
    last_file: Cell<u32>,
    /// Files that are fetched; `None` while a call works on one.
    fetched: RefCell<HashMap<FileId, Option<Partial>>>,
    /// Files that are sent.
    sent: RefCell<HashMap<FileId, PathBuf>>,
    /// What is read; `None` while a call reads it.
    readers: RefCell<HashMap<u32, Option<Box<dyn Chunks>>>>,
}

/// A file that is open to the protocol side as long as this is there.
pub(crate) struct OpenFile {
    pub(crate) id: FileId,
    desk: Rc<Desk>,
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        self.desk.fetched.borrow_mut().remove(&self.id);
        self.desk.sent.borrow_mut().remove(&self.id);
    }
}

impl Desk {
    pub(crate) fn new(
        platform: Rc<dyn Platform>,
        snapshots: Snapshots,
        tls: TlsFiles,
        udp_note: UdpNote,
    ) -> Rc<Self> {
        Rc::new(Self {
            platform,
            snapshots,
            tls,
            udp_note: udp_note.into(),
            last_file: Cell::new(0),
            fetched: RefCell::default(),
            sent: RefCell::default(),
            readers: RefCell::default(),
        })
    }

    /// Lets the protocol side write this file.
    pub(crate) fn take_into(self: &Rc<Self>, file: Partial) -> OpenFile {
        let open = self.open();
        self.fetched.borrow_mut().insert(open.id, Some(file));
        open
    }

    /// Lets the protocol side read this file.
    pub(crate) fn give_out(self: &Rc<Self>, file: PathBuf) -> OpenFile {
        let open = self.open();
        self.sent.borrow_mut().insert(open.id, file);
        open
    }

    fn open(self: &Rc<Self>) -> OpenFile {
        self.last_file.set(self.last_file.get().wrapping_add(1));
        OpenFile { id: FileId(self.last_file.get()), desk: Rc::clone(self) }
    }

    /// Nothing more is read from this reader.
    pub(crate) fn close(&self, reader: u32) {
        self.readers.borrow_mut().remove(&reader);
    }

    /// Does what is asked.
    pub(crate) async fn serve(&self, call: Call) -> Return {
        self.try_to_serve(call).await.unwrap_or_else(Return::Failed)
    }

    async fn try_to_serve(&self, call: Call) -> Result<Return, String> {
        Ok(match call {
            Call::Write(listing) => {
                let length = self.snapshots.write(listing).ok_or("the snapshot of an answer is gone")?;
                Return::Length(length)
            }
            Call::Open(reader, of) => self.open_reader(reader, of)?,
            Call::Read(reader) => self.read(reader).await?,
            Call::Restart(file, validator) => {
                self.with(file, async |file| file.restart(validator).await).await?;
                Return::Done
            }
            Call::Append(file, data) => {
                let append = async |file: &mut Partial| {
                    let bytes = data.len() as u64;
                    if file.held().bytes.saturating_add(bytes) > FETCH_BYTES {
                        return Err(format!("the file is larger than {FETCH_BYTES} bytes"));
                    }
                    file.has_room(bytes).await?;
                    file.append(data.into()).await
                };
                self.with(file, append).await?;
                Return::Done
            }
            Call::Keep(file) => {
                self.with(file, async |file| file.keep().await).await?;
                Return::Done
            }
            Call::HasRoom(file, bytes) => {
                self.with(file, async |file| file.has_room(bytes).await).await?;
                Return::Done
            }
            Call::Sha256(file) => Return::Sha256(self.with(file, async |file| file.sha256().await).await?),
            Call::Finish(file) => Return::Fetched(self.with(file, async |file| file.finish().await).await?),
            Call::Material(known) => Return::Material(self.tls.read(known).await?),
            Call::IsIdle => Return::Idle(self.platform.is_idle()),
            Call::NoteUdp(until) => {
                let date = clock::now(self.platform.clock_is_synchronised()).wall;
                self.udp_note.borrow_mut().keep(until, date)?;
                Return::Done
            }
        })
    }

    /// Works on a file that is being fetched; another call on it at the same time fails.
    async fn with<T>(
        &self,
        file: FileId,
        work: impl AsyncFnOnce(&mut Partial) -> Result<T, String>,
    ) -> Result<T, String> {
        let taken = self.fetched.borrow_mut().get_mut(&file).and_then(Option::take);
        let mut partial = taken.ok_or("there is no such file under way")?;
        let outcome = work(&mut partial).await;
        // Where its transfer was given up meanwhile, there is no place for it any more.
        if let Some(place) = self.fetched.borrow_mut().get_mut(&file) {
            *place = Some(partial);
        }
        outcome
    }

    fn open_reader(&self, reader: u32, of: Readable) -> Result<Return, String> {
        let chunks: Box<dyn Chunks> = match of {
            Readable::Listing(snapshot) => {
                let written = self.snapshots.written(snapshot).ok_or("the snapshot of an answer is gone")?;
                Box::new(written.chunks())
            }
            Readable::File(file) => {
                let sent = self.sent.borrow();
                Box::new(FileChunks::new(sent.get(&file).ok_or("there is no such file to be sent")?.clone()))
            }
        };
        let mut readers = self.readers.borrow_mut();
        if readers.len() >= limits::READERS && !readers.contains_key(&reader) {
            return Err(format!("more than {} things are read at once", limits::READERS));
        }
        readers.insert(reader, Some(chunks));
        Ok(Return::Done)
    }

    async fn read(&self, reader: u32) -> Result<Return, String> {
        let taken = self.readers.borrow_mut().get_mut(&reader).and_then(Option::take);
        let mut chunks = taken.ok_or("there is no such reader")?;
        let piece = poll_fn(|cx| chunks.poll_next(cx)).await;
        if let Some(place) = self.readers.borrow_mut().get_mut(&reader) {
            *place = Some(chunks);
        }
        piece.map(Return::Piece).map_err(|error| error.to_string())
    }
}

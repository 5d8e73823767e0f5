//! The network part of file transfers: fetches into files that the box holds, and sends such files.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use cwmp_transport::{FileClient, files::RemoteFile};
use tokio::task::AbortHandle;

use super::box_side::{BoxSide, HeldFile};
use crate::border::{Done, FileId, Had, Readable, Up};

/// The transfers that are under way, by the numbers of their orders.
pub(crate) struct Transfers {
    client: Rc<FileClient>,
    side: BoxSide,
    running: Rc<RefCell<HashMap<u32, AbortHandle>>>,
}

impl Transfers {
    pub(crate) fn new(client: FileClient, side: BoxSide) -> Self {
        Self { client: Rc::new(client), side, running: Rc::default() }
    }

    /// Fetches into this file of the box.
    pub(crate) fn fetch(&self, order: u32, into: FileId, held: Had, from: RemoteFile, file_size: u32) {
        let (client, side) = (Rc::clone(&self.client), self.side.clone());
        self.start(order, async move {
            let mut file = HeldFile::new(side, into, held);
            Done::Fetched(client.fetch_to(&from, u64::from(file_size), &mut file, &|_| {}).await)
        });
    }

    /// Sends this file of the box.
    pub(crate) fn send(&self, order: u32, from: FileId, length: u64, to: RemoteFile) {
        let (client, source) = (Rc::clone(&self.client), self.side.source(Readable::File(from)));
        self.start(order, async move { Done::Sent(client.send_from(&to, length, &source).await) });
    }

    fn start(&self, order: u32, work: impl Future<Output = Done> + 'static) {
        let (side, running) = (self.side.clone(), Rc::clone(&self.running));
        let task = tokio::task::spawn_local(async move {
            let done = work.await;
            running.borrow_mut().remove(&order);
            side.tell(Up::Done(order, done));
        });
        self.running.borrow_mut().insert(order, task.abort_handle());
    }

    /// The box does not want it any more.
    pub(crate) fn cancel(&self, order: u32) {
        if let Some(task) = self.running.borrow_mut().remove(&order) {
            task.abort();
        }
    }
}

//! The connection as everybody sees it: what is to be sent, what is waited for, and who gets what comes.

use super::{
    inbox::{Inbox, Standing, Takes},
    published::Call,
    requests::{Added, Reply, Requests},
};
use crate::{
    error::{BusError, EncodeError, status},
    frame::Frame,
    limits,
    message::{Fields, Outgoing, attribute, kind},
    value::Table,
};
use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, VecDeque},
    rc::{Rc, Weak},
};
use tokio::sync::{Notify, Semaphore, watch};

/// The connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// An attempt is under way.
    Connecting,
    /// Greeted by the bus.
    Up,
    /// Waiting for the next attempt.
    Down,
}

pub(crate) struct Shared {
    pub(crate) link: watch::Sender<Link>,
    /// Counts connections, so that nothing of an earlier one is answered on a later one.
    pub(crate) generation: Cell<u64>,
    pub(crate) places: Semaphore,
    pub(crate) ids: RefCell<HashMap<String, u32>>,
    /// Hears of objects that come and go.
    pub(crate) watcher: Rc<Inbox>,
    requests: RefCell<Requests>,
    outgoing: RefCell<VecDeque<Vec<u8>>>,
    outgoing_bytes: Cell<usize>,
    outgoing_arrived: Notify,
    /// Objects of ours by their id.
    routes: RefCell<HashMap<u32, Rc<Inbox>>>,
    inboxes: RefCell<Vec<Weak<Inbox>>>,
}

/// Gives a request up when whoever waits for it goes away.
struct Waiting<'a> {
    shared: &'a Shared,
    seq: u16,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.shared.requests.borrow_mut().abandon(self.seq);
    }
}

impl Shared {
    pub(crate) fn new() -> Rc<Self> {
        let shared = Self {
            link: watch::Sender::new(Link::Connecting),
            generation: Cell::new(0),
            places: Semaphore::new(limits::CALLS),
            ids: RefCell::default(),
            watcher: Inbox::new(Takes::Objects, None),
            requests: RefCell::default(),
            outgoing: RefCell::default(),
            outgoing_bytes: Cell::new(0),
            outgoing_arrived: Notify::new(),
            routes: RefCell::default(),
            inboxes: RefCell::default(),
        };
        shared.keep_informed(&shared.watcher);
        Rc::new(shared)
    }

    // Waiting for the connection.

    /// Waits for an attempt to connect that is under way, not for the next one.
    pub(crate) async fn up(&self, what: &str) -> Result<(), BusError> {
        match self.wait_for(|link| link != Link::Connecting).await {
            Some(Link::Up) => Ok(()),
            _ => Err(BusError::Disconnected(what.to_owned())),
        }
    }

    /// Waits for the connection, however long that takes.
    pub(crate) async fn until_up(&self) {
        self.wait_for(|link| link == Link::Up).await;
    }

    async fn wait_for(&self, wanted: impl Fn(Link) -> bool) -> Option<Link> {
        let mut link = self.link.subscribe();
        link.wait_for(|link| wanted(*link)).await.ok().map(|link| *link)
    }

    // Sending.

    /// Sends a request and waits for its answer, however long that takes: callers have their own limits.
    /// `adds` is whose object the request adds to the bus.
    pub(crate) async fn request(
        &self,
        peer: u32,
        message: Result<Outgoing, EncodeError>,
        what: &Rc<str>,
        adds: Option<Rc<Inbox>>,
    ) -> Result<Reply, BusError> {
        let unsendable = |error| BusError::Unsendable(what.to_string(), error);
        let message = message.map_err(unsendable)?;
        let begun = self.requests.borrow_mut().begin(peer, what, adds);
        let (seq, answer) = begun.ok_or_else(|| BusError::Busy(what.to_string()))?;
        let waiting = Waiting { shared: self, seq };
        self.send(message.finish(seq).map_err(unsendable)?, what)?;
        let answer = answer.await;
        drop(waiting);
        answer.unwrap_or_else(|_| Err(BusError::Disconnected(what.to_string())))
    }

    /// Sends what gets no answer, or none that matters.
    pub(crate) fn tell(&self, message: Result<Outgoing, EncodeError>, what: &str) -> Result<(), BusError> {
        let number = self.requests.borrow_mut().number();
        let seq = number.ok_or_else(|| BusError::Busy(what.to_owned()))?;
        let bytes = message.and_then(|message| message.finish(seq));
        self.send(bytes.map_err(|error| BusError::Unsendable(what.to_owned(), error))?, what)
    }

    fn send(&self, bytes: Vec<u8>, what: &str) -> Result<(), BusError> {
        if *self.link.borrow() != Link::Up {
            return Err(BusError::Disconnected(what.to_owned()));
        }
        let waiting = self.outgoing_bytes.get() + bytes.len();
        if waiting > limits::OUTGOING_BYTES {
            return Err(BusError::Busy(what.to_owned()));
        }
        self.outgoing_bytes.set(waiting);
        self.outgoing.borrow_mut().push_back(bytes);
        self.outgoing_arrived.notify_one();
        Ok(())
    }

    /// The next message for the wire; waits for one.
    pub(crate) async fn next_outgoing(&self) -> Vec<u8> {
        loop {
            let next = self.outgoing.borrow_mut().pop_front();
            if let Some(bytes) = next {
                self.outgoing_bytes.set(self.outgoing_bytes.get() - bytes.len());
                return bytes;
            }
            self.outgoing_arrived.notified().await;
        }
    }

    // Answering calls of others.

    /// Sends one answer to a call of another client.
    pub(crate) fn answer(&self, call: &Call, data: &Table) -> Result<(), BusError> {
        if call.generation != self.generation.get() || call.no_reply {
            return Ok(());
        }
        let what = format!("answer to {}", call.method);
        let message = Outgoing::new(kind::DATA, call.peer)
            .number(attribute::OBJID, call.object)
            .table(attribute::DATA, data)
            .and_then(|message| message.finish(call.seq));
        self.send(message.map_err(|error| BusError::Unsendable(what.clone(), error))?, &what)
    }

    /// Ends a call of another client.
    pub(crate) fn end(&self, call: &Call, code: u32) {
        if call.generation == self.generation.get() && !call.no_reply {
            self.send_status(call.seq, call.peer, call.object, code);
        }
    }

    fn send_status(&self, seq: u16, peer: u32, object: u32, code: u32) {
        let message = Outgoing::new(kind::STATUS, peer)
            .number(attribute::STATUS, code)
            .number(attribute::OBJID, object)
            .finish(seq);
        let sent = message
            .map_err(|error| error.to_string())
            .and_then(|bytes| self.send(bytes, "status").map_err(|error| error.to_string()));
        if let Err(error) = sent {
            tracing::debug!("a caller stays without an answer: {error}");
        }
    }

    // Objects of ours.

    /// Tells an inbox of everything that may concern it, as long as it is there.
    pub(crate) fn keep_informed(&self, inbox: &Rc<Inbox>) {
        let mut inboxes = self.inboxes.borrow_mut();
        inboxes.retain(|known| known.strong_count() > 0);
        inboxes.push(Rc::downgrade(inbox));
    }

    fn inboxes(&self) -> Vec<Rc<Inbox>> {
        self.inboxes.borrow().iter().filter_map(Weak::upgrade).collect()
    }

    /// Takes an object of ours off the bus.
    pub(crate) fn remove(&self, id: u32) {
        let removed = self.routes.borrow_mut().remove(&id);
        // With the last holder go calls that wait in it, which ends them.
        drop(removed);
        let message = Outgoing::new(kind::REMOVE_OBJECT, 0).number(attribute::OBJID, id);
        // Without a connection there is nothing to be removed.
        let _ = self.tell(Ok(message), "remove object");
    }

    /// Takes all objects of an inbox off the bus.
    pub(crate) fn remove_all(&self, inbox: &Rc<Inbox>) {
        let routes = self.routes.borrow();
        let of_inbox = routes.iter().filter(|(_, owner)| Rc::ptr_eq(owner, inbox));
        let ids: Vec<_> = of_inbox.map(|(id, _)| *id).collect();
        drop(routes);
        ids.into_iter().for_each(|id| self.remove(id));
    }

    // What comes.

    /// The bus has greeted us.
    pub(crate) fn connected(&self) {
        self.generation.set(self.generation.get() + 1);
        self.link.send_replace(Link::Up);
    }

    /// The connection is gone, or could not be made.
    pub(crate) fn disconnected(&self) {
        self.link.send_replace(Link::Down);
        self.outgoing.borrow_mut().clear();
        self.outgoing_bytes.set(0);
        self.ids.borrow_mut().clear();
        let routes = self.routes.take();
        drop(routes);
        self.requests.borrow_mut().disconnected();
        self.inboxes().iter().for_each(|inbox| inbox.away());
    }

    /// Handles one message; never waits.
    pub(crate) fn receive(&self, frame: &Frame, this: &Rc<Self>) {
        let fields = Fields::decode(&frame.body);
        match frame.kind {
            kind::STATUS => self.requests.borrow_mut().status(frame.seq, frame.peer, fields),
            kind::DATA => {
                let bytes = frame.body.len();
                let added = self.requests.borrow_mut().data(frame.seq, frame.peer, bytes, fields);
                match added {
                    Some(Added::For(inbox, id)) => {
                        self.routes.borrow_mut().insert(id, inbox);
                    }
                    Some(Added::Unwanted(id)) => self.remove(id),
                    None => {}
                }
            }
            kind::INVOKE => match fields {
                Ok(fields) => self.invoked(frame, fields, this),
                Err(error) => {
                    tracing::debug!("a malformed call: {error}");
                    if frame.peer != 0 {
                        self.send_status(frame.seq, frame.peer, 0, status::INVALID_ARGUMENT);
                    }
                }
            },
            kind::NOTIFY => {
                if let Ok(Fields { object: Some(object), active: Some(active), .. }) = fields {
                    if let Some(inbox) = self.route(object) {
                        inbox.active.set(active);
                    }
                }
            }
            kind::UNSUBSCRIBE => {
                if let Ok(Fields { object: Some(object), .. }) = fields {
                    if let Some(inbox) = self.route(object) {
                        inbox.away();
                    }
                }
            }
            other => tracing::debug!("ubus: a message of kind {other}"),
        }
    }

    fn route(&self, object: u32) -> Option<Rc<Inbox>> {
        self.routes.borrow().get(&object).cloned()
    }

    fn invoked(&self, frame: &Frame, fields: Fields, this: &Rc<Self>) {
        let object = fields.object.unwrap_or_default();
        // Events come from peer 0; nobody waits for an answer.
        let refuse = |code| {
            if frame.peer != 0 && !fields.no_reply {
                self.send_status(frame.seq, frame.peer, object, code);
            }
        };
        let Some(inbox) = self.route(object) else { return refuse(status::NOT_FOUND) };
        let (Some(method), Some(data)) = (&fields.method, &fields.data) else {
            return refuse(status::INVALID_ARGUMENT);
        };
        match &inbox.takes {
            Takes::Objects => self.object_event(method, data),
            Takes::Notices => {
                inbox.notice(method.clone(), data.clone());
                refuse(status::OK);
            }
            Takes::Calls(methods) if !methods.iter().any(|known| known.name == *method) => {
                refuse(status::METHOD_NOT_FOUND);
            }
            Takes::Calls(_) => {
                let call = Call {
                    method: method.clone(),
                    arguments: data.clone(),
                    user: fields.user.clone(),
                    group: fields.group.clone(),
                    shared: Rc::clone(this),
                    generation: self.generation.get(),
                    seq: frame.seq,
                    peer: frame.peer,
                    object,
                    no_reply: fields.no_reply,
                    ended: Cell::new(false),
                };
                if let Some(call) = inbox.call(call) {
                    tracing::warn!("ubus: too many calls of {method} wait; one more is refused");
                    call.finish(status::NO_MEMORY);
                }
            }
        }
    }

    /// An object has come or gone.
    fn object_event(&self, event: &str, data: &Table) {
        let Some(path) = data.str("path") else { return };
        if event == "ubus.object.remove" {
            self.ids.borrow_mut().remove(path);
            if let Some(id) = data.i64("id") {
                // INT32 on the wire: the id is its bits.
                self.requests.borrow_mut().peer_gone(id as u32);
            }
        }
        for inbox in self.inboxes() {
            let concerned = inbox.path.as_deref() == Some(path);
            if concerned && !matches!(&*inbox.standing.borrow(), Standing::There(_)) {
                inbox.wake.notify_one();
            }
        }
    }
}

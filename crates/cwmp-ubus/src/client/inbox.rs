//! What comes for one object of ours, and how that object stands on the bus.

use super::published::Call;
use crate::{error::BusError, limits, object::MethodInfo, value::Table};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
};
use tokio::sync::{Notify, watch};

/// How an object of ours stands on the bus.
#[derive(Clone, Debug)]
pub(crate) enum Standing {
    /// Not there yet, or not any more.
    Away,
    /// Registered, with this id.
    There(u32),
    /// Refused; tried again later.
    Refused(BusError),
}

/// What is done with messages for the object.
pub(crate) enum Takes {
    /// The coming and going of objects, which the bus connection itself watches.
    Objects,
    /// Events and notifications.
    Notices,
    /// Calls of these methods.
    Calls(Vec<MethodInfo>),
}

/// Something for the owner of an object.
pub(crate) enum Incoming {
    /// An event or a notification: its name and data.
    Notice(String, Table),
    Call(Call),
}

/// One object of ours.
pub(crate) struct Inbox {
    pub(crate) takes: Takes,
    /// The object on the bus whose coming and going matters to it.
    pub(crate) path: Option<String>,
    pub(crate) standing: watch::Sender<Standing>,
    /// Something has changed that may need a new registration.
    pub(crate) wake: Notify,
    /// Whether somebody has subscribed to it.
    pub(crate) active: Cell<bool>,
    /// Times that it was lost, or would have been had it been there.
    pub(crate) losses: Cell<u64>,
    /// Times that something may have been missed.
    pub(crate) gaps: Cell<u64>,
    queue: RefCell<VecDeque<Incoming>>,
    arrived: Notify,
}

impl Inbox {
    pub(crate) fn new(takes: Takes, path: Option<String>) -> Rc<Self> {
        Rc::new(Self {
            takes,
            path,
            standing: watch::Sender::new(Standing::Away),
            wake: Notify::new(),
            active: Cell::new(false),
            losses: Cell::new(0),
            gaps: Cell::new(0),
            queue: RefCell::default(),
            arrived: Notify::new(),
        })
    }

    /// Takes an event or a notification; at the limit the oldest gives way.
    pub(crate) fn notice(&self, name: String, data: Table) {
        let mut queue = self.queue.borrow_mut();
        if queue.len() >= limits::EVENTS {
            queue.pop_front();
            self.gap();
        }
        queue.push_back(Incoming::Notice(name, data));
        self.arrived.notify_one();
    }

    /// Takes a call, or gives it back when too many wait.
    pub(crate) fn call(&self, call: Call) -> Option<Call> {
        let mut queue = self.queue.borrow_mut();
        if queue.len() >= limits::OWN_CALLS {
            return Some(call);
        }
        queue.push_back(Incoming::Call(call));
        self.arrived.notify_one();
        None
    }

    /// What has come; waits for it.
    pub(crate) async fn next(&self) -> Incoming {
        loop {
            let next = self.queue.borrow_mut().pop_front();
            match next {
                Some(incoming) => return incoming,
                None => self.arrived.notified().await,
            }
        }
    }

    /// The object is not on the bus any more, or not connected to what it was to hear of.
    pub(crate) fn away(&self) {
        if matches!(self.standing.send_replace(Standing::Away), Standing::There(_)) {
            self.gap();
        }
        self.losses.set(self.losses.get() + 1);
        self.active.set(false);
        self.wake.notify_one();
    }

    /// Whether the object is registered, with its id.
    pub(crate) fn there(&self) -> Option<u32> {
        match &*self.standing.borrow() {
            Standing::There(id) => Some(*id),
            _ => None,
        }
    }

    /// Waits until the bus has taken the object, or refused it.
    pub(crate) async fn ready(&self) -> Result<(), BusError> {
        let mut standing = self.standing.subscribe();
        loop {
            match &*standing.borrow_and_update() {
                Standing::There(_) => return Ok(()),
                Standing::Refused(error) => return Err(error.clone()),
                Standing::Away => {}
            }
            if standing.changed().await.is_err() {
                return Err(BusError::Disconnected("registration".to_owned()));
            }
        }
    }

    fn gap(&self) {
        self.gaps.set(self.gaps.get() + 1);
    }
}

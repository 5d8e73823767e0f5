//! Objects of our own, and calls of their methods.

use super::{
    Bus, Kept,
    inbox::{Inbox, Incoming, Takes},
    keeper,
    shared::Shared,
};
use crate::{
    error::{BusError, status},
    message::{Outgoing, attribute, kind},
    object::{self, MethodInfo},
    value::Table,
};
use std::{cell::Cell, rc::Rc};

/// An object of ours, on the bus for as long as this is kept; see [`Bus::publish`].
pub struct Published {
    kept: Kept,
}

impl Published {
    pub(super) fn new(bus: &Bus, path: &str, methods: Vec<MethodInfo>) -> Self {
        let what: Rc<str> = format!("object {path}").into();
        let signature = object::signature(&methods);
        let inbox = Inbox::new(Takes::Calls(methods), Some(path.to_owned()));
        let path: Rc<str> = path.into();
        let named = Rc::clone(&what);
        let establish = async move |shared: &Shared, inbox: &Rc<Inbox>| {
            let message = Outgoing::new(kind::ADD_OBJECT, 0)
                .text(attribute::OBJPATH, &path)
                .and_then(|message| message.table(attribute::SIGNATURE, &signature));
            let message = message.map_err(|error| BusError::Unsendable(named.to_string(), error))?;
            keeper::add(shared, inbox, &named, message).await
        };
        Self { kept: Kept::new(bus, inbox, what, establish) }
    }

    /// The next call of a method. Nothing is lost when the wait is broken off.
    pub async fn next_call(&self) -> Call {
        loop {
            if let Incoming::Call(call) = self.kept.inbox.next().await {
                return call;
            }
        }
    }

    /// Tells those who have subscribed to the object; where nobody has, nothing is sent.
    ///
    /// # Errors
    /// What is to be said cannot be sent.
    pub fn notify(&self, kind: &str, data: &Table) -> Result<(), BusError> {
        let inbox = &self.kept.inbox;
        let (true, Some(id)) = (inbox.active.get(), inbox.there()) else { return Ok(()) };
        let message = Outgoing::new(kind::NOTIFY, 0)
            .number(attribute::OBJID, id)
            .flag(attribute::NO_REPLY, true)
            .text(attribute::METHOD, kind)
            .and_then(|message| message.table(attribute::DATA, data));
        self.kept.shared.tell(message, kind)
    }

    /// Waits until the object is on the bus.
    ///
    /// # Errors
    /// The bus refuses, with status 2 where another object has the path; it is asked again when that object goes, and
    /// every [`REGISTER_AGAIN`](crate::limits::REGISTER_AGAIN).
    pub async fn ready(&self) -> Result<(), BusError> {
        self.kept.inbox.ready().await
    }
}

/// A call of a method of an object of ours. The caller waits until it is finished; one that is dropped fails.
pub struct Call {
    /// The method; one that the object has.
    pub method: String,
    /// The arguments, of whatever types the caller has given them.
    pub arguments: Table,
    /// The user who calls, as the bus knows it.
    pub user: Option<String>,
    /// The group of that user.
    pub group: Option<String>,
    pub(crate) shared: Rc<Shared>,
    pub(crate) generation: u64,
    pub(crate) seq: u16,
    pub(crate) peer: u32,
    pub(crate) object: u32,
    pub(crate) no_reply: bool,
    pub(crate) ended: Cell<bool>,
}

impl Call {
    /// Sends an answer; there may be several before the end. A caller that has gone is no error.
    ///
    /// # Errors
    /// The answer cannot be sent.
    pub fn reply(&self, data: &Table) -> Result<(), BusError> {
        self.shared.answer(self, data)
    }

    /// Ends the call with one of the codes of [`status`].
    pub fn finish(self, code: u32) {
        self.end(code);
    }

    fn end(&self, code: u32) {
        if !self.ended.replace(true) {
            self.shared.end(self, code);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.end(status::UNKNOWN_ERROR);
    }
}

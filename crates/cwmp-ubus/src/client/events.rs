//! Events: what services tell everybody.

use super::{
    Bus, Kept,
    inbox::{Inbox, Incoming, Takes},
    keeper,
    shared::Shared,
};
use crate::{
    error::{BusError, status},
    message::{EVENT_OBJECT, Outgoing, attribute, kind},
    value::{Table, Value},
};
use std::rc::Rc;

/// An event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its name: `network.interface`.
    pub id: String,
    /// What it says.
    pub data: Table,
}

/// Events of one pattern, for as long as this is kept; see [`Bus::events`].
pub struct Events {
    kept: Kept,
}

impl Events {
    pub(super) fn new(bus: &Bus, pattern: &str) -> Self {
        let pattern: Rc<str> = pattern.into();
        let what = format!("events {pattern}").into();
        let establish =
            async move |shared: &Shared, inbox: &Rc<Inbox>| register(shared, inbox, &pattern).await;
        Self { kept: Kept::new(bus, Inbox::new(Takes::Notices, None), what, establish) }
    }

    /// The next event. Nothing is lost when the wait is broken off.
    pub async fn next(&self) -> Event {
        loop {
            if let Incoming::Notice(id, data) = self.kept.inbox.next().await {
                return Event { id, data };
            }
        }
    }

    /// Times that events may have been missed: the bus was away, or [`EVENTS`](crate::limits::EVENTS) waited already.
    #[must_use]
    pub fn gaps(&self) -> u64 {
        self.kept.inbox.gaps.get()
    }

    /// Waits until events come.
    ///
    /// # Errors
    /// The bus refuses; it is asked again every [`REGISTER_AGAIN`](crate::limits::REGISTER_AGAIN).
    pub async fn ready(&self) -> Result<(), BusError> {
        self.kept.inbox.ready().await
    }
}

/// Has events of a pattern sent to an inbox.
pub(super) async fn register(shared: &Shared, inbox: &Rc<Inbox>, pattern: &str) -> Result<u32, BusError> {
    let what: Rc<str> = format!("events {pattern}").into();
    let id = keeper::add_anonymous(shared, inbox, &what).await?;
    // The bus reads the id as INT32: its bits count.
    let arguments = Table::new().with("object", Value::Int32(id as i32)).with("pattern", pattern);
    let request = invoke_bus(shared, "register", &arguments, &what);
    match keeper::asked(request).await {
        Ok(()) => Ok(id),
        Err(error) => {
            shared.remove(id);
            Err(error)
        }
    }
}

/// Calls a method of the bus itself.
pub(super) async fn invoke_bus(
    shared: &Shared,
    method: &str,
    arguments: &Table,
    what: &Rc<str>,
) -> Result<(), BusError> {
    let message = Outgoing::new(kind::INVOKE, EVENT_OBJECT)
        .number(attribute::OBJID, EVENT_OBJECT)
        .text(attribute::METHOD, method)
        .and_then(|message| message.table(attribute::DATA, arguments));
    match shared.request(EVENT_OBJECT, message, what, None).await?.status {
        status::OK => Ok(()),
        code => Err(BusError::Status(code, what.to_string())),
    }
}

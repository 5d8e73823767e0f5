//! Subscriptions: what one object tells those who ask for it.

use super::{
    Bus, Kept,
    inbox::{Inbox, Incoming, Takes},
    keeper,
    shared::Shared,
};
use crate::{
    error::{BusError, status},
    message::{Outgoing, attribute, kind},
    value::Table,
};
use std::rc::Rc;

/// A notification.
#[derive(Clone, Debug, PartialEq)]
pub struct Notification {
    /// What kind: `interface.update`.
    pub kind: String,
    /// What it says.
    pub data: Table,
}

/// Notifications of one object, for as long as this is kept; see [`Bus::subscribe`].
pub struct Subscription {
    kept: Kept,
}

impl Subscription {
    pub(super) fn new(bus: &Bus, path: &str) -> Self {
        let what: Rc<str> = format!("subscription to {path}").into();
        let inbox = Inbox::new(Takes::Notices, Some(path.to_owned()));
        let path: Rc<str> = path.into();
        let named = Rc::clone(&what);
        let establish =
            async move |shared: &Shared, inbox: &Rc<Inbox>| subscribe(shared, inbox, &path, &named).await;
        Self { kept: Kept::new(bus, inbox, what, establish) }
    }

    /// The next notification. Nothing is lost when the wait is broken off.
    pub async fn next(&self) -> Notification {
        loop {
            if let Incoming::Notice(kind, data) = self.kept.inbox.next().await {
                return Notification { kind, data };
            }
        }
    }

    /// Times that notifications may have been missed: the object or the bus was away, or
    /// [`EVENTS`](crate::limits::EVENTS) waited already.
    #[must_use]
    pub fn gaps(&self) -> u64 {
        self.kept.inbox.gaps.get()
    }

    /// Waits until notifications come.
    ///
    /// # Errors
    /// The object is not there, or the bus refuses; both may change.
    pub async fn ready(&self) -> Result<(), BusError> {
        self.kept.inbox.ready().await
    }
}

async fn subscribe(shared: &Shared, inbox: &Rc<Inbox>, path: &str, what: &Rc<str>) -> Result<u32, BusError> {
    // From now on the coming of the object is heard of, so it cannot come unnoticed after it was looked up.
    let _ = shared.watcher.ready().await;
    let target = keeper::asked(shared.look_up(path, what)).await?;
    let id = keeper::add_anonymous(shared, inbox, what).await?;
    let message =
        Outgoing::new(kind::SUBSCRIBE, 0).number(attribute::OBJID, id).number(attribute::TARGET, target);
    let refused = match keeper::asked(shared.request(0, Ok(message), what, None)).await {
        Ok(reply) if reply.status == status::OK => return Ok(id),
        Ok(reply) => BusError::Status(reply.status, what.to_string()),
        Err(error) => error,
    };
    shared.remove(id);
    Err(refused)
}

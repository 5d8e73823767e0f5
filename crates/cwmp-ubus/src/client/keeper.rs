//! Keeps an object of ours on the bus: registers it, and registers it again whenever that is needed.

use super::{
    inbox::{Inbox, Standing},
    shared::Shared,
};
use crate::{
    error::{BusError, status},
    limits,
    message::{Outgoing, attribute, kind},
};
use std::rc::Rc;

/// Runs for as long as the object is wanted. `establish` registers it on the present connection and returns its id; where
/// it fails, nothing of it may be left on the bus.
pub(crate) async fn keep(
    shared: Rc<Shared>,
    inbox: Rc<Inbox>,
    what: Rc<str>,
    establish: impl AsyncFn(&Shared, &Rc<Inbox>) -> Result<u32, BusError>,
) {
    let mut complained = false;
    loop {
        shared.until_up().await;
        // What is left of an earlier registration: a subscription whose target has gone leaves its object behind.
        shared.remove_all(&inbox);
        let losses = inbox.losses.get();
        match establish(&shared, &inbox).await {
            // Lost again before this task could run.
            Ok(_) if inbox.losses.get() != losses => {}
            Ok(id) => {
                if std::mem::take(&mut complained) {
                    tracing::info!("ubus: {what}: registered");
                }
                inbox.standing.send_replace(Standing::There(id));
                while inbox.there().is_some() {
                    inbox.wake.notified().await;
                }
            }
            Err(BusError::Disconnected(_)) => {}
            Err(error) => {
                // An object that is not there yet is nothing unusual while a box starts.
                if error.status() == Some(status::NOT_FOUND) {
                    tracing::debug!("{error}");
                } else if !complained {
                    tracing::warn!("{error}; tried again every {} s", limits::REGISTER_AGAIN.as_secs());
                    complained = true;
                }
                inbox.standing.send_replace(Standing::Refused(error));
                // Woken when the object comes that this is about, or when the connection goes.
                let _ = tokio::time::timeout(limits::REGISTER_AGAIN, inbox.wake.notified()).await;
            }
        }
    }
}

/// Adds an object without a path, which events and notifications can come to.
pub(crate) async fn add_anonymous(
    shared: &Shared,
    inbox: &Rc<Inbox>,
    what: &Rc<str>,
) -> Result<u32, BusError> {
    add(shared, inbox, what, Outgoing::new(kind::ADD_OBJECT, 0)).await
}

/// Adds an object to the bus.
pub(crate) async fn add(
    shared: &Shared,
    inbox: &Rc<Inbox>,
    what: &Rc<str>,
    message: Outgoing,
) -> Result<u32, BusError> {
    let reply = asked(shared.request(0, Ok(message), what, Some(Rc::clone(inbox)))).await?;
    if reply.status != status::OK {
        return Err(BusError::Status(reply.status, what.to_string()));
    }
    let id = reply.data.iter().find_map(|fields| fields.object);
    id.ok_or_else(|| BusError::Malformed(what.to_string(), crate::DecodeError::Field(attribute::OBJID)))
}

/// Waits for an answer of the bus itself, as long as a call may take.
pub(crate) async fn asked<T>(request: impl Future<Output = Result<T, BusError>>) -> Result<T, BusError> {
    tokio::time::timeout(limits::CALL_TIMEOUT, request)
        .await
        .unwrap_or_else(|_| Err(BusError::Timeout("the bus".to_owned())))
}

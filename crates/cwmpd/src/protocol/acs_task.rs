//! Carries out what the agent wants of the connection to the ACS, one thing at a time.
//!
//! The kernel keeps a connection whose address the box no longer has: no answer can come back on it. Where the box says that
//! its network has changed, such a connection is given up at once rather than after the wait for a reply, so that the next
//! session begins with the address that the box has now.

use std::{net::IpAddr, rc::Rc};

use cwmp_core::io::{AcsTarget, Body, Input, NetError};
use cwmp_transport::{AcsClient, ManagementPath, PostBody};
use tokio::sync::{Notify, mpsc};

use super::box_side::BoxSide;

/// One step of a session.
pub(crate) enum Step {
    Open(AcsTarget),
    Post(Body),
    Close,
}

/// What the driver must know of the connection, beside the inputs of the agent.
pub(crate) enum Note {
    /// The session runs over this address of the box.
    LocalAddress(IpAddr),
}

/// Takes steps until the sender is gone; then closes. `changes` is notified when the network of the box has changed.
pub(crate) async fn run(
    mut client: AcsClient,
    side: BoxSide,
    path: ManagementPath,
    changes: Rc<Notify>,
    mut steps: mpsc::UnboundedReceiver<Step>,
    inputs: mpsc::UnboundedSender<Input>,
    notes: mpsc::UnboundedSender<Note>,
) {
    while let Some(step) = steps.recv().await {
        let outcome = match step {
            Step::Open(target) => match client.open(&target).await {
                Ok(()) => {
                    if let Some(address) = client.local_addr() {
                        notes.send(Note::LocalAddress(address.ip())).ok();
                    }
                    Input::Connected
                }
                Err(error) => Input::SessionLost(error),
            },
            Step::Post(body) => {
                let address = client.local_addr().map(|local| local.ip());
                // Whatever was sent before that stays sent: the ACS may take in an answer of which it cannot say so.
                let post = async {
                    let body = match body {
                        Body::Empty => PostBody::Empty,
                        Body::Bytes(bytes) => PostBody::Bytes(bytes.into()),
                        Body::Listing(listing) => side.envelope(listing).await.map_err(NetError::Broken)?,
                    };
                    client.post(body).await
                };
                let posted = tokio::select! {
                    posted = post => posted,
                    error = address_gone(address, &path, &changes) => Err(error),
                };
                match posted {
                    Ok(reply) => Input::Reply(reply),
                    Err(error) => Input::SessionLost(error),
                }
            }
            Step::Close => {
                client.close();
                continue;
            }
        };
        if inputs.send(outcome).is_err() {
            break;
        }
    }
    client.close();
}

/// Waits until the box no longer has this address.
async fn address_gone(address: Option<IpAddr>, path: &ManagementPath, changes: &Notify) -> NetError {
    let Some(address) = address else { return std::future::pending().await };
    loop {
        // A change that came before, while nothing was posted, counts.
        changes.notified().await;
        if !path.has_address(address).await {
            return NetError::Broken(format!("the box no longer has the address {address}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_address_is_looked_for_when_the_network_has_changed() {
        // One for documentation, and one that is always there.
        let (gone, own) = ("192.0.2.1".parse().unwrap(), "127.0.0.1".parse().unwrap());
        let (path, changes) = (ManagementPath::default(), Notify::new());
        let hour = Duration::from_secs(3600);
        let waited = tokio::time::timeout(hour, address_gone(Some(gone), &path, &changes)).await;
        assert!(waited.is_err(), "nothing has changed");
        changes.notify_one();
        let error = address_gone(Some(gone), &path, &changes).await;
        assert_eq!(error, NetError::Broken("the box no longer has the address 192.0.2.1".to_owned()));
        for here in [Some(own), None] {
            changes.notify_one();
            assert!(tokio::time::timeout(hour, address_gone(here, &path, &changes)).await.is_err());
        }
    }
}

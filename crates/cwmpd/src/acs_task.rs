//! Carries out what the agent wants of the connection to the ACS, one thing at a time.

use cwmp_core::io::{AcsTarget, Input};
use cwmp_transport::{AcsClient, PostBody};
use tokio::sync::mpsc;

/// One step of a session.
pub(crate) enum Step {
    Open(AcsTarget),
    Post(PostBody),
    Close,
}

/// What the driver must know of the connection, beside the inputs of the agent.
pub(crate) enum Note {
    /// The session runs over this address of the box.
    LocalAddress(std::net::IpAddr),
}

/// Takes steps until the sender is gone; then closes.
pub(crate) async fn run(
    mut client: AcsClient,
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
            Step::Post(body) => match client.post(body).await {
                Ok(reply) => Input::Reply(reply),
                Err(error) => Input::SessionLost(error),
            },
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

//! Writes the protocol state, off the loop: fsync may take long on flash.

use cwmp_core::{
    io::{Input, Ticket},
    stored::Stored,
};
use cwmp_store::StateFile;
use tokio::sync::{mpsc, oneshot};

use crate::restart::Mirror;

/// What the store is to do.
pub(crate) enum Order {
    /// Keep this state, then answer for the ticket.
    Write(Ticket, Box<Stored>),
    /// Say when everything ordered before is done.
    Settle(oneshot::Sender<()>),
    /// Delete the state, then keep this one (factory reset).
    Forget(Box<Stored>, oneshot::Sender<Result<(), String>>),
}

/// Where the state is kept.
pub(crate) struct Kept {
    pub(crate) file: StateFile<Stored>,
    /// The copy of its CommandKeys in memory, where the box has such memory.
    pub(crate) mirror: Option<Mirror>,
}

impl Kept {
    /// Writes the state, then the copy.
    pub(crate) fn save(&mut self, state: &Stored) -> Result<(), String> {
        self.file.save(state).map_err(|error| error.to_string())?;
        if let Some(mirror) = &mut self.mirror {
            mirror.keep(&state.reboots);
        }
        Ok(())
    }

    /// Deletes the state, then writes this one (factory reset).
    pub(crate) fn forget(&mut self, rest: &Stored) -> Result<(), String> {
        self.file.delete().map_err(|error| error.to_string())?;
        self.save(rest)
    }
}

/// Carries out orders until the sender is gone. Of the states that pile up behind a slow write only the last is written;
/// all of them are answered for.
pub(crate) async fn run(
    mut kept: Kept,
    mut orders: mpsc::UnboundedReceiver<Order>,
    inputs: mpsc::UnboundedSender<Input>,
) {
    let mut next = orders.recv().await;
    while let Some(order) = next.take() {
        let (mut tickets, mut latest) = match order {
            Order::Write(ticket, state) => (vec![ticket], state),
            Order::Settle(done) => {
                done.send(()).ok();
                next = orders.recv().await;
                continue;
            }
            Order::Forget(rest, done) => {
                done.send(kept.forget(&rest)).ok();
                next = orders.recv().await;
                continue;
            }
        };
        loop {
            match orders.try_recv() {
                Ok(Order::Write(ticket, state)) => {
                    tickets.push(ticket);
                    latest = state;
                }
                Ok(other) => {
                    next = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        let written = tokio::task::spawn_blocking(move || {
            let result = kept.save(&latest);
            (kept, result)
        });
        let Ok((back, result)) = written.await else { return };
        kept = back;
        for ticket in tickets {
            let input = match &result {
                Ok(()) => Input::Persisted(ticket),
                Err(error) => Input::PersistFailed(ticket, error.clone()),
            };
            inputs.send(input).ok();
        }
        if next.is_none() {
            next = orders.recv().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use cwmp_store::durable::RealFiles;

    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn who_waits_for_the_store_to_settle_finds_everything_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        let (file, ..) = StateFile::<Stored>::open(RealFiles::shared(), &path).unwrap();
        let (orders, to_store) = mpsc::unbounded_channel();
        let (inputs, mut answers) = mpsc::unbounded_channel();
        for retry_count in 1..=3 {
            let state = Stored { retry_count, ..Stored::default() };
            orders.send(Order::Write(Ticket(retry_count), Box::new(state))).ok().unwrap();
        }
        let (done, settled) = oneshot::channel();
        orders.send(Order::Settle(done)).ok().unwrap();
        let task = run(Kept { file, mirror: None }, to_store, inputs);
        tokio::pin!(task);
        tokio::select! {
            () = &mut task => panic!("the store ended"),
            settled = settled => settled.unwrap(),
        }
        for ticket in 1..=3 {
            assert_eq!(answers.try_recv(), Ok(Input::Persisted(Ticket(ticket))));
        }
        let (_, state, _) = StateFile::<Stored>::open(RealFiles::shared(), &path).unwrap();
        assert_eq!(state.unwrap().retry_count, 3);
    }
}

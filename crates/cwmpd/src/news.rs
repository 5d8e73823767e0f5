//! What the agent tells the box of itself: sessions that begin and end, transfers that get on.

use cwmp_core::agent::{AgentStatus, SessionPhase, TransferStatus};
use tokio::sync::mpsc;

/// Most pieces of news that wait; what comes on top is lost.
const WAITING: usize = 64;

/// Something that has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The agent is in this phase now.
    Session(SessionPhase),
    /// A transfer is new, or in another state.
    Transfer(TransferStatus),
}

/// Finds out what has changed, and passes it on.
pub(crate) struct News {
    session: SessionPhase,
    transfers: Vec<TransferStatus>,
    told: mpsc::Sender<Change>,
}

impl News {
    /// The one who looks, and where what is found arrives. Nobody who listens need be there.
    #[cfg_attr(not(any(feature = "ubus", test)), expect(dead_code, reason = "only the bus is told"))]
    pub(crate) fn new() -> (Self, mpsc::Receiver<Change>) {
        let (told, hears) = mpsc::channel(WAITING);
        (Self { session: SessionPhase::Idle, transfers: Vec::new(), told }, hears)
    }

    /// Compares the state with what was told last.
    pub(crate) fn look(&mut self, status: &AgentStatus) {
        if std::mem::replace(&mut self.session, status.session) != status.session {
            self.tell(Change::Session(status.session));
        }
        if self.transfers != status.transfers {
            let told = std::mem::replace(&mut self.transfers, status.transfers.clone());
            for transfer in status.transfers.iter().filter(|transfer| !told.contains(transfer)) {
                self.tell(Change::Transfer(transfer.clone()));
            }
        }
    }

    fn tell(&self, change: Change) {
        // News is not worth a wait of the agent.
        let _ = self.told.try_send(change);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transfer(state: &str) -> TransferStatus {
        TransferStatus {
            command_key: "key".to_owned(),
            file_type: "1 Firmware Upgrade Image".to_owned(),
            url: "http://files.example/image".to_owned(),
            state: state.to_owned(),
            asks: None,
        }
    }

    #[test]
    fn each_change_is_told_once_and_no_wait_is_ever_made() {
        let (mut news, mut hears) = News::new();
        let mut status = AgentStatus {
            session: SessionPhase::Open,
            acs_url: None,
            bootstrapped: false,
            retry_count: 0,
            retry_in_ms: None,
            periodic_in_ms: None,
            acs_methods: None,
            events: Vec::new(),
            transfers: vec![transfer("waiting")],
        };
        news.look(&status);
        news.look(&status);
        status.transfers = vec![transfer("running")];
        news.look(&status);
        let mut told = Vec::new();
        while let Ok(change) = hears.try_recv() {
            told.push(change);
        }
        let transfers = ["waiting", "running"].map(|state| Change::Transfer(transfer(state)));
        assert_eq!(told, [[Change::Session(SessionPhase::Open)].as_slice(), &transfers].concat());
        for n in 0..2 * WAITING {
            status.session = if n % 2 == 0 { SessionPhase::Idle } else { SessionPhase::Open };
            news.look(&status);
        }
        assert_eq!(hears.len(), WAITING);
        drop(hears);
        news.look(&status);
    }
}

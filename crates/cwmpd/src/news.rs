//! What the agent tells the box of itself: sessions that begin and end, transfers that get on.

use cwmp_core::agent::{AgentStatus, SessionPhase, TransferStatus};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::border::limits::NEWS_BYTES;

/// Most pieces of news that wait; what comes on top is lost.
const WAITING: usize = 64;

/// Something that has changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Change {
    /// The agent is in this phase now.
    Session(SessionPhase),
    /// A transfer is new, or in another state.
    Transfer(TransferStatus),
}

/// Passes on what has changed.
pub(crate) struct News(mpsc::Sender<Change>);

impl News {
    /// The one who passes on, and where it arrives. Nobody who listens need be there.
    #[cfg_attr(not(any(feature = "ubus", test)), expect(dead_code, reason = "only the bus is told"))]
    pub(crate) fn new() -> (Self, mpsc::Receiver<Change>) {
        let (told, hears) = mpsc::channel(WAITING);
        (Self(told), hears)
    }

    /// Passes this on, unless too much waits, or it is longer than the agent has reason to tell.
    pub(crate) fn tell(&self, change: Change) {
        let bytes = match &change {
            Change::Session(_) => 0,
            Change::Transfer(TransferStatus { command_key, file_type, url, state, asks }) => {
                let asks = asks.as_ref().map_or(0, String::len);
                command_key.len() + file_type.len() + url.len() + state.len() + asks
            }
        };
        if bytes <= NEWS_BYTES {
            // News is not worth a wait.
            let _ = self.0.try_send(change);
        }
    }
}

/// Finds out what has changed.
pub(crate) struct Watcher {
    session: SessionPhase,
    transfers: Vec<TransferStatus>,
}

impl Default for Watcher {
    fn default() -> Self {
        Self { session: SessionPhase::Idle, transfers: Vec::new() }
    }
}

impl Watcher {
    /// Compares the state with what was seen last.
    pub(crate) fn look(&mut self, status: &AgentStatus) -> Vec<Change> {
        let mut changes = Vec::new();
        if std::mem::replace(&mut self.session, status.session) != status.session {
            changes.push(Change::Session(status.session));
        }
        if self.transfers != status.transfers {
            let seen = std::mem::replace(&mut self.transfers, status.transfers.clone());
            let new = status.transfers.iter().filter(|transfer| !seen.contains(transfer));
            changes.extend(new.cloned().map(Change::Transfer));
        }
        changes
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
    fn each_change_is_seen_once() {
        let mut watcher = Watcher::default();
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
        let mut seen = watcher.look(&status);
        seen.extend(watcher.look(&status));
        status.transfers = vec![transfer("running")];
        seen.extend(watcher.look(&status));
        let transfers = ["waiting", "running"].map(|state| Change::Transfer(transfer(state)));
        assert_eq!(seen, [[Change::Session(SessionPhase::Open)].as_slice(), &transfers].concat());
    }

    #[test]
    fn no_wait_is_ever_made_and_what_waits_is_bounded() {
        let (news, mut hears) = News::new();
        news.tell(Change::Transfer(transfer(&"x".repeat(NEWS_BYTES))));
        assert!(hears.try_recv().is_err());
        for _ in 0..2 * WAITING {
            news.tell(Change::Transfer(transfer("waiting")));
        }
        assert_eq!(hears.len(), WAITING);
        drop(hears);
        news.tell(Change::Session(SessionPhase::Idle));
    }
}

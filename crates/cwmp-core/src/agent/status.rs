//! What the agent says of itself, for `cwmpd status`.

use serde::{Deserialize, Serialize};

use super::{Agent, Stage};
use crate::{
    event::EventStruct,
    rpc::TransferState,
    time::Now,
    transfer::{Transfer, When},
};

/// Where the agent is with its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionPhase {
    /// No session.
    Idle,
    /// A session is being opened.
    Opening,
    /// A session is on.
    Open,
    /// The box is about to restart.
    Restarting,
}

/// The state of the agent at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentStatus {
    /// Where it is with its session.
    pub session: SessionPhase,
    /// ACS URL in force.
    pub acs_url: Option<String>,
    /// Whether this ACS has answered a `0 BOOTSTRAP`.
    pub bootstrapped: bool,
    /// RetryCount that the next Inform would carry.
    pub retry_count: u32,
    /// Milliseconds until a failed session is tried again.
    pub retry_in_ms: Option<u64>,
    /// Milliseconds until the next periodic Inform.
    pub periodic_in_ms: Option<u64>,
    /// Methods of the ACS; `None` until `cwmpd acs-methods` has asked.
    pub acs_methods: Option<Vec<String>>,
    /// Event codes that wait for delivery.
    pub events: Vec<String>,
    /// Transfers that are queued, under way or not yet reported.
    #[serde(default)]
    pub transfers: Vec<TransferStatus>,
}

/// A transfer, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferStatus {
    /// CommandKey; empty for one that was asked for on the box.
    pub command_key: String,
    /// FileType.
    pub file_type: String,
    /// Where from or where to.
    pub url: String,
    /// `waiting`, `running`, `over` or `failed: ...`.
    pub state: String,
    /// What whoever is to confirm it should know (UserMessage), while it waits for that.
    pub asks: Option<String>,
}

impl Agent {
    /// The state at this moment.
    #[must_use]
    pub fn status(&self, now: Now) -> AgentStatus {
        let session = match self.stage {
            Stage::Unborn | Stage::Idle => SessionPhase::Idle,
            Stage::Gathering { .. } | Stage::Connecting { .. } => SessionPhase::Opening,
            Stage::Open(_) => SessionPhase::Open,
            Stage::Restarting => SessionPhase::Restarting,
        };
        let url = self.settings.url.as_ref().map(ToString::to_string);
        AgentStatus {
            session,
            bootstrapped: url.is_some() && url == self.state.bootstrapped,
            acs_url: url,
            retry_count: self.state.retry_count,
            retry_in_ms: self.retry_at.map(|at| at.since(now.mono)),
            periodic_in_ms: self.periodic.due().map(|due| due.since(now.mono)),
            acs_methods: self.acs_methods.clone(),
            events: self.waiting_codes(),
            transfers: self
                .state
                .transfers
                .iter()
                .map(|transfer| self.transfer_status(transfer, now))
                .collect(),
        }
    }

    fn waiting_codes(&self) -> Vec<String> {
        let of_jobs: Vec<EventStruct> = self.transfer_events().into_iter().chain(self.du_events()).collect();
        let all = self.undelivered().chain(&of_jobs);
        all.map(|event| event.code.as_str().to_owned()).collect()
    }

    fn transfer_status(&self, transfer: &Transfer, now: Now) -> TransferStatus {
        let state = match transfer.outcome() {
            Some(outcome) if outcome.is_success() => "over".to_owned(),
            Some(outcome) => format!("failed: {}: {}", outcome.fault.code, outcome.fault.text),
            None => match self.state_of(transfer) {
                TransferState::NotYetStarted => "waiting".to_owned(),
                TransferState::InProgress | TransferState::Completed => "running".to_owned(),
            },
        };
        let asks = match &transfer.when {
            When::Within(windows) => windows.asks(now).map(str::to_owned),
            When::After(_) => None,
        };
        TransferStatus {
            command_key: transfer.command_key.as_str().to_owned(),
            file_type: transfer.file_type().to_owned(),
            url: transfer.url.to_string(),
            state,
            asks,
        }
    }
}

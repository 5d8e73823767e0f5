//! How outcomes reach the ACS: the events of an Inform, and the requests of its session.

use super::is_of_transfer;
use crate::{
    agent::{Agent, calls::Call},
    event::{EventCode, EventStruct},
    io::Level,
    limits,
    rpc::{AcsRequest, TransferState},
    settings::TransferPolicy,
    transfer::{Origin, Outcome, Stage, Transfer},
};

/// Name of the method that not every ACS has.
const AUTONOMOUS: &str = "AutonomousTransferComplete";

impl Agent {
    /// Transfers that are over and stored, and of which the ACS does not know yet.
    fn reportable(&self) -> impl Iterator<Item = &Transfer> {
        let stored = |transfer: &&Transfer| {
            let unstored = &self.transfers.unstored;
            transfer.outcome().is_some() && !unstored.iter().any(|(_, id)| *id == transfer.id)
        };
        self.state.transfers.iter().filter(stored)
    }

    /// Whether a session is owed because of them.
    pub(in crate::agent) fn has_reports(&self) -> bool {
        self.reportable().next().is_some()
    }

    /// The events that report them: made for each Inform, so that one which is sent again after an interruption lists them
    /// again until the ACS has answered for each (TR-069a6 3.7.1.5).
    pub(in crate::agent) fn transfer_events(&self) -> Vec<EventStruct> {
        let mut events = Vec::new();
        for transfer in self.reportable() {
            let single = match transfer.event() {
                Some(code) => {
                    events.push(EventStruct::with_key(code, transfer.command_key.clone()));
                    EventCode::TransferComplete
                }
                None => EventCode::AutonomousTransferComplete,
            };
            if !events.iter().any(|event| event.code == single) {
                events.push(EventStruct::new(single));
            }
        }
        events
    }

    /// The events that the next Inform lists: those of transfers, and of the others as many as have room.
    pub(in crate::agent) fn events_for_inform(&mut self) -> Vec<EventStruct> {
        self.transfers.listed = self.reportable().map(|transfer| transfer.id).collect();
        let mut events = self.transfer_events();
        events.extend(self.list_du_changes());
        events.extend(self.events.take_for_inform(limits::INFORM_EVENTS.saturating_sub(events.len())));
        events.sort_by_key(|event| event.code.rank());
        events
    }

    /// Those that the Inform of the present session lists.
    fn listed(&self) -> impl Iterator<Item = &Transfer> {
        self.reportable().filter(|transfer| self.transfers.listed.contains(&transfer.id))
    }

    /// The requests that report what the Inform lists, in the order of the calls. What has ended since then is for the next
    /// session.
    pub(in crate::agent) fn transfer_requests(&self) -> Vec<AcsRequest> {
        let autonomous = self.acs_offers(AUTONOMOUS);
        let may_ask = |transfer: &&Transfer| transfer.origin != Origin::Local || autonomous == Some(true);
        let mut requests: Vec<AcsRequest> =
            self.listed().filter(may_ask).filter_map(Transfer::report).collect();
        // An ACS that does not know the method may do worse than refuse it: its list is asked for first.
        let asked = self.requests.contains(&AcsRequest::GetRPCMethods);
        if autonomous.is_none() && !asked && self.listed().any(|transfer| transfer.origin == Origin::Local) {
            requests.push(AcsRequest::GetRPCMethods);
        }
        requests
    }

    /// The ACS has said what it can do: what happened on the box is reported to it, or to nobody.
    ///
    /// Where that was known before, the session has its requests already.
    pub(in crate::agent) fn report_autonomous(&mut self, first: bool) {
        if self.acs_offers(AUTONOMOUS) != Some(true) {
            let before = self.state.transfers.len();
            let stays =
                |transfer: &Transfer| transfer.origin != Origin::Local || transfer.outcome().is_none();
            self.state.transfers.retain(stays);
            if self.state.transfers.len() < before {
                self.trace(Level::Info, format!("the ACS does not take {AUTONOMOUS}: it is not told"));
                self.persist_changes();
            }
            return;
        }
        let local = self.listed().filter(|transfer| transfer.origin == Origin::Local);
        let requests: Vec<AcsRequest> = local.filter_map(Transfer::report).collect();
        if let Some(open) = self.open().filter(|_| first) {
            for request in requests {
                open.session.ask(request);
            }
        }
    }

    /// The ACS has answered a report, or refused it for good: it is delivered. The session goes on once that is stored.
    pub(in crate::agent) fn transfer_reported(&mut self, request: &AcsRequest) {
        // Two with one CommandKey may have the same to report; one of those that the Inform lists is meant.
        let reported = self.listed().find(|transfer| transfer.report().as_ref() == Some(request));
        let Some(id) = reported.map(|transfer| transfer.id) else { return };
        self.transfers.listed.retain(|listed| *listed != id);
        self.state.transfers.retain(|transfer| transfer.id != id);
        let ticket = self.persist();
        if let Some(open) = self.open() {
            open.call = Some(Call::Delivering { ticket: Some(ticket), op: None });
        }
    }

    /// With a new ACS goes what was owed to the old one (TR-069a6 3.7.1.5, `0 BOOTSTRAP`).
    pub(in crate::agent) fn forget_reports(&mut self) {
        self.state.transfers.retain(|transfer| transfer.outcome().is_none());
        self.transfers.unstored.clear();
    }

    /// Whether the ACS is told of this end: always of what it has asked for itself, else as AutonomousTransferCompletePolicy
    /// says.
    pub(super) fn is_to_be_reported(&self, transfer: &Transfer, outcome: &Outcome) -> bool {
        let policy: &TransferPolicy = &self.settings.autonomous_transfers;
        let wanted = policy.wants(transfer.is_download(), outcome.is_success(), transfer.file_type());
        transfer.origin != Origin::Local || (wanted && self.acs_offers(AUTONOMOUS) != Some(false))
    }

    /// State in the lists of queued transfers (TR-069a6 A.4.1.1).
    pub(in crate::agent) fn state_of(&self, transfer: &Transfer) -> TransferState {
        let running = self.transfers.running.as_ref().is_some_and(|running| running.transfer == transfer.id);
        match transfer.stage {
            Stage::Over(_) => TransferState::Completed,
            Stage::Applying(_) => TransferState::InProgress,
            Stage::Waiting if running => TransferState::InProgress,
            Stage::Waiting => TransferState::NotYetStarted,
        }
    }
}

/// Events that wait in the queue like any other, without those that are made from the transfers.
pub(in crate::agent) fn without_transfers(events: Vec<EventStruct>) -> Vec<EventStruct> {
    events.into_iter().filter(|event| !is_of_transfer(&event.code)).collect()
}

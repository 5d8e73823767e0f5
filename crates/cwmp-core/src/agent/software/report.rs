//! How results reach the ACS: the events of an Inform, and the requests of its session.

use crate::{
    agent::{Agent, calls::Call},
    event::{EventCode, EventStruct},
    rpc::AcsRequest,
    software::DuChange,
};

impl Agent {
    /// Changes that are over and stored, and of which the ACS does not know yet.
    fn reportable_changes(&self) -> impl Iterator<Item = &DuChange> {
        let stored = |change: &&DuChange| {
            change.is_over() && !self.software.unstored.iter().any(|(_, id)| *id == change.id)
        };
        self.state.du_changes.iter().filter(stored)
    }

    /// Whether a session is owed because of them.
    pub(in crate::agent) fn has_du_reports(&self) -> bool {
        self.reportable_changes().next().is_some() || self.has_unordered()
    }

    /// Whether a result is on its way to the store, so that the next Inform waits a moment to report it.
    pub(in crate::agent) fn du_result_is_being_stored(&self) -> bool {
        !self.software.unstored.is_empty()
    }

    /// The events that report them, made for each Inform (TR-069a6 3.7.1.5); what they stand for is what the session reports.
    pub(in crate::agent) fn list_du_changes(&mut self) -> Vec<EventStruct> {
        self.software.listed = self.reportable_changes().map(|change| change.id).collect();
        self.list_unordered();
        self.du_events()
    }

    /// Those events, as they would be now.
    pub(in crate::agent) fn du_events(&self) -> Vec<EventStruct> {
        let call =
            |change: &DuChange| EventStruct::with_key(EventCode::MChangeDuState, change.command_key.clone());
        let mut events: Vec<EventStruct> = self.reportable_changes().map(call).collect();
        if !events.is_empty() {
            events.push(EventStruct::new(EventCode::DuStateChangeComplete));
        }
        if self.has_unordered() {
            events.push(EventStruct::new(EventCode::AutonomousDuStateChangeComplete));
        }
        events
    }

    fn listed_changes(&self) -> impl Iterator<Item = &DuChange> {
        self.reportable_changes().filter(|change| self.software.listed.contains(&change.id))
    }

    /// The requests that report what the Inform lists, in the order of the calls.
    pub(in crate::agent) fn du_requests(&self) -> Vec<AcsRequest> {
        self.listed_changes().filter_map(DuChange::report).chain(self.unordered_request()).collect()
    }

    /// The ACS has answered a report, or refused it for good: it is delivered. The session goes on once that is stored.
    pub(in crate::agent) fn du_change_reported(&mut self, request: &AcsRequest) {
        let unordered = self.take_unordered(request);
        let reported = self.listed_changes().find(|change| change.report().as_ref() == Some(request));
        let id = reported.map(|change| change.id);
        if id.is_none() && !unordered {
            return;
        }
        self.software.listed.retain(|listed| Some(*listed) != id);
        self.state.du_changes.retain(|change| Some(change.id) != id);
        let ticket = self.persist();
        if let Some(open) = self.open() {
            open.call = Some(Call::Delivering { ticket: Some(ticket), op: None });
        }
    }

    /// With a new ACS goes what was owed to the old one (TR-069a6 3.7.1.5, `0 BOOTSTRAP`).
    pub(in crate::agent) fn forget_du_reports(&mut self) {
        self.state.du_changes.retain(|change| !change.is_over());
        self.software.unstored.clear();
        self.forget_unordered();
    }
}

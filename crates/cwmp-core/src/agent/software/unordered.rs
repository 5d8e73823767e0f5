//! Changes of deployment units that the ACS has not ordered (TR-069a6 A.4.2.4): somebody on the box installs or removes one.
//!
//! The box is asked which units it has when it starts, and whenever they may have changed. What differs from what was known
//! before is kept, together with what is known from then on, until the ACS has heard of it.

use super::date;
use crate::{
    agent::{Agent, transfers::next_job},
    datetime::DateTime,
    io::{Effect, Level, Ticket},
    job::{DuDone, DuJob, Job, JobDone, JobError, JobId},
    limits,
    rpc::{
        AcsRequest, AutonOpResultStruct, AutonomousDUStateChangeComplete, DuOperation, DuState,
        OpResultStruct,
    },
    settings::SoftwarePolicy,
    software::{DuTarget, DuUnit, KnownUnit, noticed},
    time::{Mono, Now},
};

/// Name of the method that not every ACS has.
pub(in crate::agent) const AUTONOMOUS: &str = "AutonomousDUStateChangeComplete";

/// What is known of such changes beyond what is stored.
#[derive(Default)]
pub(super) struct Unordered {
    /// When the box is to be asked.
    due: Option<Mono>,
    asking: Option<JobId>,
    /// How many of the results, from the first one on, are on the disk; the others, once this ticket is.
    stored: usize,
    ticket: Option<Ticket>,
    /// How many the present Inform stands for.
    listed: usize,
}

impl Agent {
    /// What was noticed before the start is on the disk.
    pub(in crate::agent) fn begin_unordered(&mut self) {
        self.software.unordered.stored = self.state.du_unordered.len();
    }

    /// The units of the box may have changed.
    pub(in crate::agent) fn units_may_have_changed(&mut self, now: Now) {
        if self.abilities.software {
            self.software.unordered.due = Some(now.mono);
        }
    }

    /// When the box is to be asked which units it has. While something else keeps it from being asked, the end of that calls
    /// for it.
    pub(super) fn survey_moment(&self) -> Option<Mono> {
        let waits =
            self.software.unordered.asking.is_some() || self.units_are_in_work() || self.restart.is_some();
        self.software.unordered.due.filter(|_| !waits)
    }

    /// Whether a step of a change is under way, or what became of one that was interrupted is not yet known.
    fn units_are_in_work(&self) -> bool {
        let interrupted = self.state.du_changes.iter().any(|change| change.applying.is_some());
        self.software.running.is_some() || interrupted
    }

    /// Asks the box, if that is due and nothing is being done to a unit. Returns whether the answer is awaited.
    pub(super) fn ask_for_units(&mut self, now: Now) -> bool {
        let unordered = &self.software.unordered;
        if unordered.asking.is_some() {
            return true;
        }
        if self.units_are_in_work() || unordered.due.is_none_or(|due| due > now.mono) {
            return false;
        }
        let id = next_job(&mut self.next_job);
        self.software.unordered.due = None;
        self.software.unordered.asking = Some(id);
        self.effects.push_back(Effect::StartJob(id, Box::new(Job::Software(Box::new(DuJob::Survey)))));
        true
    }

    /// The box restarts: it is asked again after that.
    pub(super) fn stop_asking_for_units(&mut self) {
        if let Some(job) = self.software.unordered.asking.take() {
            self.effects.push_back(Effect::CancelJob(job));
        }
    }

    /// The box has answered; returns whether it was this job.
    pub(super) fn units_told(&mut self, job: JobId, result: &Result<JobDone, JobError>, now: Now) -> bool {
        if self.software.unordered.asking != Some(job) {
            return false;
        }
        self.software.unordered.asking = None;
        match result {
            Ok(JobDone::Software(DuDone::Surveyed(units))) => self.compare_units(units, now),
            result => {
                let why = result.as_ref().err().map_or_else(String::new, ToString::to_string);
                self.trace(
                    Level::Info,
                    format!("it is not known now which deployment units there are: {why}"),
                );
                self.software.unordered.due = Some(now.mono.after_ms(limits::SURVEY_AGAIN_MS));
            }
        }
        true
    }

    fn compare_units(&mut self, units: &[DuUnit], now: Now) {
        let mut known: Vec<KnownUnit> = units.iter().map(KnownUnit::from).collect();
        known.sort();
        let before = self.state.known_units.replace(known);
        let Some(before) = before else {
            // The first look: all of it was there before.
            self.persist_changes();
            return;
        };
        if Some(&before) == self.state.known_units.as_ref() {
            return;
        }
        let policy: SoftwarePolicy = self.settings.autonomous_software.clone();
        let offered = self.acs_offers(AUTONOMOUS) != Some(false);
        for (operation, unit) in noticed(&before, units) {
            let (uuid, version) = (unit.uuid.clone(), unit.version.clone());
            self.trace(
                Level::Info,
                format!("not by the ACS: {operation:?} of deployment unit {uuid} {version}"),
            );
            if !offered || !policy.wants(operation, None) {
                continue;
            }
            if self.state.du_unordered.len() >= limits::DU_UNORDERED {
                self.trace(
                    Level::Warning,
                    "too many changes of deployment units wait for the ACS".to_owned(),
                );
                break;
            }
            let gone = operation == DuOperation::Uninstall;
            let result = OpResultStruct {
                uuid,
                version,
                deployment_unit_ref: if gone { String::new() } else { unit.reference },
                current_state: if gone { DuState::Uninstalled } else { DuState::Installed },
                resolved: unit.resolved,
                execution_unit_ref_list: unit.execution_units.join(","),
                start_time: DateTime::Unknown,
                complete_time: date(now),
                fault: crate::rpc::FaultStruct::success(),
            };
            self.state.du_unordered.push(AutonOpResultStruct { result, operation_performed: operation });
        }
        let ticket = self.persist();
        self.software.unordered.ticket = Some(ticket);
    }

    /// An operation of the ACS on a unit is over: it is no news what it has made of it.
    pub(super) fn note_ordered(&mut self, target: &DuTarget, result: &OpResultStruct) {
        let Some(known) = &mut self.state.known_units else { return };
        let former = target.before.as_ref().map(|unit| unit.reference.as_str());
        let now = (result.current_state == DuState::Installed).then(|| KnownUnit {
            uuid: result.uuid.clone(),
            version: result.version.clone(),
            reference: result.deployment_unit_ref.clone(),
        });
        let place = known.iter().position(|unit| {
            Some(unit.reference.as_str()) == former
                || now.as_ref().is_some_and(|now| now.reference == unit.reference)
        });
        match (place, now) {
            (Some(place), Some(now)) => {
                known.splice(place..=place, [now]);
            }
            (Some(place), None) => drop(known.remove(place)),
            (None, Some(now)) => known.push(now),
            (None, None) => {}
        }
        known.sort();
    }

    /// The store has answered.
    pub(super) fn unordered_stored(&mut self, ticket: Ticket) {
        if self.software.unordered.ticket.take_if(|awaited| *awaited <= ticket).is_some() {
            self.software.unordered.stored = self.state.du_unordered.len();
            if self.has_unordered() {
                self.retry_at = None;
            }
        }
    }

    /// Whether the ACS is owed a session because of them.
    pub(super) fn has_unordered(&self) -> bool {
        self.software.unordered.stored > 0
    }

    /// The present Inform stands for all that is stored.
    pub(super) fn list_unordered(&mut self) {
        self.software.unordered.listed = self.software.unordered.stored;
    }

    fn unordered_report(&self) -> Option<AcsRequest> {
        let results = self.state.du_unordered.get(..self.software.unordered.listed)?;
        let report = || AutonomousDUStateChangeComplete { results: results.to_vec() };
        (!results.is_empty()).then(|| AcsRequest::AutonomousDUStateChangeComplete(report()))
    }

    /// The request that reports what the Inform stands for. An ACS that does not know the method may do worse than refuse it:
    /// its list is asked for first.
    pub(super) fn unordered_request(&self) -> Option<AcsRequest> {
        let report = self.unordered_report()?;
        match self.acs_offers(AUTONOMOUS) {
            Some(true) => Some(report),
            Some(false) => None,
            None if self.requests.contains(&AcsRequest::GetRPCMethods) => None,
            None => Some(AcsRequest::GetRPCMethods),
        }
    }

    /// The ACS has said what it can do: it is told, or nobody is. Where that was known before, the session has its request
    /// already.
    pub(in crate::agent) fn report_unordered(&mut self, first: bool) {
        if self.acs_offers(AUTONOMOUS) != Some(true) {
            if !self.state.du_unordered.is_empty() {
                self.trace(Level::Info, format!("the ACS does not take {AUTONOMOUS}: it is not told"));
                self.forget_unordered();
                self.persist_changes();
            }
            return;
        }
        let report = self.unordered_report();
        if let Some((open, report)) = self.open().filter(|_| first).zip(report) {
            open.session.ask(report);
        }
    }

    /// Whether a request was this report; then it is delivered.
    pub(super) fn take_unordered(&mut self, request: &AcsRequest) -> bool {
        if self.unordered_report().as_ref() != Some(request) {
            return false;
        }
        let unordered = &mut self.software.unordered;
        let told = std::mem::take(&mut unordered.listed);
        unordered.stored = unordered.stored.saturating_sub(told);
        self.state.du_unordered.drain(..told.min(self.state.du_unordered.len()));
        true
    }

    /// Nobody is to be told of what has happened so far.
    pub(super) fn forget_unordered(&mut self) {
        self.state.du_unordered.clear();
        let unordered = &mut self.software.unordered;
        (unordered.stored, unordered.listed, unordered.ticket) = (0, 0, None);
    }
}

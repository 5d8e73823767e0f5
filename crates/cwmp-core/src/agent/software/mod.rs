//! ChangeDUState: operations on deployment units, one at a time, each from its promise to its report (TR-069a6 A.4.1.10).
//!
//! The box first says which units an operation concerns. For each of them its file is fetched, then that the box is about to
//! change is stored, then it is done. What a cut has interrupted there is looked up afterwards and reported as it is found; it
//! is not done again. Operations go in the order of the call, and none hinders the others.

mod calls;
mod report;
mod unordered;

use super::{Agent, transfers::next_job};
use crate::{
    datetime::DateTime,
    fault::FaultCode,
    io::{Effect, Level, Ticket},
    job::{DuDone, DuFetch, DuJob, Job, JobDone, JobError, JobId, TransferId},
    limits,
    rpc::{DuOperation, OpResultStruct},
    software::{DuChange, DuOrder, DuTarget, is_uuid},
    time::{Mono, Now},
};

use unordered::Unordered;

/// What is known of changes beyond what is stored.
#[derive(Default)]
pub(super) struct Software {
    running: Option<Running>,
    /// Those that the present Inform lists.
    listed: Vec<TransferId>,
    /// Changes whose last result the store is writing.
    unstored: Vec<(Ticket, TransferId)>,
    unordered: Unordered,
}

#[derive(Clone, Copy)]
struct Running {
    change: TransferId,
    start: DateTime,
    step: Step,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The box says which units are concerned.
    Planning(JobId),
    /// The file comes.
    Fetching(JobId),
    /// That the box is about to change is being stored.
    Storing(Ticket),
    /// It can be done as soon as no session is on.
    Ready,
    /// It is being done.
    Applying(JobId),
    /// What became of it is looked up.
    Looking(JobId),
}

impl Step {
    /// Its job, where that can be stopped without harm.
    fn harmless(self) -> Option<JobId> {
        match self {
            Step::Planning(job) | Step::Fetching(job) | Step::Looking(job) => Some(job),
            Step::Storing(_) | Step::Ready | Step::Applying(_) => None,
        }
    }
}

impl Agent {
    /// Whether the box may not restart by our order: a deployment unit is being changed.
    pub(super) fn software_has_the_box(&self) -> bool {
        let applying = |running: &Running| matches!(running.step, Step::Applying(_));
        self.software.running.as_ref().is_some_and(applying)
    }

    /// Starts what may start now; called while no session is on.
    pub(super) fn run_software(&mut self, now: Now) {
        self.end_overdue_changes(now);
        match self.software.running {
            Some(Running { change, start, step: Step::Ready }) => {
                let Some(target) = self.first_target(change) else { return };
                let file = self.change(change).map_or(change, |change| change.file);
                let job = DuJob::Apply { file, target };
                self.start_du_job(change, start, job, Step::Applying);
            }
            Some(_) => {}
            None => {
                if !self.ask_for_units(now) {
                    self.next_du_step(now);
                }
            }
        }
    }

    /// Begins the next operation, or goes on with one that has several targets or was interrupted.
    fn next_du_step(&mut self, now: Now) {
        let next = |change: &&DuChange| !change.is_over() && !self.is_change_being_promised(change.id);
        let Some(change) = self.state.du_changes.iter().find(next) else { return };
        let (id, applying, start) = (change.id, change.applying, date(now));
        let Some(order) = change.orders.first().cloned() else { return };
        match (change.targets.first().cloned(), applying) {
            (Some(target), Some(begun)) => {
                self.start_du_job(id, begun, DuJob::Look(target), Step::Looking);
            }
            (Some(target), None) => self.begin_target(id, &order, target, start),
            (None, _) => match self.judge_order(&order) {
                Ok(()) => self.start_du_job(id, start, DuJob::Plan(without_password(order)), Step::Planning),
                Err(error) => {
                    let result = order.failed(&error, start);
                    self.order_over(id, result);
                }
            },
        }
    }

    /// What is wrong with an operation whatever the box has.
    fn judge_order(&self, order: &DuOrder) -> Result<(), JobError> {
        let wrong = |code, text: &str| Err(JobError::new(code, text));
        if order.operation == DuOperation::Install && order.url.is_empty() {
            return wrong(FaultCode::INVALID_ARGUMENTS, "URL is empty");
        }
        if order.operation == DuOperation::Uninstall && order.uuid.is_empty() {
            return wrong(FaultCode::INVALID_ARGUMENTS, "UUID is empty");
        }
        if !order.uuid.is_empty() && !is_uuid(&order.uuid) {
            return wrong(FaultCode::INVALID_UUID_FORMAT, "UUID has not the form of one");
        }
        if !order.url.is_empty() {
            self.file_url(&order.url).map_err(|fault| JobError::new(fault.code, fault.text))?;
        }
        Ok(())
    }

    fn begin_target(&mut self, id: TransferId, order: &DuOrder, target: DuTarget, start: DateTime) {
        if target.operation == DuOperation::Uninstall {
            return self.store_target(id, target, start);
        }
        match self.file_url(&target.url) {
            Ok(url) => {
                let (username, password) = (order.username.clone(), order.password.clone());
                let file = TransferId(self.state.next_transfer);
                self.state.next_transfer = file.0.wrapping_add(1);
                if let Some(change) = self.change_mut(id) {
                    change.file = file;
                }
                let fetch = DuFetch { file, target, url, username, password };
                self.start_du_job(id, start, DuJob::Fetch(fetch), Step::Fetching);
            }
            Err(fault) => {
                let error = JobError::new(fault.code, fault.text);
                self.target_failed(id, &error, start);
            }
        }
    }

    /// All is ready: that the unit is about to be changed is stored first.
    fn store_target(&mut self, id: TransferId, target: DuTarget, start: DateTime) {
        let Some(change) = self.change_mut(id) else { return };
        if let Some(first) = change.targets.first_mut() {
            *first = target;
        }
        change.applying = Some(start);
        let ticket = self.persist();
        self.software.running = Some(Running { change: id, start, step: Step::Storing(ticket) });
    }

    fn start_du_job(&mut self, change: TransferId, start: DateTime, job: DuJob, step: fn(JobId) -> Step) {
        let id = next_job(&mut self.next_job);
        self.software.running = Some(Running { change, start, step: step(id) });
        self.effects.push_back(Effect::StartJob(id, Box::new(Job::Software(Box::new(job)))));
    }

    /// A job has ended; returns whether it was one of these.
    pub(super) fn software_job_done(
        &mut self,
        job: JobId,
        result: &Result<JobDone, JobError>,
        now: Now,
    ) -> bool {
        if self.units_told(job, result, now) {
            return true;
        }
        let Some(Running { change: id, start, step }) = self.software.running else { return false };
        if step.harmless() != Some(job) && step != Step::Applying(job) {
            return false;
        }
        self.software.running = None;
        let complete = date(now);
        let wrong = JobError::new(FaultCode::INTERNAL_ERROR, "the job ended with something else");
        match (step, result) {
            (Step::Planning(_), Ok(JobDone::Software(DuDone::Planned(targets)))) => {
                self.planned(id, targets, start);
            }
            (Step::Planning(_), result) => {
                let error = result.as_ref().err().unwrap_or(&wrong);
                self.plan_failed(id, error, start);
            }
            (Step::Fetching(_), Ok(JobDone::Software(DuDone::Fetched(target)))) => {
                self.store_target(id, target.clone(), start);
            }
            (Step::Applying(_), Ok(JobDone::Software(DuDone::Changed(unit)))) => {
                if let Some(target) = self.first_target(id) {
                    self.target_over(id, target.reached(unit, start, complete));
                }
            }
            (Step::Applying(_), Ok(JobDone::Software(DuDone::Failed(error, unit)))) => {
                if let Some(target) = self.first_target(id) {
                    self.target_over(id, target.failed(unit.as_ref(), error, start));
                }
            }
            (Step::Looking(_), Ok(JobDone::Software(DuDone::Found(unit)))) => {
                if let Some(target) = self.first_target(id) {
                    self.target_over(id, target.judge(unit.as_ref(), start, complete));
                }
            }
            (_, result) => {
                let error = result.as_ref().err().unwrap_or(&wrong);
                self.target_failed(id, error, start);
            }
        }
        true
    }

    fn planned(&mut self, id: TransferId, targets: &[DuTarget], start: DateTime) {
        if targets.is_empty() {
            let error = JobError::new(FaultCode::UNKNOWN_DEPLOYMENT_UNIT, "no deployment unit is concerned");
            return self.plan_failed(id, &error, start);
        }
        if targets.len() > limits::DU_TARGETS {
            let text = format!("more than {} deployment units are concerned", limits::DU_TARGETS);
            return self.plan_failed(id, &JobError::new(FaultCode::REQUEST_DENIED, text), start);
        }
        if let Some(change) = self.change_mut(id) {
            change.targets = targets.to_vec();
        }
    }

    fn plan_failed(&mut self, id: TransferId, error: &JobError, start: DateTime) {
        let order = self.change(id).and_then(|change| change.orders.first());
        if let Some(result) = order.map(|order| order.failed(error, start)) {
            self.order_over(id, result);
        }
    }

    fn target_failed(&mut self, id: TransferId, error: &JobError, start: DateTime) {
        if let Some(target) = self.first_target(id) {
            self.target_over(id, target.failed(target.before.as_ref(), error, start));
        }
    }

    /// One unit is done with; with the last one the operation is.
    fn target_over(&mut self, id: TransferId, result: OpResultStruct) {
        if let Some(target) = self.first_target(id) {
            self.note_ordered(&target, &result);
        }
        let Some(change) = self.change_mut(id) else { return };
        let file = change.file;
        change.applying = None;
        self.effects.push_back(Effect::DiscardFile(file));
        let Some(change) = self.change_mut(id) else { return };
        if change.targets.len() > 1 {
            change.targets.remove(0);
            self.note_result(id, result);
        } else {
            self.order_over(id, result);
        }
    }

    fn order_over(&mut self, id: TransferId, result: OpResultStruct) {
        if let Some(change) = self.change_mut(id) {
            change.targets.clear();
            if !change.orders.is_empty() {
                change.orders.remove(0);
            }
        }
        self.note_result(id, result);
    }

    fn note_result(&mut self, id: TransferId, result: OpResultStruct) {
        self.software.running.take_if(|running| running.change == id);
        let text = match result.fault.code.0 {
            0 => format!("deployment unit {}: {:?}", result.uuid, result.current_state),
            code => format!("deployment unit {}: {code}: {}", result.uuid, result.fault.text),
        };
        let level = if result.fault.code.0 == 0 { Level::Info } else { Level::Warning };
        self.trace(level, text);
        let Some(change) = self.change_mut(id) else { return };
        change.results.push(result);
        let over = change.is_over();
        let ticket = self.persist();
        if over {
            self.software.unstored.push((ticket, id));
        }
    }

    /// The store has answered. Results are reported even where they could not be stored: twice is better than never.
    pub(super) fn software_stored(&mut self, ticket: Ticket, stored: bool) {
        self.unordered_stored(ticket);
        let before = self.software.unstored.len();
        self.software.unstored.retain(|(awaited, _)| *awaited > ticket);
        if self.software.unstored.len() < before {
            self.retry_at = None;
        }
        let Some(running) = &mut self.software.running else { return };
        if !matches!(running.step, Step::Storing(awaited) if awaited <= ticket) {
            return;
        }
        if stored {
            running.step = Step::Ready;
        } else {
            let (id, start) = (running.change, running.start);
            let text = "what is about to be done to the box cannot be stored";
            self.target_failed(id, &JobError::new(FaultCode::REQUEST_DENIED, text), start);
        }
    }

    /// What is not done 24 hours after the call has failed (TR-069a6 A.4.1.10). A unit that is being changed is waited for.
    fn end_overdue_changes(&mut self, now: Now) {
        let overdue = |change: &DuChange| !change.is_over() && change.deadline.is_over(now);
        let ids: Vec<TransferId> =
            self.state.du_changes.iter().filter(|change| overdue(change)).map(|change| change.id).collect();
        for id in ids {
            let running = self.software.running.filter(|running| running.change == id);
            if running.is_some_and(|running| matches!(running.step, Step::Applying(_))) {
                continue;
            }
            if let Some(running) = running {
                self.effects.extend(running.step.harmless().map(Effect::CancelJob));
                self.software.running = None;
            }
            let start = running.map_or(DateTime::Unknown, |running| running.start);
            let error =
                JobError::new(FaultCode::REQUEST_DENIED, "it was not complete 24 hours after the call");
            while let Some(change) = self.change(id).filter(|change| !change.is_over()) {
                if change.targets.is_empty() {
                    self.plan_failed(id, &error, start);
                } else {
                    self.target_failed(id, &error, start);
                }
            }
        }
    }

    /// The box restarts: what is under way stops here and goes on after the boot.
    pub(super) fn stop_software(&mut self) {
        self.stop_asking_for_units();
        let Some(Running { change, step, .. }) = self.software.running.take() else { return };
        self.effects.extend(step.harmless().map(Effect::CancelJob));
        if matches!(step, Step::Storing(_) | Step::Ready)
            && let Some(change) = self.change_mut(change)
        {
            change.applying = None;
        }
    }

    /// When a change is overdue.
    pub(super) fn software_moments(&self) -> impl Iterator<Item = Mono> {
        let applying = self.software.running.filter(|running| matches!(running.step, Step::Applying(_)));
        let waits = move |change: &&DuChange| {
            !change.is_over() && applying.is_none_or(|running| running.change != change.id)
        };
        let deadlines = self.state.du_changes.iter().filter(waits).map(|change| change.deadline.due);
        deadlines.chain(self.survey_moment())
    }

    fn change(&self, id: TransferId) -> Option<&DuChange> {
        self.state.du_changes.iter().find(|change| change.id == id)
    }

    fn change_mut(&mut self, id: TransferId) -> Option<&mut DuChange> {
        self.state.du_changes.iter_mut().find(|change| change.id == id)
    }

    fn first_target(&self, id: TransferId) -> Option<DuTarget> {
        self.change(id).and_then(|change| change.targets.first().cloned())
    }
}

/// The box asks for no file while it plans.
fn without_password(order: DuOrder) -> DuOrder {
    DuOrder { username: String::new(), password: crate::settings::Secret::default(), ..order }
}

/// The present as it is reported: to the second, Unknown Time without a clock.
fn date(now: Now) -> DateTime {
    now.wall.map_or(DateTime::Unknown, |wall| DateTime::At(wall.whole_seconds()))
}

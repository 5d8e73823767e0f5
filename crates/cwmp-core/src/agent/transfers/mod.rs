//! File transfers as jobs: one at a time, each from its promise to its report (TR-069a6 A.3.2.8, A.4.1.5, A.4.1.8).
//!
//! A transfer starts once no session is on. A download is two jobs: the file is fetched, then that the box is about to change
//! is stored, then it is applied, and while that lasts no session starts and the box does not restart by our order. Whether
//! new firmware runs is decided after the boot, by what the box then says of itself.
//!
//! No session takes the TransferComplete of a Download that was called in it: nothing is fetched before it ends.

mod calls;
mod local;
mod report;

pub use local::LocalTransfer;
pub(super) use report::without_transfers;

use super::{Agent, Restart};
use crate::{
    datetime::DateTime,
    event::EventCode,
    fault::FaultCode,
    io::{BootCause, Effect, Level, RebootCause, Ticket},
    job::{JobDone, JobError, JobId, TransferId},
    limits,
    time::{Mono, Now},
    transfer::{Applying, Mode, Opening, Outcome, Stage, Transfer, When, judge_upgrade},
};

/// What is known of transfers beyond what is stored.
#[derive(Default)]
pub(super) struct Transfers {
    /// The one that is under way.
    running: Option<Running>,
    /// Scheduled downloads whose last try has failed, and when the next one is.
    later: Vec<(TransferId, Mono)>,
    /// Those that the present Inform lists.
    listed: Vec<TransferId>,
    /// Outcomes that the store is writing: the ACS is told of them afterwards.
    unstored: Vec<(Ticket, TransferId)>,
    /// Whether the box had little to do when it was asked last.
    box_idle: bool,
    /// The box goes down by itself to run what was written; it has failed to when this has passed.
    going_down: Option<(TransferId, Mono)>,
}

struct Running {
    transfer: TransferId,
    start: DateTime,
    step: Step,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The file is fetched or sent by this job.
    Moving(JobId),
    /// The file is here. That it is about to be applied is being stored.
    Storing(Ticket),
    /// It is to be applied as soon as nothing else is on.
    Ready,
    /// It is being applied by this job.
    Applying(JobId),
}

impl Agent {
    /// What was under way when the program ended, or the box did: begun anew, or over.
    pub(super) fn resume_transfers(&mut self, cause: BootCause, now: Now) {
        let complete = date(now);
        for id in self.transfer_ids() {
            let Some(transfer) = self.transfer(id) else { continue };
            let Stage::Applying(applying) = transfer.stage.clone() else { continue };
            let firmware = transfer.is_firmware();
            match cause {
                BootCause::Boot if firmware => {
                    let outcome = judge_upgrade(&applying, &self.image)
                        .err()
                        .unwrap_or_else(|| Outcome::success(applying.start, complete));
                    self.transfer_over(id, outcome);
                }
                BootCause::Boot if applying.written => {
                    self.transfer_over(id, Outcome::success(applying.start, complete));
                }
                BootCause::AgentRestart if applying.written => {
                    self.restart.get_or_insert(Restart::Reboot(RebootCause::Transfer));
                }
                BootCause::AgentRestart if firmware => {
                    let text = "the agent was stopped while the image was written";
                    self.transfer_over(
                        id,
                        Outcome::failure(FaultCode::DOWNLOAD_FAILURE, text, applying.start),
                    );
                }
                // To apply a file twice does no harm: it is all of it or nothing.
                BootCause::Boot | BootCause::AgentRestart => self.transfer_to(id, Stage::Waiting),
            }
        }
    }

    /// Whether no session may start and the box may not restart: something is being written to it, or it goes down by itself.
    pub(super) fn transfer_has_the_box(&self) -> bool {
        let applying = |running: &Running| matches!(running.step, Step::Applying(_));
        self.transfers.running.as_ref().is_some_and(applying) || self.transfers.going_down.is_some()
    }

    /// Whether an outcome is on its way to the store, so that the next Inform waits a moment to report it.
    pub(super) fn outcome_is_being_stored(&self) -> bool {
        !self.transfers.unstored.is_empty() || self.du_result_is_being_stored()
    }

    /// The store has answered: outcomes can be reported, and a fetched file can be applied. An outcome is reported even where
    /// it could not be stored: twice is better than never.
    pub(super) fn transfers_stored(&mut self, ticket: Ticket, stored: bool) {
        let before = self.transfers.unstored.len();
        self.transfers.unstored.retain(|(awaited, _)| *awaited > ticket);
        if self.transfers.unstored.len() < before {
            self.retry_at = None;
        }
        let Some(running) = &mut self.transfers.running else { return };
        if !matches!(running.step, Step::Storing(awaited) if awaited <= ticket) {
            return;
        }
        if stored {
            running.step = Step::Ready;
        } else {
            let (id, start) = (running.transfer, running.start);
            let text = "what is about to be done to the box cannot be stored";
            self.transfer_over(id, Outcome::failure(FaultCode::INTERNAL_ERROR, text, start));
        }
    }

    /// Looks at what passes with time alone; called while no session is on, also where a restart waits.
    pub(super) fn watch_the_box(&mut self, now: Now) {
        self.last_look = now.mono;
        self.box_has_not_gone_down(now);
    }

    /// Starts what may start now; called while no session is on.
    pub(super) fn run_transfers(&mut self, now: Now) {
        self.close_windows(now);
        match &mut self.transfers.running {
            Some(Running { transfer, step: step @ Step::Ready, .. }) => {
                let id = *transfer;
                let job =
                    self.state.transfers.iter().find(|known| known.id == id).and_then(Transfer::last_job);
                let Some(job) = job else { return };
                let job_id = next_job(&mut self.next_job);
                *step = Step::Applying(job_id);
                self.effects.push_back(Effect::StartJob(job_id, Box::new(job)));
            }
            Some(_) => {}
            None if self.transfers.going_down.is_some() => {}
            None => {
                if let Some(id) = self.next_transfer(now) {
                    self.start_transfer(id, now);
                }
            }
        }
    }

    fn next_transfer(&self, now: Now) -> Option<TransferId> {
        let may_run = |transfer: &&Transfer| {
            transfer.stage == Stage::Waiting
                && self.transfers.later.iter().all(|(id, at)| *id != transfer.id || *at <= now.mono)
                && !self.is_being_promised(transfer.id)
                && match &transfer.when {
                    When::After(wait) => wait.is_over(now),
                    When::Within(windows) => match windows.at(now) {
                        Opening::Open(Mode::AnyTime | Mode::Immediately) => true,
                        Opening::Open(Mode::WhenIdle) => self.transfers.box_idle,
                        Opening::Open(Mode::Confirmation) => windows.confirmed,
                        Opening::Ahead | Opening::Over => false,
                    },
                }
        };
        self.state
            .transfers
            .iter()
            .filter(may_run)
            .min_by_key(|transfer| transfer.due())
            .map(|transfer| transfer.id)
    }

    fn start_transfer(&mut self, id: TransferId, now: Now) {
        self.transfers.later.retain(|(later, _)| *later != id);
        let Some(transfer) = self.transfer(id) else { return };
        let job = transfer.first_job();
        let what = format!("{} {}", transfer.file_type(), transfer.url);
        let job_id = next_job(&mut self.next_job);
        let start = date(now);
        self.transfers.running = Some(Running { transfer: id, start, step: Step::Moving(job_id) });
        self.trace(Level::Info, format!("transfer {} begins: {what}", id.0));
        self.effects.push_back(Effect::StartJob(job_id, Box::new(job)));
    }

    /// A job of a transfer has ended; returns whether it was one.
    pub(super) fn transfer_job_done(
        &mut self,
        job: JobId,
        result: &Result<JobDone, JobError>,
        now: Now,
    ) -> bool {
        let Some(Running { transfer, start, step }) = &self.transfers.running else { return false };
        let (id, start, step) = (*transfer, *start, *step);
        if step != Step::Moving(job) && step != Step::Applying(job) {
            return false;
        }
        let complete = date(now);
        match (step, result) {
            (Step::Moving(_), Ok(JobDone::Fetched { bytes, expects })) => {
                self.trace(Level::Info, format!("transfer {}: {bytes} bytes are here", id.0));
                let (before, expects) = (self.image.clone(), expects.clone());
                self.transfer_to(id, Stage::Applying(Applying { start, before, expects, written: false }));
                let ticket = self.persist();
                if let Some(running) = &mut self.transfers.running {
                    running.step = Step::Storing(ticket);
                }
            }
            (Step::Moving(_), Ok(JobDone::Sent)) | (Step::Applying(_), Ok(JobDone::Applied)) => {
                self.transfer_over(id, Outcome::success(start, complete));
            }
            (Step::Applying(_), Ok(JobDone::Written { restarting })) => self.written(id, *restarting, now),
            (_, Ok(other)) => {
                let text = format!("the job ended with {other:?}");
                self.transfer_over(id, Outcome::failure(FaultCode::INTERNAL_ERROR, text, start));
            }
            (_, Err(error)) => self.transfer_failed(id, error, start, now),
        }
        true
    }

    /// What was fetched is written and takes effect with a restart.
    fn written(&mut self, id: TransferId, restarting: bool, now: Now) {
        self.transfers.running = None;
        if let Some(Transfer { stage: Stage::Applying(applying), .. }) = self.transfer_mut(id) {
            applying.written = true;
        }
        self.persist_changes();
        if restarting {
            self.trace(Level::Info, format!("transfer {}: written; the box restarts by itself", id.0));
            self.note_what_remains(now);
            self.persist_changes();
            self.transfers.going_down = Some((id, now.mono.after_ms(limits::RESTART_MS)));
        } else {
            self.trace(Level::Info, format!("transfer {}: written; it takes effect with a restart", id.0));
            self.restart.get_or_insert(Restart::Reboot(RebootCause::Transfer));
        }
    }

    fn transfer_failed(&mut self, id: TransferId, error: &JobError, start: DateTime, now: Now) {
        let outcome = Outcome::failure(reportable(error.code), error.text.clone(), start);
        let Some(transfer) = self.transfer_mut(id) else { return };
        let (again, is_over) = match &mut transfer.when {
            When::After(_) => (false, true),
            When::Within(windows) => (windows.failed(now), windows.at(now) == Opening::Over),
        };
        if !again && is_over {
            return self.transfer_over(id, outcome);
        }
        self.transfer_to(id, Stage::Waiting);
        self.transfers.running = None;
        if again {
            self.transfers.later.push((id, now.mono.after_ms(limits::TRANSFER_RETRY_MS)));
        }
        self.persist_changes();
        self.trace(Level::Warning, format!("transfer {} failed and is tried again: {error}", id.0));
    }

    /// Ends the tries of scheduled downloads whose windows have closed.
    fn close_windows(&mut self, now: Now) {
        for id in self.transfer_ids() {
            let Some(Transfer { when: When::Within(windows), stage: Stage::Waiting, .. }) = self.transfer(id)
            else {
                continue;
            };
            let at = windows.at(now);
            let running = self.transfers.running.as_ref().filter(|running| running.transfer == id);
            let moving = running.and_then(|running| match running.step {
                Step::Moving(job) => Some((job, running.start)),
                _ => None,
            });
            if let Some((job, _)) = moving.filter(|_| !matches!(at, Opening::Open(_))) {
                self.effects.push_back(Effect::CancelJob(job));
                self.transfers.running = None;
            }
            if at == Opening::Over {
                let start = moving.map_or(DateTime::Unknown, |(_, start)| start);
                let text = "the time windows are over";
                self.transfer_over(id, Outcome::failure(FaultCode::OUTSIDE_TIME_WINDOWS, text, start));
            }
        }
    }

    fn box_has_not_gone_down(&mut self, now: Now) {
        let Some((id, _)) = self.transfers.going_down.take_if(|(_, at)| *at <= now.mono) else { return };
        let Some(Transfer { stage: Stage::Applying(applying), .. }) = self.transfer(id) else { return };
        let text =
            format!("the box has not restarted within {} s after the upgrade", limits::RESTART_MS / 1000);
        let outcome = Outcome::failure(FaultCode::DOWNLOAD_FAILURE, text, applying.start);
        self.transfer_over(id, outcome);
    }

    /// A restart that an upgrade asked for has failed: what was written does not take effect.
    pub(super) fn transfer_restart_failed(&mut self, reason: &str) {
        for id in self.transfer_ids() {
            if let Some(Transfer { stage: Stage::Applying(applying), .. }) = self.transfer(id)
                && applying.written
            {
                let text = format!("the box could not be restarted: {reason}");
                let outcome = Outcome::failure(FaultCode::DOWNLOAD_FAILURE, text, applying.start);
                self.transfer_over(id, outcome);
            }
        }
    }

    /// What it has brought was undone, which the box has written down: that is its outcome, as far as the ACS has not got
    /// another one. A session that is about to tell of a success tells of this instead.
    pub(super) fn transfer_undone(&mut self, id: TransferId) {
        let Some(transfer) = self.transfer(id) else { return };
        let (before, stage) = (transfer.report(), transfer.stage.clone());
        let start = match stage {
            Stage::Over(outcome) if outcome.is_success() => outcome.start,
            Stage::Over(_) => return,
            Stage::Applying(applying) => applying.start,
            // A cut came before it was known that the file is applied; it is not to be applied again.
            Stage::Waiting => self.stop_moving(id),
        };
        let text = "the ACS was not reached after it: the former configuration is in force again";
        self.transfer_over(id, Outcome::failure(FaultCode::DOWNLOAD_FAILURE, text, start));
        // The next start would hear of it again: nothing waits for the store.
        self.transfers.unstored.retain(|(_, undone)| *undone != id);
        let now = self.transfer(id).and_then(Transfer::report);
        if let (Some(before), Some(now), Some(open)) = (before, now, self.open()) {
            open.session.amend(&before, now);
        }
    }

    /// Stops fetching the file of a transfer; gives its StartTime.
    fn stop_moving(&mut self, id: TransferId) -> DateTime {
        match self.transfers.running.take_if(|running| running.transfer == id) {
            Some(Running { start, step: Step::Moving(job), .. }) => {
                self.effects.push_back(Effect::CancelJob(job));
                start
            }
            Some(Running { start, .. }) => start,
            None => DateTime::Unknown,
        }
    }

    /// The box restarts: what is under way stops here and goes on after the boot.
    pub(super) fn stop_transfers(&mut self) {
        match self.transfers.running.take() {
            Some(Running { step: Step::Moving(job), .. }) => self.effects.push_back(Effect::CancelJob(job)),
            Some(Running { transfer, step: Step::Storing(_) | Step::Ready, .. }) => {
                self.transfer_to(transfer, Stage::Waiting);
            }
            Some(Running { step: Step::Applying(_), .. }) | None => {}
        }
    }

    fn transfer_over(&mut self, id: TransferId, outcome: Outcome) {
        self.transfers.running.take_if(|running| running.transfer == id);
        self.transfers.going_down.take_if(|(going, _)| *going == id);
        let (level, result) = match outcome.is_success() {
            true => (Level::Info, "succeeded".to_owned()),
            false => (Level::Warning, format!("failed: {}: {}", outcome.fault.code, outcome.fault.text)),
        };
        self.trace(level, format!("transfer {} {result}", id.0));
        let wanted = self.transfer(id).is_some_and(|transfer| self.is_to_be_reported(transfer, &outcome));
        self.effects.push_back(Effect::DiscardFile(id));
        if !wanted {
            self.state.transfers.retain(|transfer| transfer.id != id);
            self.persist_changes();
            return;
        }
        self.transfer_to(id, Stage::Over(outcome));
        let ticket = self.persist();
        self.transfers.unstored.push((ticket, id));
    }

    /// What calls for [`Agent::handle_time`] while no session is on. Without `now`, moments of windows that have passed count
    /// too, so it is asked for where something may be due.
    pub(super) fn transfer_moments(&self) -> impl Iterator<Item = Mono> {
        let going_down = self.transfers.going_down.map(|(_, at)| at);
        let last = self.last_look;
        let free = self.transfers.running.is_none() && going_down.is_none();
        let waiting = self.state.transfers.iter().filter(|transfer| transfer.stage == Stage::Waiting);
        let moments =
            waiting.filter(|transfer| !self.is_being_promised(transfer.id)).flat_map(move |transfer| {
                let (after, windows) = match &transfer.when {
                    When::After(wait) => (Some(wait.due).filter(|_| free), None),
                    When::Within(windows) => (None, Some(windows.moments())),
                };
                after.into_iter().chain(windows.into_iter().flatten())
            });
        let later = self.transfers.later.iter().map(|(_, at)| *at);
        moments.chain(later).filter(move |at| *at > last).chain(going_down)
    }

    /// Whether it matters if the box has little to do: a download waits for that (`3 When Idle`).
    #[must_use]
    pub fn waits_for_idle(&self, now: Now) -> bool {
        self.state.transfers.iter().any(|transfer| match &transfer.when {
            When::Within(windows) => {
                transfer.stage == Stage::Waiting && windows.at(now) == Opening::Open(Mode::WhenIdle)
            }
            When::After(_) => false,
        })
    }

    pub(super) fn box_is_idle(&mut self, idle: bool) {
        self.transfers.box_idle = idle;
    }

    fn transfer_ids(&self) -> Vec<TransferId> {
        self.state.transfers.iter().map(|transfer| transfer.id).collect()
    }

    fn transfer(&self, id: TransferId) -> Option<&Transfer> {
        self.state.transfers.iter().find(|transfer| transfer.id == id)
    }

    fn transfer_mut(&mut self, id: TransferId) -> Option<&mut Transfer> {
        self.state.transfers.iter_mut().find(|transfer| transfer.id == id)
    }

    fn transfer_to(&mut self, id: TransferId, stage: Stage) {
        if let Some(transfer) = self.transfer_mut(id) {
            transfer.stage = stage;
        }
    }
}

/// A number that no other job of this run of the program has.
pub(super) fn next_job(last: &mut u32) -> JobId {
    *last = last.wrapping_add(1);
    JobId(*last)
}

/// The present as it is reported: to the second, Unknown Time without a clock.
fn date(now: Now) -> DateTime {
    now.wall.map_or(DateTime::Unknown, |wall| DateTime::At(wall.whole_seconds()))
}

/// The codes that a TransferComplete may carry (TR-069a6 A.3.3.2); others say no more than that it failed.
fn reportable(code: FaultCode) -> FaultCode {
    match code.0 {
        9001 | 9002 | 9010..=9012 | 9014..=9020 | 9800..=9899 => code,
        _ => FaultCode::DOWNLOAD_FAILURE,
    }
}

/// Whether an event is listed because of a transfer or a change of deployment units: those are made for each Inform from what
/// is not yet reported.
pub(super) fn is_of_transfer(code: &EventCode) -> bool {
    matches!(
        code,
        EventCode::TransferComplete
            | EventCode::AutonomousTransferComplete
            | EventCode::MDownload
            | EventCode::MScheduleDownload
            | EventCode::MUpload
            | EventCode::DuStateChangeComplete
            | EventCode::AutonomousDuStateChangeComplete
            | EventCode::MChangeDuState
    )
}

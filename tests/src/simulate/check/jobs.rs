//! Jobs: when they may start and stop, and what their ends mean.

use cwmp_core::{
    datetime::DateTime,
    io::{Input, Ticket},
    job::{Diagnostic, Job, JobDone, JobError, JobId},
    limits,
    stored::Stored,
    transfer::Stage,
};

use super::{
    Check, Finding,
    transfers::{FAILURE, Step, Transfer, TransferNo, stage_in},
};
use crate::simulate::owed::Need;

/// A diagnostic that was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Requested {
    by_acs: bool,
    job: Option<JobId>,
}

impl Check {
    /// A job starts.
    pub(super) fn job_starts(&mut self, id: JobId, job: &Job, stored: &Stored) -> Finding {
        if !self.resting() {
            return Err(format!("{} starts during a session", job.name()));
        }
        match job {
            Job::Fetch(fetch) => self.transfer_starts(id, &fetch.url.to_string()),
            Job::Send(send) => self.transfer_starts(id, &send.url.to_string()),
            Job::Apply(apply) => self.apply_starts(id, &apply.url.to_string(), stored),
            Job::Software(_) => Err("software is changed on a box that has no software modules".to_owned()),
            Job::Diagnose(Diagnostic::IpPing) => match &mut self.diagnostic {
                Some(requested @ Requested { job: None, .. }) => {
                    requested.job = Some(id);
                    Ok(())
                }
                _ => Err("a diagnostic starts that nobody has asked for".to_owned()),
            },
        }
    }

    fn transfer_starts(&mut self, id: JobId, url: &str) -> Finding {
        let busy = |step: Step| matches!(step, Step::Moving(_) | Step::Here | Step::Applying(_));
        if self.transfers.iter().any(|transfer| busy(transfer.step) && !transfer.ended) {
            return Err(format!("{url} starts beside another transfer"));
        }
        if self.box_is_taken() {
            return Err(format!("{url} starts while the box goes down"));
        }
        let (now, idle) = (self.now, self.box_idle);
        let transfer = self.transfers.iter_mut().find(|transfer| transfer.url == url);
        let Some(transfer) = transfer else { return Err(format!("{url} starts, which nobody has ordered")) };
        match () {
            () if transfer.ended || transfer.verdict.is_some() || transfer.step != Step::Waiting => {
                Err(format!("{url} starts and is {:?} already", transfer.step))
            }
            () if stage_in(&self.last_state, url) != Some(&Stage::Waiting) => {
                Err(format!("{url} starts and is not stored as waiting"))
            }
            () if !transfer.may_run(now.mono.0, idle) => Err(format!("{url} starts when it may not")),
            () => {
                transfer.step = Step::Moving(id);
                transfer.start =
                    now.wall.map_or(DateTime::Unknown, |wall| DateTime::At(wall.whole_seconds()));
                Ok(())
            }
        }
    }

    fn apply_starts(&mut self, id: JobId, url: &str, stored: &Stored) -> Finding {
        let transfer = self.transfers.iter_mut().find(|transfer| transfer.url == url);
        match transfer {
            Some(transfer) if transfer.step == Step::Here && !transfer.ended => {
                if !matches!(stage_in(stored, url), Some(Stage::Applying(applying)) if !applying.written) {
                    return Err(format!("{url} is applied before that is stored"));
                }
                transfer.step = Step::Applying(id);
                Ok(())
            }
            _ => Err(format!("{url} is applied and is not here")),
        }
    }

    /// A job is stopped.
    pub(super) fn job_stops(&mut self, id: JobId) -> Finding {
        if self.stopped_diagnostic == Some(id) {
            self.stopped_diagnostic = None;
            return Ok(());
        }
        if let Some(requested) = &mut self.diagnostic
            && requested.job.take_if(|job| *job == id).is_some()
        {
            // Unless the box restarts, this must not be.
            self.jobs_stopped += 1;
            return Ok(());
        }
        let now = self.now.mono.0;
        let moving = self.transfers.iter_mut().find(|transfer| transfer.step == Step::Moving(id));
        let Some(transfer) = moving else { return Err(format!("job {} is stopped and does not run", id.0)) };
        let window_over = transfer.is_scheduled() && !transfer.is_open(now);
        let cancelled = transfer.being_cancelled;
        transfer.step = Step::Waiting;
        if !window_over && !cancelled {
            self.jobs_stopped += 1;
        }
        Ok(())
    }

    /// Where jobs have been stopped for no other reason, the box must be about to restart.
    pub(super) fn stopped_for_a_reason(&mut self) -> Finding {
        if self.stopped_diagnostic.take().is_some() {
            return Err("a diagnostic that was withdrawn goes on".to_owned());
        }
        match std::mem::take(&mut self.jobs_stopped) {
            stopped if stopped > 0 && !self.restarting => Err("a job is stopped for no reason".to_owned()),
            _ => Ok(()),
        }
    }

    /// What comes from the box about its work.
    pub(super) fn work(&mut self, input: &Input) {
        match input {
            Input::JobDone(id, result) => self.job_ends(*id, result),
            Input::DiagnosticRequested { by_acs, .. } => {
                self.withdraw_diagnostic();
                self.diagnostic = Some(Requested { by_acs: *by_acs, job: None });
            }
            Input::DiagnosticWithdrawn(_) => self.withdraw_diagnostic(),
            Input::BoxIdle(idle) => self.box_idle = *idle,
            _ => {}
        }
    }

    fn withdraw_diagnostic(&mut self) {
        // Where it runs, it must be stopped at once.
        self.stopped_diagnostic = self.diagnostic.take().and_then(|requested| requested.job);
    }

    fn job_ends(&mut self, id: JobId, result: &Result<JobDone, JobError>) {
        if let Some(Requested { by_acs, job: Some(job) }) = self.diagnostic
            && job == id
        {
            self.diagnostic = None;
            if by_acs {
                self.present.events.diagnostics = Need::Must;
                self.impulse();
            }
            return;
        }
        let of_job = |step: Step| step == Step::Moving(id) || step == Step::Applying(id);
        let Some(number) =
            self.transfers.iter().position(|transfer| !transfer.ended && of_job(transfer.step))
        else {
            return;
        };
        let Some(transfer) = self.transfers.get_mut(number) else { return };
        match result {
            Ok(JobDone::Fetched { expects, .. }) => {
                transfer.step = Step::Here;
                transfer.expects.clone_from(expects);
                transfer.before.clone_from(&self.image);
                transfer.just_here = true;
            }
            Ok(JobDone::Written { restarting }) => {
                transfer.step = Step::Written;
                self.transfer_restart = true;
                self.going_down = restarting.then(|| (number, self.now.mono.0 + limits::RESTART_MS));
                self.busy_until = self.now.mono.0;
            }
            Ok(_) => self.is_over(number, 0),
            Err(error) => {
                let code = match error.code.0 {
                    code @ (9001 | 9002 | 9010..=9012 | 9014..=9020 | 9800..=9899) => code,
                    _ => FAILURE,
                };
                if transfer.is_scheduled() {
                    transfer.step = Step::Waiting;
                    transfer.failed = Some(code);
                    self.busy_until = self.now.mono.0;
                } else {
                    self.is_over(number, code);
                }
            }
        }
    }

    /// That what is about to be done to the box could not be stored ends the transfer.
    pub(super) fn store_answers(&mut self, ticket: Ticket, well: bool) {
        self.busy_until = self.now.mono.0;
        self.failed_writes += u32::from(!well);
        if self.transfers.iter().any(Transfer::is_due) {
            self.impulse();
        }
        let answered =
            |transfer: &mut Transfer| transfer.storing.take_if(|storing| *storing <= ticket).is_some();
        let number = self.transfers.iter_mut().position(answered);
        if let Some(number) = number.filter(|_| !well) {
            self.is_over(number, 9002);
        }
    }

    /// A state is handed over: with it, that a file is about to be applied.
    pub(super) fn stores_what_is_here(&mut self, ticket: Ticket) {
        for transfer in self.transfers.iter_mut().filter(|transfer| transfer.step == Step::Here) {
            if std::mem::take(&mut transfer.just_here) {
                transfer.storing = Some(ticket);
            }
        }
    }

    /// The box has not gone down by itself in its time.
    pub(super) fn box_stays_up(&mut self) {
        if let Some((number, deadline)) = self.going_down
            && deadline <= self.now.mono.0
        {
            self.going_down = None;
            self.transfer_restart = false;
            self.is_over(number, FAILURE);
        }
    }

    /// No restart is possible: what was written does not take effect.
    pub(super) fn transfer_restart_failed(&mut self) {
        self.transfer_restart = false;
        let written = |number: &TransferNo| {
            self.transfers
                .get(*number)
                .is_some_and(|transfer| transfer.step == Step::Written && !transfer.ended)
        };
        let numbers: Vec<TransferNo> = (0..self.transfers.len()).filter(written).collect();
        for number in numbers {
            self.is_over(number, FAILURE);
        }
    }

    /// The firmware that the one under way is expected to be, for the box that writes it.
    pub(in crate::simulate) fn expected_image(&self) -> Option<String> {
        let here = |step: Step| matches!(step, Step::Here | Step::Applying(_));
        self.transfers
            .iter()
            .find(|transfer| here(transfer.step) && !transfer.ended)
            .and_then(|transfer| transfer.expects.clone())
    }
}

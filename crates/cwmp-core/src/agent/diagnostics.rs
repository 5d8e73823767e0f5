//! Diagnostics as jobs: each runs once no session is on, and its end is reported as `8 DIAGNOSTICS COMPLETE` (TR-106
//! DiagnosticsState).
//!
//! Inputs and results belong to the parameters, which are not the agent's; nothing of them outlives a boot.

use super::{Agent, transfers::next_job};
use crate::{
    event::EventCode,
    io::{Effect, Level},
    job::{Diagnostic, Job, JobDone, JobError, JobId},
};

/// A diagnostic that was asked for.
#[derive(Clone, Copy)]
pub(super) struct Requested {
    diagnostic: Diagnostic,
    /// The ACS has asked for it, and hears of its end.
    by_acs: bool,
    /// Since it runs.
    job: Option<JobId>,
}

impl Agent {
    /// Requested, perhaps once more during a run: it begins anew with the inputs that are set now.
    pub(super) fn diagnostic_requested(&mut self, diagnostic: Diagnostic, by_acs: bool) {
        self.diagnostic_withdrawn(diagnostic);
        self.diagnostics.push(Requested { diagnostic, by_acs, job: None });
    }

    /// Cancelled, or its inputs were changed: there is no event.
    pub(super) fn diagnostic_withdrawn(&mut self, diagnostic: Diagnostic) {
        let known = self.diagnostics.iter().position(|requested| requested.diagnostic == diagnostic);
        let withdrawn = known.map(|at| self.diagnostics.remove(at));
        self.effects.extend(withdrawn.and_then(|requested| requested.job).map(Effect::CancelJob));
    }

    /// Starts what waits; called while no session is on.
    pub(super) fn run_diagnostics(&mut self) {
        for requested in self.diagnostics.iter_mut().filter(|requested| requested.job.is_none()) {
            let job = next_job(&mut self.next_job);
            requested.job = Some(job);
            self.effects.push_back(Effect::StartJob(job, Box::new(Job::Diagnose(requested.diagnostic))));
        }
    }

    /// A diagnostic has ended, well or not.
    pub(super) fn diagnostic_done(&mut self, job: JobId, result: &Result<JobDone, JobError>) {
        let Some(at) = self.diagnostics.iter().position(|requested| requested.job == Some(job)) else {
            return;
        };
        let Requested { diagnostic, by_acs, .. } = self.diagnostics.remove(at);
        if let Err(error) = result {
            self.trace(Level::Error, format!("{diagnostic:?} broke off: {error}"));
        }
        if by_acs {
            self.event(EventCode::DiagnosticsComplete);
        }
    }

    /// The box restarts: what runs stops here. Where the restart fails, it begins anew.
    pub(super) fn stop_diagnostics(&mut self) {
        let running = self.diagnostics.iter_mut().filter_map(|requested| requested.job.take());
        self.effects.extend(running.map(Effect::CancelJob));
    }
}

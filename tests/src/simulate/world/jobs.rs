//! The long work of the box: transfers and diagnostics that end well, badly, late or with the power, and the firmware that
//! runs afterwards.

use std::collections::BTreeMap;

use cwmp_core::{
    fault::FaultCode,
    io::{BootCause, Input},
    job::{DownloadType, Job, JobDone, JobError, JobId},
};

use super::{Happening, World};

/// Longest time that a box which restarts by itself takes to go down, in milliseconds.
const DOWN_MS: u64 = 600_000;

#[derive(Debug)]
pub(super) struct Jobs {
    running: BTreeMap<u32, Job>,
    /// The firmware that runs.
    pub(super) image: String,
    /// The firmware that is to run after the next boot.
    flashed: Option<String>,
    images: u32,
}

impl Default for Jobs {
    fn default() -> Self {
        Self { running: BTreeMap::new(), image: "1".to_owned(), flashed: None, images: 1 }
    }
}

impl Jobs {
    fn new_image(&mut self) -> String {
        self.images += 1;
        self.images.to_string()
    }
}

impl World {
    pub(super) fn start_job(&mut self, id: JobId, job: Job) {
        let after = match () {
            () if self.dice.permille(self.mood.jobs) => self.dice.between(60_000, 3_000_000),
            () => self.dice.between(0, 20_000),
        };
        if self.jobs.running.insert(id.0, job).is_some() {
            self.found(format!("two jobs have the number {}", id.0));
        }
        self.at(after, Happening::JobEnds(id));
    }

    pub(super) fn cancel_job(&mut self, id: JobId) {
        match self.jobs.running.remove(&id.0) {
            None => self.found(format!("job {} is cancelled and does not run", id.0)),
            Some(job) if self.dice.below(4) == 0 => {
                // It has just ended.
                let result = self.result(&job);
                self.at(0, Happening::Input(Input::JobDone(id, result)));
            }
            Some(_) => {}
        }
    }

    pub(super) fn job_ends(&mut self, id: JobId) {
        let Some(job) = self.jobs.running.remove(&id.0) else { return };
        let result = self.result(&job);
        if let (Job::Apply(_), Ok(JobDone::Written { restarting: true })) = (&job, &result) {
            let never = !self.calm && self.dice.below(8) == 0;
            if !never {
                let after = self.dice.between(0, DOWN_MS);
                self.at(after, Happening::GoesDown);
            }
        }
        self.feed(Input::JobDone(id, result), None);
    }

    fn result(&mut self, job: &Job) -> Result<JobDone, JobError> {
        if self.dice.permille(self.mood.jobs) {
            let codes = [9002, 9010, 9011, 9012, 9013, 9015, 9016, 9017, 9018, 9019, 9800];
            let at = usize::try_from(self.dice.below(codes.len() as u64)).unwrap_or(0);
            let code = codes.get(at).copied().unwrap_or(9010);
            return Err(JobError::new(FaultCode(code), "the job is not in the mood"));
        }
        Ok(match job {
            Job::Fetch(fetch) => {
                let expects = (fetch.file_type == DownloadType::Firmware).then(|| match self.dice.below(4) {
                    0 => Some(self.jobs.image.clone()),
                    1 => None,
                    _ => Some(self.jobs.new_image()),
                });
                JobDone::Fetched { bytes: 1000, expects: expects.flatten() }
            }
            Job::Apply(apply) if apply.file_type == DownloadType::Firmware => {
                self.flash();
                JobDone::Written { restarting: self.dice.below(2) == 0 }
            }
            Job::Apply(_) => match self.dice.below(5) {
                0 => JobDone::Written { restarting: false },
                1 => JobDone::Written { restarting: true },
                _ => JobDone::Applied,
            },
            Job::Send(_) => JobDone::Sent,
            Job::Diagnose(_) => JobDone::Diagnosed,
            Job::Software(_) => {
                return Err(JobError::new(FaultCode::REQUEST_DENIED, "this box has no software modules"));
            }
        })
    }

    /// Firmware is written: most often the one that was expected.
    fn flash(&mut self) {
        let image = match (self.check.expected_image(), self.dice.below(6)) {
            (Some(expected), 1..) => expected,
            _ => self.jobs.new_image(),
        };
        self.jobs.flashed = Some(image);
    }

    /// The program ends, and what it does ends with it; where the power went while firmware was written, it may just have
    /// been written whole.
    pub(super) fn break_jobs_off(&mut self, next: BootCause) {
        let writes =
            |job: &Job| matches!(job, Job::Apply(apply) if apply.file_type == DownloadType::Firmware);
        if self.jobs.running.values().any(writes) && next == BootCause::Boot && self.dice.below(2) == 0 {
            self.flash();
        }
        self.jobs.running.clear();
    }

    /// The box boots: new firmware runs, or it does not and the old one is back.
    pub(super) fn boot_image(&mut self) {
        if let Some(flashed) = self.jobs.flashed.take()
            && self.dice.below(6) > 0
        {
            self.jobs.image = flashed;
        }
    }
}

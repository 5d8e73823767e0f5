//! The long work of the box in virtual time: the case says how each job ends.

use cwmp_core::{
    fault::FaultCode,
    io::Abilities,
    job::{DownloadType, Job, JobDone, JobError, JobId, UploadType},
};

/// What is under way, oldest first.
#[derive(Debug, Default)]
pub struct Jobs {
    running: Vec<(JobId, Job)>,
}

impl Jobs {
    /// A job starts.
    pub fn start(&mut self, id: JobId, job: Job) {
        self.running.push((id, job));
    }

    /// A job is stopped.
    pub fn cancel(&mut self, id: JobId) {
        self.running.retain(|(running, _)| *running != id);
    }

    /// The box goes down, or the program, and all work with it.
    pub fn forget(&mut self) {
        self.running.clear();
    }

    /// The oldest job that can end so has ended: `fetched`, `fetched image=2.0`, `applied`, `written`, `written restarting`,
    /// `sent`, `diagnosed`, `failed 9016`.
    ///
    /// # Errors
    /// Words that are not understood, or no job runs that can end so.
    pub fn end(&mut self, words: &[String]) -> Result<(JobId, Result<JobDone, JobError>), String> {
        let word = |at: usize| words.get(at).map_or("", String::as_str);
        let result = match word(0) {
            "fetched" => {
                let expects = word(1).strip_prefix("image=").map(str::to_owned);
                Ok(JobDone::Fetched { bytes: 1000, expects })
            }
            "applied" => Ok(JobDone::Applied),
            "written" => Ok(JobDone::Written { restarting: word(1) == "restarting" }),
            "sent" => Ok(JobDone::Sent),
            "diagnosed" => Ok(JobDone::Diagnosed),
            "failed" => {
                let code = word(1).parse().map_err(|_| "with which FaultCode has it failed?")?;
                Err(JobError::new(FaultCode(code), "as the case wants"))
            }
            other => return Err(format!("no job ends `{other}`")),
        };
        let at = self.running.iter().position(|(_, job)| can_end(job, &result));
        let (id, _) = self.running.remove(at.ok_or("no job runs that can end so")?);
        Ok((id, result))
    }
}

fn can_end(job: &Job, result: &Result<JobDone, JobError>) -> bool {
    match result {
        Ok(JobDone::Fetched { .. }) => matches!(job, Job::Fetch(_)),
        Ok(JobDone::Applied | JobDone::Written { .. }) => matches!(job, Job::Apply(_)),
        Ok(JobDone::Sent) => matches!(job, Job::Send(_)),
        Ok(JobDone::Diagnosed) => matches!(job, Job::Diagnose(_)),
        Ok(JobDone::Software(_)) => matches!(job, Job::Software(_)),
        Err(_) => true,
    }
}

/// What every box of a case can transfer: firmware and configuration to it, configuration and log from it.
pub fn enable(abilities: &mut Abilities) {
    abilities.downloads = vec![DownloadType::Firmware, DownloadType::Configuration];
    abilities.uploads = vec![UploadType::Configuration(None), UploadType::Log(None)];
}

//! Long work that the agent has done: file transfers and diagnostics, each a task of its own.
//!
//! What is fetched for a transfer lies in a file of the transfer's number until the agent lets go of it, so that a transfer
//! that was interrupted goes on with what is there.

use std::{
    collections::HashMap,
    fs::DirBuilder,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    rc::Rc,
};

use cwmp_core::{
    fault::FaultCode,
    io::Input,
    job::{Apply, DownloadType, DuDone, DuJob, Fetch, Job, JobDone, JobError, JobId, Send, TransferId},
};
use cwmp_diagnostics::Diagnostics;
use cwmp_platform::{Flash, FlashOptions, LoadConfig, Platform, PlatformError, config_name, policy};
use cwmp_transport::{
    files::{self, Fetched, Partial, RemoteFile, destination::Destination},
    limits::FETCH_RESERVE_BYTES,
};
use tokio::{sync::mpsc, task::JoinHandle};

use crate::{
    border::{Done, Had, Order},
    desk::Desk,
    ledger::Ledger,
    protocol_side::ProtocolSide,
};

/// Why a transfer ends with the protocol process.
const GONE: &str = "the protocol process has ended";

/// What jobs work with.
pub(crate) struct Workshop {
    pub(crate) platform: Rc<dyn Platform>,
    pub(crate) side: ProtocolSide,
    pub(crate) desk: Rc<Desk>,
    /// Where fetched files lie, and those that are sent.
    pub(crate) folder: PathBuf,
    pub(crate) diagnostics: Rc<Diagnostics>,
    pub(crate) ledger: Rc<Ledger>,
}

/// The jobs that are under way.
pub(crate) struct Jobs {
    workshop: Rc<Workshop>,
    inputs: mpsc::UnboundedSender<Input>,
    running: HashMap<JobId, Running>,
}

struct Running {
    task: JoinHandle<()>,
    /// The type of the file that it fetches.
    fetches: Option<DownloadType>,
    /// Whether it changes the box.
    applies: bool,
}

impl Jobs {
    pub(crate) fn new(workshop: Workshop, inputs: mpsc::UnboundedSender<Input>) -> Self {
        Self { workshop: Rc::new(workshop), inputs, running: HashMap::new() }
    }

    /// Starts a job; its end comes as [`Input::JobDone`].
    pub(crate) fn start(&mut self, id: JobId, job: Job) {
        self.running.retain(|_, running| !running.task.is_finished());
        let fetches = match &job {
            Job::Fetch(fetch) => Some(fetch.file_type.clone()),
            Job::Apply(_) | Job::Send(_) | Job::Diagnose(_) | Job::Software(_) => None,
        };
        let applies = match &job {
            Job::Apply(_) => true,
            Job::Software(job) => matches!(**job, DuJob::Apply { .. }),
            Job::Fetch(_) | Job::Send(_) | Job::Diagnose(_) => false,
        };
        let (workshop, inputs) = (Rc::clone(&self.workshop), self.inputs.clone());
        let task = tokio::task::spawn_local(async move {
            let result = workshop.carry_out(job).await;
            inputs.send(Input::JobDone(id, result)).ok();
        });
        self.running.insert(id, Running { task, fetches, applies });
    }

    /// Whether a job changes the box just now, which is not to be broken off.
    pub(crate) fn is_applying(&self) -> bool {
        self.running.values().any(|running| running.applies && !running.task.is_finished())
    }

    /// Stops a job; nothing comes of it any more. Returns whether it was there.
    pub(crate) fn cancel(&mut self, id: JobId) -> bool {
        let Some(Running { task, fetches, .. }) = self.running.remove(&id) else { return false };
        task.abort();
        if let Some(file_type) = fetches {
            let workshop = Rc::clone(&self.workshop);
            tokio::task::spawn_local(async move {
                // Once the job is gone it cannot undo itself what it did to the box before the transfer.
                task.await.ok();
                workshop.platform.download_over(&file_type).await;
            });
        }
        true
    }

    /// Removes what was fetched for a transfer that is over.
    pub(crate) fn discard(&self, transfer: TransferId) -> impl Future<Output = ()> + use<> {
        let file = self.workshop.file(transfer);
        let discarded = tokio::task::spawn_blocking(move || discard(&file));
        async move {
            discarded.await.ok();
        }
    }
}

impl Workshop {
    async fn carry_out(&self, job: Job) -> Result<JobDone, JobError> {
        match job {
            Job::Fetch(fetch) => {
                let done = self.fetch(&fetch).await;
                if done.is_err() {
                    self.platform.download_over(&fetch.file_type).await;
                }
                done
            }
            Job::Apply(apply) => {
                let done = self.apply(&apply).await;
                if !matches!(done, Ok(JobDone::Written { .. })) {
                    self.platform.download_over(&apply.file_type).await;
                }
                done
            }
            Job::Send(send) => self.send(&send).await,
            Job::Diagnose(diagnostic) => {
                self.diagnostics.run(diagnostic).await;
                Ok(JobDone::Diagnosed)
            }
            Job::Software(job) => self.change_software(*job).await.map(JobDone::Software),
        }
    }

    async fn change_software(&self, job: DuJob) -> Result<DuDone, JobError> {
        let none = || JobError::new(FaultCode::REQUEST_DENIED, "this box has no software modules");
        let modules = self.platform.software().ok_or_else(none)?;
        match job {
            DuJob::Plan(order) => modules.plan(&order).await,
            DuJob::Fetch(fetch) => {
                let into = self.file(fetch.file);
                let folder = self.folder.clone();
                blocking(move || make_private(&folder)).await?;
                let from = remote(&fetch.url, &fetch.username, &fetch.password);
                let under_way = modules.begin(&fetch.target);
                self.fetch_into(&into, from, 0).await?;
                drop(under_way);
                modules.check(&fetch.target, &into).await
            }
            DuJob::Apply { file, target } => modules.apply(&target, &self.file(file)).await,
            DuJob::Look(target) => modules.look(&target).await,
            DuJob::Survey => modules.survey().await,
        }
    }

    async fn fetch(&self, fetch: &Fetch) -> Result<JobDone, JobError> {
        let expected = Some(u64::from(fetch.file_size)).filter(|bytes| *bytes > 0);
        self.platform.before_download(&fetch.file_type, expected).await.map_err(job_error)?;
        let folder = self.folder.clone();
        blocking(move || make_private(&folder)).await?;
        let into = self.file(fetch.transfer);
        let from = remote(&fetch.url, &fetch.username, &fetch.password);
        let fetched = self.fetch_into(&into, from, fetch.file_size).await?;
        let expects = match fetch.file_type {
            DownloadType::Firmware | DownloadType::StoredFirmware => {
                let facts = self.platform.check_firmware(&into).await.map_err(job_error)?;
                facts.expects
            }
            _ => None,
        };
        Ok(JobDone::Fetched { bytes: fetched.bytes, expects })
    }

    /// Lets the protocol side fetch into a file that this side holds.
    async fn fetch_into(&self, into: &Path, from: RemoteFile, file_size: u32) -> Result<Fetched, JobError> {
        let failed = |text| JobError::new(FaultCode::DOWNLOAD_FAILURE, text);
        let partial = Partial::open(into, &from.url, FETCH_RESERVE_BYTES).await.map_err(failed)?;
        let held = Had::from(partial.held());
        let open = self.desk.take_into(partial);
        let order = Order::Fetch { into: open.id, held, from, file_size };
        match self.side.order(order).await {
            Some(Done::Fetched(fetched)) => fetched,
            _ => Err(failed(GONE.to_owned())),
        }
    }

    async fn apply(&self, apply: &Apply) -> Result<JobDone, JobError> {
        let file = self.file(apply.transfer);
        match &apply.file_type {
            DownloadType::Firmware => {
                let flash = self.platform.flash_firmware(&file, FlashOptions { keep_settings: true }).await;
                let restarting = flash.map_err(job_error)? == Flash::Restarting;
                Ok(JobDone::Written { restarting })
            }
            DownloadType::Configuration => {
                let name = config_name(&apply.url, &apply.target_file_name);
                let loaded = self.ledger.load_configuration(&file, &name, apply.transfer).await;
                match loaded.map_err(job_error)? {
                    LoadConfig::Applied => Ok(JobDone::Applied),
                    LoadConfig::RestartNeeded => Ok(JobDone::Written { restarting: false }),
                }
            }
            other => {
                let taken = self.platform.take_file(other, &file, &apply.target_file_name).await;
                taken.map(|()| JobDone::Applied).map_err(job_error)
            }
        }
    }

    async fn send(&self, send: &Send) -> Result<JobDone, JobError> {
        let folder = self.folder.clone();
        blocking(move || make_private(&folder)).await?;
        let file = self.file(send.transfer);
        let made = self.platform.make_file(&send.file_type, &file).await;
        made.map_err(|error| JobError::new(error.upload_fault_code(), error.to_string()))?;
        let to = remote(&send.url, &send.username, &send.password);
        let failed = |text| JobError::new(FaultCode::UPLOAD_FAILURE, text);
        let length = std::fs::metadata(&file).map_err(|error| failed(error.to_string()))?.len();
        let open = self.desk.give_out(file);
        let sent = self.side.order(Order::Send { from: open.id, length, to }).await;
        match sent {
            Some(Done::Sent(sent)) => sent.map(|()| JobDone::Sent),
            _ => Err(failed(GONE.to_owned())),
        }
    }

    fn file(&self, transfer: TransferId) -> PathBuf {
        self.folder.join(format!("transfer-{}", transfer.0))
    }
}

fn remote(
    url: &cwmp_core::url::HttpUrl,
    username: &str,
    password: &cwmp_core::settings::Secret,
) -> RemoteFile {
    RemoteFile { url: url.clone(), username: username.to_owned(), password: password.clone() }
}

fn job_error(error: PlatformError) -> JobError {
    JobError::new(error.fault_code(), error.to_string())
}

async fn blocking(
    work: impl FnOnce() -> Result<(), String> + std::marker::Send + 'static,
) -> Result<(), JobError> {
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.unwrap_or_else(|_| Err("the program is ending".to_owned()));
    done.map_err(|text| JobError::new(FaultCode::DOWNLOAD_FAILURE, text))
}

/// Makes the folder for files where it is missing, open to its owner alone. One that somebody else could put files into is
/// not used.
fn make_private(folder: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("download_dir {}: {error}", folder.display());
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    let facts = std::fs::symlink_metadata(folder).map_err(failed)?;
    let own = facts.uid() == nix::unistd::geteuid().as_raw();
    if !facts.is_dir() || !own || facts.permissions().mode() & 0o022 != 0 {
        return Err(format!(
            "download_dir {}: it is not a folder of our own that others cannot write to",
            folder.display()
        ));
    }
    Ok(())
}

/// Removes a fetched file, and what lies beside it.
fn discard(file: &Path) {
    if let Err(error) = files::discard(file) {
        tracing::warn!("what was fetched cannot be removed: {error}");
    }
    let signature = policy::signature_path(file);
    match std::fs::remove_file(&signature) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!("{}: {error}", signature.display());
        }
        _ => {}
    }
}

//! The jobs of the agent, played: the file server's side, and the calls of the platform that a job ends with.

use std::path::PathBuf;

use cwmp_core::{
    fault::FaultCode,
    job::{DownloadType, DuDone, DuJob, Job, JobDone, JobError, TransferId, UploadType},
    software::{DuTarget, DuUnit},
    url::HttpUrl,
};
use cwmp_platform::{Flash, FlashOptions, LoadConfig, Platform, PlatformError};

use super::{
    book::Book,
    device::{CONFIGURATION, Device, IMAGE},
};

/// Version of all deployment units.
const VERSION: &str = "1";

/// Where a transfer's file lies in the memory of the box.
pub(super) fn place(transfer: TransferId) -> PathBuf {
    PathBuf::from(format!("/tmp/transfer-{}", transfer.0))
}

/// Does a job to its end.
pub(super) async fn work(job: &Job, device: &Device, book: &mut Book) -> Result<JobDone, JobError> {
    match job {
        Job::Fetch(fetch) => {
            let key = key(&fetch.url);
            let promise = book.promises.iter().find(|promise| promise.key == key);
            let image = promise.and_then(|promise| promise.image());
            let content = match (&image, promise.and_then(|promise| promise.configuration())) {
                (Some(image), _) => [IMAGE, image].concat(),
                (None, Some(configuration)) => [CONFIGURATION, configuration].concat(),
                (None, None) => return Err(JobError::new(FaultCode(9016), "the server has no such file")),
            };
            let (bytes, file) = (content.len() as u64, place(fetch.transfer));
            device.memory.borrow_mut().insert(file.clone(), content);
            let expects = match image {
                Some(_) => device.check_firmware(&file).await.map_err(error)?.expects,
                None => None,
            };
            Ok(JobDone::Fetched { bytes, expects })
        }
        Job::Apply(apply) if apply.file_type == DownloadType::Firmware => {
            let options = FlashOptions { keep_settings: true };
            let flashed = device.flash_firmware(&place(apply.transfer), options).await;
            flashed
                .map(|flashed| JobDone::Written { restarting: flashed == Flash::Restarting })
                .map_err(error)
        }
        Job::Apply(apply) => match device.load_config(&place(apply.transfer), "").await.map_err(error)? {
            LoadConfig::Applied => Ok(JobDone::Applied),
            LoadConfig::RestartNeeded => Ok(JobDone::Written { restarting: false }),
        },
        Job::Send(send) => {
            let made = device.make_file(&UploadType::Configuration(None), &place(send.transfer)).await;
            made.map_err(error)?;
            book.uploads.insert(key(&send.url));
            Ok(JobDone::Sent)
        }
        Job::Diagnose(_) => Ok(JobDone::Diagnosed),
        Job::Software(job) => Ok(JobDone::Software(change_unit(job, device))),
    }
}

/// A step of ChangeDUState, which installs units and nothing else.
fn change_unit(job: &DuJob, device: &Device) -> DuDone {
    let place = |uuid: &String| device.units().iter().position(|known| known == uuid);
    let unit = |uuid: &String| DuUnit {
        uuid: uuid.clone(),
        version: VERSION.to_owned(),
        reference: format!("Device.SoftwareModules.DeploymentUnit.{}", place(uuid).map_or(0, |at| at + 1)),
        resolved: true,
        execution_units: Vec::new(),
    };
    match job {
        DuJob::Plan(order) => DuDone::Planned(vec![DuTarget {
            operation: order.operation,
            before: None,
            uuid: order.uuid.clone(),
            version: String::new(),
            url: order.url.clone(),
            environment: String::new(),
        }]),
        DuJob::Fetch(fetch) => {
            DuDone::Fetched(DuTarget { version: VERSION.to_owned(), ..fetch.target.clone() })
        }
        DuJob::Apply { target, .. } => match device.install(&target.uuid) {
            Ok(()) => DuDone::Changed(unit(&target.uuid)),
            Err(error) => DuDone::Failed(JobError::new(FaultCode::REQUEST_DENIED, error), None),
        },
        DuJob::Look(target) => DuDone::Found(place(&target.uuid).map(|_| unit(&target.uuid))),
        DuJob::Survey => DuDone::Surveyed(device.units().iter().map(unit).collect()),
    }
}

fn key(url: &HttpUrl) -> String {
    let url = url.to_string();
    let name = url.rsplit('/').next().unwrap_or_default();
    name.split('.').next().unwrap_or_default().to_owned()
}

fn error(error: PlatformError) -> JobError {
    JobError::new(error.fault_code(), error.to_string())
}

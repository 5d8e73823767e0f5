//! The jobs of the agent, played: the file server's side, and the calls of the platform that a job ends with.

use std::path::PathBuf;

use cwmp_core::{
    fault::FaultCode,
    job::{DownloadType, Job, JobDone, JobError, TransferId, UploadType},
    url::HttpUrl,
};
use cwmp_platform::{Flash, FlashOptions, LoadConfig, Platform, PlatformError};

use super::{
    book::Book,
    device::{CONFIGURATION, Device, IMAGE},
};

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
        Job::Software(_) => Err(JobError::new(FaultCode::REQUEST_DENIED, "this box has no software modules")),
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

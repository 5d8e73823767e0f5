//! Downloads and uploads by type.

use std::{io::Write, path::Path};

use cwmp_core::job::{DownloadType, UploadType};
use cwmp_linux::{
    command::{self, Keep},
    files, off_thread,
};
use cwmp_platform::PlatformError;

use crate::{ground::Ground, limits};

const LOGREAD: &str = "sbin/logread";

impl Ground {
    pub(crate) fn download_types(&self) -> Vec<DownloadType> {
        let firmware = self.can_flash().then_some(DownloadType::Firmware);
        firmware.into_iter().chain(self.can_save().then_some(DownloadType::Configuration)).collect()
    }

    pub(crate) fn upload_types(&self) -> Vec<UploadType> {
        let configuration = self.can_save().then_some(UploadType::Configuration(None));
        configuration.into_iter().chain(self.has_log().then_some(UploadType::Log(None))).collect()
    }

    /// Whether there is a log that can be uploaded: row 1 of VendorLogFile.
    pub(crate) fn has_log(&self) -> bool {
        self.program(LOGREAD).is_some()
    }

    pub(crate) async fn before_download(
        &self,
        file_type: &DownloadType,
        bytes: Option<u64>,
    ) -> Result<(), PlatformError> {
        match file_type {
            DownloadType::Firmware => self.before_firmware(bytes).await,
            _ => self.room(bytes, 0).await,
        }
    }

    pub(crate) async fn make_file(&self, file_type: &UploadType, into: &Path) -> Result<(), PlatformError> {
        match file_type {
            UploadType::Configuration(None | Some(1)) => self.save(into).await,
            UploadType::Log(None | Some(1)) => self.log(into).await,
            _ => Err(PlatformError::Unsupported("upload a row that is not there")),
        }
    }

    /// The end of the log of the system.
    async fn log(&self, into: &Path) -> Result<(), PlatformError> {
        let program =
            self.program(LOGREAD).ok_or(PlatformError::Unsupported("upload a log: there is no logread"))?;
        let log = command::output(&[program], &[], limits::SHORT_RUN, Keep::Last(limits::LOG_BYTES)).await?;
        let into = into.to_owned();
        off_thread(move || {
            files::replace(&into, |target| target.write_all(&log)).map_err(PlatformError::Failed)
        })
        .await
    }
}

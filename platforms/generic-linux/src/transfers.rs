//! Downloads and uploads of all types: which work, what comes before and after, and where the files go.

use std::{
    ffi::OsStr,
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use cwmp_core::job::{DownloadType, UploadType};
use cwmp_platform::{PlatformError, target_file_name};

use crate::{
    command::{self, Keep},
    files,
    platform::{Shared, off_thread},
    sandbox::{STORED, VENDOR, WEB},
    updater::{FILE, require},
    vendor_files::ConfigRow,
};

/// Longest run of the command that takes or makes a file.
const HOOK_LIMIT: Duration = Duration::from_secs(300);
/// Longest run of the command that writes the log.
const LOG_LIMIT: Duration = Duration::from_secs(60);
/// Most bytes of a log that are uploaded: the last ones.
const LOG_BYTES: usize = 1024 * 1024;
/// Largest named configuration file that is uploaded, in bytes.
const CONFIG_FILE_BYTES: u64 = 1024 * 1024;
/// Stands for TargetFileName in the arguments of a command.
const NAME: &str = "{name}";
/// The vendor's file type that the sandbox takes and makes.
const SANDBOX_TYPE: &str = "X 000000 Sandbox";
/// What every private key in PEM has in its first line.
const PRIVATE_KEY: &[u8] = b"PRIVATE KEY-----";

impl Shared {
    pub(crate) fn download_types(&self) -> Vec<DownloadType> {
        if self.sandbox.is_some() {
            return vec![
                DownloadType::Firmware,
                DownloadType::WebContent,
                DownloadType::Configuration,
                DownloadType::StoredFirmware,
                DownloadType::Vendor(SANDBOX_TYPE.to_owned()),
            ];
        }
        let firmware = self.updater.is_some().then_some(DownloadType::Firmware);
        let configuration = self.can_load_config().then_some(DownloadType::Configuration);
        let hooks = self.options.download_hooks.iter().map(|(file_type, _)| file_type.clone());
        firmware.into_iter().chain(configuration).chain(hooks).collect()
    }

    pub(crate) fn upload_types(&self) -> Vec<UploadType> {
        let configuration = self.can_save_config() || self.first_config_file().is_some();
        let log = self.options.log_command.is_some() || !self.log_files().is_empty();
        let known = [(configuration, UploadType::Configuration(None)), (log, UploadType::Log(None))];
        let known = known.into_iter().filter_map(|(works, file_type)| works.then_some(file_type));
        if self.sandbox.is_some() {
            return known.chain([UploadType::Vendor(SANDBOX_TYPE.to_owned())]).collect();
        }
        known.chain(self.options.upload_hooks.iter().map(|(file_type, _)| file_type.clone())).collect()
    }

    pub(crate) async fn before_download(
        &self,
        file_type: &DownloadType,
        bytes: Option<u64>,
    ) -> Result<(), PlatformError> {
        match file_type {
            DownloadType::Firmware => return self.before_firmware(bytes).await,
            DownloadType::Configuration => drop(self.back_up().await?),
            _ => {}
        }
        self.room(bytes, 0).await
    }

    pub(crate) async fn download_over(&self, file_type: &DownloadType) {
        if *file_type == DownloadType::Firmware {
            self.services("start").await;
        }
    }

    pub(crate) async fn take_file(
        &self,
        file_type: &DownloadType,
        file: &Path,
        name: &str,
    ) -> Result<(), PlatformError> {
        let name = target_file_name(name)?;
        if let Some(sandbox) = self.sandbox.clone() {
            let kind = match file_type {
                DownloadType::WebContent => WEB,
                DownloadType::StoredFirmware => STORED,
                DownloadType::Vendor(text) if text == SANDBOX_TYPE => VENDOR,
                _ => return Err(PlatformError::Unsupported("take files of this type")),
            };
            let (file, name) = (file.to_owned(), name.unwrap_or("file").to_owned());
            return off_thread(move || sandbox.take(kind, &file, &name)).await;
        }
        let hook = self.options.download_hooks.iter().find(|(known, _)| known == file_type);
        let (_, command) = hook.ok_or(PlatformError::Unsupported("take files of this type"))?;
        require(file_type.as_str(), command, FILE)?;
        if name.is_none() && require(file_type.as_str(), command, NAME).is_ok() {
            return Err(PlatformError::Refused("this file type needs a TargetFileName".to_owned()));
        }
        let placeholders = [(FILE, file.as_os_str()), (NAME, OsStr::new(name.unwrap_or_default()))];
        command::run(command, &placeholders, HOOK_LIMIT).await
    }

    pub(crate) async fn make_file(&self, file_type: &UploadType, into: &Path) -> Result<(), PlatformError> {
        const NO_ROW: PlatformError = PlatformError::Unsupported("upload a row that is not there");
        match file_type {
            UploadType::Configuration(None) if self.can_save_config() => self.save(into).await,
            UploadType::Configuration(None) => {
                let nothing =
                    PlatformError::Unsupported("save the configuration: no config_save_command is set");
                let file = self.first_config_file().ok_or(nothing)?;
                self.copy(file, Part::All, into).await
            }
            UploadType::Configuration(Some(row)) => match self.config_row(*row).ok_or(NO_ROW)? {
                ConfigRow::File(file) => self.copy(file, Part::All, into).await,
                ConfigRow::Present => self.save(into).await,
            },
            UploadType::Log(None) if self.sandbox.is_none() && self.options.log_command.is_some() => {
                let command = self.options.log_command.as_deref().unwrap_or_default();
                let log = command::output(command, &[], LOG_LIMIT, Keep::Last(LOG_BYTES)).await?;
                write(log, into).await
            }
            UploadType::Log(row) => {
                let at = usize::try_from(row.unwrap_or(1)).ok().and_then(|row| row.checked_sub(1));
                let files = self.log_files();
                let file = at.and_then(|at| files.get(at)).ok_or(NO_ROW)?;
                self.copy(self.place_of(file), Part::End, into).await
            }
            UploadType::Vendor(text) => match self.sandbox.clone() {
                Some(sandbox) if text == SANDBOX_TYPE => {
                    let into = into.to_owned();
                    off_thread(move || sandbox.describe(&into)).await
                }
                Some(_) => Err(PlatformError::Unsupported("make files of this type")),
                None => self.make_by_hook(file_type, text, into).await,
            },
        }
    }

    async fn make_by_hook(
        &self,
        file_type: &UploadType,
        key: &str,
        into: &Path,
    ) -> Result<(), PlatformError> {
        let hook = self.options.upload_hooks.iter().find(|(known, _)| known == file_type);
        let (_, command) = hook.ok_or(PlatformError::Unsupported("make files of this type"))?;
        require(key, command, FILE)?;
        command::run(command, &[(FILE, into.as_os_str())], HOOK_LIMIT).await
    }

    /// Copies a named file, unless it is one of the agent's own or holds a private key.
    async fn copy(&self, from: PathBuf, part: Part, into: &Path) -> Result<(), PlatformError> {
        let (private, name) = (self.options.private_folders.clone(), from.clone());
        let sandbox = self.sandbox.as_ref().map(|sandbox| sandbox.folder().to_owned());
        let bytes = off_thread(move || {
            let real = from.canonicalize();
            let real =
                real.map_err(|e| PlatformError::Failed(format!("cannot read {}: {e}", from.display())))?;
            let lies_in = |folder: &PathBuf| {
                real.starts_with(folder) || folder.canonicalize().is_ok_and(|folder| real.starts_with(folder))
            };
            // The sandbox may lie in a folder of the agent, and has nothing of it.
            let of_sandbox = sandbox.iter().any(lies_in);
            if !of_sandbox && private.iter().any(lies_in) {
                return Err(PlatformError::Refused(format!(
                    "{} lies in a folder of the agent, which holds passwords and keys",
                    from.display()
                )));
            }
            match part {
                Part::All => files::read_regular(&real, CONFIG_FILE_BYTES),
                Part::End => files::read_end(&real, u64::try_from(LOG_BYTES).unwrap_or(u64::MAX)),
            }
            .map_err(PlatformError::Failed)
        });
        let bytes = bytes.await?;
        if bytes.windows(PRIVATE_KEY.len()).any(|window| window == PRIVATE_KEY) {
            return Err(PlatformError::Refused(format!("{} holds a private key", name.display())));
        }
        write(bytes, into).await
    }
}

/// Which part of a file.
#[derive(Clone, Copy)]
enum Part {
    /// All of it; one that is larger than [`CONFIG_FILE_BYTES`] is refused.
    All,
    /// The last [`LOG_BYTES`].
    End,
}

async fn write(bytes: Vec<u8>, into: &Path) -> Result<(), PlatformError> {
    let into = into.to_owned();
    off_thread(move || {
        files::replace(&into, |target| target.write_all(&bytes)).map_err(PlatformError::Failed)
    })
    .await
}

#[cfg(test)]
mod tests;

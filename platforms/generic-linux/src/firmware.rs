//! Firmware from before the transfer to the boot: room, services, checks, writing, the mark.

use std::{ffi::OsStr, path::Path, time::Duration};

use cwmp_platform::{Flash, FlashOptions, ImageFacts, PlatformError, policy::Authenticity};

use crate::{
    command,
    platform::{Shared, off_thread},
    room::{self, Place},
    updater::{Checked, Image, Updater, usual_mark},
};

/// Longest run of a command that stops or starts a service.
const SERVICE_LIMIT: Duration = Duration::from_secs(60);
/// What stands for `stop` or `start` in such a command.
const ACTION: &str = "{action}";

impl Shared {
    fn updater(&self) -> Result<&dyn Updater, PlatformError> {
        self.updater
            .as_deref()
            .ok_or(PlatformError::Unsupported("flash firmware: no firmware_command is set"))
    }

    /// DeviceInfo.SoftwareVersion.
    pub(crate) fn running(&self) -> String {
        self.identity().running(self.sandbox_version())
    }

    /// Looks for a slot and for room, and stops services. On an error they run again.
    pub(crate) async fn before_firmware(&self, bytes: Option<u64>) -> Result<(), PlatformError> {
        self.updater()?.ready().await?;
        self.services("stop").await;
        let room = self.room(bytes, u64::from(self.options.firmware_free_memory)).await;
        if room.is_err() {
            self.services("start").await;
        }
        room
    }

    /// Whether a file of so many bytes fits, with `reserve` KiB of memory left.
    pub(crate) async fn room(&self, bytes: Option<u64>, reserve: u64) -> Result<(), PlatformError> {
        let (root, folder) = (self.root.clone(), self.options.download_folder.clone());
        // A sandbox changes nothing of the machine that it runs on.
        let may_drop = self.sandbox.is_none();
        off_thread(move || {
            let place = Place::of(folder.as_deref());
            let look = || room::check(bytes.unwrap_or(0), place, room::available_memory(&root), reserve);
            look().or_else(|short| {
                if !may_drop {
                    return Err(short);
                }
                room::drop_caches(&root);
                look()
            })
        })
        .await
    }

    /// Stops or starts the services that an upgrade has no memory for. One that does not obey is reported and no more: the
    /// room is measured afterwards.
    pub(crate) async fn services(&self, action: &str) {
        if self.sandbox.is_some() {
            return;
        }
        let mut services: Vec<_> = self.options.firmware_stop_services.iter().collect();
        if action == "start" {
            services.reverse();
        }
        for command in services {
            if let Err(e) = command::run(command, &[(ACTION, OsStr::new(action))], SERVICE_LIMIT).await {
                tracing::warn!("firmware_stop_services, {action}: {e}");
            }
        }
    }

    /// Signature, format and version of an image.
    pub(crate) async fn check_firmware(&self, image: &Path) -> Result<ImageFacts, PlatformError> {
        let updater = self.updater()?;
        let (policy, file) = (self.options.image_policy.clone(), image.to_owned());
        match off_thread(move || policy.authenticate(&file)).await? {
            Authenticity::Signed(key) => tracing::info!("the image is signed by key {key}"),
            Authenticity::NotJudged => tracing::info!("the signature of the image is not judged"),
        }
        let running = self.running();
        let Checked { facts, running } = updater.check(image, &running).await?;
        self.options.image_policy.check_version(&running, facts.version.as_deref())?;
        Ok(facts)
    }

    /// Checks an image and writes it.
    pub(crate) async fn flash(&self, image: &Path, options: FlashOptions) -> Result<Flash, PlatformError> {
        let updater = self.updater()?;
        self.check_firmware(image).await?;
        updater.ready().await?;
        let flashed = updater.install(image, options).await?;
        if !options.keep_settings {
            self.forget_backup()?;
        }
        Ok(flashed)
    }

    pub(crate) async fn image_mark(&self) -> Result<String, PlatformError> {
        let running = self.running();
        match &self.updater {
            Some(updater) => updater.mark(&running).await,
            None => Ok(usual_mark(&self.root, &running)),
        }
    }

    /// The rows of FirmwareImage; `None` where there is no updater or it does not answer.
    pub(crate) async fn images(&self) -> Option<Vec<Image>> {
        match self.updater.as_ref()?.images(&self.running()).await {
            Ok(images) => Some(images),
            Err(e) => {
                tracing::warn!("FirmwareImage is left out: {e}");
                None
            }
        }
    }

    pub(crate) async fn confirm_image(&self) -> Result<(), PlatformError> {
        match &self.updater {
            Some(updater) => updater.confirm().await,
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;

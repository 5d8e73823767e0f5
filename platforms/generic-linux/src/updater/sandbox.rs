//! The sandbox writes images into its folder.

use std::path::Path;

use async_trait::async_trait;
use cwmp_platform::{Flash, FlashOptions, PlatformError};

use super::{Checked, Image, Updater, running_image};
use crate::{platform::off_thread, sandbox::Sandbox};

/// A sandbox as updater.
pub(super) struct OfSandbox(pub(super) Sandbox);

#[async_trait(?Send)]
impl Updater for OfSandbox {
    async fn ready(&self) -> Result<(), PlatformError> {
        Ok(())
    }

    async fn check(&self, image: &Path, running: &str) -> Result<Checked, PlatformError> {
        let (sandbox, image) = (self.0.clone(), image.to_owned());
        let facts = off_thread(move || sandbox.check(&image)).await?;
        Ok(Checked { facts, running: running.to_owned() })
    }

    async fn install(&self, image: &Path, flash: FlashOptions) -> Result<Flash, PlatformError> {
        let (sandbox, image) = (self.0.clone(), image.to_owned());
        off_thread(move || sandbox.flash(&image, flash.keep_settings)).await?;
        Ok(Flash::RestartNeeded)
    }

    async fn confirm(&self) -> Result<(), PlatformError> {
        Ok(())
    }

    async fn mark(&self, running: &str) -> Result<String, PlatformError> {
        Ok(self.0.mark().unwrap_or(running).to_owned())
    }

    async fn images(&self, running: &str) -> Result<Vec<Image>, PlatformError> {
        Ok(running_image(running))
    }
}

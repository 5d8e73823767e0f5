//! A program of the integrator writes the image.

use std::{ffi::OsStr, path::Path};

use async_trait::async_trait;
use cwmp_platform::{Flash, FlashOptions, ImageFacts, PlatformError};

use super::{
    CHECK_LIMIT, Checked, FILE, INSTALL_LIMIT, Image, KEEP_SETTINGS, MARK_CHARS, STATE_BYTES, STATE_LIMIT,
    Updater, confirm, require, running_image, state, usual_mark,
};
use crate::{
    command::{self, Keep},
    files::{Root, clean},
    options::Options,
};

/// The commands `firmware_*`.
pub(super) struct Hook {
    pub(super) options: Options,
    pub(super) root: Root,
}

#[async_trait(?Send)]
impl Updater for Hook {
    async fn ready(&self) -> Result<(), PlatformError> {
        state(self.options.firmware_state_command.as_ref()).await
    }

    /// What the check command writes: lines `version=` and `mark=`.
    async fn check(&self, image: &Path, running: &str) -> Result<Checked, PlatformError> {
        let checked = |facts| Checked { facts, running: running.to_owned() };
        let Some(command) = &self.options.firmware_check_command else {
            return Ok(checked(ImageFacts::default()));
        };
        require("firmware_check_command", command, FILE)?;
        let placeholders = [(FILE, image.as_os_str())];
        let said = command::output(command, &placeholders, CHECK_LIMIT, Keep::All(STATE_BYTES)).await?;
        let said = String::from_utf8_lossy(&said);
        let value = |key: &str| {
            let found = said.lines().find_map(|line| line.strip_prefix(key));
            found.map(|value| clean(value, MARK_CHARS)).filter(|value| !value.is_empty())
        };
        Ok(checked(ImageFacts { expects: value("mark="), version: value("version=") }))
    }

    async fn install(&self, image: &Path, flash: FlashOptions) -> Result<Flash, PlatformError> {
        let command = self.options.firmware_command.as_deref().unwrap_or_default();
        require("firmware_command", command, FILE)?;
        if !flash.keep_settings {
            require("firmware_command", command, KEEP_SETTINGS)?;
        }
        let keep = if flash.keep_settings { "true" } else { "false" };
        let placeholders = [(FILE, image.as_os_str()), (KEEP_SETTINGS, OsStr::new(keep))];
        command::run(command, &placeholders, INSTALL_LIMIT).await?;
        Ok(if self.options.firmware_restarts { Flash::Restarting } else { Flash::RestartNeeded })
    }

    async fn confirm(&self) -> Result<(), PlatformError> {
        confirm(self.options.firmware_confirm_command.as_ref()).await
    }

    async fn mark(&self, running: &str) -> Result<String, PlatformError> {
        let Some(command) = &self.options.firmware_mark_command else {
            return Ok(usual_mark(&self.root, running));
        };
        let said = command::output(command, &[], STATE_LIMIT, Keep::All(STATE_BYTES)).await?;
        let mark = clean(&String::from_utf8_lossy(&said), MARK_CHARS);
        if mark.is_empty() {
            return Err(PlatformError::Failed("firmware_mark_command writes nothing".to_owned()));
        }
        Ok(mark)
    }

    async fn images(&self, running: &str) -> Result<Vec<Image>, PlatformError> {
        Ok(running_image(running))
    }
}

//! Firmware: checked by OpenWrt's own means and by the policy of the agent, written by sysupgrade.

use std::{path::Path, rc::Rc};

use cwmp_linux::{
    command::{self, Keep},
    files::clean,
    off_thread,
    room::{self, Place},
};
use cwmp_platform::{Flash, FlashOptions, ImageFacts, PlatformError, policy::Authenticity};
use cwmp_ubus::Table;
use serde::Deserialize;

use crate::{ground::Ground, identity::Identity, limits};

const SYSUPGRADE: &str = "sbin/sysupgrade";
const FWTOOL: &str = "usr/bin/fwtool";
/// Most bytes of the metadata of an image.
const METADATA_BYTES: usize = 64 * 1024;
/// Longest version, in characters.
const VERSION_CHARS: usize = 64;

/// What an image says of itself (fwtool), as far as it matters.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    version: Version,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Version {
    version: String,
    revision: String,
}

impl Ground {
    pub(crate) fn identity(&self) -> Identity<'_> {
        Identity { root: &self.root, settings: &*self.settings }
    }

    pub(crate) fn can_flash(&self) -> bool {
        self.program(SYSUPGRADE).is_some()
    }

    fn sysupgrade(&self) -> Result<String, PlatformError> {
        self.program(SYSUPGRADE).ok_or(PlatformError::Unsupported("flash firmware: there is no sysupgrade"))
    }

    /// Whether a file of so many bytes fits, with `reserve` KiB of memory left.
    pub(crate) async fn room(&self, bytes: Option<u64>, reserve: u64) -> Result<(), PlatformError> {
        let (root, folder) = (self.root.clone(), self.options.download_folder.clone());
        off_thread(move || {
            let place = Place::of(folder.as_deref());
            let look = || room::check(bytes.unwrap_or(0), place, room::available_memory(&root), reserve);
            look().or_else(|_| {
                room::drop_caches(&root);
                look()
            })
        })
        .await
    }

    /// sysupgrade wants the image in memory, beside what it needs itself.
    pub(crate) async fn before_firmware(&self, bytes: Option<u64>) -> Result<(), PlatformError> {
        self.sysupgrade()?;
        self.room(bytes, u64::from(self.options.firmware_free_memory)).await
    }

    /// Signature by the agent's keys, then what the box itself says of the image.
    pub(crate) async fn check_firmware(&self, image: &Path) -> Result<ImageFacts, PlatformError> {
        self.checked(image, true).await
    }

    async fn checked(&self, image: &Path, keep_settings: bool) -> Result<ImageFacts, PlatformError> {
        let program = self.sysupgrade()?;
        let (policy, file) = (self.options.image_policy.clone(), image.to_owned());
        match off_thread(move || policy.authenticate(&file)).await? {
            Authenticity::Signed(key) => tracing::info!("the image is signed by key {key}"),
            Authenticity::NotJudged => {
                tracing::info!("the signature of the image is not judged by the agent")
            }
        }
        self.validated(image, keep_settings).await?;
        let test = [program.as_str(), "-T", "{file}"].map(str::to_owned);
        let tested = command::run(&test, &[("{file}", image.as_os_str())], limits::CHECK_RUN).await;
        tested.map_err(|error| match error {
            // sysupgrade knows no exit status for "not for this box".
            PlatformError::Failed(why) => PlatformError::Refused(why),
            other => other,
        })?;
        let facts = self.image_facts(image).await;
        let running = self.identity().software_version();
        self.options.image_policy.check_version(&running, facts.version.as_deref())?;
        Ok(facts)
    }

    /// What procd says of an image: `{tests: {...}, valid, forceable, allow_backup}`. One that could be forced is not.
    async fn validated(&self, image: &Path, keep_settings: bool) -> Result<(), PlatformError> {
        let arguments = Table::new().with("path", image.display().to_string());
        let answer = match self.bus.call("system", "validate_firmware_image", &arguments).await {
            Ok(answers) => answers.into_iter().next().unwrap_or_default(),
            // An older procd does not know it; sysupgrade -T judges alone then.
            Err(error) if crate::bus::is_absent(&error) => return Ok(()),
            Err(error) => return Err(PlatformError::Failed(error.to_string())),
        };
        let none = Table::new();
        let tests = answer.table("tests").unwrap_or(&none).iter();
        let failed: Vec<&str> =
            tests.filter(|(_, passed)| passed.as_bool() == Some(false)).map(|(name, _)| name).collect();
        if answer.bool("valid") != Some(true) {
            let why =
                format!("the box does not take this image (validate_firmware_image: {})", failed.join(", "));
            return Err(match failed.as_slice() {
                ["fwtool_signature"] => PlatformError::Unauthentic(why),
                _ => PlatformError::Refused(why),
            });
        }
        if keep_settings && answer.bool("allow_backup") == Some(false) {
            let why =
                "this image cannot take over the settings (compat_version), and with them the way to the ACS";
            return Err(PlatformError::Refused(why.to_owned()));
        }
        Ok(())
    }

    /// Version of an image by its metadata, where it has some.
    async fn image_facts(&self, image: &Path) -> ImageFacts {
        let Some(program) = self.program(FWTOOL) else { return ImageFacts::default() };
        let words = [program.as_str(), "-q", "-i", "/dev/stdout", "{file}"].map(str::to_owned);
        let places = [("{file}", image.as_os_str())];
        let read = command::output(&words, &places, limits::CHECK_RUN, Keep::All(METADATA_BYTES));
        let metadata: Metadata =
            read.await.ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        let Version { version, revision } = metadata.version;
        let version = clean(&format!("{version} {revision}"), VERSION_CHARS);
        // The same version again leaves the mark as it is: that is no failure then.
        let is_running = !version.is_empty() && version == self.identity().software_version();
        ImageFacts {
            expects: is_running.then(|| self.identity().image_mark()),
            version: (!version.is_empty()).then_some(version),
        }
    }

    /// Checks the image again and hands it to sysupgrade, which ends everything on the box, this program included, and
    /// restarts it. So it runs in a process group of its own, and goes on when this program ends.
    pub(crate) async fn flash(
        self: &Rc<Self>,
        image: &Path,
        options: FlashOptions,
    ) -> Result<Flash, PlatformError> {
        self.checked(image, options.keep_settings).await?;
        let program = self.sysupgrade()?;
        let without_settings = (!options.keep_settings).then_some("-n");
        let words = [Some(program.as_str()), without_settings, Some("{file}")];
        let words: Vec<String> = words.into_iter().flatten().map(str::to_owned).collect();
        command::outlive(&words, &[("{file}", image.as_os_str())], limits::UPGRADE_RUN).await?;
        Ok(Flash::Restarting)
    }
}

#[cfg(test)]
mod tests;

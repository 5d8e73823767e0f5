//! How firmware is written on this box: one trait, and an updater behind it.

mod hook;
mod rauc;
mod sandbox;
mod swupdate;

use std::{path::Path, rc::Rc, time::Duration};

use async_trait::async_trait;
use cwmp_platform::{Flash, FlashOptions, ImageFacts, PlatformError};

use self::{hook::Hook, rauc::Rauc, sandbox::OfSandbox, swupdate::Swupdate};
use crate::{
    command::{self, Keep},
    files::{Root, clean},
    identity::OsRelease,
    options::{FirmwareBackend, Options},
    sandbox::Sandbox,
};

#[cfg(test)]
pub(crate) use self::swupdate::tests::archive as swupdate_archive;

/// What stands for a path in the arguments of a command.
pub(crate) const FILE: &str = "{file}";
/// What stands for `true` or `false` in the arguments of the firmware command.
const KEEP_SETTINGS: &str = "{keep_settings}";
/// Longest run of a command that writes firmware: flash is slow.
const INSTALL_LIMIT: Duration = Duration::from_secs(1800);
/// Longest run of a command that checks an image: it reads all of it.
const CHECK_LIMIT: Duration = Duration::from_secs(300);
/// Longest run of a command that tells or sets a state.
const STATE_LIMIT: Duration = Duration::from_secs(30);
/// Most bytes that such a command may write.
const STATE_BYTES: usize = 256 * 1024;
/// Longest mark, in characters.
pub(crate) const MARK_CHARS: usize = 256;

/// Writes firmware.
#[async_trait(?Send)]
pub(crate) trait Updater {
    /// Whether an image may be written now.
    ///
    /// # Errors
    /// [`PlatformError::Failed`] while an update waits for its restart or for its confirmation, and where no slot can be
    /// written.
    async fn ready(&self) -> Result<(), PlatformError>;

    /// Checks an image and tells what is known of it; `running` is DeviceInfo.SoftwareVersion.
    ///
    /// # Errors
    /// [`PlatformError::Refused`] or [`PlatformError::Unauthentic`] for an image that must not be written.
    async fn check(&self, image: &Path, running: &str) -> Result<Checked, PlatformError>;

    /// Writes an image that was checked.
    ///
    /// # Errors
    /// Those of [`cwmp_platform::Platform::flash_firmware`].
    async fn install(&self, image: &Path, options: FlashOptions) -> Result<Flash, PlatformError>;

    /// The image that runs is good.
    ///
    /// # Errors
    /// [`PlatformError::Failed`].
    async fn confirm(&self) -> Result<(), PlatformError>;

    /// The mark of what runs.
    ///
    /// # Errors
    /// [`PlatformError::Failed`].
    async fn mark(&self, running: &str) -> Result<String, PlatformError>;

    /// The images on the box, in an order that lasts.
    ///
    /// # Errors
    /// [`PlatformError::Failed`] where the updater does not answer.
    async fn images(&self, running: &str) -> Result<Vec<Image>, PlatformError>;
}

/// An image that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checked {
    pub(crate) facts: ImageFacts,
    /// The version that runs, as the updater counts: what the image's version compares to.
    pub(crate) running: String,
}

/// A row of `Device.DeviceInfo.FirmwareImage.`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Image {
    /// Name of the slot.
    pub(crate) name: String,
    /// Version; empty when unknown.
    pub(crate) version: String,
    /// Status.
    pub(crate) status: ImageStatus,
    /// The box starts from it next time.
    pub(crate) boots: bool,
}

/// FirmwareImage.Status, as far as an updater can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ImageStatus {
    /// Nothing is known to be there.
    NoImage,
    /// It runs.
    Active,
    /// It could run.
    Available,
    /// It was not written completely.
    InstallationFailed,
    /// It was written and does not start.
    ActivationFailed,
}

impl ImageStatus {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::NoImage => "NoImage",
            Self::Active => "Active",
            Self::Available => "Available",
            Self::InstallationFailed => "InstallationFailed",
            Self::ActivationFailed => "ActivationFailed",
        }
    }
}

/// The updater of this box; `None` where nothing is set up that could write firmware.
pub(crate) fn choose(options: &Options, root: &Root, sandbox: Option<&Sandbox>) -> Option<Rc<dyn Updater>> {
    if let Some(sandbox) = sandbox {
        return Some(Rc::new(OfSandbox(sandbox.clone())));
    }
    match options.firmware_backend {
        FirmwareBackend::Hook => {
            options.firmware_command.as_ref()?;
            Some(Rc::new(Hook { options: options.clone(), root: root.clone() }))
        }
        FirmwareBackend::Rauc => Some(Rc::new(Rauc { command: options.rauc_command.clone() })),
        FirmwareBackend::Swupdate => Some(Rc::new(Swupdate { options: options.clone(), root: root.clone() })),
    }
}

/// The image that runs, on a box whose updater knows of no other.
fn running_image(running: &str) -> Vec<Image> {
    let image = Image {
        name: "running".to_owned(),
        version: running.to_owned(),
        status: ImageStatus::Active,
        boots: true,
    };
    vec![image]
}

/// The mark where no updater has a better one: version, build, and the device of the root file system, which tells two
/// slots apart.
pub(crate) fn usual_mark(root: &Root, running: &str) -> String {
    let mut mark = running.to_owned();
    let build = OsRelease::read(root).value("BUILD_ID").filter(|build| build != running);
    let cmdline = root.text("proc/cmdline").unwrap_or_default();
    let device = cmdline.split_ascii_whitespace().find_map(|word| word.strip_prefix("root="));
    for (name, value) in [("build", build.as_deref()), ("root", device)] {
        if let Some(value) = value {
            mark = format!("{mark} {name} {value}");
        }
    }
    clean(&mark, MARK_CHARS)
}

/// What the state command says: whether an update is under way.
async fn state(command: Option<&Vec<String>>) -> Result<(), PlatformError> {
    let Some(command) = command else { return Ok(()) };
    let said = command::output(command, &[], STATE_LIMIT, Keep::All(STATE_BYTES)).await?;
    match String::from_utf8_lossy(&said).trim() {
        "" | "0" | "ok" | "3" | "failed" => Ok(()),
        "1" | "installed" => {
            Err(PlatformError::Failed("an update is installed and waits for a restart".to_owned()))
        }
        "2" | "testing" => {
            Err(PlatformError::Failed("the update that runs now is not confirmed yet".to_owned()))
        }
        other => Err(PlatformError::Failed(format!(
            "firmware_state_command says {}: not one of ok, installed, testing, failed",
            clean(other, 64)
        ))),
    }
}

/// Runs the confirm command where there is one.
async fn confirm(command: Option<&Vec<String>>) -> Result<(), PlatformError> {
    match command {
        Some(command) => command::run(command, &[], STATE_LIMIT).await,
        None => Ok(()),
    }
}

/// Whether an argument has the placeholder; a command without it could only work on something else.
pub(crate) fn require(key: &str, command: &[String], placeholder: &str) -> Result<(), PlatformError> {
    if command.iter().skip(1).any(|argument| argument.contains(placeholder)) {
        return Ok(());
    }
    Err(PlatformError::Failed(format!("{key} has no argument with {placeholder}")))
}

/// For updaters that write to another slot: the settings lie elsewhere and stay.
fn must_keep(updater: &str, options: FlashOptions) -> Result<(), PlatformError> {
    if options.keep_settings {
        return Ok(());
    }
    Err(PlatformError::Failed(format!("{updater} does not delete settings with an upgrade")))
}

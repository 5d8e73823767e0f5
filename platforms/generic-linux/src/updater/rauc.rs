//! RAUC, through its command line: slots A and B, bundles with a signature of their own.
//!
//! No D-Bus is spoken: `rauc` does that. `status` and `info` are asked for JSON; members that are missing there (an older
//! RAUC, a slot that RAUC never wrote) count as unknown.

use std::{collections::BTreeMap, path::Path};

use async_trait::async_trait;
use cwmp_platform::{Flash, FlashOptions, ImageFacts, PlatformError};
use serde::Deserialize;

use super::{
    CHECK_LIMIT, Checked, INSTALL_LIMIT, Image, ImageStatus, MARK_CHARS, STATE_BYTES, STATE_LIMIT, Updater,
    must_keep,
};
use crate::{
    command::{self, Keep},
    files::clean,
};

/// How RAUC says that a bundle is not signed by a key of the keyring.
const SIGNATURE_FAILED: &str = "signature verification failed";
/// How RAUC says that a file is no bundle.
const NO_BUNDLE: &str = "Invalid bundle";

/// The command `rauc`.
pub(super) struct Rauc {
    pub(super) command: Vec<String>,
}

/// `rauc status`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    compatible: Option<String>,
    /// Name of the slot that starts next time.
    boot_primary: Option<String>,
    /// Each slot under its name, alone in its map, in no order.
    slots: Vec<BTreeMap<String, Slot>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Slot {
    class: String,
    bootname: Option<String>,
    /// `booted`, `active` or `inactive`.
    state: Option<String>,
    /// `good` or `bad`, by the boot loader.
    boot_status: Option<String>,
    slot_status: SlotStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SlotStatus {
    bundle: Bundle,
    /// `ok` once a bundle was written completely.
    status: Option<String>,
}

/// What is known of a bundle, in `status` and in `info`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Bundle {
    compatible: Option<String>,
    version: Option<String>,
}

impl Status {
    /// The slots that a boot loader can start, by name.
    fn bootable(&self) -> BTreeMap<&str, &Slot> {
        let all = self.slots.iter().flatten().map(|(name, slot)| (name.as_str(), slot));
        all.filter(|(_, slot)| slot.bootname.is_some()).collect()
    }

    fn booted(&self) -> Option<(&str, &Slot)> {
        self.bootable().into_iter().find(|(_, slot)| slot.is_booted())
    }

    /// The slots that an update can go to.
    fn targets(&self) -> Vec<&Slot> {
        let Some((_, booted)) = self.booted() else { return Vec::new() };
        let others = self.bootable().into_values().filter(|slot| !slot.is_booted());
        others.filter(|slot| slot.class == booted.class).collect()
    }
}

impl Slot {
    fn is_booted(&self) -> bool {
        self.state.as_deref() == Some("booted")
    }

    fn version(&self) -> Option<&str> {
        self.slot_status.bundle.version.as_deref().filter(|version| !version.is_empty())
    }

    fn status(&self) -> ImageStatus {
        let boots = self.boot_status.as_deref() != Some("bad");
        match self.slot_status.status.as_deref() {
            _ if self.is_booted() => ImageStatus::Active,
            None if boots => ImageStatus::Available,
            None => ImageStatus::NoImage,
            Some("ok") if boots => ImageStatus::Available,
            Some("ok") => ImageStatus::ActivationFailed,
            Some(_) => ImageStatus::InstallationFailed,
        }
    }
}

/// The mark of a version in a slot.
fn mark(version: &str, slot: &Slot) -> String {
    clean(&format!("{version} in slot {}", slot.bootname.as_deref().unwrap_or_default()), MARK_CHARS)
}

impl Rauc {
    fn command(&self, arguments: &[&str], file: Option<&Path>) -> Result<Vec<String>, PlatformError> {
        let mut command = self.command.clone();
        command.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        if let Some(file) = file {
            let no_text = || PlatformError::Failed(format!("{} is no path in UTF-8", file.display()));
            command.push(file.to_str().ok_or_else(no_text)?.to_owned());
        }
        Ok(command)
    }

    async fn status(&self) -> Result<Status, PlatformError> {
        let command = self.command(&["status", "--detailed", "--output-format=json"], None)?;
        let said = command::output(&command, &[], STATE_LIMIT, Keep::All(STATE_BYTES)).await?;
        json(&said, "rauc status")
    }
}

fn json<T: for<'a> Deserialize<'a>>(said: &[u8], what: &str) -> Result<T, PlatformError> {
    serde_json::from_slice(said)
        .map_err(|e| PlatformError::Failed(format!("{what} answers with odd JSON: {e}")))
}

/// Whose fault a failure is, by what RAUC has written: its exit status is 1 for all.
fn judged(error: PlatformError) -> PlatformError {
    match error {
        PlatformError::Failed(text) if text.contains(SIGNATURE_FAILED) => PlatformError::Unauthentic(text),
        PlatformError::Failed(text) if text.contains(NO_BUNDLE) => PlatformError::Refused(text),
        other => other,
    }
}

#[async_trait(?Send)]
impl Updater for Rauc {
    async fn ready(&self) -> Result<(), PlatformError> {
        let status = self.status().await?;
        // Started from a network or a rescue system: RAUC knows what to write then.
        let Some((booted, slot)) = status.booted() else { return Ok(()) };
        let failed = |text: String| Err(PlatformError::Failed(text));
        if let Some(next) = status.boot_primary.as_deref().filter(|next| *next != booted) {
            return failed(format!("the update in slot {next} waits for a restart"));
        }
        if slot.boot_status.as_deref() == Some("bad") {
            return failed(format!(
                "slot {booted} runs and is not confirmed: writing the other one would leave no way back"
            ));
        }
        if status.targets().is_empty() {
            return failed(format!("there is no other slot of class {} to write to", slot.class));
        }
        Ok(())
    }

    async fn check(&self, image: &Path, running: &str) -> Result<Checked, PlatformError> {
        let command = self.command(&["info", "--output-format=json"], Some(image))?;
        let said =
            command::output(&command, &[], CHECK_LIMIT, Keep::All(STATE_BYTES)).await.map_err(judged)?;
        let bundle: Bundle = json(&said, "rauc info")?;
        let status = self.status().await?;
        if bundle.compatible != status.compatible {
            let name = |compatible: Option<String>| compatible.unwrap_or_else(|| "an unknown box".to_owned());
            return Err(PlatformError::Refused(format!(
                "the bundle is for {}, and this is {}",
                clean(&name(bundle.compatible), 64),
                clean(&name(status.compatible), 64)
            )));
        }
        let version = bundle.version.filter(|version| !version.is_empty());
        let targets = status.targets();
        // Only where RAUC keeps what it wrote to a slot will the mark show the version of the bundle.
        let keeps = status.bootable().into_values().any(|slot| slot.version().is_some());
        let expects = match (&version, targets.as_slice()) {
            (Some(version), [target]) if keeps => Some(mark(version, target)),
            _ => None,
        };
        let runs = status.booted().and_then(|(_, slot)| slot.version()).unwrap_or(running).to_owned();
        let facts = ImageFacts { expects, version: version.map(|version| clean(&version, 64)) };
        Ok(Checked { facts, running: runs })
    }

    async fn install(&self, image: &Path, flash: FlashOptions) -> Result<Flash, PlatformError> {
        must_keep("RAUC", flash)?;
        let command = self.command(&["install"], Some(image))?;
        command::run(&command, &[], INSTALL_LIMIT).await.map_err(judged)?;
        Ok(Flash::RestartNeeded)
    }

    async fn confirm(&self) -> Result<(), PlatformError> {
        command::run(&self.command(&["status", "mark-good"], None)?, &[], STATE_LIMIT).await
    }

    async fn mark(&self, running: &str) -> Result<String, PlatformError> {
        let status = self.status().await?;
        Ok(match status.booted() {
            Some((_, slot)) => mark(slot.version().unwrap_or(running), slot),
            None => clean(running, MARK_CHARS),
        })
    }

    async fn images(&self, running: &str) -> Result<Vec<Image>, PlatformError> {
        let status = self.status().await?;
        let image = |(name, slot): (&str, &Slot)| Image {
            name: clean(name, 64),
            version: clean(slot.version().unwrap_or(if slot.is_booted() { running } else { "" }), 64),
            status: slot.status(),
            boots: status.boot_primary.as_deref() == Some(name),
        };
        Ok(status.bootable().into_iter().map(image).collect())
    }
}

#[cfg(test)]
mod tests;

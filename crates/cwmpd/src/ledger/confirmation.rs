//! Commit-confirm: a change that may cut the box off from the ACS stays only if the ACS is reached after it.
//!
//! The change is in force at once; its record stays open in the journal until an InformResponse has come. So that one comes
//! soon, a session follows at once (`X CWMPD Confirm`). When the time is over, also across restarts and power cuts, the former
//! settings come back, and the ACS is told: `X CWMPD Rollback`, with the names in ManagementServer.X_CWMPD_RolledBack.

use std::path::Path;

use cwmp_core::{
    event::{EventCode, EventStruct},
    io::Input,
    job::TransferId,
};
use cwmp_platform::{LoadConfig, PlatformError};
use cwmp_store::{
    StoreError,
    journal::{IMAGE_BYTES, Image, Way},
};

use super::{Ledger, Work};
use crate::agent_source::{ROLLBACK_REPORTED, ROLLED_BACK, SECTION};

/// The event that asks the ACS to confirm a change by answering.
const CONFIRM: &str = "X CWMPD Confirm";
/// The event that tells of a change that was undone.
const ROLLBACK: &str = "X CWMPD Rollback";
/// Where the configuration of before is written to for a moment.
const SAVED_FILE: &str = "saved.conf";
/// Most characters of X_CWMPD_RolledBack.
const NAMES_CHARS: usize = 4096;

fn event(code: &str) -> EventStruct {
    EventStruct::new(EventCode::parse(code))
}

/// Whether these events of an Inform tell of a rollback.
pub(crate) fn tell_of_rollback(events: &[EventCode]) -> bool {
    events.iter().any(|code| code.as_str() == ROLLBACK)
}

impl Ledger {
    /// All of a change is made; from now on it waits.
    pub(super) fn wait_for_confirmation(&self) -> Result<(), StoreError> {
        self.journal.borrow_mut().applied(Some(self.confirm_ms), &self.moment())?;
        self.held.set(true);
        tracing::info!("the change is undone unless the ACS is reached within {} s", self.confirm_ms / 1000);
        Ok(())
    }

    /// What the agent must hear: of a change that waits since the last look, and of rollbacks.
    pub(crate) fn news(&self) -> Vec<Input> {
        let mut news = std::mem::take(&mut *self.news.borrow_mut());
        if self.held.take() {
            news.push(Input::VendorEvent(event(CONFIRM)));
        }
        news
    }

    /// Keeps what is about to be undone, durably: the ACS is owed the event.
    pub(super) fn note_rollback(&self, work: &Work) -> Result<(), String> {
        let names = match work {
            Work::Tree(transaction) => {
                let mut names: Vec<&str> = transaction.changed().collect();
                names.dedup();
                names.join(",")
            }
            Work::Configuration { transfer, .. } => {
                self.news.borrow_mut().push(Input::TransferUndone(*transfer));
                "3 Vendor Configuration File".to_owned()
            }
        };
        let names: String = names.chars().take(NAMES_CHARS).collect();
        tracing::warn!("the ACS was not reached after a change: it is undone: {names}");
        let noted = self.layers.change(|layers| {
            layers.set(SECTION, ROLLED_BACK, &names)?;
            layers.set(SECTION, ROLLBACK_REPORTED, "false")
        });
        self.news.borrow_mut().push(Input::VendorEvent(event(ROLLBACK)));
        noted.map_err(|error| error.to_string())
    }

    /// Whether the ACS has not yet been told of the last rollback.
    fn rollback_is_owed(&self) -> bool {
        let layers = self.layers.borrow();
        layers.get(SECTION, ROLLBACK_REPORTED) == Some("false")
    }

    /// The program has started: what was owed before is owed still.
    pub(crate) fn resume(&self) {
        let told = |news: &Input| matches!(news, Input::VendorEvent(_));
        if self.rollback_is_owed() && !self.news.borrow().iter().any(told) {
            self.news.borrow_mut().push(Input::VendorEvent(event(ROLLBACK)));
        }
    }

    /// The ACS has answered an Inform, which has told of the rollback or not: an event may be lost on its way into an Inform,
    /// for example with `0 BOOTSTRAP`.
    pub(crate) fn informed(&self, told: bool) {
        if !self.rollback_is_owed() {
            return;
        }
        if !told {
            self.news.borrow_mut().push(Input::VendorEvent(event(ROLLBACK)));
        } else if let Err(error) = self.layers.change(|layers| layers.set(SECTION, ROLLBACK_REPORTED, "true"))
        {
            tracing::error!("{error}");
        }
    }

    /// Loads a configuration that the ACS has sent. Where the box can save the present one, that comes back unless the ACS is
    /// reached after it: nobody can tell what is in the file.
    ///
    /// # Errors
    /// Those of the platform; [`PlatformError::Failed`] also where an earlier change waits to be confirmed, or what was before
    /// cannot be kept.
    pub(crate) async fn load_configuration(
        &self,
        file: &Path,
        name: &str,
        transfer: TransferId,
    ) -> Result<LoadConfig, PlatformError> {
        let Some(before) = self.present_configuration().await? else {
            return self.platform.load_config(file, name).await;
        };
        let failed = |error: StoreError| PlatformError::Failed(error.to_string());
        let work = Work::Configuration { before, transfer };
        self.journal.borrow_mut().begin(Way::Back, work, &self.moment()).map_err(failed)?;
        match self.platform.load_config(file, name).await {
            Ok(loaded) => self.wait_for_confirmation().map_err(failed).map(|()| loaded),
            Err(error) => {
                self.journal.borrow_mut().close().map_err(failed)?;
                Err(error)
            }
        }
    }

    /// The configuration in force; `None` where it is not to be put back, or cannot be.
    async fn present_configuration(&self) -> Result<Option<Image>, PlatformError> {
        let saves = self.platform.upload_types().contains(&cwmp_core::job::UploadType::Configuration(None));
        if self.confirm_ms == 0 || !saves {
            return Ok(None);
        }
        let path = self.state_dir.join(SAVED_FILE);
        self.platform.save_config(&path).await?;
        let content = self.files.read(&path, IMAGE_BYTES);
        if let Err(error) = self.files.remove(&path) {
            tracing::warn!("{}: {error}", path.display());
        }
        let content = content.map_err(|error| {
            PlatformError::Failed(format!(
                "the present configuration cannot be kept: {}: {error}",
                path.display()
            ))
        })?;
        let image =
            Image::of_bytes(path, content).map_err(|error| PlatformError::Failed(error.to_string()))?;
        Ok(Some(image))
    }
}

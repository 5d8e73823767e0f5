//! Commit-confirm: a change that may cut the box off from the ACS stays only if the ACS is reached after it.
//!
//! The change is in force at once; its record stays open in the journal until an InformResponse has come. So that one comes
//! soon, a session follows at once (`X CWMPD Confirm`). When the time is over, also across restarts and power cuts, the former
//! settings come back, and the ACS is told: `X CWMPD Rollback`, with the names in ManagementServer.X_CWMPD_RolledBack.

use std::{collections::HashSet, path::Path};

use cwmp_core::{
    event::{EventCode, EventStruct},
    io::Input,
    job::TransferId,
};
use cwmp_platform::{LoadConfig, PlatformError};
use cwmp_store::{
    StoreError,
    journal::{IMAGE_BYTES, Image, Stage, Way},
};

use super::{Ledger, Work};
use crate::agent_source::{ROLLBACK_REPORTED, ROLLED_BACK, ROLLED_BACK_TRANSFER, SECTION};

/// The event that asks the ACS to confirm a change by answering.
const CONFIRM: &str = "X CWMPD Confirm";
/// The event that tells of a change that was undone.
const ROLLBACK: &str = "X CWMPD Rollback";
/// Where the configuration of before is written to for a moment.
const SAVED_FILE: &str = "saved.conf";
/// Longest X_CWMPD_RolledBack, in bytes; names that have no room are left out.
const NAMES_BYTES: usize = 4096;

fn event(code: &str) -> EventStruct {
    EventStruct::new(EventCode::parse(code))
}

/// Whether these events of an Inform tell of a rollback.
pub(crate) fn tell_of_rollback(events: &[EventCode]) -> bool {
    events.iter().any(|code| code.as_str() == ROLLBACK)
}

/// Each name once, as many as have room.
fn listed<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let (mut seen, mut list) = (HashSet::new(), String::new());
    for name in names.filter(|name| seen.insert(*name)) {
        let comma = if list.is_empty() { "" } else { "," };
        if list.len() + comma.len() + name.len() > NAMES_BYTES {
            break;
        }
        list.extend([comma, name]);
    }
    list
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
        let (names, transfer) = match work {
            Work::Tree(transaction) => (listed(transaction.changed()), None),
            Work::Configuration { transfer, .. } => {
                ("3 Vendor Configuration File".to_owned(), Some(*transfer))
            }
        };
        tracing::warn!("the ACS was not reached after a change: it is undone: {names}");
        let noted = self.layers.change(|layers| {
            layers.set(SECTION, ROLLED_BACK, &names)?;
            let transfer = transfer.map(|transfer| transfer.0.to_string());
            layers.set(SECTION, ROLLED_BACK_TRANSFER, &transfer.unwrap_or_default())?;
            layers.set(SECTION, ROLLBACK_REPORTED, "false")
        });
        let mut news = self.news.borrow_mut();
        news.extend(transfer.map(Input::TransferUndone));
        news.push(Input::VendorEvent(event(ROLLBACK)));
        noted.map_err(|error| error.to_string())
    }

    /// Whether the ACS has not yet been told of the last rollback.
    fn rollback_is_owed(&self) -> bool {
        let layers = self.layers.borrow();
        layers.get(SECTION, ROLLBACK_REPORTED) == Some("false")
    }

    /// The program has started: what was owed before is owed still. A cut may have come before the agent has heard of it.
    pub(crate) fn resume(&self) {
        let told = |news: &Input| matches!(news, Input::VendorEvent(_));
        if self.rollback_is_owed() && !self.news.borrow().iter().any(told) {
            let transfer = self.layers.borrow().get(SECTION, ROLLED_BACK_TRANSFER).map(str::parse);
            let mut news = self.news.borrow_mut();
            if let Some(Ok(transfer)) = transfer {
                news.push(Input::TransferUndone(TransferId(transfer)));
            }
            news.push(Input::VendorEvent(event(ROLLBACK)));
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
            return;
        }
        let noted = self.layers.change(|layers| {
            layers.set(SECTION, ROLLED_BACK_TRANSFER, "")?;
            layers.set(SECTION, ROLLBACK_REPORTED, "true")
        });
        if let Err(error) = noted {
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
        if self.has_loaded(transfer) {
            // A cut came before the agent knew. What was before is kept already, and the time goes on.
            let loaded = self.platform.load_config(file, name).await?;
            self.held.set(true);
            return Ok(loaded);
        }
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

    /// Whether the configuration of this transfer is loaded and waits to be confirmed.
    fn has_loaded(&self, transfer: TransferId) -> bool {
        let journal = self.journal.borrow();
        journal.intent().is_some_and(|intent| {
            matches!(intent.stage, Stage::Unconfirmed(_))
                && matches!(&intent.work, Work::Configuration { transfer: loaded, .. } if *loaded == transfer)
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_once_and_never_cut() {
        assert_eq!(listed(["a", "b", "a", "c", "b"].into_iter()), "a,b,c");
        let long: Vec<String> = (0..100).map(|n| format!("{n:0>100}")).collect();
        let list = listed(long.iter().map(String::as_str));
        assert_eq!(list.split(',').collect::<Vec<_>>(), &long[..40]);
    }
}

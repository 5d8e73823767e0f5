//! Changes of the box as a whole: the journal that they are written down in, and the agent's settings as one step.
//!
//! What reaches more than `user.ini` is written to the journal before and closed after. What a start finds there is undone
//! or finished before anything else, and so is what could not be undone at once, before the next change. Blocks while the
//! journal is made durable, as the commit of `user.ini` does.

use std::{
    cell::{Cell, RefCell},
    path::PathBuf,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use cwmp_core::{
    io::{Input, LocalCommand},
    job::TransferId,
};
use cwmp_datamodel::{DataModel, LogError, Transaction, TransactionLog};
use cwmp_platform::{LoadConfig, Platform};
use cwmp_store::{
    Journal, Problem, StoreError,
    durable::Files,
    journal::{Image, Moment, Recovery, Stage, Way},
};
use serde::{Deserialize, Serialize};

use crate::{agent_source::AgentSource, clock, config::SharedLayers};

mod confirmation;

pub(crate) use confirmation::tell_of_rollback;

#[cfg(test)]
mod tests;

/// Where a configuration of before is written for the platform to load it.
const IMAGE_FILE: &str = "before.conf";

/// What a change of the box is about.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Work {
    /// Parameters and rows of the tree.
    Tree(Transaction),
    /// A configuration that the platform loads.
    Configuration {
        /// The one of before.
        before: Image,
        /// The transfer that has brought the new one.
        transfer: TransferId,
    },
}

/// The journal with what is needed to act upon it.
pub(crate) struct Ledger {
    journal: RefCell<Journal<Work>>,
    layers: Rc<SharedLayers>,
    source: Rc<AgentSource>,
    platform: Rc<dyn Platform>,
    files: Arc<dyn Files>,
    state_dir: PathBuf,
    boot_id: String,
    /// How long a change that may cut the box off from the ACS waits to be confirmed, in milliseconds; 0 for never.
    confirm_ms: u64,
    /// What the change before had left of that time, when another one has joined it.
    left: Cell<Option<u64>>,
    /// A change waits since the last look.
    held: Cell<bool>,
    /// What the agent must hear of a rollback.
    news: RefCell<Vec<Input>>,
}

/// What the ledger works with, beside its journal.
pub(crate) struct Around {
    pub(crate) layers: Rc<SharedLayers>,
    pub(crate) source: Rc<AgentSource>,
    pub(crate) platform: Rc<dyn Platform>,
    pub(crate) files: Arc<dyn Files>,
    pub(crate) state_dir: PathBuf,
    /// This boot.
    pub(crate) boot_id: String,
    /// This box, as the protocol state names it.
    pub(crate) owner: String,
    /// `confirm_time`, in milliseconds.
    pub(crate) confirm_ms: u64,
}

impl Ledger {
    /// Opens the journal; what it holds waits for [`Ledger::recover`].
    ///
    /// # Errors
    /// Those of [`Journal::open`].
    pub(crate) fn open(around: Around) -> Result<(Self, Vec<Problem>), StoreError> {
        let Around { layers, source, platform, files, state_dir, boot_id, owner, confirm_ms } = around;
        let moment = moment(&*platform, &boot_id);
        let (journal, problems) = Journal::open(Arc::clone(&files), &state_dir, &owner, &moment)?;
        let journal = RefCell::new(journal);
        let ledger = Self {
            journal,
            layers,
            source,
            platform,
            files,
            state_dir,
            boot_id,
            confirm_ms,
            left: Cell::default(),
            held: Cell::default(),
            news: RefCell::default(),
        };
        Ok((ledger, problems))
    }

    fn moment(&self) -> Moment {
        moment(&*self.platform, &self.boot_id)
    }

    /// How long a change still waits to be confirmed; then [`Ledger::recover`] undoes it.
    pub(crate) fn waits(&self) -> Option<Duration> {
        match self.journal.borrow().recovery(&self.moment()) {
            Some(Recovery::Wait(ms)) => Some(Duration::from_millis(ms)),
            Some(Recovery::Back) if self.is_unconfirmed() => Some(Duration::ZERO),
            _ => None,
        }
    }

    fn is_unconfirmed(&self) -> bool {
        let journal = self.journal.borrow();
        journal.intent().is_some_and(|intent| matches!(intent.stage, Stage::Unconfirmed(_)))
    }

    /// The ACS has been reached: a change that waited for that stays.
    pub(crate) fn confirm(&self) {
        match self.journal.borrow_mut().confirm() {
            Ok(true) => tracing::info!("the last change of the box is confirmed"),
            Ok(false) => {}
            Err(error) => tracing::error!("{error}"),
        }
    }

    /// Drops what is written down, with what is left of damaged files (factory reset): there is nothing to undo any more.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub(crate) fn forget(&self) -> Result<(), String> {
        self.journal.borrow_mut().forget().map_err(|error| error.to_string())
    }

    /// Finishes or undoes the change that is written down, where there is one and it does not wait to be confirmed.
    ///
    /// # Errors
    /// What could not be put back: it is tried again before the next change and at the next start.
    pub(crate) async fn recover(&self, model: &mut DataModel) -> Result<(), String> {
        let (recovery, work) = {
            let journal = self.journal.borrow();
            let recovery = journal.recovery(&self.moment());
            (recovery, journal.intent().map(|intent| intent.work.clone()))
        };
        let (Some(recovery), Some(work)) = (recovery, work) else { return Ok(()) };
        if recovery == Recovery::Back && self.is_unconfirmed() {
            self.note_rollback(&work)?;
        }
        match recovery {
            Recovery::Wait(_) => return Ok(()),
            Recovery::GiveUp => tracing::error!("a change of the box stays half undone: it is given up"),
            Recovery::Forward if self.finish(model, &work).await => {}
            Recovery::Forward | Recovery::Back => self.put_back(model, &work).await?,
        }
        self.journal.borrow_mut().close().map_err(|error| error.to_string())
    }

    /// Makes all of a change; whether it is made.
    async fn finish(&self, model: &mut DataModel, work: &Work) -> bool {
        // A configuration can always be put back, and so is never made again.
        let Work::Tree(transaction) = work else { return false };
        match model.redo(transaction).await {
            Ok(()) => {
                tracing::warn!("a change of the box that was interrupted is finished");
                true
            }
            Err(error) => {
                tracing::error!("a change of the box that was interrupted cannot be finished: {error}");
                false
            }
        }
    }

    async fn put_back(&self, model: &mut DataModel, work: &Work) -> Result<(), String> {
        // A cut from here on must not make of it what was not wanted any more.
        self.journal.borrow_mut().undo().map_err(|error| error.to_string())?;
        let undone = match work {
            Work::Tree(transaction) => model.undo(transaction).await,
            Work::Configuration { before, .. } => self.load(before).await,
        };
        match undone {
            Ok(()) => {
                tracing::warn!("a change of the box that was interrupted or not confirmed is undone");
                Ok(())
            }
            Err(error) => {
                if let Err(error) = self.journal.borrow_mut().failed() {
                    tracing::error!("{error}");
                }
                Err(format!("a change of the box is not undone as a whole: {error}"))
            }
        }
    }

    /// Loads the configuration of before.
    async fn load(&self, image: &Image) -> Result<(), String> {
        let loaded = match image {
            Image::File(path) => self.platform.load_config(path, "").await,
            Image::Bytes(bytes) => {
                let path = self.state_dir.join(IMAGE_FILE);
                // It may be left from an earlier attempt.
                let _ = self.files.remove(&path);
                let written = self.files.write_new(&path, bytes).and_then(|()| self.files.fsync(&path));
                written.map_err(|error| format!("{}: {error}", path.display()))?;
                let loaded = self.platform.load_config(&path, "").await;
                if let Err(error) = self.files.remove(&path) {
                    tracing::warn!("{}: {error}", path.display());
                }
                loaded
            }
        };
        match loaded {
            Ok(LoadConfig::Applied) => Ok(()),
            Ok(LoadConfig::RestartNeeded) => {
                tracing::warn!("the former configuration is in force after a restart of the box");
                self.news.borrow_mut().push(Input::Command(LocalCommand::Reboot));
                Ok(())
            }
            Err(error) => Err(error.to_string()),
        }
    }
}

/// The present on this boot.
fn moment(platform: &dyn Platform, boot_id: &str) -> Moment {
    Moment { boot_id: boot_id.to_owned(), now: clock::now(platform.clock_is_synchronised()) }
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: StoreError) -> LogError {
    LogError { full: error.is_full(), text: error.to_string() }
}

#[async_trait(?Send)]
impl TransactionLog for Ledger {
    fn gather(&self) {
        self.layers.gather();
    }

    async fn settle(&self, keep: bool) -> Result<(), LogError> {
        let settled = self.layers.settle(keep);
        self.source.refresh();
        settled.map_err(failed)
    }

    async fn begin(&self, transaction: &Transaction) -> Result<(), LogError> {
        let way = if transaction.can_go_back() { Way::Back } else { Way::Forward };
        let work = Work::Tree(transaction.clone());
        let mut journal = self.journal.borrow_mut();
        let open = journal.intent().map(|intent| (intent.stage.clone(), intent.work.clone()));
        let begun = match open {
            Some((Stage::Applying, _)) if self.left.get().is_none() => journal.amend(way, work),
            // What waits to be confirmed and what is changed after it are undone together.
            Some((Stage::Unconfirmed(_), Work::Tree(first))) if way == Way::Back => {
                let both = Work::Tree(first.followed_by(transaction.clone()));
                let extended = journal.extend(Way::Back, both, &self.moment());
                extended.map(|left| self.left.set(Some(left)))
            }
            _ => journal.begin(way, work, &self.moment()).map(|_| ()),
        };
        begun.map_err(failed)
    }

    async fn close(&self) -> Result<(), LogError> {
        let mut journal = self.journal.borrow_mut();
        match self.left.take() {
            None => journal.close(),
            left => journal.applied(left, &self.moment()),
        }
        .map_err(failed)
    }

    fn confirms(&self) -> bool {
        self.confirm_ms > 0
    }

    fn uplink(&self) -> Option<String> {
        self.platform.uplink().map(|uplink| uplink.device)
    }

    async fn hold(&self) -> Result<(), LogError> {
        self.left.take();
        self.wait_for_confirmation().map_err(failed)
    }

    async fn keep_undoing(&self) {
        let mut journal = self.journal.borrow_mut();
        if let Err(error) = journal.undo().and_then(|()| journal.failed()) {
            tracing::error!("{error}");
        }
    }
}

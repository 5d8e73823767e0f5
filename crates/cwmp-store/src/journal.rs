//! The journal: what is being changed on the box, written down before the change begins.
//!
//! A change that reaches several places cannot be one step on the disk. So its [`Intent`] is stored first, with what was
//! before; then the places are changed one by one; then the intent is closed. Whoever starts after a power cut finds the
//! intent and makes all of it or nothing of it true: [`recovery`] says which.
//!
//! The intent may stay open after the change was applied, until somebody confirms it ([`Journal::applied`] with a time):
//! a box that has lost its way to the ACS by the change gets back what it had.
//!
//! What the change is about is the business of whoever makes it: a `W`, for example edits and former values by source,
//! or the file with the configuration of before ([`Image`]). One intent is open at a time. It may hold passwords: the
//! file belongs to its owner alone, is gone when the intent is closed, and nothing of `W` is shown by `Debug`.

use std::{fmt, path::Path, sync::Arc};

use cwmp_core::time::Wall;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Problem, StateFile, StoreError, durable::Files};

mod deadline;
mod image;

#[cfg(test)]
mod tests;

pub use deadline::{CONFIRM_BOOTS, CONFIRM_MS, Deadline, Moment};
pub use image::{IMAGE_BYTES, Image};

/// Name of the file in the state folder.
const FILE: &str = "journal.json";
/// How often it is tried to undo a change before it is given up: a source that is gone for good must not keep the ACS
/// from setting anything.
pub const RECOVERY_ATTEMPTS: u32 = 8;

/// A change of the box that is not closed yet.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent<W> {
    /// Names it in logs; counts from 1 with each start of the program.
    pub id: u32,
    /// When it was begun.
    pub created: Created,
    /// What a start after a cut does about it.
    pub way: Way,
    /// How far it is.
    pub stage: Stage,
    /// What is changed, and what was before.
    pub work: W,
}

impl<W> fmt::Debug for Intent<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Intent")
            .field("id", &self.id)
            .field("created", &self.created)
            .field("way", &self.way)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

/// When and where an intent was begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Created {
    /// `OUI-ProductClass-SerialNumber` of the box: a backup restored on another box brings no intent along.
    pub owner: String,
    /// The boot, as the platform names it.
    pub boot_id: String,
    /// The date, where it was known.
    pub wall: Option<Wall>,
}

/// What is made true of a change that a power cut has interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Way {
    /// Nothing of it: a change that brought the box down is not made again. Needs everything that was before.
    Back,
    /// All of it, where something cannot be put back: a deleted row, a password that its source keeps to itself.
    Forward,
}

/// How far a change is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// It is being applied.
    Applying,
    /// All of it is applied; it is undone unless it is confirmed in time.
    Unconfirmed(Deadline),
    /// It is being undone.
    Undoing {
        /// How often that has failed.
        failures: u32,
    },
}

/// What is to be done about an intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// Make all of it true, then close it. Where that fails, [`Journal::undo`] and put everything back.
    Forward,
    /// Put everything back, then close it. Where that fails, [`Journal::failed`].
    Back,
    /// Wait so many milliseconds for the confirmation, then put everything back.
    Wait(u64),
    /// Say that the box is left half changed, and close it: undoing has failed [`RECOVERY_ATTEMPTS`] times.
    GiveUp,
}

/// Decides what is to be done about an intent that is open, at a start or at any time.
///
/// | stage | way | what is done |
/// |---|---|---|
/// | applying | back | everything is put back: nobody was told that the change is made |
/// | applying | forward | the change is made |
/// | unconfirmed | either | put back once the time is over, see [`Deadline::remaining`] |
/// | undoing | either | put back; after [`RECOVERY_ATTEMPTS`] failures given up |
#[must_use]
pub fn recovery(stage: &Stage, way: Way, moment: &Moment) -> Recovery {
    match stage {
        Stage::Applying if way == Way::Forward => Recovery::Forward,
        Stage::Applying => Recovery::Back,
        Stage::Unconfirmed(deadline) => match deadline.remaining(moment) {
            0 => Recovery::Back,
            left => Recovery::Wait(left),
        },
        Stage::Undoing { failures } if *failures >= RECOVERY_ATTEMPTS => Recovery::GiveUp,
        Stage::Undoing { .. } => Recovery::Back,
    }
}

/// The journal of a box: `journal.json` in the state folder.
pub struct Journal<W> {
    file: StateFile<Intent<W>>,
    owner: String,
    open: Option<Intent<W>>,
    last_id: u32,
}

impl<W: Clone + Serialize + DeserializeOwned> Journal<W> {
    /// Opens the journal in the state folder `dir`. An intent that is still open is found with [`Journal::intent`]; that
    /// of another box than `owner` is reported and dropped. The time that an unconfirmed one has is reckoned anew where
    /// the box has booted.
    ///
    /// # Errors
    /// Those of [`StateFile::open`] and [`StateFile::save`].
    pub fn open(
        files: Arc<dyn Files>,
        dir: &Path,
        owner: &str,
        moment: &Moment,
    ) -> Result<(Self, Vec<Problem>), StoreError> {
        let (mut file, open, mut problems) = StateFile::<Intent<W>>::open(files, &dir.join(FILE))?;
        let open = match open {
            Some(foreign) if foreign.created.owner != owner => {
                let reason = format!("it belongs to {}: it is not used", foreign.created.owner);
                problems.push(Problem::file(file.file(), reason));
                file.delete()?;
                None
            }
            open => open,
        };
        let last_id = open.as_ref().map_or(0, |intent| intent.id);
        let mut journal = Self { file, owner: owner.to_owned(), open, last_id };
        if let Some(Stage::Unconfirmed(deadline)) = journal.open.as_ref().map(|intent| &intent.stage) {
            let resumed = deadline.resumed(moment);
            journal.move_to(Stage::Unconfirmed(resumed))?;
        }
        Ok((journal, problems))
    }

    /// The intent that is open.
    #[must_use]
    pub fn intent(&self) -> Option<&Intent<W>> {
        self.open.as_ref()
    }

    /// What is to be done about the open intent; `None` where none is open.
    #[must_use]
    pub fn recovery(&self, moment: &Moment) -> Option<Recovery> {
        self.open.as_ref().map(|intent| recovery(&intent.stage, intent.way, moment))
    }

    /// Stores what is about to be changed, durably; nothing may be changed before that. Gives the id.
    ///
    /// # Errors
    /// [`StoreError::Busy`] while another intent is open, those of [`StateFile::save`]; then none is open, unless a
    /// half-done write is found by the next start, which then undoes what never happened.
    pub fn begin(&mut self, way: Way, work: W, moment: &Moment) -> Result<u32, StoreError> {
        if self.open.is_some() {
            return Err(StoreError::Busy { file: self.file.file().to_owned() });
        }
        let created =
            Created { owner: self.owner.clone(), boot_id: moment.boot_id.clone(), wall: moment.now.wall };
        let id = self.last_id.wrapping_add(1);
        let intent = Intent { id, created, way, stage: Stage::Applying, work };
        if let Err(error) = self.file.save(&intent) {
            // The content may be in place, though not for certain: nothing of the change has happened, so it must go.
            if self.file.delete().is_err() {
                tracing::error!("{}: may hold a change that was never made", self.file.file().display());
            }
            return Err(error);
        }
        (self.last_id, self.open) = (id, Some(intent));
        Ok(id)
    }

    /// Stores more of a change that is being applied: what could not be known when it began.
    ///
    /// # Errors
    /// [`StoreError::Busy`] where no change is being applied, those of [`StateFile::save`].
    pub fn amend(&mut self, way: Way, work: W) -> Result<(), StoreError> {
        match &self.open {
            Some(intent) if intent.stage == Stage::Applying => {
                let amended = Intent { way, work, ..intent.clone() };
                self.file.save(&amended)?;
                self.open = Some(amended);
                Ok(())
            }
            _ => Err(StoreError::Busy { file: self.file.file().to_owned() }),
        }
    }

    /// All of the change is applied. Without `confirm` it is closed; with it, it stays open so many milliseconds, at most
    /// [`CONFIRM_MS`], for [`Journal::confirm`].
    ///
    /// # Errors
    /// Those of [`StateFile::save`] and [`StateFile::delete`]; the intent is then still open.
    pub fn applied(&mut self, confirm: Option<u64>, moment: &Moment) -> Result<(), StoreError> {
        match confirm {
            None => self.close(),
            Some(ms) => self.move_to(Stage::Unconfirmed(Deadline::new(ms, moment))),
        }
    }

    /// More is changed while an applied change waits to be confirmed: `work` is both, and is being applied from now on. Gives
    /// the milliseconds that the first change still had.
    ///
    /// # Errors
    /// [`StoreError::Busy`] where no change waits, those of [`StateFile::save`]; then it waits on.
    pub fn extend(&mut self, way: Way, work: W, moment: &Moment) -> Result<u64, StoreError> {
        match &self.open {
            Some(Intent { stage: Stage::Unconfirmed(deadline), .. }) => {
                let left = deadline.remaining(moment);
                let Some(intent) = self.open.clone() else { return Ok(left) };
                let extended = Intent { stage: Stage::Applying, way, work, ..intent };
                self.file.save(&extended)?;
                self.open = Some(extended);
                Ok(left)
            }
            _ => Err(StoreError::Busy { file: self.file.file().to_owned() }),
        }
    }

    /// The change has proved good: closes an intent that waits for that. Gives whether one did.
    ///
    /// # Errors
    /// Those of [`StateFile::delete`].
    pub fn confirm(&mut self) -> Result<bool, StoreError> {
        let waits = self.open.as_ref().is_some_and(|intent| matches!(intent.stage, Stage::Unconfirmed(_)));
        if waits {
            self.close()?;
        }
        Ok(waits)
    }

    /// From now on everything is put back, over restarts as well. Where that cannot be written, at least in this run of the
    /// program.
    ///
    /// # Errors
    /// Those of [`StateFile::save`].
    pub fn undo(&mut self) -> Result<(), StoreError> {
        match &mut self.open {
            Some(Intent { stage: Stage::Undoing { .. }, .. }) | None => Ok(()),
            Some(intent) => {
                intent.stage = Stage::Undoing { failures: 0 };
                self.move_to(Stage::Undoing { failures: 0 })
            }
        }
    }

    /// Something could not be put back; it is to be tried again later.
    ///
    /// # Errors
    /// Those of [`StateFile::save`].
    pub fn failed(&mut self) -> Result<(), StoreError> {
        let failures = match self.open.as_ref().map(|intent| &intent.stage) {
            Some(Stage::Undoing { failures }) => failures.saturating_add(1),
            _ => 1,
        };
        self.move_to(Stage::Undoing { failures })
    }

    /// Forgets the intent and what is left of damaged files: nothing of it is to be made or undone.
    ///
    /// # Errors
    /// Those of [`StateFile::delete`]; the intent is then still open.
    pub fn forget(&mut self) -> Result<(), StoreError> {
        self.file.delete()?;
        self.open = None;
        Ok(())
    }

    /// Forgets the intent durably, with all that it holds: the change is made, or everything is as it was.
    ///
    /// # Errors
    /// Those of [`StateFile::delete`]; the intent is then still open.
    pub fn close(&mut self) -> Result<(), StoreError> {
        if self.open.is_some() { self.forget() } else { Ok(()) }
    }

    fn move_to(&mut self, stage: Stage) -> Result<(), StoreError> {
        if let Some(intent) = &self.open {
            let moved = Intent { stage, ..intent.clone() };
            self.file.save(&moved)?;
            self.open = Some(moved);
        }
        Ok(())
    }

    /// Bytes written to storage so far.
    #[must_use]
    pub fn bytes_written(&self) -> u64 {
        self.file.bytes_written()
    }
}

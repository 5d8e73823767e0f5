//! What the program leaves to its next run of connection requests over UDP: which ones it has accepted (TR-069a6 Annex G).
//!
//! The protocol side judges requests; the file is the box's.

use std::{path::Path, sync::Arc};

use cwmp_core::time::Wall;
use cwmp_store::{Problem, StateFile, StoreError, durable::Files};
use serde::{Deserialize, Serialize};

/// How far ahead of a synchronised clock a note may lie, in seconds: as far as the time of a request may, and a note is
/// written a minute ahead of that.
const AHEAD_S: u64 = 86_400 + 60;

/// The file. Writing it blocks the loop for a few milliseconds, at most once a minute: a request may not count before it is
/// durable that it does not count again.
pub(crate) struct UdpNote {
    file: StateFile<Noted>,
    noted: Option<Noted>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Noted {
    /// No request up to this moment of the ACS is accepted, in seconds since 1970.
    accepted_until: u64,
}

impl UdpNote {
    /// Reads what the last run has left.
    ///
    /// # Errors
    /// Those of [`StateFile::open`].
    pub(crate) fn open(files: &Arc<dyn Files>, path: &Path) -> Result<(Self, Vec<Problem>), StoreError> {
        let (file, noted, problems) = StateFile::open(Arc::clone(files), path)?;
        Ok((Self { file, noted }, problems))
    }

    /// No request up to this moment of the ACS is accepted, in seconds since 1970.
    pub(crate) fn accepted_until(&self) -> Option<u64> {
        self.noted.map(|noted| noted.accepted_until)
    }

    /// Writes a later moment; an earlier one never opens the door to what has been accepted.
    ///
    /// # Errors
    /// It lies too far ahead of the date, where that is known: nobody could ring any more. Or the file cannot be written.
    pub(crate) fn keep(&mut self, accepted_until: u64, date: Option<Wall>) -> Result<(), String> {
        let today = date.and_then(|date| u64::try_from(date.0 / 1000).ok());
        if today.is_some_and(|today| accepted_until > today.saturating_add(AHEAD_S)) {
            return Err(format!("{accepted_until} s lies more than a day ahead"));
        }
        if self.accepted_until().is_some_and(|noted| accepted_until <= noted) {
            return Ok(());
        }
        let noted = Noted { accepted_until };
        self.file.save(&noted).map_err(|error| error.to_string())?;
        self.noted = Some(noted);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use cwmp_store::durable::RealFiles;
    use cwmp_transport::limits;

    use super::*;

    const T: u64 = 1_800_000_000;

    #[test]
    fn a_note_only_gets_later_and_outlives_the_program() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("udp.json");
        let open = || UdpNote::open(&RealFiles::shared(), &path).unwrap().0;
        let mut note = open();
        assert_eq!(note.accepted_until(), None);
        note.keep(T, None).unwrap();
        note.keep(T - 100, None).unwrap();
        assert_eq!(open().accepted_until(), Some(T));
        note.keep(T + 1, None).unwrap();
        assert_eq!(open().accepted_until(), Some(T + 1));
    }

    #[test]
    fn nobody_locks_the_door_for_years() {
        assert_eq!(AHEAD_S, limits::UDP_AHEAD_S + limits::UDP_NOTE_AHEAD_S);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("udp.json");
        let (mut note, _) = UdpNote::open(&RealFiles::shared(), &path).unwrap();
        let today = Some(Wall::from_seconds(i64::try_from(T).unwrap()));
        assert!(note.keep(u64::MAX, today).unwrap_err().contains("more than a day ahead"));
        assert_eq!(note.accepted_until(), None);
        note.keep(T + AHEAD_S, today).unwrap();
        assert_eq!(note.accepted_until(), Some(T + AHEAD_S));
    }
}

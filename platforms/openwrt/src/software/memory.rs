//! What the box itself does not know of its deployment units: which UUID the ACS gave one, and where it came from.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    path::{Path, PathBuf},
};

use cwmp_linux::files;
use serde::{Deserialize, Serialize};

use super::limits;

/// The file in the state folder.
const FILE: &str = "packages.json";

/// What is remembered, by package.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Memory {
    pub(super) units: BTreeMap<String, Given>,
    /// The execution environment is disabled; the init scripts that start once it is enabled again.
    pub(super) disabled: Option<BTreeSet<String>>,
}

/// A unit that the ACS has installed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Given {
    pub(super) uuid: String,
    pub(super) url: String,
}

/// Where it is kept.
#[derive(Clone, Debug)]
pub(super) struct MemoryFile(PathBuf);

impl MemoryFile {
    /// In this folder.
    pub(super) fn new(folder: &Path) -> Self {
        Self(folder.join(FILE))
    }

    /// What is remembered. A file that is damaged is as none: its units are known by their usual UUIDs then.
    pub(super) fn load(&self) -> Memory {
        if !self.0.exists() {
            return Memory::default();
        }
        let read = files::read_regular(&self.0, limits::MEMORY_BYTES);
        let read = read.and_then(|bytes| serde_json::from_slice(&bytes).map_err(|error| error.to_string()));
        read.unwrap_or_else(|error| {
            tracing::error!("{}: what is remembered of packages is lost: {error}", self.0.display());
            Memory::default()
        })
    }

    /// Changes it durably; nothing is written where nothing changes.
    ///
    /// # Errors
    /// A sentence that names the file and the reason.
    pub(super) fn change(&self, change: impl FnOnce(&mut Memory)) -> Result<(), String> {
        let before = self.load();
        let mut after = before.clone();
        change(&mut after);
        if after == before {
            return Ok(());
        }
        let text = serde_json::to_vec(&after).map_err(|error| error.to_string())?;
        files::replace(&self.0, |file| file.write_all(&text))
    }
}

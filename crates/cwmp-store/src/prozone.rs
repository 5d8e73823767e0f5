//! The prozone: memory that a warm reboot keeps and a power cut loses, for the CommandKeys of a Reboot.
//!
//! The protocol state on the disk is the truth, and is written first. The copy here is preferred after a warm boot, and
//! that it is there proves that the boot was one. Where there is no such memory, or its content is damaged, the state
//! serves alone.
//!
//! | backend | memory |
//! |---|---|
//! | [`MemoryZone`] | a device or file over it, such as MTD phram or pmem: two copies, written in turn |
//! | [`PstoreZone`] | Linux pstore: written to `/dev/pmsg0`, found after the boot in `/sys/fs/pstore` |

use std::path::{Path, PathBuf};

use cwmp_core::{limits, rpc::CommandKey};
use serde::{Deserialize, Serialize};

mod memory;
mod pstore;

#[cfg(test)]
mod tests;

pub use memory::{MemoryZone, SMALLEST};
pub use pstore::PstoreZone;

/// The memory could not be read or written; the text names it, and holds no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("prozone {}: {reason}", path.display())]
pub struct ProzoneError {
    /// The device, file or folder.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}

impl ProzoneError {
    fn new(path: &Path, reason: impl ToString) -> Self {
        Self { path: path.to_owned(), reason: reason.to_string() }
    }
}

/// What a boot has written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProzoneCopy {
    /// The boot that wrote it, as the platform names it.
    pub boot_id: String,
    /// CommandKeys of the Reboot calls that were answered in it; at least one.
    pub keys: Vec<CommandKey>,
}

impl ProzoneCopy {
    fn encode(&self, path: &Path) -> Result<Vec<u8>, ProzoneError> {
        serde_json::to_vec(self).map_err(|error| ProzoneError::new(path, error))
    }

    /// `None` for what no program of ours has written.
    fn decode(json: &[u8]) -> Option<Self> {
        let copy: Self = serde_json::from_slice(json).ok()?;
        (copy.keys.len() <= limits::INFORM_EVENTS).then_some(copy)
    }
}

/// Memory that a warm reboot keeps. Calls block, for as long as memory takes.
pub trait Prozone: Send {
    /// Keeps the CommandKeys of the Reboot calls that were answered in this boot, in place of those before.
    ///
    /// # Errors
    /// [`ProzoneError`]; the state serves alone then.
    fn store(&self, keys: &[CommandKey], boot_id: &str) -> Result<(), ProzoneError>;

    /// The newest copy that is whole; `None` where there is none. It stays until [`Prozone::clear`] or another one.
    ///
    /// # Errors
    /// [`ProzoneError`] where the memory cannot be read.
    fn take(&self) -> Result<Option<ProzoneCopy>, ProzoneError>;

    /// Forgets the keys: they have been reported, or the box does not restart.
    ///
    /// # Errors
    /// [`ProzoneError`].
    fn clear(&self) -> Result<(), ProzoneError>;
}

/// CRC-32 as of Ethernet and zlib. Memory after a reboot is damaged by chance, not by somebody.
fn crc32(parts: &[&[u8]]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    };
    !parts.iter().copied().flatten().fold(u32::MAX, step)
}

//! What goes wrong, with the file, the line and the reason. No text quotes a value: values may be secret.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

/// Why a file could not be read or changed. Nothing has been changed then, but with [`UciError::Unsure`].
#[derive(Debug, thiserror::Error)]
pub enum UciError {
    /// There is no such package.
    #[error("{}: there is no such file", file.display())]
    Missing {
        /// Where it was looked for.
        file: PathBuf,
    },
    /// The operating system refused.
    #[error("{}: cannot {operation}: {source}", file.display())]
    Io {
        /// The file or folder.
        file: PathBuf,
        /// What was tried: "replace it".
        operation: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// The new content is in place, may be lost in a power cut, and the old one could not be put back.
    #[error("{}: cannot make the change of names durable, nor put the old content back: {source}", file.display())]
    Unsure {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file is none that libuci would read, or has more in it than this crate holds.
    #[error("{}:{line}: {reason}", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong there.
        reason: &'static str,
    },
    /// The file has, or would have, more than [`crate::limits::FILE_BYTES`].
    #[error("{}: more than the {limit} bytes that a configuration file may have", file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
        /// What it may have.
        limit: usize,
    },
    /// A package, an edit or a name in it that cannot be.
    #[error("{target}: {reason}")]
    Refused {
        /// `network`, `network.lan` or `network.lan.proto`.
        target: String,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// Somebody holds the lock and does not let go of it.
    #[error("{}: locked by another program for more than {} s", file.display(), waited.as_secs())]
    Busy {
        /// The file.
        file: PathBuf,
        /// How long it was waited for.
        waited: Duration,
    },
}

impl UciError {
    /// Whether there is no room: the disk or the file is full.
    #[must_use]
    pub fn is_full(&self) -> bool {
        match self {
            Self::Io { source, .. } | Self::Unsure { source, .. } => {
                matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            Self::TooLarge { .. } => true,
            _ => false,
        }
    }

    pub(crate) fn io(file: &Path, operation: &'static str, source: impl Into<io::Error>) -> Self {
        Self::Io { file: file.to_owned(), operation, source: source.into() }
    }

    pub(crate) fn refused(target: impl Into<String>, reason: &'static str) -> Self {
        Self::Refused { target: target.into(), reason }
    }
}

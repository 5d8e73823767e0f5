//! Errors that stop an operation and problems that do not.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

/// Why the store could not do what was asked. Every text names the file and, where there is a cure, the cure. None holds
/// a value, for values may be secret.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The operating system refused: disk full, read-only file system, no permission.
    #[error("{}: cannot {operation}: {source}", file.display())]
    Io {
        /// The file or folder.
        file: PathBuf,
        /// What was tried: "write the new content".
        operation: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// There is no factory.ini.
    #[error("{}: the factory defaults are missing; install the file that comes with the program (it may be empty)", file.display())]
    NoFactory {
        /// Where it was looked for.
        file: PathBuf,
    },
    /// A file that must be readable is not.
    #[error("{}: damaged: {reason}", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong and in which line.
        reason: String,
    },
    /// The content would be larger than the store allows.
    #[error("{}: {size} bytes are more than the {limit} that it may have", file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
        /// What it would have.
        size: usize,
        /// What it may have.
        limit: usize,
    },
    /// A section or key that cannot be written, or a value that is too long.
    #[error("[{section}] {key}: {reason}")]
    Entry {
        /// Section.
        section: String,
        /// Key.
        key: String,
        /// Which rule it breaks.
        reason: String,
    },
    /// A file that others own too does not take what is to be written.
    #[error("{}: {reason}", file.display())]
    Refused {
        /// The file.
        file: PathBuf,
        /// What stands against it, and where.
        reason: String,
    },
    /// A newer version of the program wrote the file.
    #[error(
        "{}: written by a newer version of the program (format {found}, this one knows {known}); \
         install that version again, or delete the file to start without it", file.display()
    )]
    NewerFormat {
        /// The file; it is left alone.
        file: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format that this program reads.
        known: u32,
    },
    /// The journal holds another change that is not finished.
    #[error("{}: another change of the box is not finished", file.display())]
    Busy {
        /// The journal.
        file: PathBuf,
    },
    /// A value that does not turn into JSON; a fault of the program.
    #[error("{}: the state cannot be written as JSON: {reason}", file.display())]
    Encode {
        /// The file.
        file: PathBuf,
        /// serde's reason.
        reason: String,
    },
}

impl StoreError {
    /// Whether there is no room: the disk or the file is full. The ACS is told so with another fault.
    #[must_use]
    pub fn is_full(&self) -> bool {
        match self {
            Self::Io { source, .. } => {
                matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            Self::TooLarge { .. } => true,
            _ => false,
        }
    }

    pub(crate) fn io(file: &Path, operation: &'static str, source: io::Error) -> Self {
        Self::Io { file: file.to_owned(), operation, source }
    }
}

/// Something wrong in a file that does not stop the program: it is reported, and something else serves in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// The section; empty where the file as a whole is meant.
    pub section: String,
    /// The key; empty where the section or the file as a whole is meant.
    pub key: String,
    /// What is wrong and what serves instead. Holds no secret.
    pub reason: String,
}

impl Problem {
    /// About a whole file.
    #[must_use]
    pub fn file(file: &Path, reason: impl Into<String>) -> Self {
        Self { file: file.to_owned(), section: String::new(), key: String::new(), reason: reason.into() }
    }

    /// About one key.
    #[must_use]
    pub fn key(file: &Path, section: &str, key: &str, reason: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            section: section.to_owned(),
            key: key.to_owned(),
            reason: reason.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file.display())?;
        if !self.section.is_empty() || !self.key.is_empty() {
            write!(f, "[{}] ", self.section)?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.reason)
    }
}

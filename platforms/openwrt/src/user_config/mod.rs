//! `/etc/config/cwmpd` as the user layer of the agent's configuration: what the ACS or the command line sets is found there,
//! and what an administrator sets there counts.
//!
//! The file is shared. A write changes what is to be different and nothing else; sections that are not the agent's stay as
//! they are. `form` says how a section of the configuration looks there, `delta` what a change of it is.

mod delta;
mod form;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use cwmp_platform::Changes;
use cwmp_uci::{Package, Uci, UciError, UciOptions, Watch};

/// The package.
pub(crate) const PACKAGE: &str = "cwmpd";

/// Sections of the configuration by name, with keys and values.
pub type Sections = BTreeMap<String, BTreeMap<String, String>>;

/// Something in a section of the agent that it cannot use; the file keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Odd {
    /// The section of the configuration, or that of the file where it is none.
    pub section: String,
    /// The key; empty where the section is meant.
    pub key: String,
    /// What is wrong.
    pub reason: &'static str,
}

/// The file as it was read or written. Holds secrets.
pub struct Content {
    /// To the letter.
    pub bytes: Vec<u8>,
    /// What of it is the agent's.
    pub sections: Sections,
    /// What of that it cannot use.
    pub odd: Vec<Odd>,
    /// Whether it was written.
    pub written: bool,
}

/// The file. Clones know of each other's writes.
#[derive(Clone)]
pub struct UserConfig {
    uci: Uci,
    file: PathBuf,
}

impl UserConfig {
    /// That of the box whose files are below `root`.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        let config = root.join("etc/config");
        // What is in a folder of overrides is gone with a restart, and the ACS is promised that it stays.
        Self::of(Uci::new(UciOptions { config: config.clone(), overrides: None }), &config)
    }

    /// The same with a UCI of its own, whose folder is `config`.
    #[must_use]
    pub fn of(uci: Uci, config: &Path) -> Self {
        Self { uci, file: config.join(PACKAGE) }
    }

    /// Where it is.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// What is there, durable from now on where the disk lets it be written.
    ///
    /// # Errors
    /// [`UciError`]; [`UciError::Missing`] where there is no file.
    pub fn read(&self) -> Result<Content, UciError> {
        // Without edits nothing is written, and what is there is made durable.
        let bytes = match self.uci.commit(PACKAGE, &[]) {
            Ok(committed) => committed.before,
            Err(error @ UciError::Io { .. }) => {
                let raw = self.raw()?;
                // It is as safe as it was; a disk that can be read only has nothing to lose.
                tracing::warn!("{error}");
                raw
            }
            Err(error) => return Err(error),
        };
        self.content(bytes, false)
    }

    /// What the agent would read in such a file.
    ///
    /// # Errors
    /// [`UciError::Syntax`].
    pub fn content(&self, bytes: Vec<u8>, written: bool) -> Result<Content, UciError> {
        let package = Package::parse(PACKAGE, &bytes).map_err(|error| UciError::Syntax {
            file: self.file.clone(),
            line: error.line,
            reason: error.reason,
        })?;
        let (sections, odd) = form::read(&package);
        Ok(Content { bytes, sections, odd, written })
    }

    /// What is there, be it whole or damaged.
    ///
    /// # Errors
    /// [`UciError`]; [`UciError::Missing`] where there is no file.
    pub fn raw(&self) -> Result<Vec<u8>, UciError> {
        self.uci.content(PACKAGE)
    }

    /// Makes of `new` what differs from one of `may_hold`, durably and under the lock of the file; everything else stays as
    /// it is there. Returns the file as it is then, with what others have changed.
    ///
    /// # Errors
    /// [`UciError`]; [`UciError::Missing`] where there is no file.
    pub fn write(&self, may_hold: &[&Sections], new: &Sections) -> Result<Content, UciError> {
        let committed = self.uci.commit_with(PACKAGE, |package| delta::edits(package, may_hold, new))?;
        let written = committed.changed();
        self.content(committed.after, written)
    }

    /// Takes all sections of the agent out, durably.
    ///
    /// # Errors
    /// [`UciError`]; [`UciError::Missing`] where there is no file.
    pub fn clear(&self) -> Result<(), UciError> {
        self.uci.commit_with(PACKAGE, delta::clearing).map(|_| ())
    }

    /// Puts this in the place of what is there, durably; a file that is gone is made again.
    ///
    /// # Errors
    /// [`UciError`]; what libuci would refuse is refused.
    pub fn restore(&self, bytes: &[u8]) -> Result<(), UciError> {
        match self.uci.restore(PACKAGE, bytes) {
            // UCI handles no such file, and nobody else could have made use of it.
            Err(UciError::TooLarge { file, .. }) if file == self.file && fs::remove_file(&file).is_ok() => {
                self.uci.restore(PACKAGE, bytes)
            }
            done => done,
        }
        .map(|_| ())
    }

    /// Begins to notice what others change; the writes of this value and its clones do not count.
    ///
    /// # Errors
    /// [`UciError::Io`].
    ///
    /// # Panics
    /// Outside a runtime of tokio whose I/O is enabled.
    pub fn watch(&self) -> Result<Box<dyn Changes>, UciError> {
        self.uci.watch().map(|watch| Box::new(ByOthers(Some(watch))) as _)
    }
}

struct ByOthers(Option<Watch>);

#[async_trait(?Send)]
impl Changes for ByOthers {
    async fn changed(&mut self) {
        while let Some(watch) = &mut self.0 {
            match watch.changed().await {
                Ok(packages) if packages.iter().any(|package| package == PACKAGE) => return,
                Ok(_) => {}
                Err(error) => {
                    tracing::error!("changes of the agent's settings are no longer noticed: {error}");
                    self.0 = None;
                }
            }
        }
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests;

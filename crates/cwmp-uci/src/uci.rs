//! The configuration folder: which file is a package's, reading and committing.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    Edit, Package, UciError,
    file::{self, Locked},
    handover::Replaced,
    limits, name,
    replace::{Disk, RealDisk, confirm, replace},
};

/// Where the files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UciOptions {
    /// The folder of the committed configuration: `/etc/config`.
    pub config: PathBuf,
    /// A folder whose files take the place of those in `config`, for reading and for writing: `/var/run/uci`, which libuci
    /// knows since 2025. It need not exist.
    pub overrides: Option<PathBuf>,
}

impl Default for UciOptions {
    fn default() -> Self {
        Self { config: PathBuf::from("/etc/config"), overrides: Some(PathBuf::from("/var/run/uci")) }
    }
}

/// The configuration of a box. Clones share what they know about their own commits.
#[derive(Clone)]
pub struct Uci {
    options: UciOptions,
    disk: Arc<dyn Disk>,
    /// How long a lock is waited for.
    patience: Duration,
    /// The files that a commit has replaced; held for a whole commit.
    replaced: Arc<Mutex<Replaced>>,
    /// The files that the commits of this program have left, by package.
    left: Arc<Mutex<BTreeMap<String, FileId>>>,
}

/// What tells a content of a file from the next one without reading it: a commit makes a new file, an editor may write into
/// the old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl FileId {
    fn of(file: &Path) -> Option<Self> {
        let data = fs::metadata(file).ok().filter(fs::Metadata::is_file)?;
        let modified = (data.mtime(), data.mtime_nsec());
        Some(Self { device: data.dev(), inode: data.ino(), bytes: data.len(), modified })
    }
}

/// What a commit has done.
#[derive(Clone, PartialEq, Eq)]
pub struct Committed {
    /// The file that was read and written.
    pub file: PathBuf,
    /// Its content before: what [`Uci::restore`] takes. Holds secrets.
    pub before: Vec<u8>,
    /// Its content now; that of before where the edits change nothing, and then nothing was written. Holds secrets.
    pub after: Vec<u8>,
    /// The names of the sections that were added, in the order of the edits; those without a name by the id that a reader of
    /// the file sees. A section that a later edit has deleted is left out.
    pub added: Vec<String>,
}

impl Committed {
    /// Whether the file was written: whoever uses it has to read it again.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.before != self.after
    }
}

/// The contents hold secrets: only their lengths are shown.
impl std::fmt::Debug for Committed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (before, after) = (self.before.len(), self.after.len());
        write!(f, "Committed({}, {before} -> {after} bytes, added {:?})", self.file.display(), self.added)
    }
}

impl Uci {
    /// Reads nothing yet.
    #[must_use]
    pub fn new(options: UciOptions) -> Self {
        Self {
            options,
            disk: Arc::new(RealDisk),
            patience: limits::LOCK_WAIT,
            replaced: Arc::default(),
            left: Arc::default(),
        }
    }

    /// With another disk beneath the commits: one that loses power, for tests. Reading, locks and the making of an empty file
    /// stay those of the system.
    #[cfg(feature = "sim")]
    #[must_use]
    pub fn on_disk(self, disk: Arc<dyn Disk>) -> Self {
        Self { disk, ..self }
    }

    /// A package as it is committed.
    ///
    /// # Errors
    /// [`UciError`]; [`UciError::Missing`] where there is no such file.
    pub fn load(&self, package: &str) -> Result<Package, UciError> {
        let file = self.file(package)?;
        let content = Locked::shared(&file, self.patience)?.read()?;
        parse(package, &file, &content)
    }

    /// What the file of a package holds, be it whole or damaged. Holds secrets.
    ///
    /// # Errors
    /// [`UciError`]; [`UciError::Missing`] where there is no such file.
    pub fn content(&self, package: &str) -> Result<Vec<u8>, UciError> {
        Locked::shared(&self.file(package)?, self.patience)?.read()
    }

    /// Makes all edits or none: locks the file against other writers, reads it anew, and replaces it durably. Edits that
    /// change nothing write nothing. Comments are lost, as with libuci.
    ///
    /// # Errors
    /// [`UciError`]; [`UciError::Refused`] names the edit that cannot be made.
    pub fn commit(&self, package: &str, edits: &[Edit]) -> Result<Committed, UciError> {
        self.commit_with(package, |_| edits.to_vec())
    }

    /// [`Uci::commit`] with edits that depend on what is there: they are made of the package as the lock has it.
    ///
    /// # Errors
    /// [`UciError`]; [`UciError::Refused`] names the edit that cannot be made.
    pub fn commit_with(
        &self,
        package: &str,
        edits: impl FnOnce(&Package) -> Vec<Edit>,
    ) -> Result<Committed, UciError> {
        let file = self.file(package)?;
        let mut replaced = own(&self.replaced);
        let mut locked = Locked::exclusive(&file, package, &replaced.of(package), self.patience)?;
        let before = locked.read()?;
        let old = parse(package, &file, &before)?;
        let mut new = old.clone();
        let added = new.apply(&edits(&old))?;
        if new.sections() == old.sections() {
            confirm(&*self.disk, &locked)?;
            return Ok(Committed { file, after: before.clone(), before, added });
        }
        let after = new.export();
        // Whatever the edits hold, the file says what they ask for and nothing else.
        if parse(package, &file, &after)?.sections() != new.sections() {
            return Err(UciError::refused(
                package,
                "the file would be read as something else than was asked for",
            ));
        }
        self.put(&mut replaced, locked, package, &before, &after)?;
        Ok(Committed { file, before, after, added })
    }

    /// Puts back what a commit has replaced, or any other content; a file that is gone is made again. What is there already is
    /// made durable and not written. What others have committed since is gone.
    ///
    /// # Errors
    /// [`UciError`]; content that libuci would refuse is refused.
    pub fn restore(&self, package: &str, content: &[u8]) -> Result<Committed, UciError> {
        self.put_back(package, self.file(package)?, content)
    }

    /// [`Uci::restore`] for a journal that outlives a restart: puts content back into the file that [`Committed::file`]
    /// named. One of the folder of overrides that has gone with the restart stays gone, and no other file is written in its
    /// stead: `None`.
    ///
    /// # Errors
    /// [`UciError`]; [`UciError::Refused`] for a file that is no package's.
    pub fn restore_file(&self, file: &Path, content: &[u8]) -> Result<Option<Committed>, UciError> {
        let package = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name::package(package)?;
        let below = |folder: &Path| folder.join(package) == file;
        if below(&self.options.config) {
            return self.put_back(package, file.to_owned(), content).map(Some);
        }
        if !self.options.overrides.as_deref().is_some_and(below) {
            return Err(UciError::refused(
                file.display().to_string(),
                "not in the folder of the configuration",
            ));
        }
        if !file.exists() {
            return Ok(None);
        }
        self.put_back(package, file.to_owned(), content).map(Some)
    }

    fn put_back(&self, package: &str, file: PathBuf, content: &[u8]) -> Result<Committed, UciError> {
        parse(package, &file, content)?;
        let mut replaced = own(&self.replaced);
        if !file.exists() {
            file::make_empty(&file)?;
        }
        let mut locked = Locked::exclusive(&file, package, &replaced.of(package), self.patience)?;
        let before = locked.read()?;
        if before == content {
            confirm(&*self.disk, &locked)?;
        } else {
            self.put(&mut replaced, locked, package, &before, content)?;
        }
        Ok(Committed { file, before, after: content.to_vec(), added: Vec::new() })
    }

    /// The names of all packages, sorted. Folders that cannot be read have none.
    #[must_use]
    pub fn packages(&self) -> Vec<String> {
        let folders = self.options.overrides.iter().chain([&self.options.config]);
        let mut names: Vec<_> =
            folders.filter_map(|folder| fs::read_dir(folder).ok()).flat_map(files).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The file of a package: that of the folder of overrides where there is one.
    fn file(&self, package: &str) -> Result<PathBuf, UciError> {
        name::package(package)?;
        let over = self.options.overrides.as_ref().map(|folder| folder.join(package));
        let over = over.filter(|file| file.exists());
        Ok(over.unwrap_or_else(|| self.options.config.join(package)))
    }

    fn put(
        &self,
        replaced: &mut Replaced,
        locked: Locked,
        package: &str,
        before: &[u8],
        after: &[u8],
    ) -> Result<(), UciError> {
        if after.len() > limits::FILE_BYTES {
            return Err(UciError::TooLarge { file: locked.known().to_owned(), limit: limits::FILE_BYTES });
        }
        // Noted before it has the name: whoever sees it there is to know it.
        let ready = |new: &Path| own(&self.left).extend(FileId::of(new).map(|id| (package.to_owned(), id)));
        replace(&*self.disk, &locked, package, before, after, ready)?;
        if let Some(file) = locked.hand_over(after) {
            replaced.add(package, file);
        }
        Ok(())
    }

    pub(crate) fn options(&self) -> &UciOptions {
        &self.options
    }

    /// Every package with what its file is now, and whether a commit of this program has left it so.
    pub(crate) fn ids(&self) -> BTreeMap<String, (FileId, bool)> {
        let id = |package: String| {
            let id = FileId::of(&self.file(&package).ok()?)?;
            let ours = own(&self.left).get(&package) == Some(&id);
            Some((package, (id, ours)))
        };
        self.packages().into_iter().filter_map(id).collect()
    }
}

/// A thread that has died with it leaves nothing half done in it.
fn own<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Names in a folder that can be those of packages: files without a dot.
fn files(entries: fs::ReadDir) -> impl Iterator<Item = String> {
    let entries = entries.take(limits::FOLDER_ENTRIES).filter_map(io::Result::ok);
    // A link counts as what it leads to.
    let files = entries.filter(|entry| fs::metadata(entry.path()).is_ok_and(|data| data.is_file()));
    files.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| name::package(name).is_ok())
}

fn parse(package: &str, file: &Path, content: &[u8]) -> Result<Package, UciError> {
    let failure = |error: crate::SyntaxError| UciError::Syntax {
        file: file.to_owned(),
        line: error.line,
        reason: error.reason,
    };
    Package::parse(package, content).map_err(failure)
}

#[cfg(test)]
#[path = "uci_tests.rs"]
mod tests;

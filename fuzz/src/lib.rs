//! What the targets share: a file system in memory.

use std::{
    collections::BTreeMap,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use cwmp_store::durable::Files;

/// Files that live as long as one input.
#[derive(Default)]
pub struct MemoryFiles(Mutex<BTreeMap<PathBuf, Vec<u8>>>);

impl MemoryFiles {
    /// With one file.
    #[must_use]
    pub fn with(file: &str, content: &[u8]) -> Arc<Self> {
        Arc::new(Self(Mutex::new(BTreeMap::from([(file.into(), content.to_vec())]))))
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Files for MemoryFiles {
    fn read(&self, file: &Path, limit: usize) -> io::Result<Vec<u8>> {
        let content = self.files().get(file).cloned().ok_or(ErrorKind::NotFound)?;
        if content.len() > limit { Err(ErrorKind::InvalidData.into()) } else { Ok(content) }
    }

    fn list(&self, dir: &Path, _limit: usize) -> io::Result<Vec<String>> {
        let files = self.files();
        let names = files.keys().filter_map(|file| file.strip_prefix(dir).ok()?.to_str().map(str::to_owned));
        Ok(names.collect())
    }

    fn write_new(&self, file: &Path, content: &[u8]) -> io::Result<()> {
        let mut files = self.files();
        if files.contains_key(file) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        files.insert(file.to_owned(), content.to_vec());
        Ok(())
    }

    fn append(&self, file: &Path, content: &[u8]) -> io::Result<()> {
        self.files().get_mut(file).ok_or(ErrorKind::NotFound)?.extend_from_slice(content);
        Ok(())
    }

    fn fsync(&self, _file: &Path) -> io::Result<()> {
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut files = self.files();
        let content = files.remove(from).ok_or(ErrorKind::NotFound)?;
        files.insert(to.to_owned(), content);
        Ok(())
    }

    fn fsync_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        self.files().remove(file).map(drop).ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn create_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }
}

//! A file system in memory that loses power, for tests; never part of what ships.
//!
//! It keeps apart what a program sees from what would be left after a cut. Content counts only once it is fsynced, and
//! each change of names since the last fsync of its folder may or may not have reached the disk, in any combination.
//! [`Sim::after_cut`] gives the disks that a cut may leave behind. Everything is deterministic: the same operations
//! give the same disks.
//!
//! Folders are durable as soon as they are made, as [`Files::create_dir`] promises, and are not renamed or removed.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::durable::{Files, folder};

mod disks;

/// Content, of which the first bytes are certainly on the disk.
#[derive(Clone, Default)]
struct Inode {
    content: Vec<u8>,
    durable: usize,
}

#[derive(Clone)]
enum NameChange {
    Link(PathBuf, usize),
    Rename(PathBuf, PathBuf, usize),
    Unlink(PathBuf),
}

#[derive(Clone, Copy)]
enum Trouble {
    None,
    /// The operation with this number and all later ones do not happen.
    CutAt(usize),
    /// The operation with this number fails; later ones work.
    FailAt(usize, ErrorKind),
    /// The operation with this number and all later ones fail.
    FailFrom(usize, ErrorKind),
    /// From the operation with this number on no content can be written.
    FullFrom(usize),
}

#[derive(Clone)]
struct State {
    inodes: Vec<Inode>,
    folders: BTreeSet<PathBuf>,
    names: BTreeMap<PathBuf, usize>,
    on_disk: BTreeMap<PathBuf, usize>,
    /// In the order in which they were made, of all folders.
    pending: Vec<NameChange>,
    trouble: Trouble,
    cut: bool,
    operations: usize,
    written: usize,
}

/// The file system. Shared as `Arc<Sim>`, which the store takes as `Arc<dyn Files>`.
pub struct Sim(Mutex<State>);

impl Sim {
    /// A disk with these files on it, and the folders that they are in.
    #[must_use]
    pub fn with(files: &[(&str, &str)]) -> Arc<Self> {
        let content = files.iter().map(|(name, text)| (PathBuf::from(name), text.as_bytes().to_vec()));
        Self::of(content.collect(), BTreeSet::new())
    }

    fn of(files: BTreeMap<PathBuf, Vec<u8>>, mut folders: BTreeSet<PathBuf>) -> Arc<Self> {
        folders.extend(files.keys().flat_map(|file| file.ancestors().skip(1)).map(Path::to_owned));
        let names: BTreeMap<_, _> = files.keys().cloned().zip(0..).collect();
        let inodes = files.into_values().map(|content| Inode { durable: content.len(), content }).collect();
        Arc::new(Self(Mutex::new(State {
            inodes,
            folders,
            on_disk: names.clone(),
            names,
            pending: Vec::new(),
            trouble: Trouble::None,
            cut: false,
            operations: 0,
            written: 0,
        })))
    }

    /// A test that panicked while it held the lock has failed already.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cuts the power before the operation `number` from now (0 is the next). Nothing can be read any more then.
    pub fn cut_at(&self, number: usize) {
        let mut state = self.lock();
        state.trouble = Trouble::CutAt(state.operations + number);
    }

    /// Lets the operation `number` from now fail, and no other. Of content that it writes, half gets there.
    pub fn fail_at(&self, number: usize, kind: ErrorKind) {
        let mut state = self.lock();
        state.trouble = Trouble::FailAt(state.operations + number, kind);
    }

    /// Lets the operation `number` from now fail, and all after it until [`Sim::mend`].
    pub fn fail_from(&self, number: usize, kind: ErrorKind) {
        let mut state = self.lock();
        state.trouble = Trouble::FailFrom(state.operations + number, kind);
    }

    /// From the operation `number` from now on the disk is full: content cannot be written, names can be changed.
    pub fn fill_at(&self, number: usize) {
        let mut state = self.lock();
        state.trouble = Trouble::FullFrom(state.operations + number);
    }

    /// Ends the trouble that was asked for, except for a cut that has happened.
    pub fn mend(&self) {
        self.lock().trouble = Trouble::None;
    }

    /// Whether the power is gone.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.lock().cut
    }

    /// Changes that were asked for so far, those that failed included.
    #[must_use]
    pub fn operations(&self) -> usize {
        self.lock().operations
    }

    /// Bytes written so far.
    #[must_use]
    pub fn written(&self) -> usize {
        self.lock().written
    }

    /// What a running program sees in a file, bytes that are no UTF-8 replaced.
    #[must_use]
    pub fn text(&self, file: &str) -> Option<String> {
        let state = self.lock();
        let inode = state.names.get(Path::new(file)).and_then(|inode| state.inodes.get(*inode))?;
        Some(String::from_utf8_lossy(&inode.content).into_owned())
    }

    /// All files, as a running program sees them.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.lock().names.keys().map(|name| name.display().to_string()).collect()
    }

    /// The disks that a cut now may leave behind, each once: every combination of up to `disks::ALL_SUBSETS` pending
    /// changes of names, a sample of more; with nothing, half or all of the content that was not fsynced, or garbage.
    #[must_use]
    pub fn after_cut(&self) -> Vec<Arc<Self>> {
        let state = self.lock();
        disks::left_behind(&state).into_iter().map(|files| Self::of(files, state.folders.clone())).collect()
    }

    /// The disk as the next program finds it where this one has ended and the power has not: with everything that was
    /// done, durable or not.
    #[must_use]
    pub fn after_crash(&self) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { trouble: Trouble::None, cut: false, ..self.lock().clone() })))
    }

    /// A change of content or names; `content` is what it writes.
    fn change<T>(
        &self,
        content: Option<(&Path, &[u8])>,
        change: impl FnOnce(&mut State) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut state = self.lock();
        let number = state.operations;
        state.operations += 1;
        match state.trouble {
            Trouble::CutAt(at) if number >= at => state.cut = true,
            Trouble::FailAt(at, kind) if number == at => {
                if let Some((file, content)) = content {
                    state.write(file, content.get(..content.len() / 2).unwrap_or_default());
                }
                return Err(kind.into());
            }
            Trouble::FailFrom(at, kind) if number >= at => return Err(kind.into()),
            Trouble::FullFrom(at) if number >= at => {
                if let Some((file, _)) = content {
                    state.write(file, &[]);
                    return Err(ErrorKind::StorageFull.into());
                }
            }
            _ => {}
        }
        state.check_power()?;
        change(&mut state)
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            NameChange::Link(name, inode) => {
                names.insert(name.clone(), *inode);
            }
            NameChange::Rename(from, to, inode) => {
                if names.get(from) == Some(inode) {
                    names.remove(from);
                }
                names.insert(to.clone(), *inode);
            }
            NameChange::Unlink(name) => {
                names.remove(name);
            }
        }
    }

    fn folder(&self) -> &Path {
        match self {
            NameChange::Link(name, _) | NameChange::Rename(_, name, _) | NameChange::Unlink(name) => {
                folder(name)
            }
        }
    }
}

impl State {
    fn check_power(&self) -> io::Result<()> {
        if self.cut { Err(io::Error::other("the power is gone")) } else { Ok(()) }
    }

    fn inode(&mut self, file: &Path) -> io::Result<(usize, &mut Inode)> {
        let number = self.names.get(file).copied().ok_or(ErrorKind::NotFound)?;
        self.inodes.get_mut(number).map(|inode| (number, inode)).ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn rename(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.pending.push(change);
    }

    /// Adds to a file, which is made where it is missing.
    fn write(&mut self, file: &Path, content: &[u8]) {
        if !self.names.contains_key(file) {
            let inode = self.inodes.len();
            self.inodes.push(Inode::default());
            self.rename(NameChange::Link(file.to_owned(), inode));
        }
        if let Ok((_, inode)) = self.inode(file) {
            inode.content.extend_from_slice(content);
            self.written += content.len();
        }
    }
}

impl Files for Sim {
    fn read(&self, file: &Path, limit: usize) -> io::Result<Vec<u8>> {
        let mut state = self.lock();
        state.check_power()?;
        let (_, inode) = state.inode(file)?;
        if inode.content.len() > limit {
            return Err(ErrorKind::InvalidData.into());
        }
        Ok(inode.content.clone())
    }

    fn list(&self, dir: &Path, limit: usize) -> io::Result<Vec<String>> {
        let state = self.lock();
        state.check_power()?;
        if !state.folders.contains(dir) {
            return Err(ErrorKind::NotFound.into());
        }
        let inside = state.names.keys().chain(&state.folders).filter(|name| name.parent() == Some(dir));
        let names: Vec<String> =
            inside.filter_map(|name| Some(name.file_name()?.to_str()?.to_owned())).collect();
        if names.len() > limit { Err(ErrorKind::InvalidData.into()) } else { Ok(names) }
    }

    fn write_new(&self, file: &Path, content: &[u8]) -> io::Result<()> {
        {
            let state = self.lock();
            if state.names.contains_key(file) {
                return Err(ErrorKind::AlreadyExists.into());
            }
            if !state.folders.contains(folder(file)) {
                return Err(ErrorKind::NotFound.into());
            }
        }
        self.change(Some((file, content)), |state| {
            state.write(file, content);
            Ok(())
        })
    }

    fn append(&self, file: &Path, content: &[u8]) -> io::Result<()> {
        self.lock().inode(file)?;
        self.change(Some((file, content)), |state| {
            state.write(file, content);
            Ok(())
        })
    }

    fn fsync(&self, file: &Path) -> io::Result<()> {
        self.change(None, |state| {
            let (_, inode) = state.inode(file)?;
            inode.durable = inode.content.len();
            Ok(())
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(None, |state| {
            let (inode, _) = state.inode(from)?;
            if folder(from) != folder(to) {
                return Err(ErrorKind::CrossesDevices.into());
            }
            state.rename(NameChange::Rename(from.to_owned(), to.to_owned(), inode));
            Ok(())
        })
    }

    fn fsync_dir(&self, dir: &Path) -> io::Result<()> {
        self.change(None, |state| {
            if !state.folders.contains(dir) {
                return Err(ErrorKind::NotFound.into());
            }
            let (durable, pending): (Vec<_>, Vec<_>) =
                std::mem::take(&mut state.pending).into_iter().partition(|change| change.folder() == dir);
            durable.iter().for_each(|change| change.apply(&mut state.on_disk));
            state.pending = pending;
            Ok(())
        })
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        self.change(None, |state| {
            state.inode(file)?;
            state.rename(NameChange::Unlink(file.to_owned()));
            Ok(())
        })
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        if self.lock().folders.contains(dir) {
            return Ok(());
        }
        self.change(None, |state| {
            state.folders.extend(dir.ancestors().map(Path::to_owned));
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests;

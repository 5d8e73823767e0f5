//! A file system in memory that loses power.
//!
//! It keeps apart what a program sees from what would be left after a cut: content counts only once it is fsynced, and
//! each change of names since the last fsync of the folder may or may not have reached the disk, in any combination.

use std::{
    collections::BTreeMap,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use super::Files;

#[derive(Clone, Default)]
struct Inode {
    content: Vec<u8>,
    synced: bool,
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
}

struct State {
    inodes: Vec<Inode>,
    names: BTreeMap<PathBuf, usize>,
    on_disk: BTreeMap<PathBuf, usize>,
    pending: Vec<NameChange>,
    trouble: Trouble,
    operations: usize,
    written: usize,
}

pub(crate) struct Sim(Mutex<State>);

impl Sim {
    /// A disk with these files on it.
    pub(crate) fn with(files: &[(&str, &str)]) -> Arc<Self> {
        let files = files.iter().map(|(name, text)| (PathBuf::from(name), text.as_bytes().to_vec()));
        Self::of(files.collect())
    }

    fn of(files: BTreeMap<PathBuf, Vec<u8>>) -> Arc<Self> {
        let names: BTreeMap<_, _> = files.keys().cloned().zip(0..).collect();
        let inodes = files.into_values().map(|content| Inode { content, synced: true }).collect();
        Arc::new(Self(Mutex::new(State {
            inodes,
            on_disk: names.clone(),
            names,
            pending: Vec::new(),
            trouble: Trouble::None,
            operations: 0,
            written: 0,
        })))
    }

    /// Cuts the power before the operation `number` from now (0 is the next).
    pub(crate) fn cut_at(&self, number: usize) {
        let mut state = self.0.lock().unwrap();
        state.trouble = Trouble::CutAt(state.operations + number);
    }

    /// Lets the operation `number` from now fail, and no other.
    pub(crate) fn fail_at(&self, number: usize, kind: ErrorKind) {
        let mut state = self.0.lock().unwrap();
        state.trouble = Trouble::FailAt(state.operations + number, kind);
    }

    /// Changes that were asked for so far.
    pub(crate) fn operations(&self) -> usize {
        self.0.lock().unwrap().operations
    }

    /// Bytes written so far.
    pub(crate) fn written(&self) -> usize {
        self.0.lock().unwrap().written
    }

    /// What a running program sees.
    pub(crate) fn text(&self, file: &str) -> Option<String> {
        let state = self.0.lock().unwrap();
        let inode = state.names.get(Path::new(file))?;
        Some(String::from_utf8(state.inodes[*inode].content.clone()).unwrap())
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.0.lock().unwrap().names.keys().map(|name| name.display().to_string()).collect()
    }

    /// Every disk that a cut now may leave behind.
    pub(crate) fn after_cut(&self) -> Vec<Arc<Self>> {
        let state = self.0.lock().unwrap();
        let mut disks = Vec::new();
        for subset in 0..1_u32 << state.pending.len() {
            let mut names = state.on_disk.clone();
            for (bit, change) in state.pending.iter().enumerate() {
                if subset >> bit & 1 == 1 {
                    change.apply(&mut names);
                }
            }
            // Of content that was not fsynced: nothing, the first half, or all.
            for halves in 0..=2 {
                let files = names.iter().map(|(name, inode)| {
                    let inode = &state.inodes[*inode];
                    let length = inode.content.len();
                    let kept = if inode.synced { length } else { length * halves / 2 };
                    (name.clone(), inode.content[..kept].to_vec())
                });
                disks.push(Self::of(files.collect()));
            }
        }
        disks
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.0.lock().unwrap();
        let number = state.operations;
        state.operations += 1;
        match state.trouble {
            Trouble::CutAt(at) if number >= at => Err(io::Error::other("the power is gone")),
            Trouble::FailAt(at, kind) if number == at => Err(kind.into()),
            _ => change(&mut state),
        }
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
}

impl State {
    fn inode(&self, file: &Path) -> io::Result<usize> {
        self.names.get(file).copied().ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn rename(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.pending.push(change);
    }
}

impl Files for Sim {
    fn read(&self, file: &Path, limit: usize) -> io::Result<Vec<u8>> {
        let state = self.0.lock().unwrap();
        let content = state.inodes[state.inode(file)?].content.clone();
        if content.len() > limit { Err(ErrorKind::InvalidData.into()) } else { Ok(content) }
    }

    fn write_new(&self, file: &Path, content: &[u8]) -> io::Result<()> {
        self.change(|state| {
            if state.names.contains_key(file) {
                return Err(ErrorKind::AlreadyExists.into());
            }
            let inode = state.inodes.len();
            state.inodes.push(Inode { content: content.to_vec(), synced: false });
            state.rename(NameChange::Link(file.to_owned(), inode));
            state.written += content.len();
            Ok(())
        })
    }

    fn fsync(&self, file: &Path) -> io::Result<()> {
        self.change(|state| {
            let inode = state.inode(file)?;
            state.inodes[inode].synced = true;
            Ok(())
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(|state| {
            let inode = state.inode(from)?;
            state.rename(NameChange::Rename(from.to_owned(), to.to_owned(), inode));
            Ok(())
        })
    }

    fn fsync_dir(&self, _dir: &Path) -> io::Result<()> {
        self.change(|state| {
            state.on_disk = state.names.clone();
            state.pending.clear();
            Ok(())
        })
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        self.change(|state| {
            state.inode(file)?;
            state.rename(NameChange::Unlink(file.to_owned()));
            Ok(())
        })
    }

    fn create_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }
}

//! `/etc/config/cwmpd` as the user layer, with its last good copy in the state folder, and what an older version has left in
//! `user.ini`.

use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::Arc,
};

use cwmp_platform_openwrt::{Content, UciError, UserConfig};
use cwmp_store::{
    Problem, Sections, StoreError, UserLayer, check_entry,
    durable::{self, Files, ReplaceError},
    layer_limits,
    user::{OwnFile, Written},
};

/// The last good copy, in the state folder.
const COPY: &str = "cwmpd.uci";
/// A damaged file, there as well.
const ASIDE: &str = "cwmpd.damaged";
/// Largest copy, in bytes: what a file of UCI may have.
const COPY_BYTES: usize = 1024 * 1024;
/// A package without sections, as libuci writes it.
const EMPTY: &[u8] = b"\n";
/// What `user.ini` is called once it was taken over.
const MIGRATED: &str = "migrated";

/// The file of UCI, and what belongs to it.
pub(crate) struct UciLayer {
    config: UserConfig,
    files: Arc<dyn Files>,
    copy: PathBuf,
    /// `user.ini` of an older version.
    user_ini: PathBuf,
    dir: PathBuf,
}

/// How the file was found.
enum Found {
    Whole(Content),
    /// Neither the file nor a copy of it.
    Nothing,
    Damaged(String),
}

impl UciLayer {
    /// `dir` is the folder of the other layers.
    pub(crate) fn new(config: UserConfig, files: &Arc<dyn Files>, dir: &Path, state_dir: &Path) -> Self {
        let (copy, user_ini) = (state_dir.join(COPY), dir.join("user.ini"));
        Self { config, files: Arc::clone(files), copy, user_ini, dir: dir.to_owned() }
    }

    /// The layer, with what an older version has left in `user.ini`. Where that cannot be taken over, that is reported, and it
    /// goes on serving: `None`.
    pub(crate) fn in_charge(mut self, problems: &mut Vec<Problem>) -> Option<Self> {
        let Err(error) = self.take_over(problems) else { return Some(self) };
        let reason = format!("it serves until it can be taken over into {}: {error}", self.file().display());
        problems.push(Problem::file(&self.user_ini, reason));
        None
    }

    /// Takes over what an older version has left in `user.ini`, which is then called `user.ini.migrated`. A power cut on the
    /// way makes the next start do it again.
    ///
    /// # Errors
    /// What failed; `user.ini` is as it was then.
    fn take_over(&mut self, problems: &mut Vec<Problem>) -> Result<(), StoreError> {
        let former_copy = durable::copy_of(&self.user_ini);
        let files = Arc::clone(&self.files);
        let exists = |file: &Path| match files.read(file, layer_limits::FILE_BYTES) {
            Err(error) => error.kind() != ErrorKind::NotFound,
            Ok(_) => true,
        };
        if !exists(&self.user_ini) && !exists(&former_copy) {
            return Ok(());
        }
        let mut sections = OwnFile::user_ini(&self.files, &self.dir).read(problems)?;
        if sections.remove("").is_some() {
            let reason = "what stands before the first section is not taken over";
            problems.push(Problem::file(&self.user_ini, reason));
        }
        // What was in force goes before what somebody has put there for later.
        self.write(&[&Sections::new()], &sections).map_err(|failure| failure.error)?;
        let from = if exists(&self.user_ini) {
            // The copy goes first: alone it would be taken over by the next start.
            durable::remove_if_there(&*files, &former_copy)?;
            durable::sync_folder(&*files, &self.user_ini)?;
            &self.user_ini
        } else {
            &former_copy
        };
        let done = durable::sibling(&self.user_ini, MIGRATED);
        let rename = |from: &Path, to: &Path| {
            let failed = |source| StoreError::Io { file: from.to_owned(), operation: "rename it", source };
            files.rename(from, to).map_err(failed)
        };
        rename(from, &done)?;
        if let Err(error) = durable::sync_folder(&*files, &self.user_ini) {
            rename(&done, from)?;
            return Err(error);
        }
        let taken = format!("taken over into {}; it is kept as {}", self.file().display(), done.display());
        tracing::info!("{}: {taken}", self.user_ini.display());
        Ok(())
    }

    /// Where a damaged file is kept.
    fn aside(&self) -> PathBuf {
        self.copy.with_file_name(ASIDE)
    }

    fn has_copy(&self) -> bool {
        [self.copy.clone(), durable::copy_of(&self.copy)]
            .iter()
            .any(|file| self.files.read(file, COPY_BYTES).is_ok())
    }

    fn find(&self) -> Result<Found, StoreError> {
        match self.config.read() {
            // libuci always writes a line; what is empty was left by a crash.
            Ok(content) if content.bytes.is_empty() && self.has_copy() => {
                Ok(Found::Damaged("it is empty".to_owned()))
            }
            Ok(content) => Ok(Found::Whole(content)),
            Err(UciError::Missing { .. }) if self.has_copy() => {
                Ok(Found::Damaged("it is not there".to_owned()))
            }
            Err(UciError::Missing { .. }) => Ok(Found::Nothing),
            Err(error) => damage(&error).map(Found::Damaged).ok_or_else(|| store_error(self.file(), error)),
        }
    }

    /// Makes this the last good copy, unless it is that already.
    fn keep_copy(&self, content: &[u8]) -> Result<(), StoreError> {
        if self.files.read(&self.copy, COPY_BYTES).is_ok_and(|copy| copy == content) {
            return Ok(());
        }
        self.make_folder()?;
        durable::replace(&*self.files, &self.copy, content).map_err(|failure| failure.error)
    }

    fn make_folder(&self) -> Result<(), StoreError> {
        let folder = self.copy.parent().unwrap_or(Path::new("/"));
        let made = self.files.create_dir(folder);
        made.map_err(|source| StoreError::Io {
            file: folder.to_owned(),
            operation: "make the folder",
            source,
        })
    }

    /// Puts the last good copy in the place of a file that is damaged, or nothing where there is no copy. What is damaged is
    /// kept. Returns what is there now, or should be, and why it could not be put there.
    fn mend(&self, reason: &str, problems: &mut Vec<Problem>) -> (Content, Option<UciError>) {
        let aside = self.aside();
        let kept = match self.config.raw() {
            Ok(raw) => match self.put_aside(&aside, &raw) {
                Ok(()) => format!("; kept as {}", aside.display()),
                Err(error) => format!("; it could not be kept: {error}"),
            },
            Err(_) => String::new(),
        };
        let copy = self.newest_copy(problems);
        let serves = match &copy {
            Some(_) => "the last good copy takes its place",
            None => "what was set on this box is lost",
        };
        problems.push(Problem::file(self.file(), format!("damaged: {reason}{kept}; {serves}")));
        let empty = Content { bytes: EMPTY.to_vec(), sections: Sections::new(), odd: vec![], written: true };
        let content = copy.unwrap_or(empty);
        let failed = self.config.restore(&content.bytes).err();
        (content, failed)
    }

    fn put_aside(&self, aside: &Path, content: &[u8]) -> Result<(), StoreError> {
        self.make_folder()?;
        durable::remove_if_there(&*self.files, aside)?;
        let written = self.files.write_new(aside, content).and_then(|()| self.files.fsync(aside));
        written.map_err(|source| StoreError::Io { file: aside.to_owned(), operation: "write it", source })?;
        durable::sync_folder(&*self.files, aside)
    }

    /// The newest copy that is whole; others are moved out of the way.
    fn newest_copy(&self, problems: &mut Vec<Problem>) -> Option<Content> {
        for file in [self.copy.clone(), durable::copy_of(&self.copy)] {
            let reason = match self.files.read(&file, COPY_BYTES) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => error.to_string(),
                Ok(bytes) if bytes.is_empty() => "it is empty".to_owned(),
                Ok(bytes) => match self.config.content(bytes, true) {
                    Ok(content) => return Some(content),
                    Err(error) => damage(&error).unwrap_or_else(|| error.to_string()),
                },
            };
            let set_aside = durable::set_aside(&*self.files, &file);
            problems.push(Problem::file(&file, format!("damaged: {reason}; {set_aside}")));
        }
        None
    }

    /// What the agent can use of it; the rest is reported.
    fn usable(&self, content: Content, problems: &mut Vec<Problem>) -> Sections {
        let of = |section: &str, key: &str, reason: &str| Problem::key(self.file(), section, key, reason);
        problems.extend(content.odd.iter().map(|odd| of(&odd.section, &odd.key, odd.reason)));
        let mut sections = content.sections;
        for (section, keys) in &mut sections {
            keys.retain(|key, value| match check_entry(section, key, value) {
                Ok(()) => true,
                Err(error) => {
                    problems.push(Problem::file(self.file(), format!("{error}; it is not used")));
                    false
                }
            });
        }
        sections
    }
}

impl UserLayer for UciLayer {
    fn file(&self) -> &Path {
        self.config.file()
    }

    fn read(&mut self, problems: &mut Vec<Problem>) -> Result<Sections, StoreError> {
        match self.find()? {
            Found::Nothing => Ok(Sections::new()),
            Found::Whole(content) => {
                if let Err(error) = self.keep_copy(&content.bytes) {
                    let reason = format!("what is set on this box has no copy: {error}");
                    problems.push(Problem::file(self.file(), reason));
                }
                Ok(self.usable(content, problems))
            }
            Found::Damaged(reason) => {
                let (content, failed) = self.mend(&reason, problems);
                if let Some(error) = failed {
                    problems.push(Problem::file(self.file(), format!("it is still damaged: {error}")));
                }
                Ok(self.usable(content, problems))
            }
        }
    }

    fn reread(&mut self) -> Result<Option<Sections>, StoreError> {
        let mut problems = Vec::new();
        let sections = match self.find()? {
            Found::Nothing => Sections::new(),
            Found::Damaged(reason) => {
                return Err(StoreError::Damaged { file: self.file().to_owned(), reason });
            }
            Found::Whole(content) => {
                self.keep_copy(&content.bytes).unwrap_or_else(|error| tracing::warn!("{error}"));
                self.usable(content, &mut problems)
            }
        };
        tell(&problems);
        Ok(Some(sections))
    }

    fn write(&mut self, may_hold: &[&Sections], new: &Sections) -> Result<Written, ReplaceError> {
        let texts = new.iter().flat_map(|(name, keys)| {
            keys.iter().map(move |(key, value)| name.len() + key.len() + value.len())
        });
        let (size, limit) = (texts.sum(), layer_limits::FILE_BYTES);
        if size > limit {
            return Err(StoreError::TooLarge { file: self.file().to_owned(), size, limit }.into());
        }
        let failure = |error| {
            let in_place = matches!(error, UciError::Unsure { .. });
            ReplaceError { error: store_error(self.file(), error), in_place }
        };
        let content = match self.config.write(may_hold, new) {
            Err(UciError::Missing { .. }) if !self.has_copy() => {
                self.config.restore(EMPTY).map_err(failure)?;
                self.config.write(&[&Sections::new()], new)
            }
            Err(error) if is_mendable(&error) => {
                let mut problems = Vec::new();
                let reason = damage(&error).unwrap_or_else(|| "it is not there".to_owned());
                let (mended, failed) = self.mend(&reason, &mut problems);
                tell(&problems);
                failed.map_or(Ok(()), |error| Err(failure(error)))?;
                // Of what is there now nothing is taken for granted.
                self.config.write(&[&mended.sections], new)
            }
            done => done,
        }
        .map_err(failure)?;
        let mut bytes = 0;
        if content.written {
            bytes = content.bytes.len();
            // The change itself is durable; without a copy only damage would undo it.
            self.keep_copy(&content.bytes).unwrap_or_else(|error| tracing::warn!("{error}"));
        }
        Ok(Written { bytes, now: Some(self.usable(content, &mut Vec::new())) })
    }

    /// The copies go first: after a cut the newest content is there, or none.
    fn delete(&mut self) -> Result<(), StoreError> {
        let files = &*self.files;
        self.make_folder()?;
        for left in [self.aside(), durable::sibling(&self.user_ini, MIGRATED)] {
            if durable::remove_if_there(files, &left)? {
                durable::sync_folder(files, &left)?;
            }
        }
        durable::delete(files, &self.copy)?;
        durable::delete(files, &self.user_ini)?;
        match self.config.clear() {
            Err(UciError::Missing { .. }) => Ok(()),
            Err(error) if is_mendable(&error) => self.config.restore(EMPTY),
            done => done,
        }
        .map_err(|error| store_error(self.file(), error))
    }
}

fn is_mendable(error: &UciError) -> bool {
    matches!(error, UciError::Missing { .. }) || damage(error).is_some()
}

/// What is wrong with a file that is damaged.
fn damage(error: &UciError) -> Option<String> {
    match error {
        UciError::Syntax { line, reason, .. } => Some(format!("line {line}: {reason}")),
        UciError::TooLarge { limit, .. } => Some(format!("larger than {limit} bytes")),
        _ => None,
    }
}

fn store_error(file: &Path, error: UciError) -> StoreError {
    let file = file.to_owned();
    match error {
        UciError::Io { operation, source, .. } => StoreError::Io { file, operation, source },
        UciError::Unsure { source, .. } => {
            let operation = "make the change of names durable, nor put the old content back";
            StoreError::Io { file, operation, source }
        }
        UciError::Missing { .. } => {
            StoreError::Io { file, operation: "find it", source: ErrorKind::NotFound.into() }
        }
        UciError::Busy { .. } => {
            let source = io::Error::new(ErrorKind::TimedOut, "another program does not let go of it");
            StoreError::Io { file, operation: "lock it", source }
        }
        UciError::TooLarge { limit, .. } => StoreError::TooLarge { file, size: limit + 1, limit },
        UciError::Syntax { line, reason, .. } => {
            StoreError::Damaged { file, reason: format!("line {line}: {reason}") }
        }
        UciError::Refused { target, reason } => {
            StoreError::Refused { file, reason: format!("{target}: {reason}") }
        }
    }
}

fn tell(problems: &[Problem]) {
    for problem in problems {
        tracing::warn!("{problem}");
    }
}

#[cfg(test)]
pub(crate) mod played;
#[cfg(test)]
mod tests;

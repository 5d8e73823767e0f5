//! Where the user layer is kept: in `user.ini`, unless a backend has another place for it.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Layer, document, limits};
use crate::{
    Problem, StoreError,
    durable::{self, Files, ReplaceError},
};

/// Keys and values of a section.
pub type Section = BTreeMap<String, String>;

/// Sections by name; what stands before the first header of an INI file has the empty name.
pub type Sections = BTreeMap<String, Section>;

/// Where the sections of the user layer come from, and where a commit puts them.
pub trait UserLayer: Send {
    /// The file, for messages.
    fn file(&self) -> &Path;

    /// What is there, durable from now on. What is wrong and does not stop the program is reported.
    ///
    /// # Errors
    /// The system does not let it be read.
    fn read(&mut self, problems: &mut Vec<Problem>) -> Result<Sections, StoreError>;

    /// What is there now, where others change it as well; a damaged file is left as it is. `None` where nobody else does.
    ///
    /// # Errors
    /// It is damaged or cannot be read.
    fn reread(&mut self) -> Result<Option<Sections>, StoreError> {
        Ok(None)
    }

    /// Puts `new` in the place of what is there, durably: after a cut at any moment the old or the new content is there.
    /// `may_hold` is what may be there, as far as this program knows: more than one where a write has failed half way. What
    /// others have changed meanwhile stays, unless it is what is changed here.
    ///
    /// # Errors
    /// [`ReplaceError`] names the file.
    fn write(&mut self, may_hold: &[&Sections], new: &Sections) -> Result<Written, ReplaceError>;

    /// Deletes all of it durably, with what else has held secrets of it: after a cut the newest content is there, or none.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    fn delete(&mut self) -> Result<(), StoreError>;
}

/// What a write has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Bytes that went to the storage.
    pub bytes: usize,
    /// What is there now, where that may be another than what was asked for.
    pub now: Option<Sections>,
}

/// The names of the sections that are not the same in both.
pub(super) fn differing(one: &Sections, other: &Sections) -> BTreeSet<String> {
    let names = one.keys().chain(other.keys());
    names.filter(|name| one.get(*name) != other.get(*name)).cloned().collect()
}

/// What has been made of `old`, made of `now`: each key that is another in `mine` is that in the result.
pub(super) fn rebase(old: &Sections, mine: &Sections, now: &Sections) -> Sections {
    let mut result = now.clone();
    for name in differing(old, mine) {
        let empty = Section::new();
        let [was, is] = [old, mine].map(|sections| sections.get(&name));
        let [before, after] = [was, is].map(|section| section.unwrap_or(&empty));
        let section = result.entry(name.clone()).or_default();
        for key in before.keys().chain(after.keys()).filter(|key| before.get(*key) != after.get(*key)) {
            match after.get(key) {
                Some(value) => section.insert(key.clone(), value.clone()),
                None => section.remove(key),
            };
        }
        if is.is_none() && section.is_empty() {
            result.remove(&name);
        }
    }
    result
}

/// An INI file of the agent's own, with its last good copy beside it.
pub struct OwnFile {
    files: Arc<dyn Files>,
    file: PathBuf,
    lost: &'static str,
}

impl OwnFile {
    /// `user.ini` in this folder.
    #[must_use]
    pub fn user_ini(files: &Arc<dyn Files>, dir: &Path) -> Self {
        Self::new(files, dir.join(Layer::User.file_name()), "what was set on this box is lost")
    }

    /// `lost` says what it means where file and copy are both damaged.
    pub(super) fn new(files: &Arc<dyn Files>, file: PathBuf, lost: &'static str) -> Self {
        Self { files: Arc::clone(files), file, lost }
    }
}

impl UserLayer for OwnFile {
    fn file(&self) -> &Path {
        &self.file
    }

    /// The newest content that is whole: from the file, else from its copy. Empty where there is neither. What is damaged is
    /// moved out of the way.
    fn read(&mut self, problems: &mut Vec<Problem>) -> Result<Sections, StoreError> {
        let files = &*self.files;
        let candidates = durable::candidates(&self.file, self.lost);
        let has_copy = content(files, &durable::copy_of(&self.file)).is_ok_and(|copy| copy.is_some());
        for (number, (file, what_else)) in candidates.iter().enumerate() {
            let read = match content(files, file) {
                Ok(None) => continue,
                // What some file systems leave of a file after a crash; the agent itself always writes a first line.
                Ok(Some(content)) if content.is_empty() && number == 0 && has_copy => {
                    Err(Unread::Damaged("it is empty".to_owned()))
                }
                Ok(Some(content)) => parse(file, &content, problems),
                Err(unread) => Err(unread),
            };
            match read {
                Ok(sections) => {
                    durable::confirm(files, file);
                    return Ok(sections);
                }
                Err(Unread::Damaged(reason)) => {
                    let aside = durable::set_aside(files, file);
                    problems.push(Problem::file(file, format!("damaged: {reason}; {aside}; {what_else}")));
                }
                Err(Unread::Io(error)) => return Err(StoreError::io(file, "read it", error)),
            }
        }
        Ok(Sections::new())
    }

    /// Nobody else writes it: it is replaced as a whole.
    fn write(&mut self, _: &[&Sections], new: &Sections) -> Result<Written, ReplaceError> {
        let content = document::write(new);
        if content.len() > limits::FILE_BYTES {
            let (file, size) = (self.file.clone(), content.len());
            return Err(StoreError::TooLarge { file, size, limit: limits::FILE_BYTES }.into());
        }
        durable::replace(&*self.files, &self.file, &content)?;
        Ok(Written { bytes: content.len(), now: None })
    }

    fn delete(&mut self) -> Result<(), StoreError> {
        durable::delete(&*self.files, &self.file)
    }
}

pub(super) enum Unread {
    Damaged(String),
    Io(std::io::Error),
}

/// Reads one file; `None` where there is none.
pub(super) fn read(
    files: &dyn Files,
    file: &Path,
    problems: &mut Vec<Problem>,
) -> Result<Option<Sections>, Unread> {
    content(files, file)?.map(|content| parse(file, &content, problems)).transpose()
}

fn content(files: &dyn Files, file: &Path) -> Result<Option<Vec<u8>>, Unread> {
    match files.read(file, limits::FILE_BYTES) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == ErrorKind::InvalidData => Err(Unread::Damaged(error.to_string())),
        Err(error) => Err(Unread::Io(error)),
    }
}

fn parse(file: &Path, content: &[u8], problems: &mut Vec<Problem>) -> Result<Sections, Unread> {
    let (sections, repeated) = document::parse(content).map_err(Unread::Damaged)?;
    let twice = |(section, key): (String, String)| {
        Problem::key(file, &section, &key, "given more than once; the last one counts")
    };
    problems.extend(repeated.into_iter().map(twice));
    Ok(sections)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sections(entries: &[(&str, &str, &str)]) -> Sections {
        let mut sections = Sections::new();
        for (section, key, value) in entries {
            let section = sections.entry((*section).to_owned()).or_default();
            section.insert((*key).to_owned(), (*value).to_owned());
        }
        sections
    }

    #[test]
    fn changes_are_made_on_top_of_what_others_have_changed() {
        let old = sections(&[("A", "a", "1"), ("A", "b", "1"), ("B", "b", "1"), ("C", "c", "1")]);
        let mine = sections(&[("A", "a", "mine"), ("A", "b", "1"), ("C", "c", "1"), ("N", "n", "mine")]);
        let now = sections(&[("A", "a", "theirs"), ("A", "b", "theirs"), ("B", "b", "1"), ("B", "x", "1")]);
        let expected =
            sections(&[("A", "a", "mine"), ("A", "b", "theirs"), ("B", "x", "1"), ("N", "n", "mine")]);
        assert_eq!(rebase(&old, &mine, &now), expected);
        assert_eq!(rebase(&old, &mine, &old), mine);
        assert_eq!(rebase(&old, &old, &now), now);
        assert_eq!(differing(&old, &mine), ["A", "B", "N"].map(str::to_owned).into());
    }
}

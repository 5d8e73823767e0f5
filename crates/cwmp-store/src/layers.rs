//! The layered configuration: `user.ini` over `dhcp.ini` over `ISP.def` over `factory.ini`.

use std::{
    collections::BTreeSet,
    io::ErrorKind,
    ops::Bound,
    path::{Path, PathBuf},
    sync::Arc,
};

use self::document::{Document, Section, check_name};
use crate::{
    Problem, StoreError,
    durable::{self, Files},
};

mod document;

#[cfg(test)]
mod tests;

/// Bounds of the configuration files.
pub mod limits {
    /// Largest configuration file, in bytes.
    pub const FILE_BYTES: usize = 256 * 1024;
    /// Longest value, in bytes.
    pub const VALUE_BYTES: usize = 32 * 1024;
    /// Longest name of a section or key, in characters.
    pub const NAME_CHARS: usize = 256;
}

/// One of the four files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// What was set on this box: `user.ini`. All changes go there.
    User,
    /// What DHCP has told: `dhcp.ini`, replaced as a whole by [`Layers::learn`].
    Learnt,
    /// The provider's defaults: `ISP.def`.
    Isp,
    /// The defaults that come with the firmware: `factory.ini`.
    Factory,
}

impl Layer {
    /// From the top down: the first that has a value counts.
    pub const ALL: [Layer; 4] = [Layer::User, Layer::Learnt, Layer::Isp, Layer::Factory];

    /// Name of the file.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Layer::User => "user.ini",
            Layer::Learnt => "dhcp.ini",
            Layer::Isp => "ISP.def",
            Layer::Factory => "factory.ini",
        }
    }
}

/// A value and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found<'a> {
    /// The value.
    pub value: &'a str,
    /// Its layer.
    pub layer: Layer,
}

/// Marks a row of a lower layer as deleted on this box.
const DELETED: &str = "Deleted";

/// The layers in memory.
///
/// Changes go to the user layer and stay in memory until [`Layers::commit`]. Comments in user.ini are lost when it is
/// written; keys and sections that nobody knows are kept.
pub struct Layers {
    files: Arc<dyn Files>,
    dir: PathBuf,
    user: Document,
    learnt: Document,
    isp: Document,
    factory: Document,
    /// The user layer as it was at the last commit; `None` while nothing has been touched since.
    before: Option<Document>,
    /// A write failed after the new content was in place: the file may hold what was refused.
    unsure: bool,
    /// The same of dhcp.ini.
    learnt_unsure: bool,
    bytes_written: u64,
}

impl Layers {
    /// Reads the files in `dir`. What is wrong with ISP.def and user.ini is reported, not fatal: of a damaged ISP.def
    /// nothing is used, a damaged user.ini is moved to `user.ini.damaged` and its last good copy, `user.ini.1`, serves; so
    /// with dhcp.ini.
    ///
    /// # Errors
    /// factory.ini is missing or damaged, or user.ini or dhcp.ini is there and the system does not let it be read.
    pub fn load(files: Arc<dyn Files>, dir: &Path) -> Result<(Self, Vec<Problem>), StoreError> {
        let mut problems = Vec::new();
        let factory_file = dir.join(Layer::Factory.file_name());
        let factory = match read(&*files, &factory_file, &mut problems) {
            Ok(Some(document)) => document,
            Ok(None) => return Err(StoreError::NoFactory { file: factory_file }),
            Err(Unread::Damaged(reason)) => return Err(StoreError::Damaged { file: factory_file, reason }),
            Err(Unread::Io(error)) => return Err(StoreError::io(&factory_file, "read it", error)),
        };
        let isp_file = dir.join(Layer::Isp.file_name());
        let isp = match read(&*files, &isp_file, &mut problems) {
            Ok(document) => document.unwrap_or_default(),
            Err(unread) => {
                let reason = match unread {
                    Unread::Damaged(reason) => format!("damaged: {reason}"),
                    Unread::Io(error) => format!("cannot read it: {error}"),
                };
                problems.push(Problem::file(&isp_file, format!("{reason}; the factory defaults serve")));
                Document::default()
            }
        };
        let mut own =
            |layer: Layer, lost| read_own(&*files, &dir.join(layer.file_name()), lost, &mut problems);
        let learnt = own(Layer::Learnt, "what DHCP has told is to be learnt anew")?;
        let user = own(Layer::User, "what was set on this box is lost")?;
        let layers = Self {
            files,
            dir: dir.to_owned(),
            user,
            learnt,
            isp,
            factory,
            before: None,
            unsure: false,
            learnt_unsure: false,
            bytes_written: 0,
        };
        Ok((layers, problems))
    }

    /// The folder of the files.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The file of a layer, for messages.
    #[must_use]
    pub fn file(&self, layer: Layer) -> PathBuf {
        self.dir.join(layer.file_name())
    }

    fn document(&self, layer: Layer) -> &Document {
        match layer {
            Layer::User => &self.user,
            Layer::Learnt => &self.learnt,
            Layer::Isp => &self.isp,
            Layer::Factory => &self.factory,
        }
    }

    /// The value in force.
    #[must_use]
    pub fn get(&self, section: &str, key: &str) -> Option<&str> {
        self.find(section, key).next().map(|found| found.value)
    }

    /// The value of one layer.
    #[must_use]
    pub fn of_layer(&self, layer: Layer, section: &str, key: &str) -> Option<&str> {
        self.document(layer).sections.get(section)?.get(key).map(String::as_str)
    }

    /// The values of all layers, the one in force first.
    pub fn find<'a>(&'a self, section: &str, key: &str) -> impl Iterator<Item = Found<'a>> {
        Layer::ALL.into_iter().filter_map(move |layer| {
            let value = self.of_layer(layer, section, key)?;
            Some(Found { value, layer })
        })
    }

    /// Names of the sections that begin with `prefix`, of all layers.
    #[must_use]
    pub fn sections(&self, prefix: &str) -> BTreeSet<&str> {
        let from = (Bound::Included(prefix), Bound::Unbounded);
        let all = Layer::ALL.into_iter().flat_map(|layer| {
            let later = self.document(layer).sections.range::<str, _>(from);
            later.map(|(name, _)| name.as_str()).take_while(|name| name.starts_with(prefix))
        });
        all.collect()
    }

    /// Keys of a section with the layer whose value is in force.
    #[must_use]
    pub fn keys(&self, section: &str) -> Vec<(&str, Layer)> {
        let mut keys: Vec<(&str, Layer)> = Vec::new();
        for layer in Layer::ALL {
            for key in self.document(layer).sections.get(section).into_iter().flat_map(Section::keys) {
                if !keys.iter().any(|(known, _)| *known == key.as_str()) {
                    keys.push((key, layer));
                }
            }
        }
        keys
    }

    /// Instance numbers of a table, ascending: those of the sections `<table>.<number>` that are not deleted.
    #[must_use]
    pub fn rows(&self, table: &str) -> Vec<u32> {
        let mut rows: Vec<u32> = self.all_rows(table).collect();
        rows.retain(|row| self.get(&row_section(table, *row), DELETED) != Some("true"));
        rows.sort_unstable();
        rows
    }

    /// The highest instance number that the table has or had in its sections, deleted rows of lower layers included.
    #[must_use]
    pub fn highest_row(&self, table: &str) -> u32 {
        self.all_rows(table).max().unwrap_or(0)
    }

    fn all_rows(&self, table: &str) -> impl Iterator<Item = u32> {
        let names = self.sections(table);
        names.into_iter().filter_map(move |name| {
            let number = name.strip_prefix(table)?.strip_prefix('.')?;
            number.parse().ok().filter(|row: &u32| *row > 0 && row.to_string() == number)
        })
    }

    /// Deletes a row and what is below it. A row of a lower layer is marked in the user layer, for there it stays.
    ///
    /// # Errors
    /// As [`Layers::set`].
    pub fn delete_row(&mut self, table: &str, row: u32) -> Result<(), StoreError> {
        let section = row_section(table, row);
        let below = format!("{section}.");
        let of_user: Vec<String> =
            self.user.sections.keys().filter(|name| name.starts_with(&below)).cloned().collect();
        for name in of_user {
            self.remove_section(&name);
        }
        self.remove_section(&section);
        if [Layer::Isp, Layer::Factory]
            .into_iter()
            .any(|layer| self.document(layer).sections.contains_key(&section))
        {
            self.set(&section, DELETED, "true")?;
        }
        Ok(())
    }

    /// Sets a value in the user layer, in memory.
    ///
    /// # Errors
    /// [`StoreError::Entry`] for a name that cannot be written or a value longer than [`limits::VALUE_BYTES`].
    pub fn set(&mut self, section: &str, key: &str, value: &str) -> Result<(), StoreError> {
        check_entry(section, key, value)?;
        if self.user.sections.get(section).and_then(|known| known.get(key)).is_none_or(|old| old != value) {
            let section = self.touch().sections.entry(section.to_owned()).or_default();
            section.insert(key.to_owned(), value.to_owned());
        }
        Ok(())
    }

    /// Takes a value out of the user layer, in memory, so that the one of a lower layer is in force again. A section
    /// without keys goes as well.
    pub fn remove(&mut self, section: &str, key: &str) {
        if self.user.sections.get(section).is_some_and(|known| known.contains_key(key)) {
            let user = self.touch();
            if let Some(known) = user.sections.get_mut(section) {
                known.remove(key);
                if known.is_empty() {
                    user.sections.remove(section);
                }
            }
        }
    }

    /// Takes a section out of the user layer, in memory.
    pub fn remove_section(&mut self, section: &str) {
        if self.user.sections.contains_key(section) {
            self.touch().sections.remove(section);
        }
    }

    /// The user layer, about to be changed.
    fn touch(&mut self) -> &mut Document {
        if self.before.is_none() {
            self.before = Some(self.user.clone());
        }
        &mut self.user
    }

    /// Writes the user layer, all changes since the last commit at once; not at all where nothing has changed. Returns
    /// whether it was written.
    ///
    /// # Errors
    /// [`StoreError`] names the file. The changes stay in memory: [`Layers::rollback`] undoes them.
    pub fn commit(&mut self) -> Result<bool, StoreError> {
        if !self.unsure && self.before.as_ref().is_none_or(|before| *before == self.user) {
            self.before = None;
            return Ok(false);
        }
        let file = self.file(Layer::User);
        let content = self.user.write();
        if content.len() > limits::FILE_BYTES {
            return Err(StoreError::TooLarge { file, size: content.len(), limit: limits::FILE_BYTES });
        }
        let replaced = durable::replace(&*self.files, &file, &content);
        self.unsure = replaced.as_ref().is_err_and(|failure| failure.in_place);
        replaced.map_err(|failure| failure.error)?;
        self.bytes_written += content.len() as u64;
        self.before = None;
        Ok(true)
    }

    /// Undoes all changes since the last commit.
    pub fn rollback(&mut self) {
        if let Some(before) = self.before.take() {
            self.user = before;
        }
    }

    /// Makes changes and commits them, all or none: where `change` or the commit fails, the layers are as before, and the
    /// file as well, as far as the storage still lets itself be written.
    ///
    /// # Errors
    /// Those of `change` and of [`Layers::commit`].
    pub fn change<T>(
        &mut self,
        change: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let done = change(self).and_then(|value| self.commit().map(|_| value));
        if done.is_err() {
            self.rollback();
            if self.unsure {
                // The first error is the one to report. If this one fails too, the next commit tries again.
                let _ = self.commit();
            }
        }
        done
    }

    /// Replaces all that DHCP has told by these values (section, key, value), durably; writes nothing where they are the
    /// same. Returns whether it was written. Changes of the user layer that are under way are not touched.
    ///
    /// # Errors
    /// As [`Layers::set`], or [`StoreError`] names the file; what was learnt before is still in force then.
    pub fn learn(&mut self, values: &[(&str, &str, &str)]) -> Result<bool, StoreError> {
        let mut learnt = Document::default();
        for (section, key, value) in values {
            check_entry(section, key, value)?;
            let section = learnt.sections.entry((*section).to_owned()).or_default();
            section.insert((*key).to_owned(), (*value).to_owned());
        }
        if !self.learnt_unsure && learnt == self.learnt {
            return Ok(false);
        }
        let file = self.file(Layer::Learnt);
        let content = learnt.write();
        let replaced = durable::replace(&*self.files, &file, &content);
        self.learnt_unsure = replaced.as_ref().is_err_and(|failure| failure.in_place);
        replaced.map_err(|failure| failure.error)?;
        self.bytes_written += content.len() as u64;
        self.learnt = learnt;
        Ok(true)
    }

    /// All that DHCP has told: section, key, value.
    pub fn learnt(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        let sections = self.learnt.sections.iter();
        sections.flat_map(|(section, keys)| {
            keys.iter().map(|(key, value)| (section.as_str(), key.as_str(), value.as_str()))
        })
    }

    /// Deletes what DHCP has told and the user layer durably, with its copy and what is left of damaged or half-written ones, for these hold
    /// secrets as well.
    ///
    /// # Errors
    /// [`StoreError::Io`]; the user layer is then still in force.
    pub fn delete_user(&mut self) -> Result<(), StoreError> {
        durable::delete(&*self.files, &self.file(Layer::Learnt))?;
        self.learnt = Document::default();
        self.learnt_unsure = false;
        durable::delete(&*self.files, &self.file(Layer::User))?;
        self.user = Document::default();
        self.before = None;
        self.unsure = false;
        Ok(())
    }

    /// Bytes written to storage so far.
    #[must_use]
    pub fn bytes_written(&self) -> u64 {
        self.bytes_written
    }
}

/// Section of a table's row: `ManagementServer.InformParameter` and 1 give `ManagementServer.InformParameter.1`.
fn row_section(table: &str, row: u32) -> String {
    format!("{table}.{row}")
}

/// Whether a value can be kept under these names.
fn check_entry(section: &str, key: &str, value: &str) -> Result<(), StoreError> {
    let refuse = |reason: String| {
        let (section, key) = (section.escape_debug().to_string(), key.escape_debug().to_string());
        StoreError::Entry { section, key, reason }
    };
    check_name(section).map_err(|reason| refuse(format!("the section's name {reason}")))?;
    check_name(key).map_err(|reason| refuse(format!("the key {reason}")))?;
    if value.len() > limits::VALUE_BYTES {
        return Err(refuse(format!("the value is longer than {} bytes", limits::VALUE_BYTES)));
    }
    Ok(())
}

enum Unread {
    Damaged(String),
    Io(std::io::Error),
}

/// Reads one file; `None` where there is none.
fn read(files: &dyn Files, file: &Path, problems: &mut Vec<Problem>) -> Result<Option<Document>, Unread> {
    content(files, file)?.map(|content| parse(file, &content, problems)).transpose()
}

/// The newest layer of ours that is whole: from the file, else from its copy. Empty where there is neither; `lost` says what
/// that means where both are damaged.
fn read_own(
    files: &dyn Files,
    file: &Path,
    lost: &'static str,
    problems: &mut Vec<Problem>,
) -> Result<Document, StoreError> {
    let candidates = durable::candidates(file, lost);
    let has_copy = content(files, &durable::copy_of(file)).is_ok_and(|copy| copy.is_some());
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
            Ok(document) => {
                durable::confirm(files, file);
                return Ok(document);
            }
            Err(Unread::Damaged(reason)) => {
                let aside = durable::set_aside(files, file);
                problems.push(Problem::file(file, format!("damaged: {reason}; {aside}; {what_else}")));
            }
            Err(Unread::Io(error)) => return Err(StoreError::io(file, "read it", error)),
        }
    }
    Ok(Document::default())
}

fn content(files: &dyn Files, file: &Path) -> Result<Option<Vec<u8>>, Unread> {
    match files.read(file, limits::FILE_BYTES) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == ErrorKind::InvalidData => Err(Unread::Damaged(error.to_string())),
        Err(error) => Err(Unread::Io(error)),
    }
}

fn parse(file: &Path, content: &[u8], problems: &mut Vec<Problem>) -> Result<Document, Unread> {
    let (document, repeated) = Document::parse(content).map_err(Unread::Damaged)?;
    let twice = |(section, key): (String, String)| {
        Problem::key(file, &section, &key, "given more than once; the last one counts")
    };
    problems.extend(repeated.into_iter().map(twice));
    Ok(document)
}

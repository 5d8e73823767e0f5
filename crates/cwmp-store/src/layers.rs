//! The layered configuration: `user.ini` over `dhcp.ini` over `ISP.def` over `factory.ini`. A backend may have another place
//! for what is set on the box ([`UserLayer`]); what is said of `user.ini` is said of that then.

use std::{
    collections::BTreeSet,
    ops::Bound,
    path::{Path, PathBuf},
    sync::Arc,
};

use self::{
    document::check_name,
    user::{OwnFile, Section, Sections, Unread, UserLayer, differing, read, rebase},
};
use crate::{Problem, StoreError, durable::Files};

mod document;
pub mod user;

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
    /// Contents that are remembered because a disk that fails may hold one of them.
    pub const UNSURE: usize = 4;
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
    dir: PathBuf,
    /// Where the user layer is kept.
    place: Box<dyn UserLayer>,
    user: Sections,
    dhcp_file: OwnFile,
    learnt: Sections,
    isp: Sections,
    factory: Sections,
    /// The user layer as it was at the last commit; `None` while nothing has been touched since.
    before: Option<Sections>,
    /// The sections that others have changed and nobody has asked for yet.
    others: BTreeSet<String>,
    /// What the file may hold as well: writes failed after these were in place.
    unsure: Vec<Sections>,
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
        Self::load_with(files, dir, |_, _| Ok(None))
    }

    /// The same with another place for the user layer, where `place` knows one: it sees the layers below.
    ///
    /// # Errors
    /// Those of [`Layers::load`] and of `place`.
    pub fn load_with(
        files: Arc<dyn Files>,
        dir: &Path,
        place: impl FnOnce(&Self, &mut Vec<Problem>) -> Result<Option<Box<dyn UserLayer>>, StoreError>,
    ) -> Result<(Self, Vec<Problem>), StoreError> {
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
                Sections::new()
            }
        };
        let dhcp = dir.join(Layer::Learnt.file_name());
        let mut dhcp_file = OwnFile::new(&files, dhcp, "what DHCP has told is to be learnt anew");
        let learnt = dhcp_file.read(&mut problems)?;
        let mut layers = Self {
            dir: dir.to_owned(),
            place: Box::new(OwnFile::user_ini(&files, dir)),
            user: Sections::new(),
            dhcp_file,
            learnt,
            isp,
            factory,
            before: None,
            unsure: Vec::new(),
            learnt_unsure: false,
            bytes_written: 0,
            others: BTreeSet::new(),
        };
        if let Some(other) = place(&layers, &mut problems)? {
            layers.place = other;
        }
        layers.user = layers.place.read(&mut problems)?;
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
        match layer {
            Layer::User => self.place.file().to_owned(),
            _ => self.dir.join(layer.file_name()),
        }
    }

    fn document(&self, layer: Layer) -> &Sections {
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
        self.document(layer).get(section)?.get(key).map(String::as_str)
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
            let later = self.document(layer).range::<str, _>(from);
            later.map(|(name, _)| name.as_str()).take_while(|name| name.starts_with(prefix))
        });
        all.collect()
    }

    /// Keys of a section with the layer whose value is in force.
    #[must_use]
    pub fn keys(&self, section: &str) -> Vec<(&str, Layer)> {
        let mut keys: Vec<(&str, Layer)> = Vec::new();
        for layer in Layer::ALL {
            for key in self.document(layer).get(section).into_iter().flat_map(Section::keys) {
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
            self.user.keys().filter(|name| name.starts_with(&below)).cloned().collect();
        for name in of_user {
            self.remove_section(&name);
        }
        self.remove_section(&section);
        if [Layer::Isp, Layer::Factory].into_iter().any(|layer| self.document(layer).contains_key(&section)) {
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
        if self.user.get(section).and_then(|known| known.get(key)).is_none_or(|old| old != value) {
            let section = self.touch().entry(section.to_owned()).or_default();
            section.insert(key.to_owned(), value.to_owned());
        }
        Ok(())
    }

    /// Takes a value out of the user layer, in memory, so that the one of a lower layer is in force again. A section
    /// without keys goes as well.
    pub fn remove(&mut self, section: &str, key: &str) {
        if self.user.get(section).is_some_and(|known| known.contains_key(key)) {
            let user = self.touch();
            if let Some(known) = user.get_mut(section) {
                known.remove(key);
                if known.is_empty() {
                    user.remove(section);
                }
            }
        }
    }

    /// Takes a section out of the user layer, in memory.
    pub fn remove_section(&mut self, section: &str) {
        if self.user.contains_key(section) {
            self.touch().remove(section);
        }
    }

    /// The user layer, about to be changed.
    fn touch(&mut self) -> &mut Sections {
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
        let known = self.before.as_ref().unwrap_or(&self.user);
        if self.unsure.is_empty() && *known == self.user {
            self.before = None;
            return Ok(false);
        }
        let may_hold: Vec<&Sections> = self.unsure.iter().chain([known]).collect();
        match self.place.write(&may_hold, &self.user) {
            Ok(written) => {
                self.bytes_written += written.bytes as u64;
                self.unsure.clear();
                self.before = None;
                if let Some(now) = written.now {
                    self.others.extend(differing(&self.user, &now));
                    self.user = now;
                }
                Ok(true)
            }
            Err(failure) => {
                if failure.in_place && !self.unsure.contains(&self.user) {
                    self.unsure.truncate(limits::UNSURE - 1);
                    self.unsure.push(self.user.clone());
                }
                Err(failure.error)
            }
        }
    }

    /// Takes in what others have changed in the user layer, where others change it; changes that wait for a commit stay on
    /// top of it. [`Layers::take_others`] says what it was.
    ///
    /// # Errors
    /// It is damaged or cannot be read; the layer stays as it is in memory.
    pub fn reread(&mut self) -> Result<(), StoreError> {
        if !self.unsure.is_empty() {
            // What is there may be what was refused. The next commit takes in what others have changed.
            return Ok(());
        }
        let Some(now) = self.place.reread()? else { return Ok(()) };
        let known = self.before.as_ref().unwrap_or(&self.user);
        self.others.extend(differing(known, &now));
        self.user = match &self.before {
            Some(before) => rebase(before, &self.user, &now),
            None => now.clone(),
        };
        if let Some(before) = &mut self.before {
            *before = now;
        }
        Ok(())
    }

    /// Whether others have changed something that nobody has asked for yet.
    #[must_use]
    pub fn has_others(&self) -> bool {
        !self.others.is_empty()
    }

    /// The names of the sections that others have changed since this was last asked.
    pub fn take_others(&mut self) -> BTreeSet<String> {
        std::mem::take(&mut self.others)
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
            if !self.unsure.is_empty() {
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
        let mut learnt = Sections::new();
        for (section, key, value) in values {
            check_entry(section, key, value)?;
            let section = learnt.entry((*section).to_owned()).or_default();
            section.insert((*key).to_owned(), (*value).to_owned());
        }
        if !self.learnt_unsure && learnt == self.learnt {
            return Ok(false);
        }
        let written = self.dhcp_file.write(&[&self.learnt], &learnt);
        self.learnt_unsure = written.as_ref().is_err_and(|failure| failure.in_place);
        self.bytes_written += written.map_err(|failure| failure.error)?.bytes as u64;
        self.learnt = learnt;
        Ok(true)
    }

    /// All that DHCP has told: section, key, value.
    pub fn learnt(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        let sections = self.learnt.iter();
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
        self.dhcp_file.delete()?;
        self.learnt = Sections::new();
        self.learnt_unsure = false;
        self.place.delete()?;
        self.user = Sections::new();
        self.before = None;
        self.unsure.clear();
        self.others.clear();
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
///
/// # Errors
/// [`StoreError::Entry`].
pub fn check_entry(section: &str, key: &str, value: &str) -> Result<(), StoreError> {
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

//! Changes of a package, one after the other as the commands of `uci` would make them.

use std::fmt;

use crate::{
    UciError, limits, name,
    package::{Full, Package, Section, Text},
};

/// One change. A section is named by its name, its id, or as `@type[n]`, which counts what the edits before have left.
#[derive(Clone, PartialEq, Eq)]
pub enum Edit {
    /// Gives an option a single value. An empty one is none: the option goes.
    Set {
        /// Which section.
        section: String,
        /// Which option.
        option: String,
        /// No control characters but tabs and line breaks.
        value: String,
    },
    /// Gives an option a list of values. An empty list is none: the option goes.
    SetList {
        /// Which section.
        section: String,
        /// Which option.
        option: String,
        /// No control characters but tabs and line breaks.
        values: Vec<String>,
    },
    /// Removes an option; that there is none is fine.
    Unset {
        /// Which section.
        section: String,
        /// Which option.
        option: String,
    },
    /// Adds a section at the end.
    AddSection {
        /// Its type.
        kind: String,
        /// Its name, which no other section has; without one it gets an id.
        name: Option<String>,
    },
    /// Removes a section.
    DeleteSection {
        /// Which section.
        section: String,
    },
    /// Gives a section another name, or one at all.
    Rename {
        /// Which section.
        section: String,
        /// Its new name, which no other section has.
        name: String,
    },
    /// Moves a section.
    Reorder {
        /// Which section.
        section: String,
        /// Its place among all sections, from 0; beyond the last is the last.
        position: usize,
    },
}

/// Values may be secret: they are not shown.
impl fmt::Debug for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set { section, option, .. } => write!(f, "Set({section}.{option})"),
            Self::SetList { section, option, values } => {
                write!(f, "SetList({section}.{option}, {} values)", values.len())
            }
            Self::Unset { section, option } => write!(f, "Unset({section}.{option})"),
            Self::AddSection { kind, name } => write!(f, "AddSection({kind}, {name:?})"),
            Self::DeleteSection { section } => write!(f, "DeleteSection({section})"),
            Self::Rename { section, name } => write!(f, "Rename({section}, {name})"),
            Self::Reorder { section, position } => write!(f, "Reorder({section}, {position})"),
        }
    }
}

const NO_SECTION: &str = "there is no such section";

impl Package {
    /// Makes all the changes or none, in memory. Returns the names of the sections that were added, in order, as a reader of
    /// the written file sees them; ids of all sections without a name are then the ones that such a reader sees.
    ///
    /// # Errors
    /// [`UciError::Refused`] for the first edit that cannot be made.
    pub fn apply(&mut self, edits: &[Edit]) -> Result<Vec<String>, UciError> {
        let mut changed = self.clone();
        let added = changed.apply_all(edits)?;
        *self = changed;
        Ok(added)
    }

    fn apply_all(&mut self, edits: &[Edit]) -> Result<Vec<String>, UciError> {
        if edits.len() > limits::EDITS {
            return Err(UciError::refused(&self.name, "more edits than a commit may have"));
        }
        // By the names that they have until this is finished: ids are given anew at the end.
        let mut added = Vec::new();
        for edit in edits {
            self.edit(edit, &mut added)?;
        }
        let place = |id: &String| self.sections.iter().position(|section| section.name == *id);
        let places: Vec<_> = added.iter().filter_map(place).collect();
        self.number();
        Ok(places
            .iter()
            .filter_map(|at| self.sections.get(*at))
            .map(|section| section.name.clone())
            .collect())
    }

    fn edit(&mut self, edit: &Edit, added: &mut Vec<String>) -> Result<(), UciError> {
        match edit {
            Edit::Set { section, option, value } if value.is_empty() => self.unset(section, option),
            Edit::Set { section, option, value } => {
                let text = self.text(section, option, value)?;
                let target = self.target(section, option);
                self.at(section, option)?.set(option, text).map_err(|full| refused(target, full))
            }
            Edit::SetList { section, option, values } if values.is_empty() => self.unset(section, option),
            Edit::SetList { section, option, values } => {
                let texts = values.iter().map(|value| self.text(section, option, value));
                let texts = texts.collect::<Result<Vec<_>, _>>()?;
                let target = self.target(section, option);
                self.at(section, option)?.set_list(option, texts).map_err(|full| refused(target, full))
            }
            Edit::Unset { section, option } => self.unset(section, option),
            Edit::AddSection { kind, name } => {
                let at = self.add_section(kind, name.as_deref())?;
                added.extend(self.sections.get(at).map(|section| section.name.clone()));
                Ok(())
            }
            Edit::DeleteSection { section } => {
                let at = self.place(section)?;
                let gone = self.sections.remove(at);
                added.retain(|name| *name != gone.name);
                Ok(())
            }
            Edit::Rename { section, name } => {
                let at = self.place(section)?;
                self.check_new_name(name)?;
                let section = self.sections.get_mut(at).ok_or_else(|| UciError::refused(name, NO_SECTION))?;
                added
                    .iter_mut()
                    .filter(|known| **known == section.name)
                    .for_each(|known| known.clone_from(name));
                section.name.clone_from(name);
                section.anonymous = false;
                Ok(())
            }
            Edit::Reorder { section, position } => {
                let moved = self.place(section)?;
                let moved = self.sections.remove(moved);
                self.sections.insert((*position).min(self.sections.len()), moved);
                Ok(())
            }
        }
    }

    fn unset(&mut self, section: &str, option: &str) -> Result<(), UciError> {
        self.at(section, option)?.options.retain(|known| known.name != option);
        Ok(())
    }

    fn add_section(&mut self, kind: &str, name: Option<&str>) -> Result<usize, UciError> {
        let target = format!("{}.{}", self.name, name.unwrap_or("(new)").escape_default());
        if !name::is_kind(kind.as_bytes()) {
            return Err(UciError::refused(target, "a section's type is 1 to 255 visible ASCII characters"));
        }
        name.map_or(Ok(()), |name| self.check_new_name(name))?;
        self.add(kind, name).map_err(|full| refused(target, full))
    }

    fn check_new_name(&self, name: &str) -> Result<(), UciError> {
        let target = format!("{}.{}", self.name, name.escape_default());
        if !name::is_name(name.as_bytes()) {
            return Err(UciError::refused(target, "a section's name is letters, digits and _"));
        }
        if self.section(name).is_some() {
            return Err(UciError::refused(target, "a section with this name is there already"));
        }
        Ok(())
    }

    /// A value that is to be set, counted.
    fn text(&mut self, section: &str, option: &str, value: &str) -> Result<Text, UciError> {
        if !name::is_value(value) {
            let reason = "the value has control characters other than tabs and line breaks";
            return Err(UciError::refused(self.target(section, option), reason));
        }
        self.count_value().map_err(|full| refused(self.target(section, option), full))?;
        Ok(Text::from(value.to_owned()))
    }

    /// The section that an edit of an option means.
    fn at(&mut self, section: &str, option: &str) -> Result<&mut Section, UciError> {
        let target = self.target(section, option);
        if !name::is_name(option.as_bytes()) {
            return Err(UciError::refused(target, "an option's name is letters, digits and _"));
        }
        let at = self.position(section);
        let section = at.and_then(|at| self.sections.get_mut(at));
        section.ok_or_else(|| UciError::refused(target, NO_SECTION))
    }

    fn place(&self, section: &str) -> Result<usize, UciError> {
        let target = || format!("{}.{}", self.name, section.escape_default());
        self.position(section).ok_or_else(|| UciError::refused(target(), NO_SECTION))
    }

    fn target(&self, section: &str, option: &str) -> String {
        format!("{}.{}.{}", self.name, section.escape_default(), option.escape_default())
    }

    /// Gives sections without a name the ids that they have once the file is read anew, and counts values anew.
    fn number(&mut self) {
        let sections = std::mem::take(&mut self.sections);
        (self.made, self.values) = (0, 0);
        for section in sections {
            let name = (!section.anonymous).then_some(section.name.as_str());
            // Not more than there were: no limit stands in the way.
            let Ok(at) = self.add(&section.kind, name) else { continue };
            self.values += section.options.iter().map(|option| option.texts().len()).sum::<usize>();
            if let Some(again) = self.sections.get_mut(at) {
                again.options = section.options;
            }
        }
    }
}

fn refused(target: String, Full(reason): Full) -> UciError {
    UciError::refused(target, reason)
}

#[cfg(test)]
#[path = "edit_tests.rs"]
mod tests;

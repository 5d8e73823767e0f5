//! What a change of the agent's sections is in the file as it is there: only what is to be different is touched.

use std::collections::BTreeSet;

use cwmp_uci::{Edit, Package, Section};

use super::{
    Sections,
    form::{self, ENTRY, OBJECT, OWN, PATH},
};

/// Longest name that is made for a section, in bytes; there is room for a number behind it.
const NAME_BYTES: usize = 200;

/// The edits after which the file has of `new` what differs from one of `may_hold`.
pub(super) fn edits(package: &Package, may_hold: &[&Sections], new: &Sections) -> Vec<Edit> {
    let mut edits = Edits { package, taken: BTreeSet::new(), made: Vec::new() };
    let paths: BTreeSet<&String> = may_hold.iter().flat_map(|held| held.keys()).chain(new.keys()).collect();
    for path in paths {
        edits.section(path, may_hold, new);
    }
    edits.made
}

/// The edits after which no section of the agent is there.
pub(super) fn clearing(package: &Package) -> Vec<Edit> {
    let ours = package.sections().iter().filter(|section| form::is_ours(section));
    ours.map(|section| Edit::DeleteSection { section: section.name().to_owned() }).collect()
}

struct Edits<'a> {
    package: &'a Package,
    /// Names of the sections that are added.
    taken: BTreeSet<String>,
    made: Vec<Edit>,
}

/// A section of the file that is being changed.
struct Target<'a> {
    /// Its name or its id.
    id: String,
    section: Option<&'a Section>,
    /// What is to be in the list of entries.
    entries: Vec<String>,
    /// Options that are there and are to go.
    gone: BTreeSet<&'a str>,
}

impl<'a> Target<'a> {
    fn of(section: &'a Section) -> Self {
        let entries = section.option(ENTRY).into_iter().flat_map(|option| option.values());
        Self {
            id: section.name().to_owned(),
            section: Some(section),
            entries: entries.map(str::to_owned).collect(),
            gone: BTreeSet::new(),
        }
    }

    /// The names of the options that hold keys.
    fn options(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let options = self.section.into_iter().flat_map(Section::options);
        let names = options.map(cwmp_uci::UciOption::name);
        names.filter(|name| ![PATH, ENTRY].contains(name))
    }

    /// Takes a key out; whether an option goes by that.
    fn remove(&mut self, key: &str) -> bool {
        self.entries.retain(|entry| form::decode(entry).is_none_or(|(known, _)| known != key));
        let option = self.options().find(|name| *name == key);
        option.is_some_and(|option| self.gone.insert(option))
    }

    fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.options().all(|name| self.gone.contains(name))
    }
}

impl<'a> Edits<'a> {
    fn section(&mut self, path: &str, may_hold: &[&Sections], new: &Sections) {
        let wanted = new.get(path);
        let held = || may_hold.iter().map(|held| held.get(path));
        if held().all(|held| held == wanted) {
            return;
        }
        let keys: BTreeSet<&String> =
            held().chain([wanted]).flatten().flat_map(|section| section.keys()).collect();
        let value = |key: &String| wanted.and_then(|section| section.get(key));
        let differs = |key: &&String| held().any(|held| held.and_then(|held| held.get(*key)) != value(key));
        let changed: Vec<&String> = keys.into_iter().filter(differs).collect();
        let package: &'a Package = self.package;
        let there = package.sections().iter().filter(|section| form::path(section) == Some(path));
        let mut targets: Vec<Target<'a>> = there.map(Target::of).collect();
        if targets.is_empty() && wanted.is_some() {
            targets.push(self.add(path));
        }
        let last = targets.len().saturating_sub(1);
        for (number, target) in targets.iter_mut().enumerate() {
            let before = target.entries.clone();
            for key in &changed {
                match value(key) {
                    // Of several sections for the same the last one counts.
                    Some(value) if number == last => self.set(target, key, value),
                    Some(_) => {}
                    None => self.unset(target, key),
                }
            }
            if wanted.is_none() && target.is_empty() {
                self.made.push(Edit::DeleteSection { section: target.id.clone() });
            } else if target.entries != before {
                let (section, option) = (target.id.clone(), ENTRY.to_owned());
                self.made.push(Edit::SetList { section, option, values: target.entries.clone() });
            }
        }
    }

    fn set(&mut self, target: &mut Target<'_>, key: &str, value: &str) {
        if form::is_plain(key, value) {
            target.remove(key);
            let (section, option) = (target.id.clone(), key.to_owned());
            self.made.push(Edit::Set { section, option, value: value.to_owned() });
        } else {
            self.unset(target, key);
            target.entries.push(form::encode(key, value));
        }
    }

    fn unset(&mut self, target: &mut Target<'_>, key: &str) {
        if target.remove(key) {
            self.made.push(Edit::Unset { section: target.id.clone(), option: key.to_owned() });
        }
    }

    /// A new section for this path.
    fn add(&mut self, path: &str) -> Target<'a> {
        let (kind, plain) = if path == OWN { (OWN, OWN.to_owned()) } else { (OBJECT, name_for(path)) };
        let mut id = plain.clone();
        let mut number = 1;
        while self.taken.contains(&id) || self.package.section(&id).is_some() {
            number += 1;
            id = format!("{plain}_{number}");
        }
        self.taken.insert(id.clone());
        self.made.push(Edit::AddSection { kind: kind.to_owned(), name: Some(id.clone()) });
        if kind == OBJECT && id != path {
            let (section, option) = (id.clone(), PATH.to_owned());
            self.made.push(Edit::Set { section, option, value: path.to_owned() });
        }
        Target { id, section: None, entries: Vec::new(), gone: BTreeSet::new() }
    }
}

/// A name that UCI can have, as like the path as can be.
fn name_for(path: &str) -> String {
    let like = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    path.chars().map(like).take(NAME_BYTES).collect()
}

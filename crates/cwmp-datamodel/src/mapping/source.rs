//! The parameter source that executes mapping files.

use std::rc::Rc;

use async_trait::async_trait;
use cwmp_core::{fault::SetParameterValuesFault, rpc::Status};
use cwmp_platform::{
    instances::InstanceNumbers,
    mapping::{FieldProvider, Mapping, MappingHost},
    source::{Access, Change, ObjectKind, ParameterSink, ParameterSource, SourceError, Wanted},
};

use super::{
    compile::{Compiled, Group, Parameter, Writer},
    limits, path,
    round::{Part, Round},
};

/// Executes mapping files.
pub struct MappedSource {
    pub(super) groups: Vec<Group>,
    pub(super) host: Rc<dyn MappingHost>,
    pub(super) providers: Vec<Rc<dyn FieldProvider>>,
    pub(super) numbers: Rc<InstanceNumbers>,
    objects: Vec<&'static str>,
    parameters: Vec<&'static str>,
}

/// A parameter that a name stands for.
pub(super) struct Found<'s> {
    pub(super) parameter: &'s Parameter,
    /// Key of its row; empty for a single object.
    pub(super) key: String,
}

impl MappedSource {
    /// A source of compiled files. `others` are the objects that other sources answer for.
    ///
    /// The names of objects stay in memory until the program ends: files are loaded once in its life, and the trait wants
    /// names that live as long.
    #[must_use]
    pub fn new(compiled: Compiled, mapping: &Mapping, numbers: Rc<InstanceNumbers>, others: &[&str]) -> Self {
        let groups: Vec<Group> = compiled.files.into_iter().flat_map(|file| file.groups).collect();
        let (mut objects, mut parameters) = (Vec::<&'static str>::new(), Vec::<&'static str>::new());
        for group in &groups {
            for object in group.objects() {
                let is_shared = others.contains(&object.as_str());
                if !is_shared && !objects.contains(&object.as_str()) {
                    objects.push(object.clone().leak());
                }
                let own =
                    |one: &&Parameter| one.full.strip_suffix(one.name.as_str()) == Some(object.as_str());
                for parameter in group.parameters.iter().filter(own).filter(|_| is_shared) {
                    parameters.push(parameter.full.clone().leak());
                }
            }
        }
        let (host, providers) = (Rc::clone(&mapping.host), mapping.providers.clone());
        Self { groups, host, providers, numbers, objects, parameters }
    }

    /// Whether there is anything to execute.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    pub(super) fn provider(&self, name: &str) -> Option<&Rc<dyn FieldProvider>> {
        self.providers.iter().find(|provider| provider.name() == name)
    }

    /// What a full name with instance numbers stands for.
    pub(super) fn find(&self, name: &str) -> Option<Found<'_>> {
        self.groups.iter().find_map(|group| {
            let Some(table) = group.table() else {
                let parameter = group.parameters.iter().find(|parameter| parameter.full == name)?;
                return Some(Found { parameter, key: String::new() });
            };
            let (number, below) = name.strip_prefix(table)?.split_once('.')?;
            let is_it = |one: &&Parameter| below.strip_prefix(&one.below) == Some(one.name.as_str());
            let parameter = group.parameters.iter().find(is_it)?;
            let key = self.numbers.key(table, number.parse().ok()?)?;
            Some(Found { parameter, key })
        })
    }

    /// Whether this box can write a parameter now.
    pub(super) fn access(&self, parameter: &Parameter, key: &str) -> Access {
        let can_run = |command: &[String]| command.first().is_some_and(|program| self.host.can_run(program));
        let can_write = match &parameter.writer {
            None => false,
            Some(Writer::File(file) | Writer::Ini { file, .. }) => {
                path(file, key).is_some_and(|path| self.host.can_write(&path))
            }
            Some(Writer::Command(command)) => can_run(command),
            Some(Writer::Field { .. }) => true,
        };
        match can_write && parameter.reload.as_deref().is_none_or(can_run) {
            true => Access::ReadWrite,
            false => Access::ReadOnly,
        }
    }

    /// The numbers of the rows, in the order of the parts. The rows of a part whose numbers could not be kept on the disk
    /// are left out: the numbers might mean other rows after a restart.
    async fn numbered(&self, parts: &[Part<'_>]) -> Vec<Vec<Option<u32>>> {
        let assign = |part: &Part<'_>| match part.group.table() {
            Some(table) => {
                self.numbers.assign(table, part.rows.iter().map(|row| row.key.as_str()), limits::ROWS)
            }
            None => vec![None; part.rows.len()],
        };
        let numbers = parts.iter().map(assign).collect();
        match self.numbers.keep().await {
            Ok(()) => numbers,
            Err(error) => {
                tracing::error!("rows of mapping files are left out: {error}");
                parts.iter().map(|part| vec![None; part.rows.len()]).collect()
            }
        }
    }

    /// Delivers one row, or the single object.
    async fn deliver(
        &self,
        round: &Round<'_>,
        part: &Part<'_>,
        row: usize,
        object: &str,
        out: &mut dyn ParameterSink,
    ) {
        let Some(row) = part.rows.get(row) else { return };
        round.next_row();
        let mut below = None;
        for (place, parameter) in part.parameters.iter().enumerate() {
            if below != Some(&parameter.below) && !parameter.below.is_empty() {
                out.object(&[object, &parameter.below].concat(), ObjectKind::Single);
            }
            below = Some(&parameter.below);
            let Some(value) = round.value(parameter, place, row).await else { continue };
            let access = self.access(parameter, &row.key);
            match parameter.rule {
                Some(_) => out.parameter(&parameter.name, &value, access),
                None => out.vendor_parameter(&parameter.name, parameter.value_type, &value, access),
            }
        }
    }
}

#[async_trait(?Send)]
impl ParameterSource for MappedSource {
    fn name(&self) -> &'static str {
        "mapping"
    }

    fn objects(&self) -> &[&'static str] {
        &self.objects
    }

    fn parameters(&self) -> &[&'static str] {
        &self.parameters
    }

    fn origin(&self, name: &str) -> Option<String> {
        let found = self.find(name)?;
        Some(found.parameter.to_string())
    }

    async fn read(&self, wanted: &Wanted<'_>, out: &mut dyn ParameterSink) -> Result<(), SourceError> {
        let touched = self.groups.iter().filter(|group| wanted.touches(&group.object));
        let mut parts: Vec<Part<'_>> = touched
            .map(|group| {
                let parameters = group.parameters.iter().filter(|parameter| wanted.touches(&parameter.full));
                Part { group, parameters: parameters.collect(), rows: Vec::new() }
            })
            .collect();
        let round = Round::new(self);
        round.fill(&mut parts).await;
        let numbers = self.numbered(&parts).await;
        for (part, numbers) in parts.iter().zip(numbers) {
            let Some(table) = part.group.table() else {
                if !part.parameters.is_empty() {
                    out.object(&part.group.object, ObjectKind::Single);
                    self.deliver(&round, part, 0, &part.group.object, out).await;
                }
                continue;
            };
            out.object(table, ObjectKind::Table { addable: false });
            for (row, number) in numbers.into_iter().enumerate() {
                let Some(number) = number else { continue };
                let object = format!("{table}{number}.");
                if wanted.touches(&object) {
                    out.object(&object, ObjectKind::Instance { deletable: false });
                    self.deliver(&round, part, row, &object, out).await;
                }
            }
        }
        Ok(())
    }

    async fn check(&self, changes: &[Change]) -> Vec<SetParameterValuesFault> {
        changes.iter().filter_map(|change| self.judge(change).err()).collect()
    }

    async fn apply(&self, changes: &[Change]) -> Result<Status, SourceError> {
        self.write(changes).await
    }
}

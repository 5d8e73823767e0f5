//! Setting what mapping files map: all of it, or what was set is put back.
//!
//! Files are edited in memory and written once each; providers get all their changes at once; programs run last, since
//! what they did may be the hardest to take back, and after them what reloads. Taking back means writing the former
//! texts and setting the former values: somebody who watches the box can see the state in between.

use std::{collections::BTreeMap, rc::Rc};

use cwmp_core::{
    fault::{FaultCode, SetParameterValuesFault},
    rpc::Status,
    value::ValueType,
};
use cwmp_platform::{
    mapping::FieldChange,
    source::{Access, Change, SourceError},
};

use super::{
    compile::{Parameter, Writer},
    fill, ini, limits, path,
    round::{MappedRow, Part, Round},
    source::{Found, MappedSource},
};

/// A change, ready to be written.
pub(super) struct Step<'s> {
    found: Found<'s>,
    /// What is written.
    text: String,
    /// What was there; `None` where that is not known, and for a command, which does not act a second time.
    former: Option<String>,
}

impl MappedSource {
    /// Whether a change can be made, and the text that is to be written.
    pub(super) fn judge<'s>(&'s self, change: &Change) -> Result<Step<'s>, SetParameterValuesFault> {
        let fault = |code, text: &str| SetParameterValuesFault {
            name: change.name.clone(),
            code,
            text: text.to_owned(),
        };
        let found = self.find(&change.name);
        let found = found.filter(|found| self.access(found.parameter, &found.key) == Access::ReadWrite);
        let found =
            found.ok_or_else(|| fault(FaultCode::NOT_WRITABLE, "this box cannot write the parameter"))?;
        let wrong = |text| fault(FaultCode::INVALID_PARAMETER_VALUE, text);
        let text = backwards(found.parameter, change.value.clone())
            .ok_or_else(|| wrong("this box has no equivalent of the value"))?;
        if text.contains(char::is_control) {
            // A line break would become another line of somebody's file.
            return Err(wrong("the value must have no line breaks and control characters"));
        }
        Ok(Step { found, text, former: None })
    }

    pub(super) async fn write(&self, changes: &[Change]) -> Result<Status, SourceError> {
        let mut steps = Vec::new();
        for change in changes {
            let mut step = self
                .judge(change)
                .map_err(|fault| SourceError::new(format!("{}: {}", fault.name, fault.text)))?;
            let rule = step.found.parameter.rule;
            let is_command = rule.is_some_and(crate::facts::Rule::is_command);
            if is_command && step.found.parameter.value_type == ValueType::Boolean && change.value != "true" {
                // It reads as false anyway: nothing to do.
                continue;
            }
            if !is_command {
                step.former = self.former(&step.found).await;
            }
            steps.push(step);
        }
        let mut undo = Undo::default();
        match self.carry_out(&steps, &mut undo).await {
            Ok(status) => Ok(status),
            Err(error) => {
                self.take_back(&steps, undo).await;
                Err(SourceError::new(error))
            }
        }
    }

    /// What is to be written to have the present value again.
    async fn former(&self, found: &Found<'_>) -> Option<String> {
        if matches!(found.parameter.writer, Some(Writer::File(_) | Writer::Ini { .. })) {
            // The file as a whole is kept.
            return None;
        }
        let group = self.groups.iter().find(|group| {
            group.parameters.iter().any(|parameter| std::ptr::eq(parameter, found.parameter))
        })?;
        let round = Round::new(self);
        let mut parts = [Part { group, parameters: vec![found.parameter], rows: Vec::new() }];
        round.fill(&mut parts).await;
        let [part] = &parts;
        let row = part.rows.iter().find(|row: &&MappedRow| row.key == found.key)?;
        backwards(found.parameter, round.value(found.parameter, 0, row).await?)
    }

    async fn carry_out(&self, steps: &[Step<'_>], undo: &mut Undo) -> Result<Status, String> {
        for (path, text) in self.edited(steps)? {
            let former = self.host.text(&path);
            if former.as_ref() == Some(&text) {
                continue;
            }
            self.host.write(&path, Some(&text)).await?;
            undo.files.push((path, former));
        }
        let mut status = Status::Applied;
        for provider in &self.providers {
            let changes = field_changes(steps, provider.name(), |step| Some(step.text.clone()));
            if !changes.is_empty() {
                let done = provider.set(&changes).await.map_err(|error| error.to_string())?;
                undo.providers.push(provider.name());
                status = status.and(done);
            }
        }
        for (at, step) in steps.iter().enumerate() {
            if let Some(Writer::Command(words)) = &step.found.parameter.writer {
                // Counted before it runs: what it has done when it fails, nobody knows.
                undo.commands.push(at);
                self.run(words, &step.found.key, &step.text).await?;
            }
        }
        undo.reloads = true;
        self.reload(steps).await?;
        Ok(status)
    }

    /// Files with what they are to say. The present text is read again for each file: it is not the value that counts.
    fn edited(&self, steps: &[Step<'_>]) -> Result<BTreeMap<String, String>, String> {
        let mut files = BTreeMap::<String, String>::new();
        for step in steps {
            let key = &step.found.key;
            let place = |file: &str| path(file, key).ok_or_else(|| format!("`{key}` is no name of a file"));
            match &step.found.parameter.writer {
                Some(Writer::File(file)) => {
                    files.insert(place(file)?, format!("{}\n", step.text));
                }
                Some(Writer::Ini { file, section, key: name }) => {
                    let path = place(file)?;
                    let text = match files.get(&path) {
                        Some(edited) => edited.clone(),
                        None => self.host.text(&path).unwrap_or_default(),
                    };
                    let edited = ini::with(&text, &fill(section, key, ""), name, &step.text);
                    files.insert(path, edited);
                }
                _ => {}
            }
        }
        Ok(files)
    }

    async fn run(&self, words: &[String], key: &str, value: &str) -> Result<(), String> {
        let command: Vec<String> = words.iter().map(|word| fill(word, key, value)).collect();
        self.host.output(&command, limits::SET_COMMAND).await.map(|_| ())
    }

    /// Runs what reloads, each once.
    async fn reload(&self, steps: &[Step<'_>]) -> Result<(), String> {
        let mut done = Vec::<(&[String], &str)>::new();
        for step in steps {
            let Some(words) = step.found.parameter.reload.as_deref() else { continue };
            let this = (words, step.found.key.as_str());
            if !done.contains(&this) {
                done.push(this);
                self.run(words, &step.found.key, "").await?;
            }
        }
        Ok(())
    }

    async fn take_back(&self, steps: &[Step<'_>], undo: Undo) {
        let mut failed = Vec::new();
        for step in undo.commands.iter().rev().filter_map(|at| steps.get(*at)) {
            if let (Some(Writer::Command(words)), Some(former)) = (&step.found.parameter.writer, &step.former)
            {
                failed.extend(self.run(words, &step.found.key, former).await.err());
            }
        }
        for name in undo.providers.into_iter().rev() {
            let changes = field_changes(steps, name, |step| step.former.clone());
            if let Some(provider) = self.provider(name).filter(|_| !changes.is_empty()) {
                failed.extend(Rc::clone(provider).set(&changes).await.err().map(|error| error.to_string()));
            }
        }
        for (path, former) in undo.files.into_iter().rev() {
            failed.extend(self.host.write(&path, former.as_deref()).await.err());
        }
        if undo.reloads {
            failed.extend(self.reload(steps).await.err());
        }
        for error in failed {
            tracing::error!("a former value could not be put back: {error}");
        }
    }
}

/// What has been done so far.
#[derive(Default)]
struct Undo {
    /// Files with their former texts.
    files: Vec<(String, Option<String>)>,
    providers: Vec<&'static str>,
    /// Places of steps.
    commands: Vec<usize>,
    reloads: bool,
}

/// The text for a value: the conversions in reverse.
fn backwards(parameter: &Parameter, value: String) -> Option<String> {
    parameter.conversions.iter().rev().try_fold(value, |value, conversion| conversion.write(value))
}

fn field_changes(
    steps: &[Step<'_>],
    name: &str,
    value: impl Fn(&Step<'_>) -> Option<String>,
) -> Vec<FieldChange> {
    let changes = steps.iter().filter_map(|step| match &step.found.parameter.writer {
        Some(Writer::Field { provider, field }) if provider == name => {
            Some(FieldChange { key: step.found.key.clone(), field: field.clone(), value: value(step)? })
        }
        _ => None,
    });
    changes.collect()
}

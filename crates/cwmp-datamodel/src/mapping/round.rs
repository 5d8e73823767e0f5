//! Everything that is read for one call: each file and each program once, each provider in bulk.

use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use cwmp_platform::mapping::{Question, Row, RowsOf};

use tokio::time::Instant;

use super::{
    compile::{Group, Parameter, Rows, Source},
    fill, ini, limits, path,
    source::MappedSource,
};
use crate::validate::{validate, validate_vendor};

/// A section of which something is wanted.
pub(super) struct Part<'s> {
    pub(super) group: &'s Group,
    /// The parameters that are wanted, in their order.
    pub(super) parameters: Vec<&'s Parameter>,
    /// The rows; one with an empty key for a single object.
    pub(super) rows: Vec<MappedRow>,
}

/// A row, with what providers say of it.
#[derive(Debug, Default)]
pub(super) struct MappedRow {
    pub(super) key: String,
    /// By the place of the parameter in [`Part::parameters`].
    fields: Vec<(usize, String)>,
}

/// One round of reading.
pub(super) struct Round<'s> {
    source: &'s MappedSource,
    /// What was read, by path of the file, or by program and arguments.
    texts: RefCell<BTreeMap<String, Option<Rc<str>>>>,
    /// Files of the present row alone: those of all rows together might be larger than all that they say.
    of_row: RefCell<BTreeMap<String, Option<Rc<str>>>>,
    runs: Cell<usize>,
    started: Instant,
}

/// A question to a provider: of which part, and the places of the parameters that its fields are for.
struct Asked {
    part: usize,
    places: Vec<usize>,
    question: Question,
}

impl<'s> Round<'s> {
    pub(super) fn new(source: &'s MappedSource) -> Self {
        let (texts, of_row) = (RefCell::default(), RefCell::default());
        Self { source, texts, of_row, runs: Cell::new(0), started: Instant::now() }
    }

    /// Finds the rows and asks the providers: each once, and once more for fields of rows that others have found.
    pub(super) async fn fill(&self, parts: &mut [Part<'s>]) {
        for provider in &self.source.providers {
            let name = provider.name();
            let first: Vec<Asked> =
                parts.iter().enumerate().filter_map(|(at, part)| own(name, at, part)).collect();
            self.ask(name, first, parts).await;
        }
        for part in parts.iter_mut() {
            match &part.group.rows {
                Some(Rows::Keys(keys)) => part.rows = keys.iter().cloned().map(MappedRow::of).collect(),
                Some(Rows::Entries { folder, prefix }) => {
                    // One by one: collecting would bring a sort of its own, some 15 KB of code.
                    let mut names = BTreeSet::new();
                    for name in
                        self.source.host.names(folder).into_iter().filter(|name| name.starts_with(prefix))
                    {
                        names.insert(name);
                    }
                    part.rows = names.into_iter().map(MappedRow::of).collect();
                }
                Some(Rows::Provider { .. }) => {}
                None if part.rows.is_empty() => part.rows.push(MappedRow::default()),
                None => {}
            }
            // A key goes into paths, arguments and sections of files.
            part.rows.retain(|row| row.key.len() <= limits::KEY_BYTES && !row.key.contains(char::is_control));
            part.rows.truncate(limits::ROWS);
        }
        for provider in &self.source.providers {
            let name = provider.name();
            let more: Vec<Asked> =
                parts.iter().enumerate().filter_map(|(at, part)| foreign(name, at, part)).collect();
            self.ask(name, more, parts).await;
        }
    }

    async fn ask(&self, provider: &str, asked: Vec<Asked>, parts: &mut [Part<'s>]) {
        if asked.is_empty() {
            return;
        }
        let Some(source) = self.source.provider(provider) else { return };
        let questions: Vec<Question> = asked.iter().map(|asked| asked.question.clone()).collect();
        let answers = match source.read(&questions).await {
            Ok(answers) => answers,
            Err(error) => {
                tracing::warn!("{provider}: {error}: what it knows is left out");
                return;
            }
        };
        for (asked, rows) in asked.into_iter().zip(answers) {
            let Some(part) = parts.get_mut(asked.part) else { continue };
            match asked.question.rows {
                RowsOf::Selected { .. } => {
                    part.rows = rows.into_iter().map(|row| MappedRow::from_row(row, &asked.places)).collect();
                }
                RowsOf::Single => {
                    let row = rows.into_iter().next().unwrap_or_default();
                    let found = MappedRow::from_row(row, &asked.places).fields;
                    match part.rows.first_mut() {
                        Some(single) => single.fields.extend(found),
                        None => part.rows.push(MappedRow { key: String::new(), fields: found }),
                    }
                }
                RowsOf::Keys(_) => {
                    for (known, row) in part.rows.iter_mut().zip(rows) {
                        known.fields.extend(MappedRow::from_row(row, &asked.places).fields);
                    }
                }
            }
        }
    }

    /// What comes is about another row.
    pub(super) fn next_row(&self) {
        self.of_row.borrow_mut().clear();
    }

    /// The value of a parameter in a row, within the facts of the model; `None` where it has none.
    pub(super) async fn value(&self, parameter: &Parameter, place: usize, row: &MappedRow) -> Option<String> {
        let text = self.text(parameter, row.field(place), &row.key).await?;
        let mut value = Cow::Borrowed(&*text);
        for conversion in &parameter.conversions {
            value = conversion.read(value)?;
        }
        let checked = match parameter.rule {
            Some(rule) => validate(rule, None, &value),
            None => validate_vendor(parameter.value_type, None, &value),
        };
        let full = &parameter.full;
        checked.inspect_err(|why| tracing::debug!("{full} is left out: {}", why.text)).ok()
    }

    async fn text(&self, parameter: &Parameter, field: Option<&String>, key: &str) -> Option<Rc<str>> {
        match &parameter.source {
            Source::Text(text) => Some(text.as_str().into()),
            Source::Key => Some(key.into()),
            Source::Field { .. } => field.map(|text| text.as_str().into()),
            Source::File(file) => {
                let text = self.file(file, key)?;
                // The line break at the end belongs to the file, not to the value.
                Some(text.strip_suffix('\n').map_or(Rc::clone(&text), Into::into))
            }
            Source::Ini { file, section, key: name } => {
                let text = self.file(file, key)?;
                ini::get(&text, &fill(section, key, ""), name).map(Into::into)
            }
            Source::Command(words) => {
                self.output(words.iter().map(|word| fill(word, key, "")).collect()).await
            }
        }
    }

    fn file(&self, file: &str, key: &str) -> Option<Rc<str>> {
        let path = path(file, key)?;
        let texts = if path == file { &self.texts } else { &self.of_row };
        if let Some(known) = texts.borrow().get(&path) {
            return known.clone();
        }
        let text: Option<Rc<str>> = self.source.host.text(&path).map(Into::into);
        texts.borrow_mut().insert(path, text.clone());
        text
    }

    async fn output(&self, command: Vec<String>) -> Option<Rc<str>> {
        // No path holds a zero byte: a program is never taken for a file.
        let known_as = format!("\0{}", command.join("\0"));
        if let Some(known) = self.texts.borrow().get(&known_as) {
            return known.clone();
        }
        let program = command.first().map_or("", String::as_str);
        if !self.source.host.can_run(program) {
            return None;
        }
        let left = limits::READ_COMMANDS.saturating_sub(self.started.elapsed());
        if self.runs.get() >= limits::COMMANDS || left.is_zero() {
            let (most, seconds) = (limits::COMMANDS, limits::READ_COMMANDS.as_secs());
            tracing::warn!("{program} does not run: more than {most} programs or {seconds} s for one call");
            return None;
        }
        self.runs.set(self.runs.get() + 1);
        let output = self.source.host.output(&command, left.min(limits::READ_COMMAND)).await;
        let output = output.inspect_err(|error| tracing::warn!("{error}: what it says is left out")).ok();
        let output: Option<Rc<str>> = output.map(|text| text.trim_end_matches('\n').into());
        self.texts.borrow_mut().insert(known_as, output.clone());
        output
    }
}

impl MappedRow {
    /// A row of which no more than the key is known.
    pub(super) fn of(key: String) -> Self {
        Self { key, fields: Vec::new() }
    }

    fn field(&self, place: usize) -> Option<&String> {
        self.fields.iter().find(|(of, _)| *of == place).map(|(_, value)| value)
    }

    fn from_row(row: Row, places: &[usize]) -> Self {
        let fields = places.iter().copied().zip(row.values);
        let fields = fields.filter_map(|(place, value)| Some((place, value?))).collect();
        Self { key: row.key, fields }
    }
}

/// What a provider knows of a part by itself: its own rows, or fields of the box.
fn own(provider: &str, at: usize, part: &Part<'_>) -> Option<Asked> {
    let (places, fields) = fields_of(provider, part);
    let rows = match &part.group.rows {
        Some(Rows::Provider { provider: of, arguments, key }) if of == provider => {
            RowsOf::Selected { arguments: arguments.clone(), key: key.clone() }
        }
        None if !fields.is_empty() => RowsOf::Single,
        _ => return None,
    };
    Some(Asked { part: at, places, question: Question { rows, fields } })
}

/// What a provider knows of rows that something else has found.
fn foreign(provider: &str, at: usize, part: &Part<'_>) -> Option<Asked> {
    let is_own = matches!(&part.group.rows, Some(Rows::Provider { provider: of, .. }) if of == provider);
    let (places, fields) = fields_of(provider, part);
    if part.group.rows.is_none() || is_own || fields.is_empty() || part.rows.is_empty() {
        return None;
    }
    let keys = part.rows.iter().map(|row| row.key.clone()).collect();
    Some(Asked { part: at, places, question: Question { rows: RowsOf::Keys(keys), fields } })
}

fn fields_of(provider: &str, part: &Part<'_>) -> (Vec<usize>, Vec<String>) {
    let fields =
        part.parameters.iter().enumerate().filter_map(|(place, parameter)| match &parameter.source {
            Source::Field { provider: of, field } if of == provider => Some((place, field.clone())),
            _ => None,
        });
    fields.unzip()
}

//! What a mapping file means, checked against the facts of the model.

use std::{collections::HashSet, fmt, rc::Rc};

use cwmp_core::{limits::PARAMETER_NAME, value::ValueType};

use super::{
    KEY, MappingError, VALUE,
    conversion::{Conversion, Yields, fits},
    limits,
    syntax::{Call, Line, Section, parse},
};
use crate::{
    facts::{Facts, ModelStatus, Place, Rule, VERSION, is_instance_number},
    model::COUNT_SUFFIX,
    validate::{validate, validate_vendor},
};

/// Mapping files without mistakes.
#[derive(Debug, Default)]
pub struct Compiled {
    pub(super) files: Vec<CompiledFile>,
}

#[derive(Debug)]
pub(super) struct CompiledFile {
    pub(super) name: Rc<str>,
    pub(super) groups: Vec<Group>,
}

/// A section: an object or the rows of a table, with the single objects below.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) line: u32,
    /// As in the model: `Device.X.` or `Device.X.{i}.`.
    pub(super) object: String,
    /// Where the rows come from; `None` for a single object.
    pub(super) rows: Option<Rows>,
    /// Those of one object come one after the other.
    pub(super) parameters: Vec<Parameter>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rows {
    /// These keys.
    Keys(Vec<String>),
    /// Names in a folder that begin like this.
    Entries { folder: String, prefix: String },
    /// Those of a provider.
    Provider { provider: String, arguments: Vec<String>, key: String },
}

#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) file: Rc<str>,
    pub(super) line: u32,
    /// The line itself.
    pub(super) text: String,
    /// Full name as in the model.
    pub(super) full: String,
    /// Path of its object below that of the section: empty, or such as `Stats.`.
    pub(super) below: String,
    pub(super) name: String,
    /// `None` for a vendor's.
    pub(super) rule: Option<Rule>,
    pub(super) value_type: ValueType,
    pub(super) source: Source,
    pub(super) conversions: Vec<Conversion>,
    pub(super) writer: Option<Writer>,
    pub(super) reload: Option<Vec<String>>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// This text.
    Text(String),
    /// The key of the row.
    Key,
    File(String),
    Ini {
        file: String,
        section: String,
        key: String,
    },
    Command(Vec<String>),
    Field {
        provider: String,
        field: String,
    },
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Writer {
    File(String),
    Ini { file: String, section: String, key: String },
    Command(Vec<String>),
    Field { provider: String, field: String },
}

impl Compiled {
    /// Compiles files, given as name and text. `providers` are the names of sources beside files and programs.
    ///
    /// A file with a mistake is left out as a whole. Where two files map the same, the later one is wrong.
    #[must_use]
    pub fn of(files: &[(&str, &str)], providers: &[&str]) -> (Self, Vec<MappingError>) {
        let (mut compiled, mut errors) = (Self::default(), Vec::new());
        let mut taken = HashSet::<String>::new();
        for (name, text) in files {
            let mut compiler =
                Compiler { file: (*name).into(), providers, taken: taken.clone(), errors: Vec::new() };
            let groups = compiler.file(text);
            if compiler.errors.is_empty() {
                taken = compiler.taken;
                compiled.files.push(CompiledFile { name: compiler.file, groups });
            }
            errors.extend(compiler.errors);
        }
        (compiled, errors)
    }

    /// The single objects that other sources answer for as well, given as they answer for them.
    pub fn shared<'s>(&'s self, others: &'s [&str]) -> impl Iterator<Item = String> + 's {
        let groups = self.files.iter().flat_map(|file| &file.groups);
        groups.flat_map(Group::objects).filter(|object| others.contains(&object.as_str()))
    }

    /// Leaves out the files that map what other sources answer for: a table of theirs, or one of these parameters.
    pub fn leave_out_clashes(&mut self, others: &[&str], delivered: &HashSet<String>) -> Vec<MappingError> {
        let mut errors = Vec::new();
        self.files.retain(|file| {
            let before = errors.len();
            for group in &file.groups {
                if group.rows.is_some() && group.objects().any(|object| others.contains(&object.as_str())) {
                    let text = format!("the rows of {} come from another source already", group.object);
                    errors.push(MappingError { file: file.name.to_string(), line: group.line, text });
                    continue;
                }
                for parameter in group.parameters.iter().filter(|one| delivered.contains(&one.full)) {
                    let text = format!("{} comes from another source already", parameter.full);
                    errors.push(MappingError { file: file.name.to_string(), line: parameter.line, text });
                }
            }
            errors.len() == before
        });
        errors
    }
}

impl Group {
    /// Its objects as in the model; the first is that of the section.
    pub(super) fn objects(&self) -> impl Iterator<Item = String> {
        let mut below: Vec<&str> = self.parameters.iter().map(|parameter| parameter.below.as_str()).collect();
        below.dedup();
        let deeper = below.into_iter().filter(|below| !below.is_empty());
        [self.object.clone()].into_iter().chain(deeper.map(|below| [&self.object, below].concat()))
    }

    /// Adds a parameter behind those of its object.
    fn insert(&mut self, parameter: Parameter) {
        let last = self.parameters.iter().rposition(|other| other.below == parameter.below);
        // The object of the section comes first.
        let place = match last {
            Some(last) => last + 1,
            None if parameter.below.is_empty() => 0,
            None => self.parameters.len(),
        };
        self.parameters.insert(place, parameter);
    }

    /// Path of the table with a dot at its end; `None` for a single object.
    pub(super) fn table(&self) -> Option<&str> {
        self.object.strip_suffix("{i}.").filter(|_| self.rows.is_some())
    }
}

/// What compiles one file.
struct Compiler<'p> {
    file: Rc<str>,
    providers: &'p [&'p str],
    /// Full names of parameters and paths of tables that are mapped.
    taken: HashSet<String>,
    errors: Vec<MappingError>,
}

/// What a call may do in its place.
#[derive(Clone, Copy)]
struct Context {
    in_row: bool,
    sets: bool,
}

impl Compiler<'_> {
    fn error(&mut self, line: u32, text: String) {
        self.errors.push(MappingError { file: self.file.to_string(), line, text });
    }

    fn file(&mut self, text: &str) -> Vec<Group> {
        let sections = match parse(&self.file, text) {
            Ok(sections) => sections,
            Err(errors) => {
                self.errors = errors;
                return Vec::new();
            }
        };
        let mut groups = Vec::new();
        for section in sections {
            match self.group(&section) {
                Ok(mut group) => {
                    for line in &section.lines {
                        match self.parameter(&group, line) {
                            Ok(parameter) => group.insert(parameter),
                            Err(text) => self.error(line.line, text),
                        }
                    }
                    groups.push(group);
                }
                Err(text) => self.error(section.line, text),
            }
        }
        groups
    }

    fn group(&mut self, section: &Section) -> Result<Group, String> {
        let path = &section.path;
        let rows = section.rows.as_ref().map(|call| self.rows(call, section.key.as_ref())).transpose()?;
        let is_table = path.ends_with(".{i}.");
        if is_table != rows.is_some() {
            return Err(match is_table {
                true => format!("`rows = ...` is missing behind [{path}]"),
                false => format!("[{path}] has no rows: a table ends with `{{i}}.`"),
            });
        }
        if path.matches("{i}").count() > usize::from(is_table) {
            return Err(format!(
                "[{path}] is below the rows of a table: write the rest of the path before the names of parameters, \
                 and map no table inside a table"
            ));
        }
        check_path(path)?;
        if is_table && !self.taken.insert(path.clone()) {
            return Err(format!("the rows of {path} are mapped already"));
        }
        Ok(Group { line: section.line, object: path.clone(), rows, parameters: Vec::new() })
    }

    fn rows(&self, call: &Call, key: Option<&Call>) -> Result<Rows, String> {
        let rows = match (call.name.as_str(), call.arguments.as_slice()) {
            ("keys", keys @ [_, ..]) => Rows::Keys(keys.to_vec()),
            ("keys", []) => return Err("`keys` takes the keys of the rows".to_owned()),
            ("entries", [folder]) => Rows::Entries { folder: absolute(folder)?, prefix: String::new() },
            ("entries", [folder, prefix]) => {
                Rows::Entries { folder: absolute(folder)?, prefix: prefix.clone() }
            }
            ("entries", _) => {
                return Err("`entries` takes a folder, and what the names begin with".to_owned());
            }
            (provider, arguments) => {
                self.provider(provider)?;
                let key = key.map_or(Ok(""), |key| key.exactly::<0>().map(|_| key.name.as_str()))?;
                let (provider, arguments) = (provider.to_owned(), arguments.to_vec());
                return Ok(Rows::Provider { provider, arguments, key: key.to_owned() });
            }
        };
        match key {
            Some(_) => Err(format!("`key` is for rows of a provider, not for `{}`", call.name)),
            None => Ok(rows),
        }
    }

    fn provider(&self, name: &str) -> Result<(), String> {
        if self.providers.contains(&name) {
            return Ok(());
        }
        Err(format!("there is no source `{name}` on this platform"))
    }

    fn parameter(&mut self, group: &Group, line: &Line) -> Result<Parameter, String> {
        let full = [group.object.as_str(), &line.name].concat();
        let below = line.name.rsplit_once('.').map_or(String::new(), |(below, _)| format!("{below}."));
        let name = line.name.rsplit('.').next().unwrap_or("").to_owned();
        let (rule, value_type) = named(&full, line.value_type.as_deref())?;
        if self.taken.len() >= limits::PARAMETERS {
            return Err(format!("more than {} parameters are mapped", limits::PARAMETERS));
        }
        let conversions: Vec<Conversion> =
            line.conversions.iter().map(Conversion::of).collect::<Result<_, _>>()?;
        check_conversions(&conversions, line, rule, value_type)?;
        let context = Context { in_row: group.rows.is_some(), sets: false };
        let source = self.source(&line.source, context)?;
        if let Source::Text(text) = &source {
            let converted = conversions.iter().try_fold(text.as_str().into(), |text, each| each.read(text));
            let value = converted.ok_or_else(|| format!("`{text}` does not go through the conversions"))?;
            check_value(rule, value_type, &value)?;
        }
        let context = Context { sets: true, ..context };
        let writer = line.set.as_ref().map(|call| self.writer(call, context)).transpose()?;
        match (&writer, rule) {
            (Some(_), Some(rule)) if !rule.is_writable() => {
                return Err(format!(
                    "{full} cannot be written, says TR-181 {VERSION}: `set` has no place here"
                ));
            }
            (Some(_), _) => {
                let one_way =
                    conversions.iter().zip(&line.conversions).find(|(each, _)| !each.is_reversible());
                if let Some((_, call)) = one_way {
                    return Err(format!("what goes through `{}` cannot be set", call.name));
                }
            }
            (None, Some(rule)) if rule.is_command() => {
                return Err(format!("{full} acts when it is set: `set = ...` is missing"));
            }
            (None, _) if line.reload.is_some() => return Err("`reload` follows a `set`".to_owned()),
            (None, _) => {}
        }
        let context = Context { sets: false, ..context };
        let reload = match &line.reload {
            None => None,
            Some(call) if call.name == "command" => Some(command(&call.arguments, context)?),
            Some(call) => return Err(format!("`reload` takes a `command`, not `{}`", call.name)),
        };
        if !self.taken.insert(full.clone()) {
            return Err(format!("{full} is mapped already"));
        }
        let (file, text, line) = (Rc::clone(&self.file), line.text.clone(), line.line);
        Ok(Parameter {
            file,
            line,
            text,
            full,
            below,
            name,
            rule,
            value_type,
            source,
            conversions,
            writer,
            reload,
        })
    }

    fn source(&self, call: &Call, context: Context) -> Result<Source, String> {
        match call.name.as_str() {
            "text" => call.exactly().map(|[text]| Source::Text(text.clone())),
            "key" if context.in_row => call.exactly::<0>().map(|_| Source::Key),
            "key" => Err("`key` is the key of a row: a single object has none".to_owned()),
            "file" => call.exactly().and_then(|[path]| Ok(Source::File(file(path, context)?))),
            "ini" => call.exactly().and_then(|[path, section, key]| {
                Ok(Source::Ini { file: file(path, context)?, section: section.clone(), key: key.clone() })
            }),
            "command" => command(&call.arguments, context).map(Source::Command),
            provider => {
                self.provider(provider)?;
                let field = match call.arguments.as_slice() {
                    [] => return Err(format!("`{provider}` takes the name of a field")),
                    [field] => field.clone(),
                    // The provider takes them apart again.
                    several if several.iter().any(|argument| argument.contains(',')) => {
                        return Err(format!("`{provider}` takes no comma in one of several arguments"));
                    }
                    several => several.join(","),
                };
                Ok(Source::Field { provider: provider.to_owned(), field })
            }
        }
    }

    fn writer(&self, call: &Call, context: Context) -> Result<Writer, String> {
        Ok(match self.source(call, context)? {
            Source::File(path) => Writer::File(path),
            Source::Ini { file, section, key } => Writer::Ini { file, section, key },
            Source::Command(words) => Writer::Command(words),
            Source::Field { provider, field } => Writer::Field { provider, field },
            Source::Text(_) | Source::Key => return Err(format!("`{}` cannot be set", call.name)),
        })
    }
}

/// What the model says of a full name, and its type.
fn named(full: &str, declared: Option<&str>) -> Result<(Option<Rule>, ValueType), String> {
    if let Some(Place::Parameter(_, parameter)) = Facts::tr181().find(full) {
        let rule = parameter.rule();
        if declared.is_some() {
            return Err(format!("{full} has its type from TR-181: leave `: type` out"));
        }
        if rule.is_alias() {
            return Err(format!("{full}: aliases are kept by the tree"));
        }
        if rule.status() == ModelStatus::Deleted {
            return Err(format!("{full} is deleted from TR-181 {VERSION}"));
        }
        if full.ends_with(COUNT_SUFFIX) {
            return Err(format!("{full}: rows are counted by the tree"));
        }
        return Ok((Some(rule), rule.value_type()));
    }
    let (object, _) = full.rsplit_once('.').unwrap_or((full, ""));
    if !is_vendor(full) {
        return Err(format!("TR-181 {VERSION} has no {full}"));
    }
    check_path(&format!("{object}."))?;
    check_vendor(full)?;
    let known = || ValueType::ALL.map(ValueType::xsd_name).join(", ");
    let declared =
        declared.ok_or_else(|| format!("{full} needs a type: `Name: type = ...` with {}", known()))?;
    let value_type = ValueType::from_xsd_name(declared);
    value_type.map(|known| (None, known)).ok_or_else(|| format!("`{declared}` is no type: {} are", known()))
}

fn is_vendor(path: &str) -> bool {
    path.split('.').any(|part| part.starts_with("X_"))
}

/// Whether a path with a dot at its end is that of a single object or of the rows of a table.
fn check_path(path: &str) -> Result<(), String> {
    if path.split_terminator('.').any(is_instance_number) {
        return Err(format!("[{path}]: rows are written `{{i}}`, not with numbers"));
    }
    match Facts::tr181().find(path) {
        Some(Place::Object(_)) => Ok(()),
        Some(Place::Table(_)) => Err(format!("[{path}] is a table: its rows are [{path}{{i}}.]")),
        _ if is_vendor(path) => check_vendor(path),
        _ => Err(format!("TR-181 {VERSION} has no {path}")),
    }
}

/// A vendor's name: `X_`, OUI or domain, `_`, name (TR-106 "Vendor-Specific Elements"), below something that is there.
fn check_vendor(path: &str) -> Result<(), String> {
    if path.len() > PARAMETER_NAME {
        return Err(format!("{path} has more than {PARAMETER_NAME} characters"));
    }
    let mut above = String::new();
    let mut parts = path.split_terminator('.').peekable();
    while let Some(part) = parts.next_if(|part| !part.starts_with("X_")) {
        above.push_str(part);
        above.push('.');
    }
    if !matches!(Facts::tr181().find(&above), Some(Place::Object(_))) {
        return Err(format!("TR-181 {VERSION} has no {above}, where {path} would be"));
    }
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
    };
    let is_vendors = |part: &str| {
        let named = part.strip_prefix("X_").and_then(|rest| rest.split_once('_'));
        named.is_some_and(|(vendor, name)| {
            let fits = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-';
            !vendor.is_empty() && vendor.chars().all(fits) && is_name(name)
        })
    };
    for part in parts {
        let good = match part {
            "{i}" => true,
            _ if part.starts_with("X_") => is_vendors(part),
            _ => is_name(part),
        };
        if !good {
            return Err(format!(
                "`{part}` is no vendor's name: X_, an OUI or a domain in capitals with hyphens, _, a name"
            ));
        }
    }
    Ok(())
}

fn check_conversions(
    conversions: &[Conversion],
    line: &Line,
    rule: Option<Rule>,
    value_type: ValueType,
) -> Result<(), String> {
    let is_list = rule.is_none_or(Rule::is_list);
    for (at, (conversion, call)) in conversions.iter().zip(&line.conversions).enumerate() {
        let (yields, is_last) = (conversion.yields(), at + 1 == conversions.len());
        if is_last && !fits(yields, value_type, is_list) {
            let what = if rule.is_some_and(Rule::is_list) { " list" } else { "" };
            return Err(format!("`{}` does not give a{what} {}", call.name, value_type.xsd_name()));
        }
        if !is_last && matches!(yields, Yields::Boolean | Yields::DateTime | Yields::List) {
            return Err(format!("`{}` comes last", call.name));
        }
        if let Conversion::Enum(pairs) = conversion
            && is_last
        {
            pairs.iter().try_for_each(|(_, value)| check_value(rule, value_type, value))?;
        }
    }
    Ok(())
}

fn check_value(rule: Option<Rule>, value_type: ValueType, value: &str) -> Result<(), String> {
    let checked = match rule {
        Some(rule) => validate(rule, None, value),
        None => validate_vendor(value_type, None, value),
    };
    checked.map(|_| ()).map_err(|invalid| format!("`{value}`: {}", invalid.text))
}

fn absolute(path: &str) -> Result<String, String> {
    let leads_back = path.split('/').any(|part| part == "..");
    if path.starts_with('/') && !leads_back && !path.contains('\0') {
        return Ok(path.to_owned());
    }
    Err(format!("`{path}` is no absolute path without `..`"))
}

fn file(path: &str, context: Context) -> Result<String, String> {
    check_places(path, Context { sets: false, ..context })?;
    absolute(path)
}

/// A program and its arguments.
fn command(words: &[String], context: Context) -> Result<Vec<String>, String> {
    let (program, arguments) = words.split_first().ok_or("`command` takes a program and its arguments")?;
    absolute(program)?;
    if program.contains(KEY) || program.contains(VALUE) {
        return Err(format!("`{program}`: a program is fixed"));
    }
    arguments.iter().try_for_each(|argument| check_places(argument, context))?;
    Ok(words.to_vec())
}

fn check_places(text: &str, context: Context) -> Result<(), String> {
    if text.contains(KEY) && !context.in_row {
        return Err(format!("`{text}`: a single object has no {KEY}"));
    }
    if text.contains(VALUE) && !context.sets {
        return Err(format!("`{text}`: only an argument of a program that sets has a {VALUE}"));
    }
    Ok(())
}

impl fmt::Display for Parameter {
    /// Where it is mapped, and how.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.text)
    }
}

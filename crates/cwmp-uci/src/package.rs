//! A configuration file in memory: sections with options, in the order of the file.

use std::fmt;

use crate::limits;

/// A configuration file in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    pub(crate) name: String,
    pub(crate) sections: Vec<Section>,
    /// Sections that were ever made, for the ids of those without a name.
    pub(crate) made: usize,
    /// Values that were ever put in.
    pub(crate) values: usize,
}

/// A section: `config interface 'lan'` and what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) anonymous: bool,
    pub(crate) options: Vec<UciOption>,
}

/// An option of a section: a single value or a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UciOption {
    pub(crate) name: String,
    pub(crate) value: Value,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    One(Text),
    List(Vec<Text>),
}

/// A value: the bytes of the file, which need not be UTF-8, and what is shown of them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Text {
    shown: String,
    /// Only where they are not what is shown.
    bytes: Option<Box<[u8]>>,
}

impl Text {
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.as_deref().unwrap_or(self.shown.as_bytes())
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(
            |error| {
                let bytes = error.into_bytes();
                let shown = String::from_utf8_lossy(&bytes).into_owned();
                Self { shown, bytes: Some(bytes.into_boxed_slice()) }
            },
            Self::from,
        )
    }
}

impl From<String> for Text {
    fn from(shown: String) -> Self {
        Self { shown, bytes: None }
    }
}

/// Values may be secret: only the length is shown.
impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} bytes>", self.bytes().len())
    }
}

/// More than a package may hold; the text names the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full(pub(crate) &'static str);

impl Package {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), sections: Vec::new(), made: 0, values: 0 }
    }

    /// The name of the package: that of its file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All sections, in the order of the file.
    #[must_use]
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The section with this name, or the one that `@type[n]` means, see [`Package::nth`]. A section without a name has the
    /// id that libuci gives it, `cfg` with its place and a hash, which is another as soon as something before it comes or
    /// goes.
    #[must_use]
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.position(name).and_then(|at| self.sections.get(at))
    }

    /// The sections of a type, in the order of the file.
    pub fn of_type<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Section> {
        self.sections.iter().filter(move |section| section.kind == kind)
    }

    /// The section `@kind[n]`: the `n`th of a type, from 0; negative counts from the end, and without a type all count.
    #[must_use]
    pub fn nth(&self, kind: Option<&str>, n: i64) -> Option<&Section> {
        self.nth_position(kind, n).and_then(|at| self.sections.get(at))
    }

    /// Where a section is: its name, its id or `@type[n]`.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        match indexed(name) {
            Some((kind, n)) => self.nth_position(kind, n),
            None => self.sections.iter().position(|section| section.name == name),
        }
    }

    fn nth_position(&self, kind: Option<&str>, n: i64) -> Option<usize> {
        let such = |(_, section): &(usize, &Section)| kind.is_none_or(|kind| section.kind == kind);
        let mut places = self.sections.iter().enumerate().filter(such).map(|(at, _)| at);
        let n_from_end = usize::try_from(n.unsigned_abs()).ok()?;
        if n >= 0 { places.nth(n_from_end) } else { places.rev().nth(n_from_end - 1) }
    }

    /// Adds a section at the end; without a name it gets its id. Returns where it is.
    pub(crate) fn add(&mut self, kind: &str, name: Option<&str>) -> Result<usize, Full> {
        if self.sections.len() >= limits::SECTIONS {
            return Err(Full("more sections than a package may have"));
        }
        self.made += 1;
        let id = || format!("cfg{:02x}{:04x}", self.made, hash(kind) & 0xffff);
        let (name, anonymous) = (name.map_or_else(id, str::to_owned), name.is_none());
        self.sections.push(Section { name, kind: kind.to_owned(), anonymous, options: Vec::new() });
        Ok(self.sections.len() - 1)
    }

    /// Counts a value that is about to be put in.
    pub(crate) fn count_value(&mut self) -> Result<(), Full> {
        self.values += 1;
        let full = Full("more values than a package may have");
        (self.values <= limits::VALUES).then_some(()).ok_or(full)
    }
}

/// `@interface[0]` and `@[-1]`.
fn indexed(name: &str) -> Option<(Option<&str>, i64)> {
    let (kind, n) = name.strip_prefix('@')?.strip_suffix(']')?.split_once('[')?;
    Some(((!kind.is_empty()).then_some(kind), n.parse().ok()?))
}

/// The hash that libuci makes ids with, by D. J. Bernstein.
fn hash(text: &str) -> u32 {
    text.bytes().fold(5381, |hash: u32, byte| hash.wrapping_mul(33).wrapping_add(u32::from(byte)))
}

impl Section {
    /// Its name; one without a name has an id, see [`Package::section`].
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its type.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Whether it has no name in the file.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.anonymous
    }

    /// Its options, in the order of the file.
    #[must_use]
    pub fn options(&self) -> &[UciOption] {
        &self.options
    }

    /// The option with this name.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<&UciOption> {
        self.options.iter().find(|option| option.name == name)
    }

    /// The value of an option; of a list the last one. Empty and absent are the same to UCI: `None`.
    #[must_use]
    pub fn get(&self, option: &str) -> Option<&str> {
        self.option(option).and_then(|option| option.values().last()).filter(|value| !value.is_empty())
    }

    /// The values of a list. A single value is split at blanks, as the programs that read UCI do where they want a list.
    #[must_use]
    pub fn list(&self, option: &str) -> Vec<&str> {
        match self.option(option).map(|option| &option.value) {
            Some(Value::List(items)) => items.iter().map(|item| item.shown.as_str()).collect(),
            Some(Value::One(text)) => words(&text.shown).collect(),
            None => Vec::new(),
        }
    }

    /// The words of an option, whether they are values of a list or stand in one value between blanks.
    #[must_use]
    pub fn words(&self, option: &str) -> Vec<&str> {
        self.option(option).into_iter().flat_map(UciOption::values).flat_map(words).collect()
    }

    /// Gives an option a single value, in its place or at the end. An empty one does nothing: to UCI that is no value.
    pub(crate) fn set(&mut self, option: &str, text: Text) -> Result<(), Full> {
        if text.bytes().is_empty() {
            return Ok(());
        }
        self.slot(option, || Value::One(Text::from(String::new()))).map(|value| *value = Value::One(text))
    }

    /// Adds a value to a list; a single value becomes the first of the list.
    pub(crate) fn push(&mut self, option: &str, text: Text) -> Result<(), Full> {
        let value = self.slot(option, || Value::List(Vec::new()))?;
        match value {
            Value::List(items) => items.push(text),
            Value::One(first) => *value = Value::List(vec![first.clone(), text]),
        }
        Ok(())
    }

    pub(crate) fn set_list(&mut self, option: &str, items: Vec<Text>) -> Result<(), Full> {
        self.slot(option, || Value::List(Vec::new())).map(|value| *value = Value::List(items))
    }

    /// The value of an option, made by `new` where there is none.
    fn slot(&mut self, name: &str, new: impl FnOnce() -> Value) -> Result<&mut Value, Full> {
        let at = self.options.iter().position(|option| option.name == name).unwrap_or(self.options.len());
        if at >= limits::OPTIONS {
            return Err(Full("more options than a section may have"));
        }
        if at == self.options.len() {
            self.options.push(UciOption { name: name.to_owned(), value: new() });
        }
        self.options.get_mut(at).map(|option| &mut option.value).ok_or(Full("no such option"))
    }
}

impl UciOption {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the file has it as a list.
    #[must_use]
    pub fn is_list(&self) -> bool {
        matches!(self.value, Value::List(_))
    }

    /// Its values: one, or those of the list. Bytes that are no UTF-8 are shown as U+FFFD, and stay what they are in the
    /// file.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.texts().iter().map(|text| text.shown.as_str())
    }

    pub(crate) fn texts(&self) -> &[Text] {
        match &self.value {
            Value::One(text) => std::slice::from_ref(text),
            Value::List(items) => items,
        }
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', '\t', '\n', '\r']).filter(|word| !word.is_empty())
}

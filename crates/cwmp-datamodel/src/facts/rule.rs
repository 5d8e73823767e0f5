//! What the model says of one object or parameter.

use cwmp_core::value::ValueType;

use super::{Facts, format};

/// The facts about one object or parameter, apart from its name.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    facts: Facts,
    first: u8,
    second: u8,
    facets: &'static [u8],
}

/// What a name of the model stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A single object.
    Object,
    /// A table and its instances.
    Table,
    /// A parameter of this type.
    Parameter(ValueType),
}

/// Who may change what the model speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nobody but the box.
    ReadOnly,
    /// The ACS too: set the parameter, add and delete instances.
    ReadWrite,
    /// The ACS, as long as nobody has (aliases, keys).
    WriteOnceReadOnly,
}

/// How alive an item of the model is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelStatus {
    /// In use.
    Current,
    /// There is something better.
    Deprecated,
    /// No longer to be implemented.
    Obsoleted,
    /// Gone from the model.
    Deleted,
}

/// When a default holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultOf {
    /// In an instance that was just made.
    Object,
    /// After a factory reset.
    Factory,
    /// When the implementation was just added.
    Implementation,
}

/// One thing that the model says of values or instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Facet {
    /// Shortest and longest value: characters, or bytes where the value is binary. Several are alternatives.
    Length(Option<u64>, u64),
    /// Least and greatest value. Several are alternatives.
    Range(Option<i64>, Option<i64>),
    /// Named type of TR-106, such as `IPAddress`.
    Named(&'static str),
    /// Allowed values, joined with `|`.
    Enumeration(&'static str),
    /// Path of the parameter that lists the allowed values.
    EnumerationRef(&'static str),
    /// Regular expression of XML Schema for the whole value.
    Pattern(&'static str),
    /// Tables whose rows the value may refer to, separated by blanks; relative as in TR-106; empty for any.
    PathRef(&'static str),
    /// Unique keys joined with `|`, each a parameter or several joined with `+`.
    Key(&'static str),
    /// Name of the parameter beside the table that counts its instances.
    Count(&'static str),
    /// Name of the parameter that puts an instance into force.
    Enable(&'static str),
    /// A default.
    Default(DefaultOf, &'static str),
}

impl Rule {
    pub(super) fn new(facts: Facts, record: &'static [u8]) -> Self {
        match record {
            [first, second, facets @ ..] => Self { facts, first: *first, second: *second, facets },
            _ => Self { facts, first: 0, second: 0, facets: &[] },
        }
    }

    /// Object, table, or parameter with its type.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self.first & 0x0f {
            format::TYPE_TABLE => Kind::Table,
            format::TYPE_OBJECT => Kind::Object,
            number => {
                Kind::Parameter(ValueType::ALL.get(usize::from(number)).copied().unwrap_or(ValueType::String))
            }
        }
    }

    /// Type of the value as messages carry it; string for what has none, and for a list, whatever its items are (TR-106
    /// "Comma-Separated Lists").
    #[must_use]
    pub fn value_type(self) -> ValueType {
        if self.is_list() { ValueType::String } else { self.item_type() }
    }

    /// Type of the value, of a list that of each item.
    #[must_use]
    pub fn item_type(self) -> ValueType {
        match self.kind() {
            Kind::Parameter(value_type) => value_type,
            Kind::Object | Kind::Table => ValueType::String,
        }
    }

    /// Who may change it.
    #[must_use]
    pub fn access(self) -> Access {
        match self.first >> 4 & 3 {
            1 => Access::ReadWrite,
            2 => Access::WriteOnceReadOnly,
            _ => Access::ReadOnly,
        }
    }

    /// Whether the model lets the ACS write it at all.
    #[must_use]
    pub fn is_writable(self) -> bool {
        self.access() != Access::ReadOnly
    }

    /// Whether the value is a comma-separated list.
    #[must_use]
    pub fn is_list(self) -> bool {
        self.first & format::FLAG_LIST != 0
    }

    /// How alive it is.
    #[must_use]
    pub fn status(self) -> ModelStatus {
        match self.second & 3 {
            1 => ModelStatus::Deprecated,
            2 => ModelStatus::Obsoleted,
            3 => ModelStatus::Deleted,
            _ => ModelStatus::Current,
        }
    }

    /// Whether every Inform carries it.
    #[must_use]
    pub fn is_forced_inform(self) -> bool {
        self.second & 1 << 2 != 0
    }

    /// Whether it has active notification for ever.
    #[must_use]
    pub fn is_force_enabled(self) -> bool {
        self.second & 1 << 3 != 0
    }

    /// Whether it has active notification until the ACS says otherwise.
    #[must_use]
    pub fn is_force_default_enabled(self) -> bool {
        self.second & 1 << 4 != 0
    }

    /// Whether active notification may be refused for it.
    #[must_use]
    pub fn can_deny(self) -> bool {
        self.second & 1 << 5 != 0
    }

    /// Whether it reads as empty over CWMP: passwords.
    #[must_use]
    pub fn is_hidden(self) -> bool {
        self.second & format::FLAG_HIDDEN != 0
    }

    /// Whether setting it acts, and it reads as false.
    #[must_use]
    pub fn is_command(self) -> bool {
        self.second & format::FLAG_COMMAND != 0
    }

    /// Everything else, in the order of the model.
    #[must_use]
    pub fn facets(self) -> Facets {
        Facets { facts: self.facts, rest: self.facets }
    }

    /// Whether the value is the alias of an instance.
    #[must_use]
    pub fn is_alias(self) -> bool {
        self.facets().any(|facet| facet == Facet::Named("Alias"))
    }

    /// The parameter that counts the instances of this table.
    #[must_use]
    pub fn count(self) -> Option<&'static str> {
        self.facets().find_map(|facet| if let Facet::Count(name) = facet { Some(name) } else { None })
    }
}

/// Goes through the facets of a rule.
#[derive(Clone, Debug)]
pub struct Facets {
    facts: Facts,
    rest: &'static [u8],
}

impl Facets {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn signed(&mut self) -> Option<i64> {
        let number = self.number()?;
        Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    fn text(&mut self) -> Option<&'static str> {
        let at = usize::try_from(self.number()?).ok()?;
        let length = usize::try_from(self.number()?).ok()?;
        Some(self.facts.text(at, length))
    }
}

impl Iterator for Facets {
    type Item = Facet;

    fn next(&mut self) -> Option<Facet> {
        Some(match self.byte()? {
            format::TAG_LENGTH_TO => Facet::Length(None, self.number()?),
            format::TAG_LENGTH => Facet::Length(Some(self.number()?), self.number()?),
            format::TAG_RANGE_FROM => Facet::Range(Some(self.signed()?), None),
            format::TAG_RANGE_TO => Facet::Range(None, Some(self.signed()?)),
            format::TAG_RANGE => Facet::Range(Some(self.signed()?), Some(self.signed()?)),
            format::TAG_NAMED => Facet::Named(self.text()?),
            format::TAG_ENUMERATION => Facet::Enumeration(self.text()?),
            format::TAG_ENUMERATION_REF => Facet::EnumerationRef(self.text()?),
            format::TAG_PATTERN => Facet::Pattern(self.text()?),
            format::TAG_PATH_REF => Facet::PathRef(self.text()?),
            format::TAG_KEY => Facet::Key(self.text()?),
            format::TAG_COUNT => Facet::Count(self.text()?),
            format::TAG_ENABLE => Facet::Enable(self.text()?),
            format::TAG_DEFAULT_OBJECT => Facet::Default(DefaultOf::Object, self.text()?),
            format::TAG_DEFAULT_FACTORY => Facet::Default(DefaultOf::Factory, self.text()?),
            format::TAG_DEFAULT_IMPLEMENTATION => Facet::Default(DefaultOf::Implementation, self.text()?),
            _ => return None,
        })
    }
}

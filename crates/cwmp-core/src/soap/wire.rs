//! How one thing looks on the wire, in both directions: [`Wire`] for the content of an element, [`record!`] for structures,
//! [`choice!`] for enumerations, arrays for [`Entry`]s.

use crate::{
    datetime::DateTime,
    fault::FaultCode,
    rpc::{CommandKey, ParameterKey},
};

use super::{
    reader::{Reader, Space, Trouble, boolean},
    writer::{Sink, close, leaf, open, open_array},
};

/// Something that one element holds.
pub(super) trait Wire: Sized {
    /// Reads the content of the current element, its end included. `max` bounds the characters of a string, or of each
    /// string in an array.
    fn read(reader: &mut Reader<'_>, max: usize) -> Result<Self, Trouble>;

    /// Writes the element.
    fn write(&self, name: &str, out: &mut dyn Sink);

    /// Whether an optional element of this content is left out.
    fn is_absent(&self) -> bool {
        false
    }
}

/// An entry of a SOAP array.
pub(super) trait Entry: Wire {
    /// Element name of an entry. When reading, any name will do: SOAP 1.1 gives it no meaning (5.4.2).
    const ELEMENT: &'static str;
    /// Type of an entry in `soap-enc:arrayType`.
    const TYPE: &'static str;
    /// Fewest entries that the schema allows.
    const LEAST: usize = 0;
    /// Most entries that the schema allows.
    const MOST: usize = usize::MAX;
}

/// Where a child element's content goes while its parent is read.
pub(super) trait Slot {
    fn fill(&mut self, reader: &mut Reader<'_>, max: usize) -> Result<(), Trouble>;
    /// Whether it was filled at least once.
    fn is_filled(&self) -> bool;
    /// Whether a second element of this name is one too many.
    fn is_full(&self) -> bool;
}

impl<T: Wire> Slot for Option<T> {
    fn fill(&mut self, reader: &mut Reader<'_>, max: usize) -> Result<(), Trouble> {
        *self = Some(T::read(reader, max)?);
        Ok(())
    }

    fn is_filled(&self) -> bool {
        self.is_some()
    }

    fn is_full(&self) -> bool {
        self.is_some()
    }
}

/// Elements that stand repeated without an array around them.
impl<T: Wire> Slot for Vec<T> {
    fn fill(&mut self, reader: &mut Reader<'_>, max: usize) -> Result<(), Trouble> {
        if self.len() >= reader.bounds.array_entries {
            return Err(Trouble::too_much(reader.bounds.array_entries));
        }
        self.push(T::read(reader, max)?);
        Ok(())
    }

    fn is_filled(&self) -> bool {
        !self.is_empty()
    }

    fn is_full(&self) -> bool {
        false
    }
}

/// One child that a structure may have.
pub(super) struct Field<'a> {
    pub name: &'static str,
    pub max: usize,
    pub required: bool,
    pub slot: &'a mut dyn Slot,
}

impl<'a> Field<'a> {
    /// A child that must be there.
    pub(super) fn required(name: &'static str, slot: &'a mut dyn Slot) -> Self {
        Self { name, max: usize::MAX, required: true, slot }
    }

    /// A child that may be missing.
    pub(super) fn optional(name: &'static str, slot: &'a mut dyn Slot) -> Self {
        Self { name, max: usize::MAX, required: false, slot }
    }

    fn target(&mut self) -> (&'static str, usize, &mut dyn Slot) {
        (self.name, self.max, &mut *self.slot)
    }

    /// Its name, where it must be there and is not.
    fn missing(&self) -> Option<&'static str> {
        (self.required && !self.slot.is_filled()).then_some(self.name)
    }

    /// Bounds the characters of its text.
    pub(super) fn at_most(mut self, max: usize) -> Self {
        self.max = max;
        self
    }
}

/// Reads the children of the current element, in any order, its end included.
///
/// Unknown children do no harm inside structures, but a method with an argument that it does not have is refused
/// (TR-069a6 A.5.1, fault 9003).
pub(super) fn read_fields(reader: &mut Reader<'_>, fields: &mut [Field<'_>]) -> Result<(), Trouble> {
    read_extended(reader, fields, None)
}

/// [`read_fields`] for a structure that extends another one by one more child.
pub(super) fn read_extended(
    reader: &mut Reader<'_>,
    fields: &mut [Field<'_>],
    mut more: Option<Field<'_>>,
) -> Result<(), Trouble> {
    let strict = reader.strict_depth == Some(reader.depth());
    while let Some(tag) = reader.child()? {
        let name = tag.name();
        let known = if tag.space == Space::Foreign {
            None
        } else {
            let own = fields.iter_mut().find(|f| f.name == name).map(Field::target);
            own.or_else(|| more.as_mut().filter(|f| f.name == name).map(Field::target))
        };
        match known {
            Some((name, _, slot)) if slot.is_full() => {
                return Err(Trouble::argument("is there twice").within(name));
            }
            Some((name, max, slot)) => slot.fill(reader, max).map_err(|trouble| trouble.within(name))?,
            None if strict => {
                let name: String = name.chars().take(64).collect();
                return Err(Trouble::argument("is no argument of the method").within(&name));
            }
            None => reader.skip()?,
        }
    }
    let missing = fields.iter().find_map(Field::missing).or_else(|| more.as_ref().and_then(Field::missing));
    missing.map_or(Ok(()), |name| Err(Trouble::argument("is missing").within(name)))
}

/// What a required slot holds after [`read_fields`].
pub(super) fn filled<T>(slot: Option<T>) -> Result<T, Trouble> {
    slot.ok_or_else(incomplete)
}

/// A required slot is empty, which [`read_fields`] has ruled out.
#[cold]
pub(super) fn incomplete() -> Trouble {
    Trouble::argument("is missing")
}

/// A structure: `record!(Type { field: "Element" [most characters] optional, ... })`.
macro_rules! record {
    ($type:ident { $($field:ident: $name:literal $([$max:expr])? $($optional:ident)?),* $(,)? }) => {
        impl $type {
            /// Reads the children; `more` takes those of a structure that extends this one.
            fn read_record(
                reader: &mut $crate::soap::reader::Reader<'_>,
                more: Option<$crate::soap::wire::Field<'_>>,
            ) -> Result<Self, $crate::soap::reader::Trouble> {
                $(let mut $field = None;)*
                $crate::soap::wire::read_extended(
                    reader,
                    &mut [$($crate::soap::wire::record!(@field $name $field $([$max])? $($optional)?)),*],
                    more,
                )?;
                // One way out for all of them: a way each would drop every field in as many places.
                let ($($crate::soap::wire::record!(@filled $field $($optional)?),)*) = ($($field,)*) else {
                    return Err($crate::soap::wire::incomplete());
                };
                Ok(Self { $($field: $crate::soap::wire::record!(@take $field $($optional)?)),* })
            }

            /// Writes the children.
            fn write_record(&self, out: &mut dyn $crate::soap::writer::Sink) {
                $($crate::soap::wire::record!(@write (self.$field) $name out $($optional)?);)*
            }
        }

        impl $crate::soap::wire::Wire for $type {
            fn read(
                reader: &mut $crate::soap::reader::Reader<'_>,
                _max: usize,
            ) -> Result<Self, $crate::soap::reader::Trouble> {
                Self::read_record(reader, None)
            }

            fn write(&self, name: &str, out: &mut dyn $crate::soap::writer::Sink) {
                $crate::soap::writer::open(name, out);
                self.write_record(out);
                $crate::soap::writer::close(name, out);
            }
        }
    };
    (@field $name:literal $field:ident) => { $crate::soap::wire::Field::required($name, &mut $field) };
    (@field $name:literal $field:ident [$max:expr]) => {
        $crate::soap::wire::Field::required($name, &mut $field).at_most($max)
    };
    (@field $name:literal $field:ident optional) => { $crate::soap::wire::Field::optional($name, &mut $field) };
    (@field $name:literal $field:ident [$max:expr] optional) => {
        $crate::soap::wire::Field::optional($name, &mut $field).at_most($max)
    };
    (@filled $field:ident) => { Some($field) };
    (@filled $field:ident optional) => { $field };
    (@take $field:ident) => { $field };
    (@take $field:ident optional) => { $field.unwrap_or_default() };
    (@write ($value:expr) $name:literal $out:ident) => { $crate::soap::wire::Wire::write(&$value, $name, $out) };
    (@write ($value:expr) $name:literal $out:ident optional) => {
        if !$crate::soap::wire::Wire::is_absent(&$value) {
            $crate::soap::wire::Wire::write(&$value, $name, $out)
        }
    };
}
pub(super) use record;

/// An enumeration: `choice!(Type { Variant = "text", ... })`.
macro_rules! choice {
    ($type:ident { $($variant:ident = $text:literal),* $(,)? }) => {
        impl $crate::soap::wire::Wire for $type {
            fn read(
                reader: &mut $crate::soap::reader::Reader<'_>,
                _max: usize,
            ) -> Result<Self, $crate::soap::reader::Trouble> {
                match reader.text()?.trim() {
                    $($text => Ok(Self::$variant),)*
                    _ => Err($crate::soap::reader::Trouble::argument(
                        concat!("is none of" $(, " `", $text, "`")*)
                    )),
                }
            }

            fn write(&self, name: &str, out: &mut dyn $crate::soap::writer::Sink) {
                $crate::soap::writer::leaf(name, match self { $(Self::$variant => $text),* }, out);
            }
        }
    };
}
pub(super) use choice;

/// A string of at most `max` characters, verbatim.
impl Wire for String {
    fn read(reader: &mut Reader<'_>, max: usize) -> Result<Self, Trouble> {
        let text = reader.text()?;
        // A text of few bytes has few characters: most need no counting.
        if text.len() > max && text.chars().count() > max {
            return Err(Trouble::argument(format!("is longer than {max} characters")));
        }
        Ok(text)
    }

    fn write(&self, name: &str, out: &mut dyn Sink) {
        leaf(name, self, out);
    }

    fn is_absent(&self) -> bool {
        self.is_empty()
    }
}

impl Entry for String {
    const ELEMENT: &'static str = "string";
    const TYPE: &'static str = "xsd:string";
}

/// Numbers and keys: read from a text, written as one.
macro_rules! textual {
    ($($type:ty: $why:literal, $parse:expr, $text:expr;)*) => {$(
        impl Wire for $type {
            fn read(reader: &mut Reader<'_>, _max: usize) -> Result<Self, Trouble> {
                let parse: fn(String) -> Option<Self> = $parse;
                parse(reader.text()?).ok_or_else(|| Trouble::argument($why))
            }

            fn write(&self, name: &str, out: &mut dyn Sink) {
                let text: fn(&Self) -> std::borrow::Cow<'_, str> = $text;
                leaf(name, &text(self), out);
            }

            fn is_absent(&self) -> bool {
                let text: fn(&Self) -> std::borrow::Cow<'_, str> = $text;
                text(self).is_empty()
            }
        }
    )*};
}

textual! {
    u32: "is no unsignedInt", |text| text.trim().parse().ok(), |n| n.to_string().into();
    i32: "is no int", |text| text.trim().parse().ok(), |n| n.to_string().into();
    bool: "is no boolean", |text| boolean(text.trim()), |b| (if *b { "1" } else { "0" }).into();
    DateTime: "is no dateTime", |text| DateTime::parse(&text).ok(), |time| time.to_string().into();
    CommandKey: "is longer than 32 characters", |text| Self::new(text).ok(), |key| key.as_str().into();
    ParameterKey: "is longer than 32 characters", |text| Self::new(text).ok(), |key| key.as_str().into();
    FaultCode: "is no fault code", |text| text.trim().parse().ok().map(FaultCode), |code| code.0.to_string().into();
}

/// An element that the schema allows to be missing.
impl<T: Wire> Wire for Option<T> {
    fn read(reader: &mut Reader<'_>, max: usize) -> Result<Self, Trouble> {
        T::read(reader, max).map(Some)
    }

    fn write(&self, name: &str, out: &mut dyn Sink) {
        if let Some(value) = self {
            value.write(name, out);
        }
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

/// A SOAP array. Its `arrayType` is not read: the entries themselves tell how many there are.
impl<T: Entry> Wire for Vec<T> {
    fn read(reader: &mut Reader<'_>, max: usize) -> Result<Self, Trouble> {
        let mut entries = Vec::new();
        while reader.child()?.is_some() {
            if entries.len() >= reader.bounds.array_entries {
                return Err(Trouble::too_much(reader.bounds.array_entries));
            }
            if entries.len() >= T::MOST {
                return Err(Trouble::argument(format!("has more than {} entries", T::MOST)));
            }
            let entry = T::read(reader, max).map_err(|t| t.within(&format!("[{}]", entries.len() + 1)))?;
            entries.push(entry);
        }
        if entries.len() < T::LEAST {
            return Err(Trouble::argument("has no entry"));
        }
        Ok(entries)
    }

    fn write(&self, name: &str, out: &mut dyn Sink) {
        open_array(name, T::TYPE, self.len(), out);
        for entry in self {
            entry.write(T::ELEMENT, out);
        }
        close(name, out);
    }
}

/// Nothing: the content of a message without arguments.
impl Wire for () {
    fn read(reader: &mut Reader<'_>, _max: usize) -> Result<Self, Trouble> {
        read_fields(reader, &mut [])
    }

    fn write(&self, name: &str, out: &mut dyn Sink) {
        open(name, out);
        close(name, out);
    }
}

/// A message with a single argument.
pub(super) fn read_only<T: Wire>(
    reader: &mut Reader<'_>,
    name: &'static str,
    max: usize,
) -> Result<T, Trouble> {
    let mut slot = None;
    read_fields(reader, &mut [Field::required(name, &mut slot).at_most(max)])?;
    filled(slot)
}

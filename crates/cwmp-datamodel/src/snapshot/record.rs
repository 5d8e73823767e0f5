//! One parameter in the arena.

use std::fmt::{self, Write};

use cwmp_core::value::ValueType;

use crate::limits;

/// In place of an ordinal: the record names itself. The model has no object with so many parameters.
pub(super) const VENDOR: u8 = u8::MAX;

/// What is known of a parameter beside its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flags(pub(super) u8);

impl Flags {
    const WRITABLE: u8 = 1;
    const MARKED: u8 = 1 << 1;
    const SUBSCRIBER: u8 = 1 << 5;

    pub(super) fn new(writable: bool) -> Self {
        Self(if writable { Self::WRITABLE } else { 0 } | Self::SUBSCRIBER)
    }

    pub(super) fn writable(self) -> bool {
        self.0 & Self::WRITABLE != 0
    }

    pub(super) fn marked(self) -> bool {
        self.0 & Self::MARKED != 0
    }

    pub(super) fn notification(self) -> u8 {
        self.0 >> 2 & 7
    }

    pub(super) fn subscriber(self) -> bool {
        self.0 & Self::SUBSCRIBER != 0
    }

    /// Part of the listing, with these attributes.
    pub(super) fn mark(self, notification: u8, subscriber: bool) -> Self {
        let subscriber = if subscriber { Self::SUBSCRIBER } else { 0 };
        Self(self.0 & Self::WRITABLE | Self::MARKED | (notification & 7) << 2 | subscriber)
    }
}

/// A record, read in place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    pub(super) ordinal: u8,
    pub(super) flags: Flags,
    pub(super) vendor: Option<(&'a str, ValueType)>,
    pub(super) value: &'a str,
    /// Where its flags are.
    pub(super) flags_at: usize,
    /// Where the next record begins.
    pub(super) next: u32,
}

impl<'a> Record<'a> {
    pub(super) fn read(bytes: &'a [u8], at: u32) -> Option<Self> {
        let start = at as usize;
        let (&[ordinal, flags], mut rest) = bytes.get(start..)?.split_first_chunk()?;
        let text = |bytes: &'a [u8]| std::str::from_utf8(bytes).unwrap_or("");
        let mut vendor = None;
        if ordinal == VENDOR {
            let (&[number, length], behind) = rest.split_first_chunk()?;
            let (name, behind) = behind.split_at_checked(usize::from(length))?;
            vendor = Some((text(name), *ValueType::ALL.get(usize::from(number))?));
            rest = behind;
        }
        let mut length = 0_usize;
        for shift in [0, 7, 14, 21] {
            let (byte, behind) = rest.split_first()?;
            rest = behind;
            length |= usize::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                break;
            }
        }
        let (value, rest) = rest.split_at_checked(length)?;
        let next = u32::try_from(bytes.len() - rest.len()).ok()?;
        Some(Self { ordinal, flags: Flags(flags), vendor, value: text(value), flags_at: start + 1, next })
    }
}

/// Appends the head of a record.
pub(super) fn write_head(bytes: &mut Vec<u8>, ordinal: u8, flags: Flags, vendor: Option<(&str, ValueType)>) {
    bytes.extend([ordinal, flags.0]);
    if let Some((name, value_type)) = vendor {
        let number = ValueType::ALL.iter().position(|known| *known == value_type).unwrap_or(0);
        bytes.extend([u8::try_from(number).unwrap_or(0), u8::try_from(name.len()).unwrap_or(0)]);
        bytes.extend(name.as_bytes());
    }
}

/// Appends a value with its length, without a copy in between.
///
/// # Errors
/// Where the value fails to write itself or is longer than [`limits::VALUE_BYTES`].
pub(super) fn write_value(bytes: &mut Vec<u8>, value: &dyn fmt::Display) -> fmt::Result {
    struct Tail<'a>(&'a mut Vec<u8>, usize);

    impl Write for Tail<'_> {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.1 = self.1.checked_sub(text.len()).ok_or(fmt::Error)?;
            self.0.extend(text.as_bytes());
            Ok(())
        }
    }

    let length_at = bytes.len();
    bytes.push(0);
    write!(Tail(bytes, limits::VALUE_BYTES), "{value}")?;
    let mut length = bytes.len() - length_at - 1;
    let mut digits = Vec::new();
    while length >= 0x80 {
        digits.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    // Nearly every value is short: its length takes the one byte that is reserved.
    let last = (length & 0x7f) as u8;
    if digits.is_empty() {
        if let Some(byte) = bytes.get_mut(length_at) {
            *byte = last;
        }
    } else {
        digits.push(last);
        bytes.splice(length_at..=length_at, digits);
    }
    Ok(())
}

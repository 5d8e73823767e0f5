//! blobmsg: tables of typed, named values (libubox `blobmsg.h`).
//!
//! A value is an extended attribute whose id is its type. Its data begins with the length of its name in two bytes, the
//! name, NUL, and zeros up to a multiple of four.

use crate::{
    blob::{self, Attributes},
    error::{DecodeError, EncodeError},
    limits,
    value::{Table, Value},
};

pub(crate) const ARRAY: u8 = 1;
pub(crate) const TABLE: u8 = 2;
pub(crate) const STRING: u8 = 3;
pub(crate) const INT64: u8 = 4;
pub(crate) const INT32: u8 = 5;
pub(crate) const INT16: u8 = 6;
pub(crate) const BOOL: u8 = 7;
pub(crate) const DOUBLE: u8 = 8;
pub(crate) const UNSPEC: u8 = 0;

/// Reads the values of a table, as they are in the DATA of a message.
///
/// # Errors
/// The first thing that is no value, or a limit.
pub fn decode(bytes: &[u8]) -> Result<Table, DecodeError> {
    if bytes.len() > limits::FRAME_BYTES {
        return Err(DecodeError::TooLarge);
    }
    Decoder { values: 0 }.table(bytes, 0)
}

struct Decoder {
    values: usize,
}

impl Decoder {
    fn table(&mut self, bytes: &[u8], depth: usize) -> Result<Table, DecodeError> {
        let mut table = Table::new();
        self.children(bytes, depth, |name, value| table.push(text(name), value))?;
        Ok(table)
    }

    fn children(
        &mut self,
        bytes: &[u8],
        depth: usize,
        mut found: impl FnMut(&[u8], Value),
    ) -> Result<(), DecodeError> {
        if depth > limits::DEPTH {
            return Err(DecodeError::TooDeep);
        }
        for attribute in Attributes(bytes) {
            let attribute = attribute?;
            self.values += 1;
            if self.values > limits::VALUES {
                return Err(DecodeError::TooMany);
            }
            if !attribute.extended {
                return Err(DecodeError::NoName);
            }
            let (name, data) = named(attribute.data)?;
            found(name, self.value(attribute.id, data, depth)?);
        }
        Ok(())
    }

    fn value(&mut self, kind: u8, data: &[u8], depth: usize) -> Result<Value, DecodeError> {
        Ok(match kind {
            UNSPEC => Value::Unspec,
            ARRAY => {
                let mut values = Vec::new();
                self.children(data, depth + 1, |_, value| values.push(value))?;
                Value::Array(values)
            }
            TABLE => Value::Table(self.table(data, depth + 1)?),
            STRING => {
                let (0, bytes) = data.split_last().ok_or(DecodeError::NoNul)? else {
                    return Err(DecodeError::NoNul);
                };
                Value::String(text(bytes))
            }
            INT64 => Value::Int64(i64::from_be_bytes(sized(kind, data)?)),
            INT32 => Value::Int32(i32::from_be_bytes(sized(kind, data)?)),
            INT16 => Value::Int16(i16::from_be_bytes(sized(kind, data)?)),
            BOOL => Value::Bool(sized::<1>(kind, data)? != [0]),
            DOUBLE => Value::Double(f64::from_be_bytes(sized(kind, data)?)),
            other => return Err(DecodeError::Type(other)),
        })
    }
}

/// Splits the data of a value into its name and what follows.
fn named(data: &[u8]) -> Result<(&[u8], &[u8]), DecodeError> {
    let (length, rest) = data.split_first_chunk().ok_or(DecodeError::NoName)?;
    let length = usize::from(u16::from_be_bytes(*length));
    let (name, rest) = rest.split_at_checked(length).ok_or(DecodeError::Beyond)?;
    if rest.first() != Some(&0) {
        return Err(DecodeError::NoNul);
    }
    let filled = (2 + length + 1).next_multiple_of(4) - 2 - length;
    // A value without data may end with its name: nothing is left to be aligned.
    Ok((name, rest.get(filled..).unwrap_or_default()))
}

fn sized<const N: usize>(kind: u8, data: &[u8]) -> Result<[u8; N], DecodeError> {
    data.try_into().map_err(|_| DecodeError::Size(kind))
}

/// Text up to its first NUL, as C reads it.
fn text(bytes: &[u8]) -> String {
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

/// Writes the values of a table, as they are in the DATA of a message.
///
/// # Errors
/// A limit, or text that the bus cannot carry.
pub fn encode(table: &Table) -> Result<Vec<u8>, EncodeError> {
    let mut encoder = Encoder { out: Vec::new(), values: 0 };
    encoder.table(table, 0)?;
    Ok(encoder.out)
}

struct Encoder {
    out: Vec<u8>,
    values: usize,
}

impl Encoder {
    fn table(&mut self, table: &Table, depth: usize) -> Result<(), EncodeError> {
        table.iter().try_for_each(|(name, value)| self.value(name, value, depth))
    }

    fn value(&mut self, name: &str, value: &Value, depth: usize) -> Result<(), EncodeError> {
        self.values += 1;
        if depth > limits::DEPTH {
            return Err(EncodeError::TooDeep);
        }
        if self.values > limits::VALUES {
            return Err(EncodeError::TooMany);
        }
        let kind = match value {
            Value::Unspec => UNSPEC,
            Value::Array(_) => ARRAY,
            Value::Table(_) => TABLE,
            Value::String(_) => STRING,
            Value::Int64(_) => INT64,
            Value::Int32(_) => INT32,
            Value::Int16(_) => INT16,
            Value::Bool(_) => BOOL,
            Value::Double(_) => DOUBLE,
        };
        let opened = blob::open(&mut self.out, kind, true);
        let length = u16::try_from(name.len()).map_err(|_| EncodeError::LongName)?;
        self.out.extend_from_slice(&length.to_be_bytes());
        self.text(name)?;
        blob::pad(&mut self.out);
        match value {
            Value::Unspec => {}
            Value::Array(values) => values.iter().try_for_each(|value| self.value("", value, depth + 1))?,
            Value::Table(table) => self.table(table, depth + 1)?,
            Value::String(text) => self.text(text)?,
            Value::Int64(number) => self.out.extend_from_slice(&number.to_be_bytes()),
            Value::Int32(number) => self.out.extend_from_slice(&number.to_be_bytes()),
            Value::Int16(number) => self.out.extend_from_slice(&number.to_be_bytes()),
            Value::Bool(yes) => self.out.push((*yes).into()),
            Value::Double(number) => self.out.extend_from_slice(&number.to_be_bytes()),
        }
        blob::close(&mut self.out, opened);
        if self.out.len() > limits::FRAME_BYTES {
            return Err(EncodeError::TooLarge);
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), EncodeError> {
        if text.as_bytes().contains(&0) {
            return Err(EncodeError::Nul);
        }
        if text.len() > limits::FRAME_BYTES {
            return Err(EncodeError::TooLarge);
        }
        self.out.extend_from_slice(text.as_bytes());
        self.out.push(0);
        Ok(())
    }
}

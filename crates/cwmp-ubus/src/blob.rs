//! Blobs: what messages are made of (libubox `blob.h`).
//!
//! An attribute is a word of four bytes, big endian, its data, and zeros up to a multiple of four. The word holds a flag
//! (extended), seven bits of id and 24 bits of length, which counts the word and not the zeros.

use crate::error::DecodeError;

const EXTENDED: u32 = 0x8000_0000;
const LENGTH: u32 = 0x00ff_ffff;

/// One attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attribute<'a> {
    pub(crate) id: u8,
    pub(crate) extended: bool,
    pub(crate) data: &'a [u8],
}

/// The attributes one after the other; ends after the first error.
pub(crate) struct Attributes<'a>(pub(crate) &'a [u8]);

impl<'a> Attributes<'a> {
    fn take(&mut self) -> Result<Attribute<'a>, DecodeError> {
        let (word, _) = self.0.split_first_chunk().ok_or(DecodeError::Beyond)?;
        let word = u32::from_be_bytes(*word);
        let length = (word & LENGTH) as usize;
        let (padded, rest) =
            self.0.split_at_checked(length.next_multiple_of(4)).ok_or(DecodeError::Beyond)?;
        let data = padded.get(4..length).ok_or(DecodeError::Short)?;
        self.0 = rest;
        Ok(Attribute { id: ((word >> 24) & 0x7f) as u8, extended: word & EXTENDED != 0, data })
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<Attribute<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let taken = self.take();
        if taken.is_err() {
            self.0 = &[];
        }
        Some(taken)
    }
}

/// Where an attribute begins that is being written.
pub(crate) struct Opened(usize);

/// Starts an attribute; [`close`] writes its length once its data is there.
pub(crate) fn open(out: &mut Vec<u8>, id: u8, extended: bool) -> Opened {
    let opened = Opened(out.len());
    let word = u32::from(id & 0x7f) << 24 | if extended { EXTENDED } else { 0 };
    out.extend_from_slice(&word.to_be_bytes());
    opened
}

/// Ends an attribute. Whoever writes keeps the whole below [`FRAME_BYTES`](crate::limits::FRAME_BYTES), so the length fits.
pub(crate) fn close(out: &mut Vec<u8>, opened: Opened) {
    let [_, length @ ..] = ((out.len() - opened.0) as u32).to_be_bytes();
    if let Some(word) = out.get_mut(opened.0 + 1..opened.0 + 4) {
        word.copy_from_slice(&length);
    }
    pad(out);
}

/// Writes an attribute that is there as a whole.
pub(crate) fn put(out: &mut Vec<u8>, id: u8, data: &[u8]) {
    let opened = open(out, id, false);
    out.extend_from_slice(data);
    close(out, opened);
}

/// Fills up to a multiple of four.
pub(crate) fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}

//! A device or file over memory: two copies, written in turn.
//!
//! Each half of the area holds one record, numbers in little-endian order:
//!
//! ```text
//! 0   8 bytes  magic
//! 8   u32      version of the layout
//! 12  u32      length of the content
//! 16  u32      sequence: the higher of the two is the newer
//! 20  u32      CRC-32 of bytes 8 to 19 and of the content
//! 24           content: a ProzoneCopy as JSON
//! ```

use std::{
    fs::{File, OpenOptions},
    io::ErrorKind,
    os::unix::fs::FileExt,
    path::PathBuf,
};

use cwmp_core::rpc::CommandKey;

use super::{Prozone, ProzoneCopy, ProzoneError, crc32};

const MAGIC: &[u8; 8] = b"cwmpdPRZ";
const VERSION: u32 = 1;
const HEADER: usize = 24;
/// Smallest area, in bytes: two copies with a few keys each.
pub const SMALLEST: u32 = 512;

/// An area of a device or file. It must be writable in place: raw flash, which has to be erased first, is not.
#[derive(Clone, Debug)]
pub struct MemoryZone {
    path: PathBuf,
    offset: u64,
    half: u64,
}

/// A record that is whole.
struct Record {
    sequence: u32,
    content: Vec<u8>,
}

impl MemoryZone {
    /// The area of `size` bytes from `offset` on. It is not made where it is missing: the memory is not there then.
    #[must_use]
    pub fn new(path: PathBuf, offset: u64, size: u32) -> Self {
        Self { path, offset, half: u64::from(size / 2) }
    }

    fn error(&self, reason: impl ToString) -> ProzoneError {
        ProzoneError::new(&self.path, reason)
    }

    fn open(&self, write: bool) -> Result<File, ProzoneError> {
        let opened = OpenOptions::new().read(true).write(write).open(&self.path);
        opened.map_err(|error| self.error(format!("cannot open it: {error}")))
    }

    fn at(&self, half: usize) -> u64 {
        if half == 0 { self.offset } else { self.offset.saturating_add(self.half) }
    }

    /// Both records; `None` for one that is not whole.
    fn records(&self, file: &File) -> Result<[Option<Record>; 2], ProzoneError> {
        Ok([self.record(file, 0)?, self.record(file, 1)?])
    }

    fn record(&self, file: &File, half: usize) -> Result<Option<Record>, ProzoneError> {
        let mut bytes = vec![0; usize::try_from(self.half).unwrap_or(0)];
        match file.read_exact_at(&mut bytes, self.at(half)) {
            Ok(()) => Ok(parse(&bytes)),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                Err(self.error("it is smaller than prozone_offset and prozone_size say"))
            }
            Err(error) => Err(self.error(format!("cannot read it: {error}"))),
        }
    }

    fn write(&self, file: &File, half: usize, bytes: &[u8]) -> Result<(), ProzoneError> {
        let written = file.write_all_at(bytes, self.at(half)).and_then(|()| match file.sync_data() {
            // A character device has nothing to flush.
            Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(()),
            synced => synced,
        });
        written.map_err(|error| self.error(format!("cannot write it: {error}")))
    }
}

impl Prozone for MemoryZone {
    fn store(&self, keys: &[CommandKey], boot_id: &str) -> Result<(), ProzoneError> {
        let copy = ProzoneCopy { boot_id: boot_id.to_owned(), keys: keys.to_vec() };
        let content = copy.encode(&self.path)?;
        let room = usize::try_from(self.half).unwrap_or(usize::MAX).saturating_sub(HEADER);
        if content.len() > room {
            let text = format!("{} bytes do not fit twice: raise prozone_size", content.len());
            return Err(self.error(text));
        }
        let file = self.open(true)?;
        let records = self.records(&file)?;
        let newest = newest(&records);
        if newest.is_some_and(|(_, record)| record.content == content) {
            return Ok(());
        }
        let sequence = newest.map_or(0, |(_, record)| record.sequence.wrapping_add(1));
        let half = newest.map_or(0, |(half, _)| 1 - half);
        self.write(&file, half, &build(sequence, &content))
    }

    fn take(&self) -> Result<Option<ProzoneCopy>, ProzoneError> {
        let records = self.records(&self.open(false)?)?;
        let copy = newest(&records).and_then(|(_, record)| ProzoneCopy::decode(&record.content));
        Ok(copy.filter(|copy| !copy.keys.is_empty()))
    }

    fn clear(&self) -> Result<(), ProzoneError> {
        let file = self.open(true)?;
        // The older one first: the newest is there, or none.
        let newest = newest(&self.records(&file)?).map_or(0, |(half, _)| half);
        self.write(&file, 1 - newest, &[0; HEADER])?;
        self.write(&file, newest, &[0; HEADER])
    }
}

/// The newer record that is whole, and its half.
fn newest(records: &[Option<Record>; 2]) -> Option<(usize, &Record)> {
    match records {
        [Some(first), Some(second)] => {
            // The sequence may begin anew at 0.
            let second_is_newer = second.sequence.wrapping_sub(first.sequence) < u32::MAX / 2;
            Some(if second_is_newer { (1, second) } else { (0, first) })
        }
        [Some(first), None] => Some((0, first)),
        [None, Some(second)] => Some((1, second)),
        [None, None] => None,
    }
}

pub(super) fn build(sequence: u32, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
    let checked: Vec<u8> =
        [VERSION, length, sequence].into_iter().flat_map(|number| number.to_le_bytes()).collect();
    let crc = crc32(&[&checked, content]).to_le_bytes();
    [MAGIC.as_slice(), &checked, &crc, content].concat()
}

fn parse(bytes: &[u8]) -> Option<Record> {
    let (magic, rest) = bytes.split_first_chunk::<8>()?;
    let (checked, rest) = rest.split_first_chunk::<12>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let number = |at: usize| Some(u32::from_le_bytes(*checked.get(at..)?.first_chunk::<4>()?));
    let content = rest.get(..usize::try_from(number(4)?).ok()?)?;
    let whole =
        magic == MAGIC && number(0)? == VERSION && crc32(&[checked, content]) == u32::from_le_bytes(*crc);
    whole.then_some(Record { sequence: number(8)?, content: content.to_vec() })
}

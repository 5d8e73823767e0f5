//! What an `.apk` of apk-tools 3 says of itself: an ADB, a database of values that point at each other by offsets.
//!
//! The file is `ADB.` or, deflated, `ADBd`, the schema `pckg`, and blocks; the first block holds the values. All numbers are
//! little endian. A value is a kind in its four high bits, and an offset into the block.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

use flate2::read::DeflateDecoder;

use super::{ipk::Described, limits};

const OBJECT: u32 = 0xe;
const BLOB_8: u32 = 0x8;
const BLOB_16: u32 = 0x9;
// Slots of a package, and of its info.
const INFO: usize = 1;
const NAME: usize = 1;
const VERSION: usize = 2;

/// Reads it.
///
/// # Errors
/// Why the file is no package.
pub(super) fn describe(file: &Path) -> Result<Described, String> {
    let unreadable = |error: io::Error| format!("it is no package: {error}");
    let values = values(file).map_err(unreadable)?;
    let described = || {
        let info = object_slot(&values, word(&values, 4)?, INFO)?;
        let text = |slot| blob(&values, object_slot(&values, info, slot)?);
        Some(Described { name: text(NAME)?, version: text(VERSION)? })
    };
    let described = described().filter(|found| super::is_word(&found.name) && super::is_word(&found.version));
    described.ok_or_else(|| "it is no package: it has no name or no version".to_owned())
}

/// The block of values.
fn values(file: &Path) -> io::Result<Vec<u8>> {
    let mut reader = BufReader::new(File::open(file)?);
    let magic = four(&mut reader)?;
    let mut reader: Box<dyn Read> = match &magic {
        b"ADB." => Box::new(reader),
        b"ADBd" => {
            let mut plain = DeflateDecoder::new(reader);
            if &four(&mut plain)? != b"ADB." {
                return Err(io::Error::other("it holds no database"));
            }
            Box::new(plain)
        }
        _ => return Err(io::Error::other("it does not begin like one of apk-tools 3")),
    };
    if &four(&mut reader)? != b"pckg" {
        return Err(io::Error::other("it holds another kind of database"));
    }
    let head = u32::from_le_bytes(four(&mut reader)?);
    let length = u64::from(head & 0x3fff_ffff).saturating_sub(4);
    if head >> 30 != 0 || length > limits::ADB_BYTES {
        return Err(io::Error::other("its first block is not that of the values, or too large"));
    }
    let mut values = Vec::new();
    reader.take(length).read_to_end(&mut values)?;
    if u64::try_from(values.len()).ok() != Some(length) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(values)
}

fn four(reader: &mut impl Read) -> io::Result<[u8; 4]> {
    let mut bytes = [0; 4];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn word(values: &[u8], at: usize) -> Option<u32> {
    let bytes = values.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

fn offset(value: u32) -> Option<usize> {
    usize::try_from(value & 0x0fff_ffff).ok()
}

/// A slot of an object; slot 0 says how many there are, itself included.
fn object_slot(values: &[u8], object: u32, slot: usize) -> Option<u32> {
    let at = offset(object).filter(|_| object >> 28 == OBJECT)?;
    let slots = usize::try_from(word(values, at)?).ok()?;
    if slot >= slots {
        return None;
    }
    word(values, at.checked_add(slot.checked_mul(4)?)?)
}

/// A text with its length before it.
fn blob(values: &[u8], value: u32) -> Option<String> {
    let at = offset(value)?;
    let (start, length) = match value >> 28 {
        BLOB_8 => (at.checked_add(1)?, usize::from(*values.get(at)?)),
        BLOB_16 => {
            let start = at.checked_add(2)?;
            (start, usize::from(u16::from_le_bytes(values.get(at..start)?.try_into().ok()?)))
        }
        _ => return None,
    };
    String::from_utf8(values.get(start..start.checked_add(length)?)?.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cwmpd_test_router::packages::{apk, deflated_apk};

    fn described(bytes: &[u8]) -> Result<Described, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, bytes).unwrap();
        describe(&file)
    }

    #[test]
    fn a_package_tells_its_name_and_version() {
        let expected = Described { name: "counter".into(), version: "1.0-r2".into() };
        assert_eq!(described(&apk("counter", "1.0-r2")), Ok(expected.clone()));
        assert_eq!(described(&deflated_apk("counter", "1.0-r2")), Ok(expected));
    }

    #[test]
    fn no_byte_of_a_damaged_one_is_believed() {
        let sound = apk("counter", "1.0-r2");
        for at in 0..sound.len() {
            assert!(described(sound.get(..at).unwrap()).is_err() || at > 60);
            for bit in 0..8 {
                let mut damaged = sound.clone();
                damaged[at] ^= 1 << bit;
                // What still reads is a name and a version that may stand in an argument list.
                if let Ok(Described { name, version }) = described(&damaged) {
                    assert!(crate::software::is_word(&name) && crate::software::is_word(&version));
                }
            }
        }
        assert!(described(&apk("-x", "1")).is_err());
        assert!(described(b"ADBc\x02").is_err());
    }
}

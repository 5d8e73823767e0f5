//! What an `.ipk` says of itself: a gzipped tar that holds `control.tar.gz`, which holds `control`.
//!
//! Nothing is unpacked to the disk, and only so much is looked at as the limits allow.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

use flate2::read::GzDecoder;

use super::{limits, records::field};

const BLOCK: usize = 512;

/// Name and version of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Described {
    pub(super) name: String,
    pub(super) version: String,
}

/// Reads it.
///
/// # Errors
/// Why the file is no package.
pub(super) fn describe(file: &Path) -> Result<Described, String> {
    let unreadable = |error: io::Error| format!("it is no package: {error}");
    let outer = GzDecoder::new(BufReader::new(File::open(file).map_err(unreadable)?));
    let control = with_member(outer, "control.tar.gz", limits::UNPACKED_BYTES, |inner| {
        with_member(GzDecoder::new(inner), "control", limits::SCRIPT_BYTES, |control| {
            let mut text = String::new();
            control.take(limits::CONTROL_BYTES).read_to_string(&mut text)?;
            Ok(text)
        })
    });
    let control = control.map_err(unreadable)?;
    let fit = |name: &str| field(&control, name).filter(|value| super::is_word(value)).map(str::to_owned);
    match (fit("Package"), fit("Version")) {
        (Some(name), Some(version)) => Ok(Described { name, version }),
        _ => Err("it is no package: its control has no Package or no Version".to_owned()),
    }
}

/// Finds a member of a tar, with or without `./` before its name, and hands its bytes on.
fn with_member<T>(
    tar: impl Read,
    wanted: &str,
    limit: u64,
    take: impl FnOnce(&mut dyn Read) -> io::Result<T>,
) -> io::Result<T> {
    let mut tar = tar.take(limit);
    for _ in 0..limits::MEMBERS {
        let mut header = [0; BLOCK];
        tar.read_exact(&mut header)?;
        let size = octal(header.get(124..136).unwrap_or_default())
            .ok_or_else(|| io::Error::other("a header of its tar is malformed"))?;
        let name = header.get(..100).unwrap_or_default().split(|byte| *byte == 0).next().unwrap_or_default();
        if name.strip_prefix(b"./").unwrap_or(name) == wanted.as_bytes() {
            return take(&mut tar.by_ref().take(size));
        }
        let padded = size.checked_next_multiple_of(512).unwrap_or(u64::MAX);
        if io::copy(&mut tar.by_ref().take(padded), &mut io::sink())? != padded {
            break;
        }
    }
    Err(io::Error::other(format!("there is no {wanted} in it")))
}

/// A number in a header; the end of a tar has none.
fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?.trim_matches(['\0', ' ']);
    u64::from_str_radix(text, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cwmpd_test_router::packages::{gzip, ipk, tar};

    fn described(bytes: &[u8]) -> Result<Described, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, bytes).unwrap();
        describe(&file)
    }

    #[test]
    fn a_package_tells_its_name_and_version() {
        let package = ipk("counter", "1.0-r2", &["counter"]);
        let expected = Described { name: "counter".into(), version: "1.0-r2".into() };
        assert_eq!(described(&package), Ok(expected.clone()));
        // As other writers order and name the members.
        let control = gzip(&tar(&[("control", b"Package: counter\nVersion: 1.0-r2\n")]));
        assert_eq!(described(&gzip(&tar(&[("control.tar.gz", &control)]))), Ok(expected));
    }

    #[test]
    fn what_is_damaged_or_lies_is_no_package() {
        let package = ipk("counter", "1.0", &[]);
        let control = |text: &str| {
            let control = gzip(&tar(&[("./control", text.as_bytes())]));
            gzip(&tar(&[("./control.tar.gz", &control)]))
        };
        let half = package.get(..package.len() / 2).unwrap();
        for wrong in [
            &b""[..],
            b"!<arch>\ndebian-binary",
            half,
            &gzip(b"no tar"),
            &gzip(&tar(&[("./data.tar.gz", b"x")])),
            &control("Package: counter\n"),
            &control("Package: ../x\nVersion: 1\n"),
            &control("Package: --force-all\nVersion: 1\n"),
            // More than is looked at before the line that matters.
            &control(&format!("Note: {}\nPackage: x\nVersion: 1\n", "x".repeat(100_000))),
        ] {
            assert!(described(wrong).is_err());
        }
        // Much that unpacks from little, before what is looked for.
        let zeros = vec![0; 2 * 1024 * 1024];
        let inner = gzip(&tar(&[("big", &zeros), ("control", b"Package: x\nVersion: 1\n")]));
        assert!(described(&gzip(&tar(&[("control.tar.gz", &inner)]))).is_err());
    }
}

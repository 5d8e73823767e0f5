//! The signature of an image: at its end, or in a file beside it.
//!
//! An image comes as one file, so its signature is appended:
//!
//! ```text
//! <image>
//! -----CWMPD SIGNATURE-----
//! <the signature file, in base64>
//! -----END-----
//! ```
//!
//! The line feed in front of the first of these lines belongs to them, not to the image. [`detach`] puts the signature
//! into a file beside the image and cuts it off the image, since an updater wants the image as it was built.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use data_encoding::BASE64;

/// Most bytes of the appended lines, the line feed in front included.
pub const TRAILER_BYTES: u64 = 2048;
const BEGIN: &[u8] = b"\n-----CWMPD SIGNATURE-----\n";
const END: &[u8] = b"\n-----END-----";

/// Where the signature of an image lies once it was cut off: `<image>.sig`. Whoever removes the image removes it too.
#[must_use]
pub fn signature_path(image: &Path) -> PathBuf {
    let mut name = OsString::from(image.as_os_str());
    name.push(".sig");
    PathBuf::from(name)
}

/// Cuts an appended signature off the image, durably, and returns the text of the signature file; without an appended one,
/// that of the file beside the image. A power cut in between changes nothing: the signature is beside the image before it
/// is cut off.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] for a signature that is too large or no base64, others of reading and writing.
pub(super) fn detach(image: &Path) -> io::Result<Option<String>> {
    let beside = signature_path(image);
    let Some((length, signature)) = appended(image)? else {
        return match File::open(&beside) {
            Ok(file) => text(read(file, TRAILER_BYTES)?).map(Some),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        };
    };
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(signature.as_bytes())?;
    file.sync_all()?;
    if let Some(folder) = beside.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        File::open(folder)?.sync_all()?;
    }
    let image = OpenOptions::new().write(true).open(image)?;
    image.set_len(length)?;
    image.sync_all()?;
    Ok(Some(signature))
}

/// The length of the image without its appended signature, and that signature.
fn appended(image: &Path) -> io::Result<Option<(u64, String)>> {
    if !fs::metadata(image)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut file = File::open(image)?;
    let length = file.seek(SeekFrom::End(0))?;
    let from = length.saturating_sub(TRAILER_BYTES);
    file.seek(SeekFrom::Start(from))?;
    let tail = read(file, TRAILER_BYTES)?;
    let Some(rest) = tail.strip_suffix(b"\n").unwrap_or(&tail).strip_suffix(END) else { return Ok(None) };
    let begin = rest.windows(BEGIN.len()).rposition(|window| window == BEGIN);
    let begin = begin.ok_or_else(|| invalid("has an appended signature of more than 2048 bytes"))?;
    let (before, after) = (begin as u64, rest.get(begin.saturating_add(BEGIN.len())..).unwrap_or_default());
    let encoded: Vec<u8> = after.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let decoded =
        BASE64.decode(&encoded).map_err(|_| invalid("has an appended signature that is no base64"))?;
    Ok(Some((from.saturating_add(before), text(decoded)?)))
}

fn read(file: File, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|_| invalid("has a signature that is no text"))
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(content: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image");
        fs::write(&path, content).unwrap();
        (folder, path)
    }

    #[test]
    fn a_signature_at_the_end_is_put_beside_the_image() {
        for end in ["-----END-----", "-----END-----\n"] {
            let (_folder, path) =
                image(format!("IMAGE\n\n-----CWMPD SIGNATURE-----\nc2ln\nbmVk\n{end}").as_bytes());
            assert_eq!(detach(&path).unwrap().as_deref(), Some("signed"));
            assert_eq!(fs::read(&path).unwrap(), b"IMAGE\n");
            assert_eq!(detach(&path).unwrap().as_deref(), Some("signed"), "it is found beside the image");
        }
    }

    #[test]
    fn an_image_without_a_signature_stays_as_it_is() {
        for content in [&b""[..], b"IMAGE", b"-----END-----", b"\n-----CWMPD SIGNATURE-----\nc2ln\n"] {
            let (folder, path) = image(content);
            assert_eq!(detach(&path).unwrap(), None);
            assert_eq!(fs::read(&path).unwrap(), content);
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn a_signature_that_is_odd_is_no_signature() {
        let large = format!("I\n-----CWMPD SIGNATURE-----\n{}\n-----END-----\n", "c2ln".repeat(600));
        for odd in [&large, "I\n-----END-----\n", "I\n-----CWMPD SIGNATURE-----\n!\n-----END-----\n"] {
            let (_folder, path) = image(odd.as_bytes());
            assert_eq!(detach(&path).unwrap_err().kind(), io::ErrorKind::InvalidData);
            assert_eq!(fs::read(&path).unwrap(), odd.as_bytes());
        }
        assert_eq!(detach(Path::new("/dev/null")).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}

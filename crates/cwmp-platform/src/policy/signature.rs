//! Public keys and signatures in the formats of usign (OpenWrt), signify and minisign.
//!
//! A key file is a comment line and 42 bytes in base64: `Ed`, a key number of 8 bytes, an Ed25519 public key. A signature
//! file is a comment line and 74 bytes in base64: the algorithm, the key number, the signature. `Ed` signs the file
//! itself, `ED` (minisign alone) its BLAKE2b-512. minisign adds a trusted comment and a signature over signature and
//! comment.

use std::io::{self, Read};

use blake2::{Blake2b512, Digest};
use data_encoding::BASE64;
use ed25519_compact::{PublicKey, Signature};

use crate::in_pieces;

const COMMENT: &str = "untrusted comment: ";
const TRUSTED_COMMENT: &str = "trusted comment: ";

/// Names a key among those of a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyNumber([u8; 8]);

impl std::fmt::Display for KeyNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A key that images may be signed with.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) number: KeyNumber,
    key: PublicKey,
}

impl Key {
    /// Reads a key file.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut lines = text.lines();
        let bytes: [u8; 42] =
            commented(&mut lines)?.try_into().map_err(|_| "is no public key: its length is wrong")?;
        let (algorithm, rest) = bytes.split_at(2);
        let (number, key) = rest.split_at(8);
        if algorithm != b"Ed" {
            return Err("is no Ed25519 public key");
        }
        let number = KeyNumber(number.try_into().unwrap_or_default());
        let key = PublicKey::from_slice(key).map_err(|_| "is no Ed25519 public key")?;
        key.validate().map_err(|_| "is a weak public key")?;
        Ok(Self { number, key })
    }
}

/// A signature file.
#[derive(Debug)]
pub(super) struct SignatureFile {
    pub(super) number: KeyNumber,
    /// Over the BLAKE2b-512 of the file rather than the file.
    prehashed: bool,
    signature: [u8; 64],
    trusted: Option<Trusted>,
}

/// minisign's trusted comment, with the signature over signature and comment.
#[derive(Debug)]
struct Trusted {
    comment: String,
    signature: [u8; 64],
}

impl SignatureFile {
    /// Reads a signature file.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut lines = text.lines();
        let bytes: [u8; 74] = commented(&mut lines)?.try_into().map_err(|_| "its length is wrong")?;
        let (algorithm, rest) = bytes.split_at(2);
        let (number, signature) = rest.split_at(8);
        let prehashed = match algorithm {
            b"Ed" => false,
            b"ED" => true,
            _ => return Err("its algorithm is unknown"),
        };
        let trusted = match lines.next().map(str::trim_end) {
            None | Some("") if prehashed => return Err("it has no trusted comment"),
            None | Some("") => None,
            Some(line) => {
                let comment =
                    line.strip_prefix(TRUSTED_COMMENT).ok_or("it has no trusted comment")?.to_owned();
                let signature = base64(lines.next().unwrap_or_default())?;
                let signature = signature.try_into().map_err(|_| "the signature of its comment is cut")?;
                Some(Trusted { comment, signature })
            }
        };
        Ok(Self {
            number: KeyNumber(number.try_into().unwrap_or_default()),
            prehashed,
            signature: signature.try_into().map_err(|_| "its length is wrong")?,
            trusted,
        })
    }

    /// Whether this key has signed what `file` delivers, and the trusted comment where there is one. Reads the file in
    /// pieces: an image need not fit into memory.
    ///
    /// # Errors
    /// Those of reading.
    pub(super) fn is_by(&self, key: &Key, file: &mut dyn Read) -> io::Result<bool> {
        if key.number != self.number || !self.comment_is_by(key) {
            return Ok(false);
        }
        let signature = Signature::new(self.signature);
        if self.prehashed {
            let mut hash = Blake2b512::new();
            in_pieces(file, |piece| hash.update(piece))?;
            return Ok(key.key.verify(hash.finalize(), &signature).is_ok());
        }
        let Ok(mut state) = key.key.verify_incremental(&signature) else { return Ok(false) };
        in_pieces(file, |piece| state.absorb(piece))?;
        Ok(state.verify().is_ok())
    }

    fn comment_is_by(&self, key: &Key) -> bool {
        self.trusted.as_ref().is_none_or(|trusted| {
            let signed = [&self.signature, trusted.comment.as_bytes()].concat();
            key.key.verify(signed, &Signature::new(trusted.signature)).is_ok()
        })
    }
}

/// The line after the comment line.
fn commented<'a>(lines: &mut impl Iterator<Item = &'a str>) -> Result<Vec<u8>, &'static str> {
    lines
        .next()
        .filter(|line| line.starts_with(COMMENT))
        .ok_or("does not begin with `untrusted comment: `")?;
    base64(lines.next().unwrap_or_default())
}

fn base64(line: &str) -> Result<Vec<u8>, &'static str> {
    BASE64.decode(line.trim_end().as_bytes()).map_err(|_| "its base64 is damaged")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_key_or_signature_is_refused() {
        let zeros = |prefix: &[u8], length: usize| {
            let mut bytes = prefix.to_vec();
            bytes.resize(length, 0);
            format!("{COMMENT}x\n{}\n", BASE64.encode(&bytes))
        };
        for text in ["", "RWQ=", &format!("{COMMENT}x\n"), &format!("{COMMENT}x\n!!\n"), &zeros(b"Ed", 41)] {
            assert!(Key::parse(text).is_err(), "{text}");
            assert!(SignatureFile::parse(text).is_err(), "{text}");
        }
        assert_eq!(Key::parse(&zeros(b"RS", 42)).unwrap_err(), "is no Ed25519 public key");
        assert_eq!(Key::parse(&zeros(b"Ed", 42)).unwrap_err(), "is a weak public key");
        assert_eq!(SignatureFile::parse(&zeros(b"ED", 74)).unwrap_err(), "it has no trusted comment");
        assert_eq!(SignatureFile::parse(&zeros(b"RS", 74)).unwrap_err(), "its algorithm is unknown");
        assert!(SignatureFile::parse(&zeros(b"Ed", 74)).is_ok());
    }
}

//! What an image must be before a backend writes it: signed by somebody whom the box trusts, and not older than what runs.
//!
//! Ed25519 comes from `ed25519-compact`: it needs no other crate and no C, and it reads a file in pieces, while ring wants
//! the whole image in memory and belongs to builds with TLS alone.

mod signature;
mod trailer;
mod version;

use std::{
    cmp::Ordering,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use self::signature::{Key, SignatureFile};
pub use self::{
    trailer::{TRAILER_BYTES, signature_path},
    version::compare_versions,
};
use crate::PlatformError;

/// Most keys of a box.
const KEYS: usize = 8;
/// Largest key file, in bytes.
const KEY_FILE_BYTES: u64 = 4096;

/// Which images may be written.
#[derive(Clone, Debug, Default)]
pub struct ImagePolicy {
    keys: Vec<Key>,
    require_signature: bool,
    forbid_downgrade: bool,
}

/// What [`ImagePolicy::authenticate`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authenticity {
    /// Signed by the key of this number, 16 hexadecimal digits.
    Signed(String),
    /// Not judged: it carries no signature and needs none, or the box has no keys.
    NotJudged,
}

impl ImagePolicy {
    /// Reads the public keys, at most eight files in the format of usign, signify or minisign.
    ///
    /// # Errors
    /// A sentence that names the file; or that signatures are required and there is no key.
    pub fn load(keys: &[PathBuf], require_signature: bool, forbid_downgrade: bool) -> Result<Self, String> {
        if keys.len() > KEYS {
            return Err(format!("firmware_keys names {} files; at most {KEYS} are taken", keys.len()));
        }
        if require_signature && keys.is_empty() {
            return Err(
                "firmware_require_signature needs firmware_keys: no image could pass without".to_owned()
            );
        }
        let keys = keys.iter().map(|path| {
            let mut text = String::new();
            let read = File::open(path).and_then(|file| file.take(KEY_FILE_BYTES).read_to_string(&mut text));
            read.map_err(|e| format!("firmware_keys: cannot read {}: {e}", path.display()))?;
            Key::parse(&text).map_err(|what| format!("firmware_keys: {} {what}", path.display()))
        });
        Ok(Self { keys: keys.collect::<Result<_, _>>()?, require_signature, forbid_downgrade })
    }

    /// Checks the signature of an image. One that is appended is cut off and put beside it ([`signature_path`]), also where
    /// the box has no keys. Reads all of the image, so it is for a thread that may block.
    ///
    /// # Errors
    /// [`PlatformError::Unauthentic`] for a signature that is wrong, unreadable, or by a key that the box does not know, and
    /// for none where one is required. [`PlatformError::Failed`] where the file cannot be read or cut.
    pub fn authenticate(&self, image: &Path) -> Result<Authenticity, PlatformError> {
        let name = image.display();
        let failed = |e: io::Error| match e.kind() {
            io::ErrorKind::InvalidData => PlatformError::Unauthentic(format!("{name} {e}")),
            _ => PlatformError::Failed(format!("cannot check {name}: {e}")),
        };
        let text = trailer::detach(image).map_err(failed)?;
        if self.keys.is_empty() {
            return Ok(Authenticity::NotJudged);
        }
        let wrong = |what: String| Err(PlatformError::Unauthentic(format!("{name} {what}")));
        let Some(text) = text else {
            let needed = self.require_signature;
            return if needed {
                wrong("carries no signature".to_owned())
            } else {
                Ok(Authenticity::NotJudged)
            };
        };
        let signature = match SignatureFile::parse(&text) {
            Ok(signature) => signature,
            Err(what) => return wrong(format!("has a signature that cannot be read: {what}")),
        };
        let mut known = self.keys.iter().filter(|key| key.number == signature.number).peekable();
        if known.peek().is_none() {
            return wrong(format!("is signed by key {}, which is none of firmware_keys", signature.number));
        }
        for key in known {
            let mut file = File::open(image).map_err(failed)?;
            if signature.is_by(key, &mut file).map_err(failed)? {
                return Ok(Authenticity::Signed(key.number.to_string()));
            }
        }
        wrong(format!("was changed after key {} signed it", signature.number))
    }

    /// Checks the version of an image against the one that runs.
    ///
    /// # Errors
    /// [`PlatformError::Refused`] where downgrades are forbidden and the image is older ([`compare_versions`]), or does not
    /// say which version it is.
    pub fn check_version(&self, running: &str, offered: Option<&str>) -> Result<(), PlatformError> {
        if !self.forbid_downgrade {
            return Ok(());
        }
        match offered {
            None => Err(PlatformError::Refused(
                "downgrades are forbidden (firmware_forbid_downgrade), and the image does not tell its version".to_owned(),
            )),
            Some(offered) if compare_versions(offered, running) == Ordering::Less => {
                Err(PlatformError::Refused(format!(
                    "version {offered} is older than {running}, which runs, and firmware_forbid_downgrade is set"
                )))
            }
            Some(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;

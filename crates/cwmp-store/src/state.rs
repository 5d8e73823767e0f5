//! One value of the agent's own state in a file of its own, with a checksum and the last good copy.

use std::{
    io::ErrorKind,
    marker::PhantomData,
    path::{Path, PathBuf},
    sync::Arc,
};

use data_encoding::HEXLOWER;
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::{
    Problem, StoreError,
    durable::{self, Files},
};

#[cfg(test)]
mod tests;

/// Largest state file, in bytes.
pub const STATE_BYTES: usize = 4 * 1024 * 1024;

const MAGIC: &str = "cwmpd-state";

/// The form of what a file keeps. A change of the stored type that serde's defaults do not cover raises it.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// What this program writes, from 1; it reads no newer one.
    pub current: u32,
    /// Makes the JSON of the current form from that of an older one, whose number comes first.
    pub upgrade: fn(u32, &[u8]) -> Result<Vec<u8>, String>,
}

impl Format {
    /// The first form: there is no older one.
    pub const FIRST: Self = Self { current: 1, upgrade: |_, _| Err("there is no older format".to_owned()) };
}

/// Keeps a `T` in a file, as JSON below a line with the format's version and the SHA-256 of the JSON.
///
/// The content before the last one stays as `<file>.1`. It serves when the newer one is damaged, and it is what a cut may
/// leave in the middle of a write.
pub struct StateFile<T> {
    raw: RawFile,
    value: PhantomData<fn(T) -> T>,
}

impl<T: Serialize + DeserializeOwned> StateFile<T> {
    /// Opens a file whose type has never changed: [`StateFile::open_as`] with [`Format::FIRST`].
    ///
    /// # Errors
    /// Those of [`StateFile::open_as`].
    pub fn open(files: Arc<dyn Files>, file: &Path) -> Result<(Self, Option<T>, Vec<Problem>), StoreError> {
        Self::open_as(files, file, Format::FIRST)
    }

    /// Makes the folder (mode 0700) where it is missing, and reads the newest content that is whole; `None` where there is
    /// no file yet. A damaged file is moved to `<file>.damaged` and reported. What an older program wrote is upgraded in
    /// memory; the next [`StateFile::save`] writes it in the current form.
    ///
    /// # Errors
    /// [`StoreError::NewerFormat`] for a file of a newer program, which is left alone; [`StoreError::Io`].
    pub fn open_as(
        files: Arc<dyn Files>,
        file: &Path,
        format: Format,
    ) -> Result<(Self, Option<T>, Vec<Problem>), StoreError> {
        let mut raw =
            RawFile { files, file: file.to_owned(), format: format.current, on_disk: None, bytes_written: 0 };
        let mut problems = Vec::new();
        raw.create_folder()?;
        let mut value = None;
        for (file, what_else) in durable::candidates(&raw.file, "the agent starts without it") {
            let Some(content) = raw.read(&file)? else { continue };
            match payload(&content, format.current).and_then(|json| decode(format, json)) {
                Ok((read, digest)) => {
                    raw.on_disk = digest;
                    value = Some(read);
                    durable::confirm(&*raw.files, &file);
                    break;
                }
                Err(Refused::Newer(found)) => {
                    return Err(StoreError::NewerFormat { file, found, known: format.current });
                }
                Err(Refused::Damaged(reason)) => {
                    let aside = durable::set_aside(&*raw.files, &file);
                    problems.push(Problem::file(&file, format!("damaged: {reason}; {aside}; {what_else}")));
                }
            }
        }
        Ok((Self { raw, value: PhantomData }, value, problems))
    }

    /// Stores the value durably; writes nothing where the file holds it already. Returns whether it was written.
    ///
    /// # Errors
    /// [`StoreError`] names the file; the last content that was stored stays.
    pub fn save(&mut self, value: &T) -> Result<bool, StoreError> {
        let json = serde_json::to_vec(value)
            .map_err(|error| StoreError::Encode { file: self.raw.file.clone(), reason: error.to_string() })?;
        self.raw.save(&json)
    }

    /// Deletes the file and its copies durably: after a cut the newest content is there, or none.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn delete(&mut self) -> Result<(), StoreError> {
        durable::delete(&*self.raw.files, &self.raw.file)?;
        self.raw.on_disk = None;
        Ok(())
    }

    /// Bytes written to storage so far.
    #[must_use]
    pub fn bytes_written(&self) -> u64 {
        self.raw.bytes_written
    }

    /// The file, for messages.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.raw.file
    }
}

/// What does not depend on the type.
struct RawFile {
    files: Arc<dyn Files>,
    file: PathBuf,
    format: u32,
    /// SHA-256 of the JSON that is certainly stored.
    on_disk: Option<[u8; 32]>,
    bytes_written: u64,
}

enum Refused {
    Damaged(String),
    Newer(u32),
}

impl RawFile {
    fn create_folder(&self) -> Result<(), StoreError> {
        let dir = durable::folder(&self.file);
        self.files.create_dir(dir).map_err(|error| StoreError::io(dir, "make the folder", error))
    }

    fn read(&self, file: &Path) -> Result<Option<Vec<u8>>, StoreError> {
        match self.files.read(file, STATE_BYTES) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            // Too large to be ours: an empty content is as damaged, and cheaper.
            Err(error) if error.kind() == ErrorKind::InvalidData => Ok(Some(Vec::new())),
            Err(error) => Err(StoreError::io(file, "read it", error)),
        }
    }

    fn save(&mut self, json: &[u8]) -> Result<bool, StoreError> {
        let digest: [u8; 32] = Sha256::digest(json).into();
        if self.on_disk == Some(digest) {
            return Ok(false);
        }
        let mut content = format!("{MAGIC} {} {}\n", self.format, HEXLOWER.encode(&digest)).into_bytes();
        content.extend_from_slice(json);
        if content.len() > STATE_BYTES {
            return Err(StoreError::TooLarge {
                file: self.file.clone(),
                size: content.len(),
                limit: STATE_BYTES,
            });
        }
        if let Err(failure) = durable::replace(&*self.files, &self.file, &content) {
            if failure.in_place {
                self.on_disk = None;
            }
            return Err(failure.error);
        }
        self.bytes_written += content.len() as u64;
        self.on_disk = Some(digest);
        Ok(true)
    }
}

/// The value, with the digest of its JSON where that is as it would be written today.
fn decode<T: DeserializeOwned>(
    format: Format,
    (found, json): (u32, &[u8]),
) -> Result<(T, Option<[u8; 32]>), Refused> {
    let parse = |json: &[u8]| {
        serde_json::from_slice(json)
            .map_err(|error| Refused::Damaged(format!("the JSON does not fit: {error}")))
    };
    if found == format.current {
        return Ok((parse(json)?, Some(Sha256::digest(json).into())));
    }
    let upgraded = (format.upgrade)(found, json).map_err(|reason| {
        Refused::Damaged(format!("its format {found} cannot be upgraded to {}: {reason}", format.current))
    })?;
    Ok((parse(&upgraded)?, None))
}

/// Format and JSON, once the checksum is right.
fn payload(content: &[u8], current: u32) -> Result<(u32, &[u8]), Refused> {
    let damaged = |reason: &str| Refused::Damaged(reason.to_owned());
    let end =
        content.iter().position(|byte| *byte == b'\n').ok_or_else(|| damaged("it has no first line"))?;
    let (line, json) = content.split_at_checked(end).ok_or_else(|| damaged("it has no first line"))?;
    let json = json.get(1..).unwrap_or_default();
    let line = std::str::from_utf8(line).map_err(|_| damaged("its first line is no text"))?;
    let mut words = line.split(' ');
    if words.next() != Some(MAGIC) {
        return Err(damaged("its first line is not that of a state file"));
    }
    let format: u32 =
        words.next().and_then(|word| word.parse().ok()).ok_or_else(|| damaged("it names no format"))?;
    if format > current {
        return Err(Refused::Newer(format));
    }
    // A newer format may count differently, so the checksum comes second.
    let digest = HEXLOWER.encode(&Sha256::digest(json));
    if words.next() != Some(digest.as_str()) {
        return Err(damaged("its checksum does not fit its content"));
    }
    Ok((format, json))
}

//! A file that is on its way: what has come lies beside its place, with a note that says of which version it is.
//!
//! The note is true after a power cut: it counts only bytes that were on stable storage before it was written.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use cwmp_core::url::HttpUrl;
use nix::sys::statvfs::statvfs;
use sha2::{Digest, Sha256};

use super::{
    Fetched, blocking,
    destination::{Destination, Held},
    range::Validator,
};
use crate::limits;

/// First line of a note.
const NOTE: &str = "cwmpd partial file 1";
/// Only the owner reads and writes.
const MODE: u32 = 0o600;

/// A file of this box that is being fetched: what has come so far, beside its place.
pub struct Partial {
    into: PathBuf,
    url: String,
    /// Bytes that stay free in the file system.
    reserve: u64,
    /// `None` while a blocking call has it, and for good after a failed one.
    writer: Option<Writer>,
    held: Held,
}

struct Writer {
    file: File,
    sha256: Sha256,
    bytes: u64,
    /// Of them, those that the note counts.
    noted: u64,
}

/// The files beside `into`: the content so far, its note, and a note that is being written.
pub(super) fn beside(into: &Path) -> [PathBuf; 3] {
    [".part", ".part.note", ".part.note.new"].map(|suffix| {
        let mut name = into.as_os_str().to_owned();
        name.push(OsString::from(suffix));
        PathBuf::from(name)
    })
}

impl Partial {
    /// Takes up what an earlier fetch of the same URL into `into` has left, or begins anew. `reserve` bytes stay free in
    /// the file system.
    ///
    /// # Errors
    /// Which file cannot be opened, and why.
    pub async fn open(into: &Path, url: &HttpUrl, reserve: u64) -> Result<Self, String> {
        let url = url.to_string();
        let wanted = url.clone();
        let (writer, validator) = blocking(into.to_owned(), move |into| {
            let [part, note, _] = beside(into);
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(MODE)
                .open(part)?;
            file.set_permissions(fs::Permissions::from_mode(MODE))?;
            let kept = read_note(&note, &wanted)
                .filter(|(bytes, _)| file.metadata().is_ok_and(|found| *bytes <= found.len()));
            let (bytes, validator) = kept.map_or((0, None), |(bytes, validator)| (bytes, Some(validator)));
            file.set_len(bytes)?;
            let sha256 = hash(&mut file)?;
            Ok((Writer { file, sha256, bytes, noted: bytes }, validator))
        })
        .await?;
        let held = Held { bytes: writer.bytes, validator };
        Ok(Self { into: into.to_owned(), url, reserve, writer: Some(writer), held })
    }

    fn note(&self) -> Option<(String, Validator)> {
        Some((self.url.clone(), self.held.validator.clone()?))
    }

    async fn with_writer(
        &mut self,
        work: impl FnOnce(&Path, Writer) -> io::Result<Writer> + Send + 'static,
    ) -> Result<(), String> {
        let writer = self.writer.take().ok_or_else(lost)?;
        let writer = blocking(self.into.clone(), move |into| work(into, writer)).await?;
        self.held.bytes = writer.bytes;
        self.writer = Some(writer);
        Ok(())
    }
}

#[async_trait(?Send)]
impl Destination for Partial {
    fn held(&self) -> &Held {
        &self.held
    }

    async fn restart(&mut self, validator: Option<Validator>) -> Result<(), String> {
        self.held.validator = None;
        self.with_writer(|into, mut writer| {
            let [_, note, _] = beside(into);
            match fs::remove_file(note) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            writer.file.set_len(0)?;
            io::Seek::rewind(&mut writer.file)?;
            (writer.sha256, writer.bytes, writer.noted) = (Sha256::new(), 0, 0);
            Ok(writer)
        })
        .await?;
        self.held.validator = validator;
        Ok(())
    }

    /// Every [`limits::FETCH_SYNC_BYTES`] the note is brought up to date.
    async fn append(&mut self, data: Vec<u8>) -> Result<(), String> {
        let note = self.note();
        self.with_writer(move |into, mut writer| {
            writer.file.write_all(&data)?;
            writer.sha256.update(&data);
            writer.bytes += data.len() as u64;
            if writer.bytes - writer.noted >= limits::FETCH_SYNC_BYTES {
                writer.keep(into, note)?;
            }
            Ok(writer)
        })
        .await
    }

    /// Lets the note count all that is here.
    async fn keep(&mut self) -> Result<(), String> {
        let note = self.note();
        self.with_writer(move |into, mut writer| {
            writer.keep(into, note)?;
            Ok(writer)
        })
        .await
    }

    async fn finish(&mut self) -> Result<Fetched, String> {
        let writer = self.writer.take().ok_or_else(lost)?;
        blocking(self.into.clone(), move |into| {
            let [part, note, new_note] = beside(into);
            writer.file.sync_all()?;
            fs::rename(part, into)?;
            for note in [note, new_note] {
                // A note without its file is not used.
                let _ = fs::remove_file(note);
            }
            File::open(folder(into))?.sync_all()?;
            Ok(Fetched { bytes: writer.bytes, sha256: writer.sha256.finalize().into() })
        })
        .await
    }

    async fn has_room(&mut self, bytes: u64) -> Result<(), String> {
        let reserve = self.reserve;
        let free = blocking(self.into.clone(), |into| {
            let found = statvfs(folder(into))?;
            // On 32-bit targets the fields are narrower than u64.
            #[allow(
                clippy::useless_conversion,
                clippy::unnecessary_cast,
                reason = "the width depends on the target"
            )]
            let (blocks, size) = (u64::from(found.blocks_available()), found.fragment_size() as u64);
            Ok(blocks.saturating_mul(size))
        })
        .await?;
        if bytes.saturating_add(reserve) <= free {
            return Ok(());
        }
        Err(format!(
            "no room: {bytes} bytes are to come, {free} are free in {}, of which {reserve} stay free",
            folder(&self.into).display()
        ))
    }

    async fn sha256(&mut self) -> Result<[u8; 32], String> {
        let writer = self.writer.as_ref().ok_or_else(lost)?;
        Ok(writer.sha256.clone().finalize().into())
    }
}

impl Writer {
    /// Brings the content to stable storage and then says so in the note, where there is a validator to go on with.
    fn keep(&mut self, into: &Path, note: Option<(String, Validator)>) -> io::Result<()> {
        let Some((url, validator)) = note.filter(|_| self.bytes > self.noted) else { return Ok(()) };
        self.file.sync_data()?;
        let [_, path, new] = beside(into);
        let (kind, text) = match &validator {
            Validator::ETag(text) => ("etag", text),
            Validator::Modified(text) => ("modified", text),
        };
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(MODE).open(&new)?;
        file.write_all(format!("{NOTE}\n{url}\n{}\n{kind} {text}\n", self.bytes).as_bytes())?;
        file.sync_all()?;
        fs::rename(new, path)?;
        self.noted = self.bytes;
        Ok(())
    }
}

/// Bytes and version that a note counts, when it is one of this URL. One that cannot be read is as good as none.
fn read_note(path: &Path, url: &str) -> Option<(u64, Validator)> {
    let mut text = String::new();
    File::open(path).ok()?.take(limits::NOTE_BYTES).read_to_string(&mut text).ok()?;
    // Without its last line break it is not whole.
    let mut lines = text.strip_suffix('\n')?.split('\n');
    if lines.next() != Some(NOTE) || lines.next() != Some(url) {
        return None;
    }
    let bytes = lines.next()?.parse().ok()?;
    let (kind, text) = lines.next()?.split_once(' ')?;
    let validator = match kind {
        "etag" => Validator::ETag(text.to_owned()),
        "modified" => Validator::Modified(text.to_owned()),
        _ => return None,
    };
    lines.next().is_none().then_some((bytes, validator))
}

/// Reads the file to its end.
fn hash(file: &mut File) -> io::Result<Sha256> {
    let mut sha256 = Sha256::new();
    let mut chunk = vec![0; limits::FETCH_CHUNK_BYTES];
    loop {
        let count = file.read(&mut chunk)?;
        match chunk.get(..count) {
            Some(data) if count > 0 => sha256.update(data),
            _ => return Ok(sha256),
        }
    }
}

fn folder(into: &Path) -> &Path {
    into.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn lost() -> String {
    "the file could not be written before".to_owned()
}

//! Linux pstore: what is written to `/dev/pmsg0` lies in a file below `/sys/fs/pstore` after a warm reboot.
//!
//! Others write there as well, so a copy is a line of text that begins with a word of its own:
//! `cwmpd-prozone 1 CRC JSON`. The last one that is whole counts; one without keys says that there are none any more.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Write},
    path::{Path, PathBuf},
};

use cwmp_core::rpc::CommandKey;

use super::{Prozone, ProzoneCopy, ProzoneError, crc32};

const MARKER: &str = "cwmpd-prozone 1 ";
/// Begin of the names of files with what was written to pmsg.
const FILES: &str = "pmsg-ramoops-";
/// Most files of the folder that are looked at; crashes of the kernel leave some there as well.
const FOLDER_FILES: usize = 1024;
/// Most bytes of one of them that are read: more than boxes set aside for it.
const FILE_BYTES: u64 = 1024 * 1024;

/// A pmsg device and the folder in which its content is found after a boot.
#[derive(Clone, Debug)]
pub struct PstoreZone {
    device: PathBuf,
    folder: PathBuf,
}

impl Default for PstoreZone {
    /// Where Linux has them.
    fn default() -> Self {
        Self::new("/dev/pmsg0".into(), "/sys/fs/pstore".into())
    }
}

impl PstoreZone {
    /// With these paths.
    #[must_use]
    pub fn new(device: PathBuf, folder: PathBuf) -> Self {
        Self { device, folder }
    }

    fn append(&self, copy: &ProzoneCopy) -> Result<(), ProzoneError> {
        let json = copy.encode(&self.device)?;
        let crc = crc32(&[&json]);
        // Whoever wrote before may not have ended the line.
        let line = [format!("\n{MARKER}{crc:08x} ").as_bytes(), &json, b"\n"].concat();
        let written = OpenOptions::new().append(true).open(&self.device).and_then(|mut device| {
            // In one call: what others write must not come in between.
            device.write_all(&line)
        });
        written.map_err(|error| ProzoneError::new(&self.device, format!("cannot write to it: {error}")))
    }
}

impl Prozone for PstoreZone {
    fn store(&self, keys: &[CommandKey], boot_id: &str) -> Result<(), ProzoneError> {
        self.append(&ProzoneCopy { boot_id: boot_id.to_owned(), keys: keys.to_vec() })
    }

    fn take(&self) -> Result<Option<ProzoneCopy>, ProzoneError> {
        let error = |path: &Path, error| ProzoneError::new(path, format!("cannot read it: {error}"));
        let entries = fs::read_dir(&self.folder).map_err(|reason| error(&self.folder, reason))?;
        let names = entries.take(FOLDER_FILES).flatten().map(|entry| entry.path());
        let is_ours = |path: &PathBuf| {
            path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(FILES))
        };
        let mut files: Vec<PathBuf> = names.filter(is_ours).collect();
        files.sort_unstable();
        let mut last = None;
        for file in files {
            let mut content = Vec::new();
            let read = File::open(&file).and_then(|open| open.take(FILE_BYTES).read_to_end(&mut content));
            read.map_err(|reason| error(&file, reason))?;
            last = content.split(|byte| *byte == b'\n').filter_map(parse).next_back().or(last);
        }
        Ok(last.filter(|copy| !copy.keys.is_empty()))
    }

    fn clear(&self) -> Result<(), ProzoneError> {
        self.append(&ProzoneCopy { boot_id: String::new(), keys: Vec::new() })
    }
}

fn parse(line: &[u8]) -> Option<ProzoneCopy> {
    let rest = line.strip_prefix(MARKER.as_bytes())?;
    let (crc, json) = rest.split_first_chunk::<8>()?;
    let json = json.strip_prefix(b" ")?;
    let crc = u32::from_str_radix(std::str::from_utf8(crc).ok()?, 16).ok()?;
    (crc == crc32(&[json])).then(|| ProzoneCopy::decode(json))?
}

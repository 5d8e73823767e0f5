//! The sandbox: a box that is one folder. Shows upgrades and configuration transfers truthfully without touching the
//! machine that it runs on.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use cwmp_core::{datetime::DateTime, time::Wall};
use cwmp_platform::{ImageFacts, PlatformError, in_pieces};
use sha2::{Digest, Sha256};

use crate::{files, packages::PACKAGES};

/// An image of the sandbox begins with this, a version and a line feed.
const MARKER: &str = "cwmpd-sandbox-firmware ";
/// Longest version in an image, in characters: what DeviceInfo.SoftwareVersion takes.
const VERSION_CHARS: usize = 64;
/// Largest image, in bytes.
const IMAGE_BYTES: u64 = 256 * 1024 * 1024;
/// Largest configuration, in bytes.
const CONFIG_BYTES: u64 = 1024 * 1024;
/// Largest other file, in bytes.
const FILE_BYTES: u64 = 16 * 1024 * 1024;
/// Size of the log at which a new one is begun; the former one is kept beside it. In bytes.
const LOG_BYTES: u64 = 64 * 1024;
/// Folder of web content.
pub(crate) const WEB: &str = "web";
/// Folder of stored images.
pub(crate) const STORED: &str = "stored";
/// Folder of files of the vendor's type.
pub(crate) const VENDOR: &str = "vendor";
/// Bytes of an image's SHA-256 in its mark.
const MARK_BYTES: usize = 6;

/// Folder below that of the sandbox with the files that mapping files have written.
pub(crate) const FILES: &str = "files";

/// The folder, and what was true when the program started.
#[derive(Clone, Debug)]
pub(crate) struct Sandbox {
    folder: PathBuf,
    boot_id: String,
    booted: Instant,
    runs: Option<Image>,
}

/// What runs.
#[derive(Clone, Debug)]
struct Image {
    version: String,
    mark: String,
}

impl Image {
    /// Of an image that begins as it should. Version and content tell two images apart.
    fn read(path: &Path) -> Result<Self, String> {
        let version = image_version(path)?;
        let error = |e: io::Error| format!("cannot read {}: {e}", path.display());
        let mut hash = Sha256::new();
        in_pieces(&mut File::open(path).map_err(error)?.take(IMAGE_BYTES), |piece| hash.update(piece))
            .map_err(error)?;
        let digits =
            hash.finalize().iter().take(MARK_BYTES).map(|byte| format!("{byte:02x}")).collect::<String>();
        let mark = format!("{version}-{digits}");
        Ok(Self { version, mark })
    }
}

impl Sandbox {
    /// Starts the sandboxed box: from now until the program ends it runs the image that lies there now.
    pub(crate) fn boot(folder: PathBuf) -> Self {
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        // A program that restarts by exec keeps its process id, so the moment is what tells two starts apart.
        let boot_id = format!("sandbox-{}-{nanos}", std::process::id());
        let image = folder.join("firmware.img");
        let runs = match image.exists().then(|| Image::read(&image)).transpose() {
            Ok(image) => image,
            Err(e) => {
                tracing::warn!("the sandbox runs without its image: {e}");
                None
            }
        };
        Self { folder, boot_id, booted: Instant::now(), runs }
    }

    /// Differs at each start of the program.
    pub(crate) fn boot_id(&self) -> &str {
        &self.boot_id
    }

    /// Seconds since this start of the program.
    pub(crate) fn uptime(&self) -> u32 {
        u32::try_from(self.booted.elapsed().as_secs()).unwrap_or(u32::MAX)
    }

    /// The version of the image that runs, where one was ever flashed.
    pub(crate) fn version(&self) -> Option<&str> {
        self.runs.as_ref().map(|image| image.version.as_str())
    }

    /// The mark of that image.
    pub(crate) fn mark(&self) -> Option<&str> {
        self.runs.as_ref().map(|image| image.mark.as_str())
    }

    /// Where everything lies.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What was done to the box.
    pub(crate) fn log_file(&self) -> PathBuf {
        self.folder.join("box.log")
    }

    /// What is known of an image.
    pub(crate) fn check(&self, image: &Path) -> Result<ImageFacts, PlatformError> {
        let image = Image::read(image).map_err(PlatformError::Refused)?;
        Ok(ImageFacts { expects: Some(image.mark), version: Some(image.version) })
    }

    /// Keeps a file under this name in a folder for its kind; the name was checked.
    pub(crate) fn take(&self, kind: &str, file: &Path, name: &str) -> Result<(), PlatformError> {
        let bytes = files::read_regular(file, FILE_BYTES).map_err(PlatformError::Refused)?;
        let folder = self.folder.join(kind);
        fs::create_dir_all(&folder)
            .map_err(|e| PlatformError::Failed(format!("cannot make {}: {e}", folder.display())))?;
        files::replace(&folder.join(name), |target| target.write_all(&bytes))
            .map_err(PlatformError::Failed)?;
        self.note(&format!("{kind}: took {name}"));
        Ok(())
    }

    /// What an upload of the vendor's type sends: the state of the box.
    pub(crate) fn describe(&self, into: &Path) -> Result<(), PlatformError> {
        let text = format!("mark={}\nuptime={}\n", self.mark().unwrap_or("none"), self.uptime());
        files::replace(into, |target| target.write_all(text.as_bytes())).map_err(PlatformError::Failed)
    }

    /// A line for the log. A log that cannot be written stops nothing.
    fn note(&self, what: &str) {
        let log = self.log_file();
        if fs::metadata(&log).is_ok_and(|facts| facts.len() > LOG_BYTES) {
            fs::rename(&log, self.folder.join("box.log.1")).ok();
        }
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let now = DateTime::At(Wall::from_seconds(i64::try_from(seconds).unwrap_or(0)));
        let written = fs::OpenOptions::new().create(true).append(true).open(&log);
        if let Err(e) = written.and_then(|mut file| writeln!(file, "{now} {what}")) {
            tracing::debug!("{}: {e}", log.display());
        }
    }

    fn config(&self) -> PathBuf {
        self.folder.join("platform.conf")
    }

    /// Checks an image and keeps it; it runs after the next start of the program.
    pub(crate) fn flash(&self, image: &Path, keep_settings: bool) -> Result<(), PlatformError> {
        let version = image_version(image).map_err(PlatformError::Refused)?;
        self.make_folder()?;
        files::replace(&self.folder.join("firmware.img"), |target| {
            io::copy(&mut File::open(image)?.take(IMAGE_BYTES), target).map(drop)
        })
        .map_err(PlatformError::Failed)?;
        if !keep_settings {
            self.reset()?;
        }
        self.note(&format!("firmware: image {version} runs after the next start"));
        tracing::info!("sandbox: image {version} runs after the next start");
        Ok(())
    }

    /// Replaces the configuration if all lines are sound.
    pub(crate) fn load_config(&self, file: &Path) -> Result<(), PlatformError> {
        let bytes = files::read_regular(file, CONFIG_BYTES).map_err(PlatformError::Refused)?;
        check_config(&bytes).map_err(PlatformError::Refused)?;
        self.make_folder()?;
        files::replace(&self.config(), |target| target.write_all(&bytes)).map_err(PlatformError::Failed)?;
        self.note("configuration: loaded");
        Ok(())
    }

    /// Copies the configuration out; an empty file where none was ever loaded.
    pub(crate) fn save_config(&self, file: &Path) -> Result<(), PlatformError> {
        let config = self.config();
        let bytes = if config.exists() { files::read_regular(&config, CONFIG_BYTES) } else { Ok(Vec::new()) };
        let bytes = bytes.map_err(PlatformError::Failed)?;
        files::replace(file, |target| target.write_all(&bytes)).map_err(PlatformError::Failed)
    }

    /// Forgets the configuration and the files that were taken. The image stays, as on a real box.
    pub(crate) fn reset(&self) -> Result<(), PlatformError> {
        for kind in [WEB, STORED, VENDOR, FILES, PACKAGES] {
            gone(&self.folder.join(kind), |folder| fs::remove_dir_all(folder))?;
        }
        gone(&self.config(), |config| fs::remove_file(config))
    }

    fn make_folder(&self) -> Result<(), PlatformError> {
        fs::create_dir_all(&self.folder).map_err(|e| {
            PlatformError::Failed(format!("cannot make the sandbox {}: {e}", self.folder.display()))
        })
    }
}

/// Removes what may be there.
fn gone(path: &Path, remove: impl FnOnce(&Path) -> io::Result<()>) -> Result<(), PlatformError> {
    match remove(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(PlatformError::Failed(format!("cannot remove {}: {e}", path.display())))
        }
        _ => Ok(()),
    }
}

/// The version that an image carries, or why it is none.
fn image_version(image: &Path) -> Result<String, String> {
    let name = image.display();
    let error = |e: io::Error| format!("cannot read {name}: {e}");
    let facts = fs::metadata(image).map_err(error)?;
    if !facts.is_file() {
        return Err(format!("{name} is not a regular file"));
    }
    if facts.len() == 0 {
        return Err(format!("{name} is empty"));
    }
    if facts.len() > IMAGE_BYTES {
        return Err(format!("{name} is larger than {IMAGE_BYTES} bytes"));
    }
    let start = files::read_start(image, 256).map_err(error)?;
    let start = String::from_utf8_lossy(&start);
    let version =
        start.strip_prefix(MARKER).and_then(|rest| rest.split_once('\n')).map(|(version, _)| version);
    version
        .filter(|version| {
            (1..=VERSION_CHARS).contains(&version.len()) && version.bytes().all(|b| b.is_ascii_graphic())
        })
        .map(str::to_owned)
        .ok_or_else(|| format!("{name} does not begin with the line `{MARKER}VERSION`"))
}

/// Lines `key=value`; empty lines and lines that begin with `#` are allowed.
fn check_config(bytes: &[u8]) -> Result<(), String> {
    let mut keys = std::collections::BTreeSet::new();
    for (number, line) in (1..).zip(bytes.split(|b| *b == b'\n')) {
        let error = |what: &str| format!("configuration line {number}: {what}");
        let line = std::str::from_utf8(line).map_err(|_| error("not UTF-8"))?;
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once('=').ok_or_else(|| error("not of the form key=value"))?;
        if key.is_empty() || !key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b)) {
            return Err(error("a key is made of letters, digits, `_`, `.` and `-`"));
        }
        if value.chars().any(char::is_control) {
            return Err(error("a value has no control characters"));
        }
        if !keys.insert(key) {
            return Err(error("this key was there before"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_refused_with_the_line() {
        let line = |text: &[u8]| check_config(text).unwrap_err();
        assert_eq!(check_config(b""), Ok(()));
        assert_eq!(check_config(b"# made by hand\n\nwan.mode=dhcp\nname=a=b\n"), Ok(()));
        assert_eq!(line(b"a=1\nnonsense\n"), "configuration line 2: not of the form key=value");
        assert_eq!(line(b"a=1\na=2"), "configuration line 2: this key was there before");
        assert_eq!(
            line(b"a b=1"),
            "configuration line 1: a key is made of letters, digits, `_`, `.` and `-`"
        );
        assert_eq!(line(b"a=1\r\n"), "configuration line 1: a value has no control characters");
        assert_eq!(line(b"a=\xff"), "configuration line 1: not UTF-8");
    }

    #[test]
    fn two_starts_are_two_boots() {
        let folder = tempfile::tempdir().unwrap();
        let first = Sandbox::boot(folder.path().to_owned());
        let second = Sandbox::boot(folder.path().to_owned());
        assert_eq!(first.boot_id(), first.boot_id());
        assert_ne!(first.boot_id(), second.boot_id());
    }

    #[test]
    fn an_image_runs_after_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let sandbox = folder.path().join("sandbox");
        let image = folder.path().join("image");
        let running = Sandbox::boot(sandbox.clone());
        assert_eq!(running.version(), None);
        fs::write(&image, "cwmpd-sandbox-firmware 2.1\nany bytes").unwrap();
        let expects = running.check(&image).unwrap().expects;
        running.flash(&image, true).unwrap();
        assert_eq!((running.version(), running.mark()), (None, None));
        let after = Sandbox::boot(sandbox.clone());
        assert_eq!((after.version(), after.mark()), (Some("2.1"), expects.as_deref()));

        fs::write(&image, "cwmpd-sandbox-firmware 2.1\nother bytes").unwrap();
        let other = after.check(&image).unwrap();
        assert_eq!(other.version.as_deref(), Some("2.1"));
        assert_ne!(other.expects, expects, "another image of the same version is another image");
        fs::write(sandbox.join("firmware.img"), "damaged").unwrap();
        assert_eq!(Sandbox::boot(sandbox).version(), None);
    }

    #[test]
    fn no_image() {
        let folder = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::boot(folder.path().join("sandbox"));
        let image = folder.path().join("image");
        let refused = |bytes: &[u8]| {
            fs::write(&image, bytes).unwrap();
            match sandbox.flash(&image, true) {
                Err(PlatformError::Refused(text)) => text.replace(&image.display().to_string(), "IMAGE"),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(refused(b""), "IMAGE is empty");
        let marker = "IMAGE does not begin with the line `cwmpd-sandbox-firmware VERSION`";
        assert_eq!(refused(b"ELF"), marker);
        assert_eq!(refused(b"cwmpd-sandbox-firmware \n"), marker);
        assert_eq!(refused(b"cwmpd-sandbox-firmware 1.0"), marker);
        assert_eq!(refused(b"cwmpd-sandbox-firmware 1 0\n"), marker);
        assert!(!folder.path().join("sandbox").exists());
        assert!(matches!(sandbox.flash(folder.path(), true), Err(PlatformError::Refused(_))));
    }
}

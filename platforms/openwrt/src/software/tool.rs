//! opkg and apk as programs, and what their complaints mean to the ACS.

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use cwmp_core::{fault::FaultCode, job::JobError};
use cwmp_linux::{
    command,
    files::{self, Root},
    off_thread,
};
use cwmp_platform::PlatformError;

use super::limits;
use crate::ground::Ground;

/// Which program has the packages of the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    /// OpenWrt up to 24.10.
    Opkg,
    /// OpenWrt since 25.12.
    Apk,
}

/// What is said on stderr, in small letters, and what it means.
const COMPLAINTS: [(&str, FaultCode); 8] = [
    ("incompatible with the architecture", FaultCode::EXECUTION_ENVIRONMENT_MISMATCH),
    ("uninstallable", FaultCode::EXECUTION_ENVIRONMENT_MISMATCH),
    ("no space left", FaultCode::SYSTEM_RESOURCES_EXCEEDED),
    ("available on filesystem", FaultCode::SYSTEM_RESOURCES_EXCEEDED),
    ("out of memory", FaultCode::SYSTEM_RESOURCES_EXCEEDED),
    ("malformed package", FaultCode::FILE_CORRUPTED),
    ("bad signature", FaultCode::FILE_CORRUPTED),
    ("format error", FaultCode::FILE_CORRUPTED),
];

impl Tool {
    /// The one whose program and list are there.
    pub(crate) fn of(ground: &Ground) -> Option<Self> {
        [Self::Apk, Self::Opkg]
            .into_iter()
            .find(|tool| tool.program(ground).is_some() && ground.root.path(tool.list()).is_file())
    }

    fn program(self, ground: &Ground) -> Option<String> {
        let places: &[&str] = match self {
            Self::Opkg => &["bin/opkg", "usr/bin/opkg"],
            Self::Apk => &["usr/bin/apk", "sbin/apk"],
        };
        places.iter().find_map(|path| ground.program(path))
    }

    /// The file that says what is installed, below the root.
    pub(super) fn list(self) -> &'static str {
        match self {
            Self::Opkg => "usr/lib/opkg/status",
            Self::Apk => "lib/apk/db/installed",
        }
    }

    /// The file that is written last when packages change.
    pub(crate) fn watched(self, root: &Root) -> PathBuf {
        root.path(self.list())
    }

    /// Whether the program runs. opkg writes its list in its place, and another program may find it half written; apk replaces
    /// its one.
    pub(super) fn is_running(self, root: &Root) -> bool {
        self == Self::Opkg && files::is_locked(&root.path("var/lock/opkg.lock"))
    }

    /// Installs what lies in a file, or puts it in the place of another version.
    pub(super) async fn install(self, ground: &Ground, file: &Path) -> Result<(), JobError> {
        // Both take an argument for a file by its end.
        let link = file.with_file_name(match self {
            Self::Opkg => "unit.ipk",
            Self::Apk => "unit.apk",
        });
        let (from, at) = (file.to_owned(), link.clone());
        let named = off_thread(move || named(&from, &at).map_err(|error| cannot_name(&at, &error))).await;
        named.map_err(fault)?;
        let words: &[&str] = match self {
            Self::Opkg => &["install", "{file}"],
            Self::Apk => &["add", "--allow-untrusted", "{file}"],
        };
        let done = self.run(ground, words, &[("{file}", link.as_os_str())]).await;
        let _ = off_thread(move || Ok(fs::remove_file(link))).await;
        done
    }

    /// Installs a package anew from the sources that the box has.
    pub(super) async fn reinstall(self, ground: &Ground, name: &str, version: &str) -> Result<(), JobError> {
        let exact = format!("{name}={version}");
        match self {
            Self::Opkg => self.run(ground, &["install", name], &[]).await,
            Self::Apk => self.run(ground, &["add", &exact], &[]).await,
        }
    }

    /// Removes a package.
    pub(super) async fn remove(self, ground: &Ground, name: &str) -> Result<(), JobError> {
        match self {
            Self::Opkg => self.run(ground, &["remove", name], &[]).await,
            Self::Apk => self.run(ground, &["del", name], &[]).await,
        }
    }

    async fn run(
        self,
        ground: &Ground,
        words: &[&str],
        places: &[(&str, &std::ffi::OsStr)],
    ) -> Result<(), JobError> {
        let gone = || JobError::new(FaultCode::REQUEST_DENIED, format!("there is no {self:?} any more"));
        let program = self.program(ground).ok_or_else(gone)?;
        let words: Vec<String> =
            [program.as_str()].iter().chain(words).map(|&word| word.to_owned()).collect();
        command::run(&words, places, limits::TOOL_RUN).await.map_err(fault)
    }
}

fn named(file: &Path, link: &Path) -> io::Result<()> {
    match fs::remove_file(link) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    symlink(file, link)
}

fn cannot_name(link: &Path, error: &io::Error) -> PlatformError {
    PlatformError::Failed(format!("cannot make {}: {error}", link.display()))
}

/// The fault of an operation whose program has failed.
fn fault(error: PlatformError) -> JobError {
    let text = error.to_string();
    let said = text.to_ascii_lowercase();
    let known = COMPLAINTS.iter().find(|(complaint, _)| said.contains(complaint));
    JobError::new(known.map_or(FaultCode::REQUEST_DENIED, |(_, code)| *code), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Conformance: 11.08
    #[test]
    fn complaints_become_faults() {
        for (said, code) in [
            (
                "opkg ended with exit status 255: Collected errors:\n * pkg_hash_fetch_best_installation_candidate: \
              Packages for x found, but incompatible with the architectures configured",
                9025,
            ),
            (
                "* verify_pkg_installable: Only have 12kb available on filesystem /overlay, pkg x needs 40",
                9027,
            ),
            ("* wfopen: /usr/bin/x: No space left on device.", 9027),
            ("* pkg_init_from_file: Malformed package file /tmp/x.ipk.", 9018),
            ("* satisfy_dependencies_for: Cannot satisfy the following dependencies for x:", 9001),
        ] {
            assert_eq!(fault(PlatformError::Failed(said.to_owned())).code.0, code, "{said}");
        }
    }
}

//! What mapping files reach of the box: its files and programs. In a sandbox files are written below its folder and read
//! from there first, and no program runs.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use async_trait::async_trait;
use cwmp_platform::mapping::MappingHost;
use nix::unistd::{AccessFlags, access};

use crate::{
    command::{self, Keep},
    files::{self, Root},
};

/// Most bytes that a program may write to its standard output.
const OUTPUT_BYTES: usize = 64 * 1024;
/// Mode of a file that was not there before.
const MODE: u32 = 0o644;

/// The box, or the sandbox on it.
pub struct Host {
    /// The folder that stands for `/`.
    pub root: Root,
    /// Where a sandbox keeps what is written; then no program runs.
    pub sandbox: Option<PathBuf>,
}

impl Host {
    /// Where a sandbox keeps a file in place of the box.
    fn kept(&self, path: &str) -> Option<PathBuf> {
        Some(self.sandbox.as_ref()?.join(path.trim_start_matches('/')))
    }
}

#[async_trait(?Send)]
impl MappingHost for Host {
    fn text(&self, path: &str) -> Option<String> {
        let kept = self.kept(path).filter(|kept| kept.exists());
        let bytes = match kept {
            Some(kept) => files::read_start(&kept, files::TEXT_BYTES).ok()?,
            None => return self.root.text(path),
        };
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn names(&self, folder: &str) -> Vec<String> {
        self.root.names(folder)
    }

    fn can_write(&self, path: &str) -> bool {
        if self.sandbox.is_some() {
            return true;
        }
        let path = self.root.path(path);
        let may = |path: &Path| access(path, AccessFlags::W_OK).is_ok();
        let has_folder = || path.parent().is_some_and(|folder| folder.is_dir() && may(folder));
        if is_of_kernel(&path) { may(&path) } else { !path.is_dir() && has_folder() }
    }

    fn can_run(&self, program: &str) -> bool {
        let path = self.root.path(program);
        self.sandbox.is_none() && path.is_file() && access(&path, AccessFlags::X_OK).is_ok()
    }

    async fn write(&self, path: &str, text: Option<&str>) -> Result<(), String> {
        let path = self.kept(path).unwrap_or_else(|| self.root.path(path));
        let (text, in_sandbox) = (text.map(str::to_owned), self.sandbox.is_some());
        let written = tokio::task::spawn_blocking(move || write(&path, text.as_deref(), in_sandbox)).await;
        written.map_err(|error| format!("the work on a file broke off: {error}"))?
    }

    async fn output(&self, command: &[String], limit: Duration) -> Result<String, String> {
        let output = command::output(command, &[], limit, Keep::All(OUTPUT_BYTES)).await;
        let output = output.map_err(|error| error.to_string())?;
        Ok(String::from_utf8_lossy(&output).into_owned())
    }
}

fn is_of_kernel(path: &Path) -> bool {
    path.starts_with("/proc") || path.starts_with("/sys")
}

/// Replaces a file and keeps its mode; a link stays one, and what it leads to is replaced.
fn write(path: &Path, text: Option<&str>, in_sandbox: bool) -> Result<(), String> {
    let failed = |error: io::Error| format!("cannot write {}: {error}", path.display());
    let Some(text) = text else {
        return match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
            _ => Ok(()),
        };
    };
    if is_of_kernel(path) {
        return fs::write(path, text).map_err(failed);
    }
    if let Some(folder) = path.parent().filter(|_| in_sandbox) {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mode = fs::metadata(&path).map_or(MODE, |facts| facts.permissions().mode());
    files::replace(&path, |file| {
        file.write_all(text.as_bytes())?;
        file.set_permissions(fs::Permissions::from_mode(mode))
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::testing::FakeRoot;

    fn host(root: &FakeRoot, sandbox: Option<PathBuf>) -> Host {
        Host { root: root.root(), sandbox }
    }

    #[tokio::test]
    async fn a_file_is_replaced_with_its_mode_and_a_link_stays() {
        let root = FakeRoot::new();
        root.file("etc/name", "old\n");
        let (file, link) = (root.path().join("etc/name"), root.path().join("etc/link"));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        symlink("name", &link).unwrap();
        let host = host(&root, None);
        assert!(host.can_write("/etc/link"));
        host.write("/etc/link", Some("new\n")).await.unwrap();
        assert_eq!(host.text("/etc/name").as_deref(), Some("new\n"));
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        host.write("/etc/fresh", Some("x")).await.unwrap();
        assert_eq!(fs::metadata(root.path().join("etc/fresh")).unwrap().permissions().mode() & 0o777, MODE);
        host.write("/etc/fresh", None).await.unwrap();
        host.write("/etc/fresh", None).await.unwrap();
        assert_eq!(host.text("/etc/fresh"), None);
        assert!(!host.can_write("/nowhere/file") && !host.can_write("/etc"));
        let error = host.write("/nowhere/file", Some("x")).await.unwrap_err();
        assert!(error.contains("nowhere/file"), "{error}");
    }

    #[tokio::test]
    async fn a_program_gives_what_it_writes() {
        let root = FakeRoot::new();
        let host = host(&root, None);
        assert!(!host.can_run("/bin/sh"), "there is none below this root");
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        let limit = Duration::from_secs(20);
        let output = host.output(&words(&["/bin/echo", "a b", "$HOME"]), limit).await;
        assert_eq!(output.as_deref(), Ok("a b $HOME\n"));
        let error = host.output(&words(&["/bin/sh", "-c", "echo no >&2; exit 3"]), limit).await.unwrap_err();
        assert_eq!(error, "/bin/sh ended with exit status 3: no");
    }

    #[tokio::test]
    async fn a_sandbox_keeps_files_to_itself_and_runs_nothing() {
        let root = FakeRoot::new();
        root.file("etc/name", "old\n");
        let folder = tempfile::tempdir().unwrap();
        let host = host(&root, Some(folder.path().to_owned()));
        assert!(!host.can_run("/bin/sh") && host.can_write("/any/where"));
        host.write("/etc/name", Some("new\n")).await.unwrap();
        assert_eq!(host.text("/etc/name").as_deref(), Some("new\n"));
        assert_eq!(fs::read_to_string(root.path().join("etc/name")).unwrap(), "old\n");
    }
}

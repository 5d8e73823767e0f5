//! The configuration as one file: what sysupgrade would keep, as `tar.gz`, without what is the agent's own.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Component, Path, PathBuf},
};

use cwmp_linux::{
    command::{self, Keep},
    files, off_thread,
};
use cwmp_platform::{LoadConfig, PlatformError};

use crate::{ground::Ground, limits};

const TAR: [&str; 2] = ["bin/tar", "usr/bin/tar"];
/// The only folder that a configuration may hold files of.
const FOLDER: &str = "etc";

impl Ground {
    fn tar(&self) -> Result<String, PlatformError> {
        let found = TAR.iter().find_map(|path| self.program(path));
        found.ok_or(PlatformError::Unsupported("save or load the configuration: there is no tar"))
    }

    /// Whether a configuration can be saved and loaded.
    pub(crate) fn can_save(&self) -> bool {
        self.program("sbin/sysupgrade").is_some() && self.tar().is_ok()
    }

    /// Whether a file of the box, given without leading slash, is the agent's own.
    fn is_private(&self, path: &Path) -> bool {
        self.options
            .private
            .iter()
            .any(|private| path.starts_with(private.strip_prefix("/").unwrap_or(private)))
    }

    /// Packs what `sysupgrade -l` lists. It holds passwords: only its owner may read it.
    pub(crate) async fn save(&self, file: &Path) -> Result<(), PlatformError> {
        let (tar, sysupgrade) = (self.tar()?, self.program("sbin/sysupgrade"));
        let Some(sysupgrade) = sysupgrade else {
            return Err(PlatformError::Unsupported("save the configuration: there is no sysupgrade"));
        };
        let listed = [sysupgrade, "-l".to_owned()];
        let list = command::output(&listed, &[], limits::SHORT_RUN, Keep::All(limits::LIST_BYTES)).await?;
        let list = String::from_utf8_lossy(&list);
        let names = list.lines().map(|line| line.trim().trim_start_matches('/'));
        let is_file =
            |name: &&str| fs::symlink_metadata(self.root.path(name)).is_ok_and(|facts| facts.is_file());
        let kept = names.filter(|name| within_folder(Path::new(name)) && !self.is_private(Path::new(name)));
        let kept: Vec<&str> = kept.filter(is_file).collect();
        if kept.is_empty() {
            return Err(PlatformError::Failed("sysupgrade -l lists no file of the configuration".to_owned()));
        }
        let names = format!("{}\n", kept.join("\n"));
        let list_file = with_suffix(file, "list");
        let private_file = |path: PathBuf, text: String| {
            off_thread(move || {
                files::replace(&path, |target| io::Write::write_all(target, text.as_bytes()))
                    .map_err(PlatformError::Failed)
            })
        };
        private_file(list_file.clone(), names).await?;
        // tar writes into a file that only its owner may read.
        private_file(file.to_owned(), String::new()).await?;
        let root = self.root.path("");
        let words = [tar.as_str(), "-C", "{root}", "-czf", "{file}", "-T", "{list}"].map(str::to_owned);
        let places =
            [("{root}", root.as_os_str()), ("{file}", file.as_os_str()), ("{list}", list_file.as_os_str())];
        let packed = command::run(&words, &places, limits::CHECK_RUN).await;
        let _ = fs::remove_file(&list_file);
        packed
    }

    /// Unpacks into a folder of its own, looks whether all of it is plain files below `etc`, and only then puts each file in
    /// its place. The services read them when the box starts again.
    pub(crate) async fn load(&self, file: &Path) -> Result<LoadConfig, PlatformError> {
        let tar = self.tar()?;
        let folder = with_suffix(file, "unpacked");
        let fresh = folder.clone();
        off_thread(move || make_private(&fresh)).await?;
        let words = [tar.as_str(), "-C", "{folder}", "-xzf", "{file}"].map(str::to_owned);
        let places = [("{folder}", folder.as_os_str()), ("{file}", file.as_os_str())];
        let unpacked = command::run(&words, &places, limits::CHECK_RUN).await;
        let loaded = match unpacked {
            Err(PlatformError::Failed(why)) => Err(PlatformError::Refused(why)),
            Err(other) => Err(other),
            Ok(()) => self.install(&folder).await,
        };
        let gone = folder.clone();
        let _ = off_thread(move || Ok(fs::remove_dir_all(gone))).await;
        loaded.map(|()| LoadConfig::RestartNeeded)
    }

    async fn install(&self, folder: &Path) -> Result<(), PlatformError> {
        let (folder, root) = (folder.to_owned(), self.root.clone());
        let found = off_thread(move || plain_files(&folder).map(|found| (folder, found))).await?;
        let (folder, found) = found;
        let taken: Vec<PathBuf> = found.into_iter().filter(|path| !self.is_private(path)).collect();
        off_thread(move || {
            let mut done: Vec<(PathBuf, Option<Vec<u8>>)> = Vec::new();
            for path in taken {
                let target = root.path(&path);
                let former = fs::read(&target).ok();
                if let Err(why) = copy(&folder.join(&path), &target) {
                    let failures = take_back(done);
                    return Err(PlatformError::Failed(format!("{why}{failures}")));
                }
                done.push((target, former));
            }
            Ok(())
        })
        .await
    }
}

/// Puts former contents back; says what stays changed.
fn take_back(done: Vec<(PathBuf, Option<Vec<u8>>)>) -> String {
    let mut failures = String::from("; the former configuration is in force");
    for (path, former) in done.into_iter().rev() {
        let back = match former {
            Some(bytes) => files::replace(&path, |file| io::Write::write_all(file, &bytes)),
            None => fs::remove_file(&path).map_err(|error| error.to_string()),
        };
        if let Err(error) = back {
            failures.push_str(&format!(", except for {}: {error}", path.display()));
        }
    }
    failures
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(suffix);
    file.with_file_name(name)
}

fn within_folder(path: &Path) -> bool {
    let mut parts = path.components();
    parts.next() == Some(Component::Normal(FOLDER.as_ref()))
        && parts.all(|part| matches!(part, Component::Normal(_)))
}

fn make_private(folder: &Path) -> Result<(), PlatformError> {
    let _ = fs::remove_dir_all(folder);
    let made = fs::DirBuilder::new().mode(0o700).create(folder);
    made.map_err(|error| PlatformError::Failed(format!("cannot make {}: {error}", folder.display())))
}

/// All files below a folder, as paths from it; refused where there is anything else than files and folders, or anything
/// outside of `etc`.
fn plain_files(folder: &Path) -> Result<Vec<PathBuf>, PlatformError> {
    let failed =
        |error: io::Error| PlatformError::Failed(format!("cannot read {}: {error}", folder.display()));
    let (mut found, mut bytes, mut folders) = (Vec::new(), 0_u64, vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = entry.path();
            let inner = path.strip_prefix(folder).unwrap_or(&path).to_owned();
            // Of the entry itself, not of what a link leads to.
            let facts = fs::symlink_metadata(&path).map_err(failed)?;
            let refused = |why: &str| Err(PlatformError::Refused(format!("{}: {why}", inner.display())));
            if !within_folder(&inner) {
                return refused("a configuration holds files below etc and nothing else");
            }
            if facts.is_dir() {
                folders.push(path);
            } else if facts.is_file() {
                bytes = bytes.saturating_add(facts.len());
                found.push(inner);
            } else {
                return refused("neither a file nor a folder");
            }
            if found.len() + folders.len() > limits::CONFIG_FILES || bytes > limits::CONFIG_BYTES {
                return Err(PlatformError::Refused("more than a configuration may hold".to_owned()));
            }
        }
    }
    if found.is_empty() {
        return Err(PlatformError::Refused("there is no file in it".to_owned()));
    }
    found.sort();
    Ok(found)
}

/// Replaces a file in one step, with the mode of the one that is copied.
fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let failed = |error: io::Error| format!("cannot write {}: {error}", to.display());
    let bytes = fs::read(from).map_err(failed)?;
    let mode = fs::metadata(from).map_err(failed)?.permissions().mode() & 0o777;
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    files::replace(to, |file| {
        io::Write::write_all(file, &bytes)?;
        file.set_permissions(fs::Permissions::from_mode(mode))
    })
}

#[cfg(test)]
mod tests;

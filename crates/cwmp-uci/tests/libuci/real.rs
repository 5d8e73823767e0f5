//! libuci's own command, on folders of its own.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

/// Between the values of a list, where it prints them in one line.
pub(crate) const BETWEEN: &str = "\u{1}";

/// A configuration folder, and one for changes that are not committed.
pub(crate) struct Real {
    dir: TempDir,
}

impl Real {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for below in ["config", "saved"] {
            fs::create_dir(dir.path().join(below)).unwrap();
        }
        Self { dir }
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.dir.path().join("config")
    }

    pub(crate) fn write(&self, package: &str, content: &[u8]) {
        fs::write(self.config().join(package), content).unwrap();
    }

    pub(crate) fn read(&self, package: &str) -> Vec<u8> {
        fs::read(self.config().join(package)).unwrap()
    }

    /// A command that is ready to run.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let program =
            env::var_os("LIBUCI_BIN").expect("LIBUCI_BIN is not set: run `cargo xtask interop libuci`");
        let saved = self.dir.path().join("saved");
        let mut command = Command::new(program);
        command.arg("-c").arg(self.config()).arg("-t").arg(saved).args(["-N", "-d", BETWEEN]);
        command.args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs one and gives back what it has printed.
    pub(crate) fn run(&self, arguments: &[&str]) -> Vec<u8> {
        let Output { status, stdout, stderr } = self.command(arguments).output().unwrap();
        assert!(status.code().is_some(), "{arguments:?} has crashed: {}", String::from_utf8_lossy(&stderr));
        stdout
    }

    /// Runs commands in one process.
    pub(crate) fn batch(&self, commands: &str) -> Vec<u8> {
        let file = self.dir.path().join("batch");
        fs::write(&file, commands).unwrap();
        self.run(&["-f", path(&file), "batch"])
    }

    /// `export` of every package that it reads. One that it refuses is not there.
    pub(crate) fn exports(&self, packages: &[String]) -> BTreeMap<String, Vec<u8>> {
        let all = self.run(&["export"]);
        // In the order of the names, as printed. No value has such a line: the names are none that a test writes elsewhere.
        let mut found: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let mut at: Option<&String> = None;
        for line in all.split_inclusive(|byte| *byte == b'\n') {
            let name = line.strip_prefix(b"package ").and_then(|name| name.strip_suffix(b"\n"));
            let known = name.and_then(|name| packages.iter().find(|known| known.as_bytes() == name));
            at = known.or(at);
            if let Some(package) = at {
                found.entry(package.clone()).or_default().extend_from_slice(line);
            }
        }
        found
    }
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

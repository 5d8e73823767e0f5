//! The command `uci` of libuci, which cwmp-uci is held to: built from the sources that a crate carries, run as a program in
//! tests, and never linked.

use crate::need::{Install, Need};
use crate::sh::{Res, Sh};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) const LIBUCI: Need = Need {
    what: "libuci's command uci",
    probe: |sh| binary(sh).is_file(),
    install: Install::Job { how: "cargo xtask interop libuci --setup", run: build },
};

/// The crate that carries the sources of 2021; its own build script wants libclang, and is not run.
const CRATE: &str = "libuci-sys";
const VERSION: &str = "1.0.5";

/// What the command is made of.
const SOURCES: [&str; 6] = ["cli.c", "libuci.c", "file.c", "util.c", "delta.c", "parse.c"];

fn folder(sh: &Sh) -> PathBuf {
    sh.target("interop/libuci")
}

fn binary(sh: &Sh) -> PathBuf {
    folder(sh).join("uci")
}

/// Runs the tests that need it; they are `#[ignore]`d elsewhere. `LIBUCI_BIN` tells them which program to run.
pub(crate) fn test(sh: &Sh) -> Res {
    // The whole workspace, as in `test`: one package alone would enable other features and compile everything again.
    let tests = sh.cargo().words("test --workspace --test libuci -- --ignored");
    tests.env("LIBUCI_BIN", binary(sh)).run_tests()
}

fn build(sh: &Sh) -> Res {
    let sources = fetch(sh)?;
    // The options of its debugging, all off; its own build makes this file.
    write(&folder(sh).join("uci_config.h"), "")?;
    let uci = sources.join("uci");
    // The new name comes last: what is there is whole.
    let new = folder(sh).join("uci.new");
    // glibc's headers bring less along than those that the sources were written for.
    let cc = sh.cmd("cc").words("-O1 -w -include stddef.h -D_GNU_SOURCE -DUCI_PREFIX=\"/usr\"");
    let cc = cc.arg("-I").arg(folder(sh)).arg("-I").arg(&sources).arg("-I").arg(&uci).arg("-o").arg(&new);
    SOURCES.iter().fold(cc, |cc, source| cc.arg(uci.join(source))).run()?;
    fs::rename(&new, binary(sh)).map_err(|error| format!("{}: {error}", new.display()).into())
}

/// Has cargo fetch the crate, as the dependency of a package that is there for nothing else. Returns its folder.
fn fetch(sh: &Sh) -> Res<PathBuf> {
    let package = folder(sh).join("fetch");
    let manifest = package.join("Cargo.toml");
    let text = format!(
        "[package]\nname = \"fetch\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[lib]\npath = \"lib.rs\"\n\n\
         [dependencies]\n{CRATE} = \"={VERSION}\"\n\n[workspace]\n"
    );
    write(&manifest, &text)?;
    write(&package.join("lib.rs"), "")?;
    // `metadata` fetches what it tells of.
    let metadata = sh.cargo().words("metadata --format-version 1 --filter-platform x86_64-unknown-linux-gnu");
    let metadata = metadata.arg("--manifest-path").arg(&manifest).read()?;
    let metadata: Value =
        serde_json::from_str(&metadata).map_err(|error| format!("cargo metadata: {error}"))?;
    let mut packages = metadata.get("packages").and_then(Value::as_array).into_iter().flatten();
    let found = packages.find(|package| package["name"] == CRATE);
    let manifest = found.and_then(|package| package["manifest_path"].as_str()).map(Path::new);
    let sources =
        manifest.and_then(Path::parent).ok_or("cargo metadata does not tell where it has put the crate")?;
    Ok(sources.to_owned())
}

fn write(file: &Path, text: &str) -> Res {
    let folder = file.parent().unwrap_or(Path::new("."));
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(file, text));
    written.map_err(|error| format!("{}: {error}", file.display()).into())
}

//! For build scripts of backends: a wrong mapping file fails the build.
//!
//! A backend keeps its files in one folder and has a build script of one line, `cwmp_datamodel::mapping::build::check`.
//! What it writes is included with `include!(concat!(env!("OUT_DIR"), "/mapping.rs"))`.

use std::{
    fmt::Write,
    fs, io,
    path::{Path, PathBuf},
};

use super::Compiled;

/// Checks all `*.map` files of a folder against the facts of the model and writes `mapping.rs` into `out`: a list
/// `TEXTS` of `cwmp_platform::mapping::MappingText`. Tells cargo what is wrong and when to look again.
///
/// `providers` are the names of the sources that the backend registers.
///
/// # Errors
/// What could not be read or written.
pub fn check(folder: &Path, out: &Path, providers: &[&str]) -> io::Result<()> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "map"));
    paths.sort();
    let (mut files, mut texts) = (Vec::new(), String::new());
    for path in &paths {
        println!("cargo::rerun-if-changed={}", path.display());
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        writeln!(
            texts,
            "    MappingText {{ name: {name:?}, text: include_str!({:?}) }},",
            path.canonicalize()?
        )
        .map_err(io::Error::other)?;
        files.push((name, fs::read_to_string(path)?));
    }
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let (_, errors) = Compiled::of(&files, providers);
    for error in errors {
        println!("cargo::error={error}");
    }
    let head = "/// The mapping files that are built in.\npub(crate) static TEXTS: &[MappingText] = &[";
    fs::write(out.join("mapping.rs"), format!("{head}\n{texts}];\n"))
}

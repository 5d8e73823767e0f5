//! For build scripts of backends: a wrong mapping file fails the build.
//!
//! A backend keeps its files in one folder and has a build script of one line, `cwmp_datamodel::mapping::build::check`.
//! What it writes is included with `include!(concat!(env!("OUT_DIR"), "/mapping.rs"))`.

use std::{
    fmt::Write,
    fs, io,
    path::{Path, PathBuf},
};

use super::{Compiled, MappingError};

/// Checks all `*.map` files of a folder against the facts of the model and writes `mapping.rs` into `out`: a list
/// `TEXTS` of `cwmp_platform::mapping::MappingText`. Tells cargo what is wrong and when to look again.
///
/// `providers` are the names of the sources that the backend registers.
///
/// # Errors
/// What could not be read or written.
pub fn check(folder: &Path, out: &Path, providers: &[&str]) -> io::Result<()> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let (list, errors) = compiled(folder, providers)?;
    for error in errors {
        // Cargo fails the build of the backend with each of these lines.
        println!("cargo::error={error}");
    }
    fs::write(out.join("mapping.rs"), list)
}

/// The list of a folder's files as Rust, and what is wrong with them.
fn compiled(folder: &Path, providers: &[&str]) -> io::Result<(String, Vec<MappingError>)> {
    let entries = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = entries.collect::<io::Result<Vec<PathBuf>>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "map"));
    paths.sort();
    let mut list = String::from(
        "/// The mapping files that are built in.\npub(crate) static TEXTS: &[MappingText] = &[\n",
    );
    let mut files = Vec::new();
    for path in &paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let place = path.canonicalize()?;
        writeln!(list, "    MappingText {{ name: {name:?}, text: include_str!({place:?}) }},")
            .map_err(io::Error::other)?;
        files.push((name, fs::read_to_string(path)?));
    }
    list.push_str("];\n");
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let (_, errors) = Compiled::of(&files, providers);
    Ok((list, errors))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_a_folder_are_listed_and_checked() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("b.map"), "[Device.Time.]\nNTPServer1 = ntp(1)").unwrap();
        fs::write(folder.path().join("a.map"), "[Device.Time.]\nNTPServer9 = text(x)").unwrap();
        fs::write(folder.path().join("notes.txt"), "none of ours").unwrap();
        let (list, errors) = compiled(folder.path(), &["ntp"]).unwrap();
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(errors, ["a.map:2: TR-181 2.17 has no Device.Time.NTPServer9"]);
        let names: Vec<&str> = list.lines().filter_map(|line| line.split('"').nth(1)).collect();
        assert_eq!(names, ["a.map", "b.map"]);
        assert!(compiled(&folder.path().join("nowhere"), &[]).is_err());
    }
}

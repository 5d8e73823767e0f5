//! Loads mapping files: those that the platform has built in, and those of vendors in `datamodel.d` of the configuration.

use std::{
    collections::{BTreeSet, HashSet},
    fmt, fs,
    io::{self, Read},
    path::Path,
    rc::Rc,
};

use cwmp_core::value::ValueType;
use cwmp_datamodel::mapping::{Compiled, MappedSource, limits};
use cwmp_platform::{
    Platform,
    instances::InstanceNumbers,
    mapping::Mapping,
    source::{Access, ObjectKind, ParameterSink, ParameterSource, Wanted},
};

/// Folder of vendors' files, below that of the configuration.
const FOLDER: &str = "datamodel.d";

/// Adds a source that executes the files. What is wrong with a file comes back, file and line first; such a file is left
/// out, and the others serve.
pub(crate) async fn add(
    platform: &dyn Platform,
    folder: &Path,
    numbers: &Rc<InstanceNumbers>,
    sources: &mut Vec<Rc<dyn ParameterSource>>,
) -> Vec<String> {
    let (vendors, mut problems) = read(&folder.join(FOLDER));
    let Some(mapping) = platform.mapping() else {
        let unused = vendors.iter().map(|(file, _)| format!("{file}: this platform has no mapping files"));
        problems.extend(unused);
        return problems;
    };
    let (compiled, wrong) = compile(&mapping, &vendors, sources).await;
    problems.extend(wrong);
    let others: Vec<&str> = sources.iter().flat_map(|source| source.objects()).copied().collect();
    let source = MappedSource::new(compiled, &mapping, Rc::clone(numbers), &others);
    if !source.is_empty() {
        sources.push(Rc::new(source));
    }
    problems
}

async fn compile(
    mapping: &Mapping,
    vendors: &[(String, String)],
    sources: &[Rc<dyn ParameterSource>],
) -> (Compiled, Vec<String>) {
    let built_in = mapping.texts.iter().map(|text| (text.name, text.text));
    let files: Vec<(&str, &str)> =
        built_in.chain(vendors.iter().map(|(file, text)| (file.as_str(), text.as_str()))).collect();
    let providers: Vec<&str> = mapping.providers.iter().map(|provider| provider.name()).collect();
    let (mut compiled, mut errors) = Compiled::of(&files, &providers);
    let others: Vec<&str> = sources.iter().flat_map(|source| source.objects()).copied().collect();
    let shared: Vec<String> = compiled.shared(&others).collect();
    let delivered = delivered(sources, &shared).await;
    errors.extend(compiled.leave_out_clashes(&others, &delivered));
    (compiled, errors.iter().map(ToString::to_string).collect())
}

/// Full names of the parameters that sources deliver for these objects. One that fails now is not asked again: where it
/// delivers the same as a mapping later, the mapping is not seen.
async fn delivered(sources: &[Rc<dyn ParameterSource>], objects: &[String]) -> HashSet<String> {
    let paths: Vec<&str> = objects.iter().map(String::as_str).collect();
    let wanted = Wanted::new(&paths);
    let mut names = Names::default();
    if paths.is_empty() {
        return names.names;
    }
    for source in sources {
        if source.objects().iter().any(|object| paths.contains(object)) {
            if let Err(error) = source.read(&wanted, &mut names).await {
                tracing::debug!("source {}: {error}", source.name());
            }
        }
    }
    names.names
}

/// Takes names and drops values.
#[derive(Default)]
struct Names {
    object: String,
    names: HashSet<String>,
}

impl ParameterSink for Names {
    fn object(&mut self, path: &str, _: ObjectKind) {
        path.clone_into(&mut self.object);
    }

    fn parameter(&mut self, name: &str, _: &dyn fmt::Display, _: Access) {
        self.names.insert([&self.object, name].concat());
    }

    fn vendor_parameter(&mut self, name: &str, _: ValueType, _: &dyn fmt::Display, _: Access) {
        self.names.insert([&self.object, name].concat());
    }
}

/// The `*.map` files of a folder with their texts, in the order of their names, and what could not be read.
fn read(folder: &Path) -> (Vec<(String, String)>, Vec<String>) {
    let (mut files, mut problems) = (Vec::new(), Vec::new());
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return (files, problems),
        Err(error) => return (files, vec![format!("{}: {error}", folder.display())]),
    };
    // One by one: collecting would bring a sort of its own, some 15 KB of code.
    let mut paths = BTreeSet::new();
    for path in entries.flatten().map(|entry| entry.path().display().to_string()) {
        if path.ends_with(".map") {
            paths.insert(path);
        }
    }
    for (number, path) in paths.into_iter().enumerate() {
        if number >= limits::FILES {
            problems.push(format!("{path}: more than {} mapping files", limits::FILES));
            continue;
        }
        match text(Path::new(&path)) {
            Ok(text) => files.push((path, text)),
            Err(error) => problems.push(format!("{path}: {error}")),
        }
    }
    (files, problems)
}

/// A file as far as it may go and one byte more, by which the compiler knows that it is too long.
fn text(path: &Path) -> io::Result<String> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let most = u64::try_from(limits::FILE_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let mut text = String::new();
    fs::File::open(path)?.take(most).read_to_string(&mut text)?;
    Ok(text)
}

//! Packages of the sandbox: each deployment unit is one file, so that a power cut leaves the former unit or the new one.
//!
//! A package is a file that begins with the line `cwmpd-sandbox-package` and lines `key=value`: `name`, `vendor` and `version`,
//! and if wanted `environment` (the type that it needs) and `units` (names of execution units, separated by commas). An empty
//! line ends them; what follows is the content. Nothing of it is run.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use cwmp_core::{
    fault::FaultCode,
    job::JobError,
    rpc::DuOperation,
    software::{DuTarget, is_uuid},
};
use cwmp_platform::software::{
    Environment, ExecutionUnit, Installed, Inventory, Package, PackageStore, UNITS, unit_uuid,
};

use crate::{
    files::{self, clean},
    platform::off_thread,
};

/// Folder below that of the sandbox with the installed units.
pub(crate) const PACKAGES: &str = "packages";
/// First line of a package.
const MARKER: &str = "cwmpd-sandbox-package";
/// Largest package, in bytes.
const PACKAGE_BYTES: u64 = 16 * 1024 * 1024;
/// Most bytes before the content, those of the installation included.
const HEAD_BYTES: u64 = 16 * 1024;
/// Longest name, in characters.
const NAME_CHARS: usize = 64;
/// Longest vendor, in characters.
const VENDOR_CHARS: usize = 128;
/// Longest version, in characters.
const VERSION_CHARS: usize = 32;
/// Most execution units of a package.
const PARTS: usize = 16;
/// The only execution environment, and its type.
const ENVIRONMENT: (&str, &str) = ("sandbox", "Linux");
/// How the name of an installed unit's file ends, behind its UUID.
const SUFFIX: &str = ".unit";

/// The installed units of a sandbox.
pub(crate) struct Packages {
    folder: PathBuf,
}

impl Packages {
    /// Those of the sandbox in this folder.
    pub(crate) fn new(sandbox: &Path) -> Self {
        Self { folder: sandbox.join(PACKAGES) }
    }
}

#[async_trait(?Send)]
impl PackageStore for Packages {
    async fn inventory(&self) -> Result<Inventory, JobError> {
        let (name, kind) = ENVIRONMENT;
        let environment = Environment { name: name.to_owned(), kind: kind.to_owned(), enabled: true };
        let folder = self.folder.clone();
        let units = blocking(move || Ok(installed(&folder))).await?;
        Ok(Inventory { environments: vec![environment], units })
    }

    async fn inspect(&self, file: &Path) -> Result<Package, JobError> {
        let file = file.to_owned();
        blocking(move || {
            let text = head(&file).map_err(corrupted)?;
            package(&text).map(|(package, _)| package).map_err(corrupted)
        })
        .await
    }

    async fn apply(&self, target: &DuTarget, file: &Path) -> Result<(), JobError> {
        if !is_uuid(&target.uuid) {
            return Err(JobError::new(FaultCode::INVALID_UUID_FORMAT, "UUID has not the form of one"));
        }
        let place = self.folder.join(format!("{}{SUFFIX}", target.uuid.to_ascii_lowercase()));
        let (folder, file, target) = (self.folder.clone(), file.to_owned(), target.clone());
        blocking(move || match target.operation {
            DuOperation::Uninstall => remove(&folder, &place),
            DuOperation::Install | DuOperation::Update => install(&folder, &place, &file, &target),
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, JobError> + Send + 'static,
) -> Result<T, JobError> {
    // The work fails in its own way, the thread in another.
    let done = off_thread(move || Ok(work())).await;
    done.unwrap_or_else(|error| Err(denied(error.to_string())))
}

fn denied(text: String) -> JobError {
    JobError::new(FaultCode::REQUEST_DENIED, text)
}

fn corrupted(text: String) -> JobError {
    JobError::new(FaultCode::FILE_CORRUPTED, text)
}

/// Installed or updated in one step: with the UUID and URL on two lines, then the package as it was fetched.
fn install(folder: &Path, place: &Path, file: &Path, target: &DuTarget) -> Result<(), JobError> {
    let bytes = files::read_regular(file, PACKAGE_BYTES).map_err(corrupted)?;
    fs::create_dir_all(folder).map_err(|e| denied(format!("cannot make {}: {e}", folder.display())))?;
    if target.operation == DuOperation::Install && unit_files(folder).len() >= UNITS {
        let text = format!("{UNITS} deployment units are installed");
        return Err(JobError::new(FaultCode::SYSTEM_RESOURCES_EXCEEDED, text));
    }
    let head = format!("uuid={}\nurl={}\n", target.uuid, target.url);
    files::replace(place, |unit| {
        unit.write_all(head.as_bytes())?;
        unit.write_all(&bytes)
    })
    .map_err(denied)
}

fn remove(folder: &Path, place: &Path) -> Result<(), JobError> {
    let gone = match fs::remove_file(place) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed.and_then(|()| File::open(folder)?.sync_all()),
    };
    gone.map_err(|e| denied(format!("cannot remove {}: {e}", place.display())))
}

/// Files of installed units, in the order of their UUIDs.
fn unit_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().take(files::FOLDER_ENTRIES);
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.retain(|path| path.to_string_lossy().ends_with(SUFFIX));
    files.sort();
    files
}

fn installed(folder: &Path) -> Vec<Installed> {
    // One that is damaged hides none of the others.
    let sound = |file: &PathBuf| {
        unit(file).inspect_err(|error| tracing::warn!("{} is left out: {error}", file.display())).ok()
    };
    unit_files(folder).iter().take(UNITS).filter_map(sound).collect()
}

fn unit(file: &Path) -> Result<Installed, String> {
    let text = head(file)?;
    let damaged = || format!("{} is damaged", file.display());
    let (uuid, rest) =
        text.strip_prefix("uuid=").and_then(|rest| rest.split_once('\n')).ok_or_else(damaged)?;
    let (url, rest) = rest.strip_prefix("url=").and_then(|rest| rest.split_once('\n')).ok_or_else(damaged)?;
    let (package, parts) = package(rest)?;
    let package = Package { uuid: uuid.to_owned(), ..package };
    let execution_units = parts.into_iter().map(|name| ExecutionUnit { name }).collect();
    let environment = ENVIRONMENT.0.to_owned();
    Ok(Installed { package, url: url.to_owned(), environment, resolved: true, execution_units })
}

/// What stands before the content of a package or an installed unit.
fn head(file: &Path) -> Result<String, String> {
    let start = files::read_start(file, HEAD_BYTES).map_err(|e| format!("{}: {e}", file.display()))?;
    let start = String::from_utf8_lossy(&start);
    let head = start.split_once("\n\n").map(|(head, _)| format!("{head}\n"));
    head.ok_or_else(|| "it is no package: no empty line ends its description".to_owned())
}

/// A package, and the names of its execution units.
fn package(head: &str) -> Result<(Package, Vec<String>), String> {
    let mut lines = head.lines();
    if lines.next() != Some(MARKER) {
        return Err(format!("it is no package: it does not begin with the line `{MARKER}`"));
    }
    let pairs: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once('=')).collect();
    let value = |key: &str| pairs.iter().find(|(known, _)| *known == key).map_or("", |(_, value)| *value);
    let fit = |key: &str, limit| {
        let text = value(key);
        let fits = !text.is_empty() && clean(text, limit) == text;
        fits.then(|| text.to_owned()).ok_or_else(|| format!("its {key} is missing or malformed"))
    };
    let (name, vendor) = (fit("name", NAME_CHARS)?, fit("vendor", VENDOR_CHARS)?);
    let version = fit("version", VERSION_CHARS)?;
    let units = value("units").split(',').map(str::trim).filter(|name| !name.is_empty());
    let mut execution_units: Vec<String> = units.map(|name| clean(name, NAME_CHARS)).take(PARTS).collect();
    if execution_units.is_empty() {
        execution_units.push(name.clone());
    }
    execution_units.sort();
    execution_units.dedup();
    if execution_units.iter().any(|name| name.contains('/')) {
        return Err("the name of an execution unit has no `/`".to_owned());
    }
    let environment_kind = clean(value("environment"), NAME_CHARS);
    let uuid = unit_uuid(&vendor, &name);
    Ok((Package { uuid, name, vendor, version, environment_kind }, execution_units))
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use cwmp_core::{
        job::DuDone,
        settings::Secret,
        software::{DuOrder, DuUnit},
    };
    use cwmp_platform::{instances::InstanceNumbers, software::SoftwareModules};

    use super::*;
    use crate::testing::{Collected, assert_values_fit};

    struct There {
        folder: tempfile::TempDir,
        modules: SoftwareModules,
    }

    impl There {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let numbers = Rc::new(InstanceNumbers::in_memory());
            let modules = SoftwareModules::new(Rc::new(Packages::new(folder.path())), numbers);
            Self { folder, modules }
        }

        /// Carries an operation on one unit out, with this file.
        async fn change(&self, operation: DuOperation, uuid: &str, file: &str) -> Result<DuUnit, u32> {
            let order = DuOrder {
                operation,
                uuid: uuid.into(),
                version: String::new(),
                url: if operation == DuOperation::Uninstall { "" } else { "http://files/unit" }.into(),
                username: String::new(),
                password: Secret::default(),
                execution_env_ref: String::new(),
            };
            let code = |error: JobError| error.code.0;
            let DuDone::Planned(targets) = self.modules.plan(&order).await.map_err(code)? else { panic!() };
            let [target] = &targets[..] else { panic!("{targets:?}") };
            let path = self.folder.path().join("fetched");
            fs::write(&path, file).unwrap();
            let target = match operation {
                DuOperation::Uninstall => target.clone(),
                _ => match self.modules.check(target, &path).await.map_err(code)? {
                    DuDone::Fetched(target) => target,
                    other => panic!("{other:?}"),
                },
            };
            match self.modules.apply(&target, &path).await.map_err(code)? {
                DuDone::Changed(unit) => Ok(unit),
                DuDone::Failed(error, _) => Err(code(error)),
                other => panic!("{other:?}"),
            }
        }

        async fn units_left(&self) -> usize {
            Packages::new(self.folder.path()).inventory().await.unwrap().units.len()
        }

        async fn value(&self, path: &str) -> Option<String> {
            let collected = Collected::from(&self.modules, &[""]).await;
            collected.value(&format!("Device.SoftwareModules.{path}")).map(str::to_owned)
        }
    }

    fn file(version: &str) -> String {
        format!("{MARKER}\nname=counter\nvendor=example.com\nversion={version}\nunits=a,b\n\ncontent\n\n")
    }

    /// Conformance: 11.01, 11.06, 11.07, 11.09
    #[tokio::test(flavor = "current_thread")]
    async fn a_unit_is_installed_updated_and_removed() {
        let there = There::new();
        let uuid = unit_uuid("example.com", "counter");
        let installed = there.change(DuOperation::Install, "", &file("1.0")).await.unwrap();
        assert_eq!((installed.uuid.as_str(), installed.version.as_str()), (uuid.as_str(), "1.0"));
        assert_eq!(installed.reference, "Device.SoftwareModules.DeploymentUnit.1");
        assert_eq!(installed.execution_units.len(), 2);
        assert_eq!(there.change(DuOperation::Install, "", &file("1.0")).await, Err(9026));
        assert_eq!(there.value("DeploymentUnit.1.URL").await.as_deref(), Some("http://files/unit"));
        assert_eq!(there.value("ExecutionUnit.2.Name").await.as_deref(), Some("b"));

        let updated = there.change(DuOperation::Update, &uuid, &file("1.1")).await.unwrap();
        assert_eq!((updated.version.as_str(), updated.reference), ("1.1", installed.reference));
        assert_values_fit(&Collected::from(&there.modules, &[""]).await);
        assert_eq!(there.change(DuOperation::Uninstall, &uuid, "").await.unwrap().uuid, uuid);
        assert_eq!(there.value("DeploymentUnit.1.UUID").await, None);
        assert_eq!(there.change(DuOperation::Uninstall, &uuid, "").await, Err(9028));
    }

    /// Conformance: 11.08, 11.16
    #[tokio::test(flavor = "current_thread")]
    async fn an_update_that_fails_leaves_the_former_version() {
        let there = There::new();
        let uuid = unit_uuid("example.com", "counter");
        there.change(DuOperation::Install, "", &file("1.5")).await.unwrap();
        for (damaged, code) in [
            (String::new(), 9018),
            ("ELF\n\n".into(), 9018),
            (format!("{MARKER}\nname=counter\n\n"), 9018),
            (file("1.5"), 9032),
            (file("1.4"), 9030),
            (file("1.6").replace("vendor=example.com", "vendor=other.com"), 9001),
            (file("1.6").replace("units=", "environment=Java\nunits="), 9025),
        ] {
            assert_eq!(there.change(DuOperation::Update, &uuid, &damaged).await, Err(code), "{damaged}");
            assert_eq!(there.value("DeploymentUnit.1.Version").await.as_deref(), Some("1.5"));
        }
    }

    /// Conformance: 11.07, 11.18
    #[tokio::test(flavor = "current_thread")]
    async fn a_unit_keeps_the_uuid_that_it_was_given_over_a_restart() {
        let there = There::new();
        let given = "00112233-4455-6677-8899-AABBCCDDEEFF";
        there.change(DuOperation::Install, given, &file("1.0")).await.unwrap();
        let again = Packages::new(there.folder.path()).inventory().await.unwrap();
        assert_eq!(again.units[0].package.uuid, given);
        crate::sandbox::Sandbox::boot(there.folder.path().to_owned()).reset().unwrap();
        assert_eq!(there.units_left().await, 0, "a factory reset removes them");
    }
}

//! Packages of the sandbox: each deployment unit is one file, so that a power cut leaves the former unit or the new one.
//!
//! A package is a file that begins with the line `cwmpd-sandbox-package` and lines `key=value`: `name`, `vendor` and `version`,
//! and if wanted `environment` (the type that it needs) and `units` (names of execution units, separated by commas). An empty
//! line ends them; what follows is the content. Nothing of it is run: an execution unit is started and stopped in name only.

use std::{
    cell::RefCell,
    collections::BTreeSet,
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
    Activity, Control, Environment, ExecutionKey, ExecutionUnit, Installed, Inventory, Package, PackageStore,
    UNITS, unit_uuid,
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
/// How the name of the file ends that lists the execution units of a unit that do not start by themselves.
const MANUAL: &str = "manual";
/// This file is there while the environment is disabled.
const DISABLED: &str = "disabled";

/// The installed units of a sandbox.
pub(crate) struct Packages {
    folder: PathBuf,
    /// Execution units that somebody has started, or stopped, since the box has started.
    ordered: RefCell<Ordered>,
}

/// Execution units by UUID and name.
#[derive(Default)]
struct Ordered {
    started: BTreeSet<(String, String)>,
    stopped: BTreeSet<(String, String)>,
}

impl Packages {
    /// Those of the sandbox in this folder.
    pub(crate) fn new(sandbox: &Path) -> Self {
        Self { folder: sandbox.join(PACKAGES), ordered: RefCell::default() }
    }
}

#[async_trait(?Send)]
impl PackageStore for Packages {
    async fn inventory(&self) -> Result<Inventory, JobError> {
        let (name, kind) = ENVIRONMENT;
        let folder = self.folder.clone();
        let (mut units, enabled) =
            blocking(move || Ok((installed(&folder), !folder.join(DISABLED).exists()))).await?;
        let environment = Environment { name: name.to_owned(), kind: kind.to_owned(), enabled };
        let ordered = self.ordered.borrow();
        for unit in &mut units {
            for part in &mut unit.execution_units {
                let key = (unit.package.uuid.clone(), part.name.clone());
                let starts = part.auto_start && !ordered.stopped.contains(&key);
                let active = enabled && (starts || ordered.started.contains(&key));
                part.activity = if active { Activity::Active } else { Activity::Idle };
            }
        }
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
        if target.operation == DuOperation::Uninstall {
            let mut ordered = self.ordered.borrow_mut();
            ordered.started.retain(|(uuid, _)| !uuid.eq_ignore_ascii_case(&target.uuid));
            ordered.stopped.retain(|(uuid, _)| !uuid.eq_ignore_ascii_case(&target.uuid));
        }
        let (folder, file, target) = (self.folder.clone(), file.to_owned(), target.clone());
        blocking(move || match target.operation {
            DuOperation::Uninstall => remove(&place),
            DuOperation::Install | DuOperation::Update => install(&folder, &place, &file, &target),
        })
        .await
    }

    async fn control(&self, order: &Control) -> Result<(), String> {
        let folder = self.folder.clone();
        match order {
            Control::Enable { on, .. } => {
                let on = *on;
                let done = blocking(move || enable(&folder, on).map_err(denied)).await;
                // As after a start of the box.
                self.ordered.take();
                done.map_err(|error| error.text)
            }
            Control::AutoStart { unit, on } => {
                let (unit, on) = (unit.clone(), *on);
                let done = blocking(move || auto_start(&folder, &unit, on).map_err(denied)).await;
                done.map_err(|error| error.text)
            }
            Control::Run { unit, active } => {
                let mut ordered = self.ordered.borrow_mut();
                let Ordered { started, stopped } = &mut *ordered;
                let (now, before) = if *active { (started, stopped) } else { (stopped, started) };
                let key = (unit.uuid.clone(), unit.name.clone());
                before.remove(&key);
                now.insert(key);
                Ok(())
            }
        }
    }
}

fn enable(folder: &Path, on: bool) -> Result<(), String> {
    let marker = folder.join(DISABLED);
    if on {
        return remove_file(&marker);
    }
    fs::create_dir_all(folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
    files::replace(&marker, |_| Ok(()))
}

fn manual(folder: &Path, uuid: &str) -> PathBuf {
    folder.join(format!("{}.{MANUAL}", uuid.to_ascii_lowercase()))
}

/// Names of the execution units that do not start by themselves.
fn manual_units(folder: &Path, uuid: &str) -> BTreeSet<String> {
    let text = files::read_start(&manual(folder, uuid), HEAD_BYTES).unwrap_or_default();
    String::from_utf8_lossy(&text).lines().map(str::to_owned).collect()
}

fn auto_start(folder: &Path, unit: &ExecutionKey, on: bool) -> Result<(), String> {
    let mut names = manual_units(folder, &unit.uuid);
    let changed = if on { names.remove(&unit.name) } else { names.insert(unit.name.clone()) };
    if !changed {
        return Ok(());
    }
    let text: String = names.iter().map(|name| format!("{name}\n")).collect();
    files::replace(&manual(folder, &unit.uuid), |file| file.write_all(text.as_bytes()))
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

fn remove(place: &Path) -> Result<(), JobError> {
    remove_file(place).and_then(|()| remove_file(&place.with_extension(MANUAL))).map_err(denied)
}

/// Removes a file durably, where it is there.
fn remove_file(file: &Path) -> Result<(), String> {
    let folder = file.parent().unwrap_or(file);
    let gone = match fs::remove_file(file) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed.and_then(|()| File::open(folder)?.sync_all()),
    };
    gone.map_err(|e| format!("cannot remove {}: {e}", file.display()))
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
    let manual = file.parent().map(|folder| manual_units(folder, uuid)).unwrap_or_default();
    let part = |name: String| {
        let auto_start = !manual.contains(&name);
        ExecutionUnit { name, auto_start, ..ExecutionUnit::default() }
    };
    let execution_units = parts.into_iter().map(part).collect();
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
    use cwmp_platform::{
        instances::InstanceNumbers,
        software::SoftwareModules,
        source::{Change, ParameterSource},
    };

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

    /// Conformance: 11.14
    #[tokio::test(flavor = "current_thread")]
    async fn execution_units_are_started_and_stopped_and_stop_with_their_environment() {
        let there = There::new();
        let uuid = unit_uuid("example.com", "counter");
        there.change(DuOperation::Install, "", &file("1.0")).await.unwrap();
        let states = async |there: &There| {
            let mut states = Vec::new();
            for number in [1, 2] {
                states.push(there.value(&format!("ExecutionUnit.{number}.Status")).await.unwrap());
            }
            states
        };
        let set = async |changes: &[(&str, &str)]| {
            let change = |(name, value): &(&str, &str)| Change {
                name: format!("Device.SoftwareModules.{name}"),
                value: (*value).to_owned(),
            };
            let changes: Vec<Change> = changes.iter().map(change).collect();
            let faults = ParameterSource::check(&there.modules, &changes).await;
            match faults.first() {
                Some(fault) => Err(fault.code.0),
                None => ParameterSource::apply(&there.modules, &changes).await.map_err(|_| 9002),
            }
        };
        assert_eq!(states(&there).await, ["Active", "Active"]);
        set(&[("ExecutionUnit.1.RequestedState", "Idle"), ("ExecutionUnit.2.AutoStart", "false")])
            .await
            .unwrap();
        assert_eq!(states(&there).await, ["Idle", "Idle"], "nobody has started the second one by hand");
        set(&[("ExecutionUnit.2.RequestedState", "Active")]).await.unwrap();
        assert_eq!(states(&there).await, ["Idle", "Active"]);

        set(&[("ExecEnv.1.Enable", "false")]).await.unwrap();
        assert_eq!(states(&there).await, ["Idle", "Idle"]);
        assert_eq!(there.value("ExecEnv.1.Status").await.as_deref(), Some("Disabled"));
        assert_eq!(set(&[("ExecutionUnit.1.RequestedState", "Active")]).await, Err(9007));
        assert_eq!(there.change(DuOperation::Install, "", &file("1.0")).await, Err(9024));
        assert_eq!(there.change(DuOperation::Uninstall, &uuid, "").await, Err(9024));
        assert_values_fit(&Collected::from(&there.modules, &[""]).await);

        let both = [("ExecutionUnit.2.RequestedState", "Active"), ("ExecEnv.1.Enable", "true")];
        set(&both).await.unwrap();
        assert_eq!(states(&there).await, ["Active", "Active"], "one by itself, one by order");
        let again = Packages::new(there.folder.path()).inventory().await.unwrap();
        let auto: Vec<bool> = again.units[0].execution_units.iter().map(|unit| unit.auto_start).collect();
        assert_eq!(auto, [true, false]);
        there.change(DuOperation::Uninstall, &uuid, "").await.unwrap();
        let left: Vec<_> = fs::read_dir(there.folder.path().join(PACKAGES)).unwrap().flatten().collect();
        assert!(left.is_empty(), "{left:?}");
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

//! Deployment units: the packages that somebody has installed with opkg or apk. Their execution units are their init scripts.
//!
//! What the firmware brings is no unit: the ACS cannot remove it. Which of the two programs is there decides; without one the
//! box has no software modules.

mod adb;
mod ipk;
mod limits;
mod memory;
mod records;
mod services;
mod tool;

use std::{collections::BTreeMap, path::Path, rc::Rc};

use async_trait::async_trait;
use cwmp_core::{
    fault::FaultCode,
    job::JobError,
    rpc::DuOperation,
    software::{DuTarget, is_uuid},
};
use cwmp_linux::{files::clean, off_thread};
use cwmp_platform::software::{
    Control, Environment, Installed, Inventory, Package, PackageStore, UNITS, unit_uuid,
};

use crate::ground::Ground;
use ipk::Described;
use memory::{Given, Memory, MemoryFile};
use records::Record;
pub(crate) use services::Services;
pub(crate) use tool::Tool;

/// The only execution environment, and its type.
const ENVIRONMENT: (&str, &str) = ("OpenWrt", "Linux");
/// Vendor of all packages. Their maintainers change from version to version, and a UUID must not.
const VENDOR: &str = "OpenWrt";
/// Longest version that is shown, in characters.
const VERSION_CHARS: usize = 32;

/// The packages of the box.
pub(crate) struct Packages {
    ground: Rc<Ground>,
    tool: Tool,
    memory: MemoryFile,
    services: Rc<Services>,
}

impl Packages {
    /// Those of a box that has a program for them and a folder to remember them in, and whose owner lets the ACS have them.
    pub(crate) fn of(ground: &Rc<Ground>) -> Option<Self> {
        let tool = Tool::of(ground).filter(|_| ground.options.packages)?;
        let memory = MemoryFile::new(ground.options.state_folder.as_deref()?);
        Some(Self { ground: Rc::clone(ground), tool, memory, services: Rc::clone(&ground.services) })
    }

    async fn blocking<T: Send + 'static>(
        work: impl FnOnce() -> Result<T, JobError> + Send + 'static,
    ) -> Result<T, JobError> {
        // The work fails in its own way, the thread in another.
        let done = off_thread(move || Ok(work())).await;
        done.unwrap_or_else(|error| Err(denied(error.to_string())))
    }

    async fn records(&self) -> Result<BTreeMap<String, Record>, JobError> {
        let (root, tool) = (self.ground.root.clone(), self.tool);
        Self::blocking(move || records::read(&root, tool).map_err(denied)).await
    }

    async fn describe(&self, file: &Path) -> Result<Described, JobError> {
        let (tool, file) = (self.tool, file.to_owned());
        let read = move || match tool {
            Tool::Opkg => ipk::describe(&file),
            Tool::Apk => adb::describe(&file),
        };
        let corrupted = |text| JobError::new(FaultCode::FILE_CORRUPTED, text);
        Self::blocking(move || read().map_err(corrupted)).await
    }

    async fn remembered(&self) -> Result<Memory, JobError> {
        let memory = self.memory.clone();
        Self::blocking(move || Ok(memory.load())).await
    }

    async fn remember(&self, change: impl FnOnce(&mut Memory) + Send + 'static) -> Result<(), JobError> {
        let memory = self.memory.clone();
        Self::blocking(move || memory.change(change).map_err(denied)).await
    }

    async fn install(&self, target: &DuTarget, file: &Path) -> Result<(), JobError> {
        let described = self.describe(file).await?;
        let records = self.records().await?;
        let present = records.get(&described.name);
        if target.operation == DuOperation::Install {
            if present.is_some_and(|record| !record.chosen) && self.is_built_in(&described.name).await {
                let text = format!("{} is part of the firmware", described.name);
                return Err(JobError::new(FaultCode::DUPLICATE_DEPLOYMENT_UNIT, text));
            }
            if records.values().filter(|record| record.chosen).count() >= UNITS {
                let text = format!("{UNITS} deployment units are installed");
                return Err(JobError::new(FaultCode::SYSTEM_RESOURCES_EXCEEDED, text));
            }
            // Before it is there: otherwise a power cut would leave it with another UUID than the ACS has given it.
            let given = Given { uuid: target.uuid.clone(), url: target.url.clone() };
            let name = described.name.clone();
            self.remember(move |memory| drop(memory.units.insert(name, given))).await?;
        }
        let failed = self.tool.install(&self.ground, file).await.err();
        let now = self.records().await?;
        let reached = now.get(&described.name).is_some_and(|record| record.version == described.version);
        let name = described.name.clone();
        match (failed, reached) {
            (None, true) => {
                let url = target.url.clone();
                let uuid = target.uuid.clone();
                self.remember(move |memory| drop(memory.units.insert(name, Given { uuid, url }))).await
            }
            (failed, _) => {
                if !now.contains_key(&described.name) {
                    self.put_back(&described.name, present).await;
                    if target.operation == DuOperation::Install {
                        self.remember(move |memory| drop(memory.units.remove(&name))).await?;
                    }
                }
                let text = "the package program has ended well, and the package is not there in this version";
                Err(failed.unwrap_or_else(|| JobError::new(FaultCode::INVALID_DEPLOYMENT_UNIT_STATE, text)))
            }
        }
    }

    /// A failed update has cost the box the former version: the sources of the box may have it. What is there in the end is
    /// looked up by others.
    async fn put_back(&self, name: &str, former: Option<&Record>) {
        let Some(former) = former else { return };
        tracing::warn!(
            "{name} {} is gone after an update that failed: it is installed again",
            former.version
        );
        if let Err(error) = self.tool.reinstall(&self.ground, name, &former.version).await {
            tracing::error!("{name} cannot be put back: {}", error.text);
        }
    }

    /// Enables or disables the environment: what is to be is written down first, so that a cut leaves no unit that would
    /// never start again.
    async fn enable(&self, on: bool) -> Result<(), String> {
        let text = |error: JobError| error.text;
        let inventory = self.inventory().await.map_err(text)?;
        let parts = || inventory.units.iter().flat_map(|unit| &unit.execution_units);
        let disabled = self.remembered().await.map_err(text)?.disabled;
        match (on, disabled) {
            (true, None) | (false, Some(_)) => Ok(()),
            (false, None) => {
                let waiting = parts().filter(|part| part.auto_start).map(|part| part.name.clone()).collect();
                self.remember(|memory| memory.disabled = Some(waiting)).await.map_err(text)?;
                for part in parts() {
                    self.services.run_to_end(&self.ground, &part.name, false).await;
                    if let Err(error) = services::enable(&self.ground, &part.name, false).await {
                        tracing::warn!("{error}");
                    }
                }
                Ok(())
            }
            (true, Some(waiting)) => {
                for part in parts().filter(|part| waiting.contains(&part.name)) {
                    if let Err(error) = services::enable(&self.ground, &part.name, true).await {
                        tracing::warn!("{error}");
                    }
                    self.services.run_to_end(&self.ground, &part.name, true).await;
                }
                self.remember(|memory| memory.disabled = None).await.map_err(text)
            }
        }
    }

    async fn auto_start(&self, name: &str, on: bool) -> Result<(), String> {
        let text = |error: JobError| error.text;
        if self.remembered().await.map_err(text)?.disabled.is_none() {
            return services::enable(&self.ground, name, on).await;
        }
        let name = name.to_owned();
        let change = move |memory: &mut Memory| {
            let waiting = memory.disabled.get_or_insert_default();
            if on {
                waiting.insert(name)
            } else {
                waiting.remove(&name)
            };
        };
        self.remember(change).await.map_err(text)
    }

    /// Whether the firmware has a package of this name.
    async fn is_built_in(&self, name: &str) -> bool {
        let (root, tool) = (self.ground.root.clone(), self.tool);
        let built_in = Self::blocking(move || Ok(records::built_in(&root, tool))).await;
        built_in.is_ok_and(|names| names.contains(name))
    }

    async fn remove(&self, target: &DuTarget) -> Result<(), JobError> {
        let inventory = self.inventory().await?;
        let unit = inventory.units.iter().find(|unit| unit.package.uuid.eq_ignore_ascii_case(&target.uuid));
        let Some(unit) = unit else { return Ok(()) };
        let name = unit.package.name.clone();
        self.tool.remove(&self.ground, &name).await?;
        if self.records().await?.contains_key(&name) {
            let text = format!("{name} is still installed: another package needs it");
            return Err(JobError::new(FaultCode::INVALID_DEPLOYMENT_UNIT_STATE, text));
        }
        self.remember(move |memory| drop(memory.units.remove(&name))).await
    }
}

#[async_trait(?Send)]
impl PackageStore for Packages {
    async fn inventory(&self) -> Result<Inventory, JobError> {
        let (name, kind) = ENVIRONMENT;
        let records = self.records().await?;
        let mut memory = self.remembered().await?;
        let enabled = memory.disabled.is_none();
        let environment = Environment { name: name.to_owned(), kind: kind.to_owned(), enabled };
        let now = self.services.look(&self.ground).await;
        let units = records.into_iter().filter(|(_, record)| record.chosen).take(UNITS);
        let unit = |(name, record): (String, Record)| {
            let given = memory.units.remove(&name).unwrap_or_default();
            let given_uuid = Some(given.uuid).filter(|uuid| is_uuid(uuid));
            let part = |name| self.services.unit(name, &now, memory.disabled.as_ref());
            let execution_units = record.scripts.into_iter().map(part).collect();
            Installed {
                package: Package {
                    uuid: given_uuid.unwrap_or_else(|| unit_uuid(VENDOR, &name)),
                    name,
                    vendor: VENDOR.to_owned(),
                    version: clean(&record.version, VERSION_CHARS),
                    environment_kind: String::new(),
                },
                url: given.url,
                environment: ENVIRONMENT.0.to_owned(),
                resolved: record.whole,
                execution_units,
            }
        };
        Ok(Inventory { environments: vec![environment], units: units.map(unit).collect() })
    }

    async fn inspect(&self, file: &Path) -> Result<Package, JobError> {
        let Described { name, version } = self.describe(file).await?;
        Ok(Package {
            uuid: unit_uuid(VENDOR, &name),
            name,
            vendor: VENDOR.to_owned(),
            version: clean(&version, VERSION_CHARS),
            environment_kind: String::new(),
        })
    }

    async fn apply(&self, target: &DuTarget, file: &Path) -> Result<(), JobError> {
        match target.operation {
            DuOperation::Uninstall => self.remove(target).await,
            DuOperation::Install | DuOperation::Update => self.install(target, file).await,
        }
    }

    async fn is_busy(&self) -> bool {
        let (root, tool) = (self.ground.root.clone(), self.tool);
        Self::blocking(move || Ok(tool.is_running(&root))).await.unwrap_or(true)
    }

    async fn control(&self, order: &Control) -> Result<(), String> {
        match order {
            Control::Enable { on, .. } => self.enable(*on).await,
            Control::AutoStart { unit, on } => self.auto_start(&unit.name, *on).await,
            Control::Run { unit, active } => self.services.run(&self.ground, &unit.name, *active),
        }
    }
}

fn denied(text: impl ToString) -> JobError {
    JobError::new(FaultCode::REQUEST_DENIED, text.to_string())
}

/// Whether a name or a version can stand in an argument list and in a path: it is no option, and leaves no folder.
fn is_word(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+~:".contains(&byte);
    (1..=limits::WORD_BYTES).contains(&text.len()) && !text.starts_with(['-', '.']) && text.bytes().all(fits)
}

#[cfg(test)]
mod tests;

//! The box below the agent: two slots for firmware and a configuration, both on the disk that loses power, and a memory that
//! is gone with the power.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
};

use async_trait::async_trait;
use cwmp_core::{
    fault::SetParameterValuesFault,
    io::RebootCause,
    job::{DownloadType, UploadType},
    rpc::{DeviceId, Status},
};
use cwmp_platform::{
    DeviceFacts, FactoryReset, Flash, FlashOptions, ImageFacts, LoadConfig, Platform, PlatformError, Restart,
    instances::InstanceNumbers,
    settings::Settings,
    source::{Access, Change, ObjectKind, ParameterSink, ParameterSource, SourceError, Storage, Wanted},
};
use cwmp_store::{StateFile, sim::Sim};

use super::{
    book::Truth,
    expected::{CODE, HOST},
    plan::Plan,
};

const DEVICE_INFO: &str = "Device.DeviceInfo.";
const HOSTS: &str = "Device.Hosts.";
const HOST_ROW: &str = "Device.Hosts.Host.{i}.";
/// The firmware that the box was sold with, and its configuration.
const FIRST_IMAGE: &str = "1.0";
const FACTORY_CONFIGURATION: &str = "factory";
/// How images begin; one that goes on with `bad` does not boot.
pub(super) const IMAGE: &str = "firmware ";
pub(super) const CONFIGURATION: &str = "configuration ";

/// Files in memory, by name: what was fetched. A power cut and a boot clear it; a restart of the program does not.
pub(super) type Memory = Rc<RefCell<BTreeMap<PathBuf, String>>>;

/// The box in one boot.
pub(super) struct Device {
    /// The slot that ran when the other one was written, and the one that is to run.
    slots: RefCell<StateFile<(String, String)>>,
    configuration: RefCell<StateFile<String>>,
    running: String,
    in_force: RefCell<String>,
    /// UUIDs of its deployment units.
    units: RefCell<(StateFile<Vec<String>>, Vec<String>)>,
    boot: u32,
    pub(super) memory: Memory,
    plan: Rc<Plan>,
    source: RefCell<Option<Rc<Source>>>,
}

impl Device {
    /// What runs on this disk in the boot with this number.
    ///
    /// # Errors
    /// The disk fails.
    pub(super) fn boot(disk: &Arc<Sim>, plan: &Rc<Plan>, boot: u32, memory: Memory) -> Result<Self, String> {
        let error = |error: cwmp_store::StoreError| error.to_string();
        let (slots, kept, _) =
            StateFile::<(String, String)>::open(disk.clone(), Path::new("/box/slots")).map_err(error)?;
        let (configuration, in_force, _) =
            StateFile::<String>::open(disk.clone(), Path::new("/box/configuration")).map_err(error)?;
        let (former, newest) = kept.unwrap_or_else(|| (FIRST_IMAGE.to_owned(), FIRST_IMAGE.to_owned()));
        let running = if newest.starts_with("bad") { former } else { newest };
        let in_force = RefCell::new(in_force.unwrap_or_else(|| FACTORY_CONFIGURATION.to_owned()));
        let (slots, configuration) = (RefCell::new(slots), RefCell::new(configuration));
        let (units, installed, _) =
            StateFile::<Vec<String>>::open(disk.clone(), Path::new("/box/units")).map_err(error)?;
        let units = RefCell::new((units, installed.unwrap_or_default()));
        let (plan, source) = (Rc::clone(plan), RefCell::default());
        Ok(Self { slots, configuration, running, in_force, units, boot, memory, plan, source })
    }

    /// What is true of the box now.
    pub(super) fn truth(&self) -> Truth {
        Truth {
            runs: self.running.clone(),
            in_force: Some(self.in_force.borrow().clone()),
            units: Some(self.units()),
        }
    }

    /// UUIDs of the deployment units.
    pub(super) fn units(&self) -> Vec<String> {
        self.units.borrow().1.clone()
    }

    /// Installs a deployment unit.
    ///
    /// # Errors
    /// The disk fails; then it is not there.
    pub(super) fn install(&self, uuid: &str) -> Result<(), String> {
        let mut units = self.units.borrow_mut();
        let (file, installed) = &mut *units;
        let mut next = installed.clone();
        next.push(uuid.to_owned());
        file.save(&next).map_err(|error| error.to_string())?;
        *installed = next;
        Ok(())
    }

    /// Gives the box the agent's settings and numbers, for its parameters.
    pub(super) fn connect(&self, settings: Rc<dyn Settings>, numbers: Rc<InstanceNumbers>) {
        let source = Source { settings, numbers, running: self.running.clone(), boot: self.boot };
        self.source.replace(Some(Rc::new(source)));
    }

    fn file(&self, file: &Path, kind: &str) -> Result<String, PlatformError> {
        let memory = self.memory.borrow();
        let content = memory
            .get(file)
            .ok_or_else(|| PlatformError::Failed(format!("there is no {}", file.display())))?;
        let payload = content.strip_prefix(kind).map(str::to_owned);
        payload.ok_or_else(|| PlatformError::Refused(format!("{} is no {kind}", file.display())))
    }
}

fn failed(error: impl ToString) -> PlatformError {
    PlatformError::Failed(error.to_string())
}

#[async_trait(?Send)]
impl Platform for Device {
    fn name(&self) -> &'static str {
        "simulated"
    }

    async fn device_facts(&self) -> Result<DeviceFacts, PlatformError> {
        Ok(DeviceFacts {
            id: identity(),
            model_name: "Box".to_owned(),
            hardware_version: "1".to_owned(),
            software_version: self.running.clone(),
        })
    }

    async fn boot_id(&self) -> Result<String, PlatformError> {
        Ok(format!("boot-{}", self.boot))
    }

    fn clock_is_synchronised(&self) -> bool {
        true
    }

    fn can_factory_reset(&self) -> bool {
        true
    }

    async fn image_mark(&self) -> Result<String, PlatformError> {
        Ok(self.running.clone())
    }

    fn download_types(&self) -> Vec<DownloadType> {
        vec![DownloadType::Firmware, DownloadType::Configuration]
    }

    fn upload_types(&self) -> Vec<UploadType> {
        vec![UploadType::Configuration(None)]
    }

    fn is_idle(&self) -> bool {
        true
    }

    async fn reboot(&self, _: RebootCause) -> Result<Restart, PlatformError> {
        Ok(Restart::Imminent)
    }

    async fn factory_reset(&self) -> Result<FactoryReset, PlatformError> {
        self.configuration.borrow_mut().delete().map_err(failed)?;
        self.in_force.replace(FACTORY_CONFIGURATION.to_owned());
        Ok(if self.plan.reset_restarts { FactoryReset::Restarting } else { FactoryReset::Done })
    }

    async fn before_download(&self, _: &DownloadType, _: Option<u64>) -> Result<(), PlatformError> {
        Ok(())
    }

    async fn download_over(&self, _: &DownloadType) {}

    async fn check_firmware(&self, image: &Path) -> Result<ImageFacts, PlatformError> {
        let image = self.file(image, IMAGE)?;
        let expects = Some(image).filter(|_| self.plan.image_is_known);
        Ok(ImageFacts { expects, version: None })
    }

    async fn confirm_image(&self) -> Result<(), PlatformError> {
        Ok(())
    }

    async fn take_file(&self, _: &DownloadType, _: &Path, _: &str) -> Result<(), PlatformError> {
        Err(PlatformError::Unsupported("take such a file"))
    }

    async fn make_file(&self, _: &UploadType, into: &Path) -> Result<(), PlatformError> {
        self.save_config(into).await
    }

    async fn flash_firmware(&self, image: &Path, _: FlashOptions) -> Result<Flash, PlatformError> {
        let newest = self.file(image, IMAGE)?;
        self.slots.borrow_mut().save(&(self.running.clone(), newest)).map_err(failed)?;
        Ok(if self.plan.updater_restarts { Flash::Restarting } else { Flash::RestartNeeded })
    }

    async fn load_config(&self, file: &Path, _: &str) -> Result<LoadConfig, PlatformError> {
        let content = self.file(file, CONFIGURATION)?;
        self.configuration.borrow_mut().save(&content).map_err(failed)?;
        if self.plan.load_needs_restart {
            return Ok(LoadConfig::RestartNeeded);
        }
        self.in_force.replace(content);
        Ok(LoadConfig::Applied)
    }

    async fn save_config(&self, file: &Path) -> Result<(), PlatformError> {
        self.memory.borrow_mut().insert(file.to_owned(), [CONFIGURATION, &self.in_force.borrow()].concat());
        Ok(())
    }

    fn sources(&self) -> Vec<Rc<dyn ParameterSource>> {
        self.source.borrow().iter().map(|source| Rc::clone(source) as _).collect()
    }
}

pub(super) fn identity() -> DeviceId {
    let [manufacturer, oui, product_class, serial_number] =
        ["Example", "00D09E", "Box", "1"].map(str::to_owned);
    DeviceId { manufacturer, oui, product_class, serial_number }
}

/// `Device.DeviceInfo.`, whose ProvisioningCode the agent keeps, and hosts that come and go from boot to boot.
struct Source {
    settings: Rc<dyn Settings>,
    numbers: Rc<InstanceNumbers>,
    running: String,
    boot: u32,
}

#[async_trait(?Send)]
impl ParameterSource for Source {
    fn name(&self) -> &'static str {
        "simulated"
    }

    fn storage(&self) -> Storage {
        Storage::Settings
    }

    fn objects(&self) -> &[&'static str] {
        &[DEVICE_INFO, HOSTS, HOST_ROW]
    }

    async fn read(&self, wanted: &Wanted<'_>, out: &mut dyn ParameterSink) -> Result<(), SourceError> {
        if wanted.touches(DEVICE_INFO) {
            let DeviceId { manufacturer, oui, product_class, serial_number } = identity();
            let code = self.settings.get("DeviceInfo", "ProvisioningCode").unwrap_or_default();
            out.object(DEVICE_INFO, ObjectKind::Single);
            let facts = [
                ("Manufacturer", &manufacturer),
                ("ManufacturerOUI", &oui),
                ("ProductClass", &product_class),
                ("SerialNumber", &serial_number),
                ("HardwareVersion", &"1".to_owned()),
                ("SoftwareVersion", &self.running),
            ];
            for (name, value) in facts {
                out.parameter(name, value, Access::ReadOnly);
            }
            out.parameter("ProvisioningCode", &code, Access::ReadWrite);
        }
        if wanted.touches(HOST_ROW) {
            let hosts = hosts(self.boot);
            let numbers = self.numbers.assign(HOST, hosts.iter().map(String::as_str), 64);
            self.numbers.keep().await.map_err(SourceError::new)?;
            out.object(HOSTS, ObjectKind::Single);
            out.object(HOST, ObjectKind::Table { addable: false });
            for (host, number) in hosts.iter().zip(numbers) {
                let Some(number) = number else { continue };
                out.object(&format!("{HOST}{number}."), ObjectKind::Instance { deletable: false });
                out.parameter("PhysAddress", host, Access::ReadOnly);
            }
        }
        Ok(())
    }

    async fn check(&self, _: &[Change]) -> Vec<SetParameterValuesFault> {
        Vec::new()
    }

    async fn apply(&self, changes: &[Change]) -> Result<Status, SourceError> {
        let ours = changes.iter().filter(|change| change.name == CODE);
        let values: Vec<_> =
            ours.map(|change| ("DeviceInfo", "ProvisioningCode", change.value.as_str())).collect();
        self.settings.set(&values).map_err(SourceError::new)?;
        Ok(Status::Applied)
    }
}

/// The hosts that are there in a boot: one stays, others come and go.
fn hosts(boot: u32) -> Vec<String> {
    [0, boot, boot + 1].map(|host| format!("02:00:00:00:00:{host:02x}")).to_vec()
}

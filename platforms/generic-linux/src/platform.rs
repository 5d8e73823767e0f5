//! The verbs: each is the business of a module of its own.

use std::{
    path::Path,
    rc::Rc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use cwmp_core::{
    io::RebootCause,
    job::{DownloadType, UploadType},
};
pub(crate) use cwmp_linux::off_thread;
use cwmp_linux::{
    FolderWatch,
    processes::Processes,
    system::{boot_id, load, uptime},
    users::Users,
};
use cwmp_platform::{
    Changes, DeviceFacts, FactoryReset, Flash, FlashOptions, ImageFacts, LoadConfig, Platform, PlatformError,
    Restart, Uplink, instances::InstanceNumbers, mapping::Mapping, settings::Settings,
    software::SoftwareModules, source::ParameterSource,
};

use crate::{
    clock, command,
    device_info::DeviceInfo,
    files::Root,
    identity::Identity,
    mapping::{TEXTS, host},
    net::{Network, NetworkChanges},
    options::Options,
    packages::{PACKAGES, Packages},
    sandbox::Sandbox,
    time::Time,
    updater::{self, Updater},
    vendor_files::VendorFiles,
};

/// Longest run of the DHCP renew command.
const DHCP_LIMIT: Duration = Duration::from_secs(60);
/// Longest run of the factory reset command.
const FACTORY_RESET_LIMIT: Duration = Duration::from_secs(300);

/// Load of the last minute below which a box has little to do, in processors.
const IDLE_LOAD: f32 = 0.25;

/// Any Linux box, or a sandbox on one.
pub struct GenericLinux {
    shared: Rc<Shared>,
    /// None where the root is not that of this box: then the kernel's network is not the box's.
    network: Option<Rc<Network>>,
    /// In the sandbox alone: what packages a Linux box has is not the same everywhere.
    software: Option<Rc<SoftwareModules>>,
    sources: Vec<Rc<dyn ParameterSource>>,
}

/// What the verbs and the sources have in common.
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) settings: Rc<dyn Settings>,
    pub(crate) root: Root,
    pub(crate) sandbox: Option<Sandbox>,
    pub(crate) updater: Option<Rc<dyn Updater>>,
}

impl Shared {
    pub(crate) fn new(options: Options, settings: Rc<dyn Settings>) -> Self {
        let root = Root::new(options.root.clone());
        let sandbox = options.sandbox.clone().map(Sandbox::boot);
        let updater = updater::choose(&options, &root, sandbox.as_ref());
        Self { options, settings, root, sandbox, updater }
    }

    pub(crate) fn identity(&self) -> Identity<'_> {
        Identity { root: &self.root, settings: &*self.settings, lenient: self.sandbox.is_some() }
    }

    pub(crate) fn facts(&self) -> Result<DeviceFacts, PlatformError> {
        self.identity().facts(self.sandbox_version())
    }

    /// Seconds since the boot; that of a sandbox is the start of the program.
    pub(crate) fn uptime(&self) -> Option<u32> {
        match &self.sandbox {
            Some(sandbox) => Some(sandbox.uptime()),
            None => uptime(&self.root),
        }
    }

    /// The version of the image in a sandbox, where one was ever flashed.
    pub(crate) fn sandbox_version(&self) -> Option<&str> {
        self.sandbox.as_ref().and_then(Sandbox::version)
    }

    pub(crate) fn clock_is_synchronised(&self) -> bool {
        clock::is_synchronised(&self.root, &self.options, SystemTime::now())
    }
}

impl GenericLinux {
    /// A backend with these options. `settings` holds what the box has no place for: the identity where it is set, and
    /// ProvisioningCode.
    ///
    /// `numbers` gives the rows of the network and of the users their numbers.
    ///
    /// In a sandbox this is the moment of the boot: the image that lies there now is the one that runs.
    #[must_use]
    pub fn new(options: Options, settings: Rc<dyn Settings>, numbers: Rc<InstanceNumbers>) -> Self {
        let shared = Rc::new(Shared::new(options, settings));
        let of_network = Rc::clone(&numbers);
        let software = shared.sandbox.as_ref().map(|sandbox| {
            let packages = Packages::new(sandbox.folder());
            Rc::new(SoftwareModules::new(Rc::new(packages), Rc::clone(&numbers)))
        });
        let network = shared.root.is_real().then(|| Rc::new(Network::new(Rc::clone(&shared), of_network)));
        let mut sources: Vec<Rc<dyn ParameterSource>> = vec![
            Rc::new(DeviceInfo { shared: Rc::clone(&shared) }),
            Rc::new(Processes::new(shared.root.clone())),
            Rc::new(VendorFiles { shared: Rc::clone(&shared) }),
            Rc::new(Time { shared: Rc::clone(&shared), now: SystemTime::now }),
            Rc::new(Users::new(shared.root.clone(), numbers, SystemTime::now)),
        ];
        sources.extend(network.clone().map(|network| network as _));
        sources.extend(software.clone().map(|software| software as _));
        Self { shared, network, software, sources }
    }
}

#[async_trait(?Send)]
impl Platform for GenericLinux {
    fn name(&self) -> &'static str {
        "generic-linux"
    }

    async fn device_facts(&self) -> Result<DeviceFacts, PlatformError> {
        self.shared.facts()
    }

    async fn boot_id(&self) -> Result<String, PlatformError> {
        if let Some(sandbox) = &self.shared.sandbox {
            return Ok(sandbox.boot_id().to_owned());
        }
        boot_id(&self.shared.root).map_err(PlatformError::Failed)
    }

    fn clock_is_synchronised(&self) -> bool {
        self.shared.clock_is_synchronised()
    }

    /// Always: without a command it is the agent's own state that goes back, which is all that this backend changes.
    fn can_factory_reset(&self) -> bool {
        true
    }

    async fn image_mark(&self) -> Result<String, PlatformError> {
        self.shared.image_mark().await
    }

    fn download_types(&self) -> Vec<DownloadType> {
        self.shared.download_types()
    }

    fn upload_types(&self) -> Vec<UploadType> {
        self.shared.upload_types()
    }

    async fn reboot(&self, cause: RebootCause) -> Result<Restart, PlatformError> {
        tracing::info!(?cause, "the box restarts");
        self.shared.reboot().await
    }

    /// The backup of the configuration goes first, whatever becomes of the rest: it holds what is to be forgotten.
    async fn factory_reset(&self) -> Result<FactoryReset, PlatformError> {
        let Shared { options, sandbox, .. } = &*self.shared;
        let forgotten = self.shared.forget_backup();
        if let Some(sandbox) = sandbox {
            sandbox.reset()?;
        } else if let Some(command) = &options.factory_reset_command {
            command::run(command, &[], FACTORY_RESET_LIMIT).await?;
            if options.factory_reset_restarts {
                return Ok(FactoryReset::Restarting);
            }
        }
        forgotten.map(|()| FactoryReset::Done)
    }

    async fn before_download(
        &self,
        file_type: &DownloadType,
        bytes_expected: Option<u64>,
    ) -> Result<(), PlatformError> {
        self.shared.before_download(file_type, bytes_expected).await
    }

    async fn download_over(&self, file_type: &DownloadType) {
        self.shared.download_over(file_type).await;
    }

    async fn check_firmware(&self, image: &Path) -> Result<ImageFacts, PlatformError> {
        self.shared.check_firmware(image).await
    }

    async fn flash_firmware(&self, image: &Path, options: FlashOptions) -> Result<Flash, PlatformError> {
        self.shared.flash(image, options).await
    }

    async fn confirm_image(&self) -> Result<(), PlatformError> {
        self.shared.confirm_image().await
    }

    async fn load_config(&self, file: &Path, name: &str) -> Result<LoadConfig, PlatformError> {
        let loaded = self.shared.load(file).await?;
        self.shared.record(file, name).await;
        Ok(loaded)
    }

    async fn save_config(&self, file: &Path) -> Result<(), PlatformError> {
        self.shared.save(file).await
    }

    async fn take_file(
        &self,
        file_type: &DownloadType,
        file: &Path,
        target_file_name: &str,
    ) -> Result<(), PlatformError> {
        self.shared.take_file(file_type, file, target_file_name).await
    }

    async fn make_file(&self, file_type: &UploadType, into: &Path) -> Result<(), PlatformError> {
        self.shared.make_file(file_type, into).await
    }

    /// By the load of the last minute; the sandbox is nobody's.
    fn is_idle(&self) -> bool {
        let Shared { root, sandbox, .. } = &*self.shared;
        sandbox.is_some() || load(root).is_some_and(|load| load < IDLE_LOAD)
    }

    fn sources(&self) -> Vec<Rc<dyn ParameterSource>> {
        self.sources.clone()
    }

    fn changes(&self) -> Option<Box<dyn Changes>> {
        self.network.as_ref()?;
        let changes = NetworkChanges::new().inspect_err(|error| {
            tracing::warn!("changes of the network are not noticed at once (netlink): {error}");
        });
        Some(Box::new(changes.ok()?))
    }

    fn unit_changes(&self) -> Option<Box<dyn Changes>> {
        let folder = self.shared.sandbox.as_ref()?.folder().join(PACKAGES);
        // It is there only once something has been installed.
        let watch = std::fs::create_dir_all(&folder).and_then(|()| FolderWatch::folder(&folder));
        let watch = watch.inspect_err(|error| {
            tracing::warn!("changes of {} are not noticed at once: {error}", folder.display());
        });
        Some(Box::new(watch.ok()?))
    }

    fn interface_name(&self, path: &str) -> Option<String> {
        self.network.as_ref()?.interface_name(path)
    }

    fn uplink(&self) -> Option<Uplink> {
        self.network.as_ref()?.uplink()
    }

    async fn renew_dhcp(&self) -> Result<(), PlatformError> {
        match &self.shared.options.dhcp_renew_command {
            Some(command) if self.shared.sandbox.is_none() => command::run(command, &[], DHCP_LIMIT).await,
            _ => Err(PlatformError::Unsupported(
                "make its DHCP client ask again: no dhcp_renew_command is set",
            )),
        }
    }

    fn software(&self) -> Option<Rc<SoftwareModules>> {
        self.software.clone()
    }

    fn mapping(&self) -> Option<Mapping> {
        let host = Rc::new(host(&self.shared.root, self.shared.options.sandbox.as_deref()));
        Some(Mapping { texts: TEXTS, host, providers: Vec::new() })
    }
}

#[cfg(test)]
mod tests;

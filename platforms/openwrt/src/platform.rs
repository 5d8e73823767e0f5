//! The verbs: each is the business of a module of its own.

use std::{path::Path, rc::Rc, time::SystemTime};

use async_trait::async_trait;
use cwmp_core::{
    io::RebootCause,
    job::{DownloadType, UploadType},
};
use cwmp_linux::{
    FolderWatch,
    files::Root,
    host::Host,
    kernel::{Kernel, KernelFiles, Netlink, uplink},
    processes::Processes,
    system::{boot_id, load},
    users::Users,
};
use cwmp_platform::{
    Changes, DeviceFacts, FactoryReset, Flash, FlashOptions, ImageFacts, LoadConfig, Platform, PlatformError,
    Restart, Upkeep, Uplink,
    instances::InstanceNumbers,
    mapping::{FieldProvider, Mapping, MappingText},
    settings::Settings,
    software::SoftwareModules,
    source::ParameterSource,
};
use cwmp_ubus::{Bus, BusOptions};

use crate::{
    device_info::DeviceInfo,
    events::BoxChanges,
    ground::{Ground, Means},
    network::IP_INTERFACE,
    objects,
    options::Options,
    providers::{OfBus, OfUci},
    software::{Packages, Tool},
    source::Router,
};

include!(concat!(env!("OUT_DIR"), "/mapping.rs"));

/// Load of the last minute below which a box has little to do, in processors.
const IDLE_LOAD: f32 = 0.25;

/// A box with OpenWrt.
pub struct OpenWrt {
    ground: Rc<Ground>,
    bus: Bus,
    sources: Vec<Rc<dyn ParameterSource>>,
    software: Option<Rc<SoftwareModules>>,
}

impl OpenWrt {
    /// A backend with these options, on the bus of the box. `settings` holds what the box has no place for: the identity
    /// where it is set, and ProvisioningCode. `numbers` gives rows their numbers.
    ///
    /// Runs on the [`LocalSet`](tokio::task::LocalSet) that it is called on.
    #[must_use]
    pub fn new(options: Options, settings: Rc<dyn Settings>, numbers: Rc<InstanceNumbers>) -> Self {
        let mut bus_options = BusOptions::default();
        if !options.ubus_sockets.is_empty() {
            bus_options.sockets.clone_from(&options.ubus_sockets);
        }
        let bus = Bus::connect(bus_options);
        let root = Root::new(options.root.clone());
        // The kernel of this machine knows nothing of a box that is a folder.
        let kernel: Box<dyn Kernel> =
            if root.is_real() { Box::new(Netlink) } else { Box::new(KernelFiles { root: root.clone() }) };
        let users = Users::new(root, Rc::clone(&numbers), SystemTime::now);
        let means = Means { bus: Rc::new(bus.clone()), kernel, numbers, settings, now: SystemTime::now };
        let ground = Rc::new(Ground::new(options, means));
        let software = Packages::of(&ground)
            .map(|packages| Rc::new(SoftwareModules::new(Rc::new(packages), Rc::clone(&ground.numbers))));
        let mut sources: Vec<Rc<dyn ParameterSource>> = vec![
            Rc::new(DeviceInfo { ground: Rc::clone(&ground) }),
            Rc::new(Processes::new(ground.root.clone())),
            Rc::new(users),
            Rc::new(Router::new(Rc::clone(&ground), objects::parts())),
        ];
        sources.extend(software.clone().map(|software| software as _));
        Self { ground, bus, sources, software }
    }
}

#[async_trait(?Send)]
impl Platform for OpenWrt {
    fn name(&self) -> &'static str {
        "openwrt"
    }

    async fn device_facts(&self) -> Result<DeviceFacts, PlatformError> {
        self.ground.identity().facts()
    }

    async fn boot_id(&self) -> Result<String, PlatformError> {
        boot_id(&self.ground.root).map_err(PlatformError::Failed)
    }

    fn clock_is_synchronised(&self) -> bool {
        self.ground.clock_is_synchronised()
    }

    async fn image_mark(&self) -> Result<String, PlatformError> {
        Ok(self.ground.identity().image_mark())
    }

    fn can_factory_reset(&self) -> bool {
        self.ground.can_factory_reset()
    }

    fn download_types(&self) -> Vec<DownloadType> {
        self.ground.download_types()
    }

    fn upload_types(&self) -> Vec<UploadType> {
        self.ground.upload_types()
    }

    async fn reboot(&self, cause: RebootCause) -> Result<Restart, PlatformError> {
        tracing::info!(?cause, "the box restarts");
        self.ground.reboot().await
    }

    async fn factory_reset(&self) -> Result<FactoryReset, PlatformError> {
        self.ground.factory_reset().await
    }

    async fn before_download(
        &self,
        file_type: &DownloadType,
        bytes_expected: Option<u64>,
    ) -> Result<(), PlatformError> {
        self.ground.before_download(file_type, bytes_expected).await
    }

    /// Nothing was stopped.
    async fn download_over(&self, _: &DownloadType) {}

    async fn check_firmware(&self, image: &Path) -> Result<ImageFacts, PlatformError> {
        self.ground.check_firmware(image).await
    }

    async fn flash_firmware(&self, image: &Path, options: FlashOptions) -> Result<Flash, PlatformError> {
        self.ground.flash(image, options).await
    }

    /// OpenWrt marks a boot as good by itself, once init has run (`/etc/init.d/bootcount` of the targets with two slots).
    async fn confirm_image(&self) -> Result<(), PlatformError> {
        Ok(())
    }

    async fn load_config(&self, file: &Path, name: &str) -> Result<LoadConfig, PlatformError> {
        let loaded = self.ground.load(file).await?;
        self.ground.record_config(name);
        self.ground.forget();
        Ok(loaded)
    }

    async fn save_config(&self, file: &Path) -> Result<(), PlatformError> {
        self.ground.save(file).await
    }

    async fn take_file(&self, _: &DownloadType, _: &Path, _: &str) -> Result<(), PlatformError> {
        Err(PlatformError::Unsupported("take files of this type"))
    }

    async fn make_file(&self, file_type: &UploadType, into: &Path) -> Result<(), PlatformError> {
        self.ground.make_file(file_type, into).await
    }

    fn sources(&self) -> Vec<Rc<dyn ParameterSource>> {
        self.sources.clone()
    }

    fn software(&self) -> Option<Rc<SoftwareModules>> {
        self.software.clone()
    }

    fn unit_changes(&self) -> Option<Box<dyn Changes>> {
        self.software.as_ref()?;
        let list = Tool::of(&self.ground)?.watched(&self.ground.root);
        let watch = FolderWatch::file(&list).inspect_err(|error| {
            tracing::warn!("changes of {} are not noticed at once: {error}", list.display());
        });
        Some(Box::new(watch.ok()?))
    }

    fn is_idle(&self) -> bool {
        load(&self.ground.root).is_some_and(|load| load < IDLE_LOAD)
    }

    fn changes(&self) -> Option<Box<dyn Changes>> {
        Some(Box::new(BoxChanges::new(&self.bus, &self.ground)))
    }

    /// Ends port mappings whose time is over.
    fn upkeep(&self) -> Option<Upkeep> {
        Some(Box::pin(objects::end_mappings(Rc::clone(&self.ground))))
    }

    /// Has netifd ask the servers of all clients on the device of the uplink, for both versions of IP.
    async fn renew_dhcp(&self) -> Result<(), PlatformError> {
        self.ground.renew_dhcp().await
    }

    /// The device that netifd named last for the interface, if it is there.
    fn interface_name(&self, path: &str) -> Option<String> {
        let number = path.strip_suffix('.').unwrap_or(path).strip_prefix(IP_INTERFACE)?.parse().ok()?;
        let section = self.ground.numbers.key(IP_INTERFACE, number)?;
        let device = self.ground.devices.borrow().get(&section).cloned()?;
        let links = self.ground.kernel.links().ok()?;
        links.iter().any(|link| link.name == device).then_some(device)
    }

    /// The default route; where there is none, the device of an interface whose zone masquerades, or that of the board's WAN.
    fn uplink(&self) -> Option<Uplink> {
        uplink(&*self.ground.kernel).or_else(|| {
            let device = self.ground.masquerading_device().or_else(|| self.ground.identity().wan_device())?;
            Some(Uplink { device, gateway: None, source: None })
        })
    }

    fn mapping(&self) -> Option<Mapping> {
        let host = Rc::new(Host { root: self.ground.root.clone(), sandbox: None });
        let providers: Vec<Rc<dyn FieldProvider>> = vec![
            Rc::new(OfBus { ground: Rc::clone(&self.ground) }),
            Rc::new(OfUci { ground: Rc::clone(&self.ground) }),
        ];
        Some(Mapping { texts: TEXTS, host, providers })
    }
}

impl Ground {
    /// The device of the first interface whose firewall zone masquerades.
    fn masquerading_device(&self) -> Option<String> {
        let firewall = self.uci.load("firewall").ok()?;
        let devices = self.devices.borrow();
        let zones = firewall.of_type("zone").filter(|zone| zone.get("masq") == Some("1"));
        let mut networks = zones.flat_map(|zone| zone.words("network"));
        networks.find_map(|name| devices.get(name).cloned())
    }
}

//! The verbs of a platform.

use std::{net::IpAddr, path::Path, pin::Pin, rc::Rc};

use async_trait::async_trait;
use cwmp_core::{
    io::RebootCause,
    job::{DownloadType, UploadType},
    rpc::DeviceId,
};
use serde::{Deserialize, Serialize};

use crate::{PlatformError, mapping::Mapping, software::SoftwareModules, source::ParameterSource};

/// What a backend does by itself while the agent runs; see [`Platform::upkeep`].
pub type Upkeep = Pin<Box<dyn Future<Output = ()>>>;

/// Who the box is and what runs on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceFacts {
    /// Identity; never changes in the life of the box.
    pub id: DeviceId,
    /// DeviceInfo.ModelName.
    pub model_name: String,
    /// DeviceInfo.HardwareVersion.
    pub hardware_version: String,
    /// DeviceInfo.SoftwareVersion: changes exactly with the firmware.
    pub software_version: String,
}

/// What a successful [`Platform::reboot`] means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// The box is going down; the program will be stopped.
    Imminent,
    /// The sandbox: the program restarts itself in place of the box.
    Process,
}

/// What a successful [`Platform::factory_reset`] means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactoryReset {
    /// The platform's part is done; the agent deletes its own state and restarts.
    Done,
    /// The box restarts by itself to finish; the agent only waits.
    Restarting,
}

/// Where an image goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlashOptions {
    /// Whether the settings outlive the upgrade.
    pub keep_settings: bool,
}

/// What a successful [`Platform::flash_firmware`] means. The truth about an upgrade is known only after the boot, from
/// the image that runs then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flash {
    /// Written; the new image runs after the next restart, which the agent is to order.
    RestartNeeded,
    /// The updater restarts the box by itself.
    Restarting,
}

/// What a successful [`Platform::load_config`] means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadConfig {
    /// In force now.
    Applied,
    /// In force after a restart.
    RestartNeeded,
}

/// What is known of an image before it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageFacts {
    /// What [`Platform::image_mark`] will say once this image runs; `None` where that cannot be told before.
    pub expects: Option<String>,
    /// Its version, where it tells one.
    pub version: Option<String>,
}

/// How the box reaches the Internet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uplink {
    /// The network device of the default route, such as `eth0`.
    pub device: String,
    /// The router that it leads to; `None` on a point-to-point line.
    pub gateway: Option<IpAddr>,
    /// The address of this box on it; `None` while it has none.
    pub source: Option<IpAddr>,
}

/// Tells when something of the box has changed.
#[async_trait(?Send)]
pub trait Changes {
    /// Waits until something may have changed that a source of the platform delivers. One call may stand for many
    /// changes. It may be dropped at any await; no change is lost by that.
    async fn changed(&mut self);
}

/// What the agent can ask of the box. One call runs at a time.
#[cfg_attr(any(test, feature = "mock"), mockall::automock)]
#[async_trait(?Send)]
pub trait Platform {
    /// Name of the backend, such as `generic-linux`.
    fn name(&self) -> &'static str;

    /// Identity and versions.
    ///
    /// # Errors
    /// [`PlatformError::Failed`] where the box has no serial number to be known by; the text says which setting helps.
    async fn device_facts(&self) -> Result<DeviceFacts, PlatformError>;

    /// A text that differs from boot to boot and stays the same between two: tells a boot from a restart of the program.
    ///
    /// # Errors
    /// [`PlatformError::Failed`] where the kernel gives none.
    async fn boot_id(&self) -> Result<String, PlatformError>;

    /// Whether something has set the clock of the box since the boot, so that its date can be trusted. Asked often; must
    /// not block. The agent reports Unknown Time and keeps no dates until it is `true`.
    fn clock_is_synchronised(&self) -> bool;

    /// The mark of the firmware that runs: a text of at most 256 characters that differs after an upgrade (version, build,
    /// slot) and is the same otherwise. The agent keeps it and decides by it, after a boot, whether an upgrade has
    /// succeeded. Asked once, at the start.
    ///
    /// # Errors
    /// [`PlatformError::Failed`] where the updater does not answer.
    async fn image_mark(&self) -> Result<String, PlatformError>;

    /// Whether [`Platform::factory_reset`] has what it needs. What a backend can't do at all, the agent does not offer: this
    /// and the lists of types are asked at the start and do not change after it.
    fn can_factory_reset(&self) -> bool;

    /// The file types that the agent may download: exactly those that work on this box.
    fn download_types(&self) -> Vec<DownloadType>;

    /// The file types that the agent may upload, without their rows: exactly those that work on this box.
    fn upload_types(&self) -> Vec<UploadType>;

    /// Restarts the box. All that must survive is on stable storage before this is called.
    ///
    /// # Errors
    /// [`PlatformError`]; the box goes on running.
    async fn reboot(&self, cause: RebootCause) -> Result<Restart, PlatformError>;

    /// Puts the box back into the state in which it left the factory, apart from the agent's own files.
    ///
    /// # Errors
    /// [`PlatformError`]; the agent still resets what it keeps itself.
    async fn factory_reset(&self) -> Result<FactoryReset, PlatformError>;

    /// Does what the file type needs before the transfer: looks whether a slot can be written, whether there is room for
    /// the file (`bytes_expected`, where the ACS has told it), stops services, backs the present configuration up.
    ///
    /// # Errors
    /// [`PlatformError`]: the transfer must not begin, and all is as it was. [`PlatformError::NoRoom`] for lack of memory or
    /// storage.
    async fn before_download(
        &self,
        file_type: &DownloadType,
        bytes_expected: Option<u64>,
    ) -> Result<(), PlatformError>;

    /// Undoes [`Platform::before_download`] where the transfer, failed or not, did not lead to a restart: services run
    /// again. May be called more than once, and without the other, by a program that was started again in between.
    async fn download_over(&self, file_type: &DownloadType);

    /// Checks a fetched image: format, signature, version. Nothing of the box is changed. A signature that is appended to
    /// the image is put beside it ([`crate::policy::signature_path`]): whoever removes the image removes it too.
    ///
    /// # Errors
    /// [`PlatformError::Refused`] for what is no image for this box, [`PlatformError::Unauthentic`] for a missing or wrong
    /// signature.
    async fn check_firmware(&self, image: &Path) -> Result<ImageFacts, PlatformError>;

    /// Checks a firmware image again and writes it: an image that was not checked is never written.
    ///
    /// # Errors
    /// Those of [`Platform::check_firmware`], with nothing written; [`PlatformError::Failed`] where writing failed.
    async fn flash_firmware(&self, image: &Path, options: FlashOptions) -> Result<Flash, PlatformError>;

    /// The image that runs has proven itself (the ACS was reached): keep it, also where the boot loader would go back to
    /// the former one. May be called after every boot.
    ///
    /// # Errors
    /// [`PlatformError::Failed`]; nothing is changed then.
    async fn confirm_image(&self) -> Result<(), PlatformError>;

    /// Loads a configuration file, all of it or nothing. `name` is what VendorConfigFile calls it
    /// ([`crate::config_name`]); empty where nobody has named it.
    ///
    /// # Errors
    /// [`PlatformError::Refused`] for a file that does not parse: everything is as it was. [`PlatformError::Failed`] says
    /// whether the former configuration is in force.
    async fn load_config(&self, file: &Path, name: &str) -> Result<LoadConfig, PlatformError>;

    /// Writes the present configuration to `file`, in the form that [`Platform::load_config`] takes.
    ///
    /// # Errors
    /// [`PlatformError`].
    async fn save_config(&self, file: &Path) -> Result<(), PlatformError>;

    /// Takes a fetched file of any other type than firmware and configuration: puts it where it belongs, under
    /// `target_file_name` where the type leaves a file on the box. A name that would leave its folder is refused
    /// ([`crate::target_file_name`]).
    ///
    /// # Errors
    /// [`PlatformError::Unsupported`] for a type that is none of [`Platform::download_types`].
    async fn take_file(
        &self,
        file_type: &DownloadType,
        file: &Path,
        target_file_name: &str,
    ) -> Result<(), PlatformError>;

    /// Writes to `into` what an upload of this type sends. A file that holds keys or passwords of the agent is refused
    /// under whatever name it is asked for.
    ///
    /// # Errors
    /// [`PlatformError::Unsupported`] for a type or a row that the box does not have.
    async fn make_file(&self, file_type: &UploadType, into: &Path) -> Result<(), PlatformError>;

    /// The parameters that the platform knows, each object by one source.
    fn sources(&self) -> Vec<Rc<dyn ParameterSource>>;

    /// Whether the box has little to do, so that a download that is to run `3 When Idle` disturbs nobody. Asked every half
    /// minute while one waits; must not block.
    fn is_idle(&self) -> bool;

    /// Tells of changes from now on, so that an active notification need not wait for the next look at the watched
    /// parameters; `None` where the box has no way to tell.
    fn changes(&self) -> Option<Box<dyn Changes>> {
        None
    }

    /// The network device of an interface of the tree (`Device.IP.Interface.1`, with or without a last dot); `None` where
    /// there is none at present.
    fn interface_name(&self, path: &str) -> Option<String> {
        let _ = path;
        None
    }

    /// The way to the Internet: the default route. `None` while there is none, or where that is not known.
    fn uplink(&self) -> Option<Uplink> {
        None
    }

    /// Asks the DHCP server of the way to the Internet again, for what it tells of the ACS. The answer comes as any other of
    /// the DHCP client does, through its hook. The default has no way to ask.
    ///
    /// # Errors
    /// [`PlatformError::Unsupported`] where the box cannot make its DHCP client ask, [`PlatformError::Failed`].
    async fn renew_dhcp(&self) -> Result<(), PlatformError> {
        Err(PlatformError::Unsupported("make its DHCP client ask again"))
    }

    /// What the backend does by itself while the agent runs, such as ending what was to last for a time only; it never ends by
    /// itself. Asked once, at the start.
    fn upkeep(&self) -> Option<Upkeep> {
        None
    }

    /// Packages that the ACS can install, update and remove (ChangeDUState). Without them the agent does not offer the method;
    /// asked at the start. [`Platform::sources`] has them as well, for their tables.
    fn software(&self) -> Option<Rc<SoftwareModules>> {
        None
    }

    /// Tells when packages may have been installed, changed or removed, by whomever. Without it that is found out at the next
    /// start.
    fn unit_changes(&self) -> Option<Box<dyn Changes>> {
        None
    }

    /// What mapping files need. Without it there are none, neither built-in ones nor those of vendors.
    fn mapping(&self) -> Option<Mapping> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn the_mock_stands_in_for_a_box() {
        let mut mock = MockPlatform::new();
        mock.expect_name().return_const("mock");
        mock.expect_clock_is_synchronised().return_const(false);
        mock.expect_reboot()
            .withf(|cause| *cause == RebootCause::Acs)
            .times(1)
            .returning(|_| Ok(Restart::Imminent));
        mock.expect_flash_firmware()
            .withf(|image, options| image == Path::new("/tmp/image") && options.keep_settings)
            .times(1)
            .returning(|image, _| {
                Err(PlatformError::Refused(format!("{}: no image for it", image.display())))
            });
        mock.expect_sources().returning_st(Vec::new);

        let platform: Rc<dyn Platform> = Rc::new(mock);
        assert_eq!(platform.name(), "mock");
        assert!(!platform.clock_is_synchronised());
        assert_eq!(platform.reboot(RebootCause::Acs).await.unwrap(), Restart::Imminent);
        let refused =
            platform.flash_firmware(Path::new("/tmp/image"), FlashOptions { keep_settings: true }).await;
        assert_eq!(refused.unwrap_err().to_string(), "refused: /tmp/image: no image for it");
        assert!(platform.sources().is_empty());
    }
}

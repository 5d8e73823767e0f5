//! Device.DeviceInfo: identity, versions, processors, images and files. What is one line of a file or one option is in
//! `mapping/device.map`. It needs no bus: an Inform has its identity also while services start.

use std::rc::Rc;

use async_trait::async_trait;
use cwmp_core::{datetime::DateTime, fault::SetParameterValuesFault, rpc::Status, time::Wall};
use cwmp_linux::{
    files::clean,
    system::{PROCESSOR, processors},
};
use cwmp_platform::source::{
    Access::{ReadOnly, ReadWrite},
    Change, ObjectKind, ParameterSink, ParameterSource, SourceError, Storage, Wanted,
};

use crate::{ground::Ground, part::not_writable};

const DEVICE_INFO: &str = "Device.DeviceInfo.";
const FIRMWARE_IMAGE: &str = "Device.DeviceInfo.FirmwareImage.{i}.";
const CONFIG_FILE: &str = "Device.DeviceInfo.VendorConfigFile.{i}.";
const LOG_FILE: &str = "Device.DeviceInfo.VendorLogFile.{i}.";
const PROVISIONING_CODE: &str = "Device.DeviceInfo.ProvisioningCode";
/// The image that runs. Which others there are is known to the boot loader alone, and to each one in another way.
const IMAGE: &str = "Device.DeviceInfo.FirmwareImage.1";
/// Where the record of the last configuration that was loaded lies.
const CONFIG_SECTION: &str = "DeviceInfo.VendorConfigFile.1";
/// Longest Name of a file, in characters.
const NAME_CHARS: usize = 64;

pub(crate) struct DeviceInfo {
    pub(crate) ground: Rc<Ground>,
}

impl Ground {
    /// Keeps that a configuration of this name was loaded just now. A record that cannot be kept is reported: the
    /// configuration is loaded all the same.
    pub(crate) fn record_config(&self, name: &str) {
        let name = clean(name, NAME_CHARS);
        let date =
            self.moment().seconds().map_or(DateTime::Unknown, |now| DateTime::At(Wall::from_seconds(now)));
        let date = date.to_string();
        let values = [(CONFIG_SECTION, "Name", name.as_str()), (CONFIG_SECTION, "Date", date.as_str())];
        if let Err(error) = self.settings.set(&values) {
            tracing::error!("the configuration is loaded, but VendorConfigFile does not show it: {error}");
        }
    }
}

#[async_trait(?Send)]
impl ParameterSource for DeviceInfo {
    fn name(&self) -> &'static str {
        "openwrt-device"
    }

    fn storage(&self) -> Storage {
        Storage::Settings
    }

    fn objects(&self) -> &[&'static str] {
        &[DEVICE_INFO, PROCESSOR, FIRMWARE_IMAGE, CONFIG_FILE, LOG_FILE]
    }

    async fn read(&self, wanted: &Wanted<'_>, out: &mut dyn ParameterSink) -> Result<(), SourceError> {
        let ground = &self.ground;
        let identity = ground.identity();
        let facts = identity.facts().map_err(|error| SourceError::new(error.to_string()))?;
        out.object(DEVICE_INFO, ObjectKind::Single);
        out.parameter("Manufacturer", &facts.id.manufacturer, ReadOnly);
        out.parameter("ManufacturerOUI", &facts.id.oui, ReadOnly);
        out.parameter("ModelName", &facts.model_name, ReadOnly);
        out.parameter("Description", &identity.description(), ReadOnly);
        out.parameter("ProductClass", &facts.id.product_class, ReadOnly);
        out.parameter("SerialNumber", &facts.id.serial_number, ReadOnly);
        out.parameter("HardwareVersion", &facts.hardware_version, ReadOnly);
        out.parameter("SoftwareVersion", &facts.software_version, ReadOnly);
        let code = ground.settings.get("DeviceInfo", "ProvisioningCode").unwrap_or_default();
        out.parameter("ProvisioningCode", &clean(&code, 64), ReadWrite);
        if let Some(seconds) = ground.uptime() {
            out.parameter("UpTime", &seconds, ReadOnly);
        }
        out.parameter("ActiveFirmwareImage", &IMAGE, ReadOnly);
        out.parameter("BootFirmwareImage", &IMAGE, ReadOnly);
        if wanted.touches(PROCESSOR) {
            processors(&ground.root, out);
        }
        if wanted.touches(FIRMWARE_IMAGE) {
            out.object("Device.DeviceInfo.FirmwareImage.", ObjectKind::Table { addable: false });
            out.object(&format!("{IMAGE}."), ObjectKind::Instance { deletable: false });
            out.parameter("Name", &"firmware", ReadOnly);
            out.parameter("Version", &facts.software_version, ReadOnly);
            out.parameter("Available", &true, ReadOnly);
            out.parameter("Status", &"Active", ReadOnly);
        }
        if wanted.touches(CONFIG_FILE) {
            self.config_file(out);
        }
        if wanted.touches(LOG_FILE) {
            out.object("Device.DeviceInfo.VendorLogFile.", ObjectKind::Table { addable: false });
            if ground.has_log() {
                out.object("Device.DeviceInfo.VendorLogFile.1.", ObjectKind::Instance { deletable: false });
                out.parameter("Name", &"system", ReadOnly);
                // logd keeps it in memory, up to a size of its own.
                out.parameter("MaximumSize", &0, ReadOnly);
                out.parameter("Persistent", &false, ReadOnly);
            }
        }
        Ok(())
    }

    async fn check(&self, changes: &[Change]) -> Vec<SetParameterValuesFault> {
        changes.iter().filter(|change| change.name != PROVISIONING_CODE).map(not_writable).collect()
    }

    async fn apply(&self, changes: &[Change]) -> Result<Status, SourceError> {
        if let Some(change) = changes.iter().find(|change| change.name != PROVISIONING_CODE) {
            return Err(SourceError::new(format!("{} cannot be changed on this device", change.name)));
        }
        let values: Vec<_> =
            changes.iter().map(|change| ("DeviceInfo", "ProvisioningCode", change.value.as_str())).collect();
        self.ground.settings.set(&values).map_err(SourceError::new)?;
        Ok(Status::Applied)
    }
}

impl DeviceInfo {
    /// One row: what sysupgrade keeps, under the name of the configuration that was loaded last.
    fn config_file(&self, out: &mut dyn ParameterSink) {
        out.object("Device.DeviceInfo.VendorConfigFile.", ObjectKind::Table { addable: false });
        if !self.ground.can_save() {
            return;
        }
        let kept = |key| self.ground.settings.get(CONFIG_SECTION, key).unwrap_or_default();
        let name = clean(&kept("Name"), NAME_CHARS);
        let date = DateTime::parse(&kept("Date")).unwrap_or(DateTime::Unknown);
        out.object("Device.DeviceInfo.VendorConfigFile.1.", ObjectKind::Instance { deletable: false });
        out.parameter("Name", &if name.is_empty() { "config" } else { name.as_str() }, ReadOnly);
        out.parameter("Version", &"", ReadOnly);
        out.parameter("Date", &date, ReadOnly);
        out.parameter("Description", &"files that an upgrade keeps", ReadOnly);
        out.parameter("UseForBackupRestore", &true, ReadOnly);
    }
}

#[cfg(test)]
mod tests {
    use cwmp_linux::testing::{Collected, assert_fits_the_model};

    use super::*;
    use crate::testing::{Fake, change};

    fn source(fake: &Fake) -> DeviceInfo {
        DeviceInfo { ground: Rc::clone(&fake.ground) }
    }

    #[tokio::test]
    async fn a_router_is_described_in_full_and_without_a_bus() {
        let fake = Fake::new();
        for program in ["sbin/sysupgrade", "bin/tar", "sbin/logread"] {
            fake.root.file(program, "");
        }
        fake.ground.record_config("gold.conf");
        let source = source(&fake);
        let collected = Collected::from(&source, &["Device."]).await;
        for (name, value) in [
            ("ModelName", "GL.iNet GL-MT3000"),
            ("Description", "GL.iNet GL-MT3000, OpenWrt 24.10.0 r28427-6df0e3d02a"),
            ("SoftwareVersion", "24.10.0 r28427-6df0e3d02a"),
            ("UpTime", "93784"),
            ("FirmwareImage.1.Status", "Active"),
            ("VendorConfigFile.1.Name", "gold.conf"),
            ("VendorConfigFile.1.Date", "2027-01-15T08:00:00Z"),
            ("VendorLogFile.1.Name", "system"),
        ] {
            assert_eq!(collected.value(&format!("{DEVICE_INFO}{name}")), Some(value), "{name}");
        }
        assert_fits_the_model(&source).await;
        assert_eq!(fake.bus.asked(), [""; 0]);
    }

    #[tokio::test]
    async fn the_provisioning_code_is_kept_in_the_settings() {
        let fake = Fake::new();
        let source = source(&fake);
        let changes = [change(PROVISIONING_CODE, "isp.gold")];
        assert_eq!(source.check(&changes).await, []);
        assert_eq!(source.apply(&changes).await, Ok(Status::Applied));
        let collected = Collected::from(&source, &[PROVISIONING_CODE]).await;
        assert_eq!(collected.value(PROVISIONING_CODE), Some("isp.gold"));
        let wrong = [change("Device.DeviceInfo.ModelName", "x")];
        assert_eq!(source.check(&wrong).await.len(), 1);
        assert!(source.apply(&wrong).await.is_err());
    }
}

//! Device.DeviceInfo: identity, versions and processors. What is one line of a file is in `mapping/device.map`.

use std::rc::Rc;

use async_trait::async_trait;
use cwmp_core::{
    fault::{FaultCode, SetParameterValuesFault},
    rpc::Status,
};
use cwmp_platform::source::{
    Access::{ReadOnly, ReadWrite},
    Change, ObjectKind, ParameterSink, ParameterSource, SourceError, Storage, Wanted,
};

use cwmp_linux::system::{PROCESSOR, processors};

use crate::{
    files::clean,
    platform::Shared,
    updater::{Image, ImageStatus},
};

const DEVICE_INFO: &str = "Device.DeviceInfo.";
const FIRMWARE_IMAGE: &str = "Device.DeviceInfo.FirmwareImage.{i}.";
const PROVISIONING_CODE: &str = "Device.DeviceInfo.ProvisioningCode";

/// Answers for DeviceInfo, except for its processes.
pub(crate) struct DeviceInfo {
    pub(crate) shared: Rc<Shared>,
}

#[async_trait(?Send)]
impl ParameterSource for DeviceInfo {
    fn name(&self) -> &'static str {
        "linux-device-info"
    }

    fn storage(&self) -> Storage {
        Storage::Settings
    }

    fn objects(&self) -> &[&'static str] {
        &[DEVICE_INFO, PROCESSOR, FIRMWARE_IMAGE]
    }

    async fn read(&self, wanted: &Wanted<'_>, out: &mut dyn ParameterSink) -> Result<(), SourceError> {
        if !wanted.touches(DEVICE_INFO) {
            return Ok(());
        }
        let root = &self.shared.root;
        let facts = self.shared.facts().map_err(|e| SourceError::new(e.to_string()))?;
        out.object(DEVICE_INFO, ObjectKind::Single);
        out.parameter("Manufacturer", &facts.id.manufacturer, ReadOnly);
        out.parameter("ManufacturerOUI", &facts.id.oui, ReadOnly);
        out.parameter("ModelName", &facts.model_name, ReadOnly);
        out.parameter("Description", &self.shared.identity().description(), ReadOnly);
        out.parameter("ProductClass", &facts.id.product_class, ReadOnly);
        out.parameter("SerialNumber", &facts.id.serial_number, ReadOnly);
        out.parameter("HardwareVersion", &facts.hardware_version, ReadOnly);
        out.parameter("SoftwareVersion", &facts.software_version, ReadOnly);
        let code = self.shared.settings.get("DeviceInfo", "ProvisioningCode").unwrap_or_default();
        out.parameter("ProvisioningCode", &clean(&code, 64), ReadWrite);
        if let Some(seconds) = self.shared.uptime() {
            out.parameter("UpTime", &seconds, ReadOnly);
        }
        let images = match wants_images(wanted) {
            true => self.shared.images().await,
            false => None,
        };
        if let Some(images) = &images {
            for (parameter, row) in references(images) {
                out.parameter(parameter, &row, ReadOnly);
            }
        }
        if wanted.touches(PROCESSOR) {
            processors(root, out);
        }
        if let Some(images) = &images {
            firmware_images(images, out);
        }
        Ok(())
    }

    async fn check(&self, changes: &[Change]) -> Vec<SetParameterValuesFault> {
        let not_writable = |change: &Change| SetParameterValuesFault {
            name: change.name.clone(),
            code: FaultCode::NOT_WRITABLE,
            text: format!("{} cannot be changed on this device", change.name),
        };
        changes.iter().filter(|change| change.name != PROVISIONING_CODE).map(not_writable).collect()
    }

    async fn apply(&self, changes: &[Change]) -> Result<Status, SourceError> {
        if let Some(change) = changes.iter().find(|change| change.name != PROVISIONING_CODE) {
            return Err(SourceError::new(format!("{} cannot be changed on this device", change.name)));
        }
        let values: Vec<_> =
            changes.iter().map(|change| ("DeviceInfo", "ProvisioningCode", change.value.as_str())).collect();
        self.shared.settings.set(&values).map_err(SourceError::new)?;
        Ok(Status::Applied)
    }
}

/// The updater is asked, which takes a process, only for those who want to know.
fn wants_images(wanted: &Wanted<'_>) -> bool {
    [FIRMWARE_IMAGE, "Device.DeviceInfo.ActiveFirmwareImage", "Device.DeviceInfo.BootFirmwareImage"]
        .iter()
        .any(|path| wanted.touches(path))
}

/// ActiveFirmwareImage and BootFirmwareImage: the rows of the image that runs and of the one that starts next. Both are
/// read-only here: an image is changed by a Download.
fn references(images: &[Image]) -> impl Iterator<Item = (&'static str, String)> {
    let row = |found: Option<usize>| {
        found.map(|at| format!("Device.DeviceInfo.FirmwareImage.{}", at.saturating_add(1)))
    };
    let active = images.iter().position(|image| image.status == ImageStatus::Active);
    let boot = images.iter().position(|image| image.boots);
    [("ActiveFirmwareImage", row(active)), ("BootFirmwareImage", row(boot))]
        .into_iter()
        .filter_map(|(parameter, row)| Some((parameter, row?)))
}

/// BootFailureLog is left out: no updater here tells it.
fn firmware_images(images: &[Image], out: &mut dyn ParameterSink) {
    out.object("Device.DeviceInfo.FirmwareImage.", ObjectKind::Table { addable: false });
    for (number, image) in (1..).zip(images) {
        let number: u32 = number;
        out.object(
            &format!("Device.DeviceInfo.FirmwareImage.{number}."),
            ObjectKind::Instance { deletable: false },
        );
        let available = matches!(image.status, ImageStatus::Active | ImageStatus::Available);
        out.parameter("Name", &image.name, ReadOnly);
        out.parameter("Version", &image.version, ReadOnly);
        out.parameter("Available", &available, ReadOnly);
        out.parameter("Status", &image.status.as_str(), ReadOnly);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cwmp_linux::system::architecture;

    use crate::{
        Options,
        testing::{Collected, FakeRoot, FakeSettings, assert_fits_the_model},
    };

    fn source(root: &FakeRoot, settings: FakeSettings) -> DeviceInfo {
        let options = Options { root: root.path().to_owned(), ..Options::default() };
        DeviceInfo { shared: Rc::new(Shared::new(options, Rc::new(settings))) }
    }

    #[tokio::test]
    async fn a_box_is_described_in_full() {
        let root = FakeRoot::pc();
        let source = source(&root, FakeSettings::default());
        let collected = Collected::from(&source, &["Device."]).await;
        let text: String = collected
            .values
            .iter()
            .filter(|(path, _)| !path.contains("Processor"))
            .map(|(path, (value, _))| format!("{}={value}\n", path.strip_prefix(DEVICE_INFO).unwrap()))
            .collect();
        assert_eq!(
            text,
            "Description=apu4, Router OS 12\nHardwareVersion=1.0\nManufacturer=PC Engines\n\
             ManufacturerOUI=000DB9\nModelName=apu4\n\
             ProductClass=apu4\nProvisioningCode=\nSerialNumber=1234567\nSoftwareVersion=20261101\nUpTime=93784\n"
        );
        assert_fits_the_model(&source).await;
    }

    #[tokio::test]
    async fn each_processor_has_a_row() {
        let root = FakeRoot::pc();
        root.file("sys/devices/system/cpu/online", "0-1,3\n");
        let source = source(&root, FakeSettings::default());
        let collected = Collected::from(&source, &["Device.DeviceInfo.Processor."]).await;
        let rows: Vec<_> = collected.objects.iter().filter(|(path, _)| path.contains("Processor.")).collect();
        let expected = if architecture().is_some() { 4 } else { 1 };
        assert_eq!(rows.len(), expected);
        assert_eq!(
            rows.last().unwrap().0.as_str(),
            if expected == 4 { "Device.DeviceInfo.Processor.4." } else { "Device.DeviceInfo.Processor." }
        );
    }

    #[tokio::test]
    async fn the_provisioning_code_is_kept_in_the_settings() {
        let root = FakeRoot::pc();
        let source = source(&root, FakeSettings::default());
        let change = |name: &str| Change { name: name.to_owned(), value: "isp.gold".to_owned() };
        let changes = [change(PROVISIONING_CODE)];
        assert!(source.check(&changes).await.is_empty());
        assert_eq!(source.apply(&changes).await, Ok(Status::Applied));
        let collected = Collected::from(&source, &[PROVISIONING_CODE]).await;
        assert_eq!(collected.values[PROVISIONING_CODE], ("isp.gold".to_owned(), ReadWrite));

        let both = [change(PROVISIONING_CODE), change("Device.DeviceInfo.HostName")];
        let faults = source.check(&both).await;
        assert_eq!((faults.len(), faults[0].code), (1, FaultCode::NOT_WRITABLE));
        assert!(source.apply(&both).await.is_err());
    }

    #[tokio::test]
    async fn settings_that_cannot_be_written_fail_the_change() {
        let root = FakeRoot::pc();
        let source = source(&root, FakeSettings { full: true, ..FakeSettings::default() });
        let changes = [Change { name: PROVISIONING_CODE.to_owned(), value: "x".to_owned() }];
        let error = source.apply(&changes).await.unwrap_err();
        assert_eq!(error.to_string(), "cannot write user.ini: no space left");
    }

    #[tokio::test]
    async fn odd_system_files_leave_parameters_out() {
        let root = FakeRoot::pc();
        root.file("proc/uptime", "yesterday");
        let source = source(&root, FakeSettings::default());
        let collected = Collected::from(&source, &[""]).await;
        assert_eq!(collected.value("Device.DeviceInfo.UpTime"), None);
    }

    #[tokio::test]
    async fn other_objects_are_not_read_for() {
        let source = source(&FakeRoot::new(), FakeSettings::default());
        let collected = Collected::from(&source, &["Device.Time.", "Device.ManagementServer.URL"]).await;
        assert!(collected.objects.is_empty());
    }
}

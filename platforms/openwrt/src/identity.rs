//! Who the box is, from files alone: a bus that does not answer must not make it another device.

use cwmp_linux::files::{Root, clean};
use cwmp_platform::{DeviceFacts, PlatformError, settings::Settings};
use serde::Deserialize;

/// Longest value of most parameters of DeviceInfo, in characters.
const CHARS: usize = 64;
/// Longest Description, in characters.
const DESCRIPTION_CHARS: usize = 256;
/// Longest mark, in characters.
const MARK_CHARS: usize = 256;
/// What /etc/device_info names as the maker of a box that nobody has given one.
const NOBODY: &str = "OpenWrt";

/// What files say of the identity.
pub(crate) struct Identity<'a> {
    pub(crate) root: &'a Root,
    pub(crate) settings: &'a dyn Settings,
}

/// The parts of /etc/board.json that matter here.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Board {
    model: Model,
    system: System,
    network: Networks,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Model {
    id: String,
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct System {
    label_macaddr: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Networks {
    lan: Port,
    wan: Port,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Port {
    macaddr: String,
    device: String,
}

/// A file of shell variables: `DISTRIB_RELEASE='24.10.0'`.
struct Variables(String);

impl Variables {
    fn read(root: &Root, path: &str) -> Self {
        Self(root.text(path).unwrap_or_default())
    }

    fn value(&self, name: &str) -> Option<String> {
        let value = self.0.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='))?;
        let value = clean(value.trim().trim_matches(['\'', '"']), DESCRIPTION_CHARS);
        (!value.is_empty()).then_some(value)
    }
}

impl Identity<'_> {
    pub(crate) fn facts(&self) -> Result<DeviceFacts, PlatformError> {
        let board = self.board();
        let model_name = self.model_name(&board);
        let oui = self.oui(&board)?;
        let mut facts = DeviceFacts {
            model_name: model_name.clone(),
            hardware_version: self
                .setting("HardwareVersion")
                .or_else(|| self.device_info("DEVICE_REVISION"))
                .unwrap_or_default(),
            software_version: self.software_version(),
            ..DeviceFacts::default()
        };
        facts.id.manufacturer = self.manufacturer(&board)?;
        facts.id.oui = oui;
        facts.id.product_class = self.setting("ProductClass").unwrap_or(model_name);
        facts.id.serial_number = self.serial_number(&board)?;
        Ok(facts)
    }

    /// DeviceInfo.Description.
    pub(crate) fn description(&self) -> String {
        let made = || {
            let release = Variables::read(self.root, "etc/openwrt_release");
            let parts = [Some(self.model_name(&self.board())), release.value("DISTRIB_DESCRIPTION")];
            parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
        };
        let set = self.settings.get("DeviceInfo", "Description");
        clean(&set.unwrap_or_else(made), DESCRIPTION_CHARS)
    }

    /// Release and revision: the revision is another one with each build.
    pub(crate) fn software_version(&self) -> String {
        let release = Variables::read(self.root, "etc/openwrt_release");
        let parts = [release.value("DISTRIB_RELEASE"), release.value("DISTRIB_REVISION")];
        let known: Vec<String> = parts.into_iter().flatten().collect();
        let version = if known.is_empty() { self.text("etc/openwrt_version") } else { Some(known.join(" ")) };
        clean(&version.unwrap_or_default(), CHARS)
    }

    /// What differs after an upgrade: version, date of the build, and the part of the flash that runs.
    pub(crate) fn image_mark(&self) -> String {
        let os = Variables::read(self.root, "etc/os-release");
        let built = os.value("OPENWRT_BUILD_DATE").or_else(|| os.value("BUILD_ID")).unwrap_or_default();
        let command_line = self.text("proc/cmdline").unwrap_or_default();
        let slot = |word: &&str| ["root=", "ubi.mtd=", "ubi.block="].iter().any(|key| word.starts_with(key));
        let slot: Vec<&str> = command_line.split_ascii_whitespace().filter(slot).collect();
        clean(&format!("{} {built} {}", self.software_version(), slot.join(" ")), MARK_CHARS)
    }

    /// The device of the board's WAN port.
    pub(crate) fn wan_device(&self) -> Option<String> {
        Some(self.board().network.wan.device).filter(|device| !device.is_empty())
    }

    fn board(&self) -> Board {
        let text = self.root.text("etc/board.json").unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn setting(&self, name: &str) -> Option<String> {
        let value = clean(&self.settings.get("DeviceInfo", name)?, CHARS);
        (!value.is_empty()).then_some(value)
    }

    fn text(&self, path: &str) -> Option<String> {
        let text = clean(&self.root.text(path)?, 4096);
        (!text.is_empty()).then_some(text)
    }

    fn device_info(&self, name: &str) -> Option<String> {
        let value = Variables::read(self.root, "etc/device_info").value(name)?;
        Some(clean(&value, CHARS)).filter(|value| !value.is_empty() && value != "v0")
    }

    fn model_name(&self, board: &Board) -> String {
        let of_board = || Some(clean(&board.model.name, CHARS)).filter(|name| !name.is_empty());
        let name = self.setting("ModelName").or_else(|| self.text("tmp/sysinfo/model")).or_else(of_board);
        clean(&name.unwrap_or_default(), CHARS)
    }

    /// What the maker of the firmware says, else the vendor in the name of the board (`glinet,gl-mt3000`).
    fn manufacturer(&self, board: &Board) -> Result<String, PlatformError> {
        let said = self.device_info("DEVICE_MANUFACTURER");
        let name = self.text("tmp/sysinfo/board_name").unwrap_or_else(|| board.model.id.clone());
        let vendor = name.split_once(',').map(|(vendor, _)| clean(vendor, CHARS));
        self.setting("Manufacturer")
            .or_else(|| said.clone().filter(|said| said != NOBODY))
            .or(vendor.filter(|vendor| !vendor.is_empty()))
            .or(said)
            .ok_or_else(|| {
                missing("Manufacturer", "name", "neither /etc/device_info nor the board names a maker")
            })
    }

    /// The address on the label, else that of the WAN port, else that of the LAN.
    fn label(board: &Board) -> Option<[u8; 6]> {
        let known = [&board.system.label_macaddr, &board.network.wan.macaddr, &board.network.lan.macaddr];
        known.into_iter().find_map(|text| mac(text))
    }

    fn serial_number(&self, board: &Board) -> Result<String, PlatformError> {
        self.setting("SerialNumber")
            .or_else(|| self.text("proc/device-tree/serial-number").map(|serial| clean(&serial, CHARS)))
            .or_else(|| Some(hex(&Self::label(board)?)))
            .ok_or_else(|| {
                missing("SerialNumber", "text", "neither the device tree nor /etc/board.json tells one apart")
            })
    }

    fn oui(&self, board: &Board) -> Result<String, PlatformError> {
        let is_oui =
            |text: &str| text.len() == 6 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F'));
        match self.setting("ManufacturerOUI") {
            Some(oui) if is_oui(&oui) => Ok(oui),
            Some(oui) => Err(PlatformError::Failed(format!(
                "ManufacturerOUI = {oui} in section [DeviceInfo] is not six upper-case hexadecimal digits"
            ))),
            None => {
                // An address that is administered locally, or of a group, names no maker.
                let of_maker =
                    Self::label(board).filter(|address| address.first().is_some_and(|first| first & 3 == 0));
                of_maker.map(|address| hex(address.get(..3).unwrap_or_default())).ok_or_else(|| {
                    let why = "/etc/board.json has no address that was assigned by a maker";
                    missing("ManufacturerOUI", "six upper-case hexadecimal digits", why)
                })
            }
        }
    }
}

fn mac(text: &str) -> Option<[u8; 6]> {
    let bytes: Option<Vec<u8>> =
        text.trim().split(':').map(|part| u8::from_str_radix(part, 16).ok()).collect();
    let address: [u8; 6] = bytes?.try_into().ok()?;
    (address != [0; 6]).then_some(address)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

fn missing(setting: &str, value: &str, why: &str) -> PlatformError {
    PlatformError::Failed(format!(
        "no {setting}: {why}; put `{setting} = <{value}>` into section [DeviceInfo] of factory.ini"
    ))
}

#[cfg(test)]
mod tests {
    use cwmp_linux::testing::{FakeRoot, FakeSettings};

    use super::*;
    use crate::testing::board;

    fn identity(root: &FakeRoot, settings: &[(&str, &str)]) -> Result<DeviceFacts, String> {
        let settings = FakeSettings::of("DeviceInfo", settings);
        Identity { root: &root.root(), settings: &settings }.facts().map_err(|error| error.to_string())
    }

    #[test]
    fn a_router_is_known_by_its_board() {
        let root = board();
        let facts = identity(&root, &[]).unwrap();
        assert_eq!(facts.id.manufacturer, "glinet");
        assert_eq!(facts.id.oui, "9483C4");
        assert_eq!(facts.id.serial_number, "9483C4112233");
        assert_eq!(facts.id.product_class, "GL.iNet GL-MT3000");
        assert_eq!(facts.software_version, "24.10.0 r28427-6df0e3d02a");
    }

    #[test]
    fn settings_and_the_maker_of_the_firmware_come_first() {
        let root = board();
        root.file("etc/device_info", "DEVICE_MANUFACTURER='ACME'\nDEVICE_REVISION='v2'\n");
        let facts = identity(&root, &[("SerialNumber", "S1"), ("ProductClass", "HGW")]).unwrap();
        assert_eq!(facts.id.manufacturer, "ACME");
        assert_eq!(facts.hardware_version, "v2");
        assert_eq!((facts.id.serial_number.as_str(), facts.id.product_class.as_str()), ("S1", "HGW"));
        assert!(identity(&root, &[("ManufacturerOUI", "00a0c9")]).unwrap_err().contains("six upper-case"));
    }

    #[test]
    fn what_is_missing_names_its_setting() {
        let root = FakeRoot::new();
        for setting in ["ManufacturerOUI", "Manufacturer", "SerialNumber"] {
            let all = [("ManufacturerOUI", "00A0C9"), ("Manufacturer", "ACME"), ("SerialNumber", "S1")];
            let rest: Vec<_> = all.into_iter().filter(|(name, _)| *name != setting).collect();
            let error = identity(&root, &rest).unwrap_err();
            assert!(error.starts_with(&format!("no {setting}: ")), "{error}");
        }
        root.file("etc/board.json", r#"{"network":{"wan":{"macaddr":"02:00:00:00:00:01"}}}"#);
        assert!(identity(&root, &[("Manufacturer", "A")]).unwrap_err().starts_with("no ManufacturerOUI"));
        root.file("etc/board.json", "{not json");
        assert!(identity(&root, &[("Manufacturer", "A")]).unwrap_err().starts_with("no ManufacturerOUI"));
    }

    #[test]
    fn the_mark_differs_by_build_and_by_slot() {
        let root = board();
        let mark = || Identity { root: &root.root(), settings: &FakeSettings::default() }.image_mark();
        let first = mark();
        assert_eq!(first, "24.10.0 r28427-6df0e3d02a 1738624177 root=/dev/fit0 ubi.mtd=ubi0");
        root.file("proc/cmdline", "console=ttyS0 ubi.mtd=ubi1 root=/dev/fit0\n");
        assert_ne!(mark(), first);
        root.file("proc/cmdline", "console=ttyS0 root=/dev/fit0 ubi.mtd=ubi0\n");
        assert_eq!(mark(), first);
    }
}

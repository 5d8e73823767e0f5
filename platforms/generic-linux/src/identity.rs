//! Who the box is: from the settings where the integrator gave it, else from DMI, the device tree, the network
//! interfaces and the machine id.

use std::io;

use cwmp_core::rpc::DeviceId;
use cwmp_platform::{DeviceFacts, PlatformError, settings::Settings};
use sha2::{Digest, Sha256};

use crate::files::{Root, clean};

/// Longest value of an identity parameter, in characters (TR-181 DeviceInfo).
const CHARS: usize = 64;
/// What makers leave in DMI when they fill nothing in; compared in lower case.
const DMI_PLACEHOLDERS: [&str; 14] = [
    "to be filled by o.e.m.",
    "default string",
    "system manufacturer",
    "system product name",
    "system serial number",
    "system version",
    "not specified",
    "not applicable",
    "not available",
    "unknown",
    "none",
    "n/a",
    "0",
    "0123456789",
];

/// Where identity comes from.
pub(crate) struct Identity<'a> {
    pub(crate) root: &'a Root,
    pub(crate) settings: &'a dyn Settings,
    /// A serial number that exists but may be read by root only is no error: the next source serves. In the sandbox,
    /// where nothing depends on it.
    pub(crate) lenient: bool,
}

impl Identity<'_> {
    /// Identity and versions, with this SoftwareVersion in place of the one in os-release.
    pub(crate) fn facts(&self, software_version: Option<&str>) -> Result<DeviceFacts, PlatformError> {
        let model_name = self.model_name();
        Ok(DeviceFacts {
            id: DeviceId {
                manufacturer: self.manufacturer()?,
                oui: self.oui()?,
                product_class: self.setting("ProductClass").unwrap_or_else(|| model_name.clone()),
                serial_number: self.serial_number()?,
            },
            hardware_version: self.hardware_version(),
            software_version: self.running(software_version),
            model_name,
        })
    }

    /// The version that runs: this one, or that of os-release.
    pub(crate) fn running(&self, software_version: Option<&str>) -> String {
        software_version.map_or_else(|| self.software_version(), |version| clean(version, CHARS))
    }

    /// DeviceInfo.Description: as set, else the model and the name of the system.
    pub(crate) fn description(&self) -> String {
        let system = || OsRelease::read(self.root).value("PRETTY_NAME").unwrap_or_default();
        let made = || match (self.model_name(), system()) {
            (model, system) if model.is_empty() => system,
            (model, system) if system.is_empty() => model,
            (model, system) => format!("{model}, {system}"),
        };
        clean(&self.settings.get("DeviceInfo", "Description").unwrap_or_else(made), 256)
    }

    fn setting(&self, name: &str) -> Option<String> {
        let value = clean(&self.settings.get("DeviceInfo", name)?, CHARS);
        (!value.is_empty()).then_some(value)
    }

    fn text(&self, path: &str) -> Option<String> {
        let text = clean(&self.root.text(path)?, CHARS);
        (!text.is_empty()).then_some(text)
    }

    fn dmi(&self, name: &str) -> Option<String> {
        self.text(&format!("sys/class/dmi/id/{name}")).filter(|text| is_real(text))
    }

    fn manufacturer(&self) -> Result<String, PlatformError> {
        let of_tree = || {
            // `vendor,board`, the most specific first.
            let compatible = self.root.text("proc/device-tree/compatible")?;
            let (vendor, _) = compatible.split('\0').next()?.split_once(',')?;
            Some(clean(vendor, CHARS)).filter(|vendor| !vendor.is_empty())
        };
        self.setting("Manufacturer")
            .or_else(|| self.dmi("sys_vendor"))
            .or_else(of_tree)
            .ok_or_else(|| missing("Manufacturer", "name", "neither DMI nor the device tree names a maker"))
    }

    fn model_name(&self) -> String {
        self.setting("ModelName")
            .or_else(|| self.dmi("product_name"))
            .or_else(|| self.text("proc/device-tree/model"))
            .unwrap_or_default()
    }

    fn hardware_version(&self) -> String {
        self.setting("HardwareVersion")
            .or_else(|| self.dmi("board_version"))
            .or_else(|| self.dmi("product_version"))
            .unwrap_or_default()
    }

    /// The most particular name of what runs: IMAGE_VERSION (the image as built), else BUILD_ID, else VERSION_ID; without
    /// an os-release the release of the kernel.
    fn software_version(&self) -> String {
        let release = OsRelease::read(self.root);
        let version = ["IMAGE_VERSION", "BUILD_ID", "VERSION_ID"].iter().find_map(|key| release.value(key));
        version
            .or_else(|| self.text("proc/sys/kernel/osrelease"))
            .map(|v| clean(&v, CHARS))
            .unwrap_or_default()
    }

    fn serial_number(&self) -> Result<String, PlatformError> {
        if let Some(serial) = self.setting("SerialNumber") {
            return Ok(serial);
        }
        for path in ["sys/class/dmi/id/product_serial", "proc/device-tree/serial-number"] {
            match self.root.bytes(path) {
                Ok(bytes) => {
                    let serial = clean(&String::from_utf8_lossy(&bytes), CHARS);
                    if !serial.is_empty() && is_real(&serial) {
                        return Ok(serial);
                    }
                }
                // Taking the next source would give the box another identity than it has when root runs the program.
                Err(e) if e.kind() == io::ErrorKind::PermissionDenied && !self.lenient => {
                    return Err(PlatformError::Failed(format!(
                        "cannot read the serial number in {}: {e}; run as root, or put `SerialNumber = ...` into \
                         section [DeviceInfo] of factory.ini",
                        self.root.path(path).display()
                    )));
                }
                Err(_) => {}
            }
        }
        let machine_id = self
            .text("etc/machine-id")
            .filter(|id| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()));
        machine_id.map(|id| derived_serial(&id)).ok_or_else(|| {
            missing(
                "SerialNumber",
                "text",
                "DMI and device tree have no serial number and there is no /etc/machine-id",
            )
        })
    }

    fn oui(&self) -> Result<String, PlatformError> {
        let is_oui =
            |text: &str| text.len() == 6 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F'));
        match self.setting("ManufacturerOUI") {
            Some(oui) if is_oui(&oui) => Ok(oui),
            Some(oui) => Err(PlatformError::Failed(format!(
                "ManufacturerOUI = {oui} in section [DeviceInfo] is not six upper-case hexadecimal digits"
            ))),
            None => self.oui_of_interface().ok_or_else(|| {
                let why = "no network interface has a permanent address that was assigned by a maker";
                missing("ManufacturerOUI", "six upper-case hexadecimal digits", why)
            }),
        }
    }

    /// The first three bytes of the permanent address of the first Ethernet device that has one from a maker. An address
    /// that is administered locally (of a virtual machine, a bridge, a random one) names no maker.
    fn oui_of_interface(&self) -> Option<String> {
        let number = |name: &str, file: &str| -> Option<u32> {
            self.root.text(&format!("sys/class/net/{name}/{file}"))?.trim().parse().ok()
        };
        let mut interfaces: Vec<(u32, String)> = self
            .root
            .names("sys/class/net")
            .into_iter()
            .filter(|name| self.root.path(format!("sys/class/net/{name}/device")).exists())
            .filter(|name| number(name, "type") == Some(1) && number(name, "addr_assign_type") == Some(0))
            .filter_map(|name| Some((number(&name, "ifindex")?, name)))
            .collect();
        interfaces.sort();
        interfaces.iter().find_map(|(_, name)| {
            let address = self.root.text(&format!("sys/class/net/{name}/address"))?;
            let mut bytes = address.trim().split(':').map(|part| u8::from_str_radix(part, 16));
            let (a, b, c) = (bytes.next()?.ok()?, bytes.next()?.ok()?, bytes.next()?.ok()?);
            let (multicast_or_local, nobody) = (a & 3 != 0, (a, b, c) == (0, 0, 0));
            (!multicast_or_local && !nobody && bytes.count() == 3).then(|| format!("{a:02X}{b:02X}{c:02X}"))
        })
    }
}

fn is_real(text: &str) -> bool {
    !DMI_PLACEHOLDERS.contains(&text.to_ascii_lowercase().as_str())
}

fn missing(setting: &str, value: &str, why: &str) -> PlatformError {
    PlatformError::Failed(format!(
        "no {setting}: {why}; put `{setting} = <{value}>` into section [DeviceInfo] of factory.ini"
    ))
}

/// A machine id is confidential (machine-id(5)): what leaves the box is a one-way digest of it.
fn derived_serial(machine_id: &str) -> String {
    use std::fmt::Write;
    let digest = Sha256::new().chain_update("cwmpd serial number\n").chain_update(machine_id).finalize();
    digest.iter().take(8).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02X}");
        text
    })
}

/// The text of os-release(5); empty where there is none.
pub(crate) struct OsRelease(String);

impl OsRelease {
    pub(crate) fn read(root: &Root) -> Self {
        let text = root.text("etc/os-release").or_else(|| root.text("usr/lib/os-release"));
        Self(text.unwrap_or_default())
    }

    /// A value of os-release(5), unquoted; `None` where it is missing or empty.
    pub(crate) fn value(&self, key: &str) -> Option<String> {
        let value = self.0.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='))?;
        let mut plain = String::new();
        let (mut quote, mut chars) = (None, value.chars());
        while let Some(c) = chars.next() {
            match c {
                '\\' if quote != Some('\'') => plain.extend(chars.next()),
                '"' | '\'' if quote.is_none() => quote = Some(c),
                _ if quote == Some(c) => quote = None,
                _ => plain.push(c),
            }
        }
        let plain = clean(&plain, 256);
        (!plain.is_empty()).then_some(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakeRoot, FakeSettings};

    fn facts(root: &FakeRoot, settings: &[(&str, &str)]) -> Result<DeviceFacts, String> {
        let settings = FakeSettings::of("DeviceInfo", settings);
        let identity = Identity { root: &root.root(), settings: &settings, lenient: false };
        identity.facts(None).map_err(|e| e.to_string())
    }

    const SET: [(&str, &str); 3] =
        [("Manufacturer", "ACME"), ("ManufacturerOUI", "00A0C9"), ("SerialNumber", "S1")];

    #[test]
    fn a_pc_is_known_by_dmi_and_its_network_card() {
        let root = FakeRoot::pc();
        let facts = facts(&root, &[]).unwrap();
        assert_eq!(facts.id.manufacturer, "PC Engines");
        assert_eq!(facts.id.oui, "000DB9");
        assert_eq!(facts.id.product_class, "apu4");
        assert_eq!(facts.id.serial_number, "1234567");
        assert_eq!(facts.model_name, "apu4");
        assert_eq!(facts.hardware_version, "1.0");
        assert_eq!(facts.software_version, "20261101");
    }

    #[test]
    fn a_board_is_known_by_its_device_tree() {
        let root = FakeRoot::new();
        root.file("proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\0");
        root.file("proc/device-tree/compatible", "raspberrypi,4-model-b\0brcm,bcm2711\0");
        root.file("proc/device-tree/serial-number", "10000000abcdef01\0");
        let facts = facts(&root, &[("ManufacturerOUI", "DCA632")]).unwrap();
        assert_eq!(facts.id.manufacturer, "raspberrypi");
        assert_eq!(facts.id.serial_number, "10000000abcdef01");
        assert_eq!(facts.model_name, "Raspberry Pi 4 Model B Rev 1.4");
    }

    #[test]
    fn settings_come_first_and_are_cut_to_64_characters() {
        let root = FakeRoot::pc();
        let long = "x".repeat(70);
        let set = [
            ("Manufacturer", "ACME"),
            ("ManufacturerOUI", "00A0C9"),
            ("ProductClass", "HGW"),
            ("SerialNumber", long.as_str()),
            ("ModelName", "M"),
            ("HardwareVersion", "H"),
        ];
        let facts = facts(&root, &set).unwrap();
        let expected = DeviceId {
            manufacturer: "ACME".into(),
            oui: "00A0C9".into(),
            product_class: "HGW".into(),
            serial_number: "x".repeat(64),
        };
        assert_eq!(facts.id, expected);
        assert_eq!((facts.model_name.as_str(), facts.hardware_version.as_str()), ("M", "H"));
    }

    #[test]
    fn placeholders_of_dmi_are_no_serial_number() {
        let root = FakeRoot::pc();
        root.file("sys/class/dmi/id/product_serial", "To Be Filled By O.E.M.\n");
        root.file("etc/machine-id", "0123456789abcdef0123456789abcdef\n");
        let serial = facts(&root, &[]).unwrap().id.serial_number;
        assert_eq!(serial, "7FEACFADD59C1DB4");
        assert!(!"0123456789abcdef0123456789abcdef".contains(&serial.to_ascii_lowercase()));
    }

    #[test]
    fn what_is_missing_names_its_setting() {
        let root = FakeRoot::new();
        for (name, _) in SET {
            let rest: Vec<_> = SET.into_iter().filter(|(other, _)| *other != name).collect();
            let error = facts(&root, &rest).unwrap_err();
            assert!(error.starts_with(&format!("no {name}: ")), "{error}");
            assert!(error.contains(&format!("put `{name} = <")) && error.contains("factory.ini"), "{error}");
        }
        assert!(facts(&root, &SET).is_ok());
    }

    #[test]
    fn an_oui_is_six_upper_case_digits() {
        let root = FakeRoot::pc();
        for bad in ["00a0c9", "00A0C", "00A0C9F", "00:A0:C", "ÄÄÄ"] {
            let error = facts(&root, &[("ManufacturerOUI", bad)]).unwrap_err();
            assert_eq!(
                error,
                format!(
                    "ManufacturerOUI = {bad} in section [DeviceInfo] is not six upper-case hexadecimal digits"
                )
            );
        }
    }

    #[test]
    fn a_local_address_names_no_maker() {
        let root = FakeRoot::pc();
        for address in ["52:54:00:12:34:56", "01:00:5e:00:00:01", "00:00:00:00:00:00", "00:0d:b9", "x"] {
            root.file("sys/class/net/eth0/address", address);
            assert!(facts(&root, &[]).unwrap_err().starts_with("no ManufacturerOUI: "), "{address}");
        }
    }

    #[test]
    fn the_most_particular_version_is_reported() {
        let version = |os_release: &str| {
            let root = FakeRoot::new();
            root.file("proc/sys/kernel/osrelease", "6.6.1\n");
            root.file("usr/lib/os-release", os_release);
            facts(&root, &SET).unwrap().software_version
        };
        assert_eq!(version("VERSION_ID=12\nBUILD_ID='r1'\nIMAGE_VERSION=\"7\"\n"), "7");
        assert_eq!(version("VERSION_ID=12\nBUILD_ID='r1'\n"), "r1");
        assert_eq!(version("VERSION_ID=\"12 \\\"x\\\"\"\n"), "12 \"x\"");
        assert_eq!(version("VERSION_ID=\nNOVERSION_ID=3\n"), "6.6.1");
    }

    #[test]
    fn a_serial_number_that_only_root_reads_is_an_error() {
        use std::os::unix::fs::PermissionsExt;
        let root = FakeRoot::pc();
        let path = root.root().path("sys/class/dmi/id/product_serial");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
        if std::fs::read(&path).is_ok() {
            eprintln!("skipped: this user may read everything");
            return;
        }
        assert!(facts(&root, &[]).unwrap_err().contains("run as root"));
    }
}

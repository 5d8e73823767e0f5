use std::fs;

use cwmp_platform::Platform;

use super::*;
use crate::{
    FirmwareBackend, GenericLinux, Options,
    testing::{Collected, FakeRoot, FakeSettings, assert_fits_the_model, script},
};

/// `rauc status --detailed --output-format=json` of RAUC 1.8 on a box with two slots, A running.
const STATUS: &str = r#"{"compatible":"Acme Router","variant":"","booted":"A","boot_primary":"rootfs.0","slots":[
{"rootfs.1":{"class":"rootfs","device":"/dev/mmcblk0p3","type":"ext4","bootname":"B","state":"inactive","parent":null,"mountpoint":null,"boot_status":"good","slot_status":{"bundle":{"compatible":"Acme Router","version":"1.9","description":null,"build":null},"checksum":{"sha256":"98ea6e4f216f2fb4b69fff9b3a44842c38686ca685f3f55dc48c5d3fb1107be4","size":3},"installed":{"timestamp":"2026-10-01T00:00:00Z","count":1},"activated":{"timestamp":"2026-10-01T00:00:01Z","count":1},"status":"ok"}}},
{"appfs.0":{"class":"appfs","device":"/dev/mmcblk0p5","type":"ext4","bootname":null,"state":"active","parent":"rootfs.0","mountpoint":null,"boot_status":null}},
{"rootfs.0":{"class":"rootfs","device":"/dev/mmcblk0p2","type":"ext4","bootname":"A","state":"booted","parent":null,"mountpoint":"/","boot_status":"good","slot_status":{"bundle":{"compatible":"Acme Router","version":"2.0","description":null,"build":null},"status":"ok"}}}]}"#;

/// `rauc info --output-format=json` of RAUC 1.8.
const INFO: &str = r#"{"compatible":"Acme Router","version":"2.1","description":null,"build":null,"hooks":[],"images":[{"rootfs":{"variant":null,"filename":"rootfs.img","checksum":"98ea6e4f216f2fb4b69fff9b3a44842c38686ca685f3f55dc48c5d3fb1107be4","size":3,"hooks":[],"adaptive":[]}}]}"#;

/// A box with a `rauc` of its own, which answers from files and notes what it was told.
struct Box {
    root: FakeRoot,
    platform: GenericLinux,
}

impl Box {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Options)) -> Self {
        let root = FakeRoot::pc();
        root.file("status", STATUS);
        root.file("info", INFO);
        root.file("image", "bundle");
        let rauc_command = script(
            &root,
            "rauc",
            r#"cd "${0%/*}" || exit 1
echo "$*" >>told
case "$1" in
status) [ "$2" = mark-good ] || cat status ;;
info) [ ! -e info.error ] || { cat info.error >&2; exit 1; }; cat info ;;
install) [ ! -e install.error ] || { cat install.error >&2; exit 1; } ;;
esac"#,
        );
        let mut options = Options {
            root: root.path().to_owned(),
            firmware_backend: FirmwareBackend::Rauc,
            rauc_command,
            ..Options::default()
        };
        change(&mut options);
        let platform = crate::testing::backend(options, std::rc::Rc::new(FakeSettings::default()));
        Self { root, platform }
    }

    fn change(&self, from: &str, to: &str) {
        let status = fs::read_to_string(self.root.path().join("status")).unwrap();
        assert!(status.contains(from), "{from}");
        self.root.file("status", status.replace(from, to));
    }

    async fn check(&self) -> Result<ImageFacts, PlatformError> {
        self.platform.check_firmware(&self.root.path().join("image")).await
    }

    async fn ready(&self) -> Result<(), String> {
        let ready = self.platform.before_download(&cwmp_core::job::DownloadType::Firmware, None).await;
        ready.map_err(|e| e.to_string())
    }

    fn told(&self) -> String {
        fs::read_to_string(self.root.path().join("told")).unwrap_or_default()
    }
}

#[tokio::test]
async fn the_mark_after_the_upgrade_is_told_before() {
    let rauc = Box::new();
    assert_eq!(rauc.platform.image_mark().await.unwrap(), "2.0 in slot A");
    let facts = rauc.check().await.unwrap();
    assert_eq!(
        facts,
        ImageFacts { expects: Some("2.1 in slot B".to_owned()), version: Some("2.1".to_owned()) }
    );
    let image = rauc.root.path().join("image");
    let flashed = rauc.platform.flash_firmware(&image, FlashOptions { keep_settings: true }).await.unwrap();
    assert_eq!(flashed, Flash::RestartNeeded);
    assert!(rauc.told().ends_with(&format!("install {}\n", image.display())), "{}", rauc.told());

    // After the boot into B, as RAUC tells it then.
    rauc.change("\"state\":\"inactive\"", "\"state\":\"other\"");
    rauc.change("\"state\":\"booted\"", "\"state\":\"inactive\"");
    rauc.change("\"state\":\"other\"", "\"state\":\"booted\"");
    rauc.change("\"version\":\"1.9\"", "\"version\":\"2.1\"");
    assert_eq!(Some(rauc.platform.image_mark().await.unwrap()), facts.expects);
    rauc.platform.confirm_image().await.unwrap();
    assert!(rauc.told().ends_with("status mark-good\n"));
}

#[tokio::test]
async fn what_rauc_never_wrote_is_not_foretold() {
    let rauc = Box::new();
    rauc.change("\"version\":\"2.0\",", "");
    rauc.change("\"version\":\"1.9\",", "");
    assert_eq!(rauc.platform.image_mark().await.unwrap(), "20261101 in slot A");
    assert_eq!(rauc.check().await.unwrap().expects, None);
}

/// Conformance: 7.17
#[tokio::test]
async fn a_bundle_that_is_wrong_is_not_installed() {
    let rauc = Box::new();
    let image = rauc.root.path().join("image");
    // What RAUC 1.8 writes.
    for (error, code) in [
        ("signature verification failed: Verify error: self-signed certificate", 9019),
        ("Invalid bundle format: Signature size (5571) exceeds bundle size", 9018),
        ("Error creating proxy", 9010),
    ] {
        rauc.root.file("info.error", error);
        assert_eq!(rauc.check().await.unwrap_err().fault_code().0, code, "{error}");
        let flashed = rauc.platform.flash_firmware(&image, FlashOptions { keep_settings: true }).await;
        assert_eq!(flashed.unwrap_err().fault_code().0, code, "{error}");
    }
    fs::remove_file(rauc.root.path().join("info.error")).unwrap();
    rauc.root.file("info", INFO.replace("Acme Router", "Acme Switch"));
    let other = rauc.check().await.unwrap_err();
    assert_eq!(
        (other.fault_code().0, other.to_string()),
        (9018, "refused: the bundle is for Acme Switch, and this is Acme Router".to_owned())
    );
    rauc.root.file("info", "no JSON");
    assert!(rauc.check().await.unwrap_err().to_string().starts_with("rauc info answers with odd JSON"));
    assert!(!rauc.told().contains("install"), "{}", rauc.told());
}

#[tokio::test]
async fn no_slot_is_written_that_the_box_may_need() {
    for (from, to, why) in [
        (
            "\"boot_primary\":\"rootfs.0\"",
            "\"boot_primary\":\"rootfs.1\"",
            "the update in slot rootfs.1 waits for a restart",
        ),
        (
            "\"mountpoint\":\"/\",\"boot_status\":\"good\"",
            "\"mountpoint\":\"/\",\"boot_status\":\"bad\"",
            "slot rootfs.0 runs and is not confirmed: writing the other one would leave no way back",
        ),
        (
            "\"class\":\"rootfs\",\"device\":\"/dev/mmcblk0p3\"",
            "\"class\":\"x\",\"device\":\"\"",
            "there is no other slot of class rootfs to write to",
        ),
    ] {
        let rauc = Box::new();
        assert_eq!(rauc.ready().await, Ok(()));
        rauc.change(from, to);
        assert_eq!(rauc.ready().await, Err(why.to_owned()));
        let image = rauc.root.path().join("image");
        let flashed = rauc.platform.flash_firmware(&image, FlashOptions { keep_settings: true }).await;
        assert_eq!(flashed.unwrap_err().to_string(), why);
        assert!(!rauc.told().contains("install"), "{}", rauc.told());
    }
}

/// The version that counts is that of the bundle in the slot that runs, not that of os-release.
#[tokio::test]
async fn a_downgrade_is_told_by_the_bundle_that_runs() {
    let rauc = Box::with(|options| {
        options.image_policy = cwmp_platform::policy::ImagePolicy::load(&[], false, true).unwrap();
    });
    rauc.check().await.unwrap();
    rauc.root.file("info", INFO.replace("2.1", "1.9"));
    let refused = rauc.check().await.unwrap_err().to_string();
    assert!(refused.contains("version 1.9 is older than 2.0, which runs"), "{refused}");
}

/// RAUC itself says what becomes of a bundle, where it is installed.
#[tokio::test]
async fn bundles_are_judged_by_the_real_rauc() {
    use std::process::{Command, Stdio};
    let rauc = Box::new();
    let folder = rauc.root.path();
    rauc.root.file("in/rootfs.img", "hi");
    rauc.root.file(
        "in/manifest.raucm",
        "[update]\ncompatible=Acme Router\nversion=2.1\n[image.rootfs]\nfilename=rootfs.img\n",
    );
    let ran = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).current_dir(folder).stdin(Stdio::null());
        match command.output() {
            Ok(output) => {
                assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
                true
            }
            Err(e) => {
                eprintln!("skipped: {}: {e}", words[0]);
                false
            }
        }
    };
    let certificate = |name: &str| {
        ran(&format!(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout {name}.key -out {name}.pem -days 30 -subj /CN={name}"
        ))
    };
    if !ran("rauc --version") || !ran("mksquashfs -version") || !certificate("ours") || !certificate("theirs")
    {
        return;
    }
    let real = |keyring: &str| {
        let text = format!(
            "cd \"${{0%/*}}\" || exit 1\n[ \"$1\" = status ] && exec cat status\nexec rauc --keyring={keyring}.pem \"$@\""
        );
        let command = script(&rauc.root, &format!("{keyring}.sh"), &text);
        Rauc { command }
    };
    ran("rauc --cert=ours.pem --key=ours.key bundle in bundle.raucb");
    let bundle = folder.join("bundle.raucb");
    let facts = real("ours").check(&bundle, "2.0").await.unwrap().facts;
    assert_eq!(facts.expects.as_deref(), Some("2.1 in slot B"));
    let code = async |rauc: Rauc| rauc.check(&bundle, "2.0").await.unwrap_err().fault_code().0;
    assert_eq!(code(real("theirs")).await, 9019);
    let mut bytes = fs::read(&bundle).unwrap();
    bytes[100] ^= 1;
    fs::write(&bundle, &bytes).unwrap();
    assert_eq!(code(real("ours")).await, 9019);
    fs::write(&bundle, "no bundle").unwrap();
    assert_eq!(code(real("ours")).await, 9018);
}

#[tokio::test]
async fn settings_are_never_lost_by_an_upgrade_that_says_so() {
    let rauc = Box::new();
    let image = rauc.root.path().join("image");
    let wipe = rauc.platform.flash_firmware(&image, FlashOptions { keep_settings: false }).await;
    assert_eq!(wipe.unwrap_err().to_string(), "RAUC does not delete settings with an upgrade");
    assert!(!rauc.told().contains("install"));
}

#[tokio::test]
async fn the_slots_are_the_rows_of_firmware_image() {
    let rauc = Box::new();
    rauc.change("\"boot_primary\":\"rootfs.0\"", "\"boot_primary\":\"rootfs.1\"");
    let sources = rauc.platform.sources();
    let source = sources.iter().find(|source| source.objects().contains(&"Device.DeviceInfo.")).unwrap();
    let collected = Collected::from(&**source, &["Device.DeviceInfo."]).await;
    let value = |name: &str| collected.value(&format!("Device.DeviceInfo.{name}")).unwrap().to_owned();
    assert_eq!(value("ActiveFirmwareImage"), "Device.DeviceInfo.FirmwareImage.1");
    assert_eq!(value("BootFirmwareImage"), "Device.DeviceInfo.FirmwareImage.2");
    let row = |row: u32| {
        ["Name", "Version", "Status", "Available"].map(|name| value(&format!("FirmwareImage.{row}.{name}")))
    };
    assert_eq!(row(1), ["rootfs.0", "2.0", "Active", "true"]);
    assert_eq!(row(2), ["rootfs.1", "1.9", "Available", "true"]);
    assert_eq!(
        collected.value("Device.DeviceInfo.FirmwareImage.3.Name"),
        None,
        "only what a boot loader can start"
    );
    assert_fits_the_model(&**source).await;

    let asked = rauc.told().lines().count();
    let up = Collected::from(&**source, &["Device.DeviceInfo.UpTime"]).await;
    assert!(up.value("Device.DeviceInfo.UpTime").is_some());
    assert_eq!(
        rauc.told().lines().count(),
        asked,
        "nobody who asks for something else waits for the updater"
    );
}

#[test]
fn a_slot_has_the_status_that_rauc_and_the_boot_loader_give_it() {
    let slot = |state: &str, boot: &str, status: Option<&str>| Slot {
        state: Some(state.to_owned()),
        boot_status: Some(boot.to_owned()),
        slot_status: SlotStatus { status: status.map(str::to_owned), ..SlotStatus::default() },
        ..Slot::default()
    };
    for (slot, expected) in [
        (slot("booted", "bad", Some("failed")), ImageStatus::Active),
        (slot("inactive", "good", Some("ok")), ImageStatus::Available),
        (slot("inactive", "bad", Some("ok")), ImageStatus::ActivationFailed),
        (slot("inactive", "bad", Some("pending")), ImageStatus::InstallationFailed),
        (slot("inactive", "good", None), ImageStatus::Available),
        (slot("inactive", "bad", None), ImageStatus::NoImage),
    ] {
        assert_eq!(slot.status(), expected, "{slot:?}");
    }
}

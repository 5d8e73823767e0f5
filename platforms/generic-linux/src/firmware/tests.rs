use std::{fs, rc::Rc};

use cwmp_core::job::DownloadType::Firmware;
use cwmp_platform::{Platform, policy::ImagePolicy};

use crate::{
    FirmwareBackend, GenericLinux, Options,
    testing::{FakeRoot, FakeSettings, script},
};

use super::*;

const KEEP: FlashOptions = FlashOptions { keep_settings: true };

/// A router whose updater notes what it does in the file `told`.
struct Bench {
    root: FakeRoot,
    options: Options,
}

impl Bench {
    fn new() -> Self {
        let root = FakeRoot::pc();
        root.file("image", "image");
        root.file("proc/cmdline", "console=ttyS0 root=/dev/mmcblk0p2 ro\n");
        let note = script(&root, "note", "echo \"$@\" >>\"${0%/*}/told\"");
        let say = |words: &[&str]| [note.clone(), words.iter().map(|w| (*w).to_owned()).collect()].concat();
        let options = Options {
            root: root.path().to_owned(),
            firmware_command: Some(say(&["flash", "{file}"])),
            firmware_stop_services: vec![say(&["{action}", "samba"]), say(&["{action}", "dlna"])],
            ..Options::default()
        };
        Self { root, options }
    }

    fn with(&self, change: impl FnOnce(&mut Options)) -> GenericLinux {
        let mut options = self.options.clone();
        change(&mut options);
        crate::testing::backend(options, Rc::new(FakeSettings::default()))
    }

    fn platform(&self) -> GenericLinux {
        self.with(|_| {})
    }

    fn script(&self, name: &str, text: &str, arguments: &[&str]) -> Option<Vec<String>> {
        let words = arguments.iter().map(|word| (*word).to_owned());
        Some(script(&self.root, name, text).into_iter().chain(words).collect())
    }

    fn image(&self) -> std::path::PathBuf {
        self.root.path().join("image")
    }

    /// What was done since the last look.
    fn told(&self) -> String {
        let path = self.root.path().join("told");
        let told = fs::read_to_string(&path).unwrap_or_default();
        fs::remove_file(path).ok();
        told
    }
}

#[tokio::test]
async fn services_are_stopped_for_an_upgrade_and_started_when_it_is_off() {
    let bench = Bench::new();
    let platform = bench.platform();
    platform.before_download(&Firmware, Some(1000)).await.unwrap();
    assert_eq!(bench.told(), "stop samba\nstop dlna\n");
    platform.download_over(&Firmware).await;
    assert_eq!(bench.told(), "start dlna\nstart samba\n");
    // The program was started again in between: it cannot know whether they run.
    bench.platform().download_over(&Firmware).await;
    assert_eq!(bench.told(), "start dlna\nstart samba\n");
    platform.before_download(&cwmp_core::job::DownloadType::WebContent, None).await.unwrap();
    platform.download_over(&cwmp_core::job::DownloadType::WebContent).await;
    assert_eq!(bench.told(), "");
}

#[tokio::test]
async fn without_memory_nothing_begins_and_services_run_again() {
    let bench = Bench::new();
    bench.root.file("proc/sys/vm/drop_caches", "0\n");
    let platform = bench.with(|options| options.firmware_free_memory = 4_000_000);
    let refused = platform.before_download(&Firmware, None).await.unwrap_err();
    assert_eq!(refused.to_string(), "no room: 4000000 KiB of memory are needed and 3700000 KiB available");
    assert_eq!(refused.fault_code().0, 9010);
    assert_eq!(bench.told(), "stop samba\nstop dlna\nstart dlna\nstart samba\n");
    let dropped = fs::read_to_string(bench.root.path().join("proc/sys/vm/drop_caches")).unwrap();
    assert_eq!(dropped, "3\n", "caches were given back before it was given up");
}

#[tokio::test]
async fn a_service_that_does_not_stop_stops_no_upgrade() {
    let bench = Bench::new();
    let platform = bench.with(|options| options.firmware_stop_services.push(vec!["/no/such".to_owned()]));
    platform.before_download(&Firmware, None).await.unwrap();
}

#[tokio::test]
async fn nothing_is_written_while_an_update_waits() {
    let bench = Bench::new();
    for (said, why) in [
        ("", None),
        ("0", None),
        ("failed", None),
        ("1", Some("an update is installed and waits for a restart")),
        ("testing", Some("the update that runs now is not confirmed yet")),
        ("?", Some("firmware_state_command says ?: not one of ok, installed, testing, failed")),
    ] {
        let state = bench.script("state", &format!("echo '{said}'"), &[]);
        let platform = bench.with(|options| options.firmware_state_command = state);
        let before = platform.before_download(&Firmware, None).await.map_err(|e| e.to_string());
        let flashed = platform.flash_firmware(&bench.image(), KEEP).await.map_err(|e| e.to_string());
        assert_eq!(before.err().as_deref(), why, "{said}");
        assert_eq!(flashed.err().as_deref(), why, "{said}");
        assert_eq!(bench.told().contains("flash"), why.is_none(), "{said}");
    }
}

/// Conformance: 7.17, 13.07
#[tokio::test]
async fn an_image_without_the_right_signature_is_never_written() {
    use ed25519_compact::{KeyPair, Seed};
    let bench = Bench::new();
    let pair = KeyPair::from_seed(Seed::new([7; 32]));
    let base64 = |bytes: &[u8]| data_encoding::BASE64.encode(bytes);
    let file = |body: &[u8]| format!("untrusted comment: x\n{}\n", base64(&[b"Ednumber!!", body].concat()));
    bench.root.file("key.pub", file(pair.pk.as_ref()));
    let keys = [bench.root.path().join("key.pub")];
    let signed = |content: &str| {
        let signature = base64(file(pair.sk.sign("image", None).as_ref()).as_bytes());
        format!("{content}\n-----CWMPD SIGNATURE-----\n{signature}\n-----END-----\n")
    };
    let platform =
        bench.with(|options| options.image_policy = ImagePolicy::load(&keys, true, false).unwrap());
    for (content, code) in [("image".to_owned(), 9019), (signed("imagE"), 9019)] {
        bench.root.file("image", content);
        let checked = platform.check_firmware(&bench.image()).await.unwrap_err();
        let flashed = platform.flash_firmware(&bench.image(), KEEP).await.unwrap_err();
        assert_eq!((checked.fault_code().0, flashed.fault_code().0), (code, code), "{checked}");
        assert_eq!(bench.told(), "");
    }
    bench.root.file("image", signed("image"));
    platform.check_firmware(&bench.image()).await.unwrap();
    assert_eq!(fs::read_to_string(bench.image()).unwrap(), "image", "the updater gets what was built");
    platform.flash_firmware(&bench.image(), KEEP).await.unwrap();
    assert_eq!(bench.told(), format!("flash {}\n", bench.image().display()));
    // Somebody has changed it between the check and the order to write it.
    bench.root.file("image", "imagE");
    assert_eq!(platform.flash_firmware(&bench.image(), KEEP).await.unwrap_err().fault_code().0, 9019);
    assert_eq!(bench.told(), "");
}

#[tokio::test]
async fn the_check_command_tells_version_and_mark() {
    let bench = Bench::new();
    let check =
        bench.script("check", "echo size=3; echo version=20261001; echo mark=20261001 in B", &["{file}"]);
    let platform = bench.with(|options| options.firmware_check_command = check.clone());
    let facts = platform.check_firmware(&bench.image()).await.unwrap();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(facts, ImageFacts { expects: text("20261001 in B"), version: text("20261001") });

    let strict = bench.with(|options| {
        options.firmware_check_command = check;
        options.image_policy = ImagePolicy::load(&[], false, true).unwrap();
    });
    let older = strict.flash_firmware(&bench.image(), KEEP).await.unwrap_err();
    assert_eq!(
        older.to_string(),
        "refused: version 20261001 is older than 20261101, which runs, and firmware_forbid_downgrade is set"
    );
    let refuse = bench.script("refuse", "echo wrong board >&2; exit 65", &["{file}"]);
    let platform = bench.with(|options| options.firmware_check_command = refuse);
    let refused = platform.flash_firmware(&bench.image(), KEEP).await.unwrap_err();
    assert_eq!(
        (refused.fault_code().0, refused.to_string()),
        (9018, "refused: by /bin/sh: wrong board".to_owned())
    );
    assert_eq!(bench.told(), "");
}

#[tokio::test]
async fn the_mark_is_version_build_and_slot_unless_a_command_knows_better() {
    let bench = Bench::new();
    assert_eq!(bench.platform().image_mark().await.unwrap(), "20261101 root /dev/mmcblk0p2");
    bench.root.file("etc/os-release", "VERSION_ID=12\nBUILD_ID=77\nIMAGE_VERSION=20261101\n");
    assert_eq!(bench.platform().image_mark().await.unwrap(), "20261101 build 77 root /dev/mmcblk0p2");
    let none = bench.with(|options| options.firmware_command = None);
    assert_eq!(none.image_mark().await.unwrap(), "20261101 build 77 root /dev/mmcblk0p2");
    for (script, expected) in
        [("echo ' slot A '", Ok("slot A")), ("true", Err("firmware_mark_command writes nothing"))]
    {
        let mark = bench.script("mark", script, &[]);
        let platform = bench.with(|options| options.firmware_mark_command = mark);
        let said = platform.image_mark().await.map_err(|e| e.to_string());
        assert_eq!(said.as_deref().map_err(String::as_str), expected);
    }
}

#[tokio::test]
async fn a_confirmed_image_is_told_to_the_boot_loader() {
    let bench = Bench::new();
    bench.platform().confirm_image().await.unwrap();
    let confirm = bench.script("confirm", "echo confirmed >>\"${0%/*}/told\"", &[]);
    bench.with(|options| options.firmware_confirm_command = confirm).confirm_image().await.unwrap();
    assert_eq!(bench.told(), "confirmed\n");
}

#[tokio::test]
async fn swupdate_gets_an_archive_with_a_description() {
    let bench = Bench::new();
    let client = bench.script("client", "echo client \"$@\" >>\"${0%/*}/told\"", &["-v", "{file}"]);
    let platform = bench.with(|options| {
        options.firmware_backend = FirmwareBackend::Swupdate;
        options.firmware_command = client;
    });
    bench.root.file("etc/sw-versions", "kernel  6.6\nrootfs 2.0\n");
    assert_eq!(platform.image_mark().await.unwrap(), "20261101 root /dev/mmcblk0p2 kernel 6.6, rootfs 2.0");
    assert_eq!(platform.flash_firmware(&bench.image(), KEEP).await.unwrap_err().fault_code().0, 9018);
    bench.root.file("image", crate::updater::swupdate_archive("software = { version = \"2.1\"; };"));
    let facts = platform.check_firmware(&bench.image()).await.unwrap();
    assert_eq!(facts, ImageFacts { expects: None, version: Some("2.1".to_owned()) });
    let wipe =
        platform.flash_firmware(&bench.image(), FlashOptions { keep_settings: false }).await.unwrap_err();
    assert_eq!(wipe.to_string(), "SWUpdate does not delete settings with an upgrade");
    assert_eq!(bench.told(), "");
    assert_eq!(platform.flash_firmware(&bench.image(), KEEP).await.unwrap(), Flash::RestartNeeded);
    assert_eq!(bench.told(), format!("client -v {}\n", bench.image().display()));
    let usual = bench.with(|options| {
        options.firmware_backend = FirmwareBackend::Swupdate;
        options.firmware_command = None;
    });
    assert_eq!(usual.download_types(), [Firmware]);
}

#[tokio::test]
async fn an_upgrade_that_keeps_nothing_forgets_the_backup() {
    let root = FakeRoot::pc();
    let options = Options {
        root: root.path().to_owned(),
        sandbox: Some(root.path().join("box")),
        ..Options::default()
    };
    let platform = crate::testing::backend(options, Rc::new(FakeSettings::default()));
    root.file("image", "cwmpd-sandbox-firmware 2.0\n");
    platform.before_download(&cwmp_core::job::DownloadType::Configuration, None).await.unwrap();
    let backup = root.path().join("box/configuration.backup");
    assert!(backup.exists());
    platform.flash_firmware(&root.path().join("image"), FlashOptions { keep_settings: false }).await.unwrap();
    assert!(!backup.exists());
}

use std::{fs, path::PathBuf};

use super::*;
use crate::testing::{Collected, FakeRoot, FakeSettings};

fn options(root: &FakeRoot) -> Options {
    Options { root: root.path().to_owned(), ..Options::default() }
}

fn backend(options: Options) -> GenericLinux {
    crate::testing::backend(options, Rc::new(FakeSettings::default()))
}

fn sandboxed(root: &FakeRoot) -> GenericLinux {
    let must_not_run =
        Some(vec!["/bin/sh".to_owned(), "-c".to_owned(), "exit 9".to_owned(), "{file}".to_owned()]);
    backend(Options {
        sandbox: Some(root.path().join("sandbox")),
        reboot_command: must_not_run.clone(),
        factory_reset_command: must_not_run.clone(),
        firmware_command: must_not_run.clone(),
        config_load_command: must_not_run.clone(),
        config_save_command: must_not_run,
        ..options(root)
    })
}

fn words(line: &[&str]) -> Option<Vec<String>> {
    Some(line.iter().map(|word| (*word).to_owned()).collect())
}

const KEEP: FlashOptions = FlashOptions { keep_settings: true };
const WIPE: FlashOptions = FlashOptions { keep_settings: false };

/// All files below a folder, with their content.
fn snapshot(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => files.extend(snapshot(&path)),
            false => files.push((path.clone(), fs::read(path).unwrap())),
        }
    }
    files.sort();
    files
}

#[tokio::test]
async fn the_sandbox_changes_nothing_outside_its_folder() {
    let (root, elsewhere) = (FakeRoot::pc(), tempfile::tempdir().unwrap());
    let before = snapshot(root.path());
    let (image, config) = (elsewhere.path().join("image"), elsewhere.path().join("config"));
    fs::write(&image, "cwmpd-sandbox-firmware 2.0\n").unwrap();
    fs::write(&config, "a=1\n").unwrap();
    let platform = sandboxed(&root);
    assert_eq!(platform.reboot(RebootCause::Acs).await.unwrap(), Restart::Process);
    assert_eq!(platform.flash_firmware(&image, KEEP).await.unwrap(), Flash::RestartNeeded);
    assert_eq!(platform.load_config(&config, "c").await.unwrap(), LoadConfig::Applied);
    assert!(platform.clock_is_synchronised());
    platform.take_file(&DownloadType::WebContent, &config, "index.html").await.unwrap();
    let mut after = snapshot(root.path());
    after.retain(|(path, _)| !path.starts_with(root.path().join("sandbox")));
    assert_eq!(after, before);
    // The image, the configuration and its backup, the page, the log.
    assert_eq!(snapshot(&root.path().join("sandbox")).len(), 5);
}

#[tokio::test]
async fn an_upgrade_of_the_sandbox_is_seen_after_the_restart() {
    let root = FakeRoot::pc();
    let image = root.path().join("image");
    fs::write(&image, "cwmpd-sandbox-firmware 2.0\n").unwrap();
    let before = sandboxed(&root);
    let version = |facts: DeviceFacts| facts.software_version;
    assert_eq!(version(before.device_facts().await.unwrap()), "20261101");
    before.flash_firmware(&image, KEEP).await.unwrap();
    assert_eq!(version(before.device_facts().await.unwrap()), "20261101", "the old image still runs");
    let after = sandboxed(&root);
    assert_eq!(version(after.device_facts().await.unwrap()), "2.0");
    assert_ne!(before.boot_id().await.unwrap(), after.boot_id().await.unwrap());
}

#[tokio::test]
async fn a_configuration_of_the_sandbox_comes_back_as_it_was_loaded() {
    let root = FakeRoot::pc();
    let platform = sandboxed(&root);
    let (file, copy) = (root.path().join("in"), root.path().join("out"));
    platform.save_config(&copy).await.unwrap();
    assert_eq!(fs::read_to_string(&copy).unwrap(), "");

    fs::write(&file, "# mine\nwan=dhcp\n").unwrap();
    platform.load_config(&file, "c").await.unwrap();
    fs::write(&file, "wan=pppoe\nuser\n").unwrap();
    let refused = platform.load_config(&file, "c").await.unwrap_err();
    assert_eq!(refused.to_string(), "refused: configuration line 2: not of the form key=value");
    platform.save_config(&copy).await.unwrap();
    assert_eq!(fs::read_to_string(&copy).unwrap(), "# mine\nwan=dhcp\n");

    assert!(platform.can_factory_reset());
    assert_eq!(platform.factory_reset().await.unwrap(), FactoryReset::Done);
    assert_eq!(platform.factory_reset().await.unwrap(), FactoryReset::Done);
    platform.save_config(&copy).await.unwrap();
    assert_eq!(fs::read_to_string(&copy).unwrap(), "");
}

#[tokio::test]
async fn an_upgrade_that_keeps_nothing_forgets_the_configuration() {
    let root = FakeRoot::pc();
    let platform = sandboxed(&root);
    let (image, file) = (root.path().join("image"), root.path().join("config"));
    fs::write(&image, "cwmpd-sandbox-firmware 2.0\n").unwrap();
    fs::write(&file, "a=1\n").unwrap();
    platform.load_config(&file, "c").await.unwrap();
    platform.flash_firmware(&image, KEEP).await.unwrap();
    assert!(root.path().join("sandbox/platform.conf").exists());
    platform.flash_firmware(&image, WIPE).await.unwrap();
    assert!(!root.path().join("sandbox/platform.conf").exists());
}

#[tokio::test]
async fn what_no_command_is_set_for_is_not_supported() {
    let root = FakeRoot::pc();
    let platform = backend(options(&root));
    let file = Path::new("/nowhere");
    let errors = [
        platform.flash_firmware(file, KEEP).await.unwrap_err(),
        platform.load_config(file, "c").await.unwrap_err(),
        platform.save_config(file).await.unwrap_err(),
    ];
    assert!(errors.iter().all(|e| matches!(e, PlatformError::Unsupported(_))), "{errors:?}");
    assert_eq!((platform.download_types(), platform.upload_types()), (Vec::new(), Vec::new()));
    assert!(platform.can_factory_reset());
    assert_eq!(platform.factory_reset().await.unwrap(), FactoryReset::Done);
}

#[tokio::test]
async fn a_reboot_takes_the_command_then_sbin_reboot() {
    let root = FakeRoot::pc();
    let missing = backend(options(&root)).reboot(RebootCause::Local).await.unwrap_err().to_string();
    assert!(missing.ends_with("/sbin/reboot is not there: set reboot_command"), "{missing}");

    root.file("sbin/.keep", "");
    std::os::unix::fs::symlink("/bin/false", root.path().join("sbin/reboot")).unwrap();
    let failed = backend(options(&root)).reboot(RebootCause::Acs).await.unwrap_err().to_string();
    assert!(failed.ends_with("/sbin/reboot ended with exit status 1: set reboot_command"), "{failed}");

    let set = Options { reboot_command: words(&["/bin/true"]), ..options(&root) };
    assert_eq!(backend(set).reboot(RebootCause::Acs).await.unwrap(), Restart::Imminent);
}

#[tokio::test]
async fn the_commands_get_the_file_and_say_what_follows() {
    let root = FakeRoot::pc();
    let (from, to) = (root.path().join("a file"), root.path().join("copy"));
    fs::write(&from, "content").unwrap();
    let target = to.display().to_string();
    let platform = backend(Options {
        factory_reset_command: words(&["/bin/true"]),
        factory_reset_restarts: true,
        firmware_command: words(&["/bin/cp", "{file}", &format!("{target}-{{keep_settings}}")]),
        firmware_restarts: true,
        config_load_command: words(&["/bin/cp", "{file}", &target]),
        config_load_needs_restart: true,
        config_save_command: words(&["/bin/cp", &target, "{file}"]),
        ..options(&root)
    });
    assert_eq!(platform.factory_reset().await.unwrap(), FactoryReset::Restarting);
    assert_eq!(platform.flash_firmware(&from, WIPE).await.unwrap(), Flash::Restarting);
    assert_eq!(fs::read_to_string(root.path().join("copy-false")).unwrap(), "content");
    assert_eq!(platform.load_config(&from, "c").await.unwrap(), LoadConfig::RestartNeeded);
    fs::remove_file(&from).unwrap();
    platform.save_config(&from).await.unwrap();
    assert_eq!(fs::read_to_string(&from).unwrap(), "content");
}

#[tokio::test]
async fn a_command_that_cannot_do_what_is_asked_is_not_run() {
    let root = FakeRoot::pc();
    let platform = backend(Options {
        firmware_command: words(&["/bin/true", "{file}"]),
        config_load_command: words(&["/bin/true"]),
        ..options(&root)
    });
    root.file("image", "image");
    let file = &root.path().join("image");
    assert!(platform.flash_firmware(file, KEEP).await.is_ok());
    let wipe = platform.flash_firmware(file, WIPE).await.unwrap_err().to_string();
    assert_eq!(wipe, "firmware_command has no argument with {keep_settings}");
    let load = platform.load_config(file, "c").await.unwrap_err().to_string();
    assert_eq!(load, "config_load_command has no argument with {file}");
}

#[tokio::test]
async fn a_boot_is_known_by_the_id_of_the_kernel() {
    let root = FakeRoot::pc();
    let platform = backend(options(&root));
    assert_eq!(platform.boot_id().await.unwrap(), "6d5a1c5e-0b8a-4c2b-9a55-2f6f0ad1f3b2");
    root.file("proc/sys/kernel/random/boot_id", "\n");
    assert!(platform.boot_id().await.unwrap_err().to_string().contains("random/boot_id"));
}

#[tokio::test]
async fn the_sandbox_is_up_since_the_program_started() {
    let root = FakeRoot::pc();
    for (platform, up) in [(backend(options(&root)), 93_784..93_785), (sandboxed(&root), 0..3600)] {
        let sources = platform.sources();
        let path = "Device.DeviceInfo.UpTime";
        let source = sources.iter().find(|source| source.objects().contains(&"Device.DeviceInfo.")).unwrap();
        let collected = Collected::from(&**source, &[path]).await;
        let seconds: u32 = collected.value(path).unwrap().parse().unwrap();
        assert!(up.contains(&seconds), "{seconds}");
    }
}

#[tokio::test]
async fn no_two_sources_answer_for_one_object() {
    let root = FakeRoot::pc();
    let sources = backend(options(&root)).sources();
    let mut objects: Vec<_> = sources.iter().flat_map(|source| source.objects().to_vec()).collect();
    let all = objects.len();
    objects.sort_unstable();
    objects.dedup();
    assert_eq!(objects.len(), all);
}

#[test]
fn a_box_is_idle_while_its_load_is_low() {
    let root = FakeRoot::new();
    let platform = backend(options(&root));
    assert!(!platform.is_idle(), "nobody knows");
    root.file("proc/loadavg", "0.10 0.90 0.90 1/99 1234\n");
    assert!(platform.is_idle());
    root.file("proc/loadavg", "0.25 0.01 0.01 1/99 1234\n");
    assert!(!platform.is_idle());
}

#[tokio::test]
async fn dhcp_is_asked_by_the_command_that_is_set_and_never_in_a_sandbox() {
    let root = FakeRoot::pc();
    let asked = root.path().join("asked");
    let command = words(&["/bin/sh", "-c", "echo asked >> \"$0\"", asked.to_str().unwrap()]);
    let with = |command| Options { dhcp_renew_command: command, ..options(&root) };
    backend(with(command.clone())).renew_dhcp().await.unwrap();
    assert_eq!(fs::read_to_string(&asked).unwrap(), "asked\n");
    let error = backend(with(None)).renew_dhcp().await.unwrap_err();
    assert!(matches!(error, PlatformError::Unsupported(_)), "{error}");
    assert!(error.to_string().ends_with("no dhcp_renew_command is set"), "{error}");
    let sandboxed = Options { sandbox: Some(root.path().join("sandbox")), ..with(command) };
    assert!(matches!(backend(sandboxed).renew_dhcp().await, Err(PlatformError::Unsupported(_))));
    assert_eq!(fs::read_to_string(&asked).unwrap(), "asked\n");
}

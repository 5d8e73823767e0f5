use std::{fs, os::unix::fs::symlink, rc::Rc};

use cwmp_core::job::DownloadType::{self, Configuration, Firmware, StoredFirmware, Tone, WebContent};
use cwmp_platform::{FlashOptions, LoadConfig, Platform};

use super::*;
use crate::{
    GenericLinux, NamedFile, Options,
    testing::{FakeRoot, FakeSettings, script},
};

fn options(root: &FakeRoot) -> Options {
    Options { root: root.path().to_owned(), ..Options::default() }
}

fn backend(options: Options) -> GenericLinux {
    crate::testing::backend(options, Rc::new(FakeSettings::default()))
}

fn sandboxed(root: &FakeRoot) -> GenericLinux {
    let private_folders = vec![root.path().to_owned()];
    backend(Options { sandbox: Some(root.path().join("box")), private_folders, ..options(root) })
}

fn vendor(text: &str) -> DownloadType {
    DownloadType::Vendor(text.to_owned())
}

fn with(command: Vec<String>, arguments: &[&str]) -> Vec<String> {
    command.into_iter().chain(arguments.iter().map(|word| (*word).to_owned())).collect()
}

fn named(name: &str, path: &str) -> NamedFile {
    NamedFile { name: name.to_owned(), path: path.into() }
}

async fn text(platform: &GenericLinux, file_type: UploadType, into: &Path) -> Result<String, String> {
    platform.make_file(&file_type, into).await.map_err(|e| e.to_string())?;
    Ok(fs::read_to_string(into).unwrap())
}

#[test]
fn what_works_is_offered_and_nothing_else() {
    let root = FakeRoot::pc();
    let bare = backend(options(&root));
    assert_eq!((bare.download_types(), bare.upload_types()), (Vec::new(), Vec::new()));
    let words = || Some(vec!["/bin/true".to_owned(), "{file}".to_owned()]);
    let full = backend(Options {
        firmware_command: words(),
        config_load_command: words(),
        config_save_command: words(),
        log_files: vec![named("messages", "/var/log/messages")],
        download_hooks: vec![(WebContent, words().unwrap()), (vendor("X 00D09E Voice"), words().unwrap())],
        upload_hooks: vec![(UploadType::Vendor("X 00D09E Trace".to_owned()), words().unwrap())],
        ..options(&root)
    });
    assert_eq!(full.download_types(), [Firmware, Configuration, WebContent, vendor("X 00D09E Voice")]);
    let trace = UploadType::Vendor("X 00D09E Trace".to_owned());
    assert_eq!(full.upload_types(), [UploadType::Configuration(None), UploadType::Log(None), trace]);
}

#[tokio::test]
async fn all_that_the_sandbox_offers_it_does() {
    let root = FakeRoot::pc();
    let platform = sandboxed(&root);
    let (file, out) = (root.path().join("file"), root.path().join("out"));
    for file_type in platform.download_types() {
        platform.before_download(&file_type, Some(100)).await.unwrap();
        match file_type {
            Firmware => {
                fs::write(&file, "cwmpd-sandbox-firmware 2.0\n").unwrap();
                platform.flash_firmware(&file, FlashOptions { keep_settings: true }).await.unwrap();
            }
            Configuration => {
                fs::write(&file, "a=1\n").unwrap();
                assert_eq!(platform.load_config(&file, "gold").await.unwrap(), LoadConfig::Applied);
            }
            ref other => platform.take_file(other, &file, "name").await.unwrap(),
        }
        platform.download_over(&file_type).await;
    }
    for (folder, file) in [("web", "name"), ("stored", "name"), ("vendor", "name")] {
        assert!(root.path().join("box").join(folder).join(file).is_file(), "{folder}");
    }
    for file_type in platform.upload_types() {
        platform.make_file(&file_type, &out).await.unwrap();
    }
    assert_eq!(text(&platform, UploadType::Configuration(Some(17)), &out).await.unwrap(), "a=1\n");
    let log = text(&platform, UploadType::Log(Some(1)), &out).await.unwrap();
    assert!(log.contains("firmware: image 2.0") && log.contains("configuration: loaded"), "{log}");
    for missing in
        [UploadType::Configuration(Some(1)), UploadType::Log(Some(2)), UploadType::Log(Some(u32::MAX))]
    {
        let refused = platform.make_file(&missing, &out).await;
        assert!(matches!(refused, Err(PlatformError::Unsupported(_))), "{missing:?}: {refused:?}");
    }
    let refused = platform.take_file(&Tone, &file, "x").await;
    assert!(matches!(refused, Err(PlatformError::Unsupported(_))), "{refused:?}");
}

/// Conformance: 7.16
#[tokio::test]
async fn a_target_file_name_never_leaves_its_folder() {
    let root = FakeRoot::pc();
    let (sandbox, file) = (sandboxed(&root), root.path().join("file"));
    fs::write(&file, "page").unwrap();
    let hook = script(&root, "hook", "touch \"$0.ran\"");
    let hooks = vec![(WebContent, with(hook, &["{file}", "{name}"]))];
    let box_ = backend(Options { download_hooks: hooks, ..options(&root) });
    for name in ["../../etc/x", "..", "/etc/passwd", "a/../../b", "--help", "a\nb"] {
        for platform in [&sandbox, &box_] {
            let refused = platform.take_file(&WebContent, &file, name).await;
            assert!(matches!(refused, Err(PlatformError::Refused(_))), "{name}: {refused:?}");
        }
    }
    assert!(!root.path().join("hook.ran").exists() && !root.path().join("box").exists());
    box_.take_file(&WebContent, &file, "a b;$(reboot)").await.unwrap();
    assert!(root.path().join("hook.ran").exists());
    let nameless = box_.take_file(&WebContent, &file, "").await.unwrap_err().to_string();
    assert_eq!(nameless, "refused: this file type needs a TargetFileName");
}

#[tokio::test]
async fn a_hook_gets_file_and_name_as_they_are() {
    let root = FakeRoot::pc();
    let hook = script(&root, "hook", "printf '%s|' \"$@\" >\"$0.told\"");
    let hooks = vec![(vendor("X 00D09E Voice"), with(hook, &["{name}", "--in={file}"]))];
    let platform = backend(Options { download_hooks: hooks, ..options(&root) });
    let name = "a b;$(x) {file}";
    platform.take_file(&vendor("X 00D09E Voice"), Path::new("/the file"), name).await.unwrap();
    let told = fs::read_to_string(root.path().join("hook.told")).unwrap();
    assert_eq!(told, "a b;$(x) {file}|--in=/the file|");
    let other = platform.take_file(&StoredFirmware, Path::new("/the file"), name).await;
    assert!(matches!(other, Err(PlatformError::Unsupported(_))), "{other:?}");
}

#[tokio::test]
async fn uploads_come_from_commands_and_named_files() {
    let root = FakeRoot::pc();
    let out = root.path().join("out");
    root.file("etc/network", "lan=1\n");
    root.file("var/log/long", [vec![b'x'; 2 * LOG_BYTES], b"end".to_vec()].concat());
    let trace = UploadType::Vendor("X 00D09E Trace".to_owned());
    let platform = backend(Options {
        config_files: vec![named("network", "/etc/network")],
        log_files: vec![named("long", "/var/log/long")],
        log_command: Some(with(script(&root, "log", "echo from the ring"), &[])),
        upload_hooks: vec![(trace.clone(), with(script(&root, "trace", "echo trace >\"$1\""), &["{file}"]))],
        ..options(&root)
    });
    assert_eq!(text(&platform, UploadType::Configuration(None), &out).await.unwrap(), "lan=1\n");
    assert_eq!(text(&platform, UploadType::Configuration(Some(1)), &out).await.unwrap(), "lan=1\n");
    assert_eq!(text(&platform, UploadType::Log(None), &out).await.unwrap(), "from the ring\n");
    let long = text(&platform, UploadType::Log(Some(1)), &out).await.unwrap();
    assert_eq!((long.len(), long.ends_with("xend")), (LOG_BYTES, true), "the end of it");
    assert_eq!(text(&platform, trace, &out).await.unwrap(), "trace\n");
}

/// Conformance: 13.09
#[tokio::test]
async fn no_key_of_the_agent_is_uploaded() {
    let root = FakeRoot::pc();
    let out = root.path().join("out");
    root.file("etc/cwmpd/user.ini", "Password = secret");
    root.file("var/log/key", "begin\n-----BEGIN EC PRIVATE KEY-----\nMHc\n");
    root.file("var/log/good", "line");
    let link = root.path().join("var/log/link");
    symlink(root.path().join("etc/cwmpd/user.ini"), &link).unwrap();
    let platform = backend(Options {
        private_folders: vec![root.path().join("etc/cwmpd")],
        config_files: vec![named("user", "/etc/cwmpd/user.ini"), named("up", "/var/../etc/cwmpd/user.ini")],
        log_files: ["link", "key", "good"].map(|name| named(name, &format!("/var/log/{name}"))).to_vec(),
        ..options(&root)
    });
    for refused in [
        UploadType::Configuration(None),
        UploadType::Configuration(Some(1)),
        UploadType::Configuration(Some(2)),
        UploadType::Log(None),
        UploadType::Log(Some(1)),
        UploadType::Log(Some(2)),
    ] {
        let error = platform.make_file(&refused, &out).await;
        assert!(matches!(error, Err(PlatformError::Refused(_))), "{refused:?}: {error:?}");
        assert!(!out.exists());
    }
    assert_eq!(text(&platform, UploadType::Log(Some(3)), &out).await.unwrap(), "line");
}

/// Conformance: 7.22
#[tokio::test]
async fn an_uploaded_configuration_brings_the_box_back() {
    let root = FakeRoot::pc();
    let (platform, file) = (sandboxed(&root), root.path().join("file"));
    let (kept, out) = (root.path().join("kept"), root.path().join("out"));
    fs::write(&file, "wan=dhcp\nlan=1\n").unwrap();
    platform.load_config(&file, "first").await.unwrap();
    platform.make_file(&UploadType::Configuration(None), &kept).await.unwrap();
    fs::write(&file, "wan=pppoe\n").unwrap();
    platform.load_config(&file, "second").await.unwrap();
    platform.load_config(&kept, "back").await.unwrap();
    assert_eq!(text(&platform, UploadType::Configuration(None), &out).await.unwrap(), "wan=dhcp\nlan=1\n");
}

/// A router whose load command writes the file to `present` and fails half-way on those with `bad` in them.
fn fragile(root: &FakeRoot) -> Options {
    root.file("present", "old");
    let load = "if grep -q bad \"$1\"; then echo half >\"${0%/*}/present\"; echo parse error >&2; exit 1; fi
if grep -q foreign \"$1\"; then exit 65; fi
cp \"$1\" \"${0%/*}/present\"";
    Options {
        config_load_command: Some(with(script(root, "load", load), &["{file}"])),
        config_save_command: Some(with(script(root, "save", "cp \"${0%/*}/present\" \"$1\""), &["{file}"])),
        backup_folder: Some(root.path().join("state/backup")),
        ..options(root)
    }
}

#[tokio::test]
async fn a_load_that_fails_half_way_brings_the_former_configuration_back() {
    use std::os::unix::fs::PermissionsExt;
    let root = FakeRoot::pc();
    let platform = backend(fragile(&root));
    let (file, present) = (root.path().join("file"), root.path().join("present"));
    let read = || fs::read_to_string(&present).unwrap();

    platform.before_download(&Configuration, Some(3)).await.unwrap();
    let backup = root.path().join("state/backup/configuration.backup");
    assert_eq!(fs::read_to_string(&backup).unwrap(), "old");
    assert_eq!(fs::metadata(&backup).unwrap().permissions().mode() & 0o777, 0o600);

    // Somebody has changed the box while the file was fetched.
    fs::write(&present, "newer").unwrap();
    fs::write(&file, "bad").unwrap();
    let error = platform.load_config(&file, "x").await.unwrap_err().to_string();
    assert!(error.contains("parse error; the former configuration was loaded again"), "{error}");
    assert_eq!(read(), "newer");

    fs::write(&file, "foreign").unwrap();
    assert!(matches!(platform.load_config(&file, "x").await, Err(PlatformError::Refused(_))));
    assert_eq!(read(), "newer");
    fs::write(&file, "fine").unwrap();
    assert_eq!(platform.load_config(&file, "x").await.unwrap(), LoadConfig::Applied);
    assert_eq!(read(), "fine");

    platform.factory_reset().await.unwrap();
    assert!(!backup.exists(), "a factory reset forgets the passwords in the backup");
}

#[tokio::test]
async fn a_sandbox_drops_no_caches_of_the_machine() {
    let root = FakeRoot::pc();
    root.file("proc/sys/vm/drop_caches", "0\n");
    root.file("proc/meminfo", "MemAvailable: 100 kB\n");
    let short = sandboxed(&root).before_download(&Firmware, None).await;
    assert!(matches!(short, Err(PlatformError::NoRoom(_))), "{short:?}");
    assert_eq!(fs::read_to_string(root.path().join("proc/sys/vm/drop_caches")).unwrap(), "0\n");
}

#[tokio::test]
async fn nothing_is_loaded_that_could_not_be_taken_back() {
    let root = FakeRoot::pc();
    let (file, present) = (root.path().join("file"), root.path().join("present"));
    fs::write(&file, "fine").unwrap();
    let save = Some(with(script(&root, "no-save", "exit 1"), &["{file}"]));
    let platform = backend(Options { config_save_command: save, ..fragile(&root) });
    for error in [
        platform.before_download(&Configuration, None).await.unwrap_err(),
        platform.load_config(&file, "x").await.unwrap_err(),
    ] {
        assert!(error.to_string().starts_with("the present configuration cannot be backed up"), "{error}");
    }
    assert_eq!(fs::read_to_string(&present).unwrap(), "old");

    let platform = backend(Options { config_save_command: None, ..fragile(&root) });
    fs::write(&file, "bad").unwrap();
    let error = platform.load_config(&file, "x").await.unwrap_err().to_string();
    assert!(error.contains("part of it may be in force"), "{error}");
}

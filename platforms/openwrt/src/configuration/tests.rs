use std::process::Command;

use cwmp_core::job::UploadType;

use super::*;
use crate::testing::Fake;

/// A box with files that sysupgrade keeps; those of the agent are among them.
fn ready() -> Fake {
    let fake = Fake::with_options(|options| {
        options.private = vec!["/etc/cwmpd".into(), "/etc/config/cwmpd".into()];
    });
    for (name, text) in [
        ("etc/config/network", "config interface 'lan'\n"),
        ("etc/config/cwmpd", "secret"),
        ("etc/cwmpd/user.ini", "secret"),
        ("etc/passwd", "root:x:0:0::/root:/bin/ash\n"),
    ] {
        fake.root.file(name, text);
    }
    fake.program(
        "sbin/sysupgrade",
        "#!/bin/sh\n[ \"$1\" = -l ] || exit 1\n\
         printf '/etc/config/network\\n/etc/config/cwmpd\\n/etc/cwmpd/user.ini\\n/etc/passwd\\n/etc/gone\\n/srv/x\\n'\n",
    );
    fake.borrow("/bin/tar", "bin/tar");
    fake
}

fn path(fake: &Fake, name: &str) -> PathBuf {
    fake.root.path().join(name)
}

fn text(fake: &Fake, name: &str) -> String {
    fs::read_to_string(path(fake, name)).unwrap_or_default()
}

/// An archive of files that lie below a folder.
fn archive(fake: &Fake, fill: impl FnOnce(&Path)) -> PathBuf {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path());
    let file = path(fake, "tmp/config.tar.gz");
    let packed =
        Command::new("/bin/tar").arg("-C").arg(folder.path()).arg("-czf").arg(&file).arg(".").status();
    assert!(packed.unwrap().success());
    file
}

fn put(folder: &Path, name: &str, text: &str) {
    fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
    fs::write(folder.join(name), text).unwrap();
}

#[tokio::test]
async fn what_is_saved_can_be_loaded_and_holds_nothing_of_the_agent() {
    let fake = ready();
    let file = path(&fake, "tmp/saved.tar.gz");
    fake.ground.make_file(&UploadType::Configuration(None), &file).await.unwrap();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let listed = Command::new("/bin/tar").arg("-tzf").arg(&file).output().unwrap();
    assert_eq!(String::from_utf8(listed.stdout).unwrap(), "etc/config/network\netc/passwd\n");
    fake.root.file("etc/config/network", "changed");
    fake.root.file("etc/config/cwmpd", "own");
    assert_eq!(fake.ground.load(&file).await.unwrap(), LoadConfig::RestartNeeded);
    assert_eq!(text(&fake, "etc/config/network"), "config interface 'lan'\n");
    assert_eq!(text(&fake, "etc/config/cwmpd"), "own");
    let left: Vec<_> =
        fs::read_dir(path(&fake, "tmp")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("unpacked")), "{left:?}");
}

#[tokio::test]
async fn an_archive_never_reaches_the_files_of_the_agent() {
    let fake = ready();
    let file = archive(&fake, |folder| {
        put(folder, "etc/config/cwmpd", "evil");
        put(folder, "etc/cwmpd/user.ini", "evil");
        put(folder, "etc/config/network", "new");
    });
    fake.ground.load(&file).await.unwrap();
    assert_eq!(
        (text(&fake, "etc/config/cwmpd"), text(&fake, "etc/cwmpd/user.ini")),
        ("secret".into(), "secret".into())
    );
    assert_eq!(text(&fake, "etc/config/network"), "new");
}

#[tokio::test]
async fn what_is_no_configuration_changes_nothing() {
    let fake = ready();
    let refused = async |file: &Path| match fake.ground.load(file).await {
        Err(PlatformError::Refused(why)) => why,
        other => panic!("{other:?}"),
    };
    let link = archive(&fake, |folder| {
        put(folder, "etc/config/network", "new");
        std::os::unix::fs::symlink("/root", folder.join("etc/link")).unwrap();
    });
    assert!(refused(&link).await.ends_with("etc/link: neither a file nor a folder"));
    let outside = archive(&fake, |folder| {
        put(folder, "etc/config/network", "new");
        put(folder, "usr/sbin/evil", "x");
    });
    assert!(refused(&outside).await.contains("below etc and nothing else"));
    let empty = archive(&fake, |folder| fs::create_dir(folder.join("etc")).unwrap());
    assert!(refused(&empty).await.contains("no file"));
    fs::write(path(&fake, "tmp/text"), "no archive").unwrap();
    refused(&path(&fake, "tmp/text")).await;
    assert_eq!(text(&fake, "etc/config/network"), "config interface 'lan'\n");
}

#[tokio::test]
async fn a_load_that_fails_half_way_puts_the_files_back() {
    let fake = ready();
    // A folder stands where the second file is to go.
    fake.root.file("etc/zzz/file", "");
    let file = archive(&fake, |folder| {
        put(folder, "etc/config/network", "new");
        put(folder, "etc/config/fresh", "new");
        put(folder, "etc/zzz", "x");
    });
    let error = fake.ground.load(&file).await.unwrap_err();
    assert!(
        matches!(&error, PlatformError::Failed(why) if why.ends_with("the former configuration is in force")),
        "{error}"
    );
    assert_eq!(text(&fake, "etc/config/network"), "config interface 'lan'\n");
    assert!(!path(&fake, "etc/config/fresh").exists());
}

#[tokio::test]
async fn the_end_of_the_log_is_uploaded() {
    let fake = ready();
    assert_eq!(fake.ground.upload_types(), [UploadType::Configuration(None)]);
    fake.program("sbin/logread", "#!/bin/sh\necho 'one line of the log'\n");
    assert_eq!(fake.ground.upload_types(), [UploadType::Configuration(None), UploadType::Log(None)]);
    let file = path(&fake, "tmp/log");
    fake.ground.make_file(&UploadType::Log(Some(1)), &file).await.unwrap();
    assert_eq!(text(&fake, "tmp/log"), "one line of the log\n");
    assert!(fake.ground.make_file(&UploadType::Log(Some(2)), &file).await.is_err());
}

use cwmp_platform::Platform;

use super::*;
use crate::{
    GenericLinux, Options,
    testing::{Collected, FakeRoot, FakeSettings, assert_fits_the_model, script},
};

const TABLE: &str = "Device.DeviceInfo.VendorConfigFile.";

/// A router that loads and saves with `cp`, and has a file and two logs with names.
fn options(root: &FakeRoot) -> Options {
    let present = root.path().join("present").display().to_string();
    root.file("etc/network", "# version: 7\nlan=1\n");
    root.file("var/log/messages", "line\n");
    let words = |line: &[&str]| Some(line.iter().map(|word| (*word).to_owned()).collect());
    let named = |name: &str, path: &str| NamedFile { name: name.to_owned(), path: path.into() };
    Options {
        root: root.path().to_owned(),
        trust_clock: true,
        config_load_command: words(&["/bin/cp", "{file}", &present]),
        config_save_command: words(&["/bin/cp", &present, "{file}"]),
        config_files: vec![named("network", "/etc/network")],
        log_files: vec![named("messages", "/var/log/messages"), named("missing", "/var/log/none")],
        ..Options::default()
    }
}

async fn rows(platform: &GenericLinux, table: &str) -> Collected {
    let sources = platform.sources();
    let source = sources.iter().find(|source| source.name() == "linux-vendor-files").unwrap();
    assert_fits_the_model(&**source).await;
    Collected::from(&**source, &[table]).await
}

fn row(collected: &Collected, number: u32) -> Option<[String; 3]> {
    let value = |name: &str| collected.value(&format!("{TABLE}{number}.{name}")).map(str::to_owned);
    Some([value("Name")?, value("Version")?, value("UseForBackupRestore")?])
}

/// Conformance: 7.23
#[tokio::test]
async fn a_download_is_shown_with_name_version_and_date() {
    let root = FakeRoot::pc();
    let settings = Rc::new(FakeSettings::default());
    let platform = crate::testing::backend(options(&root), Rc::clone(&settings) as _);
    root.file("file", "Version = \"1.2\"\nlan=2\n");
    let file = root.path().join("file");
    let before = rows(&platform, TABLE).await;
    assert_eq!(row(&before, 1).unwrap(), ["network", "7", "false"]);
    assert_eq!(before.value(&format!("{TABLE}17.Name")), None);

    root.file("present", "old");
    platform.load_config(&file, "gold.conf").await.unwrap();
    let after = rows(&platform, TABLE).await;
    assert_eq!(row(&after, 17).unwrap(), ["gold.conf", "1.2", "true"]);
    let date = after.value(&format!("{TABLE}17.Date")).unwrap().to_owned();
    assert!(matches!(DateTime::parse(&date), Ok(DateTime::At(_))), "{date}");

    // The same name again is the same row; another one is another row; a restart changes nothing.
    root.file("file", "version:1.3\n");
    platform.load_config(&file, "gold.conf").await.unwrap();
    platform.load_config(&file, "").await.unwrap();
    let again = crate::testing::backend(options(&root), settings);
    let later = rows(&again, TABLE).await;
    assert_eq!(row(&later, 17).unwrap(), ["gold.conf", "1.3", "true"]);
    assert_eq!(row(&later, 18).unwrap(), ["configuration", "1.3", "true"]);
    assert_eq!(row(&later, 19), None);
}

#[tokio::test]
async fn a_configuration_that_was_not_loaded_is_not_shown() {
    let root = FakeRoot::pc();
    let refuse = script(&root, "refuse", "exit 65");
    let load = [refuse, vec!["{file}".to_owned()]].concat();
    let options = Options { config_load_command: Some(load), ..options(&root) };
    let platform = crate::testing::backend(options, Rc::new(FakeSettings::default()));
    root.file("file", "x");
    root.file("present", "old");
    assert!(platform.load_config(&root.path().join("file"), "gold.conf").await.is_err());
    assert_eq!(row(&rows(&platform, TABLE).await, 17), None);
}

#[tokio::test]
async fn the_table_of_downloads_does_not_grow_without_end() {
    let root = FakeRoot::pc();
    let shared = Shared::new(options(&root), Rc::new(FakeSettings::default()));
    for number in 0..=DOWNLOADS {
        let name = format!("file {number}");
        shared.record(Path::new("/nowhere"), &name).await;
        // Later than the one before it, without waiting for the clock.
        let row = shared.records().iter().find(|record| record.name == name).unwrap().row;
        let date = format!("2026-01-01T00:00:{number:02}Z");
        shared.settings.set(&[(&format!("{SECTION}.{row}"), "Date", &date)]).unwrap();
    }
    let records = shared.records();
    assert_eq!(records.len(), usize::try_from(DOWNLOADS).unwrap());
    assert!(!records.iter().any(|record| record.name == "file 0"), "the oldest has given way");
}

#[tokio::test]
async fn logs_are_rows_by_the_order_of_their_names() {
    let root = FakeRoot::pc();
    let platform = crate::testing::backend(options(&root), Rc::new(FakeSettings::default()));
    let logs = rows(&platform, "Device.DeviceInfo.VendorLogFile.").await;
    let value = |path: &str| logs.value(&format!("Device.DeviceInfo.VendorLogFile.{path}"));
    assert_eq!((value("1.Name"), value("1.MaximumSize")), (Some("messages"), Some("0")));
    assert_eq!((value("2.Name"), value("3.Name")), (Some("missing"), None));
}

#[test]
fn the_version_of_a_configuration_is_found_where_it_tells_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    for (text, expected) in [
        ("# Version: 3.1\n", Some("3.1")),
        ("a=1\nversion = 'x y'\n", Some("x y")),
        ("{\n  \"version\": \"2\",\n", Some("2")),
        ("// VERSION=12345678901234567890", Some("1234567890123456")),
        ("conversion = 3\nversion\nversion =\n", None),
        ("", None),
    ] {
        std::fs::write(&path, text).unwrap();
        assert_eq!(version(&path).as_deref(), expected, "{text}");
    }
    std::fs::write(&path, [vec![b'\n'; 5000], b"version=1".to_vec()].concat()).unwrap();
    assert_eq!(version(&path), None, "only the start is looked at");
}

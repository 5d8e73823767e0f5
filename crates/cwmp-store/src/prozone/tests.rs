use std::fs;

use tempfile::TempDir;

use super::*;

const OFFSET: u64 = 100;
const SIZE: u32 = 1024;

fn keys(keys: &[&str]) -> Vec<CommandKey> {
    keys.iter().map(|key| CommandKey::new(*key).unwrap()).collect()
}

fn copy(boot_id: &str, of: &[&str]) -> ProzoneCopy {
    ProzoneCopy { boot_id: boot_id.to_owned(), keys: keys(of) }
}

/// Memory with what some boot has left in it.
fn memory() -> (TempDir, PathBuf, MemoryZone) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("phram");
    fs::write(&path, vec![0xff; 2000]).unwrap();
    let zone = MemoryZone::new(path.clone(), OFFSET, SIZE);
    (dir, path, zone)
}

#[test]
fn the_checksum_is_the_one_of_zlib() {
    assert_eq!(crc32(&[b"123456789"]), 0xcbf4_3926);
    assert_eq!(crc32(&[b"1234", b"", b"56789"]), 0xcbf4_3926);
}

#[test]
fn memory_keeps_the_newest_keys_within_its_area() {
    let (_dir, path, zone) = memory();
    assert_eq!(zone.take(), Ok(None));
    for number in 0..5 {
        let key = number.to_string();
        zone.store(&keys(&["first", &key]), "b1").unwrap();
        assert_eq!(zone.take(), Ok(Some(copy("b1", &["first", &key]))));
    }
    let bytes = fs::read(&path).unwrap();
    assert!(bytes[..100].iter().chain(&bytes[1124..]).all(|byte| *byte == 0xff), "nothing beside the area");
    zone.store(&keys(&["first", "4"]), "b1").unwrap();
    assert_eq!(fs::read(&path).unwrap(), bytes, "what is there is not written again");
    zone.clear().unwrap();
    assert_eq!(zone.take(), Ok(None));
    zone.store(&keys(&["later"]), "b2").unwrap();
    assert_eq!(zone.take(), Ok(Some(copy("b2", &["later"]))));
}

#[test]
fn where_the_newest_copy_is_damaged_the_one_before_serves() {
    let (_dir, path, zone) = memory();
    zone.store(&keys(&["old"]), "b1").unwrap();
    zone.store(&keys(&["new"]), "b1").unwrap();
    let whole = fs::read(&path).unwrap();
    let start = 100 + 512;
    let length = 24 + serde_json::to_vec(&copy("b1", &["new"])).unwrap().len();
    for at in start..start + length {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        fs::write(&path, &damaged).unwrap();
        assert_eq!(zone.take(), Ok(Some(copy("b1", &["old"]))), "byte {at}");
        zone.store(&keys(&["next"]), "b1").unwrap();
        assert_eq!(zone.take(), Ok(Some(copy("b1", &["next"]))), "byte {at}");
    }
    // A write that stopped half way, at any byte.
    for length in 0..length {
        let mut torn = whole.clone();
        torn[start..start + length].copy_from_slice(&whole[100..100 + length]);
        torn[start + length..].fill(0);
        fs::write(&path, &torn).unwrap();
        assert_eq!(zone.take(), Ok(Some(copy("b1", &["old"]))), "{length} bytes");
    }
}

#[test]
fn a_cleared_copy_does_not_come_back_though_the_clearing_stopped_half_way() {
    let (_dir, path, zone) = memory();
    zone.store(&keys(&["old"]), "b1").unwrap();
    zone.store(&keys(&["new"]), "b1").unwrap();
    let mut bytes = fs::read(&path).unwrap();
    // The older half goes first.
    bytes[100..124].fill(0);
    fs::write(&path, &bytes).unwrap();
    assert_eq!(zone.take(), Ok(Some(copy("b1", &["new"]))));
    zone.clear().unwrap();
    assert_eq!(zone.take(), Ok(None));
}

#[test]
fn the_sequence_may_begin_anew() {
    let (_dir, path, zone) = memory();
    let mut bytes = fs::read(&path).unwrap();
    let content = |key: &str| copy("b1", &[key]).encode(&path).unwrap();
    for (start, sequence, key) in [(100, u32::MAX, "last"), (612, 0, "first of the next round")] {
        let record = memory::build(sequence, &content(key));
        bytes[start..start + record.len()].copy_from_slice(&record);
    }
    fs::write(&path, &bytes).unwrap();
    assert_eq!(zone.take(), Ok(Some(copy("b1", &["first of the next round"]))));
}

#[test]
fn memory_that_is_absent_or_too_small_is_an_error_that_names_it() {
    let (dir, path, zone) = memory();
    let many = ["a key of thirty-two characters ."; 20];
    let error = zone.store(&keys(&many), "b1").unwrap_err().to_string();
    assert!(error.contains("phram") && error.contains("raise prozone_size"), "{error}");
    let beyond = MemoryZone::new(path, 1500, SIZE);
    assert!(beyond.take().unwrap_err().reason.contains("smaller than"));
    assert!(beyond.store(&keys(&["k"]), "b1").is_err());
    let absent = MemoryZone::new(dir.path().join("absent"), 0, SIZE);
    assert!(absent.take().is_err() && absent.clear().is_err() && absent.store(&keys(&["k"]), "b").is_err());
    assert!(!dir.path().join("absent").exists());
}

/// A pmsg device and the folder of pstore, played by files.
struct Pstore {
    dir: TempDir,
    zone: PstoreZone,
}

impl Pstore {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("pstore")).unwrap();
        fs::write(dir.path().join("pmsg0"), "").unwrap();
        let zone = PstoreZone::new(dir.path().join("pmsg0"), dir.path().join("pstore"));
        Self { dir, zone }
    }

    /// A warm reboot: what was written is found in the folder, the device is empty.
    fn reboot(&self, damage: impl FnOnce(Vec<u8>) -> Vec<u8>) {
        let device = self.dir.path().join("pmsg0");
        let content = damage(fs::read(&device).unwrap());
        fs::write(self.dir.path().join("pstore/pmsg-ramoops-0"), content).unwrap();
        fs::write(device, "").unwrap();
    }
}

#[test]
fn pstore_gives_the_last_keys_after_the_reboot_and_not_before() {
    let pstore = Pstore::new();
    pstore.zone.store(&keys(&["old"]), "b1").unwrap();
    pstore.zone.store(&keys(&["new \n \"key\""]), "b1").unwrap();
    assert_eq!(pstore.zone.take(), Ok(None));
    pstore.reboot(|content| [b"others write here \xff\xfe".as_slice(), &content, b"and more"].concat());
    fs::write(pstore.dir.path().join("pstore/dmesg-ramoops-0"), "cwmpd-prozone 1 00000000 {}").unwrap();
    assert_eq!(pstore.zone.take(), Ok(Some(copy("b1", &["new \n \"key\""]))));
    pstore.reboot(|content| content);
    assert_eq!(pstore.zone.take(), Ok(None), "the boot after it has written nothing");
}

#[test]
fn pstore_says_when_there_are_no_keys_any_more() {
    let pstore = Pstore::new();
    pstore.zone.store(&keys(&["k"]), "b1").unwrap();
    pstore.zone.clear().unwrap();
    pstore.reboot(|content| content);
    assert_eq!(pstore.zone.take(), Ok(None));
}

#[test]
fn a_damaged_line_of_pstore_does_not_count() {
    let length = {
        let pstore = Pstore::new();
        pstore.zone.store(&keys(&["key"]), "b1").unwrap();
        fs::read(pstore.dir.path().join("pmsg0")).unwrap().len()
    };
    // The line breaks at both ends are not part of it.
    for at in 1..length - 1 {
        let pstore = Pstore::new();
        pstore.zone.store(&keys(&["key"]), "b1").unwrap();
        pstore.reboot(|mut content| {
            content[at] ^= 0x01;
            content
        });
        assert_eq!(pstore.zone.take(), Ok(None), "byte {at}");
    }
}

#[test]
fn pstore_that_is_absent_is_an_error_that_names_it() {
    let zone = PstoreZone::new("/absent/pmsg0".into(), "/absent/pstore".into());
    assert!(zone.take().unwrap_err().to_string().starts_with("prozone /absent/pstore: "));
    assert!(zone.store(&keys(&["k"]), "b").unwrap_err().to_string().starts_with("prozone /absent/pmsg0: "));
}

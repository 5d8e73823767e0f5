use std::{fs::File, io::Read, os::unix::fs::symlink, sync::Barrier, thread, time::Instant};

use nix::fcntl::{Flock, FlockArg};

use super::*;
use crate::replace::tests::Recorded;

const LAN: &str = "\nconfig interface 'lan'\n\toption mtu '1500'\n\n";

struct Home {
    dir: tempfile::TempDir,
    uci: Uci,
}

impl Home {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("config")).unwrap();
        let overrides = Some(dir.path().join("run"));
        let uci = Uci::new(UciOptions { config: dir.path().join("config"), overrides });
        let home = Self { dir, uci };
        fs::write(home.path("config/network"), LAN).unwrap();
        home
    }

    fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    fn read(&self, below: &str) -> String {
        fs::read_to_string(self.path(below)).unwrap()
    }
}

fn mtu(value: impl ToString) -> Edit {
    set("mtu", value)
}

fn set(option: &str, value: impl ToString) -> Edit {
    Edit::Set { section: "lan".into(), option: option.into(), value: value.to_string() }
}

#[test]
fn a_commit_gives_both_images_and_restoring_puts_the_first_one_back() {
    let home = Home::new();
    let committed = home.uci.commit("network", &[mtu(1400)]).unwrap();
    assert_eq!(
        (committed.before.as_slice(), &committed.file),
        (LAN.as_bytes(), &home.path("config/network"))
    );
    assert!(committed.changed() && committed.after == home.read("config/network").as_bytes());
    assert_eq!(home.uci.load("network").unwrap().section("lan").unwrap().get("mtu"), Some("1400"));
    let restored = home.uci.restore("network", &committed.before).unwrap();
    assert_eq!((restored.before, home.read("config/network").as_str()), (committed.after, LAN));
    fs::remove_file(home.path("config/network")).unwrap();
    home.uci.restore("network", LAN.as_bytes()).unwrap();
    assert_eq!(home.read("config/network"), LAN);
}

#[test]
fn one_edit_that_cannot_be_made_leaves_the_file_as_it_was() {
    let home = Home::new();
    let error = home.uci.commit("network", &[mtu(1), Edit::DeleteSection { section: "wan".into() }]);
    assert!(matches!(error, Err(UciError::Refused { target, .. }) if target == "network.wan"));
    assert_eq!(home.read("config/network"), LAN);
}

#[test]
fn edits_can_depend_on_what_is_there_under_the_lock() {
    let home = Home::new();
    let longer = |package: &Package| {
        let old = package.section("lan").and_then(|lan| lan.get("mtu")).unwrap_or_default();
        vec![mtu(format!("{old}0"))]
    };
    let committed = home.uci.commit_with("network", longer).unwrap();
    assert_eq!(home.uci.content("network").unwrap(), committed.after);
    assert_eq!(home.uci.load("network").unwrap().section("lan").unwrap().get("mtu"), Some("15000"));
    fs::write(home.path("config/network"), "config 'open").unwrap();
    assert_eq!(home.uci.content("network").unwrap(), b"config 'open", "whatever it is");
    assert!(matches!(home.uci.commit_with("network", longer), Err(UciError::Syntax { .. })));
}

#[test]
fn what_changes_nothing_writes_nothing() {
    let home = Home::new();
    // A form that libuci would not write stays as well.
    fs::write(home.path("config/network"), "# by hand\nconfig interface lan\noption mtu 1500\n").unwrap();
    let before = FileId::of(&home.path("config/network"));
    let edits = [mtu(1), mtu(1500), Edit::Unset { section: "lan".into(), option: "none".into() }];
    let disk = Arc::new(Recorded::new(None));
    let uci = Uci { disk: disk.clone(), ..home.uci.clone() };
    let committed = uci.commit("network", &edits).unwrap();
    assert!(!committed.changed() && FileId::of(&home.path("config/network")) == before);
    uci.restore("network", &committed.before).unwrap();
    assert_eq!(FileId::of(&home.path("config/network")), before);
    // Yet it is promised that it is there: somebody else may have left it in the memory of the kernel alone.
    let synced = ["sync network", "sync folder config"];
    assert_eq!(*disk.done.lock().unwrap(), [synced, synced].concat());
}

#[test]
fn a_file_of_the_overrides_takes_the_place_of_the_other_for_reading_and_writing() {
    let home = Home::new();
    fs::create_dir(home.path("run")).unwrap();
    fs::write(home.path("run/network"), LAN.replace("1500", "9000")).unwrap();
    fs::write(home.path("run/extra"), "").unwrap();
    assert_eq!(home.uci.load("network").unwrap().section("lan").unwrap().get("mtu"), Some("9000"));
    let committed = home.uci.commit("network", &[mtu(1400)]).unwrap();
    assert_eq!(committed.file, home.path("run/network"));
    assert!(home.read("run/network").contains("1400") && home.read("config/network") == LAN);
    assert_eq!(home.uci.packages(), ["extra", "network"]);
    fs::remove_file(home.path("run/network")).unwrap();
    home.uci.commit("network", &[mtu(1300)]).unwrap();
    assert!(home.read("config/network").contains("1300"));
}

#[test]
fn what_was_replaced_in_the_overrides_is_put_back_there_or_nowhere() {
    let home = Home::new();
    fs::create_dir(home.path("run")).unwrap();
    fs::write(home.path("run/network"), LAN.replace("1500", "9000")).unwrap();
    let committed = home.uci.commit("network", &[mtu(1400)]).unwrap();
    let put_back = || home.uci.restore_file(&committed.file, &committed.before).unwrap();
    assert!(put_back().is_some_and(|restored| restored.before == committed.after));
    assert!(home.read("run/network").contains("9000"));
    fs::remove_dir_all(home.path("run")).unwrap();
    assert_eq!(put_back(), None);
    assert_eq!(home.read("config/network"), LAN);
    let committed = home.uci.commit("network", &[mtu(1400)]).unwrap();
    home.uci.restore_file(&committed.file, &committed.before).unwrap();
    assert_eq!(home.read("config/network"), LAN);
    for file in ["elsewhere/network", "config/a.b", "config/../network"] {
        assert!(
            matches!(home.uci.restore_file(&home.path(file), b""), Err(UciError::Refused { .. })),
            "{file}"
        );
    }
}

#[test]
fn packages_are_files_with_a_name_that_libuci_takes() {
    let home = Home::new();
    fs::create_dir(home.path("config/folder")).unwrap();
    for name in [".network.uci-a1b2c3", "network.apk-new", "my-app_2", "nam e"] {
        fs::write(home.path("config").join(name), "").unwrap();
    }
    assert_eq!(home.uci.packages(), ["my-app_2", "network"]);
}

#[test]
fn a_link_stays_one() {
    let home = Home::new();
    fs::rename(home.path("config/network"), home.path("elsewhere")).unwrap();
    symlink(home.path("elsewhere"), home.path("config/network")).unwrap();
    home.uci.commit("network", &[mtu(1400)]).unwrap();
    assert!(fs::symlink_metadata(home.path("config/network")).unwrap().is_symlink());
    assert!(home.read("elsewhere").contains("1400"));
}

#[test]
fn errors_name_the_file_the_line_and_the_reason() {
    let home = Home::new();
    fs::write(home.path("config/bad"), "config x\n\toption key 'secret\n").unwrap();
    fs::write(home.path("config/large"), vec![b'#'; limits::FILE_BYTES + 1]).unwrap();
    let text = |package: &str| home.uci.load(package).unwrap_err().to_string();
    let folder = home.path("config").display().to_string();
    assert_eq!(text("bad"), format!("{folder}/bad:2: the file ends within '…'"));
    assert_eq!(text("none"), format!("{folder}/none: there is no such file"));
    assert!(text("large").starts_with(&format!("{folder}/large: more than the 1048576 bytes")));
    for name in ["../shadow", "", "a.b", "a/b", "a\nb"] {
        assert!(text(name).ends_with("a package's name is letters, digits, _ and -"), "{name}");
    }
    assert!(home.uci.restore("bad", b"config x\n\toption key 'open").is_err());
}

#[test]
fn a_lock_that_is_not_given_back_ends_the_wait() {
    let mut home = Home::new();
    home.uci.patience = Duration::from_millis(20);
    let file = File::open(home.path("config/network")).unwrap();
    let held = Flock::lock(file, FlockArg::LockExclusiveNonblock).unwrap();
    assert!(matches!(home.uci.load("network"), Err(UciError::Busy { .. })));
    assert!(matches!(home.uci.commit("network", &[mtu(1)]), Err(UciError::Busy { .. })));
    drop(held);
    home.uci.commit("network", &[mtu(1)]).unwrap();
}

#[test]
fn writers_at_the_same_time_lose_nothing_of_each_other() {
    const ROUNDS: usize = 30;
    let home = Home::new();
    let options = home.uci.options().clone();
    let names = ["a", "b", "c"];
    // In each round all of them want the lock.
    let round = Arc::new(Barrier::new(names.len()));
    let writer = |name: &'static str| {
        // Not a clone: as another program would.
        let (uci, round) = (Uci::new(options.clone()), Arc::clone(&round));
        let write = move |n| {
            round.wait();
            uci.commit("network", &[set(&format!("{name}{n}"), n)]).unwrap();
        };
        thread::spawn(move || (0..ROUNDS).for_each(write))
    };
    for thread in names.map(writer) {
        thread.join().unwrap();
    }
    let package = home.uci.load("network").unwrap();
    assert_eq!(package.section("lan").unwrap().options().len(), 1 + names.len() * ROUNDS);
}

/// What libuci does after it has opened the file: it waits for the lock of what it has opened and reads that.
#[test]
fn who_has_opened_the_file_before_it_was_replaced_reads_what_has_replaced_it() {
    let home = Home::new();
    let opened = File::open(home.path("config/network")).unwrap();
    for n in [1400, 1300] {
        home.uci.commit("network", &[mtu(n)]).unwrap();
    }
    home.uci.commit("network", &[Edit::Unset { section: "lan".into(), option: "mtu".into() }]).unwrap();
    let mut locked = Flock::lock(opened, FlockArg::LockExclusiveNonblock).unwrap();
    let mut text = String::new();
    locked.read_to_string(&mut text).unwrap();
    assert_eq!(text, home.read("config/network"));
}

#[test]
fn who_has_the_lock_of_a_file_that_was_replaced_a_moment_ago_is_waited_for() {
    let home = Home::new();
    let opened = File::open(home.path("config/network")).unwrap();
    home.uci.commit("network", &[mtu(1400)]).unwrap();
    let locked = Flock::lock(opened, FlockArg::LockExclusiveNonblock).unwrap();
    let impatient = Uci { patience: Duration::from_millis(20), ..home.uci.clone() };
    assert!(matches!(impatient.commit("network", &[mtu(1300)]), Err(UciError::Busy { .. })));
    drop(locked);
    impatient.commit("network", &[mtu(1300)]).unwrap();
}

#[test]
fn a_copy_with_a_name_of_its_own_keeps_its_content() {
    let home = Home::new();
    fs::hard_link(home.path("config/network"), home.path("copy")).unwrap();
    home.uci.commit("network", &[mtu(1400)]).unwrap();
    assert_eq!(home.read("copy"), LAN);
}

/// Between the end of libuci's lock and the end of its commit there is its new file.
#[test]
fn a_commit_of_libuci_that_is_under_way_is_waited_for() {
    let home = Home::new();
    let theirs = home.path("config/.network.uci-Xa1b2c");
    fs::write(&theirs, LAN.replace("'lan'", "'lan'\n\toption theirs '1'")).unwrap();
    let impatient = Uci { patience: Duration::from_millis(20), ..home.uci.clone() };
    assert!(matches!(impatient.commit("network", &[set("ours", 1)]), Err(UciError::Busy { .. })));
    fs::rename(&theirs, home.path("config/network")).unwrap();
    impatient.commit("network", &[set("ours", 1)]).unwrap();
    let package = home.uci.load("network").unwrap();
    let lan = package.section("lan").unwrap();
    assert_eq!((lan.get("theirs"), lan.get("ours")), (Some("1"), Some("1")));
}

#[test]
fn what_a_dead_commit_has_left_behind_holds_nobody_up() {
    let home = Home::new();
    let left = File::create(home.path("config/.network.uci-Xa1b2c")).unwrap();
    left.set_modified(std::time::SystemTime::now() - limits::UNFINISHED * 2).unwrap();
    let begun = Instant::now();
    home.uci.commit("network", &[mtu(1)]).unwrap();
    assert!(begun.elapsed() < limits::UNFINISHED);
    let held = Flock::lock(left, FlockArg::LockExclusiveNonblock).unwrap();
    let uci = Uci { patience: Duration::from_millis(20), ..home.uci.clone() };
    assert!(
        matches!(uci.commit("network", &[mtu(2)]), Err(UciError::Busy { .. })),
        "somebody still writes it"
    );
    drop(held);
}

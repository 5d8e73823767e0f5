use super::*;

fn path(name: &str) -> &Path {
    Path::new(name)
}

/// What the disks after a cut hold of one file, each content once; `None` for a disk without it.
fn contents(sim: &Sim, file: &str) -> BTreeSet<Option<String>> {
    sim.after_cut().iter().map(|disk| disk.text(file)).collect()
}

fn all(texts: &[Option<&str>]) -> BTreeSet<Option<String>> {
    texts.iter().map(|text| text.map(str::to_owned)).collect()
}

#[test]
fn content_counts_once_it_is_fsynced_and_names_once_their_folder_is() {
    let sim = Sim::with(&[("/a/old", "x")]);
    sim.write_new(path("/a/f"), b"12").unwrap();
    let garbage = String::from_utf8_lossy(&[b'1' ^ 0xa5, b'2' ^ 0xa5]).into_owned();
    assert_eq!(contents(&sim, "/a/f"), all(&[None, Some(""), Some("1"), Some("12"), Some(&garbage)]));
    sim.fsync(path("/a/f")).unwrap();
    assert_eq!(contents(&sim, "/a/f"), all(&[None, Some("12")]));
    sim.fsync_dir(path("/a")).unwrap();
    assert_eq!(contents(&sim, "/a/f"), all(&[Some("12")]));
    assert_eq!(contents(&sim, "/a/old"), all(&[Some("x")]));
}

#[test]
fn what_is_appended_can_be_lost_and_what_was_fsynced_before_it_cannot() {
    let sim = Sim::with(&[("/f", "ab")]);
    sim.append(path("/f"), b"cdef").unwrap();
    assert_eq!(sim.text("/f").as_deref(), Some("abcdef"));
    let left = contents(&sim, "/f");
    assert!(left.iter().all(|text| text.as_deref().is_some_and(|text| text.starts_with("ab"))), "{left:?}");
    assert!(left.is_superset(&all(&[Some("ab"), Some("abcd"), Some("abcdef")])) && left.len() == 4);
    assert_eq!(sim.append(path("/none"), b"x").unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn an_fsync_makes_the_names_of_its_own_folder_durable_and_no_others() {
    let sim = Sim::with(&[("/a/f", "x"), ("/b/g", "y")]);
    sim.remove(path("/a/f")).unwrap();
    sim.rename(path("/b/g"), path("/b/h")).unwrap();
    sim.fsync_dir(path("/b")).unwrap();
    assert_eq!(contents(&sim, "/a/f"), all(&[None, Some("x")]));
    assert_eq!((contents(&sim, "/b/g"), contents(&sim, "/b/h")), (all(&[None]), all(&[Some("y")])));
    assert_eq!(sim.list(path("/b"), 9).unwrap(), ["h"]);
    assert_eq!(sim.list(path("/b"), 0).unwrap_err().kind(), ErrorKind::InvalidData);
    assert_eq!(sim.list(path("/c"), 9).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn changes_of_names_reach_the_disk_in_any_combination() {
    let sim = Sim::with(&[("/f", "old"), ("/new", "new")]);
    sim.rename(path("/f"), path("/f.1")).unwrap();
    sim.rename(path("/new"), path("/f")).unwrap();
    let disks: BTreeSet<_> =
        sim.after_cut().iter().map(|disk| (disk.text("/f"), disk.text("/f.1"))).collect();
    let text = |text: &str| Some(text.to_owned());
    let wanted = [(None, text("old")), (text("new"), None), (text("new"), text("old")), (text("old"), None)];
    assert_eq!(disks, BTreeSet::from(wanted));
}

#[test]
fn the_disks_after_a_cut_stay_few_and_are_the_same_each_time() {
    let many = || {
        let sim = Sim::with(&[]);
        sim.create_dir(path("/a")).unwrap();
        for number in 0..40 {
            sim.write_new(path(&format!("/a/{number}")), b"content").unwrap();
        }
        sim
    };
    let texts = |sim: &Sim| -> Vec<Vec<Option<String>>> {
        let read = |disk: &Arc<Sim>| (0..40).map(|number| disk.text(&format!("/a/{number}"))).collect();
        sim.after_cut().iter().map(read).collect()
    };
    let disks = texts(&many());
    assert!((100..1000).contains(&disks.len()), "{}", disks.len());
    assert_eq!(disks, texts(&many()));
    assert!(disks.iter().any(|disk| disk.iter().all(Option::is_none)));
}

#[test]
fn after_a_cut_nothing_happens_and_nothing_is_read() {
    let sim = Sim::with(&[("/f", "x")]);
    sim.cut_at(1);
    sim.remove(path("/f")).unwrap();
    assert!(!sim.is_cut());
    sim.write_new(path("/f"), b"y").unwrap_err();
    assert!(sim.is_cut() && sim.read(path("/f"), 9).is_err() && sim.list(path("/"), 9).is_err());
    assert_eq!((sim.names().len(), sim.written()), (0, 0));
    assert_eq!(contents(&sim, "/f"), all(&[None, Some("x")]));
}

#[test]
fn a_full_disk_takes_no_content_and_still_lets_names_be_changed() {
    let sim = Sim::with(&[("/f", "x")]);
    sim.fill_at(0);
    assert_eq!(sim.write_new(path("/g"), b"y").unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(sim.append(path("/f"), b"y").unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!((sim.text("/g").as_deref(), sim.text("/f").as_deref()), (Some(""), Some("x")));
    sim.rename(path("/f"), path("/h")).unwrap();
    sim.remove(path("/g")).unwrap();
    sim.mend();
    sim.write_new(path("/g"), b"y").unwrap();
}

#[test]
fn files_need_their_folder_and_stay_in_it() {
    let sim = Sim::with(&[("/a/f", "x")]);
    assert_eq!(sim.write_new(path("/b/f"), b"y").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(sim.write_new(path("/a/f"), b"y").unwrap_err().kind(), ErrorKind::AlreadyExists);
    sim.create_dir(path("/b/c")).unwrap();
    sim.write_new(path("/b/f"), b"y").unwrap();
    assert_eq!(sim.rename(path("/a/f"), path("/b/c/f")).unwrap_err().kind(), ErrorKind::CrossesDevices);
    let disk = sim.after_cut().remove(0);
    disk.write_new(path("/b/c/f"), b"y").unwrap();
}

#[test]
fn where_the_program_alone_ends_the_next_one_finds_all_that_was_done() {
    let sim = Sim::with(&[("/f", "x")]);
    sim.cut_at(2);
    sim.remove(path("/f")).unwrap();
    sim.write_new(path("/g"), b"y").unwrap();
    sim.fsync(path("/g")).unwrap_err();
    let next = sim.after_crash();
    assert_eq!((next.names(), next.text("/g").as_deref()), (vec!["/g".to_owned()], Some("y")));
    // It is no safer than before.
    assert_eq!(contents(&next, "/f"), all(&[None, Some("x")]));
    next.fsync(path("/g")).unwrap();
}

//! What is not right with the file, or with its copy.

use super::*;

const OPEN: &str = "\nconfig object 'ManagementServer'\n\toption Password 'secret\n";
const KEPT: &str = "/etc/cwmpd/state/cwmpd.damaged";

#[test]
fn the_last_good_copy_takes_the_place_of_a_damaged_file() {
    for damaged in ["", OPEN, "garbage\n", &format!("config x\n\toption y '{}'\n", "x".repeat(COPY_BYTES))] {
        let sim = disk(&[(UCI, damaged), (COPY_FILE, USED)]);
        let mut there = Cpe::start(&sim);
        assert_eq!((there.url(), there.real().as_str()), ("http://old/", USED));
        let [report] = &there.problems[..] else { panic!("{:?}", there.problems) };
        assert!(report.starts_with("/etc/config/cwmpd: damaged: ") && !report.contains("secret"), "{report}");
        assert!(report.ends_with("the last good copy takes its place"), "{report}");
        if damaged.len() < COPY_BYTES {
            assert!(report.contains("; kept as /etc/cwmpd/state/cwmpd.damaged; "), "{report}");
            assert_eq!(sim.text(KEPT).as_deref(), Some(damaged));
        }
        there.set_url("http://new/").unwrap();
        let again = Cpe::start(&sim);
        assert_eq!((again.url(), again.problems.len()), ("http://new/", 0));
    }
}

#[test]
fn the_copy_holds_what_was_set_last_by_whomever() {
    let sim = disk(&[(UCI, USED)]);
    let mut there = Cpe::start(&sim);
    there.set_url("http://acs/").unwrap();
    assert_eq!(sim.text(COPY_FILE), Some(there.real()));
    there.by_hand(|text| text.replace("URL 'http://acs/'", "URL 'http://hand/'"));
    there.layers.reread().unwrap();
    assert_eq!(sim.text(COPY_FILE), Some(there.real()));
    there.by_hand(|_| OPEN.to_owned());
    assert_eq!(Cpe::start(&sim).url(), "http://hand/");
}

#[test]
fn a_copy_that_is_damaged_as_well_is_set_aside() {
    let sim = disk(&[(UCI, OPEN), (COPY_FILE, "garbage\n")]);
    let there = Cpe::start(&sim);
    assert_eq!((there.url(), there.real().as_str(), there.problems.len()), ("http://factory/", "\n", 2));
    assert!(there.problems[0].contains("cwmpd.uci: damaged: line 1"), "{:?}", there.problems);
    assert!(there.problems[1].ends_with("what was set on this box is lost"), "{:?}", there.problems);
    assert_eq!(sim.text(KEPT).as_deref(), Some(OPEN));
    // The one before it serves where there is one.
    let older = format!("{COPY_FILE}.1");
    let there = Cpe::start(&disk(&[(UCI, OPEN), (COPY_FILE, ""), (&older, USED)]));
    assert_eq!((there.url(), there.real().as_str()), ("http://old/", USED));
}

#[test]
fn a_file_that_is_gone_comes_back_from_its_copy() {
    let sim = disk(&[(COPY_FILE, USED)]);
    let there = Cpe::start(&sim);
    assert_eq!((there.url(), there.real().as_str()), ("http://old/", USED));
    assert!(there.problems[0].contains("it is not there"), "{:?}", there.problems);
    let mode = fs::metadata(there.real.path().join("cwmpd")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_file_that_cannot_be_read_keeps_the_program_from_starting() {
    let real = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("cwmpd", real.path().join("cwmpd")).unwrap();
    let error = Cpe::start_in(&disk(&[(COPY_FILE, USED)]), real).err().unwrap().to_string();
    assert!(error.contains("/cwmpd: cannot find it: "), "{error}");
}

#[test]
fn damage_while_the_program_runs_is_left_to_whoever_mends_it_until_the_next_change() {
    let sim = disk(&[(UCI, USED)]);
    let mut there = Cpe::start(&sim);
    there.set_url("http://acs/").unwrap();
    there.by_hand(|_| OPEN.to_owned());
    let error = there.layers.reread().unwrap_err().to_string();
    assert!(error.contains("damaged: line "), "{error}");
    assert_eq!((there.url(), there.real().as_str()), ("http://acs/", OPEN));
    there.set_url("http://next/").unwrap();
    assert!(there.real().contains("'http://next/'") && there.real().contains("'secret'"));
    assert!(there.real().contains("firewall_zone 'wan'"));
    assert_eq!(sim.text(KEPT).as_deref(), Some(OPEN));
    assert_eq!(Cpe::start(&sim).url(), "http://next/");
}

#[test]
fn what_was_set_since_the_copy_is_not_lost_with_the_file() {
    let sim = disk(&[(UCI, USED)]);
    let mut there = Cpe::start(&sim);
    there.set_url("http://acs/").unwrap();
    // The copy of that could not be written, say.
    sim.remove(Path::new(COPY_FILE)).unwrap();
    sim.write_new(Path::new(COPY_FILE), USED.as_bytes()).unwrap();
    there.by_hand(|_| OPEN.to_owned());
    there.layers.change(|layers| layers.set("ManagementServer", "Username", "box")).unwrap();
    let again = Cpe::start(&sim);
    assert_eq!((again.url(), again.layers.get("ManagementServer", "Username")), ("http://acs/", Some("box")));
}

#[test]
fn what_cannot_be_used_is_reported_and_kept() {
    let odd = "config object\n\toption Lost '1'\n\nconfig object 'X'\n\tlist entry 'nonsense'\n\tlist entry ' =1'\n";
    let sim = disk(&[(UCI, &format!("{USED}{odd}"))]);
    let mut there = Cpe::start(&sim);
    assert_eq!(there.problems.len(), 3, "{:?}", there.problems);
    assert!(there.problems[1].contains("[X] entry: it must be KEY=VALUE"), "{:?}", there.problems);
    there.set_url("http://new/").unwrap();
    assert!(there.real().contains("option Lost '1'") && there.real().contains("list entry 'nonsense'"));
}

//! cwmp-uci and libuci's own command over the same files: what one reads the other reads, and what one writes the other
//! would have written. `cargo xtask interop libuci` builds the command and runs these tests.
//!
//! The command is of 2021. Since 2022 an option that is set keeps its place, which it did not then: where an option comes
//! again or is set again, the order of the options is not compared.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod generate;
mod real;

use std::{fs, path::Path, thread};

use cwmp_uci::{Edit, Package, Section, Uci, UciError, UciOption, UciOptions};
use generate::Random;
use real::{BETWEEN, Real};

const CORPUS: [&str; 5] = ["network", "wireless", "dhcp", "firewall", "system"];

fn uci(real: &Real) -> Uci {
    Uci::new(UciOptions { config: real.config(), overrides: None })
}

fn corpus() -> Real {
    let real = Real::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/libuci/corpus");
    for package in CORPUS {
        real.write(package, &fs::read(folder.join(package)).unwrap());
    }
    real
}

/// The export of libuci: its first line is the package.
fn exported(package: &Package) -> Vec<u8> {
    [format!("package {}\n", package.name()).as_bytes(), &package.export()].concat()
}

/// The sections of a text with their options sorted: what does not depend on the order of the options. That it is read as
/// libuci does is shown by the texts that are compared as they are.
fn unordered(text: &[u8]) -> Vec<(String, String, bool, Vec<UciOption>)> {
    let package = Package::parse("any", text).unwrap();
    let sorted = |section: &Section| {
        let mut options: Vec<_> = section.options().to_vec();
        options.sort_by(|a, b| a.name().cmp(b.name()));
        (section.kind().to_owned(), section.name().to_owned(), section.is_anonymous(), options)
    };
    package.sections().iter().map(sorted).collect()
}

#[track_caller]
fn same(ours: &[u8], theirs: &[u8], source: &[u8]) {
    let shown = String::from_utf8_lossy;
    assert!(
        ours == theirs,
        "from\n{}\nwe make\n{}\nand libuci\n{}",
        source.escape_ascii(),
        shown(ours),
        shown(theirs)
    );
}

#[test]
#[ignore = "needs libuci: cargo xtask interop libuci"]
fn a_router_s_files_are_shown_and_exported_alike() {
    let real = corpus();
    assert_eq!(uci(&real).packages(), {
        let mut names = CORPUS;
        names.sort_unstable();
        names
    });
    for name in CORPUS {
        let package = uci(&real).load(name).unwrap();
        same(&exported(&package), &real.run(&["export", name]), &real.read(name));
        same(show(&package).as_bytes(), &real.run(&["-X", "show", name]), &real.read(name));
        let (questions, answers) = gets(&package);
        same(answers.as_bytes(), &real.batch(&questions), &real.read(name));
    }
}

/// What `uci -X show` prints.
fn show(package: &Package) -> String {
    let mut out = String::new();
    for section in package.sections() {
        let place = format!("{}.{}", package.name(), section.name());
        out += &format!("{place}={}\n", section.kind());
        for option in section.options() {
            let quote = |value: &str| format!("'{}'", value.replace('\'', r"'\''"));
            let values: Vec<_> = option.values().map(quote).collect();
            out += &format!("{place}.{}={}\n", option.name(), values.join(BETWEEN));
        }
    }
    out
}

/// `get` of every option, and what is to be printed.
fn gets(package: &Package) -> (String, String) {
    let (mut questions, mut answers) = (String::new(), String::new());
    let by_index = |section: &Section| {
        let mut same = package.of_type(section.kind());
        let n = same.position(|other| std::ptr::eq(other, section)).unwrap();
        assert_eq!(package.nth(Some(section.kind()), i64::try_from(n).unwrap()), Some(section));
        format!("@{}[{n}]", section.kind())
    };
    for section in package.sections() {
        let place = format!("{}.{}", package.name(), by_index(section));
        questions += &format!("get {place}\n");
        answers += &format!("{}\n", section.kind());
        for option in section.options() {
            // In the output of `get` those with blanks are quoted when they stand in a list.
            let blank = |value: &str| option.is_list() && value.contains([' ', '\t', '\r', '\n']);
            let value = |value: &str| {
                if blank(value) { format!("'{}'", value.replace('\'', r"'\''")) } else { value.to_owned() }
            };
            questions += &format!("get {place}.{}\n", option.name());
            answers += &format!("{}\n", option.values().map(value).collect::<Vec<_>>().join(BETWEEN));
        }
    }
    (questions, answers)
}

/// Which of the files libuci reads, and as what; returns how many it reads.
fn compare(files: &[(String, Vec<u8>)], ordered: impl Fn(usize) -> bool) -> usize {
    let real = Real::new();
    for (name, content) in files {
        real.write(name, content);
    }
    let names: Vec<_> = files.iter().map(|(name, _)| name.clone()).collect();
    let theirs = real.exports(&names);
    let written = Real::new();
    for (at, (name, content)) in files.iter().enumerate() {
        let ours = match (uci(&real).load(name), theirs.get(name)) {
            (Ok(package), Some(theirs)) => {
                let ours = exported(&package);
                if ordered(at) {
                    same(&ours, theirs, content);
                } else {
                    assert!(unordered(&ours) == unordered(theirs), "{}", content.escape_ascii());
                }
                package.export()
            }
            (Err(UciError::Syntax { .. }), None) => continue,
            (ours, theirs) => {
                let theirs = theirs.map(|theirs| String::from_utf8_lossy(theirs));
                panic!("from\n{}\nwe make\n{ours:?}\nand libuci\n{theirs:?}", content.escape_ascii())
            }
        };
        written.write(name, &ours);
    }
    // What we write it reads, as the same.
    let again = written.exports(&names);
    assert_eq!(again.len(), theirs.len());
    for (name, theirs) in &again {
        same(
            &[format!("package {name}\n").as_bytes(), &written.read(name)].concat(),
            theirs,
            b"what we have written",
        );
    }
    again.len()
}

#[test]
#[ignore = "needs libuci: cargo xtask interop libuci"]
fn thousands_of_files_in_every_form_are_read_alike() {
    let mut random = Random::new(1);
    let mut file = |n: usize| (format!("package{n}"), generate::file(&mut random, n % 2 == 1).into_bytes());
    let files: Vec<_> = (0..3000).map(&mut file).collect();
    let read = compare(&files, |n| n % 2 == 0);
    // What has a section again with another type is refused, by both.
    assert!(read > 2400, "libuci has read {read}");
}

#[test]
#[ignore = "needs libuci: cargo xtask interop libuci"]
fn thousands_of_files_of_nonsense_are_read_or_refused_alike() {
    let mut random = Random::new(2);
    let mut file = |n: usize| (format!("package{n}"), generate::soup(&mut random));
    let files: Vec<_> = (0..5000).map(&mut file).collect();
    let read = compare(&files, |_| false);
    assert!((500..4500).contains(&read), "libuci has read {read}");
}

#[test]
#[ignore = "needs libuci: cargo xtask interop libuci"]
fn the_same_edits_make_the_same_files() {
    let mut random = Random::new(3);
    let (ours, theirs) = (Real::new(), Real::new());
    let (mut plans, mut commands) = (Vec::new(), String::new());
    for n in 0..250 {
        let name = format!("package{n}");
        let source = generate::file(&mut random, false);
        let mut package = Package::parse(&name, source.as_bytes()).unwrap();
        let (mut edits, mut ordered) = (Vec::new(), true);
        for _ in 0..1 + random.below(8) {
            let Some((edit, command)) = generate::edit(&mut random, &package) else { continue };
            ordered &= !sets_again(&edit, &package);
            package.apply(std::slice::from_ref(&edit)).unwrap();
            edits.push(edit);
            commands += &command;
        }
        commands += &format!("commit {name}\n");
        ours.write(&name, source.as_bytes());
        theirs.write(&name, source.as_bytes());
        plans.push((name, source, edits, ordered, package));
    }
    theirs.batch(&commands);
    for (name, source, edits, ordered, expected) in plans {
        let committed = uci(&ours).commit(&name, &edits).unwrap();
        let (package, theirs) = (uci(&ours).load(&name).unwrap(), theirs.read(&name));
        assert!(package.sections() == expected.sections(), "one by one and at once: {edits:?}");
        if ordered && committed.changed() {
            same(&committed.after, &theirs, source.as_bytes());
        }
        let same = unordered(&committed.after) == unordered(&theirs);
        assert!(same, "{}\n{edits:?}\n{}", source.escape_debug(), String::from_utf8_lossy(&theirs));
    }
}

/// Whether it sets an option that is there.
fn sets_again(edit: &Edit, package: &Package) -> bool {
    let (Edit::Set { section, option, .. } | Edit::SetList { section, option, .. }) = edit else {
        return false;
    };
    let places = package.sections().iter().enumerate().map(|(at, section)| (format!("@[{at}]"), section));
    let mut found = places.filter(|(place, found)| {
        let mut same = package.of_type(found.kind());
        let n = same.position(|other| std::ptr::eq(other, *found)).unwrap();
        let from_end = package.of_type(found.kind()).count() - n;
        let by_kind = [format!("@{}[{n}]", found.kind()), format!("@{}[-{from_end}]", found.kind())];
        place == section || by_kind.contains(section) || found.name() == section
    });
    found.any(|(_, section)| section.option(option).is_some())
}

#[test]
#[ignore = "needs libuci: cargo xtask interop libuci"]
fn commits_of_both_at_the_same_time_lose_nothing() {
    const COMMITS: usize = 150;
    let real = corpus();
    let commands = (0..COMMITS).map(|n| format!("set network.lan.theirs{n}={n}\ncommit network\n"));
    let commands: String = commands.collect();
    let uci = uci(&real);
    let set =
        |n: usize| Edit::Set { section: "lan".into(), option: format!("ours{n}"), value: n.to_string() };
    thread::scope(|scope| {
        let theirs = scope.spawn(|| real.batch(&commands));
        for n in 0..COMMITS {
            uci.commit("network", &[set(n)]).unwrap();
        }
        theirs.join().unwrap();
    });
    let package = uci.load("network").unwrap();
    let lan = package.section("lan").unwrap();
    for n in 0..COMMITS {
        for option in [format!("ours{n}"), format!("theirs{n}")] {
            assert_eq!(lan.get(&option), Some(n.to_string().as_str()), "{option}");
        }
    }
}

#[test]
#[ignore = "needs libuci: cargo xtask interop libuci"]
fn what_somebody_has_not_committed_is_left_to_them() {
    let real = corpus();
    real.run(&["set", "network.lan.mtu=1400"]);
    let edit = Edit::Set { section: "lan".into(), option: "ip6assign".into(), value: "64".into() };
    let committed = uci(&real).commit("network", &[edit]).unwrap();
    assert!(!String::from_utf8(committed.after).unwrap().contains("1400"));
    assert_eq!(real.run(&["changes", "network"]), b"network.lan.mtu='1400'\n");
    real.run(&["commit", "network"]);
    let package = uci(&real).load("network").unwrap();
    let lan = package.section("lan").unwrap();
    assert_eq!((lan.get("mtu"), lan.get("ip6assign")), (Some("1400"), Some("64")));
}

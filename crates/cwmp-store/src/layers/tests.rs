use std::{io::ErrorKind, os::unix::fs::PermissionsExt};

use super::*;
use crate::{durable::RealFiles, sim::Sim};

const FACTORY: &str = "[ManagementServer]\nURL=http://factory/\nEnableCWMP=true\n";
const ISP: &str = "[ManagementServer]\nURL=http://isp/\n[ManagementServer.InformParameter.2]\nEnable=true\n";
const USER: &str = "[ManagementServer]\nURL=http://user/\n[Unknown.Thing]\nKept=\"yes, \\\"kept\\\"\"\n";

fn disk() -> Arc<Sim> {
    Sim::with(&[("/etc/factory.ini", FACTORY), ("/etc/ISP.def", ISP), ("/etc/user.ini", USER)])
}

fn load(sim: &Arc<Sim>) -> (Layers, Vec<Problem>) {
    Layers::load(sim.clone(), Path::new("/etc")).unwrap()
}

fn url(layers: &Layers) -> &str {
    layers.get("ManagementServer", "URL").unwrap()
}

#[test]
fn reading_looks_from_the_top_down() {
    let sim = disk();
    let (mut layers, problems) = load(&sim);
    assert_eq!(problems, []);
    assert_eq!(url(&layers), "http://user/");
    assert_eq!(layers.get("ManagementServer", "EnableCWMP"), Some("true"));
    assert_eq!(layers.get("ManagementServer", "Username"), None);
    let all: Vec<_> =
        layers.find("ManagementServer", "URL").map(|found| (found.layer, found.value)).collect();
    assert_eq!(
        all,
        [(Layer::User, "http://user/"), (Layer::Isp, "http://isp/"), (Layer::Factory, "http://factory/")]
    );
    assert_eq!(layers.keys("ManagementServer"), [("URL", Layer::User), ("EnableCWMP", Layer::Factory)]);
    layers.remove("ManagementServer", "URL");
    assert_eq!(url(&layers), "http://isp/");
    layers.remove("ManagementServer", "URL");
    assert_eq!(url(&layers), "http://isp/", "only the user layer is ever changed");
}

#[test]
fn without_factory_defaults_the_error_says_what_to_do() {
    let error = Layers::load(Sim::with(&[]), Path::new("/etc")).err().unwrap().to_string();
    assert!(error.starts_with("/etc/factory.ini: ") && error.contains("install the file"), "{error}");
    let error = Layers::load(Sim::with(&[("/etc/factory.ini", "[S]\nx")]), Path::new("/etc")).err().unwrap();
    assert!(error.to_string().starts_with("/etc/factory.ini: damaged: line 2"), "{error}");
}

#[test]
fn a_damaged_isp_file_is_reported_and_the_factory_defaults_serve() {
    for damaged in [
        "[ManagementServer]\nURL=http://isp/\ngarbage",
        &format!("[A]\nB={}", "x".repeat(limits::FILE_BYTES)),
    ] {
        let sim = Sim::with(&[("/etc/factory.ini", FACTORY), ("/etc/ISP.def", damaged)]);
        let (layers, problems) = load(&sim);
        assert_eq!(url(&layers), "http://factory/");
        let report = problems[0].to_string();
        assert!(
            report.starts_with("/etc/ISP.def: damaged: ") && report.contains("the factory defaults serve"),
            "{report}"
        );
        assert_eq!(sim.text("/etc/ISP.def").as_deref(), Some(damaged), "it belongs to the provider");
    }
}

#[test]
fn a_damaged_user_file_without_a_copy_is_set_aside() {
    let sim =
        Sim::with(&[("/etc/factory.ini", FACTORY), ("/etc/ISP.def", ISP), ("/etc/user.ini", "\0\0\0\0")]);
    let (mut layers, problems) = load(&sim);
    assert_eq!(url(&layers), "http://isp/");
    assert!(problems[0].to_string().contains("kept as /etc/user.ini.damaged"), "{}", problems[0]);
    assert_eq!(sim.text("/etc/user.ini.damaged").as_deref(), Some("\0\0\0\0"));
    layers.set("ManagementServer", "URL", "http://new/").unwrap();
    assert!(layers.commit().unwrap());
    assert_eq!(url(&load(&sim).0), "http://new/");
}

#[test]
fn the_copy_serves_where_the_user_file_is_damaged() {
    let older = "[ManagementServer]\nURL=http://older/\n";
    for damaged in
        ["", "\0\0\0\0", "[ManagementServer]\nURL", &format!("[A]\nB={}", "x".repeat(limits::FILE_BYTES))]
    {
        let files = [("/etc/factory.ini", FACTORY), ("/etc/user.ini", damaged), ("/etc/user.ini.1", older)];
        let sim = Sim::with(&files);
        let (mut layers, problems) = load(&sim);
        assert_eq!((url(&layers), problems.len()), ("http://older/", 1));
        let report = problems[0].to_string();
        assert!(
            report.starts_with("/etc/user.ini: damaged: ")
                && report
                    .ends_with("kept as /etc/user.ini.damaged; the copy before it serves, if there is one"),
            "{report}"
        );
        assert_eq!(sim.text("/etc/user.ini.damaged").as_deref(), Some(damaged));
        // The next start has nothing to report, and a change takes the file's place.
        let (again, problems) = load(&sim);
        assert_eq!((url(&again), problems), ("http://older/", vec![]));
        layers.set("ManagementServer", "URL", "http://new/").unwrap();
        layers.commit().unwrap();
        assert_eq!(url(&load(&sim).0), "http://new/");
        assert_eq!(sim.text("/etc/user.ini.1").as_deref(), Some(older));
    }
}

#[test]
fn what_is_set_stays_in_the_copy_until_the_change_after_the_next() {
    let sim = disk();
    let (mut layers, _) = load(&sim);
    for number in 1..=3 {
        layers.set("ManagementServer", "URL", &format!("http://{number}/")).unwrap();
        layers.commit().unwrap();
    }
    assert!(sim.text("/etc/user.ini.1").unwrap().contains("http://2/"));
    layers.commit().unwrap();
    assert!(
        sim.text("/etc/user.ini.1").unwrap().contains("http://2/"),
        "a commit of nothing changes nothing"
    );
}

#[test]
fn a_user_file_and_a_copy_that_are_both_damaged_are_set_aside() {
    let files = [("/etc/factory.ini", FACTORY), ("/etc/user.ini", "x"), ("/etc/user.ini.1", "y")];
    let sim = Sim::with(&files);
    let (mut layers, problems) = load(&sim);
    assert_eq!((url(&layers), problems.len()), ("http://factory/", 2));
    assert!(problems[1].reason.ends_with("what was set on this box is lost"), "{}", problems[1]);
    assert_eq!(sim.names(), ["/etc/factory.ini", "/etc/user.ini.1.damaged", "/etc/user.ini.damaged"]);
    layers.delete_user().unwrap();
    assert_eq!(sim.names(), ["/etc/factory.ini"], "they may hold secrets");
}

#[test]
fn an_empty_user_file_without_a_copy_is_one_that_sets_nothing() {
    let sim = Sim::with(&[("/etc/factory.ini", FACTORY), ("/etc/user.ini", "")]);
    let (layers, problems) = load(&sim);
    assert_eq!((url(&layers), problems), ("http://factory/", vec![]));
}

#[test]
fn a_key_that_is_given_twice_is_reported() {
    let sim = Sim::with(&[("/etc/factory.ini", "[S]\nK=1\nK=2\n")]);
    let (layers, problems) = load(&sim);
    assert_eq!(layers.get("S", "K"), Some("2"));
    assert_eq!(problems[0].to_string(), "/etc/factory.ini: [S] K: given more than once; the last one counts");
}

#[test]
fn changes_are_written_by_commit_alone_and_undone_by_rollback() {
    let sim = disk();
    let (mut layers, _) = load(&sim);
    layers.set("ManagementServer", "URL", "http://new/").unwrap();
    layers.set("New", "Key", " a;b#c=\"d\" ").unwrap();
    layers.remove_section("Unknown.Thing");
    assert_eq!(sim.text("/etc/user.ini").as_deref(), Some(USER));
    layers.rollback();
    assert_eq!((url(&layers), layers.get("New", "Key")), ("http://user/", None));
    assert_eq!(layers.get("Unknown.Thing", "Kept"), Some("yes, \"kept\""));
    layers.set("New", "Key", " a;b#c=\"d\" ").unwrap();
    assert!(layers.commit().unwrap());
    layers.rollback();
    let (again, problems) = load(&sim);
    assert_eq!(problems, []);
    assert_eq!(again.get("New", "Key"), Some(" a;b#c=\"d\" "));
    assert_eq!(again.get("Unknown.Thing", "Kept"), Some("yes, \"kept\""), "what nobody knows is kept");
    assert_eq!(layers.bytes_written() as usize, sim.written());
}

#[test]
fn nothing_is_written_when_nothing_has_changed() {
    let sim = disk();
    let (mut layers, _) = load(&sim);
    assert!(!layers.commit().unwrap());
    layers.set("ManagementServer", "URL", "http://user/").unwrap();
    let before = sim.operations();
    layers.set("A", "B", "C").unwrap();
    layers.remove("A", "B");
    layers.remove("A", "none");
    layers.remove_section("none");
    assert!(!layers.commit().unwrap());
    assert_eq!((sim.operations(), sim.written(), layers.bytes_written()), (before, 0, 0));
}

#[test]
fn a_cut_at_any_moment_of_a_commit_leaves_the_old_or_the_new_values() {
    let commit = |sim: &Arc<Sim>| {
        let (mut layers, _) = load(sim);
        layers.set("ManagementServer", "URL", "http://new/").unwrap();
        layers.set("ManagementServer", "ParameterKey", "new").unwrap();
        layers.commit().map(|_| ())
    };
    let mut seen = [0, 0];
    for step in 0.. {
        let sim = disk();
        sim.cut_at(step);
        let committed = commit(&sim).is_ok();
        for disk in sim.after_cut() {
            let (layers, problems) = load(&disk);
            assert_eq!(problems, [], "step {step}");
            match (url(&layers), layers.get("ManagementServer", "ParameterKey")) {
                ("http://user/", None) if !committed => seen[0] += 1,
                ("http://new/", Some("new")) => seen[1] += 1,
                mixture => panic!("step {step}: {mixture:?}"),
            }
            commit(&disk).unwrap();
        }
        if committed {
            break;
        }
    }
    assert!(seen[0] > 0 && seen[1] > 0);
}

#[test]
fn a_cut_at_any_moment_of_a_factory_reset_leaves_all_or_nothing() {
    for step in 0.. {
        let files = [
            ("/etc/factory.ini", FACTORY),
            ("/etc/user.ini", USER),
            ("/etc/user.ini.1", "[ManagementServer]\nURL=http://older/\n"),
            ("/etc/user.ini.1.damaged", "p"),
            ("/etc/user.ini.damaged", "p"),
            ("/etc/user.ini.new", "p"),
        ];
        let sim = Sim::with(&files);
        let (mut layers, _) = load(&sim);
        sim.cut_at(step);
        let deleted = layers.delete_user().is_ok();
        assert_eq!(url(&layers) == "http://factory/", deleted);
        for disk in sim.after_cut() {
            let (layers, problems) = load(&disk);
            let url = url(&layers);
            let newest = url == "http://user/" && !deleted;
            assert!(problems.is_empty() && (url == "http://factory/" || newest), "step {step}: {url}");
        }
        if deleted {
            assert_eq!(sim.names(), ["/etc/factory.ini"], "no secret is left behind");
            break;
        }
    }
}

#[test]
fn a_failed_commit_can_be_rolled_back_or_repeated() {
    for step in 0.. {
        let sim = disk();
        let (mut layers, _) = load(&sim);
        layers.set("ManagementServer", "URL", "http://new/").unwrap();
        sim.fail_at(step, ErrorKind::ReadOnlyFilesystem);
        let Err(error) = layers.commit() else {
            assert!(step >= 6, "every operation was made to fail once");
            break;
        };
        assert!(error.to_string().starts_with("/etc"), "{error}");
        if step % 2 == 0 {
            assert!(layers.commit().unwrap());
            assert_eq!(url(&load(&sim).0), "http://new/");
        } else {
            layers.rollback();
            layers.commit().unwrap();
            assert_eq!(url(&load(&sim).0), "http://user/", "step {step}");
        }
    }
}

#[test]
fn a_full_disk_names_the_file_and_loses_nothing() {
    for step in 0.. {
        let sim = disk();
        let (mut layers, _) = load(&sim);
        sim.fail_at(step, ErrorKind::StorageFull);
        let Err(error) = layers.change(|layers| layers.set("ManagementServer", "URL", "http://new/")) else {
            assert!(step >= 6, "every operation was made to fail once");
            break;
        };
        assert!(error.is_full() && error.to_string().starts_with("/etc"), "{error}");
        assert_eq!((url(&layers), url(&load(&sim).0)), ("http://user/", "http://user/"), "step {step}");
        for disk in sim.after_cut() {
            assert_eq!(url(&load(&disk).0), "http://user/", "step {step}");
        }
    }
    let sim = disk();
    let (mut layers, _) = load(&sim);
    sim.fill_at(0);
    assert!(layers.change(|layers| layers.set("ManagementServer", "URL", "http://new/")).is_err());
    assert_eq!(sim.names(), ["/etc/ISP.def", "/etc/factory.ini", "/etc/user.ini"], "no remains keep it full");
    sim.mend();
    layers.change(|layers| layers.set("ManagementServer", "URL", "http://new/")).unwrap();
    assert_eq!(url(&load(&sim).0), "http://new/");
}

#[test]
fn after_a_rollback_the_file_is_written_again_where_it_may_hold_what_was_refused() {
    let sim = disk();
    let (mut layers, _) = load(&sim);
    layers.set("ManagementServer", "URL", "http://new/").unwrap();
    sim.fail_from(5, ErrorKind::Other);
    layers.commit().unwrap_err();
    layers.rollback();
    sim.mend();
    assert_eq!(url(&load(&sim).0), "http://new/", "the fsync of the folder is what failed first");
    assert!(layers.commit().unwrap());
    assert_eq!(url(&load(&sim).0), "http://user/");
}

#[test]
fn a_failed_change_leaves_layers_and_file_as_they_were() {
    for step in 0.. {
        let sim = disk();
        let (mut layers, _) = load(&sim);
        sim.fail_at(step, ErrorKind::Other);
        if layers.change(|layers| layers.set("ManagementServer", "URL", "http://new/")).is_ok() {
            assert!(step >= 6, "every operation was made to fail once");
            assert_eq!((url(&layers), url(&load(&sim).0)), ("http://new/", "http://new/"));
            break;
        }
        assert_eq!((url(&layers), url(&load(&sim).0)), ("http://user/", "http://user/"), "step {step}");
        let operations = sim.operations();
        assert!(!layers.commit().unwrap(), "nothing is left to be written");
        assert_eq!(sim.operations(), operations);
    }
}

#[test]
fn names_and_values_have_bounds() {
    let sim = disk();
    let (mut layers, _) = load(&sim);
    for (section, key) in [
        ("", "K"),
        ("S", ""),
        ("S\n[T]", "K"),
        ("S", "a\nb"),
        (" S", "K"),
        ("S", "K "),
        ("S", &"k".repeat(257)),
    ] {
        assert!(
            matches!(layers.set(section, key, "v"), Err(StoreError::Entry { .. })),
            "{section:?} {key:?}"
        );
    }
    let error = layers.set("S", "K", &"secret".repeat(limits::VALUE_BYTES)).unwrap_err().to_string();
    assert_eq!(error, "[S] K: the value is longer than 32768 bytes");
    for number in 0..9 {
        layers.set("S", &format!("K{number}"), &"x".repeat(limits::VALUE_BYTES)).unwrap();
    }
    assert!(matches!(layers.commit(), Err(StoreError::TooLarge { .. })));
    layers.rollback();
    assert_eq!((sim.written(), layers.sections("S").len()), (0, 0));
}

#[test]
fn rows_of_a_table() {
    let sim = disk();
    let (mut layers, _) = load(&sim);
    let table = "ManagementServer.InformParameter";
    for name in ["10", "3", "3.Below", "03", "0", "x", "4294967296"] {
        layers.set(&format!("{table}.{name}"), "Enable", "true").unwrap();
    }
    layers.set("ManagementServer.InformParameterX.7", "Enable", "true").unwrap();
    assert_eq!(layers.rows(table), [2, 3, 10]);
    layers.delete_row(table, 3).unwrap();
    assert_eq!(layers.rows(table), [2, 10]);
    assert!(!layers.sections("").contains("ManagementServer.InformParameter.3.Below"));
    layers.delete_row(table, 2).unwrap();
    layers.commit().unwrap();
    let (mut layers, _) = load(&sim);
    assert_eq!(layers.rows(table), [10], "a row of ISP.def stays deleted on this box");
    layers.delete_row(table, 10).unwrap();
    assert_eq!((layers.rows(table), layers.highest_row(table)), (vec![], 2));
    layers.delete_user().unwrap();
    assert_eq!(layers.rows(table), [2]);
}

#[test]
fn on_the_real_file_system_user_ini_belongs_to_its_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("factory.ini"), FACTORY).unwrap();
    let (mut layers, _) = Layers::load(RealFiles::shared(), dir.path()).unwrap();
    layers.set("ManagementServer", "Password", "s3cret").unwrap();
    layers.commit().unwrap();
    layers.set("ManagementServer", "Password", "other").unwrap();
    layers.commit().unwrap();
    let mode = |name: &str| dir.path().join(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("user.ini"), mode("user.ini.1")), (0o600, 0o600));
    let (layers, _) = Layers::load(RealFiles::shared(), dir.path()).unwrap();
    assert_eq!(layers.get("ManagementServer", "Password"), Some("other"));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("factory.ini"), FACTORY).unwrap();
    let (mut layers, _) = Layers::load(RealFiles::shared(), dir.path()).unwrap();
    layers.set("S", "K", "V").unwrap();
    std::fs::remove_dir_all(dir.path()).unwrap();
    let error = layers.commit().unwrap_err().to_string();
    assert!(error.contains("user.ini: cannot write the new content"), "{error}");
}

#[test]
fn what_a_killed_program_left_of_a_commit_is_durable_once_it_was_read() {
    let sim = disk();
    let (mut layers, _) = load(&sim);
    layers.set("ManagementServer", "URL", "http://new/").unwrap();
    sim.cut_at(5);
    layers.commit().unwrap_err();
    let next = sim.after_crash();
    assert_eq!(url(&load(&next).0), "http://new/");
    for left in next.after_cut() {
        assert_eq!(url(&load(&left).0), "http://new/");
    }
}

fn learnt_url(layers: &mut Layers, url: &str) -> Result<bool, StoreError> {
    layers.learn(&[("ManagementServer", "URL", url), ("Discovery", "Interface", "eth0")])
}

#[test]
fn what_dhcp_has_told_lies_between_what_was_set_here_and_what_the_provider_says() {
    let sim = disk();
    let (mut layers, _) = load(&sim);
    layers.set("ManagementServer", "Username", "waits").unwrap();
    assert!(learnt_url(&mut layers, "http://dhcp/").unwrap());
    layers.rollback();
    let (mut layers, problems) = load(&sim);
    assert_eq!((problems, url(&layers)), (vec![], "http://user/"));
    assert_eq!(layers.get("ManagementServer", "Username"), None, "changes that wait are not written with it");
    layers.remove("ManagementServer", "URL");
    assert_eq!(url(&layers), "http://dhcp/");
    assert_eq!(layers.of_layer(Layer::Learnt, "Discovery", "Interface"), Some("eth0"));
    let learnt: Vec<_> = layers.learnt().collect();
    assert_eq!(learnt, [("Discovery", "Interface", "eth0"), ("ManagementServer", "URL", "http://dhcp/")]);
    assert!(layers.learn(&[]).unwrap(), "it is replaced as a whole");
    assert_eq!(url(&load(&sim).0), "http://user/");
}

#[test]
fn what_dhcp_tells_again_is_not_written() {
    let sim = disk();
    let (mut layers, _) = load(&sim);
    assert!(learnt_url(&mut layers, "http://dhcp/").unwrap());
    let written = sim.written();
    assert!(!learnt_url(&mut layers, "http://dhcp/").unwrap());
    assert!(!learnt_url(&mut load(&sim).0, "http://dhcp/").unwrap());
    assert_eq!(sim.written(), written);
    assert!(layers.learn(&[("a\nb", "K", "v")]).is_err());
    assert_eq!(layers.of_layer(Layer::Learnt, "ManagementServer", "URL"), Some("http://dhcp/"));
}

#[test]
fn a_cut_at_any_moment_leaves_what_dhcp_told_before_or_now() {
    for step in 0.. {
        let sim = disk();
        let (mut layers, _) = load(&sim);
        learnt_url(&mut layers, "http://old/").unwrap();
        sim.cut_at(step);
        let learnt = learnt_url(&mut layers, "http://new/").is_ok();
        for disk in sim.after_cut() {
            let (layers, problems) = load(&disk);
            assert_eq!(problems, [], "step {step}");
            let url = layers.of_layer(Layer::Learnt, "ManagementServer", "URL");
            assert!(url == Some("http://new/") || (url == Some("http://old/") && !learnt), "{step}: {url:?}");
        }
        if learnt {
            break;
        }
    }
}

#[test]
fn a_factory_reset_forgets_what_dhcp_has_told() {
    let sim = disk();
    let (mut layers, _) = load(&sim);
    learnt_url(&mut layers, "http://one/").unwrap();
    learnt_url(&mut layers, "http://two/").unwrap();
    layers.delete_user().unwrap();
    assert_eq!(url(&layers), "http://isp/");
    assert_eq!(sim.names(), ["/etc/ISP.def", "/etc/factory.ini"]);
}

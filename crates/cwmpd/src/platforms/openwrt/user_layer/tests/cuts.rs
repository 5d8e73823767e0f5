//! Cuts and full disks at every operation.

use super::*;

/// Runs a scenario with a cut at each of its operations, and looks at all disks that may be left. `look` is told whether the
/// scenario had come to its end.
fn each_cut(
    disk: impl Fn() -> Arc<Sim>,
    run: impl Fn(&Arc<Sim>, usize) -> bool,
    look: impl Fn(&Arc<Sim>, bool),
) {
    for step in 0.. {
        let sim = disk();
        let done = run(&sim, step);
        let cut = sim.is_cut();
        sim.after_cut().iter().for_each(|left| look(left, done));
        if !cut {
            assert!(done && step > 4, "every operation was cut once: {step}");
            break;
        }
    }
}

#[test]
fn a_cut_at_any_moment_of_a_commit_leaves_the_old_or_the_new_values() {
    let seen = std::cell::Cell::new([0, 0]);
    let run = |sim: &Arc<Sim>, step| {
        let mut there = Cpe::start(sim);
        sim.cut_at(step);
        there.set_url("http://new/").is_ok()
    };
    each_cut(
        || disk(&[(UCI, USED)]),
        run,
        |left, done| {
            let mut there = Cpe::start(left);
            assert_eq!(there.problems, [""; 0]);
            let [old, new] = seen.get();
            match (there.url(), there.layers.get("ManagementServer", "ParameterKey")) {
                ("http://old/", None) if !done => seen.set([old + 1, new]),
                ("http://new/", Some("http://new/")) => seen.set([old, new + 1]),
                mixture => panic!("{mixture:?}, done: {done}"),
            }
            assert!(there.real().starts_with(SERVICE.trim_end()));
            there.set_url("http://next/").unwrap();
            assert_eq!(Cpe::start(left).url(), "http://next/");
        },
    );
    let [old, new] = seen.get();
    assert!(old > 0 && new > 0, "{old} {new}");
}

#[test]
fn a_cut_at_any_moment_of_taking_over_loses_nothing() {
    let user = "[ManagementServer]\nURL=http://user/\nUsername=name\n";
    let older = "[ManagementServer]\nURL=http://older/\n";
    let left_by = || disk(&[(UCI, USED), ("/etc/cwmpd/user.ini", user), ("/etc/cwmpd/user.ini.1", older)]);
    let run = |sim: &Arc<Sim>, step| {
        sim.cut_at(step);
        Cpe::try_start(sim).is_ok_and(|there| there.problems.is_empty())
    };
    each_cut(left_by, run, |left, _| {
        let mut there = Cpe::start(left);
        assert_eq!((there.url(), there.problems.len()), ("http://user/", 0));
        assert_eq!(there.layers.get("ManagementServer", "Username"), Some("name"));
        assert_eq!(left.text("/etc/cwmpd/user.ini.migrated").as_deref(), Some(user));
        there.set_url("http://later/").unwrap();
        for again in left.after_cut() {
            assert_eq!(Cpe::start(&again).url(), "http://later/", "it is not taken over again");
        }
    });
}

#[test]
fn a_cut_at_any_moment_of_a_factory_reset_leaves_all_or_nothing() {
    let left_by = || {
        let files = [(UCI, USED), (COPY_FILE, USED), ("/etc/cwmpd/user.ini.migrated", "secret")];
        disk(
            &[
                &files[..],
                &[
                    ("/etc/cwmpd/state/cwmpd.damaged", "secret"),
                    ("/etc/cwmpd/state/cwmpd.uci.damaged", "secret"),
                ],
            ]
            .concat(),
        )
    };
    let run = |sim: &Arc<Sim>, step| {
        let mut there = Cpe::start(sim);
        sim.cut_at(step);
        there.layers.delete_user().is_ok()
    };
    each_cut(left_by, run, |left, done| {
        if done {
            let secret = |name: &String| left.text(name).is_some_and(|text| text.contains("secret"));
            assert_eq!(left.names().into_iter().find(secret), None);
        }
        let there = Cpe::start(left);
        assert_eq!(there.problems, [""; 0]);
        match there.url() {
            "http://factory/" => assert_eq!(there.real(), SERVICE),
            url => assert!(url == "http://old/" && !done, "{url}"),
        }
    });
}

#[test]
fn a_cut_at_any_moment_of_mending_leaves_what_was_set() {
    let left_by = || disk(&[(UCI, "config 'open"), (COPY_FILE, USED)]);
    let run = |sim: &Arc<Sim>, step| {
        sim.cut_at(step);
        Cpe::try_start(sim).is_ok() && !sim.is_cut()
    };
    each_cut(left_by, run, |left, done| {
        let there = Cpe::start(left);
        assert_eq!((there.url(), there.real().as_str()), ("http://old/", USED));
        assert!(there.problems.is_empty() || !done, "{:?}", there.problems);
        assert_eq!(left.text("/etc/cwmpd/state/cwmpd.damaged").as_deref(), Some("config 'open"));
    });
}

#[test]
fn a_full_disk_names_the_file_and_loses_nothing() {
    for step in 0.. {
        let sim = disk(&[(UCI, USED)]);
        let mut there = Cpe::start(&sim);
        sim.fail_at(step, ErrorKind::StorageFull);
        let done = there.set_url("http://new/");
        sim.mend();
        // Where the copy alone could not be written, the change itself holds.
        let expected = if done.is_ok() { "http://new/" } else { "http://old/" };
        if let Err(error) = done {
            assert!(error.is_full() && error.to_string().contains("/cwmpd: cannot "), "{error}");
        } else if step > 12 {
            break;
        }
        assert_eq!(there.url(), expected, "step {step}");
        for left in sim.after_cut() {
            assert_eq!(Cpe::start(&left).url(), expected, "step {step}");
        }
        there.set_url("http://next/").unwrap();
        assert_eq!(Cpe::start(&sim).url(), "http://next/");
    }
}

#[test]
fn a_file_that_may_hold_what_was_refused_is_written_again() {
    let sim = disk(&[(UCI, USED)]);
    let mut there = Cpe::start(&sim);
    there.layers.set("ManagementServer", "URL", "http://refused/").unwrap();
    there.layers.set("New", "Key", "refused").unwrap();
    // The new content has its name; that cannot be made durable, nor undone.
    sim.fail_from(4, ErrorKind::Other);
    there.layers.commit().unwrap_err();
    there.layers.rollback();
    sim.mend();
    assert!(there.real().contains("http://refused/"), "the fsync of the folder is what failed first");
    there.layers.reread().unwrap();
    assert_eq!(there.url(), "http://old/", "what was refused is nobody's change");
    assert!(there.layers.commit().unwrap());
    assert_eq!(there.real(), USED);
    assert!(!there.layers.has_others());
}

#[test]
fn what_cannot_be_taken_over_goes_on_serving() {
    let user = "[ManagementServer]\nURL=http://user/\n";
    let (mut failed, mut step) = (0, 0);
    loop {
        let sim = disk(&[(UCI, USED), ("/etc/cwmpd/user.ini", user)]);
        sim.fail_at(step, ErrorKind::StorageFull);
        let mut there = Cpe::start(&sim);
        sim.mend();
        assert_eq!(there.url(), "http://user/", "step {step}");
        there.set_url("http://later/").unwrap();
        assert_eq!(Cpe::start(&sim).url(), "http://later/", "step {step}");
        failed += there.problems.len();
        step += 1;
        if sim.operations() < step {
            break;
        }
    }
    assert!(failed > 8, "each operation of taking it over was made to fail: {failed}");
}

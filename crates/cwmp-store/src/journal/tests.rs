use std::io::ErrorKind;

use cwmp_core::time::{Mono, Now};

use super::*;
use crate::sim::Sim;

const BOX: &str = "00D09E-Box-1";
const MINUTE: u64 = 60_000;

fn at(boot_id: &str, mono: u64, wall: Option<i64>) -> Moment {
    Moment { boot_id: boot_id.to_owned(), now: Now { mono: Mono(mono), wall: wall.map(Wall) } }
}

fn start() -> Moment {
    at("b1", 0, None)
}

fn open_at(sim: &Arc<Sim>, moment: &Moment) -> Journal<String> {
    let (journal, problems) = Journal::open(sim.clone(), Path::new("/state"), BOX, moment).unwrap();
    assert_eq!(problems, []);
    journal
}

fn open(sim: &Arc<Sim>) -> Journal<String> {
    open_at(sim, &start())
}

fn work(journal: &Journal<String>) -> Option<&str> {
    journal.intent().map(|intent| intent.work.as_str())
}

#[test]
fn an_intent_is_found_until_it_is_closed_and_leaves_nothing_behind() {
    let sim = Sim::with(&[]);
    let mut journal = open(&sim);
    assert_eq!((work(&journal), journal.recovery(&start())), (None, None));
    journal.begin(Way::Back, "secret".to_owned(), &start()).unwrap();
    let found = open(&sim);
    assert_eq!((work(&found), found.recovery(&start())), (Some("secret"), Some(Recovery::Back)));
    let shown = format!("{:?}", found.intent());
    assert!(shown.contains("Applying") && !shown.contains("secret"), "{shown}");
    journal.amend(Way::Forward, "more".to_owned()).unwrap();
    let found = open(&sim);
    assert_eq!((work(&found), found.recovery(&start())), (Some("more"), Some(Recovery::Forward)));
    journal.close().unwrap();
    assert_eq!((work(&open(&sim)), sim.names()), (None, vec![]));
}

#[test]
fn one_intent_is_open_at_a_time() {
    let sim = Sim::with(&[]);
    let mut journal = open(&sim);
    assert!(matches!(journal.amend(Way::Back, "x".to_owned()), Err(StoreError::Busy { .. })));
    let first = journal.begin(Way::Back, "a".to_owned(), &start()).unwrap();
    let busy = journal.begin(Way::Back, "b".to_owned(), &start()).unwrap_err();
    assert!(busy.to_string().starts_with("/state/journal.json: "), "{busy}");
    assert_eq!(work(&open(&sim)), Some("a"));
    journal.close().unwrap();
    assert_eq!(journal.begin(Way::Back, "b".to_owned(), &start()).unwrap(), first + 1);
}

#[test]
fn an_intent_of_another_box_is_reported_and_dropped() {
    let sim = Sim::with(&[]);
    open(&sim).begin(Way::Back, "a".to_owned(), &start()).unwrap();
    let (other, problems) =
        Journal::<String>::open(sim.clone(), Path::new("/state"), "00D09E-Box-2", &start()).unwrap();
    assert_eq!(work(&other), None);
    assert!(problems[0].reason.contains("belongs to 00D09E-Box-1"), "{problems:?}");
    assert_eq!(sim.names(), Vec::<String>::new());
}

#[test]
fn a_cut_at_any_moment_leaves_the_intent_or_none_and_never_an_older_one() {
    let run = |sim: &Arc<Sim>| -> Result<(), StoreError> {
        let mut journal = open(sim);
        journal.begin(Way::Back, "first".to_owned(), &start())?;
        journal.amend(Way::Back, "second".to_owned())?;
        journal.close()?;
        journal.begin(Way::Back, "third".to_owned(), &start())?;
        journal.close()
    };
    let mut seen = std::collections::BTreeSet::new();
    for step in 0.. {
        let sim = Sim::with(&[("/state/other", "")]);
        sim.cut_at(step);
        let done = run(&sim).is_ok();
        for disk in sim.after_cut() {
            let journal = open(&disk);
            let found = work(&journal).unwrap_or("none").to_owned();
            assert!(!done || found == "none", "a closed intent does not come back: {found}");
            seen.insert(found);
            // Whatever the cut has left does not hinder the next change.
            let mut journal = journal;
            journal.close().unwrap();
            journal.begin(Way::Back, "next".to_owned(), &start()).unwrap();
            assert_eq!(work(&open(&disk)), Some("next"));
        }
        if done {
            break;
        }
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["first", "none", "second", "third"]);
}

#[test]
fn a_damaged_journal_is_set_aside_and_nothing_is_undone() {
    let sim = Sim::with(&[("/state/journal.json", "broken")]);
    let (mut journal, problems) =
        Journal::<String>::open(sim.clone(), Path::new("/state"), BOX, &start()).unwrap();
    assert!(problems[0].reason.starts_with("damaged: "), "{problems:?}");
    assert_eq!((work(&journal), journal.recovery(&start())), (None, None));
    journal.begin(Way::Back, "a".to_owned(), &start()).unwrap();
    assert_eq!(work(&open(&sim)), Some("a"));
    journal.close().unwrap();
    assert_eq!(sim.names(), Vec::<String>::new(), "what was set aside may hold secrets");
}

#[test]
fn a_factory_reset_drops_everything() {
    let sim = Sim::with(&[("/state/journal.json.damaged", "secret")]);
    let mut journal = open(&sim);
    journal.begin(Way::Back, "a".to_owned(), &start()).unwrap();
    journal.forget().unwrap();
    assert_eq!((work(&journal), sim.names()), (None, vec![]));
}

#[test]
fn a_full_disk_names_the_file_and_loses_nothing() {
    for step in 0.. {
        let sim = Sim::with(&[("/state/other", "")]);
        let mut journal = open(&sim);
        sim.fail_at(step, ErrorKind::StorageFull);
        let begun = journal.begin(Way::Back, "a".to_owned(), &start());
        if let Err(error) = begun {
            assert!(error.is_full() && error.to_string().contains("/state"), "{error}");
            assert_eq!((work(&journal), work(&open(&sim))), (None, None), "step {step}");
            journal.begin(Way::Back, "b".to_owned(), &start()).unwrap();
            continue;
        }
        // The same for closing: it stays open, and can be closed later.
        match journal.close() {
            Err(error) => {
                assert!(error.is_full() && error.to_string().contains("/state"), "{error}");
                assert_eq!(work(&journal), Some("a"));
                journal.close().unwrap();
                assert_eq!(work(&open(&sim)), None);
            }
            Ok(()) if sim.operations() < step => {
                assert!(step > 9, "every operation was made to fail once");
                break;
            }
            Ok(()) => {}
        }
    }
}

#[test]
fn an_unconfirmed_change_is_undone_when_its_time_is_over() {
    let sim = Sim::with(&[]);
    let mut journal = open(&sim);
    journal.begin(Way::Forward, "a".to_owned(), &start()).unwrap();
    journal.applied(Some(MINUTE), &at("b1", 1000, None)).unwrap();
    assert_eq!(journal.recovery(&at("b1", 2000, None)), Some(Recovery::Wait(MINUTE - 1000)));
    assert_eq!(journal.recovery(&at("b1", 1000 + MINUTE, None)), Some(Recovery::Back));
    // The same after a restart of the program alone.
    let found = open_at(&sim, &at("b1", 2000, None));
    assert_eq!(found.recovery(&at("b1", 2000, None)), Some(Recovery::Wait(MINUTE - 1000)));
    assert!(journal.confirm().unwrap() && !journal.confirm().unwrap());
    assert_eq!((work(&open(&sim)), sim.names()), (None, vec![]));
}

#[test]
fn a_change_that_is_being_applied_cannot_be_confirmed() {
    let sim = Sim::with(&[]);
    let mut journal = open(&sim);
    journal.begin(Way::Back, "a".to_owned(), &start()).unwrap();
    assert!(!journal.confirm().unwrap());
    assert_eq!(work(&open(&sim)), Some("a"));
}

#[test]
fn no_number_of_reboots_extends_the_time_for_ever() {
    let sim = Sim::with(&[]);
    let mut journal = open(&sim);
    journal.begin(Way::Back, "a".to_owned(), &start()).unwrap();
    journal.applied(Some(u64::MAX), &start()).unwrap();
    assert_eq!(journal.recovery(&start()), Some(Recovery::Wait(CONFIRM_MS)), "a day at most");
    for boot in 1..=CONFIRM_BOOTS {
        let moment = at(&format!("boot {boot}"), 5, None);
        assert_eq!(open_at(&sim, &moment).recovery(&moment), Some(Recovery::Wait(CONFIRM_MS)));
        // The program alone starts again: no boot is counted.
        assert_eq!(open_at(&sim, &moment).recovery(&moment), Some(Recovery::Wait(CONFIRM_MS)));
    }
    let last = at("the last", 5, None);
    assert_eq!(open_at(&sim, &last).recovery(&last), Some(Recovery::Back));
}

#[test]
fn after_a_boot_the_date_counts_and_never_lengthens_the_wait() {
    let begun = at("b1", 1000, Some(100_000));
    let deadline = Deadline::new(MINUTE, &begun);
    assert_eq!(deadline.remaining(&at("b2", 3, Some(110_000))), MINUTE - 10_000);
    assert_eq!(deadline.remaining(&at("b2", 3, Some(160_000))), 0);
    assert_eq!(deadline.remaining(&at("b2", 3, Some(0))), MINUTE, "a clock that was set back");
    assert_eq!(deadline.remaining(&at("b2", 3, None)), MINUTE);
    assert_eq!(
        deadline.remaining(&at("b1", 3000, Some(0))),
        MINUTE - 2000,
        "the date is nobody's in its boot"
    );
}

#[test]
fn undoing_goes_on_over_restarts_and_is_given_up_in_the_end() {
    let sim = Sim::with(&[]);
    let mut journal = open(&sim);
    journal.begin(Way::Forward, "a".to_owned(), &start()).unwrap();
    journal.undo().unwrap();
    assert_eq!(open(&sim).recovery(&start()), Some(Recovery::Back), "though the way was forward");
    for _ in 0..RECOVERY_ATTEMPTS {
        let mut found = open(&sim);
        assert_eq!(found.recovery(&start()), Some(Recovery::Back));
        found.undo().unwrap();
        found.failed().unwrap();
    }
    assert_eq!(open(&sim).recovery(&start()), Some(Recovery::GiveUp));
}

#[test]
fn a_before_image_is_a_file_or_bytes_and_is_never_shown() {
    let bytes = Image::of_bytes("/etc/config".into(), b"\0secret\xff".to_vec()).unwrap();
    assert_eq!(format!("{bytes:?}"), "Bytes(8 bytes)");
    let sim = Sim::with(&[]);
    let open = || Journal::<Image>::open(sim.clone(), Path::new("/state"), BOX, &start()).unwrap().0;
    let mut journal = open();
    journal.begin(Way::Back, bytes.clone(), &start()).unwrap();
    assert_eq!(open().intent().unwrap().work, bytes);
    let file = Image::File("/state/before.cfg".into());
    journal.amend(Way::Back, file.clone()).unwrap();
    assert_eq!(open().intent().unwrap().work, file);
    let large = Image::of_bytes("/etc/config".into(), vec![0; IMAGE_BYTES + 1]).unwrap_err();
    assert!(large.to_string().starts_with("/etc/config: "), "{large}");
}

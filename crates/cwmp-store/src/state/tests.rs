use std::{collections::BTreeMap, io::ErrorKind, os::unix::fs::PermissionsExt};

use cwmp_core::{
    event::{EventCode, EventStruct},
    stored::Stored,
};

use super::*;
use crate::{durable::RealFiles, sim::Sim};

const FILE: &str = "/state/state.json";

fn open(sim: &Arc<Sim>) -> (StateFile<Stored>, Option<Stored>, Vec<Problem>) {
    StateFile::open(sim.clone(), Path::new(FILE)).unwrap()
}

fn attempt(retry_count: u32) -> Stored {
    Stored { owner: "00D09E-Box-1".into(), retry_count, ..Stored::default() }
}

/// A disk with attempt 1 in the copy and attempt 2 in the file.
fn disk() -> Arc<Sim> {
    let sim = Sim::with(&[]);
    let (mut file, ..) = open(&sim);
    file.save(&attempt(1)).unwrap();
    file.save(&attempt(2)).unwrap();
    sim
}

#[test]
fn what_is_saved_is_read_after_a_restart() {
    let sim = Sim::with(&[]);
    let (mut file, nothing, problems) = open(&sim);
    assert_eq!((nothing, problems), (None, vec![]));
    let state = Stored { events: vec![EventStruct::new(EventCode::Boot)], ..attempt(3) };
    assert!(file.save(&state).unwrap());
    let (_, read, problems) = open(&sim);
    assert_eq!((read, problems), (Some(state), vec![]));
    let text = sim.text(FILE).unwrap();
    assert!(text.starts_with("cwmpd-state 1 ") && text.lines().count() == 2, "{text}");
}

#[test]
fn any_serde_type_can_be_kept() {
    let sim = Sim::with(&[]);
    let path = Path::new("/state/attributes.json");
    let attributes = BTreeMap::from([("Device.Time.".to_owned(), 2)]);
    let (mut file, ..) = StateFile::open(sim.clone(), path).unwrap();
    file.save(&attributes).unwrap();
    assert_eq!(StateFile::open(sim, path).unwrap().1, Some(attributes));
}

#[test]
fn unchanged_state_writes_nothing() {
    let sim = disk();
    let (mut file, ..) = open(&sim);
    let (operations, written) = (sim.operations(), sim.written());
    assert!(!file.save(&attempt(2)).unwrap());
    assert!(!file.save(&attempt(2)).unwrap());
    assert_eq!((sim.operations(), sim.written(), file.bytes_written()), (operations, written, 0));
    assert!(file.save(&attempt(3)).unwrap());
    assert_eq!(sim.written() - written, file.bytes_written() as usize);
    assert_eq!(file.bytes_written() as usize, sim.text(FILE).unwrap().len());
}

#[test]
fn a_cut_at_any_moment_of_a_save_leaves_the_old_or_the_new_state() {
    let steps = {
        let sim = disk();
        let (mut file, ..) = open(&sim);
        let before = sim.operations();
        file.save(&attempt(3)).unwrap();
        sim.operations() - before
    };
    let mut seen = [0, 0];
    for step in 0..=steps {
        let sim = disk();
        let (mut file, ..) = open(&sim);
        sim.cut_at(step);
        let saved = file.save(&attempt(3));
        assert_eq!(saved.is_ok(), step == steps);
        for disk in sim.after_cut() {
            let (mut file, read, problems) = open(&disk);
            assert_eq!(problems, [], "step {step}");
            match read.unwrap().retry_count {
                2 if saved.is_err() => seen[0] += 1,
                3 => seen[1] += 1,
                other => panic!("step {step}: attempt {other}"),
            }
            file.save(&attempt(4)).unwrap();
            assert_eq!(open(&disk).1, Some(attempt(4)), "what the cut left does not hinder the next save");
        }
    }
    assert!(seen[0] > 0 && seen[1] > 0);
}

#[test]
fn a_cut_at_any_moment_of_a_deletion_leaves_the_newest_state_or_none() {
    for step in 0.. {
        let sim = disk();
        let (mut file, ..) = open(&sim);
        sim.cut_at(step);
        let deleted = file.delete().is_ok();
        for disk in sim.after_cut() {
            let (_, read, problems) = open(&disk);
            assert!(
                problems.is_empty() && (read.is_none() || (read == Some(attempt(2)) && !deleted)),
                "step {step}: {read:?}"
            );
        }
        if deleted {
            assert_eq!(sim.names(), Vec::<String>::new());
            break;
        }
    }
}

#[test]
fn a_failed_save_names_the_file_and_can_be_repeated() {
    for step in 0.. {
        let sim = disk();
        let (mut file, ..) = open(&sim);
        sim.fail_at(step, ErrorKind::StorageFull);
        match file.save(&attempt(3)) {
            Err(error) => {
                assert!(error.is_full() && error.to_string().contains("/state"), "{error}");
                assert!(
                    [Some(attempt(2)), Some(attempt(3))].contains(&open(&sim).1),
                    "step {step}: the newest that was stored, or what was to be"
                );
                assert!(file.save(&attempt(3)).unwrap(), "step {step}");
                assert_eq!(open(&sim).1, Some(attempt(3)), "step {step}");
            }
            Ok(_) => {
                assert!(step >= 6, "every operation was made to fail once");
                break;
            }
        }
    }
}

#[test]
fn a_full_disk_is_not_kept_full_by_half_a_file() {
    let sim = disk();
    let (mut file, ..) = open(&sim);
    sim.fail_at(2, ErrorKind::StorageFull);
    let error = file.save(&attempt(3)).unwrap_err().to_string();
    assert!(error.starts_with("/state/state.json: cannot make the new content durable"), "{error}");
    assert_eq!(sim.names(), [FILE, "/state/state.json.1"]);
    assert_eq!(open(&sim).1, Some(attempt(2)));
}

#[test]
fn a_damaged_file_is_set_aside_and_the_copy_serves() {
    let good = disk();
    let (newest, copy) = (good.text(FILE).unwrap(), good.text("/state/state.json.1").unwrap());
    let damaged = [
        "",
        "garbage",
        "\n",
        "cwmpd-state\n{}",
        "cwmpd-state x y\n{}",
        &newest.replace(":2", ":7"),
        newest.strip_suffix("}").unwrap(),
    ];
    for text in damaged {
        let sim = Sim::with(&[(FILE, text), ("/state/state.json.1", &copy)]);
        let (mut file, read, problems) = open(&sim);
        assert_eq!(read, Some(attempt(1)), "{text}");
        let report = problems[0].to_string();
        assert!(
            report.starts_with("/state/state.json: damaged: ") && report.contains("state.json.damaged"),
            "{report}"
        );
        assert_eq!(sim.text("/state/state.json.damaged").as_deref(), Some(text));
        // The copy holds this already, so there is nothing to write; and a new state takes the file's place.
        assert!(!file.save(&attempt(1)).unwrap());
        file.save(&attempt(5)).unwrap();
        assert_eq!(open(&sim).1, Some(attempt(5)));
    }
}

#[test]
fn without_any_whole_file_the_agent_starts_anew() {
    let sim = Sim::with(&[(FILE, "x"), ("/state/state.json.1", "y")]);
    let (mut file, read, problems) = open(&sim);
    assert_eq!((read, problems.len()), (None, 2));
    file.save(&attempt(1)).unwrap();
    file.delete().unwrap();
    assert_eq!(sim.names(), Vec::<String>::new());
}

#[test]
fn json_of_another_shape_is_damage() {
    let json = "{\"retry_count\":\"many\"}";
    let text = format!("cwmpd-state 1 {}\n{json}", HEXLOWER.encode(&Sha256::digest(json)));
    let sim = Sim::with(&[(FILE, &text)]);
    let (_, read, problems) = open(&sim);
    assert!(read.is_none() && problems[0].reason.contains("the JSON does not fit"), "{problems:?}");
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let copy = disk().text(FILE).unwrap();
    let text = "cwmpd-state 2 whatever\nnobody knows";
    let sim = Sim::with(&[(FILE, text), ("/state/state.json.1", &copy)]);
    let error = StateFile::<Stored>::open(sim.clone(), Path::new(FILE)).err().unwrap().to_string();
    assert!(error.contains("format 2, this one knows 1"), "{error}");
    assert_eq!(sim.text(FILE).as_deref(), Some(text));
    assert_eq!(sim.operations(), 0);
}

/// What format 1 kept, before there was a second number.
const UPGRADING: Format = Format {
    current: 2,
    upgrade: |found, json| {
        let old: u32 = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        if old == 0 {
            Err("0 was never right".to_owned())
        } else {
            serde_json::to_vec(&(found, old)).map_err(|e| e.to_string())
        }
    },
};

#[test]
fn an_older_format_is_upgraded_and_written_anew_with_the_next_save() {
    let sim = Sim::with(&[]);
    let (mut old, ..) = StateFile::<u32>::open(sim.clone(), Path::new(FILE)).unwrap();
    old.save(&7).unwrap();
    let open = || StateFile::<(u32, u32)>::open_as(sim.clone(), Path::new(FILE), UPGRADING).unwrap();
    let (mut file, read, problems) = open();
    assert_eq!((read, problems), (Some((1, 7)), vec![]));
    assert!(sim.text(FILE).unwrap().starts_with("cwmpd-state 1 "), "a start writes nothing");
    assert!(file.save(&(1, 7)).unwrap(), "the same value, in the current form");
    assert!(sim.text(FILE).unwrap().starts_with("cwmpd-state 2 "));
    let (mut file, read, _) = open();
    assert_eq!(read, Some((1, 7)));
    assert!(!file.save(&(1, 7)).unwrap());
    let refused = StateFile::<u32>::open(sim.clone(), Path::new(FILE)).err().unwrap();
    assert!(matches!(refused, StoreError::NewerFormat { found: 2, known: 1, .. }), "{refused}");
}

#[test]
fn an_older_format_that_cannot_be_upgraded_is_damage() {
    let sim = Sim::with(&[]);
    let (mut old, ..) = StateFile::<u32>::open(sim.clone(), Path::new(FILE)).unwrap();
    old.save(&0).unwrap();
    let (_, read, problems) =
        StateFile::<(u32, u32)>::open_as(sim.clone(), Path::new(FILE), UPGRADING).unwrap();
    assert!(read.is_none() && problems[0].reason.contains("0 was never right"), "{problems:?}");
    assert!(sim.text("/state/state.json.damaged").is_some());
}

#[test]
fn a_state_that_is_too_large_is_refused_before_anything_is_written() {
    let sim = Sim::with(&[]);
    let (mut file, ..) = StateFile::<String>::open(sim.clone(), Path::new(FILE)).unwrap();
    let before = sim.operations();
    assert!(matches!(file.save(&"x".repeat(STATE_BYTES)), Err(StoreError::TooLarge { .. })));
    assert_eq!(sim.operations(), before);
}

#[test]
fn files_and_folder_belong_to_their_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("a/state");
    let path = state.join("state.json");
    let (mut file, ..) = StateFile::open(RealFiles::shared(), &path).unwrap();
    file.save(&attempt(1)).unwrap();
    file.save(&attempt(2)).unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&state), 0o700);
    assert_eq!((mode(&path), mode(&durable::copy_of(&path))), (0o600, 0o600));
    assert_eq!(StateFile::<Stored>::open(RealFiles::shared(), &path).unwrap().1, Some(attempt(2)));
}

#[test]
fn what_a_killed_program_left_of_a_save_is_durable_once_it_was_read() {
    let sim = disk();
    let (mut file, ..) = open(&sim);
    // Before the names are made durable.
    sim.cut_at(5);
    file.save(&attempt(3)).unwrap_err();
    let next = sim.after_crash();
    assert_eq!(open(&next).1, Some(attempt(3)));
    for left in next.after_cut() {
        assert_eq!(open(&left).1, Some(attempt(3)));
    }
}

#[test]
fn a_save_that_fails_at_its_very_end_leaves_what_was_there() {
    for (sim, before) in [(disk(), Some(attempt(2))), (Sim::with(&[]), None)] {
        let (mut file, ..) = open(&sim);
        sim.fail_at(5, ErrorKind::StorageFull);
        file.save(&attempt(3)).unwrap_err();
        assert_eq!(open(&sim).1, before);
        for left in sim.after_cut() {
            assert_eq!(open(&left).1, before);
        }
        assert!(file.save(&attempt(3)).unwrap());
        assert_eq!(open(&sim).1, Some(attempt(3)));
    }
}

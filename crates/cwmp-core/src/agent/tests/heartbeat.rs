//! `14 HEARTBEAT`: 3.25 of the conformance list.

use super::bench::{Bench, events, settings};
use crate::{
    datetime::DateTime,
    io::{BootCause, Input},
    settings::{AgentSettings, HeartbeatPolicy},
    stored::Stored,
};

fn beating(reporting_interval: u32, initiation_time: &str) -> AgentSettings {
    let initiation_time = DateTime::parse(initiation_time).unwrap();
    AgentSettings {
        heartbeat_policy: HeartbeatPolicy { enable: true, reporting_interval, initiation_time },
        ..settings()
    }
}

/// Conformance: 3.25
#[test]
fn it_comes_on_the_grid_of_initiation_time_and_stops_when_disabled() {
    for time in ["2023-01-01T00:00:07Z", "2030-01-01T00:00:07Z"] {
        let mut bench = Bench::start(beating(30, time), Stored::default(), BootCause::Boot);
        bench.whole_session();
        // 22:13:20: 17 s to the next point.
        assert_eq!(bench.sleep(), 17_000, "{time}");
        for _ in 0..3 {
            assert_eq!(events(&bench.whole_session()), ["14 HEARTBEAT"]);
            assert_eq!(bench.sleep(), 30_000);
        }
        bench.whole_session();
        bench.input(Input::SettingsChanged(Box::new(settings())));
        bench.advance(3_600_000);
        bench.expect_nothing();
    }
}

/// Conformance: 3.25
/// With Unknown Time the phase is ours.
#[test]
fn with_unknown_time_it_counts_from_when_it_was_enabled() {
    let mut bench = Bench::known();
    bench.input(Input::SettingsChanged(Box::new(beating(45, "0001-01-01T00:00:00Z"))));
    for _ in 0..3 {
        assert_eq!(bench.sleep(), 45_000);
        assert_eq!(events(&bench.whole_session()), ["14 HEARTBEAT"]);
    }
}

/// Conformance: 3.25
/// The choice where Annex O could not be read.
#[test]
fn it_is_not_reported_again_when_its_session_fails_nor_after_a_boot() {
    let mut bench = Bench::start(beating(3600, "0001-01-01T00:00:00Z"), Stored::default(), BootCause::Boot);
    bench.whole_session();
    bench.sleep();
    assert_eq!(events(&bench.expect_session()), ["14 HEARTBEAT"]);
    bench.connection_lost();
    bench.expect_close();
    let mut booted = bench.boot_after(1000, settings());
    assert_eq!(events(&booted.whole_session()), ["1 BOOT"]);
    bench.sleep();
    let inform = bench.expect_session();
    assert_eq!((events(&inform).len(), inform.retry_count), (0, 1));
}

/// Conformance: 2.15
/// It ends the wait before a retry and carries what is owed.
#[test]
fn it_rides_with_other_events() {
    let mut bench = Bench::start(beating(30, "0001-01-01T00:00:00Z"), Stored::default(), BootCause::Boot);
    bench.expect_session();
    bench.advance(29_000);
    bench.connection_lost();
    bench.expect_close();
    bench.advance(1000);
    assert_eq!(events(&bench.expect_session()), ["0 BOOTSTRAP", "1 BOOT", "14 HEARTBEAT"]);
}

/// Conformance: 13.10
#[test]
fn it_changes_nothing_on_the_disk() {
    let mut bench = Bench::start(beating(30, "0001-01-01T00:00:00Z"), Stored::default(), BootCause::Boot);
    bench.whole_session();
    bench.writes = 0;
    for _ in 0..100 {
        bench.sleep();
        bench.whole_session();
    }
    assert_eq!(bench.writes, 0);
}

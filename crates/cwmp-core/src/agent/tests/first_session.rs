//! What the first session after a boot waits for.

use super::bench::{Bench, events, settings};
use crate::{
    io::{BootCause, Input, LocalCommand},
    settings::AgentSettings,
    stored::Stored,
    time::{Mono, Now, Wall},
};

fn waiting(boot_wait: u32, clock_wait: u32) -> AgentSettings {
    AgentSettings { boot_wait, clock_wait, ..settings() }
}

fn clockless(settings: AgentSettings) -> Bench {
    let now = Now { mono: Mono(20_000), wall: None };
    Bench::start_at(now, settings, Stored::default(), BootCause::Boot)
}

#[test]
fn it_comes_at_once_where_nothing_else_is_set() {
    let mut bench = clockless(settings());
    assert_eq!(events(&bench.expect_session()), ["0 BOOTSTRAP", "1 BOOT"]);
}

/// Conformance: 13.08
#[test]
fn the_wait_after_a_boot_is_random_up_to_what_is_set() {
    let mut bench = Bench::start(waiting(300, 0), Stored::default(), BootCause::Boot);
    bench.expect_nothing();
    let wait = bench.sleep();
    assert!((1..=300_000).contains(&wait), "{wait}");
    assert_eq!(events(&bench.whole_session()), ["0 BOOTSTRAP", "1 BOOT"]);
    bench.connection_request();
    bench.whole_session();

    let mut restarted = bench.program_restart(waiting(300, 0));
    restarted.input(Input::Command(LocalCommand::Inform));
    restarted.whole_session();
}

#[test]
fn it_does_not_wait_after_a_restart_of_the_program() {
    let mut bench = Bench::start(waiting(300, 60), Stored::default(), BootCause::AgentRestart);
    assert_eq!(events(&bench.whole_session()), ["0 BOOTSTRAP"]);
}

#[test]
fn it_waits_for_the_clock_but_not_for_ever() {
    let mut bench = clockless(waiting(0, 60));
    bench.expect_nothing();
    assert_eq!(bench.sleep(), 60_000);
    assert_eq!(bench.expect_session().current_time.to_string(), "0001-01-01T00:00:00Z");

    let mut bench = clockless(waiting(0, 60));
    bench.advance(10_000);
    bench.expect_nothing();
    bench.now.wall = Some(Wall::from_seconds(1_700_000_000));
    bench.input(Input::ClockStepped);
    assert_eq!(bench.expect_session().current_time.to_string(), "2023-11-14T22:13:20Z");
}

#[test]
fn a_clock_that_knows_the_date_is_not_waited_for() {
    let mut bench = Bench::start(waiting(0, 60), Stored::default(), BootCause::Boot);
    bench.whole_session();
}

/// Conformance: 6.01
/// A connection request is served within 30 s, boot or not.
#[test]
fn a_connection_request_or_somebody_on_the_box_ends_the_wait() {
    let mut bench = clockless(waiting(300, 300));
    bench.connection_request();
    assert_eq!(events(&bench.whole_session()), ["0 BOOTSTRAP", "1 BOOT", "6 CONNECTION REQUEST"]);
    for command in [LocalCommand::Inform, LocalCommand::AcsMethods] {
        let mut bench = clockless(waiting(300, 300));
        bench.input(Input::Command(command));
        bench.expect_session();
    }
}

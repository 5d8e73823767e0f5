//! DelayReboot and ScheduleReboot: 8.06 of the conformance list.

use super::bench::{Bench, Seen, events, settings};
use crate::{
    datetime::DateTime,
    io::{Input, RebootCause},
    settings::{AgentSettings, DelayReboot},
    time::Wall,
};

fn delayed(seconds: u32) -> AgentSettings {
    ordered(Some(seconds), 1)
}

/// DelayReboot set for the `order`th time.
fn ordered(seconds: Option<u32>, order: u32) -> AgentSettings {
    AgentSettings { delay_reboot: DelayReboot { seconds, order }, ..settings() }
}

fn at(wall: i64) -> AgentSettings {
    AgentSettings { schedule_reboot: DateTime::At(Wall(wall)), ..settings() }
}

fn set(bench: &mut Bench, settings: AgentSettings) {
    bench.input(Input::SettingsChanged(Box::new(settings)));
}

fn wall(bench: &Bench) -> i64 {
    bench.now.wall.unwrap().0
}

fn expect_restart(bench: &mut Bench) {
    assert_eq!(bench.seen.remove(0), Seen::Restart(RebootCause::Local));
    bench.expect_nothing();
}

/// Conformance: 8.06
#[test]
fn delay_reboot_counts_from_the_end_of_the_session_and_has_no_m_reboot() {
    let mut bench = Bench::known();
    bench.connection_request();
    bench.establish();
    set(&mut bench, delayed(5));
    bench.advance(60_000);
    bench.expect_nothing();
    bench.reply_empty();
    bench.expect_close();
    bench.expect_nothing();
    assert_eq!(bench.sleep(), 5000);
    expect_restart(&mut bench);
    // The parameter is back at -1.
    let mut bench = bench.boot_after(30_000, settings());
    assert_eq!(events(&bench.whole_session()), ["1 BOOT"]);
    bench.advance(3_600_000);
    bench.expect_nothing();
}

/// Conformance: 8.06
#[test]
fn a_delay_of_0_restarts_at_the_end_of_the_session() {
    let mut bench = Bench::known();
    bench.connection_request();
    bench.establish();
    set(&mut bench, delayed(0));
    bench.expect_nothing();
    bench.reply_empty();
    bench.expect_close();
    expect_restart(&mut bench);
}

/// Conformance: 8.06
#[test]
fn delay_reboot_waits_for_another_session_and_can_be_taken_back() {
    let mut bench = Bench::known();
    set(&mut bench, delayed(5));
    bench.connection_request();
    bench.establish();
    bench.advance(10_000);
    bench.expect_nothing();
    bench.reply_empty();
    bench.expect_close();
    expect_restart(&mut bench);

    let mut bench = Bench::known();
    set(&mut bench, delayed(5));
    set(&mut bench, ordered(None, 2));
    bench.advance(60_000);
    bench.expect_nothing();
    assert_eq!(bench.stored.delayed_reboot, None);
}

/// Conformance: 8.06
/// The value that is there already is an order all the same.
#[test]
fn the_same_delay_set_again_counts_anew() {
    let mut bench = Bench::known();
    set(&mut bench, delayed(5));
    bench.advance(4000);
    set(&mut bench, ordered(Some(5), 2));
    assert_eq!(bench.sleep(), 5000);
    expect_restart(&mut bench);
    bench.input(Input::RestartFailed("busy".into()));
    set(&mut bench, ordered(Some(5), 3));
    assert_eq!(bench.sleep(), 5000);
    expect_restart(&mut bench);
}

/// Conformance: 8.06
/// A boot of another cause ends it, a restart of the program alone does not.
#[test]
fn delay_reboot_is_void_after_a_boot_and_survives_a_restart_of_the_program() {
    let mut bench = Bench::known();
    set(&mut bench, delayed(100));
    bench.advance(40_000);
    let mut restarted = bench.program_restart(settings());
    assert_eq!(restarted.sleep(), 60_000);
    expect_restart(&mut restarted);
    let mut restarted = bench.program_restart(settings());
    set(&mut restarted, ordered(None, 1));
    restarted.advance(3_600_000);
    restarted.expect_nothing();

    let mut booted = bench.boot_after(10_000, settings());
    booted.whole_session();
    booted.advance(3_600_000);
    booted.expect_nothing();
}

/// Conformance: 8.06
#[test]
fn schedule_reboot_comes_at_its_moment_once() {
    let mut bench = Bench::known();
    let settings = at(wall(&bench) + 600_000);
    set(&mut bench, settings.clone());
    assert_eq!(bench.sleep(), 600_000);
    expect_restart(&mut bench);
    let mut bench = bench.boot_after(30_000, settings.clone());
    assert_eq!(events(&bench.whole_session()), ["1 BOOT"]);
    bench.advance(3_600_000);
    bench.expect_nothing();
    // A box without a battery for its clock comes up in the past and learns the date later.
    let mut bench = bench.boot_after(-90 * 86_400_000, settings);
    bench.whole_session();
    bench.step_clock(91 * 86_400_000);
    bench.advance(60_000);
    bench.expect_nothing();
}

/// Conformance: 8.06
#[test]
fn schedule_reboot_in_the_past_and_unknown_time_do_nothing() {
    let mut bench = Bench::known();
    for settings in [at(wall(&bench) - 1), at(wall(&bench)), settings()] {
        set(&mut bench, settings.clone());
        bench.advance(3_600_000);
        bench.expect_nothing();
        bench = bench.boot_after(1000, settings);
        bench.whole_session();
    }
}

/// Conformance: 8.06
/// Now + 5 in a held session.
#[test]
fn schedule_reboot_that_comes_during_a_session_waits_for_its_end() {
    let mut bench = Bench::known();
    bench.connection_request();
    bench.establish();
    let settings = at(wall(&bench) + 5000);
    set(&mut bench, settings);
    bench.advance(20_000);
    bench.expect_nothing();
    bench.reply_empty();
    bench.expect_close();
    expect_restart(&mut bench);
}

#[test]
fn schedule_reboot_survives_a_power_cut_before_its_moment() {
    let mut bench = Bench::known();
    let settings = at(wall(&bench) + 600_000);
    set(&mut bench, settings.clone());
    let mut bench = bench.boot_after(100_000, settings);
    bench.whole_session();
    assert_eq!(bench.sleep(), 500_000);
    expect_restart(&mut bench);
}

/// Conformance: 8.06
/// Whether the moment lies ahead is decided when the date is known.
#[test]
fn schedule_reboot_without_a_clock_waits_until_the_date_is_known() {
    let known = Bench::known();
    let moment = wall(&known) + 600_000;
    for (now, ahead) in [(moment - 50_000, true), (moment + 50_000, false)] {
        let mut bench = known.boot_without_clock(at(moment));
        bench.whole_session();
        bench.advance(1000);
        bench.now.wall = Some(Wall(now));
        bench.input(Input::ClockStepped);
        bench.advance(50_000);
        assert_eq!(bench.seen.len(), usize::from(ahead), "{:?}", bench.seen);
    }
}

/// Conformance: 13.11
#[test]
fn schedule_reboot_follows_the_date_when_the_clock_is_set() {
    let mut bench = Bench::known();
    let settings = at(wall(&bench) + 600_000);
    set(&mut bench, settings);
    bench.step_clock(-100_000);
    assert_eq!(bench.sleep(), 700_000);
    expect_restart(&mut bench);

    let mut bench = Bench::known();
    let settings = at(wall(&bench) + 600_000);
    set(&mut bench, settings);
    bench.step_clock(365 * 86_400_000);
    expect_restart(&mut bench);
}

#[test]
fn a_restart_that_fails_is_not_tried_again_and_again() {
    let mut bench = Bench::known();
    set(&mut bench, delayed(5));
    bench.sleep();
    expect_restart(&mut bench);
    bench.input(Input::RestartFailed("/sbin/reboot: not found".into()));
    bench.advance(3_600_000);
    bench.expect_nothing();
    bench.connection_request();
    assert_eq!(events(&bench.whole_session()), ["6 CONNECTION REQUEST"]);
}

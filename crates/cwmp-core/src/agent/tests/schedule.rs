//! ScheduleInform: 4.45 to 4.47, 3.02, 3.03, 3.13, 3.27 of the conformance list.

use proptest::prelude::*;

use super::bench::{Bench, events, settings};
use crate::{
    event::{EventCode, EventStruct},
    fault::FaultCode,
    io::Input,
    limits,
    rpc::{CommandKey, CpeRequest, CpeResponse, ScheduleInform},
    time::Wall,
};

const YEAR_MS: i64 = 365 * 86_400_000;

fn schedule(delay_seconds: u32, key: &str) -> CpeRequest {
    CpeRequest::ScheduleInform(ScheduleInform { delay_seconds, command_key: CommandKey::new(key).unwrap() })
}

/// A box that has promised these in one session, some time after its boot.
fn promised(calls: &[(u32, &str)]) -> Bench {
    let mut bench = Bench::known();
    promise(&mut bench, calls);
    bench
}

fn promise(bench: &mut Bench, calls: &[(u32, &str)]) {
    bench.connection_request();
    bench.establish();
    for (delay, key) in calls {
        bench.call(schedule(*delay, key));
        assert_eq!(bench.expect_response(), CpeResponse::ScheduleInform, "{key}");
    }
    bench.reply_empty();
    bench.expect_close();
    bench.expect_nothing();
}

fn m_events(listed: &[String]) -> usize {
    listed.iter().filter(|event| event.starts_with("M ScheduleInform")).count()
}

/// Conformance: 4.45
#[test]
fn a_delay_of_0_is_refused_and_the_longest_is_taken() {
    let mut bench = Bench::fresh();
    bench.establish();
    bench.call(schedule(0, "k"));
    assert_eq!(bench.expect_fault().cwmp.unwrap().code, FaultCode::INVALID_ARGUMENTS);
    assert_eq!(bench.stored.schedules, []);
    bench.call(schedule(u32::MAX, "k"));
    assert_eq!(bench.expect_response(), CpeResponse::ScheduleInform);
    assert_eq!(bench.stored.schedules[0].wait.remaining_ms, u64::from(u32::MAX) * 1000);
}

/// Conformance: 4.14
#[test]
fn get_rpc_methods_lists_schedule_inform() {
    let mut bench = Bench::fresh();
    bench.establish();
    bench.call(CpeRequest::GetRPCMethods);
    let CpeResponse::GetRPCMethods(methods) = bench.expect_response() else { panic!("another response") };
    assert!(methods.iter().any(|method| method == "ScheduleInform"));
}

/// Conformance: 4.46, 3.13, 3.27, 2.01
#[test]
fn several_calls_are_kept_apart_and_those_of_one_moment_share_a_session() {
    let mut bench = promised(&[(10, "a"), (15, "b"), (15, "c")]);
    assert_eq!(bench.sleep(), 10_000);
    assert_eq!(events(&bench.whole_session()), ["3 SCHEDULED", "M ScheduleInform a"]);
    assert_eq!(bench.sleep(), 5000);
    assert_eq!(events(&bench.whole_session()), ["3 SCHEDULED", "M ScheduleInform b", "M ScheduleInform c"]);
    bench.advance(1_000_000);
    bench.expect_nothing();
    assert_eq!((bench.stored.schedules.len(), bench.stored.events.len()), (0, 0));
}

/// Conformance: 4.46
/// The delay counts from the call, however long its session lasts.
#[test]
fn a_call_that_falls_due_during_its_session_is_reported_right_after_it() {
    let mut bench = Bench::known();
    bench.connection_request();
    bench.establish();
    bench.call(schedule(5, "k"));
    bench.expect_response();
    bench.advance(60_000);
    bench.expect_nothing();
    bench.reply_empty();
    bench.expect_close();
    assert_eq!(events(&bench.whole_session()), ["3 SCHEDULED", "M ScheduleInform k"]);
}

#[test]
fn the_call_is_stored_before_the_response_is_sent() {
    let mut bench = Bench::fresh();
    bench.establish();
    bench.store_answers = false;
    bench.call(schedule(5, "k"));
    bench.advance(10_000);
    bench.expect_nothing();
    bench.answer_store(true);
    assert_eq!(bench.expect_response(), CpeResponse::ScheduleInform);
    bench.reply_empty();
    bench.expect_close();
    assert_eq!(events(&bench.expect_session()), ["3 SCHEDULED", "M ScheduleInform k"]);
}

#[test]
fn a_call_that_cannot_be_stored_is_refused_and_forgotten_even_when_it_is_due_by_then() {
    let mut bench = Bench::known();
    bench.connection_request();
    bench.establish();
    bench.store_answers = false;
    bench.call(schedule(5, "k"));
    bench.advance(10_000);
    bench.answer_store(false);
    assert_eq!(bench.expect_fault().cwmp.unwrap().code, FaultCode::INTERNAL_ERROR);
    bench.store_answers = true;
    bench.reply_empty();
    bench.expect_close();
    bench.expect_nothing();
    assert_eq!(bench.stored.schedules, []);
}

/// 13.11: that its date is written anew does not make it another call.
#[test]
fn a_call_that_cannot_be_stored_is_forgotten_although_the_clock_was_set_meanwhile() {
    let mut bench = Bench::known();
    bench.connection_request();
    bench.establish();
    bench.store_answers = false;
    bench.call(schedule(5, "k"));
    bench.step_clock(YEAR_MS);
    bench.advance(10_000);
    bench.answer_store(false);
    assert_eq!(bench.expect_fault().cwmp.unwrap().code, FaultCode::INTERNAL_ERROR);
    bench.store_answers = true;
    bench.reply_empty();
    bench.expect_close();
    bench.expect_nothing();
    assert_eq!(bench.stored.schedules, []);
}

#[test]
fn a_call_whose_session_breaks_before_the_response_is_kept_once_it_is_stored() {
    let mut bench = Bench::known();
    bench.connection_request();
    bench.establish();
    bench.store_answers = false;
    bench.call(schedule(3600, "k"));
    bench.connection_lost();
    bench.expect_close();
    bench.store_answers = true;
    bench.answer_store(true);
    bench.sleep();
    bench.whole_session();
    bench.advance(3_600_000);
    assert_eq!(events(&bench.whole_session()), ["3 SCHEDULED", "M ScheduleInform k"]);
}

/// Conformance: 4.47
#[test]
fn a_boot_within_the_delay_does_not_change_when_it_is_due() {
    let mut bench = promised(&[(3600, "k")]);
    bench.advance(600_000);
    let mut bench = bench.boot_after(1_000_000, settings());
    assert_eq!(events(&bench.whole_session()), ["1 BOOT"]);
    assert_eq!(bench.sleep(), 2_000_000);
    assert_eq!(events(&bench.whole_session()), ["3 SCHEDULED", "M ScheduleInform k"]);
    let mut bench = bench.boot_after(0, settings());
    assert_eq!(events(&bench.whole_session()), ["1 BOOT"], "reported once");
}

/// Conformance: 4.47
#[test]
fn what_fell_due_while_the_box_was_off_is_reported_with_the_boot() {
    let bench = promised(&[(3600, "a"), (3700, "b")]);
    let mut bench = bench.boot_after(3_650_000, settings());
    assert_eq!(events(&bench.whole_session()), ["1 BOOT", "3 SCHEDULED", "M ScheduleInform a"]);
    assert_eq!(bench.sleep(), 50_000);
    assert_eq!(events(&bench.whole_session()), ["3 SCHEDULED", "M ScheduleInform b"]);
}

/// Conformance: 4.47, 3.05
/// An event that is due and undelivered outlives any number of power cuts.
#[test]
fn an_event_once_due_survives_power_cuts_until_it_is_delivered() {
    let mut bench = promised(&[(10, "k")]);
    bench.reachable = false;
    bench.sleep();
    for _ in 0..3 {
        bench = bench.boot_after(5000, settings());
        assert_eq!(events(&bench.expect_session()), ["1 BOOT", "3 SCHEDULED", "M ScheduleInform k"]);
    }
    bench.inform_response();
    let mut bench = bench.boot_after(5000, settings());
    assert_eq!(events(&bench.whole_session()), ["1 BOOT"]);
}

/// Conformance: 4.47, 13.11
/// The date becomes known some time after the boot.
#[test]
fn a_box_that_learns_the_date_late_counts_the_time_that_it_was_off() {
    let bench = promised(&[(3600, "k")]);
    let due = bench.now.wall.unwrap().0 + 3_600_000;
    let mut bench = bench.boot_without_clock(settings());
    bench.whole_session();
    bench.advance(60_000);
    bench.now.wall = Some(Wall(due - 100_000));
    bench.advance(0);
    assert_eq!(bench.sleep(), 100_000);
    assert_eq!(events(&bench.whole_session()), ["3 SCHEDULED", "M ScheduleInform k"]);
}

/// Conformance: 4.47
/// Without a clock the wait is late rather than lost.
#[test]
fn a_box_without_a_clock_waits_for_what_was_left_at_the_last_orderly_restart() {
    let mut bench = Bench::known().boot_without_clock(settings());
    bench.whole_session();
    promise(&mut bench, &[(3600, "k")]);
    bench.advance(600_000);
    let cut = bench.boot_without_clock(settings());
    assert_eq!(cut.stored.schedules[0].wait.remaining_ms, 3_600_000, "a power cut: all of it again");

    bench.input(Input::Command(crate::io::LocalCommand::Reboot));
    bench.seen.clear();
    let mut bench = bench.boot_without_clock(settings());
    bench.whole_session();
    assert_eq!(bench.sleep(), 3_000_000);
    assert_eq!(events(&bench.whole_session()), ["3 SCHEDULED", "M ScheduleInform k"]);
}

#[test]
fn a_restart_of_the_program_alone_changes_nothing() {
    let mut bench = promised(&[(3600, "k")]);
    bench.advance(600_000);
    bench.now.wall = None;
    let mut bench = bench.program_restart(settings());
    bench.expect_nothing();
    assert_eq!(bench.sleep(), 3_000_000);
    assert_eq!(events(&bench.whole_session()), ["3 SCHEDULED", "M ScheduleInform k"]);
}

/// Conformance: 13.11
#[test]
fn jumps_of_the_clock_neither_lose_nor_multiply_nor_move_it() {
    for jump in [YEAR_MS, -YEAR_MS] {
        let mut bench = promised(&[(3600, "k")]);
        bench.advance(600_000);
        bench.step_clock(jump);
        // The date goes with the clock: a boot later on counts from the new one.
        let mut booted = bench.boot_after(1_000_000, settings());
        booted.whole_session();
        assert_eq!(booted.sleep(), 2_000_000, "{jump}");
        assert_eq!(bench.sleep(), 3_000_000, "{jump}");
        assert_eq!(events(&bench.whole_session()), ["3 SCHEDULED", "M ScheduleInform k"]);
        bench.step_clock(-jump);
        bench.advance(7_200_000);
        bench.expect_nothing();
    }
}

/// Conformance: 13.11
/// A clock that is wrong at the boot makes the wait no longer than the ACS asked for.
#[test]
fn a_clock_far_in_the_past_at_the_boot_does_not_put_it_off_for_years() {
    let bench = promised(&[(3600, "k")]);
    let mut bench = bench.boot_after(-YEAR_MS, settings());
    bench.whole_session();
    assert_eq!(bench.sleep(), 3_600_000);
    assert_eq!(events(&bench.whole_session()), ["3 SCHEDULED", "M ScheduleInform k"]);
}

/// Conformance: 3.03
#[test]
fn calls_that_expire_while_the_acs_is_away_are_one_3_scheduled_and_an_m_each() {
    let mut bench = promised(&[(10, "a"), (20, "b"), (30, "c")]);
    bench.reachable = false;
    bench.advance(10_000);
    bench.advance(10_000);
    bench.advance(10_000);
    bench.reachable = true;
    bench.seen.clear();
    bench.connection_request();
    assert_eq!(
        events(&bench.whole_session()),
        [
            "3 SCHEDULED",
            "6 CONNECTION REQUEST",
            "M ScheduleInform a",
            "M ScheduleInform b",
            "M ScheduleInform c"
        ]
    );
}

/// Conformance: 3.02, 3.13
#[test]
fn seventy_that_fire_together_take_two_sessions_each_with_3_scheduled() {
    let keys: Vec<String> = (0..70).map(|n| format!("k{n:02}")).collect();
    let calls: Vec<(u32, &str)> = keys.iter().map(|key| (10, key.as_str())).collect();
    let mut bench = promised(&calls);
    bench.value_change = true;
    bench.sleep();
    let mut reported = Vec::new();
    for expected in [62, 8] {
        let inform = bench.whole_session();
        let listed = events(&inform);
        assert!(listed.len() <= limits::INFORM_EVENTS);
        assert_eq!(listed[0], "3 SCHEDULED");
        assert_eq!(m_events(&listed), expected, "{listed:?}");
        reported.extend(listed.into_iter().filter(|event| event.starts_with('M')));
    }
    bench.expect_nothing();
    let all: Vec<String> = keys.iter().map(|key| format!("M ScheduleInform {key}")).collect();
    assert_eq!(reported, all, "each once, the value change beside them");
}

#[test]
fn beyond_the_limit_calls_are_refused_until_some_are_reported() {
    let mut bench = Bench::known();
    bench.connection_request();
    bench.establish();
    for _ in 0..limits::SCHEDULED_INFORMS {
        bench.call(schedule(10, "k"));
        assert_eq!(bench.expect_response(), CpeResponse::ScheduleInform);
    }
    for _ in 0..2 {
        bench.call(schedule(10, "k"));
        assert_eq!(bench.expect_fault().cwmp.unwrap().code, FaultCode::RESOURCES_EXCEEDED);
        // Due or not, they count until the ACS has got them.
        bench.advance(20_000);
    }
    bench.reply_empty();
    bench.expect_close();
    bench.establish();
    bench.call(schedule(10, "again"));
    assert_eq!(bench.expect_response(), CpeResponse::ScheduleInform);
}

/// Conformance: 3.05
/// A queue that is full makes it wait; it is not dropped, and the agent does not spin.
#[test]
fn it_waits_for_room_among_the_events() {
    let mut bench = promised(&[(10, "k")]);
    bench.reachable = false;
    for n in 0..limits::QUEUED_EVENTS {
        let key = CommandKey::new(n.to_string()).unwrap();
        bench.agent.events.raise(EventStruct::with_key(EventCode::MDownload, key));
    }
    assert!(!bench.agent.events.has_room(1));
    bench.advance(10_000);
    bench.seen.clear();
    let wakeup = bench.agent.next_wakeup().unwrap();
    assert!(wakeup > bench.now.mono, "no wake-up in the past");
    bench.reachable = true;
    bench.connection_request();
    let mut reported = 0;
    while !bench.seen.is_empty() {
        reported += m_events(&events(&bench.whole_session()));
    }
    assert_eq!(reported, 1);
}

/// Conformance: 3.06
/// What has not fired yet is no event, so a bootstrap does not discard it.
#[test]
fn a_pending_call_outlives_a_bootstrap_and_a_due_event_does_not() {
    let mut bench = promised(&[(10, "due"), (600, "pending")]);
    bench.reachable = false;
    bench.sleep();
    bench.seen.clear();
    bench.reachable = true;
    let mut other = settings();
    other.url = Some(crate::url::HttpUrl::parse("http://other.example/").unwrap());
    bench.input(Input::SettingsChanged(Box::new(other)));
    assert_eq!(events(&bench.whole_session()), ["0 BOOTSTRAP"]);
    assert_eq!(bench.sleep(), 590_000);
    assert_eq!(events(&bench.whole_session()), ["3 SCHEDULED", "M ScheduleInform pending"]);
}

/// What may happen to a box that has promised something.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Pass(u32),
    Off(u32),
    BootWithoutClock,
    ClockIsSet,
    ClockJumps(i32),
    ProgramRestart,
    OrderlyRestart,
    AcsGone,
    AcsBack,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        (1..200_u32).prop_map(Happening::Pass),
        (1..200_u32).prop_map(Happening::Off),
        Just(Happening::BootWithoutClock),
        Just(Happening::ClockIsSet),
        (-100_000..100_000_i32).prop_map(Happening::ClockJumps),
        Just(Happening::ProgramRestart),
        Just(Happening::OrderlyRestart),
        Just(Happening::AcsGone),
        Just(Happening::AcsBack),
    ]
}

/// Holds the sessions that the agent wants; returns the CommandKeys that have been reported.
fn serve(bench: &mut Bench) -> Vec<String> {
    let mut reported = Vec::new();
    if !bench.reachable {
        bench.seen.clear();
        return reported;
    }
    while !bench.seen.is_empty() {
        let inform = bench.whole_session();
        let of_schedule = |code: &EventCode| *code == EventCode::MScheduleInform;
        let keys = inform.events.iter().filter(|event| of_schedule(&event.code));
        reported.extend(keys.map(|event| event.command_key.as_str().to_owned()));
        let paired = inform.events.iter().any(|event| event.code == EventCode::Scheduled);
        assert_eq!(paired, inform.events.iter().any(|event| of_schedule(&event.code)));
    }
    reported
}

proptest! {
    /// Conformance: 4.46, 4.47, 13.11
    /// Whatever happens in between, each call is reported exactly once.
    #[test]
    fn each_call_is_reported_exactly_once(
        delays in proptest::collection::vec(1..1000_u32, 1..6),
        happenings in proptest::collection::vec(happening(), 0..40),
    ) {
        let keys: Vec<String> = (0..delays.len()).map(|n| n.to_string()).collect();
        let calls: Vec<(u32, &str)> = delays.iter().copied().zip(keys.iter().map(String::as_str)).collect();
        let mut bench = promised(&calls);
        let mut reported = Vec::new();
        for happening in happenings {
            let reachable = bench.reachable;
            let mut off = None;
            match happening {
                Happening::Pass(seconds) => bench.advance(u64::from(seconds) * 1000),
                Happening::Off(seconds) => off = Some(bench.boot_after(i64::from(seconds) * 1000, settings())),
                Happening::BootWithoutClock => off = Some(bench.boot_without_clock(settings())),
                Happening::ClockIsSet => {
                    bench.now.wall = Some(Wall::from_seconds(1_700_010_000));
                    bench.input(Input::ClockStepped);
                }
                Happening::ClockJumps(seconds) => bench.step_clock(i64::from(seconds) * 1000),
                Happening::ProgramRestart => off = Some(bench.program_restart(settings())),
                Happening::OrderlyRestart => {
                    bench.input(Input::Command(crate::io::LocalCommand::Reboot));
                    bench.seen.clear();
                    off = Some(bench.boot_after(0, settings()));
                }
                Happening::AcsGone => bench.reachable = false,
                Happening::AcsBack => bench.reachable = true,
            }
            if let Some(next) = off {
                bench = next;
                if !reachable {
                    bench.reachable = false;
                    bench.connection_lost();
                    bench.seen.clear();
                }
            }
            reported.extend(serve(&mut bench));
        }
        bench.reachable = true;
        for _ in 0..20 {
            bench.advance(1_000_000);
            reported.extend(serve(&mut bench));
        }
        reported.sort_unstable();
        prop_assert_eq!(reported, keys);
        prop_assert_eq!(&bench.stored.schedules, &[]);
    }
}

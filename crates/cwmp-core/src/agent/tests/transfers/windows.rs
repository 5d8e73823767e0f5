//! ScheduleDownload: time windows and their modes.

use super::*;
use crate::{
    io::LocalCommand,
    rpc::{ScheduleDownload, TimeWindowStruct},
};

const HOUR_MS: u64 = 3_600_000;

fn window(start: u32, end: u32, mode: &str, max_retries: i32) -> TimeWindowStruct {
    TimeWindowStruct {
        window_start: start,
        window_end: end,
        window_mode: mode.into(),
        user_message: "new voice settings".into(),
        max_retries,
    }
}

fn scheduled(windows: impl Into<Vec<TimeWindowStruct>>) -> CpeRequest {
    let Download { command_key, file_type, url, username, password, file_size, target_file_name, .. } =
        configuration("s");
    let time_windows = windows.into();
    CpeRequest::ScheduleDownload(ScheduleDownload {
        command_key,
        file_type,
        url,
        username,
        password,
        file_size,
        target_file_name,
        time_windows,
    })
}

fn order_within(bench: &mut Bench, windows: impl Into<Vec<TimeWindowStruct>>) {
    session(bench);
    bench.call(scheduled(windows));
    assert_eq!(bench.expect_response(), CpeResponse::ScheduleDownload);
    end(bench);
}

fn expect_9020(bench: &mut Bench) {
    expect_discard(bench);
    let (inform, report) = expect_report(bench);
    assert_eq!(events(&inform), ["7 TRANSFER COMPLETE", "M ScheduleDownload s"]);
    assert_eq!(report.fault.code, FaultCode::OUTSIDE_TIME_WINDOWS);
    assert_eq!(report.start_time, DateTime::Unknown);
}

/// Conformance: 7.34
#[test]
fn a_download_starts_when_its_window_opens() {
    for mode in ["1 At Any Time", "2 Immediately"] {
        let mut bench = Bench::known();
        order_within(&mut bench, [window(3600, 7200, mode, 0)]);
        bench.expect_nothing();
        assert_eq!(bench.sleep(), HOUR_MS);
        complete(&mut bench);
        let (inform, report) = expect_report(&mut bench);
        assert_eq!(events(&inform), ["7 TRANSFER COMPLETE", "M ScheduleDownload s"]);
        assert_eq!(report.fault.code, FaultCode(0));
    }
}

/// Conformance: 7.34
#[test]
fn when_idle_waits_for_a_box_that_has_little_to_do() {
    let mut bench = Bench::known();
    order_within(&mut bench, [window(0, 3600, "3 When Idle", 0)]);
    bench.expect_nothing();
    assert!(bench.agent.waits_for_idle(bench.now));
    bench.input(Input::BoxIdle(false));
    bench.expect_nothing();
    bench.input(Input::BoxIdle(true));
    expect_fetch(&mut bench);
    assert!(!Bench::known().agent.waits_for_idle(bench.now));
}

/// Conformance: 7.34
#[test]
fn confirmation_comes_from_somebody_on_the_box() {
    let mut bench = Bench::known();
    order_within(&mut bench, [window(60, 3600, "4 Confirmation Needed", 0)]);
    let confirm = || Input::Command(LocalCommand::ConfirmDownload(key("s")));
    bench.input(confirm());
    bench.advance(60_000);
    bench.expect_nothing();
    assert_eq!(bench.agent.status(bench.now).transfers[0].asks.as_deref(), Some("new voice settings"));
    bench.input(Input::Command(LocalCommand::ConfirmDownload(key("other"))));
    bench.expect_nothing();
    bench.input(confirm());
    expect_fetch(&mut bench);
}

/// Conformance: 7.35
#[test]
fn windows_that_make_no_sense_are_refused() {
    let mut bench = Bench::known();
    session(&mut bench);
    let any = "1 At Any Time";
    for windows in [
        vec![window(10, 10, any, 0)],
        vec![window(10, 5, any, 0)],
        vec![window(0, 100, any, 0), window(99, 200, any, 0)],
        vec![window(100, 200, any, 0), window(0, 50, any, 0)],
        vec![window(0, 100, "5 Whenever", 0)],
        vec![window(0, 100, any, -2)],
    ] {
        bench.call(scheduled(windows.clone()));
        assert_eq!(bench.expect_fault().cwmp.unwrap().code, FaultCode::INVALID_ARGUMENTS, "{windows:?}");
    }
}

/// Conformance: 7.35
#[test]
fn what_is_not_done_within_the_windows_is_9020() {
    let mut bench = Bench::known();
    order_within(
        &mut bench,
        [window(0, 3600, "3 When Idle", 0), window(7200, 10_800, "4 Confirmation Needed", 0)],
    );
    while bench.seen.is_empty() {
        bench.sleep();
    }
    assert!(bench.now.mono.0 - 1_000_000 >= 3 * HOUR_MS);
    expect_9020(&mut bench);
}

/// Conformance: 7.35
#[test]
fn a_download_that_its_window_cuts_short_goes_on_in_the_next_one() {
    let mut bench = Bench::known();
    let any = "1 At Any Time";
    order_within(&mut bench, [window(0, 600, any, 0), window(3600, 7200, any, 0)]);
    let (job, _) = expect_fetch(&mut bench);
    bench.advance(600_000);
    assert_eq!(bench.seen.remove(0), Seen::Cancel(job));
    bench.expect_nothing();
    bench.advance(HOUR_MS - 600_000);
    let (job, _) = expect_fetch(&mut bench);
    bench.advance(HOUR_MS);
    assert_eq!(bench.seen.remove(0), Seen::Cancel(job));
    expect_discard(&mut bench);
    let (_, report) = expect_report(&mut bench);
    assert_eq!(report.fault.code, FaultCode::OUTSIDE_TIME_WINDOWS);
}

/// Conformance: 7.35
#[test]
fn each_window_has_its_own_number_of_retries() {
    let mut bench = Bench::known();
    let any = "1 At Any Time";
    order_within(&mut bench, [window(0, 3600, any, 2), window(7200, 10_800, any, -1)]);
    let mut tries = 0;
    loop {
        while bench.seen.is_empty() {
            bench.sleep();
        }
        if matches!(bench.seen[0], Seen::Discard(_)) {
            break;
        }
        let (job, _) = expect_fetch(&mut bench);
        tries += 1;
        fail(&mut bench, job, FaultCode::FILE_INACCESSIBLE);
    }
    assert_eq!(tries, 3 + 1 + limits::TRANSFER_RETRIES);
    expect_discard(&mut bench);
    let (_, report) = expect_report(&mut bench);
    assert_eq!(report.fault.code, FaultCode::FILE_INACCESSIBLE, "the last fault says more than 9020");
}

#[test]
fn windows_outlive_a_boot() {
    let mut bench = Bench::known();
    order_within(&mut bench, [window(3600, 7200, "2 Immediately", 0)]);
    bench.advance(600_000);
    let mut on_time = bench.boot_after(600_000, settings());
    on_time.whole_session();
    assert_eq!(on_time.sleep(), HOUR_MS - 1_200_000);
    expect_fetch(&mut on_time);
    let mut late = bench.boot_after(2 * 3_600_000, settings());
    expect_discard(&mut late);
    let inform = late.expect_session();
    assert_eq!(events(&inform), ["1 BOOT", "7 TRANSFER COMPLETE", "M ScheduleDownload s"]);
}

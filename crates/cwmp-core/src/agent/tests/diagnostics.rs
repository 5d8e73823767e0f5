//! When diagnostics run and what the ACS hears of them.

use super::bench::{Bench, Seen, events, settings};
use crate::{
    io::Input,
    job::{Diagnostic, Job, JobDone, JobId},
};

fn request(bench: &mut Bench, by_acs: bool) {
    bench.input(Input::DiagnosticRequested { diagnostic: Diagnostic::IpPing, by_acs });
}

fn expect_run(bench: &mut Bench) -> JobId {
    match bench.seen.remove(0) {
        Seen::Start(id, Job::Diagnose(Diagnostic::IpPing)) => id,
        other => panic!("expected a diagnostic, saw {other:?}"),
    }
}

fn done(bench: &mut Bench, job: JobId) {
    bench.input(Input::JobDone(job, Ok(JobDone::Diagnosed)));
}

/// A session in which the ACS has requested the diagnostic.
fn requested() -> (Bench, JobId) {
    let mut bench = Bench::known();
    bench.connection_request();
    bench.establish();
    request(&mut bench, true);
    bench.advance(10_000);
    bench.expect_nothing();
    bench.reply_empty();
    bench.expect_close();
    let job = expect_run(&mut bench);
    (bench, job)
}

/// Conformance: 3.19, 10.03, 10.04
#[test]
fn a_diagnostic_runs_after_the_session_and_its_end_is_reported() {
    let (mut bench, job) = requested();
    bench.expect_nothing();
    done(&mut bench, job);
    // Retried until it is delivered or the box boots.
    let inform = bench.expect_session();
    assert_eq!(events(&inform), ["8 DIAGNOSTICS COMPLETE"]);
    bench.connection_lost();
    bench.expect_close();
    bench.sleep();
    assert_eq!(events(&bench.whole_session()), ["8 DIAGNOSTICS COMPLETE"]);
    bench.expect_nothing();
}

/// Conformance: 3.19, 10.05
#[test]
fn a_cancelled_diagnostic_is_stopped_and_not_reported() {
    let (mut bench, job) = requested();
    bench.input(Input::DiagnosticWithdrawn(Diagnostic::IpPing));
    assert_eq!(bench.seen.remove(0), Seen::Cancel(job));
    done(&mut bench, job);
    bench.expect_nothing();
}

/// Conformance: 10.07
#[test]
fn a_request_during_a_run_begins_anew() {
    let (mut bench, first) = requested();
    request(&mut bench, true);
    assert_eq!(bench.seen.remove(0), Seen::Cancel(first));
    let second = expect_run(&mut bench);
    done(&mut bench, first);
    bench.expect_nothing();
    done(&mut bench, second);
    assert_eq!(events(&bench.whole_session()), ["8 DIAGNOSTICS COMPLETE"]);
}

#[test]
fn what_somebody_on_the_box_asks_for_is_not_reported() {
    let mut bench = Bench::known();
    request(&mut bench, false);
    let job = expect_run(&mut bench);
    done(&mut bench, job);
    bench.expect_nothing();
}

/// Conformance: 10.10, 3.19
#[test]
fn a_boot_ends_a_diagnostic_and_its_event() {
    let (bench, _) = requested();
    let mut bench = bench.reboot(settings());
    assert_eq!(events(&bench.whole_session()), ["1 BOOT"]);
    bench.expect_nothing();

    let (mut bench, job) = requested();
    bench.reachable = false;
    done(&mut bench, job);
    let mut bench = bench.reboot(settings());
    assert_eq!(events(&bench.whole_session()), ["1 BOOT"]);
}

#[test]
fn a_restart_stops_a_diagnostic() {
    let (mut bench, job) = requested();
    bench.input(Input::Command(crate::io::LocalCommand::Reboot));
    assert_eq!(bench.seen.remove(0), Seen::Cancel(job));
    assert!(matches!(bench.seen.remove(0), Seen::Restart(_)));
}

//! What happens to the box, and over restarts.

use super::*;
use crate::{io::RebootCause, settings::AgentSettings, transfer::Stage};

/// Firmware is here and about to be written.
fn ready_to_write(bench: &mut Bench, expects: Option<&str>) -> JobId {
    order(bench, [firmware("f")]);
    let (job, fetch) = expect_fetch(bench);
    assert_eq!(fetch.file_type, DownloadType::Firmware);
    done(bench, job, JobDone::Fetched { bytes: 1, expects: expects.map(str::to_owned) });
    expect_apply(bench)
}

/// It is written, and the box has restarted for it.
fn written(bench: &mut Bench, expects: Option<&str>) {
    let job = ready_to_write(bench, expects);
    done(bench, job, JobDone::Written { restarting: false });
    assert_eq!(bench.seen.remove(0), Seen::Restart(RebootCause::Transfer));
    bench.expect_nothing();
}

/// The boot session: its events and the report in it.
fn boot_report(bench: &mut Bench) -> (Vec<String>, TransferComplete) {
    expect_discard(bench);
    let (inform, report) = expect_report(bench);
    (events(&inform), report)
}

/// Conformance: 3.32, 7.19
#[test]
fn after_an_upgrade_the_boot_session_reports_it_and_no_reboot() {
    let mut bench = Bench::known();
    written(&mut bench, None);
    let mut bench = bench.boot_with("2.0", 60_000);
    bench.value_change = true;
    let (events, report) = boot_report(&mut bench);
    assert_eq!(events, ["1 BOOT", "7 TRANSFER COMPLETE", "M Download f"]);
    assert_eq!(report.fault.code, FaultCode(0));
    assert_ne!(report.complete_time, DateTime::Unknown);
}

/// Conformance: 3.32
#[test]
fn the_changed_software_version_rides_in_the_inform_of_the_upgrade() {
    let mut bench = Bench::known();
    written(&mut bench, None);
    let mut bench = bench.boot_with_change("2.0", 60_000);
    let (events, _) = boot_report(&mut bench);
    assert_eq!(events, ["1 BOOT", "4 VALUE CHANGE", "7 TRANSFER COMPLETE", "M Download f"]);
}

#[test]
fn the_image_that_runs_decides_whether_an_upgrade_has_succeeded() {
    for (expects, runs, success) in [
        (None, "2.0", true),
        (None, "1.0", false),
        (Some("2.0"), "2.0", true),
        (Some("2.0"), "1.5", false),
        // The same version again, as the ACS may wish.
        (Some("1.0"), "1.0", true),
    ] {
        let mut bench = Bench::known();
        written(&mut bench, expects);
        let mut bench = bench.boot_with(runs, 60_000);
        let (_, report) = boot_report(&mut bench);
        assert_eq!(report.fault.code == FaultCode(0), success, "expects {expects:?}, runs {runs}");
        if !success {
            assert_eq!(report.fault.code, FaultCode::DOWNLOAD_FAILURE);
            assert!(report.fault.text.contains(runs), "{}", report.fault.text);
        }
    }
}

/// Conformance: 7.18
#[test]
fn that_the_box_is_about_to_be_changed_is_stored_before_it_is() {
    let mut bench = Bench::known();
    order(&mut bench, [firmware("f")]);
    let (job, _) = expect_fetch(&mut bench);
    bench.store_answers = false;
    done(&mut bench, job, fetched());
    bench.expect_nothing();
    bench.store_answers = true;
    bench.answer_store(true);
    assert!(matches!(bench.stored.transfers[0].stage, Stage::Applying(_)));
    expect_apply(&mut bench);
}

#[test]
fn nothing_is_written_to_the_box_when_that_cannot_be_stored() {
    let mut bench = Bench::known();
    order(&mut bench, [firmware("f")]);
    let (job, _) = expect_fetch(&mut bench);
    bench.store_answers = false;
    done(&mut bench, job, fetched());
    bench.answer_store(false);
    expect_discard(&mut bench);
    bench.store_answers = true;
    bench.answer_store(true);
    let (_, report) = expect_report(&mut bench);
    assert_eq!(report.fault.code, FaultCode::INTERNAL_ERROR);
}

#[test]
fn no_session_and_no_restart_while_the_box_is_written_to() {
    let mut bench = Bench::known();
    session(&mut bench);
    bench.call(CpeRequest::Download(firmware("f")));
    bench.expect_response();
    end(&mut bench);
    let (job, _) = expect_fetch(&mut bench);
    done(&mut bench, job, fetched());
    let job = expect_apply(&mut bench);
    bench.connection_request();
    bench.input(Input::Command(crate::io::LocalCommand::Reboot));
    bench.advance(1000);
    bench.expect_nothing();
    done(&mut bench, job, JobDone::Written { restarting: false });
    assert!(matches!(bench.seen.remove(0), Seen::Restart(_)));
}

#[test]
fn a_file_is_applied_after_the_session_that_is_on() {
    let mut bench = Bench::known();
    order(&mut bench, [firmware("f")]);
    let (job, _) = expect_fetch(&mut bench);
    session(&mut bench);
    done(&mut bench, job, fetched());
    bench.expect_nothing();
    end(&mut bench);
    expect_apply(&mut bench);
}

#[test]
fn an_updater_may_restart_the_box_by_itself() {
    let mut bench = Bench::known();
    let job = ready_to_write(&mut bench, None);
    done(&mut bench, job, JobDone::Written { restarting: true });
    bench.connection_request();
    bench.expect_nothing();
    let mut again = bench.boot_with("2.0", 60_000);
    assert_eq!(boot_report(&mut again).1.fault.code, FaultCode(0));
    // Where it never goes down, the upgrade has failed and the box goes on.
    assert_eq!(bench.sleep(), limits::RESTART_MS);
    expect_discard(&mut bench);
    let (inform, report) = expect_report(&mut bench);
    assert_eq!(events(&inform), ["6 CONNECTION REQUEST", "7 TRANSFER COMPLETE", "M Download f"]);
    assert_eq!(report.fault.code, FaultCode::DOWNLOAD_FAILURE);
}

#[test]
fn a_restart_that_fails_fails_the_upgrade() {
    let mut bench = Bench::known();
    written(&mut bench, None);
    bench.input(Input::RestartFailed("no such command".into()));
    expect_discard(&mut bench);
    let (_, report) = expect_report(&mut bench);
    assert_eq!(report.fault.code, FaultCode::DOWNLOAD_FAILURE);
    assert!(report.fault.text.contains("no such command"), "{}", report.fault.text);
}

/// Conformance: 7.18, 7.30
#[test]
fn a_cut_while_firmware_is_written_is_reported_by_what_runs() {
    for (runs, success) in [("1.0", false), ("2.0", true)] {
        let mut bench = Bench::known();
        ready_to_write(&mut bench, None);
        let mut bench = bench.boot_with(runs, 60_000);
        let (events, report) = boot_report(&mut bench);
        assert_eq!(events, ["1 BOOT", "7 TRANSFER COMPLETE", "M Download f"]);
        assert_eq!(report.fault.code == FaultCode(0), success);
    }
}

#[test]
fn firmware_that_was_being_written_when_the_agent_alone_was_stopped_has_failed() {
    let mut bench = Bench::known();
    ready_to_write(&mut bench, None);
    let mut bench = bench.program_restart(settings());
    expect_discard(&mut bench);
    let (inform, report) = expect_report(&mut bench);
    assert_eq!(events(&inform), ["7 TRANSFER COMPLETE", "M Download f"]);
    assert_eq!(report.fault.code, FaultCode::DOWNLOAD_FAILURE);
}

#[test]
fn what_is_written_takes_effect_also_when_the_agent_was_stopped_before_the_restart() {
    let mut bench = Bench::known();
    written(&mut bench, None);
    let mut bench = bench.program_restart(settings());
    assert_eq!(bench.seen.remove(0), Seen::Restart(RebootCause::Transfer));
    let mut bench = bench.boot_with("2.0", 60_000);
    assert_eq!(boot_report(&mut bench).1.fault.code, FaultCode(0));
}

/// Conformance: 7.30
#[test]
fn a_transfer_that_a_cut_interrupts_begins_anew() {
    for cut_while_applying in [false, true] {
        let mut bench = Bench::known();
        order(&mut bench, [configuration("c")]);
        let (job, _) = expect_fetch(&mut bench);
        if cut_while_applying {
            done(&mut bench, job, fetched());
            expect_apply(&mut bench);
        }
        let mut bench = bench.boot_with("1.0", 60_000);
        complete_beside_the_boot_session(&mut bench);
        let (inform, report) = expect_report(&mut bench);
        assert_eq!(events(&inform), ["7 TRANSFER COMPLETE", "M Download c"]);
        assert_eq!(report.fault.code, FaultCode(0));
    }
}

/// The transfer goes on, and so does the boot session.
fn complete_beside_the_boot_session(bench: &mut Bench) {
    let (job, _) = expect_fetch(bench);
    assert_eq!(events(&bench.whole_session()), ["1 BOOT"]);
    done(bench, job, fetched());
    let job = expect_apply(bench);
    done(bench, job, JobDone::Applied);
    expect_discard(bench);
}

#[test]
fn a_restart_stops_a_transfer_and_it_goes_on_after_the_boot() {
    let mut bench = Bench::known();
    order(&mut bench, [configuration("c")]);
    let (job, _) = expect_fetch(&mut bench);
    session(&mut bench);
    bench.call(CpeRequest::Reboot(crate::rpc::Reboot { command_key: key("r") }));
    bench.expect_response();
    end(&mut bench);
    assert_eq!(bench.seen.remove(0), Seen::Cancel(job));
    assert_eq!(bench.seen.remove(0), Seen::Restart(RebootCause::Acs));
    let mut bench = bench.boot_with("1.0", 60_000);
    expect_fetch(&mut bench);
    assert_eq!(events(&bench.whole_session()), ["1 BOOT", "M Reboot r"]);
}

#[test]
fn a_configuration_that_needs_a_restart_is_reported_after_it() {
    let mut bench = Bench::known();
    order(&mut bench, [configuration("c")]);
    let (job, _) = expect_fetch(&mut bench);
    done(&mut bench, job, fetched());
    let job = expect_apply(&mut bench);
    done(&mut bench, job, JobDone::Written { restarting: false });
    assert_eq!(bench.seen.remove(0), Seen::Restart(RebootCause::Transfer));
    let mut bench = bench.boot_with("1.0", 60_000);
    let (events, report) = boot_report(&mut bench);
    assert_eq!(events, ["1 BOOT", "7 TRANSFER COMPLETE", "M Download c"]);
    assert_eq!(report.fault.code, FaultCode(0));
}

#[test]
fn a_delay_goes_on_over_a_boot() {
    let mut bench = Bench::known();
    order(&mut bench, [Download { delay_seconds: 3600, ..configuration("c") }]);
    bench.advance(600_000);
    let mut bench = bench.boot_after(600_000, AgentSettings { boot_wait: 0, ..settings() });
    bench.whole_session();
    assert_eq!(bench.sleep(), 2_400_000);
    expect_fetch(&mut bench);
}

#[test]
fn an_image_that_has_reached_the_acs_is_kept() {
    let mut bench = Bench::fresh();
    bench.establish();
    assert_eq!(bench.images_kept, 0);
    end(&mut bench);
    assert_eq!(bench.images_kept, 1);
    bench.connection_request();
    bench.whole_session();
    assert_eq!(bench.images_kept, 1, "once a start");
}

#[test]
fn what_is_undone_is_reported_as_failed_in_the_session_that_was_to_tell_of_a_success() {
    let mut bench = Bench::known();
    order(&mut bench, [configuration("c")]);
    let (job, fetch) = expect_fetch(&mut bench);
    done(&mut bench, job, fetched());
    let job = expect_apply(&mut bench);
    done(&mut bench, job, JobDone::Applied);
    expect_discard(&mut bench);
    bench.expect_session();
    // The ACS takes its time with the Inform.
    bench.input(Input::TransferUndone(fetch.transfer));
    expect_discard(&mut bench);
    bench.inform_response();
    let report = expect_transfer_complete(&mut bench);
    assert_eq!(report.fault.code, FaultCode::DOWNLOAD_FAILURE);
    bench.respond(AcsResponse::TransferComplete);
    bench.expect_empty_post();
    end(&mut bench);
    bench.expect_nothing();
    assert_eq!(bench.stored.transfers, [], "it is told once");
}

#[test]
fn a_file_that_was_undone_before_the_agent_knew_that_it_was_applied_is_not_applied_again() {
    let mut bench = Bench::known();
    order(&mut bench, [configuration("c")]);
    let (job, fetch) = expect_fetch(&mut bench);
    done(&mut bench, job, fetched());
    expect_apply(&mut bench);
    let mut bench = bench.program_restart(settings());
    let (again, _) = expect_fetch(&mut bench);
    bench.input(Input::TransferUndone(fetch.transfer));
    assert_eq!(bench.seen.remove(0), Seen::Cancel(again));
    expect_discard(&mut bench);
    let (_, report) = expect_report(&mut bench);
    assert_eq!(report.fault.code, FaultCode::DOWNLOAD_FAILURE);
    // It may be heard twice.
    bench.input(Input::TransferUndone(fetch.transfer));
    bench.expect_nothing();
}

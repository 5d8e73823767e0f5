//! What ends, fails or is cancelled while something else is on: found by the random worlds.

use super::*;
use crate::{
    io::{LocalCommand, RebootCause},
    job::Diagnostic,
    rpc::{CancelTransfer, RequestDownload},
    settings::{AgentSettings, TransferPolicy},
};

fn request_download(bench: &mut Bench, file_type: &str) {
    let wanted = RequestDownload { file_type: file_type.into(), args: Vec::new() };
    bench.input(Input::Command(LocalCommand::RequestDownload(Box::new(wanted))));
}

fn expect_request(bench: &mut Bench) -> AcsRequest {
    match bench.expect_message().message {
        ToAcs::Request(request) => request,
        other => panic!("expected a request, saw {other:?}"),
    }
}

/// A firmware of the ACS is being written.
fn writing(bench: &mut Bench) -> JobId {
    order(bench, [firmware("f")]);
    let (job, _) = expect_fetch(bench);
    done(bench, job, fetched());
    expect_apply(bench)
}

#[test]
fn a_boot_that_ends_a_transfer_writes_the_state_once() {
    let mut bench = Bench::known();
    let job = writing(&mut bench);
    done(&mut bench, job, JobDone::Written { restarting: false });
    let bench = bench.boot_with("2.0", 60_000);
    assert_eq!(bench.writes, 1);
}

#[test]
fn the_agent_sleeps_while_the_box_is_written_to() {
    let mut bench = Bench::known();
    session(&mut bench);
    bench.call(CpeRequest::Download(firmware("f")));
    bench.expect_response();
    bench.call(CpeRequest::Download(Download { delay_seconds: 60, ..configuration("c") }));
    bench.expect_response();
    end(&mut bench);
    let (job, _) = expect_fetch(&mut bench);
    // A session fails, and its retry comes due meanwhile.
    bench.connection_request();
    bench.expect_session();
    bench.connection_lost();
    bench.expect_close();
    done(&mut bench, job, fetched());
    let job = expect_apply(&mut bench);
    bench.input(Input::Command(LocalCommand::Reboot));
    bench.advance(100_000);
    let next = bench.agent.next_wakeup();
    assert!(next.is_none_or(|at| at > bench.now.mono), "{next:?} is not ahead of {:?}", bench.now.mono);
    done(&mut bench, job, JobDone::Written { restarting: false });
    assert_eq!(bench.seen, [Seen::Restart(RebootCause::Local)]);
}

#[test]
fn a_box_that_does_not_go_down_by_itself_restarts_where_that_was_asked_for() {
    let mut bench = Bench::known();
    let job = writing(&mut bench);
    done(&mut bench, job, JobDone::Written { restarting: true });
    bench.input(Input::Command(LocalCommand::Reboot));
    bench.expect_nothing();
    bench.advance(limits::RESTART_MS);
    expect_discard(&mut bench);
    assert_eq!(bench.seen, [Seen::Restart(RebootCause::Local)]);
}

/// Conformance: 3.02
#[test]
fn a_full_inform_lists_what_its_session_reports() {
    let mut bench = Bench::known();
    order(&mut bench, [configuration("c")]);
    let reboots = (0..limits::INFORM_EVENTS).map(|number| key(&format!("r{number}"))).collect();
    let state = Stored { reboots, ..bench.stored.clone() };
    let mut bench = Bench::start(settings(), state, BootCause::Boot);
    bench.seen.retain(|seen| matches!(seen, Seen::Start(..)));
    let (job, _) = expect_fetch(&mut bench);
    done(&mut bench, job, fetched());
    bench.connection_lost();
    bench.seen.retain(|seen| matches!(seen, Seen::Start(..)));
    let job = expect_apply(&mut bench);
    bench.value_change = true;
    done(&mut bench, job, JobDone::Applied);
    expect_discard(&mut bench);
    let listed = events(&bench.expect_session());
    assert_eq!(listed.len(), limits::INFORM_EVENTS);
    for event in ["4 VALUE CHANGE", "7 TRANSFER COMPLETE", "M Download c"] {
        assert!(listed.iter().any(|known| known == event), "{event} is not in {listed:?}");
    }
}

/// Conformance: 7.28
#[test]
fn what_ends_once_the_inform_is_made_is_for_the_next_session() {
    // An upload that was under way ends between the events of the Inform and the connection.
    let mut bench = Bench::known();
    session(&mut bench);
    bench.call(CpeRequest::Upload(upload("u")));
    bench.expect_response();
    end(&mut bench);
    let (job, _) = started(&mut bench);
    bench.connects = false;
    bench.connection_request();
    bench.expect_open();
    done(&mut bench, job, JobDone::Sent);
    expect_discard(&mut bench);
    bench.connects = true;
    bench.input(Input::Connected);
    assert_eq!(events(&bench.expect_inform()), ["6 CONNECTION REQUEST"]);
    bench.inform_response();
    bench.expect_empty_post();
    end(&mut bench);
    assert_eq!(events(&expect_report(&mut bench).0), ["7 TRANSFER COMPLETE", "M Upload u"]);
}

/// Conformance: 7.28
#[test]
fn of_two_transfers_with_one_key_and_one_outcome_the_listed_one_is_reported() {
    let mut bench = Bench::known();
    // Without a clock both have the same times.
    bench.now.wall = None;
    session(&mut bench);
    bench.call(CpeRequest::Upload(Upload { delay_seconds: 1, ..upload("k") }));
    bench.expect_response();
    bench.call(CpeRequest::Download(configuration("k")));
    bench.expect_response();
    end(&mut bench);
    let (job, _) = expect_fetch(&mut bench);
    bench.advance(1_000);
    done(&mut bench, job, fetched());
    let job = expect_apply(&mut bench);
    bench.connects = false;
    done(&mut bench, job, JobDone::Applied);
    assert_eq!(expect_discard(&mut bench), TransferId(1));
    // The upload ends once the Inform of the download is made.
    let (job, _) = started(&mut bench);
    bench.expect_open();
    done(&mut bench, job, JobDone::Sent);
    assert_eq!(expect_discard(&mut bench), TransferId(0));
    bench.connects = true;
    bench.input(Input::Connected);
    assert_eq!(events(&bench.expect_inform()), ["7 TRANSFER COMPLETE", "M Download k"]);
    bench.inform_response();
    expect_transfer_complete(&mut bench);
    bench.respond(AcsResponse::TransferComplete);
    bench.expect_empty_post();
    end(&mut bench);
    assert_eq!(events(&expect_report(&mut bench).0), ["7 TRANSFER COMPLETE", "M Upload k"]);
    bench.expect_nothing();
}

#[test]
fn a_cancelled_transfer_stops_at_once_and_begins_again_where_that_cannot_be_stored() {
    let mut bench = Bench::known();
    order(&mut bench, [configuration("c")]);
    let (job, _) = expect_fetch(&mut bench);
    session(&mut bench);
    bench.store_answers = false;
    bench.call(CpeRequest::CancelTransfer(CancelTransfer { command_key: key("c") }));
    assert_eq!(bench.seen.remove(0), Seen::Cancel(job));
    // It has just ended: that is no longer heard.
    done(&mut bench, job, fetched());
    bench.answer_store(false);
    assert_eq!(bench.expect_fault().cwmp.unwrap().code, FaultCode::INTERNAL_ERROR);
    bench.store_answers = true;
    end(&mut bench);
    complete(&mut bench);
    assert_eq!(expect_report(&mut bench).1.fault.code, FaultCode(0));
}

#[test]
fn a_promise_is_refused_only_where_no_newer_state_holds_it() {
    let mut bench = Bench::known();
    session(&mut bench);
    bench.store_answers = false;
    bench.call(CpeRequest::Download(configuration("c")));
    let first = bench.waiting_tickets.remove(0);
    // Somebody on the box asks for a transfer meanwhile, which is handed to the store as well.
    let order = crate::agent::LocalTransfer {
        download: true,
        file_type: "3 Vendor Configuration File".into(),
        url: "http://local.example/c".into(),
        username: String::new(),
        password: String::new(),
        target_file_name: String::new(),
    };
    bench.input(Input::Command(LocalCommand::Transfer(Box::new(order))));
    assert_eq!(bench.waiting_tickets.len(), 1);
    bench.input(Input::PersistFailed(first, "disk full".into()));
    bench.expect_nothing();
    bench.answer_store(true);
    assert_eq!(bench.expect_response(), CpeResponse::Download(TransferResponse::Later));
    assert_eq!(bench.stored.transfers.len(), 2);
}

/// Conformance: 3.20
#[test]
fn another_acs_is_asked_for_a_download_only_once_it_lists_the_method() {
    let mut bench = Bench::known();
    request_download(&mut bench, "1 Firmware Upgrade Image");
    bench.expect_session();
    bench.inform_response();
    assert_eq!(expect_request(&mut bench), AcsRequest::GetRPCMethods);
    bench.respond(AcsResponse::GetRPCMethods(vec!["RequestDownload".into()]));
    bench.expect_empty_post();
    end(&mut bench);
    assert_eq!(events(&bench.expect_session()), ["9 REQUEST DOWNLOAD"]);
    let url = HttpUrl::parse("http://other.example/").ok();
    bench.input(Input::SettingsChanged(Box::new(AgentSettings { url, ..settings() })));
    bench.connection_lost();
    bench.expect_close();
    bench.expect_session();
    bench.inform_response();
    assert_eq!(expect_request(&mut bench), AcsRequest::GetRPCMethods);
    bench.respond(AcsResponse::GetRPCMethods(Vec::new()));
    bench.expect_empty_post();
    end(&mut bench);
    bench.expect_nothing();
}

#[test]
fn downloads_that_are_asked_for_again_and_again_are_bounded() {
    let mut bench = Bench::known();
    request_download(&mut bench, "first");
    bench.expect_session();
    bench.inform_response();
    expect_request(&mut bench);
    bench.respond(AcsResponse::GetRPCMethods(vec!["RequestDownload".into()]));
    bench.expect_empty_post();
    for number in 0..100 {
        request_download(&mut bench, &number.to_string());
        request_download(&mut bench, &number.to_string());
    }
    end(&mut bench);
    bench.expect_session();
    bench.inform_response();
    let mut asked = 0;
    while bench.seen != [Seen::Post(crate::io::Body::Empty)] {
        assert!(matches!(expect_request(&mut bench), AcsRequest::RequestDownload(_)));
        asked += 1;
        bench.respond(AcsResponse::RequestDownload);
    }
    assert_eq!(asked, limits::WANTED_DOWNLOADS);
}

#[test]
fn what_the_acs_has_said_that_it_takes_holds_when_it_does_not_answer_again() {
    let policy = TransferPolicy {
        enable: true,
        file_types: vec!["1 Vendor Configuration File".into()],
        ..TransferPolicy::default()
    };
    let settings = AgentSettings { autonomous_transfers: policy, ..settings() };
    let mut bench = Bench::start(settings, Stored::default(), BootCause::Boot);
    bench.whole_session();
    bench.input(Input::Command(LocalCommand::AcsMethods));
    bench.expect_session();
    bench.inform_response();
    expect_request(&mut bench);
    bench.respond(AcsResponse::GetRPCMethods(vec!["AutonomousTransferComplete".into()]));
    bench.expect_empty_post();
    end(&mut bench);
    bench.input(Input::Command(LocalCommand::AcsMethods));
    bench.expect_session();
    bench.inform_response();
    assert_eq!(expect_request(&mut bench), AcsRequest::GetRPCMethods);
    bench.refuse(FaultCode::ACS_METHOD_NOT_SUPPORTED);
    bench.expect_empty_post();
    end(&mut bench);
    let order = crate::agent::LocalTransfer {
        download: false,
        file_type: "1 Vendor Configuration File".into(),
        url: "http://local.example/c".into(),
        username: String::new(),
        password: String::new(),
        target_file_name: String::new(),
    };
    bench.input(Input::Command(LocalCommand::Transfer(Box::new(order))));
    let (job, _) = started(&mut bench);
    done(&mut bench, job, JobDone::Sent);
    expect_discard(&mut bench);
    assert_eq!(events(&bench.expect_session()), ["10 AUTONOMOUS TRANSFER COMPLETE"]);
    bench.inform_response();
    assert!(matches!(expect_request(&mut bench), AcsRequest::AutonomousTransferComplete(_)));
}

#[test]
fn a_diagnostic_begins_anew_when_the_restart_that_stopped_it_fails() {
    let mut bench = Bench::known();
    bench.input(Input::DiagnosticRequested { diagnostic: Diagnostic::IpPing, by_acs: true });
    let (job, _) = started(&mut bench);
    bench.input(Input::Command(LocalCommand::Reboot));
    assert_eq!(bench.seen.remove(0), Seen::Cancel(job));
    assert_eq!(bench.seen.remove(0), Seen::Restart(RebootCause::Local));
    bench.input(Input::RestartFailed("no such command".into()));
    let (job, _) = started(&mut bench);
    done(&mut bench, job, JobDone::Diagnosed);
    assert_eq!(events(&bench.expect_session()), ["8 DIAGNOSTICS COMPLETE"]);
}

//! How the ACS hears of the end.

use super::*;

/// Conformance: 3.18, 7.27, 4.62
#[test]
fn a_report_comes_again_with_its_events_until_the_acs_has_answered_it() {
    let mut bench = Bench::known();
    order(&mut bench, [configuration("c")]);
    complete(&mut bench);
    bench.expect_session();
    bench.inform_response();
    let first = expect_transfer_complete(&mut bench);
    // The Inform is delivered, the report is not.
    bench.connection_lost();
    bench.expect_close();
    bench.sleep();
    let again = bench.expect_session();
    assert_eq!(
        (events(&again), again.retry_count),
        (vec!["7 TRANSFER COMPLETE".into(), "M Download c".into()], 1)
    );
    bench.inform_response();
    assert_eq!(expect_transfer_complete(&mut bench), first);
    // And after a boot in between.
    let mut bench = bench.boot_after(60_000, settings());
    let inform = bench.expect_session();
    assert_eq!(events(&inform), ["1 BOOT", "7 TRANSFER COMPLETE", "M Download c"]);
    bench.inform_response();
    assert_eq!(expect_transfer_complete(&mut bench), first);
    // 8005 asks for the same call again, in this session.
    bench.refuse(FaultCode::ACS_RETRY_REQUEST);
    assert_eq!(expect_transfer_complete(&mut bench), first);
    bench.respond(AcsResponse::TransferComplete);
    bench.expect_empty_post();
    end(&mut bench);
    bench.expect_nothing();
    assert_eq!(bench.stored.transfers, []);
}

/// Conformance: 2.43, 7.27
#[test]
fn a_report_that_the_acs_refuses_counts_as_delivered_and_the_session_goes_on() {
    let mut bench = Bench::known();
    order(&mut bench, [configuration("c")]);
    complete(&mut bench);
    bench.expect_session();
    bench.inform_response();
    expect_transfer_complete(&mut bench);
    bench.refuse(FaultCode::ACS_INTERNAL_ERROR);
    bench.expect_empty_post();
    end(&mut bench);
    bench.expect_nothing();
    assert_eq!(bench.stored.transfers, []);
}

/// Conformance: 3.28, 7.28, 7.03
#[test]
fn several_ends_are_reported_in_one_session_each_once() {
    let mut bench = Bench::known();
    bench.reachable = false;
    bench.connection_request();
    bench.expect_open();
    bench.expect_close();
    bench.reachable = true;
    bench.sleep();
    bench.establish();
    for name in ["a", "b", "b"] {
        bench.call(CpeRequest::Download(configuration(name)));
        bench.expect_response();
    }
    bench.reachable = false;
    end(&mut bench);
    for _ in 0..3 {
        // Sessions fail beside the transfers.
        bench.seen.retain(|seen| matches!(seen, Seen::Start(..)));
        complete(&mut bench);
    }
    bench.seen.clear();
    bench.reachable = true;
    bench.connection_request();
    let inform = bench.expect_session();
    assert_eq!(
        events(&inform),
        ["6 CONNECTION REQUEST", "7 TRANSFER COMPLETE", "M Download a", "M Download b", "M Download b"]
    );
    bench.inform_response();
    for name in ["a", "b", "b"] {
        assert_eq!(expect_transfer_complete(&mut bench).command_key, key(name));
        bench.respond(AcsResponse::TransferComplete);
    }
    bench.expect_empty_post();
    end(&mut bench);
    bench.expect_nothing();
}

/// Conformance: 2.28, 7.03
#[test]
fn what_ends_during_a_session_is_reported_in_the_next_one_with_its_event() {
    let mut bench = Bench::known();
    session(&mut bench);
    bench.call(CpeRequest::Upload(upload("u")));
    bench.expect_response();
    end(&mut bench);
    let (job, Job::Send(_)) = started(&mut bench) else { panic!("expected a send") };
    // The next session is on, before and after its empty POST.
    session(&mut bench);
    done(&mut bench, job, JobDone::Sent);
    expect_discard(&mut bench);
    bench.expect_nothing();
    end(&mut bench);
    let (inform, _) = expect_report(&mut bench);
    assert_eq!(events(&inform), ["7 TRANSFER COMPLETE", "M Upload u"]);
    bench.expect_nothing();
}

/// Conformance: 2.26, 2.29
#[test]
fn a_report_waits_while_the_acs_holds_requests() {
    use crate::rpc::{Header, InformResponse, ToCpe};
    let mut bench = Bench::known();
    order(&mut bench, [configuration("c")]);
    complete(&mut bench);
    bench.expect_session();
    let held = Header { hold_requests: true, ..Header::default() };
    bench.reply(held, ToCpe::Response(AcsResponse::Inform(InformResponse { max_envelopes: 1 })));
    bench.expect_empty_post();
    bench.call(CpeRequest::GetRPCMethods);
    bench.expect_response();
    bench.reply_empty();
    expect_transfer_complete(&mut bench);
}

#[test]
fn an_outcome_is_stored_before_the_acs_hears_of_it() {
    let mut bench = Bench::known();
    order(&mut bench, [configuration("c")]);
    let (job, _) = expect_fetch(&mut bench);
    done(&mut bench, job, fetched());
    let job = expect_apply(&mut bench);
    bench.store_answers = false;
    done(&mut bench, job, JobDone::Applied);
    expect_discard(&mut bench);
    bench.expect_nothing();
    bench.store_answers = true;
    bench.answer_store(true);
    assert!(bench.stored.transfers[0].outcome().is_some());
    expect_report(&mut bench);
}

/// Conformance: 3.06
#[test]
fn what_was_owed_to_another_acs_goes_with_it() {
    let mut bench = Bench::known();
    order(&mut bench, [configuration("c"), configuration("d")]);
    bench.reachable = false;
    complete(&mut bench);
    bench.seen.retain(|seen| matches!(seen, Seen::Start(..)));
    let mut other = settings();
    other.url = HttpUrl::parse("http://other.example/").ok();
    bench.reachable = true;
    bench.input(Input::SettingsChanged(Box::new(other)));
    let (job, _) = expect_fetch(&mut bench);
    assert_eq!(events(&bench.whole_session()), ["0 BOOTSTRAP"]);
    // The one that was still under way is reported to whoever is in charge then.
    done(&mut bench, job, fetched());
    let job = expect_apply(&mut bench);
    done(&mut bench, job, JobDone::Applied);
    expect_discard(&mut bench);
    assert_eq!(events(&expect_report(&mut bench).0), ["7 TRANSFER COMPLETE", "M Download d"]);
}

#[test]
fn the_end_of_a_transfer_ends_the_wait_of_a_failed_session() {
    let mut bench = Bench::known();
    order(&mut bench, [configuration("c")]);
    bench.reachable = false;
    bench.connection_request();
    bench.seen.retain(|seen| matches!(seen, Seen::Start(..)));
    bench.reachable = true;
    complete(&mut bench);
    let (inform, _) = expect_report(&mut bench);
    assert_eq!((events(&inform).len(), inform.retry_count), (2, 1));
}

#[test]
fn states_of_another_box_bring_no_transfers() {
    let mut bench = Bench::known();
    order(&mut bench, [configuration("c")]);
    let foreign = Stored { owner: "someone else".into(), ..bench.stored.clone() };
    let mut bench = Bench::start(settings(), foreign, BootCause::Boot);
    assert_eq!(events(&bench.whole_session()), ["0 BOOTSTRAP", "1 BOOT"]);
    bench.expect_nothing();
}

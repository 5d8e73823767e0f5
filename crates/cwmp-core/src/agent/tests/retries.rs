//! What is tried again, how, and what not: groups 2b and 4h of the conformance list.

use super::bench::{Bench, events, settings};
use crate::{
    fault::{CwmpFault, FaultCode},
    io::{BootCause, Input, LocalCommand},
    limits,
    rpc::{AcsRequest, AcsResponse, CwmpVersion, Fault, Header, ToAcs, ToCpe},
    settings::AgentSettings,
    stored::Stored,
};

fn with_a_request() -> Bench {
    let mut bench = Bench::known();
    bench.input(Input::Command(LocalCommand::AcsMethods));
    bench.expect_session();
    bench.inform_response();
    bench
}

/// Conformance: 2.12, 2.16
/// See also the table in `retry`.
#[test]
fn it_never_gives_up_and_keeps_the_last_range() {
    let alone = AgentSettings { periodic_inform_enable: false, ..settings() };
    let mut bench = Bench::start(alone, Stored::default(), BootCause::Boot);
    bench.expect_session();
    bench.reachable = false;
    bench.connection_lost();
    for _ in 0..9 {
        bench.sleep();
    }
    for _ in 0..500 {
        assert!((2_560_000..=5_120_000).contains(&bench.sleep()));
    }
    bench.seen.clear();
    bench.reachable = true;
    bench.sleep();
    assert_eq!(events(&bench.whole_session()), ["0 BOOTSTRAP", "1 BOOT"]);
}

/// Conformance: 2.13
#[test]
fn the_settings_steer_the_waits() {
    let settings =
        AgentSettings { retry_minimum_wait_interval: 2, retry_interval_multiplier: 1500, ..settings() };
    let mut bench = Bench::known().boot_after(1000, settings);
    bench.expect_session();
    bench.reachable = false;
    bench.connection_lost();
    for range in [2000..=3000, 3000..=4500, 4500..=6750] {
        let wait = bench.sleep();
        assert!(range.contains(&wait), "{wait} in {range:?}");
    }
}

/// Conformance: 2.17, 2.18
/// The waits begin anew with a boot, RetryCount does not.
#[test]
fn a_boot_restarts_the_waits_and_retry_count_goes_on() {
    let mut bench = Bench::fresh();
    bench.expect_session();
    bench.reachable = false;
    bench.connection_lost();
    for _ in 0..5 {
        bench.sleep();
    }
    let mut bench = bench.boot_after(1000, settings());
    assert_eq!(bench.expect_session().retry_count, 6);
    bench.connection_lost();
    bench.expect_close();
    assert!((5000..=10_000).contains(&bench.sleep()));
    assert_eq!(bench.whole_session().retry_count, 7);
    bench.connection_request();
    assert_eq!(bench.whole_session().retry_count, 0);
}

/// Conformance: 2.20
/// The timers go on during the wait.
#[test]
fn the_wait_blocks_nothing() {
    let often =
        AgentSettings { periodic_inform_interval: 7, retry_minimum_wait_interval: 1000, ..settings() };
    let mut bench = Bench::known().boot_after(1000, often);
    bench.expect_session();
    bench.connection_lost();
    bench.expect_close();
    assert_eq!(bench.sleep(), 7000);
    let inform = bench.expect_session();
    assert_eq!((events(&inform), inform.retry_count), (vec!["1 BOOT".into(), "2 PERIODIC".into()], 1));
}

/// The version of the next Inform after the ACS has answered one so.
fn version_after(answer: impl Fn(&mut Bench)) -> CwmpVersion {
    let mut bench = Bench::fresh();
    bench.expect_session();
    answer(&mut bench);
    bench.expect_close();
    bench.sleep();
    bench.expect_open();
    bench.expect_message().version
}

/// Conformance: 2.19, 2.40
#[test]
fn refusals_that_suggest_an_old_acs_lead_to_an_older_version() {
    for code in [FaultCode::ACS_VERSION_INCOMPATIBLE, FaultCode::ACS_METHOD_NOT_SUPPORTED] {
        assert_eq!(version_after(|bench| bench.refuse(code)), CwmpVersion::V1_1);
    }
    for faultcode in ["Client", "VersionMismatch"] {
        let fault = Fault {
            faultcode: faultcode.into(),
            faultstring: "no operation Inform in this namespace".into(),
            cwmp: None,
        };
        let answer = |bench: &mut Bench| bench.reply(Header::default(), ToCpe::Fault(fault.clone()));
        assert_eq!(version_after(answer), CwmpVersion::V1_1, "{faultcode}");
    }
}

/// Conformance: 2.19
#[test]
fn other_refusals_do_not_change_the_version() {
    for code in
        [FaultCode::ACS_REQUEST_DENIED, FaultCode::ACS_INTERNAL_ERROR, FaultCode::ACS_INVALID_ARGUMENTS]
    {
        let namespace = version_after(|bench| bench.refuse(code)).namespace();
        assert_eq!(namespace, CwmpVersion::V1_4.namespace());
    }
    let namespace = version_after(|bench| bench.reply_http(500, Vec::new())).namespace();
    assert_eq!(namespace, CwmpVersion::V1_4.namespace());
}

/// Conformance: 2.19
/// What one ACS could not do says nothing of the next.
#[test]
fn the_version_that_an_acs_took_is_kept_and_a_new_acs_gets_the_newest() {
    let mut bench = Bench::fresh();
    bench.expect_session();
    bench.refuse(FaultCode::ACS_VERSION_INCOMPATIBLE);
    bench.expect_close();
    bench.sleep();
    bench.whole_session();
    bench.connection_request();
    bench.expect_open();
    assert_eq!(bench.expect_message().version, CwmpVersion::V1_1);
    bench.inform_response();
    bench.expect_empty_post();
    let other = crate::url::HttpUrl::parse("http://other.example/").ok();
    bench.input(Input::SettingsChanged(Box::new(AgentSettings { url: other, ..settings() })));
    bench.reply_empty();
    bench.expect_close();
    bench.expect_open();
    assert_eq!(bench.expect_message().version.namespace(), CwmpVersion::V1_4.namespace());
}

/// Conformance: 4.62
/// The identical request after 8005, with its ID; after another fault never again.
#[test]
fn a_request_of_ours_is_repeated_after_8005_and_dropped_after_another_fault() {
    let mut bench = with_a_request();
    let first = bench.expect_message();
    bench.refuse(FaultCode::ACS_RETRY_REQUEST);
    assert_eq!(bench.expect_message(), first);
    bench.refuse(FaultCode::ACS_INTERNAL_ERROR);
    bench.expect_empty_post();
    bench.reply_empty();
    bench.expect_close();
    bench.connection_request();
    bench.expect_session();
    bench.inform_response();
    bench.expect_empty_post();
}

/// Conformance: 4.62
/// 8005 without end is a failed session; the request stays owed.
#[test]
fn a_request_that_is_put_off_again_and_again_is_made_in_the_next_session() {
    let mut bench = with_a_request();
    for _ in 0..=limits::REPEATS_AFTER_8005 {
        assert_eq!(bench.expect_message().message, ToAcs::Request(AcsRequest::GetRPCMethods));
        bench.refuse(FaultCode::ACS_RETRY_REQUEST);
    }
    bench.expect_close();
    bench.sleep();
    assert_eq!(bench.expect_session().retry_count, 1);
    bench.inform_response();
    assert_eq!(bench.expect_message().message, ToAcs::Request(AcsRequest::GetRPCMethods));
    bench.respond(AcsResponse::GetRPCMethods(vec![]));
    bench.expect_empty_post();
}

/// Conformance: 4.15, 4.63
#[test]
fn a_method_that_the_acs_lacks_does_no_harm() {
    for code in [FaultCode::ACS_METHOD_NOT_SUPPORTED, FaultCode(8899)] {
        let mut bench = with_a_request();
        bench.expect_message();
        let header = Header { id: None, ..Header::default() };
        bench.reply(header, ToCpe::Fault(CwmpFault::new(code, "no such method").into()));
        bench.expect_empty_post();
        bench.reply_empty();
        bench.expect_close();
        bench.expect_nothing();
        bench.connection_request();
        assert_eq!(bench.whole_session().retry_count, 0);
    }
}

//! Who may say what and when: groups 2c to 2f of the conformance list, and of 1a what the agent sees of HTTP.

use super::bench::{Bench, Seen, events, settings};
use crate::{
    fault::FaultCode,
    io::{Body, BootCause, Input, LocalCommand},
    rpc::{
        AcsRequest, AcsResponse, CpeRequest, CpeResponse, GetOptions, Header, InformResponse, Reboot, ToAcs,
        ToCpe,
    },
    settings::AgentSettings,
    stored::Stored,
};

fn held(id: &str) -> Header {
    Header { id: Some(id.to_owned()), hold_requests: true, ..Header::default() }
}

fn inform_response() -> ToCpe {
    ToCpe::Response(AcsResponse::Inform(InformResponse { max_envelopes: 1 }))
}

/// A box with a request of its own, in the session that is to carry it.
fn with_a_request() -> Bench {
    let mut bench = Bench::known();
    bench.input(Input::Command(LocalCommand::AcsMethods));
    bench.expect_session();
    bench
}

fn expect_own_request(bench: &mut Bench) {
    assert_eq!(bench.expect_message().message, ToAcs::Request(AcsRequest::GetRPCMethods));
}

/// Conformance: 2.21, 1.09
/// Nothing is sent while an answer is owed.
#[test]
fn the_agent_is_silent_while_the_acs_takes_its_time() {
    let mut bench = with_a_request();
    bench.connection_request();
    bench.advance(3000);
    bench.expect_nothing();
    bench.inform_response();
    expect_own_request(&mut bench);
    bench.advance(3000);
    bench.expect_nothing();
    bench.respond(AcsResponse::GetRPCMethods(vec![]));
    bench.expect_empty_post();
    bench.advance(3000);
    bench.expect_nothing();
}

/// Conformance: 2.22
#[test]
fn a_session_counts_as_established_with_the_inform_response_alone() {
    for code in [FaultCode::ACS_REQUEST_DENIED, FaultCode::ACS_INVALID_ARGUMENTS] {
        let mut bench = Bench::fresh();
        bench.expect_session();
        bench.refuse(code);
        bench.expect_close();
        bench.expect_nothing();
        assert_eq!(bench.stored.bootstrapped, None);
        assert!((5000..=10_000).contains(&bench.sleep()));
        let inform = bench.expect_session();
        assert_eq!((events(&inform).len(), inform.retry_count), (2, 1));
    }
}

/// Conformance: 2.24
#[test]
fn max_envelopes_of_the_acs_does_not_matter() {
    for max_envelopes in [0, 1, 5] {
        let mut bench = Bench::fresh();
        assert_eq!(bench.expect_session().max_envelopes, 1);
        bench.respond(AcsResponse::Inform(InformResponse { max_envelopes }));
        bench.expect_empty_post();
        bench.reply_empty();
        bench.expect_close();
    }
}

/// Conformance: 2.25, 2.26
#[test]
fn no_request_of_ours_comes_between_a_call_and_its_answer() {
    let mut bench = with_a_request();
    bench.reply(held("1"), inform_response());
    bench.expect_empty_post();
    for _ in 0..3 {
        bench.call(CpeRequest::GetRPCMethods);
        assert!(matches!(bench.expect_response(), CpeResponse::GetRPCMethods(_)));
        bench.expect_nothing();
    }
    bench.reply_empty();
    expect_own_request(&mut bench);
}

/// Conformance: 2.29, 2.30
/// Held back, then let go by an empty reply.
#[test]
fn hold_requests_is_obeyed_and_ends_with_an_empty_reply() {
    let mut bench = with_a_request();
    bench.reply(held("1"), inform_response());
    bench.expect_empty_post();
    bench.reply_empty();
    expect_own_request(&mut bench);
    bench.respond(AcsResponse::GetRPCMethods(vec![]));
    bench.expect_empty_post();
    bench.reply_empty();
    bench.expect_close();
}

/// Conformance: 2.31
/// It counts after the answer.
#[test]
fn hold_requests_on_a_call_of_the_acs_is_obeyed_after_the_answer() {
    let mut bench = with_a_request();
    bench.reply(held("1"), inform_response());
    bench.expect_empty_post();
    bench.reply(held("acs-1"), ToCpe::Request(CpeRequest::GetRPCMethods));
    assert!(matches!(bench.expect_response(), CpeResponse::GetRPCMethods(_)));
    bench.reply(held("acs-2"), ToCpe::Request(CpeRequest::GetRPCMethods));
    assert!(matches!(bench.expect_response(), CpeResponse::GetRPCMethods(_)));
    bench.reply_empty();
    expect_own_request(&mut bench);
}

/// Conformance: 2.32
#[test]
fn the_agent_never_sends_hold_requests() {
    let mut bench = with_a_request();
    bench.inform_response();
    assert!(!bench.expect_message().header.hold_requests);
    bench.respond(AcsResponse::GetRPCMethods(vec![]));
    bench.expect_empty_post();
    bench.call(CpeRequest::GetRPCMethods);
    assert!(!bench.expect_message().header.hold_requests);
}

/// Conformance: 2.33, 2.35
/// See also `each_call_of_the_acs_is_answered_in_the_next_post_with_its_id`.
#[test]
fn the_fault_of_a_call_has_its_id_too() {
    let mut bench = Bench::fresh();
    bench.establish();
    for id in [Some("<&>"), Some(" 1"), None] {
        let header = Header { id: id.map(str::to_owned), ..Header::default() };
        bench
            .reply(header, ToCpe::Request(CpeRequest::GetOptions(GetOptions { option_name: String::new() })));
        let message = bench.expect_message();
        assert!(matches!(message.message, ToAcs::Fault(_)));
        assert_eq!(message.header.id.as_deref(), id);
    }
}

/// Conformance: 2.37
/// SessionTimeout may be sent in Inform only; this agent leaves it out.
#[test]
fn no_session_timeout_is_announced() {
    let mut bench = Bench::fresh();
    bench.expect_open();
    let Seen::Post(Body::Bytes(bytes)) = bench.seen.remove(0) else { panic!("no envelope") };
    assert!(!String::from_utf8(bytes).unwrap().contains("SessionTimeout"));
}

/// Conformance: 2.41, 2.42, 1.06, 1.07
/// An empty reply is one whatever the status of success says.
#[test]
fn a_200_without_a_body_is_an_empty_reply_like_a_204() {
    for status in [200, 204] {
        let mut bench = Bench::fresh();
        bench.expect_session();
        bench.inform_response();
        bench.expect_empty_post();
        bench.expect_nothing();
        bench.reply_http(status, Vec::new());
        bench.expect_close();
        bench.expect_nothing();
        bench.connection_request();
        assert_eq!(bench.expect_session().retry_count, 0, "{status}: no failure");
    }
}

/// Conformance: 1.08
/// At any POST of the session.
#[test]
fn any_other_http_status_fails_the_session() {
    for status in [302, 400, 401, 403, 404, 410, 500, 503, 599] {
        let mut bench = Bench::fresh();
        bench.expect_session();
        bench.reply_http(status, b"sorry".to_vec());
        bench.expect_close();
        assert!((5000..=10_000).contains(&bench.sleep()), "{status}");
        assert_eq!(bench.establish().retry_count, 1);
        bench.reply_http(status, Vec::new());
        bench.expect_close();
        assert!((10_000..=20_000).contains(&bench.sleep()), "{status}");
        assert_eq!(bench.expect_session().retry_count, 2);
    }
}

/// Conformance: 2.43
#[test]
fn a_fault_to_another_request_than_inform_does_not_end_the_session() {
    let mut bench = with_a_request();
    bench.inform_response();
    expect_own_request(&mut bench);
    bench.refuse(FaultCode::ACS_INTERNAL_ERROR);
    bench.expect_empty_post();
    bench.call(CpeRequest::GetRPCMethods);
    bench.expect_response();
    bench.reply_empty();
    bench.expect_close();
    bench.expect_nothing();
}

/// Conformance: 2.45
/// What was promised comes after the end, in the order restart before the next session.
#[test]
fn promises_and_new_settings_wait_for_the_end_of_the_session() {
    let mut bench = Bench::known();
    bench.connection_request();
    bench.establish();
    bench.call(CpeRequest::Reboot(Reboot { command_key: Default::default() }));
    bench.expect_response();
    let other = crate::url::HttpUrl::parse("http://other.example/").ok();
    bench.input(Input::SettingsChanged(Box::new(AgentSettings { url: other, ..settings() })));
    bench.connection_request();
    bench.call(CpeRequest::GetRPCMethods);
    bench.expect_response();
    bench.expect_nothing();
    bench.reply_empty();
    bench.expect_close();
    assert!(matches!(bench.seen.remove(0), Seen::Restart(_)));
    bench.expect_nothing();
}

/// Conformance: 2.46, 2.10, 2.04
#[test]
fn periodic_value_change_and_connection_request_during_a_session_are_one_session_more() {
    let often = AgentSettings { periodic_inform_interval: 30, ..settings() };
    let mut bench = Bench::start(often, Stored::default(), BootCause::Boot);
    bench.establish();
    bench.advance(40_000);
    bench.value_change = true;
    bench.input(Input::WatchedChanged);
    bench.connection_request();
    bench.advance(40_000);
    bench.expect_nothing();
    bench.call(CpeRequest::GetRPCMethods);
    bench.expect_response();
    bench.reply_empty();
    bench.expect_close();
    assert_eq!(events(&bench.whole_session()), ["2 PERIODIC", "4 VALUE CHANGE", "6 CONNECTION REQUEST"]);
    bench.expect_nothing();
}

/// Conformance: 3.04
#[test]
fn only_m_events_have_a_command_key() {
    let mut bench = Bench::known();
    bench.connection_request();
    bench.establish();
    let command_key = crate::rpc::CommandKey::new("k").unwrap();
    bench.call(CpeRequest::Reboot(Reboot { command_key }));
    bench.expect_response();
    bench.reply_empty();
    let inform = bench.boot_after(1000, settings()).expect_session();
    let keys: Vec<&str> = inform.events.iter().map(|event| event.command_key.as_str()).collect();
    assert_eq!(keys, ["", "k"]);
}

/// Conformance: 3.11, 3.14
/// Until delivered or the next boot.
#[test]
fn boot_and_value_change_are_repeated_until_delivered_and_begin_anew_with_a_boot() {
    let mut bench = Bench::known().boot_after(1000, settings());
    bench.expect_session();
    bench.connection_lost();
    bench.expect_close();
    bench.value_change = true;
    bench.input(Input::WatchedChanged);
    for _ in 0..3 {
        assert_eq!(events(&bench.expect_session()), ["1 BOOT", "4 VALUE CHANGE"]);
        bench.connection_lost();
        bench.expect_close();
        bench.sleep();
    }
    let kept = bench.stored.events.iter().map(|event| event.code.as_str()).collect::<Vec<_>>();
    assert_eq!(kept, ["1 BOOT"], "for a crash of the program alone; changes are found again by comparing");
    assert_eq!(events(&bench.boot_after(1000, settings()).expect_session()), ["1 BOOT"]);
}

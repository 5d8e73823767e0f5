//! What passes within one session.

use super::bench::{Bench, abilities, events};
use crate::{
    fault::FaultCode,
    io::{Abilities, Body, Input, ListingKind, LocalCommand, Reply},
    rpc::{
        AcsRequest, AcsResponse, AddObject, CpeRequest, CpeResponse, CwmpVersion, Envelope, GetOptions,
        GetParameterValues, Header, InformResponse, SetParameterValues, Status, ToAcs, ToCpe,
    },
    soap,
};

fn header(id: &str) -> Header {
    Header { id: Some(id.to_owned()), ..Header::default() }
}

fn get_values() -> CpeRequest {
    CpeRequest::GetParameterValues(GetParameterValues { names: vec!["Device.".into()] })
}

/// Conformance: 2.21, 2.27, 2.38, 2.41
#[test]
fn inform_then_the_empty_post_then_the_end() {
    let mut bench = Bench::fresh();
    let target = bench.expect_open();
    assert_eq!(target.url.to_string(), "http://acs.example:7547/");
    let message = bench.expect_message();
    assert_eq!(message.header.supported_cwmp_versions, CwmpVersion::ALL);
    let ToAcs::Request(AcsRequest::Inform(inform)) = message.message else { panic!("no Inform") };
    assert_eq!(events(&inform), ["0 BOOTSTRAP", "1 BOOT"]);
    assert_eq!((inform.max_envelopes, inform.retry_count), (1, 0));
    assert_eq!(inform.current_time.to_string(), "2023-11-14T22:13:20Z");
    bench.expect_nothing();
    bench.inform_response();
    bench.expect_empty_post();
    bench.expect_nothing();
    bench.reply_empty();
    bench.expect_close();
    bench.expect_nothing();
}

/// Conformance: 2.25, 2.33, 2.35
#[test]
fn each_call_of_the_acs_is_answered_in_the_next_post_with_its_id() {
    let mut bench = Bench::fresh();
    bench.establish();
    for id in ["", "0", " <&> ", "12345678901234567890123456789012"] {
        bench.reply(header(id), ToCpe::Request(CpeRequest::GetRPCMethods));
        let answer = bench.expect_message();
        assert_eq!(answer.header.id.as_deref(), Some(id));
        assert!(matches!(answer.message, ToAcs::Response(CpeResponse::GetRPCMethods(_))));
    }
    bench.reply(Header::default(), ToCpe::Request(CpeRequest::GetRPCMethods));
    assert_eq!(bench.expect_message().header.id, None, "no ID is invented");
    bench.reply_empty();
    bench.expect_close();
}

/// Conformance: 4.02, 4.14
#[test]
fn what_get_rpc_methods_lists_works_and_the_rest_is_refused() {
    let mut bench = Bench::fresh();
    bench.establish();
    bench.call(CpeRequest::GetRPCMethods);
    let CpeResponse::GetRPCMethods(methods) = bench.expect_response() else { panic!("another response") };
    assert!(methods.iter().any(|method| method == "Reboot"));
    assert!(!methods.iter().any(|method| method == "GetOptions"));
    bench.call(CpeRequest::GetOptions(GetOptions { option_name: String::new() }));
    let fault = bench.expect_fault();
    assert_eq!(
        (fault.faultcode.as_str(), fault.cwmp.unwrap().code),
        ("Server", FaultCode::METHOD_NOT_SUPPORTED)
    );
}

/// Conformance: 1.06, 2.26, 2.29, 2.42
#[test]
fn a_204_to_a_response_ends_the_session_only_after_the_empty_post() {
    let mut bench = Bench::known();
    bench.input(Input::Command(LocalCommand::AcsMethods));
    bench.expect_session();
    // HoldRequests keeps our request back, so the empty POST says nothing about the end.
    let hold = Header { id: Some("1".into()), hold_requests: true, ..Header::default() };
    bench.reply(hold, ToCpe::Response(AcsResponse::Inform(InformResponse { max_envelopes: 1 })));
    bench.expect_empty_post();
    bench.call(get_values());
    bench.seen.remove(0);
    bench.reply_empty();
    let request = bench.expect_message();
    assert_eq!(request.message, ToAcs::Request(AcsRequest::GetRPCMethods), "held back until now");
    bench.respond(AcsResponse::GetRPCMethods(vec!["Inform".into(), "Kicked".into()]));
    bench.expect_empty_post();
    bench.reply_empty();
    bench.expect_close();
    assert_eq!(bench.agent.status(bench.now).acs_methods.unwrap(), ["Inform", "Kicked"]);
}

/// Conformance: 2.26, 2.43, 4.63
#[test]
fn our_own_request_waits_until_the_acs_has_no_more() {
    let mut bench = Bench::known();
    bench.input(Input::Command(LocalCommand::AcsMethods));
    bench.expect_session();
    bench.inform_response();
    assert_eq!(bench.expect_message().message, ToAcs::Request(AcsRequest::GetRPCMethods));
    bench.refuse(FaultCode::ACS_METHOD_NOT_SUPPORTED);
    bench.expect_empty_post();
    bench.reply_empty();
    bench.expect_close();
    assert_eq!(bench.agent.status(bench.now).acs_methods, None, "a refusal does no harm and is not repeated");
    bench.expect_nothing();
}

/// Conformance: 2.28
#[test]
fn after_the_empty_post_a_new_request_of_ours_waits_for_the_next_session() {
    let mut bench = Bench::fresh();
    bench.establish();
    bench.input(Input::Command(LocalCommand::AcsMethods));
    bench.call(CpeRequest::GetRPCMethods);
    bench.expect_response();
    bench.reply_empty();
    bench.expect_close();
    bench.expect_session();
    bench.inform_response();
    assert_eq!(bench.expect_message().message, ToAcs::Request(AcsRequest::GetRPCMethods));
}

/// 2.28: until the empty POST has left, our request finds its place in the session, also while the store is waited for.
#[test]
fn a_request_that_comes_while_the_delivery_is_being_stored_rides_in_the_session() {
    let mut bench = Bench::fresh();
    bench.expect_session();
    bench.store_answers = false;
    bench.inform_response();
    bench.input(Input::Command(LocalCommand::AcsMethods));
    bench.expect_nothing();
    bench.store_answers = true;
    bench.answer_store(true);
    assert_eq!(bench.expect_message().message, ToAcs::Request(AcsRequest::GetRPCMethods));
    bench.respond(AcsResponse::GetRPCMethods(vec!["Inform".into()]));
    bench.expect_empty_post();
    bench.reply_empty();
    bench.expect_close();
    bench.expect_nothing();
}

#[test]
fn a_large_answer_is_posted_from_its_snapshot_which_is_released_after_the_reply() {
    let mut bench = Bench::fresh();
    bench.establish();
    bench.call(get_values());
    let super::bench::Seen::Post(Body::Listing(listing)) = bench.seen.remove(0) else { panic!("no listing") };
    assert_eq!(
        (listing.kind, listing.count, listing.header.id.as_deref()),
        (ListingKind::Values, 3, Some("acs-1"))
    );
    assert_eq!(bench.snapshots, 1);
    bench.reply_empty();
    assert_eq!(bench.snapshots, 0);
}

#[test]
fn a_snapshot_does_not_outlive_a_broken_session() {
    let mut bench = Bench::fresh();
    bench.establish();
    bench.call(get_values());
    bench.connection_lost();
    assert_eq!(bench.snapshots, 0);
}

#[test]
fn calls_on_the_tree_are_passed_on_and_their_faults_passed_back() {
    let mut bench = Bench::fresh();
    bench.establish();
    let set = SetParameterValues { parameters: Vec::new(), parameter_key: Default::default() };
    bench.call(CpeRequest::SetParameterValues(set));
    assert_eq!(bench.expect_response(), CpeResponse::SetParameterValues(Status::Applied));
    bench.call(CpeRequest::AddObject(AddObject {
        object_name: "Device.X.".into(),
        parameter_key: Default::default(),
    }));
    assert_eq!(bench.expect_fault().cwmp.unwrap().code, FaultCode::INVALID_PARAMETER_NAME);
}

#[test]
fn a_method_that_does_not_work_here_is_refused_as_such_whatever_its_arguments() {
    let mut bench = Bench::fresh();
    bench.establish();
    for (method, code) in
        [("SetVouchers", FaultCode::METHOD_NOT_SUPPORTED), ("Reboot", FaultCode::INVALID_ARGUMENTS)]
    {
        let call = ToCpe::Request(CpeRequest::GetRPCMethods);
        let envelope = Envelope { version: CwmpVersion::V1_2, header: header("9"), message: call };
        let text = String::from_utf8(soap::encode_to_cpe(&envelope)).unwrap();
        bench.reply_http(200, text.replace("GetRPCMethods", method).into_bytes());
        assert_eq!(bench.expect_fault().cwmp.unwrap().code, code, "{method} without its arguments");
    }
}

#[test]
fn a_call_with_bad_arguments_is_refused_and_the_session_goes_on() {
    let mut bench = Bench::fresh();
    bench.establish();
    let envelope =
        Envelope { version: CwmpVersion::V1_2, header: header("9"), message: ToCpe::Request(get_values()) };
    let text = String::from_utf8(soap::encode_to_cpe(&envelope)).unwrap();
    bench.reply_http(200, text.replace("GetParameterValues", "Foo").into_bytes());
    let answer = bench.expect_message();
    assert_eq!(answer.header.id.as_deref(), Some("9"));
    let ToAcs::Fault(fault) = answer.message else { panic!("no fault") };
    assert_eq!(fault.cwmp.unwrap().code, FaultCode::METHOD_NOT_SUPPORTED);
    bench.call(CpeRequest::GetRPCMethods);
    bench.expect_response();
}

/// Conformance: 2.36
#[test]
fn a_header_that_must_be_understood_and_is_not_yields_its_fault() {
    let mut bench = Bench::fresh();
    bench.establish();
    let envelope = Envelope {
        version: CwmpVersion::V1_2,
        header: header("5"),
        message: ToCpe::Request(CpeRequest::GetRPCMethods),
    };
    let text = String::from_utf8(soap::encode_to_cpe(&envelope)).unwrap();
    let odd = "<x:Odd xmlns:x=\"urn:x\" soap-env:mustUnderstand=\"1\">1</x:Odd>";
    let odd = text.replacen("<cwmp:ID", &format!("{odd}<cwmp:ID"), 1);
    bench.reply_http(200, odd.clone().into_bytes());
    assert_eq!(bench.expect_fault().faultcode, "MustUnderstand");
    // What is not even CWMP does not change the version that was agreed.
    bench.reply_http(200, odd.replace("urn:dslforum-org:cwmp-1-2", "urn:x").into_bytes());
    let answer = bench.expect_message();
    assert_eq!(answer.version.namespace(), CwmpVersion::V1_2.namespace());
    bench.reply_empty();
    bench.expect_close();
}

/// Conformance: 2.22, 2.23
#[test]
fn inform_is_repeated_after_8005_and_given_up_after_another_fault() {
    let mut bench = Bench::fresh();
    let first = bench.expect_session();
    bench.refuse(FaultCode::ACS_RETRY_REQUEST);
    assert_eq!(bench.expect_inform(), first, "the same Inform, in the same session");
    bench.refuse(FaultCode::ACS_REQUEST_DENIED);
    bench.expect_close();
    bench.sleep();
    assert_eq!(bench.expect_session().retry_count, 1);
}

/// Conformance: 2.23
#[test]
fn an_acs_that_always_says_8005_does_not_hold_the_agent_forever() {
    let mut bench = Bench::fresh();
    bench.expect_session();
    for _ in 0..crate::limits::REPEATS_AFTER_8005 {
        bench.refuse(FaultCode::ACS_RETRY_REQUEST);
        bench.expect_inform();
    }
    bench.refuse(FaultCode::ACS_RETRY_REQUEST);
    bench.expect_close();
}

/// Conformance: 2.34, 2.44, 3.01
#[test]
fn what_the_acs_may_not_say_fails_the_session() {
    fn inform_response() -> ToCpe {
        ToCpe::Response(AcsResponse::Inform(InformResponse { max_envelopes: 1 }))
    }
    type Act = fn(&mut Bench);
    let wrong: [(&str, Act); 6] = [
        ("an answer with another ID", |bench| bench.reply(header("77"), inform_response())),
        ("a request before InformResponse", |bench| bench.call(CpeRequest::GetRPCMethods)),
        ("nothing at all", |bench| bench.reply_empty()),
        ("another response", |bench| bench.respond(AcsResponse::TransferComplete)),
        ("garbage", |bench| bench.reply_http(200, b"<html>".to_vec())),
        ("an HTTP error", |bench| bench.reply_http(500, Vec::new())),
    ];
    for (what, act) in wrong {
        let mut bench = Bench::fresh();
        bench.expect_session();
        act(&mut bench);
        bench.expect_close();
        bench.expect_nothing();
        bench.sleep();
        assert_eq!(events(&bench.expect_session()), ["0 BOOTSTRAP", "1 BOOT"], "{what}: nothing is lost");
    }
}

/// Conformance: 2.44, 4.05
#[test]
fn a_response_or_fault_that_nothing_asked_for_fails_the_session_without_a_fault() {
    for respond in [true, false] {
        let mut bench = Bench::fresh();
        bench.establish();
        if respond {
            bench.inform_response()
        } else {
            bench.refuse(FaultCode::ACS_INTERNAL_ERROR)
        }
        bench.expect_close();
        bench.expect_nothing();
    }
}

/// Conformance: 2.38, 2.39
#[test]
fn the_version_follows_the_acs() {
    for (use_version, namespace, expected) in [
        (None, CwmpVersion::V1_0, "cwmp-1-0"),
        (None, CwmpVersion::V1_1, "cwmp-1-1"),
        (Some(CwmpVersion::V1_4), CwmpVersion::V1_2, "cwmp-1-2"),
    ] {
        let mut bench = Bench::fresh();
        bench.expect_session();
        let header = Header { id: Some("1".into()), use_cwmp_version: use_version, ..Header::default() };
        let message = ToCpe::Response(AcsResponse::Inform(InformResponse { max_envelopes: 1 }));
        bench.reply_http(200, soap::encode_to_cpe(&Envelope { version: namespace, header, message }));
        bench.expect_empty_post();
        bench.call(CpeRequest::GetRPCMethods);
        let super::bench::Seen::Post(Body::Bytes(bytes)) = bench.seen.remove(0) else {
            panic!("no envelope")
        };
        assert!(String::from_utf8(bytes).unwrap().contains(expected), "{expected}");
    }
}

/// Conformance: 2.19, 2.40
#[test]
fn an_acs_that_refuses_the_version_is_tried_with_older_ones() {
    let mut bench = Bench::fresh();
    let mut versions = Vec::new();
    for _ in 0..4 {
        bench.expect_open();
        versions.push(bench.expect_message().version);
        bench.refuse(FaultCode::ACS_VERSION_INCOMPATIBLE);
        bench.expect_close();
        bench.sleep();
    }
    let namespaces: Vec<&str> = versions.into_iter().map(CwmpVersion::namespace).collect();
    assert_eq!(
        namespaces,
        [
            "urn:dslforum-org:cwmp-1-2",
            "urn:dslforum-org:cwmp-1-1",
            "urn:dslforum-org:cwmp-1-0",
            "urn:dslforum-org:cwmp-1-2"
        ]
    );
}

/// Conformance: 4.02, 4.14
#[test]
fn a_method_that_is_not_offered_is_refused_as_such_even_if_its_arguments_are_wrong() {
    for (body, code) in [
        ("<c:ChangeDUState/>", FaultCode::METHOD_NOT_SUPPORTED),
        ("<c:GetParameterNames/>", FaultCode::INVALID_ARGUMENTS),
        ("<c:Foo><A/></c:Foo>", FaultCode::METHOD_NOT_SUPPORTED),
    ] {
        let mut bench = Bench::fresh_with(Abilities { software: false, ..abilities() });
        bench.establish();
        let envelope = format!(
            "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:c=\"urn:dslforum-org:cwmp-1-2\">\
             <s:Body>{body}</s:Body></s:Envelope>"
        );
        bench.reply_http(200, envelope.into_bytes());
        assert_eq!(bench.expect_fault().cwmp.unwrap().code, code, "{body}");
    }
}

/// Conformance: 1.08
#[test]
fn retry_after_is_honoured_within_bounds() {
    let mut bench = Bench::fresh();
    bench.expect_session();
    bench.input(Input::Reply(Reply { status: 503, retry_after: Some(600), body: Vec::new() }));
    bench.expect_close();
    assert_eq!(bench.sleep(), 600_000);
    bench.expect_session();
    bench.input(Input::Reply(Reply { status: 503, retry_after: Some(u32::MAX), body: Vec::new() }));
    bench.expect_close();
    let wait = bench.agent.status(bench.now).retry_in_ms.unwrap();
    assert_eq!(wait, u64::from(crate::limits::RETRY_AFTER_SECONDS) * 1000);
}

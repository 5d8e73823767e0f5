//! Misbehaviour on purpose.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, clippy::indexing_slicing)]

mod cpe;

use cpe::{Cpe, PATIENCE};
use cwmp_acs::{
    Acs, AcsOptions, Rule, Script, Step,
    script::{ScriptRequest, ScriptedReply},
};
use cwmp_core::{
    event::EventCode,
    fault::FaultCode,
    rpc::{AcsResponse, CpeRequest, CpeResponse, CwmpVersion, Envelope, Header, InformResponse, ToCpe},
    soap,
};

async fn start(script: impl Into<Script>) -> (Acs, Cpe) {
    let acs = Acs::start(AcsOptions::default()).await.unwrap();
    acs.script("*", script);
    let cpe = Cpe::connect(acs.address()).await;
    (acs, cpe)
}

#[tokio::test]
async fn an_http_error_is_as_if_the_inform_had_not_been_seen() {
    let (acs, mut cpe) = start([Step::Status(503)]).await;
    assert_eq!(cpe.inform(&[EventCode::Boot]).await.unwrap().status, 503);
    cpe.reconnect().await;
    assert!(!acs.wait_session(PATIENCE, |_| true).await.unwrap().is_clean());
    assert_eq!(cpe.inform(&[EventCode::Boot]).await.unwrap().status, 200);
    assert_eq!(cpe.empty().await.unwrap().status, 204);
    assert_eq!(acs.next_inform("*", PATIENCE).await.unwrap(), acs.next_inform("*", PATIENCE).await.unwrap());
    assert_eq!((acs.violations(), acs.script_steps_left()), (vec![], 0));
}

#[tokio::test]
async fn a_soap_fault_carries_the_id_and_lets_the_inform_be_repeated() {
    let (acs, mut cpe) = start([Step::SoapFault(FaultCode::ACS_RETRY_REQUEST)]).await;
    let refused = cpe.inform(&[EventCode::Boot]).await.unwrap().envelope();
    assert_eq!(refused.header.id.as_deref(), Some("cpe-1"));
    let ToCpe::Fault(fault) = refused.message else { panic!("{refused:?}") };
    assert_eq!(fault.cwmp.unwrap().code, FaultCode::ACS_RETRY_REQUEST);
    assert_eq!(cpe.inform(&[EventCode::Boot]).await.unwrap().status, 200);
    assert_eq!(cpe.empty().await.unwrap().status, 204);
    assert_eq!(acs.violations(), []);
}

#[tokio::test]
async fn a_reply_is_cut_after_so_many_bytes() {
    let (_acs, mut cpe) = start([Step::CloseAfterBytes(15), Step::CloseAfterBytes(0)]).await;
    cpe.send_envelope(cpe::inform(&[EventCode::Boot], ""), Some("1")).await;
    assert_eq!(cpe.rest().await, b"HTTP/1.1 200 OK");
    cpe.reconnect().await;
    cpe.send_envelope(cpe::inform(&[EventCode::Boot], ""), Some("1")).await;
    assert_eq!(cpe.rest().await, b"");
}

#[tokio::test]
async fn a_connection_is_closed_or_reset_without_a_reply() {
    let (acs, mut cpe) = start([Step::Close, Step::Reset]).await;
    cpe.send_envelope(cpe::inform(&[EventCode::Boot], ""), Some("1")).await;
    assert!(cpe.is_closed().await);
    assert!(!acs.wait_session(PATIENCE, |_| true).await.unwrap().is_clean());
    cpe.reconnect().await;
    cpe.send_envelope(cpe::inform(&[EventCode::Boot], ""), Some("1")).await;
    assert!(cpe.is_reset().await);
    assert!(!acs.wait_session(PATIENCE, |_| true).await.unwrap().is_clean());
}

#[tokio::test]
async fn a_stall_lasts_until_the_cpe_gives_up() {
    let (acs, mut cpe) = start([Step::Stall]).await;
    cpe.send_envelope(cpe::inform(&[EventCode::Boot], ""), Some("1")).await;
    acs.next_inform("*", PATIENCE).await.unwrap();
    cpe.reconnect().await;
    let session = acs.wait_session(PATIENCE, |_| true).await.unwrap();
    assert_eq!(session.messages.last().unwrap().status, None);
    assert_eq!(cpe.inform(&[EventCode::Boot]).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_redirect_has_its_location() {
    let (_acs, mut cpe) = start([Step::Redirect(307, "http://other.example/".into())]).await;
    let reply = cpe.inform(&[EventCode::Boot]).await.unwrap();
    assert_eq!((reply.status, reply.header("Location")), (307, Some("http://other.example/")));
}

#[tokio::test]
async fn a_reply_of_the_script_takes_the_place_of_that_of_the_protocol() {
    let body = |id: Option<String>, message| {
        let header = Header { id, ..Header::default() };
        soap::encode_to_cpe(&Envelope { version: CwmpVersion::V1_2, header, message })
    };
    let welcome = ToCpe::Response(AcsResponse::Inform(InformResponse { max_envelopes: 5 }));
    let welcome = ScriptedReply::envelope(body(Some("cpe-1".into()), welcome));
    let call = ScriptedReply::envelope(body(None, ToCpe::Request(CpeRequest::GetRPCMethods)));
    let (acs, mut cpe) = start([Step::Reply(welcome.clone()), Step::Reply(call)]).await;
    assert_eq!(cpe.inform(&[EventCode::Boot]).await.unwrap().body, welcome.body);
    let call = cpe.empty().await.unwrap();
    let answer = CpeResponse::GetRPCMethods(vec!["Reboot".into()]);
    assert_eq!(cpe.answer(&call, answer).await.unwrap().status, 204);
    assert!(acs.wait_session(PATIENCE, |_| true).await.unwrap().is_clean());
    // A response has no ID where the call had none; the schema of this CPE's envelopes is another matter.
    let rules: Vec<Rule> = acs.violations().iter().map(|violation| violation.rule).collect();
    assert_eq!(rules, []);
}

#[tokio::test]
async fn bytes_of_the_script_go_over_the_wire_as_they_are() {
    let strange = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\nX-Strange: 1\r\n\r\n".as_slice();
    let last = b"not even HTTP".as_slice();
    let (acs, mut cpe) = start([
        Step::until(""),
        Step::Raw { bytes: strange.into(), close: false },
        Step::until("Inform"),
        Step::Raw { bytes: last.into(), close: true },
    ])
    .await;
    cpe.inform(&[EventCode::Boot]).await.unwrap();
    assert_eq!(cpe.empty().await.unwrap().status, 100);
    assert_eq!(cpe.reply().await.unwrap().header("X-Strange"), Some("1"));
    assert!(acs.wait_session(PATIENCE, |_| true).await.unwrap().is_clean());
    cpe.reconnect().await;
    cpe.send_envelope(cpe::inform(&[EventCode::Boot], ""), Some("1")).await;
    assert_eq!(cpe.rest().await, last);
}

#[tokio::test]
async fn what_was_expected_and_did_not_come_is_a_violation() {
    let (acs, mut cpe) =
        start([Step::expect("Inform"), Step::HoldRequests(true), Step::expect("Fault"), Step::Pass]).await;
    assert!(cpe.inform(&[EventCode::Boot]).await.unwrap().envelope().header.hold_requests);
    cpe.empty().await.unwrap();
    let found = acs.violations();
    assert_eq!((found.len(), found[0].rule), (1, Rule::Script));
    assert_eq!(found[0].detail, "`` came where `Fault` was expected");
}

#[tokio::test]
async fn a_rule_decides_every_reply_until_scripts_are_cleared() {
    let rule = |request: &ScriptRequest<'_>| {
        assert_eq!(request.target, "/acs");
        if request.message == "Inform" { vec![Step::Status(500)] } else { Vec::new() }
    };
    let (acs, mut cpe) = start(Script::by_rule(rule)).await;
    assert_eq!(cpe.inform(&[EventCode::Boot]).await.unwrap().status, 500);
    assert_eq!(cpe.inform(&[EventCode::Boot]).await.unwrap().status, 500);
    acs.clear_scripts();
    assert_eq!(cpe.inform(&[EventCode::Boot]).await.unwrap().status, 200);
}

//! Sessions over real connections, with a CPE made by hand.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, clippy::indexing_slicing)]

mod cpe;

use std::sync::{Arc, Mutex};

use cpe::{Cpe, PATIENCE, string};
use cwmp_acs::{Acs, AcsOptions, CallError, Direction, Ending, Rule, Step};
use cwmp_core::{
    event::EventCode,
    rpc::{AcsResponse, CpeRequest, CpeResponse, GetParameterValues, ToCpe},
};

async fn start() -> Acs {
    Acs::start(AcsOptions::default()).await.unwrap()
}

fn rules(acs: &Acs) -> Vec<Rule> {
    acs.violations().iter().map(|violation| violation.rule).collect()
}

fn get(name: &str) -> CpeRequest {
    CpeRequest::GetParameterValues(GetParameterValues { names: vec![name.to_owned()] })
}

#[tokio::test]
async fn a_bootstrap_session_is_reported_from_inform_to_204() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let observer = Arc::clone(&seen);
    let on_message =
        move |message: &cwmp_acs::Message| observer.lock().unwrap().push(cwmp_acs::print::line(message));
    let acs = Acs::start(AcsOptions { on_message: Some(Arc::new(on_message)), ..AcsOptions::default() })
        .await
        .unwrap();
    let mut cpe = Cpe::connect(acs.address()).await;

    let reply = cpe.inform(&[EventCode::Bootstrap, EventCode::Boot]).await.unwrap();
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("Content-Type"), Some("text/xml; charset=\"utf-8\""));
    assert_eq!(reply.envelope().header.id.as_deref(), Some("cpe-1"));
    assert!(matches!(reply.envelope().message, ToCpe::Response(AcsResponse::Inform(_))));
    let last = cpe.empty().await.unwrap();
    assert_eq!((last.status, last.body.len()), (204, 0));

    let inform = acs.next_inform(&Cpe::key(), PATIENCE).await.unwrap();
    assert_eq!(inform.events.len(), 2);
    let session =
        acs.wait_session(PATIENCE, |session| session.has_event(&EventCode::Bootstrap)).await.unwrap();
    assert!(session.is_clean());
    assert_eq!(session.methods(Direction::FromCpe), ["Inform", ""]);
    assert_eq!(session.methods(Direction::ToCpe), ["InformResponse", ""]);
    assert!(
        String::from_utf8_lossy(&session.messages[0].head)
            .starts_with("POST /acs HTTP/1.1\r\nHost: 127.0.0.1:")
    );
    let record = acs.cpe("*").unwrap();
    assert_eq!(record.connection_request_url.as_deref(), Some("http://127.0.0.1:1/"));
    assert_eq!((record.session_count, record.sessions.len()), (1, 1));
    assert_eq!(acs.violations(), []);
    let lines = seen.lock().unwrap().clone();
    assert!(
        lines[0].contains("00D09E-Box-0001 --> Inform") && lines[0].contains("0 BOOTSTRAP, 1 BOOT"),
        "{lines:?}"
    );
    assert_eq!(lines.len(), 4);
}

#[tokio::test]
async fn a_call_comes_back_with_its_answer() {
    let acs = start().await;
    let pending = acs.call("*", get("Device.DeviceInfo.SoftwareVersion"));
    let second = acs.call(Cpe::key(), CpeRequest::GetRPCMethods);
    assert_eq!(acs.queued(&Cpe::key()), 2);
    let mut cpe = Cpe::connect(acs.address()).await;
    cpe.inform(&[EventCode::Periodic]).await.unwrap();
    let call = cpe.empty().await.unwrap();
    let answer = CpeResponse::GetParameterValues(vec![string("Device.DeviceInfo.SoftwareVersion", "2.0")]);
    let call = cpe.answer(&call, answer.clone()).await.unwrap();
    assert_eq!(call.envelope().message, ToCpe::Request(CpeRequest::GetRPCMethods));
    let fault = cwmp_core::fault::CwmpFault::new(cwmp_core::fault::FaultCode::INTERNAL_ERROR, "out of order");
    let id = call.envelope().header.id;
    let idle = cpe.post(cwmp_core::rpc::ToAcs::Fault(fault.into()), id.as_deref()).await.unwrap();
    assert_eq!(idle.status, 204);

    assert_eq!(pending.await, Ok(answer));
    assert_eq!(second.await.unwrap_err().fault_code(), Some(9002));
    let version = acs.cpe("*").unwrap().parameters["Device.DeviceInfo.SoftwareVersion"].value.clone();
    assert_eq!(version, "2.0");
    assert_eq!(acs.violations(), []);
}

#[tokio::test]
async fn an_envelope_is_sent_as_it_is() {
    let acs = start().await;
    let envelope = r#"<E:Envelope xmlns:E="http://schemas.xmlsoap.org/soap/envelope/" xmlns:c="urn:dslforum-org:cwmp-1-2">
        <E:Header><c:ID E:mustUnderstand="1">odd</c:ID></E:Header><E:Body><c:X_Unheard/></E:Body></E:Envelope>"#;
    let pending = acs.call_raw("*", envelope);
    let mut cpe = Cpe::connect(acs.address()).await;
    cpe.inform(&[EventCode::Boot]).await.unwrap();
    assert_eq!(cpe.empty().await.unwrap().body, envelope.as_bytes());
    let fault =
        cwmp_core::fault::CwmpFault::new(cwmp_core::fault::FaultCode::METHOD_NOT_SUPPORTED, "X_Unheard");
    cpe.post(cwmp_core::rpc::ToAcs::Fault(fault.into()), Some("odd")).await.unwrap();
    assert_eq!(pending.await.unwrap_err().fault_code(), Some(9000));
    assert_eq!(acs.violations(), []);
}

#[tokio::test]
async fn headers_and_cookies_that_break_the_rules_are_noticed() {
    let acs = start().await;
    let mut cpe = Cpe::connect(acs.address()).await;
    assert_eq!(cpe.empty().await.unwrap().status, 400);
    assert_eq!(rules(&acs), [Rule::InformFirst]);
    acs.take_violations();

    cpe.inform(&[EventCode::Boot]).await.unwrap();
    let cookie = cpe.cookie.take();
    cpe.send("POST", "/acs", &[("SOAPAction", ""), ("Content-Type", "text/xml")], b"").await;
    assert_eq!(cpe.reply().await.unwrap().status, 204);
    let found: Vec<Rule> = acs.take_violations().iter().map(|violation| violation.rule).collect();
    assert_eq!(found, [Rule::Cookie, Rule::EmptyPostHeaders, Rule::EmptyPostHeaders]);

    cpe.cookie = cookie;
    assert_eq!(cpe.empty().await.unwrap().status, 400);
    assert_eq!(rules(&acs), [Rule::ConnectionEnds]);
    acs.take_violations();

    cpe.inform(&[EventCode::Boot]).await.unwrap();
    cpe.inform(&[EventCode::Boot]).await.unwrap();
    assert_eq!(rules(&acs), [Rule::ConnectionEnds, Rule::InformOnce]);
    acs.take_violations();

    cpe.send("GET", "/acs", &[], b"").await;
    assert_eq!(cpe.reply().await.unwrap().status, 405);
    assert_eq!(rules(&acs), [Rule::PostOnly]);
    assert_eq!(acs.violation_count(), 8);
}

#[tokio::test]
async fn a_request_before_the_reply_to_the_last_is_noticed() {
    let acs = start().await;
    let mut cpe = Cpe::connect(acs.address()).await;
    cpe.inform(&[EventCode::Boot]).await.unwrap();
    let request = format!(
        "POST /acs HTTP/1.1\r\nHost: h\r\nCookie: {}\r\nContent-Length: 0\r\n\r\n",
        cpe.cookie.clone().unwrap()
    );
    cpe.write(request.repeat(2).as_bytes()).await;
    assert_eq!(cpe.reply().await.unwrap().status, 204);
    assert_eq!(cpe.reply().await.unwrap().status, 400);
    assert_eq!(rules(&acs), [Rule::NoPipelining, Rule::ConnectionEnds]);
}

#[tokio::test]
async fn a_broken_connection_interrupts_the_session_and_its_call() {
    let acs = start().await;
    let pending = acs.call("*", get("Device."));
    let mut cpe = Cpe::connect(acs.address()).await;
    cpe.inform(&[EventCode::Boot]).await.unwrap();
    cpe.empty().await.unwrap();
    cpe.reconnect().await;
    assert_eq!(pending.await, Err(CallError::Interrupted));
    let session = acs.wait_session(PATIENCE, |_| true).await.unwrap();
    assert_eq!(session.ending, Ending::Interrupted);

    // The cookie of the interrupted session comes with the next Inform (TR-069a6 3.4.2), and is no violation.
    cpe.inform(&[EventCode::Boot]).await.unwrap();
    assert_eq!(cpe.empty().await.unwrap().status, 204);
    assert!(acs.wait_session(PATIENCE, |_| true).await.unwrap().is_clean());
    assert_eq!(acs.violations(), []);
}

#[tokio::test]
async fn a_session_moves_to_a_new_connection_when_the_acs_asks_for_it() {
    let acs = start().await;
    acs.script("*", [Step::connection_close(), Step::Pass]);
    let mut cpe = Cpe::connect(acs.address()).await;
    assert_eq!(cpe.inform(&[EventCode::Boot]).await.unwrap().header("Connection"), Some("close"));
    assert!(cpe.is_closed().await);
    cpe.reconnect().await;
    assert_eq!(cpe.empty().await.unwrap().status, 204);
    let session = acs.wait_session(PATIENCE, |_| true).await.unwrap();
    assert!(session.is_clean());
    assert_eq!(session.methods(Direction::FromCpe), ["Inform", ""]);
    assert_eq!(acs.violations(), []);
}

#[tokio::test]
async fn two_sessions_at_a_time_are_noticed() {
    let acs = start().await;
    let mut first = Cpe::connect(acs.address()).await;
    let mut second = Cpe::connect(acs.address()).await;
    first.inform(&[EventCode::Boot]).await.unwrap();
    second.inform(&[EventCode::Periodic]).await.unwrap();
    assert_eq!(rules(&acs), [Rule::OneSession]);
    let session = acs.wait_session(PATIENCE, |_| true).await.unwrap();
    assert!(session.has_event(&EventCode::Boot) && !session.is_clean());
}

#[tokio::test]
async fn a_stopped_acs_gives_up_its_calls_and_its_port() {
    let acs = start().await;
    let pending = acs.call("*", get("Device."));
    let mut cpe = Cpe::connect(acs.address()).await;
    cpe.inform(&[EventCode::Boot]).await.unwrap();
    acs.stop().await;
    assert!(cpe.is_closed().await);
    assert_eq!(pending.await, Err(CallError::Stopped));
    let again = Acs::start(AcsOptions { listen: acs.address(), ..AcsOptions::default() }).await.unwrap();
    cpe.reconnect().await;
    assert_eq!(cpe.inform(&[EventCode::Boot]).await.unwrap().status, 200);
    assert_eq!(again.url(), acs.url());
}

#[tokio::test]
async fn a_silent_connection_is_closed_and_its_session_over() {
    let session_timeout = std::time::Duration::from_millis(200);
    let acs = Acs::start(AcsOptions { session_timeout, ..AcsOptions::default() }).await.unwrap();
    let mut cpe = Cpe::connect(acs.address()).await;
    cpe.inform(&[EventCode::Boot]).await.unwrap();
    assert!(!acs.wait_session(PATIENCE, |_| true).await.unwrap().is_clean());
    assert!(cpe.is_closed().await);

    acs.script("*", [Step::connection_close(), Step::Pass]);
    cpe.reconnect().await;
    cpe.inform(&[EventCode::Boot]).await.unwrap();
    assert!(cpe.is_closed().await);
    assert!(!acs.wait_session(PATIENCE, |_| true).await.unwrap().is_clean(), "it never went on");
}

#[tokio::test]
async fn a_request_without_host_is_refused() {
    let acs = start().await;
    let mut cpe = Cpe::connect(acs.address()).await;
    cpe.write(b"POST /acs HTTP/1.1\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(cpe.reply().await.unwrap().status, 400);
    assert_eq!(rules(&acs), [Rule::Host, Rule::InformFirst]);
}

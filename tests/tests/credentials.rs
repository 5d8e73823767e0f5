//! Who proves what to whom: the agent to the ACS, the ACS in connection requests, and what changes of both come to.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::net::TcpStream;

use cwmp_acs::{Acs, AcsOptions, Authentication, Direction, Login, Step, connection_request};
use cwmp_core::{digest::Algorithm, event::EventCode, rpc::CpeRequest, url::HttpUrl, value::ValueType};
use cwmpd_tests::{
    Scene,
    sandbox::known,
    scene::{PATIENCE, acs_options, acs_options_at, get, set, value_of},
};

const CODE: &str = "Device.DeviceInfo.ProvisioningCode";
const ENABLE: &str = "Device.ManagementServer.EnableCWMP";
const URL: &str = "Device.ManagementServer.URL";
const USERNAME: &str = "Device.ManagementServer.Username";
const PASSWORD: &str = "Device.ManagementServer.Password";

#[tokio::test]
async fn every_way_of_authentication_lets_the_agent_in() {
    let login = Login::new(known::USERNAME, known::PASSWORD);
    let digest =
        |algorithm, nonce_uses| Authentication::Digest { login: login.clone(), algorithm, nonce_uses };
    let ways = [
        Authentication::None,
        Authentication::basic(known::USERNAME, known::PASSWORD),
        digest(Algorithm::Md5, None),
        digest(Algorithm::Sha256, None),
        digest(Algorithm::Md5, Some(1)),
    ];
    for authentication in ways {
        let way = format!("{authentication:?}");
        let mut scene = Scene::new(AcsOptions { authentication, ..acs_options() }, |sandbox| sandbox).await;
        scene.switch_on();
        let call = scene.acs.call("*", get(&["Device."]));
        scene.session(EventCode::Bootstrap).await;
        call.await.unwrap_or_else(|error| panic!("{way}: {error}"));
        scene.assert_clean();
    }
}

#[tokio::test]
async fn basic_without_tls_is_refused_where_the_operator_says_so() {
    let authentication = Authentication::basic(known::USERNAME, known::PASSWORD);
    let careful = |sandbox: cwmpd_tests::Sandbox| sandbox.with("cwmpd", "basic_without_tls", "false");
    let mut scene = Scene::new(AcsOptions { authentication, ..acs_options() }, careful).await;
    scene.switch_on();
    scene.logged("session failed: ", 1).await;
    assert!(scene.acs.cpes().is_empty());
    scene.assert_clean();
}

#[tokio::test]
async fn wrong_credentials_fail_the_session_and_say_what_to_correct() {
    let authentication = Authentication::digest("somebody", "else");
    let mut scene = Scene::new(AcsOptions { authentication, ..acs_options() }, |sandbox| sandbox).await;
    scene.switch_on();
    let reason = "session failed: the ACS refuses the credentials (ManagementServer.Username and Password)";
    scene.logged(reason, 2).await;
    assert!(scene.acs.cpes().is_empty());
    scene.assert_clean();
}

#[tokio::test]
async fn changed_credentials_count_from_the_following_session() {
    let mut scene = Scene::new(acs_options_at(3), |sandbox| sandbox).await;
    scene.switch_on();
    scene.session(EventCode::Bootstrap).await;
    let change = [(USERNAME, ValueType::String, "other"), (PASSWORD, ValueType::String, "other secret")];
    let answers = scene.calls(vec![set(&change, ""), get(&[USERNAME]), get(&[PASSWORD])]).await;
    assert_eq!(value_of(&answers[1]), "other");
    assert_eq!(value_of(&answers[2]), "", "a password reads as empty");
    scene.assert_clean();
    let authentication = Authentication::digest("other", "other secret");
    let listen = scene.acs.address();
    scene.acs.stop().await;
    let second = Acs::start(AcsOptions { listen, authentication, ..acs_options() }).await.unwrap();
    scene.ask(&["inform"]);
    // The session that confirms the change may come first: it has the new credentials as well.
    let periodic = second.wait_session(PATIENCE, |report| report.has_event(&EventCode::Periodic)).await;
    assert!(periodic.as_ref().unwrap().is_clean(), "{periodic:?}");
    assert_eq!(second.violations(), []);
}

#[tokio::test]
async fn another_acs_is_told_bootstrap_once_the_session_with_the_first_has_ended() {
    let scene = Scene::bootstrapped().await;
    let authentication = Authentication::basic("second", "second secret");
    let second = Acs::start(AcsOptions { authentication, ..acs_options() }).await.unwrap();
    let change = [
        (URL, ValueType::String, &*second.url()),
        (USERNAME, ValueType::String, "second"),
        (PASSWORD, ValueType::String, "second secret"),
    ];
    let pending: Vec<_> = [set(&change, "moved"), get(&[URL]), CpeRequest::GetRPCMethods]
        .into_iter()
        .map(|request| scene.acs.call("*", request))
        .collect();
    scene.ring().await;
    for answer in pending {
        answer.await.unwrap();
    }
    scene.session(EventCode::ConnectionRequest).await;
    let report = second.wait_session(PATIENCE, |_| true).await.unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(report.events.len(), 1, "{:?}", report.events);
    assert!(report.has_event(&EventCode::Bootstrap));
    assert_eq!(second.violations(), []);
    // The same by hand, back to the first.
    scene.ask(&[
        "set",
        &format!("{URL}={}", scene.acs.url()),
        &format!("{USERNAME}={}", known::USERNAME),
        &format!("{PASSWORD}={}", known::PASSWORD),
    ]);
    scene.session(EventCode::Bootstrap).await;
    scene.assert_clean();
}

#[tokio::test]
async fn a_connection_request_needs_its_own_credentials() {
    let scene = Scene::bootstrapped().await;
    let url = scene.acs.cpe("*").unwrap().connection_request_url.unwrap();
    let wrong = [
        Login::new(known::CR_USERNAME, "wrong"),
        Login::new("wrong", known::CR_PASSWORD),
        Login::new(known::USERNAME, known::PASSWORD),
    ];
    for login in &wrong {
        assert_eq!(connection_request::send(&url, Some(login)).await.unwrap(), 401);
    }
    let elsewhere = format!("{url}x");
    let right = Login::new(known::CR_USERNAME, known::CR_PASSWORD);
    assert_eq!(connection_request::send(&elsewhere, Some(&right)).await.unwrap(), 404);
    assert_eq!(connection_request::send(&url, Some(&right)).await.unwrap(), 200);
    let report = scene.session(EventCode::ConnectionRequest).await;
    assert_eq!(report.events.len(), 1, "{:?}", report.events);
    let sessions = scene.acs.with_cpe("*", |_, cpe| cpe.session_count);
    assert_eq!(sessions, Some(2), "what was refused opened no session");
    scene.assert_clean();
}

#[tokio::test]
async fn a_connection_request_during_a_session_leads_to_another_one_after_it() {
    let scene = Scene::bootstrapped().await;
    // The reply to this answer is held up long enough for the connection request to fall into the session.
    let held = std::time::Duration::from_secs(1);
    scene.acs.script("*", [Step::until("GetRPCMethodsResponse"), Step::Delay(held), Step::Pass]);
    let call = scene.acs.call("*", CpeRequest::GetRPCMethods);
    scene.ask(&["inform"]);
    call.await.unwrap();
    let busy = scene.acs.connection_request("*").await.unwrap();
    let during = scene.session(EventCode::Periodic).await;
    assert!(!during.has_event(&EventCode::ConnectionRequest));
    assert!(during.methods(Direction::FromCpe).contains(&"GetRPCMethodsResponse"));
    assert_eq!(busy, 200);
    scene.session(EventCode::ConnectionRequest).await;
    scene.assert_clean();
}

/// Conformance: 6.24
#[tokio::test]
async fn changed_credentials_for_connection_requests_count_at_once() {
    let scene = Scene::bootstrapped().await;
    let password = "Device.ManagementServer.ConnectionRequestPassword";
    scene.call(set(&[(password, ValueType::String, "new ring")], "")).await.unwrap();
    // A new listener may have a new port, which the ACS learns with the next Inform.
    scene.ask(&["inform"]);
    scene.session(EventCode::Periodic).await;
    assert_eq!(scene.acs.connection_request("*").await.unwrap(), 401);
    let url = scene.acs.cpe("*").unwrap().connection_request_url.unwrap();
    let login = Login::new(known::CR_USERNAME, "new ring");
    assert_eq!(connection_request::send(&url, Some(&login)).await.unwrap(), 200);
    scene.session(EventCode::ConnectionRequest).await;
    scene.assert_clean();
}

/// Conformance: 6.08
#[tokio::test]
async fn without_enable_cwmp_there_is_silence_and_a_closed_port() {
    let scene = Scene::bootstrapped().await;
    let url = scene.acs.cpe("*").unwrap().connection_request_url.unwrap();
    let url = HttpUrl::parse(&url).unwrap();
    let answers = scene.calls(vec![set(&[(ENABLE, ValueType::Boolean, "false")], ""), get(&[CODE])]).await;
    answers.into_iter().for_each(|answer| drop(answer.unwrap()));
    let port_is_closed = || TcpStream::connect((url.host.as_str(), url.port)).is_err();
    scene.until("the port closed", port_is_closed).await;
    let sessions = || scene.acs.with_cpe("*", |_, cpe| cpe.session_count);
    let before = sessions();
    scene.ask(&["inform"]);
    scene.ask(&["set", &format!("{CODE}=quiet")]);
    assert_eq!(scene.ask(&["get", ENABLE]), format!("{ENABLE}=false\n"));
    assert_eq!(sessions(), before);
    scene.ask(&["set", &format!("{ENABLE}=true")]);
    let report = scene.session(EventCode::ValueChange).await;
    assert!(!report.has_event(&EventCode::Bootstrap), "{:?}", report.events);
    assert_eq!(sessions(), before.map(|before| before + 1));
    scene.ring().await;
    scene.session(EventCode::ConnectionRequest).await;
    scene.assert_clean();
}

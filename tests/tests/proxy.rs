//! The whole program behind an HTTP proxy: sessions are what they are without one.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use cwmp_acs::Step;
use cwmp_core::{event::EventCode, rpc::CpeRequest, value::ValueType};
use cwmpd_tests::{
    Scene,
    scene::{acs_options, get, set, value_of},
    tunnel::{PASSWORD, Proxy, USERNAME},
};

const HOST: &str = "acs.beyond.test";
const CODE: &str = "Device.DeviceInfo.ProvisioningCode";

/// An ACS whose name only the proxy knows.
async fn behind() -> (Scene, Proxy) {
    let mut scene = Scene::new(acs_options(), |sandbox| sandbox).await;
    let own = scene.acs.address();
    let host = format!("{HOST}:{}", own.port());
    let proxy = Proxy::start(&host, own).await.unwrap();
    let url = scene.acs.url().replacen(&own.to_string(), &host, 1);
    assert!(url.contains(HOST), "{url}");
    scene.sandbox = scene
        .sandbox
        .with("ManagementServer", "URL", &url)
        .with("cwmpd", "proxy", &format!("http://{}", proxy.address))
        .with("cwmpd", "proxy_username", USERNAME)
        .with("cwmpd", "proxy_password", PASSWORD);
    (scene, proxy)
}

/// Authentication, cookies, events and calls, connection requests, and a session that is interrupted.
///
/// Conformance: 1.23
#[tokio::test]
async fn sessions_through_a_proxy_are_what_they_are_without_one() {
    let (mut scene, proxy) = behind().await;
    scene.switch_on();
    let boot = scene.session(EventCode::Bootstrap).await;
    assert_eq!(proxy.tunnels(), 1, "one connection carries the session");
    for message in &boot.messages {
        assert!(!String::from_utf8_lossy(&message.head).to_lowercase().contains("proxy"), "{message:?}");
    }
    // The URL for connection requests is the box's own, and they come past the proxy.
    let change = set(&[(CODE, ValueType::String, "through")], "k1");
    let mut calls = vec![change, get(&[CODE])];
    calls.extend((0..10).map(|_| CpeRequest::GetRPCMethods));
    let answers = scene.calls(calls).await;
    assert_eq!(value_of(&answers[1]), "through");
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(proxy.tunnels(), 2);
    scene.assert_clean();

    // A session that breaks is retried, with its events.
    assert!(scene.acs.script("*", [Step::Reset]));
    scene.ask(&["inform"]);
    let retried = scene.good_session(EventCode::Periodic).await;
    assert!(retried.is_clean());
    assert!(!scene.log().contains(PASSWORD));
}

/// Conformance: 1.23
#[tokio::test]
async fn a_proxy_that_refuses_is_named_and_tried_again() {
    let (mut scene, proxy) = behind().await;
    scene.sandbox = scene.sandbox.with("cwmpd", "proxy_password", "wrong-secret");
    scene.switch_on();
    let reason =
        format!("(proxy {}: it refuses the credentials (proxy_username and proxy_password))", proxy.address);
    scene.logged(&reason, 2).await;
    assert!(!scene.log().contains("wrong-secret"));
    scene.cut_power();
    scene.sandbox = scene.sandbox.with("cwmpd", "proxy_password", PASSWORD);
    scene.switch_on();
    scene.session(EventCode::Bootstrap).await;
}

//! Connection requests over XMPP against prosody, a server that somebody else wrote. `cargo xtask interop prosody` runs them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "../../../crates/cwmp-transport/tests/secure/certificates.rs"]
mod certificates;
mod server;

use cwmp_core::{event::EventCode, value::ValueType};
use cwmpd_tests::{
    Sandbox, Scene,
    sandbox::known,
    scene::{acs_options, set},
};

use crate::server::{Acs, DOMAIN, Prosody};

const JABBER_ID: &str = "Device.ManagementServer.ConnReqJabberID";
const CONNECTION: &str = "Device.XMPP.Connection.1.";

/// A box with an account on this server.
async fn beside(prosody: &Prosody) -> Scene {
    let ca = prosody.folder().join("ca.pem");
    let row = "XMPP.Connection.1";
    let change = |sandbox: Sandbox| {
        sandbox
            .with("cwmpd", "tls_ca_file", &ca.to_string_lossy())
            .with("ManagementServer", "ConnReqXMPPConnection", "Device.XMPP.Connection.1")
            .with("ManagementServer", "ConnReqAllowedJabberIDs", "acs@xmpp.example")
            .with(row, "Enable", "true")
            .with(row, "Username", "cpe")
            .with(row, "Password", "cpe-secret")
            .with(row, "Domain", DOMAIN)
            .with(row, "Resource", "home")
            .with(row, "UseTLS", "true")
            .with(row, "ServerRetryInitialInterval", "1")
            .with(row, "ServerRetryMaxInterval", "1")
            .with(row, "ServerConnectAlgorithm", "ServerTable")
            .with("XMPP.Connection.1.Server.1", "Enable", "true")
            .with("XMPP.Connection.1.Server.1", "ServerAddress", &prosody.address.ip().to_string())
            .with("XMPP.Connection.1.Server.1", "Port", &prosody.address.port().to_string())
    };
    let mut scene = Scene::new(acs_options(), change).await;
    scene.switch_on();
    scene.session(EventCode::Bootstrap).await;
    scene
}

/// Waits for a session with `4 VALUE CHANGE` after which the ACS reads this JID.
async fn known_as(scene: &Scene, jid: &str) {
    for _ in 0..5 {
        if scene.value(JABBER_ID).await == jid {
            return;
        }
        scene.session(EventCode::ValueChange).await;
    }
    panic!("{JABBER_ID} does not become {jid}\n{}", scene.log());
}

/// Conformance: 6.09, 6.34, 6.35
#[tokio::test]
#[ignore = "needs prosody: cargo xtask interop prosody"]
async fn a_request_over_prosody_brings_a_session_and_a_wrong_one_does_not() {
    let prosody = Prosody::start();
    let scene = beside(&prosody).await;
    known_as(&scene, "cpe@xmpp.example/home").await;
    assert_eq!(scene.value(&format!("{CONNECTION}Status")).await, "Enabled");
    assert_eq!(scene.value(&format!("{CONNECTION}TLSEstablished")).await, "true");
    let mut acs = Acs::login(&prosody).await;
    let box_id = "cpe@xmpp.example/home";
    let before = scene.rung();
    let refused = acs.ring(box_id, known::CR_USERNAME, "wrong").await;
    assert!(refused.contains("not-authorized"), "{refused}");
    let taken = acs.ring(box_id, known::CR_USERNAME, known::CR_PASSWORD).await;
    assert!(taken.contains("type='result'") || taken.contains("type=\"result\""), "{taken}");
    scene.session(EventCode::ConnectionRequest).await;
    assert_eq!(scene.rung(), before + 1, "the wrong one has brought a session");
    scene.assert_clean();
    for secret in ["cpe-secret", known::CR_PASSWORD] {
        assert!(!scene.log().contains(secret), "{}", scene.log());
    }
}

/// Conformance: 6.36, 6.37
#[tokio::test]
#[ignore = "needs prosody: cargo xtask interop prosody"]
async fn the_connection_comes_back_and_another_resource_is_told_to_the_acs() {
    let mut prosody = Prosody::start();
    let scene = beside(&prosody).await;
    known_as(&scene, "cpe@xmpp.example/home").await;
    prosody.kill();
    known_as(&scene, "").await;
    assert!(prosody.run(), "prosody starts again");
    known_as(&scene, "cpe@xmpp.example/home").await;
    let resource = format!("{CONNECTION}Resource");
    scene.call(set(&[(&resource, ValueType::String, "away")], "")).await.unwrap();
    known_as(&scene, "cpe@xmpp.example/away").await;
    let mut acs = Acs::login(&prosody).await;
    acs.ring("cpe@xmpp.example/away", known::CR_USERNAME, known::CR_PASSWORD).await;
    scene.session(EventCode::ConnectionRequest).await;
    scene
        .call(set(&[("Device.ManagementServer.ConnReqXMPPConnection", ValueType::String, "")], ""))
        .await
        .unwrap();
    known_as(&scene, "").await;
    scene.assert_clean();
}

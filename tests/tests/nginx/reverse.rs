//! nginx as a reverse proxy in front of the ACS: whole sessions through a server that rewrites, buffers and keeps connections.

use cwmp_acs::{Direction, Rule, Step};
use cwmp_core::{event::EventCode, rpc::CpeRequest, url::HttpUrl, value::ValueType};
use cwmpd_tests::{
    Scene,
    scene::{acs_options, get, set, value_of},
};

use crate::server::Nginx;

const CODE: &str = "Device.DeviceInfo.ProvisioningCode";

/// An agent whose ACS is behind nginx.
async fn behind_nginx() -> (Scene, Nginx) {
    let mut scene = Scene::new(acs_options(), |sandbox| sandbox).await;
    let behind = scene.acs.address();
    // A session of the ACS is tied to its connection, so nginx must keep that one.
    let nginx = Nginx::start(
        |_| {},
        |[own, _], _| {
            format!(
                "upstream acs {{ server {behind}; keepalive 1; }}\n\
                 server {{ listen {own}; location / {{ proxy_pass http://acs; proxy_http_version 1.1;\n\
                 proxy_set_header Host $http_host; proxy_set_header Connection \"\"; }} }}"
            )
        },
    );
    let path = HttpUrl::parse(&scene.acs.url()).unwrap().path_and_query;
    scene.sandbox = scene.sandbox.with("ManagementServer", "URL", &nginx.url(&path));
    (scene, nginx)
}

/// Authentication, a large answer, changes, and an interruption.
///
/// Conformance: 1.01, 1.14
#[tokio::test]
#[ignore = "needs nginx: cargo xtask interop nginx"]
async fn whole_sessions_run_through_a_reverse_proxy() {
    let (mut scene, nginx) = behind_nginx().await;
    scene.switch_on();
    let boot = scene.session(EventCode::Bootstrap).await;
    assert_eq!(boot.methods(Direction::FromCpe).first(), Some(&"Inform"));
    let before = nginx.requests().len();
    let mut calls =
        vec![get(&["Device."]), set(&[(CODE, ValueType::String, "through nginx")], "k"), get(&[CODE])];
    calls.extend((0..10).map(|_| CpeRequest::GetRPCMethods));
    let answers = scene.calls(calls).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(value_of(&answers[2]), "through nginx");
    let requests = nginx.requests();
    assert!(
        requests.len() > before + 13 && requests.iter().all(|line| line.starts_with("POST /")),
        "{requests:?}"
    );
    // nginx keeps its connection to the ACS from one session to the next, which the box has no hand in.
    let mut broken = scene.acs.take_violations();
    broken.retain(|violation| violation.rule != Rule::ConnectionEnds);
    assert_eq!(broken, [], "\n{}", scene.log());
    // What the ACS breaks off is 502 to the agent, which tries again.
    assert!(scene.acs.script("*", [Step::Close]));
    scene.ask(&["inform"]);
    scene.good_session(EventCode::Periodic).await;
}

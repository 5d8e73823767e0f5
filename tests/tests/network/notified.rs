//! The whole program on a network that changes, with its ACS on the other side of the uplink.

use std::time::{Duration, Instant};

use cwmp_acs::{AcsOptions, SessionReport};
use cwmp_core::event::EventCode;
use cwmpd_tests::{Scene, program, sandbox::known, scene::acs_options};

use crate::Home;

const URL: &str = "Device.ManagementServer.ConnectionRequestURL";

fn url(scene: &Scene) -> String {
    let find = |cpe: &cwmp_acs::CpeRecord| {
        let mut values = cpe.last_inform.parameters.iter();
        values.find(|value| value.name == URL).map(|value| value.value.clone())
    };
    scene.acs.with_cpe(known::CPE, |_, cpe| find(cpe)).flatten().unwrap()
}

/// Conformance: 6.22
#[test]
fn a_new_address_of_the_uplink_is_notified_within_seconds() {
    let Some(home) = Home::new() else { return };
    program::binary().unwrap();
    home.world.run(play(&home));
}

async fn play(home: &Home) {
    let options = AcsOptions { listen: "192.0.2.1:0".parse().unwrap(), ..acs_options() };
    let any = |sandbox: cwmpd_tests::Sandbox| sandbox.with("cwmpd", "connection_request_address", "0.0.0.0");
    let mut scene = Scene::new(options, any).await;
    scene.agent = Some(home.router.cwmpd(&scene.sandbox));
    let first: SessionReport = scene.session(EventCode::Bootstrap).await;
    assert!(!first.has_event(&EventCode::ValueChange));
    assert!(url(&scene).starts_with("http://192.0.2.2:"), "{}", url(&scene));

    let change = Instant::now();
    home.router.ip("addr del 192.0.2.2/24 dev wan0");
    home.router.ip("addr add 192.0.2.9/24 dev wan0");
    scene.session(EventCode::ValueChange).await;
    let took = change.elapsed();
    eprintln!("a new address was notified after {} ms", took.as_millis());
    assert!(url(&scene).starts_with("http://192.0.2.9:"), "{}", url(&scene));
    assert!(took < Duration::from_secs(10), "{took:?}");
    scene.ring().await;
    scene.session(EventCode::ConnectionRequest).await;
    // The tree over the control socket: the uplink as it is now.
    let answer = scene.agent().ask(&["get", "Device.IP."]).unwrap();
    let text = String::from_utf8_lossy(&answer.stdout).into_owned();
    assert!(text.contains("192.0.2.9") && !text.contains("192.0.2.2\n"), "{text}");
    scene.assert_clean();
}

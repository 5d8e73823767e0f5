//! Connection requests over UDP (TR-069a6 Annex G), on loopback; `nat/` has them through a NAT.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::{net::UdpSocket, time::Duration};

use cwmp_acs::{Login, udp_request, udp_request::UdpRequest};
use cwmp_core::{event::EventCode, value::ValueType};
use cwmpd_tests::{
    Scene,
    sandbox::known,
    scene::{get, set, value_of},
};

const ADDRESS: &str = "Device.ManagementServer.UDPConnectionRequestAddress";
const METHODS: &str = "Device.ManagementServer.SupportedConnReqMethods";
const ENABLE: &str = "Device.ManagementServer.EnableCWMP";
const PASSWORD: &str = "Device.ManagementServer.ConnectionRequestPassword";

fn login() -> Login {
    Login::new(known::CR_USERNAME, known::CR_PASSWORD)
}

/// The same request sent so long before or after.
fn later(request: &UdpRequest, seconds: u64, id: &str) -> UdpRequest {
    UdpRequest { ts: request.ts + seconds, id: id.to_owned(), ..request.clone() }
}

async fn send(address: &str, request: &UdpRequest, login: &Login) {
    udp_request::send(address, &request.message(address, login), None).await.unwrap();
}

/// Conformance: 6.09, 6.26, 6.28
#[tokio::test]
async fn a_request_counts_once_also_after_the_program_was_killed() {
    let mut scene = Scene::bootstrapped().await;
    let address = scene.value(ADDRESS).await;
    assert!(address.starts_with("127.0.0.1:"), "{address}");
    assert_eq!(scene.value(METHODS).await, "HTTP,STUN,XMPP");
    assert_eq!(scene.acs.udp_connection_request(known::CPE).await.unwrap(), address);
    scene.session(EventCode::ConnectionRequest).await;

    let request = later(&UdpRequest::now(), 1, "captured");
    send(&address, &request, &login()).await;
    scene.session(EventCode::ConnectionRequest).await;
    scene.cut_power();
    scene.switch_on();
    // It listens on another port now.
    scene.session(EventCode::ValueChange).await;
    let address = scene.value(ADDRESS).await;
    let before = scene.rung();
    send(&address, &request, &login()).await;
    send(&address, &later(&request, 0, "same-second"), &login()).await;
    send(&address, &later(&request, 200, "new"), &login()).await;
    scene.session(EventCode::ConnectionRequest).await;
    send(&address, &later(&request, 201, "newer"), &login()).await;
    scene.session(EventCode::ConnectionRequest).await;
    assert_eq!(scene.rung(), before + 2);
    scene.assert_clean();
}

/// Conformance: 6.24, 6.27
#[tokio::test]
async fn a_new_password_counts_for_the_next_request_and_the_port_stays() {
    let scene = Scene::bootstrapped().await;
    let address = scene.value(ADDRESS).await;
    scene.call(set(&[(PASSWORD, ValueType::String, "other")], "")).await.unwrap();
    let (request, before) = (UdpRequest::now(), scene.rung());
    let new = Login::new(known::CR_USERNAME, "other");
    // It is in force once the session is over. Nobody answers, so it is sent until it is heard.
    let copies = async {
        loop {
            send(&address, &request, &new).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        _ = scene.session(EventCode::ConnectionRequest) => {}
        () = copies => {}
    }
    send(&address, &later(&request, 1, "old-password"), &login()).await;
    send(&address, &later(&request, 2, "new-password"), &new).await;
    scene.session(EventCode::ConnectionRequest).await;
    assert_eq!(scene.rung(), before + 2);
    scene.assert_clean();
}

/// Conformance: 6.08
#[tokio::test]
async fn with_cwmp_disabled_nothing_listens() {
    let scene = Scene::bootstrapped().await;
    let address = value_of(&scene.call(get(&[ADDRESS])).await);
    assert!(UdpSocket::bind(&address).is_err(), "the box has it");
    scene.call(set(&[(ENABLE, ValueType::Boolean, "false")], "")).await.unwrap();
    scene.until("closed", || UdpSocket::bind(&address).is_ok()).await;
    assert_eq!(scene.ask(&["get", ADDRESS]).trim(), format!("{ADDRESS}="));
    scene.assert_clean();
}

//! The program and the network: a silent ACS, local ports, IPv6.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::expect_used)]

use std::time::Duration;

use cwmp_acs::AcsOptions;
use cwmp_core::{
    event::EventCode,
    io::{AcsTarget, NetError},
    settings::{HttpCompression, Secret},
    url::HttpUrl,
};
use cwmp_transport::{AcsClient, ClientConfig, PostBody};
use cwmpd_tests::{
    Cwmpd, Sandbox, Scene,
    scene::{PATIENCE, acs_options},
};
use tokio::{
    net::TcpListener,
    time::{Instant, advance, pause, timeout},
};

const CONNECTION_REQUEST_URL: &str = "Device.ManagementServer.ConnectionRequestURL";

/// The clock of the test is stopped once the connection is there, so nothing waits in earnest.
///
/// Conformance: 1.17
#[tokio::test]
async fn a_silent_acs_is_waited_for_at_29_s_and_given_up_finally() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = AcsTarget {
        url: HttpUrl::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap(),
        username: String::new(),
        password: Secret::default(),
        compression: HttpCompression::default(),
        keep_cookies: false,
    };
    let mut client = AcsClient::new(ClientConfig::default());
    client.open(&target).await.unwrap();
    let _silent = listener.accept().await.unwrap();
    pause();
    let begin = Instant::now();
    let post = client.post(PostBody::Empty);
    tokio::pin!(post);
    // Nothing is ready at once: the request is on its way.
    assert!(timeout(Duration::ZERO, &mut post).await.is_err());
    advance(Duration::from_secs(29)).await;
    assert!(timeout(Duration::ZERO, &mut post).await.is_err(), "given up before 30 s");
    assert!(matches!(post.await, Err(NetError::Timeout(_))));
    let waited = begin.elapsed();
    assert!(waited >= Duration::from_secs(30) && waited < Duration::from_secs(600), "{waited:?}");
}

/// Conformance: 1.19
#[tokio::test]
async fn after_each_power_cut_the_first_connection_comes_from_another_port() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::new(folder.path(), &format!("http://{}/", listener.local_addr().unwrap()));
    let mut ports = Vec::new();
    for _ in 0..5 {
        let agent = Cwmpd::start(&sandbox).unwrap();
        let (stream, peer) = timeout(PATIENCE, listener.accept()).await.expect("a connection").unwrap();
        ports.push(peer.port());
        agent.kill().unwrap();
        drop(stream);
    }
    let mut different = ports.clone();
    different.sort_unstable();
    different.dedup();
    assert_eq!(different.len(), ports.len(), "{ports:?}");
}

/// Literals in both URLs. Names with AAAA records are left out: no name is sure to have one on every machine.
///
/// Conformance: 1.20
#[tokio::test]
async fn sessions_and_connection_requests_work_with_ipv6_literals() {
    let options = AcsOptions { listen: "[::1]:0".parse().unwrap(), ..acs_options() };
    let listens = |sandbox: Sandbox| sandbox.with("cwmpd", "connection_request_address", "::1");
    let mut scene = Scene::new(options, listens).await;
    assert!(scene.acs.url().starts_with("http://[::1]:"), "{}", scene.acs.url());
    scene.switch_on();
    let report = scene.session(EventCode::Bootstrap).await;
    let host = report.messages.iter().find(|message| message.method == "Inform").expect("an Inform");
    assert!(String::from_utf8_lossy(&host.head).to_lowercase().contains("host: [::1]:"));
    let url = scene.value(CONNECTION_REQUEST_URL).await;
    assert!(url.starts_with("http://[::1]:"), "{url}");
    scene.ring().await;
    scene.session(EventCode::ConnectionRequest).await;
    scene.assert_clean();
}

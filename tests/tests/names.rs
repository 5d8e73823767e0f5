//! The program and names: name servers of its own, and names with several addresses.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use cwmp_acs::{Acs, AcsOptions};
use cwmp_core::event::EventCode;
use cwmpd_tests::{
    Sandbox, Scene,
    dns::NameServer,
    scene::{PATIENCE, acs_options},
};

const NAME: &str = "acs.cwmpd.test";
const CONNECTION_REQUEST_URL: &str = "Device.ManagementServer.ConnectionRequestURL";

/// The ACS, which listens at this address, by its name.
async fn by_name(listen: &str, server: &NameServer, change: impl FnOnce(Sandbox) -> Sandbox) -> Scene {
    let options = AcsOptions { listen: listen.parse().unwrap(), ..acs_options() };
    let mut scene = Scene::new(options, change).await;
    let host = scene.acs.address().ip().to_string();
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    let url = scene.acs.url().replacen(&host, NAME, 1);
    assert!(url.starts_with(&format!("http://{NAME}:")), "{url}");
    let resolver = server.address.to_string();
    scene.sandbox = scene.sandbox.with("ManagementServer", "URL", &url).with("cwmpd", "resolvers", &resolver);
    scene
}

/// Conformance: 1.20
#[tokio::test]
async fn an_acs_whose_name_has_an_ipv6_address_alone_is_found() {
    let server = NameServer::start("127.0.0.1:0").await.unwrap();
    server.says(NAME, &["::1"]);
    let listens = |sandbox: Sandbox| sandbox.with("cwmpd", "connection_request_address", "::1");
    let mut scene = by_name("[::1]:0", &server, listens).await;
    scene.switch_on();
    let report = scene.session(EventCode::Bootstrap).await;
    let inform = report.messages.iter().find(|message| message.method == "Inform").unwrap();
    assert!(String::from_utf8_lossy(&inform.head).to_lowercase().contains(&format!("host: {NAME}:")));
    let url = scene.value(CONNECTION_REQUEST_URL).await;
    assert!(url.starts_with("http://[::1]:"), "{url}");
    assert!(server.asked().iter().all(|name| name == NAME) && server.asked().len() >= 2);
    scene.assert_clean();
}

/// Conformance: 12.10, 12.12
#[tokio::test]
async fn of_several_addresses_the_one_that_lives_is_found_each_time() {
    let server = NameServer::start("127.0.0.1:0").await.unwrap();
    // Nobody listens at the others.
    server.says(NAME, &["::1", "127.0.0.2", "127.0.0.3", "127.0.0.1", "127.0.0.4"]);
    let mut scene = by_name("127.0.0.1:0", &server, |sandbox| sandbox).await;
    scene.switch_on();
    scene.session(EventCode::Bootstrap).await;
    for _ in 0..10 {
        scene.ask(&["inform"]);
        scene.session(EventCode::Periodic).await;
    }
    assert!(!scene.log().contains("session failed"), "{}", scene.log());
    scene.assert_clean();
}

/// Conformance: 12.11
#[tokio::test]
async fn an_acs_that_moves_is_found_where_its_name_leads() {
    let server = NameServer::start("127.0.0.1:0").await.unwrap();
    server.says(NAME, &["127.0.0.1"]);
    let mut scene = by_name("127.0.0.1:0", &server, |sandbox| sandbox).await;
    scene.switch_on();
    scene.session(EventCode::Bootstrap).await;
    let listen = std::net::SocketAddr::new("127.0.0.9".parse().unwrap(), scene.acs.address().port());
    let moved = Acs::start(AcsOptions { listen, ..acs_options() }).await.unwrap();
    scene.acs.stop().await;
    server.says(NAME, &["127.0.0.9"]);
    scene.ask(&["inform"]);
    let report = moved.wait_session(PATIENCE, |report| report.is_clean()).await;
    let report = report.unwrap_or_else(|error| panic!("{error}\n{}", scene.log()));
    assert!(!report.has_event(&EventCode::Bootstrap), "the URL is the same: {:?}", report.events);
}

#[tokio::test]
async fn a_name_that_does_not_exist_fails_the_session_and_is_asked_for_again() {
    let server = NameServer::start("127.0.0.1:0").await.unwrap();
    let mut scene = by_name("127.0.0.1:0", &server, |sandbox| sandbox).await;
    scene.switch_on();
    scene.logged("cannot be resolved", 1).await;
    assert!(scene.log().contains("there is no such name"), "{}", scene.log());
    server.says(NAME, &["127.0.0.1"]);
    scene.session(EventCode::Bootstrap).await;
    scene.assert_clean();
}

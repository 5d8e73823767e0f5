//! A build without the feature `tls`: an https URL is refused, wherever it comes from.

#![cfg(not(feature = "tls"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod peer;

use cwmp_core::{io::NetError, settings::Secret, url::HttpUrl};
use cwmp_transport::{AcsClient, ClientConfig, FileClient, FileConfig, PostBody, files::RemoteFile};
use peer::{Server, target};
use tokio::join;

fn assert_refused(error: &NetError) {
    assert!(matches!(error, NetError::Connect(text) if text.contains("no TLS")), "{error}");
}

#[tokio::test]
async fn a_session_is_refused_before_anything_is_sent() {
    let server = Server::start().await;
    let mut client = AcsClient::new(ClientConfig::default());
    let error = client.open(&target(&format!("https://{}/", server.address))).await.unwrap_err();
    assert_refused(&error);
    server.assert_nobody_came();
}

#[tokio::test]
async fn a_redirect_to_https_ends_the_session() {
    let (server, secure) = (Server::start().await, Server::start().await);
    let mut client = AcsClient::new(ClientConfig::default());
    let serve = async {
        let mut peer = server.accept().await;
        peer.read().await;
        peer.reply("302 Found", &format!("Location: https://{}/\r\n", secure.address), "").await;
    };
    let ask = async {
        client.open(&server.target("/")).await.unwrap();
        client.post(PostBody::Empty).await
    };
    assert_refused(&join!(ask, serve).0.unwrap_err());
    secure.assert_nobody_came();
}

#[tokio::test]
async fn a_file_is_not_fetched() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let config = FileConfig { pause: std::time::Duration::ZERO, ..FileConfig::default() };
    let url = HttpUrl::parse(&format!("https://{}/", server.address)).unwrap();
    let file = RemoteFile { url, username: String::new(), password: Secret(String::new()) };
    let fetched = FileClient::new(config).fetch(&file, 0, &folder.path().join("f"), &|_| {}).await;
    let error = fetched.unwrap_err();
    assert!(error.code.0 == 9015 && error.text.contains("no TLS"), "{error}");
    server.assert_nobody_came();
}

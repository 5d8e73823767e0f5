//! Files that are sent with PUT (CONFORMANCE 7).

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod peer;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use cwmp_core::{
    digest::{DigestAuthorization, parse_basic},
    job::JobError,
    settings::Secret,
    url::HttpUrl,
};
use cwmp_transport::{FileClient, FileConfig, files::RemoteFile, limits};
use peer::{Message, Server};
use tempfile::TempDir;
use tokio::join;

const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";
const DIGEST: &str = "WWW-Authenticate: Digest realm=r, nonce=n, qop=\"auth\"\r\n";

fn file(length: usize) -> (TempDir, PathBuf, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let (path, data) = (folder.path().join("log"), (0..length).map(|at| (at / 3) as u8).collect::<Vec<_>>());
    fs::write(&path, &data).unwrap();
    (folder, path, data)
}

fn remote(server: &Server) -> RemoteFile {
    RemoteFile {
        url: HttpUrl::parse(&server.url("/up/log?x")).unwrap(),
        username: "box".into(),
        password: Secret("top secret".into()),
    }
}

async fn send(server: &Server, path: &Path) -> Result<(), JobError> {
    FileClient::new(FileConfig::default()).send(&remote(server), path).await
}

fn digest(request: &Message) -> bool {
    let answer = DigestAuthorization::parse(request.header("authorization").unwrap()).unwrap();
    answer.verify("PUT", "top secret") && answer.uri == "/up/log?x"
}

/// Conformance: 7.20
#[tokio::test]
async fn a_short_file_goes_out_at_once() {
    let (server, (_folder, path, data)) = (Server::start().await, file(20_000));
    let serve = async {
        let mut peer = server.accept().await;
        let request = peer.read().await;
        peer.reply("201 Created", "", "").await;
        request
    };
    let (sent, request) = join!(send(&server, &path), serve);
    sent.unwrap();
    assert_eq!(request.body, data);
    let (host, version) = (server.address, env!("CARGO_PKG_VERSION"));
    assert_eq!(
        request.head,
        format!(
            "PUT /up/log?x HTTP/1.1\r\nHost: {host}\r\nUser-Agent: cwmpd/{version}\r\n\
             Content-Type: application/octet-stream\r\nContent-Length: 20000\r\n\r\n"
        )
    );
}

#[tokio::test]
async fn an_empty_file_is_sent() {
    let (server, (_folder, path, _)) = (Server::start().await, file(0));
    let serve = async {
        let mut peer = server.accept().await;
        let request = peer.read().await;
        peer.reply("204 Done", "", "").await;
        request
    };
    let (sent, request) = join!(send(&server, &path), serve);
    sent.unwrap();
    assert_eq!(request.header("content-length"), Some("0"));
}

/// Conformance: 7.20
#[tokio::test]
async fn a_long_file_waits_for_the_server_to_ask_for_it() {
    let (server, (_folder, path, data)) = (Server::start().await, file(1_000_000));
    let serve = async {
        let mut peer = server.accept().await;
        let head = peer.head().await;
        assert_eq!(head.header("expect"), Some("100-continue"));
        peer.write(CONTINUE).await;
        let body = peer.body(data.len()).await;
        peer.ok("").await;
        body
    };
    let (sent, body) = join!(send(&server, &path), serve);
    sent.unwrap();
    assert_eq!(body, data);
}

/// The server says nothing and waits: that of an old server, and of one that does not know Expect.
#[tokio::test]
async fn a_server_that_ignores_the_announcement_gets_the_file() {
    let (server, (_folder, path, data)) = (Server::start().await, file(200_000));
    let serve = async {
        let mut peer = server.accept().await;
        let request = peer.read().await;
        peer.ok("").await;
        request.body
    };
    let start = std::time::Instant::now();
    let (sent, body) = join!(send(&server, &path), serve);
    sent.unwrap();
    assert_eq!(body, data);
    assert!(start.elapsed() >= Duration::from_millis(limits::EXPECT_MS), "it was not held back");
}

#[tokio::test]
async fn a_server_that_refuses_the_announcement_gets_the_file_without() {
    let (server, (_folder, path, data)) = (Server::start().await, file(200_000));
    let serve = async {
        let mut peer = server.accept().await;
        peer.head().await;
        peer.reply("417 Expectation Failed", "", "").await;
        let mut peer = server.accept().await;
        let request = peer.read().await;
        peer.ok("").await;
        request
    };
    let (sent, request) = join!(send(&server, &path), serve);
    sent.unwrap();
    assert_eq!((request.header("expect"), &request.body), (None, &data));
}

/// Conformance: 7.09
#[tokio::test]
async fn a_challenge_comes_before_the_long_file() {
    let (server, (_folder, path, data)) = (Server::start().await, file(1_000_000));
    let serve = async {
        let mut peer = server.accept().await;
        peer.head().await;
        peer.reply("401 Go", DIGEST, "").await;
        // Not a byte of the file: that connection cannot be used any more.
        assert!(peer.ended().await);
        let mut peer = server.accept().await;
        let head = peer.head().await;
        peer.write(CONTINUE).await;
        let body = peer.body(data.len()).await;
        peer.ok("").await;
        (head, body)
    };
    let (sent, (head, body)) = join!(send(&server, &path), serve);
    sent.unwrap();
    assert!(digest(&head) && body == data);
}

/// Conformance: 7.09
#[tokio::test]
async fn a_short_file_is_sent_again_on_the_same_connection_for_a_challenge() {
    for ask in [DIGEST, "WWW-Authenticate: Basic realm=r\r\n"] {
        let (server, (_folder, path, data)) = (Server::start().await, file(50_000));
        let serve = async {
            let mut peer = server.accept().await;
            peer.read().await;
            peer.reply("401 Go", ask, "").await;
            let request = peer.read().await;
            peer.ok("").await;
            request
        };
        let (sent, request) = join!(send(&server, &path), serve);
        sent.unwrap();
        assert_eq!(request.body, data);
        let basic = parse_basic(request.header("authorization").unwrap());
        assert!(basic == Some(("box".into(), "top secret".into())) || digest(&request));
    }
}

/// A server that knows its nonce on one connection only gets the file once in vain.
#[tokio::test]
async fn a_nonce_that_is_good_for_its_connection_alone() {
    let (server, (_folder, path, data)) = (Server::start().await, file(100_000));
    let serve = async {
        for _ in 0..2 {
            let mut peer = server.accept().await;
            assert!(peer.head().await.header("expect").is_some());
            peer.reply("401 Go", DIGEST, "").await;
        }
        let mut peer = server.accept().await;
        peer.read().await;
        peer.reply("401 Go", DIGEST, "").await;
        let request = peer.read().await;
        peer.ok("").await;
        request
    };
    let (sent, request) = join!(send(&server, &path), serve);
    sent.unwrap();
    assert!(digest(&request) && request.body == data);
}

/// Conformance: 7.21
#[tokio::test]
async fn refusals_have_their_codes() {
    let (server, (_folder, path, _)) = (Server::start().await, file(10));
    for (replies, expected) in [
        (&["401 Go", "401 Go"][..], 9012),
        (&["401 Go", "403 No"], 9012),
        (&["403 No"], 9011),
        (&["500 No"], 9011),
        (&["507 Full"], 9011),
    ] {
        let serve = async {
            let mut peer = server.accept().await;
            for reply in replies {
                peer.read().await;
                peer.reply(reply, "WWW-Authenticate: Basic realm=r\r\n", "").await;
            }
        };
        let (sent, ()) = join!(send(&server, &path), serve);
        assert_eq!(sent.unwrap_err().code.0, expected, "{replies:?}");
    }
    let gone = Server { address: Server::start().await.address, ..Server::start().await };
    assert_eq!(send(&gone, &path).await.unwrap_err().code.0, 9015);
}

/// A PUT whose fate is unknown is not sent again.
#[tokio::test]
async fn a_file_is_not_sent_again_after_an_unclear_end() {
    let (server, (_folder, path, _)) = (Server::start().await, file(10));
    let serve = async {
        let mut peer = server.accept().await;
        peer.read().await;
    };
    let (sent, ()) = join!(send(&server, &path), serve);
    assert_eq!(sent.unwrap_err().code.0, 9011);
    server.assert_nobody_came();
}

/// Conformance: 7.11
#[tokio::test]
async fn a_redirected_put_stays_a_put() {
    let (server, (_folder, path, data)) = (Server::start().await, file(10));
    let serve = async {
        let mut peer = server.accept().await;
        peer.read().await;
        peer.reply("302 Found", "Location: /there\r\n", "").await;
        let request = peer.read().await;
        peer.ok("").await;
        request
    };
    let (sent, request) = join!(send(&server, &path), serve);
    sent.unwrap();
    assert_eq!((request.first_line(), request.body.clone()), ("PUT /there HTTP/1.1", data));
}

#[tokio::test]
async fn a_file_that_is_not_there_is_9011_and_nobody_is_asked() {
    let server = Server::start().await;
    let error = send(&server, Path::new("/nowhere/at/all")).await.unwrap_err();
    assert!(error.code.0 == 9011 && error.text.contains("/nowhere/at/all"), "{error}");
}

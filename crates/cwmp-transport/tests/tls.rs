//! Sessions and files over TLS (CONFORMANCE 1f).

#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod peer;
mod secure;

use std::{cell::Cell, fs, os::unix::fs::PermissionsExt, rc::Rc, sync::Arc, time::Duration};

use bytes::Bytes;
use cwmp_core::{
    io::{NetError, Reply},
    settings::Secret,
    url::HttpUrl,
};
use cwmp_transport::{
    AcsClient, ClientConfig, FileClient, FileConfig, PostBody, Tls, TlsConfig,
    files::RemoteFile,
    tls_config::{ClientCertificate, Pin},
};
use peer::{Server, target};
use rustls::{HandshakeKind, ServerConfig};
use secure::{
    BOTH, Hello, Shows, World, accept,
    certificates::{ALWAYS, Certificate, Says},
    wall,
};
use sha2::{Digest, Sha256};
use tokio::join;

fn client(tls: Tls) -> AcsClient {
    AcsClient::new(ClientConfig { tls, ..ClientConfig::default() })
}

fn url(server: &Server, host: &str, path: &str) -> String {
    format!("https://{host}:{}{path}", server.address.port())
}

async fn session(client: &mut AcsClient, url: &str) -> Result<Reply, NetError> {
    client.open(&target(url)).await?;
    let reply = client.post(PostBody::Bytes(Bytes::from_static(b"<Inform/>"))).await;
    client.close();
    reply
}

/// Serves up to `connections` connections of a session each; what came of the last one.
async fn serve(
    server: &Server,
    config: &Arc<ServerConfig>,
    connections: usize,
) -> Option<(Hello, HandshakeKind, bool)> {
    let mut last = None;
    for _ in 0..connections {
        last = None;
        let Ok((mut peer, hello)) = accept(server, config).await else { continue };
        let Some(request) = peer.try_read().await else { continue };
        assert!(request.body.ends_with(b"<Inform/>"));
        peer.ok("over").await;
        // A connection that ends without a close_notify is an error to rustls.
        let ended = peer.ended().await;
        let kind = peer.stream.get_ref().1.handshake_kind().unwrap();
        last = Some((hello, kind, ended));
    }
    last
}

/// One session with a server that shows this, at `localhost`; what the client makes of it.
async fn outcome(tls: Tls, shows: &Shows<'_>, connections: usize) -> Result<Reply, NetError> {
    let server = Server::start().await;
    let (mut client, url, config) = (client(tls), url(&server, "127.0.0.1", "/"), shows.config());
    tokio::select! {
        outcome = session(&mut client, &url) => outcome,
        // Serving may be over before the client has seen it; it does not decide.
        () = async { serve(&server, &config, connections).await; std::future::pending().await } => panic!(),
    }
}

fn refusal(outcome: Result<Reply, NetError>) -> String {
    match outcome {
        Err(NetError::Connect(text)) => text,
        other => panic!("{other:?}"),
    }
}

const HERE: &[&str] = &["127.0.0.1", "localhost"];

/// Conformance: 1.45, 1.46, 1.49, 1.51
#[tokio::test]
async fn a_session_over_tls_in_both_versions() {
    let world = World::new();
    let own = world.server(HERE, ALWAYS);
    for versions in [&BOTH[..1], &BOTH[1..], BOTH] {
        let shows = Shows { own: &own, others: &[&world.between], versions, asks: None };
        let (server, mut client, config) = (Server::start().await, client(world.tls()), shows.config());
        let url = url(&server, "localhost", "/acs");
        let (reply, served) = join!(session(&mut client, &url), serve(&server, &config, 1));
        assert_eq!(reply.unwrap().body, b"over");
        let (hello, _, ended) = served.unwrap();
        assert!(ended, "it ends with a close_notify");
        assert_eq!(hello.server_name.as_deref(), Some("localhost"));
        // AEAD with a key exchange that keeps the past secret, and nothing else.
        for suite in hello.suites {
            let name = format!("{suite:?}");
            let good = ["TLS13_", "TLS_ECDHE_", "TLS_EMPTY_RENEGOTIATION_INFO_SCSV"];
            assert!(good.iter().any(|good| name.starts_with(good)), "{name}");
            assert!(!name.contains("CBC") && !name.contains("RC4") && !name.contains("NULL"), "{name}");
        }
    }
}

/// Conformance: 1.48
#[tokio::test]
async fn the_name_must_be_that_of_the_url() {
    let world = World::new();
    for (names, right) in [
        (&["127.0.0.1"][..], true),
        (&["127.0.0.2"], false),
        (&["localhost"], false),
        (&["other", "acs"], false),
        (&[], false),
    ] {
        let own = world.server(names, ALWAYS);
        let shows = Shows { own: &own, others: &[&world.between], versions: BOTH, asks: None };
        let outcome = outcome(world.tls(), &shows, 1).await;
        if right {
            outcome.unwrap();
        } else {
            let text = refusal(outcome);
            assert!(text.contains("TLS: ") && text.contains("not valid for name"), "{text}");
        }
    }
}

/// Conformance: 1.47
#[tokio::test]
async fn the_chain_must_lead_to_a_trusted_root() {
    let world = World::new();
    let own = world.server(HERE, ALWAYS);
    let stranger = Certificate::root("root");
    let foreign = Certificate::of(&Says { common_name: "server", names: HERE, valid: ALWAYS }, &stranger);
    let alone = Certificate::self_signed(HERE);
    // A server's certificate is no authority.
    let child = Certificate::of(&Says { common_name: "child", names: HERE, valid: ALWAYS }, &own);
    for (own, others) in
        [(&own, &[][..]), (&foreign, &[&stranger]), (&alone, &[]), (&child, &[&own, &world.between])]
    {
        let shows = Shows { own, others, versions: BOTH, asks: None };
        let text = refusal(outcome(world.tls(), &shows, 1).await);
        assert!(text.contains("TLS: invalid peer certificate"), "{text}");
    }
    let shows = Shows { own: &own, others: &[&world.between], versions: BOTH, asks: None };
    outcome(world.tls(), &shows, 1).await.unwrap();
}

/// Conformance: 1.50
#[tokio::test]
async fn dates_count_while_the_clock_is_right() {
    let world = World::new();
    for (valid, right) in [
        (("20261130000000", "20261202000000"), true),
        (("20261001000000", "20261130235959"), false),
        (("20261201000001", "20270101000000"), false),
    ] {
        let own = world.server(HERE, valid);
        let shows = Shows { own: &own, others: &[&world.between], versions: BOTH, asks: None };
        let outcome = outcome(world.tls(), &shows, 1).await;
        assert_eq!(outcome.is_ok(), right, "{valid:?}: {outcome:?}");
        if !right {
            assert!(refusal(outcome).contains("certificate"));
        }
    }
}

/// Conformance: 1.50
#[tokio::test]
async fn without_a_clock_a_chain_that_may_be_valid_is_believed() {
    let world = World::new();
    let without_clock = || Tls::new(TlsConfig { date: Rc::new(|| None), ..world.config() });
    let younger = Says { common_name: "young", names: &[], valid: ("20280101000000", "20290101000000") };
    let young = Certificate::dated_between(&younger, &world.root);
    let of_young = |valid| Certificate::of(&Says { common_name: "server", names: HERE, valid }, &young);
    let (later, apart) =
        (of_young(("20280601000000", "20280701000000")), of_young(("20270101000000", "20271231000000")));
    let now = world.server(HERE, ("20261030000000", "20270101000000"));
    let expired = world.server(HERE, ("20200101000000", "20261031000000"));
    for (own, other, right) in [
        (&now, &world.between, true),
        // Made long after this program; the chain begins with its youngest part.
        (&later, &young, true),
        // Over before this program was built.
        (&expired, &world.between, false),
        // Never valid together.
        (&apart, &young, false),
    ] {
        let shows = Shows { own, others: &[other], versions: BOTH, asks: None };
        let outcome = outcome(without_clock(), &shows, 5).await;
        assert_eq!(outcome.is_ok(), right, "{outcome:?}");
    }
}

/// What was seen once is not forgotten when the clock is lost.
#[tokio::test]
async fn a_date_that_was_known_counts_later() {
    let world = World::new();
    let clock = Rc::new(Cell::new(Some(wall(secure::TODAY))));
    let read = Rc::clone(&clock);
    let tls = Tls::new(TlsConfig { date: Rc::new(move || read.get()), ..world.config() });
    let own = world.server(HERE, ALWAYS);
    let shows = Shows { own: &own, others: &[&world.between], versions: BOTH, asks: None };
    outcome(tls.clone(), &shows, 1).await.unwrap();
    clock.set(None);
    let over = world.server(HERE, ("20200101000000", "20261115000000"));
    let shows = Shows { own: &over, ..shows };
    assert!(refusal(outcome(tls, &shows, 1).await).contains("expired"));
}

/// Conformance: 1.52
#[tokio::test]
async fn a_server_may_ask_for_the_certificate_of_the_box() {
    let world = World::new();
    let own = world.server(HERE, ALWAYS);
    for versions in [&BOTH[..1], &BOTH[1..]] {
        let asks = Shows { own: &own, others: &[&world.between], versions, asks: Some(&world.root) };
        let with = Tls::new(TlsConfig { client: Some(world.client()), ..world.config() });
        outcome(with.clone(), &asks, 1).await.unwrap();
        let error = outcome(world.tls(), &asks, 1).await.unwrap_err();
        assert!(
            error.to_string().contains("CertificateRequired")
                || error.to_string().contains("HandshakeFailure"),
            "{error}"
        );
        // Where none is asked for, none is shown.
        outcome(with, &Shows { asks: None, ..asks }, 1).await.unwrap();
    }
}

/// Conformance: 1.52
#[tokio::test]
async fn a_key_that_others_can_read_is_not_used() {
    let world = World::new();
    let (own, client) = (world.server(HERE, ALWAYS), world.client());
    let shows = Shows { own: &own, others: &[&world.between], versions: BOTH, asks: None };
    let with = |client: &ClientCertificate| TlsConfig { client: Some(client.clone()), ..world.config() };
    fs::set_permissions(&client.key, fs::Permissions::from_mode(0o640)).unwrap();
    let text = refusal(outcome(Tls::new(with(&client)), &shows, 1).await);
    assert!(text.contains("box.key") && text.contains("chmod 600"), "{text}");
    fs::set_permissions(&client.key, fs::Permissions::from_mode(0o600)).unwrap();
    outcome(Tls::new(with(&client)), &shows, 1).await.unwrap();

    let other = ClientCertificate { key: world.file("other.key", &own.key_pem()), ..client.clone() };
    let text = refusal(outcome(Tls::new(with(&other)), &shows, 1).await);
    assert!(text.contains("certificate and key of the box"), "{text}");
    let none = ClientCertificate { key: world.file("none.key", "secret, not PEM"), ..client };
    let text = refusal(outcome(Tls::new(with(&none)), &shows, 1).await);
    assert!(text.contains("none.key") && !text.contains("secret"), "{text}");
}

#[tokio::test]
async fn files_with_authorities_are_checked_and_read_again_when_they_change() {
    let world = World::new();
    let own = world.server(HERE, ALWAYS);
    let shows = Shows { own: &own, others: &[&world.between], versions: BOTH, asks: None };
    let ca_file = world.file("trusted.pem", "no certificate");
    let tls = Tls::new(TlsConfig { ca_file: Some(ca_file.clone()), ..world.config() });
    let text = refusal(outcome(tls.clone(), &shows, 1).await);
    assert!(text.contains("trusted.pem: there is no certificate"), "{text}");
    fs::write(&ca_file, Certificate::root("another").pem()).unwrap();
    assert!(refusal(outcome(tls.clone(), &shows, 1).await).contains("UnknownIssuer"));
    fs::write(&ca_file, format!("# ours\n{}{}", world.root.pem(), Certificate::root("another").pem()))
        .unwrap();
    outcome(tls.clone(), &shows, 1).await.unwrap();
    fs::remove_file(&ca_file).unwrap();
    assert!(refusal(outcome(tls, &shows, 1).await).contains("trusted.pem"));
}

/// Conformance: 1.46
#[tokio::test]
async fn a_port_for_clear_text_gets_not_a_byte_of_the_session() {
    let (world, server) = (World::new(), Server::start().await);
    let mut client = client(world.tls());
    let serve = async {
        let mut peer = server.accept().await;
        peer.first_bytes().await;
        peer.write("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
        let mut seen = Vec::new();
        while let Some(bytes) = peer.rest().await {
            seen.extend(bytes);
        }
        seen
    };
    let url = url(&server, "127.0.0.1", "/cwmp");
    let (outcome, seen) = join!(session(&mut client, &url), serve);
    let text = refusal(outcome);
    assert!(text.contains("clear text"), "{text}");
    assert_eq!(seen[0], 0x16, "a handshake record");
    let has = |words: &[u8]| seen.windows(words.len()).any(|window| window == words);
    assert!(!has(b"POST") && !has(b"Inform") && !has(b"cpe"));
}

/// Conformance: 1.34, 1.35
#[tokio::test]
async fn redirects_lead_to_tls_with_full_validation_and_never_back() {
    let world = World::new();
    for (names, right) in [(HERE, true), (&["other"][..], false)] {
        let own = world.server(names, ALWAYS);
        let shows = Shows { own: &own, others: &[&world.between], versions: BOTH, asks: None };
        let (clear, secure, config) = (Server::start().await, Server::start().await, shows.config());
        let mut client = client(world.tls());
        let serve = async {
            let mut peer = clear.accept().await;
            peer.read().await;
            let location = format!("Location: {}\r\n", url(&secure, "127.0.0.1", "/there"));
            peer.reply("302 Found", &location, "").await;
            serve(&secure, &config, 1).await.is_some()
        };
        let start = clear.url("/");
        let (outcome, served) = join!(session(&mut client, &start), serve);
        assert_eq!((outcome.is_ok(), served), (right, right), "{outcome:?}");
    }
    let own = world.server(HERE, ALWAYS);
    let shows = Shows { own: &own, others: &[&world.between], versions: BOTH, asks: None };
    let (clear, secure, config) = (Server::start().await, Server::start().await, shows.config());
    let mut client = client(world.tls());
    let serve = async {
        let (mut peer, _) = accept(&secure, &config).await.unwrap();
        peer.read().await;
        peer.reply("302 Found", &format!("Location: {}\r\n", clear.url("/")), "").await;
    };
    let start = url(&secure, "127.0.0.1", "/");
    let (outcome, ()) = join!(session(&mut client, &start), serve);
    assert!(matches!(outcome, Err(NetError::Redirect(_))), "{outcome:?}");
    clear.assert_nobody_came();
}

#[tokio::test]
async fn a_pinned_key_must_be_in_the_verified_chain() {
    let world = World::new();
    let own = world.server(HERE, ALWAYS);
    let bystander = Certificate::root("bystander");
    let pin = |certificate: &Certificate| Pin(Sha256::digest(&certificate.public_key).into());
    for (pins, right) in [
        (vec![pin(&own)], true),
        (vec![pin(&world.between)], true),
        (vec![pin(&world.root)], true),
        (vec![Pin([0; 32]), pin(&world.root)], true),
        (vec![Pin([0; 32])], false),
        // It is presented, and speaks for nobody here.
        (vec![pin(&bystander)], false),
    ] {
        let others = [&world.between, &bystander];
        let shows = Shows { own: &own, others: &others, versions: BOTH, asks: None };
        let tls = Tls::new(TlsConfig { pins: pins.clone(), ..world.config() });
        let outcome = outcome(tls, &shows, 1).await;
        assert_eq!(outcome.is_ok(), right, "{outcome:?}");
    }
    // A pin replaces nothing.
    let alone = Certificate::self_signed(HERE);
    let shows = Shows { own: &alone, others: &[], versions: BOTH, asks: None };
    let tls = Tls::new(TlsConfig { pins: vec![pin(&alone)], ..world.config() });
    assert!(refusal(outcome(tls, &shows, 1).await).contains("invalid peer certificate"));
}

/// Conformance: 1.51
#[tokio::test]
async fn the_next_session_resumes_the_last_one_while_the_date_is_known() {
    let world = World::new();
    let own = world.server(HERE, ALWAYS);
    for versions in [&BOTH[..1], &BOTH[1..]] {
        for (date, expected) in
            [(Some(wall(secure::TODAY)), HandshakeKind::Resumed), (None, HandshakeKind::Full)]
        {
            let shows = Shows { own: &own, others: &[&world.between], versions, asks: None };
            let (server, config) = (Server::start().await, shows.config());
            let tls = Tls::new(TlsConfig { date: Rc::new(move || date), ..world.config() });
            let url = url(&server, "localhost", "/");
            let ask = async {
                session(&mut client(tls.clone()), &url).await.unwrap();
                session(&mut client(tls.clone()), &url).await.unwrap();
            };
            let ((), served) = join!(ask, serve(&server, &config, 2));
            assert_eq!(served.unwrap().1, expected);
        }
    }
}

fn file_client(tls: Tls) -> FileClient {
    let pause = Duration::from_millis(1);
    FileClient::new(FileConfig { tls, pause, reserve_bytes: 0, ..FileConfig::default() })
}

fn remote(url: &str) -> RemoteFile {
    RemoteFile { url: HttpUrl::parse(url).unwrap(), username: String::new(), password: Secret(String::new()) }
}

/// Conformance: 7.07, 7.10
#[tokio::test]
async fn files_go_over_tls_both_ways() {
    let world = World::new();
    let own = world.server(HERE, ALWAYS);
    let shows = Shows { own: &own, others: &[&world.between], versions: BOTH, asks: None };
    let (server, config) = (Server::start().await, shows.config());
    let (into, data) = (world.folder.path().join("image"), vec![b'x'; 500_000]);
    let serve = async {
        let (mut peer, _) = accept(&server, &config).await.unwrap();
        peer.read().await;
        peer.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", data.len())).await;
        peer.write(&data).await;
        tokio::io::AsyncWriteExt::flush(&mut peer.stream).await.unwrap();
        let (mut peer, _) = accept(&server, &config).await.unwrap();
        let request = peer.read().await;
        peer.ok("").await;
        request
    };
    let (client, remote) = (file_client(world.tls()), remote(&url(&server, "127.0.0.1", "/f")));
    let ask = async {
        let fetched = client.fetch(&remote, 0, &into, &|_| {}).await.unwrap();
        client.send(&remote, &into).await.unwrap();
        fetched
    };
    let (fetched, request) = join!(ask, serve);
    assert_eq!(fetched.bytes, 500_000);
    assert!(fs::read(&into).unwrap() == data && request.body == data);
}

/// Conformance: 7.10
#[tokio::test]
async fn a_bad_certificate_of_a_file_server_is_9015() {
    let world = World::new();
    let own = world.server(&["other"], ALWAYS);
    let shows = Shows { own: &own, others: &[&world.between], versions: BOTH, asks: None };
    let (server, config) = (Server::start().await, shows.config());
    let from = world.file("log", "line");
    let (client, remote) = (file_client(world.tls()), remote(&url(&server, "127.0.0.1", "/f")));
    let endless = async {
        loop {
            assert!(accept(&server, &config).await.is_err());
        }
    };
    let ask = async {
        let into = world.folder.path().join("image");
        let fetched = client.fetch(&remote, 0, &into, &|_| {}).await.unwrap_err();
        (fetched, client.send(&remote, &from).await.unwrap_err())
    };
    let (fetched, sent) = tokio::select! { outcome = ask => outcome, () = endless => panic!() };
    assert_eq!((fetched.code.0, sent.code.0), (9015, 9015));
    assert!(fetched.text.contains("not valid for name"), "{fetched}");
}

/// Without a length only the close_notify says that a file is whole.
#[tokio::test]
async fn a_file_that_ends_without_close_notify_was_cut() {
    let world = World::new();
    let own = world.server(HERE, ALWAYS);
    let shows = Shows { own: &own, others: &[&world.between], versions: BOTH, asks: None };
    let (server, config) = (Server::start().await, shows.config());
    let client = file_client(world.tls());
    let remote = remote(&url(&server, "127.0.0.1", "/f"));
    for (orderly, expected) in [(true, 0), (false, 9017)] {
        let into = world.folder.path().join("image");
        let serve = async {
            for _ in 0..if orderly { 1 } else { 5 } {
                let (mut peer, _) = accept(&server, &config).await.unwrap();
                peer.read().await;
                peer.write("HTTP/1.1 200 OK\r\n\r\nhalf").await;
                if orderly {
                    tokio::io::AsyncWriteExt::shutdown(&mut peer.stream).await.unwrap();
                }
            }
        };
        let (fetched, ()) = join!(client.fetch(&remote, 0, &into, &|_| {}), serve);
        assert_eq!(fetched.map_or_else(|error| error.code.0, |_| 0), expected);
    }
}

/// What servers say that know TLS 1.0 and 1.1 alone: an alert to what they do not understand, or their own version.
///
/// Conformance: 1.45
#[tokio::test]
async fn a_server_that_speaks_old_versions_alone_is_refused_in_clear_words() {
    let alert = b"\x15\x03\x01\x00\x02\x02\x46".to_vec();
    // ServerHello: version, 32 random bytes, no session, TLS_RSA_WITH_AES_128_CBC_SHA, no compression.
    let hello = |minor: u8| {
        let body = [&[3, minor][..], &[7; 32], &[0, 0, 0x2f, 0]].concat();
        [&[22, 3, minor, 0, 4 + body.len() as u8, 2, 0, 0, body.len() as u8][..], &body].concat()
    };
    for reply in [alert, hello(1), hello(2)] {
        let (server, world) = (Server::start().await, World::new());
        let url = url(&server, "127.0.0.1", "/");
        let old = async {
            let mut peer = server.accept().await;
            peer.first_bytes().await;
            peer.write(&reply).await;
        };
        let mut client = client(world.tls());
        let (outcome, ()) = join!(session(&mut client, &url), old);
        let text = refusal(outcome);
        assert!(text.contains("TLS: ") && text.contains("the server must speak TLS 1.2 or 1.3"), "{text}");
    }
}

/// Conformance: 1.42
#[tokio::test]
async fn basic_is_given_unasked_to_an_acs_that_has_asked_for_it_over_tls() {
    let world = World::new();
    let own = world.server(HERE, ALWAYS);
    let shows = Shows { own: &own, others: &[&world.between], versions: BOTH, asks: None };
    let (server, mut client, config) = (Server::start().await, client(world.tls()), shows.config());
    let url = url(&server, "127.0.0.1", "/");
    let ask = "WWW-Authenticate: Basic realm=r\r\n";
    // What the ACS answers in each session, and whether each request shows a password.
    for (replies, shown) in [
        (&["401 Go", "200 OK"][..], &[false, true][..]),
        (&["200 OK"], &[true]),
        (&["401 Go"], &[true]),
        // It was refused: nothing more is given unasked.
        (&["200 OK"], &[false]),
        (&["200 OK"], &[false]),
    ] {
        let serving = async {
            let (mut peer, _) = accept(&server, &config).await.unwrap();
            let mut seen = Vec::new();
            for status in replies {
                seen.push(
                    peer.read()
                        .await
                        .header("authorization")
                        .is_some_and(|value| value.starts_with("Basic ")),
                );
                peer.reply(status, if status.starts_with("401") { ask } else { "" }, "").await;
            }
            seen
        };
        let (outcome, seen) = join!(session(&mut client, &url), serving);
        assert_eq!(seen, shown);
        match replies {
            ["401 Go"] => assert_eq!(outcome, Err(NetError::Unauthorized)),
            _ => assert_eq!(outcome.unwrap().status, 200),
        }
    }
}

//! The door that the ACS rings at (CONFORMANCE 6a, 6b).

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod peer;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use cwmp_core::{
    digest::{Algorithm, Challenge, Credentials, DigestAuthorization, DigestChallenge},
    io::Via,
    settings::Secret,
    url::HttpUrl,
};
use cwmp_transport::{
    ConnectionRequestListener, ListenError, ListenerConfig, ManagementPath, limits, listener::random_path,
    path::Interface,
};
use peer::{Message, Peer};
use tokio::sync::mpsc;

const PATH: &str = "/kq3x";
const WHO: Credentials<'_> = Credentials { username: "acs", password: "ring" };

fn config(path: &str) -> (ListenerConfig, mpsc::Receiver<Via>) {
    let (sink, bell) = mpsc::channel(2 * limits::REQUEST_BURST as usize);
    let bind = vec!["127.0.0.1:0".parse().unwrap()];
    (ListenerConfig::new(bind, path.into(), "acs".into(), Secret("ring".into()), sink), bell)
}

struct Door {
    listener: ConnectionRequestListener,
    bell: mpsc::Receiver<Via>,
    address: SocketAddr,
}

impl Door {
    async fn open(change: impl FnOnce(&mut ListenerConfig)) -> Self {
        let (mut config, bell) = config(PATH);
        change(&mut config);
        let listener = ConnectionRequestListener::start(config).await.unwrap();
        let address = listener.local_addrs()[0];
        Self { listener, bell, address }
    }

    async fn plain() -> Self {
        Self::open(|_| {}).await
    }

    fn rung(&mut self) -> usize {
        std::iter::from_fn(|| self.bell.try_recv().ok()).count()
    }

    /// One request on a connection of its own.
    async fn ask(&self, request: impl AsRef<[u8]>) -> Message {
        let mut peer = Peer::connect(self.address).await;
        peer.write(request).await;
        peer.read().await
    }

    async fn get(&self, target: &str, headers: &str) -> Message {
        self.ask(format!("GET {target} HTTP/1.1\r\nHost: box\r\n{headers}\r\n")).await
    }

    async fn challenge(&self, target: &str) -> DigestChallenge {
        challenge_of(&self.get(target, "").await)
    }

    /// A request signed for a fresh challenge; `change` may spoil it.
    async fn signed(&self, target: &str, change: impl FnOnce(&mut DigestAuthorization)) -> Message {
        let mut answer = self.challenge(target).await.answer(&WHO, "GET", target, "c", 1);
        change(&mut answer);
        self.get(target, &format!("Authorization: {answer}\r\n")).await
    }
}

fn challenge_of(reply: &Message) -> DigestChallenge {
    assert_eq!(reply.first_line(), "HTTP/1.1 401 Unauthorized");
    match Challenge::parse_all(reply.header("www-authenticate").unwrap()).as_slice() {
        [Challenge::Digest(challenge)] => challenge.clone(),
        other => panic!("one Digest challenge is expected: {other:?}"),
    }
}

fn status(reply: &Message) -> &str {
    reply.first_line().split(' ').nth(1).unwrap()
}

/// Conformance: 6.13, 6.17
#[tokio::test]
async fn a_request_with_the_password_rings_once() {
    let mut door = Door::plain().await;
    let mut peer = Peer::connect(door.address).await;
    peer.write("GET /kq3x HTTP/1.1\r\nHost: box\r\n\r\n").await;
    let refused = peer.read().await;
    let challenge = challenge_of(&refused);
    assert_eq!(
        refused.head,
        format!(
            "HTTP/1.1 401 Unauthorized\r\nWww-Authenticate: Digest realm=\"Connection Request\", \
             nonce=\"{}\", algorithm=MD5, qop=\"auth\"\r\nContent-Length: 0\r\n\r\n",
            challenge.nonce
        )
    );
    assert_eq!(door.rung(), 0);
    // The same connection again, as clients do that keep it.
    let answer = challenge.answer(&WHO, "GET", PATH, "0a4f113b", 1);
    peer.write(format!("GET /kq3x HTTP/1.1\r\nHost: box\r\nAuthorization: {answer}\r\n\r\n")).await;
    let accepted = peer.read().await;
    assert_eq!(accepted.head, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(door.bell.recv().await, Some(Via::Http));
    assert_eq!(door.rung(), 0);
}

#[tokio::test]
async fn header_names_and_schemes_may_be_in_lower_case() {
    // An ACS that always signs "/" is served where the path is "/".
    let mut door = Door::open(|config| config.path = "/".into()).await;
    let answer = door.challenge("/").await.answer(&WHO, "GET", "/", "c", 1).to_string();
    let header = format!("authorization: {}\r\n", answer.replace("Digest", "digest"));
    assert_eq!(status(&door.get("/", &header).await), "200");
    assert_eq!(door.rung(), 1);
}

#[tokio::test]
async fn a_query_is_part_of_the_target_and_changes_nothing() {
    let mut door = Door::plain().await;
    assert_eq!(status(&door.signed("/kq3x?acs=http://evil/", |_| {}).await), "200");
    assert_eq!(door.rung(), 1);
    let spoiled = door.signed("/kq3x?x=1", |answer| answer.uri = PATH.into()).await;
    assert_eq!(status(&spoiled), "401");
    assert_eq!(door.rung(), 0);
}

/// Conformance: 6.18, 6.19
#[tokio::test]
async fn a_body_is_ignored_and_http_1_0_is_served() {
    let mut door = Door::plain().await;
    let answer = door.challenge(PATH).await.answer(&WHO, "GET", PATH, "c", 1);
    assert_eq!(
        status(&door.get(PATH, &format!("Authorization: {answer}\r\nContent-Length: 4\r\n\r\n<x/>")).await),
        "200"
    );
    let answer = door.challenge(PATH).await.answer(&WHO, "GET", PATH, "c", 1);
    let reply = door.ask(format!("GET {PATH} HTTP/1.0\r\nAuthorization: {answer}\r\n\r\n")).await;
    assert!(reply.first_line().ends_with(" 200 OK"), "{}", reply.head);
    assert_eq!(door.rung(), 2);
}

#[tokio::test]
async fn an_absolute_target_is_served() {
    let door = Door::plain().await;
    let url = format!("http://{}{PATH}", door.address);
    for uri in [PATH, url.as_str()] {
        let answer = door.challenge(PATH).await.answer(&WHO, "GET", uri, "c", 1);
        assert_eq!(status(&door.get(&url, &format!("Authorization: {answer}\r\n")).await), "200");
    }
}

/// Conformance: 6.12
#[tokio::test]
async fn what_is_not_there_tells_nothing() {
    let mut door = Door::plain().await;
    for target in ["/", "/kq3", "/kq3xx", "/kq3x/", "/KQ3X", "//kq3x"] {
        let reply = door.get(target, "").await;
        assert_eq!(reply.head, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "{target}");
    }
    for method in ["POST", "PUT", "HEAD", "OPTIONS", "DELETE", "BREW"] {
        let reply =
            door.ask(format!("{method} /kq3x HTTP/1.1\r\nHost: b\r\nContent-Length: 0\r\n\r\n")).await;
        assert!(
            reply.head.starts_with("HTTP/1.1 405 Method Not Allowed\r\nAllow: GET\r\n"),
            "{}",
            reply.head
        );
        for name in ["server", "date"] {
            assert_eq!(reply.header(name), None);
        }
    }
    assert_eq!(door.rung(), 0);
}

/// A name of somebody else that leads to the box (DNS rebinding) lets a browser in the home ask here. It gets what anybody
/// gets, and nothing in the answer lets a page read it.
///
/// Conformance: 6.12
#[tokio::test]
async fn a_page_whose_name_was_bound_to_the_box_learns_nothing() {
    let mut door = Door::plain().await;
    let from_page = "Origin: http://evil.example\r\nReferer: http://evil.example/\r\nCookie: a=b\r\n";
    for (target, expected) in [("/", "404"), (PATH, "401")] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: evil.example\r\n{from_page}\r\n");
        let reply = door.ask(request).await;
        assert_eq!((status(&reply), reply.body.len()), (expected, 0));
        for name in ["access-control-allow-origin", "set-cookie", "location", "server"] {
            assert_eq!(reply.header(name), None, "{name}");
        }
    }
    let preflight = format!("OPTIONS {PATH} HTTP/1.1\r\nHost: evil.example\r\n{from_page}\r\n");
    assert_eq!(status(&door.ask(preflight).await), "405");
    assert_eq!(door.rung(), 0);
}

/// Conformance: 6.07, 6.14, 6.16
#[tokio::test]
async fn whatever_does_not_prove_the_password_gets_a_challenge() {
    let mut door = Door::plain().await;
    let changes: [fn(&mut DigestAuthorization); 7] = [
        |a| a.response = a.response.chars().map(|c| if c == '0' { '1' } else { '0' }).collect(),
        |a| a.username = "root".into(),
        |a| a.realm = "other".into(),
        |a| a.uri = "/".into(),
        |a| a.nonce.replace_range(0..1, "f"),
        |a| a.qop = None,
        |a| a.algorithm = Algorithm::Sha256,
    ];
    for change in changes {
        let reply = door.signed(PATH, change).await;
        assert!(!challenge_of(&reply).stale);
    }
    assert_eq!(door.rung(), 0);
    // Signed correctly, but not what the challenge said. Doors of their own: guesses are counted.
    let mut door = Door::plain().await;
    let challenge = door.challenge(PATH).await;
    let wrong = [
        DigestChallenge { realm: "other".into(), ..challenge.clone() },
        DigestChallenge { algorithm: Algorithm::Sha256, ..challenge.clone() },
        DigestChallenge { algorithm: Algorithm::Md5Sess, ..challenge.clone() },
    ];
    for other in wrong {
        let answer = other.answer(&WHO, "GET", PATH, "c", 1);
        let reply = door.get(PATH, &format!("Authorization: {answer}\r\n")).await;
        assert!(!challenge_of(&reply).stale);
    }
    // Signed for another target or another method.
    for (method, uri) in [("GET", "/"), ("GET", "/kq3x?x"), ("GET", "http://box/kq3x"), ("POST", PATH)] {
        let answer = challenge.answer(&WHO, method, uri, "c", 1);
        challenge_of(&door.get(PATH, &format!("Authorization: {answer}\r\n")).await);
    }
    assert_eq!(door.rung(), 0);
    let mut door = Door::plain().await;
    let challenge = door.challenge(PATH).await;
    let good = challenge.answer(&WHO, "GET", PATH, "c", 1);
    for headers in [
        "Authorization: Basic YWNzOnJpbmc=\r\n".to_owned(),
        "Authorization: Digest\r\n".to_owned(),
        "Authorization:\r\n".to_owned(),
        format!("Authorization: {good}\r\nAuthorization: {good}\r\n"),
    ] {
        challenge_of(&door.get(PATH, &headers).await);
    }
    let empty = Credentials { username: "acs", password: "" };
    let answer = challenge.answer(&empty, "GET", PATH, "c", 1);
    challenge_of(&door.get(PATH, &format!("Authorization: {answer}\r\n")).await);
    assert_eq!(door.rung(), 0);
}

/// A connection from this address.
async fn connect_from(door: &Door, from: &str) -> Peer {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(from.parse().unwrap(), 0)).unwrap();
    Peer::new(socket.connect(door.address).await.unwrap())
}

/// A request with this password from this address; the status of what is answered.
async fn guess(door: &Door, from: &str, password: &str) -> String {
    let mut peer = connect_from(door, from).await;
    peer.write(format!("GET {PATH} HTTP/1.1\r\nHost: box\r\n\r\n")).await;
    let challenge = challenge_of(&peer.read().await);
    let answer = challenge.answer(&Credentials { username: "acs", password }, "GET", PATH, "c", 1);
    peer.write(format!("GET {PATH} HTTP/1.1\r\nAuthorization: {answer}\r\n\r\n")).await;
    let reply = peer.read().await;
    assert_eq!(reply.header("retry-after"), None);
    status(&reply).to_owned()
}

/// Conformance: 6.05, 6.06, 13.05
#[tokio::test]
async fn who_guesses_passwords_is_slowed_and_nobody_else() {
    let mut door = Door::plain().await;
    for _ in 0..limits::GUESSES {
        assert_eq!(guess(&door, "127.0.0.66", "guess").await, "401");
    }
    // From now on nothing is learnt from there, not even by the right one.
    assert_eq!(guess(&door, "127.0.0.66", "guess").await, "503");
    assert_eq!(guess(&door, "127.0.0.66", "ring").await, "503");
    assert_eq!(door.rung(), 0);
    // Any other address is served.
    for from in ["127.0.0.1", "127.0.0.2", "127.9.9.9"] {
        assert_eq!(guess(&door, from, "ring").await, "200");
    }
    // Many guess side by side, until none is looked at; who has proved itself goes on.
    let mut looked_at = limits::GUESSES;
    for n in 0.. {
        if guess(&door, &format!("127.1.0.{n}"), "guess").await == "503" {
            break;
        }
        looked_at += 1;
    }
    // The common allowance may have grown by some on the way.
    assert!((limits::GUESSES_OF_ALL..limits::GUESSES_OF_ALL + 60).contains(&looked_at), "{looked_at}");
    assert_eq!(guess(&door, "127.9.9.9", "ring").await, "200");
    assert_eq!(door.rung(), 4);
}

/// Conformance: 6.15
#[tokio::test]
async fn a_captured_request_cannot_be_replayed() {
    let mut door = Door::plain().await;
    let challenge = door.challenge(PATH).await;
    let ask = |nc| format!("Authorization: {}\r\n", challenge.answer(&WHO, "GET", PATH, "c", nc));
    assert_eq!(status(&door.get(PATH, &ask(1)).await), "200");
    let replayed = challenge_of(&door.get(PATH, &ask(1)).await);
    assert!(replayed.stale, "the password was right");
    assert_ne!(replayed.nonce, challenge.nonce);
    assert_eq!(status(&door.get(PATH, &ask(2)).await), "200");
    // A nonce that nobody issued, signed with the right password.
    let own = DigestChallenge { nonce: "0".repeat(64), ..challenge.clone() };
    let header = format!("Authorization: {}\r\n", own.answer(&WHO, "GET", PATH, "c", 1));
    assert!(challenge_of(&door.get(PATH, &header).await).stale);
    assert_eq!(door.rung(), 2);
}

/// Conformance: 6.04, 6.05
#[tokio::test]
async fn beyond_the_rate_the_answer_is_503_without_retry_after() {
    let mut door = Door::plain().await;
    for _ in 0..limits::REQUEST_BURST {
        assert_eq!(status(&door.signed(PATH, |_| {}).await), "200");
    }
    let refused = door.signed(PATH, |_| {}).await;
    assert_eq!(refused.head, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(door.rung(), limits::REQUEST_BURST as usize);
}

#[tokio::test]
async fn the_agent_decides_whether_a_request_is_taken() {
    let ready = Arc::new(AtomicBool::new(false));
    let hook = Arc::clone(&ready);
    let mut door = Door::open(|config| config.accept = Arc::new(move || hook.load(Ordering::Relaxed))).await;
    let refused = door.signed(PATH, |_| {}).await;
    assert_eq!((status(&refused), refused.header("retry-after")), ("503", None));
    assert_eq!(door.rung(), 0);
    ready.store(true, Ordering::Relaxed);
    assert_eq!(status(&door.signed(PATH, |_| {}).await), "200");
    assert_eq!(door.rung(), 1);
    door.bell.close();
    assert_eq!(status(&door.signed(PATH, |_| {}).await), "503", "nobody listens any more");
}

#[tokio::test]
async fn a_full_sink_still_answers_200() {
    let (sink, mut bell) = mpsc::channel(1);
    let door = Door::open(|config| config.sink = sink).await;
    for _ in 0..3 {
        assert_eq!(status(&door.signed(PATH, |_| {}).await), "200");
    }
    assert_eq!(std::iter::from_fn(|| bell.try_recv().ok()).count(), 1, "one session serves them all");
}

/// Conformance: 6.21
#[tokio::test]
async fn oversized_and_malformed_requests_get_4xx() {
    let door = Door::plain().await;
    let long = "x".repeat(65_536);
    for request in [
        format!("GET /{long} HTTP/1.1\r\n\r\n"),
        format!("GET {PATH} HTTP/1.1\r\nX: {long}\r\n\r\n"),
        format!("GET {PATH} HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(100)),
        "\u{0}\u{1}\u{2}\r\n\r\n".to_owned(),
        "GET / HTTP/9.9\r\n\r\n".to_owned(),
    ] {
        let mut peer = Peer::connect(door.address).await;
        // The listener need not take all of it.
        use tokio::io::AsyncWriteExt;
        let _ = peer.stream.write_all(request.as_bytes()).await;
        match peer.try_read().await {
            Some(reply) => assert!(reply.first_line().starts_with("HTTP/1.1 4"), "{}", reply.head),
            // The refusal may be lost with what was not read any more.
            None => assert!(request.len() > limits::REQUEST_HEAD_BYTES),
        }
    }
    assert_eq!(status(&door.signed(PATH, |_| {}).await), "200");
}

/// Conformance: 6.20
#[tokio::test]
async fn silent_connections_give_way_oldest_first() {
    let mut door = Door::plain().await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(Peer::connect(door.address).await);
    }
    assert_eq!(status(&door.signed(PATH, |_| {}).await), "200");
    assert_eq!(door.rung(), 1);
    assert!(silent[0].ended().await);
    assert!(silent[90].ended().await);
    // The youngest are still served.
    silent[99].write("GET /none HTTP/1.1\r\n\r\n").await;
    assert_eq!(status(&silent[99].read().await), "404");
}

/// Conformance: 6.20, 13.05
#[tokio::test]
async fn a_flood_from_one_place_pushes_out_itself() {
    let mut door = Door::plain().await;
    // Slow, and the oldest of all.
    let mut acs = Peer::connect(door.address).await;
    acs.write(format!("GET {PATH} HTTP/1.1\r\n\r\n")).await;
    let challenge = challenge_of(&acs.read().await);
    let mut flood = Vec::new();
    for _ in 0..200 {
        flood.push(connect_from(&door, "127.0.0.66").await);
    }
    assert!(flood[190].ended().await);
    let answer = challenge.answer(&WHO, "GET", PATH, "c", 1);
    acs.write(format!("GET {PATH} HTTP/1.1\r\nAuthorization: {answer}\r\n\r\n")).await;
    assert_eq!(status(&acs.read().await), "200");
    assert_eq!(door.rung(), 1);
}

/// Conformance: 6.20
#[tokio::test]
async fn a_silent_connection_ends() {
    let door = Door::open(|config| config.connection_timeout = Duration::from_millis(20)).await;
    let mut silent = Peer::connect(door.address).await;
    assert!(silent.ended().await);
    let mut half = Peer::connect(door.address).await;
    half.write("GET / HT").await;
    assert!(half.ended().await);
}

/// Conformance: 6.23
#[tokio::test]
async fn stopping_frees_the_port_and_dropping_closes_it() {
    let door = Door::plain().await;
    let address = door.address;
    let mut kept = Peer::connect(address).await;
    kept.write("GET /none HTTP/1.1\r\n\r\n").await;
    kept.read().await;
    door.listener.stop().await;
    assert!(kept.ended().await);
    let door = Door::open(|config| config.bind = vec![address]).await;
    assert_eq!(door.address, address);
    drop(door);
    while let Ok(stream) = tokio::net::TcpStream::connect(address).await {
        assert!(Peer::new(stream).ended().await);
    }
}

#[tokio::test]
async fn new_credentials_count_at_once_on_open_connections_too() {
    let mut door = Door::plain().await;
    let mut kept = Peer::connect(door.address).await;
    kept.write("GET /kq3x HTTP/1.1\r\nHost: box\r\n\r\n").await;
    let challenge = challenge_of(&kept.read().await);
    door.listener.set_credentials("new".into(), Secret("bell".into())).unwrap();

    challenge_of(&door.signed(PATH, |_| {}).await);
    let who = Credentials { username: "new", password: "bell" };
    let answer = challenge.answer(&who, "GET", PATH, "c", 1);
    kept.write(format!("GET /kq3x HTTP/1.1\r\nHost: box\r\nAuthorization: {answer}\r\n\r\n")).await;
    assert_eq!(status(&kept.read().await), "200");
    assert_eq!(door.rung(), 1);

    let refused = door.listener.set_credentials("new".into(), Secret(String::new()));
    assert!(matches!(refused, Err(ListenError::NoPassword)));
    let answer = challenge.answer(&who, "GET", PATH, "c", 2);
    kept.write(format!("GET /kq3x HTTP/1.1\r\nHost: box\r\nAuthorization: {answer}\r\n\r\n")).await;
    assert_eq!(status(&kept.read().await), "200");
}

#[tokio::test]
async fn both_families_are_served() {
    let (mut config, mut bell) = config(PATH);
    config.bind = vec!["127.0.0.1:0".parse().unwrap(), "[::1]:0".parse().unwrap()];
    let listener = ConnectionRequestListener::start(config).await.unwrap();
    assert_eq!(listener.local_addrs().len(), 2);
    for address in listener.local_addrs() {
        let mut peer = Peer::connect(*address).await;
        peer.write(format!("GET {PATH} HTTP/1.1\r\n\r\n")).await;
        let answer = challenge_of(&peer.read().await).answer(&WHO, "GET", PATH, "c", 1);
        peer.write(format!("GET {PATH} HTTP/1.1\r\nAuthorization: {answer}\r\n\r\n")).await;
        assert_eq!(status(&peer.read().await), "200");
        assert_eq!(bell.recv().await, Some(Via::Http));
    }
}

#[tokio::test]
async fn both_wildcards_with_the_same_port_serve_both_families() {
    let free = Door::open(|config| config.bind = vec!["[::]:0".parse().unwrap()]).await;
    let port = free.address.port();
    free.listener.stop().await;
    let wildcards = ["0.0.0.0", "[::]"].map(|any| format!("{any}:{port}").parse().unwrap());
    let _door = Door::open(|config| config.bind = wildcards.to_vec()).await;
    for host in ["127.0.0.1", "[::1]"] {
        let mut peer = Peer::connect(format!("{host}:{port}").parse().unwrap()).await;
        peer.write("GET /none HTTP/1.1\r\n\r\n").await;
        assert_eq!(status(&peer.read().await), "404");
    }
}

#[tokio::test]
async fn what_cannot_be_listened_on() {
    let start = |change: fn(&mut ListenerConfig)| async move {
        let (mut config, _bell) = config(PATH);
        change(&mut config);
        ConnectionRequestListener::start(config).await.map(drop).unwrap_err()
    };
    let error = start(|config| config.password = Secret::default()).await;
    assert!(matches!(error, ListenError::NoPassword));
    for path in ["", "x", "/a b", "/a?b", "/\u{e4}"] {
        let (config, _bell) = config(path);
        let error = ConnectionRequestListener::start(config).await.map(drop).unwrap_err();
        assert!(matches!(error, ListenError::Path(_)), "{path}");
    }
    assert!(matches!(start(|config| config.bind.clear()).await, ListenError::NoAddress));
    let door = Door::plain().await;
    let (mut second, _bell) = config(PATH);
    second.bind = vec![door.address];
    let error = ConnectionRequestListener::start(second).await.map(drop).unwrap_err();
    assert!(matches!(error, ListenError::Bind { address, .. } if address == door.address));
}

/// Conformance: 13.05
#[tokio::test]
async fn it_is_bound_to_the_device_that_is_named() {
    let mut door = Door::open(|config| config.interface = Interface::Named("lo".into())).await;
    assert!(door.listener.is_on_its_device());
    assert_eq!(status(&door.signed(PATH, |_| {}).await), "200");
    assert_eq!(door.rung(), 1);
    let (mut config, _bell) = config(PATH);
    config.interface = Interface::Named("cwmpd-none".into());
    let error = ConnectionRequestListener::start(config).await.map(drop).unwrap_err().to_string();
    assert!(error.contains("network device cwmpd-none: "), "{error}");
}

#[tokio::test]
async fn one_unusable_address_does_not_close_the_others() {
    let taken = Door::plain().await;
    let door = Door::open(|config| config.bind.insert(0, taken.address)).await;
    assert_eq!(door.listener.local_addrs().len(), 1);
    assert_eq!(status(&door.get("/none", "").await), "404");
}

/// Conformance: 6.11
#[test]
fn random_paths_are_long_and_differ() {
    let (one, other) = (random_path().unwrap(), random_path().unwrap());
    assert_ne!(one, other);
    assert!(one.len() == 33 && one.starts_with('/'));
}

#[tokio::test]
async fn the_local_address_is_the_one_that_the_acs_sees() {
    let path = ManagementPath::default();
    for (url, local) in [("http://127.0.0.1:7547/", "127.0.0.1"), ("http://[::1]/", "::1")] {
        let found = path.local_address_towards(&HttpUrl::parse(url).unwrap()).await;
        assert_eq!(found, Some(local.parse().unwrap()));
    }
    let named = path.local_address_towards(&HttpUrl::parse("http://localhost/").unwrap()).await;
    assert!(named.unwrap().is_loopback());
    assert_eq!(path.local_address_towards(&HttpUrl::parse("http://acs.invalid/").unwrap()).await, None);
}

//! The ACS asks who is there (CONFORMANCE 1e).

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod peer;

use bytes::Bytes;
use cwmp_core::{
    digest::{Algorithm, DigestAuthorization, parse_basic},
    io::{NetError, Reply},
};
use cwmp_transport::{AcsClient, ClientConfig, PostBody};
use peer::{Message, Server};
use tokio::join;

const PASSWORD: &str = "top secret";

fn envelope() -> PostBody {
    PostBody::Bytes(Bytes::from_static(b"<Inform/>"))
}

fn digest(request: &Message) -> DigestAuthorization {
    let header = request.header("authorization").unwrap();
    DigestAuthorization::parse(header).unwrap()
}

/// Posts `posts` times to an ACS that answers the requests of its connections with these whole replies.
async fn played(
    config: ClientConfig,
    posts: usize,
    connections: &[&[&str]],
) -> (Vec<Result<Reply, NetError>>, Vec<Message>) {
    let server = Server::start().await;
    let mut client = AcsClient::new(config);
    let serve = async {
        let mut requests = Vec::new();
        for replies in connections {
            let mut peer = server.accept().await;
            for reply in *replies {
                requests.push(peer.read().await);
                peer.write(format!("HTTP/1.1 {reply}Content-Length: 0\r\n\r\n")).await;
            }
            // A connection that is not announced to end stays.
            if replies.iter().all(|reply| !reply.contains("Connection: close")) {
                let more = peer.try_read().await;
                assert_eq!(more, None, "one request too many");
            }
        }
        requests
    };
    let ask = async {
        client.open(&server.target("/acs?x=1")).await.unwrap();
        let mut outcomes = Vec::new();
        for _ in 0..posts {
            outcomes.push(client.post(envelope()).await);
        }
        client.close();
        outcomes
    };
    join!(ask, serve)
}

const OK: &str = "200 OK\r\n";

fn assert_all_ok(outcomes: &[Result<Reply, NetError>]) {
    for outcome in outcomes {
        assert_eq!(outcome.as_ref().map(|reply| reply.status), Ok(200));
    }
}

/// Conformance: 1.16, 1.36, 1.37
#[tokio::test]
async fn digest_in_all_algorithms_on_the_same_connection() {
    for (name, algorithm) in [
        ("", Algorithm::Md5),
        (", algorithm=MD5-sess", Algorithm::Md5Sess),
        (", algorithm=SHA-256", Algorithm::Sha256),
        (", algorithm=SHA-256-sess", Algorithm::Sha256Sess),
    ] {
        let challenge = format!(
            "401 Go\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n1\", opaque=\"o=\", qop=\"auth\"{name}\r\n"
        );
        let (outcomes, requests) = played(ClientConfig::default(), 3, &[&[&challenge, OK, OK, OK]]).await;
        assert_all_ok(&outcomes);
        assert_eq!(requests[0].header("authorization"), None, "nothing is sent before it is asked for");
        let cnonce = digest(&requests[1]).qop.unwrap().cnonce;
        assert!(cnonce.len() >= 32);
        for (request, nc) in requests[1..].iter().zip(1..) {
            assert_eq!(request.body, b"<Inform/>");
            let answer = digest(request);
            assert!(answer.verify("POST", PASSWORD));
            assert_eq!((answer.username.as_str(), answer.uri.as_str()), ("cpe", "/acs?x=1"));
            assert_eq!((answer.algorithm, answer.opaque.as_deref()), (algorithm, Some("o=")));
            let qop = answer.qop.unwrap();
            assert_eq!((qop.nc, &qop.cnonce), (nc, &cnonce));
        }
    }
}

#[tokio::test]
async fn digest_without_qop() {
    let challenge = "401 Go\r\nwww-authenticate:digest Realm=r,NONCE=n\r\n";
    let (outcomes, requests) = played(ClientConfig::default(), 1, &[&[challenge, OK]]).await;
    assert_all_ok(&outcomes);
    let answer = digest(&requests[1]);
    assert!(answer.qop.is_none() && answer.verify("POST", PASSWORD));
}

/// Conformance: 1.36
#[tokio::test]
async fn digest_is_preferred_to_basic() {
    for challenge in [
        "401 Go\r\nWWW-Authenticate: Basic realm=b\r\nWWW-Authenticate: Digest realm=d, nonce=n\r\n",
        "401 Go\r\nWWW-Authenticate: Digest realm=d, nonce=n\r\nWWW-Authenticate: Basic realm=b\r\n",
        "401 Go\r\nWWW-Authenticate: Basic realm=b, Digest realm=d, nonce=n\r\n",
    ] {
        let (outcomes, requests) = played(ClientConfig::default(), 1, &[&[challenge, OK]]).await;
        assert_all_ok(&outcomes);
        assert!(digest(&requests[1]).verify("POST", PASSWORD));
    }
}

/// Conformance: 1.36, 1.39
#[tokio::test]
async fn basic_goes_with_every_request_once_asked_for() {
    let challenge = "401 Go\r\nWWW-Authenticate: Basic realm=\"b\"\r\n";
    let (outcomes, requests) = played(ClientConfig::default(), 2, &[&[challenge, OK, OK]]).await;
    assert_all_ok(&outcomes);
    assert_eq!(requests[0].header("authorization"), None);
    for request in &requests[1..] {
        let who = parse_basic(request.header("authorization").unwrap());
        assert_eq!(who, Some(("cpe".into(), PASSWORD.into())));
    }
}

#[tokio::test]
async fn basic_can_be_forbidden_without_tls() {
    let config = ClientConfig { basic_without_tls: false, ..ClientConfig::default() };
    let challenge = "401 Go\r\nWWW-Authenticate: Basic realm=b\r\n";
    let (outcomes, requests) = played(config, 1, &[&[challenge]]).await;
    assert_eq!(outcomes, [Err(NetError::Unauthorized)]);
    assert_eq!(requests[0].header("authorization"), None);
}

/// Conformance: 1.40
#[tokio::test]
async fn a_new_challenge_in_mid_session_repeats_the_pending_message() {
    let first = "401 Go\r\nWWW-Authenticate: Digest realm=r, nonce=n1, qop=auth\r\n";
    let second = "401 Go\r\nWWW-Authenticate: Digest realm=r, nonce=n2, qop=auth, stale=true\r\n";
    let (outcomes, requests) = played(ClientConfig::default(), 3, &[&[first, OK, second, OK, OK]]).await;
    assert_all_ok(&outcomes);
    let used: Vec<_> = requests[1..].iter().map(digest).map(|a| (a.nonce, a.qop.unwrap().nc)).collect();
    let expected = [("n1", 1), ("n1", 2), ("n2", 1), ("n2", 2)];
    assert_eq!(used, expected.map(|(nonce, nc)| (nonce.to_owned(), nc)));
    assert!(requests.iter().all(|request| request.body == b"<Inform/>"));
}

/// Conformance: 1.16
#[tokio::test]
async fn a_challenge_that_ends_its_connection_is_answered_on_the_next() {
    let challenge = "401 Go\r\nConnection: close\r\nWWW-Authenticate: Digest realm=r, nonce=n, qop=auth\r\n";
    let (outcomes, requests) = played(ClientConfig::default(), 1, &[&[challenge], &[OK]]).await;
    assert_all_ok(&outcomes);
    assert!(digest(&requests[1]).verify("POST", PASSWORD));
}

/// Conformance: 1.38
#[tokio::test]
async fn the_nonce_serves_the_next_connection_with_a_fresh_cnonce() {
    let challenge = "401 Go\r\nWWW-Authenticate: Digest realm=r, nonce=n, qop=auth\r\n";
    let last = "200 OK\r\nConnection: close\r\n";
    let (outcomes, requests) = played(ClientConfig::default(), 2, &[&[challenge, last], &[OK]]).await;
    assert_all_ok(&outcomes);
    let (first, second) = (digest(&requests[1]).qop.unwrap(), digest(&requests[2]).qop.unwrap());
    assert_eq!((first.nc, second.nc), (1, 2));
    assert_ne!(first.cnonce, second.cnonce);
}

/// Conformance: 1.41
#[tokio::test]
async fn an_acs_that_always_refuses_gets_three_tries() {
    let challenge = "401 Go\r\nWWW-Authenticate: Digest realm=r, nonce=n, qop=auth\r\n";
    let (outcomes, requests) = played(ClientConfig::default(), 1, &[&[challenge; 4]]).await;
    assert_eq!(outcomes, [Err(NetError::Unauthorized)]);
    assert_eq!(requests.len(), 4);
    let basic = "401 Go\r\nWWW-Authenticate: Basic realm=r\r\n";
    let (outcomes, _) = played(ClientConfig::default(), 1, &[&[basic; 2]]).await;
    assert_eq!(outcomes, [Err(NetError::Unauthorized)], "the same Basic credentials are not sent twice");
}

#[tokio::test]
async fn a_challenge_that_nobody_can_answer() {
    for header in
        ["", "WWW-Authenticate: Negotiate\r\n", "WWW-Authenticate: Digest realm=r, nonce=n, qop=auth-int\r\n"]
    {
        let (outcomes, _) = played(ClientConfig::default(), 1, &[&[&format!("401 Go\r\n{header}")]]).await;
        assert_eq!(outcomes, [Err(NetError::Unauthorized)], "{header}");
    }
}

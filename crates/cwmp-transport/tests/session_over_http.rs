//! A session on the wire: requests byte for byte, framing of replies, one connection and its ends (CONFORMANCE 1a, 1b).

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod peer;

use std::{rc::Rc, time::Duration};

use bytes::Bytes;
use cwmp_core::{
    io::{NetError, Reply},
    limits::ENVELOPE_BYTES,
};
use cwmp_transport::{AcsClient, ClientConfig, PostBody, body::Chunks};
use peer::{Peer, Server, target};
use tokio::join;

fn client() -> AcsClient {
    AcsClient::new(ClientConfig::default())
}

fn envelope(text: &str) -> PostBody {
    PostBody::Bytes(Bytes::copy_from_slice(text.as_bytes()))
}

fn ok(body: &str) -> Reply {
    Reply { status: 200, retry_after: None, body: body.as_bytes().to_vec() }
}

/// One post whose request is answered with exactly these bytes, after which the server closes where told.
async fn answered_with(raw: &[u8], close: bool) -> Result<Reply, NetError> {
    let server = Server::start().await;
    let mut client = client();
    let serve = async {
        let mut peer = server.accept().await;
        peer.read().await;
        peer.write(raw).await;
        (!close).then_some(peer)
    };
    let ask = async {
        client.open(&server.target("/")).await.unwrap();
        client.post(envelope("<x/>")).await
    };
    join!(ask, serve).0
}

/// Conformance: 1.01, 1.03, 1.04, 1.05
#[tokio::test]
async fn requests_byte_for_byte() {
    let server = Server::start().await;
    let mut client = client();
    let serve = async {
        let mut peer = server.accept().await;
        let mut requests = Vec::new();
        for body in ["<r/>", ""] {
            requests.push(peer.read().await);
            peer.ok(body).await;
        }
        (requests, peer.ended().await)
    };
    let ask = async {
        client.open(&server.target("/a/b?x=1&y=%20")).await.unwrap();
        assert_eq!(client.post(envelope("<Inform/>")).await, Ok(ok("<r/>")));
        assert_eq!(client.post(PostBody::Empty).await, Ok(ok("")));
        client.close();
    };
    let ((), (requests, ended)) = join!(ask, serve);
    let (host, version) = (server.address, env!("CARGO_PKG_VERSION"));
    assert_eq!(
        requests[0].head,
        format!(
            "POST /a/b?x=1&y=%20 HTTP/1.1\r\nHost: {host}\r\nUser-Agent: cwmpd/{version}\r\n\
             Content-Type: text/xml; charset=\"utf-8\"\r\nSoapaction: \r\nContent-Length: 9\r\n\r\n"
        )
    );
    assert_eq!(requests[0].body, b"<Inform/>");
    assert_eq!(
        requests[1].head,
        format!(
            "POST /a/b?x=1&y=%20 HTTP/1.1\r\nHost: {host}\r\nUser-Agent: cwmpd/{version}\r\n\
             Content-Length: 0\r\n\r\n"
        )
    );
    assert!(ended, "the client closes the connection, without another byte");
}

/// Conformance: 1.14
#[tokio::test]
async fn twenty_exchanges_share_one_connection() {
    let server = Server::start().await;
    let mut client = client();
    let serve = async {
        let mut peer = server.accept().await;
        for _ in 0..20 {
            peer.read().await;
            peer.ok("x").await;
        }
        peer
    };
    let ask = async {
        client.open(&server.target("/")).await.unwrap();
        for _ in 0..20 {
            client.post(envelope("<x/>")).await.unwrap();
        }
        client.local_addr()
    };
    let (local, peer) = join!(ask, serve);
    assert_eq!(local, peer.stream.peer_addr().ok());
}

#[tokio::test]
async fn ipv6_literals_stand_in_brackets() {
    let server = Server::on("[::1]:0").await;
    let mut client = client();
    let serve = async {
        let mut peer = server.accept().await;
        let request = peer.read().await;
        peer.ok("").await;
        request
    };
    let ask = async {
        client.open(&server.target("/")).await.unwrap();
        client.post(PostBody::Empty).await.unwrap()
    };
    let (_, request) = join!(ask, serve);
    assert_eq!(request.header("host"), Some(format!("[::1]:{}", server.address.port()).as_str()));
}

/// Conformance: 1.06, 1.10, 1.11
#[tokio::test]
async fn replies_in_all_framings() {
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
        1;ext=1\r\n<\r\n1\r\nr\r\n01\r\n/\r\n1\r\n>\r\n0\r\nTrailer: x\r\n\r\n";
    assert_eq!(answered_with(chunked, false).await, Ok(ok("<r/>")));
    let interim =
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n\
        HTTP/1.1 200 OK\r\ncontent-length:4\r\n\r\n<r/>";
    assert_eq!(answered_with(interim, false).await, Ok(ok("<r/>")));
    assert_eq!(answered_with(b"HTTP/1.1 200 OK\r\n\r\n<r/>", true).await, Ok(ok("<r/>")));
    assert_eq!(
        answered_with(b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\n<r/>", true).await,
        Ok(ok("<r/>"))
    );
    let empty = Reply { status: 204, retry_after: None, body: Vec::new() };
    assert_eq!(answered_with(b"HTTP/1.1 204 No Content\r\n\r\n", false).await, Ok(empty));
}

#[tokio::test]
async fn other_statuses_are_replies() {
    for (line, status, retry_after) in [
        ("400 Bad Request\r\n", 400, None),
        ("403 Forbidden\r\n", 403, None),
        ("303 See Other\r\nLocation: /x\r\n", 303, None),
        ("503 Busy\r\nRetry-After: 120\r\n", 503, Some(120)),
        ("500 Oops\r\nRetry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\n", 500, None),
    ] {
        let raw = format!("HTTP/1.1 {line}Content-Length: 2\r\n\r\nno");
        let reply = Reply { status, retry_after, body: b"no".to_vec() };
        assert_eq!(answered_with(raw.as_bytes(), false).await, Ok(reply));
    }
}

/// Conformance: 1.13, 1.18
#[tokio::test]
async fn what_is_cut_short_or_no_http_is_a_broken_connection() {
    for raw in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n<r/>"[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n<r/>\r\n",
        b"HTTP/1.1 200",
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n<r/>",
    ] {
        let outcome = answered_with(raw, true).await;
        assert!(matches!(outcome, Err(NetError::Broken(_))), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_reply_larger_than_an_envelope_may_be_is_refused_while_it_is_read() {
    let announced = b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551610\r\n\r\n";
    assert_eq!(answered_with(announced, false).await, Err(NetError::TooLarge(ENVELOPE_BYTES)));

    let server = Server::start().await;
    let mut client = client();
    let serve = async {
        let mut peer = server.accept().await;
        peer.read().await;
        peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        // Goes on for ever: ends when the client closes.
        use tokio::io::AsyncWriteExt;
        while peer.stream.write_all(chunk.as_bytes()).await.is_ok() {}
    };
    let ask = async {
        client.open(&server.target("/")).await.unwrap();
        client.post(PostBody::Empty).await
    };
    assert_eq!(join!(ask, serve).0, Err(NetError::TooLarge(ENVELOPE_BYTES)));
}

/// Conformance: 1.12
#[tokio::test]
async fn the_largest_envelope_is_taken() {
    let body = "x".repeat(ENVELOPE_BYTES);
    let raw = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    assert_eq!(answered_with(raw.as_bytes(), false).await, Ok(ok(&body)));
}

/// Conformance: 1.15
#[tokio::test]
async fn a_session_goes_on_over_a_new_connection_after_a_clean_close() {
    for announced in ["Connection: close\r\n", ""] {
        let server = Server::start().await;
        let mut client = client();
        let (closed, mut is_closed) = tokio::sync::mpsc::channel(1);
        let serve = async {
            let mut bodies = Vec::new();
            for n in 1..=3 {
                let mut peer = server.accept().await;
                bodies.push(peer.read().await.body);
                peer.reply("200 OK", announced, &format!("r{n}")).await;
                drop(peer);
                closed.send(()).await.unwrap();
            }
            bodies
        };
        let ask = async {
            client.open(&server.target("/")).await.unwrap();
            for n in 1..=3 {
                assert_eq!(client.post(envelope(&format!("q{n}"))).await, Ok(ok(&format!("r{n}"))));
                is_closed.recv().await.unwrap();
            }
        };
        assert_eq!(join!(ask, serve).1, [b"q1", b"q2", b"q3"]);
    }
}

#[tokio::test]
async fn a_close_is_seen_even_when_nothing_was_waited_for_since() {
    let server = Server::start().await;
    let mut client = client();
    client.open(&server.target("/")).await.unwrap();
    let mut peer = server.accept().await;
    let serve = async {
        peer.read().await;
        peer.ok("").await;
    };
    join!(client.post(PostBody::Empty), serve).0.unwrap();
    drop(peer);
    let serve = async {
        let mut peer = server.accept().await;
        peer.read().await;
        peer.ok("again").await;
    };
    assert_eq!(join!(client.post(PostBody::Empty), serve).0, Ok(ok("again")));
}

#[tokio::test]
async fn a_post_that_the_acs_may_have_seen_is_not_repeated() {
    let server = Server::start().await;
    let mut client = client();
    let serve = async {
        let mut peer = server.accept().await;
        peer.read().await;
        peer.ok("").await;
        peer.read().await;
    };
    let ask = async {
        client.open(&server.target("/")).await.unwrap();
        client.post(envelope("1")).await.unwrap();
        let outcome = client.post(envelope("2")).await;
        assert!(matches!(outcome, Err(NetError::Broken(_))), "{outcome:?}");
        let outcome = client.post(envelope("3")).await;
        assert!(matches!(outcome, Err(NetError::Broken(_))), "the session is over: {outcome:?}");
    };
    join!(ask, serve);
    assert_nobody_connects(&server).await;
}

/// The next connection that the server sees is one made here.
async fn assert_nobody_connects(server: &Server) {
    let probe = Peer::connect(server.address).await;
    let accepted = server.accept().await;
    assert_eq!(accepted.stream.peer_addr().unwrap(), probe.stream.local_addr().unwrap());
}

#[tokio::test]
async fn errors_name_host_and_port_but_no_credentials() {
    let server = Server::start().await;
    let target = server.target("/secret-path");
    drop(server.socket);
    let error = client().open(&target).await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, NetError::Connect(_)), "{text}");
    assert!(text.contains(&server.address.to_string()) && !text.contains("secret"), "{text}");
}

#[tokio::test]
async fn a_name_that_nobody_has_cannot_be_resolved() {
    let config = ClientConfig { connect_timeout: Duration::from_secs(2), ..ClientConfig::default() };
    let error = AcsClient::new(config).open(&target("http://acs.invalid:7547/")).await.unwrap_err();
    assert!(matches!(&error, NetError::Resolve(text) if text.contains("acs.invalid:7547")), "{error}");
}

#[tokio::test]
async fn a_name_is_resolved() {
    let server = Server::start().await;
    let mut client = client();
    let port = server.address.port();
    let serve = async {
        let mut peer = server.accept().await;
        let request = peer.read().await;
        peer.ok("").await;
        request
    };
    let ask = async {
        client.open(&target(&format!("http://LocalHost:{port}/"))).await.unwrap();
        client.post(PostBody::Empty).await.unwrap()
    };
    assert_eq!(join!(ask, serve).1.header("host"), Some(format!("localhost:{port}").as_str()));
}

#[tokio::test]
async fn silence_ends_the_session() {
    let server = Server::start().await;
    let config = ClientConfig { reply_timeout: Duration::from_millis(20), ..ClientConfig::default() };
    let mut client = AcsClient::new(config);
    let serve = async {
        let mut peer = server.accept().await;
        peer.read().await;
        peer.ended().await
    };
    let ask = async {
        client.open(&server.target("/")).await.unwrap();
        client.post(PostBody::Empty).await
    };
    assert_eq!(join!(ask, serve), (Err(NetError::Timeout(1)), true));
}

#[tokio::test]
async fn a_reply_that_trickles_for_ever_ends_the_session() {
    let server = Server::start().await;
    let config = ClientConfig {
        reply_timeout: Duration::from_millis(100),
        reply_total: Duration::ZERO,
        ..ClientConfig::default()
    };
    let mut client = AcsClient::new(config);
    let serve = async {
        let mut peer = server.accept().await;
        peer.read().await;
        peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        use tokio::io::AsyncWriteExt;
        while peer.stream.write_all(b"1\r\nx\r\n").await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    let ask = async {
        client.open(&server.target("/")).await.unwrap();
        client.post(PostBody::Empty).await
    };
    assert_eq!(join!(ask, serve).0, Err(NetError::Timeout(1)));
}

fn stream(length: u64, chunks: &'static [&'static str]) -> PostBody {
    PostBody::Stream {
        length,
        make: Rc::new(|| Box::new(chunks.iter().map(|c| Bytes::from_static(c.as_bytes())))),
    }
}

#[tokio::test]
async fn a_large_answer_is_streamed_with_its_exact_length_and_again_after_a_challenge() {
    const CHUNKS: u64 = 640;
    let server = Server::start().await;
    let mut client = client();
    let make = || {
        let chunks: Box<dyn Chunks> =
            Box::new((0..CHUNKS).map(|n| Bytes::from(vec![n.to_le_bytes()[0]; 16_384])));
        chunks
    };
    let body = PostBody::Stream { length: CHUNKS * 16_384, make: Rc::new(make) };
    let serve = async {
        let mut peer = server.accept().await;
        let first = peer.read().await;
        peer.reply("401 Unauthorized", "WWW-Authenticate: Digest realm=r, nonce=n, qop=auth\r\n", "").await;
        let second = peer.read().await;
        peer.ok("x").await;
        (first, second)
    };
    let ask = async {
        client.open(&server.target("/")).await.unwrap();
        client.post(body).await.unwrap()
    };
    let (reply, (first, second)) = join!(ask, serve);
    assert_eq!(reply, ok("x"));
    let expected: Vec<u8> = (0..CHUNKS).flat_map(|n| vec![n.to_le_bytes()[0]; 16_384]).collect();
    assert!(first.body == expected && second.body == expected);
    assert_eq!(first.header("content-length"), Some("10485760"));
    assert_eq!(first.header("transfer-encoding"), None);
    assert_eq!(first.header("content-type"), Some("text/xml; charset=\"utf-8\""));
}

#[tokio::test]
async fn an_answer_of_another_length_than_announced_breaks_the_session() {
    for body in [stream(5, &["abc", "", "de", "f"]), stream(7, &["abc"]), stream(5, &["abc", "def"])] {
        let server = Server::start().await;
        let mut client = client();
        let announced = body.length();
        let serve = async {
            let mut peer = server.accept().await;
            let request = peer.try_read().await;
            if request.is_some() {
                peer.ok("").await;
            }
            request.map(|request| request.body)
        };
        let ask = async {
            client.open(&server.target("/")).await.unwrap();
            client.post(body).await
        };
        match join!(ask, serve) {
            // What comes after the announced length is not sent.
            (Ok(_), Some(body)) => assert_eq!((announced, body.as_slice()), (5, &b"abcde"[..])),
            (outcome, request) => {
                assert!(matches!(outcome, Err(NetError::Broken(_))), "{outcome:?}");
                assert_eq!(request, None);
            }
        }
    }
}

#[tokio::test]
async fn a_dropped_post_closes_its_connection_and_the_session_is_over() {
    let server = Server::start().await;
    let mut client = client();
    client.open(&server.target("/")).await.unwrap();
    let mut peer = server.accept().await;
    tokio::select! {
        outcome = client.post(PostBody::Empty) => panic!("nobody has answered: {outcome:?}"),
        _ = peer.read() => {}
    }
    assert!(peer.ended().await);
    assert!(client.post(PostBody::Empty).await.is_err());
}

/// 4 MB: more than all buffers between two sockets hold.
fn large() -> PostBody {
    let make = || -> Box<dyn Chunks> { Box::new((0..256).map(|_| Bytes::from(vec![b'x'; 16_384]))) };
    PostBody::Stream { length: 256 * 16_384, make: Rc::new(make) }
}

#[tokio::test]
async fn a_challenge_before_the_end_of_the_request_is_answered_on_the_same_connection() {
    let server = Server::start().await;
    let mut client = client();
    let serve = async {
        let mut peer = server.accept().await;
        peer.first_bytes().await;
        peer.reply("401 Go", "WWW-Authenticate: Basic realm=b\r\n", "").await;
        let first = peer.read().await;
        let second = peer.read().await;
        peer.ok("").await;
        (first, second)
    };
    let ask = async {
        client.open(&server.target("/")).await.unwrap();
        client.post(large()).await.unwrap()
    };
    let (_, (first, second)) = join!(ask, serve);
    assert!(first.header("authorization").is_none() && second.header("authorization").is_some());
    assert!(first.body == second.body && first.body.len() == 256 * 16_384);
}

#[tokio::test]
async fn an_early_reply_that_ends_the_connection_does_not_wait_for_the_rest_of_the_request() {
    let server = Server::start().await;
    let mut client = client();
    let serve = async {
        let mut peer = server.accept().await;
        peer.first_bytes().await;
        peer.reply("413 Too Large", "Connection: close\r\n", "").await;
        let mut next = server.accept().await;
        let request = next.read().await;
        next.ok("").await;
        request.body.len()
    };
    let ask = async {
        client.open(&server.target("/")).await.unwrap();
        let early = client.post(large()).await.unwrap();
        client.post(PostBody::Empty).await.unwrap();
        early.status
    };
    assert_eq!(join!(ask, serve), (413, 0));
}

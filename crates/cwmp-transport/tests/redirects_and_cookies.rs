//! Redirects and cookies across requests, hosts and sessions (CONFORMANCE 1c, 1d).

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod peer;

use bytes::Bytes;
use cwmp_core::io::{AcsTarget, NetError};
use cwmp_transport::{AcsClient, ClientConfig, PostBody, limits};
use peer::{Message, Peer, Server};
use tokio::join;

fn envelope() -> PostBody {
    PostBody::Bytes(Bytes::from_static(b"<Inform/>"))
}

/// Answers one request after another with these status lines and headers.
async fn play(peer: &mut Peer, replies: &[&str]) -> Vec<Message> {
    let mut requests = Vec::new();
    for reply in replies {
        requests.push(peer.read().await);
        peer.write(format!("HTTP/1.1 {reply}Content-Length: 0\r\n\r\n")).await;
    }
    requests
}

async fn session(client: &mut AcsClient, target: &AcsTarget, posts: usize) -> Result<(), NetError> {
    client.open(target).await?;
    for _ in 0..posts {
        client.post(envelope()).await?;
    }
    client.close();
    Ok(())
}

const OK: &str = "200 OK\r\n";

/// Conformance: 1.30, 1.32
#[tokio::test]
async fn the_same_post_goes_to_the_new_location_for_the_rest_of_the_session() {
    for status in ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"] {
        let (first, second) = (Server::start().await, Server::start().await);
        let mut client = AcsClient::new(ClientConfig::default());
        let redirect = format!("{status}\r\nLocation: {}\r\n", second.url("/new?y"));
        let serve = async {
            let mut a = first.accept().await;
            let mut requests = play(&mut a, &[&redirect]).await;
            let mut b = second.accept().await;
            requests.extend(play(&mut b, &[OK, OK]).await);
            // The next session begins at the configured URL again.
            let mut a = first.accept().await;
            requests.extend(play(&mut a, &[OK]).await);
            requests
        };
        let ask = async {
            session(&mut client, &first.target("/old"), 2).await.unwrap();
            session(&mut client, &first.target("/old"), 1).await.unwrap();
        };
        let ((), requests) = join!(ask, serve);
        let lines: Vec<_> = requests.iter().map(Message::first_line).collect();
        let (old, new) = ("POST /old HTTP/1.1", "POST /new?y HTTP/1.1");
        assert_eq!(lines, [old, new, new, old]);
        assert!(requests.iter().all(|request| request.body == b"<Inform/>"));
        assert_eq!(requests[1].header("host"), Some(second.address.to_string().as_str()));
    }
}

#[tokio::test]
async fn a_relative_location_stays_on_the_connection() {
    let server = Server::start().await;
    let mut client = AcsClient::new(ClientConfig::default());
    let serve = async {
        let mut peer = server.accept().await;
        play(&mut peer, &["302 Found\r\nLocation: c\r\n", "307 Again\r\nLocation: /d?e\r\n", OK]).await
    };
    let target = server.target("/a/b");
    let ask = session(&mut client, &target, 1);
    let (outcome, requests) = join!(ask, serve);
    outcome.unwrap();
    let lines: Vec<_> = requests.iter().map(Message::first_line).collect();
    assert_eq!(lines, ["POST /a/b HTTP/1.1", "POST /a/c HTTP/1.1", "POST /d?e HTTP/1.1"]);
}

/// Conformance: 1.31
#[tokio::test]
async fn five_redirects_are_followed_and_no_sixth() {
    for (count, fine) in [(5, true), (6, false)] {
        let server = Server::start().await;
        let mut client = AcsClient::new(ClientConfig::default());
        let mut replies = vec!["302 Found\r\nLocation: /x\r\n"; count];
        if fine {
            // The count is of redirects in a row: the next message may be redirected again.
            replies.extend([OK, "302 Found\r\nLocation: /y\r\n", OK]);
        }
        let serve = async {
            let mut peer = server.accept().await;
            play(&mut peer, &replies).await;
            assert!(peer.ended().await);
        };
        let target = server.target("/");
        let ask = session(&mut client, &target, 2);
        let (outcome, ()) = join!(ask, serve);
        match outcome {
            Ok(()) => assert!(fine),
            Err(error) => assert!(!fine && matches!(error, NetError::Redirect(_)), "{error}"),
        }
    }
}

#[tokio::test]
async fn a_location_that_leads_nowhere_good_ends_the_session() {
    for location in [
        "",
        "Location: ftp://acs/\r\n",
        "Location: http://me:hidden@acs/\r\n",
        "Location: http://\u{e4}/\r\n",
    ] {
        let server = Server::start().await;
        let mut client = AcsClient::new(ClientConfig::default());
        let reply = format!("302 Found\r\n{location}");
        let serve = async {
            let mut peer = server.accept().await;
            play(&mut peer, &[&reply]).await;
        };
        let target = server.target("/");
        let error = join!(session(&mut client, &target, 1), serve).0.unwrap_err();
        assert!(matches!(&error, NetError::Redirect(text) if !text.contains("hidden")), "{error}");
    }
}

/// Conformance: 1.27
#[tokio::test]
async fn credentials_and_cookies_do_not_follow_to_another_host() {
    let (first, second) = (Server::on("127.0.0.1:0").await, Server::on("127.0.0.2:0").await);
    let mut client = AcsClient::new(ClientConfig::default());
    let challenge = "401 Go\r\nSet-Cookie: s=1\r\nWWW-Authenticate: Basic realm=b\r\n";
    let redirect = format!("302 Found\r\nLocation: {}\r\nSet-Cookie: t=2\r\n", second.url("/"));
    let serve = async {
        let mut a = first.accept().await;
        let a = play(&mut a, &[challenge, &redirect]).await;
        let mut b = second.accept().await;
        (a, play(&mut b, &["401 Go\r\nWWW-Authenticate: Basic realm=b\r\n", OK]).await)
    };
    let target = first.target("/");
    let (outcome, (a, b)) = join!(session(&mut client, &target, 1), serve);
    outcome.unwrap();
    assert!(a[1].header("authorization").is_some());
    assert_eq!(a[1].header("cookie"), Some("s=1"));
    assert_eq!((b[0].header("authorization"), b[0].header("cookie")), (None, None));
    assert!(b[1].header("authorization").is_some(), "the new host has asked, too");
}

/// Conformance: 1.24, 1.26
#[tokio::test]
async fn cookies_of_every_reply_count() {
    let server = Server::start().await;
    let mut client = AcsClient::new(ClientConfig::default());
    let serve = async {
        let mut peer = server.accept().await;
        play(
            &mut peer,
            &[
                "401 Go\r\nWWW-Authenticate: Basic realm=b\r\nSet-Cookie: a=1\r\n",
                "302 Found\r\nLocation: /x\r\nset-cookie: b=\"q=/\"; Path=/\r\nSet-Cookie: c=3; HttpOnly\r\n",
                "200 OK\r\nSet-Cookie: a=9\r\n",
                "204 Empty\r\nSet-Cookie: b=gone; Max-Age=0\r\n",
                OK,
            ],
        )
        .await
    };
    let target = server.target("/x");
    let (outcome, requests) = join!(session(&mut client, &target, 3), serve);
    outcome.unwrap();
    let cookies: Vec<_> = requests.iter().map(|request| request.header("cookie")).collect();
    let both = Some("a=1; b=\"q=/\"; c=3");
    assert_eq!(cookies, [None, Some("a=1"), both, Some("a=9; b=\"q=/\"; c=3"), Some("a=9; c=3")]);
    assert!(requests.iter().all(|request| request.head.matches("\r\nCookie:").count() <= 1));
}

#[tokio::test]
async fn cookies_go_over_to_the_next_session_only_after_an_interruption() {
    let server = Server::start().await;
    let mut client = AcsClient::new(ClientConfig::default());
    let serve = async {
        let mut cookies = Vec::new();
        for reply in ["200 OK\r\nSet-Cookie: s=1\r\n", OK, OK] {
            let mut peer = server.accept().await;
            let requests = play(&mut peer, &[reply]).await;
            cookies.push(requests[0].header("cookie").map(str::to_owned));
        }
        cookies
    };
    let target = server.target("/");
    let again = AcsTarget { keep_cookies: true, ..target.clone() };
    let ask = async {
        session(&mut client, &target, 1).await.unwrap();
        session(&mut client, &again, 1).await.unwrap();
        session(&mut client, &target, 1).await.unwrap();
    };
    assert_eq!(join!(ask, serve).1, [None, Some("s=1".to_owned()), None]);
}

#[tokio::test]
async fn a_flood_of_cookies_stays_within_the_jar() {
    const ROUNDS: usize = 4;
    let server = Server::start().await;
    let mut client = AcsClient::new(ClientConfig::default());
    let flood = |round: usize| {
        let cookies = (0..50).map(|number| format!("Set-Cookie: c{round}-{number}={}\r\n", "x".repeat(900)));
        format!("200 OK\r\n{}", cookies.collect::<String>())
    };
    let replies: Vec<String> = (0..ROUNDS).map(flood).collect();
    let serve = async {
        let mut peer = server.accept().await;
        play(&mut peer, &replies.iter().map(String::as_str).collect::<Vec<_>>()).await
    };
    let target = server.target("/");
    let (ended, requests) = join!(session(&mut client, &target, ROUNDS), serve);
    ended.unwrap();
    let mut sent = requests.iter().filter_map(|request| request.header("cookie"));
    assert!(sent.clone().count() == ROUNDS - 1);
    assert!(sent.all(|cookies| {
        let count = cookies.split("; ").count();
        count <= limits::COOKIES && cookies.len() <= limits::COOKIE_JAR_BYTES + 4 * limits::COOKIES
    }));
}

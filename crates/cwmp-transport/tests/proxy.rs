//! A proxy in front of the ACS: a tunnel to it, and nothing of the proxy in the session.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod peer;
#[cfg(feature = "tls")]
mod secure;

use std::net::SocketAddr;

use cwmp_core::{digest::parse_basic, io::NetError, settings::Secret};
use cwmp_transport::{
    AcsClient, ClientConfig, FileClient, FileConfig, ManagementPath, PathConfig, PostBody, ProxyConfig,
    files::RemoteFile,
};
use peer::{Message, Server, target};
use tokio::{io::copy_bidirectional, join, net::TcpStream};

/// A client behind this proxy.
fn client(proxy: SocketAddr, login: (&str, &str)) -> AcsClient {
    AcsClient::new(ClientConfig { path: path(proxy, login), ..ClientConfig::default() })
}

fn path(proxy: SocketAddr, (username, password): (&str, &str)) -> ManagementPath {
    let proxy = ProxyConfig {
        host: proxy.ip().to_string(),
        port: proxy.port(),
        username: username.into(),
        password: Secret(password.into()),
    };
    ManagementPath::new(PathConfig { proxy: Some(proxy), ..PathConfig::default() })
}

/// Answers one CONNECT with 200 and carries bytes to this address until both have ended.
async fn tunnel(proxy: &Server, to: SocketAddr) -> Message {
    let mut inner = proxy.accept().await;
    let connect = inner.read().await;
    let mut outer = TcpStream::connect(to).await.unwrap();
    inner.write("HTTP/1.1 200 Connection established\r\n\r\n").await;
    copy_bidirectional(&mut inner.stream, &mut outer).await.unwrap();
    connect
}

/// Two posts, then the end.
async fn session(client: &mut AcsClient, url: &str) -> Result<(), NetError> {
    client.open(&target(url)).await?;
    for body in [PostBody::Bytes(b"<Inform/>"[..].into()), PostBody::Empty] {
        assert_eq!(client.post(body).await?.status, 200);
    }
    client.close();
    Ok(())
}

/// Conformance: 1.23
#[tokio::test]
async fn a_session_runs_through_the_tunnel_as_it_would_without() {
    let (proxy, acs) = (Server::start().await, Server::start().await);
    // The proxy alone can resolve this name.
    let mut client = client(proxy.address, ("", ""));
    let acs_side = async {
        let mut peer = acs.accept().await;
        let inform = peer.read().await;
        let challenge = "WWW-Authenticate: Digest realm=r, nonce=n, qop=\"auth\"\r\nSet-Cookie: s=1\r\n";
        peer.reply("401 Unauthorized", challenge, "").await;
        let again = peer.read().await;
        peer.ok("<InformResponse/>").await;
        let empty = peer.read().await;
        peer.ok("").await;
        assert!(peer.ended().await, "one connection carries all of it");
        [inform, again, empty]
    };
    let url = "http://acs.invalid:7547/cwmp?a=b";
    let (done, connect, requests) = join!(session(&mut client, url), tunnel(&proxy, acs.address), acs_side);
    done.unwrap();
    assert_eq!(connect.head, "CONNECT acs.invalid:7547 HTTP/1.1\r\nHost: acs.invalid:7547\r\n\r\n");
    for (request, authorized) in requests.iter().zip([false, true, true]) {
        assert_eq!(request.first_line(), "POST /cwmp?a=b HTTP/1.1");
        assert_eq!(request.header("host"), Some("acs.invalid:7547"));
        let shown = request.header("authorization").is_some_and(|value| value.contains("uri=\"/cwmp?a=b\""));
        assert_eq!((shown, request.header("cookie").is_some()), (authorized, authorized));
        assert!(!request.head.to_lowercase().contains("proxy"), "{}", request.head);
    }
    proxy.assert_nobody_came();
}

/// Conformance: 1.23
#[tokio::test]
async fn the_proxy_alone_sees_its_credentials() {
    for challenge in ["Basic realm=\"p\"", "Digest realm=\"p\", nonce=\"n\", qop=\"auth\""] {
        let (proxy, acs) = (Server::start().await, Server::start().await);
        let mut client = client(proxy.address, ("box", "proxy secret"));
        let asking = async {
            let mut peer = proxy.accept().await;
            assert_eq!(peer.read().await.header("proxy-authorization"), None);
            peer.reply(
                "407 Proxy Authentication Required",
                &format!("Proxy-Authenticate: {challenge}\r\n"),
                "no",
            )
            .await;
            tunnel(&proxy, acs.address).await
        };
        let serving = async {
            let mut peer = acs.accept().await;
            let mut heads = String::new();
            for _ in 0..2 {
                heads += &peer.read().await.head;
                peer.ok("").await;
            }
            heads
        };
        let url = acs.url("/");
        let (done, connect, heads) = join!(session(&mut client, &url), asking, serving);
        done.unwrap();
        let shown = connect.header("proxy-authorization").unwrap();
        if challenge.starts_with("Basic") {
            assert_eq!(parse_basic(shown), Some(("box".into(), "proxy secret".into())));
        } else {
            let place = format!("uri=\"{}\"", acs.address);
            assert!(shown.starts_with("Digest username=\"box\"") && shown.contains(&place), "{shown}");
        }
        assert!(!heads.to_lowercase().contains("authorization"), "{heads}");
    }
}

/// What Download fetches goes the same way.
///
/// Conformance: 1.23
#[tokio::test]
async fn files_come_through_the_tunnel_as_well() {
    let (proxy, files, folder) = (Server::start().await, Server::start().await, tempfile::tempdir().unwrap());
    let path = path(proxy.address, ("", ""));
    let client = FileClient::new(FileConfig { path, reserve_bytes: 0, ..FileConfig::default() });
    let url = target("http://files.invalid/image").url;
    let from = RemoteFile { url, username: String::new(), password: Secret::default() };
    let into = folder.path().join("1");
    let serving = async {
        let mut peer = files.accept().await;
        let request = peer.read().await;
        peer.ok("an image").await;
        request
    };
    let tell = |_| {};
    let (fetched, connect, request) =
        join!(client.fetch(&from, 0, &into, &tell), tunnel(&proxy, files.address), serving);
    assert_eq!(fetched.unwrap().bytes, 8);
    assert_eq!(connect.first_line(), "CONNECT files.invalid:80 HTTP/1.1");
    assert_eq!(
        (request.first_line(), request.header("host")),
        ("GET /image HTTP/1.1", Some("files.invalid"))
    );
}

async fn refused(login: (&str, &str), replies: &[&str]) -> String {
    let proxy = Server::start().await;
    let mut client = client(proxy.address, login);
    let refusing = async {
        for reply in replies {
            let mut peer = proxy.accept().await;
            peer.read().await;
            peer.write(reply).await;
        }
    };
    let wanted = target("http://acs.invalid/");
    let (opened, ()) = join!(client.open(&wanted), refusing);
    let error = opened.unwrap_err();
    assert!(matches!(error, NetError::Connect(_)), "{error:?}");
    let text = error.to_string();
    let begin = format!("no connection to acs.invalid:80 (proxy {}: ", proxy.address);
    assert!(!text.contains("secret"), "{text}");
    text.strip_prefix(&begin).unwrap_or_else(|| panic!("{text}")).to_owned()
}

#[tokio::test]
async fn errors_of_the_proxy_are_told_from_those_of_the_acs() {
    let login = ("box", "secret");
    let basic = "HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=p\r\nContent-Length: 0\r\n\r\n";
    for (login, replies, text) in [
        (("", ""), &[basic][..], "it asks for credentials: set proxy_username and proxy_password)"),
        (login, &[basic, basic], "it refuses the credentials (proxy_username and proxy_password))"),
        (login, &["HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n"], "it refuses the credentials (proxy_"),
        (
            login,
            &["HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"],
            "it allows no tunnel to there, status 403)",
        ),
        (
            login,
            &["HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n"],
            "it does not reach the server, status 502)",
        ),
        (login, &["HTTP/1.1 302 No\r\nLocation: http://x/\r\n\r\n"], "it gives no tunnel, status 302)"),
        (login, &["SSH-2.0-dropbear\r\n"], "connection lost: "),
        (login, &[""], "connection lost: "),
        (login, &["HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"], "it sends more than its answer)"),
    ] {
        let found = refused(login, replies).await;
        assert!(found.starts_with(text), "{found}");
    }
    let gone = Server::start().await.address;
    let text = client(gone, ("", "")).open(&target("http://acs.invalid/")).await.unwrap_err().to_string();
    assert!(text.contains(&format!("(proxy {gone}: no connection to {gone} ")), "{text}");
}

#[tokio::test]
async fn a_silent_proxy_is_not_waited_for_without_end() {
    let proxy = Server::start().await;
    let wait = std::time::Duration::from_millis(50);
    let config = ClientConfig {
        path: path(proxy.address, ("", "")),
        connect_timeout: wait,
        ..ClientConfig::default()
    };
    let text = AcsClient::new(config).open(&target("http://acs.invalid/")).await.unwrap_err().to_string();
    assert!(text.contains("no answer within 0 s"), "{text}");
}

#[tokio::test]
async fn the_local_address_is_the_one_towards_the_proxy() {
    let path = path("127.0.0.1:3128".parse().unwrap(), ("", ""));
    let found = path.local_address_towards(&target("http://acs.invalid/").url).await;
    assert_eq!(found, Some("127.0.0.1".parse().unwrap()));
}

/// Conformance: 1.23
#[cfg(feature = "tls")]
#[tokio::test]
async fn https_is_authenticated_end_to_end_through_the_tunnel() {
    use secure::{BOTH, Shows, World, accept, certificates::ALWAYS};
    let world = World::new();
    for (names, good) in [(&["acs.example"][..], true), (&["other.example"], false)] {
        let own = world.server(names, ALWAYS);
        let shows = Shows { own: &own, others: &[&world.between], versions: BOTH, asks: None };
        let (proxy, acs, config) = (Server::start().await, Server::start().await, shows.config());
        let mut client = AcsClient::new(ClientConfig {
            path: path(proxy.address, ("", "")),
            tls: world.tls(),
            ..ClientConfig::default()
        });
        let serving = async {
            let Ok((mut peer, hello)) = accept(&acs, &config).await else { return None };
            for _ in 0..2 {
                peer.read().await;
                peer.ok("").await;
            }
            hello.server_name
        };
        let tunnelling = async {
            let mut inner = proxy.accept().await;
            let connect = inner.read().await;
            assert_eq!(connect.first_line(), "CONNECT acs.example:443 HTTP/1.1");
            let mut outer = TcpStream::connect(acs.address).await.unwrap();
            inner.write("HTTP/1.1 200 OK\r\n\r\n").await;
            // A refused certificate ends it in the middle.
            let _ = copy_bidirectional(&mut inner.stream, &mut outer).await;
        };
        let (done, name, ()) = join!(session(&mut client, "https://acs.example/"), serving, tunnelling);
        if good {
            done.unwrap();
            assert_eq!(name.as_deref(), Some("acs.example"));
        } else {
            assert!(done.unwrap_err().to_string().contains("not valid for name"));
            assert_eq!(name, None);
        }
    }
}

//! Files that are fetched: whole, in pieces, and not at all (CONFORMANCE 7).

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod peer;

use std::{cell::RefCell, fs, os::unix::fs::PermissionsExt, path::PathBuf, time::Duration};

use cwmp_core::{
    digest::{DigestAuthorization, parse_basic},
    job::JobError,
    settings::Secret,
    url::HttpUrl,
};
use cwmp_transport::{
    FileClient, FileConfig,
    files::{Fetched, RemoteFile, discard},
    limits,
};
use peer::{Message, Peer, Server};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::join;

/// A place for one file.
struct Place {
    folder: TempDir,
    into: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let into = folder.path().join("7");
        Self { folder, into }
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn config() -> FileConfig {
    FileConfig { pause: Duration::from_millis(1), reserve_bytes: 0, ..FileConfig::default() }
}

fn remote(url: &str) -> RemoteFile {
    RemoteFile {
        url: HttpUrl::parse(url).unwrap(),
        username: "box".into(),
        password: Secret("top secret".into()),
    }
}

async fn fetch(config: FileConfig, url: &str, place: &Place) -> Result<Fetched, JobError> {
    FileClient::new(config).fetch(&remote(url), 0, &place.into, &|_| {}).await
}

/// Content that repeats nowhere near.
fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 + at / 251) as u8).collect()
}

fn assert_is(fetched: Result<Fetched, JobError>, place: &Place, expected: &[u8]) {
    let sha256: [u8; 32] = Sha256::digest(expected).into();
    assert_eq!(fetched, Ok(Fetched { bytes: expected.len() as u64, sha256 }));
    assert_eq!(fs::read(&place.into).unwrap(), expected);
    assert_eq!(place.names(), ["7"], "nothing is left beside the file");
}

fn code(fetched: Result<Fetched, JobError>) -> u32 {
    fetched.unwrap_err().code.0
}

/// The beginning of a reply that announces `length` bytes, and `sent` of them.
async fn send_part(peer: &mut Peer, status: &str, headers: &str, length: usize, sent: &[u8]) {
    peer.write(format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n")).await;
    peer.write(sent).await;
}

/// Answers one request on a connection of its own.
async fn once(server: &Server, status: &str, headers: &str, length: usize, sent: &[u8]) -> Message {
    let mut peer = server.accept().await;
    let request = peer.read().await;
    send_part(&mut peer, status, headers, length, sent).await;
    request
}

/// Conformance: 7.07
#[tokio::test]
async fn a_file_is_written_while_it_comes_and_readable_by_its_owner_alone() {
    let (server, place, data) = (Server::start().await, Place::new(), content(300_000));
    let steps = RefCell::new(Vec::new());
    let client = FileClient::new(config());
    let remote = remote(&server.url("/a/b?c=d"));
    let told = |bytes| steps.borrow_mut().push(bytes);
    let (fetched, request) =
        join!(client.fetch(&remote, 0, &place.into, &told), once(&server, "200 OK", "", data.len(), &data));
    assert_is(fetched, &place, &data);
    let (host, version) = (server.address, env!("CARGO_PKG_VERSION"));
    assert_eq!(
        request.head,
        format!(
            "GET /a/b?c=d HTTP/1.1\r\nHost: {host}\r\nUser-Agent: cwmpd/{version}\r\nAccept: */*\r\n\
             Accept-Encoding: identity\r\n\r\n"
        )
    );
    assert_eq!(fs::metadata(&place.into).unwrap().permissions().mode() & 0o777, 0o600);
    let steps = steps.into_inner();
    assert!(steps.len() > 1 && steps.is_sorted() && steps.last() == Some(&300_000), "{steps:?}");
}

#[tokio::test]
async fn an_empty_file_and_one_of_unknown_length() {
    let (server, place) = (Server::start().await, Place::new());
    let url = server.url("/");
    let (fetched, _) = join!(fetch(config(), &url, &place), once(&server, "200 OK", "", 0, b""));
    assert_is(fetched, &place, b"");
    let serve = async {
        let mut peer = server.accept().await;
        peer.read().await;
        peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
            .await;
    };
    let (fetched, ()) = join!(fetch(config(), &url, &place), serve);
    assert_is(fetched, &place, b"abcde");
}

/// Conformance: 7.09
#[tokio::test]
async fn digest_is_answered_on_the_same_connection() {
    for algorithm in ["MD5", "MD5-sess", "SHA-256"] {
        let (server, place) = (Server::start().await, Place::new());
        let serve = async {
            let mut peer = server.accept().await;
            assert_eq!(peer.read().await.header("authorization"), None);
            let ask =
                format!("WWW-Authenticate: Digest realm=r, nonce=n, qop=\"auth\", algorithm={algorithm}\r\n");
            peer.reply("401 Go", &ask, "a page").await;
            let request = peer.read().await;
            peer.ok("file").await;
            request
        };
        let url = server.url("/x?y");
        let (fetched, request) = join!(fetch(config(), &url, &place), serve);
        assert_is(fetched, &place, b"file");
        let answer = DigestAuthorization::parse(request.header("authorization").unwrap()).unwrap();
        assert!(answer.verify("GET", "top secret") && answer.uri == "/x?y" && answer.username == "box");
    }
}

/// Conformance: 7.09
#[tokio::test]
async fn basic_is_answered_and_refused_credentials_are_9012() {
    let (server, place) = (Server::start().await, Place::new());
    let url = server.url("/");
    let ask = "WWW-Authenticate: Basic realm=r\r\n";
    for (replies, expected) in [
        (&["401 Go", "200 OK"][..], 0),
        (&["401 Go", "401 Go"], 9012),
        (&["401 Go", "403 No"], 9012),
        (&["403 No"], 9016),
        (&["404 No"], 9016),
        (&["410 Gone"], 9016),
        (&["501 No"], 9010),
    ] {
        let serve = async {
            let mut peer = server.accept().await;
            let mut last = None;
            for reply in replies {
                last = Some(peer.read().await);
                peer.reply(reply, ask, "").await;
            }
            last.unwrap()
        };
        let (fetched, last) = join!(fetch(config(), &url, &place), serve);
        assert_eq!(fetched.map_or_else(|error| error.code.0, |_| 0), expected, "{replies:?}");
        if replies.len() > 1 {
            let who = parse_basic(last.header("authorization").unwrap());
            assert_eq!(who, Some(("box".into(), "top secret".into())));
        }
    }
    // Without a username no challenge is answered.
    let nobody = RemoteFile { username: String::new(), ..remote(&url) };
    let client = FileClient::new(config());
    let serve = once(&server, "401 Go", ask, 0, b"");
    let (fetched, _) = join!(client.fetch(&nobody, 0, &place.into, &|_| {}), serve);
    assert_eq!(code(fetched), 9012);
}

/// Conformance: 7.11
#[tokio::test]
async fn redirects_are_followed_up_to_five() {
    let (first, second, place) = (Server::start().await, Server::start().await, Place::new());
    let url = first.url("/0");
    let serve = async {
        let mut peer = first.accept().await;
        peer.read().await;
        peer.reply("302 Found", "Location: /1\r\n", "").await;
        peer.read().await;
        peer.reply("303 See Other", &format!("Location: {}\r\n", second.url("/2")), "").await;
        once(&second, "200 OK", "", 4, b"file").await
    };
    let (fetched, last) = join!(fetch(config(), &url, &place), serve);
    assert_is(fetched, &place, b"file");
    assert_eq!(last.header("host"), Some(second.address.to_string().as_str()));

    let endless = async {
        let mut peer = first.accept().await;
        let mut count = 0;
        while peer.try_read().await.is_some() {
            peer.reply("302 Found", "Location: /again\r\n", "").await;
            count += 1;
        }
        count
    };
    let (fetched, count) = join!(fetch(config(), &url, &place), endless);
    assert_eq!((code(fetched), count), (9016, limits::REDIRECTS + 1));
}

const TAG: &str = "ETag: \"v1\"\r\n";

/// A server that cuts the first reply, and what it is asked then.
async fn cut_then(server: &Server, headers: &str, data: &[u8], sent: usize) -> (Peer, Message) {
    let first = once(server, "200 OK", headers, data.len(), &data[..sent]).await;
    assert_eq!(first.header("range"), None);
    let mut peer = server.accept().await;
    let second = peer.read().await;
    (peer, second)
}

#[tokio::test]
async fn an_interrupted_download_goes_on_where_it_stopped() {
    let (data, date) = (content(200_000), "Wed, 21 Oct 2015 07:28:00 GMT");
    for (headers, validator) in [(TAG.to_owned(), "\"v1\""), (format!("Last-Modified: {date}\r\n"), date)] {
        let (server, place) = (Server::start().await, Place::new());
        let serve = async {
            let (mut peer, second) = cut_then(&server, &headers, &data, 150_000).await;
            let range = format!("{headers}Content-Range: bytes 150000-199999/200000\r\n");
            send_part(&mut peer, "206 Partial Content", &range, 50_000, &data[150_000..]).await;
            second
        };
        let url = server.url("/");
        let (fetched, second) = join!(fetch(config(), &url, &place), serve);
        assert_is(fetched, &place, &data);
        assert_eq!(second.header("range"), Some("bytes=150000-"));
        assert_eq!(second.header("if-range"), Some(validator));
    }
}

#[tokio::test]
async fn without_a_validator_or_with_a_weak_one_it_begins_anew() {
    let data = content(100_000);
    for headers in ["", "ETag: W/\"v1\"\r\n"] {
        let (server, place) = (Server::start().await, Place::new());
        let serve = async {
            let (mut peer, second) = cut_then(&server, headers, &data, 80_000).await;
            send_part(&mut peer, "200 OK", headers, data.len(), &data).await;
            second
        };
        let url = server.url("/");
        let (fetched, second) = join!(fetch(config(), &url, &place), serve);
        assert_is(fetched, &place, &data);
        assert_eq!(second.header("range"), None);
    }
}

/// The server ignores Range, or has another version by now: what is here is thrown away.
#[tokio::test]
async fn a_whole_reply_replaces_what_is_here() {
    let (old, new) = (content(100_000), vec![b'n'; 90_000]);
    let (server, place) = (Server::start().await, Place::new());
    let serve = async {
        let (mut peer, second) = cut_then(&server, TAG, &old, 95_000).await;
        send_part(&mut peer, "200 OK", "ETag: \"v2\"\r\n", new.len(), &new).await;
        second
    };
    let url = server.url("/");
    let (fetched, second) = join!(fetch(config(), &url, &place), serve);
    assert_is(fetched, &place, &new);
    assert_eq!(second.header("range"), Some("bytes=95000-"));
}

/// A part that does not go with what is here, and the refusal to send one, lead to a request without Range.
#[tokio::test]
async fn a_part_that_does_not_fit_is_not_used() {
    let data = content(100_000);
    for (status, headers) in [
        ("206 Partial Content", "ETag: \"v1\"\r\nContent-Range: bytes 10-99/100000\r\n"),
        ("206 Partial Content", "ETag: \"v2\"\r\nContent-Range: bytes 80000-99999/100000\r\n"),
        ("206 Partial Content", "Content-Type: multipart/byteranges; boundary=x\r\n"),
        ("416 Range Not Satisfiable", "Content-Range: bytes */100000\r\n"),
    ] {
        let (server, place) = (Server::start().await, Place::new());
        let serve = async {
            let (mut peer, second) = cut_then(&server, TAG, &data, 80_000).await;
            assert_eq!(second.header("range"), Some("bytes=80000-"));
            send_part(&mut peer, status, headers, 20_000, &data[80_000..]).await;
            once(&server, "200 OK", TAG, data.len(), &data).await
        };
        let url = server.url("/");
        let (fetched, third) = join!(fetch(config(), &url, &place), serve);
        assert_is(fetched, &place, &data);
        assert_eq!(third.header("range"), None, "{headers}");
    }
}

/// The future is dropped in the middle, as when the program is stopped; another client goes on.
#[tokio::test]
async fn a_cancelled_download_goes_on_in_the_next_life_of_the_program() {
    let data = content(3_000_000);
    let (server, place) = (Server::start().await, Place::new());
    let url = server.url("/");
    {
        let arrived = RefCell::new(0);
        let client = FileClient::new(config());
        let remote = remote(&url);
        let told = |bytes| *arrived.borrow_mut() = bytes;
        let fetch = client.fetch(&remote, 0, &place.into, &told);
        let serve = async {
            let mut peer = server.accept().await;
            peer.read().await;
            send_part(&mut peer, "200 OK", TAG, data.len(), &data[..2_500_000]).await;
            while *arrived.borrow() < 2_400_000 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            fetched = fetch => panic!("{fetched:?}"),
            () = serve => {}
        }
    }
    assert!(!place.into.exists(), "nothing is there before all of it is");
    let serve = async {
        let mut peer = server.accept().await;
        let request = peer.read().await;
        let range = request.header("range").unwrap().to_owned();
        let from: usize = range.strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap().parse().unwrap();
        let headers = format!("{TAG}Content-Range: bytes {from}-2999999/3000000\r\n");
        send_part(&mut peer, "206 Partial Content", &headers, data.len() - from, &data[from..]).await;
        from
    };
    let (fetched, from) = join!(fetch(config(), &url, &place), serve);
    assert_is(fetched, &place, &data);
    assert!(from as u64 >= limits::FETCH_SYNC_BYTES, "{from}");
}

/// What lies there is not trusted further than its note, and another URL is another file.
#[tokio::test]
async fn what_is_left_of_another_file_is_not_used() {
    let data = content(100_000);
    let (server, place) = (Server::start().await, Place::new());
    let (a, b) = (server.url("/a"), server.url("/b"));
    // Five attempts, of which only the first brings anything.
    let serve = async {
        once(&server, "200 OK", TAG, data.len(), &data[..70_000]).await;
        for _ in 1..limits::FETCH_ATTEMPTS {
            once(
                &server,
                "206 Partial Content",
                &format!("{TAG}Content-Range: bytes 70000-99999/100000\r\n"),
                30_000,
                b"",
            )
            .await;
        }
    };
    let (fetched, ()) = join!(fetch(config(), &a, &place), serve);
    assert_eq!(code(fetched), 9017);
    assert_eq!(place.names(), ["7.part", "7.part.note"]);
    for file in place.names() {
        let mode = fs::metadata(place.folder.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let serve = once(&server, "200 OK", TAG, data.len(), &data);
    let (fetched, request) = join!(fetch(config(), &b, &place), serve);
    assert_is(fetched, &place, &data);
    assert_eq!(request.header("range"), None);
}

#[tokio::test]
async fn a_damaged_note_or_a_shorter_file_begins_anew() {
    let (server, data) = (Server::start().await, content(1000));
    let url = server.url("/");
    let note = |bytes: &str, end: &str| format!("cwmpd partial file 1\n{url}\n{bytes}\netag \"v1\"{end}");
    for (note, resumes) in [
        (note("500", "\n"), true),
        (note("500", ""), false),
        (note("600", "\n"), false),
        (note("x", "\n"), false),
        (String::new(), false),
    ] {
        let place = Place::new();
        fs::write(place.folder.path().join("7.part"), &data[..550]).unwrap();
        fs::write(place.folder.path().join("7.part.note"), note).unwrap();
        let serve = async {
            let mut peer = server.accept().await;
            let request = peer.read().await;
            let range = request.header("range").map(str::to_owned);
            if range.is_some() {
                let headers = "Content-Range: bytes 500-999/1000\r\n";
                send_part(&mut peer, "206 Partial Content", headers, 500, &data[500..]).await;
            } else {
                send_part(&mut peer, "200 OK", "", data.len(), &data).await;
            }
            range
        };
        let (fetched, range) = join!(fetch(config(), &url, &place), serve);
        assert_is(fetched, &place, &data);
        assert_eq!(range.as_deref(), resumes.then_some("bytes=500-"));
    }
}

/// Conformance: 7.25
#[tokio::test]
async fn a_server_that_cuts_every_time_is_9017_after_five_attempts() {
    let (server, place) = (Server::start().await, Place::new());
    let serve = async {
        for _ in 0..limits::FETCH_ATTEMPTS {
            once(&server, "200 OK", "", 100, b"half").await;
        }
    };
    let url = server.url("/");
    let (fetched, ()) = join!(fetch(config(), &url, &place), serve);
    let error = fetched.unwrap_err();
    assert_eq!(error.code.0, 9017);
    assert!(error.text.starts_with("127.0.0.1:"), "{error}");
}

/// Conformance: 7.25
#[tokio::test]
async fn malformed_framing_and_a_wrong_digest_are_9018() {
    let (server, place) = (Server::start().await, Place::new());
    let url = server.url("/");
    for reply in [
        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nZZ\r\n",
        "Content-Length: 3\r\nRepr-Digest: sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:\r\n\r\nabc",
    ] {
        let serve = async {
            for _ in 0..limits::FETCH_ATTEMPTS {
                let mut peer = server.accept().await;
                peer.read().await;
                peer.write(format!("HTTP/1.1 200 OK\r\n{reply}")).await;
            }
        };
        let (fetched, ()) = join!(fetch(config(), &url, &place), serve);
        assert_eq!(code(fetched), 9018, "{reply}");
        assert!(!place.into.exists());
    }
}

/// Conformance: 7.25
#[tokio::test]
async fn nobody_there_and_no_such_name_are_9015() {
    let place = Place::new();
    let gone = Server::start().await.url("/");
    for url in [gone.as_str(), "http://no-such-host.invalid/"] {
        let error = fetch(config(), url, &place).await.unwrap_err();
        assert_eq!(error.code.0, 9015, "{error}");
    }
}

/// Conformance: 7.15
#[tokio::test]
async fn no_room_and_too_large_are_9010_with_a_reason() {
    let (server, place) = (Server::start().await, Place::new());
    let url = server.url("/");
    let full = FileConfig { reserve_bytes: u64::MAX / 2, ..config() };
    let small = FileConfig { max_bytes: 10, ..config() };
    let huge = 1usize << 60;
    for (config, length, reason) in
        [(full.clone(), 5, "no room"), (small.clone(), 11, "larger than 10"), (config(), huge, "larger than")]
    {
        let serve = once(&server, "200 OK", "", length, b"");
        let (fetched, _) = join!(fetch(config, &url, &place), serve);
        let error = fetched.unwrap_err();
        assert!(error.code.0 == 9010 && error.text.contains(reason), "{error}");
    }
    // Without a length the limits hold while it comes.
    for (config, reason) in [(full.clone(), "no room"), (small, "larger than 10")] {
        let serve = async {
            let mut peer = server.accept().await;
            peer.read().await;
            peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\n\r\n")
                .await;
        };
        let (fetched, ()) = join!(fetch(config, &url, &place), serve);
        let error = fetched.unwrap_err();
        assert!(error.code.0 == 9010 && error.text.contains(reason), "{error}");
    }
    // FileSize alone is enough to know: the server is not even asked.
    let error = FileClient::new(full).fetch(&remote(&url), 5, &place.into, &|_| {}).await.unwrap_err();
    assert!(error.code.0 == 9010 && error.text.contains("no room"), "{error}");
}

/// FileSize says nothing about the content (it can be that of a file that was replaced).
/// Conformance: 7.15
#[tokio::test]
async fn a_wrong_file_size_is_no_failure() {
    for file_size in [1, 1_000_000] {
        let (server, place) = (Server::start().await, Place::new());
        let client = FileClient::new(config());
        let remote = remote(&server.url("/"));
        let serve = once(&server, "200 OK", "", 4, b"file");
        let (fetched, _) = join!(client.fetch(&remote, file_size, &place.into, &|_| {}), serve);
        assert_is(fetched, &place, b"file");
    }
}

#[tokio::test]
async fn a_content_coding_is_refused() {
    let (server, place) = (Server::start().await, Place::new());
    let url = server.url("/");
    let serve = once(&server, "200 OK", "Content-Encoding: gzip\r\n", 4, b"file");
    let (fetched, _) = join!(fetch(config(), &url, &place), serve);
    assert_eq!(code(fetched), 9010);
}

#[tokio::test]
async fn a_busy_server_is_asked_again() {
    let (server, place) = (Server::start().await, Place::new());
    let serve = async {
        once(&server, "503 Busy", "", 4, b"page").await;
        once(&server, "200 OK", "", 4, b"file").await
    };
    let url = server.url("/");
    let (fetched, _) = join!(fetch(config(), &url, &place), serve);
    assert_is(fetched, &place, b"file");
}

#[tokio::test]
async fn a_silent_server_ends_an_attempt() {
    let (server, place) = (Server::start().await, Place::new());
    let config = FileConfig { reply_timeout: Duration::from_millis(50), ..config() };
    let serve = async {
        let mut peers = Vec::new();
        for attempt in 0..limits::FETCH_ATTEMPTS {
            let mut peer = server.accept().await;
            peer.read().await;
            if attempt == 0 {
                send_part(&mut peer, "200 OK", TAG, 100, b"half").await;
            }
            peers.push(peer);
        }
        peers
    };
    let url = server.url("/");
    let (fetched, _) = join!(fetch(config, &url, &place), serve);
    assert_eq!(code(fetched), 9015, "the last attempts got no reply at all");
}

#[tokio::test]
async fn discarding_removes_the_file_and_what_lies_beside_it() {
    let place = Place::new();
    for name in ["7", "7.part", "7.part.note", "7.part.note.new", "8"] {
        fs::write(place.folder.path().join(name), "x").unwrap();
    }
    discard(&place.into).unwrap();
    assert_eq!(place.names(), ["8"]);
    discard(&place.into).unwrap();
}

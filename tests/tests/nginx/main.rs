//! Files and https against nginx, a server that somebody else wrote. `cargo xtask interop nginx` runs these tests.
//!
//! Each test has a server of its own, with a configuration that it writes itself. What nginx has seen is in its access log.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "../../../crates/cwmp-transport/tests/secure/certificates.rs"]
mod certificates;
mod reverse;
mod server;
mod tls;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use cwmp_core::{job::JobError, settings::Secret, url::HttpUrl};
use cwmp_transport::{
    FileClient, FileConfig,
    files::{Fetched, RemoteFile},
};
use tokio::sync::Notify;

use crate::server::Nginx;

fn config() -> FileConfig {
    FileConfig { pause: Duration::from_millis(50), reserve_bytes: 0, ..FileConfig::default() }
}

fn remote(url: &str, login: Option<(&str, &str)>) -> RemoteFile {
    let (username, password) = login.unwrap_or_default();
    let (username, password) = (username.to_owned(), Secret(password.to_owned()));
    RemoteFile { url: HttpUrl::parse(url).unwrap(), username, password }
}

async fn fetch(url: &str, login: Option<(&str, &str)>, into: &Path) -> Result<Fetched, JobError> {
    FileClient::new(config()).fetch(&remote(url, login), 0, into, &|_| {}).await
}

async fn send(url: &str, login: Option<(&str, &str)>, from: &Path) -> Result<(), JobError> {
    FileClient::new(config()).send(&remote(url, login), from).await
}

fn code<T>(outcome: Result<T, JobError>) -> u32 {
    outcome.map_or_else(|error| error.code.0, |_| 0)
}

/// Content without a period that a buffer could have.
fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 11 + at / 4093) as u8).collect()
}

/// A place outside of the server's folder.
fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().join("1");
    (folder, into)
}

/// Fetches `/image` with this content from a slow server, and does this to the server in the middle of it.
async fn meddled(
    image: &[u8],
    meddle: impl FnOnce(&mut Nginx),
) -> (Nginx, Result<Fetched, JobError>, Vec<u8>) {
    let prepare = |folder: &Path| fs::write(folder.join("files/image"), image).unwrap();
    let mut nginx = Nginx::start(prepare, |[address, _], folder| {
        let root = folder.display();
        format!("server {{ listen {address}; root {root}/files; limit_rate_after 1m; limit_rate 1m; }}")
    });
    let (_folder, into) = place();
    let enough = Notify::new();
    let progress = |bytes| {
        if bytes > 300_000 {
            enough.notify_one();
        }
    };
    let (client, remote) = (FileClient::new(config()), remote(&nginx.url("/image"), None));
    let meddling = async {
        enough.notified().await;
        meddle(&mut nginx);
    };
    let (fetched, ()) = tokio::join!(client.fetch(&remote, 0, &into, &progress), meddling);
    let got = fs::read(&into).unwrap_or_default();
    (nginx, fetched, got)
}

const LOGIN: Option<(&str, &str)> = Some(("box", "a secret"));

/// Files for everybody, files behind Basic, and files that nobody may have.
fn files() -> Nginx {
    let prepare = |folder: &Path| {
        for name in ["open", "locked", "forbidden"] {
            fs::create_dir(folder.join("files").join(name)).unwrap();
            fs::write(folder.join("files").join(name).join("image"), content(700_000)).unwrap();
        }
        fs::write(folder.join("users"), "box:{PLAIN}a secret\n").unwrap();
    };
    Nginx::start(prepare, |[address, _], folder| {
        format!(
            "server {{ listen {address}; root {root}/files; client_max_body_size 2m;\n\
             location /open/ {{ dav_methods PUT; create_full_put_path on; }}\n\
             location /locked/ {{ auth_basic files; auth_basic_user_file {root}/users; dav_methods PUT; }}\n\
             location /forbidden/ {{ deny all; }}\n\
             location /moved/ {{ rewrite ^/moved/(.*)$ /open/$1 redirect; }}\n\
             location /round/ {{ return 302 /round/; }} }}",
            root = folder.display(),
        )
    })
}

/// Conformance: 7.07, 7.11
#[tokio::test]
#[ignore = "needs nginx: cargo xtask interop nginx"]
async fn a_file_is_fetched_and_redirects_are_followed() {
    let (nginx, (_folder, into)) = (files(), place());
    for path in ["/open/image", "/moved/image"] {
        let fetched = fetch(&nginx.url(path), None, &into).await.unwrap();
        assert_eq!(fetched.bytes, 700_000);
        assert!(fs::read(&into).unwrap() == content(700_000));
    }
    assert_eq!(code(fetch(&nginx.url("/round/"), None, &into).await), 9016);
}

/// Conformance: 7.09, 7.25
#[tokio::test]
#[ignore = "needs nginx: cargo xtask interop nginx"]
async fn passwords_and_refusals_have_their_codes() {
    let (nginx, (_folder, into)) = (files(), place());
    let url = nginx.url("/locked/image");
    assert_eq!(code(fetch(&url, None, &into).await), 9012);
    assert_eq!(code(fetch(&url, Some(("box", "wrong")), &into).await), 9012);
    assert!(!into.exists());
    assert_eq!(code(fetch(&url, LOGIN, &into).await), 0);
    assert!(fs::read(&into).unwrap() == content(700_000));
    assert_eq!(code(fetch(&nginx.url("/open/none"), None, &into).await), 9016);
    assert_eq!(code(fetch(&nginx.url("/forbidden/image"), None, &into).await), 9016);
}

/// Conformance: 7.20, 7.21
#[tokio::test]
#[ignore = "needs nginx: cargo xtask interop nginx"]
async fn files_are_put_with_and_without_a_password() {
    let (nginx, (_folder, from)) = (files(), place());
    // Below and above the size from which a file is announced.
    for length in [0, 20_000, 1_500_000] {
        fs::write(&from, content(length)).unwrap();
        for (path, login) in [("/open/new/log", None), ("/locked/log", LOGIN)] {
            let stored = nginx.folder().join("files").join(path.trim_start_matches('/'));
            let _ = fs::remove_file(&stored);
            send(&nginx.url(path), login, &from).await.unwrap();
            assert!(fs::read(&stored).unwrap() == content(length), "{path} {length}");
        }
        let refused = nginx.url("/locked/other");
        assert_eq!(code(send(&refused, None, &from).await), 9012);
        assert_eq!(code(send(&refused, Some(("box", "wrong")), &from).await), 9012);
        assert!(!nginx.folder().join("files/locked/other").exists());
    }
    // No PUT there; larger than this server takes.
    assert_eq!(code(send(&nginx.url("/moved/none/../x"), None, &from).await), 0);
    assert_eq!(code(send(&nginx.url("/forbidden/log"), None, &from).await), 9011);
    fs::write(&from, content(3_000_000)).unwrap();
    assert_eq!(code(send(&nginx.url("/open/large"), None, &from).await), 9011);
}

/// nginx sends slowly, is killed in the middle, and comes back: only the rest is fetched.
#[tokio::test]
#[ignore = "needs nginx: cargo xtask interop nginx"]
async fn a_download_survives_the_crash_of_the_server() {
    let data = content(3_000_000);
    let (nginx, fetched, got) = meddled(&data, Nginx::restart).await;
    assert_eq!(fetched.unwrap().bytes, 3_000_000);
    assert!(got == data);
    let requests = nginx.requests();
    // The killed process wrote no line for what it was sending.
    let last = requests.last().unwrap();
    let from: usize =
        last.strip_prefix("GET /image 206 bytes=").unwrap().trim_end_matches('-').parse().unwrap();
    assert!(from > 300_000 && from < 3_000_000, "{requests:?}");
}

/// The file is replaced while it is being fetched: what comes is one version, not parts of two.
#[tokio::test]
#[ignore = "needs nginx: cargo xtask interop nginx"]
async fn a_file_that_changes_is_fetched_anew() {
    let new = vec![b'n'; 2_500_000];
    let replace = |nginx: &mut Nginx| {
        nginx.kill();
        fs::write(nginx.folder().join("files/image"), &new).unwrap();
        nginx.restart();
    };
    let (nginx, fetched, got) = meddled(&content(3_000_000), replace).await;
    assert_eq!(fetched.unwrap().bytes, 2_500_000);
    assert!(got == new);
    let requests = nginx.requests();
    assert!(requests.last().unwrap().starts_with("GET /image 200 bytes="), "{requests:?}");
}

/// A proxy that loses the server behind it in mid-transfer ends its own reply early.
#[tokio::test]
#[ignore = "needs nginx: cargo xtask interop nginx"]
async fn a_proxy_that_cuts_every_time_is_9017() {
    let behind = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = behind.local_addr().unwrap();
    let nginx = Nginx::start(
        |_| {},
        |[own, _], _| format!("server {{ listen {own}; location / {{ proxy_pass http://{address}; }} }}"),
    );
    let cutting = async {
        loop {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let (mut stream, _) = behind.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nnot all of it").await;
        }
    };
    let (_folder, into) = place();
    let url = nginx.url("/image");
    let fetched = tokio::select! { fetched = fetch(&url, None, &into) => fetched, () = cutting => panic!() };
    assert_eq!(code(fetched), 9017);
}

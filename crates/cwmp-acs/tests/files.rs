//! The file server.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, clippy::indexing_slicing)]

mod cpe;

use cpe::Cpe;
use cwmp_acs::{Acs, AcsOptions, Authentication, FileOptions, Step};
use cwmp_core::digest::{self, Credentials};

struct Bench {
    folder: tempfile::TempDir,
    acs: Acs,
    cpe: Cpe,
}

impl Bench {
    async fn start(change: impl FnOnce(&mut FileOptions)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut files = FileOptions::folder(folder.path());
        change(&mut files);
        let acs = Acs::start(AcsOptions { files: Some(files), ..AcsOptions::default() }).await.unwrap();
        let cpe = Cpe::connect(acs.address()).await;
        Self { folder, acs, cpe }
    }

    async fn ask(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> cpe::HttpReply {
        self.cpe.send(method, target, headers, body).await;
        self.cpe.reply().await.unwrap()
    }
}

#[tokio::test]
async fn a_file_is_served_whole_and_from_an_offset() {
    let mut bench = Bench::start(|_| {}).await;
    let content: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    std::fs::write(bench.folder.path().join("a b.bin"), &content).unwrap();
    let reply = bench.ask("GET", "/files/a%20b.bin", &[], b"").await;
    assert_eq!((reply.status, reply.body == content), (200, true));
    let reply = bench.ask("GET", "/files/a%20b.bin", &[("Range", "bytes=199990-")], b"").await;
    assert_eq!((reply.status, reply.header("Content-Range")), (206, Some("bytes 199990-199999/200000")));
    assert_eq!(reply.body, content[199_990..]);
    assert_eq!(bench.ask("GET", "/files/a%20b.bin", &[("Range", "bytes=200000-")], b"").await.status, 416);
    assert_eq!(bench.ask("GET", "/files/missing", &[], b"").await.status, 404);
    assert!(bench.acs.file_url("x").ends_with("/files/x"));
}

#[tokio::test]
async fn an_upload_appears_under_its_name() {
    let mut bench = Bench::start(|_| {}).await;
    assert_eq!(bench.ask("PUT", "/files/config.ini", &[], b"first").await.status, 201);
    assert_eq!(bench.ask("PUT", "/files/config.ini", &[], b"second").await.status, 204);
    assert_eq!(std::fs::read(bench.folder.path().join("config.ini")).unwrap(), b"second");
    assert_eq!(std::fs::read_dir(bench.folder.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn an_upload_that_is_too_large_leaves_nothing() {
    let mut bench = Bench::start(|files| files.max_bytes = 4).await;
    assert_eq!(bench.ask("PUT", "/files/log", &[], b"12345").await.status, 413);
    assert_eq!(std::fs::read_dir(bench.folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let mut bench = Bench::start(|_| {}).await;
    let folder = bench.folder.path().to_owned();
    let until = async |count: usize| {
        let wait = async {
            while std::fs::read_dir(&folder).unwrap().count() != count {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(cpe::PATIENCE, wait).await.unwrap();
    };
    bench.cpe.write(b"PUT /files/log HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf of it").await;
    until(1).await;
    bench.cpe.reconnect().await;
    until(0).await;
}

#[tokio::test]
async fn no_way_leads_out_of_the_folder() {
    let mut bench = Bench::start(|_| {}).await;
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "x").unwrap();
    std::os::unix::fs::symlink(outside.path(), bench.folder.path().join("link")).unwrap();
    for target in ["/files/../secret", "/files/%2e%2e/secret", "/files//etc/passwd", "/files/a%00"] {
        assert_eq!(bench.ask("GET", target, &[], b"").await.status, 404, "{target}");
    }
    assert_eq!(bench.ask("GET", "/files/link/secret", &[], b"").await.status, 403);
    assert_eq!(bench.ask("PUT", "/files/link/new", &[], b"x").await.status, 403);
    assert_eq!(bench.ask("PUT", "/files/link", &[], b"x").await.status, 403);
    assert!(!outside.path().join("new").exists());
}

#[tokio::test]
async fn credentials_are_asked_for() {
    let mut bench = Bench::start(|files| files.authentication = Authentication::basic("u", "p")).await;
    assert_eq!(bench.ask("PUT", "/files/x", &[], b"x").await.status, 401);
    bench.cpe.authorization = Some(digest::basic(&Credentials { username: "u", password: "p" }));
    assert_eq!(bench.ask("PUT", "/files/x", &[], b"x").await.status, 201);
}

#[tokio::test]
async fn a_transfer_can_be_made_to_fail() {
    let mut bench = Bench::start(|_| {}).await;
    std::fs::write(bench.folder.path().join("f"), vec![b'x'; 100_000]).unwrap();
    bench.acs.file_script([
        Step::expect("GET"),
        Step::Status(500),
        Step::expect("PUT"),
        Step::CloseAfterBytes(50_000),
    ]);
    assert_eq!(bench.ask("GET", "/files/f", &[], b"").await.status, 500);
    bench.cpe.send("GET", "/files/f", &[], b"").await;
    assert_eq!(bench.cpe.rest().await.len(), 50_000);
    bench.cpe.reconnect().await;
    assert_eq!(bench.ask("GET", "/files/f", &[], b"").await.body.len(), 100_000);
    let found = bench.acs.violations();
    assert_eq!((found.len(), found[0].detail.as_str()), (1, "`GET` came where `PUT` was expected"));
}

#[tokio::test]
async fn without_a_folder_there_are_no_files() {
    let acs = Acs::start(AcsOptions::default()).await.unwrap();
    let mut cpe = Cpe::connect(acs.address()).await;
    cpe.send("GET", "/files/x", &[], b"").await;
    assert_eq!(cpe.reply().await.unwrap().status, 404);
}

//! Calls that nobody honest makes.

use std::{fs, path::Path};

use bytes::Bytes;
use cwmp_core::{io::SnapshotId, url::HttpUrl};
use cwmp_platform::MockPlatform;
use cwmp_store::durable::RealFiles;
use tempfile::TempDir;

use super::*;

fn desk() -> Rc<Desk> {
    let folder = TempDir::new().unwrap();
    desk_with(&folder.path().join("udp.json"))
}

/// With what has been noted of connection requests over UDP in this file.
fn desk_with(udp: &Path) -> Rc<Desk> {
    let mut platform = MockPlatform::new();
    platform.expect_clock_is_synchronised().return_const(true);
    let (udp_note, _) = UdpNote::open(&RealFiles::shared(), udp).unwrap();
    let tls = TlsFiles { ca_file: Some("/no/such/file".into()), client: None };
    Desk::new(Rc::new(platform), Snapshots::default(), tls, udp_note)
}

async fn partial(folder: &Path) -> Partial {
    let url = HttpUrl::parse("http://files.example/a").unwrap();
    Partial::open(&folder.join("f"), &url, 0).await.unwrap()
}

fn failed(answer: &Return) -> &str {
    match answer {
        Return::Failed(why) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_file_is_open_as_long_as_its_transfer_runs_and_no_other_ever() {
    let (desk, folder) = (desk(), TempDir::new().unwrap());
    let open = desk.take_into(partial(folder.path()).await);
    let id = open.id;
    let append = |id| desk.serve(Call::Append(id, Bytes::from_static(b"abc")));
    assert_eq!(append(id).await, Return::Done);
    for call in [
        Call::Append(FileId(id.0 + 1), Bytes::new()),
        Call::Finish(FileId(0)),
        // It is one to be written, not one to be sent.
        Call::Open(1, Readable::File(id)),
    ] {
        let answer = desk.serve(call).await;
        assert!(failed(&answer).starts_with("there is no such file"), "{answer:?}");
    }
    let Return::Fetched(fetched) = desk.serve(Call::Finish(id)).await else { panic!("not finished") };
    assert_eq!((fetched.bytes, fs::read(folder.path().join("f")).unwrap()), (3, b"abc".to_vec()));
    // It has its place now, and cannot be changed any more.
    assert_eq!(failed(&append(id).await), "the file could not be written before");
    drop(open);
    assert_eq!(failed(&append(id).await), "there is no such file under way");
    assert_eq!(fs::read(folder.path().join("f")).unwrap(), b"abc");
}

#[tokio::test]
async fn a_file_that_is_worked_on_takes_one_call_at_a_time() {
    let (desk, folder) = (desk(), TempDir::new().unwrap());
    let open = desk.take_into(partial(folder.path()).await);
    let (first, second) = tokio::join!(
        desk.serve(Call::Append(open.id, Bytes::from_static(b"a"))),
        desk.serve(Call::Append(open.id, Bytes::from_static(b"b")))
    );
    assert_eq!((first, failed(&second)), (Return::Done, "there is no such file under way"));
}

#[tokio::test]
async fn what_does_not_fit_into_the_file_system_is_not_written() {
    let (desk, folder) = (desk(), TempDir::new().unwrap());
    let url = HttpUrl::parse("http://files.example/a").unwrap();
    let full = Partial::open(&folder.path().join("f"), &url, u64::MAX).await.unwrap();
    let open = desk.take_into(full);
    let answer = desk.serve(Call::Append(open.id, Bytes::from_static(b"a"))).await;
    assert!(failed(&answer).starts_with("no room: "), "{answer:?}");
}

#[tokio::test]
async fn readers_are_bounded_and_close() {
    let (desk, folder) = (desk(), TempDir::new().unwrap());
    let file = folder.path().join("f");
    fs::write(&file, "content").unwrap();
    let open = desk.give_out(file);
    for reader in 0..u32::try_from(limits::READERS).unwrap() {
        assert_eq!(desk.serve(Call::Open(reader, Readable::File(open.id))).await, Return::Done);
    }
    let one_more = || desk.serve(Call::Open(1000, Readable::File(open.id)));
    assert!(failed(&one_more().await).starts_with("more than"));
    // From the beginning again is no further one.
    assert_eq!(desk.serve(Call::Open(3, Readable::File(open.id))).await, Return::Done);
    desk.close(0);
    assert_eq!(one_more().await, Return::Done);
    assert_eq!(desk.serve(Call::Read(1000)).await, Return::Piece(Bytes::from_static(b"content")));
    assert_eq!(desk.serve(Call::Read(1000)).await, Return::Piece(Bytes::new()));
    assert_eq!(failed(&desk.serve(Call::Read(0)).await), "there is no such reader");
}

#[tokio::test]
async fn what_is_not_there_is_said_to_be_not_there() {
    let desk = desk();
    let of = Readable::Listing(SnapshotId(1));
    assert_eq!(failed(&desk.serve(Call::Open(1, of)).await), "the snapshot of an answer is gone");
    let answer = desk.serve(Call::Material(None)).await;
    assert!(cfg!(not(feature = "tls")) || failed(&answer).contains("/no/such/file"), "{answer:?}");
}

/// Conformance: 6.28
#[tokio::test]
async fn a_note_of_connection_requests_is_on_the_disk_when_it_is_answered() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("udp.json");
    let desk = desk_with(&file);
    let kept = || UdpNote::open(&RealFiles::shared(), &file).unwrap().0.accepted_until();
    assert_eq!(desk.serve(Call::NoteUdp(1_500_000_000)).await, Return::Done);
    assert_eq!(kept(), Some(1_500_000_000));
    // Who would have old requests taken again, or none for years, does not get it.
    assert_eq!(desk.serve(Call::NoteUdp(1_400_000_000)).await, Return::Done);
    assert!(failed(&desk.serve(Call::NoteUdp(u64::MAX)).await).contains("more than a day ahead"));
    assert_eq!(kept(), Some(1_500_000_000));
    let nowhere = folder.path().join("nowhere");
    let desk = desk_with(&nowhere.join("udp.json"));
    fs::remove_dir(&nowhere).unwrap();
    fs::write(&nowhere, "a file, and no folder").unwrap();
    assert!(failed(&desk.serve(Call::NoteUdp(1)).await).contains("nowhere"));
}

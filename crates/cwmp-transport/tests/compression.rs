//! HTTP compression on the wire (CONFORMANCE 1.21, 1.22; TR-069a6 3.4.7).

#![cfg(feature = "compression")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod peer;

use std::{
    io::{Read, Write},
    rc::Rc,
};

use bytes::Bytes;
use cwmp_core::{
    io::{AcsTarget, NetError, Reply},
    limits::ENVELOPE_BYTES,
    settings::HttpCompression,
};
use cwmp_transport::{AcsClient, ClientConfig, PostBody, body::Chunks, limits::COMPRESSED_BYTES};
use flate2::{
    Compression,
    read::{GzDecoder, ZlibDecoder},
    write::{GzEncoder, ZlibEncoder},
};
use peer::{Message, Server};
use tokio::join;

const BOTH: [HttpCompression; 2] = [HttpCompression::Gzip, HttpCompression::Deflate];

fn client() -> AcsClient {
    AcsClient::new(ClientConfig::default())
}

fn envelope(text: &str) -> PostBody {
    PostBody::Bytes(Bytes::copy_from_slice(text.as_bytes()))
}

fn target(server: &Server, compression: HttpCompression) -> AcsTarget {
    AcsTarget { compression, ..server.target("/") }
}

/// The body without the coding that the message names.
fn plain(message: &Message) -> Vec<u8> {
    let mut plain = Vec::new();
    match message.header("content-encoding") {
        None => plain.clone_from(&message.body),
        Some("gzip") => drop(GzDecoder::new(message.body.as_slice()).read_to_end(&mut plain).unwrap()),
        Some("deflate") => drop(ZlibDecoder::new(message.body.as_slice()).read_to_end(&mut plain).unwrap()),
        Some(other) => unreachable!("{other}"),
    }
    plain
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Text that compresses badly, the same at each call.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        b'0' + u8::try_from(state >> 26).unwrap()
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

/// Produced while it is sent, 16 KB at a time.
fn stream(text: &[u8]) -> PostBody {
    let text = Bytes::copy_from_slice(text);
    let length = text.len() as u64;
    let make = Rc::new(move || {
        let text = text.clone();
        let starts = (0..text.len()).step_by(16 * 1024);
        let chunk = move |at: usize| text.slice(at..text.len().min(at + 16 * 1024));
        Box::new(starts.map(chunk)) as Box<dyn Chunks>
    });
    PostBody::Stream { length, make }
}

/// One post whose reply is exactly these bytes, with compression on.
async fn answered_with(head: &str, body: &[u8]) -> Result<Reply, NetError> {
    let server = Server::start().await;
    let mut client = client();
    let serve = async {
        let mut peer = server.accept().await;
        peer.read().await;
        peer.write(format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n", body.len())).await;
        peer.write(body).await;
        peer
    };
    let ask = async {
        client.open(&target(&server, HttpCompression::Gzip)).await.unwrap();
        client.post(envelope("<x/>")).await
    };
    join!(ask, serve).0
}

/// Conformance: 1.21
#[tokio::test]
async fn envelopes_are_compressed_as_set_and_empty_posts_are_not() {
    let text = "<Inform>".to_owned() + &"<Name>Device.DeviceInfo.</Name>".repeat(100) + "</Inform>";
    for (compression, coding) in [
        (HttpCompression::Gzip, Some("gzip")),
        (HttpCompression::Deflate, Some("deflate")),
        (HttpCompression::Disabled, None),
    ] {
        let server = Server::start().await;
        let mut client = client();
        let serve = async {
            let mut peer = server.accept().await;
            let mut requests = Vec::new();
            for _ in 0..2 {
                requests.push(peer.read().await);
                peer.ok("").await;
            }
            requests
        };
        let ask = async {
            client.open(&target(&server, compression)).await.unwrap();
            client.post(envelope(&text)).await.unwrap();
            client.post(PostBody::Empty).await.unwrap();
        };
        let ((), requests) = join!(ask, serve);
        let [first, second] = requests.as_slice() else { unreachable!() };
        assert_eq!(first.header("content-encoding"), coding);
        assert_eq!(first.header("content-type"), Some("text/xml; charset=\"utf-8\""));
        assert_eq!(first.header("transfer-encoding"), None, "the length is known");
        assert_eq!(String::from_utf8(plain(first)).unwrap(), text);
        assert_eq!(first.body.len() < text.len() / 2, coding.is_some());
        assert_eq!((second.header("content-encoding"), second.header("content-length")), (None, Some("0")));
        for request in &requests {
            assert_eq!(request.header("accept-encoding"), coding.map(|_| "gzip, deflate"));
        }
    }
}

#[tokio::test]
async fn a_long_streamed_envelope_is_compressed_and_can_be_sent_again() {
    let text = noise(10 * COMPRESSED_BYTES);
    for compression in BOTH {
        let server = Server::start().await;
        let mut client = client();
        let serve = async {
            let mut peer = server.accept().await;
            let first = peer.read().await;
            peer.reply("307 Temporary Redirect", "Location: /again\r\n", "").await;
            let second = peer.read().await;
            peer.ok("").await;
            (first, second)
        };
        let ask = async {
            client.open(&target(&server, compression)).await.unwrap();
            client.post(stream(&text)).await.unwrap();
        };
        let ((), (first, second)) = join!(ask, serve);
        assert!(first.body.len() > COMPRESSED_BYTES && first.body.len() < text.len(), "{}", first.body.len());
        assert!(plain(&first) == text);
        assert!(first.body == second.body);
        assert_eq!(second.first_line(), "POST /again HTTP/1.1");
    }
}

#[tokio::test]
async fn compressed_replies_are_decoded() {
    let text = b"<r/>".repeat(1000);
    let cases = [
        ("gzip", gzip(&text)),
        ("X-GZIP", gzip(&text)),
        ("deflate", zlib(&text)),
        ("identity", text.clone()),
        ("identity, gzip", gzip(&text)),
    ];
    for (coding, body) in cases {
        let reply = answered_with(&format!("200 OK\r\nContent-Encoding: {coding}"), &body).await.unwrap();
        assert!(reply.body == text, "{coding}");
    }
    let empty = answered_with("204 No Content\r\nContent-Encoding: gzip", b"").await.unwrap();
    assert_eq!((empty.status, empty.body), (204, Vec::new()));
}

#[tokio::test]
async fn a_decompression_bomb_is_refused_at_the_limit_of_an_envelope() {
    let full = vec![b' '; ENVELOPE_BYTES];
    let bomb = vec![b' '; 64 * ENVELOPE_BYTES];
    for (coding, full, bomb) in [("gzip", gzip(&full), gzip(&bomb)), ("deflate", zlib(&full), zlib(&bomb))] {
        assert!(bomb.len() < ENVELOPE_BYTES, "it is small on the wire");
        let head = format!("200 OK\r\nContent-Encoding: {coding}");
        assert_eq!(answered_with(&head, &full).await.unwrap().body.len(), ENVELOPE_BYTES);
        assert_eq!(answered_with(&head, &bomb).await, Err(NetError::TooLarge(ENVELOPE_BYTES)));
    }
}

#[tokio::test]
async fn damaged_and_unknown_codings_end_the_session_with_the_reason() {
    let whole = gzip(b"<r/>");
    let cut = &whole[..whole.len() - 5];
    for (coding, body, reason) in [
        ("gzip", cut, "no valid gzip"),
        ("gzip", b"<r/>", "no valid gzip"),
        ("deflate", whole.as_slice(), "no valid deflate"),
        ("br", b"<r/>", "unknown content coding"),
        ("gzip, gzip", whole.as_slice(), "unknown content coding"),
    ] {
        let error = answered_with(&format!("200 OK\r\nContent-Encoding: {coding}"), body).await.unwrap_err();
        assert!(matches!(&error, NetError::Broken(text) if text.contains(reason)), "{coding}: {error}");
    }
    // What a proxy says to a failure is not read.
    let failure = answered_with("503 No\r\nContent-Encoding: br", b"<html>").await.unwrap();
    assert_eq!(failure.status, 503);
}

/// Conformance: 1.22
#[tokio::test]
async fn after_a_415_the_acs_gets_plain_messages_until_the_setting_changes() {
    let server = Server::start().await;
    let mut client = client();
    let gzip = target(&server, HttpCompression::Gzip);
    let deflate = target(&server, HttpCompression::Deflate);
    let elsewhere = AcsTarget { url: server.target("/other").url, ..gzip.clone() };
    let plan = [
        (&gzip, 415, Some("gzip")),
        (&gzip, 200, None),
        (&gzip, 200, None),
        (&deflate, 200, Some("deflate")),
        (&gzip, 415, Some("gzip")),
        (&elsewhere, 200, Some("gzip")),
    ];
    let serve = async {
        let mut requests = Vec::new();
        for (_, status, _) in plan {
            let mut peer = server.accept().await;
            requests.push(peer.read().await);
            peer.reply(&format!("{status} X"), "", "").await;
        }
        requests
    };
    let ask = async {
        for (target, status, _) in plan {
            client.open(target).await.unwrap();
            assert_eq!(client.post(envelope("<Inform/>")).await.unwrap().status, status);
            client.close();
        }
    };
    let ((), requests) = join!(ask, serve);
    for (at, (request, (_, _, coding))) in requests.iter().zip(plan).enumerate() {
        assert_eq!(request.header("content-encoding"), coding, "session {at}");
        assert_eq!(request.header("accept-encoding").is_some(), coding.is_some(), "session {at}");
        assert_eq!(plain(request), b"<Inform/>", "session {at}");
    }
}

#[tokio::test]
async fn a_415_to_a_plain_message_changes_nothing() {
    let server = Server::start().await;
    let mut client = client();
    let serve = async {
        let mut peer = server.accept().await;
        peer.read().await;
        peer.reply("415 X", "", "").await;
        let mut peer = server.accept().await;
        let request = peer.read().await;
        peer.ok("").await;
        request
    };
    let ask = async {
        let target = target(&server, HttpCompression::Gzip);
        client.open(&target).await.unwrap();
        client.post(PostBody::Empty).await.unwrap();
        client.open(&target).await.unwrap();
        client.post(envelope("<x/>")).await.unwrap();
    };
    let ((), request) = join!(ask, serve);
    assert_eq!(request.header("content-encoding"), Some("gzip"));
}

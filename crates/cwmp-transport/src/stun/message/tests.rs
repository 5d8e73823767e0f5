use data_encoding::HEXLOWER;
use proptest::prelude::*;

use super::*;

/// The samples of RFC 5769: an answer over IPv4 and over IPv6, and a request with long-term credentials.
const ANSWER_4: &str = "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147\
                        e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96";
const ANSWER_6: &str = "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a147\
                        0113a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004\
                        c8fb0b4c";
const LONG_TERM: &str = "000100602112a44278ad3433c6ad72c029da412e00060012e3839ee38388e383aae38383e382afe382b90000\
                         0015001c662f2f3439396b39353464364f4c33346f4c39465354767936347341001400\
                         0b6578616d706c652e6f72670000080014f67024656dd64a3e02b8e0712e85c9a28ca89666";

fn bytes(hex: &str) -> Vec<u8> {
    HEXLOWER.decode(hex.as_bytes()).unwrap()
}

fn id(rest: [u8; 12]) -> TransactionId {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&COOKIE);
    id[4..].copy_from_slice(&rest);
    id
}

fn mapped(bytes: &[u8]) -> Option<SocketAddr> {
    match Response::decode(bytes)?.content {
        Content::Mapped(address) => Some(address),
        Content::Refused { .. } => None,
    }
}

/// An answer as a server of RFC 3489 writes it.
fn classic(kind: u16, attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut out = kind.to_be_bytes().to_vec();
    out.extend([0, 0]);
    out.extend([7; 16]);
    for (kind, value) in attributes {
        attribute(&mut out, *kind, value);
    }
    count(&mut out, 0);
    out
}

#[test]
fn the_samples_of_the_standard_are_read() {
    let short_term = |password: &str| Proof::ShortTerm { username: String::new(), password: password.into() };
    for (sample, address) in
        [(ANSWER_4, "192.0.2.1:32853"), (ANSWER_6, "[2001:db8:1234:5678:11:2233:4455:6677]:32853")]
    {
        let sample = bytes(sample);
        assert_eq!(mapped(&sample), Some(address.parse().unwrap()));
        let answer = Response::decode(&sample).unwrap();
        assert!(!answer.is_forged(&short_term("VOkJxbRl1RmTxUk/WvJxBt")));
        assert!(answer.is_forged(&short_term("VOkJxbRl1RmTxUk/WvJxBT")));
    }
}

#[test]
fn the_sample_with_long_term_credentials_is_written() {
    let proof = Proof::LongTerm {
        username: "\u{30DE}\u{30C8}\u{30EA}\u{30C3}\u{30AF}\u{30B9}".into(),
        password: "TheMatrIX".into(),
        realm: b"example.org".to_vec(),
        nonce: b"f//499k954d6OL34oL9FSTvy64sA".to_vec(),
    };
    let request = Request { proof: Some(&proof), ..Request::default() };
    let sample = bytes(LONG_TERM);
    let id: TransactionId = sample[4..20].try_into().unwrap();
    assert_eq!(HEXLOWER.encode(&request.encode(&id)), HEXLOWER.encode(&sample));
}

/// Conformance: 6.30
#[test]
fn what_annex_g_adds_stands_in_the_request() {
    let request = Request { connection_requests: true, binding_change: true, ..Request::default() };
    let expected =
        "0001001c2112a442010101010101010101010101c001001464736c666f72756d2e6f72672f54522d31313120c0020000";
    assert_eq!(HEXLOWER.encode(&request.encode(&id([1; 12]))), expected);
    let redirected = Request {
        redirect: Some(Redirect::Address("192.0.2.1:4660".parse().unwrap())),
        ..Request::default()
    };
    let expected = "0001000c0202020202020202020202020202020200020008000112".to_owned() + "34c0000201";
    assert_eq!(HEXLOWER.encode(&redirected.encode(&[2; 16])), expected);
}

/// Conformance: 6.31
#[test]
fn the_integrity_of_annex_g_is_that_of_rfc_3489() {
    let proof = Proof::Classic { username: "user1".into(), password: "pw".into() };
    let request = Request { connection_requests: true, proof: Some(&proof), ..Request::default() };
    let message = request.encode(&id([1; 12]));
    let (covered, integrity) = message.split_at(message.len() - 24);
    // The name is filled up with blanks, the text under the hash with zeros.
    assert_eq!(&covered[44..], b"\x00\x06\x00\x08user1   ");
    let mut text = covered.to_vec();
    text.resize(64, 0);
    let mut hash = Hmac::<Sha1>::new_from_slice(b"pw").unwrap();
    hash.update(&text);
    assert_eq!(integrity[..4], [0, 8, 0, 20]);
    assert_eq!(integrity[4..], *hash.finalize().into_bytes());
}

#[test]
fn answers_of_old_servers_are_read() {
    let address: &[u8] = &[0, 1, 0x12, 0x34, 192, 0, 2, 1];
    let answer = classic(0x0101, &[(4, address), (5, address), (1, address)]);
    assert_eq!(mapped(&answer), Some("192.0.2.1:4660".parse().unwrap()));
    let refused = classic(0x0111, &[(9, b"\0\0\x04\x01why?")]);
    let Content::Refused { code, ask } = Response::decode(&refused).unwrap().content else { panic!() };
    assert_eq!((code, ask), (401, None));
}

#[test]
fn answers_that_make_no_sense_are_none() {
    let good: &[u8] = &[0, 1, 0x12, 0x34, 192, 0, 2, 1];
    let port_0: &[u8] = &[0, 1, 0, 0, 192, 0, 2, 1];
    let nowhere: &[u8] = &[0, 1, 0x12, 0x34, 0, 0, 0, 0];
    let many: &[u8] = &[0, 1, 0x12, 0x34, 224, 0, 0, 1];
    let long: &[u8] = &[0, 1, 0x12, 0x34, 192, 0, 2, 1, 0];
    let family: &[u8] = &[0, 3, 0x12, 0x34, 192, 0, 2, 1];
    for value in [port_0, nowhere, many, long, family, &[], &[0], &[0, 1, 2]] {
        assert!(Response::decode(&classic(0x0101, &[(1, value)])).is_none(), "{value:?}");
    }
    for kind in [0x0001, 0x0102, 0x0011, 0x0103] {
        assert!(Response::decode(&classic(kind, &[(1, good)])).is_none(), "{kind:#x}");
    }
    for code in [&[0, 0, 2, 0], &[0, 0, 7, 0], &[0, 0, 4, 100]] {
        assert!(Response::decode(&classic(0x0111, &[(9, code)])).is_none(), "{code:?}");
    }
    assert!(Response::decode(&classic(0x0101, &vec![(0x8000, good); limits::STUN_ATTRIBUTES + 1])).is_none());
    let whole = classic(0x0101, &[(1, good)]);
    for cut in 0..whole.len() {
        assert!(Response::decode(&whole[..cut]).is_none(), "{cut}");
    }
    // What comes after MESSAGE-INTEGRITY is not covered, and does not count.
    let hidden = classic(0x0101, &[(8, &[0; 20]), (1, good)]);
    assert!(Response::decode(&hidden).is_none());
}

proptest! {
    #[test]
    fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..200), which in 0..2) {
        let mut bytes = bytes;
        if let (Ok(length), Some(header)) = (u16::try_from(bytes.len().saturating_sub(20)), bytes.get_mut(..4)) {
            header[..2].copy_from_slice(if which == 0 { &[1, 1] } else { &[1, 0x11] });
            header[2..].copy_from_slice(&length.to_be_bytes());
        }
        if let Some(answer) = Response::decode(&bytes) {
            answer.is_forged(&Proof::Classic { username: String::new(), password: "x".into() });
        }
    }
}

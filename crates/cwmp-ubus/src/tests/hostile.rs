//! What nobody should send.

use crate::{
    DecodeError, EncodeError, Table, Value, blobmsg, limits,
    message::{Fields, Outgoing, attribute, kind},
};
use proptest::prelude::*;

fn value(kind: u8, length: u32, rest: &[u8]) -> Vec<u8> {
    let word = 0x8000_0000 | u32::from(kind) << 24 | length;
    [word.to_be_bytes().as_slice(), rest].concat()
}

#[test]
fn each_broken_value_is_refused_for_its_own_reason() {
    let cases: [(&str, Vec<u8>, DecodeError); 13] = [
        ("cut in the word", vec![0x83, 0], DecodeError::Beyond),
        ("length 0", value(3, 0, &[]), DecodeError::Short),
        ("length 3", value(3, 3, &[]), DecodeError::Short),
        ("beyond the table", value(3, 16, &[0, 0, 0, 0]), DecodeError::Beyond),
        ("no padding at the end", value(7, 9, &[0, 0, 0, 0, 1]), DecodeError::Beyond),
        ("no name field", value(5, 4, &[]), DecodeError::NoName),
        ("not extended", [0x05, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 1].to_vec(), DecodeError::NoName),
        ("name beyond the value", value(5, 8, &[0, 9, b'n', 0]), DecodeError::Beyond),
        ("name without NUL", value(0, 8, &[0, 1, b'n', b'n']), DecodeError::NoNul),
        ("text without NUL", value(3, 12, &[0, 1, b'n', 0, b't', b'e', b'x', b't']), DecodeError::NoNul),
        ("empty text without NUL", value(3, 8, &[0, 1, b'n', 0]), DecodeError::NoNul),
        ("INT32 of two bytes", value(5, 10, &[0, 1, b'n', 0, 0, 1, 0, 0]), DecodeError::Size(5)),
        ("type 9", value(9, 8, &[0, 1, b'n', 0]), DecodeError::Type(9)),
    ];
    for (name, bytes, error) in cases {
        assert_eq!(blobmsg::decode(&bytes), Err(error), "{name}");
    }
}

#[test]
fn nesting_is_bounded_in_both_directions() {
    let nested = |depth| (0..depth).fold(Table::new(), |inner, _| Table::new().with("t", inner));
    let deepest = blobmsg::encode(&nested(limits::DEPTH)).unwrap();
    assert_eq!(blobmsg::decode(&deepest).unwrap(), nested(limits::DEPTH));
    assert_eq!(blobmsg::encode(&nested(limits::DEPTH + 2)), Err(EncodeError::TooDeep));
    let one_more = [value(2, deepest.len() as u32 + 8, &[0, 1, b't', 0]), deepest].concat();
    let two_more = [value(2, one_more.len() as u32 + 8, &[0, 1, b't', 0]), one_more].concat();
    assert_eq!(blobmsg::decode(&two_more), Err(DecodeError::TooDeep));
}

#[test]
fn the_number_of_values_and_the_size_are_bounded() {
    let many = value(0, 8, &[0; 4]).repeat(limits::VALUES);
    assert_eq!(blobmsg::decode(&many).unwrap().len(), limits::VALUES);
    let more = value(0, 8, &[0; 4]).repeat(limits::VALUES + 1);
    assert_eq!(blobmsg::decode(&more), Err(DecodeError::TooMany));
    assert_eq!(blobmsg::decode(&vec![0; limits::FRAME_BYTES + 1]), Err(DecodeError::TooLarge));

    let many: Table = (0..=limits::VALUES).map(|_| ("", Value::Unspec)).collect();
    assert_eq!(blobmsg::encode(&many), Err(EncodeError::TooMany));
    let large = Table::new().with("text", "x".repeat(limits::FRAME_BYTES));
    assert_eq!(blobmsg::encode(&large), Err(EncodeError::TooLarge));
    let just = Table::new().with("text", "x".repeat(limits::FRAME_BYTES - 24));
    let message = Outgoing::new(kind::DATA, 0).table(attribute::DATA, &just).unwrap();
    assert_eq!(message.finish(1), Err(EncodeError::TooLarge), "the header counts");
}

#[test]
fn text_that_the_bus_would_cut_is_not_sent() {
    assert_eq!(blobmsg::encode(&Table::new().with("text", "a\0b")), Err(EncodeError::Nul));
    assert_eq!(blobmsg::encode(&Table::new().with("a\0b", 1)), Err(EncodeError::Nul));
    let long = Table::new().with("n".repeat(limits::NAME_BYTES + 1), 1);
    assert_eq!(blobmsg::encode(&long), Err(EncodeError::LongName));
    let method = Outgoing::new(kind::INVOKE, 0).text(attribute::METHOD, "in\0form");
    assert_eq!(method.err(), Some(EncodeError::Nul));
}

#[test]
fn text_is_read_as_c_reads_it() {
    let read = |bytes: &[u8]| {
        let bytes = value(3, 8 + bytes.len() as u32, &[&[0, 1, b'n', 0], bytes].concat());
        blobmsg::decode(&bytes).unwrap().str("n").map(str::to_owned)
    };
    assert_eq!(read(b"ab\0\0").as_deref(), Some("ab"), "to the first NUL");
    assert_eq!(read(b"a\xffb\0").as_deref(), Some("a\u{fffd}b"), "an SSID need not be UTF-8");
}

#[test]
fn attributes_of_a_message_have_their_size() {
    let field = |id: u8, data: &[u8]| {
        let mut bytes = vec![id, 0, 0, 4 + data.len() as u8];
        bytes.extend_from_slice(data);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        Fields::decode(&bytes)
    };
    assert_eq!(field(attribute::STATUS, &[0, 0, 4]), Err(DecodeError::Field(attribute::STATUS)));
    assert_eq!(field(attribute::METHOD, b"dump"), Err(DecodeError::Field(attribute::METHOD)));
    assert_eq!(field(attribute::METHOD, b"du\0mp\0"), Err(DecodeError::Field(attribute::METHOD)));
    assert_eq!(field(attribute::ACTIVE, &[]), Err(DecodeError::Field(attribute::ACTIVE)));
    assert_eq!(field(attribute::OBJPATH, &[]), Err(DecodeError::Field(attribute::OBJPATH)));
    assert_eq!(field(99, b"unknown"), Ok(Fields::default()), "skipped");
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _ = blobmsg::decode(&bytes);
        let _ = Fields::decode(&bytes);
    }

    #[test]
    fn a_changed_byte_is_read_or_refused(
        seed in super::round_trip::tables(),
        place in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = blobmsg::encode(&seed).unwrap();
        if !bytes.is_empty() {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Ok(table) = blobmsg::decode(&bytes) {
            // Whatever was read can be sent on.
            prop_assert!(blobmsg::encode(&table).is_ok());
        }
    }
}

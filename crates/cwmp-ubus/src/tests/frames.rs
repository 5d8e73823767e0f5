//! A stream comes in pieces of any size.

use crate::{
    Table,
    error::DecodeError,
    frame::Frames,
    limits,
    message::{Fields, Outgoing, attribute, kind},
};

fn message(seq: u16, text: &str) -> Vec<u8> {
    let said = Table::new().with("said", text);
    Outgoing::new(kind::DATA, 7).table(attribute::DATA, &said).unwrap().finish(seq).unwrap()
}

#[test]
fn messages_come_out_whole_however_the_stream_is_cut() {
    let stream: Vec<_> = (0..40).flat_map(|n| message(n, &"x".repeat(usize::from(n)))).collect();
    for piece in [1, 3, 7, 64, 1000, stream.len()] {
        let mut frames = Frames::default();
        let mut found = 0;
        for chunk in stream.chunks(piece) {
            frames.feed(chunk);
            while let Some(frame) = frames.next().unwrap() {
                let data = Fields::decode(&frame.body).unwrap().data.unwrap();
                assert_eq!((frame.seq, data.str("said").map(str::len)), (found, Some(found.into())));
                found += 1;
            }
        }
        assert_eq!(found, 40, "in pieces of {piece}");
    }
}

#[test]
fn a_stream_that_is_none_is_noticed_at_the_head_of_the_message() {
    let head = |bytes: [u8; 12]| {
        let mut frames = Frames::default();
        frames.feed(&bytes);
        frames.next()
    };
    let (three, over) = (3, limits::FRAME_BYTES as u32 + 1);
    let with_length = |length: u32| {
        let [_, a, b, c] = length.to_be_bytes();
        [0, 2, 0, 0, 0, 0, 0, 0, 0, a, b, c]
    };
    assert_eq!(head(*b"GET / HTTP/1"), Err(DecodeError::Version(b'G')));
    assert_eq!(head(with_length(three)), Err(DecodeError::Short));
    assert_eq!(head(with_length(over)), Err(DecodeError::TooLarge));
    assert_eq!(head(with_length(over - 1)), Ok(None), "waits for the largest message");
    let empty = head(with_length(4)).unwrap().unwrap();
    assert_eq!((empty.kind, empty.body.len()), (kind::DATA, 0));
}

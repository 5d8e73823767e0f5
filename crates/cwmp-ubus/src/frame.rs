//! Messages as they lie in the stream (`ubusmsg.h`): a header of eight bytes and one blob.

use crate::{error::DecodeError, limits};

/// Bytes of the header and of the length of the blob.
const HEAD: usize = 12;

/// A message whose blob has not been looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) seq: u16,
    pub(crate) peer: u32,
    /// The attributes in the blob.
    pub(crate) body: Vec<u8>,
}

/// Cuts a stream into messages.
#[derive(Default)]
pub(crate) struct Frames {
    buffer: Vec<u8>,
    /// How much of the buffer has been handed out.
    taken: usize,
}

impl Frames {
    /// Takes what was read.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next message, once it is there as a whole.
    ///
    /// # Errors
    /// What comes is no message; the stream is of no use any more.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, DecodeError> {
        let rest = self.buffer.get(self.taken..).unwrap_or_default();
        let Some(([version, kind, s0, s1, p0, p1, p2, p3, _, l0, l1, l2], _)) =
            rest.split_first_chunk::<HEAD>()
        else {
            return Ok(None);
        };
        if *version != 0 {
            return Err(DecodeError::Version(*version));
        }
        let length = u32::from_be_bytes([0, *l0, *l1, *l2]) as usize;
        if length < 4 {
            return Err(DecodeError::Short);
        }
        if length > limits::FRAME_BYTES {
            return Err(DecodeError::TooLarge);
        }
        let Some(whole) = rest.get(..HEAD - 4 + length.next_multiple_of(4)) else { return Ok(None) };
        let body = whole.get(HEAD..HEAD - 4 + length).unwrap_or_default().to_vec();
        let (seq, peer) = (u16::from_be_bytes([*s0, *s1]), u32::from_be_bytes([*p0, *p1, *p2, *p3]));
        let frame = Frame { kind: *kind, seq, peer, body };
        self.taken += whole.len();
        Ok(Some(frame))
    }
}

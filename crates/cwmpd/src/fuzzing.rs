//! A door for the fuzz target of the border. Nothing else uses the feature `fuzzing`.

use crate::border::{Down, Up, frames, limits};

/// Reads these bytes as a message to each side, as they follow the length of a frame. What is a message must read back as the
/// same one when it is sent on.
///
/// # Panics
/// It reads back as another one.
pub fn border(bytes: &[u8]) {
    if let Ok(up) = frames::decode::<Up>(bytes) {
        let sent = frames::encode(&up, limits::UP_BYTES).unwrap_or_default();
        assert_eq!(sent.get(4..).and_then(|bytes| frames::decode(bytes).ok()), Some(up));
    }
    if let Ok(down) = frames::decode::<Down>(bytes) {
        let sent = frames::encode(&down, limits::DOWN_BYTES).unwrap_or_default();
        assert_eq!(sent.get(4..).and_then(|bytes| frames::decode(bytes).ok()), Some(down));
    }
}

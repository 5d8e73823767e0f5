//! Files that are read in pieces: an image need not fit into memory.

use std::io::{self, Read};

/// What is read at a time, in bytes.
const PIECE: usize = 64 * 1024;

/// Reads to the end and hands each piece on, as for a hash.
///
/// # Errors
/// Those of reading.
pub fn in_pieces(file: &mut dyn Read, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => take(buffer.get(..length).unwrap_or_default()),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

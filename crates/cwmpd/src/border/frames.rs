//! Messages as bytes between two processes: a length of four bytes (little endian), and so many bytes of postcard.

use std::io;

use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::mpsc,
    time::timeout,
};

use super::limits;

/// A message as it goes over the socket.
///
/// # Errors
/// It is longer than `limit`.
pub(crate) fn encode(message: &impl Serialize, limit: usize) -> io::Result<Vec<u8>> {
    let bytes = postcard::to_extend(message, vec![0; 4]).map_err(io::Error::other)?;
    let length = bytes.len().saturating_sub(4);
    if length > limit {
        return Err(odd(format!("a message of {length} bytes; at most {limit} are allowed")));
    }
    let mut bytes = bytes;
    let length = u32::try_from(length).map_err(io::Error::other)?;
    if let Some(head) = bytes.first_chunk_mut::<4>() {
        *head = length.to_le_bytes();
    }
    Ok(bytes)
}

/// A message without its length.
///
/// # Errors
/// The bytes are no such message, or there are more of them.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    match postcard::take_from_bytes(bytes) {
        Ok((message, [])) => Ok(message),
        Ok((_, rest)) => Err(odd(format!("{} bytes follow the message", rest.len()))),
        Err(error) => Err(odd(format!("no message: {error}"))),
    }
}

/// The length that the first four bytes say.
///
/// # Errors
/// It is above `limit`.
pub(crate) fn length(head: [u8; 4], limit: usize) -> io::Result<usize> {
    let length = usize::try_from(u32::from_le_bytes(head)).unwrap_or(usize::MAX);
    if length > limit {
        return Err(odd(format!("a message of {length} bytes; at most {limit} are allowed")));
    }
    Ok(length)
}

fn odd(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// Reads the next message; `None` when the other side has ended between two messages.
///
/// # Errors
/// I/O errors, and those of [`length`] and [`decode`].
pub(crate) async fn read<T: DeserializeOwned>(
    from: &mut (impl AsyncRead + Unpin),
    limit: usize,
) -> io::Result<Option<T>> {
    let mut head = [0; 4];
    match from.read_exact(&mut head).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    };
    let length = length(head, limit)?;
    // Grows with what comes: an announced length is never allocated.
    let mut bytes = Vec::new();
    from.take(length as u64).read_to_end(&mut bytes).await?;
    if bytes.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    decode(&bytes).map(Some)
}

/// Passes on what is to be sent until there is no more of it.
///
/// # Errors
/// A message that is too long, or that the other side does not take in time.
pub(crate) async fn send_all<T: Serialize>(
    mut messages: mpsc::UnboundedReceiver<T>,
    mut to: impl AsyncWrite + Unpin,
    limit: usize,
) -> io::Result<()> {
    while let Some(message) = messages.recv().await {
        let bytes = encode(&message, limit)?;
        let write = timeout(limits::WRITE_PATIENCE, to.write_all(&bytes)).await;
        write.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    }
    Ok(())
}

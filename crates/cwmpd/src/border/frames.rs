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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use cwmp_core::{
        agent::{SessionPhase, TransferStatus},
        io::{DataOp, Effect, Input, OpId, SnapshotId, Ticket},
        job::{JobError, TransferId},
        stored::Stored,
        url::HttpUrl,
    };
    use cwmp_transport::files::{RemoteFile, Validator};
    use proptest::prelude::*;

    use super::*;
    use crate::{
        border::{Call, Done, DoorState, Down, FileId, Had, Order, Readable, Return, Up},
        news::Change,
    };

    const LIMIT: usize = limits::UP_BYTES;

    fn transfer_status() -> TransferStatus {
        TransferStatus {
            command_key: "key".to_owned(),
            file_type: "1 Firmware Upgrade Image".to_owned(),
            url: "http://files.example/image".to_owned(),
            state: "running".to_owned(),
            asks: Some("restart now?".to_owned()),
        }
    }

    /// Messages of all kinds, those that hold bytes, texts and nothing among them.
    fn ups() -> Vec<Up> {
        let url = HttpUrl::parse("http://files.example/a").unwrap();
        vec![
            Up::Effect(Effect::Persist(Ticket(7), Box::new(Stored { retry_count: 3, ..Stored::default() }))),
            Up::Effect(Effect::Data(OpId(1), DataOp::Values { names: vec!["Device.".to_owned()] })),
            Up::Effect(Effect::DiscardFile(TransferId(2))),
            Up::Done(
                1,
                Done::Fetched(Err(JobError::new(cwmp_core::fault::FaultCode::DOWNLOAD_FAILURE, "why"))),
            ),
            Up::Done(2, Done::Answered("{}".to_owned())),
            Up::Call(3, Call::Append(FileId(1), Bytes::from(vec![0xff; 70_000]))),
            Up::Call(4, Call::Restart(FileId(1), Some(Validator::ETag("\"x\"".to_owned())))),
            Up::Call(5, Call::Open(1, Readable::Listing(SnapshotId(9)))),
            Up::Call(6, Call::Material(Some(vec![None, Some((std::time::UNIX_EPOCH, 1))]))),
            Up::Close(1),
            Up::Door(DoorState { port: Some(7547), address: Some("2001:db8::1".parse().unwrap()) }),
            Up::Trace(Bytes::from_static(b"{}\n")),
            Up::UdpReached { address: Some("[2001:db8::1]:7547".parse().unwrap()), nat: true },
            Up::News(Change::Session(SessionPhase::Restarting)),
            Up::News(Change::Transfer(transfer_status())),
            Up::Call(7, Call::NoteUdp(1_800_000_000)),
            Up::Effect(Effect::StartJob(
                cwmp_core::job::JobId(1),
                Box::new(cwmp_core::job::Job::Send(cwmp_core::job::Send {
                    transfer: TransferId(1),
                    file_type: cwmp_core::job::UploadType::Vendor("X 00D09E A".to_owned()),
                    url,
                    username: String::new(),
                    password: cwmp_core::settings::Secret::default(),
                })),
            )),
        ]
    }

    #[tokio::test]
    async fn what_is_sent_is_heard_in_its_order() {
        let (messages, to_send) = mpsc::unbounded_channel();
        for up in ups() {
            messages.send(up).unwrap();
        }
        drop(messages);
        let (ours, mut theirs) = tokio::net::UnixStream::pair().unwrap();
        let hear = async {
            let mut heard = Vec::new();
            while let Some(up) = read::<Up>(&mut theirs, LIMIT).await.unwrap() {
                heard.push(up);
            }
            heard
        };
        let (sent, heard) = tokio::join!(send_all(to_send, ours, LIMIT), hear);
        sent.unwrap();
        assert_eq!(heard, ups());
    }

    #[test]
    fn what_goes_down_reads_back() {
        let url = HttpUrl::parse("https://acs.example/").unwrap();
        let from = RemoteFile { url: url.clone(), username: "u".to_owned(), password: Default::default() };
        let held = Had { bytes: 5, validator: Some(Validator::Modified("then".to_owned())) };
        for down in [
            Down::Input(Input::Persisted(Ticket(1))),
            Down::Input(Input::RestartFailed("why".to_owned())),
            Down::Clock(true),
            Down::NetworkChanged,
            Down::MaybeNetworkChanged,
            Down::Order(1, Order::Settle(Some(url))),
            Down::Order(2, Order::Fetch { into: FileId(1), held, from, file_size: 9 }),
            Down::Cancel(2),
            Down::Return(3, Return::Piece(Bytes::new())),
            Down::Return(4, Return::Material(None)),
        ] {
            let bytes = encode(&down, limits::DOWN_BYTES).unwrap();
            assert_eq!(decode::<Down>(&bytes[4..]).unwrap(), down);
        }
    }

    async fn heard(bytes: &[u8]) -> io::Result<Option<Up>> {
        let mut bytes = bytes;
        read(&mut bytes, LIMIT).await
    }

    #[tokio::test]
    async fn what_is_too_long_cut_off_or_followed_by_more_is_refused() {
        let too_long = u32::try_from(LIMIT + 1).unwrap().to_le_bytes();
        assert_eq!(heard(&too_long).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
        let close = encode(&Up::Close(300), LIMIT).unwrap();
        for cut in 1..close.len() {
            let outcome = heard(&close[..cut]).await;
            // Within the length the end counts as one between two messages: nothing was said yet.
            assert!(if cut < 4 { outcome.unwrap().is_none() } else { outcome.is_err() }, "{cut} bytes");
        }
        let mut more = close.clone();
        more[0] += 1;
        more.push(0);
        assert!(heard(&more).await.unwrap_err().to_string().contains("1 bytes follow"));
        let large = Up::Trace(Bytes::from(vec![0; LIMIT]));
        assert!(encode(&large, LIMIT).unwrap_err().to_string().contains("at most"));
    }

    proptest! {
        /// Whatever comes, it is a message or an error.
        #[test]
        fn no_bytes_do_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode::<Up>(&bytes);
            let _ = decode::<Down>(&bytes);
        }

        /// Nor do messages in which some bytes are others.
        #[test]
        fn a_damaged_message_does_no_harm(which in 0..17_usize, at in any::<proptest::sample::Index>(), byte: u8) {
            let mut bytes = encode(&ups()[which], LIMIT).unwrap().split_off(4);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = decode::<Up>(&bytes);
        }
    }
}

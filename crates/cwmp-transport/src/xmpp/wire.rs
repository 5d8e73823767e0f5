//! One stream to a server: sends text, takes frames.

use std::{net::IpAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{
    Trouble,
    element::{Element, escape},
    frames::{Frame, Frames},
};
use crate::{limits::XMPP_ANSWER_MS, stream::Stream};

/// The namespace of streams.
pub(super) const STREAMS: &str = "http://etherx.jabber.org/streams";
const STREAM_ERRORS: &str = "urn:ietf:params:xml:ns:xmpp-streams";
/// Read at once, in bytes.
const PIECE: usize = 2048;

/// An open connection with a stream on it.
pub(super) struct Wire {
    stream: Stream,
    frames: Frames,
    /// The server's opening tag of the stream.
    header: String,
}

impl Wire {
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream, frames: Frames::default(), header: String::new() }
    }

    pub(super) fn is_secure(&self) -> bool {
        matches!(self.stream, Stream::Secure(_))
    }

    /// The box's address on it.
    pub(super) fn local_address(&self) -> Option<IpAddr> {
        self.stream.local_addr().ok().map(|address| address.ip())
    }

    /// Opens the stream, anew after TLS and after authentication; comes back with what the server offers.
    pub(super) async fn open(&mut self, domain: &str) -> Result<Element, Trouble> {
        self.frames = Frames::default();
        let header = format!(
            "<?xml version='1.0'?><stream:stream to='{}' version='1.0' xml:lang='en' xmlns='jabber:client' \
             xmlns:stream='{STREAMS}'>",
            escape(domain)
        );
        self.send(&header).await?;
        match self.frame().await? {
            Frame::Header(header) => self.header = header,
            _ => return Err(Trouble::Broken("the server opens no stream".to_owned())),
        }
        let features = self.stanza().await?;
        match features.is(STREAMS, "features") {
            true => Ok(features),
            false => Err(Trouble::Broken("the server does not say what it offers".to_owned())),
        }
    }

    /// Sends this, bounded in time.
    pub(super) async fn send(&mut self, text: &str) -> Result<(), Trouble> {
        let sent = async {
            self.stream.write_all(text.as_bytes()).await?;
            self.stream.flush().await
        };
        match timeout(Duration::from_millis(XMPP_ANSWER_MS), sent).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Trouble::Broken(error.to_string())),
            Err(_) => Err(Trouble::Broken("the server takes nothing".to_owned())),
        }
    }

    /// The next stanza. Whoever gives up waiting loses nothing.
    pub(super) async fn stanza(&mut self) -> Result<Element, Trouble> {
        match self.frame().await? {
            Frame::Stanza(text) => {
                let stanza = Element::read(&self.header, &text).map_err(Trouble::Broken)?;
                if stanza.is(STREAMS, "error") {
                    let condition = stanza.condition(STREAM_ERRORS).unwrap_or("unknown");
                    return Err(Trouble::Broken(format!("the server ends the stream: {condition}")));
                }
                Ok(stanza)
            }
            Frame::End => Err(Trouble::Broken("the server has ended the stream".to_owned())),
            Frame::Header(_) => Err(Trouble::Broken("the server opens a stream in a stream".to_owned())),
        }
    }

    async fn frame(&mut self) -> Result<Frame, Trouble> {
        loop {
            if let Some(frame) = self.frames.next().map_err(Trouble::Broken)? {
                return Ok(frame);
            }
            let mut piece = [0; PIECE];
            let read =
                self.stream.read(&mut piece).await.map_err(|error| Trouble::Broken(error.to_string()))?;
            let Some(piece) = piece.get(..read).filter(|piece| !piece.is_empty()) else {
                return Err(Trouble::Broken("the server has closed the connection".to_owned()));
            };
            self.frames.push(piece).map_err(Trouble::Broken)?;
        }
    }

    /// The bare connection, to put TLS on it. What came behind the server's consent is not of the server we are about to
    /// know: it ends everything (RFC 6120 5.4.3.3).
    pub(super) fn into_tcp(self) -> Result<TcpStream, Trouble> {
        match self.stream {
            Stream::Clear(tcp) if self.frames.is_empty() => Ok(tcp),
            _ => Err(Trouble::Broken("the server sends more than its consent to TLS".to_owned())),
        }
    }
}

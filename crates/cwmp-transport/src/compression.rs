//! HTTP compression (TR-069a6 3.4.7).
//!
//! A compressed message has a Content-Length like any other: more ACSes understand it than chunked requests. A short
//! one is compressed once and kept. A long one, which is produced while it is sent, is compressed twice, once to know its
//! length and once on its way out, so that it never lies in memory as a whole.

use std::{
    future::poll_fn,
    io,
    rc::Rc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use cwmp_core::{io::NetError, settings::HttpCompression};
use hyper::{HeaderMap, header};

use self::codec::Encoder;
use crate::{
    body::{Chunks, PostBody},
    limits,
};

mod codec;

/// A content coding (RFC 9110 8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    /// The zlib format.
    Deflate,
}

impl Coding {
    pub(crate) fn of(setting: HttpCompression) -> Option<Self> {
        match setting {
            HttpCompression::Disabled => None,
            HttpCompression::Gzip => Some(Self::Gzip),
            HttpCompression::Deflate => Some(Self::Deflate),
        }
    }

    /// Its name in Content-Encoding.
    pub(crate) fn token(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }

    fn named(token: &str) -> Option<Self> {
        match token.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "deflate" => Some(Self::Deflate),
            _ => None,
        }
    }
}

/// Value of Accept-Encoding.
pub(crate) const ACCEPTED: &str = "gzip, deflate";

/// The body in this coding.
///
/// # Errors
/// [`NetError::Broken`] where the body cannot be had.
pub(crate) async fn compress(body: PostBody, coding: Coding) -> Result<PostBody, NetError> {
    let (mut length, mut kept) = (0, Vec::new());
    let mut pieces = Pieces::new(coding, &body);
    loop {
        let piece = poll_fn(|cx| pieces.poll_next(cx)).await;
        let piece = piece.map_err(|error| NetError::Broken(error.to_string()))?;
        if piece.is_empty() {
            break;
        }
        length += piece.len() as u64;
        if length <= limits::COMPRESSED_BYTES as u64 {
            kept.extend_from_slice(&piece);
        } else {
            kept = Vec::new();
        }
        // A large answer takes its time; others get their turn.
        tokio::task::yield_now().await;
    }
    if length <= limits::COMPRESSED_BYTES as u64 {
        return Ok(PostBody::Bytes(kept.into()));
    }
    Ok(PostBody::Stream { length, make: Rc::new(move || Box::new(Pieces::new(coding, &body))) })
}

/// What comes out of the compressor for the chunks that go in.
struct Pieces {
    chunks: Box<dyn Chunks>,
    /// `None` once the end has come out.
    encoder: Option<Encoder>,
}

impl Pieces {
    fn new(coding: Coding, body: &PostBody) -> Self {
        Self { chunks: body.chunks(), encoder: Some(Encoder::new(coding)) }
    }
}

impl Chunks for Pieces {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        while self.encoder.is_some() {
            let chunk = ready!(self.chunks.poll_next(cx))?;
            let piece = match &mut self.encoder {
                Some(encoder) if !chunk.is_empty() => encoder.push(&chunk),
                encoder => encoder.take().map(Encoder::finish).unwrap_or_default(),
            };
            // Often nothing comes out for a chunk.
            if !piece.is_empty() {
                return Poll::Ready(Ok(piece));
            }
        }
        Poll::Ready(Ok(Bytes::new()))
    }
}

/// The body of a reply without the coding that its headers name.
///
/// # Errors
/// [`NetError::TooLarge`] before more than `limits::ENVELOPE_BYTES` have come out; [`NetError::Broken`] for a damaged body and
/// for a coding that was not asked for.
pub(crate) fn decode(headers: &HeaderMap, body: Vec<u8>) -> Result<Vec<u8>, NetError> {
    let values = headers.get_all(header::CONTENT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let mut tokens = values.flat_map(|value| value.split(',')).map(str::trim);
    let Some(token) = tokens.find(|token| !token.is_empty() && !token.eq_ignore_ascii_case("identity"))
    else {
        return Ok(body);
    };
    if body.is_empty() {
        return Ok(body);
    }
    let coding = Coding::named(token).filter(|_| tokens.next().is_none());
    let coding =
        coding.ok_or_else(|| NetError::Broken("the reply has an unknown content coding".to_owned()))?;
    codec::decode(coding, &body)
}

//! Doors for the fuzz targets to what is private otherwise. Nothing else uses the feature `fuzzing`.

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};

use cwmp_core::io::NetError;
use hyper::{
    HeaderMap,
    header::{CONTENT_ENCODING, HeaderValue},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use crate::{
    ListenerConfig,
    compression::decode,
    limits,
    listener::{Door, Waiting, gate::Gate, serve},
};

/// What the listener answers on a connection that sends `bytes` and closes its end.
pub async fn connection_request(config: ListenerConfig, bytes: &[u8]) -> Vec<u8> {
    let connection_timeout = config.connection_timeout;
    let Ok(gate) = Gate::new(config) else { return Vec::new() };
    let door = Arc::new(Door { gate, waiting: Mutex::new(Waiting::default()), connection_timeout });
    let (mut peer, stream) = duplex(limits::REQUEST_HEAD_BYTES);
    let (mut from, mut to) = tokio::io::split(&mut peer);
    let mut answer = Vec::new();
    let send = async {
        // The listener may close first; what it has said by then counts.
        let _ = to.write_all(bytes).await;
        let _ = to.shutdown().await;
    };
    let (.., read) =
        tokio::join!(serve(stream, Ipv4Addr::LOCALHOST.into(), 0, door), send, from.read_to_end(&mut answer));
    let _ = read;
    answer
}

/// A reply's body without its content coding.
///
/// # Errors
/// As the client of the ACS gets them.
pub fn inflate(content_encoding: &'static str, body: &[u8]) -> Result<Vec<u8>, NetError> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static(content_encoding));
    decode(&headers, body.to_vec())
}

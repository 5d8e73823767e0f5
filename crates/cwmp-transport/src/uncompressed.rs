//! Stands in for `compression` in a build without the feature: nothing is compressed, and the ACS is not asked to.

use cwmp_core::{io::NetError, settings::HttpCompression};
use hyper::HeaderMap;

use crate::body::PostBody;

/// There is none.
#[derive(Clone, Copy)]
pub(crate) enum Coding {}

impl Coding {
    pub(crate) fn of(_: HttpCompression) -> Option<Self> {
        None
    }

    pub(crate) fn token(self) -> &'static str {
        match self {}
    }
}

/// What would be accepted.
pub(crate) const ACCEPTED: &str = "identity";

#[allow(clippy::unused_async)]
pub(crate) async fn compress(_: PostBody, coding: Coding) -> Result<PostBody, NetError> {
    match coding {}
}

pub(crate) fn decode(_: &HeaderMap, body: Vec<u8>) -> Result<Vec<u8>, NetError> {
    Ok(body)
}

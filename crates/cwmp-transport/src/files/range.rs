//! What a server says about a file and its parts: ranges, validators and digests (RFC 9110 8.8, 14; RFC 9530).

use data_encoding::BASE64;
use hyper::{
    HeaderMap,
    header::{self, HeaderName, HeaderValue},
};
use serde::{Deserialize, Serialize};

use crate::limits;

/// What tells one version of a file from another, fit for If-Range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Validator {
    /// A strong ETag.
    ETag(String),
    /// Last-Modified.
    Modified(String),
}

impl Validator {
    /// The best one of a reply. A weak ETag does not say that every byte is the same, and neither does a Last-Modified of
    /// the second in which the reply was made (RFC 9110 8.8.2.2).
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let text = |name: HeaderName| {
            let value = headers.get(name)?.to_str().ok()?.trim();
            (!value.is_empty() && value.len() <= limits::VALIDATOR_BYTES).then(|| value.to_owned())
        };
        if let Some(tag) = text(header::ETAG)
            && tag.starts_with('"')
        {
            return Some(Self::ETag(tag));
        }
        let modified = text(header::LAST_MODIFIED)?;
        (text(header::DATE).as_ref() != Some(&modified)).then_some(Self::Modified(modified))
    }

    /// As it goes into If-Range.
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::ETag(text) | Self::Modified(text) => text,
        }
    }

    /// Whether a reply may be of the same version: it does not say otherwise.
    pub(super) fn fits(&self, headers: &HeaderMap) -> bool {
        let name = match self {
            Self::ETag(_) => header::ETAG,
            Self::Modified(_) => header::LAST_MODIFIED,
        };
        headers.get(name).is_none_or(|value| value.as_bytes().trim_ascii() == self.as_str().as_bytes())
    }
}

/// First byte of a part, and bytes of the whole file where the server knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) first: u64,
    pub(super) total: Option<u64>,
}

/// Reads Content-Range; `None` without a usable one.
pub(super) fn content_range(headers: &HeaderMap) -> Option<Part> {
    let text = headers.get(header::CONTENT_RANGE)?.to_str().ok()?.trim();
    let (unit, rest) = text.split_once(' ')?;
    let (range, total) = rest.trim().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    let total = match total {
        "*" => None,
        total => Some(total.parse().ok().filter(|total| last < *total)?),
    };
    (unit.eq_ignore_ascii_case("bytes") && first <= last).then_some(Part { first, total })
}

/// The SHA-256 of the whole file, where the server tells it in `Repr-Digest` or in `Digest`, its predecessor.
pub(super) fn sha256(headers: &HeaderMap) -> Option<[u8; 32]> {
    let values = |name: &'static str| headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let items = values("repr-digest").chain(values("digest")).flat_map(|value| value.split(','));
    let mut found = items.filter_map(|item| {
        let (name, value) = item.trim().split_once('=')?;
        let value = value.trim().trim_matches(':');
        let bytes = BASE64.decode(value.as_bytes()).ok()?;
        if name.eq_ignore_ascii_case("sha-256") { bytes.try_into().ok() } else { None }
    });
    found.next()
}

/// The value of `Range` from this byte on.
pub(super) fn from_byte(first: u64) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("bytes={first}-")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        HeaderMap::from_iter(list.iter().map(pair))
    }

    #[test]
    fn only_strong_validators_are_kept() {
        let of = |list: &[(&'static str, &str)]| Validator::of(&headers(list));
        let (old, new) = ("Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2015 07:28:05 GMT");
        let tag = || Some(Validator::ETag("\"a\"".into()));
        assert_eq!(of(&[("etag", "\"a\""), ("last-modified", old)]), tag());
        let modified = || Some(Validator::Modified(old.into()));
        assert_eq!(of(&[("etag", "W/\"a\""), ("last-modified", old), ("date", new)]), modified());
        assert_eq!(of(&[("last-modified", old), ("date", old)]), None);
        assert_eq!(of(&[("etag", "W/\"a\"")]), None);
        assert_eq!(of(&[("etag", &format!("\"{}\"", "x".repeat(2000)))]), None);
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn a_changed_file_is_seen_by_its_validator() {
        let tag = Validator::ETag("\"a\"".into());
        assert!(tag.fits(&headers(&[("etag", "\"a\"")])) && tag.fits(&headers(&[])));
        assert!(!tag.fits(&headers(&[("etag", "\"b\"")])));
    }

    #[test]
    fn content_ranges() {
        let of = |text: &str| content_range(&headers(&[("content-range", text)]));
        assert_eq!(of("bytes 10-19/20"), Some(Part { first: 10, total: Some(20) }));
        assert_eq!(of("Bytes 0-0/*"), Some(Part { first: 0, total: None }));
        for wrong in
            ["", "bytes */20", "bytes 10-9/20", "bytes 0-20/20", "items 0-1/2", "bytes 0-1", "bytes a-b/c"]
        {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn digests_of_the_whole_file() {
        let base64 = BASE64.encode(&[7; 32]);
        let of = |name: &'static str, text: &str| sha256(&headers(&[(name, text)]));
        assert_eq!(of("repr-digest", &format!("md5=:AAAA:, sha-256=:{base64}:")), Some([7; 32]));
        assert_eq!(of("digest", &format!("SHA-256={base64}")), Some([7; 32]));
        assert_eq!(of("digest", "SHA-256=AAAA"), None);
        assert_eq!(of("content-digest", &format!("sha-256=:{base64}:")), None, "that is of one reply");
    }
}

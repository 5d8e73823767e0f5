//! A connection request in one datagram, as TR-069a6 Annex G writes it: an HTTP GET whose query is signed.

use cwmp_core::{digest::constant_time_eq, settings::Secret};
use data_encoding::HEXLOWER_PERMISSIVE;
use hmac::{Hmac, Mac};
use sha1::Sha1;

use crate::limits;

/// The query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UdpRequest {
    /// When the ACS has sent it, in seconds since 1970.
    pub(super) ts: u64,
    /// Tells it from others; copies have the same.
    pub(super) id: String,
    pub(super) un: String,
    pub(super) cn: String,
    /// Whatever else differs: two requests with the same signature say the same.
    pub(super) sig: Vec<u8>,
}

impl UdpRequest {
    /// `None` for everything that is no connection request: too long, no GET, a field missing or there twice.
    pub(crate) fn parse(datagram: &[u8]) -> Option<Self> {
        if datagram.len() > limits::UDP_REQUEST_BYTES {
            return None;
        }
        let line = datagram.split(|byte| *byte == b'\n').next()?;
        let line = std::str::from_utf8(line.strip_suffix(b"\r").unwrap_or(line)).ok()?;
        let (target, version) = line.strip_prefix("GET ")?.split_once(' ')?;
        if !matches!(version, "HTTP/1.1" | "HTTP/1.0") {
            return None;
        }
        let (_, query) = target.split_once('?')?;
        let mut fields = ["ts", "id", "un", "cn", "sig"].map(|name| (name, None));
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=')?;
            if let Some((_, place)) = fields.iter_mut().find(|(known, _)| *known == name)
                && place.replace(decoded(value)?).is_some()
            {
                return None;
            }
        }
        let [ts, id, un, cn, sig] = fields.map(|(_, value)| value);
        let ts = ts?;
        // The signed text has no separators, so all but one length is fixed: whoever moves a digit from `id` to `ts` would
        // have a later request with the same signature. Ten digits last until the year 2286.
        if ts.len() != 10 || !ts.bytes().all(|byte| byte.is_ascii_digit()) || ts.starts_with('0') {
            return None;
        }
        let sig = HEXLOWER_PERMISSIVE.decode(sig?.as_bytes()).ok()?;
        Some(Self { ts: ts.parse().ok()?, id: id?, un: un?, cn: cn?, sig })
    }

    /// Whether it was made by somebody who knows the password.
    pub(crate) fn is_signed_by(&self, username: &str, password: &Secret) -> bool {
        let Ok(mut hash) = Hmac::<Sha1>::new_from_slice(password.0.as_bytes()) else { return false };
        for part in [&self.ts.to_string(), &self.id, &self.un, &self.cn] {
            hash.update(part.as_bytes());
        }
        let right_name = constant_time_eq(self.un.as_bytes(), username.as_bytes());
        right_name & constant_time_eq(&hash.finalize().into_bytes(), &self.sig)
    }
}

/// A value without its percent signs. A plus stays one: a blank is `%20` in the URLs of RFC 3986.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%' {
            let (digits, after) = rest.split_at_checked(2)?;
            bytes.extend(HEXLOWER_PERMISSIVE.decode(digits).ok()?);
            rest = after;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The signature was made with `openssl dgst -sha1 -hmac`.
    const GOOD: &str = "GET http://192.0.2.1:7547?ts=1120673700&id=1234&un=CPE57689&cn=XTGRWIPC6D3IPXS3\
                        &sig=fda44088e52a347ce49d6312521d5621eeb40037 HTTP/1.1\r\nHost: 192.0.2.1:7547\r\n\r\n";

    fn is_good(text: &str) -> bool {
        UdpRequest::parse(text.as_bytes())
            .is_some_and(|request| request.is_signed_by("CPE57689", &Secret("secret".to_owned())))
    }

    /// Conformance: 6.26, 6.27
    #[test]
    fn a_signed_get_is_taken_in_either_case_of_the_signature() {
        assert!(is_good(GOOD));
        assert!(is_good(&GOOD.replace(
            "fda44088e52a347ce49d6312521d5621eeb40037",
            "FDA44088E52A347CE49D6312521D5621EEB40037"
        )));
        for form in [
            GOOD.replace("http://192.0.2.1:7547", ""),
            GOOD.replace("http://192.0.2.1:7547", "/any/path"),
            GOOD.replace("?ts", "?other=1&ts"),
            GOOD.replace("CPE57689", "%43PE57689"),
            GOOD.replace("\r\n", "\n"),
            GOOD.lines().next().unwrap().to_owned(),
        ] {
            assert!(is_good(&form), "{form}");
        }
    }

    /// Conformance: 6.27
    #[test]
    fn with_any_field_altered_it_is_none() {
        for (from, to) in [
            ("ts=1120673700", "ts=1120673701"),
            ("id=1234", "id=1235"),
            ("un=CPE57689", "un=CPE57680"),
            ("cn=XTG", "cn=XTH"),
            ("sig=f", "sig=0"),
            ("&id=1234", ""),
            ("&id=1234", "&id=1234&id=1234"),
            ("?ts=1120673700", "?"),
            ("&sig=", "&sig=x"),
            ("&sig=", "&sig=00"),
            ("&sig=", "&gis="),
            // The same signed text, cut elsewhere.
            ("ts=1120673700&id=1234", "ts=11206737001&id=234"),
            ("ts=1120673700&id=1234", "ts=112067370&id=01234"),
            ("ts=1120673700", "ts=01120673700"),
            ("GET ", "POST "),
            (" HTTP/1.1", " HTTP/2"),
            (" HTTP/1.1", ""),
            ("un=", "un=%"),
            ("un=", "un=%F"),
            ("un=", "un=%FF"),
        ] {
            let text = GOOD.replacen(from, to, 1);
            assert_ne!(text, GOOD, "{from}");
            assert!(!is_good(&text), "{from} -> {to}");
        }
        assert!(!is_good(&GOOD.replace("?ts", &format!("?pad={}&ts", "x".repeat(3000)))), "too long");
    }
}

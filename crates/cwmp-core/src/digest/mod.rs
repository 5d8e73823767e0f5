//! HTTP authentication as sums (RFC 7616, RFC 7617), without sockets: challenges, credentials, verification.
//!
//! Both ends use it: the agent answers challenges of the ACS and issues its own for connection requests. Parsing is
//! tolerant of what real servers send (any case of names, values quoted or not, odd blanks, several challenges in one
//! header). `auth-int` is left out: no ACS asks for it alone.

mod fields;
#[cfg(test)]
mod tests;

use std::{fmt, hint::black_box};

use data_encoding::{BASE64, BASE64_NOPAD, HEXLOWER};
use md5::{Digest, Md5};
use sha2::Sha256;

use self::fields::Fields;

/// Longest header value that is parsed, in bytes; of a longer one nothing is used.
pub const HEADER_BYTES: usize = 8 * 1024;
/// Most challenges taken from one header value.
pub const CHALLENGES: usize = 8;
/// Most parameters taken of one challenge; the scheme's own are nine.
pub const PARAMETERS: usize = 32;

/// What the hash is computed with (RFC 7616 6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// `MD5`, also meant when no algorithm is named.
    Md5,
    /// `MD5-sess`.
    Md5Sess,
    /// `SHA-256`.
    Sha256,
    /// `SHA-256-sess`.
    Sha256Sess,
}

impl Algorithm {
    const ALL: [Self; 4] = [Self::Md5, Self::Md5Sess, Self::Sha256, Self::Sha256Sess];

    /// As written in headers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Md5Sess => "MD5-sess",
            Self::Sha256 => "SHA-256",
            Self::Sha256Sess => "SHA-256-sess",
        }
    }

    fn parse(text: Option<&str>) -> Option<Self> {
        let Some(text) = text else { return Some(Self::Md5) };
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str().eq_ignore_ascii_case(text.trim()))
    }

    fn is_session(self) -> bool {
        matches!(self, Self::Md5Sess | Self::Sha256Sess)
    }

    /// The hash, in lower-case hexadecimal, of the parts joined by colons.
    fn hash(self, parts: &[&str]) -> String {
        match self {
            Self::Md5 | Self::Md5Sess => hash_with::<Md5>(parts),
            Self::Sha256 | Self::Sha256Sess => hash_with::<Sha256>(parts),
        }
    }
}

fn hash_with<D: Digest>(parts: &[&str]) -> String {
    let mut digest = D::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            digest.update(b":");
        }
        digest.update(part.as_bytes());
    }
    HEXLOWER.encode(&digest.finalize())
}

/// One challenge of a `WWW-Authenticate` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// Basic (RFC 7617).
    Basic {
        /// The protection space.
        realm: String,
    },
    /// Digest (RFC 7616).
    Digest(DigestChallenge),
}

impl Challenge {
    /// The challenges that can be answered, in the order of the header. Unknown schemes and algorithms, and Digest
    /// challenges without a nonce or with `auth-int` alone, are left out.
    #[must_use]
    pub fn parse_all(header_value: &str) -> Vec<Challenge> {
        fields::parse(header_value).iter().filter_map(Self::from_fields).collect()
    }

    fn from_fields(fields: &Fields) -> Option<Self> {
        let realm = fields.get("realm").unwrap_or_default().to_owned();
        if fields.scheme.eq_ignore_ascii_case("Basic") {
            return Some(Challenge::Basic { realm });
        }
        if !fields.scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        let qop = fields.get("qop").unwrap_or_default();
        let mut options = qop.split([',', ' ', '\t']).filter(|option| !option.is_empty()).peekable();
        let named = options.peek().is_some();
        let qop_auth = options.any(|option| option.eq_ignore_ascii_case("auth"));
        if named && !qop_auth {
            return None;
        }
        Some(Challenge::Digest(DigestChallenge {
            realm,
            nonce: fields.get("nonce")?.to_owned(),
            opaque: fields.get("opaque").map(str::to_owned),
            algorithm: Algorithm::parse(fields.get("algorithm"))?,
            qop_auth,
            stale: fields.get("stale").is_some_and(|stale| stale.trim().eq_ignore_ascii_case("true")),
        }))
    }
}

/// A Digest challenge. Displayed, it is the value of `WWW-Authenticate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestChallenge {
    /// The protection space.
    pub realm: String,
    /// What the server chose for this challenge.
    pub nonce: String,
    /// To be sent back as it is.
    pub opaque: Option<String>,
    /// What to compute with.
    pub algorithm: Algorithm,
    /// Whether `qop="auth"` is offered; otherwise the answer is the one of RFC 2069.
    pub qop_auth: bool,
    /// The credentials were right, only the nonce was too old.
    pub stale: bool,
}

/// Who asks.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// Username.
    pub username: &'a str,
    /// Password, in clear.
    pub password: &'a str,
}

impl DigestChallenge {
    /// Answers the challenge for one request. `uri` is the request target as it stands in the request line; `nc`
    /// counts from 1 the requests that were sent with this nonce.
    #[must_use]
    pub fn answer(
        &self,
        who: &Credentials<'_>,
        method: &str,
        uri: &str,
        cnonce: &str,
        nc: u32,
    ) -> DigestAuthorization {
        let lone_cnonce = self.algorithm.is_session() && !self.qop_auth;
        let mut answer = DigestAuthorization {
            username: who.username.to_owned(),
            realm: self.realm.clone(),
            nonce: self.nonce.clone(),
            uri: uri.to_owned(),
            response: String::new(),
            algorithm: self.algorithm,
            opaque: self.opaque.clone(),
            qop: self.qop_auth.then(|| Qop { cnonce: cnonce.to_owned(), nc }),
            session_cnonce: lone_cnonce.then(|| cnonce.to_owned()),
        };
        answer.response = answer.expected_response(method, who.password, &format!("{nc:08x}"));
        answer
    }
}

impl fmt::Display for DigestChallenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest realm={}, nonce={}", Quoted(&self.realm), Quoted(&self.nonce))?;
        if let Some(opaque) = &self.opaque {
            write!(f, ", opaque={}", Quoted(opaque))?;
        }
        write!(f, ", algorithm={}", self.algorithm.as_str())?;
        if self.qop_auth {
            f.write_str(", qop=\"auth\"")?;
        }
        if self.stale {
            f.write_str(", stale=true")?;
        }
        Ok(())
    }
}

/// The part of an answer that `qop=auth` adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Qop {
    /// What the client chose.
    pub cnonce: String,
    /// Count of the requests with this nonce, from 1.
    pub nc: u32,
}

/// Digest credentials of one request. Displayed, it is the value of `Authorization`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestAuthorization {
    /// Username.
    pub username: String,
    /// Realm of the challenge.
    pub realm: String,
    /// Nonce of the challenge.
    pub nonce: String,
    /// Request target; a server must compare it with the one of the request line.
    pub uri: String,
    /// The proof, in hexadecimal.
    pub response: String,
    /// What it was computed with.
    pub algorithm: Algorithm,
    /// Opaque of the challenge.
    pub opaque: Option<String>,
    /// Present with `qop=auth`, absent in the form of RFC 2069.
    pub qop: Option<Qop>,
    /// The cnonce of a `-sess` algorithm that is used without qop; `None` in all other cases.
    pub session_cnonce: Option<String>,
}

impl DigestAuthorization {
    /// Parses the value of an `Authorization` header; `None` when it is not Digest, lacks what Digest needs, or names an
    /// algorithm or a qop that is not served.
    #[must_use]
    pub fn parse(header_value: &str) -> Option<Self> {
        let parsed = fields::parse(header_value);
        let fields = parsed.first().filter(|fields| fields.scheme.eq_ignore_ascii_case("Digest"))?;
        let text = |name| fields.get(name).map(str::to_owned);
        let algorithm = Algorithm::parse(fields.get("algorithm"))?;
        let (qop, session_cnonce) = match fields.get("qop").map(str::trim) {
            None | Some("") if algorithm.is_session() => (None, Some(text("cnonce")?)),
            None | Some("") => (None, None),
            Some(qop) if qop.eq_ignore_ascii_case("auth") => {
                let nc = fields
                    .get("nc")
                    .filter(|nc| nc.len() == 8 && nc.bytes().all(|b| b.is_ascii_hexdigit()))?;
                (Some(Qop { cnonce: text("cnonce")?, nc: u32::from_str_radix(nc, 16).ok()? }), None)
            }
            Some(_) => return None,
        };
        Some(Self {
            username: text("username")?,
            realm: text("realm")?,
            nonce: text("nonce")?,
            uri: text("uri")?,
            response: text("response")?,
            algorithm,
            opaque: text("opaque"),
            qop,
            session_cnonce,
        })
    }

    /// Whether the response proves knowledge of `password`, compared in constant time. The caller still has to check
    /// username, realm, nonce, nonce count and uri.
    #[must_use]
    pub fn verify(&self, method: &str, password: &str) -> bool {
        let given = self.response.to_ascii_lowercase();
        let matches = |nc: &str| {
            constant_time_eq(self.expected_response(method, password, nc).as_bytes(), given.as_bytes())
        };
        let nc = self.qop.as_ref().map_or(0, |qop| qop.nc);
        // The count enters the hash as text, and some clients write it in capitals.
        let (lower, upper) = (format!("{nc:08x}"), format!("{nc:08X}"));
        matches(&lower) || (lower != upper && matches(&upper))
    }

    fn expected_response(&self, method: &str, password: &str, nc: &str) -> String {
        let algorithm = self.algorithm;
        let mut ha1 = algorithm.hash(&[&self.username, &self.realm, password]);
        if algorithm.is_session() {
            let cnonce = self.qop.as_ref().map(|qop| &qop.cnonce).or(self.session_cnonce.as_ref());
            ha1 = algorithm.hash(&[&ha1, &self.nonce, cnonce.map_or("", String::as_str)]);
        }
        let ha2 = algorithm.hash(&[method, &self.uri]);
        match &self.qop {
            Some(qop) => algorithm.hash(&[&ha1, &self.nonce, nc, &qop.cnonce, "auth", &ha2]),
            None => algorithm.hash(&[&ha1, &self.nonce, &ha2]),
        }
    }
}

impl fmt::Display for DigestAuthorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest username={}, realm={}", Quoted(&self.username), Quoted(&self.realm))?;
        write!(f, ", nonce={}, uri={}", Quoted(&self.nonce), Quoted(&self.uri))?;
        write!(f, ", response={}", Quoted(&self.response))?;
        // A server that offers no qop may be of the time of RFC 2069 and not expect what MD5 implies anyway.
        if self.qop.is_some() || self.algorithm != Algorithm::Md5 {
            write!(f, ", algorithm={}", self.algorithm.as_str())?;
        }
        if let Some(opaque) = &self.opaque {
            write!(f, ", opaque={}", Quoted(opaque))?;
        }
        if let Some(Qop { cnonce, nc }) = &self.qop {
            write!(f, ", qop=auth, nc={nc:08x}, cnonce={}", Quoted(cnonce))?;
        }
        if let Some(cnonce) = &self.session_cnonce {
            write!(f, ", cnonce={}", Quoted(cnonce))?;
        }
        Ok(())
    }
}

/// The value of `Authorization` for Basic (RFC 7617).
#[must_use]
pub fn basic(who: &Credentials<'_>) -> String {
    format!("Basic {}", BASE64.encode(format!("{}:{}", who.username, who.password).as_bytes()))
}

/// Username and password of a Basic `Authorization` header; `None` when it is no such header. A missing padding is
/// tolerated.
#[must_use]
pub fn parse_basic(header_value: &str) -> Option<(String, String)> {
    if header_value.len() > HEADER_BYTES {
        return None;
    }
    let (scheme, token) = header_value.trim().split_once([' ', '\t'])?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let decoded = BASE64_NOPAD.decode(token.trim().trim_end_matches('=').as_bytes()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (username, password) = text.split_once(':')?;
    Some((username.to_owned(), password.to_owned()))
}

/// Compares without telling by the time it takes where the first difference lies. The length is no secret.
#[must_use]
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |sum, (x, y)| black_box(sum | (x ^ y))) == 0
}

/// Shown as a quoted-string.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for c in self.0.chars() {
            if matches!(c, '"' | '\\') {
                f.write_str("\\")?;
            }
            fmt::Write::write_char(f, c)?;
        }
        f.write_str("\"")
    }
}

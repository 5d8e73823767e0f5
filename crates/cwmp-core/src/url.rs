//! ACS and file URLs: only what TR-069 needs of RFC 3986, without name resolution.

use std::fmt;

use serde::{Deserialize, Serialize};

/// `http` or `https`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Scheme {
    /// Clear text.
    Http,
    /// TLS.
    Https,
}

impl Scheme {
    /// The port when the URL names none.
    #[must_use]
    pub fn default_port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }

    /// As written in a URL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }
}

/// An absolute http or https URL in its parts, without user information and fragment.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HttpUrl {
    /// Scheme.
    pub scheme: Scheme,
    /// Name or address; an IPv6 literal without its brackets.
    pub host: String,
    /// Port, the scheme's own where none was written.
    pub port: u16,
    /// Path and query, beginning with `/`.
    pub path_and_query: String,
}

/// Why a text is no usable URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Neither http nor https.
    #[error("the scheme is neither http nor https")]
    Scheme,
    /// No host, or one with characters that no host has.
    #[error("the host is missing or malformed")]
    Host,
    /// A port that is no number from 1 to 65535.
    #[error("the port is no number from 1 to 65535")]
    Port,
    /// `user:password@`: credentials are separate arguments (TR-069a6 A.3.2.8).
    #[error("user information in a URL is not allowed")]
    UserInfo,
    /// Blanks, control or non-ASCII characters.
    #[error("the URL has a character that must be percent-encoded")]
    Character,
}

impl HttpUrl {
    /// Parses an absolute URL.
    ///
    /// # Errors
    /// [`UrlError`] names the part at fault.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if text.bytes().any(|b| !(0x21..=0x7e).contains(&b) || b"\"<>\\^`{|}".contains(&b)) {
            return Err(UrlError::Character);
        }
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Scheme)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(UrlError::Scheme),
        };
        let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at_checked(end).ok_or(UrlError::Host)?;
        if authority.contains('@') {
            return Err(UrlError::UserInfo);
        }
        let (host, port) = split_authority(authority)?;
        let port = match port {
            None | Some("") => scheme.default_port(),
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().ok().filter(|port| *port != 0).ok_or(UrlError::Port)?
            }
            Some(_) => return Err(UrlError::Port),
        };
        let path_and_query = if tail.starts_with('/') { tail.to_owned() } else { format!("/{tail}") };
        Ok(Self { scheme, host: host.to_ascii_lowercase(), port, path_and_query })
    }

    /// Resolves a `Location`: absolute, scheme-relative (`//host/x`), from the root (`/x`) or relative to the path.
    ///
    /// # Errors
    /// [`UrlError`] when the result is not a usable URL.
    pub fn join(&self, location: &str) -> Result<Self, UrlError> {
        if location.contains("://") {
            return Self::parse(location);
        }
        let scheme = self.scheme.as_str();
        if let Some(rest) = location.strip_prefix("//") {
            return Self::parse(&format!("{scheme}://{rest}"));
        }
        let origin = format!("{scheme}://{}", self.authority());
        if location.starts_with('/') {
            return Self::parse(&format!("{origin}{location}"));
        }
        let path = self.path();
        if location.starts_with('?') {
            return Self::parse(&format!("{origin}{path}{location}"));
        }
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        Self::parse(&format!("{origin}{folder}/{location}"))
    }

    /// Path without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.path_and_query.split_once('?').map_or(self.path_and_query.as_str(), |(path, _)| path)
    }

    /// What the Host header says: host, in brackets where it is an IPv6 literal, and the port unless it is the
    /// scheme's own.
    #[must_use]
    pub fn authority(&self) -> String {
        let brackets = self.host.contains(':');
        let host = if brackets { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == self.scheme.default_port() { host } else { format!("{host}:{}", self.port) }
    }
}

fn split_authority(authority: &str) -> Result<(&str, Option<&str>), UrlError> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or(UrlError::Host)?;
        host.parse::<core::net::Ipv6Addr>().map_err(|_| UrlError::Host)?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if after.is_empty() => Ok((host, None)),
            None => Err(UrlError::Host),
        };
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-._~%".contains(&b);
    if host.is_empty() || host.len() > 253 || !host.bytes().all(fits) {
        return Err(UrlError::Host);
    }
    Ok((host, port))
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme.as_str(), self.authority(), self.path_and_query)
    }
}

impl TryFrom<String> for HttpUrl {
    type Error = UrlError;

    fn try_from(text: String) -> Result<Self, UrlError> {
        Self::parse(&text)
    }
}

impl From<HttpUrl> for String {
    fn from(url: HttpUrl) -> String {
        url.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_url() {
        let url = HttpUrl::parse("http://ACS.example:7547/a/b?x=1#frag").unwrap();
        assert_eq!(
            (url.host.as_str(), url.port, url.path_and_query.as_str()),
            ("acs.example", 7547, "/a/b?x=1")
        );
        assert_eq!(url.authority(), "acs.example:7547");
        assert_eq!(HttpUrl::parse("https://h").unwrap().to_string(), "https://h/");
        assert_eq!(HttpUrl::parse("http://[2001:db8::1]:7547/").unwrap().authority(), "[2001:db8::1]:7547");
        assert_eq!(HttpUrl::parse("http://h?q").unwrap().path_and_query, "/?q");
    }

    #[test]
    fn what_is_no_url() {
        let wrong = [
            ("ftp://x/", UrlError::Scheme),
            ("acs", UrlError::Scheme),
            ("http://", UrlError::Host),
            ("http://[::1", UrlError::Host),
            ("http://a b/", UrlError::Character),
            ("http://h:0/", UrlError::Port),
            ("http://h:65536/", UrlError::Port),
            ("http://h:+1/", UrlError::Port),
            ("http://u:p@h/", UrlError::UserInfo),
            ("http://$(reboot)/", UrlError::Host),
        ];
        for (text, error) in wrong {
            assert_eq!(HttpUrl::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_location_is_resolved() {
        let base = HttpUrl::parse("http://h:7547/a/b?x=1").unwrap();
        let joined = |location| base.join(location).unwrap().to_string();
        assert_eq!(joined("https://g/y"), "https://g/y");
        assert_eq!(joined("//g/y"), "http://g/y");
        assert_eq!(joined("/y?z"), "http://h:7547/y?z");
        assert_eq!(joined("c"), "http://h:7547/a/c");
        assert_eq!(joined("?z"), "http://h:7547/a/b?z");
    }
}

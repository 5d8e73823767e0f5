//! The cookies of a session (RFC 6265, as far as an ACS uses it).
//!
//! Left out: public-suffix lists. A `Domain` without an inner dot (`com`, `localhost`) is ignored instead, so that such a
//! cookie belongs to its own host alone.

use std::time::{Duration, Instant};

use cwmp_core::{
    datetime::DateTime,
    time::Wall,
    url::{HttpUrl, Scheme},
};

use crate::limits::{COOKIE_BYTES, COOKIE_JAR_BYTES, COOKIE_SCOPE_BYTES, COOKIES};

struct Cookie {
    name: Vec<u8>,
    /// Byte for byte as received, quotation marks included.
    value: Vec<u8>,
    domain: String,
    host_only: bool,
    path: String,
    secure: bool,
    expires: Option<Instant>,
}

impl Cookie {
    fn size(&self) -> usize {
        self.name.len() + self.value.len()
    }

    fn same_as(&self, other: &Cookie) -> bool {
        self.name == other.name && self.domain == other.domain && self.path == other.path
    }

    fn belongs_to(&self, url: &HttpUrl) -> bool {
        let host =
            if self.host_only { self.domain == url.host } else { domain_matches(&url.host, &self.domain) };
        host && path_matches(url.path(), &self.path) && (!self.secure || url.scheme == Scheme::Https)
    }
}

/// The cookies that the ACS has set, oldest first.
#[derive(Default)]
pub struct CookieJar {
    cookies: Vec<Cookie>,
}

impl CookieJar {
    /// Forgets all cookies.
    pub fn clear(&mut self) {
        self.cookies.clear();
    }

    /// Takes one `Set-Cookie` header of a reply from `url`. `reply_date` is the `Date` header of that reply: `Expires` is
    /// reckoned from it, because the clock of a box may not be set. `system_date` stands in where it is missing.
    pub fn store(
        &mut self,
        url: &HttpUrl,
        set_cookie: &[u8],
        reply_date: Option<&str>,
        system_date: Wall,
        now: Instant,
    ) {
        let date = reply_date.and_then(parse_date).unwrap_or(system_date);
        let Some((cookie, gone)) = parse(url, set_cookie, date, now) else { return };
        let known = self.cookies.iter().position(|other| other.same_as(&cookie));
        match known.and_then(|at| self.cookies.get_mut(at).map(|old| (at, old))) {
            Some((at, _)) if gone => {
                self.cookies.remove(at);
            }
            Some((_, old)) => *old = cookie,
            None if gone => {}
            None => self.cookies.push(cookie),
        }
        let mut bytes: usize = self.cookies.iter().map(Cookie::size).sum();
        while self.cookies.len() > COOKIES || bytes > COOKIE_JAR_BYTES {
            bytes -= self.cookies.remove(0).size();
        }
    }

    /// The value of the `Cookie` header for a request to `url`; `None` when no cookie belongs there. Longer paths come
    /// first, then older cookies (RFC 6265 5.4).
    #[must_use]
    pub fn header(&self, url: &HttpUrl, now: Instant) -> Option<Vec<u8>> {
        let alive = |cookie: &&Cookie| cookie.expires.is_none_or(|end| now < end);
        let mut fitting: Vec<_> = self.cookies.iter().filter(alive).filter(|c| c.belongs_to(url)).collect();
        fitting.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let pairs: Vec<_> =
            fitting.iter().map(|cookie| [cookie.name.as_slice(), &cookie.value].join(&b'=')).collect();
        (!pairs.is_empty()).then(|| pairs.join(b"; ".as_slice()))
    }
}

/// The cookie, and whether it only says that one is to be forgotten.
fn parse(url: &HttpUrl, text: &[u8], date: Wall, now: Instant) -> Option<(Cookie, bool)> {
    let mut parts = text.split(|b| *b == b';');
    let (name, value) = split_pair(parts.next()?)?;
    if name.is_empty() || name.len() + value.len() > COOKIE_BYTES {
        return None;
    }
    let mut cookie = Cookie {
        name: name.to_vec(),
        value: value.to_vec(),
        domain: url.host.clone(),
        host_only: true,
        path: default_path(url.path()).to_owned(),
        secure: false,
        expires: None,
    };
    let (mut max_age, mut expires) = (None, None);
    for part in parts {
        let (key, value) = split_pair(part).unwrap_or((part.trim_ascii(), b""));
        let Ok(value) = str::from_utf8(value) else { continue };
        if key.eq_ignore_ascii_case(b"Max-Age") {
            max_age = seconds(value).or(max_age);
        } else if key.eq_ignore_ascii_case(b"Expires") {
            expires = parse_date(value).or(expires);
        } else if key.eq_ignore_ascii_case(b"Secure") {
            cookie.secure = true;
        } else if key.eq_ignore_ascii_case(b"Path") {
            cookie.path = if value.starts_with('/') { value } else { default_path(url.path()) }.to_owned();
        } else if key.eq_ignore_ascii_case(b"Domain") {
            let domain = value.strip_prefix('.').unwrap_or(value).to_ascii_lowercase();
            cookie.host_only = !domain.trim_matches('.').contains('.');
            cookie.domain = if cookie.host_only { url.host.clone() } else { domain };
        }
    }
    let refused = !cookie.host_only && !domain_matches(&url.host, &cookie.domain);
    if refused || cookie.path.len() > COOKIE_SCOPE_BYTES || cookie.domain.len() > COOKIE_SCOPE_BYTES {
        return None;
    }
    // Max-Age counts before Expires (RFC 6265 5.3).
    let life_ms =
        max_age.map(|s: i64| s.saturating_mul(1000)).or(expires.map(|end| end.0.saturating_sub(date.0)));
    if let Some(ms) = life_ms {
        // What lies beyond the clock's range lives as long as the program.
        cookie.expires = now.checked_add(Duration::from_millis(u64::try_from(ms).unwrap_or(0)));
    }
    Some((cookie, life_ms.is_some_and(|ms| ms <= 0)))
}

/// Name and value around the first `=`, without blanks at their ends.
fn split_pair(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|b| *b == b'=')?;
    let (name, value) = text.split_at_checked(at)?;
    Some((name.trim_ascii(), value.strip_prefix(b"=")?.trim_ascii()))
}

/// Max-Age: digits, perhaps negative; what is too large for the type means for ever.
fn seconds(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(if text.starts_with('-') { i64::MIN } else { i64::MAX }))
}

/// The folder of the request (RFC 6265 5.1.4).
fn default_path(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((folder, _)) => folder,
    }
}

fn path_matches(path: &str, cookie_path: &str) -> bool {
    let rest = path.strip_prefix(cookie_path);
    rest.is_some_and(|rest| rest.is_empty() || cookie_path.ends_with('/') || rest.starts_with('/'))
}

/// RFC 6265 5.1.3; an address has no parent domains.
fn domain_matches(host: &str, domain: &str) -> bool {
    let inside = host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    inside && (host == domain || host.parse::<core::net::IpAddr>().is_err())
}

/// A cookie-date (RFC 6265 5.1.1), which covers the forms of HTTP dates too.
fn parse_date(text: &str) -> Option<Wall> {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let (mut clock, mut day, mut month, mut year) = (None, None, None, None);
    for token in text.split(|c: char| !c.is_ascii_alphanumeric() && c != ':').filter(|t| !t.is_empty()) {
        if clock.is_none() && token.contains(':') {
            let mut fields = token.split(':');
            let mut next = || number(fields.next()?, 1..=2);
            clock = Some((next()?, next()?, next()?));
        } else if day.is_none() && number(token, 1..=2).is_some() {
            day = number(token, 1..=2);
        } else if month.is_none() && month_of(&MONTHS, token).is_some() {
            month = month_of(&MONTHS, token);
        } else if year.is_none() {
            year = number(token, 2..=4);
        }
    }
    let (hour, minute, second) = clock?;
    let year = match year? {
        year @ 70..=99 => year + 1900,
        year @ 0..=69 => year + 2000,
        year => year,
    };
    if year < 1601 {
        return None;
    }
    let iso = format!("{year:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", month?, day?);
    match DateTime::parse(&iso).ok()? {
        DateTime::At(wall) => Some(wall),
        DateTime::Infinite => Some(Wall(i64::MAX)),
        DateTime::Unknown => None,
    }
}

fn month_of(months: &[&str; 12], token: &str) -> Option<usize> {
    let start = token.get(..3)?;
    months.iter().position(|month| start.eq_ignore_ascii_case(month)).map(|at| at + 1)
}

/// The digits that a token begins with, when there are so many of them.
fn number(token: &str, digits: std::ops::RangeInclusive<usize>) -> Option<u32> {
    let end = token.bytes().take_while(u8::is_ascii_digit).count();
    if digits.contains(&end) { token.get(..end)?.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2015-10-21T07:28:00Z
    const SYSTEM: Wall = Wall(1_445_412_480_000);

    struct Exchange {
        jar: CookieJar,
        now: Instant,
    }

    impl Exchange {
        fn new() -> Self {
            Self { jar: CookieJar::default(), now: Instant::now() }
        }

        fn set(&mut self, url: &str, headers: &[&str]) {
            for header in headers {
                self.jar.store(&HttpUrl::parse(url).unwrap(), header.as_bytes(), None, SYSTEM, self.now);
            }
        }

        fn sent(&self, url: &str) -> String {
            let header = self.jar.header(&HttpUrl::parse(url).unwrap(), self.now);
            String::from_utf8(header.unwrap_or_default()).unwrap()
        }
    }

    /// Conformance: 1.29
    #[test]
    fn values_come_back_byte_for_byte() {
        let mut e = Exchange::new();
        e.set("http://acs/x", &["JSESSIONID=\"a=b/c\"; Path=/", "t = x==y ,z ", "empty="]);
        assert_eq!(e.sent("http://acs/x"), "JSESSIONID=\"a=b/c\"; t=x==y ,z; empty=");
        e.jar.store(&HttpUrl::parse("http://raw/").unwrap(), b"n=\xe4\xff", None, SYSTEM, e.now);
        assert_eq!(e.jar.header(&HttpUrl::parse("http://raw/").unwrap(), e.now).unwrap(), b"n=\xe4\xff");
    }

    #[test]
    fn what_has_no_name_is_ignored() {
        let mut e = Exchange::new();
        e.set("http://acs/", &["", "novalue", "=v", "; Path=/"]);
        assert_eq!(e.sent("http://acs/"), "");
    }

    /// Conformance: 1.26
    #[test]
    fn a_new_value_replaces_the_old_one_in_its_place() {
        let mut e = Exchange::new();
        e.set("http://acs/", &["a=1", "b=1", "a=2"]);
        assert_eq!(e.sent("http://acs/"), "a=2; b=1");
        e.set("http://acs/p/q", &["a=3; Path=/p"]);
        assert_eq!(
            e.sent("http://acs/p/q"),
            "a=3; a=2; b=1",
            "another path is another cookie, the longer path first"
        );
    }

    /// Conformance: 1.26
    #[test]
    fn max_age_and_expires_delete() {
        let gone = [
            "a=; Max-Age=0",
            "a=x; max-age=-1",
            "a=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
            "a=x; expires=Wednesday, 21-Oct-15 07:27:59 GMT",
            "a=x; Max-Age=0; Expires=Fri, 31 Dec 9999 23:59:59 GMT",
        ];
        for header in gone {
            let mut e = Exchange::new();
            e.set("http://acs/", &["a=1", header]);
            assert_eq!(e.sent("http://acs/"), "", "{header}");
        }
        let stays = [
            "a=1; Max-Age=60",
            "a=1; Max-Age=x",
            "a=1; Expires=nonsense",
            "a=1; Expires=Wed Oct 21 07:29:00 2015",
            "a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60",
            "a=1; Expires=Fri, 31 Dec 9999 23:59:59 GMT",
            "a=1; Max-Age=99999999999999999999",
        ];
        for header in stays {
            let mut e = Exchange::new();
            e.set("http://acs/", &[header]);
            assert_eq!(e.sent("http://acs/"), "a=1", "{header}");
        }
    }

    #[test]
    fn a_cookie_ends_after_its_max_age() {
        let mut e = Exchange::new();
        e.set("http://acs/", &["a=1; Max-Age=60"]);
        e.now += Duration::from_secs(59);
        assert_eq!(e.sent("http://acs/"), "a=1");
        e.now += Duration::from_secs(1);
        assert_eq!(e.sent("http://acs/"), "");
    }

    #[test]
    fn expires_is_reckoned_from_the_date_of_the_reply() {
        let url = HttpUrl::parse("http://acs/").unwrap();
        let mut e = Exchange::new();
        // The clock of the box stands at 1970; the ACS says that it is 2015.
        let reply = Some("Wed, 21 Oct 2015 07:28:00 GMT");
        let cookie = b"a=1; Expires=Wed, 21 Oct 2015 07:27:00 GMT";
        e.jar.store(&url, cookie, reply, Wall(0), e.now);
        assert_eq!(e.jar.header(&url, e.now), None);
        e.jar.store(&url, cookie, None, Wall(0), e.now);
        assert_eq!(e.jar.header(&url, e.now).unwrap(), b"a=1");
    }

    /// Conformance: 1.27
    #[test]
    fn path_and_its_default() {
        let mut e = Exchange::new();
        e.set("http://acs/a/b", &["d=1", "p=1; Path=/a/b", "r=1; Path=/", "n=1; Path=relative"]);
        assert_eq!(e.sent("http://acs/a/b"), "p=1; d=1; n=1; r=1");
        assert_eq!(e.sent("http://acs/a/b/c?q"), "p=1; d=1; n=1; r=1");
        assert_eq!(e.sent("http://acs/a/bc"), "d=1; n=1; r=1");
        assert_eq!(e.sent("http://acs/ab"), "r=1");
    }

    /// Conformance: 1.27
    #[test]
    fn domain_and_host_only() {
        let mut e = Exchange::new();
        e.set(
            "http://acs.example.com/",
            &[
                "host=1",
                "dom=1; Domain=.EXAMPLE.com",
                "other=1; Domain=example.org",
                "sub=1; Domain=x.acs.example.com",
                "tld=1; Domain=com",
                "part=1; Domain=ample.com",
            ],
        );
        assert_eq!(e.sent("http://acs.example.com/"), "host=1; dom=1; tld=1");
        assert_eq!(e.sent("http://b.example.com:7547/"), "dom=1");
        assert_eq!(e.sent("http://other.com/"), "");
        e.set("http://10.0.0.1/", &["ip=1; Domain=0.0.1", "own=1; Domain=10.0.0.1"]);
        assert_eq!(e.sent("http://10.0.0.1/"), "own=1");
    }

    /// Conformance: 1.27
    #[test]
    fn secure_cookies_stay_off_clear_text() {
        let mut e = Exchange::new();
        e.set("https://acs/", &["a=1; SECURE", "b=1"]);
        assert_eq!(e.sent("http://acs/"), "b=1");
        assert_eq!(e.sent("https://acs/"), "a=1; b=1");
    }

    #[test]
    fn the_jar_is_bounded() {
        let mut e = Exchange::new();
        for n in 0..100 {
            e.set("http://acs/", &[&format!("c{n}=1")]);
        }
        assert_eq!(e.jar.cookies.len(), COOKIES);
        assert!(e.sent("http://acs/").starts_with("c68=1; "));
        e.set("http://acs/", &[&format!("big={}", "x".repeat(COOKIE_BYTES))]);
        assert_eq!(e.jar.cookies.len(), COOKIES, "too large, ignored");
        for n in 0..8 {
            e.set("http://acs/", &[&format!("b{n}={}", "x".repeat(4000))]);
        }
        assert_eq!(e.jar.cookies.len(), 4);
        let mut e = Exchange::new();
        let three = ["a", "b", "c"].map(|name| format!("{name}={}", "v".repeat(300)));
        e.set("http://acs/", &three.each_ref().map(String::as_str));
        assert_eq!(e.sent("http://acs/"), three.join("; "), "far more than the 512 bytes of TR-069a6 3.4.2");
    }

    proptest::proptest! {
        #[test]
        fn no_header_breaks_the_jar(
            headers in proptest::collection::vec(proptest::prelude::any::<Vec<u8>>(), 0..8),
            near in "(a|=|;| |Max-Age=|Expires=|Domain=|Path=|/|\\.|[0-9]{1,4}|:|Jan|\u{e4}|-){0,30}",
        ) {
            let url = HttpUrl::parse("http://acs.example/a/b").unwrap();
            let mut jar = CookieJar::default();
            for header in headers.iter().map(Vec::as_slice).chain([near.as_bytes()]) {
                jar.store(&url, header, Some(&near), SYSTEM, Instant::now());
            }
            let sent = jar.header(&url, Instant::now()).unwrap_or_default();
            assert!(sent.len() <= COOKIE_JAR_BYTES + 3 * COOKIES);
        }
    }
}

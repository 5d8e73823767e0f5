//! `Set-Cookie` of an ACS, a line a cookie. The jar stays small, and other hosts get nothing.
#![no_main]

use std::time::Instant;

use cwmp_core::{time::Wall, url::HttpUrl};
use cwmp_transport::{cookie::CookieJar, limits};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let url = |text| HttpUrl::parse(text).expect("a URL");
    let (acs, other) = (url("https://acs.isp.example/cwmp/a"), url("https://isp.example.net/cwmp/a"));
    let (now, mut jar) = (Instant::now(), CookieJar::default());
    for line in data.split(|byte| *byte == b'\n') {
        jar.store(&acs, line, Some("Sun, 06 Nov 1994 08:49:37 GMT"), Wall(0), now);
    }
    assert_eq!(jar.header(&other, now), None);
    if let Some(header) = jar.header(&acs, now) {
        assert!(header.len() <= limits::COOKIE_JAR_BYTES + limits::COOKIES * 3);
        assert!(!header.contains(&b'\n') && !header.contains(&b';') || jar_has_several(&header));
    }
});

/// Cookies are separated by `; `, and no cookie has a semicolon itself.
fn jar_has_several(header: &[u8]) -> bool {
    let text = String::from_utf8_lossy(header);
    text.split("; ").all(|pair| pair.contains('=') && !pair.contains(';'))
}

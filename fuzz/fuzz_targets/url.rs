//! URLs, dates and parameter paths: what is read is written as what reads as the same.
#![no_main]

use cwmp_core::{datetime::DateTime, path::ParameterPath, url::HttpUrl};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    if let Ok(url) = HttpUrl::parse(&text) {
        let written = url.to_string();
        assert!(!written.contains(|c: char| c.is_control() || c == ' '));
        assert_eq!(HttpUrl::parse(&written), Ok(url));
    }
    let base = HttpUrl::parse("https://acs.example:7547/a/b?c").expect("a URL");
    if let Ok(joined) = base.join(&text) {
        assert_eq!(HttpUrl::parse(&joined.to_string()), Ok(joined));
    }
    if let Ok(date) = DateTime::parse(&text) {
        assert_eq!(DateTime::parse(&date.to_string()).ok(), Some(date));
    }
    if let Ok(path) = ParameterPath::parse(&text) {
        assert_eq!(path.as_str(), text);
    }
});

//! `Authorization` of a connection request. No input proves a password that it does not know.
#![no_main]

use cwmp_core::digest::{Credentials, DigestAuthorization, basic, parse_basic};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // What hyper lets through.
    if http::HeaderValue::from_bytes(data).is_err() {
        return;
    }
    let text = String::from_utf8_lossy(data);
    if let Some(given) = DigestAuthorization::parse(&text) {
        assert!(!given.verify("GET", "not in the input"));
        if plain(&given) {
            assert_eq!(DigestAuthorization::parse(&given.to_string()), Some(given));
        }
    }
    if let Some((username, password)) = parse_basic(&text) {
        let again = basic(&Credentials { username: &username, password: &password });
        // A name with a colon can be read in one way only.
        assert_eq!(parse_basic(&again), Some((username, password)));
    }
});

/// What it says fits into the header as it would be written.
fn plain(given: &DigestAuthorization) -> bool {
    given.to_string().len() <= cwmp_core::digest::HEADER_BYTES
}

//! `WWW-Authenticate` of an ACS or a file server. The answer to a challenge reads back, and proves the password.
#![no_main]

use cwmp_core::digest::{CHALLENGES, Challenge, Credentials, DigestAuthorization, HEADER_BYTES};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // What hyper lets through.
    if http::HeaderValue::from_bytes(data).is_err() {
        return;
    }
    let challenges = Challenge::parse_all(&String::from_utf8_lossy(data));
    assert!(challenges.len() <= CHALLENGES);
    for challenge in challenges {
        let Challenge::Digest(challenge) = challenge else { continue };
        let who = Credentials { username: "box", password: "secret" };
        let answer = challenge.answer(&who, "POST", "/acs", "cnonce", 1).to_string();
        assert!(!answer.contains("secret"));
        assert!(!answer.contains(['\r', '\n']), "a header within a header");
        if answer.len() <= HEADER_BYTES {
            let read = DigestAuthorization::parse(&answer).expect("our own answer reads");
            assert!(read.verify("POST", "secret") && !read.verify("POST", "other"));
        }
    }
});

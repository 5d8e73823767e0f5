//! Answers of name servers. Only those to the question that was asked count, and what they say stays in its limits.
#![no_main]

use cwmp_transport::{fuzzing::dns_answer, limits};
use libfuzzer_sys::fuzz_target;

/// The number of the question in the corpus.
const NUMBER: u16 = 0x1234;
const NAME: &str = "acs.example";

fuzz_target!(|data: &[u8]| {
    for ipv6 in [false, true] {
        let Some((addresses, _)) = dns_answer(NUMBER, NAME, ipv6, data) else { continue };
        assert!(addresses.len() <= limits::NAME_ADDRESSES);
        assert!(addresses.iter().all(|address| address.is_ipv6() == ipv6));
        assert_eq!(dns_answer(!NUMBER, NAME, ipv6, data), None, "an answer to another question");
        assert_eq!(dns_answer(NUMBER, "other.example", ipv6, data), None, "an answer for another name");
        assert_eq!(dns_answer(NUMBER, NAME, !ipv6, data), None, "an answer for another family");
    }
});

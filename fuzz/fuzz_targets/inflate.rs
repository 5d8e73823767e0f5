//! A compressed reply of the ACS: never more than an envelope may have.
#![no_main]

use cwmp_core::limits::ENVELOPE_BYTES;
use cwmp_transport::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for coding in ["gzip", "deflate"] {
        if let Ok(plain) = fuzzing::inflate(coding, data) {
            assert!(plain.len() <= ENVELOPE_BYTES);
        }
    }
});

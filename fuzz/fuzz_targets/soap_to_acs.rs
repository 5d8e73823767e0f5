//! Envelopes as the ACS reads them. What is read is written, and reads as the same.
#![no_main]

use cwmp_core::soap::{decode_to_acs, encode_to_acs};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(envelope) = decode_to_acs(data) else { return };
    if !matches!(envelope.message, cwmp_core::rpc::ToAcs::Unusable { .. }) {
        let again = decode_to_acs(&encode_to_acs(&envelope));
        assert_eq!(again.map(|again| again.message), Ok(envelope.message));
    }
});

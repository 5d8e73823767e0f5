//! Envelopes as the box reads them. What is read is written, and reads as the same.
#![no_main]

use cwmp_core::{
    limits,
    soap::{decode_to_cpe, encode_to_cpe},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    match decode_to_cpe(data) {
        Ok(envelope) => {
            // Headers that a version does not have are not written, so only the message must come back.
            let again = decode_to_cpe(&encode_to_cpe(&envelope));
            if !matches!(envelope.message, cwmp_core::rpc::ToCpe::Unusable { .. }) {
                assert_eq!(again.map(|again| again.message), Ok(envelope.message));
            }
        }
        Err(error) => assert!(error.to_string().len() <= limits::ELEMENT_TEXT, "an error quotes the input"),
    }
});

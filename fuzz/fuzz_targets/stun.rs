//! Datagrams at the socket of connection requests: answers of STUN servers, and requests, which ring with the password alone.
#![no_main]

use cwmp_transport::{
    fuzzing::{Datagram, datagram},
    limits,
};
use libfuzzer_sys::fuzz_target;

/// Of the samples of RFC 5769 and of a request in the corpus.
const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";

fuzz_target!(|data: &[u8]| {
    match datagram("acs", PASSWORD, data) {
        Datagram::Nothing => {}
        Datagram::Mapped(address) => {
            assert!(address.port() != 0 && !address.ip().is_unspecified() && !address.ip().is_multicast());
        }
        Datagram::Refused(code) => assert!((300..700).contains(&code)),
        Datagram::Ring => {
            assert!(data.starts_with(b"GET ") && data.len() <= limits::UDP_REQUEST_BYTES);
            assert_eq!(datagram("acs", "another", data), Datagram::Nothing);
            assert_eq!(datagram("other", PASSWORD, data), Datagram::Nothing);
        }
    }
});

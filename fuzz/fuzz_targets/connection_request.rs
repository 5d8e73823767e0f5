//! Requests as the listener gets them. Nobody rings without the password, and nothing but a status comes back.
#![no_main]

use cwmp_core::settings::Secret;
use cwmp_transport::{ListenerConfig, fuzzing};
use libfuzzer_sys::fuzz_target;
use tokio::{runtime::Builder, sync::mpsc};

const PATH: &str = "/bell";
/// Most requests of one input times what is answered to each.
const MOST_ANSWERED: usize = 64 * 1024;

fuzz_target!(|data: &[u8]| {
    let Ok(runtime) = Builder::new_current_thread().enable_time().build() else { return };
    let (sink, mut rings) = mpsc::channel(1);
    let config =
        ListenerConfig::new(Vec::new(), PATH.into(), "acs".into(), Secret("not in the input".into()), sink);
    let answer = runtime.block_on(fuzzing::connection_request(config, data));
    assert!(rings.try_recv().is_err(), "a connection request without the password");
    assert!(answer.len() <= MOST_ANSWERED);
    assert!(!answer.starts_with(b"HTTP/1.1 2") && !answer.starts_with(b"HTTP/1.0 2"));
    assert!(!answer.windows(PATH.len()).any(|window| window == PATH.as_bytes()), "the path is told");
});

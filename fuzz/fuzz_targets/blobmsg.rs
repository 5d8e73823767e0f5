//! A table of values from the bus. What is read is written as what reads as the same, and JSON can say it.
#![no_main]

use cwmp_ubus::{blobmsg, json};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(table) = blobmsg::decode(data) else { return };
    let written = blobmsg::encode(&table).expect("what was read is written");
    let again = blobmsg::decode(&written).expect("what was written is read");
    // As text, since NaN differs from itself.
    assert_eq!(format!("{again:?}"), format!("{table:?}"));
    assert_eq!(blobmsg::encode(&again).expect("it was written before"), written);
    json::from_json(&json::to_json(&table)).expect("JSON says it");
});

//! Events of vendors: 3.30 of the conformance list.

use super::bench::{Bench, events, settings};
use crate::{
    event::{EventCode, EventStruct},
    io::Input,
    limits,
    rpc::CommandKey,
};

fn raise(bench: &mut Bench, code: &str, key: &str) {
    let event = EventStruct::with_key(EventCode::parse(code), CommandKey::new(key).unwrap());
    bench.input(Input::VendorEvent(event));
}

/// Conformance: 3.30
#[test]
fn they_start_a_session_and_stand_behind_those_of_the_standard() {
    let mut bench = Bench::known();
    raise(&mut bench, "X CWMPD overheated", "");
    assert_eq!(events(&bench.expect_session()), ["X CWMPD overheated"]);
    raise(&mut bench, "M X_CWMPD_Go", "a");
    raise(&mut bench, "M X_CWMPD_Go", "b");
    bench.connection_lost();
    bench.expect_close();
    let mut bench = bench.boot_after(1000, settings());
    assert_eq!(
        events(&bench.whole_session()),
        ["1 BOOT", "X CWMPD overheated", "M X_CWMPD_Go a", "M X_CWMPD_Go b"],
        "kept over boots"
    );
}

/// Conformance: 3.30
#[test]
fn other_codes_are_not_taken() {
    let mut bench = Bench::known();
    for code in ["1 BOOT", "M Reboot", "X ", "", "hello"] {
        raise(&mut bench, code, "");
    }
    bench.expect_nothing();
}

#[test]
fn they_cannot_crowd_out_those_of_the_standard() {
    let mut bench = Bench::known();
    bench.reachable = false;
    for n in 0..10 * limits::VENDOR_EVENTS {
        raise(&mut bench, "M X_CWMPD_Go", &n.to_string());
    }
    bench.reachable = true;
    bench.seen.clear();
    bench.connection_request();
    assert_eq!(bench.expect_session().events.len(), 1 + limits::VENDOR_EVENTS);
}

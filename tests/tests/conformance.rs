//! The conformance cases of `tests/conformance/cases/`. `CONFORMANCE_CASE` chooses those whose path contains it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test is to stop")]

use cwmpd_tests::conformance::{Where, run_all};

fn run(place: Where) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let failed = runtime.block_on(run_all(place));
    assert!(failed.is_empty(), "{} case(s) do not hold:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn cases_in_virtual_time() {
    run(Where::InMemory);
}

#[test]
fn cases_against_the_program_over_loopback() {
    run(Where::OnWire);
}

//! What a process that was taken over may send to the other one. What is a message reads back as the same one.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| cwmpd::fuzzing::border(data));

//! The state file, as it lies on a disk that nobody can trust. What is read is written and read again.
#![no_main]

use std::path::Path;

use cwmp_core::stored::Stored;
use cwmp_store::StateFile;
use cwmpd_fuzz::MemoryFiles;
use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};

const FILE: &str = "/state/state.json";

fuzz_target!(|data: &[u8]| {
    open(data);
    // With the right checksum the JSON is looked at as well.
    let digest: String = Sha256::digest(data).iter().map(|byte| format!("{byte:02x}")).collect();
    let mut content = format!("cwmpd-state 1 {digest}\n").into_bytes();
    content.extend_from_slice(data);
    open(&content);
});

fn open(content: &[u8]) {
    let files = MemoryFiles::with(FILE, content);
    let Ok((mut file, state, problems)) = StateFile::<Stored>::open(files.clone(), Path::new(FILE)) else {
        return;
    };
    assert_eq!(state.is_none(), !problems.is_empty(), "damage is reported, and nothing else");
    let mut state = state.unwrap_or_default();
    state.retry_count = state.retry_count.wrapping_add(1);
    file.save(&state).expect("memory holds everything");
    let (_, again, problems) = StateFile::<Stored>::open(files, Path::new(FILE)).expect("our own file reads");
    assert_eq!((again, problems.len()), (Some(state), 0));
}

//! Mapping files of vendors: a mistake is told with its line, and what is right compiles the same again.
#![no_main]

use cwmp_datamodel::mapping::Compiled;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let lines = text.lines().count();
    let (_, errors) = Compiled::of(&[("vendor.map", &*text)], &["platform"]);
    for error in &errors {
        assert_eq!(error.file, "vendor.map");
        assert!(error.line as usize <= lines.max(1), "{error}");
    }
    assert_eq!(Compiled::of(&[("vendor.map", &*text)], &["platform"]).1, errors);
});

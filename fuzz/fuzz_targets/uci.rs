//! A configuration file of OpenWrt. What is read is written as something that is read the same, and again as the same bytes.
#![no_main]

use cwmp_uci::{Edit, Package};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(package) = Package::parse("network", data) else { return };
    let text = package.export();
    let mut again = Package::parse("network", &text).expect("what was written is read");
    assert_eq!(again.sections(), package.sections());
    assert_eq!(again.export(), text);
    // A value out of the input stays a value.
    let Some(first) = again.sections().first().map(|section| section.name().to_owned()) else { return };
    let value = String::from_utf8_lossy(data).into_owned();
    let before = again.sections().len();
    let edit = Edit::Set { section: first.clone(), option: "fuzz".to_owned(), value: value.clone() };
    if again.apply(&[edit]).is_ok() {
        let read = Package::parse("network", &again.export()).expect("what was written is read");
        assert_eq!(read.sections().len(), before);
        assert_eq!(read.section(&first).and_then(|section| section.get("fuzz")), Some(value.as_str()));
    }
});

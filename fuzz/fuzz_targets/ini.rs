//! The configuration files. What was read is kept when something else is set, and a value reads as it was set.
#![no_main]

use std::path::Path;

use cwmp_store::Layers;
use cwmpd_fuzz::MemoryFiles;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let dir = Path::new("/etc/cwmpd");
    let files = MemoryFiles::with("/etc/cwmpd/factory.ini", data);
    let Ok((factory, _)) = Layers::load(files.clone(), dir) else { return };
    // The same as the user's layer: everything is written and read again.
    let files = MemoryFiles::with("/etc/cwmpd/factory.ini", b"");
    let (mut layers, _) = Layers::load(files.clone(), dir).expect("an empty file is right");
    let value = String::from_utf8_lossy(data);
    let mut set = Vec::new();
    for section in factory.sections("") {
        for (key, _) in factory.keys(section) {
            let value = factory.get(section, key).expect("a key has a value");
            // What stands before the first header is kept, and never set.
            if layers.set(section, key, value).is_ok() {
                set.push((section, key, value));
            }
        }
    }
    layers.set("Fuzz", "Value", &value).expect("any text can be set");
    if layers.commit().is_ok() {
        let (again, problems) = Layers::load(files, dir).expect("our own file reads");
        assert_eq!(problems, []);
        assert_eq!(again.get("Fuzz", "Value"), Some(&*value));
        for (section, key, value) in set {
            assert!((section, key) == ("Fuzz", "Value") || again.get(section, key) == Some(value));
        }
    }
});

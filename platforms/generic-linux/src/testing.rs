//! Boxes for the tests of this backend.

use std::rc::Rc;

use cwmp_platform::settings::Settings;

pub(crate) use cwmp_linux::testing::{Collected, FakeRoot, FakeSettings, assert_fits_the_model};

/// A command that runs this script, which lies in the root folder. Through the shell: a program that was written just now
/// may still be open for writing in a child of another test.
pub(crate) fn script(root: &FakeRoot, name: &str, text: &str) -> Vec<String> {
    root.file(name, text);
    vec!["/bin/sh".to_owned(), root.path().join(name).display().to_string()]
}

/// A backend that remembers the numbers of its rows only while it lives.
pub(crate) fn backend(options: crate::Options, settings: Rc<dyn Settings>) -> crate::GenericLinux {
    let numbers = cwmp_platform::instances::InstanceNumbers::in_memory();
    crate::GenericLinux::new(options, settings, Rc::new(numbers))
}

//! Boxes for the tests of this backend.

use std::rc::Rc;

use cwmp_datamodel::{
    facts::{Facts, Place},
    validate::validate,
};
use cwmp_platform::settings::Settings;

pub(crate) use cwmp_linux::testing::{Collected, FakeRoot, FakeSettings, assert_fits_the_model};

/// A command that runs this script, which lies in the root folder. Through the shell: a program that was written just now
/// may still be open for writing in a child of another test.
pub(crate) fn script(root: &FakeRoot, name: &str, text: &str) -> Vec<String> {
    root.file(name, text);
    vec!["/bin/sh".to_owned(), root.path().join(name).display().to_string()]
}

/// Holds values against the facts of TR-181 that the program is built with.
pub(crate) fn assert_values_fit(collected: &Collected) {
    for (path, (value, _)) in &collected.values {
        let Some(Place::Parameter(_, parameter)) = Facts::tr181().find(path) else {
            panic!("{path} is not in the model")
        };
        if let Err(invalid) = validate(parameter.rule(), None, value) {
            panic!("{path} = `{value}`: {}", invalid.text);
        }
    }
}

/// A backend that remembers the numbers of its rows only while it lives.
pub(crate) fn backend(options: crate::Options, settings: Rc<dyn Settings>) -> crate::GenericLinux {
    let numbers = cwmp_platform::instances::InstanceNumbers::in_memory();
    crate::GenericLinux::new(options, settings, Rc::new(numbers))
}

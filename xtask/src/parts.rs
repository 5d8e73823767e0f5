//! The one table of what is checked: `ci` runs all of it, `test` those steps that are tests.
//!
//! A new check is one `Step` here, in the part whose budget pays for it.

use crate::need::{Need, OPENSSL, QEMU, RUST_SRC, ZIG};
use crate::sh::{Res, Sh};
use crate::{build, deny, features, interop, lint, test, tidy};

/// Steps that share a time budget.
pub(crate) struct Part {
    pub(crate) name: &'static str,
    /// Wall-clock budget on a CI machine with 2 cores, installing and compiling included.
    pub(crate) minutes: u64,
    pub(crate) steps: &'static [Step],
}

/// One check.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) needs: &'static [&'static Need],
    /// Whether `cargo xtask test` runs it as well.
    pub(crate) test: bool,
    pub(crate) run: fn(&Sh) -> Res,
}

impl Step {
    const fn check(name: &'static str, run: fn(&Sh) -> Res) -> Self {
        Self { name, needs: &[], test: false, run }
    }

    const fn test(name: &'static str, needs: &'static [&'static Need], run: fn(&Sh) -> Res) -> Self {
        Self { name, needs, test: true, run }
    }
}

pub(crate) const PARTS: &[Part] = &[
    Part {
        name: "build, lints, unit tests",
        minutes: 14,
        steps: &[
            Step::check("tidy", tidy::run),
            Step::check("lint", lint::run),
            Step::test("unit and integration tests", &[], test::workspace),
            Step::check("features", features::run),
            Step { name: "deny", needs: &[&deny::CARGO_DENY], test: false, run: deny::run },
        ],
    },
    Part {
        name: "real servers",
        minutes: 8,
        steps: &[Step::test("acsrs", &[&OPENSSL, &interop::ACSRS], interop::acsrs)],
    },
    Part {
        name: "cross-builds",
        minutes: 5,
        steps: &[Step::test("mipsel under qemu", &[&ZIG, &RUST_SRC, &QEMU], build::mipsel)],
    },
];

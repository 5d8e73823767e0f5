//! The one table of what is checked: `ci` runs all of it, `test` those steps that are tests.
//!
//! A new check is one `Step` here, in the part whose budget pays for it.

use crate::need::{
    BUSYBOX, CLIPPY, COTURN, CURL, DNSMASQ, IPROUTE2, LXML, NAMESPACES, NFTABLES, NGINX, NIGHTLY, Need,
    OPENSSL, PROSODY, QEMU, RUST_SRC, RUSTFMT, SCHEMAS, ZIG,
};
use crate::sh::{Res, Sh};
use crate::{
    bench, build, conformance, demo, deny, features, fuzz, interop, libuci, lint, package, powercut,
    simulate, test, tidy,
};

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
    /// Without these the step cannot run.
    pub(crate) needs: &'static [&'static Need],
    /// Without these some of its tests skip themselves.
    pub(crate) wants: &'static [&'static Need],
    /// Whether `cargo xtask test` runs it as well.
    pub(crate) test: bool,
    pub(crate) run: fn(&Sh) -> Res,
}

impl Step {
    const fn check(name: &'static str, run: fn(&Sh) -> Res) -> Self {
        Self { name, needs: &[], wants: &[], test: false, run }
    }

    const fn test(name: &'static str, run: fn(&Sh) -> Res) -> Self {
        Self { test: true, ..Self::check(name, run) }
    }

    const fn needs(self, needs: &'static [&'static Need]) -> Self {
        Self { needs, ..self }
    }

    const fn wants(self, wants: &'static [&'static Need]) -> Self {
        Self { wants, ..self }
    }
}

pub(crate) const PARTS: &[Part] = &[
    Part {
        name: "build, lints, unit tests",
        minutes: 14,
        steps: &[
            Step::check("tidy", tidy::run),
            Step::check("lint", lint::run).needs(&[&RUSTFMT, &CLIPPY]),
            Step::test("unit and integration tests", test::workspace).wants(&[
                &SCHEMAS,
                &LXML,
                &CURL,
                &IPROUTE2,
                &NAMESPACES,
                &BUSYBOX,
                &DNSMASQ,
            ]),
            Step::check("demo", demo::check),
            Step::check("features", features::run),
        ],
    },
    Part {
        name: "conformance",
        minutes: 5,
        steps: &[
            Step::check("conformance", conformance::check),
            Step::test("main scenarios as two processes", test::two_processes),
        ],
    },
    // First of the two: it has the time to build what both run.
    Part { name: "power cuts", minutes: 5, steps: &[Step::check("every operation", powercut::check)] },
    Part { name: "simulation", minutes: 2, steps: &[Step::check("random worlds", simulate::check)] },
    Part {
        name: "fuzzing",
        minutes: 6,
        steps: &[Step::check("every target", fuzz::check).needs(&[&NIGHTLY, &fuzz::CARGO_FUZZ])],
    },
    Part {
        name: "real servers",
        minutes: 8,
        steps: &[
            Step::test("acsrs", interop::acsrs).needs(&[&OPENSSL, &interop::ACSRS]),
            Step::test("nginx", interop::nginx).needs(&[&NGINX]),
            Step::test("prosody", interop::prosody).needs(&[&PROSODY]),
            Step::test("coturn", interop::coturn).needs(&[&COTURN, &NFTABLES, &IPROUTE2, &NAMESPACES]),
            Step::test("UCI against libuci", libuci::test).needs(&[&libuci::LIBUCI]),
        ],
    },
    Part {
        name: "cross-builds",
        minutes: 5,
        steps: &[
            Step::test("mipsel under qemu", build::mipsel).needs(&[&ZIG, &RUST_SRC, &QEMU]),
            // What is linked into the program that ships.
            Step::check("deny", deny::run).needs(&[&deny::CARGO_DENY]),
        ],
    },
    Part {
        name: "packages",
        minutes: 5,
        steps: &[
            Step::check("benchmark, quick", bench::quick).needs(&[&ZIG, &RUST_SRC]),
            Step::check("the package for OpenWrt", package::check).needs(&[&ZIG, &RUST_SRC, &QEMU]),
        ],
    },
];

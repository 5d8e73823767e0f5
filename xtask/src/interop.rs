//! `interop acsrs`: the agent against an ACS that somebody else wrote.
//!
//! acsrs is run as a program and never linked. The test writes its configuration and starts it.

use crate::flags;
use crate::need::{Install, Need, OPENSSL, ensure_all};
use crate::sh::{Res, Sh};
use std::path::PathBuf;

pub(crate) const ACSRS: Need = Need {
    what: "acsrs",
    probe: |sh| binary(sh).is_file(),
    install: Install::Cargo { name: "acsrs", version: "0.5.2", root: "interop/acsrs", quick: false },
};

fn binary(sh: &Sh) -> PathBuf {
    sh.target("interop/acsrs/bin/acsrs")
}

pub(crate) fn run(sh: &Sh, options: &flags::Interop) -> Res {
    ensure_all(&[&OPENSSL, &ACSRS], sh, sh.ci() || options.setup)?;
    acsrs(sh)
}

/// Runs the tests that need acsrs; they are `#[ignore]`d elsewhere. `ACSRS_BIN` tells them which program to start.
pub(crate) fn acsrs(sh: &Sh) -> Res {
    // The whole workspace, as in `test`: one package alone would enable other features and compile everything again.
    let tests = sh.cargo().words("test --workspace --test acsrs -- --ignored");
    tests.env("ACSRS_BIN", binary(sh)).run_tests()
}

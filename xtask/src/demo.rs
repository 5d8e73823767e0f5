//! `demo`: shows the agent at work. The demo itself is a program of the tests crate; this builds and starts it.

use crate::flags;
use crate::sh::{Res, Sh};

pub(crate) fn run(sh: &Sh, options: &flags::Demo) -> Res {
    // Both at once, so that the demo's own build of cwmpd finds nothing left to do.
    sh.cargo().words("build --quiet --package cwmpd --package cwmpd-tests --bins").run()?;
    let demo = sh.cargo().words("run --quiet --package cwmpd-tests --bin demo --");
    let demo = demo.arg(sh.target("demo"));
    let demo = if options.keep { demo.arg("--keep") } else { demo };
    demo.run()
}

/// The demo as a check: it ends by itself, and with status 0 only if all was as it must be.
pub(crate) fn check(sh: &Sh) -> Res {
    run(sh, &flags::Demo { keep: false })
}

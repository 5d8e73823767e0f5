//! `bench`: builds the program as it ships for this machine, static, and measures it. What is measured is the business of
//! a program of the tests crate; docs/benchmark.md explains its figures.

use crate::build;
use crate::flags;
use crate::sh::{Res, Sh};

pub(crate) fn run(sh: &Sh, options: &flags::Bench) -> Res {
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let program = sh.target("dist").join(&target).join("cwmpd");
    let build = flags::Build { target: Some(target), setup: options.setup, ..flags::Build::default() };
    build::run(sh, &build)?;
    // Optimised: the ACS's own time stands in every answer time.
    sh.cargo().words("build --release --package cwmpd-tests --bin bench").run()?;
    let mut bench = sh.cmd(sh.target("release/bench")).arg(program);
    if let Some(other) = &options.against {
        bench = bench.arg(other);
    }
    if options.quick {
        bench = bench.arg("--quick");
    }
    bench.run()
}

/// The benchmark as a check: storage that is written to without a change, or a figure that is wrong by an order of
/// magnitude.
pub(crate) fn quick(sh: &Sh) -> Res {
    run(sh, &flags::Bench { quick: true, setup: sh.ci(), against: None })
}

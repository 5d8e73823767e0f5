//! `powercut`: the agent on a disk that loses power after every operation; see `tests/src/powercut/`.

use crate::flags;
use crate::sh::{Res, Sh};

pub(crate) fn run(sh: &Sh, options: &flags::Powercut) -> Res {
    let program = sh.cargo().words("run --quiet --release -p cwmpd-tests --bin powercut --");
    let program = match &options.only {
        Some(point) => program.arg("--only").arg(point),
        None => {
            let program = match options.seeds {
                Some(seeds) => program.arg("--seeds").arg(seeds.to_string()),
                None => program,
            };
            program.arg("--from").arg(options.from.to_string())
        }
    };
    program.run()
}

/// The seeds that `ci` runs: always the same, so that a failure is one of the change that is being checked. Builds the other
/// optimised programs of the tests as well, so that the parts that run them spend their time on running them.
pub(crate) fn check(sh: &Sh) -> Res {
    sh.cargo()
        .words("build --quiet --release -p cwmpd-tests --bin powercut --bin simulate --bin bench")
        .run()?;
    run(sh, &flags::Powercut::default())
}

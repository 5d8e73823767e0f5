//! `simulate`: the agent against many random worlds; see `tests/src/simulate/`.

use crate::flags;
use crate::sh::{Res, Sh};

/// As many as fit into the budget of the part, compiling included.
const SEEDS_OF_CI: u64 = 10_000;

pub(crate) fn run(sh: &Sh, options: &flags::Simulate) -> Res {
    let program = sh.cargo().words("run --quiet --release -p cwmpd-tests --bin simulate --");
    let program = match options.seed {
        Some(seed) => program.arg("--seed").arg(seed.to_string()),
        None => {
            let seeds = options.seeds.unwrap_or(SEEDS_OF_CI);
            let program = program.arg("--seeds").arg(seeds.to_string());
            program.arg("--from").arg(options.from.to_string())
        }
    };
    program.run()
}

/// The seeds that `ci` runs: always the same, so that a failure is one of the change that is being checked.
pub(crate) fn check(sh: &Sh) -> Res {
    run(sh, &flags::Simulate::default())
}

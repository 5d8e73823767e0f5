//! `test`: every test that this machine can run, and a line for each that it cannot.

use crate::need;
use crate::parts::{PARTS, Step};
use crate::sh::{Failure, Res, Sh};

pub(crate) fn run(sh: &Sh) -> Res {
    let (mut skipped, mut failed) = (Vec::new(), Vec::new());
    for step in PARTS.iter().flat_map(|part| part.steps).filter(|step| step.test) {
        match run_step(sh, step) {
            Outcome::Passed => {}
            Outcome::Skipped(why) => skipped.push(format!("SKIPPED {}: {why}", step.name)),
            Outcome::Failed(why) => failed.push(format!("FAILED {}: {why}", step.name)),
        }
    }
    for line in skipped.iter().chain(&failed) {
        eprintln!("{line}");
    }
    // With CI=true everything could be installed, so a skip hides a defect.
    let bad = !failed.is_empty() || (sh.ci() && !skipped.is_empty());
    println!("{}", sh.tally());
    if bad { Err(Failure::Told) } else { Ok(()) }
}

enum Outcome {
    Passed,
    Skipped(Failure),
    Failed(Failure),
}

fn run_step(sh: &Sh, step: &Step) -> Outcome {
    if let Err(why) = need::ensure_all(step.needs, sh, sh.ci()) {
        return Outcome::Skipped(why);
    }
    eprintln!("-- {}", step.name);
    match (step.run)(sh) {
        Ok(()) => Outcome::Passed,
        Err(why) => Outcome::Failed(why),
    }
}

/// All unit, integration and documentation tests of the workspace.
pub(crate) fn workspace(sh: &Sh) -> Res {
    sh.cargo().words("test --workspace --no-fail-fast").run_tests()
}

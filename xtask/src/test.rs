//! `test`: every test that this machine can run, and a line for each that it cannot.

use crate::need::Need;
use crate::parts::PARTS;
use crate::sh::{Failure, Res, Sh};

pub(crate) fn run(sh: &Sh) -> Res {
    let (mut skipped, mut failed) = (Vec::new(), Vec::new());
    for step in PARTS.iter().flat_map(|part| part.steps).filter(|step| step.test) {
        let missing = |needs: &[&Need]| -> Vec<_> {
            let unmet = needs.iter().filter_map(|need| need.ensure(sh, sh.ci()).err());
            unmet.map(|why| format!("SKIPPED {}: {why}", step.name)).collect()
        };
        let (needs, wants) = (missing(step.needs), missing(step.wants));
        let runs = needs.is_empty();
        skipped.extend(needs);
        skipped.extend(wants.into_iter().map(|line| line.replacen("SKIPPED ", "SKIPPED some of ", 1)));
        if runs {
            eprintln!("-- {}", step.name);
            failed.extend((step.run)(sh).err().map(|why| format!("FAILED {}: {why}", step.name)));
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

/// All unit, integration and documentation tests of the workspace.
pub(crate) fn workspace(sh: &Sh) -> Res {
    sh.cargo().words("test --workspace --no-fail-fast").run_tests()
}

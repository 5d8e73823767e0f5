//! `test`: every test that this machine can run, and a line for each that it cannot.

use crate::need::Need;
use crate::parts::{PARTS, Step};
use crate::sh::{Failure, Res, Sh};

pub(crate) fn run(sh: &Sh) -> Res {
    let report = run_steps(sh, PARTS.iter().flat_map(|part| part.steps));
    for line in report.skipped.iter().chain(&report.failed) {
        eprintln!("{line}");
    }
    println!("{}", sh.tally());
    if report.is_bad(sh.ci()) { Err(Failure::Told) } else { Ok(()) }
}

#[derive(Default)]
struct Report {
    skipped: Vec<String>,
    failed: Vec<String>,
}

impl Report {
    /// Where everything could have been installed, a skip hides a defect.
    fn is_bad(&self, ci: bool) -> bool {
        !self.failed.is_empty() || (ci && !self.skipped.is_empty())
    }
}

fn run_steps<'a>(sh: &Sh, steps: impl Iterator<Item = &'a Step>) -> Report {
    let mut report = Report::default();
    for step in steps.filter(|step| step.test) {
        let missing =
            |needs: &[&Need]| needs.iter().filter_map(|need| need.ensure(sh, sh.ci()).err()).collect();
        let (needs, wants): (Vec<_>, Vec<_>) = (missing(step.needs), missing(step.wants));
        report.skipped.extend(needs.iter().map(|why| format!("SKIPPED {}: {why}", step.name)));
        report.skipped.extend(wants.iter().map(|why| format!("SKIPPED some of {}: {why}", step.name)));
        if needs.is_empty() {
            eprintln!("-- {}", step.name);
            report.failed.extend((step.run)(sh).err().map(|why| format!("FAILED {}: {why}", step.name)));
        }
    }
    report
}

/// All unit, integration and documentation tests of the workspace.
pub(crate) fn workspace(sh: &Sh) -> Res {
    sh.cargo().words("test --workspace --no-fail-fast").run_tests()
}

/// The main scenarios once more, with the program as two processes.
pub(crate) fn two_processes(sh: &Sh) -> Res {
    let tests =
        "test --workspace --no-fail-fast --test sessions --test restarts --test transfers --test bad_acs";
    sh.cargo().words(tests).env("CWMPD_PROCESSES", "2").run_tests()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::need::Install;

    const ABSENT: Need = Need { what: "a unicorn", probe: |_| false, install: Install::ByHand("find one") };
    const OK: Step = Step { name: "ok", needs: &[], wants: &[], test: true, run: |_| Ok(()) };
    const BAD: Step = Step { name: "bad", run: |_| Err("no".into()), ..OK };

    #[test]
    fn what_lacks_its_needs_is_skipped_with_the_remedy_and_the_rest_runs() {
        let steps = [
            Step { needs: &[&ABSENT], ..BAD },
            Step { wants: &[&ABSENT], ..OK },
            BAD,
            Step { test: false, ..BAD },
        ];
        let report = run_steps(&Sh::new(), steps.iter());
        let remedy = "a unicorn is missing; to get it: find one";
        assert_eq!(
            report.skipped,
            [format!("SKIPPED bad: {remedy}"), format!("SKIPPED some of ok: {remedy}")]
        );
        assert_eq!(report.failed, ["FAILED bad: no"]);
    }

    #[test]
    fn a_skip_is_a_failure_only_under_ci() {
        let skipped = Report { skipped: vec![String::new()], ..Report::default() };
        assert!(skipped.is_bad(true) && !skipped.is_bad(false));
        let failed = Report { failed: vec![String::new()], ..Report::default() };
        assert!(failed.is_bad(true) && failed.is_bad(false));
    }
}

//! `ci`: every part of the table to the end, so that one run shows all failures.

use crate::need;
use crate::parts::{PARTS, Part};
use crate::sh::{Failure, Res, Sh, seconds};
use std::time::{Duration, Instant};

/// A part that takes this many times its budget is hanging: its programs are killed. Below that it runs on, since the
/// time that it really needs is worth knowing.
const KILL_AFTER_BUDGETS: u32 = 2;

pub(crate) fn run(sh: &Sh) -> Res {
    let lines: Vec<_> = PARTS.iter().map(|part| run_part(sh, part)).collect();
    eprintln!("\n== summary");
    for line in &lines {
        eprintln!("{}", line.text);
    }
    // The very last line of a run, for machines that read nothing else.
    println!("{}", sh.tally());
    if lines.iter().all(|line| line.ok) { Ok(()) } else { Err(Failure::Told) }
}

struct Line {
    ok: bool,
    text: String,
}

fn run_part(sh: &Sh, part: &Part) -> Line {
    eprintln!("\n== {} (budget {} min)", part.name, part.minutes);
    let budget = Duration::from_secs(part.minutes * 60);
    let started = Instant::now();
    let failed = sh.within(budget * KILL_AFTER_BUDGETS, || {
        let mut failed = Vec::new();
        for step in part.steps {
            eprintln!("-- {}", step.name);
            // What is only wanted does not stop the step, but a part of it that is skipped is a failure all the same.
            let wants = need::ensure_all(step.wants, sh, sh.ci());
            let done = need::ensure_all(step.needs, sh, sh.ci()).and_then(|()| (step.run)(sh));
            for failure in [wants, done].into_iter().filter_map(Result::err) {
                eprintln!("FAILED {}: {failure}", step.name);
                failed.push(step.name);
            }
        }
        failed
    });
    let line = verdict(part.name, started.elapsed(), budget, &failed);
    eprintln!("== {}", line.text);
    line
}

fn verdict(name: &str, took: Duration, budget: Duration, failed: &[&str]) -> Line {
    let mut wrong = failed.iter().map(|step| format!("FAILED: {step}")).collect::<Vec<_>>();
    if took > budget {
        wrong.push("OVER BUDGET".to_owned());
    }
    let ok = wrong.is_empty();
    let result = if ok { "ok".to_owned() } else { wrong.join(", ") };
    Line { ok, text: format!("{name:<26} {:>7} of {:>5}  {result}", seconds(took), seconds(budget)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_part_passes_only_within_its_budget_and_without_failures() {
        assert!(verdict("p", MINUTE, MINUTE, &[]).ok);
        let late = verdict("p", MINUTE * 2, MINUTE, &[]);
        assert!(!late.ok && late.text.ends_with("120 s of  60 s  OVER BUDGET"), "{}", late.text);
        let both = verdict("p", MINUTE * 2, MINUTE, &["lint", "deny"]);
        assert!(!both.ok && both.text.ends_with("FAILED: lint, FAILED: deny, OVER BUDGET"), "{}", both.text);
    }

    #[test]
    fn all_steps_of_a_part_run_though_the_first_fails() {
        use crate::parts::Step;
        let part = Part {
            name: "p",
            minutes: 1,
            steps: &[
                Step { name: "bad", needs: &[], wants: &[], test: false, run: |_| Err("no".into()) },
                Step { name: "worse", needs: &[], wants: &[], test: false, run: |_| Err("no".into()) },
            ],
        };
        let line = run_part(&Sh::new(), &part);
        assert!(line.text.ends_with("FAILED: bad, FAILED: worse"), "{}", line.text);
    }

    #[test]
    fn the_budgets_add_up_to_less_than_an_hour() {
        assert!(PARTS.iter().map(|part| part.minutes).sum::<u64>() < 60);
    }
}

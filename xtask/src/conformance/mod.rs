//! `conformance`: which requirements of TR-069 are shown by a test that passes. Writes `docs/conformance.md`.
//!
//! `table` has the requirements, `shown` finds what carries their numbers, `run` runs it.

mod run;
mod shown;
mod table;

use crate::flags;
use crate::sh::{Failure, Res, Sh};
use run::Outcomes;
use shown::{CaseFile, RustTest};
use std::fmt::Write as _;
use table::Requirement;

const PAGE: &str = "docs/conformance.md";
const CASES: &str = "tests/conformance/cases/";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Passed,
    Failed,
    Untested,
    NotApplicable,
}

/// A requirement with what shows it.
struct Row<'a> {
    requirement: &'a Requirement,
    /// Tests and cases, each with whether it passed.
    shown_by: Vec<(String, bool)>,
    state: State,
}

pub(crate) fn run(sh: &Sh, options: &flags::Conformance) -> Res {
    let table = read(sh, table::FILE)?;
    let requirements = table::read(&table)?;
    let (tests, cases) = collect(sh)?;
    known(&requirements, &tests, &cases)?;
    let outcomes = run::run(sh, &tests)?;
    let missing: Vec<_> = cases.iter().filter(|case| !outcomes.cases.contains_key(&case.file)).collect();
    if let Some(case) = missing.first() {
        return Err(format!("{CASES}{} was not played: it cannot be read, or runs nowhere", case.file).into());
    }
    let rows = rows(&requirements, &tests, &cases, &outcomes);
    let summary = summary(&rows);
    let page = page(&rows, &summary);
    if !options.quiet {
        print!("{}", listed(&rows));
    }
    let wrong = settle(sh, options, &page)?;
    println!("{summary}");
    let failed = rows.iter().any(|row| row.state == State::Failed);
    if failed || wrong { Err(Failure::Told) } else { Ok(()) }
}

/// The same in `ci`: the page must be the one that is committed.
pub(crate) fn check(sh: &Sh) -> Res {
    run(sh, &flags::Conformance { check: true, quiet: true })
}

/// Writes the page, or compares it; `true` where it differs from what is committed.
fn settle(sh: &Sh, options: &flags::Conformance, page: &str) -> Res<bool> {
    let path = sh.root().join(PAGE);
    if options.check {
        let differs = std::fs::read_to_string(&path).ok().as_deref() != Some(page);
        if differs {
            eprintln!("{PAGE} is not what the tests say; `cargo xtask conformance` writes it");
        }
        return Ok(differs);
    }
    std::fs::write(&path, page).map_err(|error| format!("{PAGE}: {error}"))?;
    Ok(false)
}

fn read(sh: &Sh, path: &str) -> Res<String> {
    Ok(std::fs::read_to_string(sh.root().join(path)).map_err(|error| format!("{path}: {error}"))?)
}

fn collect(sh: &Sh) -> Res<(Vec<RustTest>, Vec<CaseFile>)> {
    let listed = sh.cmd("git").words("ls-files -z --cached --others --exclude-standard").read()?;
    let mut paths: Vec<_> = listed.split('\0').filter(|path| sh.root().join(path).is_file()).collect();
    paths.sort_unstable();
    paths.dedup();
    let (mut tests, mut cases) = (Vec::new(), Vec::new());
    for path in paths {
        if let Some(file) = path.strip_prefix(CASES) {
            cases.push(shown::case(file, &read(sh, path)?));
        } else if path.ends_with(".rs") && !path.starts_with("xtask/") {
            tests.extend(shown::rust_tests(path, &read(sh, path)?)?);
        }
    }
    Ok((tests, cases))
}

/// Every number that is named anywhere must be one of the table.
fn known(requirements: &[Requirement], tests: &[RustTest], cases: &[CaseFile]) -> Res {
    let of_tests = tests.iter().map(|test| (format!("{}::{}", test.file, test.name), &test.numbers));
    let of_cases = cases.iter().map(|case| (format!("{CASES}{}", case.file), &case.numbers));
    for (place, numbers) in of_tests.chain(of_cases) {
        if let Some(number) = numbers.iter().find(|n| !requirements.iter().any(|known| known.number == **n)) {
            return Err(format!("{place}: there is no requirement {number} in {}", table::FILE).into());
        }
    }
    Ok(())
}

fn rows<'a>(
    requirements: &'a [Requirement],
    tests: &[RustTest],
    cases: &[CaseFile],
    outcomes: &Outcomes,
) -> Vec<Row<'a>> {
    let row = |requirement: &'a Requirement| {
        let mut shown_by = Vec::new();
        for case in cases.iter().filter(|case| case.numbers.contains(&requirement.number)) {
            let passed = outcomes.cases.get(&case.file).copied();
            shown_by.extend(passed.map(|passed| (case.file.clone(), passed)));
        }
        for test in tests.iter().filter(|test| test.numbers.contains(&requirement.number)) {
            let passed = outcomes.tests.get(&(test.file.clone(), test.name.clone())).copied();
            shown_by.extend(passed.map(|passed| (format!("{}::{}", test.file, test.name), passed)));
        }
        let state = match () {
            () if shown_by.iter().any(|(_, passed)| !passed) => State::Failed,
            () if !shown_by.is_empty() => State::Passed,
            () if !requirement.not_applicable.is_empty() => State::NotApplicable,
            () => State::Untested,
        };
        Row { requirement, shown_by, state }
    };
    requirements.iter().map(row).collect()
}

fn summary(rows: &[Row<'_>]) -> String {
    let count = |state: State, must: bool| {
        rows.iter().filter(|row| row.state == state && (!must || row.requirement.level == "MUST")).count()
    };
    let counts = |must: bool| {
        format!(
            "{} passed, {} failed, {} untested, {} not applicable",
            count(State::Passed, must),
            count(State::Failed, must),
            count(State::Untested, must),
            count(State::NotApplicable, must)
        )
    };
    format!("conformance: {} of {} (MUST: {})", counts(false), rows.len(), counts(true))
}

fn state(row: &Row<'_>) -> String {
    match row.state {
        State::Passed => "passed".to_owned(),
        State::Failed => "FAILED".to_owned(),
        State::Untested => "untested".to_owned(),
        State::NotApplicable => format!("not applicable: {}", row.requirement.not_applicable),
    }
}

/// The table for the terminal.
fn listed(rows: &[Row<'_>]) -> String {
    let mut text = String::new();
    for row in rows {
        let Requirement { number, level, text: what, .. } = row.requirement;
        let _ = writeln!(text, "{number:>5}  {level:<6}  {what:<90}  {}", state(row));
        for (name, _) in row.shown_by.iter().filter(|(_, passed)| !passed) {
            let _ = writeln!(text, "                 {name}");
        }
    }
    text
}

/// Titles of the groups, by number.
const GROUPS: [&str; 13] = [
    "Transport and HTTP",
    "Session lifecycle",
    "Events",
    "Methods",
    "Attributes and notifications",
    "Connection requests",
    "File transfers",
    "Reboot, factory reset, bootstrap",
    "Data model",
    "Diagnostics",
    "Software modules",
    "Discovery of the ACS",
    "Security and robustness",
];

fn page(rows: &[Row<'_>], summary: &str) -> String {
    let mut page = format!(
        "# Conformance\n\n\
         What TR-069 Amendment 6 and its data models ask of an agent, and which test shows it. `cargo xtask conformance` runs\n\
         the tests and writes this page. The numbers are the project's own; the requirements are those of\n\
         `{}`. *Untested* means that no test shows it, be it that it is not yet built or that only\n\
         a test is missing. A name with `::` is a Rust test; the others are cases below `{CASES}`.\n\n\
         {summary}\n",
        table::FILE
    );
    let mut group = "";
    for row in rows {
        let Requirement { number, level, text, .. } = row.requirement;
        let this = number.split('.').next().unwrap_or_default();
        if this != group {
            group = this;
            let title =
                this.parse::<usize>().ok().and_then(|at| GROUPS.get(at.checked_sub(1)?)).unwrap_or(&"");
            let _ = write!(
                page,
                "\n## {this} {title}\n\n| number | level | requirement | shown by | state |\n|---|---|---|---|---|\n"
            );
        }
        let names: Vec<_> = row.shown_by.iter().map(|(name, _)| format!("`{name}`")).collect();
        let _ = writeln!(page, "| {number} | {level} | {text} | {} | {} |", names.join("<br>"), state(row));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requirement(number: &str, level: &str, not_applicable: &str) -> Requirement {
        let owned = str::to_owned;
        Requirement {
            number: owned(number),
            level: owned(level),
            text: owned("text"),
            not_applicable: owned(not_applicable),
        }
    }

    fn test(name: &str, number: &str) -> RustTest {
        RustTest { file: "a.rs".into(), name: name.into(), numbers: vec![number.into()] }
    }

    #[test]
    fn one_failing_test_fails_its_requirement_and_a_test_that_never_ran_shows_nothing() {
        let requirements = [
            requirement("1.01", "MUST", ""),
            requirement("1.02", "MUST", ""),
            requirement("1.03", "MAY", ""),
            requirement("1.04", "MUST", "not offered"),
        ];
        let tests =
            [test("good", "1.01"), test("bad", "1.01"), test("good", "1.02"), test("ignored", "1.03")];
        let mut outcomes = Outcomes::default();
        outcomes.tests.insert(("a.rs".into(), "good".into()), true);
        outcomes.tests.insert(("a.rs".into(), "bad".into()), false);
        let rows = rows(&requirements, &tests, &[], &outcomes);
        let states: Vec<_> = rows.iter().map(|row| row.state).collect();
        assert_eq!(states, [State::Failed, State::Passed, State::Untested, State::NotApplicable]);
        assert_eq!(
            summary(&rows),
            "conformance: 1 passed, 1 failed, 1 untested, 1 not applicable of 4 \
             (MUST: 1 passed, 1 failed, 0 untested, 1 not applicable)"
        );
        let page = page(&rows, "");
        assert!(page.contains("| 1.02 | MUST | text | `a.rs::good` | passed |"), "{page}");
    }

    #[test]
    fn a_number_that_does_not_exist_is_an_error() {
        let requirements = [requirement("1.01", "MUST", "")];
        assert!(known(&requirements, &[test("a", "1.01")], &[]).is_ok());
        let error = known(&requirements, &[test("a", "9.99")], &[]).unwrap_err().to_string();
        assert!(error.starts_with("a.rs::a: there is no requirement 9.99"), "{error}");
    }
}

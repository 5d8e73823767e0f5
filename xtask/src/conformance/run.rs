//! Runs the tests that carry numbers, and the cases, and says which passed.

use super::shown::{RustTest, module};
use crate::sh::{Res, Sh};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A test program that cargo has built.
struct Program {
    path: PathBuf,
    /// Its main source file, from the repository's root.
    source: String,
    /// Folder of its package; a test runs there.
    folder: PathBuf,
}

/// Outcome of each Rust test (by file and name) and each case (by file); what is missing was not run.
#[derive(Debug, Default)]
pub(super) struct Outcomes {
    pub(super) tests: BTreeMap<(String, String), bool>,
    pub(super) cases: BTreeMap<String, bool>,
}

/// The program that plays the cases.
const CASES: &str = "tests/tests/conformance.rs";

pub(super) fn run(sh: &Sh, tests: &[RustTest]) -> Res<Outcomes> {
    let mut outcomes = Outcomes::default();
    for program in programs(sh)? {
        if program.source == CASES {
            let printed = sh.cmd(&program.path).arg("--nocapture").dir(&program.folder).capture()?;
            note_cases(&printed.stdout, &mut outcomes.cases);
            if !printed.success {
                eprintln!("{}{}", printed.stdout, printed.stderr);
            }
            continue;
        }
        let mine: Vec<&RustTest> = tests.iter().filter(|test| belongs(&program, test, sh.root())).collect();
        if mine.is_empty() {
            continue;
        }
        let all = sh.cmd(&program.path).words("--list --format terse").dir(&program.folder).read()?;
        let all: Vec<&str> = all.lines().filter_map(|line| line.strip_suffix(": test")).collect();
        let mut command = sh.cmd(&program.path).arg("--exact").dir(&program.folder);
        let mut wanted = Vec::new();
        for test in mine {
            for name in all.iter().filter(|name| is_it(name, test)) {
                command = command.arg(name);
                wanted.push((*name, test));
            }
        }
        if wanted.is_empty() {
            continue;
        }
        let printed = command.capture()?;
        if !printed.success {
            eprintln!("{}{}", printed.stdout, printed.stderr);
        }
        for (name, test) in wanted {
            let Some(passed) = outcome(&printed.stdout, name) else { continue };
            let key = (test.file.clone(), test.name.clone());
            let so_far = outcomes.tests.get(&key).copied().unwrap_or(true);
            outcomes.tests.insert(key, so_far && passed);
        }
    }
    Ok(outcomes)
}

/// Builds all test programs. The whole workspace, as in `test`: one package alone would enable other features and compile
/// everything again.
fn programs(sh: &Sh) -> Res<Vec<Program>> {
    let built = sh.cargo().words("test --workspace --no-run --quiet --message-format=json").read()?;
    let mut programs = Vec::new();
    for line in built.lines() {
        let Ok(message) = serde_json::from_str::<Value>(line) else { continue };
        let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let is_test = message.pointer("/profile/test").and_then(Value::as_bool) == Some(true);
        let (Some(path), Some(source), Some(manifest)) =
            (text("/executable"), text("/target/src_path"), text("/manifest_path"))
        else {
            continue;
        };
        if is_test {
            let folder = Path::new(&manifest).parent().unwrap_or(sh.root()).to_owned();
            let source = Path::new(&source).strip_prefix(sh.root()).map_err(|error| error.to_string())?;
            programs.push(Program { path: path.into(), source: source.display().to_string(), folder });
        }
    }
    if programs.is_empty() { Err("cargo built no test programs".into()) } else { Ok(programs) }
}

/// Whether a test can be part of a program: its file is the program's own, or lies among the program's modules.
fn belongs(program: &Program, test: &RustTest, root: &Path) -> bool {
    let folder = program.folder.strip_prefix(root).unwrap_or(&program.folder);
    let of_library = program.source.ends_with("/src/lib.rs") || program.source.ends_with("/src/main.rs");
    program.source == test.file || (of_library && Path::new(&test.file).starts_with(folder.join("src")))
}

/// Whether a name that a program lists, such as `agent::tests::retries::waits_differ`, is this test.
fn is_it(name: &str, test: &RustTest) -> bool {
    let (module_path, function) = name.rsplit_once("::").unwrap_or(("", name));
    let module = module(&test.file);
    function == test.name
        && (module.is_empty() || module_path == module || module_path.starts_with(&format!("{module}::")))
}

/// What a test program printed of one test; `None` when it was ignored or never ran.
fn outcome(printed: &str, name: &str) -> Option<bool> {
    let of_it = |line: &str| {
        let rest = line.strip_prefix("test ")?.strip_prefix(name)?;
        // `test x - should panic ... ok`
        let (note, said) = rest.split_once(" ... ")?;
        (note.is_empty() || note.starts_with(" - ")).then(|| said.to_owned())
    };
    match printed.lines().find_map(of_it)?.as_str() {
        "ok" => Some(true),
        "ignored" => None,
        said if said.starts_with("ignored") => None,
        _ => Some(false),
    }
}

/// Reads the lines `case FILE in memory: passed`. A case that runs in two places passes in both.
fn note_cases(printed: &str, cases: &mut BTreeMap<String, bool>) {
    for line in printed.lines() {
        let Some((_, rest)) = line.split_once("case ") else { continue };
        let Some((what, outcome)) = rest.rsplit_once(": ") else { continue };
        let file = [" in memory", " on the wire"].iter().find_map(|place| what.strip_suffix(place));
        if let Some(file) = file {
            let so_far = cases.get(file).copied().unwrap_or(true);
            cases.insert(file.to_owned(), so_far && outcome == "passed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_read_from_what_the_programs_print() {
        let printed = "running 3 tests\ntest a::b ... ok\ntest a::bc ... FAILED\ntest c ... ignored, needs x\n\
                       test d - should panic ... ok\n";
        assert_eq!(outcome(printed, "a::b"), Some(true));
        assert_eq!(outcome(printed, "a::bc"), Some(false));
        assert_eq!(outcome(printed, "c"), None);
        assert_eq!(outcome(printed, "d"), Some(true));
        assert_eq!(outcome(printed, "e"), None);
    }

    #[test]
    fn a_case_passes_where_it_passes_everywhere() {
        let mut cases = BTreeMap::new();
        let printed = "test x ... case g/1-a.case in memory: passed\ncase g/2-b.case in memory: passed\n\
                       case g/2-b.case on the wire: failed\n";
        note_cases(printed, &mut cases);
        assert!(cases["g/1-a.case"]);
        assert!(!cases["g/2-b.case"]);
    }

    #[test]
    fn a_test_is_known_by_its_module_and_name() {
        let test = |file: &str| RustTest { file: file.into(), name: "t".into(), numbers: Vec::new() };
        assert!(is_it("agent::tests::t", &test("crates/c/src/agent/tests.rs")));
        assert!(is_it("retry::tests::t", &test("crates/c/src/retry.rs")));
        assert!(!is_it("other::tests::t", &test("crates/c/src/retry.rs")));
        assert!(is_it("t", &test("crates/c/tests/x.rs")));
    }
}

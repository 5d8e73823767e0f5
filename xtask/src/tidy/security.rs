//! The page on security: every test that it names exists. A threat whose test is gone is a threat that nothing stops.

use super::{File, Finding};

const PAGE: &str = "docs/security.md";
const CASES: &str = "tests/conformance/cases/";

/// What shows a row stands between backticks: `file.rs::test`, a case, or a fuzz target.
pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let Some(page) = files.iter().find(|file| file.path == PAGE) else { return Vec::new() };
    let mut findings = Vec::new();
    for (line, text) in (1..).zip(page.text.lines()) {
        for named in text.split('`').skip(1).step_by(2).filter(|named| !exists(files, named)) {
            findings.push(Finding {
                path: PAGE.to_owned(),
                line,
                what: format!("there is no {named}"),
                why: "each threat has a test that shows what stops it: name the one that does now",
            });
        }
    }
    findings
}

/// Whether a text is no name of a test, or that of one that is there.
fn exists(files: &[File], named: &str) -> bool {
    let text = |path: &str| files.iter().find(|file| file.path == path).map(|file| file.text.as_str());
    if let Some((path, test)) = named.split_once(".rs::") {
        let text = text(&format!("{path}.rs")).unwrap_or_default();
        return text.contains(&format!("fn {test}("));
    }
    if named.ends_with(".case") {
        return text(&format!("{CASES}{named}")).is_some();
    }
    !named.starts_with("fuzz/") || text(named).is_some()
}

#[cfg(test)]
mod tests {
    use super::super::{brief, file};
    use super::*;

    #[test]
    fn a_test_that_is_not_there_is_found() {
        let page = "| a | b | `x/a.rs::there` `1-a/b.case` `fuzz/fuzz_targets/a.rs` |\n\
                    | `--flag` | b | `x/a.rs::gone`, `x/b.rs::there` `1-a/c.case` `fuzz/fuzz_targets/b.rs` |\n";
        let files = [
            file(PAGE, page),
            file("x/a.rs", "#[test]\nfn there() {}\n// fn gone\n"),
            file("tests/conformance/cases/1-a/b.case", ""),
            file("fuzz/fuzz_targets/a.rs", ""),
        ];
        let gone = ["x/a.rs::gone", "x/b.rs::there", "1-a/c.case", "fuzz/fuzz_targets/b.rs"];
        assert_eq!(brief(&check(&files)), gone.map(|name| format!("2 there is no {name}")));
        assert_eq!(brief(&check(&files[1..])), [""; 0], "without the page there is nothing to check");
    }
}

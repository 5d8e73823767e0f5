//! What shows a requirement: Rust tests whose documentation names numbers, and cases.

use crate::sh::Res;
use std::path::Path;

/// A Rust test with numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RustTest {
    /// Source file, from the repository's root.
    pub(super) file: String,
    pub(super) name: String,
    pub(super) numbers: Vec<String>,
}

/// A case with its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CaseFile {
    /// From the folder of the cases.
    pub(super) file: String,
    pub(super) numbers: Vec<String>,
}

const MARK: &str = "Conformance:";

/// The tests of one source file whose documentation has a line `Conformance: 2.11, 2.12`, or one that begins with numbers.
pub(super) fn rust_tests(file: &str, text: &str) -> Res<Vec<RustTest>> {
    let mut tests = Vec::new();
    let (mut numbers, mut is_test, mut marked) = (Vec::new(), false, None);
    for (at, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if let Some(doc) = line.strip_prefix("///") {
            let doc = doc.trim();
            if doc.starts_with(MARK) {
                marked = Some(at);
                let found = listed(doc.strip_prefix(MARK).unwrap_or_default());
                if found.is_empty() {
                    return Err(format!("{file}:{at}: `{MARK}` is followed by no numbers").into());
                }
                numbers.extend(found);
            } else {
                numbers.extend(listed(doc));
            }
        } else if line.starts_with("#[") {
            is_test |= line == "#[test]" || line.starts_with("#[tokio::test");
        } else if let Some(name) = function(line).filter(|_| is_test && !numbers.is_empty()) {
            tests.push(RustTest { file: file.to_owned(), name, numbers: std::mem::take(&mut numbers) });
            (is_test, marked) = (false, None);
        } else {
            if let Some(at) = marked.take() {
                return Err(format!("{file}:{at}: `{MARK}` stands at what is no test").into());
            }
            numbers.clear();
            is_test = false;
        }
    }
    Ok(tests)
}

/// `fn name(` or `async fn name(`.
fn function(line: &str) -> Option<String> {
    let rest = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ")?;
    rest.split_once('(').map(|(name, _)| name.to_owned())
}

/// The numbers that a text begins with: `2.17, 2.18: the waits …`.
fn listed(text: &str) -> Vec<String> {
    let mut numbers = Vec::new();
    for word in text.split([',', ' ']).filter(|word| !word.is_empty()) {
        let number = word.trim_end_matches([':', '.', ';']);
        if !is_number(number) {
            break;
        }
        numbers.push(number.to_owned());
        if number.len() != word.len() {
            break;
        }
    }
    numbers
}

/// `2.17`: two parts, the second of two digits.
fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('.').is_some_and(|(group, place)| digits(group) && digits(place) && place.len() == 2)
}

/// The numbers in the `covers` lines of a case.
pub(super) fn case(file: &str, text: &str) -> CaseFile {
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix("covers "));
    let numbers = lines.flat_map(|line| line.split([',', ' '])).filter(|word| !word.is_empty());
    CaseFile { file: file.to_owned(), numbers: numbers.map(str::to_owned).collect() }
}

/// The module path that the tests of a source file have within their program: `agent::tests::bench` for
/// `crates/cwmp-core/src/agent/tests/bench.rs`. Files in `tests/` are programs of their own.
pub(super) fn module(file: &str) -> String {
    let Some((_, below)) = file.split_once("/src/") else { return String::new() };
    let path = Path::new(below).with_extension("");
    let parts = path.iter().map(|part| part.to_string_lossy().into_owned());
    let parts: Vec<_> = parts.filter(|part| !["mod", "lib", "main"].contains(&part.as_str())).collect();
    parts.join("::")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(String, String)> {
        let tests = rust_tests("a.rs", text).unwrap();
        tests.into_iter().map(|test| (test.name, test.numbers.join(" "))).collect()
    }

    #[test]
    fn a_test_counts_for_the_numbers_in_its_documentation() {
        let text = "/// Says more.\n/// Conformance: 1.01, 1.02\n#[test]\nfn a() {\n}\n\n/// 2.17, 2.18: the waits.\n\
                    #[tokio::test(start_paused = true)]\nasync fn b() {}\n/// 3.01\nfn helper() {}\n#[test]\nfn c() {}\n";
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(found(text), [pair("a", "1.01 1.02"), pair("b", "2.17 2.18")]);
    }

    #[test]
    fn numbers_at_what_is_no_test_are_an_error() {
        let error = rust_tests("a.rs", "/// Conformance: 1.01\nfn helper() {}\n").unwrap_err().to_string();
        assert!(error.starts_with("a.rs:1: "), "{error}");
        assert!(rust_tests("a.rs", "/// Conformance: soon\n#[test]\nfn a() {}\n").is_err());
    }

    #[test]
    fn numbers_are_read_until_something_else_comes() {
        assert_eq!(listed("2.17, 2.18: and 3.01"), ["2.17", "2.18"]);
        assert_eq!(listed("2.17 and 2.18"), ["2.17"]);
        assert!(
            listed("TR-069a6 3.7.1").is_empty() && listed("3.7.1.4").is_empty() && listed("0.5 s").is_empty()
        );
        assert_eq!(case("x", "# 1.01\ncovers 1.01, 1.02\n").numbers, ["1.01", "1.02"]);
    }

    #[test]
    fn a_file_has_its_module() {
        assert_eq!(module("crates/cwmp-core/src/agent/tests/mod.rs"), "agent::tests");
        assert_eq!(module("crates/cwmp-core/src/retry.rs"), "retry");
        assert_eq!(module("crates/cwmp-core/src/lib.rs"), "");
        assert_eq!(module("crates/cwmp-core/tests/soap_header.rs"), "");
    }
}

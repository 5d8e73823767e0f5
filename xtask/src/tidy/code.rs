//! Rules of Rust source: a protocol without I/O, no silenced lints, files that a reader can hold in the head.

use super::source::{self, Line};
use super::{File, Finding};

/// A file of this many lines has more than one idea.
const MAX_LINES: usize = 600;

/// Modules of `std` that the protocol must not name.
const STD_IO: &[&str] = &["env", "fs", "io", "net", "os", "process", "thread"];

/// Names that the protocol must not use: runtimes, clocks, random sources, and collections whose order is random.
const NOT_PURE: &[&str] =
    &["tokio", "getrandom", "rand", "SystemTime", "Instant", "HashMap", "HashSet", "async", "await"];

/// Lints that keep what ships from panicking or from hiding work; see the workspace's Cargo.toml.
const KEPT_LINTS: &[&str] = &[
    "clippy::dbg_macro",
    "clippy::expect_used",
    "clippy::indexing_slicing",
    "clippy::panic",
    "clippy::string_slice",
    "clippy::todo",
    "clippy::unimplemented",
    "clippy::unwrap_used",
    "unsafe_code",
];

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let sources = || files.iter().filter(|file| file.path.ends_with(".rs"));
    let tests = source::declared_tests(sources().map(|file| (file.path.as_str(), file.text.as_str())));
    for file in sources() {
        findings.extend(length(file));
        let shipped = file.path.starts_with("crates/") || file.path.starts_with("platforms/");
        if !shipped {
            continue;
        }
        let lines = source::shipped(&file.path, &file.text, &tests);
        findings.extend(silenced(file, &lines));
        findings.extend(unreachable(file, &lines));
        if file.path.starts_with("crates/cwmp-core/") {
            findings.extend(impure(file, &lines));
        }
    }
    findings
}

fn found(file: &File, line: usize, what: String, why: &'static str) -> Finding {
    Finding { path: file.path.clone(), line, what, why }
}

fn length(file: &File) -> Option<Finding> {
    let count = file.text.lines().count();
    let why = "a file holds one idea: split it by ideas, not by length";
    (count >= MAX_LINES).then(|| found(file, 0, format!("{count} lines, {MAX_LINES} or more"), why))
}

fn silenced(file: &File, lines: &[Line]) -> Vec<Finding> {
    let why = "what ships must not panic on outside input: handle the case instead of silencing the lint";
    let mut findings = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let code = line.code.trim_start();
        let silences = code.contains("allow(") || code.contains("expect(") || code.starts_with("clippy::");
        // `cfg_attr(test, allow(..))` reaches tests only.
        if !silences || code.contains("cfg_attr(test") || is_constant(lines.get(at + 1..).unwrap_or_default())
        {
            continue;
        }
        if let Some(lint) = KEPT_LINTS.iter().find(|lint| words(code).any(|word| word == **lint)) {
            findings.push(found(file, line.number, format!("silences {lint}"), why));
        }
    }
    findings
}

/// Whether the item behind an attribute is a constant: the compiler evaluates it, so it cannot panic on a box.
fn is_constant(after: &[Line]) -> bool {
    let mut codes = after.iter().map(|line| line.code.trim()).filter(|code| !code.is_empty());
    let item = codes.find(|code| !code.starts_with('#')).unwrap_or("");
    let mut words = item.split_whitespace().skip_while(|word| word.starts_with("pub"));
    words.next() == Some("const") && !matches!(words.next(), Some("fn" | "unsafe" | "extern"))
}

fn unreachable(file: &File, lines: &[Line]) -> Vec<Finding> {
    let why = "a box must not panic: let the types rule the case out, or return an error";
    let panics = lines.iter().filter(|line| line.code.contains("unreachable!("));
    panics.map(|line| found(file, line.number, "unreachable!".to_owned(), why)).collect()
}

fn impure(file: &File, lines: &[Line]) -> Vec<Finding> {
    let why = "cwmp-core is the protocol without I/O, clock and randomness: pass it in as an input or out as an effect \
               (addresses are in core::net, ordered collections in BTreeMap)";
    let mut findings = Vec::new();
    for line in lines {
        for word in words(&line.code) {
            let segments: Vec<_> = word.split("::").collect();
            let module = match segments.as_slice() {
                ["std", module, ..] => STD_IO.iter().find(|banned| *banned == module),
                _ => None,
            };
            let name = segments.iter().find_map(|segment| NOT_PURE.iter().find(|banned| *banned == segment));
            if let Some(module) = module {
                findings.push(found(file, line.number, format!("uses std::{module}"), why));
            } else if let Some(name) = name {
                findings.push(found(file, line.number, format!("uses {name}"), why));
            }
        }
        findings.extend(
            grouped(&line.code).map(|module| found(file, line.number, format!("uses std::{module}"), why)),
        );
    }
    findings
}

/// Paths and names in a line: runs of letters, digits, `_` and `:`.
fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).map(|word| word.trim_matches(':'))
}

/// Banned modules in `use std::{...}` on one line.
fn grouped(code: &str) -> impl Iterator<Item = &'static &'static str> {
    let group = code.split_once("std::{").map_or("", |(_, group)| group);
    let first =
        |item: &str| item.split("::").next().map(|name| name.trim().trim_end_matches([';', '}']).to_owned());
    let names: Vec<_> = group.split(',').filter_map(first).collect();
    STD_IO.iter().filter(move |banned| names.iter().any(|name| name == *banned))
}

#[cfg(test)]
mod tests {
    use super::super::{brief, file};
    use super::*;

    fn core(text: &str) -> Vec<String> {
        brief(&check(&[file("crates/cwmp-core/src/a.rs", text)]))
    }

    #[test]
    fn the_protocol_must_not_touch_the_outside() {
        assert_eq!(core("use std::fs;\n"), ["1 uses std::fs"]);
        assert_eq!(core("let a: ::std::net::IpAddr;\n"), ["1 uses std::net"]);
        assert_eq!(core("use std::{fmt, thread::spawn};\n"), ["1 uses std::thread"]);
        assert_eq!(core("\nlet now = SystemTime::now();\n"), ["2 uses SystemTime"]);
        assert_eq!(core("use tokio::time::sleep;\nasync fn f() {}\n"), ["1 uses tokio", "2 uses async"]);
        assert_eq!(core("let a: HashMap<u8, u8>;\n"), ["1 uses HashMap"]);
    }

    #[test]
    fn the_protocol_may_speak_of_the_outside_and_its_tests_may_touch_it() {
        let text = "//! No tokio here.\nuse core::net::IpAddr;\nuse std::{fmt, mem};\nlet operand = \"std::fs\";\n\
                    #[cfg(test)]\nmod tests {\n    use std::fs;\n}\n";
        assert_eq!(core(text), [""; 0]);
        assert!(check(&[file("crates/cwmpd/src/a.rs", "use std::fs;\n")]).is_empty());
    }

    #[test]
    fn lints_stay_on_in_what_ships() {
        assert_eq!(core("#[allow(clippy::unwrap_used)]\n"), ["1 silences clippy::unwrap_used"]);
        assert_eq!(core("#![expect(clippy::panic, reason = \"x\")]\n"), ["1 silences clippy::panic"]);
        assert_eq!(core("#[allow(\n    clippy::todo,\n)]\n"), ["2 silences clippy::todo"]);
        assert_eq!(core("#[allow(clippy::too_many_lines)]\n"), [""; 0]);
        assert_eq!(core("#![cfg_attr(test, allow(clippy::unwrap_used))]\n"), [""; 0]);
        assert_eq!(brief(&check(&[file("tests/tests/a.rs", "#![allow(clippy::unwrap_used)]\n")])), [""; 0]);
    }

    #[test]
    fn a_constant_is_checked_by_the_compiler() {
        let attribute = "#[allow(clippy::indexing_slicing, reason = \"x\")]\n";
        assert_eq!(core(&format!("{attribute}pub(super) const A: u8 = B[0];\n")), [""; 0]);
        for item in ["const fn f() {}", "fn const_() {}", "static mut A: u8 = 0;"] {
            assert_eq!(
                core(&format!("{attribute}{item}\n")),
                ["1 silences clippy::indexing_slicing"],
                "{item}"
            );
        }
    }

    #[test]
    fn a_panic_by_another_name_is_found() {
        assert_eq!(core("_ => unreachable!(),\n"), ["1 unreachable!"]);
    }

    #[test]
    fn a_long_file_is_found() {
        assert_eq!(core(&"\n".repeat(MAX_LINES)), ["0 600 lines, 600 or more"]);
        assert_eq!(core(&"\n".repeat(MAX_LINES - 1)), [""; 0]);
    }
}

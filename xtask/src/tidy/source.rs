//! Rust source as the rules see it: without comments and texts, and divided into what ships and what only tests.

use std::collections::BTreeSet;

/// One line of code with comments removed and the contents of string and character literals blanked.
pub(super) struct Line {
    pub(super) number: usize,
    pub(super) code: String,
    /// Inside a module under `#[cfg(test)]`.
    pub(super) test: bool,
}

/// Whether the whole file is test code, going by the folder that cargo gives a meaning.
fn is_test_path(path: &str) -> bool {
    path.starts_with("tests/") || path.contains("/tests/") || path.contains("/benches/")
}

/// The files that other files declare as test modules: `#[cfg(test)] mod tests;`. Test code by its declaration and
/// not by a name, which could hide code that ships.
pub(super) fn declared_tests<'a>(files: impl Iterator<Item = (&'a str, &'a str)>) -> BTreeSet<String> {
    let mut declared = BTreeSet::new();
    for (path, text) in files {
        let Some((folder, file)) = path.rsplit_once('/') else { continue };
        let modules = match file.trim_end_matches(".rs") {
            "mod" | "lib" | "main" => folder.to_owned(),
            stem => format!("{folder}/{stem}"),
        };
        for (line, raw) in lines(text).iter().zip(text.lines()).filter(|(line, _)| line.test) {
            // `#[path = ".."]` counts from the declaring file's folder, whatever that file is called.
            if line.code.trim().starts_with("#[path") {
                declared.extend(raw.split('"').nth(1).map(|name| format!("{folder}/{name}")));
            }
            let code = line.code.trim().trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ");
            if let Some(name) = code.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')) {
                declared.insert(format!("{modules}/{name}.rs"));
                declared.insert(format!("{modules}/{name}/mod.rs"));
            }
        }
    }
    declared
}

/// What ships of a file. `declared` comes from [`declared_tests`].
pub(super) fn shipped(path: &str, text: &str, declared: &BTreeSet<String>) -> Vec<Line> {
    if is_test_path(path) || declared.contains(path) {
        return Vec::new();
    }
    lines(text).into_iter().filter(|line| !line.test).collect()
}

/// Splits a file into lines of code.
fn lines(text: &str) -> Vec<Line> {
    let code = |(index, code): (usize, &str)| Line { number: index + 1, code: code.to_owned(), test: false };
    let mut lines: Vec<Line> = strip(text).lines().enumerate().map(code).collect();
    mark_tests(&mut lines);
    lines
}

/// Marks each item under `#[cfg(test)]`: rustfmt closes it with a brace in the column where it began.
fn mark_tests(lines: &mut [Line]) {
    let mut lines = lines.iter_mut();
    while let Some(line) = lines.next() {
        if !line.code.trim_start().starts_with("#[cfg(test)]") {
            continue;
        }
        let indent = line.code.len() - line.code.trim_start().len();
        let close = format!("{}}}", " ".repeat(indent));
        line.test = true;
        for line in lines.by_ref() {
            line.test = true;
            let code = line.code.trim_end();
            let item_ends = code.len() > indent && (code.ends_with(';') || code.ends_with('}'));
            // `mod tests;` and one-line items end where they begin.
            let at_indent = code.len() - code.trim_start().len() == indent;
            if code == close || (at_indent && item_ends && !code.trim_start().starts_with('#')) {
                break;
            }
        }
    }
}

/// Replaces comments and the contents of literals by nothing, keeping line breaks.
fn strip(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if first == '"' {
            out.push_str("\"\"");
            quoted(rest)
        } else if let Some(length) = raw_string(rest, out.chars().next_back()) {
            out.push_str("\"\"");
            length
        } else if let Some(length) = character(rest) {
            out.push_str("' '");
            length
        } else {
            out.push(first);
            rest = rest.get(first.len_utf8()..).unwrap_or("");
            continue;
        };
        let (gone, left) = rest.split_at_checked(skipped).unwrap_or((rest, ""));
        out.extend(gone.chars().filter(|c| *c == '\n'));
        rest = left;
    }
    out
}

/// The length of a block comment; they nest.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(rest) = text.get(at..) {
        if rest.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(text.len(), char::len_utf8);
        }
    }
    text.len()
}

/// The length of a string literal, which ends at the first quote that is not escaped.
fn quoted(text: &str) -> usize {
    let mut escaped = true; // The opening quote does not close.
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of `r"..."` or `r#"..."#`, unless the `r` ends a name.
fn raw_string(text: &str, before: Option<char>) -> Option<usize> {
    if before.is_some_and(|c| c.is_alphanumeric() && c != 'b' || c == '_') {
        return None;
    }
    let after = text.strip_prefix('r')?;
    let body = after.trim_start_matches('#');
    let hashes = after.len() - body.len();
    let body = body.strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    let opening = 1 + hashes + 1;
    Some(body.find(&close).map_or(text.len(), |end| opening + end + close.len()))
}

/// The length of a character literal; a lifetime is none.
fn character(text: &str) -> Option<usize> {
    let body = text.strip_prefix('\'')?;
    let first = body.chars().next()?;
    if first == '\\' {
        // The character after the backslash may itself be a quote.
        let end = body.char_indices().skip(2).find(|(_, c)| *c == '\'')?.0;
        return Some(1 + end + 1);
    }
    let after = body.get(first.len_utf8()..)?;
    after.starts_with('\'').then_some(1 + first.len_utf8() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped(text: &str) -> Vec<usize> {
        let lines = super::shipped("crates/x/src/a.rs", text, &BTreeSet::new());
        lines.iter().map(|line| line.number).collect()
    }

    #[test]
    fn comments_and_texts_are_no_code() {
        let text = "a // b\n/* c /* d\n*/ e */ f(\"g \\\" h\", r#\"i\n\"j\"#, '\"', '\\'', k::<'l>) /// m\n";
        assert_eq!(strip(text), "a \n\n f(\"\", \"\"\n, ' ', ' ', k::<'l>) \n");
    }

    #[test]
    fn a_name_that_ends_in_r_starts_no_raw_string() {
        assert_eq!(strip("for\"x\" br\"y\""), "for\"\" b\"\"");
    }

    #[test]
    fn test_modules_do_not_ship() {
        let text =
            "a\n#[cfg(test)]\n#[allow(x)]\nmod tests {\n    fn b() {}\n}\nc\n#[cfg(test)]\nmod t;\nd\n";
        assert_eq!(shipped(text), [1, 7, 10]);
    }

    #[test]
    fn test_items_inside_an_impl_do_not_ship() {
        let text = "impl A {\n    #[cfg(test)]\n    fn b() {\n        c\n    }\n    fn d() {}\n}\n";
        assert_eq!(shipped(text), [1, 6, 7]);
    }

    #[test]
    fn a_file_is_a_test_by_its_folder_or_by_its_declaration() {
        let declaring = "mod b;\n#[cfg(test)]\nmod b_tests;\n#[cfg(test)]\npub(crate) mod kit;\n";
        let elsewhere = "#[cfg(test)]\n#[path = \"elsewhere.rs\"]\nmod tests;\n";
        let files = [("crates/x/src/lib.rs", declaring), ("crates/x/src/b.rs", elsewhere)];
        let declared = declared_tests(files.into_iter());
        let ships = |path: &str| !super::shipped(path, "x", &declared).is_empty();
        for path in ["b_tests.rs", "kit/mod.rs", "b/tests.rs", "elsewhere.rs", "tests/c.rs"] {
            assert!(!ships(&format!("crates/x/src/{path}")), "{path}");
        }
        for path in ["b.rs", "tests.rs", "latest.rs", "c_tests.rs"] {
            assert!(ships(&format!("crates/x/src/{path}")), "{path}");
        }
        assert!(!ships("tests/tests/a.rs") && !ships("crates/x/benches/c.rs"));
    }
}

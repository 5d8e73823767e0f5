//! `tidy`: the project's invariants that no compiler checks, each with the place and the reason when it is broken.
//!
//! | module | keeps |
//! |---|---|
//! | `manifests` | who may depend on whom; what every manifest inherits |
//! | `code` | no I/O in the protocol, no silenced lints, file sizes |
//! | `security` | every test that the page on security names |
//! | `text` | no paths of somebody's machine, no registry hosts, no unfinished work, no dead links |

mod code;
mod manifests;
mod security;
mod source;
mod text;

use crate::sh::{Res, Sh};
use std::fmt;

/// A file of the repository: its path from the root, with `/`, and its text.
pub(super) struct File {
    path: String,
    text: String,
}

/// One broken rule.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Finding {
    path: String,
    /// From 1; 0 speaks of the file as a whole.
    line: usize,
    what: String,
    /// The reason for the rule and the way out.
    why: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": {}: {}", self.what, self.why)
    }
}

/// The page that every crate must be found on.
const ARCHITECTURE: &str = "docs/architecture.md";

pub(crate) fn run(sh: &Sh) -> Res {
    let findings = findings(sh)?;
    for finding in &findings {
        eprintln!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        count => Err(format!("tidy: {count} broken rule(s), see above").into()),
    }
}

fn findings(sh: &Sh) -> Res<Vec<Finding>> {
    let metadata = sh.cargo().words("metadata --no-deps --format-version 1").read()?;
    let packages = manifests::packages(&metadata, sh.root())?;
    let files = files(sh)?;
    let mut findings = manifests::layering(&packages);
    findings.extend(manifests::inheritance(&packages, &files));
    findings.extend(code::check(&files));
    findings.extend(text::check(&files));
    findings.extend(text::links(&files));
    findings.extend(security::check(&files));
    findings.extend(architecture(&packages, &files));
    Ok(findings)
}

/// All files that git knows or would add. What is no UTF-8 is data: it has a path, no text, and so no rules.
fn files(sh: &Sh) -> Res<Vec<File>> {
    let listed = sh.cmd("git").words("ls-files -z --cached --others --exclude-standard").read()?;
    let mut paths: Vec<_> = listed.split('\0').filter(|path| !path.is_empty()).collect();
    paths.sort_unstable();
    paths.dedup();
    let read = |path: &str| {
        // A deleted file is listed until the deletion is committed.
        let bytes = std::fs::read(sh.root().join(path)).ok()?;
        Some(File { path: path.to_owned(), text: String::from_utf8(bytes).unwrap_or_default() })
    };
    Ok(paths.into_iter().filter_map(read).collect())
}

/// Once there is an architecture page, no crate may be missing on it.
fn architecture(packages: &[manifests::Package], files: &[File]) -> Vec<Finding> {
    let Some(page) = files.iter().find(|file| file.path == ARCHITECTURE) else { return Vec::new() };
    let described = |package: &&manifests::Package| {
        let folder = package.folder.as_str();
        let counts = folder.starts_with("crates/") || folder.starts_with("platforms/");
        counts && !page.text.contains(folder) && !page.text.contains(&package.name)
    };
    let missing = packages.iter().filter(described);
    missing
        .map(|package| Finding {
            path: ARCHITECTURE.to_owned(),
            line: 0,
            what: format!("does not mention {}", package.folder),
            why: "who reads it must find every crate and its purpose there",
        })
        .collect()
}

#[cfg(test)]
pub(super) fn file(path: &str, text: &str) -> File {
    File { path: path.to_owned(), text: text.to_owned() }
}

/// The findings as `line what`, for tests.
#[cfg(test)]
pub(super) fn brief(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|finding| format!("{} {}", finding.line, finding.what)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_tree_is_tidy() {
        let findings = findings(&Sh::new()).unwrap();
        let lines: Vec<_> = findings.iter().map(ToString::to_string).collect();
        assert!(findings.is_empty(), "\n{}", lines.join("\n"));
    }

    #[test]
    fn a_finding_names_file_line_and_reason() {
        let finding = Finding { path: "a.rs".into(), line: 3, what: "x".into(), why: "y" };
        assert_eq!(finding.to_string(), "a.rs:3: x: y");
        assert_eq!(Finding { line: 0, ..finding }.to_string(), "a.rs: x: y");
    }

    #[test]
    fn a_crate_that_the_architecture_page_forgets_is_found() {
        let package = |name: &str, folder: &str| manifests::Package {
            name: name.into(),
            folder: folder.into(),
            dependencies: Vec::new(),
            build_dependencies: Vec::new(),
        };
        let packages = [
            package("cwmp-core", "crates/cwmp-core"),
            package("cwmp-uci", "crates/cwmp-uci"),
            package("xtask", "xtask"),
        ];
        let page = [file(ARCHITECTURE, "`cwmp-core`: the protocol")];
        assert_eq!(brief(&architecture(&packages, &page)), ["0 does not mention crates/cwmp-uci"]);
        assert!(architecture(&packages, &[]).is_empty());
    }
}

//! Rules of every text file: nothing that is true on one machine only, nothing unfinished.

use super::{File, Finding};

/// Folders of somebody's machine. Written in two halves, so that this file passes its own rule.
const MACHINE_PATHS: &[&str] =
    &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];

/// Package registries and their mirrors: which one serves is the machine's configuration.
const REGISTRIES: &[&str] =
    &["crates.io", "pypi.org", "pythonhosted.org", "npmjs.org", "npmjs.com", "proxy.golang.org"];

/// Marks of work that is not done, also in two halves.
const UNFINISHED: &[&str] =
    &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("to", "do!")];

/// Foreign data keeps its own words.
const DATA: &[&str] = &[".tsv", ".xml", ".xsd", ".txt", ".json", ".pcap"];

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| !file.path.ends_with(".lock")) {
        let data = DATA.iter().any(|end| file.path.ends_with(end));
        for (index, text) in file.text.lines().enumerate() {
            let mut push = |what: String, why| {
                findings.push(Finding { path: file.path.clone(), line: index + 1, what, why });
            };
            if let Some(path) = machine_path(text) {
                push(
                    format!("names the path {path}"),
                    "it exists on one machine only: make it relative or a setting",
                );
            }
            if let Some(host) = registry(text) {
                push(
                    format!("names the registry host {host}"),
                    "which registry serves is the machine's configuration",
                );
            }
            if let Some(mark) = (!data).then(|| unfinished(text)).flatten() {
                push(format!("says {mark}"), "finish it, or describe the limit as a fact");
            }
        }
    }
    findings
}

/// Links of Markdown pages to files of the repository; `files` are all that there are.
pub(super) fn links(files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for page in files.iter().filter(|file| file.path.ends_with(".md")) {
        for (index, text) in page.text.lines().enumerate() {
            let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
            for target in targets.filter(|target| !target.is_empty() && !target.contains(':')) {
                let wanted = resolved(&page.path, target);
                if !files
                    .iter()
                    .any(|file| file.path == wanted || file.path.starts_with(&format!("{wanted}/")))
                {
                    let what = format!("links to {target}");
                    let why = "there is no such file in the repository";
                    findings.push(Finding { path: page.path.clone(), line: index + 1, what, why });
                }
            }
        }
    }
    findings
}

/// A link's target from the repository's root.
fn resolved(page: &str, target: &str) -> String {
    let mut parts: Vec<_> = page.split('/').collect();
    parts.pop();
    for part in target.trim_end_matches('/').split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." => {}
            name => parts.push(name),
        }
    }
    parts.join("/")
}

/// A machine's folder at the beginning of a path, not in the middle of one or of a URL.
fn machine_path(line: &str) -> Option<&'static str> {
    let begins = |at: usize| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        !before.is_some_and(|c| c.is_alphanumeric() || "-_.}*/".contains(c))
    };
    MACHINE_PATHS.iter().find(|path| line.match_indices(**path).any(|(at, _)| begins(at))).copied()
}

/// The host of a URL in the line, where it is a registry's.
fn registry(line: &str) -> Option<&str> {
    let ends = |c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '-');
    let mut hosts = line.split("://").skip(1).filter_map(|rest| rest.split(ends).next());
    hosts.find(|host| {
        REGISTRIES
            .iter()
            .any(|name| host.strip_suffix(name).is_some_and(|sub| sub.is_empty() || sub.ends_with('.')))
    })
}

fn unfinished(line: &str) -> Option<&'static str> {
    let alone = |at: usize, mark: &str| {
        let letter = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        let after = line.get(at + mark.len()..).and_then(|text| text.chars().next());
        !letter(before) && (mark.ends_with('!') || !letter(after))
    };
    UNFINISHED.iter().find(|mark| line.match_indices(**mark).any(|(at, _)| alone(at, mark))).copied()
}

#[cfg(test)]
mod tests {
    use super::super::{brief, file};
    use super::*;

    fn found(path: &str, line: &str) -> Vec<String> {
        brief(&check(&[file(path, line)]))
    }

    #[test]
    fn a_path_of_one_machine_is_found() {
        for path in MACHINE_PATHS {
            assert_eq!(found("a.md", &format!("see `{path}x`")), [format!("1 names the path {path}")]);
            for elsewhere in
                [format!("lib{path}x"), format!("http://acs.example{path}x"), format!("${{DIR}}{path}x")]
            {
                assert_eq!(found("a.md", &elsewhere), [""; 0], "{elsewhere}");
            }
        }
    }

    #[test]
    fn a_registry_host_is_found_outside_the_lock_file() {
        let line = format!("source = \"https{}index.crates.io/x\"", "://");
        assert_eq!(found("a.toml", &line), ["1 names the registry host index.crates.io"]);
        assert_eq!(found("Cargo.lock", &line), [""; 0]);
        assert_eq!(found("a.md", &format!("http{}notcrates.io/ or crates.io", "://")), [""; 0]);
    }

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let page = "[a](../README.md#top) [b](./c.md) [d](https://example.org/e)\n[f](none.md) [g](../docs/) [h](#i)";
        let files = [file("docs/b.md", page), file("docs/c.md", ""), file("README.md", "")];
        assert_eq!(brief(&links(&files)), ["2 links to none.md"]);
    }

    #[test]
    fn unfinished_work_is_found_in_our_words_and_not_in_foreign_data() {
        for mark in UNFINISHED {
            assert_eq!(found("a.rs", &format!("// {mark} later")), [format!("1 says {mark}")]);
            assert_eq!(found("a.tsv", mark), [""; 0]);
        }
        assert_eq!(found("a.sh", &format!("mktemp {0}{0}", UNFINISHED[2])), [""; 0]);
    }
}

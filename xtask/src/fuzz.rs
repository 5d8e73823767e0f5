//! `fuzz`: the targets of `fuzz/`, built once and then run two at a time, each from its own corpus.
//!
//! Our code has no unsafe blocks, so the targets look for panics, broken promises and memory that grows, and run without a
//! sanitizer, several times as fast.

use crate::flags;
use crate::need::{Install, NIGHTLY, Need, ensure_all};
use crate::sh::{Cmd, Res, Sh, seconds};
use std::path::{Path, PathBuf};
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};
use std::time::Duration;

pub(crate) const CARGO_FUZZ: Need = Need {
    what: "cargo-fuzz",
    probe: |sh| sh.target("tools/bin/cargo-fuzz").is_file(),
    install: Install::Cargo { name: "cargo-fuzz", version: "0.13.2", root: "tools", quick: true },
};

/// What each target gets in CI.
const CI_SECONDS: u64 = 20;
/// Targets that run at once.
const AT_ONCE: usize = 2;
/// Longest input, in bytes: every structure fits, and thousands of inputs a second.
const MAX_LEN: u32 = 4096;
/// A target that uses more memory has found something.
const RSS_LIMIT_MB: u32 = 512;
/// An input that takes longer has found something.
const INPUT_SECONDS: u32 = 5;
/// What a target may take over its time: starting, reading its corpus, its last input.
const GRACE: Duration = Duration::from_secs(60);
/// The only machine that libFuzzer is used on here.
const TRIPLE: &str = "x86_64-unknown-linux-gnu";

pub(crate) fn run(sh: &Sh, options: &flags::Fuzz) -> Res {
    ensure_all(&[&NIGHTLY, &CARGO_FUZZ], sh, sh.ci() || options.setup)?;
    let targets = chosen(targets(sh)?, options.target.as_deref())?;
    let build = cargo_fuzz(sh)
        .words("build --sanitizer none --codegen-units 16")
        .arg("--target-dir")
        .arg(sh.target("fuzz"));
    match &options.target {
        Some(target) => build.arg(target).run()?,
        None => build.run()?,
    }
    let time = Duration::from_secs(options.seconds.unwrap_or(CI_SECONDS));
    let (next, lines) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(targets.len()) {
            scope.spawn(|| {
                while let Some(target) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let line = fuzz(target, time);
                    eprintln!("{}", line.as_ref().unwrap_or_else(|failure| failure));
                    lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                }
            });
        }
    });
    let lines = lines.into_inner().unwrap_or_else(PoisonError::into_inner);
    let failed = lines.iter().filter(|line| line.is_err()).count();
    println!("fuzz: {} targets, {} each, {failed} failed", targets.len(), seconds(time));
    if failed == 0 { Ok(()) } else { Err(format!("fuzz: {failed} target(s) failed, see above").into()) }
}

/// As `ci` runs it.
pub(crate) fn check(sh: &Sh) -> Res {
    run(sh, &flags::Fuzz::default())
}

fn cargo_fuzz(sh: &Sh) -> Cmd<'_> {
    // cargo finds its subcommands in the path.
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(sh.target("tools/bin")).chain(std::env::split_paths(&folders));
    let path = std::env::join_paths(folders).unwrap_or_default();
    // This program runs under a toolchain of its own choice, which would go before `+nightly`.
    sh.cmd("rustup").words("run nightly cargo fuzz").env("PATH", path)
}

/// The names of the targets, as the manifest lists them.
fn targets(sh: &Sh) -> Res<Vec<String>> {
    let manifest = sh.root().join("fuzz/Cargo.toml");
    let text = std::fs::read_to_string(&manifest).map_err(|e| format!("{}: {e}", manifest.display()))?;
    let targets = listed(&text);
    if targets.is_empty() { Err("fuzz/Cargo.toml lists no target".into()) } else { Ok(targets) }
}

fn listed(manifest: &str) -> Vec<String> {
    let name = |line: &str| {
        let rest = line.trim().strip_prefix("{ name = \"")?;
        rest.split_once('"').map(|(name, _)| name.to_owned())
    };
    manifest.lines().filter_map(name).collect()
}

fn chosen(all: Vec<String>, wanted: Option<&str>) -> Res<Vec<String>> {
    let Some(wanted) = wanted else { return Ok(all) };
    if all.iter().any(|target| target == wanted) {
        return Ok(vec![wanted.to_owned()]);
    }
    Err(format!("there is no fuzz target `{wanted}`; there are: {}", all.join(", ")).into())
}

/// Runs one target; both outcomes are a text for people.
fn fuzz(target: &str, time: Duration) -> Result<String, String> {
    // One a thread: what they share is the terminal alone.
    let sh = Sh::new();
    let found = sh.target("fuzz/corpus").join(target);
    let artifacts = sh.target("fuzz/artifacts").join(target);
    for folder in [&found, &artifacts] {
        std::fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    let program = sh.target("fuzz").join(TRIPLE).join("release").join(target);
    let mut command = sh.cmd(program).arg(&found);
    let kept = sh.root().join("fuzz/corpus").join(target);
    if kept.is_dir() {
        command = command.arg(kept);
    }
    let command = command
        .arg(format!("-max_total_time={}", time.as_secs()))
        .arg(format!("-max_len={MAX_LEN}"))
        .arg(format!("-rss_limit_mb={RSS_LIMIT_MB}"))
        .arg(format!("-timeout={INPUT_SECONDS}"))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .arg("-print_final_stats=1");
    let done =
        sh.within(time + GRACE, || command.capture()).map_err(|failure| format!("{target}: {failure}"))?;
    if done.success {
        let stat = |name: &str| stat(&done.stderr, name).unwrap_or("?");
        let (runs, peak) = (stat("number_of_executed_units"), stat("peak_rss_mb"));
        return Ok(format!("{target:<20} {runs:>10} inputs, at most {peak} MB"));
    }
    Err(format!(
        "{}\nFAILED {target}: to see it again: {}",
        tail(&done.stderr),
        again(&sh, target, &artifacts)
    ))
}

/// A figure of libFuzzer's last lines: `stat::peak_rss_mb: 45`.
fn stat<'a>(output: &'a str, name: &str) -> Option<&'a str> {
    output
        .lines()
        .find_map(|line| line.strip_prefix("stat::")?.strip_prefix(name)?.strip_prefix(':'))
        .map(str::trim)
}

fn tail(output: &str) -> String {
    const LINES: usize = 40;
    let lines: Vec<_> = output.lines().collect();
    lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default().join("\n")
}

/// The command that shows a crash, with the newest input that caused one.
fn again(sh: &Sh, target: &str, artifacts: &Path) -> String {
    let program = PathBuf::from("target/fuzz").join(TRIPLE).join("release").join(target);
    let files = std::fs::read_dir(artifacts).into_iter().flatten().flatten();
    let newest = files.max_by_key(|file| file.metadata().and_then(|data| data.modified()).ok());
    let input = newest.map(|file| file.path()).unwrap_or_else(|| artifacts.to_owned());
    let input = input.strip_prefix(sh.root()).map_or(input.clone(), Path::to_owned);
    format!("{} {}", program.display(), input.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_lists_the_targets_and_each_has_its_file() {
        let sh = Sh::new();
        let names = targets(&sh).unwrap();
        for name in &names {
            assert!(sh.root().join(format!("fuzz/fuzz_targets/{name}.rs")).is_file(), "{name}");
            assert!(sh.root().join("fuzz/corpus").join(name).is_dir(), "{name} has no corpus");
        }
        let files = std::fs::read_dir(sh.root().join("fuzz/fuzz_targets")).unwrap().count();
        assert_eq!(files, names.len(), "a target that the manifest does not list");
    }

    #[test]
    fn one_target_is_chosen_by_its_name() {
        let all = || vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(chosen(all(), None).unwrap(), all());
        assert_eq!(chosen(all(), Some("b")).unwrap(), ["b"]);
        let error = chosen(all(), Some("c")).unwrap_err().to_string();
        assert_eq!(error, "there is no fuzz target `c`; there are: a, b");
    }

    #[test]
    fn figures_are_read_from_the_last_lines() {
        let output = "Done 12 runs\nstat::number_of_executed_units: 12\nstat::peak_rss_mb:              45\n";
        assert_eq!(stat(output, "peak_rss_mb"), Some("45"));
        assert_eq!(stat(output, "other"), None);
    }
}

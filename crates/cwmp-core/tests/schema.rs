//! Every message that is written is valid by the Broadband Forum's schemas.
//!
//! Needs python3 with lxml (Debian: python3-lxml) and a folder with `bbf/` (the schemas) and `tools/validate_soap.py`,
//! named by `CWMP_SCHEMA_DIR` or lying at `../shared` from the repository.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "tests")]

mod common;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

fn schema_dir() -> PathBuf {
    env::var_os("CWMP_SCHEMA_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from)
}

/// The system's python where there is one: distributions package lxml for it.
fn python() -> &'static str {
    if Path::new("/usr/bin/python3").exists() { "/usr/bin/python3" } else { "python3" }
}

fn why_not(tool: &Path) -> Option<String> {
    if !tool.is_file() {
        return Some(format!("there is no {}; name its folder in CWMP_SCHEMA_DIR", tool.display()));
    }
    let lxml = Command::new(python()).args(["-c", "import lxml.etree"]).output();
    if lxml.is_ok_and(|output| output.status.success()) {
        return None;
    }
    Some(format!("{} has no lxml; install python3-lxml", python()))
}

#[test]
fn every_message_is_valid_by_the_schema() {
    let tool = schema_dir().join("tools/validate_soap.py");
    if let Some(why) = why_not(&tool) {
        assert!(env::var("CI").as_deref() != Ok("true"), "the schema check cannot run: {why}");
        eprintln!("skipped: {why}");
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("schema");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let samples = common::sample::envelopes(600);
    for (name, bytes) in &samples {
        fs::write(folder.join(name), bytes).unwrap();
    }
    let names = samples.iter().map(|(name, _)| name);
    let output = Command::new(python()).arg(&tool).args(names).current_dir(&folder).output().unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    let invalid: Vec<&str> = report.lines().filter(|line| !line.ends_with(": valid")).take(10).collect();
    assert!(
        output.status.success() && invalid.is_empty() && report.lines().count() == samples.len(),
        "in {}:\n{}\n{}",
        folder.display(),
        invalid.join("\n"),
        String::from_utf8_lossy(&output.stderr)
    );
}

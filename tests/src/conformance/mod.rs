//! The conformance cases: what an ACS does and what the agent must do, as data.
//!
//! A case is a text file below `tests/conformance/cases/`; `README.md` there explains the language. [`parse`] reads it, [`play`]
//! plays it on a [`stage`]: in virtual time in memory ([`world`]) or against the real program over loopback ([`wire`]).
//! [`message`] and [`check`] are the two ends of the conversation.

pub mod check;
pub mod jobs;
pub mod message;
pub mod parse;
pub mod play;
pub mod stage;
pub mod transfers;
pub mod wire;
pub mod world;

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use parse::Case;

/// Which of the two stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    /// Virtual time.
    InMemory,
    /// The real program.
    OnWire,
}

/// The folder of the cases.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/cases")
}

/// All cases in the order of their names.
///
/// # Errors
/// What cannot be read, a sentence each.
pub fn all() -> Result<Vec<Case>, Vec<String>> {
    let (mut cases, mut wrong) = (Vec::new(), Vec::new());
    let mut folders = vec![folder()];
    while let Some(next) = folders.pop() {
        let entries = fs::read_dir(&next).map_err(|error| vec![format!("{}: {error}", next.display())])?;
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(folder()).unwrap_or(&path).display().to_string();
            let text = fs::read_to_string(&path).map_err(|error| error.to_string());
            match text.and_then(|text| Case::parse(&name, &text).map_err(|wrong| wrong.to_string())) {
                Ok(case) => cases.push(case),
                Err(what) => wrong.push(what),
            }
        }
    }
    cases.sort_by(|a, b| a.file.cmp(&b.file));
    if wrong.is_empty() { Ok(cases) } else { Err(wrong) }
}

/// Plays all cases of a stage whose file begins with the text of `CONFORMANCE_CASE`, or all of them without it; prints a line
/// for each, and returns what failed.
pub async fn run_all(place: Where) -> Vec<String> {
    let cases = match all() {
        Ok(cases) => cases,
        Err(wrong) => return wrong,
    };
    let only = std::env::var("CONFORMANCE_CASE").unwrap_or_default();
    let mut failed = Vec::new();
    for case in cases {
        let here = if place == Where::InMemory { case.in_memory } else { case.on_wire };
        if !here || !case.file.contains(&only) {
            continue;
        }
        let done = match place {
            Where::InMemory => in_memory(&case).await,
            Where::OnWire => on_wire(&case).await,
        };
        let stage = if place == Where::InMemory { "in memory" } else { "on the wire" };
        match done {
            Ok(()) => println!("case {} {stage}: passed", case.file),
            Err(what) => {
                println!("case {} {stage}: failed", case.file);
                failed.push(format!("{what} ({stage})"));
            }
        }
    }
    failed
}

async fn in_memory(case: &Case) -> Result<(), String> {
    let mut world =
        world::World::new(&case.factory).await.map_err(|what| format!("{}: no start: {what}", case.file))?;
    play::play(case, &mut world).await.map_err(|wrong| wrong.to_string())
}

async fn on_wire(case: &Case) -> Result<(), String> {
    let mut wire =
        wire::Wire::new(&case.factory).await.map_err(|what| format!("{}: no start: {what}", case.file))?;
    play::play(case, &mut wire)
        .await
        .map_err(|wrong| format!("{wrong}\nlog of the program:\n{}", wire.logged()))
}

/// Settings as the text of factory.ini; of two with the same name the later counts.
fn ini<'a>(settings: impl Iterator<Item = &'a (String, String, String)>) -> String {
    let mut kept: Vec<&(String, String, String)> = Vec::new();
    for setting in settings {
        kept.retain(|(section, key, _)| (section, key) != (&setting.0, &setting.1));
        kept.push(setting);
    }
    kept.sort_by_key(|(section, ..)| section);
    let (mut text, mut last) = (String::new(), None);
    for (section, key, value) in kept {
        if last.replace(section) != Some(section) {
            let _ = writeln!(text, "[{section}]");
        }
        let value = value.replace('\\', "\\\\").replace('"', "\\\"");
        let _ = writeln!(text, "{key} = \"{value}\"");
    }
    text
}

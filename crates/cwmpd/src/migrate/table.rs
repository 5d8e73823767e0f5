//! What became of each option, for people.

use std::fmt::Write as _;

use super::plan::{Fate, Line, Plan};

/// Three columns and a sum. Passwords are not shown. `set` says whether it was done.
pub(super) fn of(plan: &Plan, set: bool) -> String {
    let rows: Vec<[String; 3]> = plan.lines.iter().map(|line| row(line, set)).collect();
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let (first, second) = (width(0), width(1));
    let mut text = String::new();
    for [fate, option, rest] in &rows {
        let _ = writeln!(text, "{fate:first$}  {option:second$}  {rest}");
    }
    let count = |wanted: &Fate| plan.lines.iter().filter(|line| line.fate == *wanted).count();
    let (taken, kept) = (count(&Fate::Taken), count(&Fate::Kept));
    let how = if set { "set" } else { "would be set" };
    let _ = writeln!(text, "{taken} {how} in {}", plan.target);
    if kept > 0 {
        let _ = writeln!(text, "{kept} kept as set on this box: --force overwrites them");
    }
    let port =
        |line: &&Line| line.fate == Fate::Taken && line.key == Some(("cwmpd", "connection_request_port"));
    if let Some(port) = plan.lines.iter().find(port).and_then(|line| line.value.as_deref()) {
        let _ =
            writeln!(text, "the firewall lets in the port firewall_port of /etc/config/cwmpd: here {port}");
    }
    text
}

fn row(line: &Line, set: bool) -> [String; 3] {
    let key = line.key.map(|(section, key)| format!("[{section}] {key}")).unwrap_or_default();
    let value = line.value.as_deref().unwrap_or("(not shown)");
    let (fate, rest) = match &line.fate {
        Fate::Taken if !set => ("would take", format!("{key} = {value}")),
        Fate::Taken => ("taken", format!("{key} = {value}")),
        Fate::Same => ("same", format!("{key} = {value}")),
        Fate::Kept => ("kept", format!("{key}: something else was set on this box")),
        Fate::Left(why) => ("left", why.clone()),
        Fate::Wrong(right) => ("wrong", format!("{key}: must be {right}")),
    };
    [fate.to_owned(), line.option.clone(), rest]
}

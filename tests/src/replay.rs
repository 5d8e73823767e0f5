//! Replays a trace that `cwmpd run` has written (`[cwmpd] trace_file`).

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use cwmp_core::{agent::Agent, trace};

/// Gives every entry of the trace to a fresh agent; `show` sees each before. Returns their number.
///
/// # Errors
/// What cannot be read, or the first line at which the agent does something else than in the field.
pub fn replay(file: &Path, mut show: impl FnMut(&trace::Entry)) -> Result<u32, String> {
    let at = |line: u32, error: &dyn std::fmt::Display| format!("{}:{line}: {error}", file.display());
    let lines = BufReader::new(File::open(file).map_err(|error| at(0, &error))?).lines();
    let mut agent = Agent::new();
    let mut count = 0;
    for line in lines {
        count += 1;
        let line = line.map_err(|error| at(count, &error))?;
        let entry: trace::Entry = serde_json::from_str(&line).map_err(|error| at(count, &error))?;
        show(&entry);
        trace::replay(&mut agent, &entry).map_err(|error| at(count, &error))?;
    }
    Ok(count)
}

//! `replay FILE`: replays a trace from the field and shows what happened.

use std::{path::PathBuf, process::ExitCode};

use cwmp_core::{io::Input, trace::Entry};

fn main() -> ExitCode {
    let Some(file) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: replay FILE");
        return ExitCode::from(2);
    };
    match cwmpd_tests::replay::replay(&file, |entry| println!("{}", line(entry))) {
        Ok(count) => {
            println!("{count} entries, each as recorded");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("replay: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Milliseconds since the boot, what happened, what the agent did.
fn line(entry: &Entry) -> String {
    let what = match entry.input.as_deref() {
        None => "time passes".to_owned(),
        Some(Input::Reply(reply)) => format!("reply {} with {} bytes", reply.status, reply.body.len()),
        Some(input) => {
            let text = format!("{input:?}");
            text.split(['(', ' ']).next().unwrap_or_default().to_owned()
        }
    };
    format!("{:>10} {what:<28} {}", entry.now.mono.0, entry.effects.join(", "))
}

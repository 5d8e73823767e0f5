//! The jobs of the project: `cargo xtask JOB`.

mod datamodel;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let done = match args.split_first() {
        Some((job, rest)) if job == "datamodel" => datamodel::run(rest),
        _ => Err("jobs: datamodel [--check]".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("xtask: {text}");
            ExitCode::FAILURE
        }
    }
}

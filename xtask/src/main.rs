//! What the project does with itself: build, test, demo, ci. `cargo xtask` alone prints the help.

mod bench;
mod build;
mod ci;
mod conformance;
mod datamodel;
mod demo;
mod deny;
mod features;
mod flags;
mod fuzz;
mod interop;
mod libuci;
mod lint;
mod need;
mod parts;
mod powercut;
mod sh;
mod simulate;
mod test;
mod tidy;

use flags::Job;
use sh::{Failure, Sh};
use std::process::ExitCode;

fn main() -> ExitCode {
    let job = match flags::parse(lexopt::Parser::from_env()) {
        Ok(job) => job,
        Err(error) => {
            eprintln!("cargo xtask: {error}; `cargo xtask` alone prints what there is");
            return ExitCode::from(2);
        }
    };
    let sh = Sh::new();
    let done = match job {
        Job::Help => {
            print!("{}", flags::HELP);
            Ok(())
        }
        Job::Bench(options) => bench::run(&sh, &options),
        Job::Build(options) => build::run(&sh, &options),
        Job::Ci => ci::run(&sh),
        Job::Conformance(options) => conformance::run(&sh, &options),
        Job::Datamodel { check } => datamodel::run(&sh, check),
        Job::Demo(options) => demo::run(&sh, &options),
        Job::Deny => deny::run(&sh),
        Job::Features => features::run(&sh),
        Job::Fuzz(options) => fuzz::run(&sh, &options),
        Job::Interop(options) => interop::run(&sh, &options),
        Job::Lint => lint::run(&sh),
        Job::Powercut(options) => powercut::run(&sh, &options),
        Job::Simulate(options) => simulate::run(&sh, &options),
        Job::Test => test::run(&sh),
        Job::Tidy => tidy::run(&sh),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Told) => ExitCode::FAILURE,
        Err(Failure::Message(text)) => {
            eprintln!("cargo xtask: {text}");
            ExitCode::FAILURE
        }
    }
}

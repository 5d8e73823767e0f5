//! cwmpd: a TR-069 (CWMP) agent for routers.
//!
//! The program has two sides, which may be two processes: the box (`run` assembles the parts, `box_loop` is the loop over
//! them, and each `*_task` does one slow thing beside it) and the protocol (`protocol::driver` is the loop that owns the
//! agent). `border` is what passes between them. The rest is configuration, the control socket and the command line. The binary is a call of [`main`]; that this is a
//! library lets tests put the same parts together around a clock and an ACS of their own ([`workbench`]).

#[cfg(not(any(feature = "generic-linux", feature = "openwrt")))]
compile_error!(
    "no platform is chosen: build with at least one platform feature, such as `--features generic-linux`"
);

mod agent_source;
mod arguments;
mod attributes;
mod border;
mod box_loop;
#[cfg(feature = "ubus")]
mod bus;
mod changes;
mod child;
mod clock;
mod config;
mod control;
mod data_task;
mod datamodel;
mod desk;
mod discovery;
mod door;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod gateway_info;
mod jobs;
mod ledger;
mod log;
mod mapping;
#[cfg(feature = "openwrt")]
mod migrate;
mod news;
mod notify;
mod numbers;
mod opening;
mod others;
mod platforms;
mod protocol;
mod protocol_side;
mod restart;
mod run;
mod snapshots;
mod store_task;
mod trace;
mod udp_note;
pub mod workbench;

#[cfg(test)]
mod tests;

use std::process::ExitCode;

use arguments::Command;
use restart::Departure;

/// The program: does what its command line says.
#[must_use]
pub fn main() -> ExitCode {
    match arguments::parse(lexopt::Parser::from_env()) {
        Ok(Command::Help) => {
            print!("{}", arguments::HELP);
            ExitCode::SUCCESS
        }
        Ok(Command::Version) => {
            println!("cwmpd {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        Ok(Command::Ask { socket, request }) => match control::ask(&socket, &request) {
            Ok(answer) if control::print(&answer) => ExitCode::SUCCESS,
            Ok(_) => ExitCode::FAILURE,
            Err(error) => complain(&error),
        },
        Ok(Command::DataModel { config, query }) => match datamodel::run(&config, &query) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(errors) => complain_all(&errors),
        },
        #[cfg(feature = "openwrt")]
        Ok(Command::Migrate { config, migration }) => match migrate::run(&config, &migration) {
            Ok(()) => ExitCode::SUCCESS,
            Err(errors) => complain_all(&errors),
        },
        Ok(Command::DhcpOptions { config }) => match datamodel::device(&config) {
            Ok(device) => {
                print!("{}", discovery::options_to_send(&device));
                ExitCode::SUCCESS
            }
            Err(errors) => complain_all(&errors),
        },
        Ok(Command::Run { config }) => match run::run(&config) {
            Ok(Departure::Stop) => ExitCode::SUCCESS,
            Ok(Departure::StartAgain) => complain(&restart::start_again(0)),
            Ok(Departure::Revive { deaths }) => complain(&restart::start_again(deaths)),
            Err(errors) => complain_all(&errors),
        },
        Ok(Command::Protocol) => match protocol::process::run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(errors) => complain_all(&errors),
        },
        Err(error) => complain(&error),
    }
}

fn complain_all(errors: &[String]) -> ExitCode {
    for error in errors {
        complain(error);
    }
    ExitCode::FAILURE
}

fn complain(error: &str) -> ExitCode {
    eprintln!("cwmpd: {error}");
    ExitCode::FAILURE
}

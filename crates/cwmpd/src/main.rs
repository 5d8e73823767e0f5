//! The program.
#[allow(dead_code)]
mod agent_source;
#[allow(dead_code)]
mod config;

fn main() {}

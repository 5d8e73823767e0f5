//! The program with its object on OpenWrt's bus, which its usual build leaves out.

use std::process::ExitCode;

fn main() -> ExitCode {
    cwmpd::main()
}

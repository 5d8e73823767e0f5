//! Diagnostics: what the ACS starts by setting DiagnosticsState to Requested and reads later.
//!
//! [`Diagnostics`] is the source of `Device.IP.Diagnostics.` and runs the tests that stand below it. The agent decides when
//! a test runs (after the session) and reports its end; this crate keeps inputs, state and results, and does the work.
//!
//! Where to look:
//! * `diagnostics`: the source of parameters, and how requests reach the agent;
//! * `state`: the course of any diagnostic (TR-106, data type DiagnosticsState), whatever it tests;
//! * `object`: one diagnostic as an object of the tree: its kind says what the inputs are and how it runs;
//! * `ip_ping`: IPPing, its parameters and the course of a run;
//! * `echo`: ICMP echo requests over the sockets of the kernel;
//! * [`limits`]: every bound of this crate, by name.
//!
//! Nothing is kept over a restart: TR-106 lets results go with a reboot, and inputs are only good together with the
//! request that the ACS sends after them.

mod diagnostics;
mod echo;
mod ip_ping;
pub mod limits;
mod object;
mod state;

pub use diagnostics::{Diagnostics, InterfaceDevice};

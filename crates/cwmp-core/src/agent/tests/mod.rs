//! The agent against an ACS that the tests play, in virtual time.

mod bench;
mod lightweight;
mod restarts;
mod sessions;
mod triggers;

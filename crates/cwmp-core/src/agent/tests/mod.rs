//! The agent against an ACS that the tests play, in virtual time.

mod bench;
mod restarts;
mod sessions;
mod triggers;

//! The agent against an ACS that the tests play, in virtual time.

mod bench;
mod delivery;
mod diagnostics;
mod first_session;
mod heartbeat;
mod lightweight;
mod order;
mod reboot;
mod rediscovery;
mod restarts;
mod retries;
mod schedule;
mod sessions;
mod silence;
mod software;
mod transfers;
mod triggers;
mod unordered;
mod vendor;

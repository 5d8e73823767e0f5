//! The protocol of TR-069 Amendment 6 (CWMP 1.4), without I/O.
//!
//! This crate has no network code, no clock, no random source and no file system. An [`agent::Agent`] takes
//! [`io::Input`]s together with the present time and hands out [`io::Effect`]s; whoever drives it does the I/O. Every
//! behaviour of the protocol can therefore be tested in virtual time, and a recorded trace can be replayed.
//!
//! Where to look:
//! * [`rpc`]: the methods of both directions as types; [`soap`]: how they look on the wire;
//! * [`io`]: inputs and effects, the border to everything else;
//! * [`agent`]: when sessions start and what follows them; `agent::session`: one session;
//! * [`job`]: long work outside of sessions;
//! * `event`, `retry`, `periodic`: the rules that live longer than one session;
//! * [`discovery`]: the ACS as DHCP tells of it;
//! * [`lightweight`]: notifications over UDP;
//! * [`limits`]: every bound, by name.

pub mod agent;
pub mod datetime;
pub mod digest;
pub mod discovery;
pub mod event;
pub mod fault;
pub mod io;
pub mod job;
pub mod lightweight;
pub mod limits;
pub mod path;
mod periodic;
mod random;
mod retry;
pub mod rpc;
pub mod settings;
pub mod soap;
pub mod software;
pub mod stored;
pub mod time;
pub mod trace;
pub mod transfer;
pub mod url;
pub mod value;
pub mod wait;

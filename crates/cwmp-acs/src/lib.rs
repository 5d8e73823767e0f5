//! A small ACS for development: the demo, the whole-program tests and the benchmarks drive it, and a person can play
//! with it (`cwmp-acs serve`). It is no ACS for operators: everything is kept in memory, and it trusts whoever starts it.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use cwmp_acs::{Acs, AcsOptions};
//! use cwmp_core::rpc::{CpeRequest, GetParameterValues};
//!
//! let acs = Acs::start(AcsOptions::default()).await?;
//! println!("set ManagementServer.URL to {}", acs.url());
//! let names = vec!["Device.DeviceInfo.".to_owned()];
//! let answer = acs.call("*", CpeRequest::GetParameterValues(GetParameterValues { names })).await?;
//! println!("{answer:?}, violations: {:?}", acs.violations());
//! # Ok(())
//! # }
//! ```
//!
//! Where to look:
//! * [`acs`]: the handle, what tests and the program call; [`options`]: how it is set up;
//! * [`session`]: the protocol of one session, a pure sum; [`exchange`]: what goes in and comes out; [`check`]: what is implausible in what a CPE says;
//! * [`cpe`]: what is known of one CPE; [`report`]: what is told of messages, sessions and violations;
//! * `shared` and `state`: what is behind the handle; `server`: HTTP; `wire`: the bytes; `auth`: who may come in;
//! * [`script`]: how to misbehave on purpose; [`files`]: the file server; [`connection_request`], [`udp_request`]: waking a CPE up;
//! * [`arguments`], [`command`], [`mod@print`], [`serve`], [`control`]: the program.
//!
//! TLS is left out: put a TLS proxy in front of it where the agent's https is to be tested.

pub mod acs;
pub mod arguments;
mod auth;
mod calls;
pub mod check;
pub mod command;
pub mod connection_request;
pub mod control;
pub mod cpe;
pub mod exchange;
pub mod files;
pub mod limits;
pub mod options;
pub mod print;
pub mod report;
pub mod script;
pub mod serve;
mod server;
pub mod session;
mod shared;
mod state;
pub mod udp_request;
mod wire;

pub use acs::{Acs, PendingCall};
pub use cpe::{CpeKey, CpeRecord, CpeSelector};
pub use options::{AcsOptions, Authentication, FileOptions, Login};
pub use report::{CallError, Direction, Ending, Message, Rule, SessionReport, Violation, WaitError};
pub use script::{Script, Step};

//! What a platform backend offers to the agent: the verbs that change the box ([`Platform`]) and the parameters that it
//! knows ([`source::ParameterSource`]).
//!
//! Backends live in `platforms/`; the program chooses among them by cargo features. Everything runs on one thread, so
//! nothing here asks for `Send`.

pub mod source;

mod platform;

pub use platform::*;

//! What a platform backend offers to the agent: the verbs that change the box ([`Platform`]) and the parameters that it
//! knows ([`source::ParameterSource`]). What the agent keeps for a backend comes through [`settings::Settings`] and
//! [`instances::InstanceNumbers`]. Parameters that need no code are lines of [`mapping`] files.
//!
//! Backends live in `platforms/`; the program chooses among them by cargo features. Everything runs on one thread, so
//! nothing here asks for `Send`.

pub mod instances;
pub mod mapping;
pub mod settings;
pub mod source;

mod platform;

pub use platform::*;

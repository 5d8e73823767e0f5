//! What a platform backend offers to the agent: the verbs that change the box ([`Platform`]) and the parameters that it
//! knows ([`source::ParameterSource`]). What the agent keeps for a backend comes through [`settings::Settings`] and
//! [`instances::InstanceNumbers`]; what an image must be is [`policy::ImagePolicy`]. Parameters that need no code are lines
//! of [`mapping`] files.
//!
//! Backends live in `platforms/`; the program chooses among them by cargo features. Everything runs on one thread, so
//! nothing here asks for `Send`.

pub mod instances;
pub mod mapping;
pub mod policy;
pub mod settings;
pub mod software;
pub mod source;

mod error;
mod names;
mod pieces;
mod platform;

pub use error::PlatformError;
pub use names::{config_name, target_file_name};
pub use pieces::in_pieces;
pub use platform::*;

//! What survives a power cut.
//!
//! * [`Layers`]: the layered configuration, `user.ini` over `dhcp.ini` over `ISP.def` over `factory.ini`;
//! * [`StateFile`]: one value of the agent's own state, with a checksum and the last good copy;
//! * [`journal`]: the change of the box that is under way, until it is done or undone;
//! * [`prozone`]: memory that a warm reboot keeps, for CommandKeys;
//! * [`durable`]: the few file operations that the files are made of.
//!
//! A write is atomic: after a cut at any moment the old or the new content is there, never a mixture. Nothing is written
//! when nothing has changed, for flash wears.
//!
//! Everything here blocks, for as long as the storage takes to make a few kilobytes durable.

pub mod durable;
pub mod journal;
pub mod prozone;

#[cfg(any(test, feature = "sim"))]
pub mod sim;

mod error;
mod layers;
mod state;

pub use error::{Problem, StoreError};
pub use journal::Journal;
pub use layers::{
    Found, Layer, Layers, check_entry, limits as layer_limits,
    user::{self, Sections, UserLayer},
};
pub use state::{Format, STATE_BYTES, StateFile};

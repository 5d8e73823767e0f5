//! OpenWrt's bus, ubus, without its C library: calls, events, subscriptions and objects of our own.
//!
//! Where to look:
//! * [`value`]: [`Value`] and [`Table`], what is said on the bus;
//! * `blob`, [`blobmsg`]: how that looks in bytes;
//! * `frame`, `message`: messages, and the stream that carries them;
//! * [`client`]: [`Bus`], the connection, and what lives on it: [`Events`], [`Subscription`], [`Published`];
//! * [`object`]: what objects offer;
//! * [`error`]: what goes wrong; [`error::status`]: the codes of the bus;
//! * [`json`]: tables as JSON;
//! * `broker` (feature `broker`, for tests): a bus in the same program;
//! * [`limits`]: every bound of this crate, by name.
//!
//! One task reads the connection and hands out what comes without ever waiting: ubusd discards what a client does not
//! read. All runs on a [`LocalSet`](tokio::task::LocalSet), and nothing needs `Send`.
//!
//! File descriptors that come with a message are closed by the kernel, because they are not asked for.

mod blob;
pub mod blobmsg;
#[cfg(any(test, feature = "broker"))]
pub mod broker;
pub mod client;
pub mod error;
mod frame;
pub mod json;
pub mod limits;
mod message;
pub mod object;
pub mod value;

pub use client::{Bus, BusOptions, Call, Event, Events, Notification, Published, Subscription};
pub use error::{BusError, DecodeError, EncodeError, status};
pub use object::{ArgumentType, MethodInfo, ObjectInfo};
pub use value::{Table, Value};

#[cfg(test)]
mod tests;

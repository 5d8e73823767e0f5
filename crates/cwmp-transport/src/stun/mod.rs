//! STUN: how the box learns where the world sees it, and keeps the NAT from forgetting it (TR-069a6 Annex G).
//!
//! * `message`: requests and answers as bytes;
//! * `exchange`: one request until its answer;
//! * `lifetime`: the search for the longest keep-alive period;
//! * `binding`: the whole course, without sockets.
//!
//! The codec is our own: Annex G wants attributes and a message integrity of RFC 3489 that the crates which are kept up
//! do not have, and what is left of them is a list of attributes. Measured for a stripped x86_64 program, `stun-types`
//! adds 42 KB and `stun_codec` 116 KB.

mod binding;
mod exchange;
mod lifetime;
pub(crate) mod message;

pub(crate) use self::{
    binding::{Act, Binding, Loss},
    exchange::Line,
    message::is_stun,
};

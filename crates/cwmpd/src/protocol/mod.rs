//! The protocol side: the agent and all that touches the network. It opens no files; what it needs of the box it asks for over
//! the [`crate::border`].

mod acs_task;
mod box_side;
#[cfg_attr(not(feature = "confine"), path = "unconfined.rs")]
mod confine;
mod datagram;
pub(crate) mod driver;
mod listener;
pub(crate) mod process;
mod transfers;
#[cfg_attr(not(feature = "stun"), path = "without_udp.rs")]
mod udp_door;
#[cfg_attr(not(feature = "xmpp"), path = "without_xmpp.rs")]
mod xmpp_door;

//! A program without the feature `xmpp`: no connection requests over XMPP are taken.

use cwmp_core::{io::Input, settings::XmppListening};
use cwmp_transport::{ManagementPath, Tls};
use tokio::sync::mpsc;

use super::box_side::BoxSide;

/// A door that stays closed.
pub(crate) struct XmppDoor;

impl XmppDoor {
    pub(crate) fn new(_: ManagementPath, _: Tls, _: BoxSide, _: mpsc::UnboundedSender<Input>) -> Self {
        Self
    }

    #[allow(clippy::unused_self, reason = "with the feature it is used")]
    pub(crate) fn listen(&mut self, _: Option<Box<XmppListening>>) {}

    #[allow(clippy::unused_self, reason = "with the feature it is used")]
    pub(crate) fn network_changed(&self) {}
}

//! A program without the feature `stun`: no connection requests over UDP are taken.

use std::{net::SocketAddr, rc::Rc};

use cwmp_core::{io::Input, settings::UdpListening, time::Wall};
use cwmp_transport::ManagementPath;
use tokio::sync::mpsc;

use super::box_side::BoxSide;

/// A door that stays closed.
pub(crate) struct UdpDoor;

impl UdpDoor {
    pub(crate) fn new(
        _: SocketAddr,
        _: Option<u64>,
        _: ManagementPath,
        _: Rc<dyn Fn() -> Option<Wall>>,
        _: BoxSide,
        _: mpsc::UnboundedSender<Input>,
    ) -> Self {
        Self
    }

    #[allow(clippy::unused_self, reason = "with the feature it is used")]
    pub(crate) fn listen(&self, _: Option<Box<UdpListening>>) {}

    #[allow(clippy::unused_self, reason = "with the feature it is used")]
    pub(crate) fn network_changed(&self) {}

    #[allow(clippy::unused_self, reason = "with the feature it is used")]
    pub(crate) fn settle(&self) -> impl Future<Output = ()> + use<> {
        std::future::ready(())
    }
}

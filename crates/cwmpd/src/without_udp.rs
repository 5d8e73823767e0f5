//! A program without the feature `stun`: no connection requests over UDP are taken.

use std::{net::SocketAddr, path::Path, rc::Rc, sync::Arc};

use cwmp_core::{io::Input, settings::UdpListening, time::Wall};
use cwmp_store::{Problem, StoreError, durable::Files};
use cwmp_transport::ManagementPath;
use tokio::sync::{mpsc, watch};

use crate::{acs_task, agent_source::AgentSource};

/// Nothing is left to the next run.
pub(crate) struct Note;

impl Note {
    #[allow(clippy::unnecessary_wraps, reason = "with the feature it can fail")]
    pub(crate) fn open(_: &Arc<dyn Files>, _: &Path) -> Result<(Self, Vec<Problem>), StoreError> {
        Ok((Self, Vec::new()))
    }
}

/// A door that stays closed.
pub(crate) struct UdpDoor(watch::Sender<bool>);

impl UdpDoor {
    pub(crate) fn new(
        _: SocketAddr,
        _: ManagementPath,
        _: Note,
        _: Rc<dyn Fn() -> Option<Wall>>,
        _: Rc<AgentSource>,
        _: mpsc::UnboundedSender<Input>,
        _: mpsc::UnboundedSender<acs_task::Note>,
    ) -> Self {
        Self(watch::Sender::new(true))
    }

    #[allow(clippy::unused_self, reason = "with the feature it is used")]
    pub(crate) fn listen(&self, _: Option<Box<UdpListening>>) {}

    #[allow(clippy::unused_self, reason = "with the feature it is used")]
    pub(crate) fn network_changed(&self) {}

    pub(crate) fn settled(&self) -> watch::Receiver<bool> {
        self.0.subscribe()
    }
}

//! Connection requests over XMPP (TR-069a6 Annex K): keeps the connection while the agent wants it, and tells the box how it
//! is, for ConnReqJabberID and `Device.XMPP.`.

use std::rc::Rc;

use cwmp_core::{
    io::Input,
    settings::{XmppListening, XmppState},
};
use cwmp_transport::{ManagementPath, Tls, XmppConfig, xmpp};
use tokio::{
    sync::{Notify, mpsc},
    task::JoinHandle,
};

use super::box_side::BoxSide;
use crate::border::Up;

/// Accepted requests on their way to the agent; one is as good as many.
const WAITING_REQUESTS: usize = 4;

/// The connection for connection requests over XMPP, wanted or not.
pub(crate) struct XmppDoor {
    path: ManagementPath,
    tls: Tls,
    side: BoxSide,
    inputs: mpsc::UnboundedSender<Input>,
    network: Rc<Notify>,
    task: Option<JoinHandle<()>>,
}

impl XmppDoor {
    /// No connection yet. Must be used inside a LocalSet.
    pub(crate) fn new(
        path: ManagementPath,
        tls: Tls,
        side: BoxSide,
        inputs: mpsc::UnboundedSender<Input>,
    ) -> Self {
        Self { path, tls, side, inputs, network: Rc::default(), task: None }
    }

    /// Keeps a connection with these settings, or none. With other settings it is made anew.
    pub(crate) fn listen(&mut self, listening: Option<Box<XmppListening>>) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
        // At once, lest an Inform should still lead to it.
        self.side.tell(Up::Xmpp(XmppState::default()));
        let Some(listening) = listening else { return };
        let (sink, mut requests) = mpsc::channel(WAITING_REQUESTS);
        let side = self.side.clone();
        let config = XmppConfig {
            listening: *listening,
            path: self.path.clone(),
            tls: self.tls.clone(),
            sink,
            network: Rc::clone(&self.network),
            report: Box::new(move |state| side.tell(Up::Xmpp(state))),
        };
        let inputs = self.inputs.clone();
        self.task = Some(tokio::task::spawn_local(async move {
            let run = xmpp::run(&config);
            tokio::pin!(run);
            loop {
                tokio::select! {
                    Some(via) = requests.recv() => {
                        inputs.send(Input::ConnectionRequest(via)).ok();
                    }
                    () = &mut run => break,
                }
            }
        }));
    }

    /// The network of the box has changed: the way to the server may be another.
    pub(crate) fn network_changed(&self) {
        self.network.notify_one();
    }
}

impl Drop for XmppDoor {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

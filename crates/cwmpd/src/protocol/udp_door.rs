//! Connection requests over UDP (TR-069a6 Annex G): opens and closes the socket as the agent says, and tells the box where
//! it is reached, for UDPConnectionRequestAddress and NATDetected.

use std::{cell::RefCell, net::SocketAddr, rc::Rc, time::Duration};

use cwmp_core::{io::Input, settings::UdpListening, time::Wall};
use cwmp_transport::{ManagementPath, Reachable, ReplayGuard, UdpConfig, UdpListener};
use tokio::{
    sync::{Notify, mpsc, watch},
    task::JoinHandle,
    time::timeout,
};

use super::box_side::BoxSide;
use crate::border::{Call, Up, limits::SETTLE};

/// How long to wait before a port that is taken is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(30);
/// Accepted requests on their way to the agent; one is as good as many.
const WAITING_REQUESTS: usize = 4;

/// The door for connection requests over UDP, open or closed.
pub(crate) struct UdpDoor {
    inside: Rc<Inside>,
    wanted: watch::Sender<Option<Box<UdpListening>>>,
    task: JoinHandle<()>,
}

struct Inside {
    path: ManagementPath,
    side: BoxSide,
    inputs: mpsc::UnboundedSender<Input>,
    network: Rc<Notify>,
    /// False from the order to listen until it is known where the box is reached, or that this cannot be known.
    settled: watch::Sender<bool>,
    date: Rc<dyn Fn() -> Option<Wall>>,
    /// With the port that the system has chosen, once it has: a NAT knows the box by it.
    bind: RefCell<SocketAddr>,
}

impl Drop for UdpDoor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl UdpDoor {
    /// A closed door, to be opened on `bind`; of requests up to `accepted_until` none is accepted. Must be made inside a
    /// LocalSet.
    pub(crate) fn new(
        bind: SocketAddr,
        accepted_until: Option<u64>,
        path: ManagementPath,
        date: Rc<dyn Fn() -> Option<Wall>>,
        side: BoxSide,
        inputs: mpsc::UnboundedSender<Input>,
    ) -> Self {
        let guard = guard(accepted_until, side.clone());
        let (network, settled) = (Rc::new(Notify::new()), watch::Sender::new(true));
        let inside = Rc::new(Inside { path, side, inputs, network, settled, date, bind: bind.into() });
        let (wanted, changes) = watch::channel(None);
        let task = tokio::task::spawn_local(Rc::clone(&inside).keep(changes, guard));
        Self { inside, wanted, task }
    }

    /// Opens the door for these, or closes it. Settings that change while it is open keep its port.
    pub(crate) fn listen(&self, listening: Option<Box<UdpListening>>) {
        if listening.is_some() {
            self.inside.settled.send_replace(false);
        } else {
            // At once, lest an Inform should still lead to it.
            self.inside.reached(Reachable::default());
        }
        self.wanted.send_replace(listening);
    }

    /// The network of the box has changed: the way to the ACS, and the NAT on it, may be others.
    pub(crate) fn network_changed(&self) {
        if self.wanted.borrow().is_some() {
            self.inside.settled.send_replace(false);
        }
        self.inside.network.notify_one();
    }

    /// Waits until it is known where the box is reached, or that this cannot be known; for as long as an Inform may be held
    /// up for that.
    pub(crate) fn settle(&self) -> impl Future<Output = ()> + use<> {
        let mut settled = self.inside.settled.subscribe();
        async move {
            timeout(SETTLE, settled.wait_for(|settled| *settled)).await.ok();
        }
    }
}

/// What requests have been accepted, which the box keeps.
fn guard(accepted_until: Option<u64>, side: BoxSide) -> ReplayGuard {
    let keep = move |until| {
        let side = side.clone();
        let keep = async move {
            // A box whose disk is full must be reachable nevertheless.
            if let Err(error) = side.ask(Call::NoteUdp(until)).await {
                tracing::warn!("a connection request over UDP could be repeated after a restart: {error}");
            }
        };
        Box::pin(keep) as _
    };
    ReplayGuard::new(accepted_until, Box::new(keep))
}

impl Inside {
    async fn keep(
        self: Rc<Self>,
        mut wanted: watch::Receiver<Option<Box<UdpListening>>>,
        mut guard: ReplayGuard,
    ) {
        while wanted.wait_for(Option::is_some).await.is_ok() {
            let Some(listening) = wanted.borrow_and_update().clone() else { continue };
            let bind = *self.bind.borrow();
            let listener = match UdpListener::open(&self.path, bind).await {
                Ok(listener) => listener,
                Err(error) => {
                    let again = TRY_AGAIN.as_secs();
                    tracing::error!(
                        "no connection requests over UDP on {bind}: {error}; next try in {again} s"
                    );
                    self.reached(Reachable::default());
                    // Other settings may do better.
                    timeout(TRY_AGAIN, wanted.changed()).await.ok();
                    continue;
                }
            };
            self.bind.replace(listener.local_addr());
            let (sink, mut requests) = mpsc::channel(WAITING_REQUESTS);
            let told = Rc::clone(&self);
            let config = UdpConfig {
                listening: *listening,
                path: self.path.clone(),
                sink,
                date: Rc::clone(&self.date),
                network: Rc::clone(&self.network),
                report: Box::new(move |reachable| told.reached(reachable)),
            };
            let run = listener.run(&config, &mut guard);
            tokio::pin!(run);
            loop {
                tokio::select! {
                    biased;
                    // First, so that a door which is to be closed reports nothing more.
                    _ = wanted.changed() => break,
                    Some(via) = requests.recv() => {
                        self.inputs.send(Input::ConnectionRequest(via)).ok();
                    }
                    () = &mut run => break,
                }
            }
        }
    }

    fn reached(&self, Reachable { address, nat }: Reachable) {
        self.side.tell(Up::UdpReached { address, nat });
        self.settled.send_replace(true);
    }
}

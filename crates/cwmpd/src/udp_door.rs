//! Connection requests over UDP (TR-069a6 Annex G): opens and closes the socket as the agent says, and keeps
//! UDPConnectionRequestAddress and NATDetected true.

use std::{cell::RefCell, net::SocketAddr, path::Path, rc::Rc, sync::Arc, time::Duration};

use cwmp_core::{io::Input, settings::UdpListening, time::Wall};
use cwmp_store::{Problem, StateFile, StoreError, durable::Files};
use cwmp_transport::{ManagementPath, Reachable, ReplayGuard, UdpConfig, UdpListener};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::{Notify, mpsc, watch},
    task::JoinHandle,
    time::timeout,
};

use crate::{acs_task, agent_source::AgentSource};

/// How long to wait before a port that is taken is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(30);
/// Accepted requests on their way to the agent; one is as good as many.
const WAITING_REQUESTS: usize = 4;

/// The file in which the program leaves to its next run which requests it has accepted. Writing it blocks the loop for a few
/// milliseconds, at most once a minute: a request may not count before it is durable that it does not count again.
pub(crate) struct Note {
    file: StateFile<Noted>,
    noted: Option<Noted>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Noted {
    /// No request up to this moment of the ACS is accepted, in seconds since 1970.
    accepted_until: u64,
}

impl Note {
    /// Reads what the last run has left.
    ///
    /// # Errors
    /// Those of [`StateFile::open`].
    pub(crate) fn open(files: &Arc<dyn Files>, path: &Path) -> Result<(Self, Vec<Problem>), StoreError> {
        let (file, noted, problems) = StateFile::open(Arc::clone(files), path)?;
        Ok((Self { file, noted }, problems))
    }

    fn guard(self) -> ReplayGuard {
        let Self { mut file, noted } = self;
        let keep = move |accepted_until| {
            // A box whose disk is full must be reachable nevertheless.
            if let Err(error) = file.save(&Noted { accepted_until }) {
                tracing::warn!("a connection request over UDP could be repeated after a restart: {error}");
            }
        };
        ReplayGuard::new(noted.map(|noted| noted.accepted_until), Box::new(keep))
    }
}

/// The door for connection requests over UDP, open or closed.
pub(crate) struct UdpDoor {
    inside: Rc<Inside>,
    wanted: watch::Sender<Option<Box<UdpListening>>>,
    task: JoinHandle<()>,
}

struct Inside {
    path: ManagementPath,
    source: Rc<AgentSource>,
    inputs: mpsc::UnboundedSender<Input>,
    notes: mpsc::UnboundedSender<acs_task::Note>,
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
    /// A closed door. Must be made inside a LocalSet.
    pub(crate) fn new(
        bind: SocketAddr,
        path: ManagementPath,
        note: Note,
        date: Rc<dyn Fn() -> Option<Wall>>,
        source: Rc<AgentSource>,
        inputs: mpsc::UnboundedSender<Input>,
        notes: mpsc::UnboundedSender<acs_task::Note>,
    ) -> Self {
        let (network, settled) = (Rc::new(Notify::new()), watch::Sender::new(true));
        let inside =
            Rc::new(Inside { path, source, inputs, notes, network, settled, date, bind: bind.into() });
        let (wanted, changes) = watch::channel(None);
        let task = tokio::task::spawn_local(Rc::clone(&inside).keep(changes, note.guard()));
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

    /// Whether it is known where the box is reached, or that this cannot be known.
    pub(crate) fn settled(&self) -> watch::Receiver<bool> {
        self.inside.settled.subscribe()
    }
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
        // Always with its port: it may be left out for 80 alone, and nobody misses that.
        let address = address.map_or_else(String::new, |address| address.to_string());
        if self.source.set_udp_connection_requests(address, nat) {
            self.notes.send(acs_task::Note::Reachable).ok();
        }
        self.settled.send_replace(true);
    }
}

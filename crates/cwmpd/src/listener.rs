//! Where connection requests are taken: opens and closes the listener as the agent says, and keeps ConnectionRequestURL
//! true.

use std::{
    cell::Cell,
    net::{IpAddr, SocketAddr},
    rc::Rc,
    time::Duration,
};

use cwmp_core::{io::Input, settings::ConnectionRequestSettings};
use cwmp_transport::{ConnectionRequestListener, ListenerConfig, local_address_towards};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};

use crate::{agent_source::AgentSource, config::Listen};

/// How long to wait before a port that is taken is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(30);
/// How long an Inform may be held up so that its ConnectionRequestURL is true.
const SETTLE: Duration = Duration::from_secs(3);
/// Accepted requests on their way to the agent; one is as good as many.
const WAITING_REQUESTS: usize = 4;

/// The door for connection requests, open or closed.
pub(crate) struct Listener {
    door: Rc<Door>,
    task: Option<JoinHandle<()>>,
}

/// What is known of the door; shared with those who need ConnectionRequestURL to be true.
pub(crate) struct Door {
    config: Listen,
    source: Rc<AgentSource>,
    inputs: mpsc::UnboundedSender<Input>,
    port: Cell<Option<u16>>,
    address: Cell<Option<IpAddr>>,
    /// False from the order to listen until the first attempt is over.
    settled: watch::Sender<bool>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

impl Listener {
    pub(crate) fn new(config: Listen, source: Rc<AgentSource>, inputs: mpsc::UnboundedSender<Input>) -> Self {
        let (port, address) = (Cell::new(None), Cell::new(None));
        let door = Door { config, source, inputs, port, address, settled: watch::Sender::new(true) };
        Self { door: Rc::new(door), task: None }
    }

    pub(crate) fn door(&self) -> Rc<Door> {
        Rc::clone(&self.door)
    }

    /// Opens the door with these credentials, or closes it.
    pub(crate) fn listen(&mut self, settings: Option<ConnectionRequestSettings>) {
        let before = self.task.take();
        if let Some(task) = &before {
            task.abort();
        }
        self.door.port.set(None);
        self.door.tell();
        if let Some(settings) = settings {
            self.door.settled.send_replace(false);
            let door = Rc::clone(&self.door);
            self.task = Some(tokio::task::spawn_local(async move {
                if let Some(before) = before {
                    // Its sockets are closed once it is gone; the same port can then be bound again.
                    before.await.ok();
                }
                door.keep_open(settings).await;
            }));
        }
    }
}

impl Door {
    async fn keep_open(&self, settings: ConnectionRequestSettings) {
        let (sink, mut requests) = mpsc::channel(WAITING_REQUESTS);
        let bind = self.config.addresses.iter().map(|ip| SocketAddr::new(*ip, self.config.port)).collect();
        let path = self.path().to_owned();
        let config = ListenerConfig::new(bind, path, settings.username, settings.password, sink);
        let listener = loop {
            match ConnectionRequestListener::start(config.clone()).await {
                Ok(listener) => break listener,
                Err(error) => tracing::error!("{error}; next try in {} s", TRY_AGAIN.as_secs()),
            }
            self.settled.send_replace(true);
            tokio::time::sleep(TRY_AGAIN).await;
        };
        self.port.set(listener.local_addrs().first().map(SocketAddr::port));
        self.tell();
        self.settled.send_replace(true);
        while let Some(via) = requests.recv().await {
            self.inputs.send(Input::ConnectionRequest(via)).ok();
        }
    }

    /// Makes ConnectionRequestURL true before an Inform carries it: waits for the listener, and asks the kernel which
    /// address leads to the ACS. Bounded by [`SETTLE`].
    pub(crate) async fn settle(&self) {
        let work = async {
            self.settled.subscribe().wait_for(|settled| *settled).await.ok();
            if self.config.host.is_none()
                && let Some(url) = self.source.settings().url
                && let Some(address) = local_address_towards(&url).await
            {
                self.local_address(address);
            }
        };
        tokio::time::timeout(SETTLE, work).await.ok();
    }

    /// Takes note of the address that the ACS sees; returns whether ConnectionRequestURL has changed with it.
    pub(crate) fn local_address(&self, address: IpAddr) -> bool {
        let before = self.url();
        self.address.set(Some(address));
        self.tell();
        before != self.url()
    }

    fn path(&self) -> &str {
        self.config.path.as_deref().unwrap_or("/")
    }

    /// ConnectionRequestURL; empty while nothing listens or no address is known.
    fn url(&self) -> String {
        let host = match (&self.config.host, self.address.get()) {
            (Some(host), _) => host.clone(),
            (None, Some(address)) => address.to_string(),
            (None, None) => return String::new(),
        };
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        self.port.get().map_or_else(String::new, |port| format!("http://{host}:{port}{}", self.path()))
    }

    fn tell(&self) {
        self.source.set_connection_request_url(self.url());
    }
}

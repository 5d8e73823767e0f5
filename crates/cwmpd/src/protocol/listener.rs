//! Where connection requests are taken: opens and closes the listener as the agent says, and tells the box where, for
//! ConnectionRequestURL.

use std::{
    cell::Cell,
    net::{IpAddr, SocketAddr},
    rc::Rc,
    time::Duration,
};

use cwmp_core::{
    io::{Input, Via},
    settings::ConnectionRequestSettings,
    url::HttpUrl,
};
use cwmp_transport::{ConnectionRequestListener, ListenerConfig, ManagementPath};
use tokio::{
    sync::{Notify, mpsc, watch},
    task::JoinHandle,
};

use super::box_side::BoxSide;
use crate::{
    border::{DoorState, Up},
    config::Listen,
};

/// How long to wait before a port that is taken is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(30);
/// Accepted requests on their way to the agent; one is as good as many.
const WAITING_REQUESTS: usize = 4;

/// The door for connection requests, open or closed.
pub(crate) struct Listener {
    door: Rc<Door>,
    wanted: watch::Sender<Option<ConnectionRequestSettings>>,
    task: JoinHandle<()>,
}

/// What is known of the door.
pub(crate) struct Door {
    config: Listen,
    way: ManagementPath,
    side: BoxSide,
    inputs: mpsc::UnboundedSender<Input>,
    port: Cell<Option<u16>>,
    address: Cell<Option<IpAddr>>,
    /// The network of the box may have changed.
    network: Notify,
    /// False from the order to listen until the first attempt is over.
    settled: watch::Sender<bool>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Listener {
    /// A closed door. Must be made inside a LocalSet.
    pub(crate) fn new(
        config: Listen,
        way: ManagementPath,
        side: BoxSide,
        inputs: mpsc::UnboundedSender<Input>,
    ) -> Self {
        let (port, address) = (Cell::new(None), Cell::new(None));
        let door = Rc::new(Door {
            config,
            way,
            side,
            inputs,
            port,
            address,
            network: Notify::new(),
            settled: watch::Sender::new(true),
        });
        let (wanted, changes) = watch::channel(None);
        let keeper = Rc::clone(&door);
        let task = tokio::task::spawn_local(async move { keeper.keep(changes).await });
        Self { door, wanted, task }
    }

    pub(crate) fn door(&self) -> Rc<Door> {
        Rc::clone(&self.door)
    }

    /// The network of the box may have changed: a device to listen on may have come, or come back as another one.
    pub(crate) fn network_changed(&self) {
        self.door.network.notify_one();
    }

    /// Opens the door with these credentials, or closes it. A door that is open stays open when they change.
    pub(crate) fn listen(&mut self, settings: Option<ConnectionRequestSettings>) {
        if settings.is_none() {
            // At once, lest an Inform should still lead to it.
            self.door.leads_to(None);
        } else if self.door.port.get().is_none() {
            self.door.settled.send_replace(false);
        }
        self.wanted.send_replace(settings);
    }
}

impl Door {
    /// Does what is wanted, until the program ends.
    async fn keep(&self, mut wanted: watch::Receiver<Option<ConnectionRequestSettings>>) {
        while wanted.wait_for(Option::is_some).await.is_ok() {
            let (sink, mut requests) = mpsc::channel(WAITING_REQUESTS);
            let Some(listener) = self.open(&mut wanted, &sink).await else { continue };
            let port = listener.local_addrs().first().map(SocketAddr::port);
            self.leads_to(port);
            let is_closed = loop {
                tokio::select! {
                    biased;
                    Some(via) = requests.recv() => {
                        self.inputs.send(Input::ConnectionRequest(via)).ok();
                    }
                    changed = wanted.changed() => {
                        if changed.is_err() {
                            return;
                        }
                        let Some(settings) = wanted.borrow_and_update().clone() else { break true };
                        if let Err(error) = listener.set_credentials(settings.username, settings.password) {
                            tracing::error!("{error}");
                        }
                        // It may have been closed and opened again before this was heard of.
                        self.leads_to(port);
                    }
                    () = self.network.notified() => {
                        if !listener.is_on_its_device() {
                            tracing::info!("the network device for connection requests is another one: listening anew");
                            break false;
                        }
                    }
                }
            };
            if is_closed {
                self.leads_to(None);
            }
            // Its sockets are closed then: the same port can be bound again.
            listener.stop().await;
        }
    }

    /// Opens the door, trying again while it must; `None` when that is not wanted any more.
    async fn open(
        &self,
        wanted: &mut watch::Receiver<Option<ConnectionRequestSettings>>,
        sink: &mpsc::Sender<Via>,
    ) -> Option<ConnectionRequestListener> {
        loop {
            let settings = wanted.borrow_and_update().clone()?;
            let bind =
                self.config.addresses.iter().map(|ip| SocketAddr::new(*ip, self.config.port)).collect();
            let path = self.path().to_owned();
            let mut config =
                ListenerConfig::new(bind, path, settings.username, settings.password, sink.clone());
            (config.way, config.interface) = (self.way.clone(), self.config.interface.clone());
            match ConnectionRequestListener::start(config).await {
                Ok(listener) => return Some(listener),
                Err(error) => tracing::error!("{error}; next try in {} s", TRY_AGAIN.as_secs()),
            }
            self.leads_to(None);
            // Other settings may do better, and so may another network.
            tokio::select! {
                changed = wanted.changed() => changed.ok()?,
                () = self.network.notified() => {}
                () = tokio::time::sleep(TRY_AGAIN) => {}
            }
        }
    }

    /// Makes what the box knows of the door true: waits for the listener, and asks the kernel which address leads to the
    /// URL, where there is one to ask about.
    pub(crate) async fn settle(&self, towards: Option<HttpUrl>) {
        self.settled.subscribe().wait_for(|settled| *settled).await.ok();
        if let Some(url) = towards
            && let Some(address) = self.way.local_address_towards(&url).await
        {
            self.local_address(address);
        }
    }

    /// Takes note of the address that the ACS sees.
    pub(crate) fn local_address(&self, address: IpAddr) {
        self.address.set(Some(address));
        self.tell();
    }

    fn path(&self) -> &str {
        self.config.path.as_deref().unwrap_or("/")
    }

    /// Takes note of the port that is open, if any; nobody has to wait for it any more.
    fn leads_to(&self, port: Option<u16>) {
        self.port.set(port);
        self.tell();
        self.settled.send_replace(true);
    }

    fn tell(&self) {
        self.side.tell(Up::Door(DoorState { port: self.port.get(), address: self.address.get() }));
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use cwmp_core::{
        digest::{Challenge, Credentials},
        settings::Secret,
    };
    use cwmp_transport::path::Interface;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
        task::LocalSet,
    };

    use super::*;

    struct Bell {
        listener: Listener,
        incoming: mpsc::UnboundedReceiver<Input>,
        told: mpsc::UnboundedReceiver<Up>,
        port: Option<u16>,
        address: SocketAddr,
    }

    impl Bell {
        /// A box that listens on one certain port, as boxes do.
        async fn start() -> Self {
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            let address = free.local_addr().unwrap();
            let (inputs, incoming) = mpsc::unbounded_channel();
            let config = Listen {
                addresses: vec![address.ip()],
                interface: Interface::OfPath,
                port: address.port(),
                path: Some("/".into()),
                host: Some("box".into()),
            };
            let (up, told) = mpsc::unbounded_channel();
            let listener = Listener::new(config, ManagementPath::default(), BoxSide::new(up), inputs);
            Self { listener, incoming, told, port: None, address }
        }

        /// Wants connection requests with this password, and waits until they are taken.
        async fn open(&mut self, password: &str) {
            let (username, password) = ("acs".to_owned(), Secret(password.to_owned()));
            self.listener.listen(Some(ConnectionRequestSettings { http_enable: true, username, password }));
            self.listener.door().settle(None).await;
            assert_eq!(self.port(), Some(self.address.port()));
        }

        /// The port that the box was told last.
        fn port(&mut self) -> Option<u16> {
            while let Ok(up) = self.told.try_recv() {
                let Up::Door(state) = up else { panic!("{up:?}") };
                self.port = state.port;
            }
            self.port
        }

        async fn ask(&self, authorization: &str) -> String {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            let request = format!("GET / HTTP/1.1\r\nHost: box\r\nConnection: close\r\n{authorization}\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        }

        /// Rings with this password and returns the status.
        async fn ring(&self, password: &str) -> String {
            let refused = self.ask("").await;
            let challenge = refused.lines().find_map(|line| line.strip_prefix("Www-Authenticate: ")).unwrap();
            let challenges = Challenge::parse_all(challenge);
            let [Challenge::Digest(challenge)] = &challenges[..] else { panic!("{refused}") };
            let answer = challenge.answer(&Credentials { username: "acs", password }, "GET", "/", "c", 1);
            let answered = self.ask(&format!("Authorization: {answer}\r\n")).await;
            answered.split(' ').nth(1).unwrap().to_owned()
        }
    }

    #[tokio::test]
    async fn new_credentials_count_at_once_and_the_door_stays_open() {
        let test = async {
            let mut bell = Bell::start().await;
            bell.open("one").await;
            assert_eq!(bell.ring("one").await, "200");
            assert!(matches!(bell.incoming.recv().await, Some(Input::ConnectionRequest(Via::Http))));
            let kept = TcpStream::connect(bell.address).await.unwrap();

            bell.open("two").await;
            // The sockets are the same ones: a connection that waits in them survives.
            assert_eq!(bell.ring("two").await, "200");
            assert_eq!(bell.ring("one").await, "401");
            kept.writable().await.unwrap();
            assert_eq!(
                kept.try_read(&mut [0; 1]).map_err(|error| error.kind()),
                Err(std::io::ErrorKind::WouldBlock)
            );
        };
        LocalSet::new().run_until(test).await;
    }

    #[tokio::test]
    async fn a_closed_door_has_no_port_and_opens_again_on_the_same_port() {
        let test = async {
            let mut bell = Bell::start().await;
            for _ in 0..3 {
                bell.open("one").await;
                assert_eq!(bell.ring("one").await, "200");
                bell.listener.listen(None);
                assert_eq!(bell.port(), None);
            }
            // Long enough for the sockets to close.
            while TcpStream::connect(bell.address).await.is_ok() {}
            bell.open("one").await;
            assert_eq!(bell.ring("one").await, "200");
        };
        LocalSet::new().run_until(test).await;
    }
}

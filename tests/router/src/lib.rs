//! An OpenWrt router for tests: one realistic home router whose services answer on a bus, in the shapes that the real ones
//! have (OpenWrt 24.10), and whose files lie in a folder that plays `/`.
//!
//! WAN is PPPoE on VLAN 7 with a delegated IPv6 prefix; the LAN bridge has three ports and two radios, a guest network
//! has an access point on each radio, a second bridge carries television, and 25 devices live in the home.
//!
//! The broker is that of the crate `ubusd`, the files are copies of `root/`; /sys/class/net, leases and neighbours are
//! written by the same tables that the bus answers from. A setting that is changed in `/etc/config` shows once its package
//! is reloaded, by `network reload` or `service event` with `config.change`, as on a real router.
//!
//! What is not played: netlink, traffic (counters stand still), and what a service would refuse in its configuration.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests: its own mistakes must be loud"
)]

mod devices;
mod difference;
mod hosts;
mod interfaces;
mod leases;
pub mod packages;
mod providers;
mod services;
mod system;
mod uci;
mod wireless;
mod world;

pub use difference::difference;
pub use hosts::{Attached, Host};
pub use leases::port;
pub use services::Service;
pub use world::World;

use cwmp_ubus::broker::TestBroker;
use providers::Order;
use serde_json::Value as Json;
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
};

/// The router; it is gone with this value.
pub struct Router {
    folder: tempfile::TempDir,
    world: Arc<Mutex<World>>,
    providers: providers::Providers,
    broker: Option<TestBroker>,
}

impl Router {
    /// A router that has booted: when this returns, all its objects are on the bus.
    ///
    /// # Errors
    /// Files or the socket cannot be made.
    pub fn start() -> io::Result<Self> {
        // Many small files: in memory where that is possible.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())?;
        let root = folder.path().join("root");
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("root"), &root)?;
        fs::create_dir_all(root.join("var/run/ubus"))?;
        let socket = root.join("var/run/ubus/ubus.sock");
        let broker = TestBroker::start(&socket)?;
        let world = Arc::new(Mutex::new(World::new(root)?));
        let providers = providers::Providers::start(socket, Arc::clone(&world))?;
        let router = Self { folder, world, providers, broker: Some(broker) };
        Service::ALL.into_iter().for_each(|service| router.start_service(service));
        Ok(router)
    }

    /// The folder that plays `/`.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// The socket of the bus.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.root().join("var/run/ubus/ubus.sock")
    }

    /// What the programs in the folder were started with (sysupgrade, jffs2reset, firstboot, reboot, opkg), in order.
    #[must_use]
    pub fn commands(&self) -> Vec<String> {
        let text = fs::read_to_string(self.root().join("tmp/commands")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Looks at the state of the box, or changes it. What is changed by hand shows in files after [`Router::reload`].
    pub fn world<T>(&self, with: impl FnOnce(&mut World) -> T) -> T {
        with(&mut lock(&self.world))
    }

    /// Has services read a package anew, as after a change of somebody on the box.
    pub fn reload(&self, package: &str) {
        self.order(|done| Order::Reload(package.to_owned(), done));
    }

    /// Starts a service, and returns once its objects are on the bus.
    pub fn start_service(&self, service: Service) {
        self.order(|done| Order::Start(service, done));
    }

    /// Ends a service: its objects leave the bus.
    pub fn stop_service(&self, service: Service) {
        self.order(|done| Order::Stop(service, done));
    }

    /// Calls of this object stay without an answer from now on.
    pub fn silence(&self, object: &str) {
        self.order(|done| Order::Silence(object.to_owned(), done));
    }

    /// Sends an event.
    pub fn send_event(&self, id: &str, data: &Json) {
        self.order(|done| Order::Event(id.to_owned(), data.clone(), done));
    }

    /// Has an object tell its subscribers something; returns once it is on its way.
    pub fn notify(&self, object: &str, kind: &str, data: &Json) {
        self.order(|done| Order::Notify(object.to_owned(), kind.to_owned(), data.clone(), done));
    }

    /// Stops the broker: every connection breaks.
    pub fn stop_bus(&mut self) {
        self.broker = None;
    }

    /// Starts the broker again, and returns once all objects are back.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn start_bus(&mut self) -> io::Result<()> {
        self.broker = Some(TestBroker::start(&self.socket())?);
        self.order(Order::Settle);
        Ok(())
    }

    fn order(&self, order: impl FnOnce(mpsc::Sender<()>) -> Order) {
        let (done, waits) = mpsc::channel();
        self.providers.send(order(done));
        // The channel closes when the thread of the services has ended, which only a bug of the router brings about.
        waits.recv().expect("the services of the router have ended");
    }
}

fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;

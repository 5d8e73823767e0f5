//! The connection to the bus and what lives on it.

mod events;
mod inbox;
mod invoke;
mod keeper;
mod link;
mod published;
mod requests;
mod shared;
mod subscription;

pub use events::{Event, Events};
pub use published::{Call, Published};
pub use subscription::{Notification, Subscription};

use crate::{
    error::{BusError, status},
    limits,
    message::{Outgoing, attribute, kind},
    object::{self, MethodInfo, ObjectInfo},
    value::Table,
};
use inbox::Inbox;
use shared::Shared;
use std::{path::PathBuf, rc::Rc, time::Duration};
use tokio::task::JoinHandle;

/// Where the bus is and how long it may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusOptions {
    /// Sockets of the bus; the first one that answers is taken.
    pub sockets: Vec<PathBuf>,
    /// Longest wait for the answer to a call that names no other.
    pub patience: Duration,
}

impl Default for BusOptions {
    /// The socket of OpenWrt since 21.02, then that of older ones.
    fn default() -> Self {
        let sockets = vec!["/var/run/ubus/ubus.sock".into(), "/var/run/ubus.sock".into()];
        Self { sockets, patience: limits::CALL_TIMEOUT }
    }
}

impl BusOptions {
    /// One socket, and the usual patience.
    #[must_use]
    pub fn at(socket: impl Into<PathBuf>) -> Self {
        Self { sockets: vec![socket.into()], ..Self::default() }
    }
}

/// A connection to the bus that comes back when it breaks. Copies share it.
#[derive(Clone)]
pub struct Bus {
    link: Rc<Connection>,
}

/// Ends with the last copy of the [`Bus`] and the last thing that lives on it.
struct Connection {
    shared: Rc<Shared>,
    patience: Duration,
    tasks: [JoinHandle<()>; 2],
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        self.shared.disconnected();
    }
}

impl Bus {
    /// Connects in the background, and again whenever the connection breaks. Runs on the
    /// [`LocalSet`](tokio::task::LocalSet) that it is called on.
    #[must_use]
    pub fn connect(options: BusOptions) -> Bus {
        let shared = Shared::new();
        let link = tokio::task::spawn_local(link::run(Rc::clone(&shared), options.sockets));
        let establish =
            async |shared: &Shared, inbox: &Rc<Inbox>| events::register(shared, inbox, "ubus.object.*").await;
        let watcher = Rc::clone(&shared.watcher);
        let what = "events ubus.object.*".into();
        let watching = tokio::task::spawn_local(keeper::keep(Rc::clone(&shared), watcher, what, establish));
        let tasks = [link, watching];
        Bus { link: Rc::new(Connection { shared, patience: options.patience, tasks }) }
    }

    fn shared(&self) -> &Rc<Shared> {
        &self.link.shared
    }

    /// Calls a method and returns all that is answered, each DATA message a table.
    ///
    /// # Errors
    /// A status other than 0, no answer in time, or no connection: while there is none, calls fail at once.
    pub async fn call(&self, object: &str, method: &str, arguments: &Table) -> Result<Vec<Table>, BusError> {
        self.call_within(self.link.patience, object, method, arguments).await
    }

    /// The same with a time limit of its own, in which the wait for a free place counts.
    ///
    /// # Errors
    /// As [`Bus::call`].
    pub async fn call_within(
        &self,
        patience: Duration,
        object: &str,
        method: &str,
        arguments: &Table,
    ) -> Result<Vec<Table>, BusError> {
        let what: Rc<str> = format!("{object} {method}").into();
        self.within(patience, &what, self.shared().invoke(object, method, arguments, &what)).await
    }

    /// The objects whose path is this, or begins with it where it ends with `*`, in the order of the bus.
    ///
    /// # Errors
    /// As [`Bus::call`]; no such object is no error.
    pub async fn objects(&self, pattern: &str) -> Result<Vec<ObjectInfo>, BusError> {
        let what: Rc<str> = format!("objects {pattern}").into();
        let message = Outgoing::new(kind::LOOKUP, 0).text(attribute::OBJPATH, pattern);
        let request = self.shared().request(0, message, &what, None);
        let reply = self.within(self.link.patience, &what, request).await?;
        match reply.status {
            status::OK | status::NOT_FOUND => {}
            code => return Err(BusError::Status(code, what.to_string())),
        }
        let object = |fields: crate::message::Fields| {
            let methods = fields.signature.as_ref().map(object::methods).unwrap_or_default();
            Some(ObjectInfo { path: fields.path?, id: fields.object?, methods })
        };
        Ok(reply.data.into_iter().filter_map(object).collect())
    }

    /// Sends an event to everybody who listens. We do not hear our own.
    ///
    /// # Errors
    /// As [`Bus::call`]; status 6 for names that begin with `ubus.`.
    pub async fn send_event(&self, id: &str, data: &Table) -> Result<(), BusError> {
        let what: Rc<str> = format!("event {id}").into();
        let arguments = Table::new().with("id", id).with("data", data.clone());
        let request = events::invoke_bus(self.shared(), "send", &arguments, &what);
        self.within(self.link.patience, &what, request).await
    }

    /// Events whose name is this, or begins with it where it ends with `*`. They come again after the connection has
    /// been broken.
    #[must_use]
    pub fn events(&self, pattern: &str) -> Events {
        Events::new(self, pattern)
    }

    /// Notifications of an object, as soon as it is there, and again when it has come back.
    #[must_use]
    pub fn subscribe(&self, path: &str) -> Subscription {
        Subscription::new(self, path)
    }

    /// Puts an object of our own on the bus, and again when the connection has been broken.
    #[must_use]
    pub fn publish(&self, path: &str, methods: Vec<MethodInfo>) -> Published {
        Published::new(self, path, methods)
    }

    async fn within<T>(
        &self,
        patience: Duration,
        what: &Rc<str>,
        request: impl Future<Output = Result<T, BusError>>,
    ) -> Result<T, BusError> {
        let shared = self.shared();
        let limited = async {
            // The semaphore is never closed.
            let _place = shared.places.acquire().await;
            shared.up(what).await?;
            request.await
        };
        let ended = tokio::time::timeout(patience, limited).await;
        ended.unwrap_or_else(|_| Err(BusError::Timeout(what.to_string())))
    }
}

/// An object of ours with the task that keeps it on the bus; both go with it.
struct Kept {
    inbox: Rc<Inbox>,
    shared: Rc<Shared>,
    keeper: JoinHandle<()>,
    /// The connection stays for as long as something lives on it.
    _bus: Bus,
}

impl Kept {
    fn new(
        bus: &Bus,
        inbox: Rc<Inbox>,
        what: Rc<str>,
        establish: impl AsyncFn(&Shared, &Rc<Inbox>) -> Result<u32, BusError> + 'static,
    ) -> Self {
        let shared = Rc::clone(bus.shared());
        shared.keep_informed(&inbox);
        let keeping = keeper::keep(Rc::clone(&shared), Rc::clone(&inbox), what, establish);
        Self { inbox, shared, keeper: tokio::task::spawn_local(keeping), _bus: bus.clone() }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.keeper.abort();
        self.shared.remove_all(&self.inbox);
    }
}

#[cfg(test)]
mod tests;

//! The thread on which the services live.

use crate::{
    lock,
    services::{self, Service, Told},
    world::World,
};
use cwmp_ubus::{Bus, BusOptions, Call, Published, Table, Value, json, status};
use serde_json::Value as Json;
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::PathBuf,
    rc::Rc,
    sync::{Arc, Mutex, mpsc},
    thread::JoinHandle,
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::{JoinHandle as Task, LocalSet},
};

/// What a test wants of the services; each says when it is done.
pub(crate) enum Order {
    Start(Service, mpsc::Sender<()>),
    Stop(Service, mpsc::Sender<()>),
    Reload(String, mpsc::Sender<()>),
    Silence(String, mpsc::Sender<()>),
    Event(String, Json, mpsc::Sender<()>),
    Notify(String, String, Json, mpsc::Sender<()>),
    /// Wait until all objects are on the bus.
    Settle(mpsc::Sender<()>),
}

/// Something for the loop of the services.
enum Input {
    Order(Order),
    Called(Call, Rc<str>),
    End,
}

/// The thread; it ends with this value.
pub(crate) struct Providers {
    orders: UnboundedSender<Option<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Providers {
    pub(crate) fn start(socket: PathBuf, world: Arc<Mutex<World>>) -> io::Result<Self> {
        let (orders, received) = unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("router".to_owned()).spawn(move || {
            LocalSet::new().block_on(&runtime, Services::new(socket, world).run(received));
        })?;
        Ok(Self { orders, thread: Some(thread) })
    }

    pub(crate) fn send(&self, order: Order) {
        let _ = self.orders.send(Some(order));
    }
}

impl Drop for Providers {
    fn drop(&mut self) {
        let _ = self.orders.send(None);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A service that runs: its connection and its objects.
struct Running {
    bus: Bus,
    objects: BTreeMap<String, Object>,
}

struct Object {
    published: Rc<Published>,
    task: Task<()>,
}

impl Drop for Object {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Services {
    socket: PathBuf,
    world: Arc<Mutex<World>>,
    running: BTreeMap<Service, Running>,
    silent: BTreeSet<String>,
    /// Calls that stay without an answer.
    unanswered: Vec<Call>,
    inputs: UnboundedSender<Input>,
    received: UnboundedReceiver<Input>,
}

impl Services {
    fn new(socket: PathBuf, world: Arc<Mutex<World>>) -> Self {
        let (inputs, received) = unbounded_channel();
        let (running, silent, unanswered) = Default::default();
        Self { socket, world, running, silent, unanswered, inputs, received }
    }

    async fn run(mut self, mut orders: UnboundedReceiver<Option<Order>>) {
        loop {
            let input = tokio::select! {
                order = orders.recv() => order.flatten().map_or(Input::End, Input::Order),
                Some(input) = self.received.recv() => input,
            };
            match input {
                Input::End => return,
                Input::Order(order) => self.order(order).await,
                Input::Called(call, object) => self.called(call, &object).await,
            }
        }
    }

    async fn order(&mut self, order: Order) {
        let done = match order {
            Order::Start(service, done) => {
                let bus = Bus::connect(BusOptions::at(&self.socket));
                self.running.insert(service, Running { bus, objects: BTreeMap::new() });
                self.settle().await;
                done
            }
            Order::Stop(service, done) => {
                self.running.remove(&service);
                done
            }
            Order::Reload(package, done) => {
                let mut told = Vec::new();
                // A failure to write files shows in the test that reads them.
                let _ = services::reload(&mut lock(&self.world), &package, &mut told);
                self.tell(told).await;
                done
            }
            Order::Silence(object, done) => {
                self.silent.insert(object);
                done
            }
            Order::Event(id, data, done) => {
                self.event(&id, &data).await;
                done
            }
            Order::Notify(object, kind, data, done) => {
                self.notify(&object, &kind, &data);
                done
            }
            Order::Settle(done) => {
                self.settle().await;
                done
            }
        };
        let _ = done.send(());
    }

    /// Puts objects on the bus that the configuration asks for, takes others off, and waits until that is so.
    async fn settle(&mut self) {
        for (service, running) in &mut self.running {
            let wanted = service.objects(&lock(&self.world));
            let known = running.objects.keys();
            let gone: Vec<String> = known.filter(|path| !wanted.contains(path)).cloned().collect();
            for path in gone {
                running.objects.remove(&path);
                while running.bus.objects(&path).await.is_ok_and(|found| !found.is_empty()) {
                    tokio::task::yield_now().await;
                }
            }
            for path in wanted {
                let (bus, inputs) = (&running.bus, &self.inputs);
                let named = path.clone();
                let object = running.objects.entry(path).or_insert_with(|| publish(bus, &named, inputs));
                // Refused while the bus has not noticed yet that the last life of the service has ended.
                while object.published.ready().await.is_err() {
                    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                }
            }
        }
    }

    async fn called(&mut self, call: Call, object: &Rc<str>) {
        if self.silent.contains(&**object) {
            lock(&self.world).counted(object, &call.method);
            self.unanswered.push(call);
            return;
        }
        let mut told = Vec::new();
        let arguments = json::to_json(&call.arguments);
        let answer = services::answer(&mut lock(&self.world), object, &call.method, &arguments, &mut told);
        // Before the answer, so that a test sees what its call has brought about.
        self.tell(told).await;
        match answer {
            Ok(replies) => {
                for reply in &replies {
                    call.reply(&typed(reply)).expect("answers of the router can be sent");
                }
                call.finish(status::OK);
            }
            Err(code) => call.finish(code),
        }
    }

    async fn tell(&mut self, told: Vec<Told>) {
        for told in told {
            match told {
                Told::Event(id, data) => self.event(id, &data).await,
                Told::Service(kind, data) => self.notify("service", kind, &data),
                Told::Objects => self.settle().await,
            }
        }
    }

    async fn event(&self, id: &str, data: &Json) {
        if let Some(running) = self.running.values().next() {
            let _ = running.bus.send_event(id, &typed(data)).await;
        }
    }

    fn notify(&self, object: &str, kind: &str, data: &Json) {
        let mut objects = self.running.values().filter_map(|running| running.objects.get(object));
        if let Some(object) = objects.next() {
            let _ = object.published.notify(kind, &typed(data));
        }
    }
}

fn publish(bus: &Bus, path: &str, inputs: &UnboundedSender<Input>) -> Object {
    let published = Rc::new(bus.publish(path, services::methods(path)));
    let (serving, inputs, path) = (Rc::clone(&published), inputs.clone(), Rc::<str>::from(path));
    let task = tokio::task::spawn_local(async move {
        loop {
            let call = serving.next_call().await;
            if inputs.send(Input::Called(call, Rc::clone(&path))).is_err() {
                return;
            }
        }
    });
    Object { published, task }
}

/// JSON as the services send it: counters and sizes have 64 bits, whatever they are.
fn typed(json: &Json) -> Table {
    const WIDE: [&str; 7] = ["statistics", "memory", "root", "tmp", "swap", "bytes", "airtime"];
    let table = json::from_json(json).expect("answers of the router are small JSON objects");
    widen(table, &WIDE)
}

fn widen(table: Table, wide: &[&str]) -> Table {
    let value = |name: &str, value: Value| match value {
        Value::Table(inner) if wide.contains(&name) => {
            let number = |value: Value| value.as_i64().map_or(value, Value::Int64);
            Value::Table(inner.into_iter().map(|(name, value)| (name, number(value))).collect())
        }
        Value::Table(inner) => Value::Table(widen(inner, wide)),
        other => other,
    };
    table
        .into_iter()
        .map(|(name, inner)| {
            let inner = value(&name, inner);
            (name, inner)
        })
        .collect()
}

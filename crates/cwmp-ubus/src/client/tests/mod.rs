//! The client on a bus: `bus` with a broker that is none of ours, `wire` with a scripted one that misbehaves.

mod bus;
mod limits;
mod wire;

use super::*;
use crate::broker::TestBroker;
use tokio::task::LocalSet;

/// Longest wait for anything in a test: far more than it takes.
const LONG: Duration = Duration::from_secs(60);

/// A bus, and the folder with its socket.
struct Scene {
    folder: tempfile::TempDir,
    broker: Option<TestBroker>,
}

impl Scene {
    fn socket(&self) -> PathBuf {
        self.folder.path().join("ubus.sock")
    }

    fn start(&mut self) {
        self.broker = Some(TestBroker::start(&self.socket()).unwrap());
    }

    fn stop(&mut self) {
        self.broker = None;
    }

    fn connect(&self) -> Bus {
        Bus::connect(BusOptions::at(self.socket()))
    }
}

/// Runs a test on a bus.
fn on_bus(test: impl AsyncFnOnce(Scene)) {
    let mut scene = Scene { folder: tempfile::tempdir().unwrap(), broker: None };
    scene.start();
    run(async { test(scene).await });
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let limited = async { tokio::time::timeout(LONG, test).await.expect("the test hangs") };
    LocalSet::new().block_on(&runtime, limited);
}

fn methods(names: &[&str]) -> Vec<MethodInfo> {
    names.iter().map(|name| MethodInfo::new(*name)).collect()
}

/// A call without arguments.
async fn call(bus: &Bus, object: &str, method: &str) -> Result<Vec<Table>, BusError> {
    bus.call(object, method, &Table::new()).await
}

fn said(text: &str) -> Table {
    Table::new().with("said", text)
}

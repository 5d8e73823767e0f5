//! The client on a bus with a broker that is none of ours.

use super::*;
use crate::{broker::TestBroker, object::ArgumentType};
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

#[test]
fn a_call_gets_all_data_replies_in_their_order() {
    on_bus(async |scene| {
        let (provider, client) = (scene.connect(), scene.connect());
        let object = provider.publish("amx", methods(&["_get"]));
        object.ready().await.unwrap();
        let serve = async {
            let call = object.next_call().await;
            assert_eq!((call.method.as_str(), call.arguments.str("path")), ("_get", Some("Device.")));
            assert_eq!(call.user.as_deref(), Some("root"), "the broker says who calls");
            for text in ["one", "two", "three"] {
                call.reply(&said(text)).unwrap();
            }
            call.finish(status::OK);
        };
        let arguments = Table::new().with("path", "Device.");
        let (replies, ()) = tokio::join!(client.call("amx", "_get", &arguments), serve);
        assert_eq!(replies.unwrap(), [said("one"), said("two"), said("three")]);
    });
}

#[test]
fn methods_and_the_types_of_their_arguments_can_be_listed() {
    on_bus(async |scene| {
        let bus = scene.connect();
        let inform =
            MethodInfo::new("inform").with("event", ArgumentType::String).with("force", ArgumentType::Bool);
        let object = bus.publish("cwmp.test", vec![MethodInfo::new("status"), inform.clone()]);
        object.ready().await.unwrap();
        let objects = scene.connect().objects("cwmp.*").await.unwrap();
        assert_eq!(objects.len(), 1);
        assert_eq!(objects[0].path, "cwmp.test");
        assert_eq!(objects[0].methods, [MethodInfo::new("status"), inform]);
        assert_eq!(bus.objects("nobody").await, Ok(Vec::new()));
    });
}

#[test]
fn errors_name_object_and_method() {
    on_bus(async |scene| {
        let bus = scene.connect();
        let error = call(&bus, "network.interface", "dump").await.unwrap_err();
        assert_eq!(error.status(), Some(status::NOT_FOUND));
        assert_eq!(error.to_string(), "ubus: network.interface dump: not found (status 4)");

        let object = bus.publish("box", methods(&["open", "drop"]));
        object.ready().await.unwrap();
        let other = scene.connect();
        let error = call(&other, "box", "shut").await.unwrap_err();
        assert_eq!(error.to_string(), "ubus: box shut: method not found (status 3)");
        let serve = async { object.next_call().await.finish(status::NO_DATA) };
        let (answer, ()) = tokio::join!(call(&other, "box", "open"), serve);
        assert_eq!(answer.unwrap_err().to_string(), "ubus: box open: no data (status 5)");
        let serve = async { drop(object.next_call().await) };
        let (answer, ()) = tokio::join!(call(&other, "box", "drop"), serve);
        assert_eq!(answer.unwrap_err().status(), Some(status::UNKNOWN_ERROR), "a dropped call fails");
    });
}

#[test]
fn events_of_a_pattern_come_and_others_do_not() {
    on_bus(async |scene| {
        let (listener, sender) = (scene.connect(), scene.connect());
        let events = listener.events("network.*");
        events.ready().await.unwrap();
        let up = Table::new().with("action", "ifup").with("interface", "wan").with("n", 7);
        sender.send_event("other", &said("no")).await.unwrap();
        sender.send_event("network.interface", &up).await.unwrap();
        assert_eq!(events.next().await, Event { id: "network.interface".to_owned(), data: up });
    });
}

#[test]
fn a_subscription_is_renewed_when_the_object_comes_back() {
    on_bus(async |scene| {
        let watcher = scene.connect();
        let subscription = watcher.subscribe("network.interface");
        assert_eq!(
            subscription.ready().await.unwrap_err().status(),
            Some(status::NOT_FOUND),
            "not there yet"
        );
        for life in 0..3 {
            let provider = scene.connect();
            let object = provider.publish("network.interface", methods(&["dump"]));
            let notification = said(&format!("life {life}"));
            // Sent only once somebody has subscribed.
            let told = async {
                loop {
                    object.notify("interface.update", &notification).unwrap();
                    tokio::task::yield_now().await;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            let heard = tokio::select! {
                heard = async {
                    loop {
                        let heard = subscription.next().await;
                        if heard.data == notification { break heard; }
                    }
                } => heard,
                () = told => unreachable!(),
            };
            assert_eq!(heard.kind, "interface.update");
            assert_eq!(subscription.gaps(), life);
        }
    });
}

#[test]
fn everything_comes_back_after_a_restart_of_the_broker() {
    on_bus(async |mut scene| {
        let (provider, client) = (scene.connect(), scene.connect());
        let object = provider.publish("box", methods(&["open"]));
        let events = client.events("box.*");
        object.ready().await.unwrap();
        let subscription = client.subscribe("box");
        subscription.ready().await.unwrap();
        events.ready().await.unwrap();
        // Under way while the broker dies.
        let asked = call(&client, "box", "open");
        let stop = async {
            let call = object.next_call().await;
            scene.stop();
            call
        };
        let (answer, stale) = tokio::join!(asked, stop);
        assert_eq!(answer, Err(BusError::Disconnected("box open".to_owned())));
        assert_eq!(
            call(&client, "box", "open").await,
            Err(BusError::Disconnected("box open".to_owned())),
            "fails at once while there is no connection"
        );
        scene.start();
        object.ready().await.unwrap();
        events.ready().await.unwrap();
        while subscription.ready().await.is_err() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // A call of the earlier connection is answered to nobody.
        stale.reply(&said("stale")).unwrap();
        stale.finish(status::OK);
        let serve = async {
            let call = object.next_call().await;
            call.reply(&said("fresh")).unwrap();
            call.finish(status::OK);
        };
        let (answer, ()) = tokio::join!(call(&client, "box", "open"), serve);
        assert_eq!(answer.unwrap(), [said("fresh")]);
        provider.send_event("box.event", &said("event")).await.unwrap();
        assert_eq!(events.next().await.data, said("event"));
        assert_eq!((events.gaps(), subscription.gaps()), (1, 1));
    });
}

//! Calls, events, subscriptions and own objects, over restarts.

use super::*;
use crate::object::ArgumentType;

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

#[test]
fn a_service_that_says_not_found_is_not_asked_twice() {
    on_bus(async |scene| {
        let (provider, client) = (scene.connect(), scene.connect());
        let object = provider.publish("file", methods(&["stat"]));
        object.ready().await.unwrap();
        for _ in 0..2 {
            let serve = async { object.next_call().await.finish(status::NOT_FOUND) };
            let (answer, ()) = tokio::join!(call(&client, "file", "stat"), serve);
            assert_eq!(answer.unwrap_err().status(), Some(status::NOT_FOUND));
        }
        let serve = async { object.next_call().await.finish(status::OK) };
        let (answer, ()) = tokio::join!(call(&client, "file", "stat"), serve);
        assert_eq!(answer, Ok(Vec::new()), "no call was left over");
    });
}

#[test]
fn a_call_ends_when_its_object_goes() {
    on_bus(async |scene| {
        let (provider, client) = (scene.connect(), scene.connect());
        let object = provider.publish("box", methods(&["open"]));
        object.ready().await.unwrap();
        let die = async {
            let held = object.next_call().await;
            drop(object);
            drop(provider);
            held
        };
        let (answer, _held) = tokio::join!(call(&client, "box", "open"), die);
        assert_eq!(answer, Err(BusError::Gone("box open".to_owned())));
        let answer = call(&client, "box", "open").await;
        assert_eq!(answer.unwrap_err().status(), Some(status::NOT_FOUND));
    });
}

#[test]
fn what_is_dropped_leaves_the_bus() {
    on_bus(async |scene| {
        let (provider, client) = (scene.connect(), scene.connect());
        let object = provider.publish("box", methods(&["open"]));
        let events = provider.events("box.*");
        object.ready().await.unwrap();
        events.ready().await.unwrap();
        drop(object);
        // The bus answers in order: what was said before the question counts.
        assert_eq!(provider.objects("box").await, Ok(Vec::new()));
        let again = provider.publish("box", methods(&["open"]));
        again.ready().await.unwrap();
        drop((again, provider));
        // The events hold the connection, and the object is gone all the same.
        while !client.objects("box").await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        client.send_event("box.still", &said("here")).await.unwrap();
        assert_eq!(events.next().await.id, "box.still");
    });
}

#[test]
fn a_wait_that_is_broken_off_loses_nothing() {
    on_bus(async |scene| {
        let (listener, sender) = (scene.connect(), scene.connect());
        let events = listener.events("n");
        events.ready().await.unwrap();
        for n in 0..5 {
            let broken_off = tokio::time::timeout(Duration::ZERO, events.next()).await;
            assert!(broken_off.is_err());
            sender.send_event("n", &Table::new().with("n", n)).await.unwrap();
            assert_eq!(events.next().await.data.i64("n"), Some(n.into()));
        }
    });
}

#[test]
fn large_arguments_and_answers_go_through_in_one_piece() {
    on_bus(async |scene| {
        let (provider, client) = (scene.connect(), scene.connect());
        let object = provider.publish("echo", methods(&["say"]));
        object.ready().await.unwrap();
        let large = said(&"x".repeat(700_000));
        let serve = async {
            for _ in 0..3 {
                let call = object.next_call().await;
                call.reply(&call.arguments).unwrap();
                call.finish(status::OK);
            }
        };
        let calls = async {
            tokio::join!(
                client.call("echo", "say", &large),
                client.call("echo", "say", &large),
                client.call("echo", "say", &large),
            )
        };
        let (answers, ()) = tokio::join!(calls, serve);
        for answer in [answers.0, answers.1, answers.2] {
            assert_eq!(answer.unwrap(), std::slice::from_ref(&large));
        }
        let too_large = said(&"x".repeat(crate::limits::FRAME_BYTES));
        assert_eq!(
            client.call("echo", "say", &too_large).await.unwrap_err().to_string(),
            "ubus: echo say: cannot be sent: it is larger than a message may be"
        );
    });
}

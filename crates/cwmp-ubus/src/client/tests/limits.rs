//! Queues have ends.

use super::*;
use crate::limits;

#[test]
fn of_events_that_nobody_reads_the_oldest_give_way() {
    on_bus(async |scene| {
        let (listener, sender) = (scene.connect(), scene.connect());
        let events = listener.events("n");
        events.ready().await.unwrap();
        let more = 44;
        for n in 0..limits::EVENTS + more {
            let n = i64::try_from(n).unwrap();
            sender.send_event("n", &Table::new().with("n", n)).await.unwrap();
        }
        // The events themselves were sent to the listener before these answers.
        listener.objects("n").await.unwrap();
        assert_eq!(events.gaps(), more as u64);
        for n in more..limits::EVENTS + more {
            assert_eq!(events.next().await.data.i64("n"), i64::try_from(n).ok());
        }
    });
}

#[test]
fn calls_that_an_object_of_ours_does_not_serve_are_refused_at_the_limit() {
    on_bus(async |scene| {
        let (provider, client) = (scene.connect(), scene.connect());
        let object = provider.publish("box", methods(&["open"]));
        object.ready().await.unwrap();
        let calls: Vec<_> = (0..limits::OWN_CALLS)
            .map(|_| {
                let client = client.clone();
                tokio::task::spawn_local(async move { call(&client, "box", "open").await })
            })
            .collect();
        // The queue is full once a further one is refused; which of them that is, is chance.
        let refused = call(&client, "box", "open");
        let mut refusals = 0;
        let serve = async {
            while refusals == 0 {
                client.objects("box").await.unwrap();
                refusals = calls.iter().filter(|call| call.is_finished()).count();
                if refusals > 0 {
                    break;
                }
            }
        };
        tokio::select! {
            answer = refused => assert_eq!(answer.unwrap_err().status(), Some(status::NO_MEMORY)),
            () = serve => {}
        }
        for _ in 0..limits::OWN_CALLS {
            object.next_call().await.finish(status::OK);
        }
        let mut answered = 0;
        for call in calls {
            match call.await.unwrap() {
                Ok(_) => answered += 1,
                Err(error) => assert_eq!(error.status(), Some(status::NO_MEMORY)),
            }
        }
        assert!(answered + 1 >= limits::OWN_CALLS);
    });
}

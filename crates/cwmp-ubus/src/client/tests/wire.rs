//! A bus that is scripted message by message.

use super::*;
use crate::{
    frame::{Frame, Frames},
    limits,
    message::Fields,
};
use std::{
    io::{IoSlice, Read},
    os::fd::AsRawFd,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    time::Instant,
};

const ID: u32 = 0x1234_5678;
/// The object that hears of other objects.
const WATCHER: u32 = 5;

/// The bus, as far as a client sees it.
struct Wire {
    stream: UnixStream,
    frames: Frames,
    /// What has come and was not asked for yet: the tasks of a client speak in any order.
    others: Vec<(Frame, Fields)>,
}

impl Wire {
    /// Accepts a client, greets it and lets it register for the coming and going of objects.
    async fn accept(listener: &UnixListener) -> Self {
        let (stream, _) = listener.accept().await.unwrap();
        let mut wire = Self { stream, frames: Frames::default(), others: Vec::new() };
        let mut later = Vec::new();
        wire.send(kind::HELLO, 0, 77, |message| message).await;
        let add = loop {
            let (add, fields) = wire.next(kind::ADD_OBJECT).await;
            if fields.path.is_none() {
                break add;
            }
            later.push((add, fields));
        };
        wire.others.extend(later);
        wire.add(&add, WATCHER, status::OK).await;
        let register = wire.next(kind::INVOKE).await.0;
        wire.status(&register, status::OK).await;
        wire
    }

    async fn send(&mut self, kind: u8, seq: u16, peer: u32, fill: impl FnOnce(Outgoing) -> Outgoing) {
        let bytes = fill(Outgoing::new(kind, peer)).finish(seq).unwrap();
        self.stream.write_all(&bytes).await.unwrap();
    }

    async fn status(&mut self, to: &Frame, code: u32) {
        self.send(kind::STATUS, to.seq, to.peer, |message| message.number(attribute::STATUS, code)).await;
    }

    async fn next(&mut self, kind: u8) -> (Frame, Fields) {
        self.next_with(kind, None).await
    }

    /// The next message of this kind, where it has a path with that path.
    async fn next_with(&mut self, kind: u8, path: Option<&str>) -> (Frame, Fields) {
        loop {
            let wanted = |(frame, fields): &(Frame, Fields)| {
                frame.kind == kind && (path.is_none() || fields.path.as_deref() == path)
            };
            if let Some(at) = self.others.iter().position(wanted) {
                return self.others.remove(at);
            }
            if let Some(frame) = self.frames.next().unwrap() {
                let fields = Fields::decode(&frame.body).unwrap();
                self.others.push((frame, fields));
                continue;
            }
            let mut chunk = [0; 4096];
            let read = self.stream.read(&mut chunk).await.unwrap();
            assert_ne!(read, 0, "the client has gone");
            self.frames.feed(&chunk[..read]);
        }
    }

    /// Takes an object on the bus, or refuses it.
    async fn add(&mut self, add: &Frame, id: u32, code: u32) {
        if code == status::OK {
            self.send(kind::DATA, add.seq, 0, |message| message.number(attribute::OBJID, id)).await;
        }
        self.status(add, code).await;
    }

    /// Answers the next question for an object.
    async fn look_up(&mut self, path: &str, id: u32) {
        let (lookup, fields) = self.next(kind::LOOKUP).await;
        assert_eq!(fields.path.as_deref(), Some(path));
        let object =
            |message: Outgoing| message.text(attribute::OBJPATH, path).unwrap().number(attribute::OBJID, id);
        self.send(kind::DATA, lookup.seq, 0, object).await;
        self.status(&lookup, status::OK).await;
    }

    async fn answer(&mut self, to: &Frame, text: &str) {
        let data = |message: Outgoing| {
            message.number(attribute::OBJID, to.peer).table(attribute::DATA, &said(text)).unwrap()
        };
        self.send(kind::DATA, to.seq, to.peer, data).await;
        let end = |message: Outgoing| {
            message.number(attribute::STATUS, status::OK).number(attribute::OBJID, to.peer)
        };
        self.send(kind::STATUS, to.seq, to.peer, end).await;
    }
}

/// Runs a test with a script; both sides are on one thread.
fn scripted(test: impl AsyncFnOnce(UnixListener, Bus)) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("ubus.sock");
    run(async {
        let listener = UnixListener::bind(&socket).unwrap();
        test(listener, Bus::connect(BusOptions::at(&socket))).await;
    });
}

/// The same in virtual time: waits take none, and when everybody waits for everybody the test is over at once.
fn in_virtual_time(test: impl AsyncFnOnce(UnixListener, Bus)) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("ubus.sock");
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let listener = UnixListener::bind(&socket).unwrap();
        let test = test(listener, Bus::connect(BusOptions::at(&socket)));
        tokio::time::timeout(Duration::from_secs(3600), test).await.expect("the test hangs");
    });
}

#[test]
fn a_call_without_an_answer_times_out_and_its_late_answer_is_nobodys() {
    in_virtual_time(async |listener, bus| {
        let began = Instant::now();
        let client = async {
            let first = call(&bus, "box", "open").await;
            assert_eq!(first, Err(BusError::Timeout("box open".to_owned())));
            assert_eq!(began.elapsed().as_secs(), limits::CALL_TIMEOUT.as_secs());
            call(&bus, "box", "open").await
        };
        let script = async {
            let mut wire = Wire::accept(&listener).await;
            wire.look_up("box", ID).await;
            let late = wire.next(kind::INVOKE).await.0;
            let next = wire.next(kind::INVOKE).await.0;
            assert_ne!(late.seq, next.seq);
            wire.answer(&late, "late").await;
            // Of the right number and the wrong peer.
            wire.answer(&Frame { peer: 9, ..next.clone() }, "somebody else").await;
            wire.answer(&next, "right").await;
            wire
        };
        let (answer, _wire) = tokio::join!(client, script);
        assert_eq!(answer.unwrap(), [said("right")]);
    });
}

#[test]
fn an_id_of_an_earlier_life_is_looked_up_again_and_the_call_repeated_once() {
    scripted(async |listener, bus| {
        let client = async {
            assert_eq!(call(&bus, "box", "open").await.unwrap(), [said("one")]);
            assert_eq!(call(&bus, "box", "open").await.unwrap(), [said("two")]);
            call(&bus, "box", "open").await
        };
        let script = async {
            let mut wire = Wire::accept(&listener).await;
            wire.look_up("box", ID).await;
            let invoke = wire.next(kind::INVOKE).await.0;
            wire.answer(&invoke, "one").await;
            // The id is remembered, and the bus does not know it any more.
            let stale = wire.next(kind::INVOKE).await.0;
            assert_eq!(stale.peer, ID);
            wire.status(&stale, status::NOT_FOUND).await;
            wire.look_up("box", ID + 1).await;
            let fresh = wire.next(kind::INVOKE).await.0;
            assert_eq!(fresh.peer, ID + 1);
            wire.answer(&fresh, "two").await;
            // Not found again, though the same object is there: no second try.
            let stale = wire.next(kind::INVOKE).await.0;
            wire.status(&stale, status::NOT_FOUND).await;
            wire.look_up("box", ID + 1).await;
            wire
        };
        let (answer, _wire) = tokio::join!(client, script);
        assert_eq!(answer.unwrap_err().status(), Some(status::NOT_FOUND));
    });
}

#[test]
fn a_malformed_answer_fails_its_call_alone() {
    scripted(async |listener, bus| {
        let client = async {
            let first = call(&bus, "box", "open").await;
            assert_eq!(
                first.unwrap_err().to_string(),
                "ubus: box open: malformed answer: text does not end with NUL"
            );
            call(&bus, "box", "open").await
        };
        let script = async {
            let mut wire = Wire::accept(&listener).await;
            wire.look_up("box", ID).await;
            let invoke = wire.next(kind::INVOKE).await.0;
            // A string "n" of one byte that is no NUL.
            let data = [7, 0, 0, 16, 0x83, 0, 0, 9, 0, 1, b'n', 0, b'x', 0, 0, 0];
            let mut bytes = Outgoing::new(kind::DATA, ID).finish(invoke.seq).unwrap();
            bytes.extend_from_slice(&data);
            bytes[11] += 16;
            wire.stream.write_all(&bytes).await.unwrap();
            wire.status(&invoke, status::OK).await;
            let next = wire.next(kind::INVOKE).await.0;
            wire.answer(&next, "well").await;
            wire
        };
        let (answer, _wire) = tokio::join!(client, script);
        assert_eq!(answer.unwrap(), [said("well")]);
    });
}

#[test]
fn an_answer_that_is_too_large_is_given_up() {
    scripted(async |listener, bus| {
        let client = async {
            let first = call(&bus, "box", "open").await;
            assert_eq!(first, Err(BusError::TooLarge("box open".to_owned())));
            call(&bus, "box", "open").await
        };
        let script = async {
            let mut wire = Wire::accept(&listener).await;
            wire.look_up("box", ID).await;
            let invoke = wire.next(kind::INVOKE).await.0;
            let large = said(&"x".repeat(limits::FRAME_BYTES / 2));
            for _ in 0..9 {
                let data = |message: Outgoing| message.table(attribute::DATA, &large).unwrap();
                wire.send(kind::DATA, invoke.seq, ID, data).await;
            }
            wire.status(&invoke, status::OK).await;
            let next = wire.next(kind::INVOKE).await.0;
            wire.answer(&next, "small").await;
            wire
        };
        let (answer, _wire) = tokio::join!(client, script);
        assert_eq!(answer.unwrap(), [said("small")]);
    });
}

#[test]
fn no_more_calls_are_under_way_than_the_limit() {
    scripted(async |listener, bus| {
        let first = {
            let bus = bus.clone();
            tokio::task::spawn_local(async move { call(&bus, "box", "open").await })
        };
        let mut wire = Wire::accept(&listener).await;
        wire.look_up("box", ID).await;
        let invoke = wire.next(kind::INVOKE).await.0;
        wire.answer(&invoke, "first").await;
        first.await.unwrap().unwrap();
        let calls: Vec<_> = (0..limits::CALLS + 3)
            .map(|_| {
                let bus = bus.clone();
                tokio::task::spawn_local(async move { call(&bus, "box", "open").await })
            })
            .collect();
        let mut waiting = Vec::new();
        for _ in 0..limits::CALLS {
            waiting.push(wire.next(kind::INVOKE).await.0);
        }
        // What is said after them comes before any further one.
        let probe = bus.publish("probe", Vec::new());
        wire.next_with(kind::ADD_OBJECT, Some("probe")).await;
        drop(probe);
        assert!(!wire.others.iter().any(|(frame, _)| frame.kind == kind::INVOKE));
        let mut answered = 0;
        while let Some(invoke) = waiting.pop() {
            wire.answer(&invoke, "answer").await;
            answered += 1;
            if answered <= 3 {
                waiting.push(wire.next(kind::INVOKE).await.0);
            }
        }
        for call in calls {
            assert_eq!(call.await.unwrap().unwrap(), [said("answer")]);
        }
    });
}

#[test]
fn a_stream_that_is_no_bus_is_left_and_waits_grow_between_attempts() {
    in_virtual_time(async |listener, bus| {
        let mut waits = Vec::new();
        let mut last = None;
        for greeting in [b"HTTP/1.1 400".as_slice(), b"", &[0; 3], b"x", b"y", b"z", b"", b"", b""] {
            let (mut stream, _) = listener.accept().await.unwrap();
            let now = Instant::now();
            if let Some(last) = last.replace(now) {
                waits.push(now.duration_since(last).as_millis());
            }
            stream.write_all(greeting).await.unwrap();
        }
        // The last of them waits longer than anybody should for a bus.
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 6400, 10_000]);
        let client = call(&bus, "box", "open");
        let answer = client.await;
        assert_eq!(answer, Err(BusError::Disconnected("box open".to_owned())), "at once, between attempts");
    });
}

#[test]
fn a_bus_that_does_not_greet_is_left() {
    in_virtual_time(async |listener, bus| {
        let began = Instant::now();
        let silent = async { listener.accept().await.unwrap() };
        let (answer, _held) = tokio::join!(call(&bus, "box", "open"), silent);
        assert_eq!(answer, Err(BusError::Disconnected("box open".to_owned())));
        assert_eq!(began.elapsed(), limits::HELLO_TIMEOUT, "a call waits while an attempt is under way");
        Wire::accept(&listener).await;
    });
}

#[test]
fn the_second_socket_is_tried_where_there_is_no_first() {
    let folder = tempfile::tempdir().unwrap();
    let sockets = ["none.sock", "old.sock"].map(|name| folder.path().join(name));
    run(async {
        let _broker = TestBroker::start(&sockets[1]).unwrap();
        let bus = Bus::connect(BusOptions { sockets: sockets.to_vec(), ..BusOptions::default() });
        assert_eq!(bus.objects("*").await, Ok(Vec::new()));
    });
}

#[test]
fn a_file_descriptor_that_comes_is_closed() {
    scripted(async |listener, bus| {
        let client = call(&bus, "box", "open");
        let script = async {
            let mut wire = Wire::accept(&listener).await;
            wire.look_up("box", ID).await;
            let invoke = wire.next(kind::INVOKE).await.0;
            let (reader, writer) = std::io::pipe().unwrap();
            let status = Outgoing::new(kind::STATUS, ID).number(attribute::STATUS, status::OK);
            let bytes = status.finish(invoke.seq).unwrap();
            let fds = [writer.as_raw_fd()];
            let with = [nix::sys::socket::ControlMessage::ScmRights(&fds)];
            let flags = nix::sys::socket::MsgFlags::empty();
            let (stream, parts) = (wire.stream.as_raw_fd(), [IoSlice::new(&bytes)]);
            nix::sys::socket::sendmsg::<()>(stream, &parts, &with, flags, None).unwrap();
            drop(writer);
            (wire, reader)
        };
        let (answer, (_wire, mut reader)) = tokio::join!(client, script);
        assert_eq!(answer, Ok(Vec::new()));
        let mut end = Vec::new();
        reader.read_to_end(&mut end).unwrap();
        assert_eq!(end, [0; 0], "nobody holds the other end any more");
    });
}

#[test]
fn who_notifies_with_a_question_is_answered_and_who_wants_no_answer_is_not() {
    scripted(async |listener, bus| {
        let object = bus.publish("box", methods(&["open"]));
        let script = async {
            let mut wire = Wire::accept(&listener).await;
            let add = wire.next_with(kind::ADD_OBJECT, Some("box")).await.0;
            wire.add(&add, ID, status::OK).await;
            let invoke = |message: Outgoing, method: &str, data: bool| {
                let message = message.number(attribute::OBJID, ID).text(attribute::METHOD, method).unwrap();
                if data { message.table(attribute::DATA, &Table::new()).unwrap() } else { message }
            };
            // Three calls that are refused, each for its reason, then two that are served.
            wire.send(kind::INVOKE, 1, 66, |message| invoke(message, "shut", true)).await;
            wire.send(kind::INVOKE, 2, 66, |message| invoke(message, "open", false)).await;
            wire.send(kind::INVOKE, 3, 66, |message| message.number(attribute::OBJID, 9)).await;
            let quiet = |message: Outgoing| invoke(message.flag(attribute::NO_REPLY, true), "open", true);
            wire.send(kind::INVOKE, 4, 66, quiet).await;
            wire.send(kind::INVOKE, 5, 66, |message| invoke(message, "open", true)).await;
            for (seq, code) in [
                (1, status::METHOD_NOT_FOUND),
                (2, status::INVALID_ARGUMENT),
                (3, status::NOT_FOUND),
                (5, status::OK),
            ] {
                let (frame, fields) = wire.next(kind::STATUS).await;
                assert_eq!((frame.seq, frame.peer, fields.status), (seq, 66, Some(code)));
            }
            wire
        };
        let serve = async {
            for _ in 0..2 {
                object.next_call().await.finish(status::OK);
            }
        };
        let (_wire, ()) = tokio::join!(script, serve);
    });
}

#[test]
fn a_taken_path_is_refused_until_its_owner_goes() {
    in_virtual_time(async |listener, bus| {
        let began = Instant::now();
        let object = bus.publish("tr069", methods(&["inform"]));
        let script = async {
            let mut wire = Wire::accept(&listener).await;
            let add = wire.next_with(kind::ADD_OBJECT, Some("tr069")).await.0;
            wire.add(&add, ID, status::INVALID_ARGUMENT).await;
            let error = object.ready().await.unwrap_err();
            assert_eq!(error.to_string(), "ubus: object tr069: invalid argument (status 2)");
            // Tried again at once when the owner goes, and after a while in any case.
            let gone = |message: Outgoing| {
                let data = Table::new().with("id", 1).with("path", "tr069");
                message
                    .number(attribute::OBJID, WATCHER)
                    .text(attribute::METHOD, "ubus.object.remove")
                    .and_then(|message| message.table(attribute::DATA, &data))
                    .unwrap()
            };
            wire.send(kind::INVOKE, 1, 0, gone).await;
            let add = wire.next_with(kind::ADD_OBJECT, Some("tr069")).await.0;
            assert_eq!(began.elapsed(), Duration::ZERO);
            wire.add(&add, ID, status::INVALID_ARGUMENT).await;
            let add = wire.next_with(kind::ADD_OBJECT, Some("tr069")).await.0;
            assert_eq!(began.elapsed().as_secs(), limits::REGISTER_AGAIN.as_secs());
            wire.add(&add, ID, status::OK).await;
            while object.ready().await.is_err() {
                tokio::task::yield_now().await;
            }
            wire
        };
        script.await;
    });
}

#[test]
fn a_subscription_whose_target_goes_right_away_is_renewed() {
    scripted(async |listener, bus| {
        let subscription = bus.subscribe("box");
        let script = async {
            let mut wire = Wire::accept(&listener).await;
            for own in [20, 21] {
                wire.look_up("box", ID).await;
                let add = wire.next(kind::ADD_OBJECT).await.0;
                wire.add(&add, own, status::OK).await;
                let (subscribe, fields) = wire.next(kind::SUBSCRIBE).await;
                assert_eq!((fields.object, fields.target), (Some(own), Some(ID)));
                wire.status(&subscribe, status::OK).await;
                if own == 20 {
                    // In one breath with the answer: the client has not seen that yet.
                    let gone = |message: Outgoing| {
                        message.number(attribute::OBJID, own).number(attribute::TARGET, ID)
                    };
                    wire.send(kind::UNSUBSCRIBE, 1, 0, gone).await;
                    let (_, removed) = wire.next(kind::REMOVE_OBJECT).await;
                    assert_eq!(removed.object, Some(own));
                }
            }
            wire
        };
        let (_wire, ready) = tokio::join!(script, subscription.ready());
        assert_eq!(ready, Ok(()));
    });
}

//! The box with a protocol side in the hands of an attacker.

use std::fs;

use cwmp_core::io::{Body, DataOp, Effect, Input, OpId};

use super::*;
use crate::{
    border::{self, Call, Down, Ear, FileId, ProtocolEnd, Return, Up},
    box_loop,
};

/// The box runs; the test is its protocol side.
async fn taken_over(folder: &Path) -> (ProtocolEnd, mpsc::Sender<Asked>, tokio::task::JoinHandle<Departure>) {
    fs::write(folder.join("factory.ini"), "[cwmpd]\nplatform = generic-linux\n").unwrap();
    let (parts, requests) = parts(folder, mock("b1")).await;
    let (ours, theirs) = border::inside();
    let ended = tokio::task::spawn_local(box_loop::run(parts, ours, 0, std::future::pending()));
    (theirs, requests, ended)
}

async fn in_local_set(test: impl AsyncFnOnce(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    LocalSet::new().run_until(test(folder.path())).await;
}

#[tokio::test]
async fn who_sends_effects_that_are_not_for_the_box_is_ended() {
    in_local_set(async |folder| {
        let (end, _requests, ended) = taken_over(folder).await;
        end.send.send(Up::Effect(Effect::Post(Body::Empty))).unwrap();
        let departure = tokio::time::timeout(PATIENCE, ended).await.unwrap().unwrap();
        assert_eq!(departure, Departure::Revive { deaths: 1 });
    })
    .await;
}

#[tokio::test]
async fn a_flood_is_worked_off_in_turn_and_others_are_served_meanwhile() {
    const FLOOD: u32 = 2_000;
    in_local_set(async |folder| {
        let (mut end, requests, ended) = taken_over(folder).await;
        for id in 0..FLOOD {
            let op = DataOp::Values { names: vec!["Device.DeviceInfo.SerialNumber".to_owned()] };
            end.send.send(Up::Effect(Effect::Data(OpId(id), op))).unwrap();
            end.send.send(Up::Call(id, Call::Keep(FileId(id)))).unwrap();
        }
        let (answer, answered) = oneshot::channel();
        let request = Request::Get { paths: vec!["Device.DeviceInfo.SoftwareVersion".to_owned()] };
        requests.send(Asked { request, answer }).await.ok().unwrap();
        let (mut data, mut failed) = (0, 0);
        while data < FLOOD || failed < FLOOD {
            match tokio::time::timeout(PATIENCE, end.hear.hear()).await.unwrap().unwrap() {
                Down::Input(Input::DataDone(_, Ok(_))) => data += 1,
                Down::Return(_, Return::Failed(_)) => failed += 1,
                _ => {}
            }
        }
        assert!(matches!(answered.await.unwrap(), Answer::Values { .. }));
        // The end of the other side is the end of the border.
        drop(end.send);
        end.hear = Ear::Inside(mpsc::unbounded_channel().1);
        assert_eq!(ended.await.unwrap(), Departure::Revive { deaths: 1 });
    })
    .await;
}

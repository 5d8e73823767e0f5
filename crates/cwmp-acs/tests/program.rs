//! The program as a person uses it: prompt and one-shot commands.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, clippy::indexing_slicing)]

mod cpe;

use std::{path::Path, process::Stdio};

use cpe::{Cpe, PATIENCE, string};
use cwmp_core::{
    event::EventCode,
    rpc::{CpeRequest, CpeResponse, ToCpe},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdout, Command},
};

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cwmp-acs"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    command
}

/// Reads lines until one holds this text, and returns it.
async fn line_with(lines: &mut tokio::io::Lines<BufReader<ChildStdout>>, text: &str) -> String {
    let find = async {
        loop {
            let line = lines.next_line().await.unwrap().expect("the program has ended");
            if line.contains(text) {
                return line;
            }
        }
    };
    tokio::time::timeout(PATIENCE, find).await.unwrap_or_else(|_| panic!("no line with {text}"))
}

/// Starts `serve`; returns it with its lines and the address of the ACS.
async fn serve(control: &Path) -> (Child, tokio::io::Lines<BufReader<ChildStdout>>, String) {
    let mut child = program()
        .args(["serve", "--listen", "127.0.0.1:0", "--prompt", "--control"])
        .arg(control)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = line_with(&mut lines, "http://").await;
    let address = first.split("http://").nth(1).unwrap().split('/').next().unwrap().to_owned();
    (child, lines, address)
}

/// A session in which the ACS calls once.
async fn answer_one(cpe: &mut Cpe, answer: CpeResponse) -> ToCpe {
    cpe.reconnect().await;
    cpe.inform(&[EventCode::Periodic]).await.unwrap();
    let call = cpe.empty().await.unwrap();
    cpe.answer(&call, answer).await.unwrap();
    cpe.empty().await.unwrap();
    call.envelope().message
}

#[tokio::test]
async fn commands_at_the_prompt_wait_for_the_next_session() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, mut lines, address) = serve(&folder.path().join("s")).await;
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"get Device.A\n").await.unwrap();
    line_with(&mut lines, "no such CPE").await;

    let mut cpe = Cpe::connect(address).await;
    cpe.inform(&[EventCode::Bootstrap]).await.unwrap();
    cpe.empty().await.unwrap();
    line_with(&mut lines, "--> Inform").await;
    input.write_all(b"nonsense\nget Device.A\n").await.unwrap();
    line_with(&mut lines, "no command").await;
    line_with(&mut lines, "waits for the next session").await;
    let answer = CpeResponse::GetParameterValues(vec![string("Device.A", "hello")]);
    assert!(matches!(answer_one(&mut cpe, answer).await, ToCpe::Request(CpeRequest::GetParameterValues(_))));
    line_with(&mut lines, "Device.A = hello  (string)").await;
    input.write_all(b"quit\n").await.unwrap();
    assert!(tokio::time::timeout(PATIENCE, child.wait()).await.unwrap().unwrap().success());
    assert!(!folder.path().join("s").exists());
}

#[tokio::test]
async fn a_one_shot_command_prints_the_answer_and_fails_for_a_fault() {
    let folder = tempfile::tempdir().unwrap();
    let control = folder.path().join("s");
    let (_child, mut lines, address) = serve(&control).await;
    let one_shot = |words: &'static [&'static str]| {
        let mut command = program();
        command.arg("--control").arg(&control).args(words).stderr(Stdio::piped());
        command.output()
    };
    let output = one_shot(&["cpes"]).await.unwrap();
    assert_eq!((output.status.code(), output.stdout), (Some(0), b"no CPE has come yet\n".to_vec()));
    assert_eq!(one_shot(&["get", "Device.A"]).await.unwrap().status.code(), Some(1));

    let mut cpe = Cpe::connect(address).await;
    cpe.inform(&[EventCode::Boot]).await.unwrap();
    cpe.empty().await.unwrap();
    line_with(&mut lines, "--> Inform").await;
    let refused = tokio::spawn(one_shot(&["set", "Device.DeviceInfo.HardwareVersion=1"]));
    // The command is queued once its connection request, which leads nowhere, was tried; sessions until then are idle.
    let call = loop {
        cpe.reconnect().await;
        cpe.inform(&[EventCode::Periodic]).await.unwrap();
        let reply = cpe.empty().await.unwrap();
        if reply.status == 200 {
            break reply;
        }
    };
    let fault = cwmp_core::fault::CwmpFault::new(cwmp_core::fault::FaultCode::INVALID_ARGUMENTS, "read-only");
    let id = call.envelope().header.id;
    cpe.post(cwmp_core::rpc::ToAcs::Fault(fault.into()), id.as_deref()).await.unwrap();
    let output = refused.await.unwrap().unwrap();
    assert_eq!((output.status.code(), output.stdout), (Some(1), b"fault 9003: read-only\n".to_vec()));
    assert!(String::from_utf8_lossy(&output.stderr).contains("waits for the next session"));
}

#[tokio::test]
async fn a_raw_envelope_may_lie_beside_whoever_sends_it() {
    let folder = tempfile::tempdir().unwrap();
    let control = folder.path().join("s");
    let (_child, mut lines, address) = serve(&control).await;
    let mut cpe = Cpe::connect(address).await;
    cpe.inform(&[EventCode::Boot]).await.unwrap();
    cpe.empty().await.unwrap();
    line_with(&mut lines, "--> Inform").await;
    std::fs::write(folder.path().join("odd.xml"), "<odd/>").unwrap();
    let mut command = program();
    command
        .current_dir(folder.path())
        .arg("--control")
        .arg(&control)
        .args(["raw", "odd.xml"])
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut notes = BufReader::new(child.stderr.take().unwrap()).lines();
    // By now the call is queued.
    assert!(notes.next_line().await.unwrap().unwrap().contains("waits for the next session"));
    cpe.reconnect().await;
    cpe.inform(&[EventCode::Boot]).await.unwrap();
    assert_eq!(cpe.empty().await.unwrap().body, b"<odd/>");
    cpe.reconnect().await;
    assert_eq!(child.wait().await.unwrap().code(), Some(1));
}

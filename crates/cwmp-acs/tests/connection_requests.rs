//! Connection requests towards a listener made by hand.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, clippy::indexing_slicing)]

mod cpe;

use cpe::{Cpe, PATIENCE};
use cwmp_acs::{Acs, AcsOptions, CallError, Login, connection_request::ConnectionRequestError};
use cwmp_core::{
    digest::{Algorithm, DigestAuthorization, DigestChallenge},
    event::EventCode,
    rpc::{CpeRequest, CpeResponse},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// Reads the head of a request: its first line, and the Authorization header.
async fn head(stream: &mut BufReader<TcpStream>) -> (String, Option<String>) {
    let (mut first, mut authorization) = (String::new(), None);
    stream.read_line(&mut first).await.unwrap();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("authorization") => {
                authorization = Some(value.to_owned())
            }
            Some(_) => {}
            None => return (first.trim_end().to_owned(), authorization),
        }
    }
}

/// Answers one connection request: a challenge, then 200 for the right answer. With `close`, each reply ends its
/// connection.
async fn challenge_once(listener: TcpListener, close: bool) -> TcpListener {
    let challenge = DigestChallenge {
        realm: "cpe".into(),
        nonce: "n".into(),
        opaque: None,
        algorithm: Algorithm::Md5,
        qop_auth: true,
        stale: false,
    };
    let end = if close { "Connection: close\r\n" } else { "" };
    let mut stream = BufReader::new(listener.accept().await.unwrap().0);
    assert_eq!(head(&mut stream).await, ("GET /cr HTTP/1.1".to_owned(), None));
    let reply = format!(
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: {challenge}\r\n{end}Content-Length: 4\r\n\r\nwho?"
    );
    stream.write_all(reply.as_bytes()).await.unwrap();
    if close {
        stream = BufReader::new(listener.accept().await.unwrap().0);
    }
    let (_, authorization) = head(&mut stream).await;
    let given = DigestAuthorization::parse(&authorization.unwrap()).unwrap();
    let right = given.username == "acs" && given.uri == "/cr" && given.verify("GET", "pw");
    let status = if right { "200 OK" } else { "401 Unauthorized" };
    stream.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes()).await.unwrap();
    listener
}

async fn start() -> (Acs, Cpe, TcpListener) {
    let connection_request = Some(Login::new("acs", "pw"));
    let acs = Acs::start(AcsOptions { connection_request, ..AcsOptions::default() }).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut cpe = Cpe::connect(acs.address()).await;
    cpe.connection_request_url = format!("http://{}/cr", listener.local_addr().unwrap());
    cpe.inform(&[EventCode::Boot]).await.unwrap();
    cpe.empty().await.unwrap();
    (acs, cpe, listener)
}

#[tokio::test]
async fn a_digest_challenge_is_answered_on_the_same_and_on_a_new_connection() {
    let (acs, _cpe, mut listener) = start().await;
    for close in [false, true] {
        let task = tokio::spawn(challenge_once(listener, close));
        assert_eq!(acs.connection_request("*").await.unwrap(), 200);
        listener = task.await.unwrap();
    }
}

#[tokio::test]
async fn call_now_wakes_the_cpe_up_and_brings_the_answer() {
    let (acs, mut cpe, listener) = start().await;
    let asking = tokio::spawn({
        let acs = acs.clone();
        async move { acs.call_now("*", CpeRequest::GetRPCMethods).await }
    });
    challenge_once(listener, false).await;
    cpe.reconnect().await;
    cpe.inform(&[EventCode::ConnectionRequest]).await.unwrap();
    let call = cpe.empty().await.unwrap();
    let answer = CpeResponse::GetRPCMethods(vec!["Reboot".into()]);
    cpe.answer(&call, answer.clone()).await.unwrap();
    assert_eq!(tokio::time::timeout(PATIENCE, asking).await.unwrap().unwrap(), Ok(answer));
    assert_eq!(acs.violations(), []);
}

#[tokio::test]
async fn a_cpe_that_cannot_be_woken_up_is_told() {
    let (acs, _cpe, listener) = start().await;
    drop(listener);
    let error = acs.call_now("*", CpeRequest::GetRPCMethods).await.unwrap_err();
    assert!(matches!(error, CallError::ConnectionRequest(_)), "{error}");
    let nobody = acs.connection_request("00D09E-None-1").await;
    assert!(matches!(nobody, Err(ConnectionRequestError::NoUrl)));
}

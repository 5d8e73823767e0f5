//! How a CPE proves who it is.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, clippy::indexing_slicing)]

mod cpe;

use std::sync::{Arc, Mutex};

use cpe::{Cpe, PATIENCE};
use cwmp_acs::{Acs, AcsOptions, Authentication, Login, Rule};
use cwmp_core::{
    digest::{self, Algorithm, Challenge, Credentials, DigestChallenge},
    event::EventCode,
};

const WHO: Credentials<'static> = Credentials { username: "cpe", password: "secret" };

async fn start(authentication: Authentication) -> Acs {
    Acs::start(AcsOptions { authentication, ..AcsOptions::default() }).await.unwrap()
}

async fn challenge(cpe: &mut Cpe) -> DigestChallenge {
    let reply = cpe.inform(&[EventCode::Boot]).await.unwrap();
    assert_eq!(reply.status, 401);
    match Challenge::parse_all(reply.header("WWW-Authenticate").unwrap()).remove(0) {
        Challenge::Digest(challenge) => challenge,
        Challenge::Basic { .. } => panic!("Basic"),
    }
}

#[tokio::test]
async fn digest_goes_on_with_a_growing_count() {
    for algorithm in [Algorithm::Md5, Algorithm::Md5Sess, Algorithm::Sha256] {
        let login = Login::new("cpe", "secret");
        let acs = start(Authentication::Digest { login, algorithm, nonce_uses: None }).await;
        let mut cpe = Cpe::connect(acs.address()).await;
        let challenge = challenge(&mut cpe).await;
        cpe.authorization = Some(challenge.answer(&WHO, "POST", "/acs", "0a1b", 1).to_string());
        assert_eq!(cpe.inform(&[EventCode::Boot]).await.unwrap().status, 200);
        cpe.authorization = Some(challenge.answer(&WHO, "POST", "/acs", "0a1b", 2).to_string());
        assert_eq!(cpe.empty().await.unwrap().status, 204);
        assert!(acs.wait_session(PATIENCE, |_| true).await.unwrap().is_clean());
        assert_eq!(acs.violations(), []);
    }
}

#[tokio::test]
async fn a_count_that_does_not_grow_is_noticed() {
    let acs = start(Authentication::digest("cpe", "secret")).await;
    let mut cpe = Cpe::connect(acs.address()).await;
    let challenge = challenge(&mut cpe).await;
    cpe.authorization = Some(challenge.answer(&WHO, "POST", "/acs", "0a1b", 1).to_string());
    cpe.inform(&[EventCode::Boot]).await.unwrap();
    cpe.empty().await.unwrap();
    let rules: Vec<Rule> = acs.violations().iter().map(|violation| violation.rule).collect();
    assert_eq!(rules, [Rule::Digest]);
}

#[tokio::test]
async fn a_wrong_password_opens_no_session() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&lines);
    let on_message =
        move |message: &cwmp_acs::Message| seen.lock().unwrap().push(cwmp_acs::print::line(message));
    let authentication = Authentication::basic("cpe", "secret");
    let options =
        AcsOptions { authentication, on_message: Some(Arc::new(on_message)), ..AcsOptions::default() };
    let acs = Acs::start(options).await.unwrap();
    let mut cpe = Cpe::connect(acs.address()).await;
    let reply = cpe.inform(&[EventCode::Boot]).await.unwrap();
    assert_eq!((reply.status, reply.header("WWW-Authenticate")), (401, Some("Basic realm=\"cwmp-acs\"")));
    cpe.authorization = Some(digest::basic(&Credentials { password: "guess", ..WHO }));
    assert_eq!(cpe.inform(&[EventCode::Boot]).await.unwrap().status, 401);
    assert!(acs.cpes().is_empty());
    assert!(lines.lock().unwrap()[0].contains("[HTTP 401] who are you?"));
    assert!(lines.lock().unwrap()[1].contains("[HTTP 401] these credentials are refused"));
    cpe.authorization = Some(digest::basic(&WHO));
    assert_eq!(cpe.inform(&[EventCode::Boot]).await.unwrap().status, 200);
    assert_eq!(acs.cpes(), [Cpe::key()]);
}

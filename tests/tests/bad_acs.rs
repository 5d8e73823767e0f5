//! An ACS that misbehaves: what it sends by mistake or malice is answered with the fault that the standard has for it, or
//! fails the session with one line in the log. It changes nothing on the box, and the next session is a good one.
//!
//! An ACS that keeps silent is left to the transport's own tests: the shortest patience of the program is 30 s.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use bad::{call, envelope, set_code, value};
use cwmp_acs::{
    CallError, Script, Step,
    script::{ScriptRequest, ScriptedReply},
};
use cwmp_core::{event::EventCode, fault::FaultCode};
use cwmpd_tests::{
    Scene,
    scene::{PATIENCE, acs_options, acs_options_at, get, value_of},
    usage::Usage,
};

mod bad;

const CODE: &str = "Device.DeviceInfo.ProvisioningCode";

/// What each process may use at most beyond what it has at rest, whatever it is sent: some copies of the largest envelope.
const PEAK_KIB: u64 = 6 * 1024;

/// What must come of a bad envelope.
#[derive(Clone, Copy)]
enum Must {
    /// This CWMP fault.
    Fault(u32),
    /// This fault with this one for the parameter.
    FaultOf(u32, u32),
    /// A SOAP fault without a part of CWMP.
    SoapFault(&'static str),
    /// A failed session; the log says this.
    Fail(&'static str),
    /// An answer as if nothing were wrong.
    Work,
}
use Must::{Fail, Fault, FaultOf, SoapFault, Work};

/// Lines of the log that ask for attention.
fn complaints(scene: &Scene) -> Vec<String> {
    scene
        .log()
        .lines()
        .filter(|line| line.starts_with("<3>") || line.starts_with("<4>"))
        .map(str::to_owned)
        .collect()
}

/// The tree without what changes by itself.
async fn lasting(scene: &Scene) -> BTreeMap<String, String> {
    let moving = ["UpTime", ".MemoryStatus.", ".ProcessStatus.", "CurrentLocalTime", ".Stats.", ".Hosts."];
    let tree = scene.tree().await.into_iter();
    tree.filter(|(name, _)| !moving.iter().any(|part| name.contains(part)))
        .map(|(name, value)| (name, value.value))
        .collect()
}

/// The processes of the program, with what they have at rest (KiB).
fn at_rest(scene: &Scene) -> Vec<(u32, u64)> {
    let pids = [Some(scene.agent().pid()), scene.agent().protocol_pid()];
    pids.into_iter().flatten().map(|pid| (pid, Usage::of(pid).unwrap().rss_kib)).collect()
}

fn assert_bounded(rest: &[(u32, u64)]) {
    for (pid, rest) in rest {
        let peak = Usage::of(*pid).unwrap().peak_rss_kib;
        assert!(peak < rest + PEAK_KIB, "{peak} KiB; {rest} at rest");
    }
}

/// Waits for the one complaint that a case leads to.
async fn complains(scene: &Scene, case: &str, before: usize, reason: &str) {
    scene.until(&format!("{case}: a complaint"), || complaints(scene).len() > before).await;
    let all = complaints(scene);
    let new = &all[before..];
    assert_eq!(new.len(), 1, "{case}: {new:?}");
    let failed = format!("<4>session failed: {reason}");
    assert!(new[0].starts_with(&failed) && new[0].contains("; next try in "), "{case}: {new:?}");
}

/// Sends each envelope as a call of the ACS.
async fn judge(cases: Vec<(String, Vec<u8>, Must)>) {
    let scene = Scene::bootstrapped().await;
    let before = lasting(&scene).await;
    let rest = at_rest(&scene);
    for (case, envelope, must) in cases {
        let complaints = complaints(&scene).len();
        let pending = scene.acs.call_raw("*", envelope);
        scene.ask(&["inform"]);
        let answer = tokio::time::timeout(PATIENCE, pending).await;
        let answer = answer.unwrap_or_else(|_| panic!("{case}: no answer\n{}", scene.log()));
        match (must, &answer) {
            (Work, Ok(_)) => {}
            (Fail(reason), Err(CallError::Interrupted)) => {
                complains(&scene, &case, complaints, reason).await;
            }
            (Fault(code), Err(error)) if error.fault_code() == Some(code) => {}
            (FaultOf(code, part), Err(CallError::Fault(fault))) => {
                let fault = fault.cwmp.as_ref().unwrap();
                assert_eq!(fault.code.0, code, "{case}: {fault}");
                let parts: Vec<u32> = fault.parameters.iter().map(|fault| fault.code.0).collect();
                assert_eq!(parts, [part], "{case}");
            }
            (SoapFault(code), Err(CallError::Fault(fault))) if fault.faultcode == code => {}
            (_, answer) => panic!("{case}: {answer:?}\n{}", scene.log()),
        }
    }
    assert_eq!(lasting(&scene).await, before);
    assert_bounded(&rest);
    scene.assert_clean();
}

/// Lets each script spoil a session.
async fn spoil(cases: Vec<(String, Vec<Step>, &str)>) {
    let scene = Scene::bootstrapped().await;
    let before = lasting(&scene).await;
    for (case, steps, reason) in cases {
        let complaints = complaints(&scene).len();
        scene.acs.script("*", steps);
        scene.ask(&["inform"]);
        complains(&scene, &case, complaints, reason).await;
        scene.acs.clear_scripts();
    }
    assert_eq!(lasting(&scene).await, before);
    scene.assert_clean();
}

#[tokio::test]
async fn calls_that_cannot_be_taken_are_refused_with_their_fault() {
    judge(bad::calls()).await;
}

#[tokio::test]
async fn what_is_no_envelope_fails_the_session() {
    judge(bad::no_envelopes()).await;
}

#[tokio::test]
async fn a_set_that_is_cut_off_anywhere_changes_nothing() {
    let whole = set_code("half");
    // At each end of a tag, inside each name, and inside the value.
    let cuts = whole.match_indices(['<', '>', '=']).map(|(at, _)| at).chain([whole.len() - 1]);
    let cuts = cuts.filter(|at| *at > 0);
    let cases = cuts.map(|at| {
        let cut = whole.as_bytes()[..at].to_vec();
        (format!("cut at {at}"), cut, Fail("the ACS sent no valid envelope: "))
    });
    judge(cases.collect()).await;
}

#[tokio::test]
async fn bad_http_fails_the_session() {
    spoil(bad::replies()).await;
}

#[tokio::test]
async fn bad_answers_to_inform_fail_the_session() {
    spoil(bad::answers_to_inform()).await;
}

#[tokio::test]
async fn a_failed_session_is_tried_again_with_its_events() {
    let mut scene = Scene::new(acs_options(), |sandbox| sandbox).await;
    scene.acs.script("*", [Step::expect("Inform"), Step::Status(500), Step::expect("Inform"), Step::Reset]);
    scene.switch_on();
    let report = scene.good_session(EventCode::Bootstrap).await;
    assert!(report.has_event(&EventCode::Boot));
    assert_eq!(report.retry_count, 2);
    let failed = complaints(&scene);
    assert_eq!(failed.len(), 2, "{failed:?}");
    assert_eq!(failed[0], "<4>session failed: the ACS answered with HTTP status 500; next try in 1 s");
    assert!(failed[1].starts_with("<4>session failed: connection lost"), "{failed:?}");
    scene.assert_clean();
}

#[tokio::test]
async fn retry_after_is_honoured() {
    let scene = Scene::bootstrapped().await;
    let later = Step::Header("Retry-After".into(), "3600".into());
    scene.acs.script("*", [Step::expect("Inform"), later, Step::Status(503)]);
    scene.ask(&["inform"]);
    scene.logged("HTTP status 503; next try in 3600 s", 1).await;
    // What calls for a session ends the wait.
    scene.ring().await;
    let report = scene.session(EventCode::ConnectionRequest).await;
    assert!(report.has_event(&EventCode::Periodic), "{:?}", report.events);
    assert_eq!(report.retry_count, 1);
    scene.assert_clean();
}

#[tokio::test]
async fn an_acs_that_cannot_be_reached_is_tried_again() {
    let mut scene = Scene::new(acs_options_at(1), |sandbox| sandbox).await;
    let listen = scene.acs.address();
    scene.acs.stop().await;
    scene.switch_on();
    scene.logged("session failed: no connection to ", 1).await;
    scene.acs = cwmp_acs::Acs::start(cwmp_acs::AcsOptions { listen, ..acs_options() }).await.unwrap();
    let report = scene.good_session(EventCode::Bootstrap).await;
    assert!(report.retry_count >= 1);
    scene.assert_clean();
}

#[tokio::test]
async fn a_set_whose_answer_is_lost_is_in_force_as_a_whole() {
    let scene = Scene::bootstrapped().await;
    let cases: Vec<Vec<Step>> =
        vec![vec![Step::Close], vec![Step::Reset], vec![Step::Status(500)], vec![Step::CloseAfterBytes(5)]];
    for (round, end) in cases.into_iter().enumerate() {
        let text = format!("round {round}");
        let steps = [vec![Step::until("SetParameterValuesResponse")], end.clone()].concat();
        scene.acs.script("*", steps);
        let pending = scene.acs.call_raw("*", set_code(&text));
        scene.ask(&["inform"]);
        scene.logged("session failed: ", round + 1).await;
        drop(pending);
        assert_eq!(scene.ask(&["get", CODE]), format!("{CODE}={text}\n"), "{end:?}");
    }
    assert_eq!(value_of(&scene.call(get(&[CODE])).await), "round 3");
    scene.assert_clean();
}

#[tokio::test]
async fn an_acs_that_refuses_with_8005_gets_the_same_request_again() {
    let scene = Scene::bootstrapped().await;
    scene.acs.script(
        "*",
        [Step::SoapFault(FaultCode::ACS_RETRY_REQUEST), Step::SoapFault(FaultCode::ACS_RETRY_REQUEST)],
    );
    scene.ring().await;
    let report = scene.session(EventCode::ConnectionRequest).await;
    assert_eq!(report.retry_count, 0);
    assert!(complaints(&scene).is_empty());
    // For ever is too often.
    let always = |_: &ScriptRequest<'_>| vec![Step::SoapFault(FaultCode::ACS_RETRY_REQUEST)];
    scene.acs.script("*", Script::by_rule(always));
    scene.ask(&["inform"]);
    scene.logged("session failed: the ACS refused Inform: 8005", 1).await;
    scene.acs.clear_scripts();
    scene.good_session(EventCode::Periodic).await;
    scene.assert_clean();
}

#[tokio::test]
async fn no_value_reaches_a_shell_or_a_path() {
    let scene = Scene::bootstrapped().await;
    let mark = scene.folder().join("mark");
    for text in
        ["$(touch MARK)", "`touch MARK`", "; touch MARK #", "../../etc/passwd", "a\"b'c\\n[x]", "a=b\\"]
    {
        let text = text.replace("MARK", &mark.to_string_lossy());
        let text: String = text.chars().take(64).collect();
        let pending = scene.acs.call_raw("*", set_code(&text));
        scene.ask(&["inform"]);
        pending.await.unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(scene.ask(&["get", CODE]), format!("{CODE}={text}\n"));
    }
    assert!(!mark.exists());
    let name = "Device.DeviceInfo.$(reboot)";
    let pending = scene.acs.call_raw("*", call("", &bad::set_body(&value(name, "xsd:string", "x"))));
    scene.ask(&["inform"]);
    assert_eq!(pending.await.unwrap_err().fault_code(), Some(9003));
    scene.assert_clean();
}

#[tokio::test]
async fn an_answer_in_place_of_a_call_fails_the_session() {
    let envelope = envelope("", "<cwmp:TransferCompleteResponse/>");
    let steps = vec![Step::until(""), Step::Reply(ScriptedReply::envelope(envelope))];
    let reason = "the ACS sent TransferCompleteResponse without a request";
    spoil(vec![("TransferCompleteResponse".to_owned(), steps, reason)]).await;
}

/// Whoever decides where the ACS's name leads, or what its redirect says, can lead the session to the box itself. There it
/// is no connection request, and the credentials are of no use.
#[tokio::test]
async fn a_session_that_is_led_to_the_box_itself_rings_nothing() {
    let scene = Scene::bootstrapped().await;
    let url = scene.value("Device.ManagementServer.ConnectionRequestURL").await;
    let before = complaints(&scene).len();
    scene.acs.script("*", [Step::expect("Inform"), Step::Redirect(302, url.clone())]);
    scene.ask(&["inform"]);
    complains(&scene, "led to itself", before, "the ACS answered with HTTP status 405").await;
    let report = scene.good_session(EventCode::Periodic).await;
    assert!(!report.has_event(&EventCode::ConnectionRequest), "{:?}", report.events);
    assert_eq!(report.retry_count, 1);
    scene.assert_clean();
}

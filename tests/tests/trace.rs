//! A trace of the real program, replayed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use cwmp_acs::{Acs, AcsOptions, Authentication, Login};
use cwmp_core::{
    io::Input,
    rpc::{CpeRequest, GetParameterValues, ParameterKey, ParameterValueStruct, SetParameterValues},
};
use cwmpd_tests::{Cwmpd, Sandbox, replay::replay, sandbox::known};

const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_field_trace_replays_exactly_and_holds_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace.jsonl");
    let options = AcsOptions {
        authentication: Authentication::digest(known::USERNAME, known::PASSWORD),
        connection_request: Some(Login::new(known::CR_USERNAME, known::CR_PASSWORD)),
        ..AcsOptions::default()
    };
    let acs = Acs::start(options).await.unwrap();
    let sandbox =
        Sandbox::new(folder.path(), &acs.url()).with("cwmpd", "trace_file", &trace.to_string_lossy());
    let agent = Cwmpd::start(&sandbox).unwrap();
    acs.wait_session(PATIENCE, |_| true).await.unwrap();
    let secret = "a-new-secret";
    let set = SetParameterValues {
        parameters: vec![ParameterValueStruct {
            name: "Device.ManagementServer.ConnectionRequestPassword".into(),
            value_type: None,
            value: secret.into(),
        }],
        parameter_key: ParameterKey::default(),
    };
    let get = GetParameterValues { names: vec!["Device.Foo".into(), "Device.".into()] };
    let refused = acs.call(known::CPE, CpeRequest::GetParameterValues(get));
    let set = acs.call(known::CPE, CpeRequest::SetParameterValues(set));
    acs.connection_request(known::CPE).await.unwrap();
    assert_eq!(refused.await.unwrap_err().fault_code(), Some(9005));
    set.await.unwrap();
    acs.wait_session(PATIENCE, |_| true).await.unwrap();
    assert!(agent.stop(PATIENCE).unwrap().success());

    let text = std::fs::read_to_string(&trace).unwrap();
    for secret in [secret, known::PASSWORD, known::CR_PASSWORD] {
        assert!(!text.contains(secret), "{secret} in the trace");
    }
    let mut replies = 0;
    let entries =
        replay(&trace, |entry| replies += u32::from(matches!(entry.input.as_deref(), Some(Input::Reply(_)))));
    assert!(entries.unwrap() > 10);
    // The last 204 may still be on its way when the agent is stopped.
    assert!(replies >= 5, "{replies} replies");

    // A trace that does not fit the agent is noticed.
    let gap: String =
        text.lines().filter(|line| !line.contains("Connected")).map(|line| format!("{line}\n")).collect();
    std::fs::write(&trace, gap).unwrap();
    assert!(replay(&trace, |_| {}).is_err());
}

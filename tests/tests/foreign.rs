//! The program as it ships for another processor, under an emulator: `cargo xtask test` names both in the environment.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use cwmp_acs::{Acs, AcsOptions, Authentication, Login};
use cwmp_core::{
    event::EventCode,
    rpc::{
        CpeRequest, CpeResponse, GetParameterNames, GetParameterValues, ParameterKey, ParameterValueStruct,
        SetParameterValues,
    },
};
use cwmpd_tests::{Cwmpd, Sandbox, sandbox::known};

/// Emulation is slow, and the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
#[ignore = "needs a foreign build and its emulator: cargo xtask test"]
async fn a_foreign_build_holds_sessions() {
    assert!(std::env::var_os("CWMPD_BIN").is_some(), "CWMPD_BIN names no foreign build");
    let folder = tempfile::tempdir().unwrap();
    let options = AcsOptions {
        authentication: Authentication::digest(known::USERNAME, known::PASSWORD),
        connection_request: Some(Login::new(known::CR_USERNAME, known::CR_PASSWORD)),
        ..AcsOptions::default()
    };
    let acs = Acs::start(options).await.unwrap();
    let agent = Cwmpd::start(&Sandbox::new(folder.path(), &acs.url())).unwrap();
    let boot = acs.wait_session(PATIENCE, |_| true).await;
    let boot = boot.unwrap_or_else(|error| panic!("{error}\n{}", agent.log()));
    assert!(boot.is_clean() && boot.has_event(&EventCode::Bootstrap));

    let code = "Device.DeviceInfo.ProvisioningCode".to_owned();
    let value = "a < b & \u{e9}";
    let set = SetParameterValues {
        parameters: vec![ParameterValueStruct { name: code.clone(), value_type: None, value: value.into() }],
        parameter_key: ParameterKey::new("k").unwrap(),
    };
    let set = acs.call(known::CPE, CpeRequest::SetParameterValues(set));
    let names = GetParameterNames { path: String::new(), next_level: false };
    let names = acs.call(known::CPE, CpeRequest::GetParameterNames(names));
    let values =
        acs.call(known::CPE, CpeRequest::GetParameterValues(GetParameterValues { names: vec![code] }));
    assert_eq!(acs.connection_request(known::CPE).await.unwrap(), 200);
    let answers = async { (set.await.unwrap(), names.await.unwrap(), values.await.unwrap()) };
    let (_, names, values) = tokio::time::timeout(PATIENCE, answers).await.expect("answers in time");
    let CpeResponse::GetParameterNames(names) = names else { panic!("{names:?}") };
    assert!(names.len() > 50, "{} names", names.len());
    let CpeResponse::GetParameterValues(values) = values else { panic!("{values:?}") };
    assert_eq!(values.first().map(|entry| entry.value.as_str()), Some(value));
    assert_eq!(acs.violations(), []);
    assert!(agent.stop(PATIENCE).unwrap().success());
}

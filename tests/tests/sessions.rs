//! Sessions of the program with an ACS that behaves: how they begin and end, and what the calls of the ACS come to.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::{fs, os::unix::fs::MetadataExt, path::PathBuf, time::SystemTime};

use cwmp_acs::{Direction, Script, SessionReport, Step};
use cwmp_core::{
    event::EventCode,
    rpc::{
        AddObject, CancelTransfer, ChangeDUState, CommandKey, CpeRequest, CpeResponse, DeleteObject,
        Download, GetOptions, GetParameterAttributes, GetParameterNames, OperationStruct, ParameterKey,
        Reboot, ScheduleDownload, ScheduleInform, SetParameterAttributes, SetParameterAttributesStruct,
        SetVouchers, TimeWindowStruct, Upload,
    },
    value::ValueType,
};
use cwmp_datamodel::{
    facts::{Facts, Place},
    validate::validate,
};
use cwmpd_tests::{
    Scene,
    scene::{acs_options, get, set, value_of},
};

const CODE: &str = "Device.DeviceInfo.ProvisioningCode";
const INTERVAL: &str = "Device.ManagementServer.PeriodicInformInterval";
const TABLE: &str = "Device.ManagementServer.InformParameter.";

/// The TCP connections of a session.
fn connections(report: &SessionReport) -> usize {
    let mut numbers: Vec<u64> = report.messages.iter().map(|message| message.connection).collect();
    numbers.dedup();
    numbers.len()
}

/// The files that the agent writes, with what changes when it does.
fn files(scene: &Scene) -> Vec<(PathBuf, u64, SystemTime)> {
    let state = fs::read_dir(scene.folder().join("state")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = state.chain([scene.folder().join("user.ini")]).collect();
    files.sort();
    let facts = |file: PathBuf| {
        let facts = fs::metadata(&file).unwrap();
        (file, facts.ino(), facts.modified().unwrap())
    };
    files.into_iter().map(facts).collect()
}

/// A call of every method that an ACS can make, those last that end the life of the box.
fn calls_of_every_method() -> Vec<CpeRequest> {
    let command_key = CommandKey::new("key").unwrap();
    let parameter_key = ParameterKey::default();
    let notify = SetParameterAttributesStruct {
        name: INTERVAL.into(),
        notification_change: true,
        notification: 1,
        access_list_change: false,
        access_list: Vec::new(),
    };
    let window = TimeWindowStruct {
        window_start: 1,
        window_end: 2,
        window_mode: "1 At Any Time".into(),
        user_message: String::new(),
        max_retries: 0,
    };
    let (file_type, url, none) =
        ("1 Firmware Upgrade Image".to_owned(), "http://127.0.0.1/x".to_owned(), String::new());
    let download = Download {
        command_key: command_key.clone(),
        file_type: file_type.clone(),
        url: url.clone(),
        username: none.clone(),
        password: none.clone(),
        file_size: 1,
        target_file_name: none.clone(),
        delay_seconds: 0,
        success_url: none.clone(),
        failure_url: none.clone(),
    };
    let upload = Upload {
        command_key: command_key.clone(),
        file_type: "1 Vendor Configuration File".into(),
        url: url.clone(),
        username: none.clone(),
        password: none.clone(),
        delay_seconds: 0,
    };
    let schedule_download = ScheduleDownload {
        command_key: command_key.clone(),
        file_type,
        url,
        username: none.clone(),
        password: none.clone(),
        file_size: 1,
        target_file_name: none,
        time_windows: vec![window],
    };
    vec![
        CpeRequest::GetRPCMethods,
        set(&[(CODE, ValueType::String, "every")], "key"),
        get(&[CODE]),
        CpeRequest::GetParameterNames(GetParameterNames { path: "Device.".into(), next_level: true }),
        CpeRequest::SetParameterAttributes(SetParameterAttributes { entries: vec![notify] }),
        CpeRequest::GetParameterAttributes(GetParameterAttributes { names: vec![CODE.into()] }),
        CpeRequest::AddObject(AddObject { object_name: TABLE.into(), parameter_key: parameter_key.clone() }),
        CpeRequest::DeleteObject(DeleteObject { object_name: format!("{TABLE}1."), parameter_key }),
        CpeRequest::Download(download),
        CpeRequest::GetQueuedTransfers,
        CpeRequest::ScheduleInform(ScheduleInform { delay_seconds: 3600, command_key: command_key.clone() }),
        CpeRequest::SetVouchers(SetVouchers { vouchers: vec!["dm91Y2hlcg==".into()] }),
        CpeRequest::GetOptions(GetOptions { option_name: String::new() }),
        CpeRequest::Upload(upload),
        CpeRequest::GetAllQueuedTransfers,
        CpeRequest::ScheduleDownload(schedule_download),
        CpeRequest::CancelTransfer(CancelTransfer { command_key: command_key.clone() }),
        CpeRequest::ChangeDUState(ChangeDUState {
            operations: vec![OperationStruct::Uninstall {
                uuid: "6ba7b810-9dad-11d1-80b4-00c04fd430c8".into(),
                version: String::new(),
                execution_env_ref: String::new(),
            }],
            command_key: command_key.clone(),
        }),
        CpeRequest::Reboot(Reboot { command_key }),
        CpeRequest::FactoryReset,
    ]
}

#[tokio::test]
async fn the_first_start_reports_bootstrap_and_boot_and_periodic_sessions_follow() {
    let often =
        |sandbox: cwmpd_tests::Sandbox| sandbox.with("ManagementServer", "PeriodicInformInterval", "1");
    let mut scene = Scene::new(acs_options(), often).await;
    scene.switch_on();
    let first = scene.session(EventCode::Bootstrap).await;
    assert!(first.has_event(&EventCode::Boot));
    assert_eq!(first.retry_count, 0);
    let mut kept = None;
    for _ in 0..2 {
        let periodic = scene.session(EventCode::Periodic).await;
        assert_eq!(periodic.events.len(), 1, "{:?}", periodic.events);
        assert_eq!(connections(&periodic), 1);
        let files = files(&scene);
        assert_eq!(*kept.get_or_insert_with(|| files.clone()), files, "a periodic session writes nothing");
    }
    scene.assert_clean();
}

#[tokio::test]
async fn one_connection_and_its_cookie_carry_a_session_of_many_calls() {
    let scene = Scene::bootstrapped().await;
    let working = calls_of_every_method().into_iter().take(8);
    let pending: Vec<_> = working.map(|request| scene.acs.call("*", request)).collect();
    scene.ring().await;
    for answer in pending {
        answer.await.unwrap();
    }
    let report = scene.session(EventCode::ConnectionRequest).await;
    assert_eq!(connections(&report), 1);
    let sent = report.methods(Direction::FromCpe);
    let answers = [
        "Inform",
        "",
        "GetRPCMethodsResponse",
        "SetParameterValuesResponse",
        "GetParameterValuesResponse",
        "GetParameterNamesResponse",
        "SetParameterAttributesResponse",
        "GetParameterAttributesResponse",
        "AddObjectResponse",
        "DeleteObjectResponse",
    ];
    assert_eq!(sent, answers);
    let requests = report.messages.iter().filter(|message| message.direction == Direction::FromCpe);
    for request in requests.skip(1) {
        let head = String::from_utf8_lossy(&request.head).to_lowercase();
        assert!(head.contains("\r\ncookie: "), "{head}");
    }
    scene.assert_clean();
}

#[tokio::test]
async fn the_methods_that_are_listed_work_and_all_others_are_refused_with_9000() {
    let scene = Scene::bootstrapped().await;
    let requests = calls_of_every_method();
    let names: Vec<&str> = requests.iter().map(CpeRequest::method).collect();
    let answers = scene.calls(requests.clone()).await;
    let Ok(CpeResponse::GetRPCMethods(listed)) = &answers[0] else { panic!("{:?}", answers[0]) };
    for (name, answer) in names.iter().zip(&answers) {
        match answer {
            Ok(response) => {
                assert!(listed.iter().any(|method| method == name), "{name} is not listed and works");
                assert_eq!(response.method(), *name);
            }
            Err(error) => {
                assert!(!listed.iter().any(|method| method == name), "{name} is listed: {error}");
                assert_eq!(error.fault_code(), Some(9000), "{name}: {error}");
            }
        }
    }
    assert!(listed.iter().all(|method| names.contains(&method.as_str())), "{listed:?}");
    scene.assert_clean();
}

#[tokio::test]
async fn names_and_values_of_the_whole_tree_agree_and_every_value_is_legal() {
    let scene = Scene::bootstrapped().await;
    let path = "Device.".to_owned();
    let names = CpeRequest::GetParameterNames(GetParameterNames { path, next_level: false });
    let attributes = GetParameterAttributes { names: vec!["Device.".into()] };
    let answers =
        scene.calls(vec![names, get(&["Device."]), CpeRequest::GetParameterAttributes(attributes)]).await;
    let [
        Ok(CpeResponse::GetParameterNames(names)),
        Ok(CpeResponse::GetParameterValues(values)),
        Ok(CpeResponse::GetParameterAttributes(attributes)),
    ] = &answers[..]
    else {
        panic!("{answers:?}")
    };
    // Processes and hosts come and go between the three calls.
    let lasting =
        |name: &&str| !name.contains(".Process.") && !name.contains(".Hosts.") && !name.ends_with('.');
    let named: Vec<&str> = names.iter().map(|info| info.name.as_str()).filter(lasting).collect();
    let valued: Vec<&str> = values.iter().map(|value| value.name.as_str()).filter(lasting).collect();
    let watched: Vec<&str> = attributes.iter().map(|value| value.name.as_str()).filter(lasting).collect();
    assert_eq!(named, valued);
    assert_eq!(named, watched);
    assert!(named.contains(&CODE) && named.len() > 30, "{named:?}");
    for value in values {
        let Some(Place::Parameter(_, parameter)) = Facts::tr181().find(&value.name) else {
            assert!(value.name.contains(".X_"), "{} is in no model", value.name);
            continue;
        };
        let rule = parameter.rule();
        assert_eq!(value.value_type, Some(rule.value_type()), "{}", value.name);
        // What is hidden reads as empty, whatever its facets are.
        if !rule.is_hidden() {
            let canonical = validate(rule, value.value_type, &value.value);
            assert_eq!(canonical.as_ref(), Ok(&value.value), "{}", value.name);
        }
    }
    scene.assert_clean();
}

#[tokio::test]
async fn a_set_is_all_or_nothing_and_its_fault_names_each_parameter() {
    let scene = Scene::bootstrapped().await;
    let bad = [
        (CODE, ValueType::String, "new"),
        (INTERVAL, ValueType::UnsignedInt, "0"),
        ("Device.DeviceInfo.SerialNumber", ValueType::String, "2"),
        ("Device.Nothing", ValueType::String, "x"),
    ];
    let key = "Device.ManagementServer.ParameterKey";
    let answers = scene.calls(vec![set(&bad, "bad"), get(&[CODE]), get(&[INTERVAL]), get(&[key])]).await;
    let Err(cwmp_acs::CallError::Fault(fault)) = &answers[0] else { panic!("{:?}", answers[0]) };
    let fault = fault.cwmp.as_ref().unwrap();
    assert_eq!(fault.code.0, 9003);
    let parts: Vec<_> = fault.parameters.iter().map(|part| (part.name.as_str(), part.code.0)).collect();
    assert_eq!(parts, [(INTERVAL, 9007), ("Device.DeviceInfo.SerialNumber", 9008), ("Device.Nothing", 9005)]);
    assert_eq!(value_of(&answers[1]), "");
    assert_eq!(value_of(&answers[2]), "86400");
    assert_eq!(value_of(&answers[3]), "");
    scene.assert_clean();
}

#[tokio::test]
async fn a_session_goes_on_by_its_cookie_where_the_acs_closes_after_every_reply() {
    let scene = Scene::bootstrapped().await;
    scene.acs.script("*", Script::by_rule(|_| vec![Step::connection_close()]));
    let answers = [CpeRequest::GetRPCMethods, get(&[CODE]), get(&["Device."])];
    let pending: Vec<_> = answers.into_iter().map(|request| scene.acs.call("*", request)).collect();
    scene.ring().await;
    for answer in pending {
        answer.await.unwrap();
    }
    let report = scene.session(EventCode::ConnectionRequest).await;
    let sent = report.methods(Direction::FromCpe);
    assert_eq!(sent.len(), 5, "{sent:?}");
    assert!(connections(&report) >= sent.len(), "{} connections", connections(&report));
    scene.assert_clean();
}

#[tokio::test]
async fn the_agent_asks_the_acs_for_its_methods() {
    let scene = Scene::bootstrapped().await;
    scene.ask(&["acs-methods"]);
    let report = scene.session(EventCode::Periodic).await;
    assert_eq!(report.methods(Direction::FromCpe), ["Inform", "GetRPCMethods", ""]);
    let status = scene.ask(&["status"]);
    assert!(
        status.lines().any(|line| line.starts_with("ACS methods:") && line.contains("Inform")),
        "{status}"
    );
    scene.assert_clean();
}

#[tokio::test]
async fn requests_of_the_agent_wait_while_the_acs_holds_them_back() {
    let scene = Scene::bootstrapped().await;
    scene.acs.script("*", [Step::expect("Inform"), Step::HoldRequests(true)]);
    let call = scene.acs.call("*", get(&[CODE]));
    scene.ask(&["acs-methods"]);
    call.await.unwrap();
    let report = scene.session(EventCode::Periodic).await;
    let sent = report.methods(Direction::FromCpe);
    assert_eq!(sent[..3], ["Inform", "", "GetParameterValuesResponse"]);
    assert!(sent.contains(&"GetRPCMethods"), "{sent:?}");
    scene.assert_clean();
}

//! ChangeDUState by the real program: from the call of the ACS to the unit on the box and the report.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;

use cwmp_acs::{AcsOptions, Authentication, FileOptions, SessionReport};
use cwmp_core::{
    event::EventCode,
    rpc::{
        AcsRequest, ChangeDUState, CommandKey, CpeRequest, CpeResponse, DUStateChangeComplete, DuState,
        OperationStruct, ToAcs,
    },
    soap,
    value::ValueType,
};
use cwmpd_tests::{
    Scene,
    scene::{acs_options, get, set},
    software::{install, uninstall, update},
};
use tempfile::TempDir;

const UUID: &str = "00112233-4455-6677-8899-aabbccddeeff";

/// An ACS with a file server that wants digest authentication, and an agent that it knows.
async fn open() -> (Scene, TempDir) {
    let files = tempfile::tempdir().unwrap();
    let authentication = Authentication::digest("user", "pass");
    let served = FileOptions { authentication, ..FileOptions::folder(files.path()) };
    let options = AcsOptions { files: Some(served), ..acs_options() };
    let mut scene = Scene::new(options, |sandbox| sandbox).await;
    scene.switch_on();
    scene.session(EventCode::Bootstrap).await;
    (scene, files)
}

fn serve(files: &TempDir, name: &str, version: &str) {
    let text =
        format!("cwmpd-sandbox-package\nname={name}\nvendor=example.com\nversion={version}\n\ncontent");
    fs::write(files.path().join(name), text).unwrap();
}

/// The ACS orders it and hears of its end; what it hears as state, version and code of each unit.
async fn changed(
    scene: &Scene,
    key: &str,
    operations: Vec<OperationStruct>,
) -> (DUStateChangeComplete, Vec<(DuState, String, u32)>) {
    let command_key = CommandKey::new(key).unwrap();
    let call = CpeRequest::ChangeDUState(ChangeDUState { operations, command_key });
    assert_eq!(scene.call(call).await.unwrap(), CpeResponse::ChangeDUState);
    let report = scene.session(EventCode::DuStateChangeComplete).await;
    assert!(report.has_event(&EventCode::MChangeDuState), "{:?}", report.events);
    let complete = complete(&report);
    assert_eq!(complete.command_key.as_str(), key);
    let results = complete.results.iter();
    let results = results.map(|it| (it.current_state, it.version.clone(), it.fault.code.0)).collect();
    (complete, results)
}

fn complete(report: &SessionReport) -> DUStateChangeComplete {
    let decoded = |body: &[u8]| soap::decode_to_acs(body).ok().map(|envelope| envelope.message);
    let mut messages = report.messages.iter().filter_map(|message| decoded(&message.body));
    let found = messages.find_map(|message| match message {
        ToAcs::Request(AcsRequest::DUStateChangeComplete(complete)) => Some(complete),
        _ => None,
    });
    found.unwrap()
}

async fn version(scene: &Scene, reference: &str) -> Option<String> {
    let answer = scene.call(get(&[&format!("{reference}.Version")])).await.ok()?;
    let CpeResponse::GetParameterValues(values) = answer else { panic!("{answer:?}") };
    Some(values[0].value.clone())
}

/// Conformance: 3.22, 3.29, 11.01, 11.03, 11.07, 11.08, 11.09, 11.16, 11.17
#[tokio::test]
async fn units_are_installed_updated_and_removed() {
    let (scene, files) = open().await;
    serve(&files, "counter", "1.0");
    serve(&files, "clock", "1.0");
    let wanted =
        vec![install(&scene, "counter", UUID), install(&scene, "none", ""), install(&scene, "clock", "")];
    let (complete, results) = changed(&scene, "one", wanted).await;
    let installed = |version: &str, code| (DuState::Installed, version.to_owned(), code);
    assert_eq!(results, [installed("1.0", 0), (DuState::Failed, String::new(), 9016), installed("1.0", 0)]);
    let (counter, clock) = (&complete.results[0], &complete.results[2]);
    assert_eq!(counter.uuid, UUID);
    assert_eq!(version(&scene, &counter.deployment_unit_ref).await.as_deref(), Some("1.0"));
    assert_eq!(version(&scene, &counter.execution_unit_ref_list).await.as_deref(), Some("1.0"));

    serve(&files, "counter", "1.1");
    fs::write(files.path().join("clock"), "no package").unwrap();
    let (_, results) = changed(&scene, "two", vec![update(UUID), update(&clock.uuid)]).await;
    assert_eq!(results, [installed("1.1", 0), installed("1.0", 9018)]);
    assert_eq!(version(&scene, &clock.deployment_unit_ref).await.as_deref(), Some("1.0"));

    let (_, results) = changed(&scene, "three", vec![uninstall(UUID), uninstall(UUID)]).await;
    assert_eq!(results, [(DuState::Uninstalled, "1.1".into(), 0), (DuState::Failed, String::new(), 9028)]);
    assert_eq!(version(&scene, &counter.deployment_unit_ref).await, None);
    scene.assert_clean();
}

/// Conformance: 11.18
#[tokio::test]
async fn units_outlive_a_restart_of_the_box() {
    let (scene, files) = open().await;
    serve(&files, "counter", "1.0");
    let (complete, _) = changed(&scene, "one", vec![install(&scene, "counter", "")]).await;
    let reboot = cwmp_core::rpc::Reboot { command_key: CommandKey::new("r").unwrap() };
    scene.call(CpeRequest::Reboot(reboot)).await.unwrap();
    scene.session(EventCode::Boot).await;
    let reference = &complete.results[0].deployment_unit_ref;
    assert_eq!(version(&scene, reference).await.as_deref(), Some("1.0"));
    scene.assert_clean();
}

/// Conformance: 11.18
#[tokio::test]
async fn units_outlive_an_upgrade_and_go_with_a_factory_reset() {
    let (scene, files) = open().await;
    serve(&files, "counter", "1.0");
    let (complete, _) = changed(&scene, "one", vec![install(&scene, "counter", "")]).await;
    let reference = complete.results[0].deployment_unit_ref.clone();
    fs::write(files.path().join("v2.img"), "cwmpd-sandbox-firmware 2.0\nand the rest").unwrap();
    let upgrade = cwmp_core::rpc::Download {
        command_key: CommandKey::new("up").unwrap(),
        file_type: "1 Firmware Upgrade Image".to_owned(),
        url: scene.acs.file_url("v2.img"),
        username: "user".to_owned(),
        password: "pass".to_owned(),
        file_size: 0,
        target_file_name: String::new(),
        delay_seconds: 0,
        success_url: String::new(),
        failure_url: String::new(),
    };
    scene.call(CpeRequest::Download(upgrade)).await.unwrap();
    scene.session(EventCode::TransferComplete).await;
    assert_eq!(scene.value("Device.DeviceInfo.SoftwareVersion").await, "2.0");
    assert_eq!(version(&scene, &reference).await.as_deref(), Some("1.0"));
    assert_eq!(scene.call(CpeRequest::FactoryReset).await.unwrap(), CpeResponse::FactoryReset);
    scene.session(EventCode::Bootstrap).await;
    assert_eq!(scene.value("Device.SoftwareModules.DeploymentUnitNumberOfEntries").await, "0");
    scene.assert_clean();
}

/// Conformance: 3.23, 11.12
#[tokio::test]
async fn what_appears_in_the_sandbox_is_told_and_what_the_acs_orders_is_not() {
    let (scene, files) = open().await;
    let policy = |name: &str| format!("Device.ManagementServer.DUStateChangeComplPolicy.{name}");
    let (enable, operations) = (policy("Enable"), policy("OperationTypeFilter"));
    let wanted = [
        (enable.as_str(), ValueType::Boolean, "true"),
        (operations.as_str(), ValueType::String, "Install,Update,Uninstall"),
    ];
    scene.call(set(&wanted, "policy")).await.unwrap();
    serve(&files, "counter", "1.0");
    changed(&scene, "one", vec![install(&scene, "counter", UUID)]).await;
    let units = scene.folder().join("box/packages");
    let by_hand = "uuid=00112233-4455-6677-8899-000000000001\nurl=\ncwmpd-sandbox-package\nname=clock\n\
                   vendor=example.com\nversion=3\n\n";
    fs::write(units.join("00112233-4455-6677-8899-000000000001.unit"), by_hand).unwrap();
    let report = scene.session(EventCode::AutonomousDuStateChangeComplete).await;
    let decoded = |body: &[u8]| soap::decode_to_acs(body).ok().map(|envelope| envelope.message);
    let told = report.messages.iter().find_map(|message| match decoded(&message.body) {
        Some(ToAcs::Request(AcsRequest::AutonomousDUStateChangeComplete(complete))) => Some(complete),
        _ => None,
    });
    let told = told.unwrap().results;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].result.version, "3");
    scene.assert_clean();
}

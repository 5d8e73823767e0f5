//! ChangeDUState on a router that is played: the real program has opkg install, update and remove packages.

use std::{fs, process::Command};

use cwmp_acs::{Authentication, SessionReport};
use cwmp_core::{
    event::EventCode,
    rpc::{
        AcsRequest, ChangeDUState, CommandKey, CpeRequest, CpeResponse, DuOperation, DuState, OpResultStruct,
        OperationStruct,
    },
    value::ValueType,
};
use cwmpd_test_router::{Router, packages::ipk};
use cwmpd_tests::{
    Scene,
    scene::{fault_of, set},
    software::{install, uninstall, update},
};
use tempfile::TempDir;

use crate::played::{self, requests};

const UUID: &str = "00112233-4455-6677-8899-aabbccddeeff";
const UNIT: &str = "Device.SoftwareModules.DeploymentUnit.";

/// A router whose agent has said `0 BOOTSTRAP`, and a folder whose files its ACS serves to those who know a password.
async fn open() -> (Router, Scene, TempDir) {
    let (router, mut scene, files) = played::serving(Authentication::digest("user", "pass"), |_| ()).await;
    scene.switch_on();
    scene.session(EventCode::Bootstrap).await;
    (router, scene, files)
}

/// The ACS orders it, and hears of its end.
async fn changed(scene: &Scene, operations: Vec<OperationStruct>) -> Vec<OpResultStruct> {
    let command_key = CommandKey::new("key").unwrap();
    let call = CpeRequest::ChangeDUState(ChangeDUState { operations, command_key });
    assert_eq!(scene.call(call).await.unwrap(), CpeResponse::ChangeDUState);
    let report = scene.session(EventCode::DuStateChangeComplete).await;
    let complete = requests(&report).find_map(|request| match request {
        AcsRequest::DUStateChangeComplete(complete) => Some(complete),
        _ => None,
    });
    complete.unwrap().results
}

fn outcome(result: &OpResultStruct) -> (DuState, &str, u32) {
    (result.current_state, result.version.as_str(), result.fault.code.0)
}

/// Conformance: 11.01, 11.03, 11.06, 11.07, 11.08, 11.09, 11.16
#[tokio::test]
async fn the_acs_installs_updates_and_removes_a_package_of_a_router() {
    let (router, scene, files) = open().await;
    let tree = scene.tree().await;
    let units = tree.keys().filter(|name| name.starts_with(UNIT) && name.ends_with(".UUID"));
    assert_eq!(units.count(), 1, "sqm-scripts; the others came with the firmware");
    fs::write(files.path().join("counter"), ipk("counter", "1.0-r1", &["counter"])).unwrap();
    let results = changed(&scene, vec![install(&scene, "counter", UUID), install(&scene, "none", "")]).await;
    assert_eq!(outcome(&results[0]), (DuState::Installed, "1.0-r1", 0), "{results:?}");
    assert_eq!(outcome(&results[1]), (DuState::Failed, "", 9016));
    assert_eq!(results[0].uuid, UUID);
    let unit = &results[0].deployment_unit_ref;
    assert_eq!(scene.value(&format!("{unit}.Name")).await, "counter");
    assert_eq!(scene.value(&format!("{unit}.ExecutionUnitList")).await, results[0].execution_unit_ref_list);
    assert_eq!(scene.value(&format!("{}.Name", results[0].execution_unit_ref_list)).await, "counter");

    fs::write(files.path().join("counter"), ipk("counter", "1.1-r1", &["counter"])).unwrap();
    let results = changed(&scene, vec![update(UUID)]).await;
    assert_eq!(outcome(&results[0]), (DuState::Installed, "1.1-r1", 0), "{results:?}");
    assert_eq!(&results[0].deployment_unit_ref, unit);
    fs::write(files.path().join("counter"), "damaged").unwrap();
    let results = changed(&scene, vec![update(UUID)]).await;
    assert_eq!(outcome(&results[0]), (DuState::Installed, "1.1-r1", 9018), "{results:?}");

    let results = changed(&scene, vec![uninstall(UUID), uninstall(UUID)]).await;
    assert_eq!(outcome(&results[0]), (DuState::Uninstalled, "1.1-r1", 0), "{results:?}");
    assert_eq!(outcome(&results[1]), (DuState::Failed, "", 9028));
    let status = fs::read_to_string(router.root().join("usr/lib/opkg/status")).unwrap();
    assert!(!status.contains("Package: counter"));
    scene.assert_clean();
}

/// Conformance: 11.14
#[tokio::test]
async fn the_acs_starts_and_stops_an_init_script_and_hears_when_it_has() {
    let (router, scene, files) = open().await;
    fs::write(files.path().join("counter"), ipk("counter", "1.0-r1", &["counter"])).unwrap();
    let results = changed(&scene, vec![install(&scene, "counter", UUID)]).await;
    let part = results[0].execution_unit_ref_list.clone();
    let (status, wanted) = (format!("{part}.Status"), format!("{part}.RequestedState"));
    assert_eq!(scene.value(&status).await, "Idle");
    scene.call(set(&[(&wanted, ValueType::String, "Active")], "on")).await.unwrap();
    // Nobody has asked for it: Status is told by itself.
    let told = |report: &SessionReport| {
        requests(report).find_map(|request| match request {
            AcsRequest::Inform(inform) => inform.parameters.into_iter().find(|it| it.name == status),
            _ => None,
        })
    };
    loop {
        let report = scene.session(EventCode::ValueChange).await;
        if told(&report).is_some_and(|parameter| parameter.value == "Active") {
            break;
        }
    }
    scene
        .call(set(&[("Device.SoftwareModules.ExecEnv.1.Enable", ValueType::Boolean, "false")], "off"))
        .await
        .unwrap();
    assert_eq!(scene.value(&status).await, "Idle");
    assert!(router.commands().ends_with(&["counter stop".to_owned(), "counter disable".to_owned()]));
    let results = changed(&scene, vec![uninstall(UUID)]).await;
    assert_eq!(outcome(&results[0]).2, 9024, "{results:?}");
    let start = set(&[(wanted.as_str(), ValueType::String, "Active")], "no");
    assert_eq!(fault_of(&scene.call(start).await), 9003);
    scene.assert_clean();
}

/// What the ACS hears of changes that it has not ordered: operation, name of the row's package, state.
fn unordered(report: &SessionReport) -> Vec<(DuOperation, DuState, String)> {
    let complete = requests(report).find_map(|request| match request {
        AcsRequest::AutonomousDUStateChangeComplete(complete) => Some(complete),
        _ => None,
    });
    let results = complete.unwrap_or_else(|| panic!("{report:?}")).results.into_iter();
    results.map(|it| (it.operation_performed, it.result.current_state, it.result.version)).collect()
}

/// Conformance: 3.23, 11.12
#[tokio::test]
async fn what_a_user_installs_and_removes_is_told_also_after_a_restart() {
    let (router, mut scene, files) = open().await;
    let policy = |name: &str| format!("Device.ManagementServer.DUStateChangeComplPolicy.{name}");
    let (enable, operations) = (policy("Enable"), policy("OperationTypeFilter"));
    let wanted = [
        (enable.as_str(), ValueType::Boolean, "true"),
        (operations.as_str(), ValueType::String, "Install,Uninstall"),
    ];
    scene.call(set(&wanted, "policy")).await.unwrap();
    let package = files.path().join("counter.ipk");
    fs::write(&package, ipk("counter", "1.0-r1", &["counter"])).unwrap();
    let opkg = |words: &[&str]| {
        let done = Command::new(router.root().join("usr/bin/opkg")).args(words).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    opkg(&["install", package.to_str().unwrap()]);
    let report = scene.session(EventCode::AutonomousDuStateChangeComplete).await;
    assert_eq!(unordered(&report), [(DuOperation::Install, DuState::Installed, "1.0-r1".to_owned())]);
    // Not among the operations that the ACS wants to hear of; then one that is, while nobody listens.
    fs::write(&package, ipk("counter", "1.1-r1", &["counter"])).unwrap();
    opkg(&["install", package.to_str().unwrap()]);
    scene.cut_power();
    opkg(&["remove", "counter"]);
    scene.switch_on();
    let report = scene.session(EventCode::AutonomousDuStateChangeComplete).await;
    let told = unordered(&report);
    assert!(
        matches!(&told[..], [(DuOperation::Uninstall, DuState::Uninstalled, version)] if version.starts_with("1.")),
        "{told:?}"
    );
    scene.assert_clean();
}

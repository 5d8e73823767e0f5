//! The settings of the agent on a router that is played: `/etc/config/cwmpd` is where they are kept, and where an administrator
//! may change them.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::played::{agent_of, commit, config, switched_off};
use cwmp_acs::Step;
use cwmp_core::{
    event::EventCode,
    rpc::{
        AddObject, CpeRequest, CpeResponse, ParameterKey, SetParameterAttributes,
        SetParameterAttributesStruct, Status,
    },
    value::ValueType,
};
use cwmpd_test_router::Router;
use cwmpd_tests::{
    Scene,
    scene::{fault_of, set},
};
use tempfile::TempDir;

const INTERVAL: &str = "Device.ManagementServer.PeriodicInformInterval";

/// What the package brings.
fn packaged() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../platforms/openwrt/package/cwmpd.config");
    fs::read_to_string(file).unwrap()
}

/// Installs what the package brings.
fn install(root: &Path) {
    let file = root.join("etc/config/cwmpd");
    fs::write(&file, packaged()).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
}

/// A router with the package, whose agent has said `0 BOOTSTRAP`.
async fn router() -> (Router, Scene, TempDir) {
    let (router, mut scene, files) = switched_off(install).await;
    scene.switch_on();
    scene.session(EventCode::Bootstrap).await;
    (router, scene, files)
}

fn settings(router: &Router) -> String {
    config(router, "cwmpd")
}

/// The lines of the section for the service, which is not the agent's.
fn service(text: &str) -> Vec<&str> {
    let lines = text.lines().map(str::trim).skip_while(|line| !line.starts_with("config service"));
    lines.take_while(|line| !line.is_empty()).filter(|line| !line.starts_with('#')).collect()
}

/// How many times the program has started.
fn starts(scene: &Scene) -> usize {
    scene.log().matches(" on openwrt").count()
}

/// What `uci set` and `uci commit` make of the file: `option` in the section of this name, which must be there.
fn uci_set(router: &Router, section: &str, option: &str, value: &str) {
    let text = settings(router);
    let old = format!("\toption {option} '");
    let mut inside = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.starts_with("config ") {
            inside = line.ends_with(&format!(" '{section}'"));
            lines.push(line.to_owned());
            if inside {
                lines.push(format!("{old}{value}'"));
            }
        } else if !(inside && line.starts_with(&old)) {
            lines.push(line.to_owned());
        }
    }
    let new = lines.join("\n") + "\n";
    assert_ne!(new, text, "there is no section {section}");
    commit(router, "cwmpd", &new);
}

fn left_behind(scene: &Scene) -> Vec<PathBuf> {
    let entries = fs::read_dir(scene.folder()).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.to_string_lossy().contains("user.ini")).collect()
}

#[tokio::test]
async fn what_the_acs_sets_is_found_in_uci() {
    let (router, scene, _files) = router().await;
    let path = "option connection_request_path '/";
    assert!(settings(&router).contains(path), "made at the first start: {}", settings(&router));
    let add = AddObject {
        object_name: "Device.ManagementServer.InformParameter.".to_owned(),
        parameter_key: ParameterKey::default(),
    };
    let answer = scene.call(CpeRequest::AddObject(add)).await.unwrap();
    assert!(matches!(answer, CpeResponse::AddObject(added) if added.instance_number == 1));
    let secret = "it's \"secret\" \\ ü";
    let changes = [
        (INTERVAL, ValueType::UnsignedInt, "777"),
        ("Device.ManagementServer.ConnectionRequestUsername", ValueType::String, "acs"),
        ("Device.ManagementServer.STUNPassword", ValueType::String, secret),
        ("Device.ManagementServer.InformParameter.1.EventList", ValueType::String, "2 PERIODIC"),
        ("Device.ManagementServer.InformParameter.1.ParameterName", ValueType::String, ""),
    ];
    let answer = scene.call(set(&changes, "key")).await;
    assert_eq!(answer.unwrap(), CpeResponse::SetParameterValues(Status::Applied), "{}", scene.log());
    let text = settings(&router);
    for line in [
        "config object 'ManagementServer'",
        "\toption PeriodicInformInterval '777'",
        "\toption ParameterKey 'key'",
        "\toption STUNPassword 'it'\\''s \"secret\" \\ ü'",
        "config object 'ManagementServer_InformParameter_1'",
        "\toption path 'ManagementServer.InformParameter.1'",
        "\toption EventList '2 PERIODIC'",
        "\tlist entry 'ParameterName='",
        "config cwmpd 'cwmpd'",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
    assert_eq!(service(&text), service(&packaged()));
    let mode = |file: &Path| fs::metadata(file).unwrap().permissions().mode() & 0o777;
    let copy = scene.folder().join("state/cwmpd.uci");
    assert_eq!((mode(&router.root().join("etc/config/cwmpd")), mode(&copy)), (0o600, 0o600));
    assert_eq!(fs::read_to_string(copy).unwrap(), text);
    assert_eq!(left_behind(&scene), [""; 0].map(PathBuf::from));
    // A value that is refused changes nothing there.
    let bad = [(INTERVAL, ValueType::UnsignedInt, "1"), (INTERVAL, ValueType::UnsignedInt, "0")];
    assert_eq!(fault_of(&scene.call(set(&bad, "bad")).await), 9003);
    assert_eq!(settings(&router), text);
    assert_eq!(scene.value(INTERVAL).await, "777");
    // None of this looks as if others had done it.
    assert!(!scene.log().contains("somebody has changed"), "{}", scene.log());
    assert_eq!(starts(&scene), 1);
    scene.assert_clean();
}

#[tokio::test]
async fn what_an_administrator_sets_counts_and_is_told() {
    let (router, scene, _files) = router().await;
    let entry = SetParameterAttributesStruct {
        name: INTERVAL.to_owned(),
        notification_change: true,
        notification: 2,
        access_list_change: false,
        access_list: Vec::new(),
    };
    scene
        .call(CpeRequest::SetParameterAttributes(SetParameterAttributes { entries: vec![entry] }))
        .await
        .unwrap();
    scene.call(set(&[(INTERVAL, ValueType::UnsignedInt, "777")], "key")).await.unwrap();
    uci_set(&router, "ManagementServer", "PeriodicInformInterval", "4321");
    scene.session(EventCode::ValueChange).await;
    assert_eq!(scene.value(INTERVAL).await, "4321");
    assert_eq!(starts(&scene), 1, "a setting towards the ACS is in force at once\n{}", scene.log());
    // What the ACS sets next is made on top of it.
    scene
        .call(set(&[("Device.ManagementServer.STUNUsername", ValueType::String, "box")], "key"))
        .await
        .unwrap();
    assert!(settings(&router).contains("'4321'") && settings(&router).contains("STUNUsername 'box'"));

    // A value that cannot be is reported, and the one below serves.
    uci_set(&router, "ManagementServer", "PeriodicInformInterval", "soon");
    scene.logged("PeriodicInformInterval: must be", 1).await;
    assert_eq!(scene.value(INTERVAL).await, "86400");
    scene.assert_clean();
}

#[tokio::test]
async fn for_a_setting_of_the_program_it_starts_again_with_that() {
    let (router, scene, _files) = router().await;
    uci_set(&router, "cwmpd", "acs_reply_timeout", "45");
    scene.logged(" on openwrt", 2).await;
    scene.session(EventCode::ValueChange).await;
    scene.call(set(&[(INTERVAL, ValueType::UnsignedInt, "777")], "key")).await.unwrap();
    assert!(settings(&router).contains("'777'") && settings(&router).contains("acs_reply_timeout '45'"));

    // With a mistake it goes on as it is.
    uci_set(&router, "cwmpd", "acs_reply_timeout", "never");
    scene.logged("acs_reply_timeout: must be a number from 30 to 3600", 1).await;
    assert_eq!(scene.value(INTERVAL).await, "777");
    assert_eq!(starts(&scene), 2);
    // That is the administrator's to mend; an option of the service is no setting of the agent.
    uci_set(&router, "cwmpd", "acs_reply_timeout", "50");
    scene.logged(" on openwrt", 3).await;
    scene.session(EventCode::ValueChange).await;
    uci_set(&router, "service", "firewall_port", "7548");
    scene.call(set(&[(INTERVAL, ValueType::UnsignedInt, "778")], "key")).await.unwrap();
    assert!(settings(&router).contains("firewall_port '7548'"));
    assert_eq!(starts(&scene), 3);
    scene.assert_clean();
}

#[tokio::test]
async fn a_session_that_is_on_is_not_broken_off_for_a_setting() {
    let (router, scene, _files) = router().await;
    let held = Duration::from_secs(2);
    scene.acs.script("*", [Step::until("SetParameterValuesResponse"), Step::Delay(held), Step::Pass]);
    let answer = scene.acs.call("*", set(&[(INTERVAL, ValueType::UnsignedInt, "777")], "key"));
    scene.ring().await;
    assert_eq!(answer.await.unwrap(), CpeResponse::SetParameterValues(Status::Applied));
    uci_set(&router, "cwmpd", "acs_reply_timeout", "45");
    scene.logged("somebody has changed the settings of cwmpd", 1).await;
    assert_eq!(starts(&scene), 1);
    // It ends as it should, and only then does the program start again.
    scene.session(EventCode::ConnectionRequest).await;
    assert_eq!(starts(&scene), 1);
    scene.logged(" on openwrt", 2).await;
    scene.session(EventCode::ValueChange).await;
    assert_eq!(scene.value(INTERVAL).await, "777");
    scene.assert_clean();
}

#[tokio::test]
async fn a_factory_reset_takes_out_what_is_the_agents() {
    let (router, mut scene, _files) = router().await;
    scene.call(set(&[(INTERVAL, ValueType::UnsignedInt, "777")], "key")).await.unwrap();
    scene.call(CpeRequest::FactoryReset).await.unwrap();
    scene.until("the sections are gone", || !settings(&router).contains("config object")).await;
    scene.logged("the box is going down", 1).await;
    scene.cut_power();
    let left = settings(&router);
    assert_eq!(left.matches("config ").count(), 1, "{left}");
    assert_eq!(service(&left), service(&packaged()));
    assert!(!scene.folder().join("state/cwmpd.uci").exists());
    fs::write(router.root().join("proc/sys/kernel/random/boot_id"), "00000000-0000-4000-8000-000000000002\n")
        .unwrap();
    scene.switch_on();
    scene.session(EventCode::Bootstrap).await;
    assert_eq!(scene.value(INTERVAL).await, "86400");
    scene.assert_clean();
}

#[tokio::test]
async fn a_damaged_file_gives_way_to_its_last_good_copy() {
    let (router, mut scene, _files) = router().await;
    scene.call(set(&[(INTERVAL, ValueType::UnsignedInt, "777")], "key")).await.unwrap();
    let whole = settings(&router);
    scene.cut_power();
    let damaged = whole.replacen("'777'", "'777", 1);
    commit(&router, "cwmpd", &damaged);
    scene.switch_on();
    scene.logged("the last good copy takes its place", 1).await;
    scene.logged(" on openwrt", 2).await;
    assert_eq!(settings(&router), whole);
    assert_eq!(fs::read_to_string(scene.folder().join("state/cwmpd.damaged")).unwrap(), damaged);
    scene
        .until("the agent answers", || scene.agent().ask(&["status"]).is_ok_and(|out| out.status.success()))
        .await;
    let shown = scene.ask(&["get", INTERVAL]);
    assert!(shown.contains("777"), "{shown}");
    scene.assert_clean();
}

#[tokio::test]
async fn what_an_older_version_has_left_is_taken_over() {
    let (router, mut scene, _files) = switched_off(install).await;
    let user = "[ManagementServer]\nPeriodicInformInterval=777\n[X_Vendor]\nsome-key=\"a b\"\n";
    fs::write(scene.folder().join("user.ini"), user).unwrap();
    scene.switch_on();
    scene.session(EventCode::Bootstrap).await;
    assert_eq!(scene.value(INTERVAL).await, "777");
    assert!(settings(&router).contains("\tlist entry 'some-key=a b'\n"), "{}", settings(&router));
    assert_eq!(left_behind(&scene), [scene.folder().join("user.ini.migrated")]);
    // Questions about the data model are answered from the same files.
    scene.cut_power();
    let sandbox = agent_of(&router, cwmpd_tests::Sandbox::new(scene.folder(), &scene.acs.url()));
    sandbox.write().unwrap();
    let mut command = std::process::Command::new(cwmpd_tests::program::binary().unwrap());
    let output =
        command.arg("--config").arg(scene.folder()).args(["datamodel", "explain", INTERVAL]).output();
    let text = String::from_utf8_lossy(&output.unwrap().stdout).into_owned();
    assert!(text.contains("777"), "{text}");
}

//! Restarts of all kinds: ordered by the ACS, by hand, by a power cut at a bad moment. What was promised is kept, and
//! nothing is invented.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::{fs, time::Duration};

use cwmp_acs::{Direction, SessionReport, Step};
use cwmp_core::{
    event::EventCode,
    rpc::{
        AddObject, CommandKey, CpeRequest, CpeResponse, GetParameterAttributes, ParameterKey, Reboot,
        SetParameterAttributes, SetParameterAttributesStruct,
    },
    value::ValueType,
};
use cwmpd_tests::{
    Sandbox, Scene,
    scene::{PATIENCE, acs_options, get, set, value_of},
};

const CODE: &str = "Device.DeviceInfo.ProvisioningCode";
const KEY: &str = "Device.ManagementServer.ParameterKey";
const WATCHED: &str = "Device.ManagementServer.CWMPRetryIntervalMultiplier";
const TABLE: &str = "Device.ManagementServer.InformParameter.";

fn reboot(key: &str) -> CpeRequest {
    CpeRequest::Reboot(Reboot { command_key: CommandKey::new(key).unwrap() })
}

/// Asks for active notification.
fn watch(name: &str) -> CpeRequest {
    let entry = SetParameterAttributesStruct {
        name: name.to_owned(),
        notification_change: true,
        notification: 2,
        access_list_change: false,
        access_list: Vec::new(),
    };
    CpeRequest::SetParameterAttributes(SetParameterAttributes { entries: vec![entry] })
}

/// The CommandKeys of the `M Reboot` events of a session.
fn rebooted(report: &SessionReport) -> Vec<&str> {
    let reboots = report.events.iter().filter(|event| event.code == EventCode::MReboot);
    reboots.map(|event| event.command_key.as_str()).collect()
}

/// The events of a session but for the new port for connection requests, which a sandbox has after each start.
fn events(report: &SessionReport) -> Vec<&str> {
    let codes = report.events.iter().map(|event| event.code.as_str());
    codes.filter(|code| *code != "4 VALUE CHANGE").collect()
}

/// The next session of a boot; it is no bootstrap.
async fn boot(scene: &Scene) -> SessionReport {
    let report = scene.session(EventCode::Boot).await;
    assert!(!report.has_event(&EventCode::Bootstrap), "{:?}\n{}", report.events, scene.log());
    report
}

/// Opens a session, and cuts the power once the script has taken its last step: the ACS keeps silent there.
async fn cut_power_at_the_end_of(scene: &mut Scene, script: &[Step]) {
    scene.acs.script("*", script.to_vec());
    scene.ask(&["inform"]);
    scene.until("at the end of the script", || scene.acs.script_steps_left() == 0).await;
    scene.cut_power();
}

#[tokio::test]
async fn a_reboot_is_reported_with_its_command_key() {
    let scene = Scene::bootstrapped().await;
    scene.call(reboot("the key")).await.unwrap();
    let report = boot(&scene).await;
    assert_eq!(rebooted(&report), ["the key"]);
    assert_eq!(events(&report), ["1 BOOT", "M Reboot"]);
    assert!(scene.agent().usage().is_ok(), "it is the same process that runs again");
    // It is told once.
    scene.ring().await;
    assert_eq!(rebooted(&scene.session(EventCode::ConnectionRequest).await), [""; 0]);
    scene.assert_clean();
}

#[tokio::test]
async fn two_reboots_in_a_session_are_one_restart_and_two_events() {
    let scene = Scene::bootstrapped().await;
    for answer in scene.calls(vec![reboot("one"), reboot("two")]).await {
        answer.unwrap();
    }
    assert_eq!(rebooted(&boot(&scene).await), ["one", "two"]);
    assert_eq!(scene.log().matches("on generic-linux").count(), 2, "starts\n{}", scene.log());
    scene.assert_clean();
}

#[tokio::test]
async fn a_reboot_by_hand_is_a_boot_without_m_reboot() {
    let scene = Scene::bootstrapped().await;
    scene.ask(&["reboot"]);
    assert_eq!(events(&boot(&scene).await), ["1 BOOT"]);
    scene.assert_clean();
}

#[tokio::test]
async fn a_factory_reset_forgets_all_that_was_set_and_begins_with_bootstrap() {
    let scene = Scene::bootstrapped().await;
    let table = AddObject { object_name: TABLE.into(), parameter_key: ParameterKey::default() };
    let before = vec![
        set(&[(CODE, ValueType::String, "mine"), (WATCHED, ValueType::UnsignedInt, "1111")], "mine"),
        watch(WATCHED),
        CpeRequest::AddObject(table),
    ];
    for answer in scene.calls(before).await {
        answer.unwrap();
    }
    let user = scene.folder().join("user.ini");
    assert!(fs::read_to_string(&user).unwrap().contains("1111"));
    scene.call(CpeRequest::FactoryReset).await.unwrap();
    let report = scene.session(EventCode::Bootstrap).await;
    assert_eq!(events(&report), ["0 BOOTSTRAP", "1 BOOT"]);
    let attributes = GetParameterAttributes { names: vec![WATCHED.into()] };
    let after = vec![
        get(&[CODE]),
        get(&[WATCHED]),
        get(&[KEY]),
        get(&["Device.ManagementServer.InformParameterNumberOfEntries"]),
        CpeRequest::GetParameterAttributes(attributes),
    ];
    let after = scene.calls(after).await;
    let values: Vec<String> = after[..4].iter().map(value_of).collect();
    assert_eq!(values, ["", "1000", "", "0"]);
    let Ok(CpeResponse::GetParameterAttributes(attributes)) = &after[4] else { panic!("{:?}", after[4]) };
    assert_eq!(attributes[0].notification, 0);
    // What the new start has made for itself is all that is there.
    let user = fs::read_to_string(&user).unwrap();
    assert!(user.contains("connection_request_path") && !user.contains("ManagementServer"), "{user}");
    scene.assert_clean();
}

#[tokio::test]
async fn a_factory_reset_by_hand_does_the_same() {
    let scene = Scene::bootstrapped().await;
    scene.call(set(&[(CODE, ValueType::String, "mine")], "mine")).await.unwrap();
    scene.ask(&["factory-reset"]);
    scene.session(EventCode::Bootstrap).await;
    assert_eq!(scene.value(CODE).await, "");
    scene.assert_clean();
}

#[tokio::test]
async fn a_power_cut_before_the_order_arrives_leaves_nothing_of_it() {
    let mut scene = Scene::bootstrapped().await;
    let lost = scene.acs.call("*", reboot("lost"));
    cut_power_at_the_end_of(&mut scene, &[Step::until(""), Step::Stall]).await;
    drop(lost);
    scene.switch_on();
    let report = boot(&scene).await;
    assert_eq!(rebooted(&report), [""; 0], "the ACS had not said it yet");
    scene.assert_clean();
}

#[tokio::test]
async fn a_reboot_that_was_answered_is_reported_after_a_power_cut() {
    let mut scene = Scene::bootstrapped().await;
    let pending = scene.acs.call("*", reboot("promised"));
    cut_power_at_the_end_of(&mut scene, &[Step::until("RebootResponse"), Step::Stall]).await;
    drop(pending);
    scene.switch_on();
    // The ACS that never saw the end of the session hears of it in an orderly one.
    assert_eq!(rebooted(&boot(&scene).await), ["promised"]);
    scene.ring().await;
    assert_eq!(rebooted(&scene.session(EventCode::ConnectionRequest).await), [""; 0]);
}

#[tokio::test]
async fn a_power_cut_at_any_moment_around_a_reboot_keeps_the_promise() {
    let mut scene = Scene::bootstrapped().await;
    for round in 0..6 {
        let key = format!("round {round}");
        let answer = scene.acs.call("*", reboot(&key));
        scene.ring().await;
        answer.await.unwrap();
        // From here on the session ends, the program starts again and reports: cut somewhere in this.
        let starts = scene.log().matches("on generic-linux").count();
        if round % 2 == 1 {
            scene.logged("on generic-linux", starts + 1).await;
        }
        scene.cut_power();
        scene.switch_on();
        let told = scene.acs.wait_session(PATIENCE, |report| rebooted(report).contains(&key.as_str())).await;
        let told = told.unwrap_or_else(|error| panic!("{key}: {error}\n{}", scene.log()));
        assert!(!told.has_event(&EventCode::Bootstrap), "{:?}", told.events);
        // Whatever else that start has to say is said now.
        // (The report may be of the start before the cut: then the program is not yet there to be asked.)
        scene
            .until("idle", || {
                let status = scene.agent().ask(&["status"]).expect("cwmpd runs");
                status.status.success() && String::from_utf8_lossy(&status.stdout).contains("undelivered:  -")
            })
            .await;
    }
}

#[tokio::test]
async fn a_set_that_is_being_answered_survives_a_power_cut() {
    let mut scene = Scene::bootstrapped().await;
    let change = [(CODE, ValueType::String, "kept"), (WATCHED, ValueType::UnsignedInt, "1234")];
    let pending = scene.acs.call("*", set(&change, "kept too"));
    cut_power_at_the_end_of(&mut scene, &[Step::until("SetParameterValuesResponse"), Step::Stall]).await;
    drop(pending);
    scene.switch_on();
    boot(&scene).await;
    let told = scene.acs.with_cpe("*", |_, cpe| {
        cpe.last_inform.parameters.iter().map(|value| value.name.clone()).collect::<Vec<_>>()
    });
    assert!(!told.unwrap().iter().any(|name| name == WATCHED), "the ACS knows what it has set");
    let values: Vec<String> =
        scene.calls(vec![get(&[CODE]), get(&[WATCHED]), get(&[KEY])]).await.iter().map(value_of).collect();
    assert_eq!(values, ["kept", "1234", "kept too"]);
}

#[tokio::test]
async fn a_power_cut_at_any_moment_of_a_set_leaves_all_of_it_or_nothing() {
    let mut scene = Scene::bootstrapped().await;
    let mut present = ["".to_owned(), "1000".to_owned(), "".to_owned()];
    // Messages of the session before the cut; the third is the answer, and behind the second the set is carried out.
    for (round, messages) in [1, 2, 2, 2, 2, 3].into_iter().enumerate() {
        let new = [format!("round {round}"), (2000 + round).to_string(), format!("key {round}")];
        let change = [(CODE, ValueType::String, &*new[0]), (WATCHED, ValueType::UnsignedInt, &*new[1])];
        let pending = scene.acs.call("*", set(&change, &new[2]));
        cut_power_at_the_end_of(&mut scene, &vec![Step::Pass; messages]).await;
        let cut = scene.any_session(EventCode::Periodic).await;
        let answered = cut.methods(Direction::FromCpe).contains(&"SetParameterValuesResponse");
        drop(pending);
        scene.switch_on();
        boot(&scene).await;
        let answers = scene.calls(vec![get(&[CODE]), get(&[WATCHED]), get(&[KEY])]).await;
        let values: Vec<String> = answers.iter().map(value_of).collect();
        assert!(values == new || (values == present && !answered), "{values:?}, answered: {answered}");
        present = values.try_into().unwrap();
    }
}

#[tokio::test]
async fn what_was_set_by_hand_and_what_is_watched_survive_a_power_cut() {
    let mut scene = Scene::bootstrapped().await;
    scene.call(watch(WATCHED)).await.unwrap();
    scene.ask(&["set", &format!("{CODE}=by hand")]);
    scene.cut_power();
    scene.switch_on();
    boot(&scene).await;
    let attributes = GetParameterAttributes { names: vec![WATCHED.into()] };
    let answers = scene.calls(vec![get(&[CODE]), CpeRequest::GetParameterAttributes(attributes)]).await;
    assert_eq!(value_of(&answers[0]), "by hand");
    let Ok(CpeResponse::GetParameterAttributes(attributes)) = &answers[1] else { panic!("{:?}", answers[1]) };
    assert_eq!(attributes[0].notification, 2);
}

#[tokio::test]
async fn a_power_cut_before_the_inform_is_answered_keeps_the_bootstrap() {
    let mut scene = Scene::new(acs_options(), |sandbox| sandbox).await;
    scene.acs.script("*", [Step::expect("Inform"), Step::Stall]);
    scene.switch_on();
    scene.until("the Inform there", || scene.acs.script_steps_left() == 0).await;
    scene.cut_power();
    let cut = scene.any_session(EventCode::Bootstrap).await;
    assert!(!cut.is_clean());
    scene.switch_on();
    let report = scene.session(EventCode::Bootstrap).await;
    assert_eq!(events(&report), ["0 BOOTSTRAP", "1 BOOT"]);
    scene.cut_power();
    scene.switch_on();
    boot(&scene).await;
}

#[tokio::test]
async fn a_factory_reset_that_was_answered_happens_after_a_power_cut() {
    let mut scene = Scene::bootstrapped().await;
    scene.call(set(&[(CODE, ValueType::String, "mine")], "mine")).await.unwrap();
    let pending = scene.acs.call("*", CpeRequest::FactoryReset);
    cut_power_at_the_end_of(&mut scene, &[Step::until("FactoryResetResponse"), Step::Stall]).await;
    drop(pending);
    scene.switch_on();
    scene.session(EventCode::Bootstrap).await;
    assert_eq!(scene.value(CODE).await, "");
}

#[tokio::test]
async fn a_signal_stops_the_program_in_good_order() {
    let mut scene = Scene::bootstrapped().await;
    let socket = scene.sandbox.socket();
    assert!(socket.exists());
    let status = scene.agent.take().unwrap().stop(PATIENCE).unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(!socket.exists());
    assert!(scene.log().contains("stopped by SIGTERM"), "{}", scene.log());
    // In the middle of a session too.
    scene.switch_on();
    boot(&scene).await;
    scene.acs.script("*", [Step::until("GetParameterValuesResponse"), Step::Stall]);
    let pending = scene.acs.call("*", get(&["Device."]));
    scene.ring().await;
    scene.until("in a session", || scene.acs.script_steps_left() == 0).await;
    let status = scene.agent.take().unwrap().stop(Duration::from_secs(5)).unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(!socket.exists());
    drop(pending);
}

#[tokio::test]
async fn the_state_of_another_box_is_not_used() {
    let mut scene = Scene::bootstrapped().await;
    let pending = scene.acs.call("*", reboot("of the first box"));
    cut_power_at_the_end_of(&mut scene, &[Step::until("RebootResponse"), Step::Stall]).await;
    drop(pending);
    scene.sandbox = Sandbox::new(scene.folder(), &scene.acs.url()).with("DeviceInfo", "SerialNumber", "0002");
    scene.switch_on();
    let report = scene.session(EventCode::Bootstrap).await;
    assert!(report.cpe.as_str().ends_with("-0002"), "{}", report.cpe);
    assert_eq!(rebooted(&report), [""; 0]);
    assert!(scene.log().contains("belongs to 00D09E-Sandbox-0001"), "{}", scene.log());
}

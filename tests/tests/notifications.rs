//! Parameters that the ACS watches: what changes on the box, and when the ACS hears of it (TR-069a6 A.3.2.4).

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use cwmp_core::{
    event::EventCode,
    rpc::{
        CpeRequest, CpeResponse, GetParameterAttributes, SetParameterAttributes, SetParameterAttributesStruct,
    },
    value::ValueType,
};
use cwmpd_tests::{
    Scene,
    scene::{fault_of, set},
};

const CODE: &str = "Device.DeviceInfo.ProvisioningCode";
const WATCHED: &str = "Device.ManagementServer.CWMPRetryIntervalMultiplier";
const OTHER: &str = "Device.ManagementServer.CWMPRetryMinimumWaitInterval";

fn notify(name: &str, notification: i32) -> CpeRequest {
    let entry = SetParameterAttributesStruct {
        name: name.to_owned(),
        notification_change: true,
        notification,
        access_list_change: false,
        access_list: Vec::new(),
    };
    CpeRequest::SetParameterAttributes(SetParameterAttributes { entries: vec![entry] })
}

/// The value of a parameter in the last Inform.
fn informed(scene: &Scene, name: &str) -> Option<String> {
    let find = |cpe: &cwmp_acs::CpeRecord| {
        let mut values = cpe.last_inform.parameters.iter();
        values.find(|value| value.name == name).map(|value| value.value.clone())
    };
    scene.acs.with_cpe("*", |_, cpe| find(cpe)).flatten()
}

#[tokio::test]
async fn a_passively_watched_value_rides_in_the_next_inform() {
    let scene = Scene::bootstrapped().await;
    scene.call(notify(WATCHED, 1)).await.unwrap();
    let sessions = || scene.acs.with_cpe("*", |_, cpe| cpe.session_count);
    let before = sessions();
    scene.ask(&["set", &format!("{WATCHED}=1500")]);
    scene.ring().await;
    let report = scene.session(EventCode::ConnectionRequest).await;
    assert!(report.has_event(&EventCode::ValueChange), "{:?}", report.events);
    assert_eq!(sessions(), before.map(|before| before + 1), "the change itself opens no session");
    assert_eq!(informed(&scene, WATCHED).as_deref(), Some("1500"));
    // It was told: the next Inform is without it.
    scene.ring().await;
    let report = scene.session(EventCode::ConnectionRequest).await;
    assert!(!report.has_event(&EventCode::ValueChange), "{:?}", report.events);
    assert_eq!(informed(&scene, WATCHED), None);
    scene.assert_clean();
}

#[tokio::test]
async fn an_actively_watched_value_opens_a_session() {
    let scene = Scene::bootstrapped().await;
    scene.calls(vec![notify(WATCHED, 2), notify(OTHER, 1)]).await.into_iter().for_each(|answer| {
        answer.unwrap();
    });
    scene.ask(&["set", &format!("{OTHER}=7"), &format!("{WATCHED}=1700")]);
    let report = scene.session(EventCode::ValueChange).await;
    assert_eq!(report.events.len(), 1, "{:?}", report.events);
    assert_eq!(informed(&scene, WATCHED).as_deref(), Some("1700"));
    assert_eq!(informed(&scene, OTHER).as_deref(), Some("7"));
    scene.assert_clean();
}

#[tokio::test]
async fn what_the_acs_sets_itself_is_no_news_to_it() {
    let scene = Scene::bootstrapped().await;
    let change = set(&[(WATCHED, ValueType::UnsignedInt, "1800")], "");
    for answer in scene.calls(vec![notify(WATCHED, 2), change]).await {
        answer.unwrap();
    }
    scene.ring().await;
    let report = scene.session(EventCode::ConnectionRequest).await;
    assert!(!report.has_event(&EventCode::ValueChange), "{:?}", report.events);
    scene.assert_clean();
}

#[tokio::test]
async fn a_change_while_the_agent_is_off_is_told_after_the_boot() {
    let mut scene = Scene::bootstrapped().await;
    scene.call(notify(WATCHED, 1)).await.unwrap();
    scene.cut_power();
    let user = scene.folder().join("user.ini");
    let text = std::fs::read_to_string(&user).unwrap_or_default();
    std::fs::write(&user, format!("{text}\n[ManagementServer]\nCWMPRetryIntervalMultiplier = 1900\n"))
        .unwrap();
    scene.switch_on();
    let report = scene.session(EventCode::Boot).await;
    assert!(report.has_event(&EventCode::ValueChange), "{:?}", report.events);
    assert!(!report.has_event(&EventCode::Bootstrap), "{:?}", report.events);
    assert_eq!(informed(&scene, WATCHED).as_deref(), Some("1900"));
    scene.assert_clean();
}

#[tokio::test]
async fn the_provisioning_code_is_watched_from_the_start_and_for_ever() {
    let scene = Scene::bootstrapped().await;
    assert_eq!(fault_of(&scene.call(notify(CODE, 0)).await), 9009);
    let attributes = GetParameterAttributes { names: vec![CODE.into()] };
    let answer = scene.call(CpeRequest::GetParameterAttributes(attributes)).await;
    let Ok(CpeResponse::GetParameterAttributes(attributes)) = &answer else { panic!("{answer:?}") };
    assert_eq!(attributes[0].notification, 2);
    scene.ask(&["set", &format!("{CODE}=by.hand")]);
    let report = scene.session(EventCode::ValueChange).await;
    assert_eq!(report.events.len(), 1, "{:?}", report.events);
    assert_eq!(informed(&scene, CODE).as_deref(), Some("by.hand"));
    scene.assert_clean();
}

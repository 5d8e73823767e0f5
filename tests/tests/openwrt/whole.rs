//! The whole tree of the router through sessions of the ACS: what is read can be written back, each table takes a row and gives
//! it back.

use std::{collections::BTreeMap, fs};

use cwmp_core::{
    rpc::{
        AddObject, CpeRequest, CpeResponse, DeleteObject, GetParameterNames, ParameterInfoStruct,
        ParameterKey, Status,
    },
    value::ValueType,
};
use cwmp_datamodel::facts::{Facts, Place};
use cwmpd_test_router::{Router, difference};
use cwmpd_tests::{Scene, scene::set};

use crate::played::{announced, router};

/// All files of the configuration but the agent's own: what the ACS sets explicitly is kept there.
fn configuration(router: &Router) -> BTreeMap<String, String> {
    let files = fs::read_dir(router.root().join("etc/config")).unwrap().map(Result::unwrap);
    let read = |file: fs::DirEntry| {
        (file.file_name().into_string().unwrap(), fs::read_to_string(file.path()).unwrap())
    };
    files.map(read).filter(|(name, _)| name != "cwmpd").collect()
}

/// What has changed from one configuration to another.
fn differences(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> String {
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    let changed = before.iter().filter(|(name, text)| after[*name] != **text);
    changed.map(|(name, text)| format!("{name}:\n{}", difference(text, &after[name]))).collect()
}

async fn names(scene: &Scene) -> Vec<ParameterInfoStruct> {
    let ask = GetParameterNames { path: "Device.".to_owned(), next_level: false };
    match scene.call(CpeRequest::GetParameterNames(ask)).await.unwrap() {
        CpeResponse::GetParameterNames(names) => names,
        other => panic!("{other:?}"),
    }
}

/// Whether the parameter is read as empty, whatever it is.
fn is_secret(name: &str) -> bool {
    let part = |part: &str| if part.parse::<u32>().is_ok() { "{i}".to_owned() } else { part.to_owned() };
    let schema = name.split('.').map(part).collect::<Vec<_>>().join(".");
    match Facts::tr181().find(&schema) {
        Some(Place::Parameter(_, parameter)) => parameter.rule().is_hidden(),
        _ => false,
    }
}

#[tokio::test]
async fn what_is_read_can_be_written_back_and_changes_nothing() {
    let (router, scene, _files) = router().await;
    let values = scene.tree().await;
    // Of the state of a diagnostic two values can be written, and it has another one.
    let is_value = |name: &str| !is_secret(name) && !name.ends_with(".DiagnosticsState");
    let writable = names(&scene).await.into_iter().filter(|info| info.writable && is_value(&info.name));
    let back: Vec<(&str, ValueType, &str)> = writable
        .filter_map(|info| values.get(&info.name))
        .map(|value| {
            (value.name.as_str(), value.value_type.unwrap_or(ValueType::String), value.value.as_str())
        })
        .collect();
    assert!(back.len() > 800, "{} can be written", back.len());
    let before = configuration(&router);
    announced(&router);
    let answer = scene.call(set(&back, "back")).await;
    assert!(answer.is_ok(), "{answer:?}");
    assert_eq!(differences(&before, &configuration(&router)), "");
    assert_eq!(announced(&router), [""; 0]);
    assert_eq!(answer.unwrap(), CpeResponse::SetParameterValues(Status::Applied), "{}", scene.log());
    scene.assert_clean();
}

#[tokio::test]
async fn each_table_takes_a_row_and_gives_it_back() {
    let (router, scene, _files) = router().await;
    let tables: Vec<String> = names(&scene)
        .await
        .into_iter()
        .filter(|info| info.writable && info.name.ends_with('.'))
        .map(|info| info.name)
        .filter(|name| name.rsplit('.').nth(1).is_some_and(|last| last.parse::<u32>().is_err()))
        .collect();
    assert!(tables.len() > 15, "{tables:?}");
    let before = configuration(&router);
    let key = ParameterKey::default;
    let add = |table: &String| {
        CpeRequest::AddObject(AddObject { object_name: table.clone(), parameter_key: key() })
    };
    let answers = scene.calls(tables.iter().map(add).collect()).await;
    let mut rows = Vec::new();
    for (table, answer) in tables.iter().zip(&answers) {
        let Ok(CpeResponse::AddObject(added)) = answer else { panic!("{table} takes no row: {answer:?}") };
        rows.push(format!("{table}{}.", added.instance_number));
    }
    // Rows of rows go before those.
    let delete = |row: &String| {
        CpeRequest::DeleteObject(DeleteObject { object_name: row.clone(), parameter_key: key() })
    };
    let answers = scene.calls(rows.iter().rev().map(delete).collect()).await;
    for (row, answer) in rows.iter().rev().zip(&answers) {
        assert!(matches!(answer, Ok(CpeResponse::DeleteObject(_))), "{row} does not go: {answer:?}");
    }
    assert_eq!(differences(&before, &configuration(&router)), "");
    scene.assert_clean();
}

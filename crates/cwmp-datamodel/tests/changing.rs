//! SetParameterValues, AddObject, DeleteObject (TR-069a6 A.3.2.1, A.3.2.6, A.3.2.7).

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod common;

use common::{Bench, KEY, Memory, entries, set};
use cwmp_core::{
    io::{DataOp, DataReply},
    rpc::{AddObjectResponse, ParameterKey, ParameterValueStruct, Status},
    value::ValueType,
};
use cwmp_datamodel::Origin;
use cwmp_platform::source::ObjectKind;

const INTERVAL: &str = "Device.ManagementServer.PeriodicInformInterval";
const ENABLE: &str = "Device.Time.Enable";
const ROWS: &str = "Device.ManagementServer.InformParameter.";

#[tokio::test]
async fn values_are_set_in_canonical_form_with_the_key() {
    let mut bench = Bench::new();
    let values = [
        (INTERVAL, " +0060 "),
        (ENABLE, "0"),
        ("Device.ManagementServer.Password", "new"),
        ("Device.X_CWMPD_Extra.Level", "08"),
    ];
    assert_eq!(bench.set(&values, "second").await, Ok(Status::Applied));
    assert_eq!(bench.value(INTERVAL).await, "60");
    assert_eq!(bench.value(ENABLE).await, "false");
    assert_eq!(bench.value(KEY).await, "second");
    assert_eq!(bench.own.value("Device.ManagementServer.Password"), "new");
    assert_eq!(bench.value("Device.X_CWMPD_Extra.Level").await, "8");
    // Settings beside the key and the key itself are one step of their source, and the last one.
    let applied = bench.own.applied.borrow();
    let names: Vec<&str> = applied[0].iter().map(|change| change.name.as_str()).collect();
    assert_eq!((applied.len(), names), (1, vec![INTERVAL, "Device.ManagementServer.Password", KEY]));
}

#[tokio::test]
async fn an_empty_list_changes_only_the_key() {
    let mut bench = Bench::new();
    assert_eq!(bench.set(&[], "").await, Ok(Status::Applied));
    assert_eq!(bench.value(KEY).await, "");
    assert!(bench.system.applied.borrow().is_empty());
}

/// Conformance: 4.10, 4.16, 4.17, 4.18
#[tokio::test]
async fn every_bad_parameter_is_named_and_nothing_changes() {
    let mut bench = Bench::new();
    let before = bench.values(&[""]).await.unwrap();
    let bad = [
        (ENABLE, "0"),
        (INTERVAL, "0"),
        ("Device.Time.Nothing", "1"),
        ("Device.Time.", "1"),
        ("", "1"),
        ("Device.DeviceInfo.UpTime", "1"),
        (KEY, "mine"),
        ("Device.Hosts.HostNumberOfEntries", "1"),
        ("Device.X_CWMPD_Extra.Level", "-1"),
    ];
    let fault = bench.set(&bad, "second").await.unwrap_err();
    assert_eq!(fault.code.0, 9003);
    let wanted = [
        (INTERVAL, 9007),
        ("Device.Time.Nothing", 9005),
        ("Device.Time.", 9005),
        ("", 9005),
        ("Device.DeviceInfo.UpTime", 9008),
        (KEY, 9008),
        ("Device.Hosts.HostNumberOfEntries", 9008),
        ("Device.X_CWMPD_Extra.Level", 9007),
    ];
    assert_eq!(entries(&fault), wanted);
    assert_eq!(bench.values(&[""]).await.unwrap(), before);
}

/// Conformance: 4.18
#[tokio::test]
async fn a_wrong_type_is_9006() {
    let mut bench = Bench::new();
    let parameter =
        |value_type| ParameterValueStruct { name: INTERVAL.to_owned(), value_type, value: "60".to_owned() };
    let op = |value_type| DataOp::Set {
        parameters: vec![parameter(value_type)],
        parameter_key: ParameterKey::default(),
    };
    let fault = bench.acs(op(Some(ValueType::Boolean))).await.unwrap_err();
    assert_eq!(entries(&fault), [(INTERVAL, 9006)]);
    assert!(bench.acs(op(Some(ValueType::Int))).await.is_ok());
}

/// Conformance: 4.19, 4.21
#[tokio::test]
async fn the_same_parameter_twice_refuses_the_call_without_entries() {
    let mut bench = Bench::new();
    let fault = bench.set(&[(ENABLE, "0"), (ENABLE, "0")], "second").await.unwrap_err();
    assert_eq!((fault.code.0, entries(&fault)), (9003, vec![]));
    assert_eq!(bench.value(KEY).await, "first");
}

#[tokio::test]
async fn the_check_of_one_source_keeps_all_from_applying() {
    let mut bench = Bench::new();
    bench.system.refused.borrow_mut().insert("bad.example".to_owned());
    let fault = bench
        .set(&[(INTERVAL, "60"), ("Device.Time.NTPServer1", "bad.example")], "second")
        .await
        .unwrap_err();
    assert_eq!((fault.code.0, entries(&fault)), (9003, vec![("Device.Time.NTPServer1", 9007)]));
    assert_eq!(bench.value(INTERVAL).await, "3600");
    assert!(bench.own.applied.borrow().is_empty());
}

/// Conformance: 4.16
#[tokio::test]
async fn what_was_applied_is_put_back_when_a_later_source_fails() {
    let mut bench = Bench::new();
    bench.own.fails_to_apply.set(true);
    let before = bench.values(&[""]).await.unwrap();
    let fault = bench.set(&[(INTERVAL, "60"), (ENABLE, "0")], "second").await.unwrap_err();
    assert_eq!((fault.code.0, entries(&fault)), (9002, vec![]));
    assert_eq!(bench.system.applied.borrow().len(), 2);
    assert_eq!(bench.values(&[""]).await.unwrap(), before);
}

/// Conformance: 4.12
#[tokio::test]
async fn one_part_that_applies_later_makes_the_whole_later() {
    let mut bench = Bench::new();
    bench.system.status.set(Status::Committed);
    assert_eq!(bench.set(&[(INTERVAL, "60"), (ENABLE, "0")], "").await, Ok(Status::Committed));
    assert_eq!(bench.set(&[(INTERVAL, "60")], "").await, Ok(Status::Applied));
}

/// Conformance: 4.11, 5.11
#[tokio::test]
async fn local_changes_respect_the_access_list_and_leave_the_key() {
    let mut bench = Bench::new();
    let closed = cwmp_core::rpc::SetParameterAttributesStruct {
        name: "Device.Time.".to_owned(),
        notification_change: false,
        notification: 7,
        access_list_change: true,
        access_list: vec![],
    };
    assert_eq!(bench.acs(DataOp::SetAttributes { entries: vec![closed] }).await, Ok(DataReply::Done));
    let fault = bench
        .model
        .execute(set(&[(ENABLE, "0"), (INTERVAL, "60")], "local"), Origin::Local)
        .await
        .unwrap_err();
    assert_eq!(entries(&fault), [(ENABLE, 9001)]);
    assert!(bench.model.execute(set(&[(INTERVAL, "60")], "local"), Origin::Local).await.is_ok());
    assert_eq!(bench.value(KEY).await, "first");
    assert!(bench.set(&[(ENABLE, "0")], "acs").await.is_ok());
}

#[tokio::test]
async fn what_is_set_to_its_own_value_is_told_to_those_who_want_to_hear_it() {
    const PROVISIONING: &str = "Device.DeviceInfo.ProvisioningCode";
    const SERVER: &str = "Device.Time.NTPServer1";
    let mut bench = Bench::new();
    let both = [(PROVISIONING, ""), (SERVER, "ntp.example")];
    assert_eq!(bench.set(&both, "heard").await, Ok(Status::Applied));
    assert_eq!(bench.system.applied.borrow().len(), 1);
    bench.system.hears_repeats.set(false);
    assert_eq!(bench.set(&both, "not heard").await, Ok(Status::Applied));
    assert_eq!(bench.system.applied.borrow().len(), 1);
    assert_eq!(bench.value(KEY).await, "not heard");
    let one = [(PROVISIONING, "TLCO"), (SERVER, "ntp.example")];
    assert_eq!(bench.set(&one, "one of them").await, Ok(Status::Applied));
    let applied = bench.system.applied.borrow();
    let names: Vec<&str> = applied.iter().flatten().map(|change| change.name.as_str()).collect();
    assert_eq!(names, [PROVISIONING, SERVER, PROVISIONING]);
}

#[tokio::test]
async fn rows_that_break_a_key_as_they_are_can_be_written_back() {
    let link = |number: u32, parameter: &str| format!("Device.Ethernet.Link.{number}.{parameter}");
    let mut system = Memory::new("system", &["Device.Ethernet.", "Device.Ethernet.Link.{i}."])
        .object("Device.Ethernet.", ObjectKind::Single)
        .object("Device.Ethernet.Link.", ObjectKind::Table { addable: false });
    for (number, mac) in [(1, "00:00:5E:00:53:01"), (2, "00:00:5E:00:53:01"), (3, "00:00:5E:00:53:03")] {
        system = system
            .object(&format!("Device.Ethernet.Link.{number}."), ObjectKind::Instance { deletable: false })
            .rw(&link(number, "Enable"), "true")
            .rw(&link(number, "MACAddress"), mac);
    }
    let mut bench = Bench::of(
        Memory::new("own", &["Device.ManagementServer."])
            .object("Device.ManagementServer.", ObjectKind::Single)
            .ro(KEY, "first"),
        system,
    );
    let same = link(2, "MACAddress");
    assert_eq!(bench.set(&[(&same, "00:00:5E:00:53:01")], "same").await, Ok(Status::Applied));
    let another = link(3, "MACAddress");
    let refused = bench.set(&[(&another, "00:00:5E:00:53:01")], "another").await;
    assert!(refused.is_err(), "{refused:?}");
}

#[tokio::test]
async fn instances_come_and_go_with_the_key() {
    let mut bench = Bench::new();
    let added = bench.add(ROWS, "k1").await.unwrap();
    assert_eq!(added, AddObjectResponse { instance_number: 1, status: Status::Applied });
    assert_eq!(bench.add(ROWS, "k2").await.unwrap().instance_number, 2);
    assert_eq!(bench.value(KEY).await, "k2");
    assert_eq!(bench.value("Device.ManagementServer.InformParameterNumberOfEntries").await, "2");
    assert_eq!(bench.delete(&format!("{ROWS}1."), "k3").await, Ok(Status::Applied));
    assert_eq!(bench.names(ROWS, true).await.unwrap(), [format!("{ROWS}2.")]);
    assert_eq!(bench.value(KEY).await, "k3");
    assert_eq!(bench.delete(&format!("{ROWS}1."), "k4").await, Err(9005));
    assert_eq!(bench.value(KEY).await, "k3");
    // One durable step: table and key belong to the same source.
    assert!(bench.own.applied.borrow().iter().all(|changes| changes.len() == 1));
}

#[tokio::test]
async fn only_tables_that_take_instances_are_added_to() {
    let mut bench = Bench::new();
    for table in [
        "Device.Hosts.Host.",
        "Device.DeviceInfo.",
        "Device.Nothing.",
        "Device.ManagementServer.InformParameter",
        "Device.ManagementServer.InformParameter.1.",
        "",
        "Device.ManagementServer.InformParameter.*.",
    ] {
        assert_eq!(bench.add(table, "new").await, Err(9005), "{table}");
    }
    for instance in
        ["Device.Hosts.Host.1.", ROWS, "Device.Hosts.Host.1", "Device.Time.", "Device.Time.Enable", ""]
    {
        assert_eq!(bench.delete(instance, "new").await, Err(9005), "{instance}");
    }
    assert_eq!(bench.value(KEY).await, "first");
}

#[tokio::test]
async fn a_refused_instance_leaves_the_key_of_another_source_alone() {
    let mut bench = Bench::new();
    assert_eq!(bench.add("Device.IP.Interface.", "k1").await.map(|added| added.instance_number), Ok(1));
    assert_eq!(bench.value(KEY).await, "k1");
    bench.system.fails_to_apply.set(true);
    assert_eq!(bench.add("Device.IP.Interface.", "k2").await, Err(9004));
    assert_eq!(bench.delete("Device.IP.Interface.1.", "k2").await, Err(9002));
    assert_eq!(bench.value(KEY).await, "k1");
}

/// Conformance: 9.17
#[tokio::test]
async fn no_two_rows_in_force_have_the_same_key() {
    let mut bench = Bench::new();
    for _ in 0..2 {
        bench.add(ROWS, "").await.unwrap();
    }
    let [first, second] = [1, 2].map(|row| format!("{ROWS}{row}.ParameterName"));
    let [one, two] = [1, 2].map(|row| format!("{ROWS}{row}.Enable"));
    let (up_time, host_name) = ("Device.DeviceInfo.UpTime", "Device.DeviceInfo.HostName");
    // Rows that are off do not count.
    bench.set(&[(&first, up_time), (&second, up_time), (&one, "1")], "").await.unwrap();
    let fault = bench.set(&[(&two, "1")], "").await.unwrap_err();
    assert_eq!(entries(&fault), [(two.as_str(), 9007)]);
    bench.set(&[(&two, "1"), (&second, host_name)], "").await.unwrap();
    let fault = bench.set(&[(&first, host_name)], "").await.unwrap_err();
    assert_eq!(entries(&fault), [(first.as_str(), 9007)]);
    // The set counts as a whole: values can change places.
    bench.set(&[(&first, host_name), (&second, up_time)], "").await.unwrap();
    bench.set(&[(&first, host_name)], "").await.unwrap();
}

//! GetParameterNames and GetParameterValues (TR-069a6 A.3.2.2, A.3.2.3).

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::time::Duration;

use common::{Bench, Memory};
use cwmp_core::{
    io::{DataOp, DataReply},
    limits::DATA_TIMEOUT_MS,
};
use cwmp_datamodel::{Origin, limits};
use cwmp_platform::source::{Access, ObjectKind};

/// Conformance: 4.40
#[tokio::test]
async fn an_empty_path_gives_the_whole_tree_or_just_its_root() {
    let mut bench = Bench::new();
    assert_eq!(bench.names("", true).await.unwrap(), ["Device."]);
    let all = bench.names("", false).await.unwrap();
    assert_eq!(all[0], "Device.");
    assert!(all.contains(&"Device.ManagementServer.URL".to_owned()));
    assert_eq!(bench.names("Device.", false).await.unwrap(), all);
}

/// Conformance: 4.39
#[tokio::test]
async fn the_next_level_is_the_children_only() {
    let mut bench = Bench::new();
    let wanted = ["Device.Hosts.HostNumberOfEntries", "Device.Hosts.Host."];
    assert_eq!(bench.names("Device.Hosts.", true).await.unwrap(), wanted);
    let wanted = ["Device.Hosts.Host.1.", "Device.Hosts.Host.2.", "Device.Hosts.Host.10."];
    assert_eq!(bench.names("Device.Hosts.Host.", true).await.unwrap(), wanted);
    assert_eq!(
        bench.names("Device.Hosts.Host.2.", true).await.unwrap(),
        ["Device.Hosts.Host.2.Alias", "Device.Hosts.Host.2.HostName"]
    );
}

/// Conformance: 4.38
#[tokio::test]
async fn a_partial_path_gives_the_object_and_everything_below() {
    let mut bench = Bench::new();
    let wanted = [
        "Device.Hosts.",
        "Device.Hosts.HostNumberOfEntries",
        "Device.Hosts.Host.",
        "Device.Hosts.Host.1.",
        "Device.Hosts.Host.1.Alias",
        "Device.Hosts.Host.1.HostName",
        "Device.Hosts.Host.2.",
        "Device.Hosts.Host.2.Alias",
        "Device.Hosts.Host.2.HostName",
        "Device.Hosts.Host.10.",
        "Device.Hosts.Host.10.Alias",
        "Device.Hosts.Host.10.HostName",
    ];
    assert_eq!(bench.names("Device.Hosts.", false).await.unwrap(), wanted);
}

/// Conformance: 4.41
#[tokio::test]
async fn a_full_name_gives_itself_and_has_no_next_level() {
    let mut bench = Bench::new();
    assert_eq!(bench.names("Device.Time.Enable", false).await.unwrap(), ["Device.Time.Enable"]);
    assert_eq!(bench.names("Device.Time.Enable", true).await, Err(9003));
}

/// Conformance: 4.34, 4.42
#[tokio::test]
async fn unknown_names_fail_the_call() {
    let mut bench = Bench::new();
    for name in [
        "Device.Foo.",
        "device.",
        "Device",
        "Device.time.",
        "Device.Time",
        "Device.Time.enable",
        "Device.Time.Enable.",
        "Device.Hosts.Host.3.",
        "Device.Hosts.Host.{i}.",
        "Device.Hosts.Host.*",
        "Device.Hosts.Host.*.Nothing",
        "Device.Hosts.*.HostName",
        "Device.*.",
        "*.Hosts.",
        "Device.Hosts.Host.[a].",
        "Device.Hosts.Host.[cpe-3].HostName",
        "Device.Hosts.Host.[].",
        "Device.Hosts.[cpe-1].",
        "Device..",
        ".",
        "Device.Hosts.Host.01.",
        "Device.Ethernet.",
        "Device.Hosts.Host.1",
        &format!("Device.{}", "x".repeat(300)),
    ] {
        assert_eq!(bench.names(name, false).await, Err(9005), "{name}");
        assert_eq!(bench.names(name, true).await, Err(9005), "{name}");
        assert_eq!(bench.values(&["Device.Time.Enable", name]).await, Err(9005), "{name}");
        assert_eq!(bench.attributes(&[name]).await, Err(9005), "{name}");
    }
}

/// Conformance: 4.33, 4.44
#[tokio::test]
async fn an_empty_table_is_listed_and_has_no_values() {
    let mut bench = Bench::new();
    assert_eq!(bench.names("Device.IP.Interface.", false).await.unwrap(), ["Device.IP.Interface."]);
    assert_eq!(bench.names("Device.IP.Interface.", true).await.unwrap(), [""; 0]);
    assert_eq!(bench.values(&["Device.IP.Interface."]).await.unwrap(), []);
    assert_eq!(bench.value("Device.IP.InterfaceNumberOfEntries").await, "0");
}

/// Conformance: 9.16
#[tokio::test]
async fn entries_are_counted_where_the_source_does_not() {
    let mut bench = Bench::new();
    assert_eq!(bench.value("Device.Hosts.HostNumberOfEntries").await, "3");
    assert_eq!(bench.value("Device.ManagementServer.InformParameterNumberOfEntries").await, "0");
    bench.system.put("Device.Hosts.HostNumberOfEntries", "5", cwmp_platform::source::Access::ReadOnly);
    assert_eq!(bench.value("Device.Hosts.HostNumberOfEntries").await, "5");
}

/// Conformance: 4.43
#[tokio::test]
async fn writable_is_what_can_be_done() {
    let mut bench = Bench::new();
    let all = bench.infos("", false).await.unwrap();
    let writable: Vec<&str> =
        all.iter().filter(|(_, writable)| *writable).map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        writable,
        [
            "Device.DeviceInfo.ProvisioningCode",
            "Device.ManagementServer.URL",
            "Device.ManagementServer.Username",
            "Device.ManagementServer.Password",
            "Device.ManagementServer.PeriodicInformEnable",
            "Device.ManagementServer.PeriodicInformInterval",
            "Device.ManagementServer.InformParameter.",
            "Device.Time.Enable",
            "Device.Time.NTPServer1",
            "Device.IP.Interface.",
            "Device.Hosts.Host.1.Alias",
            "Device.Hosts.Host.2.Alias",
            "Device.Hosts.Host.10.Alias",
            "Device.X_CWMPD_Extra.Level",
        ]
    );
}

/// Conformance: 4.32
#[tokio::test]
async fn values_come_for_names_and_paths_mixed_and_each_once() {
    let mut bench = Bench::new();
    let names = [
        "Device.Time.",
        "Device.Hosts.Host.2.HostName",
        "Device.Time.Enable",
        "Device.Hosts.Host.2.HostName",
    ];
    let wanted = [
        ("Device.Time.Enable", "true"),
        ("Device.Time.NTPServer1", "ntp.example"),
        ("Device.Hosts.Host.2.HostName", "b"),
    ];
    let mut values = bench.values(&names).await.unwrap();
    values.sort();
    let mut wanted = wanted.map(|(name, value)| (name.to_owned(), value.to_owned()));
    wanted.sort();
    assert_eq!(values, wanted);
}

/// Conformance: 4.26, 13.02
#[tokio::test]
async fn hidden_values_read_as_empty() {
    let mut bench = Bench::new();
    assert_eq!(bench.value("Device.ManagementServer.Password").await, "");
    assert_eq!(bench.own.value("Device.ManagementServer.Password"), "hush");
}

#[tokio::test]
async fn the_tree_says_itself_which_model_it_is() {
    let own = Memory::new("own", &["Device.ManagementServer."]);
    let mut bench = Bench::of(own, Memory::new("system", &[]));
    assert_eq!(bench.value("Device.RootDataModelVersion").await, "2.17");
    assert_eq!(bench.names("", false).await.unwrap(), ["Device.", "Device.RootDataModelVersion"]);
    // A source may know better.
    bench.own.put("Device.RootDataModelVersion", "2.16", cwmp_platform::source::Access::ReadOnly);
    assert_eq!(bench.values(&["Device."]).await.unwrap()[0].1, "2.16");
}

#[tokio::test]
async fn commands_read_as_false() {
    let mut bench = Bench::new();
    bench.system.put("Device.IP.Interface.1.Reset", "true", cwmp_platform::source::Access::ReadWrite);
    assert_eq!(bench.value("Device.IP.Interface.1.Reset").await, "false");
}

#[tokio::test]
async fn a_call_reads_each_source_once_and_only_those_it_is_about() {
    let mut bench = Bench::new();
    bench.values(&["Device.Time.Enable", "Device.DeviceInfo.UpTime", "Device.Hosts."]).await.unwrap();
    assert_eq!((bench.own.reads.get(), bench.system.reads.get()), (0, 1));
    bench.values(&[""]).await.unwrap();
    assert_eq!((bench.own.reads.get(), bench.system.reads.get()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_hangs_or_fails_fails_the_call() {
    let mut bench = Bench::new();
    bench.own.hangs.set(true);
    let started = tokio::time::Instant::now();
    assert_eq!(bench.values(&["Device."]).await, Err(9002));
    assert_eq!(started.elapsed(), Duration::from_millis(DATA_TIMEOUT_MS));
    assert_eq!(bench.value("Device.Time.Enable").await, "true");
    bench.own.hangs.set(false);
    bench.own.fails_to_read.set(true);
    assert_eq!(bench.names("", false).await, Err(9002));
}

#[tokio::test]
async fn a_listing_can_be_walked_in_pieces_and_again() {
    let mut bench = Bench::new();
    let op = DataOp::Values { names: vec![String::new()] };
    let Ok(DataReply::Listing { snapshot, .. }) = bench.model.execute(op, Origin::Acs).await else {
        panic!()
    };
    let snapshot = bench.model.snapshot(snapshot).unwrap();
    let whole: Vec<_> = snapshot.entries().collect();
    let (mut pieces, mut position) = (Vec::new(), Default::default());
    loop {
        let mut walk = snapshot.entries_from(position);
        let piece: Vec<_> = walk.by_ref().take(3).collect();
        position = walk.position();
        if piece.is_empty() {
            break;
        }
        pieces.extend(piece);
    }
    assert_eq!(pieces, whole);
}

#[tokio::test]
async fn snapshots_that_are_never_released_do_not_pile_up() {
    let mut bench = Bench::new();
    let op = || DataOp::Values { names: vec!["Device.Time.".to_owned()] };
    let mut ids = Vec::new();
    for _ in 0..10 {
        let Ok(DataReply::Listing { snapshot, .. }) = bench.acs(op()).await else { panic!() };
        ids.push(snapshot);
    }
    let held = ids.iter().filter(|id| bench.model.snapshot(**id).is_some()).count();
    assert_eq!(held, cwmp_datamodel::limits::SNAPSHOTS);
    assert!(bench.model.snapshot(*ids.last().unwrap()).is_some());
}

/// Conformance: 4.36
#[tokio::test]
async fn an_answer_that_is_too_large_is_refused_and_not_cut() {
    let mut bench = Bench::new();
    let rows = limits::SNAPSHOT_BYTES / limits::VALUE_BYTES + 1;
    for row in 1..=rows {
        let object = format!("Device.Hosts.Host.{}.", row + 10);
        bench.system.put_object(&object, ObjectKind::Instance { deletable: false });
        bench.system.put(&format!("{object}HostName"), &"x".repeat(limits::VALUE_BYTES), Access::ReadOnly);
    }
    for path in ["", "Device.", "Device.Hosts.Host."] {
        assert_eq!(bench.values(&[path]).await, Err(9004), "{path}");
    }
    // What does fit is answered as ever.
    let one = bench.values(&["Device.Hosts.Host.11."]).await.unwrap();
    assert!(one.iter().any(|(_, value)| value.len() == limits::VALUE_BYTES));
    assert_eq!(bench.value("Device.Hosts.Host.1.HostName").await, "a");
}

/// Conformance: 4.30
#[tokio::test]
async fn parameters_of_a_vendor_are_read_listed_and_set_like_any_other() {
    let mut bench = Bench::new();
    let name = "Device.X_CWMPD_Extra.Level";
    let infos = bench.infos("Device.X_CWMPD_Extra.", true).await.unwrap();
    assert_eq!(infos, [(name.to_owned(), true)]);
    assert_eq!(bench.value(name).await, "7");
    bench.set(&[(name, "8")], "k").await.unwrap();
    assert_eq!(bench.value(name).await, "8");
    assert_eq!(bench.attributes(&[name]).await.unwrap(), [(name.to_owned(), 0, true)]);
    bench.watch(&[(name, 1)]).await.unwrap();
    assert_eq!(bench.attributes(&[name]).await.unwrap()[0].1, 1);
}

//! Instances named by wildcards and aliases (TR-069a6 3.6.1, Appendix II, A.2.2.2).

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod common;

use common::{Bench, KEY, entries};
use cwmp_core::{event::EventCode, io::DataOp, rpc::ParameterKey};
use cwmp_datamodel::{Addressing, Origin};
use cwmp_platform::source::{Access, ObjectKind};

const ROWS: &str = "Device.ManagementServer.InformParameter.";
const HOSTS: [&str; 3] =
    ["Device.Hosts.Host.1.HostName", "Device.Hosts.Host.2.HostName", "Device.Hosts.Host.10.HostName"];

fn names(values: &[(String, String)]) -> Vec<&str> {
    values.iter().map(|(name, _)| name.as_str()).collect()
}

fn by_alias(bench: &Bench) {
    bench.addressing.set(Addressing { instance_alias: true, auto_create: false });
}

fn auto_create(bench: &Bench) {
    bench.addressing.set(Addressing { instance_alias: false, auto_create: true });
}

/// Conformance: 4.37
#[tokio::test]
async fn a_wildcard_stands_for_every_instance() {
    let mut bench = Bench::new();
    let any = "Device.Hosts.Host.*.HostName";
    assert_eq!(names(&bench.values(&[any]).await.unwrap()), HOSTS);
    assert_eq!(bench.names(any, false).await.unwrap(), HOSTS);
    assert_eq!(bench.names(any, true).await, Err(9003));
    assert_eq!(bench.attributes(&[any]).await.unwrap().len(), 3);
    assert_eq!(bench.values(&[any, HOSTS[0], "Device.Hosts.Host.*."]).await.unwrap().len(), 6);
    let rows = bench.names("Device.Hosts.Host.*.", false).await.unwrap();
    assert_eq!(rows.len(), 9);
    assert_eq!(rows[..2], ["Device.Hosts.Host.1.", "Device.Hosts.Host.1.Alias"]);
    assert_eq!(bench.names("Device.Hosts.Host.*.", true).await.unwrap().len(), 6);
    bench.watch(&[(any, 1), (HOSTS[1], 2)]).await.unwrap();
    let watched: Vec<u8> = bench.attributes(&[any]).await.unwrap().into_iter().map(|(_, n, _)| n).collect();
    assert_eq!(watched, [1, 2, 1]);
}

/// Conformance: 4.37
#[tokio::test]
async fn a_wildcard_without_instances_gives_nothing_and_an_invalid_path_9005() {
    let mut bench = Bench::new();
    for empty in [
        "Device.IP.Interface.*.",
        "Device.IP.Interface.*.Name",
        "Device.IP.Interface.*.IPv4Address.*.IPAddress",
        "Device.IP.Interface.*.IPv4Address.",
        "Device.IP.Interface.*.IPv4Address.[a].IPAddress",
    ] {
        assert_eq!(bench.values(&[empty]).await, Ok(vec![]), "{empty}");
        assert_eq!(bench.names(empty, false).await, Ok(vec![]), "{empty}");
        assert_eq!(bench.attributes(&[empty]).await, Ok(vec![]), "{empty}");
        assert_eq!(bench.watch(&[(empty, 1)]).await, Ok(()), "{empty}");
    }
    for invalid in [
        "Device.IP.Interface.*.Nothing",
        "Device.IP.Interface.*",
        "Device.IP.Interface.*.*.",
        "Device.IP.Interface.[a].Name",
        "Device.Ethernet.Interface.*.Name",
        "Device.Hosts.Host.*.IPAddress",
    ] {
        assert_eq!(bench.values(&[invalid]).await, Err(9005), "{invalid}");
        assert_eq!(bench.names(invalid, false).await, Err(9005), "{invalid}");
        assert_eq!(bench.attributes(&[invalid]).await, Err(9005), "{invalid}");
        assert_eq!(bench.watch(&[(invalid, 1)]).await, Err(9005), "{invalid}");
    }
}

/// Conformance: 4.37
#[tokio::test]
async fn wildcards_find_what_only_some_instances_have() {
    let mut bench = Bench::new();
    bench.system.put("Device.Hosts.Host.2.PhysAddress", "00:11:22:33:44:55", Access::ReadOnly);
    let found = bench.values(&["Device.Hosts.Host.*.PhysAddress"]).await.unwrap();
    assert_eq!(names(&found), ["Device.Hosts.Host.2.PhysAddress"]);
}

/// Conformance: 4.37
#[tokio::test]
async fn nothing_is_changed_by_a_wildcard() {
    let mut bench = Bench::new();
    bench.add(ROWS, "").await.unwrap();
    let any = format!("{ROWS}*.Enable");
    let fault = bench.set(&[(&any, "1")], "new").await.unwrap_err();
    assert_eq!(entries(&fault), [(any.as_str(), 9005)]);
    for path in [format!("{ROWS}*."), "Device.IP.Interface.*.IPv4Address.".to_owned()] {
        assert_eq!(bench.add(&path, "new").await, Err(9005), "{path}");
        assert_eq!(bench.delete(&path, "new").await, Err(9005), "{path}");
    }
    assert_eq!(bench.value(KEY).await, "");
}

#[tokio::test]
async fn wildcards_that_stand_for_too_much_are_9004() {
    let mut bench = Bench::new();
    for i in 1..=700 {
        bench
            .system
            .put_object(&format!("Device.Hosts.Host.{i}."), ObjectKind::Instance { deletable: false });
    }
    let all = vec!["Device.Hosts.Host.*."; 100];
    assert_eq!(bench.values(&all).await, Err(9004));
    assert!(bench.values(&all[..90]).await.is_ok());
}

/// Conformance: 4.57
#[tokio::test]
async fn every_row_has_an_alias_from_the_start() {
    let mut bench = Bench::new();
    assert_eq!(bench.value("Device.Hosts.Host.10.Alias").await, "cpe-10");
    assert_eq!(bench.value("Device.Hosts.Host.[cpe-10].HostName").await, "c");
    assert_eq!(bench.add("Device.IP.Interface.", "").await.unwrap().instance_number, 1);
    assert_eq!(bench.value("Device.IP.Interface.1.Alias").await, "cpe-1");
    assert!(bench.infos("Device.IP.Interface.1.Alias", false).await.unwrap()[0].1);
    assert_eq!(bench.shelf.writes.get(), 0, "such aliases need no storage");
}

/// Conformance: 4.57
#[tokio::test]
async fn the_tree_keeps_aliases_whatever_a_source_delivers() {
    let mut bench = Bench::new();
    bench.system.put("Device.Hosts.Host.1.Alias", "theirs", Access::ReadOnly);
    assert_eq!(bench.values(&["Device.Hosts.Host.1."]).await.unwrap()[0].1, "cpe-1");
}

/// Conformance: 4.57
#[tokio::test]
async fn the_alias_of_the_acs_is_kept_over_a_restart() {
    let mut bench = Bench::new();
    bench.set(&[("Device.Hosts.Host.[cpe-2].Alias", "printer")], "k").await.unwrap();
    assert_eq!(bench.value(KEY).await, "k");
    bench.restart();
    assert_eq!(bench.value("Device.Hosts.Host.[printer].HostName").await, "b");
    assert_eq!(bench.value("Device.Hosts.Host.2.Alias").await, "printer");
    assert_eq!(bench.values(&["Device.Hosts.Host.[cpe-2]."]).await, Err(9005));
    // The alias that the row had from the start is not kept, but given.
    bench.set(&[("Device.Hosts.Host.[printer].Alias", "cpe-2")], "k").await.unwrap();
    assert!(bench.shelf.saved.borrow().aliases.is_empty());
    let writes = bench.shelf.writes.get();
    bench.set(&[("Device.Hosts.Host.2.Alias", "cpe-2")], "k").await.unwrap();
    assert_eq!(bench.shelf.writes.get(), writes, "nothing changes, nothing is written");
}

/// Conformance: 4.57
#[tokio::test]
async fn bad_and_taken_aliases_are_9007() {
    let mut bench = Bench::new();
    let (one, two) = ("Device.Hosts.Host.1.Alias", "Device.Hosts.Host.2.Alias");
    for bad in ["", "1st", "-a", "a.b", "a]", "cpe-7", "cpe-2", &"a".repeat(65)] {
        let fault = bench.set(&[("Device.Time.Enable", "0"), (one, bad)], "new").await.unwrap_err();
        assert_eq!(entries(&fault), [(one, 9007)], "{bad}");
    }
    bench.set(&[(two, "mine")], "").await.unwrap();
    let written = "Device.Hosts.Host.[cpe-1].Alias";
    let fault = bench.set(&[(written, "mine")], "new").await.unwrap_err();
    assert_eq!(entries(&fault), [(written, 9007)]);
    assert_eq!((bench.value("Device.Time.Enable").await, bench.value(KEY).await), ("true".into(), "".into()));
    // The call counts as a whole: they can change places.
    bench.set(&[(one, "mine"), (two, "yours")], "").await.unwrap();
    bench.set(&[(one, "yours"), (two, "mine")], "").await.unwrap();
    assert_eq!(bench.value("Device.Hosts.Host.[yours].HostName").await, "a");
}

/// Conformance: 4.57
#[tokio::test]
async fn an_alias_is_set_with_the_rest_of_the_call_or_not_at_all() {
    let mut bench = Bench::new();
    let values = [("Device.Hosts.Host.1.Alias", "mine"), ("Device.Time.Enable", "0")];
    bench.system.fails_to_apply.set(true);
    assert_eq!(bench.set(&values, "new").await.unwrap_err().code.0, 9002);
    assert_eq!(bench.value("Device.Hosts.Host.1.Alias").await, "cpe-1");
    assert!(bench.shelf.saved.borrow().aliases.is_empty());
    bench.system.fails_to_apply.set(false);
    bench.shelf.fails.set(true);
    assert_eq!(bench.set(&values, "new").await.unwrap_err().code.0, 9002);
    assert_eq!(bench.value("Device.Hosts.Host.1.Alias").await, "cpe-1");
    assert_eq!(
        (bench.value("Device.Time.Enable").await, bench.value(KEY).await),
        ("true".into(), "first".into())
    );
}

#[tokio::test]
async fn one_parameter_under_two_names_is_set_twice() {
    let mut bench = Bench::new();
    let twice = [("Device.Hosts.Host.1.Alias", "a"), ("Device.Hosts.Host.[cpe-1].Alias", "b")];
    let fault = bench.set(&twice, "new").await.unwrap_err();
    assert_eq!((fault.code.0, entries(&fault)), (9003, vec![]));
}

/// Conformance: 4.57
#[tokio::test]
async fn add_object_takes_an_alias() {
    let mut bench = Bench::new();
    let row = format!("{ROWS}[boot].");
    assert_eq!(bench.add(&row, "k1").await.unwrap().instance_number, 1);
    assert_eq!(bench.value(&format!("{ROWS}1.Alias")).await, "boot");
    for bad in ["boot", "1", "cpe-2", "cpe-9", ""] {
        assert_eq!(bench.add(&format!("{ROWS}[{bad}]."), "k2").await, Err(9005), "{bad}");
    }
    assert_eq!(bench.add("Device.Hosts.Host.[a].", "k2").await, Err(9005));
    bench.shelf.fails.set(true);
    assert_eq!(bench.add(&format!("{ROWS}[other]."), "k2").await, Err(9002));
    bench.shelf.fails.set(false);
    assert_eq!(bench.names(ROWS, true).await.unwrap(), [format!("{ROWS}1.")]);
    assert_eq!(bench.value(KEY).await, "k1");
    // A table below a row that is named by its alias.
    bench.add("Device.IP.Interface.[wan].", "").await.unwrap();
    let added = bench.add("Device.IP.Interface.[wan].IPv4Address.[main].", "").await.unwrap();
    let name = format!("Device.IP.Interface.1.IPv4Address.{}.Alias", added.instance_number);
    assert_eq!(bench.value(&name).await, "main");
    assert_eq!(bench.value("Device.IP.Interface.[wan].IPv4AddressNumberOfEntries").await, "1");
}

/// Conformance: 4.57
#[tokio::test]
async fn an_alias_goes_with_its_row() {
    let mut bench = Bench::new();
    bench.add(&format!("{ROWS}[boot]."), "").await.unwrap();
    bench.watch(&[(&format!("{ROWS}[boot].Enable"), 2)]).await.unwrap();
    assert_eq!(bench.delete(&format!("{ROWS}[other]."), "").await, Err(9005));
    bench.delete(&format!("{ROWS}[boot]."), "").await.unwrap();
    assert_eq!(*bench.shelf.saved.borrow(), Default::default());
    assert_eq!(bench.add(&format!("{ROWS}[boot]."), "").await.unwrap().instance_number, 2);
}

/// Conformance: 4.57
#[tokio::test]
async fn instance_mode_says_how_rows_are_named() {
    let mut bench = Bench::new();
    bench.add("Device.IP.Interface.[wan].", "").await.unwrap();
    bench.add("Device.IP.Interface.1.IPv4Address.", "").await.unwrap();
    by_alias(&bench);
    let address = "Device.IP.Interface.[wan].IPv4Address.[cpe-2].IPAddress";
    assert_eq!(
        names(&bench.values(&["Device.IP.Interface.1.IPv4Address.2.IPAddress"]).await.unwrap()),
        [address]
    );
    assert_eq!(bench.names("Device.IP.Interface.", true).await.unwrap(), ["Device.IP.Interface.[wan]."]);
    assert_eq!(bench.attributes(&[address]).await.unwrap()[0].0, address);
    // Every name that is given can be asked for.
    for name in bench.names("", false).await.unwrap() {
        assert_eq!(bench.names(&name, false).await.unwrap()[0], name);
    }
    bench.watch(&[(address, 1)]).await.unwrap();
    bench.system.put("Device.IP.Interface.1.IPv4Address.2.IPAddress", "192.0.2.1", Access::ReadWrite);
    let (parameters, value_change) = bench.inform(&[EventCode::Periodic]).await;
    assert!(value_change && parameters.contains(&(address.to_owned(), "192.0.2.1".to_owned())));
    // Who is on the box sees numbers.
    let op = DataOp::Values { names: vec![address.to_owned()] };
    let reply = bench.model.execute(op, Origin::Local).await.unwrap();
    let cwmp_core::io::DataReply::Listing { snapshot, .. } = reply else { panic!("{reply:?}") };
    let snapshot = bench.model.snapshot(snapshot).unwrap();
    assert_eq!(snapshot.entries().next().unwrap().object, "Device.IP.Interface.1.IPv4Address.2.");
}

#[tokio::test]
async fn lightweight_notifications_name_rows_as_the_inform_does() {
    let mut bench = Bench::new();
    bench.set(&[("Device.Hosts.Host.2.Alias", "printer")], "").await.unwrap();
    bench.watch(&[(HOSTS[1], 5)]).await.unwrap();
    by_alias(&bench);
    bench.system.put(HOSTS[1], "changed", Access::ReadOnly);
    assert!(bench.model.check_lightweight().await);
    let reply = bench.acs(DataOp::Lightweight).await.unwrap();
    let cwmp_core::io::DataReply::Lightweight { parameters } = reply else { panic!("{reply:?}") };
    let told: Vec<_> = parameters.iter().map(|told| (told.name.as_str(), told.value.as_str())).collect();
    assert_eq!(told, [("Device.Hosts.Host.[printer].HostName", "changed")]);
    assert!(!bench.model.check_lightweight().await, "it counts as notified");
}

#[tokio::test]
async fn a_name_never_becomes_longer_than_256_characters() {
    let mut bench = Bench::new();
    let mut path = "Device.IP.Interface.".to_owned();
    bench.add(&format!("{path}[{}].", "a".repeat(64)), "").await.unwrap();
    path += "1.IPv4Address.";
    bench.add(&format!("{path}[{}].", "b".repeat(64)), "").await.unwrap();
    by_alias(&bench);
    for name in bench.names("Device.IP.", false).await.unwrap() {
        assert!(name.chars().count() <= 256, "{name}");
        assert!(bench.names(&name, false).await.is_ok(), "{name}");
    }
}

#[tokio::test]
async fn inform_parameter_rows_may_name_rows_by_alias() {
    let mut bench = Bench::new();
    bench.set(&[("Device.Hosts.Host.2.Alias", "printer")], "").await.unwrap();
    for wanted in ["Device.Hosts.Host.[printer].HostName", "Device.Hosts.Host.[gone].HostName"] {
        let row = format!("{ROWS}{}.", bench.add(ROWS, "").await.unwrap().instance_number);
        let [name, enable] = ["ParameterName", "Enable"].map(|leaf| format!("{row}{leaf}"));
        bench.set(&[(&name, wanted), (&enable, "1")], "").await.unwrap();
    }
    let (parameters, _) = bench.inform(&[EventCode::Periodic]).await;
    assert_eq!(names(&parameters).last(), Some(&HOSTS[1]));
}

/// Conformance: 4.57
#[tokio::test]
async fn setting_in_an_unknown_row_makes_it_when_it_may() {
    let mut bench = Bench::new();
    let [enable, address] =
        ["Enable", "IPv4Address.[main].IPAddress"].map(|leaf| format!("Device.IP.Interface.[wan].{leaf}"));
    let values = [(enable.as_str(), "1"), (address.as_str(), "192.0.2.1")];
    let fault = bench.set(&values, "k").await.unwrap_err();
    assert_eq!(entries(&fault), [(enable.as_str(), 9005), (address.as_str(), 9005)]);
    auto_create(&bench);
    bench.watch(&[("Device.IP.InterfaceNumberOfEntries", 2)]).await.unwrap();
    bench.set(&values, "k").await.unwrap();
    assert_eq!(bench.value("Device.IP.Interface.1.IPv4Address.2.IPAddress").await, "192.0.2.1");
    assert_eq!(bench.value(&enable).await, "true");
    assert_eq!(bench.value(KEY).await, "k");
    assert_eq!(bench.system.added.borrow().len(), 2);
    assert!(!bench.model.check_watched().await, "what the ACS makes itself is no news");
    bench.restart();
    assert_eq!(bench.value(&address).await, "192.0.2.1");
    bench.set(&values, "k").await.unwrap();
    assert_eq!(bench.system.added.borrow().len(), 2);
}

/// Conformance: 4.57
#[tokio::test]
async fn rows_are_made_with_the_rest_of_the_call_or_not_at_all() {
    let mut bench = Bench::new();
    auto_create(&bench);
    let enable = "Device.IP.Interface.[wan].Enable";
    let bad = [
        ("Device.Time.Nothing", "1", 9005),
        ("Device.Time.Enable", "maybe", 9007),
        ("Device.IP.Interface.[wan].Nothing", "1", 9005),
        ("Device.IP.Interface.[wan].Status", "Up", 9008),
        ("Device.IP.Interface.[lan].Enable", "x", 9007),
        ("Device.IP.Interface.[1].Enable", "1", 9005),
        ("Device.Hosts.Host.[a].Alias", "a", 9005),
        ("Device.IP.Interface.*.Enable", "1", 9005),
    ];
    for (name, value, code) in bad {
        let fault = bench.set(&[(enable, "1"), (name, value)], "new").await.unwrap_err();
        assert_eq!(entries(&fault), [(name, code)]);
    }
    assert!(bench.system.added.borrow().is_empty(), "all that could be seen before rows were made");
    // What is seen only then.
    let late = "Device.IP.Interface.[wan].MaxMTUSize";
    let fault = bench.set(&[(enable, "1"), (late, "1400")], "new").await.unwrap_err();
    assert_eq!(entries(&fault), [(late, 9005)]);
    bench.own.fails_to_apply.set(true);
    assert_eq!(bench.set(&[(enable, "1")], "new").await.unwrap_err().code.0, 9002);
    bench.own.fails_to_apply.set(false);
    bench.shelf.fails.set(true);
    assert_eq!(bench.set(&[(enable, "1")], "new").await.unwrap_err().code.0, 9002);
    bench.shelf.fails.set(false);
    assert!(!bench.system.added.borrow().is_empty());
    assert_eq!(bench.names("Device.IP.Interface.", true).await, Ok(vec![]));
    assert_eq!((bench.value(KEY).await, bench.shelf.saved.borrow().aliases.len()), ("first".into(), 0));
}

#[tokio::test]
async fn a_source_that_does_not_show_what_it_made_is_asked_once() {
    let mut bench = Bench::new();
    auto_create(&bench);
    bench.system.hides_added.set(true);
    let enable = "Device.IP.Interface.[wan].Enable";
    let fault = bench.set(&[(enable, "1")], "new").await.unwrap_err();
    assert_eq!(entries(&fault), [(enable, 9005)]);
    assert_eq!((bench.system.added.borrow().len(), bench.shelf.saved.borrow().aliases.len()), (1, 0));
}

#[tokio::test]
async fn rows_that_went_away_make_room_for_aliases() {
    let mut bench = Bench::new();
    let gone = (0..cwmp_datamodel::limits::ALIASES).map(|i| format!("Device.Hosts.Host.{}.", 1000 + i));
    bench.shelf.saved.borrow_mut().aliases = gone.map(|row| (row, "gone".to_owned())).collect();
    bench.restart();
    bench.set(&[("Device.Hosts.Host.2.Alias", "printer")], "").await.unwrap();
    assert_eq!(bench.shelf.saved.borrow().aliases.len(), 1);
    // With nothing to drop there is no room, and nothing is set.
    let limit = u32::try_from(cwmp_datamodel::limits::ALIASES).unwrap();
    for i in 1..=limit + 1 {
        bench
            .system
            .put_object(&format!("Device.Hosts.Host.{i}."), ObjectKind::Instance { deletable: false });
    }
    let full = (1..=limit).map(|i| (format!("Device.Hosts.Host.{i}."), format!("host-{i}")));
    bench.shelf.saved.borrow_mut().aliases = full.collect();
    bench.restart();
    let last = format!("Device.Hosts.Host.{}.Alias", limit + 1);
    assert_eq!(bench.set(&[(&last, "one-more")], "").await.unwrap_err().code.0, 9004);
    assert_eq!(bench.value(&last).await, format!("cpe-{}", limit + 1));
}

#[tokio::test]
async fn a_factory_reset_forgets_aliases() {
    let mut bench = Bench::new();
    bench.set(&[("Device.Hosts.Host.2.Alias", "printer")], "").await.unwrap();
    bench.model.forget_attributes().await.unwrap();
    assert_eq!(bench.value("Device.Hosts.Host.2.Alias").await, "cpe-2");
}

#[tokio::test]
async fn a_local_change_names_rows_by_alias_too() {
    let mut bench = Bench::new();
    let key = ParameterKey::default;
    let op = DataOp::Add { object_name: "Device.IP.Interface.[wan].".to_owned(), parameter_key: key() };
    bench.model.execute(op, Origin::Local).await.unwrap();
    let op = common::set(&[("Device.IP.Interface.[wan].Enable", "1")], "ignored");
    bench.model.execute(op, Origin::Local).await.unwrap();
    assert_eq!(bench.value("Device.IP.Interface.1.Enable").await, "true");
    assert_eq!(bench.value(KEY).await, "first");
}

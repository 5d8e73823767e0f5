//! Attributes, and what an Inform carries (TR-069a6 A.3.2.4, A.3.2.5, A.3.3.1).

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use common::{Bench, KEY};
use cwmp_core::{
    event::EventCode,
    io::{DataOp, DataReply},
    rpc::{ParameterKey, SetParameterAttributesStruct},
};
use cwmp_datamodel::{DataModel, LogError, Transaction, TransactionLog};
use cwmp_platform::source::{Access, ObjectKind};

const URL: &str = "Device.ManagementServer.ConnectionRequestURL";
const CODE: &str = "Device.DeviceInfo.ProvisioningCode";
const VERSION: &str = "Device.DeviceInfo.SoftwareVersion";
const HOST: &str = "Device.Hosts.Host.1.HostName";
const UP_TIME: &str = "Device.DeviceInfo.UpTime";

fn names(parameters: &[(String, String)]) -> Vec<&str> {
    parameters.iter().map(|(name, _)| name.as_str()).collect()
}

/// First session of a box: everything is known afterwards.
async fn settled() -> Bench {
    let mut bench = Bench::new();
    bench.inform(&[EventCode::Bootstrap]).await;
    bench.delivered().await;
    bench
}

/// Conformance: 5.09, 5.10
#[tokio::test]
async fn defaults_are_those_of_the_model() {
    let mut bench = Bench::new();
    let active: Vec<String> = bench
        .attributes(&[""])
        .await
        .unwrap()
        .into_iter()
        .filter(|(_, n, open)| {
            assert!(*open);
            *n == 2
        })
        .map(|(name, ..)| name)
        .collect();
    assert_eq!(active, [VERSION, "Device.DeviceInfo.ProvisioningCode", URL]);
    assert_eq!(bench.attributes(&[UP_TIME]).await.unwrap(), [(UP_TIME.to_owned(), 0, true)]);
}

/// Conformance: 5.02, 5.04
#[tokio::test]
async fn attributes_are_set_in_list_order_for_what_exists_now() {
    let mut bench = Bench::new();
    bench.watch(&[("Device.Hosts.", 1), (HOST, 2)]).await.unwrap();
    bench.system.put_object("Device.Hosts.Host.11.", ObjectKind::Instance { deletable: false });
    bench.system.put("Device.Hosts.Host.11.HostName", "new", Access::ReadOnly);
    let is: Vec<u8> =
        bench.attributes(&["Device.Hosts."]).await.unwrap().into_iter().map(|(_, n, _)| n).collect();
    // The count, then Alias and HostName of each row.
    assert_eq!(is, [1, 1, 2, 1, 1, 1, 1, 0, 0]);
    bench.restart();
    assert_eq!(bench.attributes(&[HOST]).await.unwrap()[0].1, 2);
}

/// Conformance: 5.03
#[tokio::test]
async fn attributes_are_set_as_a_whole_or_not_at_all() {
    let mut bench = Bench::new();
    for (bad, code) in
        [(("Device.Nothing", 1), 9005), ((UP_TIME, 7), 9003), ((UP_TIME, -1), 9003), ((VERSION, 0), 9009)]
    {
        assert_eq!(bench.watch(&[(HOST, 1), bad]).await, Err(code), "{bad:?}");
    }
    let strangers = SetParameterAttributesStruct {
        name: HOST.to_owned(),
        notification_change: false,
        notification: 99,
        access_list_change: true,
        access_list: vec!["Subscriber".to_owned(), "Everybody".to_owned()],
    };
    assert_eq!(bench.acs(DataOp::SetAttributes { entries: vec![strangers] }).await.unwrap_err().code.0, 9003);
    assert_eq!((bench.attributes(&[HOST]).await.unwrap()[0].1, bench.shelf.writes.get()), (0, 0));
    bench.shelf.fails.set(true);
    assert_eq!(bench.watch(&[(HOST, 1)]).await, Err(9002));
    assert_eq!(bench.attributes(&[HOST]).await.unwrap()[0].1, 0);
}

/// Conformance: 5.08, 5.09
#[tokio::test]
async fn forced_notification_stays_and_default_notification_can_be_switched_off() {
    let mut bench = Bench::new();
    bench.watch(&[("Device.", 0)]).await.unwrap();
    assert_eq!(bench.attributes(&[VERSION]).await.unwrap()[0].1, 2);
    assert_eq!(bench.attributes(&[URL]).await.unwrap()[0].1, 0);
    bench.watch(&[(VERSION, 2), (UP_TIME, 2)]).await.unwrap();
}

/// Conformance: 4.60
#[tokio::test]
async fn every_inform_carries_the_forced_parameters() {
    let mut bench = Bench::new();
    let (parameters, value_change) = bench.inform(&[EventCode::Bootstrap]).await;
    let wanted = [
        "Device.RootDataModelVersion",
        "Device.DeviceInfo.HardwareVersion",
        VERSION,
        "Device.DeviceInfo.ProvisioningCode",
        KEY,
        URL,
        "Device.ManagementServer.AliasBasedAddressing",
    ];
    assert_eq!((names(&parameters), value_change), (wanted.to_vec(), false));
    assert_eq!(parameters[2].1, "1.0");
}

#[tokio::test(start_paused = true)]
async fn an_inform_comes_through_without_what_cannot_be_read() {
    let mut bench = settled().await;
    bench.system.hangs.set(true);
    let (parameters, value_change) = bench.inform(&[EventCode::Periodic]).await;
    assert_eq!(
        (names(&parameters), value_change),
        (
            vec!["Device.RootDataModelVersion", KEY, URL, "Device.ManagementServer.AliasBasedAddressing"],
            false
        )
    );
    assert!(!bench.model.check_watched().await);
}

#[tokio::test]
async fn a_source_that_breaks_off_delivers_nothing() {
    let mut bench = settled().await;
    bench.system.fails_to_read.set(true);
    let (parameters, _) = bench.inform(&[EventCode::Periodic]).await;
    assert!(!names(&parameters).contains(&"Device.DeviceInfo.HardwareVersion"));
    assert!(names(&parameters).contains(&KEY));
}

/// Conformance: 5.17
#[tokio::test]
async fn a_first_start_reports_no_change_and_an_upgrade_does() {
    let mut bench = settled().await;
    let writes = bench.shelf.writes.get();
    assert_eq!(writes, 1);
    bench.system.put(VERSION, "2.0", Access::ReadOnly);
    bench.restart();
    assert!(bench.model.check_watched().await);
    let (parameters, value_change) = bench.inform(&[EventCode::Boot]).await;
    assert!(value_change && parameters.contains(&(VERSION.to_owned(), "2.0".to_owned())));
    // Not answered: it is news again.
    assert!(bench.inform(&[EventCode::Boot]).await.1);
    bench.delivered().await;
    assert!(!bench.inform(&[EventCode::Periodic]).await.1);
    assert!(!bench.model.check_watched().await);
}

#[tokio::test]
async fn a_session_without_changes_writes_nothing() {
    let mut bench = settled().await;
    let writes = bench.shelf.writes.get();
    for _ in 0..3 {
        bench.inform(&[EventCode::Periodic]).await;
        bench.delivered().await;
        bench.set(&[("Device.Time.Enable", "true")], "key").await.unwrap();
    }
    assert_eq!(bench.shelf.writes.get(), writes);
}

#[tokio::test]
async fn a_passive_change_rides_along_and_an_active_one_asks_for_a_session() {
    let mut bench = settled().await;
    bench.watch(&[(HOST, 1)]).await.unwrap();
    assert!(!bench.inform(&[EventCode::Periodic]).await.1);
    bench.system.put(HOST, "z", Access::ReadOnly);
    assert!(!bench.model.check_watched().await);
    let (parameters, value_change) = bench.inform(&[EventCode::Periodic]).await;
    assert!(value_change && parameters.contains(&(HOST.to_owned(), "z".to_owned())));
    bench.delivered().await;
    bench.watch(&[(HOST, 2)]).await.unwrap();
    bench.system.put(HOST, "y", Access::ReadOnly);
    assert!(bench.model.check_watched().await);
    bench.watch(&[(HOST, 0)]).await.unwrap();
    assert!(!bench.inform(&[EventCode::Periodic]).await.1);
}

#[tokio::test]
async fn a_change_after_the_inform_was_made_is_not_lost() {
    let mut bench = settled().await;
    bench.system.put(VERSION, "2.0", Access::ReadOnly);
    assert!(bench.inform(&[EventCode::Boot]).await.1);
    bench.system.put(VERSION, "3.0", Access::ReadOnly);
    bench.delivered().await;
    assert!(bench.model.check_watched().await);
}

/// Conformance: 4.28
#[tokio::test]
async fn what_the_acs_sets_itself_is_no_news() {
    let mut bench = settled().await;
    bench.watch(&[("Device.Time.Enable", 2), ("Device.ManagementServer.Password", 2)]).await.unwrap();
    bench
        .set(
            &[
                ("Device.Time.Enable", "0"),
                ("Device.ManagementServer.Password", "p"),
                ("Device.DeviceInfo.ProvisioningCode", "x"),
            ],
            "k",
        )
        .await
        .unwrap();
    assert!(!bench.model.check_watched().await);
    assert!(!bench.inform(&[EventCode::Periodic]).await.1);
    bench.system.put("Device.Time.Enable", "true", Access::ReadWrite);
    assert!(bench.model.check_watched().await);
}

/// Conformance: 5.20
#[tokio::test]
async fn a_watched_number_of_entries_tells_of_rows() {
    let mut bench = settled().await;
    let count = "Device.Hosts.HostNumberOfEntries";
    bench.watch(&[(count, 2)]).await.unwrap();
    for (row, comes, wanted) in [(12, true, "4"), (2, false, "3"), (12, false, "2")] {
        let row = format!("Device.Hosts.Host.{row}.");
        if comes {
            bench.system.put_object(&row, ObjectKind::Instance { deletable: false });
        } else {
            bench.system.remove(&row);
        }
        assert!(bench.model.check_watched().await, "{row}");
        let (parameters, value_change) = bench.inform(&[EventCode::ValueChange]).await;
        assert!(value_change && parameters.contains(&(count.to_owned(), wanted.to_owned())), "{row}");
        bench.delivered().await;
        assert!(!bench.model.check_watched().await, "{row}");
    }
}

/// Conformance: 5.20
#[tokio::test]
async fn rows_that_somebody_on_the_box_makes_and_deletes_are_news() {
    let mut bench = settled().await;
    let (table, count) = (
        "Device.ManagementServer.InformParameter.",
        "Device.ManagementServer.InformParameterNumberOfEntries",
    );
    bench.watch(&[(count, 1)]).await.unwrap();
    let key = ParameterKey::default;
    let add = DataOp::Add { object_name: format!("{table}[mine]."), parameter_key: key() };
    let delete = DataOp::Delete { object_name: format!("{table}[mine]."), parameter_key: key() };
    for (op, wanted) in [(add, "1"), (delete, "0")] {
        bench.model.execute(op, cwmp_datamodel::Origin::Local).await.unwrap();
        assert!(!bench.model.check_watched().await, "passive notification asks for no session");
        let (parameters, value_change) = bench.inform(&[EventCode::Periodic]).await;
        assert!(value_change && parameters.contains(&(count.to_owned(), wanted.to_owned())));
        bench.delivered().await;
        assert!(!bench.inform(&[EventCode::Periodic]).await.1);
    }
}

/// Conformance: 5.20
#[tokio::test]
async fn a_watched_row_that_goes_and_comes_back_is_news_only_when_it_has_changed() {
    let mut bench = settled().await;
    bench.watch(&[(HOST, 2)]).await.unwrap();
    bench.system.remove("Device.Hosts.Host.1.");
    assert!(!bench.model.check_watched().await, "there is no value to tell");
    assert!(!bench.inform(&[EventCode::Periodic]).await.1);
    bench.delivered().await;
    bench.system.put_object("Device.Hosts.Host.1.", ObjectKind::Instance { deletable: false });
    bench.system.put(HOST, "a", Access::ReadOnly);
    assert!(!bench.model.check_watched().await);
    bench.system.put(HOST, "other", Access::ReadOnly);
    assert!(bench.model.check_watched().await);
    assert_eq!(bench.attributes(&[HOST]).await.unwrap()[0].1, 2);
}

#[tokio::test]
async fn rows_that_the_acs_makes_itself_are_no_news() {
    let mut bench = settled().await;
    bench.watch(&[("Device.ManagementServer.InformParameterNumberOfEntries", 2)]).await.unwrap();
    let table = "Device.ManagementServer.InformParameter.".to_owned();
    let op = DataOp::Add { object_name: table.clone(), parameter_key: ParameterKey::default() };
    bench.acs(op.clone()).await.unwrap();
    assert!(!bench.model.check_watched().await);
    let delete = DataOp::Delete { object_name: format!("{table}1."), parameter_key: ParameterKey::default() };
    bench.acs(delete).await.unwrap();
    assert!(!bench.model.check_watched().await);
    bench.model.execute(op, cwmp_datamodel::Origin::Local).await.unwrap();
    assert!(bench.model.check_watched().await);
}

/// Conformance: 4.61
#[tokio::test]
async fn inform_parameter_rows_add_parameters_for_their_events() {
    let mut bench = settled().await;
    let key = ParameterKey::default;
    for (name, events, enable) in [
        (UP_TIME, "2 PERIODIC, 1 BOOT", "1"),
        ("Device.Hosts.Host.*.HostName", "", "1"),
        ("Device.Time.", "", "0"),
        ("Device.Nothing.At.All", "", "1"),
    ] {
        let table = "Device.ManagementServer.InformParameter.";
        let reply =
            bench.acs(DataOp::Add { object_name: table.to_owned(), parameter_key: key() }).await.unwrap();
        let cwmp_core::io::DataReply::Added(added) = reply else { panic!() };
        let row = format!("{table}{}.", added.instance_number);
        let values = [
            (format!("{row}ParameterName"), name),
            (format!("{row}EventList"), events),
            (format!("{row}Enable"), enable),
        ];
        let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        bench.set(&values, "").await.unwrap();
    }
    let hosts =
        ["Device.Hosts.Host.1.HostName", "Device.Hosts.Host.2.HostName", "Device.Hosts.Host.10.HostName"];
    let (periodic, value_change) = bench.inform(&[EventCode::Periodic]).await;
    assert_eq!(names(&periodic)[7..], [&[UP_TIME], &hosts[..]].concat());
    assert!(!value_change);
    let (kicked, _) = bench.inform(&[EventCode::ConnectionRequest]).await;
    assert_eq!(names(&kicked)[7..], hosts);
}

/// Conformance: 4.52
#[tokio::test]
async fn attributes_go_with_their_instance() {
    let mut bench = settled().await;
    let table = "Device.ManagementServer.InformParameter.";
    let parameter_key = ParameterKey::default;
    bench.acs(DataOp::Add { object_name: table.to_owned(), parameter_key: parameter_key() }).await.unwrap();
    bench.watch(&[(table, 1)]).await.unwrap();
    assert_eq!(bench.shelf.saved.borrow().set.len(), 4);
    bench
        .acs(DataOp::Delete { object_name: format!("{table}1."), parameter_key: parameter_key() })
        .await
        .unwrap();
    assert!(bench.shelf.saved.borrow().set.is_empty());
    assert!(!bench.shelf.saved.borrow().known.keys().any(|name| name.starts_with(table)));
}

#[tokio::test]
async fn rows_that_went_away_make_room_for_attributes() {
    let mut bench = settled().await;
    let most = cwmp_datamodel::limits::ATTRIBUTES;
    {
        let mut saved = bench.shelf.saved.borrow_mut();
        let gone = (0..most).map(|i| format!("Device.Hosts.Host.{}.HostName", 1000 + i));
        saved.set = gone
            .map(|name| (name, cwmp_datamodel::Deviation { notification: Some(1), acs_only: false }))
            .collect();
    }
    bench.restart();
    bench.watch(&[("Device.Hosts.", 1)]).await.unwrap();
    assert_eq!(bench.shelf.saved.borrow().set.len(), 7);
}

/// A lightweight notification's parameters.
async fn lightly(bench: &mut Bench) -> Vec<(String, String)> {
    match bench.acs(DataOp::Lightweight).await.unwrap() {
        DataReply::Lightweight { parameters } => {
            parameters.into_iter().map(|parameter| (parameter.name, parameter.value)).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn each_notification_value_reports_in_its_own_ways() {
    // Value: in an Inform, opens a session, in a lightweight notification, sends one at once.
    for (value, inform, active, light, active_light) in [
        (0, false, false, false, false),
        (1, true, false, false, false),
        (2, true, true, false, false),
        (3, false, false, true, false),
        (4, true, false, true, false),
        (5, false, false, true, true),
        (6, true, false, true, true),
    ] {
        let mut bench = settled().await;
        bench.watch(&[(HOST, value)]).await.unwrap();
        assert_eq!(bench.attributes(&[HOST]).await.unwrap()[0].1, u8::try_from(value).unwrap());
        assert!(!bench.model.check_watched().await && !bench.model.check_lightweight().await, "{value}");
        bench.system.put(HOST, "changed", Access::ReadOnly);
        assert_eq!(bench.model.check_watched().await, active, "{value}");
        assert_eq!(bench.model.check_lightweight().await, active_light, "{value}");
        let (parameters, value_change) = bench.inform(&[EventCode::Periodic]).await;
        assert_eq!((names(&parameters).contains(&HOST), value_change), (inform, inform), "{value}");
        let sent = lightly(&mut bench).await;
        assert_eq!(
            sent.first().map(|(name, text)| (name.as_str(), text.as_str())),
            light.then_some((HOST, "changed"))
        );
        assert_eq!(lightly(&mut bench).await, [], "{value}: once");
        bench.restart();
        assert_eq!(lightly(&mut bench).await, [], "{value}: also after a restart");
        assert!(!bench.model.check_lightweight().await, "{value}");
    }
}

#[tokio::test]
async fn passive_lightweight_changes_ride_along_with_active_ones() {
    let mut bench = settled().await;
    bench.watch(&[(HOST, 3), (UP_TIME, 5)]).await.unwrap();
    bench.system.put(HOST, "changed", Access::ReadOnly);
    assert!(!bench.model.check_lightweight().await, "passive alone");
    bench.system.put(UP_TIME, "99", Access::ReadOnly);
    assert!(bench.model.check_lightweight().await);
    let mut sent = lightly(&mut bench).await;
    sent.sort();
    assert_eq!(sent, [(UP_TIME.to_owned(), "99".to_owned()), (HOST.to_owned(), "changed".to_owned())]);
}

#[tokio::test]
async fn lightweight_notification_that_is_switched_off_is_forgotten() {
    let mut bench = settled().await;
    bench.watch(&[(HOST, 5)]).await.unwrap();
    bench.system.put(HOST, "changed", Access::ReadOnly);
    bench.watch(&[(HOST, 0)]).await.unwrap();
    assert_eq!(lightly(&mut bench).await, []);
    bench.watch(&[(HOST, 5)]).await.unwrap();
    assert_eq!(lightly(&mut bench).await, [], "what it is now is no news");
}

/// A log that looks at what the ACS knows at the end of a call.
struct Watching {
    shelf: Rc<common::Shelf>,
    known: RefCell<Vec<u64>>,
    fails: Cell<bool>,
}

#[async_trait::async_trait(?Send)]
impl TransactionLog for Watching {
    fn gather(&self) {}

    async fn settle(&self, _: bool) -> Result<(), LogError> {
        Ok(())
    }

    async fn begin(&self, _: &Transaction) -> Result<(), LogError> {
        Ok(())
    }

    async fn close(&self) -> Result<(), LogError> {
        self.known.borrow_mut().push(self.shelf.saved.borrow().known[CODE]);
        let error = LogError { text: "no space".to_owned(), full: true };
        if self.fails.get() { Err(error) } else { Ok(()) }
    }

    async fn keep_undoing(&self) {}
}

/// A power cut before that would undo the change, and report the former value as news to an ACS that knows it.
#[tokio::test]
async fn what_the_acs_sets_counts_as_known_once_no_start_undoes_it() {
    let mut bench = settled().await;
    let log =
        Rc::new(Watching { shelf: bench.shelf.clone(), known: RefCell::default(), fails: Cell::default() });
    let sources = vec![bench.own.clone() as _, bench.system.clone() as _];
    bench.model = DataModel::new(sources, bench.shelf.clone()).with_log(log.clone());
    let before = bench.shelf.saved.borrow().known[CODE];
    let both = |code| [(CODE, code), ("Device.ManagementServer.Username", "box")];
    bench.set(&both("a"), "k").await.unwrap();
    assert_eq!(log.known.take(), [before]);
    let known = bench.shelf.saved.borrow().known[CODE];
    assert_ne!(known, before);
    assert!(!bench.model.check_watched().await);

    log.fails.set(true);
    bench.set(&both("b"), "k").await.unwrap_err();
    assert_eq!(bench.shelf.saved.borrow().known[CODE], known, "what was taken back is not known");
}

#[tokio::test]
async fn what_could_not_be_saved_is_saved_with_the_next_session() {
    let mut bench = settled().await;
    bench.system.put(VERSION, "2.0", Access::ReadOnly);
    bench.shelf.fails.set(true);
    bench.inform(&[EventCode::Boot]).await;
    bench.delivered().await;
    bench.shelf.fails.set(false);
    let writes = bench.shelf.writes.get();
    for _ in 0..2 {
        assert!(!bench.inform(&[EventCode::Periodic]).await.1);
        bench.delivered().await;
    }
    assert_eq!(bench.shelf.writes.get(), writes + 1);
    bench.restart();
    assert!(!bench.inform(&[EventCode::Boot]).await.1);
}

//! Commit-confirm: what waits for the ACS, what comes back, and what the ACS is told.

use cwmp_core::{
    io::{DataOp, Input},
    rpc::{ParameterKey, ParameterValueStruct},
};

use super::{boxes::STATE_DIR, *};

const URL: &str = "Device.ManagementServer.URL";

fn set(values: &[(&str, &str)]) -> DataOp {
    let parameter = |(name, value): &(&str, &str)| ParameterValueStruct {
        name: (*name).to_owned(),
        value_type: None,
        value: (*value).to_owned(),
    };
    DataOp::Set {
        parameters: values.iter().map(parameter).collect(),
        parameter_key: ParameterKey::new("k").unwrap(),
    }
}

/// The vendor's events that the agent has been told of.
fn events(cpe: &mut Cpe) -> Vec<String> {
    let mut events = Vec::new();
    while let Ok(input) = cpe.told.try_recv() {
        if let Input::VendorEvent(event) = input {
            events.push(event.code.as_str().to_owned());
        }
    }
    events
}

async fn value(cpe: &mut Cpe, name: &str) -> String {
    let line = format!("{name}=");
    let lines = cpe.view().await;
    lines.iter().find_map(|told| told.strip_prefix(&line)).unwrap_or_default().to_owned()
}

/// The time to confirm is over, and the program starts again.
async fn restarted_too_late(sim: &Arc<Sim>) -> Cpe {
    let moment = Moment { boot_id: "boot".to_owned(), now: clock::now(false) };
    let (mut journal, _) =
        Journal::<Work>::open(sim.clone(), std::path::Path::new(STATE_DIR), boxes::OWNER, &moment).unwrap();
    journal.applied(Some(0), &moment).unwrap();
    Cpe::start(sim, TELLING).await
}

#[test]
fn another_acs_url_waits_for_that_acs_and_stays_when_it_answers() {
    run(async {
        let sim = prepared(TELLING).await;
        let mut cpe = Cpe::start(&sim, TELLING).await;
        cpe.acs(set(&[(URL, "http://new.example/")])).await.unwrap();
        assert!(cpe.ledger.waits().is_some());
        assert_eq!(events(&mut cpe), ["X CWMPD Confirm"]);
        cpe.acs(DataOp::InformDelivered).await.unwrap();
        assert_eq!(cpe.ledger.waits(), None);
        assert_eq!(value(&mut Cpe::start(&sim, TELLING).await, URL).await, "http://new.example/");
    });
}

#[test]
fn what_is_not_confirmed_comes_back_over_a_restart_and_the_acs_is_told_until_it_knows() {
    run(async {
        let sim = prepared(TELLING).await;
        let mut cpe = Cpe::start(&sim, TELLING).await;
        let before = value(&mut cpe, URL).await;
        cpe.acs(set(&[(URL, "http://new.example/"), ("Device.Time.NTPServer1", "ntp.new")])).await.unwrap();
        let mut cpe = restarted_too_late(&sim).await;
        assert_eq!(value(&mut cpe, URL).await, before);
        assert_ne!(value(&mut cpe, "Device.Time.NTPServer1").await, "ntp.new", "all of the call");
        let names = value(&mut cpe, "Device.ManagementServer.X_CWMPD_RolledBack").await;
        assert!(names.contains(URL) && names.contains("Device.Time.NTPServer1"), "{names}");
        assert_eq!(value(&mut cpe, "Device.ManagementServer.X_CWMPD_RollbackReported").await, "false");
        // An Inform without the event does not count, and neither does a start in between.
        cpe.acs(DataOp::Inform { events: Vec::new() }).await.unwrap();
        cpe.acs(DataOp::InformDelivered).await.unwrap();
        assert!(events(&mut cpe).contains(&"X CWMPD Rollback".to_owned()));
        let mut cpe = Cpe::start(&sim, TELLING).await;
        cpe.tree.ledger.resume();
        assert_eq!(cpe.tree.ledger.news().len(), 1);
        let code = cwmp_core::event::EventCode::parse("X CWMPD Rollback");
        cpe.acs(DataOp::Inform { events: vec![code] }).await.unwrap();
        cpe.acs(DataOp::InformDelivered).await.unwrap();
        let mut cpe = Cpe::start(&sim, TELLING).await;
        cpe.tree.ledger.resume();
        assert!(cpe.tree.ledger.news().is_empty());
        assert_eq!(value(&mut cpe, "Device.ManagementServer.X_CWMPD_RollbackReported").await, "true");
    });
}

#[test]
fn what_does_not_lead_to_the_acs_waits_for_nothing() {
    run(async {
        let sim = prepared(TELLING).await;
        let mut cpe = Cpe::start(&sim, TELLING).await;
        let before = value(&mut cpe, URL).await;
        let same = set(&[(URL, &before), ("Device.ManagementServer.PeriodicInformInterval", "77")]);
        cpe.acs(same).await.unwrap();
        assert_eq!(cpe.ledger.waits(), None);
        assert!(events(&mut cpe).is_empty());
        // Nor does what somebody on the box changes: he sees what comes of it.
        cpe.tree.execute(set(&[(URL, "http://own.example/")]), Origin::Local).await.unwrap();
        assert_eq!(cpe.ledger.waits(), None);
    });
}

#[test]
fn further_changes_join_the_one_that_waits_and_all_come_back_together() {
    run(async {
        let sim = prepared(TELLING).await;
        let mut cpe = Cpe::start(&sim, TELLING).await;
        let before = value(&mut cpe, URL).await;
        cpe.acs(set(&[(URL, "http://one.example/")])).await.unwrap();
        cpe.acs(set(&[(URL, "http://two.example/"), ("Device.Time.NTPServer1", "ntp.two")])).await.unwrap();
        let refused = set(&[(URL, "http://three.example/"), ("Device.Time.NTPServer1", "")]);
        let refused = cpe.acs(refused).await;
        let mut cpe = restarted_too_late(&sim).await;
        assert_eq!(value(&mut cpe, URL).await, before, "{refused:?}");
        assert_ne!(value(&mut cpe, "Device.Time.NTPServer1").await, "ntp.two");
    });
}

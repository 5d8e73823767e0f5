//! Changes of deployment units that the ACS has not ordered, and who is told of them.

use super::bench::{Bench, Seen, events, settings};
use crate::{
    fault::FaultCode,
    io::Body,
    io::Input,
    job::{DuDone, DuJob, Job, JobDone, JobError, JobId},
    limits,
    rpc::{
        AcsRequest, AcsResponse, AutonomousDUStateChangeComplete, ChangeDUState, CommandKey, CpeRequest,
        CpeResponse, DuOperation, DuState, OperationStruct, ToAcs,
    },
    settings::{AgentSettings, SoftwarePolicy},
    software::{DuTarget, DuUnit, KnownUnit},
};

const EVENT: &str = "12 AUTONOMOUS DU STATE CHANGE COMPLETE";
const METHOD: &str = "AutonomousDUStateChangeComplete";

fn unit(number: u32, version: &str) -> DuUnit {
    DuUnit {
        uuid: format!("00112233-4455-6677-8899-{number:012}"),
        version: version.into(),
        reference: format!("Device.SoftwareModules.DeploymentUnit.{number}"),
        resolved: true,
        execution_units: Vec::new(),
    }
}

fn all() -> SoftwarePolicy {
    SoftwarePolicy {
        enable: true,
        operations: vec![DuOperation::Install, DuOperation::Update, DuOperation::Uninstall],
        successes: None,
        fault_codes: Vec::new(),
    }
}

fn with_policy(policy: SoftwarePolicy) -> AgentSettings {
    AgentSettings { autonomous_software: policy, ..settings() }
}

/// A box that has said which units it has.
fn known(policy: SoftwarePolicy, units: Vec<DuUnit>) -> Bench {
    let mut bench = Bench::known();
    bench.input(Input::SettingsChanged(Box::new(with_policy(policy))));
    found(&mut bench, units);
    bench.expect_nothing();
    bench
}

fn survey(bench: &mut Bench) -> JobId {
    match bench.seen.remove(0) {
        Seen::Start(id, Job::Software(job)) if *job == DuJob::Survey => id,
        other => panic!("expected a look at the units, saw {other:?}"),
    }
}

/// The units may have changed; the box says which it has.
fn found(bench: &mut Bench, units: Vec<DuUnit>) {
    bench.input(Input::UnitsMayHaveChanged);
    let id = survey(bench);
    bench.input(Input::JobDone(id, Ok(JobDone::Software(DuDone::Surveyed(units)))));
}

/// The session that the box opens for it, with an ACS that offers the method or not.
fn told(bench: &mut Bench, offered: bool) -> Option<AutonomousDUStateChangeComplete> {
    let inform = bench.expect_session();
    assert_eq!(events(&inform), [EVENT]);
    bench.inform_response();
    let mut report = None;
    loop {
        let message = match bench.seen.first() {
            Some(Seen::Post(body)) if *body != Body::Empty => bench.expect_message().message,
            _ => break,
        };
        match message {
            ToAcs::Request(AcsRequest::GetRPCMethods) => {
                let methods = offered.then(|| METHOD.to_owned()).into_iter().collect();
                bench.respond(AcsResponse::GetRPCMethods(methods));
            }
            ToAcs::Request(AcsRequest::AutonomousDUStateChangeComplete(complete)) => {
                report = Some(complete);
                bench.respond(AcsResponse::AutonomousDUStateChangeComplete);
            }
            other => panic!("{other:?}"),
        }
    }
    bench.expect_empty_post();
    bench.reply_empty();
    bench.expect_close();
    report
}

fn short(report: &AutonomousDUStateChangeComplete) -> Vec<(DuOperation, DuState, &str, &str)> {
    let short = |it: &crate::rpc::AutonOpResultStruct| it.operation_performed;
    let results = report.results.iter();
    results
        .map(|it| {
            (
                short(it),
                it.result.current_state,
                it.result.version.as_str(),
                it.result.deployment_unit_ref.as_str(),
            )
        })
        .collect()
}

/// Conformance: 3.23, 11.12
#[test]
fn what_somebody_on_the_box_changes_is_told_with_what_was_done() {
    let mut bench = known(all(), vec![unit(1, "1"), unit(2, "1")]);
    found(&mut bench, vec![unit(2, "2"), unit(3, "1")]);
    assert_eq!(bench.stored.du_unordered.len(), 3, "kept before anybody is told");
    let report = told(&mut bench, true).unwrap();
    assert_eq!(
        short(&report),
        [
            (DuOperation::Uninstall, DuState::Uninstalled, "1", ""),
            (DuOperation::Update, DuState::Installed, "2", "Device.SoftwareModules.DeploymentUnit.2"),
            (DuOperation::Install, DuState::Installed, "1", "Device.SoftwareModules.DeploymentUnit.3"),
        ]
    );
    assert_eq!(bench.stored.du_unordered, []);
    bench.expect_nothing();
    found(&mut bench, vec![unit(2, "2"), unit(3, "1")]);
    bench.expect_nothing();
}

/// Conformance: 3.23
#[test]
fn the_policy_says_what_is_told() {
    let none = SoftwarePolicy { enable: false, ..all() };
    let removals = SoftwarePolicy { operations: vec![DuOperation::Uninstall], ..all() };
    let failures = SoftwarePolicy { successes: Some(false), fault_codes: vec![9001], ..all() };
    for (policy, wanted) in [(none, 0), (removals, 1), (failures, 0), (all(), 2)] {
        let mut bench = known(policy, vec![unit(1, "1")]);
        found(&mut bench, vec![unit(2, "1")]);
        assert_eq!(bench.stored.du_unordered.len(), wanted);
        // Whether it is told or not, it is no news the next time.
        assert_eq!(bench.stored.known_units, Some(vec![KnownUnit::from(&unit(2, "1"))]));
    }
    let failures = SoftwarePolicy { successes: Some(false), fault_codes: vec![9001], ..all() };
    assert!(failures.wants(DuOperation::Install, Some(FaultCode(9001))));
    assert!(!failures.wants(DuOperation::Install, Some(FaultCode(9018))));
}

/// Conformance: 3.23
#[test]
fn what_is_kept_outlives_boots_and_sessions_that_fail() {
    let mut bench = known(all(), vec![]);
    found(&mut bench, vec![unit(1, "1")]);
    bench.expect_session();
    let mut bench = bench.reboot(with_policy(all()));
    assert_eq!(bench.stored.du_unordered.len(), 1);
    let inform = bench.expect_session();
    assert_eq!(events(&inform), ["1 BOOT", EVENT]);
}

#[test]
fn what_happened_while_the_program_did_not_run_is_noticed() {
    let bench = known(all(), vec![unit(1, "1")]);
    let mut bench = bench.reboot(with_policy(all()));
    bench.whole_session();
    found(&mut bench, vec![]);
    assert_eq!(bench.stored.du_unordered.len(), 1);
}

#[test]
fn an_acs_that_does_not_know_the_method_is_not_told() {
    let mut bench = known(all(), vec![]);
    found(&mut bench, vec![unit(1, "1")]);
    assert_eq!(told(&mut bench, false), None);
    assert_eq!(bench.stored.du_unordered, []);
    bench.expect_nothing();
    found(&mut bench, vec![]);
    bench.expect_nothing();
}

#[test]
fn a_box_that_cannot_tell_now_is_asked_again() {
    let mut bench = known(all(), vec![]);
    bench.input(Input::UnitsMayHaveChanged);
    let id = survey(&mut bench);
    bench.input(Input::JobDone(id, Err(JobError::new(FaultCode::REQUEST_DENIED, "opkg runs"))));
    bench.expect_nothing();
    bench.advance(limits::SURVEY_AGAIN_MS);
    let id = survey(&mut bench);
    bench.input(Input::JobDone(id, Ok(JobDone::Software(DuDone::Surveyed(vec![unit(1, "1")])))));
    assert_eq!(short(&told(&mut bench, true).unwrap()).len(), 1);
}

/// Conformance: 11.12
#[test]
fn what_the_acs_has_ordered_is_no_news() {
    let mut bench = known(all(), vec![unit(1, "1")]);
    bench.connection_request();
    bench.establish();
    let uuid = unit(1, "1").uuid;
    let operations = vec![OperationStruct::Uninstall {
        uuid: uuid.clone(),
        version: String::new(),
        execution_env_ref: String::new(),
    }];
    bench.call(CpeRequest::ChangeDUState(ChangeDUState {
        operations,
        command_key: CommandKey::new("k").unwrap(),
    }));
    assert_eq!(bench.expect_response(), CpeResponse::ChangeDUState);
    bench.reply_empty();
    bench.expect_close();
    let step = |bench: &mut Bench, how: DuDone| match bench.seen.remove(0) {
        Seen::Start(id, Job::Software(_)) => bench.input(Input::JobDone(id, Ok(JobDone::Software(how)))),
        other => panic!("{other:?}"),
    };
    let target = DuTarget {
        operation: DuOperation::Uninstall,
        before: Some(unit(1, "1")),
        uuid,
        version: String::new(),
        url: String::new(),
        environment: String::new(),
    };
    step(&mut bench, DuDone::Planned(vec![target]));
    // The box changes under the agent's hands: it is not asked meanwhile.
    bench.input(Input::UnitsMayHaveChanged);
    step(&mut bench, DuDone::Changed(unit(1, "1")));
    assert!(matches!(bench.seen.remove(0), Seen::Discard(_)));
    assert_eq!(bench.stored.known_units, Some(Vec::new()));
    let id = survey(&mut bench);
    bench.input(Input::JobDone(id, Ok(JobDone::Software(DuDone::Surveyed(Vec::new())))));
    assert_eq!(bench.stored.du_unordered, []);
}

#[test]
fn the_agent_rests_while_the_box_cannot_be_asked() {
    let mut bench = known(all(), vec![]);
    bench.connection_request();
    bench.establish();
    let operations = vec![OperationStruct::Uninstall {
        uuid: unit(1, "1").uuid,
        version: String::new(),
        execution_env_ref: String::new(),
    }];
    let command_key = CommandKey::new("k").unwrap();
    bench.call(CpeRequest::ChangeDUState(ChangeDUState { operations, command_key }));
    bench.expect_response();
    bench.reply_empty();
    bench.expect_close();
    assert!(matches!(bench.seen.remove(0), Seen::Start(..)));
    bench.input(Input::UnitsMayHaveChanged);
    bench.expect_nothing();
    let now = bench.now.mono;
    assert!(bench.agent.next_wakeup().is_none_or(|at| at > now), "what it waits for is no time");
}

//! ChangeDUState, from the call to the answer of the ACS to DUStateChangeComplete.

use super::bench::{Bench, Seen, abilities, events, settings};
use crate::{
    fault::FaultCode,
    io::{Abilities, Input},
    job::{DuDone, DuJob, Job, JobDone, JobError, JobId},
    limits,
    rpc::{
        AcsRequest, AcsResponse, ChangeDUState, CommandKey, CpeRequest, CpeResponse, DUStateChangeComplete,
        DuOperation, DuState, OperationStruct, ToAcs,
    },
    software::{DuTarget, DuUnit},
};

const UUID: &str = "00112233-4455-6677-8899-aabbccddeeff";

fn install(url: &str) -> OperationStruct {
    OperationStruct::Install {
        url: url.into(),
        uuid: String::new(),
        username: "u".into(),
        password: "p".into(),
        execution_env_ref: String::new(),
    }
}

fn uninstall(uuid: &str) -> OperationStruct {
    OperationStruct::Uninstall { uuid: uuid.into(), version: String::new(), execution_env_ref: String::new() }
}

fn unit(version: &str) -> DuUnit {
    DuUnit {
        uuid: UUID.into(),
        version: version.into(),
        reference: "Device.SoftwareModules.DeploymentUnit.1".into(),
        resolved: true,
        execution_units: vec!["Device.SoftwareModules.ExecutionUnit.1".into()],
    }
}

fn target(operation: DuOperation, before: Option<DuUnit>, version: &str) -> DuTarget {
    let url = if operation == DuOperation::Uninstall { "" } else { "http://files.example/unit" };
    DuTarget {
        operation,
        before,
        uuid: UUID.into(),
        version: version.into(),
        url: url.into(),
        environment: String::new(),
    }
}

fn call(bench: &mut Bench, key: &str, operations: Vec<OperationStruct>) {
    bench.connection_request();
    bench.establish();
    let command_key = CommandKey::new(key).unwrap();
    bench.call(CpeRequest::ChangeDUState(ChangeDUState { operations, command_key }));
}

/// The ACS orders it, is answered, and ends the session.
fn order(bench: &mut Bench, key: &str, operations: Vec<OperationStruct>) {
    call(bench, key, operations);
    assert_eq!(bench.expect_response(), CpeResponse::ChangeDUState);
    bench.reply_empty();
    bench.expect_close();
}

fn job(bench: &mut Bench) -> (JobId, DuJob) {
    match bench.seen.remove(0) {
        Seen::Start(id, Job::Software(job)) => (id, *job),
        other => panic!("expected a step of an operation, saw {other:?}"),
    }
}

fn done(bench: &mut Bench, id: JobId, how: DuDone) {
    bench.input(Input::JobDone(id, Ok(JobDone::Software(how))));
}

fn fail(bench: &mut Bench, id: JobId, code: FaultCode) {
    bench.input(Input::JobDone(id, Err(JobError::new(code, "why"))));
}

fn plan(bench: &mut Bench, targets: Vec<DuTarget>) {
    let (id, DuJob::Plan(_)) = job(bench) else { panic!("a plan first") };
    done(bench, id, DuDone::Planned(targets));
}

fn fetch(bench: &mut Bench, version: &str) {
    let (id, DuJob::Fetch(fetch)) = job(bench) else { panic!("then the file") };
    assert_eq!((fetch.username.as_str(), fetch.password.0.as_str()), ("u", "p"));
    done(bench, id, DuDone::Fetched(DuTarget { version: version.into(), ..fetch.target }));
}

fn expect_discard(bench: &mut Bench) {
    assert!(matches!(bench.seen.remove(0), Seen::Discard(_)));
}

fn report(bench: &mut Bench, key: &str) -> DUStateChangeComplete {
    let inform = bench.expect_session();
    assert_eq!(events(&inform), ["11 DU STATE CHANGE COMPLETE".into(), format!("M ChangeDUState {key}")]);
    take_report(bench, key)
}

fn take_report(bench: &mut Bench, key: &str) -> DUStateChangeComplete {
    bench.inform_response();
    let ToAcs::Request(AcsRequest::DUStateChangeComplete(report)) = bench.expect_message().message else {
        panic!("expected the report")
    };
    assert_eq!(report.command_key.as_str(), key);
    bench.respond(AcsResponse::DUStateChangeComplete);
    bench.expect_empty_post();
    bench.reply_empty();
    bench.expect_close();
    report
}

/// What was reported, as state, version and code.
fn results(report: &DUStateChangeComplete) -> Vec<(DuState, &str, u32)> {
    let short = |result: &crate::rpc::OpResultStruct| result.fault.code.0;
    report
        .results
        .iter()
        .map(|result| (result.current_state, result.version.as_str(), short(result)))
        .collect()
}

/// Conformance: 11.01, 11.09, 3.22, 3.29
#[test]
fn an_install_is_promised_durably_done_after_the_session_and_reported_with_its_key() {
    let mut bench = Bench::known();
    bench.store_answers = false;
    call(&mut bench, "k", vec![install("http://files.example/unit")]);
    bench.expect_nothing();
    bench.store_answers = true;
    bench.answer_store(true);
    assert_eq!(bench.expect_response(), CpeResponse::ChangeDUState);
    bench.expect_nothing();
    bench.reply_empty();
    bench.expect_close();
    plan(&mut bench, vec![target(DuOperation::Install, None, "")]);
    fetch(&mut bench, "1.0");
    let (id, DuJob::Apply { target, .. }) = job(&mut bench) else { panic!("then it is installed") };
    assert_eq!(target.version, "1.0");
    assert!(bench.stored.du_changes[0].applying.is_some(), "stored before the box changes");
    bench.expect_nothing();
    done(&mut bench, id, DuDone::Changed(unit("1.0")));
    expect_discard(&mut bench);
    let report = report(&mut bench, "k");
    assert_eq!(results(&report), [(DuState::Installed, "1.0", 0)]);
    assert_eq!(report.results[0].deployment_unit_ref, "Device.SoftwareModules.DeploymentUnit.1");
    assert_eq!(report.results[0].execution_unit_ref_list, "Device.SoftwareModules.ExecutionUnit.1");
    assert_eq!(bench.stored.du_changes, [], "delivered, and known to be");
    bench.expect_nothing();
}

/// Conformance: 11.02
#[test]
fn sixteen_operations_are_taken_and_seventeen_are_not() {
    let operations = |count| vec![uninstall(UUID); count];
    let mut bench = Bench::known();
    call(&mut bench, "k", operations(limits::DU_OPERATIONS + 1));
    assert_eq!(bench.expect_fault().cwmp.unwrap().code, FaultCode::RESOURCES_EXCEEDED);
    assert_eq!(bench.stored.du_changes, []);
    let mut bench = Bench::known();
    order(&mut bench, "k", operations(16));
    for _ in 0..16 {
        let (id, DuJob::Plan(_)) = job(&mut bench) else { panic!("one after the other") };
        fail(&mut bench, id, FaultCode::UNKNOWN_DEPLOYMENT_UNIT);
    }
    assert_eq!(report(&mut bench, "k").results.len(), 16);
}

/// Conformance: 11.03, 11.06, 11.07, 11.08
#[test]
fn an_operation_that_fails_hinders_no_other_one() {
    let mut bench = Bench::known();
    let operations = vec![
        uninstall("no-uuid"),
        install("ftp://files.example/unit"),
        install("http://files.example/unit"),
        uninstall(UUID),
    ];
    order(&mut bench, "k", operations);
    plan(&mut bench, vec![target(DuOperation::Install, None, "")]);
    let (id, DuJob::Fetch(_)) = job(&mut bench) else { panic!("then the file") };
    fail(&mut bench, id, FaultCode::FILE_INACCESSIBLE);
    expect_discard(&mut bench);
    plan(&mut bench, vec![target(DuOperation::Uninstall, Some(unit("1.0")), "")]);
    let (id, DuJob::Apply { .. }) = job(&mut bench) else { panic!("nothing is fetched for it") };
    done(&mut bench, id, DuDone::Changed(unit("1.0")));
    expect_discard(&mut bench);
    let report = report(&mut bench, "k");
    let failed = |code| (DuState::Failed, "", code);
    assert_eq!(
        results(&report),
        [failed(9022), failed(9013), failed(9016), (DuState::Uninstalled, "1.0", 0)]
    );
    assert_eq!(report.results[3].deployment_unit_ref, "", "the row is gone");
}

/// Conformance: 11.05, 11.16
#[test]
fn an_update_of_all_reports_each_unit_and_one_that_fails_stays_as_it_was() {
    let mut bench = Bench::known();
    let update = OperationStruct::Update {
        uuid: String::new(),
        version: String::new(),
        url: String::new(),
        username: "u".into(),
        password: "p".into(),
    };
    order(&mut bench, "k", vec![update]);
    plan(&mut bench, vec![target(DuOperation::Update, Some(unit("1.0")), ""); 2]);
    fetch(&mut bench, "2.0");
    let (id, DuJob::Apply { file, .. }) = job(&mut bench) else { panic!() };
    fail(&mut bench, id, FaultCode::FILE_CORRUPTED);
    assert_eq!(bench.seen.remove(0), Seen::Discard(file));
    fetch(&mut bench, "2.0");
    let (id, DuJob::Apply { file: second, .. }) = job(&mut bench) else { panic!() };
    assert_ne!(file, second, "the former file may still be being removed");
    done(&mut bench, id, DuDone::Changed(unit("2.0")));
    expect_discard(&mut bench);
    let report = report(&mut bench, "k");
    assert_eq!(results(&report), [(DuState::Installed, "1.0", 9018), (DuState::Installed, "2.0", 0)]);
}

/// Conformance: 11.16
#[test]
fn a_failed_update_reports_what_the_box_has_after_it() {
    for (left, state) in [(Some(unit("1.0")), DuState::Installed), (None, DuState::Failed)] {
        let mut bench = Bench::known();
        order(&mut bench, "k", vec![install("http://files.example/unit")]);
        plan(&mut bench, vec![target(DuOperation::Update, Some(unit("1.0")), "")]);
        fetch(&mut bench, "2.0");
        let (id, DuJob::Apply { .. }) = job(&mut bench) else { panic!("then it is done") };
        let error = JobError::new(FaultCode::SYSTEM_RESOURCES_EXCEEDED, "no room");
        done(&mut bench, id, DuDone::Failed(error, left));
        expect_discard(&mut bench);
        let report = report(&mut bench, "k");
        let version = if state == DuState::Installed { "1.0" } else { "2.0" };
        assert_eq!(results(&report), [(state, version, 9027)]);
    }
}

/// Conformance: 11.11
#[test]
fn what_a_power_cut_interrupts_is_looked_up_and_reported_as_it_is_found() {
    for (found, told) in
        [(Some(unit("1.0")), (DuState::Installed, "1.0", 0)), (None, (DuState::Failed, "1.0", 9001))]
    {
        let mut bench = Bench::known();
        order(&mut bench, "k", vec![install("http://files.example/unit")]);
        plan(&mut bench, vec![target(DuOperation::Install, None, "")]);
        fetch(&mut bench, "1.0");
        let (_, DuJob::Apply { .. }) = job(&mut bench) else { panic!() };
        let mut bench = bench.boot_with("1.0", 60_000);
        let (id, DuJob::Look(target)) = job(&mut bench) else { panic!("it is looked up, not done again") };
        assert_eq!(target.version, "1.0");
        bench.expect_open();
        let inform = bench.expect_inform();
        assert_eq!(events(&inform), ["1 BOOT"]);
        bench.inform_response();
        bench.expect_empty_post();
        bench.reply_empty();
        bench.expect_close();
        done(&mut bench, id, DuDone::Found(found));
        expect_discard(&mut bench);
        assert_eq!(results(&report(&mut bench, "k")), [told]);
    }
}

/// Conformance: 3.22, 3.29, 11.11
#[test]
fn a_report_outlives_a_boot_and_a_session_that_fails() {
    let mut bench = Bench::known();
    order(&mut bench, "k", vec![uninstall("no-uuid")]);
    bench.expect_session();
    bench.inform_response();
    bench.expect_message();
    let mut bench = bench.boot_with("1.0", 60_000);
    let inform = bench.expect_session();
    assert_eq!(events(&inform), ["1 BOOT", "11 DU STATE CHANGE COMPLETE", "M ChangeDUState k"]);
    take_report(&mut bench, "k");
    bench.boot_with("1.0", 60_000).whole_session();
}

#[test]
fn what_had_not_begun_to_change_the_box_begins_anew_after_a_boot() {
    let mut bench = Bench::known();
    order(&mut bench, "k", vec![install("http://files.example/unit")]);
    plan(&mut bench, vec![target(DuOperation::Install, None, "")]);
    let (_, DuJob::Fetch(_)) = job(&mut bench) else { panic!() };
    let mut bench = bench.boot_with("1.0", 60_000);
    let (_, DuJob::Plan(_)) = job(&mut bench) else { panic!("from its beginning") };
}

/// Conformance: 11.10
#[test]
fn after_24_hours_what_is_not_done_has_failed() {
    let mut quiet = settings();
    quiet.periodic_inform_enable = false;
    let mut bench = Bench::known().reboot(quiet);
    bench.whole_session();
    order(&mut bench, "k", vec![install("http://files.example/unit"), uninstall(UUID)]);
    plan(&mut bench, vec![target(DuOperation::Install, None, "")]);
    let (stalled, DuJob::Fetch(_)) = job(&mut bench) else { panic!() };
    assert_eq!(bench.sleep(), limits::DU_CHANGE_MS);
    assert_eq!(bench.seen.remove(0), Seen::Cancel(stalled));
    expect_discard(&mut bench);
    let report = report(&mut bench, "k");
    assert_eq!(results(&report), [(DuState::Failed, "", 9001), (DuState::Failed, "", 9001)]);
}

/// Conformance: 11.01
#[test]
fn only_a_box_with_software_modules_lists_the_method() {
    for software in [true, false] {
        let mut bench = Bench::fresh_with(Abilities { software, ..abilities() });
        bench.establish();
        bench.call(CpeRequest::GetRPCMethods);
        let CpeResponse::GetRPCMethods(methods) = bench.expect_response() else { panic!() };
        assert_eq!(methods.iter().any(|method| method == "ChangeDUState"), software);
    }
}

/// Conformance: 11.04
#[test]
fn an_install_without_a_url_is_refused() {
    let mut bench = Bench::known();
    call(&mut bench, "k", vec![install("")]);
    assert_eq!(bench.expect_fault().cwmp.unwrap().code, FaultCode::INVALID_ARGUMENTS);
    assert_eq!(bench.stored.du_changes, []);
}

#[test]
fn a_call_that_cannot_be_stored_is_refused_and_forgotten() {
    let mut bench = Bench::known();
    bench.store_answers = false;
    call(&mut bench, "k", vec![uninstall(UUID)]);
    bench.answer_store(false);
    assert_eq!(bench.expect_fault().cwmp.unwrap().code, FaultCode::INTERNAL_ERROR);
    bench.store_answers = true;
    bench.reply_empty();
    bench.expect_close();
    bench.expect_nothing();
}

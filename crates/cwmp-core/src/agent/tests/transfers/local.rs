//! Transfers that somebody on the box asks for, and RequestDownload.

use super::*;
use crate::{
    agent::LocalTransfer,
    io::LocalCommand,
    rpc::{ArgStruct, RequestDownload},
    settings::{AgentSettings, TransferPolicy},
};

const CONFIGURATION: &str = "3 Vendor Configuration File";

fn transfer(file_type: &str) -> LocalTransfer {
    LocalTransfer {
        download: true,
        file_type: file_type.into(),
        url: "http://local.example/c".into(),
        username: String::new(),
        password: String::new(),
        target_file_name: String::new(),
    }
}

fn policy() -> TransferPolicy {
    TransferPolicy { enable: true, file_types: vec![CONFIGURATION.into()], ..TransferPolicy::default() }
}

/// A box whose local download has ended, well or not.
fn after_download(autonomous_transfers: TransferPolicy, well: bool) -> Bench {
    let mut bench = Bench::start(
        AgentSettings { autonomous_transfers, ..settings() },
        Stored::default(),
        BootCause::Boot,
    );
    bench.whole_session();
    bench.input(Input::Command(LocalCommand::Transfer(Box::new(transfer(CONFIGURATION)))));
    if well {
        complete(&mut bench);
    } else {
        let (job, _) = expect_fetch(&mut bench);
        fail(&mut bench, job, FaultCode::FILE_INACCESSIBLE);
        expect_discard(&mut bench);
    }
    bench
}

fn expect_methods_request(bench: &mut Bench) {
    assert_eq!(bench.expect_message().message, ToAcs::Request(AcsRequest::GetRPCMethods));
}

/// Conformance: 3.21, 7.29
#[test]
fn a_transfer_of_the_box_itself_is_reported_to_an_acs_that_takes_it() {
    let mut bench = after_download(policy(), true);
    let inform = bench.expect_session();
    assert_eq!(events(&inform), ["10 AUTONOMOUS TRANSFER COMPLETE"]);
    bench.inform_response();
    expect_methods_request(&mut bench);
    bench.respond(AcsResponse::GetRPCMethods(vec!["Inform".into(), "AutonomousTransferComplete".into()]));
    let ToAcs::Request(AcsRequest::AutonomousTransferComplete(report)) = bench.expect_message().message
    else {
        panic!("no report")
    };
    assert_eq!((report.announce_url.as_str(), report.transfer_url.as_str()), ("", "http://local.example/c"));
    assert_eq!((report.is_download, report.file_type.as_str()), (true, CONFIGURATION));
    assert_eq!(report.fault.code, FaultCode(0));
    // Never dropped: it comes again, now without the question.
    bench.connection_lost();
    bench.expect_close();
    let mut bench = bench.boot_after(60_000, AgentSettings { autonomous_transfers: policy(), ..settings() });
    let inform = bench.expect_session();
    assert_eq!(events(&inform), ["1 BOOT", "10 AUTONOMOUS TRANSFER COMPLETE"]);
    bench.inform_response();
    expect_methods_request(&mut bench);
    bench.respond(AcsResponse::GetRPCMethods(vec!["AutonomousTransferComplete".into()]));
    bench.expect_message();
    bench.respond(AcsResponse::AutonomousTransferComplete);
    bench.expect_empty_post();
    end(&mut bench);
    bench.expect_nothing();
}

/// Conformance: 4.63
#[test]
fn an_acs_that_does_not_list_the_method_is_not_called() {
    for methods in [Some(vec!["Inform".to_owned()]), None] {
        let mut bench = after_download(policy(), true);
        bench.expect_session();
        bench.inform_response();
        expect_methods_request(&mut bench);
        match methods {
            Some(methods) => bench.respond(AcsResponse::GetRPCMethods(methods)),
            None => bench.refuse(FaultCode::ACS_METHOD_NOT_SUPPORTED),
        }
        bench.expect_empty_post();
        end(&mut bench);
        bench.expect_nothing();
        assert_eq!(bench.stored.transfers, []);
    }
}

/// Conformance: 2.07, 3.21
#[test]
fn the_policy_chooses_what_is_reported() {
    let of = |change: fn(&mut TransferPolicy)| {
        let mut policy = policy();
        change(&mut policy);
        policy
    };
    for (policy, success, reported) in [
        (TransferPolicy::default(), true, false),
        (of(|policy| policy.downloads = Some(true)), true, true),
        (of(|policy| policy.downloads = Some(false)), true, false),
        (of(|policy| policy.successes = Some(true)), true, true),
        (of(|policy| policy.successes = Some(true)), false, false),
        (of(|policy| policy.successes = Some(false)), false, true),
        (of(|policy| policy.file_types = vec!["2 Web Content".into()]), true, false),
    ] {
        let bench = after_download(policy.clone(), success);
        assert_eq!(!bench.seen.is_empty(), reported, "{policy:?} {success}");
        assert_eq!(bench.stored.transfers.len(), usize::from(reported));
    }
}

/// Conformance: 9.27
#[test]
fn while_the_acs_manages_upgrades_nobody_else_upgrades() {
    let managed = AgentSettings { upgrades_managed: true, ..settings() };
    let mut bench = Bench::start(managed, Stored::default(), BootCause::Boot);
    bench.whole_session();
    let order = transfer("1 Firmware Upgrade Image");
    let fault = bench.agent.judge_local_transfer(&order).unwrap_err();
    assert_eq!(fault.code, FaultCode::REQUEST_DENIED);
    bench.input(Input::Command(LocalCommand::Transfer(Box::new(order))));
    bench.expect_nothing();
    // The ACS may, and somebody on the box may load a configuration.
    assert_eq!(bench.agent.judge_local_transfer(&transfer(CONFIGURATION)), Ok(()));
    order_firmware(&mut bench);
}

fn order_firmware(bench: &mut Bench) {
    order(bench, [firmware("f")]);
    expect_fetch(bench);
}

#[test]
fn a_local_transfer_is_not_in_the_list_of_those_that_the_acs_has_ordered() {
    let mut bench = after_download(TransferPolicy::default(), true);
    bench.input(Input::Command(LocalCommand::Transfer(Box::new(transfer(CONFIGURATION)))));
    expect_fetch(&mut bench);
    session(&mut bench);
    bench.call(CpeRequest::GetQueuedTransfers);
    assert_eq!(bench.expect_response(), CpeResponse::GetQueuedTransfers(Vec::new()));
    bench.call(CpeRequest::GetAllQueuedTransfers);
    let CpeResponse::GetAllQueuedTransfers(all) = bench.expect_response() else { panic!("no list") };
    assert_eq!(all.len(), 1);
}

/// Conformance: 3.20
#[test]
fn a_download_is_requested_only_of_an_acs_that_lists_the_method() {
    let wanted = RequestDownload {
        file_type: "1 Firmware Upgrade Image".into(),
        args: vec![ArgStruct { name: "Version".into(), value: "2.0".into() }],
    };
    for listed in [true, false] {
        let mut bench = Bench::known();
        bench.input(Input::Command(LocalCommand::RequestDownload(Box::new(wanted.clone()))));
        assert_eq!(events(&bench.expect_session()), ["2 PERIODIC"]);
        bench.inform_response();
        expect_methods_request(&mut bench);
        let methods = if listed { vec!["RequestDownload".into()] } else { Vec::new() };
        bench.respond(AcsResponse::GetRPCMethods(methods));
        bench.expect_empty_post();
        end(&mut bench);
        if listed {
            assert_eq!(events(&bench.expect_session()), ["9 REQUEST DOWNLOAD"]);
            bench.inform_response();
            assert_eq!(
                bench.expect_message().message,
                ToAcs::Request(AcsRequest::RequestDownload(wanted.clone()))
            );
            bench.respond(AcsResponse::RequestDownload);
            bench.expect_empty_post();
            end(&mut bench);
        }
        bench.expect_nothing();
    }
}

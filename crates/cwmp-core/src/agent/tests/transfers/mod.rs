//! Transfers, from the call to the answer of the ACS to TransferComplete.

mod apply;
mod cancel;
mod local;
mod races;
mod reports;
mod windows;

use super::bench::{Bench, Seen, events, settings};
use crate::{
    datetime::DateTime,
    fault::FaultCode,
    io::{Abilities, BootCause, Input},
    job::{DownloadType, Fetch, Job, JobDone, JobError, JobId, TransferId, UploadType},
    limits,
    rpc::{
        AcsRequest, AcsResponse, CommandKey, CpeRequest, CpeResponse, Download, Inform, ToAcs,
        TransferComplete, TransferResponse, Upload,
    },
    settings::Secret,
    stored::Stored,
    url::HttpUrl,
};

fn key(text: &str) -> CommandKey {
    CommandKey::new(text).unwrap()
}

fn download(name: &str, file_type: &str) -> Download {
    Download {
        command_key: key(name),
        file_type: file_type.into(),
        url: "http://files.example/image".into(),
        username: "u".into(),
        password: "p".into(),
        file_size: 0,
        target_file_name: String::new(),
        delay_seconds: 0,
        success_url: String::new(),
        failure_url: String::new(),
    }
}

fn firmware(name: &str) -> Download {
    download(name, "1 Firmware Upgrade Image")
}

fn configuration(name: &str) -> Download {
    download(name, "3 Vendor Configuration File")
}

fn upload(name: &str) -> Upload {
    Upload {
        command_key: key(name),
        file_type: "1 Vendor Configuration File".into(),
        url: "http://files.example/config".into(),
        username: String::new(),
        password: String::new(),
        delay_seconds: 0,
    }
}

/// A session that the ACS has asked for, in which it has the word.
fn session(bench: &mut Bench) {
    bench.connection_request();
    bench.establish();
}

/// The ACS ends the session.
fn end(bench: &mut Bench) {
    bench.reply_empty();
    bench.expect_close();
}

/// The ACS orders these downloads in one session, and all are accepted.
fn order(bench: &mut Bench, downloads: impl IntoIterator<Item = Download>) {
    session(bench);
    for download in downloads {
        bench.call(CpeRequest::Download(download));
        assert_eq!(bench.expect_response(), CpeResponse::Download(TransferResponse::Later));
    }
    bench.expect_nothing();
    end(bench);
}

fn started(bench: &mut Bench) -> (JobId, Job) {
    match bench.seen.remove(0) {
        Seen::Start(id, job) => (id, job),
        other => panic!("expected a job, saw {other:?}"),
    }
}

fn expect_fetch(bench: &mut Bench) -> (JobId, Fetch) {
    match started(bench) {
        (id, Job::Fetch(fetch)) => (id, fetch),
        other => panic!("expected a fetch, saw {other:?}"),
    }
}

fn expect_apply(bench: &mut Bench) -> JobId {
    match started(bench) {
        (id, Job::Apply(_)) => id,
        other => panic!("expected the file to be applied, saw {other:?}"),
    }
}

fn done(bench: &mut Bench, job: JobId, how: JobDone) {
    bench.input(Input::JobDone(job, Ok(how)));
}

fn fail(bench: &mut Bench, job: JobId, code: FaultCode) {
    bench.input(Input::JobDone(job, Err(JobError::new(code, "no"))));
}

fn fetched() -> JobDone {
    JobDone::Fetched { bytes: 1000, expects: None }
}

/// The transfer under way ends well: fetched and applied.
fn complete(bench: &mut Bench) {
    let (job, _) = expect_fetch(bench);
    done(bench, job, fetched());
    let job = expect_apply(bench);
    done(bench, job, JobDone::Applied);
    expect_discard(bench);
}

fn expect_discard(bench: &mut Bench) -> TransferId {
    match bench.seen.remove(0) {
        Seen::Discard(id) => id,
        other => panic!("expected the file to be discarded, saw {other:?}"),
    }
}

/// A session begins and reports one transfer, which the ACS takes.
fn expect_report(bench: &mut Bench) -> (Inform, TransferComplete) {
    let inform = bench.expect_session();
    bench.inform_response();
    let report = expect_transfer_complete(bench);
    bench.respond(AcsResponse::TransferComplete);
    bench.expect_empty_post();
    end(bench);
    (inform, report)
}

fn expect_transfer_complete(bench: &mut Bench) -> TransferComplete {
    match bench.expect_message().message {
        ToAcs::Request(AcsRequest::TransferComplete(report)) => report,
        other => panic!("expected TransferComplete, saw {other:?}"),
    }
}

/// Conformance: 7.02, 7.04, 7.24, 2.07
#[test]
fn a_download_is_promised_fetched_applied_and_reported() {
    let mut bench = Bench::known();
    session(&mut bench);
    bench.store_answers = false;
    bench.call(CpeRequest::Download(configuration("c")));
    bench.expect_nothing();
    bench.store_answers = true;
    bench.answer_store(true);
    assert_eq!(bench.expect_response(), CpeResponse::Download(TransferResponse::Later));
    assert_eq!(bench.stored.transfers.len(), 1, "it is durable before it is promised");
    end(&mut bench);
    let (job, fetch) = expect_fetch(&mut bench);
    assert_eq!(fetch.url, HttpUrl::parse("http://files.example/image").unwrap());
    assert_eq!((fetch.username.as_str(), fetch.password), ("u", Secret("p".into())));
    let start = bench.now.wall.unwrap().whole_seconds();
    bench.advance(90_000);
    done(&mut bench, job, fetched());
    let job = expect_apply(&mut bench);
    done(&mut bench, job, JobDone::Applied);
    expect_discard(&mut bench);
    let (inform, report) = expect_report(&mut bench);
    assert_eq!(events(&inform), ["7 TRANSFER COMPLETE", "M Download c"]);
    assert_eq!(report.command_key, key("c"));
    assert_eq!((report.fault.code, report.fault.text.as_str()), (FaultCode(0), ""));
    assert_eq!(report.start_time, DateTime::At(start));
    assert_eq!(report.complete_time, DateTime::At(bench.now.wall.unwrap().whole_seconds()));
    bench.expect_nothing();
    assert_eq!(bench.stored.transfers, []);
    bench.connection_request();
    assert_eq!(events(&bench.whole_session()), ["6 CONNECTION REQUEST"]);
}

/// Conformance: 7.05, 7.12
#[test]
fn nothing_is_fetched_before_the_session_ends_and_the_delay_is_over() {
    let mut bench = Bench::known();
    session(&mut bench);
    bench.call(CpeRequest::Download(Download { delay_seconds: 10, ..configuration("c") }));
    bench.expect_response();
    bench.advance(4_000);
    bench.expect_nothing();
    end(&mut bench);
    bench.expect_nothing();
    assert_eq!(bench.sleep(), 6_000, "the delay counts from the call");
    expect_fetch(&mut bench);
    // One session does not disturb the transfer, nor the other way round.
    bench.connection_request();
    bench.whole_session();
    bench.expect_nothing();
}

/// Conformance: 7.01, 7.06, 7.07, 7.08, 7.16
#[test]
fn what_cannot_be_downloaded_is_refused_with_its_fault() {
    let mut bench = Bench::known();
    session(&mut bench);
    let c = || configuration("c");
    for (call, code) in [
        (download("c", "4 Tone File"), FaultCode::INVALID_ARGUMENTS),
        (download("c", "1 firmware"), FaultCode::INVALID_ARGUMENTS),
        (Download { url: "gopher://files.example/".into(), ..c() }, FaultCode::UNSUPPORTED_TRANSFER_PROTOCOL),
        (Download { url: "ftp://files.example/".into(), ..c() }, FaultCode::UNSUPPORTED_TRANSFER_PROTOCOL),
        (Download { url: "https://files.example/".into(), ..c() }, FaultCode::UNSUPPORTED_TRANSFER_PROTOCOL),
        (Download { url: "http://u:p@files.example/".into(), ..c() }, FaultCode::INVALID_ARGUMENTS),
        (Download { url: "files".into(), ..c() }, FaultCode::INVALID_ARGUMENTS),
        (Download { url: String::new(), ..c() }, FaultCode::INVALID_ARGUMENTS),
        (Download { target_file_name: "../../etc/x".into(), ..c() }, FaultCode::INVALID_ARGUMENTS),
        (Download { target_file_name: "..".into(), ..c() }, FaultCode::INVALID_ARGUMENTS),
    ] {
        bench.call(CpeRequest::Download(call.clone()));
        assert_eq!(bench.expect_fault().cwmp.unwrap().code, code, "{call:?}");
    }
    end(&mut bench);
    bench.expect_nothing();
    assert_eq!(bench.stored.transfers, []);
}

/// Conformance: 7.13, 7.14
#[test]
fn sixteen_transfers_are_queued_and_two_with_one_url_are_two() {
    let mut bench = Bench::known();
    session(&mut bench);
    for number in 0..limits::TRANSFERS {
        bench.call(CpeRequest::Download(configuration(&number.to_string())));
        bench.expect_response();
    }
    bench.call(CpeRequest::Download(configuration("more")));
    assert_eq!(bench.expect_fault().cwmp.unwrap().code, FaultCode::RESOURCES_EXCEEDED);
    end(&mut bench);
    // Session and transfer take turns; each of them is fetched and reported once.
    let mut reported = Vec::new();
    while reported.len() < limits::TRANSFERS {
        while let Some(Seen::Start(job, work)) = bench.seen.first().cloned() {
            bench.seen.remove(0);
            match work {
                Job::Fetch(_) => done(&mut bench, job, fetched()),
                Job::Apply(_) => {
                    done(&mut bench, job, JobDone::Applied);
                    expect_discard(&mut bench);
                }
                other => panic!("{other:?}"),
            }
            // What started beside the session that now opens.
            bench.seen.sort_by_key(|seen| matches!(seen, Seen::Start(..)));
        }
        let later = bench.seen.iter().position(|seen| matches!(seen, Seen::Start(..)));
        let later = later.map(|at| bench.seen.remove(at));
        bench.expect_session();
        bench.inform_response();
        loop {
            match bench.seen.first() {
                Some(Seen::Post(crate::io::Body::Empty)) => break,
                _ => reported.push(expect_transfer_complete(&mut bench).command_key.as_str().to_owned()),
            }
            bench.respond(AcsResponse::TransferComplete);
        }
        bench.expect_empty_post();
        bench.seen.extend(later);
        bench.reply_empty();
        bench.seen.retain(|seen| *seen != Seen::Close);
    }
    let expected: Vec<String> = (0..limits::TRANSFERS).map(|number| number.to_string()).collect();
    assert_eq!(reported, expected);
}

/// Conformance: 7.20
#[test]
fn an_upload_is_promised_sent_and_reported() {
    let mut bench = Bench::known();
    session(&mut bench);
    bench.call(CpeRequest::Upload(Upload {
        file_type: "3 Vendor Configuration File 1".into(),
        ..upload("u")
    }));
    assert_eq!(bench.expect_response(), CpeResponse::Upload(TransferResponse::Later));
    bench.call(CpeRequest::Upload(Upload { file_type: "2 Vendor Log File 1".into(), ..upload("u") }));
    assert_eq!(bench.expect_fault().cwmp.unwrap().code, FaultCode::INVALID_ARGUMENTS);
    end(&mut bench);
    let (job, Job::Send(send)) = started(&mut bench) else { panic!("expected a send") };
    assert_eq!(send.file_type, UploadType::Configuration(Some(1)));
    done(&mut bench, job, JobDone::Sent);
    expect_discard(&mut bench);
    let (inform, report) = expect_report(&mut bench);
    assert_eq!(events(&inform), ["7 TRANSFER COMPLETE", "M Upload u"]);
    assert_eq!(report.fault.code, FaultCode(0));
}

/// Conformance: 7.21, 7.25, 7.26
#[test]
fn a_failed_transfer_is_reported_with_its_fault_and_the_times_that_are_known() {
    for (code, reported, start_known) in [
        (FaultCode::FILE_SERVER_UNREACHABLE, FaultCode::FILE_SERVER_UNREACHABLE, false),
        (FaultCode::FILE_INACCESSIBLE, FaultCode::FILE_INACCESSIBLE, true),
        (FaultCode::DOWNLOAD_INCOMPLETE, FaultCode::DOWNLOAD_INCOMPLETE, true),
        (FaultCode::FILE_CORRUPTED, FaultCode::FILE_CORRUPTED, true),
        // TransferComplete cannot carry it.
        (FaultCode::UNSUPPORTED_TRANSFER_PROTOCOL, FaultCode::DOWNLOAD_FAILURE, true),
    ] {
        let mut bench = Bench::known();
        order(&mut bench, [firmware("f")]);
        let (job, _) = expect_fetch(&mut bench);
        fail(&mut bench, job, code);
        expect_discard(&mut bench);
        let (inform, report) = expect_report(&mut bench);
        assert_eq!(events(&inform), ["7 TRANSFER COMPLETE", "M Download f"]);
        assert_eq!((report.fault.code, report.fault.text.as_str()), (reported, "no"));
        assert_eq!(report.start_time != DateTime::Unknown, start_known, "{code}");
        assert_eq!(report.complete_time, DateTime::Unknown);
    }
}

#[test]
fn a_box_that_can_transfer_nothing_offers_no_such_method() {
    let mut bench = Bench::fresh_with(Abilities { reboot: true, ..Abilities::default() });
    bench.whole_session();
    session(&mut bench);
    bench.call(CpeRequest::GetRPCMethods);
    let CpeResponse::GetRPCMethods(methods) = bench.expect_response() else { panic!("no methods") };
    assert!(!methods.iter().any(|name| name.contains("load") || name.contains("Transfer")), "{methods:?}");
    for call in [
        CpeRequest::Download(firmware("f")),
        CpeRequest::Upload(upload("u")),
        CpeRequest::GetQueuedTransfers,
        CpeRequest::GetAllQueuedTransfers,
    ] {
        bench.call(call);
        assert_eq!(bench.expect_fault().cwmp.unwrap().code, FaultCode::METHOD_NOT_SUPPORTED);
    }
}

/// Conformance: 4.01
#[test]
fn all_methods_that_a_cpe_must_have_are_offered() {
    let mut bench = Bench::known();
    session(&mut bench);
    bench.call(CpeRequest::GetRPCMethods);
    let CpeResponse::GetRPCMethods(methods) = bench.expect_response() else { panic!("no methods") };
    for name in [
        "GetRPCMethods",
        "SetParameterValues",
        "GetParameterValues",
        "GetParameterNames",
        "SetParameterAttributes",
        "GetParameterAttributes",
        "AddObject",
        "DeleteObject",
        "Reboot",
        "Download",
        "FactoryReset",
    ] {
        assert!(methods.iter().any(|method| method == name), "{name}");
    }
}

/// Conformance: 7.27
#[test]
fn a_state_that_cannot_be_stored_leaves_no_transfer() {
    let mut bench = Bench::known();
    session(&mut bench);
    bench.store_answers = false;
    bench.call(CpeRequest::Download(configuration("c")));
    bench.answer_store(false);
    assert_eq!(bench.expect_fault().cwmp.unwrap().code, FaultCode::INTERNAL_ERROR);
    bench.store_answers = true;
    end(&mut bench);
    bench.expect_nothing();
}

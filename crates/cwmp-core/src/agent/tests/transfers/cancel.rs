//! CancelTransfer and the lists of queued transfers.

use super::*;
use crate::rpc::{
    AllQueuedTransferStruct, CancelTransfer, Header, InformResponse, QueuedTransferStruct, ToCpe,
    TransferState,
};

fn cancel(bench: &mut Bench, name: &str) {
    bench.call(CpeRequest::CancelTransfer(CancelTransfer { command_key: key(name) }));
}

/// Conformance: 7.33
#[test]
fn cancelled_transfers_are_dropped_without_a_report() {
    let mut bench = Bench::known();
    order(&mut bench, [configuration("a"), configuration("b"), configuration("b")]);
    let (job, _) = expect_fetch(&mut bench);
    session(&mut bench);
    cancel(&mut bench, "unknown");
    assert_eq!(bench.expect_response(), CpeResponse::CancelTransfer);
    bench.store_answers = false;
    cancel(&mut bench, "b");
    bench.expect_nothing();
    bench.store_answers = true;
    bench.answer_store(true);
    assert_eq!([expect_discard(&mut bench), expect_discard(&mut bench)], [TransferId(1), TransferId(2)]);
    assert_eq!(bench.expect_response(), CpeResponse::CancelTransfer);
    assert_eq!(bench.stored.transfers.len(), 1);
    cancel(&mut bench, "a");
    assert_eq!(bench.seen.remove(0), Seen::Cancel(job));
    expect_discard(&mut bench);
    assert_eq!(bench.expect_response(), CpeResponse::CancelTransfer);
    end(&mut bench);
    // A job that ends all the same is nobody's any more.
    done(&mut bench, job, fetched());
    bench.advance(3_600_000);
    bench.expect_nothing();
}

/// Conformance: 7.33
#[test]
fn it_is_too_late_to_cancel_what_is_applied_or_over() {
    let mut bench = Bench::known();
    order(&mut bench, [configuration("a")]);
    let (job, _) = expect_fetch(&mut bench);
    session(&mut bench);
    done(&mut bench, job, fetched());
    cancel(&mut bench, "a");
    assert_eq!(bench.expect_fault().cwmp.unwrap().code, FaultCode::CANCELLATION_NOT_PERMITTED);
    end(&mut bench);
    let job = expect_apply(&mut bench);
    done(&mut bench, job, JobDone::Applied);
    expect_discard(&mut bench);
    bench.expect_session();
    bench.inform_response();
    expect_transfer_complete(&mut bench);
    // The ACS holds its answer back and tries to cancel in the next session.
    bench.connection_lost();
    bench.expect_close();
    bench.sleep();
    bench.expect_session();
    let held = Header { hold_requests: true, ..Header::default() };
    bench.reply(held, ToCpe::Response(AcsResponse::Inform(InformResponse { max_envelopes: 1 })));
    bench.expect_empty_post();
    cancel(&mut bench, "a");
    assert_eq!(bench.expect_fault().cwmp.unwrap().code, FaultCode::CANCELLATION_NOT_PERMITTED);
}

#[test]
fn a_cancellation_that_cannot_be_stored_changes_nothing() {
    let mut bench = Bench::known();
    order(&mut bench, [Download { delay_seconds: 60, ..configuration("a") }, configuration("b")]);
    expect_fetch(&mut bench);
    session(&mut bench);
    bench.store_answers = false;
    cancel(&mut bench, "a");
    bench.answer_store(false);
    assert_eq!(bench.expect_fault().cwmp.unwrap().code, FaultCode::INTERNAL_ERROR);
    bench.store_answers = true;
    end(&mut bench);
    let ids: Vec<u32> = bench.stored.transfers.iter().map(|transfer| transfer.id.0).collect();
    assert_eq!(ids, [0, 1]);
}

/// Conformance: 7.31, 7.32
#[test]
fn the_lists_show_each_transfer_in_its_state() {
    let mut bench = Bench::known();
    let waiting =
        Download { delay_seconds: 60, file_size: 77, target_file_name: "w.cfg".into(), ..configuration("w") };
    order(&mut bench, [configuration("over"), configuration("running"), waiting]);
    bench.reachable = false;
    complete(&mut bench);
    bench.seen.clear();
    bench.reachable = true;
    bench.connection_request();
    bench.seen.retain(|seen| !matches!(seen, Seen::Start(..)));
    bench.expect_session();
    bench.inform_response();
    expect_transfer_complete(&mut bench);
    bench.connection_lost();
    bench.seen.clear();
    bench.sleep();
    bench.expect_session();
    // Held back, the report is still owed while the ACS looks.
    let held = Header { hold_requests: true, ..Header::default() };
    bench.reply(held, ToCpe::Response(AcsResponse::Inform(InformResponse { max_envelopes: 1 })));
    bench.expect_empty_post();
    bench.call(CpeRequest::GetQueuedTransfers);
    let states = [TransferState::Completed, TransferState::InProgress, TransferState::NotYetStarted];
    let names = ["over", "running", "w"];
    let entry = |(name, state): (&str, TransferState)| QueuedTransferStruct { command_key: key(name), state };
    let expected = names.into_iter().zip(states).map(entry).collect();
    assert_eq!(bench.expect_response(), CpeResponse::GetQueuedTransfers(expected));
    bench.call(CpeRequest::GetAllQueuedTransfers);
    let CpeResponse::GetAllQueuedTransfers(all) = bench.expect_response() else { panic!("no list") };
    assert_eq!(
        all.last(),
        Some(&AllQueuedTransferStruct {
            command_key: key("w"),
            state: TransferState::NotYetStarted,
            is_download: true,
            file_type: "3 Vendor Configuration File".into(),
            file_size: 77,
            target_file_name: "w.cfg".into(),
        })
    );
}

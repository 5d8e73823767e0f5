//! At least one envelope of every message, the same in every run.

use std::collections::BTreeSet;

use cwmp_core::{
    rpc::{Envelope, ToAcs, ToCpe},
    soap::{encode_to_acs, encode_to_cpe},
};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use super::strategy;

/// A runner that draws the same values in every run.
pub(crate) fn runner() -> TestRunner {
    TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]))
}

/// Draws one value.
pub(crate) fn draw<S: Strategy>(runner: &mut TestRunner, strategy: &S) -> S::Value {
    strategy.new_tree(runner).unwrap().current()
}

/// What kind of message it is, by name.
pub(crate) fn kind_to_cpe(message: &ToCpe) -> String {
    match message {
        ToCpe::Request(request) => request.method().to_owned(),
        ToCpe::Response(response) => format!("{}Response", response.method()),
        ToCpe::Fault(_) => "Fault".to_owned(),
        ToCpe::Unusable { .. } => "Unusable".to_owned(),
    }
}

/// What kind of message it is, by name.
pub(crate) fn kind_to_acs(message: &ToAcs) -> String {
    match message {
        ToAcs::Request(request) => request.method().to_owned(),
        ToAcs::Response(response) => format!("{}Response", response.method()),
        ToAcs::Fault(_) => "Fault".to_owned(),
        ToAcs::Unusable { .. } => "Unusable".to_owned(),
    }
}

/// `count` envelopes in each direction, encoded, each with a name. All methods of both sides are among them when `count`
/// is some hundreds: `every_message_is_among_the_samples` checks it.
pub(crate) fn envelopes(count: usize) -> Vec<(String, Vec<u8>)> {
    let mut runner = runner();
    let (to_cpe, to_acs) = (strategy::to_cpe(), strategy::to_acs());
    let mut all = Vec::new();
    for number in 0..count {
        let envelope: Envelope<ToCpe> = draw(&mut runner, &to_cpe);
        let name =
            format!("{number}-{}-to-cpe-{}", envelope.version.as_str(), kind_to_cpe(&envelope.message));
        all.push((name, encode_to_cpe(&envelope)));
        let envelope: Envelope<ToAcs> = draw(&mut runner, &to_acs);
        let name =
            format!("{number}-{}-to-acs-{}", envelope.version.as_str(), kind_to_acs(&envelope.message));
        all.push((name, encode_to_acs(&envelope)));
    }
    all
}

/// Names of all messages in both directions.
pub(crate) fn all_kinds() -> BTreeSet<String> {
    let mut all = BTreeSet::from(["to-cpe-Fault".to_owned(), "to-acs-Fault".to_owned()]);
    let calls = [
        "GetRPCMethods",
        "SetParameterValues",
        "GetParameterValues",
        "GetParameterNames",
        "SetParameterAttributes",
        "GetParameterAttributes",
        "AddObject",
        "DeleteObject",
        "Download",
        "Reboot",
        "GetQueuedTransfers",
        "ScheduleInform",
        "SetVouchers",
        "GetOptions",
        "Upload",
        "FactoryReset",
        "GetAllQueuedTransfers",
        "ScheduleDownload",
        "CancelTransfer",
        "ChangeDUState",
    ];
    for name in calls {
        all.extend([format!("to-cpe-{name}"), format!("to-acs-{name}Response")]);
    }
    let calls = [
        "GetRPCMethods",
        "Inform",
        "TransferComplete",
        "AutonomousTransferComplete",
        "DUStateChangeComplete",
        "AutonomousDUStateChangeComplete",
        "RequestDownload",
        "Kicked",
    ];
    for name in calls {
        all.extend([format!("to-acs-{name}"), format!("to-cpe-{name}Response")]);
    }
    all
}

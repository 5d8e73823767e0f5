//! What is written reads back, for every message in both directions and all versions that have it.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeSet;

use common::{sample, strategy};
use cwmp_core::{
    rpc::{CwmpVersion, Envelope, Header, ToCpe},
    soap::{decode_to_acs, decode_to_cpe, encode_to_acs, encode_to_cpe},
};
use proptest::prelude::*;

/// The namespace does not tell 1.2, 1.3 and 1.4 apart.
fn as_read<M>(mut envelope: Envelope<M>) -> Envelope<M> {
    envelope.version = CwmpVersion::from_namespace(envelope.version.namespace()).unwrap();
    envelope
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn what_an_acs_writes_a_cpe_reads(envelope in strategy::to_cpe()) {
        let bytes = encode_to_cpe(&envelope);
        prop_assert_eq!(decode_to_cpe(&bytes), Ok(as_read(envelope)));
    }

    #[test]
    fn what_a_cpe_writes_an_acs_reads(envelope in strategy::to_acs()) {
        let bytes = encode_to_acs(&envelope);
        prop_assert_eq!(decode_to_acs(&bytes), Ok(as_read(envelope)));
    }
}

#[test]
fn every_message_is_among_the_samples() {
    let drawn: BTreeSet<String> = sample::envelopes(600)
        .into_iter()
        .map(|(name, _)| name.splitn(3, '-').last().unwrap().to_owned())
        .collect();
    assert_eq!(drawn, sample::all_kinds());
}

#[test]
fn no_more_requests_is_read_and_written() {
    let header = Header { no_more_requests: true, ..Header::default() };
    let message = ToCpe::Response(cwmp_core::rpc::AcsResponse::TransferComplete);
    let envelope = Envelope { version: CwmpVersion::V1_0, header, message };
    assert_eq!(decode_to_cpe(&encode_to_cpe(&envelope)), Ok(envelope));
}

#[test]
fn recent_headers_stay_out_of_old_versions() {
    let header = Header {
        session_timeout: Some(60),
        supported_cwmp_versions: vec![CwmpVersion::V1_0],
        use_cwmp_version: Some(CwmpVersion::V1_0),
        ..Header::default()
    };
    let message = ToCpe::Response(cwmp_core::rpc::AcsResponse::TransferComplete);
    let bytes = encode_to_cpe(&Envelope { version: CwmpVersion::V1_1, header, message });
    assert!(!String::from_utf8(bytes).unwrap().contains("Header"));
}

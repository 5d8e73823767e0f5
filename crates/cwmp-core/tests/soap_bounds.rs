//! Nothing that comes in makes the codec panic, and every size has its limit.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::collections::BTreeMap;

use common::{sample, soap, strategy};
use cwmp_core::{
    limits,
    rpc::*,
    soap::{EnvelopeError, decode_to_acs, decode_to_cpe, encode_to_acs, encode_to_cpe},
    value::ValueType,
};
use proptest::prelude::*;

fn too_large(bytes: &[u8]) -> Option<&'static str> {
    match decode_to_cpe(bytes) {
        Err(EnvelopeError::TooLarge { what, .. }) => Some(what),
        _ => None,
    }
}

fn reboot(key: &str) -> String {
    format!("<c:Reboot><CommandKey>{key}</CommandKey></c:Reboot>")
}

#[test]
fn an_envelope_cut_anywhere_is_an_error() {
    let of_each_kind: BTreeMap<String, Vec<u8>> = sample::envelopes(600)
        .into_iter()
        .map(|(name, bytes)| (name.splitn(3, '-').last().unwrap().to_owned(), bytes))
        .collect();
    for (name, bytes) in of_each_kind {
        for end in 0..bytes.len() {
            let cut = &bytes[..end];
            assert!(decode_to_cpe(cut).is_err(), "{name} cut at {end}");
            assert!(decode_to_acs(cut).is_err(), "{name} cut at {end}");
        }
    }
}

/// Conformance: 13.03
#[test]
fn deep_nesting_is_refused() {
    let deep = format!("{}{}", "<a>".repeat(10_000), "</a>".repeat(10_000));
    for bytes in
        [deep.clone().into_bytes(), soap("", &deep), soap(&deep, &reboot("k")), soap("", &reboot(&deep))]
    {
        assert!(decode_to_cpe(&bytes).is_err());
    }
    assert_eq!(too_large(&soap("", &format!("<c:Foo>{deep}</c:Foo>"))), Some("levels of elements"));
    assert_eq!(too_large(&soap(&deep, &reboot("k"))), Some("levels of elements"));
}

/// Conformance: 13.03
#[test]
fn each_size_has_its_limit() {
    let bytes = soap("", &format!("{}<!--{}-->", reboot("k"), "-".repeat(limits::ENVELOPE_BYTES)));
    assert_eq!(too_large(&bytes), Some("bytes"));
    let elements = soap("", &format!("<c:Foo>{}</c:Foo>", "<a/>".repeat(limits::ENVELOPE_ELEMENTS)));
    assert_eq!(too_large(&elements), Some("elements"));
    let attributes: String = (0..=limits::ELEMENT_ATTRIBUTES).map(|n| format!(" a{n}='1'")).collect();
    assert_eq!(too_large(&soap("", &format!("<c:GetRPCMethods{attributes}/>"))), Some("attributes"));
    let text = soap("", &reboot(&"x".repeat(limits::ELEMENT_TEXT + 1)));
    assert_eq!(too_large(&text), Some("bytes in one element"));
    let id = format!("<c:ID>{}</c:ID>", "x".repeat(limits::HEADER_ID + 1));
    assert_eq!(too_large(&soap(&id, &reboot("k"))), Some("characters in the ID header"));
}

#[test]
fn at_the_limit_all_is_well() {
    let attributes: String = (0..limits::ELEMENT_ATTRIBUTES).map(|n| format!(" a{n}='1'")).collect();
    assert!(decode_to_cpe(&soap("", &format!("<c:GetRPCMethods{attributes}/>"))).is_ok());
    let id = format!("<c:ID>{}</c:ID>", "é".repeat(limits::HEADER_ID));
    assert!(decode_to_cpe(&soap(&id, &reboot(&"é".repeat(32)))).is_ok());
    let value = "x".repeat(limits::ELEMENT_TEXT);
    let set = SetParameterValues {
        parameters: vec![ParameterValueStruct { name: "Device.A".to_owned(), value_type: None, value }],
        parameter_key: ParameterKey::default(),
    };
    let message = ToCpe::Request(CpeRequest::SetParameterValues(set));
    let envelope = Envelope { version: CwmpVersion::V1_0, header: Header::default(), message };
    assert_eq!(decode_to_cpe(&encode_to_cpe(&envelope)), Ok(envelope));
}

#[test]
fn an_acs_reads_the_answer_for_a_large_tree() {
    let entry = |n| ParameterValueStruct {
        name: format!("Device.X_CWMPD_Table.{n}.SomeParameterWithALongName"),
        value_type: Some(ValueType::String),
        value: format!("value of parameter number {n}"),
    };
    let message = ToAcs::Response(CpeResponse::GetParameterValues((0..20_000).map(entry).collect()));
    let envelope = Envelope { version: CwmpVersion::V1_0, header: Header::default(), message };
    let bytes = encode_to_acs(&envelope);
    assert!(bytes.len() > limits::ENVELOPE_BYTES);
    assert_eq!(decode_to_acs(&bytes), Ok(envelope));
}

/// Conformance: 13.03
#[test]
fn namespaces_and_attributes_in_masses_take_no_time() {
    let declarations: String = (0..20_000).map(|n| format!(" xmlns:n{n}='urn:{n}'")).collect();
    assert!(decode_to_cpe(&soap("", &format!("<c:GetRPCMethods{declarations}/>"))).is_err());
    let attributes: String = (0..60_000).map(|n| format!(" a{n}='1'")).collect();
    assert_eq!(too_large(&soap("", &format!("<c:GetRPCMethods{attributes}/>"))), Some("attributes"));
}

#[test]
fn what_xml_forbids_is_never_written() {
    let forbidden: String =
        (0..0x20_u8).map(char::from).chain(['\u{FFFE}', '\u{FFFF}', '\u{FFFD}', 'ï']).collect();
    let value = ParameterValueStruct {
        name: "Device.A".to_owned(),
        value_type: Some(ValueType::String),
        value: forbidden.clone(),
    };
    let message = ToAcs::Response(CpeResponse::GetParameterValues(vec![value]));
    let bytes = encode_to_acs(&Envelope { version: CwmpVersion::V1_3, header: Header::default(), message });
    let ToAcs::Response(CpeResponse::GetParameterValues(read)) = decode_to_acs(&bytes).unwrap().message
    else {
        unreachable!("the message changed its kind")
    };
    let keeps = |c: char| matches!(c, ' '..'\u{FFFE}' | '\t' | '\n' | '\r');
    let expected: String = forbidden.chars().map(|c| if keeps(c) { c } else { '\u{FFFD}' }).collect();
    assert_eq!(read[0].value, expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode_to_cpe(&bytes);
        let _ = decode_to_acs(&bytes);
    }

    #[test]
    fn any_text_in_the_body_is_read_or_refused(body in "[<>/a-cF:!\\[\\]&;#x0-9'\"= \\-?\\PC]{0,80}") {
        let _ = decode_to_cpe(&soap(&body, "<c:GetRPCMethods/>"));
        let _ = decode_to_cpe(&soap("", &body));
        let _ = decode_to_acs(&soap("", &body));
    }

    #[test]
    fn a_damaged_envelope_is_read_or_refused(
        envelope in strategy::to_cpe(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = encode_to_cpe(&envelope);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = decode_to_cpe(&bytes);
    }

    #[test]
    fn any_string_survives_or_is_replaced(text in any::<String>()) {
        let header = Header { id: Some(text.chars().take(256).collect()), ..Header::default() };
        let message = ToCpe::Response(AcsResponse::TransferComplete);
        let bytes = encode_to_cpe(&Envelope { version: CwmpVersion::V1_0, header, message });
        prop_assert!(decode_to_cpe(&bytes).is_ok());
    }
}

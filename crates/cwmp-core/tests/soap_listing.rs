//! A streamed listing is, byte for byte, the message that would be written in one piece.

#![allow(clippy::unwrap_used, reason = "tests")]

use cwmp_core::{
    io::{Listing, ListingKind, SnapshotId},
    rpc::{
        CpeResponse, CwmpVersion, Envelope, Header, ParameterAttributeStruct, ParameterInfoStruct,
        ParameterValueStruct, ToAcs,
    },
    soap::{Count, Sink, decode_to_acs, encode_to_acs, listing},
    value::ValueType,
};

fn header() -> Header {
    Header { id: Some("  <1>".to_owned()), ..Header::default() }
}

fn assert_same(kind: ListingKind, count: u32, message: CpeResponse, write: impl Fn(&mut dyn Sink)) {
    for version in CwmpVersion::ALL {
        let listing = Listing { version, header: header(), kind, snapshot: SnapshotId(1), count };
        let (mut streamed, mut counted) = (Vec::new(), Count::default());
        for out in [&mut streamed as &mut dyn Sink, &mut counted] {
            listing::head(&listing, out);
            write(out);
            listing::tail(&listing, out);
        }
        let envelope = Envelope { version, header: header(), message: ToAcs::Response(message.clone()) };
        let whole = encode_to_acs(&envelope);
        assert_eq!(String::from_utf8(streamed).unwrap(), String::from_utf8(whole.clone()).unwrap());
        assert_eq!(counted.0, whole.len() as u64);
        let read = decode_to_acs(&whole).unwrap();
        assert_eq!((read.header, read.message), (envelope.header, envelope.message));
    }
}

#[test]
fn values() {
    let entry = |name: &str, value_type, value: &str| ParameterValueStruct {
        name: name.to_owned(),
        value_type: Some(value_type),
        value: value.to_owned(),
    };
    let message = CpeResponse::GetParameterValues(vec![
        entry("Device.Time.Enable", ValueType::Boolean, "1"),
        entry("Device.X_A&B.1.Name", ValueType::String, "  a <b> & 'c' \"d\"\r\n\t]]> \u{1F600} "),
    ]);
    assert_same(ListingKind::Values, 2, message, |out| {
        listing::value("Device.Time.", "Enable", ValueType::Boolean, "1", out);
        let text = "  a <b> & 'c' \"d\"\r\n\t]]> \u{1F600} ";
        listing::value("Device.X_A&B.1.", "Name", ValueType::String, text, out);
    });
}

#[test]
fn names() {
    let entry = |name: &str, writable| ParameterInfoStruct { name: name.to_owned(), writable };
    let message =
        CpeResponse::GetParameterNames(vec![entry("Device.Time.", false), entry("Device.Time.Enable", true)]);
    assert_same(ListingKind::Names, 2, message, |out| {
        listing::info("Device.Time.", "", false, out);
        listing::info("Device.Time.", "Enable", true, out);
    });
}

#[test]
fn attributes() {
    let entry = |name: &str, notification, access_list: &[&str]| ParameterAttributeStruct {
        name: name.to_owned(),
        notification,
        access_list: access_list.iter().map(|s| (*s).to_owned()).collect(),
    };
    let message = CpeResponse::GetParameterAttributes(vec![
        entry("Device.Time.Enable", 2, &["Subscriber"]),
        entry("Device.Time.Status", 0, &[]),
    ]);
    assert_same(ListingKind::Attributes, 2, message, |out| {
        listing::attribute("Device.Time.", "Enable", 2, &["Subscriber"], out);
        listing::attribute("Device.Time.", "Status", 0, &[], out);
    });
}

//! Lightweight notifications as they lie on the wire (CONFORMANCE 5.21, TR-069a6 Annex M).
//!
//! The check against the schema needs what `schema.rs` needs.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use cwmp_core::{
    lightweight::Sender,
    limits::{LIGHTWEIGHT_MESSAGE, LIGHTWEIGHT_PARAMETER},
    rpc::{DeviceId, ParameterValueStruct},
    settings::Secret,
    value::ValueType,
};

fn device() -> DeviceId {
    DeviceId {
        manufacturer: "Example".into(),
        oui: "00D09E".into(),
        product_class: "Box <1>".into(),
        serial_number: "S1".into(),
    }
}

fn parameter(name: &str, value_type: ValueType, value: &str) -> ParameterValueStruct {
    ParameterValueStruct { name: name.into(), value_type: Some(value_type), value: value.into() }
}

fn messages(parameters: &[ParameterValueStruct]) -> (Vec<Vec<u8>>, Vec<&str>) {
    let (device, password) = (device(), Secret("secret".into()));
    let sender = Sender {
        device: &device,
        username: "user&co",
        password: &password,
        host: "2001:db8::1",
        port: 7547,
        seconds: 1_700_000_000,
    };
    let mut calls = 0;
    sender.messages(parameters, &mut || {
        calls += 1;
        format!("nonce{calls}")
    })
}

fn split(message: &[u8]) -> (&str, &str) {
    std::str::from_utf8(message).unwrap().split_once("\r\n\r\n").unwrap()
}

/// Conformance: 5.21
#[test]
fn a_message_byte_for_byte() {
    let parameters = [
        parameter("Device.Hosts.Host.1.HostName", ValueType::String, "a<b"),
        parameter("Device.DeviceInfo.UpTime", ValueType::UnsignedInt, "7"),
    ];
    let (sent, left_out) = messages(&parameters);
    assert_eq!((sent.len(), left_out.len()), (1, 0));
    let (head, body) = split(&sent[0]);
    assert_eq!(
        body,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <Notification xmlns=\"urn:broadband-forum-org:cwmp:lwnotif-1-0\" \
         xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\
         <TS>1700000000</TS><UN>user&amp;co</UN><CN>nonce2</CN><OUI>00D09E</OUI>\
         <ProductClass>Box &lt;1&gt;</ProductClass><SerialNumber>S1</SerialNumber>\
         <Param><Name>Device.Hosts.Host.1.HostName</Name><Value xsi:type=\"xsd:string\">a&lt;b</Value></Param>\
         <Param><Name>Device.DeviceInfo.UpTime</Name><Value xsi:type=\"xsd:unsignedInt\">7</Value></Param>\
         </Notification>"
    );
    // Made by another program: HMAC-SHA1 of the body with the key `secret`.
    let signature = "8A7F5B507CFD8636C15AAE851846BCC779992E32";
    assert_eq!(
        head,
        format!(
            "POST / HTTP/1.1\r\nHost: [2001:db8::1]:7547\r\nContent-Type: text/xml; charset=utf-8\r\n\
             Content-Length: {}\r\nSignature: {signature}",
            body.len()
        )
    );
}

#[test]
fn many_parameters_are_shared_out_over_small_messages_in_order() {
    let parameters: Vec<_> = (0..100)
        .map(|n| {
            parameter(&format!("Device.Hosts.Host.{n}.HostName"), ValueType::String, &format!("host-{n}"))
        })
        .collect();
    let (sent, left_out) = messages(&parameters);
    assert!(sent.len() > 5 && left_out.is_empty(), "{}", sent.len());
    let mut names = Vec::new();
    for message in &sent {
        assert!(message.len() <= LIGHTWEIGHT_MESSAGE + 8, "{}", message.len());
        let (_, body) = split(message);
        names.extend(body.split("<Name>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned()));
    }
    assert_eq!(names, parameters.iter().map(|parameter| parameter.name.clone()).collect::<Vec<_>>());
}

#[test]
fn a_long_value_goes_alone_and_one_that_fits_no_datagram_is_left_out() {
    let parameters = [
        parameter("Device.A", ValueType::String, "1"),
        parameter("Device.Long", ValueType::String, &"x".repeat(LIGHTWEIGHT_PARAMETER - 100)),
        parameter("Device.TooLong", ValueType::String, &"x".repeat(LIGHTWEIGHT_PARAMETER)),
        parameter("Device.B", ValueType::String, "2"),
    ];
    let (sent, left_out) = messages(&parameters);
    assert_eq!((sent.len(), left_out), (3, vec!["Device.TooLong"]));
    assert!(sent.iter().all(|message| message.len() < 65_507), "a datagram holds no more");
    assert_eq!(messages(&[]), (Vec::new(), Vec::new()));
}

fn schema_dir() -> PathBuf {
    env::var_os("CWMP_SCHEMA_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from)
}

const VALIDATE: &str = "\
import io, re, sys
from lxml import etree
text = open(sys.argv[1]).read()
text = re.sub(r'<xs:import[^>]*/>', '', text, flags=re.S)
schema = etree.XMLSchema(etree.fromstring(text.encode()))
for name in sys.argv[2:]:
    schema.assertValid(etree.parse(name))
    print(name)
";

#[test]
fn messages_are_valid_by_the_schema() {
    let schema = schema_dir().join("bbf/cwmp-UDPLightweightNotification-1-0.xsd");
    let python = if Path::new("/usr/bin/python3").exists() { "/usr/bin/python3" } else { "python3" };
    let lxml = Command::new(python).args(["-c", "import lxml.etree"]).output();
    if !schema.is_file() || !lxml.is_ok_and(|output| output.status.success()) {
        assert!(env::var("CI").as_deref() != Ok("true"), "no {} or no python3-lxml", schema.display());
        eprintln!("skipped: no {} or no python3-lxml", schema.display());
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lightweight");
    fs::create_dir_all(&folder).unwrap();
    let every_type = [
        (ValueType::String, "a \u{1} <b> & \"c\" \r\n"),
        (ValueType::Boolean, "true"),
        (ValueType::Int, "-1"),
        (ValueType::UnsignedInt, "7"),
        (ValueType::DateTime, "2026-01-31T12:00:00Z"),
        (ValueType::Base64, "YQ=="),
        (ValueType::HexBinary, "00FF"),
    ];
    let parameters: Vec<_> = (0..50)
        .map(|n| {
            let (value_type, value) = every_type[n % every_type.len()];
            parameter(&format!("Device.X.{n}"), value_type, value)
        })
        .collect();
    let (sent, _) = messages(&parameters);
    let mut files = Vec::new();
    for (n, message) in sent.iter().enumerate() {
        let file = folder.join(format!("{n}.xml"));
        fs::write(&file, split(message).1).unwrap();
        files.push(file);
    }
    let output = Command::new(python).args(["-c", VALIDATE]).arg(&schema).args(&files).output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).lines().count();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(shown, files.len());
}

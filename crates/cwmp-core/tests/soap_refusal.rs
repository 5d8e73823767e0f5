//! What is refused, and how: a call with wrong arguments with a fault that names them, anything else as an error.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use common::soap;
use cwmp_core::{
    fault::FaultCode,
    rpc::*,
    soap::{EnvelopeError, decode_to_acs, decode_to_cpe},
};

fn refused(body: &str) -> (u32, String) {
    match decode_to_cpe(&soap("", body)).unwrap().message {
        ToCpe::Unusable { fault, .. } => (fault.code.0, fault.text),
        other => panic!("{body}: {other:?}"),
    }
}

fn error(bytes: &[u8]) -> EnvelopeError {
    decode_to_cpe(bytes).unwrap_err()
}

fn body_error(body: &str) -> EnvelopeError {
    error(&soap("", body))
}

/// Conformance: 4.02
#[test]
fn an_unknown_method_is_not_supported() {
    for body in ["<c:Foo/>", "<c:Foo><a><b/></a></c:Foo>", "<c:Inform/>", "<c:getrpcmethods/>"] {
        assert_eq!(refused(body).0, 9000, "{body}");
    }
    let message = decode_to_acs(&soap("", "<c:Reboot/>")).unwrap().message;
    let ToAcs::Unusable { method, fault } = message else { panic!("{message:?}") };
    assert_eq!((method.as_str(), fault.code), ("Reboot", FaultCode::ACS_METHOD_NOT_SUPPORTED));
}

/// Conformance: 4.02
#[test]
fn wrong_arguments_are_named() {
    let key = "<CommandKey>k</CommandKey>";
    let long = "é".repeat(33);
    let entry = |name: &str| format!("<ParameterValueStruct>{name}<Value>1</Value></ParameterValueStruct>");
    let set = |entries: &str| {
        format!(
            "<c:SetParameterValues><ParameterList>{entries}</ParameterList><ParameterKey/></c:SetParameterValues>"
        )
    };
    let good = entry("<Name>Device.A</Name>");
    let cases = [
        ("<c:Reboot/>".to_owned(), "CommandKey is missing"),
        (format!("<c:Reboot>{key}{key}</c:Reboot>"), "CommandKey is there twice"),
        (format!("<c:Reboot>{key}<Extra/></c:Reboot>"), "Extra is no argument of the method"),
        (format!("<c:Reboot>{key}<x:CommandKey xmlns:x='urn:x'/></c:Reboot>"), "CommandKey is no argument"),
        (format!("<c:FactoryReset>{key}</c:FactoryReset>"), "CommandKey is no argument"),
        (format!("<c:Reboot><CommandKey>{long}</CommandKey></c:Reboot>"), "CommandKey is longer than 32 characters"),
        ("<c:Reboot><CommandKey><a>b</a></CommandKey></c:Reboot>".to_owned(), "CommandKey holds elements"),
        (format!("<c:ScheduleInform><DelaySeconds>-1</DelaySeconds>{key}</c:ScheduleInform>"), "DelaySeconds is no unsignedInt"),
        (format!("<c:ScheduleInform><DelaySeconds>4294967296</DelaySeconds>{key}</c:ScheduleInform>"), "DelaySeconds"),
        (format!("<c:ScheduleInform><DelaySeconds/>{key}</c:ScheduleInform>"), "DelaySeconds"),
        ("<c:GetParameterNames><ParameterPath/><NextLevel>yes</NextLevel></c:GetParameterNames>".to_owned(), "NextLevel is no boolean"),
        (
            format!("<c:GetParameterNames><ParameterPath>{}</ParameterPath><NextLevel>1</NextLevel></c:GetParameterNames>", "a".repeat(257)),
            "ParameterPath is longer than 256 characters",
        ),
        (set(&format!("{good}{}", entry(""))), "ParameterList[2].Name is missing"),
        (set(&format!("{good}{good}{}", entry(&format!("<Name>{}</Name>", "a".repeat(257))))), "ParameterList[3].Name is longer"),
        (set("<ParameterValueStruct><Name>a</Name></ParameterValueStruct>"), "ParameterList[1].Value is missing"),
        (
            set("<ParameterValueStruct><Name>a</Name><Value><deep><er/></deep></Value></ParameterValueStruct>"),
            "ParameterList[1].Value holds elements",
        ),
        (
            "<c:GetParameterValues><ParameterNames><string>a</string><string><b/></string></ParameterNames></c:GetParameterValues>".to_owned(),
            "ParameterNames[2] holds elements",
        ),
        (format!("<c:ChangeDUState><Operations/>{key}</c:ChangeDUState>"), "Operations has no xsi:type"),
        (format!("<c:ChangeDUState>{key}</c:ChangeDUState>"), "Operations is missing"),
        (
            format!("<c:ChangeDUState><Operations xsi:type='c:InstallOpStruct'/>{key}</c:ChangeDUState>"),
            "Operations.URL is missing",
        ),
    ];
    for (body, text) in cases {
        let (code, found) = refused(&body);
        assert_eq!(code, 9003, "{body}");
        assert!(found.starts_with(text), "{found} is not {text}");
    }
}

#[test]
fn an_array_has_as_many_entries_as_the_schema_says() {
    let window = "<TimeWindowStruct><WindowStart>1</WindowStart><WindowEnd>2</WindowEnd><WindowMode>1 At Any Time</WindowMode>\
                  <UserMessage/><MaxRetries>-1</MaxRetries></TimeWindowStruct>";
    let schedule = |windows: usize| {
        format!(
            "<c:ScheduleDownload><CommandKey/><FileType/><URL/><Username/><Password/><FileSize>0</FileSize><TargetFileName/>\
             <TimeWindowList>{}</TimeWindowList></c:ScheduleDownload>",
            window.repeat(windows)
        )
    };
    assert_eq!(refused(&schedule(0)), (9003, "TimeWindowList has no entry".to_owned()));
    assert_eq!(refused(&schedule(3)), (9003, "TimeWindowList has more than 2 entries".to_owned()));
    for windows in [1, 2] {
        let message = decode_to_cpe(&soap("", &schedule(windows))).unwrap().message;
        let ToCpe::Request(CpeRequest::ScheduleDownload(call)) = message else { panic!("{message:?}") };
        assert_eq!(call.time_windows.len(), windows);
    }
}

#[test]
fn a_call_of_the_acs_is_refused_with_its_own_codes() {
    let message = decode_to_acs(&soap("", "<c:TransferComplete/>")).unwrap().message;
    let ToAcs::Unusable { fault, .. } = message else { panic!("{message:?}") };
    assert_eq!(fault.code, FaultCode::ACS_INVALID_ARGUMENTS);
}

#[test]
fn the_reason_never_holds_the_value() {
    let secret = "s3cret".repeat(50);
    let body = format!(
        "<c:Upload><CommandKey/><FileType/><URL/><Username/><Password>{secret}</Password><DelaySeconds>s3cret</DelaySeconds></c:Upload>"
    );
    assert!(!refused(&body).1.contains("s3cret"));
}

#[test]
fn an_array_beyond_the_limit_exceeds_the_resources() {
    let names = "<string>a</string>".repeat(8193);
    let (code, text) = refused(&format!(
        "<c:GetParameterValues><ParameterNames>{names}</ParameterNames></c:GetParameterValues>"
    ));
    assert_eq!((code, text.as_str()), (9004, "ParameterNames more than 8192 entries"));
    let operations = "<Operations xsi:type='c:UpdateOpStruct'/>".repeat(8193);
    assert_eq!(refused(&format!("<c:ChangeDUState>{operations}</c:ChangeDUState>")).0, 9004);
}

#[test]
fn a_wrong_answer_is_an_error_and_no_call() {
    for body in
        ["<c:FooResponse/>", "<c:KickedResponse/>", "<c:GetRPCMethodsResponse><a/></c:GetRPCMethodsResponse>"]
    {
        assert!(matches!(body_error(body), EnvelopeError::Response { .. }), "{body}");
    }
}

#[test]
fn what_is_no_envelope() {
    assert_eq!(error(b"<html/>"), EnvelopeError::NotSoap { found: "html".to_owned() });
    assert_eq!(
        error(b"<e:Envelope xmlns:e='http://www.w3.org/2003/05/soap-envelope'><e:Body/></e:Envelope>"),
        EnvelopeError::SoapVersion
    );
    assert_eq!(body_error(""), EnvelopeError::NoMessage);
    assert_eq!(
        error(b"<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'/>"),
        EnvelopeError::NoMessage
    );
    for body in ["<Reboot/>", "<x:Reboot xmlns:x='urn:dslforum-org:cwmp-2-0'/>", "<undeclared:Reboot/>"] {
        assert_eq!(body_error(body), EnvelopeError::NoCwmpNamespace { found: "Reboot".to_owned() }, "{body}");
    }
    assert_eq!(
        body_error("<c:GetRPCMethods/><c:FactoryReset/>"),
        EnvelopeError::SecondMessage { found: "FactoryReset".to_owned() }
    );
}

#[test]
fn what_is_not_well_formed() {
    let bodies = [
        "<c:Reboot>",
        "<c:Reboot></c:Other>",
        "<c:GetRPCMethods a='1' a='2'/>",
        "<c:GetRPCMethods a=1/>",
        "<c:GetRPCMethods a='<'/>",
        "<c:GetRPCMethods a='&unknown;'/>",
        "<c:GetRPCMethods>&unknown;</c:GetRPCMethods>",
        "<c:Reboot><CommandKey>&unknown;</CommandKey></c:Reboot>",
        "<c:Reboot><CommandKey>&#0;</CommandKey></c:Reboot>",
        "<c:Reboot><CommandKey>&#1;</CommandKey></c:Reboot>",
        "<c:Reboot><CommandKey>&#xFFFE;</CommandKey></c:Reboot>",
        "<c:Reboot><CommandKey>&#x110000;</CommandKey></c:Reboot>",
        "<c:Reboot><CommandKey>a & b</CommandKey></c:Reboot>",
        "<c:Reboot><CommandKey>\u{1}</CommandKey></c:Reboot>",
        "<s:Body:Fault><faultcode>Server</faultcode></s:Body:Fault>",
        "<c:Foo><a></c:Foo>",
        "<c:KickedResponse></c:Kicked>",
        "<!-- <c:GetRPCMethods/>",
    ];
    for body in bodies {
        assert!(
            matches!(body_error(body), EnvelopeError::Malformed { .. }),
            "{body}: {:?}",
            body_error(body)
        );
    }
    let mut twice = soap("", "<c:GetRPCMethods/>");
    twice.extend_from_slice(b"<again/>");
    assert!(matches!(error(&twice), EnvelopeError::Malformed { .. }));
    for bytes in [&b""[..], b"   ", b"not xml", b"\xEF\xBB\xBF", b"<?xml version='1.0'?>"] {
        assert!(matches!(error(bytes), EnvelopeError::Malformed { .. }), "{bytes:?}");
    }
}

#[test]
fn what_is_not_utf_8() {
    let mut bytes = soap("", "<c:Reboot><CommandKey>x</CommandKey></c:Reboot>");
    let at = bytes.iter().position(|b| *b == b'x').unwrap();
    bytes[at] = 0xE9;
    assert_eq!(error(&bytes), EnvelopeError::Encoding { offset: at });
    let utf16: Vec<u8> = "<a/>".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(matches!(error(&utf16), EnvelopeError::Malformed { .. }));
}

/// Conformance: 4.08, 13.03
#[test]
fn document_types_are_refused() {
    let laughs = r#"<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;&lol;">]><lolz>&lol2;</lolz>"#;
    let external = r#"<!DOCTYPE e SYSTEM "file:///etc/passwd"><e/>"#;
    for text in [laughs, external, "<!doctype html><html/>"] {
        assert_eq!(error(text.as_bytes()), EnvelopeError::DocumentType, "{text}");
    }
}

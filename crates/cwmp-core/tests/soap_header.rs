//! The SOAP headers (TR-069a6 3.5, 3.7.4).

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use common::soap;
use cwmp_core::{
    fault::FaultCode,
    rpc::*,
    soap::{EnvelopeError, decode_to_cpe, encode_to_acs, encode_to_cpe, must_understand_fault},
};

const REBOOT: &str = "<c:Reboot><CommandKey>k</CommandKey></c:Reboot>";

fn header(header: &str) -> Header {
    decode_to_cpe(&soap(header, REBOOT)).unwrap().header
}

/// Conformance: 2.33
#[test]
fn the_id_is_kept_verbatim() {
    let cases = [
        ("", ""),
        ("0", "0"),
        ("  x ", "  x "),
        ("&lt;&amp;&gt;&#x20;", "<&> "),
        ("12345678901234567890123456789012", "12345678901234567890123456789012"),
    ];
    for (written, id) in cases {
        let read = header(&format!(r#"<c:ID s:mustUnderstand="1">{written}</c:ID>"#));
        assert_eq!(read.id.as_deref(), Some(id));
        let message = ToAcs::Response(CpeResponse::Reboot);
        let echo = encode_to_acs(&Envelope { version: CwmpVersion::V1_0, header: read, message });
        let echo = String::from_utf8(echo).unwrap();
        let element =
            format!(r#"<cwmp:ID soap-env:mustUnderstand="1">{}</cwmp:ID>"#, written.replace("&#x20;", " "));
        assert!(echo.contains(&element), "{echo}");
    }
    assert_eq!(header("").id, None);
}

#[test]
fn a_missing_header_is_no_header() {
    assert_eq!(header(""), Header::default());
    let message = ToAcs::Response(CpeResponse::Reboot);
    let bytes = encode_to_acs(&Envelope { version: CwmpVersion::V1_0, header: Header::default(), message });
    assert!(!String::from_utf8(bytes).unwrap().contains("Header"));
}

#[test]
fn all_headers_of_the_standard_are_read() {
    let read = header(
        r#"<c:HoldRequests s:mustUnderstand="1">true</c:HoldRequests>
           <c:NoMoreRequests s:mustUnderstand="0">1</c:NoMoreRequests>
           <c:SessionTimeout s:mustUnderstand="0"> 60 </c:SessionTimeout>
           <c:SupportedCWMPVersions s:mustUnderstand="0">1.0, 1.4,2.7</c:SupportedCWMPVersions>
           <c:UseCWMPVersion s:mustUnderstand="1">1.2</c:UseCWMPVersion>"#,
    );
    let expected = Header {
        id: None,
        hold_requests: true,
        no_more_requests: true,
        session_timeout: Some(60),
        supported_cwmp_versions: vec![CwmpVersion::V1_0, CwmpVersion::V1_4],
        use_cwmp_version: Some(CwmpVersion::V1_2),
    };
    assert_eq!(read, expected);
}

#[test]
fn hold_requests_that_says_nothing_holds_nothing() {
    for value in ["", "0", "false", "maybe"] {
        assert!(
            !header(&format!(r#"<c:HoldRequests s:mustUnderstand="1">{value}</c:HoldRequests>"#))
                .hold_requests
        );
    }
}

#[test]
fn headers_are_written_with_the_must_understand_of_the_standard() {
    let header = Header {
        id: Some("7".to_owned()),
        hold_requests: true,
        no_more_requests: false,
        session_timeout: Some(30),
        supported_cwmp_versions: vec![CwmpVersion::V1_0, CwmpVersion::V1_4],
        use_cwmp_version: Some(CwmpVersion::V1_4),
    };
    let message = ToCpe::Response(AcsResponse::Inform(InformResponse { max_envelopes: 1 }));
    let bytes = encode_to_cpe(&Envelope { version: CwmpVersion::V1_4, header, message });
    let text = String::from_utf8(bytes).unwrap();
    let expected = "<soap-env:Header>\
        <cwmp:ID soap-env:mustUnderstand=\"1\">7</cwmp:ID>\
        <cwmp:HoldRequests soap-env:mustUnderstand=\"1\">1</cwmp:HoldRequests>\
        <cwmp:SessionTimeout soap-env:mustUnderstand=\"0\">30</cwmp:SessionTimeout>\
        <cwmp:SupportedCWMPVersions soap-env:mustUnderstand=\"0\">1.0,1.4</cwmp:SupportedCWMPVersions>\
        <cwmp:UseCWMPVersion soap-env:mustUnderstand=\"1\">1.4</cwmp:UseCWMPVersion>\
        </soap-env:Header>";
    assert!(text.contains(expected), "{text}");
    assert!(text.contains("urn:dslforum-org:cwmp-1-2"));
}

/// Conformance: 2.36
#[test]
fn an_unknown_header_that_must_be_understood_is_refused_with_the_id() {
    let refused = [
        (r#"<c:Foo s:mustUnderstand="1"/><c:ID s:mustUnderstand="1"> 9</c:ID>"#, "Foo"),
        (r#"<c:ID>&#32;9</c:ID><x:Bar xmlns:x="urn:x" s:mustUnderstand="true"><y/></x:Bar>"#, "Bar"),
        (r#"<c:ID> 9</c:ID><x:ID xmlns:x="urn:x" s:mustUnderstand="1">other</x:ID>"#, "ID"),
        (r#"<c:ID> 9</c:ID><c:UseCWMPVersion s:mustUnderstand="1">7.0</c:UseCWMPVersion>"#, "UseCWMPVersion"),
        (
            r#"<c:ID> 9</c:ID><n s:mustUnderstand="1" s:actor="http://schemas.xmlsoap.org/soap/actor/next"/>"#,
            "n",
        ),
    ];
    for (headers, name) in refused {
        let id = Some(" 9".to_owned());
        let expected =
            EnvelopeError::MustUnderstand { header: name.to_owned(), id, version: CwmpVersion::V1_3 };
        assert_eq!(decode_to_cpe(&soap(headers, REBOOT)), Err(expected), "{headers}");
    }
}

/// Conformance: 2.36
#[test]
fn an_unknown_header_that_need_not_be_understood_is_ignored() {
    let ignored = [
        r#"<c:Foo s:mustUnderstand="0"><a><b/></a></c:Foo>"#,
        "<c:Foo/>",
        r#"<x:Foo xmlns:x="urn:x" mustUnderstand="1"/>"#,
        r#"<c:Foo s:mustUnderstand="1" s:actor="urn:somebody-else"/>"#,
        "<Foo/>",
    ];
    for headers in ignored {
        assert_eq!(header(&format!("{headers}<c:ID>3</c:ID>")).id.as_deref(), Some("3"), "{headers}");
    }
}

#[test]
fn a_must_understand_fault_is_a_soap_fault_without_cwmp_part() {
    let header = Header { id: Some("9".to_owned()), ..Header::default() };
    let message = ToAcs::Fault(must_understand_fault("Foo"));
    let text = encode_to_acs(&Envelope { version: CwmpVersion::V1_3, header, message });
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("<faultcode>soap-env:MustUnderstand</faultcode>"), "{text}");
    assert!(!text.contains("<detail>"), "{text}");
}

#[test]
fn a_wrong_call_still_delivers_its_header() {
    let read = decode_to_cpe(&soap(r#"<c:ID s:mustUnderstand="1">id</c:ID>"#, "<c:Foo/>")).unwrap();
    assert_eq!(read.header.id.as_deref(), Some("id"));
    let ToCpe::Unusable { method, fault } = read.message else { panic!("{:?}", read.message) };
    assert_eq!((method.as_str(), fault.code), ("Foo", FaultCode::METHOD_NOT_SUPPORTED));
}

//! What real ACSes send, and what XML allows them to send, is read.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests"
)]

mod common;

use common::{soap, strategy};
use cwmp_core::{
    fault::FaultCode,
    rpc::*,
    soap::{decode_to_acs, decode_to_cpe, encode_to_acs, encode_to_cpe},
    value::ValueType,
};
use proptest::prelude::*;

fn read(body: &str) -> ToCpe {
    decode_to_cpe(&soap("", body)).unwrap().message
}

fn reboot_key(body: &str) -> String {
    match read(body) {
        ToCpe::Request(CpeRequest::Reboot(Reboot { command_key })) => command_key.into(),
        other => panic!("{other:?}"),
    }
}

fn first_value(body: &str) -> ParameterValueStruct {
    match read(body) {
        ToCpe::Request(CpeRequest::SetParameterValues(mut call)) => call.parameters.remove(0),
        other => panic!("{other:?}"),
    }
}

fn set_value(value: &str) -> String {
    format!(
        "<c:SetParameterValues><ParameterList><ParameterValueStruct><Name>Device.A</Name>{value}</ParameterValueStruct>\
         </ParameterList><ParameterKey/></c:SetParameterValues>"
    )
}

/// Other prefixes, comments and instructions everywhere, and blanks where elements begin.
fn disguise(encoded: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(encoded.to_vec()).unwrap();
    let (declaration, root) = text.split_once('\n').unwrap();
    let mut out = String::from("\u{FEFF}");
    out.push_str(declaration);
    let mut last = ' ';
    for (at, c) in root.char_indices() {
        if c == '<' {
            if last == '>' && !root[at..].starts_with("</") {
                out.push_str("\r\n\t ");
            }
            out.push_str("<!-- <b> & -->");
            out.push_str(if at > 0 { "<?x y?>" } else { "" });
        }
        out.push(c);
        last = c;
    }
    let mut out = out.replace("<cwmp:", "<n1:").replace("</cwmp:", "</n1:").replace("xmlns:cwmp", "xmlns:n1");
    for (from, to) in [("soap-env", "e"), ("soap-enc", "n2"), ("xsi:type=\"xsd:", "b:type='zz:")] {
        out = out.replace(from, to);
    }
    let out = out.replace("xmlns:xsi", "xmlns:b").replace("xsi:type=\"cwmp:", "b:type = \"qq:");
    // The end of the attribute that was given single quotes above.
    let mut fixed = String::new();
    for (number, part) in out.split("b:type='").enumerate() {
        if number > 0 {
            fixed.push_str("b:type='");
            fixed.push_str(&part.replacen('"', "'", 1));
        } else {
            fixed.push_str(part);
        }
    }
    fixed.into_bytes()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Conformance: 4.08
    #[test]
    fn prefixes_comments_and_blanks_do_not_matter_to_a_cpe(envelope in strategy::to_cpe()) {
        let plain = encode_to_cpe(&envelope);
        prop_assert_eq!(decode_to_cpe(&disguise(&plain)), decode_to_cpe(&plain));
    }

    #[test]
    fn prefixes_comments_and_blanks_do_not_matter_to_an_acs(envelope in strategy::to_acs()) {
        let plain = encode_to_acs(&envelope);
        prop_assert_eq!(decode_to_acs(&disguise(&plain)), decode_to_acs(&plain));
    }
}

/// Conformance: 4.08
#[test]
fn text_may_come_as_entities_cdata_and_in_pieces() {
    assert_eq!(
        reboot_key("<c:Reboot><CommandKey>&#60;&#x26;&lt;&quot;&apos;&gt;</CommandKey></c:Reboot>"),
        "<&<\"'>"
    );
    assert_eq!(
        reboot_key("<c:Reboot><CommandKey> a<![CDATA[<&b]]>c<!-- d --> </CommandKey></c:Reboot>"),
        " a<&bc "
    );
    assert_eq!(reboot_key("<c:Reboot><CommandKey>a\r\nb&#13;&#10;</CommandKey></c:Reboot>"), "a\nb\r\n");
    assert_eq!(reboot_key("<c:Reboot><CommandKey/></c:Reboot>"), "");
}

#[test]
fn a_default_namespace_and_qualified_arguments_are_read() {
    assert_eq!(
        reboot_key(r#"<Reboot xmlns="urn:dslforum-org:cwmp-1-0"><CommandKey>k</CommandKey></Reboot>"#),
        "k"
    );
    assert_eq!(reboot_key("<c:Reboot><c:CommandKey>k</c:CommandKey></c:Reboot>"), "k");
}

#[test]
fn any_xml_declaration_will_do() {
    let envelope = String::from_utf8(soap("", "<c:GetRPCMethods/>")).unwrap();
    for declaration in [
        r#"<?xml version="1.0"?>"#,
        "\u{FEFF}<?xml version='1.0' encoding='utf-8' standalone='yes'?>\r\n",
        r#"<?xml version="1.1" encoding="ISO-8859-1"?><!-- c --><?p i?>"#,
        "\n\n",
    ] {
        let read = decode_to_cpe(format!("{declaration}{envelope}\n<!-- end -->\n").as_bytes()).unwrap();
        assert_eq!(read.message, ToCpe::Request(CpeRequest::GetRPCMethods), "{declaration}");
    }
}

/// Conformance: 2.39
#[test]
fn the_namespace_tells_the_version() {
    let cases = [("1-0", "1.0"), ("1-1", "1.1"), ("1-2", "1.3"), ("1-3", "1.3"), ("1-4", "1.4")];
    for (namespace, version) in cases {
        let body = format!(r#"<x:GetRPCMethods xmlns:x="urn:dslforum-org:cwmp-{namespace}"/>"#);
        let envelope = decode_to_cpe(&soap("", &body)).unwrap();
        assert_eq!(envelope.version.as_str(), version, "{namespace}");
        assert_eq!(envelope.message, ToCpe::Request(CpeRequest::GetRPCMethods));
    }
}

#[test]
fn arguments_may_stand_in_any_order() {
    let body = "<c:GetParameterNames><NextLevel>true</NextLevel><ParameterPath>Device.</ParameterPath></c:GetParameterNames>";
    let call = GetParameterNames { path: "Device.".to_owned(), next_level: true };
    assert_eq!(read(body), ToCpe::Request(CpeRequest::GetParameterNames(call)));
}

/// Conformance: 4.25
#[test]
fn values_keep_their_blanks_and_unknown_types_are_none() {
    let cases = [
        ("<Value xsi:type='xsd:string'>  a\tb\n </Value>", Some(ValueType::String), "  a\tb\n "),
        ("<Value xsi:type=' xsd:unsignedInt '> 5 </Value>", Some(ValueType::UnsignedInt), " 5 "),
        ("<Value>x</Value>", None, "x"),
        ("<Value xsi:type='xsd:whatever'>x</Value>", None, "x"),
        ("<Value xsi:type='undeclared:int'>1</Value>", Some(ValueType::Int), "1"),
        ("<Value xsi:type='boolean'>1</Value>", Some(ValueType::Boolean), "1"),
        ("<Value xsi:type='e:base64'>AA==</Value>", Some(ValueType::Base64), "AA=="),
        ("<Value xsi:nil='true'/>", None, ""),
        ("<Value id='v' other='&lt;'>x</Value>", None, "x"),
    ];
    for (value, value_type, text) in cases {
        let read = first_value(&set_value(value));
        assert_eq!((read.value_type, read.value.as_str()), (value_type, text), "{value}");
    }
}

#[test]
fn an_undeclared_xsi_prefix_does_no_harm() {
    let body = set_value("<Value xsi:type='xsd:int'>1</Value>");
    let text = String::from_utf8(soap("", &body)).unwrap();
    let text = text.replace(r#" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance""#, "");
    let ToCpe::Request(CpeRequest::SetParameterValues(call)) =
        decode_to_cpe(text.as_bytes()).unwrap().message
    else {
        panic!("{text}");
    };
    assert_eq!(call.parameters[0].value_type, Some(ValueType::Int));
}

/// Conformance: 13.04
#[test]
fn the_announced_count_of_an_array_means_nothing() {
    let counts =
        ["", "e:arrayType='xsd:string[1]'", "e:arrayType='xsd:string[999999999]'", "e:arrayType='nonsense'"];
    for array_type in counts {
        let body = format!(
            "<c:GetParameterValues><ParameterNames {array_type}><string>A</string><xsd:string>B</xsd:string><item>C</item>\
             </ParameterNames></c:GetParameterValues>"
        );
        let names = ["A", "B", "C"].map(str::to_owned).to_vec();
        assert_eq!(read(&body), ToCpe::Request(CpeRequest::GetParameterValues(GetParameterValues { names })));
    }
}

#[test]
fn unknown_elements_inside_structures_are_skipped() {
    let value = "<Extra><Deep>1</Deep></Extra><Value xsi:type='xsd:string'>x</Value><c:More/>";
    assert_eq!(first_value(&set_value(value)).value, "x");
}

#[test]
fn an_inform_response_needs_no_content() {
    for body in
        ["<c:InformResponse/>", "<c:InformResponse><MaxEnvelopes>x</MaxEnvelopes><Y/></c:InformResponse>"]
    {
        assert_eq!(read(body), ToCpe::Response(AcsResponse::Inform(InformResponse { max_envelopes: 1 })));
    }
}

#[test]
fn faults_are_read_however_they_come() {
    let cwmp =
        "<detail><c:Fault><FaultCode>8005</FaultCode><FaultString>again</FaultString></c:Fault></detail>";
    let cases = [
        (
            format!(
                "<s:Fault><faultcode>s:Server</faultcode><faultstring>CWMP fault</faultstring>{cwmp}</s:Fault>"
            ),
            true,
        ),
        (format!("<s:Fault>{}</s:Fault>", cwmp.replace("detail>", "s:detail>")), true),
        (format!("<s:Fault>{}</s:Fault>", cwmp.replace("<FaultString>again</FaultString>", "")), true),
        ("<c:Fault><FaultCode>8005</FaultCode></c:Fault>".to_owned(), true),
        (
            "<s:Fault><s:faultcode>Server</s:faultcode><s:faultstring>x</s:faultstring></s:Fault>".to_owned(),
            false,
        ),
        (
            "<s:Fault><detail><c:Fault><FaultCode>x<y/></FaultCode></c:Fault></detail></s:Fault>".to_owned(),
            false,
        ),
        ("<s:Fault><faultcode><a/></faultcode><detail>plain text</detail></s:Fault>".to_owned(), false),
        ("<s:Fault/>".to_owned(), false),
    ];
    for (body, has_cwmp) in cases {
        let ToCpe::Fault(fault) = read(&body) else { panic!("{body}") };
        assert_eq!(
            fault.cwmp.map(|cwmp| cwmp.code),
            has_cwmp.then_some(FaultCode::ACS_RETRY_REQUEST),
            "{body}"
        );
    }
}

#[test]
fn a_soap_fault_alone_is_of_the_version_declared() {
    let envelope = decode_to_cpe(&soap("", "<s:Fault/>")).unwrap();
    assert_eq!(envelope.version, CwmpVersion::V1_3);
    let bare = r#"<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><e:Fault/></e:Body></e:Envelope>"#;
    assert_eq!(decode_to_cpe(bare.as_bytes()).unwrap().version, CwmpVersion::V1_0);
}

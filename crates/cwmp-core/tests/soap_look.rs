//! How envelopes look, to the letter.

#![allow(clippy::unwrap_used, reason = "tests")]

use cwmp_core::{
    fault::{CwmpFault, FaultCode, SetParameterValuesFault},
    rpc::*,
    soap::{encode_to_acs, encode_to_cpe, version_mismatch_fault},
};

const HEAD: &str = concat!(
    r#"<?xml version="1.0" encoding="UTF-8"?>"#,
    "\n",
    r#"<soap-env:Envelope xmlns:soap-env="http://schemas.xmlsoap.org/soap/envelope/" "#,
    r#"xmlns:soap-enc="http://schemas.xmlsoap.org/soap/encoding/" "#,
    r#"xmlns:xsd="http://www.w3.org/2001/XMLSchema" "#,
    r#"xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" "#,
    r#"xmlns:cwmp="urn:dslforum-org:cwmp-1-0">"#,
);

fn to_acs(message: ToAcs) -> String {
    let envelope = Envelope { version: CwmpVersion::V1_0, header: Header::default(), message };
    let text = String::from_utf8(encode_to_acs(&envelope)).unwrap();
    let body = text.strip_prefix(HEAD).and_then(|text| text.strip_prefix("<soap-env:Body>")).unwrap();
    body.strip_suffix("</soap-env:Body></soap-env:Envelope>").unwrap().to_owned()
}

fn refusal() -> CwmpFault {
    let mut fault = CwmpFault::new(FaultCode::INVALID_ARGUMENTS, "Invalid arguments");
    fault.parameters.push(SetParameterValuesFault {
        name: "Device.A".to_owned(),
        code: FaultCode::INVALID_PARAMETER_VALUE,
        text: "out of range".to_owned(),
    });
    fault
}

const REFUSAL: &str = "<soap-env:Fault><faultcode>Client</faultcode><faultstring>CWMP fault</faultstring><detail><cwmp:Fault>\
     <FaultCode>9003</FaultCode><FaultString>Invalid arguments</FaultString>\
     <SetParameterValuesFault><ParameterName>Device.A</ParameterName><FaultCode>9007</FaultCode>\
     <FaultString>out of range</FaultString></SetParameterValuesFault></cwmp:Fault></detail></soap-env:Fault>";

#[test]
fn an_answer_without_content() {
    assert_eq!(to_acs(ToAcs::Response(CpeResponse::Reboot)), "<cwmp:RebootResponse></cwmp:RebootResponse>");
}

/// Conformance: 4.06
#[test]
fn an_array_with_its_true_count() {
    let methods = ["Inform", "Reboot"].map(str::to_owned).to_vec();
    assert_eq!(
        to_acs(ToAcs::Response(CpeResponse::GetRPCMethods(methods))),
        "<cwmp:GetRPCMethodsResponse><MethodList soap-enc:arrayType=\"xsd:string[2]\">\
         <string>Inform</string><string>Reboot</string></MethodList></cwmp:GetRPCMethodsResponse>"
    );
}

#[test]
fn a_transfer_that_comes_later_has_no_times() {
    assert_eq!(
        to_acs(ToAcs::Response(CpeResponse::Download(TransferResponse::Later))),
        "<cwmp:DownloadResponse><Status>1</Status><StartTime>0001-01-01T00:00:00Z</StartTime>\
         <CompleteTime>0001-01-01T00:00:00Z</CompleteTime></cwmp:DownloadResponse>"
    );
}

/// Conformance: 4.03
#[test]
fn a_cwmp_fault() {
    assert_eq!(to_acs(ToAcs::Fault(refusal().into())), REFUSAL);
}

#[test]
fn what_cannot_be_used_is_written_as_its_fault() {
    assert_eq!(to_acs(ToAcs::Unusable { method: "Foo".to_owned(), fault: refusal() }), REFUSAL);
}

#[test]
fn a_fault_of_soap_alone() {
    assert_eq!(
        to_acs(ToAcs::Fault(version_mismatch_fault())),
        "<soap-env:Fault><faultcode>soap-env:VersionMismatch</faultcode>\
         <faultstring>the envelope is not one of SOAP 1.1</faultstring></soap-env:Fault>"
    );
}

#[test]
fn a_long_fault_string_of_a_transfer_is_cut() {
    let fault = FaultStruct { code: FaultCode(9010), text: "é".repeat(300) };
    let time = cwmp_core::datetime::DateTime::Unknown;
    let text = to_acs(ToAcs::Request(AcsRequest::TransferComplete(TransferComplete {
        command_key: CommandKey::default(),
        fault,
        start_time: time,
        complete_time: time,
    })));
    assert!(text.contains(&format!("<FaultString>{}</FaultString>", "é".repeat(256))), "{text}");
}

#[test]
fn optional_arguments_of_an_operation_are_left_out_when_empty() {
    let operation = OperationStruct::Uninstall {
        uuid: "u".to_owned(),
        version: String::new(),
        execution_env_ref: String::new(),
    };
    let call = ChangeDUState { operations: vec![operation], command_key: CommandKey::default() };
    let message = ToCpe::Request(CpeRequest::ChangeDUState(call));
    let bytes = encode_to_cpe(&Envelope { version: CwmpVersion::V1_2, header: Header::default(), message });
    let text = String::from_utf8(bytes).unwrap();
    let expected = "<cwmp:ChangeDUState><Operations xsi:type=\"cwmp:UninstallOpStruct\"><UUID>u</UUID></Operations>\
                    <CommandKey></CommandKey></cwmp:ChangeDUState>";
    assert!(text.contains(expected), "{text}");
}

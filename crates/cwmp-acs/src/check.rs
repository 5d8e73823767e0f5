//! What is implausible in what a CPE says: the checks that need no more than one message, or a request and its answer.

use std::collections::HashSet;

use cwmp_core::{
    datetime::DateTime,
    event::EventCode,
    limits,
    rpc::{
        AcsRequest, CpeRequest, CpeResponse, Fault, Header, Inform, ParameterAttributeStruct,
        ParameterInfoStruct, ParameterValueStruct, ToAcs,
    },
    value::ValueType,
};

use crate::{
    exchange::{Content, Post},
    report::Rule,
};

/// Where findings go: the rule broken and how.
pub type Findings = Vec<(Rule, String)>;

/// Longest `cwmp:ID`, in characters, in the schema of CWMP 1.4.
const ID_CHARACTERS: usize = 32;
/// Shortest SessionTimeout, in seconds (TR-069a6 3.5).
const SESSION_TIMEOUT_LEAST: u32 = 30;

/// HTTP header fields of a POST (TR-069a6 3.4.1).
pub fn headers(post: &Post, findings: &mut Findings) {
    if matches!(post.content, Content::Empty) {
        for (name, value) in [("SOAPAction", &post.soap_action), ("Content-Type", &post.content_type)] {
            if value.is_some() {
                findings.push((Rule::EmptyPostHeaders, format!("an empty POST with {name}")));
            }
        }
        return;
    }
    match post.content_type.as_deref() {
        None => findings.push((Rule::ContentType, "an envelope without Content-Type".to_owned())),
        Some(text) if !is_xml(text) => {
            findings.push((Rule::ContentType, format!("Content-Type `{}`, not text/xml", brief(text))));
        }
        Some(_) => {}
    }
    match post.soap_action.as_deref() {
        None => findings.push((Rule::SoapAction, "an envelope without SOAPAction".to_owned())),
        Some("") => {}
        Some(text) => findings.push((Rule::SoapAction, format!("SOAPAction `{}`, not empty", brief(text)))),
    }
}

fn is_xml(content_type: &str) -> bool {
    content_type.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/xml"))
}

/// SOAP headers (TR-069a6 3.5).
pub fn header(header: &Header, message: &ToAcs, findings: &mut Findings) {
    let is_inform = matches!(message, ToAcs::Request(AcsRequest::Inform(_)));
    let is_request = matches!(message, ToAcs::Request(_) | ToAcs::Unusable { .. });
    match &header.id {
        // Whether an answer has the right one, or rightly none, is seen beside its request.
        None if !is_request => {}
        None => findings.push((Rule::Id, "a request without ID".to_owned())),
        Some(id) if id.chars().count() > ID_CHARACTERS => {
            findings.push((Rule::Id, format!("an ID of more than {ID_CHARACTERS} characters")));
        }
        Some(_) => {}
    }
    if header.hold_requests || header.no_more_requests {
        findings.push((Rule::Envelope, "HoldRequests or NoMoreRequests from a CPE".to_owned()));
    }
    if header.session_timeout.is_some_and(|seconds| !is_inform || seconds < SESSION_TIMEOUT_LEAST) {
        let text = format!("SessionTimeout outside Inform or below {SESSION_TIMEOUT_LEAST}");
        findings.push((Rule::Envelope, text));
    }
    if !is_inform && !header.supported_cwmp_versions.is_empty() {
        findings.push((Rule::Version, "SupportedCWMPVersions outside Inform".to_owned()));
    }
    if header.use_cwmp_version.is_some() {
        findings.push((Rule::Version, "UseCWMPVersion from a CPE".to_owned()));
    }
}

/// Inform (TR-069a6 A.3.3.1, 3.7.1.5).
pub fn inform(inform: &Inform, findings: &mut Findings) {
    let mut found = |text: String| findings.push((Rule::InformContent, text));
    let device = &inform.device_id;
    let hex = |b: u8| b.is_ascii_digit() || (b'A'..=b'F').contains(&b);
    if device.oui.len() != 6 || !device.oui.bytes().all(hex) {
        found(format!("OUI `{}` is not six upper-case hexadecimal digits", brief(&device.oui)));
    }
    if device.serial_number.is_empty() {
        found("SerialNumber is empty".to_owned());
    }
    if inform.max_envelopes != 1 {
        found(format!("MaxEnvelopes is {}, not 1", inform.max_envelopes));
    }
    if inform.current_time == DateTime::Infinite {
        found("CurrentTime is infinite".to_owned());
    }
    if inform.events.is_empty() || inform.events.len() > limits::INFORM_EVENTS {
        found(format!("{} events", inform.events.len()));
    }
    let mut seen = HashSet::new();
    for event in &inform.events {
        let code = event.code.as_str();
        if !seen.insert(event)
            || (!event.code.is_multiple() && seen.iter().filter(|e| e.code == event.code).count() > 1)
        {
            found(format!("event `{}` twice", brief(code)));
        }
        if !event.code.is_multiple()
            && !event.command_key.as_str().is_empty()
            && !matches!(event.code, EventCode::Other(_))
        {
            found(format!("event `{code}` with a CommandKey"));
        }
    }
    let has = |code: &EventCode| inform.events.iter().any(|event| event.code == *code);
    if has(&EventCode::MScheduleInform) != has(&EventCode::Scheduled) {
        found("`3 SCHEDULED` and `M ScheduleInform` come together".to_owned());
    }
    let names: HashSet<&str> = inform.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
    if names.len() != inform.parameters.len() {
        found("a parameter twice in ParameterList".to_owned());
    }
    if !has(&EventCode::Heartbeat) {
        for missing in forced_parameters(&names).into_iter().filter(|name| !names.contains(name.as_str())) {
            found(format!("the forced parameter {missing} is missing"));
        }
    }
    values(&inform.parameters, Rule::InformContent, findings);
}

/// Parameters that every Inform holds, whatever the version of the data model (TR-181, TR-098).
fn forced_parameters(names: &HashSet<&str>) -> Vec<String> {
    let is_igd = names.iter().any(|name| name.starts_with("InternetGatewayDevice."));
    let (root, first) = if is_igd {
        ("InternetGatewayDevice.", "DeviceSummary")
    } else {
        ("Device.", "RootDataModelVersion")
    };
    let rest = [
        "DeviceInfo.HardwareVersion",
        "DeviceInfo.SoftwareVersion",
        "DeviceInfo.ProvisioningCode",
        "ManagementServer.ParameterKey",
        "ManagementServer.ConnectionRequestURL",
    ];
    [first].into_iter().chain(rest).map(|name| format!("{root}{name}")).collect()
}

/// Each value has a type and is one of it.
fn values(list: &[ParameterValueStruct], rule: Rule, findings: &mut Findings) {
    for parameter in list {
        let name = brief(&parameter.name);
        match parameter.value_type {
            None => findings.push((rule, format!("{name} has no known xsi:type"))),
            Some(kind) if !is_valid(kind, &parameter.value) => {
                findings.push((rule, format!("{name} is no {}", kind.xsd_name())));
            }
            Some(_) => {}
        }
    }
}

/// Whether a text is a value of this type.
#[must_use]
pub fn is_valid(kind: ValueType, text: &str) -> bool {
    match kind {
        ValueType::String => true,
        ValueType::Int => text.parse::<i32>().is_ok(),
        ValueType::UnsignedInt => text.parse::<u32>().is_ok(),
        ValueType::Long => text.parse::<i64>().is_ok(),
        ValueType::UnsignedLong => text.parse::<u64>().is_ok(),
        ValueType::Boolean => matches!(text, "0" | "1" | "true" | "false"),
        ValueType::DateTime => DateTime::parse(text).is_ok(),
        ValueType::Base64 => {
            let body = text.trim_end_matches('=');
            text.len().is_multiple_of(4)
                && text.len() - body.len() < 3
                && body.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
        }
        ValueType::HexBinary => text.len().is_multiple_of(2) && text.bytes().all(|b| b.is_ascii_hexdigit()),
        ValueType::Decimal => {
            let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
            digits.bytes().any(|b| b.is_ascii_digit())
                && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
                && digits.bytes().filter(|b| *b == b'.').count() < 2
        }
    }
}

/// Whether the answer can be one to this request (TR-069a6 A.3.2).
pub fn response(request: &CpeRequest, response: &CpeResponse, findings: &mut Findings) {
    match (request, response) {
        (CpeRequest::GetParameterValues(asked), CpeResponse::GetParameterValues(list)) => {
            let names: Vec<&str> =
                list.iter().map(|ParameterValueStruct { name, .. }| name.as_str()).collect();
            listed(&asked.names, &names, findings);
            values(list, Rule::ResponseContent, findings);
        }
        (CpeRequest::GetParameterAttributes(asked), CpeResponse::GetParameterAttributes(list)) => {
            let names: Vec<&str> =
                list.iter().map(|ParameterAttributeStruct { name, .. }| name.as_str()).collect();
            listed(&asked.names, &names, findings);
            for entry in list.iter().filter(|entry| !(0..=6).contains(&entry.notification)) {
                let text = format!("{} has Notification {}", brief(&entry.name), entry.notification);
                findings.push((Rule::ResponseContent, text));
            }
        }
        (CpeRequest::GetParameterNames(asked), CpeResponse::GetParameterNames(list)) => {
            names(&asked.path, asked.next_level, list, findings);
        }
        (CpeRequest::AddObject(_), CpeResponse::AddObject(added)) if added.instance_number == 0 => {
            findings.push((Rule::ResponseContent, "AddObject with InstanceNumber 0".to_owned()));
        }
        (CpeRequest::GetRPCMethods, CpeResponse::GetRPCMethods(methods)) => {
            let distinct: HashSet<&String> = methods.iter().collect();
            if distinct.len() != methods.len() {
                findings.push((Rule::ResponseContent, "a method twice in MethodList".to_owned()));
            }
        }
        _ => {}
    }
}

/// Each full name asked for is there, nothing is there that was not asked for, and nothing twice.
fn listed(asked: &[String], names: &[&str], findings: &mut Findings) {
    let mut found = |text: String| findings.push((Rule::ResponseContent, text));
    let present: HashSet<&str> = names.iter().copied().collect();
    if present.len() != names.len() {
        found("a parameter twice in one list".to_owned());
    }
    // Wildcards and aliases name instances in another way than the answer may, and an answer may hold aliases where
    // numbers were asked for (InstanceMode): what they cover is not judged.
    if asked.iter().map(String::as_str).chain(names.iter().copied()).any(|name| name.contains(['*', '['])) {
        return;
    }
    let (partial, full): (Vec<&str>, Vec<&str>) =
        asked.iter().map(String::as_str).partition(|name| name.is_empty() || name.ends_with('.'));
    for missing in full.iter().filter(|name| !present.contains(**name)) {
        found(format!("{} was asked for and is missing", brief(missing)));
    }
    let full: HashSet<&str> = full.into_iter().collect();
    for name in names {
        if name.ends_with('.') {
            found(format!("{} is no parameter", brief(name)));
        } else if !full.contains(name) && !partial.iter().any(|path| name.starts_with(path)) {
            found(format!("{} was not asked for", brief(name)));
        }
    }
}

/// GetParameterNames (A.3.2.3).
fn names(path: &str, next_level: bool, list: &[ParameterInfoStruct], findings: &mut Findings) {
    let mut found = |text: String| findings.push((Rule::ResponseContent, text));
    let present: HashSet<&str> = list.iter().map(|entry| entry.name.as_str()).collect();
    if present.len() != list.len() {
        found("a name twice in one list".to_owned());
    }
    if path.contains(['*', '[']) || present.iter().any(|name| name.contains('[')) {
        return;
    }
    if !next_level && !path.is_empty() && !present.contains(path) {
        found(format!("{} itself is missing", brief(path)));
    }
    for name in present {
        let Some(below) = name.strip_prefix(path) else {
            found(format!("{} is not below {}", brief(name), brief(path)));
            continue;
        };
        let depth = below.strip_suffix('.').unwrap_or(below).split('.').count();
        if next_level && (below.is_empty() || depth != 1) {
            found(format!("{} is no child of {}", brief(name), brief(path)));
        }
        if !below.is_empty() && !path.is_empty() && !path.ends_with('.') {
            found(format!("{} is not {}", brief(name), brief(path)));
        }
    }
}

/// A fault of the CPE (TR-069a6 3.5, A.5.1). `None`: the request is not known.
pub fn fault(request: Option<&CpeRequest>, fault: &Fault, findings: &mut Findings) {
    let mut found = |text: String| findings.push((Rule::FaultForm, text));
    let Some(cwmp) = &fault.cwmp else {
        if matches!(fault.faultcode.as_str(), "Client" | "Server") {
            found("a fault without its CWMP part".to_owned());
        }
        return;
    };
    if fault.faultstring != "CWMP fault" {
        found(format!("faultstring `{}`, not `CWMP fault`", brief(&fault.faultstring)));
    }
    if !(9000..=9899).contains(&cwmp.code.0) {
        found(format!("{} is no fault code of a CPE", cwmp.code));
    }
    let expected = if cwmp.code.blames_client() { "Client" } else { "Server" };
    if cwmp.code.0 < 9010 && fault.faultcode != expected {
        found(format!("faultcode {} with {}, not {expected}", brief(&fault.faultcode), cwmp.code));
    }
    if cwmp.parameters.is_empty() {
        return;
    }
    let Some(CpeRequest::SetParameterValues(set)) = request else {
        if request.is_some() {
            found("SetParameterValuesFault in answer to another method".to_owned());
        }
        return;
    };
    if cwmp.code.0 != 9003 {
        found(format!("SetParameterValuesFault with {}, not 9003", cwmp.code));
    }
    for entry in &cwmp.parameters {
        if !matches!(entry.code.0, 9001 | 9002 | 9005..=9008 | 9800..=9899) {
            found(format!("{} for the single parameter {}", entry.code, brief(&entry.name)));
        }
        if !set.parameters.iter().any(|parameter| parameter.name == entry.name) {
            found(format!("SetParameterValuesFault for {}, which was not set", brief(&entry.name)));
        }
    }
}

/// A text of a peer for one line: no control characters, at most 80 characters.
#[must_use]
pub fn brief(text: &str) -> String {
    let clean = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut short: String = text.chars().take(80).map(clean).collect();
    if short.len() < text.len() && text.chars().nth(80).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;

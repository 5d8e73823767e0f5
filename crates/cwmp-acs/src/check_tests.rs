use cwmp_core::{
    event::EventStruct,
    fault::{CwmpFault, FaultCode, SetParameterValuesFault},
    rpc::{
        CommandKey, DeviceId, GetParameterNames, GetParameterValues, ParameterKey, SetParameterValues, Status,
    },
};

use super::*;

fn found(check: impl FnOnce(&mut Findings)) -> Vec<String> {
    let mut findings = Vec::new();
    check(&mut findings);
    findings.into_iter().map(|(_, text)| text).collect()
}

fn string(name: &str, value: &str) -> ParameterValueStruct {
    ParameterValueStruct { name: name.into(), value_type: Some(ValueType::String), value: value.into() }
}

fn good_inform() -> Inform {
    let forced = forced_parameters(&HashSet::new());
    Inform {
        device_id: DeviceId { oui: "00D09E".into(), serial_number: "1".into(), ..DeviceId::default() },
        events: vec![EventStruct::new(EventCode::Boot)],
        max_envelopes: 1,
        current_time: DateTime::Unknown,
        retry_count: 0,
        parameters: forced.iter().map(|name| string(name, "x")).collect(),
    }
}

fn inform_with(change: impl FnOnce(&mut Inform)) -> Vec<String> {
    let mut content = good_inform();
    change(&mut content);
    found(|findings| inform(&content, findings))
}

#[test]
fn a_good_inform_passes() {
    assert_eq!(inform_with(|_| {}), Vec::<String>::new());
}

#[test]
fn what_is_wrong_with_an_inform_is_found() {
    let key = CommandKey::new("k").unwrap();
    let multiple = EventStruct { code: EventCode::MReboot, command_key: key.clone() };
    assert_eq!(inform_with(|inform| inform.device_id.oui = "00d09e".into()).len(), 1);
    assert_eq!(inform_with(|inform| inform.device_id.serial_number.clear()).len(), 1);
    assert_eq!(inform_with(|inform| inform.max_envelopes = 2).len(), 1);
    assert_eq!(inform_with(|inform| inform.events.clear()).len(), 1);
    assert_eq!(inform_with(|inform| inform.events.push(EventStruct::new(EventCode::Boot))).len(), 1);
    assert_eq!(inform_with(|inform| inform.events[0].command_key = key).len(), 1);
    assert_eq!(inform_with(|inform| inform.events.push(EventStruct::new(EventCode::Scheduled))).len(), 1);
    assert_eq!(inform_with(|inform| inform.events.push(multiple.clone())).len(), 0);
    assert_eq!(inform_with(|inform| inform.events.extend([multiple.clone(), multiple.clone()])).len(), 1);
    assert_eq!(inform_with(|inform| drop(inform.parameters.pop())).len(), 1);
    assert_eq!(inform_with(|inform| inform.parameters[0].value_type = None).len(), 1);
}

#[test]
fn headers_follow_the_body() {
    let post = |content_type: Option<&str>, soap_action: Option<&str>, content| Post {
        content_type: content_type.map(str::to_owned),
        soap_action: soap_action.map(str::to_owned),
        content,
    };
    let broken = || Content::Broken(String::new());
    let count = |post: Post| found(|findings| headers(&post, findings)).len();
    assert_eq!(count(post(Some("text/xml;charset=UTF-8"), Some(""), broken())), 0);
    assert_eq!(count(post(None, None, broken())), 2);
    assert_eq!(count(post(Some("application/soap+xml"), Some("\"\""), broken())), 2);
    assert_eq!(count(post(None, None, Content::Empty)), 0);
    assert_eq!(count(post(Some("text/xml"), Some(""), Content::Empty)), 2);
}

#[test]
fn values_are_of_their_type() {
    use ValueType::*;
    let good = [
        (Int, "-2147483648"),
        (UnsignedInt, "4294967295"),
        (Long, "-1"),
        (Boolean, "true"),
        (DateTime, "2026-01-01T00:00:00Z"),
        (Base64, "QQ=="),
        (HexBinary, "0aFF"),
        (Decimal, "-1.50"),
        (Base64, ""),
    ];
    let bad = [
        (Int, "2147483648"),
        (UnsignedInt, "-1"),
        (Boolean, "yes"),
        (DateTime, "today"),
        (Base64, "QQ="),
        (Base64, "Q==="),
        (HexBinary, "abc"),
        (Decimal, "1.2.3"),
        (Decimal, "."),
    ];
    assert!(good.iter().all(|(kind, text)| is_valid(*kind, text)), "{good:?}");
    for (kind, text) in bad {
        assert!(!is_valid(kind, text), "{kind:?} {text}");
    }
}

#[test]
fn a_list_holds_what_was_asked_for() {
    let count = |asked: &[&str], names: &[&str]| {
        let names = names.iter().map(|name| string(name, "")).collect();
        let request = CpeRequest::GetParameterValues(GetParameterValues {
            names: asked.iter().map(|name| (*name).to_owned()).collect(),
        });
        found(|findings| response(&request, &CpeResponse::GetParameterValues(names), findings)).len()
    };
    assert_eq!(count(&["A.B", "A.C."], &["A.B", "A.C.D", "A.C.1.E"]), 0);
    assert_eq!(count(&["A.C."], &[]), 0);
    assert_eq!(count(&[""], &["A.B"]), 0);
    assert_eq!(count(&["A.B"], &[]), 1);
    assert_eq!(count(&["A.B"], &["A.B", "A.X"]), 1);
    assert_eq!(count(&["A.B"], &["A.B", "A.B"]), 1);
    assert_eq!(count(&["A."], &["A.C."]), 1);
    assert_eq!(count(&["A.*.B"], &["A.1.B"]), 0);
}

#[test]
fn names_are_of_the_level_asked_for() {
    let count = |path: &str, next_level: bool, names: &[&str]| {
        let list = names.iter().map(|name| ParameterInfoStruct { name: (*name).to_owned(), writable: false });
        let answer = CpeResponse::GetParameterNames(list.collect());
        let request = CpeRequest::GetParameterNames(GetParameterNames { path: path.into(), next_level });
        found(|findings| response(&request, &answer, findings)).len()
    };
    assert_eq!(count("A.", false, &["A.", "A.B", "A.C.", "A.C.D"]), 0);
    assert_eq!(count("A.", true, &["A.B", "A.C."]), 0);
    assert_eq!(count("", true, &["Device."]), 0);
    assert_eq!(count("", false, &["Device.", "Device.A"]), 0);
    assert_eq!(count("A.B", false, &["A.B"]), 0);
    assert_eq!(count("A.", false, &["A.B"]), 1);
    assert_eq!(count("A.", true, &["A.", "A.B"]), 1);
    assert_eq!(count("A.", true, &["A.B.C"]), 1);
    assert_eq!(count("A.", true, &["X.B"]), 1);
    assert_eq!(count("A.B", false, &["A.B", "A.BC"]), 1);
}

#[test]
fn faults_have_their_form() {
    let set = CpeRequest::SetParameterValues(SetParameterValues {
        parameters: vec![string("A.B", "1")],
        parameter_key: ParameterKey::default(),
    });
    let entry = |name: &str, code: u32| SetParameterValuesFault {
        name: name.into(),
        code: FaultCode(code),
        text: String::new(),
    };
    let count = |request: &CpeRequest, code: u32, parameters: Vec<SetParameterValuesFault>| {
        let mut cwmp = CwmpFault::new(FaultCode(code), "");
        cwmp.parameters = parameters;
        found(|findings| fault(Some(request), &Fault::from(cwmp), findings)).len()
    };
    assert_eq!(count(&set, 9003, vec![entry("A.B", 9007)]), 0);
    assert_eq!(count(&set, 9003, Vec::new()), 0);
    assert_eq!(count(&set, 9005, vec![entry("A.B", 9005)]), 1);
    assert_eq!(count(&set, 9003, vec![entry("A.C", 9005)]), 1);
    assert_eq!(count(&set, 9003, vec![entry("A.B", 9004)]), 1);
    assert_eq!(count(&CpeRequest::GetRPCMethods, 9003, vec![entry("A.B", 9005)]), 1);
    assert_eq!(count(&set, 8003, Vec::new()), 1);
    let bare = Fault { cwmp: None, faultcode: "Client".into(), faultstring: String::new() };
    assert_eq!(found(|findings| fault(None, &bare, findings)).len(), 1);
    let wrong = Fault { faultcode: "Server".into(), ..Fault::from(CwmpFault::new(FaultCode(9005), "")) };
    assert_eq!(found(|findings| fault(None, &wrong, findings)).len(), 1);
}

#[test]
fn an_instance_has_a_number() {
    let request = CpeRequest::AddObject(cwmp_core::rpc::AddObject {
        object_name: "A.".into(),
        parameter_key: ParameterKey::default(),
    });
    let added = cwmp_core::rpc::AddObjectResponse { instance_number: 0, status: Status::Applied };
    assert_eq!(found(|findings| response(&request, &CpeResponse::AddObject(added), findings)).len(), 1);
}

#[test]
fn a_text_of_a_peer_is_cut_and_cleaned() {
    assert_eq!(brief("a\r\nb"), "a\u{fffd}\u{fffd}b");
    assert_eq!(brief(&"x".repeat(81)).chars().count(), 81);
    assert!(brief(&"x".repeat(81)).ends_with('…'));
    assert_eq!(brief(&"ä".repeat(80)), "ä".repeat(80));
}

use cwmp_core::{
    datetime::DateTime,
    event::{EventCode, EventStruct},
    rpc::{
        CommandKey, DeviceId, FaultStruct, GetParameterNames, ParameterInfoStruct, Status, TransferComplete,
    },
};

use super::*;

fn envelope_of(version: CwmpVersion, id: &str, message: ToAcs) -> Post {
    let header = with_id(Some(id.to_owned()));
    post(Content::Envelope(Box::new(Envelope { version, header, message })))
}

fn post(content: Content) -> Post {
    let is_empty = matches!(content, Content::Empty);
    Post {
        content_type: (!is_empty).then(|| "text/xml; charset=utf-8".to_owned()),
        soap_action: (!is_empty).then(String::new),
        content,
    }
}

fn inform_message() -> ToAcs {
    ToAcs::Request(AcsRequest::Inform(Inform {
        device_id: DeviceId { oui: "00D09E".into(), serial_number: "1".into(), ..DeviceId::default() },
        events: vec![EventStruct::new(EventCode::Heartbeat)],
        max_envelopes: 1,
        current_time: DateTime::Unknown,
        retry_count: 0,
        parameters: Vec::new(),
    }))
}

/// A session together with the calls that wait for it.
struct Bench {
    session: Session,
    calls: Vec<Call>,
    seen: Vec<Rule>,
    answers: Vec<(CallId, Result<CpeResponse, CallError>)>,
}

impl Bench {
    fn new(calls: Vec<CpeRequest>) -> Self {
        let calls = calls.into_iter().enumerate();
        let calls =
            calls.map(|(n, request)| Call { id: CallId(n as u64), payload: Payload::Request(request) });
        let calls = calls.rev().collect();
        Self { session: Session::new(CwmpVersion::V1_4), calls, seen: Vec::new(), answers: Vec::new() }
    }

    /// The same after its Inform.
    fn informed(calls: Vec<CpeRequest>) -> Self {
        let mut bench = Self::new(calls);
        bench.send(envelope_of(CwmpVersion::V1_3, "1", inform_message()));
        assert!(bench.seen.is_empty(), "{:?}", bench.seen);
        bench
    }

    fn send(&mut self, post: Post) -> Reply {
        self.send_held(post, false)
    }

    fn send_held(&mut self, post: Post, hold: bool) -> Reply {
        let outcome = self.session.receive(post, hold, &mut || self.calls.pop());
        self.seen.extend(outcome.findings.iter().map(|(rule, _)| *rule));
        self.answers.extend(outcome.answered);
        outcome.reply
    }

    fn empty(&mut self) -> Reply {
        self.send(post(Content::Empty))
    }

    fn respond(&mut self, id: &str, response: CpeResponse) -> Reply {
        self.send(envelope_of(CwmpVersion::V1_3, id, ToAcs::Response(response)))
    }

    fn request(&mut self, request: AcsRequest) -> Reply {
        self.send(envelope_of(CwmpVersion::V1_3, "7", ToAcs::Request(request)))
    }
}

fn sent(reply: Reply) -> Envelope<ToCpe> {
    match reply {
        Reply::Envelope(envelope) => *envelope,
        other => panic!("{other:?}"),
    }
}

fn transfer_complete() -> AcsRequest {
    AcsRequest::TransferComplete(TransferComplete {
        command_key: CommandKey::default(),
        fault: FaultStruct::success(),
        start_time: DateTime::Unknown,
        complete_time: DateTime::Unknown,
    })
}

#[test]
fn a_session_without_calls_ends_with_204_to_the_empty_post() {
    let mut bench = Bench::new(Vec::new());
    let welcome = sent(bench.send(envelope_of(CwmpVersion::V1_0, "x 1", inform_message())));
    assert_eq!(welcome.version, CwmpVersion::V1_0);
    assert_eq!(welcome.header, with_id(Some("x 1".into())));
    assert!(bench.session.is_open());
    assert!(matches!(bench.empty(), Reply::Empty));
    assert!(bench.session.is_over());
    assert_eq!(bench.seen, []);
}

#[test]
fn the_newest_version_of_both_is_agreed() {
    let mut post = envelope_of(CwmpVersion::V1_3, "1", inform_message());
    let Content::Envelope(envelope) = &mut post.content else { unreachable!() };
    envelope.header.supported_cwmp_versions = CwmpVersion::ALL.to_vec();
    let mut session = Session::new(CwmpVersion::V1_2);
    let reply = sent(session.receive(post, false, &mut || None).reply);
    assert_eq!((reply.version, reply.header.use_cwmp_version), (CwmpVersion::V1_2, Some(CwmpVersion::V1_2)));
}

#[test]
fn calls_follow_one_another_until_none_is_left() {
    let mut bench = Bench::informed(vec![CpeRequest::GetRPCMethods, CpeRequest::FactoryReset]);
    let first = sent(bench.empty());
    assert_eq!(first.message, ToCpe::Request(CpeRequest::GetRPCMethods));
    let methods = CpeResponse::GetRPCMethods(vec!["Reboot".into()]);
    let second = sent(bench.respond(first.header.id.as_deref().unwrap(), methods.clone()));
    assert_eq!(second.message, ToCpe::Request(CpeRequest::FactoryReset));
    assert_ne!(first.header.id, second.header.id);
    let fault = Fault::from(CwmpFault::new(FaultCode::REQUEST_DENIED, "no"));
    let id = second.header.id.unwrap();
    let reply = bench.send(envelope_of(CwmpVersion::V1_3, &id, ToAcs::Fault(fault.clone())));
    assert!(matches!(reply, Reply::Empty));
    assert!(bench.session.is_over(), "the CPE's first empty POST has said that it has no request");
    assert_eq!(bench.answers, [(CallId(0), Ok(methods)), (CallId(1), Err(CallError::Fault(fault)))]);
    assert_eq!(bench.seen, []);
}

#[test]
fn requests_of_the_cpe_are_answered() {
    let mut bench = Bench::informed(Vec::new());
    let reply = sent(bench.request(transfer_complete()));
    assert_eq!(reply.message, ToCpe::Response(AcsResponse::TransferComplete));
    assert_eq!(reply.header.id.as_deref(), Some("7"));
    let reply = sent(bench.request(AcsRequest::GetRPCMethods));
    assert!(matches!(reply.message, ToCpe::Response(AcsResponse::GetRPCMethods(list)) if list.len() == 8));
    assert_eq!(bench.seen, []);
}

#[test]
fn nothing_comes_before_inform_and_inform_comes_once() {
    let mut bench = Bench::new(vec![CpeRequest::GetRPCMethods]);
    assert!(matches!(bench.empty(), Reply::Refuse(_)));
    let refused = sent(bench.request(transfer_complete()));
    assert!(matches!(refused.message, ToCpe::Fault(_)));
    assert!(matches!(bench.respond("1", CpeResponse::Reboot), Reply::Refuse(_)));
    assert_eq!(bench.seen, [Rule::InformFirst; 3]);
    let mut bench = Bench::informed(Vec::new());
    bench.send(envelope_of(CwmpVersion::V1_3, "1", inform_message()));
    assert_eq!(bench.seen, [Rule::InformOnce]);
}

#[test]
fn a_call_that_is_passed_over_is_noticed() {
    let mut bench = Bench::informed(vec![CpeRequest::GetRPCMethods]);
    sent(bench.empty());
    bench.request(transfer_complete());
    assert_eq!(bench.seen, [Rule::AnswerAtOnce, Rule::NoMoreRequests]);
    bench.empty();
    assert_eq!(bench.seen.len(), 3);
    assert!(matches!(bench.answers.as_slice(), [(CallId(0), Err(CallError::NoAnswer(_)))]));
}

#[test]
fn an_answer_has_to_match_its_call() {
    let mut bench = Bench::informed(vec![CpeRequest::GetRPCMethods, CpeRequest::FactoryReset]);
    sent(bench.empty());
    let second = sent(bench.respond("wrong", CpeResponse::GetRPCMethods(Vec::new())));
    assert_eq!(bench.seen, [Rule::Id]);
    bench.respond(second.header.id.as_deref().unwrap(), CpeResponse::Reboot);
    assert_eq!(bench.seen, [Rule::Id, Rule::ResponseMethod]);
    assert!(matches!(bench.respond("x", CpeResponse::SetParameterValues(Status::Applied)), Reply::Refuse(_)));
    assert_eq!(bench.seen.last(), Some(&Rule::ResponseToNothing));
}

#[test]
fn a_response_is_held_against_its_request() {
    let names = GetParameterNames { path: "Device.".into(), next_level: true };
    let mut bench = Bench::informed(vec![CpeRequest::GetParameterNames(names)]);
    let call = sent(bench.empty());
    let entry = ParameterInfoStruct { name: "Device.Time.Enable".into(), writable: true };
    bench.respond(call.header.id.as_deref().unwrap(), CpeResponse::GetParameterNames(vec![entry]));
    assert_eq!(bench.seen, [Rule::ResponseContent]);
}

#[test]
fn hold_requests_holds_until_a_reply_without_it() {
    let mut bench = Bench::new(vec![CpeRequest::GetRPCMethods]);
    let reply = sent(bench.send_held(envelope_of(CwmpVersion::V1_3, "1", inform_message()), true));
    assert!(reply.header.hold_requests);
    let call = sent(bench.empty());
    bench.respond(call.header.id.as_deref().unwrap(), CpeResponse::GetRPCMethods(Vec::new()));
    assert!(!bench.session.is_over());
    bench.request(transfer_complete());
    assert_eq!(bench.seen, [], "the empty POST under HoldRequests was not the CPE's last word");

    let mut bench = Bench::new(Vec::new());
    bench.send_held(envelope_of(CwmpVersion::V1_3, "1", inform_message()), true);
    bench.request(transfer_complete());
    assert_eq!(bench.seen, [Rule::HoldRequests]);
}

#[test]
fn the_version_agreed_is_kept() {
    let mut bench = Bench::informed(Vec::new());
    let message = ToAcs::Request(AcsRequest::GetRPCMethods);
    bench.send(envelope_of(CwmpVersion::V1_0, "2", message));
    assert_eq!(bench.seen, [Rule::Version]);
}

#[test]
fn a_raw_envelope_expects_what_it_asks() {
    let mut bench = Bench::informed(Vec::new());
    let envelope = Envelope {
        version: CwmpVersion::V1_2,
        header: with_id(Some("raw".into())),
        message: ToCpe::Request(CpeRequest::FactoryReset),
    };
    bench.calls.push(Call { id: CallId(9), payload: Payload::Raw(soap::encode_to_cpe(&envelope)) });
    assert!(matches!(bench.empty(), Reply::Raw(_)));
    bench.respond("raw", CpeResponse::FactoryReset);
    assert_eq!(bench.seen, []);
    assert_eq!(bench.answers, [(CallId(9), Ok(CpeResponse::FactoryReset))]);
    bench.session.replaced_reply(200, b"no envelope at all");
    assert!(matches!(bench.empty(), Reply::Empty));
    assert_eq!(bench.seen, [], "what cannot be read need not be answered");
}

#[test]
fn a_body_that_is_no_envelope_is_refused() {
    let mut bench = Bench::informed(Vec::new());
    assert!(matches!(bench.send(post(Content::read(b"<a>"))), Reply::Refuse(_)));
    assert_eq!(bench.seen, [Rule::Envelope]);
}

#[test]
fn giving_up_names_the_call_that_stays_open() {
    let mut bench = Bench::informed(vec![CpeRequest::GetRPCMethods]);
    sent(bench.empty());
    assert_eq!(bench.session.give_up(), Some(CallId(0)));
    assert_eq!(bench.session.give_up(), None);
}

#[test]
fn a_reply_that_was_replaced_is_no_end() {
    let mut bench = Bench::informed(Vec::new());
    bench.empty();
    assert!(bench.session.is_over());
    bench.session.replaced_reply(204, b"");
    assert!(bench.session.is_over());
    bench.session.replaced_reply(500, b"");
    assert!(!bench.session.is_over());
}

#[test]
fn a_request_of_the_cpe_has_an_id() {
    let mut bench = Bench::informed(Vec::new());
    let mut post = envelope_of(CwmpVersion::V1_3, "", ToAcs::Request(AcsRequest::GetRPCMethods));
    let Content::Envelope(envelope) = &mut post.content else { unreachable!() };
    envelope.header.id = None;
    bench.send(post);
    assert_eq!(bench.seen, [Rule::Id]);
}

//! The protocol of one session as a pure sum: a POST goes in, a reply and what was noticed come out (TR-069a6 3.7).
//!
//! Sockets, cookies and clocks are the caller's; so are the calls, which it hands over one at a time when asked.

use cwmp_core::{
    fault::{CwmpFault, FaultCode},
    rpc::{
        AcsRequest, AcsResponse, CpeRequest, CpeResponse, CwmpVersion, Envelope, Fault, Header, Inform,
        InformResponse, KickedResponse, ToAcs, ToCpe,
    },
    soap,
};

use crate::{
    check,
    exchange::{Call, CallId, Content, Outcome, Payload, Post, Reply},
    report::{CallError, Rule},
};

/// Methods that this ACS takes, as GetRPCMethods lists them.
pub const ACS_METHODS: [&str; 8] = [
    "Inform",
    "GetRPCMethods",
    "TransferComplete",
    "AutonomousTransferComplete",
    "DUStateChangeComplete",
    "AutonomousDUStateChangeComplete",
    "RequestDownload",
    "Kicked",
];

/// A request of the ACS that is not yet answered.
#[derive(Debug)]
struct Outstanding {
    call: Option<CallId>,
    /// `None`: not known, any will do.
    id: Option<Option<String>>,
    /// `None` for an envelope sent as it is.
    request: Option<CpeRequest>,
    /// Whether what was sent is known to want an answer.
    wants_answer: bool,
}

/// One session.
#[derive(Debug)]
pub struct Session {
    newest: CwmpVersion,
    agreed: Option<CwmpVersion>,
    outstanding: Option<Outstanding>,
    held: bool,
    /// The CPE has sent an empty POST while nothing was held.
    done: bool,
    over: bool,
    requests: u32,
}

impl Session {
    /// A session before its Inform, with an ACS that speaks versions up to `newest`.
    #[must_use]
    pub fn new(newest: CwmpVersion) -> Self {
        Self { newest, agreed: None, outstanding: None, held: false, done: false, over: false, requests: 0 }
    }

    /// Whether its Inform was accepted.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.agreed.is_some() && !self.over
    }

    /// Whether it has ended cleanly: the CPE had said with an empty POST that it has no request, and the last POST was
    /// answered with 204.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// The version agreed, once the Inform was accepted.
    #[must_use]
    pub fn version(&self) -> Option<CwmpVersion> {
        self.agreed
    }

    /// The session is given up: which call stays unanswered.
    pub fn give_up(&mut self) -> Option<CallId> {
        self.over = true;
        self.outstanding.take()?.call
    }

    /// Takes a POST. `hold` sets HoldRequests in the reply, where it is an envelope; `next_call` is asked when the ACS
    /// may call.
    pub fn receive(
        &mut self,
        post: Post,
        hold: bool,
        next_call: &mut dyn FnMut() -> Option<Call>,
    ) -> Outcome {
        let mut findings = Vec::new();
        check::headers(&post, &mut findings);
        let mut outcome = match post.content {
            Content::Empty => self.receive_empty(next_call, findings),
            Content::Envelope(envelope) => self.receive_envelope(*envelope, next_call, findings),
            Content::MustUnderstand { header, id, version } => {
                let fault = soap::must_understand_fault(&header);
                findings.push((Rule::Envelope, fault.faultstring.clone()));
                let version = self.agreed.unwrap_or(version);
                Outcome { reply: envelope(version, id, ToCpe::Fault(fault)), findings, answered: None }
            }
            Content::Broken(error) => {
                findings.push((Rule::Envelope, error));
                Outcome { reply: Reply::Refuse("no readable envelope"), findings, answered: None }
            }
        };
        // Neither side has more to say, and the CPE has said so at some point (3.7.1.4).
        self.over = self.done && matches!(outcome.reply, Reply::Empty);
        self.held = match &mut outcome.reply {
            Reply::Envelope(envelope) => {
                envelope.header.hold_requests = hold;
                hold
            }
            _ => false,
        };
        outcome
    }

    fn receive_empty(
        &mut self,
        next_call: &mut dyn FnMut() -> Option<Call>,
        mut findings: Vec<(Rule, String)>,
    ) -> Outcome {
        if self.agreed.is_none() {
            findings.push((Rule::InformFirst, "an empty POST before any accepted Inform".to_owned()));
            return Outcome { reply: Reply::Refuse("Inform comes first"), findings, answered: None };
        }
        let mut answered = None;
        if let Some(open) = self.outstanding.take() {
            let text = format!("an empty POST instead of the answer to {}", open.name());
            answered = open.call.map(|call| (call, Err(CallError::NoAnswer(text.clone()))));
            if open.wants_answer {
                findings.push((Rule::AnswerAtOnce, text));
            }
        }
        let was_held = std::mem::take(&mut self.held);
        self.done |= !was_held;
        let reply = self.call(next_call);
        Outcome { reply, findings, answered }
    }

    fn receive_envelope(
        &mut self,
        envelope: Envelope<ToAcs>,
        next_call: &mut dyn FnMut() -> Option<Call>,
        mut findings: Vec<(Rule, String)>,
    ) -> Outcome {
        let Envelope { version, header, message } = envelope;
        check::header(&header, &message, &mut findings);
        self.check_version(version, &message, &mut findings);
        match message {
            ToAcs::Request(AcsRequest::Inform(inform)) => self.informed(&inform, version, header, findings),
            ToAcs::Request(request) => {
                let answer = ToCpe::Response(answer(&request));
                self.requested(request.method(), answer, version, header.id, findings)
            }
            ToAcs::Unusable { method, fault } => {
                findings.push((Rule::Envelope, format!("{method}: {fault}")));
                self.requested(&method, ToCpe::Fault(fault.into()), version, header.id, findings)
            }
            ToAcs::Response(response) => self.answered(header.id, Ok(response), next_call, findings),
            ToAcs::Fault(fault) => self.answered(header.id, Err(fault), next_call, findings),
        }
    }

    fn check_version(&self, seen: CwmpVersion, message: &ToAcs, findings: &mut Vec<(Rule, String)>) {
        let is_inform = matches!(message, ToAcs::Request(AcsRequest::Inform(_)));
        let Some(agreed) = self.agreed.filter(|_| !is_inform) else { return };
        if seen.namespace() != agreed.namespace() {
            let text = format!("{} after {} was agreed", seen.namespace(), agreed.namespace());
            findings.push((Rule::Version, text));
        }
    }

    /// Inform (A.3.3.1) and the choice of the version (3.7.4).
    fn informed(
        &mut self,
        inform: &Inform,
        seen: CwmpVersion,
        header: Header,
        mut findings: Vec<(Rule, String)>,
    ) -> Outcome {
        if self.agreed.is_some() {
            findings.push((Rule::InformOnce, "a second Inform in one session".to_owned()));
        }
        check::inform(inform, &mut findings);
        let supported = header.supported_cwmp_versions.iter().copied();
        let chosen = supported.filter(|version| *version <= self.newest).max();
        let agreed = chosen.unwrap_or(seen).min(self.newest);
        self.agreed = Some(agreed);
        let response = ToCpe::Response(AcsResponse::Inform(InformResponse { max_envelopes: 1 }));
        let mut reply = Envelope { version: agreed, header: with_id(header.id), message: response };
        reply.header.use_cwmp_version = chosen;
        Outcome { reply: Reply::Envelope(Box::new(reply)), findings, answered: None }
    }

    /// A request of the CPE other than Inform.
    fn requested(
        &mut self,
        method: &str,
        message: ToCpe,
        seen: CwmpVersion,
        id: Option<String>,
        mut findings: Vec<(Rule, String)>,
    ) -> Outcome {
        let Some(version) = self.agreed else {
            findings.push((Rule::InformFirst, format!("{method} before any accepted Inform")));
            let fault = CwmpFault::new(FaultCode::ACS_REQUEST_DENIED, "Inform comes first");
            return Outcome {
                reply: envelope(seen, id, ToCpe::Fault(fault.into())),
                findings,
                answered: None,
            };
        };
        if let Some(open) = self.outstanding.as_ref().filter(|open| open.wants_answer) {
            findings.push((Rule::AnswerAtOnce, format!("{method} while {} is not answered", open.name())));
        }
        if self.held {
            findings.push((Rule::HoldRequests, format!("{method} while HoldRequests is true")));
        }
        if self.done {
            findings.push((Rule::NoMoreRequests, format!("{method} after an empty POST")));
        }
        Outcome { reply: envelope(version, id, message), findings, answered: None }
    }

    /// A response or fault of the CPE.
    fn answered(
        &mut self,
        id: Option<String>,
        answer: Result<CpeResponse, Fault>,
        next_call: &mut dyn FnMut() -> Option<Call>,
        mut findings: Vec<(Rule, String)>,
    ) -> Outcome {
        let name = answer.as_ref().map_or("Fault", CpeResponse::method);
        if self.agreed.is_none() {
            findings.push((Rule::InformFirst, format!("{name} before any accepted Inform")));
            return Outcome { reply: Reply::Refuse("Inform comes first"), findings, answered: None };
        }
        let Some(open) = self.outstanding.take() else {
            findings.push((Rule::ResponseToNothing, format!("{name} although nothing was asked")));
            return Outcome { reply: Reply::Refuse("nothing was asked"), findings, answered: None };
        };
        if let Some(expected) = &open.id {
            if *expected != id {
                findings.push((Rule::Id, format!("{name} with ID {id:?} where {expected:?} was asked")));
            }
        }
        let result = match (answer, &open.request) {
            (Ok(response), Some(request)) if response.method() != request.method() => {
                let text = format!("{}Response to {}", response.method(), request.method());
                findings.push((Rule::ResponseMethod, text.clone()));
                Err(CallError::NoAnswer(text))
            }
            (Ok(response), request) => {
                if let Some(request) = request {
                    check::response(request, &response, &mut findings);
                }
                Ok(response)
            }
            (Err(fault), request) => {
                check::fault(request.as_ref(), &fault, &mut findings);
                Err(CallError::Fault(fault))
            }
        };
        let reply = self.call(next_call);
        Outcome { reply, findings, answered: open.call.map(|call| (call, result)) }
    }

    /// The next call, or nothing.
    fn call(&mut self, next_call: &mut dyn FnMut() -> Option<Call>) -> Reply {
        let (Some(version), Some(Call { id, payload })) = (self.agreed, next_call()) else {
            return Reply::Empty;
        };
        match payload {
            Payload::Request(request) => {
                self.requests = self.requests.wrapping_add(1);
                let header = with_id(Some(format!("acs-{}", self.requests)));
                let message = ToCpe::Request(request.clone());
                self.outstanding = Some(Outstanding {
                    call: Some(id),
                    id: Some(header.id.clone()),
                    request: Some(request),
                    wants_answer: true,
                });
                Reply::Envelope(Box::new(Envelope { version, header, message }))
            }
            Payload::Raw(bytes) => {
                self.sent_raw(Some(id), &bytes);
                Reply::Raw(bytes)
            }
        }
    }

    /// The reply to the last POST was replaced by one with this status and body: it may have been no end of the session,
    /// and may have asked something.
    pub fn replaced_reply(&mut self, status: u16, body: &[u8]) {
        self.over &= matches!(status, 200 | 204) && body.is_empty();
        if !body.is_empty() {
            self.sent_raw(None, body);
        }
    }

    /// These bytes are sent: what has to be expected of the CPE now. Bytes that are no envelope of the ACS may be answered
    /// with anything.
    fn sent_raw(&mut self, call: Option<CallId>, bytes: &[u8]) {
        let (id, request, wants_answer) = match soap::decode_to_cpe(bytes) {
            Ok(Envelope { message: ToCpe::Response(_) | ToCpe::Fault(_), .. }) if call.is_none() => return,
            Ok(Envelope { header, message: ToCpe::Request(request), .. }) => {
                (Some(header.id), Some(request), true)
            }
            Ok(Envelope { header, message: ToCpe::Unusable { .. }, .. }) => (Some(header.id), None, true),
            Ok(_) | Err(_) => (None, None, false),
        };
        self.outstanding = Some(Outstanding { call, id, request, wants_answer });
    }
}

impl Outstanding {
    fn name(&self) -> &'static str {
        self.request.as_ref().map_or("a raw envelope", CpeRequest::method)
    }
}

fn with_id(id: Option<String>) -> Header {
    Header { id, ..Header::default() }
}

fn envelope(version: CwmpVersion, id: Option<String>, message: ToCpe) -> Reply {
    Reply::Envelope(Box::new(Envelope { version, header: with_id(id), message }))
}

/// The answer to a request of the CPE: everything is welcome here.
fn answer(request: &AcsRequest) -> AcsResponse {
    match request {
        AcsRequest::GetRPCMethods => {
            AcsResponse::GetRPCMethods(ACS_METHODS.into_iter().map(str::to_owned).collect())
        }
        AcsRequest::Inform(_) => AcsResponse::Inform(InformResponse { max_envelopes: 1 }),
        AcsRequest::TransferComplete(_) => AcsResponse::TransferComplete,
        AcsRequest::AutonomousTransferComplete(_) => AcsResponse::AutonomousTransferComplete,
        AcsRequest::DUStateChangeComplete(_) => AcsResponse::DUStateChangeComplete,
        AcsRequest::AutonomousDUStateChangeComplete(_) => AcsResponse::AutonomousDUStateChangeComplete,
        AcsRequest::RequestDownload(_) => AcsResponse::RequestDownload,
        AcsRequest::Kicked(kicked) => AcsResponse::Kicked(KickedResponse { next_url: kicked.next.clone() }),
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;

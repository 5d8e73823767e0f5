//! One session: Inform first, then the requests of both sides in turn, until neither has more to say
//! (TR-069a6 3.7.1).
//!
//! The session knows nothing of events, settings and timers. It turns replies of the ACS into [`Action`]s for the agent.

use std::collections::VecDeque;

use crate::{
    fault::{CwmpFault, FaultCode},
    io::{Body, Listing, ListingKind, Reply, SnapshotId},
    limits,
    rpc::{
        AcsRequest, AcsResponse, CpeRequest, CpeResponse, CwmpVersion, Envelope, Fault, Header, Inform,
        ToAcs, ToCpe,
    },
    soap::{self, EnvelopeError},
};

/// What the session wants of the agent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Send this to the ACS.
    Post(Body),
    /// The ACS has answered the Inform: the session is established, the events are delivered.
    Established,
    /// Execute this call of the ACS, then [`Session::answer`].
    Execute(CpeRequest),
    /// Refuse a call of this method, with this fault where the method works on this box, then [`Session::answer`].
    Refuse { method: String, fault: CwmpFault },
    /// The ACS has answered a request of ours, or refused it for good.
    Answered(AcsRequest, Result<AcsResponse, Fault>),
    /// Both sides are done: close the connection.
    End,
    /// The session is broken: close the connection; the reason is for the log.
    Fail(Failure),
}

/// Why a session failed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) reason: String,
    /// The ACS seems not to speak the version of the Inform; an older one may do (TR-069a6 3.7.4).
    pub(super) version_refused: bool,
    /// Retry-After of the ACS, in seconds.
    pub(super) retry_after: Option<u32>,
}

impl Failure {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), version_refused: false, retry_after: None }
    }
}

/// What the agent answers to a call of the ACS.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Response(CpeResponse),
    /// A response whose entries lie in a snapshot.
    Listing {
        kind: ListingKind,
        snapshot: SnapshotId,
        count: u32,
    },
    Fault(CwmpFault),
}

/// Whose turn it is, and what was said last.
#[derive(Debug)]
enum Turn {
    /// The ACS is to reply to a request of ours; it is kept for a repetition after fault 8005.
    Requested { request: AcsRequest, id: String, repeats: u32 },
    /// The ACS is to reply to our response.
    Responded,
    /// The ACS is to reply to our empty POST.
    SaidNothing,
    /// We are to send a request of ours, or nothing: decided when the agent asks for the next action, so that a request which
    /// comes while it waits for the store still finds its place.
    Ours,
    /// We execute a call of the ACS with this ID.
    Executing { id: Option<String> },
    /// Ended or failed.
    Over,
}

/// One session from Inform to the end.
#[derive(Debug)]
pub(super) struct Session {
    turn: Turn,
    version: CwmpVersion,
    /// HoldRequests of the last reply.
    held: bool,
    /// An empty POST has been sent while nothing was held: no further request of ours in this session (3.7.1.3).
    said_empty: bool,
    /// Requests of ours that wait for their turn.
    own: VecDeque<AcsRequest>,
    calls: u32,
    next_id: u32,
    actions: VecDeque<Action>,
}

impl Session {
    /// Begins a session: posts the Inform at once.
    pub(super) fn begin(inform: Inform, version: CwmpVersion) -> Self {
        let mut session = Self {
            turn: Turn::Over,
            version,
            held: false,
            said_empty: false,
            own: VecDeque::new(),
            calls: 0,
            next_id: 1,
            actions: VecDeque::new(),
        };
        session.request(AcsRequest::Inform(inform));
        session
    }

    /// The next thing to do for the agent.
    pub(super) fn poll(&mut self) -> Option<Action> {
        if self.actions.is_empty() && matches!(self.turn, Turn::Ours) {
            self.take_turn();
        }
        self.actions.pop_front()
    }

    /// Queues a request of ours; returns whether it can still be sent in this session.
    pub(super) fn ask(&mut self, request: AcsRequest) -> bool {
        let open = !self.said_empty && !matches!(self.turn, Turn::Over);
        if open {
            self.own.push_back(request);
        }
        open
    }

    /// A request of ours that is yet to be sent says something else now.
    pub(super) fn amend(&mut self, before: &AcsRequest, now: AcsRequest) {
        if let Some(own) = self.own.iter_mut().find(|own| *own == before) {
            *own = now;
        }
    }

    /// Takes the reply of the ACS to the last POST.
    pub(super) fn reply(&mut self, reply: &Reply) {
        match reply.status {
            200..=299 if reply.body.is_empty() => self.nothing_from_acs(),
            200..=299 => match soap::decode_to_cpe(&reply.body) {
                Ok(envelope) => self.message(envelope),
                Err(EnvelopeError::MustUnderstand { header, id, .. }) => self.not_understood(&header, id),
                Err(error) => self.fail(format!("the ACS sent no valid envelope: {error}")),
            },
            status => {
                let mut failure = Failure::new(format!("the ACS answered with HTTP status {status}"));
                failure.retry_after = reply.retry_after;
                self.fail_with(failure);
            }
        }
    }

    /// Takes the answer to the call that [`Action::Execute`] handed out.
    pub(super) fn answer(&mut self, answer: Answer) {
        let Turn::Executing { id } = std::mem::replace(&mut self.turn, Turn::Responded) else {
            self.turn = Turn::Over;
            return;
        };
        let header = Header { id, ..Header::default() };
        let body = match answer {
            Answer::Response(response) => self.encode(header, ToAcs::Response(response)),
            Answer::Fault(fault) => self.encode(header, ToAcs::Fault(fault.into())),
            Answer::Listing { kind, snapshot, count } => {
                Body::Listing(Listing { version: self.version, header, kind, snapshot, count })
            }
        };
        self.actions.push_back(Action::Post(body));
    }

    fn message(&mut self, envelope: Envelope<ToCpe>) {
        self.held = envelope.header.hold_requests;
        match envelope.message {
            ToCpe::Request(request) => {
                if self.call(envelope.header.id) {
                    self.actions.push_back(Action::Execute(request));
                }
            }
            ToCpe::Unusable { method, fault } => {
                if self.call(envelope.header.id) {
                    self.actions.push_back(Action::Refuse { method, fault });
                }
            }
            ToCpe::Response(response) => self.response(&envelope.header, envelope.version, response),
            ToCpe::Fault(fault) => self.fault(&envelope.header, fault),
        }
    }

    /// Whether a call of the ACS may come now; then it is our turn to execute it.
    fn call(&mut self, id: Option<String>) -> bool {
        match self.turn {
            Turn::Responded | Turn::SaidNothing if self.calls < limits::SESSION_REQUESTS => {
                self.calls += 1;
                self.turn = Turn::Executing { id };
                return true;
            }
            Turn::Responded | Turn::SaidNothing => {
                self.fail(format!(
                    "the ACS made more than {} requests in one session",
                    limits::SESSION_REQUESTS
                ));
            }
            _ => self.fail("the ACS sent a request where it owed a response"),
        }
        false
    }

    fn response(&mut self, header: &Header, version: CwmpVersion, response: AcsResponse) {
        let Some((request, id, _)) = self.requested() else {
            return self.fail(format!("the ACS sent {}Response without a request", response.method()));
        };
        if header.id.as_ref().is_some_and(|theirs| *theirs != id) {
            return self
                .fail(format!("the ACS answered {} with the ID of another request", request.method()));
        }
        match (&request, &response) {
            (AcsRequest::Inform(_), AcsResponse::Inform(_)) => {
                let chosen = header.use_cwmp_version.unwrap_or(version);
                self.version = chosen.min(self.version);
                self.actions.push_back(Action::Established);
            }
            _ if request.method() == response.method() => {
                self.actions.push_back(Action::Answered(request, Ok(response)));
            }
            _ => {
                let (theirs, ours) = (response.method(), request.method());
                return self.fail(format!("the ACS answered {ours} with {theirs}Response"));
            }
        }
        self.turn = Turn::Ours;
    }

    fn fault(&mut self, header: &Header, fault: Fault) {
        let Some((request, id, repeats)) = self.requested() else {
            return self.fail("the ACS sent a fault where it owed none");
        };
        if header.id.as_ref().is_some_and(|theirs| *theirs != id) {
            return self.fail(format!("the ACS refused {} with the ID of another request", request.method()));
        }
        let code = fault.cwmp.as_ref().map(|cwmp| cwmp.code);
        if code == Some(FaultCode::ACS_RETRY_REQUEST) && repeats < limits::REPEATS_AFTER_8005 {
            return self.post_request(request, id, repeats + 1);
        }
        if let AcsRequest::Inform(_) = request {
            let text = fault.cwmp.as_ref().map_or(fault.faultstring.clone(), ToString::to_string);
            let mut failure = Failure::new(format!("the ACS refused Inform: {text}"));
            failure.version_refused = suggests_an_older_version(&fault);
            return self.fail_with(failure);
        }
        if code == Some(FaultCode::ACS_RETRY_REQUEST) {
            let text = format!("the ACS asked again and again for a repetition of {}", request.method());
            return self.fail(text);
        }
        self.actions.push_back(Action::Answered(request, Err(fault)));
        self.turn = Turn::Ours;
    }

    fn not_understood(&mut self, header: &str, id: Option<String>) {
        self.held = false;
        if matches!(self.turn, Turn::Responded | Turn::SaidNothing) && self.call(id.clone()) {
            self.turn = Turn::Responded;
            let answer = ToAcs::Fault(soap::must_understand_fault(header));
            let body = self.encode(Header { id, ..Header::default() }, answer);
            self.actions.push_back(Action::Post(body));
        } else if !matches!(self.turn, Turn::Over) {
            self.fail(format!("the ACS demands that the header {header} be understood"));
        }
    }

    /// The ACS replied with no envelope: it has no request and holds nothing back.
    fn nothing_from_acs(&mut self) {
        self.held = false;
        match &self.turn {
            Turn::Requested { request, .. } => {
                let method = request.method();
                self.fail(format!("the ACS answered {method} with an empty reply"));
            }
            Turn::Responded | Turn::SaidNothing => {
                if self.said_empty {
                    self.turn = Turn::Over;
                    self.actions.push_back(Action::End);
                } else {
                    self.turn = Turn::Ours;
                }
            }
            Turn::Ours | Turn::Executing { .. } | Turn::Over => {
                self.fail("a reply came that nothing had asked for")
            }
        }
    }

    /// The ACS has no request for us: send one of ours, or nothing.
    fn take_turn(&mut self) {
        if !self.held && !self.said_empty {
            if let Some(request) = self.own.pop_front() {
                return self.request(request);
            }
            self.said_empty = true;
        }
        self.turn = Turn::SaidNothing;
        self.actions.push_back(Action::Post(Body::Empty));
    }

    fn request(&mut self, request: AcsRequest) {
        let id = self.next_id.to_string();
        self.next_id += 1;
        self.post_request(request, id, 0);
    }

    fn post_request(&mut self, request: AcsRequest, id: String, repeats: u32) {
        let mut header = Header { id: Some(id.clone()), ..Header::default() };
        if matches!(request, AcsRequest::Inform(_)) && self.version == CwmpVersion::V1_4 {
            header.supported_cwmp_versions = CwmpVersion::ALL.to_vec();
        }
        let body = self.encode(header, ToAcs::Request(request.clone()));
        self.turn = Turn::Requested { request, id, repeats };
        self.actions.push_back(Action::Post(body));
    }

    /// Takes out the request that awaits its reply.
    fn requested(&mut self) -> Option<(AcsRequest, String, u32)> {
        match std::mem::replace(&mut self.turn, Turn::Over) {
            Turn::Requested { request, id, repeats } => Some((request, id, repeats)),
            other => {
                self.turn = other;
                None
            }
        }
    }

    fn encode(&self, header: Header, message: ToAcs) -> Body {
        Body::Bytes(soap::encode_to_acs(&Envelope { version: self.version, header, message }))
    }

    fn fail(&mut self, reason: impl Into<String>) {
        self.fail_with(Failure::new(reason));
    }

    fn fail_with(&mut self, failure: Failure) {
        self.turn = Turn::Over;
        self.actions.push_back(Action::Fail(failure));
    }
}

/// Whether a fault to Inform may mean that the ACS does not know the namespace: 8006, a version mismatch of SOAP, "method not
/// supported", or a fault of a SOAP stack that found nothing to hand the message to and so has no CWMP detail
/// (TR-069a6 3.2.1.1). The retry then tries an older version; where that was not the reason, the versions take turns.
fn suggests_an_older_version(fault: &Fault) -> bool {
    let code = fault.cwmp.as_ref().map(|cwmp| cwmp.code);
    let unknown = [FaultCode::ACS_VERSION_INCOMPATIBLE, FaultCode::ACS_METHOD_NOT_SUPPORTED];
    code.is_none_or(|code| unknown.contains(&code)) || fault.faultcode == "VersionMismatch"
}

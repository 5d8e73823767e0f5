//! The ACS of the simulated box: in each session it compares what the box has with its book, then goes on with the calls of
//! the scenario.

use std::collections::VecDeque;

use cwmp_core::{
    io::Reply,
    rpc::{AcsRequest, AcsResponse, CpeRequest, CwmpVersion, Envelope, Header, InformResponse, ToAcs, ToCpe},
    soap,
};

use super::{
    book::{Book, Truth},
    calls,
    expected::URL,
    observer::Observer,
    plan::{Plan, Step},
};

/// Where all files are.
const FILES: &str = "http://files.example/";

/// One session as the ACS holds it. It is gone with the connection; the book stays.
pub(super) struct Session {
    observer: Observer,
    /// Nothing is called and nothing is read.
    silent: bool,
    to_read: VecDeque<CpeRequest>,
    calls: u64,
    /// It is to end now.
    over: bool,
}

impl Session {
    pub(super) fn new(url: String, silent: bool) -> Self {
        let to_read = if silent { VecDeque::new() } else { calls::readings().into() };
        Self { observer: Observer::new(url), silent, to_read, calls: 0, over: false }
    }

    /// Takes a message of the box, and answers it. Gives what was said as well, for the story.
    pub(super) fn answer(
        &mut self,
        body: &[u8],
        book: &mut Book,
        next_step: &mut usize,
        plan: &Plan,
        truth: &Truth,
    ) -> (String, Reply) {
        let envelope = match soap::decode_to_acs(body) {
            _ if body.is_empty() => None,
            Ok(envelope) => Some(envelope),
            Err(error) => {
                book.found(format!("the box sends nonsense: {error}"));
                None
            }
        };
        let message = envelope.as_ref().map(|envelope| &envelope.message);
        self.observer.box_says(message, book, truth);
        let answer = match &envelope {
            Some(Envelope { header, message: ToAcs::Request(request), .. }) => {
                let response = match request {
                    AcsRequest::Inform(_) => Some(AcsResponse::Inform(InformResponse { max_envelopes: 1 })),
                    AcsRequest::TransferComplete(_) => Some(AcsResponse::TransferComplete),
                    AcsRequest::DUStateChangeComplete(_) => Some(AcsResponse::DUStateChangeComplete),
                    _ => None,
                };
                response.map(|response| (header.id.clone(), ToCpe::Response(response)))
            }
            _ => self.call(book, next_step, plan),
        };
        if let Some((_, answer)) = &answer {
            self.observer.acs_says(answer, book);
        }
        let said = match &answer {
            None => "nothing".to_owned(),
            Some((_, ToCpe::Request(call))) => format!("{call:?}"),
            Some((_, ToCpe::Response(response))) => format!("{}Response", response.method()),
            Some(_) => "a fault".to_owned(),
        };
        let line = format!("{}  ->  {said}", message.map_or_else(|| "nothing".to_owned(), shown));
        let body = answer.map(|(id, message)| {
            let header = Header { id, ..Header::default() };
            soap::encode_to_cpe(&Envelope { version: CwmpVersion::V1_2, header, message })
        });
        (line, Reply { status: 200, retry_after: None, body: body.unwrap_or_default() })
    }

    /// The next thing that the ACS says by itself.
    fn call(&mut self, book: &Book, next_step: &mut usize, plan: &Plan) -> Option<(Option<String>, ToCpe)> {
        let request = match self.to_read.pop_front() {
            Some(reading) => reading,
            None if self.silent || self.over || self.calls >= plan.calls => return None,
            None => {
                let step = plan.steps.get(*next_step)?;
                *next_step += 1;
                self.calls += 1;
                // What is called before the box has come to its new ACS would have two explanations, and what is called
                // after a factory reset is forgotten with it.
                self.over = match step {
                    Step::Set(values) => values.iter().any(|(name, _)| *name == URL),
                    step => *step == Step::FactoryReset,
                };
                calls::call(step, *next_step, book.tree(), FILES)?
            }
        };
        Some((Some(format!("acs-{}", self.calls)), ToCpe::Request(request)))
    }
}

/// A message of the box, in short.
pub(super) fn shown(message: &ToAcs) -> String {
    match message {
        ToAcs::Request(request) => request_shown(request),
        ToAcs::Response(response) => format!("{}Response", response.method()),
        ToAcs::Fault(fault) => format!("fault {fault:?}"),
        ToAcs::Unusable { method, .. } => format!("unusable {method}"),
    }
}

fn request_shown(request: &AcsRequest) -> String {
    match request {
        AcsRequest::Inform(inform) => {
            let events: Vec<_> = inform
                .events
                .iter()
                .map(|event| [event.code.as_str(), event.command_key.as_str()].join(" "))
                .collect();
            format!("Inform ({})", events.join(", ").replace(" ,", ","))
        }
        AcsRequest::TransferComplete(report) => {
            format!("TransferComplete {}: {}", report.command_key.as_str(), report.fault.code)
        }
        other => other.method().to_owned(),
    }
}

//! How to misbehave on purpose: scripts decide, request by request, what the CPE gets to see.
//!
//! A [`Script`] is a list of [`Step`]s. Each request takes steps from the front: modifiers ([`Step::Expect`],
//! [`Step::Delay`], [`Step::Header`]) and then one that ends the request. Once the list is empty, and for requests that no
//! script is for, the ACS behaves. Scripts act after authentication, so that its round trips take no steps.
//!
//! Whether the ACS takes in the message follows from the step: [`Step::Pass`], [`Step::HoldRequests`],
//! [`Step::CloseAfterBytes`], [`Step::Reply`] and [`Step::Raw`] do (the ACS knows what was said, even if its own reply never arrives);
//! all others happen as if the ACS had never seen it.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use cwmp_core::fault::FaultCode;

use crate::cpe::CpeSelector;

/// A reply given by a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptedReply {
    /// HTTP status, 200 to 599.
    pub status: u16,
    /// Header fields besides Content-Length, which is that of the body, and Set-Cookie, which is the session's.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Bytes,
}

impl ScriptedReply {
    /// 200 with an envelope.
    pub fn envelope(body: impl Into<Bytes>) -> Self {
        let headers = vec![("Content-Type".to_owned(), "text/xml; charset=\"utf-8\"".to_owned())];
        Self { status: 200, headers, body: body.into() }
    }
}

/// One step of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Modifier: this request is that message (`Inform`, `GetParameterValuesResponse`, `Fault`, empty for an empty
    /// POST; `GET` or `PUT` for files). Anything else is a violation of [`crate::Rule::Script`]; the script goes on.
    Expect(String),
    /// Modifier: behave until a request is that message, then go on with the next step for that same request.
    Until(String),
    /// Modifier: wait before the reply begins.
    Delay(Duration),
    /// Modifier: one more header field in the reply, such as `Connection: close`.
    Header(String, String),
    /// Behave.
    Pass,
    /// Behave, with this HoldRequests in the reply where it is an envelope.
    HoldRequests(bool),
    /// This status with an empty body.
    Status(u16),
    /// A SOAP fault with the ID of the request.
    SoapFault(FaultCode),
    /// This status (301, 302, 303, 307, 308) with this Location.
    Redirect(u16, String),
    /// This reply.
    Reply(ScriptedReply),
    /// These bytes on the wire instead of a reply: HTTP as malformed as wanted.
    Raw {
        /// All of the reply, with its status line.
        bytes: Bytes,
        /// Whether the connection is closed behind them.
        close: bool,
    },
    /// Behave, but close the connection after so many bytes of the reply, counted from its status line.
    CloseAfterBytes(usize),
    /// Close the connection instead of a reply.
    Close,
    /// Reset the connection (RST) instead of a reply.
    Reset,
    /// Never reply, keep the connection open.
    Stall,
}

impl Step {
    /// [`Step::Expect`].
    pub fn expect(message: impl Into<String>) -> Self {
        Self::Expect(message.into())
    }

    /// [`Step::Until`].
    pub fn until(message: impl Into<String>) -> Self {
        Self::Until(message.into())
    }

    /// A modifier that asks for the connection to end behind the reply; the session goes on in a new one.
    #[must_use]
    pub fn connection_close() -> Self {
        Self::Header("Connection".to_owned(), "close".to_owned())
    }
}

/// What a script is asked about.
#[derive(Clone, Copy, Debug)]
pub struct ScriptRequest<'a> {
    /// The message: see [`Step::Expect`].
    pub message: &'a str,
    /// Path and query.
    pub target: &'a str,
    /// Body; empty for uploads, which are not read before the script has spoken.
    pub body: &'a [u8],
}

/// Decides the replies to requests.
pub struct Script(Source);

type Rule = Box<dyn FnMut(&ScriptRequest<'_>) -> Vec<Step> + Send>;

enum Source {
    Steps(VecDeque<Step>),
    Rule(Rule),
}

impl Script {
    /// A script that is asked anew for each request; what it returns is for that request alone, nothing is [`Step::Pass`].
    pub fn by_rule(rule: impl FnMut(&ScriptRequest<'_>) -> Vec<Step> + Send + 'static) -> Self {
        Self(Source::Rule(Box::new(rule)))
    }

    /// Steps that were not yet taken; 0 for a script by rule.
    #[must_use]
    pub fn left(&self) -> usize {
        match &self.0 {
            Source::Steps(steps) => steps.len(),
            Source::Rule(_) => 0,
        }
    }

    /// Whether it will never do anything again.
    fn is_spent(&self) -> bool {
        matches!(&self.0, Source::Steps(steps) if steps.is_empty())
    }

    fn plan(&mut self, request: &ScriptRequest<'_>) -> Plan {
        match &mut self.0 {
            Source::Steps(steps) => Plan::draw(steps, request),
            Source::Rule(rule) => Plan::draw(&mut rule(request).into(), request),
        }
    }
}

impl From<Vec<Step>> for Script {
    fn from(steps: Vec<Step>) -> Self {
        Self(Source::Steps(steps.into()))
    }
}

impl<const N: usize> From<[Step; N]> for Script {
    fn from(steps: [Step; N]) -> Self {
        Self(Source::Steps(steps.into()))
    }
}

/// What is to be done with one request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Expectations that were not met.
    pub(crate) unmet: Vec<String>,
    /// Wait before the reply.
    pub(crate) delay: Duration,
    /// More header fields.
    pub(crate) headers: Vec<(String, String)>,
    /// How the request ends; `None`: behave.
    pub(crate) end: Option<Step>,
}

impl Plan {
    fn draw(steps: &mut VecDeque<Step>, request: &ScriptRequest<'_>) -> Self {
        let mut plan = Self::default();
        while let Some(step) = steps.pop_front() {
            match step {
                Step::Expect(message) if message == request.message => {}
                Step::Expect(message) => {
                    plan.unmet.push(format!("`{}` came where `{message}` was expected", request.message));
                }
                Step::Until(message) if message == request.message => {}
                Step::Until(message) => {
                    steps.push_front(Step::Until(message));
                    return plan;
                }
                Step::Delay(time) => plan.delay = plan.delay.saturating_add(time),
                Step::Header(name, value) => plan.headers.push((name, value)),
                Step::Pass => return plan,
                end => {
                    plan.end = Some(end);
                    return plan;
                }
            }
        }
        plan
    }
}

/// The scripts that are loaded, in the order in which they were given.
#[derive(Default)]
pub(crate) struct Scripts(Vec<(CpeSelector, Script)>);

impl Scripts {
    /// Adds a script; it takes its turn once those before it for the same CPE are spent.
    pub(crate) fn add(&mut self, cpe: CpeSelector, script: Script) -> bool {
        let room = self.0.len() < crate::limits::SCRIPTS;
        if room {
            self.0.push((cpe, script));
        }
        room
    }

    /// Throws all scripts away.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Steps that were not yet taken.
    pub(crate) fn left(&self) -> usize {
        self.0.iter().map(|(_, script)| script.left()).sum()
    }

    /// What to do with a request of a CPE that `is_meant` recognises.
    pub(crate) fn plan(
        &mut self,
        is_meant: impl Fn(&CpeSelector) -> bool,
        request: &ScriptRequest<'_>,
    ) -> Plan {
        self.0.retain(|(_, script)| !script.is_spent());
        let first = self.0.iter_mut().find(|(cpe, _)| is_meant(cpe));
        first.map(|(_, script)| script.plan(request)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(message: &str) -> ScriptRequest<'_> {
        ScriptRequest { message, target: "/", body: b"" }
    }

    #[test]
    fn modifiers_gather_until_a_step_ends_the_request() {
        let mut scripts = Scripts::default();
        let second = Duration::from_secs(1);
        scripts.add(
            CpeSelector::Any,
            [
                Step::Delay(second),
                Step::connection_close(),
                Step::Status(500),
                Step::Pass,
                Step::expect("Inform"),
                Step::Stall,
            ]
            .into(),
        );
        let plan = scripts.plan(|_| true, &request("Inform"));
        assert_eq!((plan.delay, plan.headers.len(), plan.end), (second, 1, Some(Step::Status(500))));
        assert_eq!(scripts.plan(|_| true, &request("")), Plan::default());
        let plan = scripts.plan(|_| true, &request("Fault"));
        assert_eq!(plan.unmet, ["`Fault` came where `Inform` was expected"]);
        assert_eq!(plan.end, Some(Step::Stall));
        assert_eq!(scripts.left(), 0);
        assert_eq!(scripts.plan(|_| true, &request("")), Plan::default());
    }

    #[test]
    fn until_behaves_up_to_the_message() {
        let mut scripts = Scripts::default();
        scripts.add(CpeSelector::Any, [Step::until("Fault"), Step::Close].into());
        assert_eq!(scripts.plan(|_| true, &request("Inform")).end, None);
        assert_eq!(scripts.plan(|_| true, &request("")).end, None);
        assert_eq!(scripts.plan(|_| true, &request("Fault")).end, Some(Step::Close));
    }

    #[test]
    fn a_script_is_for_its_cpe_alone() {
        let mut scripts = Scripts::default();
        scripts.add(CpeSelector::from("A"), [Step::Close].into());
        let is = |key: &'static str| move |cpe: &CpeSelector| cpe.matches(&crate::CpeKey::new(key));
        assert_eq!(scripts.plan(is("B"), &request("")).end, None);
        assert_eq!(scripts.plan(is("A"), &request("")).end, Some(Step::Close));
    }

    #[test]
    fn a_rule_is_asked_for_each_request() {
        let mut count = 0;
        let mut scripts = Scripts::default();
        let rule = move |request: &ScriptRequest<'_>| {
            count += 1;
            if count > 1 && request.message == "Inform" { vec![Step::Status(503)] } else { Vec::new() }
        };
        scripts.add(CpeSelector::Any, Script::by_rule(rule));
        assert_eq!(scripts.plan(|_| true, &request("Inform")).end, None);
        assert_eq!(scripts.plan(|_| true, &request("Inform")).end, Some(Step::Status(503)));
    }
}

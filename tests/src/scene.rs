//! A development ACS and the real program in a sandbox: where the tests of the whole program begin.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends with the first thing that is not as it must be"
)]

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    path::Path,
    time::{Duration, Instant},
};

use cwmp_acs::{Acs, AcsOptions, Authentication, CallError, Login, SessionReport};
use cwmp_core::{
    event::EventCode,
    rpc::{
        CpeRequest, CpeResponse, GetParameterValues, ParameterKey, ParameterValueStruct, SetParameterValues,
    },
    value::ValueType,
};
use tempfile::TempDir;

use crate::{Cwmpd, Sandbox, sandbox::known};

/// How long something may take that should take no time.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What a call of the ACS came to.
pub type Outcome = Result<CpeResponse, CallError>;

/// An ACS and an agent that reports to it.
pub struct Scene {
    /// The ACS.
    pub acs: Acs,
    /// The agent; `None` while it is switched off.
    pub agent: Option<Cwmpd>,
    /// Its box.
    pub sandbox: Sandbox,
    folder: TempDir,
}

/// An ACS as the sandbox expects it: Digest, and the credentials for connection requests.
#[must_use]
pub fn acs_options() -> AcsOptions {
    AcsOptions {
        authentication: Authentication::digest(known::USERNAME, known::PASSWORD),
        connection_request: Some(Login::new(known::CR_USERNAME, known::CR_PASSWORD)),
        ..AcsOptions::default()
    }
}

/// The same at a loopback address that no other test has: the ACS can stop and start again there, and nobody takes its port
/// meanwhile.
#[must_use]
pub fn acs_options_at(host: u8) -> AcsOptions {
    AcsOptions { listen: ([127, 0, 77, host], 0).into(), ..acs_options() }
}

impl Scene {
    /// Both run, and the agent has said `0 BOOTSTRAP`.
    pub async fn bootstrapped() -> Self {
        let mut scene = Self::new(acs_options(), |sandbox| sandbox).await;
        scene.switch_on();
        scene.session(EventCode::Bootstrap).await;
        scene
    }

    /// The ACS runs, the agent is switched off; `change` has a say in its factory settings.
    pub async fn new(options: AcsOptions, change: impl FnOnce(Sandbox) -> Sandbox) -> Self {
        let acs = Acs::start(options).await.expect("the ACS starts");
        let folder = tempfile::tempdir().expect("a folder for the sandbox");
        let sandbox = change(Sandbox::new(folder.path(), &acs.url()));
        Self { acs, agent: None, sandbox, folder }
    }

    /// Starts the program.
    pub fn switch_on(&mut self) {
        self.agent = Some(Cwmpd::start(&self.sandbox).expect("cwmpd starts"));
    }

    /// Kills the program at once, as a power cut would.
    pub fn cut_power(&mut self) {
        self.agent.take().expect("cwmpd runs").kill().expect("cwmpd dies");
    }

    /// The running program.
    #[must_use]
    pub fn agent(&self) -> &Cwmpd {
        self.agent.as_ref().expect("cwmpd runs")
    }

    /// The folder of the sandbox.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The next session with this event; it must have ended as the standard wants.
    pub async fn session(&self, event: EventCode) -> SessionReport {
        let report = self.any_session(event).await;
        assert!(report.is_clean(), "{:?} session ended {:?}\n{}", report.events, report.ending, self.log());
        report
    }

    /// The next session with this event that ended well; those before it may have failed.
    pub async fn good_session(&self, event: EventCode) -> SessionReport {
        let good = |report: &SessionReport| report.has_event(&event) && report.is_clean();
        let found = self.acs.wait_session(PATIENCE, good).await;
        found.unwrap_or_else(|error| {
            panic!("no good session with `{}`: {error}\n{}", event.as_str(), self.log())
        })
    }

    /// The next session with this event, however it ended.
    pub async fn any_session(&self, event: EventCode) -> SessionReport {
        let found = self.acs.wait_session(PATIENCE, |report| report.has_event(&event)).await;
        found.unwrap_or_else(|error| panic!("no session with `{}`: {error}\n{}", event.as_str(), self.log()))
    }

    /// Rings; the agent must take it.
    pub async fn ring(&self) {
        let rung = self.acs.connection_request(known::CPE).await;
        assert_eq!(rung.expect("an answer to the connection request"), 200);
    }

    /// Sessions of connection requests that the ACS has seen.
    #[must_use]
    pub fn rung(&self) -> usize {
        let count = |cpe: &cwmp_acs::CpeRecord| {
            cpe.sessions.iter().filter(|session| session.has_event(&EventCode::ConnectionRequest)).count()
        };
        self.acs.with_cpe(known::CPE, |_, cpe| count(cpe)).unwrap_or_default()
    }

    /// Rings, and makes these calls in the session that follows, which must end well.
    pub async fn calls(&self, requests: Vec<CpeRequest>) -> Vec<Outcome> {
        let pending: Vec<_> =
            requests.into_iter().map(|request| self.acs.call(known::CPE, request)).collect();
        self.ring().await;
        let mut answers = Vec::new();
        for answer in pending {
            let answer = tokio::time::timeout(PATIENCE, answer).await;
            answers.push(answer.unwrap_or_else(|_| panic!("no answer to a call\n{}", self.log())));
        }
        self.session(EventCode::ConnectionRequest).await;
        answers
    }

    /// The same for a single call.
    pub async fn call(&self, request: CpeRequest) -> Outcome {
        self.calls(vec![request]).await.remove(0)
    }

    /// The whole tree as GetParameterValues gives it.
    pub async fn tree(&self) -> BTreeMap<String, ParameterValueStruct> {
        match self.call(get(&["Device."])).await {
            Ok(CpeResponse::GetParameterValues(list)) => {
                list.into_iter().map(|value| (value.name.clone(), value)).collect()
            }
            other => panic!("no values but {other:?}"),
        }
    }

    /// The value of one parameter as the ACS reads it.
    pub async fn value(&self, name: &str) -> String {
        value_of(&self.call(get(&[name])).await)
    }

    /// Runs `cwmpd` against the agent; it must succeed. Gives what it prints.
    pub fn ask<S: AsRef<OsStr>>(&self, words: &[S]) -> String {
        let output = self.agent().ask(words).expect("cwmpd runs");
        let (printed, errors) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{}: {errors}\n{}", output.status, self.log());
        printed.into_owned()
    }

    /// What the program has logged since the sandbox was made.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.sandbox.log()).unwrap_or_default()
    }

    /// Waits until the log has a line with this text at least so many times.
    pub async fn logged(&self, text: &str, times: usize) {
        let what = format!("`{text}` logged {times} times");
        self.until(&what, || self.log().matches(text).count() >= times).await;
    }

    /// Waits for something that nobody tells us about.
    pub async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds() {
            assert!(Instant::now() < deadline, "not {what} in time\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// The agent kept all rules that the ACS knows of, and never panicked.
    pub fn assert_clean(&self) {
        assert_eq!(self.acs.violations(), [], "\n{}", self.log());
        assert!(!self.log().contains("panicked"), "{}", self.log());
    }
}

/// A GetParameterValues.
#[must_use]
pub fn get(names: &[&str]) -> CpeRequest {
    CpeRequest::GetParameterValues(GetParameterValues {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
    })
}

/// A SetParameterValues.
#[must_use]
pub fn set(values: &[(&str, ValueType, &str)], key: &str) -> CpeRequest {
    let parameter = |(name, value_type, value): &(&str, ValueType, &str)| ParameterValueStruct {
        name: (*name).to_owned(),
        value_type: Some(*value_type),
        value: (*value).to_owned(),
    };
    CpeRequest::SetParameterValues(SetParameterValues {
        parameters: values.iter().map(parameter).collect(),
        parameter_key: ParameterKey::new(key).expect("a ParameterKey"),
    })
}

/// The only value of an answer to GetParameterValues.
#[must_use]
pub fn value_of(answer: &Outcome) -> String {
    match answer {
        Ok(CpeResponse::GetParameterValues(values)) => match &values[..] {
            [only] => only.value.clone(),
            other => panic!("not one value but {other:?}"),
        },
        other => panic!("no value but {other:?}"),
    }
}

/// The fault code of a refused call.
#[must_use]
pub fn fault_of(answer: &Outcome) -> u32 {
    let code = answer.as_ref().err().and_then(CallError::fault_code);
    code.unwrap_or_else(|| panic!("not a fault but {answer:?}"))
}

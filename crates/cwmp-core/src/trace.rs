//! Traces of a running agent: every input with its time, secrets blanked, and what the agent did about it. A trace from the
//! field can be replayed at the desk, input by input.

use serde::{Deserialize, Serialize};

use crate::{
    agent::Agent,
    io::{Body, DataOp, Effect, Input, LocalCommand, Reply},
    rpc::{CpeRequest, Envelope, OperationStruct, ToCpe},
    settings::{AgentSettings, Secret},
    soap,
    time::Now,
};

/// What stands in place of a secret.
pub const BLANK: &str = "***";

/// One line of a trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When it was.
    pub now: Now,
    /// What happened; `None` when only time had passed.
    pub input: Option<Box<Input>>,
    /// What the agent did, as [`name`] gives it.
    pub effects: Vec<String>,
}

/// Most different passwords that are told apart in a trace.
const PASSWORDS: usize = 16;

/// Takes secrets out of inputs. Of passwords it stays visible whether they differ, since the agent acts on that: they become
/// `***1`, `***2` and so on.
#[derive(Clone, Debug, Default)]
pub struct Blanker {
    passwords: Vec<Secret>,
}

impl Blanker {
    /// A copy without the passwords of the settings, the values that the ACS sets, and the credentials of file servers. An
    /// envelope that cannot be read is replaced by one that can't either.
    pub fn blanked(&mut self, input: &Input) -> Input {
        match input {
            Input::Started(start) => {
                let mut start = start.clone();
                self.blank_settings(&mut start.settings);
                for transfer in &mut start.state.transfers {
                    blank(&mut transfer.password.0);
                }
                Input::Started(start)
            }
            Input::SettingsChanged(settings) => {
                let mut settings = settings.clone();
                self.blank_settings(&mut settings);
                Input::SettingsChanged(settings)
            }
            Input::Command(LocalCommand::Transfer(order)) => {
                let mut order = order.clone();
                blank(&mut order.password);
                Input::Command(LocalCommand::Transfer(order))
            }
            Input::Reply(reply) if !reply.body.is_empty() => {
                let body = match soap::decode_to_cpe(&reply.body) {
                    Ok(envelope) => soap::encode_to_cpe(&blank_envelope(envelope)),
                    Err(_) => b"<unreadable/>".to_vec(),
                };
                Input::Reply(Reply { body, ..reply.clone() })
            }
            other => other.clone(),
        }
    }

    fn blank_settings(&mut self, settings: &mut AgentSettings) {
        let known =
            [&mut settings.password, &mut settings.connection_request.password, &mut settings.stun.password];
        for secret in known {
            if secret.0.is_empty() {
                continue;
            }
            let known = self.passwords.iter().position(|known| known == secret);
            let number = known.unwrap_or(self.passwords.len());
            if known.is_none() && number < PASSWORDS {
                self.passwords.push(secret.clone());
            }
            *secret = Secret(format!("{BLANK}{}", number + 1));
        }
    }
}

/// That there is none stays visible.
fn blank(text: &mut String) {
    if !text.is_empty() {
        BLANK.clone_into(text);
    }
}

fn blank_envelope(mut envelope: Envelope<ToCpe>) -> Envelope<ToCpe> {
    if let ToCpe::Request(request) = &mut envelope.message {
        match request {
            CpeRequest::SetParameterValues(call) => {
                call.parameters.iter_mut().for_each(|parameter| blank(&mut parameter.value));
            }
            CpeRequest::Download(call) => blank(&mut call.password),
            CpeRequest::Upload(call) => blank(&mut call.password),
            CpeRequest::ScheduleDownload(call) => blank(&mut call.password),
            CpeRequest::ChangeDUState(call) => {
                for operation in &mut call.operations {
                    match operation {
                        OperationStruct::Install { password, .. }
                        | OperationStruct::Update { password, .. } => {
                            blank(password);
                        }
                        OperationStruct::Uninstall { .. } => {}
                    }
                }
            }
            _ => {}
        }
    }
    envelope
}

/// An effect in a word or two; `None` for those that only go to the log.
#[must_use]
pub fn name(effect: &Effect) -> Option<String> {
    let name = match effect {
        Effect::Trace(_) => return None,
        Effect::Persist(..) => "Persist",
        Effect::OpenSession(_) => "OpenSession",
        Effect::SendDatagram(_) => "SendDatagram",
        Effect::Post(Body::Empty) => "Post nothing",
        Effect::Post(Body::Bytes(_)) => "Post an envelope",
        Effect::Post(Body::Listing(listing)) => {
            return Some(format!("Post {:?} of {}", listing.kind, listing.count));
        }
        Effect::CloseSession => "CloseSession",
        Effect::Data(_, op) => return Some(format!("Data {}", operation(op))),
        Effect::ReleaseSnapshot(_) => "ReleaseSnapshot",
        Effect::StartJob(_, job) => return Some(format!("StartJob {}", job.name())),
        Effect::CancelJob(_) => "CancelJob",
        Effect::DiscardFile(_) => "DiscardFile",
        Effect::KeepImage => "KeepImage",
        Effect::Listen(Some(_)) => "Listen",
        Effect::Listen(None) => "Listen no more",
        Effect::ListenUdp(Some(_)) => "ListenUdp",
        Effect::ListenUdp(None) => "ListenUdp no more",
        Effect::ListenXmpp(Some(_)) => "ListenXmpp",
        Effect::ListenXmpp(None) => "ListenXmpp no more",
        Effect::Reboot(cause) => return Some(format!("Reboot {cause:?}")),
        Effect::FactoryReset => "FactoryReset",
        Effect::RenewDhcp => "RenewDhcp",
    };
    Some(name.to_owned())
}

fn operation(op: &DataOp) -> &'static str {
    match op {
        DataOp::Inform { .. } => "Inform",
        DataOp::InformDelivered => "InformDelivered",
        DataOp::Lightweight => "Lightweight",
        DataOp::Names { .. } => "Names",
        DataOp::Values { .. } => "Values",
        DataOp::Attributes { .. } => "Attributes",
        DataOp::Set { .. } => "Set",
        DataOp::SetAttributes { .. } => "SetAttributes",
        DataOp::Add { .. } => "Add",
        DataOp::Delete { .. } => "Delete",
    }
}

/// The agent did something else than the trace says: another version of the program, or a trace with a gap.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the agent does {done:?} where the trace says {recorded:?}")]
pub struct Diverged {
    /// What it did in the field.
    pub recorded: Vec<String>,
    /// What it does now.
    pub done: Vec<String>,
}

/// Gives one entry to an agent and compares what it does with what it did then.
///
/// # Errors
/// [`Diverged`] with both.
pub fn replay(agent: &mut Agent, entry: &Entry) -> Result<(), Diverged> {
    match &entry.input {
        Some(input) => agent.handle((**input).clone(), entry.now),
        None => agent.handle_time(entry.now),
    }
    let mut done = Vec::new();
    while let Some(effect) = agent.poll_effect() {
        done.extend(name(&effect));
    }
    if done == entry.effects { Ok(()) } else { Err(Diverged { recorded: entry.effects.clone(), done }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::{CwmpVersion, Header, ParameterKey, ParameterValueStruct, SetParameterValues};

    fn reply(body: Vec<u8>) -> Input {
        Input::Reply(Reply { status: 200, retry_after: None, body })
    }

    #[test]
    fn what_the_acs_sets_is_not_in_a_trace() {
        let call = SetParameterValues {
            parameters: vec![ParameterValueStruct {
                name: "Device.ManagementServer.Password".into(),
                value_type: None,
                value: "geheim".into(),
            }],
            parameter_key: ParameterKey::new("k").unwrap(),
        };
        let message = ToCpe::Request(CpeRequest::SetParameterValues(call));
        let envelope = Envelope { version: CwmpVersion::V1_2, header: Header::default(), message };
        for body in [soap::encode_to_cpe(&envelope), b"<broken>geheim".to_vec()] {
            let Input::Reply(kept) = Blanker::default().blanked(&reply(body)) else {
                panic!("another input")
            };
            let text = String::from_utf8(kept.body).unwrap();
            assert!(!text.contains("geheim"), "{text}");
        }
        assert_eq!(Blanker::default().blanked(&reply(Vec::new())), reply(Vec::new()));
    }

    #[test]
    fn passwords_of_the_settings_are_told_apart_but_not_shown() {
        let mut blanker = Blanker::default();
        let mut blanked = |password: &str| {
            let settings = AgentSettings { password: Secret(password.into()), ..AgentSettings::default() };
            match blanker.blanked(&Input::SettingsChanged(Box::new(settings))) {
                Input::SettingsChanged(kept) => (kept.password.0, kept.connection_request.password.0),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(blanked("geheim"), ("***1".into(), String::new()), "that there is none stays visible");
        assert_eq!(blanked("other").0, "***2");
        assert_eq!(blanked("geheim").0, "***1");
    }
}

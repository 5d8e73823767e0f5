//! How a story is told: one line for each thing that happens.

use cwmp_core::{
    io::{Effect, Input},
    rpc::{AcsRequest, Envelope, ToAcs},
};

use super::acs::Posted;

/// What comes to the agent.
pub(super) fn input(input: &Input) -> String {
    match input {
        Input::Started(start) => format!("Started with {:?}", start.state),
        Input::SessionLost(error) => format!("SessionLost: {error}"),
        Input::SettingsChanged(settings) => {
            let url = settings.url.as_ref().map(ToString::to_string).unwrap_or_default();
            format!("SettingsChanged: {url}, period {} s", settings.periodic_inform_interval)
        }
        other => format!("{other:?}"),
    }
}

/// What the agent does.
pub(super) fn effect(effect: &Effect, posted: Option<&Posted>) -> String {
    match (effect, posted) {
        (Effect::Post(_), Some(Posted::Empty)) => "post nothing".to_owned(),
        (Effect::Post(_), Some(Posted::Message(envelope))) => message(envelope),
        (Effect::OpenSession(target), _) => format!("OpenSession {}", target.url),
        (Effect::Trace(record), _) => format!("log: {}", record.text),
        (other, _) => format!("{other:?}"),
    }
}

/// A message of the box in one line.
fn message(envelope: &Envelope<ToAcs>) -> String {
    match &envelope.message {
        ToAcs::Request(AcsRequest::Inform(inform)) => {
            let events = inform.events.iter().map(|event| {
                let key = event.command_key.as_str();
                format!("{}{}{key}", event.code.as_str(), if key.is_empty() { "" } else { ":" })
            });
            let events = events.collect::<Vec<_>>().join(", ");
            format!("post Inform [{events}] RetryCount {}", inform.retry_count)
        }
        ToAcs::Request(request) => format!("post {}", request.method()),
        ToAcs::Response(response) => format!("post {}Response", response.method()),
        ToAcs::Fault(fault) => format!("post fault {:?}", fault.cwmp.as_ref().map(|cwmp| cwmp.code)),
        ToAcs::Unusable { method, .. } => format!("post an unusable {method}"),
    }
}

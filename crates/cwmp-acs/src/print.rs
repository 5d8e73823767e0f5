//! Messages in words, for people who have never seen TR-069: one line a message.

use std::{fmt::Write as _, time::SystemTime};

use cwmp_core::{
    datetime::DateTime,
    rpc::{
        AcsRequest, AcsResponse, CpeRequest, CpeResponse, Envelope, FaultStruct, Inform,
        ParameterValueStruct, Status, ToAcs, ToCpe, TransferResponse,
    },
    soap,
    time::Wall,
};

use crate::{
    check::brief,
    exchange::Content,
    report::{Direction, Message, fault_text},
};

/// Entries of a list that are named in a line; of the others only the number is told.
const NAMED: usize = 3;

/// One line for a message: time in UTC, arrow, method, what it says.
#[must_use]
pub fn line(message: &Message) -> String {
    let who = message.cpe.as_ref().map_or("?", |key| key.as_str());
    let (arrow, what) = match message.direction {
        Direction::FromCpe => {
            ("-->", if message.method.is_empty() { "(empty POST)" } else { &message.method })
        }
        Direction::ToCpe => {
            ("<--", if message.method.is_empty() { "(no envelope)" } else { &message.method })
        }
    };
    let status = message.status.filter(|status| *status != 200).map(|status| format!(" [HTTP {status}]"));
    let status = status.unwrap_or_default();
    let line = format!("{} {who} {arrow} {what:<28}{status} {}", clock(message.time), message.essence);
    line.trim_end().to_owned()
}

/// `12:00:00.250` in UTC.
#[must_use]
pub fn clock(time: SystemTime) -> String {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let ms = since.as_millis() % 86_400_000;
    format!("{:02}:{:02}:{:02}.{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
}

/// A moment in words.
#[must_use]
pub fn date(time: SystemTime) -> String {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    DateTime::At(Wall::from_seconds(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))).to_string()
}

/// Method and essence of what a CPE sends.
#[must_use]
pub fn from_cpe(content: &Content) -> (String, String) {
    match content {
        Content::Empty => (String::new(), "nothing more from the CPE".to_owned()),
        Content::Broken(error) => ("?".to_owned(), brief(error)),
        Content::MustUnderstand { header, .. } => {
            ("?".to_owned(), format!("unknown header {}", brief(header)))
        }
        Content::Envelope(envelope) => match &envelope.message {
            ToAcs::Request(request) => (request.method().to_owned(), acs_request(request)),
            ToAcs::Response(response) => (format!("{}Response", response.method()), cpe_response(response)),
            ToAcs::Fault(fault) => ("Fault".to_owned(), brief(&fault_text(fault))),
            ToAcs::Unusable { method, fault } => (brief(method), brief(&fault.to_string())),
        },
    }
}

/// Method and essence of what the ACS sends.
#[must_use]
pub fn to_cpe(envelope: &Envelope<ToCpe>) -> (String, String) {
    let (method, mut essence) = match &envelope.message {
        ToCpe::Request(request) => (request.method().to_owned(), cpe_request(request)),
        ToCpe::Response(response) => (format!("{}Response", response.method()), acs_response(response)),
        ToCpe::Fault(fault) => ("Fault".to_owned(), brief(&fault_text(fault))),
        ToCpe::Unusable { method, .. } => (brief(method), String::new()),
    };
    if let Some(version) = envelope.header.use_cwmp_version {
        let _ = write!(essence, " use CWMP {}", version.as_str());
    }
    if envelope.header.hold_requests {
        essence.push_str(" hold your requests");
    }
    (method, essence.trim_start().to_owned())
}

/// Method and essence of bytes that are sent as they are.
#[must_use]
pub fn raw(bytes: &[u8]) -> (String, String) {
    match soap::decode_to_cpe(bytes) {
        Ok(envelope) => {
            let (method, essence) = to_cpe(&envelope);
            (method, format!("(as it is) {essence}"))
        }
        Err(error) => ("raw".to_owned(), format!("{} bytes: {}", bytes.len(), brief(&error.to_string()))),
    }
}

/// An Inform: why it comes, and who it is from.
#[must_use]
pub fn inform(inform: &Inform) -> String {
    let events = some(&inform.events, |event| {
        let key = event.command_key.as_str();
        let code = brief(event.code.as_str());
        if key.is_empty() { code } else { format!("{code} ({})", brief(key)) }
    });
    let retry =
        if inform.retry_count > 0 { format!(", attempt {}", inform.retry_count + 1) } else { String::new() };
    format!("because of {events}{retry}; {} parameters", inform.parameters.len())
}

fn acs_request(request: &AcsRequest) -> String {
    match request {
        AcsRequest::GetRPCMethods => "which methods does the ACS have?".to_owned(),
        AcsRequest::Inform(content) => inform(content),
        AcsRequest::TransferComplete(done) => {
            format!("transfer `{}`: {}", brief(done.command_key.as_str()), outcome(&done.fault))
        }
        AcsRequest::AutonomousTransferComplete(done) => {
            format!("{} from {}: {}", brief(&done.file_type), brief(&done.transfer_url), outcome(&done.fault))
        }
        AcsRequest::DUStateChangeComplete(done) => {
            let results =
                some(&done.results, |result| format!("{}: {}", brief(&result.uuid), outcome(&result.fault)));
            format!("`{}`: {results}", brief(done.command_key.as_str()))
        }
        AcsRequest::AutonomousDUStateChangeComplete(done) => some(&done.results, |entry| {
            format!("{}: {}", brief(&entry.result.uuid), outcome(&entry.result.fault))
        }),
        AcsRequest::RequestDownload(asked) => format!("asks for {}", brief(&asked.file_type)),
        AcsRequest::Kicked(kicked) => brief(&kicked.command),
    }
}

fn acs_response(response: &AcsResponse) -> String {
    match response {
        AcsResponse::GetRPCMethods(methods) => some(methods, |method| method.clone()),
        AcsResponse::Inform(_) => "welcome".to_owned(),
        AcsResponse::Kicked(kicked) => brief(&kicked.next_url),
        _ => "noted".to_owned(),
    }
}

fn cpe_request(request: &CpeRequest) -> String {
    let transfer =
        |kind: &str, url: &str, key: &str| format!("{} {} `{}`", brief(kind), brief(url), brief(key));
    match request {
        CpeRequest::SetParameterValues(set) => some(&set.parameters, assignment),
        CpeRequest::GetParameterValues(get) => some(&get.names, |name| root(name)),
        CpeRequest::GetParameterNames(get) => {
            format!("{}{}", root(&get.path), if get.next_level { " (children)" } else { "" })
        }
        CpeRequest::SetParameterAttributes(set) => {
            some(&set.entries, |entry| format!("{} notify {}", brief(&entry.name), entry.notification))
        }
        CpeRequest::GetParameterAttributes(get) => some(&get.names, |name| root(name)),
        CpeRequest::AddObject(add) => brief(&add.object_name),
        CpeRequest::DeleteObject(delete) => brief(&delete.object_name),
        CpeRequest::Download(d) => transfer(&d.file_type, &d.url, d.command_key.as_str()),
        CpeRequest::Upload(u) => transfer(&u.file_type, &u.url, u.command_key.as_str()),
        CpeRequest::ScheduleDownload(d) => transfer(&d.file_type, &d.url, d.command_key.as_str()),
        CpeRequest::Reboot(reboot) => format!("`{}`", brief(reboot.command_key.as_str())),
        CpeRequest::ScheduleInform(schedule) => {
            format!("in {} s `{}`", schedule.delay_seconds, brief(schedule.command_key.as_str()))
        }
        CpeRequest::CancelTransfer(cancel) => format!("`{}`", brief(cancel.command_key.as_str())),
        CpeRequest::ChangeDUState(change) => {
            format!("{} operations `{}`", change.operations.len(), brief(change.command_key.as_str()))
        }
        CpeRequest::GetOptions(get) => brief(&get.option_name),
        CpeRequest::GetRPCMethods
        | CpeRequest::GetQueuedTransfers
        | CpeRequest::SetVouchers(_)
        | CpeRequest::FactoryReset
        | CpeRequest::GetAllQueuedTransfers => String::new(),
    }
}

fn cpe_response(response: &CpeResponse) -> String {
    match response {
        CpeResponse::GetRPCMethods(methods) => some(methods, |method| brief(method)),
        CpeResponse::SetParameterValues(status) | CpeResponse::DeleteObject(status) => applied(*status),
        CpeResponse::GetParameterValues(list) => some(list, assignment),
        CpeResponse::GetParameterNames(list) => some(list, |entry| brief(&entry.name)),
        CpeResponse::GetParameterAttributes(list) => {
            some(list, |entry| format!("{} notify {}", brief(&entry.name), entry.notification))
        }
        CpeResponse::AddObject(added) => {
            format!("instance {}, {}", added.instance_number, applied(added.status))
        }
        CpeResponse::Download(done) | CpeResponse::Upload(done) => match done {
            TransferResponse::Done { start, complete } => format!("done, from {start} to {complete}"),
            TransferResponse::Later => "will be done".to_owned(),
        },
        CpeResponse::GetQueuedTransfers(list) => {
            some(list, |entry| format!("`{}` {:?}", brief(entry.command_key.as_str()), entry.state))
        }
        CpeResponse::GetAllQueuedTransfers(list) => {
            some(list, |entry| format!("`{}` {:?}", brief(entry.command_key.as_str()), entry.state))
        }
        CpeResponse::GetOptions(list) => some(list, |option| brief(&option.option_name)),
        CpeResponse::SetParameterAttributes
        | CpeResponse::Reboot
        | CpeResponse::ScheduleInform
        | CpeResponse::SetVouchers
        | CpeResponse::FactoryReset
        | CpeResponse::ScheduleDownload
        | CpeResponse::CancelTransfer
        | CpeResponse::ChangeDUState => "accepted".to_owned(),
    }
}

/// The whole answer to a command, a line an entry.
#[must_use]
pub fn answer(response: &CpeResponse) -> String {
    let all = |lines: Vec<String>| if lines.is_empty() { "(nothing)".to_owned() } else { lines.join("\n") };
    match response {
        CpeResponse::GetRPCMethods(methods) => all(methods.iter().map(|method| brief(method)).collect()),
        CpeResponse::GetParameterValues(list) => all(list.iter().map(typed).collect()),
        CpeResponse::GetParameterNames(list) => {
            let entry = |e: &cwmp_core::rpc::ParameterInfoStruct| {
                format!("{}{}", visible(&e.name), if e.writable { "  (writable)" } else { "" })
            };
            all(list.iter().map(entry).collect())
        }
        CpeResponse::GetParameterAttributes(list) => {
            let entry = |e: &cwmp_core::rpc::ParameterAttributeStruct| {
                format!(
                    "{}  notification {}, access [{}]",
                    visible(&e.name),
                    e.notification,
                    e.access_list.join(", ")
                )
            };
            all(list.iter().map(entry).collect())
        }
        other => cpe_response(other),
    }
}

fn applied(status: Status) -> String {
    match status {
        Status::Applied => "applied".to_owned(),
        Status::Committed => "will be applied".to_owned(),
    }
}

fn outcome(fault: &FaultStruct) -> String {
    if fault.code.0 == 0 {
        "success".to_owned()
    } else {
        format!("fault {}: {}", fault.code, brief(&fault.text))
    }
}

fn root(name: &str) -> String {
    if name.is_empty() { "(the whole tree)".to_owned() } else { brief(name) }
}

fn assignment(parameter: &ParameterValueStruct) -> String {
    format!("{}={}", brief(&parameter.name), shown(parameter, brief))
}

fn typed(parameter: &ParameterValueStruct) -> String {
    let kind = parameter.value_type.map_or("?", |kind| kind.xsd_name());
    format!("{} = {}  ({kind})", visible(&parameter.name), shown(parameter, visible))
}

/// A value, unless its name tells that it is a secret.
fn shown(parameter: &ParameterValueStruct, form: fn(&str) -> String) -> String {
    let last = parameter.name.rsplit('.').next().unwrap_or_default();
    let secret = ["Password", "PreSharedKey", "KeyPassphrase", "Secret", "WEPKey"];
    let hidden = !parameter.value.is_empty() && secret.iter().any(|mark| last.contains(mark));
    if hidden { "(hidden)".to_owned() } else { form(&parameter.value) }
}

/// A text in full, without control characters.
fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn some<T>(list: &[T], form: impl Fn(&T) -> String) -> String {
    if list.is_empty() {
        return "(nothing)".to_owned();
    }
    let mut text = list.iter().take(NAMED).map(form).collect::<Vec<_>>().join(", ");
    if list.len() > NAMED {
        let _ = write!(text, " and {} more", list.len() - NAMED);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use cwmp_core::value::ValueType;

    use super::*;
    use crate::cpe::CpeKey;

    fn parameter(name: &str, value: &str) -> ParameterValueStruct {
        ParameterValueStruct { name: name.into(), value_type: Some(ValueType::String), value: value.into() }
    }

    #[test]
    fn a_line_tells_time_direction_method_and_essence() {
        let list = vec![
            parameter("Device.A", "1"),
            parameter("Device.B", "2"),
            parameter("Device.C", "3"),
            parameter("Device.D", "4"),
        ];
        let message = Message {
            direction: Direction::FromCpe,
            time: SystemTime::UNIX_EPOCH + Duration::from_millis(3_661_250),
            cpe: Some(CpeKey::new("00D09E-1")),
            connection: 1,
            method: "GetParameterValuesResponse".into(),
            essence: cpe_response(&CpeResponse::GetParameterValues(list)),
            status: None,
            head: Bytes::new(),
            body: Bytes::new(),
        };
        let expected = "01:01:01.250 00D09E-1 --> GetParameterValuesResponse   Device.A=1, Device.B=2, Device.C=3 and 1 more";
        assert_eq!(line(&message), expected);
    }

    #[test]
    fn secrets_are_hidden_and_control_characters_shown_as_such() {
        let list = vec![
            parameter("Device.ManagementServer.Password", "s3cret"),
            parameter("Device.A", "x\u{1b}[2J"),
        ];
        let text = answer(&CpeResponse::GetParameterValues(list));
        assert!(!text.contains("s3cret") && !text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn an_empty_list_is_told() {
        assert_eq!(answer(&CpeResponse::GetParameterNames(Vec::new())), "(nothing)");
    }
}

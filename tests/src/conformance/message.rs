//! `acs …`: what the ACS says, from the words of a case.

use cwmp_core::{
    fault::{CwmpFault, FaultCode},
    rpc::{
        AcsResponse, AddObject, CommandKey, CpeRequest, CwmpVersion, DeleteObject, Envelope,
        GetParameterAttributes, GetParameterNames, GetParameterValues, Header, InformResponse, ParameterKey,
        ParameterValueStruct, Reboot, ScheduleInform, SetParameterAttributes, SetParameterAttributesStruct,
        SetParameterValues, ToCpe,
    },
    soap,
    value::ValueType,
};

use super::{parse::Line, stage::Reply, transfers};

/// Options that every message takes, taken out of its words.
struct Options {
    header: Header,
    version: CwmpVersion,
    http: Reply,
    rest: Vec<String>,
}

/// ID of the ACS's requests where a case gives none.
const ACS_ID: &str = "acs-1";

/// The reply that a line `acs …` stands for. `request_id` is the ID of the agent's last request.
///
/// # Errors
/// What cannot be understood.
pub fn reply(line: &Line, request_id: Option<&str>) -> Result<Reply, String> {
    let what = line.words.get(1).map_or("", String::as_str);
    let options = options(line.words.get(2..).unwrap_or_default())?;
    let empty = |status| Ok(Reply { status, ..options.http.clone() });
    let answer = |message: ToCpe| {
        let mut header = options.header.clone();
        if header.id.is_none() {
            header.id = request_id.map(str::to_owned);
        }
        Ok(Reply { status: 200, body: envelope(header, options.version, message), ..options.http.clone() })
    };
    match what {
        "204" => return empty(204),
        "200" => return empty(200),
        "http" => {
            let status =
                options.rest.first().and_then(|word| word.parse().ok()).ok_or("which HTTP status?")?;
            let body = options.rest.get(1).cloned().unwrap_or_default().into_bytes();
            return Ok(Reply { status, body, ..options.http });
        }
        "envelope" => {
            let text = line.text.replace("{id}", request_id.unwrap_or_default());
            return Ok(Reply { status: 200, body: text.into_bytes(), ..options.http });
        }
        "body" => {
            let (_, text) = line.raw.split_once("body").ok_or("which body?")?;
            return Ok(Reply {
                status: 200,
                body: raw_body(&format!("{text}{}", line.text)),
                ..options.http
            });
        }
        "fault" => {
            let code = options.rest.first().and_then(|word| word.parse().ok()).ok_or("which fault code?")?;
            return answer(ToCpe::Fault(CwmpFault::new(FaultCode(code), "as the case wants").into()));
        }
        "InformResponse" => {
            return answer(ToCpe::Response(AcsResponse::Inform(InformResponse { max_envelopes: 1 })));
        }
        "TransferCompleteResponse" => return answer(ToCpe::Response(AcsResponse::TransferComplete)),
        "AutonomousTransferCompleteResponse" => {
            return answer(ToCpe::Response(AcsResponse::AutonomousTransferComplete));
        }
        "RequestDownloadResponse" => return answer(ToCpe::Response(AcsResponse::RequestDownload)),
        "GetRPCMethodsResponse" => {
            return answer(ToCpe::Response(AcsResponse::GetRPCMethods(options.rest.clone())));
        }
        _ => {}
    }
    let call = call(what, &options.rest)?;
    let mut header = options.header;
    header.id = header.id.or_else(|| Some(ACS_ID.to_owned())).filter(|id| id != "none");
    let body = envelope(header, options.version, ToCpe::Request(call));
    Ok(Reply { status: 200, body, ..options.http })
}

fn envelope(header: Header, version: CwmpVersion, message: ToCpe) -> Vec<u8> {
    soap::encode_to_cpe(&Envelope { version, header, message })
}

/// An envelope with the usual namespaces around the content of its Body.
fn raw_body(content: &str) -> Vec<u8> {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <soap-env:Envelope xmlns:soap-env=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:soap-enc=\"http://schemas.xmlsoap.org/soap/encoding/\" xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:cwmp=\"urn:dslforum-org:cwmp-1-2\">\
         <soap-env:Header><cwmp:ID soap-env:mustUnderstand=\"1\">{ACS_ID}</cwmp:ID></soap-env:Header>\
         <soap-env:Body>{}</soap-env:Body></soap-env:Envelope>",
        content.trim()
    )
    .into_bytes()
}

fn options(words: &[String]) -> Result<Options, String> {
    let mut options = Options {
        header: Header::default(),
        version: CwmpVersion::V1_2,
        http: Reply::default(),
        rest: Vec::new(),
    };
    let version =
        |text: &str| CwmpVersion::parse(text).ok_or_else(|| format!("there is no CWMP version {text}"));
    for word in words {
        match word.split_once('=') {
            Some(("id", id)) => options.header.id = Some(id.to_owned()),
            Some(("version", text)) => options.version = version(text)?,
            Some(("use-version", text)) => options.header.use_cwmp_version = Some(version(text)?),
            Some(("retry-after", text)) => {
                options.http.retry_after = Some(text.parse().map_err(|_| "retry-after is in seconds")?);
            }
            Some(("header", text)) => options.http.headers.push(text.to_owned()),
            None if word == "hold" => options.header.hold_requests = true,
            None if word == "no-more" => options.header.no_more_requests = true,
            None if word == "chunked" => options.http.chunked = true,
            None if word == "close" => options.http.close = true,
            _ => options.rest.push(word.clone()),
        }
    }
    Ok(options)
}

fn call(method: &str, words: &[String]) -> Result<CpeRequest, String> {
    if let Some(call) = transfers::call(method, words)? {
        return Ok(call);
    }
    let key_word = words.iter().find_map(|word| word.strip_prefix("key=")).unwrap_or_default();
    let rest: Vec<&String> = words.iter().filter(|word| !word.starts_with("key=")).collect();
    let parameter_key = || ParameterKey::new(key_word).map_err(|error| error.to_string());
    let command_key = || CommandKey::new(key_word).map_err(|error| error.to_string());
    let names = || rest.iter().map(|name| (*name).clone()).collect::<Vec<_>>();
    let first = || rest.first().map(|word| (*word).clone()).ok_or_else(|| format!("{method} of what?"));
    Ok(match method {
        "GetRPCMethods" => CpeRequest::GetRPCMethods,
        "GetParameterValues" => CpeRequest::GetParameterValues(GetParameterValues { names: names() }),
        "GetParameterAttributes" => {
            CpeRequest::GetParameterAttributes(GetParameterAttributes { names: names() })
        }
        "GetParameterNames" => {
            let next_level = match rest.get(1).map(|word| word.as_str()) {
                Some("next-level") => true,
                None => false,
                Some(other) => return Err(format!("`{other}` says nothing to GetParameterNames")),
            };
            CpeRequest::GetParameterNames(GetParameterNames { path: first()?, next_level })
        }
        "SetParameterValues" => {
            let parameters = rest.iter().map(|word| value(word)).collect::<Result<_, _>>()?;
            CpeRequest::SetParameterValues(SetParameterValues { parameters, parameter_key: parameter_key()? })
        }
        "SetParameterAttributes" => {
            let entries = rest.iter().map(|word| attribute(word)).collect::<Result<_, _>>()?;
            CpeRequest::SetParameterAttributes(SetParameterAttributes { entries })
        }
        "AddObject" => {
            CpeRequest::AddObject(AddObject { object_name: first()?, parameter_key: parameter_key()? })
        }
        "DeleteObject" => {
            CpeRequest::DeleteObject(DeleteObject { object_name: first()?, parameter_key: parameter_key()? })
        }
        "Reboot" => CpeRequest::Reboot(Reboot { command_key: command_key()? }),
        "FactoryReset" => CpeRequest::FactoryReset,
        "ScheduleInform" => {
            let delay_seconds = first()?.parse().map_err(|_| "after how many seconds?")?;
            CpeRequest::ScheduleInform(ScheduleInform { delay_seconds, command_key: command_key()? })
        }
        other => return Err(format!("the ACS can say nothing like `{other}`")),
    })
}

/// `Name=value` or `Name:type=value`.
fn value(word: &str) -> Result<ParameterValueStruct, String> {
    let (name, value) = word.split_once('=').ok_or_else(|| format!("`{word}` is not Name=value"))?;
    let (name, value_type) = match name.split_once(':') {
        None => (name, None),
        Some((name, kind)) => {
            let known = ValueType::ALL.into_iter().find(|known| known.xsd_name() == kind);
            (name, Some(known.ok_or_else(|| format!("there is no type {kind}"))?))
        }
    };
    Ok(ParameterValueStruct { name: name.to_owned(), value_type, value: value.to_owned() })
}

/// `Name=2`, `Name=2[Subscriber]`, `Name=[]`.
fn attribute(word: &str) -> Result<SetParameterAttributesStruct, String> {
    let (name, value) =
        word.split_once('=').ok_or_else(|| format!("`{word}` is not Name=notification[list]"))?;
    let (number, list) = match value.split_once('[') {
        None => (value, None),
        Some((number, list)) => (number, Some(list.strip_suffix(']').ok_or("`[` without `]`")?)),
    };
    let notification = match number {
        "" => 0,
        number => number.parse().map_err(|_| format!("`{number}` is no notification"))?,
    };
    let access_list = list.unwrap_or_default().split(',').filter(|entry| !entry.is_empty());
    Ok(SetParameterAttributesStruct {
        name: name.to_owned(),
        notification_change: !number.is_empty(),
        notification,
        access_list_change: list.is_some(),
        access_list: access_list.map(str::to_owned).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(words: &str) -> Result<Reply, String> {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        let raw = words.join(" ");
        reply(&Line { number: 1, words, raw, text: String::new() }, Some("7"))
    }

    fn message(words: &str) -> Envelope<ToCpe> {
        soap::decode_to_cpe(&said(words).unwrap().body).unwrap()
    }

    #[test]
    fn answers_carry_the_id_of_the_request_and_calls_their_own() {
        assert_eq!(message("acs InformResponse").header.id.as_deref(), Some("7"));
        assert_eq!(message("acs InformResponse id=x hold").header.id.as_deref(), Some("x"));
        assert!(message("acs GetRPCMethods hold").header.hold_requests);
        assert_eq!(message("acs GetRPCMethods id=none").header.id, None);
    }

    #[test]
    fn values_and_attributes_are_read_from_words() {
        let ToCpe::Request(CpeRequest::SetParameterValues(set)) =
            message("acs SetParameterValues Device.A:int=1 Device.B=x=y key=k").message
        else {
            panic!()
        };
        assert_eq!(set.parameters[0].value_type, Some(ValueType::Int));
        assert_eq!((set.parameters[1].value.as_str(), set.parameter_key.as_str()), ("x=y", "k"));
        let one = attribute("Device.A=2[Subscriber]").unwrap();
        assert!(one.notification_change && one.access_list_change && one.access_list == ["Subscriber"]);
        let one = attribute("Device.A=[]").unwrap();
        assert!(!one.notification_change && one.access_list_change && one.access_list.is_empty());
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for words in ["acs Foo", "acs http", "acs fault x", "acs InformResponse version=9", "acs AddObject"] {
            assert!(said(words).is_err(), "{words}");
        }
    }
}

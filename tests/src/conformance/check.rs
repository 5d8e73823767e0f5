//! `cpe …`: whether what the agent has sent is what the case expects.

use cwmp_core::{
    io::Datagram,
    job::Job,
    rpc::{AcsRequest, CpeResponse, Envelope, Fault, Inform, ToAcs},
    soap,
};

use super::{stage::Post, transfers};

/// Holds a POST of the agent against the words after `cpe`; returns the ID of a request.
///
/// # Errors
/// What is different.
pub fn post(words: &[String], post: &Post) -> Result<Option<String>, String> {
    let (expected, words) = words.split_first().ok_or("what must the agent do?")?;
    let text = String::from_utf8_lossy(&post.body);
    let mut rest = Vec::new();
    for word in words {
        match word.split_once('=') {
            Some(("contains", part)) if !text.contains(part) => {
                return Err(format!("expected `{part}` in the message, seen {text}"));
            }
            Some(("lacks", part)) if text.contains(part) => {
                return Err(format!("`{part}` must not be in the message, seen {text}"));
            }
            Some(("head", part)) => head(part, post, true)?,
            Some(("no-head", part)) => head(part, post, false)?,
            Some(("contains" | "lacks", _)) => {}
            _ => rest.push(word.as_str()),
        }
    }
    if expected == "empty" {
        return match post.body.is_empty() {
            true => Ok(None),
            false => Err(format!("expected an empty POST, seen {text}")),
        };
    }
    if post.body.is_empty() {
        return Err(format!("expected {expected}, seen an empty POST"));
    }
    let envelope =
        soap::decode_to_acs(&post.body).map_err(|error| format!("no valid envelope: {error}: {text}"))?;
    let id = envelope.header.id.clone();
    let rest = of_envelope(&envelope, &rest)?;
    let name = name(&envelope.message);
    if name != *expected {
        return Err(format!("expected {expected}, seen {name}: {text}"));
    }
    message(&envelope.message, &rest).map_err(|what| format!("{name}: {what}"))?;
    Ok(id.filter(|_| matches!(envelope.message, ToAcs::Request(_))))
}

/// Holds a datagram of the agent against the words after `cpe datagram`.
///
/// # Errors
/// What is different.
pub fn datagram(words: &[String], datagram: &Datagram) -> Result<(), String> {
    let text = String::from_utf8_lossy(&datagram.bytes);
    for word in words {
        match word.split_once('=') {
            Some(("to", wanted)) => {
                equal("address", wanted, &format!("{}:{}", datagram.host, datagram.port))?
            }
            Some(("contains", part)) if !text.contains(part) => {
                return Err(format!("expected `{part}` in the datagram, seen {text}"));
            }
            Some(("lacks", part)) if text.contains(part) => {
                return Err(format!("`{part}` must not be in the datagram, seen {text}"));
            }
            Some(("contains" | "lacks", _)) => {}
            _ => return Err(format!("`{word}` is not understood of a datagram")),
        }
    }
    Ok(())
}

/// A line of the head, such as `SOAPAction:` with nothing behind it; not judged where there is no head.
fn head(line: &str, post: &Post, wanted: bool) -> Result<(), String> {
    let Some(head) = &post.head else { return Ok(()) };
    let there = head.iter().any(|seen| match line.split_once(':') {
        Some((name, value)) => {
            let Some((theirs, said)) = seen.split_once(':') else { return false };
            theirs.eq_ignore_ascii_case(name) && (value == "*" || said.trim() == value.trim())
        }
        None => seen == line,
    });
    match there == wanted {
        true => Ok(()),
        false if wanted => Err(format!("expected `{line}` in the head, seen {head:?}")),
        false => Err(format!("`{line}` must not be in the head, seen {head:?}")),
    }
}

fn of_envelope<'a>(envelope: &Envelope<ToAcs>, words: &[&'a str]) -> Result<Vec<&'a str>, String> {
    let mut rest = Vec::new();
    for word in words {
        let seen = match word.split_once('=') {
            Some(("id", wanted)) => (wanted, envelope.header.id.as_deref().unwrap_or("none").to_owned()),
            Some(("namespace", wanted)) => {
                (wanted, envelope.version.namespace().replace("urn:dslforum-org:", ""))
            }
            _ => {
                rest.push(*word);
                continue;
            }
        };
        if seen.0 != seen.1 {
            return Err(format!("expected {word}, seen {}", seen.1));
        }
    }
    Ok(rest)
}

/// Name of the message on the wire.
fn name(message: &ToAcs) -> String {
    match message {
        ToAcs::Request(request) => request.method().to_owned(),
        ToAcs::Response(response) => format!("{}Response", response.method()),
        ToAcs::Fault(_) => "Fault".to_owned(),
        ToAcs::Unusable { method, .. } => format!("unusable {method}"),
    }
}

fn message(message: &ToAcs, words: &[&str]) -> Result<(), String> {
    match message {
        ToAcs::Request(AcsRequest::Inform(message)) => inform(message, words),
        ToAcs::Request(AcsRequest::TransferComplete(told)) => hold(transfers::complete(told), words),
        ToAcs::Request(AcsRequest::AutonomousTransferComplete(told)) => {
            hold(transfers::autonomous(told), words)
        }
        ToAcs::Request(AcsRequest::RequestDownload(wanted)) => {
            let file_type = ("file-type".to_owned(), String::new(), wanted.file_type.clone());
            hold(vec![file_type], words)
        }
        ToAcs::Response(response) => self::response(response, words),
        ToAcs::Fault(seen) => fault(seen, words),
        _ if words.is_empty() => Ok(()),
        _ => Err(format!("`{}` is not understood here", words.join(" "))),
    }
}

fn inform(inform: &Inform, words: &[&str]) -> Result<(), String> {
    let mut listed = Listed::default();
    for parameter in &inform.parameters {
        let kind = parameter.value_type.map_or("", |kind| kind.xsd_name());
        listed.seen.push((parameter.name.clone(), kind.to_owned(), parameter.value.clone()));
    }
    let mut rest = vec!["..."];
    for word in words {
        match word.split_once('=') {
            Some(("events", wanted)) => {
                let event = |event: &cwmp_core::event::EventStruct| {
                    let (code, key) = (event.code.as_str(), event.command_key.as_str());
                    if key.is_empty() { code.to_owned() } else { format!("{code} {key}") }
                };
                let seen = inform.events.iter().map(event).collect::<Vec<_>>().join(", ");
                equal("events", wanted, &seen)?;
            }
            Some(("retry", wanted)) => equal("RetryCount", wanted, &inform.retry_count.to_string())?,
            Some(("time", wanted)) => equal("CurrentTime", wanted, &inform.current_time.to_string())?,
            Some(("max-envelopes", wanted)) => {
                equal("MaxEnvelopes", wanted, &inform.max_envelopes.to_string())?
            }
            Some(("device", wanted)) => {
                let id = &inform.device_id;
                let seen =
                    [&id.manufacturer, &id.oui, &id.product_class, &id.serial_number].map(String::as_str);
                equal("DeviceId", wanted, &seen.join("/"))?;
            }
            _ => rest.push(word),
        }
    }
    listed.hold(&rest)
}

fn response(response: &CpeResponse, words: &[&str]) -> Result<(), String> {
    let mut listed = Listed::default();
    let mut put =
        |name: &str, kind: &str, value: String| listed.seen.push((name.to_owned(), kind.to_owned(), value));
    match response {
        CpeResponse::GetParameterValues(values) => {
            for value in values {
                put(&value.name, value.value_type.map_or("", |kind| kind.xsd_name()), value.value.clone());
            }
        }
        CpeResponse::GetParameterNames(names) => {
            for info in names {
                put(&info.name, "", if info.writable { "w" } else { "r" }.to_owned());
            }
        }
        CpeResponse::GetParameterAttributes(attributes) => {
            for one in attributes {
                put(&one.name, "", format!("{}[{}]", one.notification, one.access_list.join(",")));
            }
        }
        CpeResponse::GetRPCMethods(methods) => {
            for method in methods {
                put(method, "", String::new());
            }
        }
        CpeResponse::SetParameterValues(status) | CpeResponse::DeleteObject(status) => {
            put("status", "", status.code().to_string());
        }
        CpeResponse::AddObject(added) => {
            put("instance", "", added.instance_number.to_string());
            put("status", "", added.status.code().to_string());
        }
        other => listed.seen = transfers::response(other),
    }
    listed.hold(words)
}

/// What a message says of a transfer; what the case does not mention may be as it likes.
fn hold(seen: Vec<transfers::Entry>, words: &[&str]) -> Result<(), String> {
    let words: Vec<&str> = words.iter().copied().chain(["..."]).collect();
    Listed { seen }.hold(&words)
}

/// Holds the work that the agent has done against the words after `cpe`.
///
/// # Errors
/// What is different.
pub fn job(words: &[String], job: &Job) -> Result<(), String> {
    let (name, entries) = transfers::job(job);
    match words.split_first() {
        Some((expected, words)) if expected == name => {
            hold(entries, &words.iter().map(String::as_str).collect::<Vec<_>>())
        }
        _ => Err(format!("expected {}, seen that it {name}", words.join(" "))),
    }
}

fn fault(fault: &Fault, words: &[&str]) -> Result<(), String> {
    let mut listed = Listed::default();
    let code = fault.cwmp.as_ref().map_or_else(|| "none".to_owned(), |cwmp| cwmp.code.to_string());
    let mut rest = Vec::new();
    for word in words {
        match *word {
            "Client" | "Server" | "MustUnderstand" => equal("faultcode", word, &fault.faultcode)?,
            number if number.bytes().all(|byte| byte.is_ascii_digit()) || number == "none" => {
                equal("FaultCode", number, &code)?;
            }
            other => rest.push(other),
        }
    }
    for parameter in fault.cwmp.iter().flat_map(|cwmp| &cwmp.parameters) {
        listed.seen.push((parameter.name.clone(), String::new(), parameter.code.to_string()));
    }
    listed.hold(&rest)
}

fn equal(what: &str, wanted: &str, seen: &str) -> Result<(), String> {
    if wanted == seen { Ok(()) } else { Err(format!("expected {what} `{wanted}`, seen `{seen}`")) }
}

/// Names with types and values, as a message lists them.
#[derive(Default)]
struct Listed {
    seen: Vec<(String, String, String)>,
}

impl Listed {
    /// Every word must hold: `Name=value`, `Name=*`, `Name:type=value`, `Name`, `!Name`, `count=3`. With `...` others may be
    /// there, without it none.
    fn hold(mut self, words: &[&str]) -> Result<(), String> {
        let total = self.seen.len();
        let mut open = false;
        for word in words {
            if *word == "..." {
                open = true;
            } else if let Some(absent) = word.strip_prefix('!') {
                if self.seen.iter().any(|(name, ..)| name == absent) {
                    return Err(format!("{absent} must not be there"));
                }
                open = true;
            } else if let Some(count) = word.strip_prefix("count=") {
                equal("number of entries", count, &total.to_string())?;
                open = true;
            } else {
                self.take(word)?;
            }
        }
        match self.seen.first() {
            Some((name, _, value)) if !open => Err(format!("`{name}={value}` was not expected")),
            _ => Ok(()),
        }
    }

    fn take(&mut self, word: &str) -> Result<(), String> {
        let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
        let (name, kind) = name.split_once(':').map_or((name, None), |(name, kind)| (name, Some(kind)));
        let Some(at) = self.seen.iter().position(|(seen, ..)| seen == name) else {
            let others: Vec<_> = self.seen.iter().take(40).map(|(name, ..)| name.as_str()).collect();
            return Err(format!("expected {name}, which is not there; seen {}", others.join(" ")));
        };
        let (_, seen_kind, seen) = self.seen.remove(at);
        if let Some(kind) = kind {
            equal(&format!("{name} as"), kind, &seen_kind)?;
        }
        match value {
            Some("*") | None => Ok(()),
            Some(value) => equal(name, value, &seen),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed() -> Listed {
        let entry =
            |name: &str, kind: &str, value: &str| (name.to_owned(), kind.to_owned(), value.to_owned());
        Listed { seen: vec![entry("A", "int", "1"), entry("B", "", "2")] }
    }

    #[test]
    fn everything_that_is_listed_is_expected_or_allowed() {
        assert_eq!(listed().hold(&["A:int=1", "B"]), Ok(()));
        assert_eq!(listed().hold(&["A=*", "..."]), Ok(()));
        assert_eq!(listed().hold(&["count=2", "!C"]), Ok(()));
        for wrong in [&["A"][..], &["A=2", "B"], &["A:string=1", "B"], &["C", "..."], &["!A"], &["count=3"]] {
            assert!(listed().hold(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_line_of_the_head_is_there_or_not() {
        let lines = ["POST / HTTP/1.1", "SOAPAction: ", "host: a:1"].map(str::to_owned).to_vec();
        let post = Post { head: Some(lines), body: Vec::new() };
        for there in ["POST / HTTP/1.1", "soapaction:", "host:*", "host:a:1"] {
            assert_eq!(head(there, &post, true), Ok(()), "{there}");
            assert!(head(there, &post, false).is_err(), "{there}");
        }
        for absent in ["host:a:2", "cookie:*", "POST /x HTTP/1.1"] {
            assert!(head(absent, &post, true).is_err(), "{absent}");
        }
        assert_eq!(head("cookie:*", &Post::default(), true), Ok(()), "in memory there is no head");
    }

    #[test]
    fn an_empty_post_is_no_message() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(post(&words("empty"), &Post::default()), Ok(None));
        assert!(post(&words("Inform"), &Post::default()).is_err());
        let other = Post { head: None, body: b"x".to_vec() };
        assert!(post(&words("empty"), &other).is_err() && post(&words("Inform"), &other).is_err());
    }
}
